//! The sample that an inquiry for single users takes, and how much it would find (TREASURY 8). All users are compared
//! wherever a whole statement is there; the sample then only says what it would have been worth.

use std::collections::BTreeSet;

use crate::domain::{Ratio, Sampling, UserKey, detection_by_money, detection_by_users, draw_money_units, draw_sample};

use super::audit::{Audit, wide};
use super::balances::balances;
use super::book::Balances;
use super::listed::Lines;
use super::reconciler::Input;
use super::result::{BalanceSample, BalanceSummary, Declared, Detection, SeedOrigin};

/// `balances.seed` of a run whose seed is the hash of a block that was not mined when the sample was agreed on; a height
/// may follow it.
const BEACON: &str = "beacon";

/// The seed that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Agreed {
    /// None.
    Nothing,
    /// A block that is not known, or not deep enough.
    UnknownBlock,
    /// This one.
    Seed { text: String, origin: SeedOrigin },
}

impl Agreed {
    pub(super) fn of(declared: &Declared) -> Self {
        let Some(seed) = &declared.sample_seed else { return Self::Nothing };
        let is_beacon = seed.strip_prefix(BEACON).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        match (is_beacon, declared.beacon) {
            (false, _) => Self::Seed { text: seed.clone(), origin: SeedOrigin::Chosen },
            (true, Some(beacon)) => Self::Seed { text: beacon.hash.to_string(), origin: SeedOrigin::Beacon(beacon) },
            (true, None) => Self::UnknownBlock,
        }
    }
}

/// Everyone who is owed something or owes it, and everyone whom the statement lists: ascending, with their balances.
pub(super) fn population<'a>(balances: &Balances<'a>, lines: &Lines<'a>) -> Vec<(&'a str, i128)> {
    let mut users = Vec::with_capacity(balances.len());
    let mut listed = lines.users().peekable();
    for (user, balance) in balances.iter() {
        while let Some(stranger) = listed.next_if(|other| *other < user) {
            users.push((stranger.as_str(), 0));
        }
        let is_listed = listed.next_if_eq(&user).is_some();
        if is_listed || balance.total() != 0 {
            users.push((user.as_str(), balance.total()));
        }
    }
    users.extend(listed.map(|user| (user.as_str(), 0)));
    users
}

/// The users whom that seed draws, ascending; of a draw by money fewer than its size when one user is drawn twice.
pub(super) fn drawn<'p>(
    seed: &str,
    sampling: Sampling,
    population: &[(&'p str, i128)],
    size: u64,
) -> Vec<(&'p str, i128)> {
    let places: BTreeSet<u64> = match sampling {
        Sampling::Users => draw_sample(seed, wide(population.len()), size).into_iter().collect(),
        Sampling::MoneyUnit => {
            draw_money_units(seed, population.iter().map(|(_, sats)| *sats), size).into_iter().collect()
        }
    };
    places.iter().filter_map(|at| population.get(usize::try_from(*at).ok()?).copied()).collect()
}

/// Draws the sample that the configuration asks for and says what it is worth. Gives back whom to ask where nobody else
/// is asked: the others' balances are then not compared, and the run is incomplete.
pub(super) fn draw(
    input: &Input<'_>,
    (balances, stated): (&Balances<'_>, &Balances<'_>),
    lines: &Lines<'_>,
    summary: &mut BalanceSummary,
    audit: &mut Audit,
) -> Option<BTreeSet<UserKey>> {
    let declared = input.declared;
    // Who is asked can't depend on what is answered.
    let population =
        if declared.balances_sampled { population(balances, &Lines::default()) } else { population(stated, lines) };
    let sample = match (declared.sample_size, Agreed::of(declared)) {
        (Some(size), Agreed::Seed { text, origin }) => {
            let size = u64::from(size).min(wide(population.len()));
            let users = names(&drawn(&text, declared.sampling, &population, size));
            summary.seed.clone_from(&text);
            let detection = detection(declared.sampling, &population, size);
            Some(BalanceSample {
                size,
                population: wide(population.len()),
                sampling: declared.sampling,
                origin,
                users,
                detection,
            })
        }
        (_, Agreed::UnknownBlock) => {
            let reason = "the block whose hash is the seed is not known, or not deep enough: fix --as-of (or the height \
                          behind `beacon:`) before the run, and judge again with headers that reach beyond it";
            audit.not_possible("balances.seed", reason, population.len(), true);
            None
        }
        _ => None,
    };
    let asked = declared.balances_sampled.then(|| {
        let users: BTreeSet<UserKey> = sample.iter().flat_map(|sample| sample.users.iter().cloned()).collect();
        let left_out = population.iter().filter(|(user, _)| !users.contains(&UserKey::from(*user))).count();
        if left_out > 0 {
            let reason = "only the users of a sample were asked for: the balances of all others are not compared";
            audit.not_possible("balances.all", reason, left_out, true);
        }
        users
    });
    summary.sample = sample;
    asked
}

/// Whom an inquiry for single users has to ask: the sample by account, nobody while its seed is not known.
pub fn users_to_ask(input: &Input<'_>) -> Vec<UserKey> {
    let (Some(size), Agreed::Seed { text, .. }) = (input.declared.sample_size, Agreed::of(input.declared)) else {
        return Vec::new();
    };
    let balances = balances(input);
    let population = population(&balances, &Lines::default());
    let size = u64::from(size).min(wide(population.len()));
    names(&drawn(&text, input.declared.sampling, &population, size))
}

fn names(users: &[(&str, i128)]) -> Vec<UserKey> {
    users.iter().map(|(user, _)| UserKey::from(*user)).collect()
}

/// How likely a sample of that size finds what is wrong: one user, and one and five users of a hundred; or satoshi that
/// are wrong side by side, one, and one and five of a hundred.
fn detection(sampling: Sampling, population: &[(&str, i128)], size: u64) -> Vec<Detection> {
    let users = wide(population.len());
    let owed = population.iter().try_fold(0_u64, |sum, (_, sats)| sum.checked_add(u64::try_from((*sats).max(0)).ok()?));
    let all = match sampling {
        Sampling::Users => users,
        Sampling::MoneyUnit => owed.unwrap_or(0),
    };
    let found = |wrong| -> Ratio {
        match sampling {
            Sampling::Users => detection_by_users(users, size, wrong),
            Sampling::MoneyUnit => detection_by_money(all, size, wrong),
        }
    };
    let mut wrong: Vec<u64> = [1, all.div_ceil(100), all.div_ceil(20)].into_iter().filter(|wrong| *wrong > 0).collect();
    wrong.dedup();
    if all == 0 {
        Vec::new()
    } else {
        wrong.into_iter().map(|wrong| Detection { wrong, found: found(wrong) }).collect()
    }
}
