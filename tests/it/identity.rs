//! One report whatever the way to it: order, repetition, files, threads, time zone, locale, index, interruptions.
//! What belongs here: whole runs over worlds with planted faults, compared byte for byte. `RELEDGER_WORLDS=n` sets how many.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reledger::domain::Code;
use reledger::sim::{Noise, Scene, Selection, Transport, World, deal, generators_over, plant, serve, serve_toml};
use tempfile::tempdir;

use crate::support::{Lcg, arg, copy_folder, reledger, report_bytes};

mod variations;

const EVENTS: u32 = 20;
const FAULTS: usize = 3;
const AS_OF: &str = "2026-10-01T00:00:00Z";
/// Files of records, one a line, whose order and repetition mean nothing.
const LINES: [&str; 3] = ["nostr/events.jsonl", "gateway/settlements.jsonl", "balances.jsonl"];

fn worlds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_WORLDS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// A drill of that configuration, not started.
fn drill_of(config: &Path, run_dir: &Path) -> Command {
    let mut command = reledger();
    command.args(["drill", "-c", arg(config), "--run", arg(run_dir), "--progress", "none", "--as-of", AS_OF, "--yes"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn judged(mut command: Command, run_dir: &Path) -> Vec<u8> {
    command.status().unwrap();
    report_bytes(run_dir)
}

/// A world with faults, as files. Earlier runs stay out: they have folders of their own.
pub(crate) fn faulty(seed: u64, (events, faults): (u32, usize), dir: &Path) -> Scene {
    let left_out = [Code::SrcShrank, Code::SrcEquivocation];
    let all: Vec<Selection> = generators_over(Transport::Files)
        .filter(|generator| !left_out.contains(&generator.code))
        .map(|generator| Selection { generator, near: false })
        .collect();
    let mut scene = Scene::of(World::generate_with(seed, events, &Noise::seeded(seed)));
    plant(&mut scene, &deal(1, seed, faults, &all));
    scene.write(dir).unwrap();
    scene
}

/// Whole lines of a file, without the empty ones.
fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn put(path: &Path, lines: &[Vec<u8>]) {
    fs::write(path, lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect::<Vec<u8>>()).unwrap();
}

/// Other order of lines, some of them twice.
fn shuffled(world: &Path, dir: &Path, chance: &mut Lcg) -> PathBuf {
    copy_folder(world, dir);
    for name in LINES {
        let mut own = lines(&dir.join(name));
        for _ in 0..own.len() / 5 {
            own.push(own[chance.below(own.len())].clone());
        }
        chance.shuffle(&mut own);
        put(&dir.join(name), &own);
    }
    dir.join("reledger.toml")
}

/// The archive in three files that overlap.
fn split(world: &Path, dir: &Path, chance: &mut Lcg) -> PathBuf {
    copy_folder(world, dir);
    let mut own = lines(&dir.join(LINES[0]));
    chance.shuffle(&mut own);
    let third = own.len() / 3;
    for (name, part) in [("a", &own[..2 * third]), ("b", &own[third..]), ("c", &own[..third])] {
        put(&dir.join(format!("nostr/{name}.jsonl")), part);
    }
    let config = dir.join("reledger.toml");
    let text = fs::read_to_string(&config).unwrap();
    let files = format!("\"{}\"", LINES[0]);
    assert!(text.contains(&files));
    fs::write(&config, text.replace(&files, "\"nostr/c.jsonl\", \"nostr/a.jsonl\", \"nostr/b.jsonl\"")).unwrap();
    config
}

/// An index that outlives the process.
fn on_disk(world: &Path, dir: &Path, engine: &str) -> PathBuf {
    copy_folder(world, dir);
    let config = dir.join("reledger.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("url = \"memory:\"", &format!("url = \"{engine}\""))).unwrap();
    config
}

/// Runs that a kill interrupted.
static KILLED: AtomicU32 = AtomicU32::new(0);

/// Killed up to three times at moments spread over a whole run, then let through.
fn killed(config: &Path, run_dir: &Path, whole: Duration, chance: &mut Lcg) -> Vec<u8> {
    for _ in 0..=chance.below(3) {
        let mut child = drill_of(config, run_dir).spawn().unwrap();
        let moment = whole * u32::try_from(chance.below(1_000)).unwrap() / 1_000;
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        child.kill().unwrap();
        // A run that ended before it could be killed has a code.
        KILLED.fetch_add(u32::from(child.wait().unwrap().code().is_none()), Ordering::Relaxed);
    }
    judged(drill_of(config, run_dir), run_dir)
}

/// Every way to the report of one world; gives the ways that lead to another.
#[expect(clippy::disallowed_methods, reason = "how long a run takes is needed to spread the kills")]
fn ways(seed: u64) -> Vec<String> {
    let folder = tempdir().unwrap();
    let dir = |name: &str| folder.path().join(name);
    let mut chance = Lcg(seed);
    let scene = faulty(seed, (EVENTS, FAULTS), &dir("world"));
    let config = dir("world").join("reledger.toml");
    let began = Instant::now();
    let reference = judged(drill_of(&config, &dir("run")), &dir("run"));
    let whole = began.elapsed();
    let mut differing = Vec::new();
    let mut compare = |name: &str, bytes: Vec<u8>| {
        if bytes != reference {
            differing.push(format!("world {seed}: {name}"));
        }
    };
    let with = |name: &str, edit: &dyn Fn(&mut Command)| {
        let mut command = drill_of(&config, &dir(name));
        edit(&mut command);
        judged(command, &dir(name))
    };
    compare("one thread, Kathmandu, German", {
        with("t1", &|command| {
            command.args(["--jobs", "1"]).env("TZ", "Asia/Kathmandu").env("LC_ALL", "de_DE.UTF-8");
        })
    });
    compare("eight threads, Newfoundland, Turkish", {
        with("t8", &|command| {
            command.args(["--jobs", "8"]).env("TZ", "America/St_Johns").env("LC_ALL", "tr_TR.UTF-8");
        })
    });
    let config = shuffled(&dir("world"), &dir("shuffled"), &mut chance);
    compare("shuffled and repeated lines", judged(drill_of(&config, &dir("s")), &dir("s")));
    let config = split(&dir("world"), &dir("split"), &mut chance);
    compare("three overlapping files", judged(drill_of(&config, &dir("p")), &dir("p")));
    for engine in ["redb:", "sled:"] {
        let name = engine.trim_end_matches(':');
        let config = on_disk(&dir("world"), &dir(name), engine);
        compare(&format!("killed and resumed, {name}"), killed(&config, &dir(name).join("run"), whole, &mut chance));
    }
    differing.extend(
        over_sockets(scene.world, &dir("loopback"), whole, &mut chance).map(|way| format!("world {seed}: {way}")),
    );
    differing
}

/// The same world from live servers: an undisturbed run, one with many threads, and one that is killed and resumed.
fn over_sockets(world: World, dir: &Path, whole: Duration, chance: &mut Lcg) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = Arc::new(world);
    let serving = runtime.block_on(serve(Arc::clone(&world), std::future::pending())).unwrap();
    serve_toml(&serving, &world, dir).unwrap();
    let config = dir.join("reledger-loopback.toml");
    let reference = judged(drill_of(&config, &dir.join("run")), &dir.join("run"));
    let mut eight = drill_of(&config, &dir.join("eight"));
    eight.args(["--jobs", "8"]).env("TZ", "Asia/Kathmandu");
    if judged(eight, &dir.join("eight")) != reference {
        return Some("eight threads over sockets".to_owned());
    }
    let resumed = killed(&config, &dir.join("killed"), whole, chance);
    (resumed != reference).then(|| "killed and resumed over sockets".to_owned())
}

#[test]
fn every_way_to_check_signatures_comes_to_the_same_report() {
    let folder = tempdir().unwrap();
    let dir = |name: &str| folder.path().join(name);
    // Enough for batches and tables of both kinds, with forged events and envelopes among them.
    faulty(3, (800, 60), &dir("world"));
    let [library, single, batch] = ["library", "single", "batch"].map(|how| {
        let mut command = drill_of(&dir("world").join("reledger.toml"), &dir(how));
        command.args(["--verify", how]);
        judged(command, &dir(how))
    });
    let report: serde_json::Value = serde_json::from_slice(&single).unwrap();
    let codes: Vec<&str> =
        report["divergences"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"EVT_BAD_SIG") || codes.contains(&"ENV_SIG_BAD"), "{codes:?}");
    assert!(library == single && library == batch, "another report");
    let audited = reledger().args(["audit", "--offline", "--verify", "batch", arg(&dir("single"))]).output().unwrap();
    assert!(audited.status.code().is_some_and(|code| code < 5), "{audited:?}");
}

#[test]
fn every_way_to_the_report_of_a_world_gives_the_same_bytes() {
    let (next, all) = (AtomicU64::new(0), worlds());
    let differing: BTreeSet<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut own = Vec::new();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= all {
                            return own;
                        }
                        own.extend(ways(seed + 1));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(differing.is_empty(), "{differing:#?}");
    let killed = KILLED.load(Ordering::Relaxed);
    assert!(u64::from(killed) >= all, "{killed} runs were killed in {all} worlds");
    println!("{all} worlds, {killed} runs killed and resumed");
}
