//! Capture of many signed events from four loopback relays, beside the two things that it can't do without: reading the
//! frames, and verifying what is unique. All three are measured in one run, each in a process of its own.
//!
//! Three sevenths of the events are on every relay, one seventh on each alone: three quarters of what a relay sends, the
//! other three send too. `make bench-capture`; `RELEDGER_BENCH_EVENTS=n` sets how many, `RELEDGER_BENCH_MODE=pages|lists`
//! whether the relays know NIP-77. The signed events are kept for the next run.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    reason = "a benchmark measures time, divides, and is told how large it is by the environment"
)]

mod events;
#[path = "../common/processor.rs"]
mod processor;
mod serve;
mod work;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Relays, each with a share of its own.
const RELAYS: u32 = 4;
const ROLE: &str = "RELEDGER_BENCH_ROLE";

fn main() {
    let role = std::env::var(ROLE).unwrap_or_default();
    let arguments = std::env::var("RELEDGER_BENCH_ARGUMENTS").unwrap_or_default();
    match role.as_str() {
        "serve" => serve::run(&events::file(count()), mode() == "lists"),
        "frames" => work::frames(&arguments),
        "verify" => work::verify(&events::file(count())),
        "capture" => work::capture(&arguments),
        _ => orchestrate(),
    }
}

fn count() -> u32 {
    std::env::var("RELEDGER_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

fn mode() -> String {
    std::env::var("RELEDGER_BENCH_MODE").unwrap_or_else(|_| "lists".to_owned())
}

fn orchestrate() {
    let count = count();
    events::prepare(count);
    let sent: u32 =
        (0..RELAYS).map(|relay| (0..count).filter(|number| events::holds(relay, *number)).count()).map(narrow).sum();
    println!(
        "{count} events, {sent} frames from {RELAYS} relays, {} cores, mode {}",
        rayon::current_num_threads(),
        mode()
    );
    let mut server = start("serve", "");
    let mut lines = BufReader::new(server.stdout.take().expect("it was piped")).lines();
    let urls: Vec<String> = (0..RELAYS).map(|_| lines.next().expect("an address").expect("text")).collect();
    let urls = urls.join(" ");
    let frames = measure("frames", &urls);
    // Before and after, because the machine is shared: what slows one down should slow both.
    let before = measure("verify", "");
    let capture = measure("capture", &urls);
    let verify = f64::midpoint(before, measure("verify", ""));
    // It ends when nobody holds its input any more.
    drop(server.stdin.take());
    server.wait().expect("the server ends");
    let floor = frames.max(verify);
    println!("(a) frames alone   {frames:>9.2} s {:>12.0} frames/s", f64::from(sent) / frames);
    println!("(b) verify alone   {verify:>9.2} s {:>12.0} events/s", f64::from(count) / verify);
    println!("capture            {capture:>9.2} s {:>12.0} events/s", f64::from(count) / capture);
    println!("ratio              {:>9.2} = capture / max(a, b)", capture / floor);
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than the events")
}

fn start(role: &str, arguments: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.env(ROLE, role).env("RELEDGER_BENCH_ARGUMENTS", arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this program can be started")
}

/// Runs a role to its end, shows what it says, and gives back the seconds on its last line.
fn measure(role: &str, arguments: &str) -> f64 {
    let output = start(role, arguments).wait_with_output().expect("it can be waited for");
    assert!(output.status.success(), "{role} failed");
    let text = String::from_utf8(output.stdout).expect("plain text");
    let mut lines: Vec<&str> = text.lines().collect();
    let seconds = lines.pop().and_then(|line| line.parse().ok()).expect("seconds");
    for line in lines {
        println!("{line}");
    }
    seconds
}
