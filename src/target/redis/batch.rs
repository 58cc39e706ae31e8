//! Units gathered for one transaction: their keys, their names in the register, and how far the load is.

use redis::Cmd;

use super::stage::Stage;
use crate::target::Unit;

/// Units of one transaction, and bytes of their values: a server is busy with it for some milliseconds, and at most two are
/// held.
const UNITS_MAX: u64 = 2_000;
const BYTES_MAX: usize = 2 << 20;

/// One transaction in the making.
#[derive(Default)]
pub(super) struct Batch {
    /// Final names, each once.
    pub(super) names: Vec<String>,
    records: Vec<(usize, Vec<u8>)>,
    /// Place among the names, and scores with members.
    members: Vec<(usize, Vec<(i64, String)>)>,
    pub(super) units: u64,
    bytes: usize,
}

/// What is sent of it.
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// Answers that come to it; the first is that of `EXISTS`, the last one the transaction's.
    pub(super) answers: usize,
    pub(super) names: Vec<String>,
    pub(super) units: u64,
}

impl Batch {
    /// The units that come next, as many as fit; nothing at their end.
    pub(super) fn fill(units: &mut impl Iterator<Item = Unit>) -> Option<Self> {
        let mut batch = Self::default();
        while batch.units < UNITS_MAX && batch.bytes < BYTES_MAX {
            let Some(unit) = units.next() else { break };
            batch.push(unit);
        }
        (batch.units > 0).then_some(batch)
    }

    fn push(&mut self, unit: Unit) {
        self.units += 1;
        match unit {
            Unit::Record(record) => {
                self.bytes += record.key.len() + record.value.len();
                self.names.push(record.key);
                self.records.push((self.names.len() - 1, record.value));
            }
            Unit::Member { key, score, member } => {
                self.bytes += member.len();
                // Members of one key follow on each other.
                if self.members.is_empty() || self.names.last() != Some(&key) {
                    self.names.push(key);
                    self.members.push((self.names.len() - 1, Vec::new()));
                }
                if let Some((_, members)) = self.members.last_mut() {
                    members.push((score, member));
                }
            }
        }
    }

    /// `EXISTS` of the final names, and then the transaction.
    pub(super) fn pack(self, stage: &Stage) -> Packed {
        let mut bytes = Vec::with_capacity(self.bytes * 2);
        let mut exists = redis::cmd("EXISTS");
        for name in &self.names {
            exists.arg(name);
        }
        exists.write_packed_command(&mut bytes);
        redis::cmd("MULTI").write_packed_command(&mut bytes);
        let mut queued = 0;
        let mut queue = |command: &Cmd, bytes: &mut Vec<u8>| {
            command.write_packed_command(bytes);
            queued += 1;
        };
        let staged = |place: usize| format!("{}{}", stage.prefix, self.names[place]);
        if !self.records.is_empty() {
            let mut set = redis::cmd("MSET");
            for (place, value) in &self.records {
                set.arg(staged(*place)).arg(value.as_slice());
            }
            queue(&set, &mut bytes);
        }
        for (place, members) in &self.members {
            let mut add = redis::cmd("ZADD");
            add.arg(staged(*place));
            for (score, member) in members {
                add.arg(*score).arg(member);
            }
            queue(&add, &mut bytes);
        }
        let mut names = redis::cmd("SADD");
        names.arg(&stage.names);
        for name in &self.names {
            names.arg(name);
        }
        queue(&names, &mut bytes);
        queue(redis::cmd("SADD").arg(&stage.stagings).arg(&stage.id), &mut bytes);
        queue(redis::cmd("HINCRBY").arg(&stage.progress).arg("done").arg(self.units), &mut bytes);
        redis::cmd("EXEC").write_packed_command(&mut bytes);
        // `EXISTS`, `MULTI` and `EXEC` besides.
        Packed { bytes, answers: queued + 3, names: self.names, units: self.units }
    }
}
