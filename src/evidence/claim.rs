//! What decoded bytes assert. Nothing in this file is verified.

use std::collections::BTreeMap;

use crate::domain::{
    AttestationId, BindingId, BlockHash, BlockHeight, DescriptorId, Digest32, Direction, EnvelopeId, FederationSlug,
    Finding, KeyId, NostrEventId, OperationId, PaymentHash, ProjectKey, PublicKey32, Sats, SettlementKind, UnixMicros,
    UnixSeconds, UserKey, WindowId,
};

/// One decoded piece of evidence, or why it could not be decoded.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// It decodes. Findings beside it do not stop it (for example `SIG_UNSIGNED_FIELDS`, `SRC_SECRET_PRESENT`).
    Claim(Box<Claim>, Vec<Finding>),
    /// It does not decode: bytes are kept, these findings say why (with `offset` inside the record where known).
    Undecodable(Vec<Finding>),
}

/// What a piece of evidence asserts.
#[derive(Debug, Clone)]
pub enum Claim {
    /// A NIP-01 event and what its coordinates and content say it carries.
    Nostr(NostrCarrier),
    /// An OpenTimestamps proof about a digest.
    Ots(OtsClaim),
    /// Consecutive headers.
    Headers(HeaderRun),
    /// A signed settlement.
    Settlement(Box<SettlementClaim>),
    /// A gateway log entry.
    PaymentLogEntry(PaymentLogEntry),
    /// A Lightning invoice record.
    Invoice(InvoiceRecord),
    /// A key set.
    Jwks(KeySet),
    /// A price config.
    ProjectConfig(ProjectConfig),
    /// A descriptor, graduation or rotation.
    Custody(CustodyClaim),
    /// An activity attestation bundle outside Nostr.
    Activity(EnvelopeCarrier),
    /// One user's reported balance.
    Balance(BalanceLine),
}

// ---------------------------------------------------------------- Nostr

/// A NIP-01 event, fields as received, hex checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NostrEvent {
    /// The declared id.
    pub id: NostrEventId,
    /// x-only public key.
    pub pubkey: PublicKey32,
    /// Claimed time.
    pub created_at: UnixSeconds,
    /// Kind number.
    pub kind: u16,
    /// Tags.
    pub tags: Vec<Vec<String>>,
    /// Content after unescaping.
    pub content: String,
    /// BIP-340 signature.
    pub sig: [u8; 64],
}

impl NostrEvent {
    /// The value of the first tag of that name.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.first().is_some_and(|first| first == name))?.get(1).map(String::as_str)
    }
}

/// An event with what it is said to carry.
#[derive(Debug, Clone)]
pub struct NostrCarrier {
    /// The event.
    pub event: NostrEvent,
    /// Its `d` tag's value, empty when absent.
    pub d: String,
    /// What kind, `d` and content make of it.
    pub body: CarrierBody,
}

/// What an event carries by its kind, `d` prefix and content (FORMATS 1: both must agree).
#[derive(Debug, Clone)]
pub enum CarrierBody {
    /// An OC Me artifact (30087, `oc-me-*`).
    Envelope(Box<EnvelopeCarrier>),
    /// An OC Attest attestation (30078, bare 64-hex `d`).
    Attestation(Box<AttestationClaim>),
    /// A binding (30079).
    Binding(Box<BindingClaim>),
    /// A descriptor, graduation or rotation found by its content `kind`.
    Custody(Box<CustodyClaim>),
    /// Another family artifact: stored for replay, not judged. The text is the owner's name, for example `oc-lock`.
    Stored(&'static str),
    /// A probe, noise, or foreign content under a family `d` (EVT_NOT_ENVELOPE), with the reason.
    NotEnvelope(String),
    /// A replacement without content for a content-addressed `d` (EVT_BLANKED when the id is held).
    Blank(Digest32),
    /// Content `kind` contradicts the `d` tag's owner (EVT_KIND_MISMATCH), with both.
    KindMismatch {
        /// What the `d` tag says.
        by_d: String,
        /// What the content says.
        by_content: String,
    },
    /// Not of the family at all.
    Foreign,
}

// ---------------------------------------------------------------- OC Me envelopes

/// The OC Me artifacts (FORMATS 1 and 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OcMeKind {
    /// `oc-me-event`: billable event.
    Event,
    /// `oc-me-payment`.
    Payment,
    /// `oc-me-rebind`: custody transition.
    Rebind,
    /// `oc-me-trust`: trust attestation.
    Trust,
    /// `oc-me-payout-binding`.
    PayoutBinding,
    /// `oc-me-distribution`.
    Distribution,
    /// `oc-me-drop`: drop-window manifest.
    Drop,
    /// `oc-me-activity`: activity attestation; has no `d` prefix of its own.
    Activity,
}

