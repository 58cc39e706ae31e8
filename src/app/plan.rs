//! From what the user wrote to what will be done: policy, sources, what is declared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::beacon::Seed;
use super::budgets::Budgets;
use super::config::{BalancesSection, Config};
use super::drift::drift;
use super::error::AppError;
use super::gateway::{self, NodePlan};
use super::relay_terms::RelayTerms;
use super::{acknowledgements, federations, gaps, keys, limits};
use crate::domain::{
    BlockHash, BlockHeight, Checkpoint, Digest32, LostStore, Media, SourceId, TrustPolicy, UnixSeconds, sha256,
};
use crate::reconcile::Declared;

/// Everything a run needs to know. Paths are absolute or relative to the working directory, no longer to the file.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is trusted and demanded.
    pub policy: TrustPolicy,
    /// Transparency logs.
    pub transparency: Vec<PathBuf>,
    /// The register of acknowledgements.
    pub acknowledgements: Option<PathBuf>,
    /// Folders of finished earlier runs.
    pub history: Vec<PathBuf>,
    /// What was declared: each declared substrate owes its checks.
    pub declared: Declared,
    /// Local files by media.
    pub files: BTreeMap<Media, Vec<PathBuf>>,
    /// Addresses by media, fetched by plain GET.
    pub documents: Vec<(Media, String)>,
    /// Where single users' balances are asked for: an address with `{user}` in it.
    pub balance_api: Option<String>,
    /// Relay addresses.
    pub relays: Vec<String>,
    /// Window asked of relays.
    pub window: (Option<UnixSeconds>, Option<UnixSeconds>),
    /// `ws://` and `http://` are allowed beyond loopback.
    pub allow_plaintext: bool,
    /// Seconds without a byte after which a relay is given up.
    pub idle_seconds: u64,
    /// What a relay may cost, and whether its challenges are answered.
    pub relay_terms: RelayTerms,
    /// Gateways whose payment log is asked for.
    pub payment_logs: Vec<PaymentLogPlan>,
    /// Lightning nodes that are asked for their lists.
    pub nodes: Vec<NodePlan>,
    /// Calendars that may be contacted: address in proofs, address to ask.
    pub calendars: BTreeMap<String, String>,
    /// Bitcoin Core REST address.
    pub bitcoin_rest: Option<String>,
    /// Esplora address.
    pub esplora: Option<String>,
    /// Index engine, for example `redb:`.
    pub store: String,
    /// What a recovery may take.
    pub budgets: Budgets,
    /// Digest of the configuration without local paths: what two parties share.
    pub config_sha256: Digest32,
}

/// One gateway's payment log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLogPlan {
    /// Address.
    pub url: String,
    /// Federation asked for.
    pub federation_id: String,
    /// File that holds the password.
    pub password_file: PathBuf,
}

