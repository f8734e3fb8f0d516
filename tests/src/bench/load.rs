//! A loaded machine: twice as many busy loops as it has processors.

use std::process::{Child, Command, Stdio};

/// Busy loops that run until this is dropped.
#[derive(Debug)]
pub struct Load(Vec<Child>);

impl Load {
    /// Starts them.
    pub fn start() -> Load {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        // A loop ends by itself when its parent is gone, so that a bench that was killed leaves none behind.
        let script = format!(
            "while [ -d /proc/{} ]; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done",
            std::process::id()
        );
        let spawn =
            |_| Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("a shell for a busy loop");
        Load((0..2 * processors).map(spawn).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
