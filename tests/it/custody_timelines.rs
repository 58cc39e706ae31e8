//! Custody at an instant against an oracle. A seed draws histories of rebinds, rotations and graduations with whatever goes
//! wrong with them, signs them, anchors them in blocks; the program verifies all of it and is asked about random instants.
//! What must come out is computed from the drawn histories alone, by the rules of docs/adr/0016-custody-at-an-instant.md.
//! `RELEDGER_TIMELINES=n` draws that many histories, `RELEDGER_TIMELINES_SEED=n` others; `make timelines` runs 500.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod draw;
mod oracle;
mod publish;

use std::collections::BTreeMap;
use std::path::Path;

use reledger::domain::{AsOf, TrustPolicy, UnixMicros, UnixSeconds, UserKey};
use reledger::ledger::{CustodyAt, Ledgers, rebuild};
use reledger::verify::{VerifiedSet, Verifier};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{Lcg, arg, code, drill, run, shown, stderr, stdout};

use draw::{Drawn, Person};
use oracle::Expected;
use publish::Published;

/// Instants that each history is asked about.
const INSTANTS: usize = 20;
const SEED: u64 = 20_261_121;

#[expect(clippy::disallowed_methods, reason = "the length of a campaign comes from the caller")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn drawn(people: usize) -> (Drawn, Published) {
    let seed = number("RELEDGER_TIMELINES_SEED").unwrap_or(SEED);
    let mut drawn = draw::draw(seed, people);
    let published = publish::publish(&mut drawn);
    (drawn, published)
}

/// Everything through the verifier, as a run does it.
fn verified(published: &Published, policy: &TrustPolicy) -> VerifiedSet {
    let batch: Vec<_> = published.evidence.iter().map(|raw| (raw.id(), raw.clone())).collect();
    let mut verifier = Verifier::new(policy);
    verifier.first_pass(&batch);
    verifier.begin_second_pass();
    verifier.second_pass(&batch);
    verifier.finish()
}

fn rebuilt(drawn: &Drawn, published: &Published) -> Ledgers {
    let policy = TrustPolicy { headers: published.policy(), ..TrustPolicy::orangecheck_2026_10() };
    let set = verified(published, &policy);
    // Whatever is refused below is meant: nothing was lost on the way here.
    assert_eq!(set.rotations.len() + set.graduations.len(), drawn.steps(), "every signed step was accepted");
    rebuild(&set, &policy, AsOf { time: UnixSeconds(drawn.as_of), tip: set.tip })
}

/// A name of that person, and the addresses that a question by it is about.
fn asked(person: &Person, rng: &mut Lcg) -> (String, Vec<usize>) {
    let place = rng.below(person.addresses.len());
    let all = (0..person.addresses.len()).collect();
    match &person.did {
        Some(did) if rng.below(2) == 0 => (did.clone(), all),
        _ => {
            let has_guardians = person.is_guarded(place);
            (person.addresses[place].clone(), if has_guardians { vec![place] } else { all })
        }
    }
}

fn observed(answer: &CustodyAt) -> Expected {
    Expected {
        state: answer.state.map_or("unknown", |state| state.name()).to_owned(),
        descriptor: answer.descriptor.map(|id| id.to_string()),
        trust: answer.trust.name().to_owned(),
        forked: answer.forked,
        support: answer.support.iter().map(|one| one.id.to_string()).collect(),
    }
}

