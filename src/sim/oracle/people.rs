//! Whose names are one person's: bindings that nothing contradicts (FORMATS 7.6), then merge records (FORMATS 3.4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::{Facts, micros, parsed, text, user};

type Names = BTreeMap<String, String>;

/// The value of a line of a signed text.
fn line<'t>(message: &'t str, name: &str) -> &'t str {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

impl Facts<'_> {
    /// The account that a name's earnings belong to.
    pub(super) fn account<'n>(&'n self, name: &'n str) -> &'n str {
        self.accounts.get(name).map_or(name, String::as_str)
    }

    pub(super) fn people(&self) -> Names {
        let principals = self.principals();
        let of = |name: &str| principals.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let mut into: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let files = self.scene.appended.iter().filter(|(name, _)| name.starts_with("custody"));
        let lines = files.flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n')).map(parsed);
        for record in lines.chain(self.scene.world.custody.iter().map(parsed)) {
            for name in record["merged_from"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                into.entry(of(name)).or_default().insert(of(user(&record)));
            }
        }
        let end = |name: &str| {
            let mut at = of(name);
            // No world merges in a circle.
            for _ in 0..into.len() {
                at = into.get(&at).filter(|ends| ends.len() == 1).and_then(BTreeSet::first).cloned().unwrap_or(at);
            }
            at
        };
        let names = principals.keys().chain(into.keys());
        names.map(|name| (name.clone(), end(name))).collect()
    }

    /// One text signed by an address and a Nostr key for one principal. Texts for one principal hang together by a key of
    /// theirs; a key for two principals, or texts that do not hang together, say nothing.
    pub(super) fn principals(&self) -> Names {
        let mut texts: Vec<[String; 3]> = Vec::new();
        for event in self.scene.world.events.iter().filter(|event| event.kind == 30_079) {
            let content = parsed(&event.content);
            let message = text(&content, &["message"]);
            let is_held = !self.scene.discounted.contains(&event.id.to_string());
            let issued = micros(&serde_json::json!({"at": line(message, "issued_at")}), &["at"]);
            if is_held && issued.is_some_and(|at| at <= self.as_of) {
                texts.push(["principal", "btc", "nostr"].map(|name| line(message, name).to_owned()));
            }
        }
        let mut names = Names::new();
        for [principal, ..] in &texts {
            let mine: Vec<_> = texts.iter().filter(|[one, ..]| one == principal).collect();
            let mut tied: BTreeSet<&String> = mine[0][1..].iter().collect();
            for _ in &mine {
                let more: Vec<_> = mine.iter().filter(|one| one[1..].iter().any(|key| tied.contains(key))).collect();
                tied.extend(more.into_iter().flat_map(|one| &one[1..]));
            }
            let is_foreign =
                |[one, keys @ ..]: &[String; 3]| one != principal && keys.iter().any(|key| tied.contains(key));
            if mine.iter().all(|one| tied.contains(&one[1])) && !texts.iter().any(is_foreign) {
                names.extend(tied.into_iter().chain([principal]).map(|name| (name.clone(), principal.clone())));
            }
        }
        names
    }
}
