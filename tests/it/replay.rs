//! Gap replay after an outage, and the cursors that it starts from, through the command and over loopback.
//! What belongs here: promises about runs that go on. Runs from empty are in `drill`.

mod cursors;
mod kills;
mod live;
mod outage;
mod snapshots;
pub(crate) mod stage;
mod whole_way;
