//! The published JSON Schemas (2020-12). The same files stand in `docs/schema/`.

/// Name and text of every schema.
pub const SCHEMAS: [(&str, &str); 8] = [
    ("report", include_str!("../../docs/schema/report.schema.json")),
    ("divergence", include_str!("../../docs/schema/divergence.schema.json")),
    ("bundle", include_str!("../../docs/schema/bundle.schema.json")),
    ("config", include_str!("../../docs/schema/config.schema.json")),
    ("exit-codes", include_str!("../../docs/schema/exit-codes.schema.json")),
    ("coverage", include_str!("../../docs/schema/coverage.schema.json")),
    ("explanation", include_str!("../../docs/schema/explanation.schema.json")),
    ("events", include_str!("../../docs/schema/events.schema.json")),
];

/// The schema of that name.
pub fn schema(name: &str) -> Option<&'static str> {
    SCHEMAS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
