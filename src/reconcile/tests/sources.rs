//! How sources behave, whether their pages cover them, whether they tell one history.

use std::collections::BTreeSet;

use crate::domain::{Code, CompletenessBasis, Digest32, FederationSlug, Sign, SliceEnd, SourceId, State};
use crate::evidence::{Charter, InvoiceDialect, InvoiceState, ListedFederation};
use crate::ledger::testkit::{Case, assert_table, digest, evidence, id, sats, time};

use super::super::{Drift, EarlierOperation, EarlierRun, EarlierSource, Takedown};
use super::{OPERATOR, OTHER, Scene, all, invoice, one, open, receipt, source};
use crate::domain::SettlementKind;

const LOG: &str = "files:settlement";
const INVOICES: &str = "files:invoice";

fn sign(scene: &mut Scene, sign: Sign, count: u64) {
    scene.receipts[0].signs.insert(sign, count);
}

const CONDUCT: &[Case<Scene>] = &[
    (
        Code::SrcBlind,
        |s| {
            sign(s, Sign::Blind, 1);
            s.receipts[0].items = 0;
        },
        // One kind was answered with other things, the rest as asked.
        |s| sign(s, Sign::Blind, 1),
    ),
    (Code::SrcMisbehaves, |s| sign(s, Sign::WrongFilter, 1), |s| sign(s, Sign::Paged, 2)),
    (Code::SrcMisbehaves, |s| sign(s, Sign::AuthFlood, 9), |s| s.receipts[0].misbehaved = 9),
    (Code::SrcDrift, |s| s.declared.drift.push(drifted()), |_| ()),
    (Code::SrcDrift, |s| published(s, "other", "live", 1), |s| published(s, FEDERATION, "live", 1)),
    (
        Code::SrcDrift,
        |s| {
            published(s, FEDERATION, "live", 1);
            published(s, "oc-me-v2", "live", 2);
        },
        // One that is still forming has settled nothing.
        |s| {
            published(s, FEDERATION, "live", 1);
            published(s, "oc-me-v2", "forming", 2);
        },
    ),
    (
        Code::SrcDrift,
        |s| {
            published(s, FEDERATION, "live", 1);
            charter(s, 2, None);
        },
        // The charter was amended, and both versions were seen.
        |s| {
            published(s, FEDERATION, "live", 1);
            published(s, FEDERATION, "live", 2);
            charter(s, 2, None);
        },
    ),
    (
        Code::SrcDrift,
        |s| {
            published(s, FEDERATION, "live", 1);
            charter(s, 1, Some("4-of-5"));
        },
        |s| {
            published(s, FEDERATION, "live", 1);
            charter(s, 1, Some("3-of-4"));
        },
    ),
];

const FEDERATION: &str = "oc-me-v1";

/// A directory that lists one federation, and a configuration that names ours.
fn published(scene: &mut Scene, slug: &str, status: &str, hash: u8) {
    scene.world.policy.settlement_keys.entry(FederationSlug::from(FEDERATION)).or_default();
    let listed = ListedFederation {
        slug: FederationSlug::from(slug),
        status: status.to_owned(),
        threshold: Some("3-of-4".to_owned()),
        charter_hash: Some(Digest32([hash; 32])),
    };
    let carrier = evidence(&format!("directory {slug} {hash}"));
    scene.world.set.directories.push((carrier, vec![listed]));
}

fn charter(scene: &mut Scene, hash: u8, threshold: Option<&str>) {
    let charter = Charter {
        slug: FederationSlug::from(FEDERATION),
        hash: Digest32([hash; 32]),
        threshold: threshold.map(str::to_owned),
        is_text: threshold.is_some(),
    };
    scene.world.set.charters.push((evidence("charter"), charter));
}

fn drifted() -> Drift {
    Drift { list: "nostr.kinds".to_owned(), expected: "all".to_owned(), observed: "without 30087".to_owned() }
}

/// A node's list in one source.
fn list(scene: &mut Scene, dialect: InvoiceDialect, indexes: impl IntoIterator<Item = u64>) {
    list_at(scene, INVOICES, dialect, indexes);
}

