//! Values as bytes for this process alone: packed, never shown, never kept beyond it, so the form may change with every build.

use std::sync::Arc;

use super::chain::{BlockHash, BlockHeight};
use super::digest::Digest32;
use super::few::Few;
use super::policy::{Direction, SettlementKind};
use super::time::{UnixMicros, UnixSeconds};

/// A value that lies as bytes beside memory.
pub trait Packed: Sized {
    /// Appends the bytes.
    fn pack(&self, out: &mut Vec<u8>);
    /// Reads what [`Self::pack`] appended, and moves past it; `None` when these bytes are not that.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
}

/// Packs a struct member by member; a member that is left out does not compile.
macro_rules! packed_struct {
    ($name:ident { $($member:ident),+ $(,)? }) => {
        impl $crate::domain::Packed for $name {
            fn pack(&self, out: &mut Vec<u8>) {
                let Self { $($member),+ } = self;
                $($crate::domain::Packed::pack($member, out);)+
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($member: $crate::domain::Packed::unpack(from)?),+ })
            }
        }
    };
}

/// Packs a struct around one value.
macro_rules! packed_newtype {
    ($($name:ident),+ $(,)?) => {$(
        impl $crate::domain::Packed for $name {
            fn pack(&self, out: &mut Vec<u8>) {
                $crate::domain::Packed::pack(&self.0, out);
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                $crate::domain::Packed::unpack(from).map(Self)
            }
        }
    )+};
}

/// Packs an enum without fields by the place of each value in a list of all.
macro_rules! packed_choice {
    ($name:ident { $($value:ident),+ $(,)? }) => {
        impl $crate::domain::Packed for $name {
            fn pack(&self, out: &mut Vec<u8>) {
                // Every value has an arm, so that a new one does not compile before it has its place in the list.
                let value = match self { $(Self::$value => Self::$value),+ };
                let place = [$(Self::$value),+].iter().position(|listed| *listed == value).unwrap_or_default();
                out.push(u8::try_from(place).unwrap_or(u8::MAX));
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                [$(Self::$value),+].into_iter().nth(u8::unpack(from)?.into())
            }
        }
    };
}

pub(crate) use {packed_choice, packed_newtype, packed_struct};

packed_newtype!(BlockHash, BlockHeight, Digest32, UnixMicros, UnixSeconds);
packed_choice!(Direction { In, Out });
packed_choice!(SettlementKind {
    EscrowDeposit,
    EscrowRebate,
    EscrowRefund,
    PlatformAccrual,
    DistributionSettled,
    OperatorPayout,
    Adjustment,
});

fn split<'b>(from: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

/// That there is something, and nothing more.
impl Packed for () {
    fn pack(&self, _: &mut Vec<u8>) {}

    fn unpack(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Packed for u8 {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        split(from, 1)?.first().copied()
    }
}

impl Packed for bool {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        match u8::unpack(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Seven bits a byte, lowest first; every byte but the last has its highest bit set.
impl Packed for u64 {
    fn pack(&self, out: &mut Vec<u8>) {
        let mut left = *self;
        loop {
            let [low, ..] = left.to_le_bytes();
            left >>= 7;
            if left == 0 {
                return out.push(low);
            }
            out.push(low | 0x80);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = u8::unpack(from)?;
            value |= Self::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

macro_rules! packed_number {
    ($($number:ident as $wide:ident),+) => {$(
        impl Packed for $number {
            fn pack(&self, out: &mut Vec<u8>) {
                $wide::from(*self).pack(out);
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                $wide::unpack(from)?.try_into().ok()
            }
        }
    )+};
}

packed_number!(u16 as u64, u32 as u64);

/// The sign is the lowest bit, so that what is near zero is short.
impl Packed for i64 {
    fn pack(&self, out: &mut Vec<u8>) {
        ((*self << 1) ^ (*self >> 63)).cast_unsigned().pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let folded = u64::unpack(from)?;
        Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }
}

impl<const N: usize> Packed for [u8; N] {
    fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        split(from, N)?.try_into().ok()
    }
}

fn pack_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u64).pack(out);
    out.extend_from_slice(bytes);
}

fn unpack_bytes<'b>(from: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(u64::unpack(from)?).ok()?;
    split(from, length)
}

impl Packed for Box<[u8]> {
    fn pack(&self, out: &mut Vec<u8>) {
        pack_bytes(self, out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        unpack_bytes(from).map(Into::into)
    }
}

macro_rules! packed_text {
    ($($text:ty),+) => {$(
        impl Packed for $text {
            fn pack(&self, out: &mut Vec<u8>) {
                pack_bytes(self.as_bytes(), out);
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                std::str::from_utf8(unpack_bytes(from)?).ok().map(Into::into)
            }
        }
    )+};
}

packed_text!(String, Arc<str>);

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        if let Some(value) = self {
            value.pack(out);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        if bool::unpack(from)? { T::unpack(from).map(Some) } else { Some(None) }
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u64).pack(out);
        for value in self {
            value.pack(out);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let count = u64::unpack(from)?;
        // Exactly; no value that a list is made of takes less than a byte.
        let room = usize::try_from(count).unwrap_or(usize::MAX).min(from.len());
        let mut list = Self::with_capacity(room);
        for _ in 0..count {
            list.push(T::unpack(from)?);
        }
        Some(list)
    }
}

impl<T: Packed + Ord> Packed for Few<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u64).pack(out);
        for member in self {
            member.pack(out);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Vec::unpack(from).map(|list| list.into_iter().collect())
    }
}

impl<A: Packed, B: Packed> Packed for (A, B) {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some((A::unpack(from)?, B::unpack(from)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// Comes back as it was, alone and before other bytes, and never out of a part of its bytes.
    fn returns<T: Packed + PartialEq + Debug>(value: &T) {
        let mut bytes = Vec::new();
        value.pack(&mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(T::unpack(&mut &bytes[..length]), None, "{value:?} from {length} of {}", bytes.len());
        }
        bytes.push(7);
        let mut left = bytes.as_slice();
        assert_eq!(T::unpack(&mut left).as_ref(), Some(value));
        assert_eq!(left, [7]);
    }

    #[test]
    fn whatever_is_packed_comes_back() {
        for number in (0..64).map(|shift| u64::MAX >> shift).chain((0..64).map(|shift| 1 << shift)).chain([0]) {
            returns(&number);
            returns(&number.cast_signed());
            returns(&number.cast_signed().wrapping_neg());
        }
        returns(&(u16::MAX, u32::MAX));
        returns(&(true, (false, 200_u8)));
        returns(&[7_u8; 32]);
        returns(&("h\u{e4}h".to_owned(), Arc::<str>::from("")));
        returns(&(Some(3_u64), None::<u64>));
        returns(&vec![Some(1_u32), None, Some(3)]);
        returns(&Box::<[u8]>::from([1, 2, 3]));
        returns(&(Few::<u64>::default(), (0..40_u64).collect::<Few<u64>>()));
    }

    #[test]
    fn bytes_that_nothing_was_packed_as_are_nothing() {
        assert_eq!(bool::unpack(&mut [2].as_slice()), None);
        assert_eq!(u64::unpack(&mut [0xff; 11].as_slice()), None);
        assert_eq!(u16::unpack(&mut [0xff, 0xff, 0x7f].as_slice()), None);
        assert_eq!(String::unpack(&mut [1, 0xff].as_slice()), None);
        assert_eq!(Vec::<u64>::unpack(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f].as_slice()), None);
    }
}
