//! The answer to a question (REQ), and everything that can become of it.

use std::collections::BTreeSet;

use super::shelf::Page;
use super::talk::Talk;
use super::wire::{Step, closed, message, notice};
use crate::domain::NostrEventId;
use crate::sim::json::{array, quoted};
use crate::sim::nostr::{Filter, SimEvent};
use crate::sim::rng::Rng;
use crate::sim::server::http::shuffle;
use crate::sim::server::misbehaviour::Misbehaviour as M;

/// How many paces a late answer is late.
pub(super) const LATE: u32 = 3;
/// Messages of one answer that are dripped; the others come at once, or a long page would take minutes.
const DRIPPED_MAX: usize = 4;
/// Challenges of a flood: more than any use explains.
const CHALLENGES: usize = 60;
/// Notices of a flood.
const NOTICES: usize = 300;
/// Larger than what the largest relays accept eight times over (THREATS 5.3).
const OVERSIZED_BYTES: usize = 1024 * 1024 + 64 * 1024;
/// How many of 100 events are left out.
const LEFT_OUT: u64 = 40;
/// Events that nobody asked for, added to a page.
const STRANGERS: usize = 5;
const REPEATS: usize = 6;

/// What a relay says after its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    Silent,
    More,
    Finish,
}

/// The first steps of an answer.
pub(super) enum Begun {
    /// The rest follows.
    Goes(Vec<Step>),
    /// Nothing follows.
    Ends(Vec<Step>),
}

impl Talk {
    /// How every answer begins on a relay that misbehaves: late, not at all, or with a refusal in these words.
    pub(super) fn begun(&self, refused: impl Fn(&str) -> Step) -> Begun {
        let takes = |misbehaviour| self.relay.takes(misbehaviour);
        if takes(M::Disconnect) {
            return Begun::Ends(vec![Step::Drop]);
        }
        if takes(M::Stall) {
            return Begun::Ends(Vec::new());
        }
        let mut steps = Vec::new();
        if takes(M::Delay) {
            steps.push(Step::Pause(LATE));
        }
        if takes(M::RateLimit) {
            steps.push(refused("rate-limited: slow down"));
            return Begun::Ends(steps);
        }
        if takes(M::Auth) {
            steps.push(challenge(0));
            steps.push(refused("auth-required: only for those who say who they are"));
            return Begun::Ends(steps);
        }
        Begun::Goes(steps)
    }

    /// The steps that answer a question.
    pub(super) fn answer(&self, name: &str, filters: &[Filter]) -> Vec<Step> {
        let takes = |misbehaviour| self.relay.takes(misbehaviour);
        let mut steps = match self.begun(|words| closed(name, words)) {
            Begun::Goes(steps) => steps,
            Begun::Ends(steps) => return steps,
        };
        if takes(M::AuthFlood) {
            steps.extend((0..CHALLENGES).map(challenge));
        }
        if takes(M::Flood) {
            steps.extend((0..NOTICES).map(|_| notice("have you heard")));
        }
        if takes(M::Oversize) {
            let padding = quoted(&"x".repeat(OVERSIZED_BYTES));
            steps.push(Step::Text(message("EVENT", [&quoted(name), &padding])));
        }
        if takes(M::InvalidUtf8) {
            steps.push(Step::Raw(b"[\"NOTICE\",\"\xff\xfe\"]".to_vec()));
        }
        let (page, hint) = self.page(filters);
        steps.extend(self.frames(name, filters, &page, hint));
        steps
    }

    /// What the question brings, after what this relay leaves out or adds.
    fn page(&self, filters: &[Filter]) -> (Page, Hint) {
        let relay = &self.relay;
        let (events, most) = (&relay.house.world.events, relay.rules.max_limit);
        let shelf = relay.shelf();
        let honest = shelf.page(events, filters, most, |_| false);
        let hint = |page: &Page| match (relay.rules.hints, page.whole) {
            (false, _) => Hint::Silent,
            (true, true) => Hint::Finish,
            (true, false) => Hint::More,
        };
        for (misbehaviour, label) in self.reticence() {
            if !relay.house.conduct.knows(misbehaviour) {
                continue;
            }
            let hidden = |event: &SimEvent| self.left_out(&label, event);
            let page = shelf.page(events, filters, most, hidden);
            if page.events != honest.events && relay.takes(misbehaviour) {
                let hint = if misbehaviour == M::LieFinish { Hint::Finish } else { hint(&page) };
                return (page, hint);
            }
        }
        (honest.clone(), hint(&honest))
    }

    /// The ways to leave events out, with what each draws them by.
    fn reticence(&self) -> [(M, String); 3] {
        [
            (M::Omit, "omit".to_owned()),
            (M::LieFinish, "lie-finish".to_owned()),
            (M::Equivocate, format!("equivocate {}", self.client)),
        ]
    }

