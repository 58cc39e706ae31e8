//! Goal: what the tables of the room leave to one side of a comparison: denominators, equal instants, the better of two
//! records. Method: each case stands on the line, or holds all but one of the conditions.

use std::sync::Arc;

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
        let mut signed = scene.world.set.envelopes.get(&id("late batch")).unwrap().fact().clone();
        let OcMeBody::Distribution(body) = Arc::make_mut(&mut signed.body) else { unreachable!() };
        body.created_at = micros(at);
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
            scene.declared.invoices = true;
            let (_, record) = invoice("deposit", 100_000_000, *received, *state);
            let id = evidence(&format!("record {}", scene.world.set.invoices.len()));
            scene.world.set.invoices.push((id, record));
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

#[test]
fn a_person_is_asked_about_settlements_from_warn_and_about_all_else_from_error() {
    // Of each step one code of that severity.
    let asked = |code: Code| {
        let mut scene = Scene::honest();
        scene.world.set.findings.push(Finding::new(code, Subject::new("case", code)));
        scene.run().needs_review
    };
    assert_eq!((asked(Code::InvOverpaid), Code::InvOverpaid.severity().name()), (1, "warn"));
    assert_eq!((asked(Code::AmtResidue), Code::AmtResidue.severity().name()), (0, "info"));
    assert_eq!((asked(Code::EvtKindMismatch), Code::EvtKindMismatch.severity().name()), (0, "warn"));
    assert_eq!((asked(Code::EvtBadId), Code::EvtBadId.severity().name()), (1, "error"));
}

#[test]
fn what_is_missing_of_a_share_is_what_was_not_paid_of_it() {
    let mut scene = Scene::honest();
    scene.change_settlement("payout", |settlement| settlement.event.amount = sats(30));
    let result = scene.run();
    let missing = result.divergences.iter().find(|it| it.code == Code::SetMissing && it.subject.get("user").is_some());
    assert_eq!(missing.unwrap().observed, "9 sats");
}

#[test]
fn payments_without_an_entry_of_the_log_are_counted_as_not_checked() {
    let mut scene = Scene::honest();
    log_all(&mut scene);
    let open = |scene: &Scene| {
        let result = scene.run();
        let owed = result.unverifiable.iter().find(|item| item.check == "settlement.gateway").map(|item| item.items);
        (items(&result, "settlement.gateway"), owed)
    };
    assert_eq!(open(&scene), (Some((2, 0)), None));
    let (of_payout, _) = logged("payout", "outgoing-payment-succeeded");
    scene.world.set.payment_log.remove(&of_payout).unwrap();
    assert_eq!(open(&scene), (Some((1, 0)), Some(1)));
}

#[test]
fn headers_that_reach_no_tip_are_a_population_all_the_same() {
    let mut scene = Scene::honest();
    scene.declared.headers = true;
    assert!(open(&scene).contains(&Code::SrcEmpty));
    scene.world.set.population.of("headers").unique = 5;
    assert!(!open(&scene).contains(&Code::SrcEmpty));
}

#[test]
fn money_that_leaves_the_wrong_way_has_left_custody() {
    let mut scene = Scene::honest();
    scene.world.settlement("backwards", SettlementKind::EscrowDeposit, |event| {
        (event.direction, event.amount) = (Direction::Out, sats(5));
    });
    let codes = open(&scene);
    assert!(codes.contains(&Code::DirWrong) && !codes.contains(&Code::ConsCustody), "{codes:?}");
}

#[test]
fn a_source_that_broke_off_is_open_while_it_is_declared_and_explained_when_it_is_no_more() {
    let mut scene = Scene::honest();
    scene.declared.sources.push(source("files:settlement"));
    scene.receipts.push(receipt("files:settlement", SliceEnd::TimedOut, CompletenessBasis::None));
    let state = |scene: &Scene| {
        let result = scene.run();
        let of_source =
            |it: &&Divergence| it.code == Code::SrcIncomplete && it.subject.get("source") == Some("files:settlement");
        result.divergences.iter().find(of_source).map(|it| it.state)
    };
    assert_eq!(state(&scene), Some(State::Open));
    scene.declared.sources.pop();
    assert_eq!(state(&scene), Some(State::Explained));
}

#[test]
fn a_silent_relay_is_open_where_no_relay_is_required() {
    let mut scene = Scene::honest();
    scene.with_other(SliceEnd::Unreachable, CompletenessBasis::None);
    scene.receipts[1].items = 0;
    scene.world.policy.require.min_relays = 0;
    assert_eq!(one(&scene.run(), Code::SrcUnreachable).state, State::Open);
}

