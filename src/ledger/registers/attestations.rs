//! The register of attestations and bonds, in three levels that are never summed together (FORMATS 7.5).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AttestationId, BlockHeight, Code, Sats, UnixMicros};
use crate::evidence::AttestationMessage;
use crate::ledger::canonical::Leaf;
use crate::ledger::scope::Scope;
use crate::ledger::view::{LeafKind, LedgerView, NamedLeaf};
use crate::verify::{ClaimedAttestation, Verified};

/// What is established about an attestation, weakest first. Each level holds all that the one before it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The carrying Nostr event's id and signature hold; the attestation itself fails, or can't be judged.
    SignedEvent,
    /// Its id, its members, and its BIP-322 signature or guardian quorum hold.
    WellFormed,
    /// And a final block of a chain with checked headers commits to it.
    BitcoinProven,
}

impl Level {
    /// All levels, weakest first.
    pub const ALL: [Self; 3] = [Self::SignedEvent, Self::WellFormed, Self::BitcoinProven];

    /// `signed-event`, `well-formed` or `bitcoin-proven`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedEvent => "signed-event",
            Self::WellFormed => "well-formed",
            Self::BitcoinProven => "bitcoin-proven",
        }
    }

    /// The beginning of its totals' names.
    const fn total(self) -> &'static str {
        match self {
            Self::SignedEvent => "signed_event",
            Self::WellFormed => "well_formed",
            Self::BitcoinProven => "bitcoin_proven",
        }
    }
}

/// One attestation. What its message does not say, or can't be read to say, is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationEntry {
    /// What is established.
    pub level: Level,
    /// Why it is no better than a signed event; empty on the other levels.
    pub reasons: BTreeSet<Code>,
    /// Address that attests; absent when the message can't be read.
    pub address: Option<String>,
    /// `protocol:identifier`, sorted.
    pub identities: Vec<String>,
    /// Claimed time; absent when the message can't be read.
    pub issued_at: Option<UnixMicros>,
    /// The `bond` extension, when it is a number of satoshi (FORMATS 7.1).
    pub bond: Option<Sats>,
    /// The `network` extension; `mainnet` unless the message says otherwise.
    pub network: String,
    /// The `expires` extension.
    pub expires_at: Option<UnixMicros>,
    /// It has expired at the as-of.
    pub expired: bool,
    /// The address' present record: of those at least well-formed and not expired the newest, of two the lower id.
    pub current: bool,
    /// Height of the lowest verified anchor. Of a signed event none: its id may not even be the hash of what it says.
    pub anchor: Option<BlockHeight>,
}

impl AttestationEntry {
    fn of(message: Option<&AttestationMessage>, scope: Scope<'_>) -> Self {
        let extension = |name: &str| message.and_then(|message| message.extensions.get(name));
        let bond = extension("bond").and_then(|text| text.parse().ok());
        let expires_at: Option<UnixMicros> = extension("expires").and_then(|text| text.parse().ok());
        Self {
            level: Level::SignedEvent,
            reasons: BTreeSet::new(),
            address: message.map(|message| message.address.clone()),
            identities: message.map(|message| message.identities.clone()).unwrap_or_default(),
            issued_at: message.map(|message| message.issued_at),
            bond: bond.and_then(|sats| Sats::new(sats).ok()),
            network: extension("network").cloned().unwrap_or_else(|| "mainnet".to_owned()),
            expires_at,
            // The instant itself is no longer inside.
            expired: expires_at.is_some_and(|at| scope.has_happened(at)),
            current: false,
            anchor: None,
        }
    }

    /// Satoshi that it puts up on the main network; coins of test networks are worth nothing.
    fn bond_sats(&self) -> i128 {
        let sats = self.bond.filter(|_| self.network == "mainnet");
        sats.map_or(0, |sats| i128::from(sats.get()))
    }
}

/// Attestations issued up to the as-of, by id; those that nothing dates among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttestationRegister {
    /// By id; a signed event's is the one that it declares.
    pub entries: BTreeMap<AttestationId, AttestationEntry>,
}

impl AttestationRegister {
    pub(crate) fn fold(scope: Scope<'_>) -> Self {
        let claimed = scope.set.claimed_attestations.values().map(Verified::fact);
        let mut entries: BTreeMap<AttestationId, AttestationEntry> =
            claimed.map(|claimed| (claimed.id, signed_event(claimed, scope))).collect();
        // One good carrier is enough: it takes the place of what bad ones made of the same id.
        entries.extend(scope.set.attestations.values().map(|signed| {
            let signed = signed.fact();
            (signed.id, well_formed(signed.id, &signed.message, scope))
        }));
        entries.retain(|_, entry| entry.issued_at.is_none_or(|at| scope.has_happened(at)));
        mark_current(&mut entries);
        Self { entries }
    }

