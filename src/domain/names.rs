//! Few names that are met millions of times: each has a number, and there is one copy of it.

#![expect(
    clippy::disallowed_types,
    reason = "the table is asked by name and never iterated, so its order shows nowhere"
)]

use std::collections::HashMap;
use std::sync::Arc;

/// Names by number, in order of arrival. They are looked up by their hash: walking a tree of names compares them over and over.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name, which has one from now on. Four thousand million different names would not fit in memory.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (number, name) = (u32::try_from(self.names.len()).unwrap_or(u32::MAX), Arc::<str>::from(name));
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// The name of a number.
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// The one copy of a number's name.
    pub fn copy<N: From<Arc<str>>>(&self, number: u32) -> N {
        N::from(self.names.get(number as usize).cloned().unwrap_or_default())
    }

    /// The one copy of a name.
    pub fn shared<N: From<Arc<str>>>(&mut self, name: &str) -> N {
        let number = self.number(name);
        self.copy(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_and_one_copy() {
        let mut names = Names::default();
        let numbers = ["b", "a", "b", ""].map(|name| names.number(name));
        assert_eq!(numbers, [0, 1, 0, 2]);
        assert_eq!((names.name(1), names.name(0)), ("a", "b"));
        let (one, other): (Arc<str>, Arc<str>) = (names.shared("a"), names.shared("a"));
        assert!(Arc::ptr_eq(&one, &other));
    }
}
