//! The door: flags, exit codes, streams, hints. What belongs here: wiring as a user meets it; judging is tested below.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use tempfile::tempdir;

use crate::support::{arg, code, drill, fixtures, reledger, report, run, shown, stderr, stdout, write_world};

#[test]
fn wrong_usage_exits_2_with_one_line_and_a_hint() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    for (text, wanted) in [
        ("[nostr]\nrelay = []\n", "relay"),
        ("[nostr\n", "line 1"),
        ("profile = 3\n", "profile"),
        ("[headers]\npow_limit = \"zz\"\n", "headers.pow_limit"),
    ] {
        fs::write(&config, text).unwrap();
        let output = drill(&config, &folder.path().join("run"), &[]);
        assert_eq!(code(&output), 2, "{}", shown(&output));
        let error = stderr(&output);
        assert!(error.lines().next().unwrap().contains(wanted), "{error}");
        assert!(error.contains("hint: "), "{error}");
        assert!(stdout(&output).is_empty());
    }
    for args in [&["drill", "-c", "/nonexistent/reledger.toml"][..], &["drill", "--wat"], &["frobnicate"], &["audit"]] {
        assert_eq!(code(&run(args)), 2, "{args:?}");
    }
    let bad = ["--as-of", "yesterday"];
    fs::write(&config, "").unwrap();
    assert_eq!(code(&drill(&config, &folder.path().join("run"), &bad)), 2);
}

#[test]
fn a_configuration_that_declares_nothing_is_never_clean() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, "").unwrap();
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
}

#[test]
fn empty_files_are_incomplete_not_clean() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("events.jsonl"), "").unwrap();
    fs::write(folder.path().join("c.toml"), "[nostr]\nfiles = [\"events.jsonl\"]\n").unwrap();
    let output = drill(&folder.path().join("c.toml"), &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
    assert!(stdout(&output).contains("SRC_EMPTY"));
}

#[test]
fn a_missing_file_is_named_and_stops_the_run() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "[nostr]\nfiles = [\"not-here.jsonl\"]\n").unwrap();
    let output = drill(&folder.path().join("c.toml"), &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    assert!(stderr(&output).contains("not-here.jsonl"), "{}", stderr(&output));
}

#[test]
fn init_writes_a_configuration_that_is_accepted_and_never_overwrites() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("reledger.toml");
    assert_eq!(code(&run(&["init", arg(&file)])), 0);
    let shown_config = run(&["config", "show", "--origin", "-c", arg(&file)]);
    assert_eq!(code(&shown_config), 0, "{}", shown(&shown_config));
    assert!(stdout(&shown_config).contains("nostr.relays"));
    assert!(stdout(&shown_config).contains("# flag"));
    fs::write(&file, "mine").unwrap();
    assert_eq!(code(&run(&["init", arg(&file)])), 6);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(code(&run(&["init", arg(&file), "--yes"])), 0);
}

#[test]
fn offline_refuses_every_socket_before_anything_is_written() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, "[nostr]\nrelays = [\"ws://127.0.0.1:9\"]\n").unwrap();
    let output = drill(&config, &folder.path().join("run"), &["--offline"]);
    assert_eq!(code(&output), 6, "{}", shown(&output));
    assert!(stderr(&output).contains("ws://127.0.0.1:9"));
}

#[test]
fn a_relay_that_is_not_there_is_unreachable() {
    let folder = tempdir().unwrap();
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = folder.path().join("c.toml");
    fs::write(&config, format!("[nostr]\nrelays = [\"ws://127.0.0.1:{port}\"]\nidle_timeout = \"1s\"\n")).unwrap();
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 8, "{}", shown(&output));
    assert!(stdout(&output).contains("SRC_UNREACHABLE"));
}

#[test]
fn plaintext_beyond_loopback_is_a_mistake_in_the_configuration() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, "[nostr]\nrelays = [\"ws://relay.example\"]\n").unwrap();
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
}

