//! `docs/runbook.md`: every command of the page runs, ends as the page says, and prints what the page says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

use crate::restore_redis::server::Server;
use crate::support::{code, parsed, shown, write_world};

const NOW: &str = "2026-11-22T12:00:00Z";

/// The commands of one block, and what the page says that they print.
struct Block {
    commands: Vec<String>,
    prints: Vec<String>,
}

/// The blocks of the page in order. A paragraph that begins with "Prints" tells of the block before it.
fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for paragraph in page.split("\n\n") {
        if let Some(code) = paragraph.strip_prefix("```sh\n") {
            let code = code.strip_suffix("```").unwrap();
            found.push(Block { commands: code.lines().map(str::to_owned).collect(), prints: Vec::new() });
        } else if let Some(said) = paragraph.strip_prefix("Prints ") {
            let spans = said.split('`').skip(1).step_by(2).map(str::to_owned);
            // A file that the text points to is not printed.
            found
                .last_mut()
                .unwrap()
                .prints
                .extend(spans.filter(|span| !span.starts_with("runs/") && !span.starts_with("reledger ")));
        }
    }
    found
}

fn bash(folder: &Path, line: &str) -> std::process::Output {
    let program = Path::new(env!("CARGO_BIN_EXE_reledger"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let mut command = Command::new("bash");
    command.args(["-c", line]).current_dir(folder).env_clear().env("PATH", path);
    command.env("RELEDGER_NOW", NOW).env("RELEDGER_PROGRESS", "none").output().unwrap()
}

#[test]
fn every_command_of_the_runbook_runs_and_prints_what_the_page_says() {
    let Some(server) = Server::start(&[]) else { return };
    let folder = tempdir().unwrap();
    write_world(folder.path(), 7, 20);
    let key = folder.path().join("operator.key");
    fs::write(&key, "2a".repeat(32)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    for line in [
        "reledger drill --run old -q",
        "reledger snapshot create --run old --sign-with operator.key --out snapshots -q --json",
    ] {
        let output = bash(folder.path(), line);
        assert_eq!(code(&output), 0, "{line} {}", shown(&output));
        if let Some(key) = output
            .stdout
            .starts_with(b"{")
            .then(|| parsed(&output.stdout))
            .as_ref()
            .and_then(|told: &Value| told["key_id"].as_str())
        {
            fs::write(folder.path().join("keys.txt"), format!("{key}\n")).unwrap();
        }
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md")).unwrap();
    let blocks = blocks(&page);
    assert_eq!((blocks.len(), blocks.iter().map(|block| block.commands.len()).sum::<usize>()), (9, 22));
    for block in blocks {
        let mut said = String::new();
        for line in &block.commands {
            let (line, exit) =
                line.split_once(" # exit ").map_or((line.as_str(), 0), |(line, exit)| (line, exit.parse().unwrap()));
            let output = bash(folder.path(), &line.replace("redis://127.0.0.1:6379/0", &format!("{}/0", server.url())));
            assert_eq!(code(&output), exit, "{line} {}", shown(&output));
            said.push_str(&shown(&output));
        }
        for span in &block.prints {
            assert!(said.contains(span.as_str()), "`{span}` after {:?}: {said}", block.commands);
        }
    }
}
