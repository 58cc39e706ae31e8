//! One run, verified by several processes: a store that they share, what is offered in it, and what comes back.

#[cfg(feature = "postgres")]
mod bring_up;
#[cfg(feature = "postgres")]
mod coordinate;
#[cfg(feature = "postgres")]
mod knowledge;
#[cfg(feature = "postgres")]
mod worker;

#[cfg(feature = "postgres")]
pub use worker::{Worked, WorkerOptions, work};

use super::error::AppError;
use super::judge::Share;
use super::options::RunOptions;
use super::plan::Plan;
use super::run::RunFolder;
use crate::store::{Engine, LogStore};
#[cfg(feature = "postgres")]
use crate::store::{Queue, SharedCopy};

/// Opens the store of a run for writing; beside it whoever checks signatures too, where the store is shared.
///
/// # Errors
/// [`AppError::Config`] for a store that there is none of; [`AppError::Refused`] for one over a socket under `--offline`;
/// [`AppError::Store`].
pub(super) fn open(
    plan: &Plan,
    options: &RunOptions,
    folder: &RunFolder,
) -> Result<(LogStore, Option<Box<dyn Share>>), AppError> {
    let engine = Engine::from_url(&plan.store).map_err(|error| AppError::Config {
        what: format!("`store.url`: {error}"),
        hint: "use redb:, sled:, memory: or postgres://user@host/database".to_owned(),
    })?;
    if options.offline && matches!(engine, Engine::Postgres(_)) {
        return Err(AppError::Refused {
            what: format!("the store is over a socket, and --offline forbids it: {}", named(&engine)),
            hint: "leave out --offline, or judge the same evidence with `store.url = \"redb:\"`".to_owned(),
        });
    }
    #[cfg(feature = "postgres")]
    if let Engine::Postgres(address) = &engine {
        // Whether the server is there and lets us in is asked before anything is made in the folder.
        let queue = Queue::open(address, "coordinator")?;
        let store = LogStore::open(&folder.evidence(), &folder.state(), &engine)?;
        let copy = SharedCopy::open(address, &folder.state())?;
        return Ok((store, Some(Box::new(coordinate::Coordinator::new(queue, copy, options)))));
    }
    Ok((LogStore::open(&folder.evidence(), &folder.state(), &engine)?, None))
}

fn named(engine: &Engine) -> String {
    match engine {
        Engine::Postgres(address) => address.to_string(),
        Engine::Redb | Engine::Sled | Engine::Memory => engine.name().to_owned(),
    }
}
