//! Balances by name: many entries of many users summed in one pass (TREASURY 9).

use std::cmp::Ordering;

use crate::domain::{SumNode, UserKey, sum_root};

/// Bytes of a name that are compared without looking at the name: an address and a `did:oc:` fit.
const KEY_BYTES: usize = 48;
/// Entries that are gathered before they are sorted into the book.
const BATCH: usize = 1 << 18;

/// One user's recomputed balance in satoshi (FORMATS 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Balance {
    /// Shares of counted events.
    pub earned: i128,
    /// That part of them whose drop window has not vested.
    pub maturing: i128,
    /// Paid out.
    pub paid: i128,
    /// Corrections in, less corrections out.
    pub adjusted: i128,
}

impl Balance {
    /// Adds the parts of another.
    pub fn add(&mut self, other: &Self) {
        self.earned += other.earned;
        self.maturing += other.maturing;
        self.paid += other.paid;
        self.adjusted += other.adjusted;
    }

    /// What is owed, maturing shares included; negative for a user who was paid too much.
    pub fn total(&self) -> i128 {
        self.earned - self.paid + self.adjusted
    }

    /// What may be paid out now.
    pub fn available(&self) -> i128 {
        self.total() - self.maturing
    }
}

/// The beginning of a name, zeros behind it: names in the order of their bytes have beginnings in that order.
type Key = [u128; KEY_BYTES / 16];

/// One name with what was summed for it so far.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    key: Key,
    length: usize,
    user: &'a UserKey,
    balance: Balance,
}

impl<'a> Row<'a> {
    fn new(user: &'a UserKey, balance: Balance) -> Self {
        let bytes = user.as_str().as_bytes();
        let mut start = [0_u8; KEY_BYTES];
        start.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        let mut key = Key::default();
        for (word, bytes) in key.iter_mut().zip(start.chunks_exact(16)) {
            *word = bytes.iter().fold(0, |word, byte| (word << 8) | u128::from(*byte));
        }
        Self { key, length: bytes.len(), user, balance }
    }

    /// The order of the names' bytes.
    fn order(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then_with(|| {
            // Of two names with one beginning the shorter is the lower, unless both go on behind it.
            if self.length.min(other.length) <= KEY_BYTES {
                self.length.cmp(&other.length)
            } else {
                self.user.cmp(other.user)
            }
        })
    }
}

/// Gathers entries in any order. Memory is that of the users and one batch, whatever the number of entries.
#[derive(Debug, Default)]
pub struct BalanceBook<'a> {
    /// Ascending, one for each name.
    rows: Vec<Row<'a>>,
    batch: Vec<Row<'a>>,
}

impl<'a> BalanceBook<'a> {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to a user's balance.
    pub fn add(&mut self, user: &'a UserKey, balance: Balance) {
        self.batch.push(Row::new(user, balance));
        if self.batch.len() >= BATCH {
            self.settle();
        }
    }

    /// Every user with an entry, ascending by name.
    pub fn finish(mut self) -> Balances<'a> {
        self.settle();
        Balances(self.rows.into_iter().map(|row| (row.user, row.balance)).collect())
    }

    /// Sorts the batch and merges it with what is there. Sums are the same in any order.
    fn settle(&mut self) {
        self.batch.sort_unstable_by(Row::order);
        let old = std::mem::take(&mut self.rows);
        let mut merged: Vec<Row<'a>> = Vec::with_capacity(old.len().saturating_add(self.batch.len()));
        let mut put = |row: Row<'a>| match merged.last_mut() {
            Some(last) if last.order(&row) == Ordering::Equal => last.balance.add(&row.balance),
            _ => merged.push(row),
        };
        let (mut old, mut new) = (old.into_iter().peekable(), self.batch.drain(..).peekable());
        loop {
            let next = match (old.peek(), new.peek()) {
                (Some(left), Some(right)) if left.order(right) == Ordering::Greater => new.next(),
                (None, _) => new.next(),
                _ => old.next(),
            };
            let Some(row) = next else { break };
            put(row);
        }
        drop(new);
        self.rows = merged;
    }
}

/// Balances of distinct names, ascending by the names' bytes: the leaves of the balance tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances<'a>(Vec<(&'a UserKey, Balance)>);

impl<'a> Balances<'a> {
    /// One user's balance.
    pub fn get(&self, user: &UserKey) -> Option<&Balance> {
        let place = self.0.binary_search_by(|(other, _)| (*other).cmp(user)).ok()?;
        self.0.get(place).map(|(_, balance)| balance)
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a UserKey, &Balance)> {
        self.0.iter().map(|(user, balance)| (*user, balance))
    }

    /// How many users.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any user.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same balances under the names that answer for others.
    #[must_use]
    pub fn under(&self, answers: impl Fn(&'a UserKey) -> &'a UserKey) -> Self {
        let mut book = BalanceBook::new();
        for (user, balance) in &self.0 {
            book.add(answers(user), *balance);
        }
        book.finish()
    }

    /// The root of the balance tree; `None` when a sum overflows 128 bits.
    pub fn root(&self) -> Option<SumNode> {
        sum_root(self.0.iter().map(|(user, balance)| (user, balance.total())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn earned(sats: i128) -> Balance {
        Balance { earned: sats, ..Balance::default() }
    }

    /// Names that share long beginnings, end in zero bytes, or go on behind what is compared at once.
    fn awkward() -> Vec<UserKey> {
        let long = "x".repeat(KEY_BYTES);
        let mut names: Vec<String> =
            ["", "a", "a\0", "a\0\0", "ab", "\u{e9}", "did:oc:1", "did:oc:10"].map(str::to_owned).into();
        for tail in ["", "\0", "\0\0", "a", "b", "aa"] {
            names.push(format!("{long}{tail}"));
            names.push(format!("{}{tail}", &long[1..]));
        }
        names.into_iter().map(UserKey::from).collect()
    }

    #[test]
    fn sums_and_order_are_those_of_a_sorted_map() {
        let names = awkward();
        let (mut book, mut expected) = (BalanceBook::new(), BTreeMap::new());
        for round in 0..7_usize {
            for at in 0..names.len() {
                let user = &names[(at * 5 + round) % names.len()];
                let sats = i128::try_from(round * 100 + at).unwrap();
                book.add(user, earned(sats));
                *expected.entry(user).or_insert(0) += sats;
            }
            book.settle();
        }
        let balances = book.finish();
        let found: Vec<_> = balances.iter().map(|(user, balance)| (user, balance.earned)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        for user in &names {
            assert!(balances.get(user).is_some(), "{user:?}");
        }
        assert_eq!(balances.get(&"nobody".into()), None);
    }

    #[test]
    fn balances_of_joined_names_add_up() {
        let names = ["a", "b", "c"].map(UserKey::from);
        let mut book = BalanceBook::new();
        book.add(&names[1], Balance { earned: 9, maturing: 4, paid: 2, adjusted: -1 });
        book.add(&names[2], earned(5));
        let joined = book.finish().under(|name| if name == &names[2] { &names[0] } else { name });
        let found: Vec<_> = joined.iter().map(|(user, one)| (user.as_str(), one.total(), one.available())).collect();
        assert_eq!(found, [("a", 5, 5), ("b", 6, 2)]);
    }
}
