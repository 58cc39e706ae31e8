//! What the pages of a receipt show by themselves: whether a paged answer that is claimed whole covers what was asked.
//!
//! The claim is the source's reader's, the pages are the evidence for it; a receipt without pages shows nothing and is not
//! judged here.

use crate::domain::{CompletenessBasis, FetchReceipt, LOG_CLOSING_POSITION, Media, PageNote, SliceEnd};

/// How the positions of a list go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// A gateway's payment log: down by id, and once more through the oldest block (TREASURY 1.5).
    Log,
    /// A node's list: up by index (TREASURY 3.2, 3.3).
    Index,
    /// Opaque positions: nothing but their difference is known.
    Opaque,
}

/// What the pages of this receipt fail to cover, in plain words; empty when they bear out its basis.
pub(super) fn faults(receipt: &FetchReceipt) -> Vec<&'static str> {
    let pages = receipt.backing.pages.as_slice();
    let claimed = receipt.end == SliceEnd::Ended && receipt.basis > CompletenessBasis::None;
    let (Some(order), Some((first, last))) = (order(receipt), pages.first().zip(pages.last())) else {
        return Vec::new();
    };
    if !claimed {
        return Vec::new();
    }
    let apart = pages.windows(2).any(|two| !follows(order, &two[0], &two[1]));
    let open = order != Order::Opaque && last.items > 0 && last.asked != "0";
    let unclosed = order == Order::Log && !pages.iter().any(is_closing);
    let above = order == Order::Log && pages.iter().any(is_above);
    let shown = [
        (!first.asked.is_empty(), "the first page is missing"),
        (apart, "a page between two others is missing"),
        (above, "a page holds more than was asked for"),
        (unclosed, "the oldest block was not asked for"),
        (open, "the last page is not the end"),
    ];
    shown.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect()
}

/// How to read the receipt's pages; `None` for those of other rooms' making.
fn order(receipt: &FetchReceipt) -> Option<Order> {
    let has_positions = || receipt.backing.pages.iter().any(|page| page.highest.is_some());
    match receipt.slice.kind.as_str() {
        kind if kind == Media::PaymentLogEntry.name() => Some(Order::Log),
        kind if kind == Media::Invoice.name() || kind == "payment" => {
            Some(if has_positions() { Order::Index } else { Order::Opaque })
        }
        kind if [Media::Settlement, Media::Balance, Media::Activity].iter().any(|media| kind == media.name()) => {
            Some(Order::Opaque)
        }
        _ => None,
    }
}

fn follows(order: Order, before: &PageNote, page: &PageNote) -> bool {
    let asked = page.asked.parse::<u64>().ok();
    match order {
        Order::Opaque => page.asked != before.asked,
        Order::Index => {
            let goes_on = asked
                .zip(before.highest)
                .is_some_and(|(asked, highest)| asked == highest || Some(asked) == highest.checked_add(1));
            goes_on && page.lowest.is_none_or(|lowest| Some(lowest) > before.highest)
        }
        Order::Log => {
            let down = asked.zip(before.lowest).is_some_and(|(asked, lowest)| {
                // In the oldest block a position is on its own page, so that one less leaves nothing out.
                asked == lowest || (lowest <= LOG_CLOSING_POSITION && asked.checked_add(1) == Some(lowest))
            });
            down || is_closing(page)
        }
    }
}

fn is_closing(page: &PageNote) -> bool {
    page.asked.parse() == Ok(LOG_CLOSING_POSITION)
}

fn is_above(page: &PageNote) -> bool {
    page.asked.parse::<u64>().ok().zip(page.highest).is_some_and(|(asked, highest)| highest > asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Backing, Slice, SourceId, sha256};

    type Row = (&'static str, u64, Option<u64>, Option<u64>);

    fn shown(kind: &str, rows: &[Row]) -> Vec<&'static str> {
        let note = |(asked, items, lowest, highest): &Row| PageNote {
            asked: (*asked).to_owned(),
            items: *items,
            lowest: *lowest,
            highest: *highest,
            sha256: sha256(asked.as_bytes()),
        };
        faults(&FetchReceipt {
            backing: Backing { pages: rows.iter().map(note).collect(), ..Backing::default() },
            ..FetchReceipt::whole(SourceId("https://gw.example".to_owned()), Slice::all(kind))
        })
    }

    const LOG: [Row; 6] = [
        ("", 2, Some(11_000), Some(12_000)),
        ("11000", 2, Some(10_400), Some(10_900)),
        ("10400", 0, None, None),
        ("9999", 1, Some(3), Some(3)),
        ("3", 1, Some(3), Some(3)),
        ("2", 0, None, None),
    ];

    #[test]
    fn a_whole_walk_of_a_log_is_borne_out_and_each_missing_page_shows() {
        assert_eq!(shown("payment-log-entry", &LOG), Vec::<&str>::new());
        let without = |at: usize| {
            let mut rows = LOG.to_vec();
            rows.remove(at);
            shown("payment-log-entry", &rows)
        };
        assert_eq!(without(0), ["the first page is missing"]);
        assert_eq!(without(1), ["a page between two others is missing"]);
        assert_eq!(without(3), ["a page between two others is missing", "the oldest block was not asked for"]);
        assert_eq!(without(5), ["the last page is not the end"]);
        assert_eq!(shown("payment-log-entry", &LOG[..3]), ["the oldest block was not asked for"]);
        // These two only confirm: positions of the oldest block are inclusive, and nothing above it goes unread.
        assert_eq!((without(2), without(4)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_log_that_ends_at_its_first_id_is_whole() {
        let rows = [
            ("", 1, Some(0), Some(0)),
            ("0", 1, Some(0), Some(0)),
            ("9999", 1, Some(0), Some(0)),
            ("0", 1, Some(0), Some(0)),
        ];
        assert_eq!(shown("payment-log-entry", &rows), Vec::<&str>::new());
        let above = [("", 0, None, None), ("9999", 1, Some(10_500), Some(10_500)), ("10500", 0, None, None)];
        assert_eq!(shown("payment-log-entry", &above), ["a page holds more than was asked for"]);
    }

    #[test]
    fn a_list_by_index_goes_on_where_it_ended() {
        let rows = [("", 2, Some(1), Some(2)), ("2", 2, Some(4), Some(5)), ("5", 0, None, None)];
        for kind in ["invoice", "payment"] {
            assert_eq!(shown(kind, &rows), Vec::<&str>::new());
            assert_eq!(shown(kind, &[rows[0], rows[2]]), ["a page between two others is missing"]);
            assert_eq!(shown(kind, &rows[..2]), ["the last page is not the end"]);
            assert_eq!(shown(kind, &rows[1..]), ["the first page is missing"]);
        }
        let from = [("", 2, Some(1), Some(2)), ("3", 1, Some(3), Some(3)), ("4", 0, None, None)];
        assert_eq!(shown("invoice", &from), Vec::<&str>::new());
    }

    #[test]
    fn opaque_positions_only_have_to_differ_and_other_receipts_are_not_judged() {
        let pages = [("", 2, None, None), ("/s?cursor=a", 2, None, None), ("/s?cursor=b", 1, None, None)];
        assert_eq!(shown("settlement", &pages), Vec::<&str>::new());
        assert_eq!(shown("settlement", &pages[1..]), ["the first page is missing"]);
        assert_eq!(shown("settlement", &[pages[0], pages[1], pages[1]]), ["a page between two others is missing"]);
        assert_eq!(shown("30087", &pages[1..]), Vec::<&str>::new());
        assert_eq!(shown("settlement", &[]), Vec::<&str>::new());
    }
}
