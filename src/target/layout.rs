//! How keys are named: one template for each kind of record, told apart by what they begin with.

use std::collections::BTreeMap;

use crate::domain::{Digest32, sha256};
use crate::ledger::LeafKind;

/// Characters of a prefix or a template. Names are paid for by each of a million keys.
const TEXT_MAX: usize = 200;
/// Below the prefix, what a restore keeps for itself begins with this.
const CONTROL: &str = "reledger:";

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An envelope that is no rebind.
    Envelope,
    /// A custody transition envelope.
    Rebind,
    /// A graduation.
    Graduation,
    /// A rotation.
    Rotation,
    /// A guardian descriptor.
    Descriptor,
    /// An entry of the treasury's journal.
    Treasury,
    /// An attestation with its level.
    Attestation,
    /// A price config.
    Project,
    /// The counted events of a user by time.
    ByUser,
    /// The counted events of a project by time.
    ByProject,
    /// What the store was restored from.
    Meta,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Envelope,
        Self::Rebind,
        Self::Graduation,
        Self::Rotation,
        Self::Descriptor,
        Self::Treasury,
        Self::Attestation,
        Self::Project,
        Self::ByUser,
        Self::ByProject,
        Self::Meta,
    ];

    /// Its name in configurations and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Rebind => "rebind",
            Self::Graduation => "graduation",
            Self::Rotation => "rotation",
            Self::Descriptor => "descriptor",
            Self::Treasury => "treasury",
            Self::Attestation => "attestation",
            Self::Project => "project",
            Self::ByUser => "by_user",
            Self::ByProject => "by_project",
            Self::Meta => "meta",
        }
    }

    /// The template unless another is configured.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Envelope => "envelope:{id}",
            Self::Rebind => "rebind:{id}",
            Self::Graduation => "graduation:{id}",
            Self::Rotation => "rotation:{id}",
            Self::Descriptor => "descriptor:{id}",
            Self::Treasury => "treasury:{fact}",
            Self::Attestation => "attestation:{id}",
            Self::Project => "project:{project}:{config}",
            Self::ByUser => "by_user:{user}",
            Self::ByProject => "by_project:{project}",
            Self::Meta => "meta",
        }
    }

    /// The placeholder that names one record of the kind, and one that may stand beside it.
    const fn placeholders(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Envelope
            | Self::Rebind
            | Self::Graduation
            | Self::Rotation
            | Self::Descriptor
            | Self::Attestation => (Some("id"), None),
            Self::Treasury => (Some("fact"), None),
            Self::Project => (Some("config"), Some("project")),
            Self::ByUser => (Some("user"), None),
            Self::ByProject => (Some("project"), None),
            Self::Meta => (None, None),
        }
    }
}

impl From<LeafKind> for Kind {
    fn from(kind: LeafKind) -> Self {
        match kind {
            LeafKind::Envelope => Self::Envelope,
            LeafKind::Rebind => Self::Rebind,
            LeafKind::Graduation => Self::Graduation,
            LeafKind::Rotation => Self::Rotation,
            LeafKind::Descriptor => Self::Descriptor,
            LeafKind::Treasury => Self::Treasury,
            LeafKind::Attestation => Self::Attestation,
            LeafKind::Project => Self::Project,
        }
    }
}

/// Why a layout can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A prefix or template has characters that a name should not have, or too many.
    #[error("`{0}` is longer than 200 characters or has control characters")]
    Text(&'static str),
    /// A template has a placeholder that its kind does not know, or a brace without its other one.
    #[error("`{kind}` has the placeholder {found}; it knows {known}")]
    Placeholder {
        /// Whose template.
        kind: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        known: String,
    },
    /// Two records of the kind would have one key.
    #[error("`{kind}` needs {{{placeholder}}} once: without it two records have one key")]
    Ambiguous {
        /// Whose template.
        kind: &'static str,
        /// What is missing or repeated.
        placeholder: &'static str,
    },
    /// Nothing tells two kinds apart.
    #[error("`{one}` and `{other}` collide: what stands before the first placeholder of one begins the other's keys")]
    Collision {
        /// A kind, or `reledger:`, which a restore keeps for itself.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The placeholder that names the record.
    Name,
    /// The project of a price config.
    Beside,
}

/// The names of all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    prefix: String,
    templates: BTreeMap<Kind, (String, Vec<Part>)>,
}

impl Layout {
    /// The prefix unless another is configured.
    pub const PREFIX: &'static str = "oc:";

