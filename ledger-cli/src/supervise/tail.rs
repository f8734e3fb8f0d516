//! The last bytes of an output, whatever its length.

use std::collections::VecDeque;

/// Keeps the last `limit` bytes pushed into it.
#[derive(Debug)]
pub(super) struct Tail {
    limit: usize,
    kept: VecDeque<u8>,
    seen: u64,
}

/// What a the tail kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The last bytes, in order of arrival, stdout and stderr together. Any bytes: a cut may split a letter.
    pub tail: Vec<u8>,
    /// How many bytes there were in all.
    pub bytes: u64,
    /// Whether there were more than are kept.
    pub truncated: bool,
}

impl Tail {
    /// An empty tail that will hold at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: VecDeque::new(), seen: 0 }
    }

    /// Takes the next bytes, letting go of the oldest.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        let fitting = bytes.len().saturating_sub(self.limit);
        let bytes = bytes.get(fitting..).unwrap_or_default();
        let over = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        self.kept.drain(..over.min(self.kept.len()));
        self.kept.extend(bytes);
    }

    /// What was kept, and of how much.
    pub(super) fn into_output(self) -> Output {
        Output { truncated: self.seen > self.kept.len() as u64, bytes: self.seen, tail: self.kept.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(limit: usize, pieces: &[&[u8]]) -> (Vec<u8>, u64, bool) {
        let mut tail = Tail::new(limit);
        pieces.iter().for_each(|piece| tail.push(piece));
        let output = tail.into_output();
        (output.tail, output.bytes, output.truncated)
    }

    #[test]
    fn the_last_bytes_are_kept_across_pieces_of_any_size() {
        assert_eq!(tail_of(4, &[]), (b"".to_vec(), 0, false));
        assert_eq!(tail_of(4, &[b"ab", b"cd"]), (b"abcd".to_vec(), 4, false));
        assert_eq!(tail_of(4, &[b"ab", b"cde"]), (b"bcde".to_vec(), 5, true));
        assert_eq!(tail_of(4, &[b"abcdefgh", b"i"]), (b"fghi".to_vec(), 9, true));
        assert_eq!(tail_of(0, &[b"abc"]), (b"".to_vec(), 3, true));
    }
}
