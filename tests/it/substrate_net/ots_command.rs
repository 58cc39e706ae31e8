//! `reledger ots` as users meet it: real proofs, the real replies of their calendars from loopback, real headers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::http_server::{Answer, HttpServer, Request};
use crate::support::{arg, code, drill, fixtures, report, run, shown, stdout, write_world};

const ALICE: &str = "alice.btc.calendar.opentimestamps.org";
const BOB: &str = "bob.btc.calendar.opentimestamps.org";

/// Serves the stored replies of one calendar once it is ready; before that it knows nothing yet.
fn calendar(host: &'static str, ready: &Arc<AtomicBool>) -> HttpServer {
    let ready = Arc::clone(ready);
    HttpServer::start(move |request: &Request, _| {
        let commitment = request.target.strip_prefix("/timestamp/").unwrap();
        let file = fixtures().join(format!("ots/calendar-responses/{host}/{commitment}.timestamp"));
        match fs::read(file) {
            Ok(reply) if ready.load(Ordering::SeqCst) => Answer::ok(reply),
            _ => Answer::status(404, "Pending confirmation in Bitcoin blockchain"),
        }
    })
}

/// A folder with the proof before its upgrade, two calendars and the headers.
struct Scene {
    folder: TempDir,
    alice: HttpServer,
    bob: HttpServer,
    alice_ready: Arc<AtomicBool>,
    bob_ready: Arc<AtomicBool>,
}

