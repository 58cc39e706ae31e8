//! `reledger doctor`: configuration, files, clock, sources, and lists that drift apart.

use std::process::ExitCode;

use serde_json::json;

use super::args::{Format, Global};
use super::output::{Output, say};
use super::{progress, settings, signals};
use crate::app::{self, AppError, Cancel, Check, Health, Patient, Plan};
use crate::domain::{inert, inert_limited};
use crate::report::canonical_json;

/// Characters of one text in a line.
const LINE_CHARS: usize = 300;

pub(crate) fn doctor(global: &Global, output: &Output) -> Result<ExitCode, AppError> {
    let (config, base, _) = settings::config(global)?;
    let plan = Plan::resolve(&config, &base)?;
    let patient = Patient {
        config: &config,
        plan: &plan,
        run: &global.run,
        offline: global.offline || global.dry_run,
        now: settings::clock(global)?,
        machine: settings::machine_clock(),
        jobs: global.jobs,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let checks = app::diagnose(&patient, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = app::exit_condition(&checks).map_or(0, |condition| condition.exit_code().0);
    if output.format == Format::Human {
        let mut text: String = checks.iter().map(line).collect();
        text.push_str(&sentence(&checks, code));
        text.push('\n');
        output.emit(text.as_bytes())?;
    } else {
        output.emit(&canonical_json(&checks.iter().map(value).collect()))?;
        if !global.quiet {
            say(&sentence(&checks, code));
        }
    }
    Ok(ExitCode::from(code))
}

/// Says on stderr what is not as it should be, and the sum.
pub(crate) fn tell(checks: &[Check]) {
    for check in checks.iter().filter(|check| check.health != Health::Ok) {
        say(line(check).trim_end());
    }
    let code = app::exit_condition(checks).map_or(0, |condition| condition.exit_code().0);
    say(&format!("drift: {}", sentence(checks, code)));
}

fn line(check: &Check) -> String {
    let about =
        if check.about.is_empty() { String::new() } else { format!(" {}", inert_limited(&check.about, LINE_CHARS)) };
    let hint = if check.hint.is_empty() { String::new() } else { format!(" -> {}", inert(&check.hint)) };
    let found = inert_limited(&check.found, LINE_CHARS);
    format!("{:<8}{}{about}: {found}{hint}\n", check.health.name(), check.name)
}

fn value(check: &Check) -> serde_json::Value {
    json!({
        "check": check.name, "about": check.about, "state": check.health.name(), "found": check.found,
        "hint": check.hint, "declared": check.health != Health::Skipped || check.owed,
    })
}

fn sentence(checks: &[Check], code: u8) -> String {
    let count = |health| checks.iter().filter(|check| check.health == health).count();
    format!(
        "{} of {} checks ok, {} warn, {} fail, {} skipped; exit {code}",
        count(Health::Ok),
        checks.len(),
        count(Health::Warn),
        count(Health::Fail),
        count(Health::Skipped)
    )
}
