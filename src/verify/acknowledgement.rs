//! Signed statements about divergences: is the key one that was pinned, and does the signature hold
//! (docs/acknowledgements.md, section 3).

use ed25519_dalek::{Signature, VerifyingKey};

use crate::domain::{PinnedKey, SignedStatement};

/// Why a statement is nobody's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// Its key is not pinned for the date that it bears.
    UnknownKey,
    /// The signature fails under the key that it names.
    BadSignature,
}

/// Judges one statement. The key that comes with it is never trusted by itself.
///
/// # Errors
/// [`Distrust`]: the first that applies.
pub fn vouched(signed: &SignedStatement, keys: &[PinnedKey]) -> Result<(), Distrust> {
    let at = signed.body.issued_at();
    if !keys.iter().any(|pin| pin.is_for(&signed.key_id, at)) {
        return Err(Distrust::UnknownKey);
    }
    // Strict as for settlements: small-order keys and scalars that are not reduced fail.
    let key = VerifyingKey::from_bytes(signed.key_id.as_bytes()).map_err(|_| Distrust::BadSignature)?;
    key.verify_strict(&signed.body.message(), &Signature::from_bytes(&signed.sig.0)).map_err(|_| Distrust::BadSignature)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::domain::{PublicKey32, Signature64, Statement, UnixSeconds, Withdrawal, sha256};

    fn signed(pen: &SigningKey, at: i64) -> SignedStatement {
        let body = Statement::Withdrawal(Withdrawal {
            acknowledgement: sha256(b"a"),
            reason: "settled".to_owned(),
            by: String::new(),
            issued_at: UnixSeconds(at),
        });
        let sig = Signature64(pen.sign(&body.message()).to_bytes());
        SignedStatement { body, key_id: PublicKey32::from_bytes(pen.verifying_key().to_bytes()), sig }
    }

    fn pin(pen: &SigningKey, from: Option<i64>, until: Option<i64>) -> PinnedKey {
        let key = PublicKey32::from_bytes(pen.verifying_key().to_bytes());
        PinnedKey { key, from: from.map(UnixSeconds), until: until.map(UnixSeconds) }
    }

    #[test]
    fn a_pinned_key_speaks_in_its_window_and_no_other_key_does() {
        let (pen, other) = (SigningKey::from_bytes(&[9; 32]), SigningKey::from_bytes(&[8; 32]));
        let word = signed(&pen, 100);
        assert_eq!(vouched(&word, &[pin(&other, None, None), pin(&pen, None, None)]), Ok(()));
        assert_eq!(vouched(&word, &[pin(&pen, Some(100), Some(101))]), Ok(()));
        for keys in [&[][..], &[pin(&other, None, None)], &[pin(&pen, Some(101), None)], &[pin(&pen, None, Some(100))]]
        {
            assert_eq!(vouched(&word, keys), Err(Distrust::UnknownKey));
        }
    }

    #[test]
    fn any_changed_byte_breaks_the_signature() {
        let pen = SigningKey::from_bytes(&[9; 32]);
        let keys = [pin(&pen, None, None)];
        let word = signed(&pen, 100);
        let mut later = word.clone();
        if let Statement::Withdrawal(withdrawal) = &mut later.body {
            withdrawal.issued_at = UnixSeconds(101);
        }
        assert_eq!(vouched(&later, &keys), Err(Distrust::BadSignature));
        for place in 0..64 {
            let mut forged = word.clone();
            forged.sig.0[place] ^= 1;
            assert_eq!(vouched(&forged, &keys), Err(Distrust::BadSignature), "byte {place}");
        }
    }

    #[test]
    fn a_key_of_small_order_signs_nothing_even_when_pinned() {
        let mut word = signed(&SigningKey::from_bytes(&[9; 32]), 100);
        let mut one = [0; 32];
        one[0] = 1;
        word.key_id = PublicKey32::from_bytes(one);
        word.sig = Signature64([0; 64]);
        word.sig.0[0] = 1;
        let pinned = PinnedKey { key: word.key_id, from: None, until: None };
        assert_eq!(vouched(&word, &[pinned]), Err(Distrust::BadSignature));
    }
}
