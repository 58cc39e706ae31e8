//! Hand-made verified sets for the unit tests of this room and of `reconcile`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    AsOf, BlockHash, BlockHeight, Code, DescriptorId, Digest32, Direction, EnvelopeId, EvidenceId, Finding,
    PublicKey32, Sats, SettlementKind, Tip, TrustPolicy, UnixMicros, UnixSeconds, sha256,
};
use crate::evidence::{
    ActivityAttestation, BillableEvent, CandidateRule, Changed, CustodyState, DescriptorForm, Distribution,
    DistributionShare, DropManifest, DropRef, EventClass, EventPrice, OcMeBody, OcMeKind, ProjectConfig, Rebind,
    SettlementEvent, SitePays,
};
use crate::verify::{
    AcceptedGraduation, AcceptedRotation, Anchor, HeaderTrust, KnownDescriptor, SignedEnvelope, SignedSettlement,
    Verified, VerifiedSet,
};

use super::rebuild::{Ledgers, rebuild};
use super::treasury::Entry;

/// A row of a table: a change that produces the code, and a near miss that must not.
pub(crate) type Case<W> = (Code, fn(&mut W), fn(&mut W));

/// A verified set under construction, with policy and as-of.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) set: VerifiedSet,
    pub(crate) policy: TrustPolicy,
    pub(crate) as_of: AsOf,
}

pub(crate) fn time(text: &str) -> UnixSeconds {
    text.parse().unwrap()
}

pub(crate) fn micros(text: &str) -> UnixMicros {
    text.parse().unwrap()
}

pub(crate) fn sats(sats: u64) -> Sats {
    Sats::new(sats).unwrap()
}

pub(crate) fn digest(name: &str) -> Digest32 {
    sha256(name.as_bytes())
}

pub(crate) fn evidence(name: &str) -> EvidenceId {
    EvidenceId(digest(&format!("carrier of {name}")))
}

pub(crate) fn id(name: &str) -> EnvelopeId {
    EnvelopeId(digest(name))
}

pub(crate) fn descriptor_id(name: &str) -> DescriptorId {
    DescriptorId(digest(name))
}

/// That member, another after than before.
pub(crate) fn changed(name: &'static str) -> Changed {
    Changed { name, before: "before".to_owned(), after: "after".to_owned() }
}

/// The event of `event-verify.json`, "matches exactly".
pub(crate) fn plain_event() -> BillableEvent {
    BillableEvent {
        v: 2,
        class: EventClass::C,
        subtype: "session_creation".into(),
        occurred_at: micros("2026-05-04T12:00:00Z"),
        site: "test.co".into(),
        user: "bc1quser".into(),
        project: Some("pk_test_co".into()),
        gross: sats(100),
        platform: sats(20),
        user_earned: sats(65),
        rebate: sats(15),
        is_agent: false,
        drop: None,
        payment_amount: None,
        idempotency_key: None,
    }
}

/// A class A event of a key outside the catalogue, which no config prices by default.
pub(crate) fn class_a(event: &mut BillableEvent) {
    event.class = EventClass::A;
    event.subtype = "account_creation".into();
}

pub(crate) fn in_window(event: &mut BillableEvent, window: &str, target: Option<u32>) {
    event.drop = Some(DropRef { window: window.into(), close_height_target: target.map(BlockHeight) });
}

pub(crate) fn price(site_pays: SitePays, user_share_pct: f64) -> EventPrice {
    EventPrice { enabled: true, site_pays: Some(site_pays), user_share_pct, agent: None, class: None }
}

pub(crate) fn plain_config() -> ProjectConfig {
    let session = price(SitePays::FixedSats(100.0), 0.65);
    ProjectConfig {
        host: String::new(),
        project: "pk_test_co".into(),
        display_name: "Test Co".to_owned(),
        domain: "test.co".to_owned(),
        updated_at: Some(micros("2026-05-04T00:00:00Z")),
        events: BTreeMap::from([
            ("session_creation".to_owned(), session.clone()),
            ("account_creation".to_owned(), session),
        ]),
        problems: Vec::new(),
    }
}

pub(crate) fn plain_settlement(kind: SettlementKind, name: &str) -> SettlementEvent {
    let direction = if kind == SettlementKind::EscrowDeposit { Direction::In } else { Direction::Out };
    SettlementEvent {
        kind,
        federation: "oc-me-v1".into(),
        operation: digest(name).to_hex().into(),
        amount: sats(1000),
        direction,
        settled_at: time("2026-05-01T00:00:00Z"),
        payment_hash: Some(digest(&format!("hash of {name}")).to_hex()),
        preimage: Some("00".repeat(32)),
        txid: None,
        gateway_pubkey: None,
        project: Some("pk_test_co".into()),
        user: None,
        payout_binding: None,
        distribution: None,
        operator: None,
        destination: None,
        note: None,
        fee: None,
    }
}

