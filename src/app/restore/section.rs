//! `[restore]`: how the keys of a restored store are named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::error::AppError;
use crate::app::plan::config_error;
use crate::target::{Kind, Layout};

/// `[restore]`. A template that is not named is the default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestoreSection {
    /// What every key begins with.
    pub prefix: Option<String>,
    /// Envelopes but rebinds: `{id}`.
    pub envelope: Option<String>,
    /// Custody transitions: `{id}`.
    pub rebind: Option<String>,
    /// Graduations: `{id}`.
    pub graduation: Option<String>,
    /// Rotations: `{id}`.
    pub rotation: Option<String>,
    /// Guardian descriptors: `{id}`.
    pub descriptor: Option<String>,
    /// Entries of the treasury's journal: `{fact}`.
    pub treasury: Option<String>,
    /// Attestations: `{id}`.
    pub attestation: Option<String>,
    /// Price configs: `{config}`, and `{project}` where wanted.
    pub project: Option<String>,
    /// A user's events by time: `{user}`.
    pub by_user: Option<String>,
    /// A project's events by time: `{project}`.
    pub by_project: Option<String>,
    /// What the store was restored from; no placeholder.
    pub meta: Option<String>,
}

impl RestoreSection {
    /// The layout that it names.
    ///
    /// # Errors
    /// [`AppError::Config`] for a placeholder that is not known, and for templates that collide.
    pub fn layout(&self) -> Result<Layout, AppError> {
        let of = |kind| match kind {
            Kind::Envelope => &self.envelope,
            Kind::Rebind => &self.rebind,
            Kind::Graduation => &self.graduation,
            Kind::Rotation => &self.rotation,
            Kind::Descriptor => &self.descriptor,
            Kind::Treasury => &self.treasury,
            Kind::Attestation => &self.attestation,
            Kind::Project => &self.project,
            Kind::ByUser => &self.by_user,
            Kind::ByProject => &self.by_project,
            Kind::Meta => &self.meta,
        };
        let named: BTreeMap<Kind, String> =
            Kind::ALL.into_iter().filter_map(|kind| Some((kind, of(kind).clone()?))).collect();
        let layout = Layout::new(self.prefix.as_deref().unwrap_or(Layout::PREFIX), &named);
        layout.map_err(|error| {
            let what = format!("[restore]: {}", crate::domain::inert_limited(&error.to_string(), 400));
            config_error(what, "docs/restore.md lists the templates and their placeholders")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Config;

    fn layout(text: &str) -> Result<Layout, AppError> {
        Config::from_toml(text)?.restore.unwrap_or_default().layout()
    }

    #[test]
    fn a_table_names_keys_and_what_it_does_not_name_is_the_default() {
        let layout = layout("[restore]\nprefix = \"p/\"\nenvelope = \"env:{id}\"\n").unwrap();
        assert_eq!(layout.key(Kind::Envelope, "ab", None), "p/env:ab");
        assert_eq!(layout.key(Kind::Rebind, "ab", None), "p/rebind:ab");
        assert_eq!(RestoreSection::default().layout().unwrap().key(Kind::ByUser, "u", None), "oc:by_user:u");
    }

    #[test]
    fn unknown_keys_unknown_placeholders_and_collisions_are_usage_errors() {
        for text in [
            "[restore]\nenvelopes = \"x:{id}\"\n",
            "[restore]\nenvelope = \"x:{user}\"\n",
            "[restore]\nrebind = \"envelope:{id}\"\n",
        ] {
            assert_eq!(layout(text).unwrap_err().condition().exit_code().0, 2, "{text}");
        }
    }
}
