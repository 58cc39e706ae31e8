//! `reledger ots upgrade`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use super::super::args::Global;
use super::super::output::say;
use super::super::{documents, progress, settings, signals};
use super::verify::{anchors, block, pending, waiting};
use super::{Output, UpgradeArgs};
use crate::app::{self, AppError, CalendarCounts, Cancel, RunFolder, UpgradeOptions, UpgradeState, UpgradedFile};
use crate::domain::{inert, inert_limited};

/// Files: 1 over 8 over 3 over 0, as conditions are ordered everywhere.
pub(in crate::cli) fn files(global: &Global, output: &Output, args: &UpgradeArgs) -> Result<ExitCode, AppError> {
    let plan = super::plan(global)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let options = UpgradeOptions {
        headers: args.headers.clone(),
        force: args.force,
        unverified: args.unverified,
        yes: global.yes,
        dry_run: global.dry_run,
        offline: global.offline,
        clock: settings::clock(global)?,
    };
    let result = app::upgrade_files(&args.files, &plan, &RunFolder::at(&global.run), &options, &cancel)?;
    let count = |state| result.files.iter().filter(|file| file.state == state).count();
    let (complete, failed) = (count(UpgradeState::Complete), count(UpgradeState::Failed));
    let open = result.files.len() - complete - failed;
    let code = match (failed, open) {
        _ if global.dry_run => 0,
        (1.., _) => 1,
        _ if result.nobody_answered() => 8,
        (_, 1..) => 3,
        _ => 0,
    };
    let mut text: String = result.files.iter().map(file_text).collect();
    text.push_str(&calendars_text(&result.calendars, global.dry_run));
    if result.too_young > 0 {
        text.push_str(&format!("{} too young to be asked for (--force asks)\n", result.too_young));
    }
    let value = json!({
        "exit_code": code, "too_young": result.too_young, "dry_run": global.dry_run,
        "calendars": calendars_value(&result.calendars),
        "files": result.files.iter().map(file_value).collect::<Vec<_>>(),
    });
    output.emit_either(&text, &value)?;
    if !global.quiet {
        let written = result.files.iter().filter(|file| file.written).count();
        let (pending, unverified) = (count(UpgradeState::Pending), count(UpgradeState::Unverified));
        say(&format!(
            "{written} upgraded; {complete} complete, {pending} pending, {unverified} unverified, {failed} failed of {} \
             proofs; exit {code}",
            result.files.len()
        ));
    }
    Ok(ExitCode::from(code))
}

fn file_text(file: &UpgradedFile) -> String {
    let mut text =
        format!("{:<12}{}{}\n", file.state.name(), inert(&file.file), if file.written { " (upgraded)" } else { "" });
    file.anchors.iter().for_each(|anchor| text.push_str(&block(anchor)));
    for height in &file.headers_missing {
        text.push_str(&format!("  block {height}: its header is not at hand\n"));
    }
    file.pending.iter().for_each(|pending| text.push_str(&waiting(pending)));
    if let Some(fault) = &file.fault {
        text.push_str(&format!("  {} {}\n", fault.code, inert_limited(&fault.reason, 300)));
    }
    text
}

fn calendars_text(calendars: &BTreeMap<String, CalendarCounts>, would: bool) -> String {
    let line = |(address, counts): (&String, &CalendarCounts)| {
        let address = inert_limited(address, 200);
        if would {
            return format!("would ask {address}: {} commitments\n", counts.not_yet);
        }
        format!("{address}: {} answered, {} not yet, {} failed\n", counts.replied, counts.not_yet, counts.failed)
    };
    let text: String = calendars.iter().map(line).collect();
    if would { text + "nothing was contacted or written\n" } else { text }
}

fn calendars_value(calendars: &BTreeMap<String, CalendarCounts>) -> serde_json::Value {
    let value = |(address, counts): (&String, &CalendarCounts)| json!({"calendar": address, "replied": counts.replied, "not_yet": counts.not_yet, "failed": counts.failed});
    calendars.iter().map(value).collect()
}

fn file_value(file: &UpgradedFile) -> serde_json::Value {
    json!({
        "file": file.file, "state": file.state.name(), "upgraded": file.written, "anchors": anchors(&file.anchors),
        "headers_missing": file.headers_missing.iter().map(|height| height.0).collect::<Vec<_>>(),
        "pending": pending(&file.pending),
        "fault": file.fault.as_ref().map(|fault| json!({"code": fault.code, "reason": fault.reason})),
    })
}

/// The proofs of a run.
pub(super) fn all(global: &Global, output: &Output, args: &UpgradeArgs) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    if global.dry_run {
        let calendars: Vec<&str> = plan.calendars.values().map(String::as_str).collect();
        let what = format!("ask {} about the open proofs of {}", calendars.join(", "), global.run.display());
        return documents::would(output, &what);
    }
    let options = settings::handling_options(global, "ots upgrade")?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let result = app::upgrade_run(&plan, &options, args.force, observer.as_ref(), &cancel)?;
    drop(observer);
    let open = result.pending + result.unverified;
    let code = match (result.failed, open) {
        (1.., _) => 1,
        _ if result.nobody_answered() => 8,
        (_, 1..) => 3,
        // A run without a proof has nothing that could be complete.
        _ if result.complete == 0 => 3,
        _ => 0,
    };
    let mut text = calendars_text(&result.calendars, false);
    text.push_str(&format!(
        "{} upgraded; {} complete, {} pending, {} unverified, {} failed; exit {code}\n",
        result.upgraded, result.complete, result.pending, result.unverified, result.failed
    ));
    let value = json!({
        "exit_code": code, "upgraded": result.upgraded, "complete": result.complete, "pending": result.pending,
        "unverified": result.unverified, "failed": result.failed, "calendars": calendars_value(&result.calendars),
    });
    output.emit_either(&text, &value)?;
    if !global.quiet {
        say(&format!("`reledger rebuild --run {}` judges the run again", global.run.display()));
    }
    Ok(ExitCode::from(code))
}
