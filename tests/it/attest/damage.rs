//! One byte changed, wherever: named, exit 5. Beside each the untouched one, exit 0.

use std::fs;
use std::path::Path;

use super::desk::{Desk, House, faults};
use crate::support::{arg, parsed};

/// Changes one byte of a file at the first place of that text.
fn change(file: &Path, at: &str, offset: usize) {
    let mut bytes = fs::read(file).unwrap();
    let place = bytes.windows(at.len()).position(|window| window == at.as_bytes()).unwrap() + offset;
    bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_changed_byte_of_the_run_is_named_and_is_not_signed() {
    for (member, at, named) in [
        ("report.json", "\"state_root\":\"", "report.json has another sha256"),
        ("evidence/manifest.json", "\"evidence_root\": \"", "evidence/manifest.json has another sha256"),
        ("evidence/inputs.json", "\"schema\": \"", "evidence member inputs.json has another sha256"),
    ] {
        let desk = Desk::new();
        let key = desk.sign("one");
        assert_eq!(faults(&desk.verify(&[&key], &["--run", &desk.text("run")], 0)), "");
        change(&desk.run_dir().join(member), at, at.len());
        let verdict = desk.verify(&[&key], &[], 5);
        assert!(faults(&verdict).contains(&format!("checksum_error: {named}")), "{verdict:#}");
        let refused = desk.ends(&["attest", "sign", "--key-file", &desk.text("two"), "-o", &desk.text("new.json")], 5);
        let file = member.rsplit('/').next().unwrap();
        assert!(refused.contains(file.trim_end_matches(".json")), "{refused}");
        assert!(!desk.path("new.json").exists());
    }
}

#[test]
fn a_changed_piece_of_evidence_is_named() {
    let desk = Desk::new();
    let key = desk.sign("one");
    let segments = desk.run_dir().join("evidence/segments");
    let segment = fs::read_dir(&segments).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let told = faults(&desk.verify(&[&key], &[], 5));
    assert!(told.contains(segment.file_name().unwrap().to_str().unwrap()), "{told}");
}

#[test]
fn a_report_that_does_not_follow_from_its_evidence_is_not_signed() {
    let desk = Desk::new();
    let report = desk.run_dir().join("report.json");
    let text = fs::read_to_string(&report).unwrap();
    let better =
        text.replacen("\"exit_code\":3", "\"exit_code\":0", 1).replacen("\"needs_anchor\":", "\"needs_anchor\":9", 1);
    assert_ne!(better, text);
    fs::write(&report, better).unwrap();
    let sign = ["attest", "sign", "--key-file", &desk.text("one")];
    let refused = desk.ends(&sign, 5);
    assert!(refused.contains("report.json does not follow from the evidence"), "{refused}");
    assert!(!desk.attestation().exists());
    // Who leaves the audit out signs what the digests allow.
    desk.ends(&[&sign[..], &["--no-audit"]].concat(), 0);
}

#[test]
fn a_run_of_another_version_or_without_a_member_is_refused_by_name() {
    let desk = Desk::new();
    let report = desk.run_dir().join("report.json");
    let text = fs::read_to_string(&report).unwrap();
    let sign = ["attest", "sign", "--key-file", &desk.text("one"), "--no-audit"];
    fs::write(&report, text.replace("reledger/report/1", "reledger/report/2")).unwrap();
    assert!(desk.ends(&sign, 2).contains("reledger/report/2"));
    fs::write(&report, text.replacen("\"state_root\"", "\"root_state\"", 1)).unwrap();
    assert!(desk.ends(&sign, 5).contains("state_root"));
    fs::remove_file(&report).unwrap();
    assert!(desk.ends(&sign, 2).contains("report.json is missing"));
}

#[test]
fn a_changed_byte_of_the_attestation_is_told_as_what_it_breaks() {
    let desk = Desk::new();
    let (one, two) = (desk.sign("one"), desk.sign("two"));
    let good = fs::read(desk.attestation()).unwrap();
    let told = |keys: &[&str]| faults(&desk.verify(keys, &[], 5));
    for (at, named) in [
        ("\"sig\":\"", "signature_mismatch: the signature by"),
        ("\"payload\":\"", "signature_mismatch: the signature by"),
        ("\"payloadType\":\"", "checksum_error: the payload is not application/vnd.in-toto+json"),
        ("\"keyid\":\"", "signature_mismatch: the signature by"),
    ] {
        fs::write(desk.attestation(), &good).unwrap();
        desk.verify(&[&one, &two], &["--threshold", "2"], 0);
        change(&desk.attestation(), at, at.len() + 4);
        let faults = told(&[&one, &two]);
        assert!(faults.contains(named), "{at}: {faults}");
        // Without anybody's key a broken signature is broken all the same.
        assert!(told(&[]).contains(named), "{at}");
    }
    fs::write(desk.attestation(), &good[..good.len() / 2]).unwrap();
    assert!(told(&[&one]).contains("checksum_error: it can't be read"));
    // What is broken is neither added to nor spread.
    fs::write(desk.attestation(), &good).unwrap();
    change(&desk.attestation(), "\"sig\":\"", 12);
    let refused = desk.ends(&["attest", "sign", "--key-file", &desk.text("three")], 5);
    assert!(refused.contains("signature_mismatch"), "{refused}");
    let publish = ["attest", "publish", "--relay", "ws://127.0.0.1:1", "--nostr-key-file", &desk.text("nostr")];
    assert!(desk.ends(&publish, 5).contains("signature_mismatch"));
}

#[test]
fn a_changed_byte_of_the_proof_is_told_and_so_is_the_proof_of_another_file() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    let (key, config) = (desk.sign("one"), house.config());
    desk.json(&["attest", "stamp", "-c", &config], 0);
    desk.json(&["attest", "stamp", "--upgrade", "--force", "-c", &config], 0);
    let headers = house.headers();
    let verify = |expected: i32| desk.verify(&[&key], &["-c", &config, "--headers", &headers], expected);
    verify(0);
    let proof = desk.path("run/attestation.json.ots");
    let good = fs::read(&proof).unwrap();
    // The digest inside, the nonce, an operation, and the first byte of the whole.
    for at in [40, 70, 82, 0] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&proof, bad).unwrap();
        let told = faults(&verify(5));
        assert!(told.contains("checksum_error: the proof does not hold"), "{at}: {told}");
    }
    // A proof of something else is not published either.
    let mut other = good.clone();
    other[40] ^= 1;
    fs::write(&proof, other).unwrap();
    let publish = ["attest", "publish", "--relay", "ws://127.0.0.1:1", "--nostr-key-file", &desk.text("nostr")];
    assert!(desk.ends(&publish, 5).contains("the proof of another file"));
    // One that is named counts, whatever stands beside.
    let kept = desk.path("kept.ots");
    fs::write(&kept, good).unwrap();
    let named = desk.verify(&[&key], &["-c", &config, "--headers", &headers, "--ots", arg(&kept)], 0);
    assert_eq!(named["proof"]["verdict"], "attested");
}

#[test]
fn verify_knows_an_attestation_among_other_files() {
    let desk = Desk::new();
    let key = desk.sign("one");
    let config = desk.path("c.toml");
    fs::write(&config, format!("[seal]\ntrusted_keys = [\"{key}\"]\n")).unwrap();
    let (file, config) = (arg(&desk.attestation()).to_owned(), arg(&config).to_owned());
    let told = desk.json(&["verify", &file, "-c", &config], 0);
    assert_eq!((told["fate"].as_str(), told["media"].as_str()), (Some("ok"), Some("attestation")));
    assert!(desk.ends(&["verify", &file], 3).contains("nobody's key was given"));
    change(&desk.attestation(), "\"payload\":\"", 30);
    let told = desk.run(&["verify", &file, "-c", &config, "--json"]);
    assert_eq!(parsed(&told.stdout)["fate"], "bad");
    assert!(desk.ends(&["verify", &file, "-c", &config], 5).contains("signature_mismatch"));
}
