//! SRC_DRIFT: lists that should say the same and do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::domain::{Code, Digest32, FederationSlug, Finding, Subject};

use super::audit::Audit;
use super::reconciler::Input;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let found = input.declared.drift.iter().map(|drift| finding(&drift.list, &drift.expected, &drift.observed));
    audit.findings.extend(found);
    if !input.set.directories.is_empty() || !input.set.charters.is_empty() {
        let published = Published::of(input);
        let pinned: Vec<&FederationSlug> = input.policy.settlement_keys.keys().collect();
        let mut found: Vec<Finding> = pinned.iter().flat_map(|slug| published.about(slug)).collect();
        found.extend(published.unpinned(&pinned));
        audit.check("capture.federations", pinned.len(), found);
    }
}

fn finding(list: &str, expected: &str, observed: &str) -> Finding {
    Finding::new(Code::SrcDrift, Subject::new("list", list))
        .with_values(expected, observed)
        .with_explanation("Two lists disagree; what only one of them names was not asked for, or counts for nobody.")
}

/// What directories and charters say, over all their versions.
#[derive(Default)]
struct Published<'a> {
    listed: BTreeSet<&'a FederationSlug>,
    live: BTreeSet<&'a FederationSlug>,
    directory_hashes: BTreeMap<&'a FederationSlug, BTreeSet<Digest32>>,
    charter_hashes: BTreeMap<&'a FederationSlug, BTreeSet<Digest32>>,
    directory_thresholds: BTreeMap<&'a FederationSlug, BTreeSet<&'a str>>,
    charter_thresholds: BTreeMap<&'a FederationSlug, BTreeSet<&'a str>>,
    has_directory: bool,
}

impl<'a> Published<'a> {
    fn of(input: &Input<'a>) -> Self {
        let mut published = Self { has_directory: !input.set.directories.is_empty(), ..Self::default() };
        for entry in input.set.directories.iter().flat_map(|(_, listed)| listed) {
            published.listed.insert(&entry.slug);
            if entry.status == "live" {
                published.live.insert(&entry.slug);
            }
            published.directory_hashes.entry(&entry.slug).or_default().extend(entry.charter_hash);
            published.directory_thresholds.entry(&entry.slug).or_default().extend(entry.threshold.as_deref());
        }
        for (_, charter) in &input.set.charters {
            published.charter_hashes.entry(&charter.slug).or_default().insert(charter.hash);
            published.charter_thresholds.entry(&charter.slug).or_default().extend(charter.threshold.as_deref());
        }
        published
    }

    /// What disagrees about a federation that the configuration names.
    fn about(&self, slug: &FederationSlug) -> Vec<Finding> {
        let list = format!("federations.{slug}");
        let unlisted = self.has_directory && !self.listed.contains(slug);
        let unlisted = unlisted.then(|| finding(&list, "listed in the federation directory", "not listed"));
        let hashes = apart(self.directory_hashes.get(slug), self.charter_hashes.get(slug));
        let hashes = hashes.map(|(listed, own)| finding(&format!("{list}.charter"), &own, &listed));
        let thresholds = apart(self.directory_thresholds.get(slug), self.charter_thresholds.get(slug));
        let thresholds = thresholds.map(|(listed, own)| finding(&format!("{list}.threshold"), &own, &listed));
        [unlisted, hashes, thresholds].into_iter().flatten().collect()
    }

    /// Live federations whose settlements nobody pinned a key for: each of them would count for nobody.
    fn unpinned(&self, pinned: &[&FederationSlug]) -> Option<Finding> {
        let missing: Vec<&str> =
            self.live.iter().filter(|slug| !pinned.contains(slug)).map(|slug| slug.as_str()).collect();
        (!missing.is_empty())
            .then(|| finding("federations", "every live federation", &format!("without {}", missing.join(", "))))
    }
}

/// Both sides as texts when each says something and no version of one agrees with any of the other: a charter that was
/// amended leaves its older versions behind.
fn apart<T: Ord + Display>(
    directory: Option<&BTreeSet<T>>,
    charters: Option<&BTreeSet<T>>,
) -> Option<(String, String)> {
    let (directory, charters) = directory.zip(charters)?;
    if directory.is_empty() || charters.is_empty() || !directory.is_disjoint(charters) {
        return None;
    }
    let joined = |set: &BTreeSet<T>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Some((joined(directory), joined(charters)))
}
