//! A comparison names what was altered by hand, and nothing else.

use redis::Value;

use super::runs::{compared, large, restore, restored, small, told};
use super::server::Server;
use crate::support::{code, shown, stderr, stdout};

/// One thing done by hand, and how a comparison has to name it.
struct Tampering {
    words: Vec<String>,
    named: [String; 4],
}

fn tampering(words: &[&str], named: [&str; 4]) -> Tampering {
    Tampering { words: words.iter().map(|word| (*word).to_owned()).collect(), named: named.map(str::to_owned) }
}

/// The first member of a sorted set, with its score.
fn first_member(server: &Server, key: &str) -> (String, String) {
    let pair: Vec<String> =
        redis::cmd("ZRANGE").arg(key).arg(0).arg(0).arg("WITHSCORES").query(&mut server.connection()).unwrap();
    (pair[0].clone(), pair[1].clone())
}

#[test]
fn a_store_restored_from_empty_is_clean_and_whatever_is_done_to_it_by_hand_is_named() {
    let Some(server) = Server::start(&[]) else { return };
    let (url, run) = (server.url(), small());
    let done = restored(&url, run);
    assert_eq!((&done["loaded"]["resumed"], &done["loaded"]["removed"]), (&0.into(), &0.into()));
    assert!(done["compared"]["records"].as_u64().unwrap() > 100 && done["compared"]["members"].as_u64().unwrap() > 100);
    let whole = server.held();
    assert_eq!(compared(&url, run), (0, Vec::new()));
    let (envelope, rebind) = (server.first("oc:envelope:*"), server.first("oc:rebind:*"));
    let (user, project, tier) =
        (server.first("oc:by_user:*"), server.first("oc:by_project:*"), server.first("oc:attestation:*"));
    let treasury = server.first("oc:treasury:*");
    let ((member, score), (other, _)) = (first_member(&server, &user), first_member(&server, &project));
    let later = (score.parse::<i64>().unwrap() + 1).to_string();
    let stranger = "f".repeat(64);
    for one in [
        tampering(&["APPEND", &envelope, " "], ["different", "envelope", &envelope, ""]),
        tampering(&["SETRANGE", &treasury, "1", "x"], ["different", "treasury", &treasury, ""]),
        tampering(&["DEL", &rebind], ["missing", "rebind", &rebind, ""]),
        tampering(&["DEL", &tier], ["missing", "attestation", &tier, ""]),
        tampering(&["DEL", "oc:meta"], ["missing", "meta", "oc:meta", ""]),
        tampering(&["SET", "oc:envelope:f", "1"], ["unexpected", "envelope", "oc:envelope:f", ""]),
        tampering(&["RPUSH", "oc:project:f", "1"], ["unexpected", "project", "oc:project:f", ""]),
        tampering(&["ZADD", &user, &later, &member], ["different", "by_user", &user, &member]),
        tampering(&["ZADD", &user, &format!("{score}.5"), &member], ["different", "by_user", &user, &member]),
        tampering(&["ZREM", &project, &other], ["missing", "by_project", &project, &other]),
        tampering(&["ZADD", &user, &score, &stranger], ["unexpected", "by_user", &user, &stranger]),
        tampering(&["DEL", &user], ["missing", "by_user", &user, ""]),
        tampering(&["ZADD", "oc:by_user:nobody", "1", "x"], ["unexpected", "by_user", "oc:by_user:nobody", ""]),
    ] {
        let words: Vec<&str> = one.words.iter().map(String::as_str).collect();
        let key = words[1];
        let before: Value = server.ask(&["DUMP", key]);
        server.ask(&words);
        assert_eq!(compared(&url, run), (1, vec![one.named]), "{words:?}");
        server.ask(&["DEL", key]);
        if let Value::BulkString(bytes) = before {
            let put = redis::cmd("RESTORE").arg(key).arg(0).arg(bytes).exec(&mut server.connection());
            put.unwrap();
        }
    }
    assert_eq!(server.held(), whole);
    server.ask(&["DEL", &user]);
    server.ask(&["SET", &user, "1"]);
    let output = restore(&url, run, &["--compare-only"]);
    assert!(stdout(&output).contains("it is a string in the store"), "{}", shown(&output));
    let seen = restore(&url, run, &["--json"]);
    assert_eq!((code(&seen), server.held() == whole), (0, true), "a restore repairs its own keys: {}", shown(&seen));
}

#[test]
fn a_comparison_writes_nothing_and_tells_both_directions_of_another_state() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url();
    restored(&url, small());
    // Who may read alone can compare.
    server.ask(&["ACL", "SETUSER", "auditor", "on", ">pw", "~*", "+@read", "+@connection", "+info"]);
    let (held, own) = (server.held(), server.own());
    let auditor = format!("redis://auditor:pw@127.0.0.1:{}", server.port);
    let output = restore(&auditor, large(), &["--compare-only", "--json"]);
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let value = told(&output);
    let count = |name: &str| value[name].as_u64().unwrap();
    assert!(count("missing") > 1_000 && count("unexpected") > 100 && count("different") >= 1, "{value:#}");
    let listed = value["differences"].as_array().unwrap().len() as u64;
    assert_eq!(listed, count("missing") + count("unexpected") + count("different"));
    assert_eq!((server.held(), server.own()), (held, own));
    let people = restore(&auditor, large(), &["--compare-only"]);
    assert!(stdout(&people).lines().count() < 30 && stdout(&people).contains(" more;"), "{}", shown(&people));
    assert!(stderr(&people).contains("exit 1") && !stderr(&people).contains("pw@"), "{}", shown(&people));
    let lines = restore(&auditor, large(), &["--compare-only", "--format", "ndjson"]);
    assert_eq!(stdout(&lines).lines().count() as u64, listed);
}