impl OcMeKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Event,
        Self::Payment,
        Self::Rebind,
        Self::Trust,
        Self::PayoutBinding,
        Self::Distribution,
        Self::Drop,
        Self::Activity,
    ];

    /// The `kind` member and, with a colon, the `d` prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "oc-me-event",
            Self::Payment => "oc-me-payment",
            Self::Rebind => "oc-me-rebind",
            Self::Trust => "oc-me-trust",
            Self::PayoutBinding => "oc-me-payout-binding",
            Self::Distribution => "oc-me-distribution",
            Self::Drop => "oc-me-drop",
            Self::Activity => "oc-me-activity",
        }
    }
}

/// Which rule of FORMATS 3.1 step 1 produced a byte candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateRule {
    /// 1.1: a base64 (or verbatim `canonical`) member.
    CanonicalMember,
    /// 1.2: the carrier's bytes as they are.
    Verbatim,
    /// 1.2: the carrier's bytes minus one trailing line feed.
    VerbatimWithoutLf,
    /// 1.3: the exact source slice of an `envelope`, `event` or `attestation` member.
    MemberSlice,
    /// 1.4a: the object without wrapper members, received order, compact.
    StrippedReceivedOrder,
    /// 1.4b: the same in RFC 8785 order.
    StrippedJcs,
    /// Verbatim plus one line feed (FORMATS 13, row 4).
    VerbatimWithLf,
}

/// A carrier of an OC Me artifact before any judgement.
#[derive(Debug, Clone)]
pub struct EnvelopeCarrier {
    /// What the `d` prefix (or the bundle's place) says it is.
    pub kind: OcMeKind,
    /// The declared id: the `d` suffix; or the bundle's `id`.
    pub declared_id: EnvelopeId,
    /// Byte candidates in the order of FORMATS 3.1. At most eight; verify takes the first that hashes to the id.
    pub candidates: Vec<(CandidateRule, Vec<u8>)>,
    /// Ed25519 signature, 64 bytes; `None` when absent or unreadable.
    pub sig: Option<[u8; 64]>,
    /// Key id.
    pub kid: Option<KeyId>,
    /// Algorithm members seen (`alg`, `crv`), for KEY_ALG.
    pub alg: Option<String>,
    /// Unsigned wrapper members that may also stand inside the signed bytes: name and compact JSON text.
    /// For a bundle with an `attestation`/`envelope` object beside `canonical_b64`: that object's members.
    pub wrapper: BTreeMap<String, String>,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
    /// Set when a duplicate key stands in the wrapper.
    pub duplicate_key: Option<String>,
}

/// What the verified bytes of an OC Me artifact say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OcMeBody {
    /// Billable event.
    Event(BillableEvent),
    /// Payment.
    Payment(Payment),
    /// Custody transition.
    Rebind(Rebind),
    /// Trust attestation: no ledger effect.
    Trust,
    /// Payout destination.
    PayoutBinding(PayoutBinding),
    /// Distribution batch.
    Distribution(Distribution),
    /// Drop manifest.
    Drop(DropManifest),
    /// Activity attestation.
    Activity(ActivityAttestation),
}

/// Billing class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum EventClass {
    /// Durable state.
    A,
    /// Action.
    B,
    /// Session.
    C,
}

