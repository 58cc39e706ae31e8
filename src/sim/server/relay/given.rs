//! What a relay says to an event that it is given (NIP-01), and to those who say who they are (NIP-42).

use serde_json::Value;

use super::answer::Begun;
use super::talk::Talk;
use super::wire::{Step, message};
use crate::sim::json::quoted;
use crate::sim::nostr::SimEvent;

/// Kind of an authentication event.
const AUTH_KIND: u16 = 22_242;

impl Talk {
    /// The steps that answer an event.
    pub(super) fn given(&self, value: &Value) -> Vec<Step> {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        let mut steps = match self.begun(|words| ok(id, Err(words))) {
            Begun::Goes(steps) => steps,
            Begun::Ends(steps) => return steps,
        };
        steps.push(ok(id, self.kept(value)));
        steps
    }

    fn kept(&self, value: &Value) -> Result<&'static str, &'static str> {
        if !self.relay.rules.takes_events {
            return Err("blocked: read-only");
        }
        let event = SimEvent::from_json(value).ok_or("invalid: not an event")?;
        if event.holds() { self.relay.keep(event) } else { Err("invalid: id or signature") }
    }

    /// Anybody may ask, once it is known who does.
    pub(super) fn told_who_asks(value: &Value) -> Vec<Step> {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        let event = SimEvent::from_json(value).filter(|event| event.kind == AUTH_KIND && event.holds());
        vec![ok(id, if event.is_some() { Ok("") } else { Err("invalid: no proof of who asks") })]
    }
}

fn ok(id: &str, verdict: Result<&str, &str>) -> Step {
    let (taken, Ok(words) | Err(words)) = (if verdict.is_ok() { "true" } else { "false" }, verdict);
    Step::Text(message("OK", [&quoted(id), taken, &quoted(words)]))
}
