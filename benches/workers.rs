//! What it costs to share a run: CPU time of one local process beside that of a coordinator, workers and server, over the same
//! events: with one server, and with three that have the evidence in hash partitions (docs/scaling.md). CPU time and not the clock: on
//! one machine all of them share its cores.
//!
//! `make bench-workers`; `RELEDGER_BENCH_EVENTS=n` sets how many events, `RELEDGER_BENCH_ROUNDS=n` how often.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a benchmark measures time and divides, and fails loudly"
)]
#![allow(dead_code, reason = "the server of the tests does more than this needs")]

#[path = "../tests/it/postgres/server.rs"]
mod server;
#[path = "../tests/it/postgres/spread.rs"]
mod spread;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use reledger::sim::World;
use server::{Server, client, url};

/// Ticks of /proc in a second: what every Linux has told programs since 2.6.
const TICKS: f64 = 100.0;

/// Workers beside a coordinator.
const WORKERS: [usize; 4] = [0, 1, 2, 4];

/// Where a run's tables are.
#[derive(Clone, Copy)]
enum Place<'s> {
    Alone,
    One(&'s Server),
    Three(&'s [Server; 3]),
}

impl Place<'_> {
    fn servers(&self) -> &[Server] {
        match self {
            Self::Alone => &[],
            Self::One(server) => std::slice::from_ref(server),
            Self::Three(servers) => servers.as_slice(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Alone => "one process, redb:",
            Self::One(_) => "one server",
            Self::Three(_) => "three servers",
        }
    }

    /// CPU seconds of the servers so far.
    fn spent(&self) -> f64 {
        self.servers().iter().map(|server| family(server.pid())).sum()
    }

    /// Has everybody write what waits, so that it is counted.
    fn settle(&self) {
        self.servers().iter().for_each(|server| client(server.port).batch_execute("CHECKPOINT").unwrap());
        // A backend is counted once the server has waited for it.
        std::thread::sleep(std::time::Duration::from_millis(300));
    }

    fn clear(&self, schema: &str) {
        for (number, server) in self.servers().iter().enumerate() {
            let mut client = client(server.port);
            if number == 0 {
                client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).unwrap();
            }
            client.batch_execute(&format!("DROP TABLE IF EXISTS public.shard_{schema}")).unwrap();
        }
    }
}

fn main() {
    let events: usize = asked("RELEDGER_BENCH_EVENTS", 100_000);
    let rounds = asked("RELEDGER_BENCH_ROUNDS", 3);
    let folder = tempfile::tempdir().unwrap();
    let events = world(folder.path(), events);
    let (Some(one), Some(three)) = (Server::start(), spread::servers()) else { return };
    println!("{events} events, {} cores, PostgreSQL durable (fsync on), medians of {rounds}", cores());
    println!("{:<34}{:>12}{:>12}{:>12}{:>14}", "", "clients us", "servers us", "over one", "events/s");
    let shared = [Place::One(&one), Place::Three(&three)].into_iter().flat_map(|at| WORKERS.map(|count| (at, count)));
    let runs: Vec<(Place<'_>, usize)> = std::iter::once((Place::Alone, 0)).chain(shared).collect();
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); runs.len()];
    let mut reports: Vec<Vec<u8>> = Vec::new();
    for round in 0..rounds {
        for (number, (place, workers)) in runs.iter().enumerate() {
            let (cost, report) = run(folder.path(), *place, *workers, &format!("run_{round}_{number}"));
            costs[number].push(cost);
            reports.push(report);
        }
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]), "one report whoever does the work");
    let costs: Vec<Cost> = costs.into_iter().map(median).collect();
    for ((place, workers), cost) in runs.iter().zip(&costs) {
        let beside = if matches!(place, Place::Alone) { String::new() } else { format!(", {workers} workers beside") };
        row(&format!("{}{beside}", place.name()), *cost, costs[0], events);
    }
}

#[derive(Debug, Clone, Copy)]
struct Cost {
    clients: f64,
    servers: f64,
    elapsed: f64,
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| (a.clients + a.servers).total_cmp(&(b.clients + b.servers)));
    costs[costs.len() / 2]
}

