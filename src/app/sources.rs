//! From a plan to the sources that will be asked.

use std::collections::BTreeSet;

use super::again::RelayAsk;
use super::documents::{PastDocuments, Seen};
use super::error::AppError;
#[cfg(feature = "net")]
use super::gateway::NodeKind;
use super::options::RunOptions;
use super::plan::Plan;
use super::schedule::Tries;
use super::seals::SnapshotSource;
use crate::domain::{BlockHeight, Media, UnixSeconds};
use crate::store::{EvidenceStore, SideRecord};
use crate::substrate::{EvidenceSource, FilesSource, SourceError};
use crate::verify::{VerifiedSet, ots};

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
    counts: std::collections::BTreeMap<String, super::ots::CalendarCounts>,
    /// Heights asked for by name.
    heights: BTreeSet<BlockHeight>,
    /// Published documents that came.
    pub(super) seen: Seen,
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
            counts: std::collections::BTreeMap::new(),
            heights: BTreeSet::new(),
            seen: Seen::default(),
        })
    }

    /// What each calendar was asked, as far as [`Self::tries`] has taken it.
    #[cfg(feature = "net")]
    pub(super) fn counts(&self) -> &std::collections::BTreeMap<String, super::ots::CalendarCounts> {
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
            sources.push(Box::new(FilesSource::new(*media, paths.clone())));
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
        .flat_map(|state| &state.header_missing)
        .copied()
        .filter(|height| kit.heights.insert(*height))
        .collect();
    let mut sources: Vec<Box<dyn EvidenceSource>> = Vec::new();
    #[cfg(feature = "net")]
    net::upgrade_sources(plan, kit, requests, heights, &mut sources)?;
    #[cfg(not(feature = "net"))]
    let _ = (requests, heights, &mut sources);
    Ok(sources)
}

#[cfg(feature = "net")]
pub(super) use net::{handle, sockets};

#[cfg(feature = "net")]
mod net {
    use std::collections::BTreeSet;

    use tokio::runtime::{Builder, Handle, Runtime};

    use super::super::documents::Noting;
    use super::super::relay_terms::RelayAnswer;
    use super::SideRecord;
    use super::{
        AppError, BlockHeight, EvidenceSource, Media, NodeKind, Plan, RelayAsk, RunOptions, Seen, SourceError,
        SourceKit,
    };
    use crate::app::again::AskedAgain;
    use crate::substrate::{
        CalendarAnswer, CalendarPlan, CalendarSource, HeadersPlan, HeadersSource, HttpLimits, NodeApi, NodePlan,
        NodeSource, PaymentLogPlan, PaymentLogSource, RecordsPlan, RecordsSource, RelayAuth, RelayBudget, RelayPlan,
        RelaySource, RetryPolicy, WellKnownPlan, WellKnownSource,
    };

    /// Events asked for per page; relays clamp it to their own cap.
    const PAGE_LIMIT: u32 = 5_000;

    pub(super) fn runtime(plan: &Plan, options: &RunOptions) -> Result<Option<Runtime>, AppError> {
        let needs_sockets = super::first_address(plan).is_some() || !plan.calendars.is_empty();
        if !needs_sockets || options.offline {
            return Ok(None);
        }
        sockets().map(Some)
    }

