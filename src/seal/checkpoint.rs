//! Writing checkpoints: body, signed message, line (docs/checkpoint.md, sections 1 to 3).

use super::signature::tagged;
use crate::domain::{Digest32, PublicKey32, Signature64, UnixSeconds};
use crate::evidence::checkpoint::CHECKPOINT_SCHEMA;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointBody {
    /// Place in the chain, from 0.
    pub seq: u64,
    /// The first number that it adds.
    pub from: u64,
    /// The number after the last one that it adds; the tree has as many leaves.
    pub until: u64,
    /// Root over everything admitted below `until`.
    pub root: Digest32,
    /// State root of the ledgers at `as_of`.
    pub state_root: Digest32,
    /// The instant that the state was rebuilt for.
    pub as_of: UnixSeconds,
    /// sha256 of the body before this one.
    pub previous: Option<Digest32>,
}

impl CheckpointBody {
    /// The bytes that are signed and hashed: canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { seq, from, until, root, state_root, as_of, previous } = self;
        let previous = previous.map_or_else(|| "null".to_owned(), |digest| format!("\"{digest}\""));
        // Numbers, digits and names of our own: nothing here needs an escape.
        format!(
            "{{\"as_of\":{},\"previous_checkpoint_sha256\":{previous},\"range\":{{\"from\":{from},\"until\":{until}}},\
             \"root\":\"{root}\",\"schema\":\"{CHECKPOINT_SCHEMA}\",\"seq\":{seq},\"state_root\":\"{state_root}\",\
             \"tree_size\":{until}}}",
            as_of.0
        )
        .into_bytes()
    }

    /// What the key signs.
    pub fn message(&self) -> Vec<u8> {
        tagged(CHECKPOINT_SCHEMA, &self.to_bytes())
    }
}

/// The line of a body, without a line feed.
pub fn checkpoint_line(body: &CheckpointBody, key: &PublicKey32, sig: &Signature64) -> Vec<u8> {
    let body = body.to_bytes();
    let mut line = b"{\"body\":".to_vec();
    line.extend(body);
    line.extend(format!(",\"key_id\":\"{key}\",\"sig\":\"{}\"}}", faster_hex::hex_string(&sig.0)).into_bytes());
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sha256;
    use crate::evidence::checkpoint::CheckpointClaim;

    #[test]
    fn what_is_written_is_what_the_reader_of_the_format_reads() {
        for previous in [None, Some(sha256(b"before"))] {
            let body = CheckpointBody {
                seq: 3,
                from: 5,
                until: u64::MAX,
                root: sha256(b"root"),
                state_root: sha256(b"state"),
                as_of: UnixSeconds(-7),
                previous,
            };
            let key = PublicKey32::from_bytes([7; 32]);
            let line = checkpoint_line(&body, &key, &Signature64([0x0f; 64]));
            let claim = CheckpointClaim::parse(&line).unwrap();
            assert_eq!((claim.seq, claim.from, claim.until, claim.tree_size), (3, 5, u64::MAX, u64::MAX));
            assert_eq!((claim.root, claim.state_root, claim.as_of), (body.root, body.state_root, body.as_of));
            assert_eq!((claim.previous, claim.key, claim.sig), (previous, key, [0x0f; 64]));
            assert_eq!(claim.body, body.to_bytes());
        }
    }
}
