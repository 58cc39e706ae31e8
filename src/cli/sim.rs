//! `reledger sim serve` and `reledger sim write`.

use std::process::ExitCode;
use std::sync::Arc;

use super::args::SimArgs;
use super::output::{Output, say};
use crate::app::{AppError, Cancel, write_atomic};
use crate::domain::inert;
use crate::sim::{Noise, World, serve as serve_world, serve_toml, write as write_world};

/// The configuration that points at a served world.
const LOOPBACK_CONFIG: &str = "reledger-loopback.toml";

/// Writes a world as files.
pub(crate) fn write(output: &Output, args: &SimArgs) -> Result<ExitCode, AppError> {
    let world = world(args);
    write_world(&world, &args.dir).map_err(|error| failed(&error, args))?;
    output.emit(
        format!(
            "wrote world {} to {}; judge it with -c {}\n",
            args.seed,
            shown(args),
            inert(&config(args, "reledger.toml"))
        )
        .as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Serves a world until it is interrupted. The configuration is written last: when it is there, every server listens.
pub(crate) fn serve(output: &Output, args: &SimArgs) -> Result<ExitCode, AppError> {
    let world = Arc::new(world(args));
    write_world(&world, &args.dir).map_err(|error| failed(&error, args))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|source| AppError::Io { action: "start the servers in", file: shown(args), source })?;
    let cancel = Cancel::default();
    super::signals::listen(cancel.clone());
    runtime.block_on(async {
        let stopped = async move {
            while !cancel.is_cancelled() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let serving =
            serve_world(Arc::clone(&world), Vec::new(), stopped).await.map_err(|error| failed(&error, args))?;
        let text = serve_toml(&serving, &world, &args.dir).map_err(|error| failed(&error, args))?;
        write_atomic(&args.dir.join(LOOPBACK_CONFIG), text.as_bytes())?;
        for relay in &serving.relays {
            say(&format!("relay ws://{relay}"));
        }
        say(&format!("calendar, gateway, headers http://{}", serving.http));
        let ready = config(args, LOOPBACK_CONFIG);
        output.emit(format!("serving world {}; judge it with -c {}\n", args.seed, inert(&ready)).as_bytes())?;
        serving.finished().await.map_err(|error| failed(&error, args))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn world(args: &SimArgs) -> World {
    let noise = if args.noise { Noise::seeded(args.seed) } else { Noise::default() };
    World::generate_with(args.seed, args.events, &noise)
}

fn config(args: &SimArgs, name: &str) -> String {
    args.dir.join(name).display().to_string()
}

fn shown(args: &SimArgs) -> String {
    inert(&args.dir.display().to_string())
}

fn failed(error: &crate::sim::SimError, args: &SimArgs) -> AppError {
    let source = std::io::Error::other(error.to_string());
    AppError::Io { action: "make the world in", file: args.dir.display().to_string(), source }
}