impl Scene {
    fn new(headers: bool) -> Self {
        let folder = tempdir().unwrap();
        let (alice_ready, bob_ready) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
        let (alice, bob) = (calendar(ALICE, &alice_ready), calendar(BOB, &bob_ready));
        fs::create_dir(folder.path().join("proofs")).unwrap();
        let scene = Self { folder, alice, bob, alice_ready, bob_ready };
        fs::copy(fixtures().join("ots/proofs/rust-large_test-preupgrade.ots"), scene.proof()).unwrap();
        let headers = if headers {
            format!("[headers]\nfiles = [\"{}\"]\n", arg(&fixtures().join("real/headers")))
        } else {
            String::new()
        };
        let config = format!(
            "[ots]\ncalendars = [\"https://{ALICE}\", \"https://{BOB}\"]\nfiles = [\"proofs/\"]\n[ots.resolve]\n\
             \"https://{ALICE}\" = \"{}\"\n\"https://{BOB}\" = \"{}\"\n{headers}",
            scene.alice.base, scene.bob.base
        );
        fs::write(scene.path("c.toml"), config).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn proof(&self) -> PathBuf {
        self.path("proofs/large.ots")
    }

    fn backup(&self) -> PathBuf {
        self.path("proofs/large.ots.bak")
    }

    /// Runs a command with the scene's configuration and run.
    fn run(&self, args: &[&str]) -> Output {
        let config = self.path("c.toml");
        let run_dir = self.path("run");
        run(&[args, &["-c", arg(&config), "--run", arg(&run_dir), "--progress", "none"]].concat())
    }

    fn json(&self, args: &[&str], expected: i32) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(code(&output), expected, "{}", shown(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn asked(&self) -> (usize, usize) {
        (self.alice.requests().len(), self.bob.requests().len())
    }
}

fn fixture(path: &str) -> Vec<u8> {
    fs::read(fixtures().join(path)).unwrap()
}

#[test]
fn an_upgrade_completes_both_branches_and_keeps_the_original() {
    let scene = Scene::new(true);
    let before = fs::read(scene.proof()).unwrap();
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 0);
    assert_eq!(scene.asked(), (1, 1));
    // The file that the real calendars completed, byte for byte.
    assert_eq!(fs::read(scene.proof()).unwrap(), fixture("ots/proofs/rust-large_test.ots"));
    assert_eq!(fs::read(scene.backup()).unwrap(), before);
    let file = &told["files"][0];
    assert_eq!((file["state"].as_str(), file["upgraded"].as_bool()), (Some("complete"), Some(true)));
    let heights: Vec<u64> =
        file["anchors"].as_array().unwrap().iter().map(|at| at["height"].as_u64().unwrap()).collect();
    assert_eq!(heights, [449_397, 449_399]);
    assert_eq!(file["pending"], Value::Array(vec![]));
    assert_eq!(told["calendars"].as_array().unwrap().len(), 2);
    assert_eq!(told["calendars"][0]["replied"], 1);
    // Nothing waits any more: nobody is asked, nothing is written, and the `.bak` is in nobody's way.
    let told = scene.json(&["ots", "upgrade", arg(&scene.path("proofs"))], 0);
    assert_eq!((scene.asked(), told["files"][0]["upgraded"].as_bool()), ((1, 1), Some(false)));
}

#[test]
fn a_second_calendar_is_asked_although_the_first_has_answered() {
    let scene = Scene::new(true);
    scene.bob_ready.store(false, Ordering::SeqCst);
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 0);
    assert_eq!(told["files"][0]["state"], "complete");
    assert_eq!(told["files"][0]["anchors"].as_array().unwrap().len(), 1);
    assert_eq!(told["files"][0]["pending"][0]["calendar"], format!("https://{BOB}"));
    scene.bob_ready.store(true, Ordering::SeqCst);
    // The original is not overwritten unasked, and nobody is contacted before that is known.
    let refused = scene.run(&["ots", "upgrade", arg(&scene.proof())]);
    assert_eq!((code(&refused), scene.asked()), (6, (1, 1)), "{}", shown(&refused));
    scene.json(&["ots", "upgrade", arg(&scene.proof()), "--yes"], 0);
    assert_eq!(scene.asked(), (1, 2));
    assert_eq!(fs::read(scene.proof()).unwrap(), fixture("ots/proofs/rust-large_test.ots"));
}

#[test]
fn what_no_header_confirms_is_not_written_unless_asked_for() {
    let scene = Scene::new(false);
    let before = fs::read(scene.proof()).unwrap();
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 3);
    assert_eq!((told["files"][0]["state"].as_str(), fs::read(scene.proof()).unwrap()), (Some("pending"), before));
    assert_eq!(told["files"][0]["headers_missing"], serde_json::json!([449_397, 449_399]));
    assert!(!scene.backup().exists());
    // Headers named on the command line do.
    let headers = fixtures().join("real/headers/449397.headers");
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof()), "--headers", arg(&headers)], 0);
    assert_eq!(told["files"][0]["anchors"][0]["height"], 449_397);
    assert_ne!(fs::read(scene.proof()).unwrap(), fixture("ots/proofs/rust-large_test.ots"));
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof()), "--unverified", "--yes"], 3);
    assert_eq!(told["files"][0]["state"], "unverified");
    assert_eq!(fs::read(scene.proof()).unwrap(), fixture("ots/proofs/rust-large_test.ots"));
}

#[test]
fn pending_dead_offline_and_dry_are_told_apart() {
    let scene = Scene::new(true);
    let before = fs::read(scene.proof()).unwrap();
    let dry = scene.json(&["ots", "upgrade", arg(&scene.proof()), "--dry-run"], 0);
    assert_eq!((dry["calendars"].as_array().unwrap().len(), scene.asked()), (2, (0, 0)));
    let offline = scene.run(&["ots", "upgrade", arg(&scene.proof()), "--offline"]);
    assert_eq!((code(&offline), scene.asked()), (6, (0, 0)));
    scene.alice_ready.store(false, Ordering::SeqCst);
    scene.bob_ready.store(false, Ordering::SeqCst);
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 3);
    assert_eq!(
        (told["files"][0]["state"].as_str(), told["calendars"][0]["not_yet"].as_u64()),
        (Some("pending"), Some(1))
    );
    // 2017-01-21T23:40:33Z is the commitments' own time: half an hour later nobody knows more.
    let proof = scene.proof();
    let early = ["ots", "upgrade", arg(&proof), "--now", "2017-01-22T00:10:00Z"];
    let asked = scene.asked();
    assert_eq!(scene.json(&early, 3)["too_young"], 2);
    assert_eq!(scene.asked(), asked);
    scene.json(&[&early[..], &["--force"]].concat(), 3);
    assert_eq!(scene.asked(), (asked.0 + 1, asked.1 + 1));
    assert_eq!(fs::read(scene.proof()).unwrap(), before);
    let config = fs::read_to_string(scene.path("c.toml")).unwrap();
    let dead = HttpServer::start(|_, _| Answer::status(500, "no"));
    let config = config.replace(&scene.alice.base, &dead.base).replace(&scene.bob.base, &dead.base);
    fs::write(scene.path("c.toml"), config).unwrap();
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 8);
    assert_eq!(told["calendars"][0]["failed"], 2);
}

