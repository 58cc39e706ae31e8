//! What an attestation states (docs/attest.md): an in-toto Statement v1 about one finished run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{Digest32, sha256};

/// The type of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The name of what is stated. A name, which nobody fetches.
pub const REBUILD_PREDICATE: &str = "https://reledger.dev/ledger-rebuild/v1";
/// The name of a file's digest.
const SHA256: &str = "sha256";
/// The names of the roots, by the version of their construction (docs/state-root.md).
const EVIDENCE_ROOT: &str = "reledger-evidence-root-v1";
const STATE_ROOT: &str = "reledger-state-root-v1";

/// What a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attested {
    /// The bytes of `report.json`.
    Report,
    /// The bytes of `evidence/manifest.json`.
    Manifest,
    /// The root over all evidence.
    Evidence,
    /// The root over all ledgers.
    State,
}

impl Attested {
    /// Everything that is attested of a run.
    pub const ALL: [Self; 4] = [Self::Report, Self::Manifest, Self::Evidence, Self::State];

    /// The subject's name: a file of the run's folder, or what the root is over.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report.json",
            Self::Manifest => "evidence/manifest.json",
            Self::Evidence => "evidence",
            Self::State => "state",
        }
    }

    /// How its digest is made.
    pub const fn digest_name(self) -> &'static str {
        match self {
            Self::Report | Self::Manifest => SHA256,
            Self::Evidence => EVIDENCE_ROOT,
            Self::State => STATE_ROOT,
        }
    }
}

/// Why bytes are no statement about a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StatementError(String);

/// A statement. Nothing in it is true because it is stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStatement {
    #[serde(rename = "_type")]
    kind: String,
    /// What the run came to, in the report's own words.
    pub predicate: Predicate,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(rename = "subject")]
    subjects: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    digest: Map<String, Value>,
    name: String,
}

/// The members of the report that are stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicate {
    /// The instant, and the tip of the chain.
    pub as_of: Map<String, Value>,
    /// What even a clean report does not prove.
    pub does_not_prove: Vec<String>,
    /// Digests of what the report is a function of.
    pub inputs: Map<String, Value>,
    /// Counts of what was judged: the denominators.
    pub population: Map<String, Value>,
    /// Whether writes may be unfrozen.
    pub ready_to_unfreeze: bool,
    /// Name and version.
    pub tool: Map<String, Value>,
    /// Outcome, exit code, conditions, sentence.
    pub verdict: StatedVerdict,
}

/// The verdict of the run that is attested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedVerdict {
    /// Every condition that was met.
    pub conditions: Vec<String>,
    /// The exit code that the run ended with.
    pub exit_code: u8,
    /// The gravest condition's name.
    pub outcome: String,
    /// One sentence with counts.
    pub sentence: String,
}

