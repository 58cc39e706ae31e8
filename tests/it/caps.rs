//! `reledger caps` and `[caps]`: published abuse limits of a run, exact at the boundary, in both readings. What belongs here:
//! what the command says of files; the arithmetic is tested beside the code.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use reledger::domain::{UnixSeconds, sha256};
use reledger::sim::{Hand, World};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::scenarios::proof::base64;
use crate::support::{arg, code, drill, report, run, shown, stdout};

/// 2026-09-15T00:00:00Z.
const MIDNIGHT: i64 = 1_789_430_400;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

static PENS: LazyLock<Hand> = LazyLock::new(|| World::generate(1, 10).hand());

/// User, class, site, satoshi earned, time.
type Billed = (&'static str, &'static str, &'static str, u64, i64);

/// A run over events of these users.
struct Ledger {
    folder: TempDir,
    config: PathBuf,
}

impl Ledger {
    fn new(events: &[Billed], section: &str) -> Self {
        let folder = tempdir().unwrap();
        let mut lines = String::new();
        for (number, (user, class, site, earned, at)) in events.iter().enumerate() {
            let body = json!({
                "v": 2, "class": class, "subtype": "custom", "user_address": user, "site": {"domain": site},
                "gross_fee_sats": 2 * earned, "platform_fee_sats": 0, "user_earned_sats": earned,
                "site_rebate_sats": earned, "occurred_at": UnixSeconds(*at).to_string(),
                "idempotency_key": format!("key {number}"),
            });
            let bytes = body.to_string().into_bytes();
            let id = sha256(&bytes).to_hex();
            let sig = PENS.ed25519("env", &bytes);
            let content = json!({"id": id, "kid": "env", "sig": sig, "canonical_b64": base64(&bytes)});
            let d = vec!["d".to_owned(), format!("oc-me-event:{id}")];
            let event = PENS.event("service", 30_087, MIDNIGHT + 60 * DAY, vec![d], content.to_string());
            writeln!(lines, "{}", event.line()).unwrap();
        }
        fs::write(folder.path().join("events.jsonl"), lines).unwrap();
        fs::write(folder.path().join("keys.json"), PENS.key_set(&["env"])).unwrap();
        let text = format!("[nostr]\nfiles = [\"events.jsonl\"]\n[keys]\njwks = [\"keys.json\"]\n{section}");
        let config = folder.path().join("reledger.toml");
        fs::write(&config, text).unwrap();
        let ledger = Self { folder, config };
        drill(&ledger.config, &ledger.run_dir(), &["--as-of", "2026-12-01T00:00:00Z"]);
        ledger
    }

    fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn caps(&self, more: &[&str]) -> Output {
        caps(&self.run_dir(), more)
    }

    fn value(&self, more: &[&str]) -> Value {
        let output = self.caps(&[&["--json"], more].concat());
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", shown(&output)))
    }

    /// How many periods are above each limit.
    fn above(&self, more: &[&str]) -> [i64; 4] {
        let value = self.value(more);
        ["CAP_CLASS_A_DAY", "CAP_CLASS_A_MONTH", "CAP_SITE_SHARE", "CAP_REVIEW"].map(|code| {
            let row = value["limits"].as_array().unwrap().iter().find(|row| row["code"] == code).unwrap();
            row["breaches"].as_i64().unwrap()
        })
    }

    /// How many divergences of these codes the report holds.
    fn reported(&self) -> i64 {
        let by_code = report(&self.run_dir())["summary"]["by_code"].clone();
        let caps = by_code.as_object().unwrap().iter().filter(|(code, _)| code.starts_with("CAP_"));
        caps.map(|(_, count)| count.as_i64().unwrap()).sum()
    }
}

fn caps(run_dir: &Path, more: &[&str]) -> Output {
    run(&[&["caps", "--run", arg(run_dir), "--progress", "none"], more].concat())
}

/// So many class A events, a minute apart, from that time on.
fn class_a(count: i64, from: i64) -> Vec<Billed> {
    (0..count).map(|number| ("bc1qone", "A", "a.example", 1, from + 60 * number)).collect()
}

#[test]
fn five_a_day_thirty_a_month_and_sixty_percent_pass_and_one_more_is_above() {
    let noon = MIDNIGHT + 12 * HOUR;
    assert_eq!(Ledger::new(&class_a(5, noon), "").above(&[]), [0; 4]);
    let six = Ledger::new(&class_a(6, noon), "");
    assert_eq!(six.above(&[]), [1, 0, 0, 0]);
    assert_eq!(six.reported(), 1);

    // Five a day over six days, and one more on the seventh.
    let month = |days: i64| (0..days).flat_map(|day| class_a(5, noon - day * DAY)).collect::<Vec<_>>();
    assert_eq!(Ledger::new(&month(6), "").above(&[]), [0; 4]);
    let more = [month(6), class_a(1, noon - 7 * DAY)].concat();
    assert_eq!(Ledger::new(&more, "").above(&[]), [0, 1, 0, 0]);

    let shares =
        |first, second| [("bc1qone", "C", "a.example", first, noon), ("bc1qone", "C", "b.example", second, noon + 1)];
    assert_eq!(Ledger::new(&shares(60, 40), "").above(&[]), [0; 4]);
    assert_eq!(Ledger::new(&shares(61, 39), "").above(&[]), [0, 0, 1, 0]);

    let earned = |sats| [("bc1qone", "A", "a.example", sats, noon)];
    assert_eq!(Ledger::new(&earned(52_599), "").above(&[]), [0; 4]);
    assert_eq!(Ledger::new(&earned(52_600), "").above(&[]), [0, 0, 0, 1]);
}

#[test]
fn the_other_reading_is_shown_without_changing_the_report_and_a_configuration_can_choose_it() {
    let across = [class_a(3, MIDNIGHT - HOUR), class_a(3, MIDNIGHT)].concat();
    let utc = Ledger::new(&across, "");
    let before = fs::read(utc.run_dir().join("report.json")).unwrap();
    assert_eq!((utc.above(&[]), utc.above(&["--window", "utc"])), ([0; 4], [0; 4]));
    assert_eq!(utc.above(&["--window", "rolling"]), [1, 0, 0, 0]);
    assert_eq!(fs::read(utc.run_dir().join("report.json")).unwrap(), before);
    assert_eq!(utc.reported(), 0);

    let rolling = Ledger::new(&across, "[caps]\nwindow = \"rolling\"\n");
    assert_eq!((rolling.above(&[]), rolling.reported()), ([1, 0, 0, 0], 1));
    assert_eq!(rolling.above(&["--window", "utc"]), [0; 4]);
    let policy = |ledger: &Ledger| report(&ledger.run_dir())["inputs"]["policy_sha256"].clone();
    assert_ne!(policy(&utc), policy(&rolling));
    assert_eq!(
        code(&run(&["audit", arg(&rolling.run_dir()), "--progress", "none"])),
        code(&{ run(&["audit", arg(&utc.run_dir()), "--progress", "none"]) })
    );
}

#[test]
fn a_limit_holds_from_its_date_on_and_is_listed_with_it() {
    let section = "[caps]\nclass_a_per_month = 40\n[[caps.limits]]\nfrom = 2026-09-15T00:00:00Z\nclass_a_per_day = 2\n";
    let before = Ledger::new(&class_a(3, MIDNIGHT - HOUR), section);
    assert_eq!(before.above(&[]), [0; 4], "the older limit was five");
    let after = Ledger::new(&class_a(3, MIDNIGHT), section);
    assert_eq!(after.above(&[]), [1, 0, 0, 0]);
    let value = after.value(&[]);
    let values = |name: &str| {
        let row = value["limits"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        row["values"].clone()
    };
    assert_eq!(values("class_a_per_day"), json!([{"from": null, "value": 5}, {"from": MIDNIGHT, "value": 2}]));
    assert_eq!(values("class_a_per_month"), json!([{"from": null, "value": 40}, {"from": MIDNIGHT, "value": 40}]));
    assert_eq!((&value["breaches"][0]["limit"], &value["breaches"][0]["observed"]), (&json!(2), &json!(3)));
    for wrong in
        ["site_share_percent = 0", "window = \"lunar\"", "class_b_per_day = 1", "[[caps.limits]]\nclass_a_per_day = 1"]
    {
        fs::write(&after.config, format!("[caps]\n{wrong}\n")).unwrap();
        let output = drill(&after.config, &after.folder.path().join("other"), &[]);
        assert_eq!(code(&output), 2, "{wrong} {}", shown(&output));
    }
}

#[test]
fn users_are_pseudonyms_those_with_one_site_are_listed_apart_and_the_threshold_decides_the_exit() {
    let noon = MIDNIGHT + 12 * HOUR;
    let more = [("bc1qtwo", "C", "a.example", 60, noon), ("bc1qtwo", "C", "b.example", 40, noon)];
    let ledger = Ledger::new(&[class_a(6, noon), more.to_vec()].concat(), "");
    let output = ledger.caps(&[]);
    assert_eq!(code(&output), 0, "a warning: {}", shown(&output));
    assert!(
        !stdout(&output).contains("bc1q") && stdout(&output).contains("single_site_user user-"),
        "{}",
        shown(&output)
    );
    assert_eq!(code(&ledger.caps(&["--fail-on", "warn"])), 1);
    assert_eq!(code(&ledger.caps(&["--fail-on", "critical"])), 0);
    let value = ledger.value(&["--reveal-users"]);
    assert_eq!(value["single_site_users"], json!([{"user": "bc1qone", "months": 1}]));
    assert_eq!(value["breaches"][0]["user"], "bc1qone");
    assert_eq!((&value["users"], &value["user_days"], &value["user_months"]), (&json!(2), &json!(2), &json!(2)));
    let share = &value["limits"][2];
    assert_eq!((&share["worst"], &share["looked_at"]), (&json!({"num": 60, "den": 100}), &json!(1)));
    // The report names them alike.
    let report = report(&ledger.run_dir());
    let divergences = report["divergences"].as_array().unwrap();
    let cap = divergences.iter().find(|one| one["code"] == "CAP_CLASS_A_DAY").unwrap();
    assert_eq!(cap["subject"]["user"], ledger.value(&[])["breaches"][0]["user"]);
}

#[test]
fn events_that_no_limit_is_asked_about_are_told_with_the_reason() {
    let noon = MIDNIGHT + 12 * HOUR;
    let ledger = Ledger::new(&[class_a(6, noon), class_a(1, noon - 30 * DAY)].concat(), "");
    let events = |more: &[&str]| ledger.value(more)["events"].clone();
    let excluded = |leaked: u64, late: u64| json!({"key_compromised": leaked, "after_as_of": late});
    assert_eq!(events(&[]), json!({"counted": 7, "excluded": excluded(0, 0)}));
    assert_eq!(events(&["--as-of", "2026-09-01"]), json!({"counted": 1, "excluded": excluded(0, 6)}));
    let text = fs::read_to_string(&ledger.config).unwrap();
    let leak = "[[keys.compromised]]\nkid = \"env\"\nat = 2026-01-01T00:00:00Z\n";
    fs::write(&ledger.config, format!("{text}{leak}")).unwrap();
    let named = ["-c", arg(&ledger.config)];
    assert_eq!(events(&named), json!({"counted": 0, "excluded": excluded(7, 0)}));
    let output = ledger.caps(&named);
    let line = "0 counted events; excluded: 7 under leaked keys, 0 claimed after the as-of";
    assert_eq!(code(&output), 3, "{}", shown(&output));
    assert!(stdout(&output).contains(line), "{}", stdout(&output));
    // The run itself was judged without the leak.
    assert!(stdout(&ledger.caps(&[])).contains("\n7 counted events; excluded: 0 under"), "{}", shown(&output));
}

#[test]
fn a_run_without_a_counted_event_establishes_nothing() {
    let empty = Ledger::new(&[], "");
    let output = empty.caps(&[]);
    assert_eq!(code(&output), 3, "{}", shown(&output));
    assert_eq!(code(&caps(&empty.folder.path().join("nowhere"), &[])), 2);
}
