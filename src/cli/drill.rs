//! `reledger drill`, also by the calendar.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::args::Global;
use super::commands::judged;
use super::expect::JudgedArgs;
use super::output::{Output, say};
use super::settings;
use crate::app::{self, AppError, DrillProfile, Past, ToldDrill};

/// What kind of drill, and where its history stands.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Fetches everything that is declared into an empty folder, judges it, and reports. A drill that was interrupted \
    goes on with the same command.\n\n--profile quarterly demands what makes a drill one: an empty folder, no window, no time \
    box, no snapshot. It is recorded with its durations in a history beside the run (drills.jsonl; each line holds on to the one \
    before), whatever its verdict, and `transparency --year` reads that history. A drill that was interrupted is recorded \
    as such: its time is not that of a whole one."
)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,
    /// A drill by the calendar, recorded with its durations.
    #[arg(long, value_enum, value_name = "KIND")]
    profile: Option<Profile>,
    /// The history of drills [default: drills.jsonl beside the run].
    #[arg(long, value_name = "FILE", requires = "profile")]
    history: Option<PathBuf>,
}

/// `--profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// From empty, everything that is declared, without a snapshot.
    Quarterly,
}

pub(crate) fn drill(global: &Global, output: &Output, args: &DrillArgs) -> Result<ExitCode, AppError> {
    let Some(Profile::Quarterly) = args.profile else {
        return judged(global, output, ("drill", &args.judged), app::drill);
    };
    let profile = DrillProfile::Quarterly;
    let history = args.history.clone().unwrap_or_else(|| app::history_beside(&global.run));
    let options = settings::judged_options(global, "drill", &args.judged)?;
    app::may_drill(profile, &settings::plan(global)?, &options, &history)?;
    let code = judged(global, output, ("drill", &args.judged), app::drill)?;
    let told = app::record_drill(&global.run, &history, profile, None)?;
    if !global.quiet {
        tell(profile, &told, &history);
    }
    Ok(code)
}

fn tell(profile: DrillProfile, told: &ToldDrill, history: &std::path::Path) {
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
