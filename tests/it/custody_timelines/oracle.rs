//! What must be answered: docs/adr/0016-custody-at-an-instant.md, paragraph by paragraph, over the drawn histories.

use super::draw::{BLOCKS, Drawn, Federation, HOUR, Person, Record, SELF, Says, Target, block_time};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) state: String,
    pub(super) descriptor: Option<String>,
    pub(super) trust: String,
    pub(super) forked: bool,
    pub(super) support: Vec<String>,
}

const SECOND: i64 = 1_000_000;

/// The active descriptor by its number: none, one, or not established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guards {
    Nobody,
    One(usize),
    /// Neither operator nor user says so.
    Alleged(usize),
    Somebody,
}

/// "Named": by a rebind, which the operator signs, or by a graduation, which the user signs.
fn is_named(records: &[&Record], descriptor: usize) -> bool {
    let names = |federation: &Option<Federation>| *federation == Some(Federation::Descriptor(descriptor));
    records.iter().any(|record| match &record.says {
        Says::Rebind { from_federation, to_federation, .. } => names(from_federation) || names(to_federation),
        Says::Graduation { from, to, .. } => *from == descriptor || *to == Target::Descriptor(descriptor),
        Says::Rotation { .. } => false,
    })
}

fn guarded_by(descriptor: usize, is_vouched: bool) -> Guards {
    if is_vouched { Guards::One(descriptor) } else { Guards::Alleged(descriptor) }
}

/// A record in its place, with what is known of it after the walk.
struct Told<'r> {
    record: &'r Record,
    effective: i64,
    followed: bool,
    stray: bool,
    state: &'static str,
    guards: Guards,
}

fn is_rebind(record: &Record) -> bool {
    matches!(record.says, Says::Rebind { .. })
}

/// Effective time: the claim, unless a block two hours older holds the record already.
fn effective(record: &Record) -> i64 {
    match record.blocks.first().map(|block| block_time(*block)) {
        Some(block) if (block + 2 * HOUR) * SECOND < record.claimed => block * SECOND,
        _ => record.claimed,
    }
}

/// The records that count for a question about those addresses, in order.
fn timeline<'p>(drawn: &Drawn, person: &'p Person, addresses: &[usize]) -> Vec<&'p Record> {
    let mut records: Vec<&Record> = person
        .records
        .iter()
        .filter(|record| record.claimed <= drawn.as_of * SECOND)
        .filter(|record| match record.says {
            Says::Rebind { .. } => true,
            Says::Rotation { address, .. } | Says::Graduation { address, .. } => addresses.contains(&address),
        })
        .collect();
    records.sort_by_key(|record| {
        let block = record.blocks.first().copied();
        (effective(record), block.is_none(), block, record.id.clone())
    });
    records
}

/// Six blocks deep, its own included.
fn is_final(block: usize) -> bool {
    block + 6 <= BLOCKS
}

fn left(record: &Record) -> Option<usize> {
    match record.says {
        Says::Rebind { .. } => None,
        Says::Rotation { from, .. } | Says::Graduation { from, .. } => Some(from),
    }
}

fn known(person: &Person, addresses: &[usize]) -> Vec<usize> {
    let all = person.descriptors.iter().enumerate();
    all.filter(|(_, one)| one.is_published && addresses.contains(&one.address)).map(|(at, _)| at).collect()
}

fn only(mut known: Vec<usize>, but: Option<usize>) -> Guards {
    known.retain(|one| Some(*one) != but);
    if let [one] = known[..] { Guards::Alleged(one) } else { Guards::Somebody }
}

/// "Beginning."
fn beginning(records: &[&Record], known: Vec<usize>) -> (&'static str, Guards) {
    let rebound = records.iter().find_map(|record| match record.says {
        Says::Rebind { from, .. } => Some(from),
        _ => None,
    });
    let (state, named) = match records.first().map(|first| &first.says) {
        None => ("fedimint_threshold", None),
        Some(Says::Rebind { from, from_federation: Some(Federation::Descriptor(at)), .. }) => (*from, Some(*at)),
        Some(Says::Rebind { from, .. }) => (*from, None),
        Some(Says::Rotation { from, .. } | Says::Graduation { from, .. }) => {
            (rebound.filter(|state| *state != SELF).unwrap_or("fedimint_threshold"), Some(*from))
        }
    };
    let guards = match named {
        _ if state == SELF => Guards::Nobody,
        Some(at) => guarded_by(at, is_named(records, at)),
        None => only(known, None),
    };
    (state, guards)
}

