//! What somebody signed about a divergence: that it is known and accepted until a day, or that this no longer holds
//! (docs/acknowledgements.md).

use std::collections::BTreeMap;
use std::fmt;

use super::code::{Code, Severity};
use super::digest::{Digest32, sha256};
use super::id::{HexError, PublicKey32};
use super::time::UnixSeconds;

/// The tag under which an acknowledgement is signed; also its `schema`.
pub const ACKNOWLEDGEMENT_SCHEMA: &str = "reledger/acknowledgement/1";
/// The tag under which a withdrawal is signed; also its `schema`.
pub const WITHDRAWAL_SCHEMA: &str = "reledger/acknowledgement-withdrawal/1";
/// No acknowledgement holds for longer than this, counted from its own date and from the as-of: a year, a leap year too.
pub const ACKNOWLEDGEMENT_SECONDS_MAX: i64 = 366 * 86_400;

/// One divergence is accepted as it stands: with these values, no graver than this, until then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Its fingerprint.
    pub fingerprint: Digest32,
    /// Its code.
    pub code: Code,
    /// Its severity when this was signed.
    pub severity: Severity,
    /// Digest of what was expected and observed then ([`super::Divergence::values_sha256`]).
    pub values_sha256: Digest32,
    /// Why it is accepted. Foreign text.
    pub reason: String,
    /// Who accepts it, in their own words; the key is what counts. Foreign text.
    pub by: String,
    /// When it was signed, by the signer's clock.
    pub issued_at: UnixSeconds,
    /// From this instant on it counts for nothing.
    pub expires_at: UnixSeconds,
}

/// An acknowledgement counts no longer, whatever the instant judged for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// The acknowledgement's id ([`Statement::id`]).
    pub acknowledgement: Digest32,
    /// Why. Foreign text.
    pub reason: String,
    /// Who. Foreign text.
    pub by: String,
    /// When it was signed, by the signer's clock.
    pub issued_at: UnixSeconds,
}

/// What can be signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(tag = "schema")]
pub enum Statement {
    /// A divergence is accepted.
    #[serde(rename = "reledger/acknowledgement/1")]
    Acknowledgement(Acknowledgement),
    /// It no longer is.
    #[serde(rename = "reledger/acknowledgement-withdrawal/1")]
    Withdrawal(Withdrawal),
}

impl Statement {
    /// The tag of its kind.
    pub const fn schema(&self) -> &'static str {
        match self {
            Self::Acknowledgement(_) => ACKNOWLEDGEMENT_SCHEMA,
            Self::Withdrawal(_) => WITHDRAWAL_SCHEMA,
        }
    }

    /// When it was signed, by the signer's clock.
    pub const fn issued_at(&self) -> UnixSeconds {
        match self {
            Self::Acknowledgement(acknowledgement) => acknowledgement.issued_at,
            Self::Withdrawal(withdrawal) => withdrawal.issued_at,
        }
    }

    /// Why, in the signer's words. Foreign text.
    pub fn reason(&self) -> &str {
        match self {
            Self::Acknowledgement(acknowledgement) => &acknowledgement.reason,
            Self::Withdrawal(withdrawal) => &withdrawal.reason,
        }
    }

    /// Who, in their own words. Foreign text.
    pub fn by(&self) -> &str {
        match self {
            Self::Acknowledgement(acknowledgement) => &acknowledgement.by,
            Self::Withdrawal(withdrawal) => &withdrawal.by,
        }
    }

    /// The canonical bytes: JSON as RFC 8785 has it, of texts and integers only.
    pub fn canonical(&self) -> Vec<u8> {
        let value = serde_json::to_value(self).expect("texts and integers become JSON");
        let members: BTreeMap<&String, &serde_json::Value> = value.as_object().into_iter().flatten().collect();
        serde_json::to_vec(&members).expect("texts and integers become JSON")
    }

    /// sha256 of the canonical bytes: the same whoever signs it.
    pub fn id(&self) -> Digest32 {
        sha256(&self.canonical())
    }

    /// What is signed: the tag and the canonical bytes, each after its length as eight bytes, big-endian.
    pub fn message(&self) -> Vec<u8> {
        let body = self.canonical();
        let mut out = Vec::new();
        for field in [self.schema().as_bytes(), &body] {
            // A slice's length always fits 64 bits.
            out.extend((field.len() as u64).to_be_bytes());
            out.extend(field);
        }
        out
    }
}

