//! Wherever a snapshot cuts, what comes back from it and replays the rest is what was never away.
//! What belongs here: drawn worlds and drawn instants, in this process, over loopback relays and files. `RELEDGER_CUTS=n` sets how
//! many cuts, `RELEDGER_CUTS_SEED=n` the first world.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use reledger::app::{
    Cancel, Config, Identities, KeySource, Pen, Plan, ReplayOptions, RunOptions, Silent, SnapshotOptions,
    create_snapshot, drill, replay,
};
use reledger::domain::{NostrEventId, UnixSeconds};
use reledger::sim::{Holds, Proven, RelayRules, Scene, Services, Serving, World, serve_with};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot::{Sender, channel};

use crate::replay::stage::Gate;
use crate::support::{Lcg, parsed, report_bytes, tree};

/// Cuts through one world before the next one is made.
const CUTS_A_WORLD: usize = 25;
const EVENTS: u32 = 10;
const RELAYS: usize = 2;
const WORKERS: usize = 2;
/// Sorts of cuts.
const SORTS: usize = 8;
/// What a report from empty may have otherwise: there one window covered everything, and here an earlier and a later one, each
/// with a row of its own. So the rows are more, and with them what counts rows: checks of the capture, and the runbook's first step.
const OF_COVERAGE: [&str; 4] = ["checks", "coverage", "coverage_by_month", "runbook"];
const COVERAGE_CHECKS: &str = "capture.";

static SERVERS: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

fn asked(name: &str, none: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var(name);
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(none)
}

/// Where a history is cut.
#[derive(Debug)]
struct Cut {
    at: i64,
    /// An event of that very second that no relay held yet.
    late: Option<NostrEventId>,
    overlap: u64,
}

impl Cut {
    /// One of each sort in turn.
    fn drawn(town: &Town, case: usize, chance: &mut Lcg) -> Self {
        let events = &town.world.events;
        let (first, last) = (town.times[0], town.times[town.times.len() - 1]);
        let any = events[chance.below(events.len())].clone();
        let overlap = if case.is_multiple_of(2) { 0 } else { 900 };
        let at = |at| Self { at, late: None, overlap };
        match case % SORTS {
            0 => at(first - 1),
            1 => at(last + 1),
            2 => at(any.created_at.0),
            3 => at(any.created_at.0 - 1),
            4 => Self { at: any.created_at.0, late: Some(any.id), overlap },
            5 => {
                // Between an event's second and the block of its proof.
                let (from, until) = town.waits[chance.below(town.waits.len())];
                at(from + i64::try_from(chance.below(usize::try_from(until - from).unwrap())).unwrap())
            }
            _ => at(first + i64::try_from(chance.below(usize::try_from(last - first).unwrap())).unwrap()),
        }
    }
}

/// Servers of a world that hold what they hold until they are stopped.
struct Hall {
    serving: Serving,
    stop: Sender<()>,
}

impl Hall {
    fn open(world: &Arc<World>, holds: &Holds) -> Self {
        let relays = (0..RELAYS).map(|_| RelayRules { holds: holds.clone(), ..RelayRules::default() });
        let services = Services { relays: relays.collect(), ..Services::default() };
        let (stop, stopped) = channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = SERVERS.block_on(serve_with(Arc::clone(world), services, shutdown)).unwrap();
        Self { serving, stop }
    }

    fn close(self) {
        drop(self.stop);
        SERVERS.block_on(self.serving.finished()).unwrap();
    }
}

/// A world under addresses that stay, with what a drill from empty says of it.
struct Town {
    world: Arc<World>,
    times: Vec<i64>,
    /// From an event to the block of its detached proof.
    waits: Vec<(i64, i64)>,
    gates: Vec<Gate>,
    folder: TempDir,
    all: Hall,
    pen: Pen,
    from_empty: Vec<u8>,
}

