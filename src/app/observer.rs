//! How a use-case says where it is, and how it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What happens during a run, for progress bars and logs. Never for judging.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A stage began; `total` where it is known.
    Stage {
        /// `capture`, `verify`, `upgrade`, `rebuild`, `report`.
        name: &'static str,
        /// Items ahead, where known.
        total: Option<u64>,
    },
    /// Items done in the current stage.
    Progress {
        /// How many so far.
        done: u64,
    },
    /// A source ended.
    SourceEnded {
        /// Its name.
        source: String,
        /// Items it gave.
        items: u64,
        /// True when every slice ended properly.
        proper: bool,
        /// Why not, or empty.
        reason: String,
    },
    /// Something worth a line in the log.
    Note(String),
}

/// Takes events. The one seam through which the library speaks while it works.
pub trait Observer: Send + Sync {
    /// Takes one event. Must not block for long.
    fn event(&self, event: Event);
}

/// Takes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}
}

/// Tells a run to stop. Looked at between batches and pages.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicU8>);

impl Cancel {
    /// Asks the run to stop.
    pub fn cancel(&self, terminated: bool) {
        self.0.store(if terminated { 2 } else { 1 }, Ordering::SeqCst);
    }

    /// True when asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// An error when asked to stop.
    ///
    /// # Errors
    /// [`super::AppError::Interrupted`].
    pub fn check(&self) -> Result<(), super::AppError> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            how => Err(super::AppError::Interrupted { terminated: how == 2 }),
        }
    }
}