    /// A layout of the defaults with these templates in their places.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn new(prefix: &str, templates: &BTreeMap<Kind, String>) -> Result<Self, LayoutError> {
        bounded("prefix", prefix)?;
        let mut parsed = BTreeMap::new();
        for kind in Kind::ALL {
            let template = templates.get(&kind).map_or(kind.template(), String::as_str);
            bounded(kind.name(), template)?;
            parsed.insert(kind, (template.to_owned(), parts(kind, template)?));
        }
        let layout = Self { prefix: prefix.to_owned(), templates: parsed };
        let heads: Vec<(&'static str, &str)> =
            Kind::ALL.into_iter().map(|kind| (kind.name(), layout.head(kind))).chain([(CONTROL, CONTROL)]).collect();
        for (at, (one, head)) in heads.iter().enumerate() {
            let clash = heads[at + 1..].iter().find(|(_, next)| head.starts_with(next) || next.starts_with(head));
            if let Some((other, _)) = clash {
                return Err(LayoutError::Collision { one, other });
            }
        }
        Ok(layout)
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a record; `project` is that of a price config.
    pub fn key(&self, kind: Kind, name: &str, project: Option<&str>) -> String {
        let mut key = String::with_capacity(self.prefix.len() + 32 + name.len());
        key.push_str(&self.prefix);
        for part in self.parts(kind) {
            key.push_str(match part {
                Part::Text(text) => text,
                Part::Name => name,
                Part::Beside => project.unwrap_or_default(),
            });
        }
        key
    }

    /// Prefix and template of a kind, for people.
    pub fn example(&self, kind: Kind) -> String {
        format!("{}{}", self.prefix, self.templates.get(&kind).map_or("", |(template, _)| template))
    }

    /// A key that a restore keeps for itself.
    pub fn control(&self, name: &str) -> String {
        format!("{}{CONTROL}{name}", self.prefix)
    }

    /// The kind whose keys look like this one; whether it is one of them is another question.
    pub fn kind_of(&self, key: &[u8]) -> Option<Kind> {
        let rest = key.strip_prefix(self.prefix.as_bytes())?;
        let kind = Kind::ALL.into_iter().find(|kind| rest.starts_with(self.head(*kind).as_bytes()))?;
        let (head, tail) = (self.head(kind), self.tail(kind));
        let fits = match kind {
            Kind::Meta => rest == head.as_bytes(),
            _ => rest.len() >= head.len() + tail.len() && rest.ends_with(tail.as_bytes()),
        };
        fits.then_some(kind)
    }

    /// Digest of prefix and templates: states under two layouts are two stores.
    pub fn digest(&self) -> Digest32 {
        let lines = self.templates.iter().map(|(kind, (template, _))| format!("{}={template}\n", kind.name()));
        sha256([format!("prefix={}\n", self.prefix)].into_iter().chain(lines).collect::<String>().as_bytes())
    }

    fn parts(&self, kind: Kind) -> &[Part] {
        self.templates.get(&kind).map(|(_, parts)| parts.as_slice()).unwrap_or_default()
    }

    fn head(&self, kind: Kind) -> &str {
        text(self.parts(kind).first())
    }

    fn tail(&self, kind: Kind) -> &str {
        text(self.parts(kind).get(1..).unwrap_or_default().last())
    }
}

fn text(part: Option<&Part>) -> &str {
    match part {
        Some(Part::Text(text)) => text,
        _ => "",
    }
}

fn bounded(name: &'static str, text: &str) -> Result<(), LayoutError> {
    let fits = text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(LayoutError::Text(name)) }
}

