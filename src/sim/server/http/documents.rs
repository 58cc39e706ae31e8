//! The gateway's settlements and invoices, and the balances: documents of records.

use super::super::conduct::Seat;
use super::super::house::House;
use super::super::role::Role;
use super::answer::Answer;
use super::records::{Records, Style};
use super::route::Asked;

/// The documents by path. An object states how many records it holds and whether a page follows; a bare list can't.
const PATHS: &[(&str, Role, Style)] = &[
    ("/settlements.json", Role::Settlements, Style::Object("settlements")),
    ("/settlements.jsonl", Role::Settlements, Style::Lines),
    ("/invoices", Role::Invoices, Style::Object("invoices")),
    ("/invoices.json", Role::Invoices, Style::Array),
    ("/balances.json", Role::Balances, Style::Object("balances")),
    ("/balances.jsonl", Role::Balances, Style::Lines),
];

/// The role that answers for the path.
pub(super) fn role(path: &str) -> Option<Role> {
    PATHS.iter().find(|(own, ..)| *own == path).map(|(_, role, _)| *role)
}

pub(super) fn answer(house: &House, seat: Seat, asked: &Asked<'_>) -> Option<Answer> {
    let (_, role, style) = PATHS.iter().find(|(own, ..)| *own == asked.path)?;
    let world = &house.world;
    let items = match role {
        Role::Settlements => &world.settlements,
        Role::Invoices => &world.invoices,
        _ => &world.balances,
    };
    let mut records = Records::new(*style, items);
    if matches!(style, Style::Object(_)) {
        let number = |name| asked.parameter(name).and_then(|text| text.parse::<usize>().ok());
        records = records.page(number("cursor").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
    }
    Some(records.misbehave(house, seat, asked.client).answer())
}
