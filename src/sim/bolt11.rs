//! A signer of Lightning invoices (BOLT 11): bech32 text over a recoverable signature.

use bitcoin::bech32::primitives::iter::Fe32IterExt as _;
use bitcoin::bech32::{Bech32, Fe32, Hrp};
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::key::Keypair;
use bitcoin::secp256k1::{All, Message, Secp256k1};

/// What an invoice says.
pub(super) struct Invoice<'a> {
    /// Absent when any amount is welcome.
    pub(super) amount_sats: Option<u64>,
    /// Unix seconds.
    pub(super) created_at: i64,
    pub(super) payment_hash: [u8; 32],
    pub(super) secret: [u8; 32],
    pub(super) description: &'a str,
    /// In seconds; absent is the default hour.
    pub(super) expiry: Option<u64>,
}

/// Feature bits 8 (variable onion) and 14 (payment secret), both compulsory.
const FEATURES: [u8; 3] = [16, 8, 0];

impl Invoice<'_> {
    /// The invoice as text, signed by the payee's node.
    pub(super) fn sign(&self, secp: &Secp256k1<All>, node: &Keypair) -> String {
        let prefix = format!("lnbc{}", self.amount_sats.map(shortest).unwrap_or_default());
        let mut data = self.data();
        let mut preimage = prefix.as_bytes().to_vec();
        preimage.extend(bytes_of(&data));
        let message = Message::from_digest(sha256::Hash::hash(&preimage).to_byte_array());
        let (recovery, signature) = secp.sign_ecdsa_recoverable(&message, &node.secret_key()).serialize_compact();
        let mut signed = signature.to_vec();
        signed.push(u8::try_from(recovery.to_i32()).unwrap_or(0));
        data.extend(fives_of(&signed));
        let human = Hrp::parse_unchecked(&prefix);
        // Every element is below 32, so none is lost.
        let fields = data.into_iter().filter_map(|five| Fe32::try_from(five).ok());
        fields.with_checksum::<Bech32>(&human).chars().collect()
    }

    /// Timestamp and tagged fields in groups of five bits.
    fn data(&self) -> Vec<u8> {
        let mut data = number(u64::try_from(self.created_at).unwrap_or(0), 7);
        field(&mut data, 16, &fives_of(&self.secret));
        field(&mut data, 1, &fives_of(&self.payment_hash));
        field(&mut data, 13, &fives_of(self.description.as_bytes()));
        if let Some(expiry) = self.expiry {
            let groups = number(expiry, 13);
            let zeros = groups.iter().take_while(|group| **group == 0).count();
            field(&mut data, 6, &groups[zeros..]);
        }
        field(&mut data, 5, &FEATURES);
        data
    }
}

/// The amount with the largest multiplier that leaves it whole: milli, micro or nano of a bitcoin.
fn shortest(sats: u64) -> String {
    if sats.is_multiple_of(100_000) {
        format!("{}m", sats / 100_000)
    } else if sats.is_multiple_of(100) {
        format!("{}u", sats / 100)
    } else {
        format!("{}n", sats * 10)
    }
}

/// Type, length in two groups, groups.
fn field(data: &mut Vec<u8>, kind: u8, groups: &[u8]) {
    data.push(kind);
    data.extend(number(u64::try_from(groups.len()).unwrap_or(0), 2));
    data.extend_from_slice(groups);
}

/// A number in that many groups of five bits, the highest first.
fn number(value: u64, groups: u32) -> Vec<u8> {
    (0..groups).rev().map(|group| u8::try_from(value >> (5 * group) & 31).unwrap_or(0)).collect()
}

fn fives_of(bytes: &[u8]) -> Vec<u8> {
    regroup(bytes, 8, 5)
}

fn bytes_of(fives: &[u8]) -> Vec<u8> {
    regroup(fives, 5, 8)
}

/// Cuts the same bits into groups of another size; the last is filled with zeros.
fn regroup(groups: &[u8], from: u32, to: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(groups.len() * 2);
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mask = (1_u32 << to) - 1;
    for group in groups {
        held = (held << from | u32::from(*group)) & 0xfff;
        bits += from;
        while bits >= to {
            bits -= to;
            out.push(u8::try_from(held >> bits & mask).unwrap_or(0));
        }
    }
    if bits > 0 {
        out.push(u8::try_from(held << (to - bits) & mask).unwrap_or(0));
    }
    out
}

#[cfg(test)]
mod tests {
    use bitcoin::secp256k1::SecretKey;

    use super::*;

    /// The key and hash of the examples of BOLT 11.
    fn example(invoice: &Invoice<'_>) -> String {
        let mut secret = [0; 32];
        let hex = b"e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734";
        faster_hex::hex_decode(hex, &mut secret).unwrap();
        let secp = Secp256k1::new();
        invoice.sign(&secp, &Keypair::from_secret_key(&secp, &SecretKey::from_slice(&secret).unwrap()))
    }

    fn hash() -> [u8; 32] {
        let mut hash = [0; 32];
        let hex = b"0001020304050607080900010203040506070809000102030405060708090102";
        faster_hex::hex_decode(hex, &mut hash).unwrap();
        hash
    }

    #[test]
    fn a_donation_is_the_published_text() {
        let invoice = Invoice {
            amount_sats: None,
            created_at: 1_496_314_658,
            payment_hash: hash(),
            secret: [0x11; 32],
            description: "Please consider supporting this project",
            expiry: None,
        };
        assert_eq!(
            example(&invoice),
            "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsy\
             qcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj\
             32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql"
        );
    }

    #[test]
    fn amounts_take_the_shortest_form_and_a_minute_is_a_field() {
        let invoice = |sats| Invoice {
            amount_sats: Some(sats),
            created_at: 1_496_314_658,
            payment_hash: hash(),
            secret: [0x11; 32],
            description: "1 cup coffee",
            expiry: Some(60),
        };
        for (sats, prefix) in [(250_000, "lnbc2500u1"), (2_000_000, "lnbc20m1"), (7, "lnbc70n1"), (101, "lnbc1010n1")] {
            assert!(example(&invoice(sats)).starts_with(prefix), "{sats}");
        }
        // BOLT 11: a cup of coffee within a minute.
        assert_eq!(
            example(&invoice(250_000)),
            "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfq\
             qqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0l\
             p53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh"
        );
    }
}
