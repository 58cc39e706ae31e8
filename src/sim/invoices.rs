//! Lightning invoice records in four dialects: LND as lncli and as REST print it, Core Lightning, and the minimal one of
//! FORMATS 6.3 (TREASURY 3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bolt11::Invoice;
use super::json::Object;
use super::keys::KeyMaker;
use super::rng::Rng;
use super::time::{HOUR, MINUTE, MONTHS, Millis, seconds};
use crate::domain::sha256;

/// How a node writes its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Lncli,
    LndRest,
    CoreLightning,
    Minimal,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Somebody paid us.
    Received,
    /// We paid somebody.
    Sent {
        /// What the route cost.
        fee_msat: u64,
    },
    /// Nobody paid.
    Lapsed,
    /// Nobody has paid yet.
    Open,
}

/// An invoice before it is written.
pub(super) struct Draft {
    /// When it was settled; when it was made, for one that was not.
    pub(super) at: Millis,
    pub(super) preimage: [u8; 32],
    pub(super) amount_sats: u64,
    pub(super) fate: Fate,
    /// A portal's own record names its project.
    pub(super) project: Option<String>,
    pub(super) memo: String,
}

/// Three invoices that no settlement names: two lapsed, one waits.
pub(super) fn unpaid(rng: &mut Rng) -> Vec<Draft> {
    [(1, Fate::Lapsed), (2, Fate::Lapsed), (3, Fate::Open)]
        .into_iter()
        .map(|(month, fate)| Draft {
            at: MONTHS[month] + 8 * HOUR + rng.range(0, HOUR),
            preimage: rng.bytes(),
            amount_sats: 25_000,
            fate,
            // The portal of the first month writes its own record.
            project: (month == 1).then(String::new),
            memo: "never paid".to_owned(),
        })
        .collect()
}

/// The records, oldest first. A node's index has no hole; portals have none. One node serves a world.
pub(super) fn records(seed: u64, mut drafts: Vec<Draft>, keys: &KeyMaker) -> Vec<String> {
    let mut rng = Rng::new(seed, "invoices");
    let node_dialect = rng.pick(&[Dialect::Lncli, Dialect::LndRest, Dialect::CoreLightning, Dialect::Minimal]);
    let node = keys.keypair("lightning node");
    drafts.sort_by_key(|draft| (draft.at, draft.preimage));
    let mut written = Vec::with_capacity(drafts.len() + 1);
    let (mut made, mut paid) = (0, 0);
    for draft in &drafts {
        let dialect = if draft.project.is_some() { Dialect::Minimal } else { node_dialect };
        let payee = match draft.fate {
            Fate::Sent { .. } => keys.keypair(&format!("payee {}", draft.memo)),
            _ => node,
        };
        let invoice = Invoice {
            amount_sats: Some(draft.amount_sats),
            created_at: seconds(draft.made_at()),
            payment_hash: sha256(&draft.preimage).0,
            secret: rng.bytes(),
            description: &draft.memo,
            expiry: rng.chance(50).then_some(3_600),
        };
        let text = invoice.sign(&keys.secp, &payee);
        if !matches!(draft.fate, Fate::Sent { .. }) && dialect != Dialect::Minimal {
            made += 1;
            paid += u64::from(draft.fate == Fate::Received);
        }
        let record = match (dialect, draft.fate) {
            (Dialect::Minimal, _) => draft.minimal(&text),
            (Dialect::CoreLightning, _) => draft.core_lightning(&text, made, paid),
            (Dialect::Lncli | Dialect::LndRest, Fate::Sent { .. }) => draft.lnd_payment(&text),
            (Dialect::Lncli | Dialect::LndRest, _) => draft.lnd_invoice(&text, made, paid, dialect),
        };
        written.push(record.compact());
    }
    if written.len() == 100 {
        // Exactly a hundred looks like the default page of a node (SRC_CUTOFF_100).
        written.pop();
    }
    written
}

impl Draft {
    fn made_at(&self) -> Millis {
        if matches!(self.fate, Fate::Received | Fate::Sent { .. }) { self.at - 4 * MINUTE } else { self.at }
    }

    fn hash(&self) -> String {
        sha256(&self.preimage).to_hex()
    }

    fn preimage_hex(&self) -> String {
        faster_hex::hex_string(&self.preimage)
    }

    fn is_settled(&self) -> bool {
        matches!(self.fate, Fate::Received | Fate::Sent { .. })
    }

    fn minimal(&self, text: &str) -> Object {
        let status = match self.fate {
            Fate::Received | Fate::Sent { .. } => "settled",
            Fate::Lapsed => "expired",
            Fate::Open => "open",
        };
        let mut record = Object::new()
            .text("payment_hash", self.hash())
            .text("bolt11", text)
            .plain("amount_sats", self.amount_sats)
            .plain("amount_msat", self.amount_sats * 1_000)
            .text("status", status)
            .plain("created_at", seconds(self.made_at()));
        if self.is_settled() {
            record = record.plain("settled_at", seconds(self.at)).text("preimage", self.preimage_hex());
        }
        if let Some(project) = self.project.as_ref().filter(|project| !project.is_empty()) {
            record = record.text("project_key", project);
        }
        record.text("memo", &self.memo)
    }

