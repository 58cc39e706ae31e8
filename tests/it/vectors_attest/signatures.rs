//! BIP-322 vectors: official, generated, forged, and a real signature flipped bit by bit.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reledger::domain::{PublicKey32, sha256};
use reledger::verify::bip322::{self, Bip322Failure};
use serde_json::Value;

use super::{fixture, text};

fn check(address: &str, message: &str, signature: &str) -> Result<(), Bip322Failure> {
    bip322::verify(address, message.as_bytes(), signature, None)
}

fn signatures(case: &Value) -> Vec<&str> {
    case["bip322_signatures"].as_array().unwrap().iter().map(|signature| signature.as_str().unwrap()).collect()
}

#[test]
fn official_basic_signatures_verify() {
    let vectors = fixture("ots/bip322/bip-0322-basic-test-vectors.json");
    let mut checked = 0;
    for case in vectors["simple"].as_array().unwrap() {
        for signature in signatures(case) {
            assert_eq!(check(text(case, "/address"), text(case, "/message"), signature), Ok(()), "{signature}");
            checked += 1;
        }
    }
    assert_eq!(checked, 6);
}

#[test]
fn official_transaction_hashes_are_reached() {
    let vectors = fixture("ots/bip322/bip-0322-basic-test-vectors.json");
    let cases = vectors["tx_hashes"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let address = bitcoin::Address::from_str(text(case, "/address")).unwrap().assume_checked();
        let message = text(case, "/message");
        let hash = ::bip322::tagged_hash(::bip322::BIP322_TAG, message);
        assert_eq!(PublicKey32::from_bytes(hash).to_string(), text(case, "/message_hash"));
        let to_spend = ::bip322::create_to_spend(&address, message).unwrap();
        assert_eq!(to_spend.compute_txid().to_string(), text(case, "/to_spend_tx_hash"));
        let to_sign = ::bip322::create_to_sign(&to_spend, None, ::bip322::LockParams::default()).unwrap();
        assert_eq!(to_sign.unsigned_tx.compute_txid().to_string(), text(case, "/to_sign_tx_hash"));
    }
}

#[test]
fn official_error_cases_are_all_refused() {
    for (file, expected) in [("basic", 8), ("generated", 28)] {
        let vectors = fixture(&format!("ots/bip322/bip-0322-{file}-test-vectors.json"));
        let cases = vectors["error"].as_array().unwrap();
        assert_eq!(cases.len(), expected);
        for case in cases {
            let answer = check(text(case, "/address"), text(case, "/message"), text(case, "/signature"));
            assert!(answer.is_err(), "{}", case["description"]);
        }
    }
}

#[test]
fn generated_signatures_verify_where_they_are_valid_now() {
    let vectors = fixture("ots/bip322/bip-0322-generated-test-vectors.json");
    let answers = |form: &str| -> Vec<(String, Result<(), Bip322Failure>)> {
        let cases = vectors[form].as_array().unwrap().iter();
        cases
            .flat_map(|case| signatures(case).into_iter().map(move |signature| (case, signature)))
            .map(|(case, signature)| {
                let answer = check(text(case, "/address"), text(case, "/message"), signature);
                (text(case, "/type").to_owned(), answer)
            })
            .collect()
    };
    let simple = answers("simple");
    assert_eq!(simple.len(), 4);
    assert!(simple.iter().all(|(_, answer)| answer.is_ok()), "{simple:?}");
    // Every full vector is locked to height 2016 and age 2016: valid then, inconclusive now.
    let full = answers("full");
    assert_eq!(full.len(), 10);
    for (kind, answer) in full {
        let expected =
            if kind.ends_with("time-lock") { Bip322Failure::UnsupportedScript } else { Bip322Failure::Inconclusive };
        assert_eq!(answer, Err(expected), "{kind}");
    }
    let funds = answers("proof_of_funds");
    assert_eq!(funds.len(), 3);
    assert!(funds.iter().all(|(_, answer)| *answer == Err(Bip322Failure::Inconclusive)), "{funds:?}");
}

#[test]
fn a_witness_under_another_key_is_refused() {
    let vectors = fixture("ots/bip322/forged-key-mismatch.json");
    let cases = vectors.as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let answer = check(text(case, "/address"), text(case, "/message"), text(case, "/signature"));
        assert!(answer.is_err(), "{}", case["description"]);
    }
    // The first is for a script that is covered, so it is refused for its key and not for its script.
    let p2wpkh = &cases[0];
    let answer = check(text(p2wpkh, "/address"), text(p2wpkh, "/message"), text(p2wpkh, "/signature"));
    assert_eq!(answer, Err(Bip322Failure::Invalid));
}

#[test]
fn no_single_flipped_bit_of_a_real_signature_survives() {
    let vector = fixture("ots/bip322/orangecheck-real-vector.json");
    let (address, message) = (text(&vector, "/address"), text(&vector, "/message"));
    assert_eq!(sha256(message.as_bytes()).to_hex(), text(&vector, "/sha256_message"));
    assert_eq!(check(address, message, text(&vector, "/signature")), Ok(()));
    let witness = STANDARD.decode(text(&vector, "/signature")).unwrap();
    let mut refused = 0;
    for bit in 0..witness.len() * 8 {
        let mut flipped = witness.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check(address, message, &STANDARD.encode(&flipped)).is_err(), "bit {bit}");
        refused += 1;
    }
    assert_eq!(refused, 528);
    assert_eq!(check(address, message.trim_end(), text(&vector, "/signature")), Err(Bip322Failure::Invalid));
    let crlf = message.replace('\n', "\r\n");
    assert_eq!(check(address, &crlf, text(&vector, "/signature")), Err(Bip322Failure::Invalid));
}