/// "Rebinds", "Graduations", "Rotations", and which of them are stray.
fn walk<'p>(records: &[&'p Record], known: &[usize]) -> Vec<Told<'p>> {
    let (mut state, mut guards) = beginning(records, known.to_vec());
    let mut told: Vec<Told<'p>> = Vec::new();
    for record in records {
        let active = match guards {
            Guards::One(at) | Guards::Alleged(at) => Some(at),
            Guards::Nobody | Guards::Somebody => None,
        };
        let (mut followed, mut stray) = (true, false);
        match &record.says {
            Says::Rebind { to, from_federation, to_federation, .. } => {
                let both = from_federation.is_some() && to_federation.is_some();
                let changes = state != *to || both && from_federation != to_federation;
                guards = match to_federation {
                    _ if *to == SELF => Guards::Nobody,
                    Some(Federation::Descriptor(at)) => Guards::One(*at),
                    _ if changes => only(known.to_vec(), active),
                    _ => guards,
                };
                state = to;
            }
            Says::Graduation { from, to, .. } => {
                stray = active.is_some_and(|active| active != *from);
                (state, guards) = match to {
                    Target::Own => (SELF, Guards::Nobody),
                    Target::Unnamed => ("fedimint_client", Guards::Somebody),
                    Target::Descriptor(at) => ("fedimint_client", Guards::One(*at)),
                };
            }
            Says::Rotation { from, to, .. } => {
                followed = active == Some(*from) || guards == Guards::Somebody;
                let is_left = told.iter().any(|one| one.followed && left(one.record) == Some(*from));
                stray = !followed && active.is_some() && !is_left;
                if followed {
                    let is_vouched =
                        matches!(guards, Guards::One(_)) || is_named(records, *from) || is_named(records, *to);
                    guards = guarded_by(*to, is_vouched);
                }
            }
        }
        told.push(Told { record, effective: effective(record), followed, stray, state, guards });
    }
    told
}

/// `REB_GAP`: a rebind that does not start from where the one before it ended.
fn gaps<'p>(drawn: &Drawn, person: &'p Person) -> Vec<&'p str> {
    let mut gaps = Vec::new();
    let everywhere: Vec<usize> = (0..person.addresses.len()).collect();
    let records = timeline(drawn, person, &everywhere);
    let rebinds: Vec<&Record> = records.iter().copied().filter(|record| is_rebind(record)).collect();
    for (place, record) in rebinds.iter().enumerate() {
        let Says::Rebind { from, to, from_federation, to_federation, prev, .. } = &record.says else { continue };
        let named = |prev: &usize| person.records.get(*prev).map(|record| record.id.as_str());
        let moves =
            from != to || from_federation.is_some() && to_federation.is_some() && from_federation != to_federation;
        // What the user's own key said since the rebind before it.
        let own = records.iter().take_while(|one| one.id != record.id).fold(None, |last, one| match one.says {
            Says::Rebind { .. } => None,
            Says::Graduation { to, .. } => Some(to),
            Says::Rotation { .. } => last,
        });
        let names_another =
            |entered: usize| matches!(from_federation, Some(Federation::Descriptor(left)) if *left != entered);
        let follows_own = match own {
            None => false,
            Some(Target::Own) => *from == SELF,
            Some(Target::Unnamed) => *from == "fedimint_client",
            Some(Target::Descriptor(entered)) => *from == "fedimint_client" && !names_another(entered),
        };
        let follows = match place.checked_sub(1).map(|before| rebinds[before]) {
            None => (*from != "fedimint_client" || follows_own) && prev.is_none(),
            Some(before) => {
                let Says::Rebind { to: reached, to_federation: entered, .. } = &before.says else { continue };
                let is_elsewhere = entered.is_some() && from_federation.is_some() && entered != from_federation;
                let is_shared = prev.is_some() && rebinds.iter().filter(|one| prev_of(one) == *prev).count() > 1;
                let names_it = prev.as_ref().is_none_or(|prev| named(prev) == Some(&before.id));
                (follows_own || reached == from && !is_elsewhere) && (names_it || is_shared)
            }
        };
        if !(moves && follows) {
            gaps.push(record.id.as_str());
        }
    }
    gaps
}

