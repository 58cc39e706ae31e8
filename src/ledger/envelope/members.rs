//! Members of drop windows: what one row of them says, and what the rows of one window come to.

use std::collections::BTreeSet;

use crate::domain::{BlockHeight, EnvelopeId, UnixMicros, packed_struct};

use super::survey::Signed;

/// A counted event of a drop window, names by number: there are millions of these.
pub(super) struct Member {
    pub(super) signed: Signed,
    pub(super) at: UnixMicros,
    pub(super) user: u32,
    /// The project, or the site of an event without one.
    pub(super) owner: u32,
    pub(super) subtype: u32,
    /// In satoshi.
    pub(super) gross: u64,
    /// The user's part, in satoshi.
    pub(super) earned: u64,
    /// The height at which it says that the window vests.
    pub(super) target: Option<BlockHeight>,
}

packed_struct!(Member { signed, at, user, owner, subtype, gross, earned, target });

/// The members of one window, summed.
#[derive(Default)]
pub(super) struct Held {
    pub(super) count: u128,
    /// In satoshi.
    pub(super) gross: u128,
    /// The users' parts, in satoshi.
    pub(super) earned: u128,
    /// Numbers of their names.
    pub(super) users: BTreeSet<u32>,
    /// Ascending; `None` when nothing is said about them.
    pub(super) ids: Option<Vec<EnvelopeId>>,
    /// The first two of which the later one names a later boundary.
    pub(super) moved: Option<[Named; 2]>,
}

/// A height, and who says that its window vests there.
pub(super) type Named = (BlockHeight, Signed);

impl Held {
    /// Sums members that come in order of time, and of id where times are equal; with their ids when these are asked for.
    pub(super) fn of(members: impl Iterator<Item = Member>, with_ids: bool) -> Self {
        let mut held = Self { ids: with_ids.then(Vec::new), ..Self::default() };
        let mut boundary = Boundary::default();
        for member in members {
            held.count += 1;
            held.gross += u128::from(member.gross);
            held.earned += u128::from(member.earned);
            held.users.insert(member.user);
            if let Some(ids) = &mut held.ids {
                ids.push(member.signed.id);
            }
            if let Some(height) = member.target {
                boundary.note(member.at, (height, member.signed));
            }
        }
        if let Some(ids) = &mut held.ids {
            ids.sort_unstable();
        }
        held.moved = boundary.finish();
        held
    }
}

/// Heights that the members of one instant name. These have no order, so they never contradict each other.
struct Instant {
    at: UnixMicros,
    highest: Named,
    lowest: Named,
}

/// Whether later members name a later boundary: it may only move earlier.
#[derive(Default)]
struct Boundary {
    /// The lowest of the instant before the present one.
    before: Option<Named>,
    present: Option<Instant>,
    moved: Option<[Named; 2]>,
}

impl Boundary {
    fn note(&mut self, at: UnixMicros, named: Named) {
        match &mut self.present {
            Some(instant) if instant.at == at => {
                if named.0 > instant.highest.0 {
                    instant.highest = named;
                }
                if named.0 <= instant.lowest.0 {
                    instant.lowest = named;
                }
            }
            _ => {
                self.close();
                self.present = Some(Instant { at, highest: named, lowest: named });
            }
        }
    }

    fn close(&mut self) {
        let Some(Instant { highest, lowest, .. }) = self.present.take() else { return };
        if let Some(before) = self.before.replace(lowest).filter(|before| highest.0 > before.0) {
            self.moved.get_or_insert([before, highest]);
        }
    }

    fn finish(mut self) -> Option<[Named; 2]> {
        self.close();
        self.moved
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::EvidenceId;
    use crate::ledger::testkit::{evidence, id};

    /// As the rule reads: in order of time, and from the highest down in one instant, no two neighbours ascend.
    fn by_list(mut named: Vec<(UnixMicros, BlockHeight, Signed)>) -> Option<[Named; 2]> {
        named.sort_by_key(|(at, height, signed)| (*at, Reverse(*height), signed.id));
        let pair = named.windows(2).find(|pair| pair[1].1 > pair[0].1)?;
        Some([(pair[0].1, pair[0].2), (pair[1].1, pair[1].2)])
    }

    proptest! {
        #[test]
        fn a_boundary_moves_as_it_does_when_all_members_are_sorted(
            rows in prop::collection::vec((0..4_i64, prop::option::of(0..4_u32)), 0..12)
        ) {
            let carrier: EvidenceId = evidence("carrier");
            let member = |(number, (at, target)): (usize, (i64, Option<u32>))| Member {
                signed: Signed { id: id(&format!("e{number}")), carrier },
                at: UnixMicros(at),
                user: 0,
                owner: 0,
                subtype: 0,
                gross: 2,
                earned: 1,
                target: target.map(BlockHeight),
            };
            let mut members: Vec<Member> = rows.into_iter().enumerate().map(member).collect();
            members.sort_by_key(|member| (member.at, member.signed.id));
            let named = members.iter().filter_map(|member| Some((member.at, member.target?, member.signed)));
            let (expected, count) = (by_list(named.collect()), members.len());
            let held = Held::of(members.into_iter(), true);
            prop_assert_eq!(held.moved, expected);
            prop_assert_eq!((held.count, held.gross, held.earned), (count as u128, 2 * count as u128, count as u128));
            prop_assert!(held.ids.is_some_and(|ids| ids.len() == count && ids.is_sorted()));
        }
    }
}
