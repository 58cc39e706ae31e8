//! What the treasury posted, as narrow as a large world needs it: payouts are by far the most, so only they have a form of
//! their own.

use super::cast::User;
use super::gateway_log::{Leg, Rail, outgoing_contract_id};
use super::history::Destination;
use super::rng::Rng;
use super::settlement::Settlement;
use super::time::Millis;
use crate::domain::{Digest32, EnvelopeId, sha256};

/// A settlement before it is written.
#[derive(Debug, Clone)]
pub(super) enum Posting {
    /// A user's share of a distribution.
    Payout(Payout),
    /// Anything else.
    Other(Box<Settlement>),
}

/// A user's share of a distribution, paid.
#[derive(Debug, Clone)]
pub(super) struct Payout {
    pub(super) at: Millis,
    pub(super) amount_sats: u64,
    pub(super) fee_sats: u64,
    pub(super) operation_id: [u8; 32],
    pub(super) preimage: [u8; 32],
    pub(super) user: u32,
    /// Which distribution.
    pub(super) distribution: u32,
    pub(super) names_gateway: bool,
}

/// What payouts refer to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Payees<'a> {
    pub(super) users: &'a [User],
    pub(super) destinations: &'a [Vec<Destination>],
    /// The id of each distribution, and until when what it pays had vested.
    pub(super) batches: &'a [(EnvelopeId, Millis)],
    pub(super) gateway_pubkey: &'a str,
}

impl Payees<'_> {
    /// Where the user was paid at that boundary.
    pub(super) fn destination(&self, user: usize, boundary: Millis) -> Option<&Destination> {
        self.destinations.get(user)?.iter().rfind(|destination| destination.from < boundary)
    }
}

impl Posting {
    pub(super) fn at(&self) -> Millis {
        match self {
            Self::Payout(payout) => payout.at,
            Self::Other(settlement) => settlement.settled_at,
        }
    }

    /// The settlement in full.
    pub(super) fn settlement(&self, payees: &Payees<'_>) -> Settlement {
        match self {
            Self::Payout(payout) => payout.settlement(payees),
            Self::Other(settlement) => settlement.as_ref().clone(),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Payout(_) => "distribution.settled",
            Self::Other(settlement) => settlement.kind,
        }
    }
}

impl Payout {
    fn settlement(&self, payees: &Payees<'_>) -> Settlement {
        let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        let (user, number) = (at(self.user), at(self.distribution));
        let batch = payees.batches.get(number);
        let destination = batch.and_then(|(_, boundary)| payees.destination(user, *boundary));
        Settlement {
            kind: "distribution.settled",
            direction: "out",
            amount_sats: self.amount_sats,
            settled_at: self.at,
            operation_id: faster_hex::hex_string(&self.operation_id),
            payment_hash: Some(sha256(&self.preimage).to_hex()),
            preimage: Some(faster_hex::hex_string(&self.preimage)),
            user_address: payees.users.get(user).map(|user| user.key.clone()),
            payout_binding_id: destination.map(|destination| destination.binding_id.clone()),
            distribution_id: batch.map(|(id, _)| id.to_string()),
            destination: destination.map(|destination| destination.address.clone()),
            gateway_pubkey: self.names_gateway.then(|| payees.gateway_pubkey.to_owned()),
            fee_sats: Some(self.fee_sats),
            ..Settlement::default()
        }
    }
}

/// A Lightning payment of ours through the gateway.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    rail: Rail,
    at: Millis,
    pub(super) preimage: [u8; 32],
    amount_msat: u64,
    fee_msat: u64,
    pub(super) operation_id: [u8; 32],
    contract_keys: [[u8; 32]; 3],
    expiration: u32,
    is_retry: bool,
}

impl Flight {
    /// Of that amount and fee in satoshi. Its operation id is the given one, unless the rail has it from the contract.
    pub(super) fn new(
        rail: Rail,
        at: Millis,
        (amount_sats, fee_sats): (u64, u64),
        operation_id: [u8; 32],
        rng: &mut Rng,
    ) -> Self {
        let mut flight = Self {
            rail,
            at,
            preimage: rng.bytes(),
            amount_msat: amount_sats * 1_000,
            fee_msat: fee_sats * 1_000,
            operation_id,
            contract_keys: [rng.bytes(), rng.bytes(), rng.bytes()],
            expiration: 900_000 + u32::try_from(rng.below(5_000)).unwrap_or(0),
            is_retry: matches!(rail, Rail::LnOutgoing | Rail::LnV2Outgoing) && rng.chance(8),
        };
        if rail == Rail::LnV2Outgoing {
            // TREASURY 1.4: the operation id of an LNv2 send is its contract id.
            flight.operation_id = bytes_of(&outgoing_contract_id(&flight.leg()));
        }
        flight
    }

    /// The payment in full.
    pub(super) fn leg(&self) -> Leg {
        Leg {
            rail: self.rail,
            at: self.at,
            preimage: self.preimage,
            amount_msat: self.amount_msat,
            fee_msat: self.fee_msat,
            operation_id: faster_hex::hex_string(&self.operation_id),
            contract_keys: self.contract_keys.map(|key| format!("02{}", faster_hex::hex_string(&key))),
            expiration: self.expiration,
            is_failed: false,
            is_retry: self.is_retry,
        }
    }
}

/// The bytes behind 64 hex digits of our own.
pub(super) fn bytes_of(hex: &str) -> [u8; 32] {
    hex.parse::<Digest32>().unwrap_or_default().0
}
