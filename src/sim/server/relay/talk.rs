//! One connection to a relay: what is open on it, and what each message is answered with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role as End, WebSocketConfig};

use super::rules::NAME_BYTES_MAX;
use super::sync::Reconciliation;
use super::upgrade::{RelayServer, Upgraded};
use super::wire::{Step, closed, message, notice, take};
use crate::sim::json::{Object, quoted};
use crate::sim::nostr::Filter;

/// The state of one connection.
pub(super) struct Talk {
    pub(super) relay: Arc<RelayServer>,
    /// The number of this client of this relay, from 1.
    pub(super) client: u64,
    subscriptions: BTreeSet<String>,
    reconciliations: BTreeMap<String, Reconciliation>,
    allowance: Option<Allowance>,
}

/// What is left of a rate limit.
struct Allowance {
    left: u32,
    burst: u32,
    refill: Duration,
    since: Instant,
}

impl Allowance {
    /// True when one more question may be asked.
    fn spend(&mut self) -> bool {
        let passed = self.since.elapsed();
        let step = self.refill.max(Duration::from_millis(1));
        let earned = u32::try_from(passed.as_millis() / step.as_millis()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(self.burst);
            self.since = Instant::now();
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

impl RelayServer {
    /// Speaks with each upgraded socket in turn; ends when the connection can make no more of them.
    pub(in crate::sim::server) async fn converse(self: Arc<Self>, mut sockets: mpsc::Receiver<Upgraded>) {
        let pace = self.house.conduct.pace;
        let config = WebSocketConfig::default()
            .max_message_size(Some(self.rules.max_message_bytes))
            .max_frame_size(Some(self.rules.max_message_bytes));
        while let Some(upgrade) = sockets.recv().await {
            let Ok(upgraded) = upgrade.await else { continue };
            let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), End::Server, Some(config)).await;
            let mut talk = Talk::new(Arc::clone(&self));
            let mut left = false;
            while let Some(Ok(received)) = socket.next().await {
                let steps = match received {
                    Message::Text(text) => talk.hear(text.as_str()),
                    Message::Close(_) => break,
                    Message::Binary(_) => vec![notice("invalid: binary frame")],
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                };
                // A peer that is gone already needs no goodbye.
                left = !take(&mut socket, steps, pace).await.unwrap_or(false);
                if left {
                    break;
                }
            }
            if !left {
                let _ = socket.close(None).await;
            }
        }
    }
}

impl Talk {
    fn new(relay: Arc<RelayServer>) -> Self {
        let client = relay.house.conduct.new_client(relay.seat);
        let allowance = relay.rules.rate.map(|rate| Allowance {
            left: rate.burst,
            burst: rate.burst,
            refill: Duration::from_millis(rate.refill_ms),
            since: Instant::now(),
        });
        Self { relay, client, subscriptions: BTreeSet::new(), reconciliations: BTreeMap::new(), allowance }
    }

    /// The steps that answer one message.
    pub(super) fn hear(&mut self, text: &str) -> Vec<Step> {
        let Ok(Value::Array(frame)) = serde_json::from_str::<Value>(text) else {
            return vec![notice("invalid: not a JSON array")];
        };
        let part = |index: usize| frame.get(index).and_then(Value::as_str).unwrap_or_default();
        let (verb, name) = (part(0), part(1));
        let rest = frame.get(2..).unwrap_or_default();
        match verb {
            "EVENT" => return self.given(frame.get(1).unwrap_or(&Value::Null)),
            "AUTH" => return Self::told_who_asks(frame.get(1).unwrap_or(&Value::Null)),
            "REQ" | "COUNT" | "NEG-OPEN" | "NEG-MSG" | "NEG-CLOSE" | "CLOSE" => {}
            other => return vec![notice(&format!("invalid: unknown command {other:.16}"))],
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return vec![notice("invalid: subscription id")];
        }
        match verb {
            "CLOSE" => {
                self.subscriptions.remove(name);
                Vec::new()
            }
            "NEG-CLOSE" => {
                self.reconciliations.remove(name);
                Vec::new()
            }
            "NEG-MSG" => self.go_on(name, part(2)),
            _ if !self.may_ask() => vec![Self::refuse(verb, name, "rate-limited: slow down")],
            "NEG-OPEN" => self.reconcile(name, rest),
            _ => match self.filters(rest) {
                Err(reason) => vec![closed(name, reason)],
                Ok(filters) if verb == "COUNT" => self.count(name, &filters),
                Ok(_) if self.is_full(name) => vec![closed(name, "error: too many subscriptions")],
                Ok(filters) => {
                    self.subscriptions.insert(name.to_owned());
                    self.answer(name, &filters)
                }
            },
        }
    }

