//! Money. One posting is an unsigned 64-bit count; sums are signed 128-bit; nothing wraps, nothing is a float.

use std::fmt;

use super::packed_newtype;

/// 21 million bitcoin in millisatoshi: no single amount can be larger (TREASURY 5.3).
pub const MAX_SUPPLY_MSAT: u64 = 2_100_000_000_000_000_000;
const MAX_SUPPLY_SATS: u64 = MAX_SUPPLY_MSAT / 1000;

/// An amount outside the supply, or arithmetic that would leave the type's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("amount out of range")]
pub struct AmountError;

/// Whole satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Sats(u64);

packed_newtype!(Sats, Msat);

impl Sats {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Accepts 0 up to the supply of 21 million bitcoin.
    ///
    /// # Errors
    /// [`AmountError`] above the supply.
    pub const fn new(sats: u64) -> Result<Self, AmountError> {
        if sats > MAX_SUPPLY_SATS { Err(AmountError) } else { Ok(Self(sats)) }
    }

    /// The count of satoshi.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same amount in millisatoshi; cannot overflow because of the supply bound.
    pub const fn msat(self) -> Msat {
        Msat(self.0.saturating_mul(1000))
    }

    /// Sum, or `None` above the supply.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }

    /// Difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Sats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Millisatoshi of one posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Msat(u64);

impl Msat {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Accepts 0 up to the supply.
    ///
    /// # Errors
    /// [`AmountError`] above the supply.
    pub const fn new(msat: u64) -> Result<Self, AmountError> {
        if msat > MAX_SUPPLY_MSAT { Err(AmountError) } else { Ok(Self(msat)) }
    }

    /// The count of millisatoshi.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whole satoshi (rounded down) and the residue of 0..=999 millisatoshi.
    pub const fn floor_sats(self) -> (Sats, Self) {
        (Sats(self.0 / 1000), Self(self.0 % 1000))
    }

    /// The amount as a signed change.
    pub const fn delta(self) -> MsatDelta {
        MsatDelta(self.0 as i128) // u64 always fits i128
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A signed sum or difference of millisatoshi. Keeps its sign to the last line of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MsatDelta(pub i128);

impl MsatDelta {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Sum.
    ///
    /// # Errors
    /// [`AmountError`] on overflow of the 128-bit sum.
    pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError)
    }

    /// The opposite change.
    ///
    /// # Errors
    /// [`AmountError`] on overflow.
    pub fn checked_neg(self) -> Result<Self, AmountError> {
        self.0.checked_neg().map(Self).ok_or(AmountError)
    }
}

impl fmt::Display for MsatDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl serde::Serialize for MsatDelta {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_amount_exceeds_the_supply() {
        assert!(Sats::new(MAX_SUPPLY_SATS).is_ok());
        assert_eq!(Sats::new(MAX_SUPPLY_SATS + 1), Err(AmountError));
        assert!(Msat::new(MAX_SUPPLY_MSAT + 1).is_err());
        assert_eq!(Sats::new(MAX_SUPPLY_SATS).unwrap().msat().get(), MAX_SUPPLY_MSAT);
    }

    #[test]
    fn flooring_keeps_the_residue() {
        let (sats, residue) = Msat::new(50_999).unwrap().floor_sats();
        assert_eq!((sats.get(), residue.get()), (50, 999));
    }
}
