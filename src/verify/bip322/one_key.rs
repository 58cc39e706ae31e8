//! The simple form by one key, P2WPKH and P2TR by key path, over one shared context: what nearly every signature is.
//!
//! It only says yes. Whatever it does not accept is for the pinned crate to judge, so that no refusal rests on this file.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash as _, HashEngine as _};
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytes};
use bitcoin::secp256k1::{Message, PublicKey, XOnlyPublicKey, ecdsa, schnorr};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WPubkeyHash, Witness};

use crate::verify::nostr::context;

/// SIGHASH_ALL, as it stands behind a signature.
const ALL: u8 = 1;

/// True when the witness signs the message for that output script, in the form that needs no interpretation: P2WPKH with one
/// low-S signature of type ALL by a compressed key, or P2TR with one signature of the default type or of type ALL.
pub(super) fn holds(script: &ScriptBuf, message: &[u8], witness: &Witness) -> bool {
    if script.is_p2wpkh() && witness.len() == 2 {
        by_p2wpkh(script, message, witness).is_some()
    } else if script.is_p2tr() && witness.len() == 1 {
        by_p2tr(script, message, witness).is_some()
    } else {
        false
    }
}

fn by_p2wpkh(script: &ScriptBuf, message: &[u8], witness: &Witness) -> Option<()> {
    let (signature, key) = (witness.nth(0)?, witness.nth(1).filter(|key| key.len() == 33)?);
    if script.as_bytes().get(2..)? != WPubkeyHash::hash(key).as_byte_array() {
        return None;
    }
    let (kind, der) = signature.split_last()?;
    let signature = ecdsa::Signature::from_der(der).ok().filter(|_| *kind == ALL)?;
    let key = PublicKey::from_slice(key).ok()?;
    let to_sign = to_sign(to_spend(script.clone(), message));
    let mut cache = SighashCache::new(&to_sign);
    let digest = cache.p2wpkh_signature_hash(0, script, Amount::ZERO, EcdsaSighashType::All).ok()?;
    // The library refuses a high S by itself.
    context().verify_ecdsa(&Message::from_digest(digest.to_byte_array()), &signature, &key).ok()
}

fn by_p2tr(script: &ScriptBuf, message: &[u8], witness: &Witness) -> Option<()> {
    let (signature, kind) = match witness.nth(0)? {
        item if item.len() == 64 => (item, TapSighashType::Default),
        [signature @ .., ALL] if signature.len() == 64 => (signature, TapSighashType::All),
        _ => return None,
    };
    let signature = schnorr::Signature::from_slice(signature).ok()?;
    let key = XOnlyPublicKey::from_slice(script.as_bytes().get(2..)?).ok()?;
    let to_sign = to_sign(to_spend(script.clone(), message));
    let spent = [TxOut { value: Amount::ZERO, script_pubkey: script.clone() }];
    let mut cache = SighashCache::new(&to_sign);
    let digest = cache.taproot_key_spend_signature_hash(0, &Prevouts::All(&spent), kind).ok()?;
    context().verify_schnorr(&signature, &Message::from_digest(digest.to_byte_array()), &key).ok()
}

/// The id of the transaction that is signed for (BIP-0322, "Full").
fn to_spend(script: ScriptBuf, message: &[u8]) -> Txid {
    let digest = message_hash(message);
    let script_sig = Builder::new().push_int(0).push_slice::<&PushBytes>((&digest).into()).into_script();
    let input =
        TxIn { previous_output: OutPoint::null(), script_sig, sequence: Sequence::ZERO, witness: Witness::new() };
    transaction(input, script).compute_txid()
}

fn to_sign(spent: Txid) -> Transaction {
    let previous_output = OutPoint { txid: spent, vout: 0 };
    let input = TxIn { previous_output, sequence: Sequence::ZERO, ..TxIn::default() };
    transaction(input, Builder::new().push_opcode(OP_RETURN).into_script())
}

fn transaction(input: TxIn, script_pubkey: ScriptBuf) -> Transaction {
    let output = vec![TxOut { value: Amount::ZERO, script_pubkey }];
    Transaction { version: Version(0), lock_time: LockTime::ZERO, input: vec![input], output }
}

/// The tagged hash of BIP-0340 under the tag of BIP-0322.
fn message_hash(message: &[u8]) -> [u8; 32] {
    let tag = bitcoin::hashes::sha256::Hash::hash(b"BIP0322-signed-message");
    let mut engine = bitcoin::hashes::sha256::Hash::engine();
    for part in [tag.as_byte_array().as_slice(), tag.as_byte_array(), message] {
        engine.input(part);
    }
    bitcoin::hashes::sha256::Hash::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use bitcoin::{Address, CompressedPublicKey, KnownHrp, PrivateKey, consensus};

    use super::*;

    /// One key's addresses of both kinds, and what the pinned crate signs for them.
    fn signed(message: &str) -> Vec<(Address, Vec<u8>)> {
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let key = PrivateKey::from_wif("L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k").unwrap();
        let public = key.public_key(&secp);
        let wpkh = Address::p2wpkh(&CompressedPublicKey(public.inner), KnownHrp::Mainnet);
        let tr = Address::p2tr(&secp, public.inner.x_only_public_key().0, None, KnownHrp::Mainnet);
        let sign = |address: Address| {
            let text = ::bip322::sign_simple_encoded(&address.to_string(), message, &[key.to_wif()], None).unwrap();
            let text = text.strip_prefix("smp").unwrap_or(&text).to_owned();
            (address, base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap())
        };
        [wpkh, tr].map(sign).into()
    }

    fn ours(address: &Address, message: &str, witness: &Witness) -> bool {
        holds(&address.script_pubkey(), message.as_bytes(), witness)
    }

    fn theirs(address: &Address, message: &str, witness: &Witness) -> bool {
        ::bip322::verify_simple(address, message, witness.clone()).is_ok()
    }

    #[test]
    fn it_accepts_what_the_crate_signs_and_no_other_message_or_address() {
        let both = signed("a message");
        for (at, (address, bytes)) in both.iter().enumerate() {
            let witness: Witness = consensus::deserialize(bytes).unwrap();
            assert!(ours(address, "a message", &witness));
            assert!(!ours(address, "a message\n", &witness));
            assert!(!ours(&both[1 - at].0, "a message", &witness));
        }
    }

    #[test]
    fn the_vector_of_the_bip_holds() {
        // BIP-0322, "Simple", message "Hello World".
        let address = Address::from_str("bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l").unwrap().assume_checked();
        let text = "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=";
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
        let witness: Witness = consensus::deserialize(&bytes).unwrap();
        assert!(ours(&address, "Hello World", &witness));
        assert!(!ours(&address, "", &witness));
    }

    #[test]
    fn every_flipped_bit_is_answered_as_the_crate_answers_it() {
        let mut asked = 0;
        for (address, bytes) in signed("bits") {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let Ok(witness) = consensus::deserialize::<Witness>(&flipped) else { continue };
                asked += 1;
                assert_eq!(ours(&address, "bits", &witness), theirs(&address, "bits", &witness), "bit {bit}");
            }
        }
        assert!(asked > 500, "{asked}");
    }
}
