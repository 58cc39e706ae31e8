//! The published JSON Schemas (2020-12). The same files stand in `docs/schema/`.

/// Name and text of every schema.
pub const SCHEMAS: [(&str, &str); 29] = [
    ("report", include_str!("../../docs/schema/report.schema.json")),
    ("divergence", include_str!("../../docs/schema/divergence.schema.json")),
    ("divergences", include_str!("../../docs/schema/divergences.schema.json")),
    ("divergence-shown", include_str!("../../docs/schema/divergence-shown.schema.json")),
    ("bundle", include_str!("../../docs/schema/bundle.schema.json")),
    ("acknowledgement", include_str!("../../docs/schema/acknowledgement.schema.json")),
    ("attestation", include_str!("../../docs/schema/attestation.schema.json")),
    ("attestation-verdict", include_str!("../../docs/schema/attestation-verdict.schema.json")),
    ("balance-proof", include_str!("../../docs/schema/balance-proof.schema.json")),
    ("inclusion-proof", include_str!("../../docs/schema/inclusion-proof.schema.json")),
    ("consistency-proof", include_str!("../../docs/schema/consistency-proof.schema.json")),
    ("config", include_str!("../../docs/schema/config.schema.json")),
    ("exit-codes", include_str!("../../docs/schema/exit-codes.schema.json")),
    ("coverage", include_str!("../../docs/schema/coverage.schema.json")),
    ("certificates", include_str!("../../docs/schema/certificates.schema.json")),
    ("explanation", include_str!("../../docs/schema/explanation.schema.json")),
    ("custody", include_str!("../../docs/schema/custody.schema.json")),
    ("diff", include_str!("../../docs/schema/diff.schema.json")),
    ("custody-log", include_str!("../../docs/schema/custody-log.schema.json")),
    ("drill", include_str!("../../docs/schema/drill.schema.json")),
    ("restore-verdict", include_str!("../../docs/schema/restore-verdict.schema.json")),
    ("feed", include_str!("../../docs/schema/feed.schema.json")),
    ("transparency", include_str!("../../docs/schema/transparency.schema.json")),
    ("caps", include_str!("../../docs/schema/caps.schema.json")),
    ("keys", include_str!("../../docs/schema/keys.schema.json")),
    ("cursors", include_str!("../../docs/schema/cursors.schema.json")),
    ("events", include_str!("../../docs/schema/events.schema.json")),
    ("sim-run", include_str!("../../docs/schema/sim-run.schema.json")),
    ("sim-write", include_str!("../../docs/schema/sim-write.schema.json")),
];

/// The schema of that name.
pub fn schema(name: &str) -> Option<&'static str> {
    SCHEMAS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
