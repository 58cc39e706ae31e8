//! Goal: the worked example of TREASURY 5.2 reads the same everywhere, no name breaks a dialect or hides another, days come to
//! what their entries do. Method: hand-made facts and entries; what is expected is written out, or read back from the text.

use std::collections::{BTreeMap, BTreeSet};

use super::names::called;
use super::*;
use crate::domain::{Digest32, EnvelopeId, EvidenceId, MsatDelta, UnixMicros, UnixSeconds, sha256};
use crate::ledger::testkit::{self, digest, evidence};
use crate::ledger::{Account, Entry, EntryKey, Fact, Posting, Tier};
use crate::report::Pseudonyms;

const DIALECTS: [Dialect; 3] = [Dialect::Hledger, Dialect::Beancount, Dialect::Csv];

fn worked_example() -> Vec<Entry> {
    testkit::worked_example().entries()
}

fn written(entries: &[Entry], dialect: Dialect, detail: Detail, reveal: bool) -> (String, JournalWritten) {
    let names = Pseudonyms::new(sha256(b"e"), reveal);
    let ask = JournalAsk { dialect, detail, names: &names, as_of: UnixSeconds(0), evidence_root: Digest32([7; 32]) };
    let mut out = Vec::new();
    let said = write_journal(&mut out, &ask, || entries.iter().cloned()).unwrap();
    (String::from_utf8(out).unwrap(), said)
}

/// The text with `<name>` for the 64 digits of that fact, `<name/12>` for the first of them, `<name's>` for its evidence.
fn filled(text: &str) -> String {
    let mut text = text.to_owned();
    for name in ["deposit", "envelope", "rebate", "payout"] {
        let id = digest(name).to_hex();
        text = text.replace(&format!("<{name}>"), &id).replace(&format!("<{name}/12>"), &id[..12]);
        text = text.replace(&format!("<{name}'s>"), &evidence(name).to_string());
    }
    text
}

#[test]
fn the_worked_example_reads_in_hledger_as_the_specification_says() {
    let expected = "\
; treasury journal of reledger, format reledger/journal/1, dialect hledger
; as of 1970-01-01T00:00:00Z
; evidence root 0707070707070707070707070707070707070707070707070707070707070707
; amounts in millisatoshi (MSAT): debits positive, credits negative
; users in clear
; 4 entries on 5 accounts, one transaction each

commodity 1000. MSAT

account Assets:Custody:oc-me-v1  ; type: A, native: A:Custody:oc-me-v1
account Liabilities:Escrow:pk_test_co  ; type: L, native: L:Escrow:pk_test_co
account Liabilities:Platform:Accrued  ; type: L, native: L:Platform:Accrued
account Liabilities:Rebate:pk_test_co  ; type: L, native: L:Rebate:pk_test_co
account Liabilities:User:bc1quser:Available  ; type: L, native: L:User:bc1quser:Available

2026-05-01 * (<deposit/12>) escrow.deposit
    ; fact: settlement-<deposit>, tier: T1, rule: escrow.deposit/in, at: 2026-05-01T00:00:00.000000Z
    ; evidence: <deposit's>
    Assets:Custody:oc-me-v1  100000000 MSAT
    Liabilities:Escrow:pk_test_co  -100000000 MSAT

2026-05-01 * balances after this day
    Assets:Custody:oc-me-v1  0 MSAT = 100000000 MSAT
    Liabilities:Escrow:pk_test_co  0 MSAT = -100000000 MSAT

2026-05-04 * (<envelope/12>) envelope
    ; fact: envelope-<envelope>, tier: T1, rule: envelope/internal, at: 2026-05-04T12:00:00.000000Z
    ; evidence: <envelope's>
    Liabilities:Escrow:pk_test_co  60000 MSAT
    Liabilities:Platform:Accrued  -12000 MSAT
    Liabilities:Rebate:pk_test_co  -9000 MSAT
    Liabilities:User:bc1quser:Available  -39000 MSAT

2026-05-04 * balances after this day
    Liabilities:Escrow:pk_test_co  0 MSAT = -99940000 MSAT
    Liabilities:Platform:Accrued  0 MSAT = -12000 MSAT
    Liabilities:Rebate:pk_test_co  0 MSAT = -9000 MSAT
    Liabilities:User:bc1quser:Available  0 MSAT = -39000 MSAT

2026-05-05 * (<rebate/12>) escrow.rebate
    ; fact: settlement-<rebate>, tier: T1, rule: escrow.rebate/internal, at: 2026-05-05T00:00:00.000000Z
    ; evidence: <rebate's>
    Liabilities:Escrow:pk_test_co  -9000 MSAT
    Liabilities:Rebate:pk_test_co  9000 MSAT

2026-05-05 * balances after this day
    Liabilities:Escrow:pk_test_co  0 MSAT = -99949000 MSAT
    Liabilities:Rebate:pk_test_co  0 MSAT = 0 MSAT

2026-05-06 * (<payout/12>) distribution.settled
    ; fact: settlement-<payout>, tier: T1, rule: distribution.settled/out, at: 2026-05-06T00:00:00.000000Z
    ; evidence: <payout's>
    Assets:Custody:oc-me-v1  -42000 MSAT
    Liabilities:Platform:Accrued  3000 MSAT
    Liabilities:User:bc1quser:Available  39000 MSAT

2026-05-06 * balances after this day
    Assets:Custody:oc-me-v1  0 MSAT = 99958000 MSAT
    Liabilities:Platform:Accrued  0 MSAT = -9000 MSAT
    Liabilities:User:bc1quser:Available  0 MSAT = 0 MSAT

2026-05-06 * balances at the end
    Assets:Custody:oc-me-v1  0 MSAT = 99958000 MSAT
    Liabilities:Escrow:pk_test_co  0 MSAT = -99949000 MSAT
    Liabilities:Platform:Accrued  0 MSAT = -9000 MSAT
    Liabilities:Rebate:pk_test_co  0 MSAT = 0 MSAT
    Liabilities:User:bc1quser:Available  0 MSAT = 0 MSAT
";
    assert_eq!(written(&worked_example(), Dialect::Hledger, Detail::Auto, true).0, filled(expected));
}

