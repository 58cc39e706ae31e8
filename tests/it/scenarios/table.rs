//! How a case is run and what is demanded of its report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::LazyLock;

use reledger::domain::EvidenceId;
use reledger::sim::World;
use serde_json::Value;
use tempfile::tempdir;

use super::scene::Scene;
use crate::support::{code, drill, report, shown};

/// What a fault leaves behind for the report to name.
pub(crate) struct Blame {
    /// A member of the divergence's subject.
    pub(crate) subject: (&'static str, String),
    /// The evidence that it must cite, and as what; `None` where only an absence can be cited.
    pub(crate) evidence: Option<(&'static str, EvidenceId)>,
}

impl Blame {
    pub(crate) fn new(name: &'static str, value: impl Display) -> Self {
        Self { subject: (name, format!("{value}")), evidence: None }
    }

    pub(crate) fn citing(self, role: &'static str, evidence: EvidenceId) -> Self {
        Self { evidence: Some((role, evidence)), ..self }
    }
}

/// One fault and its near miss.
pub(crate) struct Case {
    pub(crate) code: &'static str,
    pub(crate) severity: &'static str,
    /// CONTRACT 2: 1 for error and critical, 0 for warn and info, 3 when something declared could not be established.
    pub(crate) exit: i32,
    pub(crate) fault: fn(&mut Scene) -> Blame,
    /// Codes that follow from the fault, of any severity. Nothing else may be open that an honest world has not.
    pub(crate) beside: &'static [&'static str],
    /// Looks like the fault and is none: the run is clean.
    pub(crate) near_miss: fn(&mut Scene),
    /// Codes below error that the near miss itself brings.
    pub(crate) near_miss_beside: &'static [&'static str],
}

/// The honest world that every case starts from, and the divergences it has by itself.
struct Base {
    world: World,
    known: BTreeSet<(String, String)>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let world = World::generate(7, 60);
    let (exit, report, text) = run(&Scene::of(&world));
    assert_eq!(exit, 0, "the honest world: {text}");
    let known = report["divergences"].as_array().unwrap().iter().map(identity).collect();
    Base { world, known }
});

pub(crate) fn run(scene: &Scene) -> (i32, Value, String) {
    let folder = tempdir().unwrap();
    let config = scene.write(&folder.path().join("world"));
    let run_dir = folder.path().join("run");
    let output = drill(&config, &run_dir, &["--as-of", "2026-10-01T00:00:00Z", "--reveal-users", "--jobs", "1"]);
    let report = if run_dir.join("report.json").exists() { report(&run_dir) } else { Value::Null };
    (code(&output), report, shown(&output))
}

fn identity(divergence: &Value) -> (String, String) {
    let text = |name: &str| divergence[name].as_str().unwrap().to_owned();
    (text("fingerprint"), text("state"))
}

/// What a run shows beyond the honest world: divergences by code, open ones and those of `also_explained`.
fn fresh<'r>(report: &'r Value, also_explained: &str) -> BTreeMap<&'r str, Vec<&'r Value>> {
    let mut by_code: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for divergence in report["divergences"].as_array().into_iter().flatten() {
        let code = divergence["code"].as_str().unwrap();
        let shows = divergence["state"] == "open" || code == also_explained;
        if shows && !BASE.known.contains(&identity(divergence)) {
            by_code.entry(code).or_default().push(divergence);
        }
    }
    by_code
}

/// Runs every case; fails with all that went wrong together.
pub(crate) fn judge(cases: &[Case]) {
    let failures: Vec<String> = cases.iter().flat_map(|case| [fault(case), near_miss(case)]).flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn fault(case: &Case) -> Option<String> {
    let mut scene = Scene::of(&BASE.world);
    let blame = (case.fault)(&mut scene);
    let (exit, report, text) = run(&scene);
    let explained = if case.code == "OTS_PENDING" { case.code } else { "" };
    let fresh = fresh(&report, explained);
    let mut wrong = Vec::new();
    if exit != case.exit {
        wrong.push(format!("exit {exit} instead of {}: {text}", case.exit));
    }
    let expected: BTreeSet<&str> = case.beside.iter().copied().chain([case.code]).collect();
    if fresh.keys().copied().collect::<BTreeSet<_>>() != expected {
        wrong.push(format!("codes {:#?} instead of {expected:?}", fresh.values().flatten().collect::<Vec<_>>()));
    }
    match fresh.get(case.code).map(Vec::as_slice) {
        Some([one]) => wrong.extend(demanded(case, &blame, one)),
        other => wrong.push(format!("{} divergences instead of one", other.map_or(0, <[_]>::len))),
    }
    (!wrong.is_empty()).then(|| format!("{}, fault: {}", case.code, wrong.join("\n  ")))
}

/// Severity, subject and evidence of the one divergence.
fn demanded(case: &Case, blame: &Blame, divergence: &Value) -> Option<String> {
    let (name, value) = &blame.subject;
    let cited = blame.evidence.is_none_or(|(role, id)| {
        let listed = divergence["evidence"].as_array().unwrap();
        listed.iter().any(|one| one["role"] == role && one["id"] == id.to_string().as_str())
    });
    let state = if case.code == "OTS_PENDING" { "explained" } else { "open" };
    let holds = divergence["severity"] == case.severity
        && divergence["state"] == state
        && divergence["subject"][name] == value.as_str()
        && cited;
    (!holds).then(|| {
        format!("wanted {} about {name}={value} citing {:?}, got {divergence:#}", case.severity, blame.evidence)
    })
}

fn near_miss(case: &Case) -> Option<String> {
    let mut scene = Scene::of(&BASE.world);
    (case.near_miss)(&mut scene);
    let (exit, report, text) = run(&scene);
    let fresh = fresh(&report, if case.code == "OTS_PENDING" { case.code } else { "" });
    let allowed: BTreeSet<&str> = case.near_miss_beside.iter().copied().collect();
    let clean = exit == 0 && fresh.keys().copied().collect::<BTreeSet<_>>() == allowed;
    let found: Vec<_> = fresh.values().flatten().collect();
    (!clean).then(|| format!("{}, near miss: exit {exit}, wanted only {allowed:?}, got {found:#?}\n{text}", case.code))
}
