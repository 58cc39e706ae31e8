//! What signed bytes say, beside memory (`scratch`).

use std::sync::Arc;

use super::{
    ActivityAttestation, BillableEvent, CandidateRule, CustodyState, Distribution, DistributionShare, DropManifest,
    DropRef, EventClass, InvoiceDialect, InvoiceRecord, InvoiceState, OcMeBody, OcMeKind, Payment, PaymentLogEntry,
    PayoutBinding, Rebind, SettlementEvent,
};
use crate::domain::{Packed, packed_choice, packed_struct};
use crate::evidence::kept::{Changed, kept_name};

packed_choice!(OcMeKind { Event, Payment, Rebind, Trust, PayoutBinding, Distribution, Drop, Activity });
packed_choice!(CandidateRule {
    CanonicalMember,
    Verbatim,
    VerbatimWithoutLf,
    MemberSlice,
    StrippedReceivedOrder,
    StrippedJcs,
    VerbatimWithLf,
});
packed_choice!(EventClass { A, B, C });
packed_choice!(CustodyState { FedimintThreshold, FedimintClient, Bip322 });
packed_struct!(BillableEvent {
    v,
    class,
    subtype,
    occurred_at,
    site,
    user,
    project,
    gross,
    platform,
    user_earned,
    rebate,
    is_agent,
    drop,
    payment_amount,
    idempotency_key,
});
impl Packed for Changed {
    fn pack(&self, out: &mut Vec<u8>) {
        let Self { name, before, after } = self;
        (*name).to_owned().pack(out);
        before.pack(out);
        after.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let name = String::unpack(from)?;
        Some(Self { name: kept_name(&name)?, before: Packed::unpack(from)?, after: Packed::unpack(from)? })
    }
}

packed_struct!(DropRef { window, close_height_target });
packed_struct!(Payment { status, sats_charged, user_envelope_id, occurred_at, user });
packed_struct!(Rebind { user, from, to, from_federation, to_federation, at, prev, graduation, changed });
packed_struct!(PayoutBinding { user, destination, created_at });
packed_struct!(Distribution { recipients, total, created_at });
packed_struct!(DistributionShare { user, amount, binding });
packed_struct!(DropManifest {
    window,
    schedule,
    sealed_at,
    sealed_height,
    event_count,
    recipient_count,
    gross,
    user_share,
    events_root,
    has_recipients_root,
    event_ids,
});
packed_struct!(ActivityAttestation {
    user,
    event_count,
    human_event_count,
    lifetime,
    distinct_integrator_count,
    oldest_event_at,
    active_days,
    computed_at,
    expires_at,
});

packed_struct!(PaymentLogEntry {
    federation_id,
    id,
    module,
    kind,
    at,
    payment_hash,
    operation,
    contract,
    txid,
    amount_msat,
    contract_msat,
    fee_msat,
    preimage,
    known,
});
packed_choice!(InvoiceDialect { LndInvoice, LndPayment, CoreLightning, GatewayReceived, GatewaySent, Plain });
packed_choice!(InvoiceState { Open, Settled, Expired, Cancelled });
packed_struct!(InvoiceRecord {
    payment_hash,
    preimage,
    asked_msat,
    received_msat,
    fee_msat,
    state,
    settled_at,
    bolt11,
    index,
    project,
    dialect,
});
packed_struct!(SettlementEvent {
    kind,
    federation,
    operation,
    amount,
    direction,
    settled_at,
    payment_hash,
    preimage,
    txid,
    gateway_pubkey,
    project,
    user,
    payout_binding,
    distribution,
    operator,
    destination,
    note,
    fee,
});

/// The kind, and the fields of that kind.
impl Packed for OcMeBody {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(it) => pack(OcMeKind::Event, it, out),
            Self::Payment(it) => pack(OcMeKind::Payment, it, out),
            Self::Rebind(it) => pack(OcMeKind::Rebind, it, out),
            Self::Trust => OcMeKind::Trust.pack(out),
            Self::PayoutBinding(it) => pack(OcMeKind::PayoutBinding, it, out),
            Self::Distribution(it) => pack(OcMeKind::Distribution, it, out),
            Self::Drop(it) => pack(OcMeKind::Drop, it, out),
            Self::Activity(it) => pack(OcMeKind::Activity, it, out),
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(match OcMeKind::unpack(from)? {
            OcMeKind::Event => Self::Event(Packed::unpack(from)?),
            OcMeKind::Payment => Self::Payment(Packed::unpack(from)?),
            OcMeKind::Rebind => Self::Rebind(Packed::unpack(from)?),
            OcMeKind::Trust => Self::Trust,
            OcMeKind::PayoutBinding => Self::PayoutBinding(Packed::unpack(from)?),
            OcMeKind::Distribution => Self::Distribution(Packed::unpack(from)?),
            OcMeKind::Drop => Self::Drop(Packed::unpack(from)?),
            OcMeKind::Activity => Self::Activity(Packed::unpack(from)?),
        })
    }
}

fn pack(kind: OcMeKind, fields: &impl Packed, out: &mut Vec<u8>) {
    kind.pack(out);
    fields.pack(out);
}

impl Packed for Arc<OcMeBody> {
    fn pack(&self, out: &mut Vec<u8>) {
        (**self).pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        OcMeBody::unpack(from).map(Self::new)
    }
}
