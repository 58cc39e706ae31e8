//! Goal: every code of the reconciliation has one case that produces it and one near miss that must not; an honest world is
//! clean; nothing empty passes.
//! Method: tables over hand-made verified sets, receipts and sightings.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    BlockHash, BlockHeight, Code, CompletenessBasis, Direction, Divergence, EvidenceId, FetchReceipt, Finding,
    KnownGap, NostrEventId, PaymentHash, SettlementKind, Slice, SliceEnd, SourceId, State, Subject, UnixSeconds,
};
use crate::evidence::{BalanceLine, InvoiceDialect, InvoiceRecord, InvoiceState, PaymentLogEntry};
use crate::ledger::testkit::{
    Case, World, assert_table, digest, evidence, id, in_window, manifest, micros, sats, time,
};
use crate::verify::{Carriers, HeldEvent, PendingAnchor, SignedSettlement, StaleAnchor, Verified};

use super::{Declared, Input, Reconciliation, reconcile};

mod anchoring;
mod edges;
mod omissions;
mod people;
mod sources;
mod statement;
mod treasury;

const OPERATOR: &str = "wss://relay.operator.example";
const OTHER: &str = "wss://relay.other.example";

#[derive(Clone)]
struct Scene {
    world: World,
    receipts: Vec<FetchReceipt>,
    sightings: BTreeMap<EvidenceId, BTreeSet<SourceId>>,
    declared: Declared,
    d_tags: BTreeMap<EvidenceId, String>,
}

fn source(name: &str) -> SourceId {
    SourceId(name.to_owned())
}

fn receipt(name: &str, end: SliceEnd, basis: CompletenessBasis) -> FetchReceipt {
    FetchReceipt { end, basis, items: 1, ..FetchReceipt::whole(source(name), Slice::all("30087")) }
}

impl Scene {
    /// The worked example of TREASURY 5.2: funded, billed, rebated, paid, anchored, seen at one relay that is complete.
    fn honest() -> Self {
        let mut world = World::new();
        world.event("e", |event| {
            (event.gross, event.platform, event.user_earned, event.rebate) = (sats(60), sats(12), sats(39), sats(9));
            event.project = Some("pk_test_co".into());
        });
        world.set.configs[0].1.events.insert(
            "session_creation".to_owned(),
            crate::ledger::testkit::price(crate::evidence::SitePays::FixedSats(60.0), 0.65),
        );
        world.distribution("batch", &[("bc1quser", 39)], Some(39));
        world.anchor(digest("e"), 900, "2026-05-04T13:00:00Z");
        world.anchor(digest("batch"), 901, "2026-05-11T01:00:00Z");
        world.settlement("deposit", SettlementKind::EscrowDeposit, |event| event.amount = sats(100_000));
        world.payout("payout", "2026-05-12T00:00:00Z", 39);
        world.set.balances.push((evidence("line"), line("bc1quser", 0)));
        let mut scene = Self {
            world,
            receipts: vec![receipt(OPERATOR, SliceEnd::Ended, CompletenessBasis::Exhausted)],
            sightings: BTreeMap::new(),
            d_tags: BTreeMap::new(),
            declared: Declared {
                nostr: true,
                relays: vec![source(OPERATOR)],
                sources: vec![source(OPERATOR)],
                settlements: true,
                projects: true,
                balances: true,
                ots: true,
                ..Declared::default()
            },
        };
        scene.see_all(OPERATOR);
        scene
    }

    fn see_all(&mut self, name: &str) {
        for carrier in self.world.carriers() {
            self.world.set.events.entry(carrier).or_insert(held(carrier, 30_087, time("2026-05-04T12:00:00Z")));
            self.sightings.entry(carrier).or_default().insert(source(name));
        }
    }

    /// A second relay, complete by its own word.
    fn with_other(&mut self, end: SliceEnd, basis: CompletenessBasis) {
        self.declared.relays.push(source(OTHER));
        self.declared.sources.push(source(OTHER));
        self.receipts.push(receipt(OTHER, end, basis));
    }

    /// An event that only the other relay holds.
    fn only_at_other(&mut self) -> EvidenceId {
        let lost = evidence("lost");
        self.world.set.events.insert(lost, held(lost, 30_087, time("2026-05-20T00:00:00Z")));
        self.sightings.insert(lost, BTreeSet::from([source(OTHER)]));
        lost
    }

