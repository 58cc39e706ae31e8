//! What a graduation must leave as it was (FORMATS 3.4, 8.4): tier, rate and history, where an artifact carries them twice.
//! No schema is published, so the likely pairs of names are read, and only plain values are compared.

use super::json::Json;

/// A member that has another value after a transition than before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// `tier`, `rate` or `history_count`.
    pub name: &'static str,
    /// Its value before. Foreign text.
    pub before: String,
    /// Its value after. Foreign text.
    pub after: String,
}

/// Names and their pairs of members, in order of name.
const PAIRS: [(&str, [&str; 2]); 6] = [
    ("history_count", ["history_count_before", "history_count_after"]),
    ("history_count", ["from_history_count", "to_history_count"]),
    ("rate", ["rate_before", "rate_after"]),
    ("rate", ["from_rate", "to_rate"]),
    ("tier", ["tier_before", "tier_after"]),
    ("tier", ["from_tier", "to_tier"]),
];
/// The name among [`PAIRS`] that is written like this.
pub(super) fn kept_name(text: &str) -> Option<&'static str> {
    PAIRS.iter().map(|(name, _)| *name).find(|name| *name == text)
}

/// A value longer than this is no tier, rate or count.
const VALUE_BYTES_MAX: usize = 100;

/// The members that a signed object says have changed.
pub(super) fn changed(object: &Json<'_>) -> Vec<Changed> {
    let pairs = PAIRS.into_iter().filter_map(|(name, [before, after])| {
        let (before, after) = (plain(object.get_some(before)?)?, plain(object.get_some(after)?)?);
        (before != after).then_some(Changed { name, before, after })
    });
    pairs.collect()
}

fn plain(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Array(_) | Json::Object(_) | Json::Null => None,
        Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            Some(value.as_str().map_or_else(|| value.to_compact(), str::to_owned))
        }
    }
    .filter(|text| text.len() <= VALUE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::json;

    fn names(text: &str) -> Vec<(&'static str, String, String)> {
        let all = changed(&json::parse(text.as_bytes()).unwrap());
        all.into_iter().map(|one| (one.name, one.before, one.after)).collect()
    }

    #[test]
    fn only_plain_pairs_that_differ_are_changes() {
        let told = |name, before: &str, after: &str| (name, before.to_owned(), after.to_owned());
        assert_eq!(names(r#"{"tier_before":"gold","tier_after":"none"}"#), [told("tier", "gold", "none")]);
        assert_eq!(names(r#"{"from_rate":0.65,"to_rate":0.6}"#), [told("rate", "0.65", "0.6")]);
        assert_eq!(
            names(r#"{"history_count_before":7,"history_count_after":6,"from_tier":"a","to_tier":"b"}"#),
            [told("history_count", "7", "6"), told("tier", "a", "b")]
        );
        for same in [
            "{}",
            r#"{"tier_before":"gold","tier_after":"gold"}"#,
            r#"{"tier_before":"gold"}"#,
            r#"{"tier_before":"gold","to_tier":"none"}"#,
            r#"{"tier_before":null,"tier_after":"gold"}"#,
            r#"{"tier_before":["gold"],"tier_after":["none"]}"#,
        ] {
            assert_eq!(names(same), [], "{same}");
        }
        assert_eq!(names(&format!(r#"{{"from_tier":"{}","to_tier":"b"}}"#, "x".repeat(101))), []);
    }
}
