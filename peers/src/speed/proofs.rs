//! Proofs of one block against its header: by this project's verifier, and by the crate `opentimestamps`.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use opentimestamps::DetachedTimestampFile;
use opentimestamps::attestation::Attestation;
use opentimestamps::timestamp::{Step, StepData};
use rayon::prelude::*;
use reledger::domain::{EvidenceId, Media, RawEvidence, TrustPolicy};
use reledger::evidence::{self, Claim, Decoded};
use reledger::verify::Fate;
use reledger::verify::headers::HeaderChain;
use reledger::verify::ots::judge;

use super::answer::Answer;

/// One of so many proofs is altered.
const APART: usize = 100;
/// Where the file's digest stands in a detached proof; what is hashed begins with it.
const DIGEST_END: usize = 64;
/// Where a header holds its Merkle root.
const ROOT: std::ops::Range<usize> = 36..68;

/// A folder of proofs `NNNN.ots` of one block, beside its header `HEIGHT.header`.
pub struct Proofs {
    pub folder: PathBuf,
    pub count: usize,
    pub bytes: u64,
    /// Numbers, from zero in the order of names, that nobody may accept.
    pub lies: Vec<usize>,
}

/// The proofs in a folder.
pub fn honest(folder: &Path) -> io::Result<Proofs> {
    let Loaded { files, .. } = load(folder)?;
    let bytes = files.iter().map(|file| file.len() as u64).sum();
    Ok(Proofs { folder: folder.to_owned(), count: files.len(), bytes, lies: Vec::new() })
}

/// The same proofs beside them, one of a hundred about another digest.
pub fn spoiled(honest: &Proofs, folder: &Path) -> io::Result<Proofs> {
    fs::create_dir_all(folder)?;
    let Loaded { files, header, height } = load(&honest.folder)?;
    fs::write(folder.join(format!("{height}.header")), header)?;
    let mut lies = Vec::new();
    for (at, mut file) in files.into_iter().enumerate() {
        if at % APART == APART / 2 {
            file[DIGEST_END] ^= 1;
            lies.push(at);
        }
        fs::write(folder.join(format!("{at:04}.ots")), file)?;
    }
    Ok(Proofs { folder: folder.to_owned(), count: honest.count, bytes: honest.bytes, lies })
}

/// Ours, on this thread: decoded and judged anew in each pass, as records are.
pub fn ours(folder: &Path, passes: usize) -> Result<Answer, Box<dyn Error>> {
    let bench = Bench::of(load(folder)?)?;
    let passes = (0..passes).flat_map(|_| &bench.files).map(|file| bench.holds(file));
    Ok(Answer::of(passes))
}

/// Ours, on all cores.
pub fn ours_on_all_cores(folder: &Path, passes: usize) -> Result<Answer, Box<dyn Error>> {
    let bench = Bench::of(load(folder)?)?;
    let accepted: Vec<bool> =
        (0..passes).flat_map(|_| bench.files.par_iter().map(|file| bench.holds(file)).collect::<Vec<_>>()).collect();
    Ok(Answer::of(accepted))
}

/// The crate's, on this thread.
pub fn of_crate(folder: &Path, passes: usize) -> Result<Answer, Box<dyn Error>> {
    let Loaded { files, header, .. } = load(folder)?;
    let holds = |file: &Vec<u8>| {
        DetachedTimestampFile::from_reader(file.as_slice())
            .is_ok_and(|proof| reaches(&proof.timestamp.first_step, &header[ROOT]))
    };
    Ok(Answer::of((0..passes).flat_map(|_| &files).map(holds)))
}

fn reaches(step: &Step, root: &[u8]) -> bool {
    match &step.data {
        StepData::Attestation(Attestation::Bitcoin { .. }) => step.output == root,
        StepData::Attestation(_) => false,
        StepData::Fork | StepData::Op(_) => step.next.iter().any(|step| reaches(step, root)),
    }
}

struct Loaded {
    files: Vec<Vec<u8>>,
    header: Vec<u8>,
    height: String,
}

fn load(folder: &Path) -> io::Result<Loaded> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    paths.sort();
    let ends = |path: &&PathBuf, name: &str| path.extension().is_some_and(|extension| extension == name);
    let files = paths.iter().filter(|path| ends(path, "ots")).map(fs::read).collect::<io::Result<_>>()?;
    let header = paths.iter().find(|path| ends(path, "header")).ok_or(io::ErrorKind::NotFound)?;
    let height = header.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Loaded { files, header: fs::read(header)?, height })
}

struct Bench {
    files: Vec<(EvidenceId, Vec<u8>)>,
    headers: HeaderChain,
    policy: TrustPolicy,
}

impl Bench {
    fn of(Loaded { files, header, height }: Loaded) -> Result<Self, Box<dyn Error>> {
        let Decoded::Claim(claim, _) = evidence::headers::decode(&height, &header) else {
            return Err("no header".into());
        };
        let Claim::Headers(run) = *claim else { return Err("no header".into()) };
        let policy = TrustPolicy::orangecheck_2026_10();
        let id = RawEvidence::id_of(Media::Headers, &height, &header);
        let (headers, _, _) = HeaderChain::build(vec![(id, run)], &policy.headers);
        let files = files.into_iter().map(|file| (RawEvidence::id_of(Media::OtsProof, "", &file), file)).collect();
        Ok(Self { files, headers, policy })
    }

    fn holds(&self, (id, file): &(EvidenceId, Vec<u8>)) -> bool {
        let Decoded::Claim(claim, _) = evidence::ots::decode("", file) else { return false };
        let Claim::Ots(claim) = *claim else { return false };
        let verdict = judge(claim.about, &claim.proof, None, *id, &self.headers, &self.policy);
        verdict.fate == Fate::Accepted && !verdict.state.confirmed.is_empty()
    }
}
