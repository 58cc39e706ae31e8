//! Merkle roots in the style of RFC 6962. Specified in `docs/state-root.md`, section 2.

use super::digest::{Digest32, Sha256Stream, sha256};

/// Incremental Merkle tree: keeps one hash per level, so a root over any number of leaves costs O(log n) memory.
///
/// leaf = sha256(0x00 || bytes), node = sha256(0x01 || left || right); an odd node is promoted unchanged, which for an
/// append-only tree is the shape of RFC 6962, section 2.1. The empty tree's root is sha256 of nothing.
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    /// (size of the perfect subtree, its root), sizes strictly falling.
    peaks: Vec<(u64, [u8; 32])>,
    count: u64,
}

impl MerkleTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Appends a leaf by its hash.
    pub fn push_hash(&mut self, leaf: Digest32) {
        let (mut size, mut hash) = (1, leaf.0);
        while let Some((peak_size, peak)) = self.peaks.pop_if(|(peak_size, _)| *peak_size == size) {
            hash = node(&peak, &hash);
            size = peak_size * 2;
        }
        self.peaks.push((size, hash));
        self.count += 1;
    }

    /// How many leaves were pushed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Digest32 {
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = peaks.next() else {
            return sha256(&[]);
        };
        Digest32(peaks.fold(last, |right, left| node(&left, &right)))
    }
}

/// sha256(0x00 || bytes).
pub fn leaf_hash(leaf: &[u8]) -> Digest32 {
    let mut hasher = Sha256Stream::default();
    hasher.update(&[0x00]);
    hasher.update(leaf);
    hasher.finish()
}

/// sha256(0x01 || left || right).
pub(super) fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256Stream::default();
    hasher.update(&[0x01]);
    hasher.update(left);
    hasher.update(right);
    hasher.finish().0
}

/// The root over the leaves in the given order. Of an aligned part of a list it is the node that stands over that part.
pub fn merkle_root<I, L>(leaves: I) -> Digest32
where
    I: IntoIterator<Item = L>,
    L: AsRef<[u8]>,
{
    let mut tree = MerkleTree::new();
    for leaf in leaves {
        tree.push(leaf.as_ref());
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6962 test vectors of the certificate-transparency project: leaves and roots of the 8-leaf tree.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [(usize, &str); 5] = [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];

    #[test]
    fn roots_agree_with_the_certificate_transparency_vectors() {
        for (count, root) in ROOTS {
            let leaves = LEAVES.iter().take(count).map(|hex| {
                let mut bytes = vec![0; hex.len() / 2];
                faster_hex::hex_decode(hex.as_bytes(), &mut bytes).unwrap();
                bytes
            });
            assert_eq!(merkle_root(leaves).to_hex(), root, "{count} leaves");
        }
        let none: [&[u8]; 0] = [];
        assert_eq!(merkle_root(none).to_hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