#[test]
fn a_password_file_that_others_can_read_is_refused() {
    let folder = tempdir().unwrap();
    let password = folder.path().join("pw");
    fs::write(&password, "secret").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let config = folder.path().join("c.toml");
    fs::write(
        &config,
        "[gateway]\npayment_log = [{ url = \"http://127.0.0.1:9\", federation_id = \"00\", password_file = \"pw\" }]\n",
    )
    .unwrap();
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 6, "{}", shown(&output));
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
    assert!(!shown(&output).contains("secret\n"));
}

#[test]
fn a_folder_of_other_files_is_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("precious.txt"), "x").unwrap();
    let config = fixtures().join("real/reledger.toml");
    let output = drill(&config, folder.path(), &[]);
    assert_eq!(code(&output), 6, "{}", shown(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn stdout_is_the_result_only_and_every_format_parses() {
    let folder = tempdir().unwrap();
    let config = fixtures().join("real/reledger.toml");
    let json = drill(&config, &folder.path().join("a"), &["--json"]);
    let parsed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(parsed, report(&folder.path().join("a")));
    let lines = drill(&config, &folder.path().join("b"), &["--format", "ndjson"]);
    let divergences =
        stdout(&lines).lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert_eq!(divergences, parsed["divergences"].as_array().unwrap().len());
    let human = drill(&config, &folder.path().join("c"), &["--color", "always"]);
    assert!(stdout(&human).starts_with("\x1b["));
    let plain = drill(&config, &folder.path().join("d"), &[]);
    assert!(!stdout(&plain).contains('\x1b'));
    assert_eq!(stdout(&plain).lines().last().unwrap(), parsed["verdict"]["sentence"].as_str().unwrap());
}

#[test]
fn a_reader_that_goes_away_changes_neither_report_nor_exit_code() {
    let folder = tempdir().unwrap();
    let run_dir = folder.path().join("run");
    let mut child = reledger()
        .args(["drill", "-c", arg(&fixtures().join("real/reledger.toml")), "--run", arg(&run_dir), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(i32::try_from(report(&run_dir)["verdict"]["exit_code"].as_i64().unwrap()).unwrap()));
}

#[test]
fn a_full_disk_is_exit_74() {
    let folder = tempdir().unwrap();
    let output = reledger()
        .args(["drill", "-c", arg(&fixtures().join("real/reledger.toml")), "--run", arg(&folder.path().join("run"))])
        .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(code(&output), 74, "{}", shown(&output));
}

#[test]
fn documents_are_printed() {
    for name in ["report", "divergence", "config", "exit-codes", "events"] {
        let output = run(&["schema", name]);
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
    assert!(stdout(&run(&["completions", "bash"])).contains("reledger"));
    assert!(stdout(&run(&["--version"])).starts_with("reledger 0."));
    assert!(stdout(&run(&["--version", "--verbose"])).contains("features: cli, net"));
    let folder = tempdir().unwrap();
    assert_eq!(code(&run(&["man", arg(folder.path())])), 0);
    assert!(folder.path().join("reledger-drill.1").exists());
}

#[test]
fn explain_tells_what_a_code_means_and_where_an_id_came_from() {
    let output = run(&["explain", "env_sig_bad"]);
    assert!(stdout(&output).starts_with("ENV_SIG_BAD: "), "{}", shown(&output));
    let folder = tempdir().unwrap();
    let run_dir = folder.path().join("run");
    drill(&fixtures().join("real/reledger.toml"), &run_dir, &[]);
    // The first archived event of FORMATS 7.3, by its Nostr id.
    let output = run(&["explain", "--run", arg(&run_dir), "d8541cab628f6ac2"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).contains("events.jsonl"), "{}", stdout(&output));
    let fingerprint = report(&run_dir)["divergences"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert!(stdout(&run(&["explain", "--run", arg(&run_dir), &fingerprint[..12]])).contains("divergence"));
    assert_eq!(code(&run(&["explain", "--run", arg(&run_dir), "ffffffffffffffff"])), 2);
}

#[test]
fn verify_judges_single_files_one_line_a_record() {
    let proofs = fixtures().join("ots");
    let headers = fixtures().join("real/reledger.toml");
    let good = run(&["verify", "-c", arg(&headers), arg(&proofs.join("proofs/hello-world.txt.ots"))]);
    assert_eq!(code(&good), 0, "{}", shown(&good));
    assert!(stdout(&good).starts_with("ok "), "{}", stdout(&good));
    let bad = run(&["verify", "-c", arg(&headers), arg(&proofs.join("proofs/bad-stamp.txt.ots"))]);
    assert_eq!(code(&bad), 1, "{}", shown(&bad));
    assert!(stdout(&bad).contains("OTS_ROOT"), "{}", stdout(&bad));
    let pending = run(&["verify", "-c", arg(&headers), arg(&proofs.join("proofs/incomplete.txt.ots"))]);
    assert_eq!(code(&pending), 3, "{}", shown(&pending));
    let malformed = run(&["verify", arg(&proofs.join("adversarial/unknown_att_len_2_36.ots"))]);
    assert_eq!(code(&malformed), 1, "{}", shown(&malformed));
    let events = run(&["verify", arg(&fixtures().join("real/nostr/events.jsonl"))]);
    assert_eq!(stdout(&events).lines().count(), 25, "{}", shown(&events));
}

#[test]
fn nothing_an_attacker_wrote_reaches_the_terminal() {
    let folder = tempdir().unwrap();
    let hostile = "{\"a\u{202e}\u{1b}]52;c;AAAA\u{7}\":1}\n\u{1b}[2J not json \u{9b}31m\n";
    fs::write(folder.path().join("events.jsonl"), hostile).unwrap();
    fs::write(folder.path().join("c.toml"), "[nostr]\nfiles = [\"events.jsonl\"]\n").unwrap();
    let run_dir = folder.path().join("run");
    let output = drill(&folder.path().join("c.toml"), &run_dir, &["--progress", "plain", "-v"]);
    let verified = run(&["verify", arg(&folder.path().join("events.jsonl"))]);
    for text in [stdout(&output), stderr(&output), stdout(&verified), stderr(&verified)] {
        let live = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(live, None, "{text:?}");
    }
    let bytes = fs::read(run_dir.join("report.json")).unwrap();
    assert!(!bytes.contains(&0x1b));
}

#[test]
fn a_world_of_one_seed_is_the_same_twice() {
    let folder = tempdir().unwrap();
    write_world(&folder.path().join("a"), 21, 20);
    write_world(&folder.path().join("b"), 21, 20);
    for name in ["nostr/events.jsonl", "gateway/settlements.jsonl", "reledger.toml"] {
        assert!(
            fs::read(folder.path().join("a").join(name)).unwrap()
                == fs::read(folder.path().join("b").join(name)).unwrap()
        );
    }
}

#[test]
fn a_time_limit_stops_fetching_and_the_run_is_incomplete_until_it_is_run_again() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 22, 20);
    let run_dir = folder.path().join("run");
    let stopped = drill(&config, &run_dir, &["--max-duration", "0s"]);
    assert_eq!(code(&stopped), 3, "{}", shown(&stopped));
    let first = report(&run_dir);
    let checks = first["unverifiable"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["check"] == "capture.time" && check["declared"] == true), "{checks:?}");
    // What could be stopped in time gave nothing, and the auditor comes to the same report.
    assert_eq!(first["population"]["envelopes"]["accepted"].as_u64().unwrap_or_default(), 0);
    assert_eq!(code(&run(&["audit", arg(&run_dir), "--offline"])), 3);
    let whole = drill(&config, &run_dir, &["--max-duration", "1h", "--yes"]);
    assert_eq!(code(&whole), 0, "{}", shown(&whole));
    let captured = folder.path().join("captured");
    let capture = ["capture", "-c", arg(&config), "--run", arg(&captured), "--json", "--max-duration", "0s"];
    let output = run(&capture);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((code(&output), &value["time_boxed"]), (3, &true.into()), "{}", shown(&output));
}

#[test]
fn an_as_of_height_is_the_time_of_that_block_where_the_chain_is_known() {
    let folder = tempdir().unwrap();
    let config = fixtures().join("real/reledger.toml");
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &["--as-of", "2015"]);
    // The first difficulty period ended on 27 January 2009, 14:11:38 UTC, with block 2015 (field 68..72 of its header).
    let headers = fs::read(fixtures().join("real/headers/0.headers")).unwrap();
    let time: [u8; 4] = headers[2015 * 80 + 68..2015 * 80 + 72].try_into().unwrap();
    assert_eq!(report(&run_dir)["as_of"]["time"], u32::from_le_bytes(time));
    let unknown = drill(&config, &folder.path().join("other"), &["--as-of", "300000"]);
    assert_eq!(code(&unknown), 3, "{}", shown(&unknown));
    assert!(stderr(&unknown).contains("300000"), "{}", stderr(&unknown));
    assert!(!folder.path().join("other/report.json").exists());
    let time = drill(&config, &folder.path().join("third"), &["--as-of", "1500000000"]);
    assert_eq!(report(&folder.path().join("third"))["as_of"]["time"], 1_500_000_000, "{}", shown(&time));
}

#[test]
fn a_dry_run_contacts_nobody_and_writes_nothing() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, "[nostr]\nrelays = [\"ws://127.0.0.1:9\"]\n").unwrap();
    let place = folder.path().join("new");
    for args in [
        &["drill", "-c", arg(&config), "--run", arg(&place)][..],
        &["capture", "-c", arg(&config), "--run", arg(&place)],
        &["rebuild", "-c", arg(&config), "--run", arg(&place)],
        &["sim", "write", "--dir", arg(&place)],
        &["sim", "serve", "--dir", arg(&place)],
        &["man", arg(&place)],
        &["init", arg(&place)],
    ] {
        let output = reledger().args(args).arg("--dry-run").output().unwrap();
        assert_eq!(code(&output), 0, "{args:?} {}", shown(&output));
        assert!(stdout(&output).contains("would "), "{args:?} {}", shown(&output));
        assert!(!place.exists(), "{args:?}");
    }
    let output = run(&["drill", "-c", arg(&config), "--dry-run", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["would_ask"][0], "ws://127.0.0.1:9");
}

