//! The judge is judged: it passes a capture without fault, and each single fault of a capture is noticed. The truth is
//! compared with what the relay answers when everything is asked.

use std::collections::BTreeSet;

use reledger::domain::{CompletenessBasis, FetchReceipt, Slice, SliceEnd, SourceId};
use serde_json::json;

use super::answer::Act;
use super::judge::{Outcome, has_a_nameable_time, judge};
use super::server::Log;
use super::world::{Choice, Neg, Prefixes, World};

fn worlds(keep: impl Fn(&World) -> bool) -> impl Iterator<Item = World> {
    (0..u64::MAX).map(World::generate).filter(move |world| !world.events.is_empty() && keep(world))
}

/// A capture that got everything and says so.
fn whole(world: &World) -> Outcome {
    let mut kinds = world.kinds.clone();
    kinds.sort_unstable();
    let receipts = kinds.iter().map(|kind| FetchReceipt {
        basis: CompletenessBasis::SetEqual,
        items: u64::try_from(world.held(*kind).len()).unwrap(),
        ..FetchReceipt::whole(SourceId("ws://relay".to_owned()), Slice::all(kind.to_string()))
    });
    let captured = kinds.iter().flat_map(|kind| world.held(*kind)).map(|event| event.json.clone());
    Outcome { captured: captured.collect(), receipts: receipts.collect(), log: Log::default() }
}

fn honest(world: &World) -> bool {
    world.is_honest() && world.kinds.iter().any(|kind| !world.held(*kind).is_empty())
}

#[test]
fn a_capture_of_everything_is_faultless() {
    for world in worlds(World::is_honest).take(30) {
        assert_eq!(judge(&world, &whole(&world)), Vec::<String>::new(), "{world}");
    }
}

#[test]
fn one_lost_event_is_noticed() {
    for world in worlds(honest).take(30) {
        let mut outcome = whole(&world);
        let lost = outcome.captured.pop().unwrap();
        let kind = world.events.iter().find(|event| event.json == lost).unwrap().kind.to_string();
        outcome.receipts.iter_mut().find(|receipt| receipt.slice.kind == kind).unwrap().items -= 1;
        let wrong = judge(&world, &outcome);
        assert!(wrong.iter().any(|what| what.contains("FALSE COMPLETE: 1 of")), "{world}: {wrong:?}");
    }
}

#[test]
fn a_lost_event_of_a_slice_that_says_so_is_no_false_claim() {
    // A fault that allows for it; the same loss at an honest relay is noticed above.
    for world in worlds(honest_but_dead).take(20) {
        let mut outcome = whole(&world);
        outcome.captured.clear();
        for receipt in &mut outcome.receipts {
            *receipt = FetchReceipt {
                basis: CompletenessBasis::None,
                end: SliceEnd::TimedOut,
                items: 0,
                reason: "no answer in time".to_owned(),
                ..receipt.clone()
            };
        }
        assert_eq!(judge(&world, &outcome), Vec::<String>::new(), "{world}");
        outcome.receipts[0].reason.clear();
        assert_eq!(judge(&world, &outcome).len(), 1, "a reason is owed");
    }
}

fn honest_but_dead(world: &World) -> bool {
    world.is_dead(0) && !world.gives_everything()
}

#[test]
fn an_honest_relay_that_is_called_incomplete_is_noticed() {
    let plain = |world: &World| honest(world) && world.events.iter().all(has_a_nameable_time);
    let listing = worlds(move |world| plain(world) && matches!(world.neg, Neg::Honest { max: 1_000_000, .. }));
    let paging = worlds(move |world| plain(world) && matches!(world.neg, Neg::No(_)) && world.shows_its_cap());
    for world in listing.take(20).chain(paging.take(20)) {
        let mut outcome = whole(&world);
        for receipt in &mut outcome.receipts {
            receipt.basis = CompletenessBasis::Heuristic;
            "who knows".clone_into(&mut receipt.reason);
        }
        assert!(!judge(&world, &outcome).is_empty(), "{world}");
    }
}

#[test]
fn foreign_repeated_and_miscounted_events_are_noticed() {
    let world = worlds(honest).next().unwrap();
    let good = whole(&world);
    let mut twice = good.clone();
    twice.captured.push(good.captured[0].clone());
    let mut foreign = good.clone();
    foreign.captured.push(good.captured[0].replace("created_at", "crafted_at"));
    let mut miscounted = good.clone();
    miscounted.receipts[0].items += 1;
    let mut chatty = good.clone();
    chatty.log.messages = 1_000_000_000;
    let mut unfinished = good;
    unfinished.receipts[0].end = SliceEnd::TimedOut;
    for bad in [twice, foreign, miscounted, chatty, unfinished] {
        assert_eq!(judge(&world, &bad).len(), 1);
    }
}

#[test]
fn a_claim_against_the_relays_own_word_is_noticed() {
    let world = worlds(honest).find(|world| world.window == (None, None)).unwrap();
    let kind = world.kinds[0];
    let held = u64::try_from(world.held(kind).len()).unwrap();
    for (told, faults) in [(held, 0), (held + 1, 1)] {
        let mut outcome = whole(&world);
        outcome.log.counted.push((json!({"kinds": [kind]}), told));
        assert_eq!(judge(&world, &outcome).len(), faults);
    }
    let world = worlds(|world| {
        world.neg == Neg::Phantoms && world.held(world.kinds[0]).iter().any(|event| world.is_phantom(event))
    })
    .next()
    .unwrap();
    let mut outcome = whole(&world);
    outcome.log.listed.insert(u64::from(world.kinds[0]));
    assert!(judge(&world, &outcome).iter().any(|what| what.contains("listed and never given")));
}

/// Asks every second alone, and every prefix of two bytes in it: nothing else brings more of pages.
#[test]
fn what_is_within_reach_is_what_questions_bring() {
    let plain = |world: &World| {
        world.faults.is_empty()
            && world.choice != Choice::Random
            && world.events.len() < 150
            && matches!(world.cap, super::world::Cap::Fixed(_))
            && matches!(world.neg, Neg::No(_))
            && world.window == (None, None)
            && world.events.iter().all(|event| i64::try_from(event.at).is_ok())
    };
    let mut out_of_reach = 0;
    for world in worlds(plain).take(30) {
        for kind in &world.kinds {
            let mut brought = BTreeSet::new();
            let mut ask = |filter| {
                let acts = world.answer_req("s", &filter, 0);
                brought.extend(acts.into_iter().filter_map(|act| match act {
                    Act::Event { id, .. } => Some(id),
                    Act::Text(_) | Act::Pause(_) | Act::Leave => None,
                }));
            };
            for event in world.held(*kind) {
                let base = json!({"kinds": [kind], "since": narrow(event.at), "until": narrow(event.at), "limit": world.page_limit});
                let mut prefixed = base.clone();
                prefixed["ids"] = json!([&event.id[..4]]);
                ask(base);
                if world.prefixes == Prefixes::Served {
                    ask(prefixed);
                }
            }
            let brought: BTreeSet<&str> = brought.iter().map(String::as_str).collect();
            assert_eq!(brought, world.within_reach(*kind), "{world}");
            out_of_reach += world.held(*kind).len() - brought.len();
        }
    }
    assert!(out_of_reach > 0, "some worlds must hold what pages do not bring");
}

fn narrow(at: i128) -> i64 {
    i64::try_from(at).unwrap()
}
