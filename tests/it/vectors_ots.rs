//! Goal: real proofs, real calendar replies and real headers get the verdicts that three other implementations gave them
//! (OTS 3, `fixtures/ots/MANIFEST.md`). Method: bytes go through evidence and verify as the application sends them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reledger::domain::{
    BlockHash, BlockHeight, Checkpoint, Code, Counts, Digest32, EvidenceId, Finding, HeaderPolicy, Media,
    MerkleRootHash, RawEvidence, TrustPolicy, UnixSeconds, sha256,
};
use reledger::evidence::ots::{Proof, Root, Tree};
use reledger::evidence::{self, Claim, Decoded, HeaderRun, OtsClaim};
use reledger::verify::headers::HeaderChain;
use reledger::verify::ots::{ProofVerdict, graft, judge, messages};
use reledger::verify::{AnchorState, Fate, HeaderTrust, PendingAnchor};

use crate::untar::untar;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ots")
}

fn read(path: &str) -> Vec<u8> {
    fs::read(fixtures().join(path)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

fn header_run(about: &str, bytes: &[u8]) -> (EvidenceId, HeaderRun) {
    let Decoded::Claim(claim, findings) = evidence::headers::decode(about, bytes) else {
        panic!("{about}: no headers")
    };
    assert_eq!(findings, []);
    let Claim::Headers(run) = *claim else { panic!("{about}: another claim") };
    (RawEvidence::id_of(Media::Headers, about, bytes), run)
}

fn proof_claim(about: &str, bytes: &[u8]) -> (EvidenceId, OtsClaim) {
    let Decoded::Claim(claim, findings) = evidence::ots::decode(about, bytes) else { panic!("{about}: no proof") };
    assert_eq!(findings, []);
    let Claim::Ots(claim) = *claim else { panic!("{about}: another claim") };
    (RawEvidence::id_of(Media::OtsProof, about, bytes), claim)
}

fn mainnet() -> TrustPolicy {
    TrustPolicy::orangecheck_2026_10()
}

fn build(runs: Vec<(EvidenceId, HeaderRun)>) -> (HeaderChain, Vec<Finding>, Counts) {
    HeaderChain::build(runs, &mainnet().headers)
}

/// The 48 single headers, each at its own height.
fn single_headers() -> Vec<(EvidenceId, HeaderRun)> {
    let text = String::from_utf8(read("headers/headers.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split_once(',').unwrap());
    rows.map(|(height, header)| header_run(height, &hex(header))).collect()
}

fn known_headers() -> HeaderChain {
    let mut runs = single_headers();
    runs.push(header_run("702861", &read("block702861/702861.header")));
    let (chain, findings, _) = build(runs);
    assert_eq!(findings, []);
    chain
}

fn verdict(name: &str, headers: &HeaderChain) -> ProofVerdict {
    let bytes = read(&format!("proofs/{name}"));
    let source = fixtures().join("proofs").join(name.strip_suffix(".ots").unwrap());
    let digest = fs::read(source).ok().map(|source| sha256(&source));
    let about = digest.map_or_else(String::new, |digest| digest.to_hex());
    let (id, claim) = proof_claim(&about, &bytes);
    assert_eq!(claim.about, digest);
    judge(claim.about, &claim.proof, None, id, headers, &mainnet())
}

fn anchors(state: &AnchorState) -> Vec<(u32, i64)> {
    state.confirmed.iter().map(|anchor| (anchor.height.0, anchor.time.0)).collect()
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

// ---------------------------------------------------------------- proofs

#[test]
fn real_proofs_are_anchored_where_the_reference_says() {
    let headers = known_headers();
    for (name, expected) in [
        ("empty.ots", vec![(129_405, 1_307_549_734)]),
        ("hello-world.txt.ots", vec![(358_391, 1_432_827_678)]),
        ("rust-large_test.ots", vec![(449_397, 1_485_042_427), (449_399, 1_485_042_604)]),
        ("different-blockchains.txt.ots", vec![(455_605, 1_488_561_937)]),
    ] {
        let verdict = verdict(name, &headers);
        assert_eq!((verdict.fate, anchors(&verdict.state)), (Fate::Accepted, expected), "{name}");
        assert!(verdict.findings.iter().all(|finding| finding.code == Code::OtsCalendar), "{name}");
    }
    // Its Keccak branch ends at an Ethereum notary; the calendars it names are not those of the policy.
    let verdict = verdict("different-blockchains.txt.ots", &headers);
    assert_eq!(codes(&verdict.findings), [Code::OtsCalendar, Code::OtsCalendar]);
}

#[test]
fn the_bad_stamp_does_not_reach_its_block() {
    let headers = known_headers();
    let verdict = verdict("bad-stamp.txt.ots", &headers);
    assert_eq!((verdict.fate, codes(&verdict.findings)), (Fate::Rejected, vec![Code::OtsRoot]));
    assert!(verdict.state.confirmed.is_empty());
}

#[test]
fn incomplete_proofs_stay_pending_with_their_calendars() {
    let (headers, ..) = build(Vec::new());
    for (name, hosts) in [
        ("incomplete.txt.ots", vec!["alice"]),
        ("merkle1.txt.ots", vec!["alice", "bob"]),
        ("merkle2.txt.ots", vec!["alice", "bob"]),
        ("merkle3.txt.ots", vec!["alice", "bob"]),
        ("two-calendars.txt.ots", vec!["alice", "bob"]),
        ("rust-small_test.ots", vec!["alice", "bob"]),
        ("known-and-unknown-notary.txt.ots", vec!["bob"]),
    ] {
        let verdict = verdict(name, &headers);
        assert_eq!((verdict.fate, verdict.findings.as_slice()), (Fate::Pending, [].as_slice()), "{name}");
        let uris: Vec<String> = verdict.state.pending.iter().map(|pending| pending.uri.to_string()).collect();
        let expected = hosts.iter().map(|host| format!("https://{host}.btc.calendar.opentimestamps.org"));
        assert_eq!(uris, expected.collect::<Vec<_>>(), "{name}");
        for pending in &verdict.state.pending {
            assert_eq!(pending.commitment.len(), 44);
            let year = pending.submitted_at.unwrap().civil_date().0;
            assert!((2016..=2017).contains(&year), "{name}: {year}");
        }
    }
    let incomplete = verdict("incomplete.txt.ots", &headers).state.pending.first().unwrap().commitment.clone();
    assert_eq!((&incomplete[..4], &incomplete[42..]), (hex("57cfa5c4").as_slice(), hex("b0e7").as_slice()));
}

#[test]
fn merkle_siblings_share_their_questions() {
    let (headers, ..) = build(Vec::new());
    let proofs = ["merkle1.txt.ots", "merkle2.txt.ots", "merkle3.txt.ots"].map(|name| verdict(name, &headers).state);
    let questions: std::collections::BTreeSet<_> =
        proofs.iter().flat_map(|state| &state.pending).map(|pending| (&pending.uri, &pending.commitment)).collect();
    assert_eq!((proofs.iter().map(|state| state.pending.len()).sum::<usize>(), questions.len()), (6, 2));
}

#[test]
fn a_proof_by_an_unknown_notary_cannot_be_checked() {
    let (headers, ..) = build(Vec::new());
    let verdict = verdict("unknown-notary.txt.ots", &headers);
    assert_eq!((verdict.fate, codes(&verdict.findings)), (Fate::Quarantined, vec![Code::Unverifiable]));
}

#[test]
fn without_headers_a_complete_proof_names_what_it_lacks() {
    let (headers, ..) = build(Vec::new());
    let verdict = verdict("hello-world.txt.ots", &headers);
    assert_eq!((verdict.fate, codes(&verdict.findings)), (Fate::Pending, vec![Code::OtsHeaderMissing]));
    assert_eq!(verdict.state.header_missing.into_iter().collect::<Vec<_>>(), [BlockHeight(358_391)]);
}

#[test]
fn the_same_proof_is_valid_bare_and_about_nothing_else() {
    let headers = known_headers();
    let file = read("proofs/hello-world.txt.ots");
    // Magic 31, version 1, tag 1, digest 32.
    let (bare, id) = (&file[65..], Digest32(file[33..65].try_into().unwrap()));
    let (evidence, claim) = proof_claim(&id.to_hex(), bare);
    let verdict = judge(claim.about, &claim.proof, None, evidence, &headers, &mainnet());
    assert_eq!((verdict.fate, anchors(&verdict.state)), (Fate::Accepted, vec![(358_391, 1_432_827_678)]));
    let verdict = judge(Some(sha256(b"another")), &file, None, evidence, &headers, &mainnet());
    assert_eq!((verdict.fate, codes(&verdict.findings)), (Fate::Rejected, vec![Code::OtsDigest]));
}

#[test]
fn every_proof_of_a_whole_block_is_anchored_in_it() {
    let headers = known_headers();
    let policy = mainnet();
    let archive = read("block702861/proofs.tar");
    let mut valid = 0;
    for (name, bytes) in untar(&archive) {
        let (id, claim) = proof_claim("", bytes);
        let verdict = judge(None, &claim.proof, None, id, &headers, &policy);
        assert_eq!((verdict.fate, verdict.findings.as_slice()), (Fate::Accepted, [].as_slice()), "{name}");
        assert_eq!(anchors(&verdict.state), [(702_861, 1_633_002_641)], "{name}");
        assert_eq!(verdict.subject.unwrap().0, bytes[33..65], "{name}");
        valid += 1;
    }
    assert_eq!(valid, 2_439);
}

// ---------------------------------------------------------------- calendar replies

/// Every stored reply: `host/commitment`, as the calendar was asked, and the body.
fn replies() -> Vec<(String, Vec<u8>)> {
    let mut replies = Vec::new();
    for host in fs::read_dir(fixtures().join("calendar-responses")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&host).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
            let host = host.file_name().unwrap().to_str().unwrap();
            replies.push((format!("{host}/{}", name(&file)), fs::read(&file).unwrap()));
        }
    }
    replies.sort();
    replies
}

fn reply_claim(about: &str, bytes: &[u8]) -> (EvidenceId, OtsClaim) {
    let Decoded::Claim(claim, _) = evidence::ots::decode_reply(about, bytes) else { panic!("{about}: no reply") };
    let Claim::Ots(claim) = *claim else { panic!("{about}: another claim") };
    (RawEvidence::id_of(Media::CalendarReply, about, bytes), claim)
}

#[test]
fn every_calendar_reply_leads_from_its_commitment_to_the_indexed_root() {
    let index: Vec<serde_json::Value> = serde_json::from_slice(&read("calendar-responses/index.json")).unwrap();
    let headers = known_headers();
    let replies = replies();
    assert_eq!(replies.len(), 6);
    for (about, bytes) in replies {
        let (id, claim) = reply_claim(&about, &bytes);
        let commitment = about.split_once('/').unwrap().1;
        let entry = index.iter().find(|entry| entry["commitment"] == commitment).unwrap();
        let expected: Vec<(u64, MerkleRootHash)> = entry["bitcoin"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_str().unwrap().parse().unwrap()))
            .collect();
        let pending = PendingAnchor {
            uri: entry["uri"].as_str().unwrap().into(),
            commitment: hex(commitment).into(),
            submitted_at: None,
            proof: id,
        };
        let verdict = graft(&pending, &claim, id, &headers, &mainnet());
        assert_eq!((verdict.fate, verdict.findings.as_slice()), (Fate::Accepted, [].as_slice()), "{about}");
        let roots: Vec<_> = verdict
            .state
            .confirmed
            .iter()
            .map(|anchor| (u64::from(anchor.height.0), headers.at(anchor.height).unwrap().root))
            .collect();
        assert_eq!(roots, expected, "{about}");
    }
}

#[test]
fn replies_complete_the_proof_they_were_taken_from() {
    let headers = known_headers();
    let policy = mainnet();
    let mut state = verdict("rust-large_test-preupgrade.ots", &headers).state;
    assert_eq!((state.pending.len(), state.confirmed.len()), (2, 0));
    let claims: Vec<_> = replies().iter().map(|(about, bytes)| reply_claim(about, bytes)).collect();
    let answers = reledger::verify::ots::Replies::new(claims.iter().map(|(id, claim)| (*id, claim)));
    let settled = reledger::verify::ots::settle(&mut state, &answers, &headers, &policy);
    assert_eq!((settled.findings.as_slice(), settled.fates.len()), ([].as_slice(), 2));
    assert!(state.pending.is_empty());
    // The same blocks as the proof that the reference client upgraded.
    assert_eq!(anchors(&state), anchors(&verdict("rust-large_test.ots", &headers).state));
}

#[test]
fn merging_the_real_replies_restores_the_real_file_byte_for_byte() {
    let before = read("proofs/rust-large_test-preupgrade.ots");
    let proof = Proof::parse(&before).unwrap();
    let Root::Detached { digest, .. } = proof.root() else { panic!("detached") };
    let mut tree = Tree::of(&proof);
    let replies = replies();
    let mut merged = 0;
    for (at, message) in messages(&tree, digest).into_iter().enumerate() {
        let about = faster_hex::hex_string(&message);
        for (_, reply) in replies.iter().filter(|(name, _)| name.ends_with(&format!("/{about}"))) {
            tree.graft(at, &Tree::of(&Proof::parse_reply(reply, message.len()).unwrap()));
            merged += 1;
        }
    }
    assert_eq!(merged, 2);
    assert_eq!(tree.to_bytes(), read("proofs/rust-large_test.ots"));
}

#[test]
fn every_proof_of_a_whole_block_is_written_back_byte_for_byte() {
    let archive = read("block702861/proofs.tar");
    let mut count = 0;
    for (name, bytes) in untar(&archive) {
        assert_eq!(Tree::of(&Proof::parse(bytes).unwrap()).to_bytes(), bytes, "{name}");
        count += 1;
    }
    assert_eq!(count, 2_439);
}

#[test]
fn a_reply_stored_as_the_proof_itself_is_not_rooted_at_the_id() {
    let headers = known_headers();
    for (about, bytes) in replies() {
        let id = sha256(about.as_bytes());
        let (evidence, claim) = proof_claim(&id.to_hex(), &bytes);
        let verdict = judge(claim.about, &claim.proof, None, evidence, &headers, &mainnet());
        assert_eq!((verdict.fate, codes(&verdict.findings)), (Fate::Rejected, vec![Code::OtsDigest]), "{about}");
    }
}

// ---------------------------------------------------------------- headers

fn epoch(number: u32) -> Vec<u8> {
    read(&format!("headers/epoch_{number}.headers"))
}

/// First heights of the three whole epochs.
const EPOCHS: [(u32, u32); 3] = [(0, 0), (20, 40_320), (21, 42_336)];

#[test]
fn whole_epochs_hold_from_genesis_or_by_their_pinned_ends() {
    for with_heights in [true, false] {
        let runs = EPOCHS.map(|(number, start)| {
            let about = if with_heights { start.to_string() } else { String::new() };
            header_run(&about, &epoch(number))
        });
        let (chain, findings, counts) = build(runs.to_vec());
        assert_eq!((findings, counts.accepted), (vec![], 3 * 2016));
        let tip = chain.tip().unwrap();
        assert_eq!(tip.height, BlockHeight(2_015));
        assert_eq!(tip.hash.to_string(), "00000000693067b0e6b440bc51450b9f3850561b07f6d3c021c54fbd6abb9763");
        for (height, trust) in [
            (0, HeaderTrust::Chain),
            (2_015, HeaderTrust::Chain),
            (40_320, HeaderTrust::PinnedEpoch),
            (44_351, HeaderTrust::PinnedEpoch),
        ] {
            assert_eq!(chain.at(BlockHeight(height)).unwrap().trust, trust, "{height}");
            assert!(chain.is_final(BlockHeight(height)), "{height}");
        }
        assert_eq!((chain.at(BlockHeight(2_016)), chain.at(BlockHeight(44_352))), (None, None));
        // OTS 3: the retarget between the two.
        assert_eq!(chain.at(BlockHeight(42_335)).unwrap().bits, 0x1c65_4657);
        assert_eq!(chain.at(BlockHeight(42_336)).unwrap().bits, 0x1c43_b3e5);
    }
}

/// The full headers that bitcoinj stores, by height.
fn bitcoinj_headers() -> BTreeMap<u32, Vec<u8>> {
    use base64::Engine as _;
    let text = String::from_utf8(read("headers/bitcoinj.mainnet.checkpoints.txt")).unwrap();
    let blocks = text.lines().skip(3).map(|line| {
        // 12 bytes of chain work, 4 of height, the 80-byte header.
        let block = base64::engine::general_purpose::STANDARD_NO_PAD.decode(line).unwrap();
        (u32::from_be_bytes(block[12..16].try_into().unwrap()), block[16..].to_vec())
    });
    blocks.collect()
}

/// Trusts the last header of epoch 19, so that everything above it is judged by the rules alone.
fn below_epoch_20() -> HeaderPolicy {
    let parent = BlockHash(epoch(20)[4..36].try_into().unwrap());
    HeaderPolicy { checkpoint: Checkpoint { height: BlockHeight(40_319), hash: parent }, ..mainnet().headers }
}

#[test]
fn two_real_retargets_follow_from_the_times_of_their_epochs() {
    let policy = below_epoch_20();
    let next = bitcoinj_headers()[&44_352].clone();
    let runs = vec![header_run("", &epoch(20)), header_run("", &epoch(21)), header_run("44352", &next)];
    // Once with the pinned table beside the rules, once by the rules alone.
    for pow_limit in [0x1d00_ffff, 0x1d00_fffe] {
        let policy = HeaderPolicy { pow_limit, ..policy };
        let (chain, findings, _) = HeaderChain::build(runs.clone(), &policy);
        assert_eq!((findings, chain.tip().unwrap().height), (vec![], BlockHeight(44_352)));
        assert_eq!(chain.at(BlockHeight(44_352)).unwrap().bits, 0x1c38_7f6f);
        assert_eq!(chain.at(BlockHeight(44_352)).unwrap().trust, HeaderTrust::Chain);
    }
}

#[test]
fn one_flipped_byte_in_an_epoch_is_invalid() {
    let mut damaged = epoch(20);
    damaged[80 * 1_000 + 70] ^= 1;
    let (chain, findings, counts) = build(vec![header_run("40320", &damaged)]);
    assert_eq!((codes(&findings), counts.rejected), (vec![Code::HdrInvalid], 1));
    assert_eq!(findings[0].subject.get("height"), Some("41320"));
    assert_eq!(chain.at(BlockHeight(41_320)), None);
    // What follows still hashes into the pinned end; what precedes no longer does.
    assert_eq!(chain.at(BlockHeight(41_321)).unwrap().trust, HeaderTrust::PinnedEpoch);
    assert_eq!(chain.at(BlockHeight(41_319)).unwrap().trust, HeaderTrust::Isolated);
}

#[test]
fn part_of_an_epoch_is_only_isolated() {
    let whole = epoch(20);
    let (chain, findings, _) = build(vec![header_run("40320", &whole[..80 * 2_015])]);
    assert_eq!(findings, []);
    assert_eq!(chain.at(BlockHeight(40_400)).unwrap().trust, HeaderTrust::Isolated);
    assert!(!chain.is_final(BlockHeight(40_400)));
    assert_eq!(chain.tip(), None);
}

#[test]
fn single_headers_are_isolated_at_their_heights() {
    let (chain, findings, counts) = build(single_headers());
    assert_eq!((findings, counts.unique, counts.accepted), (vec![], 48, 48));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&read("headers/headers.json")).unwrap();
    for row in rows {
        let height = BlockHeight(u32::try_from(row["height"].as_u64().unwrap()).unwrap());
        let known = chain.at(height).unwrap();
        assert_eq!(known.hash.to_string(), row["hash"].as_str().unwrap());
        assert_eq!(known.root.to_string(), row["merkle_root"].as_str().unwrap());
        assert_eq!(known.time, UnixSeconds(row["time"].as_i64().unwrap()));
        assert_eq!(format!("{:08x}", known.bits), row["bits"].as_str().unwrap());
        let trust = if height.0 == 0 { HeaderTrust::Chain } else { HeaderTrust::Isolated };
        assert_eq!(known.trust, trust);
    }
}

#[test]
fn a_run_inside_an_epoch_needs_its_height_or_a_link() {
    let bytes = read("headers/run_515276_515295.headers");
    let (chain, findings, _) = build(vec![header_run("515276", &bytes)]);
    assert_eq!(findings, []);
    assert_eq!(chain.at(BlockHeight(515_294)).unwrap().time, UnixSeconds(1_522_099_189));
    let (chain, findings, counts) = build(vec![header_run("", &bytes)]);
    assert_eq!((codes(&findings), counts.pending), (vec![Code::Unverifiable], 20));
    assert!(chain.is_empty());
    // One of its headers with a height places the whole run.
    let linked = vec![header_run("", &bytes), header_run("515280", &bytes[80 * 4..80 * 5])];
    let (chain, findings, _) = build(linked);
    assert_eq!((findings, chain.at(BlockHeight(515_295)).is_some()), (vec![], true));
}

#[test]
fn a_height_that_contradicts_the_pinned_table_is_invalid() {
    let bytes = read("headers/run_515276_515295.headers");
    // Another epoch has other bits; the end of an epoch has another hash.
    for start in ["129405", "516080", "0"] {
        let (chain, findings, counts) = build(vec![header_run(start, &bytes)]);
        // The headers hold by themselves; they only stand at no height.
        assert_eq!((codes(&findings), counts.rejected, counts.accepted), (vec![Code::HdrInvalid], 0, 0), "{start}");
        assert!(chain.is_empty());
    }
    // A wrong height inside the right epoch cannot be told from the header alone: that is what "isolated" means.
    assert_eq!(build(vec![header_run("515277", &bytes)]).1, []);
}

#[test]
fn an_easy_header_beyond_the_table_establishes_nothing() {
    // Height 1,000 took a few billion hashes: minutes of any old machine.
    let easy = header_run("2000000", &epoch(0)[80 * 1_000..80 * 1_001]);
    let (chain, findings, counts) = build(vec![easy]);
    assert_eq!((codes(&findings), counts.pending), (vec![Code::Unverifiable], 1));
    assert!(chain.is_empty());
    // Near the last pinned difficulty a header is worth something wherever it claims to stand.
    let hard = known_headers().at(BlockHeight(912_095)).unwrap();
    let raw = single_headers().into_iter().find(|(id, _)| *id == hard.evidence).unwrap().1.headers[0];
    let (chain, findings, _) = build(vec![header_run("2000000", &raw)]);
    assert_eq!((findings, chain.at(BlockHeight(2_000_000)).unwrap().trust), (vec![], HeaderTrust::Isolated));
}

#[test]
fn every_bitcoinj_checkpoint_stands_on_its_pinned_parent() {
    let stored = bitcoinj_headers();
    let mut runs = Vec::new();
    let mut expected = BTreeMap::new();
    for height in (2_016..=878_976).step_by(2_016) {
        let header = stored[&height].clone();
        expected.insert(height, u32::from_le_bytes(header[72..76].try_into().unwrap()));
        // Without a height: the link to the pinned end of the epoch before places it.
        runs.push(header_run("", &header));
    }
    let (chain, findings, counts) = build(runs);
    assert_eq!((findings, counts.accepted), (vec![], 436));
    for (height, bits) in expected {
        assert_eq!(chain.at(BlockHeight(height)).unwrap().bits, bits);
    }
}

#[test]
fn the_order_of_real_runs_changes_nothing() {
    let mut runs = single_headers();
    runs.extend(EPOCHS.map(|(number, start)| header_run(&start.to_string(), &epoch(number))));
    runs.push(header_run("", &read("headers/run_515276_515295.headers")));
    let reference = format!("{:?}", build(runs.clone()));
    runs.reverse();
    assert_eq!(format!("{:?}", build(runs.clone())), reference);
    runs.rotate_left(17);
    runs.extend(runs[..5].to_vec());
    assert_eq!(format!("{:?}", build(runs)), reference);
}
