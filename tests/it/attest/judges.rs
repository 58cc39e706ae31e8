//! Others who read the same formats: what they see must be what we say.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::JsonUtil as _;

use super::desk::{Desk, House};
use crate::support::{arg, stdout};

#[test]
fn another_library_accepts_the_event_and_another_reads_the_proof_in_it() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    desk.sign("one");
    desk.json(&["attest", "stamp", "-c", &house.config()], 0);
    let key = desk.text("nostr");
    let dry = desk.run(&["attest", "publish", "--relay", &house.relay(0), "--nostr-key-file", &key, "--dry-run"]);
    let event = nostr_sdk::Event::from_json(stdout(&dry).trim()).unwrap();
    event.verify().unwrap();
    assert_eq!(event.kind.as_u16(), 30_078);
    assert_eq!(event.created_at.as_secs(), 1_790_899_200, "2026-10-02, as the clock was told");
    // The content is the file byte for byte, so that the proof in the tag is one of both.
    let bytes = fs::read(desk.attestation()).unwrap();
    assert_eq!(event.content.as_bytes(), bytes);
    let tags: Vec<Vec<String>> = event.tags.iter().map(|tag| tag.clone().to_vec()).collect();
    let named = |name: &str| tags.iter().find(|tag| tag[0] == name).unwrap_or_else(|| panic!("{name}: {tags:?}"));
    let proof = STANDARD.decode(named("ots")[1..].concat()).unwrap();
    assert_eq!(proof, fs::read(desk.path("run/attestation.json.ots")).unwrap());
    let read = opentimestamps::DetachedTimestampFile::from_reader(proof.as_slice()).unwrap();
    assert_eq!(read.timestamp.start_digest, reledger::domain::sha256(&bytes).as_bytes());
    let envelope = crate::support::parsed(&bytes);
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let place = format!("reledger-report:{}", &reledger::domain::sha256(&payload).to_hex()[..32]);
    assert_eq!(named("d")[1], place);
    assert_eq!(named("x")[1], reledger::domain::sha256(&crate::support::report_bytes(&desk.run_dir())).to_hex());
    assert_eq!(named("state_root")[1], crate::support::report(&desk.run_dir())["state_root"].as_str().unwrap());
}

#[test]
fn a_second_reader_in_another_language_comes_to_the_same_verdict() {
    let desk = Desk::new();
    let (one, two) = (desk.sign("one"), desk.sign("two"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attestation.py");
    let judged = |keys: &[&str]| {
        let mut command = Command::new("python3");
        command.arg(script).arg(desk.attestation()).arg(desk.run_dir()).args(keys);
        command.output()
    };
    // A machine without Python has no second reader.
    let Ok(output) = judged(&[&one, &two]) else { return };
    assert_eq!(stdout(&output), "ok\n", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!judged(&[&"3b6a".repeat(16)]).unwrap().status.success());
    let report = desk.run_dir().join("report.json");
    fs::write(&report, [fs::read(&report).unwrap(), b" ".to_vec()].concat()).unwrap();
    assert!(!judged(&[&one]).unwrap().status.success());
    assert!(arg(&report).ends_with("report.json"));
    let bytes = fs::read(desk.attestation()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    fs::write(desk.attestation(), text.replacen("\"payload\":\"eyJ", "\"payload\":\"eyK", 1)).unwrap();
    assert!(!judged(&[&one]).unwrap().status.success());
}
