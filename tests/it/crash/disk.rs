//! What a disk holds after a power cut: a model that repeats the calls of a trace, knows what was flushed, and draws what may be
//! there when the rest is lost.
//!
//! A file's bytes are safe once the file was flushed; a name is safe once its folder was flushed, and flushing a file makes no
//! name safe (POSIX promises no more). What stood there before the command began is safe. Of what is not safe each of
//! [`NAMES`] and each of [`BYTES`] may be what is left, in every combination. Changes of names reach the disk in order, as they
//! do where there is a journal; bytes may reach it before or after any name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use reledger::domain::{Digest32, sha256};

use super::shim::Call;

/// What is left of changes to names that were not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Names {
    /// All are undone.
    Undone,
    /// The first half of them is done.
    Half,
    /// All are done.
    Kept,
}

/// What is left of bytes that were not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bytes {
    /// The file is as it was when it was flushed last.
    Cut,
    /// The first half of the writes is there, and of an odd one in the middle its first half.
    Half,
    /// The file has its length, and zeros where the bytes would be.
    Zeros,
    /// They are there.
    Kept,
}

pub(super) const NAMES: [Names; 3] = [Names::Undone, Names::Half, Names::Kept];
pub(super) const BYTES: [Bytes; 4] = [Bytes::Cut, Bytes::Half, Bytes::Zeros, Bytes::Kept];

/// Names below a root; a file with its bytes, a folder with none.
pub(super) type Tree = BTreeMap<String, Option<Vec<u8>>>;

enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Change>,
    now: Vec<u8>,
    /// Counts what was done to it.
    version: u64,
}

enum Node {
    Folder(BTreeMap<String, usize>),
    File(File),
}

/// A name that came, went, or means something else now, in one folder.
struct Effect {
    folder: usize,
    name: String,
    node: Option<usize>,
    is_safe: bool,
}

/// The disk below one folder, node 0.
pub(super) struct Disk {
    root: String,
    nodes: Vec<Node>,
    inodes: BTreeMap<u64, usize>,
    first: BTreeMap<usize, BTreeMap<String, usize>>,
    /// Changes of names in order, each with what it does to one folder or to two.
    renamed: Vec<Vec<Effect>>,
    digests: RefCell<BTreeMap<(usize, u64, Bytes), Digest32>>,
}

