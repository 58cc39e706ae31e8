//! When each version of a published document was seen. Evidence has no time of its own, and no report depends on one, so
//! it stands with the other facts that are not reproducible, in `run.json`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::audit::sealed_store;
use super::error::AppError;
use super::judge::side_tables;
use super::run::{Found, RunFolder};
use crate::domain::{EvidenceId, FetchReceipt, Media, SourceId, UnixSeconds};
use crate::store::EvidenceStore as _;
use crate::substrate::{Captured, EvidenceSource, Sink, SourceError};

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
    sort(known);
}

/// Media whose every version counts: a key that changed, a price that was valid once.
const PUBLISHED: [Media; 5] =
    [Media::Jwks, Media::AuthJwks, Media::ProjectConfig, Media::FederationDirectory, Media::Charter];

/// Earlier versions of the documents that are still asked for, out of sealed earlier runs: what a host published once is
/// evidence of this run too.
pub(super) struct PastDocuments {
    items: Vec<Captured>,
}

impl PastDocuments {
    /// Reads them; `asked` are the documents of the present configuration.
    ///
    /// # Errors
    /// [`AppError`] for a folder that holds no sealed run.
    pub(super) fn read(runs: &[impl AsRef<Path>], asked: &[(Media, String)]) -> Result<Self, AppError> {
        let mut items = Vec::new();
        for run in runs {
            let (store, _) = sealed_store(run.as_ref())?;
            let sightings = side_tables(&store)?.sightings;
            store.scan(&PUBLISHED, &mut |id, evidence| {
                let seen = sightings.get(&id).into_iter().flatten();
                for source in seen.filter(|source| asked.iter().any(|one| *one == (evidence.media, source.0.clone()))) {
                    let place = "an earlier run".to_owned();
                    items.push(Captured {
                        evidence: evidence.clone().into(),
                        source: source.clone(),
                        place,
                        offset: 0,
                    });
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(Self { items })
    }
}

impl EvidenceSource for PastDocuments {
    fn id(&self) -> SourceId {
        SourceId("history".to_owned())
    }

    /// Leaves no receipt: nobody was asked.
    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        std::mem::take(&mut self.items).into_iter().try_for_each(|item| sink.accept(item))?;
        Ok(Vec::new())
    }
}

/// Adds the times that the records of earlier runs tell; a run without a record tells none.
pub(super) fn add_past(known: &mut Vec<SeenDocument>, runs: &[impl AsRef<Path>]) {
    for run in runs {
        let Ok(Found::Finished(record)) = RunFolder::at(run.as_ref()).look() else { continue };
        for past in record.documents {
            match known.iter_mut().find(|one| one.source == past.source && one.evidence == past.evidence) {
                Some(one) => {
                    one.first_seen = one.first_seen.min(past.first_seen);
                    one.last_seen = one.last_seen.max(past.last_seen);
                }
                None => known.push(past),
            }
        }
    }
    sort(known);
}

fn sort(known: &mut [SeenDocument]) {
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