/// An Ed25519 signature, written as 128 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature64(pub [u8; 64]);

impl fmt::Debug for Signature64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&faster_hex::hex_string(&self.0))
    }
}

impl std::str::FromStr for Signature64 {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        super::id::decode_hex(text).map(Self)
    }
}

impl serde::Serialize for Signature64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&faster_hex::hex_string(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Signature64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A statement with the key and signature that came with it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// What is signed.
    pub body: Statement,
    /// The Ed25519 key that it says it is signed with.
    pub key_id: PublicKey32,
    /// The signature over [`Statement::message`].
    pub sig: Signature64,
}

impl SignedStatement {
    /// One line of a register, with its line feed.
    pub fn to_line(&self) -> String {
        let value = serde_json::to_value(self).expect("texts and integers become JSON");
        format!("{value}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn statement() -> Statement {
        let digest = Digest32::from_hex(HEX).unwrap();
        Statement::Acknowledgement(Acknowledgement {
            fingerprint: digest,
            code: Code::SetMissing,
            severity: Severity::Error,
            values_sha256: digest,
            reason: "a \"late\" payout\n".to_owned(),
            by: "ops".to_owned(),
            issued_at: UnixSeconds(5),
            expires_at: UnixSeconds(-7),
        })
    }

    #[test]
    fn canonical_bytes_are_those_of_the_document() {
        // docs/acknowledgements.md: members by name, no white space, RFC 8785.
        let expected = format!(
            r#"{{"by":"ops","code":"SET_MISSING","expires_at":-7,"fingerprint":"{HEX}","issued_at":5,"reason":"a \"late\" payout\n","schema":"reledger/acknowledgement/1","severity":"error","values_sha256":"{HEX}"}}"#
        );
        assert_eq!(String::from_utf8(statement().canonical()).unwrap(), expected);
        assert_eq!(statement().id(), sha256(expected.as_bytes()));
        let message = statement().message();
        assert_eq!(&message[..34], b"\0\0\0\0\0\0\0\x1areledger/acknowledgement/1");
        assert_eq!(message[34..42], (expected.len() as u64).to_be_bytes());
        assert_eq!(&message[42..], expected.as_bytes());
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_nothing_else_is() {
        let signed = SignedStatement {
            body: statement(),
            key_id: HEX.parse().unwrap(),
            sig: format!("{HEX}{HEX}").parse().unwrap(),
        };
        let line = signed.to_line();
        assert_eq!(serde_json::from_str::<SignedStatement>(&line).unwrap(), signed);
        let edits = [
            ("\"by\":\"ops\",", ""),
            ("\"by\":\"ops\",", "\"by\":\"ops\",\"by\":\"ops\","),
            ("\"by\":\"ops\",", "\"by\":\"ops\",\"x\":1,"),
            ("\"issued_at\":5", "\"issued_at\":5.0"),
            ("acknowledgement/1", "acknowledgement/2"),
            ("SET_MISSING", "SET_MISLAID"),
            ("{\"body\"", "{\"x\":1,\"body\""),
            ("\"sig\":\"00", "\"sig\":\""),
        ];
        for (from, to) in edits {
            assert!(line.contains(from), "{from}");
            let edited = line.replacen(from, to, 1);
            assert!(serde_json::from_str::<SignedStatement>(&edited).is_err(), "{from} -> {to}");
        }
    }
}
