//! One timeline per principal over rebinds, rotations and graduations, and what it says of an instant (FORMATS 3.4 and 8.6).

use std::collections::BTreeSet;

use crate::domain::{DescriptorId, Digest32, EvidenceId, UnixMicros, UserKey};
use crate::evidence::CustodyState;
use crate::ledger::people::People;

use super::dated::Dated;
use super::replay::{Begin, Replay};
use super::roll::{RebindEntry, RebindLedger};
use super::steps::Step;

/// What a transition says it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A rebind envelope.
    Rebind {
        /// State left.
        from: CustodyState,
        /// State entered.
        to: CustodyState,
        /// Federation left: `fed:` and a descriptor's id, or a name. Foreign text.
        from_federation: Option<String>,
        /// Federation entered. Foreign text.
        to_federation: Option<String>,
    },
    /// A graduation.
    Graduation {
        /// Descriptor left.
        from: DescriptorId,
        /// `single-key` or `federation`.
        to: String,
        /// Descriptor entered.
        to_federation: Option<DescriptorId>,
        /// The form of the message that was signed: `L` or `J`.
        profile: &'static str,
    },
    /// A rotation.
    Rotation {
        /// Descriptor left.
        from: DescriptorId,
        /// Descriptor entered.
        to: DescriptorId,
        /// The form of the message that was signed: `L` or `J`.
        profile: &'static str,
    },
}

impl Change {
    /// `rebind`, `graduation` or `rotation`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rebind { .. } => "rebind",
            Self::Graduation { .. } => "graduation",
            Self::Rotation { .. } => "rotation",
        }
    }

    /// The descriptor that a graduation or rotation leaves.
    pub(super) const fn left(&self) -> Option<DescriptorId> {
        match self {
            Self::Rebind { .. } => None,
            Self::Graduation { from, .. } | Self::Rotation { from, .. } => Some(*from),
        }
    }
}

/// Why a transition is in dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// A rebind that does not start from the replayed state (`REB_GAP`).
    Gap,
    /// A rebind that claims another's place (`ENV_EQUIVOCATION`).
    Equivocation,
    /// A rotation out of a descriptor that another rotation leaves too (`REB_FORK`).
    Fork,
    /// A graduation or rotation out of a descriptor that was not the active one.
    Stray,
}

impl Doubt {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Equivocation => "equivocation",
            Self::Fork => "fork",
            Self::Stray => "stray",
        }
    }
}

/// What an answer rests on at its weakest point, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustLevel {
    /// Signed statements contradict each other, or one is missing.
    Contested,
    /// No signed statement of the operator or the user says so: the default state, the only descriptor that is known, or
    /// one that nobody but its guardians names.
    Assumed,
    /// Every statement is signed; not all are anchored by the instant asked about.
    Signed,
    /// Every statement is signed, and committed to by a Bitcoin block no later than the instant asked about.
    BitcoinProven,
}

impl TrustLevel {
    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contested => "contested",
            Self::Assumed => "assumed",
            Self::Signed => "signed",
            Self::BitcoinProven => "bitcoin-proven",
        }
    }
}

/// One transition in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Envelope id; of a graduation or rotation the hash of the message that was signed.
    pub id: Digest32,
    /// The user or address that it names. Foreign text.
    pub who: String,
    /// What it changes.
    pub change: Change,
    /// When.
    pub dated: Dated,
    /// False when the replay passes over it.
    pub followed: bool,
    /// Why it is in dispute.
    pub doubts: BTreeSet<Doubt>,
    /// The state from then on.
    pub state: CustodyState,
    /// The descriptor active from then on, when there is one and it is established.
    pub descriptor: Option<DescriptorId>,
    /// No signed statement of the operator or the user leads to that descriptor: it is the only one known, or guardians
    /// whom nobody else names say so.
    pub presumed: bool,
    /// A carrier.
    pub carrier: EvidenceId,
}

