//! `reledger caps`: published abuse limits, checked over the ledger of a run.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::args::Global;
use super::output::{Output, counted};
use super::{progress, settings, signals};
use crate::app::{self, AppError, Cancel, Cap, CapBreach, CapTable, Measured};
use crate::domain::{CapLimits, CapWindow, Code, Condition, inert_limited};
use crate::report::Pseudonyms;

/// The schema name of what `--json` prints.
const SCHEMA: &str = "reledger/caps/1";
/// Users with one site that the text names.
const SINGLE_SITE_MAX: usize = 10;

/// How to count.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Reads the run that --run names and contacts nobody. A finished run is judged by its own policy, \
    unless a configuration is named (-c, RELEDGER_CONFIG): then by what that says now. One that is only captured needs its \
    configuration. Users are pseudonyms unless --reveal-users is given.\nExit 0: no limit is exceeded by a \
    code at or above --fail-on (CAP_* are warnings and notes, DROP_WINDOW is an error); 1: one is; 3: there is no counted event."
)]
pub(crate) struct CapsArgs {
    /// Count calendar days and months, or the 24 hours and 30 days that end at each event. Changes no report.
    #[arg(long, value_enum, value_name = "utc|rolling")]
    window: Option<WindowWord>,
}

/// `--window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WindowWord {
    /// Calendar days and months in UTC.
    Utc,
    /// The 24 hours and 30 days that end at an event.
    Rolling,
}

pub(crate) fn caps(global: &Global, output: &Output, args: &CapsArgs) -> Result<ExitCode, AppError> {
    let window = args.window.map(|word| match word {
        WindowWord::Utc => CapWindow::Utc,
        WindowWord::Rolling => CapWindow::Rolling,
    });
    let cancel = Cancel::default();
    signals::listen(cancel.clone());
    let options = settings::run_options(global, "caps")?;
    let observer = progress::observer(global);
    let how = (options.as_of, options.clock, options.jobs);
    let table = app::caps_of_run(&global.run, &settings::judged_by(global)?, window, how, observer.as_ref(), &cancel)?;
    drop(observer);
    let code = if table.fails(options.fail_on) {
        Condition::Divergent.exit_code().0
    } else if table.reading.users == 0 {
        Condition::Incomplete.exit_code().0
    } else {
        0
    };
    let names = Pseudonyms::new(table.evidence_root, global.reveal_users);
    output.emit_either(&text(&table, &names, code), &value(&table, &names, code))?;
    Ok(ExitCode::from(code))
}

/// One limit with everything that is said about it.
struct Row {
    name: &'static str,
    code: Code,
    value: fn(&CapLimits) -> u64,
    /// Windows that were judged.
    looked_at: u64,
    /// Those of them above the limit.
    above: u64,
    /// What is listed of them: by period and site the worst.
    breaches: u64,
    worst: Option<Measured>,
}

fn rows(table: &CapTable) -> Vec<Row> {
    let reading = &table.reading;
    let mut rows: Vec<Row> = Cap::ALL
        .into_iter()
        .map(|cap| Row {
            name: cap.name(),
            code: cap.code(),
            value: match cap {
                Cap::ClassADay => |limits| u64::from(limits.class_a_per_day),
                Cap::ClassAMonth => |limits| u64::from(limits.class_a_per_month),
                Cap::SiteShare => |limits| u64::from(limits.site_share_percent),
                Cap::Review => |limits| limits.review_sats_per_month,
            },
            looked_at: reading.looked_at.get(&cap).copied().unwrap_or_default(),
            above: reading.above.get(&cap).copied().unwrap_or_default(),
            breaches: reading.breaches.iter().filter(|breach| breach.cap == cap).count() as u64,
            worst: reading.worst.get(&cap).copied(),
        })
        .collect();
    rows.push(Row {
        name: "drop_window_days",
        code: Code::DropWindow,
        value: |limits| u64::from(limits.drop_window_days),
        looked_at: table.windows.looked_at,
        above: table.windows.breaches,
        breaches: table.windows.breaches,
        worst: None,
    });
    rows
}

/// Breaches with the names that may be shown, in order of these: another order would tell of hidden ones.
fn breaches<'t>(table: &'t CapTable, names: &Pseudonyms) -> Vec<(String, &'t CapBreach)> {
    let mut shown: Vec<(String, &CapBreach)> =
        table.reading.breaches.iter().map(|breach| (names.name(breach.user.as_str()), breach)).collect();
    shown.sort_by(|(a, x), (b, y)| (x.cap, a, &x.period, &x.site).cmp(&(y.cap, b, &y.period, &y.site)));
    shown
}

