//! Relays that are programs of their own: found by name, run in a temporary folder, ended with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{CAP, Peer};

/// Tries before a relay that does not listen is given up, a tenth of a second each.
const TRIES: u32 = 300;

/// A process with its folder; both go with this.
struct Running {
    process: Child,
    _folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whether it was still there does not matter any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `nostr-rs-relay`: has no cap of its own on a page.
pub async fn nostr_rs_relay() -> Result<Option<Peer>, String> {
    let Some(program) = find("nostr-rs-relay") else { return Ok(None) };
    let configure = |folder: &Path, port: u16| {
        let config = format!("[info]\nname = \"peer\"\n[network]\naddress = \"127.0.0.1\"\nport = {port}\n");
        fs::write(folder.join("config.toml"), config)?;
        let mut command = Command::new(&program);
        command.arg("--config").arg(folder.join("config.toml")).arg("--db").arg(folder);
        Ok(command)
    };
    run("nostr-rs-relay (no cap)", &[5_000, 500], configure).await.map(Some)
}

/// `strfry`, with its usual cap.
pub async fn strfry() -> Result<Option<Peer>, String> {
    let Some(program) = find("strfry") else { return Ok(None) };
    let configure = |folder: &Path, port: u16| {
        let database = folder.join("db");
        fs::create_dir(&database)?;
        let config = format!(
            "db = \"{}\"\nevents {{ rejectEventsOlderThanSeconds = 999999999 }}\nrelay {{\n bind = \"127.0.0.1\"\n \
             port = {port}\n nofiles = 0\n maxFilterLimit = {CAP}\n}}\n",
            database.display()
        );
        fs::write(folder.join("strfry.conf"), config)?;
        let mut command = Command::new(&program);
        command.arg("--config").arg(folder.join("strfry.conf")).arg("relay");
        Ok(command)
    };
    run(&format!("strfry (cap {CAP})"), &[5_000], configure).await.map(Some)
}

async fn run(
    name: &str,
    page_limits: &'static [u32],
    configure: impl Fn(&Path, u16) -> std::io::Result<Command>,
) -> Result<Peer, String> {
    let folder = TempDir::new().map_err(text)?;
    let port = free_port().map_err(text)?;
    let mut command = configure(folder.path(), port).map_err(text)?;
    let log = fs::File::create(folder.path().join("log")).map_err(text)?;
    let errors = log.try_clone().map_err(text)?;
    command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors);
    let process = command.spawn().map_err(text)?;
    let mut running = Running { process, _folder: folder };
    for _ in 0..TRIES {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            let url = format!("ws://127.0.0.1:{port}");
            return Ok(Peer { name: name.to_owned(), url, page_limits, _alive: Box::new(running) });
        }
        if let Some(status) = running.process.try_wait().map_err(text)? {
            let log = fs::read_to_string(running._folder.path().join("log")).unwrap_or_default();
            return Err(format!("it ended at once ({status}): {}", log.lines().last().unwrap_or_default()));
        }
        // Programs of others say in no common way that they listen.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("it does not listen".to_owned())
}

/// A port that nobody uses at this moment: these relays cannot be asked to choose one.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The program in `RELEDGER_PEERS_BIN`, else on PATH.
fn find(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("RELEDGER_PEERS_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
