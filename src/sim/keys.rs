//! Keys of the world and what they sign: Ed25519 (envelopes, settlements), BIP-340 (Nostr), BIP-322 (attestations).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bitcoin::absolute::LockTime;
use bitcoin::bech32::{Bech32, Hrp};
use bitcoin::hashes::Hash as _;
use bitcoin::key::{CompressedPublicKey, Keypair, TapTweak as _, XOnlyPublicKey};
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, KnownHrp, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use super::json::{Object, array};
use crate::domain::{TaggedHasher, sha256};

/// Derives the world's secrets. They guard nothing: anyone who knows the seed knows them.
pub(super) struct KeyMaker {
    seed: u64,
    pub(super) secp: Secp256k1<All>,
}

impl KeyMaker {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, secp: Secp256k1::new() }
    }

    /// 32 secret bytes of that label.
    fn secret(&self, label: &str) -> [u8; 32] {
        let mut hasher = TaggedHasher::new("reledger.sim.secret");
        hasher.field(&self.seed.to_be_bytes()).field(label.as_bytes());
        hasher.finish().0
    }

    /// The Ed25519 key of that label.
    pub(super) fn ed25519(&self, label: &str) -> Ed25519Key {
        Ed25519Key { kid: label.to_owned(), key: SigningKey::from_bytes(&self.secret(label)) }
    }

    /// The secp256k1 key of that label.
    pub(super) fn keypair(&self, label: &str) -> Keypair {
        let mut secret = self.secret(label);
        loop {
            // One digest in 2^128 is no valid scalar; then the next one is taken.
            if let Ok(key) = SecretKey::from_slice(&secret) {
                return Keypair::from_secret_key(&self.secp, &key);
            }
            secret = sha256(&secret).0;
        }
    }
}

/// An Ed25519 key with the name it is published under.
pub(super) struct Ed25519Key {
    pub(super) kid: String,
    key: SigningKey,
}

impl Ed25519Key {
    /// The signature as 128 hex digits.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        faster_hex::hex_string(&self.key.sign(bytes).to_bytes())
    }

    /// The public key's bytes.
    pub(super) fn public_bytes(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The public key as 64 hex digits.
    pub(super) fn public_hex(&self) -> String {
        faster_hex::hex_string(self.key.verifying_key().as_bytes())
    }

    /// The public key as a JSON Web Key (RFC 8037).
    fn jwk(&self) -> String {
        Object::new()
            .text("kty", "OKP")
            .text("crv", "Ed25519")
            .text("x", URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes()))
            .text("kid", &self.kid)
            .text("alg", "EdDSA")
            .text("use", "sig")
            .compact()
    }
}

/// A JSON Web Key Set (RFC 7517).
pub(super) fn key_set(keys: &[&Ed25519Key]) -> String {
    Object::new().raw("keys", array(keys.iter().map(|key| key.jwk()))).compact()
}

/// The x-only public key as 64 hex digits.
pub(super) fn x_only_hex(pair: &Keypair) -> String {
    faster_hex::hex_string(&pair.x_only_public_key().0.serialize())
}

/// The compressed public key as 66 hex digits.
pub(super) fn compressed_hex(pair: &Keypair) -> String {
    faster_hex::hex_string(&pair.public_key().serialize())
}

/// BIP-340 signature over a 32-byte digest, without auxiliary randomness, as 128 hex digits.
pub(super) fn schnorr_hex(secp: &Secp256k1<All>, pair: &Keypair, digest: [u8; 32]) -> String {
    let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(digest), pair);
    faster_hex::hex_string(&signature.serialize())
}

/// The NIP-19 text of a public key.
pub(super) fn npub(pair: &Keypair) -> String {
    let key = pair.x_only_public_key().0.serialize();
    let human = Hrp::parse_unchecked("npub");
    bitcoin::bech32::encode::<Bech32>(human, &key).expect("32 bytes fit a bech32 string")
}

/// A single-key Bitcoin address and the key behind it.
#[derive(Debug, Clone)]
pub(super) struct Wallet {
    pair: Keypair,
    pub(super) address: String,
    script: ScriptBuf,
    is_taproot: bool,
}

impl Wallet {
    /// A native P2WPKH wallet.
    pub(super) fn segwit(pair: Keypair) -> Self {
        let address = Address::p2wpkh(&CompressedPublicKey(pair.public_key()), KnownHrp::Mainnet);
        Self { pair, address: address.to_string(), script: address.script_pubkey(), is_taproot: false }
    }

    /// A P2TR wallet without a script tree.
    pub(super) fn taproot(secp: &Secp256k1<All>, pair: Keypair) -> Self {
        let internal: XOnlyPublicKey = pair.x_only_public_key().0;
        let address = Address::p2tr(secp, internal, None, KnownHrp::Mainnet);
        Self { pair, address: address.to_string(), script: address.script_pubkey(), is_taproot: true }
    }

