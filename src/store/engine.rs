//! Which engine holds the index.

use std::sync::Arc;

use super::StoreError;
use super::postgres::Address;

/// An engine of the index. All hold the same and give the same answers; they differ in speed and in what they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// redb, the default: one file.
    Redb,
    /// sled 0.34: one folder.
    Sled,
    /// In memory, built from the log at each open.
    Memory,
    /// Tables that several machines share: PostgreSQL, or what speaks its protocol. They hold a copy of the log; the index is
    /// the best one that this build has.
    Postgres(Arc<Address>),
}

impl Engine {
    /// Reads `store.url` of the config (CONTRACT 3): `redb:`, `sled:`, `memory:` or `postgres://...`.
    ///
    /// # Errors
    /// [`StoreError::UnknownEngine`], [`StoreError::Unusable`]. An engine that this build leaves out is refused on opening, not here.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        match url {
            "redb:" => Ok(Self::Redb),
            "sled:" => Ok(Self::Sled),
            "memory:" => Ok(Self::Memory),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Self::Postgres(Arc::new(url.parse().map_err(|what| StoreError::Unusable { what })?)))
            }
            // Only the scheme is kept: the rest of a database URL may hold a password.
            other => Err(StoreError::UnknownEngine { scheme: other.split(':').next().unwrap_or_default().to_owned() }),
        }
    }

    /// The engine that holds the index: a shared store has none, and one that this build leaves out stays what it is.
    pub(super) fn of_the_index(&self) -> Self {
        match self {
            Self::Postgres(_) if cfg!(not(feature = "postgres")) => self.clone(),
            Self::Postgres(_) if cfg!(feature = "redb") => Self::Redb,
            Self::Postgres(_) if cfg!(feature = "sled") => Self::Sled,
            Self::Postgres(_) => Self::Memory,
            Self::Redb | Self::Sled | Self::Memory => self.clone(),
        }
    }

    /// True for one that this build opens, and that no server has to be asked for.
    pub const fn is_here(&self) -> bool {
        match self {
            Self::Redb => cfg!(feature = "redb"),
            Self::Sled => cfg!(feature = "sled"),
            Self::Memory => true,
            Self::Postgres(_) => false,
        }
    }

    /// The name, which is also that of the cargo feature.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
            Self::Memory => "memory",
            Self::Postgres(_) => "postgres",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_of_the_contract_are_read() {
        for engine in [Engine::Redb, Engine::Sled, Engine::Memory] {
            assert_eq!(Engine::from_url(&format!("{}:", engine.name())).unwrap(), engine);
        }
        for url in ["postgres://ann:secret@db.example/books", "postgresql://ann@localhost:7/books?schema=a"] {
            let engine = Engine::from_url(url).unwrap();
            assert_eq!(engine.name(), "postgres");
            assert!(!format!("{engine:?}").contains("secret"));
        }
    }

    #[cfg(not(all(feature = "redb", feature = "sled")))]
    #[test]
    fn an_engine_that_this_build_leaves_out_is_refused_by_name_and_its_files_stay() {
        let left_out = if cfg!(feature = "redb") { Engine::Sled } else { Engine::Redb };
        let run = tempfile::tempdir().unwrap();
        let index = run.path().join(format!("index.{}", left_out.name()));
        std::fs::write(&index, "of another build").unwrap();
        let opened = crate::store::LogStore::open(&run.path().join("evidence"), run.path(), &left_out);
        assert!(matches!(opened, Err(StoreError::EngineMissing { engine }) if engine == left_out.name()));
        assert!(index.exists());
    }

    #[test]
    fn an_unknown_url_is_refused_without_repeating_its_password() {
        for url in ["", "redb", "REDB:", "redb:/elsewhere", "mysql://user:secret@host/db"] {
            let error = Engine::from_url(url).unwrap_err();
            assert!(matches!(error, StoreError::UnknownEngine { .. }), "{url}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
