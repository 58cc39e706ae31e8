//! From a plan to the sources that will be asked.

use std::collections::BTreeSet;

use super::drill::RunOptions;
use super::error::AppError;
use super::plan::Plan;
use super::seals::SnapshotSource;
use crate::domain::{BlockHeight, Media};
use crate::substrate::{EvidenceSource, FilesSource, SourceError};
use crate::verify::VerifiedSet;

/// What sources share: the runtime of those that use sockets, and what was asked already.
#[derive(Debug)]
pub(super) struct SourceKit {
    #[cfg(feature = "net")]
    runtime: Option<tokio::runtime::Runtime>,
    /// Calendar address and commitment of every upgrade asked for.
    asked: BTreeSet<(String, Vec<u8>)>,
    /// Heights asked for by name.
    heights: BTreeSet<BlockHeight>,
}

impl SourceKit {
    /// A kit for the plan; makes a runtime only when a socket will be used.
    ///
    /// # Errors
    /// [`SourceError::Offline`] when the plan needs a socket and none is allowed.
    pub(super) fn new(plan: &Plan, options: &RunOptions) -> Result<Self, AppError> {
        if options.offline
            && let Some(address) = first_address(plan)
        {
            return Err(SourceError::Offline { address }.into());
        }
        Ok(Self {
            #[cfg(feature = "net")]
            runtime: net::runtime(plan, options)?,
            asked: BTreeSet::new(),
            heights: BTreeSet::new(),
        })
    }

    /// True when sockets are there to ask for upgrades with.
    #[cfg_attr(not(feature = "net"), expect(clippy::unused_self, reason = "there are no sockets in this build"))]
    pub(super) fn can_upgrade(&self) -> bool {
        #[cfg(feature = "net")]
        return self.runtime.is_some();
        #[cfg(not(feature = "net"))]
        false
    }
}

/// The first address of the plan that would need a socket.
fn first_address(plan: &Plan) -> Option<String> {
    let documents = plan.documents.iter().map(|(_, url)| url);
    let logs = plan.payment_logs.iter().map(|log| &log.url);
    let headers = plan.bitcoin_rest.iter().chain(&plan.esplora);
    plan.relays.iter().chain(documents).chain(logs).chain(headers).next().cloned()
}

/// Every source that the plan names.
///
/// # Errors
/// [`AppError::Source`] for an address that may not be contacted or a password file that others can read.
pub(super) fn first_sources(plan: &Plan, kit: &SourceKit) -> Result<Vec<Box<dyn EvidenceSource>>, AppError> {
    let mut sources: Vec<Box<dyn EvidenceSource>> = Vec::new();
    for (media, paths) in &plan.files {
        if *media == Media::Snapshot {
            sources.push(Box::new(SnapshotSource::new(paths.clone(), plan.policy.seal_keys.clone())));
        } else {
            sources.push(Box::new(FilesSource::new(*media, paths.clone())));
        }
    }
    #[cfg(feature = "net")]
    net::first_sources(plan, kit, &mut sources)?;
    #[cfg(not(feature = "net"))]
    if let Some(address) = first_address(plan) {
        let _ = kit;
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
    let requests: Vec<(String, Vec<u8>)> = set
        .anchors
        .values()
        .filter(|state| state.confirmed.is_empty())
        .flat_map(|state| &state.pending)
        .filter_map(|pending| {
            let address = pending.uri.trim_end_matches('/');
            let calendar = plan.calendars.iter().find(|(named, _)| named.trim_end_matches('/') == address)?;
            Some((calendar.1.clone(), pending.commitment.clone()))
        })
        .filter(|request| kit.asked.insert(request.clone()))
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
mod net {
    use std::collections::BTreeSet;

    use tokio::runtime::{Builder, Handle, Runtime};

    use super::super::relay_terms::RelayAnswer;
    use super::{AppError, BlockHeight, EvidenceSource, Media, Plan, RunOptions, SourceError, SourceKit};
    use crate::substrate::{
        CalendarPlan, CalendarSource, HeadersPlan, HeadersSource, HttpLimits, PaymentLogPlan, PaymentLogSource,
        RecordsPlan, RecordsSource, RelayAuth, RelayBudget, RelayPlan, RelaySource, RetryPolicy, WellKnownPlan,
        WellKnownSource,
    };

    /// Events asked for per page; relays clamp it to their own cap.
    const PAGE_LIMIT: u32 = 5_000;

    pub(super) fn runtime(plan: &Plan, options: &RunOptions) -> Result<Option<Runtime>, AppError> {
        let needs_sockets = super::first_address(plan).is_some() || !plan.calendars.is_empty();
        if !needs_sockets || options.offline {
            return Ok(None);
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("sockets").enable_all().build();
        runtime.map(Some).map_err(|source| AppError::Io {
            action: "start the runtime of",
            file: "sockets".to_owned(),
            source,
        })
    }

    fn handle(kit: &SourceKit) -> Option<Handle> {
        kit.runtime.as_ref().map(|runtime| runtime.handle().clone())
    }

    pub(super) fn first_sources(
        plan: &Plan,
        kit: &SourceKit,
        sources: &mut Vec<Box<dyn EvidenceSource>>,
    ) -> Result<(), AppError> {
        let Some(handle) = handle(kit) else { return Ok(()) };
        for url in &plan.relays {
            sources.push(Box::new(RelaySource::new(relay_plan(plan, url), handle.clone())?));
        }
        for (media, url) in &plan.documents {
            sources.push(document(plan, *media, url, &handle)?);
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
            sources.push(Box::new(CalendarSource::new(CalendarPlan::polite(requests, allowed), handle.clone())?));
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

    fn document(plan: &Plan, media: Media, url: &str, handle: &Handle) -> Result<Box<dyn EvidenceSource>, SourceError> {
        let url = url.to_owned();
        let allow_plaintext = plan.allow_plaintext;
        Ok(match media {
            Media::Settlement | Media::Invoice | Media::Balance | Media::Activity => {
                let records = RecordsPlan { url, media, allow_plaintext, http: HttpLimits::bulk() };
                Box::new(RecordsSource::new(records, handle.clone())?)
            }
            _ => {
                let document = WellKnownPlan { url, media, allow_plaintext, http: HttpLimits::default() };
                Box::new(WellKnownSource::new(document, handle.clone())?)
            }
        })
    }
}
