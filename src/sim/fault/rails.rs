//! Settlements beside invoice records and the gateway's log (TREASURY 1.4, 2.6, 3).

use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Subject, sha256};
use crate::sim::scene::{NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::InvState,
        name: "an-invoice-that-expired",
        near_miss: "an invoice that was paid",
        fault: an_invoice_that_expired,
        miss: an_invoice_that_was_paid,
    },
    Generator {
        code: Code::InvOverpaid,
        name: "a-satoshi-more-than-asked",
        near_miss: "a millisatoshi less than a satoshi more",
        fault: a_satoshi_more_than_asked,
        miss: nearly_a_satoshi_more,
    },
    Generator {
        code: Code::InvUnderpaid,
        name: "a-millisatoshi-less-than-asked",
        near_miss: "what was asked",
        fault: a_millisatoshi_less_than_asked,
        miss: an_invoice_that_was_paid,
    },
    Generator {
        code: Code::AmtResidue,
        name: "a-millisatoshi-more-than-asked",
        near_miss: "no residue",
        fault: a_millisatoshi_more_than_asked,
        miss: an_invoice_that_was_paid,
    },
    Generator {
        code: Code::AmtMismatch,
        name: "an-invoice-of-another-amount",
        near_miss: "an invoice of the amount",
        fault: an_invoice_of_another_amount,
        miss: an_invoice_that_was_paid,
    },
    Generator {
        code: Code::UnitSuspect,
        name: "an-invoice-a-thousand-times-as-high",
        near_miss: "an invoice 1001 times as high",
        fault: a_thousand_times,
        miss: a_thousand_and_one_times,
    },
    Generator {
        code: Code::GwPhantom,
        name: "failed-in-the-log-and-paid-at-the-node",
        near_miss: "failed first and then paid",
        fault: failed_and_paid,
        miss: failed_then_paid,
    },
    Generator {
        code: Code::GwForeign,
        name: "an-entry-of-somebody-else",
        near_miss: "a log of ours alone",
        fault: an_entry_of_somebody_else,
        miss: a_log_of_ours_alone,
    },
];

/// A deposit of 1,000 satoshi whose record says this many millisatoshi asked and received.
fn invoiced(scene: &mut Scene, asked: u64, received: u64) -> Planting {
    let (settled, _) = scene.invoiced(|invoice| {
        invoice["amount_msat"] = asked.into();
        invoice["amt_paid_msat"] = received.into();
    })?;
    Ok(Subject::new("settlement", settled.digest))
}

fn an_invoice_that_was_paid(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_000_000, 1_000_000)
}

fn an_invoice_that_expired(scene: &mut Scene) -> Planting {
    let (settled, _) = scene.invoiced(|invoice| {
        invoice["status"] = "expired".into();
        invoice["amt_paid_msat"] = Value::Null;
    })?;
    Ok(Subject::new("settlement", settled.digest))
}

fn a_satoshi_more_than_asked(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_000_000, 1_001_000)
}

fn nearly_a_satoshi_more(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_000_000, 1_000_999)
}

fn a_millisatoshi_more_than_asked(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_000_000, 1_000_001)
}

fn a_millisatoshi_less_than_asked(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_000_000, 999_999)
}

fn an_invoice_of_another_amount(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_001_000, 1_001_000)
}

fn a_thousand_times(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_000_000_000, 1_000_000_000)
}

fn a_thousand_and_one_times(scene: &mut Scene) -> Planting {
    invoiced(scene, 1_001_000_000, 1_001_000_000)
}

/// An outgoing payment that the log calls failed and the node's record settled.
fn failed(scene: &mut Scene, then_paid: bool) -> Planting {
    let preimage = sha256(scene.unique().as_bytes());
    let hash = sha256(preimage.as_bytes()).to_hex();
    let payload = json!({"payment_hash": hash, "error": "no route"});
    scene.log("outgoing-payment-failed", "ln", &payload);
    if then_paid {
        let payload = json!({"payment_hash": hash, "preimage": preimage.to_hex()});
        scene.log("outgoing-payment-succeeded", "ln", &payload);
    }
    let record =
        json!({"payment_hash": hash, "amount_msat": 21_000, "status": "settled", "preimage": preimage.to_hex()});
    scene.world.invoices.push(record.to_string());
    Ok(Subject::new("payment_hash", hash))
}

fn failed_and_paid(scene: &mut Scene) -> Planting {
    failed(scene, false)
}

fn failed_then_paid(scene: &mut Scene) -> Planting {
    failed(scene, true)
}

fn population() -> Subject {
    Subject::new("population", "payment-log")
}

/// What names an operation or a payment of ours.
fn ours(scene: &Scene) -> Vec<String> {
    let records = scene.world.settlements.iter().chain(&scene.world.invoices);
    records
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .flat_map(|record| {
            let names = ["/event/operation_id", "/event/payment_hash", "/payment_hash", "/r_hash"];
            names.map(|name| record.pointer(name).and_then(Value::as_str).map(str::to_owned))
        })
        .flatten()
        .collect()
}

/// In a world whose log is ours alone: in any other the same would be told without it.
fn an_entry_of_somebody_else(scene: &mut Scene) -> Planting {
    scene.claim("gateway log")?;
    let (untouched, names) = (scene.world.untouched(), ours(scene));
    if untouched.payment_log.iter().any(|entry| !names.iter().any(|name| entry.json.contains(name.as_str()))) {
        return Err(NoRoom);
    }
    let operation = scene.unique();
    scene.log("payment-send", "mint", &json!({"operation_id": operation, "amount": 1_000, "oob_notes": null}));
    Ok(population())
}

/// Keeps the entries that name an operation or a payment of ours.
fn a_log_of_ours_alone(scene: &mut Scene) -> Planting {
    scene.claim("gateway log")?;
    if scene.world.payment_log.len() > scene.world.untouched().payment_log.len() {
        // What another fault has written would go too.
        return Err(NoRoom);
    }
    let (names, before) = (ours(scene), scene.world.payment_log.len());
    scene.world.payment_log.retain(|entry| names.iter().any(|name| entry.json.contains(name.as_str())));
    if scene.world.payment_log.len() < before { Ok(population()) } else { Err(NoRoom) }
}
