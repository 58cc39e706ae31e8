//! Every limit on foreign bytes, with its reason. Reaching one is a finding, never a silent cut.

/// A NIP-01 event as JSON text. The operator's relay refuses events above 128 KiB (FORMATS 2.1); JSON escapes can double that.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Content of one event after unescaping: the relay's own limit for a whole event.
pub const EVENT_CONTENT_BYTES_MAX: usize = 128 * 1024;
/// Tags of one event; relays in the field allow 64 to 2,000 (THREATS 5.3).
pub const EVENT_TAGS_MAX: usize = 2_000;
/// Bytes of one tag value (THREATS 5.3).
pub const EVENT_TAG_VALUE_BYTES_MAX: usize = 4 * 1024;
/// Nesting of any JSON text; serde_json's own cap is 128, ours is stricter (THREATS 5.3).
pub const JSON_DEPTH_MAX: usize = 32;
/// A BOLT-11 invoice: what fits a QR code, the limit of LND and of the parser that we use.
pub const BOLT11_BYTES_MAX: usize = 7_089;
/// A JSON record other than an event: settlement, invoice, config, key set, statement line.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Members of one JSON object or array inside a record.
pub const JSON_MEMBERS_MAX: usize = 100_000;
/// An OpenTimestamps proof; the largest real one known has 4,558 bytes (OTS 1.4).
pub const OTS_BYTES_MAX: usize = 64 * 1024;
/// Operations along one path (OTS 2.2: the reference allows 255).
pub const OTS_DEPTH_MAX: usize = 255;
/// Operations and attestations in one proof (THREATS 5.3): bounds the hashing work.
pub const OTS_STEPS_MAX: usize = 4_096;
/// Branches of one proof (OTS 1.4).
pub const OTS_BRANCHES_MAX: usize = 1_024;
/// Result of one operation (OTS 2.2).
pub const OTS_MESSAGE_BYTES_MAX: usize = 4_096;
/// Total bytes hashed or copied while walking one proof: stops amplification by forks of long messages.
pub const OTS_WORK_BYTES_MAX: usize = 1024 * 1024;
/// Payload of one attestation (OTS 2.2).
pub const OTS_PAYLOAD_BYTES_MAX: usize = 8_192;
/// A pending attestation's calendar address (OTS 2.2).
pub const OTS_URI_BYTES_MAX: usize = 1_000;
/// A calendar's reply (OTS 2.2).
pub const CALENDAR_REPLY_BYTES_MAX: usize = 10_000;
/// Headers in one piece of evidence: one difficulty epoch.
pub const HEADERS_PER_RUN_MAX: usize = 2_016;
/// Identity list of an attestation (FORMATS 7.1).
pub const IDENTITIES_BYTES_MAX: usize = 512;
/// Guardians of one descriptor.
pub const GUARDIANS_MAX: usize = 256;
/// Recipients of one distribution, members of one drop manifest.
pub const RECIPIENTS_MAX: usize = 100_000;
/// One checkpoint line; an honest one has some 700 bytes.
pub const CHECKPOINT_BYTES_MAX: usize = 4 * 1024;
/// A snapshot's `manifest.json`: the largest allowed count of members with the longest allowed names.
pub const SNAPSHOT_MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A snapshot's `manifest.sig`.
pub const SNAPSHOT_SIGNATURE_BYTES_MAX: usize = 4 * 1024;
/// Members that a snapshot's manifest may name (THREATS 5.3).
pub const SNAPSHOT_MEMBERS_MAX: usize = 10_000;
/// Bytes that a snapshot may expand to, headers and padding included (THREATS 5.3).
pub const SNAPSHOT_EXPANDED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// A snapshot that expands beyond so many times its own size is a bomb (THREATS 5.3).
pub const SNAPSHOT_RATIO_MAX: u64 = 100;
/// The window a snapshot's reader must hold, as a power of two: 8 MiB, what RFC 8878 asks every reader to support.
pub const SNAPSHOT_WINDOW_LOG_MAX: u32 = 23;
/// What was read of a snapshot: a manifest in base64 and as many measured members.
pub const SNAPSHOT_OUTLINE_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Extended header of a tar member; looked at only to say why the archive is refused.
pub const TAR_EXTENSION_BYTES_MAX: usize = 64 * 1024;
/// Any text field taken into a ledger.
pub const TEXT_FIELD_BYTES_MAX: usize = 4 * 1024;
