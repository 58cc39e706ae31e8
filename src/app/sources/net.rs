//! Sources behind sockets, out of a plan.

use std::collections::BTreeSet;

use tokio::runtime::{Builder, Handle, Runtime};

use super::SourceKit;
use crate::app::again::{AskedAgain, RelayAsk};
use crate::app::documents::{Noting, Seen};
use crate::app::error::AppError;
use crate::app::gateway::NodeKind;
use crate::app::options::RunOptions;
use crate::app::plan::Plan;
use crate::app::relay_terms::RelayAnswer;
use crate::domain::{BlockHeight, Media};
use crate::store::SideRecord;
use crate::substrate::{
    CalendarAnswer, CalendarPlan, CalendarSource, EvidenceSource, HeadersPlan, HeadersSource, HttpLimits, NodeApi,
    NodePlan, NodeSource, PaymentLogPlan, PaymentLogSource, RecordsPlan, RecordsSource, RelayAuth, RelayBudget,
    RelayPlan, RelaySource, RetryPolicy, SourceError, WellKnownPlan, WellKnownSource,
};

/// Events asked for per page; relays clamp it to their own cap.
const PAGE_LIMIT: u32 = 5_000;

pub(super) fn runtime(plan: &Plan, options: &RunOptions) -> Result<Option<Runtime>, AppError> {
    if !super::needs_sockets(plan) || options.offline {
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
