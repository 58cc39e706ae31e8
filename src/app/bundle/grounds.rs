//! What each code rests on: on what is there, on what is there as far as it goes, or on something being absent. Closed with
//! the list of codes, and part of the rule set's digest.

use crate::domain::{Code, Digest32, TaggedHasher};

/// The rule set's version: raised when a check comes to say something else about the same evidence, or in other words.
const RULES: &str = "1";

/// What further evidence could do to a divergence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grounds {
    /// Nothing: what is there is wrong by itself.
    Shown,
    /// Change it: it sums or orders the records of somebody. The words say what could.
    AsFar(&'static str),
    /// Take it back: it says that something is not there, or rests on somebody's unsigned word. A set of evidence can't show that.
    Absence(&'static str),
}

impl Grounds {
    pub(super) const fn of(code: Code) -> Self {
        match absence(code) {
            Some(words) => Self::Absence(words),
            None if is_shown(code) => Self::Shown,
            None => Self::AsFar(as_far(code)),
        }
    }
}

const fn absence(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::SrcShrank => "it compares with an earlier run, whose evidence is not part of this one",
        Code::SrcDrift => "it is about the configuration or the published lists of whoever made the bundle",
        Code::SrcUnreachable
        | Code::SrcEmpty
        | Code::SrcIncomplete
        | Code::SrcOmits
        | Code::SrcBlind
        | Code::SrcMisbehaves
        | Code::SrcCaptureGap
        | Code::SrcCutoff100 => {
            "it rests on the word of whoever asked the source: receipts and sightings are not signed"
        }
        Code::SrcKnownGap | Code::SrcTakenDown => "it is an absence that a register explains",
        Code::KeyUnknown => "a key set that holds the key would take it back",
        Code::KeyCompromised => "an anchor before the leak, or a settlement, would take it back",
        Code::FeeUnreplayable => "the price list or payment of that time would take it back",
        Code::RebGap => "the missing transition would take it back",
        Code::RebGraduationMissing => "the graduation would take it back",
        Code::OtsAbsent => "a proof would take it back",
        Code::OtsPending | Code::OtsOverdue => "a completed proof would take it back",
        Code::OtsHeaderMissing => "the header would take it back",
        Code::SetMissing | Code::SetPending => "the settlement would take it back",
        Code::SetOrphan => "the record that the settlement is for would take it back",
        Code::GwOpen => "the log entry that accepts the claim would take it back",
        Code::GwForeign => "gateway events of others are never put into a bundle",
        Code::EscNeverFunded => "a deposit would take it back",
        Code::BalanceMissingUser => "the statement's line for the user would take it back",
        Code::BalanceExtraUser => "an envelope of the user would take it back",
        Code::BudgetRto => "it is a duration of the run, which no evidence holds",
        Code::BudgetRpo => "a newer envelope would take it back",
        Code::Unverifiable => "the missing input would take it back",
        _ => return None,
    })
}

/// About a record's own bytes or signatures, or about two signed records that contradict each other: no further evidence takes
/// it back (docs/testing.md, "Laws").
const fn is_shown(code: Code) -> bool {
    matches!(
        code,
        Code::SrcParse
            | Code::SrcUnknownKind
            | Code::SrcSecretPresent
            | Code::EvtMalformed
            | Code::EvtBadId
            | Code::EvtBadSig
            | Code::EvtKindMismatch
            | Code::EvtBlanked
            | Code::EnvAddressMismatch
            | Code::EnvUnsigned
            | Code::EnvSigBad
            | Code::EnvWrapperDisagrees
            | Code::EnvDuplicateKey
            | Code::EnvSchema
            | Code::EnvEquivocation
            | Code::EnvDoubleBilling
            | Code::KeySetRewritten
            | Code::AttId
            | Code::AttFields
            | Code::AttSig
            | Code::AttScript
            | Code::RebDescriptor
            | Code::RebQuorum
            | Code::RebSigner
            | Code::RebSelfKey
            | Code::RebProfile
            | Code::OtsDigest
            | Code::OtsMalformed
            | Code::OtsLimit
            | Code::SigBad
            | Code::SigUnsignedFields
            | Code::OpReplay
            | Code::OpConflict
    )
}

const fn as_far(code: Code) -> &'static str {
    match code {
        Code::OpMalformed
        | Code::FieldMissing
        | Code::DirWrong
        | Code::PreInvalid
        | Code::PreMissing
        | Code::SetDupPayout
        | Code::AdjUnexplained => "an earlier settlement of the same operation would take its place",
        Code::DropTotals | Code::DropRoot => "a further member of the window could change it",
        Code::ActivityMismatch => "a further envelope of the user could change it",
        Code::CapSiteShare => "a further envelope of the user at another site could change it",
        Code::KeyAlg | Code::KeyWrongSet => "a key set of the envelope host with the key could change it",
        Code::FeeSplit => "a further price list of the project could change it",
        Code::OtsLate => "a proof that leads to an earlier block could change it",
        Code::HdrReorg => "further headers could change it",
        Code::SetLate | Code::SetEarly => "a further settlement or envelope of the user could change it",
        Code::MatchAmbiguous => "a record that tells the candidates apart could change it",
        Code::InvState => "a later record of the invoice could change it",
        Code::EscUnfunded | Code::EscNegative => "a further deposit or refund of the project could change it",
        Code::PlatformOveraccrued => "a further envelope could change it",
        Code::DistClosure => "a further settlement of the distribution could change it",
        Code::RebFork => "a step that brings custody back between the two could change it",
        Code::SigKeyUnknown => "a policy that pins the key would change it",
        Code::ConsCustody | Code::CustodyDrift => "a further settlement of the federation could change it",
        Code::UserOverpaid | Code::BalanceMismatch => "a further envelope or settlement of the user could change it",
        Code::BalanceRoot | Code::SampleInvalid => "a further envelope of any user could change it",
        Code::ChkRange | Code::SnapRegress => "a further checkpoint or snapshot could change it",
        _ => "it compares records: further ones could change it",
    }
}

/// Identifies the rules that a bundle was judged by: their version, and every code with its severity, step, meaning and
/// grounds.
pub(super) fn rule_set() -> Digest32 {
    let mut hasher = TaggedHasher::new("reledger/rules/1");
    hasher.field(RULES.as_bytes());
    for code in Code::ALL {
        hasher.field(code.name().as_bytes()).field(code.severity().name().as_bytes());
        hasher.field(&[code.step().number()]).field(code.meaning().as_bytes());
        let (kind, words) = match Grounds::of(*code) {
            Grounds::Shown => ("shown", ""),
            Grounds::AsFar(words) => ("as-far", words),
            Grounds::Absence(words) => ("absence", words),
        };
        hasher.field(kind.as_bytes()).field(words.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_and_wrong_is_shown_and_what_is_not_there_is_never_shown() {
        for code in [Code::EnvSigBad, Code::SigBad, Code::OpConflict, Code::KeySetRewritten, Code::EnvDoubleBilling] {
            assert_eq!(Grounds::of(code), Grounds::Shown, "{code}");
        }
        for code in
            [Code::SetMissing, Code::SetOrphan, Code::KeyUnknown, Code::OtsAbsent, Code::GwForeign, Code::SrcOmits]
        {
            assert!(matches!(Grounds::of(code), Grounds::Absence(_)), "{code}");
        }
        for code in [Code::EscUnfunded, Code::OtsRoot, Code::DirWrong, Code::RebFork, Code::BalanceMismatch] {
            assert!(matches!(Grounds::of(code), Grounds::AsFar(_)), "{code}");
        }
    }
}
