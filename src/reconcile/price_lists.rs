//! SRC_DRIFT about price configs: documents that nobody signs have the authority of the place they came from (FORMATS 5).

use std::collections::BTreeMap;

use crate::domain::{Code, EvidenceId, Finding, ProjectKey, Subject, UnixMicros};
use crate::evidence::ProjectConfig;
use crate::evidence::project::{MIRROR_HOST, same_host};

use super::audit::Audit;
use super::reconciler::Input;

pub(super) fn check(input: &Input<'_>, audit: &mut Audit) {
    let configs = &input.set.configs;
    if configs.is_empty() {
        return;
    }
    let mut found: Vec<Finding> = configs.iter().filter_map(|(id, config)| foreign(*id, config)).collect();
    let mut versions: BTreeMap<(&ProjectKey, UnixMicros), Vec<(EvidenceId, &ProjectConfig)>> = BTreeMap::new();
    for (id, config) in configs {
        if let Some(updated_at) = config.updated_at {
            versions.entry((&config.project, updated_at)).or_default().push((*id, config));
        }
    }
    found.extend(versions.values().filter_map(|version| divided(version)));
    audit.check("projects.places", configs.len(), found);
    let problems: usize = configs.iter().map(|(_, config)| config.problems.len()).sum();
    if problems > 0 {
        let reason = "price configs state what their format forbids; what is billed under such a price proves little";
        audit.not_possible("projects.rules", reason, problems, false);
    }
}

/// `config_domain_mismatch`. The operator's mirror serves the configs of all domains, so it speaks for none.
fn foreign(id: EvidenceId, config: &ProjectConfig) -> Option<Finding> {
    let (host, domain) = (&config.host, &config.domain);
    if host.is_empty() || domain.is_empty() || same_host(host, domain) || same_host(host, MIRROR_HOST) {
        return None;
    }
    let subject = subject(config, "domain").and("host", host);
    Some(
        Finding::new(Code::SrcDrift, subject)
            .with_values(format!("domain {host}"), format!("domain {domain}"))
            .with_evidence(id, "config")
            .with_explanation("config_domain_mismatch: a price config is served by a host that is not its domain."),
    )
}

/// `config_mirror_divergence`: one project and `updated_at`, and two contents. Which of them held nobody can say.
fn divided(version: &[(EvidenceId, &ProjectConfig)]) -> Option<Finding> {
    let ((_, first), rest) = version.split_first()?;
    let (_, other) = rest.iter().find(|(_, other)| !says_the_same(first, other))?;
    let place = |config: &ProjectConfig| if config.host.is_empty() { "a file".to_owned() } else { config.host.clone() };
    let finding =
        Finding::new(Code::SrcDrift, subject(first, "content").and("updated_at", first.updated_at?.seconds()))
            .with_values(format!("one content of {}", difference(first, other)), place(first) + " and " + &place(other))
            .with_explanation("config_mirror_divergence: two price configs of one project and time differ.");
    Some(version.iter().fold(finding, |finding, (id, _)| finding.with_evidence(*id, "config")))
}

fn subject(config: &ProjectConfig, what: &str) -> Subject {
    Subject::new("list", format!("projects.{}.{what}", config.project))
}

fn says_the_same(one: &ProjectConfig, other: &ProjectConfig) -> bool {
    one.display_name == other.display_name && one.domain == other.domain && one.events == other.events
}

/// The first member that differs.
fn difference(one: &ProjectConfig, other: &ProjectConfig) -> String {
    if one.domain != other.domain {
        return "domain".to_owned();
    }
    let keys = one.events.keys().chain(other.events.keys());
    let key = keys.filter(|key| one.events.get(*key) != other.events.get(*key)).min();
    key.map_or_else(|| "display_name".to_owned(), |key| format!("events.{key}"))
}