    fn gap(&mut self, expires: &str) {
        self.world.policy.gaps.push(KnownGap {
            source: source(OPERATOR),
            from: time("2026-05-20T00:00:00Z"),
            until: time("2026-05-21T00:00:00Z"),
            reason: "the plugin was down".to_owned(),
            cite: "strfry.conf".to_owned(),
            expires: time(expires),
        });
    }

    fn run(&self) -> Reconciliation {
        let ledgers = self.world.ledgers();
        let pairs = self.sightings.iter().flat_map(|(id, by)| by.iter().map(|by| (*id, by.clone())));
        let sightings = pairs.collect();
        reconcile(&Input {
            set: &self.world.set,
            ledgers: &ledgers,
            policy: &self.world.policy,
            as_of: self.world.as_of,
            receipts: &self.receipts,
            sightings: &sightings,
            declared: &self.declared,
            d_tags: &self.d_tags,
            time_boxed: false,
            objectives: super::Objectives::default(),
        })
    }

    fn change_settlement(&mut self, name: &str, change: impl FnOnce(&mut SignedSettlement)) {
        let mut fact = self.world.set.settlements[&digest(name)].fact().clone();
        change(&mut fact);
        self.world.set.settlements.insert(digest(name), Verified::assumed(fact, evidence(name)));
    }
}

fn open(scene: &Scene) -> Vec<Code> {
    scene.run().divergences.iter().filter(|d| d.state == State::Open).map(|d| d.code).collect()
}

fn all(scene: &Scene) -> Vec<Code> {
    scene.run().divergences.iter().map(|divergence| divergence.code).collect()
}

fn one(result: &Reconciliation, code: Code) -> &Divergence {
    result.divergences.iter().find(|divergence| divergence.code == code).unwrap()
}

fn line(user: &str, balance: i64) -> BalanceLine {
    BalanceLine { user: user.into(), balance_sats: Some(balance), available_sats: None, maturing_sats: None }
}

fn hash(name: &str) -> PaymentHash {
    PaymentHash(digest(&format!("hash of {name}")))
}

fn invoice(name: &str, asked: u64, received: u64, state: InvoiceState) -> (EvidenceId, InvoiceRecord) {
    let record = InvoiceRecord {
        payment_hash: hash(name),
        preimage: None,
        asked_msat: Some(asked),
        received_msat: Some(received),
        fee_msat: None,
        state,
        settled_at: None,
        bolt11: None,
        index: None,
        project: None,
        dialect: InvoiceDialect::Plain,
    };
    (evidence(&format!("invoice of {name}")), record)
}

fn logged(name: &str, kind: &str) -> (EvidenceId, PaymentLogEntry) {
    let entry = PaymentLogEntry {
        federation_id: String::new(),
        id: 1,
        module: "ln".to_owned(),
        kind: kind.to_owned(),
        at: micros("2026-05-12T00:00:00Z"),
        payment_hash: Some(hash(name)),
        operation: None,
        contract: None,
        txid: None,
        amount_msat: Some(7_000),
        contract_msat: None,
        fee_msat: None,
        preimage: None,
        known: true,
    };
    (evidence(&format!("{kind} of {name}")), entry)
}

/// An event of its own id, at a place of its own.
fn held(carrier: EvidenceId, kind: u16, at: UnixSeconds) -> HeldEvent {
    HeldEvent { kind, at, id: NostrEventId(carrier.0), place: carrier.0 }
}

fn with_invoice(scene: &mut Scene, asked: u64, received: u64, state: InvoiceState) {
    scene.declared.invoices = true;
    scene.world.set.invoices.push(invoice("deposit", asked, received, state));
}

/// A share earned on 2026-06-01 of which nothing is paid.
fn unpaid_share(scene: &mut Scene, earned: &str) {
    let at = micros(earned);
    scene.world.event("unpaid", |event| {
        (event.gross, event.platform, event.user_earned, event.rebate) = (sats(60), sats(12), sats(39), sats(9));
        (event.user, event.occurred_at) = ("bc1qunpaid".into(), at);
    });
}

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

fn header_missing(scene: &mut Scene) {
    let state = scene.world.set.anchors.get_mut(&digest("e")).unwrap();
    state.confirmed.clear();
    state.header_missing.insert(BlockHeight(900));
}

