//! No vector lies unused: each published or derived case is exercised somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{arg, code, fixtures, reledger, shown, stdout};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() { files(&entry, found) } else { found.push(entry) }
    }
}

#[test]
fn every_vector_is_named_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    files(&root.join("tests"), &mut sources);
    files(&root.join("src"), &mut sources);
    let this = root.join("tests/it/fixtures.rs");
    let rust = sources.iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs") && **path != this);
    let code: String = rust.map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut vectors = Vec::new();
    files(&fixtures().join("vectors"), &mut vectors);
    assert!(vectors.len() > 40);
    for vector in vectors {
        let stem = vector.file_stem().unwrap().to_str().unwrap();
        // The attestation vectors are read by number, `tv01` to `tv23`, and counted there.
        let numbered = stem.starts_with("tv") && vector.parent().unwrap().ends_with("oc-attest") || stem == "index";
        assert!(numbered || code.contains(stem), "{} is exercised nowhere", vector.display());
    }
}

/// RLIMIT_DATA counts every private writable page, thread stacks included, so it is stricter than resident memory.
#[test]
fn every_proof_and_adversarial_file_is_judged_within_64_mib() {
    let mut proofs = Vec::new();
    for folder in ["proofs", "adversarial", "invalid"] {
        files(&fixtures().join("ots").join(folder), &mut proofs);
    }
    proofs.retain(|path| path.extension().is_some_and(|ext| ext == "ots"));
    let limited = |more: &[&str]| {
        let binary = reledger();
        let mut command = std::process::Command::new("sh");
        command.env_clear().arg("-c").arg("ulimit -d 65536 && exec \"$@\"").arg("sh").arg(binary.get_program());
        command.args(["verify", "--jobs", "1", "-c"]).arg(fixtures().join("real/reledger.toml")).args(more);
        command.output().unwrap()
    };
    let all: Vec<&str> = proofs.iter().map(|path| arg(path)).collect();
    assert!(all.len() > 50, "{}", all.len());
    let output = limited(&all);
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(stdout(&output).lines().count() > 50, "{}", shown(&output));
    for proof in &all {
        let output = limited(&[proof]);
        assert!(matches!(code(&output), 0 | 1 | 3), "{proof}: {}", shown(&output));
    }
}
