//! shim
use super::SignedSettlement;
use crate::domain::*;
use crate::evidence::SettlementClaim;
pub fn judge(_c: &SettlementClaim, _e: EvidenceId, _p: &TrustPolicy) -> (Option<SignedSettlement>, Vec<Finding>) {
    (None, vec![])
}