#[test]
fn flags_stand_above_the_environment_and_the_origin_is_told() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, "").unwrap();
    let show = |args: &[&str]| {
        let mut command = reledger();
        command.env("RELEDGER_JOBS", "3").env("RELEDGER_FAIL_ON", "warn").env("RELEDGER_VERBOSE", "1");
        let output = command.args(["config", "show", "--origin", "-c", arg(&config)]).args(args).output().unwrap();
        assert_eq!(code(&output), 0, "{}", shown(&output));
        stdout(&output)
    };
    let lines = show(&["--jobs", "2"]);
    for line in ["--jobs = 2   # flag", "--fail-on = warn   # environment", "--verbose = 1   # environment"] {
        assert!(lines.lines().any(|other| other == line), "{line}\n{lines}");
    }
}

#[test]
fn an_invalid_item_is_kept_by_default_and_fails_the_run_on_demand() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 23, 20);
    let events = folder.path().join("world/nostr/events.jsonl");
    let text = fs::read_to_string(&events).unwrap();
    fs::write(&events, format!("{text}{{\"not\":\"an event\"}}\n")).unwrap();
    let kept = drill(&config, &folder.path().join("kept"), &[]);
    assert_eq!(code(&kept), 0, "{}", shown(&kept));
    assert_eq!(report(&folder.path().join("kept"))["population"]["events"]["quarantined"], 1);
    let failed = drill(&config, &folder.path().join("failed"), &["--on-invalid", "fail"]);
    assert_eq!(code(&failed), 1, "{}", shown(&failed));
    let strict = drill(&config, &folder.path().join("strict"), &["--fail-on", "warn"]);
    assert_eq!(code(&strict), 1, "{}", shown(&strict));
}

