//! The bond score that the operator's pages show (FORMATS 7.5). For display: nothing is decided by it.

use crate::domain::Sats;

/// `round(ln(1 + sats) * (1 + days / 30) * 100) / 100`, days being whole days unspent.
///
/// The published rule is in doubles; the operator's SDK gives 0 for 0 days where the formula does not.
#[expect(clippy::float_arithmetic, reason = "the published rule is in doubles, and the result is only shown")]
#[expect(clippy::cast_precision_loss, reason = "the supply in satoshi and any count of days are below 2^53")]
pub fn score_v0(bonded: Sats, days: u64) -> f64 {
    let (sats, days) = (bonded.get() as f64, days as f64);
    ((1.0 + sats).ln() * (1.0 + days / 30.0) * 100.0).round() / 100.0
}
