//! What is told: a table for people, and everything as JSON.

use serde_json::{Value, json};

use super::contender::{BARE, Keeps, Work};
use super::measure::Spent;
use super::rounds::{Bench, End, Row};

/// What the bare loop reaches where the goals below are said, in events a second.
const BARE_OF_GOALS: f64 = 65_000.0;
/// How far ahead of the fastest that also stores.
const AHEAD: f64 = 1.7;
/// Events a second of carriers alone including the store.
const GOALS: [(&str, f64); 2] = [("reledger capture, single", 60_000.0), ("reledger capture, batch", 110_000.0)];

/// The table, markdown, and what of the goals it shows.
pub fn text(bench: &Bench, rows: &[Row], facts: &Value) -> String {
    let text = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
    let mut out = format!(
        "{} events of {} bytes by {} authors, {} proofs in {} passes; medians of {}; {}, {} cores, load {} before and {} after\n\n",
        bench.events.count,
        bench.events.bytes / bench.events.count as u64,
        bench.events.authors,
        bench.proofs.count,
        bench.passes,
        bench.rounds,
        text("processor"),
        facts["cores"],
        text("load_before"),
        text("load_after"),
    );
    for (work, name) in [(Work::Events, "events"), (Work::Proofs, "proofs")] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.contender.work == work).collect();
        if !of.is_empty() {
            out += &section(name, work, &of);
        }
    }
    for goal in goals(rows) {
        out += &format!("{}\n", goal["said"].as_str().unwrap_or_default());
    }
    out
}

fn section(name: &str, work: Work, rows: &[&Row]) -> String {
    let floor = floor(work, rows);
    let mut out =
        format!("| {name} | version | {name}/s | of {} | processor, us | of it | keeps | accepts |\n", floor.0);
    out += "|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        let accepts = match &row.end {
            End::Held => "all and no lie".to_owned(),
            End::Differed(what) => format!("WRONG: {what}"),
            End::Skipped(why) => format!("SKIPPED: {why}"),
        };
        let figures = row.median().map_or("- | - | - | -".to_owned(), |spent| figures(row, spent, floor.1));
        let sample = row.contender.sample.map_or(String::new(), |_| format!("; a sample of {}", row.over));
        let remark = if row.remark.is_empty() { String::new() } else { format!("; {}", row.remark) };
        out += &format!(
            "| {} | {} | {figures} | {} | {accepts}{sample}{remark} |\n",
            row.contender.name,
            row.version,
            keeps(row.contender.keeps)
        );
    }
    out + "\n"
}

/// By the clock and by the processor, each beside how many times as fast as the floor that is.
fn figures(row: &Row, spent: Spent, floor: Option<Spent>) -> String {
    let about = if row.contender.sample.is_some() { "~" } else { "" };
    let one = |seconds: f64| seconds / row.over as f64;
    let of = |ratio: fn(&Spent) -> f64| floor.map_or("-".to_owned(), |floor| short(ratio(&floor) / one(ratio(&spent))));
    format!(
        "{about}{} | {} | {} | {}",
        thousands(1.0 / one(spent.clock)),
        of(|spent| spent.clock),
        short(one(spent.processor) * 1e6),
        of(|spent| spent.processor),
    )
}

/// What the others are held against, with the seconds of one event or proof: of events the bare loop, of proofs our own on one
/// core.
fn floor(work: Work, rows: &[&Row]) -> (&'static str, Option<Spent>) {
    let name = match work {
        Work::Events => BARE,
        Work::Proofs => "reledger",
    };
    (name, rows.iter().find(|row| row.contender.name == name).and_then(|row| each(row)))
}

/// The seconds of one.
fn each(row: &Row) -> Option<Spent> {
    let over = row.over as f64;
    row.median().map(|spent| Spent { clock: spent.clock / over, processor: spent.processor / over })
}

