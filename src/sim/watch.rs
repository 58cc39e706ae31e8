//! Long work that tells how far it is and can be stopped.

use std::convert::Infallible;

/// Follows long work. Nothing that it says changes what is made.
pub trait Watch {
    /// What ends the work.
    type Stop;

    /// A stage begins, of so many items.
    fn stage(&self, name: &'static str, total: u64);

    /// So many items of the stage are done.
    ///
    /// # Errors
    /// When the work is to stop.
    fn done(&self, items: u64) -> Result<(), Self::Stop>;
}

/// Nobody follows, and nothing stops.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    type Stop = Infallible;

    fn stage(&self, _: &'static str, _: u64) {}

    fn done(&self, _: u64) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The work was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// Items between two looks at the watch.
const STRIDE: u64 = 512;

/// Counts the items of a stage.
pub(super) struct Pace<'a, W> {
    watch: &'a W,
    done: u64,
}

impl<'a, W: Watch> Pace<'a, W> {
    pub(super) fn new(watch: &'a W, name: &'static str, total: usize) -> Self {
        watch.stage(name, u64::try_from(total).unwrap_or(u64::MAX));
        Self { watch, done: 0 }
    }

    /// One item more.
    pub(super) fn step(&mut self) -> Result<(), W::Stop> {
        self.done += 1;
        if self.done.is_multiple_of(STRIDE) { self.watch.done(self.done) } else { Ok(()) }
    }
}
