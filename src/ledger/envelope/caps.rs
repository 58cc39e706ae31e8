//! Published abuse limits (FORMATS 11): breaches of a promise, not of the ledger.

mod shares;
mod walk;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::{CapWindow, Caps, Code, Finding, Subject, UnixMicros, UserKey};
use crate::ledger::people::People;

use super::accounts::{Accounts, Billing};
use super::roll::EnvelopeLedger;

/// A limit on what one user does in a day or a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cap {
    /// Class A events of a day.
    ClassADay,
    /// Class A events of a month.
    ClassAMonth,
    /// One site's share of a month's earnings.
    SiteShare,
    /// Class A earnings of a month that ask for review.
    Review,
}

impl Cap {
    /// Every limit.
    pub const ALL: [Self; 4] = [Self::ClassADay, Self::ClassAMonth, Self::SiteShare, Self::Review];

    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClassADay => "class_a_per_day",
            Self::ClassAMonth => "class_a_per_month",
            Self::SiteShare => "site_share_percent",
            Self::Review => "review_sats_per_month",
        }
    }

    /// The code of a breach.
    pub const fn code(self) -> Code {
        match self {
            Self::ClassADay => Code::CapClassADay,
            Self::ClassAMonth => Code::CapClassAMonth,
            Self::SiteShare => Code::CapSiteShare,
            Self::Review => Code::CapReview,
        }
    }
}

/// What was counted or summed, in events or satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Events, or satoshi.
    pub value: u128,
    /// Satoshi of which `value` is a share.
    pub of: Option<u128>,
    /// The event at which it was measured.
    pub until: UnixMicros,
}

impl Measured {
    /// Orders measures of one limit; shares by the millionth, which no sum of satoshi overflows.
    fn rank(&self) -> u128 {
        match self.of {
            Some(of) => (self.value * 1_000_000).checked_div(of).unwrap_or_default(),
            None => self.value,
        }
    }
}

/// One period in which a user was above a limit, at its worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapBreach {
    /// Which limit.
    pub cap: Cap,
    /// Who.
    pub user: UserKey,
    /// `YYYY-MM-DD` or `YYYY-MM`: the period, or the one in which the rolling window ends.
    pub period: String,
    /// The site with too large a share.
    pub site: Option<String>,
    /// The limit in force.
    pub limit: u64,
    /// What was found.
    pub found: Measured,
}

/// What the limits come to over one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapReading {
    /// How days and months were counted.
    pub window: CapWindow,
    /// Users with a counted event.
    pub users: u64,
    /// Pairs of a user and a UTC day with a counted event.
    pub user_days: u64,
    /// Pairs of a user and a UTC month with a counted event.
    pub user_months: u64,
    /// Windows that each limit was asked about: periods of a user, or the rolling windows that end at one of their events. Of
    /// a share only those with two sites: everyone else would breach with the first event.
    pub looked_at: BTreeMap<Cap, u64>,
    /// Those of them that are above the limit. Several, or several sites of one, can make one breach or several.
    pub above: BTreeMap<Cap, u64>,
    /// The highest measure by limit, breach or not.
    pub worst: BTreeMap<Cap, Measured>,
    /// Breaches, by limit, user, period and site.
    pub breaches: Vec<CapBreach>,
    /// Users who in so many months earned at one site only: nothing can be said of their shares.
    pub single_site: BTreeMap<UserKey, u64>,
}

impl EnvelopeLedger {
    /// Reads the counted events against these limits: all names of a person are one user. The limit in force at an event is
    /// the one that it is judged by.
    pub fn read_caps(&self, caps: &Caps, people: &People) -> CapReading {
        let mut accounts = Accounts::new(people, self.sorter());
        self.events().for_each(|counted| accounts.add(&counted.event));
        let mut reader = Reader::new(caps);
        accounts.finish().each(|user, billings| reader.read(user, billings));
        reader.finish()
    }
}

/// A reading under way.
pub(super) struct Reader<'c> {
    caps: &'c Caps,
    reading: CapReading,
    /// Whose the highest measures are.
    holders: BTreeMap<Cap, UserKey>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(caps: &'c Caps) -> Self {
        let reading = CapReading { window: caps.window, ..CapReading::default() };
        Self { caps, reading, holders: BTreeMap::new() }
    }

    /// Reads one user, whose billings come in order of time, and of id where times are equal. Users may come in any order.
    pub(super) fn read<'n>(&mut self, user: &UserKey, billings: impl Iterator<Item = Billing<'n>>) {
        self.reading.users += 1;
        for (cap, worst) in walk::user(user, billings, self.caps, &mut self.reading) {
            self.hold(cap, user, worst);
        }
    }

    /// Keeps the highest measure, of equal ones the one of the first name.
    fn hold(&mut self, cap: Cap, user: &UserKey, worst: Measured) {
        if let (Some(held), Some(holder)) = (self.reading.worst.get(&cap), self.holders.get(&cap))
            && (held.rank(), Reverse(holder)) > (worst.rank(), Reverse(user))
        {
            return;
        }
        self.reading.worst.insert(cap, worst);
        self.holders.insert(cap, user.clone());
    }

    fn finish(self) -> CapReading {
        let mut reading = self.reading;
        reading.breaches.sort_by(|a, b| order(a).cmp(&order(b)));
        reading
    }

    /// The breaches as findings.
    pub(super) fn findings(self) -> Vec<Finding> {
        let reading = self.finish();
        reading.breaches.iter().map(|breach| finding(breach, reading.window)).collect()
    }
}

fn order(breach: &CapBreach) -> (Cap, &UserKey, &str, Option<&str>) {
    (breach.cap, &breach.user, &breach.period, breach.site.as_deref())
}

/// A breach as a finding. One over a rolling window names the window beside the day or month in which it ends.
fn finding(breach: &CapBreach, window: CapWindow) -> Finding {
    let CapBreach { cap, user, period, site, limit, found } = breach;
    let (name, span) = if *cap == Cap::ClassADay { ("day", "24h") } else { ("month", "30d") };
    let subject = Subject::new("user", user).and(name, period);
    let subject = match window {
        CapWindow::Utc => subject,
        CapWindow::Rolling => subject.and("window", span),
    };
    let (over, until) = match window {
        CapWindow::Utc => (format!("one UTC {name}"), String::new()),
        CapWindow::Rolling => {
            (format!("the {span} that end at one event"), format!(" until {}", found.until.seconds()))
        }
    };
    let observed = format!("{}{until}", found.value);
    match cap {
        Cap::ClassADay | Cap::ClassAMonth => Finding::new(cap.code(), subject)
            .with_values(format!("at most {limit}"), observed)
            .with_explanation(format!("Class A events of one user in {over} are above the published limit.")),
        Cap::SiteShare => {
            let site = site.as_deref().unwrap_or_default();
            Finding::new(cap.code(), subject.and("site", site))
                .with_values(format!("at most {limit} % of {}", found.of.unwrap_or_default()), observed)
                .with_explanation(format!(
                    "One site's share of a user's earnings in {over}, in satoshi, is above the published limit."
                ))
        }
        Cap::Review => Finding::new(cap.code(), subject)
            .with_values(format!("below {limit}"), observed)
            .with_explanation(format!("Class A earnings in satoshi of {over} reach the review threshold.")),
    }
}
