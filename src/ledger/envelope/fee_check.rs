//! FEE_SPLIT and FEE_UNREPLAYABLE: the invariants, then the replay under the config valid at the time (FORMATS 4.3, 5).

use std::collections::BTreeMap;

use crate::domain::{Code, Finding, ProjectKey, Subject};
use crate::evidence::{BillableEvent, ProjectConfig};
use crate::ledger::fees::{Replay, broken_invariants, class_is_unknown, replay};
use crate::ledger::scope::Scope;

use super::price_history::PriceHistory;
use super::survey::Signed;

/// Every price config, by what an event names.
pub(super) struct Prices<'a> {
    by_project: BTreeMap<&'a ProjectKey, PriceHistory<'a>>,
    by_domain: BTreeMap<String, PriceHistory<'a>>,
    none: PriceHistory<'a>,
}

impl<'a> Prices<'a> {
    pub(super) fn of(scope: Scope<'a>) -> Self {
        let mut prices =
            Self { by_project: BTreeMap::new(), by_domain: BTreeMap::new(), none: PriceHistory::default() };
        for (_, config) in &scope.set.configs {
            prices.by_project.entry(&config.project).or_default().add(config);
            prices.by_domain.entry(normal_domain(&config.domain)).or_default().add(config);
        }
        prices
    }

    /// Checks one event. True when it has a custom key whose class no config valid at its time states.
    pub(super) fn check(&self, signed: Signed, event: &BillableEvent, findings: &mut Vec<Finding>) -> bool {
        let known = match &event.project {
            Some(project) => self.by_project.get(project),
            None => self.by_domain.get(&normal_domain(event.site.as_str())),
        };
        let valid = known.unwrap_or(&self.none).at(event.occurred_at);
        let is_unclassed = class_is_unknown(event, valid.unwrap_or_default());
        let broken = broken_invariants(event);
        if broken.is_empty() {
            findings.extend(judge(signed, event, valid));
        } else {
            findings.push(split(signed, event, "the published invariants", &broken.join(", ")));
        }
        is_unclassed
    }
}

/// Replays one event. When several documents carry the newest valid time, one that agrees is enough: nothing says which held.
fn judge(signed: Signed, event: &BillableEvent, valid: Result<&[&ProjectConfig], &'static str>) -> Option<Finding> {
    let configs = match valid {
        Ok(configs) => configs,
        Err(reason) => return Some(unreplayable(signed, reason)),
    };
    let mut replays = Vec::new();
    for config in configs {
        match replay(config, event) {
            Replay::Agrees => return None,
            other => replays.push(other),
        }
    }
    // An open question outweighs a contradiction: another document of the same time might have agreed.
    if let Some(reason) =
        replays.iter().find_map(|replay| if let Replay::Unknown(reason) = replay { Some(reason) } else { None })
    {
        return Some(unreplayable(signed, reason));
    }
    replays.into_iter().find_map(|replay| match replay {
        Replay::Agrees | Replay::Unknown(_) => None,
        Replay::Forbidden(reason) => Some(split(signed, event, "an event that the price config allows", reason)),
        Replay::Differs(difference) => {
            let fees =
                difference.fees.map(|fees| format!("{}/{}/{}/{}", fees.gross, fees.platform, fees.user, fees.rebate));
            let class = difference.class.map(|class| format!("class {}", class.name()));
            let expected = fees.into_iter().chain(class).collect::<Vec<_>>().join(", ");
            let mut what = difference.fields.join(", ");
            if difference.post_platform {
                what.push_str(" (fee_rule_variant_post_platform: the share was taken of what the platform leaves)");
            }
            Some(split(signed, event, &expected, &what))
        }
    })
}

fn split(signed: Signed, event: &BillableEvent, expected: &str, what: &str) -> Finding {
    let mut recorded = format!("{}/{}/{}/{}", event.gross, event.platform, event.user_earned, event.rebate);
    if what.contains("class") {
        recorded += &format!(", class {}", event.class.name());
    }
    Finding::new(Code::FeeSplit, Subject::new("envelope", signed.id))
        .with_values(expected, recorded)
        .with_evidence(signed.carrier, "carrier")
        .with_explanation(format!(
            "Gross/platform/user/rebate in satoshi disagree: {what}. The envelope counts as signed."
        ))
}

