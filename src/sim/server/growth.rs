//! What comes to a served world from outside: digests that its calendars take, and the blocks that commit to them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sim::anchor::block;
use crate::sim::chain::{CONFIRMATIONS, block_hash, block_hash_hex, mine_one};
use crate::sim::ots::{CALENDARS, Confirmation, Op, calendar_reply, promise, run};
use crate::sim::rng::Rng;
use crate::sim::world::{CalendarReply, World};

/// Seconds between two blocks that are found for strangers: as in the world's own chain, on average.
const SPACING: u32 = 604;

/// The world's chain goes on, one block with its confirmations for each time that somebody asks what became of a digest.
#[derive(Debug, Default)]
pub(super) struct Growth(Mutex<Grown>);

#[derive(Debug, Default)]
struct Grown {
    /// Commitments in hex.
    taken: BTreeMap<String, Taken>,
    /// Headers above the world's own.
    headers: Vec<[u8; 80]>,
}

#[derive(Debug)]
enum Taken {
    /// No block commits to it yet.
    Waiting(Vec<u8>),
    /// What the calendar answers from now on.
    Confirmed(Vec<u8>),
}

impl Growth {
    fn lock(&self) -> MutexGuard<'_, Grown> {
        // Every entry is whole after each statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A calendar takes a message: its promise, a bare timestamp from there to the commitment (OTS 2.3).
    pub(super) fn take(&self, world: &World, calendar: usize, message: &[u8]) -> Vec<u8> {
        let digits = faster_hex::hex_string(message);
        let mut rng = Rng::new(world.seed, &format!("calendar {calendar} takes {digits}"));
        let time = world.headers.last().map_or(0, time_of);
        let ops = [
            Op::Append(rng.bytes::<8>().to_vec()),
            Op::Sha256,
            Op::Prepend(time.to_be_bytes().to_vec()),
            Op::Append(rng.bytes::<8>().to_vec()),
        ];
        let commitment = run(&ops, message);
        let hex = faster_hex::hex_string(&commitment);
        self.lock().taken.entry(hex).or_insert(Taken::Waiting(commitment));
        promise(&ops, CALENDARS[calendar % CALENDARS.len()])
    }

    /// What became of a commitment; `None` for one that nobody submitted. Who asks about one that waits is told so, and by
    /// the next question a block commits to everything that waits.
    pub(super) fn ask(&self, world: &World, commitment: &str) -> Option<CalendarReply> {
        let mut grown = self.lock();
        match grown.taken.get(commitment)? {
            Taken::Confirmed(reply) => return Some(CalendarReply::Confirmed(reply.clone())),
            Taken::Waiting(_) => grown.mine(world),
        }
        Some(CalendarReply::Pending)
    }

    /// How many headers there are, with the world's own.
    pub(super) fn length(&self, world: &World) -> usize {
        world.headers.len() + self.lock().headers.len()
    }

    /// The headers at these heights, as far as they are there.
    pub(super) fn headers(&self, world: &World, from: usize, end: usize) -> Vec<[u8; 80]> {
        let grown = self.lock();
        let all = world.headers.iter().chain(&grown.headers);
        all.skip(from).take(end.saturating_sub(from)).copied().collect()
    }

    /// The height of a block above the world's own, by its hash as explorers print it.
    pub(super) fn height_of(&self, world: &World, hash: &str) -> Option<usize> {
        let place = self.lock().headers.iter().position(|header| block_hash_hex(header) == hash)?;
        Some(world.headers.len() + place)
    }
}

impl Grown {
    /// A block that commits to everything that waits, and its confirmations.
    fn mine(&mut self, world: &World) {
        let waiting: Vec<(String, Vec<u8>)> = (self.taken.iter())
            .filter_map(|(hex, taken)| match taken {
                Taken::Waiting(commitment) => Some((hex.clone(), commitment.clone())),
                Taken::Confirmed(_) => None,
            })
            .collect();
        let height = world.headers.len() + self.headers.len();
        let mut rng = Rng::new(world.seed, &format!("block {height}"));
        let commitments: Vec<&[u8]> = waiting.iter().map(|(_, commitment)| commitment.as_slice()).collect();
        let (root, ways) = block(&commitments, &mut rng);
        self.find(world, &root);
        for _ in 0..CONFIRMATIONS {
            self.find(world, &rng.bytes());
        }
        for ((hex, _), ops) in waiting.into_iter().zip(ways) {
            self.taken.insert(hex, Taken::Confirmed(calendar_reply(&Confirmation { ops, height })));
        }
    }

    fn find(&mut self, world: &World, root: &[u8; 32]) {
        let Some(last) = self.headers.last().or(world.headers.last()) else { return };
        let (header, _) = mine_one(&block_hash(last), root, time_of(last).saturating_add(SPACING));
        self.headers.push(header);
    }
}

fn time_of(header: &[u8; 80]) -> u32 {
    header[68..72].try_into().map(u32::from_le_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_waits_once_and_is_then_in_a_block_of_the_chain() {
        let world = World::generate(3, 10);
        let growth = Growth::default();
        let promised = growth.take(&world, 1, &[7; 32]);
        // Another reader: the promise is a timestamp of the message, and names the calendar.
        let file = crate::sim::ots::detached(&[7; 32], &promised);
        let text = opentimestamps::DetachedTimestampFile::from_reader(file.as_slice()).unwrap().to_string();
        assert!(text.contains(CALENDARS[1]), "{text}");
        let commitment = growth.lock().taken.keys().next().unwrap().clone();
        assert_eq!(commitment.len(), 88);
        assert_eq!(growth.ask(&world, "00"), None);
        assert_eq!(growth.ask(&world, &commitment), Some(CalendarReply::Pending));
        let own = world.headers.len();
        assert_eq!(growth.length(&world), own + CONFIRMATIONS + 1);
        let Some(CalendarReply::Confirmed(reply)) = growth.ask(&world, &commitment) else {
            panic!("a block was found")
        };
        assert_eq!(growth.length(&world), own + CONFIRMATIONS + 1, "nothing waits any more");
        let headers = growth.headers(&world, own - 1, own + 2);
        assert_eq!(headers[1][4..36], block_hash(&headers[0]));
        assert_eq!(headers[2][4..36], block_hash(&headers[1]));
        assert_eq!(growth.height_of(&world, &block_hash_hex(&headers[1])), Some(own));
        // Its operations: append 8, sha256, prepend 4, append 8. The reply goes on from there.
        let mut whole = promised[..(2 + 8) + 1 + (2 + 4) + (2 + 8)].to_vec();
        whole.extend(reply);
        let file = crate::sim::ots::detached(&[7; 32], &whole);
        let text = opentimestamps::DetachedTimestampFile::from_reader(file.as_slice()).unwrap().to_string();
        assert!(text.contains(&own.to_string()), "{text}");
    }
}
