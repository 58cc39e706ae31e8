//! Small runs for the matrix: one over half of a world's events, one over all of them, and the key that seals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, copy_folder, drill, report_bytes, run, shown, write_world};

/// When everything happens.
pub(super) const NOW: &str = "2026-10-02T00:00:00Z";

/// The sources of a world that make a small run: no headers, no proofs.
const SOURCES: [&str; 5] = ["[nostr]", "[gateway]", "[federations", "[keys]", "[projects]"];

static DESK: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = write_world(&path("world"), 5, 10);
    let text = fs::read_to_string(&config).unwrap();
    let sections = text.split_inclusive("\n\n").enumerate();
    let small = sections.filter(|(at, section)| *at == 0 || SOURCES.iter().any(|name| section.starts_with(name)));
    let small: String = small.map(|(_, section)| section).collect();
    let without = |line: &&str| !["payment_log", "invoices", "activity"].iter().any(|name| line.starts_with(name));
    fs::write(&config, small.split_inclusive('\n').filter(without).collect::<String>()).unwrap();
    let (half, whole, events) = (path("half"), path("whole"), path("world/nostr/events.jsonl"));
    let all = fs::read_to_string(&events).unwrap();
    let lines: Vec<&str> = all.lines().collect();
    fs::write(&events, lines[lines.len() / 2..].join("\n") + "\n").unwrap();
    for (run, from) in [(&half, None), (&whole, Some(&half))] {
        if let Some(from) = from {
            copy_folder(from, run);
            fs::write(&events, &all).unwrap();
        }
        let output = drill(&config, run, &["--now", NOW, "--yes"]);
        assert!([0, 1, 3].contains(&code(&output)), "{}", shown(&output));
        // Drawn again from the log, and the largest file by far.
        fs::remove_dir_all(run.join("state")).unwrap();
    }
    fs::write(path("key"), "01".repeat(32)).unwrap();
    fs::set_permissions(path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_ne!(report_bytes(&half), report_bytes(&whole));
    folder
});

/// A file or folder that every scene may read and none may change.
pub(super) fn shared(name: &str) -> PathBuf {
    DESK.path().join(name)
}

pub(super) fn shared_text(name: &str) -> String {
    arg(&shared(name)).to_owned()
}

/// A place in which a scene's template is made.
pub(super) struct Template(TempDir);

impl Template {
    /// With these runs in it, by their names there.
    pub(super) fn of(runs: &[(&str, &str)]) -> Self {
        let folder = tempdir().unwrap();
        for (name, of) in runs {
            copy_folder(&shared(of), &folder.path().join(name));
        }
        Self(folder)
    }

    pub(super) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn text(&self, name: &str) -> String {
        arg(&self.root().join(name)).to_owned()
    }
}

/// Arguments as the shim's command takes them.
pub(super) fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|one| (*one).to_owned()).collect()
}

/// Runs a command that must end well.
pub(super) fn done(args: &[&str]) -> Result<Vec<u8>, String> {
    let output = run(&[args, &["-q"]].concat());
    if code(&output) == 0 { Ok(output.stdout) } else { Err(format!("{args:?}: {}", shown(&output))) }
}

/// The names in a folder, in order; none where it is not there.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Says what is wrong where it does not hold.
pub(super) fn holds(it: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if it { Ok(()) } else { Err(what()) }
}
