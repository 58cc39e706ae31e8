//! Guardian records by hand (FORMATS 8), and the file they stand in.

use serde_json::{Value, json};

use super::Scene;
use crate::domain::sha256;

/// A descriptor on its way into the file.
pub(in crate::sim) struct Descriptor {
    /// 64 hex digits, without `fed:`.
    pub(in crate::sim) id: String,
    /// The address that is guarded.
    pub(in crate::sim) address: String,
    pub(in crate::sim) value: Value,
}

impl Descriptor {
    /// The id as records name it.
    pub(in crate::sim) fn fed(&self) -> String {
        format!("fed:{}", self.id)
    }
}

impl Scene {
    /// A line of the custody file.
    pub(in crate::sim) fn record(&mut self, value: &Value) {
        if self.world.custody.is_empty() {
            // Whatever is refused of what follows, the file is never empty.
            let somebody = self.descriptor("an early user", &["1", "2", "3", "4"]);
            self.world.custody.push(somebody.value.to_string());
        }
        self.world.custody.push(value.to_string());
    }

    /// 3-of-4 over the keys of these labels, for the address of that one (FORMATS 8.1).
    pub(in crate::sim) fn descriptor(&self, user: &str, guardians: &[&str; 4]) -> Descriptor {
        let address = self.hand.address(user);
        let mut addresses: Vec<String> =
            guardians.iter().map(|label| self.hand.address(&format!("{user} {label}"))).collect();
        addresses.sort();
        let threshold = "3-of-4";
        let mut lines = vec!["oc-attest:federation-custody:v1".to_owned(), format!("address: {address}")];
        lines.push(format!("threshold: {threshold}"));
        lines.extend(addresses.iter().map(|guardian| format!("guardian: {guardian}")));
        let listed: Vec<Value> = addresses.iter().map(|one| json!({"address": one, "alg": "bip322"})).collect();
        let value = json!({
            "v": 1, "kind": "attest-federation-custody", "address": address, "threshold": threshold,
            "guardians": listed,
        });
        let id = sha256(lines.join("\n").as_bytes()).to_hex();
        Descriptor { id, address, value }
    }
}
