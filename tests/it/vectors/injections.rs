//! FORMATS 12, the last paragraph: damage that the simulator plants into whole worlds, each under the code it must bring.
//! `sim_faults` plants each of them and its near miss; here it is only shown that nobody dropped one.

use super::case::{Case, Input};

pub(super) fn cases() -> Vec<Case> {
    [
        ("missing envelope in a rebind chain", "REB_GAP", "a-predecessor-that-nobody-holds"),
        ("one envelope absent on all but one relay", "SRC_OMITS", "an-event-that-the-other-relay-has"),
        ("same operation_id with two amounts", "OP_CONFLICT", "one-operation-with-two-amounts"),
        ("distribution without settlement and the reverse", "SET_MISSING", "a-second-past-due"),
        ("distribution without settlement and the reverse", "SET_ORPHAN", "a-payout-of-no-distribution"),
        ("user paid more than vested", "USER_OVERPAID", "a-satoshi-above-the-vested"),
        ("six class-A events in a day", "CAP_CLASS_A_DAY", "the-sixth-of-a-day"),
        ("one site 61 % of a month", "CAP_SITE_SHARE", "a-satoshi-above-sixty-percent"),
        ("fee split off by one", "FEE_SPLIT", "a-satoshi-more-for-the-user"),
        ("fee split off by one", "FEE_SPLIT", "a-satoshi-more-for-the-platform"),
        ("anchor older than occurred_at", "OTS_BEFORE_CLAIM", "claimed-a-second-after-the-slack"),
        ("two envelopes with one (project_key, idempotency_key)", "ENV_DOUBLE_BILLING", "one-key-at-two-times"),
        ("config served under another domain", "SRC_DRIFT", "a-price-list-served-under-another-domain"),
    ]
    .into_iter()
    .map(|(what, code, name)| {
        let wanted = "planted by the simulator";
        Case::new(row(what), format!("{code}/{name}"), "src/sim/fault", Input::Planted(code, name), wanted)
    })
    .collect()
}

/// The row of that injection.
fn row(what: &str) -> &'static str {
    let found = super::rows::ROWS.iter().find(|row| row.strip_prefix("12 injection: ") == Some(what));
    found.unwrap_or_else(|| panic!("no row {what}"))
}
