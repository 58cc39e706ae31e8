//! Holds every room to the charter in the first lines of its `mod.rs`: what it may import, which external crates it uses.
//! What belongs here: checks over source text and the dependency tree, nothing that runs the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOMS: [&str; 15] = [
    "domain",
    "scratch",
    "evidence",
    "verify",
    "store",
    "ingest",
    "ledger",
    "reconcile",
    "seal",
    "report",
    "substrate",
    "target",
    "sim",
    "app",
    "cli",
];
/// Lines of a file before its tests.
const PRODUCTION_LINES_MAX: usize = 400;
/// Lines of any file, tests included.
const LINES_MAX: usize = 900;

struct Room {
    name: String,
    may_import: BTreeSet<String>,
    external: BTreeSet<String>,
    sources: Vec<(PathBuf, String)>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// The production part of a file: comments gone, and everything from the first `#[cfg(test)]` module on.
fn production(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// A charter line with its continuation lines, as comma-separated words.
fn charter(text: &str, label: &str) -> Option<BTreeSet<String>> {
    let mut lines = text.lines().take_while(|line| line.starts_with("//!"));
    let first = lines.find_map(|line| line.strip_prefix("//! ")?.strip_prefix(label)?.strip_prefix(": "))?;
    let mut joined = first.to_owned();
    for line in lines {
        let line = line.trim_start_matches("//!").trim();
        if line.is_empty() || line.split_whitespace().any(|word| word.ends_with(':')) {
            break;
        }
        joined.push(' ');
        joined.push_str(line);
    }
    let words = joined.split(',').map(|word| word.trim().trim_end_matches('.').to_owned());
    Some(words.filter(|word| !word.is_empty() && word != "nothing" && word != "none").collect())
}

fn rooms() -> Vec<Room> {
    let mut rooms = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let head = fs::read_to_string(path.join("mod.rs")).unwrap();
        for label in ["Purpose", "Never", "Invariants"] {
            assert!(head.contains(&format!("//! {label}: ")), "{name}: the charter lacks `{label}`");
        }
        let mut files = Vec::new();
        rust_files(&path, &mut files);
        let sources = files
            .into_iter()
            .filter(|file| !file.ends_with("tests.rs") && !file.components().any(|part| part.as_os_str() == "tests"))
            .map(|file| {
                let text = fs::read_to_string(&file).unwrap();
                (file, text)
            })
            .collect();
        rooms.push(Room {
            may_import: charter(&head, "May import").unwrap_or_else(|| panic!("{name}: no `May import`")),
            external: charter(&head, "External crates").unwrap_or_else(|| panic!("{name}: no `External crates`")),
            name,
            sources,
        });
    }
    assert!(rooms.len() >= 12, "the rooms were not found");
    rooms
}

/// Every `prefix` in the text with the identifier that follows it.
fn identifiers_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix).map(move |(at, _)| {
        let rest = &text[at + prefix.len()..];
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    })
}

fn dependencies() -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let everywhere = [manifest["dependencies"].as_table().unwrap()];
    let targets =
        manifest["target"].as_table().unwrap().values().filter_map(|target| target["dependencies"].as_table());
    let names = everywhere.into_iter().chain(targets).flat_map(toml::Table::keys);
    names.map(|name| name.replace('-', "_")).collect()
}

#[test]
fn no_room_imports_beyond_its_charter() {
    for room in rooms() {
        for (file, text) in &room.sources {
            let code = production(text);
            let mut imported: Vec<&str> = identifiers_after(&code, "crate::").collect();
            // `use crate::{a, b}` hides rooms in braces: one room a line is the rule.
            assert!(!code.contains("use crate::{"), "{}: import one room a line", file.display());
            imported.retain(|name| ROOMS.contains(name) && **name != *room.name);
            for name in imported {
                assert!(
                    room.may_import.contains(name),
                    "{} imports `{name}`; the charter of `{}` allows {:?}",
                    file.display(),
                    room.name,
                    room.may_import
                );
            }
        }
    }
}

#[test]
fn no_room_uses_an_external_crate_beyond_its_charter() {
    let dependencies = dependencies();
    for room in rooms() {
        for (file, text) in &room.sources {
            let code = production(text);
            for dependency in &dependencies {
                let used = code
                    .match_indices(&format!("{dependency}::"))
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                assert!(
                    !used || room.external.contains(dependency),
                    "{} uses `{dependency}`; the charter of `{}` allows {:?}",
                    file.display(),
                    room.name,
                    room.external
                );
            }
        }
        for name in &room.external {
            assert!(dependencies.contains(name), "charter of `{}`: `{name}` is no dependency", room.name);
        }
    }
}

#[test]
fn rooms_form_no_cycle() {
    let rooms = rooms();
    let mut settled: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = settled.len();
        for room in &rooms {
            if room.may_import.iter().all(|name| settled.contains(name)) {
                settled.insert(room.name.clone());
            }
        }
        if settled.len() == rooms.len() {
            return;
        }
        assert!(settled.len() > before, "a cycle among the charters: only {settled:?} settle");
    }
}

#[test]
fn sources_are_ascii_bounded_and_leave_nothing_for_later() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        rust_files(&root().join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.is_ascii(), "{} is not ASCII", file.display());
        assert!(text.lines().count() <= LINES_MAX, "{} has more than {LINES_MAX} lines", file.display());
        if file.starts_with(root().join("src"))
            && !file.ends_with("tests.rs")
            && !file.components().any(|part| part.as_os_str() == "tests")
        {
            let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or(&text).lines().count();
            assert!(
                before_tests <= PRODUCTION_LINES_MAX,
                "{} has {before_tests} lines of production code",
                file.display()
            );
        }
        if !file.ends_with("architecture.rs") {
            for leftover in ["FIXME", "dbg!(", "todo!(", "unimplemented!(", "#[ignore", "TODO"] {
                assert!(!text.contains(leftover), "{}: {leftover}", file.display());
            }
        }
    }
}

#[test]
fn the_core_builds_without_runtime_sockets_databases_or_terminal() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--no-default-features", "--edges", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("bitcoin v"), "the tree was not read");
    for banned in [
        "tokio",
        "tokio-tungstenite",
        "tungstenite",
        "nostr-sdk",
        "reqwest",
        "redb",
        "postgres",
        "redis",
        "rustls",
        "sled",
        "clap",
        "indicatif",
        "age",
    ] {
        assert!(!tree.lines().any(|line| line.split(' ').next() == Some(banned)), "the core depends on {banned}");
    }
    // `lightning-invoice` and `bip322` judge with the curve library of `bitcoin`; a second one would be a second judgement.
    let curves: BTreeSet<&str> =
        tree.lines().filter(|line| line.starts_with("secp256k1")).map(|line| line.trim_end_matches(" (*)")).collect();
    assert_eq!(curves.len(), 2, "one secp256k1 and its C library: {curves:?}");
}
