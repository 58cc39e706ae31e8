//! DSSE envelopes (secure-systems-lab/dsse, protocol 1.0.2): bytes, what they are, and signatures over both.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::signature::SealTrust;
use crate::domain::{PublicKey32, Signature64};

/// What an in-toto statement is called in an envelope.
pub const IN_TOTO_PAYLOAD: &str = "application/vnd.in-toto+json";
/// Bytes of an envelope that are read: an event of 128 KiB, the most that relays of the field take, has to hold it.
pub const ENVELOPE_BYTES_MAX: usize = 96 * 1024;
/// Signatures of one envelope; each costs a verification under every trusted key.
const SIGNATURES_MAX: usize = 64;

/// Why bytes are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EnvelopeError(String);

/// Signed bytes. That a signature is listed says nothing until it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The bytes that the signatures are over, with their type.
    pub payload: Vec<u8>,
    signatures: Vec<Listed>,
}

/// One signature as it is listed. The key id is only a hint, and nobody signed it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    key_id: String,
    sig: Vec<u8>,
}

/// How one signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureStanding {
    /// It holds under a key that counts.
    Trusted(PublicKey32),
    /// It holds under the key that it names itself, which nobody vouched for.
    Unknown(PublicKey32),
    /// It does not hold under the key that it names.
    Broken(PublicKey32),
    /// It names no Ed25519 key, and holds under none that counts: somebody else's business.
    Foreign,
}

/// One signature and its standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedSignature {
    /// As listed: foreign text, still raw.
    pub key_id: String,
    /// What it is worth.
    pub standing: SignatureStanding,
}

// Members in the order of their names: what serde writes is canonical. Others are tolerated, as the protocol asks.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// The bytes that are signed: `DSSEv1 SP LEN(type) SP type SP LEN(body) SP body`.
pub fn pre_authentication(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len());
    [head.as_bytes(), body].concat()
}

impl Envelope {
    /// An envelope that nobody has signed yet.
    pub fn unsigned(payload_type: &str, payload: Vec<u8>) -> Self {
        Self { payload_type: payload_type.to_owned(), payload, signatures: Vec::new() }
    }

    /// Reads an envelope. Base64 of either alphabet, as the protocol demands of who verifies.
    ///
    /// # Errors
    /// [`EnvelopeError`] for what is none, is too large, or has no signature or too many.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let error = |what: String| Err(EnvelopeError(what));
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return error(format!("an envelope of more than {ENVELOPE_BYTES_MAX} bytes"));
        }
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| EnvelopeError(format!("no DSSE envelope: {error}")))?;
        if !(1..=SIGNATURES_MAX).contains(&document.signatures.len()) {
            return error(format!("an envelope has 1 to {SIGNATURES_MAX} signatures"));
        }
        let mut signatures = Vec::with_capacity(document.signatures.len());
        for entry in document.signatures {
            signatures.push(Listed { key_id: entry.keyid.unwrap_or_default(), sig: base64("sig", &entry.sig)? });
        }
        let payload = base64("payload", &document.payload)?;
        Ok(Self { payload_type: document.payload_type, payload, signatures })
    }

    /// The bytes that a signature is over.
    pub fn message(&self) -> Vec<u8> {
        pre_authentication(&self.payload_type, &self.payload)
    }

    /// True when a signature is listed that names this key.
    pub fn names(&self, key: &PublicKey32) -> bool {
        self.signatures.iter().any(|listed| named_key(&listed.key_id) == Some(*key))
    }

    /// Lists one more signature. The order of signing leaves no trace: the same signers give the same bytes.
    pub fn add(&mut self, key: &PublicKey32, sig: &Signature64) {
        self.signatures.push(Listed { key_id: key.to_string(), sig: sig.0.to_vec() });
        self.signatures.sort();
    }

    /// The file's bytes: canonical JSON with a trailing line feed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|listed| Entry {
            keyid: (!listed.key_id.is_empty()).then(|| listed.key_id.clone()),
            sig: STANDARD.encode(&listed.sig),
        });
        let document = Document {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: signatures.collect(),
        };
        let mut bytes = serde_json::to_vec(&document).expect("an envelope has only text keys");
        bytes.push(b'\n');
        bytes
    }

    /// Judges every signature. What a signature says of its key is a hint for which keys to try, and no more.
    pub fn judge(&self, trust: SealTrust<'_>) -> Vec<JudgedSignature> {
        let message = self.message();
        let none = BTreeSet::new();
        let keys = match trust {
            SealTrust::Keys(keys) => keys,
            SealTrust::Anyone => &none,
        };
        let judged = self.signatures.iter().map(|listed| {
            let named = named_key(&listed.key_id);
            let under = |key: &&PublicKey32| holds(&message, key, &listed.sig);
            let standing = match named {
                Some(key) if keys.contains(&key) && under(&&key) => SignatureStanding::Trusted(key),
                Some(key) if under(&&key) => SignatureStanding::Unknown(key),
                Some(key) => SignatureStanding::Broken(key),
                None => {
                    keys.iter().find(under).map_or(SignatureStanding::Foreign, |key| SignatureStanding::Trusted(*key))
                }
            };
            JudgedSignature { key_id: listed.key_id.clone(), standing }
        });
        judged.collect()
    }
}

