//! What a user would otherwise pick, and this project, on the same events and the same proofs, in the same run.
//!
//! Every contender is a process of its own, over the same file: so many distinct signed events, or the proofs of one block in
//! so many passes. Clock and processor are those of the whole process, reading included. Before anybody is measured, each is given
//! events (proofs) of which one in a hundred is a lie, and afterwards asked which it accepted; in every round, each has to have
//! accepted all. Who accepts more or less is measured all the same, and the table says so; who is not here is in the table as
//! skipped. The order moves on from round to round, and the table holds medians.
//!
//! `make bench-peers`. It says what it was told by: `RELEDGER_BENCH_EVENTS`, `_AUTHORS`, `_SEED`, `_PASSES`, `_ROUNDS`, and `_ONLY`
//! for contenders whose name holds that text.

#![expect(
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a program of its own: it measures time, divides, and is told by the environment how large it is"
)]

mod answer;
mod contender;
mod events;
#[path = "../../../benches/common/machine.rs"]
mod machine;
mod measure;
#[cfg(feature = "nostrdb")]
mod ndb;
mod proofs;
mod rounds;
mod rust_nostr;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use answer::Answer;
use contender::{Tools, everybody};
use rounds::{Bench, Row};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => orchestrate(),
        ["serve", file] => blocking(rust_nostr::serve(Path::new(file))),
        [role, place, more] => role_of(role, Path::new(place), more).map(|answer| answer.say()),
        _ => Err("a role has a file or folder, and where its store goes or how often".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn role_of(role: &str, place: &Path, more: &str) -> Result<Answer, Box<dyn Error>> {
    match role {
        "nostr" => rust_nostr::bare(place),
        "nostr-lmdb" => blocking(rust_nostr::lmdb(place, Path::new(more))),
        "nostr-sdk" => blocking(rust_nostr::sdk(place, more)),
        #[cfg(feature = "nostrdb")]
        "nostrdb" => ndb::run(place, Path::new(more), ndb::Caller::Patient),
        #[cfg(feature = "nostrdb")]
        "nostrdb-careless" => ndb::run(place, Path::new(more), ndb::Caller::Careless),
        "ots" => proofs::ours(place, more.parse()?),
        "ots-all-cores" => proofs::ours_on_all_cores(place, more.parse()?),
        "opentimestamps" => proofs::of_crate(place, more.parse()?),
        _ => Err(format!("no such role: {role}").into()),
    }
}

fn blocking<T>(work: impl Future<Output = Result<T, Box<dyn Error>>>) -> Result<T, Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn orchestrate() -> Result<(), Box<dyn Error>> {
    let number = |name: &str, usual: usize| {
        std::env::var(format!("RELEDGER_BENCH_{name}")).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let path = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set: run `make bench-peers`"))
    };
    let folder = path("RELEDGER_BENCH_FOLDER")?;
    let tools = Tools { reledger: path("RELEDGER_BENCH_BIN")?, folder: path("RELEDGER_PEERS_TOOLS")? };
    let count = number("EVENTS", 100_000).max(1_000);
    // As the field is: most keys sign one event or two.
    let authors = number("AUTHORS", count * 2 / 3).max(1);
    let honest = events::honest(&folder, count, authors, number("SEED", 11) as u64)?;
    let proofs = proofs::honest(&folder.join("proofs"))?;
    let bench = Bench {
        tools,
        spoiled_events: events::spoiled(&honest)?,
        spoiled_proofs: proofs::spoiled(&proofs, &folder.join("proofs-spoiled"))?,
        events: honest,
        proofs,
        passes: number("PASSES", 41),
        rounds: number("ROUNDS", 3).max(1),
        scratch: folder.join("scratch"),
    };
    std::fs::create_dir_all(&bench.scratch)?;
    let only = std::env::var("RELEDGER_BENCH_ONLY").unwrap_or_default();
    let contenders = everybody().into_iter().filter(|contender| contender.name.contains(&only)).collect();
    let before = machine::load();
    let rows: Vec<Row> = bench.run(contenders);
    let facts = machine::facts(&before);
    print!("{}", table::text(&bench, &rows, &facts));
    let file = folder.join("peers.json");
    std::fs::write(&file, table::json(&bench, &rows, &facts))?;
    println!("{}", file.display());
    Ok(())
}
