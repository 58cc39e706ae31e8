//! Numbers modulo a prime near a power of two, eight at a time, five limbs of 52 bits: what AVX-512 IFMA multiplies.
//!
//! A limb that is multiplied must have 52 bits exactly, so that a sum is carried before it is a factor. A number may be a few times the
//! prime, below 2^260; how often is written beside what makes it (*size*), and the product of the sizes of two factors must be
//! below 2^8. A product has size 1 and a little (2^75 over it at most).

use core::arch::x86_64::{
    _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_srlv_epi64, _mm512_sub_epi64,
};
use core::marker::PhantomData;

use archmage::rite;

use super::vector::{Eight, LIMB, LOW, Mask, added, chosen, odd, same, splat};

/// 2^`BITS` - `LESS`.
pub(super) trait Prime: Copy {
    /// Bits of the prime: 208 and those of the highest limb.
    const BITS: u32;
    /// What a power of two is more than the prime.
    const LESS: i64;
    /// Bits of the highest limb.
    const TOP: u32 = Self::BITS - 4 * LIMB;
    /// 2^260 modulo the prime.
    const OVER: i64 = Self::LESS << (5 * LIMB - Self::BITS);
}

/// A number of the field in each lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<P> {
    limbs: [Eight; 5],
    prime: PhantomData<P>,
}

/// A sum that is not carried: limbs of any size and sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum<P> {
    limbs: [Eight; 5],
    prime: PhantomData<P>,
}

impl<P: Prime> Field<P> {
    #[inline]
    #[expect(clippy::large_types_passed_by_value, reason = "inlined, so that limbs stay in registers")]
    pub(super) const fn new(limbs: [Eight; 5]) -> Self {
        Self { limbs, prime: PhantomData }
    }

    /// The same small number in each lane.
    #[rite(v4x)]
    pub(super) fn small(number: i64) -> Self {
        let zero = _mm512_setzero_si512();
        Self::new([splat(number), zero, zero, zero, zero])
    }

    #[rite(v4x)]
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut columns = [_mm512_setzero_si512(); 10];
        for (i, left) in self.limbs.iter().enumerate() {
            for (j, right) in other.limbs.iter().enumerate() {
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], *left, *right);
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], *left, *right);
            }
        }
        Self::reduced(columns)
    }

    #[rite(v4x)]
    pub(super) fn square(&self) -> Self {
        let mut columns = [_mm512_setzero_si512(); 10];
        for i in 0..5 {
            for j in i + 1..5 {
                let (left, right) = (self.limbs[i], self.limbs[j]);
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], left, right);
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], left, right);
            }
        }
        for column in &mut columns {
            *column = _mm512_add_epi64(*column, *column);
        }
        for (i, limb) in self.limbs.iter().enumerate() {
            columns[2 * i] = _mm512_madd52lo_epu64(columns[2 * i], *limb, *limb);
            columns[2 * i + 1] = _mm512_madd52hi_epu64(columns[2 * i + 1], *limb, *limb);
        }
        Self::reduced(columns)
    }

    #[rite(v4x)]
    pub(super) fn squares(&self, times: usize) -> Self {
        let mut number = *self;
        for _ in 0..times {
            number = number.square();
        }
        number
    }

    /// Columns of a product, each of at most 57 bits, of a number below 2^520.
    #[rite(v4x)]
    fn reduced(mut columns: [Eight; 10]) -> Self {
        carry(&mut columns[5..]);
        // What lies above 2^260 comes back below, and one limb goes beyond it again.
        let (high, over) = (&columns[5..], splat(P::OVER));
        let mut low = [columns[0], columns[1], columns[2], columns[3], columns[4], _mm512_setzero_si512()];
        for (at, limb) in high.iter().enumerate() {
            low[at] = _mm512_madd52lo_epu64(low[at], *limb, over);
            low[at + 1] = _mm512_madd52hi_epu64(low[at + 1], *limb, over);
        }
        carry(&mut low[..5]);
        // What lies above the bits of the prime has 42 bits by now.
        let above = _mm512_srlv_epi64(low[4], splat(i64::from(P::TOP)));
        let above = _mm512_add_epi64(_mm512_sllv_epi64(low[5], splat(i64::from(LIMB - P::TOP))), above);
        low[4] = _mm512_and_si512(low[4], splat((1 << P::TOP) - 1));
        low[0] = _mm512_madd52lo_epu64(low[0], above, splat(P::LESS));
        low[1] = _mm512_madd52hi_epu64(low[1], above, splat(P::LESS));
        carry(&mut low[..5]);
        Self::new([low[0], low[1], low[2], low[3], low[4]])
    }

    /// The sum with another, its size that of both.
    #[rite(v4x)]
    pub(super) fn plus(&self, other: &Self) -> Sum<P> {
        Sum { limbs: added(&self.limbs, &other.limbs), prime: PhantomData }
    }

    /// This number and so many times the prime, less another whose size must be below that.
    #[rite(v4x)]
    pub(super) fn minus(&self, other: &Self, times: i64) -> Sum<P> {
        self.sum().minus(other, times)
    }

    #[rite(v4x)]
    pub(super) fn sum(&self) -> Sum<P> {
        Sum { limbs: self.limbs, prime: PhantomData }
    }

    /// The one form below the prime.
    #[rite(v4x)]
    pub(super) fn canonical(&self) -> [Eight; 5] {
        let top = splat(i64::from(P::TOP));
        let mut limbs = self.limbs;
        // The first leaves less than 2^BITS + 2^38, the second less than 2^BITS.
        for _ in 0..2 {
            let above = _mm512_srlv_epi64(limbs[4], top);
            limbs[4] = _mm512_and_si512(limbs[4], splat((1 << P::TOP) - 1));
            limbs[0] = _mm512_madd52lo_epu64(limbs[0], above, splat(P::LESS));
            carry(&mut limbs);
        }
        let mut less = limbs;
        less[0] = _mm512_add_epi64(less[0], splat(P::LESS));
        carry(&mut less);
        let fits = odd(&[_mm512_srlv_epi64(less[4], top); 5]);
        less[4] = _mm512_and_si512(less[4], splat((1 << P::TOP) - 1));
        chosen(fits, &limbs, &less)
    }

    /// The lanes that hold zero.
    #[rite(v4x)]
    pub(super) fn zeros(&self) -> Mask {
        same(&self.canonical(), &[_mm512_setzero_si512(); 5])
    }

    /// The lanes whose limbs are all zero: zero itself, and not the prime.
    #[rite(v4x)]
    pub(super) fn are_no_limbs(&self) -> Mask {
        same(&self.limbs, &[_mm512_setzero_si512(); 5])
    }

    /// The lanes in which both have the same limbs: one number, if both are below the prime.
    #[rite(v4x)]
    pub(super) fn has_limbs_of(&self, other: &Self) -> Mask {
        same(&self.limbs, &other.limbs)
    }

    /// The lanes in which both are one number.
    #[rite(v4x)]
    pub(super) fn equals(&self, other: &Self) -> Mask {
        same(&self.canonical(), &other.canonical())
    }

    /// This one where no bit is set, the other where one is.
    #[rite(v4x)]
    pub(super) fn or(&self, mask: Mask, other: &Self) -> Self {
        Self::new(chosen(mask, &self.limbs, &other.limbs))
    }

    /// The negative of a number of size 1, of size 2, in those lanes.
    #[rite(v4x)]
    pub(super) fn negative_in(&self, mask: Mask) -> Self {
        let zero = Self::small(0);
        if mask == 0 { *self } else { self.or(mask, &zero.minus(self, 2).carried()) }
    }
}

