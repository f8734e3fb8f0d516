//! What people see in terminals of several widths, kept as text in `tests/snapshots`.
//!
//! `BGLEDGER_BLESS=1 cargo test -p bgledger-cli --test cli looks` writes them anew.

use crate::pty::shown;
use crate::scene::{Scene, done};
use bgledger_core::Millis;
use bgledger_store::platform::wall_ms;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

/// A ledger whose records are some hours old, so that their ages read the same for half an hour.
fn scene() -> Scene {
    let scene = Scene::new();
    let now = wall_ms();
    let requests: [(i64, &str); 20] = [
        (300, r#"{"create":{"label":"nightly import","runtime":"cron","kind":"import","session":"ops"}}"#),
        (299, r#"{"start":{"lookup":"1"}}"#),
        (
            299,
            r#"{"progress":{"lookup":"1","text":"reading the second part of a long list of files","current":1234,"total":56789,"unit":"files"}}"#,
        ),
        (290, r#"{"create":{"label":"fetch what is new","runtime":"subagent","parent":"1","agent":"fetcher"}}"#),
        (289, r#"{"start":{"lookup":"2"}}"#),
        (
            280,
            r#"{"create":{"label":"数据 import of 数据数据数据数据, with a label that is longer than most","runtime":"subagent","parent":"2"}}"#,
        ),
        (
            270,
            r#"{"create":{"label":"write the report","runtime":"acp","notify":"done_only","requester_session":"chat"}}"#,
        ),
        (269, r#"{"start":{"lookup":"4"}}"#),
        (
            268,
            r#"{"finish":{"lookup":"4","status":"failed","error":{"type":"Timeout","message":"the model did not answer within the time that it was given"}}}"#,
        ),
        (260, r#"{"create":{"label":"tidy up","notify":"done_only","session":"chat"}}"#),
        (259, r#"{"start":{"lookup":"5"}}"#),
        (258, r#"{"finish":{"lookup":"5","status":"succeeded","summary":"all is tidy"}}"#),
        (250, r#"{"create":{"label":"ask somebody","runtime":"a-runtime-with-a-long-name"}}"#),
        (249, r#"{"start":{"lookup":"6"}}"#),
        (248, r#"{"progress":{"lookup":"6","waiting_on":"input"}}"#),
        (247, r#"{"cancel":{"lookup":"6","by":"an operator"}}"#),
        (
            240,
            r#"{"flow_create":{"goal":"Bring every document of the archive into the new form","controller":"librarian"}}"#,
        ),
        (239, r#"{"create":{"label":"first document","flow":"F1"}}"#),
        (238, r#"{"flow_create":{"goal":"Answer the letter","controller":"clerk"}}"#),
        (237, r#"{"create":{"label":"rejected","finish":{"status":"failed","reason":"rejected"}}}"#),
    ];
    let mut call = scene.command(["call", "--test-clock"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = call.stdin.take().unwrap();
    for (minutes, request) in requests {
        // Half a minute past: neither what reads it sooner nor later sees another number of hours.
        let at = Millis::clamped(now - minutes * 60_000 - 30_000);
        writeln!(stdin, "{{\"now\":\"{at}\",{}", &request[1..]).unwrap();
    }
    drop(stdin);
    let told = done(call);
    let refused: Vec<&str> = told.out.lines().filter(|line| line.starts_with("{\"error\"")).collect();
    assert_eq!((refused, told.out.lines().count()), (Vec::new(), requests.len()));
    scene
}

const VIEWS: [(&str, &[&str]); 7] = [
    ("list", &["list"]),
    ("top", &["top", "--once"]),
    ("tree", &["tree", "1"]),
    ("audit", &["audit", "--code", "unobserved"]),
    ("flow-list", &["flow", "list"]),
    ("notices", &["notices", "list"]),
    ("history", &["history", "1"]),
];

#[test]
fn tables_and_trees_fit_narrow_and_wide_terminals() {
    let scene = scene();
    let mut wrong = Vec::new();
    for (name, arguments) in VIEWS {
        for width in [60_u16, 80, 200] {
            let plain = [&["--color", "never"], arguments].concat();
            let text = without_ids(&shown(&scene, width, &plain));
            let styled = without_ids(&shown(&scene, width, arguments));
            assert_eq!(anstream::adapter::strip_str(&styled).to_string(), text, "colour changes nothing but colour");
            for line in text.lines().filter(|line| !line.starts_with("  bgledger ")) {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= usize::from(width), "{name} {width}: {line}");
            }
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}-{width}.txt"));
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            if std::env::var_os("BGLEDGER_BLESS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            } else if before != text {
                wrong.push(format!("{name} {width}\n--- kept\n{before}--- now\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "BGLEDGER_BLESS=1 keeps what is now:\n{}", wrong.join("\n"));
}

/// A text with every UUID replaced by one of zeros.
fn without_ids(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = if rest.get(..36).is_some_and(is_id) { 36 } else { letter.len_utf8() };
        kept.push_str(if length == 36 { "00000000-0000-7000-8000-000000000000" } else { &rest[..length] });
        rest = &rest[length..];
    }
    kept
}

fn is_id(text: &str) -> bool {
    text.char_indices().all(|(place, letter)| match place {
        8 | 13 | 18 | 23 => letter == '-',
        _ => letter.is_ascii_hexdigit(),
    })
}

#[test]
fn colour_comes_only_where_it_is_wanted() {
    let scene = scene();
    let escapes = |text: &str| text.contains('\x1b');
    assert!(escapes(&shown(&scene, 80, &["list"])));
    assert!(!escapes(&scene.run(["list"]).out), "no terminal");
    assert!(!escapes(&shown(&scene, 80, &["list", "--color", "never"])));
    assert!(escapes(&scene.run(["list", "--color", "always"]).out));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut list = scene.command(["list"]);
        let mut pty = crate::pty::Pty::start(list.env(name, value), (80, 100));
        pty.wait();
        assert!(!escapes(&pty.raw()), "{name}");
    }
}
