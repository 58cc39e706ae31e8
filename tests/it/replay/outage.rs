//! The outage itself: what a replay restores, what it tells, what it leaves alone.

use reledger::sim::World;
use serde_json::Value;

use super::stage::{AS_OF, EVENTS, Stage, Tide, at};
use crate::support::{code, report, shown, stdout};

#[test]
fn a_replay_restores_the_state_of_a_drill_from_empty_and_doing_it_again_changes_nothing() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("by-time");
    stage.before_the_outage("by-cursor");
    stage.turn(&Tide::All);
    let whole = stage.whole("whole");
    let since = at(middle);
    for (name, more) in [("by-time", vec!["--since", &since]), ("by-cursor", vec![])] {
        let behind = stage.snapshot(name);
        assert_ne!(behind.state_root, whole.state_root);
        let said = stage.replay(name, &more, 0);
        assert_eq!(said["safe_to_unfreeze"], true, "{said}");
        let restored = stage.snapshot(name);
        assert_eq!(restored.state_root, whole.state_root, "{name}");
        assert_eq!(restored.evidence_root, whole.evidence_root, "{name}");
        assert_ne!(restored.cursors, behind.cursors, "{name}");
        stage.replay(name, &more, 0);
        assert_eq!(stage.snapshot(name), restored, "{name}: the second replay changed something");
        assert_eq!(stage.audit(name), 0);
    }
    // What a drill knows of its sources a replayed run knows too.
    let places = |name: &str| -> Vec<Value> { stage.cursors(name).iter().map(|one| one["position"].clone()).collect() };
    assert_eq!(places("by-cursor"), places("whole"));
    assert_eq!(places("by-time"), places("whole"));
}

#[test]
fn a_replayed_window_is_a_row_of_its_own_beside_the_slice_that_was_covered_before() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    stage.turn(&Tide::All);
    stage.replay("run", &["--since", &at(middle), "--overlap", "1h"], 0);
    let found = report(&stage.run_dir("run"));
    let rows: Vec<&Value> = (found["coverage"].as_array().unwrap().iter())
        .filter(|row| row["source"] == stage.relay(0).as_str() && row["kind"] == "30087")
        .collect();
    let windows: Vec<(Option<i64>, bool)> =
        rows.iter().map(|row| (row["from"].as_i64(), row["complete"].as_bool().unwrap())).collect();
    assert_eq!(windows, [(None, true), (Some(middle - 3_600), true)]);
}

#[test]
fn a_replay_that_begins_too_late_tells_of_the_hole_until_one_begins_before_it() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    stage.turn(&Tide::All);
    let before = stage.cursor("run", 0);
    let late = middle + 40_000;
    let said = stage.replay_in_vain("run", &["--since", &at(late), "--overlap", "0s"]);
    assert!(said["notes"].to_string().contains("nobody asked"), "{said}");
    let hole = |stage: &Stage| -> Vec<(Value, Value)> {
        let all = stage.open("run", "SRC_INCOMPLETE").into_iter();
        let own = all.filter(|subject| subject["source"] == stage.relay(0).as_str() && subject["kind"] == "30087");
        own.map(|subject| (subject["from"].clone(), subject["until"].clone())).collect()
    };
    let expected = [(Value::from((middle + 1).to_string()), Value::from((late - 1).to_string()))];
    assert_eq!(hole(&stage), expected);
    assert_eq!(stage.cursor("run", 0), before, "no cursor passes a hole");
    // Judging again, or replaying as late again, closes no hole.
    assert!([1, 3].contains(&code(&stage.at(AS_OF, "run", &["rebuild", "--yes"]))));
    assert_eq!(hole(&stage), expected);
    stage.replay_in_vain("run", &["--since", &at(late), "--overlap", "0s"]);
    assert_eq!(hole(&stage), expected);
    // The cursors are from before it.
    stage.replay("run", &[], 0);
    assert_eq!(hole(&stage), []);
    assert_eq!(stage.snapshot("run").state_root, stage.whole("whole").state_root);
}

#[test]
fn a_replay_that_begins_where_the_capture_was_made_leaves_no_hole_however_quiet_it_was() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    let (_, newest) = stage.cursor("run", 0);
    assert!(newest.unwrap() < middle, "the relays were quiet before the outage");
    stage.turn(&Tide::All);
    stage.replay("run", &["--since", &at(middle + 1), "--overlap", "0s"], 0);
}

#[test]
fn relays_that_went_blind_move_no_cursor_and_the_run_is_incomplete_until_they_see_again() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    let cursors = stage.cursors("run");
    stage.turn(&Tide::Nothing);
    for more in [vec![], vec!["--since", &at(middle)[..]]] {
        stage.replay_in_vain("run", &more);
        let blind = stage.open("run", "SRC_INCOMPLETE");
        for relay in [stage.relay(0), stage.relay(1)] {
            assert!(blind.iter().any(|subject| subject["source"] == relay.as_str()), "{blind:?}");
        }
        assert_eq!(stage.cursors("run"), cursors);
    }
    stage.turn(&Tide::All);
    // The cursors are from before both of the windows that nobody answered in.
    stage.replay("run", &[], 0);
    assert_eq!(stage.snapshot("run").state_root, stage.whole("whole").state_root);
}

#[test]
fn unrelated_traffic_moves_no_cursor() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    let cursors = stage.cursors("run");
    // The outage goes on behind relays that are busy with what nobody asked for.
    for behaviours in [["relay:0=blind", "relay:1=blind"], ["relay:0=wrong-filter", "relay:1=wrong-subscription"]] {
        stage.turn_badly(&Tide::Until(middle), &behaviours);
        stage.at(AS_OF, "run", &["replay"]);
        assert_eq!(stage.cursors("run"), cursors, "{behaviours:?}");
    }
}

