//! Settlements: signature, identity, direction, what a kind requires, preimages (FORMATS 6.1, TREASURY 2).

use serde_json::Value;

use super::Generator;
use crate::domain::{Code, Subject, sha256};
use crate::sim::scene::{NoRoom, Planting, Scene, Settled, settled};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SigBad,
        name: "a-changed-amount-under-the-old-signature",
        near_miss: "an honest adjustment",
        fault: a_changed_amount_under_the_old_signature,
        miss: an_honest_signature,
    },
    Generator {
        code: Code::SigKeyUnknown,
        name: "a-key-that-is-not-pinned",
        near_miss: "a second pinned key",
        fault: a_key_that_is_not_pinned,
        miss: a_second_pinned_key,
    },
    Generator {
        code: Code::SigUnsignedFields,
        name: "a-member-that-nobody-signed",
        near_miss: "other white space",
        fault: a_member_that_nobody_signed,
        miss: other_white_space,
    },
    Generator {
        code: Code::OpReplay,
        name: "delivered-twice",
        near_miss: "the same line twice",
        fault: delivered_twice,
        miss: the_same_line_twice,
    },
    Generator {
        code: Code::OpConflict,
        name: "one-operation-with-two-notes",
        near_miss: "two operations with one note",
        fault: one_operation_with_two_notes,
        miss: two_operations_with_one_note,
    },
    Generator {
        code: Code::OpConflict,
        name: "one-operation-with-two-amounts",
        near_miss: "two operations with two amounts",
        fault: one_operation_with_two_amounts,
        miss: two_operations_with_two_amounts,
    },
    Generator {
        code: Code::OpMalformed,
        name: "an-operation-of-another-form",
        near_miss: "an operation of 64 hex digits",
        fault: an_operation_of_another_form,
        miss: an_honest_adjustment,
    },
    Generator {
        code: Code::FieldMissing,
        name: "a-payout-without-its-binding",
        near_miss: "a payout without a gateway",
        fault: a_payout_without_its_binding,
        miss: a_payout_without_a_gateway,
    },
    Generator {
        code: Code::DirWrong,
        name: "an-operator-pays-in",
        near_miss: "an operator is paid",
        fault: an_operator_pays_in,
        miss: an_operator_is_paid,
    },
    Generator {
        code: Code::PreInvalid,
        name: "another-preimage",
        near_miss: "the preimage in capitals",
        fault: another_preimage,
        miss: the_preimage_in_capitals,
    },
    Generator {
        code: Code::PreMissing,
        name: "a-payout-without-a-preimage",
        near_miss: "a deposit without a preimage",
        fault: a_payout_without_a_preimage,
        miss: a_deposit_without_a_preimage,
    },
    Generator {
        code: Code::AdjUnexplained,
        name: "an-adjustment-without-a-word",
        near_miss: "an adjustment with a note",
        fault: an_adjustment_without_a_word,
        miss: an_honest_adjustment,
    },
];

fn about(settled: &Settled) -> Subject {
    Subject::new("settlement", &settled.digest)
}

/// How a finding about a signature names it.
fn signed(scene: &Scene, settled: &Settled, key: &str) -> Subject {
    about(settled)
        .and("federation", "oc-me-v1")
        .and("operation", &settled.operation)
        .and("key", scene.hand.ed25519_public(key))
}

fn a_changed_amount_under_the_old_signature(scene: &mut Scene) -> Planting {
    let mut event = scene.adjustment();
    let line = scene.settlement_line(&event, "settlement");
    scene.world.settlements.push(line.replace("\"amount_sats\":100,", "\"amount_sats\":101,"));
    event["amount_sats"] = 101.into();
    let settled = settled(&event);
    scene.discounted.insert(settled.digest.clone());
    let subject = signed(scene, &settled, "settlement");
    Ok(scene.tell(Code::SigBad, subject))
}

fn an_honest_signature(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let settled = scene.settle(&event);
    Ok(signed(scene, &settled, "settlement"))
}

fn an_honest_adjustment(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    Ok(about(&scene.settle(&event)))
}

fn a_key_that_is_not_pinned(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let settled = scene.settle_by(&event, "another settler");
    scene.discounted.insert(settled.digest.clone());
    let subject = signed(scene, &settled, "another settler");
    Ok(scene.tell(Code::SigKeyUnknown, subject))
}

fn a_second_pinned_key(scene: &mut Scene) -> Planting {
    scene.claim("config settlement_keys")?;
    let event = scene.adjustment();
    let settled = scene.settle_by(&event, "a second settler");
    let (first, second) = (scene.hand.ed25519_public("settlement"), scene.hand.ed25519_public("a second settler"));
    scene.replaced.push((format!("[\"{first}\"]"), format!("[\"{first}\", \"{second}\"]")));
    Ok(signed(scene, &settled, "a second settler"))
}