#[test]
fn the_proofs_of_a_run_are_asked_for_when_they_are_due_and_listed_while_they_wait() {
    let scene = Scene::new(true);
    let waiting = |at: &str| scene.json(&["ots", "overdue", "--all", "--now", at], 3);
    // The submission is of 23:40:33.
    let capture = |at: &str, asked: usize| {
        let output = scene.run(&["capture", "--yes", "--now", at]);
        assert!([0, 3].contains(&code(&output)), "{}", shown(&output));
        assert_eq!(scene.asked(), (asked, asked), "{at}");
    };
    scene.alice_ready.store(false, Ordering::SeqCst);
    scene.bob_ready.store(false, Ordering::SeqCst);
    capture("2017-01-22T00:40:32Z", 0);
    capture("2017-01-22T00:40:33Z", 1);
    capture("2017-01-22T01:40:32Z", 1);
    let row = &waiting("2017-01-22T01:00:00Z")["proofs"][0];
    assert_eq!(
        (row["tries"].as_u64(), row["overdue"].as_bool(), row["age"].as_i64()),
        (Some(1), Some(false), Some(4_767))
    );
    assert_eq!(row["next_try"], 1_485_049_233_i64, "an hour after the first try");
    capture("2017-01-22T01:40:33Z", 2);
    capture("2017-01-22T07:40:32Z", 2);
    capture("2017-01-22T07:40:33Z", 3);
    assert_eq!(waiting("2017-01-22T08:00:00Z")["overdue"], 0);
    let late = waiting("2017-01-25T00:00:00Z");
    assert_eq!((late["overdue"].as_u64(), late["judged"].as_bool()), (Some(2), Some(false)));
    let strict = scene.run(&["ots", "overdue", "--now", "2017-01-25T00:00:00Z", "--fail-on", "warn"]);
    assert_eq!(code(&strict), 1, "{}", shown(&strict));
    assert!(stdout(&strict).contains(ALICE) && stdout(&strict).contains("now"), "{}", stdout(&strict));
    // An upgrade of the run asks now; its answers are evidence, and the files stay as they are.
    scene.alice_ready.store(true, Ordering::SeqCst);
    let told = scene.json(&["ots", "upgrade", "--all", "--yes", "--force", "--now", "2017-01-22T07:41:00Z"], 0);
    assert_eq!(scene.asked(), (4, 4));
    assert_eq!(
        (told["upgraded"].as_u64(), told["complete"].as_u64(), told["pending"].as_u64()),
        (Some(1), Some(1), Some(0))
    );
    assert!(!scene.backup().exists());
    // The branch of bob is still asked for, and nothing else.
    scene.bob_ready.store(true, Ordering::SeqCst);
    scene.json(&["ots", "upgrade", "--all", "--yes", "--force"], 0);
    assert_eq!(scene.asked(), (4, 5));
    let told = scene.json(&["ots", "overdue", "--all"], 3);
    assert_eq!((told["waiting"].as_u64(), told["judged"].as_bool()), (Some(0), Some(false)));
    let rebuilt = scene.run(&["rebuild", "--yes"]);
    assert!([0, 1, 3].contains(&code(&rebuilt)), "{}", shown(&rebuilt));
    assert_eq!(scene.json(&["ots", "overdue"], 0)["judged"], true);
    let offline = scene.run(&["ots", "upgrade", "--all", "--yes", "--offline"]);
    assert_eq!(code(&offline), 6, "{}", shown(&offline));
}

