//! Keys that are named like ours and that the ledgers do not have.

use std::collections::BTreeSet;

use redis::Value;

use super::error::TargetError;
use super::link::Link;
use super::watch::Watch;
use crate::domain::sha256;
use crate::target::{Kind, Layout};

/// Keys that the server looks at for one answer.
const COUNT: usize = 2_000;

/// Sixteen bytes of the digest of each key that the ledgers have: nobody finds a second name with the same ones, and a million
/// names take 16 MB.
#[derive(Default)]
pub(super) struct Known(Vec<[u8; 16]>);

impl Known {
    pub(super) fn note(&mut self, key: &[u8]) {
        self.0.push(short(key));
    }

    /// Ready to be asked.
    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self
    }

    fn holds(&self, key: &[u8]) -> bool {
        self.0.binary_search(&short(key)).is_ok()
    }
}

fn short(key: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&sha256(key).0[..16]);
    short
}

/// Kinds with keys.
pub(super) type Strangers = BTreeSet<(Kind, Vec<u8>)>;

/// Looks at every key: how many are named like ours, and those of them that are not known.
///
/// # Errors
/// As [`TargetError`] says.
pub(super) fn strangers(
    link: &mut Link,
    layout: &Layout,
    known: &Known,
    watch: &Watch<'_>,
) -> Result<(u64, Strangers), TargetError> {
    (watch.stage)("look for other keys", 0);
    let (mut seen, mut found) = (0, BTreeSet::new());
    link.send(&question(layout, b"0"))?;
    loop {
        let Value::Array(answer) = link.answer()? else { return Err(link.nonsense("SCAN")) };
        let [Value::BulkString(next), Value::Array(keys)] = answer.as_slice() else {
            return Err(link.nonsense("SCAN"));
        };
        let is_last = next == b"0";
        if !is_last {
            // While these are looked at, the server looks for the next.
            link.send(&question(layout, next))?;
        }
        for key in keys {
            let Value::BulkString(key) = key else { return Err(link.nonsense("SCAN")) };
            let Some(kind) = layout.kind_of(key) else { continue };
            seen += 1;
            if !known.holds(key) {
                found.insert((kind, key.clone()));
            }
        }
        if is_last {
            return Ok((seen, found));
        }
        watch.check(seen)?;
    }
}

fn question(layout: &Layout, cursor: &[u8]) -> Vec<u8> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("COUNT").arg(COUNT);
    if !layout.prefix().is_empty() {
        scan.arg("MATCH").arg(format!("{}*", escaped(layout.prefix())));
    }
    scan.get_packed_command()
}

/// A text that a pattern of the server matches as it stands.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]^\\-".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let mut known = Known::default();
        known.note(b"b");
        known.note(b"a");
        let known = known.sorted();
        assert!(known.holds(b"a") && known.holds(b"b") && !known.holds(b"c"));
        assert_eq!(escaped("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\");
    }
}
