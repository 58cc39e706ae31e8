//! Our fees against those of JavaScript: the published rule is one of doubles and `Math.round`, so Node is the judge of it.
//!
//! Price configs and cases come out of a seed. A config goes to both sides as the same JSON text; ours reads it as it reads
//! any config. Every amount and every error must agree, and of a share of the cases the replay of a recorded split too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use reledger::domain::Sats;
use reledger::evidence::{BillableEvent, Claim, Decoded, EventClass, ProjectConfig, project};
use reledger::ledger::{FeeError, compute_fees, fee_issues};
use serde_json::{Value, json};

/// Cases unless `RELEDGER_PEERS_FEES` says otherwise: one of eight is a replay, so a million are left for the rule itself.
const CASES: u64 = 1_200_000;
/// The seed unless `RELEDGER_PEERS_SEED` says otherwise.
const SEED: u64 = 20_260_510;
/// Prices in a config, and cases of it.
const PRICES: u64 = 50;
const PER_CONFIG: u64 = 1_000;
/// All bitcoin, in satoshi: what comes out above it is an error of ours and a number of theirs.
const SUPPLY: u64 = 2_100_000_000_000_000;
/// Disagreements that are shown.
const SHOWN: usize = 5;

/// How it ended.
pub enum Outcome {
    Agreed(String),
    Differed(String),
    /// Why nothing was compared.
    Skipped(String),
}

/// Compares both sides over all cases.
pub fn compare() -> Outcome {
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (cases, seed) = (number("RELEDGER_PEERS_FEES", CASES), number("RELEDGER_PEERS_SEED", SEED));
    let mut node = match Node::start() {
        Ok(node) => node,
        Err(why) => return Outcome::Skipped(why),
    };
    match run(&mut node, cases, seed) {
        Ok(tally) if tally.differences == 0 => Outcome::Agreed(tally.say(seed, &node.version)),
        Ok(tally) => Outcome::Differed(tally.say(seed, &node.version)),
        Err(why) => Outcome::Differed(format!("FAILED: {why}")),
    }
}

#[derive(Default)]
struct Tally {
    computed: u64,
    errors: u64,
    replayed: u64,
    diverging: u64,
    differences: u64,
    shown: Vec<String>,
}

impl Tally {
    fn say(&self, seed: u64, node: &str) -> String {
        let mut text = format!(
            "seed {seed}: {} cases, {} of them refused, {} replays, {} of them diverging; {} disagreements with Node {node}",
            self.computed, self.errors, self.replayed, self.diverging, self.differences
        );
        for one in &self.shown {
            text += &format!("\n  {one}");
        }
        text
    }

    fn compare(&mut self, ours: &Value, theirs: &Value, about: impl FnOnce() -> String) {
        if ours != theirs {
            self.differences += 1;
            if self.shown.len() < SHOWN {
                self.shown.push(format!("{}: {ours} here, {theirs} there", about()));
            }
        }
    }
}

fn run(node: &mut Node, cases: u64, seed: u64) -> Result<Tally, String> {
    let (mut draw, mut tally) = (Draw(seed), Tally::default());
    let mut left = cases;
    while left > 0 {
        let count = left.min(PER_CONFIG);
        left -= count;
        let text = config_text(&mut draw);
        let Decoded::Claim(claim, _) = project::decode("", text.as_bytes()) else {
            return Err(format!("no config: {text}"));
        };
        let Claim::ProjectConfig(config) = *claim else { return Err("another claim".to_owned()) };
        let listed: Vec<Case> = (0..count).map(|_| Case::draw(&mut draw, &config)).collect();
        let lines: Vec<String> = listed.iter().map(Case::json).collect();
        let answers = node.ask(&format!("{{\"config\":{text},\"cases\":[{}]}}", lines.join(",")))?;
        let answers =
            answers.as_array().filter(|answers| answers.len() == listed.len()).ok_or("answers are missing")?;
        for (case, theirs) in listed.iter().zip(answers) {
            let ours = case.answer(&config);
            match case.recorded {
                Some(_) => {
                    tally.replayed += 1;
                    tally.diverging += u64::from(ours != json!([]));
                }
                None => {
                    tally.computed += 1;
                    tally.errors += u64::from(ours.is_string());
                }
            }
            let above = theirs[0].as_u64().is_some_and(|gross| gross > SUPPLY);
            if above && ours == json!("amount out of range") {
                continue;
            }
            tally.compare(&ours, theirs, || format!("{} of {}", case.json(), price_text(&text, &case.key)));
        }
    }
    Ok(tally)
}

