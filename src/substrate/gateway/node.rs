//! The lists of a Lightning node: its invoices and what it paid, from LND's REST interface or Core Lightning's
//! (TREASURY 3.2, 3.3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Certificate, Url};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::super::address::check_http;
use super::super::http::{Exchange, Http, HttpLimits, HttpOutcome, Reach, endpoint};
use super::super::limits::{LOG_PAGE_BYTES_MAX, LOG_PAGES_MAX, NODE_PAGE_RECORDS, PASSWORD_BYTES_MAX};
use super::super::{Captured, EvidenceSource, Sink, SourceError, Stopped};
use super::index_paging::{Bound, IndexPaging};
use super::log_paging::Turn;
use super::secret;
use crate::domain::{CompletenessBasis, FetchReceipt, Media, RawEvidence, Sign, Slice, SliceEnd, SourceId, sha256};

/// Whose interface a node speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeApi {
    /// LND: `GET /v1/invoices` and `/v1/payments`, with a macaroon.
    Lnd,
    /// Core Lightning's `clnrest`: `POST /v1/listinvoices` and `/v1/listpays`, with a rune.
    CoreLightning,
}

/// One Lightning node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlan {
    /// Its address, without the routes; https, or http on loopback.
    pub url: String,
    /// Whose interface it speaks.
    pub api: NodeApi,
    /// A file that only its owner can read: the macaroon (its bytes, or their hex), or the rune.
    pub secret_file: PathBuf,
    /// The authority that signed the node's certificate (PEM): it is trusted, and no other. A certificate that is authority
    /// and server at once, as LND makes for itself, is refused (RFC 5280, 4.2.1.9).
    pub certificate_file: Option<PathBuf>,
    /// Records per page; `None` for the usual 1,000.
    pub page_records: Option<u32>,
    /// Accept `http://` outside loopback.
    pub allow_plaintext: bool,
    /// Time limits and retries, for each page; [`HttpLimits::bulk`] suits.
    pub http: HttpLimits,
}

/// A node's lists as a source of evidence: one receipt for its invoices, one for its payments.
#[derive(Debug)]
pub struct NodeSource {
    id: SourceId,
    url: Url,
    api: NodeApi,
    page_records: u32,
    headers: HeaderMap,
    http: Http,
    handle: Handle,
}

impl NodeSource {
    /// Checks the plan and reads its files; contacts nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] for an address that may not be contacted or a file that does not hold what it should,
    /// [`SourceError::Exposed`] for a secret that others can read, [`SourceError::Io`] when a file can't be read.
    pub fn new(plan: NodePlan, handle: Handle) -> Result<Self, SourceError> {
        let url = check_http(&plan.url, plan.allow_plaintext.into())?;
        let headers = authorization(plan.api, &plan.secret_file)?;
        let root = plan.certificate_file.as_deref().map(certificate).transpose()?;
        let http = Http::with_root(&plan.http, Reach::Named, root)?;
        let page_records = plan.page_records.unwrap_or(NODE_PAGE_RECORDS).max(1);
        Ok(Self { id: SourceId(plan.url), url, api: plan.api, page_records, headers, http, handle })
    }

    async fn read(&self, list: List, sink: &mut dyn Sink) -> Result<FetchReceipt, Stopped> {
        let mut reading =
            Reading { source: self, list, paging: list.paging(), sink, items: 0, retries: 0, misbehaved: 0 };
        let halt = reading.walk().await?;
        let Reading { paging, items, retries, misbehaved, .. } = reading;
        let mut receipt = FetchReceipt {
            items,
            retries,
            misbehaved,
            ..FetchReceipt::whole(self.id.clone(), Slice::all(list.slice_kind()))
        };
        if paging.pages() > 1 {
            receipt.signs.insert(Sign::Paged, u64::try_from(paging.pages()).unwrap_or(u64::MAX));
        }
        if let Some(halt) = halt {
            (receipt.end, receipt.basis, receipt.reason) = (halt.end, CompletenessBasis::None, halt.reason);
            receipt.signs.extend(halt.sign.map(|sign| (sign, 1)));
        }
        receipt.backing = paging.into_notes().into_backing();
        Ok(receipt)
    }

