//! What stands among the records and is none (FORMATS 1, 2.2; TREASURY 1.4).

use std::collections::BTreeSet;

use super::read::{Facts, parsed};
use crate::domain::{Code, Subject};

const MODULES: [&str; 7] = ["", "ln", "lnv2", "mint", "mintv2", "wallet", "walletv2"];
/// What the operator's own deployments leave behind.
const PROBES: [&str; 5] = ["final", "sweep", "v3", "verify", ""];
const ME: [&str; 7] = ["event", "payment", "rebind", "trust", "payout-binding", "distribution", "drop"];

impl Facts<'_> {
    pub(super) fn junk(&self) {
        let world = &self.scene.world;
        let mut found = BTreeSet::new();
        for event in world.events.iter().filter(|event| !self.scene.discounted.contains(&event.id.to_string())) {
            let d = event.tag_values("d").next().unwrap_or_default();
            let (prefix, suffix) = d.split_once(':').unwrap_or((d, ""));
            let is_address =
                |text: &str| text.len() == 64 && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
            let of_me = prefix.strip_prefix("oc-me-").is_some_and(|name| ME.contains(&name));
            if (30_088..=30_099).contains(&event.kind) {
                found.insert((Code::SrcUnknownKind, Subject::new("event", event.id).and("kind", event.kind)));
            } else if (30_110..=30_114).contains(&event.kind) && PROBES.contains(&event.content.as_str()) {
                found.insert((Code::EvtNotEnvelope, Subject::new("event", event.id)));
            } else if event.kind == 30_087 && of_me && !is_address(suffix) {
                found.insert((Code::EvtNotEnvelope, Subject::new("event", event.id)));
            } else if event.kind == 30_078
                && !is_address(d)
                && !["orangecheck", "oc-lock", "oc-pledge", "oc-chat"].contains(&prefix)
            {
                found.insert((Code::EvtNotEnvelope, Subject::new("kind", event.kind).and("class", "foreign")));
            }
        }
        for entry in world.payment_log.iter().map(|entry| parsed(&entry.json)) {
            let module = [&entry["module"]["kind"], &entry["module"][0], &entry[2]["kind"], &entry[2][0]];
            let module = module.into_iter().find_map(|name| name.as_str()).unwrap_or_default();
            let kind = [&entry["kind"], &entry["event_kind"], &entry[1]].into_iter().find_map(|kind| kind.as_str());
            if !MODULES.contains(&module) {
                let subject = Subject::new("module", module).and("kind", kind.unwrap_or_default());
                found.insert((Code::SrcUnknownKind, subject.and("federation", "")));
            }
        }
        found.into_iter().for_each(|(code, subject)| self.when(true, code, subject));
    }
}
