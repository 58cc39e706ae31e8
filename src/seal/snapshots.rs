//! Snapshots: what each outline comes to, and whether their entries ever got fewer (docs/snapshot.md, section 6).

use std::collections::{BTreeMap, BTreeSet};

use super::signature::{self, SealTrust};
use crate::domain::{Code, Counts, Digest32, EvidenceId, Finding, Media, SourceId, Subject};
use crate::evidence::snapshot::{
    ReadEnd, SNAPSHOT_SCHEMA, SnapshotManifest, SnapshotMember, SnapshotOutline, SnapshotSignature,
};
use crate::evidence::tar::Problem;

/// The subject's member when every member is as it should be and the archive's end is not. No member can have this name.
const END_OF_ARCHIVE: &str = "(end of archive)";

/// Verdicts by the file's digest.
#[derive(Debug)]
pub(super) struct Snapshots<'k> {
    trust: SealTrust<'k>,
    files: BTreeMap<Digest32, Verdict>,
}

/// What became of a snapshot, the best first: of two outlines of one file, read under different trust, the one that says
/// more decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Read and judged.
    Judged,
    /// Vouched for now, but not when it was read.
    MembersUnread,
}

/// What one file comes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Verdict {
    fate: Fate,
    findings: Vec<Finding>,
    /// Sequence and entries of a manifest that is signed and can be read.
    signed: Option<(u64, u64)>,
    evidence: EvidenceId,
}

