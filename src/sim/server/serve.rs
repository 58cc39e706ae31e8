//! A world on loopback: relays and HTTP servers, until they are told to stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::behaviour::Behaviour;
use super::body::{HangUp, Reply};
use super::conduct::Seat;
use super::house::{House, Services};
use super::http::{self, Door};
use super::misbehaviour::Misbehaviour;
use super::relay::{self, RelayServer};
use super::role::Role;
use crate::sim::ots::CALENDARS;
use crate::sim::world::World;
use crate::sim::write::SimError;

const GATEWAY: &[Role] = &[Role::Settlements, Role::Invoices, Role::PaymentLog];
/// Every role that speaks HTTP, for a port that plays them all.
const ALL_HTTP: &[Role] = &[
    Role::Settlements,
    Role::Invoices,
    Role::PaymentLog,
    Role::Calendar,
    Role::Headers,
    Role::WellKnown,
    Role::Balances,
];

/// What listens on a port.
#[derive(Debug, Clone)]
enum Server {
    Relay(Arc<RelayServer>),
    Http(Door),
    /// Counts who comes where nobody should.
    Trap,
}

/// A world being served.
#[derive(Debug)]
pub struct Serving {
    /// Nostr relays. NIP-11 is answered on the same port.
    pub relays: Vec<SocketAddr>,
    /// Everything else on one port.
    pub http: SocketAddr,
    /// Calendars, in the order of the names in proofs.
    pub calendars: Vec<SocketAddr>,
    /// The other HTTP servers; the gateway's three documents have one address.
    pub addresses: BTreeMap<Role, SocketAddr>,
    pub(super) house: Arc<House>,
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

    /// How often each misbehaviour reached the wire, by server (`relay:0`).
    pub fn exercised(&self) -> BTreeMap<(String, Misbehaviour), u64> {
        self.house.conduct.exercised()
    }

    /// The behaviours that never reached the wire: a test with one of them has tested nothing.
    pub fn idle(&self) -> Vec<Behaviour> {
        self.house.conduct.idle()
    }

    /// Connections to the address that redirects and documents point to: a reader that is on its guard makes none.
    pub fn trapped(&self) -> u64 {
        self.house.trapped.load(Ordering::SeqCst)
    }

    /// That address.
    pub fn trap(&self) -> SocketAddr {
        self.house.trap
    }

    /// How the world is served.
    pub fn services(&self) -> &Services {
        &self.house.services
    }
}

