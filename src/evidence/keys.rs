//! JSON Web Key Sets (RFC 7517) with Ed25519 keys (RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::KeySet;
use super::decode::Fault;
use super::json::{self, Json};
use super::limits::RECORD_BYTES_MAX;
use crate::domain::{KeyId, PublicKey32};

/// Decodes a key set and lists the entries that can't be used at all, by position and reason.
///
/// # Errors
/// [`Fault`] when the document is not a JSON object with a `keys` array.
pub(super) fn decode(auth: bool, host: &str, bytes: &[u8]) -> Result<(KeySet, Vec<(usize, String)>), Fault> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Fault::new(format!("a key set of {} bytes, above the limit", bytes.len())));
    }
    let json = json::parse(bytes)?;
    let entries = json.get("keys").and_then(Json::as_array).ok_or_else(|| Fault::new("no keys array"))?;
    let mut set = KeySet { auth, host: host.to_owned(), keys: Vec::new(), other: Vec::new() };
    let mut unusable = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match key(entry) {
            Ok((kid, Ok(key))) => set.keys.push((kid, key)),
            Ok((kid, Err(offer))) => set.other.push((kid, offer)),
            Err(why) => unusable.push((at, why)),
        }
    }
    Ok((set, unusable))
}

/// A key with its id; the inner `Err` says what another algorithm or curve the entry offers.
fn key(entry: &Json<'_>) -> Result<(KeyId, Result<PublicKey32, String>), String> {
    let text = |name: &str| entry.get(name).and_then(Json::as_str);
    let kid = text("kid").filter(|kid| !kid.is_empty()).ok_or("a key without kid")?;
    let (kty, crv) = (text("kty").unwrap_or_default(), text("crv").unwrap_or_default());
    let alg = text("alg");
    // RFC 9864 names the algorithm `Ed25519`; RFC 8037 calls it `EdDSA`.
    if kty != "OKP" || crv != "Ed25519" || !alg.is_none_or(|alg| alg == "EdDSA" || alg == "Ed25519") {
        return Ok((KeyId::from(kid), Err(format!("kty={kty} crv={crv} alg={}", alg.unwrap_or_default()))));
    }
    let x = text("x").ok_or("a key without x")?;
    let bytes = URL_SAFE_NO_PAD.decode(x).map_err(|_| "x is not unpadded base64url")?;
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|bytes| format!("x has {} bytes instead of 32", bytes.len()))?;
    Ok((KeyId::from(kid), Ok(PublicKey32::from_bytes(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    // FORMATS 3.8: the worked example's JWK.
    const X: &str = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w";

    #[test]
    fn only_named_ed25519_keys_are_usable() {
        let text = format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"a","alg":"EdDSA","use":"sig"}},
               {{"kty":"OKP","crv":"Ed448","x":"{X}","kid":"b"}},{{"kty":"RSA","kid":"c","n":"1"}},
               {{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"d","alg":"HS256"}},
               {{"kty":"OKP","crv":"Ed25519","x":"{X}"}},{{"kty":"OKP","crv":"Ed25519","x":"{X}=","kid":"e"}},
               {{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"f"}}, 7]}}"#
        );
        let (set, unusable) = decode(false, "me.ochk.io", text.as_bytes()).unwrap();
        let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c".parse().unwrap();
        assert_eq!(set.keys, [(KeyId::from("a"), key)]);
        let others: Vec<_> = set.other.iter().map(|(kid, offer)| (kid.as_str(), offer.as_str())).collect();
        assert_eq!(
            others,
            [("b", "kty=OKP crv=Ed448 alg="), ("c", "kty=RSA crv= alg="), ("d", "kty=OKP crv=Ed25519 alg=HS256")]
        );
        assert_eq!(unusable.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [4, 5, 6, 7]);
    }

    #[test]
    fn a_document_without_keys_is_not_a_key_set() {
        assert!(decode(false, "", b"{}").is_err());
        assert!(decode(false, "", b"[]").is_err());
        assert!(decode(false, "", br#"{"keys":[]}"#).is_ok());
    }
}
