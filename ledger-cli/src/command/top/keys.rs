//! What is typed, from the bytes of a terminal.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter, or anything else that is text.
    Text(char),
    Enter,
    Escape,
    Erase,
    /// Erase all of it (Ctrl-U).
    EraseAll,
    Move(Move),
    Control(Control),
}

/// Where a key leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What means the same wherever it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Redraw,
}

impl Move {
    /// The move that a letter stands for where no text is typed.
    pub(super) const fn of_letter(letter: char) -> Option<Move> {
        match letter {
            'j' => Some(Move::Down),
            'k' => Some(Move::Up),
            'g' => Some(Move::Home),
            'G' => Some(Move::End),
            ' ' => Some(Move::PageDown),
            _ => None,
        }
    }

    /// Where it leads from a place, in a list of which so many are seen at once.
    pub(super) fn from(self, place: usize, page: usize, last: usize) -> usize {
        let page = page.saturating_sub(1).max(1);
        let to = match self {
            Move::Up => place.saturating_sub(1),
            Move::Down => place.saturating_add(1),
            Move::PageUp => place.saturating_sub(page),
            Move::PageDown => place.saturating_add(page),
            Move::Home => 0,
            Move::End => last,
        };
        to.min(last)
    }
}

/// The keys of what was read at once, and the bytes at its end that are not a whole letter yet. An escape sequence
/// arrives whole, so an escape that nothing follows is the key.
pub(super) fn keys(bytes: &[u8]) -> (Vec<Key>, Vec<u8>) {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            0x1b => {
                let (key, used) = escape_sequence(rest);
                keys.extend(key);
                rest = rest.get(used..).unwrap_or_default();
            }
            b'\r' | b'\n' => keys.push(Key::Enter),
            0x7f | 0x08 => keys.push(Key::Erase),
            0x03 => keys.push(Key::Control(Control::Interrupt)),
            0x1a => keys.push(Key::Control(Control::Suspend)),
            0x0c => keys.push(Key::Control(Control::Redraw)),
            0x15 => keys.push(Key::EraseAll),
            0x0e => keys.push(Key::Move(Move::Down)),
            0x10 => keys.push(Key::Move(Move::Up)),
            0x06 => keys.push(Key::Move(Move::PageDown)),
            0x02 => keys.push(Key::Move(Move::PageUp)),
            0x00..0x20 => {}
            0x20..0x7f => keys.push(Key::Text(char::from(*first))),
            0x80.. => {
                let begun = bytes.get(bytes.len().saturating_sub(rest.len() + 1)..).unwrap_or_default();
                match std::str::from_utf8(begun).map_err(|error| (error.valid_up_to(), error.error_len())) {
                    // Only the end of what was read is missing.
                    Err((0, None)) => return (keys, begun.to_vec()),
                    Err((0, Some(_))) => {}
                    Ok(_) | Err(_) => {
                        let letter = begun.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
                        keys.extend(letter.map(Key::Text));
                        rest = begun.get(letter.map_or(1, char::len_utf8)..).unwrap_or_default();
                    }
                }
            }
        }
    }
    (keys, Vec::new())
}

/// The key of what follows an escape, and how many bytes that is.
fn escape_sequence(after: &[u8]) -> (Option<Key>, usize) {
    match after.first() {
        None => (Some(Key::Escape), 0),
        Some(b'[' | b'O') => {
            let body = after.get(1..).unwrap_or_default();
            let Some(last) = body.iter().position(|byte| (0x40..0x7f).contains(byte)) else {
                return (None, after.len());
            };
            let key = match body.get(..=last) {
                Some(b"A") => Some(Key::Move(Move::Up)),
                Some(b"B") => Some(Key::Move(Move::Down)),
                Some(b"H" | b"1~" | b"7~") => Some(Key::Move(Move::Home)),
                Some(b"F" | b"4~" | b"8~") => Some(Key::Move(Move::End)),
                Some(b"5~") => Some(Key::Move(Move::PageUp)),
                Some(b"6~") => Some(Key::Move(Move::PageDown)),
                Some(_) | None => None,
            };
            (key, last + 2)
        }
        // A control begins anew; a letter after an escape is Alt with it, which means nothing here.
        Some(0x00..0x20) => (Some(Key::Escape), 0),
        Some(_) => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_arrows_and_controls_are_told_apart() {
        assert_eq!(
            keys(b"j\x1b[A\x1b[6~\r").0,
            [Key::Text('j'), Key::Move(Move::Up), Key::Move(Move::PageDown), Key::Enter]
        );
        assert_eq!(keys(b"\x1b").0, [Key::Escape]);
        assert_eq!(keys(b"\x1b\x1a").0, [Key::Escape, Key::Control(Control::Suspend)]);
        assert_eq!(keys(b"\x1bx").0, []);
        assert_eq!(keys(b"\x1bOB\x7f\x03").0, [Key::Move(Move::Down), Key::Erase, Key::Control(Control::Interrupt)]);
        assert_eq!(keys(b"\x1b[200~x").0, [Key::Text('x')]);
        assert_eq!(keys("é数".as_bytes()).0, [Key::Text('é'), Key::Text('数')]);
    }

    #[test]
    fn half_a_letter_waits_for_its_other_half() {
        let (first, rest) = keys(b"a\xe6\x95");
        assert_eq!((first, rest.as_slice()), (vec![Key::Text('a')], b"\xe6\x95".as_slice()));
        assert_eq!(keys(b"\xff\xfez").0, [Key::Text('z')]);
    }
}
