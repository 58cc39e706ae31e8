//! The first place where two lists differ, found by comparing Merkle nodes (docs/state-root.md, section 8).

/// Where two lists part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parted {
    /// The first place at which they differ; the length of the shorter one when it is the beginning of the other.
    pub index: u64,
    /// How many pairs of nodes were compared, the roots not among them.
    pub comparisons: u32,
}

/// Descends over the perfect subtrees that both lists have at the same place. `is_equal(first, size)` compares the nodes
/// over `size` leaves from `first` on, a power of two that divides `first`.
///
/// Costs one comparison for each level below the shorter list's size: 20 for a million. Says where the lists part if they
/// do; of equal lists it says the length.
///
/// # Errors
/// What `is_equal` fails with.
pub fn part<E>((left, right): (u64, u64), mut is_equal: impl FnMut(u64, u64) -> Result<bool, E>) -> Result<Parted, E> {
    let common = left.min(right);
    let mut parted = Parted { index: 0, comparisons: 0 };
    let levels = common.checked_ilog2().map_or(0..0, |top| 0..top + 1);
    for level in levels.rev() {
        let size = 1_u64 << level;
        // Below a node that differs, the first difference lies in its left half or, when that is equal, in its right one.
        // Past the nodes that are equal, what is left is shorter than the node that was too large.
        let fits = parted.index.checked_add(size).is_some_and(|end| end <= common);
        if fits {
            parted.comparisons += 1;
            if is_equal(parted.index, size)? {
                parted.index += size;
            }
        }
    }
    Ok(parted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(left: &[u8], right: &[u8]) -> Parted {
        let found = part::<()>((left.len() as u64, right.len() as u64), |first, size| {
            assert!(size.is_power_of_two() && first % size == 0, "{first} {size}");
            let range = usize::try_from(first).unwrap()..usize::try_from(first + size).unwrap();
            Ok(left[range.clone()] == right[range])
        });
        found.unwrap()
    }

    #[test]
    fn the_first_difference_is_found_wherever_it_is_and_however_long_the_lists_are() {
        for length in 0..70_usize {
            let list: Vec<u8> = (0..length).map(|at| u8::try_from(at).unwrap()).collect();
            for at in 0..length {
                let mut wrong = list.clone();
                wrong[at] = 255;
                assert_eq!(parted(&list, &wrong).index, at as u64);
                // Later differences change nothing.
                wrong[length - 1] = 254;
                assert_eq!(parted(&list, &wrong).index, at as u64);
                let mut missing = list.clone();
                missing.remove(at);
                assert_eq!(parted(&list, &missing).index, at as u64, "{length}");
                assert_eq!(parted(&missing, &list).index, at as u64, "{length}");
            }
            let same = parted(&list, &list);
            assert_eq!(same.index, length as u64);
            assert!(same.comparisons <= length.checked_ilog2().map_or(0, |top| top + 1));
        }
    }
}
