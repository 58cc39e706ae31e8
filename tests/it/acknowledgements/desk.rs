//! An operator's desk: a written world, its configuration with a register and a pinned key, and a run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;

use tempfile::TempDir;

use crate::support::{arg, drill, run, write_world};

/// RFC 8032, section 7.1, test 1.
pub(super) const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
/// Its public key.
pub(super) const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// The signer's clock: the world is judged for the day before.
pub(super) const NOW: &str = "2026-10-02T00:00:00Z";

pub(super) struct Desk {
    pub(super) dir: PathBuf,
    pub(super) run: PathBuf,
    pub(super) key: PathBuf,
    _folder: TempDir,
}

impl Desk {
    /// An honest world with one more line about its federation.
    pub(super) fn new(federation_line: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("world");
        write_world(&dir, 5, 20);
        let key = folder.path().join("key");
        fs::write(&key, format!("{SECRET}\n")).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let desk = Self { run: folder.path().join("run"), dir, key, _folder: folder };
        desk.config("[federations.oc-me-v1]\n", &format!("[federations.oc-me-v1]\n{federation_line}\n"));
        let path = desk.dir.join("reledger.toml");
        let text = fs::read_to_string(&path).unwrap();
        let section = format!("[acknowledgements]\nkeys = [\"{PUBLIC}\"]\nfile = \"acks.jsonl\"\n");
        fs::write(&path, format!("{text}\n{section}")).unwrap();
        desk
    }

    pub(super) fn toml(&self) -> PathBuf {
        self.dir.join("reledger.toml")
    }

    pub(super) fn register(&self) -> PathBuf {
        self.dir.join("acks.jsonl")
    }

    /// Edits the configuration.
    pub(super) fn config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.toml()).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.toml(), text.replace(from, to)).unwrap();
    }

    /// Takes the world and its configuration away.
    pub(super) fn forget(&self) {
        fs::remove_dir_all(&self.dir).unwrap();
    }

    pub(super) fn drill(&self) -> Output {
        drill(&self.toml(), &self.run, &["--as-of", "2026-10-01"])
    }

    pub(super) fn rebuild(&self, more: &[&str]) -> Output {
        let config = self.toml();
        let mut args = vec!["rebuild", "-c", arg(&config), "--run", arg(&self.run), "--yes", "--progress", "none"];
        args.extend(if more.contains(&"--as-of") { &[][..] } else { &["--as-of", "2026-10-01"] });
        args.extend(more);
        run(&args)
    }

    /// `divergences ...` in this run, with this configuration.
    pub(super) fn divergences(&self, more: &[&str]) -> Output {
        let config = self.toml();
        let mut args = vec!["divergences", "-c", arg(&config), "--run", arg(&self.run), "--now", NOW];
        args.extend(more);
        run(&args)
    }

    /// `divergences ack` with the pinned key.
    pub(super) fn ack(&self, names_and_flags: &[&str], expires: &str) -> Output {
        let mut args = vec!["ack", "--key-file", arg(&self.key), "--reason", "we know", "--by", "ops"];
        args.extend(["--expires", expires]);
        args.extend(names_and_flags);
        self.divergences(&args)
    }

    pub(super) fn withdraw(&self, id: &str) -> Output {
        self.divergences(&["ack", "--withdraw", id, "--key-file", arg(&self.key), "--reason", "it is settled"])
    }
}
