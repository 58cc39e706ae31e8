//! What `report render` makes of a run's folder, whole or damaged. What belongs here: folders, files, exit codes; what stands in a
//! rendering is tested where it is made.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, drill, fixtures, run, shown};

/// A finished run of the real inputs.
fn finished() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let run_dir = folder.path().join("run");
    drill(&fixtures().join("real/reledger.toml"), &run_dir, &["--offline"]);
    (folder, run_dir)
}

/// Exit code and stderr of rendering the run to a page in that file.
fn rendered(run_dir: &Path, to: &str, out: &Path) -> (i32, String) {
    let output = run(&["report", "render", "--to", to, "--run", arg(run_dir), "-o", arg(out)]);
    (code(&output), shown(&output))
}

#[test]
fn a_run_writes_its_renderings_and_rendering_it_again_gives_the_same_bytes() {
    let (folder, run_dir) = finished();
    let files = [
        ("text", "summary.txt"),
        ("html", "report.html"),
        ("md", "report.md"),
        ("junit", "report.xml"),
        ("openmetrics", "metrics.prom"),
    ];
    for (to, file) in files {
        let out = folder.path().join(file);
        assert_eq!(rendered(&run_dir, to, &out).0, 0);
        assert_eq!(fs::read(&out).unwrap(), fs::read(run_dir.join(file)).unwrap(), "{file}");
        let (exit, told) = rendered(&run_dir, to, &out);
        assert_eq!(exit, 6, "a file is not replaced unasked: {told}");
    }
    let page = fs::read_to_string(run_dir.join("report.html")).unwrap();
    assert!(page.ends_with("</html>\n"));
}

#[test]
fn a_folder_that_is_no_whole_run_is_refused_with_the_member_and_nothing_is_written() {
    let (folder, run_dir) = finished();
    let report = fs::read_to_string(run_dir.join("report.json")).unwrap();
    let changed = |name: &str, value: Value| {
        let mut report: Value = serde_json::from_str(&report).unwrap();
        report[name] = value;
        Some(report.to_string())
    };
    let damages: [(&str, Option<String>, i32, &str); 12] = [
        ("evidence/manifest.json", None, 2, "evidence/manifest.json is missing"),
        ("evidence/manifest.json", Some("{}".to_owned()), 5, "evidence member manifest.json"),
        ("evidence/custody.jsonl", None, 5, "evidence/custody.jsonl is missing"),
        ("report.json", None, 2, "report.json is missing"),
        ("run.json", None, 2, "run.json is missing"),
        ("report.json", Some(report[..report.len() / 2].to_owned()), 5, "report.json"),
        ("report.json", Some(format!("{report} ")), 5, "is not the report that evidence/custody.jsonl tells of"),
        (
            "report.json",
            Some(report.replacen("\"exit_code\":1", "\"exit_code\":0", 1)),
            5,
            "is not the report that evidence/custody.jsonl tells of",
        ),
        ("report.json", changed("schema", "reledger/report/2".into()), 2, "`schema`"),
        ("report.json", changed("tool", serde_json::json!({"name": "other", "version": "1"})), 2, "`tool`"),
        ("report.json", changed("more", 1.into()), 2, "`more`"),
        ("report.json", changed("checks", 1.into()), 5, "`checks`"),
    ];
    for (place, (member, bytes, exit, words)) in damages.into_iter().enumerate() {
        let damaged = folder.path().join(format!("damaged-{place}"));
        fs::create_dir_all(damaged.join("evidence")).unwrap();
        let parts = ["report.json", "run.json", "evidence/manifest.json", "evidence/custody.jsonl"];
        for name in parts.into_iter().filter(|name| *name != member) {
            fs::copy(run_dir.join(name), damaged.join(name)).unwrap();
        }
        if let Some(bytes) = bytes {
            fs::write(damaged.join(member), bytes).unwrap();
        }
        let out = folder.path().join(format!("page-{place}"));
        let (found, told) = rendered(&damaged, "html", &out);
        assert_eq!(found, exit, "{place}: {told}");
        assert!(told.contains(words), "{place}: {told}");
        assert!(!out.exists(), "{place}");
    }
    let (exit, told) = rendered(&folder.path().join("nowhere"), "html", &folder.path().join("page"));
    assert_eq!(exit, 2, "{told}");
}

#[test]
fn a_disk_that_is_full_is_told_and_a_reader_that_goes_away_is_not() {
    let (_folder, run_dir) = finished();
    let (exit, told) = rendered(&run_dir, "html", Path::new("/dev/full"));
    assert_eq!(exit, 74, "{told}");
    let mut command = crate::support::reledger();
    command.args(["report", "render", "--to", "html", "--run", arg(&run_dir)]).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
