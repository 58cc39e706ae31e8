//! `reledger coverage`: what each source holds, by kind and month, and on what basis.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::output::Output;
use super::{progress, settings, signals};
use crate::app::{self, AppError, Cancel, CoverageFilter, Plan};
use crate::domain::Condition;
use crate::report::canonical_json;

/// What of it.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Reads the run that --run names and contacts nobody. A finished run is told as it was judged; one that is only \
    captured needs its configuration.\nGaps and takedowns are listed and never subtracted. Exit 0: every declared slice that is \
    shown is complete; 3: one is not, a declared source left no receipt, or there is none."
)]
pub(crate) struct CoverageArgs {
    /// Only sources whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Only this kind: a number or a media name.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only months from this time on.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only months up to this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print what each relay said it holds, window by window, as canonical JSON.
    #[arg(long)]
    certificates: bool,
    /// Widest line of the matrix; where it does not fit there is a list.
    #[arg(long, env = "COLUMNS", value_name = "N", default_value_t = 120)]
    width: usize,
}

pub(crate) fn coverage(global: &Global, output: &Output, args: &CoverageArgs) -> Result<ExitCode, AppError> {
    let instant = |flag: &str, text: &Option<String>| {
        text.as_deref().map(|text| settings::instant(flag, text, settings::clock(global)?)).transpose()
    };
    let filter = CoverageFilter {
        source: args.source.clone(),
        kind: args.kind.clone(),
        since: instant("--since", &args.since)?,
        until: instant("--until", &args.until)?,
    };
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let options = settings::run_options(global, "coverage")?;
    let observer = progress::observer(global);
    let how = (options.as_of, options.clock, options.jobs);
    let plan = plan(global)?;
    let table = app::coverage_of_run(&global.run, plan.as_ref(), &filter, how, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = if table.is_complete() { 0 } else { Condition::Incomplete.exit_code().0 };
    if args.certificates {
        output.emit(&canonical_json(&app::certificates_value(&table)))?;
    } else {
        output.emit_either(&app::coverage_text(&table, args.width, code), &app::coverage_value(&table, code))?;
    }
    Ok(ExitCode::from(code))
}

/// The configuration, where one is named or lies in this folder: a finished run can be told without.
pub(crate) fn plan(global: &Global) -> Result<Option<Plan>, AppError> {
    let named = global.config.is_some() || Path::new(settings::DEFAULT_CONFIG).exists();
    if named { settings::plan(global).map(Some) } else { Ok(None) }
}
