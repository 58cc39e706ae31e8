//! OC Me artifacts (FORMATS 3): their carriers before judgement, and what their signed bytes say.

use std::collections::BTreeMap;

use crate::domain::{
    BlockHeight, Digest32, EnvelopeId, KeyId, ProjectKey, Sats, SiteName, Subtype, UnixMicros, UserKey, WindowId,
};

use super::{Candidates, Named, OtsMember};
use crate::evidence::kept::Changed;

/// The OC Me artifacts (FORMATS 1 and 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OcMeKind {
    /// `oc-me-event`: billable event.
    Event,
    /// `oc-me-payment`.
    Payment,
    /// `oc-me-rebind`: custody transition.
    Rebind,
    /// `oc-me-trust`: trust attestation.
    Trust,
    /// `oc-me-payout-binding`.
    PayoutBinding,
    /// `oc-me-distribution`.
    Distribution,
    /// `oc-me-drop`: drop-window manifest.
    Drop,
    /// `oc-me-activity`: activity attestation; has no `d` prefix of its own.
    Activity,
}

impl OcMeKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Event,
        Self::Payment,
        Self::Rebind,
        Self::Trust,
        Self::PayoutBinding,
        Self::Distribution,
        Self::Drop,
        Self::Activity,
    ];

    /// The `kind` member and, with a colon, the `d` prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "oc-me-event",
            Self::Payment => "oc-me-payment",
            Self::Rebind => "oc-me-rebind",
            Self::Trust => "oc-me-trust",
            Self::PayoutBinding => "oc-me-payout-binding",
            Self::Distribution => "oc-me-distribution",
            Self::Drop => "oc-me-drop",
            Self::Activity => "oc-me-activity",
        }
    }
}

/// Which rule of FORMATS 3.1 step 1 produced a byte candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateRule {
    /// 1.1: a base64 (or verbatim `canonical`) member.
    CanonicalMember,
    /// 1.2: the carrier's bytes as they are.
    Verbatim,
    /// 1.2: the carrier's bytes minus one trailing line feed.
    VerbatimWithoutLf,
    /// 1.3: the exact source slice of an `envelope`, `event` or `attestation` member.
    MemberSlice,
    /// 1.4a: the object without wrapper members, received order, compact.
    StrippedReceivedOrder,
    /// 1.4b: the same in RFC 8785 order.
    StrippedJcs,
    /// Verbatim plus one line feed (FORMATS 13, row 4).
    VerbatimWithLf,
}

impl CandidateRule {
    /// True when the carrier is the signed bytes, so that nothing stands beside them.
    pub(crate) const fn is_carrier_itself(self) -> bool {
        match self {
            Self::Verbatim | Self::VerbatimWithoutLf | Self::VerbatimWithLf => true,
            Self::CanonicalMember | Self::MemberSlice | Self::StrippedReceivedOrder | Self::StrippedJcs => false,
        }
    }
}

/// A carrier of an OC Me artifact before any judgement.
#[derive(Debug, Clone)]
pub struct EnvelopeCarrier {
    /// What the `d` prefix (or the bundle's place) says it is.
    pub kind: OcMeKind,
    /// The declared id: the `d` suffix; or the bundle's `id`.
    pub declared_id: EnvelopeId,
    /// What may be its signed bytes, and what is.
    pub candidates: Candidates,
    /// Ed25519 signature, 64 bytes; `None` when absent or unreadable.
    pub sig: Option<[u8; 64]>,
    /// Key id.
    pub kid: Option<KeyId>,
    /// Algorithm members seen (`alg`, `crv`), for KEY_ALG.
    pub alg: Option<String>,
    /// Unsigned wrapper members that say something else than the signed bytes do under their names, and an `id` that is not the
    /// declared one: name and compact JSON text. Empty when no candidate hashes to the id.
    /// For a bundle with an `attestation`/`envelope` object beside `canonical_b64`: that object's members.
    pub wrapper: BTreeMap<String, String>,
    /// The `ots` member.
    pub ots: Option<OtsMember>,
    /// Set when a duplicate key stands in the wrapper.
    pub duplicate_key: Option<String>,
}

