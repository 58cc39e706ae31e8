//! Where the next page of a document of records is said to be. No page format is published for settlements (FORMATS 6.2),
//! so only what is common is followed, and never to another origin.

use reqwest::Url;
use serde_json::{Map, Value};

use crate::evidence::split::Held;

/// Members beside the records that name the next page, with the parameter of the query that a bare token goes to.
const NEXT: [(&str, &str); 4] =
    [("next", "cursor"), ("next_cursor", "cursor"), ("next_page", "page"), ("next_page_token", "page_token")];

/// What a page says about the one after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it is the last one.
    Last,
    /// It is there.
    At(Url),
    /// There is one, but not where it may be followed to.
    Unreachable,
}

/// Reads it from what stands beside the records, or else from the `Link` header (RFC 8288). `first` is the address as
/// configured, `current` that of the page.
pub(super) fn next(held: &[Held], links: &str, first: &Url, current: &Url) -> Next {
    // Of several documents in one body the last one says what follows.
    let beside = held.last().map(|held| serde_json::from_slice::<Map<String, Value>>(&held.beside));
    match beside {
        // What stands beside the records is more than is kept: it may name a page.
        Some(Err(_)) => return Next::Unreachable,
        Some(Ok(members)) => {
            let named = NEXT.iter().find_map(|(name, parameter)| Some((members.get(*name)?, *parameter)));
            match named {
                Some((Value::String(text), parameter)) if !text.is_empty() => {
                    return at(text, parameter, first, current);
                }
                Some((Value::Number(number), parameter)) => return at(&number.to_string(), parameter, first, current),
                Some((Value::Null | Value::Bool(false) | Value::String(_), _)) | None => {}
                Some(_) => return Next::Unreachable,
            }
            if members.get("has_more") == Some(&Value::Bool(true)) {
                return Next::Unreachable;
            }
        }
        None => {}
    }
    match link(links) {
        Some(target) => joined(target, current),
        None => Next::Last,
    }
}

/// A reference is followed as one, a bare token becomes a parameter of the configured address.
fn at(text: &str, parameter: &str, first: &Url, current: &Url) -> Next {
    if ["http://", "https://", "/", "?"].iter().any(|start| text.starts_with(start)) {
        return joined(text, current);
    }
    let mut url = first.clone();
    let kept: Vec<(String, String)> = first.query_pairs().into_owned().filter(|(name, _)| name != parameter).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair(parameter, text);
    Next::At(url)
}

fn joined(text: &str, current: &Url) -> Next {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('\\');
    match current.join(text) {
        Ok(url)
            if plain && url.origin() == current.origin() && url.username().is_empty() && url.password().is_none() =>
        {
            Next::At(url)
        }
        _ => Next::Unreachable,
    }
}

/// The target of the link with the relation `next`.
fn link(links: &str) -> Option<&str> {
    let mut rest = links;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        rest = &after[parameters.len()..];
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let relations = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && relations.split_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://gw.example/v1/settlements?limit=5";

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn after(beside: &str, links: &str) -> Next {
        let held = [Held { beside: beside.as_bytes().to_vec(), records: 1 }];
        next(&held, links, &url(BASE), &url("https://gw.example/v1/settlements?limit=5&cursor=old"))
    }

    fn followed(to: &str) -> Next {
        Next::At(url(to))
    }

    #[test]
    fn a_token_becomes_a_parameter_and_a_reference_is_followed() {
        let tail = |query: &str| followed(&format!("https://gw.example/v1/settlements?{query}"));
        assert_eq!(after(r#"{"s":null,"next_cursor":"a b&c=d"}"#, ""), tail("limit=5&cursor=a+b%26c%3Dd"));
        assert_eq!(after(r#"{"s":null,"next":7}"#, ""), tail("limit=5&cursor=7"));
        assert_eq!(after(r#"{"s":null,"next_page":2}"#, ""), tail("limit=5&page=2"));
        assert_eq!(after(r#"{"s":null,"next":"?cursor=z"}"#, ""), tail("cursor=z"));
        assert_eq!(after(r#"{"s":null,"next":"/v2/s"}"#, ""), followed("https://gw.example/v2/s"));
        assert_eq!(after(r#"{"s":null,"next":"https://gw.example:443/p"}"#, ""), followed("https://gw.example/p"));
    }

    #[test]
    fn what_names_no_page_is_the_last_and_what_can_not_be_followed_is_not() {
        for beside in [r#"{"s":null}"#, r#"{"s":null,"next":null}"#, r#"{"s":null,"next":""}"#, r#"{"has_more":false}"#]
        {
            assert_eq!(after(beside, ""), Next::Last, "{beside}");
        }
        for beside in [
            r#"{"s":null,"next":"https://evil.example/v1/settlements"}"#,
            r#"{"s":null,"next":"//evil.example/x"}"#,
            r#"{"s":null,"next":"http://gw.example/v1/settlements"}"#,
            r#"{"s":null,"next":"https://gw.example:8443/p"}"#,
            r#"{"s":null,"next":"https://user@gw.example/p"}"#,
            r#"{"s":null,"next":"/\\evil.example/p"}"#,
            r#"{"s":null,"next":true}"#,
            r#"{"s":null,"has_more":true}"#,
            "",
        ] {
            assert_eq!(after(beside, ""), Next::Unreachable, "{beside}");
        }
    }

    #[test]
    fn the_link_header_counts_where_the_document_names_nothing() {
        let next = |links: &str| super::next(&[], links, &url(BASE), &url(BASE));
        assert_eq!(
            next(r#"</a>; rel="prev", </b?x=1>; title="t"; rel="next last""#),
            followed("https://gw.example/b?x=1")
        );
        assert_eq!(next("</b>; REL=next"), followed("https://gw.example/b"));
        assert_eq!(next("<https://evil.example/b>; rel=next"), Next::Unreachable);
        for links in ["", "</b>; rel=prev", "</b>", "rel=next", "</b; rel=next"] {
            assert_eq!(next(links), Next::Last, "{links}");
        }
        assert_eq!(
            after(r#"{"next":"c"}"#, "</b>; rel=next"),
            followed("https://gw.example/v1/settlements?limit=5&cursor=c")
        );
    }
}
