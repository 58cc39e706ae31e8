//! `reledger explain`: every class of id leads to its thing, and things lead to each other; users stay hidden, foreign text
//! inert. What belongs here: promises about the tree and its JSON, against what the world's maker knows.

mod names;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use reledger::domain::{UnixMicros, sha256};
use reledger::sim::{Artifact, Envelope, Proven, Scene, Transport, World, plant, selections};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::schemas::{faults, schema};
use crate::support::{arg, code, drill, fixtures, parsed, report, run, shown, stderr, stdout, write_world};

const SEED: u64 = 2;
const EVENTS: u32 = 30;

/// One drilled world with custody, and what its maker knows of it.
struct Stage {
    world: World,
    folder: TempDir,
    schema: Value,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), SEED, EVENTS);
    let output = drill(&config, &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    Stage { world: World::generate(SEED, EVENTS), folder, schema: schema("explanation") }
});

impl Stage {
    fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// What is told of a name: one thing, as JSON that the schema allows.
    fn told(&self, what: &str, more: &[&str]) -> Value {
        let told = things(&self.run_dir(), what, more);
        assert_eq!(faults(&self.schema, &told), Vec::<String>::new(), "{what}");
        assert_eq!(told["things"].as_array().unwrap().len(), 1, "{what}");
        told["things"][0].clone()
    }

    fn envelope(&self, kind: Artifact, fits: impl Fn(&Value) -> bool) -> (&Envelope, Value) {
        let parsed = |envelope: &Envelope| serde_json::from_slice::<Value>(&envelope.canonical).unwrap();
        let of_kind = self.world.envelopes.iter().filter(|envelope| envelope.kind == kind);
        of_kind.map(|envelope| (envelope, parsed(envelope))).find(|(_, body)| fits(body)).unwrap()
    }
}

fn things(run_dir: &Path, what: &str, more: &[&str]) -> Value {
    let output = run(&[&["explain", what, "--run", arg(run_dir), "--json"], more].concat());
    assert_eq!(code(&output), 0, "{what}: {}", shown(&output));
    parsed(&output.stdout)
}

/// (direction, relation, class, id) of everything related.
fn related(thing: &Value) -> Vec<[String; 4]> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = thing["related"].as_array().unwrap().iter();
    all.map(|one| ["direction", "relation", "class", "id"].map(|name| text(one, name))).collect()
}

fn leads(thing: &Value, direction: &str, relation: &str, class: &str) -> Vec<String> {
    let all = related(thing).into_iter();
    all.filter(|[a, b, c, _]| [a, b, c] == [direction, relation, class]).map(|[.., id]| id).collect()
}

fn leaves(thing: &Value) -> Vec<(String, Value)> {
    let entries = thing["entries"].as_array().unwrap().iter();
    entries.map(|one| (one["ledger"].as_str().unwrap().to_owned(), leaf(one))).collect()
}

fn leaf(entry: &Value) -> Value {
    serde_json::from_str(entry["leaf"].as_str().unwrap()).unwrap()
}

