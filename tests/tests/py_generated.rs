//! What Python takes from the core's lists is checked in, and true.

use bgledger_tests::binary::workspace;
use bgledger_tests::python::generated;
use std::fs;

#[test]
fn the_words_and_errors_of_python_are_the_cores() {
    for (name, text) in generated() {
        let path = workspace().join(name);
        if std::env::var_os("BGLEDGER_BLESS").is_some() {
            fs::write(&path, &text).expect("the file is ours to write");
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        let command = "BGLEDGER_BLESS=1 cargo test -p bgledger-tests --test py_generated";
        assert!(recorded == text, "{name} is not what the core says; write it anew: {command}");
    }
}
