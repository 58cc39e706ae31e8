//! What a server can do that it should not: a closed list.

use std::fmt;
use std::str::FromStr;

use super::role::Role;

/// Declares the closed list once: variant, name, meaning.
macro_rules! misbehaviours {
    ($($variant:ident $name:literal $meaning:literal;)*) => {
        /// One way to misbehave. Harmless ones are in the list too: they must bring no finding about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Misbehaviour {
            $(#[doc = $meaning] $variant,)*
        }

        impl Misbehaviour {
            /// Every misbehaviour.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kebab-case name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// One sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

misbehaviours! {
    Delay "delay" "Answers late, below every limit.";
    Drip "drip" "Answers in small pieces with pauses, below every limit.";
    Stall "stall" "Takes the question and never answers.";
    Truncate "truncate" "Ends a message or document inside a record and calls that its end.";
    Disconnect "disconnect" "Drops the connection instead of answering.";
    CloseMidPage "close-mid-page" "Ends the connection after half of the answer.";
    Oversize "oversize" "Sends, or announces, more bytes than any reader allows.";
    WrongFilter "wrong-filter" "Adds events that the filter does not admit.";
    Blind "blind" "Answers only with events that the filter does not admit.";
    WrongSubscription "wrong-subscription" "Sends the events for a subscription that nobody opened.";
    Duplicate "duplicate" "Sends every item twice.";
    Repeat "repeat" "Sends every event six times.";
    Reorder "reorder" "Sends the items of an answer in another order.";
    LieEose "lie-eose" "Says that all stored events were sent when half of them were, and then sends the others.";
    LieFinish "lie-finish" "Says that nothing is left (NIP-67) and has left events out.";
    Omit "omit" "Leaves items out, as if it did not hold them.";
    Flood "flood" "Sends hundreds of messages that answer no question.";
    RateLimit "rate-limit" "Refuses because of too many requests.";
    Auth "auth" "Refuses those who do not authenticate, after a challenge.";
    AuthFlood "auth-flood" "Sends dozens of challenges before the answer.";
    Redirect "redirect" "Points to a private address instead of answering.";
    BadUrl "bad-url" "Names plaintext and private addresses inside what it answers.";
    Loop "loop" "Names a next page that leads back to where it was.";
    Regress "regress" "Goes back above the position that was asked for.";
    Equivocate "equivocate" "Tells each client something else.";
    Malformed "malformed" "Sends something that can't be read in the place of something that could.";
    InvalidUtf8 "invalid-utf8" "Sends text that is not UTF-8.";
    Binary "binary" "Sends its answer in binary messages.";
}

impl Misbehaviour {
    /// The roles that can do this.
    pub fn roles(self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| self.applies_to(*role)).collect()
    }

    /// True when a server in that role can do this.
    pub const fn applies_to(self, role: Role) -> bool {
        let document = role.is_document();
        match self {
            Self::Delay
            | Self::Drip
            | Self::Truncate
            | Self::Disconnect
            | Self::CloseMidPage
            | Self::Oversize
            | Self::RateLimit
            | Self::Redirect
            | Self::Malformed => true,
            Self::Stall
            | Self::WrongFilter
            | Self::Blind
            | Self::WrongSubscription
            | Self::Repeat
            | Self::LieEose
            | Self::LieFinish
            | Self::Flood
            | Self::AuthFlood
            | Self::Binary => matches!(role, Role::Relay),
            Self::Duplicate | Self::Reorder => document || matches!(role, Role::Relay | Role::PaymentLog),
            Self::Omit => document || matches!(role, Role::Relay | Role::Headers | Role::Calendar),
            Self::Auth => document || matches!(role, Role::Relay | Role::PaymentLog),
            Self::BadUrl => !matches!(role, Role::Headers),
            Self::Loop => document || matches!(role, Role::PaymentLog),
            Self::Regress => matches!(role, Role::PaymentLog),
            Self::Equivocate => matches!(role, Role::Relay | Role::Balances),
            Self::InvalidUtf8 => !matches!(role, Role::Headers | Role::Calendar),
        }
    }

    /// True for what another attempt may get over: asked again, the server may answer.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Stall | Self::Disconnect | Self::CloseMidPage | Self::RateLimit)
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Misbehaviour {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|misbehaviour| misbehaviour.name() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_every_misbehaviour_has_a_role() {
        for misbehaviour in Misbehaviour::ALL {
            assert_eq!(misbehaviour.name().parse(), Ok(*misbehaviour));
            assert!(!misbehaviour.roles().is_empty(), "{misbehaviour}");
        }
        assert_eq!("eose".parse::<Misbehaviour>(), Err(()));
    }
}
