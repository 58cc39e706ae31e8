//! The HTTP side: calendar, gateway, headers, well-known documents, balances.

mod answer;
mod calendar;
mod deliver;
mod documents;
mod headers;
mod payment_log;
mod records;
mod route;
mod well_known;

pub(super) use deliver::redirect;
pub(in crate::sim) use payment_log::{DEFAULT_KINDS, PASSWORD};
pub(super) use records::shuffle;
pub(super) use route::{Door, answer};