#[test]
fn standard_input_is_judged_like_a_file() {
    let events = fs::File::open(fixtures().join("real/nostr/events.jsonl")).unwrap();
    let output = reledger().args(["verify", "--no-input", "-"]).stdin(events).output().unwrap();
    let from_file = run(&["verify", arg(&fixtures().join("real/nostr/events.jsonl"))]);
    assert_eq!((code(&output), stdout(&output).lines().count()), (code(&from_file), 25), "{}", shown(&output));
    let settlement = fs::File::open(fixtures().join("real/gateway/settlements.jsonl")).unwrap();
    let config = fixtures().join("real/reledger.toml");
    let output = reledger().args(["verify", "-c", arg(&config), "-"]).stdin(settlement).output().unwrap();
    assert!(stdout(&output).contains(" settlement "), "{}", shown(&output));
}

#[test]
fn explain_speaks_json_on_demand() {
    let output = run(&["explain", "ENV_SIG_BAD", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["severity"], &value["blocks"]), (&"critical".into(), &true.into()));
}

#[test]
fn more_words_on_stderr_on_demand_and_none_when_quiet() {
    let folder = tempdir().unwrap();
    let config = fixtures().join("real/reledger.toml");
    let loud = drill(&config, &folder.path().join("loud"), &["-v"]);
    assert!(stderr(&loud).contains("stage ended"), "{}", stderr(&loud));
    let quiet = drill(&config, &folder.path().join("quiet"), &["-q"]);
    assert_eq!(stderr(&quiet), "");
    assert_eq!(stdout(&quiet), stdout(&loud));
}

