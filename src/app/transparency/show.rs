//! The page of a year in Markdown, and as JSON.

use serde_json::{Value, json};

use super::history::Change;
use super::{More, Page, Skipped, Told};
use crate::domain::UnixSeconds;
use crate::report::markdown_text;

/// The schema name of the page for programs.
const SCHEMA: &str = "reledger/transparency/1";
/// Hex digits of a digest that people get.
const DIGITS: usize = 16;

/// The page for people: Markdown in which nothing of what the runs say is markup.
pub fn page_text(page: &Page) -> String {
    let Page { year, told, skipped, repeated } = page;
    let mut text = format!("# Transparency report {year}\n\n");
    let passed = told.iter().filter(|run| exit_code(&run.entry) == Some(0)).count();
    text.push_str(&format!(
        "{} of {} runs passed (exit 0). Runs that did not pass are told like those that did. Made by reledger {}.\n",
        passed,
        told.len(),
        env!("CARGO_PKG_VERSION")
    ));
    for quarter in 1..=4 {
        text.push_str(&format!("\n## Q{quarter} {year}\n\n"));
        let runs: Vec<&Told> = told.iter().filter(|run| run.quarter == quarter).collect();
        if runs.is_empty() {
            text.push_str("No run of this quarter was given.\n");
            continue;
        }
        table(&runs, &mut text);
        for run in runs {
            one(run, &mut text);
        }
    }
    if !skipped.is_empty() || *repeated > 0 {
        text.push_str("\n## Not told\n\n");
        for Skipped { as_of, report_sha256 } in skipped {
            text.push_str(&format!("- the run as of {as_of}, report {}: not of {year}\n", short(report_sha256)));
        }
        if *repeated > 0 {
            text.push_str(&format!("- runs that were given more than once: {repeated}\n"));
        }
    }
    text
}

