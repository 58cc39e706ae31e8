//! Goal: what was covered, and that it was not empty: each code has a case and a near miss.
//! Method: tables; withdrawn claims and requirements one by one.

use super::*;

const COVERAGE: &[Case<Scene>] = &[
    (
        Code::SrcUnreachable,
        |s| (s.receipts[0].end, s.receipts[0].items) = (SliceEnd::Unreachable, 0),
        |s| s.receipts[0].end = SliceEnd::Unreachable,
    ),
    (Code::SrcIncomplete, |s| s.receipts[0].end = SliceEnd::BudgetTripped, |_| ()),
    (
        Code::SrcIncomplete,
        |s| s.receipts[0].basis = CompletenessBasis::Heuristic,
        |s| s.receipts[0].basis = CompletenessBasis::SetEqual,
    ),
    (Code::SrcIncomplete, |s| s.declared.sources.push(source("files:settlement")), |_| ()),
    (Code::SrcIncomplete, |s| s.world.policy.require.min_relays = 2, |s| s.world.policy.require.min_relays = 1),
    (
        // A file that was read whole is covered even when relays owe set equality.
        Code::SrcIncomplete,
        |s| s.world.policy.require.basis = CompletenessBasis::SetEqual,
        |s| {
            s.world.policy.require.basis = CompletenessBasis::SetEqual;
            s.world.policy.require.min_relays = 0;
            (s.declared.relays, s.declared.sources) = (Vec::new(), vec![source("files:nostr-event")]);
            s.receipts = vec![receipt("files:nostr-event", SliceEnd::Ended, CompletenessBasis::Exhausted)];
        },
    ),
    (
        Code::SrcOmits,
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.only_at_other();
        },
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
        },
    ),
    (
        // A forged event discredits nobody.
        Code::SrcOmits,
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            s.only_at_other();
        },
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            let forged = s.only_at_other();
            let finding = Finding::new(Code::EvtBadSig, Subject::default()).with_evidence(forged, "carrier");
            s.world.set.findings.push(finding);
        },
    ),
    (
        // Outside the window that was asked for.
        Code::SrcOmits,
        |s| {
            s.receipts[0].slice.until = Some(time("2026-05-20T00:00:00Z"));
            s.with_other(SliceEnd::Ended, CompletenessBasis::Heuristic);
            s.only_at_other();
        },
        |s| {
            s.receipts[0].slice.until = Some(time("2026-05-19T23:59:59Z"));
            s.with_other(SliceEnd::Ended, CompletenessBasis::Heuristic);
            s.only_at_other();
        },
    ),
    (
        Code::SrcOmits,
        |s| {
            s.gap("2026-06-30T00:00:00Z");
            s.with_other(SliceEnd::Ended, CompletenessBasis::Heuristic);
            s.only_at_other();
        },
        |s| {
            s.gap("2026-06-30T00:00:01Z");
            s.with_other(SliceEnd::Ended, CompletenessBasis::Heuristic);
            s.only_at_other();
        },
    ),
];

const POPULATIONS: &[Case<Scene>] = &[
    (Code::SrcEmpty, |s| s.declared.headers = true, |_| ()),
    (
        Code::SrcEmpty,
        |s| s.declared.invoices = true,
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (Code::SrcEmpty, |s| drop(s.world.set.envelopes.remove(&id("e"))), |_| ()),
    (
        Code::Unverifiable,
        |s| {
            s.declared.headers = true;
            header_missing(s);
        },
        |s| header_missing(s),
    ),
];

#[test]
fn every_coverage_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), COVERAGE, open);
}

#[test]
fn every_population_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), POPULATIONS, open);
}

#[test]
fn a_second_delivery_of_one_event_is_listed_and_a_first_is_not() {
    let operation = "an operation".into();
    let mut carriers = Carriers::from(evidence("first"));
    carriers.insert(evidence("second"));
    let finding = crate::reconcile::settlements::replay(&operation, &carriers).unwrap();
    assert_eq!((finding.code, finding.subject), (Code::OpReplay, Subject::new("operation", &operation)));
    assert_eq!(finding.evidence.len(), 2);
    assert_eq!(crate::reconcile::settlements::replay(&operation, &evidence("first").into()), None);
}

#[test]
fn a_contradicted_claim_is_withdrawn_and_a_gap_explains_it() {
    let mut scene = Scene::honest();
    scene.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
    scene.see_all(OTHER);
    scene.only_at_other();
    let result = scene.run();
    let row = result.coverage.iter().find(|row| row.source == source(OPERATOR)).unwrap();
    assert_eq!((row.complete, row.basis, row.missing_here), (false, CompletenessBasis::None, 1));
    // The other relay still meets the requirement of one covered relay.
    assert!(!result.divergences.iter().any(|divergence| divergence.code == Code::SrcIncomplete));
    scene.gap("2026-07-01T00:00:00Z");
    let result = scene.run();
    let row = result.coverage.iter().find(|row| row.source == source(OPERATOR)).unwrap();
    assert_eq!((row.complete, row.basis, row.missing_here), (true, CompletenessBasis::Exhausted, 1));
    assert_eq!(one(&result, Code::SrcOmits).state, State::Explained);
}

#[test]
fn a_relay_beyond_the_required_number_may_fail_and_is_listed() {
    let mut scene = Scene::honest();
    scene.with_other(SliceEnd::Unreachable, CompletenessBasis::None);
    scene.receipts[1].items = 0;
    assert_eq!(one(&scene.run(), Code::SrcUnreachable).state, State::Explained);
    scene.world.policy.require.min_relays = 2;
    assert_eq!(one(&scene.run(), Code::SrcUnreachable).state, State::Open);
}

#[test]
fn with_and_without_the_operator_are_two_verdicts() {
    let mut scene = Scene::honest();
    scene.world.policy.operator_relays.insert("WSS://Relay.Operator.Example:443/".to_owned());
    let result = scene.run().reconstructible;
    assert_eq!((result.with_operator, result.without_operator), (2, 0));
    scene.sightings.get_mut(&evidence("e")).unwrap().insert(source(OTHER));
    assert_eq!(scene.run().reconstructible.without_operator, 1);
}
