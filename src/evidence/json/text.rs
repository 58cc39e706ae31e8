//! Texts between quotes, escaped and plain. Most bytes of a world come by here several times, so they go by eight at a time.

/// What stands behind the backslash of a short escape, by the byte that is meant; 0 where there is none.
const SHORT: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[8] = b'b';
    table[12] = b'f';
    table
};
/// What a short escape means, by the byte behind the backslash; 0 where it is none.
const MEANT: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        table[SHORT[byte as usize] as usize] = byte;
        byte += 1;
    }
    table[b'/' as usize] = b'/';
    // What has no escape is none.
    table[0] = 0;
    table
};

/// Appends a JSON string: short escapes where JSON has them, other control characters as lower-case `\u00xx`, DEL and
/// everything else verbatim. This is `JSON.stringify`, RFC 8785 3.2.2.2, and the NIP-01 serialisation alike.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut at = escape_run(out, bytes);
    while at < bytes.len() {
        let byte = bytes[at];
        match SHORT[usize::from(byte)] {
            0 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            short => out.extend_from_slice(&[b'\\', short]),
        }
        at += 1;
        at += escape_run(out, &bytes[at..]);
    }
    out.push(b'"');
}

/// How many bytes [`write_string`] writes between the quotes, and so the fewest that any JSON string has that means this; `None` for a
/// text with control characters that have no short escape, whose hex digits could be of either case.
pub(crate) fn escaped_len(text: &str) -> Option<usize> {
    // Bytes that hold 0 or 1, and so few that their sum is one: the compiler takes a register of them at a time.
    const TOGETHER: usize = 240;
    let (mut short, mut other) = (0, 0);
    for part in text.as_bytes().chunks(TOGETHER) {
        let (mut sum, mut any) = (0_u8, 0_u8);
        for byte in part {
            let spaces = u8::from(byte.wrapping_sub(8) < 6) & u8::from(*byte != 11);
            let is_short = spaces | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
            sum = sum.wrapping_add(is_short);
            any |= u8::from(*byte < b' ') & (is_short ^ 1);
        }
        short += usize::from(sum);
        other |= any;
    }
    (other == 0).then_some(text.len() + short)
}

/// The text that was put together of whole texts.
pub(crate) fn text_of(out: Vec<u8>) -> String {
    // It is one: what is cut, is cut at bytes that are characters.
    String::from_utf8(out).unwrap_or_default()
}

/// How many bytes from the start stand for themselves in a string (RFC 8259, 7). The one that does not is ASCII, so such a run
/// ends at a character's boundary.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special(*eight);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| is_plain(**byte)).count()
}

/// Appends what stands for itself, and short escapes for what has them, as far as they go; says how many bytes that is. What is left
/// begins with a byte that needs an escape.
fn escape_run(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        at += copy_plain(out, *eight);
        let short = bytes.get(at).map_or(0, |byte| SHORT[usize::from(*byte)]);
        if short != 0 {
            out.extend_from_slice(&[b'\\', short]);
            at += 1;
        } else if bytes.get(at).is_some_and(|byte| !is_plain(*byte)) {
            return at;
        }
    }
    at + copy_rest(out, &bytes[at..])
}

/// Appends what stands for itself, and what short escapes mean, as far as they go; says how many bytes that is. What is left
/// begins with a byte that does not stand for itself.
pub(super) fn unescape_run(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        at += copy_plain(out, *eight);
        match bytes.get(at..) {
            Some([b'\\', short, ..]) if MEANT[usize::from(*short)] != 0 => {
                out.push(MEANT[usize::from(*short)]);
                at += 2;
            }
            Some([byte, ..]) if !is_plain(*byte) => return at,
            _ => {}
        }
    }
    at + copy_rest(out, &bytes[at..])
}

