//! In which order tasks stand: what runs first, children below their parents.

use bgledger_core::{Status, TaskId, TaskView};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A task and how far it stands below the top of its tree, of what is shown.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) view: TaskView,
    pub(super) depth: usize,
}

/// How deep a branch is drawn; below that it goes straight down.
const DEEPEST: usize = 12;

/// Puts trees with something running first, then those with something queued, then the rest; the newest first among
/// them. Children follow their parents by the same rule.
pub(super) fn arrange(views: Vec<TaskView>) -> Vec<Row> {
    let ids: BTreeMap<TaskId, usize> = views.iter().enumerate().map(|(place, view)| (view.task.id, place)).collect();
    let parents: Vec<Option<usize>> = views
        .iter()
        .map(|view| view.task.parent.and_then(|parent| ids.get(&parent).copied()))
        .enumerate()
        // A parent is older than its children: what says otherwise is no branch to walk down.
        .map(|(place, parent)| parent.filter(|parent| is_older(&views, *parent, place)))
        .collect();
    let mut ranks: Vec<u8> = views.iter().map(|view| rank(view.task.status)).collect();
    let mut oldest_last: Vec<usize> = (0..views.len()).collect();
    oldest_last.sort_by_key(|place| Reverse(views.get(*place).map(|view| view.task.number)));
    for place in &oldest_last {
        if let (Some(Some(parent)), Some(own)) = (parents.get(*place), ranks.get(*place).copied())
            && let Some(rank) = ranks.get_mut(*parent)
        {
            *rank = own.min(*rank);
        }
    }
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for place in oldest_last {
        children.entry(parents.get(place).copied().flatten()).or_default().push(place);
    }
    for siblings in children.values_mut() {
        // Stable: the newest stay first.
        siblings.sort_by_key(|place| ranks.get(*place).copied());
    }
    let mut slots: Vec<Option<TaskView>> = views.into_iter().map(Some).collect();
    let mut rows = Vec::with_capacity(slots.len());
    let top = children.remove(&None).unwrap_or_default();
    let mut open: Vec<(usize, usize)> = top.into_iter().rev().map(|place| (place, 0)).collect();
    while let Some((place, depth)) = open.pop() {
        if let Some(view) = slots.get_mut(place).and_then(Option::take) {
            rows.push(Row { view, depth: depth.min(DEEPEST) });
        }
        let below = children.remove(&Some(place)).unwrap_or_default();
        open.extend(below.into_iter().rev().map(|child| (child, depth + 1)));
    }
    rows
}

fn is_older(views: &[TaskView], parent: usize, child: usize) -> bool {
    match (views.get(parent), views.get(child)) {
        (Some(parent), Some(child)) => parent.task.number < child.task.number,
        (_, _) => false,
    }
}

const fn rank(status: Status) -> u8 {
    match status {
        Status::Running => 0,
        Status::Queued => 1,
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost => 2,
    }
}