/// Who held custody at an instant, and what that rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyAt {
    /// Who was asked about.
    pub principal: UserKey,
    /// The instant.
    pub at: UnixMicros,
    /// The state; `None` when nothing is held about the principal.
    pub state: Option<CustodyState>,
    /// The descriptor whose guardians sign; `None` under `bip322`, and where it is not established.
    pub descriptor: Option<DescriptorId>,
    /// What the answer rests on at its weakest.
    pub trust: TrustLevel,
    /// True when one of two rotations out of one descriptor was followed.
    pub forked: bool,
    /// The transitions that lead there, oldest first.
    pub support: Vec<Transition>,
    /// What makes it contested: those of `support` in dispute, and others that contradict them.
    pub disputed: Vec<Transition>,
}

/// A transition that waits for its place.
pub(super) struct Item {
    pub(super) id: Digest32,
    pub(super) who: String,
    pub(super) change: Change,
    pub(super) dated: Dated,
    pub(super) doubts: BTreeSet<Doubt>,
    pub(super) carrier: EvidenceId,
}

impl RebindLedger {
    /// Resolves custody at an instant: a transition counts from its effective time on, that instant included.
    ///
    /// `who` is an address, a `did:oc:` or another name of the principal. For an address that guardian records name, those
    /// of that address count; for every other name, those of all addresses of the principal. Rebinds count under every
    /// name. The rules, and what is assumed where they are silent: docs/adr/0016-custody-at-an-instant.md.
    pub fn custody_at(&self, people: &People, who: &UserKey, at: UnixMicros) -> CustodyAt {
        let (begin, placed) = self.asked(people, who).replay();
        answer(people.principal_of(who).clone(), begin.as_ref(), &placed, at)
    }

    /// Every transition of that principal in order, as [`Self::custody_at`] replays them.
    pub fn custody_history(&self, people: &People, who: &UserKey) -> Vec<Transition> {
        self.asked(people, who).replay().1
    }

    /// Rebinds of that principal that do not count, by id: claimed after the as-of, or under a leaked key.
    pub fn excluded_rebinds(&self, people: &People, who: &UserKey) -> Vec<&RebindEntry> {
        let principal = people.principal_of(who);
        let excluded = self.entries.values().filter(|entry| entry.standing != crate::ledger::Standing::Counted);
        excluded.filter(|entry| people.principal_of(&entry.rebind.user) == principal).collect()
    }

    /// Every name that a rebind, a rotation, a graduation or a custody descriptor is about.
    pub fn names(&self) -> BTreeSet<UserKey> {
        let rebound = self.entries.values().map(|entry| entry.rebind.user.clone());
        let guarded = self.steps.keys().chain(self.guarded.keys()).map(|address| UserKey::from(address.as_str()));
        rebound.chain(guarded).collect()
    }

    fn asked(&self, people: &People, who: &UserKey) -> Asked {
        let principal = people.principal_of(who);
        let is_guarded = self.steps.contains_key(who.as_str()) || self.guarded.contains_key(who.as_str());
        let names: BTreeSet<&UserKey> =
            if is_guarded { BTreeSet::from([who]) } else { people.names_of(principal).chain([principal]).collect() };
        let known = names.iter().filter_map(|name| self.guarded.get(name.as_str())).flatten().copied().collect();
        let steps = names.iter().filter_map(|name| self.steps.get(name.as_str())).flatten();
        let mut items: Vec<Item> = steps.map(|step| self.step_item(step)).collect();
        let rebinds = self.chains.get(principal).into_iter().flatten().filter_map(|id| self.entries.get(id));
        items.extend(rebinds.map(|entry| self.rebind_item(entry)));
        items.sort_by_key(|item| (item.dated.place(), item.id));
        Asked { known, items }
    }

    fn step_item(&self, step: &Step) -> Item {
        let change = match (&step.graduates_to, step.to) {
            (None, Some(to)) => Change::Rotation { from: step.from, to, profile: step.profile },
            (to, to_federation) => Change::Graduation {
                from: step.from,
                to: to.clone().unwrap_or_default(),
                to_federation,
                profile: step.profile,
            },
        };
        let doubts = self.forked.contains(&step.id).then_some(Doubt::Fork).into_iter().collect();
        Item { id: step.id, who: step.address.clone(), change, dated: step.dated, doubts, carrier: step.carrier }
    }

