//! `bgledger.h` is made from the exported functions and the core's own enums, and is what it was made from.
//!
//! `BGLEDGER_BLESS=1 cargo test -p bgledger-tests --test c_header` writes it anew.

use bgledger_core::{ErrorCode, Status};
use bgledger_tests::binary::workspace;
use bgledger_tests::native::documented;
use cbindgen::{Builder, Config, DocumentationStyle, EnumConfig, ExportConfig, Language, RenameRule, Style};
use std::collections::BTreeSet;
use std::fs;

const HEADER: &str = "ledger-ffi/include/bgledger.h";
const BLESS: &str = "BGLEDGER_BLESS=1 cargo test -p bgledger-tests --test c_header";
/// The files that the header is made from, in its order.
const SOURCES: [&str; 17] = [
    "ledger-core/src/word.rs",
    "ledger-core/src/error/code.rs",
    "ledger-ffi/src/code.rs",
    "ledger-ffi/src/ledger.rs",
    "ledger-ffi/src/option.rs",
    "ledger-ffi/src/record.rs",
    "ledger-ffi/src/read.rs",
    "ledger-ffi/src/wait.rs",
    "ledger-ffi/src/watch.rs",
    "ledger-ffi/src/task.rs",
    "ledger-ffi/src/event.rs",
    "ledger-ffi/src/notice.rs",
    "ledger-ffi/src/subscription.rs",
    "ledger-ffi/src/flow_option.rs",
    "ledger-ffi/src/flows.rs",
    "ledger-ffi/src/flow.rs",
    "ledger-core/src/flow/mod.rs",
];
/// What a type is called in C.
const NAMES: [(&str, &str); 35] = [
    ("Status", "bgl_status"),
    ("ErrorCode", "bgl_error"),
    ("Misuse", "bgl_misuse"),
    ("Class", "bgl_class"),
    ("CancelAnswer", "bgl_cancel_answer"),
    ("Ledger", "bgl_ledger"),
    ("OpenOptions", "bgl_open_options"),
    ("CreateOptions", "bgl_create_options"),
    ("StartOptions", "bgl_start_options"),
    ("ProgressOptions", "bgl_progress_options"),
    ("HeartbeatOptions", "bgl_heartbeat_options"),
    ("FinishOptions", "bgl_finish_options"),
    ("SettleOptions", "bgl_settle_options"),
    ("CancelOptions", "bgl_cancel_options"),
    ("ListOptions", "bgl_list_options"),
    ("WaitOptions", "bgl_wait_options"),
    ("WatchOptions", "bgl_watch_options"),
    ("Task", "bgl_task"),
    ("Tasks", "bgl_tasks"),
    ("Event", "bgl_event"),
    ("Events", "bgl_events"),
    ("Notices", "bgl_notices"),
    ("Notice", "bgl_notice"),
    ("NoticesClaimOptions", "bgl_notices_claim_options"),
    ("Subscription", "bgl_subscription"),
    ("FlowStatus", "bgl_flow_status"),
    ("Flow", "bgl_flow"),
    ("Flows", "bgl_flows"),
    ("FlowCreateOptions", "bgl_flow_create_options"),
    ("FlowWaitOptions", "bgl_flow_wait_options"),
    ("FlowResumeOptions", "bgl_flow_resume_options"),
    ("FlowFinishOptions", "bgl_flow_finish_options"),
    ("FlowFailOptions", "bgl_flow_fail_options"),
    ("FlowListOptions", "bgl_flow_list_options"),
    ("CancelCallback", "bgl_cancel_callback"),
];
const INTRODUCTION: &str = r#"/*
 * bgledger: a durable ledger of background tasks. Link with -lbgledger (pkg-config bgledger).
 *
 * Calls answer with BGL_OK or with a code: one of bgl_error, or of bgl_misuse for mistakes of the calling program.
 * bgl_errmsg() says it in words, bgl_error_class() what to do about it. Outputs come last and are written only if the
 * call answered BGL_OK. Strings are UTF-8 and end with a NUL, except in bgl_call(), which takes a length.
 *
 * Every function may be called by any thread at any time, but not by a signal handler. fork() waits for the calls that
 * other threads have under way, waits apart, and both processes may go on.
 *
 * A struct of options begins with its size: set all of it to zero, then `size` to its sizeof, then what is wanted. Zero
 * is the default of every member, and no member means something special by a negative number. A pointer to options may
 * be NULL where that makes sense.
 *
 * Errors of every call on a ledger: BGL_ERROR_INVALID_VALUE (a value that cannot be, text that is not UTF-8),
 * _TOO_LARGE, _NO_LEDGER (nothing was recorded yet), _BUSY, _NOT_A_LEDGER, _NEWER_LEDGER, _CORRUPT,
 * _NETWORK_FILE_SYSTEM, _BAD_PATH, _UNREADABLE, _IO, _INVALID_REQUEST (a handle with the clock of the tests), _INTERNAL
 * (a fault of bgledger, or no more handles can be had: nothing was done), BGL_MISUSE_NULL_POINTER,
 * BGL_MISUSE_BAD_HANDLE, BGL_MISUSE_BAD_SIZE. Errors of every recording call: these, and BGL_ERROR_READ_ONLY,
 * _DISK_FULL, _UNKNOWN (it may have taken effect: ask again, every call may be repeated). What else a call may answer
 * stands in its comment.
 *
 * The numbers of codes and statuses, and the members of structs, never change; structs grow at their end.
 * The enums are lists of constants: calls take and return them as integers.
 *
 * Generated from ledger-ffi/src; do not edit.
 */"#;

