//! What a generated relay holds and how it behaves.

use std::collections::BTreeSet;
use std::fmt;

use reledger::domain::sha256;

pub(super) use super::conduct::{Cap, Choice, Count, Fault, Hints, Information, Neg, Order, Prefixes, Refusal, When};
use super::dice::Dice;

/// Most of the time everything happens around here.
pub(super) const T: i128 = 1_780_000_000;
/// Kinds that worlds are made of; the third is asked for and often empty.
pub(super) const KINDS: [u16; 3] = [30_078, 30_087, 5];
const AUTHORS: usize = 5;

/// An event as the relay holds it. Nothing on the way of a capture checks ids or signatures.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) kind: u16,
    /// Wider than anything that a relay or a client may count in.
    pub(super) at: i128,
    pub(super) author: String,
    pub(super) d: String,
    pub(super) json: String,
}

impl Stored {
    fn new(nonce: u64, number: usize, kind: u16, at: i128) -> Self {
        let id = sha256(format!("{nonce}/{number}").as_bytes()).to_string();
        let author = sha256(format!("author {}", number % AUTHORS).as_bytes()).to_string();
        let d = format!("d{}", number % 7);
        let json = format!(
            r#"{{"id":"{id}","pubkey":"{author}","created_at":{at},"kind":{kind},"tags":[["d","{d}"]],"content":"{number}","sig":"00"}}"#
        );
        Self { id, kind, at, author, d, json }
    }
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) kinds: Vec<u16>,
    pub(super) events: Vec<Stored>,
    pub(super) window: (Option<i64>, Option<i64>),
    pub(super) page_limit: u32,
    pub(super) cap: Cap,
    pub(super) choice: Choice,
    pub(super) order: Order,
    pub(super) neg: Neg,
    pub(super) prefixes: Prefixes,
    pub(super) count: Count,
    pub(super) hints: Hints,
    pub(super) information: Information,
    pub(super) open_questions_max: usize,
    pub(super) faults: Vec<(Fault, When)>,
}

impl World {
    pub(super) fn generate(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let honest = dice.percent(45);
        let cap = dice.pick(&[1, 2, 3, 5, 8, 13, 20, 34, 50, 80, 120, 200, 300, 500, 1_000, 2_500, 5_000, 10_000]);
        let cap = if honest { cap.max(2) } else { cap };
        let kinds = KINDS[..dice.within(1, 3)].to_vec();
        let events = events(&mut dice, &kinds, cap);
        let window = match dice.within(0, 9) {
            0 => (Some(narrow(T + 5)), None),
            1 => (None, Some(narrow(T + 40))),
            2 => (Some(narrow(T + 3)), Some(narrow(T + 60))),
            _ => (None, None),
        };
        let mut world = Self {
            seed,
            kinds,
            events,
            window,
            page_limit: dice.pick(&[5_000, 5_000, 5_000, 500, 100]),
            cap: Cap::Fixed(cap),
            choice: Choice::Newest,
            order: dice.pick(&[Order::Descending, Order::Descending, Order::Ascending, Order::Shuffled]),
            neg: honest_neg(&mut dice),
            prefixes: dice.pick(&[
                Prefixes::Served,
                Prefixes::Served,
                Prefixes::Empty,
                Prefixes::Refused(Refusal::Closed),
                Prefixes::Refused(Refusal::Notice),
            ]),
            count: dice.pick(&[
                Count::No(Refusal::Closed),
                Count::No(Refusal::Notice),
                Count::No(Refusal::Silence),
                Count::Exact,
                Count::Exact,
                Count::Approximate,
            ]),
            hints: dice.pick(&[Hints::No, Hints::No, Hints::Honest]),
            information: dice.pick(&[Information::No, Information::True]),
            open_questions_max: dice.pick(&[1, 2, 20]),
            faults: Vec::new(),
        };
        if !honest {
            spoil(&mut world, &mut dice, cap);
        }
        world
    }

    /// True for a relay that does everything right within its limits.
    pub(super) fn is_honest(&self) -> bool {
        self.gives_everything()
            && self.faults.is_empty()
            && matches!(self.neg, Neg::No(_) | Neg::Honest { .. } | Neg::AlwaysBlocked)
            && !matches!(self.prefixes, Prefixes::Ignored)
            && !matches!(self.count, Count::TooFew | Count::TooMany)
            && matches!(self.hints, Hints::No | Hints::Honest)
            && matches!(self.information, Information::No | Information::True)
    }

    /// True when nothing that goes wrong keeps a patient client from anything: what can be asked for is given.
    pub(super) fn gives_everything(&self) -> bool {
        matches!(self.cap, Cap::Fixed(cap) if cap >= 2)
            && self.choice == Choice::Newest
            && self.faults.iter().all(|(fault, when)| match fault {
                Fault::Twice | Fault::Stray | Fault::Slow => true,
                Fault::ClosedAtOnce(reason) | Fault::ClosedMidPage(reason) => {
                    matches!(when, When::First(1..=2)) && !reason.starts_with("auth")
                }
                Fault::NoEose | Fault::Disconnect | Fault::NoticeOnly => matches!(when, When::First(1)),
                _ => false,
            })
            && !matches!(self.neg, Neg::Phantoms | Neg::Garbage | Neg::Endless)
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.iter().any(|(other, _)| *other == fault)
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds: BTreeSet<(u16, i128)> = self.events.iter().map(|event| (event.kind, event.at)).collect();
        writeln!(
            f,
            "world {}: {} events in {} seconds of kinds {:?}, window {:?}, page limit {}",
            self.seed,
            self.events.len(),
            seconds.len(),
            self.kinds,
            self.window,
            self.page_limit
        )?;
        writeln!(f, "  {:?}, {:?} first, sent {:?}, {:?}", self.cap, self.choice, self.order, self.neg)?;
        writeln!(
            f,
            "  prefixes {:?}, count {:?}, hints {:?}, information {:?}, {} open questions",
            self.prefixes, self.count, self.hints, self.information, self.open_questions_max
        )?;
        write!(f, "  faults {:?}", self.faults)
    }
}

