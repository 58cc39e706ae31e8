//! One world, served several ways in turn under the same addresses, as time passes and relays come and go.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use reledger::domain::UnixSeconds;
use reledger::sim::{HeaderDialect, Holds, RelayRules, Services, Serving, SimEvent, World, serve_toml, serve_with};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::{Builder, Runtime};

use crate::support::{arg, code, report, report_bytes, run, shown, stderr, stdout};

/// The instant that everything is judged for: the world adds up then.
pub(super) const AS_OF: &str = "2026-10-01T00:00:00Z";
/// Events with which a world is old enough to have something on both sides of an outage.
pub(super) const EVENTS: u32 = 12;
/// The relays that a world is served by.
const RELAYS: usize = 2;

static SERVERS: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// An address that stays while what answers there changes; nobody answers when it is closed.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) behind: Arc<Mutex<Option<SocketAddr>>>,
}

impl Gate {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let behind: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let target = Arc::clone(&behind);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = target.lock().unwrap().and_then(|address| TcpStream::connect(address).ok());
                if let Some(server) = server {
                    // Small frames that wait for each other would cost every question 40 ms.
                    client.set_nodelay(true).unwrap();
                    server.set_nodelay(true).unwrap();
                    pass(&client, &server);
                    pass(&server, &client);
                }
            }
        });
        Self { address, behind }
    }
}

/// Copies one direction of a connection to its end.
fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        // A side that goes away ends the connection; whoever reads it judges that.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// What the relays hold.
#[derive(Clone)]
pub(super) enum Tide {
    /// Events dated up to an instant.
    Until(i64),
    /// Everything.
    All,
    /// Events dated from an instant on: the rest was pruned.
    Since(i64),
    /// Nothing at all, and they say so properly.
    Nothing,
    /// Everything but these.
    Without(Vec<SimEvent>),
}

/// A world behind gates, with a configuration that names them.
struct House {
    world: Arc<World>,
    gates: Vec<Gate>,
    /// Everything but the relays is answered by the first serving, as long as the house stands.
    servings: Mutex<Vec<Serving>>,
    folder: TempDir,
}

impl House {
    fn new(world: World) -> Self {
        let (folder, world) = (tempdir().unwrap(), Arc::new(world));
        let gates: Vec<Gate> = (0..RELAYS).map(|_| Gate::open()).collect();
        let house = Self { world, gates, servings: Mutex::default(), folder };
        house.turn(&[&Tide::All; RELAYS], &[]);
        let first = house.servings.lock().unwrap();
        let mut text = serve_toml(&first[0], &house.world, house.folder.path()).unwrap();
        for (relay, gate) in first[0].relays.iter().zip(&house.gates) {
            text = text.replace(&relay.to_string(), &gate.address.to_string());
        }
        drop(first);
        fs::write(house.folder.path().join("reledger.toml"), text).unwrap();
        house
    }

    fn turn(&self, tides: &[&Tide], behaviours: &[&str]) {
        let relays = tides.iter().map(|tide| RelayRules { holds: self.holds(tide), ..RelayRules::default() });
        // Headers by height: a debug build needs a second for the whole chain.
        let headers = HeaderDialect::Esplora;
        let behaviours = behaviours.iter().map(|text| text.parse().unwrap()).collect();
        let services = Services { relays: relays.collect(), behaviours, headers, ..Services::default() };
        let world = Arc::clone(&self.world);
        let serving = SERVERS.block_on(serve_with(world, services, std::future::pending())).unwrap();
        for (gate, relay) in self.gates.iter().zip(&serving.relays) {
            *gate.behind.lock().unwrap() = Some(*relay);
        }
        self.servings.lock().unwrap().push(serving);
    }

    fn holds(&self, tide: &Tide) -> Holds {
        let without = |out: &dyn Fn(&SimEvent) -> bool| Holds {
            since: None,
            without: self.world.events.iter().filter(|event| out(event)).map(|event| event.id).collect(),
        };
        match tide {
            Tide::All => Holds::default(),
            Tide::Until(at) => without(&|event| event.created_at.0 > *at),
            Tide::Since(at) => Holds { since: Some(UnixSeconds(*at)), without: BTreeSet::new() },
            Tide::Nothing => without(&|_| true),
            Tide::Without(out) => without(&|event| out.contains(event)),
        }
    }
}

