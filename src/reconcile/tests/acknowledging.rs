//! Goal: a signed acknowledgement counts for exactly the divergence that it is about, while it may; every reason against it
//! has a case and a near miss.

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::domain::{
    ACKNOWLEDGEMENT_SECONDS_MAX, Acknowledgement, Digest32, PinnedKey, PublicKey32, Severity, Signature64,
    SignedStatement, Statement, Withdrawal,
};
use crate::reconcile::StatementState::{self, BadSignature, Holds, UnknownKey, Unmatched, Withdrawn};

fn pen() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public(pen: &SigningKey) -> PublicKey32 {
    PublicKey32::from_bytes(pen.verifying_key().to_bytes())
}

fn signed(pen: &SigningKey, body: Statement) -> SignedStatement {
    let sig = Signature64(pen.sign(&body.message()).to_bytes());
    SignedStatement { body, key_id: public(pen), sig }
}

/// What is said of the open divergence of that code in the scene as it stands.
fn word(scene: &Scene, code: Code) -> Acknowledgement {
    let run = scene.run();
    let divergence = one(&run, code);
    Acknowledgement {
        fingerprint: divergence.fingerprint,
        code,
        severity: divergence.severity,
        values_sha256: divergence.values_sha256,
        reason: "known".to_owned(),
        by: "ops".to_owned(),
        issued_at: scene.world.as_of.time,
        expires_at: scene.world.as_of.time.plus(86_400),
    }
}

/// A payout of 38 sats for a share of 39: AMT_MISMATCH, an error.
fn differing() -> Scene {
    let mut scene = Scene::honest();
    scene.change_settlement("payout", |x| x.event.amount = sats(38));
    scene.world.policy.acknowledgement_keys = vec![PinnedKey { key: public(&pen()), from: None, until: None }];
    scene
}

/// Where each statement stands, in the order given.
fn stand(scene: &Scene, statements: &[SignedStatement]) -> Vec<StatementState> {
    let mut scene = scene.clone();
    scene.declared.acknowledgements = statements.to_vec();
    let judged = scene.run().acknowledgements;
    let state = |signed: &SignedStatement| judged.iter().find(|one| one.signed == *signed).unwrap().state;
    let states: Vec<StatementState> = statements.iter().map(state).collect();
    // What does not count changes nothing.
    if !states.contains(&StatementState::Holds) {
        let mut plain = scene.clone();
        plain.declared.acknowledgements.clear();
        assert_eq!(scene.run().divergences, plain.run().divergences);
    }
    states
}

fn stands(scene: &Scene, word: &Acknowledgement) -> StatementState {
    stand(scene, &[signed(&pen(), Statement::Acknowledgement(word.clone()))])[0]
}

#[test]
fn an_acknowledged_divergence_is_listed_counted_apart_and_blocks_nothing() {
    let mut scene = differing();
    let before = scene.run();
    let own = word(&scene, Code::AmtMismatch);
    scene.declared.acknowledgements = vec![signed(&pen(), Statement::Acknowledgement(own.clone()))];
    let after = scene.run();
    let found = one(&after, Code::AmtMismatch);
    assert_eq!((found.state, found.blocks(), found.fails(Severity::Info)), (State::Acknowledged, false, false));
    assert_eq!(after.divergences.len(), before.divergences.len());
    assert_eq!(after.needs_review, before.needs_review - 1);
    assert_eq!(after.by_code_sats, before.by_code_sats, "never subtracted");
    let open = |run: &Reconciliation| run.ages.counts.values().sum::<u64>();
    assert_eq!(open(&after), open(&before) - 1, "only what is open ages");
    for divergence in after.divergences.iter().filter(|one| one.fingerprint != own.fingerprint) {
        assert!(before.divergences.contains(divergence), "{divergence:?}");
    }
}

#[test]
fn order_and_repetition_of_statements_change_nothing() {
    let mut scene = differing();
    let own = signed(&pen(), Statement::Acknowledgement(word(&scene, Code::AmtMismatch)));
    let mut other = own.clone();
    other.sig.0[0] ^= 1;
    scene.declared.acknowledgements = vec![own.clone(), other.clone()];
    let one_way = scene.run();
    scene.declared.acknowledgements = vec![other, own.clone(), own];
    let other_way = scene.run();
    assert_eq!(one_way.acknowledgements, other_way.acknowledgements);
    assert_eq!(one_way.divergences, other_way.divergences);
    assert_eq!(one(&one_way, Code::AmtMismatch).state, State::Acknowledged);
}

#[test]
fn time_is_that_of_the_as_of_and_of_the_statement() {
    let scene = differing();
    let (as_of, longest) = (scene.world.as_of.time, ACKNOWLEDGEMENT_SECONDS_MAX);
    let own = word(&scene, Code::AmtMismatch);
    for (issued, expires, expected) in [
        (as_of, as_of, StatementState::Expired),
        (as_of, as_of.plus(1), StatementState::Holds),
        (as_of, as_of.plus(longest), StatementState::Holds),
        (as_of, as_of.plus(longest + 1), StatementState::TooLong),
        // Long after the as-of, as when an old run is looked at: the as-of decides.
        (as_of.plus(longest), as_of.plus(longest + 1), StatementState::TooLong),
        (as_of.plus(longest), as_of.plus(longest), StatementState::Holds),
        // Long before it: the statement's own date decides.
        (as_of.plus(1 - longest), as_of.plus(1), StatementState::Holds),
        (as_of.plus(1 - longest), as_of.plus(2), StatementState::TooLong),
    ] {
        let word = Acknowledgement { issued_at: issued, expires_at: expires, ..own.clone() };
        assert_eq!(stands(&scene, &word), expected, "{issued} {expires}");
    }
}

