//! Who is whom: the names of one principal by bindings (FORMATS 7.6), and accounts that were merged (FORMATS 3.4).
//!
//! A binding is signed by the address and the Nostr key that it names, and by nobody else: the principal does not consent.
//! So a name whose bindings contradict each other joins nobody, and the report says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AsOf, Code, EvidenceId, Finding, Subject, TrustPolicy, UserKey};
use crate::evidence::BindingMessage;
use crate::verify::VerifiedSet;

use super::scope::Scope;

/// Names of persons. A name that nothing joins to another is its own principal and account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    /// The principal of each bound name.
    principals: BTreeMap<UserKey, UserKey>,
    /// The account of each bound or merged name.
    accounts: BTreeMap<UserKey, UserKey>,
}

/// One binding and the event that carries it.
type Bound<'a> = (&'a BindingMessage, EvidenceId);

impl People {
    /// Who is whom as of then. Whatever asks it is folded later, so nothing can ask before.
    pub(crate) fn of(set: &VerifiedSet, policy: &TrustPolicy, as_of: AsOf, findings: &mut Vec<Finding>) -> Self {
        let nobody = Self::default();
        let scope = Scope { set, policy, as_of, people: &nobody };
        let principals = principals(scope, findings);
        let of = |name: &UserKey| principals.get(name).unwrap_or(name).clone();
        let merged = merged(scope, &of, findings);
        let mut accounts: BTreeMap<UserKey, UserKey> = BTreeMap::new();
        for name in principals.keys().chain(merged.keys()).chain(merged.values()) {
            accounts.insert(name.clone(), root(&of(name), &merged));
        }
        Self { principals, accounts }
    }

    /// The principal behind a name: by bindings alone, so that merged accounts keep their own chains of custody.
    pub fn principal_of<'p>(&'p self, name: &'p UserKey) -> &'p UserKey {
        self.principals.get(name).unwrap_or(name)
    }

    /// The account that a name's earnings belong to: by bindings and merges.
    pub fn account_of<'p>(&'p self, name: &'p UserKey) -> &'p UserKey {
        self.accounts.get(name).unwrap_or(name)
    }

    /// Every other name with the same principal, ascending.
    pub fn names_of<'p>(&'p self, principal: &'p UserKey) -> impl Iterator<Item = &'p UserKey> {
        let same = self.principals.iter().filter(move |(name, held)| *held == principal && *name != principal);
        same.map(|(name, _)| name)
    }

    /// Names that stand for another name's account.
    pub fn joined(&self) -> usize {
        self.accounts.iter().filter(|(name, account)| name != account).count()
    }
}

/// Every bound name with its principal. What is contested is left out.
fn principals(scope: Scope<'_>, findings: &mut Vec<Finding>) -> BTreeMap<UserKey, UserKey> {
    let mut by_principal: BTreeMap<&str, Vec<Bound<'_>>> = BTreeMap::new();
    let mut by_key: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for verified in scope.set.bindings.values() {
        let message = &verified.fact().message;
        if !scope.has_happened(message.issued_at) {
            continue;
        }
        by_principal.entry(&message.principal).or_default().push((message, verified.first_carrier()));
        for key in [&message.btc, &message.npub] {
            by_key.entry(key).or_default().insert(&message.principal);
        }
    }
    let shared: BTreeSet<&str> = by_key.into_values().filter(|claimants| claimants.len() > 1).flatten().collect();
    let mut principals = BTreeMap::new();
    for (principal, bindings) in by_principal {
        if shared.contains(principal) {
            findings.push(contested(
                principal,
                "a key of its own",
                "a key that is bound to another principal",
                &bindings,
            ));
        } else if !is_continuous(&bindings) {
            let observed = "bindings that share neither the address nor the Nostr key";
            findings.push(contested(principal, "one person's bindings", observed, &bindings));
        } else {
            let names = bindings.iter().flat_map(|(message, _)| [&message.principal, &message.btc, &message.npub]);
            principals.extend(names.map(|name| (UserKey::from(name.as_str()), UserKey::from(principal))));
        }
    }
    principals
}

/// True when each binding is tied to another by a key they share: who replaces one key still signs with the other.
fn is_continuous(bindings: &[Bound<'_>]) -> bool {
    let mut left: Vec<&BindingMessage> = bindings.iter().map(|(message, _)| *message).collect();
    let Some(first) = left.pop() else { return true };
    let mut keys: BTreeSet<&str> = BTreeSet::from([first.btc.as_str(), first.npub.as_str()]);
    loop {
        let before = left.len();
        left.retain(|message| {
            let own = [message.btc.as_str(), message.npub.as_str()];
            let is_tied = own.iter().any(|key| keys.contains(key));
            if is_tied {
                keys.extend(own);
            }
            !is_tied
        });
        if left.is_empty() || left.len() == before {
            return left.is_empty();
        }
    }
}

fn contested(name: &str, expected: &str, observed: &str, bindings: &[Bound<'_>]) -> Finding {
    let finding = Finding::new(Code::Unverifiable, Subject::new("user", name).and("check", "identity"))
        .with_values(expected, observed)
        .with_explanation("Whose these names are is not established; none of them is joined to another.")
        .explained("kept apart");
    bindings.iter().fold(finding, |finding, (_, carrier)| finding.with_evidence(*carrier, "binding"))
}

/// The account into which each principal was merged, one step. Two targets for one name contradict each other.
fn merged(
    scope: Scope<'_>,
    of: &impl Fn(&UserKey) -> UserKey,
    findings: &mut Vec<Finding>,
) -> BTreeMap<UserKey, UserKey> {
    let mut targets: BTreeMap<UserKey, BTreeMap<UserKey, EvidenceId>> = BTreeMap::new();
    for (evidence, merge) in &scope.set.merges {
        let target = of(&merge.user);
        for name in merge.merged_from.iter().map(of).filter(|name| *name != target) {
            targets.entry(name).or_default().entry(target.clone()).or_insert(*evidence);
        }
    }
    let mut merged = BTreeMap::new();
    for (name, targets) in targets {
        let mut all = targets.iter();
        if let (Some((target, _)), None) = (all.next(), all.next()) {
            merged.insert(name, target.clone());
            continue;
        }
        let finding = Finding::new(Code::Unverifiable, Subject::new("user", &name).and("check", "identity"))
            .with_values("one account that it was merged into", format!("{} accounts", targets.len()))
            .with_explanation("Merge records contradict each other about this name; it is joined to none of them.")
            .explained("kept apart");
        findings.push(targets.values().fold(finding, |finding, id| finding.with_evidence(*id, "merge")));
    }
    merged
}

/// Where following merges ends; of names that were merged in a circle the lowest.
fn root(name: &UserKey, merged: &BTreeMap<UserKey, UserKey>) -> UserKey {
    let mut path = vec![name];
    while let Some(next) = path.last().and_then(|name| merged.get(*name)) {
        if let Some(at) = path.iter().position(|seen| *seen == next) {
            return path.iter().skip(at).min().map_or_else(|| name.clone(), |lowest| (*lowest).clone());
        }
        path.push(next);
    }
    path.last().map_or_else(|| name.clone(), |last| (*last).clone())
}

#[cfg(test)]
mod tests;
