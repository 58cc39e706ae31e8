//! Why a store can't be used, told in one sentence. No secret stands in any of them.

use crate::domain::inert_limited;

/// Characters of what a server says that are shown.
const TOLD_MAX: usize = 200;
/// Characters of a key. Ours are as long as the longest name of a user.
const KEY_MAX: usize = 2_000;

/// Why it can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The address, the credentials or the server's version can't be used.
    #[error("{what}")]
    Unusable {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The store is none to load into.
    #[error("{what}")]
    Unfit {
        /// What it is instead.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A key that is needed holds what no restore wrote.
    #[error("the key {key} is needed and was not written by a restore: nothing was changed")]
    InTheWay {
        /// Its name, made inert.
        key: String,
    },
    /// The server is not there, went away, or does not speak its protocol.
    #[error("{what}")]
    Unreachable {
        /// Who, and what came instead.
        what: String,
    },
    /// The server takes no more: out of memory, or its disk fails.
    #[error("{place} takes no writes: {told}")]
    Full {
        /// Which server.
        place: String,
        /// What it says.
        told: String,
    },
    /// Another restore is at work on the same store.
    #[error("another restore writes to {place}")]
    Contended {
        /// Which server.
        place: String,
    },
    /// We were asked to stop.
    #[error("stopped")]
    Stopped,
    /// A bug of ours.
    #[error("{0}")]
    Bug(String),
}

/// A key for people: whatever bytes it has.
pub(super) fn shown(key: &[u8]) -> String {
    inert_limited(&String::from_utf8_lossy(key), KEY_MAX)
}

/// What an error reply of the server means. `code` is its first word.
pub(super) fn of_reply(place: &str, code: &str, detail: Option<&str>) -> TargetError {
    let told = inert_limited(&format!("{code} {}", detail.unwrap_or_default()), TOLD_MAX).trim().to_owned();
    let unusable = |what: String, hint: &str| TargetError::Unusable { what, hint: hint.to_owned() };
    let unfit = |what: String, hint: &str| TargetError::Unfit { what, hint: hint.to_owned() };
    match code {
        "WRONGPASS" => unusable(
            format!("{place} refuses user or password"),
            "check the user in the address and --password-file or --password-command",
        ),
        "NOAUTH" => {
            unusable(format!("{place} asks for a password"), "give it by --password-file or --password-command")
        }
        "NOPERM" => unusable(
            format!("{place} does not let this user do that: {told}"),
            "docs/restore.md lists the commands that a restore and a comparison need",
        ),
        "OOM" | "MISCONF" | "NOREPLICAS" => TargetError::Full { place: place.to_owned(), told },
        "READONLY" => unfit(format!("{place} is a read-only replica"), "name the primary"),
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => unfit(
            format!("{place} is part of a cluster, in which no switch of all keys is atomic"),
            "name a server that is no cluster",
        ),
        "WRONGTYPE" => unfit(
            format!("a key below reledger: on {place} holds what no restore wrote: {told}"),
            "choose another `restore.prefix`, or another database",
        ),
        // What `SELECT` is answered there, before anything else could be asked.
        "ERR" if detail.is_some_and(|detail| detail.contains("cluster mode")) => of_reply(place, "CLUSTERDOWN", None),
        "ERR" if is_about_setup(detail.unwrap_or_default()) => {
            unusable(format!("{place} says: {told}"), "check the address, the database's number, and the password")
        }
        _ => TargetError::Unreachable { what: format!("{place} says: {told}") },
    }
}

/// What the first commands of a connection are answered when they ask for what is not there.
fn is_about_setup(detail: &str) -> bool {
    let detail = detail.to_ascii_lowercase();
    ["auth", "db index", "unknown command", "invalid password"].iter().any(|word| detail.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_reaches_nobodys_terminal_as_it_is() {
        let error = of_reply("redis://h:1/0", "ERR", Some("\x1b]0;x\x07"));
        assert!(!error.to_string().chars().any(char::is_control), "{error}");
        assert!(!shown(b"a\x1b\xff\n").chars().any(char::is_control));
    }
}
