//! What a benchmark measured, with the facts of the machine, as JSON under `target/bench/`.

#[path = "machine.rs"]
mod machine;

use std::path::Path;

use serde_json::{Map, Value, json};

/// Figures by name, in the order in which they were added.
pub(crate) struct Figures {
    benchmark: &'static str,
    load_before: String,
    about: Map<String, Value>,
    rows: Vec<Value>,
}

impl Figures {
    pub(crate) fn new(benchmark: &'static str) -> Self {
        Self { benchmark, load_before: machine::load(), about: Map::new(), rows: Vec::new() }
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
            "benchmark": self.benchmark, "version": env!("CARGO_PKG_VERSION"), "machine": machine::facts(&self.load_before),
            "about": self.about, "rows": self.rows,
        });
        std::fs::write(&file, format!("{value:#}\n")).expect("the figures can be written");
        println!("figures: {}", file.display());
    }
}
