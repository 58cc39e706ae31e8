//! The gateway's payment log, in the wire shape of one of three ranges of versions (TREASURY 1.3, 1.4).

use super::billing::index;
use super::json::{Object, quoted};
use super::junk::has_junk;
use super::postings::Flight;
use super::rng::Rng;
use super::time::{AS_OF, HOUR, MINUTE, Millis, START};
use crate::domain::sha256;

/// How a payment travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rail {
    LnIncoming,
    LnOutgoing,
    LnV2Incoming,
    LnV2Outgoing,
}

/// One Lightning payment through the gateway.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) rail: Rail,
    pub(super) at: Millis,
    pub(super) preimage: [u8; 32],
    pub(super) amount_msat: u64,
    pub(super) fee_msat: u64,
    pub(super) operation_id: String,
    /// Claim, refund and ephemeral key, compressed.
    pub(super) contract_keys: [String; 3],
    pub(super) expiration: u32,
    pub(super) is_failed: bool,
    /// A first attempt failed and was refunded.
    pub(super) is_retry: bool,
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Log id; ids between two entries belong to events that the log does not serve.
    pub id: u64,
    /// Event kind; unique only together with the module.
    pub kind: &'static str,
    /// The entry as JSON text.
    pub json: String,
}

/// How an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogShape {
    /// A tuple: gateway 0.6.
    Tuple,
    /// `event_id`, `event_kind`, `module` as a pair, `timestamp`, `value`: gateways 0.7 to 0.9.
    Prefixed,
    /// `id`, `kind`, `module` as an object, `ts_usecs`, `payload`: gateways 0.10 to 0.13.
    Plain,
}

impl LogShape {
    /// The shape in the world of that seed.
    pub fn of(seed: u64) -> Self {
        match seed % 3 {
            0 => Self::Tuple,
            1 => Self::Plain,
            _ => Self::Prefixed,
        }
    }

    /// An entry. `module` is its kind and id; `at` is in Unix microseconds; `payload` is JSON.
    pub fn entry(self, id: u64, kind: &'static str, module: Option<(&str, u8)>, at: i64, payload: &str) -> LogEntry {
        let pair = module.map(|(name, id)| format!("[{},{id}]", quoted(name)));
        let pair = pair.unwrap_or_else(|| "null".to_owned());
        let json = match self {
            Self::Tuple => format!("[{id},{},{pair},{at},{payload}]", quoted(kind)),
            Self::Prefixed => Object::new()
                .plain("event_id", id)
                .text("event_kind", kind)
                .raw("module", pair)
                .plain("timestamp", at)
                .raw("value", payload)
                .compact(),
            Self::Plain => {
                let object = module.map(|(name, id)| Object::new().text("kind", name).plain("id", id).compact());
                Object::new()
                    .plain("id", id)
                    .text("kind", kind)
                    .raw("module", object.unwrap_or_else(|| "null".to_owned()))
                    .plain("ts_usecs", at)
                    .raw("payload", payload)
                    .compact()
            }
        };
        LogEntry { id, kind, json }
    }
}

