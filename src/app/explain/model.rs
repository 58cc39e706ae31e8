//! What is told of a thing. The members' names are those of `reledger explain --json` (docs/explain.md).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What kind of thing a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// An OC Me envelope, payout bindings and distributions among them.
    Envelope,
    /// An attestation.
    Attestation,
    /// A binding of a principal, an address and a Nostr key.
    Binding,
    /// A guardian descriptor.
    Descriptor,
    /// A graduation.
    Graduation,
    /// A rotation.
    Rotation,
    /// A settlement, by the digest of its signed bytes.
    Settlement,
    /// A settlement's operation.
    Operation,
    /// A Lightning payment hash.
    Payment,
    /// A Nostr event.
    Event,
    /// A piece of evidence.
    Evidence,
    /// A digest of which a proof is held and nothing else.
    Digest,
    /// An envelope key id.
    Kid,
    /// A drop window.
    Window,
    /// An integrator project.
    Project,
    /// A block that anchors something, by hash or height.
    Block,
    /// A user: address or principal, or another name or destination of one.
    User,
    /// A divergence, by fingerprint.
    Divergence,
    /// A leaf of a ledger or register, by its hash.
    Leaf,
    /// What only divergences name.
    Record,
    /// A text that stands in evidence and names nothing of the above.
    Mention,
}

impl Class {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Attestation => "attestation",
            Self::Binding => "binding",
            Self::Descriptor => "descriptor",
            Self::Graduation => "graduation",
            Self::Rotation => "rotation",
            Self::Settlement => "settlement",
            Self::Operation => "operation",
            Self::Payment => "payment",
            Self::Event => "event",
            Self::Evidence => "evidence",
            Self::Digest => "digest",
            Self::Kid => "kid",
            Self::Window => "window",
            Self::Project => "project",
            Self::Block => "block",
            Self::User => "user",
            Self::Divergence => "divergence",
            Self::Leaf => "leaf",
            Self::Record => "record",
            Self::Mention => "mention",
        }
    }
}

impl Class {
    /// What a member of a divergence's subject names; `None` for a text that is no id.
    pub(in crate::app) fn of_member(member: &str) -> Option<Self> {
        Some(match member {
            "envelope" | "prev" => Self::Envelope,
            "attestation" => Self::Attestation,
            "binding" => Self::Binding,
            "descriptor" => Self::Descriptor,
            "graduation" => Self::Graduation,
            "rotation" => Self::Rotation,
            "settlement" => Self::Settlement,
            "operation" => Self::Operation,
            "event" => Self::Event,
            "digest" => Self::Digest,
            "kid" => Self::Kid,
            "window" => Self::Window,
            "project" => Self::Project,
            "user" | "address" | "principal" => Self::User,
            _ => return None,
        })
    }
}

/// A thing's class and whole id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Name {
    /// Its class.
    pub class: Class,
    /// Its id: hex of 64 digits, or a text as received.
    pub id: String,
}

/// Everything that is known of one thing. Foreign text is raw.
#[derive(Debug, Clone, Serialize)]
pub struct Thing {
    /// What it is.
    #[serde(flatten)]
    pub name: Name,
    /// What it says: fields out of the signed bytes, where there are any.
    pub says: BTreeMap<String, Value>,
    /// Whether it counts, and why not.
    pub standing: Option<StandingTold>,
    /// The rule that found an envelope's signed bytes (FORMATS 3.1), or the profile of a graduation or rotation (8.4).
    pub rule: Option<String>,
    /// What brought it.
    pub carriers: Vec<Carrier>,
    /// The envelope key.
    pub key: Option<KeyTold>,
    /// What signatures come to.
    pub signatures: Vec<SignatureTold>,
    /// What proofs of its id show.
    pub anchor: Option<AnchorTold>,
    /// What is owed to it; only users have this member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceTold>,
    /// The ledgers' and registers' leaves that name it.
    pub entries: Vec<EntryTold>,
    /// What it names, and what names it.
    pub related: Vec<Related>,
    /// What was found about it or its carriers.
    pub divergences: Vec<DivergenceTold>,
}

impl Thing {
    /// Of which nothing is told yet.
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            says: BTreeMap::new(),
            standing: None,
            rule: None,
            carriers: Vec::new(),
            key: None,
            signatures: Vec::new(),
            anchor: None,
            balance: None,
            entries: Vec::new(),
            related: Vec::new(),
            divergences: Vec::new(),
        }
    }
}

/// Whether a thing counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingTold {
    /// `counted`, `excluded:<why>`, `refused`, `unposted`, `genuine`, or an attestation's level.
    pub state: String,
    /// Codes that say why.
    pub reasons: Vec<String>,
}

/// One piece of evidence that brought a thing.
#[derive(Debug, Clone, Serialize)]
pub struct Carrier {
    /// Evidence id.
    pub evidence: String,
    /// Media.
    pub media: String,
    /// Length.
    pub bytes: u64,
    /// The Nostr event that it is.
    pub event: Option<EventTold>,
    /// Where it was seen.
    pub seen: Vec<Seen>,
}

/// A Nostr event (NIP-01).
#[derive(Debug, Clone, Serialize)]
pub struct EventTold {
    /// Declared id.
    pub id: String,
    /// Author.
    pub pubkey: String,
    /// Claimed time, Unix seconds.
    pub created_at: i64,
    /// Kind.
    pub kind: u16,
    /// The `d` tag.
    pub d: String,
    /// Its id is its hash and its BIP-340 signature holds.
    pub genuine: bool,
}

