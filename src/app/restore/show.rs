//! What a restore or a comparison came to, for people and for programs.

use serde_json::{Value, json};

use super::into::RestoredInto;
use crate::target::{Difference, What};

/// The schema of the document.
const VERDICT_SCHEMA: &str = "reledger/restore-verdict/1";
/// Differences that are shown on a terminal.
const SHOWN: usize = 20;

/// One clause: what was done, what was compared, what differs.
pub fn restored_sentence(done: &RestoredInto) -> String {
    let found = &done.compared;
    let did = match (&done.loaded, done.compare_only) {
        (_, true) => "compared".to_owned(),
        (Some(loaded), _) => format!(
            "restored, {} of {} units sent, {} keys of an earlier state removed; compared",
            loaded.units - loaded.resumed,
            loaded.units,
            loaded.removed
        ),
        (None, _) => "holds this state already, nothing was written; compared".to_owned(),
    };
    format!(
        "{}: {did} {} records and {} members of {} indexes: {} missing, {} different, {} unexpected among {} keys named \
        like ours; exit {}",
        done.target,
        found.records,
        found.members,
        found.indexes,
        found.count(What::Missing),
        found.count(What::Different),
        found.count(What::Unexpected),
        found.keys_seen,
        done.exit_code()
    )
}

/// For people: the first differences.
pub fn restored_text(done: &RestoredInto) -> String {
    let mut text = format!("state {}\n", done.origin.state_root);
    let all = &done.compared.differences;
    for one in all.iter().take(SHOWN) {
        let member = one.member.as_ref().map(|member| format!(" member {member}")).unwrap_or_default();
        let detail = if one.detail.is_empty() { String::new() } else { format!(": {}", one.detail) };
        text.push_str(&format!("{:<10} {:<11} {}{member}{detail}\n", one.what.name(), one.kind.name(), one.key));
    }
    if all.len() > SHOWN {
        text.push_str(&format!("and {} more; --json or --format ndjson lists all\n", all.len() - SHOWN));
    }
    text
}

/// For programs: everything.
pub fn restored_value(done: &RestoredInto) -> Value {
    let found = &done.compared;
    let loaded = done
        .loaded
        .as_ref()
        .map(|loaded| json!({"units": loaded.units, "resumed": loaded.resumed, "removed": loaded.removed}));
    json!({
        "schema": VERDICT_SCHEMA,
        "target": done.target,
        "mode": if done.compare_only { "compare" } else { "restore" },
        "state_root": done.origin.state_root.to_hex(),
        "report_sha256": done.origin.report_sha256.to_hex(),
        "as_of": done.origin.as_of.0,
        "layout_sha256": done.layout_sha256.to_hex(),
        "loaded": loaded,
        "compared": {
            "records": found.records, "indexes": found.indexes, "members": found.members, "keys_seen": found.keys_seen,
        },
        "missing": found.count(What::Missing),
        "different": found.count(What::Different),
        "unexpected": found.count(What::Unexpected),
        "differences": found.differences.iter().map(line).collect::<Vec<_>>(),
        "exit_code": done.exit_code(),
    })
}

/// For programs that read lines: one difference each.
pub fn restored_lines(done: &RestoredInto) -> impl Iterator<Item = Value> {
    done.compared.differences.iter().map(line)
}

fn line(one: &Difference) -> Value {
    json!({
        "kind": one.kind.name(), "key": one.key, "member": one.member, "what": one.what.name(), "detail": one.detail,
    })
}
