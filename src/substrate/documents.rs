//! What a document says about its own records: how many there are, and whether more follow.
//!
//! LND tells page positions (TREASURY 3.2); other services use a count, a cursor or a flag. A member that stands beside
//! the records and has none of these names says nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::domain::Sign;
use crate::evidence::split::Held;

/// Documents remembered of one source; a source that comes in more pieces than this shows its paging all the same.
const DOCUMENTS_MAX: usize = 10_000;
/// Members that tell positions of a page.
const POSITIONS: [&str; 2] = ["first_index_offset", "last_index_offset"];
/// Members that name the next page, unless they are null or empty.
const NEXT: [&str; 4] = ["next", "next_cursor", "next_page", "next_page_token"];

/// What the documents of one source said. A set: a document read twice says nothing new.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeSet<Held>);

impl Documents {
    /// Remembers the containers that a splitter closed.
    pub(super) fn note(&mut self, held: Vec<Held>) {
        for held in held {
            if self.0.len() < DOCUMENTS_MAX {
                self.0.insert(held);
            }
        }
    }

    /// What is to be noticed about them.
    pub(super) fn signs(&self) -> BTreeMap<Sign, u64> {
        let mut signs = BTreeMap::new();
        let mut positions = BTreeSet::new();
        let mut ends: BTreeMap<String, bool> = BTreeMap::new();
        for held in &self.0 {
            let Ok(members) = serde_json::from_slice::<Map<String, Value>>(&held.beside) else { continue };
            if members.get("count").and_then(integer).is_some_and(|count| count != held.records) {
                *signs.entry(Sign::CountDiffers).or_default() += 1;
            }
            let page: Vec<String> = POSITIONS.iter().filter_map(|name| Some(members.get(*name)?.to_string())).collect();
            if !page.is_empty() {
                positions.insert(page);
            }
            ends.insert(Value::Object(members.clone()).to_string(), names_more(&members));
        }
        if !positions.is_empty() {
            signs.insert(Sign::Paged, wide(positions.len()));
        }
        // Each page but the last names its successor: as many pages as there are ends show a whole chain.
        let more = ends.values().filter(|more| **more).count();
        if more > 0 && more == ends.len() {
            signs.insert(Sign::MorePages, wide(more));
        }
        signs
    }
}

fn names_more(members: &Map<String, Value>) -> bool {
    let named = |name: &&&str| match members.get(**name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    members.get("has_more") == Some(&Value::Bool(true)) || NEXT.iter().find(named).is_some()
}

/// An integer, or one in a text as LND writes it.
fn integer(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::split::{Container, RecordSplitter};

    fn signs(texts: &[&str]) -> Vec<(Sign, u64)> {
        let mut documents = Documents::default();
        for text in texts {
            let mut splitter = RecordSplitter::new(Container::Detect(&["invoices"]), 100);
            splitter.feed(text.as_bytes(), &mut |_| ());
            documents.note(splitter.take_containers());
        }
        documents.signs().into_iter().collect()
    }

    #[test]
    fn a_count_that_is_not_the_number_of_records_is_noticed() {
        assert_eq!(signs(&[r#"{"count":3,"invoices":[{"n":1},{"n":2}]}"#]), [(Sign::CountDiffers, 1)]);
        assert_eq!(signs(&[r#"{"invoices":[{"n":1},{"n":2}],"count":"3"}"#]), [(Sign::CountDiffers, 1)]);
        for text in [
            r#"{"count":2,"invoices":[{"n":1},{"n":2}]}"#,
            r#"{"invoices":[{"n":1} , {"n":2} ] , "count":"2"}"#,
            r#"{"invoices":[],"count":0}"#,
            r#"{"invoices":[{"n":1}],"counts":5,"count":null}"#,
            r#"[{"count":3}]"#,
        ] {
            assert_eq!(signs(&[text]), [], "{text}");
        }
    }

    #[test]
    fn different_page_positions_are_pages_and_a_page_read_twice_is_one() {
        let page = |first: u32, last: u32| {
            format!(r#"{{"first_index_offset":"{first}","invoices":[{{"n":1}}],"last_index_offset":"{last}"}}"#)
        };
        assert_eq!(signs(&[&page(1, 100), &page(1, 100)]), [(Sign::Paged, 1)]);
        assert_eq!(signs(&[&page(1, 100), &page(101, 120)]), [(Sign::Paged, 2)]);
    }

    #[test]
    fn a_page_that_names_a_next_one_is_not_the_last() {
        for beside in [r#""next":"c1""#, r#""has_more":true"#, r#""next_cursor":7"#] {
            assert_eq!(
                signs(&[&format!(r#"{{"invoices":[{{"n":1}}],{beside}}}"#)]),
                [(Sign::MorePages, 1)],
                "{beside}"
            );
        }
        for beside in [r#""next":"""#, r#""has_more":false"#, r#""next_cursor":null"#] {
            assert_eq!(signs(&[&format!(r#"{{"invoices":[{{"n":1}}],{beside}}}"#)]), [], "{beside}");
        }
        let last = r#"{"invoices":[{"n":2}],"next":null}"#;
        assert_eq!(signs(&[r#"{"invoices":[{"n":1}],"next":"c1"}"#, last]), [], "the last page is there too");
    }
}
