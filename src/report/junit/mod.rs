//! `report.xml`: the report for a build server, one testcase for each check. docs/renderings.md says how to use it.

mod cases;
mod named;
mod xml;

use std::io::{self, Write};

use super::document::{Document, DocumentError};
use cases::{Case, Result};
use named::Named;

/// Writes the test suite: `verdict` first, then every check that ran, then what no check answers for, then what did not run.
///
/// A suite fails exactly when the run's exit code is not 0, and it is never empty.
///
/// # Errors
/// [`DocumentError`]: what was written by then is not whole.
pub(super) fn write_junit(document: &Document<'_>, out: &mut dyn Write) -> std::result::Result<(), DocumentError> {
    let named = Named::of(document)?;
    let cases = cases::of(document, &named);
    write(&cases, out)?;
    Ok(())
}

fn write(cases: &[Case], out: &mut dyn Write) -> io::Result<()> {
    let count = |is: fn(&Result) -> bool| cases.iter().filter(|case| is(&case.result)).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        cases.len(),
        count(|result| matches!(result, Result::Failed { .. })),
        count(|result| matches!(result, Result::Error { .. })),
        count(|result| matches!(result, Result::Skipped { .. }))
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites>")?;
    writeln!(out, "  <testsuite name=\"reledger\" {counts}>")?;
    for case in cases {
        write_case(case, out)?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn write_case(case: &Case, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    <testcase classname=\"{}\" name=\"{}\">", xml::text(&case.class), xml::text(&case.name))?;
    let (element, message, lines) = match &case.result {
        Result::Passed => (None, "", &[][..]),
        Result::Failed { message, lines } => (Some("failure"), message.as_str(), lines.as_slice()),
        Result::Error { message, lines } => (Some("error"), message.as_str(), lines.as_slice()),
        Result::Skipped { message } => (Some("skipped"), message.as_str(), &[][..]),
    };
    match element {
        Some("skipped") => writeln!(out, "      <skipped message=\"{}\"/>", xml::text(message))?,
        Some(element) => {
            // The type is one word: what a build server groups by.
            let kind = if element == "error" { "could_not_check" } else { "divergent" };
            write!(out, "      <{element} type=\"{kind}\" message=\"{}\">", xml::text(message))?;
            write_lines(lines, out)?;
            writeln!(out, "</{element}>")?;
        }
        None => {}
    }
    if !case.said.is_empty() {
        write!(out, "      <system-out>")?;
        write_lines(&case.said, out)?;
        writeln!(out, "</system-out>")?;
    }
    writeln!(out, "    </testcase>")
}

fn write_lines(lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        write!(out, "{}", xml::text(line))?;
    }
    Ok(())
}
