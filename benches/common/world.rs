//! Worlds of the simulator, written as files once and kept under `target/tmp/worlds`, and verified.

use std::path::{Path, PathBuf};

use reledger::app::{Config, Plan};
use reledger::domain::{AsOf, EvidenceId, Media, RawEvidence};
use reledger::sim::{self, Noise, Place, Replace, Watch};
use reledger::substrate::{Captured, EvidenceSource, FilesSource, Sink, Stopped};
use reledger::verify::{VerifiedSet, Verifier};

const BATCH: usize = 2_048;
/// What everything else is judged by.
const JUDGED_BY: [(Media, &str); 4] = [
    (Media::Jwks, "keys/envelope-jwks*"),
    (Media::AuthJwks, "keys/auth-jwks.json"),
    (Media::Headers, "headers"),
    (Media::ProjectConfig, "configs"),
];
/// What the envelope and rebind ledgers are made of, and what their folds look things up in.
pub(crate) const JUDGED: [(Media, &str); 6] = [
    (Media::NostrEvent, "nostr"),
    (Media::Activity, "activity"),
    (Media::OtsProof, "ots"),
    (Media::ProjectConfig, "configs"),
    (Media::Settlement, "gateway/settlements.jsonl"),
    (Media::Custody, "custody"),
];

/// The world of that many billable events, verified.
pub(crate) fn verified(events: u32, judged: &[(Media, &str)]) -> (VerifiedSet, AsOf, Plan) {
    let folder = world(events);
    let plan = plan(&folder);
    let mut verifier = Verifier::new(&plan.policy);
    verifier.first_pass(&judged_by(&folder));
    verifier.begin_second_pass();
    for (media, place) in judged {
        feed(*media, &folder.join(place), &mut |batch| verifier.second_pass(batch));
    }
    let set = verifier.finish();
    let as_of = as_of(&folder, &set);
    (set, as_of, plan)
}

/// What the world's configuration comes to.
pub(crate) fn plan(folder: &Path) -> Plan {
    let config = Config::from_toml(&configuration(folder)).expect("a configuration");
    Plan::resolve(&config, folder).expect("a plan")
}

/// The instant that the world is made for.
pub(crate) fn as_of(folder: &Path, set: &VerifiedSet) -> AsOf {
    let text = configuration(folder);
    let as_of = text.split("as of ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an as-of");
    AsOf { time: as_of.trim_end_matches('.').parse().expect("a time"), tip: set.tip }
}

/// Keys, headers and prices.
pub(crate) fn judged_by(folder: &Path) -> Vec<(EvidenceId, RawEvidence)> {
    JUDGED_BY.iter().flat_map(|(media, place)| records(*media, &folder.join(place))).collect()
}

/// Every record of a file or folder.
pub(crate) fn records(media: Media, place: &Path) -> Vec<(EvidenceId, RawEvidence)> {
    let mut all = Vec::new();
    feed(media, place, &mut |batch| all.extend_from_slice(batch));
    all
}

fn configuration(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("reledger.toml")).expect("the world has a configuration")
}

/// The written world; a folder with its configuration is whole.
pub(crate) fn world(events: u32) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("worlds").join(events.to_string());
    if !folder.join("reledger.toml").exists() {
        let above = folder.parent().expect("a folder above");
        std::fs::create_dir_all(above).expect("a folder for worlds");
        eprintln!("writing {events} events into {}", folder.display());
        let place = Place::take(&folder, Replace::World).expect("the folder is free");
        sim::write_seeded(11, events, &Noise::default(), place, &Unwatched).expect("the world can be written");
    }
    folder
}

/// Reads every record of a file or folder and hands them on in batches.
fn feed(media: Media, place: &Path, take: &mut Take<'_>) {
    let paths = files(place);
    if paths.is_empty() {
        return;
    }
    let mut batches = Batches { batch: Vec::with_capacity(BATCH), take };
    FilesSource::new(media, paths).fetch(&mut batches).expect("the world's files can be read");
    (batches.take)(&batches.batch);
}

/// A file, all files of a folder, or all files whose names begin as stated before a star.
fn files(place: &Path) -> Vec<PathBuf> {
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match (name.strip_suffix('*'), place.parent()) {
        (Some(beginning), Some(folder)) => {
            let all = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let fits = |path: &PathBuf| path.to_string_lossy().contains(beginning);
            all.filter(fits).collect()
        }
        _ => place.exists().then(|| place.to_path_buf()).into_iter().collect(),
    }
}

/// What takes a batch of records.
type Take<'a> = dyn FnMut(&[(EvidenceId, RawEvidence)]) + 'a;

struct Unwatched;

impl Watch for Unwatched {
    type Stop = sim::Stopped;

    fn stage(&self, _: &'static str, _: u64) {}

    fn done(&self, _: u64) -> Result<(), sim::Stopped> {
        Ok(())
    }
}

struct Batches<'a> {
    batch: Vec<(EvidenceId, RawEvidence)>,
    take: &'a mut Take<'a>,
}

impl Sink for Batches<'_> {
    fn accept(&mut self, captured: Captured) -> Result<(), Stopped> {
        self.batch.push((captured.evidence.id(), captured.evidence.into_evidence()));
        if self.batch.len() == BATCH {
            (self.take)(&self.batch);
            self.batch.clear();
        }
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}
