//! `reledger divergences export`: bundles of a finished run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::app::{self, AppError, Cancel, ExportWanted, Exported, HeldBack, Made};
use crate::cli::args::Global;
use crate::cli::output::{Output, counted, say};
use crate::cli::{documents, progress, settings, signals};
use crate::domain::{Condition, inert};

/// Which divergences.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Reads the finished run that --run names and contacts nobody. The run is judged by its own policy, unless a \
    configuration is named (-c, RELEDGER_CONFIG). A bundle holds the least evidence over which the program says the same; it \
    says when that can't show it. One bundle goes to stdout or to -o FILE; several, or -o with a folder, are files named \
    CODE-FINGERPRINT.bundle.json there, readable by their owner only.\n\nUsers are pseudonyms; signed bytes name them all the \
    same, and the bundle counts whom. Evidence that names others than the one it is about is exported with --reveal-users \
    only.\n\nExit 0: all exported; 2: no such divergence; 6: a bundle was held back, or a file would be overwritten without --yes."
)]
pub(crate) struct ExportArgs {
    /// Fingerprints, which may be cut to 8 digits.
    #[arg(required_unless_present = "all", value_name = "FINGERPRINT")]
    fingerprints: Vec<String>,
    /// Every divergence of the run.
    #[arg(long, conflicts_with = "fingerprints")]
    all: bool,
}

pub(super) fn export(global: &Global, output: &Output, args: &ExportArgs) -> Result<ExitCode, AppError> {
    let wanted = if args.all { ExportWanted::All } else { ExportWanted::These(args.fingerprints.clone()) };
    let by = settings::judged_by(global)?;
    let folder = folder(global, args)?;
    if global.dry_run {
        let what = if args.all { "every divergence".to_owned() } else { args.fingerprints.join(", ") };
        let run = inert(&global.run.display().to_string());
        return documents::would(output, &format!("export {what} of the run in {run}"));
    }
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let observer = progress::observer(global);
    let mut told = Told { global, output, folder, written: Vec::new(), held_back: Vec::new() };
    app::export_bundles(
        &global.run,
        &by,
        &wanted,
        (global.reveal_users, global.jobs),
        (observer.as_ref(), &cancel),
        &mut |made| told.take(made),
    )?;
    drop(observer);
    told.finish()
}

/// The folder that bundles go to, when they go to one.
fn folder(global: &Global, args: &ExportArgs) -> Result<Option<PathBuf>, AppError> {
    let Some(path) = global.output.as_deref().filter(|path| *path != Path::new("-")) else { return Ok(None) };
    let several = args.all || args.fingerprints.len() > 1;
    let says_folder = path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
    if path.is_dir() || (says_folder && !path.exists()) {
        return Ok(Some(path.to_owned()));
    }
    if path.exists() && several {
        return Err(settings::usage(format!("-o {} is no folder, and several bundles were asked for", path.display())));
    }
    if path.exists() && !global.yes {
        return Err(would_overwrite(path));
    }
    Ok(several.then(|| path.to_owned()))
}

fn would_overwrite(path: &Path) -> AppError {
    AppError::Refused {
        what: format!("{} exists", path.display()),
        hint: "say --yes to overwrite it, or name another with -o".to_owned(),
    }
}

struct Told<'a> {
    global: &'a Global,
    output: &'a Output,
    folder: Option<PathBuf>,
    written: Vec<(Exported, Option<PathBuf>)>,
    held_back: Vec<HeldBack>,
}

impl Told<'_> {
    fn take(&mut self, made: Made) -> Result<(), AppError> {
        match made {
            Made::HeldBack(held) => self.held_back.push(held),
            Made::Bundle(mut bundle) => {
                let file = match (&self.folder, self.global.output.as_deref()) {
                    (Some(folder), _) => {
                        let hex = bundle.fingerprint.to_hex();
                        let short = hex.get(..16).unwrap_or(&hex);
                        Some(folder.join(format!("{}-{short}.bundle.json", bundle.code)))
                    }
                    (None, Some(file)) if file != Path::new("-") => Some(file.to_owned()),
                    (None, _) => None,
                };
                if let Some(file) = &file {
                    if file.exists() && !self.global.yes {
                        return Err(would_overwrite(file));
                    }
                    app::write_private(file, &bundle.bytes)?;
                } else {
                    self.output.emit(&bundle.bytes)?;
                }
                bundle.bytes = Vec::new();
                self.written.push((bundle, file));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<ExitCode, AppError> {
        let condition = if self.held_back.is_empty() { None } else { Some(Condition::Refused) };
        let code = condition.map_or(0, |condition| condition.exit_code().0);
        if self.folder.is_some() {
            let (text, value) = (self.text(), self.value(code));
            // The folder is where the bundles are: the list of them goes to standard output.
            let listing = Output::new(&Global { output: None, ..self.global.clone() });
            listing.emit_either(&text, &value)?;
        }
        for held in &self.held_back {
            say(&format!("held back: {} {}: {}", held.code, held.fingerprint, held.why));
        }
        if self.held_back.iter().any(|held| held.for_names) {
            say("  hint: --reveal-users exports evidence that names others");
        }
        if !self.global.quiet {
            let names: usize = self.written.iter().map(|(bundle, _)| bundle.names).sum();
            if names > 0 {
                say("the evidence in these bundles names persons: each says how many under `discloses`");
            }
            let alone = self.written.iter().filter(|(bundle, _)| bundle.self_contained).count();
            say(&format!(
                "{}, {alone} of them self-contained; {} held back; exit {code}",
                counted(self.written.len() as u64, "bundle"),
                self.held_back.len()
            ));
        }
        Ok(ExitCode::from(code))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (bundle, file) in &self.written {
            let place = file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
            let standing = if bundle.self_contained { "self-contained" } else { "not self-contained" };
            let reason = bundle.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            text.push_str(&format!("{} {} {} pieces, {standing}{reason}\n", inert(&place), bundle.id, bundle.pieces));
        }
        text
    }

    fn value(&self, code: u8) -> serde_json::Value {
        let written = self.written.iter().map(|(bundle, file)| {
            serde_json::json!({
                "code": bundle.code, "fingerprint": bundle.fingerprint, "id": bundle.id,
                "file": file.as_ref().map(|file| file.display().to_string()),
                "self_contained": bundle.self_contained, "reason": bundle.reason, "pieces": bundle.pieces,
                "names": bundle.names,
            })
        });
        let held = self
            .held_back
            .iter()
            .map(|held| serde_json::json!({"code": held.code, "fingerprint": held.fingerprint, "why": held.why}));
        serde_json::json!({
            "bundles": written.collect::<Vec<_>>(), "held_back": held.collect::<Vec<_>>(), "exit_code": code,
        })
    }
}
