//! Tables, fitted to the terminal: one line a row, one column that gives way.

use super::Output;
use super::tint::{STRONG, styled};
use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Width};
use unicode_width::UnicodeWidthStr;

/// What a column does when there is not enough room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Keeps its width.
    Keep,
    /// Keeps its width, aligned to the right.
    Right,
    /// Is cut, down to this many columns; to less only where all others are as narrow as they get.
    Cut(u16),
    /// Is cut, down to this many columns, or left out where that is not enough; the last such column goes first.
    Spare(u16),
}

/// A table under construction.
pub(crate) struct Table {
    columns: Vec<(&'static str, Fit)>,
    rows: Vec<Vec<String>>,
    tints: Vec<(usize, Style)>,
}

const GAP: u16 = 2;

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[(&'static str, Fit)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new(), tints: Vec::new() }
    }

    /// Adds a row of safe texts, one cell of it in a style.
    pub(crate) fn row(&mut self, cells: Vec<String>, tinted: usize, style: Style) {
        self.rows.push(cells);
        self.tints.push((tinted, style));
    }

    /// The text. Columns in which no row has anything are left out, and those that can be spared for want of room.
    pub(crate) fn render(mut self, out: &Output) -> String {
        let used = self.used(out.width);
        let is_used = |place: usize| used.get(place).copied().unwrap_or(false);
        let tints: Vec<(String, Style)> = self
            .tints
            .iter()
            .zip(&self.rows)
            .map(|((place, style), row)| (row.get(*place).cloned().unwrap_or_default(), *style))
            .collect();
        let kept = |cells: Vec<String>| {
            cells.into_iter().enumerate().filter(|(place, _)| is_used(*place)).map(|(_, cell)| cell).collect()
        };
        let rows: Vec<Vec<String>> = std::mem::take(&mut self.rows).into_iter().map(kept).collect();
        let columns: Vec<(&str, Fit)> =
            self.columns.iter().enumerate().filter(|(place, _)| is_used(*place)).map(|(_, column)| *column).collect();

        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let widths = widths(&columns, &rows, out.width);
        table.set_header(columns.iter().zip(&widths).map(|((name, _), width)| cut(name, *width)));
        for row in rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| cut(cell, *width));
            table.add_row(Row::from(cells));
        }
        for (place, (_, fit)) in columns.iter().enumerate() {
            if let Some(column) = table.column_mut(place) {
                column.set_padding((0, GAP));
                if *fit == Fit::Right {
                    column.set_cell_alignment(CellAlignment::Right);
                }
                if let Some(width) = widths.get(place) {
                    let width = u16::try_from(*width).unwrap_or(u16::MAX).saturating_add(GAP);
                    column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
                }
            }
        }
        let mut text = String::new();
        for (place, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = &out.width.map_or_else(|| line.to_owned(), |width| cut(line, usize::from(width)));
            match place.checked_sub(1).and_then(|row| tints.get(row)) {
                None => text.push_str(&styled(out.styled, STRONG, line)),
                Some((cell, style)) if out.styled && !cell.is_empty() => {
                    text.push_str(&line.replacen(cell.as_str(), &styled(true, *style, cell), 1));
                }
                Some(_) => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

impl Table {
    /// Which columns are shown.
    fn used(&self, room: Option<u16>) -> Vec<bool> {
        let has_text = |place: usize| self.rows.iter().any(|row| row.get(place).is_some_and(|cell| !cell.is_empty()));
        let mut used: Vec<bool> = (0..self.columns.len()).map(has_text).collect();
        let Some(room) = room else { return used };
        let least: Vec<usize> = self
            .columns
            .iter()
            .zip(natural(&self.columns, &self.rows))
            .map(|((_, fit), width)| match fit {
                Fit::Cut(least) | Fit::Spare(least) => width.min(usize::from(*least)),
                Fit::Keep | Fit::Right => width,
            })
            .collect();
        loop {
            let kept = least.iter().zip(&used).filter(|(_, used)| **used).map(|(width, _)| *width);
            let needed = kept.map(|width| width + usize::from(GAP)).sum::<usize>().saturating_sub(usize::from(GAP));
            let spare = self
                .columns
                .iter()
                .zip(used.iter_mut())
                .rfind(|((_, fit), used)| matches!(fit, Fit::Spare(_)) && **used);
            match spare {
                Some((_, used)) if needed > usize::from(room) => *used = false,
                Some(_) | None => return used,
            }
        }
    }
}

/// As wide as their contents.
fn natural(columns: &[(&str, Fit)], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |(place, (name, _)): (usize, &(&str, Fit))| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.width());
        cells.chain([name.width()]).max().unwrap_or(0)
    };
    columns.iter().enumerate().map(width).collect()
}

/// The columns' widths: as wide as their contents, the ones that give way sharing what is left.
fn widths(columns: &[(&str, Fit)], rows: &[Vec<String>], room: Option<u16>) -> Vec<usize> {
    let mut widths = natural(columns, rows);
    let Some(room) = room.map(usize::from) else { return widths };
    let gaps = usize::from(GAP).saturating_mul(columns.len().saturating_sub(1));
    // None of them can be wider than the room: what is over is counted down from there.
    for (width, (_, fit)) in widths.iter_mut().zip(columns) {
        if let Fit::Cut(_) | Fit::Spare(_) = fit {
            *width = (*width).min(room);
        }
    }
    let mut over = widths.iter().sum::<usize>().saturating_add(gaps).saturating_sub(room);
    let mut yields_all = false;
    while over > 0 {
        // The widest that may still give way loses a column at a time: none starves before the others.
        let widest = columns
            .iter()
            .zip(widths.iter_mut())
            .filter_map(|((_, fit), width)| match fit {
                Fit::Cut(least) if *width > if yields_all { 1 } else { usize::from(*least) } => Some(width),
                Fit::Spare(least) if *width > usize::from(*least) => Some(width),
                Fit::Cut(_) | Fit::Spare(_) | Fit::Keep | Fit::Right => None,
            })
            .max_by_key(|width| **width);
        match (widest, yields_all) {
            (Some(width), _) => {
                *width = width.saturating_sub(1);
                over = over.saturating_sub(1);
            }
            (None, false) => yields_all = true,
            (None, true) => break,
        }
    }
    widths
}

/// A text of at most so many columns, its cut shown.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if kept.width() >= width {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgledger_core::Millis;