    async fn page(&self, list: List, position: u64) -> Exchange {
        let (route, size) = (list.route(), self.page_records);
        match list {
            List::LndInvoices => {
                let query = format!("index_offset={position}&num_max_invoices={size}&reversed=false");
                self.get(route, &query).await
            }
            List::LndPayments => {
                let query =
                    format!("include_incomplete=true&index_offset={position}&max_payments={size}&reversed=false");
                self.get(route, &query).await
            }
            List::ClnInvoices => self.post(route, &json!({"index": "created", "start": position, "limit": size})).await,
            List::ClnPayments => self.post(route, &json!({})).await,
        }
    }

    async fn get(&self, route: &str, query: &str) -> Exchange {
        self.http.get_with(&endpoint(&self.url, route, Some(query)), &self.headers, LOG_PAGE_BYTES_MAX).await
    }

    async fn post(&self, route: &str, body: &Value) -> Exchange {
        let url = endpoint(&self.url, route, None);
        self.http.post_json(&url, &self.headers, &body.to_string(), LOG_PAGE_BYTES_MAX).await
    }
}

impl EvidenceSource for NodeSource {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn fetch(&mut self, sink: &mut dyn Sink) -> Result<Vec<FetchReceipt>, SourceError> {
        let lists = match self.api {
            NodeApi::Lnd => [List::LndInvoices, List::LndPayments],
            NodeApi::CoreLightning => [List::ClnInvoices, List::ClnPayments],
        };
        let mut receipts = Vec::new();
        for list in lists {
            receipts.push(self.handle.block_on(self.read(list, sink))?);
        }
        Ok(receipts)
    }
}

/// One list of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    LndInvoices,
    LndPayments,
    ClnInvoices,
    /// Asked whole: Core Lightning pages by the parts of a payment, and a page border would cut one in two.
    ClnPayments,
}

impl List {
    const fn route(self) -> &'static str {
        match self {
            Self::LndInvoices => "/v1/invoices",
            Self::LndPayments => "/v1/payments",
            Self::ClnInvoices => "/v1/listinvoices",
            Self::ClnPayments => "/v1/listpays",
        }
    }

    /// The member that holds the records, and the member of a record that is its index.
    const fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::LndInvoices => ("invoices", "add_index"),
            Self::LndPayments => ("payments", "payment_index"),
            Self::ClnInvoices => ("invoices", "created_index"),
            Self::ClnPayments => ("pays", "created_index"),
        }
    }

    const fn slice_kind(self) -> &'static str {
        match self {
            Self::LndInvoices | Self::ClnInvoices => Media::Invoice.name(),
            Self::LndPayments | Self::ClnPayments => "payment",
        }
    }

    fn paging(self) -> IndexPaging {
        IndexPaging::new(if self == Self::ClnInvoices { Bound::From } else { Bound::Above })
    }
}

/// Why a list was not read to its end.
struct Halt {
    end: SliceEnd,
    reason: String,
    sign: Option<Sign>,
}

/// The reading of one list.
struct Reading<'a> {
    source: &'a NodeSource,
    list: List,
    paging: IndexPaging,
    sink: &'a mut dyn Sink,
    items: u64,
    retries: u32,
    misbehaved: u64,
}

