//! The real program, in real processes, on real files.
#![cfg(unix)]

mod programs;
mod recording;
mod running;
mod scene;
