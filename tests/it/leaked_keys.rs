//! The leaked key, cell by cell: what anchored an envelope and when, where its kid stands, which artifact it is. What belongs
//! here: the rule of CONTRACT and DIVERGENCES about KEY_COMPROMISED, and `reledger keys`.
//!
//! The rule: under a leaked kid an envelope counts only if a block of the chain, with a time before the leak, anchors it, or
//! if a settlement names it. Settlements name distributions and drop manifests by `distribution_id` and payout bindings by
//! `payout_binding_id` (TREASURY 2.1, 2.6 R4); they name no event and no rebind (TREASURY 0.8).

mod commands;
mod desk;

use std::fs;

use reledger::domain::{AsOf, CompromisedKey, UnixSeconds};
use reledger::ledger::{Exclusion, Ledgers, Standing, rebuild};
use reledger::verify::{VerifiedSet, Verifier};
use serde_json::Value;
use tempfile::tempdir;

use crate::scenarios::scene::AS_OF;
use crate::support::{arg, code, drill, report, run, shown, stdout};
use desk::{Cell, Desk, KID, LEAK};

/// What is known of an envelope beside its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    AnchoredBefore,
    AnchoredAtTheSameSecond,
    AnchoredAfter,
    AnchoredAfterButSettled,
    /// A settlement names the id where it names another kind of artifact.
    AnchoredAfterAndMisnamed,
    Pending,
    Never,
    AnchoredBeforeUnderAnIsolatedHeaderOnly,
}

/// How the leaked kid stands in the captured key sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kid {
    Rotated,
    Retired,
    Rewritten,
    TheOnlyKey,
}

/// Which artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Distribution,
    PayoutBinding,
    Rebind,
    Drop,
}

pub(crate) const PROOFS: [Proof; 8] = [
    Proof::AnchoredBefore,
    Proof::AnchoredAtTheSameSecond,
    Proof::AnchoredAfter,
    Proof::AnchoredAfterButSettled,
    Proof::AnchoredAfterAndMisnamed,
    Proof::Pending,
    Proof::Never,
    Proof::AnchoredBeforeUnderAnIsolatedHeaderOnly,
];
const KIDS: [Kid; 4] = [Kid::Rotated, Kid::Retired, Kid::Rewritten, Kid::TheOnlyKey];
pub(crate) const KINDS: [Kind; 5] = [Kind::Event, Kind::Distribution, Kind::PayoutBinding, Kind::Rebind, Kind::Drop];

/// The rule. Where the kid stands changes nothing.
fn counts(proof: Proof, kind: Kind) -> bool {
    match proof {
        Proof::AnchoredBefore => true,
        Proof::AnchoredAfterButSettled => matches!(kind, Kind::Distribution | Kind::PayoutBinding | Kind::Drop),
        Proof::AnchoredAtTheSameSecond
        | Proof::AnchoredAfter
        | Proof::AnchoredAfterAndMisnamed
        | Proof::Pending
        | Proof::Never
        | Proof::AnchoredBeforeUnderAnIsolatedHeaderOnly => false,
    }
}

fn verified(desk: &Desk, leaks: &[CompromisedKey]) -> (VerifiedSet, Ledgers) {
    let mut policy = desk.policy();
    policy.compromised = leaks.to_vec();
    let evidence: Vec<_> = desk.evidence().into_iter().map(|raw| (raw.id(), raw)).collect();
    let mut verifier = Verifier::new(&policy);
    verifier.first_pass(&evidence);
    verifier.begin_second_pass();
    verifier.second_pass(&evidence);
    let set = verifier.finish();
    let ledgers = rebuild(&set, &policy, AsOf { time: UnixSeconds(AS_OF), tip: set.tip });
    (set, ledgers)
}

fn leak() -> CompromisedKey {
    CompromisedKey { kid: KID.into(), at: UnixSeconds(LEAK) }
}

fn standing(ledgers: &Ledgers, cell: &Cell) -> Option<Standing> {
    let id = cell.id.parse().unwrap();
    let envelope = ledgers.envelope.entry(&id).map(|entry| entry.standing);
    envelope.or(ledgers.rebind.entries.get(&id).map(|entry| entry.standing))
}