#[test]
fn a_relay_that_is_away_moves_only_its_own_cursor_not_and_is_accused_of_no_omission() {
    let stage = Stage::new();
    stage.before_the_outage("run");
    let before = [stage.cursor("run", 0), stage.cursor("run", 1)];
    stage.turn(&Tide::All);
    stage.close(1);
    // The other relay is enough for the policy.
    stage.replay("run", &[], 0);
    assert_ne!(stage.cursor("run", 0), before[0]);
    assert_eq!(stage.cursor("run", 1), before[1]);
    assert_eq!(stage.open("run", "SRC_OMITS"), Vec::<Value>::new());
    // Back again, and lacking what the other one holds: now it is.
    stage.turn_each(&[&Tide::All, &Tide::Until(before[1].1.unwrap())]);
    let output = stage.at(AS_OF, "run", &["replay"]);
    let omits = stage.open("run", "SRC_OMITS");
    assert!(omits.iter().any(|subject| subject["source"] == stage.relay(1).as_str()), "{}", shown(&output));
    assert_eq!(stage.cursor("run", 1), before[1]);
}

#[test]
fn an_event_of_the_cursors_own_second_that_arrives_later_is_captured() {
    let mut world = World::generate(12, EVENTS);
    let newest =
        world.events.iter().filter(|event| event.kind == 30_087).map(|event| event.created_at.0).max().unwrap();
    let second = newest + 7_200;
    let hand = world.hand();
    let three: Vec<_> = (0..3)
        .map(|number| {
            let d = vec!["d".to_owned(), format!("oc-me-event:same second {number}")];
            hand.event("service", 30_087, second, vec![d], format!("{{\"probe\":{number}}}"))
        })
        .collect();
    world.events.extend(three.clone());
    world.events.sort_by_key(|event| (event.kind, event.created_at, event.id));
    let stage = Stage::of(world);
    stage.turn(&Tide::Without(vec![three[2].clone()]));
    let now = at(second + 60);
    let output = stage.at(&now, "run", &["drill"]);
    assert!([0, 1].contains(&code(&output)), "{}", shown(&output));
    assert_eq!(stage.cursor("run", 0).1, Some(second));
    let unique = |name: &str| report(&stage.run_dir(name))["population"]["events"]["unique"].as_u64().unwrap();
    let two = unique("run");
    stage.turn(&Tide::All);
    let output = stage.at(&now, "run", &["replay", "--overlap", "0s"]);
    assert!([0, 1].contains(&code(&output)), "{}", shown(&output));
    assert_eq!(unique("run"), two + 1);
    let cursor =
        stage.cursors("run").into_iter().find(|one| one["source"] == stage.relay(0).as_str() && one["kind"] == "30087");
    assert_eq!(cursor.unwrap()["position"]["events"]["ids"].as_array().unwrap().len(), 3);
}

#[test]
fn a_relay_that_pruned_its_cursor_is_asked_for_everything_and_told() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    let before = stage.cursor("run", 0);
    stage.turn(&Tide::Since(middle));
    stage.replay("run", &[], 3);
    let found = report(&stage.run_dir("run"));
    let row = (found["coverage"].as_array().unwrap().iter())
        .find(|row| row["source"] == stage.relay(0).as_str() && row["kind"] == "30087" && row["complete"] == false);
    let reason = row.unwrap()["reason"].as_str().unwrap();
    assert!(reason.contains("shows none of the"), "{reason}");
    assert_eq!(stage.cursor("run", 0), before);
    // All that it still holds was taken nevertheless: the evidence is whole.
    stage.turn(&Tide::All);
    assert_eq!(stage.snapshot("run").state_root, stage.whole("whole").state_root);
    // Whoever accepts that it pruned resets the cursor.
    stage.turn(&Tide::Since(middle));
    assert_eq!(code(&stage.at(AS_OF, "run", &["cursor", "reset", "--yes"])), 0);
    let said = stage.replay("run", &[], 0);
    assert!(said["notes"].to_string().contains("was reset"), "{said}");
    assert_ne!(stage.cursor("run", 0), before);
}

#[test]
fn a_dry_run_contacts_nobody_and_changes_nothing() {
    let stage = Stage::new();
    let middle = stage.before_the_outage("run");
    let before = stage.snapshot("run");
    stage.close(0);
    stage.close(1);
    let output = stage.at(AS_OF, "run", &["replay", "--since", &at(middle), "--dry-run", "--json"]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let asks = value["would_ask"].as_array().unwrap();
    assert!(asks.iter().any(|ask| {
        ask["source"] == stage.relay(1).as_str() && ask["kind"] == "30087" && ask["from"] == middle - 900
    }));
    assert_eq!(stage.snapshot("run"), before);
}

#[test]
fn a_replay_wants_a_run_and_a_beginning_before_its_end() {
    let stage = Stage::new();
    assert_eq!(code(&stage.at(AS_OF, "none", &["replay"])), 2);
    assert!(!stage.run_dir("none").exists());
    stage.before_the_outage("run");
    for wrong in [
        vec!["replay", "--since", "2026-09-01", "--until", "2026-08-01"],
        vec!["replay", "--since", "soon"],
        vec!["replay", "--overlap", "15"],
        vec!["replay", "--since", "2026-09-01", "--from-snapshot", "x.tar.zst"],
    ] {
        assert_eq!(code(&stage.at(AS_OF, "run", &wrong)), 2, "{wrong:?}");
    }
}
