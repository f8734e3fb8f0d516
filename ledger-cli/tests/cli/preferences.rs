//! What the command line prefers: pagers, time zones, its own file.

use crate::pty::Pty;
use crate::scene::Scene;

fn scene() -> Scene {
    let scene = Scene::new();
    for label in ["one", "two", "three", "four", "five", "six"] {
        scene.json(&["create", "--label", label]);
    }
    scene
}

/// What a verb writes in a small terminal, with a pager.
fn paged(scene: &Scene, pager: &str, arguments: &[&str]) -> String {
    let mut command = scene.command(arguments);
    let mut pty = Pty::start(command.env("PAGER", pager), (80, 6));
    assert!(pty.wait().success(), "{pager}");
    pty.raw().replace("\r\n", "\n")
}

#[test]
fn what_is_longer_than_the_terminal_is_shown_in_the_pager() {
    let scene = scene();
    let marked = "sed 's/^/paged: /'";
    for verb in [&["list"][..], &["show", "1"], &["--color", "always", "list"]] {
        let text = paged(&scene, marked, verb);
        assert!(text.starts_with("paged: ") && text.lines().all(|line| line.starts_with("paged: ")), "{text}");
    }
    assert!(!paged(&scene, marked, &["list", "-n", "2"]).contains("paged"), "it fits");
    assert!(!paged(&scene, marked, &["list", "--no-pager"]).contains("paged"));
    assert!(!paged(&scene, marked, &["list", "--json"]).contains("paged"));
    assert!(!paged(&scene, "", &["list"]).contains("paged"));
    let mut piped = scene.command(["list"]);
    let piped = String::from_utf8(piped.env("PAGER", marked).output().unwrap().stdout).unwrap();
    assert!(piped.contains("six") && !piped.contains("paged"), "{piped}");
}

#[test]
fn a_pager_that_is_missing_or_dies_is_no_error() {
    let scene = scene();
    let text = paged(&scene, "no-such-pager-anywhere 2>/dev/null", &["list"]);
    assert!(text.contains("six") && text.contains("one"), "{text}");
    let mut bare = scene.command(["list"]);
    std::os::unix::fs::symlink("/bin/sh", scene.path("sh")).unwrap();
    let mut pty = Pty::start(bare.env("PATH", scene.folder.path()), (80, 6));
    assert!(pty.wait().success());
    assert!(pty.raw().contains("six") && !pty.raw().contains("less"), "{:?}", pty.raw());
    paged(&scene, "false", &["list"]);
    paged(&scene, "kill -9 $$", &["list"]);
}

#[test]
fn an_own_pager_goes_before_the_common_one_and_the_file_between_them() {
    let scene = scene();
    std::fs::create_dir_all(scene.path("config/bgledger")).unwrap();
    std::fs::write(scene.path("config/bgledger/config.toml"), "pager = \"sed s/^/file:/\"\n").unwrap();
    assert!(paged(&scene, "sed s/^/common:/", &["list"]).starts_with("file:"));
    let mut command = scene.command(["list"]);
    let mut pty = Pty::start(command.env("BGLEDGER_PAGER", "sed s/^/own:/"), (80, 6));
    pty.wait();
    assert!(pty.raw().starts_with("own:"));
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let scene = scene();
    let origin = |arguments: &[&str], name: &str| {
        let shown = scene.json(&[arguments, &["config", "show"]].concat());
        let setting = &shown["preferences"][name];
        (setting["value"].as_str().map(str::to_owned), setting["origin"].as_str().unwrap().to_owned())
    };
    let is = |value: &str, from: &str| (Some(value.to_owned()), from.to_owned());
    assert_eq!(origin(&[], "color"), is("auto", "default"));
    assert_eq!(origin(&["--color", "never"], "color"), is("never", "flag"));
    assert_eq!(origin(&[], "ledger").1, "environment");
    assert_eq!(origin(&[], "durability"), is("full", "default"));
    scene.json(&["config", "set", "durability", "relaxed"]);
    assert_eq!(origin(&[], "durability"), is("relaxed", "ledger"));
    assert_eq!(origin(&["--durability", "full"], "durability"), is("full", "flag"));
    std::fs::create_dir_all(scene.path("config/bgledger")).unwrap();
    let file = "ledger = \"elsewhere.db\"\nowner = \"me\"\ncolor = \"never\"\nutc = true\n";
    std::fs::write(scene.path("config/bgledger/config.toml"), file).unwrap();
    assert_eq!(origin(&[], "owner"), is("me", "file"));
    assert_eq!(origin(&["--owner", "you"], "owner"), is("you", "flag"));
    assert_eq!(origin(&[], "utc"), is("true", "file"));
    assert_eq!(origin(&[], "ledger").1, "environment", "the environment goes before the file");
    assert_eq!(scene.json(&["config", "show"])["config"]["retention"]["origin"], "default");
    assert!(scene.run(["config", "show"]).out.contains("PREFERENCE"));
    let mut unnamed = scene.command(["--json", "config", "show"]);
    let unnamed = unnamed.env_remove("BGLEDGER_DB").output().unwrap();
    assert!(String::from_utf8(unnamed.stdout).unwrap().contains("\"elsewhere.db\",\"origin\":\"file\""));
    assert!(!std::path::Path::new("elsewhere.db").exists(), "looking creates nothing");
}

