//! A task and all that descends from it.

use super::{Output, fit, line};
use bgledger_core::TreeNode;

/// The tree, one task a line.
pub(crate) fn tree(out: &Output, top: &TreeNode) -> String {
    let mut text = line::task(out, &top.task, &[]);
    branches(out, top, "", &mut text);
    let Some(width) = out.width.map(usize::from) else { return text };
    text.lines().map(|line| fit::cut(line, width) + "\n").collect()
}

fn branches(out: &Output, node: &TreeNode, before: &str, text: &mut String) {
    let last = node.children.len().saturating_sub(1);
    for (place, child) in node.children.iter().enumerate() {
        let (branch, below) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        text.push_str(&format!("{before}{branch}{}", line::task(out, &child.task, &[])));
        branches(out, child, &format!("{before}{below}"), text);
    }
}