pub(crate) fn manifest(window: &str, members: &[&str], gross: u64, user_share: u64) -> DropManifest {
    DropManifest {
        window: window.into(),
        schedule: None,
        sealed_at: micros("2026-05-10T00:00:00Z"),
        sealed_height: None,
        event_count: members.len() as u64,
        recipient_count: None,
        gross: sats(gross),
        user_share: sats(user_share),
        events_root: None,
        has_recipients_root: false,
        event_ids: members.iter().map(|name| id(name)).collect(),
    }
}

impl World {
    /// One price config, as of 2026-06-30, no headers.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            set: VerifiedSet::default(),
            policy: TrustPolicy::orangecheck_2026_10(),
            as_of: AsOf { time: time("2026-06-30T00:00:00Z"), tip: None },
        };
        world.set.configs.push((evidence("config"), plain_config()));
        world
    }

    /// The treasury's entries, in their order.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.ledgers().journal(&self.set, &self.policy, self.as_of).entries().collect()
    }

    pub(crate) fn ledgers(&self) -> Ledgers {
        rebuild(&self.set, &self.policy, self.as_of)
    }

    pub(crate) fn tip(&mut self, height: u32, at: &str) {
        self.as_of.tip = Some(Tip { height: BlockHeight(height), hash: BlockHash::default(), time: time(at) });
    }

    pub(crate) fn envelope(&mut self, name: &str, kind: OcMeKind, body: OcMeBody) {
        let kid = "env-1".into();
        let envelope = SignedEnvelope { id: id(name), kind, kid, rule: CandidateRule::Verbatim, body: Arc::new(body) };
        self.set.envelopes.insert(id(name), Verified::assumed(envelope, evidence(name)));
    }

    pub(crate) fn event(&mut self, name: &str, change: impl FnOnce(&mut BillableEvent)) {
        let mut event = plain_event();
        change(&mut event);
        self.envelope(name, OcMeKind::Event, OcMeBody::Event(event));
    }

    pub(crate) fn drop_manifest(&mut self, name: &str, manifest: DropManifest) {
        self.envelope(name, OcMeKind::Drop, OcMeBody::Drop(manifest));
    }

    pub(crate) fn distribution(&mut self, name: &str, shares: &[(&str, u64)], total: Option<u64>) {
        let recipients = shares
            .iter()
            .map(|(user, amount)| DistributionShare { user: (*user).into(), amount: sats(*amount), binding: None })
            .collect();
        let created_at = micros("2026-05-11T00:00:00Z");
        let body = OcMeBody::Distribution(Distribution { recipients, total: total.map(sats), created_at });
        self.envelope(name, OcMeKind::Distribution, body);
    }

    pub(crate) fn activity(&mut self, name: &str, activity: ActivityAttestation) {
        self.envelope(name, OcMeKind::Activity, OcMeBody::Activity(activity));
    }

    pub(crate) fn rebind(&mut self, name: &str, at: &str, from: CustodyState, to: CustodyState, prev: Option<&str>) {
        let rebind = Rebind {
            user: "bc1quser".into(),
            from,
            to,
            from_federation: None,
            to_federation: None,
            at: micros(at),
            prev: prev.map(id),
            graduation: None,
            changed: Vec::new(),
        };
        self.envelope(name, OcMeKind::Rebind, OcMeBody::Rebind(rebind));
    }

    pub(crate) fn rebind_mut(&mut self, name: &str, change: impl FnOnce(&mut Rebind)) {
        let mut envelope = self.set.envelopes.get(&id(name)).unwrap().fact().clone();
        let OcMeBody::Rebind(rebind) = Arc::make_mut(&mut envelope.body) else { panic!("{name} is no rebind") };
        change(rebind);
        self.set.envelopes.insert(id(name), Verified::assumed(envelope, evidence(name)));
    }

    pub(crate) fn settlement(&mut self, name: &str, kind: SettlementKind, change: impl FnOnce(&mut SettlementEvent)) {
        let mut event = plain_settlement(kind, name);
        change(&mut event);
        let digest = digest(name);
        let key = PublicKey32::from_bytes([7; 32]);
        let settlement = SignedSettlement { event, digest, key, preimage_proven: false };
        self.set.settlements.insert(digest, Verified::assumed(settlement, evidence(name)));
    }

    /// A payout of `amount` to `bc1quser` with every member that TREASURY 2.4 requires.
    pub(crate) fn payout(&mut self, name: &str, at: &str, amount: u64) {
        self.settlement(name, SettlementKind::DistributionSettled, |event| {
            event.amount = sats(amount);
            event.settled_at = time(at);
            event.user = Some("bc1quser".into());
            event.payout_binding = Some("binding".to_owned());
            event.distribution = Some(id("batch").to_string());
            event.destination = Some("user@wallet.example".to_owned());
            event.project = None;
        });
    }

    pub(crate) fn anchor(&mut self, digest: Digest32, height: u32, at: &str) {
        let proof = evidence("proof");
        let mut state = self.set.anchors.or_default(digest);
        state.proofs.insert(proof);
        state.confirmed.push(Anchor {
            height: BlockHeight(height),
            time: time(at),
            hash: BlockHash::default(),
            trust: HeaderTrust::Chain,
            is_final: true,
            proof,
        });
        state.confirmed.sort();
    }

    pub(crate) fn descriptor(&mut self, name: &str, address: &str) {
        let descriptor = KnownDescriptor {
            id: descriptor_id(name),
            form: DescriptorForm::Custody,
            address: Some(address.to_owned()),
            threshold: 3,
            guardians: Vec::new(),
        };
        self.set.descriptors.insert(descriptor.id, Verified::assumed(descriptor, evidence(name)));
    }

    pub(crate) fn graduation(&mut self, name: &str, from: &str, at: &str) {
        let graduation = AcceptedGraduation {
            id: digest(name),
            address: "bc1quser".to_owned(),
            from: descriptor_id(from),
            to: "single-key".to_owned(),
            to_federation: None,
            at: time(at),
            profile: "L",
            changed: Vec::new(),
        };
        self.set.graduations.insert(graduation.id, Verified::assumed(graduation, evidence(name)));
    }

    pub(crate) fn graduation_changing(&mut self, name: &str, from: &str, at: &str, members: &[&'static str]) {
        self.graduation(name, from, at);
        let mut graduation = self.set.graduations[&digest(name)].fact().clone();
        graduation.changed = members.iter().map(|member| changed(member)).collect();
        self.set.graduations.insert(graduation.id, Verified::assumed(graduation, evidence(name)));
    }

    pub(crate) fn rotation(&mut self, name: &str, from: &str, to: &str, at: &str) {
        let rotation = AcceptedRotation {
            id: digest(name),
            address: "bc1quser".to_owned(),
            from: descriptor_id(from),
            to: descriptor_id(to),
            at: time(at),
            profile: "L",
        };
        self.set.rotations.insert(rotation.id, Verified::assumed(rotation, evidence(name)));
    }

    /// Sightings of every envelope's carrier at one source.
    pub(crate) fn carriers(&self) -> BTreeSet<EvidenceId> {
        self.set.envelopes.values().map(|verified| verified.first_carrier()).collect()
    }
}