fn unreplayable(signed: Signed, reason: &str) -> Finding {
    Finding::new(Code::FeeUnreplayable, Subject::new("envelope", signed.id))
        .with_values("a price config and amount valid at that time", reason)
        .with_evidence(signed.carrier, "carrier")
        .with_explanation("The fees could not be replayed; only the invariants were checked.")
}

fn normal_domain(domain: &str) -> String {
    domain.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use crate::domain::{Code, Finding};
    use crate::evidence::{BillableEvent, EventClass, SitePays};
    use crate::ledger::testkit::{World, price, sats};

    /// Findings about one event at 100 satoshi and a share of 0.65, and the events whose class nobody states.
    fn judged(class: Option<EventClass>, edit: impl FnOnce(&mut BillableEvent)) -> (Vec<Finding>, usize) {
        let mut world = World::new();
        let custom = |pays| crate::evidence::EventPrice { class, ..price(pays, 0.65) };
        let events = &mut world.set.configs[0].1.events;
        events.insert("zine".to_owned(), custom(SitePays::FixedSats(100.0)));
        events.insert("tip".to_owned(), custom(SitePays::PercentOfAmount(0.01)));
        world.event("e", edit);
        let ledgers = world.ledgers();
        let of_fees = |finding: &Finding| matches!(finding.code, Code::FeeSplit | Code::FeeUnreplayable);
        (ledgers.findings.into_iter().filter(of_fees).collect(), ledgers.envelope.unclassed)
    }

    fn key(subtype: &'static str) -> impl Fn(&mut BillableEvent) {
        move |event| event.subtype = subtype.into()
    }

    #[test]
    fn the_split_of_the_other_published_rule_is_named_and_any_other_split_is_not() {
        // FORMATS 4.2: of 100 satoshi 20 go to the platform; 0.65 of gross are 65, of what is left 52.
        let label = "fee_rule_variant_post_platform";
        let (found, _) = judged(None, |event| (event.user_earned, event.rebate) = (sats(52), sats(28)));
        assert_eq!((found[0].code, found[0].expected.as_str()), (Code::FeeSplit, "100/20/65/15"));
        assert_eq!(found[0].observed, "100/20/52/28");
        assert!(found[0].explanation.contains(label), "{}", found[0].explanation);
        for (user, rebate) in [(51, 29), (53, 27)] {
            let (found, _) = judged(None, |event| (event.user_earned, event.rebate) = (sats(user), sats(rebate)));
            assert_eq!(found[0].code, Code::FeeSplit);
            assert!(!found[0].explanation.contains(label), "{}", found[0].explanation);
        }
        // Of a share of nothing both rules make nothing: there is no finding to label.
        assert_eq!(judged(None, |_| ()).0, []);
    }

    #[test]
    fn a_custom_key_has_the_class_of_the_catalogue() {
        let (found, unclassed) = judged(Some(EventClass::B), key("zine"));
        assert_eq!((found.len(), found[0].code, unclassed), (1, Code::FeeSplit, 0));
        assert_eq!((&*found[0].expected, &*found[0].observed), ("100/20/65/15, class B", "100/20/65/15, class C"));
        // The amount is not known, and the class is another all the same.
        let (found, _) = judged(Some(EventClass::A), key("tip"));
        assert_eq!((found[0].code, found[0].expected.as_str()), (Code::FeeSplit, "class A"));
        // Near misses: the same class, and a built-in key, whose class no catalogue changes.
        assert_eq!(judged(Some(EventClass::C), key("zine")), (Vec::new(), 0));
        assert_eq!(judged(Some(EventClass::C), key("tip")).0[0].code, Code::FeeUnreplayable);
        assert_eq!(judged(Some(EventClass::A), key("session_creation")), (Vec::new(), 0));
    }

    #[test]
    fn a_custom_key_of_no_known_class_is_counted_and_no_divergence() {
        assert_eq!(judged(None, key("zine")), (Vec::new(), 1));
        let before = "2026-05-03T00:00:00Z".parse().unwrap();
        let (found, unclassed) = judged(Some(EventClass::C), |event| {
            key("zine")(event);
            event.occurred_at = before;
        });
        assert_eq!((found[0].code, unclassed), (Code::FeeUnreplayable, 1), "no price list was in force then");
        assert_eq!(judged(None, key("session_creation")), (Vec::new(), 0));
    }
}
