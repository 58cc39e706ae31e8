//! Servers of our own: one that all tests share, each with a schema of its own, and others to be killed and started again.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ::postgres::{Client, NoTls};
use tempfile::{TempDir, tempdir};

/// What every cluster starts from: made once, since that takes a second.
struct Template {
    folder: PathBuf,
    bin: PathBuf,
}

/// The server that is not killed.
struct Common {
    template: Template,
    port: u16,
}

static COMMON: LazyLock<Option<Common>> = LazyLock::new(common);

/// Who runs a server: it refuses to be run by root.
fn runner() -> Option<(u32, u32)> {
    let id = |args: &[&str]| {
        let told = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(told.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    let of = |name: &str| Some((id(&["-u", name])?, id(&["-g", name])?));
    of("postgres").or_else(|| of("nobody"))
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = runner() {
        command.gid(group).uid(user);
    }
    command
}

/// The folder of the server's programs: the newest one's.
fn bin() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    found.sort_by_key(|path| path.parent().and_then(|it| it.file_name()?.to_str()?.parse::<u32>().ok()));
    if let Ok(told) = Command::new("pg_config").arg("--bindir").output() {
        found.insert(0, PathBuf::from(String::from_utf8_lossy(&told.stdout).trim()));
    }
    found.into_iter().rfind(|path| path.join("initdb").exists() && path.join("postgres").exists())
}

/// A folder for a server's files. Another user may not come through to where ours are.
fn place() -> TempDir {
    if runner().is_some() { tempfile::tempdir_in("/tmp") } else { tempdir() }.unwrap()
}

fn own(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    if let Some((user, group)) = runner() {
        chown(folder, Some(user), Some(group)).unwrap();
    }
}

/// Starts the common server, where there is one to start; else says so, and fails where services are required.
fn common() -> Option<Common> {
    let Some(bin) = bin() else {
        #[expect(clippy::disallowed_methods, reason = "who runs the tests says whether a service may be absent")]
        let required = std::env::var("RELEDGER_REQUIRE_SERVICES").is_ok_and(|text| text == "1");
        assert!(!required, "postgresql is not installed, and RELEDGER_REQUIRE_SERVICES=1 asks for it");
        // Past the test runner, which would swallow it.
        let _ = writeln!(std::io::stderr(), "SKIPPED: tests of the shared store, because postgresql is not installed");
        return None;
    };
    // Kept until this process has ended: nothing static is ever dropped.
    let base = place().keep();
    fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
    let template = Template { folder: base.join("template"), bin };
    own(&template.folder);
    let made = command(&template.bin.join("initdb"))
        .args(["--username=reledger", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(&template.folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (child, port) = launch_somewhere(&template, &base.join("common"), &["-c", "fsync=off"]);
    janitor(child.id(), &base);
    Some(Common { template, port })
}

/// Stops the server and removes its files when this process ends, however it does.
#[expect(clippy::zombie_processes, reason = "it outlives this process: that is what it is for")]
fn janitor(server: u32, base: &Path) {
    let script = "cat >/dev/null; kill -INT $1; while kill -0 $1 2>/dev/null; do sleep 0.05; done; rm -rf \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", &server.to_string()]).arg(base);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The pipe ends with the process that holds it.
    std::mem::forget(child.stdin.take());
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn launch(bin: &Path, folder: &Path, port: u16, more: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut command = command(&bin.join("postgres"));
    command.arg("-D").arg(folder).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100", "autovacuum=off"] {
        command.args(["-c", setting]);
    }
    let mut child = command.args(more).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    (child, told)
}

/// Waits until it says that it listens; false when it ended instead.
fn listens(told: BufReader<ChildStderr>) -> bool {
    let mut lines = told.lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept connections"));
    // Nobody reads its log any further, and a full pipe would stop it.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    ready
}

fn launch_somewhere(template: &Template, folder: &Path, more: &[&str]) -> (Child, u16) {
    let copied = Command::new("cp").arg("-a").args([&template.folder, folder]).status().unwrap();
    assert!(copied.success());
    for _ in 0..10 {
        // Between its choice and its use somebody else may take a port.
        let port = free_port();
        let (mut child, told) = launch(&template.bin, folder, port, more);
        if listens(told) {
            return (child, port);
        }
        child.wait().unwrap();
    }
    panic!("postgres does not start");
}

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// The address of a schema of its own on the common server; `None` where there is no server.
pub(crate) fn own_schema() -> Option<String> {
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    COMMON.as_ref().map(|common| url(common.port, &format!("own_{number}")))
}

/// The port of the common server.
pub(crate) fn common_port() -> Option<u16> {
    COMMON.as_ref().map(|common| common.port)
}

/// The address of a schema on the server at that port of this machine.
pub(crate) fn url(port: u16, schema: &str) -> String {
    format!("postgres://reledger@127.0.0.1:{port}/postgres?schema={schema}")
}

/// A connection past our own code.
pub(crate) fn client(port: u16) -> Client {
    Client::connect(&format!("host=127.0.0.1 port={port} user=reledger dbname=postgres"), NoTls).unwrap()
}

/// A server for one test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    folder: TempDir,
    bin: PathBuf,
}

impl Server {
    /// Started, durable; `None` where there is none to start.
    pub(crate) fn start() -> Option<Self> {
        let template = &COMMON.as_ref()?.template;
        let folder = place();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (child, port) = launch_somewhere(template, &folder.path().join("data"), &[]);
        Some(Self { child, port, folder, bin: template.bin.clone() })
    }

    /// The first of its processes.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGQUIT: at once, as if the power went.
    pub(crate) fn kill(&mut self) {
        let sent = Command::new("kill").args(["-QUIT", &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap();
    }

    /// Started again on the files that it left.
    pub(crate) fn again(&mut self) {
        for _ in 0..50 {
            let (child, told) = launch(&self.bin, &self.folder.path().join("data"), self.port, &[]);
            self.child = child;
            if listens(told) {
                return;
            }
            self.child.wait().unwrap();
        }
        panic!("postgres does not start again");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its processes end with it; a SIGKILL would leave them to find out.
        let _ = Command::new("kill").args(["-QUIT", &self.pid().to_string()]).status();
        let _ = self.child.wait();
    }
}
