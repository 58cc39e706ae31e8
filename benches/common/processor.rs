//! Processor time: load that others cause does not show in it.

/// User and system time so far in seconds, of all threads and of children that have ended; not a number where there is no `/proc`.
pub(crate) fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in the second field may hold spaces; times are fields 14 to 17, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    if ticks.len() == 4 { ticks.iter().sum::<f64>() / 100.0 } else { f64::NAN }
}
