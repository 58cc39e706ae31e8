//! A relay asked again: from where its cursors stand, and whole where it no longer shows what it showed before.

use std::collections::{BTreeMap, BTreeSet};

use super::standing::Address;
#[cfg(feature = "net")]
use super::standing::Event;
use crate::domain::{CompletenessBasis, NostrEventId, Position, UnixSeconds};

/// A span of time to ask for, both ends inclusive.
pub(super) type Window = (Option<UnixSeconds>, Option<UnixSeconds>);

/// What one relay is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelayAsk {
    pub(super) url: String,
    pub(super) kinds: BTreeMap<u16, KindAsk>,
    /// The window of a kind whose cursor the relay no longer bears out.
    pub(super) whole: Window,
    /// The weakest basis that counts as covered.
    pub(super) required: CompletenessBasis,
}

/// What it is asked for of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KindAsk {
    pub(super) window: Window,
    /// Events that it gave before and that lie in the window.
    pub(super) canary: Option<Canary>,
    /// A receipt that reaches no further than this says nothing new, and is not kept.
    pub(super) known: Option<Position>,
}

/// Events that a relay gave before: it must show one of them again, or something that replaced one, or it is not the
/// relay that it was (pruned, or blind).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Canary {
    pub(super) at: UnixSeconds,
    pub(super) ids: BTreeSet<NostrEventId>,
    pub(super) addresses: BTreeSet<Address>,
}

#[cfg(feature = "net")]
impl Canary {
    /// True when this event shows that the relay still holds that part of its history.
    fn is_shown_by(&self, event: &Event) -> bool {
        self.ids.contains(&event.id)
            || event.created_at >= self.at && event.address().is_some_and(|address| self.addresses.contains(&address))
    }
}

/// Kinds of one relay by the window that they are asked with.
#[cfg(feature = "net")]
pub(super) fn groups(ask: &RelayAsk) -> BTreeMap<Window, BTreeSet<u16>> {
    let mut groups: BTreeMap<Window, BTreeSet<u16>> = BTreeMap::new();
    for (kind, of_kind) in &ask.kinds {
        groups.entry(of_kind.window).or_default().insert(*kind);
    }
    groups
}

#[cfg(feature = "net")]
pub(super) use source::AskedAgain;

#[cfg(feature = "net")]
mod source {
    use super::{BTreeMap, BTreeSet, Canary, Event, KindAsk, RelayAsk, Window, groups};
    use crate::domain::{CompletenessBasis, FetchReceipt, Media, SliceEnd, SourceId};
    use crate::substrate::{Captured, EvidenceSource, RelaySource, Sink, SourceError, Stopped};

    /// Makes the source for these kinds in this window.
    type Make = Box<dyn Fn(Window, BTreeSet<u16>) -> Result<RelaySource, SourceError> + Send>;

    /// One relay, asked as its cursors allow.
    pub(in crate::app) struct AskedAgain {
        ask: RelayAsk,
        make: Make,
    }

    impl AskedAgain {
        /// Checks the address; contacts nothing yet.
        ///
        /// # Errors
        /// As [`RelaySource::new`].
        pub(in crate::app) fn new(ask: RelayAsk, make: Make) -> Result<Self, SourceError> {
            make(ask.whole, BTreeSet::new())?;
            Ok(Self { ask, make })
        }

        /// Asks for these kinds and notes whose canaries were shown.
        fn round(
            &self,
            groups: BTreeMap<Window, BTreeSet<u16>>,
            missing: &mut BTreeMap<u16, Canary>,
            sink: &mut dyn Sink,
        ) -> Result<BTreeMap<u16, FetchReceipt>, SourceError> {
            let mut receipts = BTreeMap::new();
            for (window, kinds) in groups {
                let mut watch = Watch { sink: &mut *sink, missing: &mut *missing };
                for receipt in (self.make)(window, kinds)?.fetch(&mut watch)? {
                    if let Ok(kind) = receipt.slice.kind.parse() {
                        receipts.insert(kind, receipt);
                    }
                }
            }
            Ok(receipts)
        }
    }

    impl EvidenceSource for AskedAgain {
        fn id(&self) -> SourceId {
            SourceId(self.ask.url.clone())
        }

        fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
            let canaries = |(kind, ask): (&u16, &KindAsk)| Some((*kind, ask.canary.clone()?));
            let mut missing: BTreeMap<u16, Canary> = self.ask.kinds.iter().filter_map(canaries).collect();
            let mut receipts = self.round(groups(&self.ask), &mut missing, sink)?;
            // A relay that did not answer properly has told so itself.
            let doubtful = |kind: &u16| receipts.get(kind).is_some_and(|receipt| receipt.end == SliceEnd::Ended);
            let doubted: BTreeSet<u16> = missing.keys().copied().filter(doubtful).collect();
            if !doubted.is_empty() && !sink.cancelled() {
                let whole = BTreeMap::from([(self.ask.whole, doubted.clone())]);
                // What it gives now is taken; that it is whole is believed only if it also shows what it had.
                let again = self.round(whole, &mut missing, sink)?;
                receipts.extend(again.into_iter().filter(|(kind, _)| !missing.contains_key(kind)));
            }
            for (kind, canary) in missing.iter().filter(|(kind, _)| doubted.contains(kind)) {
                if let Some(receipt) = receipts.get_mut(kind).filter(|receipt| receipt.end == SliceEnd::Ended) {
                    receipt.basis = CompletenessBasis::None;
                    receipt.reason = format!(
                        "asked for everything again, it shows none of the {} events of {} that it gave before",
                        canary.ids.len(),
                        canary.at
                    );
                }
            }
            let is_news = |(kind, receipt): &(u16, FetchReceipt)| {
                let ask = self.ask.kinds.get(kind);
                receipt.basis < self.ask.required || !ask.is_some_and(|ask| says_nothing_new(ask, receipt))
            };
            Ok(receipts.into_iter().filter(is_news).map(|(_, receipt)| receipt).collect())
        }
    }

    fn says_nothing_new(ask: &KindAsk, receipt: &FetchReceipt) -> bool {
        let Some(known) = &ask.known else { return false };
        let same_second =
            receipt.backing.position.as_ref().is_some_and(|reached| {
                reached.time == known.time && (known.ids.is_empty() || reached.ids == known.ids)
            });
        let own_window = (receipt.slice.from, receipt.slice.until) == ask.window;
        own_window && same_second && receipt.end == SliceEnd::Ended
    }

    /// Looks at what passes until every canary was seen.
    struct Watch<'a> {
        sink: &'a mut dyn Sink,
        missing: &'a mut BTreeMap<u16, Canary>,
    }

    impl Sink for Watch<'_> {
        fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
            if !self.missing.is_empty()
                && captured.evidence.media == Media::NostrEvent
                && let Some(event) = Event::of(&captured.evidence.bytes)
                && self.missing.get(&event.kind).is_some_and(|canary| canary.is_shown_by(&event))
            {
                self.missing.remove(&event.kind);
            }
            self.sink.accept(captured)
        }

        fn cancelled(&self) -> bool {
            self.sink.cancelled()
        }
    }
}
