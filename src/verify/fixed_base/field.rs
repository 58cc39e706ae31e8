//! Numbers modulo 2^255 - 19: a thin coat over `fiat-crypto`, whose arithmetic was proven correct against its bounds.
//!
//! A [`Tight`] number is what a multiplication makes, a [`Loose`] one a sum or difference of two; the types keep anybody from adding
//! once too often.

use fiat_crypto::curve25519_64::{
    fiat_25519_add, fiat_25519_carry, fiat_25519_carry_mul, fiat_25519_carry_square, fiat_25519_from_bytes,
    fiat_25519_loose_field_element as Loose, fiat_25519_relax, fiat_25519_sub, fiat_25519_tight_field_element as Tight,
    fiat_25519_to_bytes,
};

/// A number that any operation takes.
#[derive(Clone, Copy)]
pub(super) struct Field(Tight);

/// A sum or difference, which only a multiplication takes.
#[derive(Clone, Copy)]
pub(super) struct Sum(Loose);

impl std::fmt::Debug for Field {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Field").field(&self.to_bytes()).finish()
    }
}

/// What may stand on either side of a multiplication.
pub(super) trait Factor: Copy {
    fn loose(self) -> Loose;
}

impl Factor for Field {
    #[inline]
    fn loose(self) -> Loose {
        let mut loose = Loose([0; 5]);
        fiat_25519_relax(&mut loose, &self.0);
        loose
    }
}

impl Factor for Sum {
    #[inline]
    fn loose(self) -> Loose {
        self.0
    }
}

impl Sum {
    /// The same number, which any operation takes.
    pub(super) fn carried(self) -> Field {
        let mut tight = Tight([0; 5]);
        fiat_25519_carry(&mut tight, &self.0);
        Field(tight)
    }
}

impl Field {
    pub(super) const ZERO: Self = Self(Tight([0; 5]));
    pub(super) const ONE: Self = Self(Tight([1, 0, 0, 0, 0]));

    /// A small number.
    pub(super) fn small(number: u32) -> Self {
        Self(Tight([u64::from(number), 0, 0, 0, 0]))
    }

    /// From 32 bytes, the lowest first; the highest bit does not count, and what is not below the modulus is taken modulo it.
    pub(super) fn from_bytes(mut bytes: [u8; 32]) -> Self {
        bytes[31] &= 0x7f;
        let mut tight = Tight([0; 5]);
        fiat_25519_from_bytes(&mut tight, &bytes);
        Self(tight)
    }

    /// The one encoding below the modulus, the lowest byte first.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        fiat_25519_to_bytes(&mut bytes, &self.0);
        bytes
    }

    pub(super) fn equals(self, other: Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }

    /// True for a number that counts as negative: an odd one.
    pub(super) fn is_negative(self) -> bool {
        self.to_bytes()[0] & 1 == 1
    }

    #[inline]
    pub(super) fn plus(self, other: Self) -> Sum {
        let mut loose = Loose([0; 5]);
        fiat_25519_add(&mut loose, &self.0, &other.0);
        Sum(loose)
    }

    #[inline]
    pub(super) fn minus(self, other: Self) -> Sum {
        let mut loose = Loose([0; 5]);
        fiat_25519_sub(&mut loose, &self.0, &other.0);
        Sum(loose)
    }

    fn square(self) -> Self {
        let mut tight = Tight([0; 5]);
        fiat_25519_carry_square(&mut tight, &self.loose());
        Self(tight)
    }

    fn squares(self, times: usize) -> Self {
        (0..times).fold(self, |number, _| number.square())
    }

    /// To the powers 2^250 - 1 and 11.
    fn powers(self) -> (Self, Self) {
        let two = self.square();
        let nine = times(self, two.squares(2));
        let eleven = times(nine, two);
        // 2^5 - 1, 2^10 - 1, and so on.
        let to_5 = times(eleven.square(), nine);
        let to_10 = times(to_5.squares(5), to_5);
        let to_20 = times(to_10.squares(10), to_10);
        let to_40 = times(to_20.squares(20), to_20);
        let to_50 = times(to_40.squares(10), to_10);
        let to_100 = times(to_50.squares(50), to_50);
        let to_200 = times(to_100.squares(100), to_100);
        (times(to_200.squares(50), to_50), eleven)
    }

    /// The inverse; zero for zero.
    pub(super) fn inverse(self) -> Self {
        let (high, eleven) = self.powers();
        times(high.squares(5), eleven)
    }

    /// To the power (p - 5) / 8.
    pub(super) fn root_power(self) -> Self {
        times(self.powers().0.squares(2), self)
    }
}

#[inline]
pub(super) fn times(left: impl Factor, right: impl Factor) -> Field {
    let mut tight = Tight([0; 5]);
    fiat_25519_carry_mul(&mut tight, &left.loose(), &right.loose());
    Field(tight)
}

/// The inverses of numbers none of which is zero, for the price of one and three multiplications each.
pub(super) fn inverses(numbers: &[Field]) -> Vec<Field> {
    let mut product = Field::ONE;
    let mut inverses = Vec::with_capacity(numbers.len());
    for number in numbers {
        inverses.push(product);
        product = times(product, *number);
    }
    let mut inverse = product.inverse();
    for (number, before) in numbers.iter().zip(&mut inverses).rev() {
        *before = times(*before, inverse);
        inverse = times(inverse, *number);
    }
    inverses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_undo_what_they_are_inverses_of() {
        let numbers: Vec<Field> = (1..200).map(|number| Field::small(number).root_power()).collect();
        for (number, inverse) in numbers.iter().zip(inverses(&numbers)) {
            assert!(times(*number, inverse).equals(Field::ONE));
            assert!(number.inverse().equals(inverse));
        }
    }

    #[test]
    fn powers_are_those_of_the_names() {
        // By squaring and multiplying along the bits of 2^252 - 3 and 2^255 - 21.
        let power = |base: Field, bits: &[bool]| {
            bits.iter().fold(Field::ONE, |sum, bit| if *bit { times(sum.square(), base) } else { sum.square() })
        };
        let ones = |count: usize, rest: [bool; 5]| [vec![true; count], rest.to_vec()].concat();
        for number in [2, 3, 19, 121_665, u32::MAX] {
            let number = Field::small(number);
            assert!(number.root_power().equals(power(number, &ones(247, [true, true, true, false, true]))));
            assert!(number.inverse().equals(power(number, &ones(250, [false, true, false, true, true]))));
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let mut bytes = [0x5a; 32];
        bytes[31] = 0x5a;
        assert_eq!(Field::from_bytes(bytes).to_bytes(), bytes);
        // 2^255 - 19 + 3 is 3, and the highest bit does not count.
        let mut more = [0xff; 32];
        more[0] = 0xf0;
        assert_eq!(Field::from_bytes(more).to_bytes(), Field::small(3).to_bytes());
        assert!(Field::small(3).is_negative() && !Field::small(4).is_negative());
        assert!(Field::small(3).minus(Field::small(4)).carried().plus(Field::ONE).carried().equals(Field::ZERO));
    }
}