fn pending(scene: &mut Scene, submitted: &str) {
    let state = scene.world.set.anchors.get_mut(&digest("e")).unwrap();
    state.confirmed.clear();
    state.pending.insert(PendingAnchor {
        uri: "https://alice.btc.calendar.opentimestamps.org".to_owned(),
        commitment: vec![1; 44],
        submitted_at: Some(time(submitted)),
        proof: evidence("proof"),
    });
}

fn anchored_at(scene: &mut Scene, at: &str) {
    scene.world.set.anchors.remove(&digest("e"));
    scene.world.anchor(digest("e"), 900, at);
}

const ANCHORING: &[Case<Scene>] = &[
    (Code::OtsAbsent, |s| drop(s.world.set.anchors.remove(&digest("e"))), |_| ()),
    // The overdue budget is 48 hours before the as-of of 2026-06-30.
    (Code::OtsOverdue, |s| pending(s, "2026-06-27T23:59:59Z"), |s| pending(s, "2026-06-28T00:00:00Z")),
    (Code::OtsLate, |s| anchored_at(s, "2026-05-06T12:00:01Z"), |s| anchored_at(s, "2026-05-06T12:00:00Z")),
    (Code::OtsBeforeClaim, |s| anchored_at(s, "2026-05-04T09:59:59Z"), |s| anchored_at(s, "2026-05-04T10:00:00Z")),
];

const FORM: &[Case<Scene>] = &[
    (
        Code::OpConflict,
        |s| {
            s.world
                .settlement("twin", SettlementKind::EscrowDeposit, |e| e.operation = digest("deposit").to_hex().into());
        },
        |s| s.world.settlement("twin", SettlementKind::EscrowDeposit, |_| ()),
    ),
    (Code::OpMalformed, |s| s.change_settlement("deposit", |x| x.event.operation = "op-fixture-1".into()), |_| ()),
    (
        Code::FieldMissing,
        |s| s.change_settlement("deposit", |x| x.event.payment_hash = None),
        |s| s.change_settlement("deposit", |x| (x.event.payment_hash, x.event.txid) = (None, Some("00".repeat(32)))),
    ),
    (Code::FieldMissing, |s| s.change_settlement("payout", |x| x.event.payout_binding = None), |_| ()),
    (
        Code::FieldMissing,
        |s| s.world.settlement("o", SettlementKind::OperatorPayout, |e| e.destination = Some("x".to_owned())),
        |s| {
            s.world.settlement("o", SettlementKind::OperatorPayout, |e| {
                (e.destination, e.operator) = (Some("x".to_owned()), Some("op-1".to_owned()));
            });
        },
    ),
    (Code::DirWrong, |s| s.change_settlement("payout", |x| x.event.direction = Direction::In), |_| ()),
    (
        Code::DirWrong,
        |s| {
            let kinds = BTreeMap::from([(SettlementKind::PlatformAccrual, Direction::In)]);
            s.world.policy.directions.insert("oc-me-v1".into(), kinds);
            s.world.settlement("a", SettlementKind::PlatformAccrual, |_| ());
        },
        |s| s.world.settlement("a", SettlementKind::PlatformAccrual, |_| ()),
    ),
    (
        Code::PreMissing,
        |s| s.change_settlement("payout", |x| x.event.preimage = None),
        |s| s.change_settlement("deposit", |x| x.event.preimage = None),
    ),
    (
        Code::AdjUnexplained,
        |s| {
            s.world.settlement("adj", SettlementKind::Adjustment, |e| {
                (e.payment_hash, e.note) = (None, Some("  ".to_owned()));
            });
        },
        |s| {
            s.world.settlement("adj", SettlementKind::Adjustment, |e| {
                (e.payment_hash, e.note) = (None, Some("ticket 12".to_owned()));
            });
        },
    ),
    (
        Code::SetDupPayout,
        |s| {
            s.world.settlement("twin", SettlementKind::EscrowDeposit, |e| {
                e.payment_hash = Some(hash("deposit").to_string());
            });
        },
        |s| s.world.settlement("twin", SettlementKind::EscrowDeposit, |_| ()),
    ),
    (
        Code::SetDupPayout,
        |s| s.world.payout("payout again", "2026-05-13T00:00:00Z", 39),
        |s| {
            s.world.payout("payout again", "2026-05-13T00:00:00Z", 39);
            s.change_settlement("payout again", |x| x.event.payout_binding = Some("another binding".to_owned()));
        },
    ),
    (
        Code::SetOrphan,
        |s| s.change_settlement("deposit", |x| x.event.project = Some("pk_nobody".into())),
        |s| {
            // A config alone makes a project known.
            s.world.set.configs[0].1.project = "pk_configured".into();
            s.world.settlement("d2", SettlementKind::EscrowDeposit, |e| e.project = Some("pk_configured".into()));
        },
    ),
];