impl Plan {
    /// Resolves a configuration; `base` is the folder of the file, which relative paths are relative to.
    ///
    /// # Errors
    /// [`AppError::Config`] naming the key.
    pub fn resolve(config: &Config, base: &Path) -> Result<Self, AppError> {
        let config = &keys::with_register(gaps::with_register(config, base)?, base)?;
        let mut builder = Builder { base, files: BTreeMap::new(), documents: Vec::new() };
        let nostr = config.nostr.clone().unwrap_or_default();
        let section = config.gateway.clone().unwrap_or_default();
        builder.take(Media::NostrEvent, &nostr.files, "nostr.files")?;
        builder.take(Media::Activity, &nostr.activity, "nostr.activity")?;
        builder.take(Media::Settlement, &section.settlements, "gateway.settlements")?;
        let (places, nodes) = gateway::take_apart(&section.invoices, &|file| builder.path(file))?;
        builder.take(Media::Invoice, &places, "gateway.invoices")?;
        let keys = config.keys.clone().unwrap_or_default();
        builder.take(Media::Jwks, &keys.jwks, "keys.jwks")?;
        builder.take(Media::AuthJwks, &keys.auth_jwks, "keys.auth_jwks")?;
        builder.take(Media::ProjectConfig, &config.projects.clone().unwrap_or_default().configs, "projects.configs")?;
        builder.take(Media::Custody, &config.custody.clone().unwrap_or_default().files, "custody.files")?;
        builder.take(Media::OtsProof, &config.ots.clone().unwrap_or_default().files, "ots.files")?;
        builder.take(Media::Headers, &config.headers.clone().unwrap_or_default().files, "headers.files")?;
        let seal = config.seal.clone().unwrap_or_default();
        builder.take(Media::Checkpoint, &seal.checkpoints, "seal.checkpoints")?;
        builder.take(Media::Snapshot, &seal.snapshots, "seal.snapshots")?;
        for (media, place, key) in federations::documents(&config.federations) {
            builder.take(media, &[place], &key)?;
        }
        let balances = config.balances.clone().unwrap_or_default();
        builder.take(Media::Balance, &balances.statement.iter().cloned().collect::<Vec<_>>(), "balances.statement")?;
        let (balance_api, api) = balance_addresses(&balances)?;
        builder.documents.extend(api.map(|api| (Media::Balance, api)));
        let (logs, payment_logs) = gateway::payment_logs(&section.payment_log, &|file| builder.path(file))?;
        builder.take(Media::PaymentLogEntry, &logs, "gateway.payment_log")?;
        let headers = config.headers.clone().unwrap_or_default();
        let relay_terms = RelayTerms::resolve(&nostr, |file| builder.path(file))?;
        let mut plan = Self {
            policy: policy(config)?,
            transparency: nostr.transparency.iter().map(|file| builder.path(file)).collect(),
            acknowledgements: acknowledgements::file(config, base),
            history: config.history.iter().flat_map(|history| &history.runs).map(|run| builder.path(run)).collect(),
            declared: Declared::default(),
            files: builder.files,
            documents: builder.documents,
            balance_api,
            relays: nostr.relays.clone(),
            window: (nostr.since.map(|since| since.0), nostr.until.map(|until| until.0)),
            allow_plaintext: nostr.allow_plaintext,
            idle_seconds: nostr.idle_timeout.map_or(30, |span| span.0),
            relay_terms,
            payment_logs,
            nodes,
            calendars: calendars(config),
            bitcoin_rest: headers.bitcoin_rest,
            esplora: headers.esplora,
            store: config.store.clone().unwrap_or_default().url.unwrap_or_else(|| "redb:".to_owned()),
            budgets: Budgets::of(config.budgets.as_ref()),
            config_sha256: shared_digest(config),
        };
        plan.declared = plan.declare(config);
        Ok(plan)
    }

    /// The profile's own policy and calendars: for single files, when no configuration is there.
    ///
    /// # Errors
    /// [`AppError::Config`]; never for a profile that is built in.
    pub fn of_profile() -> Result<Self, AppError> {
        let mut plan = Self::resolve(&Config::default(), Path::new(""))?;
        plan.calendars =
            plan.policy.calendars.iter().map(|host| (format!("https://{host}"), format!("https://{host}"))).collect();
        Ok(plan)
    }

    /// Where to ask the calendar of that host (as the policy lists it); `None` when the configuration names none.
    pub fn calendar_address(&self, host: &str) -> Option<&str> {
        let named = self.calendars.iter().find(|(named, _)| host_of(named) == host);
        named.map(|(_, address)| address.as_str())
    }

