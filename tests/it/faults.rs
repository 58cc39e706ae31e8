//! One fault in an honest world of files, through the whole program: its code comes out, with the documented exit code, and
//! beside it only what must follow from it. Each fault has a near miss, which leaves the world clean.
//! What belongs here: faults that can be made by editing files. Codes are tested one by one beside the rooms that find them.

#![expect(clippy::too_many_lines, reason = "a table is read row by row")]
#![expect(clippy::semicolon_if_nothing_returned, reason = "an edit is one expression")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::tempdir;

use crate::suites_and_metrics::a_suite_says_the_same;
use crate::support::{code, copy_folder, drill, report, shown, write_world};

/// A fault and its near miss.
struct Scenario {
    name: &'static str,
    /// The code that must come out, the exit code, and codes that may stand beside it as its consequence.
    wanted: (&'static str, i32, &'static [&'static str]),
    fault: fn(&World),
    near_miss: fn(&World),
}

/// A written world that can be edited.
struct World {
    dir: PathBuf,
}

impl World {
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        fs::write(self.dir.join(name), change(self.text(name))).unwrap();
    }

    /// Changes one line of a JSON Lines file: the first that the choice accepts.
    fn edit_line(&self, name: &str, choose: impl Fn(&Value) -> bool, change: impl FnOnce(&mut Value)) {
        let text = self.text(name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| choose(&serde_json::from_str(line).unwrap())).expect("a line to edit");
        let mut value = serde_json::from_str(&lines[at]).unwrap();
        change(&mut value);
        lines[at] = value.to_string();
        fs::write(self.dir.join(name), lines.join("\n") + "\n").unwrap();
    }

    fn config(&self, from: &str, to: &str) {
        self.edit("reledger.toml", |text| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
    }
}

const EVENTS: &str = "nostr/events.jsonl";
const SETTLEMENTS: &str = "gateway/settlements.jsonl";
const BALANCES: &str = "balances.jsonl";

fn any(_: &Value) -> bool {
    true
}

/// Flips the last hex digit of a text member.
fn flip(value: &mut Value) {
    let mut text = value.as_str().unwrap().to_owned();
    let last = if text.pop() == Some('0') { '1' } else { '0' };
    text.push(last);
    *value = text.into();
}

/// Sorts a record's members: other bytes, the same record.
fn nothing_but_order(world: &World, name: &str) {
    world.edit_line(name, any, |_| {});
}

fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "content changed under its id",
            wanted: ("EVT_BAD_ID", 1, &["SRC_OMITS"]),
            fault: |world| {
                world.edit_line(
                    EVENTS,
                    |event| event["kind"] == 30_078,
                    |event| {
                        event["created_at"] = (event["created_at"].as_i64().unwrap() + 1).into();
                    },
                )
            },
            near_miss: |world| nothing_but_order(world, EVENTS),
        },
        Scenario {
            name: "signature of an event changed",
            wanted: ("EVT_BAD_SIG", 1, &[]),
            fault: |world| world.edit_line(EVENTS, |event| event["kind"] == 30_078, |event| flip(&mut event["sig"])),
            near_miss: |world| world.edit(EVENTS, |text| text.replace('\n', "\r\n")),
        },
        Scenario {
            name: "junk among the events",
            wanted: ("EVT_MALFORMED", 0, &[]),
            fault: |world| world.edit(EVENTS, |text| text + "{\"a\":1,\"a\":2}\n"),
            near_miss: |world| world.edit(EVENTS, |text| text + "\n\n"),
        },
        Scenario {
            name: "a key set without one key",
            wanted: (
                "KEY_UNKNOWN",
                1,
                &[
                    "ESC_UNFUNDED",
                    "USER_OVERPAID",
                    "SET_ORPHAN",
                    "BALANCE_MISMATCH",
                    "BALANCE_EXTRA_USER",
                    "DROP_TOTALS",
                    "DROP_ROOT",
                    "ACTIVITY_MISMATCH",
                    "REB_GAP",
                    "DIST_CLOSURE",
                    "PLATFORM_OVERACCRUED",
                    "SET_EARLY",
                    "SRC_EMPTY",
                ],
            ),
            fault: |world| {
                world.config(
                    "\"keys/envelope-jwks-2026-07.json\", \"keys/envelope-jwks.json\"",
                    "\"keys/envelope-jwks-2026-07.json\"",
                )
            },
            near_miss: |world| {
                world.config(
                    "\"keys/envelope-jwks-2026-07.json\", \"keys/envelope-jwks.json\"",
                    "\"keys/envelope-jwks.json\"",
                )
            },
        },
        Scenario {
            name: "a key id with another key in a later set",
            wanted: (
                "KEY_SET_REWRITTEN",
                1,
                &[
                    "ENV_SIG_BAD",
                    "KEY_UNKNOWN",
                    "ESC_UNFUNDED",
                    "USER_OVERPAID",
                    "SET_ORPHAN",
                    "BALANCE_MISMATCH",
                    "BALANCE_EXTRA_USER",
                    "DROP_TOTALS",
                    "DROP_ROOT",
                    "ACTIVITY_MISMATCH",
                    "REB_GAP",
                    "DIST_CLOSURE",
                    "PLATFORM_OVERACCRUED",
                    "SET_EARLY",
                    "SRC_EMPTY",
                ],
            ),
            fault: |world| {
                let other: Value = serde_json::from_str(&world.text("keys/auth-jwks.json")).unwrap();
                world.edit("keys/envelope-jwks-2026-05.json", |text| {
                    let mut set: Value = serde_json::from_str(&text).unwrap();
                    set["keys"][0]["x"] = other["keys"][0]["x"].clone();
                    set.to_string()
                });
            },
            near_miss: |world| world.edit("keys/envelope-jwks-2026-05.json", |text| format!(" {text}\n")),
        },
        Scenario {
            name: "an amount changed under a settlement's signature",
            wanted: ("SIG_BAD", 1, &["ESC_UNFUNDED", "ESC_NEGATIVE", "ESC_NEVER_FUNDED", "CONS_CUSTODY"]),
            fault: |world| {
                world.edit_line(
                    SETTLEMENTS,
                    |record| record["event"]["kind"] == "escrow.deposit",
                    |record| {
                        let amount = &mut record["event"]["amount_sats"];
                        *amount = (amount.as_u64().unwrap() + 1).into();
                    },
                )
            },
            near_miss: |world| nothing_but_order(world, SETTLEMENTS),
        },
        Scenario {
            name: "no key of the federation is pinned",
            wanted: (
                "SIG_KEY_UNKNOWN",
                1,
                &[
                    "SRC_EMPTY",
                    "ESC_UNFUNDED",
                    "ESC_NEVER_FUNDED",
                    "SET_MISSING",
                    "BALANCE_MISMATCH",
                    "BALANCE_EXTRA_USER",
                    "ESC_NEGATIVE",
                ],
            ),
            fault: |world| {
                world.edit("reledger.toml", |text| {
                    let start = text.find("settlement_keys = [\"").unwrap() + 20;
                    let other = if &text[start..=start] == "0" { "1" } else { "0" };
                    format!("{}{other}{}", &text[..start], &text[start + 1..])
                })
            },
            near_miss: |world| {
                world.edit("reledger.toml", |text| {
                    let start = text.find("settlement_keys = [\"").unwrap() + 20;
                    let key = &text[start..start + 64];
                    text.replace(
                        &format!("[\"{key}\"]"),
                        &format!("[{{ key = \"{key}\", from = 2026-01-01T00:00:00Z }}]"),
                    )
                })
            },
        },
        Scenario {
            name: "a member outside a settlement's signed bytes",
            wanted: ("SIG_UNSIGNED_FIELDS", 0, &[]),
            fault: |world| {
                world.edit_line(SETTLEMENTS, any, |record| record["event"]["approved_by"] = "someone".into())
            },
            near_miss: |world| nothing_but_order(world, SETTLEMENTS),
        },
        Scenario {
            name: "a direction that the policy forbids",
            wanted: ("DIR_WRONG", 1, &[]),
            fault: |world| world.config("\"escrow.rebate\" = \"out\"", "\"escrow.rebate\" = \"in\""),
            near_miss: |world| world.config("\"escrow.rebate\" = \"out\", ", ""),
        },
        Scenario {
            name: "a balance that is off by one",
            wanted: ("BALANCE_MISMATCH", 1, &[]),
            fault: |world| {
                world.edit_line(BALANCES, any, |line| {
                    line["balance_sats"] = (line["balance_sats"].as_i64().unwrap() + 1).into();
                })
            },
            near_miss: |world| nothing_but_order(world, BALANCES),
        },
        Scenario {
            name: "a user that the ledger does not know",
            wanted: ("BALANCE_EXTRA_USER", 1, &[]),
            fault: |world| world.edit(BALANCES, |text| text + "{\"user\":\"did:oc:nobody\",\"balance_sats\":1}\n"),
            near_miss: |world| world.edit(BALANCES, |text| text.clone() + text.lines().next().unwrap() + "\n"),
        },
        Scenario {
            name: "a user that the statement does not know",
            wanted: ("BALANCE_MISSING_USER", 1, &[]),
            fault: |world| {
                world.edit(BALANCES, |text| {
                    let owed =
                        |line: &&str| serde_json::from_str::<Value>(line).unwrap()["balance_sats"].as_i64() > Some(0);
                    let dropped = text.lines().find(owed).unwrap().to_owned() + "\n";
                    text.replace(&dropped, "")
                })
            },
            near_miss: |world| world.edit(BALANCES, |text| text.trim_end().to_owned()),
        },
        Scenario {
            name: "a price that the events contradict",
            wanted: ("FEE_SPLIT", 1, &[]),
            fault: |world| {
                for_each_config(world, |config| {
                    for price in config["events"].as_object_mut().unwrap().values_mut() {
                        price["user_share_pct"] = serde_json::json!(0.01);
                    }
                })
            },
            near_miss: |world| for_each_config(world, |config| config["label"] = "unknown members are ignored".into()),
        },
        Scenario {
            name: "only younger prices are known",
            wanted: ("FEE_UNREPLAYABLE", 3, &[]),
            // Lists of one project keep their own times: two of one moment would contradict each other.
            fault: |world| for_each_config(world, |config| redate(config, "2026-", "2027-")),
            near_miss: |world| for_each_config(world, |config| redate(config, "Z", "000Z")),
        },
        Scenario {
            name: "a header whose bytes changed",
            wanted: (
                "HDR_INVALID",
                1,
                &["OTS_HEADER_MISSING", "UNVERIFIABLE", "OTS_ROOT", "OTS_ABSENT", "OTS_PENDING", "OTS_OVERDUE"],
            ),
            fault: |world| edit_bytes(world, "headers/0.headers", |bytes| bytes[80 * 4_000 + 40] ^= 1),
            near_miss: |world| {
                fs::rename(world.dir.join("headers/0.headers"), world.dir.join("headers/headers.bin"))
                    .map(|()| world.config("headers/0.headers", "headers/headers.bin"))
                    .unwrap()
            },
        },
        Scenario {
            name: "headers that end too early",
            wanted: ("OTS_HEADER_MISSING", 3, &["OTS_PENDING", "OTS_OVERDUE"]),
            fault: |world| edit_bytes(world, "headers/0.headers", |bytes| bytes.truncate(80 * 9_000)),
            near_miss: |world| {
                edit_bytes(world, "headers/0.headers", |bytes| {
                    let length = bytes.len();
                    bytes.truncate(length - 80);
                })
            },
        },
        Scenario {
            name: "a proof file that is cut off",
            wanted: ("OTS_MALFORMED", 1, &["OTS_ABSENT"]),
            fault: |world| {
                let name = first_file(&world.dir.join("ots"));
                edit_bytes(world, &name, |bytes| {
                    bytes.pop();
                });
            },
            near_miss: |world| {
                let name = first_file(&world.dir.join("ots"));
                fs::copy(world.dir.join(&name), world.dir.join("ots").join("copy.ots")).unwrap();
            },
        },
        Scenario {
            name: "a proof under the name of another digest",
            wanted: ("OTS_DIGEST", 1, &["OTS_ABSENT"]),
            fault: |world| {
                let name = first_file(&world.dir.join("ots"));
                fs::rename(world.dir.join(&name), world.dir.join("ots").join("ab".repeat(32) + ".ots")).unwrap();
            },
            near_miss: |world| {
                let name = first_file(&world.dir.join("ots"));
                fs::rename(world.dir.join(&name), world.dir.join("ots").join("any-name.ots")).unwrap();
            },
        },
        Scenario {
            name: "an invoice that was never paid",
            wanted: ("INV_STATE", 1, &[]),
            fault: |world| {
                let status = |name: &str| format!("\"status\":\"{name}\"");
                world.edit("gateway/invoices.json", |text| text.replacen(&status("settled"), &status("expired"), 1));
            },
            near_miss: |world| world.edit("gateway/invoices.json", |text| text + "\n"),
        },
        Scenario {
            name: "an unreadable settlement",
            wanted: ("SRC_PARSE", 1, &[]),
            fault: |world| world.edit(SETTLEMENTS, |text| text + "{\"event\":\n"),
            near_miss: |world| world.edit(SETTLEMENTS, |text| text + "\n"),
        },
        Scenario {
            name: "a substrate that is declared and empty",
            wanted: ("SRC_EMPTY", 3, &["SRC_INCOMPLETE"]),
            fault: |world| {
                world.config("[balances]", "[custody]\nfiles = [\"custody.jsonl\"]\n[balances]");
                fs::write(world.dir.join("custody.jsonl"), "\n").unwrap();
            },
            near_miss: |_| {},
        },
    ]
}

