//! What counted envelopes owe to each other and to published rules: identities, drop windows, activity, caps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::{DAY, Facts, HOUR, Held, SECOND, micros, sats, seconds, site};
use crate::domain::{Code, Subject, UnixSeconds, sha256};

/// `2026-09-30` of a time, or less of it.
fn date(at: i64, length: usize) -> String {
    UnixSeconds(seconds(at)).to_string().chars().take(length).collect()
}

/// Envelopes by something that they share.
fn groups<'h, K: Ord>(held: &[&'h Held], key: impl Fn(&'h Held) -> K) -> BTreeMap<K, Vec<&'h Held>> {
    let mut groups: BTreeMap<K, Vec<&Held>> = BTreeMap::new();
    held.iter().for_each(|one| groups.entry(key(one)).or_default().push(one));
    groups
}

fn sum(events: &[&Held], name: &str) -> i128 {
    events.iter().map(|held| sats(&held.body, name)).sum()
}

fn targets<'h>(members: &[&'h Held]) -> impl Iterator<Item = u64> + use<'h> {
    members.to_vec().into_iter().filter_map(|held| held.body["drop"]["close_height_target"].as_u64())
}

impl Facts<'_> {
    /// One project and idempotency key is one billing; one window has one manifest.
    pub(super) fn identities(&self) {
        let mut events = self.counted("oc-me-event");
        events.retain(|held| held.text("idempotency_key").is_some());
        for ((project, key), group) in groups(&events, |held| (held.text("project_key"), held.text("idempotency_key")))
        {
            let subject = Subject::new("project", project.unwrap_or_default());
            let subject = subject.and("idempotency_key", key.unwrap_or_default());
            let mut bodies: Vec<Value> = group.iter().map(|held| held.body.clone()).collect();
            bodies.iter_mut().for_each(|body| body["occurred_at"] = Value::Null);
            bodies.dedup();
            if group.len() > 1 {
                self.open(Code::EnvDoubleBilling, subject.clone());
            }
            if bodies.len() > 1 {
                self.open(Code::EnvEquivocation, subject);
            }
        }
        for (window, group) in groups(&self.counted("oc-me-drop"), |held| held.text("window_id")) {
            if group.len() > 1 {
                self.open(Code::EnvEquivocation, Subject::new("window", window.unwrap_or_default()));
            }
        }
    }

    /// Counted events of a window, in order of ids.
    fn members(&self, window: &str) -> Vec<&Held> {
        let mut members = self.counted("oc-me-event");
        members.retain(|held| held.window() == Some(window));
        members.sort_by_key(|held| &held.id);
        members
    }

    /// DROP_TOTALS and DROP_ROOT of each manifest.
    pub(super) fn manifests(&self) {
        for manifest in self.counted("oc-me-drop") {
            let window = manifest.text("window_id").unwrap_or_default();
            let members = self.members(window);
            let users: BTreeSet<&str> = members.iter().map(|held| held.user()).collect();
            let said = |name: &str| manifest.body[name].as_u64().map(i128::from);
            let count = |length: usize| i128::try_from(length).unwrap_or_default();
            let mut listed = ids(&manifest.body);
            listed.sort_unstable();
            let right = said("event_count") == Some(count(members.len()))
                && said("recipient_count").is_none_or(|said| said == count(users.len()))
                && said("gross_fee_sats") == Some(sum(&members, "gross_fee_sats"))
                && said("user_share_sats") == Some(sum(&members, "user_earned_sats"))
                && (listed.is_empty() || listed == members.iter().map(|held| held.id.as_str()).collect::<Vec<_>>());
            let subject = manifest.subject().and("window", window);
            if !right {
                self.open(Code::DropTotals, subject.clone());
            }
            if manifest.text("events_root").is_some() && self.root_rule(manifest).is_none() {
                self.open(Code::DropRoot, subject);
            }
        }
    }

    /// The order and tree rule that give the manifest's root (FORMATS 3.7).
    pub(super) fn root_rule(&self, manifest: &Held) -> Option<String> {
        let members = self.members(manifest.text("window_id").unwrap_or_default());
        let sorted: Vec<&str> = members.iter().map(|held| held.id.as_str()).collect();
        for (order, ids) in [("listed", ids(&manifest.body)), ("sorted", sorted)] {
            for rule in ["duplicate-odd", "promote-odd", "rfc6962"] {
                if manifest.text("events_root") == Some(&root(&ids, rule)) {
                    return Some(format!("{order}/{rule}"));
                }
            }
        }
        None
    }

    /// The time of the block that closes a window: the lowest height that a member names.
    fn boundary(&self, members: &[&Held]) -> Option<i64> {
        self.block_time(usize::try_from(targets(members).min()?).ok()?)
    }

    fn seals(&self, window: &str) -> Vec<&Held> {
        self.counted("oc-me-drop").into_iter().filter(|held| held.text("window_id") == Some(window)).collect()
    }

    /// When shares vest, to the second: as the manifest seals them, at the latest a day after the window's block.
    pub(super) fn vesting(&self) -> BTreeMap<String, i64> {
        let mut vests = BTreeMap::new();
        for (window, members) in groups(&self.counted("oc-me-event"), |held| held.window()) {
            let valve = self.boundary(&members).map(|at| at + DAY);
            let sealed = self.seals(window.unwrap_or_default()).into_iter().filter_map(|held| held.at);
            if let (Some(window), Some(at)) = (window, sealed.chain(valve).min().filter(|at| *at <= self.as_of)) {
                vests.insert(window.to_owned(), seconds(at) * SECOND);
            }
        }
        vests
    }

    /// DROP_WINDOW: 92 days and the valve of one, boundaries that only come nearer, seals within the valve.
    pub(super) fn windows(&self) {
        for (window, members) in groups(&self.counted("oc-me-event"), |held| held.window()) {
            let Some(window) = window else { continue };
            let broken = |rule: &str| self.open(Code::DropWindow, Subject::new("window", window).and("rule", rule));
            let seals = self.seals(window);
            let (first, seal) = (members[0].time(), seals.first().and_then(|held| held.at));
            if seal.or(self.boundary(&members)).unwrap_or(self.as_of) - first > 93 * DAY {
                broken("length");
            }
            if targets(&members).is_sorted_by(|one, next| one >= next) == false {
                broken("boundary");
            }
            // Block times may be two hours off (BIP-113).
            let late = |boundary: i64| seal.is_some_and(|seal| seal - boundary > DAY + 2 * HOUR);
            if self.boundary(&members).is_some_and(late) {
                broken("late");
            }
        }
    }

    /// FORMATS 3.8: six numbers about one user as of a time.
    pub(super) fn activity(&self) {
        for said in self.counted("oc-me-activity") {
            let mut mine = self.counted("oc-me-event");
            mine.retain(|held| held.user() == said.user() && held.at <= said.at);
            let projects: BTreeSet<Option<&str>> = mine.iter().map(|held| held.text("project_key")).collect();
            let days: BTreeSet<i64> = mine.iter().map(|held| held.time().div_euclid(DAY)).collect();
            let humans = mine.iter().filter(|held| held.body["is_agent"] != true).count();
            let right = [mine.len(), humans, projects.len(), days.len()].map(|count| u64::try_from(count).ok());
            let names = ["event_count", "human_event_count", "distinct_integrator_count", "active_days"];
            let agrees = right == names.map(|name| said.body[name].as_u64())
                && sats(&said.body, "lifetime_sats") == sum(&mine, "user_earned_sats")
                && micros(&said.body, &["oldest_event_at"]) == mine.first().and_then(|held| held.at);
            if !agrees {
                self.open(Code::ActivityMismatch, said.subject().and("user", said.user()));
            }
        }
    }

    /// FORMATS 11.
    pub(super) fn caps(&self) {
        let events = self.counted("oc-me-event");
        let durable: Vec<&Held> = events.iter().copied().filter(|held| held.text("class") == Some("A")).collect();
        for ((user, day), group) in groups(&durable, |held| (held.user(), date(held.time(), 10))) {
            if group.len() > 5 {
                self.open(Code::CapClassADay, Subject::new("user", user).and("day", day));
            }
        }
        for ((user, month), group) in groups(&durable, |held| (held.user(), date(held.time(), 7))) {
            let subject = Subject::new("user", user).and("month", month);
            if group.len() > 30 {
                self.open(Code::CapClassAMonth, subject.clone());
            }
            if sum(&group, "user_earned_sats") >= 52_600 {
                self.open(Code::CapReview, subject);
            }
        }
        for ((user, month), group) in groups(&events, |held| (held.user(), date(held.time(), 7))) {
            let sites = groups(&group, |held| site(&held.body));
            for (site, there) in sites.iter().filter(|_| sites.len() > 1) {
                if 100 * sum(there, "user_earned_sats") > 60 * sum(&group, "user_earned_sats") {
                    let subject = Subject::new("user", user).and("month", &month).and("site", site);
                    self.open(Code::CapSiteShare, subject);
                }
            }
        }
    }
}

