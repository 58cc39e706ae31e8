//! `reledger coverage` and the report's coverage against what the simulator's sources really hold. What belongs here: promises
//! about the table. The truth is counted from the world, the rules of its relays and the files beside them, by NIP-01 and
//! nothing of ours; `nostr-sdk` says which events are genuine. RELEDGER_COVERAGE_WORLDS=n sets how many worlds.

mod truth;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use reledger::sim::{Holds, Noise, RelayRules, Services, SimEvent, World, serve_toml, serve_with, write};
use serde_json::{Value, json};
use tempfile::tempdir;

use self::truth::{AS_OF, ASKED, Gap, Listed, Truth};
use crate::schemas::{faults, schema};
use crate::support::{Lcg, arg, code, report, run, shown, side_by_side_by, stderr, stdout, write_world};

/// Worlds of an ordinary run; every second one is served over sockets.
const WORLDS: u64 = 4;
static SCHEMA: LazyLock<Value> = LazyLock::new(|| schema("coverage"));
const AS_OF_TEXT: &str = "2026-10-01T00:00:00Z";

/// How much of each thing the worlds of a campaign had.
#[derive(Debug, Default)]
struct Planted {
    missing: u64,
    unexplained: u64,
    in_gaps: u64,
    taken_down: u64,
    withdrawn: u64,
    without_operator: u64,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the number of worlds is given from outside")]
fn coverage_and_report_agree_with_what_the_worlds_sources_hold() {
    let wanted = std::env::var("RELEDGER_COVERAGE_WORLDS").ok();
    let worlds = wanted.map_or(WORLDS, |text| text.parse().expect("RELEDGER_COVERAGE_WORLDS is a number"));
    let seeds: Vec<u64> = (1..=worlds).collect();
    let judged = side_by_side_by(2, &seeds, |_, seed| judge(*seed));
    let mut sum = Planted::default();
    for one in &judged {
        sum.missing += one.missing;
        sum.unexplained += one.unexplained;
        sum.in_gaps += one.in_gaps;
        sum.taken_down += one.taken_down;
        sum.withdrawn += one.withdrawn;
        sum.without_operator += one.without_operator;
    }
    println!("{worlds} worlds: {sum:?}");
    assert!(sum.missing > 0 && sum.unexplained > 0 && sum.in_gaps > 0 && sum.taken_down > 0, "{sum:?}");
    assert!(sum.withdrawn > 0 && sum.without_operator > 0, "{sum:?}");
}

fn judge(seed: u64) -> Planted {
    let mut lcg = Lcg(seed);
    let events = 12 + u32::try_from(lcg.below(28)).unwrap();
    let world = World::generate_with(seed, events, &Noise::seeded(seed));
    if seed.is_multiple_of(2) { over_files(&world) } else { over_sockets(world, &mut lcg) }
}

fn over_files(world: &World) -> Planted {
    let folder = tempdir().unwrap();
    write(world, folder.path()).unwrap();
    let truth = Truth::new(world, folder.path(), Vec::new(), Vec::new(), Vec::new());
    compare(folder.path(), world.seed, &truth)
}

/// Relays that lack this and that, gaps and takedowns that explain some of it.
fn over_sockets(mut world: World, lcg: &mut Lcg) -> Planted {
    world.events.retain(|event| ASKED.contains(&event.kind));
    world.archived.retain(|event| ASKED.contains(&event.kind));
    let folder = tempdir().unwrap();
    let mut relays: Vec<RelayRules> = (0..2 + lcg.below(3)).map(|_| rules(&world, lcg)).collect();
    if world.seed % 4 == 1 {
        // Only the operator's relay has the newest event, and perhaps an archive.
        let newest = world.events.iter().max_by_key(|event| event.created_at).map(|event| event.id);
        relays[0].holds = Holds::default();
        relays.iter_mut().skip(1).for_each(|rules| rules.holds.without.extend(newest));
    }
    let services = Services { relays: relays.clone(), ..Services::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = Arc::new(world);
    let serving = runtime.block_on(serve_with(Arc::clone(&world), services, std::future::pending())).unwrap();
    let addresses: Vec<String> = serving.relays.iter().map(|relay| format!("ws://{relay}")).collect();
    let relays: Vec<(String, RelayRules)> = addresses.into_iter().zip(relays).collect();
    let (gaps, listed) = (gaps(&world, &relays, lcg), listed(&world, &relays[0].1, lcg));
    let mut text = serve_toml(&serving, &world, folder.path()).unwrap();
    text = text.replace("[nostr]\n", "[nostr]\ntransparency = [\"log.jsonl\"]\n");
    for Gap { source, from, until, expires } in &gaps {
        text += &format!(
            "\n[[gaps]]\nsource = \"{source}\"\nfrom = {from}\nuntil = {until}\nreason = \"r\"\ncite = \"c\"\nexpires = {expires}\n"
        );
    }
    let lines: Vec<String> = listed.iter().map(Listed::line).collect();
    fs::write(folder.path().join("log.jsonl"), lines.join("\n")).unwrap();
    fs::write(folder.path().join("reledger.toml"), text).unwrap();
    let truth = Truth::new(&world, folder.path(), relays, gaps, listed);
    compare(folder.path(), world.seed, &truth)
}

fn rules(world: &World, lcg: &mut Lcg) -> RelayRules {
    let mut holds = Holds::default();
    if lcg.below(3) == 0 {
        holds.since = Some(world.events[lcg.below(world.events.len())].created_at);
    }
    let share = [0, 2, 20, 90, 100][lcg.below(5)];
    holds.without = world.events.iter().filter(|_| lcg.below(100) < share).map(|event| event.id).collect();
    let (counts, hints, reconciles) = (lcg.below(2) == 0, lcg.below(2) == 0, lcg.below(2) == 0);
    RelayRules { holds, counts, hints, reconciles, ..RelayRules::default() }
}

/// About relays that lack something, around what they lack or elsewhere; some have expired.
fn gaps(world: &World, relays: &[(String, RelayRules)], lcg: &mut Lcg) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (source, rules) in relays {
        let lacking = world.events.iter().filter(|event| !rules.holds.has(event));
        let some: Vec<&SimEvent> = lacking.step_by(3).take(2).chain([&world.events[0]]).collect();
        for event in some {
            let (at, length) = (event.created_at.0, [1, 86_400, 40 * 86_400][lcg.below(3)]);
            let expires = [AS_OF, AS_OF + 1, AS_OF + 2][lcg.below(3)];
            gaps.push(Gap { source: source.clone(), from: at, until: at + length, expires });
        }
    }
    gaps.sort();
    gaps.dedup();
    gaps
}

/// Some of what the operator's relay lacks and some of what it has: on the event's day, the day before, after the as-of.
fn listed(world: &World, operator: &RelayRules, lcg: &mut Lcg) -> Vec<Listed> {
    let (mut lacking, held): (Vec<&SimEvent>, Vec<&SimEvent>) =
        world.events.iter().partition(|event| !operator.holds.has(event));
    lacking.truncate(6);
    let some = lacking.into_iter().chain(held.into_iter().take(1));
    some.map(|event| {
        let day = match lcg.below(4) {
            0 => event.created_at.0 - 86_400,
            1 => AS_OF + 86_400,
            _ => event.created_at.0,
        };
        Listed { kind: event.kind, d: truth::d_tag(&event.tags), day: day - day.rem_euclid(86_400) }
    })
    .collect()
}

/// Captures, looks, judges, looks again; both tables and the report against the truth.
fn compare(folder: &Path, seed: u64, truth: &Truth) -> Planted {
    let (config, run_dir) = (folder.join("reledger.toml"), folder.join("run"));
    let base = ["-c", arg(&config), "--run", arg(&run_dir), "--progress", "none", "--as-of", AS_OF_TEXT, "-q"];
    let with = |args: &[&str]| run(&[args, &base[..]].concat());
    let captured = with(&["capture"]);
    assert!([0, 3].contains(&code(&captured)), "{}", shown(&captured));
    let early = table(&with(&["coverage", "--json"]));
    let rebuilt = with(&["rebuild"]);
    assert!([0, 1, 3].contains(&code(&rebuilt)), "{}", shown(&rebuilt));
    let late = table(&run(&["coverage", "--json", "--run", arg(&run_dir)]));
    let report = report(&run_dir);
    assert_eq!(early["state"], "captured");
    assert_eq!(late["state"], "finished");
    for part in ["slices", "cells", "gaps", "takedowns", "reconstructible", "open", "unheard"] {
        assert_eq!(early[part], late[part], "world {seed}: {part}");
    }
    agree(seed, &late, &report, truth)
}

fn table(output: &std::process::Output) -> Value {
    assert!([0, 3].contains(&code(output)), "{}", shown(output));
    let table: Value = serde_json::from_str(&stdout(output)).unwrap();
    assert_eq!(table["verdict"]["exit_code"], code(output));
    assert_eq!(faults(&SCHEMA, &table), Vec::<String>::new());
    table
}

fn agree(seed: u64, table: &Value, report: &Value, truth: &Truth) -> Planted {
    let cells: BTreeMap<(String, u16, String), [u64; 4]> = rows(table, "cells").map(counted).collect();
    assert_eq!(cells, truth.cells(), "world {seed}");
    let plain = |row: &Value| {
        let mut row = row.clone();
        for member in ["declared", "operator"] {
            row.as_object_mut().unwrap().remove(member).unwrap();
        }
        row
    };
    let slices: Vec<Value> = rows(table, "slices").map(plain).collect();
    assert_eq!(Value::Array(slices), report["coverage"], "world {seed}");
    let mut planted = Planted::default();
    for row in rows(table, "slices").filter(|row| row["source"].as_str().unwrap().starts_with("ws://")) {
        let (source, kind) = (row["source"].as_str().unwrap(), row["kind"].as_str().unwrap().parse().unwrap());
        let lacks = truth.lacks(source, kind);
        assert_eq!(row["missing_here"], json!(lacks.missing), "world {seed}: {row}");
        // An honest relay shows all it has: only a contradiction takes its claim away.
        assert_eq!(row["complete"], json!(lacks.unexplained == 0), "world {seed}: {row}");
        planted.missing += lacks.missing;
        planted.unexplained += lacks.unexplained;
        planted.in_gaps += lacks.in_gaps;
        planted.taken_down += lacks.taken_down;
        planted.withdrawn += u64::from(lacks.unexplained > 0);
    }
    let whole = rows(table, "slices").all(|row| row["complete"] == true);
    assert_eq!(table["verdict"]["exit_code"], json!(if whole { 0 } else { 3 }), "world {seed}");
    let shares = |[with, without]: [u64; 2]| {
        json!({"with_operator": with, "without_operator": without,
            "share_without_operator": {"num": without, "den": with}})
    };
    let mut reconstructible = shares(truth.envelopes());
    assert_eq!(report["reconstructible"], reconstructible, "world {seed}");
    reconstructible["events"] = shares(truth.events());
    assert_eq!(table["reconstructible"], reconstructible, "world {seed}");
    planted.without_operator += u64::from(truth.events()[0] > truth.events()[1]);
    let explained: Vec<(i64, u64)> =
        rows(table, "gaps").map(|row| (row["from"].as_i64().unwrap(), row["missing"].as_u64().unwrap())).collect();
    assert_eq!(explained, truth.gap_uses(), "world {seed}");
    planted
}

fn rows<'a>(table: &'a Value, part: &str) -> impl Iterator<Item = &'a Value> {
    table[part].as_array().unwrap().iter()
}

