//! What never leaves: bearer money, other people's payments, addresses with passwords; and whom a bundle may name unasked.

use std::collections::BTreeSet;

use super::case::Case;
use super::disclosed::Names;
use crate::domain::{Divergence, EvidenceId, Media};
use crate::evidence::rails::redact_log_entry;

/// Subject members that name a user.
const USER_MEMBERS: [&str; 3] = ["user", "address", "principal"];

/// Why a case can't be put into a bundle at all; `None` when it can.
pub(super) fn forbidden(case: &Case) -> Option<&'static str> {
    if case.pieces.values().any(|piece| redact_log_entry(&piece.bytes).is_some()) {
        return Some("its evidence holds bearer notes");
    }
    let told = case.receipts.iter().map(|receipt| &receipt.source);
    let declared = &case.declared;
    let listed = declared.relays.iter().chain(&declared.sources).chain(&declared.calendars);
    let seen = case.sightings.values().flatten();
    if told.chain(listed).chain(seen).any(|source| has_password(&source.0)) {
        return Some("the address of a source holds a password");
    }
    None
}

fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// Users other than the one that the divergence is about: the one that its subject names; else the one that the evidence it
/// cites names, when that names one.
pub(super) fn others<'n>(divergence: &Divergence, names: &'n Names) -> BTreeSet<&'n str> {
    let mut own: BTreeSet<&str> = (divergence.subject.0.iter())
        .filter(|(member, value)| USER_MEMBERS.contains(&member.as_str()) && !value.is_empty())
        .map(|(_, value)| value.as_str())
        .collect();
    if own.is_empty() {
        let cited: BTreeSet<EvidenceId> = divergence.evidence.iter().map(|cited| cited.id).collect();
        let named = names.users.iter().filter(|(_, pieces)| !pieces.is_disjoint(&cited));
        own = named.map(|(user, _)| user.as_str()).collect();
        if own.len() > 1 {
            own.clear();
        }
    }
    names.users.keys().map(String::as_str).filter(|user| !own.contains(user)).collect()
}

/// Removes every payment of others that is not cited. What the bounded search left over must not leak.
pub(super) fn strangers(case: &Case, foreign: &BTreeSet<EvidenceId>, divergence: &Divergence) -> BTreeSet<EvidenceId> {
    let cited = |id: &EvidenceId| divergence.evidence.iter().any(|cited| cited.id == *id);
    let theirs = |id: &EvidenceId, media: Media| media == Media::PaymentLogEntry && foreign.contains(id) && !cited(id);
    case.pieces.iter().filter(|(id, piece)| theirs(id, piece.media)).map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_seen_and_an_at_sign_behind_the_host_is_none() {
        for url in ["wss://u:p@relay.example", "https://token@host/x"] {
            assert!(has_password(url), "{url}");
        }
        for url in ["wss://relay.example/@me", "https://host/?a=b@c", "files:settlement", ""] {
            assert!(!has_password(url), "{url}");
        }
    }
}
