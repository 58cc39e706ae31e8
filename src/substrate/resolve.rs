//! Names that came through an allow-list: resolved once, judged, and contacted at what was judged (THREATS 5.3, SSRF).

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type LookUp = dyn Fn(String) -> Found + Send + Sync;

/// A name that resolves to nothing but private addresses.
#[derive(Debug, thiserror::Error)]
#[error("resolves outside the public internet")]
pub(super) struct NotPublic;

/// Resolves, then lets only public addresses through to the connector, which asks nobody else: a name that changes its
/// address between check and connection gains nothing. Addresses written as numbers do not pass here; `address.rs`
/// judges them.
#[derive(Clone)]
pub(super) struct PublicOnly {
    look_up: Arc<LookUp>,
    allows: fn(IpAddr) -> bool,
}

impl Default for PublicOnly {
    fn default() -> Self {
        let look_up = |name: String| -> Found {
            Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
        };
        Self { look_up: Arc::new(look_up), allows: is_public }
    }
}

impl fmt::Debug for PublicOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicOnly")
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            if name.as_str() == "localhost" {
                let loopback = [SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0))];
                return Ok(Box::new(loopback.into_iter()) as Addrs);
            }
            let found = (resolver.look_up)(name.as_str().to_owned()).await?;
            // One private address among public ones is as suspicious as only private ones.
            if found.iter().any(|address| !(resolver.allows)(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use reqwest::Url;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::substrate::http::{Http, HttpLimits, HttpOutcome};
    use crate::substrate::retry::RetryPolicy;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn once() -> HttpLimits {
        HttpLimits { retry: RetryPolicy { attempts: 1, base_ms: 1, max_ms: 1 }, ..HttpLimits::default() }
    }

    /// Answers every connection and counts them; the port is that of all of them.
    fn listener(ip: &str, port: u16) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((ip, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&visits);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                seen.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            }
        });
        (port, visits)
    }

    /// Says another address each time it is asked, and counts.
    fn changing(addresses: &'static [&'static str], allows: fn(IpAddr) -> bool) -> (PublicOnly, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let look_up = move |_: String| -> Found {
            let text = addresses[count.fetch_add(1, Ordering::SeqCst) % addresses.len()];
            let found = text.split(',').map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
            Box::pin(async move { Ok(found) })
        };
        (PublicOnly { look_up: Arc::new(look_up), allows }, asked)
    }

    fn get(http: &Http, port: u16) -> HttpOutcome {
        let url = Url::parse(&format!("http://calendar.example:{port}/")).unwrap();
        runtime().block_on(http.get(&url, None, 100)).outcome
    }

    #[test]
    fn a_name_that_leads_into_the_house_is_not_contacted() {
        let (port, visits) = listener("127.0.0.1", 0);
        for addresses in [
            &["127.0.0.1"][..],
            &["::1"],
            &["10.0.0.1"],
            &["169.254.169.254"],
            &["::ffff:127.0.0.1"],
            // A public address does not excuse the private one beside it.
            &["8.8.8.8,127.0.0.1"],
            &["127.0.0.1,8.8.8.8"],
        ] {
            let (resolver, _) = changing(addresses, is_public);
            let http = Http::resolving(&once(), Some(resolver)).unwrap();
            assert_eq!(get(&http, port), HttpOutcome::Blocked, "{addresses:?}");
        }
        assert_eq!(visits.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_was_checked_is_what_is_contacted() {
        // 127.0.0.1 plays the public address, 127.0.0.2 the private one that the name turns to after the check.
        let (port, public) = listener("127.0.0.1", 0);
        let (_, private) = listener("127.0.0.2", port);
        let (resolver, asked) = changing(&["127.0.0.1", "127.0.0.2"], |ip| ip == IpAddr::from([127, 0, 0, 1]));
        let http = Http::resolving(&once(), Some(resolver)).unwrap();
        for round in 1..=4 {
            let even = round % 2 == 0;
            let expected = if even { HttpOutcome::Blocked } else { HttpOutcome::Body(b"ok".to_vec()) };
            assert_eq!(get(&http, port), expected, "round {round}");
            assert_eq!(asked.load(Ordering::SeqCst), round, "one question for one connection");
        }
        assert_eq!((public.load(Ordering::SeqCst), private.load(Ordering::SeqCst)), (2, 0));
    }
}