#[test]
fn an_envelope_tells_what_it_says_who_brought_and_signed_it_and_where_it_is_booked() {
    let stage = &*STAGE;
    let confirmed = |id: &str| matches!(stage.world.proven.get(id), Some(Proven::Block(_)));
    let (envelope, body) = stage.envelope(Artifact::Event, |body| {
        let bytes =
            stage.world.envelopes.iter().find(|one| serde_json::from_slice::<Value>(&one.canonical).unwrap() == *body);
        body["drop"].is_object() && bytes.is_some_and(|one| confirmed(&one.id.to_string()))
    });
    let id = envelope.id.to_string();
    let thing = stage.told(&id, &["--reveal-users"]);
    assert_eq!((&thing["class"], &thing["id"]), (&json!("envelope"), &json!(id)));
    assert_eq!(thing["says"], body);
    assert_eq!(thing["standing"], json!({"state": "counted", "reasons": []}));
    assert_eq!(thing["signatures"][0]["verdict"], "valid");
    let key = stage.world.hand().ed25519_public(envelope.kid.as_str());
    assert_eq!((&thing["key"]["kid"], &thing["key"]["public_key"]), (&json!(envelope.kid), &json!(key)));
    let published = stage.world.key_sets.iter().filter(|set| set.json.contains(envelope.kid.as_str())).count();
    assert_eq!(thing["key"]["captures"].as_array().unwrap().len(), published);
    let events = stage.world.events.iter().filter(|event| event.tag_values("d").any(|d| d.ends_with(&id)));
    let mut carried: Vec<String> = events.map(|event| event.id.to_string()).collect();
    let carriers = thing["carriers"].as_array().unwrap();
    let mut told: Vec<&str> = carriers.iter().map(|one| one["event"]["id"].as_str().unwrap()).collect();
    carried.sort();
    told.sort_unstable();
    told.dedup();
    assert!(carried.iter().all(|event| told.contains(&event.as_str())), "{told:?} {carried:?}");
    assert!(
        carriers.iter().all(|one| one["seen"][0]["source"] == "files:nostr-event" && one["event"]["genuine"] == true)
    );
    let Some(Proven::Block(height)) = stage.world.proven.get(&id) else { panic!("chosen so") };
    let block = &thing["anchor"]["blocks"][0];
    assert_eq!(
        (&block["height"], &block["earliest"], &block["header_trust"]),
        (&json!(height), &json!(true), &json!("chain"))
    );
    let leaves = leaves(&thing);
    assert!(leaves.iter().any(|(ledger, leaf)| ledger == "envelope" && leaf["id"] == id.as_str()), "{leaves:?}");
    assert!(leaves.iter().any(|(ledger, leaf)| ledger == "treasury" && leaf["envelope"] == id.as_str()), "{leaves:?}");
    // A leaf stands as it is hashed: RFC 6962, section 2.1.
    let entry = &thing["entries"][0];
    let hash = sha256(&[&[0], entry["leaf"].as_str().unwrap().as_bytes()].concat()).to_hex();
    assert_eq!((&entry["exact"], &entry["leaf_hash"]), (&json!(true), &json!(hash)));
    assert_eq!(leads(&thing, "out", "key", "kid"), [envelope.kid.as_str()]);
    let window = body["drop"]["window_id"].as_str().unwrap();
    assert_eq!(leads(&thing, "out", "window", "window"), [window]);
    // The window leads back, and to its manifest, which names its members.
    let told = stage.told(window, &[]);
    assert!(leads(&told, "in", "window", "envelope").contains(&id));
    assert!(leaves_name(&told, "window", window));
}

fn leaves_name(thing: &Value, member: &str, value: &str) -> bool {
    leaves(thing).iter().any(|(_, leaf)| leaf[member] == value)
}

#[test]
fn events_evidence_attestations_and_bindings_are_told_and_lead_to_each_other() {
    let stage = &*STAGE;
    let attested = |event: &&reledger::sim::SimEvent| event.kind == 30_078 && event.content.contains("\\nbond: ");
    let event = stage.world.events.iter().find(attested).unwrap();
    let event_id = event.id.to_string();
    let thing = stage.told(&event_id[..8], &[]);
    assert_eq!((&thing["class"], &thing["standing"]["state"]), (&json!("event"), &json!("genuine")));
    assert_eq!(thing["signatures"][0], json!({"scheme": "bip340", "verdict": "valid", "by": ""}));
    assert_eq!(thing["carriers"][0]["event"]["pubkey"], event.pubkey.as_str());
    let attestation = leads(&thing, "in", "carrier", "attestation").remove(0);
    assert_eq!(Some(attestation.as_str()), event.tag_values("d").next());
    // Its evidence leads to it too.
    let evidence = stage.told(thing["carriers"][0]["evidence"].as_str().unwrap(), &[]);
    assert_eq!((&evidence["class"], &evidence["says"]["media"]), (&json!("evidence"), &json!("nostr-event")));
    assert_eq!(leads(&evidence, "in", "carrier", "attestation"), [attestation.as_str()]);
    assert_eq!(leads(&evidence, "out", "event", "event"), [event_id.as_str()]);
    let thing = stage.told(&attestation, &[]);
    let content: Value = serde_json::from_str(&event.content).unwrap();
    let proven = matches!(stage.world.proven.get(&attestation), Some(Proven::Block(_)));
    assert_eq!(thing["standing"]["state"], if proven { "bitcoin-proven" } else { "well-formed" });
    let bond = content["message"].as_str().unwrap().lines().find_map(|line| line.strip_prefix("bond: ")).unwrap();
    assert_eq!(thing["says"]["extensions"]["bond"], bond);
    assert_eq!(thing["signatures"][0]["scheme"], "bip322");
    assert_eq!(leaves(&thing)[0].1["id"], attestation.as_str());
    let binding = stage.world.events.iter().find(|event| event.kind == 30_079).unwrap();
    let id = binding.tag_values("d").next().unwrap().rsplit(':').next().unwrap();
    let thing = stage.told(id, &["--reveal-users"]);
    let schemes: Vec<&Value> = thing["signatures"].as_array().unwrap().iter().map(|one| &one["scheme"]).collect();
    assert_eq!((&thing["class"], schemes), (&json!("binding"), vec![&json!("bip322"), &json!("bip340")]));
    let content: Value = serde_json::from_str(&binding.content).unwrap();
    let principal = content["message"].as_str().unwrap().lines().find_map(|line| line.strip_prefix("principal: "));
    assert_eq!(thing["says"]["principal"].as_str(), principal);
}

