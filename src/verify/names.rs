//! One copy of every name that events share.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by name and never iterated, so its order shows nowhere"
)]

use std::collections::HashSet;
use std::sync::Arc;

use super::SignedEnvelope;
use crate::evidence::{BillableEvent, OcMeBody};

/// The names met so far. A ledger of millions of events has few sites, subtypes, projects and keys, and far fewer users than
/// events: with a copy each in every event, whoever walks the ledger waits for memory most of the time.
#[derive(Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    /// Puts the kept copies in the place of an envelope's own.
    pub(super) fn share(&mut self, envelope: &mut SignedEnvelope) {
        self.keep(&mut envelope.kid);
        if let Some(OcMeBody::Event(event)) = Arc::get_mut(&mut envelope.body) {
            self.share_event(event);
        }
    }

    fn share_event(&mut self, event: &mut BillableEvent) {
        self.keep(&mut event.subtype);
        self.keep(&mut event.site);
        self.keep(&mut event.user);
        event.project.iter_mut().for_each(|project| self.keep(project));
        event.drop.iter_mut().for_each(|drop| self.keep(&mut drop.window));
    }

    fn keep<N: AsRef<str> + From<Arc<str>>>(&mut self, name: &mut N) {
        let kept = self.0.get(name.as_ref()).cloned().unwrap_or_else(|| {
            let first = Arc::from(name.as_ref());
            self.0.insert(Arc::clone(&first));
            first
        });
        *name = N::from(kept);
    }
}