/// Serves the world on 127.0.0.1, honestly, until `shutdown` completes.
///
/// # Errors
/// [`SimError::Listen`] when no port can be opened.
pub async fn serve(
    world: Arc<World>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, SimError> {
    serve_with(world, Services::default(), shutdown).await
}

/// Serves the world on 127.0.0.1 with these limits and misbehaviours until `shutdown` completes.
///
/// # Errors
/// [`SimError::Listen`] when a port can't be opened, [`SimError::Ports`] when there are too few from the first one on,
/// [`SimError::Behaviour`] for a misbehaviour of a server that is not there.
pub async fn serve_with(
    world: Arc<World>,
    services: Services,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, SimError> {
    let mut ports = Ports::open(&services).await?;
    // The trap is after all that a reader is told of.
    let trap = ports.trap();
    let house = Arc::new(House::new(world, services, address(&trap)?));
    let (relays, calendars) = (house.services.relays.len(), CALENDARS.len());
    house.conduct.check(&seats(relays, calendars))?;
    let mut listeners = vec![(trap, Server::Trap)];
    let relays = ports.take(relays, &mut listeners, |index| {
        let rules = house.services.relays[index].clone();
        Server::Relay(Arc::new(RelayServer::new(Arc::clone(&house), index, rules)))
    })?;
    let calendar = |index| Server::Http(Door { roles: &[Role::Calendar], index });
    let calendars = ports.take(calendars, &mut listeners, calendar)?;
    let mut addresses = BTreeMap::new();
    for roles in [GATEWAY, &[Role::Headers], &[Role::WellKnown], &[Role::Balances]] {
        let opened = ports.take(1, &mut listeners, |index| Server::Http(Door { roles, index }))?;
        addresses.extend(roles.iter().map(|role| (*role, opened[0])));
    }
    let all = ports.take(1, &mut listeners, |index| Server::Http(Door { roles: ALL_HTTP, index }))?;
    let task = run(&house, listeners, shutdown);
    Ok(Serving { relays, http: all[0], calendars, addresses, house, task })
}

/// Every server there is.
fn seats(relays: usize, calendars: usize) -> Vec<Seat> {
    let count = |role| match role {
        Role::Relay => relays,
        Role::Calendar => calendars,
        _ => 1,
    };
    Role::ALL.into_iter().flat_map(|role| (0..count(role)).map(move |index| Seat { role, index })).collect()
}

/// As many listeners as there are servers, on free ports or on consecutive ones.
struct Ports(Vec<TcpListener>);

impl Ports {
    /// Opened in order: of several ports that are in use, the first is the one that is named.
    async fn open(services: &Services) -> Result<Self, SimError> {
        let ports = match (services.first_port, services.last_port()?) {
            (Some(first), Some(last)) => (first..=last).collect(),
            _ => vec![0; services.ports()],
        };
        let mut listeners = Vec::with_capacity(ports.len());
        for port in ports {
            listeners.push(listen(port).await?);
        }
        Ok(Self(listeners))
    }

    fn trap(&mut self) -> TcpListener {
        self.0.pop().expect("every server has a port")
    }

    /// The next `count` of them, and their addresses.
    fn take(
        &mut self,
        count: usize,
        listeners: &mut Vec<(TcpListener, Server)>,
        server: impl Fn(usize) -> Server,
    ) -> Result<Vec<SocketAddr>, SimError> {
        let taken = self.0.drain(..count).enumerate().map(|(index, listener)| {
            let at = address(&listener)?;
            listeners.push((listener, server(index)));
            Ok(at)
        });
        taken.collect()
    }
}

async fn listen(port: u16) -> Result<TcpListener, SimError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| SimError::Listen { port, source })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, SimError> {
    listener.local_addr().map_err(|source| SimError::Listen { port: 0, source })
}

/// Starts every server; the task ends when all have.
fn run(
    house: &Arc<House>,
    listeners: Vec<(TcpListener, Server)>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<Result<(), SimError>> {
    let (stop, stopped) = watch::channel(());
    let mut servers = JoinSet::new();
    for (listener, server) in listeners {
        servers.spawn(accept(listener, Arc::clone(house), server, stopped.clone()));
    }
    tokio::spawn(async move {
        shutdown.await;
        drop(stop);
        while let Some(ended) = servers.join_next().await {
            ended.map_err(|error| SimError::Server(error.to_string()))?;
        }
        Ok(())
    })
}

/// Takes connections until the stop; then drops those that are left.
async fn accept(listener: TcpListener, house: Arc<House>, server: Server, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // The sender never sends: the channel's end is the stop.
            _ = stopped.changed() => break,
            taken = listener.accept() => {
                if let Ok((stream, _)) = taken {
                    match &server {
                        Server::Trap => {
                            house.trapped.fetch_add(1, Ordering::SeqCst);
                        }
                        server => {
                            connections.spawn(converse(stream, Arc::clone(&house), server.clone()));
                        }
                    }
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

/// One connection. A peer that breaks the protocol ends its own connection only.
async fn converse(stream: TcpStream, house: Arc<House>, server: Server) {
    // A failure to switch Nagle off costs speed, nothing else.
    let _ = stream.set_nodelay(true);
    let (upgrades, sockets) = mpsc::channel(1);
    let spoken = match &server {
        Server::Relay(relay) => Some(Arc::clone(relay)),
        Server::Http(_) | Server::Trap => None,
    };
    let client = match &server {
        Server::Http(door) => house.conduct.new_client(Seat { role: door.roles[0], index: door.index }),
        Server::Relay(_) | Server::Trap => 0,
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let (house, server, upgrades) = (Arc::clone(&house), server.clone(), upgrades.clone());
        async move {
            match server {
                Server::Http(door) => http::answer(&house, door, client, request).await,
                Server::Relay(relay) => Ok::<Reply, HangUp>(relay::answer(&relay, request, &upgrades)),
                Server::Trap => Err(HangUp),
            }
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // The conversation over an upgraded socket runs beside the connection that made it, and dies with it.
    let spoken = async {
        if let Some(relay) = spoken {
            relay.converse(sockets).await;
        }
    };
    let ((), _) = tokio::join!(spoken, connection);
}