#[test]
fn the_worked_example_reads_in_beancount_as_the_specification_says() {
    let (text, said) = written(&worked_example(), Dialect::Beancount, Detail::Auto, true);
    // An underscore is no letter of the dialect: the project is named anew, with the digest of its name.
    let mut hasher = crate::domain::TaggedHasher::new("reledger/journal-name/1");
    hasher.field(b"pk_test_co");
    let project = format!("Pk-test-co-x{}", &hasher.finish().to_hex()[..40]);
    let expected = "
2026-05-01 commodity MSAT

2026-05-01 open Assets:Custody:Oc-me-v1 MSAT
  native: \"A:Custody:oc-me-v1\"
2026-05-01 open Liabilities:Escrow:<project> MSAT
  native: \"L:Escrow:pk_test_co\"
2026-05-04 open Liabilities:Platform:Accrued MSAT
  native: \"L:Platform:Accrued\"
2026-05-04 open Liabilities:Rebate:<project> MSAT
  native: \"L:Rebate:pk_test_co\"
2026-05-04 open Liabilities:User:Bc1quser:Available MSAT
  native: \"L:User:bc1quser:Available\"

2026-05-01 * \"escrow.deposit\" ^settlement-<deposit>
  code: \"<deposit/12>\"
  tier: \"T1\"
  rule: \"escrow.deposit/in\"
  at: \"2026-05-01T00:00:00.000000Z\"
  evidence: \"<deposit's>\"
  Assets:Custody:Oc-me-v1  100000000 MSAT
  Liabilities:Escrow:<project>  -100000000 MSAT

; balances after this day
2026-05-02 balance Assets:Custody:Oc-me-v1  100000000 ~ 0 MSAT
2026-05-02 balance Liabilities:Escrow:<project>  -100000000 ~ 0 MSAT
";
    let expected = filled(expected).replace("<project>", &project);
    assert!(text.contains(&expected), "{text}");
    let end = "
; balances at the end
2026-05-07 balance Assets:Custody:Oc-me-v1  99958000 ~ 0 MSAT
2026-05-07 balance Liabilities:Escrow:<project>  -99949000 ~ 0 MSAT
2026-05-07 balance Liabilities:Platform:Accrued  -9000 ~ 0 MSAT
2026-05-07 balance Liabilities:Rebate:<project>  0 ~ 0 MSAT
2026-05-07 balance Liabilities:User:Bc1quser:Available  0 ~ 0 MSAT
";
    assert!(text.ends_with(&end.replace("<project>", &project)), "{text}");
    let expected = JournalWritten { entries: 4, accounts: 5, transactions: 4, assertions: 16, by_day: false };
    assert_eq!(said, expected);
}

