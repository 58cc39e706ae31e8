//! `[gateway]`: which payment logs are asked for, and which Lightning nodes for their lists.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::config::{GatewaySection, PaymentLogSection};
use super::error::AppError;
use super::plan::{PaymentLogPlan, config_error};

/// One entry of `gateway.invoices`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum InvoicesSection {
    /// A file or an address of records.
    Place(String),
    /// A node.
    Node(NodeSection),
}

/// A Lightning node: `{ lnd = "https://...", macaroon_file = "..." }` or `{ cln = "https://...", rune_file = "..." }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSection {
    /// Address of LND's REST interface.
    pub lnd: Option<String>,
    /// Address of Core Lightning's REST interface.
    pub cln: Option<String>,
    /// A file with LND's macaroon; readable by its owner only.
    pub macaroon_file: Option<String>,
    /// A file with Core Lightning's rune; readable by its owner only.
    pub rune_file: Option<String>,
    /// The node's own certificate authority, PEM.
    pub tls_cert_file: Option<String>,
}

impl<'de> Deserialize<'de> for InvoicesSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = InvoicesSection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, an address, or a node like { lnd = \"https://...\", macaroon_file = \"...\" }")
            }

            fn visit_str<E>(self, text: &str) -> Result<InvoicesSection, E> {
                Ok(InvoicesSection::Place(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InvoicesSection, A::Error> {
                NodeSection::deserialize(MapAccessDeserializer::new(map)).map(InvoicesSection::Node)
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

/// Whose interface a node speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// LND.
    Lnd,
    /// Core Lightning.
    CoreLightning,
}

/// One node that is asked for its lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlan {
    /// Address.
    pub url: String,
    /// Whose interface it speaks.
    pub kind: NodeKind,
    /// File that holds the macaroon or rune.
    pub secret_file: PathBuf,
    /// File that holds its certificate authority.
    pub certificate_file: Option<PathBuf>,
}

/// Takes the payment logs apart: files, and gateways that are asked; `path` resolves a file's name.
///
/// # Errors
/// [`AppError::Config`] for an entry that is neither or not described whole.
pub(super) fn payment_logs(
    sections: &[PaymentLogSection],
    path: &dyn Fn(&str) -> PathBuf,
) -> Result<(Vec<String>, Vec<PaymentLogPlan>), AppError> {
    let (mut files, mut plans) = (Vec::new(), Vec::new());
    for section in sections {
        match (&section.url, &section.file) {
            (Some(url), None) => {
                let Some(file) = &section.password_file else {
                    return Err(config_error(
                        format!("`gateway.payment_log` of {url} needs a `password_file`"),
                        "a file that only you can read, holding the gateway's password",
                    ));
                };
                plans.push(PaymentLogPlan {
                    url: url.clone(),
                    federation_id: section.federation_id.clone().unwrap_or_default(),
                    password_file: path(file),
                });
            }
            (None, Some(file)) => files.push(file.clone()),
            _ => {
                return Err(config_error(
                    "`gateway.payment_log` needs either `url` or `file` in each entry".to_owned(),
                    "for example { file = \"payment_log.json\" }",
                ));
            }
        }
    }
    Ok((files, plans))
}

/// Takes the entries apart: places, and nodes; `path` resolves a file's name.
///
/// # Errors
/// [`AppError::Config`] for a node that is not described whole.
pub(super) fn take_apart(
    entries: &[InvoicesSection],
    path: &dyn Fn(&str) -> PathBuf,
) -> Result<(Vec<String>, Vec<NodePlan>), AppError> {
    let (mut places, mut nodes) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            InvoicesSection::Place(place) => places.push(place.clone()),
            InvoicesSection::Node(section) => nodes.push(node(section, path)?),
        }
    }
    Ok((places, nodes))
}

fn node(section: &NodeSection, path: &dyn Fn(&str) -> PathBuf) -> Result<NodePlan, AppError> {
    let NodeSection { lnd, cln, macaroon_file, rune_file, tls_cert_file } = section;
    let (kind, url, secret) = match (lnd, cln, macaroon_file, rune_file) {
        (Some(url), None, Some(file), None) => (NodeKind::Lnd, url, file),
        (None, Some(url), None, Some(file)) => (NodeKind::CoreLightning, url, file),
        _ => {
            return Err(config_error(
                "`gateway.invoices` names a node that is not described whole".to_owned(),
                "either { lnd = \"https://...\", macaroon_file = \"...\" } or { cln = \"https://...\", rune_file = \"...\" }",
            ));
        }
    };
    let certificate_file = tls_cert_file.as_deref().map(path);
    Ok(NodePlan { url: url.clone(), kind, secret_file: path(secret), certificate_file })
}

