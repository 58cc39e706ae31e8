//! Which Lightning payment a settlement belongs to, what it cost, and what custody holds in the end (TREASURY 1.4, 2.6, 6.1).

use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Subject, sha256};
use crate::sim::oracle;
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene, Settled, iso};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::FeeLimit,
        name: "a-satoshi-above-the-limit",
        near_miss: "the whole limit",
        fault: a_satoshi_above_the_limit,
        miss: the_whole_limit,
    },
    Generator {
        code: Code::FeeSettlement,
        name: "a-satoshi-more-than-was-charged",
        near_miss: "what was charged",
        fault: a_satoshi_more_than_was_charged,
        miss: what_was_charged,
    },
    Generator {
        code: Code::MatchContradiction,
        name: "the-operation-of-another-payment",
        near_miss: "the operation of this payment",
        fault: the_operation_of_another_payment,
        miss: the_operation_of_this_payment,
    },
    Generator {
        code: Code::MatchAmbiguous,
        name: "two-candidates-without-a-key",
        near_miss: "one candidate without a key",
        fault: two_candidates,
        miss: one_candidate,
    },
    Generator {
        code: Code::GwOpen,
        name: "done-and-not-accepted",
        near_miss: "done and accepted",
        fault: done_and_not_accepted,
        miss: done_and_accepted,
    },
    Generator {
        code: Code::GwOpen,
        name: "not-accepted-for-a-day-and-a-second",
        near_miss: "accepted after a day",
        fault: not_accepted_for_a_day,
        miss: accepted_after_a_day,
    },
    Generator {
        code: Code::InvBad,
        name: "a-text-that-is-no-invoice",
        near_miss: "an offer of BOLT-12, which is opaque",
        fault: a_text_that_is_no_invoice,
        miss: an_offer,
    },
    Generator {
        code: Code::CustodyDrift,
        name: "a-millisatoshi-more-than-the-book",
        near_miss: "what the book says",
        fault: a_millisatoshi_more,
        miss: what_the_book_says,
    },
];

fn about(settled: &Settled) -> Subject {
    Subject::new("settlement", &settled.digest)
}

/// A payout with another stated fee: made of the amount and the fee it had.
fn fee(scene: &mut Scene, of: impl FnOnce(u64, u64) -> u64) -> Planting {
    let settled = scene.resettle("distribution.settled", |event| {
        let number = |name: &str| event[name].as_u64().unwrap_or(0);
        event["fee_sats"] = of(number("amount_sats"), number("fee_sats")).into();
    })?;
    Ok(about(&settled))
}

/// 100 satoshi and 1.5 % of the amount, whole satoshi.
fn limit(amount: u64) -> u64 {
    (100_000 + amount * 15) / 1_000
}

fn a_satoshi_above_the_limit(scene: &mut Scene) -> Planting {
    fee(scene, |amount, _| limit(amount) + 1)
}

fn the_whole_limit(scene: &mut Scene) -> Planting {
    fee(scene, |amount, _| limit(amount))
}

fn a_satoshi_more_than_was_charged(scene: &mut Scene) -> Planting {
    fee(scene, |_, fee| fee + 1)
}

fn what_was_charged(scene: &mut Scene) -> Planting {
    fee(scene, |_, fee| fee)
}

/// A guardian's payout of that amount at that time, without any key of a payment.
fn guardian(scene: &mut Scene, sats: u64, at: i64) -> Value {
    let mut event = scene.settlement("operator.payout", "out", sats);
    event["settled_at"] = at.into();
    event["operator_id"] = "guardian-2".into();
    event["destination"] = "guardian-2@federation.example".into();
    event
}

/// A preimage that nobody has used, and its hash.
fn payment(scene: &mut Scene) -> (String, String) {
    let preimage = sha256(scene.unique().as_bytes());
    (preimage.to_hex(), sha256(preimage.as_bytes()).to_hex())
}

/// The gateway's words about one outgoing payment under that operation: started and done.
fn done(scene: &mut Scene, operation: &str, (preimage, hash): (&str, &str), at: i64) {
    let contract = scene.unique();
    let started = json!({"contract_id": contract, "operation_id": operation, "payment_hash": hash});
    scene.log_at("outgoing-payment-started", "ln", &started, at);
    let ended = json!({"contract_id": contract, "payment_hash": hash, "preimage": preimage});
    scene.log_at("outgoing-payment-succeeded", "ln", &ended, at);
}

/// The federation's word that the claim of that operation went through.
fn accepted(scene: &mut Scene, operation: &str, at: i64) {
    let payload = json!({"txid": scene.unique(), "operation_id": operation});
    scene.log_at("tx-accepted", "", &payload, at);
}

