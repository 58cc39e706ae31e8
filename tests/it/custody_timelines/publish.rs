//! Signs what was drawn, and commits to it in mined blocks: the evidence as a run would capture it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bitcoin::bech32::{Bech32, Hrp};
use bitcoin::key::Keypair;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::{Address, CompressedPublicKey, Network, PrivateKey};
use ed25519_dalek::{Signer as _, SigningKey};
use reledger::domain::{BlockHash, BlockHeight, Checkpoint, HeaderPolicy, Media, RawEvidence, UnixSeconds, sha256};
use serde_json::{Value, json};

use crate::scenarios::proof::{counted, detached, hashes_then_block, header_hash, work};

use super::draw::{BLOCKS, Drawn, Federation, Person, Record, Says, Target, block_time};

/// Work at these bits costs two hashes.
const EASY: u32 = 0x207f_ffff;
const KID: &str = "env-1";

pub(super) struct Published {
    pub(super) evidence: Vec<RawEvidence>,
    genesis: [u8; 80],
}

/// A key of one label, and its address: P2WPKH, or P2TR for some.
struct Wallet {
    key: PrivateKey,
    address: String,
}

impl Wallet {
    fn of(label: &str) -> Self {
        let secret = sha256(label.as_bytes()).0;
        let key = PrivateKey::new(SecretKey::from_slice(&secret).unwrap(), Network::Bitcoin);
        let secp = Secp256k1::new();
        let public = key.public_key(&secp);
        let address = if secret[0].is_multiple_of(2) {
            Address::p2wpkh(&CompressedPublicKey::try_from(public).unwrap(), Network::Bitcoin)
        } else {
            Address::p2tr(&secp, public.inner.into(), None, Network::Bitcoin)
        };
        Self { key, address: address.to_string() }
    }

    fn guardian(seed: u64) -> Self {
        Self::of(&format!("guardian {seed}"))
    }

    fn user(person: &Person, place: usize) -> Self {
        Self::of(&format!("user {} {place}", person.number))
    }

    fn sign(&self, message: &str) -> String {
        let signed = bip322::sign_simple_encoded(&self.address, message, &[self.key.to_wif()], None).unwrap();
        signed.strip_prefix("smp").unwrap().to_owned()
    }
}

fn raw(media: Media, about: &str, bytes: impl Into<Vec<u8>>) -> RawEvidence {
    RawEvidence { media, about: about.to_owned(), bytes: bytes.into() }
}

fn iso(micros: i64) -> String {
    let whole = UnixSeconds(micros.div_euclid(1_000_000)).to_string();
    match micros.rem_euclid(1_000_000) {
        0 => whole,
        fraction => format!("{}.{fraction:06}Z", whole.trim_end_matches('Z')),
    }
}

/// Signs everything, gives records and descriptors their ids and people their addresses.
pub(super) fn publish(drawn: &mut Drawn) -> Published {
    let envelopes = SigningKey::from_bytes(&sha256(b"envelopes").0);
    let x = URL_SAFE_NO_PAD.encode(envelopes.verifying_key().as_bytes());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": KID, "alg": "EdDSA", "use": "sig"}]});
    let mut evidence = vec![raw(Media::Jwks, "", set.to_string())];
    for person in &mut drawn.people {
        person.addresses = (0..person.addresses.len()).map(|place| Wallet::user(person, place).address).collect();
        evidence.extend(bindings(person));
        evidence.extend(descriptors(person));
        for at in 0..person.records.len() {
            let record = person.records[at].clone();
            let (id, carrier) = match record.says {
                Says::Rebind { .. } => rebind(person, &record, &envelopes),
                Says::Rotation { .. } | Says::Graduation { .. } => step(person, &record),
            };
            person.records[at].id = id;
            evidence.push(carrier);
        }
    }
    let chain = chain(drawn, &mut evidence);
    evidence.push(raw(Media::Headers, "0", chain.as_flattened()));
    Published { evidence, genesis: chain[0] }
}

