//! The closed list of divergence codes (DIVERGENCES.md). A new code is a minor release, a changed meaning a major one.

use std::fmt;
use std::str::FromStr;

/// How bad a divergence is. `Critical` always blocks unfreezing writes; `Error` blocks unless acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stated for the record.
    Info,
    /// Should be looked at; never blocks.
    Warn,
    /// Blocks unless a signed, expiring acknowledgement names it.
    Error,
    /// Always blocks.
    Critical,
}

impl Severity {
    /// All of them, least first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warn, Self::Error, Self::Critical];

    /// The lower-case name used in reports and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The step of the operator's recovery runbook that a divergence belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// 0: fetching.
    Capture,
    /// 2: replaying Nostr.
    Replay,
    /// 3: OpenTimestamps and Bitcoin.
    Anchoring,
    /// 4: reconciling with the federation.
    Settlement,
    /// 5: balances.
    Balances,
    /// 6: checkpoints, snapshots, budgets.
    Seal,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 6] =
        [Self::Capture, Self::Replay, Self::Anchoring, Self::Settlement, Self::Balances, Self::Seal];

    /// The runbook's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Capture => 0,
            Self::Replay => 2,
            Self::Anchoring => 3,
            Self::Settlement => 4,
            Self::Balances => 5,
            Self::Seal => 6,
        }
    }

    /// What it is about, in a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Replay => "replay",
            Self::Anchoring => "anchoring",
            Self::Settlement => "federation",
            Self::Balances => "balances",
            Self::Seal => "seals",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $step:ident $meaning:literal;)*) => {
        /// What disagrees. See DIVERGENCES.md; `reledger explain CODE` prints the meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands in reports, for example `ENV_SIG_BAD`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The severity that the code has by itself.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// The runbook step.
            pub const fn step(self) -> Step {
                match self { $(Self::$variant => Step::$step,)* }
            }

            /// One sentence: what it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    SrcUnreachable "SRC_UNREACHABLE" Error Capture "a required source gave nothing at all";
    SrcEmpty "SRC_EMPTY" Error Capture "the population of a declared check is empty: nothing was checked";
    SrcIncomplete "SRC_INCOMPLETE" Error Capture "a slice has no sufficient basis: no EOSE, cut off, budget tripped, saturated second";
    SrcOmits "SRC_OMITS" Warn Capture "a source that claimed a slice complete lacks items that another has; its claim is withdrawn";
    SrcBlind "SRC_BLIND" Warn Capture "answers, but never with anything we asked for; its cursor does not move";
    SrcMisbehaves "SRC_MISBEHAVES" Warn Capture "flood, wrong filter, repeats, oversized or malformed frames, AUTH flood; counted, budgeted, kept as sample";
    SrcEquivocation "SRC_EQUIVOCATION" Critical Capture "two captures of one source, or two sources, show conflicting signed histories; both kept as a portable proof";
    SrcShrank "SRC_SHRANK" Critical Capture "a source that must only grow now holds fewer items than a sealed earlier run";
    SrcCaptureGap "SRC_CAPTURE_GAP" Error Capture "pages do not cover the window: missing page, cursor loop or regress, count differs from items, index hole";
    SrcCutoff100 "SRC_CUTOFF_100" Error Capture "exactly 100 invoices or payments: an unpaged default call";
    SrcParse "SRC_PARSE" Warn Capture "a record can't be read; bytes kept with offset and hash (error when the source is a settlement log)";
    SrcUnknownKind "SRC_UNKNOWN_KIND" Info Capture "a (module, kind) or family kind not in the table; kept, not counted";
    SrcSecretPresent "SRC_SECRET_PRESENT" Warn Capture "bearer notes in the input; only the field path is kept";
    SrcDrift "SRC_DRIFT" Warn Capture "relay, kind or key lists disagree between config, profile and published documents";
    SrcKnownGap "SRC_KNOWN_GAP" Info Capture "absence inside a registered gap (explained)";
    SrcTakenDown "SRC_TAKEN_DOWN" Info Capture "absence listed in the relay's transparency log (explained)";
    EvtMalformed "EVT_MALFORMED" Warn Replay "not a NIP-01 event, limits exceeded, duplicate JSON keys, bad UTF-8";
    EvtBadId "EVT_BAD_ID" Error Replay "id is not the sha256 of the serialisation";
    EvtBadSig "EVT_BAD_SIG" Error Replay "BIP-340 fails";
    EvtNotEnvelope "EVT_NOT_ENVELOPE" Info Replay "probe, noise or foreign content under a family d-tag";
    EvtKindMismatch "EVT_KIND_MISMATCH" Warn Replay "content kind contradicts the d-tag's owner";
    EvtBlanked "EVT_BLANKED" Warn Replay "a replacement carries no content for an id already held; the held envelope stays";
    EnvAddressMismatch "ENV_ADDRESS_MISMATCH" Critical Replay "no byte candidate hashes to the declared id";
    EnvUnsigned "ENV_UNSIGNED" Error Replay "no signature or kid; not counted";
    EnvSigBad "ENV_SIG_BAD" Critical Replay "Ed25519 over the canonical bytes fails";
    EnvWrapperDisagrees "ENV_WRAPPER_DISAGREES" Critical Replay "an unsigned wrapper member contradicts the signed bytes";
    EnvDuplicateKey "ENV_DUPLICATE_KEY" Error Replay "duplicate JSON keys inside signed bytes";
    EnvSchema "ENV_SCHEMA" Warn Replay "verified bytes whose fields can't be read; stored, not counted";
    EnvEquivocation "ENV_EQUIVOCATION" Critical Replay "two signed envelopes claim one identity (idempotency key, window, rebind predecessor) with different content";
    EnvDoubleBilling "ENV_DOUBLE_BILLING" Error Replay "two ids, one (project, idempotency key)";
    EnvTime "ENV_TIME" Warn Replay "claimed time in the future of the as-of, or later than its anchor allows";
    KeyUnknown "KEY_UNKNOWN" Error Replay "kid not in any captured JWKS; not counted";
    KeyWrongSet "KEY_WRONG_SET" Error Replay "signed by a key of the auth host, not of the envelope host";
    KeyAlg "KEY_ALG" Critical Replay "algorithm or curve other than Ed25519 offered";
    KeyCompromised "KEY_COMPROMISED" Error Replay "under a leaked kid, neither anchored before the compromise nor matched by a settlement; excluded, both totals shown";
    KeySetRewritten "KEY_SET_REWRITTEN" Critical Replay "a kid's key changed between captures";
    FeeSplit "FEE_SPLIT" Error Replay "fee invariants or the replayed rule fail";
    FeeUnreplayable "FEE_UNREPLAYABLE" Info Replay "the price config or payment amount valid at that time is not known";
    AmtRange "AMT_RANGE" Critical Replay "amount outside the supply, negative, fractional, or a sum overflows";
    DropTotals "DROP_TOTALS" Critical Replay "manifest count or totals differ from its members";
    DropRoot "DROP_ROOT" Warn Replay "Merkle root not reproduced by any known rule";
    DropWindow "DROP_WINDOW" Error Replay "window over 92 days, boundary moved later, vested late";
    ActivityMismatch "ACTIVITY_MISMATCH" Error Replay "a signed activity attestation contradicts the rebuilt ledger as of its time";
    AttId "ATT_ID" Error Replay "the attestation id is not the sha256 of its message";
    AttFields "ATT_FIELDS" Error Replay "JSON members contradict the signed attestation message";
    AttSig "ATT_SIG" Error Replay "the BIP-322 signature over the attestation message fails";
    AttScript "ATT_SCRIPT" Info Replay "signature type that BIP-322 simple does not cover";
    CapClassADay "CAP_CLASS_A_DAY" Warn Replay "a published abuse limit is exceeded";
    CapClassAMonth "CAP_CLASS_A_MONTH" Warn Replay "a published abuse limit is exceeded";
    CapSiteShare "CAP_SITE_SHARE" Warn Replay "a published abuse limit is exceeded";
    CapReview "CAP_REVIEW" Info Replay "class A earnings reach the review threshold";
    RebGap "REB_GAP" Error Replay "a transition does not start from the replayed state: one is missing";
    RebDescriptor "REB_DESCRIPTOR" Critical Replay "descriptor id is not its hash, or the descriptor is malformed";
    RebQuorum "REB_QUORUM" Critical Replay "fewer than M distinct valid guardian signatures";
    RebSigner "REB_SIGNER" Error Replay "outsider or repeated guardian (counted once)";
    RebSelfKey "REB_SELF_KEY" Critical Replay "graduation without a valid self-key signature";
    RebFork "REB_FORK" Critical Replay "two valid rotations leave one descriptor";
    RebAnchorTime "REB_ANCHOR_TIME" Error Replay "claimed time contradicts the anchoring block";
    RebGraduationMissing "REB_GRADUATION_MISSING" Info Replay "federation to bip322 without a graduation envelope";
    RebInvariant "REB_INVARIANT" Error Replay "address, tier, history or rate changed across a graduation";
    RebProfile "REB_PROFILE" Info Replay "accepted under a candidate canonicalisation; named in the report";
    OtsAbsent "OTS_ABSENT" Info Anchoring "no proof; queued for anchoring";
    OtsPending "OTS_PENDING" Info Anchoring "pending inside its budget (explained)";
    OtsOverdue "OTS_OVERDUE" Warn Anchoring "pending past its budget; queued";
    OtsDigest "OTS_DIGEST" Error Anchoring "proof commits to another digest, or is not rooted at the id";
    OtsMalformed "OTS_MALFORMED" Error Anchoring "can't be parsed, unknown op, trailing bytes";
    OtsLimit "OTS_LIMIT" Error Anchoring "proof exceeds size, op, depth or result limits";
    OtsRoot "OTS_ROOT" Critical Anchoring "the walked root is not the header's Merkle root";
    OtsHeaderMissing "OTS_HEADER_MISSING" Warn Anchoring "height beyond the known chain: not established";
    OtsClaim "OTS_CLAIM" Warn Anchoring "declared height or hash differs from the verified attestation";
    OtsCalendar "OTS_CALENDAR" Warn Anchoring "names a calendar outside the allow-list; not contacted";
    OtsLate "OTS_LATE" Warn Anchoring "anchored after the promised interval plus Bitcoin's own latency";
    OtsBeforeClaim "OTS_BEFORE_CLAIM" Error Anchoring "anchored in a block earlier than the claimed time allows: post-dated";
    HdrInvalid "HDR_INVALID" Critical Anchoring "proof of work, target, linkage or checkpoint fails";
    HdrReorg "HDR_REORG" Warn Anchoring "anchor block left the most-work chain; re-evaluated";
    SigBad "SIG_BAD" Critical Settlement "settlement signature fails over the canonical bytes";
    SigKeyUnknown "SIG_KEY_UNKNOWN" Error Settlement "valid signature by a key that is not pinned for that federation and time";
    SigUnsignedFields "SIG_UNSIGNED_FIELDS" Warn Settlement "members outside the signed bytes";
    OpReplay "OP_REPLAY" Info Settlement "same operation id, identical event";
    OpConflict "OP_CONFLICT" Critical Settlement "same operation id, different event";
    OpMalformed "OP_MALFORMED" Warn Settlement "operation id is not a Fedimint operation id";
    FieldMissing "FIELD_MISSING" Error Settlement "a target or anchor that the kind requires is null";
    DirWrong "DIR_WRONG" Error Settlement "direction not allowed for the kind";
    PreInvalid "PRE_INVALID" Critical Settlement "sha256(preimage) is not the payment hash";
    PreMissing "PRE_MISSING" Warn Settlement "outgoing Lightning settlement without a preimage";
    InvBad "INV_BAD" Error Settlement "invoice does not parse, bad signature, hash or amount differs";
    InvState "INV_STATE" Error Settlement "settlement points to an unpaid, cancelled or expired invoice";
    InvOverpaid "INV_OVERPAID" Warn Settlement "received more than asked; booked to suspense";
    InvUnderpaid "INV_UNDERPAID" Error Settlement "received less than asked";
    SetMissing "SET_MISSING" Error Settlement "a liability is due and not settled";
    SetPending "SET_PENDING" Info Settlement "outstanding, not yet due (explained)";
    SetLate "SET_LATE" Warn Settlement "outside its window";
    SetEarly "SET_EARLY" Warn Settlement "outside its window";
    SetOrphan "SET_ORPHAN" Error Settlement "a valid settlement that no ledger fact explains";
    SetDupPayout "SET_DUP_PAYOUT" Critical Settlement "one payout twice";
    AmtMismatch "AMT_MISMATCH" Error Settlement "same key, other integer";
    AmtResidue "AMT_RESIDUE" Info Settlement "sub-sat residue, booked to rounding";
    UnitSuspect "UNIT_SUSPECT" Error Settlement "ratio of exactly 1000";
    FeeSettlement "FEE_SETTLEMENT" Warn Settlement "routing fee matches no basis, or is above the client's limit";
    FeeLimit "FEE_LIMIT" Warn Settlement "routing fee matches no basis, or is above the client's limit";
    MatchContradiction "MATCH_CONTRADICTION" Error Settlement "two rules give different partners";
    MatchAmbiguous "MATCH_AMBIGUOUS" Warn Settlement "several candidates, none accepted";
    GwOpen "GW_OPEN" Warn Settlement "Lightning leg done, claim not accepted; error after 24 h";
    GwPhantom "GW_PHANTOM" Critical Settlement "reported failed, the node shows it settled";
    GwForeign "GW_FOREIGN" Info Settlement "gateway events of others: count and total only";
    EscUnfunded "ESC_UNFUNDED" Error Settlement "billed beyond escrow; the shortest prefix that shows it";
    EscNeverFunded "ESC_NEVER_FUNDED" Warn Settlement "project with envelopes and no deposit: simulation?";
    EscNegative "ESC_NEGATIVE" Critical Settlement "escrow below zero after all facts";
    UserOverpaid "USER_OVERPAID" Critical Settlement "settled above vested";
    PlatformOveraccrued "PLATFORM_OVERACCRUED" Error Settlement "platform accruals above platform fees";
    DistClosure "DIST_CLOSURE" Error Settlement "a distribution's parts differ from its total";
    AdjUnexplained "ADJ_UNEXPLAINED" Error Settlement "adjustment without note or reference";
    ConsCustody "CONS_CUSTODY" Critical Settlement "custody is not the sum of liabilities";
    ConsBug "CONS_BUG" Critical Settlement "an entry or trial balance is not zero: a bug of ours, exit 70";
    CustodyDrift "CUSTODY_DRIFT" Error Settlement "ledger custody differs from an observed balance, in either direction";
    BalanceMismatch "BALANCE_MISMATCH" Critical Balances "recomputed balance differs from the reported one";
    BalanceMissingUser "BALANCE_MISSING_USER" Critical Balances "user on one side only";
    BalanceExtraUser "BALANCE_EXTRA_USER" Critical Balances "user on one side only";
    BalanceRoot "BALANCE_ROOT" Critical Balances "sum root or total differs";
    SampleInvalid "SAMPLE_INVALID" Error Balances "sample not derivable from its seed and commitment, or chosen by the operator";
    ChkChain "CHK_CHAIN" Critical Seal "checkpoint does not extend its predecessor, or two roots for one sequence number";
    ChkRange "CHK_RANGE" Critical Seal "ranges overlap or leave a hole";
    SnapSignature "SNAP_SIGNATURE" Critical Seal "signature_mismatch / checksum_error; nothing is written";
    SnapChecksum "SNAP_CHECKSUM" Critical Seal "signature_mismatch / checksum_error; nothing is written";
    SnapRegress "SNAP_REGRESS" Critical Seal "fewer entries than an earlier snapshot";
    SnapUnsafe "SNAP_UNSAFE" Critical Seal "traversal, link, device, duplicate, size conflict, bomb";
    BudgetRto "BUDGET_RTO" Warn Seal "recovery objective missed (exit 4)";
    BudgetRpo "BUDGET_RPO" Warn Seal "recovery objective missed (exit 4)";
    Unverifiable "UNVERIFIABLE" Info Balances "the check was not possible with the given inputs";
}

