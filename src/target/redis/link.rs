//! One connection to a server, every wait of it bounded, and what kind of server that is.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Cmd, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError};
use redis::{RedisConnectionInfo, TlsCertificates, Value};

use super::address::Address;
use super::error::{TargetError, of_reply};
use crate::domain::inert_limited;

/// Until a connection stands, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// The switch of a hundred million keys.
const SWITCH: Duration = Duration::from_secs(600);
/// The first version that knows users (`AUTH user password`), and every command that is used.
const VERSION_MIN: (u64, u64) = (6, 0);

/// Who asks, whom to believe, and how long to wait.
#[derive(Clone)]
pub struct Access {
    /// The password.
    pub password: Option<String>,
    /// The authority that signed the server's certificate, in PEM; no other is trusted then.
    pub authority: Option<Vec<u8>>,
    /// Between two pieces of an answer, and for a piece of a question to be taken.
    pub silence: Duration,
}

impl Default for Access {
    /// A server that forks for a snapshot of some gigabytes is silent for a second or two.
    fn default() -> Self {
        Self { password: None, authority: None, silence: Duration::from_secs(30) }
    }
}

/// A connection.
pub struct Link {
    connection: Connection,
    place: String,
    silence: Duration,
    is_replica: bool,
    evicts: bool,
}

impl Link {
    /// Connects, introduces us, and looks at what the server is.
    ///
    /// # Errors
    /// [`TargetError::Unreachable`], [`TargetError::Unusable`] for credentials, database and version,
    /// [`TargetError::Unfit`] for a cluster.
    pub fn open(address: &Address, access: &Access) -> Result<Self, TargetError> {
        let place = address.to_string();
        let failed = |error: &RedisError| of_error(&place, error);
        let client = client(address, access).map_err(|error| {
            let what =
                format!("the connection to {place} can't be prepared: {}", inert_limited(&error.to_string(), 200));
            TargetError::Unusable { what, hint: "--tls-ca names a file of certificates in PEM".to_owned() }
        })?;
        let connection = client.get_connection_with_timeout(CONNECT).map_err(|error| failed(&error))?;
        connection.set_read_timeout(Some(access.silence)).map_err(|error| failed(&error))?;
        connection.set_write_timeout(Some(access.silence)).map_err(|error| failed(&error))?;
        let mut link = Self { connection, place, silence: access.silence, is_replica: false, evicts: false };
        if let Some(password) = &access.password {
            let mut auth = redis::cmd("AUTH");
            auth.arg(address.user.as_deref());
            link.ask(auth.arg(password))?;
        }
        if address.db != 0 {
            link.ask(redis::cmd("SELECT").arg(address.db))?;
        }
        link.look()?;
        Ok(link)
    }

    fn look(&mut self) -> Result<(), TargetError> {
        let Value::BulkString(text) = self.ask(&redis::cmd("INFO"))? else { return Err(self.nonsense("INFO")) };
        let text = String::from_utf8_lossy(&text).into_owned();
        let member = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let version = member("redis_version").ok_or_else(|| self.nonsense("INFO"))?;
        let mut numbers = version.split('.').map_while(|part| part.trim().parse::<u64>().ok());
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if number < VERSION_MIN {
            let version = inert_limited(version, 40);
            return Err(TargetError::Unusable {
                what: format!("{} has version {version}, and 6.0 is the oldest that is known to work", self.place),
                hint: "use a newer server".to_owned(),
            });
        }
        if member("cluster_enabled").is_some_and(|told| told.trim() == "1") {
            return Err(of_reply(&self.place, "CLUSTERDOWN", None));
        }
        if member("loading").is_some_and(|told| told.trim() != "0") {
            return Err(of_reply(&self.place, "LOADING", Some("its data set")));
        }
        self.is_replica = member("role").is_some_and(|told| told.trim() == "slave");
        let is_bounded = member("maxmemory").is_some_and(|told| told.trim() != "0");
        self.evicts = is_bounded && member("maxmemory_policy").is_some_and(|told| told.trim() != "noeviction");
        Ok(())
    }

    /// Refuses a server that can't be written to, or forgets what was.
    ///
    /// # Errors
    /// [`TargetError::Unfit`].
    pub fn check_writable(&self) -> Result<(), TargetError> {
        if self.is_replica {
            return Err(of_reply(&self.place, "READONLY", None));
        }
        if self.evicts {
            return Err(TargetError::Unfit {
                what: format!("{} throws keys away when its memory is full", self.place),
                hint: "set `maxmemory-policy noeviction`: a ledger has no lines that may be forgotten".to_owned(),
            });
        }
        Ok(())
    }

    /// The server, without a password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Sends commands whose answers are read later by [`Self::answer`], one each.
    ///
    /// # Errors
    /// [`TargetError::Unreachable`].
    pub(super) fn send(&mut self, packed: &[u8]) -> Result<(), TargetError> {
        let sent = self.connection.send_packed_command(packed);
        sent.map_err(|error| of_error(&self.place, &error))
    }

    /// The next answer.
    ///
    /// # Errors
    /// [`TargetError::Unreachable`] and whatever the server refuses.
    pub(super) fn answer(&mut self) -> Result<Value, TargetError> {
        match self.connection.recv_response() {
            Ok(Value::ServerError(error)) => Err(of_reply(&self.place, error.code(), error.details())),
            Ok(value) => Ok(value),
            Err(error) => Err(of_error(&self.place, &error)),
        }
    }

    /// One question and its answer.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub(super) fn ask(&mut self, command: &Cmd) -> Result<Value, TargetError> {
        self.send(&command.get_packed_command())?;
        self.answer()
    }

    /// As [`Self::ask`], for a script that moves every key.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub(super) fn ask_long(&mut self, command: &Cmd) -> Result<Value, TargetError> {
        let wait = |link: &Self, time| {
            let set = link.connection.set_read_timeout(Some(time));
            set.map_err(|error| of_error(&link.place, &error))
        };
        wait(self, SWITCH)?;
        let answer = self.ask(command);
        wait(self, self.silence)?;
        answer
    }

    /// An answer of another form than the command has.
    pub(super) fn nonsense(&self, to: &str) -> TargetError {
        TargetError::Unreachable { what: format!("{} answers {to} with what is no answer to it", self.place) }
    }
}

fn client(address: &Address, access: &Access) -> Result<Client, RedisError> {
    let (host, port) = (address.host.clone(), address.port);
    let place = if address.tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    // Nothing is said to the server but by ourselves: its refusals are told by us.
    let quiet = RedisConnectionInfo::default().set_skip_set_lib_name();
    let info: ConnectionInfo = place.into_connection_info()?.set_redis_settings(quiet);
    if address.tls {
        Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: access.authority.clone() })
    } else {
        Client::open(info)
    }
}

fn of_error(place: &str, error: &RedisError) -> TargetError {
    if is_interrupted(error) {
        return TargetError::Stopped;
    }
    if let Some(code) = error.code() {
        return of_reply(place, code, error.detail());
    }
    let what = match error.kind() {
        ErrorKind::Parse => format!("{place} does not speak the protocol of Redis"),
        _ if error.is_timeout() => format!("{place} does not answer"),
        _ => format!("{place} can't be reached: {}", inert_limited(&error.to_string(), 200)),
    };
    TargetError::Unreachable { what }
}

/// A wait on a socket with a time limit ends when a signal comes (signal(7)); the ones that we take ask us to stop.
fn is_interrupted(error: &RedisError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::Interrupted)
}
