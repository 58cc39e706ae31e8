//! Reading the members of one unsigned or settlement record: strict values, and a finding for what can't be read.

use super::Decoded;
use super::json::{self, Json, JsonError};
use super::limits::{RECORD_BYTES_MAX, TEXT_FIELD_BYTES_MAX};
use crate::domain::{Code, Finding, Media, Msat, Sats, Severity, Subject, UnixSeconds, sha256};

/// Why a record can't become a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not what it is said to be.
    Unreadable(String),
    /// A member is missing or of another form.
    Member {
        /// Which member.
        member: String,
        /// The form that it should have.
        expected: String,
        /// What stands there, shortened; `missing` when nothing does.
        found: String,
    },
    /// A number stands where an amount belongs, and no amount can be that number.
    Amount {
        /// Which member.
        member: String,
        /// The number as written.
        found: String,
    },
}

/// The longest excerpt of a value in a finding, in characters.
const EXCERPT_CHARS: usize = 120;
/// Members of these names may hold what spends money or unlocks something, so their values are never shown.
const SECRETIVE: [&str; 5] = ["preimage", "notes", "secret", "password", "macaroon"];

impl Refusal {
    /// A member that is not what it should be.
    pub(super) fn of_member(member: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Member { member: member.to_owned(), expected: expected.into(), found: found.into() }
    }

    /// Why, in words.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unreadable(reason) => reason.clone(),
            Self::Member { member, expected, found } => format!("member {member} is {found}, expected {expected}"),
            Self::Amount { member, found } => format!("member {member} is {found}, not an amount"),
        }
    }

    /// The answer for such a record.
    pub(super) fn answer(&self, media: Media, bytes: &[u8]) -> Decoded {
        Decoded::Undecodable(vec![self.finding(media, bytes)])
    }

    /// SRC_PARSE or AMT_RANGE, about the record's media and hash.
    pub(super) fn finding(&self, media: Media, bytes: &[u8]) -> Finding {
        let subject = Subject::new("media", media).and("sha256", sha256(bytes));
        match self {
            Self::Unreadable(_) | Self::Member { .. } => {
                let finding = Finding::new(Code::SrcParse, subject)
                    .with_values(format!("a readable {media} record"), self.reason())
                    .with_explanation("the record can't be read; its bytes are kept");
                // DIVERGENCES: what can't be read in a settlement log may hide money, so there it is an error.
                if media == Media::Settlement { finding.with_severity(Severity::Error) } else { finding }
            }
            Self::Amount { member, found } => Finding::new(Code::AmtRange, subject.and("member", member))
                .with_values("a whole amount from 0 to 21 million bitcoin", found)
                .with_explanation("no amount can be this number; the record is not counted"),
        }
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match &error.duplicate_key {
            Some(key) => Self::Unreadable(format!("{error}: {key}")),
            None => Self::Unreadable(error.to_string()),
        }
    }
}

/// Reads the JSON text of one record.
///
/// # Errors
/// [`Refusal::Unreadable`] above the size limit or for what the strict reader refuses.
pub(super) fn parse(bytes: &[u8]) -> Result<Json<'_>, Refusal> {
    bounded(bytes)?;
    Ok(json::parse(bytes)?)
}

/// Refuses a record above the size limit.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(super) fn bounded(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Refusal::Unreadable(format!("more than {RECORD_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// The members of one object. A member that is `null` counts as absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'j, 'a>(pub(super) &'j Json<'a>);

impl<'j, 'a> Record<'j, 'a> {
    /// The members when the value is an object.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub(super) fn of(json: &'j Json<'a>) -> Result<Self, Refusal> {
        match json.members() {
            Some(_) => Ok(Self(json)),
            None => Err(Refusal::Unreadable("not an object".to_owned())),
        }
    }

    /// The member of that name, unless `null`.
    pub(super) fn get(self, name: &str) -> Option<&'j Json<'a>> {
        self.0.get_some(name)
    }

    /// A member read by `read`; what it refuses is not `what`.
    ///
    /// # Errors
    /// [`Refusal::Member`].
    pub(super) fn read<T>(
        self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'j Json<'a>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| Refusal::of_member(name, what, excerpt(name, value)))
    }

    /// A text of bounded length, possibly empty.
    ///
    /// # Errors
    /// [`Refusal::Member`].
    pub(super) fn text(self, name: &str) -> Result<Option<&'j str>, Refusal> {
        self.read(name, "a text of at most 4096 bytes", |value| {
            value.as_str().filter(|text| text.len() <= TEXT_FIELD_BYTES_MAX)
        })
    }

    /// As [`Self::text`]; the member must be there.
    ///
    /// # Errors
    /// [`Refusal::Member`].
    pub(super) fn need_text(self, name: &str) -> Result<&'j str, Refusal> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A member that is an object.
    ///
    /// # Errors
    /// [`Refusal::Member`].
    pub(super) fn need_object(self, name: &str) -> Result<Self, Refusal> {
        self.read(name, "an object", |value| Self::of(value).ok())?.ok_or_else(|| missing(name))
    }

    /// A count of satoshi: a plain integer token within the supply.
    ///
    /// # Errors
    /// [`Refusal::Amount`] for any other number, [`Refusal::Member`] for what is no number.
    pub(super) fn sats(self, name: &str) -> Result<Option<Sats>, Refusal> {
        self.amount(name, |value| Sats::new(value).ok())
    }

    /// A count of millisatoshi, as [`Self::sats`].
    ///
    /// # Errors
    /// As [`Self::sats`].
    pub(super) fn msat(self, name: &str) -> Result<Option<Msat>, Refusal> {
        self.amount(name, |value| Msat::new(value).ok())
    }

    fn amount<T>(self, name: &str, accept: impl FnOnce(u64) -> Option<T>) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Some(found) = value.as_number() else {
            return Err(Refusal::of_member(name, "a number", excerpt(name, value)));
        };
        match value.as_u64().and_then(accept) {
            Some(amount) => Ok(Some(amount)),
            None => Err(Refusal::Amount { member: name.to_owned(), found: found.to_owned() }),
        }
    }

    /// A Unix time in whole seconds.
    ///
    /// # Errors
    /// [`Refusal::Member`].
    pub(super) fn seconds(self, name: &str) -> Result<Option<UnixSeconds>, Refusal> {
        self.read(name, "a Unix time in whole seconds", |value| i64::try_from(value.as_u64()?).ok().map(UnixSeconds))
    }
}

/// The refusal for a member that has to be there.
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::of_member(name, "a value", "missing")
}

/// The value as it stands, shortened for a finding.
pub(super) fn excerpt(name: &str, value: &Json<'_>) -> String {
    let text = value.to_compact();
    if SECRETIVE.iter().any(|word| name.contains(word)) {
        return format!("a value of {} bytes", text.len());
    }
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}... ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}