const PAYOUTS: &[Case<Scene>] = &[
    (Code::SetOrphan, |s| s.change_settlement("payout", |x| x.event.user = Some("bc1qstranger".into())), |_| ()),
    (
        Code::SetOrphan,
        |s| s.change_settlement("payout", |x| x.event.distribution = Some(digest("no batch").to_hex())),
        |_| (),
    ),
    (
        // A payout may name a drop manifest that is held, and no other artifact.
        Code::SetOrphan,
        |s| {
            s.world.event("no manifest", |e| e.occurred_at = micros("2026-06-29T00:00:00Z"));
            s.change_settlement("payout", |x| x.event.distribution = Some(digest("no manifest").to_hex()));
        },
        |s| {
            s.world.drop_manifest("manifest", manifest("w", &[], 0, 0));
            s.change_settlement("payout", |x| x.event.distribution = Some(digest("manifest").to_hex()));
        },
    ),
    // Due after 7 days and 3 days of grace; the as-of is 2026-06-30.
    (Code::SetMissing, |s| unpaid_share(s, "2026-06-19T23:59:59Z"), |s| unpaid_share(s, "2026-06-20T00:00:00Z")),
    (
        Code::SetMissing,
        |s| {
            s.world.distribution("batch", &[("bc1quser", 39), ("bc1qother", 1)], Some(40));
        },
        |s| s.world.distribution("batch", &[("bc1quser", 39)], Some(39)),
    ),
    (
        Code::SetLate,
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-14T12:00:01Z")),
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-14T12:00:00Z")),
    ),
    (
        Code::SetEarly,
        |s| {
            maturing_until_2026_05_10(s);
            s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-09T23:59:59Z"));
        },
        |s| {
            maturing_until_2026_05_10(s);
            s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-10T00:00:00Z"));
        },
    ),
    (Code::UserOverpaid, |s| s.change_settlement("payout", |x| x.event.amount = sats(40)), |_| ()),
    (
        // Paid before it was even earned.
        Code::UserOverpaid,
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-04T11:59:59Z")),
        |s| s.change_settlement("payout", |x| x.event.settled_at = time("2026-05-04T12:00:00Z")),
    ),
    (Code::AmtMismatch, |s| s.change_settlement("payout", |x| x.event.amount = sats(38)), |_| ()),
    (
        Code::UnitSuspect,
        |s| s.change_settlement("payout", |x| x.event.amount = sats(39_000)),
        |s| s.change_settlement("payout", |x| x.event.amount = sats(39_001)),
    ),
    (
        Code::DistClosure,
        |s| s.world.distribution("batch", &[("bc1quser", 39)], Some(40)),
        |s| s.world.distribution("batch", &[("bc1quser", 39)], None),
    ),
];

fn maturing_until_2026_05_10(scene: &mut Scene) {
    scene.world.event("e", |event| {
        (event.gross, event.platform, event.user_earned, event.rebate) = (sats(60), sats(12), sats(39), sats(9));
        in_window(event, "w_1", None);
    });
    scene.world.drop_manifest("m", manifest("w_1", &["e"], 60, 39));
}

const ESCROW: &[Case<Scene>] = &[
    (
        // 59 sats do not cover a gross of 60; equal amounts do.
        Code::EscUnfunded,
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(59)),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(60)),
    ),
    (
        // A deposit of the same second counts first.
        Code::EscUnfunded,
        |s| s.change_settlement("deposit", |x| x.event.settled_at = time("2026-05-04T12:00:01Z")),
        |s| s.change_settlement("deposit", |x| x.event.settled_at = time("2026-05-04T12:00:00Z")),
    ),
    (
        // The earned rebate of 9 counts after the fact: 60 - 9 = 51 is what is finally needed.
        Code::EscNegative,
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(50)),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(51)),
    ),
    (
        Code::EscNeverFunded,
        |s| drop(s.world.set.settlements.remove(&digest("deposit"))),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(1)),
    ),
    (Code::PlatformOveraccrued, |s| accrual(s, 13), |s| accrual(s, 12)),
    (
        Code::ConsCustody,
        |s| drop(s.world.set.settlements.remove(&digest("deposit"))),
        |s| s.change_settlement("deposit", |x| x.event.amount = sats(39)),
    ),
];

