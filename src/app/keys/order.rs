//! The order in which a source's key sets were captured. Evidence has no time of its own: the run's record has.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use crate::app::coverage::Survey;
use crate::app::error::AppError;
use crate::app::plan::Plan;
use crate::app::run::{Found, RunFolder};
use crate::domain::{EvidenceId, Media, Sighting, SourceId};
use crate::store::{EvidenceStore as _, SideRecord};

/// The captures of one source; one that was seen twice stands twice.
pub(super) struct Captures {
    /// Oldest first, where the order is known.
    pub(super) ids: Vec<EvidenceId>,
    pub(super) is_ordered: bool,
}

impl Captures {
    pub(super) fn newest(&self) -> Option<&EvidenceId> {
        self.ids.last().filter(|_| self.is_ordered)
    }
}

pub(super) type Orders = BTreeMap<SourceId, Captures>;

/// When a capture was seen last, or where its file stands: comparable within one source.
type Moment = (i64, String);

/// # Errors
/// [`AppError`] when the store or the run's record can't be read.
pub(super) fn orders(survey: &Survey, root: &Path, plan: Option<&Plan>) -> Result<Orders, AppError> {
    let sets: BTreeMap<EvidenceId, Media> = (survey.set.key_sets.iter())
        .map(|(evidence, set)| (*evidence, if set.auth { Media::AuthJwks } else { Media::Jwks }))
        .collect();
    let documents = match RunFolder::at(root).look()? {
        Found::Finished(record) | Found::Unfinished(record) => record.documents,
        Found::Fresh => Vec::new(),
    };
    let seen: BTreeMap<(&SourceId, &str), i64> =
        documents.iter().map(|seen| ((&seen.source, seen.evidence.as_str()), seen.last_seen)).collect();
    let mut captures: BTreeMap<SourceId, Vec<(Option<Moment>, EvidenceId)>> = BTreeMap::new();
    survey.store.scan_side(&mut |record| {
        if let SideRecord::Sighting(Sighting { evidence, source, place, .. }) = record
            && let Some(media) = sets.get(&evidence)
        {
            let moment = if source == SourceId::files(*media) {
                plan.and_then(|plan| listed(plan, *media, place))
            } else {
                seen.get(&(&source, evidence.to_string().as_str())).map(|at| (*at, String::new()))
            };
            captures.entry(source).or_default().push((moment, evidence));
        }
        ControlFlow::Continue(())
    })?;
    let in_order = |mut captures: Vec<(Option<Moment>, EvidenceId)>| {
        captures.sort();
        let is_known = captures.iter().all(|(moment, _)| moment.is_some());
        let is_told = captures.windows(2).all(|pair| matches!(pair, [one, next] if one.0 != next.0 || one.1 == next.1));
        // One set is the newest, however often it was seen.
        let is_one = captures.windows(2).all(|pair| matches!(pair, [one, next] if one.1 == next.1));
        let is_ordered = is_one || is_known && is_told;
        Captures { ids: captures.into_iter().map(|(_, evidence)| evidence).collect(), is_ordered }
    };
    Ok(captures.into_iter().map(|(source, captures)| (source, in_order(captures))).collect())
}

/// Where the plan lists that file: by itself, else in the first of its folders, which are read in order of name.
fn listed(plan: &Plan, media: Media, place: String) -> Option<Moment> {
    let files = plan.files.get(&media)?;
    let is_it = |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy() == place);
    let at = files.iter().position(|file| is_it(file)).or_else(|| files.iter().position(|file| file.is_dir()))?;
    Some((i64::try_from(at).unwrap_or(i64::MAX), place))
}
