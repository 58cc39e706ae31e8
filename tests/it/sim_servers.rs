//! The simulator's servers misbehave over real sockets, and a whole drill has to say so: each misbehaviour of each role at
//! least once. What must come out is stated by `Misbehaviour::effect`, which was argued from the meaning of the codes.
//! What belongs here: promises about whole runs against served worlds. Single frames and pages are in `substrate_net`.

mod drills;
mod plain_talk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use reledger::domain::Code;
use reledger::sim::{Behaviour, Loss, Misbehaviour, Role, Services, Serving, World, serve_toml, serve_with};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::support::{arg, reledger};

/// One world for all: what is wrong is only how it is served. Its gateway writes objects, which can carry addresses.
static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| Arc::new(World::generate(1, 40)));

static SERVERS: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Far above what the slowest case takes: reaching it means that the tool does not end.
const PATIENCE: Duration = Duration::from_secs(180);
/// What a run over a small world may take, whatever it is sent.
const MEMORY_KIB_MAX: u64 = 512 * 1024;

/// What a drill against a served world came to.
struct Outcome {
    exit: i32,
    report: Value,
    /// How often each misbehaviour of each server reached the wire.
    exercised: BTreeMap<(String, Misbehaviour), u64>,
    /// Behaviours that never did.
    idle: Vec<Behaviour>,
    /// Connections to the address that servers pointed to.
    trapped: u64,
    /// Names of the sources of each server, as the configuration gives them.
    sources: BTreeMap<String, Vec<String>>,
}

impl Outcome {
    fn divergences(&self) -> impl Iterator<Item = &Value> {
        self.report["divergences"].as_array().unwrap().iter()
    }

    /// Codes of open divergences of any weight, beyond what an honest world has.
    fn open_codes(&self) -> BTreeSet<String> {
        let open = self.divergences().filter(|one| one["state"] == "open" && one["severity"] != "info");
        open.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    }

    /// True when an open divergence with that code is about one of the server's sources.
    fn tells(&self, code: Code, server: &str, role: Role) -> bool {
        self.divergences().any(|one| {
            let subject = &one["subject"];
            let named = match code {
                // A record is named by its kind and hash; its sightings lead to the source.
                Code::SrcParse => media(role).iter().any(|media| subject["media"] == *media),
                code if code.name().starts_with("SRC_") => {
                    self.sources[server].iter().any(|source| subject["source"] == source.as_str())
                }
                _ => true,
            };
            one["code"] == code.name() && one["state"] == "open" && named
        })
    }

    /// True when it is said that too few relays are left whose word counts.
    fn lacks_relays(&self) -> bool {
        self.divergences().any(|one| {
            one["code"] == Code::SrcIncomplete.name()
                && one["state"] == "open"
                && one["subject"]["requirement"] == "min_relays"
        })
    }
}

/// The media of a role's records.
fn media(role: Role) -> &'static [&'static str] {
    match role {
        Role::Relay => &["nostr-event"],
        Role::Calendar => &["calendar-reply"],
        Role::Settlements => &["settlement"],
        Role::Invoices => &["invoice"],
        Role::PaymentLog => &["payment-log-entry"],
        Role::Headers => &["bitcoin-headers"],
        Role::WellKnown => &["jwks", "auth-jwks"],
        Role::Balances => &["balance"],
    }
}

fn behaviours(texts: &[&str]) -> Services {
    Services { behaviours: texts.iter().map(|text| text.parse().unwrap()).collect(), ..Services::default() }
}

/// Serves the world like this and drills it.
fn outcome(services: Services) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async {
        // A dropped sender is a stop too.
        let _ = stopped.await;
    };
    let serving = SERVERS.block_on(serve_with(Arc::clone(&WORLD), services, shutdown)).unwrap();
    serve_toml(&serving, &WORLD, folder.path()).unwrap();
    let (run_dir, config) = (folder.path().join("run"), folder.path().join("reledger-loopback.toml"));
    let exit = drill_within(&config, &run_dir);
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(run_dir.join(name)).unwrap()).unwrap() };
    let memory = read("run.json")["peak_memory_kib"].as_u64().unwrap();
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
    let outcome = Outcome {
        exit,
        report: read("report.json"),
        exercised: serving.exercised(),
        idle: serving.idle(),
        trapped: serving.trapped(),
        sources: sources(&serving),
    };
    stop.send(()).unwrap();
    SERVERS.block_on(serving.finished()).unwrap();
    outcome
}

/// Runs the command and fails when it does not end.
fn drill_within(config: &Path, run_dir: &Path) -> i32 {
    let mut command = reledger();
    command.args(["drill", "-c", arg(config), "--run", arg(run_dir), "--progress", "none", "--jobs", "1"]);
    let (done, ended) = channel();
    std::thread::spawn(move || done.send(command.output().unwrap()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.status.code().unwrap_or(-1),
        Err(RecvTimeoutError::Timeout) => panic!("the drill does not end: {}", config.display()),
        Err(RecvTimeoutError::Disconnected) => panic!("the drill was not started: {}", config.display()),
    }
}

fn sources(serving: &Serving) -> BTreeMap<String, Vec<String>> {
    let relays = serving.relays.iter().map(|relay| vec![format!("ws://{relay}")]);
    let calendars = serving.calendars.iter().map(|calendar| vec![format!("http://{calendar}")]);
    let mut sources: BTreeMap<String, Vec<String>> = BTreeMap::new();
    sources.extend(relays.enumerate().map(|(index, names)| (format!("relay:{index}"), names)));
    sources.extend(calendars.enumerate().map(|(index, names)| (format!("calendar:{index}"), names)));
    for (role, address) in &serving.addresses {
        let paths: &[&str] = match role {
            Role::Settlements => &["/settlements.json"],
            Role::Invoices => &["/invoices"],
            Role::Balances => &["/balances.json"],
            Role::WellKnown => &["/.well-known/jwks.json", "/.well-known/oc-envelope-jwks.json"],
            _ => &[""],
        };
        sources.insert(format!("{role}:0"), paths.iter().map(|path| format!("http://{address}{path}")).collect());
    }
    sources
}

/// Takes every item of work in threads: most of a case is waiting.
fn side_by_side<T: Send, R: Send>(work: Vec<T>, threads: usize, one: impl Fn(T) -> R + Sync) -> Vec<R> {
    let count = work.len();
    let (queue, results) = (Mutex::new(work.into_iter()), Mutex::new(Vec::with_capacity(count)));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let Some(item) = queue.lock().unwrap().next() else { break };
                    let result = one(item);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}
