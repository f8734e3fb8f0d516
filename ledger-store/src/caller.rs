//! Who asks, and what they are told inside a transaction.

use crate::find::Scope;
use crate::world::World;
use bgledger_core::config::Durability;
use bgledger_core::{ExecutorSpec, Response, TaskNumber};

/// What stands around a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) owner: Option<String>,
    pub(crate) runtime: String,
    pub(crate) executor: ExecutorSpec,
    pub(crate) durability: Option<Durability>,
    pub(crate) world: World,
    /// What maintenance found due before it took its turn to write.
    pub(crate) due: Vec<TaskNumber>,
}

/// Whose records an operator's handle writes unless told.
pub(crate) const LOCAL: &str = "local";

impl Caller {
    /// Somebody, for the tests of this crate.
    #[cfg(test)]
    pub(crate) fn of(owner: Option<&str>) -> Caller {
        Caller {
            owner: owner.map(Into::into),
            runtime: "cli".into(),
            executor: ExecutorSpec::External,
            durability: None,
            world: World::Real,
            due: Vec::new(),
        }
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope(self.owner.as_deref())
    }
}

/// What a request came to inside its transaction.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) response: Response,
    /// Whether anything was written.
    pub(crate) wrote: bool,
}
