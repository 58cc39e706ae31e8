//! Goal: the right answer for every crafted file, decided before a byte is hashed. Method: each file beside what the
//! reference implementation said (`adversarial-results.txt`), and limits approached from both sides.

use std::fs;
use std::path::PathBuf;

use super::*;

fn fixtures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/ots").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ots"));
    files.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn detached(body: &[&[u8]]) -> Vec<u8> {
    let mut file = [MAGIC, &[1, 8], &[7; 32]].concat();
    file.extend(body.concat());
    file
}

fn code(bytes: &[u8]) -> Option<Code> {
    Proof::parse(bytes).err().map(|refusal| refusal.code())
}

fn code_of_decoded(decoded: &Decoded) -> Option<Code> {
    match decoded {
        Decoded::Claim(..) => None,
        Decoded::Undecodable(findings) => Some(findings[0].code),
    }
}

/// Bitcoin attestation of height 1.
const BITCOIN: &[u8] = b"\x00\x05\x88\x96\x0d\x73\xd7\x19\x01\x01\x01";
const SHA256: &[u8] = b"\x08";
const FORK: &[u8] = b"\xff";

const MALFORMED: Option<Code> = Some(Code::OtsMalformed);
const LIMIT: Option<Code> = Some(Code::OtsLimit);

/// Every crafted file. The second column is ours; the third says why it differs from the reference, where it does.
const CRAFTED: &[(&str, Option<Code>, &str)] = &[
    ("append_4064_ok", None, ""),
    ("append_4096_on_digest", LIMIT, ""),
    ("append_empty", MALFORMED, ""),
    ("append_len_2_64_plus_1", MALFORMED, ""),
    ("att_after_op", None, ""),
    ("bomb_hexlify_fork", LIMIT, ""),
    ("btc_height_2_64_plus_358391", MALFORMED, "no block has a height of more than 32 bits"),
    ("btc_height_noncanon", None, ""),
    ("btc_height_varint_1000bytes", MALFORMED, "no block has a height of more than 32 bits"),
    ("btc_payload_extra", MALFORMED, ""),
    ("btc_payload_len_lies_short", MALFORMED, ""),
    ("deep_ff_100k", LIMIT, ""),
    ("dup_op", None, ""),
    ("empty_file", MALFORMED, ""),
    ("fork_nest_127", None, ""),
    ("fork_then_eof", MALFORMED, ""),
    ("hexlify_100", LIMIT, ""),
    ("hexlify_24_512MiB", LIMIT, ""),
    ("hexlify_7_4096", None, ""),
    ("hexlify_op", None, ""),
    ("len_varint_infinite_like_80x100k", LIMIT, ""),
    ("ok_btc", None, ""),
    ("ok_keccak_op", None, ""),
    ("ok_pending", None, ""),
    ("recursion_100k_sha", LIMIT, ""),
    ("recursion_255_sha", None, ""),
    ("reverse_op", None, ""),
    ("sha1_filehash", None, ""),
    ("truncated_att", MALFORMED, ""),
    ("unknown_att_len_2_36", LIMIT, ""),
    ("unknown_att_len_2_63", MALFORMED, ""),
    ("unknown_att_payload_8192", None, ""),
    ("unknown_op", MALFORMED, ""),
    ("uri_1000", None, ""),
    ("uri_at", MALFORMED, ""),
    ("uri_empty", None, ""),
    ("uri_no_scheme", None, ""),
    ("uri_payload_extra", MALFORMED, ""),
    ("uri_pct", MALFORMED, ""),
    ("uri_unicode", MALFORMED, ""),
    ("version_2", MALFORMED, ""),
];

/// Name and whether python-opentimestamps 0.4.5 accepted it.
fn reference() -> Vec<(String, bool)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/ots/adversarial/adversarial-results.txt");
    let text = fs::read_to_string(path).unwrap();
    let mut answers = Vec::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.trim_start().strip_prefix("python:") {
            Some(answer) => answers.push((name.clone(), answer.trim_start().starts_with("ACCEPT"))),
            None if !line.starts_with(' ') => name = line.trim().to_owned(),
            None => {}
        }
    }
    answers
}

#[test]
fn crafted_files_get_the_right_answer() {
    let files = fixtures("adversarial");
    assert_eq!(files.len(), CRAFTED.len());
    for ((name, bytes), (listed, expected, _)) in files.iter().zip(CRAFTED) {
        assert_eq!((name.as_str(), code(bytes)), (*listed, *expected));
    }
}

