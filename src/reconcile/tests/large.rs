//! Goal: a world of many users comes out to the satoshi, without a finding, and what it takes in time and memory is known.
//! Method: facts made in place as if they had been verified, so that ten million of them fit into minutes; every sum is known
//! from how they were made. `RELEDGER_TREASURY` sets the number of events; what is printed is for docs/performance.md.

#![expect(clippy::disallowed_methods, clippy::float_arithmetic, reason = "it prints what it took")]

#[path = "../../../benches/common/memory.rs"]
mod memory;

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::domain::{Digest32, EnvelopeId, KeyId, ProjectKey, PublicKey32, UnixMicros, UserKey};
use crate::evidence::{
    BillableEvent, CandidateRule, Distribution, DistributionShare, OcMeBody, OcMeKind, SettlementEvent, SitePays,
};
use crate::ledger::Account;
use crate::ledger::testkit::{plain_config, plain_event, plain_settlement, price};
use crate::verify::{Anchor, AnchorState, HeaderTrust, SignedEnvelope, VerifiedSet};

const EVENTS_EACH: usize = 10;
const PAYOUTS_EACH: usize = 2;
/// Of the worked example: what a site pays, and what of it is the platform's, the user's, and rebate.
const PARTS: [u64; 4] = [60, 12, 39, 9];

/// Ascending with its number, and never equal to one of another kind.
fn numbered(kind: u8, number: usize) -> Digest32 {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Digest32(bytes)
}

struct Plan {
    users: Vec<UserKey>,
    projects: Vec<ProjectKey>,
    start: UnixMicros,
}

impl Plan {
    fn of(events: usize) -> Self {
        let users = (0..events / EVENTS_EACH).map(|at| UserKey::from(format!("bc1q{}", numbered(9, at)).as_str()));
        let projects = (0..(events / 1_000).clamp(1, 1_000)).map(|at| ProjectKey::from(format!("pk_live_{at}")));
        Self { users: users.collect(), projects: projects.collect(), start: micros("2026-05-04T12:00:00Z") }
    }

    fn events(&self) -> usize {
        self.users.len() * EVENTS_EACH
    }

    fn event(&self, number: usize, like: &BillableEvent) -> BillableEvent {
        let [gross, platform, user_earned, rebate] = PARTS.map(sats);
        BillableEvent {
            // A user's events lie far apart, in time as in memory.
            occurred_at: UnixMicros(self.start.0 + i64::try_from(number).unwrap() * 100),
            user: self.users[number % self.users.len()].clone(),
            project: Some(self.projects[number % self.projects.len()].clone()),
            gross,
            platform,
            user_earned,
            rebate,
            ..like.clone()
        }
    }

    fn fill(&self, set: &mut VerifiedSet) {
        let (kid, template) = (KeyId::from("env-1"), plain_event());
        let envelope = |id: EnvelopeId, kind: OcMeKind, body: OcMeBody| {
            let (kid, rule) = (kid.clone(), CandidateRule::Verbatim);
            (id, Verified::assumed(SignedEnvelope { id, kind, kid, rule, body: Arc::new(body) }, EvidenceId(id.0)))
        };
        let batch = EnvelopeId(numbered(1, usize::MAX));
        let shares = self.users.iter().map(|user| DistributionShare {
            user: user.clone(),
            amount: sats(PARTS[2] * EVENTS_EACH as u64),
            binding: None,
        });
        let distribution = Distribution {
            recipients: shares.collect(),
            total: Some(sats(PARTS[2] * self.events() as u64)),
            created_at: micros("2026-05-11T00:00:00Z"),
        };
        let events = (0..self.events()).map(|number| {
            let body = OcMeBody::Event(self.event(number, &template));
            envelope(EnvelopeId(numbered(1, number)), OcMeKind::Event, body)
        });
        let batches = std::iter::once(envelope(batch, OcMeKind::Distribution, OcMeBody::Distribution(distribution)));
        set.envelopes = events.chain(batches).collect();
        set.anchors = set.envelopes.values().map(|held| (held.fact().id.0, anchored(&held.fact().body))).collect();
        set.configs = self
            .projects
            .iter()
            .map(|project| {
                let mut config = plain_config();
                config.project = project.clone();
                config.domain = format!("{project}.example");
                config.events.insert("session_creation".to_owned(), price(SitePays::FixedSats(60.0), 0.65));
                (evidence(project.as_str()), config)
            })
            .collect();
        let deposits = self.projects.iter().enumerate().map(|(at, project)| {
            let mut event = plain_settlement(SettlementKind::EscrowDeposit, project.as_str());
            (event.project, event.amount) = (Some(project.clone()), sats(PARTS[0] * self.events() as u64));
            signed(numbered(2, at), event)
        });
        let payouts = (0..self.users.len() * PAYOUTS_EACH).map(|at| signed(numbered(3, at), self.payout(at, batch)));
        set.settlements = deposits.chain(payouts).collect();
        set.payment_log = set
            .settlements
            .values()
            .flat_map(|held| paid(&held.fact().event))
            .enumerate()
            .map(|(at, mut entry)| {
                entry.id = at as u64;
                (EvidenceId(numbered(4, at)), entry)
            })
            .collect();
        set.balances = self
            .users
            .iter()
            .enumerate()
            .map(|(at, user)| (EvidenceId(numbered(5, at)), line(user.as_str(), 0)))
            .collect();
    }