    /// The runtime that sockets need.
    ///
    /// # Errors
    /// [`AppError::Io`] when the system gives no threads.
    pub(in crate::app) fn sockets() -> Result<Runtime, AppError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("sockets").enable_all().build();
        runtime.map_err(|source| AppError::Io { action: "start the runtime of", file: "sockets".to_owned(), source })
    }

    /// Only a proper answer counts: who could not be reached is asked again by the next run.
    pub(super) fn tries(kit: &mut SourceKit) -> Result<Vec<SideRecord>, AppError> {
        let mut records = Vec::new();
        for (calendar, commitment, answer) in kit.log.take() {
            kit.counts.entry(calendar.0.clone()).or_default().add(answer);
            if matches!(answer, CalendarAnswer::Replied | CalendarAnswer::NotYet) {
                records.push(kit.tries.note(&calendar.0, &commitment, kit.clock)?);
            }
        }
        Ok(records)
    }

    pub(in crate::app) fn handle(kit: &SourceKit) -> Option<Handle> {
        kit.runtime.as_ref().map(|runtime| runtime.handle().clone())
    }

    pub(super) fn first_sources(
        plan: &Plan,
        kit: &SourceKit,
        asks: Option<Vec<RelayAsk>>,
        sources: &mut Vec<Box<dyn EvidenceSource>>,
    ) -> Result<(), AppError> {
        let Some(handle) = handle(kit) else { return Ok(()) };
        match asks {
            None => {
                for url in &plan.relays {
                    sources.push(Box::new(RelaySource::new(relay_plan(plan, url), handle.clone())?));
                }
            }
            Some(asks) => {
                for ask in asks {
                    sources.push(Box::new(asked_again(plan, ask, &handle)?));
                }
            }
        }
        for (media, url) in &plan.documents {
            sources.push(document(plan, *media, url, kit, &handle)?);
        }
        for log in &plan.payment_logs {
            let log = PaymentLogPlan {
                url: log.url.clone(),
                federation_id: log.federation_id.clone(),
                password_file: log.password_file.clone(),
                page_entries: None,
                allow_plaintext: plan.allow_plaintext,
                http: HttpLimits::bulk(),
            };
            sources.push(Box::new(PaymentLogSource::new(log, handle.clone())?));
        }
        for node in &plan.nodes {
            sources.push(Box::new(NodeSource::new(node_plan(plan, node), handle.clone())?));
        }
        // A node gives the whole chain in bulk; two calls a header would be a burden on an explorer: it is asked by height.
        if plan.bitcoin_rest.is_some() {
            sources.push(Box::new(HeadersSource::new(headers_plan(plan, None), handle)?));
        }
        Ok(())
    }

    pub(super) fn upgrade_sources(
        plan: &Plan,
        kit: &SourceKit,
        requests: Vec<(String, Vec<u8>)>,
        heights: BTreeSet<BlockHeight>,
        sources: &mut Vec<Box<dyn EvidenceSource>>,
    ) -> Result<(), AppError> {
        let Some(handle) = handle(kit) else { return Ok(()) };
        if !requests.is_empty() {
            let allowed = plan.calendars.values().cloned().collect();
            let calendars = CalendarPlan { log: kit.log.clone(), ..CalendarPlan::polite(requests, allowed) };
            sources.push(Box::new(CalendarSource::new(calendars, handle.clone())?));
        }
        if !heights.is_empty() && (plan.bitcoin_rest.is_some() || plan.esplora.is_some()) {
            sources.push(Box::new(HeadersSource::new(headers_plan(plan, Some(heights)), handle)?));
        }
        Ok(())
    }

    fn relay_plan(plan: &Plan, url: &str) -> RelayPlan {
        RelayPlan {
            url: url.to_owned(),
            kinds: plan.policy.kinds.iter().copied().collect(),
            since: plan.window.0,
            until: plan.window.1,
            allow_plaintext: plan.allow_plaintext,
            budgets: relay_budget(plan),
            page_limit: PAGE_LIMIT,
            retry: RetryPolicy::default(),
            auth: plan.relay_terms.auth.as_ref().map(|answer| match answer {
                RelayAnswer::Throwaway => RelayAuth::Throwaway,
                RelayAnswer::KeyFile(file) => RelayAuth::KeyFile(file.clone()),
            }),
        }
    }

    fn relay_budget(plan: &Plan) -> RelayBudget {
        let (named, usual) = (&plan.relay_terms.budget, RelayBudget::default());
        RelayBudget {
            events: named.events.unwrap_or(usual.events),
            bytes: named.bytes.unwrap_or(usual.bytes),
            pages: named.questions.unwrap_or(usual.pages),
            idle_ms: plan.idle_seconds.saturating_mul(1000),
            fetch_ms: named.time.map_or(usual.fetch_ms, |span| span.0.saturating_mul(1000)),
            ..usual
        }
    }

    fn node_plan(plan: &Plan, node: &crate::app::gateway::NodePlan) -> NodePlan {
        NodePlan {
            url: node.url.clone(),
            api: match node.kind {
                NodeKind::Lnd => NodeApi::Lnd,
                NodeKind::CoreLightning => NodeApi::CoreLightning,
            },
            secret_file: node.secret_file.clone(),
            certificate_file: node.certificate_file.clone(),
            page_records: None,
            allow_plaintext: plan.allow_plaintext,
            http: HttpLimits::bulk(),
        }
    }

    fn asked_again(plan: &Plan, ask: RelayAsk, handle: &Handle) -> Result<AskedAgain, SourceError> {
        let (base, handle) = (relay_plan(plan, &ask.url), handle.clone());
        let make = move |(since, until), kinds: BTreeSet<u16>| {
            let kinds = kinds.into_iter().collect();
            RelaySource::new(RelayPlan { kinds, since, until, ..base.clone() }, handle.clone())
        };
        AskedAgain::new(ask, Box::new(make))
    }

    fn headers_plan(plan: &Plan, heights: Option<BTreeSet<BlockHeight>>) -> HeadersPlan {
        HeadersPlan {
            rest: plan.bitcoin_rest.clone(),
            esplora: plan.esplora.clone(),
            from: plan.policy.headers.checkpoint.height,
            heights,
            allow_plaintext: plan.allow_plaintext,
            http: HttpLimits::bulk(),
        }
    }

    fn document(
        plan: &Plan,
        media: Media,
        url: &str,
        kit: &SourceKit,
        handle: &Handle,
    ) -> Result<Box<dyn EvidenceSource>, SourceError> {
        let url = url.to_owned();
        let allow_plaintext = plan.allow_plaintext;
        Ok(match media {
            Media::Settlement | Media::Invoice | Media::Balance | Media::Activity => {
                let records = RecordsPlan { url, media, allow_plaintext, pages_max: None, http: HttpLimits::bulk() };
                Box::new(RecordsSource::new(records, handle.clone())?)
            }
            _ => {
                let document = WellKnownPlan { url, media, allow_plaintext, http: HttpLimits::default() };
                let source = Box::new(WellKnownSource::new(document, handle.clone())?);
                Box::new(Noting { source, seen: Seen::clone(&kit.seen) })
            }
        })
    }
}
