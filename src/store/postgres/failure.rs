//! What a server's refusal means to us.

use std::error::Error as _;

use postgres::Error;
use postgres::error::SqlState;

use crate::domain::inert_limited;
use crate::store::StoreError;

/// Whether it may help to connect again and ask once more.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.code() {
        None => error.is_closed() || is_io(error),
        Some(code) => is_away(code),
    }
}

/// A statement that lost against another one, as distributed servers have it: asked again it may win.
pub(super) fn is_retried(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

/// Two processes made the tables at once: whoever came second looks again.
pub(super) fn is_taken(error: &Error) -> bool {
    let taken = [SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_SCHEMA, SqlState::UNIQUE_VIOLATION];
    error.code().is_some_and(|code| taken.contains(code))
}

fn is_io(error: &Error) -> bool {
    error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn is_away(code: &SqlState) -> bool {
    code.code().starts_with("08") || code.code().starts_with("57P") || *code == SqlState::TOO_MANY_CONNECTIONS
}

/// The one line that is told of a failure at that place.
pub(super) fn told(place: &str, error: &Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        let cause = inert_limited(&cause, 200);
        return StoreError::Unreachable { what: format!("{place} can't be reached: {cause}") };
    };
    let (code, says) = (database.code(), inert_limited(database.message(), 200));
    if is_away(code) {
        return StoreError::Unreachable { what: format!("{place} can't be reached: {says}") };
    }
    match code.code() {
        // A password, a role or a database that is not there.
        text if text.starts_with("28") || text == "3D000" => {
            StoreError::Unusable { what: format!("{place} does not let us in: {says}") }
        }
        // A relation, schema or column that is not as we made it.
        "42P01" | "3F000" | "42703" | "42804" => {
            StoreError::Unusable { what: format!("{place} holds tables of another form: {says}") }
        }
        // Read-only, no right to write, or full.
        text if text == "25006" || text == "42501" || text.starts_with("53") => {
            StoreError::Server { what: format!("{place} takes no writes: {says}") }
        }
        text => StoreError::Server { what: format!("{place} failed ({text}): {says}") },
    }
}
