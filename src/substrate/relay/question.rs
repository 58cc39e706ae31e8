//! What a relay is asked: filters of NIP-01, and whether an event is an answer to them.

use serde_json::{Value, json};

use super::frame::Header;
use crate::domain::NostrEventId;

/// A span of `created_at`, both ends inclusive; `None` is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Option<i64>,
    pub(super) until: Option<i64>,
}

impl Span {
    pub(super) fn second(time: i64) -> Self {
        // What is dated later than a question can name is asked for without an end.
        Self { from: Some(time), until: Some(time).filter(|time| *time < i64::MAX) }
    }

    pub(super) fn is_second(&self) -> bool {
        self.from.is_some() && (self.from == self.until || self.from == Some(i64::MAX))
    }

    pub(super) fn holds(&self, time: i64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time <= until)
    }

    /// The part that ends with this second.
    pub(super) fn below(&self, until: i64) -> Self {
        Self { until: Some(until), ..*self }
    }

    /// The part that begins with this second.
    pub(super) fn above(&self, from: i64) -> Self {
        Self { from: Some(from), ..*self }
    }

    fn is_empty(&self) -> bool {
        matches!((self.from, self.until), (Some(from), Some(until)) if from > until)
    }

    /// Cuts it in two or three that together are the whole, or into nothing when it is one second. `seen` are the
    /// oldest and newest time known inside.
    pub(super) fn split(&self, seen: Option<(i64, i64)>) -> Vec<Self> {
        if self.is_second() {
            return Vec::new();
        }
        let low = self.from.or(seen.map(|seen| seen.0));
        let high = self.until.or(seen.map(|seen| seen.1));
        // Where nothing is known: what relays hold lies after 1970, and most of it before 2106.
        let high = high.unwrap_or_else(|| low.unwrap_or(0).max(i64::from(u32::MAX)));
        let low = low.unwrap_or(0).min(high);
        let low_time = seen.map_or(low, |seen| seen.0.max(low));
        let high_time = seen.map_or(high, |seen| seen.1.min(high));
        let parts = if low_time >= high_time {
            // All that is known sits in one second.
            let second = low_time.clamp(low, high);
            let mut parts =
                vec![self.below(second.saturating_sub(1)), Self { until: self.until, ..Self::second(second) }];
            if second < i64::MAX {
                parts[1].until = Some(second);
                parts.push(self.above(second.saturating_add(1)));
            }
            parts
        } else {
            let middle = low_time + (high_time.abs_diff(low_time) / 2).try_into().unwrap_or(0);
            vec![self.below(middle), self.above(middle.saturating_add(1))]
        };
        parts.into_iter().filter(|part| !part.is_empty() && part != self).collect()
    }
}

/// What else is asked for inside kinds and span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrow {
    Nothing,
    /// These ids, ascending.
    Ids(Vec<NostrEventId>),
    /// Ids that begin with these hex digits; relays older than the rule against it answer (CAPTURE 0.6).
    Prefix(String),
    /// These authors, in hex.
    Authors(Vec<String>),
    /// These values of `d` tags.
    Addresses(Vec<String>),
    /// Nothing is kept of the answer: its size is what is asked for.
    Measure,
}

/// One REQ with one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Empty is any kind.
    pub(super) kinds: Vec<u16>,
    pub(super) span: Span,
    pub(super) narrow: Narrow,
    pub(super) limit: u32,
}

impl Question {
    pub(super) fn filter(&self) -> Value {
        let mut filter = json!({});
        if !self.kinds.is_empty() {
            filter["kinds"] = self.kinds.as_slice().into();
        }
        if let Some(since) = self.span.from {
            filter["since"] = since.into();
        }
        if let Some(until) = self.span.until {
            filter["until"] = until.into();
        }
        match &self.narrow {
            Narrow::Nothing | Narrow::Measure => {}
            Narrow::Ids(ids) => filter["ids"] = ids.iter().map(ToString::to_string).collect(),
            Narrow::Prefix(prefix) => filter["ids"] = json!([prefix]),
            Narrow::Authors(authors) => filter["authors"] = authors.as_slice().into(),
            Narrow::Addresses(values) => filter["#d"] = values.as_slice().into(),
        }
        filter
    }

