//! Why a use-case can't go on, and which documented exit code that means. Findings never come here.

use crate::domain::Condition;
use crate::ingest::IngestError;
use crate::scratch::ScratchError;
use crate::store::StoreError;
use crate::substrate::SourceError;

/// A local failure. The cause chain is `source()`; `hints` are actions to take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The configuration can't be used.
    #[error("{what}")]
    Config {
        /// What is wrong, with the key's name.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// Something is asked that we refuse to do.
    #[error("{what}")]
    Refused {
        /// What was refused.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// What was asked needs something that the evidence does not establish.
    #[error("{what}")]
    Unestablished {
        /// What is missing.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A finished run's evidence does not check.
    #[error("{what}")]
    Untrusted {
        /// What does not check: starts with `checksum_error` or `signature_mismatch`.
        what: String,
    },
    /// Who was asked gave nothing at all.
    #[error("{what}")]
    Unreachable {
        /// Who, and what came instead.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A local file operation failed.
    #[error("{action} {file}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// As [`Self::Io`], where nothing resumes.
    #[error("{what}")]
    Local {
        /// What was attempted, on what.
        what: String,
        /// What to do about it.
        hint: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Another live process is at it.
    #[error("{what}")]
    Busy {
        /// Who does what.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// We were interrupted, and nothing is left that could be resumed.
    #[error("interrupted; nothing was written")]
    Abandoned {
        /// True for SIGTERM.
        terminated: bool,
    },
    /// The store can't go on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Evidence can't be taken in.
    #[error(transparent)]
    Ingest(IngestError),
    /// A source can't start.
    #[error(transparent)]
    Source(SourceError),
    /// We were interrupted; the run can be resumed.
    #[error("interrupted; run the same command again to resume")]
    Interrupted {
        /// True for SIGTERM.
        terminated: bool,
    },
    /// A bug of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

fn of_store(error: &StoreError) -> Condition {
    match error {
        StoreError::Locked | StoreError::Superseded => Condition::Locked,
        StoreError::UnknownEngine { .. } | StoreError::EngineMissing { .. } | StoreError::Unusable { .. } => {
            Condition::Usage
        }
        StoreError::Unreachable { .. } => Condition::Unreachable,
        StoreError::Damaged { .. } | StoreError::Conflict { .. } => Condition::UntrustedInput,
        _ => Condition::Io,
    }
}

/// A loose password file is refused like any other unsafe thing; a wrong address or path is a mistake in the configuration.
fn of_source(error: &SourceError) -> Condition {
    match error {
        SourceError::Offline { .. } | SourceError::Exposed { .. } => Condition::Refused,
        _ => Condition::Usage,
    }
}

impl From<ScratchError> for AppError {
    fn from(error: ScratchError) -> Self {
        Self::Io { action: error.action, file: error.place(), source: error.into_io() }
    }
}

impl From<SourceError> for AppError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Scratch(error) => error.into(),
            other => Self::Source(other),
        }
    }
}

impl From<IngestError> for AppError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Store(error) => Self::Store(error),
            other => Self::Ingest(other),
        }
    }
}

impl AppError {
    /// The condition, and so the exit code, of this failure.
    pub fn condition(&self) -> Condition {
        match self {
            Self::Refused { .. } => Condition::Refused,
            Self::Unestablished { .. } => Condition::Incomplete,
            Self::Untrusted { .. } => Condition::UntrustedInput,
            Self::Unreachable { .. } => Condition::Unreachable,
            Self::Io { .. } | Self::Local { .. } => Condition::Io,
            Self::Busy { .. } => Condition::Locked,
            Self::Store(error) => of_store(error),
            Self::Source(error) => of_source(error),
            Self::Config { .. } => Condition::Usage,
            Self::Interrupted { terminated: false } | Self::Abandoned { terminated: false } => Condition::Interrupted,
            Self::Interrupted { terminated: true } | Self::Abandoned { terminated: true } => Condition::Terminated,
            Self::Internal(_) | Self::Ingest(_) => Condition::Internal,
        }
    }

    /// Actions that may help, most likely first.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Config { hint, .. }
            | Self::Refused { hint, .. }
            | Self::Unestablished { hint, .. }
            | Self::Unreachable { hint, .. }
            | Self::Local { hint, .. }
            | Self::Busy { hint, .. } => {
                vec![hint.clone()]
            }
            Self::Untrusted { .. } => vec!["fetch the run folder again from whoever made it".to_owned()],
            Self::Io { .. } | Self::Store(StoreError::Io { .. }) => {
                vec![
                    "check that the disk has room and the folder can be written; the run resumes where it stopped"
                        .to_owned(),
                ]
            }
            Self::Store(StoreError::Unreachable { .. }) => {
                vec!["start the server or mend the way to it; the run resumes where it stopped".to_owned()]
            }
            Self::Store(StoreError::Server { .. }) => {
                vec![
                    "give the role the right to write, or the server room; the run resumes where it stopped".to_owned(),
                ]
            }
            Self::Store(StoreError::Unusable { .. }) => {
                vec![
                    "look at `store.url`: user, password, database, and a schema of its own (docs/scaling.md)"
                        .to_owned(),
                ]
            }
            Self::Store(StoreError::Locked | StoreError::Superseded) => {
                vec!["wait for the other process, or use another --run folder".to_owned()]
            }
            Self::Store(StoreError::Damaged { .. }) => {
                vec!["restore the evidence folder from a copy, or start a new --run folder".to_owned()]
            }
            Self::Source(SourceError::Offline { .. }) => vec!["leave out --offline, or use files only".to_owned()],
            Self::Source(SourceError::Exposed { file }) => vec![format!("chmod 600 {file}")],
            Self::Source(_) => vec!["check the address or path in the configuration".to_owned()],
            Self::Internal(_) | Self::Ingest(_) => {
                vec!["please report this with the command that led to it".to_owned()]
            }
            Self::Store(_) | Self::Interrupted { .. } | Self::Abandoned { .. } => Vec::new(),
        }
    }

    /// A file that the user named and that is not there: a mistake in the command, not a failure of the disk.
    pub fn missing(file: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("read {}", file.display());
        move |error| Self::Config { what: format!("{what}: {error}"), hint: "check the path".to_owned() }
    }

    /// An I/O failure with its place.
    pub fn io(action: &'static str, file: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.display().to_string();
        move |source| Self::Io { action, file, source }
    }
}