fn config() -> Config {
    let names = NAMES.iter().map(|(rust, c)| ((*rust).to_owned(), (*c).to_owned())).collect();
    let version = env!("CARGO_PKG_VERSION");
    Config {
        language: Language::C,
        cpp_compat: true,
        header: Some(INTRODUCTION.into()),
        include_guard: Some("BGLEDGER_H".into()),
        no_includes: true,
        sys_includes: ["stddef.h", "stdint.h"].map(String::from).into(),
        after_includes: Some(format!(
            "\n/** The version of this header. */\n#define BGL_VERSION \"{version}\"\n\n\
             /** What functions that return an int64_t answer where there is nothing. */\n#define BGL_ABSENT INT64_MIN"
        )),
        usize_is_size_t: true,
        style: Style::Both,
        documentation_style: DocumentationStyle::Doxy,
        line_length: 110,
        enumeration: EnumConfig { rename_variants: RenameRule::QualifiedScreamingSnakeCase, ..EnumConfig::default() },
        export: ExportConfig {
            include: ["Status", "ErrorCode", "Misuse", "Class", "CancelAnswer", "FlowStatus"].map(String::from).into(),
            rename: names,
            exclude: ["NotifyPolicy", "Delivery"].map(String::from).into(),
            ..ExportConfig::default()
        },
        ..Config::default()
    }
}

fn generated() -> String {
    let sources = SOURCES.iter().map(|source| workspace().join(source));
    let builder = sources.fold(Builder::new().with_config(config()), |builder, source| builder.with_src(source));
    let mut text = Vec::new();
    builder.generate().expect("cbindgen reads the sources").write(&mut text);
    without_twin(&without_lists(&String::from_utf8(text).expect("UTF-8")))
}

/// The header with one enum that has its tag alone: a function has the same name, as there are a `struct stat` and a
/// `stat()`. Its constants are all that anybody needs.
fn without_twin(header: &str) -> String {
    let twin = "#ifndef __cplusplus\n#if __STDC_VERSION__ >= 202311L\ntypedef enum bgl_flow_status bgl_flow_status;\n\
                #else\ntypedef uint8_t bgl_flow_status;\n#endif // __STDC_VERSION__ >= 202311L\n\
                #endif // __cplusplus\n";
    assert_eq!(header.matches(twin).count(), 1, "cbindgen writes it differently");
    header.replace(twin, "")
}

