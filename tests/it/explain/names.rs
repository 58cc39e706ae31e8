//! Names that an explanation prints lead on: bindings, merge records, leaves, destinations; what names nothing says why.

use super::*;

use reledger::sim::Planted;
use std::fs;

/// A drilled world with an unreadable envelope and two contested identities.
struct Contested {
    planted: Vec<Planted>,
    folder: TempDir,
}

static CONTESTED: LazyLock<Contested> = LazyLock::new(|| {
    let wanted = ["no-class", "an-account-that-two-took-over", "one-key-for-two-principals"];
    let chosen = wanted.map(|name| selections(Transport::Files).find(|one| one.generator.name == name).unwrap());
    let mut scene = Scene::of(World::generate(7, 20));
    let planted = plant(&mut scene, &chosen);
    let folder = tempdir().unwrap();
    scene.write(folder.path()).unwrap();
    let output = drill(&folder.path().join("reledger.toml"), &folder.path().join("run"), &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    Contested { planted, folder }
});

impl Contested {
    fn told(&self, what: &str, more: &[&str]) -> Value {
        let told = things(&self.folder.path().join("run"), what, more);
        assert_eq!(faults(&STAGE.schema, &told), Vec::<String>::new(), "{what}");
        assert_eq!(told["things"].as_array().unwrap().len(), 1, "{what}");
        told["things"][0].clone()
    }

    fn subject(&self, planted: &str, member: &str) -> &str {
        let planted = self.planted.iter().find(|one| one.selection.generator.name == planted).unwrap();
        planted.subject.get(member).unwrap()
    }
}

#[test]
fn an_envelope_that_nobody_can_read_is_signed_all_the_same() {
    let contested = &*CONTESTED;
    let thing = contested.told(contested.subject("no-class", "envelope"), &[]);
    assert_eq!(thing["standing"], json!({"state": "refused", "reasons": ["ENV_SCHEMA"]}));
    let kid = &thing["key"]["kid"];
    assert!(kid.is_string() && thing["key"]["public_key"].is_string(), "{thing}");
    assert!(!thing["key"]["captures"].as_array().unwrap().is_empty());
    assert_eq!(thing["signatures"], json!([{"scheme": "ed25519", "verdict": "valid", "by": kid}]));
    assert!(thing["says"]["gross_fee_sats"].is_number() && thing["says"]["class"].is_null(), "{thing}");
    assert!(thing["rule"].is_string());
}

#[test]
fn a_user_leads_to_the_merge_records_about_its_names_and_they_say_what_they_join() {
    let contested = &*CONTESTED;
    let user = contested.subject("an-account-that-two-took-over", "user");
    let thing = contested.told(user, &[]);
    let records = leads(&thing, "in", "merged-from", "evidence");
    assert_eq!((records.len(), leads(&thing, "in", "joins", "evidence")), (2, records.clone()));
    let mut brought: Vec<&str> =
        thing["carriers"].as_array().unwrap().iter().map(|one| one["evidence"].as_str().unwrap()).collect();
    brought.sort_unstable();
    assert_eq!(brought, records);
    assert_eq!(thing["divergences"][0]["code"], "UNVERIFIABLE");
    let hidden = contested.told(&records[0], &[]);
    assert_eq!(hidden["says"]["merged_from"], json!([thing["id"]]));
    let clear = contested.told(&records[0], &["--reveal-users"]);
    assert_eq!(clear["says"]["merged_from"], json!([user]));
    let into = clear["says"]["user"].as_str().unwrap();
    assert_eq!(leads(&clear, "out", "merged-into", "user"), [into]);
    // The other record is found from there too: it is about a name of this one.
    let other = contested.told(into, &[]);
    assert_eq!(leads(&other, "in", "merged-into", "evidence"), [records[0].as_str()]);
    assert_eq!(leads(&other, "in", "joins", "evidence"), records);
}

#[test]
fn a_user_leads_to_the_binding_that_contests_its_key_though_it_names_another_principal() {
    let contested = &*CONTESTED;
    let thing = contested.told(contested.subject("one-key-for-two-principals", "user"), &[]);
    let (own, all) = (leads(&thing, "in", "user", "binding"), leads(&thing, "in", "joins", "binding"));
    assert_eq!((own.len(), all.len(), thing["carriers"].as_array().unwrap().len()), (1, 2, 2));
    assert!(all.contains(&own[0]));
}

#[test]
fn leaf_hashes_and_pseudonyms_of_destinations_lead_back() {
    let stage = &*STAGE;
    let (binding, body) = stage.envelope(Artifact::PayoutBinding, |_| true);
    let id = binding.id.to_string();
    let thing = stage.told(&id, &[]);
    let entry = &thing["entries"][0];
    let hash = entry["leaf_hash"].as_str().unwrap();
    let leaf = stage.told(hash, &[]);
    assert_eq!((&leaf["class"], &leaf["id"], &leaf["entries"]), (&json!("leaf"), &json!(hash), &json!([entry])));
    assert_eq!(leads(&leaf, "out", "leaf", "envelope"), [id.as_str()]);
    assert_eq!(stage.told(&hash[..12], &[]), leaf);
    let pseudonym = thing["says"]["destination"].as_str().unwrap();
    assert!(pseudonym.starts_with("user-"));
    let destination = stage.told(pseudonym, &[]);
    assert_eq!((&destination["class"], &destination["id"]), (&json!("user"), &json!(pseudonym)));
    assert!(leads(&destination, "in", "destination", "envelope").contains(&id));
    assert_eq!(stage.told(pseudonym, &["--reveal-users"])["id"], body["destination"]);
    assert_eq!(stage.told(body["destination"].as_str().unwrap(), &[]), destination);
}

#[test]
fn what_names_nothing_is_told_apart_from_a_run_that_is_not_there() {
    let folder = tempdir().unwrap();
    let (absent, empty) = (folder.path().join("absent"), folder.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    for (what, run_dir, says) in [
        ("abcdef01", &absent, "is no folder"),
        ("abcdef01", &empty, "holds no evidence"),
        ("abcdef0", &STAGE.run_dir(), "at least 8 of its digits"),
        ("0000000000abcdef", &STAGE.run_dir(), "names no code, and nothing in the run"),
    ] {
        let output = run(&["explain", what, "--run", arg(run_dir)]);
        assert_eq!(code(&output), 2, "{what}");
        assert!(stderr(&output).contains(says), "{what}: {}", stderr(&output));
    }
}

#[test]
fn a_dry_run_writes_no_result_file() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("told.txt");
    let ask = |more: &[&str]| run(&[&["explain", "ENV_SIG_BAD", "-o", arg(&file)], more].concat());
    let output = ask(&["--dry-run"]);
    assert_eq!((code(&output), file.exists()), (0, false));
    assert!(stdout(&output).starts_with("ENV_SIG_BAD"));
    let output = ask(&[]);
    assert_eq!((code(&output), stdout(&output)), (0, String::new()));
    assert!(fs::read_to_string(&file).unwrap().starts_with("ENV_SIG_BAD"));
}

#[test]
fn verify_knows_merge_records() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("merges.jsonl");
    let judge = |lines: &str| {
        fs::write(&file, lines).unwrap();
        run(&["verify", arg(&file), "--format", "json", "-q"])
    };
    let good = "{\"did_oc\":\"did:oc:1\",\"merged_from\":[\"did:oc:2\"]}\n";
    let output = judge(good);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).contains("\"fate\":\"ok\""), "{}", stdout(&output));
    let output = judge(&format!("{good}{{\"did_oc\":\"did:oc:1\",\"merged_from\":7}}\n"));
    assert_ne!(code(&output), 0);
    let text = stdout(&output);
    assert!(text.contains("a merge record that can't be read") && !text.contains("EVT_MALFORMED"), "{text}");
}
