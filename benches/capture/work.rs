//! What is measured, each in a process of its own: the last line that each prints are its seconds.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use reledger::app::{Cancel, Config, Plan, RunOptions, Silent, capture_only};
use reledger::domain::{EvidenceId, Media, RawEvidence, Severity, TrustPolicy, UnixSeconds};
use reledger::verify::Verifier;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;

use super::events::KIND;
use super::processor;
use super::serve::ALL;

/// Events verified together, as the program does it.
const BATCH: usize = 2_048;

/// (a): every frame of every relay is read and counted, nothing else.
pub(crate) fn frames(urls: &str) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let began = Instant::now();
    let readers: Vec<_> = urls.split(' ').map(|url| runtime.spawn(read(url.to_owned()))).collect();
    let (mut frames, mut bytes) = (0_u64, 0_u64);
    for reader in readers {
        let (some, long) = runtime.block_on(reader).expect("a reader ends");
        frames += some;
        bytes += long;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("frames: {frames} frames, {bytes} bytes, {:.2} s of processor", processor::seconds());
    println!("{seconds}");
}

async fn read(url: String) -> (u64, u64) {
    let (mut socket, _) = connect_async_with_config(url.as_str(), None, true).await.expect("the relay is there");
    let question = format!(r#"["REQ","{ALL}",{{"kinds":[{KIND}]}}]"#);
    socket.send(Message::text(question)).await.expect("the relay listens");
    let (mut frames, mut bytes) = (0, 0);
    loop {
        let message = socket.next().await.expect("an answer").expect("an answer");
        let Message::Text(text) = message else { continue };
        if text.starts_with(r#"["EOSE""#) {
            return (frames, bytes);
        }
        frames += 1;
        bytes += u64::try_from(text.len()).expect("lengths fit");
    }
}

/// (b): every unique event is verified once, on all cores; reading the file is not counted.
pub(crate) fn verify(file: &Path) {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(file).expect("the events were made")).lines();
    let policy = TrustPolicy::orangecheck_2026_10();
    let mut verifier = Verifier::new(&policy);
    verifier.begin_second_pass();
    let mut spent = Duration::ZERO;
    loop {
        let lines = lines.by_ref().take(BATCH).map(|line| line.expect("text"));
        let batch: Vec<(EvidenceId, RawEvidence)> = lines
            .map(|line| RawEvidence { media: Media::NostrEvent, about: String::new(), bytes: line.into_bytes() })
            .map(|evidence| (evidence.id(), evidence))
            .collect();
        if batch.is_empty() {
            break;
        }
        let began = Instant::now();
        verifier.second_pass(&batch);
        spent += began.elapsed();
    }
    let began = Instant::now();
    let set = verifier.finish();
    spent += began.elapsed();
    let processor = processor::seconds();
    println!("verify: {} findings, peak {} KiB, {processor:.2} s of processor", set.findings.len(), peak_kib());
    println!("{}", spent.as_secs_f64());
}

/// The use-case, from an empty folder.
pub(crate) fn capture(urls: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let relays: Vec<String> = urls.split(' ').map(|url| format!("\"{url}\"")).collect();
    let text = format!("[nostr]\nrelays = [{}]\nkinds = [{{ kind = {KIND} }}]\n", relays.join(", "));
    let config: Config = toml::from_str(&text).expect("a valid configuration");
    let plan = Plan::resolve(&config, folder.path()).expect("a valid configuration");
    let run = folder.path().join("run");
    let options = RunOptions {
        command: "capture",
        run: run.clone(),
        as_of: None,
        clock: UnixSeconds(1_790_000_000),
        fail_on: Severity::Error,
        fail_on_invalid: false,
        reveal_users: false,
        offline: false,
        yes: false,
        jobs: 0,
        checks: reledger::verify::Checks::Single,
        max_seconds: None,
        actor: reledger::app::Actor::default(),
        expect_root: None,
        memory: None,
    };
    let began = Instant::now();
    let captured = capture_only(&plan, &options, &Silent, &Cancel::default()).expect("the capture works");
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "capture: {} held, {} of {} slices open, peak {} KiB, {:.2} s of processor",
        captured.held,
        captured.open.len(),
        captured.slices,
        peak_kib(),
        processor::seconds()
    );
    for receipt in &captured.open {
        println!("  open: {} {} {}", receipt.source, receipt.basis, receipt.reason);
    }
    // The program counts its own checks of signatures where it does.
    let record = std::fs::read_to_string(run.join("run.json")).unwrap_or_default();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap_or_default();
    println!("capture: signature checks {}, stages {}", record["signature_checks"], record["stages"]);
    println!("{seconds}");
}

fn peak_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |line| line.trim().trim_end_matches(" kB").to_owned())
}
