//! What a relay said that it holds, window by window, with the open ones named (CAPTURE 2.5).

use super::super::limits::CERTIFICATE_WINDOWS_MAX;
use super::cap::CapKnowledge;
use super::question::Span;
use super::walk::Walk;
use crate::domain::{Certificate, Digest32, Sha256Stream, UnixSeconds, Window};

/// Writes the certificate of a slice. `reason` says why the slice as a whole has no basis, when it has none.
pub(super) fn write(walk: &mut Walk, cap: &CapKnowledge, information: Option<Digest32>, reason: &str) -> Certificate {
    let ids = ids(walk);
    let claimed = walk.claimed();
    Certificate {
        enumeration: walk.enumeration,
        information,
        claimed,
        served: claimed.saturating_sub(u64::try_from(walk.unserved.len()).unwrap_or(u64::MAX)),
        ids,
        counted: walk.counted,
        windows: windows(walk, cap, reason),
    }
}

/// SHA-256 over the claimed ids, ascending.
fn ids(walk: &mut Walk) -> Digest32 {
    let (mut gone, span) = (walk.gone.clone(), walk.span);
    gone.sort_unstable();
    let mut ids: Vec<[u8; 32]> = walk.tally.between(span).iter().map(|entry| entry.place.id).collect();
    ids.retain(|id| gone.binary_search(id).is_err());
    ids.extend(&walk.unserved);
    ids.sort_unstable();
    ids.dedup();
    let mut hash = Sha256Stream::default();
    for id in &ids {
        hash.update(id);
    }
    hash.finish()
}

const UNASKED: &str = "not read";

fn windows(walk: &mut Walk, cap: &CapKnowledge, reason: &str) -> Vec<Window> {
    let open_for = |doubtful: bool| if doubtful { "fills a page of the relay".to_owned() } else { String::new() };
    let mut all: Vec<(Span, String)> =
        walk.closed.iter().map(|closed| (closed.span, open_for(Walk::is_doubtful(closed, cap)))).collect();
    all.extend(walk.open.iter().cloned());
    all.extend(
        walk.stuck
            .iter()
            .map(|(second, stuck)| (Span::second(*second), open_for(cap.may_be_cut(stuck.events, u32::MAX)))),
    );
    all.sort_by_key(|(span, _)| (span.from, span.until.is_none(), span.until));
    let unread = if reason.is_empty() { UNASKED } else { reason };
    // What is wrong with the whole slice is wrong with each of its windows.
    let whole = !walk.unserved.is_empty() || walk.is_outcounted() || walk.tally.contradicted;
    let mut joined: Vec<(Span, String)> = Vec::new();
    let mut next = walk.span.from;
    let mut done = false;
    for (span, open) in all {
        if let (Some(from), true) = (span.from, span.from > next) {
            push(&mut joined, Span { from: next, until: Some(from.saturating_sub(1)) }, unread);
        }
        let open = if whole && open.is_empty() { unread.to_owned() } else { open };
        push(&mut joined, span, &open);
        done |= span.until.is_none();
        next = span.until.map(|until| until.saturating_add(1)).max(next);
    }
    if !done && walk.span.until.is_none_or(|until| next.is_none_or(|next| next <= until)) {
        push(&mut joined, Span { from: next, until: walk.span.until }, unread);
    }
    if joined.len() > CERTIFICATE_WINDOWS_MAX {
        let rest = joined.split_off(CERTIFICATE_WINDOWS_MAX - 1);
        let from = rest.first().and_then(|(span, _)| span.from);
        joined.push((Span { from, until: walk.span.until }, "more windows than are listed".to_owned()));
    }
    let window = |(span, open): (Span, String)| Window {
        from: span.from.map(UnixSeconds),
        until: span.until.map(UnixSeconds),
        items: walk.tally.count(span),
        open,
    };
    joined.into_iter().map(window).collect()
}

/// Adds a window; neighbours of one state are one.
fn push(windows: &mut Vec<(Span, String)>, span: Span, open: &str) {
    match windows.last_mut() {
        Some((last, state)) if state == open => last.until = span.until,
        _ => windows.push((span, open.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{Closed, Proof, Stuck};
    use super::*;

    fn span(from: i64, until: i64) -> Span {
        Span { from: Some(from), until: Some(until) }
    }

    fn told(walk: &mut Walk) -> Vec<(Option<i64>, Option<i64>, String)> {
        let mut cap = CapKnowledge::new(None);
        cap.saw_page(10);
        let all = windows(walk, &cap, "");
        all.into_iter().map(|one| (one.from.map(|at| at.0), one.until.map(|at| at.0), one.open)).collect()
    }

    #[test]
    fn neighbours_are_joined_and_what_is_missing_is_open() {
        let mut walk = Walk::new(1, span(0, 100));
        let page = |from, until, events| Closed {
            span: span(from, until),
            proof: Proof::Page { events, limit: 50, finished: false },
        };
        walk.closed = vec![page(21, 30, 1), page(0, 9, 9), page(10, 19, 3), page(31, 40, 10), page(51, 60, 2)];
        walk.stuck.insert(20, Stuck { events: 10, finished: false });
        walk.stuck.insert(61, Stuck { events: 9, finished: false });
        let full = "fills a page of the relay".to_owned();
        assert_eq!(
            told(&mut walk),
            [
                (Some(0), Some(19), String::new()),
                (Some(20), Some(20), full.clone()),
                (Some(21), Some(30), String::new()),
                (Some(31), Some(40), full),
                (Some(41), Some(50), UNASKED.to_owned()),
                (Some(51), Some(61), String::new()),
                (Some(62), Some(100), UNASKED.to_owned()),
            ]
        );
    }

    #[test]
    fn a_slice_without_ends_is_one_window() {
        let all = Span { from: None, until: None };
        let mut walk = Walk::new(1, all);
        assert_eq!(told(&mut walk), [(None, None, UNASKED.to_owned())]);
        let part = |span| Closed { span, proof: Proof::Enumerated };
        walk.closed = vec![part(Span { from: Some(6), until: None }), part(Span { from: None, until: Some(5) })];
        assert_eq!(told(&mut walk), [(None, None, String::new())]);
    }

    #[test]
    fn many_windows_are_cut_short_and_that_is_open() {
        let mut walk = Walk::new(1, span(0, 10_000));
        walk.open = (0..5_000).map(|n| (Span::second(2 * n), "stays open".to_owned())).collect();
        let told = told(&mut walk);
        assert_eq!(told.len(), CERTIFICATE_WINDOWS_MAX);
        assert_eq!(told[CERTIFICATE_WINDOWS_MAX - 1].1, Some(10_000));
        assert!(!told[CERTIFICATE_WINDOWS_MAX - 1].2.is_empty());
    }
}
