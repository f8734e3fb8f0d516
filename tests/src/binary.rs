//! The real `bgledger` binary, built once by the same cargo that runs the tests.

use crate::json;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Names a binary to test instead of the one that would be built.
pub const OVERRIDE: &str = "BGLEDGER_BIN";

/// What keeps the preferences of whoever runs the tests out of them: there is no such folder.
pub const NO_PREFERENCES: (&str, &str) = ("XDG_CONFIG_HOME", "/dev/null");

/// The path of the `bgledger` binary, in the profile of the running test and in cargo's own target folder.
pub fn bgledger() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(OVERRIDE) {
        Some(path) => path.into(),
        // The whole workspace's features, so that nothing is built twice beside `cargo test --workspace`.
        None => build("bgledger-cli", &["--workspace", "--bin", "bgledger"])
            .into_iter()
            .find_map(|artifact| artifact.executable)
            .expect("cargo names the binary that it built"),
    })
}

/// One thing that cargo built.
#[derive(Debug)]
pub struct Artifact {
    /// The program, if it is one.
    pub executable: Option<PathBuf>,
    /// Every file.
    pub files: Vec<PathBuf>,
}

/// Runs `cargo build` with a selection of packages and targets and tells what it built of one package.
///
/// Panics with cargo's own words if it fails.
pub fn build(package: &str, selection: &[&str]) -> Vec<Artifact> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--message-format=json-render-diagnostics", "--profile", &profile()])
        .args(selection)
        .current_dir(workspace())
        .stderr(Stdio::piped())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "building {package}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let wanted = |message: &Value| message["reason"] == "compiler-artifact" && is_of(message, package);
    messages
        .lines()
        .filter_map(|line| json::parse(line).ok())
        .filter(wanted)
        .map(|message| artifact(&message))
        .collect()
}

fn is_of(message: &Value, package: &str) -> bool {
    let folder = package.replace("bgledger-", "ledger-");
    let id = message["package_id"].as_str().unwrap_or_default();
    id.contains(&format!("/{folder}#")) || id.contains(package)
}

fn artifact(message: &Value) -> Artifact {
    let files = message["filenames"].as_array().cloned().unwrap_or_default();
    Artifact {
        executable: message["executable"].as_str().map(PathBuf::from),
        files: files.iter().filter_map(Value::as_str).map(PathBuf::from).collect(),
    }
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// The profile of the running test, told by the folder it lies in: `…/debug/deps/conformance-…`.
pub(crate) fn profile() -> String {
    let own = std::env::current_exe().expect("a running program");
    let folder = own.parent().and_then(Path::parent).and_then(Path::file_name).and_then(|name| name.to_str());
    match folder {
        Some("debug") | None => "dev".into(),
        Some(profile) => profile.into(),
    }
}
