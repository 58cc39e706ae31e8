//! Single users' balances at an address that names the user (FORMATS 10): who can't give a statement may answer for a few.

use reqwest::Url;
use tokio::runtime::Handle;

use super::address::check_http;
use super::http::{Http, HttpLimits, HttpOutcome, Reach};
use super::limits::WELL_KNOWN_BYTES_MAX;
use super::{Captured, EvidenceSource, Sink, SourceError};
use crate::domain::{CompletenessBasis, FetchReceipt, Media, RawEvidence, Slice, SliceEnd, SourceId, UserKey};

/// What stands in the address for the user.
const USER_MARK: &str = "{user}";
/// The status of an answer that knows no such user: an answer all the same.
const NOT_FOUND: u16 = 404;

/// Users to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancesPlan {
    /// The address with `{user}` in it; https, or http on loopback.
    pub url: String,
    /// The users, in the order in which they are asked for.
    pub users: Vec<UserKey>,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Time limits and retries of one question.
    pub http: HttpLimits,
}

/// The balances of some users as a source of evidence: one GET a user.
#[derive(Debug)]
pub struct BalancesSource {
    id: SourceId,
    urls: Vec<Url>,
    http: Http,
    handle: Handle,
}

impl BalancesSource {
    /// Checks the plan; contacts nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted.
    pub fn new(plan: BalancesPlan, handle: Handle) -> Result<Self, SourceError> {
        let of = |user: &UserKey| {
            check_http(&plan.url.replace(USER_MARK, &escaped(user.as_str())), plan.allow_plaintext.into())
        };
        let urls = plan.users.iter().map(of).collect::<Result<_, _>>()?;
        let http = Http::new(&plan.http, Reach::Named)?;
        Ok(Self { id: SourceId(plan.url), urls, http, handle })
    }
}

/// A name as one segment of a path (RFC 3986, section 2.3): nothing in it can lead to another host or path.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl EvidenceSource for BalancesSource {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let mut receipt = FetchReceipt {
            end: SliceEnd::Ended,
            basis: CompletenessBasis::Exhausted,
            ..FetchReceipt::whole(self.id.clone(), Slice::all(Media::Balance.name()))
        };
        if self.urls.is_empty() {
            receipt.basis = CompletenessBasis::None;
            "nobody was asked for: no sample could be drawn".clone_into(&mut receipt.reason);
        }
        for (offset, url) in (0_u64..).zip(&self.urls) {
            if sink.cancelled() {
                (receipt.end, receipt.basis) = (SliceEnd::Cancelled, CompletenessBasis::None);
                break;
            }
            let exchange = self.handle.block_on(self.http.get(url, Some("application/json"), WELL_KNOWN_BYTES_MAX));
            receipt.retries += exchange.retries;
            match exchange.outcome {
                HttpOutcome::Body(bytes) => {
                    receipt.items += 1;
                    let evidence = RawEvidence { media: Media::Balance, about: String::new(), bytes };
                    // The place names no user: it stands beside the evidence, which does.
                    sink.accept(Captured {
                        evidence: evidence.into(),
                        source: self.id.clone(),
                        place: "sample".to_owned(),
                        offset,
                    })?;
                }
                HttpOutcome::Status(NOT_FOUND, _) => {}
                failed => {
                    (receipt.end, receipt.basis) = (failed.slice_end(), CompletenessBasis::None);
                    receipt.reason = failed.to_string();
                }
            }
        }
        Ok(vec![receipt])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_the_path_whatever_it_holds() {
        assert_eq!(escaped("bc1qxyz-_~"), "bc1qxyz-_~");
        assert_eq!(escaped("did:oc:1"), "did%3Aoc%3A1");
        assert_eq!(escaped("../..?a#b@c/\u{e9}\n"), "%2E%2E%2F%2E%2E%3Fa%23b%40c%2F%C3%A9%0A");
    }
}