impl EventClass {
    /// `A`, `B` or `C`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// A billable event, v1..v4 (FORMATS 3.2). Bytes: `v`, `class`, `subtype`, `occurred_at`, the four fee members, `site`
/// (`{domain}` or text; or `site_domain`), the first of `user_address`, `did_oc`, `identity`, `user`; optional
/// `project_key`, `is_agent`, `drop`, `idempotency_key`, `context.payment_amount_sats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillableEvent {
    /// Schema version 1..=4.
    pub v: u8,
    /// Class.
    pub class: EventClass,
    /// Subtype or custom event key.
    pub subtype: String,
    /// Claimed time.
    pub occurred_at: UnixMicros,
    /// Site domain.
    pub site: String,
    /// User.
    pub user: UserKey,
    /// Project, when named.
    pub project: Option<ProjectKey>,
    /// What the site pays.
    pub gross: Sats,
    /// The platform's part.
    pub platform: Sats,
    /// The user's part.
    pub user_earned: Sats,
    /// The site's rebate; in v1 the remainder.
    pub rebate: Sats,
    /// Whether an agent acted.
    pub is_agent: bool,
    /// The drop window it belongs to.
    pub drop: Option<DropRef>,
    /// The payment that a percentage price applies to.
    pub payment_amount: Option<Sats>,
    /// The integrator's idempotency key.
    pub idempotency_key: Option<String>,
}

/// A reference to a drop window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRef {
    /// The window.
    pub window: WindowId,
    /// The height at which it vests; `None` is by wall clock.
    pub close_height_target: Option<BlockHeight>,
}

/// A payment envelope. Bytes: `status`, `sats_charged`, `user_envelope_id`, `occurred_at`, a user as in [`BillableEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// `authorized`, `failed` or `cancelled`.
    pub status: String,
    /// What was charged.
    pub sats_charged: Option<Sats>,
    /// The billable event it belongs to.
    pub user_envelope_id: Option<EnvelopeId>,
    /// Claimed time.
    pub occurred_at: UnixMicros,
    /// User, when named.
    pub user: Option<UserKey>,
}

/// Who signs for a user (FORMATS 3.4). `bip-322` is read as `bip322`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CustodyState {
    /// Federation introduced by the operator.
    FedimintThreshold,
    /// Federation the user picked.
    FedimintClient,
    /// Self-custody.
    Bip322,
}

impl CustodyState {
    /// The wire name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FedimintThreshold => "fedimint_threshold",
            Self::FedimintClient => "fedimint_client",
            Self::Bip322 => "bip322",
        }
    }
}

/// A custody transition. Bytes: a user, `from`|`from_state`|`from_signing_method`, `to`|`to_state`|`to_signing_method`,
/// `occurred_at`|`rebound_at`, optional `from_federation`, `to_federation`, `prev`, `graduation_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebind {
    /// User.
    pub user: UserKey,
    /// State before.
    pub from: CustodyState,
    /// State after.
    pub to: CustodyState,
    /// Federation before.
    pub from_federation: Option<String>,
    /// Federation after.
    pub to_federation: Option<String>,
    /// Claimed time.
    pub at: UnixMicros,
    /// The previous rebind.
    pub prev: Option<EnvelopeId>,
    /// The graduation that goes with it.
    pub graduation: Option<Digest32>,
}

/// A payout destination. Bytes: a user, `destination`, `created_at`|`occurred_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutBinding {
    /// User.
    pub user: UserKey,
    /// Lightning or on-chain address.
    pub destination: String,
    /// Claimed time.
    pub created_at: UnixMicros,
}

/// A distribution batch. Bytes: `created_at`|`occurred_at`, and either `recipients` (each: a user, `amount_sats`,
/// `payout_binding_id`?) with optional `total_sats`, or one user with `amount_sats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Who gets how much.
    pub recipients: Vec<DistributionShare>,
    /// The declared total; `None` when not stated.
    pub total: Option<Sats>,
    /// Claimed time.
    pub created_at: UnixMicros,
}

/// One part of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DistributionShare {
    /// User.
    pub user: UserKey,
    /// Amount.
    pub amount: Sats,
    /// Payout binding, when named.
    pub binding: Option<String>,
}

/// A sealed drop window (FORMATS 3.7). Bytes: `window_id`, `sealed_at`, `event_count`, `gross_fee_sats`,
/// `user_share_sats`, optional `schedule_id`, `sealed_height`, `recipient_count`, `events_root`, `recipients_root`,
/// `event_ids`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropManifest {
    /// The window.
    pub window: WindowId,
    /// Its schedule.
    pub schedule: Option<String>,
    /// When it was sealed.
    pub sealed_at: UnixMicros,
    /// At which height.
    pub sealed_height: Option<BlockHeight>,
    /// Members.
    pub event_count: u64,
    /// Distinct users.
    pub recipient_count: Option<u64>,
    /// Sum of gross fees.
    pub gross: Sats,
    /// Sum of user shares.
    pub user_share: Sats,
    /// Merkle root over member ids; the tree rule is not published.
    pub events_root: Option<Digest32>,
    /// Members in the manifest's own order, when listed.
    pub event_ids: Vec<EnvelopeId>,
}

