//! The core needs no operating system: a static library without `std`, with a panic handler of its own, links it. A
//! dependency that pulls `std` in collides with that handler.

use bgledger_tests::binary;
use std::process::Command;

#[test]
fn the_core_builds_without_std() {
    let own = std::env::current_exe().expect("a running program");
    let target = own.ancestors().nth(3).expect("target/debug/deps").join("no-std");
    let manifest = binary::workspace().join("tests/no-std/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--locked", "--offline", "--quiet", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(target.join("debug/libno_std.a").is_file());
}
