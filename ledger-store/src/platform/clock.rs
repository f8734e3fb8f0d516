//! Time and randomness: the only place that asks for either.

/// The wall clock: milliseconds since 1970-01-01 UTC. It may step in either direction.
pub fn wall_ms() -> i64 {
    #[cfg(unix)]
    {
        read(rustix::time::ClockId::Realtime)
    }
    #[cfg(not(unix))]
    {
        elsewhere::wall_ms()
    }
}

/// Milliseconds of `CLOCK_MONOTONIC`: one scale for every process of this boot, without steps; on Linux it
/// stands still while the machine is suspended.
///
/// Where there is no such clock (outside Unix) this is the wall clock, steps and all.
pub fn monotonic_ms() -> i64 {
    #[cfg(unix)]
    {
        read(rustix::time::ClockId::Monotonic)
    }
    #[cfg(not(unix))]
    {
        elsewhere::wall_ms()
    }
}

/// Milliseconds since this boot, suspends included, without steps.
///
/// Where there is no such clock (outside Linux) this is [`monotonic_ms`].
pub fn uptime_ms() -> i64 {
    #[cfg(target_os = "linux")]
    {
        read(rustix::time::ClockId::Boottime)
    }
    #[cfg(not(target_os = "linux"))]
    {
        monotonic_ms()
    }
}

/// `N` bytes from the operating system's random generator.
///
/// Never fails: where the generator is out of reach, the keys the standard library drew for its hash maps
/// are stretched instead. Good enough to tell ids apart, not to keep secrets.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    if !from_system(&mut bytes) {
        from_hash_keys(&mut bytes);
    }
    bytes
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
fn read(clock: rustix::time::ClockId) -> i64 {
    let time = rustix::time::clock_gettime(clock);
    let seconds: i64 = time.tv_sec;
    seconds.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

fn from_system(bytes: &mut [u8]) -> bool {
    #[cfg(target_os = "linux")]
    if from_getrandom(bytes) {
        return true;
    }
    from_device(bytes)
}

#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "this file is where randomness comes from")]
fn from_getrandom(bytes: &mut [u8]) -> bool {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..)
        && !rest.is_empty()
    {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

fn from_device(bytes: &mut [u8]) -> bool {
    use std::io::Read;
    std::fs::File::open("/dev/urandom").and_then(|mut device| device.read_exact(bytes)).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "this file is where randomness comes from")]
fn from_hash_keys(bytes: &mut [u8]) {
    use std::hash::{BuildHasher, RandomState};
    for chunk in bytes.chunks_mut(size_of::<u64>()) {
        let word = RandomState::new().hash_one((wall_ms(), std::process::id()));
        for (byte, random) in chunk.iter_mut().zip(word.to_ne_bytes()) {
            *byte = random;
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    pub(super) fn wall_ms() -> i64 {
        use std::time::{SystemTime, UNIX_EPOCH};
        let (span, sign) = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => (after, 1),
            Err(before) => (before.duration(), -1),
        };
        i64::try_from(span.as_millis()).unwrap_or(i64::MAX) * sign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_go_forward_in_milliseconds() {
        let (wall, monotonic) = (wall_ms(), monotonic_ms());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let passed = monotonic_ms() - monotonic;
        assert!((20..5_000).contains(&passed), "{passed} ms passed");
        assert!(wall > 1_600_000_000_000, "{wall} is not a time of our days");
    }

    #[test]
    fn random_bytes_differ_from_call_to_call() {
        assert_ne!(random_bytes::<16>(), random_bytes::<16>());
        assert!(random_bytes::<0>().is_empty());
        let (mut one, mut other) = ([0_u8; 12], [0_u8; 12]);
        from_hash_keys(&mut one);
        from_hash_keys(&mut other);
        assert_ne!(one, other);
    }
}