/// World 7, in one house for all tests that share it, one after the other.
static SHARED: LazyLock<House> = LazyLock::new(|| House::new(World::generate(7, EVENTS)));
static TURN: Mutex<()> = Mutex::new(());

/// A house for one test, and a folder for its runs.
pub(super) struct Stage {
    pub(super) folder: TempDir,
    house: Option<House>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Stage {
    /// A world of one's own.
    pub(super) fn of(world: World) -> Self {
        Self::in_house(Some(House::new(world)), None)
    }

    /// The shared world, all of it on the relays.
    pub(super) fn new() -> Self {
        // A test that failed while it had its turn leaves nothing behind that the next one needs.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let stage = Self::in_house(None, Some(turn));
        stage.turn(&Tide::All);
        stage
    }

    fn in_house(house: Option<House>, turn: Option<MutexGuard<'static, ()>>) -> Self {
        let stage = Self { folder: tempdir().unwrap(), house, _turn: turn };
        copy(stage.house().folder.path(), stage.folder.path(), &|name| name != "made");
        stage
    }

    fn house(&self) -> &House {
        self.house.as_ref().unwrap_or(&SHARED)
    }

    pub(super) fn world(&self) -> &World {
        &self.house().world
    }

    /// Gives the run under that name as a drill at this time of the clock leaves it, with the relays up to that instant.
    fn made(&self, name: &str, now: &str, tide: &Tide, what: &str) {
        let made = self.house().folder.path().join("made").join(what);
        self.turn(tide);
        if !made.is_dir() {
            let config = self.house().folder.path().join("reledger.toml");
            let output = self.with(&config, now, what, &["drill"]);
            // What settlements speak of that no relay holds yet is missing before the outage, and is told.
            assert!([0, 1, 3].contains(&code(&output)), "{}", shown(&output));
            copy(&self.run_dir(what), &made, &|_| true);
            fs::remove_dir_all(self.run_dir(what)).unwrap();
        }
        copy(&made, &self.run_dir(name), &|_| true);
    }

    /// A run that was captured and judged up to the instant of the outage, at that instant.
    pub(super) fn before_the_outage(&self, name: &str) -> i64 {
        let middle = self.middle();
        self.made(name, &at(middle), &Tide::Until(middle), "before");
        middle
    }

    /// A run over everything, which the relays then hold.
    pub(super) fn whole(&self, name: &str) -> Snapshot {
        self.made(name, AS_OF, &Tide::All, "whole");
        let snapshot = self.snapshot(name);
        assert_eq!(report(&self.run_dir(name))["verdict"]["exit_code"], 0);
        snapshot
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("reledger.toml")
    }

    pub(super) fn run_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Name of a relay in receipts and reports.
    pub(super) fn relay(&self, index: usize) -> String {
        format!("ws://{}", self.house().gates[index].address)
    }

    /// From now on the relays hold this.
    pub(super) fn turn(&self, tide: &Tide) {
        self.turn_each(&[tide; RELAYS]);
    }

    /// From now on each relay holds this.
    pub(super) fn turn_each(&self, tides: &[&Tide]) {
        self.house().turn(tides, &[]);
    }

    /// From now on the relays hold this and misbehave so (`relay:0=blind`).
    pub(super) fn turn_badly(&self, tide: &Tide, behaviours: &[&str]) {
        self.house().turn(&[tide; RELAYS], behaviours);
    }

    /// From now on nobody answers for that relay.
    pub(super) fn close(&self, index: usize) {
        *self.house().gates[index].behind.lock().unwrap() = None;
    }

    /// From now on who asks that relay reaches the listener, which says nothing.
    pub(super) fn silence(&self, index: usize) -> TcpListener {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        *self.house().gates[index].behind.lock().unwrap() = Some(silent.local_addr().unwrap());
        silent
    }

    /// An instant with events on both sides of it, and none in the quarter of an hour around it.
    pub(super) fn middle(&self) -> i64 {
        let mut times: Vec<i64> = self.world().events.iter().map(|event| event.created_at.0).collect();
        times.sort_unstable();
        let later = times.windows(2).skip(times.len() / 2);
        let gap = later.into_iter().find(|pair| pair[1] - pair[0] > 3_600).unwrap();
        gap[0] + 1_800
    }

    /// Runs a command on a run, judged for the world's instant, at this time of the clock.
    pub(super) fn at(&self, now: &str, name: &str, args: &[&str]) -> Output {
        self.with(&self.config(), now, name, args)
    }

    fn with(&self, config: &Path, now: &str, name: &str, args: &[&str]) -> Output {
        let run_dir = self.run_dir(name);
        let mut all = args.to_vec();
        all.extend(["-c", arg(config), "--run", arg(&run_dir), "--progress", "none", "--as-of", AS_OF, "--now", now]);
        run(&all)
    }

    /// Replays at the world's instant what is bound to be incomplete, whatever else is wrong.
    pub(super) fn replay_in_vain(&self, name: &str, more: &[&str]) -> Value {
        let mut args = vec!["replay", "--json"];
        args.extend(more);
        let output = self.at(AS_OF, name, &args);
        assert!([1, 3, 8].contains(&code(&output)), "{}", stderr(&output));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let conditions = report["replay"]["conditions"].to_string();
        assert!(conditions.contains("incomplete"), "{conditions}");
        assert_eq!(report["replay"]["safe_to_unfreeze"], false);
        report["replay"].clone()
    }

    /// Replays at the world's instant, expects this exit code, and gives what is said about it beside the report.
    pub(super) fn replay(&self, name: &str, more: &[&str], exit: i32) -> Value {
        let mut args = vec!["replay", "--json"];
        args.extend(more);
        let output = self.at(AS_OF, name, &args);
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap_or_default();
        let said = report["replay"].clone();
        assert_eq!(code(&output), exit, "{said:#}\n{}\n{}", report["divergences"], stderr(&output));
        said
    }

    /// The cursors of a run.
    pub(super) fn cursors(&self, name: &str) -> Vec<Value> {
        let output = self.at(AS_OF, name, &["cursor", "list", "--json"]);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
        value["cursors"].as_array().unwrap().clone()
    }

    /// The cursor of one relay's billable events: its origin, and its instant where it stands.
    pub(super) fn cursor(&self, name: &str, index: usize) -> (String, Option<i64>) {
        let relay = self.relay(index);
        let all = self.cursors(name);
        let own = all.iter().find(|cursor| cursor["source"] == relay.as_str() && cursor["kind"] == "30087").unwrap();
        (own["origin"].as_str().unwrap().to_owned(), own["position"]["events"]["time"].as_i64())
    }

    /// What must not change when nothing new is there.
    pub(super) fn snapshot(&self, name: &str) -> Snapshot {
        let run_dir = self.run_dir(name);
        let found = report(&run_dir);
        Snapshot {
            state_root: found["state_root"].clone(),
            evidence_root: found["inputs"]["evidence_root"].clone(),
            report: String::from_utf8(report_bytes(&run_dir)).unwrap(),
            cursors: self.cursors(name),
        }
    }

    /// Open divergences of a run with that code, by their subjects.
    pub(super) fn open(&self, name: &str, wanted: &str) -> Vec<Value> {
        let found = report(&self.run_dir(name));
        let all = found["divergences"].as_array().unwrap().iter();
        let open = all.filter(|divergence| divergence["code"] == wanted && divergence["state"] == "open");
        open.map(|divergence| divergence["subject"].clone()).collect()
    }

    pub(super) fn audit(&self, name: &str) -> i32 {
        let output = run(&["audit", "--offline", arg(&self.run_dir(name))]);
        code(&output)
    }
}

/// A finished run, as far as others can see it.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) state_root: Value,
    pub(super) evidence_root: Value,
    pub(super) report: String,
    pub(super) cursors: Vec<Value>,
}

/// Copies what is in a folder, but for names that are not wanted on top.
fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !wanted(name) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name), &|_| true);
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// An instant as an argument.
pub(super) fn at(seconds: i64) -> String {
    UnixSeconds(seconds).to_string()
}
