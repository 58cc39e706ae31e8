//! A case of the table, and one runner for each kind of input.

use reledger::domain::{RawEvidence, sha256};
use reledger::sim::generators;
use serde_json::Value;

use super::{attest, bindings, custody, fees, nostr, oc_me, ots, settlement};

/// One vector: what goes in, and what must come out.
#[derive(Clone)]
pub(super) struct Case {
    /// What it is about; unique within its row.
    pub(super) name: String,
    /// The row of FORMATS, as in `rows.rs`.
    pub(super) row: &'static str,
    /// The vector file, or the rule that the input was derived by.
    pub(super) from: String,
    pub(super) input: Input,
    pub(super) expected: Answer,
}

/// What a runner must say.
#[derive(Clone)]
pub(super) enum Answer {
    /// Exactly this.
    Is(String),
    /// A refusal whose reason contains this.
    Refused(String),
}

/// What goes in, by kind.
#[derive(Clone)]
pub(super) enum Input {
    /// What an attestation message is built from (FORMATS 7.1).
    Draft(Value),
    /// Identities of a message.
    Identities(Value),
    /// A text that claims to be a canonical attestation message.
    Message(String),
    /// Bytes whose hash is an id.
    Hashed(String),
    /// Bonded satoshi and days (FORMATS 7.5).
    Score(u64, u64),
    /// Content of an attestation event and the id that its `d` tag declares.
    Attestation(String, String),
    /// What a binding message is built from.
    BindingDraft(Value),
    /// A text that claims to be a binding message.
    BindingMessage(String),
    /// Content of a binding, the declared id, the key of its event.
    Binding(String, String, String),
    /// Kind and `d` at the relay's gate (FORMATS 1).
    Gate(u64, String),
    /// An archived event's line.
    Archived(String),
    /// Evidence that the whole verification sees.
    Evidence(Vec<RawEvidence>),
    /// Evidence of settlements that is verified, folded into ledgers and reconciled.
    Ledgers(Vec<RawEvidence>),
    /// Files for `reledger verify`, and the time it takes for now.
    Files(Vec<(&'static str, String)>, &'static str),
    /// A price, an amount, whether an agent acts (FORMATS 4.2).
    Fees(Value, Option<u64>, bool),
    /// A price config, an envelope, an amount, whether an agent acted (FORMATS 4.3).
    Replay(Value, Value, Option<u64>, bool),
    /// A price config (FORMATS 5).
    Config(Value),
    /// A settlement as sent, and other bytes as those that were signed.
    Settlement(String, Option<String>),
    /// A guardian descriptor.
    Descriptor(Value),
    /// A graduation or rotation without a proof, and the profile asked for.
    Candidate(Value, &'static str),
    /// Abstract votes under a rule (`derived/quorum-semantics.json`).
    Votes(Value, &'static str),
    /// An agent envelope with its descriptor, in that member, all its signatures believed.
    AgentEnvelope(Value, &'static str),
    /// A proof in some surroundings.
    Proof(Box<ots::Proof>),
    /// A generator of the simulator: code and name.
    Planted(&'static str, &'static str),
}

impl Input {
    /// What the reader says. `Err` is a refusal with its reason.
    fn answer(&self) -> Result<String, String> {
        match self {
            Self::Draft(draft) => attest::build(draft),
            Self::Identities(listed) => attest::identities_text(listed),
            Self::Message(text) => attest::read(text),
            Self::Hashed(text) => Ok(sha256(text.as_bytes()).to_hex()),
            Self::Score(sats, days) => Ok(attest::score(*sats, *days)),
            Self::Attestation(content, declared) => attest::judged(content, declared),
            Self::BindingDraft(draft) => bindings::build(draft),
            Self::BindingMessage(text) => bindings::read(text),
            Self::Binding(content, declared, key) => Ok(bindings::judged(content, declared, key)),
            Self::Gate(kind, d) => Ok(nostr::gate(*kind, d)),
            Self::Archived(line) => Ok(nostr::class(line)),
            Self::Evidence(evidence) => Ok(oc_me::verified(evidence)),
            Self::Ledgers(evidence) => Ok(settlement::rebuilt(evidence)),
            Self::Files(files, now) => Ok(oc_me::verified_files(files, now)),
            Self::Fees(price, amount, is_agent) => fees::computed(price, *amount, *is_agent),
            Self::Replay(config, envelope, amount, is_agent) => {
                Ok(fees::replayed(config, envelope, *amount, *is_agent))
            }
            Self::Config(config) => fees::validated(config),
            Self::Settlement(wire, signed) => Ok(settlement::judged(wire, signed.as_deref())),
            Self::Descriptor(descriptor) => custody::identified(descriptor),
            Self::Candidate(envelope, profile) => Ok(custody::candidate(envelope, profile)),
            Self::Votes(case, rule) => Ok(custody::voted(case, rule)),
            Self::AgentEnvelope(envelope, principal) => custody::agent_verdict(envelope, principal),
            Self::Proof(proof) => Ok(proof.verdict()),
            Self::Planted(code, name) => {
                let is_it = |one: &&reledger::sim::Generator| one.code.name() == *code && one.name == *name;
                Ok(generators().find(is_it).map_or("nobody plants it", |_| "planted by the simulator").to_owned())
            }
        }
    }
}

impl Case {
    pub(super) fn new(
        row: &'static str,
        name: impl Into<String>,
        from: impl Into<String>,
        input: Input,
        expected: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), row, from: from.into(), input, expected: Answer::Is(expected.into()) }
    }

    /// A case whose input is refused for a reason that contains this.
    pub(super) fn refused(
        row: &'static str,
        name: impl Into<String>,
        from: impl Into<String>,
        input: Input,
        reason: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), row, from: from.into(), input, expected: Answer::Refused(reason.into()) }
    }

    /// What is wrong, if anything.
    pub(super) fn complaint(&self) -> Option<String> {
        let answer = self.input.answer();
        let (is_right, wanted) = match (&self.expected, &answer) {
            (Answer::Is(wanted), answer) => (answer.as_ref() == Ok(wanted), wanted),
            (Answer::Refused(wanted), answer) => (answer.as_ref().is_err_and(|why| why.contains(wanted)), wanted),
        };
        (!is_right).then(|| format!("{} / {} ({}): {answer:?} instead of {wanted:?}", self.row, self.name, self.from))
    }
}

/// A vector file below `fixtures/vectors`.
pub(super) fn vector(path: &str) -> Value {
    let text = std::fs::read_to_string(crate::support::fixtures().join("vectors").join(path));
    serde_json::from_str(&text.unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// The list in that member.
pub(super) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name} in {value}"))
}

/// The text in that member.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}