/// Satoshi of users by the cells that fit: every event earns another power of two, so that a sum names its members.
fn earned(desk: &Desk, fits: impl Fn(&Cell) -> bool) -> i128 {
    desk.cells.iter().filter(|cell| cell.kind == Kind::Event && fits(cell)).map(|cell| cell.sats).sum()
}

fn count(desk: &Desk, fits: impl Fn(&Cell) -> bool) -> i128 {
    i128::try_from(desk.cells.iter().filter(|cell| fits(cell)).count()).unwrap()
}

fn is_counted(cell: &Cell) -> bool {
    counts(cell.proof, cell.kind)
}

#[test]
fn every_cell_of_the_matrix_counts_or_is_excluded_as_the_rule_says() {
    let mut wrong = Vec::new();
    for kid in KIDS {
        let desk = Desk::new(kid);
        assert_eq!(desk.cells.len(), PROOFS.len() * KINDS.len());
        let (_, ledgers) = verified(&desk, &[leak()]);
        for cell in &desk.cells {
            let expected =
                if is_counted(cell) { Standing::Counted } else { Standing::Excluded(Exclusion::KeyCompromised) };
            let found = standing(&ledgers, cell);
            if found != Some(expected) {
                wrong.push(format!("{kid:?} {:?} {:?}: {found:?} instead of {expected:?}", cell.proof, cell.kind));
            }
        }
        // Both sides, by sums that name their members.
        let views = ledgers.views();
        let (envelope, rebind) = (&views[0].totals, &views[1].totals);
        assert_eq!(envelope["user_sats"], earned(&desk, is_counted), "{kid:?}");
        assert_eq!(envelope["key_compromised_user_sats"], earned(&desk, |cell| !is_counted(cell)), "{kid:?}");
        let is_rebind = |cell: &Cell| cell.kind == Kind::Rebind;
        for (totals, name, fits) in [
            (envelope, "counted", &(|cell: &Cell| !is_rebind(cell) && is_counted(cell)) as &dyn Fn(&Cell) -> bool),
            (envelope, "key_compromised", &|cell| !is_rebind(cell) && !is_counted(cell)),
            (rebind, "counted", &|cell| is_rebind(cell) && is_counted(cell)),
            (rebind, "key_compromised", &|cell| is_rebind(cell) && !is_counted(cell)),
        ] {
            assert_eq!(totals[name], count(&desk, fits), "{kid:?} {name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_envelopes_all_count_when_another_kid_leaked_or_none() {
    for kid in KIDS {
        let desk = Desk::new(kid);
        let other = CompromisedKey { kid: "env-other".into(), at: UnixSeconds(0) };
        for leaks in [&[][..], &[other]] {
            let (set, ledgers) = verified(&desk, leaks);
            assert_eq!(set.envelopes.len(), desk.cells.len());
            // The proofs are what the cells say: else the rule would be asked nothing.
            for cell in &desk.cells {
                let state = set.anchors.get(&cell.id.parse().unwrap());
                let best =
                    state.as_ref().and_then(|state| state.best()).map(|anchor| (anchor.time.0 - LEAK, anchor.trust));
                assert_eq!(best, desk::anchor(cell.proof), "{:?}", cell.proof);
                assert_eq!(state.is_some_and(|state| !state.pending.is_empty()), cell.proof == Proof::Pending);
            }
            assert!(desk.cells.iter().all(|cell| standing(&ledgers, cell) == Some(Standing::Counted)), "{kid:?}");
            assert_eq!(ledgers.views()[0].totals["key_compromised_user_sats"], 0);
        }
    }
}

#[test]
fn of_several_instants_the_earliest_counts_whatever_their_order() {
    let desk = Desk::new(Kid::TheOnlyKey);
    let at = |at| CompromisedKey { kid: KID.into(), at: UnixSeconds(at) };
    // A second earlier the block before the leak is no longer before it.
    for leaks in [[at(LEAK), at(LEAK - 1)], [at(LEAK - 1), at(LEAK)]] {
        let (_, ledgers) = verified(&desk, &leaks);
        assert_eq!(ledgers.views()[0].totals["user_sats"], 0);
    }
    // A second later the block of the same second is.
    let (_, ledgers) = verified(&desk, &[at(LEAK + 1)]);
    let is_before = |cell: &Cell| matches!(cell.proof, Proof::AnchoredBefore | Proof::AnchoredAtTheSameSecond);
    assert_eq!(ledgers.views()[0].totals["user_sats"], earned(&desk, is_before));
}

#[test]
fn the_report_shows_both_totals_and_keys_list_where_the_kid_stands() {
    for (kid, status, is_rewritten, exit) in [
        (Kid::Rotated, "rotated", false, 1),
        (Kid::Retired, "retired", false, 1),
        (Kid::Rewritten, "published", true, 1),
        (Kid::TheOnlyKey, "published", false, 1),
    ] {
        let desk = Desk::new(kid);
        let folder = tempdir().unwrap();
        let config = desk.write(folder.path());
        let run_dir = folder.path().join("run");
        let output = drill(&config, &run_dir, &["--as-of", "2026-10-01T00:00:00Z"]);
        assert_eq!(code(&output), exit, "{}", shown(&output));
        let report = report(&run_dir);
        let excluded = |cell: &Cell| !is_counted(cell);
        let number = |pointer: &str| i128::from(report.pointer(pointer).unwrap_or(&Value::Null).as_i64().unwrap());
        assert_eq!(number("/summary/by_code/KEY_COMPROMISED"), count(&desk, excluded));
        assert_eq!(number("/ledgers/envelope/totals/user_sats"), earned(&desk, is_counted));
        assert_eq!(number("/ledgers/envelope/totals/key_compromised_user_sats"), earned(&desk, excluded));
        let is_rebind = |cell: &Cell| cell.kind == Kind::Rebind && excluded(cell);
        assert_eq!(number("/ledgers/rebind/totals/key_compromised"), count(&desk, is_rebind));
        assert_eq!(number("/balances/excluded_sats"), earned(&desk, excluded));
        let is_event = |cell: &Cell| cell.kind == Kind::Event && excluded(cell);
        assert_eq!(number("/balances/excluded_users"), count(&desk, is_event), "every event has its own user");
        let line = format!(
            "counted {} sats of {} events; excluded under leaked keys {} sats of {} events",
            earned(&desk, is_counted),
            count(&desk, |cell| cell.kind == Kind::Event && is_counted(cell)),
            earned(&desk, excluded),
            count(&desk, is_event)
        );
        assert!(stdout(&output).contains(&line), "{line}\n{}", stdout(&output));
        let sentence = report["verdict"]["sentence"].as_str().unwrap();
        let apart = format!("accepted; {} envelopes excluded under leaked keys; ", count(&desk, excluded));
        assert!(sentence.contains(&apart), "{sentence}");

        let listed = run(&["keys", "list", "-c", arg(&config), "--run", arg(&run_dir), "--json", "--progress", "none"]);
        assert_eq!(code(&listed), 1, "{}", shown(&listed));
        let listed: Value = serde_json::from_str(&stdout(&listed)).unwrap();
        let keys = listed["keys"].as_array().unwrap();
        let row = keys.iter().find(|row| row["kid"] == KID).unwrap();
        assert_eq!((&row["status"], &row["rewritten"]), (&status.into(), &is_rewritten.into()), "{row:#}");
        assert_eq!(row["compromised_since"], LEAK);
        assert_eq!(i128::from(row["signed"]["counted"].as_i64().unwrap()), count(&desk, is_counted));
        assert_eq!(i128::from(row["signed"]["excluded"].as_i64().unwrap()), count(&desk, excluded));
        for kind in KINDS {
            let mine = |cell: &Cell| cell.kind == kind && is_counted(cell);
            let found = &row["signed"]["by_kind"][desk::prefix(kind)]["counted"];
            assert_eq!(i128::from(found.as_i64().unwrap()), count(&desk, mine), "{kind:?}");
        }
        fs::remove_dir_all(&run_dir).unwrap();
    }
}