/// A reply that is only a pending attestation.
fn pending(uri: &str) -> Vec<u8> {
    let len = u8::try_from(uri.len()).unwrap();
    [b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e".as_slice(), &[len + 1, len], uri.as_bytes()].concat()
}

#[test]
fn a_calendar_that_points_to_a_listed_one_is_followed_and_to_another_is_not() {
    let trap = HttpServer::start(|_, _| Answer::ok("caught"));
    let elsewhere = trap.base.clone();
    // Alice appends a byte and points to bob; bob's own commitment is sent to a calendar outside the list.
    let alice =
        HttpServer::start(move |_, _| Answer::ok([vec![0xf0, 1, 7], pending(&format!("https://{BOB}"))].concat()));
    let real = fixture(&format!(
        "ots/calendar-responses/{ALICE}/5883f17120599b7b1ba5dd17ee43289504b3d17636dba6009f57ddc961b104c16b0caf4b5deb8967362e06b6.timestamp"
    ));
    let bob = HttpServer::start(move |request: &Request, _| {
        if request.target.ends_with("5deb8967362e06b607") {
            // A block that holds alice's commitment does not hold this message: only a pointer on can follow.
            return Answer::ok(pending(&elsewhere));
        }
        Answer::ok(real.clone())
    });
    let scene = Scene::new(true);
    let config = fs::read_to_string(scene.path("c.toml")).unwrap();
    let config = config.replace(&scene.alice.base, &alice.base).replace(&scene.bob.base, &bob.base);
    fs::write(scene.path("c.toml"), config).unwrap();
    let before = fs::read(scene.proof()).unwrap();
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 3);
    assert_eq!((told["files"][0]["state"].as_str(), fs::read(scene.proof()).unwrap()), (Some("pending"), before));
    let asked: Vec<String> = bob.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked.iter().any(|target| target.ends_with("5deb8967362e06b607")), "{asked:?}");
    assert_eq!((alice.requests().len(), trap.requests().len()), (1, 0));
}

#[test]
fn a_redirect_that_leads_to_a_block_is_merged_with_what_it_points_to() {
    let scene = Scene::new(true);
    // Alice knows nothing and sends people to bob, who has her answer.
    let pointer = pending(&format!("https://{BOB}"));
    let alice = HttpServer::start(move |_, _| Answer::ok(pointer.clone()));
    let bob = HttpServer::start(|request: &Request, _| {
        let commitment = request.target.strip_prefix("/timestamp/").unwrap();
        let of =
            |host: &str| fs::read(fixtures().join(format!("ots/calendar-responses/{host}/{commitment}.timestamp")));
        of(ALICE).or_else(|_| of(BOB)).map_or_else(|_| Answer::status(404, "Not found"), Answer::ok)
    });
    let config = fs::read_to_string(scene.path("c.toml")).unwrap();
    let config = config.replace(&scene.alice.base, &alice.base).replace(&scene.bob.base, &bob.base);
    fs::write(scene.path("c.toml"), config).unwrap();
    let told = scene.json(&["ots", "upgrade", arg(&scene.proof())], 0);
    let heights: Vec<&Value> = told["files"][0]["anchors"].as_array().unwrap().iter().map(|at| &at["height"]).collect();
    assert_eq!(heights, [449_397, 449_399]);
    assert_eq!((alice.requests().len(), bob.requests().len()), (1, 2));
    // The file holds both blocks and reads the same to everyone.
    let verified = scene.json(&["ots", "verify", arg(&scene.proof())], 0);
    assert_eq!(verified["proofs"][0]["anchors"].as_array().unwrap().len(), 2);
}

