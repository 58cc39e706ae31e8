//! Whether what a monthly drill restored still means the same: the layout of the snapshot, and lists of the configuration, of
//! published documents and of the substrate that should agree.

use crate::app::doctor::{Check, Patient, diagnose};
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Observer};
use crate::app::replay::RestoredFrom;
use crate::app::snapshots::SCHEMA_CURSOR;

/// How the names of checks on lists begin.
const DRIFT: &str = "drift.";

/// The layout of the snapshot, and every check of `doctor` on lists that drift apart, over the run as it is now. Contacts nobody
/// beyond what the patient allows.
///
/// # Errors
/// As [`diagnose`].
pub fn schema_drift(
    patient: &Patient<'_>,
    origin: &RestoredFrom,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<Check>, AppError> {
    let name = "drift.layout";
    let layout = format!("layout {} of {SCHEMA_CURSOR}", origin.schema_cursor);
    let mut checks = vec![if origin.schema_cursor == SCHEMA_CURSOR {
        Check::ok(name, "", layout)
    } else {
        Check::warned(name, "", layout).with_hint("make a new snapshot: this one is of an earlier layout")
    }];
    checks.extend(diagnose(patient, observer, cancel)?.into_iter().filter(|check| check.name.starts_with(DRIFT)));
    Ok(checks)
}
