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
    /// Is cut, down to this many columns.
    Cut(u16),
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

    /// The text. Columns in which no row has anything are left out.
    pub(crate) fn render(mut self, out: &Output) -> String {
        let used: Vec<bool> = (0..self.columns.len())
            .map(|place| self.rows.iter().any(|row| row.get(place).is_some_and(|cell| !cell.is_empty())))
            .collect();
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

/// The columns' widths: as wide as their contents, the ones that give way sharing what is left.
fn widths(columns: &[(&str, Fit)], rows: &[Vec<String>], room: Option<u16>) -> Vec<usize> {
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, (name, _))| {
            let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.width());
            cells.chain([name.width()]).max().unwrap_or(0)
        })
        .collect();
    let Some(room) = room else { return natural };
    let gaps = usize::from(GAP).saturating_mul(columns.len().saturating_sub(1));
    let mut over = natural.iter().sum::<usize>().saturating_add(gaps).saturating_sub(usize::from(room));
    let mut widths = natural;
    while over > 0 {
        // The widest that may still give way loses a column at a time: none starves before the others.
        let widest = columns
            .iter()
            .zip(widths.iter_mut())
            .filter_map(|((_, fit), width)| match fit {
                Fit::Cut(least) if *width > usize::from(*least) => Some(width),
                Fit::Cut(_) | Fit::Keep | Fit::Right => None,
            })
            .max_by_key(|width| **width);
        match widest {
            Some(width) => *width = width.saturating_sub(1),
            None => break,
        }
        over = over.saturating_sub(1);
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
        let out = Output { json: false, quiet: false, styled: false, width, now: Millis::EPOCH };
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
