//! Merge records: accounts that an operator's data says became one (FORMATS 3.4, `merged_from`). Session data, never signed.

use super::fields::Fields;
use super::json::{self, Json};
use super::limits::{RECIPIENTS_MAX, RECORD_BYTES_MAX};
use super::{CustodyClaim, MergeRecord};
use crate::domain::UserKey;

/// Reads `{<a user>, "merged_from": [<user>, ...]}`. `None` when the record has no such list: it is something else.
pub(super) fn decode(text: &str) -> Option<Result<CustodyClaim, String>> {
    if text.len() > RECORD_BYTES_MAX {
        return None;
    }
    let object = json::parse(text.as_bytes()).ok()?;
    let listed = object.get_some("merged_from")?;
    let read = record(&object, listed).map(CustodyClaim::Merge);
    Some(read.map_err(|reason| format!("a merge record that can't be read: {reason}")))
}

fn record(object: &Json<'_>, listed: &Json<'_>) -> Result<MergeRecord, String> {
    let fields = Fields::of(object).ok_or("not an object")?;
    let user = fields.need_user().map_err(|error| error.to_string())?;
    let listed = listed.as_array().ok_or("merged_from is not a list")?;
    if listed.len() > RECIPIENTS_MAX {
        return Err(format!("merged_from lists more than {RECIPIENTS_MAX} accounts"));
    }
    let names: Option<Vec<UserKey>> =
        listed.iter().map(|name| name.as_str().filter(|name| !name.is_empty()).map(UserKey::from)).collect();
    Ok(MergeRecord { user, merged_from: names.ok_or("merged_from lists what is no account")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Result<MergeRecord, String>> {
        let claim = decode(text)?;
        Some(claim.map(|claim| match claim {
            CustodyClaim::Merge(record) => record,
            other => panic!("{other:?}"),
        }))
    }

    #[test]
    fn a_record_names_the_account_that_is_left_and_those_it_took_over() {
        let record = read(r#"{"did_oc":"did:oc:1","merged_from":["did:oc:2","bc1q"],"at":"2026"}"#).unwrap().unwrap();
        assert_eq!(record.user, UserKey::from("did:oc:1"));
        assert_eq!(record.merged_from, [UserKey::from("did:oc:2"), UserKey::from("bc1q")]);
        assert_eq!(read(r#"{"user":"a","merged_from":[]}"#).unwrap().unwrap().merged_from, []);
    }

    #[test]
    fn what_names_no_accounts_is_refused_and_what_has_no_list_is_something_else() {
        assert_eq!(read(r#"{"did_oc":"a"}"#), None);
        assert_eq!(read(r#"{"did_oc":"a","merged_from":null}"#), None);
        assert_eq!(read("not JSON"), None);
        for text in [
            r#"{"merged_from":["b"]}"#,
            r#"{"user":"a","merged_from":"b"}"#,
            r#"{"user":"a","merged_from":[1]}"#,
            r#"{"user":"a","merged_from":[""]}"#,
        ] {
            let reason = read(text).unwrap().unwrap_err();
            assert!(reason.starts_with("a merge record that can't be read: "), "{text}: {reason}");
        }
    }
}
