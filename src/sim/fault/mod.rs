//! Faults, a closed list: for every divergence code at least one generator and its near miss.
//!
//! A generator edits a [`Scene`] so that exactly one thing is wrong, keeps everything else consistent, and states what follows
//! from the damaged record itself; what follows for ledgers, balances and rails is for the oracle to find. A near miss is the
//! nearest harmless thing that its generator knows: the same edit on the right side of the line, where there is a line.

#![expect(clippy::unnecessary_wraps, reason = "an edit that always finds room has the type of those that may not")]

mod activity;
mod amounts;
mod anchors;
mod attestations;
mod balances;
mod caps;
mod carriers;
mod conduct;
mod custody;
mod drops;
mod early;
mod envelopes;
mod gaps;
mod headers;
mod inputs;
mod keys;
mod legs;
mod omissions;
mod people;
mod projects;
mod rails;
mod reach;
mod rebinds;
mod seals;
mod settlements;
mod sources;
mod stall;
mod statement;
mod treasury;

use super::rng::Rng;
use super::scene::{NoRoom, Planting, Scene, Transport};
use crate::domain::{Code, Subject};

// One a line, so that two changes do not meet.
#[rustfmt::skip]
const ROOMS: &[&[Generator]] = &[
    activity::GENERATORS,
    amounts::GENERATORS,
    anchors::GENERATORS,
    attestations::GENERATORS,
    balances::GENERATORS,
    caps::GENERATORS,
    carriers::GENERATORS,
    custody::GENERATORS,
    drops::GENERATORS,
    early::GENERATORS,
    envelopes::GENERATORS,
    gaps::GENERATORS,
    headers::GENERATORS,
    inputs::GENERATORS,
    keys::GENERATORS,
    legs::GENERATORS,
    people::GENERATORS,
    rails::GENERATORS,
    rebinds::GENERATORS,
    seals::GENERATORS,
    settlements::GENERATORS,
    sources::GENERATORS,
    statement::GENERATORS,
    projects::GENERATORS,
    treasury::GENERATORS,
];

/// What only servers can do, and absences that only a source among several can have.
#[rustfmt::skip]
const NETWORK_ROOMS: &[&[Generator]] = &[
    conduct::GENERATORS,
    gaps::BETWEEN_RELAYS,
    omissions::GENERATORS,
    reach::GENERATORS,
    sources::SERVED,
];

/// An edit of a scene.
pub type Plant = fn(&mut Scene) -> Planting;

/// One way to bring a divergence about.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// What must be reported.
    pub code: Code,
    /// What is done, in kebab case: unique within the code.
    pub name: &'static str,
    /// What its near miss does.
    pub near_miss: &'static str,
    pub(super) fault: Plant,
    pub(super) miss: Plant,
}

/// A generator, or its near miss.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    /// Which one.
    pub generator: &'static Generator,
    /// The near miss instead of the fault.
    pub near: bool,
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}{}", self.generator.code, self.generator.name, if self.near { ":near" } else { "" })
    }
}

/// A selection that found its place in a world.
#[derive(Debug, Clone)]
pub struct Planted {
    /// What was planted.
    pub selection: Selection,
    /// The subject that must be reported under the generator's code; after a near miss, must not.
    pub subject: Subject,
}

/// Every generator, room by room.
pub fn generators() -> impl Iterator<Item = &'static Generator> {
    generators_over(Transport::Sockets)
}

/// The generators that can bring something about over that transport; in a scene of files nobody misbehaves.
pub fn generators_over(transport: Transport) -> impl Iterator<Item = &'static Generator> {
    let network: &[&[Generator]] = if transport == Transport::Sockets { NETWORK_ROOMS } else { &[] };
    ROOMS.iter().chain(network).copied().flatten()
}

/// Every fault that can be planted over that transport, each followed by its near miss.
pub fn selections(transport: Transport) -> impl Iterator<Item = Selection> {
    generators_over(transport).flat_map(|generator| [false, true].map(|near| Selection { generator, near }))
}

/// Faults about sums over a whole world, which have to come after every fault that changes the sum.
const ABOUT_SUMS: [Code; 17] = [
    Code::SrcCutoff100,
    Code::SrcCaptureGap,
    Code::SrcEmpty,
    Code::SrcShrank,
    Code::SrcEquivocation,
    Code::PlatformOveraccrued,
    Code::ConsCustody,
    Code::CustodyDrift,
    Code::BalanceRoot,
    Code::SampleInvalid,
    // What a relay lacks or spoils depends on everything that was published.
    Code::SrcOmits,
    Code::SrcUnreachable,
    Code::SrcIncomplete,
    Code::SrcBlind,
    Code::SrcMisbehaves,
    Code::SrcKnownGap,
    Code::SrcTakenDown,
];

/// Plants the selections in order, those about sums last. One that finds no room in this world leaves no trace in it.
pub fn plant(scene: &mut Scene, selections: &[Selection]) -> Vec<Planted> {
    let mut planted = Vec::new();
    let last = |selection: &&Selection| ABOUT_SUMS.iter().position(|code| *code == selection.generator.code);
    let mut order: Vec<&Selection> = selections.iter().collect();
    order.sort_by_key(last);
    for selection in order {
        let before = scene.clone();
        let plant = if selection.near { selection.generator.miss } else { selection.generator.fault };
        let done = plant(scene).and_then(|subject| if scene.is_carried() { Ok(subject) } else { Err(NoRoom) });
        match done {
            Ok(subject) => planted.push(Planted { selection: *selection, subject }),
            Err(_) => *scene = before,
        }
    }
    planted
}

/// What the `index`-th world of a campaign gets: `count` selections, so that every one comes in turn before any comes twice.
pub fn deal(seed: u64, index: u64, count: usize, among: &[Selection]) -> Vec<Selection> {
    if among.is_empty() {
        return Vec::new();
    }
    let size = u64::try_from(among.len()).unwrap_or(u64::MAX);
    let first = index.saturating_mul(u64::try_from(count).unwrap_or(0));
    (first..)
        .take(count)
        .filter_map(|place| {
            let mut order: Vec<&Selection> = among.iter().collect();
            Rng::new(seed.wrapping_add(place / size), "deal").shuffle(&mut order);
            order.get(usize::try_from(place % size).ok()?).map(|selection| **selection)
        })
        .collect()
}