fn list_at(scene: &mut Scene, name: &str, dialect: InvoiceDialect, indexes: impl IntoIterator<Item = u64>) {
    for index in indexes {
        let (id, mut record) = invoice(&format!("{dialect:?} {index}"), 1, 0, InvoiceState::Open);
        (record.index, record.dialect) = (Some(index), dialect);
        if !scene.sightings.contains_key(&id) {
            scene.world.set.invoices.push((id, record));
        }
        scene.sightings.entry(id).or_default().insert(source(name));
    }
}

const PAGES: &[Case<Scene>] = &[
    (Code::SrcCaptureGap, |s| sign(s, Sign::PageLoop, 1), |s| sign(s, Sign::Paged, 1)),
    (Code::SrcCaptureGap, |s| sign(s, Sign::CountDiffers, 1), |_| ()),
    (
        Code::SrcCaptureGap,
        |s| list(s, InvoiceDialect::LndInvoice, [1, 2, 4]),
        |s| list(s, InvoiceDialect::LndInvoice, [1, 2, 3]),
    ),
    (
        // A window of the list: what lies outside of it was not asked for.
        Code::SrcCaptureGap,
        |s| list(s, InvoiceDialect::CoreLightning, [1, 3]),
        |s| list(s, InvoiceDialect::CoreLightning, [2, 4]),
    ),
    (
        // Another source does not fill the hole of this one, and each node counts by itself.
        Code::SrcCaptureGap,
        |s| {
            list_at(s, "https://a.example", InvoiceDialect::LndInvoice, [1, 3]);
            list_at(s, "https://b.example", InvoiceDialect::LndInvoice, [1, 2, 3]);
        },
        |s| {
            list(s, InvoiceDialect::LndInvoice, [1, 2]);
            list(s, InvoiceDialect::CoreLightning, [1, 2, 3]);
            list(s, InvoiceDialect::LndPayment, [1, 9]);
        },
    ),
    (
        Code::SrcCutoff100,
        |s| list(s, InvoiceDialect::LndInvoice, 1..=100),
        |s| list(s, InvoiceDialect::LndInvoice, 1..=101),
    ),
    (
        Code::SrcCutoff100,
        |s| list(s, InvoiceDialect::LndPayment, 1..=100),
        |s| list(s, InvoiceDialect::LndPayment, 1..=99),
    ),
    (
        Code::SrcCutoff100,
        |s| {
            list(s, InvoiceDialect::LndInvoice, 1..=100);
            paged(s, 1);
        },
        |s| {
            list(s, InvoiceDialect::LndInvoice, 1..=100);
            paged(s, 2);
        },
    ),
    (
        Code::SrcCutoff100,
        |s| list(s, InvoiceDialect::LndInvoice, 1..=100),
        |s| list(s, InvoiceDialect::CoreLightning, 1..=100),
    ),
    (
        Code::SrcCutoff100,
        |s| {
            list(s, InvoiceDialect::GatewayReceived, 1..=100);
            list(s, InvoiceDialect::GatewaySent, 101..=150);
        },
        // A hundred in all, of two calls: neither was cut off.
        |s| {
            list(s, InvoiceDialect::GatewayReceived, 1..=60);
            list(s, InvoiceDialect::GatewaySent, 61..=100);
        },
    ),
];

fn paged(scene: &mut Scene, pages: u64) {
    let mut receipt = receipt(INVOICES, SliceEnd::Ended, CompletenessBasis::Exhausted);
    receipt.signs.insert(Sign::Paged, pages);
    scene.receipts.push(receipt);
}

/// Another event under the operation of the deposit, and who shows which.
fn twins(scene: &mut Scene, first: &[&str], second: &[&str]) {
    let operation = digest("deposit").to_hex();
    scene.world.settlement("twin", SettlementKind::EscrowDeposit, |event| event.operation = operation.as_str().into());
    let sources = |names: &[&str]| -> BTreeSet<SourceId> { names.iter().map(|name| source(name)).collect() };
    scene.sightings.insert(evidence("deposit"), sources(first));
    scene.sightings.insert(evidence("twin"), sources(second));
}

/// What an earlier run saw of the deposit's operation at one source.
fn saw(scene: &mut Scene, name: &str, versions: &[&str]) {
    let operations = versions.iter().map(|version| EarlierOperation {
        operation: digest("deposit").to_hex().as_str().into(),
        source: source(name),
        digest: digest(version),
        evidence: evidence(version),
    });
    let operations = operations.collect();
    scene.declared.earlier.push(EarlierRun { manifest: digest("manifest"), sources: Vec::new(), operations });
}

