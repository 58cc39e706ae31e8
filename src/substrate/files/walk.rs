//! Going through a folder: everything below it, in order of name, never out of it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::decompress::Fault;
use crate::domain::Media;
use crate::substrate::Stopped;

/// Folders inside folders; a deeper tree is not a folder of evidence.
const FOLDER_DEPTH_MAX: usize = 32;
const COMPRESSED: [&str; 2] = [".gz", ".zst"];

/// What a walk comes across.
pub(super) enum Found<'p> {
    /// A regular file of the right name.
    File(&'p Path),
    /// Something that should have been read and was not.
    Unread(Fault),
}

/// Visits a folder. Memory holds the names of one folder at each depth.
///
/// # Errors
/// Whatever the visitor answers, at once.
pub(super) fn visit(
    folder: &Path,
    media: Media,
    visitor: &mut dyn FnMut(Found<'_>) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    match fs::canonicalize(folder) {
        Ok(root) => Walk { root: &root, media, visitor }.folder(folder, 0),
        Err(_) => visitor(Found::Unread(Fault::Unreadable)),
    }
}

struct Walk<'w> {
    /// Where the walk began, without links.
    root: &'w Path,
    media: Media,
    visitor: &'w mut dyn FnMut(Found<'_>) -> Result<(), Stopped>,
}

impl Walk<'_> {
    // Recursion is bounded by FOLDER_DEPTH_MAX.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Stopped> {
        if depth > FOLDER_DEPTH_MAX {
            return (self.visitor)(Found::Unread(Fault::TooDeep));
        }
        let Ok(names) = sorted_names(folder) else {
            return (self.visitor)(Found::Unread(Fault::Unreadable));
        };
        for name in names {
            let path = folder.join(&name);
            let Ok(kind) = fs::symlink_metadata(&path).map(|metadata| metadata.file_type()) else {
                (self.visitor)(Found::Unread(Fault::Unreadable))?;
                continue;
            };
            if kind.is_dir() {
                self.folder(&path, depth.saturating_add(1))?;
            } else if kind.is_symlink() {
                self.link(&path)?;
            } else if kind.is_file() && is_wanted(&name.to_string_lossy(), self.media) {
                (self.visitor)(Found::File(&path))?;
            }
        }
        Ok(())
    }

    /// What a link inside the folder points to is met on the walk anyway.
    fn link(&mut self, path: &Path) -> Result<(), Stopped> {
        match fs::canonicalize(path) {
            Ok(target) if target.starts_with(self.root) => Ok(()),
            _ => (self.visitor)(Found::Unread(Fault::LinkOutside)),
        }
    }
}

fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn is_wanted(name: &str, media: Media) -> bool {
    let extension = Path::new(without_compression(name)).extension();
    media != Media::OtsProof || extension.is_some_and(|extension| extension.eq_ignore_ascii_case("ots"))
}

/// The name without the ending of a compression.
pub(super) fn without_compression(name: &str) -> &str {
    COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}