#[test]
fn capture_and_rebuild_come_to_the_report_of_a_drill_also_without_the_state() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 24, 20);
    let (whole, halves) = (folder.path().join("whole"), folder.path().join("halves"));
    let rebuild = |more: &[&str]| {
        let command = ["rebuild", "-c", arg(&config), "--run", arg(&halves), "-q"];
        reledger().args(command).args(more).output().unwrap()
    };
    let early = rebuild(&[]);
    assert_eq!(code(&early), 2, "{}", shown(&early));
    assert!(stderr(&early).contains("holds no captured evidence") && !halves.exists(), "{}", stderr(&early));
    drill(&config, &whole, &[]);
    let captured = run(&["capture", "-c", arg(&config), "--run", arg(&halves)]);
    assert_eq!(code(&captured), 0, "{}", shown(&captured));
    assert_eq!(code(&rebuild(&[])), 0);
    let expected = fs::read(whole.join("report.json")).unwrap();
    assert_eq!(fs::read(halves.join("report.json")).unwrap(), expected);
    fs::remove_dir_all(halves.join("state")).unwrap();
    fs::remove_file(halves.join("report.json")).unwrap();
    assert_eq!(code(&rebuild(&["--yes"])), 0);
    assert_eq!(fs::read(halves.join("report.json")).unwrap(), expected);
}

#[test]
fn what_lacks_a_pin_is_unchecked_and_a_report_is_for_the_auditor() {
    let settlements = fixtures().join("real/gateway/settlements.jsonl");
    let unpinned = run(&["verify", arg(&settlements)]);
    assert_eq!(code(&unpinned), 3, "{}", shown(&unpinned));
    assert!(stdout(&unpinned).starts_with("unchecked "), "{}", stdout(&unpinned));
    let folder = tempdir().unwrap();
    let record = fs::read_to_string(&settlements).unwrap();
    let config = fixtures().join("real/reledger.toml");
    for (name, text) in
        [("list.json", format!("[{record}]")), ("object.json", format!("{{\"settlements\":[{record}]}}"))]
    {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let pinned = run(&["verify", "-c", arg(&config), arg(&file)]);
        assert_eq!(code(&pinned), 0, "{}", shown(&pinned));
        assert!(stdout(&pinned).contains(" settlement "), "{}", stdout(&pinned));
    }
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let report = run(&["verify", arg(&run_dir.join("report.json"))]);
    assert_eq!(code(&report), 2, "{}", shown(&report));
    assert!(stderr(&report).contains("reledger audit"), "{}", stderr(&report));
}

