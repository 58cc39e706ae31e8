//! Worlds with planted faults, in which everything that can be signed for is signed for: the simulator's oracle says what is
//! there, the rules of docs/acknowledgements.md what is left of it.
//! `RELEDGER_ACK_WORLDS` sets how many.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use reledger::app::{AppError, Cancel, Config, Plan, RunOptions, Silent, audit, drill, rebuild_only};
use reledger::domain::{
    Acknowledgement, Code, PublicKey32, Severity, Signature64, SignedStatement, Statement, UnixSeconds,
};
use reledger::sim::{Expected, Scene, Selection, Transport, World, deal, expect, generators_over, plant};
use reledger::store::StoreError;
use reledger::verify::Checks;
use serde_json::Value;

use crate::laws;
use crate::support::{report, unlocked};

/// 2026-10-01T00:00:00Z, when every world is judged.
const AS_OF: UnixSeconds = UnixSeconds(1_790_812_800);

fn options(run: &Path) -> RunOptions {
    RunOptions { command: "drill", ..laws::world::options(run) }
}

/// What nobody can accept (DIVERGENCES): critical, and balances.
fn is_acceptable(one: &Expected) -> bool {
    !one.explained && one.severity < Severity::Critical && !one.code.name().starts_with("BALANCE_")
}

/// CONTRACT 2 over what is left: what can't be accepted counts as before, and what did not run has still not run.
fn exit_code(divergences: &[Expected]) -> u8 {
    let exits: BTreeSet<u8> = divergences
        .iter()
        .filter(|one| !one.explained)
        .map(|one| match one.code {
            Code::SnapUnsafe => 6,
            Code::SnapSignature | Code::SnapChecksum => 5,
            Code::SrcEmpty
            | Code::SrcIncomplete
            | Code::SrcUnreachable
            | Code::SrcCaptureGap
            | Code::SrcCutoff100
            | Code::OtsHeaderMissing
            | Code::Unverifiable => 3,
            _ => u8::from(!is_acceptable(one)),
        })
        .collect();
    [6, 5, 1, 3].into_iter().find(|code| exits.contains(code)).unwrap_or(0)
}

fn signed(divergence: &Value) -> SignedStatement {
    let text = |name: &str| divergence[name].as_str().unwrap();
    let severities = [Severity::Info, Severity::Warn, Severity::Error, Severity::Critical];
    let body = Statement::Acknowledgement(Acknowledgement {
        fingerprint: text("fingerprint").parse().unwrap(),
        code: text("code").parse().unwrap(),
        severity: severities.into_iter().find(|one| one.name() == text("severity")).unwrap(),
        values_sha256: text("values_sha256").parse().unwrap(),
        reason: "planted".to_owned(),
        by: String::new(),
        issued_at: AS_OF,
        expires_at: AS_OF.plus(86_400),
    });
    let pen = SigningKey::from_bytes(&[5; 32]);
    let sig = Signature64(pen.sign(&body.message()).to_bytes());
    SignedStatement { body, key_id: PublicKey32::from_bytes(pen.verifying_key().to_bytes()), sig }
}

fn planted(seed: u64) -> Scene {
    let all: Vec<Selection> =
        generators_over(Transport::Files).map(|generator| Selection { generator, near: false }).collect();
    let mut scene = Scene::of(World::generate(seed, 30));
    plant(&mut scene, &deal(20_261_121, seed, 5, &all));
    scene
}

/// Drills the world, signs for every divergence, and judges again. Returns how many were accepted.
fn judged(seed: u64) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let (dir, run) = (folder.path().join("world"), folder.path().join("run"));
    let scene = planted(seed);
    if scene.earlier.is_some() {
        return 0;
    }
    let expectation = expect(&scene);
    scene.write(&dir).unwrap();
    let path = dir.join("reledger.toml");
    let key = PublicKey32::from_bytes(SigningKey::from_bytes(&[5; 32]).verifying_key().to_bytes());
    let section = format!("\n[acknowledgements]\nkeys = [\"{key}\"]\nfile = \"acks.jsonl\"\n");
    fs::write(&path, fs::read_to_string(&path).unwrap() + &section).unwrap();
    let plan = Plan::resolve(&Config::from_toml(&fs::read_to_string(&path).unwrap()).unwrap(), &dir).unwrap();
    let is_locked = |error: &AppError| matches!(error, AppError::Store(StoreError::Locked));
    unlocked(|| drill(&plan, &options(&run), &Silent, &Cancel::default()), is_locked).unwrap();
    let before = report(&run);
    assert_eq!(before["verdict"]["exit_code"], expectation.exit_code, "world {seed}");
    let lines: Vec<String> =
        before["divergences"].as_array().unwrap().iter().map(|one| signed(one).to_line()).collect();
    fs::write(dir.join("acks.jsonl"), lines.concat()).unwrap();
    unlocked(|| rebuild_only(&plan, &options(&run), &Silent, &Cancel::default()), is_locked).unwrap();
    let after = report(&run);

    let acceptable: BTreeSet<_> = expectation
        .divergences
        .iter()
        .filter(|one| is_acceptable(one))
        .map(|one| (one.code.name(), &one.subject))
        .collect();
    for (old, new) in before["divergences"].as_array().unwrap().iter().zip(after["divergences"].as_array().unwrap()) {
        assert_eq!(old["fingerprint"], new["fingerprint"], "world {seed}: the list and its order are the same");
        let subject = serde_json::from_value(new["subject"].clone()).unwrap();
        let is_accepted = acceptable.contains(&(new["code"].as_str().unwrap(), &subject));
        let state = if is_accepted { "acknowledged" } else { old["state"].as_str().unwrap() };
        assert_eq!(new["state"], state, "world {seed}: {new}");
    }
    assert_eq!(after["divergences"].as_array().unwrap().len(), before["divergences"].as_array().unwrap().len());
    assert_eq!(after["summary"]["acknowledged"], acceptable.len(), "world {seed}");
    assert_eq!(after["verdict"]["exit_code"], exit_code(&expectation.divergences), "world {seed}");
    for member in ["ledgers", "balances", "state_root", "checks", "unverifiable", "coverage"] {
        assert_eq!(after[member], before[member], "world {seed}: {member}");
    }
    assert_eq!(after["summary"]["by_code_sats"], before["summary"]["by_code_sats"], "world {seed}");
    let blocks = after["divergences"].as_array().unwrap().iter().any(|one| one["blocks"] == true);
    assert!(!(blocks && after["runbook"]["ready_to_unfreeze"] == true), "world {seed}");
    assert!(audit(&run, (1, Checks::Batch), &Silent, &Cancel::default()).unwrap().reproduced, "world {seed}");
    acceptable.len()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the length of a campaign comes from the caller")]
fn in_worlds_of_faults_what_is_signed_for_is_accepted_and_the_rest_stands() {
    let worlds = std::env::var("RELEDGER_ACK_WORLDS").ok().and_then(|count| count.parse().ok()).unwrap_or(2);
    let accepted: usize = (1..=worlds).map(judged).sum();
    assert!(accepted > 0, "some world had something to accept");
}
