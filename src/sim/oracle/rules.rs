//! What counted envelopes owe to each other and to published rules: identities, fees, drop windows, activity, caps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::world::Proven;
use super::read::{DAY, Facts, HOUR, Held, SECOND, micros, repeated, text};
use crate::domain::{Code, Subject, UnixMicros, sha256};

/// Gross, platform, user, rebate; in satoshi.
pub(super) type Split = [i128; 4];

/// FORMATS 4.4.
const CLASSES: [(&str, &str); 5] = [
    ("A", "account_creation account_recovery attest_bond_increased kyc_tier_upgrade payment_method_connected"),
    ("A", "agent_delegation_issued recovery_method_updated"),
    ("B", "payment_authorization scoped_action_authorization attest_verification_at_gate stamp_signing"),
    ("B", "pledge_resolution"),
    ("C", "session_creation"),
];

/// `Math.round` of a product of doubles; amounts are safe integers.
#[expect(clippy::float_arithmetic, reason = "FORMATS 4.2: the rule is one of doubles")]
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
fn rounded(amount: i128, share: f64) -> i128 {
    (amount as f64 * share).round() as i128
}

fn split(gross: i128, share: f64) -> Split {
    let platform = gross.min(rounded(gross, 0.2).max(1));
    let user = (gross - platform).min(rounded(gross, share.clamp(0.0, 0.8)));
    [gross, platform, user, gross - platform - user]
}

/// FORMATS 4.2. `None` when the price is a share of an amount that is not known; an error when nothing may be charged.
pub(super) fn compute(price: &Value, amount: Option<i128>, is_agent: bool) -> Option<Result<Split, ()>> {
    let agent = if is_agent { &price["agent"] } else { &Value::Null };
    if price["enabled"] != true || agent["refuse"] == true {
        return Some(Err(()));
    }
    let pays = if agent["site_pays"].is_object() { &agent["site_pays"] } else { &price["site_pays"] };
    let share = agent["user_share_pct"].as_f64().or(price["user_share_pct"].as_f64()).unwrap_or_default();
    let is_fixed = pays["kind"] == "fixed_sats";
    let (amount, factor) = if is_fixed { (1, &pays["sats"]) } else { (amount?, &pays["pct"]) };
    Some(Ok(split(rounded(amount, factor.as_f64().unwrap_or_default()).max(1), share)))
}

fn date(at: i64, length: usize) -> String {
    UnixMicros(at).seconds().to_string().chars().take(length).collect()
}