#[test]
fn custody_at_random_instants_is_what_the_rules_say() {
    let people = usize::try_from(number("RELEDGER_TIMELINES").unwrap_or(60)).unwrap();
    let (drawn, published) = drawn(people);
    let ledgers = rebuilt(&drawn, &published);
    let mut rng = Lcg(drawn.seed);
    let mut seen: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for (number, person) in drawn.people.iter().enumerate() {
        for _ in 0..INSTANTS {
            let (name, addresses) = asked(person, &mut rng);
            let at = drawn.instant(person, &mut rng);
            let expected = oracle::answer(&drawn, person, &addresses, at);
            let found =
                ledgers.rebind.custody_at(&ledgers.people, &UserKey::from(name.as_str()), UnixMicros(at * 1_000_000));
            assert_eq!(observed(&found), expected, "person {number} as {name} at {at} of seed {}", drawn.seed);
            *seen.entry((expected.trust.clone(), expected.descriptor.is_some())).or_default() += 1;
        }
    }
    // A campaign that only ever meets easy cases proves nothing.
    for trust in ["contested", "assumed", "signed", "bitcoin-proven"] {
        for guarded in [false, true] {
            assert!(seen.contains_key(&(trust.to_owned(), guarded)), "no answer was {trust}, guarded: {guarded}");
        }
    }
    println!("{} instants of {people} timelines agree, seed {}: {seen:?}", people * INSTANTS, drawn.seed);
}

#[test]
fn the_order_and_the_repetition_of_evidence_change_no_answer() {
    let (drawn, mut published) = drawn(12);
    let ledgers = rebuilt(&drawn, &published);
    let mut rng = Lcg(7);
    rng.shuffle(&mut published.evidence);
    let again = published.evidence.iter().take(50).cloned().collect::<Vec<_>>();
    published.evidence.extend(again);
    let shuffled = rebuilt(&drawn, &published);
    for person in &drawn.people {
        let who = UserKey::from(person.addresses[0].as_str());
        assert_eq!(
            ledgers.rebind.custody_history(&ledgers.people, &who),
            shuffled.rebind.custody_history(&shuffled.people, &who)
        );
    }
    assert_eq!(ledgers.rebind.view(), shuffled.rebind.view());
}

#[test]
fn the_command_gives_the_same_answers() {
    let (drawn, published) = drawn(12);
    let folder = tempdir().unwrap();
    let config = published.write(folder.path());
    let run_dir = folder.path().join("run");
    let as_of = drawn.as_of.to_string();
    let drilled = drill(&config, &run_dir, &["--as-of", &as_of]);
    assert!([0, 1, 3].contains(&code(&drilled)), "{}", shown(&drilled));
    let mut rng = Lcg(11);
    what_is_not_established_is_not_answered(&drawn, &run_dir);
    other_names_are_hidden(&drawn, &run_dir);
    for person in drawn.people.iter().take(6) {
        let (name, addresses) = asked(person, &mut rng);
        let at = drawn.instant(person, &mut rng);
        let expected = oracle::answer(&drawn, person, &addresses, at);
        let when = at.to_string();
        let output = run(&["custody", "at", &name, "--when", &when, "--run", arg(&run_dir), "--json", "-q"]);
        if expected.state == "unknown" {
            assert_eq!(code(&output), 3, "{}", shown(&output));
            continue;
        }
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let support = answer["transitions"].as_array().unwrap().iter();
        let found = Expected {
            state: answer["state"].as_str().unwrap().to_owned(),
            descriptor: answer["descriptor"]["id"].as_str().map(|id| id.trim_start_matches("fed:").to_owned()),
            trust: answer["trust"].as_str().unwrap().to_owned(),
            forked: answer["forked"].as_bool().unwrap(),
            support: support.map(|one| one["id"].as_str().unwrap().to_owned()).collect(),
        };
        assert_eq!(found, expected, "{name} at {at}");
        if expected.trust == "contested" {
            assert_eq!(code(&output), 1, "{}", shown(&output));
            assert!(!answer["disputed"].as_array().unwrap().is_empty());
        }
        assert_eq!(answer["exit_code"], code(&output));
        // Who signs has to be known, by a descriptor that is held, and on more than an assumption.
        let is_guarded = answer["descriptor"]["held"] == true || expected.state == "bip322";
        let is_established = is_guarded && ["signed", "bitcoin-proven"].contains(&expected.trust.as_str());
        assert!(is_established || code(&output) != 0, "{}", shown(&output));
        assert!(!is_established || code(&output) != 3, "{}", shown(&output));
    }
}