    /// The register's leaves in order of id.
    pub(in crate::ledger) fn leaves(&self) -> impl Iterator<Item = Vec<u8>> {
        self.entries.iter().map(|(id, entry)| leaf(id, entry))
    }

    /// As [`Self::leaves`], named by id.
    pub(in crate::ledger) fn named_leaves(&self) -> impl Iterator<Item = NamedLeaf> {
        self.entries.iter().map(|(id, entry)| NamedLeaf::new(LeafKind::Attestation, id, leaf(id, entry)))
    }

    /// The root over the leaves, and totals.
    pub fn view(&self) -> LedgerView {
        let mut totals = BTreeMap::new();
        let mut add = |name: String, value: i128| *totals.entry(name).or_insert(0) += value;
        for level in Level::ALL {
            for total in ["", "_bonded", "_bond_sats", "_current_bond_sats"] {
                add(format!("{}{total}", level.total()), 0);
            }
        }
        for entry in self.entries.values() {
            let level = entry.level.total();
            add(level.to_owned(), 1);
            add(format!("{level}_bonded"), i128::from(entry.bond.is_some()));
            add(format!("{level}_bond_sats"), entry.bond_sats());
            add(format!("{level}_current_bond_sats"), if entry.current { entry.bond_sats() } else { 0 });
            add("anchored".to_owned(), i128::from(entry.anchor.is_some()));
            add("current".to_owned(), i128::from(entry.current));
            add("expired".to_owned(), i128::from(entry.expired));
        }
        LedgerView { totals, ..LedgerView::of("attestations", self.leaves()) }
    }
}

fn signed_event(claimed: &ClaimedAttestation, scope: Scope<'_>) -> AttestationEntry {
    AttestationEntry { reasons: claimed.reasons.clone(), ..AttestationEntry::of(claimed.message.as_ref(), scope) }
}

fn well_formed(id: AttestationId, message: &AttestationMessage, scope: Scope<'_>) -> AttestationEntry {
    let is_proven = scope.set.anchors.get(&id.0).is_some_and(|state| state.is_proven_by(scope.as_of.time));
    AttestationEntry {
        level: if is_proven { Level::BitcoinProven } else { Level::WellFormed },
        anchor: scope.anchor(&id.0).map(|anchor| anchor.height),
        ..AttestationEntry::of(Some(message), scope)
    }
}

/// All are kept; one of an address stands.
fn mark_current(entries: &mut BTreeMap<AttestationId, AttestationEntry>) {
    let mut newest: BTreeMap<&str, (UnixMicros, AttestationId)> = BTreeMap::new();
    for (id, entry) in entries.iter().filter(|(_, entry)| entry.level > Level::SignedEvent && !entry.expired) {
        let Some((address, at)) = entry.address.as_deref().zip(entry.issued_at) else { continue };
        let held = newest.entry(address).or_insert((at, *id));
        // Ids ascend, so of two at one instant the lower stays.
        if at > held.0 {
            *held = (at, *id);
        }
    }
    let current: Vec<AttestationId> = newest.into_values().map(|(_, id)| id).collect();
    for id in current {
        if let Some(entry) = entries.get_mut(&id) {
            entry.current = true;
        }
    }
}

/// Whether a block is final, and its header no isolated one, depends on the headers that were at hand: two auditors with other
/// headers must come to one root, so the leaf tells the signed levels apart and names the anchor.
fn leaf(id: &AttestationId, entry: &AttestationEntry) -> Vec<u8> {
    Leaf::new("attestation")
        .text("id", id)
        .text("level", entry.level.min(Level::WellFormed).name())
        .texts("reasons", entry.reasons.iter().map(|code| code.name()).collect::<BTreeSet<_>>())
        .text_or_null("address", entry.address.as_ref())
        .texts("identities", &entry.identities)
        .int_or_null("issued_at_micros", entry.issued_at.map(|at| at.0))
        .int_or_null("bond_sats", entry.bond.map(Sats::get))
        .text("network", &entry.network)
        .int_or_null("expires_at_micros", entry.expires_at.map(|at| at.0))
        .flag("expired", entry.expired)
        .flag("current", entry.current)
        .int_or_null("anchor_height", entry.anchor.map(|height| height.0))
        .bytes()
}
