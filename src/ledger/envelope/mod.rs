//! The envelope ledger: who was billed and earned what, when, under which key, anchored where.

mod accounts;
mod activity;
mod caps;
mod drops;
mod entry;
mod fee_check;
mod identity;
mod members;
mod price_history;
mod roll;
mod roots;
mod schedules;
mod standing;
mod survey;
#[cfg(test)]
mod tests;
mod view;

pub use caps::{Cap, CapBreach, CapReading, Measured};
pub use drops::Window;
pub use entry::{Counted, CountedEvent, EnvelopeEntry, ListedEnvelope};
pub use roll::{Earned, EnvelopeLedger};
pub(crate) use standing::Standings;
pub use standing::{Exclusion, Standing};
