//! One copy of every name that settlements and entries of a gateway's log share.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by name and never iterated, so its order shows nowhere"
)]

use std::collections::HashSet;
use std::sync::Arc;

use crate::evidence::{PaymentLogEntry, SettlementEvent};

/// The names met so far: few federations, modules, kinds, projects, and far fewer users than payments.
#[derive(Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    /// Puts the kept copies in the place of an entry's own.
    pub(super) fn share_entry(&mut self, entry: &mut PaymentLogEntry) {
        self.keep(&mut entry.federation_id);
        self.keep(&mut entry.module);
        self.keep(&mut entry.kind);
    }

    /// The same for a settlement.
    pub(super) fn share_settlement(&mut self, event: &mut SettlementEvent) {
        self.keep(&mut event.federation);
        event.project.iter_mut().for_each(|project| self.keep(project));
        event.user.iter_mut().for_each(|user| self.keep(user));
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
