//! `reledger transparency`: the page of a year.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::args::{Format, Global};
use super::documents;
use super::output::{Output, counted, say};
use crate::app::{self, AppError};
use crate::domain::Condition;
use crate::report::canonical_json;

/// Which year, and from what.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Every finished run of the year is told, whatever its verdict; a quarter without one is told too. A feed knows \
    less of a run than its folder. Runs of other years are listed as skipped, and still say since when something has been open \
    and what changed. The page is Markdown, or JSON with --json.\n\nExit 0: the page is made; 2: no finished run, or one of a \
    newer version; 3: it is made, and no run is of the year; 5: a run or a feed was altered, with the member or line."
)]
pub(crate) struct TransparencyArgs {
    /// The calendar year (UTC) of the runs' as-of.
    #[arg(long, value_name = "Y", value_parser = clap::value_parser!(i64).range(2009..=9999))]
    year: i64,
    /// Folders of finished runs, feeds that `report feed` made, and histories that `drill --profile` made.
    #[arg(required = true, value_name = "RUN|FEED|HISTORY")]
    inputs: Vec<PathBuf>,
}

pub(crate) fn transparency(global: &Global, output: &Output, args: &TransparencyArgs) -> Result<ExitCode, AppError> {
    if global.dry_run {
        return documents::would(output, &format!("make the page of {} from {} inputs", args.year, args.inputs.len()));
    }
    let page = app::page_of_year(args.year, &args.inputs)?;
    let code = if page.told.is_empty() { Condition::Incomplete.exit_code().0 } else { 0 };
    match output.format {
        Format::Human => output.emit(app::page_text(&page).as_bytes())?,
        Format::Json | Format::Ndjson => output.emit(&canonical_json(&app::page_value(&page, code)))?,
    }
    if !global.quiet {
        say(&format!(
            "{} of {}, {} skipped; exit {code}",
            counted(page.told.len() as u64, "run"),
            args.year,
            page.skipped.len()
        ));
    }
    Ok(ExitCode::from(code))
}