/// One row a run.
fn table(runs: &[&Told], text: &mut String) {
    text.push_str("| as of | verdict | steps | RTO of budget | RPO claimed, provable, of budget | open | accepted | may unfreeze | version |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for Told { entry, .. } in runs {
        let steps: Vec<&Value> = entry["runbook"].as_array().into_iter().flatten().collect();
        let passed = steps.iter().filter(|step| step["verdict"] == "pass").count();
        let (rto, rpo) = (&entry["objectives"]["rto"], &entry["objectives"]["rpo"]);
        let cells = [
            at(entry),
            format!("{}, exit {}", word(&entry["verdict"]["outcome"]), number(&entry["verdict"]["exit_code"])),
            format!("{passed} of {} passed", steps.len()),
            format!("{} of {}{}", span(&rto["seconds"]), span(&rto["budget_seconds"]), missed(rto)),
            format!(
                "{}, {}, of {}{}",
                span(&rpo["claimed_seconds"]),
                span(&rpo["provable_seconds"]),
                span(&rpo["budget_seconds"]),
                missed(rpo)
            ),
            in_state(entry, "open").to_string(),
            in_state(entry, "acknowledged").to_string(),
            if entry["ready_to_unfreeze"] == true { "yes" } else { "no" }.to_owned(),
            word(&entry["tool"]["version"]),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

/// Everything about one run.
fn one(run: &Told, text: &mut String) {
    let Told { entry, drills, more, changes, .. } = run;
    text.push_str(&format!("\n### As of {}\n\n{}\n\n", at(entry), word(&entry["verdict"]["sentence"])));
    for name in ["report_sha256", "state_root", "manifest_sha256"] {
        let digest = entry[name].as_str().map_or_else(|| "unknown".to_owned(), markdown_text);
        text.push_str(&format!("- {}: {digest}\n", name.replace('_', " ")));
    }
    for drill in drills {
        text.push_str(&format!("- {}\n", drilled(drill)));
    }
    let steps = || entry["runbook"].as_array().into_iter().flatten();
    let named = |wanted: bool| -> Vec<String> {
        let own = steps().filter(|step| (step["verdict"] == "pass") == wanted);
        let named = |step: &Value| format!("{} {}", number(&step["step"]), word(&step["name"]));
        let why = |step: &Value| if wanted { String::new() } else { format!(": {}", word(&step["verdict"])) };
        own.map(|step| named(step) + &why(step)).collect()
    };
    text.push_str(&format!("- steps passed: {}\n", listed(&named(true))));
    text.push_str(&format!("- steps not passed: {}\n", listed(&named(false))));
    if let Some(more) = more {
        details(more, text);
    } else {
        text.push_str("- known from a feed only: ages, acceptances, sources and checks stand in the run's report\n");
        by_code(entry, text);
    }
    match changes {
        None => text.push_str("\nRunbook changes: no run before this one was given.\n"),
        Some(changes) if changes.is_empty() => text.push_str("\nRunbook changes since the run before: none.\n"),
        Some(changes) => {
            text.push_str("\nRunbook changes since the run before:\n\n");
            for change in changes {
                text.push_str(&format!("- {}\n", changed(change)));
            }
        }
    }
}

/// As which drill, and where its time went.
fn drilled(drill: &Value) -> String {
    let stages = drill["stages"].as_array().into_iter().flatten();
    let stages: Vec<String> = (stages)
        .map(|stage| {
            let millis = stage["milliseconds"].as_u64().unwrap_or_default();
            format!("{} {}.{:03} s", word(&stage["stage"]), millis / 1_000, millis % 1_000)
        })
        .collect();
    let interrupted = match drill["resumed"].as_u64() {
        Some(0) => String::new(),
        _ => format!(", interrupted {} times: times are of its last part", number(&drill["resumed"])),
    };
    let from =
        drill["from_snapshot"].as_str().map_or_else(String::new, |file| format!(", from snapshot {}", short(file)));
    format!("{} drill{from}{interrupted}; stages: {}", word(&drill["profile"]), listed(&stages))
}

fn details(more: &More, text: &mut String) {
    let not_run: Vec<String> = more.not_run.iter().map(|check| markdown_text(check)).collect();
    text.push_str(&format!("- declared checks that did not run: {}\n", listed(&not_run)));
    if more.open.is_empty() {
        text.push_str("\nNothing is open.\n");
    } else {
        text.push_str("\n| open | severity | count | open since the run of | days |\n|---|---|---|---|---|\n");
        for one in &more.open {
            let code = markdown_text(one.code.name());
            text.push_str(&format!(
                "| {code} | {} | {} | {} | {} |\n",
                one.severity,
                one.count,
                date(one.since),
                one.age_days
            ));
        }
    }
    if !more.accepted.is_empty() {
        text.push_str("\n| accepted | count | by | until |\n|---|---|---|---|\n");
        for one in &more.accepted {
            let by = if one.by.is_empty() { "nobody named".to_owned() } else { markdown_text(&one.by) };
            let until = one.until.map_or_else(|| "unknown".to_owned(), date);
            text.push_str(&format!("| {} | {} | {by} | {until} |\n", markdown_text(one.code.name()), one.count));
        }
    }
}

/// Open divergences, where their ages are not known.
fn by_code(entry: &Value, text: &mut String) {
    let open = entry["divergences"].as_array().into_iter().flatten().filter(|one| one["state"] == "open");
    let open: Vec<String> = (open)
        .map(|one| format!("{} ({}) {}", word(&one["code"]), word(&one["severity"]), number(&one["count"])))
        .collect();
    text.push_str(&format!("- open: {}\n", listed(&open)));
}

fn changed(change: &Change) -> String {
    let Change { what, before, after } = change;
    let shown = |list: &[String]| {
        let shown: Vec<String> = list.iter().map(|one| markdown_text(one)).collect();
        listed(&shown)
    };
    let name = what.replace('_', " ");
    match *what {
        "sources" | "checks" => format!("{name}: gone {}; new {}", shown(before), shown(after)),
        _ => format!("{name}: {} before, {} now", shown(before), shown(after)),
    }
}

fn listed(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// A foreign text.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| "unknown".to_owned(), markdown_text)
}

fn number(value: &Value) -> String {
    value.as_i64().map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

fn exit_code(entry: &Value) -> Option<u64> {
    entry["verdict"]["exit_code"].as_u64()
}

fn at(entry: &Value) -> String {
    entry["as_of"]["time"].as_i64().map_or_else(|| "unknown".to_owned(), |at| UnixSeconds(at).to_string())
}

fn date(at: UnixSeconds) -> String {
    let (year, month, day) = at.civil_date();
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds as hours, minutes and seconds.
fn span(value: &Value) -> String {
    value.as_u64().map_or_else(
        || "unknown".to_owned(),
        |seconds| format!("{}h {:02}m {:02}s", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    )
}

fn missed(objective: &Value) -> &'static str {
    match (&objective["missed"], &objective["budget_seconds"]) {
        (Value::Bool(true), _) => ", missed",
        (_, Value::Null) => "",
        _ => ", met",
    }
}

fn short(digest: &str) -> String {
    markdown_text(digest.get(..DIGITS).unwrap_or(digest))
}

fn in_state(entry: &Value, state: &str) -> u64 {
    let own = entry["divergences"].as_array().into_iter().flatten().filter(|one| one["state"] == state);
    own.filter_map(|one| one["count"].as_u64()).sum()
}

/// The page for programs.
pub fn page_value(page: &Page, exit_code: u8) -> Value {
    let quarters: Vec<Value> = (1..=4)
        .map(|quarter| {
            let runs: Vec<Value> = page.told.iter().filter(|run| run.quarter == quarter).map(run_value).collect();
            json!({"quarter": quarter, "missing": runs.is_empty(), "runs": runs})
        })
        .collect();
    let skipped: Vec<Value> = (page.skipped.iter())
        .map(|one| json!({"as_of": one.as_of.0, "report_sha256": one.report_sha256, "reason": "another year"}))
        .collect();
    json!({
        "schema": SCHEMA, "year": page.year, "exit_code": exit_code, "quarters": quarters, "skipped": skipped,
        "repeated": page.repeated,
    })
}

fn run_value(run: &Told) -> Value {
    let more = run.more.as_ref().map(|more| {
        let open: Vec<Value> = (more.open.iter())
            .map(|one| {
                json!({
                    "code": one.code.name(), "severity": one.severity.name(), "count": one.count, "since": one.since.0,
                    "age_days": one.age_days,
                })
            })
            .collect();
        let accepted: Vec<Value> = (more.accepted.iter())
            .map(|one| {
                let until = one.until.map(|until| until.0);
                json!({"code": one.code.name(), "count": one.count, "by": one.by, "until": until})
            })
            .collect();
        json!({"open": open, "accepted": accepted, "not_run": more.not_run})
    });
    let changes = run.changes.as_ref().map(|changes| -> Vec<Value> {
        let one = |change: &Change| json!({"what": change.what, "before": change.before, "after": change.after});
        changes.iter().map(one).collect()
    });
    json!({"run": run.entry, "drills": run.drills, "more": more, "changes": changes})
}
