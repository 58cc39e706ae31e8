//! The report as its readers meet it: at most forty lines for people, members and totals for programs.

use tempfile::tempdir;

use crate::support::{code, drill, fixtures, report, shown, stdout, write_world};

#[test]
fn the_summary_fits_forty_lines_and_says_the_verdict_first_and_the_sentence_last() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 13, 30);
    for (name, config) in [("honest", config), ("real", fixtures().join("real/reledger.toml"))] {
        let run_dir = folder.path().join(name);
        let output = drill(&config, &run_dir, &[]);
        let text = stdout(&output);
        let sentence = report(&run_dir)["verdict"]["sentence"].as_str().unwrap().to_owned();
        assert!(text.lines().count() <= 40, "{text}");
        assert_eq!(text.lines().last().unwrap(), sentence);
        let outcome = report(&run_dir)["verdict"]["outcome"].as_str().unwrap().to_uppercase();
        assert!(text.lines().next().unwrap().starts_with(&outcome), "{text}");
    }
}

#[test]
fn no_user_stands_in_clear_unless_revealed_and_the_report_says_which() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 14, 30);
    // A statement that is wrong about its first user by one satoshi.
    let statement = folder.path().join("world/balances.jsonl");
    let text = std::fs::read_to_string(&statement).unwrap();
    let mut first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let user = first["user"].as_str().unwrap().to_owned();
    first["balance_sats"] = (first["balance_sats"].as_i64().unwrap() + 1).into();
    let rest: Vec<&str> = text.lines().skip(1).collect();
    std::fs::write(&statement, format!("{first}\n{}\n", rest.join("\n"))).unwrap();
    for (name, flag, revealed) in [("hidden", &[][..], false), ("clear", &["--reveal-users"][..], true)] {
        let run_dir = folder.path().join(name);
        let output = drill(&config, &run_dir, flag);
        assert_eq!(code(&output), 1, "{}", shown(&output));
        let report = report(&run_dir);
        assert_eq!(report["summary"]["by_code"]["BALANCE_MISMATCH"], 1);
        assert_eq!(report["inputs"]["users_revealed"], revealed);
        assert_eq!(report.to_string().contains(&user), revealed);
        assert_eq!(shown(&output).contains(&user[..12]), revealed);
    }
}
