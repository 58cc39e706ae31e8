//! Settlements against what their kind requires, and against the rails that they name (TREASURY 2.4, 2.6).

use std::collections::BTreeSet;

use serde_json::Value;

use super::read::{Facts, parsed};
use crate::domain::{Code, Subject};

/// Hex texts of 32 bytes anywhere in a record.
fn hashes(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() == 64 => drop(found.insert(text.to_ascii_lowercase())),
        Value::Array(items) => items.iter().for_each(|item| hashes(item, found)),
        Value::Object(members) => members.values().for_each(|member| hashes(member, found)),
        _ => {}
    }
}

impl Facts<'_> {
    pub(super) fn rails(&mut self) {
        let mut ours = BTreeSet::new();
        for one in &self.settlements {
            let names = ["operation_id", "payment_hash", "txid"];
            ours.extend(names.iter().filter_map(|name| one.text(name)).map(str::to_ascii_lowercase));
        }
        let foreign = self.scene.world.payment_log.iter().any(|entry| {
            let mut named = BTreeSet::new();
            hashes(&parsed(&entry.json), &mut named);
            named.is_disjoint(&ours)
        });
        if foreign {
            self.open(Code::GwForeign, Subject::new("population", "payment-log"));
        }
    }
}