/// What of the goals can be read off; each with its figures and a line for people. By the clock, as they are said; by the
/// processor too, which load by others does not touch.
fn goals(rows: &[Row]) -> Vec<Value> {
    let find =
        |name: &str| rows.iter().find(|row| row.contender.name == name).filter(|row| is_measured(row)).and_then(each);
    let mut goals = Vec::new();
    if let Some(bare) = find(BARE) {
        for (name, owed) in GOALS {
            let Some(ours) = find(name) else { continue };
            goals.push(goal(&format!("{name}: of the bare loop"), owed / BARE_OF_GOALS, bare, ours));
        }
    }
    let stores = |row: &&Row| row.contender.keeps != Keeps::Nothing && !row.contender.is_ours() && is_measured(row);
    let of_events = rows.iter().filter(|row| row.contender.work == Work::Events);
    let fastest = of_events.filter(stores).filter_map(|row| Some((row.contender.name, each(row)?)));
    if let Some((fastest, theirs)) = fastest.min_by(|a, b| a.1.clock.total_cmp(&b.1.clock)) {
        for (name, _) in GOALS {
            let Some(ours) = find(name) else { continue };
            goals.push(goal(&format!("{name}: of {fastest}, the fastest other that stores"), AHEAD, theirs, ours));
        }
    }
    goals
}

fn is_measured(row: &Row) -> bool {
    !matches!(row.end, End::Skipped(_))
}

fn goal(name: &str, owed: f64, theirs: Spent, ours: Spent) -> Value {
    let (reached, by_processor) = (theirs.clock / ours.clock, theirs.processor / ours.processor);
    let is = if reached >= owed { "reached" } else { "NOT reached" };
    let said = format!("{name}: {reached:.2} ({by_processor:.2} by the processor), goal {owed:.2}: {is}");
    json!({ "goal": name, "owed": owed, "reached": reached, "reached_by_processor": by_processor, "said": said })
}

/// Everything, with the machine it was measured on.
pub fn json(bench: &Bench, rows: &[Row], facts: &Value) -> String {
    let contenders: Vec<Value> = rows.iter().map(row).collect();
    let document = json!({
        "command": "make bench-peers",
        "machine": facts,
        "events": {
            "count": bench.events.count, "bytes": bench.events.bytes, "authors": bench.events.authors,
            "spoiled": bench.spoiled_events.count, "lies": bench.spoiled_events.lies.len(),
        },
        "proofs": {
            "count": bench.proofs.count, "bytes": bench.proofs.bytes, "passes": bench.passes,
            "lies": bench.spoiled_proofs.lies.len(),
        },
        "rounds": bench.rounds,
        "contenders": contenders,
        "goals": goals(rows),
    });
    format!("{document:#}\n")
}

fn row(row: &Row) -> Value {
    let (end, why) = match &row.end {
        End::Held => ("held", ""),
        End::Differed(what) => ("differed", what.as_str()),
        End::Skipped(why) => ("skipped", why.as_str()),
    };
    let seconds = |figure: fn(&Spent) -> f64| row.spent.iter().map(figure).collect::<Vec<f64>>();
    json!({
        "name": row.contender.name,
        "version": row.version,
        "work": match row.contender.work { Work::Events => "events", Work::Proofs => "proofs" },
        "keeps": keeps(row.contender.keeps),
        "over": row.over,
        "is_sample": row.contender.sample.is_some(),
        "seconds": seconds(|spent| spent.clock),
        "processor_seconds": seconds(|spent| spent.processor),
        "per_second": row.rate(),
        "end": end,
        "why": why,
        "remark": row.remark,
    })
}

fn keeps(keeps: Keeps) -> &'static str {
    match keeps {
        Keeps::Nothing => "nothing",
        Keeps::InMemory => "in memory",
        Keeps::OnDisk => "on disk",
    }
}

/// With a comma between thousands.
fn thousands(figure: f64) -> String {
    if figure < 100.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn short(figure: f64) -> String {
    match figure {
        figure if figure >= 1_000.0 => thousands(figure),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure if figure >= 0.01 => format!("{figure:.2}"),
        figure => format!("{figure:.5}"),
    }
}
