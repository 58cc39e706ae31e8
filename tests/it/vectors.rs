//! Every published and derived vector of FORMATS 3 to 8 and 12, positive and negative, as a named case of one table.
//!
//! A case says which row of FORMATS it stands for, where its input is from, and what the reader must answer. The answer is a
//! short text that one runner for each kind of input makes (`case.rs`); nothing expected here was computed by this program.
//! Every row of FORMATS 12 has at least one case. Vectors of things that are stored and not judged say so.

mod attest;
mod bindings;
mod case;
mod custody;
mod fees;
mod injections;
mod kept;
mod nostr;
mod oc_me;
mod ots;
mod rows;
mod schema;
mod settlement;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use case::Case;

fn table() -> Vec<Case> {
    [
        attest::cases(),
        bindings::cases(),
        custody::cases(),
        fees::cases(),
        injections::cases(),
        nostr::cases(),
        oc_me::cases(),
        ots::cases(),
        schema::cases(),
        settlement::cases(),
        stored::cases(),
    ]
    .concat()
}

#[test]
fn every_vector_gets_the_answer_that_its_row_demands() {
    let table = table();
    let wrong: Vec<String> = table.iter().filter_map(Case::complaint).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

#[test]
fn every_row_of_the_formats_has_a_case_and_every_case_has_a_row_and_a_name_of_its_own() {
    let table = table();
    let mut by_row: BTreeMap<&str, usize> = rows::ROWS.iter().map(|row| (*row, 0)).collect();
    assert_eq!(by_row.len(), rows::ROWS.len(), "a row stands twice in the list");
    let mut names = BTreeSet::new();
    for case in &table {
        assert!(!case.from.is_empty(), "{}", case.name);
        assert!(names.insert((case.row, &case.name)), "two cases of {} are called {}", case.row, case.name);
        *by_row.get_mut(case.row).unwrap_or_else(|| panic!("{} has the unknown row {}", case.name, case.row)) += 1;
    }
    let without: Vec<&str> = by_row.iter().filter(|(_, cases)| **cases == 0).map(|(row, _)| *row).collect();
    assert!(without.is_empty(), "rows without a case: {without:#?}");
}

/// A file that is cut short must not pass: so many cases came out of the vector files.
#[test]
fn the_table_has_as_many_cases_as_the_vector_files_hold() {
    let table = table();
    for (from, cases) in [
        ("oc-attest/", 27),
        ("oc-attest-binding/", 10),
        ("oc-agent-protocol/", 23),
        ("oc-pledge-protocol/", 7),
        ("oc-stamp-protocol/", 7),
        ("oc-me-client/compute-fees.json", 26),
        ("oc-me-client/event-verify.json", 6),
        ("oc-me-client/validate-config.json", 4),
        ("oc-me-web-public/", 12),
        ("oc-relay-infra/dtag-matrix.json", 36),
        ("oc-relay-infra/events-", 25),
        ("oc-guardian-kit/", 4),
        ("derived/activity-attestation.json", 9),
        ("derived/compute-fees.json", 15),
        ("derived/custody-descriptor.json", 1),
        ("derived/graduation-rotation-candidates.json", 5),
        ("derived/nostr-mutations.json", 3),
        ("derived/quorum-semantics.json", 23),
        ("derived/settlement-variants.json", 4),
        ("derived/stamp-negatives.json", 12),
    ] {
        let found = table.iter().filter(|case| case.from.starts_with(from)).count();
        assert_eq!(found, cases, "{from}");
    }
}
