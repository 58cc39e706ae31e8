//! Goal: what the tables of the room leave to one side of a comparison: denominators, equal instants, the better of two
//! records. Method: each case stands on the line, or holds all but one of the conditions.

use super::*;

use crate::evidence::OcMeBody;

fn items(result: &Reconciliation, check: &str) -> Option<(u64, u64)> {
    result.checks.iter().find(|run| run.check == check).map(|run| (run.items, run.disagreed))
}

#[test]
fn an_answer_that_ended_without_items_is_empty_and_not_unreachable() {
    let mut scene = Scene::honest();
    scene.declared.sources.push(source("files:settlement"));
    scene.receipts.push(receipt("files:settlement", SliceEnd::Ended, CompletenessBasis::Exhausted));
    scene.receipts[1].items = 0;
    let codes = open(&scene);
    assert!(codes.contains(&Code::SrcEmpty) && !codes.contains(&Code::SrcUnreachable), "{codes:?}");
    // What broke off after it gave something is neither.
    (scene.receipts[1].items, scene.receipts[1].end) = (1, SliceEnd::Unreachable);
    let codes = open(&scene);
    assert!(!codes.contains(&Code::SrcEmpty) && !codes.contains(&Code::SrcUnreachable), "{codes:?}");
}

#[test]
fn a_relay_that_falls_short_is_open_where_no_relay_is_required() {
    let mut scene = Scene::honest();
    scene.with_other(SliceEnd::TimedOut, CompletenessBasis::None);
    assert_eq!(one(&scene.run(), Code::SrcIncomplete).state, State::Explained);
    scene.world.policy.require.min_relays = 0;
    let open = open(&scene);
    assert!(open.contains(&Code::SrcIncomplete), "nothing says that the others are enough: {open:?}");
}

#[test]
fn the_reasons_of_a_slice_are_told_once_each() {
    let mut scene = Scene::honest();
    for (end, reason) in [(SliceEnd::TimedOut, "slow"), (SliceEnd::TimedOut, "slow"), (SliceEnd::TimedOut, "cut")] {
        let mut again = receipt(OPERATOR, end, CompletenessBasis::None);
        reason.clone_into(&mut again.reason);
        scene.receipts.push(again);
    }
    let result = scene.run();
    let row = result.coverage.iter().find(|row| row.source == source(OPERATOR)).unwrap();
    assert_eq!((row.reason.as_str(), row.complete), ("cut; slow", false));
}

#[test]
fn the_balances_that_were_compared_are_counted_on_both_sides() {
    let mut scene = Scene::honest();
    scene.world.set.balances.push((evidence("line 2"), line("bc1qnobody", 1)));
    unpaid_share(&mut scene, "2026-06-25T00:00:00Z");
    let result = scene.run();
    // One user on both sides, one in the statement only, one in the ledger only.
    assert_eq!(items(&result, "balances.compare"), Some((3, 2)));
    assert_eq!((result.balances.compared, result.balances.equal, result.balances.different), (1, 1, 0));
    assert_eq!((result.balances.users, result.balances.sum_sats), (2, 39));
    assert!(result.balances.root.is_some());
}

#[test]
fn a_distribution_is_pending_until_after_the_last_instant_of_grace() {
    let created = |at: &str| {
        let mut scene = Scene::honest();
        scene.world.distribution("late batch", &[("bc1qother", 5)], Some(5));
        let signed = scene.world.set.envelopes[&id("late batch")].fact().clone();
        let OcMeBody::Distribution(mut body) = signed.body else { unreachable!() };
        body.created_at = micros(at);
        let signed = crate::verify::SignedEnvelope { body: OcMeBody::Distribution(body), ..signed };
        scene.world.set.envelopes.insert(id("late batch"), Verified::assumed(signed, evidence("late batch")));
        all(&scene)
    };
    // The as-of is 2026-06-30T00:00:00Z; a week and three days of grace.
    let on_the_line = created("2026-06-20T00:00:00Z");
    assert!(on_the_line.contains(&Code::SetPending) && !on_the_line.contains(&Code::SetMissing), "{on_the_line:?}");
    let over_it = created("2026-06-19T23:59:59Z");
    assert!(over_it.contains(&Code::SetMissing) && !over_it.contains(&Code::SetPending), "{over_it:?}");
}

