//! The roll of all OC Me envelopes but rebinds, by content id.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{BlockHeight, EnvelopeId, Finding, ProjectKey, UnixSeconds, UserKey, WindowId};
use crate::evidence::{BillableEvent, Distribution, DropManifest, OcMeBody, OcMeKind};
use crate::ledger::parts::in_parts;
use crate::ledger::scope::{AscendingAnchors, Scope};
use crate::scratch::{Ascending, Sorter, Table};
use crate::verify::{SignedEnvelope, Verified};

use super::activity::{Said, Statements};
use super::entry::{Counted, CountedEvent, EnvelopeEntry, ListedEnvelope, Row};
use super::members::Held;
use super::standing::{Exclusion, Standing, Standings, claimed_time};
use super::survey::{Survey, Surveyor};
use super::{caps, drops, identity, schedules};

/// All envelopes but rebinds. Keyed by content id: never by Nostr coordinate or author.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnvelopeLedger {
    /// Every verified envelope. Rebinds have no row.
    signed: Table<EnvelopeId, Verified<SignedEnvelope>>,
    rows: Table<EnvelopeId, Row>,
    /// Counted distributions and drop manifests in order of id. They are few, and name users and events by the million.
    batches: Vec<(EnvelopeId, OcMeKind)>,
    /// Drop windows with at least one counted member or manifest.
    pub windows: BTreeMap<WindowId, drops::Window>,
    /// The Merkle rule that reproduces a manifest's root, by manifest.
    pub root_rules: BTreeMap<EnvelopeId, &'static str>,
    /// Counted events with a custom key whose class no price config of their time states.
    pub unclassed: usize,
    /// Counted events with an idempotency key.
    pub keyed: usize,
    /// What each name earned by counted events, in satoshi.
    pub earned: BTreeMap<UserKey, Earned>,
    /// What each name would have earned by events that a leaked key excludes, in satoshi.
    pub compromised: BTreeMap<UserKey, i128>,
    /// Projects that counted events name.
    pub projects: BTreeSet<ProjectKey>,
    /// The platform's parts of counted events, in satoshi.
    pub platform: u128,
    /// Counted entries by kind.
    counted: BTreeMap<OcMeKind, usize>,
}

/// What one name earned by counted events, in satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Earned {
    /// All of it.
    pub earned: i128,
    /// What matures in drop windows that have not vested.
    pub maturing: i128,
}

impl EnvelopeLedger {
    /// The ledger, and the rebinds that it left out.
    pub(crate) fn fold(
        scope: Scope<'_>,
        standings: &Standings<'_>,
        findings: &mut Vec<Finding>,
    ) -> (Self, Vec<Verified<SignedEnvelope>>) {
        let mut list = List::of(scope, standings);
        let mut surveyor = Surveyor::new(scope);
        in_parts(
            scope.set.envelopes.values(),
            |part| list.add(part),
            |counted| counted.iter().for_each(|verified| surveyor.note(verified, findings)),
        );
        let List { anchors, rows, batches, rebinds, compromised, counted, findings: mut excluded, .. } = list;
        findings.append(&mut excluded);
        let blocks = anchors.known_blocks();
        let checked = || {
            let (survey, claims) = surveyor.finish();
            let windows = drops::windows(scope, &survey, &blocks);
            let of_windows = by_window(scope, &survey, (&windows, &blocks), findings);
            identity::check(scope, claims, &survey, findings);
            by_account(scope, &survey, findings);
            (survey, windows, of_windows)
        };
        let (rows, (survey, windows, of_windows)) = rayon::join(|| rows.finish(|_, _| ()), checked);
        let ledger = Self {
            signed: scope.set.envelopes.clone(),
            rows,
            batches,
            root_rules: of_windows.root_rules,
            unclassed: survey.unclassed,
            keyed: survey.keyed,
            earned: earned(&survey, of_windows.maturing),
            windows,
            compromised,
            projects: survey.by_account.projects().map(ProjectKey::from).collect(),
            platform: survey.platform,
            counted,
        };
        (ledger, rebinds)
    }

