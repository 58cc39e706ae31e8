//! Runs from empty: what stands there is finished, or is gone on with by the same command to the same report.

use std::path::Path;

use reledger::app::FinishedRun;

use super::desk::{NOW, Template, holds, names, owned, shared_text};
use super::matrix::{Must, Scene, tried};
use super::shim::is_here;
use crate::support::{arg, code, report_bytes, run, shown};

fn command(root: &Path) -> Vec<String> {
    let (config, place) = (shared_text("world/reledger.toml"), root.join("run"));
    owned(&[
        "drill",
        "--offline",
        "-c",
        &config,
        "--run",
        arg(&place),
        "--now",
        NOW,
        "--progress",
        "none",
        "-q",
        "--jobs",
        "1",
    ])
}

#[test]
fn a_run_that_is_cut_short_comes_to_the_same_report_by_the_same_command() {
    if !is_here() {
        return;
    }
    let template = Template::of(&[]);
    let whole = Template::of(&[]);
    let args = command(whole.root());
    let output = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let ends = code(&output);
    let report = report_bytes(&whole.root().join("run"));
    let judge = |root: &Path, must: Must| {
        holds(names(root).iter().all(|name| name == "run"), || format!("{:?}", names(root)))?;
        let place = root.join("run");
        let is_done = match FinishedRun::verified(&place) {
            Ok(_) => {
                holds(report_bytes(&place) == report, || "a finished run has another report".to_owned())?;
                true
            }
            Err(reledger::app::AppError::Config { .. }) => false,
            Err(error) => return Err(format!("neither finished nor begun: {error}")),
        };
        holds(is_done || must != Must::New, || "it said that it is done, and it is not".to_owned())?;
        if !is_done {
            let args = command(root);
            let again = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
            holds(code(&again) == ends, || format!("the same command does not go on: {}", shown(&again)))?;
        }
        FinishedRun::verified(&place).map_err(|error| error.to_string())?;
        holds(report_bytes(&place) == report, || "it came to another report".to_owned())
    };
    let name = "drill from empty";
    tried(&Scene { name, template: template.root(), args: &command, ends, judge: &judge, lacks: None, share: 32 });
}
