//! Seconds and memory for the page of a report with many divergences, beside the bare floor: reading the report's bytes and
//! digesting them. `make bench-page`; `RELEDGER_PAGE=n` sets the largest number of divergences, of which a tenth and a hundredth come
//! first. `RELEDGER_PAGE_OUT=folder` keeps report and page of the largest.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark measures time and divides"
)]

#[path = "common/memory.rs"]
mod memory;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use reledger::domain::{Code, Sha256Stream, sha256};
use reledger::report::{Document, Rendering};
use serde_json::json;

const CODES: [Code; 4] = [Code::BalanceMismatch, Code::KeyUnknown, Code::SetOrphan, Code::OtsAbsent];

fn main() {
    let largest = std::env::var("RELEDGER_PAGE").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let kept = std::env::var("RELEDGER_PAGE_OUT").ok();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = kept.as_ref().map_or(folder.path(), Path::new);
    println!(
        "{:>12}{:>13}{:>11}{:>11}{:>11}{:>11}{:>11}{:>15}",
        "divergences", "report, MiB", "floor, s", "read, s", "page, s", "x floor", "page, MiB", "resident, MiB"
    );
    for size in [largest / 100, largest / 10, largest] {
        let (report, page) = (folder.join("report.json"), folder.join("report.html"));
        write_report(&report, size);
        let floor = timed(|| black_box(digest(&report)));
        let open = || -> std::io::Result<Box<dyn Read>> { Ok(Box::new(File::open(&report)?)) };
        let mut document = None;
        let read = timed(|| document = Document::read(&open).ok());
        let document = document.expect("the report is whole");
        let written = timed(|| {
            let mut out = BufWriter::new(File::create(&page).expect("the page"));
            Rendering::Html.write(&document, None, &mut out).expect("the page is written");
            out.flush().expect("the page is written");
        });
        let mib = |path: &Path| path.metadata().map_or(0.0, |found| found.len() as f64 / 1_048_576.0);
        println!(
            "{size:>12}{:>13.1}{floor:>11.3}{read:>11.3}{written:>11.3}{:>11.1}{:>11.1}{:>15.0}",
            mib(&report),
            (read + written) / floor,
            mib(&page),
            memory::resident_kib() / 1_024.0
        );
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    black_box(work());
    began.elapsed().as_secs_f64()
}

fn digest(path: &Path) -> String {
    let (mut file, mut hasher) = (File::open(path).expect("the report"), Sha256Stream::default());
    let mut piece = vec![0; 1 << 18];
    loop {
        match file.read(&mut piece).expect("the report") {
            0 => return hasher.finish().to_hex(),
            count => hasher.update(&piece[..count]),
        }
    }
}

/// A report with that many divergences of four codes; ids and digests are as random as real ones.
fn write_report(path: &Path, size: usize) {
    let mut out = BufWriter::new(File::create(path).expect("the report"));
    let zero = "00".repeat(32);
    let each = size / CODES.len();
    let by_code: serde_json::Map<_, _> = CODES.iter().map(|code| (code.name().to_owned(), json!(each))).collect();
    let head = json!({
        "schema": "reledger/report/1", "tool": {"name": "reledger", "version": "0"}, "as_of": {"time": 1_790_000_000, "tip": null},
        "inputs": {"evidence_root": zero, "config_sha256": zero, "policy_sha256": zero, "profile": "p", "fail_on": "error",
            "users_revealed": false},
        "verdict": {"outcome": "divergent", "exit_code": 1, "conditions": ["divergent"], "sentence": "divergent"},
        "population": {}, "coverage": [], "ledgers": {}, "state_root": zero,
        "reconstructible": {"with_operator": 0, "without_operator": 0, "share_without_operator": {"num": 0, "den": 0}},
        "balances": {"users": 0, "root": null, "sum_sats": 0, "negative_users": 0, "negative_sats": 0, "excluded_sats": 0,
            "excluded_users": 0, "sample": {"size": 0, "seed": "", "compared": 0, "equal": 0, "different": 0}},
        "recovery": {"rpo_claimed_seconds": null, "rpo_provable_seconds": null, "newest_envelope_time": null,
            "newest_anchor_time": null},
        "summary": {"by_code": by_code, "explained": 0, "unexplained": each * CODES.len(), "by_age": {}},
        "checks": [], "unverifiable": [], "queues": {"needs_anchor": 0, "needs_review": 0}, "does_not_prove": ["x"],
    });
    let head = head.to_string();
    write!(out, "{},\"divergences\":[", &head[..head.len() - 1]).expect("the report");
    for place in 0..each * CODES.len() {
        let code = CODES[place / each];
        let id = |what: &str| sha256(format!("{what} {place}").as_bytes()).to_hex();
        let line = json!({
            "at": 1_780_000_000 + place, "at_stake_msat": (place * 1_000).to_string(), "code": code.name(),
            "blocks": code.severity() >= reledger::domain::Severity::Error,
            "evidence": [{"id": id("evidence"), "role": "carrier"}], "expected": "12,345 sats", "observed": "54,321 sats",
            "explanation": "The recomputed balance differs from the reported one.", "fingerprint": id("fingerprint"),
            "severity": code.severity().name(), "state": "open", "step": code.step().number(),
            "subject": {"envelope": id("envelope"), "user": format!("user-{}", &id("user")[..16])},
            "values_sha256": id("values"),
        });
        let comma = if place > 0 { "," } else { "" };
        write!(out, "{comma}{line}").expect("the report");
    }
    out.write_all(b"]}\n").and_then(|()| out.flush()).expect("the report");
}