fn row(name: &str, cost: Cost, alone: Cost, events: usize) {
    let each = |seconds: f64| seconds * 1e6 / events as f64;
    println!(
        "{name:<34}{:>12.1}{:>12.1}{:>12.1}{:>14.0}",
        each(cost.clients),
        each(cost.servers),
        each(cost.clients + cost.servers - alone.clients),
        events as f64 / cost.elapsed
    );
}

fn asked(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Nostr events with signed envelopes in them, and what those are judged by; how many.
fn world(folder: &Path, events: usize) -> usize {
    let world = World::generate(11, u32::try_from(events).unwrap() * 7 / 10);
    reledger::sim::write(&world, folder).unwrap();
    let text = fs::read_to_string(folder.join("nostr/events.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().take(events).collect();
    fs::write(folder.join("events.jsonl"), lines.join("\n") + "\n").unwrap();
    lines.len()
}

/// What the world's config says of headers, keys and prices.
fn judged_by(folder: &Path) -> String {
    let whole = fs::read_to_string(folder.join("reledger.toml")).unwrap();
    let of_judges = |section: &&str| ["[headers]", "[keys]", "[projects]"].iter().any(|name| section.starts_with(name));
    whole.split("\n\n").filter(of_judges).collect::<Vec<_>>().join("\n\n")
}

/// Drills from empty.
fn run(folder: &Path, place: Place<'_>, workers: usize, name: &str) -> (Cost, Vec<u8>) {
    let store = place.servers().first().map_or_else(|| "redb:".to_owned(), |server| url(server.port, name));
    if let Place::Three(servers) = place {
        spread::lay(servers, name);
    }
    let config = folder.join(format!("{name}.toml"));
    let mut file = fs::File::create(&config).unwrap();
    let judged_by = judged_by(folder);
    writeln!(file, "[nostr]\nfiles = [\"events.jsonl\"]\n\n{judged_by}\n\n[store]\nurl = \"{store}\"").unwrap();
    let jobs = if matches!(place, Place::Alone) { "0" } else { "1" };
    let (own, theirs, began) = (children(), place.spent(), Instant::now());
    let started: Vec<Child> = (0..workers)
        .map(|_| command(&["worker", "--store", &store, "--jobs", "1"]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    let run = folder.join(name);
    let (config, run_dir) = (config.to_str().unwrap(), run.to_str().unwrap());
    command(&["drill", "-c", config, "--run", run_dir, "--jobs", jobs]).stdout(Stdio::null()).status().unwrap();
    let elapsed = began.elapsed().as_secs_f64();
    for mut child in started {
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
    }
    let report = fs::read(run.join("report.json")).unwrap();
    fs::remove_dir_all(&run).unwrap();
    place.settle();
    let (clients, servers) = (children() - own, place.spent() - theirs);
    place.clear(name);
    (Cost { clients, servers, elapsed }, report)
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reledger"));
    command.args(args).args(["--progress", "none", "--quiet", "--as-of", "2026-10-01T00:00:00Z"]);
    command.env("RELEDGER_NO_CACHE", "1").stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// The numbers of a process from its fourth on, and its name's bracket passed.
fn stat(pid: &str) -> Option<Vec<f64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, numbers) = text.rsplit_once(") ")?;
    Some(numbers.split(' ').skip(1).map_while(|number| number.trim().parse().ok()).collect())
}

/// CPU seconds of those of our children that have ended.
fn children() -> f64 {
    stat("self").map_or(0.0, |numbers| (numbers[12] + numbers[13]) / TICKS)
}

/// CPU seconds of a server with all of its processes, the ended ones included.
fn family(server: u32) -> f64 {
    let own = stat(&server.to_string()).map_or(0.0, |it| it[10] + it[11] + it[12] + it[13]);
    let live = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let numbers =
            stat(entry.ok()?.file_name().to_str().filter(|name| name.bytes().all(|it| it.is_ascii_digit()))?)?;
        ((numbers[0] - f64::from(server)).abs() < 0.5).then(|| numbers[10] + numbers[11])
    });
    (own + live.sum::<f64>()) / TICKS
}