    fn declare(&self, config: &Config) -> Declared {
        let has = |media| self.files.contains_key(&media) || self.documents.iter().any(|(other, _)| *other == media);
        let mut sources: BTreeSet<SourceId> = self.files.keys().map(|media| SourceId::files(*media)).collect();
        sources.extend(self.documents.iter().map(|(_, url)| url).chain(&self.balance_api).cloned().map(SourceId));
        sources.extend(self.relays.iter().cloned().map(SourceId));
        sources.extend(self.payment_logs.iter().map(|log| SourceId(log.url.clone())));
        sources.extend(self.nodes.iter().map(|node| SourceId(node.url.clone())));
        sources.extend(self.bitcoin_rest.iter().chain(&self.esplora).cloned().map(SourceId));
        // A section that is there declares its substrate, whatever it names: empty lists must not pass for a check.
        let payment_log = has(Media::PaymentLogEntry) || !self.payment_logs.is_empty();
        let invoices = has(Media::Invoice) || !self.nodes.is_empty();
        let bare_gateway = config.gateway.is_some() && !payment_log && !invoices;
        Declared {
            nostr: config.nostr.is_some(),
            relays: self.relays.iter().cloned().map(SourceId).collect(),
            sources: sources.into_iter().collect(),
            calendars: self.calendars.values().cloned().map(SourceId).collect(),
            ots: config.ots.is_some(),
            headers: config.headers.is_some(),
            settlements: has(Media::Settlement) || bare_gateway,
            payment_log,
            invoices,
            keys: config.keys.is_some(),
            projects: config.projects.is_some(),
            custody: config.custody.is_some(),
            balances: config.balances.is_some(),
            drift: drift(config),
            sample_size: config.balances.as_ref().and_then(|balances| balances.sample),
            sample_seed: config.balances.as_ref().and_then(|balances| balances.seed.clone()),
            sampling: config.balances.as_ref().and_then(|balances| balances.sampling).unwrap_or_default(),
            balances_sampled: self.balance_api.is_some() && !has(Media::Balance),
            beacon: None,
            // What stands in files is read when the run begins.
            takedowns: Vec::new(),
            unread_takedowns: Vec::new(),
            earlier: Vec::new(),
            acknowledgements: Vec::new(),
            not_rebuilt: LostStore::beside_the_profile(&config.not_rebuilt),
            checkpoints: has(Media::Checkpoint) || config.seal.is_some() && !has(Media::Snapshot),
            snapshots: has(Media::Snapshot),
        }
    }
}

/// What stands in `balances.api` for the user where single users are asked for.
const USER_MARK: &str = "{user}";

/// No address serves these.
const fn is_file_only(media: Media) -> bool {
    use Media::{Checkpoint, Custody, Headers, NostrEvent, OtsProof, Snapshot};
    matches!(media, NostrEvent | OtsProof | Headers | Custody | Checkpoint | Snapshot)
}

struct Builder<'a> {
    base: &'a Path,
    files: BTreeMap<Media, Vec<PathBuf>>,
    documents: Vec<(Media, String)>,
}

impl Builder<'_> {
    fn path(&self, text: &str) -> PathBuf {
        if text == "-" { PathBuf::from("-") } else { self.base.join(text) }
    }

    fn take(&mut self, media: Media, entries: &[String], key: &str) -> Result<(), AppError> {
        for entry in entries {
            if entry.is_empty() {
                return Err(config_error(format!("`{key}` has an empty entry"), "give a path or an address"));
            }
            if entry.starts_with("http://") || entry.starts_with("https://") {
                if is_file_only(media) {
                    return Err(config_error(format!("`{key}` takes files, not `{entry}`"), "download it first"));
                }
                self.documents.push((media, entry.clone()));
            } else {
                let path = self.path(entry);
                self.files.entry(media).or_default().push(path);
            }
        }
        Ok(())
    }
}

fn calendars(config: &Config) -> BTreeMap<String, String> {
    let ots = config.ots.clone().unwrap_or_default();
    ots.calendars
        .iter()
        .map(|calendar| (calendar.clone(), ots.resolve.get(calendar).cloned().unwrap_or_else(|| calendar.clone())))
        .collect()
}

fn policy(config: &Config) -> Result<TrustPolicy, AppError> {
    let profile = config.profile.as_deref().unwrap_or("orangecheck-2026-10");
    if profile != "orangecheck-2026-10" {
        return Err(config_error(format!("profile `{profile}` is not built in"), "use orangecheck-2026-10"));
    }
    let mut policy = TrustPolicy::orangecheck_2026_10();
    if let Some(nostr) = &config.nostr {
        if !nostr.kinds.is_empty() {
            policy.kinds = nostr.kinds.iter().map(|filter| filter.kind).collect();
        }
        policy.operator_relays = nostr.operator_relays.iter().cloned().collect();
        policy.require.min_relays = u32::from(!nostr.relays.is_empty());
        if let Some(require) = &nostr.require {
            policy.require.min_relays = require.min_relays.unwrap_or(policy.require.min_relays);
            policy.require.basis = require.basis.unwrap_or(policy.require.basis);
        }
    } else {
        policy.require.min_relays = 0;
    }
    if let Some(ots) = &config.ots {
        if !ots.calendars.is_empty() {
            policy.calendars = ots.calendars.iter().map(|url| host_of(url)).collect();
        }
        if let Some(overdue) = ots.overdue {
            policy.ots_overdue_seconds = i64::try_from(overdue.0).unwrap_or(i64::MAX);
        }
    }
    header_policy(config, &mut policy)?;
    for (slug, section) in &config.federations {
        federations::federation(slug, section, &mut policy)?;
    }
    if let Some(section) = &config.keys {
        policy.compromised = keys::compromised(&section.compromised)?;
    }
    if let Some(section) = &config.caps {
        policy.caps = limits::caps(section, &policy.caps)?;
    }
    policy.seal_keys = super::seals::trusted_keys(config.seal.as_ref())?;
    policy.gaps = gaps::known_gaps(&config.gaps)?;
    policy.acknowledgement_keys = acknowledgements::trusted_keys(config.acknowledgements.as_ref())?;
    Ok(policy)
}

