//! The bound on processor time per period, in the words of both versions of cgroups.

use serde::{Deserialize, Serialize};

/// What the kernel starts a new account of time after, unless told otherwise; the same in both versions.
pub(crate) const PERIOD_US: u64 = 100_000;
/// The kernel takes no quota below a millisecond.
const LEAST_US: u64 = 1_000;

/// A quota that holds, and what it came to: a run that stayed below it was never throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuQuota {
    /// Processor time per time that passes, thousandths of one core.
    pub millicores: u32,
    /// Periods of a tenth of a second in which the run wanted processor time.
    pub periods: u64,
    /// Those of them in which it was made to wait for the next.
    pub throttled_periods: u64,
}

/// Processor time per period that `millicores` amount to, microseconds.
pub(crate) fn quota_us(millicores: u32) -> u64 {
    (u64::from(millicores) * PERIOD_US / 1000).max(LEAST_US)
}

/// What version 2's `cpu.max` holds: quota and period. None when it bounds nothing.
pub(crate) fn parse_max(text: &str) -> Option<(u64, u64)> {
    let (quota, period) = text.trim().split_once(' ')?;
    Some((quota.parse().ok()?, period.parse().ok()?))
}

/// What version 1's two files hold. No quota is -1.
pub(crate) fn parse_cfs(quota: &str, period: &str) -> Option<(u64, u64)> {
    Some((quota.trim().parse().ok()?, period.trim().parse().ok()?))
}

impl CpuQuota {
    /// What was read back as quota and period, with a group's `cpu.stat`.
    pub(crate) fn new((quota_us, period_us): (u64, u64), stat: &str) -> Option<Self> {
        let field = |name: &str| {
            let words = stat.lines().find_map(|line| line.strip_prefix(name));
            words.and_then(|words| words.trim().parse().ok()).unwrap_or_default()
        };
        let millicores = quota_us.checked_mul(1000)?.checked_div(period_us)?;
        Some(Self {
            millicores: u32::try_from(millicores).ok()?,
            periods: field("nr_periods "),
            throttled_periods: field("nr_throttled "),
        })
    }

    /// Whether it is at least as tight as what was asked for.
    pub(crate) fn holds(&self, millicores: u32) -> bool {
        u64::from(self.millicores) <= quota_us(millicores) * 1000 / PERIOD_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kept: Option<(u64, u64)>, expected: Option<u32>) {
        let stat = "nr_periods 7\nnr_throttled 5\nthrottled_time 3\n";
        let quota = kept.and_then(|kept| CpuQuota::new(kept, stat));
        let counted = |millicores| CpuQuota { millicores, periods: 7, throttled_periods: 5 };
        assert_eq!(quota, expected.map(counted), "{kept:?}");
    }

    #[test]
    fn both_versions_are_read() {
        check(parse_max("50000 100000\n"), Some(500));
        check(parse_max("max 100000\n"), None);
        check(parse_max("50000"), None);
        check(parse_max("50000 0\n"), None);
        check(parse_cfs("250000\n", "100000\n"), Some(2500));
        check(parse_cfs("-1\n", "100000\n"), None);
        check(parse_cfs("", ""), None);
        check(Some((u64::MAX, 1)), None);
    }

    #[test]
    fn a_quota_wider_than_asked_does_not_hold() {
        let quota = |millicores| CpuQuota { millicores, periods: 0, throttled_periods: 0 };
        assert!(quota(500).holds(500) && quota(499).holds(500) && !quota(501).holds(500));
        // Less than the kernel can count is what it counts at least.
        assert_eq!((quota_us(1), quota_us(1500)), (1_000, 150_000));
        assert!(quota(10).holds(1));
    }
}
