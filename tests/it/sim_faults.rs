//! Every planted fault and its near miss, once, through the whole program: what is planted fires, with its severity, and
//! nothing else does; what fires shows its evidence. What belongs here: promises about the registry of faults as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reledger::app::{Cancel, Trial};
use reledger::domain::{Code, EvidenceId, Media, RawEvidence, Subject};
use reledger::sim::{Expected, Scene, Selection, Transport, World, expect, generators, plant, selections};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{drill, report, shown, side_by_side_by};

const EVENTS: u32 = 40;
/// Worlds that are tried for one selection until one has room for it.
const WORLDS: u64 = 7;

/// The code that no world can bring about: it is about a bug of our own.
const NOT_IN_A_WORLD: [Code; 1] = [Code::ConsBug];

#[test]
fn every_code_has_a_fault_with_a_near_miss() {
    let have: BTreeSet<Code> = generators().map(|generator| generator.code).collect();
    let without: BTreeSet<Code> = Code::ALL.iter().copied().filter(|code| !have.contains(code)).collect();
    // Equal, not contained: a code that has got its fault must leave the list.
    assert_eq!(without, BTreeSet::from(NOT_IN_A_WORLD));
    let unsaid: Vec<&str> = generators().filter(|one| one.near_miss.is_empty()).map(|one| one.name).collect();
    assert_eq!(unsaid, Vec::<&str>::new());
}

#[test]
fn a_fault_can_be_named_in_one_way_only() {
    let mut names = BTreeSet::new();
    for one in generators() {
        assert!(names.insert((one.code, one.name)), "{}/{} twice", one.code, one.name);
        let kebab = |letter: char| letter == '-' || letter.is_ascii_lowercase() || letter.is_ascii_digit();
        assert!(one.name.chars().all(kebab), "{}", one.name);
    }
}

/// Gives every item to some worker once, as many workers as cores; gathers what they say.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    side_by_side_by(std::thread::available_parallelism().map_or(1, std::num::NonZero::get), items, work)
}

/// Selections that share a world: it makes a sixth of the worlds, and they have to get along.
const TOGETHER: usize = 6;

/// What is wrong about these selections in one world; gives those that found no room in it back.
fn judged(selections: &[Selection], seed: u64, dir: &Path) -> (Vec<Selection>, Option<String>) {
    let trial = Trial { seed, events: EVENTS, selections: selections.to_vec(), transport: Transport::Files };
    let names: Vec<String> = selections.iter().map(ToString::to_string).collect();
    let report = match trial.judge(dir, &Cancel::default()) {
        Ok(report) => report,
        Err(error) => return (Vec::new(), Some(format!("{names:?}, world {seed}: {error}"))),
    };
    let found = |one: &Selection| report.planted.iter().any(|it| it.selection.to_string() == one.to_string());
    let without = selections.iter().filter(|one| !found(one)).copied().collect();
    let wrong = &report.differences;
    (without, (!wrong.is_empty()).then(|| format!("{names:?}, world {seed}: {wrong:#?}")))
}

#[test]
fn each_fault_fires_and_its_near_miss_does_not() {
    let selections: Vec<Selection> = selections(Transport::Files).collect();
    let count = selections.len().div_ceil(TOGETHER);
    // Neighbours in the registry may want the same record: whoever shares a world comes from afar.
    let groups: Vec<Vec<Selection>> =
        (0..count).map(|first| selections.iter().skip(first).step_by(count).copied().collect()).collect();
    let folder = tempdir().unwrap();
    let said = side_by_side(&groups, |place, group| {
        let dir = folder.path().join(place.to_string());
        let first = 1_000 + WORLDS * u64::try_from(place).unwrap();
        let (mut left, wrong) = judged(group, first, &dir);
        let mut wrongs: Vec<String> = wrong.into_iter().collect();
        for seed in first + 1..first + WORLDS {
            if left.is_empty() {
                break;
            }
            let (without, wrong) = judged(&left, seed, &dir);
            wrongs.extend(wrong);
            left = without;
        }
        wrongs.extend(left.into_iter().map(|one| format!("{one}: no room in {WORLDS} worlds from seed {first}")));
        wrongs
    });
    let wrong: Vec<String> = said.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), groups.len(), wrong.join("\n"));
}

