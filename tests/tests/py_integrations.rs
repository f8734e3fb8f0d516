//! The integrations of the Python package, with the real frameworks: tested and type-checked where they are installed.

use bgledger_tests::binary::{NO_PREFERENCES, bgledger, workspace};
use bgledger_tests::wheel::{must, tool, with_frameworks};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How the files begin whose framework is too large for every run; see `tests/python/requirements-heavy.txt`.
const HEAVY: &str = "claude_";

#[test]
fn every_integration_records_what_its_framework_runs() {
    let mut pytest = Command::new(with_frameworks());
    pytest
        .args(["-m", "pytest", "integrations"])
        .current_dir(workspace().join("tests/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BGLEDGER_BIN", bgledger())
        .env(NO_PREFERENCES.0, NO_PREFERENCES.1);
    let said = must(&mut pytest, "pytest on the integrations");
    let last = said.lines().rfind(|line| line.contains("passed")).unwrap_or_default();
    println!("{last}");
    assert!(!said.contains("skipped") && !said.contains("warning"), "{said}");
}

#[test]
fn the_types_of_the_integrations_hold_for_mypy() {
    let folder = workspace().join("tests/python");
    let rules = folder.join("integrations/mypy.ini");
    let mypy = |what: &str, arguments: &[&str], place: PathBuf| {
        let mut mypy = Command::new(with_frameworks());
        mypy.args(["-m", "mypy", "--strict", "--no-incremental", "--config-file"]).arg(&rules).args(arguments);
        must(mypy.current_dir(place).env("PYTHONDONTWRITEBYTECODE", "1"), what);
    };
    let elsewhere = tool("python").parent().expect("a folder").to_path_buf();
    mypy("mypy on the integrations", &["-p", "bgledger.integrations"], elsewhere);
    mypy("mypy on their examples", &["."], workspace().join("ledger-py/examples/integrations"));
    mypy("mypy on their tests", &["--exclude", "/heavy/", "integrations"], folder);
}

#[test]
fn the_types_of_the_integrations_hold_for_pyright() {
    let package = workspace().join("ledger-py");
    let mut pyright = Command::new(tool("pyright"));
    pyright.arg("--pythonpath").arg(with_frameworks()).current_dir(&package);
    for folder in ["python/bgledger/integrations", "examples/integrations"] {
        let files = fs::read_dir(package.join(folder)).expect("a folder").map(|entry| entry.expect("a file").path());
        let is_checked = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".py") && !name.starts_with(HEAVY)
        };
        pyright.args(files.filter(is_checked));
    }
    let said = must(&mut pyright, "pyright");
    assert!(said.contains("0 errors"), "{said}");
}
