//! Guardian records by hand (FORMATS 8): the file they stand in, and what is known to hold among them.

use serde_json::{Value, json};

use super::Scene;
use crate::domain::sha256;

const FILE: &str = "custody.jsonl";
/// Guardians of every descriptor made here: three of four must sign.
pub(in crate::sim) const GUARDIANS: usize = 4;
pub(in crate::sim) const QUORUM: usize = 3;

/// A descriptor whose id is the hash of its lines.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Guarded {
    /// 64 hex digits, without `fed:`.
    pub(in crate::sim) id: String,
    /// The address that is guarded.
    pub(in crate::sim) address: String,
    /// M.
    pub(in crate::sim) threshold: usize,
    /// Guardian addresses, sorted.
    pub(in crate::sim) guardians: Vec<String>,
}

/// A graduation or rotation with everything that it needs.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Stepped {
    /// sha256 of the message that was signed, 64 hex digits.
    pub(in crate::sim) id: String,
    /// The address whose custody changes.
    pub(in crate::sim) address: String,
    /// The descriptor left, 64 hex digits.
    pub(in crate::sim) from: String,
    /// What a graduation says that it leads to; `None` for a rotation.
    pub(in crate::sim) graduates_to: Option<&'static str>,
    /// The descriptor entered, 64 hex digits.
    pub(in crate::sim) to: Option<String>,
    /// Claimed time, Unix seconds.
    pub(in crate::sim) at: i64,
    /// The form of the message: `L` (lines) or `J` (canonical JSON).
    pub(in crate::sim) profile: &'static str,
}

/// A descriptor on its way into the file.
pub(in crate::sim) struct Descriptor {
    pub(in crate::sim) value: Value,
    pub(in crate::sim) held: Guarded,
}

impl Descriptor {
    /// The id as records name it.
    pub(in crate::sim) fn fed(&self) -> String {
        format!("fed:{}", self.held.id)
    }
}

impl Scene {
    /// A line of the custody file, which is declared with the first.
    pub(in crate::sim) fn record(&mut self, value: &Value) {
        if !self.sections.contains("[custody]") {
            self.sections = format!("\n[custody]\nfiles = [\"{FILE}\"]\n{}", self.sections);
            // Whatever is refused of what follows, the file is never empty.
            let somebody = self.descriptor("an early user", &["1", "2", "3", "4"]);
            self.hold(&somebody);
        }
        self.appended.push((FILE, format!("{value}\n").into_bytes()));
    }

    /// 3-of-4 over the keys of these labels, for the address of that one (FORMATS 8.1).
    pub(in crate::sim) fn descriptor(&self, user: &str, guardians: &[&str; GUARDIANS]) -> Descriptor {
        let address = self.hand.address(user);
        let mut addresses: Vec<String> =
            guardians.iter().map(|label| self.hand.address(&format!("{user} {label}"))).collect();
        addresses.sort();
        let threshold = format!("{QUORUM}-of-{GUARDIANS}");
        let mut lines = vec!["oc-attest:federation-custody:v1".to_owned(), format!("address: {address}")];
        lines.push(format!("threshold: {threshold}"));
        lines.extend(addresses.iter().map(|guardian| format!("guardian: {guardian}")));
        let listed: Vec<Value> = addresses.iter().map(|one| json!({"address": one, "alg": "bip322"})).collect();
        let value = json!({
            "v": 1, "kind": "attest-federation-custody", "address": address, "threshold": threshold,
            "guardians": listed,
        });
        let id = sha256(lines.join("\n").as_bytes()).to_hex();
        Descriptor { value, held: Guarded { id, address, threshold: QUORUM, guardians: addresses } }
    }

    /// Records a descriptor that holds.
    pub(in crate::sim) fn hold(&mut self, descriptor: &Descriptor) {
        self.record(&descriptor.value);
        self.guarded.push(descriptor.held.clone());
    }
}
