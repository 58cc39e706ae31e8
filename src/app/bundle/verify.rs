//! The use-case: a bundle of somebody else's, judged again with nothing else at hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::assemble::{Told, assemble};
use super::case::{Case, Court, Judged};
use super::format::Bundle;
use super::read::{Intact, Unread, read};
use super::reproduce::same;
use crate::app::error::AppError;
use crate::app::inspect::Fate;
use crate::app::judge::worker_threads;
use crate::app::observer::Cancel;
use crate::domain::{Code, Condition, Digest32, Divergence, EvidenceRef, Media, RawEvidence, Subject, TrustPolicy};

/// Whom the reader trusts, instead of whom the bundle says.
#[derive(Debug, Clone)]
pub struct OwnTrust {
    /// The reader's policy. What was measured or demanded of sources stays the bundle's.
    pub policy: TrustPolicy,
    /// The reader's key sets, which take the place of the bundle's, and headers, which join them.
    pub evidence: Vec<RawEvidence>,
}

/// What became of a bundle.
#[derive(Debug, Clone)]
pub struct JudgedBundle {
    /// Where it stands.
    pub place: String,
    /// What became of it.
    pub fate: Fate,
    /// What it brings when it does not hold.
    pub condition: Option<Condition>,
    /// Its id, when it is intact.
    pub id: Option<Digest32>,
    /// The divergence's code, when it is intact.
    pub code: Option<Code>,
    /// The divergence's fingerprint, when it is intact.
    pub fingerprint: Option<Digest32>,
    /// Which keys and checkpoint it was judged under. Foreign text.
    pub under: Vec<String>,
    /// Why it is what it is. Foreign text.
    pub says: String,
}

/// Judges a bundle: id and every digest, then the divergence, drawn anew from the evidence in it. With `own` trust also under
/// the reader's keys and checkpoint. Contacts nobody and reads nothing else.
///
/// # Errors
/// [`AppError`] for local failures; whatever is wrong with the file is in the result.
pub fn verify_bundle(
    place: &str,
    bytes: &[u8],
    own: Option<&OwnTrust>,
    jobs: usize,
    cancel: &Cancel,
) -> Result<JudgedBundle, AppError> {
    let nothing = |fate, condition, says| JudgedBundle {
        place: place.to_owned(),
        fate,
        condition,
        id: None,
        code: None,
        fingerprint: None,
        under: Vec::new(),
        says,
    };
    let intact = match read(bytes) {
        Ok(intact) => intact,
        Err(Unread::Damaged(what)) => return Ok(nothing(Fate::Bad, Some(Condition::UntrustedInput), what)),
        Err(Unread::Other(what)) => return Ok(nothing(Fate::Unchecked, None, what)),
    };
    let threads = worker_threads(jobs)?;
    let court = Court { threads: &threads, cancel };
    let judged = court.judge(&intact.case)?;
    let mut under = under(&intact.case, &judged, "the bundle");
    let mut verdict = drawn_again(court, &intact, &judged)?;
    if let (Some(own), true) = (own, verdict.0 != Fate::Bad) {
        let case = with_own(&intact.case, own);
        let judged_anew = court.judge(&case)?;
        under = self::under(&case, &judged_anew, "your configuration");
        verdict = under_own(&intact.bundle, verdict, (&judged, &judged_anew));
    }
    let (fate, says) = verdict;
    let condition = (fate == Fate::Bad).then_some(Condition::UntrustedInput);
    Ok(JudgedBundle {
        id: Some(intact.bundle.id),
        code: Some(intact.code),
        fingerprint: Some(intact.bundle.fingerprint),
        under,
        ..nothing(fate, condition, says)
    })
}

/// Whether the evidence gives the bundle that it stands in.
fn drawn_again(court: Court<'_>, intact: &Intact, judged: &Judged) -> Result<(Fate, String), AppError> {
    let Intact { bundle, case, code } = intact;
    let held = judged.divergence(&bundle.fingerprint);
    let reveal = bundle.users_revealed;
    let anew = match held {
        Some(held) if bundle.reproduced => {
            assemble(court, case, judged, &Told { divergence: held, reproduced: true, reveal })?
        }
        None if bundle.reproduced => {
            return Ok((Fate::Bad, "signature_mismatch: the evidence does not show the divergence".to_owned()));
        }
        _ => {
            let claimed = claimed(bundle, *code);
            let Some(claimed) = claimed else {
                return Ok((Fate::Bad, "signature_mismatch: the fingerprint is not that of the subject".to_owned()));
            };
            let anew = assemble(court, case, judged, &Told { divergence: &claimed, reproduced: false, reveal })?;
            // What the evidence does not show can't be drawn from it: these stand as they were written.
            Bundle {
                subject: bundle.subject.clone(),
                expected: bundle.expected.clone(),
                observed: bundle.observed.clone(),
                ..anew
            }
        }
    };
    if !anew.says_the_same(bundle) {
        let member = first_difference(&anew, bundle);
        return Ok((Fate::Bad, format!("signature_mismatch: the evidence gives another `{member}`")));
    }
    let reason = bundle.reason.as_deref().unwrap_or_default();
    Ok(match (bundle.self_contained, bundle.reproduced) {
        (true, _) if reason.is_empty() => (Fate::Ok, "comes out of the evidence".to_owned()),
        (true, _) => (Fate::Ok, format!("comes out of the evidence, as far as that goes: {reason}")),
        (false, true) => {
            (Fate::Unchecked, format!("intact; comes out of the evidence, which can't settle it: {reason}"))
        }
        (false, false) => (Fate::Unchecked, format!("intact; does not come out of the evidence alone: {reason}")),
    })
}

