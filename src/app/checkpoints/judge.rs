//! Judging a chain of checkpoints: who sealed it, whether each extends the one before it, what the list of admissions says.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::file::{Admitted, ChainFile, Line};
use crate::app::error::AppError;
use crate::app::judge::worker_threads;
use crate::app::seals;
use crate::domain::{Code, Condition, Digest32, Finding, MerkleTree, Outcome, PublicKey32, UnixSeconds};
use crate::seal::{BadSeal, SealJudge, SealTrust, check_checkpoint};

/// A key that may seal the checkpoints of these sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTerm {
    /// The key.
    pub key: PublicKey32,
    /// From which to before which checkpoint it counts.
    pub seqs: Range<u64>,
}

impl KeyTerm {
    /// Reads `HEX`, `HEX FROM..` or `HEX FROM..UNTIL`; `UNTIL` is the first checkpoint that the key does not count for.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let key = words.next()?.parse().ok()?;
        let seqs = match words.next() {
            None => 0..u64::MAX,
            Some(term) => {
                let (from, until) = term.split_once("..")?;
                from.parse().ok()?..if until.is_empty() { u64::MAX } else { until.parse().ok()? }
            }
        };
        (words.next().is_none() && seqs.start < seqs.end).then_some(Self { key, seqs })
    }
}

/// Whose seals count, and for which checkpoints. Without any key, only integrity can be told.
#[derive(Debug, Clone, Default)]
pub struct SealTerms(BTreeMap<PublicKey32, Vec<Range<u64>>>);

impl SealTerms {
    /// These keys in their terms.
    pub fn of(terms: impl IntoIterator<Item = KeyTerm>) -> Self {
        let mut all: BTreeMap<PublicKey32, Vec<Range<u64>>> = BTreeMap::new();
        terms.into_iter().for_each(|term| all.entry(term.key).or_default().push(term.seqs));
        Self(all)
    }

    /// These keys for the whole chain.
    pub fn whole(keys: &BTreeSet<PublicKey32>) -> Self {
        Self::of(keys.iter().map(|key| KeyTerm { key: *key, seqs: 0..u64::MAX }))
    }

    /// True when nobody was named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn check(&self, keys: &BTreeSet<PublicKey32>, line: &Line) -> Result<(), BadSeal> {
        check_checkpoint(SealTrust::of(keys), &line.claim)?;
        match self.0.get(&line.claim.key) {
            Some(terms) if !terms.iter().any(|term| term.contains(&line.claim.seq)) => Err(BadSeal::OutOfTerm),
            _ => Ok(()),
        }
    }
}

/// What a chain is held against.
#[derive(Debug, Clone, Default)]
pub struct ChainWanted {
    /// The chain's file.
    pub chain: PathBuf,
    /// The list of admissions, of which every root is drawn again.
    pub admitted: Option<PathBuf>,
    /// An older checkpoint, which has to be one of the chain's.
    pub held: Option<PathBuf>,
    /// Worker threads; 0 is one per core.
    pub jobs: usize,
}

/// One checkpoint of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named and described by docs/checkpoint.md")]
pub struct ChainLink {
    pub seq: u64,
    pub sha256: Digest32,
    pub from: u64,
    pub until: u64,
    pub tree_size: u64,
    pub root: Digest32,
    pub state_root: Digest32,
    pub as_of: UnixSeconds,
    /// Who signed, and whether that counts.
    pub keys: BTreeMap<PublicKey32, bool>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainFault {
    /// Which checkpoint.
    pub seq: u64,
    /// `CHK_CHAIN` or `CHK_RANGE`.
    pub code: Code,
    /// What it brings.
    pub condition: Condition,
    /// What, in words. May hold foreign text, still raw.
    pub what: String,
}

/// A judged chain.
#[derive(Debug, Clone, Default)]
pub struct ChainVerdict {
    /// Every checkpoint, ascending; two of one number are both here.
    pub links: Vec<ChainLink>,
    /// What does not hold.
    pub faults: Vec<ChainFault>,
    /// What could not be established. May hold foreign text, still raw.
    pub open: Vec<String>,
}

impl ChainVerdict {
    /// The exit code of all of it.
    pub fn exit_code(&self) -> u8 {
        let mut outcome = Outcome::default();
        self.faults.iter().for_each(|fault| outcome.add(fault.condition));
        if !self.open.is_empty() {
            outcome.add(Condition::Incomplete);
        }
        outcome.exit_code().0
    }

