//! The mark of a forced restore: in every rendering, and for ever.

use std::fs;

use serde_json::Value;

use super::making::{file, key, make};
use crate::checkpoints::desk::{Desk, NOW};
use crate::support::{report, stdout};

/// Renderings that a run's folder holds, and what each shows of the mark.
const FILES: [(&str, &str); 5] = [
    ("summary.txt", "restored by force"),
    ("report.html", "restored by force"),
    ("report.md", "restored by force"),
    ("report.xml", "source=restore:unverified"),
    ("metrics.prom", "source=\"restore:unverified\""),
];

/// Looks at everything that is told of the run.
fn is_marked(desk: &Desk, what: &str) {
    for (name, mark) in FILES {
        let text = fs::read_to_string(desk.path("run").join(name)).unwrap();
        assert!(text.contains(mark), "{what}: {name}");
    }
    // Made again, of the report alone.
    for (to, mark) in [("text", FILES[0].1), ("html", FILES[1].1), ("md", FILES[2].1), ("junit", FILES[3].1)] {
        let told = desk.ends(&["report", "render", "--to", to], 0);
        assert!(told.contains(mark), "{what}: render {to}");
    }
    assert!(desk.ends(&["report", "render", "--to", "openmetrics"], 0).contains(FILES[4].1), "{what}: openmetrics");
    for table in ["coverage", "divergences"] {
        let told = desk.ends(&["report", "render", "--to", "csv", "--table", table], 0);
        assert!(told.contains("restore:unverified"), "{what}: csv of {table}");
    }
    let found = report(&desk.path("run"));
    assert_eq!(found["verdict"]["exit_code"], 3, "{what}");
    assert_eq!(found["runbook"]["ready_to_unfreeze"], false, "{what}");
    let junit = fs::read_to_string(desk.path("run/report.xml")).unwrap();
    assert!(!junit.contains("errors=\"0\""), "{what}: a build server must not show it green");
    let success = "reledger_last_success_timestamp_seconds";
    assert!(!fs::read_to_string(desk.path("run/metrics.prom")).unwrap().contains(success), "{what}");
    let shown = desk.run(&["audit", &desk.text("run"), "--offline"]);
    assert_eq!(crate::support::code(&shown), 3, "{what}: {}", stdout(&shown));
    assert!(stdout(&shown).contains(FILES[0].1), "{what}: audit");
}

#[test]
fn no_rendering_replay_or_snapshot_of_a_forced_restore_is_without_its_mark() {
    let desk = Desk::new();
    desk.grow();
    let made = make(&desk, NOW, &[]);
    let config = Desk::config();
    // The near miss: restored by a key, the same evidence has no mark.
    fs::remove_dir_all(desk.path("run")).unwrap();
    desk.ends(&["snapshot", "restore", &file(&made), "--key", &key(&made)], 0);
    desk.ends(&["rebuild", "-c", &config, "--yes"], 0);
    for (name, _) in FILES {
        let text = fs::read_to_string(desk.path("run").join(name)).unwrap();
        assert!(!text.contains("restore:unverified"), "{name}");
    }
    fs::remove_dir_all(desk.path("run")).unwrap();
    desk.ends(&["snapshot", "restore", &file(&made), "--force-unverified"], 0);
    desk.ends(&["rebuild", "-c", &config], 3);
    is_marked(&desk, "rebuilt");
    let replayed = desk.run(&["replay", "-c", &config, "--json"]);
    assert_eq!(crate::support::code(&replayed), 3);
    let told: Value = crate::support::parsed(&replayed.stdout);
    assert_eq!(told["replay"]["safe_to_unfreeze"], false);
    is_marked(&desk, "replayed");
    let again = make(&desk, "2026-10-05T00:00:00Z", &["--yes"]);
    fs::remove_dir_all(desk.path("run")).unwrap();
    desk.ends(&["snapshot", "restore", &file(&again), "--key", &key(&again)], 0);
    is_marked(&desk, "packed, signed and restored");
    // The whole way, with one command, from the archive that a key has signed.
    fs::remove_dir_all(desk.path("run")).unwrap();
    let whole = ["replay", "-c", &config, "--from-snapshot", &file(&again), "--key", &key(&again)];
    assert!(desk.ends(&whole, 3).contains("keep frozen"));
    is_marked(&desk, "restored and replayed");
}
