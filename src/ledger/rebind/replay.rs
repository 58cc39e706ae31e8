//! Replays transitions over state and active descriptor. Total: whatever does not fit is passed over or followed, and says so.

use std::collections::BTreeSet;

use crate::domain::DescriptorId;
use crate::evidence::CustodyState;
use crate::evidence::custody::federation_id;

use super::timeline::{Change, Doubt, Item, Transition};

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Active {
    /// The user's own key.
    Own,
    /// The guardians of this descriptor.
    Guardians {
        id: DescriptorId,
        /// No signed statement of the operator or the user establishes it: the only one known, or the guardians' own word.
        presumed: bool,
    },
    /// Guardians who are not established.
    Unknown,
}

impl Active {
    pub(super) const fn id(self) -> Option<DescriptorId> {
        match self {
            Self::Guardians { id, .. } => Some(id),
            Self::Own | Self::Unknown => None,
        }
    }

    /// What guardians' records name, which nobody but them signed.
    fn told(id: DescriptorId, vouched: &BTreeSet<DescriptorId>) -> Self {
        Self::Guardians { id, presumed: !vouched.contains(&id) }
    }

    fn named(id: Option<DescriptorId>) -> Self {
        id.map_or(Self::Unknown, |id| Self::Guardians { id, presumed: false })
    }

    /// The only known descriptor but the one that is left.
    fn only(known: &BTreeSet<DescriptorId>, left: Option<DescriptorId>) -> Self {
        let mut others = known.iter().filter(|id| Some(**id) != left);
        match (others.next(), others.next()) {
            (Some(id), None) => Self::Guardians { id: *id, presumed: true },
            _ => Self::Unknown,
        }
    }
}

/// State and descriptor before the first transition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begin {
    pub(super) state: CustodyState,
    pub(super) active: Active,
}

impl Begin {
    /// What the first transition says it leaves; else the operator's federation and the only descriptor that is known.
    pub(super) fn of(known: &BTreeSet<DescriptorId>, items: &[Item]) -> Self {
        let rebound = items.iter().find_map(|item| match &item.change {
            Change::Rebind { from, .. } => Some(*from),
            Change::Graduation { .. } | Change::Rotation { .. } => None,
        });
        let first = items.first().map(|item| &item.change);
        let state = match (first, rebound) {
            (Some(Change::Rebind { from, .. }), _) => *from,
            // A descriptor is left, so a federation had custody.
            (_, Some(from)) if from != CustodyState::Bip322 => from,
            _ => CustodyState::FedimintThreshold,
        };
        let left = match first {
            Some(Change::Rebind { from_federation, .. }) => named(from_federation.as_ref()),
            Some(change) => change.left(),
            None => None,
        };
        let active = match (state, left) {
            (CustodyState::Bip322, _) => Active::Own,
            (_, Some(id)) => Active::told(id, &vouched(items)),
            (_, None) => Active::only(known, None),
        };
        Self { state, active }
    }
}

/// Descriptors that a signed statement of the operator or the user names. Anybody can write a descriptor of any address,
/// and its guardians can rotate it.
fn vouched(items: &[Item]) -> BTreeSet<DescriptorId> {
    let mut vouched = BTreeSet::new();
    for item in items {
        match &item.change {
            Change::Rebind { from_federation, to_federation, .. } => {
                vouched.extend([from_federation, to_federation].into_iter().filter_map(|text| named(text.as_ref())));
            }
            Change::Graduation { from, to_federation, .. } => {
                vouched.insert(*from);
                vouched.extend(to_federation);
            }
            Change::Rotation { .. } => {}
        }
    }
    vouched
}

/// The descriptor that a federation's text names: `fed:` and its id. Anything else is a name.
fn named(federation: Option<&String>) -> Option<DescriptorId> {
    federation.and_then(|text| federation_id(text).ok())
}

/// A replay at work.
pub(super) struct Replay<'k> {
    known: &'k BTreeSet<DescriptorId>,
    vouched: BTreeSet<DescriptorId>,
    state: CustodyState,
    active: Active,
    /// Descriptors that a followed step left.
    left: BTreeSet<DescriptorId>,
}

impl<'k> Replay<'k> {
    /// Places transitions that are in order.
    pub(super) fn of(begin: &Begin, known: &'k BTreeSet<DescriptorId>, items: Vec<Item>) -> Vec<Transition> {
        let (state, active, left) = (begin.state, begin.active, BTreeSet::new());
        let mut replay = Self { known, vouched: vouched(&items), state, active, left };
        items.into_iter().map(|item| replay.place(item)).collect()
    }

    fn place(&mut self, item: Item) -> Transition {
        let Item { id, who, change, dated, mut doubts, carrier } = item;
        let (followed, is_stray) = match &change {
            Change::Rebind { to, from_federation, to_federation, .. } => {
                self.rebind(*to, from_federation.as_ref(), to_federation.as_ref());
                (true, false)
            }
            Change::Graduation { from, to, to_federation, .. } => (true, self.graduate(*from, to, *to_federation)),
            Change::Rotation { from, to, .. } => self.rotate(*from, *to),
        };
        doubts.extend(is_stray.then_some(Doubt::Stray));
        let presumed = matches!(self.active, Active::Guardians { presumed: true, .. });
        let (state, descriptor) = (self.state, self.active.id());
        Transition { id, who, change, dated, followed, doubts, state, descriptor, presumed, carrier }
    }

    fn rebind(&mut self, to: CustodyState, left: Option<&String>, entered: Option<&String>) {
        let changes = left.is_some() && entered.is_some() && left != entered;
        let moves = changes || to != self.state;
        self.active = match (to, named(entered)) {
            (CustodyState::Bip322, _) => Active::Own,
            (_, Some(id)) => Active::Guardians { id, presumed: false },
            (_, None) if moves => Active::only(self.known, self.active.id()),
            (_, None) => self.active,
        };
        self.state = to;
    }

    /// FORMATS 8.6: the latest graduation decides, whatever was active: the user's own key signed it.
    fn graduate(&mut self, from: DescriptorId, to: &str, entered: Option<DescriptorId>) -> bool {
        let is_stray = self.active.id().is_some_and(|active| active != from);
        self.left.insert(from);
        if to == "single-key" {
            (self.state, self.active) = (CustodyState::Bip322, Active::Own);
        } else {
            // The other federation is one that the user picked (FORMATS 3.4).
            (self.state, self.active) = (CustodyState::FedimintClient, Active::named(entered));
        }
        is_stray
    }

    /// Guardians can only rotate themselves: out of the active descriptor, or out of one where none is established.
    fn rotate(&mut self, from: DescriptorId, to: DescriptorId) -> (bool, bool) {
        match self.active {
            Active::Guardians { id, .. } if id != from => (false, !self.left.contains(&from)),
            Active::Own => (false, false),
            Active::Guardians { .. } | Active::Unknown => {
                let is_established = matches!(self.active, Active::Guardians { presumed: false, .. });
                self.left.insert(from);
                self.active = match Active::told(to, &self.vouched) {
                    // Guardians who are established themselves vouch for those who follow them.
                    Active::Guardians { id, .. } if is_established || self.vouched.contains(&from) => {
                        Active::named(Some(id))
                    }
                    told => told,
                };
                (true, false)
            }
        }
    }
}
