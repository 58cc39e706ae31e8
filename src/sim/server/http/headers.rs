//! Bitcoin headers over Bitcoin Core's REST interface and over Esplora's.

use hyper::StatusCode;

use super::super::conduct::Seat;
use super::super::house::House;
use super::super::misbehaviour::Misbehaviour as M;
use super::answer::{Answer, BINARY, JSON, TEXT};
use super::route::Asked;
use crate::sim::chain::{block_hash, block_hash_hex};
use crate::sim::json::Object;

/// Most headers in one reply, as in Bitcoin Core.
const HEADERS_MAX: usize = 2_000;

/// True for a path of either interface.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with("/rest/") || path.starts_with("/block-height/") || path.starts_with("/block")
}

pub(super) fn answer(house: &House, seat: Seat, asked: &Asked<'_>) -> Answer {
    let chain = Chain { house, seat };
    let answer = match asked.path.strip_prefix("/rest/") {
        Some(rest) => chain.core(rest, asked),
        None => chain.esplora(asked.path),
    };
    if answer.has_body() && house.conduct.takes(seat, M::Malformed) {
        return Answer::ok(BINARY, vec![0xff; 33]);
    }
    answer
}

/// The chain as this server tells it.
struct Chain<'a> {
    house: &'a House,
    seat: Seat,
}

impl Chain<'_> {
    /// How many headers there are, when the answer goes up to `wanted` of them: a server that leaves some out says that
    /// its chain ends early.
    fn length(&self, wanted: usize) -> usize {
        let all = self.house.growth.length(&self.house.world);
        let told = all * 2 / 3;
        let differs = wanted.min(all) > told;
        if differs && self.house.conduct.takes(self.seat, M::Omit) { told } else { all }
    }

    fn at(&self, height: &str) -> Option<[u8; 80]> {
        let height = height.parse::<usize>().ok()?;
        if height >= self.length(height.checked_add(1)?) {
            return None;
        }
        self.between(height, height + 1).pop()
    }

    fn between(&self, from: usize, end: usize) -> Vec<[u8; 80]> {
        self.house.growth.headers(&self.house.world, from, end)
    }

    /// `chaininfo`, `blockhashbyheight`, `headers` in both of its path forms.
    fn core(&self, rest: &str, asked: &Asked<'_>) -> Answer {
        let not_found = |words| Answer::text(StatusCode::NOT_FOUND, words);
        let Some((path, format)) = rest.rsplit_once('.') else { return not_found("output format") };
        if (path, format) == ("chaininfo", "json") {
            return self.info();
        }
        if let Some(height) = path.strip_prefix("blockhashbyheight/") {
            let Some(header) = self.at(height) else { return not_found("Block height out of range") };
            let hash = block_hash_hex(&header);
            return match format {
                "json" => Answer::ok(JSON, Object::new().text("blockhash", hash).compact()),
                "hex" => Answer::ok(TEXT, format!("{hash}\n")),
                "bin" => Answer::ok(BINARY, Vec::from(block_hash(&header))),
                _ => not_found("output format"),
            };
        }
        let Some(path) = path.strip_prefix("headers/") else { return not_found("no such route") };
        let (count, hash) = path.split_once('/').unwrap_or_else(|| (asked.parameter("count").unwrap_or("5"), path));
        let Some(count) = count.parse::<usize>().ok().filter(|count| (1..=HEADERS_MAX).contains(count)) else {
            let words = "Header count is invalid or out of acceptable range (1-2000)";
            return Answer::text(StatusCode::BAD_REQUEST, words);
        };
        let bytes = self.run(hash, count).concat();
        match format {
            "bin" => Answer::ok(BINARY, bytes),
            "hex" => Answer::ok(TEXT, format!("{}\n", faster_hex::hex_string(&bytes))),
            _ => not_found("output format"),
        }
    }

    fn run(&self, hash: &str, count: usize) -> Vec<[u8; 80]> {
        let Some(from) = self.house.height_of(hash) else { return Vec::new() };
        let end = from.saturating_add(count).min(self.length(from.saturating_add(count)));
        self.between(from, end)
    }

    fn tip(&self) -> usize {
        self.length(usize::MAX).saturating_sub(1)
    }

    fn info(&self) -> Answer {
        let tip = self.tip();
        let best = self.between(tip, tip + 1).first().map(block_hash_hex).unwrap_or_default();
        let info =
            Object::new().text("chain", "main").plain("blocks", tip).plain("headers", tip).text("bestblockhash", best);
        Answer::ok(JSON, info.compact())
    }

    /// `blocks/tip/height`, `block-height/N`, `block/HASH/header`.
    fn esplora(&self, path: &str) -> Answer {
        if path == "/blocks/tip/height" {
            return Answer::ok(TEXT, self.tip().to_string());
        }
        let missing = || Answer::text(StatusCode::NOT_FOUND, "Block not found");
        if let Some(height) = path.strip_prefix("/block-height/") {
            return self.at(height).map_or_else(missing, |header| Answer::ok(TEXT, block_hash_hex(&header)));
        }
        let hash = path.strip_prefix("/block/").and_then(|path| path.strip_suffix("/header"));
        let header = hash.and_then(|hash| self.run(hash, 1).pop());
        header.map_or_else(missing, |header| Answer::ok(TEXT, faster_hex::hex_string(&header)))
    }
}
