//! Single documents of one kind among the files that are to be judged.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::AppError;
use super::inspect::regular_files;

/// How documents of a kind are told from other files.
#[derive(Clone, Copy)]
pub(super) struct Meant {
    /// Bytes that one may have.
    pub(super) bytes_max: usize,
    /// True for bytes that are meant for one, whether or not they hold.
    pub(super) is_meant: fn(&[u8]) -> bool,
}

impl Meant {
    /// Takes them out of a list of files and folders: what is left, folders as the files below them, and the documents judged.
    pub(super) fn split<T>(
        self,
        files: &[PathBuf],
        judge: impl Fn(String, &[u8]) -> T,
    ) -> Result<(Vec<PathBuf>, Vec<T>), AppError> {
        let (mut rest, mut judged) = (Vec::new(), Vec::new());
        for file in files {
            let mut below = vec![file.clone()];
            if file.is_dir() {
                below.clear();
                regular_files(file, 0, &mut below)?;
            }
            for file in below {
                match self.read(&file)? {
                    Some(bytes) => judged.push(judge(file.display().to_string(), &bytes)),
                    None => rest.push(file),
                }
            }
        }
        Ok((rest, judged))
    }

    /// The bytes of a file that is meant for one. What can't be read, or only once, is for the others to tell.
    fn read(self, path: &Path) -> Result<Option<Vec<u8>>, AppError> {
        let small = |file: &std::fs::Metadata| {
            file.is_file() && usize::try_from(file.len()).is_ok_and(|length| length <= self.bytes_max)
        };
        if !std::fs::metadata(path).is_ok_and(|file| small(&file)) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(self.bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        let file = File::open(path).map_err(AppError::io("open", path))?;
        file.take(limit).read_to_end(&mut bytes).map_err(AppError::io("read", path))?;
        Ok((self.is_meant)(&bytes).then_some(bytes))
    }
}
