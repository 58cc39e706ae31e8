//! What a relay that claims to be complete need not hold: the same event in other bytes, and versions that it replaced.

use super::*;
use crate::domain::Digest32;

impl Scene {
    /// Another event of the same time, which both relays hold.
    fn here_too(&mut self, change: impl FnOnce(&mut HeldEvent)) {
        let carrier = evidence("here too");
        let mut event = held(carrier, 30_087, time("2026-05-20T00:00:00Z"));
        change(&mut event);
        self.world.set.events.insert(carrier, event);
        self.sightings.insert(carrier, BTreeSet::from([source(OPERATOR), source(OTHER)]));
    }
}

const OMISSIONS: &[Case<Scene>] = &[
    (
        // The same event in other bytes is the same event.
        Code::SrcOmits,
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            s.only_at_other();
            s.here_too(|lost| lost.at.0 += 1);
        },
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            let lost = s.only_at_other();
            s.here_too(|copy| (copy.id, copy.place) = (NostrEventId(lost.0), lost.0));
        },
    ),
    (
        // A relay keeps the newest version of an address; of two in one second that of the lower id.
        Code::SrcOmits,
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            let lost = s.only_at_other();
            s.here_too(|older| (older.place, older.at.0) = (lost.0, older.at.0 - 1));
        },
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            let lost = s.only_at_other();
            s.here_too(|newer| (newer.place, newer.at.0) = (lost.0, newer.at.0 + 1));
        },
    ),
    (
        Code::SrcOmits,
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            let lost = s.only_at_other();
            s.here_too(|rival| (rival.place, rival.id.0) = (lost.0, Digest32([0xff; 32])));
        },
        |s| {
            s.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
            s.see_all(OTHER);
            let lost = s.only_at_other();
            s.here_too(|rival| (rival.place, rival.id.0) = (lost.0, Digest32([0; 32])));
        },
    ),
];

#[test]
fn an_event_is_held_in_any_bytes_and_a_replaced_version_need_not_be() {
    assert_table(&Scene::honest(), OMISSIONS, open);
}
