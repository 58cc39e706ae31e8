//! The signed events: made once, kept in a file, one a line, oldest first.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey, SignOnly};
use rayon::prelude::*;
use reledger::domain::sha256;

/// The kind of every event: addressable, so each has a `d` of its own.
pub(crate) const KIND: u16 = 30_078;
const AUTHORS: u32 = 300;
/// Events signed at once.
const BATCH: u32 = 20_000;

/// Where the events of this size of bench are kept.
pub(crate) fn file(count: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-capture-{count}.jsonl"))
}

/// True when a relay holds the event of this number.
pub(crate) fn holds(relay: u32, number: u32) -> bool {
    let lot = number % 7;
    lot < 3 || lot - 3 == relay
}

/// Three events in a second, a minute between such seconds.
pub(crate) fn time(number: u32) -> i64 {
    1_700_000_000 + i64::from(number / 3) * 60
}

/// Makes the file, unless it is there.
pub(crate) fn prepare(count: u32) {
    let path = file(count);
    if path.is_file() {
        return;
    }
    eprintln!("signing {count} events");
    let secp = Secp256k1::signing_only();
    let keys: Vec<Keypair> = (0..AUTHORS)
        .map(|author| {
            let secret = sha256(format!("bench author {author}").as_bytes());
            Keypair::from_secret_key(&secp, &SecretKey::from_slice(secret.as_bytes()).expect("a hash is a key"))
        })
        .collect();
    let beside = path.with_extension("partial");
    let mut out = BufWriter::new(File::create(&beside).expect("the build folder can be written"));
    for first in (0..count).step_by(BATCH as usize) {
        let numbers = first..count.min(first + BATCH);
        let lines: Vec<String> = numbers.into_par_iter().map(|number| line(&secp, &keys, number)).collect();
        for line in lines {
            writeln!(out, "{line}").expect("the disk has room");
        }
    }
    out.into_inner().expect("the disk has room").sync_all().expect("the disk works");
    fs::rename(beside, path).expect("the build folder can be written");
}

fn line(secp: &Secp256k1<SignOnly>, keys: &[Keypair], number: u32) -> String {
    let key = &keys[(number % AUTHORS) as usize];
    let author = key.x_only_public_key().0;
    let at = time(number);
    let tags = format!(r#"[["d","bench-{number}"],["t","bench"]]"#);
    // About as long as an envelope of the field: 1.1 KB a line.
    let content = format!("{number:08} {}", "a line of content that has the length of an envelope ".repeat(14));
    let id = sha256(format!(r#"[0,"{author}",{at},{KIND},{tags},"{content}"]"#).as_bytes());
    let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(*id.as_bytes()), key);
    format!(
        r#"{{"id":"{id}","pubkey":"{author}","created_at":{at},"kind":{KIND},"tags":{tags},"content":"{content}","sig":"{signature}"}}"#
    )
}
