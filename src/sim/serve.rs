//! A world on loopback: two relays and one HTTP server on free ports, until they are told to stop.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::conduct::{Conduct, Exercised};
use super::http;
use super::misbehave::{Behaviour, Role};
use super::relay;
use super::world::World;
use super::write::SimError;

/// The reply of every server here.
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// How many relays serve a world.
pub(super) const RELAYS: usize = 2;

/// What every connection of one server shares.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) world: Arc<World>,
    pub(super) conduct: Arc<Conduct>,
    /// The index of the relay; `None` for the HTTP server.
    pub(super) relay: Option<usize>,
}

/// A world being served.
#[derive(Debug)]
pub struct Serving {
    /// Nostr relays; each holds every event. NIP-11 is answered on the same port.
    pub relays: Vec<SocketAddr>,
    /// Calendar, gateway, Bitcoin Core REST, well-known documents, balances.
    pub http: SocketAddr,
    conduct: Arc<Conduct>,
    task: JoinHandle<Result<(), SimError>>,
}

impl Serving {
    /// How often each misbehaviour reached the wire, by role.
    pub fn exercised(&self) -> Exercised {
        self.conduct.exercised()
    }

    /// How often a client went where a redirect sent it.
    pub fn redirects_followed(&self) -> u64 {
        self.conduct.followed()
    }

    /// Waits until every server and connection has ended after the shutdown.
    ///
    /// # Errors
    /// [`SimError::Server`] when a server failed.
    pub async fn finished(self) -> Result<(), SimError> {
        self.task.await.map_err(|error| SimError::Server(error.to_string()))?
    }
}

/// Serves the world on 127.0.0.1 until `shutdown` completes. Whoever is named in no behaviour is honest.
///
/// # Errors
/// [`SimError::Listen`] when no port can be opened.
pub async fn serve(
    world: Arc<World>,
    behaviours: Vec<Behaviour>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, SimError> {
    let (stop, stopped) = watch::channel(());
    let mut servers = JoinSet::new();
    let mut relays = Vec::with_capacity(RELAYS);
    let conduct = Arc::new(Conduct::new(behaviours));
    let desk = |relay| Desk { world: Arc::clone(&world), conduct: Arc::clone(&conduct), relay };
    for index in 0..RELAYS {
        let listener = listen().await?;
        relays.push(listener.local_addr().map_err(SimError::Listen)?);
        servers.spawn(accept(listener, desk(Some(index)), stopped.clone()));
    }
    let listener = listen().await?;
    let http = listener.local_addr().map_err(SimError::Listen)?;
    servers.spawn(accept(listener, desk(None), stopped));
    let task = tokio::spawn(async move {
        shutdown.await;
        drop(stop);
        while let Some(ended) = servers.join_next().await {
            ended.map_err(|error| SimError::Server(error.to_string()))?;
        }
        Ok(())
    });
    Ok(Serving { relays, http, conduct, task })
}

async fn listen() -> Result<TcpListener, SimError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(SimError::Listen)
}

/// Takes connections until the stop; then drops those that are left.
async fn accept(listener: TcpListener, desk: Desk, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The sender never sends: the channel's end is the stop.
            _ = stopped.changed() => break,
            taken = listener.accept() => {
                if let Ok((stream, _)) = taken {
                    connections.spawn(converse(stream, desk.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

/// One connection. A peer that breaks the protocol ends its own connection only.
async fn converse(stream: TcpStream, desk: Desk) {
    // A failure to switch Nagle off costs speed, nothing else.
    let _ = stream.set_nodelay(true);
    let (upgrades, sockets) = tokio::sync::mpsc::channel(1);
    let answering = desk.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (desk, upgrades) = (answering.clone(), upgrades.clone());
        async move {
            match desk.relay {
                None => http::answer(&desk, request).await,
                Some(index) => Ok(whole(relay::answer(&desk, Role::Relay(index), request, &upgrades))),
            }
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // The conversation over an upgraded socket runs beside the connection that made it, and dies with it.
    let ((), _) = tokio::join!(relay::converse(&desk, sockets), connection);
}

/// A reply whose body is there in full.
pub(super) fn whole(reply: Response<Bytes>) -> Reply {
    reply.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}
