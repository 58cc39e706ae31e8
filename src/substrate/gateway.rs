//! What a federation's gateway tells: settlements and invoices as documents of records, its payment log, and the lists of
//! the Lightning node behind it.

mod follow;
mod index_paging;
mod log_paging;
mod node;
mod notes;
mod payment_log;
mod records;
mod secret;

pub use node::{NodeApi, NodePlan, NodeSource};
pub use payment_log::{PaymentLogPlan, PaymentLogSource};
pub use records::{RecordsPlan, RecordsSource};