fn matched(scene: &mut Scene, other: bool) -> Planting {
    let at = AS_OF - 3_000;
    let mut event = guardian(scene, 2_100, at);
    let operation = event["operation_id"].as_str().ok_or(NoRoom)?.to_owned();
    let (preimage, hash) = payment(scene);
    event["preimage"] = preimage.clone().into();
    event["payment_hash"] = hash.clone().into();
    if other {
        let (strange, its_hash) = payment(scene);
        done(scene, &operation, (&strange, &its_hash), at);
        let another = scene.unique();
        done(scene, &another, (&preimage, &hash), at);
        accepted(scene, &another, at);
    } else {
        done(scene, &operation, (&preimage, &hash), at);
    }
    accepted(scene, &operation, at);
    Ok(about(&scene.settle(&event)))
}

fn the_operation_of_another_payment(scene: &mut Scene) -> Planting {
    matched(scene, true)
}

fn the_operation_of_this_payment(scene: &mut Scene) -> Planting {
    matched(scene, false)
}

/// A payout without any key, and so many payments of its amount in the same minutes.
fn candidates(scene: &mut Scene, count: usize) -> Planting {
    let at = AS_OF - 3_000;
    // An amount that nobody else has.
    let sats = 40_000 + u64::try_from(scene.world.settlements.len()).map_err(|_| NoRoom)?;
    scene.claim(format!("candidates of {sats}"))?;
    for _ in 0..count {
        let (operation, contract) = (scene.unique(), scene.unique());
        let payload = json!({"contract_id": contract, "operation_id": operation, "invoice_amount": sats * 1_000});
        scene.log_at("outgoing-payment-started", "ln", &payload, at);
    }
    let event = guardian(scene, sats, at);
    Ok(about(&scene.settle(&event)))
}

fn two_candidates(scene: &mut Scene) -> Planting {
    candidates(scene, 2)
}

fn one_candidate(scene: &mut Scene) -> Planting {
    candidates(scene, 1)
}

/// A payment of ours that the log says was done at that time, and accepted or not.
fn claimed(scene: &mut Scene, at: i64, is_accepted: bool) -> Planting {
    let mut event = guardian(scene, 2_300, at);
    let operation = event["operation_id"].as_str().ok_or(NoRoom)?.to_owned();
    let (preimage, hash) = payment(scene);
    event["preimage"] = preimage.clone().into();
    event["payment_hash"] = hash.clone().into();
    done(scene, &operation, (&preimage, &hash), at);
    if is_accepted {
        accepted(scene, &operation, at + 2);
    }
    scene.settle(&event);
    Ok(Subject::new("payment_hash", hash))
}

fn done_and_not_accepted(scene: &mut Scene) -> Planting {
    claimed(scene, AS_OF - 86_400, false)
}

fn done_and_accepted(scene: &mut Scene) -> Planting {
    claimed(scene, AS_OF - 86_400, true)
}

fn not_accepted_for_a_day(scene: &mut Scene) -> Planting {
    claimed(scene, AS_OF - 86_401, false)
}

fn accepted_after_a_day(scene: &mut Scene) -> Planting {
    claimed(scene, AS_OF - 86_401, true)
}

/// A paid deposit whose record shows that text as its invoice.
fn with_text(scene: &mut Scene, text: &str) -> Planting {
    let (_, hash) = scene.invoiced(|invoice| invoice["bolt11"] = text.into())?;
    Ok(Subject::new("payment_hash", hash))
}

fn a_text_that_is_no_invoice(scene: &mut Scene) -> Planting {
    let subject = with_text(scene, "lnbc10u1pnotaninvoice")?;
    Ok(scene.tell(Code::InvBad, subject))
}

fn an_offer(scene: &mut Scene) -> Planting {
    with_text(
        scene,
        "lno1pqps7sjqpgtyzm3qv4uxzmtsd3jjqer9wd3hy6tsw35k7msjzfpy7nz5yqcnygrfdej82um5wf5k2uckyypwa3eyt44h6txtxquqh7lz5djge4afgfjn7k4rgrkuag0jsd5xvxg",
    )
}

/// Somebody looked at the client's balance at the as-of and saw so much more than the book has.
fn observed(scene: &mut Scene, more: i128) -> Planting {
    scene.claim("custody")?;
    scene.claim("config federation")?;
    let balances = oracle::expect(scene).trial_balance;
    let held = *balances.get("A:Custody").ok_or(NoRoom)?;
    // Open positions are part of what is observed (TREASURY 6.1).
    let msat = held + balances.get("A:InFlight").copied().unwrap_or_default() + more;
    let anchor = "directions = {";
    let seen = format!("observed = [{{ at = {}, msat = {msat} }}]\n{anchor}", iso(AS_OF));
    scene.replaced.push((anchor.to_owned(), seen));
    Ok(Subject::new("federation", "oc-me-v1").and("at", AS_OF))
}

fn a_millisatoshi_more(scene: &mut Scene) -> Planting {
    let subject = observed(scene, 1)?;
    Ok(scene.tell(Code::CustodyDrift, subject))
}

fn what_the_book_says(scene: &mut Scene) -> Planting {
    observed(scene, 0)
}
