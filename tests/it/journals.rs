//! Goal: `report render` says in other programs' words exactly what the ledger holds. Method: worlds judged by the command, its
//! exports parsed here by the dialects' own rules, and compared account by account with the oracle's journal (`expected.json`).
//! hledger and beancount themselves judge such exports in `make test-peers`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{arg, code, drill, reledger, report, run, shown, stderr, stdout, write_world};

const AS_OF: &str = "2026-10-01T00:00:00Z";

struct Judged {
    folder: TempDir,
    /// What the oracle posts on each account, in the form of TREASURY 5.1.
    expected: BTreeMap<String, i128>,
    entries: usize,
}

impl Judged {
    fn of(seed: u64, events: u32) -> Self {
        let folder = tempdir().unwrap();
        let world = folder.path().join("world");
        let config = write_world(&world, seed, events);
        let judged = drill(&config, &folder.path().join("run"), &["--as-of", AS_OF, "--offline", "-q"]);
        assert_eq!(code(&judged), 0, "{}", shown(&judged));
        let expected: Value = serde_json::from_slice(&fs::read(world.join("expected.json")).unwrap()).unwrap();
        let leaves = expected["leaves"]["treasury"].as_array().unwrap();
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for leaf in leaves {
            let leaf: Value = serde_json::from_str(leaf.as_str().unwrap()).unwrap();
            for posting in leaf["postings"].as_array().unwrap() {
                let amount: i128 = posting[1].as_str().unwrap().parse().unwrap();
                *sums.entry(posting[0].as_str().unwrap().to_owned()).or_default() += amount;
            }
        }
        assert!(sums.len() > 10 && sums.values().any(|sum| *sum > 0));
        Self { entries: leaves.len(), expected: sums, folder }
    }

    fn run_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("run")
    }

    fn render(&self, to: &str, more: &[&str]) -> Output {
        let run_dir = self.run_dir();
        let mut args = vec!["report", "render", "--to", to, "--run", arg(&run_dir), "--progress", "none"];
        args.extend(more);
        run(&args)
    }

    fn text(&self, to: &str, more: &[&str]) -> String {
        let output = self.render(to, more);
        assert_eq!(code(&output), 0, "{}", shown(&output));
        stdout(&output)
    }
}

/// Percent-encoding undone (RFC 3986 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if let (b'%', [high, low, after @ ..]) = (first, more) {
            let digits = [*high, *low];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Sums of postings by native account, and what the journal's last block asserts.
type Read = (BTreeMap<String, i128>, BTreeMap<String, i128>);

fn amount(text: &str) -> i128 {
    text.strip_suffix(" MSAT").unwrap_or_else(|| panic!("`{text}` is no amount")).parse().unwrap()
}

/// hledger's journal: accounts are declared with their native name; a posting is indented, two blanks before its amount.
fn read_hledger(text: &str) -> Read {
    let (mut names, mut sums, mut last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(account) = line.strip_prefix("account ") {
            let (name, comment) = account.split_once("  ; ").unwrap();
            names.insert(name, decoded(comment.split("native: ").nth(1).unwrap()));
        } else if let Some(posting) = line.strip_prefix("    ").filter(|line| !line.starts_with(';')) {
            let (name, rest) = posting.split_once("  ").unwrap();
            let (moved, asserted) = rest.split_once(" = ").map_or((rest, None), |(moved, is)| (moved, Some(is)));
            let sum: &mut i128 = sums.entry(names[name].clone()).or_default();
            *sum += amount(moved);
            if let Some(asserted) = asserted {
                assert_eq!(*sum, amount(asserted), "{line}");
                last.insert(names[name].clone(), amount(asserted));
            }
        } else if line.contains(" * ") {
            last.clear();
        }
    }
    (sums, last)
}

/// beancount's: accounts are opened, metadata follows; an assertion holds before anything of its day.
fn read_beancount(text: &str) -> Read {
    let (mut names, mut sums, mut last) = (BTreeMap::new(), BTreeMap::<String, i128>::new(), BTreeMap::new());
    let mut opened = "";
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "open", name, "MSAT"] => opened = name,
            ["native:", native] => {
                names.insert(opened, decoded(native.trim_matches('"')));
            }
            [_, "balance", name, asserted, "~", "0", "MSAT"] => {
                let asserted: i128 = asserted.parse().unwrap();
                assert_eq!(sums[&names[name]], asserted, "{line}");
                last.insert(names[name].clone(), asserted);
            }
            [name, moved, "MSAT"] if line.starts_with("  ") => {
                *sums.entry(names[name].clone()).or_default() += moved.parse::<i128>().unwrap();
            }
            _ if line.contains(" * ") => last.clear(),
            _ => {}
        }
    }
    (sums, last)
}

