//! Who held custody of an address at an instant of a run, and what that rests on. Writes nothing.

mod show;
mod touch;

use std::path::Path;

pub use show::{custody_text, custody_value};

use super::as_of::{AsOfWanted, block_time};
use super::coverage::Survey;
use super::error::AppError;
use super::judged_by::JudgedBy;
use super::observer::{Cancel, Observer};
use crate::domain::{
    BlockHeight, Condition, Digest32, Divergence, EnvelopeId, Severity, UnixMicros, UnixSeconds, UserKey, inert,
};
use crate::evidence::CustodyState;
use crate::ledger::{CustodyAt, Ledgers, Standing, Transition, TrustLevel};
use crate::reconcile::reconcile;
use crate::report::Pseudonyms;
use crate::verify::{Anchor, KnownDescriptor};
use touch::{Asked, touches};

/// What is asked of a run's rebind ledger.
#[derive(Debug, Clone)]
pub enum CustodyQuestion {
    /// Who held custody at an instant.
    At(UnixMicros),
    /// Who held custody at the time of a block.
    AtBlock(BlockHeight),
    /// Every transition.
    History,
}

/// What a run knows of somebody's custody.
#[derive(Debug, Clone)]
pub struct CustodyFound {
    /// The name that was asked about, in the spelling that records use. Foreign text, like every name here.
    pub asked: UserKey,
    /// Whether the question named it so, and not by its pseudonym.
    pub is_revealed: bool,
    /// From which pseudonyms follow.
    pub evidence_root: Digest32,
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
    /// What touches any of these transitions or names the principal, in the report's order.
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
    /// True when anything held about the name counts.
    pub fn is_held(&self) -> bool {
        self.at.as_ref().map_or(!self.transitions.is_empty(), |answer| answer.state.is_some())
    }

    /// True when state and who signs are known, and rest on more than an assumption. A history only tells what is there.
    pub fn is_established(&self) -> bool {
        let Some(answer) = &self.at else { return self.is_held() };
        let signs = answer.state == Some(CustodyState::Bip322) || self.descriptor.is_some();
        answer.state.is_some() && signs && answer.trust >= TrustLevel::Signed
    }

    /// 3 when nothing is held that counts; 1 when the answer is contested, or a divergence of that severity about it is
    /// open; 3 when it is not established; else 0.
    pub fn exit_code(&self, fail_on: Severity) -> u8 {
        let is_contested = self.at.as_ref().is_some_and(|answer| answer.trust == TrustLevel::Contested);
        let condition = if !self.is_held() {
            Some(Condition::Incomplete)
        } else if is_contested || self.divergences.iter().any(|divergence| divergence.fails(fail_on)) {
            Some(Condition::Divergent)
        } else {
            (!self.is_established()).then_some(Condition::Incomplete)
        };
        condition.map_or(0, |condition| condition.exit_code().0)
    }
}

