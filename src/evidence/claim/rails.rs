//! Settlements, gateway log entries and Lightning invoices (FORMATS 6, TREASURY 1 to 3).

use std::sync::Arc;

use crate::domain::{
    Digest32, Direction, FederationSlug, OperationId, PaymentHash, ProjectKey, PublicKey32, Sats, SettlementKind,
    UnixMicros, UnixSeconds, UserKey,
};

/// A settlement event (FORMATS 6.1), the 18 members in signing order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementEvent {
    /// 1.
    pub kind: SettlementKind,
    /// 2.
    pub federation: FederationSlug,
    /// 3: idempotency key.
    pub operation: OperationId,
    /// 4.
    pub amount: Sats,
    /// 5.
    pub direction: Direction,
    /// 6.
    pub settled_at: UnixSeconds,
    /// 7: hex as received.
    pub payment_hash: Option<String>,
    /// 8: hex as received.
    pub preimage: Option<String>,
    /// 9: hex as received.
    pub txid: Option<String>,
    /// 10: hex as received.
    pub gateway_pubkey: Option<String>,
    /// 11.
    pub project: Option<ProjectKey>,
    /// 12.
    pub user: Option<UserKey>,
    /// 13.
    pub payout_binding: Option<String>,
    /// 14.
    pub distribution: Option<String>,
    /// 15.
    pub operator: Option<String>,
    /// 16.
    pub destination: Option<String>,
    /// 17.
    pub note: Option<String>,
    /// 18: absent when unknown.
    pub fee: Option<Sats>,
}

/// A signed settlement before any judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementClaim {
    /// The event.
    pub event: SettlementEvent,
    /// The canonical bytes re-encoded from the received fields: what the signature covers.
    pub canonical: Vec<u8>,
    /// The key that came with it: never trusted by itself.
    pub pubkey: PublicKey32,
    /// Ed25519 signature.
    pub sig: [u8; 64],
    /// Members outside the signed bytes.
    pub unsigned_members: Vec<String>,
}

/// A gateway log entry, whatever its wire shape (TREASURY 1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLogEntry {
    /// Federation the log is of, as configured; empty when unknown.
    pub federation_id: Arc<str>,
    /// Log id.
    pub id: u64,
    /// Module kind (`ln`, `lnv2`, `wallet`, ...), empty for core.
    pub module: Arc<str>,
    /// Event kind; unique only together with the module.
    pub kind: Arc<str>,
    /// Time of the entry.
    pub at: UnixMicros,
    /// Payment hash or image, where the payload has one.
    pub payment_hash: Option<PaymentHash>,
    /// Operation id, where the payload has one.
    pub operation: Option<OperationId>,
    /// The outgoing contract: what joins the entries of one send (TREASURY 1.4). Of LNv2 it is the operation id too.
    pub contract: Option<Digest32>,
    /// Bitcoin transaction, where a wallet payload has one; as explorers print it.
    pub txid: Option<Digest32>,
    /// Invoiced or moved amount in millisatoshi, normalised for the unit traps of TREASURY 0.3; `None` when absent.
    pub amount_msat: Option<u64>,
    /// What the outgoing contract holds in millisatoshi: the invoice's amount and the gateway's fee.
    pub contract_msat: Option<u64>,
    /// The fee that a client's own log states for a send, in millisatoshi.
    pub fee_msat: Option<u64>,
    /// Preimage, where the payload has one.
    pub preimage: Option<[u8; 32]>,
    /// False for a (module, kind) that is not in the table.
    pub known: bool,
}

/// State of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceState {
    /// Not paid yet.
    Open,
    /// Paid.
    Settled,
    /// Ran out.
    Expired,
    /// Cancelled.
    Cancelled,
}

/// Whose list a record comes from, told by its members (TREASURY 3.2, 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceDialect {
    /// LND `listinvoices`; the index is `add_index`.
    LndInvoice,
    /// LND `listpayments`: what the node sent.
    LndPayment,
    /// Core Lightning; the index is `pay_index`, which only paid invoices have.
    CoreLightning,
    /// What came in, by a gateway's list of Lightning transactions, over whatever node it has (TREASURY 1.2); no index.
    GatewayReceived,
    /// What went out, by the same list.
    GatewaySent,
    /// The minimal record of FORMATS 6.3, which has no index.
    Plain,
}

/// A Lightning invoice record, whichever dialect (FORMATS 6.3, TREASURY 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceRecord {
    /// Payment hash.
    pub payment_hash: PaymentHash,
    /// Preimage, when shown.
    pub preimage: Option<[u8; 32]>,
    /// Asked amount in millisatoshi.
    pub asked_msat: Option<u64>,
    /// Received amount in millisatoshi.
    pub received_msat: Option<u64>,
    /// Routing fee that the node paid, in millisatoshi; only a payment that was sent has one.
    pub fee_msat: Option<u64>,
    /// State.
    pub state: InvoiceState,
    /// When it was paid.
    pub settled_at: Option<UnixSeconds>,
    /// BOLT-11 text, when shown. In the verified set only one that parses, is signed and agrees with the record.
    pub bolt11: Option<String>,
    /// Index at the node (`add_index`, `pay_index`, `created_index`), when shown.
    pub index: Option<u64>,
    /// Project, when named.
    pub project: Option<ProjectKey>,
    /// Whose list it comes from.
    pub dialect: InvoiceDialect,
}
