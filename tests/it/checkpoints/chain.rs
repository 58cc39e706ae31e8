//! Making and judging chains.

use std::fs;

use reledger::domain::{Digest32, MerkleTree, merkle_root};
use reledger::sim::World;
use reledger::sim::seals::{CheckpointBody, sign_checkpoint};

use super::desk::Desk;
use crate::support::{arg, code, copy_folder, report, shown};

fn key(told: &serde_json::Value) -> String {
    told["key_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_checkpoint_seals_what_the_report_came_to_over_ids_in_their_order_and_late_evidence_comes_behind() {
    let desk = Desk::new();
    let first = desk.json(&["checkpoint", "create", "--key-file", &desk.text("one")], 0);
    let state = report(&desk.path("run"))["state_root"].clone();
    assert_eq!((&first["seq"], &first["state_root"], &first["is_new"]), (&0.into(), &state, &true.into()));
    let admitted = || -> Vec<Digest32> {
        let text = fs::read_to_string(desk.path("run/checkpoints/admitted.txt")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    let before = admitted();
    assert!(before.is_sorted() && before.len() > 20);
    // The world's own rule, by another way: the tree over 32-byte ids.
    assert_eq!(first["root"], merkle_root(before.iter().map(Digest32::as_bytes)).to_hex());
    assert_eq!(desk.seal("one", &[])["is_new"], false, "nothing has changed");
    desk.grow();
    let second = desk.seal("one", &[]);
    let after = admitted();
    assert_eq!(after[..before.len()], before);
    assert!(after.len() > before.len() && after[before.len()..].is_sorted());
    assert!(!after.is_sorted(), "what arrives late is not put among what was there");
    assert_eq!((&second["seq"], &second["admitted"]), (&1.into(), &(after.len() - before.len()).into()));
    let verdict = desk.json(&["checkpoint", "verify", "--key", &key(&first)], 0);
    assert_eq!((&verdict["checkpoints"], verdict["faults"].as_array().map(Vec::len)), (&2.into(), Some(0)));
    // Nobody's key, and somebody else's.
    assert_eq!(desk.json(&["checkpoint", "verify"], 3)["checkpoints"], 2);
    desk.json(&["checkpoint", "verify", "--key", &"ab".repeat(32)], 5);
}

#[test]
fn what_does_not_extend_the_chain_is_refused_and_nothing_is_written() {
    let desk = Desk::new();
    desk.grow();
    desk.seal("one", &[]);
    let chain = fs::read(desk.chain()).unwrap();
    let create = |more: &[&str], name: &str| {
        let key = desk.text(name);
        let args = [&["checkpoint", "create", "--no-audit", "--key-file", &key], more].concat();
        args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<String>>()
    };
    let refused = |more: &[&str], name: &str, code: i32| {
        let args = create(more, name);
        desk.ends(&args.iter().map(String::as_str).collect::<Vec<_>>(), code)
    };
    assert!(refused(&[], "two", 6).contains("--rotate"));
    // The evidence shrinks below what was admitted.
    copy_folder(&desk.path("run/checkpoints"), &desk.path("kept"));
    desk.shrink();
    copy_folder(&desk.path("kept"), &desk.path("run/checkpoints"));
    assert!(refused(&["--yes"], "one", 6).contains("does not hold it"));
    // A list of admissions that is not the chain's.
    let list = desk.path("run/checkpoints/admitted.txt");
    let text = fs::read_to_string(&list).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&list, format!("{rest}{first}\n")).unwrap();
    assert!(refused(&[], "one", 5).contains("checksum_error"));
    fs::write(&list, &text[..text.len() - 1]).unwrap();
    assert!(refused(&[], "one", 5).contains("no id"));
    fs::write(&list, &text).unwrap();
    // A dry run writes nothing either.
    desk.grow();
    let would = desk.seal("two", &["--rotate", "--dry-run"]);
    assert_eq!((&would["is_new"], &would["dry_run"]), (&true.into(), &true.into()));
    assert_eq!(fs::read(desk.chain()).unwrap(), chain);
}

#[test]
fn a_key_counts_for_its_term_only() {
    let desk = Desk::new();
    let one = key(&desk.seal("one", &[]));
    desk.grow();
    let two = key(&desk.seal("two", &["--rotate"]));
    let verify = |terms: &[String], code: i32| {
        let file = desk.path("keys");
        fs::write(&file, terms.join("\n")).unwrap();
        desk.json(&["checkpoint", "verify", "--trusted-keys", &desk.text("keys")], code)
    };
    let good = verify(&[format!("{one} 0..1 # until the rotation"), format!("{two} 1..")], 0);
    assert_eq!(good["keys"][0]["key_id"], one);
    assert_eq!((&good["keys"][1]["key_id"], &good["keys"][1]["first"]), (&two.clone().into(), &1.into()));
    verify(&[format!("{one} 0..2"), two.clone()], 0);
    // The boundary elsewhere, a key that is missing, terms the wrong way round.
    for terms in [[format!("{one} 0..1"), format!("{two} 2..")], [format!("{one} 1.."), format!("{two} 0..")]] {
        let told = verify(&terms, 5)["faults"].to_string();
        assert!(told.contains("signature_mismatch"), "{told}");
    }
    verify(&[one], 5);
    desk.ends(&["checkpoint", "verify", "--key", &format!("{two} 5..5")], 2);
}

#[test]
fn holes_overlaps_rewritten_pasts_and_two_contents_are_told_apart() {
    let desk = Desk::new();
    let one = key(&desk.seal("one", &[]));
    let held = desk.path("held");
    let latest = desk.run(&["checkpoint", "export", "--latest", "--key", &one]).stdout;
    assert_eq!(latest, fs::read(desk.chain()).unwrap(), "the newest of one is the chain, byte for byte");
    fs::write(&held, latest).unwrap();
    desk.grow();
    desk.seal("one", &[]);
    let verify = |lines: &[&str], more: &[&str], code: i32| {
        let file = desk.path("chain");
        fs::write(&file, lines.join("\n")).unwrap();
        let chain = desk.text("chain");
        let told = desk.json(&[&["checkpoint", "verify", &chain, "--key", &one], more].concat(), code);
        told["faults"].to_string()
    };
    let text = fs::read_to_string(desk.chain()).unwrap();
    let [first, second] = text.lines().collect::<Vec<_>>()[..] else { panic!("two checkpoints") };
    let held = ["--held", &desk.text("held")];
    assert_eq!(verify(&[first, second], &held, 0), "[]");
    assert_eq!(verify(&[second, first, second], &held, 0), "[]", "neither order nor repetition says anything");
    let hole = verify(&[second], &held, 1);
    assert!(hole.contains("CHK_RANGE") && hole.contains("a hole") && hole.contains("was rewritten"), "{hole}");
    // The same number sealed twice: another run's chain begins at 0, too.
    let other = Desk::new();
    other.grow();
    other.seal("one", &[]);
    let fork = fs::read_to_string(other.chain()).unwrap();
    let two = verify(&[first, second, fork.trim()], &held, 1);
    assert!(two.contains("two contents"), "{two}");
    assert!(verify(&[fork.trim()], &held, 1).contains("was rewritten"));
    assert!(verify(&[&first.replacen("\"seq\":0", "\"seq\":1", 1), second], &[], 5).contains("signature_mismatch"));
    verify(&["{}", first], &[], 3);
    verify(&[], &[], 3);
    desk.ends(&["checkpoint", "verify", "nowhere", "--key", &one], 2);
}

/// As many as `RELEDGER_CHECKPOINTS` says: `make checkpoints` takes 10,000 and tells the time.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the length is chosen from outside, and who chooses it wants to know the time"
)]
fn a_long_chain_is_judged_whole_and_one_line_out_of_its_middle_is_missed() {
    let count = std::env::var("RELEDGER_CHECKPOINTS").map_or(150, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let hand = World::generate(1, 3).hand();
    let mut previous: Option<CheckpointBody> = None;
    let mut tree = MerkleTree::new();
    let (mut lines, mut list) = (Vec::new(), String::new());
    for seq in 0..count {
        let id = reledger::domain::sha256(&u64::to_be_bytes(seq));
        tree.push(id.as_bytes());
        list.push_str(&format!("{id}\n"));
        let body = CheckpointBody {
            seq,
            from: seq,
            until: seq + 1,
            tree_size: seq + 1,
            root: tree.root().to_hex(),
            state_root: id.to_hex(),
            as_of: i64::try_from(seq).unwrap(),
            previous: previous.as_ref().map(CheckpointBody::digest),
        };
        lines.push(sign_checkpoint(&hand, &body));
        previous = Some(body);
    }
    let (chain, admitted) = (folder.path().join("chain.jsonl"), folder.path().join("admitted.txt"));
    fs::write(&admitted, list).unwrap();
    let key = hand.ed25519_public("seal");
    let verify = |lines: &[String]| {
        fs::write(&chain, lines.join("\n")).unwrap();
        crate::support::run(&["checkpoint", "verify", arg(&chain), "--admitted", arg(&admitted), "--key", &key])
    };
    let began = std::time::Instant::now();
    let judged = verify(&lines);
    println!("{count} checkpoints judged in {:?}", began.elapsed());
    assert_eq!(code(&judged), 0, "{}", shown(&judged));
    assert!(shown(&judged).contains(&format!("{count} checkpoints: each extends")), "{}", shown(&judged));
    lines.remove(lines.len() / 2);
    let judged = verify(&lines);
    assert_eq!(code(&judged), 1, "{}", shown(&judged));
    assert!(shown(&judged).contains("2 faults"), "{}", shown(&judged));
}

#[test]
fn after_a_restore_the_published_chain_goes_on_without_a_seam() {
    let desk = Desk::new();
    let one = key(&desk.seal("one", &[]));
    copy_folder(&desk.path("run/checkpoints"), &desk.path("at-snapshot"));
    desk.grow();
    desk.seal("one", &[]);
    copy_folder(&desk.path("run/checkpoints"), &desk.path("published"));
    // What the snapshot held: the first half with its one checkpoint.
    desk.shrink();
    copy_folder(&desk.path("at-snapshot"), &desk.path("run/checkpoints"));
    let (chain, list) = (desk.text("published/chain.jsonl"), desk.text("published/admitted.txt"));
    let stitch = ["checkpoint", "stitch", &chain, "--admitted", &list, "--key", &one];
    assert!(desk.ends(&stitch, 3).contains("replay"), "what was admitted since has to be held first");
    desk.grow();
    assert_eq!(fs::read(desk.chain()).unwrap(), fs::read(desk.path("at-snapshot/chain.jsonl")).unwrap());
    assert_eq!(desk.json(&stitch, 0)["checkpoints"], 1);
    assert_eq!(desk.json(&stitch, 0)["checkpoints"], 0, "once is enough");
    assert_eq!(fs::read(desk.chain()).unwrap(), fs::read(desk.path("published/chain.jsonl")).unwrap());
    assert_eq!(desk.seal("one", &[])["is_new"], false);
    desk.json(&["checkpoint", "verify", "--key", &one, "--held", &desk.text("published/chain.jsonl")], 0);
    // A run that went its own way in between is not overwritten.
    fs::remove_dir_all(desk.path("run/checkpoints")).unwrap();
    desk.seal("one", &[]);
    assert!(desk.ends(&stitch, 6).contains("part here"));
}