    pub(super) fn request(&self, subscription: &str) -> String {
        let mut filter = self.filter();
        filter["limit"] = self.limit.into();
        json!(["REQ", subscription, filter]).to_string()
    }

    /// True for an event that was asked for.
    pub(super) fn admits(&self, header: &Header<'_>) -> bool {
        let is_kind = |kind: &u16| u64::from(*kind) == header.kind;
        (self.kinds.is_empty() || self.kinds.iter().any(is_kind))
            && self.span.holds(header.created_at)
            && match &self.narrow {
                Narrow::Nothing | Narrow::Measure => true,
                Narrow::Ids(ids) => header.id.parse().is_ok_and(|id| ids.binary_search(&id).is_ok()),
                Narrow::Prefix(prefix) => header.id.starts_with(prefix.as_str()),
                Narrow::Authors(authors) => header.author().is_some_and(|author| authors.contains(&author)),
                Narrow::Addresses(values) => header.addresses().iter().any(|value| values.contains(value)),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_span_are_the_whole_and_do_not_overlap() {
        let span = |from, until| Span { from, until };
        for (whole, seen) in [
            (span(None, None), None),
            (span(None, None), Some((100, 200))),
            (span(None, None), Some((100, 100))),
            (span(Some(5), None), Some((5, 5))),
            (span(None, Some(5)), Some((5, 5))),
            (span(Some(5), Some(6)), None),
            (span(Some(5), Some(6)), Some((6, 6))),
            (span(Some(0), Some(i64::MAX)), Some((3, i64::MAX))),
            (span(None, None), Some((i64::MIN + 1, i64::MAX))),
            (span(None, Some(-7)), None),
            (span(Some(1 << 40), None), None),
        ] {
            let parts = whole.split(seen);
            assert!(parts.len() >= 2, "{whole:?} {seen:?} {parts:?}");
            assert_eq!((parts[0].from, parts[parts.len() - 1].until), (whole.from, whole.until));
            for pair in parts.windows(2) {
                let (end, begin) = (pair[0].until.unwrap(), pair[1].from.unwrap());
                assert_eq!(end + 1, begin, "{whole:?} {seen:?} {parts:?}");
            }
            assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
        }
        assert_eq!(Span::second(7).split(Some((7, 7))), []);
    }

    #[test]
    fn halving_comes_to_single_seconds() {
        let mut spans = vec![Span { from: Some(0), until: Some(1_000) }];
        let mut seconds = 0;
        while let Some(span) = spans.pop() {
            let parts = span.split(None);
            seconds += i32::from(parts.is_empty());
            spans.extend(parts);
        }
        assert_eq!(seconds, 1_001);
    }

    #[test]
    fn only_what_was_asked_for_is_an_answer() {
        let id = "ab".repeat(32);
        let text = format!(r#"{{"id":"{id}","kind":7,"created_at":5,"pubkey":"p","tags":[["t","x"],["d","y"]]}}"#);
        let header = Header::read(&text).unwrap();
        let asked = |narrow| Question { kinds: vec![7], span: Span::second(5), narrow, limit: 1 };
        assert!(asked(Narrow::Nothing).admits(&header));
        assert!(!Question { kinds: vec![8], ..asked(Narrow::Nothing) }.admits(&header));
        assert!(!Question { span: Span::second(6), ..asked(Narrow::Nothing) }.admits(&header));
        assert!(asked(Narrow::Ids(vec![id.parse().unwrap()])).admits(&header));
        assert!(!asked(Narrow::Ids(vec!["ac".repeat(32).parse().unwrap()])).admits(&header));
        assert!(asked(Narrow::Prefix("ab".to_owned())).admits(&header));
        assert!(!asked(Narrow::Prefix("ac".to_owned())).admits(&header));
        assert!(asked(Narrow::Authors(vec!["p".to_owned()])).admits(&header));
        assert!(!asked(Narrow::Authors(vec!["q".to_owned()])).admits(&header));
        assert!(asked(Narrow::Addresses(vec!["y".to_owned()])).admits(&header));
        assert!(!asked(Narrow::Addresses(vec!["x".to_owned()])).admits(&header));
    }
}
