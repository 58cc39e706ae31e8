//! Goal: `sim write` keeps its word: the program finds in a written world exactly what its `expected.json` says, nothing is
//! half-written, and a world that can't be is a usage error.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use reledger::sim::{Services, World, serve_with};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{arg, code, drill, reledger, report, run, shown, stderr, stdout, tree};

/// The divergences as `expected.json` writes them, in a fixed order.
fn multiset(divergences: impl Iterator<Item = Value>) -> Vec<String> {
    let mut all: Vec<String> = divergences.map(|one| one.to_string()).collect();
    all.sort();
    all
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_written_world_is_judged_as_its_expected_json_says() {
    let mut codes = std::collections::BTreeSet::new();
    for (seed, events, noise) in [("2", "40", None), ("5", "300", None), ("7", "120", Some("--noise"))] {
        let folder = tempdir().unwrap();
        let world = folder.path().join("world");
        let mut args = vec!["sim", "write", "--seed", seed, "--events", events, "--dir", arg(&world)];
        args.extend(noise);
        let written = run(&args);
        assert_eq!(code(&written), 0, "{}", shown(&written));
        assert!(stdout(&written).contains("expected.json"), "{}", shown(&written));
        let expected: Value = serde_json::from_slice(&fs::read(world.join("expected.json")).unwrap()).unwrap();
        let run_dir = folder.path().join("run");
        let more = ["--as-of", "2026-10-01T00:00:00Z", "--reveal-users", "--offline"];
        let judged = drill(&world.join("reledger.toml"), &run_dir, &more);
        let report = report(&run_dir);
        assert_eq!(expected["exit_code"], code(&judged), "{}", shown(&judged));
        let said = report["divergences"].as_array().unwrap().iter().map(|one| {
            let is_explained = one["state"] == "explained";
            json!({"code": one["code"], "subject": one["subject"], "severity": one["severity"], "explained": is_explained})
        });
        let said = multiset(said);
        let awaited = expected["divergences"].as_array().unwrap();
        assert_eq!(said, multiset(awaited.iter().cloned()), "world {seed}");
        codes.extend(awaited.iter().map(|one| one["code"].as_str().unwrap().to_owned()));
        let balances = expected["balances"].as_object().unwrap();
        let sum: i64 = balances.values().map(|sats| sats.as_i64().unwrap()).sum();
        assert_eq!(report["balances"]["sum_sats"], sum);
        assert_eq!(report["balances"]["users"], balances.len());
    }
    assert!(codes.contains("OTS_PENDING"), "honest worlds have young proofs: {codes:?}");
}

#[test]
fn a_seed_or_size_out_of_range_is_a_usage_error_and_writes_nothing() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    for (flag, value) in [
        ("--events", "9"),
        ("--events", "10000001"),
        ("--events", "-10"),
        ("--events", "4294967306"),
        ("--events", "many"),
        ("--seed", "-1"),
        ("--seed", "18446744073709551616"),
        ("--seed", "0x7"),
        ("--seed", ""),
    ] {
        let output = run(&["sim", "write", "--dir", arg(&dir), &format!("{flag}={value}")]);
        assert_eq!(code(&output), 2, "{flag} {value}: {}", shown(&output));
        assert!(stderr(&output).contains(flag), "{flag} {value}: {}", shown(&output));
    }
    assert_eq!(names(folder.path()), [""; 0]);
    let last = run(&["sim", "write", "--dir", arg(&dir), "--events", "10", "--seed", "18446744073709551615"]);
    assert_eq!(code(&last), 0, "{}", shown(&last));
}

/// A write of a large world whose first stage has begun, and what it says from there on.
fn writing(dir: &Path) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = reledger()
        .args(["sim", "write", "--events", "1000000", "--progress", "plain", "--dir", arg(dir)])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().contains("1000000"));
    (child, said)
}

#[cfg(unix)]
#[test]
fn an_interrupted_write_leaves_nothing() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    let (mut child, said) = writing(&dir);
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last: Vec<String> = said.map(Result::unwrap).collect();
    assert!(last.iter().any(|line| line.contains("nothing was written")), "{last:?}");
    assert!(!last.iter().any(|line| line.contains("resume")), "{last:?}");
    assert_eq!(names(folder.path()), [""; 0]);
}

fn write_small(dir: &Path, seed: &str, more: &[&str]) -> std::process::Output {
    reledger().args(["sim", "write", "--events", "10", "--seed", seed, "--dir", arg(dir)]).args(more).output().unwrap()
}

#[test]
fn the_users_own_files_are_not_replaced_without_yes() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("keys")).unwrap();
    fs::write(folder.path().join("keys/mine.pem"), "secret").unwrap();
    let before = tree(folder.path());
    for command in ["write", "serve"] {
        let refused = run(&["sim", command, "--events", "10", "--dir", arg(folder.path())]);
        assert_eq!(code(&refused), 6, "{command}: {}", shown(&refused));
        assert!(stderr(&refused).contains("keys") && stderr(&refused).contains("--yes"), "{}", shown(&refused));
        assert_eq!(tree(folder.path()), before, "{command}");
    }
    let replaced = write_small(folder.path(), "1", &["--yes"]);
    assert_eq!(code(&replaced), 0, "{}", shown(&replaced));
    assert!(!folder.path().join("keys/mine.pem").exists());
}

