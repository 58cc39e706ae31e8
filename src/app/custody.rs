//! Who held custody of an address at an instant of a run, and what that rests on. Writes nothing.

mod show;

use std::collections::BTreeSet;
use std::path::Path;

pub use show::{custody_text, custody_value};

use super::as_of::{AsOfWanted, block_time};
use super::coverage::{Survey, Wanted};
use super::error::AppError;
use super::observer::{Cancel, Observer};
use super::plan::Plan;
use crate::domain::{BlockHeight, Digest32, Divergence, EvidenceId, Severity, State, Step, UnixSeconds, UserKey};
use crate::ledger::{CustodyAt, Ledgers, Standing, Transition, TrustLevel};
use crate::reconcile::reconcile;
use crate::verify::{Anchor, HeaderTrust, KnownDescriptor, VerifiedSet};

/// What is asked of a run's rebind ledger.
#[derive(Debug, Clone)]
pub enum CustodyQuestion {
    /// Who held custody at an instant, or at a block.
    At(AsOfWanted),
    /// Every transition.
    History,
}

/// What a run knows of somebody's custody.
#[derive(Debug, Clone)]
pub struct CustodyFound {
    /// The name that was asked about. Foreign text, like every name here.
    pub asked: UserKey,
    /// The principal behind it.
    pub principal: UserKey,
    /// The principal's other names.
    pub names: Vec<UserKey>,
    /// The instant that the ledger was rebuilt for.
    pub as_of: UnixSeconds,
    /// The block that the question named.
    pub height: Option<BlockHeight>,
    /// The answer for one instant; nothing when the history was asked for.
    pub at: Option<CustodyAt>,
    /// The active descriptor of the answer, where it is held.
    pub descriptor: Option<KnownDescriptor>,
    /// Every transition in order; of an answer those it rests on.
    pub transitions: Vec<FoundTransition>,
    /// What makes an answer contested.
    pub disputed: Vec<FoundTransition>,
    /// Rebinds that do not count, with the reason.
    pub excluded: Vec<(Digest32, Standing)>,
    /// What touches any of these transitions, in the report's order.
    pub divergences: Vec<Divergence>,
}

/// A transition with its anchor and what touches it.
#[derive(Debug, Clone)]
pub struct FoundTransition {
    /// The transition.
    pub transition: Transition,
    /// Its lowest verified anchor, of an isolated header too.
    pub anchor: Option<Anchor>,
    /// Places in [`CustodyFound::divergences`].
    pub divergences: Vec<usize>,
}

impl CustodyFound {
    /// 1 when the answer is contested, or what it rests on carries an open divergence of that severity; else 0.
    pub fn exit_code(&self, fail_on: Severity) -> u8 {
        let is_contested = self.at.as_ref().is_some_and(|answer| answer.trust == TrustLevel::Contested);
        let fails = |divergence: &Divergence| divergence.state == State::Open && divergence.severity >= fail_on;
        u8::from(is_contested || self.divergences.iter().any(fails))
    }
}

