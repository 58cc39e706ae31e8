//! Loading and comparing. What is loaded follows from the evidence, and from nothing that stands beside it.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::app::audit::{audit, recorded_inputs};
use crate::app::error::AppError;
use crate::app::observer::{Cancel, Event, Observer};
use crate::app::pen::{KeySource, password};
use crate::app::plan::config_error;
use crate::domain::{AsOf, Digest32, TrustPolicy, inert_limited, sha256};
use crate::ledger::Ledgers;
use crate::target::{
    Access, Address, Compared, Content, Layout, Link, Loaded, Origin, TargetError, Watch, What, compare, is_loaded,
    load,
};
use crate::verify::{Checks, VerifiedSet};

/// More than any file of authorities.
const AUTHORITY_BYTES_MAX: u64 = 4 << 20;

/// What is restored, and where to.
#[derive(Debug, Clone)]
pub struct IntoOptions {
    /// The store.
    pub address: Address,
    /// Where its password is, unless it stands in the address.
    pub password: Option<KeySource>,
    /// The authority that signed its certificate, where only that one is trusted.
    pub authority: Option<PathBuf>,
    /// How keys are named.
    pub layout: Layout,
    /// The finished run.
    pub run: PathBuf,
    /// Compare and write nothing.
    pub compare_only: bool,
    /// Load also a run whose own verdict is not clean.
    pub yes: bool,
    /// No socket.
    pub offline: bool,
    /// Threads; 0 is one per core.
    pub jobs: usize,
}

/// A run judged again, ready to go out.
pub struct IntoPlan<'o> {
    options: &'o IntoOptions,
    ledgers: Ledgers,
    set: VerifiedSet,
    policy: TrustPolicy,
    as_of: AsOf,
    /// What the store will say of itself.
    pub origin: Origin,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct RestoredInto {
    /// The store, without its password.
    pub target: String,
    /// What it holds now, or was compared with.
    pub origin: Origin,
    /// Digest of prefix and templates.
    pub layout_sha256: Digest32,
    /// What was loaded; `None` when nothing was.
    pub loaded: Option<Loaded>,
    /// Only a comparison was asked for.
    pub compare_only: bool,
    /// What the comparison found.
    pub compared: Compared,
}

impl RestoredInto {
    /// 0 when the store holds exactly what the ledgers say, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.compared.differences.is_empty())
    }
}

/// Judges the run again and decides whether it may go out.
///
/// # Errors
/// [`AppError::Untrusted`] when the run's report does not follow from its evidence, [`AppError::Unestablished`] for ledgers
/// without a line, [`AppError::Refused`] for a run that did not end with 0, unless it was said that it may; [`AppError`].
pub fn plan_restore<'o>(
    options: &'o IntoOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<IntoPlan<'o>, AppError> {
    let audited = audit(&options.run, (options.jobs, Checks::default()), observer, cancel)?;
    if let Some(at) = audited.first_difference {
        let at = inert_limited(&at, 200);
        return Err(AppError::Untrusted {
            what: format!("checksum_error: report.json does not follow from the evidence: first difference at {at}"),
        });
    }
    let policy = recorded_inputs(&options.run)?.policy;
    let (code, sentence) = (audited.conclusion.outcome().exit_code().0, audited.conclusion.model().sentence());
    let (state_root, as_of) = (audited.conclusion.seal().state_root, audited.conclusion.model().as_of);
    let origin = Origin { state_root, report_sha256: sha256(&audited.report), as_of: as_of.time };
    let (set, _, ledgers) = audited.conclusion.into_parts();
    if ledgers.leaf_counts().values().all(|count| *count == 0) {
        return Err(AppError::Unestablished {
            what: format!("the ledgers of {} have no line: nothing can be restored or compared", options.run.display()),
            hint: "capture evidence first: `reledger drill`".to_owned(),
        });
    }
    if code != 0 && !options.compare_only && !options.yes {
        return Err(AppError::Refused {
            what: format!("the run is not clean, and its state is not put into a store by accident: {sentence}"),
            hint: "settle what it found, or say --yes".to_owned(),
        });
    }
    Ok(IntoPlan { options, ledgers, set, policy, as_of, origin })
}

impl IntoPlan<'_> {
    /// Everything that the store has to hold.
    pub fn content(&self) -> Content<'_> {
        let journal = self.ledgers.journal(&self.set, &self.policy, self.as_of);
        Content::new(&self.ledgers, journal, &self.options.layout, &self.origin)
    }
}

