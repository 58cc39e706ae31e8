//! Inputs and balances: what is empty, unreadable, spendable, unchecked, or differs from what was reported.

use reledger::domain::{EvidenceId, Media, sha256};
use reledger::evidence::rails::redact_log_entry;
use serde_json::{Value, json};

use super::scene::{Scene, evidence};
use super::table::{Blame, Case, judge};

fn append(scene: &mut Scene, file: &'static str, media: Media, line: &str) -> EvidenceId {
    scene.appended.push((file, format!("{line}\n").into_bytes()));
    evidence(media, line)
}

fn unreadable(scene: &mut Scene, file: &'static str, media: Media) -> Blame {
    let line = "{\"half\": true}";
    let cited = append(scene, file, media, line);
    Blame::new("sha256", sha256(line.as_bytes())).citing("carrier", cited)
}

fn an_unreadable_balance(scene: &mut Scene) -> Blame {
    unreadable(scene, "balances.jsonl", Media::Balance)
}

fn an_unreadable_settlement(scene: &mut Scene) -> Blame {
    unreadable(scene, "gateway/settlements.jsonl", Media::Settlement)
}

fn an_empty_line(scene: &mut Scene) {
    append(scene, "balances.jsonl", Media::Balance, "  ");
    append(scene, "gateway/settlements.jsonl", Media::Settlement, "");
}

fn notes_in_the_log(scene: &mut Scene) -> Blame {
    let payload = json!({"operation_id": scene.unique(), "amount": 1_000, "oob_notes": "AgEEsuFO5gD3"});
    scene.log("payment-send", "mint", &payload);
    let entry = scene.world.payment_log.last().unwrap();
    let kept = redact_log_entry(entry.json.as_bytes()).expect("the notes are found");
    let cited = evidence(Media::PaymentLogEntry, std::str::from_utf8(&kept).unwrap());
    Blame::new("field", "payload.oob_notes").citing("carrier", cited)
}

fn a_send_without_notes(scene: &mut Scene) {
    let payload = json!({"operation_id": scene.unique(), "amount": 1_000, "oob_notes": null});
    scene.log("payment-send", "mint", &payload);
}

fn forget_invoice(scene: &mut Scene, status: &str) {
    let at = scene.world.invoices.iter().position(|line| line.contains(&format!("\"status\":\"{status}\""))).unwrap();
    scene.world.invoices.remove(at);
}

fn a_deposit_without_its_invoice(scene: &mut Scene) -> Blame {
    forget_invoice(scene, "settled");
    Blame::new("check", "settlement.invoice")
}

fn an_unpaid_invoice_fewer(scene: &mut Scene) {
    forget_invoice(scene, "expired");
}

/// The place of a statement line with or without a balance.
fn place(scene: &Scene, fits: impl Fn(i64) -> bool) -> (usize, Value) {
    let lines = scene.world.balances.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.enumerate().find(|(_, line)| fits(line["balance_sats"].as_i64().unwrap())).unwrap()
}

fn restate(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Blame {
    let (at, mut line) = place(scene, |sats| sats > 0);
    edit(&mut line);
    scene.world.balances[at] = line.to_string();
    Blame::new("user", line["user"].as_str().unwrap()).citing("statement", evidence(Media::Balance, &line.to_string()))
}

fn a_satoshi_less(scene: &mut Scene) -> Blame {
    restate(scene, |line| line["balance_sats"] = (line["balance_sats"].as_i64().unwrap() - 1).into())
}

fn a_note_beside_the_balance(scene: &mut Scene) {
    restate(scene, |line| line["note"] = "as agreed".into());
}

fn leave_out(scene: &mut Scene, fits: fn(i64) -> bool) -> Blame {
    let (at, line) = place(scene, fits);
    scene.world.balances.remove(at);
    Blame::new("user", line["user"].as_str().unwrap())
}

fn a_creditor_left_out(scene: &mut Scene) -> Blame {
    leave_out(scene, |sats| sats > 0)
}

fn a_user_who_is_owed_nothing_left_out(scene: &mut Scene) {
    leave_out(scene, |sats| sats == 0);
}

fn a_strangers_balance(scene: &mut Scene, sats: i64) -> Blame {
    let user = scene.hand.address("a stranger");
    let line = json!({"user": user, "balance_sats": sats}).to_string();
    let cited = evidence(Media::Balance, &line);
    scene.world.balances.push(line);
    Blame::new("user", user).citing("statement", cited)
}

fn a_stranger_with_a_balance(scene: &mut Scene) -> Blame {
    a_strangers_balance(scene, 1)
}

fn a_stranger_with_nothing(scene: &mut Scene) {
    a_strangers_balance(scene, 0);
}

#[test]
fn every_fault_of_an_input_has_its_code() {
    judge(&[
        Case {
            code: "SRC_PARSE",
            severity: "warn",
            exit: 3,
            fault: an_unreadable_balance,
            beside: &["UNVERIFIABLE"],
            near_miss: an_empty_line,
            near_miss_beside: &[],
        },
        Case {
            code: "SRC_PARSE",
            severity: "error",
            exit: 1,
            fault: an_unreadable_settlement,
            beside: &["UNVERIFIABLE"],
            near_miss: an_empty_line,
            near_miss_beside: &[],
        },
        Case {
            code: "SRC_SECRET_PRESENT",
            severity: "warn",
            exit: 0,
            fault: notes_in_the_log,
            beside: &[],
            near_miss: a_send_without_notes,
            near_miss_beside: &[],
        },
        Case {
            code: "UNVERIFIABLE",
            severity: "info",
            exit: 3,
            fault: a_deposit_without_its_invoice,
            beside: &[],
            near_miss: an_unpaid_invoice_fewer,
            near_miss_beside: &[],
        },
    ]);
}

#[test]
fn every_difference_of_a_balance_has_its_code() {
    judge(&[
        Case {
            code: "BALANCE_MISMATCH",
            severity: "critical",
            exit: 1,
            fault: a_satoshi_less,
            beside: &[],
            near_miss: a_note_beside_the_balance,
            near_miss_beside: &[],
        },
        Case {
            code: "BALANCE_MISSING_USER",
            severity: "critical",
            exit: 1,
            fault: a_creditor_left_out,
            beside: &[],
            near_miss: a_user_who_is_owed_nothing_left_out,
            near_miss_beside: &[],
        },
        Case {
            code: "BALANCE_EXTRA_USER",
            severity: "critical",
            exit: 1,
            fault: a_stranger_with_a_balance,
            beside: &[],
            near_miss: a_stranger_with_nothing,
            near_miss_beside: &[],
        },
    ]);
}
