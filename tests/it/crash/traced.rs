//! The shim's list is complete: the system calls of the same process, as strace tells them, are as many of each kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::desk::{NOW, Template, done, shared_text};
use super::shim::{Call, Strike, calls, is_here, surroundings};
use crate::support::{arg, code, parsed};

/// Whatever changes what a disk holds below a folder, but owners, modes and times.
const SYSTEM_CALLS: &str = "open,openat,openat2,creat,write,writev,pwrite64,pwritev,pwritev2,copy_file_range,sendfile,splice,\
vmsplice,tee,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,syncfs,sync,rename,renameat,renameat2,link,linkat,\
unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,mknod,mknodat,mmap,ioctl,io_uring_setup,io_submit";

/// The kind under which the shim counts a line of strace; `None` for one that changes nothing below the root.
fn kind(line: &str, root: &str) -> Option<String> {
    let (name, rest) = line.split_once('(')?;
    let name = name.rsplit(' ').next()?;
    if ["sync", "io_uring_setup", "io_submit"].contains(&name) {
        return Some(format!("{name}, wherever it goes"));
    }
    // Beside it stand the traces themselves.
    let is_below = |text: &str| ["/", ">", "\""].iter().any(|end| text.contains(&format!("{root}{end}")));
    if !is_below(rest) {
        return None;
    }
    let kind = match name {
        "open" | "openat" | "openat2" | "creat" => {
            // A file without a name (O_TMPFILE) changes nothing that a folder holds, nor does what is written into it.
            let opens = ["O_CREAT", "O_TRUNC"].iter().any(|flag| rest.contains(flag)) || name == "creat";
            return opens.then(|| "open".to_owned());
        }
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => "write",
        "fsync" | "fdatasync" => "sync",
        "ftruncate" => "length",
        "rename" | "renameat" | "renameat2" => "rename",
        "mkdir" | "mkdirat" => "mkdir",
        "unlink" | "unlinkat" | "rmdir" => "remove",
        "mmap" if !(rest.contains("MAP_SHARED") && rest.contains("PROT_WRITE")) => return None,
        "ioctl" if !rest.contains("FICLONE") => return None,
        other => other,
    };
    // Of a write only what it goes to counts, which stands first; its bytes may name anything.
    let names = |to: &str| is_below(to) && !to.contains("(deleted)");
    let is_there = kind != "write" || rest.split(['"', '[']).next().is_some_and(names);
    is_there.then(|| kind.to_owned())
}

fn kind_of(call: &Call) -> String {
    match call.name.as_str() {
        "create" | "cut" | "open" => "open",
        "rename" | "exchange" => "rename",
        "unlink" | "rmdir" => "remove",
        other => other,
    }
    .to_owned()
}

/// The calls of a command by kind, as the shim and as strace count them; `None` where strace does not work.
fn both(root: &Path, args: &[&str], ends: &[i32]) -> Option<[BTreeMap<String, usize>; 2]> {
    let (trace, told) = (root.with_extension("trace"), root.with_extension("strace"));
    let strike = Strike::counting(root, &trace);
    let mut command = Command::new("strace");
    command.env_clear().args(["-f", "-y", "-s", "0", "-o", arg(&told), "-e"]).arg(format!("trace={SYSTEM_CALLS}"));
    for (name, value) in surroundings(&strike) {
        command.arg("-E").arg(format!("{name}={value}"));
    }
    let output = command.arg(env!("CARGO_BIN_EXE_reledger")).args(args).output().ok()?;
    if !ends.contains(&code(&output)) {
        println!("SKIPPED: strace does not work here: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    let mut counts = [BTreeMap::new(), BTreeMap::new()];
    for call in calls(&trace) {
        *counts[0].entry(kind_of(&call)).or_insert(0) += 1;
    }
    let root = arg(root);
    for line in fs::read_to_string(&told).unwrap().lines() {
        // A call that another thread interrupts is told in two lines, of which the first has the names.
        if let Some(kind) = kind(line, root) {
            *counts[1].entry(kind).or_insert(0) += 1;
        }
    }
    Some(counts)
}

#[test]
fn the_shim_sees_every_system_call_that_changes_what_is_below_the_folder() {
    if !is_here() {
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() {
        println!("SKIPPED: strace is not here, and nothing shows that the shim sees everything");
        return;
    }
    let template = Template::of(&[("run", "whole")]);
    let root = template.root().canonicalize().unwrap();
    let (run, out, new, key) = (root.join("run"), root.join("shots"), root.join("new"), shared_text("key"));
    let (run, out, new) = (arg(&run), arg(&out), arg(&new));
    let create = ["snapshot", "create", "--sign-with", &key, "--out", out, "--run", run, "--now", NOW];
    let told = parsed(&done(&[&create[..], &["--json"]].concat()).unwrap());
    fs::remove_dir_all(out).unwrap();
    let file = told["file"].as_str().unwrap();
    let config = shared_text("world/reledger.toml");
    let restore = ["snapshot", "restore", file, "--yes", "--run", run, "--now", NOW];
    let commands: [(&str, Vec<&str>, &[i32]); 5] = [
        ("snapshot create", create.to_vec(), &[0]),
        ("snapshot restore", [&restore[..], &["--own-key"]].concat(), &[0]),
        ("snapshot restore by force", [&restore[..], &["--force-unverified"]].concat(), &[0]),
        ("drill", vec!["drill", "--offline", "-c", &config, "--run", new, "--now", NOW], &[0, 1, 3]),
        ("checkpoint create", vec!["checkpoint", "create", "--no-audit", "--key-file", &key, "--run", new], &[0]),
    ];
    for (name, args, ends) in commands {
        let Some([shim, strace]) = both(&root, &args, ends) else { return };
        assert_eq!(shim, strace, "{name}");
        println!("{name}: {shim:?}, by the shim and by strace");
        fs::remove_file(root.with_extension("trace")).unwrap();
    }
}
