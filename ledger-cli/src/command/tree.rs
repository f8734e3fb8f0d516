//! A task and all that descends from it.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{page, tree};
use crate::value;
use bgledger_core::{Lookup, TaskView, Tree as Request, TreeNode};

/// Show a task and all that descends from it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger tree 42")]
pub(crate) struct Tree {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
}

impl Tree {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let report = context.reading()?.call(Request { lookup: self.lookup })?;
        let mut tasks = Vec::new();
        collect(&report.top, &mut tasks);
        context.out.paged(&report, tasks, |out| tree::tree(out, &report.top))?;
        page::unreadable(&context.out, report.unreadable.iter().map(|odd| (odd.number.to_string(), &*odd.problem)));
        if report.truncated {
            context.out.note("There are more tasks below it. To see all: bgledger list --parent N, level by level");
        }
        Ok(Exit::Done)
    }
}

fn collect<'a>(node: &'a TreeNode, tasks: &mut Vec<&'a TaskView>) {
    tasks.push(&node.task);
    node.children.iter().for_each(|child| collect(child, tasks));
}
