//! Texts that are no evidence: the strict JSON reader beside a lenient one, and the configuration file.

use std::collections::BTreeMap;

use reledger::app::Config;
use reledger::domain::Media;
use reledger::evidence::sniff::media_of_json;

/// The strict reader is stricter than `serde_json`: a record whose members it could name is JSON for everybody.
pub fn json(input: &[u8]) {
    let media = media_of_json(input);
    assert_eq!(media, media_of_json(input));
    if media != Media::NostrEvent {
        // Raw members: the strict reader keeps numbers as text, and `serde_json` would refuse those beyond a double.
        let members: Result<BTreeMap<String, &serde_json::value::RawValue>, _> = serde_json::from_slice(input);
        assert!(members.is_ok_and(|members| !members.is_empty()), "what the strict reader reads is JSON");
    }
}

/// A configuration that can be read is written and read again without a change.
pub fn config_toml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let first = Config::from_toml(text);
    let second = Config::from_toml(text);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first, second);
            if let Ok(written) = toml::to_string(&first) {
                let again = Config::from_toml(&written).expect("what was written can be read");
                assert_eq!(again, first, "{written}");
            }
        }
        (Err(first), Err(second)) => assert_eq!(first.to_string(), second.to_string()),
        _ => panic!("one text, two answers"),
    }
}
