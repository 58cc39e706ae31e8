//! Users stand in an explanation as they stand in a report: by pseudonym, unless they are revealed (USERS 0.11).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::{Digest32, Divergence};
use crate::evidence::OcMeBody;
use crate::report::Pseudonyms;
use crate::verify::{Verified, VerifiedSet};

/// Members of signed bytes that name a user or lead to one, whatever else the run knows of them.
const USER_MEMBERS: [&str; 11] = [
    "address",
    "btc",
    "destination",
    "did_oc",
    "email",
    "identity",
    "npub",
    "principal",
    "user",
    "user_address",
    "user_did",
];

/// Every user of a run, and what each is called.
pub(in crate::app) struct Hidden {
    names: Pseudonyms,
    reveal: bool,
    users: BTreeSet<String>,
    /// Accounts with other services: told by nobody, and a person all the same.
    aliases: BTreeSet<String>,
}

impl Hidden {
    pub(in crate::app) fn of(set: &VerifiedSet, evidence_root: Digest32, reveal: bool) -> Self {
        let (mut users, mut aliases) = (BTreeSet::new(), BTreeSet::new());
        for envelope in set.envelopes.values().map(Verified::into_fact) {
            match &*envelope.body {
                OcMeBody::Event(event) => drop(users.insert(event.user.to_string())),
                OcMeBody::Payment(payment) => users.extend(payment.user.iter().map(ToString::to_string)),
                OcMeBody::Rebind(rebind) => drop(users.insert(rebind.user.to_string())),
                OcMeBody::PayoutBinding(binding) => {
                    users.insert(binding.user.to_string());
                    aliases.insert(binding.destination.clone());
                }
                OcMeBody::Distribution(shares) => {
                    users.extend(shares.recipients.iter().map(|share| share.user.to_string()));
                }
                OcMeBody::Activity(activity) => drop(users.insert(activity.user.to_string())),
                OcMeBody::Drop(_) | OcMeBody::Trust => {}
            }
        }
        let claimed = set.claimed_attestations.values().filter_map(|claimed| claimed.fact().message.as_ref());
        for message in set.attestations.values().map(|signed| &signed.fact().message).chain(claimed) {
            users.insert(message.address.clone());
            aliases.extend(message.identities.iter().cloned());
        }
        for message in set.bindings.values().map(|signed| &signed.fact().message) {
            users.extend([message.principal.clone(), message.btc.clone()]);
            aliases.insert(message.npub.clone());
        }
        for (_, record) in &set.merges {
            users.extend(record.merged_from.iter().chain([&record.user]).map(ToString::to_string));
        }
        for descriptor in set.descriptors.values().map(Verified::fact) {
            users.extend(descriptor.address.iter().chain(&descriptor.guardians).cloned());
        }
        users.extend(set.graduations.values().map(|step| step.fact().address.clone()));
        users.extend(set.rotations.values().map(|step| step.fact().address.clone()));
        for event in set.settlements.values().map(|settlement| settlement.into_fact().event) {
            users.extend(event.user.iter().map(ToString::to_string));
            aliases.extend(event.destination);
        }
        users.extend(set.balances.iter().map(|(_, line)| line.user.to_string()));
        users.remove("");
        aliases.remove("");
        Self { names: Pseudonyms::new(evidence_root, reveal), reveal, users, aliases }
    }

    /// Every user, and every other name or destination of one, in clear.
    pub(in crate::app) fn people(&self) -> (&BTreeSet<String>, &BTreeSet<String>) {
        (&self.users, &self.aliases)
    }

    /// The user that a text names, in clear or by pseudonym.
    pub(super) fn user(&self, text: &str) -> Option<&str> {
        if let Some(user) = self.users.get(text).or_else(|| self.aliases.get(text)) {
            return Some(user);
        }
        // Even where users are revealed: the pseudonym may come from a report that hides them.
        // Other names and destinations are printed by pseudonym too.
        let is_name = |user: &&String| self.names.pseudonym(user) == text;
        let find = |_| self.users.iter().chain(&self.aliases).find(is_name);
        text.strip_prefix("user-").and_then(find).map(String::as_str)
    }

    /// What a user is called.
    pub(in crate::app) fn name(&self, user: &str) -> String {
        self.names.name(user)
    }

    /// What a report that hides users calls it.
    pub(super) fn pseudonym(&self, user: &str) -> String {
        self.names.pseudonym(user)
    }

