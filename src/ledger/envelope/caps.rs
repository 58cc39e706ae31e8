//! Published abuse limits (FORMATS 11): breaches of a promise, not of the ledger.

use std::collections::BTreeMap;

use crate::domain::{Caps, Code, Finding, Subject, UnixSeconds, UserKey};
use crate::evidence::EventClass;

use crate::ledger::scope::Scope;

use super::roll::EnvelopeLedger;

#[derive(Default)]
struct Month<'a> {
    class_a: u64,
    class_a_sats: u128,
    by_site: BTreeMap<&'a str, u128>,
}

pub(super) fn check(scope: Scope<'_>, ledger: &EnvelopeLedger, findings: &mut Vec<Finding>) {
    let caps = &scope.policy.caps;
    let mut days: BTreeMap<(&UserKey, String), u64> = BTreeMap::new();
    let mut months: BTreeMap<(&UserKey, String), Month<'_>> = BTreeMap::new();
    for (_, event) in ledger.events() {
        let (day, month) = calendar(event.occurred_at.seconds());
        let user = scope.people.account_of(&event.user);
        let tally = months.entry((user, month)).or_default();
        *tally.by_site.entry(&event.site).or_default() += u128::from(event.user_earned.get());
        if event.class == EventClass::A {
            *days.entry((user, day)).or_default() += 1;
            tally.class_a += 1;
            tally.class_a_sats += u128::from(event.user_earned.get());
        }
    }
    for ((user, day), count) in days {
        if count > u64::from(caps.class_a_per_day) {
            findings.push(breach(Code::CapClassADay, user, "day", &day, caps.class_a_per_day, count));
        }
    }
    for ((user, month), tally) in months {
        if tally.class_a > u64::from(caps.class_a_per_month) {
            findings.push(breach(Code::CapClassAMonth, user, "month", &month, caps.class_a_per_month, tally.class_a));
        }
        if tally.class_a_sats >= u128::from(caps.review_sats_per_month) && tally.class_a > 0 {
            findings.push(
                Finding::new(Code::CapReview, Subject::new("user", user).and("month", &month))
                    .with_values(format!("below {}", caps.review_sats_per_month), tally.class_a_sats)
                    .with_explanation("Class A earnings in satoshi of one month reach the review threshold."),
            );
        }
        site_share(user, &month, &tally, caps, findings);
    }
}

/// Only users with at least two sites: everyone else would breach with the first event.
fn site_share(user: &UserKey, month: &str, tally: &Month<'_>, caps: &Caps, findings: &mut Vec<Finding>) {
    if tally.by_site.len() < 2 {
        return;
    }
    let total: u128 = tally.by_site.values().sum();
    for (site, sats) in &tally.by_site {
        if sats * 100 > total * u128::from(caps.site_share_percent) {
            findings.push(
                Finding::new(Code::CapSiteShare, Subject::new("user", user).and("month", month).and("site", site))
                    .with_values(format!("at most {} % of {total}", caps.site_share_percent), sats)
                    .with_explanation(
                        "One site's share of a user's monthly earnings in satoshi is above the published limit.",
                    ),
            );
        }
    }
}

fn breach(code: Code, user: &UserKey, period: &'static str, value: &str, limit: u32, count: u64) -> Finding {
    Finding::new(code, Subject::new("user", user).and(period, value))
        .with_values(format!("at most {limit}"), count)
        .with_explanation(format!("Class A events of one user in one UTC {period} are above the published limit."))
}

fn calendar(at: UnixSeconds) -> (String, String) {
    let (year, month, day) = at.civil_date();
    (format!("{year:04}-{month:02}-{day:02}"), format!("{year:04}-{month:02}"))
}
