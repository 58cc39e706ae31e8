//! `reledger report feed`: a run on a public page, one line a run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::documents;
use super::output::{Output, counted, say};
use crate::app::{self, AppError};
use crate::domain::{Condition, Digest32, inert};

/// Which feed, and what to do with it.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Adds the finished run that --run names, whatever its verdict: red ones are published like others. Each line \
    names the digest of the one before; no line names a user, a source or a path. The same report is added once. What a line \
    says is `reledger schema feed`.\n\nWhoever remembers the head sees when lines at the end were cut off: --expect-head.\n\n\
    Exit 0: added, there already, or verified; 2: no finished run, or no feed; 3: the feed is empty; 5: the run or the feed was \
    altered, with the member or the line."
)]
pub(crate) struct FeedArgs {
    /// Add the run to this feed.
    #[arg(long, value_name = "FILE", required_unless_present = "verify", conflicts_with_all = ["verify", "expect_head"])]
    to: Option<PathBuf>,
    /// Verify this feed instead.
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    /// The feed's last line has to be the one of this digest.
    #[arg(long, value_name = "HEX", requires = "verify")]
    expect_head: Option<Digest32>,
}

pub(crate) fn feed(global: &Global, output: &Output, args: &FeedArgs) -> Result<ExitCode, AppError> {
    match (&args.to, &args.verify) {
        (_, Some(feed)) => {
            let found = app::verify_feed(feed, args.expect_head.as_ref())?;
            let code = if found.entries == 0 { Condition::Incomplete.exit_code().0 } else { 0 };
            let head = found.head.map(|head| head.to_hex());
            let lines = counted(found.entries as u64, "line");
            let said = format!("{lines}, each holds on to the one before; head {}", head.as_deref().unwrap_or("none"));
            let value = json!({"entries": found.entries, "head": head, "exit_code": code});
            output.emit_either(&format!("{said}; exit {code}\n"), &value)?;
            Ok(ExitCode::from(code))
        }
        (Some(feed), None) if global.dry_run => {
            let (run, feed) = (global.run.display().to_string(), feed.display().to_string());
            documents::would(output, &format!("add the run in {} to the feed {}", inert(&run), inert(&feed)))
        }
        (Some(feed), None) => {
            let fed = app::feed_run(&global.run, feed)?;
            if fed.cut > 0 {
                say(&format!("{}: {} bytes of a torn last line were cut away", feed.display(), fed.cut));
            }
            let did = if fed.added { "added as" } else { "nothing added: this report is" };
            let value = json!({"added": fed.added, "line": fed.line, "head": fed.head.to_hex(), "cut_bytes": fed.cut, "exit_code": 0});
            output.emit_either(&format!("{did} line {}; head {}; exit 0\n", fed.line, fed.head), &value)?;
            Ok(ExitCode::SUCCESS)
        }
        // clap asks for one of the two.
        (None, None) => Err(super::settings::usage("--to or --verify is needed".to_owned())),
    }
}
