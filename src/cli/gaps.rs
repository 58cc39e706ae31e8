//! `reledger gaps`: the register of known gaps.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::Global;
use super::output::{Output, say};
use super::{documents, progress, settings, signals};
use crate::app::{self, AppError, Cancel, Config, Gap, GapRegister, Plan};
use crate::domain::{KnownGap, SourceId, UnixSeconds, inert, inert_limited};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum GapsCommand {
    /// List every known gap, expired ones too, and what each explains in the run that --run names.
    List,
    /// Write one more gap into the register that the configuration names (`gaps_file`).
    Add(AddArgs),
    /// End a gap of the register now: it stays listed and explains nothing from then on.
    Expire {
        /// Its name in the listing, or the beginning of it.
        name: String,
        /// End it at this time instead of now.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
}

/// A gap: a source, a span of time, and why that is known.
#[derive(Debug, Args)]
#[command(
    after_help = "A gap explains absences and removes none: they stay listed and counted. It changes the digest of the \
    configuration and of the policy."
)]
pub(crate) struct AddArgs {
    /// The source, as the configuration names it.
    #[arg(long, value_name = "SOURCE")]
    source: String,
    /// Its beginning.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Its end; the second itself is not in the gap.
    #[arg(long, value_name = "TIME")]
    until: String,
    /// Why the source has nothing there.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where that is written down.
    #[arg(long, value_name = "TEXT")]
    cite: String,
    /// From this time on it explains nothing.
    #[arg(long, value_name = "TIME")]
    expires: String,
}

pub(crate) fn gaps(global: &Global, output: &Output, command: &GapsCommand) -> Result<ExitCode, AppError> {
    let (config, base, _) = settings::config(global)?;
    let register = GapRegister::read(&config, &base)?;
    let now = settings::clock(global)?;
    match command {
        GapsCommand::List => list(global, output, (&config, &base), &register, now),
        GapsCommand::Add(args) => {
            let time = |flag: &str, text: &str| settings::instant(flag, text, now);
            let gap = KnownGap {
                source: SourceId(args.source.clone()),
                from: time("--from", &args.from)?,
                until: time("--until", &args.until)?,
                reason: args.reason.clone(),
                cite: args.cite.clone(),
                expires: time("--expires", &args.expires)?,
            };
            let text = register.with(&gap, now)?;
            let known = Plan::resolve(&Config { gaps_file: None, ..config.clone() }, &base)?.declared.sources;
            if !known.contains(&gap.source) && !global.quiet {
                say(&format!("{} is no source of this configuration: the gap explains nothing there", gap.source));
            }
            edit(global, output, &register, &text, "add a gap to")
        }
        GapsCommand::Expire { name, at } => {
            let at = at.as_deref().map_or(Ok(now), |text| settings::instant("--at", text, now))?;
            edit(global, output, &register, &register.expired(name, at)?, "end a gap in")
        }
    }
}

fn edit(
    global: &Global,
    output: &Output,
    register: &GapRegister,
    text: &str,
    what: &str,
) -> Result<ExitCode, AppError> {
    let file = register.register()?.display().to_string();
    if global.dry_run {
        return documents::would(output, &format!("{what} {file}"));
    }
    register.write(text)?;
    output.emit_either(&format!("wrote {}\n", inert(&file)), &json!({"wrote": file}))?;
    Ok(ExitCode::SUCCESS)
}

fn list(
    global: &Global,
    output: &Output,
    (config, base): (&Config, &Path),
    register: &GapRegister,
    now: UnixSeconds,
) -> Result<ExitCode, AppError> {
    let options = settings::run_options(global, "gaps")?;
    let counts = counts(global, (config, base), register, (options.as_of, now, options.jobs))?;
    let state = |gap: &Gap| if gap.is_expired(now) { "expired" } else { "active" };
    let missing = |gap: &Gap| counts.as_ref().map(|counts| counts.get(&gap.gap).copied().unwrap_or_default());
    let mut text = String::new();
    for gap in register.gaps() {
        let KnownGap { source, from, until, reason, cite, expires } = &gap.gap;
        let explains = missing(gap).map(|count| format!("; {count} missing inside")).unwrap_or_default();
        text.push_str(&format!(
            "{} {:<8}{} {from} to {until}, expires {expires}: {} ({}) [{}]{explains}\n",
            gap.name,
            state(gap),
            inert_limited(&source.0, 80),
            inert_limited(reason, 120),
            inert_limited(cite, 120),
            gap.origin.name(),
        ));
    }
    let active = register.gaps().iter().filter(|gap| !gap.is_expired(now)).count();
    text.push_str(&format!("{} known gaps, {active} active at {now}\n", register.gaps().len()));
    let value = register.gaps().iter().map(|gap| {
        json!({
            "name": gap.name, "source": gap.gap.source, "from": gap.gap.from.0, "until": gap.gap.until.0,
            "reason": gap.gap.reason, "cite": gap.gap.cite, "expires": gap.gap.expires.0, "state": state(gap),
            "origin": gap.origin.name(), "missing": missing(gap),
        })
    });
    output.emit_either(&text, &json!({"now": now.0, "gaps": value.collect::<Vec<_>>()}))?;
    Ok(ExitCode::SUCCESS)
}

/// How much each gap explains in the run, when there is one.
fn counts(
    global: &Global,
    (config, base): (&Config, &Path),
    register: &GapRegister,
    how: (Option<app::AsOfWanted>, UnixSeconds, usize),
) -> Result<Option<BTreeMap<KnownGap, u64>>, AppError> {
    if register.gaps().is_empty() || register.register().is_ok_and(|file| !file.exists()) {
        return Ok(None);
    }
    let plan = Plan::resolve(config, base)?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let uses = app::gap_uses(&global.run, &plan, how, observer.as_ref(), &cancel)?;
    Ok(uses.map(|uses| uses.into_iter().map(|used| (used.gap, used.missing)).collect()))
}
