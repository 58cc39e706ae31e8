//! What stands in a proof: its operations as a tree, as `ots info` prints it.

use std::path::PathBuf;

use super::file::{FileFault, ProofFile, hash_name, hex, proof_files, start};
use crate::app::AppError;
use crate::domain::{MerkleRootHash, UnixSeconds};
use crate::evidence::ots::{Attestation, Op, Proof, Tree, TreeNode};
use crate::verify::ots::{messages, submitted_at};

/// What one file holds.
#[derive(Debug, Clone)]
pub struct ProofInfo {
    /// The file, as named.
    pub file: String,
    /// `detached` or `bare`.
    pub form: &'static str,
    /// `sha1`, `ripemd160` or `sha256`; none for a bare proof.
    pub hash: Option<&'static str>,
    /// The digest that it starts from, in hex; none for a bare proof whose file name has no digest.
    pub digest: Option<String>,
    /// The tree in the reference's order.
    pub lines: Vec<TreeLine>,
    /// Why there is no tree.
    pub fault: Option<FileFault>,
}

/// One operation or attestation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// Forks above it.
    pub depth: usize,
    /// It begins one branch of a fork.
    pub branch: bool,
    /// `append`, `sha256`, `bitcoin`, `pending`, `unknown` and so on.
    pub what: &'static str,
    /// The operation's argument in hex, the block's height, the calendar's address (foreign text, still raw), or the
    /// notary's tag in hex.
    pub detail: String,
    /// The message that the operation makes, or that is attested: hex, when the start is known. A block's Merkle root is
    /// written as explorers do.
    pub message: Option<String>,
    /// When a pending commitment was submitted.
    pub submitted: Option<UnixSeconds>,
}

/// Reads the files; nothing is judged.
///
/// # Errors
/// [`AppError::Config`] for a path that is not there; [`AppError::Io`].
pub fn proof_info(files: &[PathBuf]) -> Result<Vec<ProofInfo>, AppError> {
    Ok(proof_files(files)?.iter().map(info).collect())
}

fn info(file: &ProofFile) -> ProofInfo {
    let name = file.name();
    match file.parse() {
        Ok(proof) => {
            let start = start(&proof, None, file);
            ProofInfo {
                file: name,
                form: if hash_name(proof.root()).is_some() { "detached" } else { "bare" },
                hash: hash_name(proof.root()),
                lines: lines(&proof, start.as_deref()),
                digest: start.map(|start| hex(&start)),
                fault: None,
            }
        }
        Err(fault) => ProofInfo {
            file: name,
            form: "unreadable",
            hash: None,
            digest: None,
            lines: Vec::new(),
            fault: Some(fault),
        },
    }
}

/// The tree, attestations of a message before its operations.
fn lines(proof: &Proof<'_>, start: Option<&[u8]>) -> Vec<TreeLine> {
    let tree = Tree::of(proof);
    let messages = start.map(|start| messages(&tree, start));
    let message = |at: usize| messages.as_ref().and_then(|messages| messages.get(at)).map(Vec::as_slice);
    let mut lines = Vec::new();
    // Nodes still to be told, the next one last: forks above, and whether it begins a branch.
    let mut open = vec![(0, 0_usize, false)];
    while let Some((at, depth, branch)) = open.pop() {
        let node = &tree.nodes()[at];
        if let Some((_, op)) = node.parent() {
            lines.push(operation(op, depth, branch, message(at)));
        }
        // A branch's own line stands at the fork, what follows it one step further in.
        let inner = depth + usize::from(branch);
        lines.extend(node.attestations().map(|attestation| attested(attestation, inner, message(at))));
        let forks = is_fork(node);
        open.extend(node.children().rev().map(|child| (child, inner, forks)));
    }
    lines
}

fn is_fork(node: &TreeNode<'_>) -> bool {
    node.children().count() > 1
}

fn operation(op: Op<'_>, depth: usize, branch: bool, result: Option<&[u8]>) -> TreeLine {
    let (what, argument) = match op {
        Op::Sha1 => ("sha1", &[][..]),
        Op::Ripemd160 => ("ripemd160", &[][..]),
        Op::Sha256 => ("sha256", &[][..]),
        Op::Keccak256 => ("keccak256", &[][..]),
        Op::Append(more) => ("append", more),
        Op::Prepend(more) => ("prepend", more),
        Op::Reverse => ("reverse", &[][..]),
        Op::Hexlify => ("hexlify", &[][..]),
    };
    TreeLine { depth, branch, what, detail: hex(argument), message: result.map(hex), submitted: None }
}

fn attested(attestation: Attestation<'_>, depth: usize, message: Option<&[u8]>) -> TreeLine {
    let line = |what, detail, message| TreeLine { depth, branch: false, what, detail, message, submitted: None };
    match attestation {
        Attestation::Bitcoin(height) => {
            let root = message.map(|bytes| match <[u8; 32]>::try_from(bytes) {
                Ok(root) => MerkleRootHash(root).to_string(),
                Err(_) => hex(bytes),
            });
            line("bitcoin", height.to_string(), root)
        }
        Attestation::Pending(uri) => {
            TreeLine { submitted: message.and_then(submitted_at), ..line("pending", uri.to_owned(), message.map(hex)) }
        }
        Attestation::Unknown { tag, .. } => line("unknown", hex(&tag), message.map(hex)),
    }
}
