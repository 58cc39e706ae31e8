//! A world on loopback: two relays and one HTTP server on free ports, until they are told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::http;
use super::relay;
use super::world::World;
use super::write::SimError;

/// The reply of every server here.
pub(super) type Reply = Response<Full<Bytes>>;

/// How many relays serve a world.
const RELAYS: usize = 2;

/// Which server a connection belongs to.
#[derive(Debug, Clone, Copy)]
enum Role {
    Relay,
    Http,
}

/// A world being served.
#[derive(Debug)]
pub struct Serving {
    /// Nostr relays; each holds every event. NIP-11 is answered on the same port.
    pub relays: Vec<SocketAddr>,
    /// Calendar, gateway, Bitcoin Core REST, well-known documents, balances.
    pub http: SocketAddr,
    task: JoinHandle<Result<(), SimError>>,
}

impl Serving {
    /// Waits until every server and connection has ended after the shutdown.
    ///
    /// # Errors
    /// [`SimError::Server`] when a server failed.
    pub async fn finished(self) -> Result<(), SimError> {
        self.task.await.map_err(|error| SimError::Server(error.to_string()))?
    }
}

/// Serves the world on 127.0.0.1 until `shutdown` completes.
///
/// # Errors
/// [`SimError::Listen`] when no port can be opened.
pub async fn serve(
    world: Arc<World>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, SimError> {
    let (stop, stopped) = watch::channel(());
    let mut servers = JoinSet::new();
    let mut relays = Vec::with_capacity(RELAYS);
    for _ in 0..RELAYS {
        let listener = listen().await?;
        relays.push(listener.local_addr().map_err(SimError::Listen)?);
        servers.spawn(accept(listener, Arc::clone(&world), Role::Relay, stopped.clone()));
    }
    let listener = listen().await?;
    let http = listener.local_addr().map_err(SimError::Listen)?;
    servers.spawn(accept(listener, world, Role::Http, stopped));
    let task = tokio::spawn(async move {
        shutdown.await;
        drop(stop);
        while let Some(ended) = servers.join_next().await {
            ended.map_err(|error| SimError::Server(error.to_string()))?;
        }
        Ok(())
    });
    Ok(Serving { relays, http, task })
}

async fn listen() -> Result<TcpListener, SimError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(SimError::Listen)
}

/// Takes connections until the stop; then drops those that are left.
async fn accept(listener: TcpListener, world: Arc<World>, role: Role, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The sender never sends: the channel's end is the stop.
            _ = stopped.changed() => break,
            taken = listener.accept() => {
                if let Ok((stream, _)) = taken {
                    connections.spawn(converse(stream, Arc::clone(&world), role));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

/// One connection. A peer that breaks the protocol ends its own connection only.
async fn converse(stream: TcpStream, world: Arc<World>, role: Role) {
    // A failure to switch Nagle off costs speed, nothing else.
    let _ = stream.set_nodelay(true);
    let (upgrades, sockets) = tokio::sync::mpsc::channel(1);
    let service = service_fn(move |request: Request<Incoming>| {
        let (world, upgrades) = (Arc::clone(&world), upgrades.clone());
        async move {
            Ok::<Reply, Infallible>(match role {
                Role::Http => http::answer(&world, request).await,
                Role::Relay => relay::answer(&world, request, &upgrades),
            })
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // The conversation over an upgraded socket runs beside the connection that made it, and dies with it.
    let ((), _) = tokio::join!(relay::converse(sockets), connection);
}
