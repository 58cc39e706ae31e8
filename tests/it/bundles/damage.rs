//! What is not as it was written is refused, and a lie whose digests agree is too.

use std::fs;

use reledger::app::Fate;
use reledger::domain::Condition;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::stage::{Run, bundle, bundles, fingerprint, first, resealed, verify};
use crate::support::{arg, code, run, run_piped, shown, stdout};

/// How it is refused, what it is, and how it is told.
type Lie = (&'static str, &'static str, fn(&mut Value));

/// Every byte of so much, and of the rest a sample.
const EVERY_BYTE: usize = 4 * 1024;

fn refused(bytes: &[u8], with: &str, what: &str) {
    let judged = verify(bytes);
    assert_eq!(
        (judged.fate, judged.condition),
        (Fate::Bad, Some(Condition::UntrustedInput)),
        "{what}: {}",
        judged.says
    );
    assert!(judged.says.starts_with(with), "{what}: {}", judged.says);
}

/// The planted wrong signature of a settlement: a small bundle that stands by itself.
fn small(dir: &std::path::Path) -> (Run, Vec<u8>) {
    let run = Run::of(dir, (31, 10), &[first("SIG_BAD")]);
    let made = bundle(&run.folder, run.planted("SIG_BAD"));
    assert!(made.self_contained && verify(&made.bytes).fate == Fate::Ok);
    (run, made.bytes)
}

#[test]
fn every_changed_byte_every_cut_and_every_other_spelling_is_refused() {
    let folder = tempdir().unwrap();
    let (_, good) = small(folder.path());
    let places = (0..good.len()).filter(|at| *at < EVERY_BYTE || at % 13 == 0);
    for at in places {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        refused(&bytes, "checksum_error", &format!("byte {at}"));
    }
    for length in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        refused(&good[..length], "checksum_error", &format!("cut to {length}"));
    }
    let value: Value = serde_json::from_slice(&good).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    refused(&pretty, "checksum_error", "white space");
    refused(&[&good[..], b"\n"].concat(), "checksum_error", "one more line feed");
    let text = String::from_utf8(good.clone()).unwrap();
    let end = text.rfind('}').unwrap();
    refused(format!("{},\"z\":1}}\n", &text[..end]).as_bytes(), "checksum_error", "one more member");
    let (first, rest) = text[1..].split_once(',').unwrap();
    let moved = format!("{{{},{first}}}\n", &rest[..rest.rfind('}').unwrap()]);
    refused(moved.as_bytes(), "checksum_error", "members in another order");
}

#[test]
fn a_lie_whose_digests_agree_is_refused() {
    let folder = tempdir().unwrap();
    let (_, good) = small(folder.path());
    assert_eq!(resealed(&good, |_| {}), good, "the second implementation writes the same bytes");
    let lies: [Lie; 13] = [
        ("signature_mismatch", "what was observed", |value| value["observed"] = "all is well".into()),
        ("signature_mismatch", "severity", |value| value["severity"] = "info".into()),
        ("signature_mismatch", "no evidence", |value| value["evidence"] = json!([])),
        ("signature_mismatch", "a role", |value| value["evidence"][0]["role"] = "witness".into()),
        ("signature_mismatch", "names", |value| value["discloses"] = json!([{"name": "nobody", "pieces": 1}])),
        ("signature_mismatch", "a check", |value| value["predicates"][0]["check"] = "another".into()),
        ("signature_mismatch", "another window", |value| {
            value["window"] = json!({"from": 1, "until": 2});
        }),
        ("signature_mismatch", "another fingerprint", |value| value["fingerprint"] = "00".repeat(32).into()),
        ("signature_mismatch", "a fingerprint of nothing", |value| {
            value["fingerprint"] = "00".repeat(32).into();
            value["reproduced"] = false.into();
            value["self_contained"] = false.into();
        }),
        ("checksum_error", "a policy that is not the one named", |value| value["policy"]["min_depth"] = 1.into()),
        ("checksum_error", "an instant beyond all times", |value| value["as_of"] = i64::MAX.into()),
        ("checksum_error", "evidence twice", |value| {
            let piece = value["evidence"][0].clone();
            value["evidence"].as_array_mut().unwrap().push(piece);
        }),
        ("checksum_error", "a member too many", |value| value["evidence"][0]["comment"] = "hi".into()),
    ];
    for (with, what, lie) in lies {
        refused(&resealed(&good, lie), with, what);
    }
    // Somebody else's software wrote the same: nothing that the id covers.
    let other = resealed(&good, |value| value["software"]["version"] = "9.9.9".into());
    assert_eq!(verify(&other).fate, Fate::Ok);
}

#[test]
fn a_newer_schema_and_other_rules_are_said_so_and_not_called_damage() {
    let folder = tempdir().unwrap();
    let (_, good) = small(folder.path());
    for (what, change) in [
        ("newer", (|value| value["schema"] = "reledger/bundle/2".into()) as fn(&mut Value)),
        ("rule set", |value| value["rule_set_sha256"] = "11".repeat(32).into()),
    ] {
        let judged = verify(&resealed(&good, change));
        assert_eq!((judged.fate, judged.condition), (Fate::Unchecked, None), "{}", judged.says);
        assert!(judged.says.contains(what), "{}", judged.says);
    }
}

