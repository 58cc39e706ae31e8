//! Cursors: listed, carried, lost, recovered, forgotten.

use std::fs;

use reledger::domain::{Position, UnixSeconds};
use reledger::sim::World;
use reledger::store::{Engine, EvidenceStore as _, LogStore, SideRecord};
use serde_json::{Value, json};

use super::stage::{AS_OF, EVENTS, Stage, Tide, at};
use crate::support::{arg, code, shown, stdout};

#[test]
fn a_drill_commits_what_it_can_prove_and_list_says_so() {
    let stage = Stage::new();
    stage.whole("run");
    let newest = stage.world().events.iter().filter(|event| event.kind == 30_087).map(|event| event.created_at.0).max();
    assert_eq!(stage.cursor("run", 0), ("committed".to_owned(), newest));
    assert_eq!(stage.cursor("run", 1), ("committed".to_owned(), newest));
    let log = stage.cursors("run").into_iter().find(|cursor| cursor["kind"] == "payment-log-entry").unwrap();
    let highest = stage.world().payment_log.iter().map(|entry| entry.id).max().unwrap();
    assert_eq!(log["position"], json!({"log-id": highest}));
    assert!(stage.cursors("run").iter().all(|cursor| cursor["origin"] != "committed" || cursor["provable"] == true));
}

#[test]
fn an_event_of_the_future_takes_no_cursor_along() {
    let mut world = World::generate(14, 12);
    let future = world.as_of().0 + 400 * 86_400;
    let d = vec!["d".to_owned(), "oc-me-event:from the future".to_owned()];
    let event = world.hand().event("service", 30_087, future, vec![d], "{\"probe\":true}".to_owned());
    let newest = world.events.iter().filter(|event| event.kind == 30_087).map(|event| event.created_at.0).max();
    world.events.push(event);
    let stage = Stage::of(world);
    let output = stage.at(AS_OF, "run", &["drill"]);
    assert!([0, 1].contains(&code(&output)), "{}", shown(&output));
    assert_eq!(stage.cursor("run", 0).1, newest);
}

#[test]
fn capture_alone_commits_none_and_a_replay_derives_them_from_receipts() {
    let stage = Stage::new();
    let middle = stage.middle();
    stage.turn(&Tide::Until(middle));
    assert_eq!(code(&stage.at(&at(middle), "run", &["capture"])), 0);
    let (origin, place) = stage.cursor("run", 0);
    assert_eq!(origin, "derived");
    stage.turn(&Tide::All);
    let said = stage.replay("run", &[], 0);
    assert!(said["notes"].to_string().contains("none was committed"), "{said}");
    assert!(stage.cursor("run", 0).1 > place);
    assert_eq!(stage.snapshot("run").state_root, stage.whole("whole").state_root);
}

/// From a cursor's value to one that stands for no cursor.
type Spoiler<'a> = &'a dyn Fn(&str) -> String;

/// Writes into the run's store what no command would.
fn spoil(stage: &Stage, name: &str, value: impl Fn(&str) -> String) {
    let run_dir = stage.run_dir(name);
    let engine = Engine::from_url("memory:").unwrap();
    let mut store = LogStore::open(&run_dir.join("evidence"), &run_dir.join("state"), &engine).unwrap();
    let names = [0, 1].map(|index| format!("30087 {}", stage.relay(index)));
    let spoiled = names.map(|name| {
        let held = store.cursor(&name).unwrap().expect("the drill committed it");
        SideRecord::Cursor { value: value(&held), name }
    });
    store.put_side(&spoiled).unwrap();
    store.seal_segments().unwrap();
}