    /// Matching events that are left out of a list (NIP-77) or count (NIP-45), as out of pages: a relay that hides what
    /// it lists would give itself away.
    pub(super) fn leaves_out(&self, filters: &[Filter]) -> BTreeSet<NostrEventId> {
        let shelf = self.relay.shelf();
        let matching = || shelf.all(&self.relay.house.world.events, filters);
        for (misbehaviour, label) in self.reticence() {
            if !self.relay.house.conduct.knows(misbehaviour) {
                continue;
            }
            let hidden: BTreeSet<NostrEventId> =
                matching().filter(|event| self.left_out(&label, event)).map(|event| event.id).collect();
            if !hidden.is_empty() && self.relay.takes(misbehaviour) {
                return hidden;
            }
        }
        BTreeSet::new()
    }

    /// True for events that this relay leaves out, the same ones every time.
    fn left_out(&self, label: &str, event: &SimEvent) -> bool {
        self.draw(&format!("{label} {}", event.id)).chance(LEFT_OUT)
    }

    fn draw(&self, label: &str) -> Rng {
        self.relay.house.conduct.draw(self.relay.seat, label)
    }

    /// The frames of a page and its end.
    fn frames(&self, name: &str, filters: &[Filter], page: &Page, hint: Hint) -> Vec<Step> {
        let takes = |misbehaviour| self.relay.takes(misbehaviour);
        let mut places = page.events.clone();
        let strangers = || self.relay.shelf().strangers(&self.relay.house.world.events, filters, STRANGERS);
        let conduct = &self.relay.house.conduct;
        if conduct.knows(M::Blind) || conduct.knows(M::WrongFilter) {
            let strangers = strangers();
            if !strangers.is_empty() && takes(M::Blind) {
                places.clone_from(&strangers);
            } else if !strangers.is_empty() && !places.is_empty() && takes(M::WrongFilter) {
                places.extend(strangers);
            }
        }
        if places.len() > 1 && takes(M::Reorder) {
            shuffle(&mut places, &mut self.draw("reorder"));
        }
        let any = !places.is_empty();
        let times = match () {
            () if any && takes(M::Repeat) => REPEATS,
            () if any && takes(M::Duplicate) => 2,
            () => 1,
        };
        let subscription = if any && takes(M::WrongSubscription) { "nobody" } else { name };
        let events = places.into_iter().flat_map(|place| std::iter::repeat_n(place, times));
        let texts: Vec<String> = events.map(|place| self.event(subscription, place)).collect();
        self.finish(name, texts, hint)
    }

    fn event(&self, name: &str, place: usize) -> String {
        let shelf = self.relay.shelf();
        message("EVENT", [&quoted(name), &shelf.event(&self.relay.house.world.events, place).line()])
    }

    /// Puts the end to the events, or an end of another kind.
    fn finish(&self, name: &str, mut texts: Vec<String>, hint: Hint) -> Vec<Step> {
        let takes = |misbehaviour| self.relay.takes(misbehaviour);
        let (count, any) = (texts.len(), !texts.is_empty());
        if any && takes(M::Malformed) {
            "{\"not\":\"a relay's message\"}".clone_into(&mut texts[0]);
        }
        if any && takes(M::Truncate) {
            let half = texts[count - 1].len() / 2;
            let half = (half..=texts[count - 1].len()).find(|at| texts[count - 1].is_char_boundary(*at)).unwrap_or(0);
            texts[count - 1].truncate(half);
        }
        if takes(M::CloseMidPage) {
            texts.truncate(count / 2);
            return texts.into_iter().map(Step::Text).chain([Step::Close]).collect();
        }
        if any && takes(M::Binary) {
            let binary = texts.into_iter().map(|text| Step::Binary(text.into_bytes()));
            return binary.chain([eose(name, hint)]).collect();
        }
        if count > 1 && takes(M::LieEose) {
            let late = texts.split_off(count / 2).into_iter().map(Step::Text);
            return texts.into_iter().map(Step::Text).chain([eose(name, hint)]).chain(late).collect();
        }
        let dripped = if any && takes(M::Drip) { DRIPPED_MAX } else { 0 };
        let frames = texts.into_iter().enumerate();
        let steps = frames.map(|(at, text)| if at < dripped { Step::Drip(text) } else { Step::Text(text) });
        steps.chain([eose(name, hint)]).collect()
    }
}

pub(super) fn challenge(number: usize) -> Step {
    Step::Text(message("AUTH", [quoted(&format!("challenge {number}")).as_str()]))
}

fn eose(name: &str, hint: Hint) -> Step {
    let name = quoted(name);
    Step::Text(match hint {
        Hint::Silent => message("EOSE", [&name]),
        Hint::More => message("EOSE", [&name, &array(["\"more\""])]),
        Hint::Finish => message("EOSE", [&name, &array(["\"finish\""])]),
    })
}
