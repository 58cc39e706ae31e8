//! Goal: what is open is counted and summed by how old the thing is that it is about, in all and by project.
//! Method: instants at the end of each bucket and a second beyond it; the honest world has one project.

use super::joined::rebate_of;
use super::*;
use crate::reconcile::Ages;

#[test]
fn an_open_divergence_falls_into_the_first_age_that_holds_it() {
    let as_of = time("2026-06-30T00:00:00Z").0;
    let (minute, hour, day) = (60, 3_600, 86_400);
    for (age, bucket) in [
        (15 * minute, "<=15m"),
        (15 * minute + 1, "<=24h"),
        (24 * hour, "<=24h"),
        (24 * hour + 1, "<=7d"),
        (7 * day, "<=7d"),
        (7 * day + 1, "<=14d"),
        (14 * day, "<=14d"),
        (14 * day + 1, "<=93d"),
        (93 * day, "<=93d"),
        (93 * day + 1, ">93d"),
    ] {
        let mut scene = Scene::honest();
        let carrier = evidence("damaged");
        scene.world.set.events.insert(carrier, held(carrier, 1, UnixSeconds(as_of - age)));
        let finding = Finding::new(Code::EvtKindMismatch, Subject::new("event", "x")).with_evidence(carrier, "carrier");
        scene.world.set.findings.push(finding);
        assert_eq!(scene.run().ages.counts, BTreeMap::from([(bucket.to_owned(), 1)]), "{age}");
    }
}

#[test]
fn money_ages_in_the_buckets_of_the_counts() {
    let mut scene = Scene::honest();
    scene.change_settlement("payout", |x| x.event.amount = sats(38));
    scene.world.set.anchors.remove(&digest("e"));
    let run = scene.run();
    assert_eq!(one(&run, Code::OtsAbsent).at_stake, None, "a proof is about no amount");
    // One satoshi each: the distribution of 2026-05-11 and the share of 2026-05-04, fifty days and more before the as-of; and
    // the balance, which a statement without a date denies.
    let mut stakes: Vec<(Code, i128)> =
        run.divergences.iter().filter_map(|found| Some((found.code, found.at_stake?.0))).collect();
    stakes.sort();
    let expected = [(Code::SetMissing, 1_000), (Code::AmtMismatch, 1_000), (Code::BalanceMismatch, 1_000)];
    assert_eq!(stakes, expected);
    let expected = BTreeMap::from([("<=93d".to_owned(), 2), ("unknown".to_owned(), 1)]);
    assert_eq!(run.ages.sats, expected);
}

fn ages(counts: &[(&str, u64)], sats: &[(&str, i128)]) -> Ages {
    let name = |bucket: &str| bucket.to_owned();
    Ages {
        counts: counts.iter().map(|(bucket, count)| (name(bucket), *count)).collect(),
        sats: sats.iter().map(|(bucket, sats)| (name(bucket), *sats)).collect(),
    }
}

#[test]
fn what_is_about_one_project_ages_by_itself() {
    let mut scene = Scene::honest();
    assert_eq!(scene.run().by_project, BTreeMap::new());
    // An envelope of the project without a proof; a rebate of it with one satoshi too many, eight weeks old.
    scene.world.set.anchors.remove(&digest("e"));
    rebate_of(&mut scene, 10, "2026-05-05T00:00:00Z");
    // A project of its own, which never paid in: 60 satoshi, and nothing says when.
    scene.world.event("other", |event| {
        (event.gross, event.platform, event.user_earned, event.rebate) = (sats(60), sats(12), sats(39), sats(9));
        (event.project, event.user) = (Some("pk_other".into()), "bc1qother".into());
    });
    scene.world.anchor(digest("other"), 900, "2026-05-04T13:00:00Z");
    let run = scene.run();
    let of = |project: &str| run.by_project.get(&project.into()).cloned();
    assert_eq!(of("pk_test_co"), Some(ages(&[("<=93d", 2)], &[("<=93d", 1)])));
    let other = of("pk_other").unwrap();
    assert_eq!(other.sats.values().sum::<i128>(), 60);
    assert_eq!(run.by_project.len(), 2);
    // The other user's share is missing too: it is about a person, and stands in the whole alone.
    let counted: u64 = run.by_project.values().flat_map(|ages| ages.counts.values()).sum();
    assert!(run.divergences.iter().any(|one| one.code == Code::SetMissing && one.state == State::Open));
    assert!(counted < run.ages.counts.values().sum());
}
