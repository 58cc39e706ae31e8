//! What a line states beside the balance, whom a sample draws, and users who were paid too much.

use std::collections::BTreeSet;

use crate::domain::{
    Beacon, BlockHash, BlockHeight, Code, Direction, Ratio, Sampling, SettlementKind, State, UserKey, draw_money_units,
    draw_sample,
};
use crate::evidence::{BalanceLine, StatementClaim, StatementTotals};
use crate::ledger::testkit::{Case, assert_table, class_a, micros, sats, time};
use crate::reconcile::{Detection, SeedOrigin};

use super::{Scene, evidence, line, one, open, unpaid_share};

/// `bc1qowed` earned 65 in May by class C, 65 in June by class A, and 65 by class C six days and 23 hours before the as-of
/// of 1 July.
fn owed() -> Scene {
    let mut scene = Scene::honest();
    for (name, at, is_a) in [
        ("may", "2026-05-05T00:00:00Z", false),
        ("june", "2026-06-10T00:00:00Z", true),
        ("late", "2026-06-24T01:00:00Z", false),
    ] {
        scene.world.event(name, |event| {
            (event.user, event.occurred_at) = ("bc1qowed".into(), micros(at));
            if is_a {
                class_a(event);
            }
        });
    }
    scene.world.as_of.time = time("2026-07-01T00:00:00Z");
    scene
}

fn stated(scene: &mut Scene, change: impl FnOnce(&mut BalanceLine)) {
    let mut line = line("bc1qowed", 195);
    change(&mut line);
    scene.world.set.balances.push((evidence("line 2"), line));
}

const SHARES: &[Case<Scene>] = &[
    (
        Code::BalanceMismatch,
        |s| stated(s, |line| line.by_class = [Some(66), Some(0), Some(130)]),
        |s| stated(s, |line| line.by_class = [Some(65), Some(0), Some(130)]),
    ),
    (
        Code::BalanceMismatch,
        |s| stated(s, |line| line.by_class = [None, Some(1), None]),
        |s| stated(s, |line| line.by_class = [None, Some(0), None]),
    ),
    (
        // The sum is right and the classes are exchanged.
        Code::BalanceMismatch,
        |s| stated(s, |line| line.by_class = [Some(130), Some(0), Some(65)]),
        |s| stated(s, |line| line.by_class = [None, None, Some(130)]),
    ),
    (
        Code::BalanceMismatch,
        |s| stated(s, |line| line.last_7d = Some(130)),
        |s| stated(s, |line| line.last_7d = Some(65)),
    ),
    (
        // Seven days before the as-of is outside, a microsecond later inside.
        Code::BalanceMismatch,
        |s| {
            s.world.as_of.time = time("2026-07-01T01:00:00Z");
            stated(s, |line| line.last_7d = Some(65));
        },
        |s| {
            s.world.as_of.time = time("2026-07-01T00:59:59Z");
            stated(s, |line| line.last_7d = Some(65));
        },
    ),
    (
        // A line that states only a class, of somebody whom no fact knows.
        Code::BalanceExtraUser,
        |s| {
            let by_class = [Some(1), None, None];
            s.world
                .set
                .balances
                .push((evidence("x"), BalanceLine { balance_sats: None, by_class, ..line("bc1qx", 0) }));
        },
        |s| {
            let by_class = [Some(0), None, None];
            s.world
                .set
                .balances
                .push((evidence("x"), BalanceLine { balance_sats: None, by_class, ..line("bc1qx", 0) }));
        },
    ),
];

#[test]
fn every_member_of_a_line_has_a_case_and_a_near_miss() {
    assert_table(&owed(), SHARES, open);
}

#[test]
fn the_member_that_differs_is_named_with_both_numbers() {
    let mut scene = owed();
    stated(&mut scene, |line| (line.by_class, line.last_7d) = ([Some(65), Some(3), Some(130)], Some(64)));
    let result = scene.run();
    let found = one(&result, Code::BalanceMismatch);
    assert_eq!(
        (found.expected.as_str(), found.observed.as_str()),
        ("by_class.B=0, last_7d=65", "by_class.B=3, last_7d=64")
    );
}