fn parts(kind: Kind, template: &str) -> Result<Vec<Part>, LayoutError> {
    let (needed, beside) = kind.placeholders();
    let unknown = |found: &str| {
        let known: Vec<String> = needed.into_iter().chain(beside).map(|name| format!("{{{name}}}")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(" and ") };
        LayoutError::Placeholder { kind: kind.name(), found: found.to_owned(), known }
    };
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let end = from.find('}').filter(|_| from.starts_with('{')).ok_or_else(|| unknown(from))?;
        let name = &from[1..end];
        parts.push(match Some(name) {
            name if name == needed => Part::Name,
            name if name == beside => Part::Beside,
            _ => return Err(unknown(&from[..=end])),
        });
        rest = &from[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    let times = |wanted: &Part| parts.iter().filter(|part| *part == wanted).count();
    match (needed, beside) {
        (Some(placeholder), _) if times(&Part::Name) != 1 => {
            Err(LayoutError::Ambiguous { kind: kind.name(), placeholder })
        }
        (_, Some(placeholder)) if times(&Part::Beside) > 1 => {
            Err(LayoutError::Ambiguous { kind: kind.name(), placeholder })
        }
        _ => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(prefix: &str, changed: &[(Kind, &str)]) -> Result<Layout, LayoutError> {
        Layout::new(prefix, &changed.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect())
    }

    #[test]
    fn every_key_is_of_the_kind_that_it_was_made_for() {
        let own = [(Kind::Envelope, "e/{id}/1"), (Kind::Project, "p-{config}-{project}"), (Kind::Meta, "about")];
        for layout in [layout("oc:", &[]).unwrap(), layout("", &own).unwrap(), layout("{x}:", &own).unwrap()] {
            for kind in Kind::ALL {
                for name in ["a", "", "a:b", "{id}", "envelope:x", "\u{e9}"] {
                    let key = layout.key(kind, name, Some("p"));
                    assert_eq!(layout.kind_of(key.as_bytes()), Some(kind), "{key}");
                }
            }
            assert_eq!(layout.kind_of(layout.control("names").as_bytes()), None);
            assert_eq!(layout.kind_of(b"session:1"), None);
        }
        let layout = layout("", &own).unwrap();
        assert_eq!(layout.key(Kind::Envelope, "ab", None), "e/ab/1");
        assert_eq!(layout.key(Kind::Project, "ab", Some("breez")), "p-ab-breez");
        assert_eq!(layout.kind_of(b"e/ab/2"), None, "another end is another key");
        assert_eq!(layout.kind_of(b"about2"), None);
    }

    #[test]
    fn a_placeholder_that_the_kind_does_not_know_is_refused() {
        let bad = ["envelope:{user}", "envelope:{id", "envelope:}{id}", "envelope:{}", "envelope:{id}{ID}", "e:{id}}"];
        for template in bad {
            let error = layout("", &[(Kind::Envelope, template)]).unwrap_err();
            assert!(error.to_string().contains("placeholder"), "{template}: {error}");
        }
        assert!(layout("", &[(Kind::Meta, "meta:{id}")]).is_err());
    }

    #[test]
    fn two_records_never_have_one_key() {
        for (kind, template) in [
            (Kind::Envelope, "envelope"),
            (Kind::Envelope, "envelope:{id}:{id}"),
            (Kind::Project, "project:{project}"),
            (Kind::Project, "project:{project}:{project}:{config}"),
        ] {
            let error = layout("", &[(kind, template)]).unwrap_err();
            assert!(error.to_string().contains("once"), "{template}: {error}");
        }
        assert!(layout("", &[(Kind::Project, "project:{config}")]).is_ok());
    }

    #[test]
    fn kinds_that_nothing_tells_apart_are_refused() {
        for (kind, template) in [
            (Kind::Rebind, "envelope:{id}"),
            (Kind::Rebind, "envelope:rebind:{id}"),
            (Kind::Rebind, "env{id}"),
            (Kind::Rebind, "{id}"),
            (Kind::Meta, "envelope:meta"),
            (Kind::Meta, ""),
            (Kind::Meta, "reledger:meta"),
            (Kind::ByUser, "reledger:{user}"),
            (Kind::ByUser, "re{user}"),
        ] {
            let error = layout("", &[(kind, template)]).unwrap_err();
            assert!(error.to_string().contains("collide"), "{template}: {error}");
        }
        assert!(
            layout("", &[(Kind::Rebind, "envelopes:{id}")]).is_ok(),
            "`envelopes:` does not begin with `envelope:`"
        );
    }

    #[test]
    fn names_are_bounded_and_inert() {
        assert!(layout(&"x".repeat(201), &[]).is_err());
        assert!(layout("a\nb", &[]).is_err());
        assert!(layout("", &[(Kind::Meta, "m\u{7f}")]).is_err());
        assert!(layout(&"x".repeat(200), &[]).is_ok());
    }

    #[test]
    fn another_layout_has_another_digest() {
        let usual = layout("oc:", &[]).unwrap().digest();
        assert_eq!(layout("oc:", &[(Kind::Meta, "meta")]).unwrap().digest(), usual);
        assert_ne!(layout("oc", &[]).unwrap().digest(), usual);
        assert_ne!(layout("oc:", &[(Kind::Meta, "about")]).unwrap().digest(), usual);
    }
}