#[test]
fn what_needs_an_anchor_is_queued_with_its_reason_and_listed_until_it_has_one() {
    let folder = tempdir().unwrap();
    let config = write_world(folder.path(), 5, 60);
    let run_dir = folder.path().join("run");
    drill(&config, &run_dir, &[]);
    let text = fs::read_to_string(run_dir.join("queues/needs-anchor.ndjson")).unwrap();
    let items: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!items.is_empty());
    assert_eq!(report(&run_dir)["queues"]["needs_anchor"], items.len());
    let mut ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    for item in &items {
        assert_eq!(item.as_object().unwrap().len(), 2, "{item}");
        assert!(["absent", "pending"].contains(&item["reason"].as_str().unwrap()), "an honest world: {item}");
    }
    assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 64));
    // The world ends on 2026-10-01: what waits is young then, and overdue two days later.
    let overdue = |now: &str, expected: i32| -> Value {
        let output =
            run(&["ots", "overdue", "--all", "-c", arg(&config), "--run", arg(&run_dir), "--json", "--now", now]);
        assert_eq!(code(&output), expected, "{}", shown(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let young = overdue("2026-10-01T00:00:00Z", 3);
    assert_eq!(young["overdue"], 0);
    let listed = |member: &str| -> Vec<String> {
        young[member].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let mut known = [listed("proofs"), listed("needs_anchor")].concat();
    known.sort();
    known.dedup();
    ids.dedup();
    assert!(ids.iter().all(|id| known.iter().any(|other| other == id)), "every queued id is listed");
    let late = overdue("2026-10-04T00:00:00Z", 3);
    assert_eq!(late["overdue"], late["waiting"]);
}

#[test]
fn verify_grades_each_proof_and_says_how_far_its_header_is_trusted() {
    let proofs = fixtures().join("ots/proofs");
    let headers = fixtures().join("real/headers");
    let folder = tempdir().unwrap();
    let verify = |args: &[&str]| {
        let config = folder.path().join("none.toml");
        fs::write(&config, "").unwrap();
        let run_dir = folder.path().join("none");
        let fixed = ["ots", "verify", "-c", arg(&config), "--run", arg(&run_dir), "--offline", "--json"];
        let output = run(&[&fixed, args].concat());
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (code(&output), told["proofs"][0].clone())
    };
    let file = |name: &str| proofs.join(name);
    let hello = file("hello-world.txt.ots");
    let (exit, told) = verify(&[arg(&hello), "--headers", arg(&headers)]);
    assert_eq!((exit, told["verdict"].as_str()), (0, Some("attested")));
    // FORMATS: the block and the time that the reference reports.
    assert_eq!(told["anchors"][0]["height"], 358_391);
    assert_eq!(told["anchors"][0]["time"], 1_432_827_678);
    assert_eq!(told["anchors"][0]["hash"], "000000000000000003e892881a8cdcdc117c06d444057c98b6f04a9ee75a2319");
    assert_eq!(
        (told["anchors"][0]["trust"].as_str(), told["target_matches"].as_bool()),
        (Some("isolated"), Some(true))
    );
    let (exit, told) = verify(&[arg(&hello), "--headers", arg(&headers), "--min-trust", "pinned-epoch"]);
    assert_eq!((exit, told["verdict"].as_str()), (3, Some("weak")));
    let (exit, told) = verify(&[arg(&hello)]);
    assert_eq!(
        (exit, told["verdict"].as_str(), &told["headers_missing"]),
        (3, Some("header-missing"), &serde_json::json!([358_391]))
    );
    let other = file("empty");
    let (exit, told) = verify(&[arg(&hello), "--headers", arg(&headers), "--file", arg(&other)]);
    assert_eq!((exit, told["verdict"].as_str(), told["target_matches"].as_bool()), (1, Some("wrong"), Some(false)));
    let digest = "03ba204e50d126e4674c005e04d82e84c21366780af1f43bd54a37816b6ab340";
    assert_eq!(verify(&[arg(&hello), "--headers", arg(&headers), "--digest", digest]).0, 0);
    assert_eq!(verify(&[arg(&hello), "--headers", arg(&headers), "--digest", &digest.replace('0', "1")]).0, 1);
    assert_eq!(verify(&[arg(&hello), "--digest", "xyz"]).0, 2);
    assert_eq!(verify(&[arg(&hello), arg(&hello), "--digest", digest]).0, 2);
    let (exit, told) = verify(&[arg(&file("bad-stamp.txt.ots")), "--headers", arg(&headers)]);
    assert_eq!((exit, told["findings"][0]["code"].as_str()), (1, Some("OTS_ROOT")));
    let (exit, told) = verify(&[arg(&file("incomplete.txt.ots"))]);
    assert_eq!((exit, told["verdict"].as_str()), (3, Some("pending")));
    let (exit, told) = verify(&[arg(&fixtures().join("ots/adversarial/unknown_op.ots"))]);
    assert_eq!((exit, told["verdict"].as_str()), (1, Some("unreadable")));
    assert_eq!(verify(&["/nonexistent.ots"]).0, 2);
}

#[test]
fn an_old_proof_is_verified_offline_without_trust_in_the_source() {
    // A digest that is the Merkle root of block 40320, the first of epoch 20: its proof has no operation at all.
    let epoch = fixtures().join("real/headers/40320.headers");
    let header = fs::read(&epoch).unwrap()[..80].to_vec();
    let folder = tempdir().unwrap();
    let magic = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08".as_slice();
    let attestation = b"\x00\x05\x88\x96\x0d\x73\xd7\x19\x01\x03\x80\xbb\x02".as_slice();
    let proof = folder.path().join("root.ots");
    fs::write(&proof, [magic, &header[36..68], attestation].concat()).unwrap();
    let verify = |headers: &Path, trust: &str| {
        let fixed =
            ["ots", "verify", arg(&proof), "--headers", arg(headers), "--min-trust", trust, "--offline", "--json"];
        let run_dir = folder.path().join("none");
        let output = run(&[&fixed[..], &["--run", arg(&run_dir)]].concat());
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (code(&output), told["proofs"][0]["anchors"][0]["trust"].as_str().unwrap_or_default().to_owned())
    };
    // The whole epoch links into a hash that the program carries: nobody has to be believed.
    assert_eq!(verify(&epoch, "pinned-epoch"), (0, "pinned-epoch".to_owned()));
    // One header less, and the end is not reached.
    let whole = fs::read(&epoch).unwrap();
    let short = folder.path().join("40320.headers");
    fs::write(&short, &whole[..whole.len() - 80]).unwrap();
    assert_eq!(verify(&short, "pinned-epoch"), (3, "isolated".to_owned()));
    // One bit of the last header, and the end is another.
    let mut forged = whole.clone();
    let last = forged.len() - 80 + 40;
    forged[last] ^= 1;
    fs::write(&short, forged).unwrap();
    assert_eq!(verify(&short, "pinned-epoch").0, 3);
}

#[test]
fn info_prints_the_tree_and_survives_every_crafted_file() {
    let two = fixtures().join("ots/proofs/two-calendars.txt.ots");
    let output = run(&["ots", "info", arg(&two)]);
    assert_eq!(code(&output), 0);
    let text = stdout(&output);
    let expected = "File sha256 hash: efaa174f68e59705757460f4f7d204bd2b535cfd194d9d945418732129404ddb\nTimestamp:\n\
        append 839037eef449dec6dac322ca97347c45\nsha256\n -> append 6b4023b6edd3a0eeeb09e5d718723b9e\n    sha256\n    \
        prepend 57d46515\n    append eadd66b1688d5574\n    verify PendingAttestation('https://alice.btc.calendar.opentimestamps.org')";
    assert!(text.contains(expected), "{text}");
    let commitment = "57d46515fdd8c2334c77b1f204338bb2178d73e523988d7dcda13259d3a099f31623755deadd66b1688d5574";
    assert!(text.contains(&format!("# commitment {commitment}, submitted 2016-09-10T19:55:01Z")), "{text}");
    let output = run(&["ots", "info", "--json", arg(&two)]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tree = told["proofs"][0]["tree"].as_array().unwrap().clone();
    let pending: Vec<&Value> = tree.iter().filter(|line| line["what"] == "pending").collect();
    assert_eq!((pending.len(), &pending[0]["message"]), (2, &Value::from(commitment)));
    for folder in ["ots/adversarial", "ots/invalid"] {
        let output = run(&["ots", "info", arg(&fixtures().join(folder))]);
        assert_eq!(code(&output), 1, "{folder}");
        assert!(output.stdout.iter().all(|byte| *byte == b'\n' || (b' '..0x7f).contains(byte)), "{folder}");
    }
}