/// A signed cross-check of the envelope ledger (FORMATS 3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityAttestation {
    /// The user.
    pub user: UserKey,
    /// Events.
    pub event_count: u64,
    /// Events without an agent.
    pub human_event_count: u64,
    /// Sum of user shares.
    pub lifetime: Sats,
    /// Distinct projects.
    pub distinct_integrator_count: u64,
    /// The first event.
    pub oldest_event_at: Option<UnixMicros>,
    /// Distinct UTC dates.
    pub active_days: u64,
    /// The time it speaks for.
    pub computed_at: UnixMicros,
    /// Not valid from this time on.
    pub expires_at: UnixMicros,
}

// ---------------------------------------------------------------- OpenTimestamps and headers

/// The `ots` member of an envelope (FORMATS 9.2). A convenience: only the proof counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtsMember {
    /// `pending` or `confirmed`.
    pub status: String,
    /// The proof, detached or bare.
    pub proof: Vec<u8>,
    /// Named calendars.
    pub calendars: Vec<String>,
    /// Declared height.
    pub block_height: Option<BlockHeight>,
    /// Declared hash.
    pub block_hash: Option<BlockHash>,
}

/// A proof about a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtsClaim {
    /// The digest the carrier says it is about: from the file name, or the envelope id.
    pub about: Option<Digest32>,
    /// The proof's bytes, pre-checked: magic or bare, bounded.
    pub proof: Vec<u8>,
    /// For a calendar reply: the commitment it starts from (not 32 bytes).
    pub commitment: Option<Vec<u8>>,
    /// For a calendar reply: the host that gave it.
    pub calendar: Option<String>,
}

/// Consecutive headers as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRun {
    /// Claimed height of the first.
    pub start: Option<BlockHeight>,
    /// 80 bytes each.
    pub headers: Vec<[u8; 80]>,
}

// ---------------------------------------------------------------- attestations and bindings

/// A decoded attestation (FORMATS 7): the message is the truth, JSON members a convenience.
#[derive(Debug, Clone)]
pub struct AttestationClaim {
    /// The `d` tag or file's declared id.
    pub declared_id: AttestationId,
    /// The signed message.
    pub message: String,
    /// What the message says; an `Err` is the reason it does not parse (`decode_error`).
    pub parsed: Result<AttestationMessage, String>,
    /// JSON members that contradict the message: name, in message, in member.
    pub mismatches: Vec<(String, String, String)>,
    /// `bip322` or `legacy`.
    pub scheme: String,
    /// Signature text as received.
    pub signature: String,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
}

/// What an attestation message says (FORMATS 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationMessage {
    /// Address.
    pub address: String,
    /// `protocol:identifier`, sorted.
    pub identities: Vec<String>,
    /// 32 hex.
    pub nonce: String,
    /// Claimed time.
    pub issued_at: UnixMicros,
    /// Extensions by key.
    pub extensions: BTreeMap<String, String>,
}

/// A decoded binding (FORMATS 7.6).
#[derive(Debug, Clone)]
pub struct BindingClaim {
    /// The `d` suffix.
    pub declared_id: BindingId,
    /// The signed message.
    pub message: String,
    /// What it says; an `Err` is the specification's error name (`E_MALFORMED`, `E_BAD_HEADER`, ...).
    pub parsed: Result<BindingMessage, &'static str>,
    /// BIP-322 signature text.
    pub btc_signature: String,
}

/// What a binding message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingMessage {
    /// `did:oc:` + 32 hex.
    pub principal: String,
    /// Bitcoin address.
    pub btc: String,
    /// `npub1...` as text.
    pub npub: String,
    /// The key inside the npub.
    pub nostr_key: PublicKey32,
    /// 32 hex.
    pub nonce: String,
    /// Claimed time.
    pub issued_at: UnixMicros,
    /// Extensions by key.
    pub extensions: BTreeMap<String, String>,
}

// ---------------------------------------------------------------- custody

