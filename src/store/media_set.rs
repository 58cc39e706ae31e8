//! Which media the evidence of a segment is of: a walk that looks for others leaves the segment out.

use crate::domain::Media;

/// A set of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MediaSet(u32);

impl MediaSet {
    pub(super) const fn with(self, media: Media) -> Self {
        Self(self.0 | bit(media))
    }

    /// True when one of them is in the set.
    pub(super) fn has_any(self, media: &[Media]) -> bool {
        media.iter().any(|one| self.0 & bit(*one) != 0)
    }
}

const fn bit(media: Media) -> u32 {
    1 << (media as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it_and_nothing_else() {
        assert!(!MediaSet::default().has_any(&Media::ALL));
        let set = MediaSet::default().with(Media::Charter).with(Media::NostrEvent);
        for media in Media::ALL {
            assert_eq!(set.has_any(&[media]), [Media::Charter, Media::NostrEvent].contains(&media), "{media}");
        }
    }
}
