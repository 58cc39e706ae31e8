//! The ledgers' and registers' leaves that name a thing (docs/state-root.md 4).

use serde_json::Value;

use super::known::Known;
use super::model::{Class, EntryTold, Name};
use crate::domain::sha256;
use crate::report::canonical_json;

/// Every leaf that names it, in the order of the ledgers and of their leaves.
pub(super) fn told(known: &Known, name: &Name) -> Vec<EntryTold> {
    let needles = needles(name);
    if needles.is_empty() {
        return Vec::new();
    }
    let leaves = known.views.iter().flat_map(|view| view.leaves.iter().map(|leaf| (view.name, leaf)));
    let naming = leaves.filter_map(|(ledger, leaf)| {
        let text = std::str::from_utf8(leaf).ok()?;
        needles.iter().any(|needle| text.contains(needle.as_str())).then(|| entry(known, ledger, text))
    });
    naming.collect()
}

/// How a leaf writes the name: 64 digits stand alone or behind `fed:`, a text stands in quotes, a user in accounts too.
fn needles(name: &Name) -> Vec<String> {
    let quoted = serde_json::to_string(&name.id).unwrap_or_default();
    match name.class {
        Class::Block | Class::Divergence | Class::Record | Class::Mention => Vec::new(),
        Class::User => {
            let inner = quoted.trim_matches('"');
            vec![format!("\"L:User:{inner}:"), quoted.clone()]
        }
        Class::Operation | Class::Kid | Class::Window | Class::Project => vec![quoted],
        _ => vec![name.id.clone()],
    }
}

fn entry(known: &Known, ledger: &'static str, text: &str) -> EntryTold {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let shown = known.hidden.value("", value.clone());
    let exact = shown == value;
    let hidden = || String::from_utf8_lossy(&canonical_json(&shown)).trim_end().to_owned();
    EntryTold {
        ledger,
        tier: value["tier"].as_str().map(str::to_owned),
        leaf_hash: sha256(&[&[0], text.as_bytes()].concat()).to_hex(),
        leaf: if exact { text.to_owned() } else { hidden() },
        exact,
    }
}
