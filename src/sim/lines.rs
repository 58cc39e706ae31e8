//! What leaves a world line by line, and the files that it goes to.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::gateway_log::{LogEntry, PaymentLog};
use super::nostr::SimEvent;
use super::press::Press;
use super::world::World;
use super::write::SimError;

/// The parts of a world that are written line by line.
pub(super) struct Lines<'a> {
    pub(super) events: Box<dyn Iterator<Item = SimEvent> + 'a>,
    pub(super) archived: Box<dyn Iterator<Item = SimEvent> + 'a>,
    pub(super) settlements: Box<dyn Iterator<Item = String> + 'a>,
    /// Newest first.
    pub(super) payment_log: Box<dyn Iterator<Item = LogEntry> + 'a>,
    pub(super) has_archive: bool,
    /// How many there are.
    pub(super) total: usize,
}

impl<'a> Lines<'a> {
    /// Of a world that is held.
    pub(super) fn of(world: &'a World) -> Self {
        Self {
            total: world.events.len() + world.archived.len() + world.settlements.len() + world.payment_log.len(),
            has_archive: !world.archived.is_empty(),
            events: Box::new(world.events.iter().cloned()),
            archived: Box::new(world.archived.iter().cloned()),
            settlements: Box::new(world.settlements.iter().cloned()),
            payment_log: Box::new(world.payment_log.iter().rev().cloned()),
        }
    }

    /// Of a world that is written anew.
    pub(super) fn from(press: &'a Press, log: &'a PaymentLog<'a>) -> Self {
        Self {
            total: press.items.len() + press.archived.len() + press.settlements.len() + log.entries().len(),
            has_archive: !press.archived.is_empty(),
            events: Box::new(press.events()),
            archived: Box::new(press.archived()),
            settlements: Box::new(press.settlements()),
            payment_log: Box::new(log.entries().rev()),
        }
    }
}

/// A file on its way to the disk.
pub(super) struct Sheet {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Sheet {
    pub(super) fn new(dir: &Path, name: &str) -> Result<Self, SimError> {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        let file = fs::create_dir_all(parent).and_then(|()| File::create(&path));
        let file = file.map_err(|source| SimError::Write { path: path.clone(), source })?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file) })
    }

    fn text(&mut self, text: &str) -> Result<(), SimError> {
        self.file.write_all(text.as_bytes()).map_err(|source| SimError::Write { path: self.path.clone(), source })
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), SimError> {
        self.text(text)?;
        self.text("\n")
    }

    /// A JSON array of finished JSON texts.
    pub(super) fn array<S: AsRef<str>>(
        &mut self,
        items: impl Iterator<Item = Result<S, SimError>>,
    ) -> Result<(), SimError> {
        self.text("[")?;
        for (index, item) in items.enumerate() {
            let item = item?;
            if index > 0 {
                self.text(",")?;
            }
            self.text(item.as_ref())?;
        }
        self.text("]")
    }

    /// Everything is written, or the failure is told.
    pub(super) fn end(mut self) -> Result<(), SimError> {
        self.file.flush().map_err(|source| SimError::Write { path: self.path, source })
    }
}
