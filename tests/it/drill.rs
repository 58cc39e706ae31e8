//! The main job end to end, through the command: real inputs, honest worlds, determinism, crashes, audits.
//! What belongs here: promises about whole runs. Single codes are in `scenarios`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::{
    Lcg, arg, code, codes, copy_folder, drill, fixtures, reledger, report, report_bytes, run, shown, stdout,
    write_world,
};

const EVENTS: u32 = 36;

#[test]
fn the_real_inputs_end_red_and_say_why() {
    let folder = tempdir().unwrap();
    let output = drill(&fixtures().join("real/reledger.toml"), folder.path(), &[]);
    assert!([1, 3].contains(&code(&output)), "{}", shown(&output));
    let report = report(folder.path());
    let population = &report["population"];
    assert_eq!(population["events"]["unique"], 25);
    // events-expected.json: what each of the 25 archived events is.
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(fixtures().join("vectors/oc-relay-infra/events-expected.json")).unwrap())
            .unwrap();
    let events = expected["events"].as_array().unwrap();
    let count = |test: &dyn Fn(&serde_json::Value) -> bool| events.iter().filter(|event| test(event)).count() as u64;
    assert_eq!(
        population["attestations"]["accepted"],
        count(&|event| event["bip322_ok"] == true && event["class"] == "attest")
    );
    assert_eq!(population["probes"]["unique"], count(&|event| event["class"] == "quarantine:probe"));
    let devices = ["other:lock-device", "other:chat-session-device"];
    assert_eq!(
        population["device_records"]["accepted"],
        count(&|event| devices.contains(&event["class"].as_str().unwrap()))
    );
    assert_eq!(population["settlements"]["accepted"], 1);
    let codes = codes(&report);
    assert!(codes.iter().any(|(code, _)| code == "SRC_EMPTY"), "{codes:?}");
    let empty =
        report["divergences"].as_array().unwrap().iter().find(|divergence| divergence["code"] == "SRC_EMPTY").unwrap();
    assert!(empty["subject"].to_string().contains("envelope"), "{empty}");
    let summary = stdout(&output);
    assert!(summary.lines().count() <= 40, "{summary}");
}

#[test]
fn adversarial_proofs_are_findings_in_bounded_memory() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    let proofs = fixtures().join("ots");
    fs::write(&config, format!("[ots]\nfiles = [\"{0}/adversarial\", \"{0}/invalid\"]\n", arg(&proofs))).unwrap();
    let run_dir = folder.path().join("run");
    let output = drill(&config, &run_dir, &[]);
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let files = ["adversarial", "invalid"].map(|name| {
        let entries = fs::read_dir(proofs.join(name)).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ext| ext == "ots")).count()
            as u64
    });
    assert_eq!(report(&run_dir)["population"]["proofs"]["unique"], files.iter().sum::<u64>());
    let record: serde_json::Value = serde_json::from_slice(&fs::read(run_dir.join("run.json")).unwrap()).unwrap();
    if let Some(peak) = record["peak_memory_kib"].as_u64() {
        assert!(peak < 96 * 1024, "{peak} KiB");
    }
}

#[test]
fn an_honest_world_of_files_is_clean() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 7, EVENTS);
    let run_dir = folder.path().join("run");
    let output = drill(&config, &run_dir, &[]);
    let report = report(&run_dir);
    assert_eq!(code(&output), 0, "{}\n{:?}", shown(&output), codes(&report));
    assert_eq!(report["verdict"]["outcome"], "clean");
    assert!(report["population"]["envelopes"]["accepted"].as_u64().unwrap() > u64::from(EVENTS));
}

/// A world being served, killed when dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(dir: &Path, seed: u64, events: u32) -> Served {
    let mut child = reledger()
        .args(["sim", "serve", "--seed", &seed.to_string(), "--events", &events.to_string(), "--dir", arg(dir)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("serving world"), "{line}");
    Served(child)
}

