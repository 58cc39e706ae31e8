//! The closed list of what a simulated server can do wrong, who can do it, and at which requests.

use std::fmt;
use std::str::FromStr;

/// A server of a world, as far as misbehaviour is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The relay of that index.
    Relay(usize),
    /// The OpenTimestamps calendar.
    Calendar,
    /// The gateway's settlement log.
    Settlements,
    /// The gateway's payment log.
    PaymentLog,
    /// The invoice records.
    Invoices,
    /// Bitcoin Core's REST interface and the Esplora server.
    Headers,
    /// Key sets and price configs under `/.well-known/`.
    WellKnown,
}

/// What a server does wrong. The list is closed: each is exercised by a test that states its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misbehaviour {
    /// Waits before it answers.
    Delay,
    /// Sends a message or body in pieces with pauses between them.
    Drip,
    /// Breaks off inside a message or body.
    Truncate,
    /// Leaves: a relay after half of an answer, an HTTP server without one.
    Disconnect,
    /// Announces more bytes than any limit allows.
    Oversize,
    /// Adds an event that the filter does not admit.
    WrongFilter,
    /// Sends the events under a subscription that was never opened.
    WrongSubscription,
    /// Sends each item twice.
    Duplicate,
    /// Sends the items in the opposite order.
    Reorder,
    /// Says that all stored events were sent when half of them were.
    LieEose,
    /// Claims definitively (NIP-67) that nothing is left, and keeps half back.
    LieFinish,
    /// Keeps items back as if it had never had them.
    Omit,
    /// Sends messages that no question calls for, by the hundred.
    Flood,
    /// Asks for patience instead of answering.
    RateLimit,
    /// Asks for a login instead of answering.
    Auth,
    /// Sends challenge after challenge beside its answers.
    AuthFlood,
    /// Sends the client to another path of the same server.
    Redirect,
    /// Sends the client to a plaintext address inside the network of the machine.
    BadUrl,
    /// Sends the same first page for ever, or names a next page for ever.
    Loop,
    /// Sends what lies above the position asked for.
    Regress,
    /// Gives every connection another part of the truth.
    Equivocate,
    /// Sends text that is no message, record or document.
    Malformed,
    /// Sends text that is not UTF-8.
    InvalidUtf8,
    /// Sends bytes where text belongs, or noise where a format belongs.
    Binary,
}

/// At which requests a server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Schedule {
    /// At every request.
    Every,
    /// At the request of that number only, counted from 1.
    Nth(u64),
}

/// One misbehaviour of one server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Behaviour {
    /// Who.
    pub role: Role,
    /// What.
    pub misbehaviour: Misbehaviour,
    /// When.
    pub schedule: Schedule,
    /// Length of each pause of [`Misbehaviour::Delay`] and [`Misbehaviour::Drip`], in milliseconds.
    pub pause_ms: u64,
}

/// A text that names no behaviour of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a misbehaviour like relay:0=omit or calendar=rate-limit@2: {0}")]
pub struct UnknownBehaviour(pub String);

/// The pause of a behaviour that names none.
const PAUSE_MS: u64 = 300;

impl Misbehaviour {
    /// Every misbehaviour.
    pub const ALL: [Self; 24] = [
        Self::Delay,
        Self::Drip,
        Self::Truncate,
        Self::Disconnect,
        Self::Oversize,
        Self::WrongFilter,
        Self::WrongSubscription,
        Self::Duplicate,
        Self::Reorder,
        Self::LieEose,
        Self::LieFinish,
        Self::Omit,
        Self::Flood,
        Self::RateLimit,
        Self::Auth,
        Self::AuthFlood,
        Self::Redirect,
        Self::BadUrl,
        Self::Loop,
        Self::Regress,
        Self::Equivocate,
        Self::Malformed,
        Self::InvalidUtf8,
        Self::Binary,
    ];

    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Drip => "drip",
            Self::Truncate => "truncate",
            Self::Disconnect => "disconnect",
            Self::Oversize => "oversize",
            Self::WrongFilter => "wrong-filter",
            Self::WrongSubscription => "wrong-subscription",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::LieEose => "lie-eose",
            Self::LieFinish => "lie-finish",
            Self::Omit => "omit",
            Self::Flood => "flood",
            Self::RateLimit => "rate-limit",
            Self::Auth => "auth",
            Self::AuthFlood => "auth-flood",
            Self::Redirect => "redirect",
            Self::BadUrl => "bad-url",
            Self::Loop => "loop",
            Self::Regress => "regress",
            Self::Equivocate => "equivocate",
            Self::Malformed => "malformed",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::Binary => "binary",
        }
    }

    /// True when a server of that role can do it.
    pub const fn applies_to(self, role: Role) -> bool {
        let records = matches!(role, Role::Settlements | Role::PaymentLog | Role::Invoices);
        match self {
            Self::Delay
            | Self::Drip
            | Self::Truncate
            | Self::Disconnect
            | Self::Oversize
            | Self::RateLimit
            | Self::Auth
            | Self::Redirect
            | Self::BadUrl
            | Self::Malformed
            | Self::Binary => true,
            Self::WrongFilter
            | Self::WrongSubscription
            | Self::LieEose
            | Self::LieFinish
            | Self::Flood
            | Self::AuthFlood
            | Self::Equivocate => matches!(role, Role::Relay(_)),
            Self::Duplicate | Self::Reorder => matches!(role, Role::Relay(_)) || records,
            Self::Omit => matches!(role, Role::Relay(_) | Role::Invoices),
            Self::Loop => matches!(role, Role::Relay(_) | Role::PaymentLog | Role::Invoices),
            Self::Regress => matches!(role, Role::PaymentLog),
            Self::InvalidUtf8 => matches!(role, Role::Relay(_) | Role::WellKnown) || records,
        }
    }

    /// True for what a relay does when a connection is opened, not when a question is asked.
    pub(super) const fn is_of_opening(self) -> bool {
        matches!(self, Self::Redirect | Self::BadUrl)
    }
}

