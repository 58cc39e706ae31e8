//! One connection to the server, made again where it breaks.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use postgres::{Client, Config, NoTls, Transaction};

use super::address::Address;
use super::failure::{is_lost, is_retried, told};
use super::tables;
use super::tls::Tls;
use crate::store::StoreError;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// Until a server that no longer acknowledges what we send counts as gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How often a broken connection is made again before it is given up: a server that is restarted is back within seconds.
const ATTEMPTS: u32 = 8;
/// The first wait between two attempts; each next one is twice as long, 12 seconds in all.
const WAIT: Duration = Duration::from_millis(50);

/// What nobody else has drawn: the server's own randomness, which every kin has under this name.
pub(super) fn uuid(transaction: &mut Transaction<'_>) -> Result<String, postgres::Error> {
    Ok(transaction.query_one("SELECT gen_random_uuid()::text", &[])?.get(0))
}

/// A connection, and what is needed to make it again.
pub(super) struct Link {
    client: Client,
    address: Arc<Address>,
}

impl Link {
    /// Connects, and sees to it that the tables are there and are ours.
    pub(super) fn open(address: &Arc<Address>) -> Result<Self, StoreError> {
        let mut client = connect(address)?;
        tables::prepare(&mut client, address)?;
        Ok(Self { client, address: Arc::clone(address) })
    }

    /// The schema's name, which needs no quotes.
    pub(super) fn schema(&self) -> &str {
        &self.address.schema
    }

    /// The server, without a password.
    pub(super) fn place(&self) -> String {
        self.address.to_string()
    }

    /// Works in one transaction. Where the connection breaks, whether or not the commit was heard, all of the work is done
    /// again on a new one: it has to come to the same then.
    pub(super) fn within<T>(
        &mut self,
        work: &mut dyn FnMut(&mut Transaction<'_>) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        let mut attempt = 0;
        loop {
            let error = match self.once(work) {
                Ok(done) => return Ok(done),
                Err(Failed::Store(error)) => return Err(error),
                Err(Failed::Server(error)) => error,
            };
            attempt += 1;
            if attempt >= ATTEMPTS || !(is_lost(&error) || is_retried(&error)) {
                return Err(told(&self.place(), &error));
            }
            thread::sleep(WAIT * 2_u32.saturating_pow(attempt - 1));
            if is_lost(&error) || self.client.is_closed() {
                self.reconnect(&mut attempt)?;
            }
        }
    }

    fn reconnect(&mut self, attempt: &mut u32) -> Result<(), StoreError> {
        loop {
            match connect(&self.address) {
                Ok(client) => {
                    self.client = client;
                    return Ok(());
                }
                Err(error @ StoreError::Unreachable { .. }) if *attempt < ATTEMPTS => {
                    tracing::warn!(%error, "asked again");
                    *attempt += 1;
                    thread::sleep(WAIT * 2_u32.saturating_pow(*attempt - 1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn once<T>(&mut self, work: &mut dyn FnMut(&mut Transaction<'_>) -> Result<T, Failed>) -> Result<T, Failed> {
        let mut transaction = self.client.transaction()?;
        let done = work(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

/// Why work inside a transaction ended.
pub(super) enum Failed {
    /// The server or the way to it.
    Server(postgres::Error),
    /// We ourselves.
    Store(StoreError),
}

impl From<postgres::Error> for Failed {
    fn from(error: postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn connect(address: &Address) -> Result<Client, StoreError> {
    let mut config = Config::new();
    config.host(&address.host).port(address.port).user(&address.user).dbname(&address.database);
    config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE).keepalives_idle(SILENCE / 4);
    config.application_name(concat!("reledger ", env!("CARGO_PKG_VERSION")));
    if let Some(password) = password(address)? {
        config.password(password);
    }
    let made = if address.tls {
        config.ssl_mode(postgres::config::SslMode::Require);
        let tls = Tls::trusting(address.authority.as_deref()).map_err(|what| StoreError::Unusable { what })?;
        config.connect(tls)
    } else {
        config.ssl_mode(postgres::config::SslMode::Disable);
        config.connect(NoTls)
    };
    made.map_err(|error| told(&address.to_string(), &error))
}

/// The password, from the address or from its file: never from an environment that other programs see.
fn password(address: &Address) -> Result<Option<String>, StoreError> {
    let Some(file) = &address.password_file else { return Ok(address.password.clone()) };
    let unusable = |why: &str| StoreError::Unusable { what: format!("password_file {}: {why}", file.display()) };
    let found = std::fs::metadata(file).map_err(|error| unusable(&error.to_string()))?;
    if is_exposed(&found) {
        return Err(unusable("others than its owner can read it: chmod 600"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| unusable(&error.to_string()))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(unix)]
fn is_exposed(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &std::fs::Metadata) -> bool {
    false
}
