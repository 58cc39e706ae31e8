//! How a generated relay answers REQ and COUNT.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::dice::mix;
use super::truth::lot;
use super::world::{Cap, Choice, Count, Fault, Hints, Order, Prefixes, Refusal, Stored, World};

/// One thing the relay does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// An event that answers the question.
    Event {
        id: String,
        text: String,
    },
    Text(String),
    Pause(u64),
    /// Leaves without a goodbye.
    Leave,
}

impl World {
    /// The answer to the `nth` question of this relay's life.
    pub(super) fn answer_req(&self, subscription: &str, filter: &Value, nth: u64) -> Vec<Act> {
        if self.faults_now(nth).any(|fault| fault == Fault::Dead) {
            return Vec::new();
        }
        if let Some(prefix) = self.short_ids(filter) {
            return match prefix {
                Refusal::Closed | Refusal::NegErr => vec![closed(subscription, "ERROR: bad req: invalid id")],
                Refusal::Notice => vec![notice("ERROR: bad req: invalid id")],
                Refusal::Silence => Vec::new(),
            };
        }
        if let Some(acts) = self.refuses(subscription, nth) {
            return acts;
        }
        let (page, is_all) = self.page(filter, nth);
        let mut acts = self.frames(subscription, &page, filter, nth);
        acts.push(Act::Text(self.eose(subscription, is_all)));
        for fault in self.faults_now(nth) {
            spoil(&mut acts, fault, subscription);
        }
        acts
    }

    fn refuses(&self, subscription: &str, nth: u64) -> Option<Vec<Act>> {
        self.faults_now(nth).find_map(|fault| match fault {
            Fault::ClosedAtOnce(reason) => Some(vec![closed(subscription, reason)]),
            Fault::NoticeOnly => Some(vec![notice("could not do that")]),
            _ => None,
        })
    }

    fn faults_now(&self, nth: u64) -> impl Iterator<Item = Fault> {
        self.faults.iter().filter(move |(_, when)| when.is(nth)).map(|(fault, _)| *fault)
    }

    /// How `ids` that are no whole ids are refused, where they are.
    fn short_ids(&self, filter: &Value) -> Option<Refusal> {
        let Prefixes::Refused(refusal) = self.prefixes else { return None };
        let ids = filter["ids"].as_array()?;
        ids.iter().any(|id| id.as_str().is_none_or(|id| id.len() != 64)).then_some(refusal)
    }

