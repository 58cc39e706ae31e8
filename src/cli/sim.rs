//! `reledger sim serve` and `reledger sim write`.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::args::Global;
use super::output::{Output, say};
use super::worlds::{ServeArgs, SimArgs};
use crate::app::{AppError, Cancel, Event, Observer, Silent};
use crate::domain::inert;
use crate::sim::{
    EXPECTED_MAX, HeaderDialect, Noise, Place, Replace, Services, Serving, SimError, Stopped, Watch, World, Written,
    serve_with, write_seeded, write_served,
};

/// The configuration that points at a served world.
const LOOPBACK_CONFIG: &str = "reledger-loopback.toml";

/// Worlds of more events take long enough to say how far they are.
const LONG: u32 = 5_000;

/// Writes a world as files.
pub(crate) fn write(global: &Global, output: &Output, args: &SimArgs) -> Result<ExitCode, AppError> {
    let cancel = Cancel::default();
    // With a listener a file size limit fails like a full disk, and the folder is left as it was.
    super::signals::listen(cancel.clone());
    let observer = if args.events > LONG { super::progress::observer(global) } else { Box::new(Silent) };
    let following = Following { observer: observer.as_ref(), cancel: &cancel };
    let written =
        place(global, args).and_then(|place| write_seeded(args.seed, args.events, &noise(args), place, &following));
    drop(observer);
    let written = written.map_err(|error| told(error, &cancel, args))?;
    let (expected, about) = match written {
        Written::Expected => {
            (Some(args.dir.join("expected.json")), "expected.json there holds what must be reported".to_owned())
        }
        Written::Unstated => (None, format!("no expected.json: the oracle takes at most {EXPECTED_MAX} events")),
    };
    let config = args.dir.join("reledger.toml");
    let value = json!({
        "schema": "reledger/sim-write/1",
        "dir": args.dir.display().to_string(),
        "config": config.display().to_string(),
        "expected": expected.map(|path| path.display().to_string()),
        "events": args.events,
        "seed": args.seed,
    });
    let text = format!("wrote world {} to {}; judge it with -c {}\n{about}\n", args.seed, shown(args), typed(&config));
    output.emit_either(&text, &value)?;
    Ok(ExitCode::SUCCESS)
}

fn place(global: &Global, args: &SimArgs) -> Result<Place, SimError> {
    Place::take(&args.dir, if global.yes { Replace::Anything } else { Replace::World })
}

/// Tells progress and hears signals.
struct Following<'a> {
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl Watch for Following<'_> {
    type Stop = Stopped;

    fn stage(&self, name: &'static str, total: u64) {
        self.observer.event(Event::Stage { name, total: Some(total) });
    }

    fn done(&self, items: u64) -> Result<(), Stopped> {
        self.observer.event(Event::Progress { done: items });
        if self.cancel.is_cancelled() { Err(Stopped) } else { Ok(()) }
    }
}

