//! The report as its readers meet it: at most forty lines for people, members and totals for programs.

use reledger::sim::World;
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

/// A file of one JSON value a line.
fn lines(path: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_totals_of_an_honest_world_are_what_its_maker_counted() {
    let folder = tempdir().unwrap();
    let (seed, events) = (16, 60);
    let config = write_world(&folder.path().join("world"), seed, events);
    let run_dir = folder.path().join("run");
    let output = drill(&config, &run_dir, &[]);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let report = report(&run_dir);
    let truth = World::generate(seed, events).manifest();
    let number = |pointer: &str| report.pointer(pointer).unwrap().as_u64().unwrap_or_else(|| panic!("{pointer}"));
    let wide = |count: usize| u64::try_from(count).unwrap();

    assert_eq!(number("/population/envelopes/accepted"), wide(truth.envelopes.values().sum()));
    assert_eq!(number("/ledgers/envelope/totals/events"), wide(truth.envelopes["oc-me-event"]));
    assert_eq!(number("/ledgers/rebind/totals/rebinds"), wide(truth.envelopes["oc-me-rebind"]));
    assert_eq!(number("/ledgers/envelope/totals/gross_sats"), truth.gross_sats);
    assert_eq!(number("/population/events/accepted"), wide(truth.events.values().sum()));
    assert_eq!(number("/population/settlements/accepted"), wide(truth.settlements.values().sum()));
    assert_eq!(number("/population/invoices/accepted"), wide(truth.invoices));
    assert_eq!(number("/population/payment_log/accepted"), wide(truth.payment_log));
    assert_eq!(number("/ledgers/projects/totals/projects"), wide(truth.projects));
    assert_eq!(number("/population/headers/accepted"), wide(truth.headers));
    assert_eq!(number("/summary/by_code/OTS_PENDING"), wide(truth.pending));

    let stated = lines(&folder.path().join("world/balances.jsonl"));
    let owed: u64 = stated.iter().map(|line| line["balance_sats"].as_u64().unwrap()).sum();
    assert_eq!(number("/balances/sum_sats"), owed);
    // A person whose binding joins two of these names is one user.
    let names: Vec<&str> = stated.iter().map(|line| line["user"].as_str().unwrap()).collect();
    let is_joined = |event: &&serde_json::Value| {
        let message = event["content"].as_str().unwrap();
        event["kind"] == 30_079 && names.iter().filter(|name| message.contains(*name)).count() == 2
    };
    let joined = lines(&folder.path().join("world/nostr/events.jsonl")).iter().filter(is_joined).count();
    assert!(joined > 0, "the world has such a person");
    assert_eq!(number("/balances/users"), wide(truth.users - joined));
    assert_eq!(number("/ledgers/envelope/totals/user_sats") - truth.paid_sats + truth.adjusted_sats, owed);
}

#[test]
fn every_report_says_which_stores_no_rebuild_brings_back_and_what_follows() {
    let folder = tempdir().unwrap();
    let config = write_world(&folder.path().join("world"), 17, 10);
    let run_dir = folder.path().join("own");
    assert_eq!(code(&drill(&config, &run_dir, &[])), 0);
    let plain = report(&run_dir);
    let stores = |report: &serde_json::Value| -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let all = report["not_rebuilt"].as_array().unwrap();
        all.iter().map(|lost| (text(&lost["store"]), text(&lost["consequence"]))).collect()
    };
    let names: Vec<String> = stores(&plain).into_iter().map(|(store, _)| store).collect();
    assert_eq!(names, ["session revocations", "account rows"]);
    // In the operator's own words, and one that only the operator knows of.
    let own = "[[not_rebuilt]]\nstore = \"account rows\"\nconsequence = \"ask the desk\"\n\
        [[not_rebuilt]]\nstore = \"push tokens\"\nconsequence = \"devices register anew\"\n";
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{own}")).unwrap();
    let run_dir = folder.path().join("more");
    assert_eq!(code(&drill(&config, &run_dir, &[])), 0);
    let more = report(&run_dir);
    assert_eq!(stores(&more)[0], stores(&plain)[0]);
    assert_eq!(
        stores(&more)[1..],
        [("account rows", "ask the desk"), ("push tokens", "devices register anew")]
            .map(|(store, consequence)| (store.to_owned(), consequence.to_owned()))
    );
    for name in ["report.html", "report.md", "summary.txt"] {
        let text = std::fs::read_to_string(run_dir.join(name)).unwrap();
        assert!(text.contains("push tokens"), "{name}");
        assert_eq!(text.contains("devices register anew"), name != "summary.txt", "{name}");
    }
}
