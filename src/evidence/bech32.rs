//! NIP-19 `npub` texts: bech32 (BIP-173) of 32 bytes. Written here because this room stands below every Bitcoin library.

use crate::domain::PublicKey32;

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const PREFIX: &str = "npub1";
/// 32 bytes are 52 groups of five bits, of which the last carries four bits of padding.
const DATA_GROUPS: usize = 52;
const CHECKSUM_GROUPS: usize = 6;

/// The x-only key inside an `npub1...` text; `None` when it is not one, or its checksum or padding is wrong. Lower case
/// only: the text stands in signed lines, where one key must have one spelling.
pub(crate) fn decode_npub(text: &str) -> Option<PublicKey32> {
    let data = text.strip_prefix(PREFIX)?;
    let groups: Vec<u8> = data
        .bytes()
        .map(|byte| CHARSET.iter().position(|known| *known == byte).and_then(|at| u8::try_from(at).ok()))
        .collect::<Option<_>>()?;
    if groups.len() != DATA_GROUPS + CHECKSUM_GROUPS || checksum(&groups) != 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(32);
    let (mut pending, mut bits) = (0_u32, 0_u32);
    for group in &groups[..DATA_GROUPS] {
        pending = (pending << 5 | u32::from(*group)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(pending >> bits & 0xff).ok()?);
        }
    }
    if pending & ((1 << bits) - 1) != 0 {
        return None;
    }
    bytes.try_into().ok().map(PublicKey32::from_bytes)
}

/// The BCH code of BIP-173 over prefix and data: 1 for an intact text.
fn checksum(groups: &[u8]) -> u32 {
    let prefix = &PREFIX.as_bytes()[..PREFIX.len() - 1];
    let expanded = prefix.iter().map(|byte| byte >> 5).chain([0]).chain(prefix.iter().map(|byte| byte & 31));
    expanded.chain(groups.iter().copied()).fold(1_u32, |state, value| {
        let top = state >> 25;
        let shifted = (state & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1).fold(shifted, |sum, (_, term)| sum ^ term)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // From NIP-19 and from the binding vector bv03.
    const KNOWN: [(&str, &str); 2] = [
        (
            "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
            "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e",
        ),
        (
            "npub1gcnhnt2245u4z3s5w5d8zzzl9ugwr3a9j0jwqv80kku8y889tv9sg89jj8",
            "462779ad4aad39514614751a71085f2f10e1c7a593e4e030efb5b8721ce55b0b",
        ),
    ];

    #[test]
    fn known_keys_decode() {
        for (npub, hex) in KNOWN {
            assert_eq!(decode_npub(npub), Some(hex.parse().unwrap()), "{npub}");
        }
    }

    #[test]
    fn no_single_changed_character_passes_the_checksum() {
        let npub = KNOWN[0].0;
        for at in PREFIX.len()..npub.len() {
            for other in CHARSET {
                let mut bytes = npub.as_bytes().to_vec();
                if bytes[at] != *other {
                    bytes[at] = *other;
                    assert_eq!(decode_npub(std::str::from_utf8(&bytes).unwrap()), None);
                }
            }
        }
    }

    #[test]
    fn other_spellings_and_lengths_are_refused() {
        let npub = KNOWN[0].0;
        let upper = npub.to_uppercase();
        for text in ["", "npub1", &npub[..62], &upper, "nsec1qqqqqq", &format!("{npub}q")] {
            assert_eq!(decode_npub(text), None, "{text}");
        }
    }
}
