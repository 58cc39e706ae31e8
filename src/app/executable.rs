//! Which executable runs: its digest, found beside other work.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use super::unchanged::rest_sha256;
use crate::domain::Digest32;

/// An executable whose digest a thread of its own finds. Copies are the same.
#[derive(Debug, Clone, Default)]
pub struct Executable(Option<Arc<Found>>);

#[derive(Debug)]
struct Found {
    path: PathBuf,
    sha256: OnceLock<Option<Digest32>>,
}

impl Executable {
    /// Begins to read. Where the system gives no thread, whoever asks first reads it.
    pub fn at(path: PathBuf) -> Self {
        let found = Arc::new(Found { path, sha256: OnceLock::new() });
        let beside = Self(Some(Arc::clone(&found)));
        let _ = thread::Builder::new().name("executable".to_owned()).spawn(move || beside.sha256());
        Self(Some(found))
    }

    /// Its digest, as soon as it is there; `None` when it is not known which one runs, or it can't be read: a log without it is better than no
    /// run.
    pub fn sha256(&self) -> Option<Digest32> {
        let found = self.0.as_ref()?;
        *found.sha256.get_or_init(|| rest_sha256(&mut File::open(&found.path).ok()?).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::unchanged::PIECE_BYTES as PIECE;
    use crate::domain::sha256;

    #[test]
    fn an_executable_is_known_by_its_digest_and_one_that_is_not_there_by_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool");
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let bytes = vec![7; len];
            std::fs::write(&path, &bytes).unwrap();
            let tool = Executable::at(path.clone());
            assert_eq!(tool.clone().sha256(), Some(sha256(&bytes)));
            assert_eq!(tool.sha256(), Some(sha256(&bytes)));
        }
        assert_eq!(Executable::at(folder.path().join("other")).sha256(), None);
        assert_eq!(Executable::default().sha256(), None);
    }
}
