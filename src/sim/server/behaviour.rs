//! Who misbehaves, how, and when.

use std::fmt;
use std::str::FromStr;

use super::effect::{Effect, Loss};
use super::misbehaviour::Misbehaviour;
use super::role::Role;
use crate::domain::Code;

/// Which of the occasions are used. An occasion is a request that the misbehaviour can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Schedule {
    /// Every one.
    Every,
    /// The n-th only, counted from 1.
    Nth(u64),
    /// So many of 100, drawn from the world's seed.
    Share(u8),
}

/// One misbehaviour of one server, or of all servers in a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Behaviour {
    role: Role,
    index: Option<usize>,
    misbehaviour: Misbehaviour,
    schedule: Schedule,
}

/// Why a behaviour can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BehaviourError {
    /// Not `ROLE[:INDEX]=NAME[@n|@p%]`.
    #[error("`{0}` is not ROLE[:INDEX]=NAME, NAME@n or NAME@p%")]
    Form(String),
    /// An unknown role.
    #[error("`{0}` is no role: {names}", names = join(Role::ALL.map(Role::name)))]
    Role(String),
    /// An unknown misbehaviour.
    #[error("`{0}` is no misbehaviour: {names}", names = join(Misbehaviour::ALL.iter().map(|one| one.name())))]
    Misbehaviour(String),
    /// The role can't do that.
    #[error("{0} can't `{1}`; that is for {names}", names = join(.1.roles().into_iter().map(Role::name)))]
    Misplaced(Role, Misbehaviour),
    /// There is no such server.
    #[error("there is no {0}:{1}")]
    Nobody(Role, usize),
}

fn join(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

impl Behaviour {
    /// A misbehaviour of every server in the role, or of the one with that index.
    ///
    /// # Errors
    /// [`BehaviourError::Misplaced`] when the role can't do that.
    pub fn new(
        role: Role,
        index: Option<usize>,
        misbehaviour: Misbehaviour,
        schedule: Schedule,
    ) -> Result<Self, BehaviourError> {
        if misbehaviour.applies_to(role) {
            Ok(Self { role, index, misbehaviour, schedule })
        } else {
            Err(BehaviourError::Misplaced(role, misbehaviour))
        }
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Which server of the role; `None` is all of them.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// What it does.
    pub fn misbehaviour(&self) -> Misbehaviour {
        self.misbehaviour
    }

    /// When.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// True when this is about that server.
    pub(super) fn is_about(&self, role: Role, index: usize) -> bool {
        self.role == role && self.index.is_none_or(|own| own == index)
    }

    /// What must follow from it, with the schedule taken into account.
    ///
    /// A failure that passes is none once the question was asked again; what came with it stays an offence. Of anything
    /// else that happens only now and then it is not known what it hits.
    pub fn effect(&self) -> Effect {
        let whole = self.misbehaviour.effect(self.role);
        if self.schedule == Schedule::Every || whole.loss == Loss::Nothing {
            return whole;
        }
        let offence = whole.told.iter().find(|row| **row == [Code::SrcMisbehaves]);
        let loss = if self.gets_over() { Loss::Nothing } else { Loss::Possible };
        Effect { loss, told: offence.copied().into_iter().collect() }
    }

    /// A broken connection is opened again; an event that was spoilt in one page is not always asked for again.
    fn gets_over(&self) -> bool {
        let breaks =
            self.role == Role::Relay && matches!(self.misbehaviour, Misbehaviour::Oversize | Misbehaviour::InvalidUtf8);
        // A share of the attempts may be all four of them.
        matches!(self.schedule, Schedule::Nth(_)) && (self.misbehaviour.is_transient() || breaks)
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        if let Some(index) = self.index {
            write!(f, ":{index}")?;
        }
        write!(f, "={}", self.misbehaviour)?;
        match self.schedule {
            Schedule::Every => Ok(()),
            Schedule::Nth(n) => write!(f, "@{n}"),
            Schedule::Share(percent) => write!(f, "@{percent}%"),
        }
    }
}

impl FromStr for Behaviour {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        let form = || BehaviourError::Form(text.to_owned());
        let (who, what) = text.split_once('=').ok_or_else(form)?;
        let (role, index) = match who.split_once(':') {
            Some((role, index)) => (role, Some(index.parse().map_err(|_| form())?)),
            None => (who, None),
        };
        let (name, schedule) = match what.split_once('@') {
            Some((name, when)) => (name, schedule(when).ok_or_else(form)?),
            None => (what, Schedule::Every),
        };
        let role = role.parse().map_err(|()| BehaviourError::Role(role.to_owned()))?;
        let misbehaviour = name.parse().map_err(|()| BehaviourError::Misbehaviour(name.to_owned()))?;
        Self::new(role, index, misbehaviour, schedule)
    }
}

fn schedule(text: &str) -> Option<Schedule> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Schedule::Share),
        None => text.parse().ok().filter(|n| *n > 0).map(Schedule::Nth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Behaviour, BehaviourError> {
        text.parse()
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["relay=omit", "relay:1=lie-eose@3", "calendar=delay@100%", "payment-log=loop@2"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_the_right_ones() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert!(said("relais=omit").contains("well-known"));
        assert!(said("relay=forget").contains("close-mid-page"));
        assert!(said("headers=auth-flood").ends_with("that is for relay"), "{}", said("headers=auth-flood"));
        for text in ["relay", "relay:x=omit", "relay=omit@0", "relay=omit@", "relay=omit@0%", "relay=omit@101%"] {
            assert_eq!(read(text), Err(BehaviourError::Form(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_passes_is_harmless_once_and_an_offence_stays_one() {
        let effect = |text: &str| read(text).unwrap().effect();
        assert_eq!(effect("relay=disconnect@1"), Effect { loss: Loss::Nothing, told: vec![] });
        assert_eq!(effect("relay=disconnect").loss, Loss::Certain);
        assert_eq!(effect("relay=disconnect@50%").loss, Loss::Possible);
        let offence: Vec<&[Code]> = vec![&[Code::SrcMisbehaves]];
        assert_eq!(effect("relay=oversize@1"), Effect { loss: Loss::Nothing, told: offence.clone() });
        assert_eq!(effect("relay=malformed@1"), Effect { loss: Loss::Possible, told: offence.clone() });
        assert_eq!(effect("relay=flood@1"), Effect { loss: Loss::Nothing, told: offence });
        assert_eq!(effect("settlements=malformed@1").loss, Loss::Possible);
    }
}
