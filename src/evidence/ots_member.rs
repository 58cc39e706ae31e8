//! The `ots` member that carriers put beside their signed bytes (FORMATS 9.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::OtsMember;
use super::json::Json;
use crate::domain::BlockHeight;

/// Reads the carrier's `ots` member; `None` when it is absent, `null`, or has no proof text. Both spellings of the block
/// members are taken, and white space inside the base64 is dropped, as the operator's SDK does. A proof that is not
/// base64 keeps its text as bytes, so that the proof's judge reports it instead of nobody.
pub(crate) fn read(carrier: &Json<'_>) -> Option<OtsMember> {
    let member = carrier.get_some("ots")?;
    let either = |snake: &str, camel: &str| member.get_some(snake).or_else(|| member.get_some(camel));
    let text = member.get("proof")?.as_str()?;
    let spaced = || {
        let text: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes())
    };
    let calendars = member.get("calendars").and_then(Json::as_array).unwrap_or_default();
    Some(OtsMember {
        status: member.get("status").and_then(Json::as_str).unwrap_or_default().to_owned(),
        // White space is no base64: text that has some does not decode as it stands.
        proof: STANDARD.decode(text).unwrap_or_else(|_| spaced()),
        calendars: calendars.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        block_height: either("block_height", "blockHeight")
            .and_then(Json::as_u64)
            .and_then(|height| u32::try_from(height).ok())
            .map(BlockHeight),
        block_hash: either("block_hash", "blockHash").and_then(Json::as_str).and_then(|hex| hex.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::json;

    #[test]
    fn both_spellings_are_read() {
        for names in [("block_height", "block_hash"), ("blockHeight", "blockHash")] {
            let text = format!(
                r#"{{"ots":{{"status":"confirmed","proof":"AAEC\n/w==","calendars":["https://a.example"],"{}":358391,"{}":"{:064}"}}}}"#,
                names.0, names.1, 7
            );
            let member = read(&json::parse(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(member.proof, [0, 1, 2, 255]);
            assert_eq!(member.block_height, Some(BlockHeight(358_391)));
            assert_eq!(member.block_hash.unwrap().to_string(), format!("{:064}", 7));
            assert_eq!((member.status.as_str(), member.calendars.len()), ("confirmed", 1));
        }
    }

    #[test]
    fn a_member_without_a_proof_is_none_but_an_undecodable_proof_stays_visible() {
        for text in [r#"{"ots":null}"#, "{}", r#"{"ots":{"status":"pending"}}"#] {
            assert_eq!(read(&json::parse(text.as_bytes()).unwrap()), None, "{text}");
        }
        let member = read(&json::parse(br#"{"ots":{"proof":"?"}}"#).unwrap()).unwrap();
        assert_eq!(member.proof, b"?");
    }
}
