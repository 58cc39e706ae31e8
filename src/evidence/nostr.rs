//! NIP-01 events: decoding with every limit, and the serialisation that the id hashes.

use std::ops::Range;

use super::decode::Fault;
use super::json::{self, Json, write_string};
use super::limits::{EVENT_BYTES_MAX, EVENT_CONTENT_BYTES_MAX, EVENT_TAG_VALUE_BYTES_MAX, EVENT_TAGS_MAX};
use super::{EventSignature, NostrEvent};
use crate::domain::{NostrEventId, PublicKey32, UnixSeconds};

/// Decodes one event, and says where its content stands as the id's serialisation spells it, if it does. Further members are
/// tolerated, for relays and tools add them; they are never read.
///
/// # Errors
/// [`Fault`] when a NIP-01 member is missing or of another form, hex is not lower-case, or a limit is exceeded.
pub(super) fn decode(bytes: &[u8]) -> Result<(NostrEvent, Option<Range<usize>>), Fault> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(Fault::new(format!("an event of {} bytes, above the limit of {EVENT_BYTES_MAX}", bytes.len())));
    }
    let json = json::parse(bytes)?;
    if json.members().is_none() {
        return Err(Fault::new("not a JSON object"));
    }
    let content = text(&json, "content")?;
    let spelled = json.member("content").and_then(|member| spelled(bytes, member.slice, content));
    if content.len() > EVENT_CONTENT_BYTES_MAX {
        return Err(Fault::new(format!("content of {} bytes, above the limit", content.len())));
    }
    let created_at = json.get("created_at").and_then(Json::as_u64).and_then(|seconds| i64::try_from(seconds).ok());
    let kind = json.get("kind").and_then(Json::as_u64).and_then(|kind| u16::try_from(kind).ok());
    let event = NostrEvent {
        id: NostrEventId::from_bytes(hex(&json, "id")?),
        pubkey: PublicKey32::from_bytes(hex(&json, "pubkey")?),
        created_at: UnixSeconds(created_at.ok_or_else(|| Fault::new("created_at is not a Unix time in seconds"))?),
        kind: kind.ok_or_else(|| Fault::new("kind is not an integer of 0..=65535"))?,
        tags: tags(&json)?,
        sig: hex(&json, "sig")?,
        content: json.into_text("content").unwrap_or_default(),
    };
    Ok((event, spelled))
}

/// Where a string stands in these bytes, between its quotes, if [`write_string`] would spell it so.
fn spelled(bytes: &[u8], slice: &str, text: &str) -> Option<Range<usize>> {
    let start = slice.as_ptr().addr().checked_sub(bytes.as_ptr().addr())? + 1;
    let inside = start..start + slice.len().checked_sub(2)?;
    // Every other spelling of a text is longer.
    (json::escaped_len(text)? == inside.len()).then_some(inside)
}

/// The event alone, without what its content carries; `None` for bytes that are none (NIP-01).
pub fn nostr_event(bytes: &[u8]) -> Option<NostrEvent> {
    decode(bytes).ok().map(|(event, _)| event)
}

/// The signature of an event and what it is about; `None` where that can't be read without reading all. An event may have one
/// and be none.
pub fn event_signature(bytes: &[u8]) -> Option<EventSignature> {
    #[derive(serde::Deserialize)]
    struct Members<'b> {
        id: &'b str,
        pubkey: &'b str,
        sig: &'b str,
    }
    let Members { id, pubkey, sig } = serde_json::from_slice(bytes).ok()?;
    Some(EventSignature {
        id: NostrEventId::from_bytes(lower_hex(id)?),
        pubkey: PublicKey32::from_bytes(lower_hex(pubkey)?),
        sig: lower_hex(sig)?,
    })
}

