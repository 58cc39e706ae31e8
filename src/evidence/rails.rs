//! What the payment rails wrote down, unsigned: the gateway's payment log (TREASURY 1.3, 1.4) and Lightning invoice
//! records (FORMATS 6.3, TREASURY 3). Both say only what was said at capture time.

mod invoice;
mod payment_log;
mod secret;

pub use invoice::decode as decode_invoice;
pub use payment_log::decode as decode_log_entry;
pub use secret::redact as redact_log_entry;
