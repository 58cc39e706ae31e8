//! The server, the client, or what is between them ends in the middle: the store holds the old state or the new one, and the
//! next load goes on. `RELEDGER_REDIS_KILLS=n` sets how many moments of each are tried.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use reledger::app::{Cancel, IntoOptions, IntoPlan, RestoreSection, Silent, plan_restore};
use reledger::target::{Access, Link, Loaded, TargetError, Watch, compare, load};

use super::runs::{compared, large, restored, small};
use super::server::{Held, Server};
use crate::support::{arg, reledger};

fn moments() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_REDIS_KILLS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

pub(crate) fn options(run: &Path) -> IntoOptions {
    IntoOptions {
        address: "redis://127.0.0.1".parse().unwrap(),
        password: None,
        authority: None,
        layout: RestoreSection::default().layout().unwrap(),
        run: run.to_owned(),
        compare_only: false,
        yes: false,
        offline: false,
        jobs: 1,
    }
}

/// What a restore of that run would load.
pub(crate) fn plan(options: &IntoOptions) -> IntoPlan<'_> {
    plan_restore(options, &Silent, &Cancel::default()).unwrap()
}

const QUIET: Watch<'static> = Watch { stop: &|| false, stage: &|_, _| {}, done: &|_| {} };

pub(crate) fn load_at(port: u16, plan: &IntoPlan<'_>) -> Result<Loaded, TargetError> {
    let address = format!("redis://127.0.0.1:{port}").parse().unwrap();
    load(&mut Link::open(&address, &Access::default())?, &plan.content(), &QUIET)
}

