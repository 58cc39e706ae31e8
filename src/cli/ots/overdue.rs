//! `reledger ots overdue`.

use std::process::ExitCode;

use serde_json::json;

use super::super::args::Global;
use super::super::output::say;
use super::super::{settings, signals};
use super::{Output, time};
use crate::app::{self, AppError, Cancel, RunFolder, WaitingProof};
use crate::domain::{Code, UnixSeconds, inert_limited};

/// The proofs that wait too long, as a table.
pub(super) fn overdue(global: &Global, output: &Output, all: bool) -> Result<ExitCode, AppError> {
    let plan = settings::plan(global)?;
    let options = settings::run_options(global, "ots overdue")?;
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let found = app::overdue_proofs(&RunFolder::at(&global.run), &plan, options.clock, global.jobs, &cancel)?;
    let late = found.waiting.iter().filter(|proof| proof.overdue).count();
    let code = if late > 0 && Code::OtsOverdue.severity() >= options.fail_on {
        1
    } else if late > 0 || !found.unanchored.is_empty() || !found.judged {
        3
    } else {
        0
    };
    let shown: Vec<&WaitingProof> = found.waiting.iter().filter(|proof| all || proof.overdue).collect();
    let mut text = String::new();
    if !shown.is_empty() {
        text.push_str(&format!(
            "{:<64}  {:<20}  {:>10}  {:>5}  {:<20}  {:<8}  calendar\n",
            "id", "submitted", "age", "tries", "next try", "state"
        ));
    }
    for proof in &shown {
        text.push_str(&row(proof, options.clock));
    }
    for item in &found.unanchored {
        text.push_str(&format!(
            "{:<64}  no proof waits: {}\n",
            inert_limited(&item.id, 64),
            inert_limited(&item.reason, 40)
        ));
    }
    let value = json!({
        "exit_code": code, "overdue": late, "waiting": found.waiting.len(), "judged": found.judged,
        "proofs": shown.iter().map(|proof| value(proof)).collect::<Vec<_>>(),
        "needs_anchor": found.unanchored.iter().map(|item| json!({"id": item.id, "reason": item.reason})).collect::<Vec<_>>(),
    });
    output.emit_either(&text, &value)?;
    if !global.quiet {
        let queue = if found.judged {
            format!("{} ids without a proof that waits", found.unanchored.len())
        } else {
            "no report yet".to_owned()
        };
        say(&format!("{late} overdue of {} branches that wait; {queue}; exit {code}", found.waiting.len()));
    }
    Ok(ExitCode::from(code))
}

fn row(proof: &WaitingProof, now: UnixSeconds) -> String {
    let age =
        proof.age.map_or_else(|| "-".to_owned(), |age| format!("{}h{:02}m", age / 3_600, (age % 3_600).abs() / 60));
    let next = match proof.next_try {
        None => "never: not listed".to_owned(),
        Some(next) if next <= now => "now".to_owned(),
        next => time(next),
    };
    let state = if proof.overdue { "overdue" } else { "pending" };
    let calendar = inert_limited(&proof.calendar, 120);
    format!(
        "{}  {:<20}  {age:>10}  {:>5}  {next:<20}  {state:<8}  {calendar}\n",
        proof.id.to_hex(),
        time(proof.submitted),
        proof.tries
    )
}

fn value(proof: &WaitingProof) -> serde_json::Value {
    // What is due has no time of its own.
    let next = proof.next_try.map(|next| next.0.max(0));
    json!({
        "id": proof.id.to_hex(), "calendar": proof.calendar, "commitment": proof.commitment, "age": proof.age,
        "submitted": proof.submitted.map(|at| at.0), "overdue": proof.overdue, "tries": proof.tries, "next_try": next,
    })
}
