//! Documents of records, and what can be wrong with one.

use bytes::Bytes;
use serde_json::Value;

use super::super::conduct::Seat;
use super::super::house::House;
use super::super::misbehaviour::Misbehaviour as M;
use super::answer::{Answer, JSON, JSON_LINES};
use crate::sim::json::quoted;
use crate::sim::rng::Rng;

/// A record that is balanced and yet no JSON, so that nothing beside it is touched.
const UNREADABLE: &[u8] = b"{\"this\":is not a record}";
/// A record with a text that is none.
const NOT_UTF8: &[u8] = b"{\"operation_id\":\"\xff\xfe\xc3\"}";
/// How many of 100 records are left out.
const LEFT_OUT: u64 = 30;

/// How records are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// One a line.
    Lines,
    /// An array.
    Array,
    /// An object with a count, the records under this name, and the next page.
    Object(&'static str),
}

/// A document on its way out.
#[derive(Debug, Clone)]
pub(super) struct Records {
    pub(super) style: Style,
    items: Vec<Bytes>,
    /// What the document says of itself.
    stated: usize,
    /// The position of the next page.
    pub(super) next: Option<String>,
    beside: String,
}

impl Records {
    pub(super) fn new<'a>(style: Style, items: impl IntoIterator<Item = &'a String>) -> Self {
        let items: Vec<Bytes> = items.into_iter().map(|item| Bytes::copy_from_slice(item.as_bytes())).collect();
        Self { style, stated: items.len(), items, next: None, beside: String::new() }
    }

    /// Only the page that begins at `from` and holds at most `size` records.
    pub(super) fn page(mut self, from: usize, size: usize) -> Self {
        let end = from.saturating_add(size).min(self.items.len());
        if end < self.items.len() {
            self.next = Some(end.to_string());
        }
        self.items = self.items.get(from..end).unwrap_or_default().to_vec();
        self.stated = self.items.len();
        self
    }

    /// Does to the document what its server does to documents.
    pub(super) fn misbehave(mut self, house: &House, seat: Seat, client: u64) -> Self {
        let takes = |misbehaviour| house.conduct.takes(seat, misbehaviour);
        let any = !self.items.is_empty();
        if any && takes(M::Omit) {
            self.leave_out(&mut house.conduct.draw(seat, "omit"));
        }
        if any && takes(M::Equivocate) {
            self.items = self.items.iter().map(|item| another_balance(item, client)).collect();
        }
        if any && takes(M::Malformed) {
            self.spoil(UNREADABLE);
        }
        if any && takes(M::InvalidUtf8) {
            self.spoil(NOT_UTF8);
        }
        if self.items.len() > 1 && takes(M::Reorder) {
            shuffle(&mut self.items, &mut house.conduct.draw(seat, "reorder"));
        }
        if any && takes(M::Duplicate) {
            self.items = self.items.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
            self.stated *= 2;
        }
        let is_object = matches!(self.style, Style::Object(_));
        if is_object && takes(M::BadUrl) {
            let [trap, private, _] = house.bad_urls();
            self.beside = format!(",\"self\":{},\"mirror\":{}", quoted(&private), quoted(&trap));
        }
        if is_object && takes(M::Loop) {
            self.next = Some("0".to_owned());
        }
        self
    }

    fn leave_out(&mut self, rng: &mut Rng) {
        let always = rng.index(self.items.len());
        let mut at = 0;
        self.items.retain(|_| {
            at += 1;
            at - 1 != always && !rng.chance(LEFT_OUT)
        });
    }

    /// The record in the middle becomes another.
    fn spoil(&mut self, record: &'static [u8]) {
        let middle = self.items.len() / 2;
        self.items[middle] = Bytes::from_static(record);
    }

    pub(super) fn answer(&self) -> Answer {
        let separator: &[u8] = if self.style == Style::Lines { b"\n" } else { b"," };
        let joined = self.items.join(separator);
        let next = self.next.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let (media, before, after) = match self.style {
            Style::Lines if self.items.is_empty() => (JSON_LINES, String::new(), String::new()),
            Style::Lines => (JSON_LINES, String::new(), "\n".to_owned()),
            Style::Array => (JSON, "[".to_owned(), "]".to_owned()),
            Style::Object(name) => (
                JSON,
                format!("{{\"count\":{},{}:[", self.stated, quoted(name)),
                format!("],\"next\":{next}{}}}", self.beside),
            ),
        };
        Answer::ok(media, [before.into_bytes(), joined, after.into_bytes()].concat())
    }
}

/// Another order than before, when there are two things to put in order.
pub(in crate::sim::server) fn shuffle<T: PartialEq + Clone>(items: &mut [T], rng: &mut Rng) {
    let before = items.to_vec();
    for at in (1..items.len()).rev() {
        items.swap(at, rng.index(at + 1));
    }
    if items == before.as_slice() {
        items.reverse();
    }
}

/// The same user with another balance for each client.
fn another_balance(record: &[u8], client: u64) -> Bytes {
    let Ok(mut line) = serde_json::from_slice::<Value>(record) else { return Bytes::copy_from_slice(record) };
    if let Some(balance) = line.get("balance_sats").and_then(Value::as_u64) {
        line["balance_sats"] = balance.saturating_add(client).into();
    }
    Bytes::from(line.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(records: &Records) -> String {
        String::from_utf8(records.answer().body.to_vec()).unwrap()
    }

    #[test]
    fn three_styles_and_pages() {
        let items = ["1".to_owned(), "2".to_owned(), "3".to_owned()];
        assert_eq!(text(&Records::new(Style::Lines, &items)), "1\n2\n3\n");
        assert_eq!(text(&Records::new(Style::Array, &items)), "[1,2,3]");
        let object = Records::new(Style::Object("n"), &items);
        assert_eq!(text(&object), r#"{"count":3,"n":[1,2,3],"next":null}"#);
        assert_eq!(text(&object.clone().page(0, 2)), r#"{"count":2,"n":[1,2],"next":"2"}"#);
        assert_eq!(text(&object.clone().page(2, 2)), r#"{"count":1,"n":[3],"next":null}"#);
        assert_eq!(text(&object.page(9, 2)), r#"{"count":0,"n":[],"next":null}"#);
        assert_eq!(text(&Records::new(Style::Lines, &[])), "");
    }

    #[test]
    fn another_order_is_another_order() {
        for seed in 0..20 {
            let mut items = vec![1, 2];
            shuffle(&mut items, &mut Rng::new(seed, "s"));
            assert_eq!(items, [2, 1]);
        }
    }

    #[test]
    fn each_client_hears_another_balance() {
        let told = |client| another_balance(br#"{"user":"u","balance_sats":5}"#, client);
        assert_ne!(told(1), told(2));
        assert!(std::str::from_utf8(&told(1)).unwrap().contains('6'));
    }
}
