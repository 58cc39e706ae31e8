//! A finished run's ledgers in a store that others read: judged again, loaded, switched, compared.

#[cfg(feature = "redis")]
mod into;
mod section;
#[cfg(feature = "redis")]
mod show;

#[cfg(feature = "redis")]
pub use into::{IntoOptions, IntoPlan, RestoredInto, plan_restore, restore_into};
pub use section::RestoreSection;
#[cfg(feature = "redis")]
pub use show::{restored_lines, restored_sentence, restored_text, restored_value};
