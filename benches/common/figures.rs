//! What a benchmark measured, with the facts of the machine, as JSON under `target/bench/`.

use std::path::Path;

use serde_json::{Map, Value, json};

/// Figures by name, in the order in which they were added.
pub(crate) struct Figures {
    benchmark: &'static str,
    about: Map<String, Value>,
    rows: Vec<Value>,
}

impl Figures {
    pub(crate) fn new(benchmark: &'static str) -> Self {
        Self { benchmark, about: Map::new(), rows: Vec::new() }
    }

    /// What was measured: a size, a number of rounds.
    pub(crate) fn about(&mut self, name: &str, value: impl Into<Value>) {
        self.about.insert(name.to_owned(), value.into());
    }

    /// One line of the table.
    pub(crate) fn row(&mut self, name: &str, figures: &[(&str, f64)]) {
        let mut row = Map::from_iter([("name".to_owned(), Value::from(name))]);
        row.extend(figures.iter().map(|(name, figure)| ((*name).to_owned(), Value::from(*figure))));
        self.rows.push(row.into());
    }

    /// Writes `target/bench/NAME.json` and says where it is.
    pub(crate) fn write(self) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("bench");
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let file = folder.join(format!("{}.json", self.benchmark));
        let value = json!({
            "benchmark": self.benchmark, "version": env!("CARGO_PKG_VERSION"), "machine": machine(),
            "about": self.about, "rows": self.rows,
        });
        std::fs::write(&file, format!("{value:#}\n")).expect("the figures can be written");
        println!("figures: {}", file.display());
    }
}

/// What figures depend on beside the program.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    json!({
        "processor": field(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "system": read("/proc/sys/kernel/osrelease").trim(),
        "load": read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>(),
        "architecture": std::env::consts::ARCH,
    })
}
