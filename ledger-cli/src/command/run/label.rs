//! A command line as text.

use std::ffi::OsString;

/// The command as a shell would read it; bytes that are not text are shown as replacement characters.
pub(super) fn command_line(command: &[OsString]) -> String {
    command.iter().map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(&byte) || !byte.is_ascii();
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A text of at most so many bytes, its cut shown.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_split_or_expand_is_quoted() {
        let words = ["sh", "-c", "echo $HOME it's", "", "a=b", "naïve"].map(OsString::from);
        assert_eq!(command_line(&words), r#"sh -c 'echo $HOME it'\''s' '' a=b naïve"#);
    }

    #[test]
    fn a_cut_splits_no_letter() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äääääää", 8), "ää…");
    }
}
