//! Proofs that are judged with nothing else at hand.

use std::fs;
use std::process::Command;

use super::desk::Desk;
use crate::support::{code, run, run_piped, shown, stdout};

struct Proven {
    desk: Desk,
    key: String,
    included: String,
    extends: String,
}

impl Proven {
    fn new() -> Self {
        let desk = Desk::new();
        let key = desk.seal("one", &[])["key_id"].as_str().unwrap().to_owned();
        desk.grow();
        desk.seal("one", &[]);
        let list = fs::read_to_string(desk.path("run/checkpoints/admitted.txt")).unwrap();
        let item = list.lines().nth(3).unwrap();
        let printed = |args: &[&str]| {
            let output = desk.run(args);
            assert_eq!(code(&output), 0, "{}", shown(&output));
            stdout(&output)
        };
        let included = printed(&["checkpoint", "prove", &item[..12]]);
        let extends = printed(&["checkpoint", "prove", "--from", "0"]);
        fs::write(desk.path("seal.toml"), format!("[seal]\ntrusted_keys = [\"{key}\"]\n")).unwrap();
        Self { desk, key, included, extends }
    }

    /// The exit code of judging these bytes by the key that sealed, and what was told.
    fn judged(proof: &str, config: &str) -> (i32, String) {
        let output = run_piped(&["verify", "-", "-c", config], proof.as_bytes());
        (code(&output), shown(&output))
    }
}

#[test]
fn a_proof_is_judged_alone_and_whatever_is_changed_in_it_fails() {
    let proven = Proven::new();
    let config = proven.desk.text("seal.toml");
    for proof in [&proven.included, &proven.extends] {
        let (code_, told) = Proven::judged(proof, &config);
        assert_eq!(code_, 0, "{told}");
        let file = proven.desk.path("proof.json");
        fs::write(&file, proof).unwrap();
        assert_eq!(code(&run(&["verify", &proven.desk.text("proof.json")])), 3, "nobody's key, nobody's word");
        // Other hex digits in every digest, signature and number.
        let value: serde_json::Value = serde_json::from_str(proof).unwrap();
        let path = value["path"].as_array().unwrap();
        let body = value.get("checkpoint").or(value.get("newer")).unwrap();
        let texts = path.iter().map(|node| node.as_str().unwrap());
        let own =
            [body["sig"].as_str().unwrap(), body["key_id"].as_str().unwrap(), body["body"]["root"].as_str().unwrap()];
        for text in texts.chain(own) {
            let digit = if text.starts_with('0') { "1" } else { "0" };
            let changed = proof.replacen(text, &format!("{digit}{}", &text[1..]), 1);
            assert_eq!(Proven::judged(&changed, &config).0, 5, "{text}");
        }
        let first = path[0].as_str().unwrap();
        for (from, to) in [
            (format!("\"{first}\","), String::new()),
            ("\"path\":[".to_owned(), format!("\"path\":[\"{first}\",")),
            ("-proof/1".to_owned(), "-proof/2".to_owned()),
            ("\"seq\":1".to_owned(), "\"seq\":2".to_owned()),
            ("\"path\"".to_owned(), "\"more\":1,\"path\"".to_owned()),
            (first.to_owned(), first.to_uppercase()),
            ("]".to_owned(), String::new()),
        ] {
            let changed = proof.replacen(&from, &to, 1);
            assert_ne!(&changed, proof, "{from}");
            let (code_, told) = Proven::judged(&changed, &config);
            assert_eq!(code_, 5, "{from} {told}");
        }
    }
    let item = proven.included.replacen("\"index\":3", "\"index\":4", 1);
    assert_eq!(Proven::judged(&item, &config).0, 5);
}

#[test]
fn a_second_reader_in_another_language_judges_the_same_proofs() {
    let proven = Proven::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checkpoint_proof.py");
    let judged = |proof: &str, key: &str| {
        let file = proven.desk.path("proof.json");
        fs::write(&file, proof).unwrap();
        Command::new("python3").env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(file).arg(key).output()
    };
    // A machine without Python has no second reader.
    let Ok(output) = judged(&proven.included, &proven.key) else { return };
    assert_eq!(stdout(&output), "ok\n", "{}", shown(&output));
    assert_eq!(stdout(&judged(&proven.extends, &proven.key).unwrap()), "ok\n");
    for proof in [&proven.included, &proven.extends] {
        assert!(!judged(proof, &"ab".repeat(32)).unwrap().status.success());
        let value: serde_json::Value = serde_json::from_str(proof).unwrap();
        let node = value["path"][0].as_str().unwrap();
        assert!(!judged(&proof.replacen(node, &"00".repeat(32), 1), &proven.key).unwrap().status.success());
    }
}

#[test]
fn what_is_not_there_is_not_proven() {
    let proven = Proven::new();
    let ends = |args: &[&str], code| proven.desk.ends(&[&["checkpoint", "prove"], args].concat(), code);
    assert!(ends(&["0000000000000000"], 2).contains("nothing that was admitted"));
    assert!(ends(&["abc"], 2).contains("no id"));
    assert!(ends(&["--from", "1", "--to", "0"], 2).contains("before"));
    assert!(ends(&["--from", "7"], 2).contains("ends at 1"));
    let list = fs::read_to_string(proven.desk.path("run/checkpoints/admitted.txt")).unwrap();
    let last = list.lines().last().unwrap().to_owned();
    assert!(ends(&[&last, "--at", "0"], 2).contains("after that checkpoint"));
    ends(&[&last, "--at", "1"], 0);
    ends(&[], 2);
    fs::write(proven.desk.path("run/checkpoints/admitted.txt"), list.replace(&last, &"00".repeat(32))).unwrap();
    assert!(ends(&[&last], 5).contains("checksum_error"));
}
