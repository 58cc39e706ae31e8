//! The published schemas hold for what the program really writes. Method: a validator of just the keywords that our schemas
//! use; any other keyword fails the test, so that a schema can't promise what is not checked.

mod printed;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{arg, code, drill, fixtures, parsed, reledger, report, run, shown, stderr, write_world};

pub(crate) fn schema(name: &str) -> Value {
    parsed(&run(&["schema", name]).stdout)
}

/// Everything about `value` that the schema forbids, each with its place.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let name = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(name).unwrap(), value, at, found);
                true
            }
            "type" => is_type(wanted.as_str().unwrap(), value),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|number| number >= wanted.as_i64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| is_match(wanted.as_str().unwrap(), text)),
            "anyOf" | "oneOf" => {
                let fitting = wanted.as_array().unwrap().iter().filter(|one| {
                    let mut inner = Vec::new();
                    check(root, one, value, at, &mut inner);
                    inner.is_empty()
                });
                let fitting = fitting.count();
                fitting == 1 || (keyword == "anyOf" && fitting > 1)
            }
            "required" => {
                let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                !value.is_object() || wanted.as_array().unwrap().iter().all(has)
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}/{index}"), found);
                }
                true
            }
            "properties" => {
                for (name, inner) in wanted.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        check(root, inner, member, &format!("{at}/{name}"), found);
                    }
                }
                true
            }
            "patternProperties" => {
                for (pattern, inner) in wanted.as_object().unwrap() {
                    for (name, member) in
                        value.as_object().into_iter().flatten().filter(|(name, _)| ends(pattern, name))
                    {
                        check(root, inner, member, &format!("{at}/{name}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                check_others(root, schema, value, at, found);
                true
            }
            other => panic!("the schema uses `{other}`, which this validator does not know"),
        };
        if !holds {
            found.push(format!("{at}: {keyword} {wanted} does not hold for {value}"));
        }
    }
}

/// Members that neither `properties` nor `patternProperties` name.
fn check_others(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let named = |name: &String| schema.get("properties").is_some_and(|known| known.get(name).is_some());
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let patterned = |name: &String| patterns.is_some_and(|all| all.keys().any(|one| ends(one, name)));
    for (name, member) in value.as_object().into_iter().flatten() {
        if named(name) || patterned(name) {
            continue;
        }
        match &schema["additionalProperties"] {
            Value::Bool(true) => {}
            Value::Bool(false) => found.push(format!("{at}/{name}: not a known member")),
            inner => check(root, inner, member, &format!("{at}/{name}"), found),
        }
    }
}

/// The only patterns of member names in use are suffixes.
fn ends(pattern: &str, name: &str) -> bool {
    name.ends_with(pattern.strip_suffix('$').unwrap())
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

fn is_match(pattern: &str, text: &str) -> bool {
    let all = |text: &str, wanted: &dyn Fn(u8) -> bool| !text.is_empty() && text.bytes().all(wanted);
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match pattern {
        "^-?[0-9]+$" => all(text.strip_prefix('-').unwrap_or(text), &|byte| byte.is_ascii_digit()),
        "^[0-9a-f]{64}$" => text.len() == 64 && all(text, &hex),
        "^[0-9a-f]{128}$" => text.len() == 128 && all(text, &hex),
        "^[A-Z][A-Z0-9_]+$" => {
            text.len() > 1
                && text.starts_with(|first: char| first.is_ascii_uppercase())
                && all(text, &|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        }
        "^[0-9]+[smhd]$" => {
            text.ends_with(['s', 'm', 'h', 'd']) && all(&text[..text.len() - 1], &|byte| byte.is_ascii_digit())
        }
        "^-?[0-9]{4,}-[0-9]{2}$" => text.rsplit_once('-').is_some_and(|(year, month)| {
            let digits = |text: &str, least: usize| text.len() >= least && all(text, &|byte| byte.is_ascii_digit());
            digits(year.strip_prefix('-').unwrap_or(year), 4) && month.len() == 2 && digits(month, 2)
        }),
        "^[0-9a-fA-F]{1,8}$" => text.len() <= 8 && all(text, &|byte| byte.is_ascii_hexdigit()),
        other => panic!("unknown pattern {other}"),
    }
}

#[test]
fn reports_of_the_real_inputs_and_of_an_honest_world_obey_the_published_schema() {
    let folder = tempdir().unwrap();
    let honest = write_world(&folder.path().join("world"), 15, 40);
    let published = schema("report");
    for (name, config) in [("honest", honest), ("real", fixtures().join("real/reledger.toml"))] {
        let run_dir = folder.path().join(name);
        let output = drill(&config, &run_dir, &[]);
        let report = report(&run_dir);
        assert_eq!(faults(&published, &report), Vec::<String>::new(), "{}", shown(&output));
        for divergence in report["divergences"].as_array().unwrap() {
            assert_eq!(faults(&schema("divergence"), divergence), Vec::<String>::new());
        }
    }
}

#[test]
fn a_report_with_a_foreign_missing_or_misshapen_member_breaks_the_schema() {
    let folder = tempdir().unwrap();
    drill(&fixtures().join("real/reledger.toml"), folder.path(), &[]);
    let (published, good) = (schema("report"), report(folder.path()));
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut report = good.clone();
        change(&mut report);
        faults(&published, &report).len()
    };
    assert_eq!(broken(&|_| ()), 0);
    assert_eq!(broken(&|report| report["hostname"] = json!("h")), 1);
    assert_eq!(broken(&|report| report["state_root"] = json!("0")), 1);
    assert_eq!(broken(&|report| report["as_of"]["time"] = json!(1.5)), 1);
    assert_eq!(broken(&|report| report["ledgers"]["treasury"]["totals"]["custody_msat"] = json!(0)), 1);
    assert_eq!(broken(&|report| drop(report.as_object_mut().unwrap().remove("coverage"))), 1);
    assert_eq!(broken(&|report| report["divergences"][0]["severity"] = json!("dire")), 1);
}

#[test]
fn every_line_of_progress_json_obeys_the_schema_of_events() {
    let folder = tempdir().unwrap();
    let config = fixtures().join("real/reledger.toml");
    let output = reledger()
        .args(["drill", "-c", arg(&config), "--run", arg(folder.path()), "--progress", "json", "-q"])
        .output()
        .unwrap();
    let published = schema("events");
    let lines = stderr(&output);
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["type"] == "source"), "{lines}");
    for event in &events {
        assert_eq!(faults(&published, event), Vec::<String>::new(), "{event}");
    }
    let failed = run(&["drill", "-c", "/nonexistent/c.toml", "--json"]);
    assert_eq!(code(&failed), 2);
    let fatal: Value =
        serde_json::from_str(stderr(&failed).lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!(faults(&published, &fatal), Vec::<String>::new(), "{fatal}");
}