fn descriptors(person: &mut Person) -> Vec<RawEvidence> {
    let addresses = person.addresses.clone();
    let mut published = Vec::new();
    for one in &mut person.descriptors {
        let mut guardians: Vec<String> = one.guardians.iter().map(|seed| Wallet::guardian(*seed).address).collect();
        guardians.sort();
        let (address, threshold) = (&addresses[one.address], format!("{}-of-{}", one.threshold, guardians.len()));
        let mut lines = format!("oc-attest:federation-custody:v1\naddress: {address}\nthreshold: {threshold}");
        for guardian in &guardians {
            lines.push_str(&format!("\nguardian: {guardian}"));
        }
        one.id = sha256(lines.as_bytes()).to_hex();
        let listed: Vec<Value> = guardians.iter().map(|one| json!({"address": one, "alg": "bip322"})).collect();
        let descriptor = json!({
            "v": 1, "kind": "attest-federation-custody", "address": address, "threshold": threshold,
            "guardians": listed,
        });
        if one.is_published {
            published.push(raw(Media::Custody, "", descriptor.to_string()));
        }
    }
    published
}

fn step(person: &Person, record: &Record) -> (String, RawEvidence) {
    let (address, from, kind, head) = match record.says {
        Says::Rotation { address, from, .. } => {
            (address, from, "orangecheck-federation-rotation", "federation-rotation")
        }
        Says::Graduation { address, from, .. } => (address, from, "orangecheck-graduation", "graduation"),
        Says::Rebind { .. } => unreachable!("rebinds are envelopes"),
    };
    let fed = |at: usize| format!("fed:{}", person.descriptors[at].id);
    let mut members = vec![("address", person.addresses[address].clone()), ("from_federation", fed(from))];
    match record.says {
        Says::Rotation { to, .. } => members.push(("to_federation", fed(to))),
        Says::Graduation { to: Target::Own, .. } => members.push(("to", "single-key".to_owned())),
        Says::Graduation { to: Target::Unnamed, .. } => members.push(("to", "federation".to_owned())),
        Says::Graduation { to: Target::Descriptor(to), .. } => {
            members.extend([("to", "federation".to_owned()), ("to_federation", fed(to))]);
        }
        Says::Rebind { .. } => {}
    }
    let is_graduation = kind == "orangecheck-graduation";
    members.push((if is_graduation { "graduated_at" } else { "rotated_at" }, iso(record.claimed)));
    let lines =
        members.iter().fold(format!("oc-attest:{head}:v1"), |text, (name, value)| format!("{text}\n{name}: {value}"));
    let mut object = json!({"v": 1, "kind": kind});
    for (name, value) in &members {
        object[*name] = value.as_str().into();
    }
    // All keys and texts are ASCII and serde_json sorts members: this is RFC 8785.
    let message = if record.as_json { object.to_string() } else { lines };
    let signature = |wallet: &Wallet| json!({"address": wallet.address, "sig": wallet.sign(&message)});
    let left = &person.descriptors[from];
    let mut proof: Vec<Value> =
        left.guardians.iter().take(left.threshold).map(|seed| signature(&Wallet::guardian(*seed))).collect();
    if is_graduation {
        let mut own = signature(&Wallet::user(person, address));
        own["kind"] = "self-key".into();
        proof.push(own);
    }
    object["proof"] = proof.into();
    (sha256(message.as_bytes()).to_hex(), raw(Media::Custody, "", object.to_string()))
}

