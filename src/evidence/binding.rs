//! Bindings (FORMATS 7.6).
use super::BindingClaim;
use crate::domain::BindingId;
pub(super) fn decode(content: &str, declared: BindingId) -> Result<BindingClaim, String> {
    Err(format!("no reader for binding {declared} of {} bytes", content.len()))
}