/// A guardian descriptor, graduation or rotation.
#[derive(Debug, Clone)]
pub enum CustodyClaim {
    /// A descriptor.
    Descriptor(DescriptorClaim),
    /// A graduation.
    Graduation(GraduationClaim),
    /// A rotation.
    Rotation(RotationClaim),
}

/// Which of the two descriptor forms (FORMATS 8.1, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptorForm {
    /// `attest-federation-custody`: has an address line, id printed with `fed:`.
    Custody,
    /// `agent-federation`: no address line.
    Agent,
}

/// A descriptor as received; `malformed` says what FORMATS 8.3 forbids about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorClaim {
    /// Form.
    pub form: DescriptorForm,
    /// User address; custody form only.
    pub address: Option<String>,
    /// M.
    pub threshold: u32,
    /// The threshold text, for example `3-of-5`.
    pub threshold_text: String,
    /// Guardian addresses, sorted bytewise.
    pub guardians: Vec<String>,
    /// Declared id, without `fed:`.
    pub declared_id: Option<DescriptorId>,
    /// Canonical lines (LF-joined, no trailing LF): what the id hashes.
    pub canonical: String,
    /// Violations of FORMATS 8.3 found while decoding.
    pub malformed: Vec<String>,
}

/// One signature of a proof list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardianSignature {
    /// Signer's address.
    pub address: String,
    /// BIP-322 signature text.
    pub sig: String,
    /// True for `kind: "self-key"`.
    pub self_key: bool,
}

/// A graduation (FORMATS 8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraduationClaim {
    /// User address.
    pub address: String,
    /// Descriptor left.
    pub from_federation: DescriptorId,
    /// `single-key` or `federation`.
    pub to: String,
    /// Descriptor entered.
    pub to_federation: Option<DescriptorId>,
    /// Claimed time.
    pub graduated_at: UnixSeconds,
    /// Signatures.
    pub proof: Vec<GuardianSignature>,
    /// Candidate canonical messages: profile `L` then `J`, with their text.
    pub profiles: Vec<(&'static str, String)>,
    /// Declared id.
    pub declared_id: Option<Digest32>,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
}

/// A rotation (FORMATS 8.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationClaim {
    /// User address.
    pub address: String,
    /// Descriptor left; its guardians sign.
    pub from_federation: DescriptorId,
    /// Descriptor entered.
    pub to_federation: DescriptorId,
    /// Claimed time.
    pub rotated_at: UnixSeconds,
    /// Signatures.
    pub proof: Vec<GuardianSignature>,
    /// Candidate canonical messages: profile `L` then `J`, with their text.
    pub profiles: Vec<(&'static str, String)>,
    /// Declared id.
    pub declared_id: Option<Digest32>,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
}

// ---------------------------------------------------------------- settlements and rails

/// A settlement event (FORMATS 6.1), the 18 members in signing order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementEvent {
    /// 1.
    pub kind: SettlementKind,
    /// 2.
    pub federation: FederationSlug,
    /// 3: idempotency key.
    pub operation: OperationId,
    /// 4.
    pub amount: Sats,
    /// 5.
    pub direction: Direction,
    /// 6.
    pub settled_at: UnixSeconds,
    /// 7: hex as received.
    pub payment_hash: Option<String>,
    /// 8: hex as received.
    pub preimage: Option<String>,
    /// 9: hex as received.
    pub txid: Option<String>,
    /// 10: hex as received.
    pub gateway_pubkey: Option<String>,
    /// 11.
    pub project: Option<ProjectKey>,
    /// 12.
    pub user: Option<UserKey>,
    /// 13.
    pub payout_binding: Option<String>,
    /// 14.
    pub distribution: Option<String>,
    /// 15.
    pub operator: Option<String>,
    /// 16.
    pub destination: Option<String>,
    /// 17.
    pub note: Option<String>,
    /// 18: absent when unknown.
    pub fee: Option<Sats>,
}

/// A signed settlement before any judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementClaim {
    /// The event.
    pub event: SettlementEvent,
    /// The canonical bytes re-encoded from the received fields: what the signature covers.
    pub canonical: Vec<u8>,
    /// The key that came with it: never trusted by itself.
    pub pubkey: PublicKey32,
    /// Ed25519 signature.
    pub sig: [u8; 64],
    /// Members outside the signed bytes.
    pub unsigned_members: Vec<String>,
}

