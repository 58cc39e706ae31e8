//! A finished run of which nothing changed: when its conclusion stands, and everything that makes it be judged again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::{TempDir, tempdir};

use crate::schemas::{faults, schema};
use crate::support::{
    arg, code, copy_folder, drill, fixtures, parsed, reledger, report, report_bytes, run, shown, side_by_side_by,
    stderr, stdout, tree, write_world,
};

const EVENTS: u32 = 12;
/// What stderr says of a conclusion that stands.
const STANDS: &str = "nothing changed since";

/// A world, a run of it, and what its user remembers.
struct Desk {
    folder: TempDir,
}

impl Desk {
    /// With a run that was finished under these options.
    fn new(options: &[&str]) -> (Self, Output) {
        let desk = Self { folder: tempdir().unwrap() };
        write_world(&desk.path("world"), 83, EVENTS);
        let first = desk.drill(options);
        assert_eq!(code(&first), 0, "{}", shown(&first));
        assert!(!stderr(&first).contains(STANDS), "{}", shown(&first));
        (desk, first)
    }

    /// The same desk elsewhere: the memory knows no paths of runs, and the configuration's are its own.
    fn copy(&self) -> Self {
        let copy = Self { folder: tempdir().unwrap() };
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// From its own folder, so that a copy reads files of the same names.
    fn command(&self, fixed: &[&str], options: &[&str]) -> Output {
        let mut command = reledger();
        command.current_dir(self.folder.path()).args(fixed);
        command.args(["-c", "world/reledger.toml", "--run", "run", "--cache-dir", "cache", "--progress", "none"]);
        command.args(options).output().unwrap()
    }

    fn drill(&self, options: &[&str]) -> Output {
        self.command(&["drill", "--yes"], options)
    }

    fn rebuild(&self, options: &[&str]) -> Output {
        self.command(&["rebuild", "--yes"], options)
    }

    fn record(&self) -> Vec<u8> {
        fs::read(self.path("run/run.json")).unwrap()
    }
}

fn stands(output: &Output) -> bool {
    stderr(output).contains(STANDS)
}

#[test]
fn a_conclusion_that_stands_is_told_in_the_same_words_and_no_byte_of_the_run_is_written() {
    let (desk, first) = Desk::new(&[]);
    let before = tree(&desk.path("run"));
    for again in [desk.drill(&[]), desk.rebuild(&[]), desk.drill(&["--jobs", "1"])] {
        assert!(stands(&again), "{}", shown(&again));
        assert_eq!((code(&again), stdout(&again)), (code(&first), stdout(&first)));
    }
    let json = desk.drill(&["--json"]);
    assert!(stands(&json), "{}", shown(&json));
    assert_eq!(json.stdout, report_bytes(&desk.path("run")));
    let event = stderr(&json).lines().find(|line| line.contains("\"unchanged\"")).map(|line| parsed(line.as_bytes()));
    assert_eq!(faults(&schema("events"), &event.unwrap()), Vec::<String>::new(), "for programs: {}", shown(&json));
    let lines = desk.drill(&["--format", "ndjson"]);
    assert!(stands(&lines) && !lines.stdout.is_empty(), "{}", shown(&lines));
    let quiet = desk.drill(&["--quiet"]);
    assert_eq!((stdout(&quiet), stderr(&quiet)), (stdout(&first), String::new()));
    assert_eq!(tree(&desk.path("run")), before, "what stands was not touched");

    let anew = desk.copy();
    let judged = anew.drill(&["--format", "ndjson", "--no-cache"]);
    assert!(!stands(&judged));
    assert_eq!(stdout(&judged), stdout(&lines));
    let sentence = |output: &Output| stderr(output).lines().find(|line| line.starts_with("clean:")).map(str::to_owned);
    assert!(sentence(&judged).is_some());
    assert_eq!(sentence(&judged), sentence(&lines));
}

#[test]
fn what_was_red_stays_red() {
    let folder = tempdir().unwrap();
    let cache = folder.path().join("cache");
    let go = || {
        drill(
            &fixtures().join("real/reledger.toml"),
            &folder.path().join("run"),
            &["--yes", "--cache-dir", arg(&cache)],
        )
    };
    let (first, again) = (go(), go());
    assert!(code(&first) != 0 && !stands(&first), "{}", shown(&first));
    assert_eq!((code(&again), stdout(&again)), (code(&first), stdout(&first)));
}

/// Something that a user, a disk or an adversary does to a finished run, its world or its configuration.
type Alteration = (&'static str, fn(&Desk), &'static [&'static str]);

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn append(desk: &Desk, name: &str) {
    rewrite(&desk.path(name), |bytes| bytes.push(b'\n'));
}

fn edit(desk: &Desk, name: &str, from: &str, to: &str) {
    let path = desk.path(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has {from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

fn nothing(_: &Desk) {}

const ALTERATIONS: &[Alteration] = &[
    ("a line feed more in a source", |desk| append(desk, "world/nostr/events.jsonl"), &[]),
    (
        "an event less in a source",
        |desk| {
            rewrite(&desk.path("world/nostr/events.jsonl"), |bytes| {
                let first = bytes.iter().position(|byte| *byte == b'\n').unwrap();
                bytes.drain(..=first);
            });
        },
        &[],
    ),
    (
        "a proof of another name",
        |desk| {
            let proof = fs::read_dir(desk.path("world/ots")).unwrap().next().unwrap().unwrap().path();
            fs::rename(&proof, proof.with_file_name("another.ots")).unwrap();
        },
        &[],
    ),
    (
        "a proof more",
        |desk| {
            let proof = fs::read_dir(desk.path("world/ots")).unwrap().next().unwrap().unwrap().path();
            fs::copy(&proof, proof.with_file_name("copy.ots")).unwrap();
        },
        &[],
    ),
    ("a threshold", nothing, &["--fail-on", "critical"]),
    ("another as-of", nothing, &["--as-of", "2026-09-01T00:00:00Z"]),
    ("an as-of by height", nothing, &["--as-of", "3"]),
    ("names in clear", nothing, &["--reveal-users"]),
    ("invalid items that fail", nothing, &["--on-invalid", "fail"]),
    ("checks in batches after single ones", nothing, &["--verify", "batch"]),
    ("checks by the libraries after single ones", nothing, &["--verify", "library"]),
    (
        "a state root to hold it against",
        nothing,
        &["--expect-root", "0000000000000000000000000000000000000000000000000000000000000000"],
    ),
    ("a policy", |desk| edit(desk, "world/reledger.toml", "min_depth = 6", "min_depth = 7"), &[]),
    ("the report", |desk| edit(desk, "run/report.json", "\"clean\"", "\"Clean\""), &[]),
    ("a line feed behind the report", |desk| append(desk, "run/report.json"), &[]),
    ("the page that people look at", |desk| append(desk, "run/report.html"), &[]),
    ("a rendering that is gone", |desk| fs::remove_file(desk.path("run/summary.txt")).unwrap(), &[]),
    ("the queue", |desk| append(desk, "run/queues/needs-anchor.ndjson"), &[]),
    (
        "another tool",
        |desk| {
            for entry in fs::read_dir(desk.path("cache")).unwrap() {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                let at = text.find("tool_sha256").unwrap() + "tool_sha256\": \"".len();
                rewrite(&path, |bytes| bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' });
            }
        },
        &[],
    ),
    (
        "a memory that is no JSON",
        |desk| {
            for entry in fs::read_dir(desk.path("cache")).unwrap() {
                fs::write(entry.unwrap().path(), "{").unwrap();
            }
        },
        &[],
    ),
    ("a memory that is gone: another user's folder", |desk| fs::remove_dir_all(desk.path("cache")).unwrap(), &[]),
];

#[test]
fn whatever_changed_is_judged_again_as_without_a_memory() {
    let (desk, _) = Desk::new(&[]);
    let unaltered = desk.copy();
    assert!(stands(&unaltered.drill(&[])), "the copy itself stands");
    side_by_side_by(4, ALTERATIONS, |_, (name, alter, options)| {
        let (with, without) = (desk.copy(), desk.copy());
        alter(&with);
        alter(&without);
        let before = with.record();
        let known = with.drill(options);
        assert!(!stands(&known), "{name}: {}", shown(&known));
        assert!(code(&known) != 70 && with.record() != before, "{name}: {}", shown(&known));
        let unknown = without.drill(&[options, &["--no-cache"][..]].concat());
        assert_eq!(code(&known), code(&unknown), "{name}: {}", shown(&unknown));
        assert_eq!(stdout(&known), stdout(&unknown), "{name}");
        assert_eq!(report(&with.path("run")), report(&without.path("run")), "{name}");
        // What was judged again is remembered in its turn.
        let again = with.drill(options);
        let asked = options.contains(&"--expect-root");
        assert_eq!(stands(&again), !asked, "{name}: {}", shown(&again));
        assert_eq!((code(&again), stdout(&again)), (code(&known), stdout(&known)), "{name}");
    });
}

#[test]
fn evidence_that_rotted_is_told_as_without_a_memory() {
    let (desk, _) = Desk::new(&[]);
    let files = [
        "evidence/segments/00000001.seg",
        "evidence/manifest.json",
        "evidence/inputs.json",
        "evidence/custody.jsonl",
        "run.json",
    ];
    side_by_side_by(2, &files, |_, name| {
        let (with, without) = (desk.copy(), desk.copy());
        for copy in [&with, &without] {
            rewrite(&copy.path("run").join(name), |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            });
        }
        let (known, unknown) = (with.drill(&[]), without.drill(&["--no-cache"]));
        assert!(!stands(&known), "{name}: {}", shown(&known));
        assert_eq!((code(&known), stdout(&known)), (code(&unknown), stdout(&unknown)), "{name}: {}", shown(&unknown));
    });
    let added = desk.copy();
    fs::write(added.path("run/evidence/segments/00000002.seg"), "").unwrap();
    assert!(!stands(&added.drill(&[])));
}

#[test]
fn a_rebuild_asks_for_the_evidence_and_a_drill_for_its_sources_too() {
    let (desk, _) = Desk::new(&[]);
    append(&desk, "world/nostr/events.jsonl");
    assert!(stands(&desk.rebuild(&[])), "a rebuild reads no source");
    let drilled = desk.drill(&[]);
    assert!(!stands(&drilled), "{}", shown(&drilled));
    // A rebuild reads no sources: what it leaves says nothing of them.
    assert!(!stands(&desk.rebuild(&["--fail-on", "critical"])));
    assert!(!stands(&desk.drill(&["--fail-on", "critical"])));
    assert!(stands(&desk.drill(&["--fail-on", "critical"])));
}

#[test]
fn whoever_would_be_asked_is_asked_again() {
    let (desk, _) = Desk::new(&[]);
    edit(&desk, "world/reledger.toml", "[ots]\n", "[ots]\ncalendars = [\"https://calendar.invalid\"]\n");
    let offline = ["--offline"];
    desk.drill(&offline);
    let again = desk.drill(&offline);
    assert!(!stands(&again), "{}", shown(&again));
    let rebuilt = desk.rebuild(&offline);
    assert!(stands(&rebuilt), "a rebuild asks nobody: {}", shown(&rebuilt));
}

#[test]
fn a_derived_as_of_stands_until_the_clock_reaches_what_evidence_speaks_of_next() {
    let (desk, _) = Desk::new(&[]);
    let newest = report(&desk.path("run"))["as_of"]["time"].as_i64().unwrap();
    let early = (newest - 3 * 86_400).to_string();
    let judged = desk.drill(&["--now", &early]);
    assert!(!stands(&judged), "{}", shown(&judged));
    let derived = report(&desk.path("run"))["as_of"]["time"].as_i64().unwrap();
    assert!(derived <= newest - 3 * 86_400, "{derived}");
    assert!(stands(&desk.drill(&["--now", &early])));
    assert!(stands(&desk.drill(&["--now", &derived.to_string()])), "the same instant is the newest");
    assert!(stands(&desk.drill(&["--as-of", &derived.to_string(), "--now", &early])), "asked for, it is the same");
    let late = desk.copy();
    assert!(!stands(&late.drill(&["--now", &newest.to_string()])));
    assert_eq!(report(&late.path("run"))["as_of"]["time"].as_i64(), Some(newest));
    let earlier = desk.copy();
    assert!(!stands(&earlier.drill(&["--now", &(derived - 1).to_string()])));
}

#[test]
fn a_memory_that_cannot_be_kept_costs_nothing_and_none_is_kept_where_none_is_wanted() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 83, EVENTS);
    let blocked = folder.path().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let run_dir = folder.path().join("run");
    let cache = blocked.join("cache");
    for _ in 0..2 {
        let output = drill(&config, &run_dir, &["--yes", "--cache-dir", arg(&cache)]);
        assert!(code(&output) == 0 && !stands(&output), "{}", shown(&output));
        assert!(!stderr(&output).contains("blocked"), "{}", shown(&output));
    }
    let fixed = ["drill", "-c", arg(&config), "--run", arg(&run_dir), "--yes", "--progress", "none"];
    let home = folder.path().join("home");
    for (name, value) in [("RELEDGER_NO_CACHE", "1"), ("XDG_CACHE_HOME", "relative"), ("UNUSED", "")] {
        let mut command = reledger();
        let home = (name == "RELEDGER_NO_CACHE").then_some(("HOME", &home));
        assert_eq!(code(&command.args(fixed).env(name, value).envs(home).output().unwrap()), 0);
    }
    assert!(!home.exists() && !Path::new("relative").exists());
    for (name, below) in [("HOME", ".cache/reledger"), ("XDG_CACHE_HOME", "reledger")] {
        let go = || reledger().args(fixed).env(name, &home).output().unwrap();
        assert!(!stands(&go()), "{name}");
        let again = go();
        assert!(stands(&again), "{name}: {}", shown(&again));
        assert!(home.join(below).is_dir());
    }
    // Nothing in it is for others.
    #[cfg(unix)]
    for (name, _) in tree(&home) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(home.join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} {mode:o}");
    }
}

/// What judging now would end with, whatever stands: what is added to the configuration, how the command is called, its exit code.
type Otherwise = (&'static str, &'static [&'static str], i32);

const SERVER: &str = "[store]\nurl = \"postgres://ann@127.0.0.1:1/books\"\n";

const OTHERWISE: &[Otherwise] = &[
    ("", &["drill", "--max-duration", "0s"], 3),
    ("[store]\nurl = \"mysql:\"\n", &["rebuild"], 2),
    #[cfg(feature = "postgres")]
    (SERVER, &["drill"], 8),
    (SERVER, &["rebuild", "--offline"], 6),
];

#[test]
fn what_would_end_otherwise_now_is_not_told_as_it_ended_then() {
    let (desk, _) = Desk::new(&[]);
    side_by_side_by(4, OTHERWISE, |_, (more, command, expected)| {
        let (with, without) = (desk.copy(), desk.copy());
        for copy in [&with, &without] {
            rewrite(&copy.path("world/reledger.toml"), |bytes| bytes.extend_from_slice(more.as_bytes()));
        }
        let known = with.command(command, &["--yes"]);
        assert!(!stands(&known), "{more}{command:?}: {}", shown(&known));
        assert_eq!(code(&known), *expected, "{more}{command:?}: {}", shown(&known));
        let unknown = without.command(command, &["--yes", "--no-cache"]);
        assert_eq!((code(&known), stdout(&known)), (code(&unknown), stdout(&unknown)), "{more}{command:?}");
        assert_eq!(report_bytes(&with.path("run")), report_bytes(&without.path("run")), "{more}{command:?}");
    });
    assert!(stands(&desk.drill(&["--max-duration", "1h"])), "looked at in time");
    for url in ["redb:", "memory:"] {
        let copy = desk.copy();
        let text = format!("[store]\nurl = \"{url}\"\n");
        rewrite(&copy.path("world/reledger.toml"), |bytes| bytes.extend_from_slice(text.as_bytes()));
        assert!(stands(&copy.drill(&[])), "{url} asks nobody");
    }
}

#[test]
fn a_state_root_that_is_expected_no_longer_stands_in_no_record() {
    let (desk, _) = Desk::new(&[]);
    let other = "0".repeat(64);
    assert_eq!(code(&desk.drill(&["--expect-root", &other])), 1);
    assert_eq!(parsed(&desk.record())["exit_code"], 1);
    let clean = desk.drill(&[]);
    assert_eq!(code(&clean), 0, "{}", shown(&clean));
    assert_eq!(parsed(&desk.record())["exit_code"], 0, "{}", shown(&clean));
    assert!(!stands(&clean) && stands(&desk.drill(&[])));
}

#[test]
fn what_its_user_keeps_beside_the_memory_is_never_removed() {
    const FOREIGN: usize = 300;
    let (desk, _) = Desk::new(&[]);
    let cache = desk.path("cache");
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let put = |name: String, bytes: &[u8]| {
        let path = cache.join(name);
        fs::write(&path, bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        path
    };
    let entry = fs::read(fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path()).unwrap();
    // By the name alone some of them could be ours.
    let foreign: Vec<PathBuf> = (0..FOREIGN)
        .map(|number| {
            let name = if number < 10 { format!("{number:064x}.json") } else { format!("invoice-{number}.json") };
            put(name, b"{\"schema\":\"books/1\"}")
        })
        .collect();
    let own: Vec<PathBuf> = (0..FOREIGN).map(|number| put(format!("{:064x}.json", number + 1_000), &entry)).collect();
    assert!(!stands(&desk.drill(&["--fail-on", "critical"])));
    assert_eq!(foreign.iter().filter(|path| !path.exists()).count(), 0);
    let left = own.iter().filter(|path| path.exists()).count();
    assert!((200..=256).contains(&left), "of too many runs the oldest are forgotten: {left}");
    assert!(stands(&desk.drill(&["--fail-on", "critical"])));
}

#[cfg(unix)]
#[test]
fn what_others_can_write_is_no_memory() {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    type Case = (&'static str, bool, fn(&Desk));
    fn entry(desk: &Desk) -> PathBuf {
        fs::read_dir(desk.path("cache")).unwrap().next().unwrap().unwrap().path()
    }
    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let (desk, _) = Desk::new(&[]);
    let cases: [Case; 5] = [
        ("a file that all can read", true, |desk| allow(&entry(desk), 0o644)),
        ("a file that a group can write", false, |desk| allow(&entry(desk), 0o620)),
        ("a folder that all can write", false, |desk| allow(&desk.path("cache"), 0o1777)),
        ("a link to a file elsewhere", false, |desk| {
            let (path, elsewhere) = (entry(desk), desk.path("elsewhere"));
            fs::rename(&path, &elsewhere).unwrap();
            symlink(&elsewhere, &path).unwrap();
        }),
        // Whoever is not root can't make it so, and leaves nothing in it.
        ("of another user", false, |desk| {
            if chown(entry(desk), Some(12_345), None).is_err() {
                fs::write(entry(desk), "").unwrap();
            }
        }),
    ];
    for (name, expected, alter) in cases {
        let copy = desk.copy();
        allow(&copy.path("cache"), 0o700);
        allow(&entry(&copy), 0o600);
        alter(&copy);
        let output = copy.drill(&[]);
        assert_eq!((code(&output), stands(&output)), (0, expected), "{name}: {}", shown(&output));
        let is_closed = ["a folder", "a file that all can read"].iter().any(|begin| name.starts_with(begin));
        let entries = fs::read_dir(copy.path("cache")).unwrap().count();
        assert_eq!(entries, if is_closed { 1 } else { 2 }, "{name}: nothing is put where others can");
    }
}

#[cfg(unix)]
#[test]
fn a_conclusion_that_stands_is_no_gentler_to_a_file_that_may_not_grow_and_its_memory_is_private_in_every_shell() {
    let (desk, _) = Desk::new(&[]);
    let shell = |script: &str, options: &[&str]| {
        let binary = reledger();
        let mut command = std::process::Command::new("sh");
        command.current_dir(desk.folder.path()).args(["-c", script, "sh"]).arg(binary.get_program());
        command.args(["drill", "--yes", "-c", "world/reledger.toml", "--run", "run", "--progress", "none"]);
        command.args(options).output().unwrap()
    };
    let limited = shell("ulimit -f 4 && exec \"$@\"", &["--cache-dir", "cache", "--json", "--output", "o.json"]);
    assert_eq!(limited.status.code(), Some(74), "{}", shown(&limited));
    let left: Vec<_> = fs::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("o.json")), "{left:?}");
    for expected in [false, true] {
        let open = shell("umask 000 && exec \"$@\"", &["--cache-dir", "open/cache"]);
        assert_eq!((code(&open), stands(&open)), (0, expected), "{}", shown(&open));
    }
}

#[test]
fn a_finished_run_is_never_gone_on_with_unasked() {
    let (desk, _) = Desk::new(&[]);
    let output = desk.command(&["drill"], &[]);
    assert_eq!(code(&output), 6, "{}", shown(&output));
    assert!(!stands(&output));
    let audit = run(&["audit", arg(&desk.path("run")), "--progress", "none"]);
    assert!(code(&audit) == 0 && !stands(&audit), "an audit judges: {}", shown(&audit));
}