fn single_site(table: &CapTable, names: &Pseudonyms) -> Vec<(String, u64)> {
    let users = table.reading.single_site.iter();
    let mut shown: Vec<(String, u64)> = users.map(|(user, months)| (names.name(user.as_str()), *months)).collect();
    shown.sort();
    shown
}

fn measured(found: Measured) -> String {
    found.of.map_or_else(|| found.value.to_string(), |of| format!("{} of {of}", found.value))
}

fn text(table: &CapTable, names: &Pseudonyms, code: u8) -> String {
    let reading = &table.reading;
    let events = &table.events;
    let mut text = format!(
        "as of {}: {}, {}, {}; windows {}\n{}; excluded: {} under leaked keys, {} claimed after the as-of\n",
        table.as_of,
        counted(reading.users, "user"),
        counted(reading.user_days, "user-day"),
        counted(reading.user_months, "user-month"),
        reading.window.name(),
        counted(events.counted, "counted event"),
        events.key_compromised,
        events.after_as_of
    );
    for row in rows(table) {
        let values = table.caps.dated().map(|(from, limits)| match from {
            None => (row.value)(limits).to_string(),
            Some(from) => format!("{} from {from}", (row.value)(limits)),
        });
        text.push_str(&format!(
            "{:<22}{:<20} limit {}; {} looked at, {} above; worst {}\n",
            row.name,
            row.code.name(),
            values.collect::<Vec<_>>().join(", "),
            row.looked_at,
            row.above,
            row.worst.map_or_else(|| "-".to_owned(), measured)
        ));
    }
    for (user, breach) in breaches(table, names) {
        let site = breach.site.as_ref().map(|site| format!(" at {}", inert_limited(site, 80))).unwrap_or_default();
        text.push_str(&format!(
            "{} {} {}{site}: {} with a limit of {}, until {}\n",
            breach.cap.code(),
            inert_limited(&user, 80),
            breach.period,
            measured(breach.found),
            breach.limit,
            breach.found.until.seconds()
        ));
    }
    let single = single_site(table, names);
    for (user, months) in single.iter().take(SINGLE_SITE_MAX) {
        text.push_str(&format!("single_site_user {}: {}\n", inert_limited(user, 80), counted(*months, "month")));
    }
    let rest = single.len().saturating_sub(SINGLE_SITE_MAX);
    if rest > 0 {
        text.push_str(&format!("and {} with one site; --json lists all\n", counted(rest as u64, "more user")));
    }
    let above = reading.breaches.len() as u64 + table.windows.breaches;
    text.push_str(&format!(
        "{} of a published limit; {} of {} with one site for a month; exit {code}\n",
        if above == 1 { "1 breach".to_owned() } else { format!("{above} breaches") },
        single.len(),
        counted(reading.users, "user")
    ));
    text
}

/// An integer where JSON has room for it, else text.
fn integer(value: u128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::from)
}

fn measured_value(found: Measured) -> Value {
    found.of.map_or_else(|| integer(found.value), |of| json!({"num": integer(found.value), "den": integer(of)}))
}

fn value(table: &CapTable, names: &Pseudonyms, code: u8) -> Value {
    let reading = &table.reading;
    let limits = rows(table).into_iter().map(|row| {
        let values = table.caps.dated().map(|(from, limits)| json!({"from": from, "value": (row.value)(limits)}));
        json!({
            "name": row.name, "code": row.code.name(), "severity": row.code.severity().name(),
            "values": values.collect::<Vec<_>>(), "looked_at": row.looked_at, "above": row.above, "breaches": row.breaches,
            "worst": row.worst.map(measured_value),
        })
    });
    let breaches = breaches(table, names).into_iter().map(|(user, breach)| {
        json!({
            "code": breach.cap.code().name(), "user": user, "period": breach.period, "site": breach.site,
            "limit": breach.limit, "observed": measured_value(breach.found), "until": breach.found.until.seconds(),
        })
    });
    let single = single_site(table, names).into_iter().map(|(user, months)| json!({"user": user, "months": months}));
    let events = &table.events;
    json!({
        "schema": SCHEMA, "as_of": table.as_of, "window": reading.window.name(), "users": reading.users,
        "events": {
            "counted": events.counted,
            "excluded": {"key_compromised": events.key_compromised, "after_as_of": events.after_as_of},
        },
        "user_days": reading.user_days, "user_months": reading.user_months, "limits": limits.collect::<Vec<_>>(),
        "breaches": breaches.collect::<Vec<_>>(), "single_site_users": single.collect::<Vec<_>>(), "exit_code": code,
    })
}
