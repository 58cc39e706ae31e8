//! Published abuse limits (FORMATS 11): one event, one satoshi, one second on either side of each.

use super::Generator;
use super::stall::{ACCOUNT, BOND, DAY, EARLIER, Good, STAMP, Stall};
use crate::domain::{Code, Subject};
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::CapClassADay,
        name: "the-sixth-of-a-day",
        near_miss: "the fifth of a day",
        fault: the_sixth_of_a_day,
        miss: the_fifth_of_a_day,
    },
    Generator {
        code: Code::CapClassADay,
        name: "the-sixth-in-the-last-second",
        near_miss: "the sixth at midnight",
        fault: the_sixth_in_the_last_second,
        miss: the_sixth_at_midnight,
    },
    Generator {
        code: Code::CapClassADay,
        name: "six-of-class-a",
        near_miss: "five of class A and one of class B",
        fault: the_sixth_of_a_day,
        miss: five_and_one_of_another_class,
    },
    Generator {
        code: Code::CapClassAMonth,
        name: "the-thirty-first-of-a-month",
        near_miss: "the thirtieth of a month",
        fault: the_thirty_first_of_a_month,
        miss: the_thirtieth_of_a_month,
    },
    Generator {
        code: Code::CapClassAMonth,
        name: "thirty-one-in-september",
        near_miss: "the thirty-first in the last second of August",
        fault: the_thirty_first_of_a_month,
        miss: one_of_them_in_august,
    },
    Generator {
        code: Code::CapSiteShare,
        name: "a-satoshi-above-sixty-percent",
        near_miss: "sixty percent",
        fault: a_satoshi_above_sixty_percent,
        miss: sixty_percent,
    },
    Generator {
        code: Code::CapSiteShare,
        name: "most-from-one-of-two-sites",
        near_miss: "all from one site",
        fault: a_satoshi_above_sixty_percent,
        miss: all_from_one_site,
    },
    Generator {
        code: Code::CapReview,
        name: "at-the-threshold",
        near_miss: "a satoshi below the threshold",
        fault: at_the_threshold,
        miss: a_satoshi_below_the_threshold,
    },
];

/// 2026-09-01T00:00:00Z.
const SEPTEMBER: i64 = AS_OF - 30 * DAY;

/// Bills class A events at these times, of which a user earns nothing that would be due.
fn class_a(scene: &mut Scene, times: impl IntoIterator<Item = i64>) -> Result<Stall, NoRoom> {
    let stall = Stall::open(scene);
    for at in times {
        stall.bill(scene, &BOND, at)?;
    }
    Ok(stall)
}

fn on(stall: &Stall, day: &str) -> Subject {
    Subject::new("user", &stall.user).and("day", day)
}

fn in_september(stall: &Stall) -> Subject {
    Subject::new("user", &stall.user).and("month", "2026-09")
}

/// So many times in the last minutes of the last day.
fn late(count: i64) -> impl Iterator<Item = i64> {
    (1..=count).map(|number| AS_OF - 60 * number)
}

fn the_sixth_of_a_day(scene: &mut Scene) -> Planting {
    Ok(on(&class_a(scene, late(6))?, "2026-09-30"))
}

fn the_fifth_of_a_day(scene: &mut Scene) -> Planting {
    Ok(on(&class_a(scene, late(5))?, "2026-09-30"))
}

fn five_and_one_of_another_class(scene: &mut Scene) -> Planting {
    let stall = class_a(scene, late(5))?;
    stall.bill(scene, &STAMP, EARLIER)?;
    Ok(on(&stall, "2026-09-30"))
}

/// Five at noon of 2026-09-29, and one so long after its last second.
fn around_midnight(scene: &mut Scene, after: i64) -> Planting {
    let midnight = AS_OF - DAY;
    let noon = (0..5).map(|number| midnight - DAY / 2 + number);
    Ok(on(&class_a(scene, noon.chain([midnight - 1 + after]))?, "2026-09-29"))
}

fn the_sixth_in_the_last_second(scene: &mut Scene) -> Planting {
    around_midnight(scene, 0)
}

fn the_sixth_at_midnight(scene: &mut Scene) -> Planting {
    around_midnight(scene, 1)
}

/// Five a day at noon for so many days before the as-of, the last ones of a month.
fn daily(days: i64) -> impl Iterator<Item = i64> {
    (1..=days).flat_map(|day| (0..5).map(move |number| AS_OF - day * DAY + DAY / 2 + number))
}

fn the_thirty_first_of_a_month(scene: &mut Scene) -> Planting {
    Ok(in_september(&class_a(scene, daily(6).chain([SEPTEMBER]))?))
}

fn the_thirtieth_of_a_month(scene: &mut Scene) -> Planting {
    Ok(in_september(&class_a(scene, daily(6))?))
}

fn one_of_them_in_august(scene: &mut Scene) -> Planting {
    Ok(in_september(&class_a(scene, daily(6).chain([SEPTEMBER - 1]))?))
}

/// A stamp of a thousand satoshi.
fn thousand(share: &'static str, split: [u64; 4]) -> Good {
    Good { pays: r#"{"kind":"fixed_sats","sats":1000}"#, share, split, ..STAMP }
}

/// One user at two sites.
fn two_sites(scene: &mut Scene, first: &Good, second: &Good) -> Planting {
    let stall = Stall::with(scene, &[*first], AS_OF - 100 * DAY);
    let other = stall.beside(scene, &[*second]);
    stall.bill(scene, first, EARLIER)?;
    other.bill(scene, second, EARLIER + 1)?;
    Ok(in_september(&stall).and("site", &stall.domain))
}

fn a_satoshi_above_sixty_percent(scene: &mut Scene) -> Planting {
    two_sites(scene, &thousand("0.601", [1_000, 200, 601, 199]), &thousand("0.399", [1_000, 200, 399, 401]))
}

fn sixty_percent(scene: &mut Scene) -> Planting {
    two_sites(scene, &thousand("0.6", [1_000, 200, 600, 200]), &thousand("0.4", [1_000, 200, 400, 400]))
}

fn all_from_one_site(scene: &mut Scene) -> Planting {
    let stall = Stall::open(scene);
    stall.bill(scene, &STAMP, EARLIER)?;
    Ok(in_september(&stall).and("site", &stall.domain))
}

/// 50 dollars at 1,052 satoshi each are 52,600 satoshi (FORMATS 11).
fn dear(scene: &mut Scene, good: &Good) -> Planting {
    let stall = Stall::with(scene, &[*good], AS_OF - 100 * DAY);
    stall.bill(scene, good, EARLIER)?;
    Ok(in_september(&stall))
}

fn at_the_threshold(scene: &mut Scene) -> Planting {
    let pays = r#"{"kind":"fixed_sats","sats":65750}"#;
    dear(scene, &Good { pays, share: "0.8", split: [65_750, 13_150, 52_600, 0], ..ACCOUNT })
}

fn a_satoshi_below_the_threshold(scene: &mut Scene) -> Planting {
    let pays = r#"{"kind":"fixed_sats","sats":65749}"#;
    dear(scene, &Good { pays, share: "0.8", split: [65_749, 13_150, 52_599, 0], ..ACCOUNT })
}