#[test]
fn an_honest_world_over_loopback_is_clean_and_audited_offline_to_the_byte() {
    let folder = tempdir().unwrap();
    let world = folder.path().join("world");
    let served = serve(&world, 7, EVENTS);
    let run_dir = folder.path().join("run");
    let output = drill(&world.join("reledger-loopback.toml"), &run_dir, &[]);
    let report = report(&run_dir);
    assert_eq!(code(&output), 0, "{}\n{:?}", shown(&output), codes(&report));
    assert!(
        report["coverage"].as_array().unwrap().iter().any(|row| row["source"].as_str().unwrap().starts_with("ws://"))
    );
    // Both relays gave every event; a copy costs no second signature check.
    let record: serde_json::Value = serde_json::from_slice(&fs::read(run_dir.join("run.json")).unwrap()).unwrap();
    let events = &report["population"]["events"];
    assert_eq!(events["received"].as_u64().unwrap(), 2 * events["unique"].as_u64().unwrap());
    assert_eq!(record["signature_checks"], events["unique"]);
    drop(served);
    let copy = folder.path().join("audited.json");
    let audit = run(&["audit", arg(&run_dir), "--offline", "--json", "-o", arg(&copy)]);
    assert_eq!(code(&audit), 0, "{}", shown(&audit));
    assert_eq!(fs::read(copy).unwrap(), report_bytes(&run_dir));
}

#[test]
fn an_audit_refuses_evidence_that_was_touched() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 3, 20);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let segment = fs::read_dir(run_dir.join("evidence/segments")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let audit = run(&["audit", arg(&run_dir)]);
    assert_eq!(code(&audit), 5, "{}", shown(&audit));
    assert!(shown(&audit).contains("checksum_error"), "{}", shown(&audit));
}

#[test]
fn a_segment_that_a_run_sealed_is_never_another_one_later() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = write_world(&path("world"), 3, 20);
    drill(&config, &path("run"), &[]);
    drill(&write_world(&path("world of another"), 4, 20), &path("another"), &[]);
    let before = report_bytes(&path("run"));
    let foreign = path("another/evidence/segments/00000001.seg");
    // One that checks by itself, and none: a log that never began is one too. And as it was left.
    for (case, (index, segment)) in
        [("kept", "foreign"), ("gone", "foreign"), ("gone", "gone"), ("gone", "left")].iter().enumerate()
    {
        let copy = path(&format!("copy {case}"));
        copy_folder(&path("run"), &copy);
        if *index == "gone" {
            fs::remove_dir_all(copy.join("state")).unwrap();
        }
        let file = copy.join("evidence/segments/00000001.seg");
        match *segment {
            "foreign" => drop(fs::copy(&foreign, &file).unwrap()),
            "gone" => fs::remove_file(&file).unwrap(),
            _ => {}
        }
        let output = run(&["rebuild", "-c", arg(&config), "--run", arg(&copy), "--yes", "--no-cache"]);
        let what = format!("index {index}, segment {segment}: {}", shown(&output));
        if *segment == "left" {
            assert_eq!((code(&output), report_bytes(&copy)), (0, before.clone()), "{what}");
        } else {
            assert_eq!(code(&output), 5, "{what}");
            assert!(shown(&output).contains("damaged at 00000001.seg:0: "), "{what}");
        }
    }
}

#[test]
fn an_audit_finds_a_report_that_was_touched() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 3, 20);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let text = fs::read_to_string(run_dir.join("report.json")).unwrap();
    fs::write(run_dir.join("report.json"), text.replacen("\"explained\":", "\"explained\":1", 1)).unwrap();
    let audit = run(&["audit", arg(&run_dir)]);
    assert_eq!(code(&audit), 1, "{}", shown(&audit));
    assert!(shown(&audit).contains("/summary/explained"), "{}", shown(&audit));
}

/// Rewrites a JSON Lines file as a folder of two files: every line shuffled, every third line twice.
fn disturb(file: &Path, chance: &mut Lcg) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines: Vec<&str> =
        text.lines().flat_map(|line| std::iter::repeat_n(line, 1 + chance.below(3) / 2)).collect();
    chance.shuffle(&mut lines);
    let (one, two) = lines.split_at(lines.len() / 3);
    fs::remove_file(file).unwrap();
    fs::create_dir(file).unwrap();
    fs::write(file.join("b.jsonl"), one.join("\n") + "\n").unwrap();
    fs::write(file.join("a.jsonl"), two.join("\n")).unwrap();
}