impl Disk {
    /// What stands below a folder, all of it safe.
    pub(super) fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_str().unwrap().to_owned(),
            nodes: Vec::new(),
            inodes: BTreeMap::new(),
            first: BTreeMap::new(),
            renamed: Vec::new(),
            digests: RefCell::default(),
        };
        disk.load(root);
        disk
    }

    fn load(&mut self, path: &Path) -> usize {
        let found = path.symlink_metadata().unwrap();
        assert!(found.is_dir() || found.is_file(), "{}", path.display());
        let id = self.nodes.len();
        self.inodes.insert(found.ino(), id);
        if found.is_file() {
            let bytes = fs::read(path).unwrap();
            self.nodes.push(Node::File(File { synced: bytes.clone(), now: bytes, ..File::default() }));
            return id;
        }
        self.nodes.push(Node::Folder(BTreeMap::new()));
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            names.insert(entry.file_name().into_string().unwrap(), self.load(&entry.path()));
        }
        self.first.insert(id, names.clone());
        self.nodes[id] = Node::Folder(names);
        id
    }

    /// Repeats one call. What it can't repeat it refuses: a power cut would be drawn wrong.
    pub(super) fn repeat(&mut self, call: &Call) {
        if call.result < 0 {
            return;
        }
        match call.name.as_str() {
            "open" => {}
            "create" => self.make(call, Node::File(File::default())),
            "mkdir" => self.make(call, Node::Folder(BTreeMap::new())),
            "cut" => self.change(call.inode, Change::Length(0)),
            "length" => self.change(call.inode, Change::Length(usize::try_from(call.length).unwrap())),
            "write" => {
                self.change(call.inode, Change::Write(usize::try_from(call.offset).unwrap(), call.bytes.clone()));
            }
            "unlink" | "rmdir" => {
                let (folder, name) = self.place(&call.path);
                self.rename(vec![(folder, name, None)]);
            }
            "rename" | "exchange" => {
                let ((from, old), (to, new)) = (self.place(&call.path), self.place(&call.other));
                let (moved, there) = (self.names(from)[&old], self.names(to).get(&new).copied());
                let left = if call.name == "exchange" { there } else { None };
                self.rename(vec![(from, old, left), (to, new, Some(moved))]);
            }
            "sync" => self.sync(call.inode),
            other => panic!("the model of a power cut does not know {other}: {}", call.path.display()),
        }
    }

    fn names(&self, folder: usize) -> &BTreeMap<String, usize> {
        match &self.nodes[folder] {
            Node::Folder(names) => names,
            Node::File(_) => panic!("node {folder} is no folder"),
        }
    }

    /// The folder of a path as it is now, and the last part's name.
    fn place(&self, path: &Path) -> (usize, String) {
        let inner = path.to_str().unwrap().strip_prefix(&self.root).expect("it is below the root");
        let parts: Vec<&str> = inner.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let (last, folders) = parts.split_last().expect("the root keeps its name");
        let folder = folders.iter().fold(0, |folder, part| self.names(folder)[*part]);
        (folder, (*last).to_owned())
    }

    fn make(&mut self, call: &Call, node: Node) {
        let (folder, name) = self.place(&call.path);
        let id = self.nodes.len();
        self.nodes.push(node);
        self.inodes.insert(call.inode, id);
        self.rename(vec![(folder, name, Some(id))]);
    }

    fn rename(&mut self, effects: Vec<(usize, String, Option<usize>)>) {
        for (folder, name, node) in &effects {
            let Node::Folder(names) = &mut self.nodes[*folder] else { panic!("node {folder} is no folder") };
            match node {
                Some(node) => names.insert(name.clone(), *node),
                None => names.remove(name),
            };
        }
        let effect = |(folder, name, node)| Effect { folder, name, node, is_safe: false };
        self.renamed.push(effects.into_iter().map(effect).collect());
    }

    fn change(&mut self, inode: u64, change: Change) {
        let Node::File(file) = &mut self.nodes[self.inodes[&inode]] else { panic!("bytes for a folder") };
        apply(&mut file.now, &change, Bytes::Kept);
        file.pending.push(change);
        file.version += 1;
    }

    fn sync(&mut self, inode: u64) {
        let id = self.inodes[&inode];
        match &mut self.nodes[id] {
            Node::File(file) => {
                file.synced.clone_from(&file.now);
                file.pending.clear();
                file.version += 1;
            }
            Node::Folder(_) => {
                let effects = self.renamed.iter_mut().flatten().filter(|effect| effect.folder == id);
                effects.for_each(|effect| effect.is_safe = true);
            }
        }
    }

    /// What the folders hold when that is left of their changes.
    fn folders(&self, left: Names) -> BTreeMap<usize, BTreeMap<String, usize>> {
        let mut folders = self.first.clone();
        let open = self.renamed.iter().filter(|effects| effects.iter().any(|effect| !effect.is_safe)).count();
        let mut done = match left {
            Names::Undone => 0,
            Names::Half => open / 2,
            Names::Kept => open,
        };
        for effects in &self.renamed {
            let mut is_done = true;
            if effects.iter().any(|effect| !effect.is_safe) {
                is_done = done > 0;
                done = done.saturating_sub(1);
            }
            for effect in effects.iter().filter(|effect| is_done || effect.is_safe) {
                let names = folders.entry(effect.folder).or_default();
                match effect.node {
                    Some(node) => names.insert(effect.name.clone(), node),
                    None => names.remove(&effect.name),
                };
            }
        }
        folders
    }

    /// Every file and folder that is there then, by its name.
    fn walk(&self, left: Names) -> Vec<(String, usize)> {
        let folders = self.folders(left);
        let (mut all, mut open) = (Vec::new(), vec![(String::new(), 0)]);
        while let Some((path, id)) = open.pop() {
            for (name, node) in folders.get(&id).into_iter().flatten() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                all.push((path.clone(), *node));
                if matches!(self.nodes[*node], Node::Folder(_)) {
                    open.push((path, *node));
                }
            }
        }
        all.sort();
        all
    }

    /// What is there after a power cut that leaves this.
    pub(super) fn left(&self, names: Names, bytes: Bytes) -> Tree {
        let content = |node: &usize| match &self.nodes[*node] {
            Node::Folder(_) => None,
            Node::File(file) => Some(file.left(bytes)),
        };
        self.walk(names).into_iter().map(|(path, node)| (path, content(&node))).collect()
    }

    /// [`digest`] of [`Self::left`], without drawing again what has not changed.
    pub(super) fn digest_left(&self, names: Names, bytes: Bytes) -> Digest32 {
        let mut digests = self.digests.borrow_mut();
        let mut of = |node: usize| match &self.nodes[node] {
            Node::Folder(_) => None,
            Node::File(file) => {
                let bytes = if file.pending.is_empty() { Bytes::Kept } else { bytes };
                let digest = digests.entry((node, file.version, bytes)).or_insert_with(|| sha256(&file.left(bytes)));
                Some(*digest)
            }
        };
        summed(self.walk(names).into_iter().map(|(path, node)| (path, of(node))))
    }
}

