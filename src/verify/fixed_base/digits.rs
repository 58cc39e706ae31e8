//! Numbers of 256 bits as signed digits, lowest first: a digit picks one point out of a table, and its sign the point or its negative.

/// Bits of a number.
const BITS: usize = 256;

/// How many digits of that width a number has. The highest has room for what is carried into it.
pub(in crate::verify) const fn count(width: usize) -> usize {
    BITS / width + 1
}

/// How many points a table has for each digit: 1 to this many times a power of two.
pub(in crate::verify) const fn largest(width: usize) -> usize {
    1 << (width - 1)
}

/// The digit at a place, from 1 - 2^(width-1) to 2^(width-1), and what is carried into the next, of a number whose lowest byte comes first.
pub(in crate::verify) fn digit(number: &[u8; 32], at: usize, width: usize, carry: i32) -> (i32, i32) {
    let from = at * width;
    // A digit of at most 16 bits lies in three bytes.
    let byte = |at: usize| u32::from(number.get(at).copied().unwrap_or(0));
    let around = byte(from / 8) | byte(from / 8 + 1) << 8 | byte(from / 8 + 2) << 16;
    let mask = (1_u32 << width) - 1;
    let plain = i32::try_from(around >> (from % 8) & mask).unwrap_or_default() + carry;
    let carry = i32::from(plain > 1 << (width - 1));
    (plain - (carry << width), carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_gives_the_number_back() {
        let mut numbers = vec![[0; 32], [0xff; 32], [0x80; 32], [0x7f; 32], [0x55; 32]];
        for at in 0..256 {
            let mut number = [0; 32];
            number[at / 8] = 1 << (at % 8);
            numbers.push(number);
        }
        for width in 2..=12 {
            for number in &numbers {
                // As bits with a sign each, so that nothing is lost: the sum over all digits, bit by bit from below.
                let (mut carry, mut rest, mut found) = (0, 0_i64, [0_u8; 32]);
                let digits: Vec<i32> = (0..count(width))
                    .map(|at| {
                        let digit;
                        (digit, carry) = self::digit(number, at, width, carry);
                        assert!(digit.unsigned_abs() as usize <= largest(width));
                        digit
                    })
                    .collect();
                assert_eq!(carry, 0, "the highest digit has room");
                for bit in 0..BITS {
                    if bit.is_multiple_of(width) {
                        rest += i64::from(digits[bit / width]);
                    }
                    found[bit / 8] |= u8::try_from(rest & 1).unwrap() << (bit % 8);
                    rest >>= 1;
                }
                if BITS.is_multiple_of(width) {
                    rest += i64::from(digits[BITS / width]);
                }
                assert_eq!((found, rest), (*number, 0), "width {width}");
            }
        }
    }
}