fn accrual(scene: &mut Scene, amount: u64) {
    scene.world.settlement("accrual", SettlementKind::PlatformAccrual, |event| {
        event.amount = sats(amount);
        event.settled_at = time("2026-05-20T00:00:00Z");
        event.payment_hash = None;
    });
}

const RAILS: &[Case<Scene>] = &[
    (
        Code::InvState,
        |s| with_invoice(s, 100_000_000, 0, InvoiceState::Expired),
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::InvUnderpaid,
        |s| with_invoice(s, 100_000_000, 99_999_999, InvoiceState::Settled),
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::InvOverpaid,
        |s| with_invoice(s, 100_000_000, 100_001_000, InvoiceState::Settled),
        |s| with_invoice(s, 100_000_000, 100_000_999, InvoiceState::Settled),
    ),
    (
        Code::AmtResidue,
        |s| with_invoice(s, 100_000_000, 100_000_999, InvoiceState::Settled),
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::AmtMismatch,
        |s| with_invoice(s, 99_999_000, 99_999_000, InvoiceState::Settled),
        |s| with_invoice(s, 99_999_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::UnitSuspect,
        |s| with_invoice(s, 100_000, 100_000, InvoiceState::Settled),
        |s| with_invoice(s, 101_000, 101_000, InvoiceState::Settled),
    ),
    (
        Code::Unverifiable,
        |s| {
            s.declared.invoices = true;
            s.world.set.invoices.push(invoice("something else", 1, 1, InvoiceState::Settled));
        },
        |s| with_invoice(s, 100_000_000, 100_000_000, InvoiceState::Settled),
    ),
    (
        Code::GwForeign,
        |s| {
            log_all(s);
            s.world.set.payment_log.push(logged("a stranger's payment", "incoming-payment-succeeded"));
        },
        log_all,
    ),
    (
        Code::GwPhantom,
        |s| {
            log_all(s);
            s.world.set.payment_log.push(logged("payout", "outgoing-payment-failed"));
            s.world.set.payment_log.remove(1);
            s.world.set.invoices.push(invoice("payout", 39_000, 39_000, InvoiceState::Settled));
        },
        |s| {
            log_all(s);
            s.world.set.payment_log.push(logged("payout", "outgoing-payment-failed"));
            s.world.set.invoices.push(invoice("payout", 39_000, 39_000, InvoiceState::Settled));
        },
    ),
];

fn log_all(scene: &mut Scene) {
    scene.declared.payment_log = true;
    scene.world.set.payment_log.push(logged("deposit", "incoming-payment-succeeded"));
    scene.world.set.payment_log.push(logged("payout", "outgoing-payment-succeeded"));
}

const BALANCES: &[Case<Scene>] = &[
    (
        Code::BalanceMismatch,
        |s| s.world.set.balances[0].1.balance_sats = Some(1),
        |s| s.world.set.balances[0].1.balance_sats = None,
    ),
    (
        Code::BalanceMismatch,
        |s| s.world.set.balances[0].1.maturing_sats = Some(39),
        |s| s.world.set.balances[0].1.maturing_sats = Some(0),
    ),
    (
        Code::BalanceMissingUser,
        |s| unpaid_share(s, "2026-06-25T00:00:00Z"),
        |s| {
            unpaid_share(s, "2026-06-25T00:00:00Z");
            s.world.set.balances.push((evidence("line 2"), line("bc1qunpaid", 39)));
        },
    ),
    (
        Code::BalanceExtraUser,
        |s| s.world.set.balances.push((evidence("line 2"), line("bc1qnobody", 1))),
        |s| s.world.set.balances.push((evidence("line 2"), line("bc1qnobody", 0))),
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
fn every_anchoring_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), ANCHORING, open);
}

#[test]
fn every_form_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), FORM, open);
}

#[test]
fn every_payout_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), PAYOUTS, open);
}