#[derive(Debug, Clone)]
struct Draft {
    at: Millis,
    kind: &'static str,
    module: Option<(&'static str, u8)>,
    payload: String,
}

/// sha256 of the consensus encoding of an LNv2 outgoing contract (TREASURY 1.4): variant, hash image, amount, expiration,
/// claim, refund and ephemeral key.
pub(super) fn outgoing_contract_id(leg: &Leg) -> String {
    let mut bytes = vec![0x00, 0x20];
    bytes.extend_from_slice(sha256(&leg.preimage).as_bytes());
    big_size(&mut bytes, leg.amount_msat + leg.fee_msat);
    big_size(&mut bytes, u64::from(leg.expiration));
    for key in &leg.contract_keys {
        let mut raw = [0; 33];
        // The keys are our own 66 hex digits.
        let _ = faster_hex::hex_decode(key.as_bytes(), &mut raw);
        bytes.extend_from_slice(&raw);
    }
    sha256(&bytes).to_hex()
}

/// BOLT-1 BigSize.
fn big_size(out: &mut Vec<u8>, number: u64) {
    let be = number.to_be_bytes();
    let (tag, tail): (Option<u8>, &[u8]) = match number {
        0..=0xfc => (None, &be[7..]),
        0xfd..=0xffff => (Some(0xfd), &be[6..]),
        0x1_0000..=0xffff_ffff => (Some(0xfe), &be[4..]),
        _ => (Some(0xff), &be),
    };
    out.extend(tag);
    out.extend_from_slice(tail);
}

/// The log of these payments and of other people's, oldest first, with ids far beyond one block of 10,000.
pub(super) fn payment_log(seed: u64, own: &[Flight]) -> Vec<LogEntry> {
    PaymentLog::new(seed, own).entries().collect()
}

/// The log by what it takes to sort and to rewrite its entries.
pub(super) struct PaymentLog<'a> {
    shape: LogShape,
    own: &'a [Flight],
    foreign: Vec<Leg>,
    stranger: Option<Draft>,
    /// Oldest first.
    entries: Vec<Logged>,
}

#[derive(Debug, Clone, Copy)]
struct Logged {
    at: Millis,
    id: u64,
    /// The payment, and which of its entries.
    leg: u32,
    step: u32,
}

impl<'a> PaymentLog<'a> {
    pub(super) fn new(seed: u64, own: &'a [Flight]) -> Self {
        let mut rng = Rng::new(seed, "payment log");
        // Every fifth world has a gateway that serves nobody else, and needs one attempt.
        let foreign = if seed % 5 == 3 { Vec::new() } else { foreign(&mut rng) };
        let stranger = has_junk(seed).then(|| {
            // A kind of a version to come, with a payload that is not JSON (TREASURY 1.3).
            let at = START + rng.range(0, AS_OF - START - HOUR);
            Draft { at, kind: "contract-novated", module: Some(("lnv3", 9)), payload: quoted("00ff") }
        });
        let mut log = Self { shape: LogShape::of(seed), own, foreign, stranger, entries: Vec::new() };
        for leg in 0..=own.len() + log.foreign.len() {
            for (step, draft) in log.drafts(leg).into_iter().enumerate() {
                log.entries.push(Logged { at: draft.at, id: 0, leg: index(leg), step: index(step) });
            }
        }
        log.entries.sort_unstable_by_key(|entry| (entry.at, entry.leg, entry.step));
        let tip = 12_000 + rng.below(14_000);
        let stride = (tip / u64::try_from(log.entries.len()).unwrap_or(1).max(1)).max(1);
        let mut id = rng.below(stride);
        for entry in &mut log.entries {
            id += 1 + rng.below(2 * stride - 1);
            entry.id = id;
        }
        log
    }

    /// What the log says about that payment: one of ours, of other people's, or after those what nobody knows.
    fn drafts(&self, leg: usize) -> Vec<Draft> {
        if let Some(flight) = self.own.get(leg) {
            // A first attempt that failed is known by nobody's settlement either.
            let leg_of = flight.leg();
            let is_retry = leg_of.is_retry && !self.foreign.is_empty();
            return attempts(&Leg { is_retry, ..leg_of }, leg);
        }
        match self.foreign.get(leg - self.own.len()) {
            Some(foreign) => attempts(foreign, leg),
            None => self.stranger.iter().cloned().collect(),
        }
    }

    /// Oldest first.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = LogEntry> + ExactSizeIterator + '_ {
        // The entries of a leg stand close together: what it is made of is kept until another one's turn.
        let (mut of, mut drafts) = (None, Vec::new());
        self.entries.iter().map(move |entry| {
            let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
            if of != Some(entry.leg) {
                (of, drafts) = (Some(entry.leg), self.drafts(at(entry.leg)));
            }
            let draft: &Draft = drafts.get(at(entry.step)).expect("the entry was made of this draft");
            self.shape.entry(entry.id, draft.kind, draft.module, draft.at * 1_000 + 567, &draft.payload)
        })
    }
}

