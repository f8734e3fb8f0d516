//! What the operating system knows: this machine, its processes, its clocks, its files.
//!
//! Nothing here knows about tasks. Facts come from `/proc` on Linux and from plain system calls elsewhere;
//! what cannot be told is `None` or `Unknown`, never a guess.

mod bell;
mod clock;
mod feed;
mod files;
mod filesystem;
mod fork;
mod group;
mod host;
mod place;
mod process;
mod standing;

pub use bell::{Bell, Note, Syncs, Tone, UNHEARD, UNSTRUCK};
pub use clock::{monotonic_ms, random_bytes, uptime_ms, wall_ms};
pub use feed::{Fed, feed};
pub use files::{FileIdentity, create_private_dir, create_private_file, identity, restrict_file};
pub use filesystem::{FileSystem, file_system};
pub use fork::around_fork;
pub use group::{Signal, Stopped, group_is_alive, signal_group, stop_group};
pub use host::{Host, host, in_container};
pub use place::{
    copy_owner_and_mode, has_other_names, is_open_to_others, is_writable, is_writable_to_others, own_user, owner,
    rename_over, rename_to_vacant, sync_file, sync_folder,
};
pub use process::{Member, ProcessState, group_members, own_pid, process};
pub use standing::Standing;