    fn shown(width: Option<u16>) -> String {
        let out =
            Output { json: false, quiet: false, styled: false, width, now: Millis::EPOCH, utc: true, pager: None };
        let columns = [
            ("#", Fit::Right),
            ("STATUS", Fit::Keep),
            ("EMPTY", Fit::Keep),
            ("LABEL", Fit::Cut(5)),
            ("DETAIL", Fit::Cut(5)),
        ];
        let mut table = Table::new(&columns);
        let row = |cells: [&str; 5]| cells.map(str::to_owned).to_vec();
        table.row(row(["7", "✓ done", "", "a label of some length", "short"]), 1, STRONG);
        table.row(row(["120", "✗ failed", "", "数据数据数据数据数据数据", "details of what happened"]), 1, STRONG);
        table.render(&out)
    }

    #[test]
    fn with_nobody_looking_nothing_is_cut() {
        assert_eq!(
            shown(None),
            "  #  STATUS    LABEL                     DETAIL\n  7  ✓ done    a label of some length    short\n120  ✗ failed  数据数据数据数据数据数据  details of what happened\n"
        );
    }

    #[test]
    fn every_line_fits_the_terminal_and_every_row_has_one() {
        for width in [28, 30, 40, 60] {
            let text = shown(Some(width));
            assert_eq!(text.lines().count(), 3, "{width}: {text}");
            assert!(text.lines().all(|line| line.width() <= usize::from(width)), "{width}: {text}");
        }
    }

    #[test]
    fn a_cut_text_says_so_and_splits_no_wide_letter() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("数据数据", 4), "数…");
        assert_eq!(cut("数据", 1), "…");
    }
}
