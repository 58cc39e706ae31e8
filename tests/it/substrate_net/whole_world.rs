//! The simulator's servers were written without knowledge of this room: what they serve must come over whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use reledger::domain::{BlockHeight, CompletenessBasis, Enumeration, FetchReceipt, Media, Window};
use reledger::evidence::rails::redact_log_entry;
use reledger::sim::{CalendarReply, World, serve};
use reledger::substrate::{
    CalendarPlan, CalendarSource, EvidenceSource, HeadersPlan, HeadersSource, PaymentLogPlan, PaymentLogSource,
    RecordsPlan, RecordsSource, RelaySource,
};

use super::relay::plan as relay_plan;
use super::{Collected, complete, fetch, media, patient, runtime};

struct Served {
    world: Arc<World>,
    relays: Vec<String>,
    http: String,
}

/// A world on loopback; it is served as long as the test runs.
fn served() -> Served {
    let world = Arc::new(World::generate(7, 400));
    let serving = runtime().block_on(serve(Arc::clone(&world), std::future::pending())).unwrap();
    let relays = serving.relays.iter().map(|relay| format!("ws://{relay}")).collect();
    Served { relays, http: format!("http://{}", serving.http), world }
}

fn get(mut source: impl EvidenceSource) -> (Collected, Vec<FetchReceipt>) {
    let (sink, receipts) = fetch(&mut source);
    (sink, receipts.into_iter().map(super::gateway::bare).collect())
}

#[test]
fn every_relay_gives_every_event_and_nothing_is_left_open() {
    let Served { world, relays, .. } = served();
    let kinds: BTreeSet<u16> = world.events.iter().map(|event| event.kind).collect();
    let asked: Vec<u16> = kinds.iter().copied().collect();
    let lines: BTreeSet<String> = world.events.iter().map(reledger::sim::SimEvent::line).collect();
    assert!(lines.len() > 200, "a world that needs several pages");
    for url in &relays {
        let (sink, receipts) = fetch(&mut RelaySource::new(relay_plan(url, &asked), runtime()).unwrap());
        assert_eq!(sink.texts(), lines);
        let of_kind = |kind: u16| world.events.iter().filter(|event| event.kind == kind).count();
        for (kind, receipt) in asked.iter().zip(receipts) {
            let items = u64::try_from(of_kind(*kind)).unwrap();
            let expected = complete(url, &kind.to_string(), items);
            let certificate = receipt.backing.certificate.clone().unwrap();
            let told = (certificate.enumeration, certificate.claimed, certificate.served, certificate.counted);
            assert_eq!(told, (Enumeration::Reconciled, items, items, Some(items)));
            assert_eq!(certificate.windows, [Window { from: None, until: None, items, open: String::new() }]);
            let basis = CompletenessBasis::SetEqual;
            assert_eq!(receipt, FetchReceipt { basis, backing: receipt.backing.clone(), ..expected });
        }
    }
}

#[test]
fn the_whole_chain_comes() {
    let Served { world, http, .. } = served();
    let plan = HeadersPlan {
        rest: Some(http.clone()),
        esplora: None,
        from: BlockHeight(0),
        heights: None,
        allow_plaintext: false,
        http: patient(),
    };
    let (sink, receipts) = get(HeadersSource::new(plan, runtime()).unwrap());
    let bytes: Vec<u8> = sink.items.into_iter().flat_map(|item| item.evidence.into_evidence().bytes).collect();
    assert!(bytes == world.headers.concat(), "every header in order");
    assert_eq!(receipts, [complete(&http, media(Media::Headers), u64::try_from(world.headers.len()).unwrap())]);
}

#[test]
fn every_commitment_is_answered() {
    let Served { world, http, .. } = served();
    let bytes = |hex: &str| -> Vec<u8> {
        let mut bytes = vec![0; hex.len() / 2];
        faster_hex::hex_decode(hex.as_bytes(), &mut bytes).unwrap();
        bytes
    };
    let requests = world.calendar.keys().map(|commitment| (http.clone(), bytes(commitment))).collect();
    let plan = CalendarPlan { interval_ms: 0, http: patient(), ..CalendarPlan::polite(requests, vec![http.clone()]) };
    let (sink, receipts) = get(CalendarSource::new(plan, runtime()).unwrap());
    let confirmed: BTreeSet<(String, Vec<u8>)> = world
        .calendar
        .iter()
        .filter_map(|(commitment, reply)| match reply {
            CalendarReply::Confirmed(proof) => Some((format!("127.0.0.1/{commitment}"), proof.clone())),
            CalendarReply::Pending => None,
        })
        .collect();
    assert!(!confirmed.is_empty());
    let got: BTreeSet<_> =
        sink.items.into_iter().map(|item| item.evidence.into_evidence()).map(|item| (item.about, item.bytes)).collect();
    assert_eq!(got, confirmed);
    let pending = world.calendar.len() - confirmed.len();
    let reason = match pending {
        0 => String::new(),
        _ => format!("{pending} of {}: Pending confirmation in Bitcoin blockchain", world.calendar.len()),
    };
    let whole = complete(&http, media(Media::CalendarReply), u64::try_from(confirmed.len()).unwrap());
    assert_eq!(receipts, [FetchReceipt { reason, ..whole }]);
}

#[test]
fn the_money_comes_whole() {
    let Served { world, http, .. } = served();
    for (route, kind, records) in [
        ("settlements.jsonl", Media::Settlement, &world.settlements),
        ("invoices.json", Media::Invoice, &world.invoices),
        ("balances.jsonl", Media::Balance, &world.balances),
        ("activity.jsonl", Media::Activity, &world.activity),
    ] {
        let url = format!("{http}/{route}");
        let plan =
            RecordsPlan { url: url.clone(), media: kind, allow_plaintext: false, pages_max: None, http: patient() };
        let (sink, receipts) = get(RecordsSource::new(plan, runtime()).unwrap());
        assert_eq!(sink.texts(), records.iter().cloned().collect(), "{route}");
        assert_eq!(receipts, [complete(&url, media(kind), u64::try_from(records.len()).unwrap())]);
    }
    let folder = tempfile::tempdir().unwrap();
    let password_file = super::gateway::password_file(&folder, 0o600);
    std::fs::write(&password_file, "loopback only").unwrap();
    let plan = PaymentLogPlan {
        url: http.clone(),
        federation_id: world.federation_id.clone(),
        password_file,
        page_entries: Some(100),
        allow_plaintext: false,
        http: patient(),
    };
    let (sink, receipts) = get(PaymentLogSource::new(plan, runtime()).unwrap());
    let kept = |json: &str| redact_log_entry(json.as_bytes()).unwrap_or_else(|| json.as_bytes().to_vec());
    let expected: BTreeSet<Vec<u8>> = world.payment_log.iter().map(|entry| kept(&entry.json)).collect();
    let got: BTreeSet<Vec<u8>> = sink.items.into_iter().map(|item| item.evidence.into_evidence().bytes).collect();
    assert_eq!(got, expected);
    assert_eq!(
        receipts,
        [complete(&http, media(Media::PaymentLogEntry), u64::try_from(world.payment_log.len()).unwrap())]
    );
}