    fn may_ask(&mut self) -> bool {
        self.allowance.as_mut().is_none_or(Allowance::spend)
    }

    /// A name in use is replaced and takes no more room.
    fn is_full(&self, name: &str) -> bool {
        let open = self.subscriptions.len() + self.reconciliations.len();
        let known = self.subscriptions.contains(name) || self.reconciliations.contains_key(name);
        open >= self.relay.rules.max_subscriptions && !known
    }

    fn filters(&self, values: &[Value]) -> Result<Vec<Filter>, &'static str> {
        if values.is_empty() || values.len() > self.relay.rules.max_filters {
            return Err("invalid: number of filters");
        }
        values.iter().map(Filter::from_json).collect::<Option<Vec<_>>>().ok_or("invalid: filter")
    }

    fn refuse(verb: &str, name: &str, reason: &str) -> Step {
        if verb == "NEG-OPEN" { neg_err(name, reason) } else { closed(name, reason) }
    }

    /// NIP-45.
    fn count(&self, name: &str, filters: &[Filter]) -> Vec<Step> {
        if !self.relay.rules.counts {
            return vec![closed(name, "unsupported: COUNT")];
        }
        let hidden = self.leaves_out(filters);
        let shelf = self.relay.shelf();
        let all = shelf.all(&self.relay.house.world.events, filters);
        let count = all.filter(|event| !hidden.contains(&event.id)).count();
        vec![Step::Text(message("COUNT", [&quoted(name), &Object::new().plain("count", count).compact()]))]
    }

    /// NIP-77: opens a reconciliation and answers its first message.
    fn reconcile(&mut self, name: &str, rest: &[Value]) -> Vec<Step> {
        if !self.relay.rules.reconciles {
            return vec![notice("invalid: unknown command NEG-OPEN")];
        }
        self.reconciliations.remove(name);
        if self.is_full(name) {
            return vec![neg_err(name, "blocked: too many reconciliations")];
        }
        let [filter, opening, ..] = rest else { return vec![neg_err(name, "invalid: missing elements")] };
        let Some(filter) = Filter::from_json(filter) else { return vec![neg_err(name, "invalid: filter")] };
        let filters = [filter];
        let hidden = self.leaves_out(&filters);
        let shelf = self.relay.shelf();
        let all = shelf.all(&self.relay.house.world.events, &filters);
        let reconciliation = Reconciliation::over(all.filter(|event| !hidden.contains(&event.id)));
        drop(shelf);
        self.reconciliations.insert(name.to_owned(), reconciliation);
        self.go_on(name, opening.as_str().unwrap_or_default())
    }

    fn go_on(&mut self, name: &str, hex: &str) -> Vec<Step> {
        let Some(reconciliation) = self.reconciliations.get(name) else {
            return vec![neg_err(name, "closed: no such reconciliation")];
        };
        match reconciliation.answer(hex) {
            Ok(hex) => vec![Step::Text(message("NEG-MSG", [&quoted(name), &quoted(&hex)]))],
            Err(reason) => {
                self.reconciliations.remove(name);
                vec![neg_err(name, &reason)]
            }
        }
    }
}

fn neg_err(name: &str, reason: &str) -> Step {
    Step::Text(message("NEG-ERR", [&quoted(name), &quoted(reason)]))
}
