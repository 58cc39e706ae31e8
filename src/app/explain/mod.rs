//! What a run knows about anything that has a name in it: one judge pass, then the name's tree.

mod anchors;
mod balances;
mod carriers;
pub(super) mod edges;
mod entries;
mod find;
pub(super) mod hide;
mod known;
mod model;
mod people;
mod says;
mod standing;
mod tree;

pub use find::ID_DIGITS_MIN;
pub(super) use hide::Hidden;
pub use known::{ReportedOne, reported};
pub use model::{
    AnchorTold, BalanceTold, BlockTold, Capture, Carrier, Class, Direction, DivergenceTold, EntryTold, EventTold,
    KeyTold, Name, PendingTold, RefusedTold, Related, Seen, SignatureTold, StaleTold, StandingTold, Thing,
};
pub use tree::{Explained, explain};
