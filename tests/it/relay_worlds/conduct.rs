//! Everything that relays do differently from each other, well or badly.

/// Events a page holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cap {
    Fixed(usize),
    /// Another one for each question.
    Varies(usize, usize),
}

/// Which events a full page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// NIP-01.
    Newest,
    Oldest,
    /// The lowest ids.
    LowestIds,
    /// Others each time.
    Random,
}

/// In which order they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Descending,
    Ascending,
    Shuffled,
}

/// How something that is not offered is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Closed,
    Notice,
    NegErr,
    Silence,
}

/// NIP-77.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neg {
    No(Refusal),
    /// Blocked above so many events in a window.
    Honest {
        max: usize,
        frame: u64,
    },
    /// Lists only some of what it serves.
    Partial,
    /// Lists only the newer half of what it serves.
    Newer,
    /// Lists ids that it no longer serves.
    Phantoms,
    AlwaysBlocked,
    /// Gives up after the first message of each conversation.
    BreaksOff,
    /// Never comes to an end.
    Endless,
    Garbage,
}

/// `ids` shorter than an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefixes {
    Served,
    /// An exact match that nothing is equal to.
    Empty,
    Refused(Refusal),
    /// As if `ids` were not there.
    Ignored,
}

/// NIP-45.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    No(Refusal),
    Exact,
    Approximate,
    TooFew,
    TooMany,
}

/// NIP-67.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hints {
    No,
    Honest,
    AlwaysFinish,
    AlwaysMore,
}

/// NIP-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Information {
    No,
    True,
    CapTooLow,
    CapTooHigh,
    /// Names what it lacks, and not what it has.
    WrongNips,
    Garbage,
}

/// When a fault shows, by the number of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    First(u64),
    After(u64),
    Every(u64),
}

impl When {
    pub(super) fn is(self, nth: u64) -> bool {
        match self {
            Self::First(count) => nth < count,
            Self::After(count) => nth >= count,
            Self::Every(step) => nth % step == step - 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The end of stored events is never said.
    NoEose,
    /// Half of the page comes after its end.
    EventsAfterEose,
    ClosedMidPage(&'static str),
    ClosedAtOnce(&'static str),
    NoticeOnly,
    Disconnect,
    /// An empty answer, as under load.
    EmptyAnswer,
    /// Accepts questions and says nothing.
    Dead,
    /// Pauses inside a page.
    Slow,
    /// Every event twice, beyond the cap.
    Twice,
    /// Every event twice, so that pages hold half as many.
    TwiceWithinCap,
    /// One event that was not asked for, beyond the cap.
    Stray,
    /// Strays in the place of what was asked for.
    StraysWithinCap,
    /// Some events are in no answer at all.
    Hides,
    /// Some events are in every answer but pages by time.
    HidesFromPages,
    Garbage,
}
