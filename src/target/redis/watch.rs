//! How a load says where it is, and how it is told to stop: between two batches.

use super::error::TargetError;

/// The caller's two ends.
pub struct Watch<'a> {
    /// True when asked to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// A stage began, with what is ahead.
    pub stage: &'a dyn Fn(&'static str, u64),
    /// So many are done in it.
    pub done: &'a dyn Fn(u64),
}

impl Watch<'_> {
    /// Tells how far we are.
    ///
    /// # Errors
    /// [`TargetError::Stopped`] when asked to.
    pub(super) fn check(&self, done: u64) -> Result<(), TargetError> {
        (self.done)(done);
        if (self.stop)() { Err(TargetError::Stopped) } else { Ok(()) }
    }
}
