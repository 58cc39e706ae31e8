//! What users are about to do: billable events within every published limit.

use std::collections::{BTreeMap, BTreeSet};

use super::cast::{DROP_PROJECT, person};
use super::drops::Window;
use super::fees::{Split, split};
use super::history::Stage;
use super::prices::{DEMAND, DROP_PRICE, PAYMENT_PRICES, PLAIN_PRICE, Price};
use super::rng::{Rng, Zipf};
use super::time::{AS_OF, DAY, DAYS, HOUR, MINUTE, Millis, START, month_of};
use super::watch::{Pace, Watch};

/// Fewest billable events of a world.
pub const EVENTS_MIN: u32 = 10;

/// A billable event on its way to an envelope. Large worlds hold ten million of them, so its numbers are narrow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    pub(super) at: Millis,
    user: u32,
    pub(super) payment: u32,
    project: u16,
    price: u8,
    pub(super) is_agent: bool,
}

impl Planned {
    /// The index of its user.
    pub(super) fn user(&self) -> usize {
        usize::try_from(self.user).unwrap_or(usize::MAX)
    }

    /// The index of its project.
    pub(super) fn project(&self) -> usize {
        usize::from(self.project)
    }

    /// Whether it comes with a payment.
    pub(super) fn is_payment(&self) -> bool {
        PAYMENT_PRICES.contains(&usize::from(self.price))
    }

    /// Whether it may belong to a drop window.
    pub(super) fn is_droppable(&self) -> bool {
        (self.project(), usize::from(self.price)) == (DROP_PROJECT, DROP_PRICE)
    }

    /// The price in force.
    pub(super) fn price<'a>(&self, stage: &Stage<'a>) -> &'a Price {
        stage.projects[self.project()].price(usize::from(self.price), self.at)
    }

    pub(super) fn split(&self, stage: &Stage<'_>) -> Split {
        split(self.price(stage), self.is_agent, self.payment)
    }
}

/// All events of the world in order of time.
///
/// # Errors
/// When the watch says stop.
pub(super) fn plan<W: Watch>(stage: &Stage<'_>, count: u32, watch: &W) -> Result<Vec<Planned>, W::Stop> {
    let mut planned = Planner::new(stage, count.max(EVENTS_MIN)).all(watch)?;
    planned.sort_by_key(|event| event.at);
    keep_class_a_caps(&mut planned, stage);
    keep_site_shares(&mut planned, stage);
    Ok(planned)
}

struct Planner<'a> {
    stage: &'a Stage<'a>,
    rng: Rng,
    by_rank: Zipf,
    homes: Zipf,
    count: usize,
}

