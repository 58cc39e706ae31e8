//! Users in reports: a keyed hash instead of the address, unless they are revealed.

use std::collections::BTreeMap;

use crate::domain::{Digest32, Divergence, TaggedHasher};

/// Subject members that name a user.
const USER_MEMBERS: [&str; 3] = ["user", "address", "principal"];

/// Replaces users by pseudonyms. The key is derived from the evidence root, so the same evidence gives the same names.
#[derive(Debug, Clone)]
pub struct Pseudonyms {
    key: Digest32,
    reveal: bool,
}

impl Pseudonyms {
    /// Pseudonyms for a report over this evidence.
    pub fn new(evidence_root: Digest32, reveal: bool) -> Self {
        let mut hasher = TaggedHasher::new("reledger/pseudonym-key/1");
        hasher.field(evidence_root.as_bytes());
        Self { key: hasher.finish(), reveal }
    }

    /// True when users stand in clear.
    pub fn reveals(&self) -> bool {
        self.reveal
    }

    /// `user-` and 16 hex digits; or the user where users are revealed.
    pub fn name(&self, user: &str) -> String {
        if self.reveal { user.to_owned() } else { self.pseudonym(user) }
    }

    /// `user-` and 16 hex digits, whether or not users are revealed.
    pub fn pseudonym(&self, user: &str) -> String {
        let mut hasher = TaggedHasher::new("reledger/pseudonym/1");
        hasher.field(self.key.as_bytes()).field(user.as_bytes());
        let hex = hasher.finish().to_hex();
        format!("user-{}", hex.get(..16).unwrap_or(&hex))
    }

    /// A divergence with every user it names replaced, also where its texts repeat them.
    pub fn apply(&self, divergence: &Divergence) -> Divergence {
        let mut shown = divergence.clone();
        if self.reveal {
            return shown;
        }
        let users: BTreeMap<String, String> = divergence
            .subject
            .0
            .iter()
            .filter(|(member, value)| USER_MEMBERS.contains(&member.as_str()) && !value.is_empty())
            .map(|(_, value)| (value.clone(), self.name(value)))
            .collect();
        for (user, name) in &users {
            for value in shown.subject.0.values_mut() {
                if value == user {
                    value.clone_from(name);
                }
            }
            for text in [&mut shown.expected, &mut shown.observed, &mut shown.explanation] {
                if text.contains(user.as_str()) {
                    *text = text.replace(user.as_str(), name);
                }
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Code, Finding, Subject, sha256};

    #[test]
    fn a_user_stands_nowhere_in_clear_unless_revealed() {
        let finding = Finding::new(Code::BalanceMismatch, Subject::new("user", "bc1qsecret"))
            .with_explanation("bc1qsecret is owed 5 sats")
            .into_divergence();
        let hidden = Pseudonyms::new(sha256(b"e"), false).apply(&finding);
        assert!(!format!("{hidden:?}").contains("bc1qsecret"));
        assert_eq!(hidden.fingerprint, finding.fingerprint);
        assert_eq!(Pseudonyms::new(sha256(b"e"), true).apply(&finding), finding);
        assert_ne!(Pseudonyms::new(sha256(b"e"), false).name("a"), Pseudonyms::new(sha256(b"f"), false).name("a"));
    }
}
