//! The roll of all OC Me envelopes but rebinds, by content id.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{BlockHeight, EnvelopeId, EvidenceId, Finding, KeyId, Ordered, UnixMicros, UnixSeconds, WindowId};
use crate::evidence::{BillableEvent, Distribution, DropManifest, OcMeBody, OcMeKind};
use crate::ledger::scope::{AscendingAnchors, Scope};
use crate::ledger::view::PART;
use crate::verify::{SignedEnvelope, Verified};

use super::standing::{Standing, Standings, claimed_time};
use super::survey::{Signed, Surveyor};
use super::{activity, caps, drops, identity, schedules};

/// One envelope with its standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeEntry {
    /// Content id.
    pub id: EnvelopeId,
    /// Which artifact.
    pub kind: OcMeKind,
    /// The key that signed.
    pub kid: KeyId,
    /// Claimed time; `None` for an artifact without one.
    pub claimed: Option<UnixMicros>,
    /// Fields out of the signed bytes.
    pub body: Arc<OcMeBody>,
    /// Whether it enters the sums.
    pub standing: Standing,
    /// The height of its lowest verified anchor.
    pub anchor_height: Option<BlockHeight>,
    /// A carrier, for findings. Never part of a leaf.
    pub carrier: EvidenceId,
}

impl EnvelopeEntry {
    /// True when it enters the sums.
    pub fn counts(&self) -> bool {
        self.standing == Standing::Counted
    }
}

/// All envelopes but rebinds. Keyed by content id: never by Nostr coordinate or author.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeLedger {
    /// Every verified envelope, counted or not.
    pub entries: Ordered<EnvelopeId, EnvelopeEntry>,
    /// Drop windows with at least one counted member or manifest.
    pub windows: BTreeMap<WindowId, drops::Window>,
    /// The Merkle rule that reproduces a manifest's root, by manifest.
    pub root_rules: BTreeMap<EnvelopeId, &'static str>,
    /// Counted events with a custom key whose class no price config of their time states.
    pub unclassed: usize,
}

impl EnvelopeLedger {
    pub(crate) fn fold(scope: Scope<'_>, standings: &Standings<'_>, findings: &mut Vec<Finding>) -> Self {
        let mut list = List::of(scope, standings);
        let mut surveyor = Surveyor::new(scope);
        // Both walks wait for memory most of the time: while a part is surveyed, the next one is listed.
        let mut counted = Vec::new();
        for part in scope.set.envelopes.parts(PART).map(Some).chain([None]) {
            let survey = std::mem::take(&mut counted);
            let note = || survey.into_iter().for_each(|signed| surveyor.note(signed, findings));
            ((), counted) = rayon::join(note, || part.map(|part| list.add(part)).unwrap_or_default());
        }
        let List { anchors, entries, findings: mut excluded, .. } = list;
        findings.append(&mut excluded);
        let entries = Ordered::from_sorted(entries);
        let blocks = anchors.known_blocks();
        let survey = surveyor.finish();
        let windows = drops::windows(scope, &survey, &blocks);
        let root_rules = drops::check(scope, &survey, &windows, &blocks, findings);
        identity::check(&survey, findings);
        schedules::check(&survey, findings);
        activity::check(scope, &survey, findings);
        caps::check(scope, &survey.by_account, findings);
        let unclassed = survey.unclassed;
        Self { entries, windows, root_rules, unclassed }
    }

    /// Counted billable events in order of id.
    pub fn events(&self) -> impl Iterator<Item = (&EnvelopeEntry, &BillableEvent)> {
        self.entries.values().filter(|entry| entry.counts()).filter_map(|entry| match &*entry.body {
            OcMeBody::Event(event) => Some((entry, event)),
            _ => None,
        })
    }

    /// Counted drop manifests in order of id.
    pub fn manifests(&self) -> impl Iterator<Item = (&EnvelopeEntry, &DropManifest)> {
        self.entries.values().filter(|entry| entry.counts()).filter_map(|entry| match &*entry.body {
            OcMeBody::Drop(drop) => Some((entry, drop)),
            _ => None,
        })
    }

    /// Counted distributions in order of id.
    pub fn distributions(&self) -> impl Iterator<Item = (&EnvelopeEntry, &Distribution)> {
        self.entries.values().filter(|entry| entry.counts()).filter_map(|entry| match &*entry.body {
            OcMeBody::Distribution(distribution) => Some((entry, distribution)),
            _ => None,
        })
    }

    /// When the user's share of an event became payable; `None` while it matures.
    pub fn vested_at(&self, event: &BillableEvent) -> Option<UnixSeconds> {
        let earned = event.occurred_at.seconds();
        match &event.drop {
            None => Some(earned),
            Some(drop) => self.windows.get(&drop.window)?.vested_at.map(|vested| vested.max(earned)),
        }
    }
}

/// The roll while it is written, in order of id.
struct List<'a> {
    standings: &'a Standings<'a>,
    anchors: AscendingAnchors,
    entries: Vec<(EnvelopeId, EnvelopeEntry)>,
    findings: Vec<Finding>,
}

impl<'a> List<'a> {
    fn of(scope: Scope<'a>, standings: &'a Standings<'a>) -> Self {
        let entries = Vec::with_capacity(scope.set.envelopes.len());
        Self { standings, anchors: scope.anchors(), entries, findings: Vec::new() }
    }

    /// Adds what follows; gives back what counts of it.
    fn add(&mut self, part: &'a [(EnvelopeId, Verified<SignedEnvelope>)]) -> Vec<Signed<'a>> {
        let mut counted = Vec::with_capacity(part.len());
        for (id, verified) in part.iter().filter(|(_, verified)| verified.fact().kind != OcMeKind::Rebind) {
            let envelope = verified.fact();
            let (standing, finding) = self.standings.judge(verified);
            self.findings.extend(finding);
            let entry = EnvelopeEntry {
                id: *id,
                kind: envelope.kind,
                kid: envelope.kid.clone(),
                claimed: claimed_time(&envelope.body),
                body: Arc::clone(&envelope.body),
                standing,
                anchor_height: self.anchors.of(&id.0).map(|anchor| anchor.height),
                carrier: verified.first_carrier(),
            };
            if entry.counts() {
                counted.push(verified);
            }
            self.entries.push((*id, entry));
        }
        counted
    }
}
