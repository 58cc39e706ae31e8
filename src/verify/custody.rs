//! Guardian descriptors, graduations and rotations (FORMATS 8.3 to 8.5).

use std::collections::BTreeMap;

use super::bip322::{self, Bip322Failure};
use super::quorum::{self, CustodyVerdict, QuorumCount, SelfKey, Vote};
use super::{AcceptedGraduation, AcceptedRotation, KnownDescriptor, Verified};
use crate::domain::{Code, DescriptorId, Digest32, EvidenceId, Finding, Subject, sha256};
use crate::evidence::{DescriptorClaim, DescriptorForm, GraduationClaim, GuardianSignature, RotationClaim};

/// Descriptors by id.
type Descriptors = BTreeMap<DescriptorId, Verified<KnownDescriptor>>;

/// Judges a descriptor: its form, its addresses, and its declared id where it declares one.
///
/// # Errors
/// `REB_DESCRIPTOR`, once for the form and once for the id.
pub fn descriptor(claim: &DescriptorClaim, carrier: EvidenceId) -> Result<KnownDescriptor, Vec<Finding>> {
    let id = DescriptorId(sha256(claim.canonical.as_bytes()));
    let finding = |problem: &str| {
        let subject = Subject::new("descriptor", shown_id(claim.form, id)).and("problem", problem);
        Finding::new(Code::RebDescriptor, subject).with_evidence(carrier, "carrier")
    };
    let mut findings = Vec::new();
    let mut problems = claim.malformed.clone();
    problems.extend(address_problems(claim));
    if !problems.is_empty() {
        findings.push(finding("form").with_values("a descriptor by FORMATS 8.3", problems.join("; ")));
    }
    if let Some(declared) = claim.declared_id.filter(|declared| *declared != id) {
        findings.push(
            finding("id")
                .with_values(shown_id(claim.form, id), shown_id(claim.form, declared))
                .with_explanation("the declared id is not the hash of the descriptor's canonical lines"),
        );
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(KnownDescriptor {
        id,
        form: claim.form,
        address: claim.address.clone(),
        threshold: claim.threshold,
        guardians: claim.guardians.clone(),
    })
}

/// The user's address may be of any script; a guardian's must be one that a single key signs for.
fn address_problems(claim: &DescriptorClaim) -> Vec<String> {
    let mut problems: Vec<String> = claim
        .guardians
        .iter()
        .filter(|guardian| !bip322::is_single_key_address(guardian))
        .map(|guardian| format!("guardian {guardian}: expected a mainnet P2WPKH, P2TR or P2PKH address"))
        .collect();
    if let Some(address) = claim.address.as_ref().filter(|address| !bip322::is_mainnet_address(address)) {
        problems.push(format!("address {address}: expected a mainnet address"));
    }
    problems
}

fn shown_id(form: DescriptorForm, id: DescriptorId) -> String {
    match form {
        DescriptorForm::Custody => format!("fed:{id}"),
        DescriptorForm::Agent => id.to_string(),
    }
}

/// Judges a graduation: a quorum of the descriptor left, and the user's own key. Findings may stand beside an acceptance
/// (`REB_PROFILE` always, because no profile is published; `REB_SIGNER`).
pub fn graduation(
    claim: &GraduationClaim,
    descriptors: &Descriptors,
    carrier: EvidenceId,
) -> (Option<AcceptedGraduation>, Vec<Finding>) {
    let case = Case {
        what: "graduation",
        address: &claim.address,
        from: claim.from_federation,
        into: claim.to_federation,
        proof: &claim.proof,
        profiles: &claim.profiles,
        declared_id: claim.declared_id,
        needs_self_key: true,
        carrier,
    };
    let (matched, findings) = case.judge(descriptors);
    let accepted = matched.map(|(profile, id)| AcceptedGraduation {
        id,
        address: claim.address.clone(),
        from: claim.from_federation,
        to: claim.to.clone(),
        to_federation: claim.to_federation,
        at: claim.graduated_at,
        profile,
        changed: if profile == "J" { claim.changed.clone() } else { Vec::new() },
    });
    (accepted, findings)
}

/// Judges a rotation: a quorum of the descriptor left. Findings as for [`graduation`].
pub fn rotation(
    claim: &RotationClaim,
    descriptors: &Descriptors,
    carrier: EvidenceId,
) -> (Option<AcceptedRotation>, Vec<Finding>) {
    let case = Case {
        what: "rotation",
        address: &claim.address,
        from: claim.from_federation,
        into: Some(claim.to_federation),
        proof: &claim.proof,
        profiles: &claim.profiles,
        declared_id: claim.declared_id,
        needs_self_key: false,
        carrier,
    };
    let (matched, findings) = case.judge(descriptors);
    let accepted = matched.map(|(profile, id)| AcceptedRotation {
        id,
        address: claim.address.clone(),
        from: claim.from_federation,
        to: claim.to_federation,
        at: claim.rotated_at,
        profile,
    });
    (accepted, findings)
}

/// What graduations and rotations have in common for the judge.
struct Case<'c> {
    what: &'static str,
    address: &'c str,
    from: DescriptorId,
    into: Option<DescriptorId>,
    proof: &'c [GuardianSignature],
    profiles: &'c [(&'static str, String)],
    declared_id: Option<Digest32>,
    needs_self_key: bool,
    carrier: EvidenceId,
}

