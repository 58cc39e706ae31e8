//! The shim of tests/crash/shim.c: built once, put between the real command and the C library, and its trace read.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::support::{arg, fixtures, reledger};

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The process is killed before it.
    Kill,
    /// The process is killed after it.
    After,
    /// Half of a write is done, and the process is killed.
    Torn,
    /// It fails: no space left on device.
    NoSpace,
    /// The disk is full from here on.
    Full,
    /// It fails: input/output error.
    Broken,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::After => "after",
            Self::Torn => "torn",
            Self::NoSpace => "enospc",
            Self::Full => "full",
            Self::Broken => "eio",
        }
    }

    /// True for one after which the command goes on.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::NoSpace | Self::Full | Self::Broken)
    }
}

/// Where and how the shim strikes.
pub(crate) struct Strike<'s> {
    /// Only calls below it count.
    pub(crate) root: &'s Path,
    /// The trace; it must stand outside.
    pub(crate) trace: Option<&'s Path>,
    /// Which call, from 1, and what becomes of it; `None` for a run that is only counted.
    pub(crate) at: Option<(usize, Mode)>,
    /// True to count writes to sockets instead of calls on files.
    pub(crate) sockets: bool,
    /// What the system can't do.
    pub(crate) lacks: Option<Lack>,
}

/// What some systems can't do, and others can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Two names do not change places in one step.
    Exchange,
}

impl<'s> Strike<'s> {
    /// Nothing is struck, and all is traced.
    pub(crate) const fn counting(root: &'s Path, trace: &'s Path) -> Self {
        Self { root, trace: Some(trace), at: None, sockets: false, lacks: None }
    }
}

/// One call that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What it gave back, or minus its errno.
    pub(crate) result: i64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) path: PathBuf,
    pub(crate) other: PathBuf,
    /// What was written.
    pub(crate) bytes: Vec<u8>,
}

static SHIM: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let source = fixtures().with_file_name("tests").join("crash/shim.c");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    // Two test processes may build at once: each has its own file until the name is given.
    let (beside, built) = (folder.join(format!("shim-{}.so", std::process::id())), folder.join("shim.so"));
    let output = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", arg(&beside), arg(&source)])
        .output();
    match output {
        Ok(output) if output.status.success() => {
            fs::rename(&beside, &built).unwrap();
            Some(built)
        }
        Ok(output) => panic!("the shim does not build: {}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => None,
    }
});

/// True where the matrix can run; says so loudly where not.
///
/// # Panics
/// Where it can't and `RELEDGER_REQUIRE_SERVICES=1` demands it.
pub(crate) fn is_here() -> bool {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: the crash matrix speaks with Linux's C library, and this is another system");
        return false;
    }
    if SHIM.is_some() {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "what must not be skipped is the caller's word")]
    let demanded = std::env::var("RELEDGER_REQUIRE_SERVICES").is_ok_and(|word| word == "1");
    assert!(!demanded, "RELEDGER_REQUIRE_SERVICES=1, and there is no C compiler `cc`");
    println!("SKIPPED: the crash matrix needs a C compiler `cc`, and there is none");
    false
}

/// The command with the shim before it.
pub(crate) fn shimmed(strike: &Strike<'_>, args: &[String]) -> Command {
    let mut command = reledger();
    command.args(args);
    for (name, value) in surroundings(strike) {
        command.env(name, value);
    }
    command
}

/// What the shim is told.
pub(crate) fn surroundings(strike: &Strike<'_>) -> Vec<(&'static str, String)> {
    let shim = SHIM.as_ref().expect("asked for before");
    let mut all = vec![("LD_PRELOAD", arg(shim).to_owned()), ("RELEDGER_CRASH_ROOT", arg(strike.root).to_owned())];
    if let Some(trace) = strike.trace {
        all.push(("RELEDGER_CRASH_TRACE", arg(trace).to_owned()));
    }
    if let Some((number, mode)) = strike.at {
        all.push(("RELEDGER_CRASH_AT", number.to_string()));
        all.push(("RELEDGER_CRASH_MODE", mode.name().to_owned()));
    }
    if strike.sockets {
        all.push(("RELEDGER_CRASH_CALLS", "sockets".to_owned()));
    }
    if strike.lacks == Some(Lack::Exchange) {
        all.push(("RELEDGER_CRASH_NO_EXCHANGE", "1".to_owned()));
    }
    all
}

/// True for a process that the shim has killed.
pub(crate) fn is_killed(output: &Output) -> bool {
    output.status.signal() == Some(9)
}

/// Reads a trace.
pub(crate) fn calls(trace: &Path) -> Vec<Call> {
    let bytes = fs::read(trace).unwrap_or_default();
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let end = at + bytes[at..].iter().position(|byte| *byte == b'\n').expect("a record is a line");
        let line = std::str::from_utf8(&bytes[at..end]).expect("a record is text");
        let parts: Vec<&str> = line.split(' ').collect();
        let [name, result, inode, offset, length, path, other] = parts[..] else { panic!("{line}") };
        let result: i64 = result.parse().unwrap();
        let written = if name == "write" { usize::try_from(result).unwrap_or(0) } else { 0 };
        at = end + 1 + written;
        all.push(Call {
            name: name.to_owned(),
            result,
            inode: inode.parse().unwrap(),
            offset: offset.parse().unwrap(),
            length: length.parse().unwrap(),
            path: PathBuf::from(path),
            other: PathBuf::from(other),
            bytes: bytes[end + 1..at].to_vec(),
        });
    }
    all
}
