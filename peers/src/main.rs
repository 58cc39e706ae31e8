//! Holds what this project did not write against it: relays, and JavaScript's own arithmetic.
//!
//! Fees first: a million generated cases of the published rule by Node and by us (`fees.rs`); `fees` as the only argument
//! stops there. Then relays. Each relay is given 8,000 signed events over its own WebSocket: 5,000 spread over time, 3,000 in one second. It gives
//! at most 500 a page where it can be told to. Then the relay client of reledger captures it. One line a relay:
//!
//! ```text
//! PEER asked 5000 held 8000 captured 8000 basis set-equal open windows 0 messages 181 seconds 3
//! ```
//!
//! Exit 0: both sides agree on every fee, and everything was captured, or what is missing lies in windows that are named open.
//! Exit 1: one disagreement, something lost without a word, or a relay that is here and could not be used. A relay that is not
//! installed is skipped, loudly, and so is Node.

#![expect(clippy::disallowed_methods, reason = "a program of its own: it measures time and reads the environment")]

mod capture;
mod child;
mod events;
mod fees;
mod local;
mod meter;

use std::process::ExitCode;

use capture::Verdict;

/// Events a page holds at most, where a relay can be told.
const CAP: usize = 500;

/// A relay that runs.
struct Peer {
    name: String,
    url: String,
    /// What the client asks for at most, one capture each: a relay without a cap is given ours.
    page_limits: &'static [u32],
    /// Keeps it running.
    _alive: Box<dyn Send>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut failed = false;
    match fees::compare() {
        fees::Outcome::Agreed(said) => println!("fees {said}"),
        fees::Outcome::Differed(said) => {
            println!("fees {said}");
            failed = true;
        }
        fees::Outcome::Skipped(why) => println!("fees SKIPPED: {why}"),
    }
    if std::env::args().nth(1).as_deref() == Some("fees") {
        return if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let held = events::events();
    let starts: [(&str, Result<Option<Peer>, String>); 3] = [
        ("nostr-relay-builder", local::start().await.map(Some)),
        ("nostr-rs-relay", child::nostr_rs_relay().await),
        ("strfry", child::strfry().await),
    ];
    for (name, start) in starts {
        let peer = match start {
            Ok(Some(peer)) => peer,
            Ok(None) => {
                println!("{name} SKIPPED: it is not installed");
                continue;
            }
            Err(error) => {
                println!("{name} FAILED: {error}");
                failed = true;
                continue;
            }
        };
        match judge(&peer, &held).await {
            Ok(verdicts) => {
                for verdict in verdicts {
                    println!("{} {verdict}", peer.name);
                    failed |= verdict.lost_silently > 0;
                }
            }
            Err(error) => {
                println!("{} FAILED: {error}", peer.name);
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn judge(peer: &Peer, held: &[events::Event]) -> Result<Vec<Verdict>, String> {
    events::publish(&peer.url, held).await.map_err(|error| format!("could not publish: {error}"))?;
    let mut verdicts = Vec::new();
    for limit in peer.page_limits {
        verdicts.push(capture::capture(&peer.url, *limit, held).await?);
    }
    Ok(verdicts)
}