fn header_policy(config: &Config, policy: &mut TrustPolicy) -> Result<(), AppError> {
    let Some(headers) = &config.headers else { return Ok(()) };
    if let Some(checkpoint) = &headers.checkpoint {
        let hash: BlockHash = checkpoint.hash.parse().map_err(|_| {
            config_error("`headers.checkpoint.hash` is not 64 hex digits".to_owned(), "copy it from a block explorer")
        })?;
        policy.headers.checkpoint = Checkpoint { height: BlockHeight(checkpoint.height), hash };
    }
    if let Some(depth) = headers.min_depth {
        policy.headers.min_depth = depth;
    }
    if let Some(limit) = &headers.pow_limit {
        policy.headers.pow_limit = u32::from_str_radix(limit, 16).map_err(|_| {
            config_error("`headers.pow_limit` is not compact bits in hex".to_owned(), "mainnet is \"1d00ffff\"")
        })?;
    }
    Ok(())
}

/// The host part of an address as the allow-list compares it.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

pub(super) fn config_error(what: String, hint: &str) -> AppError {
    AppError::Config { what, hint: hint.to_owned() }
}

/// Digest of what two parties share: local paths count only as present, because their content is pinned by the evidence root.
fn shared_digest(config: &Config) -> Digest32 {
    let mut shared = config.clone();
    (shared.store, shared.restore) = (None, None);
    // What the register says is among the gaps.
    shared.gaps_file = None;
    federations::share(&mut shared.federations);
    let squash = |entries: &mut Vec<String>| {
        let had_files = entries.iter().any(|entry| !entry.contains("://"));
        entries.retain(|entry| entry.contains("://"));
        if had_files {
            entries.push("files".to_owned());
        }
    };
    if let Some(nostr) = &mut shared.nostr {
        squash(&mut nostr.files);
        squash(&mut nostr.activity);
        squash(&mut nostr.transparency);
        nostr.auth_key_file = None;
    }
    if let Some(ots) = &mut shared.ots {
        squash(&mut ots.files);
    }
    if let Some(headers) = &mut shared.headers {
        squash(&mut headers.files);
    }
    if let Some(section) = &mut shared.gateway {
        squash(&mut section.settlements);
        gateway::share(section);
    }
    if let Some(keys) = &mut shared.keys {
        squash(&mut keys.jwks);
        squash(&mut keys.auth_jwks);
        // What the register says is among the leaks.
        keys.compromised_file = None;
    }
    if let Some(projects) = &mut shared.projects {
        squash(&mut projects.configs);
    }
    if let Some(custody) = &mut shared.custody {
        squash(&mut custody.files);
    }
    // Statements are recorded with the run; the keys are what is trusted.
    shared.acknowledgements = shared.acknowledgements.and_then(acknowledgements::AcknowledgementsSection::shared);
    if let Some(history) = &mut shared.history {
        squash(&mut history.runs);
    }
    // Where the index lives is nobody's business but ours.
    shared.store = None;
    if let Some(seal) = &mut shared.seal {
        squash(&mut seal.checkpoints);
        squash(&mut seal.snapshots);
    }
    if let Some(balances) = &mut shared.balances {
        balances.statement = balances.statement.as_ref().map(|_| "files".to_owned());
    }
    sha256(&serde_json::to_vec(&shared).expect("a configuration has only text keys"))
}