/// Appends those of eight bytes that stand for themselves, from the first on; says how many these are.
fn copy_plain(out: &mut Vec<u8>, eight: [u8; 8]) -> usize {
    // All of them, whose number the compiler knows, and back: runs between escapes are short.
    out.extend_from_slice(&eight);
    let plain = match special(eight) {
        0 => return 8,
        found => found.trailing_zeros() as usize / 8,
    };
    out.truncate(out.len() - 8 + plain);
    plain
}

/// As [`copy_plain`], of fewer than eight.
fn copy_rest(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    let plain = bytes.iter().take_while(|byte| is_plain(**byte)).count();
    out.extend_from_slice(&bytes[..plain]);
    plain
}

/// The high bit of the first byte that does not stand for itself, and nothing below it; 0 where all do.
fn special(eight: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Sets the high bit of a byte that is below the limit. A borrow can set it wrongly only above one that is.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let word = u64::from_le_bytes(eight);
    let quotes = word ^ (ONES * u64::from(b'"'));
    let backslashes = word ^ (ONES * u64::from(b'\\'));
    below(word, 0x20) | below(quotes, 1) | below(backslashes, 1)
}

fn is_plain(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_run_ends_at_the_first_byte_that_means_something(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let one_by_one = bytes.iter().take_while(|byte| is_plain(**byte)).count();
            prop_assert_eq!(plain_run(&bytes), one_by_one);
        }

        #[test]
        fn what_runs_take_is_what_is_taken_byte_by_byte(bytes in proptest::collection::vec(sample(), 0..40)) {
            let mut out = b"before".to_vec();
            let taken = unescape_run(&mut out, &bytes);
            let (mut expected, mut rest) = (b"before".to_vec(), &bytes[..taken]);
            while let [first, behind @ ..] = rest {
                rest = behind;
                match behind {
                    [short, behind @ ..] if *first == b'\\' => {
                        expected.push(MEANT[usize::from(*short)]);
                        rest = behind;
                    }
                    _ => expected.push(*first),
                }
            }
            prop_assert_eq!(&out, &expected);
            prop_assert!(bytes.get(taken).is_none_or(|byte| !is_plain(*byte)));
            prop_assert!(!expected[6..].contains(&0));

            let mut out = b"before".to_vec();
            let taken = escape_run(&mut out, &bytes);
            let mut expected = b"before".to_vec();
            for byte in &bytes[..taken] {
                if is_plain(*byte) {
                    expected.push(*byte);
                } else {
                    expected.extend([b'\\', SHORT[usize::from(*byte)]]);
                }
            }
            prop_assert_eq!(&out, &expected);
            prop_assert!(bytes.get(taken).is_none_or(|byte| !is_plain(*byte)));
            prop_assert!(!expected.contains(&0));
        }
    }

    #[test]
    fn a_length_is_foretold_as_it_comes_out() {
        for byte in 0..=0x7f_u8 {
            for length in [1, 2, 254, 255, 256, 600] {
                let text = char::from(byte).to_string().repeat(length) + "\u{e9}";
                let mut out = Vec::new();
                write_string(&mut out, &text);
                let has_digits = out.windows(4).any(|four| four == b"\\u00");
                assert_eq!(escaped_len(&text), (!has_digits).then_some(out.len() - 2), "{byte} {length} times");
            }
        }
    }

    fn sample() -> impl Strategy<Value = u8> {
        proptest::sample::select(b"abnrtfu/\"\\\\\n\x08\x0c\x1f\x00\x7f\xc3".to_vec())
    }

    #[test]
    fn short_escapes_are_those_of_rfc_8259() {
        let pairs: Vec<(u8, u8)> =
            (0..=u8::MAX).map(|byte| (byte, MEANT[usize::from(byte)])).filter(|(_, meant)| *meant != 0).collect();
        let expected =
            [b"\"\"", b"//", b"\\\\", b"b\x08", b"f\x0c", b"n\n", b"r\r", b"t\t"].map(|[by, meant]| (*by, *meant));
        assert_eq!(pairs, expected);
        for (by, meant) in pairs {
            assert_eq!(SHORT[usize::from(meant)], if by == b'/' { 0 } else { by });
        }
    }
}
