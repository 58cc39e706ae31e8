//! Which server answers which path.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request, StatusCode};

use super::super::body::{HangUp, Reply};
use super::super::conduct::Seat;
use super::super::house::House;
use super::super::role::Role;
use super::answer::Answer;
use super::deliver::{instead, send};
use super::{calendar, documents, headers, payment_log, well_known};

/// Largest request body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a port answers for.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::server) struct Door {
    pub(in crate::sim::server) roles: &'static [Role],
    /// Which server of its roles.
    pub(in crate::sim::server) index: usize,
}

/// A request without its body.
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    query: &'a str,
    /// The number of the client's connection.
    pub(super) client: u64,
}

impl<'a> Asked<'a> {
    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(own, _)| *own == name).map(|(_, value)| value).next()
    }
}

/// Answers one request.
///
/// # Errors
/// [`HangUp`] when the server leaves without a word.
pub(in crate::sim::server) async fn answer(
    house: &House,
    door: Door,
    client: u64,
    request: Request<Incoming>,
) -> Result<Reply, HangUp> {
    let (parts, body) = request.into_parts();
    let asked = Asked { path: parts.uri.path(), query: parts.uri.query().unwrap_or_default(), client };
    let role = role(&parts.method, asked.path).filter(|role| door.roles.contains(role));
    let Some(role) = role else {
        let index = Seat { role: door.roles[0], index: door.index };
        let known = parts.method == Method::GET || parts.method == Method::POST;
        let status = if known { StatusCode::NOT_FOUND } else { StatusCode::METHOD_NOT_ALLOWED };
        return Ok(send(house, index, Answer::text(status, "no such route")));
    };
    let seat = Seat { role, index: door.index };
    if let Some(reply) = instead(house, seat).await? {
        return Ok(reply);
    }
    let answer = match role {
        Role::PaymentLog => {
            let password = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            if password == Some(&format!("Bearer {}", payment_log::PASSWORD)) {
                match Limited::new(body, BODY_BYTES_MAX).collect().await {
                    Ok(body) => payment_log::answer(house, seat, &body.to_bytes()),
                    Err(_) => Answer::text(StatusCode::BAD_REQUEST, "body"),
                }
            } else {
                Answer::text(StatusCode::UNAUTHORIZED, "unauthorized")
            }
        }
        Role::Calendar if parts.method == Method::POST => match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => calendar::take(house, seat, &body.to_bytes()),
            Err(_) => Answer::text(StatusCode::BAD_REQUEST, "invalid Content-Length"),
        },
        Role::Calendar => calendar::answer(house, seat, asked.path.trim_start_matches(TIMESTAMP)),
        Role::Headers => headers::answer(house, seat, &asked),
        _ => documents::answer(house, seat, &asked)
            .or_else(|| well_known::answer(house, seat, asked.path))
            .unwrap_or_else(|| Answer::text(StatusCode::NOT_FOUND, "no such route")),
    };
    Ok(send(house, seat, answer))
}

const TIMESTAMP: &str = "/timestamp/";

/// The role that a request is for.
fn role(method: &Method, path: &str) -> Option<Role> {
    if *method == Method::POST {
        return match path {
            "/v1/payment_log" | "/payment_log" => Some(Role::PaymentLog),
            "/digest" => Some(Role::Calendar),
            _ => None,
        };
    }
    if *method != Method::GET {
        return None;
    }
    documents::role(path).or_else(|| {
        Some(match path {
            path if path.starts_with(TIMESTAMP) => Role::Calendar,
            path if headers::is_path(path) => Role::Headers,
            _ => Role::WellKnown,
        })
    })
}
