//! Every document that names its form in a member `schema` has a published schema that it obeys, or is the project's own matter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{faults, schema};
use crate::support::{arg, code, drill, fixtures, report, run, shown, stdout, write_world};

/// Forms that no command prints, and where they are specified.
const NOT_PRINTED: [(&str, &str); 9] = [
    ("checkpoint", "docs/checkpoint.md: a line of a chain, which is evidence"),
    ("snapshot", "docs/snapshot.md: a member of an archive, which is evidence"),
    ("restore", "docs/restore.md: a record in the store"),
    ("snapshot-outline", "docs/snapshot.md: made of an archive while it is read"),
    ("evidence-manifest", "docs/state-root.md: a file of the run's folder"),
    ("inputs", "a file of the run's own state"),
    ("memory", "docs/adr/0032: a file of the user's own cache"),
    ("cursor", "a side record of the store; an export has it inside"),
    ("acknowledgement-withdrawal", "a line of the register, in the schema of acknowledgements"),
];

/// The files of production code at or below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Names of forms in a text: of constants that are called a schema, and of members `schema` that are written in place.
fn forms(text: &str) -> BTreeSet<String> {
    let production = text.split("#[cfg(test)]").next().unwrap();
    let lines = production.lines().filter(|line| {
        let is_constant = line.contains("const ") && line.contains("SCHEMA: &str = \"reledger/");
        is_constant || line.contains("\"schema\": \"reledger/")
    });
    let name = |line: &str| line.split("\"reledger/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    lines.map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_form_that_a_command_prints_has_a_published_schema() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let used: BTreeSet<String> = files.iter().flat_map(|file| forms(&fs::read_to_string(file).unwrap())).collect();
    // `balance-proof` is also looked for by the beginning of its name.
    assert!(used.contains("report") && used.contains("balance-proof") && used.len() > 20, "{used:?}");
    let of_published = |(name, text): &(&str, &str)| {
        let schema: Value = serde_json::from_str(text).unwrap();
        let form = schema["properties"]["schema"]["const"].as_str().map(str::to_owned);
        form.or_else(|| (*name == "acknowledgement").then(|| "reledger/acknowledgement/1".to_owned()))
    };
    let published: BTreeSet<String> = reledger::report::SCHEMAS.iter().filter_map(of_published).collect();
    for name in &used {
        let excused = NOT_PRINTED.iter().any(|(other, _)| other == name);
        let is_published = published.iter().any(|form| form.starts_with(&format!("reledger/{name}/")));
        assert!(is_published != excused, "{name}: published {is_published}, excused {excused}");
    }
    for (name, _) in NOT_PRINTED {
        assert!(used.contains(name), "{name} is excused and no longer used");
    }
}

#[test]
fn the_files_beside_the_documents_are_the_schemas_that_are_printed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = names.map(|name| name.trim_end_matches(".schema.json").to_owned()).collect();
    let printed: BTreeSet<String> = reledger::report::SCHEMAS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, printed);
    for name in &printed {
        let schema = schema(name);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert!(schema["title"].is_string(), "{name}");
        // An empty document is none, so every keyword of the schema was looked at.
        assert!(!faults(&schema, &json!([])).is_empty(), "{name}");
    }
}

struct Printed {
    folder: tempfile::TempDir,
}

impl Printed {
    /// A world without the statement's last line, judged; and the published fixtures, judged.
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let world = folder.path().join("world");
        let config = write_world(&world, 6, 20);
        let lines = fs::read_to_string(world.join("balances.jsonl")).unwrap();
        let cut: Vec<&str> = lines.lines().filter(|line| !line.contains("\"balance_sats\":0")).collect();
        let kept = cut[..cut.len() - 1].iter().map(|line| format!("{line}\n"));
        fs::write(world.join("balances.jsonl"), kept.collect::<String>()).unwrap();
        let judged = drill(&config, &folder.path().join("run"), &["--reveal-users"]);
        assert_eq!(code(&judged), 1, "{}", shown(&judged));
        drill(&fixtures().join("real/reledger.toml"), &folder.path().join("other"), &[]);
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        arg(&self.folder.path().join(name)).to_owned()
    }

    /// What the command prints, after it was held against that schema.
    fn obeys(&self, name: &str, args: &[&str]) -> Value {
        let (run_dir, config) = (self.path("run"), self.path("world/reledger.toml"));
        let own: &[&str] = if args[0] == "sim" { &[] } else { &["--run", &run_dir] };
        let own = if args[0] == "cursor" { [own, &["-c", &config]].concat() } else { own.to_vec() };
        let output = run(&[args, &own[..], &["--json", "-q"]].concat());
        let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
        assert_eq!(faults(&schema(name), &value), Vec::<String>::new(), "{args:?}: {value:#}");
        value
    }
}

