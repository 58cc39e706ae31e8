//! What a world's operator sealed: a checkpoint chain and snapshots (docs/checkpoint.md, docs/snapshot.md), signed by the
//! key `seal`. Whoever makes a world dishonest edits a body or a list of entries and has it signed and packed again here.

mod archive;

pub use archive::{TarEntry, pack_entries, pack_tar, zstd_frame};

use super::hand::Hand;
use super::json::{Object, array};
use super::world::World;
use crate::domain::sha256;

/// Checkpoints of an honest world.
const CHECKPOINTS: usize = 4;
/// The label of the key that seals.
const SEAL: &str = "seal";
const CHECKPOINT_TAG: &str = "reledger/checkpoint/1";
const SNAPSHOT_TAG: &str = "reledger/snapshot/1";

/// A checkpoint's body, member by member. Digests are 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointBody {
    /// `seq`.
    pub seq: u64,
    /// `range.from`.
    pub from: u64,
    /// `range.until`, exclusive.
    pub until: u64,
    /// `tree_size`.
    pub tree_size: u64,
    /// `root`.
    pub root: String,
    /// `state_root`.
    pub state_root: String,
    /// `as_of` in Unix seconds.
    pub as_of: i64,
    /// `previous_checkpoint_sha256`.
    pub previous: Option<String>,
}

impl CheckpointBody {
    /// The bytes that are signed and hashed.
    pub fn canonical(&self) -> String {
        let range = Object::new().plain("from", self.from).plain("until", self.until);
        Object::new()
            .text("schema", CHECKPOINT_TAG)
            .plain("seq", self.seq)
            .raw("range", range.compact())
            .plain("tree_size", self.tree_size)
            .text("root", &self.root)
            .text("state_root", &self.state_root)
            .plain("as_of", self.as_of)
            .text_or_null("previous_checkpoint_sha256", self.previous.as_deref())
            .sorted()
            .compact()
    }

    /// What the next body names.
    pub fn digest(&self) -> String {
        sha256(self.canonical().as_bytes()).to_hex()
    }
}

/// The bodies of an honest chain over the world's envelopes, admitted in order of claimed time and id.
pub fn checkpoint_bodies(world: &World) -> Vec<CheckpointBody> {
    let ids: Vec<&[u8]> = world.envelopes.iter().map(|envelope| envelope.id.as_bytes().as_slice()).collect();
    let mut bodies: Vec<CheckpointBody> = Vec::with_capacity(CHECKPOINTS);
    for seq in 0..CHECKPOINTS {
        let until = ids.len() * (seq + 1) / CHECKPOINTS;
        let last = bodies.last();
        let state = sha256(format!("state of world {} at {until}", world.seed).as_bytes());
        let body = CheckpointBody {
            seq: wide(seq),
            from: last.map_or(0, |last| last.until),
            until: wide(until),
            tree_size: wide(until),
            root: faster_hex::hex_string(&tree_hash(&ids[..until])),
            state_root: state.to_hex(),
            as_of: as_of(world, until),
            previous: last.map(CheckpointBody::digest),
        };
        bodies.push(body);
    }
    bodies
}

/// An honest chain, one line a checkpoint.
pub fn checkpoints(world: &World) -> Vec<String> {
    let hand = world.hand();
    checkpoint_bodies(world).iter().map(|body| sign_checkpoint(&hand, body)).collect()
}

/// The line of that body, signed by the key `seal`.
pub fn sign_checkpoint(hand: &Hand, body: &CheckpointBody) -> String {
    sign_checkpoint_as(hand, SEAL, body)
}

/// The line of that body, signed by any key.
pub fn sign_checkpoint_as(hand: &Hand, label: &str, body: &CheckpointBody) -> String {
    let body = body.canonical();
    Object::new()
        .raw("body", &body)
        .text("key_id", hand.ed25519_public(label))
        .text("sig", hand.ed25519(label, &tagged(CHECKPOINT_TAG, body.as_bytes())))
        .compact()
}

/// A snapshot's manifest, member by member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotManifest {
    /// `sequence`.
    pub sequence: u64,
    /// `entries`.
    pub entries: u64,
    /// `schema_cursor`.
    pub schema_cursor: u64,
    /// `members`: name, size, sha256 in hex.
    pub members: Vec<(String, u64, String)>,
}

impl SnapshotManifest {
    /// The manifest that is right for these members.
    pub fn of(sequence: u64, entries: u64, members: &[(String, Vec<u8>)]) -> Self {
        let described = members.iter().map(|(name, content)| {
            let digest = sha256(content).to_hex();
            (name.clone(), wide(content.len()), digest)
        });
        Self { sequence, entries, schema_cursor: 1, members: described.collect() }
    }

    /// The bytes that are signed: `manifest.json`.
    pub fn canonical(&self) -> String {
        let members = self.members.iter().map(|(name, size, digest)| {
            Object::new().text("name", name).plain("size", size).text("sha256", digest).sorted().compact()
        });
        Object::new()
            .text("schema", SNAPSHOT_TAG)
            .plain("sequence", self.sequence)
            .plain("entries", self.entries)
            .plain("schema_cursor", self.schema_cursor)
            .raw("members", array(members))
            .sorted()
            .compact()
    }
}

