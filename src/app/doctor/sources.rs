//! What the declared sources say of themselves right now: reachable, limits, keys, tip, time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::runtime::{Builder, Handle};

use super::Patient;
use super::check::Check;
use super::evidence::{SKEW_SECONDS, listing, tip_checks};
use super::information;
use crate::app::coverage::Survey;
use crate::app::error::AppError;
use crate::domain::{KeyId, Media, PublicKey32, RawEvidence, UnixSeconds};
use crate::evidence::{Claim, Decoded, decode};
use crate::substrate::{ProbePlan, Probed, probe_all};

/// A relay information document, or a key set; real ones have a few KiB.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// A live source whose newest header is older than three hours is stuck: a block takes ten minutes.
const LIVE_TIP_SECONDS: i64 = 3 * 3600;

/// What one address is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Relay,
    /// A document that has to be there.
    Document(Media),
    /// A server that has nothing to say at its root; that it answers is enough.
    Server,
    Rest,
    Esplora,
}

pub(super) fn checks(patient: &Patient<'_>, survey: Option<&Survey>) -> Result<Vec<Check>, AppError> {
    let targets = targets(patient);
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    if patient.offline {
        let skip = |(_, url): &(Part, String)| Check::skipped("source", url.clone(), "--offline forbids sockets", true);
        return Ok(targets.iter().map(skip).collect());
    }
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| AppError::Internal(format!("no runtime: {error}")))?;
    let handle = runtime.handle();
    let plans: Vec<ProbePlan> = targets.iter().map(|target| plan(patient, target)).collect();
    let probed = match probe_all(handle, &plans) {
        Ok(probed) => probed,
        Err(error) => {
            return Ok(vec![
                Check::failed("source", "", error.to_string()).with_hint("correct the address in the configuration"),
            ]);
        }
    };
    let mut checks = Vec::new();
    for ((part, url), probed) in targets.iter().zip(&probed) {
        checks.push(reached(*part, url, probed));
        match part {
            Part::Relay => checks.extend(information::checks(patient, url, probed)),
            Part::Document(Media::Jwks) => checks.extend(survey.and_then(|survey| keys(survey, url, probed))),
            Part::Rest | Part::Esplora => checks.extend(tip(patient, handle, *part, url, probed)),
            Part::Document(_) | Part::Server => {}
        }
    }
    checks.push(clock(patient, &targets, &probed));
    Ok(checks)
}

fn targets(patient: &Patient<'_>) -> Vec<(Part, String)> {
    let plan = patient.plan;
    let relays = plan.relays.iter().map(|url| (Part::Relay, url.clone()));
    let documents = plan.documents.iter().map(|(media, url)| (Part::Document(*media), url.clone()));
    let logs = plan.payment_logs.iter().map(|log| (Part::Server, log.url.clone()));
    let nodes = plan.nodes.iter().map(|node| (Part::Server, node.url.clone()));
    let calendars: BTreeSet<&String> = plan.calendars.values().collect();
    let calendars = calendars.into_iter().map(|url| (Part::Server, url.clone()));
    let rest = plan.bitcoin_rest.iter().map(|url| (Part::Rest, url.clone()));
    let esplora = plan.esplora.iter().map(|url| (Part::Esplora, url.clone()));
    relays.chain(documents).chain(logs).chain(nodes).chain(calendars).chain(rest).chain(esplora).collect()
}

fn plan(patient: &Patient<'_>, (part, url): &(Part, String)) -> ProbePlan {
    let node = patient.plan.nodes.iter().find(|node| node.url == *url);
    // What can't be read is told among the paths; the server is then a stranger to us.
    let certificate = node.and_then(|node| std::fs::read(node.certificate_file.as_ref()?).ok());
    let (url, bytes_max) = match part {
        Part::Relay | Part::Document(Media::Jwks) => (url.clone(), DOCUMENT_BYTES_MAX),
        Part::Rest => (under(url, "/rest/chaininfo.json"), DOCUMENT_BYTES_MAX),
        Part::Esplora => (under(url, "/blocks/tip/height"), DOCUMENT_BYTES_MAX),
        Part::Document(_) | Part::Server => (url.clone(), 0),
    };
    ProbePlan { url, bytes_max, allow_plaintext: patient.plan.allow_plaintext, certificate }
}

fn under(base: &str, route: &str) -> String {
    format!("{}{route}", base.trim_end_matches('/'))
}

/// Whether it answers. A relay may have no information document; that is for the check of the document to say.
fn reached(part: Part, url: &str, probed: &Probed) -> Check {
    const NAME: &str = "source";
    const HINT: &str = "check the address and the server; a run would report SRC_UNREACHABLE";
    match (&probed.status, part, probed.refusal()) {
        (Err(why), ..) => Check::failed(NAME, url, why.clone()).with_hint(HINT),
        (Ok(_), Part::Document(_) | Part::Rest | Part::Esplora, Some(why)) => {
            Check::failed(NAME, url, why).with_hint(HINT)
        }
        (Ok(status), Part::Server, _) if *status >= 500 => {
            Check::failed(NAME, url, format!("HTTP status {status}")).with_hint(HINT)
        }
        _ => Check::ok(NAME, url, "answers"),
    }
}

