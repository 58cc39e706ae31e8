//! Laws that hold in every world, honest or not: what a rebuild is a function of, that money is conserved, and that more
//! evidence takes nothing back. Seeded; `RELEDGER_LAWS_CASES=n` makes each campaign longer, `make laws` runs the long form.

mod cut;
mod damage;
mod findings;
mod money;
mod shapes;
mod standing;
pub(crate) mod world;

/// How many cases a law is tried on: the caller's number, or the short form's.
#[expect(clippy::disallowed_methods, reason = "the length of a campaign comes from the caller")]
fn cases(short: usize) -> usize {
    std::env::var("RELEDGER_LAWS_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}
