//! Drop windows: when they vest, and what their manifests say against the members that are held (FORMATS 3.7, 11).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    BlockHeight, Code, Digest32, EnvelopeId, Finding, Names, Subject, UnixMicros, UnixSeconds, UserKey, WindowId,
};
use crate::evidence::DropManifest;
use crate::ledger::scope::{BLOCK_TIME_SLACK_SECONDS, Scope};

use super::members::{Held, Named};
use super::roots::root_rule;
use super::survey::{Signed, Survey};

/// The unconditional safety valve after a window's boundary.
const VALVE_SECONDS: i64 = 24 * 3600;
const DAY_SECONDS: i64 = 24 * 3600;
/// A seal this many blocks after its target is late whatever the luck of miners: 24 h take 144 blocks on average, and 216
/// blocks in 24 h happen less than once in a million days.
const LATE_SEAL_BLOCKS: u32 = 216;

/// Blocks known to exist, with the time their headers state.
type Blocks = BTreeMap<BlockHeight, UnixSeconds>;

/// What is known about one drop window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Claimed time of the first counted member; `None` when only the manifest is held.
    pub first: Option<UnixMicros>,
    /// Lowest height that a member names: the boundary may only move earlier.
    pub target: Option<BlockHeight>,
    /// When the earliest counted manifest was sealed.
    pub sealed_at: Option<UnixMicros>,
    /// When the members' shares became payable; `None` while they mature.
    pub vested_at: Option<UnixSeconds>,
}

impl Window {
    /// Takes what a member says.
    pub(super) fn note(&mut self, at: UnixMicros, target: Option<BlockHeight>) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.target = self.target.into_iter().chain(target).min();
    }
}

/// Adds what manifests say to what members say, and decides vesting: the first of the boundary's block, the seal, and the
/// longest window plus its valve.
pub(super) fn windows(scope: Scope<'_>, survey: &Survey, blocks: &Blocks) -> BTreeMap<WindowId, Window> {
    let mut windows = survey.windows.clone();
    for (_, manifest) in survey.manifests() {
        let window = windows.entry(manifest.window.clone()).or_default();
        window.sealed_at = Some(window.sealed_at.map_or(manifest.sealed_at, |sealed| sealed.min(manifest.sealed_at)));
    }
    for window in windows.values_mut() {
        let by_height = window.target.and_then(|target| reached(blocks, target));
        let by_seal = window.sealed_at.map(UnixMicros::seconds);
        let by_valve = window.first.map(|first| ceiling(scope, first));
        window.vested_at =
            [by_height, by_seal, by_valve].into_iter().flatten().min().filter(|vested| *vested <= scope.as_of.time);
    }
    windows
}

/// The earliest time by which a block of that height or above is known to exist.
fn reached(blocks: &Blocks, target: BlockHeight) -> Option<UnixSeconds> {
    blocks.range(target..).map(|(_, time)| *time).min()
}

/// The last instant at which a window that began at `first` must have vested.
fn ceiling(scope: Scope<'_>, first: UnixMicros) -> UnixSeconds {
    let first = first.seconds();
    let days = scope.policy.caps.at(first).drop_window_days;
    first.plus(i64::from(days) * DAY_SECONDS + VALVE_SECONDS)
}

/// Manifests with what they are checked for, window by window.
pub(super) struct Seals<'s> {
    scope: Scope<'s>,
    names: &'s Names,
    sealed: BTreeMap<&'s WindowId, Vec<(Signed, &'s DropManifest)>>,
    /// The root rule that matched, by manifest.
    rules: BTreeMap<EnvelopeId, &'static str>,
}

impl<'s> Seals<'s> {
    pub(super) fn of(scope: Scope<'s>, survey: &'s Survey) -> Self {
        let mut sealed: BTreeMap<&WindowId, Vec<_>> = BTreeMap::new();
        for (signed, manifest) in survey.manifests() {
            sealed.entry(&manifest.window).or_default().push((signed, manifest));
        }
        Self { scope, names: &survey.names, sealed, rules: BTreeMap::new() }
    }

    /// True when something is said about the ids of a window's members.
    pub(super) fn asks_for_ids(&self, id: &WindowId) -> bool {
        let says = |manifest: &DropManifest| manifest.events_root.is_some() || !manifest.event_ids.is_empty();
        self.sealed.get(id).is_some_and(|sealed| sealed.iter().any(|(_, manifest)| says(manifest)))
    }

    /// Checks a window against its members.
    pub(super) fn check(&mut self, id: &WindowId, held: &Held, findings: &mut Vec<Finding>) {
        for (signed, manifest) in self.sealed.get(id).into_iter().flatten() {
            findings.extend(totals(self.scope, self.names, *signed, manifest, held));
            if let Some(expected) = manifest.events_root {
                match root_rule(expected, &manifest.event_ids, held.ids.as_deref().unwrap_or_default()) {
                    Some(rule) => drop(self.rules.insert(signed.id, rule)),
                    None => findings.push(root_unknown(*signed, manifest, expected)),
                }
            }
        }
        findings.extend(held.moved.map(|named| boundary_moved(id, named)));
    }