impl<P: Prime> Sum<P> {
    /// Less a number whose size must be below so many times the prime, which are added.
    #[rite(v4x)]
    pub(super) fn minus(mut self, other: &Field<P>, times: i64) -> Self {
        for (limb, other) in self.limbs.iter_mut().zip(&other.limbs) {
            *limb = _mm512_sub_epi64(*limb, *other);
        }
        self.limbs[0] = _mm512_sub_epi64(self.limbs[0], splat(times * P::LESS));
        self.limbs[4] = _mm512_add_epi64(self.limbs[4], splat(times << P::TOP));
        self
    }

    #[rite(v4x)]
    pub(super) fn plus(self, other: &Field<P>) -> Self {
        Self { limbs: added(&self.limbs, &other.limbs), ..self }
    }

    /// Times a power of two.
    #[rite(v4x)]
    pub(super) fn shifted<const BITS: u32>(mut self) -> Self {
        for limb in &mut self.limbs {
            *limb = _mm512_slli_epi64::<BITS>(*limb);
        }
        self
    }

    /// The same number in limbs of 52 bits. It must not be negative, nor reach 2^260.
    #[rite(v4x)]
    pub(super) fn carried(mut self) -> Field<P> {
        for at in 0..4 {
            let above = _mm512_srai_epi64::<LIMB>(self.limbs[at]);
            self.limbs[at + 1] = _mm512_add_epi64(self.limbs[at + 1], above);
            self.limbs[at] = _mm512_and_si512(self.limbs[at], splat(LOW));
        }
        Field::new(self.limbs)
    }
}

/// Carries what goes beyond a limb into the next; the last keeps it.
#[rite(v4x)]
fn carry(limbs: &mut [Eight]) {
    for at in 1..limbs.len() {
        limbs[at] = _mm512_add_epi64(limbs[at], _mm512_srli_epi64::<LIMB>(limbs[at - 1]));
        limbs[at - 1] = _mm512_and_si512(limbs[at - 1], splat(LOW));
    }
}

/// The inverses of all, which must not be zero: one inversion, and three multiplications each.
#[rite(v4x)]
pub(super) fn inverses<P: Prime>(
    numbers: &[Field<P>],
    mut inverse: impl FnMut(&Field<P>) -> Field<P>,
) -> Vec<Field<P>> {
    let mut products = Vec::with_capacity(numbers.len());
    let mut product = Field::small(1);
    for number in numbers {
        products.push(product);
        product = product.times(number);
    }
    let mut rest = inverse(&product);
    for (number, product) in numbers.iter().zip(&mut products).rev() {
        *product = product.times(&rest);
        rest = rest.times(number);
    }
    products
}