/// Serves a world until it is interrupted. Ports are opened before anything is written, and the configuration is written
/// last: when it is there, every server listens.
pub(crate) fn serve(global: &Global, output: &Output, args: &ServeArgs) -> Result<ExitCode, AppError> {
    if global.offline {
        return Err(AppError::Refused {
            what: "sim serve opens sockets, and --offline forbids them".to_owned(),
            hint: "leave out --offline, or write the world as files with `sim write`".to_owned(),
        });
    }
    let place = place(global, &args.world).map_err(|error| failed(error, &args.world))?;
    let world = Arc::new(world(&args.world));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|source| AppError::Io { action: "start the servers in", file: shown(&args.world), source })?;
    let cancel = Cancel::default();
    super::signals::listen(cancel.clone());
    runtime.block_on(async {
        let stopped = async move {
            while !cancel.is_cancelled() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let (args, how) = (&args.world, services(args));
        let serving = serve_with(Arc::clone(&world), how, stopped).await.map_err(|error| failed(error, args))?;
        write_served(&serving, &world, place).map_err(|error| failed(error, args))?;
        announce(&serving);
        let ready = typed(&args.dir.join(LOOPBACK_CONFIG));
        output.emit(format!("serving world {}; judge it with -c {ready}\n", args.seed).as_bytes())?;
        serving.finished().await.map_err(|error| failed(error, args))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn noise(args: &SimArgs) -> Noise {
    if args.noise { Noise::seeded(args.seed) } else { Noise::default() }
}

fn world(args: &SimArgs) -> World {
    World::generate_with(args.seed, args.events, &noise(args))
}

fn services(args: &ServeArgs) -> Services {
    Services {
        behaviours: args.misbehave.clone(),
        pace_ms: args.pace,
        first_port: args.port,
        headers: if args.esplora { HeaderDialect::Esplora } else { HeaderDialect::Core },
        ..Services::default()
    }
}

fn announce(serving: &Serving) {
    for relay in &serving.relays {
        say(&format!("relay ws://{relay}"));
    }
    for calendar in &serving.calendars {
        say(&format!("calendar http://{calendar}"));
    }
    for (role, address) in &serving.addresses {
        say(&format!("{role} http://{address}"));
    }
    say(&format!("all of them over HTTP http://{}", serving.http));
    say(&format!("trap http://{}", serving.trap()));
    for behaviour in &serving.services().behaviours {
        say(&format!("{behaviour}: {}", behaviour.misbehaviour().meaning()));
    }
}

/// A path as a shell takes it for one argument that is no flag.
fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let text = if text.starts_with('-') { format!("./{text}") } else { text };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    inert(&if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) })
}

fn shown(args: &SimArgs) -> String {
    inert(&args.dir.display().to_string())
}

/// What became of a write that a signal may have stopped.
fn told(error: SimError, cancel: &Cancel, args: &SimArgs) -> AppError {
    match (error, cancel.check()) {
        (SimError::Stopped(_), Err(AppError::Interrupted { terminated })) => AppError::Abandoned { terminated },
        (error, _) => failed(error, args),
    }
}

fn failed(error: SimError, args: &SimArgs) -> AppError {
    let what = inert(&error.to_string());
    match error {
        SimError::Occupied { .. } => AppError::Refused {
            what,
            hint: "use --yes to replace what is in the way, or name another --dir".to_owned(),
        },
        SimError::Locked { .. } => {
            AppError::Busy { what, hint: "wait for the other process, or name another --dir".to_owned() }
        }
        SimError::Write { source, .. } => {
            AppError::Local { what, hint: format!("{}; nothing was written", remedy(source.kind())), source }
        }
        SimError::Torn { source, .. } => {
            let hint = "make the folder writable and run the command again: it first puts back what was there";
            AppError::Local { what, hint: hint.to_owned(), source }
        }
        SimError::Listen { source, .. } => {
            let hint = "name another --port, or none to listen on free ones; nothing was written";
            AppError::Local { what, hint: hint.to_owned(), source }
        }
        SimError::Ports { needed, .. } => {
            let last = u32::from(u16::MAX) + 1 - u32::from(needed);
            AppError::Config { what: format!("--port: {what}"), hint: format!("name a --port up to {last}") }
        }
        SimError::Behaviour(error) => AppError::Config {
            what: error.to_string(),
            hint: "servers of a role are counted from 0; without an index all of them are meant".to_owned(),
        },
        other => AppError::Local {
            what: format!("make the world in {}", shown(args)),
            hint: "run the command again".to_owned(),
            source: Error::other(other.to_string()),
        },
    }
}

/// What helps against that failure of a folder.
fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room on the disk, or name a --dir on another one"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "name a --dir that can be written",
        ErrorKind::InvalidFilename => "name a --dir with a shorter name",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "name a --dir that is a folder, or not there",
        ErrorKind::CrossesDevices | ErrorKind::ResourceBusy => "name a --dir that no other file system is mounted in",
        _ => "check that the folder can be written, or name another --dir",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_printed_as_a_shell_takes_it() {
        for (path, text) in [
            ("/tmp/a_b-1.2/world", "/tmp/a_b-1.2/world"),
            ("my world", "'my world'"),
            ("it's", "'it'\\''s'"),
            ("$HOME;*", "'$HOME;*'"),
            ("~/w", "'~/w'"),
            ("-v", "./-v"),
            ("-v w", "'./-v w'"),
        ] {
            assert_eq!(typed(Path::new(path)), text);
        }
    }
}