#[test]
fn shuffling_repeating_and_splitting_the_files_changes_no_byte_of_the_report() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, EVENTS);
    let first = folder.path().join("first");
    assert_eq!(code(&drill(&config, &first, &[])), 0);
    let mut chance = Lcg(42);
    for name in ["nostr/events.jsonl", "gateway/settlements.jsonl", "balances.jsonl"] {
        disturb(&folder.path().join("world").join(name), &mut chance);
    }
    let second = folder.path().join("second");
    let output = drill(&config, &second, &["--jobs", "1"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(report(&first)["state_root"], report(&second)["state_root"]);
    assert!(report_bytes(&first) == report_bytes(&second), "the reports differ");
}

#[test]
fn threads_time_zone_locale_and_engine_change_no_byte_of_the_report() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 6, 30);
    let reference = folder.path().join("reference");
    drill(&config, &reference, &["--jobs", "2"]);
    for (name, engine) in [("redb", "redb:"), ("sled", "sled:"), ("memory", "memory:")] {
        let text = fs::read_to_string(&config).unwrap();
        let other = folder.path().join("world").join(format!("{name}.toml"));
        fs::write(&other, format!("{text}\n[store]\nurl = \"{engine}\"\n")).unwrap();
        let run_dir = folder.path().join(name);
        let output = reledger()
            .args(["drill", "-c", arg(&other), "--run", arg(&run_dir), "--progress", "none", "--jobs", "1"])
            .env("TZ", "Asia/Kolkata")
            .env("LC_ALL", "tr_TR.UTF-8")
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{name}: {}", shown(&output));
        assert!(report_bytes(&reference) == report_bytes(&run_dir), "{name}: the report differs");
    }
}

#[test]
fn ingesting_everything_twice_changes_nothing() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 8, 30);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let before = report_bytes(&run_dir);
    assert_eq!(code(&drill(&config, &run_dir, &[])), 6, "a finished run is not touched without --yes");
    assert_eq!(code(&drill(&config, &run_dir, &["--yes"])), 0);
    assert!(before == report_bytes(&run_dir), "the report changed");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the moments to kill at are spread over the time that a whole run takes")]
fn a_drill_killed_at_twenty_moments_resumes_to_the_same_state() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 9, EVENTS);
    let reference = folder.path().join("reference");
    let began = Instant::now();
    assert_eq!(code(&drill(&config, &reference, &[])), 0);
    let whole = began.elapsed();
    let mut chance = Lcg(7);
    for round in 0..20 {
        let run_dir = folder.path().join(format!("run-{round}"));
        // One to three kills before the run is let through, at moments spread over the whole of it.
        for _ in 0..=chance.below(3) {
            let mut child = reledger()
                .args(["drill", "-c", arg(&config), "--run", arg(&run_dir), "--progress", "none", "--yes"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let moment = whole.mul_f64(f64::from(u32::try_from(chance.below(1000)).unwrap()) / 1000.0);
            std::thread::sleep(moment.max(Duration::from_millis(1)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let output = drill(&config, &run_dir, &["--yes"]);
        assert_eq!(code(&output), 0, "round {round}: {}", shown(&output));
        assert_eq!(report(&reference)["state_root"], report(&run_dir)["state_root"], "round {round}");
        assert!(report_bytes(&reference) == report_bytes(&run_dir), "round {round}: the report differs");
        fs::remove_dir_all(&run_dir).unwrap();
    }
}

#[test]
fn an_interrupted_drill_says_so_and_resumes() {
    let folder = tempdir().unwrap();
    let world = folder.path().join("world");
    let _served = serve(&world, 4, 400);
    let run_dir = folder.path().join("run");
    let child = reledger()
        .args(["drill", "-c", arg(&world.join("reledger-loopback.toml")), "--run", arg(&run_dir), "--progress", "none"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    // The record is written first of all; from then on the run can be interrupted.
    while !run_dir.join("run.json").exists() {
        std::thread::yield_now();
    }
    // Somewhere in the middle: wherever it is by then, the promise is the same.
    std::thread::sleep(Duration::from_millis(30));
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{}", shown(&output));
    let again = drill(&world.join("reledger-loopback.toml"), &run_dir, &[]);
    assert_eq!(code(&again), 0, "{}", shown(&again));
}

#[test]
fn a_second_process_on_the_same_run_is_refused() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 2, 20);
    let run_dir = folder.path().join("run");
    let engine = reledger::store::Engine::from_url("memory:").unwrap();
    fs::create_dir_all(&run_dir).unwrap();
    let held = reledger::store::LogStore::open(&run_dir.join("evidence"), &run_dir.join("state"), &engine).unwrap();
    let output = drill(&config, &run_dir, &[]);
    assert_eq!(code(&output), 7, "{}", shown(&output));
    drop(held);
    assert_eq!(code(&drill(&config, &run_dir, &[])), 0);
}
