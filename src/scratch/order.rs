//! Keys that sort by something else than an id.

use crate::domain::{Digest32, UnixMicros};

/// Sorts by time, then by as many of these bytes as there is room for: 24.
pub fn by_time(at: UnixMicros, then: &[u8]) -> Digest32 {
    // With the sign's bit turned, the bytes are in the order of the times.
    key(&(at.0 ^ i64::MIN).to_be_bytes(), then)
}

/// Sorts by number, then by as many of these bytes as there is room for: 28.
pub fn by_number(number: u32, then: &[u8]) -> Digest32 {
    key(&number.to_be_bytes(), then)
}

fn key(first: &[u8], then: &[u8]) -> Digest32 {
    let mut key = [0; 32];
    key.iter_mut().zip(first.iter().chain(then)).for_each(|(byte, from)| *byte = *from);
    Digest32(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_times_and_numbers_and_then_of_bytes() {
        let times = [i64::MIN, -1, 0, 1, i64::MAX].map(|at| [0, 1, 255].map(|then| by_time(UnixMicros(at), &[then])));
        assert!(times.as_flattened().is_sorted_by(|one, next| one < next));
        let numbers = [0, 1, 255, 256, u32::MAX].map(|number| [0, 1, 255].map(|then| by_number(number, &[then])));
        assert!(numbers.as_flattened().is_sorted_by(|one, next| one < next));
        assert_eq!(by_number(0, &[7; 40]).0[4..], [7; 28]);
    }
}
