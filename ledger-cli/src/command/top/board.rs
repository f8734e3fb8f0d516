//! What the live view shows, and what a key changes of it. Knows neither terminal nor ledger.

use super::keys::{Control, Key, Move};
use super::order::{Row, arrange};
use bgledger_core::{StatsReport, Status, TaskNumber, TaskView, UnreadableTask};

/// What is read of the ledger for one frame.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) stats: StatsReport,
    pub(super) tasks: Vec<TaskView>,
    /// What of the ledger cannot be read.
    pub(super) unreadable: Vec<UnreadableTask>,
}

/// What keys mean at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Browse,
    /// The filter is being typed.
    Filter,
    /// Whether to cancel this task is being asked.
    Confirm(TaskNumber, String),
    /// One task in full, from this line on.
    Detail(TaskNumber, usize),
}

/// What a key asks for beside another frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Stay,
    Quit,
    Suspend,
    Redraw,
    Cancel(TaskNumber),
    /// Read what one task is in full.
    Open(TaskNumber),
}

/// The state of the view.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) snapshot: Snapshot,
    pub(super) rows: Vec<Row>,
    pub(super) filter: String,
    pub(super) only_active: bool,
    pub(super) mode: Mode,
    /// What was last said, in place of the help; safe to print.
    pub(super) said: String,
    /// The task that is open, in full.
    pub(super) open: Option<TaskView>,
    /// Rows that fit the screen, as the last frame found it; and lines of the open task.
    pub(super) page: usize,
    pub(super) lines: usize,
    /// The first row on the screen.
    pub(super) first: usize,
    /// The task that the marker stands on; `None`: on whatever is first.
    marked: Option<TaskNumber>,
    place: usize,
}

impl Board {
    pub(super) fn new(snapshot: Snapshot, filter: String, only_active: bool) -> Board {
        let mut board = Board {
            snapshot,
            rows: Vec::new(),
            filter,
            only_active,
            mode: Mode::Browse,
            said: String::new(),
            open: None,
            page: 1,
            lines: 0,
            first: 0,
            marked: None,
            place: 0,
        };
        board.arrange();
        board
    }

    /// Shows what was read since.
    pub(super) fn load(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
        self.arrange();
    }

    /// The row that the marker stands on.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// The task that is open in full, if one is.
    pub(super) fn opened(&self) -> Option<TaskNumber> {
        match &self.mode {
            Mode::Detail(number, _) => Some(*number),
            Mode::Browse | Mode::Filter | Mode::Confirm(_, _) => None,
        }
    }

    fn arrange(&mut self) {
        let wanted = self.filter.to_lowercase();
        let fits = |view: &&TaskView| (!self.only_active || view.task.status.is_active()) && fits(view, &wanted);
        self.rows = arrange(self.snapshot.tasks.iter().filter(fits).cloned().collect());
        let found = self.marked.and_then(|number| self.rows.iter().position(|row| row.view.task.number == number));
        let last = self.rows.len().saturating_sub(1);
        self.place = match self.marked {
            None => 0,
            Some(_) => found.unwrap_or(self.place).min(last),
        };
    }

    fn move_to(&mut self, place: usize) {
        self.place = place.min(self.rows.len().saturating_sub(1));
        self.marked = self.rows.get(self.place).map(|row| row.view.task.number);
    }

    /// Does what a key says.
    pub(super) fn key(&mut self, key: Key) -> Action {
        self.said.clear();
        match (key, self.mode.clone()) {
            (Key::Control(Control::Interrupt), _) => Action::Quit,
            (Key::Control(Control::Suspend), _) => Action::Suspend,
            (Key::Control(Control::Redraw), _) => Action::Redraw,
            (key, Mode::Browse) => self.browse(key),
            (key, Mode::Filter) => self.type_filter(key),
            (key, Mode::Confirm(number, _)) => self.confirm(key, number),
            (key, Mode::Detail(number, top)) => self.read(key, number, top),
        }
    }

