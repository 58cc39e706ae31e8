//! Documents at fixed places: key sets and price configs under `/.well-known/` (FORMATS 3.1, 5).

use reqwest::Url;
use tokio::runtime::Handle;

use super::address::check_http;
use super::http::{Http, HttpLimits, HttpOutcome, Reach};
use super::limits::WELL_KNOWN_BYTES_MAX;
use super::{Captured, EvidenceSource, Sink, SourceError};
use crate::domain::{CompletenessBasis, FetchReceipt, Media, RawEvidence, Slice, SourceId};

/// One document to fetch whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WellKnownPlan {
    /// Its address; https, or http on loopback.
    pub url: String,
    /// What it is: [`Media::Jwks`], [`Media::AuthJwks`] or [`Media::ProjectConfig`].
    pub media: Media,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Time limits and retries.
    pub http: HttpLimits,
}

/// One well-known document as a source of evidence. Its evidence is about the host that served it.
#[derive(Debug)]
pub struct WellKnownSource {
    id: SourceId,
    url: Url,
    media: Media,
    http: Http,
    handle: Handle,
}

impl WellKnownSource {
    /// Checks the plan; contacts nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted.
    pub fn new(plan: WellKnownPlan, handle: Handle) -> Result<Self, SourceError> {
        let url = check_http(&plan.url, plan.allow_plaintext.into())?;
        let http = Http::new(&plan.http, Reach::Named)?;
        Ok(Self { id: SourceId(plan.url), url, media: plan.media, http, handle })
    }
}

impl EvidenceSource for WellKnownSource {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let request = self.http.get(&self.url, Some("application/json"), WELL_KNOWN_BYTES_MAX);
        let exchange = self.handle.block_on(request);
        let (end, reason) = (exchange.outcome.slice_end(), exchange.outcome.to_string());
        let mut receipt = FetchReceipt {
            end,
            basis: CompletenessBasis::None,
            retries: exchange.retries,
            reason,
            ..FetchReceipt::whole(self.id.clone(), Slice::all(self.media.name()))
        };
        if let HttpOutcome::Body(bytes) = exchange.outcome {
            receipt.basis = CompletenessBasis::Exhausted;
            receipt.items = 1;
            sink.accept(Captured {
                evidence: RawEvidence {
                    media: self.media,
                    about: self.url.host_str().unwrap_or_default().to_owned(),
                    bytes,
                }
                .into(),
                source: self.id.clone(),
                place: self.url.path().to_owned(),
                offset: 0,
            })?;
        }
        Ok(vec![receipt])
    }
}