    /// Keys in the order in which they sealed, each with its first and last checkpoint in a row.
    pub fn terms(&self) -> Vec<(PublicKey32, u64, u64)> {
        let mut terms: Vec<(PublicKey32, u64, u64)> = Vec::new();
        for link in &self.links {
            for key in link.keys.iter().filter(|(_, counts)| **counts).map(|(key, _)| *key) {
                match terms.iter_mut().rev().find(|(other, ..)| *other == key) {
                    Some((.., last)) if last.saturating_add(1) >= link.seq => *last = link.seq,
                    _ => terms.push((key, link.seq, link.seq)),
                }
            }
        }
        terms
    }
}

/// Judges the chain in a file.
///
/// # Errors
/// [`AppError::Config`] for a file that is not there or holds no checkpoint where one is named; [`AppError::Untrusted`] for a
/// list of admissions that is none.
pub fn verify_chain(wanted: &ChainWanted, terms: &SealTerms) -> Result<ChainVerdict, AppError> {
    let chain = ChainFile::read(&wanted.chain)?;
    let admitted = wanted.admitted.as_deref().map(Admitted::read).transpose()?;
    let mut verdict = judged(&chain, admitted.as_ref(), terms, wanted.jobs)?;
    if let Some(path) = &wanted.held {
        let held = ChainFile::read(path)?;
        let own = held.last().ok_or_else(|| AppError::Config {
            what: format!("{} holds no checkpoint that can be read", path.display()),
            hint: "name what `checkpoint export --latest` wrote".to_owned(),
        })?;
        if !chain.bodies().contains_key(&(own.claim.seq, own.digest())) {
            let what = format!("the checkpoint at hand, {}, is not in the chain: it was rewritten", own.digest());
            verdict.fault(own.claim.seq, Code::ChkChain, Condition::Divergent, what);
        }
    }
    if terms.0.is_empty() {
        verdict.open.push("nobody's key was given: integrity only".to_owned());
    }
    Ok(verdict)
}

/// The line of the newest checkpoint, byte for byte, of a chain that holds under these keys.
///
/// # Errors
/// [`AppError::Untrusted`] when it does not hold; [`AppError::Config`] when there is none.
pub fn latest_checkpoint(path: &Path, terms: &SealTerms, jobs: usize) -> Result<Vec<u8>, AppError> {
    let chain = ChainFile::read(path)?;
    sound(&chain, &judged(&chain, None, terms, jobs)?, &path.display().to_string())?;
    let last = chain.last().ok_or_else(|| AppError::Config {
        what: format!("{} holds no checkpoint", path.display()),
        hint: "`reledger checkpoint create` makes the first".to_owned(),
    })?;
    Ok([last.bytes.as_slice(), b"\n"].concat())
}

/// Refuses a chain that is not whole: nothing is built upon it.
pub(super) fn sound(chain: &ChainFile, verdict: &ChainVerdict, name: &str) -> Result<(), AppError> {
    if let Some((line, why)) = chain.unread.first() {
        return Err(AppError::Untrusted { what: format!("checksum_error: {name} line {line} can't be read: {why}") });
    }
    match verdict.faults.first() {
        None => Ok(()),
        Some(fault) => {
            let kind = if fault.what.contains("signature_mismatch") { "signature_mismatch" } else { "checksum_error" };
            Err(AppError::Untrusted { what: format!("{kind}: {name} checkpoint {}: {}", fault.seq, fault.what) })
        }
    }
}

/// Judges a chain, and every root of it where the list of admissions is at hand.
pub(super) fn judged(
    chain: &ChainFile,
    admitted: Option<&Admitted>,
    terms: &SealTerms,
    jobs: usize,
) -> Result<ChainVerdict, AppError> {
    let keys: BTreeSet<PublicKey32> = terms.0.keys().copied().collect();
    let check = |line: &Line| terms.check(&keys, line);
    let seals: Vec<Result<(), BadSeal>> = worker_threads(jobs)?.install(|| chain.lines.par_iter().map(check).collect());
    let mut judge = SealJudge::new(SealTrust::of(&keys));
    let mut links: BTreeMap<(u64, Digest32), ChainLink> = BTreeMap::new();
    for (line, seal) in chain.lines.iter().zip(seals) {
        judge.checkpoint_checked(line.id(), &line.claim, seal);
        let link = links.entry((line.claim.seq, line.digest())).or_insert_with(|| link(line));
        let counts = link.keys.entry(line.claim.key).or_default();
        *counts |= seal.is_ok();
    }
    let mut verdict = ChainVerdict { links: links.into_values().collect(), ..ChainVerdict::default() };
    judge.finish().findings.iter().for_each(|finding| verdict.told(finding));
    verdict.open.extend(chain.unread.iter().map(|(line, why)| format!("line {line} can't be read: {why}")));
    if verdict.links.is_empty() {
        verdict.open.push("there is no checkpoint in it".to_owned());
    }
    if let Some(admitted) = admitted {
        verdict.draw_again(admitted);
    }
    verdict.faults.sort();
    Ok(verdict)
}

fn link(line: &Line) -> ChainLink {
    let claim = &line.claim;
    ChainLink {
        seq: claim.seq,
        sha256: line.digest(),
        from: claim.from,
        until: claim.until,
        tree_size: claim.tree_size,
        root: claim.root,
        state_root: claim.state_root,
        as_of: claim.as_of,
        keys: BTreeMap::new(),
    }
}

impl ChainVerdict {
    fn fault(&mut self, seq: u64, code: Code, condition: Condition, what: String) {
        self.faults.push(ChainFault { seq, code, condition, what });
    }

    fn told(&mut self, finding: &Finding) {
        let seq = finding.subject.0.get("seq").and_then(|seq| seq.parse().ok()).unwrap_or_default();
        let Finding { explanation, expected, observed, .. } = finding;
        let what = format!("{explanation}: expected {expected}, found {observed}");
        self.fault(seq, finding.code, seals::condition(finding), what);
    }

    /// Draws every root from the list.
    fn draw_again(&mut self, admitted: &Admitted) {
        let mut by_size: Vec<(u64, u64, Digest32)> =
            self.links.iter().map(|link| (link.tree_size, link.seq, link.root)).collect();
        by_size.sort_unstable();
        let (mut tree, mut ids) = (MerkleTree::new(), admitted.0.iter());
        for (size, seq, root) in by_size {
            ids.by_ref()
                .take(usize::try_from(size.saturating_sub(tree.count())).unwrap_or(usize::MAX))
                .for_each(|id| tree.push(id.as_bytes()));
            if tree.count() < size {
                let what = format!("the list of admissions ends at {}: checkpoint {seq} has {size}", tree.count());
                self.open.push(what);
            } else if tree.root() != root {
                let what = format!("the list of admissions has another root: expected {root}, found {}", tree.root());
                self.fault(seq, Code::ChkChain, Condition::Divergent, what);
            }
        }
    }
}