/// The lists of all values, which are for Rust, with their comments.
fn without_lists(header: &str) -> String {
    let is_list = |part: &str| part.lines().any(|line| line.starts_with("#define ") && line.contains(" {"));
    let parts = header.split("\n\n").filter(|part| !part.trim().is_empty() && !is_list(part));
    parts.map(str::trim_end).map(|part| part.trim_start_matches('\n')).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every exported function, as the sources declare it.
fn exported() -> BTreeSet<String> {
    let sources: String = SOURCES.iter().map(|source| read(source)).collect();
    let declared = sources.split("extern \"C\" fn bgl_").skip(1);
    let names: BTreeSet<String> =
        declared.map(|rest| format!("bgl_{}", rest.split('(').next().unwrap_or_default())).collect();
    assert_eq!(names.len(), sources.matches("#[unsafe(no_mangle)]").count());
    names
}

/// The header without its comments.
fn code(header: &str) -> String {
    let parts = header.split("/*").enumerate();
    parts.map(|(at, part)| if at == 0 { part } else { part.split_once("*/").expect("a comment ends").1 }).collect()
}

/// What a program that includes the header can no longer name itself: macros, types, enum constants, functions. Names
/// of parameters and members take nothing from it.
fn names_taken(header: &str) -> BTreeSet<String> {
    let code = code(header);
    let mut names: BTreeSet<String> =
        code.lines().filter_map(|line| line.trim_start().strip_prefix("#define ")).map(first_word).collect();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let (mut statement, mut depth) = (String::new(), 0_u32);
    // The brace that closes `extern "C"` is one too many.
    for letter in code.replace("extern \"C\" {", "").chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => names.extend(declared(&std::mem::take(&mut statement))),
            _ => {}
        }
        statement.push(letter);
    }
    names
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

fn last_word(text: &str) -> String {
    text.rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap_or_default().into()
}

