//! Drop windows: user shares mature until a height or an hour, then a signed manifest closes them (FORMATS 3.7).

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::billing::{Billed, Billing};
use super::chain::BlockTimes;
use super::envelope::{Artifact, Envelope, Mint};
use super::json::{Object, texts};
use super::rng::Rng;
use super::time::{AS_OF, DAY, HOUR, MINUTE, Millis, START, WEEK, iso_millis};

/// A drop window of the one project that has a schedule.
#[derive(Debug, Clone)]
pub(super) struct Window {
    id: String,
    pub(super) opens: Millis,
    closes: Millis,
    /// The height at which it vests; `None` is by wall clock.
    target: Option<usize>,
    /// When its manifest was sealed; `None` while it is open.
    pub(super) sealed_at: Option<Millis>,
}

impl Window {
    /// The `drop` member of an event.
    pub(super) fn reference(&self) -> Object {
        let target = self.target.map_or_else(|| "null".to_owned(), |height| height.to_string());
        Object::new().text("window_id", &self.id).raw("close_height_target", target)
    }
}

/// Five windows of four weeks, each closed on a Saturday noon so that the Monday payout finds it vested. The second vests
/// by wall clock; the last is still open at the as-of.
pub(super) fn windows(seed: u64, times: &BlockTimes) -> Vec<Window> {
    let mut rng = Rng::new(seed, "windows");
    (0..5)
        .map(|index| {
            let opens = START + index * 4 * WEEK;
            let closes = opens + 26 * DAY + 12 * HOUR;
            let height = if closes < AS_OF {
                times.height_from(closes)
            } else {
                times.len() + usize::try_from((closes - AS_OF) / (10 * MINUTE)).unwrap_or(0)
            };
            let target = (index != 1).then_some(height);
            let boundary = if index == 1 { Some(closes) } else { times.at(height) };
            Window {
                id: format!("w_{}", rng.hex::<6>()),
                opens,
                closes,
                target,
                sealed_at: boundary.map(|at| at + 6 * MINUTE + 250),
            }
        })
        .collect()
}

/// The window that an event of this time belongs to.
pub(super) fn window_of(windows: &[Window], at: Millis) -> Option<usize> {
    windows.iter().position(|window| (window.opens..window.closes).contains(&at))
}

/// Most events that a manifest lists: with more its own event would be larger than an event may be.
const LISTED_MAX: usize = 1_000;

/// Manifests of the closed windows that have members.
pub(super) fn manifests(windows: &[Window], billing: &Billing, mint: &Mint, seed: u64) -> Vec<Envelope> {
    let mut rng = Rng::new(seed, "manifests");
    let mut envelopes = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        let members = || billing.billed.iter().filter(|event| event.window() == Some(index));
        let ids = billing.in_windows.get(index).map(Vec::as_slice).unwrap_or_default();
        let Some(sealed_at) = window.sealed_at.filter(|_| !ids.is_empty()) else { continue };
        let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.sort_unstable();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let recipients: BTreeSet<usize> = members().map(Billed::user).collect();
        let mut manifest = Object::new()
            .text("window_id", &window.id)
            .text("schedule_id", "sched-stamps")
            .text("label", "four weeks of stamps")
            .text("sealed_at", iso_millis(sealed_at))
            .raw("sealed_height", window.target.map_or_else(|| "null".to_owned(), |height| height.to_string()))
            .text("tip_source", "bitcoin-core")
            .plain("event_count", ids.len())
            .plain("recipient_count", recipients.len())
            .plain("gross_fee_sats", members().map(|event| event.split().gross).sum::<u64>())
            .plain("user_share_sats", members().map(|event| event.split().user).sum::<u64>())
            .text("events_root", events_root(&ids, OddRule::of_window(index)))
            // Salted leaves: the salts go to the recipients, so nobody else can reproduce this root.
            .text("recipients_root", rng.hex::<32>());
        if index % 2 == 0 && ids.len() <= LISTED_MAX {
            manifest = manifest.raw("event_ids", texts(&ids));
        }
        envelopes.push(mint.sign(Artifact::Drop, 1, sealed_at, &manifest));
    }
    envelopes
}

/// What a tree does with an odd node. The publisher's rule is not published; FORMATS 3.7 names these candidates.
#[derive(Debug, Clone, Copy)]
enum OddRule {
    Duplicated,
    Promoted,
    /// Leaf prefix 00, node prefix 01, odd node promoted (RFC 6962).
    Prefixed,
}

impl OddRule {
    fn of_window(index: usize) -> Self {
        match index % 3 {
            0 => Self::Duplicated,
            1 => Self::Promoted,
            _ => Self::Prefixed,
        }
    }
}

fn events_root(ids: &[&str], rule: OddRule) -> String {
    let (leaf_prefix, node_prefix): (&[u8], &[u8]) = match rule {
        OddRule::Duplicated | OddRule::Promoted => (&[], &[]),
        OddRule::Prefixed => (&[0], &[1]),
    };
    let mut level: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| {
            let mut bytes = vec![0; 32];
            // The ids are our own hex digests.
            let _ = faster_hex::hex_decode(id.as_bytes(), &mut bytes);
            if leaf_prefix.is_empty() { bytes } else { Sha256::digest([leaf_prefix, &bytes].concat()).to_vec() }
        })
        .collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match (pair, rule) {
                ([left, right], _) => Sha256::digest([node_prefix, left, right].concat()).to_vec(),
                ([odd], OddRule::Duplicated) => Sha256::digest([odd.as_slice(), odd].concat()).to_vec(),
                (rest, _) => rest.concat(),
            })
            .collect();
    }
    level.first().map(|root| faster_hex::hex_string(root)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_tree_rules_differ_only_where_they_should() {
        let ids: Vec<String> = (0..3_u8).map(|index| faster_hex::hex_string(&[index; 32])).collect();
        let three: Vec<&str> = ids.iter().map(String::as_str).collect();
        let two = &three[..2];
        // Bitcoin's and the promoting tree agree on powers of two.
        assert_eq!(events_root(two, OddRule::Duplicated), events_root(two, OddRule::Promoted));
        assert_ne!(events_root(&three, OddRule::Duplicated), events_root(&three, OddRule::Promoted));
        // RFC 6962 is the tree that domain has too, made there by another algorithm.
        let leaves = ids.iter().map(|id| {
            let mut bytes = [0; 32];
            faster_hex::hex_decode(id.as_bytes(), &mut bytes).unwrap();
            bytes
        });
        assert_eq!(events_root(&three, OddRule::Prefixed), crate::domain::merkle_root(leaves).to_hex());
    }
}