#[test]
fn the_worked_example_is_eleven_rows_of_a_spreadsheet() {
    let (text, _) = written(&worked_example(), Dialect::Csv, Detail::Auto, true);
    let rows: Vec<&str> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
    assert_eq!(
        rows[0],
        "transaction,date,time,kind,rule,fact,account,native,holder,debit_msat,credit_msat,tier,entries,evidence"
    );
    assert_eq!(
        rows[1],
        filled(
            "1,2026-05-01,2026-05-01T00:00:00.000000Z,escrow.deposit,escrow.deposit/in,settlement-<deposit>,\
             Assets:Custody:oc-me-v1,A:Custody:oc-me-v1,oc-me-v1,100000000,,T1,1,<deposit's>"
        )
    );
    let mut balances: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &rows[1..] {
        let cells: Vec<&str> = row.split(',').collect();
        let amount = |cell: &str| if cell.is_empty() { 0 } else { cell.parse::<i64>().unwrap() };
        *balances.entry(cells[7]).or_default() += amount(cells[9]) - amount(cells[10]);
    }
    let expected = BTreeMap::from([
        ("A:Custody:oc-me-v1", 99_958_000),
        ("L:Escrow:pk_test_co", -99_949_000),
        ("L:Platform:Accrued", -9_000),
        ("L:Rebate:pk_test_co", 0),
        ("L:User:bc1quser:Available", 0),
    ]);
    assert_eq!((rows.len(), balances), (12, expected));
}

/// An entry that moves so much from the first account to the second.
fn moved(at: i64, name: &str, (from, to): (&Account, &Account), msat: i128) -> Entry {
    let mut postings = vec![
        Posting { account: from.clone(), delta: MsatDelta(-msat) },
        Posting { account: to.clone(), delta: MsatDelta(msat) },
    ];
    postings.sort();
    let fact = Fact::Envelope(EnvelopeId(digest(name)));
    Entry {
        key: EntryKey { at: UnixMicros(at), rank: 1, fact },
        kind: "envelope",
        postings,
        evidence: vec![],
        tier: Tier::T1,
    }
}

const HOSTILE: [&str; 26] = [
    "",
    " ",
    "a",
    "A",
    "b",
    "B",
    "pk_live_x",
    "pk-live-x",
    "Pk-live-x",
    "pk.live.x",
    "a:b",
    "a;b",
    "a  b",
    "(a)",
    "[a]",
    "\"quoted\"",
    "line\nbreak",
    "\r\n2026-01-01 * x",
    "\u{202e}rtl",
    "\u{e9}t\u{e9}",
    "=1+1",
    "*",
    "-",
    "x, type: A",
    "Pk-live-x-xdc3f1f5d7a2f0d4b1c5a0b9e8f7d6c5b4a392817",
    "pk-live-x-xdc3f1f5d7a2f0d4b1c5a0b9e8f7d6c5b4a392817",
];

fn hostile_accounts() -> Vec<Account> {
    let long = "n".repeat(200);
    let names: Vec<&str> = HOSTILE.into_iter().chain([long.as_str(), &long[1..]]).collect();
    let mut accounts = vec![Account::PlatformAccrued, Account::PlatformSettled];
    for name in names {
        accounts.extend([
            Account::Custody(name.into()),
            Account::InFlight(name.into()),
            Account::Escrow(name.into()),
            Account::Rebate(name.into()),
            Account::UserAvailable(name.into()),
            Account::UserInFlight(name.into()),
            Account::UserMaturing(name.into(), "w_1".into()),
            Account::UserMaturing("u".into(), name.into()),
            Account::Operator(name.to_owned()),
            Account::Rounding(name.into()),
        ]);
    }
    for code in ["FEE_SPLIT", "INV_OVERPAID", "DIR_WRONG", "FIELD_MISSING", "adjustment"] {
        accounts.push(Account::Suspense(code));
    }
    accounts
}

