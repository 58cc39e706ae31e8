//! BIP-322 message signatures: the pinned `bip322` crate behind the rules of OTS 5.
//!
//! The crate answers whether a witness satisfies a script. What counts as an answer is decided here: only a signature that
//! is valid now (lock time 0, age 0), on the expected network, in one exact encoding, by a form that this module names.

mod one_key;

use std::str::FromStr as _;

use ::bip322::Verification;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitcoin::absolute::LockTime;
use bitcoin::sign_message::MessageSignature;
use bitcoin::{Address, AddressType, Network, Sequence, Transaction, Witness, consensus};

use crate::evidence::limits::TEXT_FIELD_BYTES_MAX;

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bip322Failure {
    /// It was interpreted, and it does not sign this message for this address.
    Invalid,
    /// A script or signature type that is not covered (FORMATS 7.3): neither accepted nor disproved.
    UnsupportedScript,
    /// Address or signature text cannot be decoded, or the decoded bytes are not the one encoding of what they say.
    Decode,
    /// The address belongs to another network than the message names.
    Network,
    /// Valid only at another time or age, or a proof of funds, whose outputs cannot be looked up here.
    Inconclusive,
}

impl Bip322Failure {
    /// The status code of FORMATS 7.4, or a name in its style where that list has none.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Invalid => "sig_invalid",
            Self::UnsupportedScript => "sig_unsupported_script",
            Self::Decode => "decode_error",
            Self::Network => "network_mismatch",
            Self::Inconclusive => "sig_inconclusive",
        }
    }
}

/// A signature after its text encoding: which form of BIP-322 the bytes are in.
enum Encoded {
    /// A witness stack.
    Simple(Vec<u8>),
    /// The whole `to_sign` transaction.
    Full(Vec<u8>),
    /// A 65-byte recoverable "Bitcoin Signed Message".
    Legacy([u8; 65]),
}

/// Judges a signature over exactly these message bytes, whatever script of the crate's repertoire the address has.
///
/// `network_ext` is the message's own `network:` extension; without one only mainnet counts. ASCII whitespace around the
/// signature text is ignored.
///
/// # Errors
/// [`Bip322Failure`] when the signature does not count.
pub fn verify(address: &str, message: &[u8], signature: &str, network_ext: Option<&str>) -> Result<(), Bip322Failure> {
    let address = parse_address(address, network_ext)?;
    match decode_signature(signature, &address)? {
        Encoded::Simple(bytes) => verify_simple(&address, message, &bytes),
        Encoded::Full(bytes) => verify_full(&address, message, &bytes),
        Encoded::Legacy(bytes) => verify_legacy(&address, message, &bytes),
    }
}

/// As [`verify`], for the scripts that the operator's formats allow: P2WPKH, P2TR by key path, P2PKH (FORMATS 7.3).
///
/// # Errors
/// [`Bip322Failure::UnsupportedScript`] for every other address; else as [`verify`].
pub fn verify_single_key(
    address: &str,
    message: &[u8],
    signature: &str,
    network_ext: Option<&str>,
) -> Result<(), Bip322Failure> {
    match parse_address(address, network_ext)?.address_type() {
        Some(AddressType::P2wpkh | AddressType::P2tr | AddressType::P2pkh) => {
            verify(address, message, signature, network_ext)
        }
        _ => Err(Bip322Failure::UnsupportedScript),
    }
}

/// As [`verify_single_key`], held to the declared scheme: `legacy` is a recoverable signature for P2PKH and nothing else.
///
/// # Errors
/// [`Bip322Failure::UnsupportedScript`] for `legacy` with another address; [`Bip322Failure::Decode`] for `legacy` with
/// another form of signature; else as [`verify_single_key`].
pub fn verify_by_scheme(
    scheme: &str,
    address: &str,
    message: &[u8],
    signature: &str,
    network_ext: Option<&str>,
) -> Result<(), Bip322Failure> {
    if scheme == "legacy" {
        let parsed = parse_address(address, network_ext)?;
        if parsed.address_type() != Some(AddressType::P2pkh) {
            return Err(Bip322Failure::UnsupportedScript);
        }
        if !matches!(decode_signature(signature, &parsed)?, Encoded::Legacy(_)) {
            return Err(Bip322Failure::Decode);
        }
    }
    verify_single_key(address, message, signature, network_ext)
}

/// True for an address of mainnet, of any script, in its one canonical spelling. Bech32 also has an all-capitals form, in
/// which one guardian could stand twice in a descriptor.
pub fn is_mainnet_address(address: &str) -> bool {
    parse_address(address, None).is_ok_and(|parsed| parsed.to_string() == address)
}

/// As [`is_mainnet_address`], for the scripts that one key can sign for: P2WPKH, P2TR, P2PKH (FORMATS 8.3).
pub fn is_single_key_address(address: &str) -> bool {
    let single = |parsed: Address| {
        matches!(parsed.address_type(), Some(AddressType::P2wpkh | AddressType::P2tr | AddressType::P2pkh))
    };
    is_mainnet_address(address) && parse_address(address, None).is_ok_and(single)
}

/// The crate takes any network's address for granted, and one key's `tb1` form verifies like its `bc1` form.
fn parse_address(text: &str, network_ext: Option<&str>) -> Result<Address, Bip322Failure> {
    let network = match network_ext {
        None | Some("mainnet") => Network::Bitcoin,
        Some("testnet") => Network::Testnet,
        Some("signet") => Network::Signet,
        Some(_) => return Err(Bip322Failure::Network),
    };
    let address = Address::from_str(text).map_err(|_| Bip322Failure::Decode)?;
    address.require_network(network).map_err(|_| Bip322Failure::Network)
}

