//! What is done around a fork of this process.

/// Has two functions called around every `fork` of this process, by the thread that forks: one before it, one after
/// it in the parent and in the child. The first pair given stays; without forks (Windows) neither is ever called.
pub fn around_fork(before: fn(), after: fn()) {
    #[cfg(unix)]
    unix::around_fork(before, after);
    #[cfg(not(unix))]
    let _ = (before, after);
}

#[cfg(unix)]
mod unix {
    use std::sync::OnceLock;

    /// What to call before and after.
    type Pair = (fn(), fn());

    static AROUND: OnceLock<Pair> = OnceLock::new();

    pub(super) fn around_fork(before: fn(), after: fn()) {
        AROUND.get_or_init(|| {
            // SAFETY: the three functions live as long as the program and unwind into nobody.
            // It fails for want of memory alone; then forks are as unprotected as they were.
            let _ = unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
            (before, after)
        });
    }

    extern "C" fn before_fork() {
        if let Some((before, _)) = AROUND.get() {
            before();
        }
    }

    extern "C" fn after_fork() {
        if let Some((_, after)) = AROUND.get() {
            after();
        }
    }
}