fn base64(member: &str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    let read = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    read.map_err(|error| EnvelopeError(format!("{member} is not base64: {error}")))
}

/// The key that a key id is: ours are public keys in hex.
fn named_key(key_id: &str) -> Option<PublicKey32> {
    key_id.parse().ok()
}

/// Strict, as for every other seal: small-order keys and non-canonical scalars fail.
fn holds(message: &[u8], key: &PublicKey32, sig: &[u8]) -> bool {
    let Ok(sig) = Signature::from_slice(sig) else { return false };
    VerifyingKey::from_bytes(key.as_bytes()).is_ok_and(|key| key.verify_strict(message, &sig).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    fn pen(seed: u8) -> (SigningKey, PublicKey32) {
        let pen = SigningKey::from_bytes(&[seed; 32]);
        let key = PublicKey32::from_bytes(pen.verifying_key().to_bytes());
        (pen, key)
    }

    fn signed(seeds: &[u8]) -> Envelope {
        let mut envelope = Envelope::unsigned(IN_TOTO_PAYLOAD, b"{}".to_vec());
        for seed in seeds {
            let (pen, key) = pen(*seed);
            envelope.add(&key, &Signature64(pen.sign(&envelope.message()).to_bytes()));
        }
        envelope
    }

    fn standings(envelope: &Envelope, keys: &[PublicKey32]) -> Vec<SignatureStanding> {
        let keys = keys.iter().copied().collect();
        envelope.judge(SealTrust::of(&keys)).into_iter().map(|judged| judged.standing).collect()
    }

    // The test vector of the protocol's document, version 1.0.2.
    const PUBLISHED: &str = r#"{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}"#;

    #[test]
    fn what_is_signed_is_what_the_protocol_says() {
        let envelope = Envelope::from_bytes(PUBLISHED.as_bytes()).unwrap();
        assert_eq!(envelope.message(), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        // Lengths are of bytes, and an empty text has one too.
        assert_eq!(pre_authentication("", b""), ["DSSEv1", "0", "", "0", ""].join(" ").into_bytes());
        assert_eq!(pre_authentication("\u{e9}", b"\0"), b"DSSEv1 2 \xc3\xa9 1 \0");
        // A key of another kind is nobody's here, and breaks nothing.
        assert_eq!(standings(&envelope, &[pen(1).1]), [SignatureStanding::Foreign]);
    }

    #[test]
    fn a_signature_counts_for_a_key_that_was_given_and_for_no_other() {
        let (one, two, three) = (pen(1).1, pen(2).1, pen(3).1);
        let envelope = signed(&[1, 2]);
        let count = |keys: &[PublicKey32], wanted: fn(&SignatureStanding) -> bool| {
            standings(&envelope, keys).iter().filter(|one| wanted(one)).count()
        };
        let trusted = |standing: &SignatureStanding| matches!(standing, SignatureStanding::Trusted(_));
        let unknown = |standing: &SignatureStanding| matches!(standing, SignatureStanding::Unknown(_));
        assert_eq!((count(&[one, two], trusted), count(&[one], trusted), count(&[one], unknown)), (2, 1, 1));
        assert_eq!((count(&[three], trusted), count(&[], trusted), count(&[], unknown)), (0, 0, 2));
    }

    #[test]
    fn a_key_id_is_a_hint_and_a_wrong_one_helps_nobody() {
        let (one, two) = (pen(1).1, pen(2).1);
        let text = String::from_utf8(signed(&[1]).to_bytes()).unwrap();
        let named = format!(r#""keyid":"{one}","#);
        // Without a key id every key that counts is tried, and the key itself vouches for nothing.
        let anonymous = Envelope::from_bytes(text.replace(&named, "").as_bytes()).unwrap();
        assert_eq!(standings(&anonymous, &[two, one]), [SignatureStanding::Trusted(one)]);
        assert_eq!(standings(&anonymous, &[two]), [SignatureStanding::Foreign]);
        // Who names another's key has to hold under that one.
        let renamed = Envelope::from_bytes(text.replace(&one.to_string(), &two.to_string()).as_bytes()).unwrap();
        assert_eq!(standings(&renamed, &[one, two]), [SignatureStanding::Broken(two)]);
    }

    #[test]
    fn the_order_of_signing_leaves_no_trace_and_both_alphabets_are_read() {
        assert_eq!(signed(&[1, 2]).to_bytes(), signed(&[2, 1]).to_bytes());
        let envelope = signed(&[1]);
        let text = String::from_utf8(envelope.to_bytes()).unwrap();
        assert_eq!(Envelope::from_bytes(text.as_bytes()).unwrap(), envelope);
        let url_safe = text.replace('+', "-").replace("in-toto-json", "in-toto+json");
        let at = url_safe.find("\"sig\"").unwrap();
        let (head, sig) = url_safe.split_at(at);
        let url_safe = format!("{head}{}", sig.replace('/', "_"));
        assert_eq!(Envelope::from_bytes(url_safe.as_bytes()).unwrap(), envelope);
    }

    #[test]
    fn a_type_or_payload_that_was_changed_breaks_every_signature() {
        let (one, good) = (pen(1).1, signed(&[1]));
        let other_type = Envelope { payload_type: "application/json".to_owned(), ..good.clone() };
        let other_body = Envelope { payload: b"{ }".to_vec(), ..good.clone() };
        for bad in [other_type, other_body] {
            assert_eq!(standings(&bad, &[one]), [SignatureStanding::Broken(one)]);
        }
        assert_eq!(standings(&good, &[one]), [SignatureStanding::Trusted(one)]);
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let good = String::from_utf8(signed(&[1]).to_bytes()).unwrap();
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"payload":"","payloadType":"","signatures":[]}"#,
            r#"{"payload":"?","payloadType":"","signatures":[{"sig":""}]}"#,
            &good.replacen('{', r#"{"payload":"","#, 1),
            &format!("{good}{good}"),
            &format!("{}{good}", " ".repeat(ENVELOPE_BYTES_MAX)),
        ] {
            assert!(Envelope::from_bytes(bad.as_bytes()).is_err(), "{bad:.80}");
        }
        // Members that the protocol does not know are passed over.
        assert!(Envelope::from_bytes(good.replacen('{', r#"{"more":1,"#, 1).as_bytes()).is_ok());
    }
}
