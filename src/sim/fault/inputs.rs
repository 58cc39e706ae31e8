//! What is empty, unreadable, spendable, unchecked, or known to be absent.

use serde_json::{Value, json};

use super::Generator;
use crate::domain::{Code, Media, Severity, Subject, sha256};
use crate::sim::expect::Expected;
use crate::sim::scene::{NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SrcParse,
        name: "an-unreadable-balance",
        near_miss: "a line of spaces",
        fault: an_unreadable_balance,
        miss: a_line_of_spaces,
    },
    Generator {
        code: Code::SrcParse,
        name: "an-unreadable-settlement",
        near_miss: "an empty line",
        fault: an_unreadable_settlement,
        miss: an_empty_line,
    },
    Generator {
        code: Code::SrcSecretPresent,
        name: "notes-in-the-log",
        near_miss: "a send without notes",
        fault: notes_in_the_log,
        miss: a_send_without_notes,
    },
    Generator {
        code: Code::SrcEmpty,
        name: "a-substrate-without-a-record",
        near_miss: "no such substrate declared",
        fault: a_substrate_without_a_record,
        miss: no_such_substrate,
    },
    Generator {
        code: Code::Unverifiable,
        name: "a-deposit-without-its-invoice",
        near_miss: "an unpaid invoice fewer",
        fault: a_deposit_without_its_invoice,
        miss: an_unpaid_invoice_fewer,
    },
];

const BALANCES: &str = "balances.jsonl";
const SETTLEMENTS: &str = "gateway/settlements.jsonl";

fn unreadable(media: Media, line: &str) -> Subject {
    Subject::new("media", media).and("sha256", sha256(line.as_bytes()))
}

fn append(scene: &mut Scene, file: &'static str, line: &str) {
    scene.appended.push((file, format!("{line}\n").into_bytes()));
}

fn an_unreadable_balance(scene: &mut Scene) -> Planting {
    let line = format!("{{\"half\": \"{}\"}}", scene.unique());
    append(scene, BALANCES, &line);
    scene.unchecked.insert("balance.unread".to_owned());
    Ok(scene.tell(Code::SrcParse, unreadable(Media::Balance, &line)))
}

fn a_line_of_spaces(scene: &mut Scene) -> Planting {
    append(scene, BALANCES, "  ");
    Ok(unreadable(Media::Balance, "  "))
}

fn an_unreadable_settlement(scene: &mut Scene) -> Planting {
    let line = format!("{{\"half\": \"{}\"}}", scene.unique());
    append(scene, SETTLEMENTS, &line);
    scene.unchecked.insert("settlement.unread".to_owned());
    let subject = unreadable(Media::Settlement, &line);
    scene.told.push(Expected::open(Code::SrcParse, subject.clone()).with_severity(Severity::Error));
    Ok(subject)
}

fn an_empty_line(scene: &mut Scene) -> Planting {
    append(scene, SETTLEMENTS, "");
    Ok(unreadable(Media::Settlement, ""))
}

fn entry(scene: &mut Scene, notes: &Value) -> Planting {
    let payload = json!({"operation_id": scene.unique(), "amount": 1_000, "oob_notes": notes});
    let line = scene.log("payment-send", "mint", &payload);
    // What is kept shows the digest of the notes in their place (THREATS: no bearer token at rest).
    let kept = match notes.as_str() {
        Some(notes) => line.replace(notes, &format!("redacted:sha256:{}", sha256(notes.as_bytes()).to_hex())),
        None => line,
    };
    let subject = Subject::new("media", Media::PaymentLogEntry).and("sha256", sha256(kept.as_bytes()));
    Ok(subject.and("field", "payload.oob_notes"))
}

fn notes_in_the_log(scene: &mut Scene) -> Planting {
    let subject = entry(scene, &"AgEEsuFO5gD3".into())?;
    Ok(scene.tell(Code::SrcSecretPresent, subject))
}

fn a_send_without_notes(scene: &mut Scene) -> Planting {
    entry(scene, &Value::Null)
}

/// Custody records, declared and not there.
fn a_substrate_without_a_record(scene: &mut Scene) -> Planting {
    scene.claim("config custody")?;
    scene.claim("file custody.jsonl")?;
    if !scene.world.custody.is_empty() {
        return Err(NoRoom);
    }
    scene.appended.push(("custody-empty.jsonl", b"\n".to_vec()));
    scene.sections += "\n[custody]\nfiles = [\"custody-empty.jsonl\"]\n";
    Ok(Subject::new("population", "custody"))
}

fn no_such_substrate(_: &mut Scene) -> Planting {
    Ok(Subject::new("population", "custody"))
}

fn forget_invoice(scene: &mut Scene, fits: impl Fn(&Value) -> bool) -> Result<(), NoRoom> {
    let parsed = |line: &String| serde_json::from_str::<Value>(line).unwrap_or_default();
    // One that no node has numbered: a hole in the numbers is another fault.
    let is_numbered = |invoice: &Value| ["add_index", "pay_index"].iter().any(|name| invoice.get(*name).is_some());
    let fits = |invoice: &Value| !is_numbered(invoice) && fits(invoice);
    let at = scene.world.invoices.iter().position(|line| fits(&parsed(line))).ok_or(NoRoom)?;
    scene.world.invoices.remove(at);
    Ok(())
}

fn check() -> Subject {
    Subject::new("check", "settlement.invoice")
}

fn is_paid(invoice: &Value) -> bool {
    ["settled", "SETTLED", "paid"].iter().any(|word| invoice["status"] == *word || invoice["state"] == *word)
}

fn a_deposit_without_its_invoice(scene: &mut Scene) -> Planting {
    scene.claim("an invoice")?;
    let deposits: String =
        scene.world.settlements.iter().filter(|line| line.contains("escrow.deposit")).map(String::as_str).collect();
    let invoices = scene.world.invoices.concat();
    let is_needed = |hash: &str| deposits.contains(hash) && invoices.matches(hash).count() == 1;
    forget_invoice(scene, |invoice| is_paid(invoice) && invoice["payment_hash"].as_str().is_some_and(is_needed))?;
    Ok(check())
}

fn an_unpaid_invoice_fewer(scene: &mut Scene) -> Planting {
    scene.claim("an invoice")?;
    forget_invoice(scene, |invoice| !is_paid(invoice))?;
    Ok(check())
}
