//! `reledger sim serve` and `reledger sim write`.

use std::process::ExitCode;
use std::sync::Arc;

use super::args::{Global, ServeArgs, SimArgs};
use super::output::{Output, say};
use crate::app::{AppError, Cancel, Event, Observer, Silent};
use crate::domain::inert;
use crate::sim::{
    EXPECTED_MAX, HeaderDialect, Noise, Services, Serving, SimError, Stopped, Watch, World, Written, serve_toml,
    serve_with, write as write_world, write_seeded,
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
    let written = write_seeded(args.seed, args.events, &noise(args), &args.dir, &following);
    drop(observer);
    let written = written.or_else(|error| {
        cancel.check()?;
        Err(failed(error, args))
    })?;
    let expected = match written {
        Written::Expected => "expected.json there holds what must be reported".to_owned(),
        Written::Unstated => format!("no expected.json: the oracle takes at most {EXPECTED_MAX} events"),
    };
    let ready = config(args, "reledger.toml");
    let place = shown(args);
    output.emit(
        format!("wrote world {} to {place}; judge it with -c {}\n{expected}\n", args.seed, inert(&ready)).as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
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
pub(crate) fn serve(output: &Output, args: &ServeArgs) -> Result<ExitCode, AppError> {
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
        write_world(&world, &args.dir).map_err(|error| failed(error, args))?;
        serve_toml(&serving, &world, &args.dir).map_err(|error| failed(error, args))?;
        announce(&serving);
        let ready = config(args, LOOPBACK_CONFIG);
        output.emit(format!("serving world {}; judge it with -c {}\n", args.seed, inert(&ready)).as_bytes())?;
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
    for behaviour in &serving.services().behaviours {
        say(&format!("{behaviour}: {}", behaviour.misbehaviour().meaning()));
    }
}

fn config(args: &SimArgs, name: &str) -> String {
    args.dir.join(name).display().to_string()
}

fn shown(args: &SimArgs) -> String {
    inert(&args.dir.display().to_string())
}

fn failed(error: SimError, args: &SimArgs) -> AppError {
    let file = args.dir.display().to_string();
    match error {
        SimError::Write { path, source } => {
            AppError::Io { action: "write", file: inert(&path.display().to_string()), source }
        }
        SimError::Listen { port, source } => AppError::Io { action: "listen on", file: format!("port {port}"), source },
        SimError::Behaviour(error) => AppError::Config {
            what: error.to_string(),
            hint: "servers of a role are counted from 0; without an index all of them are meant".to_owned(),
        },
        other => AppError::Io { action: "make the world in", file, source: std::io::Error::other(other.to_string()) },
    }
}
