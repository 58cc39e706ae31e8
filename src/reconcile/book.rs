//! Balances by name: many entries of many users summed in one pass (TREASURY 9).

use std::hash::{DefaultHasher, Hasher as _};

use crate::domain::{SumNode, UserKey, sum_root};

/// Bytes of a name that are compared without looking at the name: most of an address.
const KEY_BYTES: usize = 32;
/// Entries that are booked together.
const BATCH: usize = 128;
/// Places of the table when it is made.
const SLOTS_MIN: usize = 64;

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

/// One name with what was summed for it so far. The name's bytes stand beside it, so that one that is shared is known
/// without a look at it.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    hash: u64,
    name: &'a str,
    user: &'a UserKey,
    balance: Balance,
}

/// Gathers entries in any order. Memory is that of the users, whatever the number of entries.
///
/// Names are found by a hash, and their order comes from sorting them once: nothing that the hash says is left in what comes
/// out of it. Entries of names that were made to share a hash only take longer.
#[derive(Debug, Default)]
pub struct BalanceBook<'a> {
    /// In the order in which they came.
    rows: Vec<Row<'a>>,
    /// Places in `rows`, one more than them; zero is free. A power of two, at most half full.
    slots: Vec<u32>,
    /// Entries that are not booked yet.
    batch: Vec<Row<'a>>,
}

impl<'a> BalanceBook<'a> {
    /// An empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to a user's balance.
    pub fn add(&mut self, user: &'a UserKey, balance: Balance) {
        self.batch.push(Row { hash: 0, name: user.as_str(), user, balance });
        if self.batch.len() >= BATCH {
            self.settle();
        }
    }

    /// Books the batch. Users stand all over the memory: short walks that only look have many looks under way at once, and
    /// the walks after them find what they brought.
    fn settle(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let ends = |name: &str| name.bytes().next().zip(name.bytes().next_back()).map_or(0, |(a, b)| a ^ b);
        std::hint::black_box(batch.iter().fold(0, |seen, entry| seen ^ ends(entry.name)));
        for entry in &mut *batch {
            entry.hash = hash(entry.name);
        }
        while self.rows.len().saturating_add(batch.len()) > self.slots.len() / 2 {
            self.grow();
        }
        let mut places = [0_u32; BATCH];
        for (place, entry) in places.iter_mut().zip(&batch) {
            *place = self.slots.get(self.begin(entry.hash)).copied().unwrap_or(0);
        }
        let mut known = [false; BATCH];
        for ((known, place), entry) in known.iter_mut().zip(&places).zip(&batch) {
            let row = self.row(*place);
            *known = row.is_some_and(|row| row.hash == entry.hash && std::ptr::eq(row.name, entry.name));
        }
        for ((known, place), entry) in known.iter().zip(&places).zip(batch.drain(..)) {
            let at = place.checked_sub(1).and_then(|at| usize::try_from(at).ok()).filter(|_| *known);
            match at.and_then(|at| self.rows.get_mut(at)) {
                Some(row) => row.balance.add(&entry.balance),
                None => self.put(entry),
            }
        }
        self.batch = batch;
    }

    /// Books an entry whose row, if it has one, does not stand where it was looked for first.
    fn put(&mut self, entry: Row<'a>) {
        // Names mostly are shared, and then in one place; looking at the bytes is the slow way to see that.
        let is_it =
            |row: &Row<'a>| row.hash == entry.hash && (std::ptr::eq(row.name, entry.name) || row.name == entry.name);
        let slot = self.slot(entry.hash, is_it);
        let Some(place) = self.slots.get_mut(slot) else { return };
        if let Some(row) = place.checked_sub(1).and_then(|at| self.rows.get_mut(usize::try_from(at).ok()?)) {
            row.balance.add(&entry.balance);
            return;
        }
        self.rows.push(entry);
        // More users than 32 bits count don't fit into memory.
        *place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
    }

    /// Every user with an entry, ascending by name.
    pub fn finish(mut self) -> Balances<'a> {
        self.settle();
        let mut order: Vec<(Key, usize)> = self.rows.iter().enumerate().map(|(at, row)| (key(row.name), at)).collect();
        let name = |at: usize| self.rows.get(at).map(|row| row.name);
        order.sort_unstable_by(|(left, at), (right, other)| left.cmp(right).then_with(|| name(*at).cmp(&name(*other))));
        let rows = order.into_iter().filter_map(|(_, at)| self.rows.get(at));
        Balances(rows.map(|row| (row.user, row.balance)).collect())
    }

    /// The place in `slots` of a row, or a free one.
    fn slot(&self, hash: u64, is_it: impl Fn(&Row<'a>) -> bool) -> usize {
        let mut slot = self.begin(hash);
        while let Some(row) = self.slots.get(slot).and_then(|place| self.row(*place)) {
            if is_it(row) {
                break;
            }
            slot = (slot + 1) & self.mask();
        }
        slot
    }

    /// Where to begin to look. The low bits are as good as any.
    fn begin(&self, hash: u64) -> usize {
        usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & self.mask()
    }

    fn mask(&self) -> usize {
        self.slots.len().saturating_sub(1)
    }

    fn row(&self, place: u32) -> Option<&Row<'a>> {
        self.rows.get(usize::try_from(place.checked_sub(1)?).ok()?)
    }

    fn grow(&mut self) {
        let size = self.slots.len().saturating_mul(2).max(SLOTS_MIN);
        self.slots = vec![0; size];
        for at in 0..self.rows.len() {
            let Some(hash) = self.rows.get(at).map(|row| row.hash) else { continue };
            let slot = self.slot(hash, |_| false);
            if let Some(place) = self.slots.get_mut(slot) {
                *place = u32::try_from(at + 1).unwrap_or(u32::MAX);
            }
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The beginning of a name, zeros behind it: names in the order of their bytes have beginnings in that order.
type Key = [u128; KEY_BYTES / 16];

fn key(name: &str) -> Key {
    let mut start = [0_u8; KEY_BYTES];
    start.iter_mut().zip(name.as_bytes()).for_each(|(place, byte)| *place = *byte);
    let mut key = Key::default();
    for (word, bytes) in key.iter_mut().zip(start.chunks_exact(16)) {
        *word = bytes.iter().fold(0, |word, byte| (word << 8) | u128::from(*byte));
    }
    key
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
        // Enough of others that the table grows while names come back.
        let others: Vec<UserKey> = (0..500).map(|at| UserKey::from(format!("did:oc:{at:032x}"))).collect();
        // The same names in other memory.
        let copies: Vec<UserKey> = others.iter().map(|user| UserKey::from(user.as_str())).collect();
        let (mut book, mut expected) = (BalanceBook::new(), BTreeMap::new());
        for round in 0..7_usize {
            for at in 0..names.len() {
                let user = &names[(at * 5 + round) % names.len()];
                let sats = i128::try_from(round * 100 + at).unwrap();
                book.add(user, earned(sats));
                *expected.entry(user).or_insert(0) += sats;
            }
            let from = if round % 2 == 0 { &others } else { &copies };
            for user in from.iter().skip(round * 70).take(100) {
                book.add(user, earned(1));
                *expected.entry(user).or_insert(0) += 1;
            }
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
