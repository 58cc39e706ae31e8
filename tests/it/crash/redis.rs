//! A load into Redis is struck at every write to its socket, and at every call by which its server changes its disk: the store
//! holds the old state or the new one, and the next load comes to the new one.

use std::fs;
use std::path::PathBuf;

use tempfile::{TempDir, tempdir};

use super::matrix::is_all;
use super::shim::{Mode, Strike, is_here, is_killed, shimmed, surroundings};
use crate::restore_redis::cut::{load_at, options, plan};
use crate::restore_redis::runs::{large, small};
use crate::restore_redis::server::{self, Held, Server};
use crate::support::{arg, code, copy_folder, shown};

/// Every write is on the disk before it is answered.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
/// More calls than a load makes of either kind.
const CALLS_MAX: usize = 400;

/// What a store holds of the small run and of the large one, and a server's folder in the old state.
struct Stage {
    folder: TempDir,
    states: [Held; 2],
}

impl Stage {
    fn new() -> Option<Self> {
        if !is_here() || !server::is_here() {
            return None;
        }
        let folder = tempdir().unwrap();
        let template = folder.path().join("old");
        fs::create_dir(&template).unwrap();
        let mut server = Server::on(&template, &DURABLE, &[]).unwrap();
        let [old, new] = [options(small()), options(large())];
        load_at(server.port, &plan(&new)).unwrap();
        let after = server.held();
        load_at(server.port, &plan(&old)).unwrap();
        let before = server.held();
        server.kill();
        Some(Self { folder, states: [before, after] })
    }

    /// A folder in the old state.
    fn copy(&self, name: &str) -> PathBuf {
        let place = self.folder.path().join(name);
        copy_folder(&self.folder.path().join("old"), &place);
        place
    }

    /// Old or new, whole; and then new, by another load.
    fn settles(&self, server: &Server, what: &str) {
        let held = server.held();
        assert!(self.states.contains(&held), "{what}: {} keys, a mixture", held.len());
        let options = options(large());
        load_at(server.port, &plan(&options)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(server.held() == self.states[1], "{what}: the next load does not come to the new state");
        assert_eq!(server.own(), ["oc:reledger:names"], "{what}: something is left behind");
    }
}

/// Kills before the first call, the second and so on, until one is not reached any more; where all cases are asked for, kills
/// after each as well, and in the middle of each. How many were struck.
fn each(strike: &dyn Fn(usize, Mode) -> bool) -> usize {
    let reached = (1..CALLS_MAX).take_while(|number| strike(*number, Mode::Kill)).count();
    assert!(reached > 3 && reached < CALLS_MAX - 1, "{reached} calls");
    let more: &[Mode] = if is_all() { &[Mode::After, Mode::Torn] } else { &[] };
    let others = more.iter().flat_map(|mode| (1..=reached).map(move |number| (number, *mode)));
    reached + others.filter(|(number, mode)| strike(*number, *mode)).count()
}

#[test]
fn a_load_that_is_killed_at_any_write_to_its_socket_leaves_the_old_state_or_the_new_one() {
    let Some(stage) = Stage::new() else { return };
    let place = stage.copy("sockets");
    let server = Server::on(&place, &DURABLE, &[]).unwrap();
    let old = options(small());
    let old = plan(&old);
    let root = large().canonicalize().unwrap();
    let struck = each(&|number, mode| {
        let strike = Strike { root: &root, trace: None, at: Some((number, mode)), sockets: true, lacks: None };
        let words = ["restore", &server.url(), "--run", arg(large()), "--progress", "none"];
        let output = shimmed(&strike, &words.map(str::to_owned)).output().unwrap();
        let what = format!("{} at write {number}", mode.name());
        assert!(is_killed(&output) || code(&output) == 0, "{what}: {}", shown(&output));
        stage.settles(&server, &what);
        load_at(server.port, &old).unwrap();
        is_killed(&output)
    });
    println!("crash matrix, restore into Redis: {struck} writes to the socket struck, 0 wrong");
}

#[test]
fn a_server_that_is_struck_at_any_call_to_its_disk_comes_back_with_the_old_state_or_the_new_one() {
    let Some(stage) = Stage::new() else { return };
    let new = options(large());
    let new = plan(&new);
    let struck = each(&|number, mode| {
        let what = format!("{} at call {number} of the server", mode.name());
        let place = stage.copy(&format!("{}-{number}", mode.name())).canonicalize().unwrap();
        let strike = Strike { root: &place, trace: None, at: Some((number, mode)), sockets: false, lacks: None };
        // It may be struck before it listens.
        let mut reached = true;
        if let Some(mut server) = Server::on(&place, &DURABLE, &surroundings(&strike)) {
            let done = load_at(server.port, &new);
            reached = done.is_err() || !server.is_up();
            server.kill();
        }
        let server = Server::on(&place, &DURABLE, &[]).unwrap_or_else(|| panic!("{what}: it does not start again"));
        stage.settles(&server, &what);
        drop(server);
        fs::remove_dir_all(&place).unwrap();
        reached
    });
    println!("crash matrix, the server of a restore: {struck} calls struck, 0 wrong");
}
