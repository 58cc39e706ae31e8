//! The record splitter: where a stream is cut into chunks changes nothing, and memory stays within the limit.

use reledger::evidence::split::{Container, Held, Piece, RecordSplitter, StreamEnd};

const NAMES: &[&str] = &["events", "settlements", "invoices", "payments", "entries"];

fn split(container: Container, limit: usize, chunks: &[&[u8]]) -> (Vec<Piece>, Vec<Held>, StreamEnd) {
    let mut splitter = RecordSplitter::new(container, limit);
    let (mut pieces, mut containers) = (Vec::new(), Vec::new());
    for chunk in chunks {
        splitter.feed(chunk, &mut |piece| pieces.push(piece));
        containers.extend(splitter.take_containers());
        assert!(splitter.buffered() <= limit + 1, "{} bytes are held, the limit is {limit}", splitter.buffered());
    }
    let end = splitter.finish(&mut |piece| pieces.push(piece));
    (pieces, containers, end)
}

/// Four bytes choose the container, the limit and the chunks; the rest is the stream.
pub fn splitter(input: &[u8]) {
    let [choice, limit, a, b, stream @ ..] = input else { return };
    let container = if choice.is_multiple_of(4) { Container::Whole } else { Container::Detect(NAMES) };
    let limit = 1 + usize::from(*limit) * 8;
    let whole = split(container, limit, &[stream]);
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(split(container, limit, &single), whole, "byte by byte");
    let (one, two) = stream.split_at(stream.len() * usize::from(*a) / 256);
    let (two, three) = two.split_at(two.len() * usize::from(*b) / 256);
    assert_eq!(split(container, limit, &[one, two, three]), whole, "in three chunks");
    for piece in &whole.0 {
        stands_in(stream, limit, piece);
    }
}

/// A piece is a slice of the stream at its offset.
fn stands_in(stream: &[u8], limit: usize, piece: &Piece) {
    let (offset, bytes, whole) = match piece {
        Piece::Record { offset, bytes } => (*offset, bytes, bytes.len()),
        Piece::Truncated { offset, bytes } => (*offset, bytes, bytes.len()),
        Piece::Oversized { offset, length, prefix, .. } => {
            (*offset, prefix, usize::try_from(*length).expect("a length inside a slice"))
        }
    };
    let at = usize::try_from(offset).expect("an offset inside a slice");
    assert!(stream[at..].starts_with(bytes), "the bytes stand at their offset");
    assert!(at + whole <= stream.len());
    assert!(bytes.len() <= limit + 1);
}