#[test]
fn custody_is_told_along_its_chain() {
    let stage = &*STAGE;
    let records: Vec<Value> = stage.world.custody.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let descriptor = records.iter().find(|record| record["kind"] == "attest-federation-custody").unwrap();
    let mut guardians: Vec<&str> =
        descriptor["guardians"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    guardians.sort_unstable();
    let head = ["address", "threshold"].map(|name| format!("\n{name}: {}", descriptor[name].as_str().unwrap()));
    let lines = guardians.iter().fold(format!("oc-attest:federation-custody:v1{}", head.concat()), |lines, one| {
        format!("{lines}\nguardian: {one}")
    });
    // FORMATS 8.1: the id is the hash of the lines, printed with `fed:`.
    let fed = format!("fed:{}", sha256(lines.as_bytes()));
    let thing = stage.told(&fed[..12], &["--reveal-users"]);
    assert_eq!((&thing["class"], &thing["id"]), (&json!("descriptor"), &json!(fed[4..])));
    assert_eq!(thing["says"]["guardians"], json!(guardians));
    assert_eq!(leads(&thing, "out", "user", "user"), [descriptor["address"].as_str().unwrap()]);
    let bare = stage.told(&fed[4..], &["--reveal-users"]);
    assert_eq!(bare, thing);
    let steps = [leads(&thing, "in", "from", "rotation"), leads(&thing, "in", "from", "graduation")].concat();
    let step = stage.told(&steps[0], &[]);
    assert_eq!(step["says"]["from_federation"], fed.as_str());
    assert_eq!(
        (&step["signatures"][0]["scheme"], &step["signatures"][0]["verdict"]),
        (&json!("guardians"), &json!("valid"))
    );
    assert!(["L", "J"].contains(&step["rule"].as_str().unwrap()));
    let (rebind, body) = stage.envelope(Artifact::Rebind, |body| body["prev"].is_string());
    let prev = stage.told(body["prev"].as_str().unwrap(), &[]);
    assert!(leads(&prev, "in", "prev", "envelope").contains(&rebind.id.to_string()));
}

#[test]
fn money_is_told_from_the_distribution_to_the_payment() {
    let stage = &*STAGE;
    let settlements =
        stage.world.settlements.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].take());
    let paid =
        settlements.into_iter().find(|event| event["distribution_id"].is_string() && event["payment_hash"].is_string());
    let paid = paid.unwrap();
    let text = |name: &str| paid[name].as_str().unwrap();
    let distribution = stage.told(text("distribution_id"), &[]);
    assert_eq!(distribution["says"]["kind"], "oc-me-distribution");
    let settlements = leads(&distribution, "in", "distribution", "settlement");
    let operation = stage.told(text("operation_id"), &[]);
    let settlement = leads(&operation, "in", "operation", "settlement").remove(0);
    assert!(settlements.contains(&settlement), "{settlements:?} {settlement}");
    let payment = stage.told(text("payment_hash"), &[]);
    assert_eq!(
        (&payment["class"], leads(&payment, "in", "payment", "settlement")),
        (&json!("payment"), vec![settlement.clone()])
    );
    let thing = stage.told(&settlement, &["--reveal-users"]);
    assert_eq!(thing["says"]["amount_sats"], paid["amount_sats"]);
    assert_eq!(
        thing["signatures"][0],
        json!({
            "scheme": "ed25519", "verdict": "valid", "by": stage.world.settlement_key,
        })
    );
    let (_, leaf) = leaves(&thing).remove(0);
    assert_eq!((&leaf["settlement"], &thing["entries"][0]["tier"]), (&json!(settlement), &leaf["tier"]));
    let binding = stage.told(text("payout_binding_id"), &[]);
    assert!(leads(&binding, "in", "payout-binding", "settlement").contains(&settlement));
}

