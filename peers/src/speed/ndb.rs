//! `nostrdb`: threads of its own parse, verify and write; who hands events in learns nothing of them, and is turned away while
//! a queue is full.

use std::error::Error;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nostrdb::{Config, Ndb, Transaction};

use super::answer::{Answer, lines};
use super::events::id;

/// Between two looks, and between two tries.
const PAUSE: Duration = Duration::from_millis(1);
/// No event came for so long: none will.
const QUIET: Duration = Duration::from_secs(2);
const MAP_BYTES: usize = 8 << 30;

/// What a caller does who is turned away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Comes again until it is let in.
    Patient,
    /// Goes on with the next event.
    Careless,
}

/// Hands in every event and waits for the last.
pub fn run(file: &Path, folder: &Path, caller: Caller) -> Result<Answer, Box<dyn Error>> {
    let lines = lines(file)?;
    let threads = std::thread::available_parallelism()?.get();
    let config = Config::new().set_mapsize(MAP_BYTES).set_ingester_threads(i32::try_from(threads)?);
    let store = Ndb::new(folder.to_str().ok_or("a path that is no text")?, &config)?;
    let mut turned_away = 0_u64;
    for line in &lines {
        let message = format!(r#"["EVENT","s",{line}]"#);
        while store.process_event(&message).is_err() {
            turned_away += 1;
            if caller == Caller::Careless {
                break;
            }
            sleep(PAUSE);
        }
    }
    let ids = lines.iter().map(|line| bytes(id(line))).collect::<Result<Vec<[u8; 32]>, _>>()?;
    let kept = settled(&store, &ids)?;
    Ok(Answer { remark: format!("turned away {turned_away} times, its queue being full"), ..Answer::of(kept) })
}

/// Which are there once all are, or once nothing comes any more. Looks at what is missing in the order of its coming, so that
/// looking costs little while everything comes.
fn settled(store: &Ndb, ids: &[[u8; 32]]) -> Result<Vec<bool>, Box<dyn Error>> {
    let mut kept = vec![false; ids.len()];
    let (mut next, mut held, mut since) = (0, 0, Instant::now());
    while next < ids.len() {
        let view = Transaction::new(store)?;
        while next < ids.len() && store.get_notekey_by_id(&view, &ids[next]).is_ok() {
            kept[next] = true;
            next += 1;
            since = Instant::now();
        }
        if since.elapsed() > QUIET {
            for at in next..ids.len() {
                kept[at] = store.get_notekey_by_id(&view, &ids[at]).is_ok();
            }
            let now = kept.iter().filter(|kept| **kept).count();
            if now == held {
                break;
            }
            (held, since) = (now, Instant::now());
        }
        drop(view);
        sleep(PAUSE);
    }
    Ok(kept)
}

fn bytes(hex: &str) -> Result<[u8; 32], Box<dyn Error>> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2).ok_or("no id")?, 16)?;
    }
    Ok(bytes)
}
