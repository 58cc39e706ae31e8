//! Divergence bundles: every planted fault is exported and judged again by itself; a changed byte is refused; the same divergence
//! in two captures gives the same bytes; nothing leaves that must not. What belongs here: promises about `divergences export` and
//! about `verify` of what it wrote.

mod damage;
mod independence;
mod planted;
mod privacy;
mod stage;
