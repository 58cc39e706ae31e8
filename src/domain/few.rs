//! A set that mostly has no member, or very few: what stands beside every one of millions of items and is rarely used.

use std::collections::{BTreeSet, btree_set};
use std::{slice, vec};

/// Members up to which they lie side by side. A node of a tree has room for eleven, however few are in it; but whoever sends a
/// million must not make each insertion move half of them.
const SIDE_BY_SIDE: usize = 16;

/// Distinct members, ascending. One pointer wide.
#[derive(Debug, Clone)]
pub struct Few<T>(Option<Box<Held<T>>>);

/// Never empty.
#[derive(Debug, Clone)]
enum Held<T> {
    /// At most [`SIDE_BY_SIDE`].
    Some(Vec<T>),
    /// More, once; fewer now, perhaps.
    Many(BTreeSet<T>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord> Few<T> {
    /// Adds a member that is not there yet.
    pub fn insert(&mut self, member: T) {
        let Some(held) = self.0.as_deref_mut() else {
            self.0 = Some(Box::new(Held::Some(vec![member])));
            return;
        };
        match held {
            Held::Some(list) => {
                let Err(at) = list.binary_search(&member) else { return };
                if list.len() < SIDE_BY_SIDE {
                    list.insert(at, member);
                } else {
                    *held = Held::Many(std::mem::take(list).into_iter().chain([member]).collect());
                }
            }
            Held::Many(tree) => {
                tree.insert(member);
            }
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, member: &T) {
        self.retain(|held| held != member);
    }

    /// Keeps the members that `wanted` says yes to.
    pub fn retain(&mut self, wanted: impl FnMut(&T) -> bool) {
        match self.0.as_deref_mut() {
            None => {}
            Some(Held::Some(list)) => list.retain(wanted),
            Some(Held::Many(tree)) => tree.retain(wanted),
        }
        if self.iter().next().is_none() {
            self.clear();
        }
    }

    /// Takes every member out.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// True when it is a member.
    pub fn contains(&self, member: &T) -> bool {
        match self.0.as_deref() {
            None => false,
            Some(Held::Some(list)) => list.binary_search(member).is_ok(),
            Some(Held::Many(tree)) => tree.contains(member),
        }
    }

    /// The lowest member.
    pub fn first(&self) -> Option<&T> {
        self.iter().next()
    }

    /// Members, ascending.
    pub fn iter(&self) -> Members<'_, T> {
        match self.0.as_deref() {
            None => Members::Some([].iter()),
            Some(Held::Some(list)) => Members::Some(list.iter()),
            Some(Held::Many(tree)) => Members::Many(tree.iter()),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self.0.as_deref() {
            None => 0,
            Some(Held::Some(list)) => list.len(),
            Some(Held::Many(tree)) => tree.len(),
        }
    }

    /// True when there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<T: Ord> PartialEq for Few<T> {
    /// Equal when they have the same members, however they came to have them.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl<T: Ord> Eq for Few<T> {}

impl<T: Ord> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, members: I) {
        members.into_iter().for_each(|member| self.insert(member));
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut list: Vec<T> = members.into_iter().collect();
        list.sort_unstable();
        list.dedup();
        Self(match list.len() {
            0 => None,
            1..=SIDE_BY_SIDE => {
                list.shrink_to_fit();
                Some(Box::new(Held::Some(list)))
            }
            _ => Some(Box::new(Held::Many(list.into_iter().collect()))),
        })
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Few<T> {
    fn from(members: [T; N]) -> Self {
        members.into_iter().collect()
    }
}

/// A walk over a [`Few`].
#[derive(Debug, Clone)]
pub enum Members<'a, T> {
    /// Side by side.
    Some(slice::Iter<'a, T>),
    /// In a tree.
    Many(btree_set::Iter<'a, T>),
}

impl<'a, T> Iterator for Members<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        match self {
            Self::Some(list) => list.next(),
            Self::Many(tree) => tree.next(),
        }
    }
}

impl<'a, T: Ord> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = Members<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The members of a [`Few`], taken out.
#[derive(Debug)]
pub enum IntoMembers<T> {
    /// Side by side.
    Some(vec::IntoIter<T>),
    /// In a tree.
    Many(btree_set::IntoIter<T>),
}

impl<T> Iterator for IntoMembers<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Some(list) => list.next(),
            Self::Many(tree) => tree.next(),
        }
    }
}

impl<T: Ord> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = IntoMembers<T>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0.map(|held| *held) {
            None => IntoMembers::Some(Vec::new().into_iter()),
            Some(Held::Some(list)) => IntoMembers::Some(list.into_iter()),
            Some(Held::Many(tree)) => IntoMembers::Many(tree.into_iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that can be asked, asked of both.
    fn agree(few: &Few<u32>, tree: &BTreeSet<u32>) {
        assert!(few.iter().eq(tree) && few.into_iter().eq(tree) && few.clone().into_iter().eq(tree.iter().copied()));
        assert_eq!((few.len(), few.is_empty(), few.first()), (tree.len(), tree.is_empty(), tree.first()));
        for member in 0..60 {
            assert_eq!(few.contains(&member), tree.contains(&member));
        }
    }

    #[test]
    fn it_answers_as_a_tree_does_however_many_there_are() {
        for count in [0, 1, 2, 15, 16, 17, 50] {
            let members: Vec<u32> = (0..count).map(|place| place * 37 % 59).collect();
            let (mut few, mut tree): (Few<u32>, BTreeSet<u32>) =
                (members.iter().chain(&members).copied().collect(), members.iter().copied().collect());
            agree(&few, &tree);
            for member in &members {
                few.remove(member);
                tree.remove(member);
                agree(&few, &tree);
            }
        }
    }

    #[test]
    fn a_set_that_had_many_is_as_good_as_one_that_never_had() {
        let mut few: Few<u32> = (0..50).collect();
        few.retain(|member| *member > 48);
        agree(&few, &[49].into());
        assert_eq!(few, Few::from([49]));
        few.clear();
        assert_eq!(few, Few::default());
        few.extend([3, 1, 3]);
        assert_eq!(few, Few::from([1, 3]));
    }
}