/// `manifest.sig` for these bytes by any key.
pub fn sign_manifest(hand: &Hand, label: &str, manifest: &str) -> String {
    Object::new()
        .text("key_id", hand.ed25519_public(label))
        .text("sig", hand.ed25519(label, &tagged(SNAPSHOT_TAG, manifest.as_bytes())))
        .compact()
}

/// The archive of manifest, signature by the key `seal`, and members, in this order, whether they fit or not.
pub fn pack_snapshot(hand: &Hand, manifest: &SnapshotManifest, members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let members = members.iter().map(|(name, content)| TarEntry::file(name, content));
    let entries: Vec<TarEntry> = sealed_entries(hand, SEAL, manifest).into_iter().chain(members).collect();
    pack_entries(&entries)
}

/// The first two entries of an archive.
pub fn sealed_entries(hand: &Hand, label: &str, manifest: &SnapshotManifest) -> Vec<TarEntry> {
    let manifest = manifest.canonical();
    let signature = sign_manifest(hand, label, &manifest);
    vec![TarEntry::file("manifest.json", manifest.as_bytes()), TarEntry::file("manifest.sig", signature.as_bytes())]
}

/// An honest snapshot before it is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotParts {
    /// The archive's file name.
    pub name: String,
    /// Its manifest.
    pub manifest: SnapshotManifest,
    /// Its members in order.
    pub members: Vec<(String, Vec<u8>)>,
}

/// Two honest snapshots: of half of the world's envelopes, and of all of them.
pub fn snapshot_parts(world: &World) -> Vec<SnapshotParts> {
    let count = world.envelopes.len();
    let cuts = [count / 2, count];
    let parts = cuts.into_iter().enumerate().map(|(sequence, cut)| {
        let lines = |text: String, line: String| text + &line + "\n";
        let ids = world.envelopes[..cut].iter().map(|envelope| envelope.id.to_string());
        let settled = world.settlements.len() * cut / count.max(1);
        let settlements = world.settlements[..settled].iter().map(|line| sha256(line.as_bytes()).to_hex());
        let members = vec![
            ("ledger/envelope.jsonl".to_owned(), ids.fold(String::new(), lines).into_bytes()),
            ("ledger/treasury.jsonl".to_owned(), settlements.fold(String::new(), lines).into_bytes()),
            ("cursors.json".to_owned(), b"{}\n".to_vec()),
        ];
        let manifest = SnapshotManifest::of(wide(sequence), wide(cut + settled), &members);
        SnapshotParts { name: format!("snapshot-{sequence:08}.tar.zst"), manifest, members }
    });
    parts.collect()
}

/// Two honest snapshots: file name and archive.
pub fn snapshots(world: &World) -> Vec<(String, Vec<u8>)> {
    let hand = world.hand();
    let pack = |parts: SnapshotParts| (parts.name, pack_snapshot(&hand, &parts.manifest, &parts.members));
    snapshot_parts(world).into_iter().map(pack).collect()
}

/// The instant of the last envelope before that number, in Unix seconds.
fn as_of(world: &World, until: usize) -> i64 {
    let last = until.checked_sub(1).and_then(|at| world.envelopes.get(at));
    last.map_or(0, |envelope| envelope.at.0)
}

/// MTH of RFC 6962, section 2.1, as it is written there.
// Recursion is as deep as the logarithm of the number of leaves.
fn tree_hash(leaves: &[&[u8]]) -> [u8; 32] {
    match leaves {
        [] => sha256(b"").0,
        [leaf] => sha256(&[&[0x00], *leaf].concat()).0,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            sha256(&[&[0x01], tree_hash(left).as_slice(), tree_hash(right).as_slice()].concat()).0
        }
    }
}

/// What is signed: tag and bytes, each after its length in eight bytes.
fn tagged(tag: &str, bytes: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| wide(bytes.len()).to_be_bytes();
    [length(tag.as_bytes()).as_slice(), tag.as_bytes(), length(bytes).as_slice(), bytes].concat()
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merkle_root;

    #[test]
    fn a_chain_covers_the_world_and_repeats_by_its_seed() {
        let world = World::generate(3, 40);
        let bodies = checkpoint_bodies(&world);
        assert_eq!(bodies.len(), CHECKPOINTS);
        assert_eq!(bodies[3].until, wide(world.envelopes.len()));
        assert!(bodies.windows(2).all(|pair| pair[0].until == pair[1].from && pair[0].as_of <= pair[1].as_of));
        assert_eq!(checkpoints(&world), checkpoints(&World::generate(3, 40)));
        assert_eq!(snapshots(&world), snapshots(&World::generate(3, 40)));
        assert_ne!(checkpoints(&world), checkpoints(&World::generate(4, 40)));
    }

    #[test]
    fn the_tree_is_that_of_the_domain() {
        let leaves: Vec<[u8; 1]> = (0..70).map(|leaf| [leaf]).collect();
        for count in 0..leaves.len() {
            let slices: Vec<&[u8]> = leaves[..count].iter().map(<[u8; 1]>::as_slice).collect();
            assert_eq!(tree_hash(&slices), merkle_root(&slices).0, "{count}");
        }
    }
}