impl<'a> Planner<'a> {
    fn new(stage: &'a Stage<'a>, count: u32) -> Self {
        Self {
            stage,
            rng: Rng::new(stage.seed, "plan"),
            by_rank: Zipf::new(stage.users.len()),
            homes: Zipf::new(stage.projects.len()),
            count: usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    fn all<W: Watch>(mut self, watch: &W) -> Result<Vec<Planned>, W::Stop> {
        let users = self.stage.users.len();
        let late = (self.count / 10).clamp(1, 4);
        let per_window = if self.count < 40 { 1 } else { 3 };
        let mut planned: Vec<Planned> = Vec::with_capacity(self.count);
        let mut pace = Pace::new(watch, "plan", self.count);
        for index in 0..self.count {
            pace.step()?;
            // Everybody does something; then the busy do more.
            let user = if index < users { index } else { self.by_rank.draw(&mut self.rng) };
            let window = index.checked_sub(users).and_then(|rest| self.stage.windows.get(rest / per_window));
            let event = if index + late >= self.count {
                self.late(user)
            } else if let Some(window) = window {
                self.in_window(user, window)
            } else {
                match planned.last().filter(|_| index > users && self.rng.chance(12)) {
                    Some(before) => self.burst(&{ *before }),
                    None => self.anywhere(user),
                }
            };
            planned.push(event);
        }
        Ok(planned)
    }

    /// Nothing happens between 23:00 and 06:00 UTC, so no event falls on a week's or month's edge.
    fn anywhere(&mut self, user: usize) -> Planned {
        let at = START + self.rng.range(0, DAYS - 1) * DAY + self.rng.range(6 * HOUR, 23 * HOUR - 1);
        let price = *self.rng.pick_weighted(&DEMAND);
        self.event(at, user, price)
    }

    /// Too young to be anchored for good.
    fn late(&mut self, user: usize) -> Planned {
        let at = AS_OF - self.rng.range(70, 145) * MINUTE;
        let price = *self.rng.pick_weighted(&DEMAND);
        self.event(at, user, price)
    }

    fn in_window(&mut self, user: usize, window: &Window) -> Planned {
        let at = window.opens + self.rng.range(0, 8) * DAY + self.rng.range(7 * HOUR, 22 * HOUR);
        let is_agent = self.rng.chance(20);
        planned(at, (user, DROP_PROJECT, DROP_PRICE), is_agent, 0)
    }

    /// One more event of the same user at the same site in the same second.
    fn burst(&mut self, before: &Planned) -> Planned {
        let at = before.at - before.at.rem_euclid(1_000) + self.rng.range(0, 999);
        let price = *self.rng.pick_weighted(&DEMAND);
        Planned { project: before.project, ..self.event(at, before.user(), price) }.allowed(self.stage)
    }

    fn event(&mut self, at: Millis, user: usize, price: usize) -> Planned {
        let project = self.home(user, at);
        let is_agent = matches!(price, 1 | 2 | 3 | 7) && self.rng.chance(25);
        let is_payment = PAYMENT_PRICES.contains(&price);
        let payment = if is_payment { u32::try_from(self.rng.range(2_000, 400_000)).unwrap_or(0) } else { 0 };
        planned(at, (user, project, price), is_agent, payment).allowed(self.stage)
    }

    /// Most users keep to one site a month; every fourth goes wherever they like. Some sites have more visitors.
    fn home(&mut self, user: usize, at: Millis) -> usize {
        if user.is_multiple_of(4) {
            return self.homes.draw(&mut self.rng);
        }
        self.homes.draw(&mut Rng::new(self.stage.seed, &format!("home {user} {}", month_of(at))))
    }
}

/// No world has so many users, projects or prices that one of them does not fit.
fn planned(at: Millis, (user, project, price): (usize, usize, usize), is_agent: bool, payment: u32) -> Planned {
    Planned {
        at,
        user: u32::try_from(user).unwrap_or(u32::MAX),
        payment,
        project: narrow(project),
        price: u8::try_from(price).unwrap_or(u8::MAX),
        is_agent,
    }
}

fn narrow(project: usize) -> u16 {
    u16::try_from(project).unwrap_or(u16::MAX)
}

impl Planned {
    /// The event as the price in force allows it: what is switched off becomes a plain one, a refused agent a person.
    fn allowed(mut self, stage: &Stage<'_>) -> Self {
        if !self.price(stage).enabled {
            (self.price, self.payment) = (PLAIN, 0);
        }
        if self.price(stage).agent.is_some_and(|agent| agent.refuse) {
            self.is_agent = false;
        }
        self
    }
}

/// [`PLAIN_PRICE`] as events hold it.
#[expect(clippy::cast_possible_truncation, reason = "the list of prices has fourteen")]
const PLAIN: u8 = PLAIN_PRICE as u8;

/// FORMATS 11: at most five class A events a day and thirty a month for one person.
fn keep_class_a_caps(planned: &mut [Planned], stage: &Stage<'_>) {
    let mut days: BTreeMap<(u32, i64), u32> = BTreeMap::new();
    let mut months: BTreeMap<(u32, usize), u32> = BTreeMap::new();
    for event in planned {
        if event.price(stage).class != 'A' {
            continue;
        }
        let day = days.entry((person(event.user), event.at.div_euclid(DAY))).or_default();
        let month = months.entry((person(event.user), month_of(event.at))).or_default();
        if *day >= 5 || *month >= 30 {
            event.price = PLAIN;
        } else {
            *day += 1;
            *month += 1;
        }
    }
}

/// FORMATS 11: no site gives more than 60 % of a month, unless the month has only that site: of a person, and of each name.
fn keep_site_shares(planned: &mut [Planned], stage: &Stage<'_>) {
    type Sites = BTreeMap<u16, u64>;
    let mut months: BTreeMap<(u32, usize), BTreeMap<u32, Sites>> = BTreeMap::new();
    let mut droppers = BTreeSet::new();
    for event in planned.iter() {
        let month = (person(event.user), month_of(event.at));
        let sites = months.entry(month).or_default().entry(event.user).or_default();
        *sites.entry(event.project).or_default() += event.split(stage).user;
        if event.is_droppable() {
            droppers.insert(month);
        }
    }
    let is_over = |sites: &Sites| {
        let total: u64 = sites.values().sum();
        sites.len() > 1 && sites.values().any(|site| site * 100 > total * 60)
    };
    // Where a person's whole month goes, when one site gives too much of it.
    let moved = months.into_iter().filter_map(|(month, names)| {
        let mut all = Sites::new();
        for (site, sats) in names.values().flatten() {
            *all.entry(*site).or_default() += sats;
        }
        let first = all.keys().next().copied().filter(|_| is_over(&all) || names.values().any(is_over))?;
        Some((month, if droppers.contains(&month) { narrow(DROP_PROJECT) } else { first }))
    });
    let moved: BTreeMap<(u32, usize), u16> = moved.collect();
    for event in planned {
        if let Some(project) = moved.get(&(person(event.user), month_of(event.at))) {
            event.project = *project;
            *event = event.allowed(stage);
        }
    }
}
