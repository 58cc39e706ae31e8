//! `reledger headers` against nodes on loopback: the real first epoch, and small chains that fork.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::headers::{chain, hash, node};
use super::http_server::{Answer, HttpServer, Request};
use crate::support::{arg, code, fixtures, run, shown, stdout};

const EASY: u32 = 0x207f_ffff;

/// A header that meets the easiest target: its hash, read backwards, begins with a bit of zero.
fn mine(prev: &[u8], label: u32, time: u32) -> [u8; 80] {
    let mut raw = [0; 80];
    raw[..4].copy_from_slice(&4_u32.to_le_bytes());
    raw[4..36].copy_from_slice(prev);
    raw[36..40].copy_from_slice(&label.to_le_bytes());
    raw[68..72].copy_from_slice(&time.to_le_bytes());
    raw[72..76].copy_from_slice(&EASY.to_le_bytes());
    for nonce in 0_u32.. {
        raw[76..].copy_from_slice(&nonce.to_le_bytes());
        if inner(&raw)[31] < 0x7f {
            break;
        }
    }
    raw
}

fn inner(raw: &[u8]) -> [u8; 32] {
    reledger::domain::sha256(&reledger::domain::sha256(raw).0).0
}

/// `count` headers on top, ten minutes apart.
fn grow(chain: &mut Vec<[u8; 80]>, count: u32, label: u32) {
    for step in 0..count {
        let (prev, time) = chain.last().map_or(([0; 32], 1_700_000_000), |last| {
            (inner(last), u32::from_le_bytes(last[68..72].try_into().unwrap()) + 600)
        });
        chain.push(mine(&prev, label + step, time));
    }
}

/// A node whose chain may change.
fn changing(chain: &Arc<Mutex<Vec<[u8; 80]>>>) -> HttpServer {
    let chain = Arc::clone(chain);
    HttpServer::start(move |request: &Request, _| {
        let chain = chain.lock().unwrap().clone();
        if let Some(height) = request.target.strip_prefix("/rest/blockhashbyheight/") {
            let height: usize = height.strip_suffix(".hex").unwrap().parse().unwrap();
            let found = chain.get(height);
            return found.map_or_else(|| Answer::status(404, "out of range"), |header| Answer::ok(hash(header)));
        }
        let rest = request.target.strip_prefix("/rest/headers/").unwrap();
        let (name, count) = rest.split_once(".bin?count=").unwrap();
        let start = chain.iter().position(|header| hash(header) == name).unwrap();
        Answer::ok(chain[start..].iter().take(count.parse().unwrap()).flatten().copied().collect::<Vec<u8>>())
    })
}

struct Scene {
    folder: TempDir,
}

impl Scene {
    /// A configuration for that node and checkpoint.
    fn new(node: &str, checkpoint: &str, more: &str) -> Self {
        let folder = tempdir().unwrap();
        let config = format!(
            "[headers]\nbitcoin_rest = \"{node}\"\ncheckpoint = {{ height = 0, hash = \"{checkpoint}\" }}\n{more}"
        );
        fs::write(folder.path().join("c.toml"), config).unwrap();
        Self { folder }
    }

