//! What a file or record is likely to be, for `verify FILE` where nobody said so. Judging does not depend on it.

use std::path::Path;

use super::json;
use crate::domain::Media;

/// How a snapshot's file is named.
pub const SNAPSHOT_SUFFIX: &str = ".tar.zst";

/// By the file's name: only what is unmistakable.
pub fn media_of_path(path: &Path) -> Option<Media> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    if name.ends_with(SNAPSHOT_SUFFIX) {
        return Some(Media::Snapshot);
    }
    let bare = name.trim_end_matches(".gz").trim_end_matches(".zst");
    [(".ots", Media::OtsProof), (".headers", Media::Headers), (".header", Media::Headers)]
        .into_iter()
        .find_map(|(suffix, media)| bare.ends_with(suffix).then_some(media))
}

/// True when a custody record is a merge record, readable or not: it lists accounts (FORMATS 3.4).
pub fn is_merge_record(bytes: &[u8]) -> bool {
    json::parse(bytes).is_ok_and(|record| record.get_some("merged_from").is_some())
}

fn is_custody_kind(kind: &str) -> bool {
    kind.starts_with("orangecheck-") || kind.ends_with("-federation-custody") || kind == "agent-federation"
}

/// By the members of a JSON record, or of the object around a list of them; anything else is taken for a Nostr event and will be judged malformed.
pub fn media_of_json(bytes: &[u8]) -> Media {
    let Ok(record) = json::parse(bytes) else { return Media::NostrEvent };
    let has = |name: &str| record.get(name).is_some();
    let kind = record.get("kind").and_then(json::Json::as_str).unwrap_or_default();
    if has("pubkey") && has("tags") {
        Media::NostrEvent
    } else if has("sig_hex") && has("event") || has("settlements") {
        Media::Settlement
    } else if has("keys") {
        Media::Jwks
    } else if has("canonical_b64") {
        Media::Activity
    } else if has("project_key") && has("events") {
        Media::ProjectConfig
    } else if has("merged_from") || is_custody_kind(kind) {
        Media::Custody
    } else if has("federations") {
        Media::FederationDirectory
    } else if has("meta") && has("signatures") {
        Media::Charter
    } else if has("key_id") && has("body") {
        Media::Checkpoint
    } else if has("balance_sats") {
        Media::Balance
    } else if has("payment_hash") || has("r_hash") || has("invoices") {
        Media::Invoice
    } else if has("ts_usecs") || has("event_kind") {
        Media::PaymentLogEntry
    } else {
        Media::NostrEvent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_record_is_custody_and_a_record_without_a_list_is_not() {
        for text in [r#"{"did_oc":"did:oc:1","merged_from":["bc1q"]}"#, r#"{"merged_from":7}"#] {
            assert_eq!(media_of_json(text.as_bytes()), Media::Custody, "{text}");
            assert!(is_merge_record(text.as_bytes()), "{text}");
        }
        assert_eq!(media_of_json(br#"{"did_oc":"did:oc:1"}"#), Media::NostrEvent);
        for text in [r#"{"did_oc":"did:oc:1","merged_from":null}"#, r#"{"kind":"agent-federation"}"#, "[]", "{"] {
            assert!(!is_merge_record(text.as_bytes()), "{text}");
        }
    }
}
