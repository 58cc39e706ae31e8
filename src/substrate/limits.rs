//! Every bound on sockets, with its reason. Hitting one ends a request with a named outcome, never a silent cut.

/// One WebSocket message or frame: eight times the largest event a relay of the field accepts (THREATS 5.3).
pub(super) const WS_MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// A relay information document (NIP-11); real ones have 1 to 3 KiB.
pub(super) const NIP11_BYTES_MAX: u64 = 64 * 1024;
/// Longest wait for a relay information document: it is a hint, not worth a stall.
pub(super) const NIP11_MS_MAX: u64 = 2_000;
/// TCP, TLS and WebSocket handshake together.
pub(super) const CONNECT_MS: u64 = 5_000;
/// Events of the newest second that a position names.
pub(super) const POSITION_IDS_MAX: usize = 10_000;
/// One plain HTTP exchange, body included (OTS 8).
pub(super) const HTTP_TOTAL_MS: u64 = 20_000;
/// One bulk HTTP exchange (settlement or payment log), body included: a page may hold tens of MiB.
pub(super) const HTTP_BULK_TOTAL_MS: u64 = 600_000;
/// Longest `Retry-After` honoured: a server that asks for more is asked again after this all the same.
pub(super) const RETRY_AFTER_MS_MAX: u64 = 60_000;
/// Foreign text kept in a reason (OTS 2.2).
pub(super) const REASON_CHARS_MAX: usize = 160;
/// Challenges (NIP-42) of one connection that pass without comment; more is a flood.
pub(super) const AUTH_QUIET_MAX: u64 = 8;
/// Notices, pings and messages without a question that pass without comment inside one page; more is a flood.
pub(super) const CHATTER_QUIET_MAX: u64 = 64;
/// Slices of one relay that may fail in a row before the rest is given up unasked.
pub(super) const RELAY_STRIKES_MAX: u32 = 3;
/// Challenges (NIP-42) of one connection that are answered, by those who configured a key.
pub(super) const AUTH_ANSWERS_MAX: u64 = 3;
/// The file that holds a key for NIP-42: 64 hex digits and a line end.
pub(super) const AUTH_KEY_BYTES_MAX: u64 = 1_024;
/// Further attempts at a question that a relay refuses only because it comes too soon: a minute in all (CAPTURE 2.1).
pub(super) const RATE_LIMITED_MORE: u32 = 4;
/// Windows of one slice that may fail before the slice is given up.
pub(super) const WINDOW_FAILURES_MAX: u32 = 4;
/// Passes over one slice until two of them agree.
pub(super) const PASSES_MAX: u32 = 3;
/// Authors and `d` values of a slice that are remembered to split a crowded second by.
pub(super) const KNOWN_AUTHORS_MAX: usize = 1_000;
/// Of them in one question.
pub(super) const AUTHORS_PER_QUESTION: usize = 100;
/// Crowded seconds of one slice that are split; each may take 256 questions.
pub(super) const SPLIT_SECONDS_MAX: usize = 64;
/// Questions for the first digits of ids in one slice: 64 seconds by the first byte.
pub(super) const PREFIX_QUESTIONS_MAX: u32 = 16_384;
/// Rounds in which what one crowded second teaches is tried on the others.
pub(super) const SETTLE_ROUNDS_MAX: u32 = 4;
/// Events up to which a list is compared with the plain pages of the whole slice: some ten pages of most relays.
pub(super) const CHECKED_EVENTS_MAX: u64 = 4_096;
/// Windows that are compared in a larger slice, about.
pub(super) const CHECKED_WINDOWS: usize = 16;
/// How many times the usual limit is asked of a second that reached it.
pub(super) const LIMIT_RAISE: u32 = 16;
/// Longest wait for the first word of a reconciliation from a relay that did not say that it knows NIP-77.
pub(super) const NEG_QUIET_MS: u64 = 2_000;
/// Ids that one reconciliation may list: as many as the most generous relays do (CAPTURE 2.1). More are listed by window.
pub(super) const NEG_IDS_MAX: usize = 1_000_000;
/// Rounds of one reconciliation that may bring nothing new.
pub(super) const NEG_ROUNDS_IDLE_MAX: u32 = 64;
/// Windows in a row that may be refused as too large: enough to halve all of time down to a second twice.
pub(super) const NEG_SPLITS_MAX: u32 = 128;
/// Questions for ids in a row that may bring nothing of what was listed, a batch each.
pub(super) const UNSERVED_BATCHES_MAX: u32 = 3;
/// The same for single ids.
pub(super) const UNSERVED_SINGLES_MAX: u32 = 20;
/// Longest wait for a count, which is only a cross-check.
pub(super) const COUNT_MS_MAX: u64 = 2_000;
/// Windows that a certificate lists.
pub(super) const CERTIFICATE_WINDOWS_MAX: usize = 1_000;
/// Longest wait for the echo that proves nothing of a finished slice is still on its way.
pub(super) const ECHO_MS_MAX: u64 = 1_000;
/// Bytes of one commitment: real ones have 36 or 44 (OTS 2.3); a crafted proof could ask for 4,096.
pub(super) const COMMITMENT_BYTES_MAX: usize = 256;
/// Requests in flight per calendar (OTS 8: two to four).
pub(super) const CALENDAR_CONCURRENCY: usize = 2;
/// Failures in a row after which a calendar is left alone for this run.
pub(super) const CALENDAR_FAILURES_MAX: u32 = 5;
/// Least time between two requests to one calendar (OTS 8: five to ten a second).
pub(super) const CALENDAR_INTERVAL_MS: u64 = 100;
/// A document under `/.well-known/`.
pub(super) const WELL_KNOWN_BYTES_MAX: u64 = 1024 * 1024;
/// One page of a payment log.
pub(super) const LOG_PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Distinct entries of one payment log in one run.
pub(super) const LOG_ENTRIES_MAX: usize = 5_000_000;
/// Entries asked per page of a payment log: the gateway hashes a password on every request, so pages are large.
pub(super) const LOG_PAGE_ENTRIES: u32 = 5_000;
/// Pages of one payment log in one run.
pub(super) const LOG_PAGES_MAX: u64 = 100_000;
/// A settlement or invoice document; it is read as a stream, so this bounds time and disk, not memory.
pub(super) const RECORDS_BYTES_MAX: u64 = 16 << 30;
/// Pages of one settlement or invoice document in one run.
pub(super) const RECORDS_PAGES_MAX: usize = 100_000;
/// Records asked per page of a Lightning node's list: LND allows any number, and some nodes are small machines.
pub(super) const NODE_PAGE_RECORDS: u32 = 1_000;
/// A file that holds a gateway's password or a node's macaroon or rune.
pub(super) const PASSWORD_BYTES_MAX: u64 = 4 * 1024;
/// Headers that Bitcoin Core gives per REST call.
pub(super) const REST_HEADERS_MAX: u32 = 2_000;
/// Text replies of header sources: a hash or a height.
pub(super) const HEADER_TEXT_BYTES_MAX: u64 = 1_024;
/// Headers fetched in one run: the chain grows by 52,560 a year, so this lasts past the year 2080.
pub(super) const HEADERS_MAX: u32 = 4_000_000;