/// Asks the run in `root`, judged as it recorded, or by the plan where it is not finished.
///
/// # Errors
/// [`AppError::Unestablished`] when nothing is held about that name, when no known header stands at the height asked for,
/// or when the instant lies behind the as-of; [`AppError`] when the run can't be read.
pub fn custody_of_run(
    root: &Path,
    plan: Option<&Plan>,
    (who, question): (&UserKey, &CustodyQuestion),
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<CustodyFound, AppError> {
    let survey = Survey::of(root, Wanted::Recorded(plan), how, observer, cancel)?;
    let ledgers = &survey.ledgers;
    let as_of = survey.as_of.time;
    let (at, height) = match question {
        CustodyQuestion::At(AsOfWanted::Time(time)) => (Some(*time), None),
        CustodyQuestion::At(AsOfWanted::Block(height)) => (Some(time_of(&survey, *height)?), Some(*height)),
        CustodyQuestion::History => (None, None),
    };
    if let Some(at) = at.filter(|at| *at > as_of) {
        return Err(AppError::Unestablished {
            what: format!("{at} lies behind the as-of of this run, {as_of}: nothing later counts"),
            hint: "ask for an earlier instant, or name a later --as-of".to_owned(),
        });
    }
    let (answer, transitions) = match at {
        Some(at) => {
            let answer = ledgers.rebind.custody_at(&ledgers.people, who, at.into());
            let support = answer.support.clone();
            (Some(answer), support)
        }
        None => (None, ledgers.rebind.custody_history(&ledgers.people, who)),
    };
    let is_held = answer.as_ref().map_or(!transitions.is_empty(), |answer| answer.state.is_some());
    if !is_held {
        return Err(AppError::Unestablished {
            what: format!("nothing is held about the custody of `{}`", crate::domain::inert(who.as_str())),
            hint: "give the address, did:oc or user key as signed records write it".to_owned(),
        });
    }
    let divergences = reconcile(&survey.input()).divergences;
    Ok(found(who, (as_of, height), (answer, transitions), (ledgers, &survey.set), divergences))
}

fn found(
    who: &UserKey,
    (as_of, height): (UnixSeconds, Option<BlockHeight>),
    (at, transitions): (Option<CustodyAt>, Vec<Transition>),
    (ledgers, set): (&Ledgers, &VerifiedSet),
    divergences: Vec<Divergence>,
) -> CustodyFound {
    let principal = ledgers.people.principal_of(who).clone();
    let mut names: Vec<UserKey> = ledgers.people.names_of(&principal).cloned().collect();
    names.retain(|name| name != who);
    let disputed: Vec<Transition> = at.as_ref().map(|at| at.disputed.clone()).unwrap_or_default();
    let touching: Vec<Divergence> = divergences
        .into_iter()
        .filter(|divergence| transitions.iter().chain(&disputed).any(|one| touches(divergence, one, set)))
        .collect();
    let look = |one: Transition| FoundTransition {
        anchor: one.dated.anchor.or_else(|| set.anchors.get(&one.id)?.best().copied()),
        divergences: (0..touching.len())
            .filter(|place| touching.get(*place).is_some_and(|divergence| touches(divergence, &one, set)))
            .collect(),
        transition: one,
    };
    let descriptor = at.as_ref().and_then(|at| at.descriptor).and_then(|id| ledgers.rebind.descriptor(&id)).cloned();
    let excluded = ledgers.rebind.excluded_rebinds(&ledgers.people, who);
    CustodyFound {
        asked: who.clone(),
        principal,
        names,
        as_of,
        height,
        descriptor,
        transitions: transitions.into_iter().map(look).collect(),
        disputed: disputed.into_iter().map(look).collect(),
        excluded: excluded.into_iter().map(|entry| (entry.id.0, entry.standing)).collect(),
        at,
        divergences: touching,
    }
}

/// True when a divergence is about that transition: it names it, or is a judgement of what carries it.
fn touches(divergence: &Divergence, one: &Transition, set: &VerifiedSet) -> bool {
    let id = one.id.to_hex();
    let is_named = divergence.subject.0.values().any(|value| *value == id);
    // Captures and balances rest on carriers too, and say nothing about what these say.
    let is_judgement = matches!(divergence.step, Step::Replay | Step::Anchoring);
    let carriers = || carriers(one, set);
    is_named || is_judgement && divergence.evidence.iter().any(|evidence| carriers().contains(&evidence.id))
}

fn carriers(one: &Transition, set: &VerifiedSet) -> BTreeSet<EvidenceId> {
    let id = crate::domain::EnvelopeId(one.id);
    let envelope = set.envelopes.get(&id).map(|verified| verified.carriers().clone());
    let graduation = || set.graduations.get(&one.id).map(|verified| verified.carriers().clone());
    let rotation = || set.rotations.get(&one.id).map(|verified| verified.carriers().clone());
    envelope.or_else(graduation).or_else(rotation).unwrap_or_else(|| BTreeSet::from([one.carrier]))
}

/// The time of the block at that height: of the headers at hand, or of an anchor there.
fn time_of(survey: &Survey, height: BlockHeight) -> Result<UnixSeconds, AppError> {
    match block_time(&survey.store, &survey.policy.headers, height) {
        Ok(time) => Ok(time),
        Err(AppError::Unestablished { .. }) => {
            let mut anchors = survey.set.anchors.values().flat_map(|state| &state.confirmed);
            let known = anchors.find(|anchor| anchor.height == height && anchor.trust > HeaderTrust::Isolated);
            known.map(|anchor| anchor.time).ok_or_else(|| AppError::Unestablished {
                what: format!("the time of block {height} is not known: no trusted header stands at that height"),
                hint: "declare [headers] that reach it from the checkpoint, or give a time".to_owned(),
            })
        }
        Err(error) => Err(error),
    }
}
