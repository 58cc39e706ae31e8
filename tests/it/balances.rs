//! Balances on the command line: `explain` tells them with a proof, `verify` judges proofs, a drill says what its sample is.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::LazyLock;

use reledger::domain::BlockHash;
use reledger::sim::World;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::{TempDir, tempdir};

use crate::schemas::{faults, schema};
use crate::support::{arg, code, drill, parsed, report, run, run_piped, shown, stdout, write_world};

const SEED: u64 = 2;
const EVENTS: u32 = 30;

struct Stage {
    world: World,
    folder: TempDir,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), SEED, EVENTS);
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    Stage { world: World::generate(SEED, EVENTS), folder }
});

impl Stage {
    fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The balance that is told of a name.
    fn told(&self, what: &str, more: &[&str]) -> Value {
        let output = run(&[&["explain", what, "--run", arg(&self.run_dir()), "--json"], more].concat());
        assert_eq!(code(&output), 0, "{what}: {}", shown(&output));
        let value: Value = parsed(&output.stdout);
        assert_eq!(faults(&schema("explanation"), &value), Vec::<String>::new(), "{what}");
        value["things"][0]["balance"].clone()
    }

    /// (user, satoshi) as the statement has them.
    fn stated(&self) -> Vec<(String, i64)> {
        let lines = self.world.balances.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["user"].as_str().unwrap().to_owned(), line["balance_sats"].as_i64().unwrap())).collect()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn verify(path: &std::path::Path) -> (i32, String) {
    let output = run(&["verify", arg(path)]);
    (code(&output), stdout(&output))
}

/// What is told of each user by name, asked once for all tests: each question judges the run anew.
static REVEALED: LazyLock<Vec<(String, i64, Value)>> = LazyLock::new(|| {
    let asked = STAGE.stated().into_iter();
    asked.map(|(user, sats)| (user.clone(), sats, STAGE.told(&user, &["--reveal-users"]))).collect()
});

#[test]
fn a_user_is_told_what_is_owed_with_its_parts_and_a_proof_that_verifies_alone() {
    let stage = &*STAGE;
    let balances = report(&stage.run_dir())["balances"].clone();
    let mut proven = 0;
    for (user, sats, told) in REVEALED.iter() {
        let part = |name: &str| told[name].as_i64().unwrap();
        assert_eq!(part("balance_sats"), part("earned_sats") - part("paid_sats") + part("adjusted_sats"));
        assert_eq!(part("balance_sats"), part("available_sats") + part("maturing_sats"));
        // Of a person with several names the account stands under another, and so does its balance.
        if told["account"] != user.as_str() {
            continue;
        }
        let proof = &told["proof"];
        assert_eq!(part("balance_sats"), *sats, "{user}");
        assert_eq!(proof["root"], balances["root"]);
        assert_eq!((&proof["count"], &proof["claim"]), (&balances["users"], &json!("inclusion")));
        assert_eq!(proof["total_sats"], balances["sum_sats"].to_string());
        let path = stage.file(&format!("proof-{proven}.json"), told["proof"].to_string().as_bytes());
        let (exit, line) = verify(&path);
        assert_eq!(exit, 0, "{line}");
        assert!(line.contains(&format!("is owed {sats} sats")), "{line}");
        proven += 1;
    }
    assert!(proven > 3, "{proven} proofs");
}

#[test]
fn no_byte_of_a_proof_can_be_changed_but_the_count_that_is_compared_with_the_published_one() {
    let stage = &*STAGE;
    let proofs = REVEALED.iter().map(|(_, _, told)| told["proof"].clone());
    let proof = proofs.filter(Value::is_object).max_by_key(|proof| proof.to_string().len()).unwrap().to_string();
    let bytes = proof.as_bytes();
    // The root does not commit to the count where another one gives the path the same shape.
    let count = proof.find("\"count\":").unwrap() + 8;
    let count = count..count + proof[count..].find(',').unwrap();
    // Files beside each other: one command judges many.
    let folder = stage.folder.path().join("flipped");
    fs::create_dir(&folder).unwrap();
    let mut flipped = 0;
    for at in (0..bytes.len()).step_by(7).filter(|at| !count.contains(at)) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        fs::write(folder.join(format!("{at:05}.json")), &changed).unwrap();
        flipped += 1;
    }
    let output = run(&["verify", arg(&folder), "--json"]);
    assert_eq!(code(&output), 5, "{}", shown(&output));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), flipped);
    for line in lines {
        assert_eq!(line["fate"], "bad", "{line}");
    }
}

