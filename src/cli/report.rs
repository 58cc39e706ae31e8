//! `reledger report`: what a run came to, in other words.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::args::Global;
use super::output::{Output, counted, say};
use super::{documents, progress, settings, signals};
use crate::app::{self, AppError, Cancel};
use crate::domain::{Condition, inert};
use crate::report::{Detail, Dialect, Rendering, Table};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Write the report for another reader, or the treasury's journal for hledger, beancount or a spreadsheet.
    Render(RenderArgs),
    /// Add a run to a feed for a public page, one line a run, each holding on to the one before; or verify such a feed.
    Feed(super::feed::FeedArgs),
}

/// For whom, and how much.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Reads the run that --run names and contacts nobody.\n\n\
    `text`, `html`, `md`, `junit`, `openmetrics` and `csv --table` are made of report.json alone, and of the times in run.json where they \
    show any. The report is taken at its \
    word; `reledger audit` says whether it follows from the evidence. One that was altered ends with 5, one of another version \
    or program with 2, and nothing is written.\n\n\
    The journals (`hledger`, `beancount`, `csv` without --table) are made of the evidence. A finished run is judged by its own policy, \
    unless a configuration is named (-c, RELEDGER_CONFIG): then by what that says now. One that is only captured needs its \
    configuration. Amounts are millisatoshi; users are pseudonyms unless --reveal-users is given. The result is the journal \
    whatever --json says; -o FILE is never an existing file without --yes.\n\nExit 0: the journal is written; 3: it is, and \
    has no entry; 6: the file is there. What the ledger is worth is said by the report, not by this.\n\n\
    reledger report render --to hledger -o treasury.journal && hledger -f treasury.journal check --strict\n\
    reledger report render --to beancount -o treasury.beancount && bean-check treasury.beancount\n\
    reledger report render --to csv --table divergences -o divergences.csv")]
pub(crate) struct RenderArgs {
    /// For whom.
    #[arg(long, value_enum)]
    to: Target,
    /// How much of a journal: every entry, or sums by day, kind and account.
    #[arg(long, value_enum, default_value = "auto")]
    detail: DetailWord,
    /// A table of the report in the place of the journal; with `--to csv`.
    #[arg(long, value_enum)]
    table: Option<TableWord>,
}

/// `--to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The summary for a terminal.
    Text,
    /// One self-contained page.
    Html,
    /// A page for a pull request or a ticket.
    Md,
    /// A test suite for a build server, one case a check.
    Junit,
    /// Metrics for Prometheus, by a textfile collector.
    Openmetrics,
    /// A journal for hledger, with balance assertions.
    Hledger,
    /// A journal for beancount, with balance assertions.
    Beancount,
    /// One row a posting, or a table of the report (RFC 4180), guarded against formulas.
    Csv,
}

/// `--table`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableWord {
    /// One row a divergence, worst first.
    Divergences,
    /// One row a slice of a source.
    Coverage,
    /// One row a check, whether or not it ran.
    Checks,
}

impl TableWord {
    const fn of_report(self) -> Table {
        match self {
            Self::Divergences => Table::Divergences,
            Self::Coverage => Table::Coverage,
            Self::Checks => Table::Checks,
        }
    }
}

/// `--detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DetailWord {
    /// Entries up to 100,000 of them, days above.
    Auto,
    /// Every entry.
    Entries,
    /// One transaction a day for each kind and direction.
    Days,
}

pub(crate) fn report(global: &Global, output: &Output, command: &ReportCommand) -> Result<ExitCode, AppError> {
    let args = match command {
        ReportCommand::Render(args) => args,
        ReportCommand::Feed(args) => return super::feed::feed(global, output, args),
    };
    if args.table.is_some() && args.to != Target::Csv {
        return Err(settings::usage("--table goes with --to csv".to_owned()));
    }
    match (args.to, args.table) {
        (Target::Csv, Some(table)) => render(global, output, Rendering::Csv(table.of_report())),
        (Target::Text, _) => render(global, output, Rendering::Text),
        (Target::Html, _) => render(global, output, Rendering::Html),
        (Target::Md, _) => render(global, output, Rendering::Markdown),
        (Target::Junit, _) => render(global, output, Rendering::Junit),
        (Target::Openmetrics, _) => render(global, output, Rendering::OpenMetrics),
        (Target::Hledger, _) => journal(global, output, args, Dialect::Hledger),
        (Target::Beancount, _) => journal(global, output, args, Dialect::Beancount),
        (Target::Csv, None) => journal(global, output, args, Dialect::Csv),
    }
}

/// Writes the report in other words. What it is worth it says itself.
fn render(global: &Global, output: &Output, rendering: Rendering) -> Result<ExitCode, AppError> {
    may_write(global)?;
    if global.dry_run {
        let run = inert(&global.run.display().to_string());
        return documents::would(output, &format!("write the report of the run in {run} as {}", rendering.name()));
    }
    app::with_run(&global.run, |document, measured| {
        output.emit_by(|out| app::render(rendering, document, measured, out)).map(drop)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn journal(global: &Global, output: &Output, args: &RenderArgs, dialect: Dialect) -> Result<ExitCode, AppError> {
    let detail = match args.detail {
        DetailWord::Auto => Detail::Auto,
        DetailWord::Entries => Detail::Entries,
        DetailWord::Days => Detail::Days,
    };
    let options = settings::run_options(global, "report")?;
    let by = settings::judged_by(global)?;
    may_write(global)?;
    if global.dry_run {
        let run = inert(&global.run.display().to_string());
        return documents::would(output, &format!("write the journal of the run in {run} for {}", dialect.name()));
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let how = (options.as_of, options.clock, options.jobs);
    let journal = app::journal_of_run(&global.run, &by, how, observer.as_ref(), &cancel)?;
    drop(observer);
    let written = output.emit_by(|out| journal.write(out, dialect, detail, global.reveal_users))?;
    // Whoever went away before the end has what was wanted.
    let Some(written) = written else { return Ok(ExitCode::SUCCESS) };
    let code = if written.entries == 0 { Condition::Incomplete.exit_code().0 } else { 0 };
    if !global.quiet {
        say(&format!(
            "{}: {} on {} in {}, {}; as of {}; exit {code}",
            dialect.name(),
            if written.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", written.entries) },
            counted(written.accounts, "account"),
            counted(written.transactions, if written.by_day { "daily sum" } else { "transaction" }),
            counted(written.assertions, "assertion"),
            journal.as_of
        ));
    }
    Ok(ExitCode::from(code))
}

/// Never over a file that is there, unless it was said. A device or a pipe is no such file.
fn may_write(global: &Global) -> Result<(), AppError> {
    let Some(path) = global.output.as_ref().filter(|path| path.as_path() != Path::new("-")) else { return Ok(()) };
    if path.is_file() && !global.yes {
        return Err(AppError::Refused {
            what: format!("{} is there already", path.display()),
            hint: "name another file, or say --yes to replace it".to_owned(),
        });
    }
    Ok(())
}
