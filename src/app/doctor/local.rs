//! What this machine has to do with it: files, permissions, the engine of the store, who holds the run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::Patient;
use super::check::Check;
use crate::app::acknowledgements::recorded;
use crate::domain::Statement;
use crate::store::Engine;

pub(super) fn checks(patient: &Patient<'_>) -> Vec<Check> {
    // A configuration that does not read ends before this with exit 2 and the key's name.
    let mut checks = vec![Check::ok("config", "", "reads; every key is known")];
    checks.extend(paths(patient));
    checks.extend(secrets(patient));
    checks.push(engine(patient));
    checks.push(lock(patient));
    checks.extend(gaps(patient));
    checks.extend(acknowledgements(patient));
    checks
}

/// Every file and folder that the configuration names.
fn paths(patient: &Patient<'_>) -> Vec<Check> {
    let plan = patient.plan;
    let certificates = plan.nodes.iter().filter_map(|node| node.certificate_file.as_ref());
    let named = plan.files.values().flatten().chain(&plan.transparency).chain(&plan.history).chain(certificates);
    let named: Vec<&PathBuf> = named.filter(|path| path.as_os_str() != "-").collect();
    let mut checks = Vec::new();
    for path in &named {
        if let Err(error) = readable(path) {
            checks.push(
                Check::failed("paths", path.display().to_string(), format!("can't be read: {error}"))
                    .with_hint("correct the path in the configuration, or make it readable"),
            );
        }
    }
    if checks.is_empty() && !named.is_empty() {
        checks.push(Check::ok("paths", "", format!("{} files and folders can be read", named.len())));
    }
    checks
}

fn readable(path: &Path) -> std::io::Result<()> {
    if fs::metadata(path)?.is_dir() { fs::read_dir(path).map(drop) } else { File::open(path).map(drop) }
}

/// Files that hold a secret: there, and readable by their owner only.
fn secrets(patient: &Patient<'_>) -> Vec<Check> {
    let passwords = patient.plan.payment_logs.iter().map(|log| &log.password_file);
    let files = passwords.chain(patient.plan.nodes.iter().map(|node| &node.secret_file));
    files.map(|file| secret(file)).collect()
}

fn secret(file: &Path) -> Check {
    const NAME: &str = "permissions";
    let about = file.display().to_string();
    match fs::metadata(file) {
        Err(error) => Check::failed(NAME, about, format!("can't be read: {error}"))
            .with_hint("write the secret into this file, and let nobody else read it"),
        Ok(found) if is_exposed(&found) => {
            let hint = format!("chmod 600 {about}");
            Check::failed(NAME, about, "others than its owner can read it: a run refuses it").with_hint(hint)
        }
        Ok(_) => Check::ok(NAME, about, "only its owner can read it"),
    }
}

#[cfg(unix)]
fn is_exposed(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

fn engine(patient: &Patient<'_>) -> Check {
    const NAME: &str = "store.engine";
    let hint = "set store.url to redb:, sled:, memory: or postgres://user@host/database";
    match Engine::from_url(&patient.plan.store) {
        Err(error) => Check::failed(NAME, "", error.to_string()).with_hint(hint),
        Ok(Engine::Redb) if !cfg!(feature = "redb") => {
            Check::failed(NAME, "", "this build has no redb").with_hint(hint)
        }
        Ok(Engine::Sled) if !cfg!(feature = "sled") => {
            Check::failed(NAME, "", "this build has no sled").with_hint(hint)
        }
        Ok(Engine::Postgres(_)) if !cfg!(feature = "postgres") => {
            Check::failed(NAME, "", "this build has no postgres").with_hint(hint)
        }
        Ok(Engine::Postgres(address)) => Check::ok(NAME, address.to_string(), "shared; a run connects to it"),
        Ok(engine) => Check::ok(NAME, "", engine.name()),
    }
}

/// Whether a live process holds the run. The lock is asked for as a reader and given back at once.
fn lock(patient: &Patient<'_>) -> Check {
    const NAME: &str = "store.lock";
    let Ok(file) = File::open(patient.run.join("state").join("lock")) else {
        return Check::ok(NAME, "", "no process holds the run");
    };
    match file.try_lock_shared() {
        Ok(()) => Check::ok(NAME, "", "no process holds the run"),
        Err(fs::TryLockError::WouldBlock) => Check::warned(NAME, "", "a live process holds the run")
            .with_hint("wait for it, or use another --run folder"),
        Err(fs::TryLockError::Error(error)) => Check::skipped(NAME, "", error.to_string(), false),
    }
}

/// Registered gaps: those that have expired explain nothing any more.
fn gaps(patient: &Patient<'_>) -> Option<Check> {
    let gaps = &patient.plan.policy.gaps;
    let expired = gaps.iter().filter(|gap| patient.now >= gap.expires).count();
    (!gaps.is_empty()).then(|| Check::ok("gaps", "", format!("{} registered, {expired} of them expired", gaps.len())))
}

/// The register of acknowledgements: it reads, somebody may sign, and what has expired counts no more.
fn acknowledgements(patient: &Patient<'_>) -> Option<Check> {
    const NAME: &str = "acknowledgements";
    let file = patient.plan.acknowledgements.as_ref()?;
    let about = file.display().to_string();
    let statements = match recorded(patient.plan) {
        Ok(statements) => statements,
        Err(error) => {
            let hint = error.hints().join("; ");
            return Some(Check::failed(NAME, about, error.to_string()).with_hint(hint));
        }
    };
    if patient.plan.policy.acknowledgement_keys.is_empty() {
        let check = Check::warned(NAME, about, "no key is pinned: nothing that is signed counts");
        return Some(check.with_hint("name who may acknowledge in `keys` of [acknowledgements]"));
    }
    let has_expired = |body: &Statement| match body {
        Statement::Acknowledgement(word) => patient.now >= word.expires_at,
        Statement::Withdrawal(_) => false,
    };
    let expired = statements.iter().filter(|signed| has_expired(&signed.body)).count();
    Some(Check::ok(NAME, about, format!("{} signed statements, {expired} of them expired", statements.len())))
}