fn price_text(config: &str, key: &str) -> String {
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    config["events"][key].to_string()
}

// ---------------------------------------------------------------- cases

struct Case {
    key: String,
    amount: Option<u64>,
    is_agent: bool,
    /// The split of an envelope whose replay is asked for, instead of the rule's own.
    recorded: Option<[u64; 4]>,
}

impl Case {
    fn draw(draw: &mut Draw, config: &ProjectConfig) -> Self {
        let key = format!("e{}", draw.below(PRICES));
        let amount = (!draw.one_in(20)).then(|| draw.amount());
        let is_agent = draw.one_in(3);
        let mut case = Self { key, amount, is_agent, recorded: None };
        // One of eight is a replay of what the rule gives, or of nearly that; sometimes under a key that nobody sells.
        if draw.one_in(8) {
            let fees = case.computed(config).unwrap_or([60, 12, 39, 9]);
            let mut split = fees;
            if draw.one_in(2) {
                let (from, to) = (draw.part(), draw.part());
                if split[from] > 0 && split[to] < SUPPLY {
                    split[from] -= 1;
                    split[to] += 1;
                }
            }
            if draw.one_in(10) {
                case.key = "nobody sells it".to_owned();
            }
            case.recorded = Some(split);
        }
        case
    }

    fn json(&self) -> String {
        json!([self.key, self.amount, self.is_agent, self.recorded]).to_string()
    }

    fn computed(&self, config: &ProjectConfig) -> Result<[u64; 4], FeeError> {
        let price = config.events.get(&self.key).ok_or(FeeError::Malformed)?;
        let amount = self.amount.and_then(|amount| Sats::new(amount).ok());
        let fees = compute_fees(price, amount, self.is_agent)?;
        Ok([fees.gross, fees.platform, fees.user, fees.rebate].map(Sats::get))
    }

    fn answer(&self, config: &ProjectConfig) -> Value {
        let Some(recorded) = self.recorded else {
            return self.computed(config).map_or_else(|error| error.to_string().into(), |fees| json!(fees));
        };
        let [gross, platform, user_earned, rebate] = recorded.map(|sats| Sats::new(sats).unwrap_or_default());
        let event = BillableEvent {
            v: if self.is_agent { 3 } else { 2 },
            class: EventClass::C,
            subtype: self.key.as_str().into(),
            occurred_at: reledger::domain::UnixMicros(0),
            site: "x.example".into(),
            user: "u".into(),
            project: None,
            gross,
            platform,
            user_earned,
            rebate,
            is_agent: self.is_agent,
            drop: None,
            payment_amount: self.amount.and_then(|amount| Sats::new(amount).ok()),
            idempotency_key: None,
        };
        json!(fee_issues(config, &event))
    }
}

/// A config of many prices, as text: numbers are written once and read by both.
fn config_text(draw: &mut Draw) -> String {
    let entries: Vec<String> = (0..PRICES).map(|number| format!("\"e{number}\":{}", price(draw))).collect();
    let events = entries.join(",");
    format!("{{\"project_key\":\"pk\",\"display_name\":\"X\",\"domain\":\"x.example\",\"events\":{{{events}}}}}")
}

