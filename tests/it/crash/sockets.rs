//! The shim strikes writes to sockets too, for commands whose other side is a server.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

use tempfile::tempdir;

use super::desk::{NOW, owned};
use super::shim::{Mode, Strike, is_here, is_killed, shimmed};
use crate::support::{arg, shown};

/// What a server reads of a command that asks a relay and is struck at its first write; killed it is in each mode.
fn heard(mode: Mode) -> Vec<u8> {
    let folder = tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("reledger.toml");
    let address = listener.local_addr().unwrap();
    fs::write(&config, format!("[nostr]\nrelays = [\"ws://{address}\"]\n")).unwrap();
    let strike = Strike { root: folder.path(), trace: None, at: Some((1, mode)), sockets: true, lacks: None };
    let run = folder.path().join("run");
    let args = owned(&["capture", "-c", arg(&config), "--run", arg(&run), "--now", NOW, "--progress", "none"]);
    let child =
        shimmed(&strike, &args).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let output = child.unwrap().wait_with_output().unwrap();
    assert!(is_killed(&output), "{}", shown(&output));
    bytes
}

#[test]
fn a_write_to_a_socket_is_kept_back_halved_or_sent() {
    if !is_here() {
        return;
    }
    let whole = heard(Mode::After);
    assert!(whole.starts_with(b"GET / HTTP/1.1\r\n") && whole.ends_with(b"\r\n\r\n"));
    assert_eq!(heard(Mode::Kill), b"");
    let half = heard(Mode::Torn);
    assert!(!half.is_empty() && half.len() <= whole.len() / 2 + 16 && half.starts_with(b"GET"));
}