fn rebind(person: &Person, record: &Record, key: &SigningKey) -> (String, RawEvidence) {
    let Says::Rebind { from, to, from_federation, to_federation, prev, by_did } = &record.says else {
        unreachable!("steps are signed by guardians")
    };
    let mut body = json!({
        "v": 1, "kind": "oc-me-rebind", "from": from, "to": to, "occurred_at": iso(record.claimed),
    });
    match &person.did {
        Some(did) if *by_did => body["did_oc"] = did.as_str().into(),
        _ => body["user_address"] = person.addresses[0].as_str().into(),
    }
    for (name, federation) in [("from_federation", from_federation), ("to_federation", to_federation)] {
        match federation {
            Some(Federation::Descriptor(at)) => body[name] = format!("fed:{}", person.descriptors[*at].id).into(),
            Some(Federation::Slug(slug)) => body[name] = (*slug).into(),
            None => {}
        }
    }
    if let Some(prev) = prev {
        let nobody = || sha256(b"held by nobody").to_hex();
        body["prev"] = person.records.get(*prev).map_or_else(nobody, |record| record.id.clone()).into();
    }
    let bytes = body.to_string();
    let id = sha256(bytes.as_bytes()).to_hex();
    let signature = faster_hex::hex_string(&key.sign(bytes.as_bytes()).to_bytes());
    let content = json!({"id": id, "kid": KID, "sig": signature, "canonical_b64": STANDARD.encode(&bytes)});
    let service = keypair("service");
    let d = format!("oc-me-rebind:{id}");
    let event = event(&service, 30_087, record.claimed.div_euclid(1_000_000), &[["d", &d]], &content.to_string());
    (id, event)
}

fn keypair(label: &str) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&sha256(label.as_bytes()).0).unwrap())
}

fn event(pair: &Keypair, kind: u16, at: i64, tags: &[[&str; 2]], content: &str) -> RawEvidence {
    let pubkey = faster_hex::hex_string(&pair.x_only_public_key().0.serialize());
    let serialised = json!([0, pubkey, at, kind, tags, content]).to_string();
    let id = sha256(serialised.as_bytes());
    let signature = Secp256k1::new().sign_schnorr_no_aux_rand(&Message::from_digest(id.0), pair);
    let event = json!({
        "id": id.to_hex(), "pubkey": pubkey, "created_at": at, "kind": kind, "tags": tags, "content": content,
        "sig": faster_hex::hex_string(&signature.serialize()),
    });
    raw(Media::NostrEvent, "", event.to_string())
}

/// One binding for each address, all with the same Nostr key.
fn bindings(person: &Person) -> Vec<RawEvidence> {
    let Some(did) = &person.did else { return Vec::new() };
    let pair = keypair(&format!("nostr {}", person.number));
    let key = pair.x_only_public_key().0.serialize();
    let npub = bitcoin::bech32::encode::<Bech32>(Hrp::parse_unchecked("npub"), &key).unwrap();
    let bind = |(place, address): (usize, &String)| {
        let message = format!(
            "orangecheck-binding\nv: 1\nprincipal: {did}\nbtc: {address}\nnostr: {npub}\nnonce: {:032x}\n\
             issued_at: 2025-12-01T00:00:00Z\nack: I attest the keys named in this message are one principal.\n",
            person.number
        );
        let content = json!({"message": message, "btc_signature": Wallet::user(person, place).sign(&message)});
        let d = format!("oc-attest-binding:{}", sha256(message.as_bytes()));
        event(&pair, 30_079, 1_764_547_200, &[["d", &d]], &content.to_string())
    };
    person.addresses.iter().enumerate().map(bind).collect()
}

// ---------------------------------------------------------------- blocks and proofs

fn proof(id: &str, timestamp: &[u8]) -> RawEvidence {
    raw(Media::OtsProof, id, detached(hash(id), timestamp))
}

fn hash(hex: &str) -> [u8; 32] {
    let mut out = [0; 32];
    faster_hex::hex_decode(hex.as_bytes(), &mut out).unwrap();
    out
}

