//! Lightning invoice records: the BOLT-11 text that a record shows, against itself and against the record (TREASURY 3.1).
//! The record is unsigned; the invoice inside it is signed by the payee.

use lightning_invoice::{Bolt11Invoice, Bolt11SemanticError, SignedRawBolt11Invoice};

use crate::domain::{Code, EvidenceId, Finding, MsatDelta, PaymentHash, Subject};
use crate::evidence::InvoiceRecord;
use crate::evidence::limits::BOLT11_BYTES_MAX;

/// Judges one record; the answer is empty only when the payee's signature names another payment than the record does.
///
/// An accepted record keeps its BOLT-11 text only when that parses, is signed and agrees with it: whoever holds a text
/// may rest on it. BOLT-12 is opaque, and a record without a text has nothing to judge.
pub fn judge(record: InvoiceRecord, carrier: EvidenceId) -> (Option<InvoiceRecord>, Option<Finding>) {
    let Some(text) = record.bolt11.as_deref() else { return (Some(record), None) };
    let without = |record: InvoiceRecord| Some(InvoiceRecord { bolt11: None, ..record });
    if is_bolt12(text) {
        return (without(record), None);
    }
    let finding = |expected: &str, observed: &str, why: &str| {
        let subject = Subject::new("payment_hash", record.payment_hash);
        let finding = Finding::new(Code::InvBad, subject).with_values(expected, observed);
        let asked = record.asked_msat.or(record.received_msat).unwrap_or_default();
        let finding = finding.with_stake(MsatDelta(asked.into()));
        Some(finding.with_evidence(carrier, "carrier").with_explanation(why))
    };
    let invoice = match read(text) {
        Ok(invoice) => invoice,
        Err(reason) => {
            let why = "the invoice proves nothing; the record's other members stay what the node said";
            let finding = finding("a BOLT-11 invoice that its payee signed", &reason, why);
            return (without(record), finding);
        }
    };
    if invoice.hash != record.payment_hash {
        let why = "the signed invoice is about another payment; the record is not counted";
        let (expected, observed) = (record.payment_hash.to_string(), invoice.hash.to_string());
        return (None, finding(&expected, &observed, why));
    }
    // An invoice of any amount is paid with whatever the payer chose, and some nodes show that as the asked amount.
    if let (Some(signed), Some(asked)) = (invoice.msat, record.asked_msat)
        && signed != asked
    {
        let why = "the signed invoice asks for another amount than the record, in millisatoshi";
        let finding = finding(&asked.to_string(), &signed.to_string(), why);
        return (without(record), finding);
    }
    (Some(record), None)
}

/// Offers, invoice requests and invoices of BOLT-12 have prefixes of their own.
fn is_bolt12(text: &str) -> bool {
    let prefix = text.get(..4).unwrap_or_default().to_ascii_lowercase();
    matches!(prefix.as_str(), "lno1" | "lnr1" | "lni1")
}

/// What a signed invoice says that a record says too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signed {
    hash: PaymentHash,
    /// `None` for an invoice of any amount.
    msat: Option<u64>,
}

/// Reads an invoice and checks its signature; the answer says why it is none.
fn read(text: &str) -> Result<Signed, String> {
    if text.len() > BOLT11_BYTES_MAX {
        return Err(format!("a text of more than {BOLT11_BYTES_MAX} bytes"));
    }
    let raw: SignedRawBolt11Invoice = text.parse().map_err(|error| format!("it does not parse: {error}"))?;
    // Above 64 bits of a trillionth of a bitcoin (18.4 million bitcoin) the parser answers `None`, as for no amount: an
    // absurd amount must not pass for none.
    if raw.raw_invoice().hrp.raw_amount.is_some() && raw.amount_pico_btc().is_none() {
        return Err("an amount out of range".to_owned());
    }
    match Bolt11Invoice::from_signed(raw.clone()) {
        Ok(_) => {}
        // Invoices from before payment secrets were demanded, and features younger than we are: no fault of the payee.
        // These two are found before the signature and the amount are looked at.
        Err(Bolt11SemanticError::NoPaymentSecret | Bolt11SemanticError::InvalidFeatures) => {
            if !raw.check_signature() {
                return Err(Bolt11SemanticError::InvalidSignature.to_string());
            }
            if raw.amount_pico_btc().is_some_and(|pico| pico % 10 != 0) {
                return Err(Bolt11SemanticError::ImpreciseAmount.to_string());
            }
        }
        Err(error) => return Err(error.to_string()),
    }
    let hash = raw.payment_hash().ok_or_else(|| Bolt11SemanticError::NoPaymentHash.to_string())?;
    let bytes: &[u8; 32] = hash.0.as_ref();
    Ok(Signed { hash: PaymentHash::from_bytes(*bytes), msat: raw.amount_pico_btc().map(|pico| pico / 10) })
}

#[cfg(test)]
mod tests;