fn foreign(rng: &mut Rng) -> Vec<Leg> {
    (0..90_u64)
        .map(|number| Leg {
            rail: match number % 4 {
                0 => Rail::LnIncoming,
                1 => Rail::LnOutgoing,
                2 => Rail::LnV2Incoming,
                _ => Rail::LnV2Outgoing,
            },
            at: START + rng.range(0, AS_OF - START - HOUR),
            preimage: rng.bytes::<32>(),
            amount_msat: 1_000 + rng.below(900_000_000),
            fee_msat: rng.below(9_000),
            operation_id: rng.hex::<32>(),
            contract_keys: [rng.hex::<32>(), rng.hex::<32>(), rng.hex::<32>()].map(|key| format!("03{key}")),
            expiration: 900_500,
            is_failed: number % 15 == 7 && number % 2 == 1,
            is_retry: false,
        })
        .collect()
}

/// What the gateway logs about one payment, a failed first attempt included: it has a contract and operation of its own.
fn attempts(leg: &Leg, index: usize) -> Vec<Draft> {
    let mut drafts = entries(leg, index);
    if leg.is_retry {
        let again = |text: &str| sha256(format!("{text} first").as_bytes()).to_hex();
        let contract_keys = leg.contract_keys.clone().map(|key| format!("02{}", again(&key)));
        let first = Leg {
            at: leg.at - 9 * MINUTE,
            operation_id: again(&leg.operation_id),
            contract_keys,
            is_failed: true,
            ..leg.clone()
        };
        drafts.extend(entries(&first, index));
        // The client's own side of the refund.
        let update = Object::new().text("operation_id", &first.operation_id).text("status", "Refunded");
        let module = Some(if leg.rail == Rail::LnOutgoing { ("ln", 1) } else { ("lnv2", 5) });
        drafts.push(Draft { at: first.at + 700, kind: "payment-send-update", module, payload: update.compact() });
    }
    drafts
}

/// What the gateway logs about one attempt. `tx-accepted` is the federation's word that the claim went through.
fn entries(leg: &Leg, index: usize) -> Vec<Draft> {
    let hash = sha256(&leg.preimage).to_hex();
    let (module, payloads) = match leg.rail {
        Rail::LnIncoming => (("ln", 1), ln_incoming(leg, &hash)),
        Rail::LnOutgoing => (("ln", 1), ln_outgoing(leg, &hash)),
        Rail::LnV2Incoming => (("lnv2", 5), lnv2_incoming(leg, &hash)),
        Rail::LnV2Outgoing => (("lnv2", 5), lnv2_outgoing(leg, &hash)),
    };
    let mut drafts: Vec<Draft> = (0..)
        .zip(payloads)
        .map(|(step, (kind, payload))| {
            let payload = payload.compact();
            Draft { at: leg.at - 2_400 + step * 1_100, kind, module: Some(module), payload }
        })
        .collect();
    if !leg.is_failed {
        let txid = sha256(format!("claim {index} {hash}").as_bytes()).to_hex();
        for (delay, kind) in [(300, "tx-created"), (1_900, "tx-accepted")] {
            let payload = Object::new().text("txid", &txid).text("operation_id", &leg.operation_id);
            drafts.push(Draft { at: leg.at + delay, kind, module: None, payload: payload.compact() });
        }
    }
    drafts
}

