//! Where a store is: `redis://[user[:password]@]host[:port][/db]`, `rediss://` over TLS.

use std::fmt;
use std::str::FromStr;

use crate::domain::{bracketed, host_and_port, inert_limited, percent_decoded};

/// The port where none is named.
const PORT: u16 = 6379;

/// An address. What is shown of it holds no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Over TLS.
    pub tls: bool,
    /// Name or number; without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Number of the database.
    pub db: u32,
    /// Who asks; `None` is the default user.
    pub user: Option<String>,
    /// The password, where it stands in the address.
    pub password: Option<String>,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = bracketed(&self.host);
        let text = format!("{scheme}://{user}{host}:{}/{}", self.port, self.db);
        out.write_str(&inert_limited(&text, 200))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Address {
    type Err = String;

    /// The reason never repeats the text: a password may stand in it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            Some(_) => return Err("the target's scheme is not known: redis:// and rediss:// are".to_owned()),
            None => return Err("the target has no scheme: write redis://host:port/db".to_owned()),
        };
        if rest.contains(['?', '#']) {
            return Err("the target has a query or a fragment, of which none is known".to_owned());
        }
        let (rest, db) = rest.split_once('/').map_or((rest, ""), |(rest, db)| (rest, db));
        let db = if db.is_empty() { 0 } else { db.parse().map_err(|_| "the target's database is no number")? };
        let (who, place) = rest.rsplit_once('@').map_or((None, rest), |(who, place)| (Some(who), place));
        let (user, password) = match who {
            None => (None, None),
            Some(who) => match who.split_once(':') {
                None => (Some(decoded(who)?), None),
                Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
            },
        };
        let (host, port) = host_and_port(place, PORT).map_err(|error| error.told("the target"))?;
        let user = user.filter(|user| !user.is_empty());
        Ok(Self { tls, host, port, db, user, password })
    }
}

fn decoded(text: &str) -> Result<String, String> {
    percent_decoded(text).ok_or_else(|| "the target's user or password has a broken percent escape".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_whole_and_shown_without_its_password() {
        for (text, shown, password) in [
            ("redis://localhost", "redis://localhost:6379/0", None),
            ("rediss://h:7000/3", "rediss://h:7000/3", None),
            ("redis://ann@h/", "redis://ann@h:6379/0", None),
            ("redis://ann:s%40c%3Aret@h:1/2", "redis://ann@h:1/2", Some("s@c:ret")),
            ("redis://:secret@[::1]:7/1", "redis://[::1]:7/1", Some("secret")),
            ("redis://[2001:db8::1]", "redis://[2001:db8::1]:6379/0", None),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.password.as_deref()), (shown, password));
            assert_eq!(format!("{address:?}"), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in [
            "localhost:6379",
            "http://secret@h",
            "redis://",
            "redis://ann:secret@",
            "redis://h:secret",
            "redis://h:70000",
            "redis://h/secret",
            "redis://h/-1",
            "redis://h?secret",
            "redis://a%zz:secret@h",
            "redis://a%f:secret@h",
            "redis://h x",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
