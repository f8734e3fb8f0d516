//! What `ledger-ffi/install.sh` installs: found by pkg-config and CMake, with nothing visible but `bgl_*`.

use bgledger_tests::binary::workspace;
use bgledger_tests::native::{self, Linked, Program, prefix, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn header() -> String {
    fs::read_to_string(workspace().join("ledger-ffi/include/bgledger.h")).expect("the header")
}

/// Every function that the header declares.
fn declared() -> BTreeSet<String> {
    let header = header();
    let lines =
        header.lines().filter(|line| !line.trim_start().starts_with(['*', '/']) && !line.starts_with("typedef"));
    let calls =
        lines.filter_map(|line| line.split_once("(")).filter_map(|(before, _)| before.split([' ', '*']).next_back());
    calls.filter(|name| name.starts_with("bgl_")).map(str::to_owned).collect()
}

/// The symbols that a library shows to a linker.
fn visible(library: &Path, options: &[&str]) -> BTreeSet<String> {
    let output = run(Command::new("nm").args(options).arg(library));
    let text = String::from_utf8(output.stdout).expect("text");
    let symbol = |line: &str| -> Option<String> {
        let mut words = line.split_whitespace().rev();
        let (name, kind) = (words.next()?, words.next()?);
        (kind.len() == 1 && kind.chars().all(|kind| kind.is_ascii_uppercase())).then(|| name.to_owned())
    };
    text.lines().filter_map(symbol).collect()
}

#[test]
fn the_libraries_show_the_calls_of_the_header_and_nothing_else() {
    let calls = declared();
    assert!(calls.len() > 60 && calls.contains("bgl_open"), "{calls:?}");
    let lib = prefix().join("lib");
    assert_eq!(visible(&lib.join("libbgledger.so"), &["--dynamic", "--defined-only"]), calls);
    assert_eq!(visible(&lib.join("libbgledger.a"), &["--defined-only"]), calls);
}

#[test]
fn the_shared_library_has_a_soname_and_its_links() {
    let lib = prefix().join("lib");
    let dynamic = run(Command::new("readelf").arg("-d").arg(lib.join("libbgledger.so")));
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    assert!(dynamic.contains("soname: [libbgledger.so.0]"), "{dynamic}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        fs::read_link(lib.join("libbgledger.so.0")).expect("a link"),
        Path::new(&format!("libbgledger.so.{version}"))
    );
    assert_eq!(fs::read_link(lib.join("libbgledger.so")).expect("a link"), Path::new("libbgledger.so.0"));
}

#[test]
fn a_packager_installs_into_another_root() {
    let root = tempfile::tempdir().expect("a folder");
    native::install(Path::new("/opt/ledger"), Some(root.path()));
    let there = root.path().join("opt/ledger");
    for file in [
        "lib/libbgledger.so",
        "lib/libbgledger.a",
        "include/bgledger.h",
        "include/bgledger.hpp",
        "lib/cmake/bgledger/bgledgerConfig.cmake",
    ] {
        assert!(there.join(file).exists(), "{file}");
    }
    let pc = fs::read_to_string(there.join("lib/pkgconfig/bgledger.pc")).expect("the pkg-config file");
    assert!(pc.starts_with("prefix=/opt/ledger\n") && !pc.contains('@'), "{pc}");
    assert!(!pc.contains(&root.path().display().to_string()), "{pc}");
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(pc.contains(&version), "{pc}");
}

#[test]
fn the_example_is_built_by_pkg_config_alone() {
    let source = prefix().join("share/doc/bgledger/record.c");
    for linked in [Linked::Shared, Linked::Static] {
        let folder = tempfile::tempdir().expect("a folder");
        let example = Program::of(&source, linked, &[]);
        let output = run(example.command().arg(folder.path().join("ledger.db")));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "recorded as #1\nsucceeded: one, two, three\n");
    }
}

#[test]
fn cmake_finds_both_libraries() {
    let folder = tempfile::tempdir().expect("a folder");
    let build = folder.path().join("build");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(workspace().join("tests/c")).arg("-B").arg(&build);
    configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
    configure.arg(format!("-DRECORD={}", workspace().join("ledger-ffi/examples/record.c").display()));
    run(&mut configure);
    run(Command::new("cmake").arg("--build").arg(&build));
    for name in ["shared", "static"] {
        let mut program = Command::new(build.join(name));
        native::set_up(&mut program);
        program.env_remove("LD_LIBRARY_PATH");
        run(program.arg(folder.path().join(format!("{name}.db"))));
    }
}

#[test]
fn a_host_may_have_an_sqlite_of_its_own() {
    let programs = [
        Program::new("two_sqlites.c", Linked::Static, &["-l:libsqlite3.a"]),
        Program::new("two_sqlites.c", Linked::Shared, &["-l:libsqlite3.a", "-lm"]),
        Program::new("two_sqlites.c", Linked::Static, &["-lsqlite3"]),
        Program::new("two_sqlites.c", Linked::Shared, &["-lsqlite3"]),
    ];
    for program in programs {
        let folder = tempfile::tempdir().expect("a folder");
        run(program.command().arg(folder.path()));
    }
}

#[test]
fn the_wrapper_for_cpp_does_what_the_calls_do() {
    let sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    for (linked, flags) in [(Linked::Static, &[][..]), (Linked::Shared, &[]), (Linked::Shared, &sanitized)] {
        let folder = tempfile::tempdir().expect("a folder");
        run(Program::new("raii.cpp", linked, flags).command().arg(folder.path()));
    }
}

#[test]
fn the_header_is_read_by_c_and_cpp_of_every_age() {
    let folder = tempfile::tempdir().expect("a folder");
    let headers = [
        ("c", "bgledger.h", ["-std=c11", "-std=c17", "-std=c2x"]),
        ("c++", "bgledger.h", ["-std=c++11", "-std=c++17", "-std=c++20"]),
        ("c++", "bgledger.hpp", ["-std=c++17", "-std=c++20", "-std=c++23"]),
    ];
    for (language, header, standards) in headers {
        let source: PathBuf = folder.path().join(format!("only.{}", language.replace("++", "pp")));
        fs::write(&source, format!("#include <{header}>\nint main(void) {{ return BGL_OK; }}\n")).expect("a source");
        for standard in standards {
            let mut compile = Command::new(if language == "c" { "cc" } else { "c++" });
            compile.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", standard]);
            run(compile.arg("-I").arg(workspace().join("ledger-ffi/include")).arg(&source));
        }
    }
}