impl Code {
    /// True when the divergence blocks unfreezing writes while it is open.
    pub const fn blocks(self) -> bool {
        matches!(self.severity(), Severity::Error | Severity::Critical)
    }

    /// True when the code is listed but never fails a run by itself: the check could not be made (exit 3 instead).
    pub const fn is_incompleteness(self) -> bool {
        matches!(
            self,
            Self::SrcEmpty | Self::SrcIncomplete | Self::SrcUnreachable | Self::OtsHeaderMissing | Self::Unverifiable
        )
    }
}

impl Code {
    /// True when something declared was not established, whoever accepts that: the run is incomplete (exit 3) while it is
    /// not explained.
    pub const fn is_shortfall(self) -> bool {
        matches!(
            self,
            Self::SrcEmpty
                | Self::SrcIncomplete
                | Self::SrcUnreachable
                | Self::SrcCaptureGap
                | Self::SrcCutoff100
                | Self::OtsHeaderMissing
        )
    }

    /// True for what nobody can accept: balances that differ (DIVERGENCES: `BALANCE_*`).
    pub const fn is_about_balances(self) -> bool {
        matches!(self, Self::BalanceMismatch | Self::BalanceMissingUser | Self::BalanceExtraUser | Self::BalanceRoot)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.name() == text).ok_or(())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|()| serde::de::Error::custom("not a divergence code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_back_and_is_listed_once() {
        for code in Code::ALL {
            assert_eq!(code.name().parse(), Ok(*code));
        }
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