fn counted(cell: &Value) -> ((String, u16, String), [u64; 4]) {
    let text = |name: &str| cell[name].as_str().unwrap().to_owned();
    let number = |name: &str| cell[name].as_u64().unwrap();
    let place = (text("source"), u16::try_from(number("kind")).unwrap(), text("month"));
    (place, ["items", "missing_here", "in_gaps", "taken_down"].map(number))
}

/// An honest world as files, captured; its configuration and run.
fn captured(folder: &Path) -> (PathBuf, PathBuf) {
    let config = write_world(&folder.join("world"), 7, 12);
    let run_dir = folder.join("run");
    let output = run(&["capture", "-c", arg(&config), "--run", arg(&run_dir), "--progress", "none"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    (config, run_dir)
}

#[test]
fn a_captured_run_needs_its_configuration_and_a_finished_one_does_not() {
    let folder = tempdir().unwrap();
    let (config, run_dir) = captured(folder.path());
    let alone = ["coverage", "--run", arg(&run_dir), "--progress", "none"];
    assert_eq!(code(&run(&alone)), 2);
    let named = [&alone[..], &["-c", arg(&config)]].concat();
    let output = run(&named);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).ends_with("declared slices complete; exit 0\n"), "{}", stdout(&output));
    let rebuilt = run(&["rebuild", "-c", arg(&config), "--run", arg(&run_dir), "--progress", "none", "-q"]);
    assert!([0, 3].contains(&code(&rebuilt)), "{}", shown(&rebuilt));
    assert_eq!(code(&run(&alone)), 0);
    let nowhere = run(&["coverage", "--run", arg(&folder.path().join("nowhere"))]);
    assert_eq!(code(&nowhere), 2, "{}", shown(&nowhere));
    assert!(stderr(&nowhere).contains("hint: "));
}

