//! Seconds to load the ledgers of a world into a Redis of our own, to switch, and to compare, beside the floor: the same bytes by bare
//! pipelined writes over the same client. And the memory of both processes.
//!
//! `make bench-redis`; `RELEDGER_BENCH_ENVELOPES=n` sets the size. Without redis-server it says so and ends.

#![expect(clippy::disallowed_methods, clippy::float_arithmetic, reason = "a benchmark measures time and divides")]

#[path = "common/memory.rs"]
mod memory;
#[path = "common/world.rs"]
mod world;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use reledger::domain::Digest32;
use reledger::ledger::rebuild;
use reledger::target::{Access, Content, Layout, Link, Origin, Unit, Watch, compare, load};

struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn server(folder: &std::path::Path) -> Option<Server> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    let mut child = command.stdout(Stdio::piped()).spawn().ok()?;
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    lines.by_ref().map_while(Result::ok).find(|line| line.contains("Ready to accept"))?;
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some(Server(child, port))
}

/// The same keys, values and members, 2,000 a pipeline.
fn floor(port: u16, content: &Content<'_>) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
    let mut connection = client.get_connection().expect("the server is there");
    let mut units = content.all_units().peekable();
    while units.peek().is_some() {
        let mut pipe = redis::pipe();
        for unit in units.by_ref().take(2_000) {
            match unit {
                Unit::Record(record) => pipe.cmd("SET").arg(record.key).arg(record.value).ignore(),
                Unit::Member { key, score, member } => pipe.cmd("ZADD").arg(key).arg(score).arg(member).ignore(),
            };
        }
        pipe.exec(&mut connection).expect("the server takes it");
    }
}

fn info(port: u16, name: &str) -> f64 {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
    let text: String =
        redis::cmd("INFO").arg("memory").query(&mut client.get_connection().expect("there")).expect("it answers");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(f64::NAN)
}

fn main() {
    let size = std::env::var("RELEDGER_BENCH_ENVELOPES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let (Some(bare), Some(own)) = (server(folder.path()), server(folder.path())) else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let (set, as_of, plan) = world::verified(size, &world::JUDGED);
    let ledgers = rebuild(&set, &plan.policy, as_of);
    let layout = Layout::new(Layout::PREFIX, &BTreeMap::new()).expect("the usual layout");
    let origin = Origin { state_root: Digest32::default(), report_sha256: Digest32::default(), as_of: as_of.time };
    let held = memory::resident_kib();
    let content = Content::new(&ledgers, ledgers.journal(&set, &plan.policy, as_of), &layout, &origin);
    println!("{} keys, {} members of indexes: {:?}", content.keys(), content.members(), content.counts());
    let began = Instant::now();
    floor(bare.1, &content);
    let floor = began.elapsed().as_secs_f64();
    println!(
        "floor, pipelined SET and ZADD: {floor:.2} s, server {:.0} MiB",
        info(bare.1, "used_memory") / 1_048_576.0
    );
    drop(bare);
    let (began, switch) = (Instant::now(), Cell::new(0.0));
    let stage = |name: &'static str, _| {
        if name == "switch" {
            switch.set(began.elapsed().as_secs_f64());
        }
    };
    let watch = Watch { stop: &|| false, stage: &stage, done: &|_| {} };
    let address = format!("redis://127.0.0.1:{}", own.1).parse().expect("an address");
    let mut link = Link::open(&address, &Access::default()).expect("the server is there");
    load(&mut link, &content, &watch).expect("it is loaded");
    let loaded = began.elapsed().as_secs_f64();
    println!(
        "load: {loaded:.2} s, of which the switch {:.2} s; {:.2} times the floor; server {:.0} MiB, at most {:.0}",
        loaded - switch.get(),
        loaded / floor,
        info(own.1, "used_memory") / 1_048_576.0,
        info(own.1, "used_memory_peak") / 1_048_576.0
    );
    let began = Instant::now();
    let found = compare(&mut link, &content, &watch).expect("it is compared");
    assert!(found.differences.is_empty(), "{:?}", found.differences.first());
    println!("compare: {:.2} s", began.elapsed().as_secs_f64());
    println!("this process beyond the ledgers: {:.0} MiB", (memory::resident_kib() - held) / 1_024.0);
}
