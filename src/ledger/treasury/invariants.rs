//! The rules that the books must keep (TREASURY 5.4), asked after every entry and at the end. I12 and I16 speak of several
//! runs: `tests/it/laws.rs` and the seals ask them.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{MsatDelta, OperationId, SettlementKind, UnixMicros, sha256};
use crate::ledger::rails::OPEN_SECONDS_MAX;

use super::account::Account;
use super::book::{Balances, Book};
use super::entry::{Entry, EntryKey, Fact};
use super::journal::{Cause, Parts};
use super::movement::is_explained;
use super::postings::ADJUSTMENT;

/// Below one satoshi.
const RESIDUE_MSAT_MAX: i128 = 999;

/// A rule of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// I1: an entry sums to zero.
    Entry,
    /// I2: so does the trial balance, after every entry.
    Trial,
    /// I3: custody and what is in flight are the sum of liabilities, after every entry.
    Owed,
    /// I4: the custody of a federation is never below zero.
    Custody,
    /// I5: nor is a project's escrow with the rebate that it has not taken.
    Escrow,
    /// I6: nor is what a user has available or maturing, nor a rebate. How operators earn is not published: they are not asked.
    Payable,
    /// I7: an event's parts are its gross, and its platform fee is the published one.
    Split,
    /// I8: a federation's custody and flights are what came in less what went out and its fees, by a second path.
    Conservation,
    /// I9: deposits less refunds are platform, users, unspent escrow and unreturned rebates, by a second path.
    Global,
    /// I10: what is in flight is young.
    Clearing,
    /// I11: an operation posts once.
    Operation,
    /// I13: a user is settled no more than is vested.
    Settled,
    /// I14: the residue of an operation is below one satoshi.
    Residue,
    /// I15: suspense is zero at the end, but for corrections that say why.
    Suspense,
}

impl Rule {
    /// The name of the check in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "treasury.i01_entry",
            Self::Trial => "treasury.i02_trial_balance",
            Self::Owed => "treasury.i03_custody_is_owed",
            Self::Custody => "treasury.i04_custody",
            Self::Escrow => "treasury.i05_escrow",
            Self::Payable => "treasury.i06_payable",
            Self::Split => "treasury.i07_split",
            Self::Conservation => "treasury.i08_conservation",
            Self::Global => "treasury.i09_global",
            Self::Clearing => "treasury.i10_clearing",
            Self::Operation => "treasury.i11_operation",
            Self::Settled => "treasury.i13_settled",
            Self::Residue => "treasury.i14_residue",
            Self::Suspense => "treasury.i15_suspense",
        }
    }

    /// True when only an error of ours can break it: nothing in the world can.
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Entry
                | Self::Trial
                | Self::Owed
                | Self::Conservation
                | Self::Global
                | Self::Operation
                | Self::Residue
        )
    }
}

/// How often a rule was asked, and how often it was broken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Times asked.
    pub times: u64,
    /// Times broken.
    pub broken: u64,
    /// The first entry that shows it broken; nothing when only the end does.
    pub first: Option<EntryKey>,
}

/// Every rule that was asked.
pub type Invariants = BTreeMap<Rule, Asked>;

/// Follows the book entry by entry.
#[derive(Debug, Default)]
pub(super) struct Watch {
    asked: Invariants,
    trial: i128,
    assets: i128,
    liabilities: i128,
    operations: BTreeSet<[u8; 16]>,
    /// When each payment that is still in flight was sent.
    sent: BTreeMap<Account, UnixMicros>,
}

impl Watch {
    fn ask(&mut self, rule: Rule, holds: bool, at: Option<&EntryKey>) {
        let asked = self.asked.entry(rule).or_default();
        asked.times += 1;
        if !holds {
            asked.broken += 1;
            asked.first = asked.first.take().or_else(|| at.cloned());
        }
    }

