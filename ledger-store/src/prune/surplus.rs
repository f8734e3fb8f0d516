//! What is too much whatever its age: more ended tasks than the policy allows, of all or of a runtime, or more bytes.

use super::Policy;
use crate::caller::Caller;
use crate::sqlite::Failure;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// How many ended tasks are too many.
#[derive(Debug, Default)]
pub(super) struct Surplus {
    /// Of all.
    pub(super) all: usize,
    of_runtimes: BTreeMap<String, usize>,
}

impl Surplus {
    /// By the ledger's own policy, which is the operator's to carry out.
    pub(super) fn of(sql: &Connection, policy: &Policy, caller: &Caller) -> Result<Surplus, Failure> {
        let is_bounded = policy.count.is_some() || policy.bytes.is_some() || !policy.of_runtimes.is_empty();
        if caller.owner.is_some() || !is_bounded {
            return Ok(Surplus::default());
        }
        let mut ended: BTreeMap<String, u64> = BTreeMap::new();
        let mut statement = sql.prepare_cached("SELECT runtime, sum(count) FROM tally GROUP BY runtime")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            ended.insert(row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
        }
        let all: u64 = ended.values().sum();
        let too_many = policy.count.map_or(0, |most| all.saturating_sub(most));
        let too_large = policy.bytes.map_or(Ok(0), |most| over(sql, most, all))?;
        let of_runtime = |(runtime, most): (&String, &u64)| {
            let extra = ended.get(runtime).copied().unwrap_or(0).saturating_sub(*most);
            (runtime.clone(), usize::try_from(extra).unwrap_or(usize::MAX))
        };
        Ok(Surplus {
            all: usize::try_from(too_many.max(too_large)).unwrap_or(usize::MAX),
            of_runtimes: policy.of_runtimes.iter().map(of_runtime).collect(),
        })
    }

    /// Of a runtime.
    pub(super) fn of_runtime(&self, runtime: &str) -> usize {
        self.of_runtimes.get(runtime).copied().unwrap_or(0)
    }

    /// Whether a runtime's task may be one too many.
    pub(super) fn has(&self, runtime: &str) -> bool {
        self.all > 0 || self.of_runtime(runtime) > 0
    }

    /// One of a runtime's tasks went.
    pub(super) fn went(&mut self, runtime: &str) {
        self.all = self.all.saturating_sub(1);
        if let Some(left) = self.of_runtimes.get_mut(runtime) {
            *left = left.saturating_sub(1);
        }
    }
}

/// How many of the ended tasks have to go for the ledger to have so many bytes.
fn over(sql: &Connection, most: u64, ended: u64) -> Result<u64, Failure> {
    let number = |pragma: &str| sql.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let used = (number("page_count")? - number("freelist_count")?) * number("page_size")?;
    let used = u64::try_from(used).unwrap_or(0);
    let each = (used / ended.max(1)).max(1);
    Ok(used.saturating_sub(most).div_ceil(each).min(ended))
}
