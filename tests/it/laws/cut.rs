//! Rebuilding everything equals rebuilding after a cut and going on from there, wherever the cut falls.

use super::cases;
use super::world::Held;
use crate::support::{Lcg, parsed};
use serde_json::Value;

/// Worlds that cuts are tried on.
const WORLDS: usize = 2;

#[test]
fn a_rebuild_over_a_cut_equals_the_rebuild_of_everything() {
    let worlds: Vec<Held> = (0..WORLDS).map(|seed| Held::of(40 + seed as u64, seed * 8)).collect();
    let whole: Vec<Vec<u8>> = worlds.iter().map(Held::report).collect();
    let mut chance = Lcg(20_261_121);
    let mut unlike = 0;
    for case in 0..cases(8) {
        let at = case % WORLDS;
        let (report, at_the_cut) = over_a_cut(&worlds[at], case % 4 < 2, &mut chance);
        let (ours, theirs) = (value(&report), value(&whole[at]));
        for name in ["/inputs/evidence_root", "/ledgers", "/state_root"] {
            assert!(theirs.pointer(name).is_some_and(|value| !value.is_null()), "{name}");
            assert_eq!(ours.pointer(name), theirs.pointer(name), "case {case}: {name}");
        }
        assert_eq!(report, whole[at], "case {case}: the same bytes");
        unlike += usize::from(at_the_cut.is_some_and(|cut| value(&cut)["state_root"] != theirs["state_root"]));
    }
    assert!(unlike > 0, "the cut was never felt");
}

fn value(report: &[u8]) -> Value {
    parsed(report)
}

/// Takes a part in, closes everything, and takes in the rest with some of the part. With `rebuild` the cut is a finished
/// run, whose report comes back beside the final one.
fn over_a_cut(held: &Held, rebuild: bool, chance: &mut Lcg) -> (Vec<u8>, Option<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut order: Vec<_> = held.evidence.iter().collect();
    chance.shuffle(&mut order);
    let cut = chance.below(order.len() + 1);
    let (before, after) = order.split_at(cut);
    held.put(&mut Held::open(&run), before, 1 + chance.below(60));
    let at_the_cut = rebuild.then(|| held.rebuilt(&run));
    let mut rest = after.to_vec();
    rest.extend(before.iter().filter(|_| chance.below(3) == 0));
    chance.shuffle(&mut rest);
    let mut store = Held::open(&run);
    held.put(&mut store, &rest, 1 + chance.below(60));
    reledger::store::EvidenceStore::put_side(&mut store, &held.ends).unwrap();
    drop(store);
    (held.rebuilt(&run), at_the_cut)
}