    /// A BIP-322 "simple" signature without prefix: base64 of the witness stack of `to_sign` (FORMATS 7.3).
    pub(super) fn sign_message(&self, secp: &Secp256k1<All>, message: &str) -> String {
        let to_spend = to_spend(message, &self.script);
        let to_sign = to_sign(&to_spend);
        let witness =
            if self.is_taproot { self.key_path(secp, &to_spend, &to_sign) } else { self.segwit_v0(secp, &to_sign) };
        STANDARD.encode(bitcoin::consensus::serialize(&witness))
    }

    fn segwit_v0(&self, secp: &Secp256k1<All>, to_sign: &Transaction) -> Witness {
        let digest = SighashCache::new(to_sign)
            .p2wpkh_signature_hash(0, &self.script, Amount::ZERO, EcdsaSighashType::All)
            .expect("to_sign has input 0 and the script is a P2WPKH program");
        let message = Message::from_digest(digest.to_byte_array());
        let signature = bitcoin::ecdsa::Signature {
            signature: secp.sign_ecdsa(&message, &self.pair.secret_key()),
            sighash_type: EcdsaSighashType::All,
        };
        Witness::p2wpkh(&signature, &self.pair.public_key())
    }

    fn key_path(&self, secp: &Secp256k1<All>, to_spend: &Transaction, to_sign: &Transaction) -> Witness {
        let digest = SighashCache::new(to_sign)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&to_spend.output), TapSighashType::Default)
            .expect("to_sign has one input and to_spend its one output");
        let tweaked = self.pair.tap_tweak(secp, None).to_keypair();
        let message = Message::from_digest(digest.to_byte_array());
        let signature = bitcoin::taproot::Signature {
            signature: secp.sign_schnorr_no_aux_rand(&message, &tweaked),
            sighash_type: TapSighashType::Default,
        };
        Witness::p2tr_key_spend(&signature)
    }
}

/// BIP-322: the virtual transaction that commits to the message.
fn to_spend(message: &str, script: &ScriptBuf) -> Transaction {
    let tag = Sha256::digest(b"BIP0322-signed-message");
    let mut hasher = Sha256::new();
    hasher.update(tag);
    hasher.update(tag);
    hasher.update(message.as_bytes());
    let mut script_sig = vec![0x00, 0x20];
    script_sig.extend_from_slice(&hasher.finalize());
    transaction(OutPoint { txid: Txid::all_zeros(), vout: u32::MAX }, ScriptBuf::from_bytes(script_sig), script.clone())
}

/// BIP-322: the virtual transaction whose witness is the signature.
fn to_sign(to_spend: &Transaction) -> Transaction {
    let previous = OutPoint { txid: to_spend.compute_txid(), vout: 0 };
    transaction(previous, ScriptBuf::new(), ScriptBuf::from_bytes(vec![0x6a]))
}

fn transaction(previous_output: OutPoint, script_sig: ScriptBuf, script_pubkey: ScriptBuf) -> Transaction {
    Transaction {
        version: Version(0),
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output, script_sig, sequence: Sequence::ZERO, witness: Witness::new() }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_bip322_signature_is_reproduced() {
        // BIP-322 test vectors: P2WPKH, message "Hello World". ECDSA signers may grind, so only the judge's answer counts
        // here; the transaction hashes below are the vector's own.
        let key = bitcoin::PrivateKey::from_wif("L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k").unwrap();
        let secp = Secp256k1::new();
        let wallet = Wallet::segwit(Keypair::from_secret_key(&secp, &key.inner));
        assert_eq!(wallet.address, "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l");
        let spend = to_spend("Hello World", &wallet.script);
        assert_eq!(
            spend.compute_txid().to_string(),
            "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b"
        );
        assert_eq!(
            to_sign(&spend).compute_txid().to_string(),
            "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf"
        );
        for message in ["", "Hello World"] {
            for wallet in [wallet.clone(), Wallet::taproot(&secp, Keypair::from_secret_key(&secp, &key.inner))] {
                let text = wallet.sign_message(&secp, message);
                let judged = bip322::verify_simple_encoded(&wallet.address, message, &text);
                assert!(judged.is_ok(), "{message} {}: {judged:?}", wallet.address);
                assert!(bip322::verify_simple_encoded(&wallet.address, "another", &text).is_err());
            }
        }
    }

    #[test]
    fn a_public_key_has_its_nip19_text() {
        // bv03 of the binding vectors: npub and key are one.
        let decoded =
            bitcoin::bech32::decode("npub1gcnhnt2245u4z3s5w5d8zzzl9ugwr3a9j0jwqv80kku8y889tv9sg89jj8").unwrap();
        assert_eq!(
            faster_hex::hex_string(&decoded.1),
            "462779ad4aad39514614751a71085f2f10e1c7a593e4e030efb5b8721ce55b0b"
        );
        let pair = KeyMaker::new(1).keypair("nostr");
        assert_eq!(faster_hex::hex_string(&bitcoin::bech32::decode(&npub(&pair)).unwrap().1), x_only_hex(&pair));
    }
}