/// One sighting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Seen {
    /// Relay, address, or `files:<media>`.
    pub source: String,
    /// Page, file or member.
    pub place: String,
    /// Byte offset in it.
    pub offset: u64,
}

/// An envelope key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyTold {
    /// Key id.
    pub kid: String,
    /// The Ed25519 key that counts, when one is known.
    pub public_key: Option<String>,
    /// The captures that publish it.
    pub captures: Vec<Capture>,
    /// When it leaked, as configured; Unix seconds.
    pub compromised_at: Option<i64>,
}

/// One captured key set that publishes a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Capture {
    /// Evidence id.
    pub evidence: String,
    /// `envelope` or `auth`: whose host's set it is.
    pub set: &'static str,
    /// The host; empty for a file.
    pub host: String,
    /// The key in it.
    pub public_key: String,
}

/// What one signature comes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SignatureTold {
    /// `ed25519`, `bip340`, `bip322`, `legacy` or `guardians`.
    pub scheme: String,
    /// `valid`, `invalid`, `absent` or `unchecked`.
    pub verdict: &'static str,
    /// Who signed: a kid, a key, an address, a descriptor.
    pub by: String,
}

/// What the proofs of one digest show.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AnchorTold {
    /// `confirmed-verified`, `confirmed-unverified`, `pending`, `orphaned`, `invalid` or `absent` (FORMATS 9.5).
    pub status: &'static str,
    /// Verified blocks, lowest first.
    pub blocks: Vec<BlockTold>,
    /// Blocks that left the most-work chain.
    pub stale: Vec<StaleTold>,
    /// Calendars that owe an answer.
    pub pending: Vec<PendingTold>,
    /// Heights that proofs name and no known header answers for.
    pub header_missing: Vec<u32>,
    /// Proofs that show nothing, with the reason.
    pub refused: Vec<RefusedTold>,
}

/// A block that commits to the digest.
#[derive(Debug, Clone, Serialize)]
pub struct BlockTold {
    /// Height.
    pub height: u32,
    /// Hash, as explorers print it.
    pub hash: String,
    /// The header's time, Unix seconds.
    pub time: i64,
    /// How the header is trusted.
    pub header_trust: &'static str,
    /// Deep enough that no reorganisation is expected.
    pub is_final: bool,
    /// Confirmations, the block itself included; absent off the checkpoint's chain.
    pub depth: Option<u32>,
    /// The lowest of them: the anchor.
    pub earliest: bool,
    /// The proof's carrier.
    pub proof: String,
}

/// A block that anchored the digest once.
#[derive(Debug, Clone, Serialize)]
pub struct StaleTold {
    /// Height.
    pub height: u32,
    /// Hash.
    pub hash: String,
    /// The proof's carrier.
    pub proof: String,
}

/// A pending attestation.
#[derive(Debug, Clone, Serialize)]
pub struct PendingTold {
    /// Calendar address as the proof writes it.
    pub calendar: String,
    /// What it is asked for.
    pub commitment: String,
    /// When the calendar took it, Unix seconds.
    pub submitted_at: Option<i64>,
    /// A proof of this digest leads on from it already.
    pub answered: bool,
    /// The proof's carrier.
    pub proof: String,
}

/// A proof that shows nothing.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedTold {
    /// Its carrier.
    pub proof: String,
    /// Codes with their explanations.
    pub reasons: Vec<String>,
}

/// What is owed to a user. Amounts are absent when no ledger fact names the user's account.
#[derive(Debug, Clone, Serialize)]
pub struct BalanceTold {
    /// The account that the user's earnings belong to.
    pub account: String,
    /// Earned, less paid, and corrections; below zero for one who was paid too much.
    pub balance_sats: Option<Value>,
    /// What may be paid out now.
    pub available_sats: Option<Value>,
    /// Of drop windows that have not vested.
    pub maturing_sats: Option<Value>,
    /// Shares of counted events.
    pub earned_sats: Option<Value>,
    /// Paid out.
    pub paid_sats: Option<Value>,
    /// Corrections in, less corrections out.
    pub adjusted_sats: Option<Value>,
    /// `reledger/balance-proof/1`: that the balance tree holds the account with that balance, or does not hold it.
    pub proof: Option<Value>,
    /// Why there is no proof.
    pub no_proof: Option<&'static str>,
}

/// One leaf of a ledger or register.
#[derive(Debug, Clone, Serialize)]
pub struct EntryTold {
    /// Which ledger or register.
    pub ledger: &'static str,
    /// How well a stranger can verify it (treasury only).
    pub tier: Option<String>,
    /// The leaf's hash in the ledger's Merkle tree.
    pub leaf_hash: String,
    /// The canonical leaf.
    pub leaf: String,
    /// The leaf stands here as it is hashed; false where users are replaced in it.
    pub exact: bool,
}

/// Which of two things names the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// This one names the other.
    Out,
    /// The other names this one.
    In,
}

/// Another thing that this one has to do with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Related {
    /// Which names which.
    pub direction: Direction,
    /// As what, for example `prev` or `distribution`.
    pub relation: &'static str,
    /// The other.
    #[serde(flatten)]
    pub name: Name,
}

/// A divergence.
#[derive(Debug, Clone, Serialize)]
pub struct DivergenceTold {
    /// The divergence, as a report has it.
    #[serde(flatten)]
    pub divergence: BTreeMap<String, Value>,
    /// It stands in the run's report; absent when the run has none.
    pub in_report: Option<bool>,
}
