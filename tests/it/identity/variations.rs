//! The report and everything rendered of it under eight changes of surroundings, byte for byte. `RELEDGER_VARIATIONS=n` sets how
//! many bundles; `RELEDGER_BIN` names the program (default: the tests' own), `RELEDGER_OTHER_BIN` as another profile built it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::tempdir;

use super::{AS_OF, EVENTS, FAULTS, faulty, shuffled};
use crate::support::{Lcg, arg, copy_folder, parsed, reledger};

/// What `report render` makes of a report.
const RENDERINGS: [&str; 5] = ["text", "html", "md", "junit", "openmetrics"];

#[expect(clippy::disallowed_methods, reason = "the campaign's size and its other program are the caller's")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// One way to the report: the program, where it is started, and what is special about it.
struct Way<'a> {
    program: Option<&'a str>,
    cwd: &'a Path,
    edit: &'a dyn Fn(&mut Command),
}

impl Way<'_> {
    fn command(&self) -> Command {
        let mut command = reledger();
        if let Some(program) = self.program {
            command = Command::new(program);
            command.env_clear().env("TERM", "dumb").stdin(Stdio::null());
        }
        command.current_dir(self.cwd).stdout(Stdio::null()).stderr(Stdio::null());
        (self.edit)(&mut command);
        command
    }

    /// The report and its renderings, with the times of `reference`'s record where there is one: times are no part of a report.
    fn bytes(&self, config: &Path, run_dir: &Path, reference: Option<&Path>) -> Vec<(String, Vec<u8>)> {
        let mut drill = self.command();
        drill.args([
            "drill",
            "-c",
            arg(config),
            "--run",
            arg(run_dir),
            "--progress",
            "none",
            "--as-of",
            AS_OF,
            "--yes",
        ]);
        drill.status().unwrap();
        let home = if run_dir.is_absolute() { run_dir.to_owned() } else { self.cwd.join(run_dir) };
        if let Some(reference) = reference {
            let record = |run: &Path| -> Value { parsed(&fs::read(run.join("run.json")).unwrap()) };
            let mut shared = record(reference);
            shared["custody_head"] = record(&home)["custody_head"].clone();
            fs::write(home.join("run.json"), shared.to_string()).unwrap();
        }
        let mut all = vec![("report.json".to_owned(), fs::read(home.join("report.json")).unwrap())];
        for rendering in RENDERINGS {
            let out = home.join(format!("rendered.{rendering}"));
            let mut render = self.command();
            render.args(["report", "render", "--to", rendering, "--run", arg(run_dir), "-o", arg(&out), "--yes"]);
            assert!(render.status().unwrap().success(), "{rendering}");
            all.push((rendering.to_owned(), fs::read(&out).unwrap()));
        }
        all
    }
}

/// The same files, made in the opposite order: a folder lists them otherwise.
fn turned(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let mut entries: Vec<PathBuf> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries.into_iter().rev() {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { turned(&path, &target) } else { _ = fs::copy(&path, &target).unwrap() }
    }
}

/// The variations of one bundle that differ from its reference, by name; and how many were compared.
fn differing(seed: u64) -> (Vec<String>, u64) {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    faulty(seed, (EVENTS, FAULTS), &at("world"));
    turned(&at("world"), &at("turned"));
    copy_folder(&at("world"), &at("elsewhere/world"));
    let shuffled = shuffled(&at("world"), &at("shuffled"), &mut Lcg(seed));
    let (own, other) = (asked("RELEDGER_BIN"), asked("RELEDGER_OTHER_BIN"));
    let own = own.as_deref();
    let (root, elsewhere) = (folder.path().to_owned(), at("elsewhere"));
    let plain = |_: &mut Command| {};
    let jobs = |count: &'static str| move |command: &mut Command| _ = command.env("RELEDGER_JOBS", count);
    let (one, eight) = (jobs("1"), jobs("8"));
    let pool = |command: &mut Command| _ = command.env("RAYON_NUM_THREADS", "3");
    let zone = |command: &mut Command| _ = command.env("TZ", "Asia/Kathmandu");
    let locale = |command: &mut Command| _ = command.env("LC_ALL", "tr_TR.UTF-8").env("LANG", "tr_TR.UTF-8");
    let config = at("world/reledger.toml");
    let way = |edit| Way { program: own, cwd: &root, edit };
    let reference = way(&plain).bytes(&config, &at("reference"), None);
    let mut ways: Vec<(&str, Way<'_>, PathBuf, PathBuf)> = vec![
        ("one job", way(&one), config.clone(), at("one")),
        ("eight jobs", way(&eight), config.clone(), at("eight")),
        ("three threads", way(&pool), config.clone(), at("pool")),
        ("time zone", way(&zone), config.clone(), at("zone")),
        ("locale", way(&locale), config.clone(), at("locale")),
        ("order of folders", way(&plain), at("turned/reledger.toml"), at("turned-run")),
        ("order of capture", way(&plain), shuffled, at("shuffled-run")),
        (
            "working folder",
            Way { program: own, cwd: &elsewhere, edit: &plain },
            "world/reledger.toml".into(),
            "run".into(),
        ),
    ];
    if let Some(other) = &other {
        ways.push(("profile", Way { program: Some(other), cwd: &root, edit: &plain }, config, at("profile")));
    }
    let count = ways.len() as u64;
    let differs = |(name, way, config, run_dir): (&str, Way<'_>, PathBuf, PathBuf)| {
        let found = way.bytes(&config, &run_dir, Some(&at("reference")));
        let parts = found.iter().zip(&reference).filter(|(one, other)| one != other).map(|((part, _), _)| part.clone());
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| format!("bundle {seed}, {name}: {}", parts.join(", ")))
    };
    (ways.into_iter().filter_map(differs).collect(), count)
}

#[test]
fn surroundings_change_no_byte_of_a_report_or_of_what_is_rendered_of_it() {
    let bundles: u64 = asked("RELEDGER_VARIATIONS").and_then(|text| text.parse().ok()).unwrap_or(1);
    let (mut all, mut compared) = (Vec::new(), 0);
    for seed in 1..=bundles {
        let (differing, count) = differing(seed);
        all.extend(differing);
        compared += count;
    }
    assert!(all.is_empty(), "{all:#?}");
    println!("{bundles} bundles, {compared} variations, {} files each", RENDERINGS.len() + 1);
}