    /// After an entry was posted; `book` holds the balances behind it.
    pub(super) fn entry(&mut self, entry: &Entry, book: &Book) {
        let key = Some(&entry.key);
        let mut sum = 0_i128;
        for posting in &entry.postings {
            sum = sum.saturating_add(posting.delta.0);
            let side = if posting.account.is_asset() { &mut self.assets } else { &mut self.liabilities };
            *side = side.saturating_add(posting.delta.0);
        }
        self.trial = self.trial.saturating_add(sum);
        self.ask(Rule::Entry, sum == 0, key);
        self.ask(Rule::Trial, self.trial == 0, key);
        self.ask(Rule::Owed, self.assets == self.liabilities.saturating_neg(), key);
        for (posting, after) in entry.postings.iter().zip(book.after()) {
            let own = after.0;
            match &posting.account {
                Account::Custody(_) => self.ask(Rule::Custody, own >= 0, key),
                Account::Escrow(project) => {
                    let rebate = book.balance(&Account::Rebate(project.clone())).0;
                    self.ask(Rule::Escrow, own.saturating_add(rebate) <= 0, key);
                }
                Account::UserAvailable(_) => {
                    self.ask(Rule::Payable, own <= 0, key);
                    if matches!(entry.key.fact, Fact::Settlement(_)) {
                        self.ask(Rule::Settled, own <= 0, key);
                    }
                }
                Account::UserMaturing(..) | Account::Rebate(_) => self.ask(Rule::Payable, own <= 0, key),
                Account::Rounding(_) => {
                    self.ask(Rule::Residue, (-RESIDUE_MSAT_MAX..=0).contains(&posting.delta.0), key);
                }
                Account::InFlight(_) if own == 0 => drop(self.sent.remove(&posting.account)),
                Account::InFlight(_) => {
                    self.sent.entry(posting.account.clone()).or_insert(entry.key.at);
                }
                _ => {}
            }
        }
    }

    /// What holds of a fact before it is posted.
    pub(super) fn fact(&mut self, cause: &Cause, at: &EntryKey) {
        match cause {
            Cause::Event(parts) => self.split(*parts, at),
            Cause::Settlement { event, .. } => {
                self.operation(&event.operation, at);
                if event.kind == SettlementKind::Adjustment {
                    self.correction(is_explained(event), at);
                }
            }
            Cause::Vesting | Cause::Claim(_) => {}
        }
    }

    /// A settlement's own entry, under its operation.
    pub(super) fn operation(&mut self, operation: &OperationId, at: &EntryKey) {
        // Half a hash each: a million of them are to be remembered, and nobody makes two operations that share it.
        let half = sha256(operation.as_str().as_bytes()).0.first_chunk().copied().unwrap_or_default();
        let is_first = self.operations.insert(half);
        self.ask(Rule::Operation, is_first, Some(at));
    }

    /// A manual correction (I15): it stays in suspense, and is signed.
    fn correction(&mut self, is_explained: bool, at: &EntryKey) {
        self.ask(Rule::Suspense, is_explained, Some(at));
    }

    /// A billed event (I7): what holds without any price config.
    fn split(&mut self, parts: Parts, at: &EntryKey) {
        let [gross, platform, user, rebate] =
            [parts.gross, parts.platform, parts.user, parts.rebate].map(|sats| u128::from(sats.get()));
        // A fifth, rounded half up: equal to the published doubles for every amount that exists (TREASURY 5.3).
        let fee = ((2 * gross + 5) / 10).max(1).min(gross);
        self.ask(Rule::Split, gross >= 1 && platform == fee && gross == platform + user + rebate, Some(at));
    }

    /// What two paths say of one sum.
    pub(super) fn agree(&mut self, rule: Rule, by_book: i128, by_flows: i128) {
        self.ask(rule, by_book == by_flows, None);
    }

    /// At the end.
    pub(super) fn close(mut self, as_of: UnixMicros, balances: &Balances) -> Invariants {
        for at in std::mem::take(&mut self.sent).into_values() {
            self.ask(Rule::Clearing, as_of.0.saturating_sub(at.0) <= OPEN_SECONDS_MAX * 1_000_000, None);
        }
        for (account, balance) in balances.iter() {
            if matches!(account, Account::Suspense(name) if *name != ADJUSTMENT) {
                self.ask(Rule::Suspense, balance == MsatDelta::ZERO, None);
            }
        }
        self.asked
    }
}