/// Two events under one idempotency key, and who shows the second.
fn rebilled(scene: &mut Scene, gross: u64, shown_by: &str) {
    for (name, gross) in [("k1", 100), ("k2", gross)] {
        scene.world.event(name, |event| {
            (event.gross, event.idempotency_key) = (sats(gross), Some("one key".to_owned()));
        });
    }
    scene.sightings.insert(evidence("k1"), BTreeSet::from([source(OPERATOR)]));
    scene.sightings.insert(evidence("k2"), BTreeSet::from([source(shown_by)]));
}

const HISTORIES: &[Case<Scene>] = &[
    (Code::SrcEquivocation, |s| twins(s, &[LOG], &[OTHER]), |s| twins(s, &[LOG], &[LOG])),
    (
        // Who shows a part has left something out.
        Code::SrcEquivocation,
        |s| twins(s, &[LOG], &[OTHER]),
        |s| twins(s, &[LOG, OTHER], &[LOG]),
    ),
    (Code::SrcEquivocation, |s| rebilled(s, 101, OTHER), |s| rebilled(s, 101, OPERATOR)),
    (Code::SrcEquivocation, |s| rebilled(s, 101, OTHER), |s| rebilled(s, 100, OTHER)),
    (
        Code::SrcEquivocation,
        |s| {
            s.sightings.insert(evidence("deposit"), BTreeSet::from([source(LOG)]));
            saw(s, LOG, &["another deposit"]);
        },
        // The earlier capture of another source is no second capture of this one.
        |s| {
            s.sightings.insert(evidence("deposit"), BTreeSet::from([source(LOG)]));
            saw(s, OTHER, &["another deposit"]);
        },
    ),
    (
        // Then both were shown, now one of them: nothing conflicts with what was shown.
        Code::SrcEquivocation,
        |s| {
            s.sightings.insert(evidence("deposit"), BTreeSet::from([source(LOG)]));
            saw(s, LOG, &["another deposit"]);
        },
        |s| {
            s.sightings.insert(evidence("deposit"), BTreeSet::from([source(LOG)]));
            saw(s, LOG, &["another deposit", "deposit"]);
        },
    ),
    (Code::SrcShrank, |s| shrink(s, 1, SliceEnd::Ended), |s| shrink(s, 0, SliceEnd::Ended)),
    (Code::SrcShrank, |s| shrink(s, 1, SliceEnd::Ended), |s| shrink(s, 1, SliceEnd::TimedOut)),
    (
        Code::SrcShrank,
        |s| shrink(s, 1, SliceEnd::Ended),
        |s| {
            shrink(s, 1, SliceEnd::Ended);
            s.declared.sources.pop();
        },
    ),
];

/// An earlier run saw ten items of the settlement log, of which so many are missing now.
fn shrink(scene: &mut Scene, lost: u64, end: SliceEnd) {
    scene.declared.sources.push(source(LOG));
    scene.receipts.push(receipt(LOG, end, CompletenessBasis::Exhausted));
    let earlier =
        EarlierSource { source: source(LOG), held: 10, lost, in_gaps: 10 - lost, named: vec![evidence("gone")] };
    let run = EarlierRun { manifest: digest("manifest"), sources: vec![earlier], operations: Vec::new() };
    scene.declared.earlier.push(run);
}

#[test]
fn every_code_of_conduct_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), CONDUCT, open);
}

#[test]
fn every_code_of_pages_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), PAGES, open);
}

#[test]
fn every_code_of_histories_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), HISTORIES, open);
}

/// An event of 2026-05-20 that the operator's relay lacks and its log lists under that day.
fn taken_down(scene: &mut Scene, date: &str) {
    scene.world.policy.operator_relays.insert(OPERATOR.to_owned());
    scene.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
    scene.see_all(OTHER);
    let lost = scene.only_at_other();
    scene.d_tags.insert(lost, "oc-me-event:lost".to_owned());
    scene.declared.takedowns.push(Takedown { kind: 30_087, d: "oc-me-event:lost".to_owned(), date: time(date) });
}

