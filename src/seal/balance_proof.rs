//! `reledger/balance-proof/1`: a proof about one user's balance as canonical JSON (docs/state-root.md, section 5).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{Digest32, SumClaim, SumFault, SumNode, SumPath, SumProof, SumRoot};

/// The schema name of a proof.
pub const BALANCE_PROOF_SCHEMA: &str = "reledger/balance-proof/1";
/// Bytes of a proof that are read: two paths of 64 siblings, and names as long as one record may be.
pub const BALANCE_PROOF_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Siblings of a path: a place has 64 bits.
const SIBLINGS_MAX: usize = 64;

/// Why bytes are no proof.
#[derive(Debug, Error)]
pub enum BalanceProofError {
    /// Not this schema, or not its members.
    #[error("it can't be read: {0}")]
    Unreadable(String),
    /// A sum that others may read in another way.
    #[error("a sum is not written as it has to be")]
    NotCanonical,
    /// The proof does not hold.
    #[error(transparent)]
    Fault(#[from] SumFault),
}

// Members in the order of their names: what serde writes is canonical.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    balance_sats: Option<String>,
    claim: Claim,
    count: u64,
    leaves: Vec<Leaf>,
    root: Digest32,
    schema: String,
    total_sats: String,
    user: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Claim {
    Inclusion,
    Absence,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    balance_sats: String,
    index: u64,
    path: Vec<Sibling>,
    user: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sibling {
    hash: Digest32,
    sum_sats: String,
}

/// The proof as canonical JSON without a line feed.
pub fn write_balance_proof(proof: &SumProof) -> Vec<u8> {
    let leaf = |leaf: &SumPath| Leaf {
        balance_sats: leaf.sats.to_string(),
        index: leaf.index,
        path: leaf.siblings.iter().map(|node| Sibling { hash: node.hash, sum_sats: node.sum.to_string() }).collect(),
        user: leaf.user.clone(),
    };
    let (claim, balance_sats) = match proof.claim {
        SumClaim::Included(sats) => (Claim::Inclusion, Some(sats.to_string())),
        SumClaim::Absent => (Claim::Absence, None),
    };
    let document = Document {
        balance_sats,
        claim,
        count: proof.root.count,
        leaves: proof.leaves.iter().map(leaf).collect(),
        root: proof.root.node.hash,
        schema: BALANCE_PROOF_SCHEMA.to_owned(),
        total_sats: proof.root.node.sum.to_string(),
        user: proof.user.clone(),
    };
    serde_json::to_vec(&document).expect("texts and integers always render as JSON")
}

/// Reads and checks a proof. White space, the order of members and escapes may be others than those that are written; a
/// member twice, one more, or another spelling of a sum is refused.
///
/// # Errors
/// [`BalanceProofError`] when it is none, or does not hold.
pub fn check_balance_proof(bytes: &[u8]) -> Result<SumProof, BalanceProofError> {
    if bytes.len() > BALANCE_PROOF_BYTES_MAX {
        return Err(unreadable("it is too long"));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| unreadable(&error.to_string()))?;
    let told = serde_json::to_vec(&document).map_err(|error| unreadable(&error.to_string()))?;
    let proof = read(document)?;
    if write_balance_proof(&proof) != told {
        return Err(BalanceProofError::NotCanonical);
    }
    proof.check()?;
    Ok(proof)
}

fn unreadable(what: &str) -> BalanceProofError {
    BalanceProofError::Unreadable(what.to_owned())
}

fn read(document: Document) -> Result<SumProof, BalanceProofError> {
    if document.schema != BALANCE_PROOF_SCHEMA {
        return Err(unreadable("it has another schema"));
    }
    let claim = match (document.claim, document.balance_sats) {
        (Claim::Inclusion, Some(sats)) => SumClaim::Included(integer(&sats)?),
        (Claim::Absence, None) => SumClaim::Absent,
        _ => return Err(unreadable("its claim and its balance do not fit")),
    };
    let leaf = |leaf: Leaf| {
        if leaf.path.len() > SIBLINGS_MAX {
            return Err(unreadable("a path is too long"));
        }
        let sibling = |one: Sibling| Ok(SumNode { hash: one.hash, sum: integer(&one.sum_sats)? });
        Ok(SumPath {
            index: leaf.index,
            user: leaf.user,
            sats: integer(&leaf.balance_sats)?,
            siblings: leaf.path.into_iter().map(sibling).collect::<Result<_, BalanceProofError>>()?,
        })
    };
    Ok(SumProof {
        root: SumRoot {
            node: SumNode { hash: document.root, sum: integer(&document.total_sats)? },
            count: document.count,
        },
        user: document.user,
        claim,
        leaves: document.leaves.into_iter().map(leaf).collect::<Result<_, _>>()?,
    })
}

/// Any spelling that Rust reads; that it is the canonical one is seen when the proof is written again.
fn integer(text: &str) -> Result<i128, BalanceProofError> {
    text.parse().map_err(|_| unreadable("a sum is not an integer of 128 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(user: &str) -> Vec<u8> {
        let users = [("a", 5_i128), ("b", 0), ("d", 7)];
        write_balance_proof(&SumProof::of(&users, user).unwrap())
    }

    #[test]
    fn what_is_written_is_read_again_and_has_its_members_in_order() {
        for user in ["a", "b", "c", "d", "e", ""] {
            let bytes = proof(user);
            let read = check_balance_proof(&bytes).unwrap();
            assert_eq!((read.user.as_str(), write_balance_proof(&read)), (user, bytes.clone()));
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(crate::report::canonical_json(&value), [bytes.as_slice(), b"\n"].concat());
        }
    }

    #[test]
    fn a_proof_that_was_laid_out_anew_is_the_same_proof() {
        let bytes = write_balance_proof(&SumProof::of(&[("a\u{202e}\"", 5_i128)], "a\u{202e}\"").unwrap());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let read = check_balance_proof(&bytes).unwrap();
        for other in [serde_json::to_vec_pretty(&value).unwrap(), crate::report::canonical_json(&value)] {
            assert_ne!(other, bytes);
            assert_eq!(check_balance_proof(&other).unwrap(), read);
        }
    }

    #[test]
    fn every_other_spelling_of_a_sum_and_every_other_member_is_refused() {
        let text = String::from_utf8(proof("a")).unwrap();
        assert!(check_balance_proof(text.as_bytes()).is_ok());
        for (from, to) in [
            (r#""total_sats":"12""#, r#""total_sats":"012""#),
            (r#""total_sats":"12""#, r#""total_sats":"+12""#),
            (r#""total_sats":"12""#, r#""total_sats":12"#),
            (r#""total_sats":"12""#, r#""total_sats":"12","total_sats":"12""#),
            (r#""sum_sats":"0""#, r#""sum_sats":"-0""#),
            (r#""count":3"#, r#""count":3.0"#),
            (r#""user":"a"}"#, r#""user":"a","x":1}"#),
            (r#""claim":"inclusion""#, r#""claim":"absence""#),
            ("balance-proof/1", "balance-proof/2"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text, "{from}");
            assert!(check_balance_proof(other.as_bytes()).is_err(), "{to}");
        }
        let deep = "[".repeat(100_000);
        for bytes in [&b""[..], b"{}", b"[]", b"\xff", deep.as_bytes()] {
            assert!(check_balance_proof(bytes).is_err());
        }
    }
}