    fn rebind_item(&self, entry: &RebindEntry) -> Item {
        let rebind = &entry.rebind;
        let gap = self.gaps.contains(&entry.id).then_some(Doubt::Gap);
        let equivocation = self.equivocal.contains(&entry.id).then_some(Doubt::Equivocation);
        Item {
            id: entry.id.0,
            who: rebind.user.as_str().to_owned(),
            change: Change::Rebind {
                from: rebind.from,
                to: rebind.to,
                from_federation: rebind.from_federation.clone(),
                to_federation: rebind.to_federation.clone(),
            },
            dated: entry.dated,
            doubts: gap.into_iter().chain(equivocation).collect(),
            carrier: entry.carrier,
        }
    }
}

/// What is held about somebody.
struct Asked {
    /// Descriptors of the addresses.
    known: BTreeSet<DescriptorId>,
    /// Transitions in order.
    items: Vec<Item>,
}

impl Asked {
    /// The state before the first transition, nothing when nothing is held; and every transition in its place.
    fn replay(self) -> (Option<Begin>, Vec<Transition>) {
        let Self { known, items } = self;
        if known.is_empty() && items.is_empty() {
            return (None, Vec::new());
        }
        let begin = Begin::of(&known, &items);
        (Some(begin), Replay::of(&begin, &known, items))
    }
}

fn answer(principal: UserKey, begin: Option<&Begin>, placed: &[Transition], at: UnixMicros) -> CustodyAt {
    let ahead = placed.partition_point(|one| one.dated.effective <= at);
    let (past, later) = placed.split_at(ahead);
    let support: Vec<Transition> = past.iter().filter(|one| one.followed).cloned().collect();
    let is_rebind = |one: &&Transition| one.change.left().is_none();
    // Whatever does not fit the state before it speaks of all the time since the transition before it.
    let next = [later.iter().find(is_rebind), later.iter().find(|one| !is_rebind(one))].into_iter().flatten();
    let misfits = next.filter(|one| one.doubts.contains(&Doubt::Gap) || one.doubts.contains(&Doubt::Stray));
    let disputes = |one: &&Transition| one.doubts.contains(&Doubt::Stray) || one.followed && !one.doubts.is_empty();
    let contested: Vec<&Transition> = past.iter().filter(disputes).chain(misfits).collect();
    let is_contested = !contested.is_empty();
    let rivals = rivals(placed, &contested);
    let disputed: Vec<Transition> =
        placed.iter().filter(|one| contested.contains(one) || rivals.contains(&one.id)).cloned().collect();
    let last = support.last();
    let state = last.map(|one| one.state).or(begin.map(|begin| begin.state));
    let descriptor = last.map_or_else(|| begin.and_then(|begin| begin.active.id()), |one| one.descriptor);
    let trust = match last {
        _ if is_contested => TrustLevel::Contested,
        None => TrustLevel::Assumed,
        Some(last) if last.presumed => TrustLevel::Assumed,
        Some(_) if support.iter().all(|one| one.dated.is_proven_by(at)) => TrustLevel::BitcoinProven,
        Some(_) => TrustLevel::Signed,
    };
    let forked = support.iter().any(|one| one.doubts.contains(&Doubt::Fork));
    CustodyAt { principal, at, state, descriptor, trust, forked, support, disputed }
}

/// Those that fork or equivocate with one of the contested.
fn rivals(placed: &[Transition], contested: &[&Transition]) -> BTreeSet<Digest32> {
    let has = |doubt| contested.iter().any(|one| one.doubts.contains(&doubt));
    let equivocates = has(Doubt::Equivocation);
    let forked: BTreeSet<DescriptorId> =
        contested.iter().filter(|one| one.doubts.contains(&Doubt::Fork)).filter_map(|one| one.change.left()).collect();
    let is_rival = |one: &&Transition| {
        equivocates && one.doubts.contains(&Doubt::Equivocation)
            || one.doubts.contains(&Doubt::Fork) && one.change.left().is_some_and(|left| forked.contains(&left))
    };
    placed.iter().filter(is_rival).map(|one| one.id).collect()
}
