//! The Python package as its users get it: a wheel by maturin, installed into a fresh virtual environment.

use crate::binary::{profile, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::{env, fs};

/// Where cargo builds: the folder two above the running test.
pub fn target() -> PathBuf {
    let own = env::current_exe().expect("a running program");
    own.ancestors().nth(3).expect("cargo's target folder").into()
}

/// A program of the pinned tools, which `tests/python/prepare` installs where they are missing.
pub fn tool(name: &str) -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let tools = TOOLS.get_or_init(|| {
        must(Command::new(workspace().join("tests/python/prepare")).arg(target()), "tests/python/prepare");
        target().join("python/tools/bin")
    });
    tools.join(name)
}

/// The folder of what the tests import, for every CPython.
pub fn library() -> PathBuf {
    tool("python");
    target().join("python/library")
}

/// The interpreter of the environment with the frameworks that the package integrates, and the wheel.
pub fn with_frameworks() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let install = || {
        tool("python");
        let program = target().join("python/frameworks/bin/python");
        let mut pip = Command::new(&program);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]);
        must(pip.arg("--force-reinstall").arg(wheel()), "pip install");
        program
    };
    PROGRAM.get_or_init(install).clone()
}

/// The wheel, in the profile of the running test.
pub fn wheel() -> &'static Path {
    static WHEEL: OnceLock<PathBuf> = OnceLock::new();
    WHEEL.get_or_init(|| {
        let folder = target().join("python").join(format!("wheel-{}", profile()));
        drop(fs::remove_dir_all(&folder));
        let mut maturin = Command::new(tool("maturin"));
        maturin
            .args(["build", "--quiet", "--locked", "--offline", "--auditwheel", "skip", "--profile", &profile()])
            .arg("--interpreter")
            .arg(tool("python"))
            .arg("--target-dir")
            .arg(target())
            .arg("--out")
            .arg(&folder)
            .current_dir(workspace().join("ledger-py"));
        must(&mut maturin, "maturin");
        let wheels = fs::read_dir(&folder).expect("a folder of wheels").map(|entry| entry.expect("a wheel").path());
        let wheels: Vec<PathBuf> = wheels.filter(|path| path.extension().is_some_and(|end| end == "whl")).collect();
        assert_eq!(wheels.len(), 1, "one wheel serves every CPython: {wheels:?}");
        wheels.into_iter().next().expect("one")
    })
}

/// A CPython of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// Its version, such as `3.11`.
    pub version: String,
    /// The program.
    pub program: PathBuf,
}

/// Every CPython from 3.10 to 3.13: `python3.x` on the path, or in pyenv's folder.
pub fn pythons() -> Vec<Python> {
    (10..=13)
        .filter_map(|minor| {
            let version = format!("3.{minor}");
            let candidates = std::iter::once(PathBuf::from(format!("python{version}"))).chain(of_pyenv(&version));
            let program = candidates.into_iter().find(|program| is_python(program, &version))?;
            Some(Python { version, program })
        })
        .collect()
}

fn of_pyenv(version: &str) -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
    let folders = root.and_then(|root| fs::read_dir(root.join("versions")).ok()).into_iter().flatten().flatten();
    let fits = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{version}.")))
    };
    folders.map(|entry| entry.path()).filter(fits).map(|path| path.join(format!("bin/python{version}"))).collect()
}

fn is_python(program: &Path, version: &str) -> bool {
    let ask = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
    let answer = Command::new(program).args(["-c", ask]).output();
    answer.is_ok_and(|answer| answer.status.success() && String::from_utf8_lossy(&answer.stdout).trim() == version)
}

/// The interpreter of a fresh virtual environment that has the wheel and nothing else.
pub fn installed(python: &Python) -> PathBuf {
    static MADE: Mutex<Vec<(String, PathBuf)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().expect("no test failed while it installed");
    if let Some((_, program)) = made.iter().find(|(version, _)| *version == python.version) {
        return program.clone();
    }
    let folder = target().join("python").join(format!("venv-{}-{}", python.version, test()));
    must(Command::new(&python.program).args(["-m", "venv", "--clear"]).arg(&folder), "python -m venv");
    let program = folder.join("bin/python");
    let mut pip = Command::new(&program);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]);
    must(pip.arg(wheel()), "pip install");
    made.push((python.version.clone(), program.clone()));
    program
}

/// The running test's name, without the hash that cargo puts behind it.
fn test() -> String {
    let own = env::current_exe().expect("a running program");
    let name = own.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    name.rsplit_once('-').map_or(name.clone(), |(name, _)| name.to_owned())
}

/// The interpreter with the wheel that tests of one Python use: 3.11 where it is.
pub fn python() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let first = || pythons().into_iter().find(|python| python.version == "3.11").or_else(|| pythons().pop());
    PROGRAM.get_or_init(|| installed(&first().expect("a CPython from 3.10 to 3.13"))).clone()
}

/// Runs a command to its end and gives what it wrote; panics with its own words if it fails.
pub fn must(command: &mut Command, name: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{name}: {}\n{text}", output.status);
    text
}
