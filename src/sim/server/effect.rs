//! The ground truth of each misbehaviour: what it takes from a reader, and what has to be said about it.
//!
//! Argued from the meaning of the codes (DIVERGENCES.md, step 0) and from what the server does here, not from what any
//! client makes of it. Every row holds for a server that does nothing else at any request, when all servers in its role
//! do the same; where two of them matter (one relay knows what the other left out), each leaves out other items.

use super::misbehaviour::Misbehaviour;
use super::role::Role;
use crate::domain::Code;

/// Whether a reader can come to the end of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Everything arrives, or arrives when it is asked for again.
    Nothing,
    /// It depends on what is hit.
    Possible,
    /// Something is lost for good, or a claim is worth nothing: no run over it may end clean.
    Certain,
}

/// What follows from a misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What it takes.
    pub loss: Loss,
    /// Codes that must be reported: one of each row at least. Where nothing is lost, nothing else may be said.
    pub told: Vec<&'static [Code]>,
}

const MISBEHAVES: &[Code] = &[Code::SrcMisbehaves];
const INCOMPLETE: &[Code] = &[Code::SrcIncomplete];
/// Nothing at all came from a required source.
const GONE: &[Code] = &[Code::SrcUnreachable];
/// Nothing came, or a part: that depends on how much was there to be cut.
const CUT: &[Code] = &[Code::SrcIncomplete, Code::SrcUnreachable];
const OMITS: &[Code] = &[Code::SrcOmits];
const BLIND: &[Code] = &[Code::SrcBlind];
const GAP: &[Code] = &[Code::SrcCaptureGap];
const UNREAD: &[Code] = &[Code::SrcParse];
/// The world has proofs past their budget that only a calendar can complete.
const OVERDUE: &[Code] = &[Code::OtsOverdue];

impl Effect {
    fn harmless() -> Self {
        Self { loss: Loss::Nothing, told: Vec::new() }
    }

    /// An offence that takes nothing.
    fn offence() -> Self {
        Self { loss: Loss::Nothing, told: vec![MISBEHAVES] }
    }

    fn loses(told: &[&'static [Code]]) -> Self {
        Self { loss: Loss::Certain, told: told.to_vec() }
    }
}

impl Misbehaviour {
    /// What follows when every server in that role does this at every request.
    pub fn effect(self, role: Role) -> Effect {
        match self {
            // An address in a proof has to be told, because the proof then hangs on somebody unknown; nobody follows it.
            Self::BadUrl if role == Role::Calendar => {
                Effect { loss: Loss::Nothing, told: vec![&[Code::OtsCalendar], OVERDUE] }
            }
            // Below the limits, within NIP-01, or only words: a reader that minds is wrong.
            Self::Delay | Self::Drip | Self::Duplicate | Self::Reorder | Self::BadUrl => Effect::harmless(),
            _ => match role {
                Role::Relay => self.of_relay(),
                Role::Calendar => self.of_calendar(),
                Role::PaymentLog => self.of_payment_log(),
                Role::Headers => self.of_headers(),
                Role::WellKnown => self.of_well_known(),
                Role::Settlements | Role::Invoices | Role::Balances => self.of_document(),
            },
        }
    }

    fn of_relay(self) -> Effect {
        match self {
            Self::Disconnect | Self::Stall | Self::RateLimit | Self::Auth | Self::Redirect => Effect::loses(&[GONE]),
            Self::CloseMidPage => Effect::loses(&[CUT]),
            // The message breaks the connection: whatever comes before it is all that ever comes.
            Self::Oversize | Self::InvalidUtf8 => Effect::loses(&[MISBEHAVES, CUT]),
            // An event may have been in what could not be read.
            Self::Truncate | Self::Malformed | Self::Binary | Self::WrongSubscription => {
                Effect::loses(&[MISBEHAVES, INCOMPLETE])
            }
            Self::Blind => Effect::loses(&[MISBEHAVES, BLIND, INCOMPLETE]),
            // What was asked for comes too.
            Self::WrongFilter | Self::Repeat | Self::Flood | Self::AuthFlood => Effect::offence(),
            // The events come late, but the word of this relay about its end has proven false (INV-8).
            Self::LieEose => Effect::loses(&[INCOMPLETE]),
            // Each relay lacks what the other one shows: both claims are withdrawn, and no claim is left.
            Self::LieFinish | Self::Omit | Self::Equivocate => Effect::loses(&[OMITS, INCOMPLETE]),
            _ => Effect::harmless(),
        }
    }

    /// A calendar answers about single commitments. What it does not complete stays pending, which its own codes tell.
    fn of_calendar(self) -> Effect {
        match self {
            // Withheld is not to be told from waiting; past the budget that is said, and it never blocks.
            Self::Omit => Effect { loss: Loss::Nothing, told: vec![OVERDUE] },
            Self::Truncate | Self::Malformed => Effect::loses(&[&[Code::OtsMalformed]]),
            Self::Oversize => Effect::loses(&[&[Code::SrcIncomplete, Code::OtsLimit]]),
            _ => Effect::loses(&[INCOMPLETE]),
        }
    }

    fn of_payment_log(self) -> Effect {
        match self {
            // A page that is no list covers nothing.
            Self::Truncate | Self::Malformed | Self::InvalidUtf8 | Self::Loop | Self::Regress => Effect::loses(&[GAP]),
            Self::CloseMidPage | Self::Oversize => Effect::loses(&[CUT]),
            _ => Effect::loses(&[GONE]),
        }
    }

    fn of_headers(self) -> Effect {
        match self {
            // Proofs name heights that the server says it does not have; asked for by name they do not come either.
            Self::Omit => Effect::loses(&[CUT, &[Code::OtsHeaderMissing]]),
            Self::Malformed => Effect::loses(&[MISBEHAVES, INCOMPLETE]),
            Self::Truncate => Effect::loses(&[INCOMPLETE]),
            Self::CloseMidPage | Self::Oversize => Effect::loses(&[CUT]),
            _ => Effect::loses(&[GONE]),
        }
    }

    fn of_well_known(self) -> Effect {
        match self {
            Self::Truncate | Self::Malformed | Self::InvalidUtf8 => Effect::loses(&[UNREAD]),
            Self::CloseMidPage | Self::Oversize => Effect::loses(&[CUT]),
            _ => Effect::loses(&[GONE]),
        }
    }

    fn of_document(self) -> Effect {
        match self {
            Self::Truncate => Effect::loses(&[INCOMPLETE]),
            Self::CloseMidPage | Self::Oversize => Effect::loses(&[CUT]),
            Self::Malformed | Self::InvalidUtf8 => Effect::loses(&[UNREAD]),
            // The document says how many records it has, and that another page follows.
            Self::Omit | Self::Loop => Effect::loses(&[GAP]),
            Self::Equivocate => Effect::loses(&[&[Code::BalanceMismatch]]),
            _ => Effect::loses(&[GONE]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_loses_has_to_be_told() {
        for (misbehaviour, role) in
            Misbehaviour::ALL.iter().flat_map(|one| one.roles().into_iter().map(|role| (*one, role)))
        {
            let effect = misbehaviour.effect(role);
            assert!(effect.loss == Loss::Nothing || !effect.told.is_empty(), "{role}={misbehaviour}");
        }
    }
}