#[test]
fn kids_projects_blocks_and_divergences_are_told() {
    let stage = &*STAGE;
    let (envelope, body) = stage.envelope(Artifact::Event, |body| body["project_key"].is_string());
    let kid = stage.told(envelope.kid.as_str(), &[]);
    assert!(leads(&kid, "in", "key", "envelope").contains(&envelope.id.to_string()));
    assert_eq!(kid["key"]["compromised_at"], Value::Null);
    let project = body["project_key"].as_str().unwrap();
    let thing = stage.told(project, &[]);
    assert!(leads(&thing, "in", "project", "envelope").contains(&envelope.id.to_string()));
    assert!(leaves(&thing).iter().any(|(ledger, leaf)| ledger == "projects" && leaf["project"] == project));
    let blocks = stage.world.proven.iter().filter_map(|(id, proven)| match proven {
        Proven::Block(height) if stage.world.envelopes.iter().any(|one| one.id.to_string() == *id) => {
            Some((id, height))
        }
        _ => None,
    });
    let (id, height) = blocks.into_iter().next().unwrap();
    let block = stage.told(&height.to_string(), &[]);
    assert!(leads(&block, "in", "anchor", "envelope").contains(id), "{block}");
    let by_hash = stage.told(block["says"]["hash"].as_str().unwrap(), &[]);
    assert_eq!(by_hash, block);
    // A height that anchors nothing is no name.
    let free = (1..10_000).find(|height| !stage.world.blocks.contains(height)).unwrap();
    assert_eq!(code(&run(&["explain", &free.to_string(), "--run", arg(&stage.run_dir())])), 2);
    let reported = &report(&stage.run_dir())["divergences"][0];
    let thing = stage.told(&reported["fingerprint"].as_str().unwrap()[..12], &[]);
    assert_eq!((&thing["class"], &thing["divergences"][0]["in_report"]), (&json!("divergence"), &json!(true)));
    for member in ["code", "subject", "expected", "observed", "state", "fingerprint"] {
        assert_eq!(thing["divergences"][0][member], reported[member], "{member}");
    }
}

