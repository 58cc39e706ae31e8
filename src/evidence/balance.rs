//! One line of a reported balance statement (FORMATS 10).

use super::json::Json;
use super::record::{self, Record, Refusal};
use super::{BalanceLine, Claim, Decoded, StatementClaim, StatementSample, StatementTotals};
use crate::domain::{Digest32, Media, Sats, UnixSeconds, UserKey};

/// How a statement may name the user, in order of preference.
const USER_MEMBERS: [&str; 4] = ["user", "user_address", "did_oc", "identity"];

/// Members of a line that speaks of the statement as a whole (TREASURY 8).
const STATEMENT_MEMBERS: [&str; 4] = ["count", "sum_sats", "root", "sample"];

/// The members of `by_class`.
const CLASSES: [&str; 3] = ["A", "B", "C"];

/// Decodes one line: a user and at least one of `balance_sats`, `available_sats`, `maturing_sats`, `by_class` (an object
/// with `A`, `B`, `C`) and `last_7d`. A balance may be negative, since the statement is what somebody claims; other members
/// are not read.
///
/// A line that names no user and has `count`, `sum_sats`, `root` or `sample` speaks of the statement as a whole.
pub fn decode(bytes: &[u8]) -> Decoded {
    match claim(bytes) {
        Ok(claim) => Decoded::Claim(Box::new(claim), Vec::new()),
        Err(refusal) => refusal.answer(Media::Balance, bytes),
    }
}

fn claim(bytes: &[u8]) -> Result<Claim, Refusal> {
    let json = record::parse(bytes)?;
    let members = Record::of(&json)?;
    let names_user = USER_MEMBERS.iter().any(|name| members.get(name).is_some());
    if !names_user && STATEMENT_MEMBERS.iter().any(|name| members.get(name).is_some()) {
        return statement(members).map(Claim::Statement);
    }
    line(members).map(Claim::Balance)
}

fn statement(members: Record<'_, '_>) -> Result<StatementClaim, Refusal> {
    let sample = match members.get("sample") {
        None => None,
        Some(_) => Some(sample(members.need_object("sample")?)?),
    };
    let totals = StatementTotals {
        count: members.read("count", "a count", Json::as_u64)?,
        sum_sats: balance(members, "sum_sats")?,
        root: members.read("root", "64 hex digits", |value| Digest32::from_hex(value.as_str()?).ok())?,
        as_of: members.read("as_of", "a time", |value| match value.as_str() {
            Some(text) => text.parse().ok(),
            None => value.as_i64().map(UnixSeconds),
        })?,
    };
    let has_totals = totals.count.is_some() || totals.sum_sats.is_some() || totals.root.is_some();
    Ok(StatementClaim { totals: has_totals.then_some(totals), sample })
}

fn sample(members: Record<'_, '_>) -> Result<StatementSample, Refusal> {
    let users = members.read("users", "a list of users", |value| {
        value.as_array()?.iter().map(|user| user.as_str().map(UserKey::from)).collect::<Option<Vec<_>>>()
    })?;
    Ok(StatementSample {
        seed: members.need_text("seed")?.to_owned(),
        size: members.read("size", "a count", Json::as_u64)?.ok_or_else(|| record::missing("size"))?,
        users: users.ok_or_else(|| record::missing("users"))?,
    })
}

fn line(members: Record<'_, '_>) -> Result<BalanceLine, Refusal> {
    let mut user = None;
    for name in USER_MEMBERS {
        user = user.or(members.text(name)?.filter(|text| !text.is_empty()));
    }
    let mut by_class = [None; 3];
    if members.get("by_class").is_some() {
        let classes = members.need_object("by_class")?;
        for (sats, class) in by_class.iter_mut().zip(CLASSES) {
            *sats = balance(classes, class)?;
        }
    }
    let line = BalanceLine {
        user: user.map(UserKey::from).ok_or_else(|| Refusal::Unreadable("no member names a user".to_owned()))?,
        balance_sats: balance(members, "balance_sats")?,
        available_sats: balance(members, "available_sats")?,
        maturing_sats: balance(members, "maturing_sats")?,
        by_class,
        last_7d: balance(members, "last_7d")?,
    };
    if line.amounts().next().is_none() {
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
        let text =
            br#"{"user":"bc1q","balance_sats":-5,"maturing_sats":0,"by_class":{"A":1,"D":"x"},"available_sats":null}"#;
        let Decoded::Claim(claim, findings) = decode(text) else { panic!("it decodes") };
        let Claim::Balance(line) = *claim else { panic!("it is a balance") };
        let expected = BalanceLine {
            user: UserKey::from("bc1q"),
            balance_sats: Some(-5),
            available_sats: None,
            maturing_sats: Some(0),
            by_class: [Some(1), None, None],
            last_7d: None,
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
            r#"{"user":"u","by_class":{}}"#,
            r#"{"user":"u","by_class":7,"balance_sats":1}"#,
            r#"{"user":"u","by_class":{"A":"1"}}"#,
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

    fn whole(text: &str) -> StatementClaim {
        let Decoded::Claim(claim, findings) = decode(text.as_bytes()) else { panic!("it decodes: {text}") };
        assert_eq!(findings, []);
        let Claim::Statement(statement) = *claim else { panic!("it speaks of the statement: {text}") };
        statement
    }

    #[test]
    fn a_line_without_a_user_may_speak_of_the_whole_statement() {
        let root = "ab".repeat(32);
        let text = format!(r#"{{"count":2,"sum_sats":-7,"root":"{root}","as_of":"2026-10-01T00:00:00Z"}}"#);
        let totals = whole(&text).totals.unwrap();
        assert_eq!((totals.count, totals.sum_sats, totals.as_of.unwrap().0), (Some(2), Some(-7), 1_790_812_800));
        assert_eq!(totals.root.unwrap().to_hex(), root);
        let sample = whole(r#"{"sample":{"seed":"s","size":2,"users":["b","a"]}}"#);
        assert_eq!(sample.totals, None);
        let sample = sample.sample.unwrap();
        assert_eq!((sample.seed.as_str(), sample.size, sample.users.len()), ("s", 2, 2));
    }

    #[test]
    fn a_users_line_stays_one_whatever_else_it_has_and_a_bad_total_is_not_read() {
        assert_eq!(codes(r#"{"user":"u","balance_sats":1,"count":"x","root":"no"}"#), []);
        for text in [
            r#"{"count":"2"}"#,
            r#"{"root":"ab"}"#,
            r#"{"sample":{}}"#,
            r#"{"sample":[]}"#,
            r#"{"sample":{"seed":"s","size":1,"users":[1]}}"#,
            r#"{"as_of":1}"#,
        ] {
            assert_eq!(codes(text), [Code::SrcParse], "{text}");
        }
        assert_eq!(codes(r#"{"sum_sats":2100000000000001}"#), [Code::AmtRange]);
    }
}
