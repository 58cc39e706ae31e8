//! `reledger drill`, also by the calendar.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::args::Global;
use super::commands::judged;
use super::expect::JudgedArgs;
use super::output::{Output, say};
use super::snapshot::TrustArgs;
use super::{doctor, progress, replay, settings, signals};
use crate::app::{
    self, AppError, BegunFrom, Cancel, DrillProfile, Past, Patient, Plan, ReplayOptions, Span, ToldDrill,
};
use crate::domain::Outcome;

/// What kind of drill, and where its history stands.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Fetches everything that is declared into an empty folder, judges it, and reports. A drill that was interrupted \
    goes on with the same command.\n\n--profile quarterly demands what makes a drill one: an empty folder, no window, no time \
    box, no snapshot. --profile monthly restores a snapshot into an empty folder, verified under --key, --trusted-keys or `seal.trusted_keys`, replays what \
    came since, judges all of it again, and looks for drift: of the run's layout, and of lists that configuration, published \
    documents and evidence should have alike (`doctor`); drift is exit 1.\n\nBoth are recorded with their durations in a history \
    beside the run (drills.jsonl; each line holds on to the one before), whatever the verdict, and `transparency --year` \
    reads that history. A drill that was interrupted is recorded as such: its time is not that of a whole one."
)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,
    /// A drill by the calendar, recorded with its durations.
    #[arg(long, value_enum, value_name = "KIND")]
    profile: Option<Profile>,
    /// The snapshot of a monthly drill; of a folder the newest.
    #[arg(long, value_name = "FILE|DIR", requires = "profile", required_if_eq("profile", "monthly"))]
    from_snapshot: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    /// The history of drills [default: drills.jsonl beside the run].
    #[arg(long, value_name = "FILE", requires = "profile")]
    history: Option<PathBuf>,
}

/// `--profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// From a snapshot: restore, gap, drift.
    Monthly,
    /// From empty, everything that is declared, without a snapshot.
    Quarterly,
}

pub(crate) fn drill(global: &Global, output: &Output, args: &DrillArgs) -> Result<ExitCode, AppError> {
    let history = args.history.clone().unwrap_or_else(|| app::history_beside(&global.run));
    match (args.profile, &args.from_snapshot) {
        (None, _) => judged(global, output, ("drill", &args.judged), app::drill),
        (Some(Profile::Quarterly), Some(_)) => {
            Err(settings::usage("a quarterly drill is from empty: leave out --from-snapshot".to_owned()))
        }
        (Some(Profile::Quarterly), None) => {
            let profile = DrillProfile::Quarterly;
            let options = settings::judged_options(global, "drill", &args.judged)?;
            app::may_drill(profile, &settings::plan(global)?, &options, &history)?;
            let code = judged(global, output, ("drill", &args.judged), app::drill)?;
            tell(global, profile, &app::record_drill(&global.run, &history, profile, None)?, &history);
            Ok(code)
        }
        (Some(Profile::Monthly), named) => {
            let named = named.as_deref().ok_or_else(|| settings::usage("--from-snapshot is needed".to_owned()))?;
            monthly(global, output, args, (named, &history))
        }
    }
}

fn monthly(
    global: &Global,
    output: &Output,
    args: &DrillArgs,
    (named, history): (&Path, &Path),
) -> Result<ExitCode, AppError> {
    let profile = DrillProfile::Monthly;
    let (config, base, _) = settings::config(global)?;
    let plan = Plan::resolve(&config, &base)?;
    let options = settings::judged_options(global, "drill", &args.judged)?;
    app::may_drill(profile, &plan, &options, history)?;
    let from_snapshot = Some(app::newest_snapshot(named)?);
    let keys = args.trust.named()?;
    if args.trust.names_any() && keys.is_empty() {
        return Err(settings::usage("--trusted-keys names no key".to_owned()));
    }
    let wanted = ReplayOptions { from_snapshot, keys, overlap: OVERLAP.0, ..ReplayOptions::default() };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let replayed = app::replay(&plan, &options, &wanted, observer.as_ref(), &cancel)?;
    let origin = replayed.origin.as_ref();
    let origin =
        origin.ok_or_else(|| settings::usage(format!("{} was not made of this snapshot", global.run.display())))?;
    let patient = Patient {
        config: &config,
        plan: &plan,
        run: &global.run,
        offline: global.offline,
        now: options.clock,
        machine: settings::machine_clock(),
        jobs: global.jobs,
    };
    let checks = app::schema_drift(&patient, origin, observer.as_ref(), &cancel)?;
    drop(observer);
    let drifted = BegunFrom { snapshot: origin.sha256, was_interrupted: !origin.is_new, drift: &checks };
    let told = app::record_drill(&global.run, history, profile, Some(drifted))?;
    let mut outcome = replayed.outcome();
    if let Some(condition) = app::exit_condition(&checks) {
        outcome.add(condition);
    }
    let code = outcome.exit_code().0;
    replay::show(global, output, &replayed)?;
    doctor::tell(&checks);
    tell(global, profile, &told, history);
    say(&verdict(&outcome));
    Ok(ExitCode::from(code))
}

/// As that of a replay: records arrive late.
const OVERLAP: Span = Span(15 * 60);

/// What a monthly drill comes to: run, expectation and drift together.
fn verdict(outcome: &Outcome) -> String {
    let conditions: Vec<&str> = outcome.conditions().map(crate::domain::Condition::name).collect();
    let words = if conditions.is_empty() { "clean".to_owned() } else { conditions.join(", ") };
    format!("monthly drill with drift: {words}; exit {}", outcome.exit_code())
}

fn tell(global: &Global, profile: DrillProfile, told: &ToldDrill, history: &Path) {
    if global.quiet {
        return;
    }
    let budget = told.budget_seconds.map_or_else(String::new, |budget| format!(" of {}", span(budget)));
    let slowest = told
        .slowest
        .as_ref()
        .map_or_else(String::new, |(stage, millis)| format!(", {} of them {stage}", span(millis.div_ceil(1_000))));
    say(&format!("{} drill: {}{budget}{slowest}", profile.name(), took(&told.own)));
    let before: Vec<String> = (told.before.iter())
        .map(|past| format!("{} as of {} (exit {})", took(past), past.as_of, past.exit_code))
        .collect();
    if !before.is_empty() {
        say(&format!("before it: {}", before.join("; ")));
    }
    let (line, head) = (told.appended.line, told.appended.head);
    say(&format!("recorded as line {line} of {}; head {head}", history.display()));
    if told.appended.cut > 0 {
        say(&format!("{}: {} bytes of a torn last line were cut away", history.display(), told.appended.cut));
    }
}

fn took(past: &Past) -> String {
    past.seconds.map_or_else(|| "interrupted, time unknown".to_owned(), span)
}

fn span(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, seconds) => format!("{hours} h {minutes} min {seconds} s"),
    }
}