#[test]
fn a_proof_through_a_pipe_is_judged_like_the_file() {
    let stage = &*STAGE;
    let proof = REVEALED.iter().map(|(_, _, told)| &told["proof"]).find(|proof| proof.is_object()).unwrap().to_string();
    let forged = proof.replacen("\"balance_sats\":\"", "\"balance_sats\":\"1", 1);
    assert_ne!(forged, proof);
    for (bytes, exit) in [(&proof, 0), (&forged, 5)] {
        let path = stage.file("piped.json", bytes.as_bytes());
        let (named_exit, named) = verify(&path);
        let piped = run_piped(&["verify", "-"], bytes.as_bytes());
        assert_eq!((named_exit, code(&piped)), (exit, exit), "{}", shown(&piped));
        assert_eq!(
            stdout(&piped).lines().next().unwrap().replacen(" - ", &format!(" {} ", path.display()), 1),
            named.lines().next().unwrap()
        );
        assert!(stdout(&piped).contains(" balance-proof "), "{}", shown(&piped));
    }
    // What only speaks of proofs is a record like another.
    let spoken = run_piped(&["verify", "-"], br#"{"content":"reledger/balance-proof/1"}"#);
    assert!(!stdout(&spoken).contains(" balance-proof "), "{}", shown(&spoken));
}

#[test]
fn no_name_is_proven_where_users_are_hidden() {
    let stage = &*STAGE;
    for (user, _) in stage.stated().into_iter().step_by(6) {
        let told = stage.told(&user, &[]);
        let pseudonym = told["account"].as_str().unwrap();
        assert!(pseudonym.starts_with("user-") && told["balance_sats"].is_i64());
        assert!(told["proof"].is_null() && told["no_proof"].as_str().unwrap().contains("--reveal-users"));
        assert!(!told.to_string().contains(&user));
        assert_eq!(stage.told(pseudonym, &[]), told);
        assert_eq!(stage.told(pseudonym, &["--reveal-users"])["proof"]["claim"], "inclusion");
    }
}

#[test]
fn a_user_without_a_balance_is_proven_absent_where_neighbours_may_be_named() {
    let stage = &*STAGE;
    // Whoever attests has an address, and not all of them earned anything.
    let addresses =
        stage.world.events.iter().filter(|event| event.kind == 30_078 && event.content.contains("\\naddress: "));
    let addresses = addresses.filter_map(|event| event.content.split("\\naddress: ").nth(1)?.split("\\n").next());
    let told = addresses.map(|address| (address, stage.told(address, &["--reveal-users"])));
    let (address, told) = told.into_iter().find(|(_, told)| told["balance_sats"].is_null()).unwrap();
    assert_eq!(told["proof"]["claim"], "absence");
    let path = stage.file("absence.json", format!("{}\n", told["proof"]).as_bytes());
    let (exit, line) = verify(&path);
    assert!(exit == 0 && line.contains("is not there"), "{line}");
    let hidden = stage.told(address, &[]);
    assert!(hidden["proof"].is_null() && hidden["no_proof"].as_str().unwrap().contains("--reveal-users"));
    // The same leaves for somebody who is there.
    let mut forged = told["proof"].clone();
    forged["user"] = forged["leaves"][0]["user"].clone();
    assert_eq!(verify(&stage.file("forged.json", forged.to_string().as_bytes())).0, 5);
}

#[test]
fn a_drill_says_whom_its_sample_draws_and_where_the_seed_comes_from() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), SEED, EVENTS);
    let honest = fs::read_to_string(&config).unwrap();
    let world = World::generate(SEED, EVENTS);
    let statement = "statement = \"balances.jsonl\"";
    assert!(honest.contains(statement));
    let judged = |name: &str, more: &str| {
        fs::write(&config, honest.replace(statement, &format!("{statement}\n{more}"))).unwrap();
        let run_dir = folder.path().join(name);
        let output = drill(&config, &run_dir, &[]);
        if code(&output) == 2 {
            return (2, Value::Null);
        }
        let report = report(&run_dir);
        assert_eq!(faults(&schema("report"), &report), Vec::<String>::new());
        assert_eq!(code(&run(&["audit", arg(&run_dir)])), code(&output), "{}", shown(&output));
        (code(&output), report["balances"]["sample"].clone())
    };
    // The block after a height that stands deep enough: its hash as explorers print it.
    let height = world.headers.len() - 20;
    let hash: [u8; 32] = Sha256::digest(Sha256::digest(world.headers[height + 1])).into();
    let hash = BlockHash(hash).to_string();
    let (exit, sample) = judged("known", &format!("sample = 3\nseed = \"beacon:{height}\""));
    assert_eq!((exit, &sample["seed"]), (0, &json!(hash)), "{sample}");
    assert_eq!(sample["seed_from"], json!({"after": height, "block": height + 1}));
    assert_eq!((&sample["size"], &sample["users"], &sample["different"]), (&json!(3), &json!(3), &json!(0)));
    let population = sample["population"].as_u64().unwrap();
    assert_eq!(sample["detection"][0], json!({"wrong": 1, "found": {"num": 3, "den": population}}));
    // One that is not mined yet, or has to be: not checked, and no literal in its place.
    for seed in [format!("beacon:{}", world.headers.len() - 1), "beacon:9999999".to_owned(), "beacon".to_owned()] {
        let (exit, sample) = judged(&seed.replace(':', "-"), &format!("sample = 3\nseed = \"{seed}\""));
        assert_eq!((exit, &sample["seed"], &sample["seed_from"]), (3, &json!(""), &Value::Null), "{seed}");
    }
    let (exit, sample) = judged("chosen", "sample = 3\nseed = \"a text\"\nsampling = \"money-unit\"");
    assert_eq!((exit, &sample["seed_from"]), (0, &json!("chosen by the operator")));
    assert_eq!(sample["sampling"], "money-unit");
    assert_eq!(judged("bad", "sample = 3\nseed = \"beacon:soon\"").0, 2);
}