/// This machine's clock against the time that servers tell.
fn clock(patient: &Patient<'_>, targets: &[(Part, String)], probed: &[Probed]) -> Check {
    const NAME: &str = "clock.servers";
    let told = targets.iter().zip(probed).filter_map(|((_, url), probed)| Some((url, probed.date?)));
    let told: Vec<(&String, UnixSeconds)> = told.collect();
    let is_off = |date: UnixSeconds| date.0.saturating_sub(patient.machine.0).saturating_abs() > SKEW_SECONDS;
    let off: BTreeSet<String> =
        told.iter().filter(|(_, date)| is_off(*date)).map(|(url, date)| format!("{url} says {date}")).collect();
    if told.is_empty() {
        Check::skipped(NAME, "", "no server told its time", true)
    } else if off.is_empty() {
        Check::ok(NAME, "", format!("within 2 h of {} servers", told.len()))
    } else {
        Check::warned(NAME, "", format!("the clock says {}; {}", patient.machine, listing(&off)))
            .with_hint("set this machine's clock, or doubt that server's")
    }
}

/// The key set as it is published now against every version that the run holds from there: a key never changes under its
/// id, and retired keys stay published.
fn keys(survey: &Survey, url: &str, probed: &Probed) -> Option<Check> {
    const NAME: &str = "drift.keys.live";
    if probed.refusal().is_some() {
        return None;
    }
    let live = key_set(Media::Jwks, probed.body.clone());
    let Some(live) = live else {
        return Some(Check::failed(NAME, url, "is no key set").with_hint("check the address under keys.jwks"));
    };
    let mut found = BTreeSet::new();
    for (kid, key) in captured(survey, url) {
        match live.get(&kid) {
            None => drop(found.insert(format!("{kid} is not published any more"))),
            Some(now) if *now != key => drop(found.insert(format!("{kid} has another key than the run captured"))),
            Some(_) => {}
        }
    }
    Some(if found.is_empty() {
        Check::ok(NAME, url, format!("{} keys, none changed", live.len()))
    } else {
        Check::failed(NAME, url, listing(&found))
            .with_hint("ask the envelope host; until then judge by captured key sets, which are kept")
    })
}

/// Keys that the run holds from that address.
fn captured(survey: &Survey, url: &str) -> BTreeMap<KeyId, PublicKey32> {
    let from_here = survey.tables.sightings.iter().filter(|(_, sources)| sources.iter().any(|one| one.0 == url));
    let sets = from_here.filter_map(|(id, _)| survey.raw(id)).filter(|raw| raw.media == Media::Jwks);
    sets.filter_map(|raw| key_set(raw.media, raw.bytes)).flatten().collect()
}

fn key_set(media: Media, bytes: Vec<u8>) -> Option<BTreeMap<KeyId, PublicKey32>> {
    match decode(&RawEvidence { media, about: String::new(), bytes }) {
        Decoded::Claim(claim, _) => match *claim {
            Claim::Jwks(set) => Some(set.keys.into_iter().collect()),
            _ => None,
        },
        Decoded::Undecodable(_) => None,
    }
}

/// The newest header of a live source.
fn tip(patient: &Patient<'_>, handle: &Handle, part: Part, url: &str, probed: &Probed) -> Vec<Check> {
    if probed.refusal().is_some() {
        return Vec::new();
    }
    let ask = |route: String| {
        let plan = ProbePlan {
            url: under(url, &route),
            bytes_max: DOCUMENT_BYTES_MAX,
            allow_plaintext: patient.plan.allow_plaintext,
            certificate: None,
        };
        let answer = probe_all(handle, &[plan]).ok()?.pop()?;
        answer.refusal().is_none().then_some(answer.body)
    };
    let header = if part == Part::Rest { rest_header(&probed.body, &ask) } else { esplora_header(&probed.body, &ask) };
    match header.and_then(|header| time_of(&header)) {
        Some(time) => tip_checks(url, time, patient.now, LIVE_TIP_SECONDS),
        None => vec![
            Check::failed("headers.age", url, "does not tell its newest header")
                .with_hint("check that the address is that of a node with REST, or of an Esplora server"),
        ],
    }
}

fn rest_header(info: &[u8], ask: &dyn Fn(String) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let info: Value = serde_json::from_slice(info).ok()?;
    let best = hex_text(info["bestblockhash"].as_str()?)?;
    ask(format!("/rest/headers/{best}.bin?count=1")).or_else(|| ask(format!("/rest/headers/1/{best}.bin")))
}

fn esplora_header(height: &[u8], ask: &dyn Fn(String) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
    let height: u32 = text(height.to_vec())?.parse().ok()?;
    let hash = text(ask(format!("/block-height/{height}"))?)?;
    let header = text(ask(format!("/block/{}/header", hex_text(&hash)?))?)?;
    let pairs = (0..header.len()).step_by(2).map(|at| u8::from_str_radix(header.get(at..at + 2)?, 16).ok());
    pairs.collect()
}

/// A block's hash as it may stand in a path.
fn hex_text(text: &str) -> Option<&str> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// The time in a header: bytes 68 to 71, little endian.
fn time_of(header: &[u8]) -> Option<UnixSeconds> {
    let time: [u8; 4] = header.get(68..72)?.try_into().ok()?;
    (header.len() == 80).then(|| UnixSeconds(i64::from(u32::from_le_bytes(time))))
}
