//! Where a shared store is: `postgres://[user[:password]@]host[:port]/database[?schema=..&sslmode=..&sslrootcert=..&password_file=..]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::domain::{PlaceError, bracketed, host_and_port, inert_limited, percent_decoded};

/// The port where none is named.
const PORT: u16 = 5432;
/// The schema where none is named.
const SCHEMA: &str = "reledger";
/// The longest name that PostgreSQL keeps whole.
const NAME_MAX: usize = 63;

/// An address. What is shown of it holds no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or number; without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who asks.
    pub user: String,
    /// The password, where it stands in the address.
    pub password: Option<String>,
    /// A file that holds it, readable by its owner only.
    pub password_file: Option<PathBuf>,
    /// The database.
    pub database: String,
    /// The schema that holds our tables: lower-case letters, digits and `_` only.
    pub schema: String,
    /// Over TLS, with the server's certificate and name always checked.
    pub tls: bool,
    /// The authority that signed the certificate, in PEM; no other is trusted then.
    pub authority: Option<PathBuf>,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = bracketed(&self.host);
        let text = format!("postgres://{}@{host}:{}/{}?schema={}", self.user, self.port, self.database, self.schema);
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
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or("the address does not start with postgres://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (rest, database) = rest.split_once('/').ok_or("the address names no database")?;
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        let place = host_and_port(place, PORT).and_then(|(host, port)| {
            // Others read a list of hosts here.
            if host.contains(',') { Err(PlaceError::NoHost) } else { Ok((host, port)) }
        });
        let (host, port) = place.map_err(|error| error.told("the address"))?;
        let mut address = Self {
            tls: !is_loopback(&host),
            host,
            port,
            user: decoded(user)?,
            password: password.map(decoded).transpose()?,
            password_file: None,
            database: decoded(database)?,
            schema: SCHEMA.to_owned(),
            authority: None,
        };
        if address.user.is_empty() {
            return Err("the address names no user".to_owned());
        }
        if address.database.is_empty() {
            return Err("the address names no database".to_owned());
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("the address has a parameter without a value")?;
            address.set(name, &decoded(value)?)?;
        }
        if address.password.is_some() && address.password_file.is_some() {
            return Err("the address names a password and a password_file".to_owned());
        }
        Ok(address)
    }
}

impl Address {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, value) {
            ("schema", name) if is_plain(name) => name.clone_into(&mut self.schema),
            ("schema", _) => {
                return Err("the schema's name has other letters than a-z, 0-9 and _, or too many".to_owned());
            }
            ("sslmode", "disable") => self.tls = false,
            // One kind of TLS: whoever asks for it wants to know who answers.
            ("sslmode", "require" | "verify-ca" | "verify-full") => self.tls = true,
            ("sslmode", _) => return Err("sslmode is none of disable, require, verify-full".to_owned()),
            ("sslrootcert", file) => self.authority = Some(PathBuf::from(file)),
            ("password_file", file) => self.password_file = Some(PathBuf::from(file)),
            _ => return Err("the address has an unknown parameter: schema, sslmode, sslrootcert, password_file".into()),
        }
        Ok(())
    }
}

/// A name that needs no quotes, so that it means the same in every statement.
fn is_plain(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.len() <= NAME_MAX
        && name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
        && !name.starts_with("pg_")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn decoded(text: &str) -> Result<String, String> {
    percent_decoded(text).ok_or_else(|| "the address has a broken percent escape".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_whole_and_shown_without_its_password() {
        let text = "postgres://ann:s%40c%3Aret@db.example:7000/books?schema=run_1&sslrootcert=/ca.pem";
        let address: Address = text.parse().unwrap();
        assert_eq!(address.password.as_deref(), Some("s@c:ret"));
        assert_eq!(address.authority, Some(PathBuf::from("/ca.pem")));
        assert!(address.tls, "a server elsewhere is asked over TLS");
        let shown = "postgres://ann@db.example:7000/books?schema=run_1";
        assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()));
        for near in ["postgresql://a@localhost/b", "postgres://a@127.0.0.1/b", "postgres://a@[::1]/b"] {
            let address: Address = near.parse().unwrap();
            assert!(!address.tls && address.port == 5432 && address.schema == "reledger", "{near}");
        }
        assert!("postgres://a@localhost/b?sslmode=require".parse::<Address>().unwrap().tls);
        assert!(!"postgres://a@db.example/b?sslmode=disable".parse::<Address>().unwrap().tls);
    }

    #[test]
    fn a_bad_address_is_refused_without_repeating_its_password() {
        for text in [
            "mysql://a:secret@h/b",
            "postgres://a:secret@h",
            "postgres://a:secret@h/",
            "postgres://:secret@h/b",
            "postgres://a:secret@/b",
            "postgres://a:secret@h:x/b",
            "postgres://a:secret@h/b?schema=a;drop",
            "postgres://a:secret@h/b?schema=Upper",
            "postgres://a:secret@h/b?schema=pg_own",
            "postgres://a:secret@h/b?schema=",
            "postgres://a:secret@h/b?sslmode=prefer",
            "postgres://a:secret@h/b?unknown=1",
            "postgres://a:secret@h/b?schema",
            "postgres://a:secret@h/b?password_file=x",
            "postgres://a:secret%4@h/b",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
