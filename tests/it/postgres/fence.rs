//! A slice has one answer: from whoever holds it. A worker that dies costs time, and one that comes too late changes nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use reledger::domain::Digest32;
use reledger::store::{Engine, Queue, Slice, Work};
use tempfile::{TempDir, tempdir};

use super::cut::{Between, Then, When};
use super::runs::{Gate, captured, command, reference, reported, worker, world};
use super::server::{common_port, own_schema, url};
use crate::support::{code, parsed, shown};

fn queue(store: &str) -> Queue {
    let Engine::Postgres(address) = Engine::from_url(store).unwrap() else { panic!("a shared store") };
    Queue::open(&address, "worker").unwrap()
}

fn slice(number: u32) -> Slice {
    Slice { number, items: 2, root: Digest32([7; 32]) }
}

fn work(number: i64) -> Work {
    Work { run: 5, work: number, tool: "1".to_owned(), build: "b".to_owned(), keys: b"keys".to_vec() }
}

#[test]
fn a_result_is_taken_from_the_attempt_that_holds_the_lease_and_from_no_other() {
    let Some(store) = own_schema() else { return };
    let (mut early, mut late) = (queue(&store), queue(&store));
    let mut gate = Gate::for_workers_only(common_port().unwrap(), &store);
    early.offer(&work(1), &[slice(0), slice(1)]).unwrap();
    assert_eq!(late.works().unwrap(), [work(1)]);
    let first = early.lease(&work(1)).unwrap().unwrap();
    let second = late.lease(&work(1)).unwrap().unwrap();
    assert_eq!((first.slice, second.slice, first.attempt), (0, 1, 1));
    assert_eq!(queue(&store).lease(&work(1)).unwrap(), None, "both are held");

    assert_eq!(gate.expire(), 2);
    let again = late.lease(&work(1)).unwrap().unwrap();
    assert_eq!((again.slice, again.attempt), (0, 2));
    assert!(!early.finish(&first, b"late").unwrap(), "its slice is somebody else's");
    assert_eq!(late.result(&work(1), 0).unwrap(), None);
    assert!(late.finish(&again, b"good").unwrap());
    assert!(!early.finish(&first, b"late").unwrap(), "done is done");
    assert!(late.finish(&again, b"good").unwrap(), "said twice, as over a broken connection, it is one");
    assert!(!late.finish(&again, b"other").unwrap(), "and nothing else is taken after it");
    assert_eq!(late.result(&work(1), 0).unwrap(), Some((b"good".to_vec(), 2)));

    // Over its time and not taken by anybody: the work counts.
    assert!(late.finish(&second, b"slow").unwrap());
    assert_eq!(late.open_slices(&work(1)).unwrap(), 0);
    late.close(&work(1)).unwrap();
    assert_eq!(early.works().unwrap(), []);
}

#[test]
fn a_slice_that_is_given_back_is_taken_at_once_and_other_work_of_the_run_is_forgotten() {
    let Some(store) = own_schema() else { return };
    let (mut queue, mut other) = (queue(&store), queue(&store));
    queue.offer(&work(1), &[slice(0)]).unwrap();
    let lease = queue.lease(&work(1)).unwrap().unwrap();
    queue.give_back(&lease).unwrap();
    let again = queue.lease(&work(1)).unwrap().unwrap();
    assert_eq!(again.attempt, 2);
    queue.give_back(&lease).unwrap();
    assert_eq!(other.lease(&work(1)).unwrap(), None, "what is not held can't be given back");
    // What stands of equal work stays; of other work nothing does.
    assert!(queue.finish(&again, b"good").unwrap());
    queue.offer(&work(1), &[slice(0)]).unwrap();
    assert_eq!(queue.open_slices(&work(1)).unwrap(), 0);
    queue.offer(&work(2), &[slice(0), slice(1)]).unwrap();
    assert_eq!(queue.result(&work(1), 0).unwrap(), None);
    assert!(!queue.finish(&again, b"good").unwrap());
    assert_eq!(queue.open_slices(&work(2)).unwrap(), 2);
}