#[test]
fn every_hostile_name_fits_the_dialect_and_stays_apart() {
    let names = Pseudonyms::new(sha256(b"e"), true);
    let accounts: BTreeSet<Account> = hostile_accounts().into_iter().collect();
    for dialect in DIALECTS {
        let called: Vec<_> = accounts.iter().map(|account| called(account, dialect, &names)).collect();
        let distinct =
            |text: fn(&super::names::Called) -> &String| called.iter().map(text).collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(|called| &called.name), accounts.len(), "{dialect:?}");
        assert_eq!(distinct(|called| &called.native), accounts.len(), "{dialect:?}");
        for one in &called {
            let mut parts = one.name.split(':');
            assert!(["Assets", "Liabilities"].contains(&parts.next().unwrap()), "{one:?}");
            for part in parts {
                let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                let first = part.as_bytes()[0];
                let fits = match dialect {
                    // https://beancount.github.io/docs/beancount_language_syntax.html: a capital or a digit, then letters, digits, dashes.
                    Dialect::Beancount => {
                        (first.is_ascii_uppercase() || first.is_ascii_digit()) && part.bytes().all(rest)
                    }
                    // No blank, comment, status mark or bracket: all that hledger reads as something else.
                    Dialect::Hledger | Dialect::Csv => {
                        first.is_ascii_alphanumeric() && part.bytes().all(|byte| rest(byte) || b"_.".contains(&byte))
                    }
                };
                assert!(fits && part.len() < 100, "{one:?}");
            }
            assert!(one.native.bytes().all(|byte| byte.is_ascii_graphic() && !b",;\"\\".contains(&byte)), "{one:?}");
        }
        // beancount counts what stands below an account to it, so none may stand below another.
        let names: BTreeSet<&str> = called.iter().map(|one| one.name.as_str()).collect();
        for name in &names {
            let mut above = name.match_indices(':').map(|(at, _)| &name[..at]);
            assert!(!above.any(|above| names.contains(above)), "{name}");
        }
    }
}

#[test]
fn a_name_that_fits_stays_as_it_is() {
    let names = Pseudonyms::new(sha256(b"e"), true);
    let name = |account: Account, dialect| called(&account, dialect, &names).name;
    assert_eq!(name(Account::Escrow("pk_live_x".into()), Dialect::Hledger), "Liabilities:Escrow:pk_live_x");
    assert_eq!(name(Account::Custody("oc-me-v1".into()), Dialect::Beancount), "Assets:Custody:Oc-me-v1");
    assert_eq!(name(Account::InFlight("0ab1".into()), Dialect::Beancount), "Assets:InFlight:0ab1");
    assert_eq!(name(Account::Suspense("FEE_SPLIT"), Dialect::Beancount), "Liabilities:Suspense:FEE-SPLIT");
    assert!(name(Account::Custody("Oc-me-v1".into()), Dialect::Beancount).starts_with("Assets:Custody:Oc-me-v1-x"));
}