#[test]
fn every_difference_from_the_reference_has_a_reason() {
    let answers = reference();
    assert_eq!(answers.len(), CRAFTED.len());
    for ((name, accepted), (listed, ours, reason)) in answers.iter().zip(CRAFTED) {
        assert_eq!(name, listed);
        assert_eq!(*accepted == ours.is_none(), reason.is_empty(), "{name}");
    }
}

#[test]
fn the_references_own_invalid_examples_are_refused() {
    let answers: Vec<_> = fixtures("invalid").iter().map(|(name, bytes)| (name.clone(), code(bytes))).collect();
    let expected =
        [("bad-major-version", MALFORMED), ("exceeds-max-msg-length", LIMIT), ("invalid-file-digest-type", MALFORMED)];
    assert_eq!(answers, expected.map(|(name, code)| (name.to_owned(), code)));
}

#[test]
fn no_file_costs_more_than_its_limits() {
    let all = ["adversarial", "invalid", "proofs"].into_iter().flat_map(fixtures);
    for (name, bytes) in all {
        let Ok(proof) = Proof::parse(&bytes) else { continue };
        assert!(proof.work() <= limits::OTS_WORK_BYTES_MAX, "{name}");
        // One step per byte at most: what is allocated is bounded by what was received, never by what is declared.
        assert!(proof.steps().len() <= bytes.len(), "{name}");
    }
}

#[test]
fn forks_of_long_messages_cannot_amplify() {
    // 300 forks of a 4,064-byte message: 9 KB of file would copy 1.2 MB.
    let long = [b"\xf0\xc0\x1f".as_slice(), &[b'a'; 4_032]].concat();
    let branches = |count: usize| detached(&[&long, &[FORK, BITCOIN].concat().repeat(count), BITCOIN]);
    assert_eq!(code(&branches(100)), None);
    assert_eq!(code(&branches(300)), LIMIT);
}

#[test]
fn each_limit_is_met_but_not_passed() {
    let row = |count: usize| detached(&[&SHA256.repeat(count), BITCOIN]);
    assert_eq!((code(&row(255)), code(&row(256))), (None, LIMIT));

    let branches = |count: usize| detached(&[&[FORK, BITCOIN].concat().repeat(count - 1), BITCOIN]);
    assert_eq!((code(&branches(1_024)), code(&branches(1_025))), (None, LIMIT));

    // 16 branches of 254 hashes and an attestation are 4,080 steps.
    let branch = [FORK, &SHA256.repeat(254), BITCOIN].concat();
    let steps = |last: usize| detached(&[&branch.repeat(16), &SHA256.repeat(last), BITCOIN]);
    assert_eq!((code(&steps(15)), code(&steps(16))), (None, LIMIT));

    let unknown = |len: &[u8], payload: usize| detached(&[b"\x00unknown!", len, &vec![0; payload]]);
    assert_eq!((code(&unknown(b"\x80\x40", 8_192)), code(&unknown(b"\x81\x40", 8_193))), (None, LIMIT));

    let long_uri = |len: u16| {
        let varint = |value: u16| [value.to_le_bytes()[0] | 0x80, (value << 1).to_le_bytes()[1]];
        let tag = b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e";
        detached(&[tag, &varint(len + 2), &varint(len), &vec![b'a'; usize::from(len)]])
    };
    assert_eq!((code(&long_uri(1_000)), code(&long_uri(1_001))), (None, LIMIT));

    let padded_to = |len: usize| {
        let mut file = detached(&[BITCOIN]);
        file.resize(len, 0);
        file
    };
    assert_eq!(
        (code(&padded_to(limits::OTS_BYTES_MAX)), code(&padded_to(limits::OTS_BYTES_MAX + 1))),
        (MALFORMED, LIMIT)
    );
}

#[test]
fn a_fork_directly_inside_a_fork_is_malformed() {
    assert_eq!(code(&detached(&[FORK, FORK, BITCOIN, BITCOIN, BITCOIN])), MALFORMED);
    assert_eq!(code(&detached(&[FORK, BITCOIN, FORK, BITCOIN, BITCOIN])), None);
    assert_eq!(code(&detached(&[FORK, SHA256, FORK, BITCOIN, BITCOIN, BITCOIN])), None);
}

