//! What a store has to hold: every leaf of the ledgers under its key, two indexes over the counted events, and what it all
//! comes from. Records are made when they are asked for; of an index its members' places are held.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::{Digest32, EnvelopeId, Names, UnixSeconds};
use crate::ledger::{CountedEvent, Journal, Ledgers};

use super::layout::{Kind, Layout};

/// The schema of the record that says what a store was restored from.
pub const META_SCHEMA: &str = "reledger/restore/1";

/// What the ledgers were rebuilt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The digest over all ledgers and registers.
    pub state_root: Digest32,
    /// sha256 of the run's report.
    pub report_sha256: Digest32,
    /// The instant judged for.
    pub as_of: UnixSeconds,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it holds.
    pub kind: Kind,
    /// Its final name.
    pub key: String,
    /// Canonical JSON.
    pub value: Vec<u8>,
}

/// A counted event under a name of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    name: Arc<str>,
    seconds: i64,
    id: EnvelopeId,
}

/// One sorted set with its members, ascending by score and then by name, as the server has them.
#[derive(Debug, Clone, Copy)]
pub struct Index<'c> {
    /// [`Kind::ByUser`] or [`Kind::ByProject`].
    pub kind: Kind,
    /// The user or the project.
    pub name: &'c str,
    marks: &'c [Mark],
}

impl<'c> Index<'c> {
    /// How many members it has.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Never: an index without members has no key.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Seconds since 1970 and envelope id, in that order of the two.
    pub fn members(&self) -> impl Iterator<Item = (i64, String)> + use<'c> {
        self.marks.iter().map(|mark| (mark.seconds, mark.id.to_string()))
    }
}

/// The least that is loaded at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A key with its value.
    Record(Record),
    /// A member of an index.
    Member {
        /// The index' key.
        key: String,
        /// Seconds since 1970.
        score: i64,
        /// The envelope's id.
        member: String,
    },
}

/// Everything that a store has to hold.
pub struct Content<'a> {
    ledgers: &'a Ledgers,
    journal: Journal<'a>,
    layout: &'a Layout,
    /// Ascending by user, then as [`Index::members`].
    by_user: Vec<Mark>,
    by_project: Vec<Mark>,
    counts: BTreeMap<Kind, u64>,
    meta: Record,
}

/// Counted events by user, and by project; there is one copy of each name.
fn marks(ledgers: &Ledgers) -> (Vec<Mark>, Vec<Mark>) {
    let mut names = Names::default();
    let mut mark = |name: &str, counted: &CountedEvent| Mark {
        name: names.shared(name),
        seconds: counted.event.occurred_at.seconds().0,
        id: counted.id,
    };
    let (mut by_user, mut by_project) = (Vec::new(), Vec::new());
    for counted in ledgers.envelope.events() {
        by_user.push(mark(counted.event.user.as_str(), &counted));
        by_project.extend(counted.event.project.as_ref().map(|project| mark(project.as_str(), &counted)));
    }
    by_user.sort_unstable();
    by_project.sort_unstable();
    (by_user, by_project)
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

impl<'a> Content<'a> {
    /// What these ledgers come to under this layout.
    pub fn new(ledgers: &'a Ledgers, journal: Journal<'a>, layout: &'a Layout, origin: &Origin) -> Self {
        let (by_user, by_project) = marks(ledgers);
        let mut counts = counts(ledgers);
        counts.insert(Kind::ByUser, groups(&by_user));
        counts.insert(Kind::ByProject, groups(&by_project));
        let members = [(Kind::ByUser, length(&by_user)), (Kind::ByProject, length(&by_project))];
        let meta = Record {
            kind: Kind::Meta,
            key: layout.key(Kind::Meta, "", None),
            value: meta(&counts, members, layout, origin),
        };
        counts.insert(Kind::Meta, 1);
        Self { ledgers, journal, layout, by_user, by_project, counts, meta }
    }

    /// Whose names the keys have.
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// How many keys there are of each kind.
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// Leaves of the ledgers: without one there is nothing to restore.
    pub fn leaves(&self) -> u64 {
        let is_leaf = |kind: &Kind| ![Kind::ByUser, Kind::ByProject, Kind::Meta].contains(kind);
        self.counts.iter().filter(|(kind, _)| is_leaf(kind)).map(|(_, count)| count).sum()
    }

    /// Members of both indexes.
    pub fn members(&self) -> u64 {
        length(&self.by_user) + length(&self.by_project)
    }

    /// All keys.
    pub fn keys(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Everything that is loaded.
    pub fn units(&self) -> u64 {
        self.leaves() + 1 + self.members()
    }

    /// What the store was restored from.
    pub fn meta(&self) -> &Record {
        &self.meta
    }

    /// Every record in canonical order, the one about the restore last.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let leaves = self.ledgers.named_leaves(&self.journal).map(|leaf| {
            let kind = Kind::from(leaf.kind);
            Record { kind, key: self.layout.key(kind, &leaf.name, leaf.project.as_deref()), value: leaf.bytes }
        });
        leaves.chain([self.meta.clone()])
    }

    /// Every index, ascending by name.
    pub fn indexes(&self) -> impl Iterator<Item = Index<'_>> {
        let users = by_name(&self.by_user).map(|marks| Index { kind: Kind::ByUser, name: &marks[0].name, marks });
        users.chain(by_name(&self.by_project).map(|marks| Index { kind: Kind::ByProject, name: &marks[0].name, marks }))
    }

    /// Records, then members of indexes, in an order that never changes: a place in it is how far a load came.
    pub fn all_units(&self) -> impl Iterator<Item = Unit> + '_ {
        let members = self.indexes().flat_map(|index| {
            let key = self.layout.key(index.kind, index.name, None);
            index.members().map(move |(score, member)| Unit::Member { key: key.clone(), score, member })
        });
        self.records().map(Unit::Record).chain(members)
    }
}

/// What each name has.
fn by_name(marks: &[Mark]) -> impl Iterator<Item = &[Mark]> {
    marks.chunk_by(|one, two| one.name == two.name)
}

fn groups(marks: &[Mark]) -> u64 {
    by_name(marks).fold(0, |count, _| count + 1)
}

/// Leaves by kind, counted without making those that are many.
fn counts(ledgers: &Ledgers) -> BTreeMap<Kind, u64> {
    let mut counts: BTreeMap<Kind, u64> = Kind::ALL.into_iter().map(|kind| (kind, 0)).collect();
    counts.extend(ledgers.leaf_counts().into_iter().map(|(kind, count)| (Kind::from(kind), count)));
    counts
}

fn meta(counts: &BTreeMap<Kind, u64>, members: [(Kind, u64); 2], layout: &Layout, origin: &Origin) -> Vec<u8> {
    let counts: BTreeMap<&str, u64> =
        counts.iter().filter(|(kind, _)| **kind != Kind::Meta).map(|(kind, count)| (kind.name(), *count)).collect();
    let members: BTreeMap<&str, u64> = members.into_iter().map(|(kind, count)| (kind.name(), count)).collect();
    let document: BTreeMap<&str, Value> = BTreeMap::from([
        ("as_of", json!(origin.as_of.0)),
        ("counts", json!(counts)),
        ("layout_sha256", json!(layout.digest().to_hex())),
        ("members", json!(members)),
        ("report_sha256", json!(origin.report_sha256.to_hex())),
        ("schema", json!(META_SCHEMA)),
        ("state_root", json!(origin.state_root.to_hex())),
    ]);
    serde_json::to_vec(&document).unwrap_or_default()
}