#[test]
fn every_escrow_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), ESCROW, open);
}

#[test]
fn every_rail_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), RAILS, open);
}

#[test]
fn every_balance_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), BALANCES, open);
}

/// Codes that are always explained have to be listed all the same (INV-9).
#[test]
fn explained_codes_are_listed_and_near_misses_are_not() {
    const CASES: &[Case<Scene>] = &[
        (Code::OtsPending, |s| pending(s, "2026-06-28T00:00:00Z"), |s| pending(s, "2026-06-27T23:59:59Z")),
        (Code::SetPending, |s| unpaid_share(s, "2026-06-20T00:00:00Z"), |s| unpaid_share(s, "2026-06-19T23:59:59Z")),
        (Code::SrcKnownGap, |s| s.gap("2026-07-01T00:00:00Z"), |s| s.gap("2026-06-30T00:00:00Z")),
    ];
    assert_table(&Scene::honest(), CASES, all);
    for (code, produce, _) in CASES {
        let mut scene = Scene::honest();
        produce(&mut scene);
        assert_eq!(one(&scene.run(), *code).state, State::Explained, "{code}");
    }
}

#[test]
fn an_honest_world_has_no_divergence_at_all() {
    let result = Scene::honest().run();
    assert_eq!(result.divergences, Vec::new());
    assert!(result.needs_anchor.is_empty());
    assert_eq!((result.needs_review, result.by_age.len()), (0, 0));
    assert!(result.unverifiable.iter().all(|item| !item.declared));
    assert!(result.checks.iter().all(|check| check.items > 0 && check.disagreed == 0));
    assert_eq!((result.balances.compared, result.balances.equal, result.balances.sum_sats), (1, 1, 0));
}

