//! Writes two journals in every dialect into a folder: the worked example of the treasury's specification, and one whose names
//! were chosen to break other programs. `make test-peers` gives both to hledger and beancount.
//!
//! ```sh
//! cargo run --example journals -- DIR
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use reledger::domain::{Digest32, EnvelopeId, MsatDelta, UnixMicros, UnixSeconds, sha256};
use reledger::ledger::{Account, Entry, EntryKey, Fact, Posting, Tier};
use reledger::report::{Detail, Dialect, JournalAsk, Pseudonyms, write_journal};

const DAY: i64 = 86_400_000_000;

fn entry(day: i64, kind: &'static str, moves: &[(Account, i128)]) -> Entry {
    let mut postings: Vec<Posting> =
        moves.iter().map(|(account, delta)| Posting { account: account.clone(), delta: MsatDelta(*delta) }).collect();
    postings.sort();
    let id = sha256(format!("{day} {kind} {postings:?}").as_bytes());
    let fact = if kind == "envelope" { Fact::Envelope(EnvelopeId(id)) } else { Fact::Settlement(id) };
    Entry {
        key: EntryKey { at: UnixMicros(day.saturating_mul(DAY)), rank: 0, fact },
        kind,
        postings,
        evidence: Vec::new(),
        tier: Tier::T1,
    }
}

/// Deposit 100,000 sats; one envelope 60 = 12 + 39 + 9; rebate 9; payout 39 with fee 3.
fn worked() -> Vec<Entry> {
    let custody = Account::Custody("oc-me-v1".into());
    let (escrow, rebate) = (Account::Escrow("pk_live_x".into()), Account::Rebate("pk_live_x".into()));
    let (platform, user) = (Account::PlatformAccrued, Account::UserAvailable("bc1quser".into()));
    vec![
        entry(20_574, "escrow.deposit", &[(custody.clone(), 100_000_000), (escrow.clone(), -100_000_000)]),
        entry(
            20_577,
            "envelope",
            &[(escrow.clone(), 60_000), (platform.clone(), -12_000), (user.clone(), -39_000), (rebate.clone(), -9_000)],
        ),
        entry(20_578, "escrow.rebate", &[(rebate, 9_000), (escrow, -9_000)]),
        entry(20_579, "distribution.settled", &[(user, 39_000), (platform, 3_000), (custody, -42_000)]),
    ]
}

/// One deposit for each name, on days that no calendar has, up to all bitcoin at once.
fn hostile() -> Vec<Entry> {
    let names = [
        "",
        " ",
        "a",
        "A",
        "pk_live_x",
        "pk-live-x",
        "Pk-live-x",
        "a:b",
        "a;b",
        "a  b",
        "(a)",
        "[a]",
        "[2026-01-01]",
        "\"quoted\\",
        "line\nbreak\n2026-01-01 * x\n  Assets:X  1 MSAT",
        "\r\n",
        "\u{202e}rtl",
        "\u{e9}t\u{e9}",
        "=1+1",
        "*",
        "-",
        "x, type: A",
        "x ; date: 2020-01-01",
        "#tag ^link",
        "include /etc/passwd",
        "0",
        "\u{1b}]52;c;aGk=\u{7}",
        "\u{9b}31m\u{2066}\u{200b}",
        "<script>alert(1)</script>",
        "=cmd|'/C calc'!A0",
        "\u{ff1d}1",
        "{{7*7}} @everyone",
        "]]>&#x202e;-->",
        "`x` ![y](javascript:z)",
        "\0\u{fffe}\u{2028}",
        "option \"title\" \"x\"\nplugin \"os\"",
        "x".repeat(300).leak(),
    ];
    let days = [i64::MIN / DAY, -800_000, 0, 20_574, 2_932_896, i64::MAX / DAY];
    let mut entries = Vec::new();
    for (number, day) in (0_i128..).zip(days) {
        for name in names {
            let amount = if number == 0 { 1 } else { 2_100_000_000_000_000_000 };
            let custody = Account::Custody(name.into());
            for account in [
                Account::Escrow(name.into()),
                Account::UserAvailable(name.into()),
                Account::UserMaturing("u".into(), name.into()),
                Account::Operator(name.to_owned()),
                Account::InFlight(name.into()),
                Account::Suspense("FEE_SPLIT"),
            ] {
                entries.push(entry(day, "escrow.deposit", &[(custody.clone(), amount), (account, -amount)]));
            }
        }
    }
    entries
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: journals DIR")?;
    for (name, entries) in [("worked", worked()), ("hostile", hostile())] {
        for (dialect, ending) in
            [(Dialect::Hledger, "journal"), (Dialect::Beancount, "beancount"), (Dialect::Csv, "csv")]
        {
            let names = Pseudonyms::new(Digest32([0; 32]), true);
            let ask = JournalAsk {
                dialect,
                detail: Detail::Entries,
                names: &names,
                as_of: UnixSeconds(1_790_812_800),
                evidence_root: Digest32([0; 32]),
            };
            let mut out = BufWriter::new(File::create(Path::new(&folder).join(format!("{name}.{ending}")))?);
            let written = write_journal(&mut out, &ask, || entries.iter().cloned())?;
            out.flush()?;
            println!("{name}.{ending}: {} entries on {} accounts", written.entries, written.accounts);
        }
    }
    Ok(())
}
