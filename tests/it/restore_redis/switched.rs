//! Another state takes the place of the one before; what a restore did not write is left as it is.

use super::runs::{compared, large, restore, restored, small, told};
use super::server::{Held, Server};
use crate::support::{code, shown, stderr};

fn without(held: Held, names: &[&str]) -> Held {
    held.into_iter().filter(|(key, _)| !names.contains(&key.as_str())).collect()
}

#[test]
fn a_second_restore_changes_nothing_and_one_of_another_state_replaces_and_removes() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url();
    let foreign = [["SET", "session:1", "x"], ["SADD", "oc:other", "y"], ["HSET", "h", "f"]];
    for words in &foreign[..2] {
        server.ask(words);
    }
    server.ask(&["HSET", "h", "f", "v"]);
    let names = ["session:1", "oc:other", "h"];
    let foreign = server.held();
    restored(&url, small());
    let (first, own) = (server.held(), server.own());
    assert_eq!(own, ["oc:reledger:names"], "nothing is left behind");
    assert_eq!(restored(&url, small())["loaded"], serde_json::Value::Null);
    assert_eq!((server.held(), server.own()), (first.clone(), own.clone()));
    let grown = restored(&url, large());
    let all = without(server.held(), &names);
    let kept = without(first.clone(), &names).keys().filter(|key| all.contains_key(*key)).count();
    assert!(grown["loaded"]["removed"].as_u64().unwrap() > 100, "{grown:#}");
    assert_eq!(grown["loaded"]["removed"], first.len() - 3 - kept);
    assert_eq!(compared(&url, large()), (0, Vec::new()));
    // The same store as one that was restored from empty.
    let Some(fresh) = Server::start(&[]) else { return };
    restored(&fresh.url(), large());
    assert_eq!(fresh.held(), all);
    restored(&url, small());
    assert_eq!((server.held(), server.own()), (first, own));
    assert_eq!(server.held().into_iter().filter(|(key, _)| names.contains(&key.as_str())).collect::<Held>(), foreign);
}

#[test]
fn a_foreign_key_in_the_way_is_named_and_nothing_is_changed() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url();
    restored(&url, large());
    let key = server.first("oc:envelope:*");
    server.ask(&["FLUSHALL"]);
    for before in [None, Some(small())] {
        if let Some(run) = before {
            restored(&url, run);
        }
        server.ask(&["RPUSH", &key, "mine"]);
        let (held, own) = (server.held(), server.own());
        let output = restore(&url, large(), &[]);
        assert_eq!(code(&output), 6, "{}", shown(&output));
        assert!(stderr(&output).contains(&key), "{}", shown(&output));
        assert_eq!((server.held(), server.own()), (held, own));
        server.ask(&["DEL", &key]);
    }
    // A name that is not needed is in nobody's way, and is told.
    server.ask(&["SET", "oc:envelope:f", "mine"]);
    let output = restore(&url, large(), &["--json"]);
    assert_eq!((code(&output), told(&output)["unexpected"].as_u64()), (1, Some(1)), "{}", shown(&output));
    assert_eq!(server.ask(&["GET", "oc:envelope:f"]), redis::Value::BulkString(b"mine".to_vec()));
}

#[test]
fn a_layout_of_the_operators_own_is_followed_and_two_of_them_live_side_by_side() {
    let Some(server) = Server::start(&[]) else { return };
    let (url, folder) = (server.url(), tempfile::tempdir().unwrap());
    let config = folder.path().join("reledger.toml");
    std::fs::write(&config, "[restore]\nprefix = \"\"\nenvelope = \"env/{id}/v1\"\nmeta = \"about\"\n").unwrap();
    let config = config.to_str().unwrap();
    restored(&url, small());
    let output = restore(&url, small(), &["-c", config]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(server.first("env/*/v1").len() == 71 && server.first("by_user:*").len() > 8);
    assert!(server.first("about") == "about" && server.first("reledger:*") == "reledger:names");
    let output = restore(&url, small(), &["-c", config, "--compare-only"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(compared(&url, small()), (0, Vec::new()));
}
