//! From a plan to the sources that will be asked.

use std::collections::{BTreeMap, BTreeSet};

use super::again::RelayAsk;
use super::documents::{PastDocuments, Seen};
use super::error::AppError;
use super::options::RunOptions;
use super::plan::Plan;
use super::schedule::Tries;
use super::seals::SnapshotSource;
use crate::domain::{BlockHeight, Digest32, Media, UnixSeconds};
use crate::scratch::Scratch;
use crate::store::{EvidenceStore, SideRecord};
use crate::substrate::{EvidenceSource, FilePrints, FilesSource, SourceError};
use crate::verify::{VerifiedSet, ots};

#[cfg(feature = "net")]
mod net;

#[cfg(feature = "net")]
pub(super) use net::{handle, sockets};

/// What sources share: the runtime of those that use sockets, and what was asked already.
#[derive(Debug)]
pub(super) struct SourceKit {
    #[cfg(feature = "net")]
    runtime: Option<tokio::runtime::Runtime>,
    /// Calendar address and commitment of every upgrade asked for.
    asked: BTreeSet<(String, Vec<u8>)>,
    /// What calendars were asked before.
    tries: Tries,
    /// The time that tries are counted from.
    clock: UnixSeconds,
    /// Ask also for what is not due yet.
    force: bool,
    /// How requests to calendars ended.
    #[cfg(feature = "net")]
    log: crate::substrate::CalendarLog,
    /// What each calendar was asked.
    #[cfg(feature = "net")]
    counts: BTreeMap<String, super::ots::CalendarCounts>,
    /// Heights asked for by name.
    heights: BTreeSet<BlockHeight>,
    /// Published documents that came.
    pub(super) seen: Seen,
    /// What local files came to, where that is to be remembered.
    prints: Option<FilePrints>,
    /// Where sources lay out what is more than fits into memory.
    scratch: Scratch,
}

impl SourceKit {
    /// A kit for the plan; makes a runtime only when a socket will be used. `store` knows what was asked before.
    ///
    /// # Errors
    /// [`SourceError::Offline`] when the plan needs a socket and none is allowed.
    pub(super) fn new(plan: &Plan, options: &RunOptions, store: &dyn EvidenceStore) -> Result<Self, AppError> {
        if options.offline
            && let Some(address) = first_address(plan)
        {
            return Err(SourceError::Offline { address }.into());
        }
        Ok(Self {
            #[cfg(feature = "net")]
            runtime: net::runtime(plan, options)?,
            asked: BTreeSet::new(),
            tries: Tries::load(store)?,
            clock: options.clock,
            force: false,
            #[cfg(feature = "net")]
            log: crate::substrate::CalendarLog::default(),
            #[cfg(feature = "net")]
            counts: BTreeMap::new(),
            heights: BTreeSet::new(),
            seen: Seen::default(),
            prints: options.memory.as_ref().map(|_| FilePrints::default()),
            scratch: store.scratch(),
        })
    }

    /// What local files came to; nothing where that is not to be remembered.
    pub(super) fn prints(&self) -> BTreeMap<Media, Digest32> {
        self.prints.as_ref().map(FilePrints::get).unwrap_or_default()
    }

    /// What each calendar was asked, as far as [`Self::tries`] has taken it.
    #[cfg(feature = "net")]
    pub(super) fn counts(&self) -> &BTreeMap<String, super::ots::CalendarCounts> {
        &self.counts
    }

    /// Asks calendars also for what is not due yet.
    #[cfg(feature = "net")]
    pub(super) fn force(&mut self) {
        self.force = true;
    }