/// Answers `GET /of/USER` with that user's line, or 404; gives back its port. It ends with the test's process.
fn serve(lines: BTreeMap<String, String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked = head.next().unwrap_or_default();
            head.find(String::is_empty);
            let user = asked.split(' ').nth(1).and_then(|path| path.strip_prefix("/of/")).unwrap_or_default();
            let (status, body) = match lines.get(&user.replace("%3A", ":")) {
                Some(line) => ("200 OK", line.as_str()),
                None => ("404 Not Found", "{}"),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn an_address_that_answers_for_single_users_is_asked_for_the_sample_and_the_run_says_that_it_is_one() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), SEED, EVENTS);
    let honest = fs::read_to_string(&config).unwrap();
    let world = World::generate(SEED, EVENTS);
    let user_of = |line: &String| serde_json::from_str::<Value>(line).unwrap()["user"].as_str().unwrap().to_owned();
    let lines: BTreeMap<String, String> = world.balances.iter().map(|line| (user_of(line), line.clone())).collect();
    let ask = |name: &str, port: u16, more: &str| {
        let section = format!("api = \"http://127.0.0.1:{port}/of/{{user}}\"\n{more}");
        fs::write(&config, honest.replace("statement = \"balances.jsonl\"", &section)).unwrap();
        let run_dir = folder.path().join(name);
        let output = drill(&config, &run_dir, &[]);
        let found = (code(&output) != 2).then(|| report(&run_dir));
        (code(&output), found, run_dir)
    };
    let seed = format!("sample = 1\nseed = \"beacon:{}\"", world.headers.len() - 20);
    let (exit, found, run_dir) = ask("sampled", serve(lines.clone()), &seed);
    let found = found.unwrap();
    assert_eq!(exit, 3, "{}", found["verdict"]);
    let sample = &found["balances"]["sample"];
    assert_eq!((&sample["size"], &sample["compared"], &sample["equal"]), (&json!(1), &json!(1), &json!(1)), "{sample}");
    let left_out =
        found["unverifiable"].as_array().unwrap().iter().find(|check| check["check"] == "balances.all").unwrap();
    assert_eq!(left_out["items"], sample["population"].as_u64().unwrap() - 1);
    assert!(!found["summary"]["by_code"].to_string().contains("BALANCE_"));
    assert_eq!(code(&run(&["audit", arg(&run_dir)])), 3);
    // Every answer a satoshi off: each asked user is a mismatch, nobody else is named.
    let wrong = |(user, line): (&String, &String)| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["balance_sats"] = (line["balance_sats"].as_i64().unwrap() + 1).into();
        (user.clone(), line.to_string())
    };
    let (exit, found, _) = ask("wrong", serve(lines.iter().map(wrong).collect()), &seed);
    assert_eq!((exit, &found.unwrap()["summary"]["by_code"]["BALANCE_MISMATCH"]), (1, &json!(1)));
    // An address that knows nobody: those who were asked for are missing.
    let (exit, found, _) = ask("nobody", serve(BTreeMap::new()), &seed);
    assert_eq!((exit, &found.unwrap()["summary"]["by_code"]["BALANCE_MISSING_USER"]), (1, &json!(1)));
    // Everybody asked for is no sample.
    let (exit, found, _) = ask("all", serve(lines), &seed.replace("sample = 1", "sample = 1000"));
    let found = found.unwrap();
    assert_eq!(exit, 0, "{}", found["unverifiable"]);
    // Nobody is asked without a seed that is known, and none without one that is named.
    let (exit, found, _) = ask("unknown", 9, "sample = 3\nseed = \"beacon:9999999\"");
    assert_eq!((exit, &found.unwrap()["balances"]["sample"]["compared"]), (3, &json!(0)));
    assert_eq!(ask("unnamed", 9, "sample = 3").0, 2);
    let offline = run(&["drill", "-c", arg(&config), "--run", arg(&folder.path().join("off")), "--offline"]);
    assert!([2, 6].contains(&code(&offline)), "{}", shown(&offline));
}