fn first_file(folder: &Path) -> String {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    format!("{}/{}", folder.file_name().unwrap().to_str().unwrap(), names[0].to_str().unwrap())
}

fn edit_bytes(world: &World, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = world.dir.join(name);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn for_each_config(world: &World, change: impl Fn(&mut Value)) {
    for entry in fs::read_dir(world.dir.join("configs")).unwrap() {
        let path = entry.unwrap().path();
        let mut config = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut config);
        fs::write(path, config.to_string()).unwrap();
    }
}

fn redate(config: &mut Value, from: &str, to: &str) {
    let updated_at = config["updated_at"].as_str().unwrap();
    assert!(updated_at.contains(from), "{updated_at}");
    config["updated_at"] = updated_at.replace(from, to).into();
}

/// Codes that are open at warning or worse.
fn open_codes(report: &Value) -> BTreeSet<String> {
    let divergences = report["divergences"].as_array().unwrap().iter();
    let open = divergences.filter(|one| one["state"] == "open" && one["severity"] != "info");
    open.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_fault_is_named_and_no_near_miss_raises_an_alarm() {
    let folder = tempdir().unwrap();
    let honest = folder.path().join("honest");
    write_world(&honest, 31, 30);
    let run = |name: &str, edit: fn(&World)| {
        let world = World { dir: folder.path().join(name) };
        copy_folder(&honest, &world.dir);
        edit(&world);
        let run_dir = folder.path().join(format!("{name}-run"));
        let output = drill(&world.dir.join("reledger.toml"), &run_dir, &[]);
        let report = report(&run_dir);
        a_suite_says_the_same(&run_dir, code(&output));
        fs::remove_dir_all(&world.dir).unwrap();
        (output, report)
    };
    for (at, scenario) in scenarios().into_iter().enumerate() {
        let (wanted, exit, consequences) = scenario.wanted;
        let (output, report) = run(&format!("fault-{at}"), scenario.fault);
        let by_code = &report["summary"]["by_code"];
        assert!(by_code[wanted].as_u64() > Some(0), "{}: {wanted} is missing\n{}", scenario.name, shown(&output));
        assert_eq!(code(&output), exit, "{}\n{}", scenario.name, shown(&output));
        let beside: Vec<_> = open_codes(&report)
            .into_iter()
            .filter(|other| other != wanted && !consequences.contains(&other.as_str()))
            .collect();
        assert!(beside.is_empty(), "{}: beside {wanted} stand {beside:?}\n{}", scenario.name, shown(&output));
        let (output, report) = run(&format!("near-{at}"), scenario.near_miss);
        assert_eq!(code(&output), 0, "near miss of {}\n{}", scenario.name, shown(&output));
        assert_eq!(open_codes(&report), BTreeSet::new(), "near miss of {}", scenario.name);
    }
}
