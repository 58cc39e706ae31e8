//! What a restore does not do, with its sentence and its exit code; nothing is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::runs::{large, restore, restored, small};
use super::server::{Server, free_port};
use crate::support::{arg, code, copy_folder, drill, run, shown, stderr, stdout, write_world};

#[test]
fn users_and_passwords_open_the_store_and_are_never_shown() {
    let Some(server) = Server::start(&["--requirepass", "s3cret"]) else { return };
    let server = server.with_password("s3cret");
    server.ask(&["ACL", "SETUSER", "ann", "on", ">pa:ss", "~*", "&*", "+@all"]);
    server.ask(&["ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@connection", "+info"]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        arg(&path).to_owned()
    };
    let (right, loose) = (file("right", "s3cret\n", 0o600), file("loose", "s3cret", 0o644));
    let (wrong, empty) = (file("wrong", "s3cre7", 0o600), file("empty", "\n", 0o600));
    let place = format!("127.0.0.1:{}", server.port);
    let at = |who: &str| format!("redis://{who}{place}");
    for (who, more, wanted) in [
        ("", vec![], 2),
        ("", vec!["--password-file", &wrong], 2),
        ("", vec!["--password-file", &empty], 2),
        ("", vec!["--password-file", "/nowhere/at/all"], 2),
        ("", vec!["--password-file", &loose], 6),
        ("", vec!["--password-command", "exit 3"], 2),
        (":s3cret@", vec!["--password-file", &right], 2),
        ("bob@", vec!["--password-file", &right], 2),
        ("reader:pw@", vec![], 2),
        ("", vec!["--password-file", &right], 0),
        ("", vec!["--password-command", "echo s3cret"], 0),
        (":s3cret@", vec![], 0),
        ("ann:pa%3Ass@", vec![], 0),
    ] {
        let output = restore(&at(who), small(), &more);
        assert_eq!(code(&output), wanted, "{who} {more:?}: {}", shown(&output));
        let text = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!text.contains("s3cre") && !text.contains("pa:ss"), "{text}");
        if wanted != 0 {
            assert!(text.contains("hint:"), "{text}");
            assert_eq!(server.held().len(), 0, "{who} {more:?}");
        }
    }
}

#[test]
fn a_store_that_is_full_is_told_and_keeps_what_it_has() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url();
    restored(&url, small());
    let held = server.held();
    let used: String = redis::cmd("INFO").arg("memory").query(&mut server.connection()).unwrap();
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let full = (used.trim().parse::<u64>().unwrap() + 600_000).to_string();
    server.ask(&["CONFIG", "SET", "maxmemory", &full]);
    let output = restore(&url, large(), &[]);
    assert_eq!(code(&output), 74, "{}", shown(&output));
    assert!(stderr(&output).contains("takes no writes: OOM"), "{}", shown(&output));
    assert_eq!((server.held(), server.own()), (held, vec!["oc:reledger:names".to_owned()]), "nothing is left behind");
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert_eq!(code(&restore(&url, large(), &[])), 6, "a store that forgets keys holds no ledger");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    let done = restored(&url, large());
    assert_eq!(done["exit_code"], 0);
}

#[test]
fn a_replica_a_cluster_and_a_server_that_is_not_there_are_refused() {
    let Some(server) = Server::start(&[]) else { return };
    let nobody = free_port().to_string();
    server.ask(&["REPLICAOF", "127.0.0.1", &nobody]);
    let output = restore(&server.url(), small(), &[]);
    assert_eq!((code(&output), stderr(&output).contains("replica")), (6, true), "{}", shown(&output));
    // A replica can be read, and this one holds nothing.
    assert_eq!(code(&restore(&server.url(), small(), &["--compare-only"])), 1);
    let Some(cluster) = Server::start(&["--cluster-enabled", "yes"]) else { return };
    let output = restore(&cluster.url(), small(), &[]);
    assert_eq!((code(&output), stderr(&output).contains("cluster")), (6, true), "{}", shown(&output));
    let output = restore(&format!("redis://127.0.0.1:{nobody}"), small(), &[]);
    assert_eq!((code(&output), stderr(&output).contains("can't be reached")), (8, true), "{}", shown(&output));
    assert_eq!(code(&restore(&format!("{}/1", cluster.url()), small(), &[])), 6);
    assert_eq!(code(&restore(&format!("{}/99", server.url()), small(), &[])), 2);
}