/// Judges what was captured, and says nothing.
fn coordinating(store: &str, run: &Path) -> Child {
    let mut command = command("rebuild", world(), store, run);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A run whose work is on offer, for workers only.
struct Offered {
    _folder: TempDir,
    run: PathBuf,
    port: u16,
    schema: String,
    gate: Gate,
    coordinator: Child,
}

impl Offered {
    /// `None` where there is no server.
    fn begin() -> Option<Self> {
        let (port, folder) = (common_port()?, tempdir().unwrap());
        let (store, run) = (own_schema()?, folder.path().join("run"));
        captured(world(), &store, &run);
        let mut gate = Gate::for_workers_only(port, &store);
        let (_, schema) = store.split_once("schema=").unwrap();
        let coordinator = coordinating(&store, &run);
        gate.wait_for_work();
        Some(Self { _folder: folder, run, port, schema: schema.to_owned(), gate, coordinator })
    }

    fn worker(&self, port: u16, more: &[&str]) -> Child {
        worker(&url(port, &self.schema), more)
    }

    /// Lets everybody work, to the end: divergent, as its world is, and the report of any other store.
    fn finish(&mut self) {
        self.gate.lift();
        assert_eq!(self.coordinator.wait().unwrap().code(), Some(1));
        assert!(reported(&self.run) == reference());
    }
}

/// Holds a worker's connection in the middle of a slice.
struct Pause {
    reached: Mutex<Sender<()>>,
    may_go: Mutex<Receiver<()>>,
}

impl Pause {
    /// With what tells that it holds one, and what it holds on to until that is dropped.
    fn new() -> (Self, Receiver<()>, Sender<()>) {
        let (reached, is_reached) = channel();
        let (go, may_go) = channel();
        (Self { reached: Mutex::new(reached), may_go: Mutex::new(may_go) }, is_reached, go)
    }

    fn hold(&self) -> Then {
        self.reached.lock().unwrap().send(()).unwrap();
        let _ = self.may_go.lock().unwrap().recv();
        Then::GoOn
    }
}

/// The server says this where the bytes of a slice begin, and nowhere else: what compressed bytes start with (RFC 8878, 3.1.1).
const MIDDLE: When = When::Said(&[0x28, 0xb5, 0x2f, 0xfd]);

#[test]
fn a_worker_that_is_killed_in_the_middle_of_a_slice_costs_a_second_attempt() {
    let Some(mut offered) = Offered::begin() else { return };
    let child = Mutex::new(None::<Child>);
    let (killed, is_killed) = channel();
    let kill = || {
        child.lock().unwrap().as_mut().unwrap().kill().unwrap();
        killed.send(()).unwrap();
        Then::Cut
    };
    Between::new(offered.port, MIDDLE, &kill).run(|port| {
        let mut held = child.lock().unwrap();
        *held = Some(offered.worker(port, &[]));
        drop(held);
        is_killed.recv().unwrap();
        assert_eq!(child.lock().unwrap().as_mut().unwrap().wait().unwrap().code(), None);
    });
    assert_eq!(offered.gate.expire(), 1, "it held one slice");
    offered.finish();
    let mut gate = offered.gate;
    assert_eq!(gate.number("SELECT max(attempt) FROM S.slice"), 2);
    assert_eq!(gate.number("SELECT count(*) FROM S.slice WHERE attempt > 1"), 1);
    assert_eq!(gate.number("SELECT count(*) FROM S.slice WHERE result IS NULL"), 0);
}

#[test]
fn a_worker_whose_lease_expires_while_it_lives_is_refused_and_the_report_is_the_same() {
    const RESULTS: &str = "SELECT sum(hashtext(encode(result, 'hex')))::bigint FROM S.slice";
    let Some(mut offered) = Offered::begin() else { return };
    // It hears nothing more until the run is over.
    let (pause, is_reached, go) = Pause::new();
    Between::new(offered.port, MIDDLE, &|| pause.hold()).run(|port| {
        let late = offered.worker(port, &["--once", "--json"]);
        is_reached.recv().unwrap();
        assert_eq!(offered.gate.expire(), 1, "it holds one slice");
        offered.finish();
        let before = offered.gate.number(RESULTS);
        drop(go);
        let output = late.wait_with_output().unwrap();
        assert_eq!(code(&output), 0, "{}", shown(&output));
        assert_eq!(
            (parsed(&output.stdout)["late"].as_u64(), parsed(&output.stdout)["slices"].as_u64()),
            (Some(1), Some(0))
        );
        assert_eq!(offered.gate.number(RESULTS), before);
    });
    assert!(reported(&offered.run) == reference());
    assert_eq!(offered.gate.number("SELECT max(attempt) FROM S.slice"), 2);
}

#[test]
fn a_worker_that_is_told_to_stop_gives_its_slice_back() {
    let Some(mut offered) = Offered::begin() else { return };
    let (pause, is_reached, go) = Pause::new();
    Between::new(offered.port, MIDDLE, &|| pause.hold()).run(|port| {
        let mut child = offered.worker(port, &[]);
        is_reached.recv().unwrap();
        let told = child.stderr.take().unwrap();
        let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(told)).map_while(Result::ok);
        assert!(lines.any(|line| line.contains("stopping at the next batch")));
        drop(go);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    });
    let given_back = "SELECT count(*) FROM S.slice WHERE attempt = 1 AND expires IS NULL AND result IS NULL";
    assert_eq!(offered.gate.number(given_back), 1);
    offered.finish();
}

#[test]
fn a_worker_of_another_version_is_refused_by_name() {
    let Some(port) = common_port() else { return };
    let store = own_schema().unwrap();
    let mut queue = queue(&store);
    let mut gate = Gate::for_workers_only(port, &store);
    let other = Work { tool: "9.9.9".to_owned(), build: "0123456789abcdef".to_owned(), ..work(1) };
    queue.offer(&other, &[slice(0)]).unwrap();
    let output = worker(&store, &["--once"]).wait_with_output().unwrap();
    assert_eq!(code(&output), 2, "{}", shown(&output));
    let own =
        format!("worker {} (unnamed build) can't work for a run of 9.9.9 (0123456789ab)", env!("CARGO_PKG_VERSION"));
    assert!(shown(&output).contains(&own), "{}", shown(&output));
    assert_eq!(gate.number("SELECT max(attempt) FROM S.slice"), 0, "nothing was taken");
    // The near miss: the same version and build find nothing to do here, and that is no mistake.
    queue.close(&other).unwrap();
    assert_eq!(code(&worker(&store, &["--once"]).wait_with_output().unwrap()), 0);
}