    fn browse(&mut self, key: Key) -> Action {
        match key {
            Key::Text('q') => return Action::Quit,
            Key::Text('/') => self.mode = Mode::Filter,
            Key::Text('a') => {
                self.only_active = !self.only_active;
                self.arrange();
            }
            Key::Text('c') => {
                let task = self.rows.get(self.place).map(|row| &row.view.task);
                self.ask(task.map(|task| (task.number, task.label.clone(), task.status)));
            }
            Key::Enter => {
                if let Some(row) = self.rows.get(self.place) {
                    let number = row.view.task.number;
                    self.mode = Mode::Detail(number, 0);
                    self.marked = Some(number);
                    return Action::Open(number);
                }
            }
            Key::Escape => {
                self.filter.clear();
                self.arrange();
            }
            Key::Text(letter) => self.step(Move::of_letter(letter)),
            Key::Move(step) => self.step(Some(step)),
            Key::Erase | Key::EraseAll | Key::Control(_) => {}
        }
        Action::Stay
    }

    fn step(&mut self, step: Option<Move>) {
        if let Some(step) = step {
            self.move_to(step.from(self.place, self.page, self.rows.len().saturating_sub(1)));
        }
    }

    /// Asks whether to cancel a task, unless that has ended for good.
    fn ask(&mut self, task: Option<(TaskNumber, String, Status)>) {
        match task {
            None => {}
            Some((number, _, status)) if status.is_final() => {
                self.said = format!("{number} has ended already: {}", status.as_str());
            }
            Some((number, label, _)) => self.mode = Mode::Confirm(number, label),
        }
    }

    fn type_filter(&mut self, key: Key) -> Action {
        match key {
            Key::Text(letter) => self.filter.push(letter),
            Key::Erase => drop(self.filter.pop()),
            Key::EraseAll => self.filter.clear(),
            Key::Enter => self.mode = Mode::Browse,
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::Browse;
            }
            Key::Move(step) => self.step(Some(step)),
            Key::Control(_) => {}
        }
        self.arrange();
        Action::Stay
    }

    fn confirm(&mut self, key: Key, number: TaskNumber) -> Action {
        self.mode = Mode::Browse;
        if let Key::Text('y' | 'Y') = key {
            self.said = format!("cancelling {number} …");
            return Action::Cancel(number);
        }
        self.said = format!("{number} is left alone");
        Action::Stay
    }

    fn read(&mut self, key: Key, number: TaskNumber, top: usize) -> Action {
        let step = match key {
            Key::Text('q') | Key::Escape | Key::Enter => {
                self.mode = Mode::Browse;
                self.open = None;
                return Action::Stay;
            }
            Key::Text('c') => {
                let task = self.open.as_ref().map(|view| &view.task);
                let task = task.map(|task| (task.number, task.label.clone(), task.status));
                self.ask(task.filter(|(open, _, _)| *open == number));
                return Action::Stay;
            }
            Key::Text(letter) => Move::of_letter(letter),
            Key::Move(step) => Some(step),
            Key::Erase | Key::EraseAll | Key::Control(_) => None,
        };
        if let Some(step) = step {
            let last = self.lines.saturating_sub(self.page);
            self.mode = Mode::Detail(number, step.from(top, self.page, last));
        }
        Action::Stay
    }
}

/// Whether a task has the text, in lower case, where people would look for it.
fn fits(view: &TaskView, wanted: &str) -> bool {
    let task = &view.task;
    let has = |text: &str| text.to_lowercase().contains(wanted);
    let more = [&task.kind, &task.agent, &task.session, &task.run_id];
    wanted.is_empty()
        || has(&task.label)
        || has(task.status.as_str())
        || has(&task.runtime)
        || has(&task.number.to_string())
        || more.into_iter().flatten().any(|text| has(text))
}
