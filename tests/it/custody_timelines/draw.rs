//! Draws histories: mostly plausible, with forks, strays, gaps, equivocations, round trips, ties, and claims that blocks
//! contradict.

use crate::support::Lcg;

/// 2026-01-01T00:00:00Z.
pub(super) const START: i64 = 1_767_225_600;
pub(super) const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Days of history; the as-of lies before their end.
const DAYS: i64 = 90;
/// Seconds between blocks.
const SPACING: i64 = 5 * HOUR;
pub(super) const BLOCKS: usize = 440;
pub(super) const SELF: &str = "bip322";
const STATES: [&str; 3] = ["fedimint_threshold", "fedimint_client", SELF];

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    Rebind {
        from: &'static str,
        to: &'static str,
        /// A descriptor by its number, or a name.
        from_federation: Option<Federation>,
        to_federation: Option<Federation>,
        /// The record before it, by its place in the person's list; past the end: one that nobody holds.
        prev: Option<usize>,
        /// Names the person's did.
        by_did: bool,
    },
    Rotation {
        address: usize,
        from: usize,
        to: usize,
    },
    Graduation {
        address: usize,
        from: usize,
        to: Target,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Federation {
    /// A descriptor of the person, by its number.
    Descriptor(usize),
    /// A name.
    Slug(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Own,
    Unnamed,
    Descriptor(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) says: Says,
    /// Microseconds; a rotation's and a graduation's are whole seconds.
    pub(super) claimed: i64,
    /// Blocks that commit to it.
    pub(super) blocks: Vec<usize>,
    /// A proof names a block that nobody has.
    pub(super) is_in_an_unknown_block: bool,
    /// Which form of the message guardians sign.
    pub(super) as_json: bool,
    /// In hex, once it is signed.
    pub(super) id: String,
}

#[derive(Debug, Clone)]
pub(super) struct Descriptor {
    /// Place among the person's addresses.
    pub(super) address: usize,
    /// Seeds of the guardians' keys.
    pub(super) guardians: Vec<u64>,
    pub(super) threshold: usize,
    /// It stands among the evidence.
    pub(super) is_published: bool,
    /// In hex, once it is known.
    pub(super) id: String,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) number: u64,
    pub(super) addresses: Vec<String>,
    /// Bound to all addresses.
    pub(super) did: Option<String>,
    pub(super) descriptors: Vec<Descriptor>,
    pub(super) records: Vec<Record>,
}

impl Person {
    /// Guardian records name that address.
    pub(super) fn is_guarded(&self, place: usize) -> bool {
        self.descriptors.iter().any(|one| one.address == place && one.is_published)
    }
}

pub(super) struct Drawn {
    pub(super) seed: u64,
    pub(super) as_of: i64,
    pub(super) people: Vec<Person>,
}

impl Drawn {
    /// Distinct rotations and graduations.
    pub(super) fn steps(&self) -> usize {
        let steps = self.people.iter().flat_map(|person| &person.records);
        steps.filter(|record| !matches!(record.says, Says::Rebind { .. })).count()
    }

    /// An instant up to the as-of: anywhere, or beside something that happened.
    pub(super) fn instant(&self, person: &Person, rng: &mut Lcg) -> i64 {
        let beside = |at: i64, rng: &mut Lcg| at + i64::try_from(rng.below(3)).unwrap() - 1;
        let at = match (person.records.len(), rng.below(3)) {
            (0, _) | (_, 0) => START - DAY + i64::try_from(rng.below(92 * 86_400)).unwrap(),
            (count, 1) => beside(person.records[rng.below(count)].claimed.div_euclid(1_000_000), rng),
            (count, _) => match person.records[rng.below(count)].blocks.first() {
                Some(block) => beside(block_time(*block), rng),
                None => START,
            },
        };
        at.min(self.as_of)
    }
}

pub(super) fn block_time(height: usize) -> i64 {
    START - DAY + SPACING * i64::try_from(height).unwrap()
}

fn block_from(at: i64) -> usize {
    let height = (at - START + DAY).div_euclid(SPACING) + 1;
    usize::try_from(height.max(1)).unwrap().min(BLOCKS - 1)
}

pub(super) fn draw(seed: u64, people: usize) -> Drawn {
    let mut rng = Lcg(seed);
    rng.below(2);
    let people = (0..people).map(|number| person(u64::try_from(number).unwrap(), &mut rng)).collect();
    Drawn { seed, as_of: START + 80 * DAY + 7, people }
}

fn person(number: u64, rng: &mut Lcg) -> Person {
    let count = if rng.below(5) == 0 { 2 } else { 1 };
    let did = (rng.below(3) > 0 || count == 2).then(|| format!("did:oc:{number:032x}"));
    let descriptors = (0..=rng.below(5)).map(|place| descriptor(number, place, rng.below(count), rng)).collect();
    let addresses = vec![String::new(); count];
    let mut person = Person { number, addresses, did, descriptors, records: Vec::new() };
    let is_honest = rng.below(2) == 0;
    let state = if is_honest { STATES[2 * rng.below(2)] } else { STATES[rng.below(3)] };
    let mut draft = Draft { is_honest, state, active: None, last: None, at: START + HOUR };
    for _ in 0..rng.below(9) {
        step(&mut person, &mut draft, rng);
    }
    person
}

fn descriptor(number: u64, place: usize, address: usize, rng: &mut Lcg) -> Descriptor {
    let (threshold, count) = [(1, 1), (1, 2), (2, 2), (2, 3)][rng.below(4)];
    let first = number * 100 + u64::try_from(place).unwrap() * 10;
    let guardians = (first..).take(count).collect();
    Descriptor { address, guardians, threshold, is_published: rng.below(4) > 0, id: String::new() }
}

/// Where a plausible history stands.
struct Draft {
    /// Nothing goes wrong with it.
    is_honest: bool,
    state: &'static str,
    active: Option<usize>,
    last: Option<usize>,
    at: i64,
}

fn step(person: &mut Person, draft: &mut Draft, rng: &mut Lcg) {
    // Mostly later, sometimes in the same second, sometimes before the one before.
    draft.at += match rng.below(10) {
        0 if !draft.is_honest => 0,
        1 if !draft.is_honest => -i64::try_from(rng.below(72 * 3_600)).unwrap(),
        _ => 1 + i64::try_from(rng.below(usize::try_from(DAYS * DAY / 5).unwrap())).unwrap(),
    };
    if draft.is_honest && draft.at > START + DAYS * DAY {
        return;
    }
    draft.at = draft.at.clamp(START, START + DAYS * DAY);
    let published: Vec<usize> =
        (0..person.descriptors.len()).filter(|at| person.descriptors[*at].is_published).collect();
    // Guardians without custody rotate only where something is wrong.
    let can_rotate = !published.is_empty() && (draft.state != SELF || !draft.is_honest);
    let says = match rng.below(3) {
        0 if can_rotate => rotation(person, draft, &published, rng),
        1 if !published.is_empty() => Some(graduation(person, draft, &published, rng)),
        _ => Some(rebind(person, draft, rng)),
    };
    let Some(says) = says else { return };
    let is_rebind = matches!(says, Says::Rebind { .. });
    let fraction = if is_rebind && rng.below(4) == 0 { 500_000 } else { 0 };
    let claimed = draft.at * 1_000_000 + fraction;
    let record = Record {
        says,
        claimed,
        blocks: blocks(draft.at, draft.is_honest, rng),
        is_in_an_unknown_block: rng.below(10) == 0,
        as_json: rng.below(2) == 0,
        id: String::new(),
    };
    // One record is one record however often it is signed.
    if person.records.iter().any(|known| known.says == record.says && known.claimed == claimed) {
        return;
    }
    person.records.push(record);
    draft.last = if is_rebind { Some(person.records.len() - 1) } else { draft.last };
}

fn blocks(at: i64, is_honest: bool, rng: &mut Lcg) -> Vec<usize> {
    let next = block_from(at);
    let mut blocks = match rng.below(8) {
        3 | 4 if is_honest => vec![next],
        0 | 1 => Vec::new(),
        // Late by days.
        2 => vec![(next + 5 + rng.below(60)).min(BLOCKS - 1)],
        // Before the claim: by less than the slack, or by days.
        3 => vec![next.saturating_sub(1).max(1)],
        4 => vec![next.saturating_sub(1 + rng.below(40)).max(1)],
        5 => vec![next, (next + 3).min(BLOCKS - 1)],
        _ => vec![next],
    };
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

fn rebind(person: &Person, draft: &mut Draft, rng: &mut Lcg) -> Says {
    let is_wrong = !draft.is_honest && rng.below(8) == 0;
    let from = if is_wrong { STATES[rng.below(3)] } else { draft.state };
    let to = match STATES[rng.below(3)] {
        same if same == from && draft.is_honest => {
            if from == SELF {
                STATES[0]
            } else {
                SELF
            }
        }
        any => any,
    };
    let federation = |rng: &mut Lcg| match rng.below(4) {
        0 | 1 => None,
        2 => Some(Federation::Slug(["oc-me-v1", "other"][rng.below(2)])),
        _ => Some(Federation::Descriptor(rng.below(person.descriptors.len()))),
    };
    let (from_federation, to_federation) = (
        if draft.is_honest || from == SELF || rng.below(3) > 0 { None } else { federation(rng) },
        if to == SELF { None } else { federation(rng) },
    );
    let prev = match rng.below(12) {
        0 | 1 if draft.is_honest => None,
        0 => Some(usize::MAX),
        1 if !person.records.is_empty() => {
            Some(rng.below(person.records.len())).filter(|at| matches!(person.records[*at].says, Says::Rebind { .. }))
        }
        2..=6 => draft.last,
        _ => None,
    };
    draft.state = to;
    draft.active = match to_federation {
        Some(Federation::Descriptor(at)) => Some(at),
        _ if to == SELF => None,
        _ => draft.active,
    };
    let by_did = person.did.is_some() && rng.below(2) == 0;
    Says::Rebind { from, to, from_federation, to_federation, prev, by_did }
}

/// The active descriptor when it is published, else or sometimes another.
fn leave(draft: &Draft, published: &[usize], rng: &mut Lcg) -> usize {
    match draft.active.filter(|active| published.contains(active)) {
        Some(active) if draft.is_honest || rng.below(6) > 0 => active,
        _ => published[rng.below(published.len())],
    }
}

fn rotation(person: &Person, draft: &mut Draft, published: &[usize], rng: &mut Lcg) -> Option<Says> {
    let from = leave(draft, published, rng);
    let address = person.descriptors[from].address;
    let others: Vec<usize> =
        (0..person.descriptors.len()).filter(|at| *at != from && person.descriptors[*at].address == address).collect();
    let to = *others.get(rng.below(others.len().max(1)))?;
    draft.active = Some(to);
    Some(Says::Rotation { address, from, to })
}

fn graduation(person: &Person, draft: &mut Draft, published: &[usize], rng: &mut Lcg) -> Says {
    let from = leave(draft, published, rng);
    let address = person.descriptors[from].address;
    let others: Vec<usize> =
        (0..person.descriptors.len()).filter(|at| *at != from && person.descriptors[*at].address == address).collect();
    let to = match (rng.below(4), others.as_slice()) {
        (0, [_, ..]) => Target::Descriptor(others[rng.below(others.len())]),
        (1, _) => Target::Unnamed,
        _ => Target::Own,
    };
    (draft.state, draft.active) = match to {
        Target::Own => (SELF, None),
        Target::Unnamed => ("fedimint_client", None),
        Target::Descriptor(at) => ("fedimint_client", Some(at)),
    };
    Says::Graduation { address, from, to }
}