/// Leaves of the section what two parties share: no local paths, which count only as present.
pub(super) fn share(section: &mut GatewaySection) {
    section.invoices = shared(&section.invoices);
    for log in &mut section.payment_log {
        log.file = log.file.as_ref().map(|_| "files".to_owned());
        log.password_file = None;
    }
    section.payment_log.dedup();
}

fn shared(entries: &[InvoicesSection]) -> Vec<InvoicesSection> {
    let mut shared = Vec::new();
    let mut had_files = false;
    for entry in entries {
        match entry {
            InvoicesSection::Place(place) if !place.contains("://") => had_files = true,
            InvoicesSection::Place(place) => shared.push(InvoicesSection::Place(place.clone())),
            InvoicesSection::Node(NodeSection { lnd, cln, .. }) => {
                let bare = NodeSection { lnd: lnd.clone(), cln: cln.clone(), ..NodeSection::default() };
                shared.push(InvoicesSection::Node(bare));
            }
        }
    }
    if had_files {
        shared.push(InvoicesSection::Place("files".to_owned()));
    }
    shared
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::config::Config;
    use crate::app::plan::Plan;
    use crate::domain::SourceId;

    fn plan(invoices: &str) -> Result<Plan, AppError> {
        let text = format!("[gateway]\ninvoices = [{invoices}]\n");
        Plan::resolve(&Config::from_toml(&text)?, Path::new("/base"))
    }

    const LND: &str =
        "{ lnd = \"https://n.example:8080\", macaroon_file = \"ro.macaroon\", tls_cert_file = \"tls.cert\" }";

    #[test]
    fn files_and_nodes_stand_side_by_side() {
        let found =
            plan(&format!("\"lnd.json\", {LND}, {{ cln = \"http://127.0.0.1:3010\", rune_file = \"/r\" }}")).unwrap();
        let lnd = NodePlan {
            url: "https://n.example:8080".to_owned(),
            kind: NodeKind::Lnd,
            secret_file: "/base/ro.macaroon".into(),
            certificate_file: Some("/base/tls.cert".into()),
        };
        let cln = NodePlan {
            url: "http://127.0.0.1:3010".to_owned(),
            kind: NodeKind::CoreLightning,
            secret_file: "/r".into(),
            certificate_file: None,
        };
        assert_eq!(found.nodes, [lnd, cln]);
        assert_eq!(found.files[&crate::domain::Media::Invoice], [PathBuf::from("/base/lnd.json")]);
        assert!(found.declared.invoices && !found.declared.payment_log);
        assert!(found.declared.sources.contains(&SourceId("https://n.example:8080".to_owned())));
    }

    #[test]
    fn a_node_alone_declares_invoices_and_nothing_else() {
        let found = plan(LND).unwrap();
        assert!(found.declared.invoices && !found.declared.settlements && !found.declared.payment_log);
    }

    #[test]
    fn a_node_that_is_not_described_whole_is_refused() {
        for node in [
            "{ lnd = \"https://n.example\" }",
            "{ macaroon_file = \"m\" }",
            "{ lnd = \"https://n.example\", rune_file = \"r\" }",
            "{ lnd = \"https://n.example\", cln = \"https://n.example\", macaroon_file = \"m\" }",
            "{ lnd = \"https://n.example\", macaroon_file = \"m\", password = \"p\" }",
            "7",
        ] {
            assert_eq!(plan(node).unwrap_err().condition().exit_code().0, 2, "{node}");
        }
    }

    #[test]
    fn where_a_nodes_secrets_lie_changes_no_digest_and_the_node_does() {
        let digest = |node: &str| plan(node).unwrap().config_sha256;
        let one = digest("{ lnd = \"https://n.example\", macaroon_file = \"a\" }");
        assert_eq!(one, digest("{ lnd = \"https://n.example\", macaroon_file = \"b\", tls_cert_file = \"c\" }"));
        assert_ne!(one, digest("{ lnd = \"https://m.example\", macaroon_file = \"a\" }"));
    }
}
