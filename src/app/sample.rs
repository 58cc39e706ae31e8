//! Asking single users' balances: the sample is drawn from the ledgers, so it is known only when they are rebuilt.

use super::beacon::beacon;
use super::error::AppError;
use super::judge::SideTables;
use super::plan::Plan;
use super::sources::SourceKit;
use crate::domain::{AsOf, UnixSeconds, UserKey};
use crate::ledger::rebuild;
use crate::reconcile::{Declared, Input, Objectives, users_to_ask};
use crate::store::EvidenceStore;
use crate::substrate::EvidenceSource;
use crate::verify::VerifiedSet;

/// The users of the sample that the plan's `balances` draw at that instant; nobody while the seed is not known.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn users(
    plan: &Plan,
    store: &dyn EvidenceStore,
    (set, tables): (&VerifiedSet, &SideTables),
    time: UnixSeconds,
) -> Result<Vec<UserKey>, AppError> {
    let as_of = AsOf { time, tip: set.tip };
    let beacon = beacon(store, &plan.policy.headers, &plan.declared, time)?;
    let declared = Declared { beacon, ..plan.declared.clone() };
    let ledgers = rebuild(set, &plan.policy, as_of);
    Ok(users_to_ask(&Input {
        set,
        ledgers: &ledgers,
        policy: &plan.policy,
        as_of,
        receipts: &tables.receipts,
        sightings: &tables.sightings,
        declared: &declared,
        d_tags: &tables.d_tags,
        time_boxed: false,
        objectives: Objectives::default(),
    }))
}

/// The source that asks for these users' balances.
///
/// # Errors
/// [`AppError::Source`] for an address that may not be contacted.
#[cfg(feature = "net")]
pub(super) fn sources(
    plan: &Plan,
    kit: &SourceKit,
    users: Vec<UserKey>,
) -> Result<Vec<Box<dyn EvidenceSource>>, AppError> {
    use super::sources::handle;
    use crate::substrate::{BalancesPlan, BalancesSource, HttpLimits};

    let Some((handle, url)) = handle(kit).zip(plan.balance_api.clone()) else { return Ok(Vec::new()) };
    let allow_plaintext = plan.allow_plaintext;
    let balances = BalancesPlan { url, users, allow_plaintext, http: HttpLimits::default() };
    Ok(vec![Box::new(BalancesSource::new(balances, handle)?)])
}

/// Without sockets nobody can be asked; a plan that needs one is refused before.
#[cfg(not(feature = "net"))]
#[expect(clippy::unnecessary_wraps, reason = "only a build with sockets can fail here")]
pub(super) fn sources(_: &Plan, _: &SourceKit, _: Vec<UserKey>) -> Result<Vec<Box<dyn EvidenceSource>>, AppError> {
    Ok(Vec::new())
}