    /// Checks what has no members, and how long every window took.
    pub(super) fn finish(
        mut self,
        windows: &BTreeMap<WindowId, Window>,
        blocks: &Blocks,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<EnvelopeId, &'static str> {
        for (id, window) in windows {
            if window.first.is_none() {
                self.check(id, &Held::default(), findings);
            }
            let sealed = self.sealed.get(id).into_iter().flatten();
            let sealed_height = sealed.filter_map(|(_, manifest)| manifest.sealed_height).min();
            findings.extend(too_long(self.scope, id, window));
            findings.extend(sealed_late(blocks, id, window, sealed_height));
        }
        self.rules
    }
}

fn totals(scope: Scope<'_>, names: &Names, signed: Signed, manifest: &DropManifest, held: &Held) -> Option<Finding> {
    let count = |n: usize| n as u128; // usize is at most 64 bits wide
    let mut rows = vec![
        ("event_count", u128::from(manifest.event_count), held.count),
        ("gross_fee_sats", u128::from(manifest.gross.get()), held.gross),
        ("user_share_sats", u128::from(manifest.user_share.get()), held.earned),
    ];
    if let Some(recipients) = manifest.recipient_count {
        // A person may have had two names when the window was sealed, or one.
        let account = |user: &u32| scope.people.account_of(&names.name(*user).into()).clone();
        let accounts: BTreeSet<UserKey> = held.users.iter().map(account).collect();
        if u128::from(recipients) != count(accounts.len()) {
            rows.push(("recipient_count", u128::from(recipients), count(held.users.len())));
        }
    }
    if !manifest.event_ids.is_empty() {
        let listed: BTreeSet<&EnvelopeId> = manifest.event_ids.iter().collect();
        let ids = held.ids.as_deref().unwrap_or_default();
        let both = listed.iter().filter(|id| ids.binary_search(id).is_ok()).count();
        rows.push(("listed_but_not_held", 0, count(listed.len() - both)));
        rows.push(("held_but_not_listed", 0, count(ids.len().saturating_sub(both))));
    }
    rows.retain(|(_, said, rebuilt)| said != rebuilt);
    if rows.is_empty() {
        return None;
    }
    let render = |pick: fn(&(&str, u128, u128)) -> u128| {
        rows.iter().map(|row| format!("{}={}", row.0, pick(row))).collect::<Vec<_>>().join(", ")
    };
    Some(
        Finding::new(Code::DropTotals, Subject::new("envelope", signed.id).and("window", &manifest.window))
            .with_values(render(|row| row.1), render(|row| row.2))
            .with_evidence(signed.carrier, "manifest")
            .with_explanation(
                "The sealed manifest and the members that are held disagree: members are missing or foreign.",
            ),
    )
}

fn root_unknown(signed: Signed, manifest: &DropManifest, expected: Digest32) -> Finding {
    Finding::new(Code::DropRoot, Subject::new("envelope", signed.id).and("window", &manifest.window))
        .with_values(expected, "no known rule gives this root")
        .with_evidence(signed.carrier, "manifest")
        .with_explanation("The tree rule is not published; none of the candidate rules reproduces the root.")
}

fn window_finding(
    id: &WindowId,
    rule: &str,
    expected: impl std::fmt::Display,
    observed: impl std::fmt::Display,
    why: &str,
) -> Finding {
    Finding::new(Code::DropWindow, Subject::new("window", id).and("rule", rule))
        .with_values(expected, observed)
        .with_explanation(why)
}

fn too_long(scope: Scope<'_>, id: &WindowId, window: &Window) -> Option<Finding> {
    let first = window.first?;
    let limit = ceiling(scope, first);
    let end = match (window.sealed_at, window.vested_at) {
        (Some(sealed), _) => sealed.seconds(),
        (None, Some(vested)) if vested < limit => vested,
        (None, _) => scope.as_of.time,
    };
    (end > limit).then(|| {
        let why = "From its first event to its seal the window is longer than published, the 24 h valve included.";
        window_finding(id, "length", format!("sealed by {limit}"), end, why)
    })
}

fn boundary_moved(id: &WindowId, [(before, first), (after, second)]: [Named; 2]) -> Finding {
    let why = "A later member names a later boundary; a boundary may only move earlier.";
    window_finding(id, "boundary", format!("at most {before}"), after, why)
        .with_evidence(first.carrier, "first")
        .with_evidence(second.carrier, "second")
}

/// Held past the boundary plus the valve: by a known block at or above the target, or by the sealed height itself.
fn sealed_late(blocks: &Blocks, id: &WindowId, window: &Window, sealed_height: Option<BlockHeight>) -> Option<Finding> {
    let target = window.target?;
    let sealed_at = window.sealed_at?.seconds();
    let why = "The window vested later than its boundary and the 24 h valve allow.";
    if let Some(boundary) = reached(blocks, target) {
        let limit = boundary.plus(VALVE_SECONDS + BLOCK_TIME_SLACK_SECONDS);
        if sealed_at > limit {
            return Some(window_finding(id, "late", format!("sealed by {limit}"), sealed_at, why));
        }
    }
    let height = sealed_height?;
    let limit = target.0.saturating_add(LATE_SEAL_BLOCKS);
    (height.0 > limit).then(|| window_finding(id, "late", format!("sealed by height {limit}"), height, why))
}
