use super::*;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

type Outcome = Result<(), Box<dyn Error>>;

/// A shell script in a group of its own, once it has said that it is ready.
fn group_of(script: &str) -> Result<(Child, u64), Box<dyn Error>> {
    let mut leader = Command::new("sh").args(["-c", script]).process_group(0).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(leader.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
    assert_eq!(line, "ready\n");
    let ProcessState::Running { started } = process(leader.id()) else {
        return Err("the leader does not run".into());
    };
    Ok((leader, started))
}

fn stop(group: u32, started: u64, grace_ms: u64) -> Stopped {
    stop_group(group, started, Duration::from_millis(grace_ms))
}

#[test]
fn a_willing_group_ends_within_its_grace() -> Outcome {
    let (mut leader, started) = group_of("sleep 60 & echo ready; wait")?;
    let before = monotonic_ms();
    assert_eq!(stop(leader.id(), started, 10_000), Stopped::Stopped);
    assert!(monotonic_ms() - before < 5_000);
    assert_eq!(stop(leader.id(), started, 0), Stopped::NotThere, "only a zombie is left");
    leader.wait()?;
    assert_eq!(group_is(leader.id(), started), Some(false));
    assert_eq!(stop(leader.id(), started, 0), Stopped::NotThere);
    Ok(())
}

#[test]
fn grandchildren_that_ignore_sigterm_are_killed_after_their_leader_is_gone() -> Outcome {
    let (mut leader, started) = group_of("(trap '' TERM; echo ready; while :; do sleep 1; done) & wait")?;
    leader.kill()?;
    leader.wait()?;
    assert_eq!(process(leader.id()), ProcessState::Gone);
    assert_eq!(group_is(leader.id(), started), Some(true));
    assert_eq!(stop(leader.id(), started, 100), Stopped::Stopped);
    assert_eq!(group_members(leader.id()), Some(Vec::new()));
    Ok(())
}

#[test]
fn a_suspended_group_is_woken_to_hear_sigterm() -> Outcome {
    let (mut leader, started) = group_of("echo ready; exec sleep 60")?;
    assert!(signal_group(leader.id(), Signal::Stop)?);
    assert_eq!(stop(leader.id(), started, 10_000), Stopped::Stopped);
    let status = leader.wait()?;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    Ok(())
}

#[test]
fn a_group_whose_number_was_reused_is_left_alone() -> Outcome {
    let (mut neighbour, started) = group_of("sleep 60 & echo ready; wait")?;
    let group = neighbour.id();
    for recorded in [started - 1, started + 1] {
        assert_eq!(group_is(group, recorded), Some(false));
        assert_eq!(stop(group, recorded, 0), Stopped::NotThere);
    }
    neighbour.kill()?;
    neighbour.wait()?;
    // The leader gone, members older than the recorded leader belong to somebody else.
    assert_eq!(group_is(group, started + 100_000), Some(false));
    assert_eq!(stop(group, started + 100_000, 0), Stopped::NotThere);
    assert_eq!(group_members(group).map(|members| members.len()), Some(1));
    assert_eq!(stop(group, started, 0), Stopped::Stopped);
    Ok(())
}

#[test]
fn stopping_one_group_does_not_touch_its_neighbour() -> Outcome {
    let (mut ours, started) = group_of("sleep 60 & echo ready; wait")?;
    let (mut theirs, theirs_started) = group_of("sleep 60 & echo ready; wait")?;
    assert_eq!(stop(ours.id(), started, 10_000), Stopped::Stopped);
    assert_eq!(group_members(theirs.id()).map(|members| members.len()), Some(2));
    assert_eq!(stop(theirs.id(), theirs_started, 0), Stopped::Stopped);
    ours.wait()?;
    theirs.wait()?;
    Ok(())
}

#[test]
fn nothing_is_sent_to_everybody_to_nobody_or_to_ourselves() -> Outcome {
    for group in [0, 1, u32::MAX] {
        let refused = signal_group(group, Signal::Kill).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::InvalidInput));
    }
    let mut ended = Command::new("true").process_group(0).spawn()?;
    ended.wait()?;
    assert!(!signal_group(ended.id(), Signal::Terminate)?);

    let own = u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get())?;
    if let ProcessState::Running { started } = process(own) {
        assert_eq!(stop(own, started, 0), Stopped::NotProved);
    }
    Ok(())
}