/// A fault in a world of its own is seen by the oracle and would not be without it; a near miss is not, whatever other near
/// misses are beside it. Says what is wrong.
fn standing(selections: &[Selection], worlds: &[(World, Vec<Expected>)]) -> Vec<String> {
    let (mut left, mut wrong) = (selections.to_vec(), Vec::new());
    for (world, before) in worlds {
        if left.is_empty() {
            break;
        }
        let mut scene = Scene::of(world.clone());
        let planted = plant(&mut scene, &left);
        if planted.is_empty() {
            continue;
        }
        let after = expect(&scene).divergences;
        for one in &planted {
            let (code, near) = (one.selection.generator.code, one.selection.near);
            let shows = |all: &[Expected]| all.iter().any(|it| it.code == code && it.subject == one.subject);
            let (was, is) = (shows(before), shows(&after));
            if !(if near { !is || was } else { is && !was }) {
                wrong.push(format!("{} in world {}: before {was}, after {is}", one.selection, world.seed));
            }
        }
        let is_planted = |one: &Selection| planted.iter().any(|it| it.selection.to_string() == one.to_string());
        left.retain(|one| !is_planted(one));
    }
    wrong.extend(left.into_iter().map(|one| format!("{one}: no room in {} worlds", worlds.len())));
    wrong
}