#[test]
fn the_command_judges_a_bundle_offline_with_nothing_else_and_under_the_readers_own_keys() {
    let folder = tempdir().unwrap();
    let own = Run::of(&folder.path().join("own"), (31, 10), &[first("PRE_INVALID")]);
    // Only an accepted settlement is looked into: whose key is pinned decides.
    let good = bundle(&own.folder, own.planted("PRE_INVALID")).bytes;
    let other = Run::of(&folder.path().join("other"), (32, 10), &[]);
    let file = folder.path().join("bundle.json");
    fs::write(&file, &good).unwrap();
    let alone = run(&["verify", "--offline", arg(&file)]);
    assert_eq!(code(&alone), 0, "{}", shown(&alone));
    assert_eq!(stdout(&alone).lines().count(), 1);
    assert!(stdout(&alone).contains("PRE_INVALID") && stdout(&alone).contains("checkpoint"), "{}", shown(&alone));
    let same = run(&["verify", arg(&file), "-c", arg(&own.config())]);
    assert_eq!(code(&same), 0, "{}", shown(&same));
    assert!(stdout(&same).contains("your configuration gives the same"), "{}", shown(&same));
    let differs = run(&["verify", arg(&file), "-c", arg(&other.config()), "--json"]);
    assert_eq!(code(&differs), 5, "{}", shown(&differs));
    assert!(stdout(&differs).contains("differs under your configuration"), "{}", shown(&differs));
    for at in [0, 1, good.len() / 3, good.len() / 2, good.len() - 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        fs::write(&file, &bytes).unwrap();
        let damaged = run(&["verify", arg(&file)]);
        assert_eq!(code(&damaged), 5, "byte {at}: {}", shown(&damaged));
        assert!(stdout(&damaged).contains("checksum_error"), "{}", shown(&damaged));
    }
}

#[test]
fn a_name_that_hides_what_it_is_does_not_hide_damage() {
    let folder = tempdir().unwrap();
    let (_, good) = small(folder.path());
    let file = folder.path().join("evidence.json");
    for at in (0..good.len()).step_by(good.len() / 12).chain([0, 1, good.len() - 1]) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let damaged = run(&["verify", arg(&file)]);
        assert_eq!(code(&damaged), 5, "byte {at}: {}", shown(&damaged));
    }
}

#[test]
fn nothing_in_a_bundle_can_be_left_out() {
    let folder = tempdir().unwrap();
    let codes = ["ESC_UNFUNDED", "OP_CONFLICT", "PRE_INVALID"];
    let run = Run::of(folder.path(), (33, 10), &codes.map(first));
    for made in bundles(&run.folder, &codes.map(|code| run.planted(code))) {
        assert!(made.self_contained && made.pieces > 0, "{}", made.code);
        for at in 0..made.pieces {
            let less = resealed(&made.bytes, |value| drop(value["evidence"].as_array_mut().unwrap().remove(at)));
            refused(&less, "signature_mismatch", &format!("{} without piece {at}", made.code));
        }
    }
}

#[test]
fn an_absence_is_never_verified_whatever_the_bundle_says_of_itself() {
    let folder = tempdir().unwrap();
    let run = Run::of(folder.path(), (34, 10), &["SET_MISSING", "KEY_UNKNOWN", "REB_GAP"].map(first));
    let made = bundle(&run.folder, fingerprint(run.planted.first().expect("room for one of them")));
    let judged = verify(&made.bytes);
    assert_eq!((made.self_contained, judged.fate), (false, Fate::Unchecked), "{}", judged.says);
    assert!(made.reason.is_some_and(|reason| judged.says.contains(&reason)), "{}", judged.says);
    let boast = resealed(&made.bytes, |value| value["self_contained"] = true.into());
    refused(&boast, "signature_mismatch", "self-contained");
    let silent = resealed(&made.bytes, |value| value["reason"] = Value::Null);
    refused(&silent, "signature_mismatch", "without its reason");
    let denied = resealed(&made.bytes, |value| value["reproduced"] = false.into());
    assert_eq!(verify(&denied).fate, Fate::Unchecked, "who claims less gets no more");
}

#[test]
fn a_bundle_through_a_pipe_is_judged_like_the_file() {
    let folder = tempdir().unwrap();
    let (_, good) = small(folder.path());
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    let file = folder.path().join("a.bundle.json");
    for (bytes, exit) in [(&good[..], 0), (&changed, 5), (&good[..good.len() - 40], 5)] {
        fs::write(&file, bytes).unwrap();
        let named = run(&["verify", "--offline", arg(&file)]);
        assert_eq!(code(&named), exit, "{}", shown(&named));
        for pipe in ["-", "/dev/stdin"] {
            let piped = run_piped(&["verify", "--offline", pipe], bytes);
            assert_eq!(code(&piped), exit, "{}", shown(&piped));
            let place = if pipe == "-" { "-" } else { "stdin" };
            let told = stdout(&piped).replacen(&format!(" {place} bundle"), " a.bundle.json bundle", 1);
            assert_eq!(told, stdout(&named), "{pipe}");
        }
    }
}
