//! Events verified out of memory, as a drill verifies them out of the log.

use reledger::domain::{EvidenceId, RawEvidence, TrustPolicy};
use reledger::verify::{Genuine, VerifiedSet, Verifier};

/// Evidence with its ids.
pub(crate) type Batch = Vec<(EvidenceId, RawEvidence)>;

/// These events, judged by those keys, headers and prices.
pub(crate) fn judged(policy: &TrustPolicy, genuine: &Genuine, judged_by: &Batch, events: &Batch) -> VerifiedSet {
    let mut verifier = Verifier::knowing(policy, genuine);
    verifier.first_pass(judged_by);
    verifier.begin_second_pass();
    verifier.second_pass(judged_by);
    verifier.second_pass_over(events.chunks(genuine.batch_items()));
    verifier.finish()
}