#[test]
fn a_user_is_found_in_clear_and_by_pseudonym_and_shown_in_clear_only_when_revealed() {
    let stage = &*STAGE;
    let (_, body) = stage.envelope(Artifact::Event, |body| body["user_address"].is_string());
    let user = body["user_address"].as_str().unwrap();
    let output = run(&["explain", user, "--run", arg(&stage.run_dir())]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(!shown(&output).contains(user), "{}", shown(&output));
    let hidden = stage.told(user, &[]);
    let pseudonym = hidden["id"].as_str().unwrap();
    assert!(pseudonym.starts_with("user-") && !hidden.to_string().contains(user), "{hidden}");
    assert_eq!(stage.told(pseudonym, &[]), hidden);
    assert!(hidden["entries"].as_array().unwrap().iter().all(|entry| entry["exact"] == false));
    let clear = stage.told(pseudonym, &["--reveal-users"]);
    assert_eq!((&clear["class"], &clear["id"]), (&json!("user"), &json!(user)));
    assert!(clear["entries"].as_array().unwrap().iter().all(|entry| entry["exact"] == true));
    let hashes = |thing: &Value| -> Vec<Value> {
        thing["entries"].as_array().unwrap().iter().map(|entry| entry["leaf_hash"].clone()).collect()
    };
    assert_eq!(hashes(&clear), hashes(&hidden));
    let mine = stage.world.envelopes.iter().filter(|one| {
        let body: Value = serde_json::from_slice(&one.canonical).unwrap();
        body["user_address"] == user && one.kind == Artifact::Event
    });
    let told = leads(&clear, "in", "user", "envelope");
    assert!(mine.into_iter().all(|one| told.contains(&one.id.to_string())), "{told:?}");
}

#[test]
fn a_refused_envelope_tells_why() {
    let selection = selections(Transport::Files).find(|one| one.generator.code.name() == "ENV_SIG_BAD").unwrap();
    let mut scene = Scene::of(World::generate(5, 20));
    let planted = plant(&mut scene, &[selection]).pop().unwrap();
    let folder = tempdir().unwrap();
    scene.write(folder.path()).unwrap();
    let run_dir = folder.path().join("run");
    assert_eq!(code(&drill(&folder.path().join("reledger.toml"), &run_dir, &[])), 1);
    let id = planted.subject.get("envelope").unwrap();
    let told = things(&run_dir, id, &[]);
    assert_eq!(faults(&STAGE.schema, &told), Vec::<String>::new());
    let thing = told["things"].as_array().unwrap().iter().find(|thing| thing["class"] == "envelope").unwrap();
    assert_eq!(thing["standing"], json!({"state": "refused", "reasons": ["ENV_SIG_BAD"]}));
    assert_eq!(thing["signatures"][0]["verdict"], "invalid");
    assert_eq!((thing["says"].clone(), thing["entries"].clone()), (json!({}), json!([])));
    assert!(!thing["carriers"].as_array().unwrap().is_empty());
    assert_eq!(thing["divergences"][0]["code"], "ENV_SIG_BAD");
    // The code leads to what the report has of it.
    let output = run(&["explain", "ENV_SIG_BAD", "--run", arg(&run_dir), "--json"]);
    let told: Value = parsed(&output.stdout);
    assert_eq!(told["in_report"][0]["fingerprint"], thing["divergences"][0]["fingerprint"]);
}

/// Events that hold neither their id nor their signature, named as told, with a `d` that would act on a terminal.
fn forged(ids: &[String]) -> String {
    let line = |id: &String| {
        let d = "oc-me-event:\u{1b}]52;c;AAAA\u{7}\u{202e}x";
        json!({
            "id": id, "pubkey": "11".repeat(32), "created_at": 1_780_000_000, "kind": 30_087, "tags": [["d", d]],
            "content": "{}", "sig": "22".repeat(64),
        })
    };
    ids.iter().map(|id| line(id).to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_beginning_of_two_ids_is_refused_with_both_and_foreign_text_stays_inert() {
    let folder = tempdir().unwrap();
    let ids = ["0", "1"].map(|last| format!("abcdef0123{}{last}", "4".repeat(53)));
    std::fs::write(folder.path().join("events.jsonl"), forged(&ids)).unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[nostr]\nfiles = [\"events.jsonl\"]\n").unwrap();
    let run_dir = folder.path().join("run");
    let output = run(&["capture", "-c", arg(&config), "--run", arg(&run_dir)]);
    assert!(run_dir.join("evidence/segments").is_dir(), "{}", shown(&output));
    let asked = |what: &str| run(&["explain", what, "--run", arg(&run_dir), "-c", arg(&config)]);
    let output = asked("abcdef0123");
    assert_eq!((code(&output), stdout(&output)), (2, String::new()));
    assert!(ids.iter().all(|id| stderr(&output).contains(id)), "{}", stderr(&output));
    // One digit more than they share, and one fewer than is enough.
    assert_eq!(code(&asked(&ids[0][..63])), 2);
    assert_eq!(code(&asked(&ids[0][..7])), 2);
    let output = asked(&ids[0].to_uppercase());
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let text = stdout(&output);
    assert!(text.contains("EVT_BAD_ID") && text.contains("no report yet") && text.contains("not genuine"), "{text}");
    assert!(text.contains("\\u{1b}]52") && !text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
    let told = things(&run_dir, &ids[1], &["-c", arg(&config)]);
    assert_eq!(told["things"][0]["divergences"][0]["in_report"], Value::Null);
    assert_eq!(faults(&STAGE.schema, &told), Vec::<String>::new());
    // What stands in bytes only is told with where it stands.
    let told = things(&run_dir, &"11".repeat(32), &["-c", arg(&config)]);
    assert_eq!(told["things"][0]["class"], "mention");
    assert_eq!(told["things"][0]["carriers"].as_array().unwrap().len(), 2);
}

#[test]
fn what_was_never_judged_is_told_as_of_its_newest_signed_word() {
    let folder = tempdir().unwrap();
    let run_dir = folder.path().join("run");
    let config = fixtures().join("real/reledger.toml");
    assert!(run(&["capture", "-c", arg(&config), "--run", arg(&run_dir)]).status.code().is_some());
    // FORMATS 7.3: the worked example, an attestation of 2026-04-27 by its own address.
    let id = "60ba8dafc84dcec32b4f0b5c12d43efc0911fd7e4a99485a9fe6d3747647aad8";
    let ask = |more: &[&str]| {
        things(&run_dir, id, &[&["-c", arg(&config), "--reveal-users"], more].concat())["things"][0].take()
    };
    let thing = ask(&[]);
    assert_eq!(thing["standing"]["state"], "well-formed");
    assert_eq!(thing["says"]["address"], "bc1pezn5yjxmz9nuahtqprvhfeya2nv4zdfk49u5amquhqptykx695rs60hqa2");
    let issued: UnixMicros = "2026-04-27T14:54:28.044Z".parse().unwrap();
    assert_eq!(leaves(&thing)[0].1["issued_at_micros"], issued.0);
    // At a whole second before it, it was not there yet.
    let before = ask(&["--as-of", "2026-04-27T14:54:28Z"]);
    assert_eq!((&before["standing"]["state"], &before["entries"]), (&json!("excluded:after-as-of"), &json!([])));
}
