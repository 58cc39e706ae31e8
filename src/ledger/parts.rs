//! Walks of millions on two cores: while a part is looked at, the next one is made.

use std::num::NonZeroUsize;

/// Items that are taken together, each by itself.
const PART: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// Hands everything on in parts and in order: each is made by `make`, and taken by `take` while the next one is read and made.
pub(super) fn in_parts<T, U: Send>(
    mut items: impl Iterator<Item = T> + Send,
    mut make: impl FnMut(Vec<T>) -> U + Send,
    mut take: impl FnMut(U) + Send,
) {
    let mut made = None;
    loop {
        let next = || {
            let part: Vec<T> = items.by_ref().take(PART.get()).collect();
            (!part.is_empty()).then(|| make(part))
        };
        let ((), next) = rayon::join(|| made.take().into_iter().for_each(&mut take), next);
        made = next;
        if made.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_made_and_taken_once_and_in_order() {
        for count in [0, 1, PART.get() - 1, PART.get(), PART.get() + 1, 3 * PART.get()] {
            let (mut parts, mut taken) = (0, Vec::new());
            let make = |part: Vec<usize>| {
                parts += 1;
                part
            };
            in_parts(0..count, make, |part| taken.extend(part));
            assert!(taken.into_iter().eq(0..count));
            assert_eq!(parts, count.div_ceil(PART.get()));
        }
    }
}