    /// A text with every user in it replaced, whole words and the middle of accounts.
    pub(super) fn text(&self, text: &str) -> String {
        if self.reveal {
            return text.to_owned();
        }
        if self.is_person(text) {
            return self.name(text);
        }
        let is_word = |character: char| character.is_ascii_alphanumeric() || ":._-@+".contains(character);
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_word) {
            let (before, tail) = rest.split_at(start);
            let (word, after) = tail.split_at(tail.find(|character| !is_word(character)).unwrap_or(tail.len()));
            shown.push_str(before);
            shown.push_str(&self.word(word));
            rest = after;
        }
        shown.push_str(rest);
        shown
    }

    /// One word: a user, one behind a full stop or colon, or an account of one (`L:User:<user>:Available`).
    fn word(&self, word: &str) -> String {
        let bare = word.trim_end_matches(['.', ':']);
        if self.is_person(bare) {
            return format!("{}{}", self.name(bare), word.get(bare.len()..).unwrap_or_default());
        }
        let account = bare.strip_prefix("L:User:").and_then(|rest| rest.rsplit_once(':'));
        if let Some((user, state)) = account {
            return format!("L:User:{}:{state}", self.name(user));
        }
        // Device records and the like stand under the user's address.
        match bare.rsplit_once(':') {
            Some((kind, user)) if self.is_person(user) || kind.ends_with(":device") => {
                format!("{kind}:{}", self.name(user))
            }
            _ => word.to_owned(),
        }
    }

    fn is_person(&self, text: &str) -> bool {
        self.users.contains(text) || self.aliases.contains(text)
    }

    /// A value with every user in it replaced; `member` is the name that it stands under.
    // Recursion is bounded by the depth that parsing allows.
    pub(in crate::app) fn value(&self, member: &str, value: Value) -> Value {
        match value {
            Value::String(text) if USER_MEMBERS.contains(&member) && !text.is_empty() => {
                Value::String(self.name(&text))
            }
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(member, item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (self.text(&name), self.value(&name, value))).collect()
            }
            // A canonical document has no fractions; what signed bytes say stands as they say it.
            Value::Number(number) if number.is_f64() => Value::String(number.to_string()),
            other => other,
        }
    }

    /// A divergence as a report shows it, and with every other user replaced too.
    pub(in crate::app) fn divergence(&self, divergence: &Divergence) -> Divergence {
        let mut shown = self.names.apply(divergence);
        for text in [&mut shown.expected, &mut shown.observed, &mut shown.explanation] {
            *text = self.text(text);
        }
        for value in shown.subject.0.values_mut() {
            *value = self.text(value);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;
    use serde_json::json;

    fn hidden(reveal: bool) -> Hidden {
        let users = ["bc1qa", "did:oc:b"].map(str::to_owned).into();
        let names = Pseudonyms::new(sha256(b"root"), reveal);
        Hidden { names, reveal, users, aliases: ["github:a", "a@x.example"].map(str::to_owned).into() }
    }

    #[test]
    fn a_user_is_found_wherever_it_stands_and_no_other_word_is_touched() {
        let hidden = hidden(false);
        let (a, b) = (hidden.name("bc1qa"), hidden.name("did:oc:b"));
        assert_eq!(hidden.text("owed to bc1qa, did:oc:b."), format!("owed to {a}, {b}."));
        assert_eq!(hidden.text("L:User:did:oc:b:Maturing"), format!("L:User:{b}:Maturing"));
        assert_eq!(hidden.text("oc-lock:device:bc1qunknown"), format!("oc-lock:device:{}", hidden.name("bc1qunknown")));
        assert_eq!(hidden.text("github:a a@x.example").matches("user-").count(), 2);
        for plain in ["bc1qab", "abc1qa", "oc-me-event:00ff", "wss://relay.example/", "A:Custody:oc-me-v1", ""] {
            assert_eq!(hidden.text(plain), plain);
        }
    }

    #[test]
    fn a_member_that_names_a_user_is_hidden_even_when_nobody_knows_the_user() {
        let value = json!({"user_address": "bc1qother", "n": 1.5, "deep": [{"user": "u", "site": "s.example"}]});
        let shown = hidden(false).value("", value.clone());
        assert!(!shown.to_string().contains("bc1qother") && !shown.to_string().contains("\"u\""), "{shown}");
        assert_eq!((&shown["deep"][0]["site"], &shown["n"]), (&json!("s.example"), &json!("1.5")));
        assert_eq!(hidden(true).value("", value)["user_address"], "bc1qother");
    }

    #[test]
    fn a_user_is_known_by_its_name_and_by_its_pseudonym() {
        let (closed, open) = (hidden(false), hidden(true));
        assert_eq!(closed.user("bc1qa"), Some("bc1qa"));
        assert_eq!(closed.user(&closed.name("did:oc:b")), Some("did:oc:b"));
        assert_eq!(open.user(&closed.name("did:oc:b")), Some("did:oc:b"));
        assert_eq!(closed.user("user-0000000000000000"), None);
        for alias in ["github:a", "a@x.example"] {
            assert_eq!((closed.user(alias), closed.user(&closed.name(alias))), (Some(alias), Some(alias)));
        }
    }
}