impl File {
    fn left(&self, bytes: Bytes) -> Vec<u8> {
        let mut left = match bytes {
            Bytes::Kept => return self.now.clone(),
            Bytes::Cut | Bytes::Half | Bytes::Zeros => self.synced.clone(),
        };
        let half = self.pending.len() / 2;
        for (at, change) in self.pending.iter().enumerate() {
            match (bytes, change) {
                (Bytes::Cut, _) => {}
                (Bytes::Half, Change::Write(offset, written)) if at == half && self.pending.len() % 2 == 1 => {
                    apply(&mut left, &Change::Write(*offset, written[..written.len() / 2].to_vec()), bytes);
                }
                (Bytes::Half, _) if at >= half => {}
                _ => apply(&mut left, change, bytes),
            }
        }
        left
    }
}

fn apply(file: &mut Vec<u8>, change: &Change, left: Bytes) {
    match change {
        Change::Length(length) => file.resize(*length, 0),
        Change::Write(offset, bytes) => {
            let end = offset + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            match left {
                Bytes::Zeros => file[*offset..end].fill(0),
                _ => file[*offset..end].copy_from_slice(bytes),
            }
        }
    }
}

/// One digest for names and bytes.
pub(super) fn digest(tree: &Tree) -> Digest32 {
    summed(tree.iter().map(|(path, bytes)| (path.clone(), bytes.as_deref().map(sha256))))
}

fn summed(rows: impl Iterator<Item = (String, Option<Digest32>)>) -> Digest32 {
    let mut all = String::new();
    for (path, content) in rows {
        all.push_str(&path);
        all.push(' ');
        all.push_str(&content.map_or_else(|| "folder".to_owned(), |content| content.to_hex()));
        all.push('\n');
    }
    sha256(all.as_bytes())
}

/// What stands below a folder.
pub(super) fn tree_of(root: &Path) -> Tree {
    Disk::of(root).left(Names::Kept, Bytes::Kept)
}

/// Puts a tree onto the disk.
pub(super) fn lay(tree: &Tree, root: &Path) {
    fs::create_dir_all(root).unwrap();
    for (path, bytes) in tree {
        match bytes {
            // A folder's name comes before the names in it.
            None => fs::create_dir(root.join(path)).unwrap(),
            Some(bytes) => fs::write(root.join(path), bytes).unwrap(),
        }
    }
}