impl EnvelopeCarrier {
    /// The candidate that hashes to the declared id: the one that verify takes.
    pub fn named(&self) -> Option<Named<'_>> {
        self.candidates.named(self.kind, self.declared_id)
    }
}

/// What the verified bytes of an OC Me artifact say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OcMeBody {
    /// Billable event.
    Event(BillableEvent),
    /// Payment.
    Payment(Payment),
    /// Custody transition.
    Rebind(Rebind),
    /// Trust attestation: no ledger effect.
    Trust,
    /// Payout destination.
    PayoutBinding(PayoutBinding),
    /// Distribution batch.
    Distribution(Distribution),
    /// Drop manifest.
    Drop(DropManifest),
    /// Activity attestation.
    Activity(ActivityAttestation),
}

/// Billing class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum EventClass {
    /// Durable state.
    A,
    /// Action.
    B,
    /// Session.
    C,
}

impl EventClass {
    /// `A`, `B` or `C`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }

    /// The class of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::A, Self::B, Self::C].into_iter().find(|class| class.name() == name)
    }
}

/// A billable event, v1..v4 (FORMATS 3.2). Bytes: `v`, `class`, `subtype`, `occurred_at`, the four fee members, `site`
/// (`{domain}` or text; or `site_domain`), the first of `user_address`, `did_oc`, `identity`, `user`; optional
/// `project_key`, `is_agent`, `drop`, `idempotency_key`, `context.payment_amount_sats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillableEvent {
    /// Schema version 1..=4.
    pub v: u8,
    /// Class.
    pub class: EventClass,
    /// Subtype or custom event key.
    pub subtype: Subtype,
    /// Claimed time.
    pub occurred_at: UnixMicros,
    /// Site domain.
    pub site: SiteName,
    /// User.
    pub user: UserKey,
    /// Project, when named.
    pub project: Option<ProjectKey>,
    /// What the site pays.
    pub gross: Sats,
    /// The platform's part.
    pub platform: Sats,
    /// The user's part.
    pub user_earned: Sats,
    /// The site's rebate; in v1 the remainder.
    pub rebate: Sats,
    /// Whether an agent acted.
    pub is_agent: bool,
    /// The drop window it belongs to.
    pub drop: Option<DropRef>,
    /// The payment that a percentage price applies to.
    pub payment_amount: Option<Sats>,
    /// The integrator's idempotency key.
    pub idempotency_key: Option<String>,
}

/// A reference to a drop window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRef {
    /// The window.
    pub window: WindowId,
    /// The height at which it vests; `None` is by wall clock.
    pub close_height_target: Option<BlockHeight>,
}

/// A payment envelope. Bytes: `status`, `sats_charged`, `user_envelope_id`, `occurred_at`, a user as in [`BillableEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// `authorized`, `failed` or `cancelled`.
    pub status: String,
    /// What was charged.
    pub sats_charged: Option<Sats>,
    /// The billable event it belongs to.
    pub user_envelope_id: Option<EnvelopeId>,
    /// Claimed time.
    pub occurred_at: UnixMicros,
    /// User, when named.
    pub user: Option<UserKey>,
}

/// Who signs for a user (FORMATS 3.4). `bip-322` is read as `bip322`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CustodyState {
    /// Federation introduced by the operator.
    FedimintThreshold,
    /// Federation the user picked.
    FedimintClient,
    /// Self-custody.
    Bip322,
}

impl CustodyState {
    /// The wire name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FedimintThreshold => "fedimint_threshold",
            Self::FedimintClient => "fedimint_client",
            Self::Bip322 => "bip322",
        }
    }
}

