//! Relay-to-client messages (NIP-01, NIP-42, NIP-67), read without touching the bytes of the event inside.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a relay adds to its end-of-stored-events (NIP-67).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing: stored events were sent up to a cap that is not told.
    Silent,
    /// Nothing is left.
    Finish,
    /// There is more below.
    More,
}

/// One text message of a relay.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    Event {
        subscription: Cow<'a, str>,
        event: &'a str,
    },
    Eose {
        subscription: Cow<'a, str>,
        hint: Hint,
    },
    Closed {
        subscription: Cow<'a, str>,
        reason: Cow<'a, str>,
    },
    Notice(Cow<'a, str>),
    /// A challenge (NIP-42).
    Auth(Cow<'a, str>),
    /// The word on an event that was given (NIP-01).
    Ok {
        id: Cow<'a, str>,
        accepted: bool,
        reason: Cow<'a, str>,
    },
    /// A count (NIP-45); `None` for one that is approximate or can't be read.
    Count {
        subscription: Cow<'a, str>,
        count: Option<u64>,
    },
    /// A message of a reconciliation, in hex (NIP-77).
    NegMessage {
        subscription: Cow<'a, str>,
        hex: Cow<'a, str>,
    },
    /// The end of a reconciliation that the relay will not go on with (NIP-77).
    NegError {
        subscription: Cow<'a, str>,
        reason: Cow<'a, str>,
    },
    /// A well-formed message that no question of ours calls for (vendor messages).
    Foreign,
    Malformed,
}

impl<'a> Frame<'a> {
    /// Reads one text message. The event of an `EVENT` message is the exact slice of the message.
    pub(super) fn read(text: &'a str) -> Self {
        let Ok(parts) = serde_json::from_str::<Parts<'a>>(text) else { return Self::Malformed };
        let Some(name) = parts.0.first().and_then(|raw| string(raw)) else { return Self::Malformed };
        let second = parts.0.get(1).copied();
        let second_text = second.and_then(string);
        let third = parts.0.get(2).copied();
        match (name.as_ref(), second_text, third) {
            ("EVENT", Some(subscription), Some(event)) => Self::Event { subscription, event: event.get() },
            ("EOSE", Some(subscription), hint) => Self::Eose { subscription, hint: hint.map_or(Hint::Silent, hint_of) },
            ("CLOSED", Some(subscription), reason) => {
                Self::Closed { subscription, reason: reason.and_then(string).unwrap_or_default() }
            }
            ("NOTICE", Some(notice), _) => Self::Notice(notice),
            ("AUTH", Some(challenge), _) => Self::Auth(challenge),
            ("OK", Some(id), Some(verdict)) => match serde_json::from_str(verdict.get()) {
                Ok(accepted) => {
                    Self::Ok { id, accepted, reason: parts.0.get(3).and_then(|raw| string(raw)).unwrap_or_default() }
                }
                Err(_) => Self::Malformed,
            },
            ("COUNT", Some(subscription), Some(count)) => Self::Count { subscription, count: exact(count) },
            ("NEG-MSG", Some(subscription), Some(hex)) => match string(hex) {
                Some(hex) => Self::NegMessage { subscription, hex },
                None => Self::Malformed,
            },
            ("NEG-ERR", Some(subscription), reason) => {
                Self::NegError { subscription, reason: reason.and_then(string).unwrap_or_default() }
            }
            ("EVENT" | "EOSE" | "CLOSED" | "NOTICE" | "AUTH" | "COUNT" | "NEG-MSG" | "NEG-ERR" | "OK", ..) => {
                Self::Malformed
            }
            _ => Self::Foreign,
        }
    }
}

/// The members of a message: the first four are looked at, more are tolerated and dropped.
struct Parts<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstFour;
        impl<'de> serde::de::Visitor<'de> for FirstFour {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a relay message")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::with_capacity(4);
                while let Some(member) = members.next_element::<&'de RawValue>()? {
                    if parts.len() < 4 {
                        parts.push(member);
                    }
                }
                Ok(parts)
            }
        }
        deserializer.deserialize_seq(FirstFour).map(Parts)
    }
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

fn hint_of(raw: &RawValue) -> Hint {
    // Seen both as a bare string and inside an array.
    let words = match string(raw) {
        Some(word) => vec![word.into_owned()],
        None => serde_json::from_str::<Vec<String>>(raw.get()).unwrap_or_default(),
    };
    match words.first().map(String::as_str) {
        Some("finish") => Hint::Finish,
        Some("more") => Hint::More,
        _ => Hint::Silent,
    }
}

fn exact(raw: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Count {
        count: u64,
        #[serde(default)]
        approximate: bool,
    }
    let count: Count = serde_json::from_str(raw.get()).ok()?;
    (!count.approximate).then_some(count.count)
}

/// The members of an event that a relay's answer is checked by. Nothing here is verified.
#[derive(Debug, Deserialize)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    pub(super) kind: u64,
    /// What is beyond what a question can name falls together at its end.
    #[serde(deserialize_with = "time")]
    pub(super) created_at: i64,
    #[serde(borrow, default)]
    pubkey: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    // The least number marks what has no time.
    let wide = i128::deserialize(deserializer)?.clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX));
    i64::try_from(wide).map_err(serde::de::Error::custom)
}

