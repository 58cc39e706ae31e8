//! OpenMetrics 1.0 text that classic Prometheus parsers read as well: gauges alone (`info` and `stateset` are no types to
//! node-exporter's parser, and a textfile is no counter), one block for each name, `# EOF` last, which is a comment to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::inert_limited;

/// Characters of one label.
const LABEL_MAX: usize = 160;

/// Metrics while they are written.
#[derive(Default)]
pub(super) struct Metrics(String);

/// One metric: its samples by their labels as they are written. Two that read alike are one, as every parser wants it.
pub(super) struct Family {
    name: &'static str,
    unit: Option<&'static str>,
    help: &'static str,
    samples: BTreeMap<String, i128>,
}

impl Family {
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, unit: None, help, samples: BTreeMap::new() }
    }

    /// The unit that the name ends in.
    pub(super) fn in_unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Adds a sample.
    pub(super) fn with(mut self, labels: &[(&str, &str)], value: impl Into<i128>) -> Self {
        self.add(labels, value);
        self
    }

    /// Adds to a sample, as many as one likes.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Into<i128>) {
        let sample = self.samples.entry(written(labels)).or_default();
        *sample = sample.saturating_add(value.into());
    }
}

impl Metrics {
    /// Writes a metric; one without samples is left out.
    pub(super) fn family(&mut self, family: &Family) {
        self.scaled(family, 0);
    }

    /// As [`Self::family`], its values in so many decimal places: `1500` in 3 is `1.500`.
    pub(super) fn scaled(&mut self, family: &Family, places: usize) {
        if family.samples.is_empty() {
            return;
        }
        let Family { name, unit, help, samples } = family;
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# TYPE reledger_{name} gauge");
        if let Some(unit) = unit {
            let _ = writeln!(self.0, "# UNIT reledger_{name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP reledger_{name} {help}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "reledger_{name}{labels} {}", decimal(*value, places));
        }
    }

    /// Everything, with its end.
    pub(super) fn finish(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

/// Foreign text as a label shows it, before it is escaped; what is shown so is shown so again.
pub(super) fn as_label(value: &str) -> String {
    inert_limited(value, LABEL_MAX)
}

/// `{name="value",..}`; nothing for none. Names are ours; values are made inert and escaped.
fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let one = |(name, value): &(&str, &str)| {
        let value = as_label(value).replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    };
    format!("{{{}}}", labels.iter().map(one).collect::<Vec<_>>().join(","))
}

/// A fixed-point decimal without floats.
fn decimal(value: i128, places: usize) -> String {
    if places == 0 {
        return value.to_string();
    }
    let digits = format!("{:0>1$}", value.unsigned_abs(), places.saturating_add(1));
    let (whole, part) = digits.split_at(digits.len().saturating_sub(places));
    format!("{}{whole}.{part}", if value < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_those_that_read_alike_are_one_sample() {
        let mut metrics = Metrics::default();
        let mut family = Family::new("x", "Some words.");
        family.add(&[("source", "a\"b\\c\nd\u{202e}")], 1);
        family.add(&[("source", "a\"b\\c\\u{a}d\\u{202e}")], 2);
        metrics.family(&family);
        metrics.scaled(&Family::new("y_seconds", "Words.").in_unit("seconds").with(&[], -1_005), 3);
        metrics.family(&Family::new("z", "Never written."));
        assert_eq!(
            metrics.finish(),
            "# TYPE reledger_x gauge\n# HELP reledger_x Some words.\n\
             reledger_x{source=\"a\\\"b\\\\c\\\\u{a}d\\\\u{202e}\"} 3\n\
             # TYPE reledger_y_seconds gauge\n# UNIT reledger_y_seconds seconds\n# HELP reledger_y_seconds Words.\n\
             reledger_y_seconds -1.005\n# EOF\n"
        );
    }

    #[test]
    fn decimals_keep_their_places() {
        for (value, places, text) in
            [(0, 3, "0.000"), (5, 3, "0.005"), (1500, 3, "1.500"), (-12, 1, "-1.2"), (7, 0, "7")]
        {
            assert_eq!(decimal(value, places), text);
        }
    }
}
