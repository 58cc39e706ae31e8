//! The events that everybody is given: signed once out of a seed, kept in a file, one a line. And a few with lies among them.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use reledger::domain::sha256;
use secp256k1::{Keypair, Secp256k1, SecretKey, SignOnly};

/// The kind of every event: addressable, so each has a `d` of its own; no store takes one for another's successor.
pub const KIND: u16 = 30_078;
/// Events with lies among them, and how far apart the lies are: one of a hundred.
const SPOILED: usize = 1_000;
const APART: usize = 100;
/// Events signed at once.
const BATCH: usize = 20_000;

/// A file of events.
pub struct Events {
    /// One event a line.
    pub file: PathBuf,
    pub count: usize,
    /// Who signed them: each author about as often as any other.
    pub authors: usize,
    pub bytes: u64,
    /// Lines, from zero, that nobody may accept.
    pub lies: Vec<usize>,
}

/// Makes the file, unless it is there. The same numbers give the same bytes.
pub fn honest(folder: &Path, count: usize, authors: usize, seed: u64) -> io::Result<Events> {
    let file = folder.join(format!("events-{count}-{authors}-{seed}.jsonl"));
    if !file.is_file() {
        eprintln!("signing {count} events");
        let secp = Secp256k1::signing_only();
        let keys: Vec<Keypair> =
            (0..authors).into_par_iter().map(|author| key(&secp, &format!("{seed} author {author}"))).collect();
        write(&file, |out| {
            for first in (0..count).step_by(BATCH) {
                let numbers = first..count.min(first + BATCH);
                let lines: Vec<String> = numbers.into_par_iter().map(|at| line(&secp, &keys, seed, at)).collect();
                lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            }
            Ok(())
        })?;
    }
    let bytes = file.metadata()?.len();
    Ok(Events { file, count, authors, bytes, lies: Vec::new() })
}

/// The first of them, one of a hundred altered: a bit of the signature, a bit of the id, the content, the time, the author.
pub fn spoiled(honest: &Events) -> io::Result<Events> {
    let file = honest.file.with_extension("spoiled.jsonl");
    let lines: Vec<String> =
        BufReader::new(File::open(&honest.file)?).lines().take(SPOILED).collect::<io::Result<_>>()?;
    let mut lies = Vec::new();
    write(&file, |out| {
        for (at, line) in lines.iter().enumerate() {
            if at % APART == APART / 2 {
                lies.push(at);
                writeln!(out, "{}", lie(line, &lines[at + 1], at / APART % 5))?;
            } else {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    })?;
    let bytes = file.metadata()?.len();
    Ok(Events { file, count: lines.len(), authors: honest.authors, bytes, lies })
}

/// The id that a line declares.
pub fn id(line: &str) -> &str {
    member(line, "id")
}

fn lie(line: &str, next: &str, kind: usize) -> String {
    let flipped = |name| {
        let old = member(line, name);
        let last = if old.ends_with('0') { "1" } else { "0" };
        line.replacen(old, &format!("{}{last}", &old[..old.len() - 1]), 1)
    };
    match kind {
        0 => flipped("sig"),
        1 => flipped("id"),
        2 => line.replacen("an entry of", "no entry of", 1),
        3 => {
            let at = line.find("\"created_at\":").map_or(0, |at| at + 13);
            let digit = if &line[at..=at] == "1" { "2" } else { "1" };
            format!("{}{digit}{}", &line[..at], &line[at + 1..])
        }
        _ => line.replacen(member(line, "pubkey"), member(next, "pubkey"), 1),
    }
}

/// The hex value of a member of a line that was written below.
fn member<'l>(line: &'l str, name: &str) -> &'l str {
    let after = line.split_once(&format!("\"{name}\":\"")).map_or("", |(_, after)| after);
    after.split_once('"').map_or("", |(value, _)| value)
}

fn key(secp: &Secp256k1<SignOnly>, name: &str) -> Keypair {
    let secret = SecretKey::from_slice(&sha256(name.as_bytes()).0).expect("a digest is below the order");
    Keypair::from_secret_key(secp, &secret)
}

/// About as long as an event of the field, 1.1 KB, with a document as its content, so that there are quotes to escape. Its `d` is
/// one whose content we keep for replay and do not judge: nothing but the carrier is verified, by us as by everybody.
fn line(secp: &Secp256k1<SignOnly>, keys: &[Keypair], seed: u64, at: usize) -> String {
    let drawn = sha256(format!("{seed} event {at}").as_bytes());
    let author = u64::from_be_bytes(drawn.0[..8].try_into().expect("eight bytes"));
    let key = &keys[usize::try_from(author % keys.len() as u64).expect("below a length")];
    let author = key.x_only_public_key().0;
    let time = 1_700_000_000 + at * 30;
    let tags = format!(r#"[["d","oc-pledge:{drawn}"],["t","bench"],["i","number:{at}"]]"#);
    let words = "an entry of ordinary length, in words that anybody may read; ".repeat(8);
    let content =
        format!(r#"{{\n  \"number\": {at},\n  \"digest\": \"{drawn}\",\n  \"note\": \"{words}\",\n  \"v\": 1\n}}"#);
    let id = sha256(format!(r#"[0,"{author}",{time},{KIND},{tags},"{content}"]"#).as_bytes());
    let signature = secp.sign_schnorr_no_aux_rand(&id.0, key);
    format!(
        r#"{{"id":"{id}","pubkey":"{author}","created_at":{time},"kind":{KIND},"tags":{tags},"content":"{content}","sig":"{signature}"}}"#
    )
}

/// Whole or not at all.
fn write(file: &Path, by: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let beside = file.with_extension("partial");
    let mut out = BufWriter::new(File::create(&beside)?);
    by(&mut out)?;
    out.into_inner()?.sync_all()?;
    fs::rename(beside, file)
}
