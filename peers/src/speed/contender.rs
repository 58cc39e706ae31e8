//! Who is measured, and how each is started: every one is a process of its own, over the same input.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::events::Events;
use super::proofs::Proofs;

/// What a contender works on.
#[derive(Clone, Copy)]
pub enum Input<'i> {
    Events(&'i Events),
    /// So many times, one after the other.
    Proofs(&'i Proofs, usize),
}

impl Input<'_> {
    /// Events, or proofs with every pass.
    pub fn count(&self) -> usize {
        match self {
            Self::Events(events) => events.count,
            Self::Proofs(proofs, passes) => proofs.count * passes,
        }
    }

    /// What nobody may accept; of proofs in the first pass.
    pub fn lies(&self) -> &[usize] {
        match self {
            Self::Events(events) => &events.lies,
            Self::Proofs(proofs, _) => &proofs.lies,
        }
    }
}

/// What a contender is measured at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Events,
    Proofs,
}

/// Where verified events are afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    Nothing,
    InMemory,
    OnDisk,
}

/// How it is started.
#[derive(Clone, Copy)]
pub enum Start {
    /// This project's command, `--verify` as told.
    Ours(&'static str, &'static str),
    /// A role of this very program.
    Role(&'static str),
    /// The same, which fetches from a relay.
    Fetch(&'static str),
    /// `speed.mjs`, with the package that has to be there.
    Node(&'static str, &'static str),
    /// `speed.py`, with the package that has to be there, if any.
    Python(&'static str, Option<&'static str>),
}

/// One line of the table.
pub struct Contender {
    pub name: &'static str,
    /// Empty where the program tells it.
    pub version: &'static str,
    pub work: Work,
    pub keeps: Keeps,
    pub start: Start,
    /// The first so many events alone, because it is that slow.
    pub sample: Option<usize>,
}

impl Contender {
    pub fn is_ours(&self) -> bool {
        matches!(self.start, Start::Ours(..) | Start::Role("ots" | "ots-all-cores"))
    }
}

/// Events that arithmetic on Python's integers is measured on.
const SAMPLE: usize = 30;

/// Everybody, in the order of the table.
pub fn everybody() -> Vec<Contender> {
    let line = |name, version, work, keeps, start| Contender { name, version, work, keeps, start, sample: None };
    let events = |name, version, keeps, start| line(name, version, Work::Events, keeps, start);
    let proofs = |name, version, start| line(name, version, Work::Proofs, Keeps::Nothing, start);
    vec![
        events("reledger capture, single", OURS, Keeps::OnDisk, Start::Ours("capture", "single")),
        events("reledger capture, batch", OURS, Keeps::OnDisk, Start::Ours("capture", "batch")),
        events("reledger drill, single", OURS, Keeps::OnDisk, Start::Ours("drill", "single")),
        events("reledger drill, batch", OURS, Keeps::OnDisk, Start::Ours("drill", "batch")),
        events(BARE, "0.45.6", Keeps::Nothing, Start::Role("nostr")),
        events("nostrdb", "0.9.0", Keeps::OnDisk, Start::Role("nostrdb")),
        events("nostr-sdk, from a relay", "0.44.1", Keeps::InMemory, Start::Fetch("nostr-sdk")),
        events("nostr-lmdb", "0.45.3", Keeps::OnDisk, Start::Role("nostr-lmdb")),
        events("nostr-tools/wasm", "", Keeps::Nothing, Start::Node("nostr-tools-wasm", "nostr-wasm")),
        events("nostr-tools", "", Keeps::Nothing, Start::Node("nostr-tools", "nostr-tools")),
        Contender {
            sample: Some(SAMPLE),
            ..events("pure Python, affine", "", Keeps::Nothing, Start::Python("pure", None))
        },
        proofs("reledger, all cores", OURS, Start::Role("ots-all-cores")),
        proofs("reledger", OURS, Start::Role("ots")),
        proofs("opentimestamps (Rust)", "0.2.0", Start::Role("opentimestamps")),
        proofs("python-opentimestamps", "", Start::Python("opentimestamps", Some("opentimestamps"))),
        proofs("javascript-opentimestamps", "", Start::Node("opentimestamps", "opentimestamps")),
    ]
}

/// The line that events are held against.
pub const BARE: &str = "nostr + rayon";
const OURS: &str = "this tree";

/// What contenders are started with.
pub struct Tools {
    /// The command of this project, released.
    pub reledger: PathBuf,
    /// Packages of npm and PyPI.
    pub folder: PathBuf,
}

impl Tools {
    /// Why the contender can't be here, when it can't.
    pub fn lacks(&self, contender: &Contender) -> Option<String> {
        match contender.start {
            Start::Role("nostrdb") if !cfg!(feature = "nostrdb") => Some("it did not build here".to_owned()),
            Start::Node(_, package) if !self.folder.join("node_modules").join(package).is_dir() => {
                Some(format!("npm did not install {package}"))
            }
            Start::Python(_, Some(package)) if !self.has_python(package) => {
                Some(format!("pip did not install {package}"))
            }
            _ => None,
        }
    }

    fn has_python(&self, package: &str) -> bool {
        let mut versions = std::fs::read_dir(self.folder.join("lib")).into_iter().flatten().flatten();
        versions.any(|version| version.path().join("site-packages").join(package).is_dir())
    }

    /// The process to start; what it leaves goes below `scratch`. `relay` is for those who fetch.
    pub fn command(&self, contender: &Contender, input: Input<'_>, scratch: &Path, relay: &str) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = match contender.start {
            Start::Ours(what, how) => return self.ours(&[what, "--verify", how], scratch),
            Start::Role(role) | Start::Fetch(role) => {
                let mut command = Command::new(std::env::current_exe().unwrap_or_default());
                command.arg(role);
                command
            }
            Start::Node(what, _) => {
                let mut command = Command::new("node");
                command.arg("--no-deprecation").arg(here.join("speed.mjs")).arg(what);
                command
            }
            Start::Python(what, package) => {
                let own = self.folder.join("bin/python3");
                let mut command = Command::new(if package.is_some() { own } else { PathBuf::from("python3") });
                command.arg(here.join("speed.py")).arg(what);
                command
            }
        };
        match input {
            Input::Events(events) => command.arg(&events.file),
            Input::Proofs(proofs, passes) => command.arg(&proofs.folder).arg(passes.to_string()),
        };
        match contender.start {
            Start::Fetch(_) => command.arg(relay),
            Start::Role(_) if contender.work == Work::Events => command.arg(scratch.join("store")),
            Start::Python(..) if contender.work == Work::Events => command.arg(input.count().to_string()),
            _ => &mut command,
        };
        command.env("RELEDGER_PEERS_TOOLS", &self.folder);
        command
    }

    /// This project's command over the run below `scratch`.
    pub fn ours(&self, arguments: &[&str], scratch: &Path) -> Command {
        let mut command = Command::new(&self.reledger);
        command.args(arguments).args(["--quiet", "--progress", "none", "--offline", "--config"]);
        command.arg(scratch.join("reledger.toml")).arg("--run").arg(scratch.join("run"));
        command
    }
}
