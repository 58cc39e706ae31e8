//! One line of a checkpoint chain (docs/checkpoint.md).

use super::json::{self, Json};
use super::limits::CHECKPOINT_BYTES_MAX;
use super::record::Refusal;
use super::sealed::{exact_members, lower_digest, signature_of, whole_number};
use super::{Claim, Decoded};
use crate::domain::{Digest32, Media, PublicKey32, UnixSeconds};

/// `schema` of a checkpoint's body; also the tag under which the body is signed.
pub const CHECKPOINT_SCHEMA: &str = "reledger/checkpoint/1";

/// The body's members in canonical order.
const BODY_MEMBERS: [&str; 8] =
    ["as_of", "previous_checkpoint_sha256", "range", "root", "schema", "seq", "state_root", "tree_size"];

/// A checkpoint as received. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointClaim {
    /// Place in the chain, from 0.
    pub seq: u64,
    /// First admitted sequence number that this checkpoint adds.
    pub from: u64,
    /// The number after the last one that it adds.
    pub until: u64,
    /// Leaves below `root`.
    pub tree_size: u64,
    /// RFC 6962 root over everything admitted so far, in order of admission.
    pub root: Digest32,
    /// State root of the ledgers at `as_of` (docs/state-root.md).
    pub state_root: Digest32,
    /// The instant that the state was rebuilt for.
    pub as_of: UnixSeconds,
    /// sha256 of the predecessor's body; `None` in the first checkpoint.
    pub previous: Option<Digest32>,
    /// The body's bytes as transported, which are canonical: what is signed and hashed.
    pub body: Vec<u8>,
    /// `key_id`: the Ed25519 key that the line says it is signed with.
    pub key: PublicKey32,
    /// The signature.
    pub sig: [u8; 64],
}

/// Decodes one line. Strict: no member more or less than specified, digests in lower case, the body canonical.
pub fn decode(bytes: &[u8]) -> Decoded {
    match line(bytes) {
        Ok(claim) => Decoded::Claim(Box::new(Claim::Checkpoint(Box::new(claim))), Vec::new()),
        Err(refusal) => refusal.answer(Media::Checkpoint, bytes),
    }
}

impl CheckpointClaim {
    /// Reads one line, as [`decode`] does.
    ///
    /// # Errors
    /// What is wrong, in words. They may hold foreign text, still raw.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        line(bytes).map_err(|refusal| refusal.reason())
    }
}

fn line(bytes: &[u8]) -> Result<CheckpointClaim, Refusal> {
    if bytes.len() > CHECKPOINT_BYTES_MAX {
        return Err(Refusal::Unreadable(format!("more than {CHECKPOINT_BYTES_MAX} bytes: the limit of a checkpoint")));
    }
    let json = json::parse(bytes)?;
    exact_members(&json, &["body", "key_id", "sig"])?;
    let bad = |what: &str| Refusal::Unreadable(what.to_owned());
    let signed = json.member("body").ok_or_else(|| bad("no body"))?;
    let body = &signed.value;
    exact_members(body, &BODY_MEMBERS)?;
    if signed.slice != body.to_jcs() {
        return Err(bad("the body is not canonical JSON"));
    }
    if body.get("schema").and_then(Json::as_str) != Some(CHECKPOINT_SCHEMA) {
        return Err(Refusal::Unreadable(format!("schema is not {CHECKPOINT_SCHEMA}")));
    }
    let range = body.get("range").ok_or_else(|| bad("no range"))?;
    exact_members(range, &["from", "until"])?;
    let previous = match body.get("previous_checkpoint_sha256") {
        Some(Json::Null) => None,
        _ => Some(lower_digest(body, "previous_checkpoint_sha256")?),
    };
    let as_of = body.get("as_of").and_then(Json::as_i64).ok_or_else(|| bad("as_of is no whole number"))?;
    Ok(CheckpointClaim {
        seq: whole_number(body, "seq")?,
        from: whole_number(range, "from")?,
        until: whole_number(range, "until")?,
        tree_size: whole_number(body, "tree_size")?,
        root: lower_digest(body, "root")?,
        state_root: lower_digest(body, "state_root")?,
        as_of: UnixSeconds(as_of),
        previous,
        body: signed.slice.as_bytes().to_vec(),
        key: PublicKey32(lower_digest(&json, "key_id")?),
        sig: signature_of(&json)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn with(edit: impl Fn(String) -> String) -> Result<CheckpointClaim, Refusal> {
        let body = format!(
            r#"{{"as_of":-5,"previous_checkpoint_sha256":null,"range":{{"from":0,"until":7}},"root":"{HEX}","schema":"reledger/checkpoint/1","seq":0,"state_root":"{HEX}","tree_size":7}}"#
        );
        let text = format!(r#"{{"body":{body}, "sig":"{}","key_id":"{HEX}"}}"#, "0f".repeat(64));
        line(edit(text).as_bytes())
    }

    #[test]
    fn a_line_is_read_out_of_the_signed_bytes() {
        let claim = with(|text| text).unwrap();
        assert_eq!((claim.seq, claim.from, claim.until, claim.tree_size), (0, 0, 7, 7));
        assert_eq!((claim.as_of, claim.previous, claim.sig), (UnixSeconds(-5), None, [0x0f; 64]));
        assert!(claim.body.starts_with(br#"{"as_of":-5,"#) && claim.body.ends_with(br#""tree_size":7}"#));
        let later = with(|text| text.replace("null", &format!("\"{HEX}\""))).unwrap();
        assert_eq!(later.previous.unwrap().to_hex(), HEX);
    }

    #[test]
    fn what_is_not_exactly_the_format_is_not_read() {
        type Edit = (&'static str, &'static str);
        let edits: [Edit; 14] = [
            ("\"as_of\":-5", "\"as_of\": -5"),
            ("\"as_of\":-5", "\"as_of\":-5.0"),
            ("\"as_of\":-5", "\"as_of\":-0"),
            ("\"seq\":0,", "\"seq\":-1,"),
            ("\"seq\":0,", "\"seq\":0,\"seq\":0,"),
            ("\"seq\":0,", ""),
            ("\"seq\":0,", "\"seq\":18446744073709551616,"),
            ("checkpoint/1", "checkpoint/2"),
            ("\"tree_size\":7", "\"tree_size\":7,\"x\":1"),
            ("\"until\":7", "\"until\":7,\"x\":1"),
            ("{\"body\"", "{\"x\":1,\"body\""),
            ("aabbccdd", "AABBCCDD"),
            ("0f0f", "0g0f"),
            ("0f0f", ""),
        ];
        for (from, to) in edits {
            assert!(with(|text| text.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
        let Decoded::Undecodable(findings) = decode(b"{}") else { panic!("not a checkpoint") };
        assert_eq!(findings[0].code, Code::SrcParse);
    }

    #[test]
    fn a_line_of_the_limit_is_read_and_one_byte_more_is_not() {
        let padded = |length: usize| {
            with(|text| {
                let pad = " ".repeat(length - text.len());
                format!("{pad}{text}")
            })
        };
        assert!(padded(CHECKPOINT_BYTES_MAX).is_ok());
        assert!(padded(CHECKPOINT_BYTES_MAX + 1).is_err());
    }
}
