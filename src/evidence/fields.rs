//! Tolerant names, strict values: reading the members of a signed JSON object.

use super::envelope::content_id;
use super::json::Json;
use super::oc_me::BodyError;
use super::record::{Record, Refusal, excerpt, missing};
use crate::domain::{BlockHeight, EnvelopeId, Sats, UnixMicros, UserKey};

/// The time of Bitcoin's first block, 2009-01-03T18:15:05Z.
const FIRST_BLOCK: UnixMicros = UnixMicros(1_231_006_505_000_000);
/// What a time has to be.
const TIME_FORM: &str = "an ISO-8601 UTC time like 2026-05-01T00:00:00Z, from 2009-01-03T18:15:05Z on";

/// How the user is named, in order of preference (FORMATS 3.2).
const USER_MEMBERS: [&str; 4] = ["user_address", "did_oc", "identity", "user"];

/// The members of one signed object: those of a [`Record`] under the looser names of signed artifacts.
#[derive(Clone, Copy)]
pub(super) struct Fields<'j, 'a>(Record<'j, 'a>);

impl From<Refusal> for BodyError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unreadable(reason) => Self::schema("body", "a readable object", reason),
            Refusal::Member { member, expected, found } => Self::Schema { member, expected, found },
            Refusal::Amount { member, found } => Self::Amount { member, found },
        }
    }
}

impl<'j, 'a> Fields<'j, 'a> {
    /// The members when the value is an object.
    pub(super) fn of(json: &'j Json<'a>) -> Option<Self> {
        Record::of(json).ok().map(Self)
    }

    fn value<T>(
        self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'j Json<'a>) -> Option<T>,
    ) -> Result<Option<T>, BodyError> {
        Ok(self.0.read(name, what, read)?)
    }

    fn need<T>(value: Option<T>, name: &str) -> Result<T, BodyError> {
        value.ok_or_else(|| missing(name).into())
    }

    /// A text of bounded length. An empty one counts as absent.
    pub(super) fn text(self, name: &str) -> Result<Option<&'j str>, BodyError> {
        Ok(self.0.text(name)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn need_text(self, name: &str) -> Result<&'j str, BodyError> {
        Self::need(self.text(name)?, name)
    }

    /// The first member of these names that is there.
    pub(super) fn need_first_text(self, names: &[&str]) -> Result<&'j str, BodyError> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return Ok(text);
            }
        }
        Err(BodyError::schema(names.join(" or "), "a text", "missing"))
    }

    pub(super) fn user(self) -> Result<Option<UserKey>, BodyError> {
        for name in USER_MEMBERS {
            if let Some(user) = self.text(name)? {
                return Ok(Some(UserKey::from(user)));
            }
        }
        Ok(None)
    }

    pub(super) fn need_user(self) -> Result<UserKey, BodyError> {
        self.user()?.ok_or_else(|| BodyError::schema(USER_MEMBERS.join(" or "), "a user", "missing"))
    }

    /// An amount: a plain integer token within the supply. Any other number is an [`BodyError::Amount`].
    pub(super) fn sats(self, name: &str) -> Result<Option<Sats>, BodyError> {
        Ok(self.0.sats(name)?)
    }

    pub(super) fn need_sats(self, name: &str) -> Result<Sats, BodyError> {
        Self::need(self.sats(name)?, name)
    }

    pub(super) fn count(self, name: &str) -> Result<Option<u64>, BodyError> {
        self.value(name, "a count", Json::as_u64)
    }

    pub(super) fn need_count(self, name: &str) -> Result<u64, BodyError> {
        Self::need(self.count(name)?, name)
    }

    /// The `v` member as a plain number; `None` for any other value, and when it is missing.
    pub(super) fn version(self) -> Option<u8> {
        self.0.get("v").and_then(Json::as_u64).and_then(|v| u8::try_from(v).ok())
    }

    pub(super) fn height(self, name: &str) -> Result<Option<BlockHeight>, BodyError> {
        self.value(name, "a block height", |value| u32::try_from(value.as_u64()?).ok().map(BlockHeight))
    }

    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, BodyError> {
        self.value(name, "true or false", Json::as_bool)
    }

    /// An instant that somebody who signs for Bitcoin can mean: none is older than its first block.
    pub(super) fn time(self, name: &str) -> Result<Option<UnixMicros>, BodyError> {
        self.value(name, TIME_FORM, |value| value.as_str()?.parse().ok().filter(|time| *time >= FIRST_BLOCK))
    }

    /// Whether the member is there, whatever it is.
    pub(super) fn has(self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// The member as it stands, for a finding.
    pub(super) fn shown(self, name: &str) -> String {
        self.0.get(name).map_or_else(|| "missing".to_owned(), |value| excerpt(name, value))
    }

    /// The first member of these names that is there, as a time.
    pub(super) fn need_time(self, names: &[&str]) -> Result<UnixMicros, BodyError> {
        for name in names {
            if let Some(time) = self.time(name)? {
                return Ok(time);
            }
        }
        Err(BodyError::schema(names.join(" or "), TIME_FORM, "missing"))
    }

    /// 64 lower-case hex digits.
    pub(super) fn id(self, name: &str) -> Result<Option<EnvelopeId>, BodyError> {
        self.value(name, "64 lower-case hex digits", |value| content_id(value.as_str()?))
    }

    /// A list of ids; empty when absent.
    pub(super) fn ids(self, name: &str, limit: usize) -> Result<Vec<EnvelopeId>, BodyError> {
        let ids = self.value(name, "a list of 64-hex ids", |value| {
            let items = value.as_array().filter(|items| items.len() <= limit)?;
            items.iter().map(|item| content_id(item.as_str()?)).collect::<Option<Vec<_>>>()
        })?;
        Ok(ids.unwrap_or_default())
    }

    pub(super) fn object(self, name: &str) -> Result<Option<Self>, BodyError> {
        self.value(name, "an object", Self::of)
    }

    /// A list of objects.
    pub(super) fn objects(self, name: &str, limit: usize) -> Result<Option<Vec<Self>>, BodyError> {
        self.value(name, "a list of objects", |value| {
            let items = value.as_array().filter(|items| items.len() <= limit)?;
            items.iter().map(Self::of).collect()
        })
    }

    /// An object, or else (`Err`) a text.
    pub(super) fn object_or_text(self, name: &str) -> Result<Option<Result<Self, &'j str>>, BodyError> {
        match self.0.get(name).and_then(Self::of) {
            Some(object) => Ok(Some(Ok(object))),
            None => Ok(self.text(name)?.map(Err)),
        }
    }
}
