//! Whose keys count, how keys are kept, and what is refused.

use std::fs;

use serde_json::json;

use super::desk::{Desk, House, faults};
use crate::support::arg;

#[test]
fn only_keys_that_were_given_count() {
    let desk = Desk::new();
    let (one, two) = (desk.sign("one"), desk.sign("two"));
    let three = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
    let standings = |keys: &[&str], more: &[&str], code: i32| {
        let verdict = desk.verify(keys, more, code);
        let all = verdict["signatures"].as_array().unwrap().iter();
        (all.filter(|one| one["standing"] == "trusted").count(), faults(&verdict))
    };
    assert_eq!(standings(&[&one], &[], 0), (1, String::new()));
    assert_eq!(standings(&[&one, three], &[], 0).0, 1);
    let (trusted, told) = standings(&[three], &[], 5);
    assert_eq!((trusted, told.contains("signature_mismatch: 0 of the 1 keys that count have signed")), (0, true));
    assert!(standings(&[&one, three], &["--threshold", "2"], 5).1.contains("1 of the 2 keys"));
    // The same key twice is one key.
    desk.ends(&["attest", "verify", "--key", &one, "--key", &one, "--threshold", "2"], 2);
    let verdict = desk.verify(&[], &[], 3);
    assert_eq!((&verdict["trusted"], &verdict["threshold"]), (&json!(0), &json!(null)));
    assert_eq!(verdict["not_established"][0], "nobody's key was given: integrity only");
    // From a file, and from the configuration; keys that are given leave the configuration's out.
    let file = desk.path("keys.txt");
    fs::write(&file, format!("# who signs\n{one}  # the operator\n\n{two}\n")).unwrap();
    let listed = desk.verify(&[], &["--trusted-keys", arg(&file), "--threshold", "2"], 0);
    assert_eq!(listed["trusted"], 2);
    let config = desk.path("c.toml");
    fs::write(&config, format!("[seal]\ntrusted_keys = [\"{one}\"]\n")).unwrap();
    assert_eq!(desk.verify(&[], &["-c", arg(&config)], 0)["trusted"], 1);
    desk.verify(&[three], &["-c", arg(&config)], 5);
    for bad in ["", "zz\n", "# nobody\n"] {
        fs::write(&file, bad).unwrap();
        desk.ends(&["attest", "verify", "--trusted-keys", arg(&file)], 2);
    }
}

#[test]
fn a_key_that_others_can_read_signs_nothing_and_publishes_nothing() {
    let desk = Desk::new();
    desk.sign("one");
    for name in ["two", "nostr"] {
        desk.key(name, 0o640);
    }
    let sign = ["attest", "sign", "--key-file", &desk.text("two")];
    let publish = ["attest", "publish", "--relay", "ws://127.0.0.1:1", "--nostr-key-file", &desk.text("nostr")];
    for args in [&sign[..], &publish[..]] {
        let told = desk.ends(args, 6);
        assert!(told.contains("chmod 600"), "{told}");
        desk.ends(&[args, &["--dry-run"]].concat(), 6);
    }
    // A dry run asks no command for a secret, and writes nothing.
    let asked = desk.path("asked");
    let command = format!("touch {}", arg(&asked));
    let before = fs::read(desk.attestation()).unwrap();
    desk.ends(&["attest", "sign", "--key-command", &command, "--dry-run"], 0);
    let publish = ["attest", "publish", "--relay", "ws://127.0.0.1:1", "--nostr-key-command", &command];
    desk.ends(&[&publish[..], &["--dry-run"]].concat(), 0);
    assert!(!asked.exists());
    // One that prints none is told as such.
    assert!(desk.ends(&publish, 2).contains("--nostr-key-command is no key"));
    assert_eq!(fs::read(desk.attestation()).unwrap(), before);
}

#[test]
fn no_socket_is_opened_offline_and_nothing_is_sent_by_another_command() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    desk.sign("one");
    let (config, relay) = (house.config(), house.relay(0));
    let author = "0".repeat(63) + "1";
    for args in [
        &["attest", "stamp", "-c", &config][..],
        &["attest", "publish", "--relay", &relay, "--nostr-key-file", &desk.text("nostr")],
        &["attest", "verify", "--relay", &relay, "--author", &author],
    ] {
        let told = desk.ends(&[args, &["--offline"]].concat(), 6);
        assert!(told.contains("--offline forbids contacting"), "{told}");
    }
    assert!(!desk.path("run/attestation.json.ots").exists());
    // Judging alone opens none, and a dry run of the stamp names whom it would ask.
    desk.ends(&["attest", "verify", "--offline"], 3);
    let dry = desk.json(&["attest", "stamp", "-c", &config, "--dry-run"], 0);
    assert_eq!((dry["calendars"].as_array().unwrap().len(), &dry["wrote"]), (3, &json!(null)));
    assert!(!desk.path("run/attestation.json.ots").exists());
}

#[test]
fn what_is_stamped_is_not_signed_again_unasked_and_another_run_is_not_overwritten() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    desk.sign("one");
    desk.json(&["attest", "stamp", "-c", &house.config()], 0);
    let before = fs::read(desk.attestation()).unwrap();
    let sign = ["attest", "sign", "--key-file", &desk.text("two")];
    let refused = desk.ends(&sign, 6);
    assert!(refused.contains("one more signature would make it void"), "{refused}");
    assert_eq!(fs::read(desk.attestation()).unwrap(), before);
    // Who has signed before changes nothing, so that is no reason to refuse.
    desk.sign("one");
    desk.ends(&["attest", "stamp", "-c", &house.config()], 6);
    let told = desk.ends(&[&sign[..], &["--yes"]].concat(), 0);
    assert!(told.contains("is void now"), "{told}");
    let key = desk.sign("one");
    assert!(faults(&desk.verify(&[&key], &[], 5)).contains("OTS_DIGEST"));
    desk.json(&["attest", "stamp", "-c", &house.config(), "--yes"], 0);
    assert_eq!(desk.verify(&[&key], &[], 3)["proof"]["verdict"], "pending");
    // An attestation of something else stays, whoever signs.
    let other = desk.path("other.json");
    fs::write(&other, "{}").unwrap();
    let elsewhere = ["attest", "sign", "--key-file", &desk.text("one"), "-o", arg(&other)];
    assert!(desk.ends(&elsewhere, 6).contains("attests something else"));
    assert_eq!(fs::read(&other).unwrap(), b"{}");
    desk.ends(&[&elsewhere[..], &["--yes"]].concat(), 0);
}
