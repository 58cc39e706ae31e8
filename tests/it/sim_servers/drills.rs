//! Whole drills against servers that misbehave.

use std::collections::BTreeSet;

use reledger::domain::Code;
use reledger::sim::{Behaviour, HeaderDialect, Holds, RateLimit, RelayRules, Schedule};

use super::{Loss, Misbehaviour, Outcome, Role, Services, WORLD, behaviours, outcome, side_by_side};

/// Drills that run at once: they mostly wait.
const AT_ONCE: usize = 10;
/// Documented exit codes of a run that could not establish everything (CONTRACT 2).
const NOT_CLEAN: [i32; 3] = [1, 3, 8];
/// Milliseconds: a relay is given up after a second, so a silent one costs little.
const PACE_MS: u64 = 5;

/// HTTP roles that can be spoilt together without hiding each other. A calendar is asked only about proofs that hold.
const GROUPS: [&[Role]; 2] = [
    &[Role::Settlements, Role::PaymentLog, Role::WellKnown],
    &[Role::Invoices, Role::Balances, Role::Headers, Role::Calendar],
];

fn every(role: Role, misbehaviour: Misbehaviour) -> Behaviour {
    Behaviour::new(role, None, misbehaviour, Schedule::Every).unwrap()
}

fn paced(behaviours: Vec<Behaviour>) -> Services {
    Services { behaviours, pace_ms: PACE_MS, ..Services::default() }
}

/// True when nobody has to say anything about it.
fn is_harmless(role: Role, misbehaviour: Misbehaviour) -> bool {
    misbehaviour.effect(role).told.is_empty()
}

/// All that must not be noticed together; everything else by misbehaviour, relays alone. What waits longest comes first.
fn cases() -> Vec<Vec<Behaviour>> {
    let pairs = || Misbehaviour::ALL.iter().flat_map(|one| one.roles().into_iter().map(|role| (role, *one)));
    let mut cases: Vec<Vec<Behaviour>> = Vec::new();
    for misbehaviour in Misbehaviour::ALL.iter().copied() {
        let told = |role: &&Role| misbehaviour.applies_to(**role) && !is_harmless(**role, misbehaviour);
        for group in [&[Role::Relay], GROUPS[0], GROUPS[1]] {
            let case: Vec<Behaviour> = group.iter().filter(told).map(|role| every(*role, misbehaviour)).collect();
            if !case.is_empty() {
                cases.push(case);
            }
        }
    }
    cases.sort_by_key(|case| !case.iter().any(|one| one.misbehaviour().is_transient()));
    cases.sort_by_key(|case| !case.iter().any(|one| one.misbehaviour() == Misbehaviour::Stall));
    cases.push(pairs().filter(|(role, one)| is_harmless(*role, *one)).map(|(role, one)| every(role, one)).collect());
    cases
}

#[test]
fn every_misbehaviour_of_every_role_is_told_or_rightly_passed_over() {
    let honest = outcome(Services::default());
    assert_eq!((honest.exit, honest.open_codes()), (0, BTreeSet::new()));
    let results = side_by_side(cases(), AT_ONCE, |case| {
        let outcome = outcome(paced(case.clone()));
        (case, outcome)
    });
    let mut done: BTreeSet<(Role, Misbehaviour)> = BTreeSet::new();
    for (case, outcome) in &results {
        let name = case.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        check(&name, case, outcome, &honest);
        done.extend(case.iter().map(|one| (one.role(), one.misbehaviour())));
    }
    for misbehaviour in Misbehaviour::ALL {
        for role in misbehaviour.roles() {
            assert!(done.contains(&(role, *misbehaviour)), "no case for {role}={misbehaviour}");
        }
    }
}

/// Compares what came out with what each behaviour says must.
fn check(name: &str, case: &[Behaviour], outcome: &Outcome, honest: &Outcome) {
    assert_eq!(outcome.idle, [], "{name}: never reached the wire");
    assert_eq!(outcome.trapped, 0, "{name}: an address that nobody configured was contacted");
    let mut allowed = BTreeSet::new();
    let mut worst = Loss::Nothing;
    for behaviour in case {
        let effect = behaviour.effect();
        worst = worst.max(effect.loss);
        allowed.extend(effect.told.iter().copied().flatten().map(|code| code.name().to_owned()));
        let spoilt = outcome.exercised.keys().filter(|(_, one)| *one == behaviour.misbehaviour());
        let own: Vec<&str> =
            spoilt.map(|(server, _)| server.as_str()).filter(|server| is_of(server, behaviour)).collect();
        assert!(!own.is_empty(), "{name}");
        for (server, row) in own.iter().flat_map(|server| effect.told.iter().map(move |row| (server, row))) {
            // A relay whose claim was withdrawn is named for that; what is then missing is a relay, whichever.
            let withdrawn = *row == [Code::SrcIncomplete] && effect.told.iter().any(|row| **row == [Code::SrcOmits]);
            let told = row.iter().any(|code| outcome.tells(*code, server, behaviour.role()))
                || withdrawn && outcome.lacks_relays();
            assert!(told, "{name}: {server} must bring one of {row:?}, not {:?}", outcome.open_codes());
        }
    }
    match worst {
        Loss::Certain => assert!(NOT_CLEAN.contains(&outcome.exit), "{name}: exit {}", outcome.exit),
        Loss::Possible => {}
        Loss::Nothing => {
            assert_eq!(outcome.exit, 0, "{name}: {:?}", outcome.open_codes());
            assert!(outcome.open_codes().is_subset(&allowed), "{name}: {:?} is too much", outcome.open_codes());
            let of_conduct = [Code::SrcMisbehaves.name().to_owned()].into();
            if allowed.is_subset(&of_conduct) {
                assert_eq!(outcome.report["state_root"], honest.report["state_root"], "{name}");
            }
        }
    }
}

