//! The gateway's log in each of its three wire shapes (TREASURY 1.3): one history is one ledger.

use reledger::domain::{Code, Media, RawEvidence};
use reledger::sim::{Selection, Transport, generators_over};
use serde_json::{Value, json};

use super::world::Held;

/// A member of an entry in whatever shape it came.
fn member(entry: &Value, place: usize, names: [&str; 2]) -> Value {
    let named = || names.iter().map(|name| &entry[*name]).find(|value| !value.is_null()).cloned();
    if entry.is_array() { entry[place].clone() } else { named().unwrap_or_default() }
}

/// The entry as gateways of 0.6, of 0.7 to 0.9, and from 0.10 on write it.
fn shapes(entry: &Value) -> [Value; 3] {
    let id = member(entry, 0, ["id", "event_id"]);
    let kind = member(entry, 1, ["kind", "event_kind"]);
    let module = member(entry, 2, ["module", "module"]);
    let (at, payload) = (member(entry, 3, ["ts_usecs", "timestamp"]), member(entry, 4, ["payload", "value"]));
    let pair = match &module {
        Value::Object(named) => json!([named["kind"], named["id"]]),
        other => other.clone(),
    };
    let named = match &pair {
        Value::Array(pair) => json!({"kind": pair[0], "id": pair[1]}),
        other => other.clone(),
    };
    [
        json!([id, kind, pair, at, payload]),
        json!({"event_id": id, "event_kind": kind, "module": pair, "timestamp": at, "value": payload}),
        json!({"id": id, "kind": kind, "module": named, "ts_usecs": at, "payload": payload}),
    ]
}

fn in_shape(held: &Held, shape: usize) -> Vec<RawEvidence> {
    let rewritten = held.evidence.iter().map(|raw| {
        let mut raw = raw.clone();
        if raw.media == Media::PaymentLogEntry {
            let entry: Value = serde_json::from_slice(&raw.bytes).unwrap();
            raw.bytes = shapes(&entry)[shape].to_string().into_bytes();
        }
        raw
    });
    rewritten.collect()
}

#[test]
fn three_shapes_of_one_log_are_one_ledger() {
    let open = || generators_over(Transport::Files).filter(|generator| generator.code == Code::GwOpen);
    let selected: Vec<Selection> =
        open().flat_map(|generator| [true, false].map(|near| Selection { generator, near })).collect();
    let held = Held::with(61, &selected);
    let mut seen = Vec::new();
    for shape in 0..3 {
        let evidence = in_shape(&held, shape);
        let logged = evidence.iter().filter(|raw| raw.media == Media::PaymentLogEntry).count();
        assert!(logged > 20, "{logged} entries");
        let judged = held.judge(&evidence.iter().collect::<Vec<_>>());
        assert_eq!(judged.set.payment_log.len(), logged, "shape {shape}");
        let claims = judged.entries.iter().filter(|entry| entry.kind == "claim").count();
        assert!(claims > 0, "shape {shape}");
        seen.push((judged.ledgers.treasury.view(), judged.divergences.iter().map(told).collect::<Vec<_>>()));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    // The log matters to the ledger: without it nothing is in flight.
    let (treasury, _) = &seen[0];
    assert!(treasury.trial_balance["A:InFlight"] > 0);
    let without: Vec<&RawEvidence> = held.evidence.iter().filter(|raw| raw.media != Media::PaymentLogEntry).collect();
    assert_ne!(held.judge(&without).ledgers.treasury.view().root, treasury.root);
}

/// What a divergence says, without the ids of the log's own bytes.
fn told(divergence: &reledger::domain::Divergence) -> String {
    format!("{} {:?} {} {}", divergence.code, divergence.subject, divergence.expected, divergence.observed)
}
