//! The C library as a host has it: installed, and linked by real C and C++ programs.

use crate::binary::{self, workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// What `-std=…` and the rest must accept without a word.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The libraries as cargo left them.
pub fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // The whole workspace's features, so that nothing is built twice beside `cargo test --workspace`.
        let artifacts = binary::build("bgledger-ffi", &["--workspace", "--lib"]);
        let shared =
            artifacts.into_iter().flat_map(|artifact| artifact.files).find(|file| file.ends_with("libbgledger.so"));
        shared.expect("cargo names the library").parent().expect("a folder").to_owned()
    })
}

/// The profile that they were built in, as cargo's options name it.
pub fn profile() -> String {
    binary::profile()
}

/// Runs the install script.
pub fn install(prefix: &Path, destination: Option<&Path>) {
    let mut script = Command::new("sh");
    script.arg(workspace().join("ledger-ffi/install.sh")).arg("--from").arg(built()).env("PREFIX", prefix);
    match destination {
        Some(destination) => script.env("DESTDIR", destination),
        None => script.env_remove("DESTDIR"),
    };
    run(&mut script);
}

/// A prefix with the library installed. One lies beside what cargo built, and is made anew when that changes.
pub fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = built().join("installed-for-tests");
        fs::create_dir_all(&prefix).expect("a folder");
        // Several test programs may come here at once.
        let gate = File::create(prefix.join("gate")).expect("a file to lock");
        gate.lock().expect("a lock");
        let (stamp, now) = (prefix.join("stamp"), sources_stamp());
        if fs::read_to_string(&stamp).ok().as_deref() != Some(now.as_str()) {
            install(&prefix, None);
            fs::write(stamp, now).expect("a stamp");
        }
        prefix
    })
}

/// Changes whenever something that is installed does.
fn sources_stamp() -> String {
    let ours = [
        "install.sh",
        "include/bgledger.h",
        "include/bgledger.hpp",
        "examples/record.c",
        "install/bgledger.pc.in",
        "install/bgledger-static.pc.in",
        "install/bgledgerConfig.cmake.in",
        "install/bgledgerConfigVersion.cmake.in",
    ];
    let sources = ours.iter().map(|name| workspace().join("ledger-ffi").join(name));
    let libraries = ["libbgledger.so", "libbgledger.a"].map(|name| built().join(name));
    let state = |path: PathBuf| {
        let metadata = fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        format!("{} {} {:?}\n", path.display(), metadata.len(), metadata.modified().expect("a time"))
    };
    sources.chain(libraries).map(state).collect()
}

/// Which of the two libraries a program links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// `libbgledger.so`, found by pkg-config.
    Shared,
    /// `libbgledger.a`, with the libraries that pkg-config names beside it.
    Static,
}

/// A program made by the C or C++ compiler.
#[derive(Debug)]
pub struct Program {
    /// `None`: it lies beside what is installed, for whoever comes next.
    _folder: Option<TempDir>,
    path: PathBuf,
}

impl Program {
    /// Compiles a file of `tests/c` as strictly as can be.
    pub fn new(source: &str, linked: Linked, flags: &[&str]) -> Program {
        Program::of(&workspace().join("tests/c").join(source), linked, flags)
    }

    /// The same with the shared library, for as long as this program lives.
    pub fn kept(source: &str) -> Program {
        let path = prefix().join(format!("{source}-program"));
        // Another test program may be running it.
        let fresh = prefix().join(format!("{source}-{}", std::process::id()));
        Program::compile(&workspace().join("tests/c").join(source), &fresh, Linked::Shared, &[]);
        fs::rename(fresh, &path).expect("a program in its place");
        Program { _folder: None, path }
    }

    /// Compiles any file.
    pub fn of(source: &Path, linked: Linked, flags: &[&str]) -> Program {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("program");
        Program::compile(source, &path, linked, flags);
        Program { _folder: Some(folder), path }
    }

