//! The closed table of what may become of a finding when evidence is added (docs/testing.md, "Laws").

use reledger::domain::{Code, Digest32, Divergence, KeyId, UserKey};
use reledger::evidence::SettlementEvent;
use reledger::ledger::People;
use reledger::verify::VerifiedSet;

use super::world::Judged;

/// About a record's own bytes or signatures, or about two signed records that contradict each other: stands for ever.
pub(super) const FOR_EVER: [Code; 34] = [
    Code::SrcParse,
    Code::SrcUnknownKind,
    Code::SrcSecretPresent,
    Code::EvtMalformed,
    Code::EvtBadId,
    Code::EvtBadSig,
    Code::EvtKindMismatch,
    Code::EvtBlanked,
    Code::EnvAddressMismatch,
    Code::EnvUnsigned,
    Code::EnvSigBad,
    Code::EnvWrapperDisagrees,
    Code::EnvDuplicateKey,
    Code::EnvSchema,
    Code::EnvEquivocation,
    Code::EnvDoubleBilling,
    Code::KeySetRewritten,
    Code::AttId,
    Code::AttFields,
    Code::AttSig,
    Code::AttScript,
    Code::RebDescriptor,
    Code::RebQuorum,
    Code::RebSigner,
    Code::RebSelfKey,
    Code::RebProfile,
    Code::OtsDigest,
    Code::OtsMalformed,
    Code::OtsLimit,
    Code::SigBad,
    Code::SigKeyUnknown,
    Code::SigUnsignedFields,
    Code::OpReplay,
    Code::OpConflict,
];

/// About a settlement that is posted: stands until the settlement is found to be the later one of a conflict.
pub(super) const WHILE_POSTED: [Code; 7] = [
    Code::OpMalformed,
    Code::FieldMissing,
    Code::DirWrong,
    Code::PreInvalid,
    Code::PreMissing,
    Code::SetDupPayout,
    Code::AdjUnexplained,
];

/// Something is not there: stands until it is.
pub(super) const UNTIL_FOUND: [Code; 16] = [
    Code::KeyUnknown,
    Code::KeyWrongSet,
    Code::KeyAlg,
    Code::KeyCompromised,
    Code::FeeUnreplayable,
    Code::RebGap,
    Code::RebFork,
    Code::RebGraduationMissing,
    Code::OtsAbsent,
    Code::OtsPending,
    Code::OtsOverdue,
    Code::OtsHeaderMissing,
    Code::SetMissing,
    Code::SetPending,
    Code::SetOrphan,
    Code::EscNeverFunded,
];

/// True when the finding may be gone, since what was added between the two judgements is what it named as absent.
pub(super) fn explained(gone: &Divergence, before: &Judged, after: &Judged) -> bool {
    if gone.code == Code::EnvSigBad {
        return rewritten_since(before, after);
    }
    if WHILE_POSTED.contains(&gone.code) {
        return after.ledgers.treasury.unposted.len() > before.ledgers.treasury.unposted.len();
    }
    UNTIL_FOUND.contains(&gone.code) && found(gone, before, after)
}

/// A key set that gives a kid a second key: another finding that stands for ever tells of it.
fn rewritten_since(before: &Judged, after: &Judged) -> bool {
    let rewritten = |judged: &Judged| judged.divergences.iter().filter(|it| it.code == Code::KeySetRewritten).count();
    rewritten(after) > rewritten(before)
}

