//! `reledger attest` as users meet it, over the simulator's calendars, headers and relays: signed, stamped, published, fetched
//! back and verified from the relay alone. What belongs here: promises about attestations. Envelopes by themselves are in
//! `seal`, the simulator's servers in `sim_servers`.

mod auditor;
mod chain;
mod damage;
mod desk;
mod judges;
mod keys;
mod relays;
mod stamps;