/// Between a client and a server: after so many bytes of either side, `then` is called, and the connection ends unless it says
/// that it may go on. Returns how many bytes passed from the client and from the server.
fn between<T>(
    server: u16,
    (from_client, from_server): (u64, u64),
    then: &(dyn Fn() -> bool + Sync),
    client: impl FnOnce(u16) -> T,
) -> (T, [u64; 2]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let passed = [AtomicU64::new(0), AtomicU64::new(0)];
    let pass = |mut from: TcpStream, mut to: TcpStream, limit: u64, passed: &AtomicU64| {
        let (mut piece, mut open) = (vec![0; 64 << 10], false);
        while let Ok(size) = from.read(&mut piece) {
            let before = passed.load(Ordering::SeqCst);
            let room = if open { size } else { size.min(usize::try_from(limit - before).unwrap_or(usize::MAX)) };
            if size == 0 || to.write_all(&piece[..room]).is_err() {
                break;
            }
            passed.fetch_add(room as u64, Ordering::SeqCst);
            if !open && before + room as u64 >= limit {
                if !then() {
                    break;
                }
                open = true;
                let _ = to.write_all(&piece[room..size]);
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    };
    let (take, counts, gate) = (&pass, &passed, &listener);
    let done = std::thread::scope(|scope| {
        scope.spawn(move || {
            let Ok((client, _)) = gate.accept() else { return };
            let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { return };
            let (back, forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            scope.spawn(move || take(forth, back, from_server, &counts[1]));
            take(client, upstream, from_client, &counts[0]);
        });
        let done = client(port);
        // Nobody may have come.
        drop(TcpStream::connect(("127.0.0.1", port)));
        done
    });
    (done, passed.map(AtomicU64::into_inner))
}

/// A server in the old state, what that is, what the new one is, and how many bytes the way from one to the other takes.
struct Stage<'o> {
    server: Server,
    new: IntoPlan<'o>,
    old: IntoPlan<'o>,
    states: [Held; 2],
    bytes: [u64; 2],
}

impl<'o> Stage<'o> {
    fn new(options: &'o [IntoOptions; 2], more: &[&str]) -> Option<Self> {
        let server = Server::start(more)?;
        let [old, new] = [plan(&options[0]), plan(&options[1])];
        load_at(server.port, &old).unwrap();
        let before = server.held();
        let (done, bytes) = between(server.port, (u64::MAX, u64::MAX), &|| true, |port| load_at(port, &new));
        done.unwrap();
        let states = [before, server.held()];
        load_at(server.port, &old).unwrap();
        assert_eq!(server.held(), states[0]);
        Some(Self { server, new, old, states, bytes })
    }

    /// Where in a load of these bytes something ends: spread over all of it, and at its last bytes, where the switch is.
    fn places(&self, side: usize) -> Vec<u64> {
        let (all, count) = (self.bytes[side], moments());
        let spread = (1..=count).map(|number| all * number / (count + 1));
        spread.chain([all - 1, all]).collect()
    }

    /// What stands there is one of the two, whole; then the load is gone on with, and then all is put back.
    fn settle(&self, what: &str) -> Loaded {
        let held = self.server.held();
        assert!(self.states.contains(&held), "{what}: {} keys, a mixture", held.len());
        let done = load_at(self.server.port, &self.new).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(self.server.held(), self.states[1], "{what}");
        assert_eq!(self.server.own(), ["oc:reledger:names"], "{what}: nothing is left behind");
        load_at(self.server.port, &self.old).unwrap();
        done
    }
}

#[test]
fn a_server_killed_at_any_moment_comes_back_with_the_old_state_or_the_new_one() {
    let options = [options(small()), options(large())];
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(stage) = Stage::new(&options, &durable) else { return };
    let (places, port) = ([stage.places(0), stage.places(1)], stage.server.port);
    let (cell, plan) = (Mutex::new(stage), plan_restore(&options[1], &Silent, &Cancel::default()).unwrap());
    for (side, places) in places.iter().enumerate() {
        for place in places {
            let limits = if side == 0 { (*place, u64::MAX) } else { (u64::MAX, *place) };
            let kill = || {
                cell.lock().unwrap().server.kill();
                false
            };
            let _ = between(port, limits, &kill, |port| load_at(port, &plan));
            let mut stage = cell.lock().unwrap();
            stage.server.again();
            stage.settle(&format!("byte {place} of side {side}"));
        }
    }
}

#[test]
fn a_connection_cut_at_any_byte_leaves_the_old_state_or_the_new_one_and_the_next_load_goes_on() {
    let options = [options(small()), options(large())];
    let Some(stage) = Stage::new(&options, &[]) else { return };
    let mut resumed = 0;
    for side in [0, 1] {
        for place in stage.places(side) {
            let limits = if side == 0 { (place, u64::MAX) } else { (u64::MAX, place) };
            let _ = between(stage.server.port, limits, &|| false, |port| load_at(port, &stage.new));
            let done = stage.settle(&format!("byte {place} of side {side}"));
            resumed += u64::from(done.resumed > 0);
        }
    }
    assert!(resumed > 0, "a load that came to its second batch is gone on with");
}

#[test]
fn a_load_that_is_stopped_goes_on_where_it_was_and_one_of_another_state_forgets_it() {
    let options = [options(small()), options(large())];
    let Some(stage) = Stage::new(&options, &[]) else { return };
    let port = stage.server.port;
    let stop = || {
        let address = format!("redis://127.0.0.1:{port}").parse().unwrap();
        let mut link = Link::open(&address, &Access::default()).unwrap();
        let watch = Watch { stop: &|| true, stage: &|_, _| {}, done: &|_| {} };
        assert_eq!(load(&mut link, &stage.new.content(), &watch), Err(TargetError::Stopped));
        assert_eq!(stage.server.held().len(), stage.states[0].len());
        assert!(stage.server.own().len() > 1_000, "a staging is there");
    };
    stop();
    // What compares sees the live state, and no staging.
    let address = format!("redis://127.0.0.1:{port}").parse().unwrap();
    let mut link = Link::open(&address, &Access::default()).unwrap();
    assert_eq!(compare(&mut link, &stage.old.content(), &QUIET).unwrap().differences, []);
    let done = stage.settle("stopped");
    assert!(done.resumed > 1_000 && done.resumed < done.units, "{done:?}");
    stop();
    load_at(port, &stage.old).unwrap();
    assert_eq!(
        (stage.server.held(), stage.server.own()),
        (stage.states[0].clone(), vec!["oc:reledger:names".to_owned()])
    );
}

#[test]
fn a_command_that_is_killed_or_interrupted_leaves_the_old_state_and_the_next_one_goes_on() {
    let options = [options(small()), options(large())];
    let Some(Stage { server, states: [old, _], bytes: [all, _], .. }) = Stage::new(&options, &[]) else { return };
    // In the second batch: the switch is shorter than that, and the batch longer.
    let limit = all - 6_000;
    for interrupted in [false, true] {
        let child = Mutex::new(None::<std::process::Child>);
        let then = || {
            let mut child = child.lock().unwrap();
            let child = child.as_mut().unwrap();
            if !interrupted {
                child.kill().unwrap();
                return false;
            }
            let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
            let told = BufReader::new(child.stderr.take().unwrap());
            told.lines().map_while(Result::ok).any(|line| line.contains("stopping at the next batch"))
        };
        let ((), _) = between(server.port, (limit, u64::MAX), &then, |port| {
            let url = format!("redis://127.0.0.1:{port}");
            let mut command = reledger();
            command.args(["restore", &url, "--run", arg(large()), "--progress", "none"]);
            let mut held = child.lock().unwrap();
            *held = Some(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
            drop(held);
            // Asked again and again, since whoever kills it needs it too.
            let status = loop {
                if let Some(status) = child.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
                    break status;
                }
                std::thread::yield_now();
            };
            assert_eq!(status.code(), interrupted.then_some(130));
        });
        assert_eq!(server.held(), old);
        let done = restored(&server.url(), large());
        assert!(done["loaded"]["resumed"].as_u64().unwrap() > 0, "{done:#}");
        assert_eq!(compared(&server.url(), large()), (0, Vec::new()));
        restored(&server.url(), small());
    }
}