impl<'k> Snapshots<'k> {
    pub(super) fn new(trust: SealTrust<'k>) -> Self {
        Self { trust, files: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, evidence: EvidenceId, outline: &SnapshotOutline) {
        let verdict = judge(self.trust, evidence, outline);
        let held = self.files.entry(outline.file_sha256).or_insert_with(|| verdict.clone());
        *held = verdict.min(held.clone());
    }

    pub(super) fn finish(self) -> (Vec<Finding>, Counts) {
        let mut counts = Counts::default();
        for verdict in self.files.values() {
            counts.unique += 1;
            let unread = verdict.findings.iter().any(|finding| finding.code == Code::SrcParse);
            let waits = verdict.fate == Fate::MembersUnread || verdict.findings.is_empty() && !self.trust.vouches();
            *match (unread, waits, verdict.findings.is_empty()) {
                (true, _, _) => &mut counts.quarantined,
                (_, true, _) => &mut counts.pending,
                (_, _, true) => &mut counts.accepted,
                (_, _, false) => &mut counts.rejected,
            } += 1;
        }
        let mut findings = regressions(&self.files);
        findings.extend(self.files.into_values().flat_map(|verdict| verdict.findings));
        (findings, counts)
    }
}

/// Entries only grow: each signed manifest against the largest count of any lower sequence number.
fn regressions(files: &BTreeMap<Digest32, Verdict>) -> Vec<Finding> {
    let mut by_sequence: BTreeMap<u64, BTreeSet<(u64, Digest32, EvidenceId)>> = BTreeMap::new();
    for (file, verdict) in files {
        if let Some((sequence, entries)) = verdict.signed {
            by_sequence.entry(sequence).or_default().insert((entries, *file, verdict.evidence));
        }
    }
    let mut findings = Vec::new();
    let mut most = 0;
    for (sequence, snapshots) in &by_sequence {
        for (entries, file, evidence) in snapshots.iter().filter(|(entries, ..)| *entries < most) {
            findings.push(
                about(Code::SnapRegress, *file, *evidence)
                    .with_values(format!("at least {most} entries"), entries)
                    .with_explanation(format!("snapshot {sequence} has fewer entries than an earlier one")),
            );
        }
        most = snapshots.iter().map(|(entries, ..)| *entries).fold(most, u64::max);
    }
    findings
}

fn about(code: Code, file: Digest32, evidence: EvidenceId) -> Finding {
    Finding::new(code, Subject::new("snapshot", file)).with_evidence(evidence, "snapshot")
}

fn judge(trust: SealTrust<'_>, evidence: EvidenceId, outline: &SnapshotOutline) -> Verdict {
    let verdict = |findings| Verdict { fate: Fate::Judged, findings, signed: None, evidence };
    let found = |code| about(code, outline.file_sha256, evidence);
    let manifest = match sealed_manifest(trust, outline) {
        Ok(bytes) => SnapshotManifest::parse(&bytes),
        // What is unsafe even before the signature is the graver news: the archive must not be opened at all.
        Err(_) if outline.problem.is_some() && outline.signature().is_none() => {
            return verdict(vec![unsafe_archive(found(Code::SnapUnsafe), outline)]);
        }
        Err(why) => {
            let finding =
                found(Code::SnapSignature).with_values("a manifest signed by a trusted key", why).with_explanation(
                    "signature_mismatch: nobody who is trusted vouches for this snapshot; no member was read",
                );
            return verdict(vec![finding]);
        }
    };
    let manifest = match manifest {
        Ok(manifest) => manifest,
        Err(why) => {
            let subject = Subject::new("media", Media::Snapshot).and("sha256", outline.file_sha256);
            let finding = Finding::new(Code::SrcParse, subject)
                .with_evidence(evidence, "snapshot")
                .with_values(format!("a manifest of {SNAPSHOT_SCHEMA}"), why)
                .with_explanation("the manifest is signed and can't be read; no member was read");
            return verdict(vec![finding]);
        }
    };
    let signed = Some((manifest.sequence, manifest.entries));
    if matches!(outline.end, ReadEnd::Unvouched | ReadEnd::Unreadable) {
        let subject = Subject::new("source", SourceId::files(Media::Snapshot)).and("snapshot", outline.file_sha256);
        let finding = Finding::new(Code::SrcIncomplete, subject)
            .with_evidence(evidence, "snapshot")
            .with_values("every member measured", "none: its key was not trusted when it was read")
            .with_explanation("the snapshot was read before its key was trusted; capture it again");
        return Verdict { fate: Fate::MembersUnread, findings: vec![finding], signed, evidence };
    }
    let mut findings = checksums(&manifest, outline, &found);
    if let Some((problem, name)) = manifest.problem() {
        findings.push(unsafe_archive(found(Code::SnapUnsafe), outline).naming(problem, name));
    } else if outline.problem.is_some() {
        findings.push(unsafe_archive(found(Code::SnapUnsafe), outline));
    }
    findings.sort();
    Verdict { fate: Fate::Judged, findings, signed, evidence }
}

/// The manifest's bytes when a trusted key signed them, else why not.
fn sealed_manifest(trust: SealTrust<'_>, outline: &SnapshotOutline) -> Result<Vec<u8>, String> {
    let missing = || match outline.end {
        ReadEnd::CutOff => "signature_mismatch: the archive ends before its signature".to_owned(),
        ReadEnd::Damaged => "signature_mismatch: the archive is damaged before its signature".to_owned(),
        _ => format!("signature_mismatch: no signed manifest at the archive's beginning, but {}", outline.at),
    };
    let manifest = outline.manifest().ok_or_else(missing)?;
    let signature = SnapshotSignature::parse(&outline.signature().ok_or_else(missing)?)
        .map_err(|why| format!("signature_mismatch: the signature can't be read: {why}"))?;
    signature::check(trust, SNAPSHOT_SCHEMA, &manifest, &signature.key, &signature.sig)
        .map_err(|bad| format!("{}; key {}", bad.words(), signature.key))?;
    Ok(manifest)
}

fn unsafe_archive(finding: Finding, outline: &SnapshotOutline) -> Finding {
    let problem = outline.problem.unwrap_or(Problem::Header);
    finding.naming(problem, &outline.at)
}

/// Says what is unsafe and at which name.
trait Naming {
    fn naming(self, problem: Problem, name: &str) -> Self;
}

impl Naming for Finding {
    fn naming(mut self, problem: Problem, name: &str) -> Self {
        self.subject = self.subject.and("problem", problem.name());
        self.with_values(
            "regular files that the manifest names, within the limits",
            format!("{}: {name}", problem.name()),
        )
        .with_explanation("the archive was not read further, and nothing of it was written")
    }
}

/// Each member that differs from the manifest; of those that are not there, the first when reading broke off, else all.
fn checksums(manifest: &SnapshotManifest, outline: &SnapshotOutline, found: &dyn Fn(Code) -> Finding) -> Vec<Finding> {
    let measured: BTreeMap<&str, &SnapshotMember> =
        outline.members.iter().map(|member| (member.name.as_str(), member)).collect();
    let differs = |name: &str, expected: String, observed: &str| {
        let mut finding = found(Code::SnapChecksum);
        finding.subject = finding.subject.and("member", name);
        finding.with_values(expected, format!("checksum_error: {observed}")).with_explanation(
            "checksum_error: this member of the snapshot is not what was signed; nothing of it is believed",
        )
    };
    let mut findings = Vec::new();
    let mut missing = Vec::new();
    for member in &manifest.members {
        let expected = format!("{} bytes with sha256 {}", member.size, member.sha256);
        match measured.get(member.name.as_str()) {
            Some(read) if *read == member => {}
            Some(read) => {
                findings.push(differs(
                    &member.name,
                    expected,
                    &format!("{} bytes with sha256 {}", read.size, read.sha256),
                ));
            }
            None => missing.push(differs(&member.name, expected, "it is not there")),
        }
    }
    match outline.end {
        ReadEnd::Whole => findings.extend(missing),
        ReadEnd::CutOff | ReadEnd::Damaged => {
            let end = || differs(END_OF_ARCHIVE, "the end of the archive".to_owned(), "it breaks off");
            findings.push(missing.into_iter().next().unwrap_or_else(end));
        }
        // Reading ended on purpose: what was not read is not missing.
        ReadEnd::Unsafe | ReadEnd::Unvouched | ReadEnd::Unreadable => {}
    }
    findings
}