fn price(draw: &mut Draw) -> String {
    let (enabled, pays, share) = (!draw.one_in(15), site_pays(draw), share(draw));
    let mut text = format!("{{\"enabled\":{enabled},\"site_pays\":{pays},\"user_share_pct\":{share}");
    if draw.one_in(3) {
        let mut members = Vec::new();
        if draw.one_in(2) {
            members.push(format!("\"site_pays\":{}", site_pays(draw)));
        }
        if draw.one_in(2) {
            members.push(format!("\"user_share_pct\":{}", self::share(draw)));
        }
        if draw.one_in(6) {
            members.push(format!("\"refuse\":{}", draw.one_in(2)));
        }
        text += &format!(",\"agent\":{{{}}}", members.join(","));
    }
    text + "}"
}

fn site_pays(draw: &mut Draw) -> String {
    if draw.one_in(2) {
        return format!("{{\"kind\":\"percent_of_amount\",\"pct\":{}}}", draw.fraction());
    }
    let sats = match draw.below(8) {
        0 => {
            ["0.5", "0.49999999999999994", "1.5", "2.5", "-3", "0", "1e15", "2.1e15", "0.1e1"][draw.index(9)].to_owned()
        }
        1 => format!("{}.5", draw.below(1_000)),
        2 => draw.amount().to_string(),
        3 => format!("{}", (draw.below(1 << 53) as f64) / 1_048_576.0),
        _ => draw.below(3_000).to_string(),
    };
    format!("{{\"kind\":\"fixed_sats\",\"sats\":{sats}}}")
}

fn share(draw: &mut Draw) -> String {
    match draw.below(6) {
        0 => ["0", "0.8", "0.95", "-0.5", "0.8000000000000002", "1", "0.5", "5e-324"][draw.index(8)].to_owned(),
        1 => draw.fraction(),
        // Two and three decimals: the shares of the field, whose products fall on both sides of a tie.
        2 | 3 => format!("0.{:02}", draw.below(81)),
        _ => format!("0.{:03}", draw.below(801)),
    }
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    fn part(&mut self) -> usize {
        self.index(4)
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// An amount of every size up to the supply, edges among them.
    fn amount(&mut self) -> u64 {
        match self.below(10) {
            0 => [0, 1, 2, 3, 5, 50, 1_000_000_000_000_000, SUPPLY - 1, SUPPLY, 410_000][self.index(10)],
            1 => self.below(SUPPLY + 1),
            2..=4 => self.below(1 << 32),
            _ => self.below(1_000_000),
        }
    }

    /// A double between 0 and 1 with all its bits, or with few decimals.
    fn fraction(&mut self) -> String {
        match self.below(4) {
            0 => format!("{}", (self.next() >> 11) as f64 / (1_u64 << 53) as f64),
            1 => format!("0.{:04}", self.below(10_000)),
            2 => format!("0.00{:02}", self.below(100)),
            _ => ["0.005", "0.0075", "0.01", "0.29", "0.57", "0.07", "0.145", "0.3333333333333333", "1e-7", "1"]
                [self.index(10)]
            .to_owned(),
        }
    }
}

// ---------------------------------------------------------------- Node

struct Node {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    version: String,
}

impl Node {
    fn start() -> Result<Self, String> {
        let asked = Command::new("node").arg("--version").output();
        let asked = asked.map_err(|error| format!("node can't be started: {error}"))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fees.mjs");
        let started = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| format!("node can't be started: {error}"))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let version = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        Ok(Self { process, input, output: BufReader::new(output.ok_or("no output")?), version })
    }

    fn ask(&mut self, line: &str) -> Result<Value, String> {
        let input = self.input.as_mut().ok_or("it was ended")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| format!("node left: {error}"))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).map_err(|error| error.to_string())?;
        serde_json::from_str(&answer).map_err(|error| format!("node said {answer:?}: {error}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Without input it ends by itself.
        self.input = None;
        let _ = self.process.wait();
    }
}