    /// The side records that keep what calendars were asked since the last call. To be stored after the receipts.
    ///
    /// # Errors
    /// [`AppError::Internal`].
    #[cfg_attr(
        not(feature = "net"),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "there are no sockets in this build")
    )]
    pub(super) fn tries(&mut self) -> Result<Vec<SideRecord>, AppError> {
        #[cfg(feature = "net")]
        return net::tries(self);
        #[cfg(not(feature = "net"))]
        Ok(Vec::new())
    }

    /// True when that calendar may be asked now; each question is asked once.
    fn takes(&mut self, address: &str, commitment: &[u8]) -> bool {
        let due = self.force || self.tries.next(address, commitment, self.clock) <= self.clock;
        due && self.asked.insert((address.to_owned(), commitment.to_vec()))
    }

    /// True when sockets are there to ask for upgrades with, and somebody to ask.
    #[cfg_attr(not(feature = "net"), expect(clippy::unused_self, reason = "there are no sockets in this build"))]
    pub(super) fn can_upgrade(&self, plan: &Plan) -> bool {
        #[cfg(feature = "net")]
        let sockets = self.runtime.is_some();
        #[cfg(not(feature = "net"))]
        let sockets = false;
        sockets && (!plan.calendars.is_empty() || plan.bitcoin_rest.is_some() || plan.esplora.is_some())
    }
}

/// True when somebody else has to be asked.
pub(super) fn needs_sockets(plan: &Plan) -> bool {
    first_address(plan).is_some() || !plan.calendars.is_empty()
}

/// The first address of the plan that would need a socket.
fn first_address(plan: &Plan) -> Option<String> {
    let documents = plan.documents.iter().map(|(_, url)| url);
    let logs = plan.payment_logs.iter().map(|log| &log.url);
    let nodes = plan.nodes.iter().map(|node| &node.url);
    let headers = plan.bitcoin_rest.iter().chain(&plan.esplora);
    let own = plan.relays.iter().chain(documents).chain(&plan.balance_api);
    own.chain(logs).chain(nodes).chain(headers).next().cloned()
}

/// Every source that the plan names; relays as `asks` says, or whole.
///
/// # Errors
/// [`AppError::Source`] for an address that may not be contacted or a password file that others can read.
pub(super) fn first_sources(
    plan: &Plan,
    kit: &SourceKit,
    asks: Option<Vec<RelayAsk>>,
) -> Result<Vec<Box<dyn EvidenceSource>>, AppError> {
    let mut sources: Vec<Box<dyn EvidenceSource>> = Vec::new();
    for (media, paths) in &plan.files {
        if *media == Media::Snapshot {
            sources.push(Box::new(SnapshotSource::new(paths.clone(), plan.policy.seal_keys.clone())));
        } else {
            let files = FilesSource::new(*media, paths.clone()).counting_in(kit.scratch.clone());
            sources.push(Box::new(match &kit.prints {
                Some(prints) => files.printing(prints.clone()),
                None => files,
            }));
        }
    }
    if !plan.history.is_empty() && !plan.documents.is_empty() {
        sources.push(Box::new(PastDocuments::read(&plan.history, &plan.documents)?));
    }
    #[cfg(feature = "net")]
    net::first_sources(plan, kit, asks, &mut sources)?;
    #[cfg(not(feature = "net"))]
    if let Some(address) = first_address(plan) {
        let _ = (kit, asks);
        return Err(SourceError::Misconfigured { what: "this build has no sockets", address }.into());
    }
    Ok(sources)
}

/// What the verified set asks for: upgrades of pending proofs, headers that proofs name. Each is asked once.
///
/// # Errors
/// As [`first_sources`].
#[cfg_attr(not(feature = "net"), expect(clippy::unnecessary_wraps, reason = "only a build with sockets can fail here"))]
pub(super) fn upgrade_sources(
    plan: &Plan,
    kit: &mut SourceKit,
    set: &VerifiedSet,
) -> Result<Vec<Box<dyn EvidenceSource>>, AppError> {
    let requests: Vec<(String, Vec<u8>)> = ots::pending_requests(set, &plan.policy)
        .into_iter()
        .filter_map(|request| Some((plan.calendar_address(&request.host)?.to_owned(), request.commitment)))
        .filter(|(address, commitment)| kit.takes(address, commitment))
        .collect();
    let heights: BTreeSet<BlockHeight> = set
        .anchors
        .values()
        .flat_map(|state| state.header_missing)
        .filter(|height| kit.heights.insert(*height))
        .collect();
    let mut sources: Vec<Box<dyn EvidenceSource>> = Vec::new();
    #[cfg(feature = "net")]
    net::upgrade_sources(plan, kit, requests, heights, &mut sources)?;
    #[cfg(not(feature = "net"))]
    let _ = (requests, heights, &mut sources);
    Ok(sources)
}