    fn payout(&self, at: usize, batch: EnvelopeId) -> SettlementEvent {
        let user = self.users[at % self.users.len()].clone();
        let binding = format!("binding {}", at / self.users.len());
        SettlementEvent {
            operation: numbered(6, at).to_hex().into(),
            payment_hash: Some(numbered(7, at).to_hex()),
            amount: sats(PARTS[2] * (EVENTS_EACH / PAYOUTS_EACH) as u64),
            settled_at: time("2026-05-12T00:00:00Z"),
            user: Some(user),
            payout_binding: Some(binding),
            distribution: Some(batch.to_string()),
            destination: Some("user@wallet.example".to_owned()),
            project: None,
            ..plain_settlement(SettlementKind::DistributionSettled, "payout")
        }
    }
}

/// An hour after what it anchors.
fn anchored(body: &OcMeBody) -> AnchorState {
    let claimed = match body {
        OcMeBody::Event(event) => event.occurred_at.seconds(),
        _ => time("2026-05-11T00:00:00Z"),
    };
    let block = Anchor {
        height: BlockHeight(900),
        time: claimed.plus(3_600),
        hash: BlockHash::default(),
        trust: HeaderTrust::Chain,
        is_final: true,
        proof: evidence("proof"),
    };
    AnchorState { confirmed: vec![block], ..AnchorState::default() }
}

fn signed(digest: Digest32, event: SettlementEvent) -> (Digest32, Verified<SignedSettlement>) {
    let settlement = SignedSettlement { event, digest, key: PublicKey32::from_bytes([7; 32]), preimage_proven: false };
    (digest, Verified::assumed(settlement, EvidenceId(digest)))
}

/// What the gateway logs of a settlement: the payment, and that the federation accepted the claim of a payout.
fn paid(event: &SettlementEvent) -> Vec<PaymentLogEntry> {
    let is_payout = event.kind == SettlementKind::DistributionSettled;
    let kind = if is_payout { "outgoing-payment-succeeded" } else { "incoming-payment-succeeded" };
    let entry = PaymentLogEntry {
        federation_id: "fed".into(),
        at: event.settled_at.into(),
        payment_hash: event.payment_hash.as_ref().and_then(|hash| hash.parse().ok()),
        operation: Some(event.operation.clone()),
        amount_msat: Some(event.amount.msat().get()),
        ..logged("payment", kind).1
    };
    let (module, kind) = ("".into(), "tx-accepted".into());
    let claim = PaymentLogEntry { module, kind, payment_hash: None, amount_msat: None, ..entry.clone() };
    std::iter::once(entry).chain(is_payout.then_some(claim)).collect()
}

fn resident_mib() -> f64 {
    memory::resident_kib() / 1_024.0
}

/// Seconds for the ledgers and for the reconciliation; what comes out is what was put in.
fn measured(wanted: usize) -> [f64; 2] {
    let plan = Plan::of(wanted);
    let mut scene = Scene::honest();
    scene.world.set = VerifiedSet::default();
    plan.fill(&mut scene.world.set);
    (scene.declared.payment_log, scene.declared.ots) = (true, false);
    let (events, settlements) = (plan.events(), scene.world.set.settlements.len());
    let (held, begun) = (resident_mib(), Instant::now());
    let ledgers = scene.world.ledgers();
    let (rebuilt, beyond) = (begun.elapsed().as_secs_f64(), resident_mib() - held);
    let begun = Instant::now();
    let result = scene.run_over(&ledgers);
    let reconciled = begun.elapsed().as_secs_f64();
    println!(
        "{events} events and {settlements} settlements: ledgers {rebuilt:.2} s, reconciliation {reconciled:.2} s; \
         {held:.0} MiB of facts, {beyond:.0} MiB of ledgers, {:.0} MiB in all",
        resident_mib()
    );
    let found: Vec<_> = result.divergences.iter().map(|found| (found.code, &found.subject)).take(9).collect();
    assert_eq!(found, []);
    assert_eq!(result.balances.users, plan.users.len() as u64);
    assert_eq!((result.balances.different, result.balances.sum_sats), (0, 0));
    let billed = i128::try_from(events).unwrap() * 1_000;
    let deposited = plan.projects.len() as i128 * billed * i128::from(PARTS[0]);
    let custody = ledgers.treasury.balance(&Account::Custody("oc-me-v1".into())).0;
    assert_eq!(custody, deposited - billed * i128::from(PARTS[2]));
    assert_eq!(ledgers.treasury.balance(&Account::PlatformAccrued).0, -billed * i128::from(PARTS[1]));
    assert_eq!(result.matching.rail["R1"].settlements, settlements as u64);
    [rebuilt, reconciled]
}

#[test]
fn many_users_come_out_to_the_satoshi_without_a_finding() {
    let Some(largest) = std::env::var("RELEDGER_TREASURY").ok().and_then(|text| text.parse().ok()) else {
        measured(2_000);
        return;
    };
    let mut before: Option<[f64; 2]> = None;
    for size in [largest / 100, largest / 10, largest] {
        let took = measured(size);
        let growth = |part: usize| before.map_or(f64::NAN, |before| (took[part] / before[part]).log10());
        println!("growth: ledgers {:.2}, reconciliation {:.2}", growth(0), growth(1));
        before = Some(took);
    }
}
