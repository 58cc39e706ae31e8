//! The root over the members of a drop window: which of the candidate rules gives it (FORMATS 3.7).

use std::borrow::Cow;

use crate::domain::{Digest32, EnvelopeId, merkle_root, sha256};

/// The name of the candidate rule (FORMATS 3.7) that gives the root: an order and a way with odd nodes.
pub(super) fn root_rule(expected: Digest32, listed: &[EnvelopeId], held: &[EnvelopeId]) -> Option<&'static str> {
    let mut sorted = Cow::Borrowed(if listed.is_empty() { held } else { listed });
    if !sorted.is_sorted() {
        sorted.to_mut().sort_unstable();
    }
    let names = [
        (listed, ["listed/duplicate-odd", "listed/promote-odd", "listed/rfc6962"]),
        (&sorted, ["sorted/duplicate-odd", "sorted/promote-odd", "sorted/rfc6962"]),
    ];
    names.into_iter().filter(|(ids, _)| !ids.is_empty()).find_map(|(ids, names)| {
        let roots = [
            plain_root(ids, Odd::Duplicated),
            plain_root(ids, Odd::Promoted),
            Some(merkle_root(ids.iter().map(EnvelopeId::as_bytes))),
        ];
        names.into_iter().zip(roots).find(|(_, root)| *root == Some(expected)).map(|(name, _)| name)
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Duplicated,
    Promoted,
}

/// Leaves are the raw ids, a node is the sha256 of both children. A level is never held whole: windows have millions of members.
fn plain_root(ids: &[EnvelopeId], odd: Odd) -> Option<Digest32> {
    // The node of each level that waits for its right neighbour.
    let mut waiting: Vec<Option<Digest32>> = Vec::new();
    for id in ids {
        let mut right = id.0;
        let mut level = 0;
        while let Some(left) = waiting.get_mut(level).and_then(Option::take) {
            right = node(&left, &right);
            level += 1;
        }
        match waiting.get_mut(level) {
            Some(place) => *place = Some(right),
            None => waiting.push(Some(right)),
        }
    }
    let (top, below) = waiting.split_last()?;
    let mut last = None;
    for left in below {
        last = match (left, last) {
            (Some(left), Some(right)) => Some(node(left, &right)),
            (Some(alone), None) => Some(raised(*alone, odd)),
            (None, Some(alone)) => Some(raised(alone, odd)),
            (None, None) => None,
        };
    }
    match (top, last) {
        (Some(left), Some(right)) => Some(node(left, &right)),
        (root, _) => *root,
    }
}

/// What stands a level above a node without a right neighbour.
fn raised(alone: Digest32, odd: Odd) -> Digest32 {
    if odd == Odd::Duplicated { node(&alone, &alone) } else { alone }
}

fn node(left: &Digest32, right: &Digest32) -> Digest32 {
    sha256(&[left.as_bytes().as_slice(), right.as_bytes().as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testkit::id;

    /// Level by level.
    fn by_levels(ids: &[EnvelopeId], odd: Odd) -> Option<Digest32> {
        let mut level: Vec<Digest32> = ids.iter().map(|id| id.0).collect();
        while level.len() > 1 {
            let above = |pair: &[Digest32]| match pair {
                [left, right] => node(left, right),
                [last] if odd == Odd::Duplicated => node(last, last),
                pair => pair[0],
            };
            level = level.chunks(2).map(above).collect();
        }
        level.first().copied()
    }

    #[test]
    fn a_root_is_that_of_whole_levels_whatever_the_number_of_members() {
        let ids: Vec<EnvelopeId> = (0..130).map(|number| id(&format!("e{number}"))).collect();
        for count in 0..ids.len() {
            for odd in [Odd::Duplicated, Odd::Promoted] {
                assert_eq!(plain_root(&ids[..count], odd), by_levels(&ids[..count], odd), "{count} {odd:?}");
            }
        }
    }
}
