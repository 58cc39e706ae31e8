//! What a server would say, before anything goes wrong on the way.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::super::body::{Body, Reply};

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_LINES: &str = "application/x-ndjson";
pub(super) const TEXT: &str = "text/plain";
pub(super) const BINARY: &str = "application/octet-stream";

/// A status, a media type, a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    media: &'static str,
    /// `Cache-Control`.
    age: Option<&'static str>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn ok(media: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, media, age: None, body: body.into() }
    }

    pub(super) fn text(status: StatusCode, body: &'static str) -> Self {
        Self { status, ..Self::ok(TEXT, body) }
    }

    pub(super) fn cached(mut self, age: &'static str) -> Self {
        self.age = Some(age);
        self
    }

    /// True for an answer with something in it that could be spoilt.
    pub(super) fn has_body(&self) -> bool {
        self.status == StatusCode::OK && self.body.len() > 1
    }

    /// The head with another body.
    pub(super) fn reply_with(&self, body: Body) -> Reply {
        let mut reply = Response::new(body);
        *reply.status_mut() = self.status;
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media));
        if let Some(age) = self.age {
            reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(age));
        }
        reply
    }
}