#[test]
fn hostile_names_add_no_line_cell_or_tag() {
    let accounts = hostile_accounts();
    let entries: Vec<Entry> = accounts[1..].iter().map(|to| moved(0, "e", (&accounts[0], to), 5)).collect();
    for dialect in DIALECTS {
        let (text, said) = written(&entries, dialect, Detail::Entries, true);
        let rest: String = text.chars().filter(|c| !matches!(c, '\n' | '\r' | '\u{e9}')).collect();
        assert!(rest.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{dialect:?}");
        let lines = text.lines().count() as u64;
        let (transactions, postings) = (said.transactions, 2 * said.transactions);
        let expected = match dialect {
            // The head; accounts; of each transaction a blank, a title and tags; of two blocks of assertions a blank and a title.
            Dialect::Hledger => 9 + said.accounts + 3 * transactions + postings + 4 + said.assertions,
            // The head; accounts with their native names; a blank, a title and four members; a blank and a comment.
            Dialect::Beancount => 12 + 2 * said.accounts + 6 * transactions + postings + 4 + said.assertions,
            Dialect::Csv => 1 + postings,
        };
        assert_eq!(lines, expected, "{dialect:?}");
    }
    let (text, _) = written(&entries, Dialect::Csv, Detail::Entries, true);
    assert!(text.contains(",'=1+1,") && text.contains(",'-,") && !text.contains(",=1+1,"), "{text}");
}

#[test]
fn users_are_pseudonyms_unless_they_are_revealed() {
    let (user, other) =
        (Account::UserAvailable("bc1qsecret".into()), Account::UserMaturing("bc1qsecret".into(), "w".into()));
    let mut entry = moved(0, "e", (&user, &other), 5);
    entry.key.fact = Fact::Vesting("w".into(), "bc1qsecret".into());
    for dialect in DIALECTS {
        for detail in [Detail::Entries, Detail::Days] {
            let (hidden, _) = written(std::slice::from_ref(&entry), dialect, detail, false);
            assert!(!hidden.to_ascii_lowercase().contains("secret"), "{hidden}");
            let pseudonym = Pseudonyms::new(sha256(b"e"), false).name("bc1qsecret");
            assert!(hidden.to_ascii_lowercase().contains(&pseudonym), "{hidden}");
            let (shown, _) = written(std::slice::from_ref(&entry), dialect, detail, true);
            assert!(shown.to_ascii_lowercase().contains("bc1qsecret"), "{shown}");
        }
    }
}

#[test]
fn the_order_of_what_is_written_tells_nothing_of_hidden_users() {
    let users: Vec<String> = (0..40).map(|number| format!("bc1q{number:02}")).collect();
    let entries: Vec<Entry> = users
        .iter()
        .map(|user| {
            let maturing = Account::UserMaturing(user.as_str().into(), "w".into());
            let mut entry = moved(0, user, (&Account::UserAvailable(user.as_str().into()), &maturing), 5);
            entry.key.fact = Fact::Vesting("w".into(), user.as_str().into());
            entry
        })
        .collect();
    for dialect in DIALECTS {
        let (text, said) = written(&entries, dialect, Detail::Entries, false);
        let mut seen: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| line.contains(":Available") && !line.contains("native")) {
            seen.extend(line.split(':').find(|part| part.to_ascii_lowercase().starts_with("user-")).map(str::to_owned));
        }
        // Of accounts, of transactions, and of both assertions.
        assert!(seen.len() >= 40 && said.transactions == 40, "{text}");
        for run in seen.chunks(40) {
            assert!(run.is_sorted(), "{run:?}");
        }
    }
}

/// Balances and the number of postings, read back from CSV.
fn read_back(text: &str) -> BTreeMap<String, i128> {
    let mut balances = BTreeMap::new();
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let amount = |cell: &str| if cell.is_empty() { 0 } else { cell.parse::<i128>().unwrap() };
        *balances.entry(cells[7].to_owned()).or_default() += amount(cells[9]) - amount(cells[10]);
    }
    balances
}

/// A journal of so many entries, two an hour, among a handful of accounts.
fn long_journal(entries: u64) -> impl Iterator<Item = Entry> {
    let accounts: Vec<Account> = (0..5).map(|number| Account::Escrow(format!("pk{number}").into())).collect();
    (0..entries).map(move |number| {
        let at = i64::try_from(number).unwrap() * 1_800_000_000;
        let place = |add: u64| usize::try_from((number * 7 + add) % 5).unwrap();
        moved(
            at,
            &number.to_string(),
            (&accounts[place(0)], &accounts[place(1 + number % 4)]),
            i128::from(number % 97) + 1,
        )
    })
}

#[test]
fn days_come_to_what_their_entries_do() {
    let entries: Vec<Entry> = long_journal(500).collect();
    let assertions = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(" = ") || line.contains(" balance ")).map(str::to_owned).collect()
    };
    for dialect in [Dialect::Hledger, Dialect::Beancount] {
        let (detail, said) = written(&entries, dialect, Detail::Entries, true);
        let (days, summed) = written(&entries, dialect, Detail::Days, true);
        assert_eq!(assertions(&detail), assertions(&days));
        // 48 entries a day.
        assert_eq!((said.transactions, summed.transactions, said.assertions), (500, 11, summed.assertions));
        assert!((55..=60).contains(&summed.assertions), "{summed:?}");
    }
    let (detail, days) = (
        written(&entries, Dialect::Csv, Detail::Entries, true).0,
        written(&entries, Dialect::Csv, Detail::Days, true).0,
    );
    assert_eq!(read_back(&detail), read_back(&days));
    assert_eq!(read_back(&detail).values().sum::<i128>(), 0);
    let debits =
        |text: &str| text.lines().skip(1).filter_map(|row| row.split(',').nth(9)?.parse::<i128>().ok()).sum::<i128>();
    assert_eq!(debits(&detail), debits(&days), "debits and credits of a day are not netted");
}

