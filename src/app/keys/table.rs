//! The history of the key sets of a run: what each kid stood for, in which captures, and what it signed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use crate::app::as_of::AsOfWanted;
use crate::app::coverage::Survey;
use crate::app::error::AppError;
use crate::app::judged_by::JudgedBy;
use crate::app::observer::{Cancel, Observer};
use crate::app::run::RunFolder;
use crate::domain::{Code, Digest32, Divergence, EvidenceId, KeyId, Media, PublicKey32, SourceId, UnixSeconds};
use crate::evidence::{Claim, Decoded, KeySet, OcMeKind, decode};
use crate::ledger::Standing;
use crate::reconcile::reconcile;
use crate::store::{EvidenceStore as _, LogStore};

use super::order::{Captures, Orders, orders};

/// Where a kid stands in the captures of its class of host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyStatus {
    /// In the newest capture of a source.
    Published,
    /// The same, beside a kid that came later.
    Rotated,
    /// In captures of sources whose order is not known: nothing says which came last.
    Held,
    /// In older captures only. What it signed still verifies.
    Retired,
    /// Never with an Ed25519 key.
    Unusable,
    /// In no captured set.
    Unknown,
}

impl KeyStatus {
    /// The name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Rotated => "rotated",
            Self::Held => "held",
            Self::Retired => "retired",
            Self::Unusable => "unusable",
            Self::Unknown => "unknown",
        }
    }
}

/// One captured key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetRow {
    /// Its evidence.
    pub evidence: EvidenceId,
    /// Of the auth host, whose keys sign no envelopes.
    pub auth: bool,
    /// Host it was fetched from; empty for files. Foreign text.
    pub host: String,
    /// Who gave it.
    pub sources: BTreeSet<SourceId>,
    /// The newest capture of one of them.
    pub newest: bool,
}

/// One key under a kid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldKey {
    /// The key, when it is of Ed25519.
    pub key: Option<PublicKey32>,
    /// `Ed25519`, or what is offered instead. Foreign text.
    pub offer: String,
    /// The captures that show it, ascending.
    pub captures: BTreeSet<EvidenceId>,
}

/// How many envelopes of a kid count, and how many do not, by kind.
pub type Signed = BTreeMap<OcMeKind, (u64, u64)>;

/// One kid of one class of host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// `Some(true)` for the auth host, `None` for a kid in no captured set.
    pub auth: Option<bool>,
    /// The kid. Foreign text.
    pub kid: KeyId,
    /// The keys under it, usable ones first; several usable ones are a rewritten kid.
    pub keys: Vec<HeldKey>,
    /// Where it stands.
    pub status: KeyStatus,
    /// Leaked from this instant on.
    pub leaked_at: Option<UnixSeconds>,
    /// What it signed, where it is a key of the envelope host.
    pub signed: Signed,
    /// Envelopes that name it and are refused, because no key of the envelope host has this kid.
    pub refused: u64,
}

impl KeyRow {
    /// True when captures show several keys under this kid.
    pub fn is_rewritten(&self) -> bool {
        self.keys.iter().filter(|held| held.key.is_some()).count() > 1
    }
}

/// All keys of a run.
#[derive(Debug, Clone)]
pub struct KeyTable {
    /// The instant of the standings.
    pub as_of: UnixSeconds,
    /// The evidence looked at.
    pub evidence_root: Digest32,
    /// Captured sets, by evidence id.
    pub sets: Vec<KeySetRow>,
    /// Envelope host first, then auth host, then unknown kids; each by kid.
    pub keys: Vec<KeyRow>,
    /// What is wrong with keys: the `KEY_*` divergences of the run.
    pub divergences: Vec<Divergence>,
}