fn a_member_that_nobody_signed(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let line = scene.settlement_line(&event, "settlement").replacen('{', "{\"verified\":true,", 1);
    scene.world.settlements.push(line);
    let settled = settled(&event);
    let subject = about(&settled).and("operation", &settled.operation);
    Ok(scene.tell(Code::SigUnsignedFields, subject))
}

fn other_white_space(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let line = scene.settlement_line(&event, "settlement").replacen('{', "{ ", 1);
    scene.world.settlements.push(line);
    let settled = settled(&event);
    Ok(about(&settled).and("operation", &settled.operation))
}

fn delivered_twice(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let settled = scene.settle(&event);
    let again = scene.settlement_line(&event, "settlement").replacen('{', "{ ", 1);
    scene.world.settlements.push(again);
    Ok(Subject::new("operation", settled.operation))
}

fn the_same_line_twice(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    scene.settle(&event);
    Ok(Subject::new("operation", scene.settle(&event).operation))
}

fn one_operation_with_two_notes(scene: &mut Scene) -> Planting {
    let mut event = scene.adjustment();
    scene.settle(&event);
    event["settled_at"] = (event["settled_at"].as_i64().ok_or(NoRoom)? + 1).into();
    event["note"] = "a rounding of July".into();
    Ok(Subject::new("operation", scene.settle(&event).operation))
}

fn two_operations_with_one_note(scene: &mut Scene) -> Planting {
    an_honest_adjustment(scene)?;
    let event = scene.adjustment();
    Ok(Subject::new("operation", scene.settle(&event).operation))
}

fn one_operation_with_two_amounts(scene: &mut Scene) -> Planting {
    let mut event = scene.adjustment();
    scene.settle(&event);
    event["settled_at"] = (event["settled_at"].as_i64().ok_or(NoRoom)? + 1).into();
    event["amount_sats"] = 101.into();
    Ok(Subject::new("operation", scene.settle(&event).operation))
}

fn two_operations_with_two_amounts(scene: &mut Scene) -> Planting {
    an_honest_adjustment(scene)?;
    let mut event = scene.adjustment();
    event["amount_sats"] = 101.into();
    Ok(Subject::new("operation", scene.settle(&event).operation))
}

fn an_operation_of_another_form(scene: &mut Scene) -> Planting {
    let mut event = scene.adjustment();
    event["operation_id"] = format!("op-2026-{:.6}", scene.unique()).into();
    Ok(about(&scene.settle(&event)))
}

fn payout(scene: &mut Scene, edit: impl FnOnce(&mut Value)) -> Planting {
    Ok(about(&scene.resettle("distribution.settled", edit)?))
}

fn a_payout_without_its_binding(scene: &mut Scene) -> Planting {
    payout(scene, |event| event["payout_binding_id"] = Value::Null)
}

fn a_payout_without_a_gateway(scene: &mut Scene) -> Planting {
    payout(scene, |event| event["gateway_pubkey"] = Value::Null)
}

fn operator_payout(scene: &mut Scene, direction: &str) -> Planting {
    let mut event = scene.settlement("operator.payout", direction, 10);
    event["operator_id"] = "guardian-1".into();
    event["destination"] = "guardian@federation.example".into();
    event["txid"] = scene.unique().into();
    Ok(about(&scene.settle(&event)))
}

fn an_operator_pays_in(scene: &mut Scene) -> Planting {
    operator_payout(scene, "in")
}

fn an_operator_is_paid(scene: &mut Scene) -> Planting {
    operator_payout(scene, "out")
}

fn another_preimage(scene: &mut Scene) -> Planting {
    let other = sha256(scene.unique().as_bytes()).to_hex();
    let settled = scene.resettle("distribution.settled", |event| event["preimage"] = other.into())?;
    Ok(signed(scene, &settled, "settlement"))
}

fn the_preimage_in_capitals(scene: &mut Scene) -> Planting {
    let settled = scene.resettle("distribution.settled", |event| {
        event["preimage"] = event["preimage"].as_str().unwrap_or_default().to_uppercase().into();
    })?;
    Ok(signed(scene, &settled, "settlement"))
}

fn a_payout_without_a_preimage(scene: &mut Scene) -> Planting {
    payout(scene, |event| event["preimage"] = Value::Null)
}

fn a_deposit_without_a_preimage(scene: &mut Scene) -> Planting {
    Ok(about(&scene.resettle("escrow.deposit", |event| event["preimage"] = Value::Null)?))
}

fn an_adjustment_without_a_word(scene: &mut Scene) -> Planting {
    let mut event = scene.adjustment();
    event["note"] = " ".into();
    Ok(about(&scene.settle(&event)))
}