#[test]
fn one_signature_has_one_encoding_apart_from_white_space_around_it() {
    let vector = fixture("ots/bip322/orangecheck-real-vector.json");
    let (address, message, signature) =
        (text(&vector, "/address"), text(&vector, "/message"), text(&vector, "/signature"));
    let witness = STANDARD.decode(signature).unwrap();
    assert_eq!(check(address, message, &format!(" {signature}\n")), Ok(()));
    assert_eq!(check(address, message, &format!("smp{signature}")), Ok(()));
    let hex = witness.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(check(address, message, &hex), Ok(()));
    let mut trailing = witness.clone();
    trailing.push(0);
    let mut zero_hash_type = witness.clone();
    zero_hash_type[1] = 65;
    zero_hash_type.push(0);
    let (first, second) = signature.split_at(20);
    for (text, expected) in [
        (STANDARD.encode(&trailing), Bip322Failure::Decode),
        (STANDARD.encode([&[0xfd, 1, 0], &witness[1..]].concat()), Bip322Failure::Decode),
        (STANDARD.encode(&zero_hash_type), Bip322Failure::Invalid),
        (STANDARD.encode([&[2], &witness[1..], &[0]].concat()), Bip322Failure::UnsupportedScript),
        (format!("{first}\n{second}"), Bip322Failure::Decode),
        (format!("ful{signature}"), Bip322Failure::Decode),
        (format!("pof{signature}"), Bip322Failure::Inconclusive),
        (signature.trim_end_matches('B').to_owned(), Bip322Failure::Decode),
        ("/gAJPQA=".to_owned(), Bip322Failure::Decode),
        ("A".repeat(8_192), Bip322Failure::Decode),
        (String::new(), Bip322Failure::Decode),
    ] {
        assert_eq!(check(address, message, &text), Err(expected), "{text}");
    }
}

#[test]
fn an_address_of_another_network_is_refused() {
    let vector = fixture("vectors/oc-attest/tv21.json");
    let (message, signature) = (text(&vector, "/input/message"), text(&vector, "/input/signature"));
    let mainnet = text(&vector, "/input/address");
    let script = bitcoin::Address::from_str(mainnet).unwrap().assume_checked().script_pubkey();
    let testnet = bitcoin::Address::from_script(&script, bitcoin::Network::Testnet).unwrap().to_string();
    let verify = |address: &str, network| bip322::verify(address, message.as_bytes(), signature, network);
    assert_eq!(verify(mainnet, None), Ok(()));
    assert_eq!(verify(mainnet, Some("mainnet")), Ok(()));
    assert_eq!(verify(&testnet, Some("testnet")), Ok(()));
    assert_eq!(verify(&testnet, Some("signet")), Ok(()));
    assert_eq!(verify(&testnet, None), Err(Bip322Failure::Network));
    assert_eq!(verify(mainnet, Some("testnet")), Err(Bip322Failure::Network));
    assert_eq!(verify(mainnet, Some("moonnet")), Err(Bip322Failure::Network));
    assert_eq!(verify("bc1qnothing", None), Err(Bip322Failure::Decode));
}

#[test]
fn a_recoverable_signature_counts_for_p2pkh_only() {
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let secret = bitcoin::secp256k1::SecretKey::from_slice(&[0x11; 32]).unwrap();
    let key = bitcoin::PrivateKey::new(secret, bitcoin::Network::Bitcoin);
    let address = bitcoin::Address::p2pkh(key.public_key(&secp), bitcoin::Network::Bitcoin).to_string();
    let signature = ::bip322::sign_legacy_encoded(&address, "hello", &key.to_wif()).unwrap();
    let scheme = |scheme: &str, address: &str, message: &str, signature: &str| {
        bip322::verify_by_scheme(scheme, address, message.as_bytes(), signature, None)
    };
    assert_eq!(scheme("legacy", &address, "hello", &signature), Ok(()));
    assert_eq!(scheme("legacy", &address, "hullo", &signature), Err(Bip322Failure::Invalid));
    let hash = bitcoin::CompressedPublicKey::try_from(key.public_key(&secp)).unwrap();
    let segwit = bitcoin::Address::p2wpkh(&hash, bitcoin::Network::Bitcoin).to_string();
    assert_eq!(scheme("legacy", &segwit, "hello", &signature), Err(Bip322Failure::UnsupportedScript));
    assert_eq!(scheme("bip322", &segwit, "hello", &signature), Err(Bip322Failure::UnsupportedScript));
    // 35..=42 are headers that BIP-137 gives to segwit addresses: the key recovers, the header does not fit P2PKH.
    let mut bytes = STANDARD.decode(&signature).unwrap();
    bytes[0] += 4;
    assert_eq!(scheme("legacy", &address, "hello", &STANDARD.encode(&bytes)), Err(Bip322Failure::Invalid));
    // A transaction-based signature is not what `legacy` names.
    let parsed = bitcoin::Address::from_str(&address).unwrap().assume_checked();
    let full = ::bip322::sign_full(&parsed, "hello", &[key], None, ::bip322::LockParams::default()).unwrap();
    let full = format!("ful{}", STANDARD.encode(bitcoin::consensus::serialize(&full)));
    assert_eq!(scheme("legacy", &address, "hello", &full), Err(Bip322Failure::Decode));
    assert_eq!(scheme("bip322", &address, "hello", &full), Ok(()));
    assert_eq!(check(&address, "hello", &format!("smp{signature}")), Err(Bip322Failure::Invalid));
}
