//! From a judged case to the bundle that holds it. Whoever verifies a bundle assembles it anew and compares.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Court, Judged};
use super::disclosed::Names;
use super::format::{Bundle, Disclosed, Piece, Predicate, SCHEMA, SCHEMA_NUMBER, SeenAt, Software, Window};
use super::grounds::{Grounds, rule_set};
use super::prefix::{first_failing, times};
use crate::app::error::AppError;
use crate::app::explain::hide::Hidden;
use crate::domain::{Code, Digest32, Divergence, EvidenceId, Finding, State};
use crate::report::Pseudonyms;
use crate::seal::evidence_root;

/// Why a bundle is not self-contained although no absence is in play.
const NOT_SHOWN: &str = "no set of held evidence that may be handed out shows it by itself";

/// Names looked for in the divergence's own words. An honest bundle that hides users names one, and a few other names of theirs.
const NAMES_MAX: usize = 1_000;

/// A divergence to be put into a bundle.
pub(super) struct Told<'a> {
    pub(super) divergence: &'a Divergence,
    /// The case shows it.
    pub(super) reproduced: bool,
    pub(super) reveal: bool,
}

/// The bundle, sealed.
///
/// # Errors
/// [`AppError`] as for judging.
pub(super) fn assemble(court: Court<'_>, case: &Case, judged: &Judged, told: &Told<'_>) -> Result<Bundle, AppError> {
    let Told { divergence, reproduced, reveal } = *told;
    let ids: Vec<EvidenceId> = case.pieces.keys().copied().collect();
    let root = evidence_root(&ids);
    let found = Names::of(case, judged);
    let shown = hidden(divergence, judged, &found, (root, reveal));
    let grounds = Grounds::of(divergence.code);
    let (self_contained, reason) = standing(grounds, divergence.code, case, reproduced);
    let pseudonyms = Pseudonyms::new(root, reveal);
    let mut discloses: Vec<Disclosed> =
        (found.counted().into_iter()).map(|(name, pieces)| Disclosed { name: pseudonyms.name(name), pieces }).collect();
    discloses.sort();
    let prefix =
        if reproduced { first_failing(court, case, judged, (divergence.code, &divergence.fingerprint))? } else { None };
    let bundle = Bundle {
        as_of: case.as_of.0,
        code: divergence.code.name().to_owned(),
        declared: case.declared.clone(),
        discloses,
        evidence: pieces(case, divergence),
        expected: shown.expected,
        fingerprint: divergence.fingerprint,
        first_failing_prefix: prefix,
        id: Digest32::default(),
        limits: case.limits.clone(),
        meaning: divergence.code.meaning().to_owned(),
        observed: shown.observed,
        policy: case.policy.clone(),
        policy_sha256: case.policy.digest(),
        predicates: predicates(case, judged, divergence),
        reason,
        receipts: case.receipts.clone(),
        reproduced,
        rule_set_sha256: rule_set(),
        schema: format!("{SCHEMA}{SCHEMA_NUMBER}"),
        self_contained,
        severity: divergence.severity,
        sha256: Digest32::default(),
        sightings: sightings(case),
        software: software(),
        // What was acknowledged is open, and stands in another chain of statements.
        state: if divergence.state == State::Explained { State::Explained } else { State::Open },
        step: divergence.step.number(),
        subject: shown.subject.0,
        users_revealed: reveal,
        window: window(case, judged),
    };
    Ok(bundle.sealed())
}

