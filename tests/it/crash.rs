//! The crash matrix: the real command is killed, or its disk fails, fills up or loses power, at every call that changes the
//! disk; what stands there afterwards is the old state or the new one, whole (docs/testing.md, "Crash matrix").
//!
//! What belongs here: commands that must leave one of two states. Captures, which leave a part that is gone on with, are killed
//! at random moments in `replay::kills`.

mod desk;
mod disk;
mod matrix;
mod redis;
mod runs;
mod seals;
mod shim;
mod snapshots;
mod sockets;
mod traced;
