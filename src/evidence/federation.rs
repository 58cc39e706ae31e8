//! What the operator publishes about federations: the directory, and charters (FORMATS 6.5). Both are unsigned here; the
//! key that settlements are signed with stands in neither.

use super::json::Json;
use super::record::{self, Record, Refusal, missing};
use super::{Charter, Claim, Decoded, ListedFederation};
use crate::domain::{Digest32, FederationSlug, Media, sha256};

/// Federations that one directory may list.
const LISTED_MAX: usize = 10_000;
/// Lines of a charter's canonical text.
const CHARTER_LINES_MAX: usize = 10_000;

/// Decodes a directory: an array of federations, or an object that holds it as `federations`.
pub fn decode_directory(bytes: &[u8]) -> Decoded {
    match directory(bytes) {
        Ok(listed) => Decoded::Claim(Box::new(Claim::Directory(listed)), Vec::new()),
        Err(refusal) => refusal.answer(Media::FederationDirectory, bytes),
    }
}

/// Decodes a charter: the operator's reply (`meta`, `signatures`), or the canonical text, whose hash is that of its exact
/// bytes.
pub fn decode_charter(bytes: &[u8]) -> Decoded {
    let is_json = bytes.trim_ascii_start().first() == Some(&b'{');
    match if is_json { reply(bytes) } else { text(bytes) } {
        Ok(charter) => Decoded::Claim(Box::new(Claim::Charter(charter)), Vec::new()),
        Err(refusal) => refusal.answer(Media::Charter, bytes),
    }
}

fn directory(bytes: &[u8]) -> Result<Vec<ListedFederation>, Refusal> {
    let json = record::parse(bytes)?;
    let list = json.as_array().or_else(|| json.get("federations")?.as_array());
    let list = list.ok_or_else(|| Refusal::Unreadable("no list of federations".to_owned()))?;
    if list.len() > LISTED_MAX {
        return Err(Refusal::Unreadable("too many federations".to_owned()));
    }
    let mut listed = list.iter().map(federation).collect::<Result<Vec<_>, _>>()?;
    listed.sort();
    Ok(listed)
}

fn federation(json: &Json<'_>) -> Result<ListedFederation, Refusal> {
    let members = Record::of(json)?;
    Ok(ListedFederation {
        slug: FederationSlug::from(members.need_text("slug")?),
        status: members.text("status")?.unwrap_or_default().to_owned(),
        threshold: members.text("threshold")?.map(str::to_owned),
        charter_hash: members.read("charter_hash", "64 hex digits", hash)?,
    })
}

fn reply(bytes: &[u8]) -> Result<Charter, Refusal> {
    let json = record::parse(bytes)?;
    let members = Record::of(&json)?;
    // The reply wraps what is stored as `meta`.
    let meta = match members.get("meta") {
        Some(meta) => Record::of(meta)?,
        None => members,
    };
    Ok(Charter {
        slug: FederationSlug::from(meta.need_text("federation_slug")?),
        hash: meta.read("charter_hash", "64 hex digits", hash)?.ok_or_else(|| missing("charter_hash"))?,
        threshold: None,
        is_text: false,
    })
}

fn text(bytes: &[u8]) -> Result<Charter, Refusal> {
    record::bounded(bytes)?;
    let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable("neither JSON nor UTF-8 text"))?;
    let value = |name: &str| {
        let mut lines = text.lines().take(CHARTER_LINES_MAX);
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    };
    Ok(Charter {
        slug: FederationSlug::from(value("federation_slug").ok_or_else(|| unreadable("no line federation_slug"))?),
        hash: sha256(bytes),
        threshold: value("threshold").map(str::to_owned),
        is_text: true,
    })
}

fn hash(value: &Json<'_>) -> Option<Digest32> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    fn refused(decoded: Decoded) -> Code {
        let Decoded::Undecodable(findings) = decoded else { panic!("it decodes") };
        findings[0].code
    }

    fn directory_of(text: &str) -> Vec<ListedFederation> {
        let Decoded::Claim(claim, _) = decode_directory(text.as_bytes()) else { panic!("it decodes: {text}") };
        let Claim::Directory(listed) = *claim else { panic!("it is a directory") };
        listed
    }

    fn charter_of(bytes: &[u8]) -> Charter {
        let Decoded::Claim(claim, _) = decode_charter(bytes) else { panic!("it decodes") };
        let Claim::Charter(charter) = *claim else { panic!("it is a charter") };
        charter
    }

    #[test]
    fn a_directory_is_a_list_or_holds_one() {
        let entry = r#"{"slug":"oc-me-v1","name":"OC-Me","status":"live","threshold":"3-of-4","target_guardian_count":4,
            "invite":null,"charter_hash":null,"last_attestation_at":null,"geography_hint":"eu"}"#;
        let expected = ListedFederation {
            slug: FederationSlug::from("oc-me-v1"),
            status: "live".to_owned(),
            threshold: Some("3-of-4".to_owned()),
            charter_hash: None,
        };
        for text in [format!("[{entry}]"), format!("{{\"ok\":true,\"federations\":[{entry}]}}")] {
            assert_eq!(directory_of(&text), std::slice::from_ref(&expected));
        }
        for text in ["", "{}", "[7]", r#"[{"name":"x"}]"#, r#"[{"slug":"x","charter_hash":"zz"}]"#] {
            assert_eq!(refused(decode_directory(text.as_bytes())), Code::SrcParse, "{text}");
        }
    }

    #[test]
    fn the_published_charter_has_its_published_hash_and_names_its_federation() {
        let path = format!("{}/fixtures/vectors/oc-docs/charter-oc-me-v1.json", env!("CARGO_MANIFEST_DIR"));
        let vector: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let charter = charter_of(vector["canonical_text"].as_str().unwrap().as_bytes());
        assert_eq!(charter.hash.to_string(), vector["sha256"].as_str().unwrap());
        assert_eq!((charter.slug, charter.threshold), (FederationSlug::from("oc-me-v1"), Some("3-of-4".to_owned())));
    }

    #[test]
    fn a_reply_about_a_charter_states_its_hash() {
        let hash = "58".repeat(32);
        let reply = format!(
            r#"{{"ok":true,"meta":{{"federation_slug":"oc-me-v1","charter_hash":"{hash}","charter_version":"v1.0.0"}},"signatures":[]}}"#
        );
        let charter = charter_of(reply.as_bytes());
        assert_eq!((charter.hash.to_string(), charter.is_text), (hash, false));
        for text in [r#"{"ok":false}"#, r#"{"meta":{"federation_slug":"x"}}"#, "no charter", "\u{feff}"] {
            assert_eq!(refused(decode_charter(text.as_bytes())), Code::SrcParse, "{text}");
        }
        assert_eq!(refused(decode_charter(b"federation_slug: \xff")), Code::SrcParse);
    }
}
