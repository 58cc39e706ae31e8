//! What all servers of one world share.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::behaviour::Behaviour;
use super::conduct::Conduct;
use super::growth::Growth;
use super::relay::RelayRules;
use crate::sim::chain::block_hash_hex;
use crate::sim::ots::CALENDARS;
use crate::sim::world::World;
use crate::sim::write::SimError;

/// How a world is served. The default is honest, with the limits that servers of the field have.
#[derive(Debug, Clone)]
pub struct Services {
    /// One entry a relay.
    pub relays: Vec<RelayRules>,
    /// Who misbehaves.
    pub behaviours: Vec<Behaviour>,
    /// The length of one pause of a slow server, in milliseconds. Delays are small multiples of it.
    pub pace_ms: u64,
    /// Most entries in one page of the payment log, whatever size was asked for.
    pub log_page_max: usize,
    /// Which interface the headers come over.
    pub headers: HeaderDialect,
    /// The first of the consecutive ports to listen on; `None` takes free ones.
    pub first_port: Option<u16>,
}

/// Who is asked for headers in the written configuration; both interfaces are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderDialect {
    /// Bitcoin Core's REST interface: the whole chain.
    Core,
    /// An Esplora server: the heights that proofs name.
    Esplora,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            relays: vec![RelayRules::default(); 2],
            behaviours: Vec::new(),
            pace_ms: 20,
            log_page_max: usize::MAX,
            headers: HeaderDialect::Core,
            first_port: None,
        }
    }
}

impl Services {
    /// How many ports are listened on: relays, calendars, gateway, headers, key sets, balances, one that plays every role
    /// over HTTP, and one that nobody may come to.
    pub fn ports(&self) -> usize {
        self.relays.len() + CALENDARS.len() + 6
    }

    /// The last of the consecutive ports; nothing when free ones are taken.
    ///
    /// # Errors
    /// [`SimError::Ports`] when it would be above 65535.
    pub(super) fn last_port(&self) -> Result<Option<u16>, SimError> {
        let Some(first) = self.first_port else { return Ok(None) };
        let needed = u16::try_from(self.ports()).unwrap_or(u16::MAX);
        let last = first.checked_add(needed.saturating_sub(1));
        last.map(Some).ok_or(SimError::Ports { first, needed })
    }
}

/// What every connection needs.
#[derive(Debug)]
pub(super) struct House {
    pub(super) world: Arc<World>,
    pub(super) services: Services,
    pub(super) conduct: Conduct,
    /// An address that redirects and documents point to and that nobody may follow.
    pub(super) trap: SocketAddr,
    /// Connections that came there.
    pub(super) trapped: AtomicU64,
    /// What came to it since it is served.
    pub(super) growth: Growth,
    /// Height by block hash, made when it is first asked for.
    heights: OnceLock<BTreeMap<String, usize>>,
}

impl House {
    pub(super) fn new(world: Arc<World>, services: Services, trap: SocketAddr) -> Self {
        let pace = Duration::from_millis(services.pace_ms);
        let conduct = Conduct::new(world.seed, services.behaviours.clone(), pace);
        Self {
            world,
            services,
            conduct,
            trap,
            trapped: AtomicU64::new(0),
            growth: Growth::default(),
            heights: OnceLock::new(),
        }
    }

    /// The height of the block with that hash, as explorers print it.
    pub(super) fn height_of(&self, hash: &str) -> Option<usize> {
        let heights = self.heights.get_or_init(|| {
            let headers = self.world.headers.iter().enumerate();
            headers.map(|(height, header)| (block_hash_hex(header), height)).collect()
        });
        heights.get(hash).copied().or_else(|| self.growth.height_of(&self.world, hash))
    }

    /// Addresses that a reader must not contact: plaintext outside loopback, a metadata service, our own trap.
    pub(super) fn bad_urls(&self) -> [String; 3] {
        let private = Ipv4Addr::new(10, 0, 0, 1);
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        [format!("http://{}/", self.trap), format!("http://{private}/"), format!("http://{metadata}/latest/")]
    }
}