/// Loads a run's ledgers into a store and compares, or only compares. A store that holds the state already is not written to.
///
/// # Errors
/// As [`plan_restore`]; [`AppError::Refused`] under `--offline`, for a replica, a cluster and a foreign key in the way;
/// [`AppError::Config`] for credentials; [`AppError::Unreachable`]; [`AppError::Local`] for a server that takes no writes;
/// [`AppError::Busy`] for another restore; [`AppError::Interrupted`].
pub fn restore_into(options: &IntoOptions, observer: &dyn Observer, cancel: &Cancel) -> Result<RestoredInto, AppError> {
    if options.offline {
        return Err(AppError::Refused {
            what: format!("--offline forbids the connection to {}", options.address),
            hint: "leave out --offline, or look with --dry-run".to_owned(),
        });
    }
    let access = access(options)?;
    let plan = plan_restore(options, observer, cancel)?;
    let content = plan.content();
    let (loaded, compared) = work(options, &access, &content, observer, cancel).map_err(|error| told(error, cancel))?;
    Ok(RestoredInto {
        target: options.address.to_string(),
        layout_sha256: options.layout.digest(),
        loaded,
        compare_only: options.compare_only,
        compared,
        origin: plan.origin.clone(),
    })
}

fn work(
    options: &IntoOptions,
    access: &Access,
    content: &Content<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(Option<Loaded>, Compared), TargetError> {
    let watch = Watch {
        stop: &|| cancel.is_cancelled(),
        stage: &|name, total| observer.event(Event::Stage { name, total: (total > 0).then_some(total) }),
        done: &|done| observer.event(Event::Progress { done }),
    };
    let mut link = Link::open(&options.address, access)?;
    if options.compare_only {
        return Ok((None, compare(&mut link, content, &watch)?));
    }
    link.check_writable()?;
    if is_loaded(&mut link, content)? {
        let compared = compare(&mut link, content, &watch)?;
        // Other keys of somebody else's are told, and loading again would not take them away.
        let is_altered = |found: &Compared| {
            let of_key = found.differences.iter().filter(|one| one.what == What::Unexpected && one.member.is_none());
            of_key.count() < found.differences.len()
        };
        if !is_altered(&compared) {
            return Ok((None, compared));
        }
    }
    let loaded = load(&mut link, content, &watch)?;
    Ok((Some(loaded), compare(&mut link, content, &watch)?))
}

/// Credentials, read before anything else is done.
fn access(options: &IntoOptions) -> Result<Access, AppError> {
    let password = match (&options.password, &options.address.password) {
        (Some(_), Some(_)) => {
            let what = "a password stands in the address and another one is named".to_owned();
            return Err(config_error(what, "leave one of them out"));
        }
        (Some(source), None) => Some(password(source)?),
        (None, inside) => inside.clone(),
    };
    let authority = options.authority.as_ref().map(|path| {
        let size = fs::metadata(path).map_err(AppError::missing(path))?.len();
        if size > AUTHORITY_BYTES_MAX {
            return Err(config_error(format!("{} is no file of certificates", path.display()), "it is too large"));
        }
        let pem = fs::read(path).map_err(AppError::missing(path))?;
        let holds_one = pem.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----");
        let what = || config_error(format!("{} holds no certificate", path.display()), "it has to be in PEM");
        if holds_one { Ok(pem) } else { Err(what()) }
    });
    if authority.is_some() && !options.address.tls {
        return Err(config_error("--tls-ca needs rediss://".to_owned(), "name the target with rediss://"));
    }
    Ok(Access { password, authority: authority.transpose()?, ..Access::default() })
}

fn told(error: TargetError, cancel: &Cancel) -> AppError {
    let what = error.to_string();
    match error {
        TargetError::Unusable { what, hint } => AppError::Config { what, hint },
        TargetError::Unfit { what, hint } => AppError::Refused { what, hint },
        TargetError::InTheWay { .. } => AppError::Refused {
            what,
            hint: "move that key away, or choose another `restore.prefix` or database".to_owned(),
        },
        TargetError::Unreachable { what } => AppError::Unreachable {
            what,
            hint: "check the address and the server, and run the same command again: it goes on where it was"
                .to_owned(),
        },
        TargetError::Full { place, told } => AppError::Local {
            what: format!("{place} takes no writes"),
            hint: "make room: a load needs about as much again as the state; then run the same command again"
                .to_owned(),
            source: io::Error::other(told),
        },
        TargetError::Contended { .. } => {
            AppError::Busy { what, hint: "wait for it, and run the command again".to_owned() }
        }
        TargetError::Stopped => cancel.check().err().unwrap_or(AppError::Interrupted { terminated: false }),
        TargetError::Bug(what) => AppError::Internal(what),
    }
}