fn narrow(at: i128) -> i64 {
    i64::try_from(at).unwrap()
}

fn honest_neg(dice: &mut Dice) -> Neg {
    match dice.within(0, 9) {
        0..=3 => {
            let max = dice.pick(&[10, 60, 250, 1_000_000, 1_000_000]);
            Neg::Honest { max, frame: dice.pick(&[0, 4_096, 60_000]) }
        }
        4 => Neg::AlwaysBlocked,
        5 => Neg::No(Refusal::Notice),
        6 => Neg::No(Refusal::NegErr),
        7 => Neg::No(Refusal::Silence),
        _ => Neg::No(Refusal::Closed),
    }
}

/// Stretches of history, drawn with the cap in mind: what is below it, at it and above it.
fn events(dice: &mut Dice, kinds: &[u16], cap: usize) -> Vec<Stored> {
    let nonce = dice.next();
    let mut events = Vec::new();
    let mut at = T;
    for _ in 0..dice.within(0, 4) {
        let kind = dice.pick(kinds);
        let (seconds, each) = match dice.within(0, 5) {
            0 => (1, dice.pick(&[cap.saturating_sub(1), cap, cap + 1, cap * 2 + 1, cap * 6])),
            1 => (dice.within(1, 40), dice.within(1, cap.clamp(1, 12))),
            2 => (dice.within(1, 8), cap.saturating_sub(1)),
            _ => (dice.within(1, 120), 1),
        };
        let gap = i128::from(u32::try_from(dice.pick(&[1, 1, 3, 600])).unwrap());
        // Most worlds are small, so that thousands fit into a campaign; a few fill the largest caps.
        let most = if dice.percent(2) { 12_000 } else { 600 };
        for number in 0..(seconds * each).min(most) {
            let second = i128::try_from(number / each.max(1)).unwrap();
            events.push(Stored::new(nonce, events.len(), kind, at + second * gap));
        }
        at += i128::try_from(dice.within(0, 400)).unwrap() - 60;
    }
    if dice.percent(12) {
        let far = [0, 1, i128::from(u32::MAX), 1 << 40, (1 << 53) + 1, i128::from(i64::MAX), -5, (1 << 63) + 5];
        for _ in 0..dice.within(1, 4) {
            let (kind, at) = (dice.pick(kinds), dice.pick(&far));
            events.push(Stored::new(nonce, events.len(), kind, at));
        }
    }
    events
}

/// Takes one to three liberties.
fn spoil(world: &mut World, dice: &mut Dice, cap: usize) {
    for _ in 0..dice.within(1, 3) {
        match dice.within(0, 11) {
            0 => world.cap = Cap::Varies((cap / 4).max(1), cap),
            1 => world.choice = dice.pick(&[Choice::Oldest, Choice::LowestIds, Choice::Random]),
            2 | 3 => {
                world.neg =
                    dice.pick(&[Neg::Partial, Neg::Newer, Neg::Phantoms, Neg::BreaksOff, Neg::Endless, Neg::Garbage]);
            }
            4 => world.prefixes = Prefixes::Ignored,
            5 => world.count = dice.pick(&[Count::TooFew, Count::TooMany]),
            6 => world.hints = dice.pick(&[Hints::AlwaysFinish, Hints::AlwaysMore]),
            7 => {
                world.information = dice.pick(&[
                    Information::CapTooLow,
                    Information::CapTooHigh,
                    Information::WrongNips,
                    Information::Garbage,
                ]);
            }
            _ => world.faults.push(fault(dice)),
        }
    }
}

fn fault(dice: &mut Dice) -> (Fault, When) {
    const REASONS: [&str; 5] =
        ["rate-limited: slow down", "error: could not read", "auth-required: who are you", "ERROR: bad req", ""];
    let reason = dice.pick(&REASONS);
    let fault = dice.pick(&[
        Fault::NoEose,
        Fault::EventsAfterEose,
        Fault::ClosedMidPage(reason),
        Fault::ClosedMidPage(reason),
        Fault::ClosedAtOnce(reason),
        Fault::NoticeOnly,
        Fault::Disconnect,
        Fault::Disconnect,
        Fault::EmptyAnswer,
        Fault::Dead,
        Fault::Slow,
        Fault::Twice,
        Fault::TwiceWithinCap,
        Fault::Stray,
        Fault::StraysWithinCap,
        Fault::Hides,
        Fault::HidesFromPages,
        Fault::Garbage,
    ]);
    let when = dice.pick(&[
        When::First(1),
        When::First(2),
        When::First(4),
        When::After(0),
        When::After(3),
        When::Every(2),
        When::Every(5),
    ]);
    (fault, when)
}
