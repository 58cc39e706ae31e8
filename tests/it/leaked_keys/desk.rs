//! A world of one leaked kid: an envelope for every cell, on four blocks and a header that stands alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use reledger::domain::{
    BlockHash, BlockHeight, Checkpoint, HeaderPolicy, Media, PinnedKey, RawEvidence, TrustPolicy, sha256,
};
use reledger::sim::{Hand, World};
use reledger::verify::HeaderTrust;
use serde_json::{Value, json};

use super::{KINDS, Kid, Kind, PROOFS, Proof};
use crate::scenarios::proof::{CALENDAR, base64, header_hash, pending, shown_hash, waiting, work};
use crate::scenarios::scene::{AS_OF, iso};

/// The leaked kid.
pub(super) const KID: &str = "env-leaked";
/// 2026-08-01T00:00:00Z, when it leaked.
pub(super) const LEAK: i64 = 1_785_542_400;
/// Height of the header that no chain reaches: above every pinned epoch.
const ALONE: usize = 2_500_000;
/// The easiest target there is.
const BITS: u32 = 0x207f_ffff;
const DAY: i64 = 86_400;

static PENS: LazyLock<Hand> = LazyLock::new(|| World::generate(1, 10).hand());

/// One envelope.
pub(crate) struct Cell {
    pub(super) proof: Proof,
    pub(super) kind: Kind,
    pub(super) id: String,
    /// What its user earns, for an event.
    pub(super) sats: i128,
    bytes: Vec<u8>,
}

pub(super) struct Desk {
    pub(super) cells: Vec<Cell>,
    key_sets: Vec<String>,
    events: Vec<String>,
    settlements: Vec<String>,
    /// The chain from height 0.
    headers: Vec<[u8; 80]>,
    alone: [u8; 80],
}

pub(super) fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "oc-me-event",
        Kind::Distribution => "oc-me-distribution",
        Kind::PayoutBinding => "oc-me-payout-binding",
        Kind::Rebind => "oc-me-rebind",
        Kind::Drop => "oc-me-drop",
    }
}

/// What the artifact says; claimed a day before the leak, as whoever has the key would claim.
fn body(kind: Kind, number: usize) -> (Value, i128) {
    let (at, user) = (iso(LEAK - DAY), format!("bc1quser{number}"));
    let unit = 1_u64 << number;
    let body = match kind {
        Kind::Event => json!({
            "v": 3, "class": "C", "subtype": "session_creation", "user_address": user, "site": {"domain": "a.example"},
            "gross_fee_sats": 10 * unit, "platform_fee_sats": 2 * unit, "user_earned_sats": 5 * unit,
            "site_rebate_sats": 3 * unit, "occurred_at": at,
        }),
        Kind::Distribution => json!({
            "v": 1, "kind": prefix(kind), "created_at": at, "total_sats": unit,
            "recipients": [{"user_address": user, "amount_sats": unit}],
        }),
        Kind::PayoutBinding => json!({
            "v": 1, "kind": prefix(kind), "created_at": at, "user_address": user, "destination": "u@wallet.example",
        }),
        Kind::Rebind => json!({
            "v": 1, "kind": prefix(kind), "occurred_at": at, "user_address": user, "from": "bip322",
            "to": "fedimint_threshold",
        }),
        Kind::Drop => json!({
            "v": 1, "kind": prefix(kind), "sealed_at": at, "window_id": format!("w{number}"), "event_count": 0,
            "gross_fee_sats": 0, "user_share_sats": 0,
        }),
    };
    let sats = if kind == Kind::Event { i128::from(5 * unit) } else { 0 };
    (body, sats)
}

/// The height of the block that anchors it.
const fn height(proof: Proof) -> Option<usize> {
    match proof {
        Proof::AnchoredBefore => Some(1),
        Proof::AnchoredAtTheSameSecond => Some(2),
        Proof::AnchoredAfter | Proof::AnchoredAfterButSettled | Proof::AnchoredAfterAndMisnamed => Some(3),
        Proof::AnchoredBeforeUnderAnIsolatedHeaderOnly => Some(ALONE),
        Proof::Pending | Proof::Never => None,
    }
}

/// Seconds from the leak to the block, and how far its header is trusted.
pub(super) fn anchor(proof: Proof) -> Option<(i64, HeaderTrust)> {
    match height(proof)? {
        ALONE => Some((-1_000, HeaderTrust::Isolated)),
        1 => Some((-1, HeaderTrust::Chain)),
        2 => Some((0, HeaderTrust::Chain)),
        _ => Some((1, HeaderTrust::Chain)),
    }
}

/// The root over these digests, and the way to it from each: a chain that takes one digest after the other.
fn tree(digests: &[[u8; 32]]) -> ([u8; 32], Vec<Vec<u8>>) {
    let mut root = [0; 32];
    let mut ways: Vec<Vec<u8>> = Vec::new();
    for digest in digests {
        // 0xf0 appends, 0xf1 prepends 32 bytes, 0x08 hashes.
        for way in &mut ways {
            way.extend([&[0xf0, 32][..], digest, &[0x08]].concat());
        }
        ways.push([&[0xf1, 32][..], &root, &[0x08]].concat());
        root = sha256(&[root, *digest].concat()).0;
    }
    (root, ways)
}