#[test]
fn integers_of_more_than_nine_bytes_are_malformed() {
    let height = |padding: usize| {
        let payload = [vec![0x81], vec![0x80; padding], vec![0]].concat();
        detached(&[b"\x00\x05\x88\x96\x0d\x73\xd7\x19\x01", &[u8::try_from(payload.len()).unwrap()], &payload])
    };
    assert_eq!((code(&height(7)), code(&height(8))), (None, MALFORMED));
}

#[test]
fn a_keccak256_file_hash_is_unsupported_and_says_so() {
    let file = [MAGIC, &[1, 0x67], &[7; 32], BITCOIN].concat();
    assert_eq!(Proof::parse(&file).unwrap_err().to_string(), "file hash keccak256 is unsupported at byte 32");
}

#[test]
fn bare_and_detached_forms_hold_the_same_steps() {
    let file = detached(&[SHA256, BITCOIN]);
    let bare = [SHA256, BITCOIN].concat();
    let (detached, bare) = (Proof::parse(&file).unwrap(), Proof::parse(&bare).unwrap());
    assert_eq!(detached.steps(), bare.steps());
    assert_eq!(detached.root(), Root::Detached { hash: FileHash::Sha256, digest: &[7; 32] });
    assert_eq!((bare.root(), bare.start_len()), (Root::Bare, 32));
}

#[test]
fn the_claim_keeps_the_bytes_and_the_file_names_digest() {
    let file = detached(&[BITCOIN]);
    let digest = Digest32([7; 32]);
    for (about, expected) in [(digest.to_hex(), Some(digest)), (String::new(), None), ("notes".to_owned(), None)] {
        let Decoded::Claim(claim, findings) = decode(&about, &file) else { panic!("{about} decodes") };
        let Claim::Ots(claim) = *claim else { panic!("an ots claim") };
        assert!(findings.is_empty());
        assert_eq!(claim, OtsClaim { about: expected, proof: file.clone(), commitment: None, calendar: None });
    }
}

#[test]
fn what_does_not_decode_names_the_bytes_it_refused() {
    let bytes = b"not a proof";
    let Decoded::Undecodable(findings) = decode("feed", bytes) else { panic!("refused") };
    let expected = Subject::new("media", "ots-proof").and("sha256", sha256(bytes)).and("about", "feed");
    assert_eq!((findings.len(), &findings[0].subject), (1, &expected));
    assert_eq!(findings[0].observed, "unknown operation at byte 0");
}

#[test]
fn a_reply_starts_from_the_commitment_that_was_asked_for() {
    let reply = [SHA256, BITCOIN].concat();
    let about = format!("alice.btc.calendar.opentimestamps.org/{}", "ab".repeat(44));
    let Decoded::Claim(claim, _) = decode_reply(&about, &reply) else { panic!("decodes") };
    let Claim::Ots(claim) = *claim else { panic!("an ots claim") };
    assert_eq!(claim.commitment, Some(vec![0xab; 44]));
    assert_eq!(claim.calendar.as_deref(), Some("alice.btc.calendar.opentimestamps.org"));
    assert_eq!(claim.about, None);

    for about in ["", "host", "host/", "/abab", "host/aba", "host/xyz!", "host/ab/cd"] {
        assert_eq!(code_of_decoded(&decode_reply(about, &reply)), MALFORMED, "{about:?}");
    }
    assert_eq!(code_of_decoded(&decode_reply(&format!("host/{}", "ab".repeat(4_097)), &reply)), LIMIT);
}

#[test]
fn replies_are_held_to_the_calendars_own_limits() {
    // Forty unknown attestations of 240 bytes fill 10,000 bytes to within a few.
    let attestation = [b"\x00unknown!\xf0\x01".as_slice(), &[0; 240]].concat();
    let reply = |branches: usize, last: usize| {
        let end = [b"\x00unknown!".as_slice(), &[u8::try_from(last).unwrap()], &vec![0; last]].concat();
        [[FORK, &attestation].concat().repeat(branches), end].concat()
    };
    let full = reply(39, 100);
    assert_eq!(code_of_decoded(&decode_reply("host/ab", &full)), None);
    let over = [reply(39, 100), vec![0; limits::CALENDAR_REPLY_BYTES_MAX - full.len() + 1]].concat();
    assert_eq!(code_of_decoded(&decode_reply("host/ab", &over)), LIMIT);
    // A detached file is no reply.
    assert!(code_of_decoded(&decode_reply("host/ab", &detached(&[BITCOIN]))).is_some());
}