/// A gateway log entry, whatever its wire shape (TREASURY 1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLogEntry {
    /// Federation the log is of, as configured; empty when unknown.
    pub federation_id: String,
    /// Log id.
    pub id: u64,
    /// Module kind (`ln`, `lnv2`, `wallet`, ...), empty for core.
    pub module: String,
    /// Event kind; unique only together with the module.
    pub kind: String,
    /// Time of the entry.
    pub at: UnixMicros,
    /// Payment hash or image, where the payload has one.
    pub payment_hash: Option<PaymentHash>,
    /// Operation id, where the payload has one.
    pub operation: Option<OperationId>,
    /// Invoiced or moved amount in millisatoshi, normalised for the unit traps of TREASURY 0.3; `None` when absent.
    pub amount_msat: Option<u64>,
    /// Preimage, where the payload has one.
    pub preimage: Option<[u8; 32]>,
    /// False for a (module, kind) that is not in the table.
    pub known: bool,
}

/// State of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceState {
    /// Not paid yet.
    Open,
    /// Paid.
    Settled,
    /// Ran out.
    Expired,
    /// Cancelled.
    Cancelled,
}

/// A Lightning invoice record, whichever dialect (FORMATS 6.3, TREASURY 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceRecord {
    /// Payment hash.
    pub payment_hash: PaymentHash,
    /// Preimage, when shown.
    pub preimage: Option<[u8; 32]>,
    /// Asked amount in millisatoshi.
    pub asked_msat: Option<u64>,
    /// Received amount in millisatoshi.
    pub received_msat: Option<u64>,
    /// State.
    pub state: InvoiceState,
    /// When it was paid.
    pub settled_at: Option<UnixSeconds>,
    /// BOLT-11 text, when shown.
    pub bolt11: Option<String>,
    /// Index at the node (`add_index`, `pay_index`, `created_index`), when shown.
    pub index: Option<u64>,
    /// Project, when named.
    pub project: Option<ProjectKey>,
}

// ---------------------------------------------------------------- documents

/// A key set as received (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// True for the auth host's set: its keys do not sign envelopes.
    pub auth: bool,
    /// Host it was fetched from, empty for files.
    pub host: String,
    /// Usable Ed25519 keys.
    pub keys: Vec<(KeyId, PublicKey32)>,
    /// Keys of another type or curve: kid and what they offer (KEY_ALG when an envelope names one).
    pub other: Vec<(KeyId, String)>,
}

/// What a site pays for an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SitePays {
    /// A fixed number of satoshi. May be fractional or negative in the reference's types: kept as a double.
    FixedSats(f64),
    /// A share of the payment amount.
    PercentOfAmount(f64),
}

/// The price of one event key (FORMATS 5).
#[derive(Debug, Clone, PartialEq)]
pub struct EventPrice {
    /// Disabled prices never bill.
    pub enabled: bool,
    /// What the site pays; `None` is malformed.
    pub site_pays: Option<SitePays>,
    /// The user's share of gross.
    pub user_share_pct: f64,
    /// Overrides for agents.
    pub agent: Option<AgentPrice>,
}

/// Overrides for agents.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentPrice {
    /// Price.
    pub site_pays: Option<SitePays>,
    /// Share.
    pub user_share_pct: Option<f64>,
    /// Agents are refused.
    pub refuse: bool,
}

/// An integrator price config. Unsigned: its authority is where it was fetched from.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectConfig {
    /// Host it was fetched from; empty for files.
    pub host: String,
    /// Project.
    pub project: ProjectKey,
    /// Display name.
    pub display_name: String,
    /// Domain.
    pub domain: String,
    /// Valid from; `None` when empty or unreadable.
    pub updated_at: Option<UnixMicros>,
    /// Prices by event key.
    pub events: BTreeMap<String, EventPrice>,
    /// What FORMATS 5 forbids about it (`validate-config.json`): event key and problem.
    pub problems: Vec<(String, String)>,
}

/// One line of a reported balance statement (FORMATS 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceLine {
    /// User.
    pub user: UserKey,
    /// Balance in satoshi.
    pub balance_sats: Option<i64>,
    /// Available part.
    pub available_sats: Option<i64>,
    /// Maturing part.
    pub maturing_sats: Option<i64>,
}
