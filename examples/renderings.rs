//! Renders a `report.json` that stands by itself in every way, into a folder. `make test-renderings` gives hostile reports through it
//! to readers of others: the command renders only what a run wrote.
//!
//! ```sh
//! cargo run --example renderings -- report.json DIR
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use reledger::report::{Document, Measurements, Rendering, Table};

const RENDERINGS: [(&str, Rendering); 8] = [
    ("text", Rendering::Text),
    ("html", Rendering::Html),
    ("md", Rendering::Markdown),
    ("junit", Rendering::Junit),
    ("openmetrics", Rendering::OpenMetrics),
    ("divergences", Rendering::Csv(Table::Divergences)),
    ("coverage", Rendering::Csv(Table::Coverage)),
    ("checks", Rendering::Csv(Table::Checks)),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (report, folder) = args.next().zip(args.next()).ok_or("usage: renderings REPORT DIR")?;
    let path = PathBuf::from(report);
    let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(File::open(&path)?)) };
    let document = Document::read(&open)?;
    let measured = Measurements { started_at: 1, finished_at: Some(2), ..Measurements::default() };
    for (name, rendering) in RENDERINGS {
        let mut out = BufWriter::new(File::create(Path::new(&folder).join(name))?);
        rendering.write(&document, Some(&measured), &mut out)?;
        out.flush()?;
    }
    Ok(())
}