// ---------------------------------------------------------------- writing (OTS 1.4 c)

const NOTARY: &[u8] = b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x02hi";

/// A Bitcoin attestation of a height below 2^14.
fn bitcoin(height: u16) -> Vec<u8> {
    let payload = match u8::try_from(height) {
        Ok(small) if small < 0x80 => vec![small],
        _ => vec![u8::try_from(height & 0x7f).unwrap() | 0x80, u8::try_from(height >> 7).unwrap()],
    };
    [&[0][..], &BITCOIN[1..9], &[u8::try_from(payload.len()).unwrap()], &payload].concat()
}

fn pending(uri: &[u8]) -> Vec<u8> {
    let len = u8::try_from(uri.len()).unwrap();
    [b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e".as_slice(), &[len + 1, len], uri].concat()
}

fn rewritten(body: &[&[u8]]) -> Vec<u8> {
    let bytes = detached(body);
    let tree = Tree::of(&Proof::parse(&bytes).unwrap()).to_bytes();
    assert_eq!(tree[..65], bytes[..65]);
    tree[65..].to_vec()
}

#[test]
fn branches_are_written_in_the_order_of_the_reference() {
    let (a, b) = (pending(b"https://a.example"), pending(b"https://b.example"));
    let append = |byte: u8| vec![0xf0, 1, byte];
    // Attestations by tag, then by content; a height counts as a number: 300 is written ac 02, 2 is written 02.
    let body = [FORK, &b, FORK, &bitcoin(300), FORK, &a, FORK, NOTARY, &bitcoin(2)];
    let expected = [FORK, NOTARY, FORK, &bitcoin(2), FORK, &bitcoin(300), FORK, &a, &b];
    assert_eq!(rewritten(&body), expected.concat());
    // Attestations before operations; operations by tag, then by argument; the last branch has no fork before it.
    let body = [FORK, &append(2), BITCOIN, FORK, SHA256, BITCOIN, FORK, &append(1), BITCOIN, &a];
    let expected = [FORK, &a, FORK, SHA256, BITCOIN, FORK, &append(1), BITCOIN, &append(2), BITCOIN];
    assert_eq!(rewritten(&body), expected.concat());
}

#[test]
fn equal_branches_are_written_once() {
    let body = [FORK, BITCOIN, FORK, SHA256, NOTARY, FORK, SHA256, BITCOIN, BITCOIN];
    let expected = [FORK, BITCOIN, SHA256, FORK, NOTARY, BITCOIN];
    assert_eq!(rewritten(&body), expected.concat());
}

#[test]
fn a_reply_is_merged_where_it_belongs() {
    let a = pending(b"https://a.example");
    let file = detached(&[SHA256, FORK, &a, SHA256, &a]);
    let reply = [SHA256, BITCOIN].concat();
    let mut tree = Tree::of(&Proof::parse(&file).unwrap());
    let reply = Tree::of(&Proof::parse_reply(&reply, 32).unwrap());
    tree.graft(1, &reply);
    let expected = detached(&[SHA256, FORK, &a, SHA256, FORK, BITCOIN, &a]);
    assert_eq!(tree.to_bytes(), expected);
    // Merging twice, or at a place that is not there, changes nothing.
    tree.graft(1, &reply);
    tree.graft(9, &reply);
    assert_eq!(tree.to_bytes(), expected);
    assert_eq!(Tree::of(&Proof::parse(&expected).unwrap()), tree);
}

#[test]
fn everything_that_is_read_is_written_so_that_it_reads_the_same() {
    let mut seen = 0;
    for folder in ["proofs", "adversarial"] {
        for (name, bytes) in fixtures(folder) {
            let Ok(proof) = Proof::parse(&bytes) else { continue };
            let tree = Tree::of(&proof);
            let written = tree.to_bytes();
            let again = Proof::parse(&written).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            assert_eq!(Tree::of(&again), tree, "{name}");
            assert_eq!(Tree::of(&again).to_bytes(), written, "{name}");
            // Real proofs were written by the reference.
            assert!(folder != "proofs" || written == bytes, "{name}");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen}");
}
