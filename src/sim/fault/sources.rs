//! Sources that do not cover what they hold, that shrank, or that tell two stories; lists that drift; objectives missed.

use serde_json::{Value, json};

use super::Generator;
use super::stall::{DAY, EARLIER, STAMP, Stall, prices};
use crate::domain::{Code, Media, SourceId, Subject};
use crate::sim::scene::{ASKED, NoRoom, Planting, SERVED_BY, Scene};

pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        code: Code::SrcCaptureGap,
        name: "an-index-hole",
        near_miss: "the next index",
        fault: an_index_hole,
        miss: the_next_index,
    },
    Generator {
        code: Code::SrcCutoff100,
        name: "exactly-100-invoices",
        near_miss: "99 invoices",
        fault: exactly_100,
        miss: one_less_than_100,
    },
    Generator {
        code: Code::SrcShrank,
        name: "a-settlement-that-was-there",
        near_miss: "the same settlement in other white space",
        fault: a_settlement_that_was_there,
        miss: the_same_settlement,
    },
    Generator {
        code: Code::SrcEquivocation,
        name: "another-settlement-than-before",
        near_miss: "the settlement of before",
        fault: another_settlement_than_before,
        miss: the_settlement_of_before,
    },
    Generator {
        code: Code::SrcDrift,
        name: "a-kind-that-is-not-asked",
        near_miss: "a kind more than the profile has",
        fault: a_kind_that_is_not_asked,
        miss: a_kind_more,
    },
    Generator {
        code: Code::SrcDrift,
        name: "two-price-lists-of-one-moment",
        near_miss: "one price list in two spellings",
        fault: two_price_lists_of_one_moment,
        miss: one_price_list_in_two_spellings,
    },
    Generator {
        code: Code::BudgetRpo,
        name: "a-point-a-second-ago",
        near_miss: "a point ten years ago",
        fault: a_point_a_second_ago,
        miss: a_point_ten_years_ago,
    },
    Generator { code: Code::BudgetRto, name: "no-time-at-all", near_miss: "a day", fault: no_time_at_all, miss: a_day },
];

/// What needs a host.
pub(super) const SERVED: &[Generator] = &[Generator {
    code: Code::SrcDrift,
    name: "a-price-list-served-under-another-domain",
    near_miss: "a price list served by its domain",
    fault: a_price_list_under_another_domain,
    miss: a_price_list_of_its_domain,
}];

fn files(media: Media) -> SourceId {
    SourceId::files(media)
}

/// Unpaid LND invoices with these indexes beyond the highest that the world has.
fn lnd(scene: &mut Scene, indexes: impl Iterator<Item = u64>) {
    for index in indexes {
        let hash = scene.unique();
        let record = json!({
            "r_hash": hash, "value_msat": "25000000", "state": "OPEN", "creation_date": "1790000000",
            "add_index": index.to_string(),
        });
        scene.world.invoices.push(record.to_string());
    }
}

