//! Signatures, good and wrong on purpose, and a source of chance that a seed repeats.

use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey};
use curve25519_dalek::Scalar as EdScalar;
use curve25519_dalek::edwards::EdwardsPoint;
use ed25519_dalek::{Signature, VerifyingKey};
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{FieldBytes, ProjectivePoint, Scalar, U256};
use sha2::{Digest, Sha512};

use crate::domain::sha256;
use crate::verify::batch::{Ed25519Check, SchnorrCheck};
use crate::verify::nostr::bip340_holds;

/// A 64-bit xorshift generator: the same seed, the same campaign.
pub(in crate::verify) struct Chance(u64);

impl Chance {
    pub(in crate::verify) fn new(seed: u64) -> Self {
        let digest = sha256(&seed.to_be_bytes()).0;
        Self(digest[..8].iter().fold(1, |sum, byte| sum << 8 | u64::from(*byte)) | 1)
    }

    pub(in crate::verify) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }

    pub(in crate::verify) fn bytes(&mut self) -> [u8; 32] {
        sha256(&self.below(usize::MAX).to_be_bytes()).0
    }
}

/// Batches are as large as can be on one core: however many this machine has, the same is tested.
pub(in crate::verify) fn on_one_core<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work)
}

/// An Ed25519 signature with a message of its own.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Owned {
    pub(in crate::verify) key: [u8; 32],
    pub(in crate::verify) message: Vec<u8>,
    pub(in crate::verify) signature: [u8; 64],
}

impl Owned {
    pub(in crate::verify) fn check(&self) -> Ed25519Check<'_> {
        Ed25519Check { key: self.key, message: &self.message, signature: self.signature }
    }

    pub(in crate::verify) fn single(&self) -> bool {
        VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(&self.message, &Signature::from_bytes(&self.signature)).is_ok())
    }
}

pub(in crate::verify) fn single(item: &SchnorrCheck) -> bool {
    bip340_holds(&item.key, &item.message, &item.signature)
}

pub(in crate::verify) fn joined(left: &[u8], right: &[u8]) -> [u8; 64] {
    [left, right].concat().try_into().unwrap()
}

/// Good signatures by some authors in turn.
pub(in crate::verify) fn schnorr_pool(count: usize, authors: usize, chance: &mut Chance) -> Vec<SchnorrCheck> {
    let secp = Secp256k1::new();
    let keys: Vec<Keypair> = (0..authors)
        .map(|_| Keypair::from_secret_key(&secp, &SecretKey::from_slice(&chance.bytes()).unwrap()))
        .collect();
    (0..count)
        .map(|at| {
            let (key, message) = (&keys[at % authors], chance.bytes());
            let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(message), key).serialize();
            SchnorrCheck { key: key.x_only_public_key().0.serialize(), message, signature }
        })
        .collect()
}

/// A signature whose nonce or key has the ordinate that BIP-340 does not mean: good where neither is turned round.
pub(in crate::verify) fn schnorr_turned(turn_key: bool, turn_nonce: bool, chance: &mut Chance) -> SchnorrCheck {
    let even = |scalar: Scalar| {
        let point = (ProjectivePoint::GENERATOR * scalar).to_affine().to_encoded_point(false);
        let is_even = point.y().unwrap()[31] & 1 == 0;
        (if is_even { scalar } else { -scalar }, *point.x().unwrap())
    };
    let reduced = |bytes: [u8; 32]| <Scalar as Reduce<U256>>::reduce_bytes(&bytes.into());
    let (secret, key) = even(reduced(chance.bytes()));
    let (nonce, r) = even(reduced(chance.bytes()));
    let message = chance.bytes();
    let tag = sha256(b"BIP0340/challenge").0;
    let challenge = reduced(sha256(&[&tag[..], &tag, &r, &key, &message].concat()).0);
    let signed = |scalar: Scalar, turn: bool| if turn { -scalar } else { scalar };
    let s = signed(nonce, turn_nonce) + challenge * signed(secret, turn_key);
    SchnorrCheck { key: key.into(), message, signature: joined(&r, &s.to_repr()) }
}

/// Both with the same error, once up and once down: their equations fail alone and hold together.
pub(in crate::verify) fn cancelling(left: &mut SchnorrCheck, right: &mut SchnorrCheck, error: u64) {
    for (item, error) in [(left, Scalar::from(error)), (right, -Scalar::from(error))] {
        let s = Scalar::from_repr(*FieldBytes::from_slice(&item.signature[32..])).unwrap() + error;
        item.signature[32..].copy_from_slice(&s.to_repr());
    }
}

/// The same for Ed25519.
pub(in crate::verify) fn ed25519_cancelling(left: &mut Owned, right: &mut Owned, error: u64) {
    for (item, error) in [(left, EdScalar::from(error)), (right, -EdScalar::from(error))] {
        let s = EdScalar::from_bytes_mod_order(item.signature[32..].try_into().unwrap()) + error;
        item.signature[32..].copy_from_slice(s.as_bytes());
    }
}

/// A signature made as it should be, but with something added to the key and to the nonce.
pub(in crate::verify) fn ed25519_signed(
    key_part: EdwardsPoint,
    nonce_part: EdwardsPoint,
    chance: &mut Chance,
) -> Owned {
    let scalar = |bytes: [u8; 32]| EdScalar::from_bytes_mod_order(bytes);
    let (secret, nonce) = (scalar(chance.bytes()), scalar(chance.bytes()));
    let message = chance.bytes()[..chance.below(32)].to_vec();
    let key = (EdwardsPoint::mul_base(&secret) + key_part).compress().0;
    let r = (EdwardsPoint::mul_base(&nonce) + nonce_part).compress().0;
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(&message).finalize();
    let s = nonce + EdScalar::from_bytes_mod_order_wide(&hash.into()) * secret;
    Owned { key, message, signature: joined(&r, s.as_bytes()) }
}

/// Good Ed25519 signatures by some signers in turn.
pub(in crate::verify) fn ed25519_pool(count: usize, signers: usize, chance: &mut Chance) -> Vec<Owned> {
    use ed25519_dalek::{Signer as _, SigningKey};
    let keys: Vec<SigningKey> = (0..signers).map(|_| SigningKey::from_bytes(&chance.bytes())).collect();
    (0..count)
        .map(|at| {
            let (key, message) = (&keys[at % signers], chance.bytes()[..chance.below(33)].to_vec());
            let signature = key.sign(&message).to_bytes();
            Owned { key: key.verifying_key().to_bytes(), message, signature }
        })
        .collect()
}
