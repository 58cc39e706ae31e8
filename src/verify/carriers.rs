//! Which pieces of evidence carry a fact.

use crate::domain::{EvidenceId, Few, packed_newtype, packed_struct};

/// One carrier or more, in ascending order. Most facts have one, which lies beside the fact: a set of one is an allocation that
/// a ledger of millions pays for whenever it asks for a representative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carriers {
    first: EvidenceId,
    /// All but the first; all greater.
    others: Few<EvidenceId>,
}

packed_struct!(Carriers { first, others });

impl From<EvidenceId> for Carriers {
    fn from(first: EvidenceId) -> Self {
        Self { first, others: Few::default() }
    }
}

impl Carriers {
    pub(crate) fn insert(&mut self, carrier: EvidenceId) {
        if carrier < self.first {
            self.others.insert(std::mem::replace(&mut self.first, carrier));
        } else if carrier > self.first {
            self.others.insert(carrier);
        }
    }

    /// The lowest.
    pub const fn first(&self) -> EvidenceId {
        self.first
    }

    /// All, ascending.
    pub fn iter(&self) -> impl Iterator<Item = EvidenceId> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// True when this is one of them.
    pub fn contains(&self, carrier: EvidenceId) -> bool {
        self.first == carrier || self.others.contains(&carrier)
    }

    /// How many; at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        1 + self.others.len()
    }
}

/// Pieces of evidence, in ascending order: mostly one, which costs no allocation, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces(Option<Carriers>);

packed_newtype!(Pieces);

impl Pieces {
    pub(crate) fn insert(&mut self, piece: EvidenceId) {
        match &mut self.0 {
            Some(held) => held.insert(piece),
            None => self.0 = Some(piece.into()),
        }
    }

    /// All, ascending.
    pub fn iter(&self) -> impl Iterator<Item = EvidenceId> {
        self.0.iter().flat_map(Carriers::iter)
    }

    /// True when this is one of them.
    pub fn contains(&self, piece: EvidenceId) -> bool {
        self.0.as_ref().is_some_and(|held| held.contains(piece))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Carriers::len)
    }

    /// True when there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_a_set_in_whatever_order_they_come() {
        let id = |n| EvidenceId::from_bytes([n; 32]);
        for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
            let mut carriers = Carriers::from(id(order[0]));
            order.iter().chain(&order).for_each(|n| carriers.insert(id(*n)));
            assert_eq!(carriers.iter().collect::<Vec<_>>(), [id(1), id(2), id(3)]);
            assert_eq!((carriers.first(), carriers.len()), (id(1), 3));
            assert!(carriers.contains(id(1)) && carriers.contains(id(3)) && !carriers.contains(id(4)));
        }
    }

    #[test]
    fn pieces_may_be_none_one_or_many() {
        let id = |n| EvidenceId::from_bytes([n; 32]);
        let mut pieces = Pieces::default();
        assert!(pieces.is_empty() && pieces.iter().count() == 0 && !pieces.contains(id(1)));
        for (at, n) in [2, 1, 2].into_iter().enumerate() {
            pieces.insert(id(n));
            assert_eq!((pieces.is_empty(), pieces.len()), (false, 1 + at.min(1)));
        }
        assert_eq!(pieces.iter().collect::<Vec<_>>(), [id(1), id(2)]);
        assert!(pieces.contains(id(1)) && !pieces.contains(id(3)));
    }
}