    fn compile(source: &Path, path: &Path, linked: Linked, flags: &[&str]) {
        let is_cpp = source.extension().is_some_and(|extension| extension == "cpp");
        let (compiler, standard) = if is_cpp { ("c++", "-std=c++17") } else { ("cc", "-std=c11") };
        let mut compile = Command::new(compiler);
        compile.arg(standard).args(STRICT).args(["-g", "-O1"]);
        compile.arg(source).arg("-o").arg(path).args(pkg_config(&["--cflags", "bgledger"]));
        let package = match linked {
            Linked::Shared => "bgledger",
            Linked::Static => "bgledger-static",
        };
        compile.args(pkg_config(&["--libs", package]));
        compile.args(flags).arg("-pthread");
        run(&mut compile);
    }

    /// The program, free of what the environment says about ledgers.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        set_up(&mut command);
        command
    }

    /// The program under another one, such as valgrind.
    pub fn under(&self, wrapper: &[&str]) -> Command {
        let mut command = Command::new(wrapper.first().expect("a wrapper"));
        command.args(wrapper.iter().skip(1)).arg(&self.path);
        set_up(&mut command);
        command
    }
}

/// Lets a command find the library, and no ledger but the one that it is told of.
pub fn set_up(command: &mut Command) {
    for name in ["BGLEDGER_DB", "BGLEDGER_DURABILITY", "BGLEDGER_TASK"] {
        command.env_remove(name);
    }
    command.env("LD_LIBRARY_PATH", prefix().join("lib"));
}

/// What pkg-config says of an installed package.
pub fn pkg_config(questions: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.args(questions).env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    let output = run(&mut command);
    String::from_utf8(output.stdout).expect("text").split_whitespace().map(str::to_owned).collect()
}

/// The codes that the header's comments say each function may answer, such as `BGL_ERROR_NOT_FOUND`.
pub fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let header = fs::read_to_string(workspace().join("ledger-ffi/include/bgledger.h")).expect("the header");
    let (top, _) = header.split_once("*/").expect("an introduction");
    let (_, lists) = top.split_once("Errors of every call on a ledger").expect("the first list");
    let (on_a_ledger, recording) = lists.split_once("Errors of every recording").expect("the second list");
    let (recording, _) = recording.split_once("What else").expect("its end");
    let on_a_ledger = codes_in(on_a_ledger);
    let recording: BTreeSet<String> = on_a_ledger.union(&codes_in(recording)).cloned().collect();
    let mut documented = BTreeMap::new();
    for part in header.split("/**").skip(1) {
        let (comment, declaration) = part.split_once("*/").expect("a comment ends");
        let name = declaration.split('(').next().unwrap_or_default();
        let name = name.rsplit([' ', '*', '\n']).next().unwrap_or_default();
        if !name.starts_with("bgl_") || declaration.trim_start().starts_with("typedef") {
            continue;
        }
        let comment = comment.split_whitespace().filter(|word| *word != "*").collect::<Vec<_>>().join(" ");
        let mut codes = codes_in(&comment);
        if comment.contains("those of every call on a ledger") {
            codes.extend(on_a_ledger.clone());
        }
        if comment.contains("those of every recording call") {
            codes.extend(recording.clone());
        }
        documented.insert(name.to_owned(), codes);
    }
    documented
}

/// The codes that a text names, in full or as `_NOT_FOUND`.
fn codes_in(text: &str) -> BTreeSet<String> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_word(letter));
    let code = |word: &str| match word.strip_prefix('_') {
        Some(short) if short.starts_with(|letter: char| letter.is_ascii_uppercase()) => {
            Some(format!("BGL_ERROR_{short}"))
        }
        Some(_) => None,
        None => ["BGL_ERROR_", "BGL_MISUSE_"].iter().any(|start| word.starts_with(start)).then(|| word.to_owned()),
    };
    words.filter_map(code).collect()
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        told(&output.stdout),
        told(&output.stderr)
    );
    output
}