fn read_csv(text: &str) -> BTreeMap<String, i128> {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    let mut rows = text.strip_suffix("\r\n").unwrap().split("\r\n");
    let head: Vec<&str> = rows.next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|cell| *cell == name).unwrap();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells.len(), head.len(), "no cell of a world needs quotes: {row}");
        let msat = |name| cells[column(name)].parse::<i128>().unwrap_or(0);
        *sums.entry(decoded(cells[column("native")])).or_default() += msat("debit_msat") - msat("credit_msat");
    }
    sums
}

#[test]
fn every_export_comes_to_the_oracles_balances_account_by_account() {
    for seed in [3, 8] {
        let judged = Judged::of(seed, 20);
        for detail in ["entries", "days"] {
            let text = |to| judged.text(to, &["--reveal-users", "--detail", detail]);
            let (sums, last) = read_hledger(&text("hledger"));
            assert_eq!((&sums, &last), (&judged.expected, &judged.expected), "hledger {detail}, world {seed}");
            let (sums, last) = read_beancount(&text("beancount"));
            assert_eq!((&sums, &last), (&judged.expected, &judged.expected), "beancount {detail}, world {seed}");
            assert_eq!(read_csv(&text("csv")), judged.expected, "csv {detail}, world {seed}");
        }
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_and_an_earlier_instant_their_beginning() {
    let judged = Judged::of(4, 20);
    let report = report(&judged.run_dir());
    let users: Vec<String> = judged
        .expected
        .keys()
        .filter_map(|account| account.strip_prefix("L:User:")?.split(':').next().map(str::to_owned))
        .collect();
    for to in ["hledger", "beancount", "csv"] {
        let text = judged.text(to, &[]);
        assert_eq!(text, judged.text(to, &["--jobs", "3", "--offline", "--json"]), "{to}");
        assert!(users.iter().all(|user| !text.contains(user.as_str())), "{to} names a user");
        let root = report["inputs"]["evidence_root"].as_str().unwrap();
        assert_eq!(text.contains(root), to != "csv");
    }
    let (rows, all) = (judged.text("csv", &["--as-of", "2026-08-01"]), judged.text("csv", &[]));
    let before = |text: &str| -> Vec<String> {
        text.lines().skip(1).take_while(|row| row.split(',').nth(1) < Some("2026-08-01")).map(str::to_owned).collect()
    };
    assert_eq!(before(&rows), before(&all));
    assert!(before(&all).len() > 10 && all.contains(",2026-09-0") && !rows.contains(",2026-09-0"));
    let said = stderr(&judged.render("hledger", &[]));
    assert!(said.contains(&format!("hledger: {} entries on ", judged.entries)), "{said}");
}

fn rendered(judged: &Judged, file: &Path, more: &[&str]) -> Output {
    judged.render("csv", &[&["-o", arg(file)], more].concat())
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_given_up() {
    let judged = Judged::of(4, 10);
    let file = judged.folder.path().join("journal.csv");
    let dry = rendered(&judged, &file, &["--dry-run"]);
    assert_eq!((code(&dry), file.exists()), (0, false), "{}", shown(&dry));
    assert!(stdout(&dry).contains("nothing was contacted or written"));
    let output = rendered(&judged, &file, &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, ""), "{}", shown(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), judged.text("csv", &[]));
    fs::write(&file, "mine").unwrap();
    for more in [&[][..], &["--dry-run"]] {
        let refused = rendered(&judged, &file, more);
        assert_eq!(code(&refused), 6, "{}", shown(&refused));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
    assert_eq!(code(&rendered(&judged, &file, &["--yes"])), 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), judged.text("csv", &[]));
    let left = fs::read_dir(judged.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains(".tmp")));
    let full = rendered(&judged, Path::new("/dev/full"), &[]);
    assert_eq!(code(&full), 74, "{}", shown(&full));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let judged = Judged::of(6, 40);
    let run_dir = judged.run_dir();
    let mut child = reledger()
        .args(["report", "render", "--to", "csv", "--run", arg(&run_dir), "--progress", "none"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0_u8; 12];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((&first[..], code(&ended)), (&b"transaction,"[..], 0), "{}", shown(&ended));
    assert!(judged.text("csv", &[]).len() > 1 << 16, "a pipe would hold all of it");
    assert!(!stderr(&ended).contains("reledger:"), "{}", shown(&ended));
}

#[test]
fn a_run_that_holds_nothing_or_is_none_and_a_dialect_that_is_none_say_so() {
    let folder = tempdir().unwrap();
    let none = run(&["report", "render", "--to", "hledger", "--run", arg(&folder.path().join("none"))]);
    assert_eq!(code(&none), 2, "{}", shown(&none));
    let unknown = run(&["report", "render", "--to", "ledger"]);
    assert_eq!(code(&unknown), 2, "{}", shown(&unknown));
    let judged = Judged::of(4, 10);
    let empty = judged.render("hledger", &["--as-of", "2020-01-01"]);
    assert_eq!(code(&empty), 3, "{}", shown(&empty));
    assert!(stdout(&empty).contains("commodity 1000. MSAT") && stderr(&empty).contains("0 entries"));
}
