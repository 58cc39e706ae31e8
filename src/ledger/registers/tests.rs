use std::collections::BTreeMap;

use super::{AttestationEntry, Level};
use crate::domain::{AttestationId, BlockHash, BlockHeight, Code, UnixSeconds};
use crate::evidence::AttestationMessage;
use crate::ledger::testkit::{World, digest, evidence};
use crate::verify::{Anchor, ClaimedAttestation, HeaderTrust, SignedAttestation, Verified};

fn message(address: &str, issued_at: &str, extensions: &[(&str, &str)]) -> AttestationMessage {
    AttestationMessage {
        address: address.to_owned(),
        identities: Vec::new(),
        nonce: "0".repeat(32),
        issued_at: issued_at.parse().unwrap(),
        extensions: extensions.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn attest(world: &mut World, name: &str, message: AttestationMessage) {
    let id = AttestationId(digest(name));
    let signed = SignedAttestation { id, message, scheme: "bip322".to_owned() };
    world.set.attestations.insert(id, Verified::assumed(signed, evidence(name)));
}

fn claim(world: &mut World, name: &str, message: Option<AttestationMessage>) {
    let (id, reasons) = (AttestationId(digest(name)), [Code::AttSig].into());
    let claimed = ClaimedAttestation { id, digest: digest(name), message, reasons };
    world.set.claimed_attestations.insert(id, Verified::assumed(claimed, evidence(name)));
}

fn entry(world: &World, name: &str) -> Option<AttestationEntry> {
    world.ledgers().attestations.entries.get(&AttestationId(digest(name))).cloned()
}

fn totals(world: &World) -> BTreeMap<String, i128> {
    world.ledgers().attestations.view().totals
}

const DAY: &str = "2026-06-01T00:00:00Z";
/// The as-of of the test world.
const AS_OF: &str = "2026-06-30T00:00:00Z";

#[test]
fn attestations_after_the_as_of_are_not_registered() {
    let mut world = World::new();
    let bond = [("bond", "10000")];
    attest(&mut world, "now", message("bc1qa", AS_OF, &bond));
    attest(&mut world, "later", message("bc1qb", "2026-06-30T00:00:01Z", &bond));
    claim(&mut world, "claimed later", Some(message("bc1qc", "2026-06-30T00:00:01Z", &bond)));
    let totals = totals(&world);
    assert_eq!((totals["well_formed"], totals["well_formed_bond_sats"]), (1, 10_000));
    assert_eq!((totals["signed_event"], entry(&world, "later")), (0, None));
}

#[test]
fn only_a_final_block_of_a_checked_chain_up_to_the_as_of_proves_one() {
    let as_of: UnixSeconds = AS_OF.parse().unwrap();
    for (trust, is_final, time, level) in [
        (HeaderTrust::Chain, true, as_of, Level::BitcoinProven),
        (HeaderTrust::PinnedEpoch, true, as_of, Level::BitcoinProven),
        (HeaderTrust::Isolated, true, as_of, Level::WellFormed),
        (HeaderTrust::Chain, false, as_of, Level::WellFormed),
        (HeaderTrust::Chain, true, as_of.plus(1), Level::WellFormed),
    ] {
        let mut world = World::new();
        attest(&mut world, "a", message("bc1qa", DAY, &[("bond", "5")]));
        let height = BlockHeight(900);
        let anchor = Anchor { height, time, hash: BlockHash::default(), trust, is_final, proof: evidence("proof") };
        world.set.anchors.or_default(digest("a")).confirmed.push(anchor);
        let found = entry(&world, "a").unwrap();
        assert_eq!((found.level, found.anchor), (level, Some(height)), "{trust:?} {is_final} {time}");
        let totals = totals(&world);
        let sums = [totals["well_formed_bond_sats"], totals["bitcoin_proven_bond_sats"]];
        assert_eq!(sums, if level == Level::BitcoinProven { [0, 5] } else { [5, 0] });
    }
}

#[test]
fn a_signed_event_keeps_its_reason_and_its_bond_is_summed_with_no_other() {
    let mut world = World::new();
    attest(&mut world, "good", message("bc1qa", DAY, &[("bond", "7")]));
    claim(&mut world, "bad", Some(message("bc1qa", AS_OF, &[("bond", "1000")])));
    claim(&mut world, "unreadable", None);
    // A bad carrier of an attestation that another carrier establishes takes nothing from it.
    claim(&mut world, "good", Some(message("bc1qa", DAY, &[("bond", "7")])));
    world.anchor(digest("bad"), 900, DAY);
    let bad = entry(&world, "bad").unwrap();
    assert_eq!((bad.level, bad.anchor, bad.current), (Level::SignedEvent, None, false));
    assert_eq!(bad.reasons, [Code::AttSig].into());
    assert_eq!(entry(&world, "unreadable").unwrap().address, None);
    let good = entry(&world, "good").unwrap();
    assert_eq!((good.level, good.current, good.reasons.len()), (Level::WellFormed, true, 0));
    let totals = totals(&world);
    assert_eq!((totals["signed_event"], totals["signed_event_bond_sats"]), (2, 1_000));
    assert_eq!((totals["well_formed"], totals["well_formed_bond_sats"], totals["bitcoin_proven_bond_sats"]), (1, 7, 0));
}

#[test]
fn of_several_of_one_address_the_newest_that_has_not_expired_stands_and_all_are_kept() {
    let mut world = World::new();
    let at = |day: u8| format!("2026-06-{day:02}T00:00:00Z");
    attest(&mut world, "oldest", message("bc1qa", &at(1), &[("bond", "1")]));
    attest(&mut world, "standing", message("bc1qa", &at(2), &[("bond", "2"), ("expires", "2026-06-30T00:00:01Z")]));
    attest(&mut world, "expired", message("bc1qa", &at(3), &[("bond", "4"), ("expires", AS_OF)]));
    attest(&mut world, "another", message("bc1qb", &at(1), &[("bond", "8"), ("network", "testnet")]));
    let current = ["oldest", "standing", "expired", "another"].map(|name| entry(&world, name).unwrap().current);
    assert_eq!(current, [false, true, false, true]);
    assert!(entry(&world, "expired").unwrap().expired && !entry(&world, "standing").unwrap().expired);
    let totals = totals(&world);
    assert_eq!((totals["well_formed"], totals["current"], totals["expired"]), (4, 2, 1));
    // Coins of a test network are no bond.
    assert_eq!((totals["well_formed_bond_sats"], totals["well_formed_current_bond_sats"]), (7, 2));
}

#[test]
fn of_two_at_one_instant_the_lower_id_stands() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        attest(&mut world, name, message("bc1qa", DAY, &[]));
    }
    let lowest = ["a", "b", "c"].into_iter().min_by_key(|name| digest(name)).unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(entry(&world, name).unwrap().current, name == lowest);
    }
}