fn header(previous: [u8; 32], root: [u8; 32], time: i64) -> [u8; 80] {
    let mut header = [0; 80];
    header[..4].copy_from_slice(&4_u32.to_le_bytes());
    header[4..36].copy_from_slice(&previous);
    header[36..68].copy_from_slice(&root);
    header[68..72].copy_from_slice(&u32::try_from(time).unwrap().to_le_bytes());
    header[72..76].copy_from_slice(&BITS.to_le_bytes());
    work(&mut header);
    header
}

/// `00`, Bitcoin's tag, the height as payload.
fn block(height: usize) -> Vec<u8> {
    let mut number = Vec::new();
    let mut rest = height;
    while rest > 0x7f {
        number.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    number.push(u8::try_from(rest).unwrap());
    let tag = [0x00, 0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
    [&tag[..], &[u8::try_from(number.len()).unwrap()], &number].concat()
}

/// The key that a label names, published under that kid.
fn jwk(label: &str, kid: &str) -> Value {
    let set: Value = serde_json::from_str(&PENS.key_set(&[label])).unwrap();
    let mut key = set["keys"][0].clone();
    key["kid"] = kid.into();
    key
}

fn key_sets(kid: Kid) -> Vec<String> {
    let (first, second) = (jwk("first", KID), jwk("second", KID));
    let newer = jwk("newer", "env-newer");
    let sets = match kid {
        Kid::Rotated => vec![vec![first.clone()], vec![first, newer]],
        Kid::Retired => vec![vec![first], vec![newer]],
        Kid::Rewritten => vec![vec![first], vec![second]],
        Kid::TheOnlyKey => vec![vec![first]],
    };
    sets.into_iter().map(|keys| json!({"keys": keys}).to_string()).collect()
}

/// A payout that names these.
fn settlement(number: usize, distribution: Option<&str>, binding: Option<&str>) -> String {
    let quoted = |name: Option<&str>| name.map_or_else(|| "null".to_owned(), |name| format!("\"{name}\""));
    let operation = sha256(format!("operation {number}").as_bytes());
    let event = format!(
        "{{\"kind\":\"distribution.settled\",\"federation_slug\":\"oc-me-v1\",\"operation_id\":\"{operation}\",\
         \"amount_sats\":1,\"direction\":\"out\",\"settled_at\":{},\"payment_hash\":null,\"preimage\":null,\"txid\":null,\
         \"gateway_pubkey\":null,\"project_key\":null,\"user_address\":\"bc1quser{number}\",\"payout_binding_id\":{},\
         \"distribution_id\":{},\"operator_id\":null,\"destination\":null,\"note\":null}}",
        LEAK + DAY,
        quoted(binding),
        quoted(distribution)
    );
    let (key, sig) = (PENS.ed25519_public("settlement"), PENS.ed25519("settlement", event.as_bytes()));
    format!("{{\"event\":{event},\"pubkey_hex\":\"{key}\",\"sig_hex\":\"{sig}\"}}")
}

fn settlements(cells: &[Cell]) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in cells {
        let id = Some(cell.id.as_str());
        let (distribution, binding) = match cell.kind {
            Kind::Distribution | Kind::Drop => (id, None),
            Kind::PayoutBinding => (None, id),
            // No member is meant for these: both are tried.
            Kind::Event | Kind::Rebind => (id, id),
        };
        let (distribution, binding) = match cell.proof {
            Proof::AnchoredAfterButSettled => (distribution, binding),
            Proof::AnchoredAfterAndMisnamed => (binding, distribution),
            _ => continue,
        };
        lines.push(settlement(lines.len(), distribution, binding));
    }
    lines
}

impl Desk {
    pub(super) fn new(kid: Kid) -> Self {
        let mut cells = Vec::new();
        for (row, proof) in PROOFS.into_iter().enumerate() {
            for kind in KINDS {
                let (body, sats) = body(kind, row);
                let bytes = body.to_string().into_bytes();
                cells.push(Cell { proof, kind, id: sha256(&bytes).to_hex(), sats, bytes });
            }
        }
        let (mut headers, mut alone) = (vec![header([0; 32], [0; 32], LEAK - DAY)], [0; 80]);
        let mut proofs: Vec<Option<(usize, Vec<u8>)>> = cells.iter().map(|_| None).collect();
        for (at, time) in [(1, LEAK - 1), (2, LEAK), (3, LEAK + 1), (ALONE, LEAK - 1_000)] {
            let here: Vec<usize> = (0..cells.len()).filter(|place| height(cells[*place].proof) == Some(at)).collect();
            let digests: Vec<[u8; 32]> = here.iter().map(|place| sha256(&cells[*place].bytes).0).collect();
            let (root, ways) = tree(&digests);
            for (place, way) in here.into_iter().zip(ways) {
                proofs[place] = Some((at, [way, block(at)].concat()));
            }
            if at == ALONE {
                alone = header([9; 32], root, time);
            } else {
                headers.push(header(header_hash(&headers[at - 1]), root, time));
            }
        }
        let mut desk = Self {
            key_sets: key_sets(kid),
            events: Vec::new(),
            settlements: settlements(&cells),
            cells,
            headers,
            alone,
        };
        for (place, proof) in proofs.into_iter().enumerate() {
            // Of a rewritten kid both keys sign: each is good for what it signed.
            let label = if kid == Kid::Rewritten && place % 2 == 1 { "second" } else { "first" };
            let event = desk.carrier(&desk.cells[place], label, proof);
            desk.events.push(event);
        }
        desk
    }

    fn carrier(&self, cell: &Cell, label: &str, proof: Option<(usize, Vec<u8>)>) -> String {
        let mut content = json!({
            "id": cell.id, "kid": KID, "sig": PENS.ed25519(label, &cell.bytes), "canonical_b64": base64(&cell.bytes),
        });
        if let Some((height, timestamp)) = proof {
            let header = if height == ALONE { &self.alone } else { &self.headers[height] };
            content["ots"] = json!({
                "status": "confirmed", "proof": base64(&timestamp), "calendars": [CALENDAR], "block_height": height,
                "block_hash": shown_hash(header), "upgraded_at": null,
            });
        } else if cell.proof == Proof::Pending {
            content["ots"] = waiting(&pending(1, LEAK - DAY, CALENDAR));
        }
        let d = vec!["d".to_owned(), format!("{}:{}", prefix(cell.kind), cell.id)];
        PENS.event("service", 30_087, AS_OF - 60, vec![d], content.to_string()).line()
    }

    /// Trust in this chain and this settlement key; nothing leaked.
    pub(super) fn policy(&self) -> TrustPolicy {
        let key = PENS.ed25519_public("settlement").parse().unwrap();
        let hash = BlockHash(header_hash(&self.headers[0]));
        let mut policy = TrustPolicy::orangecheck_2026_10();
        let checkpoint = Checkpoint { height: BlockHeight(0), hash };
        policy.headers = HeaderPolicy { checkpoint, min_depth: 1, pow_limit: BITS };
        policy.settlement_keys.insert("oc-me-v1".into(), vec![PinnedKey { key, from: None, until: None }]);
        policy
    }

    /// Everything as captured evidence.
    pub(super) fn evidence(&self) -> Vec<RawEvidence> {
        let raw =
            |media, about: &str, bytes: &[u8]| RawEvidence { media, about: about.to_owned(), bytes: bytes.to_vec() };
        let lines = |media, lines: &[String]| -> Vec<RawEvidence> {
            lines.iter().map(|line| raw(media, "", line.as_bytes())).collect()
        };
        let headers = [
            raw(Media::Headers, "0", self.headers.as_flattened()),
            raw(Media::Headers, &ALONE.to_string(), &self.alone),
        ];
        let all = [
            headers.to_vec(),
            lines(Media::Jwks, &self.key_sets),
            lines(Media::NostrEvent, &self.events),
            lines(Media::Settlement, &self.settlements),
        ];
        all.concat()
    }

    /// Everything as files; returns the configuration.
    pub(super) fn write(&self, dir: &Path) -> PathBuf {
        fs::write(dir.join("0.headers"), self.headers.as_flattened()).unwrap();
        fs::write(dir.join(format!("{ALONE}.headers")), self.alone).unwrap();
        fs::write(dir.join("events.jsonl"), self.events.join("\n")).unwrap();
        fs::write(dir.join("settlements.jsonl"), self.settlements.join("\n")).unwrap();
        let mut names = Vec::new();
        for (number, set) in self.key_sets.iter().enumerate() {
            // The order is that of the configuration, not of the names.
            let name = format!("set-{}.json", 9 - number);
            fs::write(dir.join(&name), set).unwrap();
            names.push(format!("\"{name}\""));
        }
        let text = format!(
            "[nostr]\nfiles = [\"events.jsonl\"]\n[ots]\n[headers]\nfiles = [\"0.headers\", \"{ALONE}.headers\"]\n\
             pow_limit = \"{BITS:08x}\"\nmin_depth = 1\ncheckpoint = {{ height = 0, hash = \"{}\" }}\n[gateway]\n\
             settlements = [\"settlements.jsonl\"]\n[federations.oc-me-v1]\nsettlement_keys = [\"{}\"]\n[keys]\n\
             jwks = [{}]\ncompromised_file = \"leaks.toml\"\n[store]\nurl = \"memory:\"\n",
            shown_hash(&self.headers[0]),
            PENS.ed25519_public("settlement"),
            names.join(", ")
        );
        let leak = format!("[[compromised]]\nkid = \"{KID}\"\nat = {}\nreason = \"a test\"\n", iso(LEAK));
        fs::write(dir.join("leaks.toml"), leak).unwrap();
        let config = dir.join("reledger.toml");
        fs::write(&config, text).unwrap();
        config
    }
}
