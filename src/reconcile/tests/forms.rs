//! Goal: anchors and the form of records: each code has a case and a near miss.
//! Method: tables at the line and a second beyond it.

use super::*;

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

#[test]
fn every_anchoring_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), ANCHORING, open);
}

#[test]
fn every_form_code_has_a_case_and_a_near_miss() {
    assert_table(&Scene::honest(), FORM, open);
}
