//! Goal: nothing that stands in a report is more than text in any rendering of it (THREATS P10). Method: 5,000 strings and more in
//! every member that takes any, rendered in every way and read back by strict readers; what is not text must be what harmless
//! strings in the same places give. Readers of others judge the same in `make test-renderings`.

mod feed;
pub(crate) mod readers;
pub(crate) mod stage;
pub(crate) mod strings;

use reledger::domain::{Digest32, EnvelopeId, MsatDelta, UnixMicros, UnixSeconds, inert, inert_limited, sha256};
use reledger::ledger::{Account, Entry, EntryKey, Fact, Posting, Tier};
use reledger::report::{Detail, Dialect, DocumentError, JournalAsk, Pseudonyms, Rendering, write_journal};
use serde_json::Value;

use readers::{csv, is_formula, markup, metrics, tags, xml};
use stage::{RENDERINGS, rendered, report};
use strings::Strings;

/// Reports of the hostile kind; each holds about 1,600 strings.
const REPORTS: u64 = 4;

/// Renders a report of those strings in every way: the report, and the text by the rendering's name.
fn all(strings: &mut Strings) -> (Value, Vec<(&'static str, String)>) {
    let report = report(strings);
    let bytes = serde_json::to_vec(&report).unwrap();
    let texts = RENDERINGS.map(|(name, rendering)| (name, rendered(&bytes, rendering, strings).unwrap()));
    (report, texts.into())
}

/// Everything of a text that is structure and no content, in no order: maps are sorted by what is foreign in them.
fn structure(name: &str, text: &str) -> Vec<String> {
    let mut parts: Vec<String> = match name {
        "text" => text.lines().map(|_| String::new()).collect(),
        "html" => tags(text),
        "md" => text.lines().map(markup).collect(),
        "junit" => xml(text).into_iter().map(|(element, values)| format!("{element} {}", values.len())).collect(),
        "openmetrics" => {
            metrics(text).into_iter().map(|(name, labels, _)| format!("{name} {}", labels.len())).collect()
        }
        _ => csv(text).into_iter().map(|row| row.len().to_string()).collect(),
    };
    parts.sort();
    parts
}

#[test]
fn five_thousand_hostile_strings_change_no_rendering_and_no_byte_of_them_is_live() {
    let (_, harmless) = all(&mut Strings::harmless());
    let mut made = 0;
    for seed in 0..REPORTS {
        let mut strings = Strings::hostile(seed);
        let (report, texts) = all(&mut strings);
        made += strings.made();
        for ((name, text), (_, plain)) in texts.iter().zip(&harmless) {
            for line in text.split('\n') {
                let line = line.strip_suffix('\r').unwrap_or(line);
                assert_eq!(inert(line), line, "{name}: a live character");
            }
            assert_eq!(structure(name, text), structure(name, plain), "{name}, seed {seed}");
        }
        recovered(&report, &texts);
    }
    assert!(made >= 5_000, "{made}");
}

fn of<'t>(texts: &'t [(&str, String)], name: &str) -> &'t str {
    &texts.iter().find(|(one, _)| *one == name).unwrap().1
}

fn member<'v>(line: &'v Value, name: &str) -> &'v str {
    line[name].as_str().unwrap()
}

/// Where a format has room for a whole text, it stands there, but for what is live in it.
fn recovered(report: &Value, texts: &[(&str, String)]) {
    let cell = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
    for (table, list, columns) in [
        ("divergences", "divergences", &[("expected", 9), ("observed", 10), ("explanation", 11)][..]),
        ("coverage", "coverage", &[("source", 0), ("reason", 9)]),
        ("checks", "checks", &[("check", 0)]),
    ] {
        let rows = csv(of(texts, table));
        assert!(rows.iter().flatten().all(|cell| !is_formula(cell)));
        let lines = report[list].as_array().unwrap();
        for (line, row) in lines.iter().zip(&rows[1..]) {
            for (name, column) in columns {
                // An apostrophe of the text's own has the guard before it.
                assert_eq!(cell(&row[*column]), inert(member(line, name)), "{table}: {name}");
            }
        }
    }
    let elements = xml(of(texts, "junit"));
    let cases: Vec<&String> =
        elements.iter().filter(|(name, _)| name == "testcase").map(|(_, values)| &values[1]).collect();
    for check in report["checks"].as_array().unwrap() {
        assert!(cases.contains(&&in_xml(member(check, "check"))));
    }
    let samples = metrics(of(texts, "openmetrics"));
    for slice in report["coverage"].as_array().unwrap() {
        let label = inert_limited(member(slice, "source"), 160);
        assert!(
            samples.iter().any(|(name, labels, _)| name == "reledger_coverage_ratio" && labels[0] == label),
            "{label}"
        );
    }
}