fn groups<'h, K: Ord>(held: &[&'h Held], key: impl Fn(&'h Held) -> K) -> BTreeMap<K, Vec<&'h Held>> {
    let mut groups: BTreeMap<K, Vec<&Held>> = BTreeMap::new();
    for one in held {
        groups.entry(key(one)).or_default().push(one);
    }
    groups
}

fn earned(events: &[&Held]) -> i128 {
    events.iter().map(|held| held.sats("user_earned_sats")).sum()
}

fn targets(members: &[&Held]) -> Vec<u64> {
    members.iter().filter_map(|held| held.body["drop"]["close_height_target"].as_u64()).collect()
}

fn ids(manifest: &Value) -> Vec<&str> {
    manifest["event_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Bitcoin's tree doubles an odd node, the promoting tree moves it up, RFC 6962 also marks leaves and nodes.
fn root(ids: &[&str], rule: &str) -> String {
    let marks: [&[u8]; 2] = if rule == "rfc6962" { [&[0], &[1]] } else { [&[], &[]] };
    let hashed = |bytes: &[&[u8]]| sha256(&bytes.concat()).0.to_vec();
    let mut level: Vec<Vec<u8>> = Vec::new();
    for id in ids {
        let mut bytes = vec![0; id.len() / 2];
        // What is no hex leaves zeros, whose root nobody states.
        let _ = faster_hex::hex_decode(id.as_bytes(), &mut bytes);
        level.push(if rule == "rfc6962" { hashed(&[marks[0], &bytes]) } else { bytes });
    }
    while level.len() > 1 {
        let node = |pair: &[Vec<u8>]| match (pair, rule) {
            ([odd], "duplicate-odd") => hashed(&[odd, odd]),
            ([odd], _) => odd.clone(),
            _ => hashed(&[marks[1], &pair.concat()]),
        };
        level = level.chunks(2).map(node).collect();
    }
    level.first().map(|root| faster_hex::hex_string(root)).unwrap_or_default()
}

/// Six numbers about a user as of a time.
fn agrees(said: &Held, events: &[&Held]) -> bool {
    let projects: BTreeSet<Option<&str>> = events.iter().map(|held| held.text("project_key")).collect();
    let days: BTreeSet<i64> = events.iter().map(|held| held.at.div_euclid(DAY)).collect();
    let humans = events.iter().filter(|held| held.body["is_agent"] != true).count();
    let right = [events.len(), humans, projects.len(), days.len()].map(|count| u64::try_from(count).ok());
    let names = ["event_count", "human_event_count", "distinct_integrator_count", "active_days"];
    right == names.map(|name| said.body[name].as_u64())
        && said.sats("lifetime_sats") == earned(events)
        && micros(&said.body, &["oldest_event_at"]) == events.first().map(|held| held.at)
}

impl Facts<'_> {
    /// FEE_SPLIT and FEE_UNREPLAYABLE: what holds under every price (FORMATS 4.3), and the price in force at the time.
    pub(super) fn fees(&self) {
        for held in self.events() {
            let names = ["gross_fee_sats", "platform_fee_sats", "user_earned_sats", "site_rebate_sats"];
            let charged @ [gross, platform, user, rebate] = names.map(|name| held.sats(name));
            let subtype = text(&held.body, &["subtype"]);
            let lists = self.price_lists.iter().filter(|list| list["project_key"] == held.body["project_key"]);
            let dated = lists.filter_map(|list| Some((micros(list, &["updated_at"])?, &list["events"])));
            let in_force = dated.filter(|(since, _)| *since <= held.at).max_by_key(|(since, _)| *since);
            let price = in_force.map(|(_, events)| &events[subtype]);
            let amount = held.body["context"]["payment_amount_sats"].as_u64().map(i128::from);
            let right = price.and_then(|price| compute(price, amount, held.body["is_agent"] == true));
            let listed = price.and_then(|price| price["class"].as_str());
            let class = CLASSES.iter().find(|(_, all)| all.split(' ').any(|one| one == subtype));
            let holds = gross >= 1
                && platform + user + rebate == gross
                && platform == split(gross, 0.0)[1]
                && user <= rounded(gross, 0.8).min(gross - platform)
                && class.map(|(class, _)| *class).or(listed).is_none_or(|class| held.text("class") == Some(class))
                && !held.site().is_empty();
            let is_wrong = !holds || right.is_some_and(|right| right != Ok(charged));
            self.when(is_wrong, Code::FeeSplit, held.subject());
            self.when(!is_wrong && right.is_none(), Code::FeeUnreplayable, held.subject());
        }
    }

    /// One project and idempotency key is one billing; one window has one manifest.
    pub(super) fn identities(&self) {
        let mut events = self.events();
        events.retain(|held| held.text("idempotency_key").is_some());
        for (names, group) in
            groups(&events, |held| ["project_key", "idempotency_key"].map(|name| text(&held.body, &[name])))
        {
            let subject = Subject::new("project", names[0]).and("idempotency_key", names[1]);
            let mut bodies: Vec<Value> = group.iter().map(|held| held.body.clone()).collect();
            for body in &mut bodies {
                body["occurred_at"] = Value::Null;
            }
            bodies.dedup();
            self.when(group.len() > 1, Code::EnvDoubleBilling, subject.clone());
            self.when(bodies.len() > 1, Code::EnvEquivocation, subject);
        }
        let manifests = self.counted("oc-me-drop");
        let windows = repeated(manifests.iter().map(|held| text(&held.body, &["window_id"])));
        self.each(Code::EnvEquivocation, windows.iter().map(|window| Subject::new("window", window)));
    }

    fn members(&self, manifest: &Held) -> (Vec<&str>, Vec<&Held>) {
        let mut members = self.events();
        members.retain(|held| held.window() == manifest.text("window_id"));
        members.sort_by_key(|held| &held.id);
        (members.iter().map(|held| held.id.as_str()).collect(), members)
    }

    pub(super) fn manifests(&self) {
        for manifest in self.counted("oc-me-drop") {
            let (known, members) = self.members(manifest);
            let users: BTreeSet<&str> = members.iter().map(|held| held.user()).collect();
            let accounts: BTreeSet<&str> = users.iter().map(|name| self.account(name)).collect();
            let said = |name: &str| manifest.body[name].as_u64().map(i128::from);
            let count = |length: usize| i128::try_from(length).ok();
            let mut listed = ids(&manifest.body);
            listed.sort_unstable();
            let is_right = said("event_count") == count(members.len())
                && (said("recipient_count").is_none()
                    || [users.len(), accounts.len()].into_iter().any(|users| said("recipient_count") == count(users)))
                && said("gross_fee_sats") == Some(members.iter().map(|held| held.sats("gross_fee_sats")).sum())
                && said("user_share_sats") == Some(earned(&members))
                && (listed.is_empty() || listed == known);
            let subject = manifest.subject().and("window", text(&manifest.body, &["window_id"]));
            self.when(!is_right, Code::DropTotals, subject.clone());
            let is_lost = manifest.text("events_root").is_some() && self.root_rule(manifest).is_none();
            self.when(is_lost, Code::DropRoot, subject);
        }
    }

    /// The order and tree rule that give the manifest's root over what it lists, else over its members (FORMATS 3.7).
    pub(super) fn root_rule(&self, manifest: &Held) -> Option<String> {
        let listed = ids(&manifest.body);
        let mut sorted = if listed.is_empty() { self.members(manifest).0 } else { listed.clone() };
        sorted.sort_unstable();
        let rules = ["duplicate-odd", "promote-odd", "rfc6962"];
        let tried = |(order, ids): (&str, &Vec<&str>)| rules.map(|rule| (format!("{order}/{rule}"), root(ids, rule)));
        let mut tried = [("listed", &listed), ("sorted", &sorted)].into_iter().flat_map(tried);
        tried.find(|(_, root)| manifest.text("events_root") == Some(root)).map(|(name, _)| name)
    }

    /// What closes a window: the block at the lowest height that a member names, and the manifest that was sealed first.
    fn closing(&self, members: &[&Held]) -> (Option<i64>, Option<&Held>) {
        let height = targets(members).into_iter().min().and_then(|height| usize::try_from(height).ok());
        let mut manifests = self.counted("oc-me-drop").into_iter();
        let seal = manifests.find(|held| held.text("window_id") == members[0].window());
        (height.and_then(|height| self.block_time(height)), seal)
    }

    /// The first block at or above the window's lowest target that some proof has made known.
    fn reached(&self, members: &[&Held]) -> Option<i64> {
        let target = usize::try_from(targets(members).into_iter().min()?).ok()?;
        let is_block = |proven: &Proven| if let Proven::Block(height) = proven { Some(*height) } else { None };
        let proven = self.scene.world.proven.values().filter_map(is_block);
        let known = self.scene.world.blocks.iter().copied().chain(proven);
        known.filter(|height| *height >= target).filter_map(|height| self.block_time(height)).min()
    }

    /// When shares vest, to the second: as the manifest seals them, at the latest a day after the window's block, or after
    /// the longest window there is.
    pub(super) fn vesting(&self) -> BTreeMap<String, i64> {
        let mut vests = BTreeMap::new();
        for (window, members) in groups(&self.events(), |held| held.window()) {
            let (boundary, seal) = self.closing(&members);
            let valves = [boundary.map(|at| at + DAY), Some(members[0].at + 93 * DAY), seal.map(|held| held.at)];
            let at = valves.into_iter().chain([self.reached(&members)]).flatten().min().filter(|at| *at <= self.as_of);
            vests.extend(window.map(str::to_owned).zip(at.map(|at| at - at.rem_euclid(SECOND))));
        }
        vests
    }

    /// DROP_WINDOW: 92 days and the valve of one, boundaries that only come nearer, seals within the valve.
    pub(super) fn windows(&self) {
        for (window, members) in groups(&self.events(), |held| held.window()) {
            let Some(window) = window else { continue };
            let (targets, (boundary, seal)) = (targets(&members), self.closing(&members));
            let height = seal.and_then(|seal| seal.body["sealed_height"].as_u64());
            let lasts = seal.map(|seal| seal.at).or(boundary).unwrap_or(self.as_of) - members[0].at;
            // Block times may be two hours off (BIP-113); a day and a half of blocks is a day at any luck of miners.
            let is_late = seal.zip(boundary).is_some_and(|(seal, boundary)| seal.at - boundary > DAY + 2 * HOUR)
                || height.zip(targets.iter().min()).is_some_and(|(height, target)| height > target + 216);
            let is_moved = !targets.is_sorted_by(|one, next| one >= next);
            for (is_so, rule) in [(lasts > 93 * DAY, "length"), (is_moved, "boundary"), (is_late, "late")] {
                self.when(is_so, Code::DropWindow, Subject::new("window", window).and("rule", rule));
            }
        }
    }

    /// FORMATS 3.8: six numbers about one user as of a time; a person may have had other names.
    pub(super) fn activity(&self) {
        for said in self.counted("oc-me-activity") {
            let mut mine = self.events();
            mine.retain(|held| self.account(held.user()) == self.account(said.user()) && held.at <= said.at);
            let mut own = mine.clone();
            own.retain(|held| held.user() == said.user());
            let agrees = [mine, own].iter().any(|events| agrees(said, events));
            self.when(!agrees, Code::ActivityMismatch, said.subject().and("user", said.user()));
        }
    }
    /// FORMATS 11.
    pub(super) fn caps(&self) {
        let events = self.events();
        let durable: Vec<&Held> = events.iter().copied().filter(|held| held.text("class") == Some("A")).collect();
        for ((user, day), group) in groups(&durable, |held| (self.account(held.user()), date(held.at, 10))) {
            self.when(group.len() > 5, Code::CapClassADay, Subject::new("user", user).and("day", day));
        }
        for ((user, month), group) in groups(&durable, |held| (self.account(held.user()), date(held.at, 7))) {
            let subject = Subject::new("user", user).and("month", month);
            self.when(group.len() > 30, Code::CapClassAMonth, subject.clone());
            self.when(earned(&group) >= 52_600, Code::CapReview, subject);
        }
        for ((user, month), group) in groups(&events, |held| (self.account(held.user()), date(held.at, 7))) {
            let sites = groups(&group, Held::site);
            for (site, there) in sites.iter().filter(|_| sites.len() > 1) {
                let subject = Subject::new("user", user).and("month", &month).and("site", site);
                self.when(100 * earned(there) > 60 * earned(&group), Code::CapSiteShare, subject);
            }
        }
    }
}