#[test]
fn only_a_pinned_key_with_a_signature_that_holds_speaks() {
    let mut scene = differing();
    let own = Statement::Acknowledgement(word(&scene, Code::AmtMismatch));
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let mut forged = signed(&pen(), own.clone());
    forged.key_id = public(&stranger);
    let mut broken = signed(&pen(), own.clone());
    broken.sig.0[63] ^= 1;
    let statements = [signed(&stranger, own.clone()), forged, broken, signed(&pen(), own.clone())];
    assert_eq!(stand(&scene, &statements), [UnknownKey, UnknownKey, BadSignature, Holds]);
    let at = scene.world.as_of.time;
    for (from, until, expected) in
        [(Some(at), Some(at.plus(1)), Holds), (Some(at.plus(1)), None, UnknownKey), (None, Some(at), UnknownKey)]
    {
        scene.world.policy.acknowledgement_keys = vec![PinnedKey { key: public(&pen()), from, until }];
        assert_eq!(stand(&scene, &[signed(&pen(), own.clone())]), [expected]);
    }
    scene.world.policy.acknowledgement_keys.clear();
    assert_eq!(stand(&scene, &[signed(&pen(), own)]), [UnknownKey], "nobody was pinned");
}

#[test]
fn it_counts_for_these_values_this_code_and_this_severity_only() {
    let scene = differing();
    let own = word(&scene, Code::AmtMismatch);
    assert_eq!(stands(&scene, &own), StatementState::Holds);
    let mut changed = scene.clone();
    changed.change_settlement("payout", |x| x.event.amount = sats(37));
    assert_eq!(stands(&changed, &own), StatementState::OtherValues);
    let other = Acknowledgement { code: Code::SetMissing, ..own.clone() };
    assert_eq!(stands(&scene, &other), StatementState::OtherCode);
    for (severity, expected) in [
        (Severity::Info, StatementState::Graver),
        (Severity::Warn, StatementState::Graver),
        (Severity::Error, StatementState::Holds),
        (Severity::Critical, StatementState::Holds),
    ] {
        assert_eq!(stands(&scene, &Acknowledgement { severity, ..own.clone() }), expected, "{severity}");
    }
    let stranger = Acknowledgement { fingerprint: Digest32([1; 32]), ..own.clone() };
    assert_eq!(stands(&scene, &stranger), StatementState::Unmatched);
    let mut settled = scene.clone();
    settled.change_settlement("payout", |x| x.event.amount = sats(39));
    assert_eq!(stands(&settled, &own), StatementState::Unmatched, "what is settled needs no acknowledgement");
}

#[test]
fn what_is_critical_or_about_balances_or_explained_is_never_acknowledged() {
    let mut scene = differing();
    scene.change_settlement("payout", |x| x.event.amount = sats(40));
    assert_eq!(stands(&scene, &word(&scene, Code::UserOverpaid)), StatementState::Critical);
    let mut scene = differing();
    scene.world.set.balances = vec![(evidence("line"), line("bc1quser", 5))];
    assert_eq!(stands(&scene, &word(&scene, Code::BalanceMismatch)), StatementState::Balances);
    let mut scene = differing();
    scene.world.set.balances = vec![(evidence("line"), line("bc1qnobody", 5))];
    assert_eq!(stands(&scene, &word(&scene, Code::BalanceExtraUser)), StatementState::Balances);
    let mut scene = differing();
    scene.with_other(SliceEnd::Ended, CompletenessBasis::Exhausted);
    scene.only_at_other();
    scene.gap("2027-01-01T00:00:00Z");
    assert_eq!(stands(&scene, &word(&scene, Code::SrcKnownGap)), StatementState::Explained);
    // A warning may be acknowledged: it is no error, and blocks nothing anyway.
    let mut scene = differing();
    scene.change_settlement("payout", |x| {
        (x.event.amount, x.event.settled_at) = (sats(39), time("2026-05-14T12:00:01Z"));
    });
    assert_eq!(stands(&scene, &word(&scene, Code::SetLate)), StatementState::Holds);
}

#[test]
fn a_withdrawal_counts_by_its_own_signature_and_for_what_it_names() {
    let scene = differing();
    let own = signed(&pen(), Statement::Acknowledgement(word(&scene, Code::AmtMismatch)));
    let withdrawal = |acknowledgement: Digest32| {
        let (reason, by, issued_at) = ("settled".to_owned(), String::new(), scene.world.as_of.time);
        Statement::Withdrawal(Withdrawal { acknowledgement, reason, by, issued_at })
    };
    let good = signed(&pen(), withdrawal(own.body.id()));
    assert_eq!(stand(&scene, &[own.clone(), good.clone()]), [Withdrawn, Holds]);
    let mut broken = good.clone();
    broken.sig.0[0] ^= 1;
    assert_eq!(stand(&scene, &[own.clone(), broken]), [Holds, BadSignature]);
    let strange = signed(&SigningKey::from_bytes(&[8; 32]), withdrawal(own.body.id()));
    assert_eq!(stand(&scene, &[own.clone(), strange]), [Holds, UnknownKey]);
    let other = signed(&pen(), withdrawal(Digest32([1; 32])));
    assert_eq!(stand(&scene, &[own.clone(), other]), [Holds, Unmatched]);
    // Signed again later, it is another acknowledgement, which nobody withdrew.
    let Statement::Acknowledgement(mut again) = own.body.clone() else { panic!("an acknowledgement") };
    again.issued_at = again.issued_at.plus(1);
    let again = signed(&pen(), Statement::Acknowledgement(again));
    assert_eq!(stand(&scene, &[own, good, again]), [Withdrawn, Holds, Holds]);
}
