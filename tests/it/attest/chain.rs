//! The whole way: from a finished run to a verdict that rests on a relay, keys and headers alone.

use std::fs;

use serde_json::json;

use super::desk::{Desk, House, NOW, faults};
use crate::schemas::{faults as schema_faults, schema};
use crate::support::{arg, code, parsed, run, shown};

#[test]
fn a_run_that_two_signed_is_stamped_published_fetched_back_and_verified_from_the_relay_alone() {
    let (desk, house) = (Desk::new(), House::behaving(&[]));
    let (one, two) = (desk.sign("one"), desk.sign("two"));
    let config = house.config();
    let both = [one.as_str(), &two];
    let verdict = desk.verify(&both, &["--threshold", "2"], 0);
    assert_eq!((&verdict["trusted"], &verdict["threshold"]), (&json!(2), &json!(2)));
    assert!(verdict["subjects"].as_array().unwrap().iter().all(|subject| subject["compared"] == "same"), "{verdict:#}");

    let stamped = desk.json(&["attest", "stamp", "-c", &config], 0);
    assert_eq!(stamped["calendars"].as_array().unwrap().len(), 3, "{stamped}");
    let pending = desk.verify(&both, &["-c", &config], 3);
    assert_eq!(pending["proof"]["verdict"], "pending");
    assert_eq!(pending["proof"]["pending"].as_array().unwrap().len(), 3, "{pending:#}");
    assert!(pending["not_established"][0].as_str().unwrap().contains("pending"));

    let upgraded = desk.json(&["attest", "stamp", "--upgrade", "--force", "-c", &config], 0);
    assert_eq!(upgraded["files"][0]["state"], "complete", "{upgraded:#}");
    let height = upgraded["files"][0]["anchors"][0]["height"].clone();
    let headers = house.headers();
    let proven = desk.verify(&both, &["-c", &config, "--headers", &headers, "--min-trust", "chain"], 0);
    assert_eq!(proven["proof"]["anchors"][0]["height"], height);
    assert_eq!(proven["proof"]["anchors"][0]["final"], true);

    let (first, second) = (house.relay(0), house.relay(1));
    let key = desk.text("nostr");
    let publish = ["attest", "publish", "--nostr-key-file", &key, "--relay", &first, "--relay", &second];
    let published = desk.json(&publish, 0);
    assert_eq!(published["with_proof"], true);
    let (author, id) = (published["author"].as_str().unwrap(), published["event"].as_str().unwrap());

    // Another desk, without the run and without its files.
    let empty = tempfile::tempdir().unwrap();
    let alone = |which: &[&str], more: &[&str]| {
        let given = ["attest", "verify", "--relay", &second, "--key", &one, "--key", &two, "--threshold", "2"];
        let own = ["-c", &config, "--run", arg(empty.path()), "--now", NOW, "--json", "-q"];
        // A run that is not there is not compared unless it is named.
        let own = &own[..if more.contains(&"compare") { 7 } else { 2 }];
        let more: Vec<&str> = more.iter().copied().filter(|word| *word != "compare").collect();
        run(&[&given[..], which, own, &more, &["--json", "-q"]].concat())
    };
    for which in [["--author", author], ["--id", id]] {
        let output = alone(&which, &["--headers", &headers]);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        let verdict = parsed(&output.stdout);
        assert_eq!(verdict["event"]["id"], id);
        assert_eq!(verdict["sha256"], proven["sha256"]);
        assert_eq!(verdict["proof"]["anchors"][0]["height"], height);
        assert_eq!(verdict["statement"], proven["statement"]);
        assert_eq!(schema_faults(&schema("attestation-verdict"), &verdict), Vec::<String>::new(), "{verdict:#}");
        assert_eq!(schema_faults(&schema("attestation"), &verdict["statement"]), Vec::<String>::new());
    }
    let without = alone(&["--author", author], &[]);
    assert_eq!(code(&without), 3, "{}", shown(&without));
    assert_eq!(parsed(&without.stdout)["proof"]["verdict"], "header-missing");
    let compared = alone(&["--author", author], &["--headers", &headers, "compare"]);
    assert_eq!(code(&compared), 5, "{}", shown(&compared));
    assert!(faults(&parsed(&compared.stdout)).contains("the run has no sha256 of report.json"));
}

#[test]
fn a_red_run_is_signed_as_what_it_is() {
    let desk = Desk::new();
    let report = desk.run_dir().join("report.json");
    // The statement of a balance that nobody earned.
    let world = tempfile::tempdir().unwrap();
    let config = crate::support::write_world(world.path(), 6, 10);
    let balances = world.path().join("balances.jsonl");
    let lines = fs::read_to_string(&balances).unwrap();
    fs::write(&balances, lines.replacen("\"balance_sats\":", "\"balance_sats\":7", 1)).unwrap();
    let red = desk.path("red");
    let drilled = crate::support::drill(&config, &red, &["--now", NOW]);
    assert_eq!(code(&drilled), 1, "{}", shown(&drilled));
    let signed = desk.json(&["attest", "sign", arg(&red), "--key-file", &desk.text("one")], 0);
    assert_eq!((&signed["outcome"], &signed["run_exit_code"]), (&json!("divergent"), &json!(1)));
    let file = red.join("attestation.json");
    let verify = ["attest", "verify", arg(&file), "--key", signed["key_id"].as_str().unwrap()];
    let told = run(&[&verify[..], &["--run", arg(&red)]].concat());
    assert_eq!(code(&told), 0, "the attestation holds, whatever it says: {}", shown(&told));
    assert!(shown(&told).contains("says: divergent, exit 1"), "{}", shown(&told));
    // It is no word on another run.
    assert_eq!(code(&run(&[&verify[..], &["--run", arg(report.parent().unwrap())]].concat())), 5);
}

#[test]
fn the_same_signers_give_the_same_bytes_and_nothing_of_the_machine_is_stated() {
    let (left, right) = (Desk::new(), Desk::new());
    for name in ["one", "two"] {
        left.sign(name);
    }
    for name in ["two", "one"] {
        right.sign(name);
    }
    let bytes = fs::read(left.attestation()).unwrap();
    assert_eq!(fs::read(right.attestation()).unwrap(), bytes);
    // Signing twice by one key changes nothing, and is said.
    let again = left.json(&["attest", "sign", "--key-file", &left.text("one")], 0);
    assert_eq!((&again["state"], &again["signatures"]), (&json!("already"), &json!(2)));
    assert_eq!(fs::read(left.attestation()).unwrap(), bytes);
    // To standard output, and by a command.
    let command = format!("cat {}", left.text("one"));
    let piped = left.run(&["attest", "sign", "--key-command", &command, "-o", "-", "-q"]);
    let verdict = crate::support::run_piped(&["verify", "-", "--json"], &piped.stdout);
    assert_eq!((code(&piped), code(&verdict)), (0, 3), "{}", shown(&verdict));
    assert_eq!(parsed(&verdict.stdout)["media"], "attestation");
    let statement = left.verify(&[], &[], 3)["statement"].to_string();
    for word in [arg(&left.path("")), "host", "started_at", "2026-10-02"] {
        assert!(!statement.contains(word), "{word}");
    }
}