/// The address that answers for single users, or the one of a whole statement.
fn balance_addresses(balances: &BalancesSection) -> Result<(Option<String>, Option<String>), AppError> {
    if balances.seed.as_deref().is_some_and(|seed| Seed::of(seed).is_none()) {
        return Err(config_error(
            "`balances.seed` names a beacon without a height".to_owned(),
            "`beacon`, or `beacon:HEIGHT` for the first block after that height",
        ));
    }
    match &balances.api {
        Some(api) if api.contains(USER_MARK) => {
            if balances.sample.is_none() || balances.seed.is_none() {
                return Err(config_error(
                    format!("`balances.api` asks for single users ({USER_MARK}) and does not say for whom"),
                    "name `balances.sample` and `balances.seed`",
                ));
            }
            Ok((Some(api.clone()), None))
        }
        api => Ok((None, api.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FederationSlug, Msat, ObservedCustody};

    fn plan(text: &str) -> Result<Plan, AppError> {
        Plan::resolve(&Config::from_toml(text).unwrap(), Path::new("/base"))
    }

    #[test]
    fn where_local_files_lie_changes_no_digest_but_what_is_trusted_does() {
        let digest = |text: &str| plan(text).unwrap().config_sha256;
        let one = digest("[nostr]\nfiles = [\"a.jsonl\"]\n");
        assert_eq!(one, digest("[nostr]\nfiles = [\"b/c.jsonl\", \"d.jsonl\"]\n"));
        assert_ne!(one, digest("[nostr]\nfiles = [\"a.jsonl\"]\nrelays = [\"wss://r.example\"]\n"));
        assert_ne!(one, digest("[nostr]\nfiles = [\"a.jsonl\"]\n[headers]\nmin_depth = 7\n"));
    }

    #[test]
    fn a_bad_value_names_its_key() {
        for (text, key) in [
            ("[headers]\ncheckpoint = { height = 0, hash = \"00\" }\n", "headers.checkpoint.hash"),
            ("[federations.x]\nsettlement_keys = [\"zz\"]\n", "federations.x.settlement_keys"),
            ("[federations.x]\ndirections = { \"escrow.theft\" = \"out\" }\n", "escrow.theft"),
            (
                "[federations.x]\nobserved = [{ at = 2026-09-30, msat = 2100000000000000001 }]\n",
                "federations.x.observed",
            ),
            ("[federations.x]\nobserved = [{ at = 1, msat = 1 }, { at = 1, msat = 2 }]\n", "two balances"),
            ("profile = \"other\"\n", "other"),
            ("[gateway]\npayment_log = [{}]\n", "gateway.payment_log"),
            ("[nostr]\nfiles = [\"\"]\n", "nostr.files"),
            ("[balances]\nsample = 1\nseed = \"beacon:soon\"\n", "balances.seed"),
            ("[balances]\napi = \"https://x.example/{user}\"\nsample = 1\n", "balances.api"),
        ] {
            let error = plan(text).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
            assert_eq!(error.condition().exit_code().0, 2);
        }
    }

    #[test]
    fn an_observed_balance_is_policy() {
        let text = |observed: &str| format!("[federations.x]\n{observed}\n");
        let none = plan(&text("")).unwrap();
        assert_eq!(plan(&text("observed = []")).unwrap().policy.digest(), none.policy.digest());
        let late = "{ at = 2026-09-30T12:00:00Z, msat = 5 }";
        let seen = plan(&text(&format!("observed = [{late}, {{ at = 1, msat = 7 }}, {late}]"))).unwrap();
        let expected = [(1, 7), (1_790_769_600, 5)]
            .map(|(at, msat)| ObservedCustody { at: UnixSeconds(at), msat: Msat::new(msat).unwrap() });
        assert_eq!(seen.policy.observed[&FederationSlug::from("x")], expected);
        assert_ne!(seen.policy.digest(), none.policy.digest());
        assert_ne!(seen.config_sha256, none.config_sha256);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let plan = plan("[nostr]\nfiles = [\"a.jsonl\", \"/abs.jsonl\", \"-\"]\n").unwrap();
        let expected: Vec<PathBuf> = ["/base/a.jsonl", "/abs.jsonl", "-"].iter().map(PathBuf::from).collect();
        assert_eq!(plan.files[&Media::NostrEvent], expected);
        assert!(plan.declared.nostr && !plan.declared.ots);
        assert_eq!(plan.policy.require.min_relays, 0);
    }
}
