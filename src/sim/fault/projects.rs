//! Money that goes back to projects: no more than there was (TREASURY 2.7, 5.4).

use serde_json::Value;

use super::Generator;
use super::stall::DAY;
use crate::domain::{Code, Subject};
use crate::sim::scene::{AS_OF, NoRoom, Planting, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SetOrphan,
        name: "a-satoshi-more-rebate-than-was-earned",
        near_miss: "the whole rebate",
        fault: a_satoshi_more,
        miss: the_whole_rebate,
    },
    Generator {
        code: Code::SetOrphan,
        name: "a-rebate-a-second-before-it-was-earned",
        near_miss: "a rebate in the second in which it was earned",
        fault: a_second_early,
        miss: in_the_second,
    },
    Generator {
        code: Code::EscNegative,
        name: "a-refund-of-a-satoshi-more-than-was-paid-in",
        near_miss: "a refund of all that was paid in",
        fault: refunded_too_much,
        miss: refunded_in_full,
    },
];

/// Gives a new shop its rebate, so much more and so many seconds later than it was earned.
fn rebated(scene: &mut Scene, more: u64, after: i64) -> Planting {
    let at = AS_OF - 2 * DAY;
    let (project, body) = scene.shop(at)?;
    let earned = body["site_rebate_sats"].as_u64().filter(|sats| *sats > 0).ok_or(NoRoom)?;
    scene.fund(&project, 100_000, at - DAY);
    scene.bill(&body)?;
    let mut rebate = scene.settlement("escrow.rebate", "out", earned + more);
    rebate["project_key"] = project.into();
    rebate["settled_at"] = (at + after).into();
    Ok(Subject::new("settlement", scene.settle(&rebate).digest))
}

fn a_satoshi_more(scene: &mut Scene) -> Planting {
    rebated(scene, 1, DAY)
}

fn the_whole_rebate(scene: &mut Scene) -> Planting {
    rebated(scene, 0, DAY)
}

fn a_second_early(scene: &mut Scene) -> Planting {
    rebated(scene, 0, -1)
}

fn in_the_second(scene: &mut Scene) -> Planting {
    rebated(scene, 0, 0)
}

/// A shop that never sold anything gets back what it paid in, and so much more.
fn refunded(scene: &mut Scene, more: u64) -> Planting {
    let at = AS_OF - 2 * DAY;
    let (project, _) = scene.shop(at)?;
    scene.fund(&project, 1_000, at - DAY);
    let mut refund = scene.settlement("escrow.refund", "out", 1_000 + more);
    for (name, value) in [("project_key", &project), ("destination", &"refunds@shop.example".to_owned())] {
        refund[name] = Value::from(value.as_str());
    }
    refund["txid"] = scene.unique().into();
    refund["settled_at"] = at.into();
    scene.settle(&refund);
    Ok(Subject::new("project", project))
}

fn refunded_too_much(scene: &mut Scene) -> Planting {
    refunded(scene, 1)
}

fn refunded_in_full(scene: &mut Scene) -> Planting {
    refunded(scene, 0)
}