/// Other names of the principal are told by their pseudonyms, which can be asked about.
fn other_names_are_hidden(drawn: &Drawn, run_dir: &Path) {
    let bound = drawn.people.iter().find(|person| person.did.is_some() && person.is_guarded(0)).unwrap();
    let (did, address) = (bound.did.as_deref().unwrap(), bound.addresses[0].as_str());
    let ask = |name: &str, more: &[&str]| {
        let args = ["custody", "at", name, "--when", "5", "--run", arg(run_dir), "--json", "-q"];
        stdout(&run(&[&args[..], more].concat()))
    };
    let hidden = ask(address, &[]);
    assert!(!hidden.contains(did) && hidden.contains(address), "{hidden}");
    assert!(ask(address, &["--reveal-users"]).contains(did));
    let answer: Value = serde_json::from_str(&hidden).unwrap();
    let pseudonym = answer["principal"].as_str().unwrap();
    let by_pseudonym = ask(pseudonym, &[]);
    assert!(by_pseudonym.contains(pseudonym) && !by_pseudonym.contains(did), "{by_pseudonym}");
    assert!(ask(pseudonym, &["--reveal-users"]).contains(did));
}

fn what_is_not_established_is_not_answered(drawn: &Drawn, run_dir: &Path) {
    let ask = |args: &[&str]| run(&[&["custody"], args, &["--run", arg(run_dir), "-q"]].concat());
    let known = drawn.people.iter().find(|person| person.is_guarded(0)).unwrap().addresses[0].as_str();
    let (as_of, behind) = (drawn.as_of.to_string(), (drawn.as_of + 1).to_string());
    for (args, exit, said) in [
        (&["at", "bc1qnobody", "--when", &as_of][..], 3, "nothing is held about the custody of `bc1qnobody`"),
        (&["history", "bc1qnobody"], 3, "nothing is held about the custody of `bc1qnobody`"),
        (&["at", known, "--when", "100000"], 3, "the time of block 100000 is not known"),
        (&["at", known, "--when", &behind], 3, "is later than the as-of"),
        (&["at", known, "--when", "soon"], 2, "--when"),
        (&["at", known], 2, "--when"),
    ] {
        let output = ask(args);
        assert_eq!(code(&output), exit, "{}", shown(&output));
        assert!(stdout(&output).is_empty() && stderr(&output).contains(said), "{}", shown(&output));
    }
    let by_height: Value = serde_json::from_str(&stdout(&ask(&["at", known, "--when", "5", "--json"]))).unwrap();
    let time = draw::block_time(5);
    assert_eq!(by_height["at"], serde_json::json!({"height": 5, "time": time, "time_micros": time * 1_000_000}));
    assert_eq!(by_height["trust"], "assumed");
    // An assumption is told, and is no answer to rely on.
    assert_ne!(by_height["exit_code"], 0);
    let in_capitals = ask(&["at", &known.to_ascii_uppercase(), "--when", "5", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stdout(&in_capitals)).unwrap(), by_height);
    let text = stdout(&ask(&["at", known, "--when", "5"]));
    assert!(text.contains("(block 5)\nstate "), "{text}");
}

#[test]
fn a_history_tells_every_record_once() {
    let (drawn, published) = drawn(12);
    let ledgers = rebuilt(&drawn, &published);
    for person in drawn.people.iter().filter(|person| person.addresses.len() == 1) {
        let who = UserKey::from(person.addresses[0].as_str());
        let mut told: Vec<String> =
            ledgers.rebind.custody_history(&ledgers.people, &who).iter().map(|one| one.id.to_string()).collect();
        let in_time = person.records.iter().filter(|record| record.claimed <= drawn.as_of * 1_000_000);
        let mut expected: Vec<String> = in_time.map(|record| record.id.clone()).collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected);
    }
}
