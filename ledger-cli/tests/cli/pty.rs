//! A terminal of our own, with a program in it.

use crate::scene::Scene;
use bgledger_store::platform::monotonic_ms;
use rustix::fd::AsFd;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Pty {
    pub(crate) child: Child,
    master: File,
    /// The program's side, held open: so the terminal's settings outlive it.
    slave: File,
    before: Termios,
    seen: Arc<Mutex<Vec<u8>>>,
    lines: Cell<u16>,
}

impl Pty {
    /// Starts a scene's command in a terminal of this size.
    pub(crate) fn start(command: &Command, (columns, lines): (u16, u16)) -> Pty {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).unwrap();
        let mut master = File::from(master);
        // Named by its path: the program may be given another PATH.
        let setsid = ["/usr/bin/setsid", "/bin/setsid"].into_iter().find(|path| std::path::Path::new(path).exists());
        let mut pty = Command::new(setsid.unwrap());
        pty.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => pty.env(name, value),
                None => pty.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            pty.current_dir(folder);
        }
        let side = || slave.try_clone().unwrap();
        resize(&master, columns, lines);
        let before = tcgetattr(&slave).unwrap();
        let child = pty.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (master.try_clone().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut bytes = [0_u8; 65536];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                sink.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        master.flush().unwrap();
        Pty { child, master, slave, before, seen, lines: Cell::new(lines) }
    }

    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        self.lines.set(lines);
        resize(&self.master, columns, lines);
    }

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Everything that was written.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8(self.seen.lock().unwrap().clone()).unwrap()
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        screen(&self.raw(), usize::from(self.lines.get()))
    }

    /// Waits until the screen has a text.
    pub(crate) fn until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let give_up = monotonic_ms() + 30_000;
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(monotonic_ms() < give_up, "{what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn until_text(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits for the program's end, and for the last of what it wrote.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        // A mark of our own, after everything of the program's.
        self.slave.write_all(b"\x00").unwrap();
        let give_up = monotonic_ms() + 30_000;
        while !self.seen.lock().unwrap().ends_with(b"\x00") {
            assert!(monotonic_ms() < give_up);
            std::thread::sleep(Duration::from_millis(1));
        }
        self.seen.lock().unwrap().pop();
        status
    }

    /// Whether the terminal is as it was before the program began: its settings, its screen, its cursor.
    pub(crate) fn is_restored(&self) -> bool {
        let now = tcgetattr(&self.slave).unwrap();
        let raw = self.raw();
        // How fast a line is that has no speed is told in more than one way.
        let modes =
            |of: &Termios| format!("{:?}", (of.input_modes, of.output_modes, of.local_modes, &of.special_codes));
        let same = modes(&now) == modes(&self.before);
        let ends = |enter: &str, leave: &str| raw.rfind(leave) > raw.rfind(enter);
        same && ends("\x1b[?1049h", "\x1b[?1049l") && ends("\x1b[?25l", "\x1b[?25h") && ends("\x1b[?7l", "\x1b[?7h")
    }
}

fn resize(master: impl AsFd, columns: u16, lines: u16) {
    let size = Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).unwrap();
}

/// Runs a verb in a terminal of so many columns, and gives what it wrote.
pub(crate) fn shown(scene: &Scene, columns: u16, arguments: &[&str]) -> String {
    let mut pty = Pty::start(&scene.command(arguments), (columns, 400));
    pty.wait();
    pty.raw().replace("\r\n", "\n")
}

/// The screen that a terminal of so many lines shows after what the live view writes: it places each line, clears it, and
/// writes it. Whoever goes below the last line stays on it.
fn screen(raw: &str, height: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut place = 0;
    for part in raw.split("\x1b[").skip(1) {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(0);
        let (code, text) = part.split_at(end);
        let (letter, text) = text.split_at(text.len().min(1));
        match letter {
            "H" => {
                place = code.split(';').next().and_then(|line| line.parse::<usize>().ok()).unwrap_or(1).min(height) - 1
            }
            "J" => lines.truncate(if code == "2" { 0 } else { place }),
            "K" => lines.get_mut(place).into_iter().for_each(String::clear),
            _ => {}
        }
        if !text.is_empty() {
            lines.resize(lines.len().max(place + 1), String::new());
            lines[place].push_str(text);
        }
    }
    lines.join("\n")
}
