//! The way to the server, or the server itself, ends in the middle: a run goes on by itself, or is resumed, and the report is
//! the same. `RELEDGER_WORKER_CUTS=n` sets at how many bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tempfile::tempdir;

use super::runs::{command, reference, reported, world};
use super::server::{Server, client, common_port, own_schema, url};
use crate::support::{code, shown};

fn cuts() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the campaign's size is the caller's")]
    let asked = std::env::var("RELEDGER_WORKER_CUTS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// What happens to a connection when its moment has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Cut,
    GoOn,
}

/// When it has come.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// Never.
    Never,
    /// After so many bytes of clients, of all connections together.
    Asked(u64),
    /// After so many bytes of the server.
    Answered(u64),
    /// When the server says this.
    Said(&'static [u8]),
}

/// Between clients and a server: when its moment has come, something happens, once.
pub(crate) struct Between<'t> {
    server: u16,
    when: When,
    then: &'t (dyn Fn() -> Then + Sync),
    passed: [AtomicU64; 2],
    done: AtomicBool,
    over: AtomicBool,
}

impl<'t> Between<'t> {
    pub(crate) fn new(server: u16, when: When, then: &'t (dyn Fn() -> Then + Sync)) -> Self {
        let (done, over) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { server, when, then, passed: [AtomicU64::new(0), AtomicU64::new(0)], done, over }
    }

    /// Runs clients against the port that stands for the server's. Returns how many bytes passed from each side.
    pub(crate) fn run(&self, clients: impl FnOnce(u16)) -> [u64; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let gate = &listener;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while let Ok((client, _)) = gate.accept() {
                    if self.over.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(upstream) = TcpStream::connect(("127.0.0.1", self.server)) else { continue };
                    // Whoever waits for an answer after each question would wait for two timers too.
                    client.set_nodelay(true).and_then(|()| upstream.set_nodelay(true)).unwrap();
                    let (back, forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                    scope.spawn(move || self.pass(forth, back, 1));
                    scope.spawn(move || self.pass(client, upstream, 0));
                }
            });
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| clients(port)));
            self.over.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(("127.0.0.1", port)));
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic);
            }
        });
        [&self.passed[0], &self.passed[1]].map(|passed| passed.load(Ordering::SeqCst))
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, side: usize) {
        let mut piece = vec![0; 4 << 10];
        while let Ok(size) = from.read(&mut piece) {
            let before = self.passed[side].fetch_add(size as u64, Ordering::SeqCst);
            let limit = match (self.when, side) {
                (When::Asked(limit), 0) | (When::Answered(limit), 1) => limit,
                (When::Said(word), 1) if piece[..size].windows(word.len()).any(|it| it == word) => before,
                _ => u64::MAX,
            };
            let first = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX).min(size);
            if size == 0 || to.write_all(&piece[..first]).is_err() {
                break;
            }
            let is_here = before + size as u64 >= limit && limit != u64::MAX && !self.done.swap(true, Ordering::SeqCst);
            if is_here && (self.then)() == Then::Cut {
                break;
            }
            if to.write_all(&piece[first..size]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// How many bytes a drill's clients send, so that cuts can be spread over them.
fn measured(server: u16) -> [u64; 2] {
    let folder = tempdir().unwrap();
    let store = own_schema().unwrap();
    let (_, schema) = store.split_once("schema=").unwrap();
    let never = || Then::GoOn;
    Between::new(server, When::Never, &never).run(|port| {
        let run = folder.path().join("run");
        let output = command("drill", world(), &url(port, schema), &run).output().unwrap();
        assert!(reported(&run) == reference(), "{}", shown(&output));
    })
}

#[test]
fn a_connection_cut_at_any_byte_is_made_again_and_the_report_is_the_same() {
    let Some(server) = common_port() else { return };
    let bytes = measured(server);
    for side in [0, 1] {
        for number in 1..=cuts() {
            // The last bytes are those of goodbyes.
            let limit = bytes[side] * number / (cuts() + 1);
            let when = if side == 0 { When::Asked(limit) } else { When::Answered(limit) };
            let (folder, store) = (tempdir().unwrap(), own_schema().unwrap());
            let (_, schema) = store.split_once("schema=").unwrap();
            let cut = AtomicBool::new(false);
            let then = || {
                cut.store(true, Ordering::SeqCst);
                Then::Cut
            };
            Between::new(server, when, &then).run(|port| {
                let run = folder.path().join("run");
                let output = command("drill", world(), &url(port, schema), &run).output().unwrap();
                assert!(reported(&run) == reference(), "byte {limit} of side {side}: {}", shown(&output));
            });
            assert!(cut.into_inner());
            let twice = format!("SELECT count(*) - count(DISTINCT (run, number)) FROM {schema}.evidence");
            assert_eq!(client(server).query_one(&twice, &[]).unwrap().get::<_, i64>(0), 0);
        }
    }
}

#[test]
fn a_server_restarted_between_and_during_runs_changes_no_byte_of_the_report() {
    let Some(server) = Server::start() else { return };
    let (port, server) = (server.port, Mutex::new(server));
    let folder = tempdir().unwrap();
    // During: in the middle of what a drill sends, as if the power went.
    let bytes = measured(common_port().unwrap())[0];
    let restart = || {
        let mut server = server.lock().unwrap();
        server.kill();
        server.again();
        Then::Cut
    };
    let during = folder.path().join("during");
    Between::new(port, When::Asked(bytes / 3), &restart).run(|port| {
        let output = command("drill", world(), &url(port, "during"), &during).output().unwrap();
        assert!(during.join("report.json").exists(), "{}", shown(&output));
    });
    assert!(reported(&during) == reference());
    // Between: captured, restarted, judged.
    let (store, between) = (url(port, "between"), folder.path().join("between"));
    super::runs::captured(world(), &store, &between);
    server.lock().unwrap().kill();
    let output = command("rebuild", world(), &store, &between).output().unwrap();
    assert_eq!(code(&output), 8, "nobody is there: {}", shown(&output));
    assert!(!between.join("report.json").exists());
    server.lock().unwrap().again();
    command("rebuild", world(), &store, &between).output().unwrap();
    assert!(reported(&between) == reference());
}
