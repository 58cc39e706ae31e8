//! The parts that servers play.

use std::fmt;
use std::str::FromStr;

/// A part that a server plays, named as an auditor's configuration names its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A Nostr relay.
    Relay,
    /// An OpenTimestamps calendar.
    Calendar,
    /// The gateway's settlement document.
    Settlements,
    /// The gateway's invoice document.
    Invoices,
    /// The gateway's payment log.
    PaymentLog,
    /// Bitcoin headers: Core's REST interface and Esplora's.
    Headers,
    /// Key sets under `/.well-known/`.
    WellKnown,
    /// The balance document.
    Balances,
}

impl Role {
    /// Every role, relays first.
    pub const ALL: [Self; 8] = [
        Self::Relay,
        Self::Calendar,
        Self::Settlements,
        Self::Invoices,
        Self::PaymentLog,
        Self::Headers,
        Self::WellKnown,
        Self::Balances,
    ];

    /// The kebab-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Calendar => "calendar",
            Self::Settlements => "settlements",
            Self::Invoices => "invoices",
            Self::PaymentLog => "payment-log",
            Self::Headers => "headers",
            Self::WellKnown => "well-known",
            Self::Balances => "balances",
        }
    }

    /// True for what is fetched as one document of records.
    pub(super) const fn is_document(self) -> bool {
        matches!(self, Self::Settlements | Self::Invoices | Self::Balances)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(())
    }
}
