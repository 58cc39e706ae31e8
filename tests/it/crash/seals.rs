//! Checkpoints that are made, and chains that are taken over.

use std::fs;
use std::path::Path;

use super::desk::{NOW, Template, done, holds, names, owned, shared_text};
use super::matrix::{Must, Scene, tried};
use super::shim::is_here;
use crate::support::{arg, copy_folder, parsed, tree};

/// The three files of a chain, by their names; a folder without them has none.
const FILES: [&str; 3] = ["admitted.txt", "chain.jsonl", "latest.jsonl"];

fn create(root: &Path) -> Vec<String> {
    let (run, key) = (root.join("run"), shared_text("key"));
    owned(&["checkpoint", "create", "--no-audit", "--key-file", &key, "--run", arg(&run), "--now", NOW])
}

fn text(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn chain(root: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(root.join("run/checkpoints/chain.jsonl")).unwrap_or_default();
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn admitted(root: &Path) -> Vec<u8> {
    fs::read(root.join("run/checkpoints/admitted.txt")).unwrap_or_default()
}

/// What a scene of checkpoints begins and ends with.
struct Chains {
    old: Vec<Vec<u8>>,
    new: Vec<Vec<u8>>,
    admitted: Vec<u8>,
    run: std::collections::BTreeMap<String, Vec<u8>>,
}

impl Chains {
    /// Of a template, and of what the command makes of it.
    fn of(template: &Path, command: &dyn Fn(&Path) -> Vec<String>) -> Self {
        let scratch = Template::of(&[]);
        let root = scratch.root().join("all");
        copy_folder(template, &root);
        done(&text(&command(&root))).unwrap();
        let new = chain(&root);
        assert_eq!(fs::read(root.join("run/checkpoints/latest.jsonl")).unwrap(), *new.last().unwrap());
        Self { old: chain(template), new, admitted: admitted(&root), run: run_without_chain(template) }
    }

    fn judge(&self, root: &Path, must: Must) -> Result<(), String> {
        holds(run_without_chain(root) == self.run, || "the run is not as it was".to_owned())?;
        let now = chain(root);
        holds(now == self.old || now == self.new, || "neither the old chain nor the new one".to_owned())?;
        holds(now == self.new || must != Must::New, || "it said that it is done, and the old chain stands".to_owned())?;
        // Leaves that the chain names are listed; what comes behind them means nothing.
        let size = now.last().map_or(0, |line| parsed(line)["body"]["tree_size"].as_u64().unwrap());
        let listed = admitted(root);
        let size = usize::try_from(size).unwrap() * 65;
        holds(listed.get(..size) == self.admitted.get(..size), || "admitted.txt lacks what was sealed".to_owned())?;
        if let Ok(latest) = fs::read(root.join("run/checkpoints/latest.jsonl")) {
            holds(now.contains(&latest), || "latest.jsonl is no checkpoint of the chain".to_owned())?;
        }
        for name in names(&root.join("run/checkpoints")) {
            let half = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
            let is_half = half.is_some_and(|name| FILES.contains(&name)) && must == Must::Either;
            holds(is_half || FILES.contains(&name.as_str()), || format!("{name} stands there"))?;
        }
        Ok(())
    }

    /// After the same command was given once more.
    fn ended(&self, root: &Path) -> Result<(), String> {
        holds(chain(root) == self.new, || "the next one made another chain".to_owned())?;
        holds(admitted(root) == self.admitted, || "the next one admitted something else".to_owned())?;
        let latest = fs::read(root.join("run/checkpoints/latest.jsonl")).unwrap_or_default();
        holds(Some(&latest) == self.new.last(), || "latest.jsonl is not the newest checkpoint".to_owned())
    }
}

/// The run but its chain and the lock.
fn run_without_chain(root: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut all = tree(&root.join("run"));
    all.retain(|name, _| !name.starts_with("checkpoints/") && !name.starts_with("state/"));
    all
}

fn scene(name: &str, template: &Template, share: usize, command: &(dyn Fn(&Path) -> Vec<String> + Sync)) {
    let chains = Chains::of(template.root(), command);
    let judge = |root: &Path, must: Must| {
        chains.judge(root, must)?;
        done(&text(&command(root)))?;
        chains.ended(root)
    };
    tried(&Scene { name, template: template.root(), args: command, ends: 0, judge: &judge, lacks: None, share });
}

#[test]
fn a_checkpoint_is_in_the_chain_or_not_and_the_next_one_has_the_right_number() {
    if !is_here() {
        return;
    }
    scene("checkpoint create, the first", &Template::of(&[("run", "half")]), 1, &create);
    let grown = Template::of(&[("run", "half")]);
    done(&text(&create(grown.root()))).unwrap();
    let (run, kept) = (grown.root().join("run"), grown.root().join("kept"));
    fs::rename(run.join("checkpoints"), &kept).unwrap();
    fs::remove_dir_all(&run).unwrap();
    copy_folder(&super::desk::shared("whole"), &run);
    fs::rename(&kept, run.join("checkpoints")).unwrap();
    scene("checkpoint create, the second", &grown, 3, &create);
    stitching(&grown);
}

/// The published chain has two checkpoints, the run the first of them.
fn stitching(grown: &Template) {
    let published = Template::of(&[]);
    copy_folder(grown.root(), &published.root().join("all"));
    done(&text(&create(&published.root().join("all")))).unwrap();
    let told = parsed(chain(&published.root().join("all")).last().unwrap());
    let key = told["key_id"].as_str().unwrap();
    let at = |name: &str| published.text(&format!("all/run/checkpoints/{name}"));
    let (chain, admitted) = (at("chain.jsonl"), at("admitted.txt"));
    let command = |root: &Path| {
        let run = root.join("run");
        owned(&[
            "checkpoint",
            "stitch",
            &chain,
            "--admitted",
            &admitted,
            "--key",
            key,
            "--run",
            arg(&run),
            "--now",
            NOW,
        ])
    };
    scene("checkpoint stitch", grown, 3, &command);
}
