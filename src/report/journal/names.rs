//! Names of accounts that other programs take, one to one with ours, whatever stands in them.

use super::ask::Dialect;
use crate::domain::TaggedHasher;
use crate::ledger::Account;
use crate::report::Pseudonyms;

/// Longest foreign name that is written as it is.
const PART_BYTES_MAX: usize = 64;
/// Bytes of a foreign name that stay readable in the name made for it.
const SLUG_BYTES_MAX: usize = 24;
/// Hex digits that tell made names apart: 160 bits, since names can be chosen to collide.
const MARK_DIGITS: usize = 40;

/// One step of an account's path.
enum Part<'a> {
    /// A word of ours.
    Word(&'a str),
    /// A name that others chose.
    Name(&'a str),
    /// A user.
    User(&'a str),
}

/// How one account is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    /// In the dialect.
    pub(super) name: String,
    /// As TREASURY 5.1 writes it, with users as they are shown; what may break a line or a tag in foreign parts is
    /// percent-encoded (RFC 3986 2.1).
    pub(super) native: String,
    /// Its first foreign part as it is shown: whose account it is.
    pub(super) holder: String,
}

fn parts(account: &Account) -> Vec<Part<'_>> {
    use Part::{Name, User, Word};
    match account {
        Account::Custody(federation) => vec![Word("Custody"), Name(federation.as_str())],
        Account::InFlight(operation) => vec![Word("InFlight"), Name(operation.as_str())],
        Account::Escrow(project) => vec![Word("Escrow"), Name(project.as_str())],
        Account::Rebate(project) => vec![Word("Rebate"), Name(project.as_str())],
        Account::UserMaturing(user, window) => {
            vec![Word("User"), User(user.as_str()), Word("Maturing"), Name(window.as_str())]
        }
        Account::UserAvailable(user) => vec![Word("User"), User(user.as_str()), Word("Available")],
        Account::UserInFlight(user) => vec![Word("User"), User(user.as_str()), Word("InFlight")],
        Account::PlatformAccrued => vec![Word("Platform"), Word("Accrued")],
        Account::PlatformSettled => vec![Word("Platform"), Word("Settled")],
        Account::Operator(operator) => vec![Word("Operator"), Name(operator)],
        Account::Rounding(federation) => vec![Word("Rounding"), Name(federation.as_str())],
        Account::Suspense(code) => vec![Word("Suspense"), Word(code)],
    }
}

/// How the account is called in the dialect; CSV calls it as hledger does.
pub(super) fn called(account: &Account, dialect: Dialect, names: &Pseudonyms) -> Called {
    let (root, side) = if account.is_asset() { ("Assets", "A") } else { ("Liabilities", "L") };
    let (mut name, mut native, mut holder) = (root.to_owned(), side.to_owned(), None);
    for part in parts(account) {
        let (word, foreign) = match part {
            Part::Word(word) => (word.to_owned(), false),
            Part::Name(text) => (text.to_owned(), true),
            Part::User(user) => (names.name(user), true),
        };
        name.push(':');
        native.push(':');
        if foreign {
            name.push_str(&foreign_part(&word, dialect));
            native.push_str(&encoded(&word));
            holder.get_or_insert(word);
        } else {
            name.push_str(&own_part(&word, dialect));
            native.push_str(&word);
        }
    }
    Called { name, native, holder: holder.unwrap_or_default() }
}

/// A word of ours: beancount wants a capital first and has no underscore.
fn own_part(word: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Hledger | Dialect::Csv => word.to_owned(),
        Dialect::Beancount => capitalised(&word.replace('_', "-")),
    }
}

/// A foreign name where the dialect takes it, else one made for it. No two names become one: what is written as it is, or
/// with a capital for its small first letter, never ends in a mark; what would need a capital it has already gets a mark.
fn foreign_part(text: &str, dialect: Dialect) -> String {
    let first = text.as_bytes().first().copied().unwrap_or_default();
    let is_short = (1..=PART_BYTES_MAX).contains(&text.len()) && !is_marked(text);
    match dialect {
        Dialect::Hledger | Dialect::Csv => {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if is_short && first.is_ascii_alphanumeric() && text.bytes().all(is_plain) {
                return text.to_owned();
            }
        }
        Dialect::Beancount => {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let starts = first.is_ascii_digit() || first.is_ascii_lowercase();
            if is_short && starts && text.bytes().all(is_plain) {
                return capitalised(text);
            }
        }
    }
    marked(text)
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// A readable beginning, `-x`, and digits of the name's digest.
fn marked(text: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let slug: String = text.chars().map(plain).take(SLUG_BYTES_MAX).collect();
    let slug = slug.trim_matches('-');
    let mut hasher = TaggedHasher::new("reledger/journal-name/1");
    hasher.field(text.as_bytes());
    let hex = hasher.finish().to_hex();
    format!(
        "{}-x{}",
        if slug.is_empty() { "X".to_owned() } else { capitalised(slug) },
        hex.get(..MARK_DIGITS).unwrap_or(&hex)
    )
}

/// True for what ends as a made name does.
fn is_marked(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let Some(at) = text.len().checked_sub(MARK_DIGITS + 2) else { return false };
    text.get(at..).and_then(|end| end.strip_prefix("-x")).is_some_and(|digits| digits.bytes().all(is_digit))
}

/// Letters, digits, `-`, `_`, `.` and `~` as they are, every other byte as `%` and two digits.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
