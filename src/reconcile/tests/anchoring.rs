//! Goal: which anchors count for what: bonded attestations, reorganisations, and the two recovery points.
//! Method: each case stands on the line, or a second beyond it.

use super::*;

use crate::domain::AttestationId;
use crate::evidence::AttestationMessage;
use crate::scratch::Table;
use crate::verify::{HeaderTrust, SignedAttestation};

/// An attestation of 2026-05-04 with a bond, not anchored.
fn bonded() -> (Scene, AttestationId) {
    let mut scene = Scene::honest();
    let id = AttestationId(digest("attested"));
    let message = AttestationMessage {
        address: "bc1quser".to_owned(),
        identities: Vec::new(),
        nonce: "0".repeat(32),
        issued_at: micros("2026-05-04T12:00:00Z"),
        extensions: [("bond".to_owned(), "10000".to_owned())].into(),
    };
    let signed = SignedAttestation { id, message, scheme: "bip322".to_owned() };
    scene.world.set.attestations.insert(id, Verified::assumed(signed, evidence("attested")));
    (scene, id)
}

fn about(scene: &Scene, id: AttestationId) -> Vec<Code> {
    let divergences = scene.run().divergences;
    let about = divergences.iter().filter(|found| found.subject.get("attestation") == Some(&id.to_string()));
    about.map(|found| found.code).collect()
}

#[test]
fn a_bonded_attestation_is_owed_an_anchor_that_may_come_late_and_never_before_it() {
    let (mut scene, id) = bonded();
    let queued = |scene: &Scene| scene.run().needs_anchor.iter().map(|item| (item.id, item.reason)).collect::<Vec<_>>();
    assert_eq!(about(&scene, id), [Code::OtsAbsent]);
    assert_eq!(queued(&scene), [(id.0, "absent")]);
    scene.world.set.anchors.or_default(id.0).pending.insert(PendingAnchor {
        uri: "https://alice.btc.calendar.opentimestamps.org".into(),
        commitment: [2; 44].into(),
        submitted_at: Some(time("2026-06-27T23:59:59Z")),
        proof: evidence("waiting"),
    });
    assert_eq!((about(&scene, id), queued(&scene)), (vec![Code::OtsOverdue], vec![(id.0, "overdue")]));
    // A month later: it was anchored when it upgraded a tier.
    scene.world.anchor(id.0, 950, "2026-06-04T12:00:00Z");
    assert_eq!((about(&scene, id), queued(&scene)), (Vec::new(), Vec::new()));
    for (block, codes) in [("2026-05-04T10:00:00Z", vec![]), ("2026-05-04T09:59:59Z", vec![Code::OtsBeforeClaim])] {
        scene.world.set.anchors.remove(&id.0);
        scene.world.anchor(id.0, 950, block);
        assert_eq!(about(&scene, id), codes, "{block}");
    }
}

#[test]
fn what_backs_a_bond_is_never_counted_as_checked() {
    let row = |scene: &Scene| {
        let unverifiable = scene.run().unverifiable;
        unverifiable
            .into_iter()
            .find(|one| one.check == "attestations.bond_backing")
            .map(|one| (one.items, one.declared))
    };
    assert_eq!(row(&Scene::honest()), None);
    assert_eq!(row(&bonded().0), Some((1, false)));
}

#[test]
fn the_lowest_block_is_the_anchor_whatever_the_order_of_times() {
    let mut scene = Scene::honest();
    scene.world.set.anchors.remove(&digest("e"));
    // The claimed time is 12:00. The second block alone would say that the envelope is post-dated.
    scene.world.anchor(digest("e"), 901, "2026-05-04T09:00:00Z");
    assert!(open(&scene).contains(&Code::OtsBeforeClaim));
    scene.world.anchor(digest("e"), 900, "2026-05-04T13:00:00Z");
    assert!(!open(&scene).contains(&Code::OtsBeforeClaim));
    // All are kept.
    assert_eq!(scene.world.set.anchors.get(&digest("e")).unwrap().confirmed.len(), 2);
}

#[test]
fn a_reorganised_anchor_is_explained_by_a_block_that_still_stands_and_open_without_one() {
    let mut scene = Scene::honest();
    let subject = Subject::new("digest", digest("e")).and("proof", digest("p")).and("height", 905);
    scene.world.set.findings = vec![Finding::new(Code::HdrReorg, subject)];
    assert_eq!(one(&scene.run(), Code::HdrReorg).state, State::Explained);
    scene.world.set.anchors.get_mut(&digest("e")).unwrap().confirmed.clear();
    assert_eq!(one(&scene.run(), Code::HdrReorg).state, State::Open);
}

#[test]
fn the_provable_recovery_point_rests_on_checked_headers_and_on_what_counts() {
    let mut scene = Scene::honest();
    let as_of = time("2026-06-30T00:00:00Z");
    scene.world.event("young", |event| event.occurred_at = micros("2026-06-29T00:00:00Z"));
    scene.world.anchor(digest("young"), 990, "2026-06-29T23:59:59Z");
    let recovery = |scene: &Scene| {
        let recovery = scene.run().recovery;
        (recovery.rpo_claimed_seconds, recovery.rpo_provable_seconds)
    };
    assert_eq!(recovery(&scene), (Some(86_400), Some(1)));
    // A block after the as-of proves nothing about it; one of that second does.
    let block = |scene: &mut Scene, at: UnixSeconds, trust: HeaderTrust| {
        let mut state = scene.world.set.anchors.get_mut(&digest("young")).unwrap();
        let anchor = state.confirmed.first_mut().unwrap();
        (anchor.time, anchor.trust) = (at, trust);
    };
    block(&mut scene, as_of, HeaderTrust::PinnedEpoch);
    assert_eq!(recovery(&scene).1, Some(0));
    let before = recovery(&Scene::honest()).1;
    block(&mut scene, as_of.plus(1), HeaderTrust::Chain);
    assert_eq!(recovery(&scene).1, before);
    block(&mut scene, as_of, HeaderTrust::Isolated);
    assert_eq!(recovery(&scene).1, before);
    // Nothing at all is no number.
    scene.world.set.envelopes = Table::default();
    assert_eq!(recovery(&scene), (None, None));
}