impl<'a> Header<'a> {
    /// Reads the header, or `None` for an object that the decoder will have to judge.
    pub(super) fn read(event: &'a str) -> Option<Self> {
        serde_json::from_str(event).ok()
    }

    /// Who says to have written it.
    pub(super) fn author(&self) -> Option<String> {
        self.pubkey.and_then(string).map(Cow::into_owned)
    }

    /// The values of its `d` tags.
    pub(super) fn addresses(&self) -> Vec<String> {
        let tags = self.tags.and_then(|tags| serde_json::from_str::<Vec<Vec<String>>>(tags.get()).ok());
        let named = tags.unwrap_or_default().into_iter().filter(|tag| tag.first().is_some_and(|name| name == "d"));
        named.filter_map(|tag| tag.into_iter().nth(1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_the_exact_slice() {
        let text = r#" ["EVENT" , "s1",  {"id":"00", "kind":1,"created_at":5, "content":"a\u0041" } ]"#;
        let Frame::Event { subscription, event } = Frame::read(text) else { panic!("not an event") };
        assert_eq!(subscription, "s1");
        assert_eq!(event, r#"{"id":"00", "kind":1,"created_at":5, "content":"a\u0041" }"#);
        let header = Header::read(event).unwrap();
        assert_eq!((header.id.as_ref(), header.kind, header.created_at), ("00", 1, 5));
    }

    #[test]
    fn a_time_that_no_question_can_name_is_the_last_that_one_can() {
        let read = |time: &str| {
            Header::read(&format!(r#"{{"id":"a","kind":1,"created_at":{time}}}"#)).map(|header| header.created_at)
        };
        assert_eq!(read("9223372036854775808"), Some(i64::MAX));
        assert_eq!(read("18446744073709551616"), Some(i64::MAX));
        assert_eq!(read("-9223372036854775809"), Some(i64::MIN + 1));
        assert_eq!((read("-5"), read("5.0"), read("1e3"), read("\"5\"")), (Some(-5), None, None, None));
    }

    #[test]
    fn endings_are_told_apart() {
        assert!(matches!(Frame::read(r#"["EOSE","s"]"#), Frame::Eose { hint: Hint::Silent, .. }));
        assert!(matches!(Frame::read(r#"["EOSE","s","finish"]"#), Frame::Eose { hint: Hint::Finish, .. }));
        assert!(matches!(Frame::read(r#"["EOSE","s",["finish"]]"#), Frame::Eose { hint: Hint::Finish, .. }));
        assert!(matches!(Frame::read(r#"["EOSE","s","more"]"#), Frame::Eose { hint: Hint::More, .. }));
        assert!(matches!(Frame::read(r#"["EOSE","s",7]"#), Frame::Eose { hint: Hint::Silent, .. }));
        assert!(matches!(Frame::read(r#"["CLOSED","s"]"#), Frame::Closed { .. }));
        assert!(matches!(Frame::read(r#"["NOTICE","no\u0020"]"#), Frame::Notice(text) if text == "no "));
        assert!(matches!(Frame::read(r#"["AUTH","challenge"]"#), Frame::Auth(text) if text == "challenge"));
        assert!(matches!(Frame::read(r#"["OK","x",true,""]"#), Frame::Ok { accepted: true, .. }));
        assert!(
            matches!(Frame::read(r#"["OK","x",false,"why"]"#), Frame::Ok { accepted: false, reason, .. } if reason == "why")
        );
        assert!(matches!(Frame::read(r#"["OK","x",1]"#), Frame::Malformed));
    }

    #[test]
    fn counts_are_believed_when_exact_and_reconciliations_are_read() {
        assert!(matches!(Frame::read(r#"["COUNT","s",{"count":7}]"#), Frame::Count { count: Some(7), .. }));
        for vague in [r#"["COUNT","s",{"count":7,"approximate":true}]"#, r#"["COUNT","s",{"count":-7}]"#] {
            assert!(matches!(Frame::read(vague), Frame::Count { count: None, .. }), "{vague}");
        }
        assert!(matches!(Frame::read(r#"["NEG-MSG","s","61"]"#), Frame::NegMessage { hex, .. } if hex == "61"));
        assert!(matches!(Frame::read(r#"["NEG-ERR","s","blocked"]"#), Frame::NegError { .. }));
        for text in [r#"["NEG-MSG","s"]"#, r#"["NEG-MSG","s",1]"#, r#"["COUNT","s"]"#] {
            assert!(matches!(Frame::read(text), Frame::Malformed), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_message_is_malformed() {
        for text in
            ["", "{}", "[]", "[1]", r#"["EVENT"]"#, r#"["EVENT","s"]"#, r#"["EVENT",1,{}]"#, r#"["EOSE"]"#, "[[[["]
        {
            assert!(matches!(Frame::read(text), Frame::Malformed), "{text}");
        }
    }

    #[test]
    fn an_unreadable_event_object_has_no_header() {
        for event in
            ["1", "{}", r#"{"id":"a","kind":1.5,"created_at":1}"#, r#"{"id":"a","id":"b","kind":1,"created_at":1}"#]
        {
            assert!(Header::read(event).is_none(), "{event}");
        }
    }
}
