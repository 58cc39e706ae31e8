//! What never leaves, and what leaves only when it was asked for.

use std::collections::BTreeSet;
use std::fs;

use reledger::app::{ExportWanted, Fate, Made};
use serde_json::Value;
use tempfile::tempdir;

use super::stage::{Run, bundle, export, first, resealed, verify};
use crate::support::{arg, code, run, shown, stderr, stdout};

/// Texts of a bundle that are no evidence.
fn told(bundle: &Value) -> String {
    let mut bare = bundle.clone();
    bare["evidence"] = Value::Null;
    bare.to_string()
}

/// Users' keys in a text.
fn users(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != ':');
    words
        .filter(|word| word.starts_with("did:oc:") || word.starts_with("bc1q") && word.len() > 20)
        .map(str::to_owned)
        .collect()
}

#[test]
fn without_leave_a_bundle_tells_no_name_and_its_evidence_names_one_person_at_most() {
    let folder = tempdir().unwrap();
    let faults = ["ESC_UNFUNDED", "USER_OVERPAID", "BALANCE_MISMATCH", "SIG_BAD", "DIST_CLOSURE"].map(first);
    let run = Run::of(folder.path(), (51, 10), &faults);
    let wanted = ExportWanted::These(run.planted.iter().map(|one| super::stage::fingerprint(one).to_hex()).collect());
    let (mut bundles, mut held_back) = (0, 0);
    for made in export(&run.folder, &wanted, false) {
        match made {
            Made::HeldBack(held) => {
                held_back += 1;
                assert!(held.for_names, "{}", held.why);
            }
            Made::Bundle(made) => {
                bundles += 1;
                let value: Value = serde_json::from_slice(&made.bytes).unwrap();
                assert_eq!(value["users_revealed"], false);
                assert_eq!(users(&told(&value)), BTreeSet::new(), "{}", made.code);
                let named: BTreeSet<String> = (value["evidence"].as_array().unwrap().iter())
                    .flat_map(|piece| users(piece["text"].as_str().unwrap_or_default()))
                    .collect();
                assert!(named.len() <= 1, "{}: {named:?}", made.code);
                assert_ne!(verify(&made.bytes).fate, Fate::Bad, "{}", verify(&made.bytes).says);
            }
        }
    }
    assert!(bundles > 1 && held_back > 0, "{bundles} bundles, {held_back} held back");
    // With leave all of them come, and each says whom it names.
    for made in export(&run.folder, &wanted, true) {
        let Made::Bundle(made) = made else { panic!("held back in spite of --reveal-users") };
        let value: Value = serde_json::from_slice(&made.bytes).unwrap();
        let discloses: BTreeSet<&str> =
            value["discloses"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        for piece in value["evidence"].as_array().unwrap() {
            for user in users(piece["text"].as_str().unwrap_or_default()) {
                assert!(discloses.contains(user.as_str()), "{}: {user}", made.code);
            }
        }
    }
}

#[test]
fn bearer_notes_are_in_no_bundle_and_a_bundle_that_holds_some_is_refused() {
    let folder = tempdir().unwrap();
    let run = Run::of(folder.path(), (52, 10), &[first("SRC_SECRET_PRESENT")]);
    let log: String = fs::read_to_string(folder.path().join("gateway/payment_log.json")).unwrap();
    let notes = log.split("\"oob_notes\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(notes.len() > 8, "the world holds notes");
    let made = bundle(&run.folder, run.planted("SRC_SECRET_PRESENT"));
    let text = String::from_utf8(made.bytes.clone()).unwrap();
    assert!(!text.contains(notes) && text.contains("redacted:sha256:"), "{text}");
    let unsealed = resealed(&made.bytes, |value| {
        let piece = &mut value["evidence"][0];
        let text = piece["text"].as_str().unwrap();
        let start = text.find("redacted:sha256:").unwrap();
        let text = format!("{}{notes}{}", &text[..start], &text[start + 16 + 64..]);
        let raw = reledger::domain::RawEvidence {
            media: piece["media"].as_str().unwrap().parse().unwrap(),
            about: piece["about"].as_str().unwrap().to_owned(),
            bytes: text.clone().into_bytes(),
        };
        piece["id"] = raw.id().to_string().into();
        piece["sha256"] = reledger::domain::sha256(&raw.bytes).to_hex().into();
        piece["text"] = text.into();
    });
    let judged = verify(&unsealed);
    assert_eq!(judged.fate, Fate::Bad);
    assert!(judged.says.contains("bearer notes"), "{}", judged.says);
}

#[test]
fn payments_of_others_are_counted_and_never_handed_out() {
    let folder = tempdir().unwrap();
    let run = Run::of(folder.path(), (53, 10), &[first("GW_FOREIGN")]);
    let made = bundle(&run.folder, run.planted("GW_FOREIGN"));
    let value: Value = serde_json::from_slice(&made.bytes).unwrap();
    let media = value["evidence"].as_array().unwrap().iter().map(|piece| piece["media"].as_str().unwrap());
    assert!(media.into_iter().all(|media| media != "payment-log-entry"), "{value}");
    assert!(!made.self_contained);
    assert_eq!(verify(&made.bytes).fate, Fate::Unchecked);
}

#[test]
fn the_command_writes_private_files_holds_back_names_and_says_so() {
    let folder = tempdir().unwrap();
    let world = Run::of(&folder.path().join("world"), (51, 10), &["DIST_CLOSURE", "SIG_BAD"].map(first));
    let (signature, shares) = (world.planted("SIG_BAD").to_hex(), world.planted("DIST_CLOSURE").to_hex());
    let export = |more: &[&str]| run(&[&["divergences", "export", "--run", arg(&world.folder)], more].concat());
    let out = folder.path().join("out");
    let file = folder.path().join("one.json");
    let made = export(&[&signature[..12], "-o", arg(&file), "--reveal-users"]);
    assert_eq!(code(&made), 0, "{}", shown(&made));
    let bytes = fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(arg(folder.path())), "no path");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions()) & 0o777, 0o600);
    assert_eq!(export(&[&signature, "--reveal-users"]).stdout, bytes, "stdout is the bundle");
    assert_eq!(code(&export(&[&signature, "-o", arg(&file)])), 6, "nothing is overwritten unasked");
    let held = export(&[&shares, &signature, "-o", arg(&out)]);
    assert_eq!(code(&held), 6, "{}", shown(&held));
    assert!(stderr(&held).contains("--reveal-users"), "{}", shown(&held));
    let dry = export(&["--all", "-o", arg(&folder.path().join("dry")), "--dry-run"]);
    assert_eq!((code(&dry), folder.path().join("dry").exists()), (0, false), "{}", shown(&dry));
    for wrong in [&["00000000"][..], &["0"], &[], &["--all", &signature]] {
        assert_eq!(code(&export(wrong)), 2, "{wrong:?}");
    }
    let listed = export(&[&shares, &signature, "-o", arg(&out), "--reveal-users", "--json", "--yes"]);
    let value: Value = serde_json::from_str(&stdout(&listed)).unwrap();
    assert_eq!((code(&listed), value["bundles"].as_array().map(Vec::len)), (0, Some(2)), "{}", shown(&listed));
    let verified = run(&["verify", "--offline", arg(&out)]);
    assert_eq!(code(&verified), 0, "{}", shown(&verified));
}
