//! Drop windows: when they vest, and what their manifests say against the members that are held (FORMATS 3.7, 11).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    BlockHeight, Code, Digest32, EnvelopeId, Finding, Subject, UnixMicros, UnixSeconds, WindowId, merkle_root, sha256,
};
use crate::evidence::DropManifest;
use crate::ledger::scope::{BLOCK_TIME_SLACK_SECONDS, Scope};

use super::survey::{Member, Signed, Survey};

/// The unconditional safety valve after a window's boundary.
const VALVE_SECONDS: i64 = 24 * 3600;
const DAY_SECONDS: i64 = 24 * 3600;
/// A seal this many blocks after its target is late whatever the luck of miners: 24 h take 144 blocks on average, and 216
/// blocks in 24 h happen less than once in a million days.
const LATE_SEAL_BLOCKS: u32 = 216;

/// Blocks known to exist, with the time their headers state.
type Blocks = BTreeMap<BlockHeight, UnixSeconds>;

/// What is known about one drop window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Groups counted events and manifests by window and decides vesting: the first of the boundary's block, the seal, and the
/// longest window plus its valve.
pub(super) fn windows(scope: Scope<'_>, survey: &Survey, blocks: &Blocks) -> BTreeMap<WindowId, Window> {
    let mut windows: BTreeMap<WindowId, Window> = BTreeMap::new();
    let empty = Window { first: None, target: None, sealed_at: None, vested_at: None };
    for (id, members) in &survey.members {
        let first = members.iter().map(|member| member.at).min();
        let targets = members.iter().filter_map(|member| member.target);
        windows.insert((*id).clone(), Window { first, target: targets.min(), ..empty });
    }
    for (_, manifest) in &survey.manifests {
        let window = windows.entry(manifest.window.clone()).or_insert(empty);
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

/// Checks every manifest and window. Returns the root rule that matched, by manifest.
pub(super) fn check(
    scope: Scope<'_>,
    survey: &Survey,
    windows: &BTreeMap<WindowId, Window>,
    blocks: &Blocks,
    findings: &mut Vec<Finding>,
) -> BTreeMap<EnvelopeId, &'static str> {
    let mut rules = BTreeMap::new();
    let mut sealed_heights: BTreeMap<&WindowId, BlockHeight> = BTreeMap::new();
    for (signed, manifest) in &survey.manifests {
        let held = survey.members_of(&manifest.window);
        findings.extend(totals(scope, *signed, manifest, held));
        if let Some(expected) = manifest.events_root {
            let ids: Vec<EnvelopeId> = held.iter().map(|member| member.signed.id).collect();
            match root_rule(expected, &manifest.event_ids, &ids) {
                Some(rule) => drop(rules.insert(signed.id, rule)),
                None => findings.push(root_unknown(*signed, manifest, expected)),
            }
        }
        if let Some(height) = manifest.sealed_height {
            let lowest = sealed_heights.entry(&manifest.window).or_insert(height);
            *lowest = height.min(*lowest);
        }
    }
    for (id, window) in windows {
        let held = survey.members_of(id);
        findings.extend(too_long(scope, id, window));
        findings.extend(boundary_moved(id, held));
        findings.extend(sealed_late(blocks, id, window, sealed_heights.get(id).copied()));
    }
    rules
}

fn totals(scope: Scope<'_>, signed: Signed, manifest: &DropManifest, held: &[Member]) -> Option<Finding> {
    let users: BTreeSet<_> = held.iter().map(|member| &member.user).collect();
    let sum = |part: fn(&Member) -> u64| held.iter().map(|member| u128::from(part(member))).sum::<u128>();
    let count = |n: usize| n as u128; // usize is at most 64 bits wide
    let mut rows = vec![
        ("event_count", u128::from(manifest.event_count), count(held.len())),
        ("gross_fee_sats", u128::from(manifest.gross.get()), sum(|member| member.gross)),
        ("user_share_sats", u128::from(manifest.user_share.get()), sum(|member| member.earned)),
    ];
    if let Some(recipients) = manifest.recipient_count {
        // A person may have had two names when the window was sealed, or one.
        let accounts: BTreeSet<_> = users.iter().map(|user| scope.people.account_of(user)).collect();
        if u128::from(recipients) != count(accounts.len()) {
            rows.push(("recipient_count", u128::from(recipients), count(users.len())));
        }
    }
    if !manifest.event_ids.is_empty() {
        let listed: BTreeSet<EnvelopeId> = manifest.event_ids.iter().copied().collect();
        let ids: BTreeSet<EnvelopeId> = held.iter().map(|member| member.signed.id).collect();
        rows.push(("listed_but_not_held", 0, count(listed.difference(&ids).count())));
        rows.push(("held_but_not_listed", 0, count(ids.difference(&listed).count())));
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

/// The name of the candidate rule (FORMATS 3.7) that gives the root: an order and a way with odd nodes.
pub(super) fn root_rule(expected: Digest32, listed: &[EnvelopeId], held: &[EnvelopeId]) -> Option<&'static str> {
    let mut sorted = if listed.is_empty() { held.to_vec() } else { listed.to_vec() };
    sorted.sort_unstable();
    let names = [
        (listed, ["listed/duplicate-odd", "listed/promote-odd", "listed/rfc6962"]),
        (&sorted, ["sorted/duplicate-odd", "sorted/promote-odd", "sorted/rfc6962"]),
    ];
    names.into_iter().filter(|(ids, _)| !ids.is_empty()).find_map(|(ids, names)| {
        let roots = [
            plain_root(ids, Odd::Duplicated),
            plain_root(ids, Odd::Promoted),
            Some(merkle_root(ids.iter().map(EnvelopeId::as_bytes))),
        ];
        names.into_iter().zip(roots).find(|(_, root)| *root == Some(expected)).map(|(name, _)| name)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    Duplicated,
    Promoted,
}

/// Leaves are the raw ids, a node is the sha256 of both children.
fn plain_root(ids: &[EnvelopeId], odd: Odd) -> Option<Digest32> {
    let mut level: Vec<Digest32> = ids.iter().map(|id| id.0).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node(left, right),
                [last] if odd == Odd::Duplicated => node(last, last),
                _ => pair.first().copied().unwrap_or_default(),
            })
            .collect();
    }
    level.first().copied()
}

fn node(left: &Digest32, right: &Digest32) -> Digest32 {
    sha256(&[left.as_bytes().as_slice(), right.as_bytes().as_slice()].concat())
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

/// Later members may only name an earlier boundary. Members of one instant have no order, so they never contradict.
fn boundary_moved(id: &WindowId, held: &[Member]) -> Option<Finding> {
    let mut named: Vec<(UnixMicros, BlockHeight, Signed)> =
        held.iter().filter_map(|member| Some((member.at, member.target?, member.signed))).collect();
    named.sort_by_key(|(at, height, signed)| (*at, std::cmp::Reverse(*height), signed.id));
    named.windows(2).find_map(|pair| match pair {
        [(_, before, first), (_, after, second)] if after > before => {
            let why = "A later member names a later boundary; a boundary may only move earlier.";
            let finding = window_finding(id, "boundary", format!("at most {before}"), after, why);
            Some(finding.with_evidence(first.carrier, "first").with_evidence(second.carrier, "second"))
        }
        _ => None,
    })
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