/// Asks the run in `root`.
///
/// # Errors
/// [`AppError::Unestablished`] when nothing is held about that name, when no known header stands at the height asked for,
/// or when the instant lies behind the as-of; [`AppError`] when the run can't be read.
pub fn custody_of_run(
    root: &Path,
    by: &JudgedBy,
    (who, question): (&UserKey, &CustodyQuestion),
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<CustodyFound, AppError> {
    let survey = Survey::of(root, by.wanted(), how, observer, cancel)?;
    let ledgers = &survey.ledgers;
    let as_of = survey.as_of.time;
    let (at, height) = match question {
        CustodyQuestion::At(time) => (Some(*time), None),
        CustodyQuestion::AtBlock(height) => (Some(time_of(&survey, *height)?.into()), Some(*height)),
        CustodyQuestion::History => (None, None),
    };
    if let Some(at) = at.filter(|at| *at > UnixMicros::from(as_of)) {
        return Err(AppError::Unestablished {
            what: format!("{} is later than the as-of of this run, {as_of}: nothing after it counts", show::time(at)),
            hint: "ask for an earlier instant, or name a later --as-of".to_owned(),
        });
    }
    let names = Pseudonyms::new(survey.evidence_root, false);
    let resolved = resolve(who, &names, ledgers);
    let is_revealed = resolved == *who || !who.as_str().starts_with("user-");
    let who = &resolved;
    let (answer, transitions) = match at {
        Some(at) => {
            let answer = ledgers.rebind.custody_at(&ledgers.people, who, at);
            let support = answer.support.clone();
            (Some(answer), support)
        }
        None => (None, ledgers.rebind.custody_history(&ledgers.people, who)),
    };
    let divergences = reconcile(&survey.input()).divergences;
    survey.set.check()?;
    let mut found = found(who, (as_of, height), (answer, transitions), &survey, divergences);
    found.is_revealed = is_revealed;
    if !found.is_held() && found.excluded.is_empty() && found.divergences.is_empty() {
        return Err(AppError::Unestablished {
            what: format!("nothing is held about the custody of `{}`", inert(who.as_str())),
            hint: "give the address, did:oc or user key as signed records write it, or its pseudonym in the report"
                .to_owned(),
        });
    }
    Ok(found)
}

/// The name that a question means: as records write it, by its pseudonym, or an address in capitals (BIP-0173).
fn resolve(who: &UserKey, names: &Pseudonyms, ledgers: &Ledgers) -> UserKey {
    let text = who.as_str();
    if text.starts_with("user-") {
        let known = ledgers.rebind.names();
        let all = known.iter().flat_map(|name| {
            let principal = ledgers.people.principal_of(name);
            [name, principal].into_iter().chain(ledgers.people.names_of(principal))
        });
        let mut meant = all.filter(|name| names.pseudonym(name.as_str()) == text);
        return meant.next().unwrap_or(who).clone();
    }
    let is_in_capitals = text.starts_with("BC1") && !text.bytes().any(|byte| byte.is_ascii_lowercase());
    if is_in_capitals { UserKey::from(text.to_ascii_lowercase().as_str()) } else { who.clone() }
}

fn found(
    who: &UserKey,
    (as_of, height): (UnixSeconds, Option<BlockHeight>),
    (at, transitions): (Option<CustodyAt>, Vec<Transition>),
    survey: &Survey,
    divergences: Vec<Divergence>,
) -> CustodyFound {
    let (ledgers, set) = (&survey.ledgers, &survey.set);
    let principal = ledgers.people.principal_of(who).clone();
    let mut names: Vec<UserKey> = ledgers.people.names_of(&principal).cloned().collect();
    names.retain(|name| name != who);
    let disputed: Vec<Transition> = at.as_ref().map(|at| at.disputed.clone()).unwrap_or_default();
    let excluded = ledgers.rebind.excluded_rebinds(&ledgers.people, who);
    let supporting = |one: &Transition| ledgers.rebind.entries.get(&EnvelopeId(one.id));
    let signed = transitions.iter().chain(&disputed).filter_map(supporting).chain(excluded.iter().copied());
    let asked = Asked {
        survey,
        names: names.iter().chain([who, &principal]).map(UserKey::as_str).collect(),
        kids: signed.map(|entry| entry.kid.as_str()).collect(),
        excluded: excluded.iter().map(|entry| entry.id.to_string()).collect(),
    };
    let touching: Vec<Divergence> = divergences
        .into_iter()
        .filter(|divergence| {
            transitions.iter().chain(&disputed).any(|one| touches(divergence, one, set)) || asked.concerns(divergence)
        })
        .collect();
    let look = |one: Transition| FoundTransition {
        anchor: one.dated.anchor.or_else(|| set.anchors.get(&one.id)?.best().copied()),
        divergences: (0..touching.len())
            .filter(|place| touching.get(*place).is_some_and(|divergence| touches(divergence, &one, set)))
            .collect(),
        transition: one,
    };
    let descriptor = at.as_ref().and_then(|at| at.descriptor).and_then(|id| ledgers.rebind.descriptor(&id)).cloned();
    CustodyFound {
        asked: who.clone(),
        is_revealed: true,
        evidence_root: survey.evidence_root,
        excluded: excluded.into_iter().map(|entry| (entry.id.0, entry.standing)).collect(),
        transitions: transitions.iter().cloned().map(look).collect(),
        disputed: disputed.iter().cloned().map(look).collect(),
        principal,
        names,
        as_of,
        height,
        descriptor,
        at,
        divergences: touching,
    }
}

/// The time of the block at that height: of the headers at hand, or of an anchor there.
fn time_of(survey: &Survey, height: BlockHeight) -> Result<UnixSeconds, AppError> {
    match block_time(&survey.store, &survey.policy.headers, height) {
        Ok(time) => Ok(time),
        Err(AppError::Unestablished { .. }) => {
            let mut anchors = survey.set.anchors.values().flat_map(|state| state.confirmed);
            let known = anchors.find(|anchor| anchor.height == height && anchor.is_placed());
            known.map(|anchor| anchor.time).ok_or_else(|| AppError::Unestablished {
                what: format!("the time of block {height} is not known: no trusted header stands at that height"),
                hint: "declare [headers] that reach it from the checkpoint, or give a time".to_owned(),
            })
        }
        Err(error) => Err(error),
    }
}
