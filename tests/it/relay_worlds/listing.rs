//! How a generated relay speaks NIP-77: honestly, or in one of the ways in which lists go wrong.

use std::collections::BTreeMap;

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use serde_json::{Value, json};

use super::answer::{Act, closed, notice};
use super::truth::stamp;
use super::world::{Fault, Neg, Refusal, Stored, World};

/// The conversations of one connection.
#[derive(Default)]
pub(super) struct Conversations(BTreeMap<String, Conversation>);

struct Conversation {
    engine: Negentropy<'static, NegentropyStorageVector>,
    messages: u64,
}

/// Answer, and whether ids were listed in it.
pub(super) type Listed = (Vec<Act>, bool);

impl Conversations {
    pub(super) fn open(&mut self, world: &World, subscription: &str, filter: &Value, first: &str) -> Listed {
        let listed: Vec<&Stored> = world.listed(filter);
        let frame = match world.neg {
            Neg::No(refusal) => return (refuse(refusal, subscription), false),
            Neg::AlwaysBlocked => return (vec![error(subscription, "blocked: this query is too big")], false),
            Neg::Honest { max, .. } if listed.len() > max => {
                return (vec![error(subscription, "blocked: too many query results")], false);
            }
            Neg::Honest { frame, .. } => frame,
            Neg::BreaksOff => 4_096,
            Neg::Partial | Neg::Newer | Neg::Phantoms | Neg::Endless | Neg::Garbage => 0,
        };
        let mut storage = NegentropyStorageVector::new();
        for event in listed {
            let mut id = [0; 32];
            faster_hex::hex_decode(event.id.as_bytes(), &mut id).unwrap();
            storage.insert(stamp(event).unwrap(), Id::from_byte_array(id)).unwrap();
        }
        storage.seal().unwrap();
        let engine = Negentropy::owned(storage, frame).unwrap();
        self.0.insert(subscription.to_owned(), Conversation { engine, messages: 0 });
        self.next(world, subscription, first)
    }

    pub(super) fn next(&mut self, world: &World, subscription: &str, message: &str) -> Listed {
        let Some(conversation) = self.0.get_mut(subscription) else {
            return (vec![error(subscription, "closed: unknown subscription")], false);
        };
        conversation.messages += 1;
        let number = conversation.messages;
        let reply = match world.neg {
            Neg::Garbage => "61zz".to_owned(),
            Neg::BreaksOff if number > 1 => {
                self.0.remove(subscription);
                return (vec![error(subscription, "closed: took too long")], false);
            }
            // One range up to infinity, with a fingerprint that nothing has.
            Neg::Endless => format!("61000001{number:032x}"),
            _ => {
                let mut query = vec![0; message.len() / 2];
                let reply = match faster_hex::hex_decode(message.as_bytes(), &mut query) {
                    Ok(()) => conversation.engine.reconcile(&query).ok(),
                    Err(_) => None,
                };
                let Some(reply) = reply else { return (vec![error(subscription, "error: bad message")], false) };
                faster_hex::hex_string(&reply)
            }
        };
        let lists = !matches!(world.neg, Neg::Garbage | Neg::Endless);
        (vec![Act::Text(json!(["NEG-MSG", subscription, reply]).to_string())], lists)
    }

    pub(super) fn close(&mut self, subscription: &str) {
        self.0.remove(subscription);
    }
}

impl World {
    /// What a listing of this filter names.
    fn listed(&self, filter: &Value) -> Vec<&Stored> {
        let all = self.events.iter().filter(|event| !self.hides(event) && stamp(event).is_some());
        all.filter(|event| !self.is_unlisted(event) && self.admits(filter, event)).collect()
    }

    /// True when nothing is answered any more.
    pub(super) fn is_dead(&self, nth: u64) -> bool {
        self.faults.iter().any(|(fault, when)| *fault == Fault::Dead && when.is(nth))
    }
}

fn error(subscription: &str, reason: &str) -> Act {
    Act::Text(json!(["NEG-ERR", subscription, reason]).to_string())
}

fn refuse(refusal: Refusal, subscription: &str) -> Vec<Act> {
    match refusal {
        Refusal::Closed => vec![closed(subscription, "unsupported: negentropy")],
        Refusal::Notice => vec![notice("ERROR: bad msg: negentropy query missing elements")],
        Refusal::NegErr => vec![error(subscription, "unsupported: negentropy is off")],
        Refusal::Silence => Vec::new(),
    }
}