#[test]
fn a_second_delivery_of_one_event_is_listed_and_a_first_is_not() {
    let operation = "an operation".into();
    let mut carriers = Carriers::from(evidence("first"));
    carriers.insert(evidence("second"));
    let finding = super::settlements::replay(&operation, &carriers).unwrap();
    assert_eq!((finding.code, finding.subject), (Code::OpReplay, Subject::new("operation", &operation)));
    assert_eq!(finding.evidence.len(), 2);
    assert_eq!(super::settlements::replay(&operation, &evidence("first").into()), None);
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

#[test]
fn the_queue_says_why_each_envelope_needs_an_anchor() {
    let mut scene = Scene::honest();
    let reason = |scene: &Scene| scene.run().needs_anchor.first().map(|queued| queued.reason);
    assert_eq!(reason(&scene), None);
    pending(&mut scene, "2026-06-29T00:00:00Z");
    assert_eq!(reason(&scene), Some("pending"));
    pending(&mut scene, "2026-06-01T00:00:00Z");
    assert_eq!(reason(&scene), Some("overdue"));
    let state = scene.world.set.anchors.get_mut(&digest("e")).unwrap();
    state.pending.clear();
    state.refused.insert(evidence("proof"));
    assert_eq!(reason(&scene), Some("refused"));
    let stale = StaleAnchor { height: BlockHeight(900), hash: BlockHash::default(), proof: evidence("proof") };
    scene.world.set.anchors.get_mut(&digest("e")).unwrap().stale.insert(stale);
    assert_eq!(reason(&scene), Some("reorg"));
    // What another calendar still owes is waited for, and a block that still stands needs nothing.
    pending(&mut scene, "2026-06-29T00:00:00Z");
    assert_eq!(reason(&scene), Some("pending"));
    scene.world.anchor(digest("e"), 902, "2026-05-04T14:00:00Z");
    assert_eq!(reason(&scene), None);
    header_missing(&mut scene);
    assert_eq!(reason(&scene), Some("header-missing"));
    scene.world.set.anchors.remove(&digest("e"));
    assert_eq!(reason(&scene), Some("absent"));
}

/// FORMATS 10: available = earned - maturing - paid + adjust; adjust = in - out.
#[test]
fn a_balance_is_earned_less_paid_plus_adjustments() {
    let mut scene = Scene::honest();
    scene.world.event("maturing", |event| in_window(event, "w_open", None));
    for (name, direction, amount) in [("in", Direction::In, 7), ("out", Direction::Out, 2)] {
        scene.world.settlement(name, SettlementKind::Adjustment, |event| {
            (event.direction, event.amount) = (direction, sats(amount));
            (event.user, event.note) = (Some("bc1quser".into()), Some("ticket 12".to_owned()));
        });
    }
    // Earned 39 + 65 (maturing), paid 39, adjusted 7 - 2.
    let reported = |balance, available, maturing| BalanceLine {
        user: "bc1quser".into(),
        balance_sats: Some(balance),
        available_sats: Some(available),
        maturing_sats: Some(maturing),
    };
    scene.world.set.balances[0].1 = reported(70, 5, 65);
    let result = scene.run();
    assert!(!result.divergences.iter().any(|divergence| divergence.code == Code::BalanceMismatch));
    assert_eq!(result.balances.sum_sats, 70);
    scene.world.set.balances[0].1 = reported(70, 6, 65);
    assert_eq!(one(&scene.run(), Code::BalanceMismatch).observed, "available_sats=6");
}

#[test]
fn recovery_points_are_those_of_the_newest_envelope_and_anchor() {
    let recovery = Scene::honest().run().recovery;
    assert_eq!(recovery.newest_envelope, Some(time("2026-05-11T00:00:00Z")));
    assert_eq!(recovery.newest_anchor, Some(time("2026-05-11T01:00:00Z")));
    assert_eq!(recovery.rpo_claimed_seconds, Some(50 * 86_400));
    assert_eq!(recovery.rpo_provable_seconds, Some(50 * 86_400 - 3600));
}

#[test]
fn open_divergences_are_counted_by_age() {
    let mut scene = Scene::honest();
    scene.world.set.anchors.remove(&digest("e"));
    let result = scene.run();
    assert_eq!(result.by_age, BTreeMap::from([("<=93d".to_owned(), 1)]));
    assert_eq!(result.needs_review, 0);
}

#[test]
fn findings_of_one_fingerprint_become_one_divergence_that_stays_open() {
    let mut scene = Scene::honest();
    let finding = |evidence_of: &str| {
        Finding::new(Code::SrcParse, Subject::new("record", 1)).with_evidence(evidence(evidence_of), "record")
    };
    // Whichever of the two sorts first: what is open somewhere stays open.
    for (known, unknown) in [("a", "b"), ("b", "a")] {
        scene.world.set.findings = vec![finding(known).explained("known"), finding(unknown), finding(unknown)];
        let result = scene.run();
        assert_eq!(result.divergences.len(), 1);
        assert_eq!((result.divergences[0].state, result.divergences[0].evidence.len()), (State::Open, 2));
    }
}

#[test]
fn the_order_of_evidence_and_receipts_changes_nothing() {
    let mut scene = Scene::honest();
    scene.with_other(SliceEnd::TimedOut, CompletenessBasis::None);
    scene.only_at_other();
    with_invoice(&mut scene, 100_000_000, 100_000_999, InvoiceState::Settled);
    scene.world.set.invoices.push(invoice("deposit", 100_000_000, 100_005_000, InvoiceState::Settled));
    log_all(&mut scene);
    unpaid_share(&mut scene, "2026-06-01T00:00:00Z");
    scene.world.set.balances.push((evidence("line 2"), line("bc1quser", 5)));
    let mut turned = scene.clone();
    turned.receipts.reverse();
    turned.receipts.extend(scene.receipts.clone());
    turned.world.set.invoices.reverse();
    turned.world.set.payment_log.reverse();
    turned.world.set.balances.reverse();
    turned.declared.sources.reverse();
    assert_eq!(format!("{:?}", scene.run()), format!("{:?}", turned.run()));
    assert!(scene.run().divergences.len() > 3);
}

#[test]
fn what_is_not_declared_is_unverifiable_and_owes_nothing() {
    let mut scene = Scene::honest();
    scene.declared = Declared::default();
    scene.receipts.clear();
    let result = scene.run();
    assert_eq!(result.divergences, Vec::new());
    let names: BTreeSet<&str> = result.unverifiable.iter().map(|item| item.check.as_str()).collect();
    for name in ["envelope", "settlements", "headers", "keys", "balances", "escrow.funding", "settlement.payouts"] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn a_seconds_old_world_is_not_older_than_it_is() {
    let mut scene = Scene::honest();
    scene.world.as_of.time = UnixSeconds(time("2026-05-12T00:00:00Z").0);
    assert_eq!(scene.run().divergences, Vec::new());
}
