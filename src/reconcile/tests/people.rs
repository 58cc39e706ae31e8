//! Names of one person: what was earned under one and paid or stated under another.

use std::collections::BTreeSet;

use super::{Code, Divergence, Scene, all, evidence, line, micros, sats, unpaid_share};
use crate::evidence::MergeRecord;

/// One person is owed 39 sats as `bc1qunpaid` and 26 as `did:oc:1`, and was paid everything as `bc1quser`.
fn two_names(lines: &[(&str, i64)]) -> Scene {
    let mut scene = Scene::honest();
    unpaid_share(&mut scene, "2026-06-25T00:00:00Z");
    scene.world.event("other name", |event| {
        (event.gross, event.platform, event.user_earned, event.rebate) = (sats(40), sats(8), sats(26), sats(6));
        (event.user, event.occurred_at) = ("did:oc:1".into(), micros("2026-06-25T00:00:00Z"));
    });
    for (at, (user, balance)) in lines.iter().enumerate() {
        scene.world.set.balances.push((evidence(&format!("line {}", at + 2)), line(user, *balance)));
    }
    scene
}

fn merge(scene: &mut Scene, user: &str, from: &str) {
    let record = MergeRecord { user: user.into(), merged_from: vec![from.into()] };
    scene.world.set.merges.push((evidence(&format!("{user} {from}")), record));
}

fn merged(lines: &[(&str, i64)]) -> Scene {
    let mut scene = two_names(lines);
    merge(&mut scene, "did:oc:1", "bc1qunpaid");
    scene
}

#[test]
fn merge_records_alone_are_a_population_of_custody_and_nothing_is_none() {
    let mut scene = two_names(&[("did:oc:1", 65)]);
    scene.declared.custody = true;
    assert!(all(&scene).contains(&Code::SrcEmpty));
    merge(&mut scene, "did:oc:1", "bc1qunpaid");
    assert!(!all(&scene).contains(&Code::SrcEmpty));
}

fn about_balances(scene: &Scene) -> Vec<Code> {
    let about = [Code::BalanceMismatch, Code::BalanceMissingUser, Code::BalanceExtraUser, Code::BalanceRoot];
    all(scene).into_iter().filter(|code| about.contains(code)).collect()
}

#[test]
fn a_statement_may_list_every_name_or_one_for_all() {
    for lines in [
        [("bc1qunpaid", 39), ("did:oc:1", 26)].as_slice(),
        &[("did:oc:1", 65)],
        &[("bc1qunpaid", 65)],
        &[("did:oc:1", 65), ("bc1qunpaid", 0)],
    ] {
        assert_eq!(about_balances(&merged(lines)), [], "{lines:?}");
    }
}

#[test]
fn a_statement_that_is_a_satoshi_off_is_so_under_any_of_the_names() {
    let mismatch = [Code::BalanceMismatch].as_slice();
    for (lines, expected) in [
        ([("bc1qunpaid", 38), ("did:oc:1", 26)].as_slice(), mismatch),
        (&[("did:oc:1", 64)], mismatch),
        (&[("did:oc:1", 26)], &[Code::BalanceMissingUser]),
        (&[("did:oc:1", 65), ("bc1qunpaid", 39)], mismatch),
        (&[("did:oc:1", 26), ("bc1qunpaid", 0)], mismatch),
        (&[], &[Code::BalanceMissingUser]),
    ] {
        assert_eq!(about_balances(&merged(lines)), expected, "{lines:?}");
    }
}

#[test]
fn names_that_nothing_joins_are_stated_each_on_its_own() {
    assert_eq!(about_balances(&two_names(&[("bc1qunpaid", 39), ("did:oc:1", 26)])), []);
    let codes = about_balances(&two_names(&[("did:oc:1", 65)]));
    assert_eq!(codes, [Code::BalanceMismatch, Code::BalanceMissingUser]);
}

#[test]
fn joining_names_makes_one_account_and_moves_no_satoshi() {
    let lines = [("bc1qunpaid", 39), ("did:oc:1", 26)];
    let (joined, apart) = (merged(&lines).run().balances, two_names(&lines).run().balances);
    assert_eq!((joined.users, apart.users), (2, 3));
    assert_eq!((joined.sum_sats, apart.sum_sats), (65, 65));
    assert_ne!(joined.root, apart.root);
}

#[test]
fn shares_of_one_person_are_overdue_together() {
    let overdue = |scene: Scene| {
        let pending = scene.run().divergences.into_iter().filter(|divergence| divergence.code == Code::SetPending);
        let row = |divergence: Divergence| (divergence.subject.get("user").map(str::to_owned), divergence.observed);
        pending.map(row).collect::<BTreeSet<_>>()
    };
    let row = |user: &str, sats: u64| (Some(user.to_owned()), format!("{sats} sats"));
    assert_eq!(overdue(merged(&[])), BTreeSet::from([row("did:oc:1", 65)]));
    assert_eq!(overdue(two_names(&[])), BTreeSet::from([row("bc1qunpaid", 39), row("did:oc:1", 26)]));
}