impl Behaviour {
    /// A behaviour with the usual pause.
    pub const fn new(role: Role, misbehaviour: Misbehaviour, schedule: Schedule) -> Self {
        Self { role, misbehaviour, schedule, pause_ms: PAUSE_MS }
    }

    /// The same with pauses of that many milliseconds.
    #[must_use]
    pub const fn with_pause(self, pause_ms: u64) -> Self {
        Self { pause_ms, ..self }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Misbehaviour {
    type Err = UnknownBehaviour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or_else(|| UnknownBehaviour(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(index) => write!(f, "relay:{index}"),
            Self::Calendar => f.write_str("calendar"),
            Self::Settlements => f.write_str("settlements"),
            Self::PaymentLog => f.write_str("payment-log"),
            Self::Invoices => f.write_str("invoices"),
            Self::Headers => f.write_str("headers"),
            Self::WellKnown => f.write_str("well-known"),
        }
    }
}

impl FromStr for Role {
    type Err = UnknownBehaviour;

    /// `relay` alone is the first one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownBehaviour(text.to_owned());
        Ok(match text {
            "relay" => Self::Relay(0),
            "calendar" => Self::Calendar,
            "settlements" => Self::Settlements,
            "payment-log" => Self::PaymentLog,
            "invoices" => Self::Invoices,
            "headers" => Self::Headers,
            "well-known" => Self::WellKnown,
            other => {
                let index = other.strip_prefix("relay:").and_then(|index| index.parse().ok());
                Self::Relay(index.filter(|index| *index < super::serve::RELAYS).ok_or_else(unknown)?)
            }
        })
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.role, self.misbehaviour)?;
        match self.schedule {
            Schedule::Every => Ok(()),
            Schedule::Nth(nth) => write!(f, "@{nth}"),
        }
    }
}

impl FromStr for Behaviour {
    type Err = UnknownBehaviour;

    /// `ROLE[:INDEX]=NAME[@N]`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownBehaviour(text.to_owned());
        let (role, what) = text.split_once('=').ok_or_else(unknown)?;
        let (name, schedule) = match what.split_once('@') {
            None => (what, Schedule::Every),
            Some((name, nth)) => {
                let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(unknown)?;
                (name, Schedule::Nth(nth))
            }
        };
        let (role, misbehaviour) = (role.parse::<Role>()?, name.parse::<Misbehaviour>()?);
        if misbehaviour.applies_to(role) { Ok(Self::new(role, misbehaviour, schedule)) } else { Err(unknown()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_reads_as_it_is_written() {
        for text in ["relay:1=lie-eose", "payment-log=regress@3", "calendar=rate-limit", "well-known=invalid-utf8@1"] {
            assert_eq!(text.parse::<Behaviour>().unwrap().to_string(), text);
        }
        assert_eq!("relay=omit".parse::<Behaviour>().unwrap().role, Role::Relay(0));
    }

    #[test]
    fn what_no_server_can_do_is_refused() {
        for text in ["", "relay", "relay=", "relay:2=omit", "relay:x=omit", "calendar=flood", "relay=omit@0", "x=delay"]
        {
            assert!(text.parse::<Behaviour>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_distinct_and_lead_back() {
        for known in Misbehaviour::ALL {
            assert_eq!(known.name().parse::<Misbehaviour>(), Ok(known));
        }
    }
}