/// One reading of what was signed, and what the signatures amount to under it.
struct Reading {
    profile: &'static str,
    id: Digest32,
    /// `the text` or `the id`.
    signed: &'static str,
    count: QuorumCount,
    self_key: SelfKey,
    self_key_status: &'static str,
    verdict: CustodyVerdict,
}

impl Reading {
    fn accepts(&self) -> bool {
        matches!(self.verdict, CustodyVerdict::Valid | CustodyVerdict::ValidWithNote)
    }
}

impl Case<'_> {
    fn judge(&self, descriptors: &Descriptors) -> (Option<(&'static str, Digest32)>, Vec<Finding>) {
        let descriptor = match self.governing(descriptors) {
            Ok(descriptor) => descriptor,
            Err(finding) => return (None, vec![*finding]),
        };
        let Some(reading) = self.best_reading(descriptor) else { return (None, Vec::new()) };
        let mut findings = self.signer_findings(&reading);
        if reading.accepts() {
            findings.push(self.profile_finding(descriptor, &reading));
            return (Some((reading.profile, reading.id)), findings);
        }
        findings.extend(self.refusals(descriptor, &reading));
        (None, findings)
    }

    fn finding(&self, code: Code) -> Finding {
        // Profile L is always there; its hash names the envelope whichever profile turns out to be signed.
        let id = self.profiles.first().map(|(_, text)| sha256(text.as_bytes()));
        let subject = Subject::new(self.what, id.unwrap_or_default()).and("address", self.address);
        Finding::new(code, subject).with_evidence(self.carrier, "carrier")
    }

    /// The descriptor whose guardians must sign.
    fn governing<'d>(&self, descriptors: &'d Descriptors) -> Result<&'d KnownDescriptor, Box<Finding>> {
        let Some(descriptor) = descriptors.get(&self.from).map(Verified::fact) else {
            let unknown = self
                .finding(Code::Unverifiable)
                .with_values(format!("descriptor fed:{}", self.from), "unknown")
                .with_explanation("the guardian descriptor was not among the evidence");
            return Err(Box::new(unknown));
        };
        let entered = self.into.and_then(|id| descriptors.get(&id)).map(Verified::fact);
        for known in [Some(descriptor), entered].into_iter().flatten() {
            if known.form != DescriptorForm::Custody || known.address.as_deref() != Some(self.address) {
                let foreign = self
                    .finding(Code::RebDescriptor)
                    .with_values(format!("a custody descriptor of {}", self.address), shown_id(known.form, known.id))
                    .with_explanation("the named descriptor does not govern this address");
                return Err(Box::new(foreign));
            }
        }
        Ok(descriptor)
    }

    /// The first reading that is accepted; else the one with the most valid signatures, the earliest of equals. Signers
    /// of one envelope use one reading: signatures of two readings are never added up.
    fn best_reading(&self, descriptor: &KnownDescriptor) -> Option<Reading> {
        let mut best: Option<Reading> = None;
        for (profile, text) in self.profiles {
            let id = sha256(text.as_bytes());
            let hex = id.to_hex();
            for (signed, bytes) in [("the text", text.as_bytes()), ("the id", hex.as_bytes())] {
                let reading = self.read(descriptor, profile, id, signed, bytes);
                if reading.accepts() {
                    return Some(reading);
                }
                let weight = |reading: &Reading| (reading.count.valid.len(), reading.self_key == SelfKey::Good);
                if best.as_ref().is_none_or(|best| weight(&reading) > weight(best)) {
                    best = Some(reading);
                }
            }
        }
        best
    }

    fn read(
        &self,
        descriptor: &KnownDescriptor,
        profile: &'static str,
        id: Digest32,
        signed: &'static str,
        message: &[u8],
    ) -> Reading {
        let holds = |listed: &GuardianSignature| bip322::verify_single_key(&listed.address, message, &listed.sig, None);
        let (own, others): (Vec<_>, Vec<_>) =
            self.proof.iter().partition(|listed| self.needs_self_key && listed.self_key);
        let votes: Vec<Vote<'_>> = others
            .into_iter()
            .map(|listed| Vote {
                signer: &listed.address,
                // Outsiders never count, so their signatures are not worth the work.
                valid: descriptor.guardians.contains(&listed.address) && holds(listed).is_ok(),
            })
            .collect();
        let mut count = quorum::count_custody(&descriptor.guardians, &votes);
        let (users, strangers): (Vec<_>, Vec<_>) = own.into_iter().partition(|listed| listed.address == self.address);
        count.outsiders.extend(strangers.into_iter().map(|listed| listed.address.clone()));
        let answers: Vec<_> = users.into_iter().map(holds).collect();
        let (self_key, self_key_status) = self.self_key(&answers);
        let verdict = quorum::judge_custody(&count, descriptor.threshold, self_key);
        Reading { profile, id, signed, count, self_key, self_key_status, verdict }
    }

    fn self_key(&self, answers: &[Result<(), Bip322Failure>]) -> (SelfKey, &'static str) {
        if !self.needs_self_key {
            return (SelfKey::NotNeeded, "");
        }
        if answers.iter().any(Result::is_ok) {
            return (SelfKey::Good, "");
        }
        match answers.first() {
            Some(Err(Bip322Failure::UnsupportedScript)) => (SelfKey::Bad, "self_key_unverifiable_script"),
            Some(Err(failure)) => (SelfKey::Bad, failure.status()),
            _ => (SelfKey::Absent, "absent"),
        }
    }

    fn signer_findings(&self, reading: &Reading) -> Vec<Finding> {
        let QuorumCount { outsiders, repeated, .. } = &reading.count;
        let signer = |address: &String, observed: &str| {
            let mut finding =
                self.finding(Code::RebSigner).with_values("each guardian of the descriptor at most once", observed);
            finding.subject = finding.subject.and("signer", address);
            finding
        };
        let strangers = outsiders.iter().map(|address| signer(address, "not a guardian: not counted"));
        strangers.chain(repeated.iter().map(|address| signer(address, "listed again: counted once"))).collect()
    }

    fn profile_finding(&self, descriptor: &KnownDescriptor, reading: &Reading) -> Finding {
        let mut observed = vec![
            format!("profile {} signed over {}", reading.profile, reading.signed),
            format!("{} valid of {} needed", reading.count.valid.len(), descriptor.threshold),
        ];
        if !reading.count.failed.is_empty() {
            observed.push(format!("{} signatures fail", reading.count.failed.len()));
        }
        if let Some(declared) = self.declared_id.filter(|declared| *declared != reading.id) {
            observed.push(format!("declared id {declared} is not {}", reading.id));
        }
        // Both readings of FORMATS 8.4, so that whoever learns the published one can tell which id it has.
        let candidates: Vec<String> =
            self.profiles.iter().map(|(name, text)| format!("{name} {}", sha256(text.as_bytes()))).collect();
        self.finding(Code::RebProfile)
            .with_values(
                format!("a published canonical message; candidates: {}", candidates.join(", ")),
                observed.join("; "),
            )
            .with_explanation("no source publishes the canonical message, so a candidate form was accepted")
    }

    fn refusals(&self, descriptor: &KnownDescriptor, reading: &Reading) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !reading.count.reaches(descriptor.threshold) {
            let status = if reading.count.valid.is_empty() { " (unverified_profile)" } else { "" };
            findings.push(
                self.finding(Code::RebQuorum)
                    .with_values(
                        format!("{} distinct valid guardian signatures", descriptor.threshold),
                        format!("{}{status}", reading.count.valid.len()),
                    )
                    .with_explanation("no candidate form of the message has a quorum of valid signatures"),
            );
        }
        if matches!(reading.self_key, SelfKey::Absent | SelfKey::Bad) {
            findings.push(
                self.finding(Code::RebSelfKey)
                    .with_values(format!("a valid signature by {}", self.address), reading.self_key_status)
                    .with_explanation("a graduation needs the user's own signature"),
            );
        }
        findings
    }
}

#[cfg(test)]
mod tests;
