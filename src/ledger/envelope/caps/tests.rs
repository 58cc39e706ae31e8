//! The limits of FORMATS 11 at their edges, over calendar and rolling windows, and with dates.

use super::*;
use crate::domain::{CapLimits, DatedLimits, UnixSeconds};
use crate::evidence::{EventClass, MergeRecord};
use crate::ledger::testkit::{World, evidence, has, micros, sats, time};

const DAY: i64 = 24 * 3600;

/// Events of one user at these seconds after the instant: class, site, satoshi earned.
fn world(start: &str, events: &[(i64, EventClass, &'static str, u64)]) -> World {
    let mut world = World::new();
    world.as_of.time = time("2027-01-01T00:00:00Z");
    for (number, (after, class, site, earned)) in events.iter().copied().enumerate() {
        let at = time(start).plus(after);
        world.event(&format!("event {number}"), |event| {
            event.class = class;
            event.subtype = "custom".into();
            event.site = site.into();
            event.project = None;
            event.occurred_at = at.into();
            event.user_earned = sats(earned);
        });
    }
    world
}

fn class_a(start: &str, times: impl IntoIterator<Item = i64>) -> World {
    let events: Vec<_> = times.into_iter().map(|after| (after, EventClass::A, "a.example", 1)).collect();
    world(start, &events)
}

fn rolling(world: &World) -> CapReading {
    let caps = Caps { window: CapWindow::Rolling, ..world.policy.caps.clone() };
    let ledgers = world.ledgers();
    ledgers.envelope.read_caps(&caps, &ledgers.people)
}

fn utc(world: &World) -> CapReading {
    let ledgers = world.ledgers();
    ledgers.envelope.read_caps(&world.policy.caps, &ledgers.people)
}

/// (limit, what was found, period) of every breach of that limit.
fn of(reading: &CapReading, cap: Cap) -> Vec<(u64, u128, &str)> {
    let breaches = reading.breaches.iter().filter(|breach| breach.cap == cap);
    breaches.map(|breach| (breach.limit, breach.found.value, breach.period.as_str())).collect()
}

#[test]
fn six_within_a_day_across_midnight_breach_only_the_rolling_day() {
    let across = class_a("2026-05-04T23:00:00Z", [0, 60, 120, 3600, 3660, 3720]);
    assert_eq!(of(&utc(&across), Cap::ClassADay), []);
    assert_eq!(of(&rolling(&across), Cap::ClassADay), [(5, 6, "2026-05-05")]);
}

#[test]
fn a_rolling_day_ends_at_its_event_and_what_is_exactly_a_day_old_is_outside() {
    let start = "2026-05-04T12:00:00Z";
    let inside = class_a(start, [1, DAY - 3, DAY - 2, DAY - 1, DAY, DAY]);
    assert_eq!(of(&rolling(&inside), Cap::ClassADay), [(5, 6, "2026-05-05")]);
    let outside = class_a(start, [0, DAY - 3, DAY - 2, DAY - 1, DAY, DAY]);
    assert_eq!(of(&rolling(&outside), Cap::ClassADay), []);
    assert_eq!(rolling(&outside).worst[&Cap::ClassADay].value, 5);
}

#[test]
fn a_rolling_month_is_thirty_days_and_a_calendar_month_is_its_own() {
    // Five a day on six days, and one more: 30 days after the first it is outside.
    let thirty = (0..6).flat_map(|day| (0..5).map(move |number| day * DAY + number));
    let later = |after| class_a("2026-05-10T00:00:00Z", thirty.clone().chain([after]));
    assert_eq!(of(&rolling(&later(30 * DAY - 1)), Cap::ClassAMonth), [(30, 31, "2026-06")]);
    assert_eq!(of(&rolling(&later(30 * DAY)), Cap::ClassAMonth), []);
    assert_eq!(of(&utc(&later(30 * DAY - 1)), Cap::ClassAMonth), [], "the 31st is of June");
    assert_eq!(of(&utc(&later(22 * DAY - 1)), Cap::ClassAMonth), [(30, 31, "2026-05")], "the last second of May");
}

#[test]
fn a_share_is_judged_over_the_whole_month_and_over_every_rolling_one() {
    let (a, b) = ("a.example", "b.example");
    // 61 of 100 after the second event, 61 of 122 at the end of the month.
    let events = [(0, EventClass::C, a, 61), (DAY, EventClass::C, b, 39), (2 * DAY, EventClass::C, "c.example", 22)];
    let evened = world("2026-05-04T00:00:00Z", &events);
    assert_eq!(of(&utc(&evened), Cap::SiteShare), []);
    let reading = rolling(&evened);
    assert_eq!(of(&reading, Cap::SiteShare), [(60, 61, "2026-05")]);
    assert_eq!((reading.breaches[0].found.of, reading.breaches[0].site.as_deref()), (Some(100), Some(a)));
    // When the second site is 30 days gone, the user has one site again.
    let gone = [(0, EventClass::C, b, 60), (1, EventClass::C, a, 40), (30 * DAY, EventClass::C, a, 20)];
    assert_eq!(of(&rolling(&world("2026-05-01T12:00:00Z", &gone)), Cap::SiteShare), []);
    let held = [(0, EventClass::C, b, 60), (1, EventClass::C, a, 40), (30 * DAY - 1, EventClass::C, a, 51)];
    assert_eq!(of(&rolling(&world("2026-05-01T12:00:00Z", &held)), Cap::SiteShare), [(60, 91, "2026-05")]);
}

#[test]
fn rolling_earnings_reach_the_review_across_two_months() {
    let events = [(0, EventClass::A, "a.example", 30_000), (2 * DAY, EventClass::A, "a.example", 22_600)];
    let both = world("2026-05-31T00:00:00Z", &events);
    assert_eq!(of(&utc(&both), Cap::Review), []);
    assert_eq!(of(&rolling(&both), Cap::Review), [(52_600, 52_600, "2026-06")]);
    let mut short = events;
    short[1].3 -= 1;
    assert_eq!(of(&rolling(&world("2026-05-31T00:00:00Z", &short)), Cap::Review), []);
}

#[test]
fn an_event_is_judged_by_the_limit_in_force_at_its_second() {
    let noon = time("2026-05-04T12:00:00Z");
    let change = |from: UnixSeconds, world: &mut World| {
        let limits = CapLimits { class_a_per_day: 2, ..world.policy.caps.first };
        world.policy.caps.changes = vec![DatedLimits { from, limits }];
    };
    let mut before = class_a("2026-05-04T11:59:57Z", [0, 1, 2]);
    change(noon, &mut before);
    assert_eq!(of(&utc(&before), Cap::ClassADay), [], "the third came a second before the change");
    let mut after = class_a("2026-05-04T11:59:57Z", [0, 1, 3]);
    change(noon, &mut after);
    assert_eq!(of(&utc(&after), Cap::ClassADay), [(2, 3, "2026-05-04")]);
    // Raised at noon: the sixth of the morning stays a breach.
    let mut raised = class_a("2026-05-04T11:00:00Z", [0, 1, 2, 3, 4, 5, 3600]);
    let limits = CapLimits { class_a_per_day: 9, ..raised.policy.caps.first };
    raised.policy.caps.changes = vec![DatedLimits { from: noon, limits }];
    assert_eq!(of(&utc(&raised), Cap::ClassADay), [(5, 6, "2026-05-04")]);
}

#[test]
fn a_drop_window_has_the_length_that_was_published_when_it_began() {
    let days = |limit: u32, from: &str| {
        let mut world = world("2026-05-04T00:00:00Z", &[(0, EventClass::C, "a.example", 1)]);
        let limits = CapLimits { drop_window_days: limit, ..world.policy.caps.first };
        world.policy.caps.changes = vec![DatedLimits { from: time(from), limits }];
        let opened = time("2026-05-04T00:00:00Z");
        world.event("member", |event| {
            event.occurred_at = opened.into();
            event.drop = Some(crate::evidence::DropRef { window: "w".into(), close_height_target: None });
        });
        world.as_of.time = opened.plus(12 * DAY);
        has(&world.ledgers().findings, Code::DropWindow)
    };
    assert!(days(10, "2026-05-04T00:00:00Z"), "ten days and the valve of one are over");
    assert!(!days(10, "2026-05-04T00:00:01Z"), "the window began under the older limit");
}

#[test]
fn populations_count_users_days_months_and_those_with_one_site() {
    let mut world = class_a("2026-05-31T23:59:59Z", [0, 1, 2]);
    world.event("other site", |event| {
        event.user = "bc1qother".into();
        event.site = "b.example".into();
    });
    world.event("second site", |event| event.user = "bc1qother".into());
    let reading = utc(&world);
    assert_eq!((reading.users, reading.user_days, reading.user_months), (2, 3, 3));
    assert_eq!(reading.single_site, BTreeMap::from([("bc1quser".into(), 2)]));
    assert_eq!(reading.looked_at[&Cap::ClassADay], 2);
    assert_eq!(reading.looked_at[&Cap::SiteShare], 1);
    let worst = reading.worst[&Cap::SiteShare];
    assert_eq!((worst.value, worst.of), (65, Some(130)), "half is the worst, and no breach");
    assert_eq!(reading.breaches, []);
}

#[test]
fn every_window_that_was_judged_is_counted_and_never_fewer_than_are_above() {
    // Ten within a day: the sixth to the tenth each end a window with too many, all on one day.
    let ten = class_a("2026-05-04T12:00:00Z", 0..10);
    let reading = rolling(&ten);
    assert_eq!((reading.looked_at[&Cap::ClassADay], reading.above[&Cap::ClassADay]), (10, 5));
    assert_eq!(of(&reading, Cap::ClassADay), [(5, 10, "2026-05-04")], "one breach, at its worst");
    let reading = utc(&ten);
    assert_eq!((reading.looked_at[&Cap::ClassADay], reading.above[&Cap::ClassADay]), (1, 1), "one calendar day");
    // First one site has too large a share of a rolling month, later another.
    let (a, b) = ("a.example", "b.example");
    let events = [(0, EventClass::C, a, 90), (1, EventClass::C, b, 10), (2, EventClass::C, b, 500)];
    let world = world("2026-05-04T12:00:00Z", &events);
    let reading = rolling(&world);
    assert_eq!(of(&reading, Cap::SiteShare), [(60, 90, "2026-05"), (60, 510, "2026-05")]);
    assert_eq!((reading.looked_at[&Cap::SiteShare], reading.above[&Cap::SiteShare]), (2, 2));
    assert_eq!((utc(&world).looked_at[&Cap::SiteShare], utc(&world).above[&Cap::SiteShare]), (1, 1));
}

#[test]
fn a_finding_over_a_rolling_window_says_so() {
    let mut world = class_a("2026-05-04T23:00:00Z", [0, 60, 120, 3600, 3660, 3720]);
    assert!(!has(&world.ledgers().findings, Code::CapClassADay));
    world.policy.caps.window = CapWindow::Rolling;
    let findings = world.ledgers().findings;
    let found = findings.iter().find(|finding| finding.code == Code::CapClassADay).unwrap();
    let member = |name: &str| found.subject.get(name).map(str::to_owned);
    assert_eq!(member("day").as_deref(), Some("2026-05-05"));
    assert_eq!(member("window").as_deref(), Some("24h"));
    assert_eq!((found.expected.as_str(), found.observed.as_str()), ("at most 5", "6 until 2026-05-05T00:02:00Z"));
}

#[test]
fn two_names_of_one_account_share_its_limits() {
    let mut world = class_a("2026-05-04T12:00:00Z", 0..3);
    for number in 0..3 {
        world.event(&format!("other {number}"), |event| {
            event.class = EventClass::A;
            event.user = "bc1qother".into();
        });
    }
    assert_eq!(of(&utc(&world), Cap::ClassADay), []);
    let merged_from = vec!["bc1qother".into()];
    world.set.merges.push((evidence("merge"), MergeRecord { user: "bc1quser".into(), merged_from }));
    let reading = utc(&world);
    assert_eq!(of(&reading, Cap::ClassADay), [(5, 6, "2026-05-04")]);
    assert_eq!((reading.users, reading.breaches[0].user.as_str()), (1, "bc1quser"));
}

#[test]
fn of_equal_measures_the_first_names_stands_whoever_is_read_first() {
    let mut world = World::new();
    let users = ["bc1qc", "bc1qa", "bc1qd", "bc1qb"];
    for (number, user) in (0_i64..).zip(users.into_iter().cycle().take(40)) {
        world.event(&format!("event {number}"), |event| {
            event.class = EventClass::A;
            event.user = user.into();
            event.occurred_at = time("2026-05-04T12:00:00Z").plus(number).into();
        });
    }
    // Ten each; the second of these users in order of name is read at any place, and has one more.
    world.event("one more", |event| {
        event.class = EventClass::A;
        event.user = "bc1qb".into();
        event.occurred_at = micros("2026-05-04T13:00:00Z");
    });
    let until = |reading: &CapReading, cap: Cap| reading.worst[&cap].until;
    let reading = utc(&world);
    assert_eq!(until(&reading, Cap::ClassADay), micros("2026-05-04T13:00:00Z"));
    world.event("as many", |event| {
        event.class = EventClass::A;
        event.user = "bc1qa".into();
        event.occurred_at = micros("2026-05-04T14:00:00Z");
    });
    let reading = utc(&world);
    assert_eq!(until(&reading, Cap::ClassADay), micros("2026-05-04T14:00:00Z"));
    assert_eq!(until(&reading, Cap::Review), micros("2026-05-04T14:00:00Z"));
    let users: Vec<&str> = reading.breaches.iter().map(|breach| breach.user.as_str()).collect();
    assert_eq!(users, ["bc1qa", "bc1qb", "bc1qc", "bc1qd"]);
}
