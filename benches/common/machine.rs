//! What the figures were measured on.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// Facts about the machine and its tools; the load before is told by whoever asked for it then.
pub(crate) fn facts(load_before: &str) -> Value {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    json!({
        "at": said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
        "processor": after_colon(&processor, "model name"),
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "memory": after_colon(&memory, "MemTotal"),
        "architecture": std::env::consts::ARCH,
        "system": said("uname", &["-sr"]),
        "rustc": said("rustc", &["--version"]),
        "load_before": load_before,
        "load_after": load(),
    })
}

/// Averages over one, five and fifteen minutes.
pub(crate) fn load() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn after_colon(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