/// The UTF-8 text whose sha256 is the event id (NIP-01): `[0,pubkey,created_at,kind,tags,content]`, compact.
///
/// The escapes are those that relays accept in practice (CAPTURE 4.3): the seven short ones, `\u00xx` in lower case for
/// other control characters, DEL and everything else verbatim.
pub fn serialize_for_id(event: &NostrEvent) -> String {
    json::text_of(serialized(event, None))
}

/// The bytes of [`serialize_for_id`], for whoever hashes them; the content as it is spelled there, where that is known.
pub(crate) fn serialized(event: &NostrEvent, spelled: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.content.len() + event.content.len() / 4 + 512);
    let head = format!("[0,\"{}\",{},{},[", event.pubkey, event.created_at.0, event.kind);
    out.extend_from_slice(head.as_bytes());
    for (at, tag) in event.tags.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
        for (at, value) in tag.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_string(&mut out, value);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"],");
    match spelled {
        Some(spelled) => {
            out.push(b'"');
            out.extend_from_slice(spelled);
            out.push(b'"');
        }
        None => write_string(&mut out, &event.content),
    }
    out.push(b']');
    out
}

fn text<'j>(json: &'j Json<'_>, name: &str) -> Result<&'j str, Fault> {
    json.get(name).and_then(Json::as_str).ok_or_else(|| Fault::new(format!("member {name} is not a string")))
}

fn hex<const N: usize>(json: &Json<'_>, name: &str) -> Result<[u8; N], Fault> {
    let digits = lower_hex(text(json, name)?);
    digits.ok_or_else(|| Fault::new(format!("member {name} is not {} lower-case hex digits", 2 * N)))
}

fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    // NIP-01 asks for lower case; another spelling of one id would be another text for the same event.
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_hex = text.len() == 2 * N && lower && faster_hex::hex_decode(text.as_bytes(), &mut out).is_ok();
    is_hex.then_some(out)
}

fn tags(json: &Json<'_>) -> Result<Vec<Vec<String>>, Fault> {
    let tags = json.get("tags").and_then(Json::as_array).ok_or_else(|| Fault::new("member tags is not an array"))?;
    if tags.len() > EVENT_TAGS_MAX {
        return Err(Fault::new(format!("{} tags, above the limit of {EVENT_TAGS_MAX}", tags.len())));
    }
    tags.iter().map(tag).collect()
}