/// The divergence as a bundle claims it; `None` when its fingerprint is provably another's.
fn claimed(bundle: &Bundle, code: Code) -> Option<Divergence> {
    let subject = Subject(bundle.subject.clone());
    let hides = !bundle.users_revealed && bundle.subject.values().any(|value| value.contains("user-"));
    if !hides && Divergence::fingerprint_of(code, &subject) != bundle.fingerprint {
        return None;
    }
    let cited = bundle.evidence.iter().filter(|piece| piece.role != "support");
    let evidence =
        cited.flat_map(|piece| piece.role.split('+').map(|role| EvidenceRef { id: piece.id, role: role.to_owned() }));
    Some(Divergence {
        code,
        subject,
        severity: bundle.severity,
        state: bundle.state,
        step: code.step(),
        expected: bundle.expected.clone(),
        observed: bundle.observed.clone(),
        evidence: evidence.collect(),
        explanation: String::new(),
        fingerprint: bundle.fingerprint,
        values_sha256: Divergence::values_of(&bundle.expected, &bundle.observed),
        at_stake: None,
        at: None,
    })
}

fn first_difference(ours: &Bundle, theirs: &Bundle) -> String {
    let value = |bundle: &Bundle| serde_json::to_value(bundle).unwrap_or_default();
    let (ours, theirs) = (value(ours), value(theirs));
    let names: BTreeSet<&String> = ours.as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let outside = ["id", "sha256", "software"];
    let differs = |name: &&&String| !outside.contains(&name.as_str()) && ours.get(**name) != theirs.get(**name);
    names.iter().find(differs).map_or_else(|| "member".to_owned(), |name| (**name).clone())
}

fn with_own(case: &Case, own: &OwnTrust) -> Case {
    let mut changed = case.clone();
    let theirs = case.policy.clone();
    // What was seen and demanded of sources is no matter of trust in keys.
    changed.policy = TrustPolicy {
        gaps: theirs.gaps,
        observed: theirs.observed,
        operator_relays: theirs.operator_relays,
        require: theirs.require,
        ..own.policy.clone()
    };
    let replaces = |media: Media| {
        matches!(media, Media::Jwks | Media::AuthJwks) && own.evidence.iter().any(|raw| raw.media == media)
    };
    changed.pieces.retain(|_, piece| !replaces(piece.media));
    changed.pieces.extend(own.evidence.iter().map(|raw| (raw.id(), Arc::new(raw.clone()))));
    changed
}

/// What the reader's own keys make of it.
fn under_own(bundle: &Bundle, (fate, says): (Fate, String), (theirs, ours): (&Judged, &Judged)) -> (Fate, String) {
    let (there, here) = (theirs.divergence(&bundle.fingerprint), ours.divergence(&bundle.fingerprint));
    match (there, here) {
        (Some(there), Some(here)) if same(there, here) => (fate, format!("{says}; your configuration gives the same")),
        (None, None) => (fate, format!("{says}; neither under your configuration")),
        (Some(_), Some(here)) => {
            let what = "signature_mismatch: differs under your configuration";
            (Fate::Bad, format!("{what}, which gives: expected {}, observed {}", here.expected, here.observed))
        }
        (Some(_), None) => {
            (Fate::Bad, "signature_mismatch: differs under your configuration, where it does not come out".to_owned())
        }
        (None, Some(_)) => (fate, format!("{says}; under your configuration it comes out")),
    }
}

/// Whom the verdict trusts, in words.
fn under(case: &Case, judged: &Judged, whose: &str) -> Vec<String> {
    let policy = &case.policy;
    let mut told = vec![format!("policy {} of {whose}", policy.digest())];
    for (federation, keys) in &policy.settlement_keys {
        told.extend(keys.iter().map(|pinned| format!("settlement key {federation} {}", pinned.key)));
    }
    told.extend(judged.set.keys.iter().map(|(kid, key)| format!("envelope key {kid} {}", key.key)));
    told.extend(policy.seal_keys.iter().map(|key| format!("seal key {key}")));
    told.extend(policy.compromised.iter().map(|leak| format!("leaked key {} at {}", leak.kid, leak.at)));
    let checkpoint = policy.headers.checkpoint;
    told.push(format!("checkpoint {} {}", checkpoint.height, checkpoint.hash));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_bundle_is_refused_and_nothing_panics() {
        let deep = "[".repeat(100_000);
        let hostile: [&[u8]; 8] = [
            b"",
            b"{",
            b"[]\n",
            b"null\n",
            b"{\"schema\":\"reledger/bundle/1\"}\n",
            b"1e400\n",
            deep.as_bytes(),
            &[0xff; 64],
        ];
        for bytes in hostile {
            let judged = verify_bundle("x", bytes, None, 1, &Cancel::default()).unwrap();
            assert_eq!((judged.fate, judged.condition), (Fate::Bad, Some(Condition::UntrustedInput)));
            assert!(judged.says.starts_with("checksum_error"), "{}", judged.says);
        }
    }
}