fn prev_of(record: &Record) -> Option<usize> {
    match record.says {
        Says::Rebind { prev, .. } => prev,
        _ => None,
    }
}

/// `ENV_EQUIVOCATION`: another rebind has the same predecessor, or claims the same instant.
fn equivocates(record: &Record, rebinds: &[&Record]) -> bool {
    let claims_its_place = |other: &&&Record| {
        other.id != record.id
            && (other.claimed == record.claimed || prev_of(record).is_some() && prev_of(other) == prev_of(record))
    };
    is_rebind(record) && rebinds.iter().any(|other| claims_its_place(&other))
}

/// `REB_FORK`: another rotation leaves the same descriptor, and custody had not come back to it by then.
fn forks(record: &Record, records: &[&Record]) -> bool {
    let Says::Rotation { address, from, .. } = record.says else { return false };
    let of_address = |one: &&&Record| match one.says {
        Says::Rebind { .. } => false,
        Says::Rotation { address: other, .. } | Says::Graduation { address: other, .. } => other == address,
    };
    // Each visit to the descriptor, with the rotations that claim to end it.
    let mut visits: Vec<Vec<&str>> = vec![Vec::new()];
    let mut whereabouts = Some(from);
    for one in records.iter().filter(of_address) {
        match one.says {
            Says::Rebind { .. } => {}
            Says::Rotation { from: left, to, .. } => {
                if left == from {
                    visits.last_mut().unwrap().push(&one.id);
                }
                if whereabouts == Some(left) {
                    whereabouts = Some(to);
                    if to == from {
                        visits.push(Vec::new());
                    }
                }
            }
            Says::Graduation { to, .. } => {
                whereabouts = match to {
                    Target::Descriptor(entered) => Some(entered),
                    Target::Own | Target::Unnamed => None,
                };
                if whereabouts == Some(from) {
                    visits.push(Vec::new());
                }
            }
        }
    }
    visits.iter().any(|visit| visit.len() > 1 && visit.contains(&record.id.as_str()))
}

pub(super) fn answer(drawn: &Drawn, person: &Person, addresses: &[usize], at: i64) -> Expected {
    let records = timeline(drawn, person, addresses);
    let known = known(person, addresses);
    if records.is_empty() && known.is_empty() {
        return Expected {
            state: "unknown".to_owned(),
            descriptor: None,
            trust: "assumed".to_owned(),
            forked: false,
            support: Vec::new(),
        };
    }
    let rebinds: Vec<&Record> = records.iter().copied().filter(|record| is_rebind(record)).collect();
    let gaps = gaps(drawn, person);
    let told = walk(&records, &known);
    let (past, later): (Vec<&Told<'_>>, Vec<&Told<'_>>) = told.iter().partition(|one| one.effective <= at * SECOND);
    let support: Vec<&&Told<'_>> = past.iter().filter(|one| one.followed).collect();
    let is_gap = |one: &Told<'_>| gaps.contains(&one.record.id.as_str());
    let disputed =
        |one: &Told<'_>| is_gap(one) || one.stray || equivocates(one.record, &rebinds) || forks(one.record, &records);
    let next_rebind = later.iter().find(|one| is_rebind(one.record));
    let next_step = later.iter().find(|one| !is_rebind(one.record));
    let contested = support.iter().any(|one| disputed(one))
        || past.iter().any(|one| one.stray)
        || next_rebind.is_some_and(|one| is_gap(one))
        || next_step.is_some_and(|one| one.stray);
    let (state, guards) =
        support.last().map_or_else(|| beginning(&records, known.clone()), |last| (last.state, last.guards));
    let is_proven =
        |one: &&Told<'_>| one.record.blocks.first().is_some_and(|block| is_final(*block) && block_time(*block) <= at);
    let trust = if contested {
        "contested"
    } else if support.is_empty() || matches!(guards, Guards::Alleged(_)) {
        "assumed"
    } else if support.iter().all(|one| is_proven(one)) {
        "bitcoin-proven"
    } else {
        "signed"
    };
    let descriptor = match guards {
        Guards::One(at) | Guards::Alleged(at) => Some(person.descriptors[at].id.clone()),
        Guards::Nobody | Guards::Somebody => None,
    };
    Expected {
        state: state.to_owned(),
        descriptor,
        trust: trust.to_owned(),
        forked: support.iter().any(|one| forks(one.record, &records)),
        support: support.iter().map(|one| one.record.id.clone()).collect(),
    }
}