/// The highest index of LND's invoices in the world, if they have no holes.
fn highest(scene: &Scene) -> Result<u64, NoRoom> {
    let number = |record: &Value| match &record["add_index"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let read = |line: &String| serde_json::from_str::<Value>(line).ok();
    let records: Vec<Value> = scene.world.invoices.iter().filter_map(read).collect();
    if records.iter().any(|record| record.get("amt_paid_msat").is_some() && record.get("add_index").is_none()) {
        // Another fault's invoice, that LND would have given a number.
        return Err(NoRoom);
    }
    let indexes: Vec<u64> = records.iter().filter_map(number).collect();
    let highest = indexes.iter().copied().max().unwrap_or(0);
    if usize::try_from(highest) == Ok(indexes.len()) { Ok(highest) } else { Err(NoRoom) }
}

fn next_index(scene: &mut Scene, skip: u64) -> Planting {
    scene.claim("lnd invoices")?;
    let highest = highest(scene)?;
    lnd(scene, [highest + 1, highest + 2 + skip].into_iter());
    Ok(Subject::new("source", files(Media::Invoice)).and("about", "add_index"))
}

fn an_index_hole(scene: &mut Scene) -> Planting {
    let subject = next_index(scene, 1)?;
    Ok(scene.tell(Code::SrcCaptureGap, subject))
}

fn the_next_index(scene: &mut Scene) -> Planting {
    next_index(scene, 0)
}

fn so_many(scene: &mut Scene, count: u64) -> Planting {
    scene.claim("lnd invoices")?;
    let highest = highest(scene)?;
    if highest >= count {
        return Err(NoRoom);
    }
    lnd(scene, highest + 1..=count);
    Ok(Subject::new("source", files(Media::Invoice)).and("media", Media::Invoice))
}

fn exactly_100(scene: &mut Scene) -> Planting {
    let subject = so_many(scene, 100)?;
    Ok(scene.tell(Code::SrcCutoff100, subject))
}

fn one_less_than_100(scene: &mut Scene) -> Planting {
    so_many(scene, 99)
}

/// An earlier run of the honest world with one settlement more than it has.
fn earlier(scene: &mut Scene, line: String) -> Result<(), NoRoom> {
    scene.claim("earlier run")?;
    let mut before = Scene::of(scene.world.untouched());
    scene.only_adds_to(&before.world)?;
    before.world.settlements.push(line);
    scene.earlier = Some(Box::new(before));
    scene.sections += "\n[history]\nruns = [\"earlier/run\"]\n";
    Ok(())
}

fn shrunk() -> Subject {
    Subject::new("source", files(Media::Settlement))
}

fn a_settlement_that_was_there(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let line = scene.settlement_line(&event, "settlement");
    earlier(scene, line)?;
    Ok(scene.tell(Code::SrcShrank, shrunk()))
}

fn the_same_settlement(scene: &mut Scene) -> Planting {
    let event = scene.adjustment();
    let line = scene.settlement_line(&event, "settlement");
    earlier(scene, line.replacen('{', "{ ", 1))?;
    scene.world.settlements.push(line);
    Ok(shrunk())
}

fn told_before(scene: &mut Scene, note: &str) -> Planting {
    let mut event = scene.adjustment();
    let before = scene.settlement_line(&event, "settlement");
    earlier(scene, before)?;
    event["note"] = note.into();
    let operation = scene.settle(&event).operation;
    Ok(Subject::new("operation", operation))
}

fn another_settlement_than_before(scene: &mut Scene) -> Planting {
    let subject = told_before(scene, "a rounding of August")?;
    scene.tell(Code::SrcShrank, shrunk());
    Ok(scene.tell(Code::SrcEquivocation, subject))
}

fn the_settlement_of_before(scene: &mut Scene) -> Planting {
    told_before(scene, "a rounding of June")
}

fn kinds(scene: &mut Scene, kinds: &[u16]) -> Planting {
    scene.claim("config nostr")?;
    let list: Vec<String> = kinds.iter().map(|kind| format!("{{ kind = {kind} }}")).collect();
    scene.replaced.push(("[nostr]\n".to_owned(), format!("[nostr]\nkinds = [{}]\n", list.join(", "))));
    Ok(Subject::new("list", "nostr.kinds"))
}

fn a_kind_that_is_not_asked(scene: &mut Scene) -> Planting {
    // One that worlds have no event of.
    let asked: Vec<u16> = ASKED.into_iter().filter(|kind| *kind != 30_086).collect();
    let subject = kinds(scene, &asked)?;
    Ok(scene.tell(Code::SrcDrift, subject))
}

fn a_kind_more(scene: &mut Scene) -> Planting {
    let more: Vec<u16> = ASKED.into_iter().chain([1]).collect();
    kinds(scene, &more)
}

fn budget(scene: &mut Scene, name: &str, span: &str) -> Planting {
    scene.claim("config budgets")?;
    scene.sections += &format!("\n[budgets]\n{name} = \"{span}\"\n");
    Ok(Subject::new("objective", name))
}

fn a_point_a_second_ago(scene: &mut Scene) -> Planting {
    let subject = budget(scene, "rpo", "1s")?;
    Ok(scene.tell(Code::BudgetRpo, subject))
}

fn a_point_ten_years_ago(scene: &mut Scene) -> Planting {
    budget(scene, "rpo", "3650d")
}

fn no_time_at_all(scene: &mut Scene) -> Planting {
    let subject = budget(scene, "rto", "0s")?;
    Ok(scene.tell(Code::BudgetRto, subject))
}

fn a_day(scene: &mut Scene) -> Planting {
    budget(scene, "rto", "24h")
}

/// A stall whose price list is there twice, the second time with that edit; what it sells is the same in both.
fn listed_twice(scene: &mut Scene, edit: impl FnOnce(String) -> String) -> Planting {
    let stall = Stall::open(scene);
    stall.bill(scene, &STAMP, EARLIER)?;
    let mut copy = scene.world.configs.last().ok_or(NoRoom)?.clone();
    copy.name = format!("mirror-{}", copy.name);
    let updated_at = serde_json::from_str::<Value>(&copy.json).map_err(|_| NoRoom)?["updated_at"].clone();
    copy.json = edit(copy.json);
    scene.world.configs.push(copy);
    let list = format!("projects.{}.content", stall.project);
    Ok(Subject::new("list", list).and("updated_at", updated_at.as_str().ok_or(NoRoom)?))
}

fn two_price_lists_of_one_moment(scene: &mut Scene) -> Planting {
    let subject = listed_twice(scene, |json| json.replace("\"display_name\":\"Stall\"", "\"display_name\":\"Stool\""))?;
    Ok(scene.tell(Code::SrcDrift, subject))
}

fn one_price_list_in_two_spellings(scene: &mut Scene) -> Planting {
    listed_twice(scene, |json| json.replacen('{', "{ ", 1))
}

/// The price list in force at a stall also comes from a host, which is not the domain that it states, or is.
fn served(scene: &mut Scene, domain: Option<&str>) -> Planting {
    scene.claim("config projects")?;
    let stall = Stall::open(scene);
    let domain = domain.unwrap_or(&stall.domain).to_owned();
    let mut elsewhere = stall.clone();
    elsewhere.domain = domain;
    elsewhere.publish(scene, &prices(&[STAMP]), EARLIER - DAY);
    stall.bill(scene, &STAMP, EARLIER)?;
    scene.serve_last_price_list()?;
    Ok(Subject::new("list", format!("projects.{}.domain", stall.project)).and("host", SERVED_BY))
}

fn a_price_list_under_another_domain(scene: &mut Scene) -> Planting {
    let subject = served(scene, None)?;
    Ok(scene.tell(Code::SrcDrift, subject))
}

fn a_price_list_of_its_domain(scene: &mut Scene) -> Planting {
    served(scene, Some(SERVED_BY))
}
