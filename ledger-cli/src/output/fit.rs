//! Lines that hold our own styles, fitted to a width. A style takes no room.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A piece of a line: a style, or one letter and its width.
enum Piece<'a> {
    Style(&'a str),
    Letter(char, usize),
}

/// The pieces of a line. Recorded text was escaped before, so an escape begins a style of ours.
fn pieces(line: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let letter = rest.chars().next()?;
        let style = rest.starts_with('\x1b').then(|| rest.find('m')).flatten();
        let length = style.map_or(letter.len_utf8(), |end| end + 1);
        let (piece, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(match style {
            Some(_) => Piece::Style(piece),
            None => Piece::Letter(letter, letter.width().unwrap_or(0)),
        })
    })
}

/// The line in at most so many columns, its cut shown; styles stay.
pub(crate) fn cut(line: &str, width: usize) -> String {
    if line.len() <= width {
        return line.to_owned();
    }
    let total: usize = pieces(line).map(|piece| if let Piece::Letter(_, width) = piece { width } else { 0 }).sum();
    if total <= width {
        return line.to_owned();
    }
    let (mut kept, mut used, mut is_cut) = (String::new(), 0, false);
    for piece in pieces(line) {
        match piece {
            Piece::Style(style) => kept.push_str(style),
            Piece::Letter(_, _) if is_cut => {}
            Piece::Letter(_, own) if used + own >= width && own > 0 => {
                kept.push('…');
                is_cut = true;
            }
            Piece::Letter(letter, own) => {
                kept.push(letter);
                used += own;
            }
        }
    }
    kept
}

/// The line as lines of at most so many columns, each one complete in its styles.
pub(crate) fn wrap(line: &str, width: usize) -> Vec<String> {
    if line.width() <= width {
        return vec![line.to_owned()];
    }
    let (mut lines, mut current, mut used, mut styles) = (Vec::new(), String::new(), 0, String::new());
    for piece in pieces(line) {
        match piece {
            Piece::Style(style) => {
                current.push_str(style);
                match style {
                    "\x1b[0m" => styles.clear(),
                    style => styles.push_str(style),
                }
            }
            Piece::Letter(letter, own) => {
                if used + own > width && used > 0 {
                    if !styles.is_empty() {
                        current.push_str("\x1b[0m");
                    }
                    lines.push(std::mem::replace(&mut current, styles.clone()));
                    used = 0;
                }
                current.push(letter);
                used += own;
            }
        }
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_the_styles_and_shows_itself() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("\x1b[1mabcd\x1b[0m", 4), "\x1b[1mabcd\x1b[0m");
        assert_eq!(cut("\x1b[1mabcd\x1b[0m ef", 3), "\x1b[1mab…\x1b[0m");
        assert_eq!(cut("数据数据", 5), "数据…");
    }

    #[test]
    fn wrapped_lines_are_whole_in_themselves() {
        assert_eq!(wrap("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrap("\x1b[1mabcdef\x1b[0m", 4), ["\x1b[1mabcd\x1b[0m", "\x1b[1mef\x1b[0m"]);
        assert_eq!(wrap("数据数", 3), ["数", "据", "数"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
