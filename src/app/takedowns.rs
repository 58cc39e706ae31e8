//! The operator's transparency log (USERS 0.13): what was legitimately taken down, by kind, `d` tag and date only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Deserialize;

use super::error::AppError;
use crate::domain::{Digest32, EvidenceId, Media, UnixSeconds, sha256};
use crate::reconcile::{Declared, Takedown};
use crate::store::EvidenceStore;

/// One line, as written.
#[derive(Deserialize)]
struct Line {
    kind: u16,
    d: String,
    date: String,
}

/// Reads transparency logs, one JSON object a line. Lines that can't be read come back as digests: they are somebody
/// else's bad data and stop nothing. Both answers are sorted and free of repetitions.
///
/// # Errors
/// [`AppError::Io`] when a file can't be read.
pub(super) fn read_logs(files: &[PathBuf]) -> Result<(Vec<Takedown>, Vec<Digest32>), AppError> {
    let (mut takedowns, mut unread) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let bytes = fs::read(file).map_err(AppError::io("read", file))?;
        for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            match takedown(line) {
                Some(takedown) => drop(takedowns.insert(takedown)),
                None => drop(unread.insert(sha256(line))),
            }
        }
    }
    Ok((takedowns.into_iter().collect(), unread.into_iter().collect()))
}

fn takedown(line: &[u8]) -> Option<Takedown> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let day = line.date.get(..10)?;
    let date: UnixSeconds = format!("{day}T00:00:00Z").parse().ok()?;
    Some(Takedown { kind: line.kind, d: line.d, date })
}

/// The `d` tags of all events of kinds that a takedown names; nothing is read when none does.
///
/// # Errors
/// [`AppError::Store`].
pub(super) fn d_tags(store: &dyn EvidenceStore, declared: &Declared) -> Result<BTreeMap<EvidenceId, String>, AppError> {
    #[derive(Deserialize)]
    struct Event {
        kind: u16,
        tags: Vec<Vec<String>>,
    }
    let wanted: BTreeSet<(u16, &str)> =
        declared.takedowns.iter().map(|takedown| (takedown.kind, takedown.d.as_str())).collect();
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    store.scan(&[Media::NostrEvent], &mut |id, evidence| {
        if let Ok(event) = serde_json::from_slice::<Event>(&evidence.bytes) {
            let d = event.tags.iter().find(|tag| tag.first().is_some_and(|name| name == "d"));
            let d = d.and_then(|tag| tag.get(1)).map_or("", String::as_str);
            if wanted.contains(&(event.kind, d)) {
                found.insert(id, d.to_owned());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_kind_d_and_day_and_other_lines_stop_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.jsonl");
        let good = r#"{"kind":30087,"d":"oc-me-event:ab","date":"2026-07-01"}"#;
        let timed = r#"{"kind":30078,"d":"","date":"2026-07-01T12:00:00Z","reason":"law"}"#;
        let bad =
            ["{}", "junk", r#"{"kind":1,"d":"x","date":"soon"}"#, r#"{"kind":70000,"d":"x","date":"2026-07-01"}"#];
        fs::write(&file, format!("{good}\n\n{timed}\r\n{good}\n{}\n", bad.join("\n"))).unwrap();
        let (takedowns, unread) = read_logs(&[file]).unwrap();
        let date = "2026-07-01T00:00:00Z".parse().unwrap();
        let expected = [
            Takedown { kind: 30_078, d: String::new(), date },
            Takedown { kind: 30_087, d: "oc-me-event:ab".to_owned(), date },
        ];
        assert_eq!(takedowns, expected);
        assert_eq!(unread.len(), bad.len());
    }

    #[test]
    fn a_log_that_is_not_there_is_an_error() {
        let missing = PathBuf::from("no/such/log");
        assert_eq!(read_logs(&[missing]).unwrap_err().condition().exit_code().0, 74);
    }
}