/// The members that a manifest lists.
fn ids(manifest: &Value) -> Vec<&str> {
    manifest["event_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Bitcoin's tree doubles an odd node, the promoting tree moves it up, RFC 6962 also marks leaves and nodes.
fn root(ids: &[&str], rule: &str) -> String {
    let marks: [&[u8]; 2] = if rule == "rfc6962" { [&[0], &[1]] } else { [&[], &[]] };
    let mut level: Vec<Vec<u8>> = Vec::new();
    for id in ids {
        let mut bytes = vec![0; id.len() / 2];
        if faster_hex::hex_decode(id.as_bytes(), &mut bytes).is_err() {
            return String::new();
        }
        level.push(if rule == "rfc6962" { sha256(&[marks[0], &bytes].concat()).0.to_vec() } else { bytes });
    }
    while level.len() > 1 {
        let node = |pair: &[Vec<u8>]| match (pair, rule) {
            ([odd], "duplicate-odd") => sha256(&[odd.as_slice(), odd].concat()).0.to_vec(),
            ([odd], _) => odd.clone(),
            _ => sha256(&[marks[1], &pair.concat()].concat()).0.to_vec(),
        };
        level = level.chunks(2).map(node).collect();
    }
    level.first().map(|root| faster_hex::hex_string(root)).unwrap_or_default()
}
