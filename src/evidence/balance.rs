//! One line of a reported balance statement (FORMATS 10).

use super::json::Json;
use super::record::{self, Record, Refusal};
use super::{BalanceLine, Claim, Decoded};
use crate::domain::{Media, Sats, UserKey};

/// How a statement may name the user, in order of preference.
const USER_MEMBERS: [&str; 4] = ["user", "user_address", "did_oc", "identity"];

/// Decodes one line: a user and at least one of `balance_sats`, `available_sats`, `maturing_sats`. A balance may be
/// negative, since the statement is what somebody claims; other members are not read.
pub fn decode(bytes: &[u8]) -> Decoded {
    match line(bytes) {
        Ok(line) => Decoded::Claim(Box::new(Claim::Balance(line)), Vec::new()),
        Err(refusal) => refusal.answer(Media::Balance, bytes),
    }
}

fn line(bytes: &[u8]) -> Result<BalanceLine, Refusal> {
    let json = record::parse(bytes)?;
    let members = Record::of(&json)?;
    let mut user = None;
    for name in USER_MEMBERS {
        user = user.or(members.text(name)?.filter(|text| !text.is_empty()));
    }
    let line = BalanceLine {
        user: user.map(UserKey::from).ok_or_else(|| Refusal::Unreadable("no member names a user".to_owned()))?,
        balance_sats: balance(members, "balance_sats")?,
        available_sats: balance(members, "available_sats")?,
        maturing_sats: balance(members, "maturing_sats")?,
    };
    if line.balance_sats.or(line.available_sats).or(line.maturing_sats).is_none() {
        return Err(Refusal::Unreadable("no member states a balance".to_owned()));
    }
    Ok(line)
}

fn balance(members: Record<'_, '_>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let Some(found) = value.as_number() else {
        return Err(Refusal::Unreadable(format!("member {name} is not a number")));
    };
    match Json::as_i64(value).filter(|sats| Sats::new(sats.unsigned_abs()).is_ok()) {
        Some(sats) => Ok(Some(sats)),
        None => Err(Refusal::Amount { member: name.to_owned(), found: found.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    fn codes(text: &str) -> Vec<Code> {
        match decode(text.as_bytes()) {
            Decoded::Claim(..) => Vec::new(),
            Decoded::Undecodable(findings) => findings.iter().map(|finding| finding.code).collect(),
        }
    }

    #[test]
    fn a_line_states_only_the_members_it_has() {
        let text = br#"{"user":"bc1q","balance_sats":-5,"maturing_sats":0,"by_class":{"A":1},"available_sats":null}"#;
        let Decoded::Claim(claim, findings) = decode(text) else { panic!("it decodes") };
        let Claim::Balance(line) = *claim else { panic!("it is a balance") };
        let expected = BalanceLine {
            user: UserKey::from("bc1q"),
            balance_sats: Some(-5),
            available_sats: None,
            maturing_sats: Some(0),
        };
        assert_eq!((line, findings), (expected, vec![]));
    }

    #[test]
    fn a_line_that_states_nothing_is_not_read() {
        for text in [
            r#"{"user":"u"}"#,
            r#"{"user":"u","balance_sats":null}"#,
            r#"{"balance_sats":1}"#,
            r#"{"user":"","balance_sats":1}"#,
            r#"{"user":7,"balance_sats":1}"#,
            r#"{"user":"u","balance_sats":"1"}"#,
            r#"{"user":"u","balance_sats":1,"balance_sats":2}"#,
            "[]",
            "",
        ] {
            assert_eq!(codes(text), [Code::SrcParse], "{text}");
        }
        assert_eq!(codes(r#"{"did_oc":"did:oc:1","available_sats":1}"#), []);
    }

    #[test]
    fn a_balance_beyond_the_supply_or_in_parts_is_out_of_range() {
        let with = |number: &str| codes(&format!(r#"{{"user":"u","balance_sats":{number}}}"#));
        for number in ["2100000000000001", "-2100000000000001", "1.5", "1e3", "99999999999999999999"] {
            assert_eq!(with(number), [Code::AmtRange], "{number}");
        }
        for number in ["2100000000000000", "-2100000000000000", "0"] {
            assert_eq!(with(number), [], "{number}");
        }
    }
}
