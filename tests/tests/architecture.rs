//! What `ARCHITECTURE.md` says is nowhere, looked for in the text of the repository.

use bgledger_core::Status;
use bgledger_tests::binary::workspace;
use bgledger_tests::mutants::MUTANTS;
use bgledger_tests::soak::HARNESSES;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The files in which system calls and forks need `unsafe`; the tests may do as they need.
const UNSAFE: [&str; 19] = [
    "ledger-cli/src/supervise/gate.rs",
    "ledger-cli/src/supervise/signals.rs",
    "ledger-ffi/src/argument.rs",
    "ledger-ffi/src/flows.rs",
    "ledger-ffi/src/handle.rs",
    "ledger-ffi/src/ledger.rs",
    "ledger-ffi/src/notice.rs",
    "ledger-ffi/src/read.rs",
    "ledger-ffi/src/record.rs",
    "ledger-ffi/src/subscription.rs",
    "ledger-ffi/src/wait.rs",
    "ledger-ffi/src/watch.rs",
    "ledger-store/src/connection.rs",
    "ledger-store/src/engine.rs",
    "ledger-store/src/locks.rs",
    "ledger-store/src/mark.rs",
    "ledger-store/src/platform/bell/memory.rs",
    "ledger-store/src/platform/fork.rs",
    "ledger-store/src/wal.rs",
];
const LINES: usize = 500;
/// Written by programs, like lock files.
const GENERATED: [&str; 3] =
    ["ledger-ffi/include/bgledger.h", "ledger-py/python/bgledger/_codes.py", "tests/node/package-lock.json"];

#[test]
fn no_crate_knows_what_lies_above_it() {
    let own = |folder: &str| -> BTreeSet<String> {
        let names = dependencies(folder).into_iter().filter(|name| name.starts_with("bgledger-"));
        names.map(|name| name.replace("bgledger-", "")).collect()
    };
    assert_eq!(own("ledger-core"), BTreeSet::new());
    assert_eq!(own("ledger-store"), BTreeSet::from(["core".to_owned()]));
    assert_eq!(own("ledger-cli"), BTreeSet::from(["core".to_owned(), "store".to_owned()]));
    assert_eq!(own("ledger-ffi"), BTreeSet::from(["core".to_owned(), "store".to_owned()]));
    let outside = ["rusqlite", "rustix", "libc", "getrandom", "tempfile"];
    assert!(dependencies("ledger-core").iter().all(|name| !outside.contains(&name.as_str())));
    assert!(read("ledger-core/src/lib.rs").contains("#![no_std]"));
    let impure = ["SystemTime", "Instant", "std::fs", "std::env", "std::net", "f32", "f64"];
    // Serde's list of what a deserializer is asked for, which is handed on as it is.
    let handed_on = "bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64";
    each_line(&["ledger-core/src/"], |path, line| {
        let is_code = !line.trim_start().starts_with("//") && !line.trim_start().starts_with(handed_on);
        assert!(!is_code || impure.iter().all(|word| !line.contains(word)), "{path}: {line}");
    });
}

#[test]
fn sqlite_is_known_to_the_store_alone() {
    let words = ["rusqlite", "SELECT ", "INSERT INTO ", "PRAGMA "];
    each_line(&["ledger-core/", "ledger-cli/", "ledger-ffi/"], |path, line| {
        assert!(words.iter().all(|word| !line.contains(word)), "{path}: {line}");
    });
    // What the store's library shows to others is `ledger` and `platform`, and neither names it.
    let library = read("ledger-store/src/lib.rs");
    let public: Vec<&str> = library.lines().filter(|line| line.starts_with("pub ")).collect();
    assert_eq!(public, ["pub mod platform;", "pub use ledger::{Ledger, OpenOptions};"]);
    each_line(&["ledger-store/src/ledger.rs", "ledger-store/src/platform/"], |path, line| {
        assert!(!line.contains("rusqlite"), "{path}: {line}");
    });
}