    /// Everything that a filter matches and this relay would show in pages.
    fn matches<'a>(&'a self, filter: &Value) -> Vec<&'a Stored> {
        let by_id = filter["ids"].is_array();
        self.events
            .iter()
            .filter(|event| !self.hides(event) && !self.is_phantom(event))
            .filter(|event| by_id || !self.hides_from_pages(event))
            .filter(|event| self.admits(filter, event))
            .collect()
    }

    pub(super) fn admits(&self, filter: &Value, event: &Stored) -> bool {
        let bound = |name: &str| filter[name].as_i64().map(i128::from).or(filter[name].as_u64().map(i128::from));
        filter["kinds"].as_array().is_none_or(|kinds| kinds.iter().any(|kind| *kind == event.kind))
            && bound("since").is_none_or(|since| event.at >= since)
            && bound("until").is_none_or(|until| event.at <= until)
            && filter["authors"].as_array().is_none_or(|all| all.iter().any(|one| *one == event.author.as_str()))
            && filter["#d"].as_array().is_none_or(|all| all.iter().any(|one| *one == event.d.as_str()))
            && filter["ids"].as_array().is_none_or(|ids| {
                self.prefixes == Prefixes::Ignored && ids.iter().any(|id| id.as_str().is_some_and(|id| id.len() < 64))
                    || ids.iter().filter_map(Value::as_str).any(|id| self.names(id, event))
            })
    }

    fn names(&self, id: &str, event: &Stored) -> bool {
        event.id == id || (self.prefixes == Prefixes::Served && !id.is_empty() && event.id.starts_with(id))
    }

    /// One page, and whether it is all there is.
    fn page<'a>(&'a self, filter: &Value, nth: u64) -> (Vec<&'a Stored>, bool) {
        if self.faults_now(nth).any(|fault| fault == Fault::EmptyAnswer) {
            return (Vec::new(), false);
        }
        let mut found = self.matches(filter);
        let roll = |event: &Stored| mix(lot(event, 5) ^ mix(nth));
        match self.choice {
            Choice::Newest => found.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id))),
            Choice::Oldest => found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id))),
            Choice::LowestIds => found.sort_by(|a, b| a.id.cmp(&b.id)),
            Choice::Random => found.sort_by_key(|event| roll(event)),
        }
        let all = found.len();
        found.truncate(self.room(filter, nth));
        let is_all = found.len() == all;
        match self.order {
            Order::Descending => found.sort_by_key(|event| Reverse(event.at)),
            Order::Ascending => found.sort_by_key(|event| event.at),
            Order::Shuffled => found.sort_by_key(|event| roll(event)),
        }
        (found, is_all)
    }

    /// How many of the asked events fit into this page.
    fn room(&self, filter: &Value, nth: u64) -> usize {
        let cap = match self.cap {
            Cap::Fixed(cap) => cap,
            Cap::Varies(least, most) => {
                let span = u64::try_from(most - least + 1).unwrap();
                least + usize::try_from(mix(self.seed ^ mix(nth)) % span).unwrap()
            }
        };
        let asked = filter["limit"].as_u64().map_or(cap, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let room = cap.min(asked);
        let lost = self.faults_now(nth).any(|fault| matches!(fault, Fault::TwiceWithinCap | Fault::StraysWithinCap));
        if lost { room.div_ceil(2) } else { room }
    }

    fn frames(&self, subscription: &str, page: &[&Stored], filter: &Value, nth: u64) -> Vec<Act> {
        let mut acts = Vec::new();
        let frame = |event: &Stored| Act::Event {
            id: event.id.clone(),
            text: format!(r#"["EVENT","{subscription}",{}]"#, event.json),
        };
        let twice = self.faults_now(nth).any(|fault| matches!(fault, Fault::Twice | Fault::TwiceWithinCap));
        for event in page {
            acts.extend(std::iter::repeat_n(frame(event), if twice { 2 } else { 1 }));
        }
        let strays = self.events.iter().filter(|event| !self.admits(filter, event));
        let wanted = self.faults_now(nth).map(|fault| match fault {
            Fault::Stray => 1,
            Fault::StraysWithinCap => page.len(),
            _ => 0,
        });
        for stray in strays.take(wanted.max().unwrap_or(0)) {
            acts.push(Act::Text(format!(r#"["EVENT","{subscription}",{}]"#, stray.json)));
        }
        acts
    }

    fn eose(&self, subscription: &str, is_all: bool) -> String {
        let hint = match self.hints {
            Hints::No => None,
            Hints::Honest => Some(if is_all { "finish" } else { "more" }),
            Hints::AlwaysFinish => Some("finish"),
            Hints::AlwaysMore => Some("more"),
        };
        hint.map_or_else(|| json!(["EOSE", subscription]), |hint| json!(["EOSE", subscription, hint])).to_string()
    }

    /// The answer to a COUNT, and the number in it when it is given as exact.
    pub(super) fn answer_count(&self, subscription: &str, filter: &Value, nth: u64) -> (Vec<Act>, Option<u64>) {
        if self.faults_now(nth).any(|fault| fault == Fault::Dead) {
            return (Vec::new(), None);
        }
        let hidden = |event: &&Stored| !self.hides(event) && !self.is_phantom(event) && self.admits(filter, event);
        let exact = u64::try_from(self.events.iter().filter(hidden).count()).unwrap();
        let told = match self.count {
            Count::No(Refusal::Closed | Refusal::NegErr) => {
                return (vec![closed(subscription, "unsupported: COUNT")], None);
            }
            Count::No(Refusal::Notice) => return (vec![notice("ERROR: bad msg: unknown cmd")], None),
            Count::No(Refusal::Silence) => return (Vec::new(), None),
            Count::Exact | Count::Approximate => exact,
            Count::TooFew => exact / 2,
            Count::TooMany => exact * 2 + 1,
        };
        let approximate = self.count == Count::Approximate;
        let body = if approximate { json!({"count": told, "approximate": true}) } else { json!({"count": told}) };
        let text = json!(["COUNT", subscription, body]).to_string();
        (vec![Act::Text(text)], (!approximate).then_some(told))
    }
}

pub(super) fn closed(subscription: &str, reason: &str) -> Act {
    Act::Text(json!(["CLOSED", subscription, reason]).to_string())
}

pub(super) fn notice(words: &str) -> Act {
    Act::Text(json!(["NOTICE", words]).to_string())
}

/// What a fault makes of a proper answer, whose last act is its end.
fn spoil(acts: &mut Vec<Act>, fault: Fault, subscription: &str) {
    let half = acts.len().saturating_sub(1) / 2;
    match fault {
        Fault::NoEose => drop(acts.pop()),
        Fault::EventsAfterEose => {
            if let Some(end) = acts.pop() {
                acts.insert(half, end);
            }
        }
        Fault::ClosedMidPage(reason) => {
            acts.truncate(half);
            acts.push(closed(subscription, reason));
        }
        Fault::Disconnect => {
            acts.truncate(half);
            acts.push(Act::Leave);
        }
        Fault::Slow => acts.insert(half, Act::Pause(15)),
        Fault::Garbage => acts.insert(half, Act::Text(format!(r#"["EVENT","{subscription}",{{"id":"#))),
        Fault::ClosedAtOnce(_)
        | Fault::NoticeOnly
        | Fault::EmptyAnswer
        | Fault::Dead
        | Fault::Twice
        | Fault::TwiceWithinCap
        | Fault::Stray
        | Fault::StraysWithinCap
        | Fault::Hides
        | Fault::HidesFromPages => {}
    }
}
