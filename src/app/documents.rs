//! When each version of a published document was seen. Evidence has no time of its own, and no report depends on one, so
//! it stands with the other facts that are not reproducible, in `run.json`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::domain::{EvidenceId, Media, SourceId, UnixSeconds};

/// One version of a document, and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenDocument {
    /// Where it was fetched from.
    pub source: SourceId,
    /// What it is.
    pub media: String,
    /// Its evidence id: the bytes are kept under it.
    pub evidence: String,
    /// Start of the first run into this folder that saw it, Unix seconds.
    pub first_seen: i64,
    /// Start of the last one.
    pub last_seen: i64,
}

/// What was seen, shared with the sources that see it.
pub(super) type Seen = Arc<Mutex<BTreeSet<(SourceId, Media, EvidenceId)>>>;

/// Adds what was seen in this run to what earlier runs saw; in order of source, then of first sight.
pub(super) fn add(known: &mut Vec<SeenDocument>, seen: &Seen, at: UnixSeconds) {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    for (source, media, evidence) in seen.iter() {
        let evidence = evidence.to_string();
        match known.iter_mut().find(|one| one.source == *source && one.evidence == evidence) {
            Some(one) => one.last_seen = one.last_seen.max(at.0),
            None => known.push(SeenDocument {
                source: source.clone(),
                media: media.name().to_owned(),
                evidence,
                first_seen: at.0,
                last_seen: at.0,
            }),
        }
    }
    known.sort_by(|a, b| (&a.source, a.first_seen, &a.evidence).cmp(&(&b.source, b.first_seen, &b.evidence)));
}

#[cfg(feature = "net")]
pub(super) use noting::Noting;

#[cfg(feature = "net")]
mod noting {
    use std::sync::PoisonError;

    use super::Seen;
    use crate::domain::{FetchReceipt, SourceId};
    use crate::substrate::{Captured, EvidenceSource, Sink, SourceError, Stopped};

    /// A source of documents that notes what it gives.
    pub(in super::super) struct Noting {
        pub(in super::super) source: Box<dyn EvidenceSource>,
        pub(in super::super) seen: Seen,
    }

    impl EvidenceSource for Noting {
        fn id(&self) -> SourceId {
            self.source.id()
        }

        fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
            self.source.fetch(&mut NotingSink { sink, seen: &self.seen })
        }
    }

    struct NotingSink<'a> {
        sink: &'a mut dyn Sink,
        seen: &'a Seen,
    }

    impl Sink for NotingSink<'_> {
        fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
            let note = (captured.source.clone(), captured.evidence.media, captured.evidence.id());
            self.sink.accept(captured)?;
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(note);
            Ok(())
        }

        fn cancelled(&self) -> bool {
            self.sink.cancelled()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest32;

    fn seen(numbers: &[u8]) -> Seen {
        let one =
            |number: &u8| (SourceId("https://h/jwks".to_owned()), Media::Jwks, EvidenceId(Digest32([*number; 32])));
        Arc::new(Mutex::new(numbers.iter().map(one).collect()))
    }

    #[test]
    fn each_version_keeps_the_time_it_was_first_and_last_seen() {
        let mut known = Vec::new();
        add(&mut known, &seen(&[2]), UnixSeconds(100));
        add(&mut known, &seen(&[1]), UnixSeconds(200));
        add(&mut known, &seen(&[1]), UnixSeconds(300));
        let times: Vec<(String, i64, i64)> =
            known.iter().map(|one| (one.evidence.clone(), one.first_seen, one.last_seen)).collect();
        assert_eq!(times, [("02".repeat(32), 100, 100), ("01".repeat(32), 200, 300)]);
    }
}
