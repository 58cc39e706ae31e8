//! What counted envelopes owe to each other and to published rules: identities, drop windows, activity, caps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::read::{DAY, Facts, Held, SECOND, micros, sats, site, user};
use crate::domain::{Code, Subject, UnixMicros};

type Findings = Vec<(Code, Subject)>;

/// `2026-09-30` of a time.
fn date(at: i64) -> String {
    UnixMicros(at).seconds().to_string().chars().take(10).collect()
}

fn month(at: i64) -> String {
    date(at).chars().take(7).collect()
}

/// Counted events by something that they share.
fn groups<'h, K: Ord>(events: &[&'h Held], key: impl Fn(&'h Held) -> K) -> BTreeMap<K, Vec<&'h Held>> {
    let mut groups: BTreeMap<K, Vec<&Held>> = BTreeMap::new();
    for held in events {
        groups.entry(key(held)).or_default().push(held);
    }
    groups
}

fn earned(events: &[&Held]) -> i128 {
    events.iter().map(|held| sats(&held.body, "user_earned_sats")).sum()
}

impl Facts<'_> {
    pub(super) fn billing(&mut self) {
        let mut findings = self.identities();
        findings.extend(self.manifests());
        findings.extend(self.windows());
        findings.extend(self.activity());
        findings.extend(self.caps());
        findings.into_iter().for_each(|(code, subject)| self.open(code, subject));
    }

    /// One project and idempotency key is one billing; one window has one manifest.
    fn identities(&self) -> Findings {
        let mut findings = Findings::new();
        let without_time = |held: &Held| {
            let mut body = held.body.clone();
            body["occurred_at"] = Value::Null;
            body.to_string()
        };
        let events = self.counted("oc-me-event");
        let keyed = |held: &&&Held| held.text("idempotency_key").is_some();
        let keyed: Vec<&Held> = events.iter().filter(keyed).copied().collect();
        for ((project, key), group) in groups(&keyed, |held| (held.text("project_key"), held.text("idempotency_key"))) {
            if group.len() < 2 {
                continue;
            }
            let subject = Subject::new("project", project.unwrap_or_default());
            let subject = subject.and("idempotency_key", key.unwrap_or_default());
            findings.push((Code::EnvDoubleBilling, subject.clone()));
            if group.iter().map(|held| without_time(held)).collect::<BTreeSet<_>>().len() > 1 {
                findings.push((Code::EnvEquivocation, subject));
            }
        }
        let manifests = self.counted("oc-me-drop");
        let windows = groups(&manifests, |held| held.text("window_id").unwrap_or_default());
        let claimed_twice = windows.into_iter().filter(|(_, group)| group.len() > 1);
        findings.extend(claimed_twice.map(|(window, _)| (Code::EnvEquivocation, Subject::new("window", window))));
        findings
    }

    /// Counted events of a window, in order of ids.
    fn members(&self, window: &str) -> Vec<&Held> {
        let mut members = self.counted("oc-me-event");
        members.retain(|held| held.window() == Some(window));
        members.sort_by_key(|held| &held.id);
        members
    }

    fn manifests(&self) -> Findings {
        let mut findings = Findings::new();
        for manifest in self.counted("oc-me-drop") {
            let window = manifest.text("window_id").unwrap_or_default();
            let members = self.members(window);
            let gross: i128 = members.iter().map(|held| sats(&held.body, "gross_fee_sats")).sum();
            let said = ["event_count", "gross_fee_sats", "user_share_sats"].map(|name| sats(&manifest.body, name));
            let subject = manifest.subject().and("window", window);
            if said != [i128::try_from(members.len()).unwrap_or(0), gross, earned(&members)] {
                findings.push((Code::DropTotals, subject.clone()));
            }
            if manifest.text("events_root").is_some() && self.root_rule(manifest).is_none() {
                findings.push((Code::DropRoot, subject));
            }
        }
        findings
    }

    /// The tree rule that gives the manifest's root (FORMATS 3.7).
    pub(super) fn root_rule(&self, manifest: &Held) -> Option<String> {
        let sorted = self.members(manifest.text("window_id").unwrap_or_default());
        let sorted: Vec<&str> = sorted.iter().map(|held| held.id.as_str()).collect();
        let listed: Vec<&str> =
            manifest.body["event_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted = manifest.text("events_root")?;
        let rules = ["duplicate-odd", "promote-odd", "rfc6962"];
        let orders = [("listed", &listed), ("sorted", &sorted)];
        let named = orders.into_iter().flat_map(|(order, ids)| rules.map(|rule| (order, ids, rule)));
        let mut named = named.filter(|(_, ids, rule)| root(ids, rule) == wanted);
        named.next().map(|(order, _, rule)| format!("{order}/{rule}"))
    }

    /// When the shares of a window vest, to the second: sealed by its manifest, at the latest a day after its block.
    pub(super) fn vests_at(&self, window: &str) -> Option<i64> {
        let valve = self.boundary(window).map(|at| at + DAY);
        let time = self.sealed_at(window).into_iter().chain(valve).min()?;
        (time <= self.as_of).then_some(seconds(time) * SECOND)
    }

    /// The time of the block that closes a window.
    fn boundary(&self, window: &str) -> Option<i64> {
        let members = self.members(window);
        let targets = members.iter().filter_map(|held| held.body["drop"]["close_height_target"].as_u64());
        self.block_time(usize::try_from(targets.min()?).ok()?)
    }

    fn sealed_at(&self, window: &str) -> Option<i64> {
        let manifests = self.counted("oc-me-drop");
        let mine = manifests.iter().filter(|held| held.text("window_id") == Some(window));
        mine.filter_map(|held| held.at).min()
    }

    fn windows(&self) -> Findings {
        let mut findings = Findings::new();
        let events = self.counted("oc-me-event");
        for (window, members) in groups(&events, |held| held.window()) {
            let Some(window) = window else { continue };
            let mut broken =
                |rule: &str| findings.push((Code::DropWindow, Subject::new("window", window).and("rule", rule)));
            let targets: Vec<u64> =
                members.iter().filter_map(|held| held.body["drop"]["close_height_target"].as_u64()).collect();
            if targets.windows(2).any(|pair| pair[0] < pair[1]) {
                broken("moved-later");
            }
            let (first, sealed, boundary) = (members[0].time(), self.sealed_at(window), self.boundary(window));
            if sealed.or(boundary).unwrap_or(self.as_of) - first > 93 * DAY {
                broken("too-long");
            }
            if let (Some(sealed), Some(boundary)) = (sealed, boundary)
                && sealed - boundary > DAY
            {
                broken("vested-late");
            }
        }
        findings
    }

    /// FORMATS 3.8: six numbers about one user as of a time.
    fn activity(&self) -> Findings {
        let mut findings = Findings::new();
        for said in self.counted("oc-me-activity") {
            let name = user(&said.body);
            let mut mine = self.counted("oc-me-event");
            mine.retain(|held| user(&held.body) == name && held.at <= said.at);
            let projects: BTreeSet<Option<&str>> = mine.iter().map(|held| held.text("project_key")).collect();
            let days: BTreeSet<i64> = mine.iter().map(|held| held.time().div_euclid(DAY)).collect();
            let humans = mine.iter().filter(|held| held.body["is_agent"] != true).count();
            let right = [mine.len(), humans, projects.len(), days.len()];
            let names = ["event_count", "human_event_count", "distinct_integrator_count", "active_days"];
            let agrees =
                right.into_iter().zip(names).all(|(count, name)| said.body[name].as_u64() == u64::try_from(count).ok())
                    && sats(&said.body, "lifetime_sats") == earned(&mine)
                    && micros(&said.body, &["oldest_event_at"]) == mine.first().and_then(|held| held.at);
            if !agrees {
                findings.push((Code::ActivityMismatch, said.subject().and("user", name)));
            }
        }
        findings
    }

    /// FORMATS 11.
    fn caps(&self) -> Findings {
        let mut findings = Findings::new();
        let events = self.counted("oc-me-event");
        let durable: Vec<&Held> = events.iter().copied().filter(|held| held.text("class") == Some("A")).collect();
        for ((user, day), group) in groups(&durable, |held| (user(&held.body), date(held.time()))) {
            if group.len() > 5 {
                findings.push((Code::CapClassADay, Subject::new("user", user).and("day", day)));
            }
        }
        for ((user, month), group) in groups(&durable, |held| (user(&held.body), month(held.time()))) {
            let subject = Subject::new("user", user).and("month", month);
            if group.len() > 30 {
                findings.push((Code::CapClassAMonth, subject.clone()));
            }
            if earned(&group) >= 52_600 {
                findings.push((Code::CapReview, subject));
            }
        }
        for ((user, month), group) in groups(&events, |held| (user(&held.body), month(held.time()))) {
            let sites = groups(&group, |held| site(&held.body));
            for (site, there) in sites.iter().filter(|_| sites.len() > 1) {
                if 100 * earned(there) > 60 * earned(&group) {
                    let subject = Subject::new("user", user).and("month", &month).and("site", site);
                    findings.push((Code::CapSiteShare, subject));
                }
            }
        }
        findings
    }
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
        level.push(if rule == "rfc6962" { Sha256::digest([marks[0], &bytes].concat()).to_vec() } else { bytes });
    }
    while level.len() > 1 {
        let node = |pair: &[Vec<u8>]| match (pair, rule) {
            ([odd], "duplicate-odd") => Sha256::digest([odd.as_slice(), odd].concat()).to_vec(),
            ([odd], _) => odd.clone(),
            _ => Sha256::digest([marks[1], &pair.concat()].concat()).to_vec(),
        };
        level = level.chunks(2).map(node).collect();
    }
    level.first().map(|root| faster_hex::hex_string(root)).unwrap_or_default()
}

/// Seconds of a time, rounded towards the past.
pub(super) fn seconds(at: i64) -> i64 {
    at.div_euclid(SECOND)
}