/// Chooses the form: by prefix; else 65 bytes are a recoverable signature; else simple, as BIP-322 2.0 allows.
fn decode_signature(signature: &str, address: &Address) -> Result<Encoded, Bip322Failure> {
    let text = signature.trim_ascii();
    if text.len() > TEXT_FIELD_BYTES_MAX {
        return Err(Bip322Failure::Decode);
    }
    if text.starts_with("pof") {
        return Err(Bip322Failure::Inconclusive);
    }
    if let Some(rest) = text.strip_prefix("ful") {
        return decode_text(rest).map(Encoded::Full);
    }
    if let Some(rest) = text.strip_prefix("smp") {
        return decode_text(rest).map(Encoded::Simple);
    }
    let bytes = decode_text(text)?;
    match (<[u8; 65]>::try_from(bytes.as_slice()), address.address_type()) {
        (Ok(recoverable), Some(AddressType::P2pkh)) => Ok(Encoded::Legacy(recoverable)),
        // BIP-137 gives these headers to segwit addresses too; no rule of ours reads them there.
        (Ok(recoverable), _) if (27..=42).contains(&recoverable[0]) => Err(Bip322Failure::UnsupportedScript),
        _ => Ok(Encoded::Simple(bytes)),
    }
}

/// Padded base64; the operator's SDK also takes plain hex, and no real signature's base64 has only hex digits.
fn decode_text(text: &str) -> Result<Vec<u8>, Bip322Failure> {
    if !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        let mut bytes = vec![0; text.len() / 2];
        faster_hex::hex_decode(text.as_bytes(), &mut bytes).map_err(|_| Bip322Failure::Decode)?;
        return Ok(bytes);
    }
    STANDARD.decode(text).map_err(|_| Bip322Failure::Decode)
}

fn verify_simple(address: &Address, message: &[u8], bytes: &[u8]) -> Result<(), Bip322Failure> {
    match address.address_type() {
        Some(AddressType::P2pkh) => return Err(Bip322Failure::Invalid),
        Some(AddressType::P2wpkh | AddressType::P2wsh | AddressType::P2tr) => {}
        _ => return Err(Bip322Failure::UnsupportedScript),
    }
    // A stack of more than 252 items would let five bytes ask the decoder for megabytes.
    if bytes.first().is_none_or(|count| *count >= 0xfd) {
        return Err(Bip322Failure::Decode);
    }
    let witness: Witness = consensus::deserialize(bytes).map_err(|_| Bip322Failure::Decode)?;
    // Without this the crate, which stops reading after the stack, accepts any bytes behind it.
    if consensus::serialize(&witness) != bytes {
        return Err(Bip322Failure::Decode);
    }
    check_key_path(address, &witness)?;
    if one_key::holds(&address.script_pubkey(), message, &witness) {
        return Ok(());
    }
    conclude(address, &::bip322::verify_simple(address, message, witness))
}

fn verify_full(address: &Address, message: &[u8], bytes: &[u8]) -> Result<(), Bip322Failure> {
    let to_sign: Transaction = consensus::deserialize(bytes).map_err(|_| Bip322Failure::Decode)?;
    if consensus::serialize(&to_sign) != bytes {
        return Err(Bip322Failure::Decode);
    }
    if let Some(input) = to_sign.input.first() {
        check_key_path(address, &input.witness)?;
    }
    conclude(address, &::bip322::verify_full(address, message, to_sign))
}

fn verify_legacy(address: &Address, message: &[u8], bytes: &[u8; 65]) -> Result<(), Bip322Failure> {
    // 35..=42 are BIP-137 headers of segwit addresses.
    if !(27..=34).contains(&bytes[0]) {
        return Err(Bip322Failure::Invalid);
    }
    let message = std::str::from_utf8(message).map_err(|_| Bip322Failure::Decode)?;
    let signature = MessageSignature::from_slice(bytes).map_err(|_| Bip322Failure::Invalid)?;
    ::bip322::verify_legacy(address, message, signature).map_err(|_| Bip322Failure::Invalid)
}

/// What the crate reads too generously for taproot: a 65-byte signature with hash type 0 is invalid by BIP-341, and a
/// second item makes it a script path or an annex.
fn check_key_path(address: &Address, witness: &Witness) -> Result<(), Bip322Failure> {
    if address.address_type() != Some(AddressType::P2tr) {
        return Ok(());
    }
    if witness.len() > 1 {
        return Err(Bip322Failure::UnsupportedScript);
    }
    match witness.nth(0) {
        Some([.., 0]) if witness.nth(0).is_some_and(|item| item.len() == 65) => Err(Bip322Failure::Invalid),
        _ => Ok(()),
    }
}

/// Only "valid at time 0 and age 0" is success; `Ok(Inconclusive)` is not.
fn conclude(address: &Address, answer: &Result<Verification, ::bip322::Error>) -> Result<(), Bip322Failure> {
    match answer {
        Ok(Verification::Valid { time: LockTime::ZERO, age: Sequence::ZERO }) => Ok(()),
        Ok(Verification::Valid { .. } | Verification::Inconclusive) => Err(Bip322Failure::Inconclusive),
        Err(::bip322::Error::UnsupportedAddress { .. }) => Err(Bip322Failure::UnsupportedScript),
        // The crate reads only multisig inside P2WSH and reports every other script like this.
        Err(::bip322::Error::InvalidWitness) if address.address_type() == Some(AddressType::P2wsh) => {
            Err(Bip322Failure::UnsupportedScript)
        }
        Err(_) => Err(Bip322Failure::Invalid),
    }
}
