//! Snapshots through the command: made, judged, restored, thinned out; and archives of attackers, none of which writes anything.
//! The archive's format, read out of bytes that nobody made from a run, is tested in the room `seal`.

mod at_once;
mod encrypted;
mod forced;
mod hostile;
mod killed;
mod making;
mod restoring;
