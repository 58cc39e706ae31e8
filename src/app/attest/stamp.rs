//! Stamping a file: its nonced digest goes to every calendar, what they promise becomes one proof beside it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::file::attestation_proof;
use crate::app::chain::offline;
use crate::app::error::AppError;
use crate::app::observer::Cancel;
use crate::app::plan::{Plan, config_error};
use crate::app::run::write_result;
use crate::app::sources::sockets;
use crate::domain::{Digest32, Sha256Stream, TrustPolicy, sha256};
use crate::evidence::ots::{Attestation, FileHash, Op, Proof, Step, Tree};
use crate::substrate::{Submission, stamp_nonce, submit_digest};
use crate::verify::ots::allowed_host;

/// Bytes of a file read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What one calendar made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedTo {
    /// Its address, as it was asked.
    pub calendar: String,
    /// Why it gave nothing that can be used; inert. `None` when it took the digest, or under a dry run was not asked.
    pub fault: Option<String>,
}

/// What stamping came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// sha256 of the file.
    pub digest: Digest32,
    /// Every calendar.
    pub submitted: Vec<SubmittedTo>,
    /// The proof, when one was written.
    pub written: Option<PathBuf>,
}

/// Submits the file's digest to every calendar of the plan, and writes the proof beside the file: one pending branch for each
/// that took it. What the calendars are given is sha256 of digest and nonce, as the reference client does it.
///
/// # Errors
/// [`AppError::Refused`] for a proof that is there already, without `yes`; [`AppError::Source`] when sockets are forbidden;
/// [`AppError::Config`] for a file that is not there, or no calendar; [`AppError::Io`].
pub fn stamp_file(
    file: &Path,
    plan: &Plan,
    (yes, dry_run, is_offline): (bool, bool, bool),
    cancel: &Cancel,
) -> Result<Stamped, AppError> {
    let digest = digest_of(file)?;
    let proof = attestation_proof(file);
    if proof.exists() && !yes {
        return Err(AppError::Refused {
            what: format!("{} is there already", proof.display()),
            hint: "`attest stamp --upgrade` completes it; --yes stamps anew and overwrites it".to_owned(),
        });
    }
    let calendars: Vec<String> = plan.calendars.values().cloned().collect();
    let Some(first) = calendars.first() else {
        return Err(config_error("no calendar is configured".to_owned(), "list some under `ots.calendars`"));
    };
    if dry_run {
        let submitted = calendars.into_iter().map(|calendar| SubmittedTo { calendar, fault: None }).collect();
        return Ok(Stamped { digest, submitted, written: None });
    }
    if is_offline {
        return Err(offline(first));
    }
    let nonce = stamp_nonce();
    let message = sha256(&[digest.as_bytes().as_slice(), &nonce].concat());
    let answers = submit_digest(&message, &calendars, sockets()?.handle())?;
    cancel.check()?;
    let (bytes, submitted) = assembled(&digest, &nonce, &answers, &plan.policy);
    if let Some(bytes) = &bytes {
        write_result(&proof, bytes)?;
    }
    Ok(Stamped { digest, submitted, written: bytes.map(|_| proof) })
}

fn digest_of(file: &Path) -> Result<Digest32, AppError> {
    let mut open = File::open(file).map_err(AppError::missing(file))?;
    let mut stream = Sha256Stream::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match open.read(&mut chunk).map_err(AppError::io("read", file))? {
            0 => return Ok(stream.finish()),
            count => stream.update(&chunk[..count]),
        }
    }
}

/// The proof out of every answer that is of use; `None` when none is.
fn assembled(
    digest: &Digest32,
    nonce: &[u8],
    answers: &[Submission],
    policy: &TrustPolicy,
) -> (Option<Vec<u8>>, Vec<SubmittedTo>) {
    let mut tree = Tree::detached(FileHash::Sha256, digest.as_bytes());
    let salted = tree.grow(0, Op::Append(nonce));
    let submitted_at = tree.grow(salted, Op::Sha256);
    let mut submitted = Vec::with_capacity(answers.len());
    let mut has_branch = false;
    for answer in answers {
        let useful = answer.answer.as_ref().map_err(Clone::clone).and_then(|bytes| promise(bytes, policy));
        if let Ok(reply) = &useful {
            tree.graft(submitted_at, reply);
            has_branch = true;
        }
        submitted.push(SubmittedTo { calendar: answer.calendar.clone(), fault: useful.err() });
    }
    let bytes = has_branch.then(|| tree.to_bytes());
    // What we would not read again, nobody else would.
    let bytes = bytes.filter(|bytes| Proof::parse(bytes).is_ok());
    if bytes.is_none() {
        for one in &mut submitted {
            one.fault.get_or_insert_with(|| "the proof would pass a limit".to_owned());
        }
    }
    (bytes, submitted)
}

/// A calendar's promise: a way to a commitment that a listed calendar can be asked for later.
fn promise<'a>(reply: &'a [u8], policy: &TrustPolicy) -> Result<Tree<'a>, String> {
    let proof = Proof::parse_reply(reply, 32).map_err(|refusal| format!("its answer is no proof: {refusal}"))?;
    let listed = |step: &Step<'_>| match step {
        Step::Attest(Attestation::Pending(uri)) => allowed_host(uri, policy).is_some(),
        _ => false,
    };
    if proof.steps().iter().any(listed) {
        Ok(Tree::of(&proof))
    } else {
        Err("its answer names no calendar of the list: nobody could complete it".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "https://alice.btc.calendar.opentimestamps.org";

    /// A timestamp that appends a byte and then waits for that calendar.
    fn reply(byte: u8, uri: &str) -> Vec<u8> {
        let length = u8::try_from(uri.len()).unwrap();
        [&[0xf0, 1, byte, 0x00, 0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e, length + 1, length], uri.as_bytes()]
            .concat()
    }

    #[test]
    fn another_reader_reads_the_proof_and_only_listed_calendars_have_a_branch_in_it() {
        let policy = TrustPolicy::orangecheck_2026_10();
        let submission = |calendar: &str, answer| Submission { calendar: calendar.to_owned(), answer };
        let bob = "https://bob.btc.calendar.opentimestamps.org";
        let answers = [
            submission("a", Ok(reply(1, ALICE))),
            submission("b", Ok(reply(2, bob))),
            submission("c", Ok(reply(3, "https://evil.example"))),
            submission("d", Ok(b"junk".to_vec())),
            submission("e", Err("HTTP status 500".to_owned())),
        ];
        let digest = sha256(b"file");
        let (bytes, submitted) = assembled(&digest, &[7; 16], &answers, &policy);
        let faults: Vec<bool> = submitted.iter().map(|one| one.fault.is_some()).collect();
        assert_eq!(faults, [false, false, true, true, true]);
        let bytes = bytes.unwrap();
        let read = opentimestamps::DetachedTimestampFile::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(read.timestamp.start_digest, digest.as_bytes());
        let text = read.to_string();
        assert!(text.contains(ALICE) && text.contains(bob) && !text.contains("evil"), "{text}");
        let mut written = Vec::new();
        read.to_writer(&mut written).unwrap();
        assert_eq!(written, bytes);
        assert_eq!(assembled(&digest, &[7; 16], &answers[2..], &policy).0, None);
    }
}
