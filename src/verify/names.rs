//! One copy of every name that events share.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by name and never iterated, so its order shows nowhere"
)]

use std::collections::HashSet;
use std::sync::Arc;

use super::SignedEnvelope;
use crate::domain::ProjectKey;
use crate::evidence::{BillableEvent, OcMeBody};

/// The names met so far. A ledger of millions of events has few sites, subtypes, projects and keys, and far fewer users than
/// events: with a copy each in every event, whoever walks the ledger waits for memory most of the time.
#[derive(Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    /// Puts the kept copies in the place of an envelope's own.
    pub(super) fn share(&mut self, envelope: &mut SignedEnvelope) {
        self.keep(envelope.kid.shared());
        if let Some(OcMeBody::Event(event)) = Arc::get_mut(&mut envelope.body) {
            self.share_event(event);
        }
    }

    fn share_event(&mut self, event: &mut BillableEvent) {
        let (project, drop) = (event.project.as_mut(), event.drop.as_mut());
        let always = [event.subtype.shared(), event.site.shared(), event.user.shared()];
        let named = [project.map(ProjectKey::shared), drop.map(|it| it.window.shared())];
        always.into_iter().chain(named.into_iter().flatten()).for_each(|name| self.keep(name));
    }

    fn keep(&mut self, name: &mut Arc<str>) {
        match self.0.get(name) {
            Some(kept) => *name = Arc::clone(kept),
            None => drop(self.0.insert(Arc::clone(name))),
        }
    }
}