    /// Core Lightning's `listinvoices` and `listpays`: integers, and members only once they mean something.
    fn core_lightning(&self, text: &str, made: u64, paid: u64) -> Object {
        let record = Object::new().text("bolt11", text).text("payment_hash", self.hash());
        let msat = self.amount_sats * 1_000;
        match self.fate {
            Fate::Sent { fee_msat } => record
                .text("status", "complete")
                .plain("amount_msat", msat)
                .plain("amount_sent_msat", msat + fee_msat)
                .plain("created_at", seconds(self.made_at()))
                .plain("completed_at", seconds(self.at))
                .text("preimage", self.preimage_hex()),
            Fate::Received => record
                .text("label", format!("invoice-{made}"))
                .text("description", &self.memo)
                .plain("amount_msat", msat)
                .text("status", "paid")
                .plain("expires_at", seconds(self.made_at() + HOUR))
                .plain("created_index", made)
                .plain("pay_index", paid)
                .plain("amount_received_msat", msat)
                .plain("paid_at", seconds(self.at))
                .text("payment_preimage", self.preimage_hex()),
            Fate::Lapsed | Fate::Open => record
                .text("label", format!("invoice-{made}"))
                .text("description", &self.memo)
                .plain("amount_msat", msat)
                .text("status", if self.fate == Fate::Open { "unpaid" } else { "expired" })
                .plain("expires_at", seconds(self.made_at() + HOUR))
                .plain("created_index", made),
        }
    }

    /// LND's `listinvoices`: 64-bit integers are texts, what was never set is zero or empty.
    fn lnd_invoice(&self, text: &str, made: u64, paid: u64, dialect: Dialect) -> Object {
        let bytes = |bytes: &[u8]| match dialect {
            Dialect::LndRest => STANDARD.encode(bytes),
            _ => faster_hex::hex_string(bytes),
        };
        let state = match self.fate {
            Fate::Received | Fate::Sent { .. } => "SETTLED",
            Fate::Lapsed => "CANCELED",
            Fate::Open => "OPEN",
        };
        let received = if self.is_settled() { self.amount_sats } else { 0 };
        Object::new()
            .text("memo", &self.memo)
            .text("r_preimage", bytes(&self.preimage))
            .text("r_hash", bytes(&sha256(&self.preimage).0))
            .plain_text("value", self.amount_sats)
            .plain_text("value_msat", self.amount_sats * 1_000)
            .plain("settled", self.is_settled())
            .plain_text("creation_date", seconds(self.made_at()))
            .plain_text("settle_date", if self.is_settled() { seconds(self.at) } else { 0 })
            .text("payment_request", text)
            .text("description_hash", "")
            .text("expiry", "3600")
            .raw("route_hints", "[]")
            .plain_text("add_index", made)
            .plain_text("settle_index", if self.is_settled() { paid } else { 0 })
            .plain_text("amt_paid_sat", received)
            .plain_text("amt_paid_msat", received * 1_000)
            .text("state", state)
            .plain("is_keysend", false)
    }

    /// LND's `listpayments`: hex in both interfaces.
    fn lnd_payment(&self, text: &str) -> Object {
        let fee_msat = if let Fate::Sent { fee_msat } = self.fate { fee_msat } else { 0 };
        Object::new()
            .text("payment_hash", self.hash())
            .plain_text("value_sat", self.amount_sats)
            .plain_text("value_msat", self.amount_sats * 1_000)
            .plain_text("creation_date", seconds(self.made_at()))
            .plain_text("creation_time_ns", seconds(self.made_at()) * 1_000_000_000)
            .text("payment_preimage", self.preimage_hex())
            .plain_text("fee_msat", fee_msat)
            .text("payment_request", text)
            .text("status", "SUCCEEDED")
            .text("failure_reason", "FAILURE_REASON_NONE")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Media, RawEvidence};
    use crate::evidence::{Claim, Decoded, InvoiceState, decode};

    #[test]
    fn every_dialect_is_read_as_it_was_meant() {
        let keys = KeyMaker::new(1);
        let mut shapes = std::collections::BTreeSet::new();
        for seed in 0..12 {
            let mut rng = Rng::new(seed, "test");
            let draft = |fate| Draft {
                at: MONTHS[1],
                preimage: [7; 32],
                amount_sats: 21_000,
                fate,
                project: None,
                memo: "m".to_owned(),
            };
            let mut drafts = vec![draft(Fate::Received), draft(Fate::Sent { fee_msat: 63_000 })];
            drafts.extend(unpaid(&mut rng));
            let records = records(seed, drafts, &keys);
            let read: Vec<_> = records
                .iter()
                .map(|line| {
                    let raw =
                        RawEvidence { media: Media::Invoice, about: String::new(), bytes: line.as_bytes().to_vec() };
                    let Decoded::Claim(claim, findings) = decode(&raw) else { panic!("{line}") };
                    assert_eq!(findings, []);
                    let Claim::Invoice(record) = *claim else { panic!("{line}") };
                    record
                })
                .collect();
            let settled: Vec<_> = read.iter().filter(|record| record.state == InvoiceState::Settled).collect();
            assert_eq!(settled.len(), 2);
            for record in settled {
                assert_eq!((record.asked_msat, record.preimage), (Some(21_000_000), Some([7; 32])), "{record:?}");
            }
            assert!(read.iter().any(|record| record.state == InvoiceState::Open));
            assert!(records.iter().all(|line| line.contains("lnbc")));
            shapes.insert(records[0].chars().take(12).collect::<String>());
        }
        assert!(shapes.len() > 1, "{shapes:?}");
    }
}