/// What stands for a text in XML, which has no room for two characters that no terminal acts on.
fn in_xml(text: &str) -> String {
    inert_limited(text, 500).replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}")
}

#[test]
fn a_report_that_no_text_can_hold_is_refused_before_anything_is_written() {
    let text = serde_json::to_string(&report(&mut Strings::harmless())).unwrap();
    for half in ["\\ud800", "\\udc00 x", "\\ud800\\ud800"] {
        let bytes = text.replacen("\"word 1\"", &format!("\"{half}\""), 1);
        assert_ne!(bytes, text);
        for (name, rendering) in RENDERINGS {
            let refused = rendered(bytes.as_bytes(), rendering, &mut Strings::harmless()).unwrap_err();
            assert!(matches!(refused, DocumentError::Damaged { .. }), "{name}: {refused}");
        }
    }
}

/// Entries on accounts of such names.
fn entries(strings: &mut Strings) -> Vec<Entry> {
    let entry = |number: i64, one: Account, other: Account| Entry {
        key: EntryKey {
            at: UnixMicros(number * 1_000_000),
            rank: 0,
            fact: Fact::Envelope(EnvelopeId(sha256(&number.to_le_bytes()))),
        },
        kind: "escrow.deposit",
        postings: vec![Posting { account: one, delta: MsatDelta(5) }, Posting { account: other, delta: MsatDelta(-5) }],
        evidence: Vec::new(),
        tier: Tier::T1,
    };
    let mut all = Vec::new();
    for number in 0..150 {
        let mut name = || strings.next();
        let accounts = [
            Account::Escrow(name().as_str().into()),
            Account::UserAvailable(name().as_str().into()),
            Account::UserMaturing(name().as_str().into(), name().as_str().into()),
            Account::Operator(name()),
            Account::InFlight(name().as_str().into()),
        ];
        for account in accounts {
            all.push(entry(number, Account::Custody(name().as_str().into()), account));
        }
    }
    all
}

#[test]
fn hostile_names_change_no_line_of_a_journal() {
    for dialect in [Dialect::Hledger, Dialect::Beancount, Dialect::Csv] {
        let text = |mut strings: Strings| {
            let entries = entries(&mut strings);
            assert!(strings.made() > 1_500);
            let names = Pseudonyms::new(Digest32([0; 32]), true);
            let ask = JournalAsk {
                dialect,
                detail: Detail::Entries,
                names: &names,
                as_of: UnixSeconds(9),
                evidence_root: Digest32([0; 32]),
            };
            let mut out = Vec::new();
            write_journal(&mut out, &ask, || entries.iter().cloned()).unwrap();
            String::from_utf8(out).unwrap()
        };
        let (hostile, harmless) = (text(Strings::hostile(9)), text(Strings::harmless()));
        assert!(hostile.lines().all(|line| inert(line) == line), "{dialect:?}");
        assert_eq!(hostile.lines().count(), harmless.lines().count(), "{dialect:?}");
        if dialect == Dialect::Csv {
            let rows = csv(&hostile);
            assert!(rows.iter().flatten().all(|cell| !is_formula(cell)));
            assert!(rows.iter().all(|row| row.len() == rows[0].len()));
            continue;
        }
        // Names are of letters, digits and a few signs; quotes and comment signs are those of harmless names.
        let signs = |text: &str| -> Vec<usize> {
            ['"', ';', '(', '[', '{', '*', '#', '^', '@', '='].iter().map(|sign| text.matches(*sign).count()).collect()
        };
        assert_eq!(signs(&hostile), signs(&harmless), "{dialect:?}");
    }
}

#[test]
fn a_rendering_is_the_same_bytes_each_time() {
    let bytes = serde_json::to_vec(&report(&mut Strings::hostile(3))).unwrap();
    for (name, rendering) in RENDERINGS {
        let one = |rendering: Rendering| rendered(&bytes, rendering, &mut Strings::hostile(1)).unwrap();
        assert_eq!(one(rendering), one(rendering), "{name}");
    }
}