/// The beginning of a report: what is stated of it. Its long lists are read over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReportHead {
    /// The report's schema.
    pub schema: String,
    tool: Map<String, Value>,
    as_of: Map<String, Value>,
    inputs: ReportInputs,
    verdict: StatedVerdict,
    population: Map<String, Value>,
    runbook: RunbookHead,
    /// The root over all ledgers.
    pub state_root: Digest32,
    does_not_prove: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct RunbookHead {
    ready_to_unfreeze: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct ReportInputs {
    evidence_root: Digest32,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl ReportHead {
    /// Reads a report's head.
    ///
    /// # Errors
    /// [`StatementError`] naming the member that is missing or of another form.
    pub fn from_bytes(report: &[u8]) -> Result<Self, StatementError> {
        serde_json::from_slice(report).map_err(|error| StatementError(error.to_string()))
    }

    /// The root over the evidence that the report names.
    pub fn evidence_root(&self) -> Digest32 {
        self.inputs.evidence_root
    }
}

impl RunStatement {
    /// What is to be stated of a run whose files are these.
    pub fn about(head: &ReportHead, report: &[u8], manifest: &[u8]) -> Self {
        let digest = |attested| match attested {
            Attested::Report => sha256(report),
            Attested::Manifest => sha256(manifest),
            Attested::Evidence => head.inputs.evidence_root,
            Attested::State => head.state_root,
        };
        let subject = |attested: Attested| Named {
            digest: [(attested.digest_name().to_owned(), digest(attested).to_hex().into())].into_iter().collect(),
            name: attested.name().to_owned(),
        };
        let mut inputs = head.inputs.others.clone();
        inputs.insert("evidence_root".to_owned(), head.inputs.evidence_root.to_hex().into());
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            predicate: Predicate {
                as_of: head.as_of.clone(),
                does_not_prove: head.does_not_prove.clone(),
                inputs,
                population: head.population.clone(),
                ready_to_unfreeze: head.runbook.ready_to_unfreeze,
                tool: head.tool.clone(),
                verdict: head.verdict.clone(),
            },
            predicate_type: REBUILD_PREDICATE.to_owned(),
            subjects: Attested::ALL.into_iter().map(subject).collect(),
        }
    }

    /// Reads a statement about a run. Members that are not known are passed over, as in-toto asks.
    ///
    /// # Errors
    /// [`StatementError`] for another type or predicate, or without a digest of each thing that is attested.
    pub fn from_bytes(payload: &[u8]) -> Result<Self, StatementError> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "_type")]
            kind: String,
            #[serde(rename = "predicateType")]
            predicate_type: String,
        }
        let unreadable = |error: serde_json::Error| StatementError(format!("no in-toto statement: {error}"));
        let kind: Kind = serde_json::from_slice(payload).map_err(unreadable)?;
        if kind.kind != STATEMENT_TYPE {
            return Err(StatementError(format!("a statement of another type than {STATEMENT_TYPE}")));
        }
        if kind.predicate_type != REBUILD_PREDICATE {
            return Err(StatementError(format!("a statement of another predicate than {REBUILD_PREDICATE}")));
        }
        let statement: Self = serde_json::from_slice(payload).map_err(unreadable)?;
        for attested in Attested::ALL {
            let count = statement.subjects.iter().filter(|subject| subject.name == attested.name()).count();
            if count != 1 || statement.digest_in(attested).is_none() {
                let (digest, name) = (attested.digest_name(), attested.name());
                return Err(StatementError(format!("a statement without one {digest} of {name}")));
            }
        }
        Ok(statement)
    }

    /// The digest that is stated.
    pub fn digest(&self, attested: Attested) -> Digest32 {
        self.digest_in(attested).expect("a statement is made with every digest, and read only with every one")
    }

    fn digest_in(&self, attested: Attested) -> Option<Digest32> {
        let subject = self.subjects.iter().find(|subject| subject.name == attested.name())?;
        Digest32::from_hex(subject.digest.get(attested.digest_name())?.as_str()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        json!({
            "schema": "reledger/report/1", "tool": {"name": "reledger", "version": "0"},
            "as_of": {"time": 5, "tip": null},
            "inputs": {"evidence_root": "11".repeat(32), "profile": "p"},
            "verdict": {"outcome": "clean", "exit_code": 0, "conditions": [], "sentence": "all is well"},
            "population": {"events": {"accepted": 1}},
            "runbook": {"ready_to_unfreeze": true, "steps": []},
            "state_root": "22".repeat(32), "does_not_prove": ["anything else"], "divergences": [{"code": "X"}],
        })
    }

    fn statement() -> Value {
        let report = report().to_string();
        let head = ReportHead::from_bytes(report.as_bytes()).unwrap();
        serde_json::to_value(RunStatement::about(&head, report.as_bytes(), b"manifest")).unwrap()
    }

    #[test]
    fn a_statement_names_the_files_by_their_digests_and_repeats_the_verdict() {
        let value = statement();
        let read = RunStatement::from_bytes(value.to_string().as_bytes()).unwrap();
        assert_eq!(read.digest(Attested::Report), sha256(report().to_string().as_bytes()));
        assert_eq!(read.digest(Attested::Manifest), sha256(b"manifest"));
        assert_eq!(read.digest(Attested::Evidence).to_hex(), "11".repeat(32));
        assert_eq!(read.digest(Attested::State).to_hex(), "22".repeat(32));
        assert_eq!(value["predicate"]["inputs"], report()["inputs"]);
        assert_eq!(value["predicate"]["verdict"], report()["verdict"]);
        assert_eq!(value["predicate"]["ready_to_unfreeze"], true);
        assert!(!value.to_string().contains("divergences"));
    }

    #[test]
    fn a_statement_of_another_kind_or_without_a_digest_is_none() {
        for (place, bad) in [
            ("/_type", json!("https://in-toto.io/Statement/v0.1")),
            ("/predicateType", json!("https://slsa.dev/provenance/v1")),
            ("/subject/0/name", json!("report.html")),
            ("/subject/1/digest", json!({"sha1": "00"})),
            ("/subject/3/digest/reledger-state-root-v1", json!("zz")),
            ("/subject", json!([])),
            ("/predicate/verdict", json!(null)),
        ] {
            let mut value = statement();
            *value.pointer_mut(place).unwrap() = bad;
            assert!(RunStatement::from_bytes(value.to_string().as_bytes()).is_err(), "{place}");
        }
        // The same name twice could be read in two ways.
        let mut twice = statement();
        let first = twice["subject"][0].clone();
        twice["subject"].as_array_mut().unwrap().push(first);
        assert!(RunStatement::from_bytes(twice.to_string().as_bytes()).is_err());
        let mut more = statement();
        more["more"] = json!(1);
        assert!(RunStatement::from_bytes(more.to_string().as_bytes()).is_ok());
    }
}
