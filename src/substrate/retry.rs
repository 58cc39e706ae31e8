//! Exponential back-off with jitter, bounded in number and in length.

use std::time::Duration;

use super::limits::RETRY_AFTER_MS_MAX;

/// How often and how patiently a failed request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; 0 counts as 1.
    pub attempts: u32,
    /// Wait before the second attempt, in milliseconds; doubled before each further one.
    pub base_ms: u64,
    /// Longest wait between two attempts, in milliseconds.
    pub max_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 4, base_ms: 500, max_ms: 30_000 }
    }
}

impl RetryPolicy {
    /// True when another attempt may follow this many retries.
    pub(super) fn allows(&self, retries: u32) -> bool {
        retries.saturating_add(1) < self.attempts
    }

    /// The wait before retry number `retries` (0 is the first): half fixed, half random, so that clients which failed
    /// together do not come back together. A server's `Retry-After` is a lower bound, itself bounded.
    pub(super) fn delay(&self, retries: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = self.base_ms.saturating_mul(1_u64.checked_shl(retries).unwrap_or(u64::MAX));
        let ceiling = doubled.min(self.max_ms);
        let half = ceiling / 2;
        let wait = Duration::from_millis(half.saturating_add(fastrand::u64(0..=ceiling - half)));
        match retry_after {
            Some(asked) => wait.max(asked.min(Duration::from_millis(RETRY_AFTER_MS_MAX))),
            None => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_bounded_and_never_fall_below_half() {
        let policy = RetryPolicy { attempts: 4, base_ms: 100, max_ms: 1_000 };
        for (retries, ceiling) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1_000), (200, 1_000)] {
            for _ in 0..50 {
                let wait = policy.delay(retries, None).as_millis();
                assert!((ceiling / 2..=ceiling).contains(&wait), "{retries}: {wait}");
            }
        }
    }

    #[test]
    fn a_server_may_ask_for_more_patience_but_not_for_ever() {
        let policy = RetryPolicy { attempts: 2, base_ms: 10, max_ms: 10 };
        assert_eq!(policy.delay(0, Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(policy.delay(0, Some(Duration::from_secs(86_400))), Duration::from_millis(RETRY_AFTER_MS_MAX));
    }

    #[test]
    fn attempts_are_counted_with_the_first() {
        let policy = RetryPolicy { attempts: 2, base_ms: 1, max_ms: 1 };
        assert!(policy.allows(0));
        assert!(!policy.allows(1));
        assert!(!RetryPolicy { attempts: 0, ..policy }.allows(0));
    }
}