impl Reading<'_> {
    async fn walk(&mut self) -> Result<Option<Halt>, Stopped> {
        for _ in 0..LOG_PAGES_MAX {
            if self.sink.cancelled() {
                return Ok(halt(SliceEnd::Cancelled, "cancelled", None));
            }
            let exchange = self.source.page(self.list, self.paging.position()).await;
            self.retries = self.retries.saturating_add(exchange.retries);
            let HttpOutcome::Body(body) = &exchange.outcome else {
                return Ok(halt(exchange.outcome.slice_end(), &exchange.outcome.to_string(), None));
            };
            let Some(indexes) = self.take(body)? else {
                self.misbehaved += 1;
                return Ok(halt(SliceEnd::Ended, "the answer holds no list of records", Some(Sign::PageUnreadable)));
            };
            let turn = self.paging.take(&indexes, sha256(body));
            match turn {
                _ if self.list == List::ClnPayments => return Ok(None),
                Turn::Ask => {}
                Turn::Done => return Ok(None),
                Turn::Halt(sign, reason) => return Ok(halt(SliceEnd::Ended, reason, Some(sign))),
            }
        }
        Ok(halt(SliceEnd::BudgetTripped, "budget reached: pages", None))
    }

    /// Hands over the records of a page and gives back their indexes; `None` when it holds no list.
    fn take(&mut self, body: &[u8]) -> Result<Option<Vec<Option<u64>>>, Stopped> {
        let (member, index) = self.list.members();
        let Ok(members) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body) else { return Ok(None) };
        let list = members.get(member).and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
        let Some(records) = list else { return Ok(None) };
        let mut indexes = Vec::with_capacity(records.len());
        for (place, record) in records.iter().map(|record| record.get()).enumerate() {
            let found = index_of(record, index);
            self.misbehaved += u64::from(found.is_none() && self.list != List::ClnPayments);
            indexes.push(found);
            self.items += 1;
            self.sink.accept(Captured {
                evidence: RawEvidence {
                    media: Media::Invoice,
                    about: String::new(),
                    bytes: record.as_bytes().to_vec(),
                }
                .into(),
                source: self.source.id.clone(),
                place: format!("{} page {}", self.list.route(), self.paging.pages().saturating_add(1)),
                offset: u64::try_from(place).unwrap_or(u64::MAX),
            })?;
        }
        Ok(Some(indexes))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every caller answers with it")]
fn halt(end: SliceEnd, reason: &str, sign: Option<Sign>) -> Option<Halt> {
    Some(Halt { end, reason: reason.to_owned(), sign })
}

/// A whole number, or one in a text as LND writes it.
fn index_of(record: &str, member: &str) -> Option<u64> {
    let members: Map<String, Value> = serde_json::from_str(record).ok()?;
    let value = members.get(member)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|index| *index > 0)
}

fn authorization(api: NodeApi, file: &Path) -> Result<HeaderMap, SourceError> {
    let (name, text) = match api {
        NodeApi::Lnd => ("grpc-metadata-macaroon", macaroon(&secret::read(file)?)),
        NodeApi::CoreLightning => ("rune", secret::read_line(file)?),
    };
    Ok(HeaderMap::from_iter([(HeaderName::from_static(name), secret::header(file, &text)?)]))
}

/// Macaroon files are binary; some keep the hex text that the header wants.
fn macaroon(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii();
    if text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit) {
        return String::from_utf8_lossy(text).into_owned();
    }
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

fn certificate(file: &Path) -> Result<Certificate, SourceError> {
    use std::io::Read as _;
    let io = |source| SourceError::Io { path: file.display().to_string(), source };
    let mut pem = Vec::new();
    std::fs::File::open(file).map_err(io)?.take(16 * PASSWORD_BYTES_MAX).read_to_end(&mut pem).map_err(io)?;
    let bad = || SourceError::Misconfigured { what: "no PEM certificate", address: file.display().to_string() };
    if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
        return Err(bad());
    }
    Certificate::from_pem(&pem).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macaroon_is_sent_as_the_hex_of_its_bytes() {
        assert_eq!(macaroon(&[0x02, 0x01, 0xab]), "0201ab");
        assert_eq!(macaroon(b"0201AB\n"), "0201AB");
        assert_eq!(macaroon(b"0201A"), "3032303141");
    }

    #[test]
    fn an_index_is_a_number_or_its_text_and_never_zero() {
        assert_eq!(index_of(r#"{"add_index":"7"}"#, "add_index"), Some(7));
        assert_eq!(index_of(r#"{"created_index":7}"#, "created_index"), Some(7));
        for record in [r#"{"add_index":"0"}"#, r#"{"add_index":-1}"#, r#"{"add_index":"x"}"#, "{}", "7", "{"] {
            assert_eq!(index_of(record, "add_index"), None, "{record}");
        }
    }
}