#[test]
fn a_result_goes_through_a_link_or_into_a_device_and_replaces_neither() {
    let folder = tempdir().unwrap();
    let link = |to: &str, name: &str| {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink(to, &path).unwrap();
        path
    };
    fs::write(folder.path().join("target"), "old").unwrap();
    for (path, expected) in [(link("target", "a"), 0), (link("/dev/full", "b"), 74)] {
        assert_eq!(code(&run(&["schema", "report", "-o", arg(&path)])), expected);
        assert!(path.is_symlink(), "{}", path.display());
    }
    assert!(fs::read_to_string(folder.path().join("target")).unwrap().starts_with('{'));
}

#[test]
fn a_hostile_argument_is_shown_inert() {
    // What a shell pattern may expand to in a folder of foreign files.
    for args in
        [&["drill", "--\u{202e}\u{9b}31m"][..], &["\u{202e}\u{9b}31m"], &["drill", "--jobs", "\u{202e}\u{9b}31m"]]
    {
        let output = run(args);
        assert_eq!(code(&output), 2);
        assert!(!stderr(&output).contains(['\u{202e}', '\u{9b}']), "{:?}", stderr(&output));
        assert!(stderr(&output).contains("\\u{202e}"), "{:?}", stderr(&output));
    }
}

#[test]
fn verify_reads_standard_input_once_and_folders_by_what_each_file_is() {
    let folder = tempdir().unwrap();
    let world = folder.path().join("world");
    let config = write_world(&world, 5, 12);
    let events = fs::File::open(world.join("nostr/events.jsonl")).unwrap();
    let piped = reledger().args(["verify", "-", "-c", arg(&config)]).stdin(events).output().unwrap();
    let named = run(&["verify", arg(&world.join("nostr/events.jsonl")), "-c", arg(&config)]);
    assert_eq!(code(&piped), 0, "{}", shown(&piped));
    assert_eq!(stdout(&piped).replace("standard input", "events.jsonl"), stdout(&named));
    let proofs = run(&["verify", arg(&world.join("ots")), arg(&world.join("keys")), "-c", arg(&config)]);
    assert!(stdout(&proofs).contains("ots-proof") && stdout(&proofs).contains("jwks"), "{}", shown(&proofs));
    assert!(!stdout(&proofs).contains("bad"), "{}", shown(&proofs));
}

#[test]
fn verify_of_a_file_that_is_cut_off_is_not_clean() {
    let folder = tempdir().unwrap();
    let world = folder.path().join("world");
    let config = write_world(&world, 5, 12);
    let whole = fs::read(world.join("nostr/events.jsonl")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut gzip, &whole).unwrap();
    let bytes = gzip.finish().unwrap();
    let cut = folder.path().join("events.jsonl.gz");
    // Only the trailer is missing: every record is whole, and the file may have gone on.
    fs::write(&cut, &bytes[..bytes.len() - 4]).unwrap();
    let output = run(&["verify", arg(&cut), "-c", arg(&config)]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
}

#[test]
fn explain_wants_enough_of_an_id() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, 12);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    for what in ["", "a", "abcdef0"] {
        let output = run(&["explain", what, "--run", arg(&run_dir), "-c", arg(&config)]);
        assert_eq!(code(&output), 2, "`{what}`: {}", shown(&output));
    }
}

#[test]
fn a_capture_of_nothing_is_never_complete() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    fs::write(&config, "").unwrap();
    let empty = run(&["capture", "-c", arg(&config), "--run", arg(&folder.path().join("a"))]);
    assert_eq!(code(&empty), 3, "{}", shown(&empty));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::write(&config, format!("[nostr]\nrelays = [\"ws://127.0.0.1:{port}\"]\n")).unwrap();
    let silent = run(&["capture", "-c", arg(&config), "--run", arg(&folder.path().join("b"))]);
    assert_eq!(code(&silent), 8, "{}", shown(&silent));
    let honest = write_world(&folder.path().join("world"), 5, 12);
    let whole = run(&["capture", "-c", arg(&honest), "--run", arg(&folder.path().join("c"))]);
    assert_eq!(code(&whole), 0, "{}", shown(&whole));
}