pub(crate) fn has(findings: &[Finding], code: Code) -> bool {
    findings.iter().any(|finding| finding.code == code)
}

/// Asserts that each row's first change produces the code and the second does not.
pub(crate) fn assert_table<W: Clone>(start: &W, cases: &[Case<W>], codes: impl Fn(&W) -> Vec<Code>) {
    for (row, (code, produce, near_miss)) in cases.iter().enumerate() {
        let (mut wrong, mut right) = (start.clone(), start.clone());
        produce(&mut wrong);
        near_miss(&mut right);
        assert!(codes(&wrong).contains(code), "row {row}: {code} was not produced: {:?}", codes(&wrong));
        assert!(!codes(&right).contains(code), "row {row}: {code} came from the near miss");
    }
}

/// The worked example of TREASURY 5.2.
pub(crate) fn worked_example() -> World {
    let mut world = World::new();
    world.settlement("deposit", SettlementKind::EscrowDeposit, |event| event.amount = sats(100_000));
    world.event("envelope", |event| {
        (event.gross, event.platform, event.user_earned, event.rebate) = (sats(60), sats(12), sats(39), sats(9));
    });
    world.settlement("rebate", SettlementKind::EscrowRebate, |event| {
        event.amount = sats(9);
        event.settled_at = time("2026-05-05T00:00:00Z");
    });
    world.payout("payout", "2026-05-06T00:00:00Z", 39);
    let mut payout = world.set.settlements.get(&digest("payout")).unwrap().into_fact().event;
    payout.fee = Some(sats(3));
    world.settlement("payout", SettlementKind::DistributionSettled, |event| *event = payout);
    world
}
