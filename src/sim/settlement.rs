//! Signed settlements (FORMATS 6.1): eighteen members in signing order, Ed25519 over the compact bytes.

use super::json::Object;
use super::keys::Ed25519Key;
use super::time::{Millis, seconds};

/// The federation of the world.
pub(super) const FEDERATION: &str = "oc-me-v1";

/// What a settlement says. Members that a kind does not use stay `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Settlement {
    pub(super) kind: &'static str,
    pub(super) operation_id: String,
    pub(super) amount_sats: u64,
    pub(super) direction: &'static str,
    pub(super) settled_at: Millis,
    pub(super) txid: Option<String>,
    pub(super) operator_id: Option<String>,
    pub(super) payment_hash: Option<String>,
    pub(super) preimage: Option<String>,
    pub(super) gateway_pubkey: Option<String>,
    pub(super) project_key: Option<String>,
    pub(super) user_address: Option<String>,
    pub(super) payout_binding_id: Option<String>,
    pub(super) distribution_id: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) note: Option<String>,
    pub(super) fee_sats: Option<u64>,
}

impl Settlement {
    /// The members in signing order: absent ones are `null`, except the fee, which is left out.
    fn event(&self) -> Object {
        let event = Object::new()
            .text("kind", self.kind)
            .text("federation_slug", FEDERATION)
            .text("operation_id", &self.operation_id)
            .plain("amount_sats", self.amount_sats)
            .text("direction", self.direction)
            .plain("settled_at", seconds(self.settled_at))
            .text_or_null("payment_hash", self.payment_hash.as_deref())
            .text_or_null("preimage", self.preimage.as_deref())
            .text_or_null("txid", self.txid.as_deref())
            .text_or_null("gateway_pubkey", self.gateway_pubkey.as_deref())
            .text_or_null("project_key", self.project_key.as_deref())
            .text_or_null("user_address", self.user_address.as_deref())
            .text_or_null("payout_binding_id", self.payout_binding_id.as_deref())
            .text_or_null("distribution_id", self.distribution_id.as_deref())
            .text_or_null("operator_id", self.operator_id.as_deref())
            .text_or_null("destination", self.destination.as_deref())
            .text_or_null("note", self.note.as_deref());
        match self.fee_sats {
            Some(fee) => event.plain("fee_sats", fee),
            None => event,
        }
    }

    /// One line of the log. Every third line has its members sorted: only the signing order matters.
    pub(super) fn line(&self, key: &Ed25519Key, index: usize) -> String {
        let event = self.event();
        let canonical = event.compact();
        let transported = if index % 3 == 2 { event.sorted().compact() } else { canonical.clone() };
        let signed = Object::new()
            .raw("event", transported)
            .text("pubkey_hex", key.public_hex())
            .text("sig_hex", key.sign(canonical.as_bytes()));
        if index % 3 == 1 { Object::sorted(signed) } else { signed }.compact()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_bytes_are_the_published_ones() {
        // FORMATS 6.1: the parity vector and its variant with a fee.
        let mut settlement = Settlement {
            kind: "escrow.deposit",
            operation_id: "op-fixture-1".to_owned(),
            amount_sats: 100_000,
            direction: "in",
            settled_at: 1_779_408_000_000,
            project_key: Some("pk-fixture".to_owned()),
            ..Settlement::default()
        };
        let digest = |settlement: &Settlement| crate::domain::sha256(settlement.event().compact().as_bytes()).to_hex();
        assert_eq!(digest(&settlement), "4939667d6a69efc07f6a64fe849e611634e719ebaca4d0d62607c9ba83b811fc");
        settlement.fee_sats = Some(3);
        assert_eq!(digest(&settlement), "48bc42ffa65a36194b65db0215b3f44365bba58f2556e06776b9c3aeb7e40aee");
    }
}