#[test]
fn a_cursor_that_is_unreadable_or_ahead_of_the_store_is_replaced_by_a_safe_one() {
    let stage = Stage::new();
    let middle = stage.middle();
    let ahead = |value: &str| {
        let mut cursor: Value = serde_json::from_str(value).unwrap();
        let ids = vec![stage.world().events.last().unwrap().id];
        let position = Position { time: UnixSeconds(middle + 1_000_000), ids };
        cursor["position"] = json!({"events": position});
        cursor.to_string()
    };
    let empty = |value: &str| {
        let mut cursor: Value = serde_json::from_str(value).unwrap();
        cursor["position"] = json!({"events": {"time": middle + 1_000_000, "ids": []}});
        cursor.to_string()
    };
    let spoilers: [(&str, Spoiler<'_>, &str); 3] = [
        ("unreadable", &|_| "{\"schema\":\"reledger/cursor/99\"}".to_owned(), "can't be read"),
        ("ahead", &ahead, "the store holds 0 of the 1 events"),
        ("empty", &empty, "nothing vouches"),
    ];
    for (name, value, told) in spoilers {
        stage.before_the_outage(name);
        let (origin, place) = stage.cursor(name, 0);
        assert_eq!(origin, "committed");
        spoil(&stage, name, value);
        assert_eq!(stage.cursor(name, 0), ("derived".to_owned(), place), "{name}");
        stage.turn(&Tide::All);
        let said = stage.replay(name, &[], 0);
        assert!(said["notes"].to_string().contains(told), "{name}: {said}");
        assert_eq!(stage.cursor(name, 0).0, "committed");
        assert!(stage.cursor(name, 0).1 > place);
    }
    let whole = stage.whole("whole");
    for (name, ..) in spoilers {
        assert_eq!(stage.snapshot(name).state_root, whole.state_root, "{name}");
    }
}

#[test]
fn an_export_is_taken_back_whole_and_a_changed_one_is_refused() {
    let stage = Stage::new();
    stage.whole("run");
    let before = stage.snapshot("run");
    let file = stage.folder.path().join("cursors.json");
    assert_eq!(code(&stage.at(AS_OF, "run", &["cursor", "export", arg(&file)])), 0);
    let text = fs::read_to_string(&file).unwrap();
    let printed = stage.at(AS_OF, "run", &["cursor", "export", "-"]);
    assert_eq!(stdout(&printed), text);
    let import = |name: &str| stage.at(AS_OF, name, &["cursor", "import", arg(&file), "--json"]);
    assert_eq!(code(&import("run")), 0);
    assert_eq!(stage.snapshot("run"), before);
    assert_eq!(code(&stage.at(AS_OF, "run", &["cursor", "reset", "--yes"])), 0);
    assert_eq!(stage.cursor("run", 0), ("reset".to_owned(), None));
    assert_eq!(stage.audit("run"), 0, "a reset leaves a run that can be audited");
    assert_eq!(code(&import("run")), 0);
    assert_eq!(stage.cursors("run"), before.cursors);
    assert_eq!(stage.audit("run"), 0);
    for changed in [text.replacen("\"time\":1", "\"time\":2", 1), "{}".to_owned(), text[..text.len() / 2].to_owned()] {
        assert_ne!(changed, text);
        fs::write(&file, changed).unwrap();
        let output = import("run");
        assert_eq!(code(&output), 5, "{}", shown(&output));
        assert!(shown(&output).contains("checksum_error"), "{}", shown(&output));
    }
    assert_eq!(stage.cursors("run"), before.cursors);
}

#[test]
fn a_cursor_that_the_run_does_not_bear_out_is_lowered_and_what_follows_is_fetched_again() {
    let stage = Stage::new();
    stage.whole("ahead");
    stage.before_the_outage("behind");
    let (_, own) = stage.cursor("behind", 0);
    let file = stage.folder.path().join("cursors.json");
    stage.at(AS_OF, "ahead", &["cursor", "export", arg(&file)]);
    let dry = stage.at(AS_OF, "behind", &["cursor", "import", arg(&file), "--dry-run"]);
    assert_eq!(code(&dry), 3, "{}", shown(&dry));
    let output = stage.at(AS_OF, "behind", &["cursor", "import", arg(&file)]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
    let told = format!("everything from {} on is fetched again", at(own.unwrap()));
    assert!(stdout(&output).contains(&told), "{}", shown(&output));
    assert_eq!(stage.cursor("behind", 0), ("committed".to_owned(), own));
    stage.turn(&Tide::All);
    stage.replay("behind", &[], 0);
    assert_eq!(stage.snapshot("behind").state_root, stage.snapshot("ahead").state_root);
}

#[test]
fn a_cursor_of_a_source_that_is_not_configured_is_kept_and_told() {
    let (stage, other) = (Stage::new(), Stage::of(World::generate(7, EVENTS)));
    stage.whole("run");
    other.whole("run");
    let file = stage.folder.path().join("cursors.json");
    other.at(AS_OF, "run", &["cursor", "export", arg(&file)]);
    let output = stage.at(AS_OF, "run", &["cursor", "import", arg(&file)]);
    // The same events came from other addresses: nothing shows that these gave them.
    assert_eq!(code(&output), 3, "{}", shown(&output));
    assert!(stdout(&output).contains("does not name this source"), "{}", shown(&output));
    assert!(stage.cursors("run").iter().any(|cursor| cursor["declared"] == false));
    // It changes nothing for those that are configured.
    stage.replay("run", &[], 0);
}

#[test]
fn a_reset_wants_a_word_names_a_source_and_makes_everything_be_asked_for_again() {
    let stage = Stage::new();
    let whole = stage.whole("run");
    assert_eq!(code(&stage.at(AS_OF, "run", &["cursor", "reset"])), 6);
    assert_eq!(code(&stage.at(AS_OF, "run", &["cursor", "reset", "ws://127.0.0.1:1", "--yes"])), 2);
    let dry = stage.at(AS_OF, "run", &["cursor", "reset", "--dry-run"]);
    assert_eq!(code(&dry), 0);
    assert!(stdout(&dry).contains(&stage.relay(0)), "{}", shown(&dry));
    assert_eq!(stage.snapshot("run"), whole);
    let relay = stage.relay(0);
    assert_eq!(code(&stage.at(AS_OF, "run", &["cursor", "reset", &relay, "--yes"])), 0);
    assert_eq!(stage.cursor("run", 0).0, "reset");
    assert_eq!(stage.cursor("run", 1).0, "committed");
    let output = stage.at(AS_OF, "run", &["replay", "--dry-run"]);
    assert!(stdout(&output).contains(&format!("{relay} kind 30087: whole")), "{}", shown(&output));
    stage.replay("run", &[], 0);
    let again = stage.snapshot("run");
    assert_eq!((again.cursors, again.report), (whole.cursors, whole.report));
}
