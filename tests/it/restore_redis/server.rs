//! A server of our own: started, asked, killed, started again on the same files.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use redis::{Cmd, Connection, Value};
use tempfile::{TempDir, tempdir};

/// What a store holds, by key: the bytes of a `DUMP`.
pub(crate) type Held = BTreeMap<String, Vec<u8>>;

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    folder: PathBuf,
    /// Removed with the server.
    own: Option<TempDir>,
    more: Vec<String>,
    password: Option<String>,
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// True when there is a server to start; else says so, and fails where services are required.
pub(crate) fn is_here() -> bool {
    if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "who runs the tests says whether a service may be absent")]
    let required = std::env::var("RELEDGER_REQUIRE_SERVICES").is_ok_and(|text| text == "1");
    assert!(!required, "redis-server is not installed, and RELEDGER_REQUIRE_SERVICES=1 asks for it");
    // Past the test runner, which would swallow it.
    let _ = writeln!(std::io::stderr(), "SKIPPED: a test of `reledger restore`, because redis-server is not installed");
    false
}

fn launch(
    port: u16,
    folder: &Path,
    more: &[String],
    surroundings: &[(&str, String)],
) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
    command.arg("--dir").arg(folder).args(more);
    command.envs(surroundings.iter().map(|(name, value)| (name, value)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let told = BufReader::new(child.stdout.take().unwrap());
    (child, told)
}

/// Waits until it says that it listens; false when it ended instead.
fn listens(told: BufReader<ChildStdout>) -> bool {
    let mut lines = told.lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
    // Nobody reads its log any further, and a full pipe would stop it.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    ready
}

impl Server {
    /// Started with these settings; `None` where there is none to start.
    pub(crate) fn start(more: &[&str]) -> Option<Self> {
        if !is_here() {
            return None;
        }
        let folder = tempdir().unwrap();
        let mut started = Self::on(folder.path(), more, &[]).expect("redis-server does not start");
        started.own = Some(folder);
        Some(started)
    }

    /// Started on what stands in that folder; `None` when it ended before it listened.
    pub(crate) fn on(folder: &Path, more: &[&str], surroundings: &[(&str, String)]) -> Option<Self> {
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        for _ in 0..10 {
            // Between its choice and its use somebody else may take a port.
            let port = free_port();
            let (mut child, told) = launch(port, folder, &more, surroundings);
            if listens(told) {
                return Some(Self { child, port, folder: folder.to_owned(), own: None, more, password: None });
            }
            // Another port helps nobody who was killed.
            child.wait().unwrap().code()?;
        }
        None
    }

    /// False when it has ended.
    pub(crate) fn is_up(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// From now on our own questions name this password.
    pub(crate) fn with_password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connection(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        if let Some(password) = &self.password {
            redis::cmd("AUTH").arg(password).exec(&mut connection).unwrap();
        }
        connection
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        command(words).query(&mut self.connection()).unwrap()
    }

    /// The first key of that pattern, in order of names.
    pub(crate) fn first(&self, pattern: &str) -> String {
        let mut keys: Vec<String> = command(&["KEYS", pattern]).query(&mut self.connection()).unwrap();
        keys.sort();
        keys.into_iter().next().unwrap_or_else(|| panic!("no key is like {pattern}"))
    }

    /// Everything that it holds but what a restore keeps for itself.
    pub(crate) fn held(&self) -> Held {
        let mut connection = self.connection();
        let keys: Vec<String> = command(&["KEYS", "*"]).query(&mut connection).unwrap();
        let shown = keys.into_iter().filter(|key| !key.starts_with("oc:reledger:"));
        shown.map(|key| (key.clone(), dump(&mut connection, &key))).collect()
    }

    /// What a restore keeps for itself.
    pub(crate) fn own(&self) -> Vec<String> {
        let mut keys: Vec<String> = command(&["KEYS", "oc:reledger:*"]).query(&mut self.connection()).unwrap();
        keys.sort();
        keys
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Started again on the files that it left.
    pub(crate) fn again(&mut self) {
        for _ in 0..50 {
            let (child, told) = launch(self.port, &self.folder, &self.more, &[]);
            self.child = child;
            if listens(told) {
                return;
            }
            self.child.wait().unwrap();
        }
        panic!("redis-server does not start again");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(words: &[&str]) -> Cmd {
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(*word);
    });
    command
}

/// Strings by their bytes, sorted sets by their members: how a set is packed depends on how it grew.
fn dump(connection: &mut Connection, key: &str) -> Vec<u8> {
    let kind: String = redis::cmd("TYPE").arg(key).query(connection).unwrap();
    if kind == "zset" {
        let members: Vec<String> = command(&["ZRANGE", key, "0", "-1", "WITHSCORES"]).query(connection).unwrap();
        return members.join("\n").into_bytes();
    }
    redis::cmd("DUMP").arg(key).query(connection).unwrap()
}
