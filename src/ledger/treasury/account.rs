//! Accounts of the trust ledger (TREASURY 5.1) and postings on them.

use std::fmt;

use crate::domain::{FederationSlug, MsatDelta, OperationId, ProjectKey, UserKey, WindowId};

/// An account. Assets are what a federation holds for the flows of the service; everything else is a liability.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// E-cash and contracts held by a federation.
    Custody(FederationSlug),
    /// A Lightning leg that is done while the claim is not accepted; must clear.
    InFlight(OperationId),
    /// Prepaid by a project and spendable.
    Escrow(ProjectKey),
    /// Rebate earned and not yet returned to escrow.
    Rebate(ProjectKey),
    /// Earned inside an open drop window.
    UserMaturing(UserKey, WindowId),
    /// Vested.
    UserAvailable(UserKey),
    /// A payout that is sent and not final.
    UserInFlight(UserKey),
    /// Platform fees not yet taken.
    PlatformAccrued,
    /// Platform fees taken.
    PlatformSettled,
    /// Payable to a guardian operator.
    Operator(String),
    /// Residues below one satoshi.
    Rounding(FederationSlug),
    /// What nothing explains yet, by code.
    Suspense(&'static str),
}

impl Account {
    /// True for what a federation holds; false for what is owed.
    pub const fn is_asset(&self) -> bool {
        matches!(self, Self::Custody(_) | Self::InFlight(_))
    }

    /// The account without the name of its holder: what a report shows, because single accounts would name users and grow
    /// without bound.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Custody(_) => "A:Custody",
            Self::InFlight(_) => "A:InFlight",
            Self::Escrow(_) => "L:Escrow",
            Self::Rebate(_) => "L:Rebate",
            Self::UserMaturing(..) => "L:User:Maturing",
            Self::UserAvailable(_) => "L:User:Available",
            Self::UserInFlight(_) => "L:User:InFlight",
            Self::PlatformAccrued => "L:Platform:Accrued",
            Self::PlatformSettled => "L:Platform:Settled",
            Self::Operator(_) => "L:Operator",
            Self::Rounding(_) => "L:Rounding",
            Self::Suspense(_) => "L:Suspense",
        }
    }
}

impl fmt::Display for Account {
    /// The text form of TREASURY 5.1, for example `A:Custody:oc-me-v1`. Foreign names inside stay raw.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custody(federation) => write!(f, "A:Custody:{federation}"),
            Self::InFlight(operation) => write!(f, "A:InFlight:{operation}"),
            Self::Escrow(project) => write!(f, "L:Escrow:{project}"),
            Self::Rebate(project) => write!(f, "L:Rebate:{project}"),
            Self::UserMaturing(user, window) => write!(f, "L:User:{user}:Maturing:{window}"),
            Self::UserAvailable(user) => write!(f, "L:User:{user}:Available"),
            Self::UserInFlight(user) => write!(f, "L:User:{user}:InFlight"),
            Self::PlatformAccrued => f.write_str("L:Platform:Accrued"),
            Self::PlatformSettled => f.write_str("L:Platform:Settled"),
            Self::Operator(operator) => write!(f, "L:Operator:{operator}"),
            Self::Rounding(federation) => write!(f, "L:Rounding:{federation}"),
            Self::Suspense(code) => write!(f, "L:Suspense:{code}"),
        }
    }
}

/// A change of one account: debits are positive, credits negative.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The change in millisatoshi.
    pub delta: MsatDelta,
}