#[test]
fn a_filter_shows_less_says_so_and_passes_nothing_that_it_does_not_show() {
    let folder = tempdir().unwrap();
    let (config, run_dir) = captured(folder.path());
    let base = ["coverage", "--run", arg(&run_dir), "-c", arg(&config), "--progress", "none", "--json"];
    let ask = |more: &[&str]| table(&run(&[&base[..], more].concat()));
    let whole = ask(&[]);
    let events = ask(&["--source", "nostr-event", "--kind", "30087", "--since", "2026-07-15", "--until", "2026-08-01"]);
    assert_eq!(rows(&events, "slices").count(), 1);
    let months: Vec<&Value> = rows(&events, "cells").map(|cell| &cell["month"]).collect();
    assert_eq!(months, ["2026-07", "2026-08"]);
    assert!(rows(&events, "cells").all(|cell| cell["kind"] == 30_087));
    assert_eq!(events["verdict"]["not_shown"], json!(rows(&whole, "slices").count() - 1));
    assert_eq!(events["verdict"]["exit_code"], 0);
    assert_eq!(
        ask(&["--source", "wss://nowhere.example"])["verdict"]["exit_code"],
        3,
        "nothing shown is nothing passed"
    );
}

#[test]
fn a_relay_that_gave_nothing_is_open_and_the_run_incomplete() {
    let folder = tempdir().unwrap();
    let (config, _) = captured(folder.path());
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = fs::read_to_string(&config).unwrap();
    let relay = format!("[nostr]\nrelays = [\"ws://127.0.0.1:{port}\"]\n");
    let gap = format!(
        "\n[[gaps]]\nsource = \"ws://127.0.0.1:{port}\"\nfrom = 2026-01-01\nuntil = 2026-10-01\nreason = \"away\"\n\
         cite = \"status page\"\nexpires = 2027-01-01\n"
    );
    fs::write(&config, text.replacen("[nostr]\n", &relay, 1) + &gap).unwrap();
    let run_dir = folder.path().join("with-relay");
    let base = ["-c", arg(&config), "--run", arg(&run_dir), "--progress", "none"];
    let output = run(&[&["capture"], &base[..]].concat());
    assert!([3, 8].contains(&code(&output)), "{}", shown(&output));
    let told = table(&run(&[&["coverage", "--json"], &base[..]].concat()));
    assert_eq!(told["verdict"]["exit_code"], 3);
    let open: Vec<&Value> = rows(&told, "slices").filter(|row| row["complete"] == false).collect();
    assert_eq!(open.len(), ASKED.len(), "{told}");
    assert!(open.iter().all(|row| row["basis"] == "none" && row["reason"] != ""), "{told}");
    // What the archive has is missing there, and not taken off what the archive has.
    let missing: u64 = open.iter().map(|row| row["missing_here"].as_u64().unwrap()).sum();
    assert!(missing > 0);
    let cells: Vec<&Value> = rows(&told, "cells").filter(|cell| cell["missing_here"] != 0).collect();
    assert!(!cells.is_empty() && cells.iter().all(|cell| cell["open"] == true && cell["items"] == 0), "{cells:?}");
    // A gap that has all of it is listed with its count, and makes nothing complete.
    let listed = run(&[&["gaps", "list", "--json"], &base[..]].concat());
    let listed: Value = serde_json::from_str(&stdout(&listed)).unwrap();
    assert_eq!(listed["gaps"][0]["missing"], json!(missing), "{listed}");
    assert_eq!(told["gaps"][0]["missing"], json!(missing));
    let people = stdout(&run(&[&["coverage"], &base[..]].concat()));
    assert!(people.contains("OPEN  ws://127.0.0.1:") && people.ends_with("exit 3\n"), "{people}");
    let certificates = run(&[&["coverage", "--certificates"], &base[..]].concat());
    let printed: Value = serde_json::from_str(&stdout(&certificates)).unwrap();
    assert_eq!(faults(&schema("certificates"), &printed), Vec::<String>::new(), "{printed}");
}
