//! Machines without such registers: there is no proof of having them, and nothing can be asked.

/// What no such machine has.
#[derive(Debug, Clone, Copy)]
pub(in crate::verify) enum Machine {}

/// None, ever.
pub(in crate::verify) const fn machine() -> Option<Machine> {
    None
}

pub(in crate::verify) mod schnorr {
    use super::super::{Detour, Equation, Line, Multiples, Stranger};
    use super::Machine;

    pub(in crate::verify) fn hold(
        machine: Machine,
        _: Multiples<'_, Line>,
        _: Multiples<'_, Line>,
        _: &Detour,
        _: &[Equation],
    ) -> Vec<bool> {
        match machine {}
    }

    pub(in crate::verify) fn strangers_hold(
        machine: Machine,
        _: Multiples<'_, Line>,
        _: &Detour,
        _: &[Stranger],
    ) -> Vec<bool> {
        match machine {}
    }
}

pub(in crate::verify) mod eddsa {
    use super::super::{Equation, Multiples, Triple};
    use super::Machine;

    pub(in crate::verify) fn hold(
        machine: Machine,
        _: Multiples<'_, Triple>,
        _: Multiples<'_, Triple>,
        _: &[Equation],
    ) -> Vec<bool> {
        match machine {}
    }
}

pub(in crate::verify) mod plane {
    use super::super::{Line, Words};
    use super::Machine;

    pub(in crate::verify) fn sums(machine: Machine, _: &[Line], _: &[Line], _: &mut Vec<Line>) {
        match machine {}
    }

    pub(in crate::verify) fn lifted(machine: Machine, _: &[Words]) -> Vec<Option<Line>> {
        match machine {}
    }
}
