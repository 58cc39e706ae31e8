//! `reledger custody`: who held custody of an address, and when.

use std::process::ExitCode;
use std::str::FromStr as _;

use clap::{Args, Subcommand};

use super::args::Global;
use super::output::{Output, counted, say};
use super::{documents, progress, settings, signals};
use crate::app::{self, AppError, AsOfWanted, Cancel, CustodyQuestion};
use crate::domain::{UserKey, inert};

/// What to tell.
#[derive(Debug, Subcommand)]
pub(crate) enum CustodyCommand {
    /// Who held custody at an instant: state, active descriptor with its guardians, what that rests on and how far it is
    /// proven.
    At(AtArgs),
    /// Every rebind, rotation and graduation in order.
    #[command(after_help = EXITS)]
    History {
        /// An address, a did:oc or a user key, as signed records write it; or its pseudonym in the report.
        address: String,
    },
}

const EXITS: &str = "Reads the run that --run names and contacts nobody. A finished run is judged by its own policy, \
    unless a configuration is named (-c, RELEDGER_CONFIG): then by what that says now. One that is only captured needs its \
    configuration. Names other than ADDRESS are pseudonyms unless --reveal-users is given.\n\nTrust \
    levels, weakest first: contested (a fork, a gap, an equivocation, or a step out of a descriptor that was not active), \
    assumed (no transition says so, or no signed statement of the operator or the user names the guardians), signed (not all \
    in a final block by then), bitcoin-proven.\n\nExit 0: state and who signs are established, and trust is signed or \
    bitcoin-proven; 1: it is contested, or an open divergence at or above --fail-on touches it; 3: it is only assumed, the \
    guardians are not established or their descriptor is not held, nothing that counts is held about that name, the height is \
    not known, or the instant is later than the as-of.";

/// Whose custody, and when.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXITS)]
pub(crate) struct AtArgs {
    /// An address, a did:oc or a user key, as signed records write it; or its pseudonym in the report.
    address: String,
    /// The instant: UTC time, with a fraction if need be, date, Unix seconds, `now`; or a height (a number below 500000000), for the time of its block.
    #[arg(long, value_name = "TIME|HEIGHT")]
    when: String,
}

pub(crate) fn custody(global: &Global, output: &Output, command: &CustodyCommand) -> Result<ExitCode, AppError> {
    let options = settings::run_options(global, "custody")?;
    let (who, question) = match command {
        CustodyCommand::At(AtArgs { address, when }) if when == "now" => {
            (address, CustodyQuestion::At(options.clock.into()))
        }
        CustodyCommand::At(AtArgs { address, when }) => {
            let wanted = AsOfWanted::from_str(when).map_err(|what| settings::usage(format!("--when: {what}")))?;
            let question = match wanted {
                AsOfWanted::Block(height) => CustodyQuestion::AtBlock(height),
                // A time with a fraction is that microsecond; every other form has whole seconds.
                AsOfWanted::Time(time) => {
                    CustodyQuestion::At(when.replacen(' ', "T", 1).parse().unwrap_or_else(|_| time.into()))
                }
            };
            (address, question)
        }
        CustodyCommand::History { address } => (address, CustodyQuestion::History),
    };
    let by = settings::judged_by(global)?;
    if global.dry_run {
        return documents::would(output, &format!("read the run in {}", inert(&global.run.display().to_string())));
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let how = (options.as_of, options.clock, options.jobs);
    let who = UserKey::from(who.as_str());
    let found = app::custody_of_run(&global.run, &by, (&who, &question), how, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = found.exit_code(options.fail_on);
    output.emit_either(
        &app::custody_text(&found, global.reveal_users),
        &app::custody_value(&found, global.reveal_users, code),
    )?;
    if !global.quiet {
        let touched = found.divergences.len();
        let verdict = found.at.as_ref().map_or("history", |at| at.trust.name());
        say(&format!(
            "{verdict}: {}, {} about them; exit {code}",
            counted(found.transitions.len() as u64, "transition"),
            counted(touched as u64, "divergence")
        ));
    }
    Ok(ExitCode::from(code))
}