fn software() -> Software {
    Software { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Whether the bundle stands by itself, and what further evidence could do.
fn standing(grounds: Grounds, code: Code, case: &Case, reproduced: bool) -> (bool, Option<String>) {
    let empty = case.pieces.is_empty() && case.receipts.is_empty();
    let from_earlier = !case.declared.earlier.is_empty();
    let (stands, words) = match grounds {
        Grounds::Absence(words) => (false, Some(words)),
        _ if !reproduced => (false, Some(NOT_SHOWN)),
        _ if empty => (false, Some("it says that nothing is there, and no receipt says so")),
        _ if from_earlier => (false, Some("it compares with an earlier run, whose evidence is not part of this one")),
        // A policy, a list of checks: what the run was told to do.
        _ if code == Code::SrcEmpty && case.receipts.is_empty() => {
            (false, Some("it says that nothing is there, and no receipt says so"))
        }
        Grounds::AsFar(words) => (true, Some(words)),
        Grounds::Shown => (true, None),
    };
    (stands, words.map(str::to_owned))
}

/// The divergence with every name replaced that its evidence or the ledgers know.
fn hidden(divergence: &Divergence, judged: &Judged, names: &Names, (root, reveal): (Digest32, bool)) -> Divergence {
    let mut shown = Hidden::of(&judged.set, root, reveal).divergence(divergence);
    if reveal {
        return shown;
    }
    let pseudonyms = Pseudonyms::new(root, reveal);
    let mut known: Vec<&str> = names.counted().into_keys().collect();
    // The longest first: one name may begin another.
    known.sort_by_key(|name| (std::cmp::Reverse(name.len()), *name));
    let texts = [&mut shown.expected, &mut shown.observed].into_iter().chain(shown.subject.0.values_mut());
    for text in texts {
        for name in known.iter().take(NAMES_MAX).filter(|name| !name.is_empty()) {
            if text.contains(name) {
                *text = text.replace(name, &pseudonyms.pseudonym(name));
            }
        }
    }
    shown
}

fn pieces(case: &Case, divergence: &Divergence) -> Vec<Piece> {
    let mut roles: BTreeMap<EvidenceId, BTreeSet<&str>> = BTreeMap::new();
    for cited in &divergence.evidence {
        roles.entry(cited.id).or_default().insert(&cited.role);
    }
    let role = |id: &EvidenceId| match roles.get(id) {
        Some(roles) => roles.iter().copied().collect::<Vec<_>>().join("+"),
        None => "support".to_owned(),
    };
    case.pieces.iter().map(|(id, raw)| Piece::of(raw, role(id))).collect()
}

fn sightings(case: &Case) -> Vec<SeenAt> {
    let seen = case.sightings.iter();
    seen.map(|(id, sources)| SeenAt { evidence: *id, sources: sources.iter().cloned().collect() }).collect()
}

/// Which part of the program says so: verification, the rebuilding of ledgers, or checks of the reconciliation.
fn predicates(case: &Case, judged: &Judged, divergence: &Divergence) -> Vec<Predicate> {
    let of = |found: &Finding| Divergence::fingerprint_of(found.code, &found.subject) == divergence.fingerprint;
    let mut checks: BTreeSet<String> = BTreeSet::new();
    if judged.set.findings.iter().any(|found| found.code == divergence.code && of(found)) {
        checks.insert("verify".to_owned());
    }
    if judged.rebuilt.contains(&divergence.fingerprint) {
        checks.insert("rebuild".to_owned());
    }
    if checks.is_empty() {
        checks.extend(judged.said_by.get(&divergence.code).into_iter().flatten().cloned());
    }
    if checks.is_empty() {
        checks.insert(format!("reconcile.step-{}", divergence.step.number()));
    }
    let inputs: BTreeSet<EvidenceId> =
        divergence.evidence.iter().map(|cited| cited.id).filter(|id| case.pieces.contains_key(id)).collect();
    let inputs: Vec<EvidenceId> = inputs.into_iter().collect();
    checks.into_iter().map(|check| Predicate { check, inputs: inputs.clone() }).collect()
}

fn window(case: &Case, judged: &Judged) -> Option<Window> {
    let times = times(judged);
    let dated = || case.pieces.keys().filter_map(|id| times.get(id));
    Some(Window { from: dated().min()?.0, until: dated().max()?.0 })
}