/// The names that one statement declares.
fn declared(statement: &str) -> Vec<String> {
    let text = statement.trim_start_matches(';').trim();
    let tag = |text: &str| text.split_once(' ').map(|(_, rest)| first_word(rest)).unwrap_or_default();
    let before = |text: &str, end: char| last_word(text.split(end).next().unwrap_or_default().trim_end());
    let (what, body) = text.split_once('{').unwrap_or((text, ""));
    let is_typedef = what.starts_with("typedef");
    let what = what.trim_start_matches("typedef").trim();
    let mut names = Vec::new();
    if what.starts_with("enum") {
        names.extend(body.split(['\n', ',']).map(|line| first_word(line.trim())).filter(|name| !name.is_empty()));
    }
    if ["enum", "struct", "union"].iter().any(|word| what.starts_with(word)) && (is_typedef || !what.contains('(')) {
        names.push(tag(what));
    }
    match what.split_once("(*") {
        Some((_, pointer)) if is_typedef => names.push(before(pointer, ')')),
        _ if is_typedef => names.push(last_word(text)),
        _ if what.contains('(') => names.push(before(what, '(')),
        _ => {}
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_header_takes_no_name_that_is_not_ours() {
    let names = names_taken(&read(HEADER));
    let is_ours = |name: &String| ["bgl_", "BGL_", "BGLEDGER_"].iter().any(|prefix| name.starts_with(prefix));
    let foreign: Vec<&String> = names.iter().filter(|name| !is_ours(name)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    for one in ["BGL_VERSION", "BGL_STATUS_LOST", "bgl_status", "bgl_task", "bgl_open_options", "bgl_cancel_callback"] {
        assert!(names.contains(one), "{one}: {names:?}");
    }
    assert!(exported().is_subset(&names), "{:?}", exported().difference(&names));
}

#[test]
fn a_foreign_name_would_be_noticed() {
    let declarations = [
        ("typedef struct NotifyPolicy NotifyPolicy;", "NotifyPolicy"),
        ("enum bgl_a\n{\n  /** A comment. */\n  Foreign = 1,\n};", "Foreign"),
        ("typedef int32_t foreign_number;", "foreign_number"),
        ("typedef struct bgl_a {\n  size_t size;\n} foreign_struct;", "foreign_struct"),
        ("int foreign(struct bgl_a *a, void *(*b)(int));", "foreign"),
        ("typedef void (*foreign_callback)(int);", "foreign_callback"),
        ("#define FOREIGN 1\n", "FOREIGN"),
    ];
    for (declaration, name) in declarations {
        assert!(names_taken(declaration).contains(name), "{declaration}: {:?}", names_taken(declaration));
    }
}

#[test]
fn the_header_is_what_the_sources_say() {
    let (fresh, path) = (generated(), workspace().join(HEADER));
    if std::env::var_os("BGLEDGER_BLESS").is_some() {
        fs::write(path, fresh).expect("the header is written");
        return;
    }
    let recorded = read(HEADER);
    let place = recorded.lines().zip(fresh.lines()).position(|(one, other)| one != other);
    assert!(recorded == fresh, "{HEADER} is not what the sources say (line {place:?}); write it anew: {BLESS}");
}

#[test]
fn every_exported_function_stands_in_the_header_and_is_described() {
    let header = read(HEADER);
    for name in exported() {
        let declaration = format!("{name}(");
        let line = header.lines().position(|line| line.contains(&declaration) && !line.trim().starts_with('*'));
        let line = line.unwrap_or_else(|| panic!("{name} is not in the header"));
        let before: Vec<&str> = header.lines().take(line).collect();
        assert_eq!(before.last().map(|line| line.trim()), Some("*/"), "{name} has no comment");
        let start = before.iter().rposition(|line| line.trim_start().starts_with("/**")).expect("a comment");
        let comment = before[start..].join(" ");
        assert!(comment.to_lowercase().contains("thread"), "{name}: who may call it at once?\n{comment}");
    }
}

/// The calls and the codes of `CODE(call(...), CODE)` in a C program. A code that a variable holds is not seen.
fn answers(program: &str) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for part in program.split("CODE(bgl_").skip(1) {
        let mut depth = 1;
        let end = part.find(|letter: char| {
            depth += match letter {
                '(' | '{' => 1,
                ')' | '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        let (call, code) = part[..end.expect("a parenthesis closes")].rsplit_once(',').expect("a code");
        let name = format!("bgl_{}", first_word(call));
        answers.extend(Some((name, code.trim().to_owned())).filter(|(_, code)| code.starts_with("BGL_")));
    }
    answers
}

#[test]
fn every_code_that_a_program_meets_stands_in_the_comment_of_its_call() {
    let documented = documented();
    let mut seen = 0;
    for entry in fs::read_dir(workspace().join("tests/c")).expect("the programs") {
        let path = entry.expect("a program").path();
        for (call, code) in answers(&fs::read_to_string(&path).unwrap_or_default()) {
            seen += 1;
            let name = path.display();
            assert!(
                documented[&call].contains(&code),
                "{name}: {call} answers {code}, which its comment does not name"
            );
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn no_exported_function_lets_a_panic_out() {
    for source in SOURCES.iter().filter(|source| source.starts_with("ledger-ffi")) {
        let text = read(source);
        for function in text.split("#[unsafe(no_mangle)]").skip(1) {
            let body = function.split("\n}\n").next().unwrap_or_default();
            let name = body.split('(').next().unwrap_or_default();
            // Constants cannot panic; `text` and `integer` are the bodies that the accessors share.
            let is_constant = body.contains("VERSION");
            let is_guarded = ["exported!(", "    text(", "integer("].iter().any(|word| body.contains(word));
            assert!(is_constant || is_guarded, "{source}: {name}");
        }
    }
}

#[test]
fn statuses_and_errors_have_the_numbers_of_the_core() {
    let header = read(HEADER);
    let has = |constant: &str, number: u32| header.contains(&format!("{constant} = {number},"));
    for status in Status::ALL {
        let constant = format!("BGL_STATUS_{}", status.as_str().to_uppercase());
        assert!(has(&constant, status as u32), "{constant}");
    }
    for code in ErrorCode::ALL {
        let constant = format!("BGL_ERROR_{}", code.as_str().to_uppercase());
        assert!(has(&constant, code as u32), "{constant}");
    }
}

#[test]
fn the_soname_carries_the_abi_version() {
    let header = read(HEADER);
    let define = header.lines().find_map(|line| line.strip_prefix("#define BGL_ABI_VERSION ")).expect("a version");
    assert!(read("ledger-ffi/build.rs").contains(&format!("libbgledger.so.{define}\"")), "{define}");
}