#[test]
fn a_project_that_was_never_funded_is_told_with_what_it_billed() {
    let mut scene = Scene::honest();
    scene.world.set.settlements.remove(&digest("deposit"));
    assert_eq!(one(&scene.run(), Code::EscNeverFunded).observed, "1 envelopes, 60000 msat billed");
}

fn config_of(host: &str, domain: &str, share: f64) -> crate::evidence::ProjectConfig {
    let mut config = crate::ledger::testkit::plain_config();
    (config.host, config.domain) = (host.to_owned(), domain.to_owned());
    config.events.get_mut("account_creation").unwrap().user_share_pct = share;
    config
}

/// What is said about price configs, the world's own one aside.
fn drift_of(configs: Vec<crate::evidence::ProjectConfig>) -> Vec<Divergence> {
    let mut scene = Scene::honest();
    scene.world.set.configs.clear();
    for (number, config) in configs.into_iter().enumerate() {
        scene.world.set.configs.push((evidence(&format!("config {number}")), config));
    }
    let is_it = |one: &Divergence| one.subject.get("list").is_some_and(|list| list.starts_with("projects."));
    scene.run().divergences.into_iter().filter(is_it).collect()
}

#[test]
fn a_config_served_by_another_host_than_its_domain_drifts_and_the_operators_mirror_does_not() {
    let found = drift_of(vec![config_of("elsewhere.example", "test.co", 0.65)]);
    assert_eq!((found.len(), found[0].code), (1, Code::SrcDrift));
    assert_eq!((&*found[0].expected, &*found[0].observed), ("domain elsewhere.example", "domain test.co"));
    assert!(found[0].explanation.starts_with("config_domain_mismatch"));
    for host in ["test.co", "TEST.co.", "test.co:8443", "me.ochk.io", ""] {
        assert_eq!(drift_of(vec![config_of(host, "test.co", 0.65)]), [], "{host}");
    }
}

#[test]
fn two_contents_of_one_project_and_time_drift_and_two_copies_do_not() {
    let (own, mirror) = (config_of("test.co", "test.co", 0.65), config_of("me.ochk.io", "test.co", 0.5));
    let found = drift_of(vec![own.clone(), mirror.clone()]);
    assert_eq!((found.len(), found[0].code), (1, Code::SrcDrift));
    assert_eq!(found[0].expected, "one content of events.account_creation");
    assert_eq!(found[0].observed, "test.co and me.ochk.io");
    assert_eq!(found[0].evidence.len(), 2);
    assert_eq!(drift_of(vec![own.clone(), config_of("me.ochk.io", "test.co", 0.65)]), []);
    let mut later = mirror.clone();
    later.updated_at = Some("2026-05-05T00:00:00Z".parse().unwrap());
    assert_eq!(drift_of(vec![own.clone(), later]), []);
    let mut other = mirror;
    other.project = "pk_other".into();
    assert_eq!(drift_of(vec![own, other]), []);
}

#[test]
fn what_nobody_can_check_about_prices_and_drops_is_counted_and_owes_nothing() {
    let rows = |edit: fn(&mut Scene)| {
        let mut scene = Scene::honest();
        edit(&mut scene);
        let names = ["projects.rules", "envelope.drops.recipients", "envelope.fees.class"];
        let all = scene.run().unverifiable.into_iter();
        let found: Vec<_> = all.filter(|row| names.contains(&row.check.as_str())).collect();
        assert!(found.iter().all(|row| !row.declared));
        found.into_iter().map(|row| (row.check, row.items)).collect::<Vec<_>>()
    };
    assert_eq!(rows(|_| ()), []);
    let prices = rows(|scene| {
        scene.world.set.configs[0].1.problems = vec![("x".to_owned(), "site_pays.sats is 0, below 1".to_owned())];
    });
    assert_eq!(prices, [("projects.rules".to_owned(), 1)]);
    let salted = rows(|scene| {
        let mut sealed = manifest("w_1", &[], 0, 0);
        sealed.has_recipients_root = true;
        scene.world.drop_manifest("m", sealed);
    });
    assert_eq!(salted, [("envelope.drops.recipients".to_owned(), 1)]);
    let custom = rows(|scene| {
        let price = scene.world.set.configs[0].1.events["session_creation"].clone();
        scene.world.set.configs[0].1.events.insert("zine".to_owned(), price);
        scene.world.event("custom", |event| event.subtype = "zine".into());
    });
    assert_eq!(custom, [("envelope.fees.class".to_owned(), 1)]);
}
