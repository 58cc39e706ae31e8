//! A world that was drilled once, its servers, and a desk in a folder of one's own for each test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, LazyLock};

use reledger::sim::{RelayRules, Services, Serving, World, serve_toml, serve_with};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::runtime::{Builder, Runtime};

use crate::support::{arg, code, copy_folder, parsed, run, shown};

/// The time of every command: later than the world, and the same whenever the tests run.
pub(super) const NOW: &str = "2026-10-02T00:00:00Z";

static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| Arc::new(World::generate(5, 10)));

pub(super) static SERVERS: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// A finished run over that world, as files: nobody else's servers are in its configuration.
static RUN: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let config = crate::support::write_world(&folder.path().join("world"), 5, 10);
    let drilled = crate::support::drill(&config, &folder.path().join("run"), &["--now", NOW]);
    assert!([0, 3].contains(&code(&drilled)), "{}", shown(&drilled));
    folder
});

/// Where one test works: a run of its own, keys, and whatever it writes.
pub(super) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        let folder = tempdir().unwrap();
        copy_folder(&RUN.path().join("run"), &folder.path().join("run"));
        let desk = Self { folder };
        for name in ["one", "two", "three", "nostr"] {
            desk.key(name, 0o600);
        }
        desk
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        arg(&self.path(name)).to_owned()
    }

    pub(super) fn run_dir(&self) -> PathBuf {
        self.path("run")
    }

    pub(super) fn attestation(&self) -> PathBuf {
        self.path("run/attestation.json")
    }

    /// Writes the key of that name: 32 bytes that differ by its length and first letter.
    pub(super) fn key(&self, name: &str, mode: u32) {
        let path = self.path(name);
        let byte = name.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(3).wrapping_add(byte));
        fs::write(&path, format!("{}\n", format!("{byte:02x}").repeat(32))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs a command over the desk's run at the tests' time.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        let run_dir = self.text("run");
        run(&[args, &["--run", &run_dir, "--now", NOW, "--progress", "none"]].concat())
    }

    /// The same, whose exit code must be this one; its JSON.
    pub(super) fn json(&self, args: &[&str], expected: i32) -> Value {
        let output = self.run(&[args, &["--json", "-q"]].concat());
        assert_eq!(code(&output), expected, "{args:?} {}", shown(&output));
        parsed(&output.stdout)
    }

    /// Runs a command that must end with that code; both streams.
    pub(super) fn ends(&self, args: &[&str], expected: i32) -> String {
        let output = self.run(args);
        assert_eq!(code(&output), expected, "{args:?} {}", shown(&output));
        shown(&output)
    }

    /// Signs the run with the key of that name; the public key.
    pub(super) fn sign(&self, name: &str) -> String {
        let signed = self.json(&["attest", "sign", "--key-file", &self.text(name)], 0);
        signed["key_id"].as_str().unwrap().to_owned()
    }

    /// Judges the attestation against the run, under these keys.
    pub(super) fn verify(&self, keys: &[&str], more: &[&str], expected: i32) -> Value {
        let file = arg(&self.attestation()).to_owned();
        let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", *key]).collect();
        self.json(&[&["attest", "verify", &file], &keys[..], more].concat(), expected)
    }
}

/// What does not hold, as one text.
pub(super) fn faults(verdict: &Value) -> String {
    let faults = verdict["faults"].as_array().unwrap().iter();
    let told = faults.map(|one| format!("{}: {}", one["code"].as_str().unwrap(), one["what"].as_str().unwrap()));
    told.collect::<Vec<_>>().join("\n")
}

/// Servers of the world, as long as the test's process lives, with a configuration that points at them.
pub(super) struct House {
    pub(super) serving: Serving,
    folder: TempDir,
}

impl House {
    pub(super) fn open(services: Services) -> Self {
        let folder = tempdir().unwrap();
        let serving = SERVERS.block_on(serve_with(Arc::clone(&WORLD), services, std::future::pending())).unwrap();
        serve_toml(&serving, &WORLD, folder.path()).unwrap();
        Self { serving, folder }
    }

    /// Servers that behave like this.
    pub(super) fn behaving(texts: &[&str]) -> Self {
        let behaviours = texts.iter().map(|text| text.parse().unwrap()).collect();
        Self::open(Services { behaviours, pace_ms: 1, ..Services::default() })
    }

    /// One relay with these rules.
    pub(super) fn ruled(rules: RelayRules) -> Self {
        Self::open(Services { relays: vec![rules], ..Services::default() })
    }

    pub(super) fn relay(&self, index: usize) -> String {
        format!("ws://{}", self.serving.relays[index])
    }

    pub(super) fn config(&self) -> String {
        arg(&self.folder.path().join("reledger-loopback.toml")).to_owned()
    }

    /// Every header that the node has now, as a file.
    pub(super) fn headers(&self) -> String {
        let node = format!("http://{}/rest", self.serving.http);
        let get = |path: String| {
            SERVERS.block_on(async { reqwest::get(format!("{node}/{path}")).await.unwrap().bytes().await.unwrap() })
        };
        let tip = parsed(&get("chaininfo.json".to_owned()))["blocks"].as_u64().unwrap();
        let mut headers = Vec::new();
        while headers.len() < usize::try_from(tip + 1).unwrap() * 80 {
            let hash = get(format!("blockhashbyheight/{}.hex", headers.len() / 80));
            let hash = std::str::from_utf8(&hash).unwrap().trim().to_owned();
            headers.extend(get(format!("headers/{hash}.bin?count=2000")));
        }
        let file = self.folder.path().join("0.headers");
        fs::write(&file, headers).unwrap();
        arg(&file).to_owned()
    }
}
