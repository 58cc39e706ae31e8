//! One copy of every name that settlements and entries of a gateway's log share: few federations, modules, kinds and projects, and
//! far fewer users than payments.

use crate::domain::Names;
use crate::evidence::{PaymentLogEntry, SettlementEvent};

/// Puts the kept copies in the place of an entry's own.
pub(super) fn share_entry(names: &mut Names, entry: &mut PaymentLogEntry) {
    for name in [&mut entry.federation_id, &mut entry.module, &mut entry.kind] {
        names.share(name);
    }
}

/// The same for a settlement.
pub(super) fn share_settlement(names: &mut Names, event: &mut SettlementEvent) {
    names.share(&mut event.federation);
    event.project.iter_mut().for_each(|project| names.share(project));
    event.user.iter_mut().for_each(|user| names.share(user));
}
