//! Whose names stand in evidence. Signed bytes can't be changed, so a bundle says whom they name.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::case::{Case, Judged};
use crate::app::explain::hide::Hidden;
use crate::domain::{Digest32, EvidenceId, Media, RawEvidence};

/// Members that name a user.
const USER_MEMBERS: [&str; 7] = ["address", "did_oc", "principal", "user", "user_address", "user_did", "merged_from"];
/// Members that lead to one by another name.
const ALIAS_MEMBERS: [&str; 6] = ["btc", "destination", "email", "identifier", "identity", "npub"];
/// How users' keys begin, also where nothing that was verified names them.
const USER_PREFIXES: [&str; 4] = ["bc1", "tb1", "bcrt1", "did:oc:"];
/// A shorter text is no address.
const ADDRESS_MIN: usize = 14;
/// Texts inside texts that are looked into: an event's content, a base64 member of it, its canonical bytes.
const DEPTH_MAX: usize = 5;
/// Shorter base64 holds no name.
const BASE64_MIN: usize = 24;

/// The names in a case's evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Users, with the pieces that name each.
    pub(super) users: BTreeMap<String, BTreeSet<EvidenceId>>,
    /// Accounts with other services, and destinations.
    pub(super) aliases: BTreeMap<String, BTreeSet<EvidenceId>>,
}

impl Names {
    /// Looks through all evidence of a case.
    pub(super) fn of(case: &Case, judged: &Judged) -> Self {
        // The key of the pseudonyms does not matter here.
        let hidden = Hidden::of(&judged.set, Digest32::default(), true);
        let (users, aliases) = hidden.people();
        let mut names = Self::default();
        for (id, piece) in &case.pieces {
            let mut seen =
                Seen { known: users, known_aliases: aliases, users: BTreeSet::new(), aliases: BTreeSet::new() };
            seen.piece(piece);
            for user in seen.users {
                names.users.entry(user).or_default().insert(*id);
            }
            for alias in seen.aliases {
                names.aliases.entry(alias).or_default().insert(*id);
            }
        }
        names.aliases.retain(|alias, _| !names.users.contains_key(alias));
        names
    }

    /// Every name with the number of pieces that hold it.
    pub(super) fn counted(&self) -> BTreeMap<&str, u64> {
        let all = self.users.iter().chain(&self.aliases);
        // A count of pieces in memory always fits 64 bits.
        all.map(|(name, pieces)| (name.as_str(), pieces.len() as u64)).collect()
    }
}

struct Seen<'a> {
    known: &'a BTreeSet<String>,
    known_aliases: &'a BTreeSet<String>,
    users: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

impl Seen<'_> {
    fn piece(&mut self, piece: &RawEvidence) {
        if !matches!(piece.media, Media::Headers | Media::OtsProof | Media::CalendarReply) {
            self.text(&String::from_utf8_lossy(&piece.bytes), 0);
        }
    }

    // Recursion is bounded by DEPTH_MAX, and inside one text by the depth that parsing allows.
    fn text(&mut self, text: &str, depth: usize) {
        self.words(text);
        if depth >= DEPTH_MAX {
            return;
        }
        if text.trim_start().starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            self.value("", &value, depth);
        } else if let Some(inside) = from_base64(text) {
            self.text(&inside, depth + 1);
        }
    }

    fn value(&mut self, member: &str, value: &Value, depth: usize) {
        match value {
            Value::String(text) => {
                if !text.is_empty() && USER_MEMBERS.contains(&member) {
                    self.users.insert(text.clone());
                } else if !text.is_empty() && ALIAS_MEMBERS.contains(&member) {
                    self.aliases.insert(text.clone());
                }
                self.text(text, depth + 1);
            }
            Value::Array(items) => items.iter().for_each(|item| self.value(member, item, depth)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.words(name);
                    self.value(name, value, depth);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Names that stand anywhere in a text, whatever their member is called.
    fn words(&mut self, text: &str) {
        let is_word = |character: char| character.is_ascii_alphanumeric() || ":._-@+".contains(character);
        for word in text.split(|character| !is_word(character)) {
            let word = word.trim_matches(['.', ':']);
            let last = word.rsplit_once(':').map_or(word, |(_, last)| last);
            for candidate in [word, last] {
                let looks =
                    candidate.len() >= ADDRESS_MIN && USER_PREFIXES.iter().any(|begin| candidate.starts_with(begin));
                if looks || self.known.contains(candidate) {
                    self.users.insert(candidate.to_owned());
                } else if self.known_aliases.contains(candidate) {
                    self.aliases.insert(candidate.to_owned());
                }
            }
        }
    }
}

fn from_base64(text: &str) -> Option<String> {
    let plausible =
        text.len() >= BASE64_MIN && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte));
    if !plausible {
        return None;
    }
    let bytes = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD].into_iter().find_map(|engine| engine.decode(text).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, known: &[&str]) -> (Vec<String>, Vec<String>) {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        let none = BTreeSet::new();
        let mut seen = Seen { known: &known, known_aliases: &none, users: BTreeSet::new(), aliases: BTreeSet::new() };
        seen.text(text, 0);
        (seen.users.into_iter().collect(), seen.aliases.into_iter().collect())
    }

    #[test]
    fn a_name_is_found_in_members_words_nested_json_and_base64() {
        let users = |text: &str| seen(text, &["carol"]).0;
        assert_eq!(users(r#"{"user_address":"someone"}"#), ["someone"]);
        assert_eq!(users("oc-lock\naddress: bc1q9e77gmkm7rgqpu\n"), ["bc1q9e77gmkm7rgqpu"]);
        assert_eq!(users(r#"["d","oc-lock:device:bc1q9e77gmkm7rgqpu"]"#), ["bc1q9e77gmkm7rgqpu"]);
        assert_eq!(users(r#"{"content":"{\"user\":\"someone\"}"}"#), ["someone"]);
        assert_eq!(users(r#"{"x":["carol"]}"#), ["carol"]);
        let inside = STANDARD.encode(r#"{"v":1,"user_did":"did:oc:f2758679db"}"#);
        assert_eq!(users(&format!(r#"{{"canonical_b64":"{inside}"}}"#)), ["did:oc:f2758679db"]);
        assert_eq!(seen(r#"{"destination":"a@x.example"}"#, &[]).1, ["a@x.example"]);
    }

    #[test]
    fn what_names_nobody_gives_no_name() {
        for text in ["", "{}", r#"{"user":"","site":"cafe.example"}"#, "bc1short", r#"{"amount":5,"kind":"user"}"#] {
            assert_eq!(seen(text, &["carol"]), (Vec::new(), Vec::new()), "{text}");
        }
    }
}