#[test]
fn each_fault_stands_by_itself_and_no_near_miss_does() {
    let (near, faults): (Vec<Selection>, Vec<Selection>) =
        selections(Transport::Files).partition(|selection| selection.near);
    // Near misses are many and change nothing: some share a world, and whoever does comes from afar.
    let count = near.len().div_ceil(TOGETHER);
    let groups = (0..count).map(|first| near.iter().skip(first).step_by(count).copied().collect());
    let groups: Vec<Vec<Selection>> = faults.into_iter().map(|fault| vec![fault]).chain(groups).collect();
    let honest = |seed| {
        let world = World::generate(seed, 20);
        let expected = expect(&Scene::of(world.clone())).divergences;
        (world, expected)
    };
    let worlds: Vec<(World, Vec<Expected>)> = (1..=2 * WORLDS).map(honest).collect();
    let said = side_by_side(&groups, |_, group| standing(group, &worlds));
    let wrong: Vec<String> = said.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a divergence of that code shows of the record that it is about; absent are those that are about many records.
const SHOWS: [(Code, &str); 34] = [
    (Code::EvtMalformed, "carrier"),
    (Code::EvtBadId, "carrier"),
    (Code::EvtBadSig, "carrier"),
    (Code::EvtNotEnvelope, "carrier"),
    (Code::EvtKindMismatch, "carrier"),
    (Code::EvtBlanked, "carrier"),
    (Code::EnvAddressMismatch, "carrier"),
    (Code::EnvUnsigned, "carrier"),
    (Code::EnvSigBad, "carrier"),
    (Code::EnvWrapperDisagrees, "carrier"),
    (Code::EnvDuplicateKey, "carrier"),
    (Code::EnvSchema, "carrier"),
    (Code::EnvDoubleBilling, "first"),
    (Code::EnvTime, "carrier"),
    (Code::KeyUnknown, "carrier"),
    (Code::KeyWrongSet, "carrier"),
    (Code::KeyAlg, "carrier"),
    (Code::KeyCompromised, "carrier"),
    (Code::KeySetRewritten, "key-set"),
    (Code::FeeSplit, "carrier"),
    (Code::FeeUnreplayable, "carrier"),
    (Code::AmtRange, "carrier"),
    (Code::DropTotals, "manifest"),
    (Code::DropRoot, "manifest"),
    (Code::ActivityMismatch, "carrier"),
    (Code::AttId, "carrier"),
    (Code::AttFields, "carrier"),
    (Code::AttSig, "carrier"),
    (Code::AttScript, "carrier"),
    (Code::RebGap, "carrier"),
    (Code::RebDescriptor, "carrier"),
    (Code::RebQuorum, "carrier"),
    (Code::RebFork, "rotation"),
    (Code::RebInvariant, "carrier"),
];

/// The content addresses of what lies in a written world.
fn lying_in(dir: &Path) -> BTreeSet<EvidenceId> {
    let lines = |name: &str, media: Media| {
        let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
        text.lines().map(|line| RawEvidence::id_of(media, "", line.as_bytes())).collect::<Vec<_>>()
    };
    let mut ids: BTreeSet<EvidenceId> = lines("nostr/events.jsonl", Media::NostrEvent).into_iter().collect();
    ids.extend(lines("custody.jsonl", Media::Custody));
    ids.extend(lines("activity/activity.jsonl", Media::Activity));
    for entry in fs::read_dir(dir.join("keys")).unwrap() {
        ids.insert(RawEvidence::id_of(Media::Jwks, "", &fs::read(entry.unwrap().path()).unwrap()));
    }
    ids
}

/// Plants it in the first world with room, writes that, and runs the command over it.
fn drilled(selection: Selection, dir: &Path) -> (Value, BTreeSet<EvidenceId>, Subject) {
    let (scene, subject) = (1..=WORLDS)
        .find_map(|seed| {
            let mut scene = Scene::of(World::generate(seed, EVENTS));
            let planted = plant(&mut scene, &[selection]).pop()?;
            Some((scene, planted.subject))
        })
        .unwrap_or_else(|| panic!("{selection}: no room"));
    let (world, run) = (dir.join("world"), dir.join("run"));
    scene.write(&world).unwrap();
    let output = drill(
        &world.join("reledger.toml"),
        &run,
        &["--as-of", "2026-10-01T00:00:00Z", "--reveal-users", "--jobs", "1"],
    );
    assert!(run.join("report.json").exists(), "{selection}: {}", shown(&output));
    (report(&run), lying_in(&world), subject)
}

/// Why the divergence does not show the record that it is about.
fn hidden(selection: Selection, role: &str, dir: &Path) -> Option<String> {
    let (report, lying, subject) = drilled(selection, dir);
    let about = serde_json::to_value(&subject).unwrap();
    let code = selection.generator.code;
    let mut divergences = report["divergences"].as_array().into_iter().flatten();
    let Some(one) = divergences.find(|one| one["code"] == code.name() && one["subject"] == about) else {
        return Some(format!("{selection}: not reported about {about}"));
    };
    let cited = one["evidence"].as_array().into_iter().flatten().filter(|one| one["role"] == role);
    let known = |one: &Value| one["id"].as_str().is_some_and(|id| lying.iter().any(|held| held.to_string() == id));
    let mut cited = cited.peekable();
    let shows = cited.peek().is_some() && cited.all(known);
    (!shows || one["severity"] != code.severity().name()).then(|| format!("{selection}: {one:#}"))
}

#[test]
fn what_fires_shows_the_record_that_it_is_about() {
    let mut first: BTreeMap<Code, Selection> = BTreeMap::new();
    for generator in generators() {
        first.entry(generator.code).or_insert(Selection { generator, near: false });
    }
    let folder = tempdir().unwrap();
    let said = side_by_side(&SHOWS, |place, (code, role)| {
        let selection = *first.get(code).unwrap_or_else(|| panic!("{code} has no fault"));
        hidden(selection, role, &folder.path().join(place.to_string()))
    });
    let wrong: Vec<String> = said.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