#[test]
fn only_more_than_a_hundred_thousand_entries_are_summed_unasked() {
    let by_day = |detail: Detail| [1, 100_000, 100_001, u64::MAX].map(|entries| detail.is_by_day(entries));
    assert_eq!(by_day(Detail::Auto), [false, false, true, true]);
    assert_eq!(by_day(Detail::Entries), [false; 4]);
    assert_eq!(by_day(Detail::Days), [true; 4]);
}

#[test]
fn times_beyond_the_dialects_keep_their_order_and_say_themselves() {
    let accounts = (Account::PlatformAccrued, Account::PlatformSettled);
    let entries: Vec<Entry> = [i64::MIN, -62_135_596_800_000_001, 0, i64::MAX]
        .into_iter()
        .map(|at| moved(at, &at.to_string(), (&accounts.0, &accounts.1), 1))
        .collect();
    let (text, _) = written(&entries, Dialect::Hledger, Detail::Entries, true);
    let days: Vec<&str> = text.lines().filter(|line| line.ends_with(") envelope")).map(|line| &line[..10]).collect();
    assert_eq!(days, ["0001-01-01", "0001-01-01", "1970-01-01", "9999-12-30"]);
    assert!(
        text.contains(", at: -290308-12-21T19:59:05.224192Z") && text.contains(", at: 294247-01-10T04:00:54.775807Z")
    );
    let (text, _) = written(&entries, Dialect::Beancount, Detail::Entries, true);
    assert!(text.contains("\n9999-12-31 balance "), "{text}");
    let (text, _) = written(&entries, Dialect::Csv, Detail::Entries, true);
    assert!(text.contains("1,0001-01-01,'-290308-12-21T19:59:05.224192Z,"), "{text}");
}

#[test]
fn much_evidence_stands_as_its_number_and_digest() {
    let mut entry = moved(0, "e", (&Account::PlatformAccrued, &Account::PlatformSettled), 1);
    let evidence_of = |entry: &Entry| {
        let (text, _) = written(std::slice::from_ref(entry), Dialect::Hledger, Detail::Entries, true);
        text.lines().find_map(|line| line.strip_prefix("    ; evidence: ")).map(str::to_owned)
    };
    assert_eq!(evidence_of(&entry), None);
    entry.evidence = (0..32).map(|number| EvidenceId(Digest32([number; 32]))).collect();
    let all = evidence_of(&entry).unwrap();
    assert_eq!(all.split(' ').count(), 32);
    entry.evidence.push(EvidenceId(Digest32([32; 32])));
    let ids = format!("{all} {}", Digest32([32; 32]));
    assert_eq!(evidence_of(&entry).unwrap(), format!("33 sha256 {}", sha256(ids.as_bytes())));
}

#[test]
fn a_journal_without_entries_is_a_head() {
    for (dialect, lines) in [(Dialect::Hledger, 9), (Dialect::Beancount, 10), (Dialect::Csv, 1)] {
        let (text, said) = written(&[], dialect, Detail::Auto, false);
        assert_eq!((text.lines().count(), said), (lines, JournalWritten::default()), "{text}");
    }
}

#[test]
fn what_the_writer_says_is_passed_on_and_sums_never_wrap() {
    let huge = moved(0, "e", (&Account::PlatformAccrued, &Account::PlatformSettled), i128::MAX);
    let names = Pseudonyms::new(sha256(b"e"), true);
    for detail in [Detail::Entries, Detail::Days] {
        let ask = JournalAsk {
            dialect: Dialect::Csv,
            detail,
            names: &names,
            as_of: UnixSeconds(0),
            evidence_root: Digest32([0; 32]),
        };
        let error = write_journal(&mut Vec::new(), &ask, || [huge.clone(), huge.clone()]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        let mut room = [0_u8; 10];
        let error = write_journal(&mut room.as_mut_slice(), &ask, || [huge.clone()]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    }
}