#[test]
fn a_file_that_says_what_cannot_be_is_refused_with_its_line() {
    let scene = scene();
    std::fs::create_dir_all(scene.path("config/bgledger")).unwrap();
    let cases = [("utc = true\ncolour = \"x\"\n", "line 2"), ("utc = 3\n", "line 1"), ("owner = \n", "line 1")];
    for (text, place) in cases.into_iter().chain([("color = \"pink\"", "pink")]) {
        std::fs::write(scene.path("config/bgledger/config.toml"), text).unwrap();
        let refused = scene.run(["list"]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(place) && refused.err.contains("config.toml"), "{refused:?}");
    }
}

#[test]
fn people_read_local_times_and_programs_utc() {
    let scene = scene();
    let shown = |arguments: &[&str]| {
        let mut command = scene.command(arguments);
        String::from_utf8(command.env("TZ", "Asia/Kolkata").output().unwrap().stdout).unwrap()
    };
    assert!(shown(&["show", "1"]).contains("+05:30 ("));
    assert!(!shown(&["show", "1", "--utc"]).contains("+05:30"));
    assert!(shown(&["--json", "show", "1"]).contains("Z\""));
    let clock = |text: String| text.split_whitespace().nth(1).unwrap().to_owned();
    assert!(!clock(shown(&["watch", "--after", "0", "-n", "1"])).ends_with('Z'));
    assert!(clock(shown(&["watch", "--after", "0", "-n", "1", "--utc"])).ends_with('Z'));
}

#[test]
fn shells_complete_the_tasks_that_there_are() {
    let scene = scene();
    scene.json(&["settle", "2", "--status", "failed"]);
    let complete = |words: &[&str]| {
        let mut command = scene.command(["--", "bgledger"]);
        command.args(words).env("BGLEDGER_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        let output = command.env("_CLAP_IFS", "\n").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let numbers =
        |words: &[&str]| complete(words).into_iter().filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
    assert_eq!(numbers(&["show", ""]), ["6", "5", "4", "3", "2", "1"]);
    assert_eq!(numbers(&["cancel", ""]), ["6", "5", "4", "3", "1"], "what has ended is not to be cancelled");
    assert_eq!(numbers(&["show", "#2"]), ["#2"]);
    assert_eq!(numbers(&["canc"]), ["cancel"]);
    assert_eq!(numbers(&["list", "--status", "q"]), ["queued"]);
    assert!(numbers(&["config", "set", "retention_c"]).contains(&"retention_count".to_owned()));
    let nowhere = scene.path("nowhere.db");
    assert_eq!(numbers(&["--ledger", nowhere.to_str().unwrap(), "show", ""]), [""; 0]);
    assert!(!nowhere.exists(), "completing creates no ledger");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(scene.run(["completions", shell]).out.contains("BGLEDGER_COMPLETE"), "{shell}");
    }
}