fn tag(json: &Json<'_>) -> Result<Vec<String>, Fault> {
    let values = json.as_array().filter(|values| !values.is_empty());
    let values = values.ok_or_else(|| Fault::new("a tag is not an array of one or more strings"))?;
    values
        .iter()
        .map(|value| match value.as_str() {
            Some(text) if text.len() <= EVENT_TAG_VALUE_BYTES_MAX => Ok(text.to_owned()),
            Some(text) => Err(Fault::new(format!("a tag value of {} bytes, above the limit", text.len()))),
            None => Err(Fault::new("a tag value is not a string")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(replace: &str, by: &str) -> String {
        let id = "ab".repeat(32);
        let text = format!(
            r#"{{"id":"{id}","pubkey":"{id}","created_at":1,"kind":30087,"tags":[["d","x"]],"content":"c","sig":"{id}{id}"}}"#
        );
        assert!(text.contains(replace));
        text.replacen(replace, by, 1)
    }

    #[test]
    fn seven_members_make_an_event_and_further_ones_do_not_matter() {
        let (plain, _) = decode(event("{", "{").as_bytes()).unwrap();
        let (extended, _) = decode(event("{", r#"{"seen_on":["x"],"ots":null,"#).as_bytes()).unwrap();
        assert_eq!(plain, extended);
        assert_eq!((plain.kind, plain.created_at, plain.tag("d")), (30087, UnixSeconds(1), Some("x")));
    }

    #[test]
    fn what_nip_01_forbids_is_refused() {
        for (replace, by) in [
            (r#""id":"ab"#, r#""id":"AB"#),
            (r#""id":"ab"#, r#""id":""#),
            (r#""created_at":1"#, r#""created_at":1.0"#),
            (r#""created_at":1"#, r#""created_at":-1"#),
            (r#""created_at":1"#, r#""created_at":"1""#),
            (r#""created_at":1"#, r#""created_at":9223372036854775808"#),
            ("30087", "65536"),
            (r#"[["d","x"]]"#, r#"[["d",1]]"#),
            (r#"[["d","x"]]"#, "[[]]"),
            (r#"[["d","x"]]"#, "{}"),
            (r#""content":"c","#, ""),
            (r#""content":"c""#, r#""content":null"#),
            (r#""kind":"#, r#""kind":1,"kind":"#),
            (r#""content":"c""#, r#""content":"\ud800""#),
        ] {
            assert!(decode(event(replace, by).as_bytes()).is_err(), "{by}");
        }
        assert!(decode(event("30087", "65535").as_bytes()).is_ok());
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        let with = |tags: usize, value: usize, content: usize| {
            let tags = vec![format!(r#"["d","{}"]"#, "v".repeat(value)); tags].join(",");
            let text = event(r#"["d","x"]"#, &tags).replacen(r#""c""#, &format!("\"{}\"", "c".repeat(content)), 1);
            decode(text.as_bytes()).is_ok()
        };
        assert!(with(EVENT_TAGS_MAX, 0, 0));
        assert!(!with(EVENT_TAGS_MAX + 1, 0, 0));
        assert!(with(1, EVENT_TAG_VALUE_BYTES_MAX, 0));
        assert!(!with(1, EVENT_TAG_VALUE_BYTES_MAX + 1, 0));
        assert!(with(1, 0, EVENT_CONTENT_BYTES_MAX));
        assert!(!with(1, 0, EVENT_CONTENT_BYTES_MAX + 1));
        let padded = event("{", &format!("{{{}", " ".repeat(EVENT_BYTES_MAX)));
        assert!(decode(padded.as_bytes()).is_err());
    }

    #[test]
    fn content_stands_as_it_is_hashed_only_where_it_is_spelled_so() {
        // By hand, after CAPTURE 4.3: what stands between the quotes of an event, and whether an id hashes it so.
        for (content, is_spelled) in [
            ("", true),
            ("c", true),
            (r#"{\"a\":1}"#, true),
            (r#"\n\r\t\b\f\\\""#, true),
            ("\u{7f}/\u{2028}\u{e9}\u{1f600}", true),
            (r"\/", false),
            (r"\u0041", false),
            (r"\u000a", false),
            (r"\u0001", false),
            (r"\u001F", false),
            (r"\u00e9", false),
            (r"\ud83d\ude00", false),
            (r"\u007f", false),
            (r#"\u0022\""#, false),
        ] {
            // At a place that depends on what stands before it.
            for before in ["{", r#"{ "x":"content", "#] {
                let text = event("{", before).replacen("\"c\"", &format!("\"{content}\""), 1);
                let (event, spelled) = decode(text.as_bytes()).unwrap();
                assert_eq!(spelled.is_some(), is_spelled, "{content}");
                let Some(at) = spelled else { continue };
                assert_eq!(&text[at.clone()], content);
                let copied = serialized(&event, Some(&text.as_bytes()[at]));
                assert_eq!(copied, serialized(&event, None), "{content}");
            }
        }
    }

    #[test]
    fn the_serialisation_escapes_as_relays_do() {
        let (mut event, _) = decode(event("{", "{").as_bytes()).unwrap();
        event.content = "\"\\\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}/\u{2028}\u{e9}".to_owned();
        event.tags.push(vec!["e".to_owned()]);
        let text = serialize_for_id(&event);
        let expected = format!(
            "[0,\"{}\",1,30087,[[\"d\",\"x\"],[\"e\"]],\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u001f\u{7f}/\u{2028}\u{e9}\"]",
            "ab".repeat(32)
        );
        assert_eq!(text, expected);
    }
}
