//! A world on its way out: what was drawn and sorted is held, events and lines are written anew as they leave. Either all of
//! them are collected into a [`World`], or each is written to its file and forgotten.

use std::collections::BTreeMap;

use bitcoin::key::Keypair;

use super::anchor::Anchored;
use super::attest::Attestation;
use super::carrier::Members;
use super::envelope::Artifact;
use super::gateway_log::{PaymentLog, payment_log};
use super::manifest::Manifest;
use super::noise::Stale;
use super::nostr::{SimEvent, sign};
use super::ots::{calendar_reply, lowest};
use super::past::Past;
use super::postings::Posting;
use super::publish::{Item, Pen, Source};
use super::world::{CalendarReply, Proven, World};

/// Everything that a world of this seed is, at a few hundred bytes an event.
pub(super) struct Press {
    pub(super) past: Past,
    pub(super) anchored: Anchored,
    pub(super) lost: Option<Stale>,
    pub(super) attested: Vec<Attestation>,
    pub(super) service: Keypair,
    /// Every event, in its order.
    pub(super) items: Vec<Item>,
    /// What archives hold once more, or still.
    pub(super) archived: Vec<Item>,
    /// Events that are held as they are.
    pub(super) loose: Vec<SimEvent>,
    /// The settlements in the order of the log.
    pub(super) settlements: Vec<u32>,
    /// The small parts of the world.
    pub(super) shell: World,
}

impl Press {
    /// Every event.
    pub(super) fn events(&self) -> impl Iterator<Item = SimEvent> + '_ {
        self.items.iter().map(|item| self.event(item))
    }

    /// What archives hold once more, or still.
    pub(super) fn archived(&self) -> impl Iterator<Item = SimEvent> + '_ {
        self.archived.iter().map(|item| self.event(item))
    }

    fn event(&self, item: &Item) -> SimEvent {
        match item.source {
            Source::Loose(at) => {
                let held = usize::try_from(at).ok().and_then(|at| self.loose.get(at));
                held.cloned().expect("every loose item was made of an event that is held here")
            }
            Source::Carrier(entry, style) => {
                let members = Members {
                    anchored: &self.anchored,
                    headers: &self.shell.headers,
                    times: &self.past.times,
                    stale: self.lost.as_ref(),
                };
                let pen = Pen { past: &self.past, members, service: &self.service };
                let (draft, pair) = pen.carrier(entry, style, item.created_at);
                sign(&self.past.keys.secp, &pair, draft)
            }
        }
    }

    /// The lines of the settlement log.
    pub(super) fn settlements(&self) -> impl Iterator<Item = String> + '_ {
        let key = self.past.keys.ed25519("settlement");
        let payees = self.past.payees();
        self.settlements.iter().filter_map(move |at| {
            let at = usize::try_from(*at).ok()?;
            Some(self.past.treasury.settlements.get(at)?.settlement(&payees).line(&key, at))
        })
    }

    /// The gateway's payment log.
    pub(super) fn payment_log(&self) -> PaymentLog<'_> {
        PaymentLog::new(self.past.seed, &self.past.treasury.legs)
    }

    /// The whole world.
    pub(super) fn into_world(mut self) -> World {
        if self.past.written.is_empty() {
            self.past.write();
        }
        self.shell.events = self.events().collect();
        self.shell.archived = self.archived().collect();
        self.shell.settlements = self.settlements().collect();
        self.shell.payment_log = payment_log(self.past.seed, &self.past.treasury.legs);
        self.shell.envelopes = std::mem::take(&mut self.past.written);
        self.shell.calendar = self.calendar();
        self.shell.proven = self.proven();
        self.shell.manifest = self.manifest();
        self.shell
    }

    fn proven(&self) -> BTreeMap<String, Proven> {
        let state = |subject| {
            lowest(self.anchored.branches(subject)).map_or_else(
                || Proven::Waits(self.anchored.submitted_at(subject)),
                |(_, block)| Proven::Block(block.height),
            )
        };
        let subjects = self.past.subjects(&self.attested).into_iter().enumerate();
        subjects.map(|(at, subject)| (faster_hex::hex_string(&subject.digest), state(at))).collect()
    }

    fn calendar(&self) -> BTreeMap<String, CalendarReply> {
        let replies = self.anchored.all_branches().map(|branch| {
            let reply = branch
                .confirmation
                .as_ref()
                .map_or(CalendarReply::Pending, |confirmation| CalendarReply::Confirmed(calendar_reply(confirmation)));
            (faster_hex::hex_string(&branch.commitment), reply)
        });
        replies.collect()
    }

    fn manifest(&self) -> Manifest {
        let (past, world) = (&self.past, &self.shell);
        let is_proven = |proven: &&Proven| matches!(proven, Proven::Block(_));
        let anchored = world.proven.values().filter(is_proven).count();
        // An event that archives hold once more counts once, an older carrier of its own counts too.
        let ids: std::collections::BTreeSet<_> = world.events.iter().map(|event| event.id).collect();
        let older = world.archived.iter().filter(|older| !ids.contains(&older.id));
        let activity = world.activity.iter().map(|_| Artifact::Activity);
        Manifest::count(&Tallies {
            envelopes: world.envelopes.iter().map(|envelope| envelope.kind).chain(activity).collect(),
            events: world.events.iter().chain(older).collect(),
            anchored,
            pending: world.proven.len() - anchored,
            headers: world.headers.len(),
            settlements: past.treasury.settlements.iter().map(Posting::kind).collect(),
            invoices: world.invoices.len(),
            payment_log: world.payment_log.len(),
            projects: past.projects.len(),
            users: past.users.len(),
            gross_sats: past.billed.iter().map(|event| event.split().gross).sum(),
            earned_sats: past.billed.iter().map(|event| event.split().user).sum(),
            paid_sats: past.treasury.paid.values().sum(),
            adjusted_sats: past.treasury.adjusted.values().sum(),
        })
    }
}

/// What the manifest counts.
pub(super) struct Tallies<'a> {
    pub(super) envelopes: Vec<Artifact>,
    pub(super) events: Vec<&'a SimEvent>,
    pub(super) anchored: usize,
    pub(super) pending: usize,
    pub(super) headers: usize,
    pub(super) settlements: Vec<&'static str>,
    pub(super) invoices: usize,
    pub(super) payment_log: usize,
    pub(super) projects: usize,
    pub(super) users: usize,
    pub(super) gross_sats: u64,
    pub(super) earned_sats: u64,
    pub(super) paid_sats: u64,
    pub(super) adjusted_sats: u64,
}
