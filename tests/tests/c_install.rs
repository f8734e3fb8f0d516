//! What `ledger-ffi/install.sh` installs: found by pkg-config and CMake, with nothing visible but `bgl_*`.

use bgledger_tests::binary::workspace;
use bgledger_tests::native::{self, Linked, Program, pkg_config, prefix, run};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
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
        "lib/pkgconfig/bgledger-static.pc",
        "lib/cmake/bgledger/bgledgerConfig.cmake",
    ] {
        assert!(there.join(file).exists(), "{file}");
    }
    let pc = fs::read_to_string(there.join("lib/pkgconfig/bgledger.pc")).expect("the pkg-config file");
    assert!(pc.contains("\nprefix=/opt/ledger\n") && !pc.contains('@'), "{pc}");
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
fn a_program_may_be_static_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("program");
    let mut compile = Command::new("cc");
    compile.arg("-static").arg(prefix().join("share/doc/bgledger/record.c")).arg("-o").arg(&program);
    run(compile.args(pkg_config(&["--static", "--cflags", "--libs", "bgledger"])));
    let dynamic = run(Command::new("readelf").arg("-d").arg(&program));
    assert!(String::from_utf8_lossy(&dynamic.stdout).contains("no dynamic section"));
    let output = run(Command::new(&program).arg(folder.path().join("ledger.db")));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "recorded as #1\nsucceeded: one, two, three\n");
}

/// No dependency adds to what Rust's own library needs: the programs of these tests link with nothing else.
#[test]
fn the_libraries_beside_the_static_one_are_those_that_rustc_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("nothing.rs");
    fs::write(&source, "#[unsafe(no_mangle)] pub extern \"C\" fn nothing() {}\n").expect("a source");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "staticlib", "--print", "native-static-libs"]);
    let output = run(rustc.arg(&source).arg("--out-dir").arg(folder.path()).current_dir(workspace()));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let named = told.lines().find_map(|line| line.split_once("native-static-libs: ")).expect("a list").1;
    let named: Vec<&str> = named.split_whitespace().filter(|library| *library != "-lgcc_s").collect();
    let ours = pkg_config(&["--static", "--libs-only-l", "bgledger"]);
    assert_eq!(ours.first().map(String::as_str), Some("-lbgledger"));
    assert_eq!(ours[1..], named);
}

/// Builds as a user does, in a folder that is named from where the user stands. The folder is the one that this test
/// was built in, with everything that it has: nothing is built twice.
#[test]
fn the_script_builds_what_it_installs() {
    let root = tempfile::tempdir().expect("a folder");
    let mut script = Command::new("sh");
    script.arg(workspace().join("ledger-ffi/install.sh"));
    script.args(["--profile", &native::profile(), "--", "--workspace", "--offline"]);
    script.current_dir(native::built()).env("CARGO_TARGET_DIR", "..");
    script.env("PREFIX", "/usr").env("DESTDIR", root.path());
    run(&mut script);
    let installed = root.path().join("usr/lib");
    assert_eq!(visible(&installed.join("libbgledger.so"), &["--dynamic", "--defined-only"]), declared());
    let same = |one: &Path, other: &Path| fs::read(one).expect("a library") == fs::read(other).expect("a library");
    assert!(same(&installed.join("libbgledger.so"), &native::built().join("libbgledger.so")));
    assert!(installed.join("libbgledger.a").is_file());
}

/// Whatever target or profile the environment asks for, the libraries are where cargo says.
#[test]
fn the_script_installs_from_where_cargo_says() {
    let root = tempfile::tempdir().expect("a folder");
    let cargo = root.path().join("cargo");
    let so = native::built().join("libbgledger.so");
    let said = format!(r#"{{"reason":"compiler-artifact","filenames":["{}","/elsewhere.a"]}}"#, so.display());
    fs::write(&cargo, format!("#!/bin/sh\necho '{{\"reason\":\"build-script-executed\"}}'\necho '{said}'\n"))
        .expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a program");
    let mut script = Command::new("sh");
    script.arg(workspace().join("ledger-ffi/install.sh")).env("CARGO", &cargo);
    script.env("CARGO_BUILD_TARGET", "some-other-target").env("CARGO_TARGET_DIR", root.path().join("elsewhere"));
    run(script.env("PREFIX", "/usr").env("DESTDIR", root.path()));
    assert!(root.path().join("usr/lib/libbgledger.so").exists());
}

/// Below 1.0 each minor version is a new interface.
#[test]
fn cmake_takes_no_version_that_may_differ() {
    let file = prefix().join("lib/cmake/bgledger/bgledgerConfigVersion.cmake");
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let (major, minor): (u32, u32) = (major.parse().expect("a number"), minor.parse().expect("a number"));
    assert_eq!(major, 0, "from 1.0 on, other versions fit");
    let wanted = [
        (vec![], true),
        (vec![0], true),
        (vec![0, minor], true),
        (vec![0, minor, 0], true),
        (vec![0, minor + 1], false),
        (vec![0, minor, 99], false),
        (vec![0, minor.saturating_sub(1)], minor == 0),
        (vec![1], false),
    ];
    for (version, fits) in wanted {
        let text = version.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
        let part = |at: usize| version.get(at).copied().unwrap_or(0);
        let mut cmake = Command::new("cmake");
        cmake.arg(format!("-DPACKAGE_FIND_VERSION={text}"));
        cmake.arg(format!("-DPACKAGE_FIND_VERSION_COUNT={}", version.len()));
        cmake.arg(format!("-DPACKAGE_FIND_VERSION_MAJOR={}", part(0)));
        cmake.arg(format!("-DPACKAGE_FIND_VERSION_MINOR={}", part(1)));
        cmake.arg(format!("-DFILE={}", file.display())).arg("-P");
        let output = run(cmake.arg(workspace().join("tests/c/version.cmake")));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.trim(), if fits { "TRUE" } else { "FALSE" }, "{text}");
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
        Program::new("two_sqlites.c", Linked::Static, &["-l:libsqlite3.a", "-lm"]),
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