#[test]
fn a_dry_run_and_an_offline_one_contact_nobody() {
    let url = "redis://:s3cret@127.0.0.1:1";
    let output = restore(url, small(), &["--dry-run"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).contains("oc:envelope:{id}") && !stdout(&output).contains("s3cret"), "{}", shown(&output));
    for more in [&["--offline"][..], &["--offline", "--compare-only"]] {
        let output = restore(url, small(), more);
        assert_eq!((code(&output), stderr(&output).contains("--offline")), (6, true), "{}", shown(&output));
    }
}

#[test]
fn what_does_not_follow_from_evidence_is_not_restored_and_what_is_not_clean_only_when_asked() {
    let Some(server) = Server::start(&[]) else { return };
    let (url, folder) = (server.url(), tempfile::tempdir().unwrap());
    let altered = folder.path().join("altered");
    copy_folder(small(), &altered);
    fs::remove_file(altered.join("evidence/custody.jsonl")).unwrap();
    let text = fs::read_to_string(altered.join("report.json")).unwrap();
    fs::write(altered.join("report.json"), text.replacen("\"treasury\"", "\"treasury \"", 1)).unwrap();
    let output = restore(&url, &altered, &[]);
    assert_eq!(code(&output), 5, "{}", shown(&output));
    // A statement that says something else of one user.
    let config = write_world(&folder.path().join("world"), 6, 20);
    let statement = folder.path().join("world/balances.jsonl");
    let lines = fs::read_to_string(&statement).unwrap();
    fs::write(&statement, lines.replacen("\"balance_sats\":", "\"balance_sats\":7", 1)).unwrap();
    let red = folder.path().join("red");
    let judged = drill(&config, &red, &[]);
    assert_eq!(code(&judged), 1, "{}", shown(&judged));
    let output = restore(&url, &red, &[]);
    assert_eq!((code(&output), stderr(&output).contains("--yes")), (6, true), "{}", shown(&output));
    assert_eq!(server.held().len(), 0);
    assert_eq!(code(&restore(&url, &red, &["--yes"])), 0);
    assert_eq!(code(&restore(&url, &red, &["--compare-only"])), 0, "who only reads need not say yes");
    let output = restore(&url, &folder.path().join("nothing"), &[]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
}

#[test]
fn ledgers_without_a_line_are_never_green() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("reledger.toml");
    fs::write(folder.path().join("events.jsonl"), "").unwrap();
    fs::write(&config, "profile = \"orangecheck-2026-10\"\n[nostr]\nfiles = [\"events.jsonl\"]\n").unwrap();
    let judged = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&judged), 3, "{}", shown(&judged));
    for more in [&["--yes"][..], &["--compare-only"]] {
        let output = restore("redis://127.0.0.1:1", &folder.path().join("run"), more);
        assert_eq!(code(&output), 3, "{}", shown(&output));
    }
}

#[test]
fn an_address_or_layout_that_can_not_be_is_a_usage_error_that_repeats_no_password() {
    for url in ["localhost", "postgres://u:s3cret@h/db", "redis://u:s3cret@", "redis://h/s3cret", "redis://h?s3cret"] {
        let output = restore(url, small(), &[]);
        assert_eq!(code(&output), 2, "{}", shown(&output));
        assert!(!stderr(&output).contains("s3cret"), "{}", shown(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("reledger.toml");
    fs::write(&config, "[restore]\nrebind = \"envelope:{id}\"\n").unwrap();
    let output = restore("redis://127.0.0.1:1", small(), &["-c", arg(&config)]);
    assert_eq!((code(&output), stderr(&output).contains("collide")), (2, true), "{}", shown(&output));
    let output = run(&["restore", "redis://127.0.0.1:1", "--run", arg(small()), "--tls-ca", arg(&config)]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
}
