//! Signed acknowledgements against the divergences of a run (docs/acknowledgements.md, section 4). One that counts makes an
//! open divergence acknowledged; one that does not is listed with the reason and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    ACKNOWLEDGEMENT_SECONDS_MAX, Acknowledgement, Digest32, Divergence, Severity, SignedStatement, State, Statement,
};
use crate::verify::acknowledgement::{Distrust, vouched};

use super::reconciler::Input;

/// Where a signed statement stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatementState {
    /// It counts.
    Holds,
    /// Its key is not pinned for its date.
    UnknownKey,
    /// Its signature fails.
    BadSignature,
    /// A withdrawal that counts names it.
    Withdrawn,
    /// It expires later than any may.
    TooLong,
    /// It had expired at the as-of.
    Expired,
    /// It is about something that this run does not have: a divergence, or of a withdrawal an acknowledgement.
    Unmatched,
    /// The divergence is explained: there is nothing to accept.
    Explained,
    /// The divergence has another code.
    OtherCode,
    /// Balances that differ can't be accepted.
    Balances,
    /// What is critical can't be accepted.
    Critical,
    /// The divergence has other values now.
    OtherValues,
    /// The divergence is graver now.
    Graver,
}

impl StatementState {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::Withdrawn => "withdrawn",
            Self::TooLong => "too_long",
            Self::Expired => "expired",
            Self::Unmatched => "unmatched",
            Self::Explained => "explained",
            Self::OtherCode => "other_code",
            Self::Balances => "balances",
            Self::Critical => "critical",
            Self::OtherValues => "other_values",
            Self::Graver => "graver",
        }
    }

    /// One clause: why.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Holds => "it counts",
            Self::UnknownKey => "its key is not pinned for the date that it bears",
            Self::BadSignature => "its signature does not hold",
            Self::Withdrawn => "it was withdrawn",
            Self::TooLong => "it expires more than 366 days after its date or after the as-of",
            Self::Expired => "it had expired at the as-of",
            Self::Unmatched => "this run has nothing that it is about",
            Self::Explained => "the divergence is explained, so there is nothing to accept",
            Self::OtherCode => "the divergence has another code",
            Self::Balances => "balances that differ can't be accepted",
            Self::Critical => "what is critical can't be accepted",
            Self::OtherValues => "the divergence has other values now",
            Self::Graver => "the divergence is graver now",
        }
    }
}

/// A statement with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JudgedStatement {
    /// As recorded.
    pub signed: SignedStatement,
    /// Where it stands.
    pub state: StatementState,
}

/// Judges every recorded statement, and makes acknowledged what one that counts is about. Neither order nor repetition of
/// statements matters, and no clock: only the as-of.
pub(super) fn acknowledge(input: &Input<'_>, divergences: &mut [Divergence]) -> Vec<JudgedStatement> {
    let recorded: BTreeSet<&SignedStatement> = input.declared.acknowledgements.iter().collect();
    if recorded.is_empty() {
        return Vec::new();
    }
    let vouched: BTreeMap<&SignedStatement, Result<(), Distrust>> =
        recorded.iter().map(|signed| (*signed, vouched(signed, &input.policy.acknowledgement_keys))).collect();
    let withdrawn: BTreeSet<Digest32> = vouched
        .iter()
        .filter(|(_, word)| word.is_ok())
        .filter_map(|(signed, _)| match &signed.body {
            Statement::Withdrawal(withdrawal) => Some(withdrawal.acknowledgement),
            Statement::Acknowledgement(_) => None,
        })
        .collect();
    let named: BTreeSet<Digest32> = recorded
        .iter()
        .filter(|signed| matches!(signed.body, Statement::Acknowledgement(_)))
        .map(|signed| signed.body.id())
        .collect();
    let places: BTreeMap<Digest32, usize> =
        divergences.iter().enumerate().map(|(place, divergence)| (divergence.fingerprint, place)).collect();
    let mut judged = Vec::new();
    let mut accepted: BTreeSet<usize> = BTreeSet::new();
    for (signed, word) in vouched {
        let state = match (&signed.body, word) {
            (_, Err(Distrust::UnknownKey)) => StatementState::UnknownKey,
            (_, Err(Distrust::BadSignature)) => StatementState::BadSignature,
            (Statement::Withdrawal(withdrawal), Ok(())) if named.contains(&withdrawal.acknowledgement) => {
                StatementState::Holds
            }
            (Statement::Withdrawal(_), Ok(())) => StatementState::Unmatched,
            (Statement::Acknowledgement(_), Ok(())) if withdrawn.contains(&signed.body.id()) => {
                StatementState::Withdrawn
            }
            (Statement::Acknowledgement(word), Ok(())) => {
                let place = places.get(&word.fingerprint);
                let about = place.and_then(|place| divergences.get(*place));
                let state = in_time(input, word).unwrap_or_else(|| standing(word, about));
                accepted.extend(place.copied().filter(|_| state == StatementState::Holds));
                state
            }
        };
        judged.push(JudgedStatement { signed: signed.clone(), state });
    }
    for place in accepted {
        if let Some(divergence) = divergences.get_mut(place) {
            divergence.state = State::Acknowledged;
        }
    }
    judged
}

/// What time has against it.
fn in_time(input: &Input<'_>, word: &Acknowledgement) -> Option<StatementState> {
    let as_of = input.as_of.time;
    if word.expires_at <= as_of {
        return Some(StatementState::Expired);
    }
    let last = as_of.min(word.issued_at).plus(ACKNOWLEDGEMENT_SECONDS_MAX);
    (word.expires_at > last).then_some(StatementState::TooLong)
}

/// Whether the divergence is still the one that was accepted.
fn standing(word: &Acknowledgement, divergence: Option<&Divergence>) -> StatementState {
    let Some(divergence) = divergence else { return StatementState::Unmatched };
    if divergence.code != word.code {
        StatementState::OtherCode
    } else if divergence.code.is_about_balances() {
        StatementState::Balances
    } else if divergence.severity == Severity::Critical {
        StatementState::Critical
    } else if divergence.state == State::Explained {
        StatementState::Explained
    } else if divergence.values_sha256 != word.values_sha256 {
        StatementState::OtherValues
    } else if divergence.severity > word.severity {
        StatementState::Graver
    } else {
        StatementState::Holds
    }
}