impl Town {
    fn new(seed: u64) -> Self {
        let (world, folder) = (World::generate(seed, EVENTS), tempdir().unwrap());
        Scene::of(world.clone()).write(&folder.path().join("world")).unwrap();
        let gates: Vec<Gate> = (0..RELAYS).map(|_| Gate::open()).collect();
        let secret = folder.path().join("secret");
        fs::write(&secret, "07".repeat(32)).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let mut times: Vec<i64> = world.events.iter().map(|event| event.created_at.0).collect();
        times.sort_unstable();
        let world = Arc::new(world);
        let all = Hall::open(&world, &Holds::default());
        let pen = Pen::of(&KeySource::File(secret)).unwrap();
        let waits = Vec::new();
        let mut town = Self { world, times, waits, gates, folder, all, pen, from_empty: Vec::new() };
        town.waits = town.waits();
        town.turn(&town.all);
        let run = town.path("empty");
        drill(&town.plan(None), &town.options(&run, None), &Silent, &Cancel::default()).unwrap();
        town.from_empty = report_bytes(&run);
        town
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// When a detached proof's block was found; `None` for one that waits, or names none.
    fn proven_at(&self, digest: &str) -> Option<i64> {
        match self.world.proven.get(digest)? {
            Proven::Block(height) => {
                let header = self.world.headers.get(*height)?;
                Some(i64::from(u32::from_le_bytes(header[68..72].try_into().unwrap())))
            }
            _ => None,
        }
    }

    fn waits(&self) -> Vec<(i64, i64)> {
        let digests = self.world.proofs.keys().chain(self.world.upgraded.keys()).map(ToString::to_string);
        let blocks: Vec<i64> = digests.filter_map(|digest| self.proven_at(&digest)).collect();
        let before = |block: i64| self.times.iter().copied().filter(|at| *at < block).max();
        let waits: Vec<(i64, i64)> = blocks.into_iter().filter_map(|block| Some((before(block)?, block))).collect();
        assert!(!waits.is_empty(), "no detached proof is of a block after an event");
        waits
    }

    fn turn(&self, hall: &Hall) {
        for (gate, relay) in self.gates.iter().zip(&hall.serving.relays) {
            *gate.behind.lock().unwrap() = Some(*relay);
        }
    }

    /// What relays held at the cut.
    fn holds(&self, cut: &Cut) -> Holds {
        let is_out = |created_at: i64, id: &NostrEventId| created_at > cut.at || cut.late.as_ref() == Some(id);
        let out = self.world.events.iter().filter(|event| is_out(event.created_at.0, &event.id));
        Holds { since: None, without: out.map(|event| event.id).collect() }
    }

    /// The world's configuration with events from relays; up to a cut without detached proofs of later blocks.
    fn plan(&self, cut: Option<&Cut>) -> Plan {
        let world = self.path("world");
        let mut text = fs::read_to_string(world.join("reledger.toml")).unwrap();
        let relays: Vec<String> = self.gates.iter().map(|gate| format!("\"ws://{}\"", gate.address)).collect();
        text = replaced(&text, "files = [\"nostr/events.jsonl\"]", &format!("relays = [{}]", relays.join(", ")));
        if let Some(cut) = cut {
            for folder in ["ots", "ots-upgraded"] {
                let kept = world.join(format!("cut-{folder}"));
                let _ = fs::remove_dir_all(&kept);
                fs::create_dir(&kept).unwrap();
                for (name, bytes) in tree(&world.join(folder)) {
                    let digest = name.strip_suffix(".ots").unwrap();
                    if self.proven_at(digest).is_none_or(|at| at <= cut.at) {
                        fs::write(kept.join(&name), bytes).unwrap();
                    }
                }
                text = replaced(&text, &format!("\"{folder}/\""), &format!("\"cut-{folder}/\""));
            }
        }
        Plan::resolve(&Config::from_toml(&text).unwrap(), &world).unwrap()
    }

    fn options(&self, run: &Path, at: Option<i64>) -> RunOptions {
        RunOptions::of_trial(run.to_owned(), at.map_or(self.world.as_of(), UnixSeconds), false)
    }

    /// Drills up to the cut, packs that, restores it elsewhere and replays the rest there, and replays it here too.
    fn cut(&self, cut: &Cut, at: &str) -> Seen {
        let (here, there) = (self.path(&format!("{at}-here")), self.path(&format!("{at}-there")));
        let hall = Hall::open(&self.world, &self.holds(cut));
        self.turn(&hall);
        let (plan, cancel) = (self.plan(Some(cut)), Cancel::default());
        drill(&plan, &self.options(&here, Some(cut.at)), &Silent, &cancel).unwrap();
        let at_the_cut = report_bytes(&here);
        let options = SnapshotOptions {
            run: here.clone(),
            out: self.path(&format!("{at}-shots")),
            clock: UnixSeconds(cut.at),
            yes: false,
            dry_run: false,
        };
        let made = create_snapshot(&options, &self.pen, &cancel).unwrap();
        self.turn(&self.all);
        hall.close();
        let plan = self.plan(None);
        let wanted = |from_snapshot| ReplayOptions {
            since: None,
            from_snapshot,
            keys: [self.pen.key()].into(),
            identities: Identities::default(),
            until: None,
            overlap: cut.overlap,
        };
        let came = replay(&plan, &self.options(&there, None), &wanted(Some(made.path)), &Silent, &cancel).unwrap();
        assert!(came.origin.is_some_and(|origin| origin.is_new), "{cut:?}: it was restored");
        replay(&plan, &self.options(&here, None), &wanted(None), &Silent, &cancel).unwrap();
        let seen = Seen { at_the_cut, restored: report_bytes(&there), undisturbed: report_bytes(&here) };
        for folder in [here, there, options.out] {
            fs::remove_dir_all(folder).unwrap();
        }
        seen
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} in {text}");
    text.replace(from, to)
}

/// Reports around one cut.
struct Seen {
    at_the_cut: Vec<u8>,
    restored: Vec<u8>,
    undisturbed: Vec<u8>,
}

/// Members of two reports that differ.
fn differing(one: &Value, other: &Value) -> BTreeSet<String> {
    let names = one.as_object().unwrap().keys().chain(other.as_object().unwrap().keys());
    names.filter(|name| one[name.as_str()] != other[name.as_str()]).cloned().collect()
}

/// What became of the cuts so far.
#[derive(Default, Debug)]
struct Tally {
    cuts: usize,
    /// The state at the cut was another than at the end.
    felt: usize,
    /// The report is byte for byte that of a drill from empty.
    same_as_from_empty: usize,
    /// Members in which it differs from that, and how often.
    differ: BTreeMap<String, usize>,
}

fn judge(town: &Town, cut: &Cut, seen: &Seen, tally: &mut Tally) {
    assert_eq!(seen.restored, seen.undisturbed, "{cut:?} of world {}: the same bytes", town.world.seed);
    let (restored, empty) = (parsed(&seen.restored), parsed(&town.from_empty));
    for name in ["/state_root", "/ledgers", "/balances", "/inputs/evidence_root", "/verdict"] {
        assert!(empty.pointer(name).is_some_and(|value| !value.is_null()), "{name}");
        assert_eq!(restored.pointer(name), empty.pointer(name), "{cut:?} of world {}: {name}", town.world.seed);
    }
    let differ = differing(&restored, &empty);
    assert!(differ.iter().all(|name| OF_COVERAGE.contains(&name.as_str())), "{cut:?}: {differ:?}");
    let checks = |report: &Value| -> Vec<Value> {
        let all = report["checks"].as_array().unwrap().iter();
        all.filter(|check| !check["check"].as_str().unwrap().starts_with(COVERAGE_CHECKS)).cloned().collect()
    };
    assert_eq!(checks(&restored), checks(&empty), "{cut:?} of world {}", town.world.seed);
    let steps = |report: &Value| report["runbook"]["steps"].as_array().unwrap()[1..].to_vec();
    assert_eq!(steps(&restored), steps(&empty), "{cut:?} of world {}", town.world.seed);
    tally.cuts += 1;
    tally.felt += usize::from(parsed(&seen.at_the_cut)["state_root"] != empty["state_root"]);
    tally.same_as_from_empty += usize::from(seen.restored == town.from_empty);
    for name in differ {
        *tally.differ.entry(name).or_default() += 1;
    }
}

#[test]
fn what_is_restored_from_any_cut_and_replays_the_rest_is_what_was_never_away() {
    let (cuts, seed) = (asked("RELEDGER_CUTS", 10), asked("RELEDGER_CUTS_SEED", 1));
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS.min(cuts) {
            let tally = &tally;
            scope.spawn(move || {
                let mut town: Option<(usize, Town)> = None;
                for case in (worker..cuts).step_by(WORKERS) {
                    // A worker stays in its world; a short campaign has one for each.
                    let number = case / (CUTS_A_WORLD * WORKERS) * WORKERS + worker;
                    if town.as_ref().is_none_or(|(at, _)| *at != number) {
                        town = Some((number, Town::new((seed + number) as u64)));
                    }
                    let (_, town) = town.as_ref().unwrap();
                    // Each worker sees every sort; in a short campaign both together do.
                    let mut chance = Lcg((seed + case) as u64);
                    let cut = Cut::drawn(town, case / WORKERS + worker * SORTS / WORKERS, &mut chance);
                    let seen = town.cut(&cut, &format!("case-{case}"));
                    judge(town, &cut, &seen, &mut tally.lock().unwrap());
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    assert_eq!(tally.cuts, cuts);
    assert!(tally.felt > 0, "the cut was never felt");
    println!("cuts from world {seed} on: {tally:?}");
}
