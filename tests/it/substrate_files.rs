//! Goal: the same evidence in files gives the same ids and the same receipt, however it is packed; what can't be read
//! to its end never counts as complete. Method: real files in a temporary folder, a sink that collects.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use reledger::domain::{Code, CompletenessBasis, Digest32, EvidenceId, FetchReceipt, Media, Sign, SliceEnd, SourceId};
use reledger::evidence::limits::{EVENT_BYTES_MAX, HEADERS_PER_RUN_MAX, OTS_BYTES_MAX};
use reledger::evidence::{Decoded, rails};
use reledger::scratch::Scratch;
use reledger::substrate::{Captured, EvidenceSource, FilePrints, FilesSource, Sink, SourceError, Stopped, print_of};
use tempfile::TempDir;

#[derive(Default)]
struct Collected(Vec<Captured>);

impl Sink for Collected {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.0.push(captured);
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}

impl Collected {
    fn ids(&self) -> BTreeSet<EvidenceId> {
        self.0.iter().map(|captured| captured.evidence.id()).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.0.iter().map(|captured| String::from_utf8_lossy(&captured.evidence.bytes).into_owned()).collect()
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

fn run(mut source: FilesSource) -> (Collected, FetchReceipt) {
    let mut collected = Collected::default();
    let receipts = source.fetch(&mut collected).unwrap();
    assert_eq!(receipts.len(), 1, "one receipt a media");
    assert_eq!(receipts[0].source, source.id());
    assert_eq!(receipts[0].items, collected.ids().len() as u64);
    (collected, receipts[0].clone())
}

fn read(media: Media, paths: &[PathBuf]) -> (Collected, FetchReceipt) {
    run(FilesSource::new(media, paths.to_vec()))
}

fn complete(receipt: &FetchReceipt) {
    let proper = (receipt.end, receipt.basis, receipt.reason.as_str());
    assert_eq!(proper, (SliceEnd::Ended, CompletenessBasis::Exhausted, ""));
}

fn incomplete(receipt: &FetchReceipt, end: SliceEnd, reason: &str) {
    assert_eq!((receipt.end, receipt.basis, receipt.reason.as_str()), (end, CompletenessBasis::None, reason));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn archive() -> String {
    fs::read_to_string(fixture("vectors/oc-relay-infra/events-25-of-52.jsonl")).unwrap()
}

#[test]
fn every_packing_of_an_archive_gives_the_same_evidence() {
    let (folder, text) = (Folder::new(), archive());
    let (first, second) = text.split_at(text.match_indices('\n').nth(9).unwrap().0 + 1);
    let plain = folder.write("plain/events.jsonl", &text);
    let (expected, receipt) = read(Media::NostrEvent, std::slice::from_ref(&plain));
    complete(&receipt);
    assert_eq!((receipt.items, receipt.slice.kind.as_str()), (25, "nostr-event"));
    assert_eq!(receipt.source, SourceId("files:nostr-event".to_owned()));
    assert_eq!(expected.texts().join("\n").trim_end(), text.trim_end(), "every line comes as it stands");
    let reversed: Vec<&str> = text.lines().rev().collect();
    folder.write("deep/in/folders/1.jsonl", first);
    folder.write("deep/2.jsonl.gz", gzip(second.as_bytes()));
    let packings = [
        vec![folder.write("a.jsonl.gz", gzip(text.as_bytes()))],
        vec![folder.write("b.zst", zstd(text.as_bytes()))],
        vec![folder.write("members.gz", [gzip(first.as_bytes()), gzip(second.as_bytes())].concat())],
        vec![folder.write("frames.zst", [zstd(first.as_bytes()), zstd(second.as_bytes())].concat())],
        vec![folder.write("crlf.jsonl", format!("\u{feff}{}", text.replace('\n', "\r\n")))],
        vec![folder.write("array.json", format!("[{}]", text.lines().collect::<Vec<_>>().join(",\n")))],
        vec![folder.write("second", second), folder.write("first", first)],
        vec![folder.write("shuffled", reversed.join("\n"))],
        vec![plain.clone(), plain.clone()],
        vec![folder.write("twice", format!("{text}{text}"))],
        vec![folder.path().join("plain")],
        vec![folder.path().join("deep")],
    ];
    for paths in packings {
        let (collected, same_receipt) = read(Media::NostrEvent, &paths);
        assert_eq!(collected.ids(), expected.ids(), "{paths:?}");
        assert_eq!(same_receipt, receipt, "{paths:?}");
    }
    let standard_input = FilesSource::new(Media::NostrEvent, vec![PathBuf::from("-")]);
    let (collected, same_receipt) =
        run(standard_input.with_standard_input(Box::new(io::Cursor::new(gzip(text.as_bytes())))));
    assert_eq!((collected.ids(), same_receipt), (expected.ids(), receipt));
}

#[test]
fn events_inside_the_messages_of_a_relay_are_the_same_evidence() {
    let (folder, text) = (Folder::new(), archive());
    let expected = read(Media::NostrEvent, &[folder.write("plain.jsonl", &text)]);
    let wrapped = |before: &str| text.lines().map(|line| format!("{before}{line}]")).collect::<Vec<_>>().join("\n");
    for before in ["[\"EVENT\",\"sub-1\",", "[ \"EVENT\" , \"x\", ", "[\"EVENT\","] {
        let path = folder.write("dump.jsonl", wrapped(before));
        let (collected, receipt) = read(Media::NostrEvent, &[path]);
        assert_eq!((collected.ids(), receipt), (expected.0.ids(), expected.1.clone()), "{before}");
        assert_eq!(collected.0[0].offset, before.len() as u64);
    }
    // Nothing else is taken apart.
    for line in ["[\"OK\",\"id\",{}]", "[\"EVENT\",\"a\",\"b\",{}]", "[\"EVENT\",\"sub\",[]]", "[\"EVENT\"]"] {
        let (collected, _) = read(Media::NostrEvent, &[folder.write("other.jsonl", line)]);
        assert_eq!(collected.texts(), [line]);
    }
}

#[test]
fn three_containers_of_settlements_give_the_same_evidence() {
    let folder = Folder::new();
    let records =
        [r#"{"event":{"a":1},"pubkey_hex":"","sig_hex":""}"#, r#"{"event":{"a":2},"pubkey_hex":"","sig_hex":""}"#];
    let lines = folder.write("a.jsonl", records.join("\n"));
    let array = folder.write("b.json", format!("[\n  {}\n]\n", records.join(",\n  ")));
    let object = folder.write("c.json", format!("{{\"settlements\": [{}], \"next\": null}}", records.join(",")));
    let expected = read(Media::Settlement, &[lines]);
    assert_eq!(expected.0.texts(), records);
    for path in [array, object] {
        let (collected, receipt) = read(Media::Settlement, &[path]);
        assert_eq!((collected.ids(), receipt), (expected.0.ids(), expected.1.clone()));
    }
}

#[test]
fn a_sighting_says_file_and_offset_and_never_the_folder() {
    let folder = Folder::new();
    let path = folder.write("balances.jsonl", "{\"user\":\"a\"}\n\n  {\"user\":\"b\"}\n");
    let (collected, receipt) = read(Media::Balance, &[path]);
    complete(&receipt);
    let places: Vec<(&str, u64)> = collected.0.iter().map(|found| (found.place.as_str(), found.offset)).collect();
    assert_eq!(places, [("balances.jsonl", 0), ("balances.jsonl", 16)]);
    assert!(collected.0.iter().all(|found| found.source == SourceId::files(Media::Balance)));
}

#[test]
fn bearer_notes_are_never_captured() {
    let folder = Folder::new();
    let entry = |payload: &str| {
        format!(
            "{{\"id\":1,\"kind\":\"payment-send\",\"module\":{{\"kind\":\"mint\",\"id\":1}},\"ts_usecs\":5,\"payload\":{payload}}}"
        )
    };
    let secret = entry(r#"{"operation_id":"op","amount":5,"oob_notes":"SPENDABLE"}"#);
    let harmless = entry(r#"{"operation_id":"op","amount":5}"#);
    let cut_off = &secret[..secret.len() - 4];
    for text in [format!("[{secret},{harmless}]"), format!("{harmless}\n{secret}\n"), format!("{secret}\n{cut_off}")] {
        let (collected, _) = read(Media::PaymentLogEntry, &[folder.write("log.json", text)]);
        assert_eq!(collected.0.len(), 2);
        assert!(!collected.texts().concat().contains("SPENDABLE"), "{:?}", collected.texts());
        assert!(collected.texts().concat().contains("redacted:sha256:"));
        for found in &collected.0 {
            let (Decoded::Claim(_, findings) | Decoded::Undecodable(findings)) =
                rails::decode_log_entry(&found.evidence.about, &found.evidence.bytes);
            let told = findings.iter().any(|finding| finding.code == Code::SrcSecretPresent);
            let is_harmless = found.evidence.bytes == harmless.as_bytes();
            assert_eq!(told, !is_harmless);
        }
    }
}

#[test]
fn a_cut_off_file_is_no_complete_answer() {
    let (folder, text) = (Folder::new(), archive());
    let whole = gzip(text.as_bytes());
    let gz = folder.write("a.gz", &whole[..whole.len() / 2]);
    let (collected, receipt) = read(Media::NostrEvent, &[gz]);
    incomplete(&receipt, SliceEnd::Unreachable, "a compressed file is cut off");
    assert!(collected.0.len() > 1, "what came before stays captured");
    let frame = zstd(text.as_bytes());
    let (_, receipt) = read(Media::NostrEvent, &[folder.write("a.zst", &frame[..frame.len() - 3])]);
    incomplete(&receipt, SliceEnd::Unreachable, "a compressed file is cut off");
    let mut flipped = whole.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    let (_, receipt) = read(Media::NostrEvent, &[folder.write("b.gz", flipped)]);
    incomplete(&receipt, SliceEnd::Unreachable, "a compressed file is damaged");
    let plain = folder.write("a.jsonl", &text[..text.len() - 20]);
    let (collected, receipt) = read(Media::NostrEvent, std::slice::from_ref(&plain));
    incomplete(&receipt, SliceEnd::Unreachable, "a file ends inside a record");
    assert_eq!(collected.0.len(), 25);
    assert_eq!(collected.0[24].place, "a.jsonl (cut off)");
    let (_, receipt) = read(Media::NostrEvent, &[folder.write("b.jsonl", text.trim_end())]);
    complete(&receipt);
    let (_, twice) = read(Media::NostrEvent, &[plain.clone(), plain.clone()]);
    assert_eq!(twice.reason, "a file ends inside a record", "a repeated file changes nothing");
}

#[test]
fn a_bomb_is_stopped_and_a_plain_file_of_the_same_size_is_not() {
    let folder = Folder::new();
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1000));
    let text = line.repeat(40 * 1024);
    for path in [folder.write("a.gz", gzip(text.as_bytes())), folder.write("a.zst", zstd(text.as_bytes()))] {
        let (_, receipt) = read(Media::NostrEvent, &[path]);
        incomplete(&receipt, SliceEnd::BudgetTripped, "budget reached: a compressed file expands too far");
    }
    complete(&read(Media::NostrEvent, &[folder.write("a.jsonl", &text)]).1);
    complete(&read(Media::NostrEvent, &[folder.write("small.gz", gzip(&text.as_bytes()[..line.len() * 1000]))]).1);
}

#[test]
fn an_oversized_record_is_captured_up_to_its_limit_and_the_rest_goes_on() {
    let folder = Folder::new();
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(EVENT_BYTES_MAX));
    let path = folder.write("a.jsonl", [b"\xff\xfe not text\n", long.as_bytes(), b"\n{}\n"].concat());
    let (collected, receipt) = read(Media::NostrEvent, &[path]);
    complete(&receipt);
    assert_eq!(collected.0[0].evidence.bytes, b"\xff\xfe not text");
    assert_eq!(collected.0[1].evidence.bytes, long.as_bytes()[..=EVENT_BYTES_MAX]);
    assert_eq!(
        collected.0[1].place,
        format!("a.jsonl (the beginning of {} bytes with sha256 {})", long.len(), sha256(&long))
    );
    assert_eq!(collected.0[2].evidence.bytes, b"{}");
}

fn sha256(text: &str) -> String {
    reledger::domain::sha256(text.as_bytes()).to_string()
}

#[test]
fn proofs_are_about_the_digest_in_their_name() {
    let folder = Folder::new();
    let digest = "5d".repeat(32);
    folder.write(&format!("proofs/{digest}.ots"), "one");
    folder.write(&format!("proofs/deeper/{}.ots.gz", "AB".repeat(32)), gzip(b"two"));
    folder.write("proofs/hello.txt.ots", "three");
    folder.write("proofs/empty.ots", "");
    folder.write("proofs/hello.txt", "the stamped file");
    folder.write("proofs/.hidden.ots", "an editor's file");
    folder.write("proofs/large.ots", vec![7; 3 * OTS_BYTES_MAX]);
    let (collected, receipt) = read(Media::OtsProof, &[folder.path().join("proofs")]);
    complete(&receipt);
    let found: Vec<(&str, &[u8])> =
        collected.0.iter().map(|found| (found.evidence.about.as_str(), found.evidence.bytes.as_slice())).collect();
    let large = vec![7; OTS_BYTES_MAX + 1];
    let lower = "ab".repeat(32);
    let expected: [(&str, &[u8]); 5] = [(&digest, b"one"), (&lower, b"two"), ("", b""), ("", b"three"), ("", &large)];
    assert_eq!(found, expected);
    let named = read(Media::OtsProof, &[folder.path().join("proofs/hello.txt")]).0;
    assert_eq!(named.texts(), ["the stamped file"], "a file that was asked for by name is read whatever its name");
}

#[test]
fn whole_documents_keep_their_bytes() {
    let folder = Folder::new();
    let text = "{\n  \"keys\": []\n}\n";
    let (collected, receipt) = read(Media::Jwks, &[folder.write("jwks.json", text), folder.write("empty.json", "")]);
    complete(&receipt);
    assert_eq!(collected.texts(), [text, ""]);
    let (collected, _) = read(Media::ProjectConfig, &[folder.write("oc-config.json", format!("\u{feff}{text}"))]);
    assert_eq!(collected.texts(), [text]);
}

fn headers(count: usize) -> Vec<u8> {
    (0..count * 80).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn headers_are_cut_into_runs_that_know_their_height() {
    let folder = Folder::new();
    let raw = headers(HEADERS_PER_RUN_MAX * 2 + 3);
    let (collected, receipt) = read(Media::Headers, &[folder.write("700000.headers.gz", gzip(&raw))]);
    complete(&receipt);
    let runs: Vec<(&str, usize, u64)> = collected
        .0
        .iter()
        .map(|found| (found.evidence.about.as_str(), found.evidence.bytes.len() / 80, found.offset))
        .collect();
    assert_eq!(runs, [("700000", 2016, 0), ("702016", 2016, 161_280), ("704032", 3, 322_560)]);
    let joined: Vec<u8> = collected.0.iter().flat_map(|found| found.evidence.bytes.clone()).collect();
    assert_eq!(joined, raw);
    let (unnamed, _) = read(Media::Headers, &[folder.write("headers.bin", &raw)]);
    assert!(unnamed.0.iter().all(|found| found.evidence.about.is_empty()));
    let (cut, receipt) = read(Media::Headers, &[folder.write("9.bin", &raw[..85])]);
    incomplete(&receipt, SliceEnd::Unreachable, "a file ends inside a record");
    assert_eq!(cut.0.iter().map(|found| found.evidence.bytes.len()).collect::<Vec<_>>(), [80, 5]);
}

#[test]
fn headers_as_hex_lines_give_the_same_evidence_as_raw_ones() {
    let folder = Folder::new();
    let raw = headers(HEADERS_PER_RUN_MAX + 5);
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>();
    let lines: Vec<String> = raw.chunks(80).map(hex).collect();
    let expected = read(Media::Headers, &[folder.write("5.bin", &raw)]);
    for text in [lines.join("\n"), format!("{}\r\n", lines.join("\r\n").to_uppercase())] {
        let (collected, receipt) = read(Media::Headers, &[folder.write("5.hex", text)]);
        assert_eq!((collected.ids(), receipt), (expected.0.ids(), expected.1.clone()));
    }
    let (broken, receipt) =
        read(Media::Headers, &[folder.write("5.hex", format!("{}\nnot hex\n{}\n", lines[0], lines[1]))]);
    complete(&receipt);
    let runs: Vec<(&str, &[u8])> =
        broken.0.iter().map(|found| (found.evidence.about.as_str(), found.evidence.bytes.as_slice())).collect();
    let expected: [(&str, &[u8]); 3] = [("5", &raw[..80]), ("", b"not hex"), ("", &raw[80..160])];
    assert_eq!(runs, expected, "no height is guessed across a line that is no header");
}

#[test]
fn a_published_run_of_headers_is_read_as_it_is() {
    let path = fixture("ots/headers/run_515276_515295.headers");
    let (collected, receipt) = read(Media::Headers, std::slice::from_ref(&path));
    complete(&receipt);
    assert_eq!(collected.0[0].evidence.bytes, fs::read(path).unwrap());
}

#[test]
fn a_path_that_is_not_there_is_a_local_failure() {
    let folder = Folder::new();
    let present = folder.write("a.jsonl", "{}\n");
    let mut source = FilesSource::new(Media::Balance, vec![present, folder.path().join("absent.jsonl")]);
    let mut collected = Collected::default();
    let failure = source.fetch(&mut collected).unwrap_err();
    assert!(matches!(&failure, SourceError::Io { path, .. } if path.ends_with("absent.jsonl")), "{failure}");
    assert_eq!(collected.0, [], "nothing is read before every path is known to be there");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_out_of_a_folder() {
    let folder = Folder::new();
    let outside = folder.write("outside.jsonl", "{\"out\":1}\n");
    let inside = folder.write("in/a.jsonl", "{\"in\":1}\n");
    std::os::unix::fs::symlink(&inside, folder.path().join("in/alias.jsonl")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("in"), folder.path().join("in/loop")).unwrap();
    let (collected, receipt) = read(Media::Balance, &[folder.path().join("in")]);
    complete(&receipt);
    assert_eq!(collected.texts(), ["{\"in\":1}"], "a link inside is met on the walk anyway");
    std::os::unix::fs::symlink(&outside, folder.path().join("in/out.jsonl")).unwrap();
    let (collected, receipt) = read(Media::Balance, &[folder.path().join("in")]);
    incomplete(&receipt, SliceEnd::Refused, "a link out of the folder was not followed");
    assert_eq!(collected.texts(), ["{\"in\":1}"]);
    let link = folder.path().join("named.jsonl");
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    complete(&read(Media::Balance, &[link]).1);
}

/// Gives `left` bytes of lines without ever holding them.
struct Lines {
    line: Vec<u8>,
    at: usize,
    left: usize,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.left).min(self.line.len() - self.at);
        buffer[..length].copy_from_slice(&self.line[self.at..self.at + length]);
        self.at = (self.at + length) % self.line.len();
        self.left -= length;
        Ok(length)
    }
}

#[derive(Default)]
struct Counted {
    records: usize,
    bytes: usize,
    largest: usize,
}

impl Sink for Counted {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.records += 1;
        self.bytes += captured.evidence.bytes.len();
        self.largest = self.largest.max(captured.evidence.bytes.len());
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.records > 100_000
    }
}

fn stream(line: Vec<u8>, left: usize) -> (Counted, FetchReceipt) {
    let mut counted = Counted::default();
    let mut source = FilesSource::new(Media::NostrEvent, vec![PathBuf::from("-")])
        .with_standard_input(Box::new(Lines { line, at: 0, left }));
    let receipts = source.fetch(&mut counted).unwrap();
    (counted, receipts[0].clone())
}

#[test]
fn a_long_stream_is_read_in_bounded_pieces() {
    const MEBIBYTE: usize = 1024 * 1024;
    let mut line = format!("{{\"a\":\"{}\"}}", "x".repeat(1000)).into_bytes();
    line.push(b'\n');
    let length = line.len();
    let (counted, receipt) = stream(line, 64 * MEBIBYTE / length * length);
    complete(&receipt);
    assert_eq!((counted.records, counted.largest), (64 * MEBIBYTE / length, length - 1));
    assert_eq!(receipt.items, 1, "items are distinct");
    let (counted, receipt) = stream(vec![b'x'; 4096], 64 * MEBIBYTE);
    complete(&receipt);
    assert_eq!((counted.records, counted.bytes), (1, EVENT_BYTES_MAX + 1), "a line without an end is cut");
    let (counted, receipt) = stream(b"{}\n".to_vec(), 64 * MEBIBYTE);
    incomplete(&receipt, SliceEnd::Cancelled, "cancelled");
    assert!(counted.records < 200_000, "a cancelled run stops at the next block");
}

#[test]
fn different_pieces_are_counted_in_whatever_order_and_however_often_they_come() {
    let (folder, scratch) = (Folder::new(), tempfile::tempdir().unwrap());
    for (lines, different) in [(3_u64, 2), (3_000, 5_000), (5_000, 37), (5_000, 900)] {
        let records: Vec<String> = (0..lines).map(|line| format!("{{\"n\":{}}}\n", line * 7 % different)).collect();
        let source = FilesSource::new(Media::Invoice, vec![folder.write("lines.jsonl", records.concat())]);
        let (_, receipt) = run(source.counting_in(Scratch::in_folder(scratch.path())));
        assert_eq!(receipt.items, lines.min(different));
    }
}

#[test]
fn a_document_that_counts_otherwise_than_it_holds_is_noticed_once_however_often_it_is_read() {
    let folder = Folder::new();
    let page = |count: u32| format!("{{\"count\": {count},\n\"invoices\": [{{\"n\":1}}, {{\"n\":2}}]\n}}\n");
    let signs = |paths: Vec<PathBuf>| {
        let receipts = FilesSource::new(Media::Invoice, paths).fetch(&mut Collected::default()).unwrap();
        receipts[0].signs.clone().into_iter().collect::<Vec<_>>()
    };
    let (wrong, right) = (folder.write("wrong.json", page(3)), folder.write("right.json", page(2)));
    assert_eq!(signs(vec![right.clone()]), []);
    assert_eq!(signs(vec![wrong.clone()]), [(Sign::CountDiffers, 1)]);
    assert_eq!(signs(vec![wrong.clone(), right, wrong]), [(Sign::CountDiffers, 1)]);
}

/// The print that a source leaves, and the one that is found without taking anything apart.
fn prints(media: Media, paths: &[PathBuf]) -> (Option<Digest32>, Option<Digest32>) {
    let left = FilePrints::default();
    run(FilesSource::new(media, paths.to_vec()).printing(left.clone()));
    (left.get().get(&media).copied(), print_of(media, paths))
}

#[test]
fn what_a_source_read_is_known_again_by_its_bytes_alone() {
    let folder = Folder::new();
    let text = b"{\"id\":\"00\"}\n{\"id\":\"01\"}\n".as_slice();
    let plain = folder.write("a.jsonl", text);
    let mut seen = BTreeSet::new();
    let mut known = |paths: &[PathBuf]| {
        let (left, found) = prints(Media::NostrEvent, paths);
        assert!(left.is_some(), "{paths:?}");
        assert_eq!(left, found, "{paths:?}");
        assert!(seen.insert(left), "{paths:?}: the print of something else");
    };
    known(std::slice::from_ref(&plain));
    known(&[plain.clone(), plain.clone()]);
    folder.write("inner/b.jsonl", text);
    let inner = folder.path().join("inner");
    known(std::slice::from_ref(&inner));
    known(&[inner.clone(), plain.clone()]);
    known(&[plain.clone(), inner.clone()]);
    let before = print_of(Media::NostrEvent, std::slice::from_ref(&inner));
    folder.write("inner/.hidden", text);
    assert_eq!(prints(Media::NostrEvent, std::slice::from_ref(&inner)), (before, before), "nobody reads hidden files");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text).unwrap();
    folder.write("inner/c.jsonl.gz", packed.finish().unwrap());
    known(std::slice::from_ref(&inner));
    folder.write("inner/d.jsonl.zst", zstd::encode_all(text, 3).unwrap());
    known(std::slice::from_ref(&inner));
    fs::rename(inner.join("b.jsonl"), inner.join("e.jsonl")).unwrap();
    known(std::slice::from_ref(&inner));
    folder.write("a.jsonl", [text, b" \n"].concat());
    known(std::slice::from_ref(&plain));
}

#[test]
fn no_print_is_left_of_what_was_not_read_to_its_end_and_without_a_fault() {
    let folder = Folder::new();
    let whole = folder.write("a.jsonl", "{\"id\":\"00\"}\n");
    let zstd = zstd::encode_all(&b"{\"id\":\"00\"}\n"[..], 3).unwrap();
    for faulty in [
        folder.write("empty.jsonl", ""),
        folder.write("cut.jsonl", "{\"id\":"),
        folder.write("cut.jsonl.zst", &zstd[..zstd.len() - 2]),
        folder.write("damaged.jsonl.zst", [&zstd[..8], &[0xff; 9][..]].concat()),
    ] {
        let (left, _) = prints(Media::NostrEvent, &[whole.clone(), faulty.clone()]);
        assert_eq!(left, None, "{faulty:?}");
    }
    assert_eq!(print_of(Media::NostrEvent, &[PathBuf::from("-")]), None);
    assert_eq!(print_of(Media::NostrEvent, &[folder.path().join("absent")]), None);
    let left = FilePrints::default();
    let piped = FilesSource::new(Media::NostrEvent, vec![PathBuf::from("-")]);
    run(piped.printing(left.clone()).with_standard_input(Box::new(&b"{\"id\":\"00\"}\n"[..])));
    assert!(left.get().is_empty());
    // A link out of the folder is a fault of the walk, and so is one that is found later.
    #[cfg(unix)]
    {
        let inner = folder.path().join("inner");
        folder.write("inner/a.jsonl", "{\"id\":\"00\"}\n");
        assert!(prints(Media::NostrEvent, std::slice::from_ref(&inner)).0.is_some());
        std::os::unix::fs::symlink(&whole, inner.join("link.jsonl")).unwrap();
        assert_eq!(prints(Media::NostrEvent, &[inner]), (None, None));
    }
}