type Steps = Vec<(&'static str, Object)>;

fn ln_incoming(leg: &Leg, hash: &str) -> Steps {
    let started = Object::new()
        .text("contract_id", sha256(hash.as_bytes()).to_hex())
        .text("payment_hash", hash)
        .plain("invoice_amount", leg.amount_msat)
        .plain("contract_amount", leg.amount_msat)
        .text("operation_id", &leg.operation_id);
    let succeeded = Object::new().text("payment_hash", hash).text("preimage", faster_hex::hex_string(&leg.preimage));
    vec![
        ("incoming-payment-started", started),
        ("incoming-payment-succeeded", succeeded),
        ("complete-lightning-payment-succeeded", Object::new().text("payment_hash", hash)),
    ]
}

fn ln_outgoing(leg: &Leg, hash: &str) -> Steps {
    let contract_id = sha256(format!("{hash} {}", leg.operation_id).as_bytes()).to_hex();
    let [user_key, gateway_key, _] = &leg.contract_keys;
    let contract = Object::new()
        .text("hash", hash)
        .text("gateway_key", gateway_key)
        .plain("timelock", leg.expiration)
        .text("user_key", user_key)
        .plain("cancelled", false);
    let contract = Object::new().plain("amount", leg.amount_msat + leg.fee_msat).raw("contract", contract.compact());
    let started = Object::new()
        .text("contract_id", &contract_id)
        .plain("invoice_amount", leg.amount_msat)
        .text("operation_id", &leg.operation_id);
    let ended = Object::new().raw("outgoing_contract", contract.compact()).text("contract_id", &contract_id);
    let ended = if leg.is_failed {
        let error = Object::new().text("error_type", "LightningPayError").text("contract_id", &contract_id);
        ("outgoing-payment-failed", ended.raw("error", error.compact()))
    } else {
        ("outgoing-payment-succeeded", ended.text("preimage", faster_hex::hex_string(&leg.preimage)))
    };
    vec![("outgoing-payment-started", started), ended]
}

fn image(hash: &str) -> String {
    Object::new().text("Hash", hash).compact()
}

fn contract_v2(leg: &Leg, hash: &str) -> Object {
    let [claim, refund, ephemeral] = &leg.contract_keys;
    Object::new()
        .raw("payment_image", image(hash))
        .plain("amount", leg.amount_msat + leg.fee_msat)
        .plain("expiration", leg.expiration)
        .text("claim_pk", claim)
        .text("refund_pk", refund)
        .text("ephemeral_pk", ephemeral)
}

fn lnv2_incoming(leg: &Leg, hash: &str) -> Steps {
    let commitment = contract_v2(&Leg { fee_msat: 0, ..leg.clone() }, hash);
    let started = Object::new()
        .plain("operation_start", leg.at - 2_450)
        .raw("incoming_contract_commitment", commitment.compact())
        .plain("invoice_amount", leg.amount_msat);
    let by_image = Object::new().raw("payment_image", image(hash));
    vec![
        ("incoming-payment-started", started),
        ("incoming-payment-succeeded", by_image.clone()),
        ("complete-lightning-payment-succeeded", by_image),
    ]
}

fn lnv2_outgoing(leg: &Leg, hash: &str) -> Steps {
    let started = Object::new()
        .plain("operation_start", leg.at - 2_450)
        .raw("outgoing_contract", contract_v2(leg, hash).compact())
        .plain("min_contract_amount", leg.amount_msat + leg.fee_msat)
        .plain("invoice_amount", leg.amount_msat)
        .plain("max_delay", 144);
    let ended = Object::new().raw("payment_image", image(hash));
    let ended = if leg.is_failed {
        ("outgoing-payment-failed", ended.text("error", "Refunded"))
    } else {
        ("outgoing-payment-succeeded", ended.raw("target_federation", "null"))
    };
    vec![("outgoing-payment-started", started), ended]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_id_is_the_published_one() {
        // TREASURY 1.4 and 1.6: the worked example of an LNv2 send.
        let leg = Leg {
            rail: Rail::LnV2Outgoing,
            at: 0,
            preimage: [0x42; 32],
            amount_msat: 1_000_000,
            fee_msat: 10_150,
            operation_id: String::new(),
            contract_keys: [
                "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f".to_owned(),
                "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766".to_owned(),
                "02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337".to_owned(),
            ],
            expiration: 900_144,
            is_failed: false,
            is_retry: false,
        };
        assert_eq!(outgoing_contract_id(&leg), "a67c5aa45286344443c18c9164792ee106a713196b6a505923b377d783587816");
    }

    #[test]
    fn ids_rise_past_one_block_of_the_gateway() {
        let log = payment_log(5, &[]);
        assert!(log.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(log.first().is_some_and(|entry| entry.id < 10_000));
        assert!(log.last().is_some_and(|entry| entry.id > 10_000));
    }
}