#[test]
fn what_commands_print_obeys_the_published_schemas() {
    let stage = Printed::new();
    let (one, other) = (stage.path("run"), stage.path("other"));
    let differs = stage.obeys("diff", &["diff", &one, &other, "--bisect"]);
    assert!(differs["bisected"].as_array().is_some_and(|trees| !trees.is_empty()), "{differs}");
    assert!(differs["report"]["divergences"]["only_left"].as_array().is_some_and(|all| !all.is_empty()), "{differs}");
    assert_eq!(stage.obeys("diff", &["diff", &one, &one])["equal"], true);
    let listed = stage.obeys("divergences", &["divergences", "list"]);
    let missing = listed["divergences"].as_array().unwrap().iter().find(|one| one["code"] == "BALANCE_MISSING_USER");
    let missing = missing.expect("the statement lacks a user");
    stage.obeys("divergence-shown", &["divergences", "show", missing["fingerprint"].as_str().unwrap()]);
    let user = missing["subject"]["user"].as_str().unwrap();
    let told = stage.obeys("explanation", &["explain", user, "--reveal-users"]);
    let proof = &told["things"][0]["balance"]["proof"];
    assert_eq!(faults(&schema("balance-proof"), proof), Vec::<String>::new(), "{told:#}");
    let absent = stage.obeys("custody", &["custody", "at", user, "--when", "2026-09-30T00:00:00Z"]);
    assert!(absent["trust"].is_string());
    stage.obeys("custody", &["custody", "history", user]);
    assert!(stage.obeys("keys", &["keys", "list"])["keys"].as_array().is_some_and(|keys| !keys.is_empty()));
    assert!(stage.obeys("caps", &["caps"])["limits"].as_array().is_some_and(|limits| limits.len() == 5));
    let key = stage.path("key");
    fs::write(&key, "07".repeat(32)).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(code(&run(&["attest", "sign", &stage.path("run"), "--key-file", &key, "--no-audit"])), 0);
    assert_eq!(code(&run(&["checkpoint", "create", "--run", &one, "--key-file", &key, "--no-audit"])), 0);
    let admitted = fs::read_to_string(stage.path("run/checkpoints/admitted.txt")).unwrap();
    stage.obeys("inclusion-proof", &["checkpoint", "prove", &admitted[..64]]);
    stage.obeys("consistency-proof", &["checkpoint", "prove", "--from", "0"]);
    let verdict = stage.obeys("attestation-verdict", &["attest", "verify"]);
    assert_eq!(faults(&schema("attestation"), &verdict["statement"]), Vec::<String>::new());
    let page = stage.obeys("transparency", &["transparency", "--year", "2026", &one, &other]);
    assert_eq!(page["quarters"].as_array().map(Vec::len), Some(4));
    stage.obeys("coverage", &["coverage"]);
    stage.obeys("certificates", &["coverage", "--certificates"]);
    stage.obeys("cursors", &["cursor", "export"]);
    stage.obeys("sim-run", &["sim", "run", "--worlds", "1", "--events", "10", "--faults", "none"]);
    stage.obeys("sim-write", &["sim", "write", "--seed", "1", "--events", "10", "--dir", &stage.path("written")]);
}

#[test]
fn a_proof_or_a_difference_that_is_not_in_form_breaks_its_schema() {
    let node = json!({"hash": "00".repeat(32), "sum_sats": "-5"});
    let leaf = json!({"balance_sats": "5", "index": 0, "path": [node], "user": "u"});
    let proof = json!({"balance_sats": "5", "claim": "inclusion", "count": 1, "leaves": [leaf], "root": "00".repeat(32),
        "schema": "reledger/balance-proof/1", "total_sats": "5", "user": "u"});
    let seen = json!({"id": "00".repeat(32), "media": "jwks", "sources": ["s"]});
    let difference = json!({"schema": "reledger/diff/1", "equal": true, "exit_code": 0, "report": null, "bisected": null, "same_state": true,
        "evidence": {"only_left": 0, "only_right": 1, "left": [], "right": [seen]},
        "state_root": {"left": "a", "right": "a"}});
    let of_proof = [
        ("/balance_sats", json!(5)),
        ("/count", json!(-1)),
        ("/claim", json!("maybe")),
        ("/root", json!("00")),
        ("/leaves/0/path/0/sum_sats", json!("5.0")),
        ("/leaves/0/index", json!("0")),
        ("/schema", json!("reledger/balance-proof/2")),
    ];
    let of_difference = [
        ("/equal", json!("yes")),
        ("/state_root", json!({"left": "a"})),
        ("/evidence/right/0/id", json!("00")),
        ("/same_state", json!(null)),
        ("/bisected", json!([{"tree": "balances"}])),
        ("/report", json!({"inputs": []})),
    ];
    for (name, good, changes) in [("balance-proof", &proof, &of_proof[..]), ("diff", &difference, &of_difference)] {
        let published = schema(name);
        assert_eq!(faults(&published, good), Vec::<String>::new(), "{name}");
        for (place, value) in changes {
            let mut bad = good.clone();
            *bad.pointer_mut(place).unwrap() = value.clone();
            assert!(!faults(&published, &bad).is_empty(), "{name} {place}");
        }
        let mut more = good.clone();
        more["more"] = json!(1);
        assert_eq!(faults(&published, &more).len(), 1, "{name}");
    }
}

#[test]
fn a_hidden_run_prints_in_the_same_forms() {
    let folder = tempdir().unwrap();
    let run_dir = folder.path().join("run");
    drill(&fixtures().join("real/reledger.toml"), &run_dir, &[]);
    for divergence in report(&run_dir)["divergences"].as_array().unwrap() {
        let fingerprint = divergence["fingerprint"].as_str().unwrap();
        let shown = run(&["divergences", "show", fingerprint, "--run", arg(&run_dir), "--json"]);
        let value: Value = serde_json::from_str(&stdout(&shown)).unwrap();
        assert_eq!(faults(&schema("divergence-shown"), &value), Vec::<String>::new());
    }
}