fn is_of(server: &str, behaviour: &Behaviour) -> bool {
    let (role, index) = server.split_once(':').unwrap();
    role == behaviour.role().name() && behaviour.index().is_none_or(|own| own.to_string() == index)
}

#[test]
fn what_fails_once_is_asked_again_and_nothing_is_lost() {
    let relay = ["disconnect@1", "close-mid-page@3", "rate-limit@6", "oversize@8", "invalid-utf8@11"];
    let mut texts: Vec<String> = relay.iter().map(|text| format!("relay={text}")).collect();
    for role in ["settlements", "invoices", "balances", "payment-log", "headers", "well-known", "calendar"] {
        for text in ["disconnect@1", "close-mid-page@1", "rate-limit@1"] {
            texts.push(format!("{role}={text}"));
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let services = Services { pace_ms: PACE_MS, ..behaviours(&texts) };
    let case = services.behaviours.clone();
    let (honest, outcome) = (outcome(Services::default()), outcome(services));
    check("once", &case, &outcome, &honest);
    assert_eq!((outcome.exit, outcome.open_codes()), (0, [Code::SrcMisbehaves.name().to_owned()].into()));
}

#[test]
fn one_bad_relay_of_two_is_named_and_costs_nothing() {
    let services = [behaviours(&["relay:0=redirect"]), behaviours(&["relay:1=omit"])];
    let [gone, omits] = services.map(|services| outcome(Services { pace_ms: PACE_MS, ..services }));
    assert_eq!(gone.exit, 0, "{:?}", gone.open_codes());
    let named = |outcome: &Outcome, code: Code, state: &str| -> Vec<String> {
        let found = outcome.divergences().filter(|one| one["code"] == code.name() && one["state"] == state);
        let names: BTreeSet<String> = found.map(|one| one["subject"]["source"].as_str().unwrap().to_owned()).collect();
        names.into_iter().collect()
    };
    assert_eq!(named(&gone, Code::SrcUnreachable, "explained"), gone.sources["relay:0"]);
    assert_eq!(omits.exit, 0, "{:?}", omits.open_codes());
    assert_eq!(named(&omits, Code::SrcOmits, "open"), omits.sources["relay:1"]);
}

#[test]
fn limits_that_servers_may_have_cost_nothing() {
    let times: Vec<i64> = WORLD.events.iter().map(|event| event.created_at.0).collect();
    assert!(times.len() > 100, "a world that needs several pages");
    let strict = RelayRules {
        max_limit: 30,
        max_filters: 1,
        max_subscriptions: 1,
        rate: Some(RateLimit { burst: 12, refill_ms: 10 }),
        hints: true,
        counts: false,
        reconciles: false,
        ..RelayRules::default()
    };
    let services = Services {
        relays: vec![strict.clone(), strict],
        log_page_max: 40,
        headers: HeaderDialect::Esplora,
        ..Services::default()
    };
    let (honest, outcome) = (outcome(Services::default()), outcome(services));
    assert_eq!((outcome.exit, outcome.open_codes()), (0, BTreeSet::new()));
    assert_eq!(outcome.report["state_root"], honest.report["state_root"]);
    let coverage = outcome.report["coverage"].as_array().unwrap();
    let hinted = |row: &&serde_json::Value| row["basis"] == "finish-hint" && row["events"].as_u64() > Some(30);
    assert!(coverage.iter().any(|row| hinted(&row)), "{coverage:?}");
}

#[test]
fn a_relay_that_pruned_is_told_of_by_the_other() {
    let mut times: Vec<_> = WORLD.events.iter().map(|event| event.created_at).collect();
    times.sort_unstable();
    let holds = Holds { since: Some(times[times.len() / 2]), without: BTreeSet::new() };
    let relays = vec![RelayRules::default(), RelayRules { holds, ..RelayRules::default() }];
    let outcome = outcome(Services { relays, ..Services::default() });
    assert_eq!((outcome.exit, outcome.open_codes()), (0, [Code::SrcOmits.name().to_owned()].into()));
    assert!(outcome.tells(Code::SrcOmits, "relay:1", Role::Relay));
    assert!(!outcome.tells(Code::SrcOmits, "relay:0", Role::Relay));
}