fn found(gone: &Divergence, before: &Judged, after: &Judged) -> bool {
    let (old, new) = (&before.set, &after.set);
    match gone.code {
        Code::KeyUnknown | Code::KeyWrongSet | Code::KeyAlg => key(gone, before, after),
        Code::KeyCompromised => anchors(gone, old, new) || new.settlements.len() > old.settlements.len(),
        Code::FeeUnreplayable => new.configs.len() > old.configs.len() || new.envelopes.len() > old.envelopes.len(),
        Code::RebGap => new.envelopes.len() > old.envelopes.len() || new.bindings.len() > old.bindings.len(),
        // A step that brings custody back between the two rotations.
        Code::RebFork => new.graduations.len() + new.rotations.len() > old.graduations.len() + old.rotations.len(),
        Code::RebGraduationMissing => new.graduations.len() > old.graduations.len(),
        Code::OtsAbsent | Code::OtsPending | Code::OtsOverdue => anchors(gone, old, new),
        Code::OtsHeaderMissing => new.population.get("headers").accepted > old.population.get("headers").accepted,
        Code::SetMissing => paid_since(gone, before, after) || joined_since(gone, old, new),
        // A block or manifest that shows an earlier vesting makes what was pending due: the worse finding tells of it.
        Code::SetPending => paid_since(gone, before, after) || missing_now(gone, after) || joined_since(gone, old, new),
        Code::SetOrphan => {
            new.envelopes.len() > old.envelopes.len()
                || new.configs.len() > old.configs.len()
                || new.bindings.len() > old.bindings.len()
        }
        Code::EscNeverFunded => new.settlements.len() > old.settlements.len(),
        _ => false,
    }
}

fn paid_since(gone: &Divergence, before: &Judged, after: &Judged) -> bool {
    let people = &after.ledgers.people;
    payouts(gone, people, &after.set) > payouts(gone, people, &before.set)
}

/// A binding came that gives the user another name: what that name earned and was paid counts from then on.
fn joined_since(gone: &Divergence, before: &VerifiedSet, after: &VerifiedSet) -> bool {
    let Some(user) = gone.subject.get("user") else { return false };
    let bindings = |set: &VerifiedSet| {
        let messages = set.bindings.values().map(|binding| &binding.fact().message);
        messages.filter(|message| [&message.principal, &message.btc].iter().any(|name| *name == user)).count()
    };
    bindings(after) > bindings(before)
}

fn missing_now(gone: &Divergence, after: &Judged) -> bool {
    after.divergences.iter().any(|it| it.code == Code::SetMissing && it.subject == gone.subject)
}

/// The key that the kid names, or another answer about it, came; a second key may come to one that was of no use.
fn key(gone: &Divergence, before: &Judged, after: &Judged) -> bool {
    let kid = KeyId::from(gone.observed.as_str());
    let other = |judged: &Judged| {
        let about = judged.divergences.iter().filter(|it| it.subject == gone.subject && it.code != gone.code);
        about.filter(|it| matches!(it.code, Code::KeyAlg | Code::KeyWrongSet | Code::EnvSigBad)).count()
    };
    let known = |set: &VerifiedSet| set.keys.get(&kid).cloned();
    known(&before.set) != known(&after.set) || other(after) > other(before) || rewritten_since(before, after)
}

/// The proofs of the digest, or what they lead to, became more.
fn anchors(gone: &Divergence, before: &VerifiedSet, after: &VerifiedSet) -> bool {
    let Some(digest) = ["envelope", "attestation"].iter().find_map(|name| gone.subject.get(name)) else { return false };
    let Ok(digest) = digest.parse::<Digest32>() else { return false };
    let known = |set: &VerifiedSet| {
        set.anchors
            .get(&digest)
            .map_or((0, 0, 0), |state| (state.proofs.len(), state.confirmed.len(), state.header_missing.len()))
    };
    known(before) != known(after)
}

/// Settlements that name the user of the finding, or the distribution.
/// Payouts to the person, by the names that are joined in the end.
fn payouts(gone: &Divergence, people: &People, set: &VerifiedSet) -> usize {
    let Some(user) = gone.subject.get("user").map(UserKey::from) else { return 0 };
    let is_paid = |event: &SettlementEvent| {
        event.user.as_ref().is_some_and(|name| people.account_of(name) == people.account_of(&user))
    };
    set.settlements.values().filter(|settlement| is_paid(&settlement.fact().event)).count()
}