/// Looks at the keys of the run in `root`. Captures of an address are in the order of their times in the run's record, files
/// in that of the configuration at hand; without these none is newest.
///
/// # Errors
/// As [`crate::app::coverage_of_run`].
pub fn keys_of_run(
    root: &Path,
    by: &JudgedBy,
    how: (Option<AsOfWanted>, UnixSeconds, usize),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<KeyTable, AppError> {
    let survey = Survey::of(root, by.wanted(), how, observer, cancel)?;
    let orders = orders(&survey, root, by.plan())?;
    let mut divergences = reconcile(&survey.input()).divergences;
    survey.set.check()?;
    divergences.retain(|divergence| divergence.code.name().starts_with("KEY_"));
    Ok(KeyTable {
        as_of: survey.as_of.time,
        evidence_root: survey.evidence_root,
        sets: sets(&survey, &orders),
        keys: rows(&survey, &orders),
        divergences,
    })
}

/// Every kid that the captured key sets of the run in `root` name; `None` where no run can be read.
pub fn named_kids(root: &Path) -> Option<BTreeSet<KeyId>> {
    let folder = RunFolder::at(root).evidence();
    if !folder.is_dir() {
        return None;
    }
    let mut kids = BTreeSet::new();
    let store = LogStore::open_read_only(&folder).ok()?;
    let scanned = store.scan(&[Media::Jwks, Media::AuthJwks], &mut |_, raw| {
        if let Decoded::Claim(claim, _) = decode(&raw)
            && let Claim::Jwks(set) = *claim
        {
            kids.extend(set.keys.into_iter().map(|(kid, _)| kid));
            kids.extend(set.other.into_iter().map(|(kid, _)| kid));
        }
        ControlFlow::Continue(())
    });
    scanned.ok().map(|()| kids)
}

fn sets(survey: &Survey, orders: &Orders) -> Vec<KeySetRow> {
    let newest: BTreeSet<&EvidenceId> = orders.values().filter_map(Captures::newest).collect();
    let row = |(evidence, set): &(EvidenceId, KeySet)| KeySetRow {
        evidence: *evidence,
        auth: set.auth,
        host: set.host.clone(),
        sources: survey.tables.sightings.get(evidence).cloned().unwrap_or_default(),
        newest: newest.contains(evidence),
    };
    survey.set.key_sets.iter().map(row).collect()
}

/// The keys of one class of host by kid: a key or an offer, and the captures that show it.
type Held<'s> = BTreeMap<&'s KeyId, BTreeMap<(Option<PublicKey32>, &'s str), BTreeSet<EvidenceId>>>;

fn rows(survey: &Survey, orders: &Orders) -> Vec<KeyRow> {
    let mut signed = signed(survey);
    let mut refused = refused(survey);
    let leaked_at = |kid: &KeyId| survey.policy.leaked_at(kid);
    let mut rows = Vec::new();
    for auth in [false, true] {
        let sets: BTreeMap<EvidenceId, &KeySet> =
            survey.set.key_sets.iter().filter(|(_, set)| set.auth == auth).map(|(id, set)| (*id, set)).collect();
        for (kid, keys) in held(&sets) {
            let status = status(kid, &keys, &sets, orders);
            let keys =
                keys.into_iter().map(|((key, offer), captures)| HeldKey { key, offer: offer.to_owned(), captures });
            // Usable ones first, in order of key; `None` would sort before them.
            let (usable, other): (Vec<_>, Vec<_>) = keys.partition(|held| held.key.is_some());
            rows.push(KeyRow {
                auth: Some(auth),
                kid: kid.clone(),
                keys: usable.into_iter().chain(other).collect(),
                status,
                leaked_at: leaked_at(kid),
                signed: if auth { Signed::new() } else { signed.remove(kid).unwrap_or_default() },
                refused: refused.remove(kid).unwrap_or_default(),
            });
        }
    }
    let listed: BTreeSet<KeyId> = rows.iter().map(|row: &KeyRow| row.kid.clone()).collect();
    let leaked = survey.policy.compromised.iter().map(|leak| &leak.kid).filter(|kid| !listed.contains(*kid));
    for kid in leaked {
        refused.entry(kid.clone()).or_default();
    }
    rows.extend(refused.into_iter().map(|(kid, refused)| KeyRow {
        auth: None,
        leaked_at: leaked_at(&kid),
        kid,
        keys: Vec::new(),
        status: KeyStatus::Unknown,
        signed: Signed::new(),
        refused,
    }));
    rows
}

fn held<'s>(sets: &BTreeMap<EvidenceId, &'s KeySet>) -> Held<'s> {
    let mut held = Held::new();
    for (capture, set) in sets {
        let usable = set.keys.iter().map(|(kid, key)| (kid, (Some(*key), "Ed25519")));
        let other = set.other.iter().map(|(kid, offer)| (kid, (None, offer.as_str())));
        for (kid, key) in usable.chain(other) {
            held.entry(kid).or_default().entry(key).or_default().insert(*capture);
        }
    }
    held
}

fn status(
    kid: &KeyId,
    keys: &BTreeMap<(Option<PublicKey32>, &str), BTreeSet<EvidenceId>>,
    sets: &BTreeMap<EvidenceId, &KeySet>,
    orders: &Orders,
) -> KeyStatus {
    if keys.keys().all(|(key, _)| key.is_none()) {
        return KeyStatus::Unusable;
    }
    let names = |set: &KeySet, kid: &KeyId| set.keys.iter().any(|(named, _)| named == kid);
    let (mut is_published, mut is_succeeded, mut is_past, mut is_held) = (false, false, false, false);
    for Captures { ids, is_ordered } in orders.values() {
        let captures: Vec<&KeySet> = ids.iter().filter_map(|id| sets.get(id).copied()).collect();
        let Some(newest) = captures.last() else { continue };
        let first = |kid: &KeyId| captures.iter().position(|set| names(set, kid));
        if !is_ordered {
            is_held |= first(kid).is_some();
        } else if names(newest, kid) {
            is_published = true;
            is_succeeded |= newest.keys.iter().any(|(other, _)| first(other) > first(kid));
        } else {
            is_past |= first(kid).is_some();
        }
    }
    match (is_published, is_succeeded) {
        (_, true) => KeyStatus::Rotated,
        (true, false) => KeyStatus::Published,
        (false, false) if is_past && !is_held => KeyStatus::Retired,
        (false, false) => KeyStatus::Held,
    }
}

fn signed(survey: &Survey) -> BTreeMap<KeyId, Signed> {
    let mut signed: BTreeMap<KeyId, Signed> = BTreeMap::new();
    let envelopes = survey.ledgers.envelope.entries().map(|entry| (entry.kid, entry.kind, entry.standing));
    let rebinds = survey.ledgers.rebind.entries.values();
    let rebinds = rebinds.map(|entry| (entry.kid.clone(), OcMeKind::Rebind, entry.standing));
    for (kid, kind, standing) in envelopes.chain(rebinds) {
        let (counted, excluded) = signed.entry(kid).or_default().entry(kind).or_default();
        *if standing == Standing::Counted { counted } else { excluded } += 1;
    }
    signed
}

/// Envelopes whose kid names no key of the envelope host; the finding observes the kid.
fn refused(survey: &Survey) -> BTreeMap<KeyId, u64> {
    let mut refused: BTreeMap<KeyId, u64> = BTreeMap::new();
    for finding in &survey.set.findings {
        if matches!(finding.code, Code::KeyUnknown | Code::KeyWrongSet) {
            *refused.entry(KeyId::from(finding.observed.clone())).or_default() += 1;
        }
    }
    refused
}