    fn run(&self, args: &[&str]) -> Output {
        let (config, run_dir) = (self.path("c.toml"), self.path("run"));
        run(&[args, &["-c", arg(&config), "--run", arg(&run_dir), "--progress", "none"]].concat())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn json(&self, args: &[&str], expected: i32) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(code(&output), expected, "{}", shown(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn a_sync_brings_the_chain_and_goes_on_below_the_tip() {
    // The real first epoch of mainnet.
    let epoch = chain()[..2_016].to_vec();
    let served = Arc::new(Mutex::new(epoch[..2_010].to_vec()));
    let server = changing(&served);
    let scene = Scene::new(&server.base, &hash(&epoch[0]), "");
    let told = scene.json(&["headers", "sync"], 0);
    assert_eq!((told["received"].as_u64(), told["from"].as_u64()), (Some(2_010), Some(0)));
    let chain = &told["judged"]["chain"];
    assert_eq!((chain["tip"]["height"].as_u64(), chain["trust"].as_str()), (Some(2_009), Some("chain")));
    // 2,010 headers of difficulty 1: each takes 2^32 and some hashes (0x100010001).
    assert_eq!(chain["work"], format!("{:#x}", 2_010_u64 * 0x1_0001_0001));
    let asked = server.requests().len();
    *served.lock().unwrap() = epoch.clone();
    let told = scene.json(&["headers", "sync"], 0);
    assert_eq!((told["from"].as_u64(), told["judged"]["chain"]["tip"]["height"].as_u64()), (Some(0), Some(2_015)));
    assert!(server.requests().len() > asked);
    // What was synced is what verify and tip speak of, offline; block 2015 is of 2009-01-27T13:13:16Z.
    let told = scene.json(&["headers", "verify", "--offline"], 0);
    assert_eq!(told["chain"]["tip"]["hash"], hash(&epoch[2_015]));
    assert_eq!((told["headers"].as_u64(), told["rejected"].as_u64()), (Some(2_016), Some(0)));
    let at = |now: &str, expected| scene.json(&["headers", "tip", "--now", now], expected)["age"].as_i64().unwrap();
    assert_eq!(at("2009-01-27T15:13:16Z", 0), 7_200);
    assert_eq!(at("2009-01-27T15:13:17Z", 3), 7_201);
    assert_eq!(at("2009-01-27T11:13:16Z", 0), -7_200);
    assert_eq!(at("2009-01-27T11:13:15Z", 3), -7_201);
}

#[test]
fn a_reorganised_chain_replaces_the_shorter_one_and_keeps_it_as_evidence() {
    let mut first = Vec::new();
    grow(&mut first, 20, 0);
    let mut second = first[..15].to_vec();
    grow(&mut second, 8, 1_000);
    let served = Arc::new(Mutex::new(first.clone()));
    let server = changing(&served);
    let scene = Scene::new(&server.base, &hash(&first[0]), "pow_limit = \"207fffff\"\n");
    let tip = |told: &Value| told["judged"]["chain"]["tip"]["hash"].as_str().unwrap().to_owned();
    assert_eq!(tip(&scene.json(&["headers", "sync"], 0)), hash(&first[19]));
    *served.lock().unwrap() = second.clone();
    let told = scene.json(&["headers", "sync"], 0);
    assert_eq!(tip(&told), hash(&second[22]));
    // Five headers lost their height; they still hold.
    assert_eq!((told["judged"]["headers"].as_u64(), told["judged"]["beside"].as_u64()), (Some(28), Some(5)));
    // A node that falls back to the shorter chain takes nothing away.
    *served.lock().unwrap() = first;
    assert_eq!(tip(&scene.json(&["headers", "sync"], 0)), hash(&second[22]));
}

#[test]
fn the_first_bad_header_is_named() {
    let mut good = Vec::new();
    grow(&mut good, 30, 0);
    let scene = Scene::new("http://127.0.0.1:1", &hash(&good[0]), "pow_limit = \"207fffff\"\n");
    // Without a height in its name: the links alone say where it stands.
    let judge = |headers: &[[u8; 80]], expected| {
        let file = scene.path("some.headers");
        fs::write(&file, headers.as_flattened()).unwrap();
        scene.json(&["headers", "verify", arg(&file)], expected)
    };
    assert_eq!(judge(&good, 0)["chain"]["headers"], 30);
    // A time that does not exceed the median of the eleven before it.
    let mut bad = good[..20].to_vec();
    bad.push(mine(&inner(&bad[19]), 7, 1_700_000_000 + 600 * 14));
    let told = judge(&bad, 1);
    assert_eq!((told["bad"][0]["height"].as_u64(), told["chain"]["tip"]["height"].as_u64()), (Some(20), Some(19)));
    assert!(told["bad"][0]["explanation"].as_str().unwrap().contains("median time past"), "{told}");
    bad[20] = mine(&inner(&bad[19]), 7, 1_700_000_000 + 600 * 14 + 1);
    judge(&bad, 0);
    // A chain that does not reach the checkpoint establishes nothing.
    assert_eq!(judge(&good[5..], 3)["chain"], Value::Null);
    let text = stdout(&scene.run(&["headers", "verify", arg(&scene.path("some.headers"))]));
    assert!(text.contains("none goes through the checkpoint"), "{text}");
}

#[test]
fn nothing_is_fetched_offline_dry_or_from_a_dead_node() {
    let epoch = chain();
    let server = node(epoch.clone(), true);
    let scene = Scene::new(&server.base, &hash(&epoch[0]), "");
    assert_eq!(code(&scene.run(&["headers", "sync", "--offline"])), 6);
    assert_eq!(code(&scene.run(&["headers", "sync", "--dry-run"])), 0);
    assert!(!scene.path("run").exists());
    assert_eq!(server.requests().len(), 0);
    assert_eq!(code(&scene.run(&["headers", "tip"])), 3);
    let dead = HttpServer::start(|_, _| Answer::status(500, "no"));
    let scene = Scene::new(&dead.base, &hash(&epoch[0]), "");
    let output = scene.run(&["headers", "sync"]);
    assert_eq!(code(&output), 8, "{}", shown(&output));
    let config = scene.path("c.toml");
    fs::write(&config, "").unwrap();
    assert_eq!(code(&scene.run(&["headers", "sync"])), 2);
    let real: &Path = &fixtures().join("real/headers");
    let told = scene.json(&["headers", "verify", arg(real)], 0);
    assert_eq!(told["chain"]["headers"], 2_016);
}