#[test]
fn an_unfinished_run_is_not_audited() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, 12);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let record = run_dir.join("run.json");
    let text = fs::read_to_string(&record).unwrap();
    // As a second run into the same folder leaves it when it is killed.
    fs::write(&record, text.replace("\"finished\"", "\"running\"")).unwrap();
    let output = run(&["audit", arg(&run_dir)]);
    assert_eq!(code(&output), 2, "{}", shown(&output));
    // The record is no part of the evidence: an auditor may not have it.
    fs::remove_file(&record).unwrap();
    assert_eq!(code(&run(&["audit", arg(&run_dir)])), 0);
}

#[test]
fn whatever_is_declared_and_not_checked_is_never_clean() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, 12);
    let honest = fs::read_to_string(&config).unwrap();
    let variant = |name: &str, text: &str| {
        fs::write(&config, text).unwrap();
        let output = drill(&config, &folder.path().join(name), &["--fail-on", "critical"]);
        (code(&output), shown(&output))
    };
    fs::write(folder.path().join("world/none.json"), "[]").unwrap();
    fs::create_dir(folder.path().join("world/none")).unwrap();
    let statement = "statement = \"balances.jsonl\"";
    assert!(honest.contains(statement));
    for (name, text) in [
        ("an empty section", format!("{honest}\n[custody]\n")),
        ("an empty list", format!("{honest}\n[custody]\nfiles = []\n")),
        ("a sample of nothing", honest.replace(statement, "sample = 50")),
        ("relays required and none named", honest.replace("[nostr]", "[nostr]\nrequire = { min_relays = 1 }")),
        ("an empty source", honest.replace("activity/activity.jsonl", "none.json")),
        ("a folder without proofs", honest.replace("[\"ots/\", \"ots-upgraded/\"]", "[\"none/\"]")),
        ("nothing but activity", "[nostr]\nactivity = [\"activity/activity.jsonl\"]\n".to_owned()),
        ("nothing but the auth host", "[keys]\nauth_jwks = [\"keys/auth-jwks.json\"]\n".to_owned()),
    ] {
        assert_ne!(text, honest, "{name}");
        let (code, shown) = variant(name, &text);
        assert_eq!(code, 3, "{name}: {shown}");
    }
    assert_eq!(variant("honest", &honest).0, 0);
}

#[test]
fn a_source_that_is_declared_no_more_owes_nothing() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, 12);
    let honest = fs::read_to_string(&config).unwrap();
    let run_dir = folder.path().join("run");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = format!("settlements = [\"http://127.0.0.1:{port}/log.jsonl\", ");
    fs::write(&config, honest.replace("settlements = [", &dead)).unwrap();
    assert_eq!(code(&drill(&config, &run_dir, &[])), 8);
    // The same run goes on with an address that answers; what did not answer stays listed.
    fs::write(&config, &honest).unwrap();
    let output = drill(&config, &run_dir, &["--yes"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let kept = report(&run_dir)["coverage"].to_string();
    assert!(kept.contains(&format!("127.0.0.1:{port}")), "{kept}");
}

#[test]
fn a_file_size_limit_is_a_full_disk_and_the_run_resumes() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 5, 12);
    let run_dir = folder.path().join("run");
    let mut limited = std::process::Command::new("bash");
    // 40 KiB: too little for the log.
    limited.args(["-c", "ulimit -c 0 -f 40; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_reledger")]);
    let output = limited.args(["drill", "-c", arg(&config), "--run", arg(&run_dir)]).output().unwrap();
    assert_eq!(code(&output), 74, "{}", shown(&output));
    assert!(stderr(&output).contains("hint: "), "{}", shown(&output));
    assert_eq!(code(&drill(&config, &run_dir, &[])), 0);
}
