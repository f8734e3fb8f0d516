//! The Python package as its users get it: installed from the wheel into fresh environments, tested and type-checked.

use bgledger_tests::binary::{NO_PREFERENCES, bgledger, workspace};
use bgledger_tests::native::built;
use bgledger_tests::wheel::{Python, installed, library, must, python, pythons, tool, wheel};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn package() -> PathBuf {
    workspace().join("ledger-py")
}

#[test]
fn the_package_works_on_every_cpython_of_this_machine() {
    let pythons = pythons();
    assert!(!pythons.is_empty(), "there is no CPython from 3.10 to 3.13");
    // They wait more than they compute: together they take hardly longer than one.
    std::thread::scope(|scope| pythons.iter().for_each(|each| drop(scope.spawn(|| works_on(each)))));
}

fn works_on(each: &Python) {
    let mut pytest = Command::new(installed(each));
    pytest
        .args(["-m", "pytest"])
        .current_dir(workspace().join("tests/python"))
        .env("PYTHONPATH", library())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BGLEDGER_BIN", bgledger())
        .env(NO_PREFERENCES.0, NO_PREFERENCES.1)
        .env("BGLEDGER_LIBRARY", built().join("libbgledger.so"));
    let said = must(&mut pytest, &format!("pytest on CPython {}", each.version));
    let last = said.lines().rfind(|line| line.contains("passed")).unwrap_or_default();
    println!("CPython {}: {last}", each.version);
    assert!(!said.contains("skipped") && !said.contains("warning"), "{said}");
}

/// What needs a framework is checked where the frameworks are: in `py_integrations.rs`.
const ELSEWHERE: [&str; 2] = ["--exclude", "(^|/)(integrations|peers)/"];

#[test]
fn the_types_hold_for_mypy() {
    let mut mypy = Command::new(tool("mypy"));
    mypy.args(["--strict", "--no-incremental", "--python-executable"]).arg(python()).args(ELSEWHERE);
    mypy.args(["-p", "bgledger"]);
    must(mypy.current_dir(tool("python").parent().expect("a folder")), "mypy on the package");
    let mut mypy = Command::new(tool("mypy"));
    mypy.args(["--strict", "--no-incremental", "--python-executable"]).arg(python()).args(ELSEWHERE).arg(".");
    must(mypy.current_dir(package().join("examples")), "mypy on the examples");
    let mut mypy = Command::new(tool("mypy"));
    mypy.args(["--strict", "--no-incremental", "."]).args(ELSEWHERE).env("MYPYPATH", package().join("python"));
    must(mypy.current_dir(workspace().join("tests/python")), "mypy on the tests");
}

#[test]
fn the_types_hold_for_pyright() {
    for folder in ["python/bgledger", "examples"] {
        let mut pyright = Command::new(tool("pyright"));
        let files = fs::read_dir(package().join(folder)).expect("a folder").map(|entry| entry.expect("a file").path());
        let is_source = |file: &PathBuf| file.extension().is_some_and(|end| end == "py" || end == "pyi");
        pyright.arg("--pythonpath").arg(python()).args(files.filter(is_source));
        let said = must(pyright.current_dir(package()), "pyright");
        assert!(said.contains("0 errors"), "{said}");
    }
}

#[test]
fn the_stub_of_the_extension_is_true() {
    let root = must(
        Command::new(python())
            .args(["-c", "import bgledger, os; print(os.path.dirname(os.path.dirname(bgledger.__file__)))"]),
        "python",
    );
    let mut stubtest = Command::new(tool("stubtest"));
    let allowed = workspace().join("tests/python/stubtest.allow");
    stubtest.arg("bgledger").arg("--allowlist").arg(allowed);
    stubtest.arg("--mypy-config-file").arg(workspace().join("tests/python/stubtest.ini"));
    stubtest.env("PYTHONPATH", root.trim()).env("MYPYPATH", root.trim());
    must(stubtest.current_dir(tool("python").parent().expect("a folder")), "stubtest");
}

#[test]
fn the_wheel_has_what_a_user_needs_and_nothing_else() {
    let name = wheel().file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.starts_with(concat!("bgledger-", env!("CARGO_PKG_VERSION"), "-cp310-abi3-")), "{name}");
    let listing = must(Command::new(tool("python")).args(["-m", "zipfile", "-l"]).arg(wheel()), "zipfile");
    let files: BTreeSet<&str> = listing.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    for needed in ["bgledger/_core.abi3.so", "bgledger/py.typed", "bgledger/_core.pyi", "bgledger/aio.py"] {
        assert!(files.contains(needed), "{needed} is not in {files:?}");
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(files.iter().any(|file| file.ends_with(licence)), "{licence} is not in {files:?}");
    }
    assert!(files.iter().all(|file| file.starts_with("bgledger/") || file.starts_with("bgledger-")), "{files:?}");
    assert!(files.iter().all(|file| !file.contains("__pycache__") && !file.contains("test")), "{files:?}");
    let metadata = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
        print(z.read(next(n for n in z.namelist() if n.endswith('/METADATA'))).decode())";
    let metadata = must(Command::new(tool("python")).args(["-c", metadata]).arg(wheel()), "metadata");
    for line in ["Requires-Python: >=3.10", "License-Expression: MIT OR Apache-2.0", "ledger.task("] {
        assert!(metadata.contains(line), "{line} is not in {metadata}");
    }
}