#[test]
fn shares_of_one_account_are_stated_under_the_name_that_answers_for_it() {
    let mut scene = owed();
    let record = crate::evidence::MergeRecord { user: "did:oc:1".into(), merged_from: vec!["bc1qowed".into()] };
    scene.world.set.merges.push((evidence("merge"), record));
    let mut both = line("did:oc:1", 195);
    (both.by_class, both.last_7d) = ([Some(65), Some(0), Some(130)], Some(65));
    scene.world.set.balances.push((evidence("line 2"), both));
    assert!(!open(&scene).contains(&Code::BalanceMismatch));
    scene.world.set.balances[1].1.last_7d = Some(0);
    assert!(open(&scene).contains(&Code::BalanceMismatch));
}

/// The statement says which instant it speaks of.
fn of_instant(at: &str) -> Scene {
    let mut scene = owed();
    stated(&mut scene, |_| ());
    let totals = StatementTotals { count: None, sum_sats: Some(195), root: None, as_of: Some(time(at)) };
    scene.world.set.statements.push((evidence("whole"), StatementClaim { totals: Some(totals), sample: None }));
    scene
}

#[test]
fn a_statement_of_another_instant_is_no_comparison_and_one_of_the_same_is() {
    let owes =
        |scene: &Scene| scene.run().unverifiable.iter().any(|check| check.check == "balances.as_of" && check.declared);
    assert!(owes(&of_instant("2026-06-30T23:59:59Z")));
    assert!(!owes(&of_instant("2026-07-01T00:00:00Z")));
}

#[test]
fn users_who_were_paid_too_much_are_counted_beside_the_sum_they_lower() {
    let mut scene = owed();
    scene.world.settlement("claw", SettlementKind::Adjustment, |event| {
        (event.direction, event.amount) = (Direction::Out, sats(7));
        (event.user, event.note) = (Some("bc1quser".into()), Some("ticket 12".to_owned()));
    });
    let balances = scene.run().balances;
    assert_eq!((balances.negative_users, balances.negative_sats, balances.sum_sats), (1, -7, 188));
    let balances = owed().run().balances;
    assert_eq!((balances.negative_users, balances.negative_sats, balances.sum_sats), (0, 0, 195));
}

/// Three users are owed 195, 39 and nothing; the last is listed.
fn sampled(seed: &str, size: u32) -> Scene {
    let mut scene = owed();
    unpaid_share(&mut scene, "2026-06-11T00:00:00Z");
    stated(&mut scene, |_| ());
    scene.world.set.balances.push((evidence("line 3"), line("bc1qunpaid", 39)));
    (scene.declared.sample_seed, scene.declared.sample_size) = (Some(seed.to_owned()), Some(size));
    scene
}

const NAMES: [&str; 3] = ["bc1qowed", "bc1qunpaid", "bc1quser"];

#[test]
fn the_sample_is_the_one_that_the_specification_draws() {
    for (sampling, places) in [
        (Sampling::Users, draw_sample("a literal", 3, 2)),
        (Sampling::MoneyUnit, draw_money_units("a literal", [195, 39, 0].into_iter(), 2)),
    ] {
        let mut scene = sampled("a literal", 2);
        scene.declared.sampling = sampling;
        let result = scene.run();
        let sample = result.balances.sample.unwrap();
        let wanted: BTreeSet<&str> = places.iter().map(|at| NAMES[usize::try_from(*at).unwrap()]).collect();
        assert!(sample.users.iter().map(UserKey::as_str).eq(wanted));
        assert_eq!((sample.size, sample.population, sample.origin), (2, 3, SeedOrigin::Chosen));
        // All are compared, whatever the sample.
        assert_eq!((result.balances.compared, result.balances.equal), (3, 3));
        assert!(!result.unverifiable.iter().any(|check| check.check.starts_with("balances.")));
    }
}

#[test]
fn what_a_sample_is_worth_is_told_in_integers() {
    let told = |sampling| {
        let mut scene = sampled("s", 2);
        scene.declared.sampling = sampling;
        scene.run().balances.sample.unwrap().detection
    };
    // Of three users one percent and five are one.
    assert_eq!(told(Sampling::Users), [Detection { wrong: 1, found: Ratio { num: 2, den: 3 } }]);
    // Of 234 satoshi one, three and twelve, side by side.
    let by_money = [(1, 2), (3, 6), (12, 24)].map(|(wrong, num)| Detection { wrong, found: Ratio { num, den: 234 } });
    assert_eq!(told(Sampling::MoneyUnit), by_money);
}

