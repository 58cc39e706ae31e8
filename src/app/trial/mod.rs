//! Trials: the whole program over worlds with planted faults, compared with what the oracle expects. The simulator states,
//! the program reports, and nobody asks the other.

mod campaign;
mod compare;
mod judge;
mod served;
mod shrink;
mod written;

pub use campaign::{Campaign, CampaignResult, Faults, run_campaign};
pub use judge::{Trial, TrialReport};
pub use written::{drill_world, plan_of_world};
