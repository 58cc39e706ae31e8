//! Raw Bitcoin headers, 80 bytes each, one after the other (OTS 4.1).

use super::claim::{Claim, Decoded, HeaderRun};
use super::limits;
use crate::domain::{BlockHeight, Code, Finding, Media, Subject, sha256};

/// Bytes of one header.
const HEADER_BYTES: usize = 80;

/// Reads consecutive headers. `about` is the decimal height of the first one, or empty when unknown.
///
/// Only the framing is judged here; whether the headers hold is for verification.
pub fn decode(about: &str, bytes: &[u8]) -> Decoded {
    match run(about, bytes) {
        Ok(run) => Decoded::Claim(Box::new(Claim::Headers(run)), Vec::new()),
        Err((expected, observed)) => {
            let subject = Subject::new("media", Media::Headers).and("sha256", sha256(bytes)).and("about", about);
            let finding = Finding::new(Code::SrcParse, subject)
                .with_values(expected, observed)
                .with_explanation("the bytes are not a run of headers");
            Decoded::Undecodable(vec![finding])
        }
    }
}

fn run(about: &str, bytes: &[u8]) -> Result<HeaderRun, (String, String)> {
    let start = match about {
        "" => None,
        // `u32::from_str` takes a leading plus sign, a height does not.
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(BlockHeight),
        _ => None,
    };
    if start.is_none() && !about.is_empty() {
        return Err(("a decimal start height".to_owned(), about.to_owned()));
    }
    let (headers, rest) = bytes.as_chunks::<HEADER_BYTES>();
    if headers.is_empty() || !rest.is_empty() {
        return Err((format!("a positive multiple of {HEADER_BYTES} bytes"), format!("{} bytes", bytes.len())));
    }
    if headers.len() > limits::HEADERS_PER_RUN_MAX {
        return Err((format!("at most {} headers", limits::HEADERS_PER_RUN_MAX), format!("{} headers", headers.len())));
    }
    Ok(HeaderRun { start, headers: headers.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_and_count(decoded: &Decoded) -> Option<(Option<BlockHeight>, usize)> {
        match decoded {
            Decoded::Claim(claim, findings) if findings.is_empty() => match claim.as_ref() {
                Claim::Headers(run) => Some((run.start, run.headers.len())),
                _ => None,
            },
            _ => None,
        }
    }

    fn codes(decoded: &Decoded) -> Vec<Code> {
        match decoded {
            Decoded::Claim(..) => Vec::new(),
            Decoded::Undecodable(findings) => findings.iter().map(|finding| finding.code).collect(),
        }
    }

    #[test]
    fn whole_headers_with_or_without_a_height_are_read() {
        let epoch = vec![0; 80 * limits::HEADERS_PER_RUN_MAX];
        assert_eq!(start_and_count(&decode("40320", &epoch)), Some((Some(BlockHeight(40_320)), 2_016)));
        assert_eq!(start_and_count(&decode("", &epoch[..160])), Some((None, 2)));
    }

    #[test]
    fn bytes_that_are_not_whole_headers_are_a_finding() {
        for len in [0, 1, 79, 81, 159, 80 * (limits::HEADERS_PER_RUN_MAX + 1)] {
            assert_eq!(codes(&decode("0", &vec![0; len])), [Code::SrcParse], "{len} bytes");
        }
    }

    #[test]
    fn a_start_that_is_no_height_is_a_finding() {
        for about in ["-1", "+1", " 1", "1 ", "0x10", "4294967296", "height"] {
            assert_eq!(codes(&decode(about, &[0; 80])), [Code::SrcParse], "{about:?}");
        }
        assert_eq!(start_and_count(&decode("4294967295", &[0; 80])), Some((Some(BlockHeight(u32::MAX)), 1)));
    }
}