/// A custody transition. Bytes: a user, `from`|`from_state`|`from_signing_method`, `to`|`to_state`|`to_signing_method`,
/// `occurred_at`|`rebound_at`, optional `from_federation`, `to_federation`, `prev`, `graduation_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebind {
    /// User.
    pub user: UserKey,
    /// State before.
    pub from: CustodyState,
    /// State after.
    pub to: CustodyState,
    /// Federation before.
    pub from_federation: Option<String>,
    /// Federation after.
    pub to_federation: Option<String>,
    /// Claimed time.
    pub at: UnixMicros,
    /// The previous rebind.
    pub prev: Option<EnvelopeId>,
    /// The graduation that goes with it.
    pub graduation: Option<Digest32>,
    /// What it says to be another than before.
    pub changed: Vec<Changed>,
}

impl Rebind {
    /// True when it goes with a graduation: it names one, or leaves a federation for self-custody.
    pub fn graduates(&self) -> bool {
        self.graduation.is_some() || self.from != CustodyState::Bip322 && self.to == CustodyState::Bip322
    }

    /// True when both ends name a federation, and not the same.
    pub fn changes_federation(&self) -> bool {
        self.from_federation.is_some() && self.to_federation.is_some() && self.from_federation != self.to_federation
    }
}

/// A payout destination. Bytes: a user, `destination`, `created_at`|`occurred_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutBinding {
    /// User.
    pub user: UserKey,
    /// Lightning or on-chain address.
    pub destination: String,
    /// Claimed time.
    pub created_at: UnixMicros,
}

/// A distribution batch. Bytes: `created_at`|`occurred_at`, and either `recipients` (each: a user, `amount_sats`,
/// `payout_binding_id`?) with optional `total_sats`, or one user with `amount_sats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Who gets how much.
    pub recipients: Vec<DistributionShare>,
    /// The declared total; `None` when not stated.
    pub total: Option<Sats>,
    /// Claimed time.
    pub created_at: UnixMicros,
}

/// One part of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DistributionShare {
    /// User.
    pub user: UserKey,
    /// Amount.
    pub amount: Sats,
    /// Payout binding, when named.
    pub binding: Option<String>,
}

/// A sealed drop window (FORMATS 3.7). Bytes: `window_id`, `sealed_at`, `event_count`, `gross_fee_sats`,
/// `user_share_sats`, optional `schedule_id`, `sealed_height`, `recipient_count`, `events_root`, `recipients_root`,
/// `event_ids`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropManifest {
    /// The window.
    pub window: WindowId,
    /// Its schedule.
    pub schedule: Option<String>,
    /// When it was sealed.
    pub sealed_at: UnixMicros,
    /// At which height.
    pub sealed_height: Option<BlockHeight>,
    /// Members.
    pub event_count: u64,
    /// Distinct users.
    pub recipient_count: Option<u64>,
    /// Sum of gross fees.
    pub gross: Sats,
    /// Sum of user shares.
    pub user_share: Sats,
    /// Merkle root over member ids; the tree rule is not published.
    pub events_root: Option<Digest32>,
    /// States a Merkle root over salted recipients; the salts are not public, so only a recipient can check it.
    pub has_recipients_root: bool,
    /// Members in the manifest's own order, when listed.
    pub event_ids: Vec<EnvelopeId>,
}

/// A signed cross-check of the envelope ledger (FORMATS 3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityAttestation {
    /// The user.
    pub user: UserKey,
    /// Events.
    pub event_count: u64,
    /// Events without an agent.
    pub human_event_count: u64,
    /// Sum of user shares.
    pub lifetime: Sats,
    /// Distinct projects.
    pub distinct_integrator_count: u64,
    /// The first event.
    pub oldest_event_at: Option<UnixMicros>,
    /// Distinct UTC dates.
    pub active_days: u64,
    /// The time it speaks for.
    pub computed_at: UnixMicros,
    /// Not valid from this time on.
    pub expires_at: UnixMicros,
}