#[test]
fn a_beacon_that_is_not_known_is_told_and_no_literal_stands_in_for_it() {
    for seed in ["beacon", "beacon:900144"] {
        let mut scene = sampled(seed, 2);
        let owed = |scene: &Scene| {
            scene.run().unverifiable.iter().any(|check| check.check == "balances.seed" && check.declared)
        };
        assert!(owed(&scene) && scene.run().balances.sample.is_none(), "{seed}");
        let hash = BlockHash([7; 32]);
        scene.declared.beacon = Some(Beacon { after: BlockHeight(900_144), height: BlockHeight(900_145), hash });
        assert!(!owed(&scene));
        let balances = scene.run().balances;
        assert_eq!(balances.seed, hash.to_string());
        assert!(matches!(balances.sample.unwrap().origin, SeedOrigin::Beacon(beacon) if beacon.height.0 == 900_145));
    }
    // A text that only begins like it is a literal.
    assert!(sampled("beacons", 2).run().balances.sample.is_some());
}

#[test]
fn where_a_sample_alone_was_asked_for_nobody_else_is_missing_and_the_run_is_not_complete() {
    let asked = |size: u32, keep: &[&str]| {
        let mut scene = sampled("a literal", size);
        scene.declared.balances_sampled = true;
        scene.world.set.balances.retain(|(_, line)| keep.contains(&line.user.as_str()));
        scene.run()
    };
    // Drawn from the two who are owed something: who is asked can't depend on what is answered. Whose line came is compared,
    // the other is not missed.
    let drawn = NAMES[usize::try_from(draw_sample("a literal", 2, 1)[0]).unwrap()];
    let owed_something = |result: &super::Reconciliation| {
        let found = result.divergences.iter().filter(|found| found.state == State::Open);
        let missing: Vec<String> = found
            .filter(|found| found.code == Code::BalanceMissingUser)
            .map(|found| found.subject.get("user").unwrap_or_default().to_owned())
            .collect();
        missing
    };
    let result = asked(1, &[drawn, "bc1quser"]);
    assert_eq!(owed_something(&result), [] as [&str; 0]);
    assert!(
        result.unverifiable.iter().any(|check| check.check == "balances.all" && check.declared && check.items == 1)
    );
    // Everybody was asked for: who then has no line is missing, and nothing is left out.
    let result = asked(3, &["bc1quser", "bc1qowed"]);
    assert_eq!(owed_something(&result), ["bc1qunpaid"]);
    assert!(!result.unverifiable.iter().any(|check| check.check == "balances.all"));
}

/// How many users: `RELEDGER_BALANCES_USERS`, a million by `make balances`.
#[expect(clippy::disallowed_methods, reason = "a larger count comes from the environment")]
fn many() -> usize {
    std::env::var("RELEDGER_BALANCES_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

#[test]
fn a_statement_with_one_wrong_user_among_all_has_exactly_one_mismatch() {
    let count = many();
    let mut scene = Scene::honest();
    for at in 0..count {
        let user = format!("bc1q{at:038}");
        scene.world.event(&user, |event| event.user = user.as_str().into());
        scene.world.set.balances.push((evidence(&user), line(&user, 65)));
    }
    let mismatches = |scene: &Scene| {
        let found = scene.run();
        let of = |code| found.divergences.iter().filter(|one| one.code == code).cloned().collect::<Vec<_>>();
        assert_eq!((of(Code::BalanceMissingUser).len(), of(Code::BalanceExtraUser).len()), (0, 0));
        of(Code::BalanceMismatch)
    };
    assert_eq!(mismatches(&scene), []);
    let wrong = &mut scene.world.set.balances[count / 3].1;
    wrong.balance_sats = Some(66);
    let user = wrong.user.clone();
    let found = mismatches(&scene);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].subject.get("user"), Some(user.as_str()));
}