#[test]
fn unsafe_code_is_where_it_is_said_to_be() {
    let mut found = BTreeSet::new();
    each_line(&["ledger-"], |path, line| {
        let code = line.split("//").next().unwrap_or_default();
        if path.ends_with(".rs")
            && (code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl"))
        {
            found.insert(path.to_owned());
        }
    });
    assert_eq!(found, UNSAFE.map(str::to_owned).into());
    assert!(read("ledger-core/src/lib.rs").contains("#![forbid(unsafe_code)]"));
}

/// The front for long runs knows its tests and their variables.
#[test]
fn every_harness_of_the_front_is_there() {
    for harness in HARNESSES {
        let sources = files().into_iter().filter(|path| {
            let folder = if harness.package == "bgledger-cli" { "ledger-cli/tests" } else { "tests/tests" };
            let test = format!("{folder}/{}", harness.test);
            path.ends_with(".rs") && (*path == format!("{test}.rs") || path.starts_with(&format!("{test}/")))
        });
        let text: String = sources.map(|path| read(&path)).collect();
        for word in [harness.count.0, harness.seed, harness.filter] {
            let is_known = text.contains(word);
            assert!(is_known, "{}: {word} is not in {}", harness.name, harness.test);
        }
    }
}

/// What is planted is what is looked for.
#[test]
fn every_planted_bug_is_known() {
    let mut planted = BTreeSet::new();
    each_line(&["ledger-"], |_, line| {
        let names = line.split("planted(\"").skip(1).filter_map(|rest| rest.split('"').next());
        planted.extend(names.map(str::to_owned));
    });
    assert_eq!(planted, MUTANTS.map(|(name, ..)| name.to_owned()).into());
}

#[test]
fn the_statuses_of_the_glossary_are_the_statuses() {
    let page = read("ARCHITECTURE.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| status |")).skip(2);
    let words = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('`').nth(1));
    assert_eq!(words.collect::<Vec<_>>(), Status::ALL.map(Status::as_str));
}

#[test]
fn every_file_that_a_page_names_is_there() {
    for page in
        ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md", "docs/reliability.md"]
    {
        let text = read(page);
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|name| is_path(name));
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for name in quoted.chain(linked.filter(|link| !link.contains("://"))) {
            assert!(workspace().join(name).exists(), "{page} names {name}");
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let is_long = |path: &String| text_of(path).is_some_and(|text| text.lines().count() > LINES);
    let is_written = |path: &String| !path.ends_with(".lock") && !GENERATED.contains(&path.as_str());
    let long: Vec<String> = files().into_iter().filter(is_written).collect();
    assert_eq!(long.into_iter().filter(is_long).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn no_file_names_somebodys_home() {
    let homes = ["home", "Users", "root"].map(|folder| format!("/{folder}/"));
    for path in files() {
        let text = text_of(&path).unwrap_or_default();
        assert!(homes.iter().all(|home| !text.contains(home.as_str())), "{path} names a folder of somebody's home");
    }
}

// ---- the repository -------------------------------------------------------------------------------------------

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file's text, if it is text.
fn text_of(path: &str) -> Option<String> {
    String::from_utf8(fs::read(workspace().join(path)).expect("a file that was just seen")).ok()
}

/// Every file but what was built, by its path from the repository on.
fn files() -> Vec<String> {
    let mut files = Vec::new();
    gather(workspace(), &mut files);
    assert!(files.len() > 100, "{files:?}");
    files.sort();
    files.into_iter().filter_map(|path| Some(path.strip_prefix(workspace()).ok()?.to_str()?.to_owned())).collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_built = path.join("CACHEDIR.TAG").exists() || name == "target" || name == "__pycache__";
        let is_hidden = name.starts_with('.') && ![".ci", ".github", ".gitignore"].contains(&name.as_str());
        match (is_built || is_hidden, path.is_dir()) {
            (true, _) => {}
            (false, true) => gather(&path, files),
            (false, false) => files.push(path),
        }
    }
}

/// Shows every line of the source files and manifests under some paths.
fn each_line(under: &[&str], mut look: impl FnMut(&str, &str)) {
    let mut seen = 0;
    for path in files() {
        let is_source = path.ends_with(".rs") || path.ends_with("Cargo.toml");
        if is_source && under.iter().any(|start| path.starts_with(start)) {
            seen += 1;
            read(&path).lines().for_each(|line| look(&path, line));
        }
    }
    assert!(seen > 0, "no file under {under:?}");
}

/// What a crate depends on, its tests aside.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = read(&format!("{folder}/Cargo.toml"));
    let mut is_inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            is_inside = section.trim_end_matches(']').ends_with("dependencies") && !section.starts_with("dev-");
        } else if is_inside && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    assert!(!names.is_empty(), "{folder} depends on nothing?");
    names
}

/// Whether a quoted word means a file or folder of this repository.
fn is_path(name: &str) -> bool {
    let starts = ["ledger-core", "ledger-store", "ledger-cli", "ledger-ffi", "tests", "docs", ".ci", ".github"];
    let is_file = [".toml", ".md", ".sh"].iter().any(|end| name.ends_with(end));
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter));
    let first = name.split('/').next().unwrap_or_default();
    is_plain && (is_file || starts.contains(&first))
}