/// Mines the chain; each block commits to its ids: `h(..h(h(id1) id2).. idn)`.
fn chain(drawn: &Drawn, evidence: &mut Vec<RawEvidence>) -> Vec<[u8; 80]> {
    let mut committed: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for record in drawn.people.iter().flat_map(|person| &person.records) {
        record.blocks.iter().for_each(|block| committed.entry(*block).or_default().push(&record.id));
        if record.is_in_an_unknown_block {
            evidence.push(proof(&record.id, &hashes_then_block(1, BLOCKS + 1_000)));
        }
    }
    let mut headers: Vec<[u8; 80]> = Vec::new();
    for height in 0..BLOCKS {
        let mut root = sha256(&height.to_be_bytes()).0;
        let ids = committed.get(&height).map(Vec::as_slice).unwrap_or_default();
        // What each id is joined to: the folded ones before it in front, the ids after it behind.
        let mut timestamps: Vec<Vec<u8>> = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            let joined = [if place == 0 { Vec::new() } else { root.to_vec() }, hash(id).to_vec()].concat();
            for steps in &mut timestamps {
                steps.extend([vec![0xf0], counted(&hash(id)), vec![0x08]].concat());
            }
            let front = if place == 0 { Vec::new() } else { [vec![0xf1], counted(&root)].concat() };
            timestamps.push([front, vec![0x08]].concat());
            root = sha256(&joined).0;
        }
        evidence.extend(
            ids.iter().zip(timestamps).map(|(id, steps)| proof(id, &[steps, hashes_then_block(0, height)].concat())),
        );
        let previous = headers.last().map_or([0; 32], header_hash);
        headers.push(mine(previous, root, u32::try_from(block_time(height)).unwrap()));
    }
    headers
}

fn mine(previous: [u8; 32], root: [u8; 32], time: u32) -> [u8; 80] {
    let mut header = [0; 80];
    header[0] = 4;
    header[4..36].copy_from_slice(&previous);
    header[36..68].copy_from_slice(&root);
    header[68..72].copy_from_slice(&time.to_le_bytes());
    header[72..76].copy_from_slice(&EASY.to_le_bytes());
    work(&mut header);
    header
}

impl Published {
    pub(super) fn policy(&self) -> HeaderPolicy {
        let checkpoint = Checkpoint { height: BlockHeight(0), hash: BlockHash(header_hash(&self.genesis)) };
        HeaderPolicy { checkpoint, min_depth: 6, pow_limit: EASY }
    }

    /// The same evidence as files, with a configuration.
    pub(super) fn write(&self, dir: &Path) -> PathBuf {
        let lines = |media: Media| -> Vec<u8> {
            let all = self.evidence.iter().filter(|raw| raw.media == media);
            all.flat_map(|raw| [raw.bytes.as_slice(), b"\n"].concat()).collect()
        };
        fs::write(dir.join("events.jsonl"), lines(Media::NostrEvent)).unwrap();
        fs::write(dir.join("custody.jsonl"), lines(Media::Custody)).unwrap();
        for (place, one) in self.evidence.iter().enumerate() {
            match one.media {
                Media::Jwks => fs::write(dir.join("jwks.json"), &one.bytes).unwrap(),
                Media::Headers => fs::write(dir.join("headers.bin"), &one.bytes).unwrap(),
                Media::OtsProof => {
                    // A file is named by what it is about, so that a second proof of one id needs a folder of its own.
                    let folder = dir.join("proofs").join(place.to_string());
                    fs::create_dir_all(&folder).unwrap();
                    fs::write(folder.join(format!("{}.ots", one.about)), &one.bytes).unwrap();
                }
                _ => {}
            }
        }
        let genesis = self.policy().checkpoint.hash;
        let config = format!(
            "[nostr]\nfiles = [\"events.jsonl\"]\n[custody]\nfiles = [\"custody.jsonl\"]\n[keys]\njwks = [\"jwks.json\"]\n\
             [ots]\nfiles = [\"proofs\"]\n[headers]\nfiles = [\"headers.bin\"]\npow_limit = \"{EASY:08x}\"\nmin_depth = 6\n\
             checkpoint = {{ height = 0, hash = \"{genesis}\" }}\n"
        );
        let path = dir.join("reledger.toml");
        fs::write(&path, config).unwrap();
        path
    }
}