const TAKEDOWNS: &[Case<Scene>] = &[
    (
        Code::SrcTakenDown,
        |s| taken_down(s, "2026-05-20T00:00:00Z"),
        // Published after the day of the takedown.
        |s| taken_down(s, "2026-05-19T00:00:00Z"),
    ),
    (
        Code::SrcTakenDown,
        |s| taken_down(s, "2026-06-30T00:00:00Z"),
        // Not known at the as-of.
        |s| taken_down(s, "2026-07-01T00:00:00Z"),
    ),
    (
        Code::SrcTakenDown,
        |s| taken_down(s, "2026-05-20T00:00:00Z"),
        |s| {
            taken_down(s, "2026-05-20T00:00:00Z");
            s.d_tags.insert(evidence("lost"), "oc-me-event:another".to_owned());
        },
    ),
    (
        // The log is the operator's and speaks for no other relay.
        Code::SrcTakenDown,
        |s| taken_down(s, "2026-05-20T00:00:00Z"),
        |s| {
            taken_down(s, "2026-05-20T00:00:00Z");
            s.world.policy.operator_relays = BTreeSet::from([OTHER.to_owned()]);
        },
    ),
];

#[test]
fn a_takedown_explains_an_absence_in_the_place_of_an_omission() {
    assert_table(&Scene::honest(), TAKEDOWNS, all);
    for (_, produce, near_miss) in TAKEDOWNS {
        let (mut listed, mut unlisted) = (Scene::honest(), Scene::honest());
        produce(&mut listed);
        near_miss(&mut unlisted);
        let result = listed.run();
        let found = one(&result, Code::SrcTakenDown);
        assert_eq!((found.state, found.subject.get("d")), (State::Explained, Some("oc-me-event:lost")));
        assert!(!all(&listed).contains(&Code::SrcOmits));
        assert!(all(&unlisted).contains(&Code::SrcOmits));
        let row = result.coverage.iter().find(|row| row.source == source(OPERATOR)).unwrap();
        assert_eq!((row.complete, row.missing_here), (true, 1));
    }
}

#[test]
fn a_line_of_the_transparency_log_that_cannot_be_read_is_told() {
    let mut scene = Scene::honest();
    assert!(!all(&scene).contains(&Code::SrcParse));
    scene.declared.unread_takedowns.push(digest("junk"));
    assert_eq!(one(&scene.run(), Code::SrcParse).subject.get("media"), Some("transparency-log"));
}

#[test]
fn offences_are_summed_over_slices_and_a_question_asked_again_counts_once() {
    let mut scene = Scene::honest();
    sign(&mut scene, Sign::WrongFilter, 3);
    sign(&mut scene, Sign::Repeats, 5);
    let mut again = scene.receipts[0].clone();
    again.retries = 1;
    again.signs.insert(Sign::WrongFilter, 2);
    let mut other_kind = again.clone();
    other_kind.slice.kind = "30078".to_owned();
    scene.receipts.extend([again, other_kind]);
    let result = scene.run();
    assert_eq!(one(&result, Code::SrcMisbehaves).observed, "repeats=10, wrong-filter=5");
}

#[test]
fn a_fault_of_paging_is_told_in_the_place_of_a_weak_basis() {
    let mut scene = Scene::honest();
    let log = "https://gateway.example";
    scene.declared.sources.push(source(log));
    let mut halted = receipt(log, SliceEnd::Ended, CompletenessBasis::None);
    scene.receipts.push(halted.clone());
    assert!(open(&scene).contains(&Code::SrcIncomplete));
    halted.signs.insert(Sign::PageRegress, 1);
    scene.receipts[1] = halted;
    assert_eq!(open(&scene), [Code::SrcCaptureGap]);
}

#[test]
fn an_equivocation_names_every_version_and_keeps_the_conflict_beside_it() {
    let mut scene = Scene::honest();
    twins(&mut scene, &[LOG], &[OTHER]);
    let result = scene.run();
    let found = one(&result, Code::SrcEquivocation);
    assert_eq!(found.subject.get("operation"), Some(digest("deposit").to_hex().as_str()));
    assert_eq!(found.evidence.len(), 2);
    assert_eq!(one(&result, Code::OpConflict).state, State::Open);
    let mut scene = Scene::honest();
    rebilled(&mut scene, 101, OTHER);
    let lowest = id("k1").min(id("k2")).to_string();
    assert_eq!(one(&scene.run(), Code::SrcEquivocation).subject.get("envelope"), Some(lowest.as_str()));
}
