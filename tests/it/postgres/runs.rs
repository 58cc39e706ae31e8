//! Runs of one world with one store or another, workers beside them, and a gate that says who may take a slice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ::postgres::Client;
use tempfile::{TempDir, tempdir};

use super::server::client;
use crate::identity;
use crate::support::{arg, code, reledger, report_bytes, shown};

const EVENTS: u32 = 24;
const FAULTS: usize = 3;
const AS_OF: &str = "2026-10-01T00:00:00Z";

/// The world of most tests, and what a run without any server comes to.
static WORLD: LazyLock<(TempDir, Vec<u8>)> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    faulty(7, folder.path());
    let reference = reported(&drilled(folder.path(), "memory:", &folder.path().join("reference")));
    (folder, reference)
});

/// The folder of the world.
pub(crate) fn world() -> &'static Path {
    WORLD.0.path()
}

/// The bytes of its report.
pub(crate) fn reference() -> &'static [u8] {
    &WORLD.1
}

/// A world with faults, as files. Earlier runs stay out: they have folders of their own.
pub(crate) fn faulty(seed: u64, dir: &Path) {
    identity::faulty(seed, (EVENTS, FAULTS), dir);
}

/// The configuration of a world with that store, beside the others.
fn config(world: &Path, store: &str) -> PathBuf {
    // Tests at work at once have one each.
    static CONFIGS: AtomicU32 = AtomicU32::new(0);
    let text = fs::read_to_string(world.join("reledger.toml")).unwrap();
    assert!(text.contains("url = \"memory:\""));
    let config = world.join(format!("own-{}.toml", CONFIGS.fetch_add(1, Ordering::Relaxed)));
    fs::write(&config, text.replace("url = \"memory:\"", &format!("url = \"{store}\""))).unwrap();
    config
}

/// A command on that run, not started.
pub(crate) fn command(name: &str, world: &Path, store: &str, run: &Path) -> Command {
    let mut command = reledger();
    command.args([name, "-c", arg(&config(world, store)), "--run", arg(run)]);
    command.args(["--progress", "none", "--jobs", "1", "--yes"]);
    if name != "capture" {
        command.args(["--as-of", AS_OF]);
    }
    command
}

/// From empty to a report.
pub(crate) fn drilled(world: &Path, store: &str, run: &Path) -> PathBuf {
    let output = command("drill", world, store, run).output().unwrap();
    assert!(run.join("report.json").exists(), "{}", shown(&output));
    run.to_owned()
}

pub(crate) fn captured(world: &Path, store: &str, run: &Path) {
    let output = command("capture", world, store, run).output().unwrap();
    assert!([0, 3].contains(&code(&output)), "{}", shown(&output));
}

pub(crate) fn reported(run: &Path) -> Vec<u8> {
    report_bytes(run)
}

/// A worker of that store, started.
pub(crate) fn worker(store: &str, more: &[&str]) -> Child {
    let mut command = reledger();
    command.args(["worker", "--store", store, "--progress", "none", "--jobs", "1"]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Asks it to stop as a person would, and waits for its end.
pub(crate) fn stopped(child: Child) -> Output {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait_with_output().unwrap()
}

/// The tables of one schema, past our own code.
pub(crate) struct Tables {
    client: Client,
    schema: String,
}

impl Tables {
    pub(crate) fn open(port: u16, store: &str) -> Self {
        let (_, schema) = store.split_once("schema=").unwrap();
        Self { client: client(port), schema: schema.to_owned() }
    }

    /// Runs a statement, in which `S` stands for the schema; how many rows it changed.
    pub(crate) fn run(&mut self, sql: &str) -> u64 {
        self.client.execute(&sql.replace("S.", &format!("{}.", self.schema)), &[]).unwrap()
    }

    /// One number, or 0 where there is none.
    pub(crate) fn number(&mut self, sql: &str) -> i64 {
        let row = self.client.query_one(&sql.replace("S.", &format!("{}.", self.schema)), &[]).unwrap();
        row.get::<_, Option<i64>>(0).unwrap_or(0)
    }
}

/// Says who may take a slice: a trigger of the test's own, on the tables of one schema.
pub(crate) struct Gate(Tables);

impl Gate {
    /// Shut: nobody gets a slice but workers, and of these each one slice before any gets a second, until `workers` have done
    /// one. Then everybody does.
    pub(crate) fn of_workers(port: u16, store: &str, workers: usize) -> Self {
        let gate = Self(Tables::open(port, store));
        let schema = &gate.0.schema;
        let rule = format!(
            "finished := (SELECT count(DISTINCT worker) FROM {schema}.slice WHERE result IS NOT NULL AND worker LIKE 'worker %'); \
             IF NEW.attempt > OLD.attempt AND finished < {workers} AND (NEW.worker NOT LIKE 'worker %' OR EXISTS \
             (SELECT 1 FROM {schema}.slice WHERE worker = NEW.worker)) THEN RETURN NULL; END IF;"
        );
        gate.set(&rule)
    }

    /// Shut for whoever coordinates, until [`Self::lift`].
    pub(crate) fn for_workers_only(port: u16, store: &str) -> Self {
        Self(Tables::open(port, store))
            .set("IF NEW.attempt > OLD.attempt AND NEW.worker NOT LIKE 'worker %' THEN RETURN NULL; END IF;")
    }

    fn set(mut self, rule: &str) -> Self {
        let schema = &self.0.schema;
        let sql = format!(
            "CREATE OR REPLACE FUNCTION {schema}.gate() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE finished bigint; \
             BEGIN {rule} RETURN NEW; END $$; \
             CREATE TRIGGER gate BEFORE UPDATE ON {schema}.slice FOR EACH ROW EXECUTE FUNCTION {schema}.gate()"
        );
        self.0.client.batch_execute(&sql).unwrap();
        self
    }

    /// Everybody may take slices now.
    pub(crate) fn lift(&mut self) {
        self.0.client.batch_execute(&format!("DROP TRIGGER IF EXISTS gate ON {}.slice", self.0.schema)).unwrap();
    }

    /// The time of every lease that is held is over.
    pub(crate) fn expire(&mut self) -> u64 {
        self.0.run("UPDATE S.slice SET expires = now() - interval '1 second' WHERE result IS NULL AND attempt > 0")
    }

    /// Returns when work is on offer.
    pub(crate) fn wait_for_work(&mut self) {
        while self.number("SELECT count(*) FROM S.slice") == 0 {
            std::thread::yield_now();
        }
    }

    /// One number out of the tables, in whose names `S` stands for the schema.
    pub(crate) fn number(&mut self, sql: &str) -> i64 {
        self.0.number(sql)
    }
}