    /// Gathers other rows in the place where these lie.
    pub(super) fn sorter<L, W>(&self) -> Sorter<L, W> {
        self.signed.sorter()
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every verified envelope but rebinds, counted or not, in order of id; each is made anew for whoever asks.
    pub fn entries(&self) -> impl Iterator<Item = EnvelopeEntry> + use<> {
        let mut signed = Ascending::over(&self.signed);
        self.rows.iter().filter_map(move |(id, row)| Some(EnvelopeEntry::new(signed.get(&id)?, &row)))
    }

    /// As [`Self::entries`], for whoever does not ask what they say.
    pub fn listed(&self) -> impl Iterator<Item = ListedEnvelope> + use<> {
        self.rows.iter().map(|(id, row)| {
            let Row { kind, claimed, standing, carrier, .. } = row;
            ListedEnvelope { id, kind, claimed, standing, carrier }
        })
    }

    /// The entry of that id.
    pub fn entry(&self, id: &EnvelopeId) -> Option<EnvelopeEntry> {
        let row = self.rows.get(id)?;
        Some(EnvelopeEntry::new(self.signed.get(id)?, &row))
    }

    /// Counted billable events in order of id.
    pub fn events(&self) -> impl Iterator<Item = CountedEvent> + use<> {
        let mut rows = Ascending::over(&self.rows);
        self.signed.iter().enumerate().filter_map(move |(number, (id, verified))| {
            rows.get(&id).filter(|row| row.standing == Standing::Counted)?;
            CountedEvent::of(number, verified)
        })
    }

    /// The counted event of that number.
    pub(crate) fn counted(&self, number: usize) -> Option<CountedEvent> {
        CountedEvent::of(number, self.signed.nth(number)?.1)
    }

    /// How many entries of that kind count.
    pub fn of_kind(&self, kind: OcMeKind) -> usize {
        self.counted.get(&kind).copied().unwrap_or_default()
    }

    /// Ids of counted distributions and drop manifests, in their order.
    pub fn batches(&self) -> impl Iterator<Item = &EnvelopeId> {
        self.batches.iter().map(|(id, _)| id)
    }

    /// Counted drop manifests in order of id, each read when it is asked for.
    pub fn manifests(&self) -> impl Iterator<Item = Counted<DropManifest>> {
        self.of_batches(OcMeKind::Drop, |body| match body {
            OcMeBody::Drop(manifest) => Some(manifest),
            _ => None,
        })
    }

    /// Counted distributions in order of id, each read when it is asked for.
    pub fn distributions(&self) -> impl Iterator<Item = Counted<Distribution>> {
        self.of_batches(OcMeKind::Distribution, |body| match body {
            OcMeBody::Distribution(distribution) => Some(distribution),
            _ => None,
        })
    }

    fn of_batches<B>(&self, kind: OcMeKind, read: fn(OcMeBody) -> Option<B>) -> impl Iterator<Item = Counted<B>> {
        let of_kind = self.batches.iter().filter(move |(_, own)| *own == kind);
        of_kind.filter_map(move |(id, _)| Counted::of(self.signed.get(id)?, read))
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

/// Checks what asks for all billings of an account, which are looked at one by one.
fn by_account(scope: Scope<'_>, survey: &Survey, findings: &mut Vec<Finding>) {
    let mut statements = Statements::of(scope, survey);
    let mut limits = caps::Reader::new(&scope.policy.caps);
    survey.by_account.each(|account, billings| {
        let mut said = statements.about(account);
        limits.read(account, billings.inspect(|billing| said.iter_mut().for_each(|said| said.note(billing))));
        findings.extend(said.into_iter().filter_map(Said::mismatch));
    });
    findings.extend(statements.rest().filter_map(Said::mismatch));
    findings.extend(limits.findings());
}

/// What the members of all windows come to.
struct OfWindows {
    root_rules: BTreeMap<EnvelopeId, &'static str>,
    /// What matures, in satoshi, by number of the name.
    maturing: BTreeMap<u32, i128>,
}

/// Checks what asks for all members of a drop window: they are looked at one by one.
fn by_window(
    scope: Scope<'_>,
    survey: &Survey,
    (windows, blocks): (&BTreeMap<WindowId, drops::Window>, &BTreeMap<BlockHeight, UnixSeconds>),
    findings: &mut Vec<Finding>,
) -> OfWindows {
    let (mut seals, mut spans) = (drops::Seals::of(scope, survey), schedules::Spans::of(survey));
    let mut maturing: BTreeMap<u32, i128> = BTreeMap::new();
    survey.members.each(|id, members| {
        let is_open = windows.get(id).is_none_or(|window| window.vested_at.is_none());
        let members = members.inspect(|member| {
            spans.note(id, member);
            if is_open {
                *maturing.entry(member.user).or_default() += i128::from(member.earned);
            }
        });
        let held = Held::of(members, seals.asks_for_ids(id));
        seals.check(id, &held, findings);
    });
    spans.check(&survey.names, findings);
    OfWindows { root_rules: seals.finish(windows, blocks, findings), maturing }
}

/// What each name earned, and what of it matures.
fn earned(survey: &Survey, maturing: BTreeMap<u32, i128>) -> BTreeMap<UserKey, Earned> {
    let mut by_name: BTreeMap<UserKey, Earned> = BTreeMap::new();
    for (name, sats) in survey.by_account.earned() {
        by_name.insert(name.into(), Earned { earned: sats, maturing: 0 });
    }
    for (user, sats) in maturing {
        by_name.entry(survey.names.name(user).into()).or_default().maturing = sats;
    }
    by_name
}

/// The roll while it is written, in order of id.
struct List<'a> {
    standings: &'a Standings<'a>,
    anchors: AscendingAnchors,
    rows: Sorter<EnvelopeId, Row>,
    batches: Vec<(EnvelopeId, OcMeKind)>,
    rebinds: Vec<Verified<SignedEnvelope>>,
    compromised: BTreeMap<UserKey, i128>,
    counted: BTreeMap<OcMeKind, usize>,
    findings: Vec<Finding>,
}

impl<'a> List<'a> {
    fn of(scope: Scope<'a>, standings: &'a Standings<'a>) -> Self {
        Self {
            standings,
            anchors: scope.anchors(),
            rows: scope.set.envelopes.sorter(),
            batches: Vec::new(),
            rebinds: Vec::new(),
            compromised: BTreeMap::new(),
            counted: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Adds what follows; gives back what counts of it.
    fn add(&mut self, part: Vec<Verified<SignedEnvelope>>) -> Vec<Verified<SignedEnvelope>> {
        let mut counted = Vec::with_capacity(part.len());
        for verified in part {
            let SignedEnvelope { id, kind, .. } = *verified.fact();
            if kind == OcMeKind::Rebind {
                self.rebinds.push(verified);
                continue;
            }
            let (standing, finding) = self.standings.judge(&verified);
            self.findings.extend(finding);
            let row = Row {
                kind,
                claimed: claimed_time(&verified.fact().body),
                standing,
                anchor_height: self.anchors.of(&id.0).map(|anchor| anchor.height),
                carrier: verified.first_carrier(),
            };
            self.rows.push(&id, &row);
            match (standing, &*verified.fact().body) {
                (Standing::Counted, _) => {
                    *self.counted.entry(kind).or_default() += 1;
                    if matches!(kind, OcMeKind::Drop | OcMeKind::Distribution) {
                        self.batches.push((id, kind));
                    }
                    counted.push(verified);
                }
                (Standing::Excluded(Exclusion::KeyCompromised), OcMeBody::Event(event)) => {
                    *self.compromised.entry(event.user.clone()).or_default() += i128::from(event.user_earned.get());
                }
                _ => {}
            }
        }
        counted
    }
}