#[test]
fn a_world_is_replaced_by_the_next_and_beside_a_note_it_is_not() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    // The richest names there are: noise brings lost branches and second archives.
    for seed in ["1", "2", "3"] {
        let output = write_small(folder.path(), seed, &["--noise"]);
        assert_eq!(code(&output), 0, "{seed}: {}", shown(&output));
    }
    let before = tree(folder.path());
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    assert_eq!(code(&write_small(folder.path(), "4", &[])), 6);
    fs::remove_file(folder.path().join("notes.txt")).unwrap();
    assert_eq!(tree(folder.path()), before);
    // A configuration of the user's is not the mark of a world.
    assert_eq!(code(&run(&["init", arg(&other.path().join("reledger.toml"))])), 0);
    let refused = write_small(other.path(), "1", &[]);
    assert_eq!(code(&refused), 6, "{}", shown(&refused));
    assert_eq!(names(other.path()), ["reledger.toml"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_on_another_file_system_is_written_through_a_link() {
    use std::os::unix::fs::{MetadataExt as _, symlink};
    let here = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let device = |dir: &Path| fs::metadata(dir).unwrap().dev();
    let there = tempfile::tempdir_in("/dev/shm").ok().filter(|there| device(here.path()) != device(there.path()));
    let Some(there) = there else {
        eprintln!("SKIPPED: no second file system: /dev/shm is not there, or the target folder lies in it");
        return;
    };
    let link = here.path().join("world");
    symlink(there.path(), &link).unwrap();
    for seed in ["1", "2"] {
        let written = write_small(&link, seed, &[]);
        assert_eq!(code(&written), 0, "{}", shown(&written));
    }
    let straight = here.path().join("straight");
    assert_eq!(code(&write_small(&straight, "2", &[])), 0);
    assert_eq!(tree(there.path()), tree(&straight));
    assert_eq!(names(here.path()), ["straight", "world"]);
}

#[test]
fn of_two_writers_one_is_told_that_the_other_writes() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    let (mut child, _said) = writing(&dir);
    let second = write_small(&dir, "1", &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(code(&second), 7, "{}", shown(&second));
    assert!(!dir.exists());
    // What the killed one left is cleared.
    let third = write_small(&dir, "1", &[]);
    assert_eq!(code(&third), 0, "{}", shown(&third));
    assert_eq!(names(folder.path()), ["world"]);
}

#[test]
fn a_failure_says_what_helps_and_that_nothing_was_written() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    for (name, hint) in [("file".to_owned(), "is a folder"), ("x".repeat(300), "shorter name")] {
        let failed = write_small(&folder.path().join(&name), "1", &[]);
        assert_eq!(code(&failed), 74, "{}", shown(&failed));
        let said = stderr(&failed);
        assert!(said.contains(hint) && said.contains("nothing was written"), "{said}");
        assert!(!said.contains("resumes"), "{said}");
    }
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn a_server_needs_sockets_and_enough_ports_of_its_own() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("world");
    let serve = |more: &[&str]| {
        let mut command = reledger();
        command.args(["sim", "serve", "--events", "10", "--dir", arg(&dir)]).args(more).output().unwrap()
    };
    let offline = serve(&["--offline"]);
    assert_eq!(code(&offline), 6, "{}", shown(&offline));
    for port in ["65526", "65535"] {
        let beyond = serve(&["--port", port]);
        assert_eq!(code(&beyond), 2, "{}", shown(&beyond));
        assert!(stderr(&beyond).contains("11 ports") && stderr(&beyond).contains("65525"), "{}", shown(&beyond));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Whichever of the ports it is, if the first is near the end.
    let port = taken.local_addr().unwrap().port().min(65_525);
    let failed = serve(&["--port", &port.to_string()]);
    assert_eq!(code(&failed), 74, "{}", shown(&failed));
    assert!(stderr(&failed).contains("another --port") && !stderr(&failed).contains("disk"), "{}", shown(&failed));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn json_says_what_was_written_and_where() {
    let folder = tempdir().unwrap();
    let dir = folder.path().join("my world");
    let written = write_small(&dir, "9", &["--json"]);
    assert_eq!(code(&written), 0, "{}", shown(&written));
    let value: Value = serde_json::from_slice(&written.stdout).unwrap();
    let expected = json!({
        "schema": "reledger/sim-write/1", "dir": arg(&dir), "config": arg(&dir.join("reledger.toml")),
        "expected": arg(&dir.join("expected.json")), "events": 10, "seed": 9,
    });
    assert_eq!(value, expected);
    let told = stdout(&write_small(&dir, "9", &[]));
    assert!(told.contains(&format!("-c '{}'", arg(&dir.join("reledger.toml")))), "{told}");
    let large = folder.path().join("large");
    let output = run(&["sim", "write", "--events", "20001", "--json", "-q", "--dir", arg(&large)]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["expected"], &value["events"]), (&Value::Null, &20_001.into()));
}

#[tokio::test]
async fn consecutive_ports_begin_with_a_relay_and_end_with_the_trap() {
    let world = std::sync::Arc::new(World::generate(1, 10));
    for first in (20_000..60_000).step_by(97) {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let services = Services { first_port: Some(first), ..Services::default() };
        let ports = services.ports();
        let shutdown = async { drop(stopped.await) };
        // Some of them may be in use: the next range is as good.
        let Ok(serving) = serve_with(std::sync::Arc::clone(&world), services, shutdown).await else { continue };
        let mut all: Vec<u16> =
            serving.relays.iter().chain(&serving.calendars).map(std::net::SocketAddr::port).collect();
        all.extend(serving.addresses.values().map(std::net::SocketAddr::port));
        all.sort_unstable();
        all.dedup();
        all.extend([serving.http.port(), serving.trap().port()]);
        // As many as the help of `--port` says.
        assert_eq!((all, ports), ((first..=first + 10).collect(), 11));
        stop.send(()).unwrap();
        serving.finished().await.unwrap();
        return;
    }
    panic!("no range of ports is free");
}
