//! How a statement lists users who have several names.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{EvidenceId, UserKey};
use crate::evidence::BalanceLine;
use crate::ledger::People;

/// A statement's lines, ascending by user and evidence.
#[derive(Debug, Default)]
pub(super) struct Lines<'a>(Vec<&'a (EvidenceId, BalanceLine)>);

impl<'a> Lines<'a> {
    pub(super) fn of(lines: &'a [(EvidenceId, BalanceLine)]) -> Self {
        let mut sorted: Vec<&(EvidenceId, BalanceLine)> = lines.iter().collect();
        // They come sorted; then this is one look at each.
        sorted.sort_by(|(id, line), (other_id, other)| line.user.cmp(&other.user).then(id.cmp(other_id)));
        Self(sorted)
    }

    /// True without any line.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All lines.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a BalanceLine> {
        self.0.iter().map(|(_, line)| line)
    }

    /// The lines of one user after those of the other.
    pub(super) fn by_user(&self) -> impl Iterator<Item = &[&'a (EvidenceId, BalanceLine)]> {
        self.0.chunk_by(|(_, line), (_, next)| line.user == next.user)
    }

    /// The users, ascending.
    pub(super) fn users(&self) -> impl Iterator<Item = &'a UserKey> {
        self.0.chunk_by(|(_, line), (_, next)| line.user == next.user).filter_map(|own| Some(&own.first()?.1.user))
    }
}

/// How a statement lists the names of one account.
#[derive(Debug)]
enum Names<'a> {
    /// Each with its own balance: a name that is not listed is missing.
    Apart,
    /// These answer for all others.
    Together(BTreeSet<&'a UserKey>),
}

/// The accounts that a statement lists, as far as somebody has several names. A name that is listed with nothing but zero
/// stands aside when another name of its account is listed with something: an account that was merged away is owed nothing
/// under its old name.
#[derive(Debug, Default)]
pub(super) struct Listed<'a>(BTreeMap<&'a UserKey, Names<'a>>);

impl<'a> Listed<'a> {
    /// `is_own` says whether a line states what is owed under its name alone.
    pub(super) fn of(people: &'a People, lines: &Lines<'a>, is_own: impl Fn(&BalanceLine) -> bool) -> Self {
        if people.joined() == 0 {
            return Self::default();
        }
        let mut accounts: BTreeMap<&UserKey, BTreeMap<&UserKey, Vec<&BalanceLine>>> = BTreeMap::new();
        for line in lines.iter() {
            let names = accounts.entry(people.account_of(&line.user)).or_default();
            names.entry(&line.user).or_default().push(line);
        }
        let reading = |names: BTreeMap<&'a UserKey, Vec<&BalanceLine>>| {
            if names.values().flatten().all(|line| is_own(line)) {
                return Names::Apart;
            }
            let holds = |lines: &[&BalanceLine]| lines.iter().any(|line| !line.is_zero());
            let any = names.values().any(|lines| holds(lines));
            Names::Together(names.into_iter().filter(|(_, lines)| !any || holds(lines)).map(|(name, _)| name).collect())
        };
        Self(accounts.into_iter().map(|(account, names)| (account, reading(names))).collect())
    }

    /// The name under which a statement answers for another: the name itself where it is listed or each stands apart, else
    /// its account, else the lowest name of the account that is listed.
    pub(super) fn answers<'n>(&self, people: &'n People, name: &'n UserKey) -> &'n UserKey
    where
        'a: 'n,
    {
        let account = people.account_of(name);
        let names = match self.0.get(account) {
            None => return account,
            Some(Names::Apart) => return name,
            Some(Names::Together(names)) => names,
        };
        let held = |name: &UserKey| names.get(name).copied();
        held(name).or_else(|| held(account)).or_else(|| names.first().copied()).unwrap_or(account)
    }
}
