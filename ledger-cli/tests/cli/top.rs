//! The live view, in a real terminal, beside real processes.

use crate::pty::Pty;
use crate::scene::Scene;
use std::os::unix::process::ExitStatusExt;

const SIZE: (u16, u16) = (80, 20);

fn signal(pty: &Pty, name: &str) {
    let kill = std::process::Command::new("kill").args([format!("-{name}"), pty.child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.json(&["create", "--label", "the parent"]);
    scene.json(&["start", "1"]);
    scene.json(&["create", "--label", "its child", "--parent", "1"]);
    scene.json(&["create", "--label", "something else"]);
    scene
}

#[test]
fn what_another_process_records_is_shown_at_once() {
    let scene = scene();
    let mut pty = Pty::start(&scene.command(["top"]), SIZE);
    let first = pty.until_text("its child");
    assert!(first.starts_with("bgledger  3 active · 2 queued · 1 running · 0 issues\n"), "{first}");
    let lines: Vec<&str> = first.lines().collect();
    assert!(lines[2].contains("the parent") && lines[3].contains("└ its child"), "{first}");
    assert!(lines[4].contains("something else") && lines[19].contains("q quit"), "the keys are told: {first}");

    scene.json(&["create", "--label", "a newcomer"]);
    pty.until_text("a newcomer");
    scene.json(&["finish", "1", "--status", "failed", "--error", "no luck"]);
    pty.until("the end", |screen| screen.contains("3 active") && screen.contains("no luck"));

    pty.type_keys("q");
    assert!(pty.wait().success());
    assert!(pty.is_restored(), "{:?}", pty.raw());
}

#[test]
fn a_filter_leaves_what_fits_and_a_task_opens_in_full() {
    let scene = scene();
    let mut pty = Pty::start(&scene.command(["top"]), SIZE);
    pty.until_text("its child");
    pty.type_keys("/ELSe");
    let screen = pty.until("the filter", |screen| !screen.contains("the parent"));
    assert!(screen.contains("something else") && screen.contains("filter: ELSe_"), "{screen}");
    pty.type_keys("\r\r");
    let screen = pty.until_text("id  ");
    assert!(screen.contains("#3 something else") && screen.contains("q back"), "{screen}");
    pty.type_keys("q\x1b");
    pty.until_text("the parent");
    pty.type_keys("/nothing of the kind");
    pty.until_text("No task fits.");
    pty.type_keys("\x03");
    assert!(pty.wait().success());
    assert!(pty.is_restored());
}

#[test]
fn a_cancel_asks_first() {
    let scene = scene();
    let mut pty = Pty::start(&scene.command(["top"]), SIZE);
    pty.until_text("its child");
    pty.type_keys("jc");
    pty.until_text("Cancel #2 and all below it? [y/N]  its child");
    pty.type_keys("n");
    pty.until_text("#2 is left alone");
    assert_eq!(scene.task("2")["status"], "queued");
    pty.type_keys("cy");
    pty.until_text("#2 cancelled");
    assert_eq!(scene.task("2")["status"], "cancelled");
    assert_eq!(scene.task("2")["cancel"]["by"], "tester");
    pty.type_keys("c");
    pty.until_text("#2 has ended already: cancelled");
    pty.type_keys("q");
    assert!(pty.wait().success());
}

#[test]
fn the_terminal_is_given_back_whatever_happens() {
    let scene = scene();
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3)] {
        let mut pty = Pty::start(&scene.command(["top"]), SIZE);
        pty.until_text("its child");
        signal(&pty, name);
        assert_eq!(pty.wait().signal(), Some(number), "{name}");
        assert!(pty.is_restored(), "{name}: {:?}", pty.raw());
    }
}

#[test]
fn it_stops_and_goes_on_as_a_job_and_heeds_a_new_size() {
    let scene = scene();
    let mut pty = Pty::start(&scene.command(["top"]), SIZE);
    pty.until_text("its child");
    signal(&pty, "TSTP");
    scene.until("the terminal given back", || pty.is_restored().then_some(()));
    signal(&pty, "CONT");
    scene.until("the terminal taken again", || (!pty.is_restored()).then_some(()));
    pty.until_text("its child");
    pty.resize(60, 8);
    let fits = |screen: &str| screen.lines().all(|line| line.chars().count() <= 60);
    let screen = pty.until("a smaller screen", |screen| fits(screen) && screen.lines().count() == 8);
    assert!(screen.ends_with('…') && screen.contains("move · Enter open"), "the last line is seen: {screen}");
    pty.type_keys("q");
    assert!(pty.wait().success());
    assert!(pty.is_restored());
}

#[test]
fn what_cannot_be_read_is_said_for_as_long_as_it_cannot() {
    let scene = scene();
    let mut pty = Pty::start(&scene.command(["top"]), SIZE);
    pty.until_text("its child");
    std::fs::rename(scene.path("ledger.db"), scene.path("elsewhere.db")).unwrap();
    let screen = pty.until_text("error: there is no ledger");
    assert!(screen.contains("its child"), "what was read before stays: {screen}");
    std::fs::rename(scene.path("elsewhere.db"), scene.path("ledger.db")).unwrap();
    pty.until("the help again", |screen| screen.contains("its child") && screen.contains("q quit"));
    pty.type_keys("q");
    assert!(pty.wait().success());
}

#[test]
fn without_a_terminal_it_is_one_frame() {
    let scene = scene();
    let once = scene.run(["top"]);
    assert_eq!((once.code, once.out.lines().count()), (0, 5), "{once:?}");
    let active = scene.run(["top", "--once", "--filter", "child", "--quiet"]);
    assert_eq!(active.out.trim(), scene.task("2")["id"]);
    let json = scene.json(&["top"]);
    assert_eq!(json["tasks"][0]["label"], "the parent");
    assert_eq!(json["next"], serde_json::Value::Null);
    let mut dumb = scene.command(["top"]);
    let mut dumb = Pty::start(dumb.env("TERM", "dumb"), SIZE);
    assert!(dumb.wait().success());
    assert!(!dumb.raw().contains('\x1b'), "{:?}", dumb.raw());
}

#[test]
fn what_is_pressing_fits_a_prompt() {
    let scene = scene();
    assert_eq!(scene.run(["stats", "--line"]).out, "3 active · 2 queued · 1 running · 0 issues\n");
}