#[test]
fn an_open_divergence_falls_into_the_first_age_that_holds_it() {
    let as_of = time("2026-06-30T00:00:00Z").0;
    let (minute, hour, day) = (60, 3_600, 86_400);
    for (age, bucket) in [
        (15 * minute, "<=15m"),
        (15 * minute + 1, "<=24h"),
        (24 * hour, "<=24h"),
        (24 * hour + 1, "<=7d"),
        (7 * day, "<=7d"),
        (7 * day + 1, "<=14d"),
        (14 * day, "<=14d"),
        (14 * day + 1, "<=93d"),
        (93 * day, "<=93d"),
        (93 * day + 1, ">93d"),
    ] {
        let mut scene = Scene::honest();
        let carrier = evidence("damaged");
        scene.world.set.events.insert(carrier, (1, UnixSeconds(as_of - age)));
        let finding = Finding::new(Code::EvtKindMismatch, Subject::new("event", "x")).with_evidence(carrier, "carrier");
        scene.world.set.findings.push(finding);
        assert_eq!(scene.run().by_age, BTreeMap::from([(bucket.to_owned(), 1)]), "{age}");
    }
}

#[test]
fn a_declared_record_that_cannot_be_read_leaves_its_check_open_and_a_bad_key_does_not() {
    let mut scene = Scene::honest();
    let subject = Subject::new("media", "settlement").and("sha256", digest("bytes"));
    scene.world.set.findings.push(Finding::new(Code::SrcParse, subject));
    let unread = |scene: &Scene| {
        let result = scene.run();
        let found = result.unverifiable.iter().find(|item| item.check == "settlement.unread");
        found.map(|item| (item.items, item.declared))
    };
    assert_eq!(unread(&scene), Some((1, true)));
    scene.world.set.findings[0].subject = Subject::new("media", "settlement").and("key", "k");
    assert_eq!(unread(&scene), None);
}

#[test]
fn of_two_records_of_an_invoice_the_paid_one_then_the_smaller_amount_is_believed() {
    let with = |records: &[(u64, InvoiceState)]| {
        let mut scene = Scene::honest();
        for (received, state) in records {
            with_invoice(&mut scene, 100_000_000, *received, *state);
            let last = scene.world.set.invoices.len() - 1;
            scene.world.set.invoices[last].0 = evidence(&format!("record {last}"));
        }
        open(&scene)
    };
    let paid = (100_000_000, InvoiceState::Settled);
    for records in [[(0, InvoiceState::Expired), paid], [paid, (0, InvoiceState::Expired)]] {
        assert_eq!(with(&records), []);
    }
    for records in [[(100_001_000, InvoiceState::Settled), paid], [paid, (100_001_000, InvoiceState::Settled)]] {
        assert_eq!(with(&records), []);
    }
    // The near miss: the paid record alone is what overpays.
    assert_eq!(with(&[(100_001_000, InvoiceState::Settled), (0, InvoiceState::Expired)]), [Code::InvOverpaid]);
}

#[test]
fn any_one_reference_explains_an_adjustment() {
    let adjusted = |refer: fn(&mut crate::evidence::SettlementEvent)| {
        let mut scene = Scene::honest();
        scene.world.settlement("adj", SettlementKind::Adjustment, |event| {
            (event.amount, event.note) = (sats(1), None);
            (event.txid, event.payment_hash, event.distribution) = (None, None, None);
            refer(event);
        });
        open(&scene).contains(&Code::AdjUnexplained)
    };
    assert!(adjusted(|_| ()));
    assert!(!adjusted(|event| event.txid = Some("00".repeat(32))));
    assert!(!adjusted(|event| event.payment_hash = Some("00".repeat(32))));
    assert!(!adjusted(|event| event.distribution = Some(digest("batch").to_hex())));
}
