use super::gate::{Surroundings, gate_into};
use super::pump::Destinations;
use super::*;
use bgledger_store::platform::{ProcessState, group_members, monotonic_ms, process};
use signal_hook::consts::{SIGSTOP, SIGTERM};
use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{PipeReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

type Outcome = Result<(), Box<dyn Error>>;
type Answer<T> = Result<T, Box<dyn Error>>;

const LONG: Duration = Duration::from_secs(20);

fn plan(command: &[&str]) -> Plan {
    Plan {
        command: command.iter().map(Into::into).collect(),
        environment: vec![("BGLEDGER_TEST_WORD".into(), "kumquat".into())],
        tail_limit: 64 * 1024,
        tick: LONG,
    }
}

fn shell(script: &str) -> Plan {
    plan(&["sh", "-c", script])
}

fn nowhere() -> Answer<Destinations> {
    let stdout = File::options().write(true).open("/dev/null")?;
    let stderr = File::options().write(true).open("/dev/null")?;
    Ok(Destinations { stdout: stdout.into(), stderr: stderr.into() })
}

fn start(plan: &Plan) -> Answer<Running> {
    start_into(plan, nowhere()?)
}

fn start_into(plan: &Plan, destinations: Destinations) -> Answer<Running> {
    Ok(gate_quietly(plan, destinations)?.go()?)
}

/// Without a terminal, and deaf: a signal to the test process would be told to every run in it.
fn gate_quietly(plan: &Plan, destinations: Destinations) -> io::Result<Gated> {
    let surroundings = Surroundings { destinations, terminal: None, hear: &[] };
    gate_into(plan, surroundings)
}

/// Runs to the end without a word.
fn run(plan: &Plan) -> Answer<(Status, Output)> {
    watch(start(plan)?)
}

fn watch(mut running: Running) -> Answer<(Status, Output)> {
    loop {
        if let Event::Exited(status) = running.next_event()? {
            let finished = running.finish();
            assert_eq!(finished.delivery.wait(), None);
            return Ok((status, finished.output));
        }
    }
}

/// Waits until the command has written something that contains `word`.
fn await_word(source: &mut PipeReader, word: &str) -> Outcome {
    let (mut text, mut byte) = (String::new(), [0_u8]);
    while !text.contains(word) {
        source.read_exact(&mut byte)?;
        text.extend(byte.map(char::from));
    }
    Ok(())
}

fn file_that_does_not_exist() -> PathBuf {
    let random = u64::from_ne_bytes(bgledger_store::platform::random_bytes());
    std::env::temp_dir().join(format!("bgledger-supervise-{random:x}"))
}

#[test]
fn the_exit_code_and_the_signal_are_told_apart() -> Outcome {
    assert_eq!(run(&shell("exit 7"))?.0, Status::Code(7));
    assert_eq!(run(&shell("kill -9 $$"))?.0, Status::Signal(9));
    assert_eq!(Status::Code(7).exit_code(), 7);
    assert_eq!(Status::Signal(9).exit_code(), 137);
    Ok(())
}

#[test]
fn a_missing_program_is_127_and_one_without_permission_126() -> Outcome {
    for (program, code) in [("no-such-program-here", 127), ("/etc/passwd", 126), ("/", 126)] {
        let gated = gate_quietly(&plan(&[program]), nowhere()?)?;
        assert!(gated.group().is_some(), "there is a process before anything is looked up");
        let told = gated.go().map(|_| ()).map_err(|error| error.exit_code());
        assert_eq!(told, Err(code), "{program}");
    }
    Ok(())
}

#[test]
fn a_command_that_cannot_even_be_forked_is_an_error() {
    for command in [&[][..], &["sh", "nul\0inside"]] {
        let told = gate(&plan(command)).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(told, Err(io::ErrorKind::InvalidInput));
    }
}

#[test]
fn before_go_there_is_a_group_that_has_executed_nothing() -> Outcome {
    let file = file_that_does_not_exist();
    let touch = format!("touch {}", file.display());
    for refuse in [|gated: Gated| gated.refuse(), drop::<Gated>] {
        let gated = gate_quietly(&shell(&touch), nowhere()?)?;
        let group = gated.group().ok_or("no group")?;
        let members = group_members(group).ok_or("cannot tell")?;
        assert_eq!(members.iter().map(|member| member.pid).collect::<Vec<_>>(), [group]);
        refuse(gated);
        let until = monotonic_ms() + 5_000;
        while process(group) != ProcessState::Gone && monotonic_ms() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(process(group), ProcessState::Gone);
        assert!(!file.exists());
    }
    Ok(())
}

#[test]
fn a_command_killed_at_the_gate_ends_by_that_signal() -> Outcome {
    let gated = gate_quietly(&shell("exit 0"), nowhere()?)?;
    let group = gated.group().ok_or("no group")?;
    bgledger_store::platform::signal_group(group, bgledger_store::platform::Signal::Terminate)?;
    assert_eq!(watch(gated.go()?)?.0, Status::Signal(15));
    Ok(())
}

#[test]
fn the_tail_of_much_output_is_kept_and_all_of_it_passes_through() -> Outcome {
    let file = file_that_does_not_exist();
    let destinations = Destinations { stdout: File::create(&file)?.into(), stderr: nowhere()?.stderr };
    let mut plan = shell("head -c 1048576 /dev/zero | tr '\\0' x; printf END");
    plan.tail_limit = 1000;
    let (status, output) = watch(start_into(&plan, destinations)?)?;
    let passed = std::fs::metadata(&file)?.len();
    std::fs::remove_file(&file)?;
    assert_eq!((status, output.bytes, output.truncated), (Status::Code(0), 1_048_579, true));
    assert_eq!(output.tail.len(), 1000);
    assert!(output.tail.ends_with(b"xEND"));
    assert_eq!(passed, 1_048_579);
    Ok(())
}

#[test]
fn output_is_bytes_in_the_order_of_their_arrival() -> Outcome {
    let (_, output) = run(&shell("printf '\\377\\000a'; sleep 0.1; printf b >&2; sleep 0.1; printf c"))?;
    assert_eq!(output.tail, b"\xff\0abc");
    assert!(!output.truncated);
    Ok(())
}

#[test]
fn one_destination_for_both_streams_keeps_their_exact_order() -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    let destinations = Destinations { stderr: writer.try_clone()?.into(), stdout: writer.into() };
    let script = "i=0; while [ $i -lt 200 ]; do printf o; printf e >&2; i=$((i+1)); done";
    let (_, output) = watch(start_into(&shell(script), destinations)?)?;
    let mut passed = Vec::new();
    reader.read_to_end(&mut passed)?;
    assert_eq!(output.tail, b"oe".repeat(200));
    assert_eq!(passed, output.tail);
    Ok(())
}

#[test]
fn variables_are_added_to_the_environment() -> Outcome {
    let (_, output) = run(&shell("printf %s $BGLEDGER_TEST_WORD; test -n \"$PATH\""))?;
    assert_eq!(OsStr::from_bytes(&output.tail), "kumquat");
    Ok(())
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_nothing_and_lives_on() -> Outcome {
    let before = monotonic_ms();
    let running = start(&shell("sleep 30 & echo $!"))?;
    let (status, output) = watch(running)?;
    assert_eq!(status, Status::Code(0));
    assert!(monotonic_ms() - before < 5_000);
    let grandchild = String::from_utf8(output.tail)?.trim().parse()?;
    assert!(matches!(process(grandchild), ProcessState::Running { .. }));
    let pid = rustix::process::Pid::from_raw(grandchild.try_into()?).ok_or("no pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    Ok(())
}

#[test]
fn a_grandchild_that_writes_for_ever_delays_nothing() -> Outcome {
    let before = monotonic_ms();
    let (status, _) = run(&shell("yes & sleep 0.1"))?;
    assert_eq!(status, Status::Code(0));
    assert!(monotonic_ms() - before < 10_000);
    Ok(())
}

#[test]
fn a_reader_who_goes_away_ends_the_command_as_in_any_pipeline() -> Outcome {
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let destinations = Destinations { stdout: writer.into(), stderr: nowhere()?.stderr };
    let (status, output) = watch(start_into(&shell("exec yes"), destinations)?)?;
    assert_eq!(status, Status::Signal(13));
    assert!(output.tail.starts_with(b"y\n"));
    Ok(())
}

#[test]
fn a_destination_that_fails_does_not_end_the_command() -> Outcome {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let destinations = Destinations { stdout: full.into(), stderr: nowhere()?.stderr };
    let script = "head -c 1048576 /dev/zero || exit 9; printf END";
    let (status, output) = watch(start_into(&shell(script), destinations)?)?;
    assert_eq!((status, output.bytes), (Status::Code(0), 1_048_579));
    assert!(output.tail.ends_with(b"END"));
    Ok(())
}

#[test]
fn a_reader_who_pauses_delays_the_delivery_and_not_the_end() -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    let destinations = Destinations { stdout: writer.into(), stderr: nowhere()?.stderr };
    // More than one pipe holds, so that the writer is stuck while the command ends.
    let mut running = start_into(&shell("head -c 100000 /dev/zero"), destinations)?;
    assert_eq!(running.next_event()?, Event::Exited(Status::Code(0)));
    let finished = running.finish();
    assert_eq!(finished.output.bytes, 100_000);
    let reading = std::thread::spawn(move || {
        let mut passed = Vec::new();
        reader.read_to_end(&mut passed).map(|_| passed.len())
    });
    assert_eq!(finished.delivery.wait(), None);
    assert_eq!(reading.join().map_err(|_| "reader failed")??, 100_000);
    Ok(())
}

#[test]
fn a_stop_reaches_a_grandchild_that_ignores_sigterm() -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    let destinations = Destinations { stdout: writer.into(), stderr: nowhere()?.stderr };
    let script = "(trap '' TERM; echo ready; while :; do sleep 1; done) & wait";
    let mut running = start_into(&shell(script), destinations)?;
    let group = running.group().ok_or("no group")?;
    await_word(&mut reader, "ready")?;
    let before = monotonic_ms();
    running.stop(Duration::from_millis(300));
    assert_eq!(running.next_event()?, Event::Exited(Status::Signal(15)));
    let took = monotonic_ms() - before;
    assert!((300..5_000).contains(&took), "SIGKILL came after the grace: {took} ms");
    assert_eq!(group_members(group), Some(Vec::new()));
    drop(running.finish());
    Ok(())
}

#[test]
fn a_stop_does_not_block_and_a_willing_command_needs_no_grace() -> Outcome {
    let mut plan = plan(&["sleep", "60"]);
    plan.tick = Duration::from_millis(10);
    let mut running = start(&plan)?;
    let mut ticks = 0;
    while ticks < 3 {
        assert_eq!(running.next_event()?, Event::Tick);
        ticks += 1;
    }
    let before = monotonic_ms();
    running.stop(LONG);
    let (status, _) = watch(running)?;
    assert_eq!(status, Status::Signal(15));
    assert!(monotonic_ms() - before < 5_000);
    Ok(())
}

#[test]
fn a_suspended_command_is_stopped_all_the_same() -> Outcome {
    let mut running = start(&plan(&["sleep", "60"]))?;
    running.forward(SIGSTOP)?;
    running.stop(LONG);
    assert_eq!(running.next_event()?, Event::Exited(Status::Signal(15)));
    drop(running.finish());
    Ok(())
}

#[test]
fn ticks_go_on_while_a_stop_waits_and_a_second_stop_shortens_the_grace() -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    let destinations = Destinations { stdout: writer.into(), stderr: nowhere()?.stderr };
    let mut plan = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    plan.tick = Duration::from_millis(10);
    let mut running = start_into(&plan, destinations)?;
    await_word(&mut reader, "ready")?;
    running.stop(LONG);
    assert_eq!(running.next_event()?, Event::Tick);
    running.stop(Duration::ZERO);
    assert_eq!(watch(running)?.0, Status::Signal(9));
    Ok(())
}

#[test]
fn a_signal_sent_to_us_is_told_and_reaches_the_command_only_by_forwarding() -> Outcome {
    let (mut reader, writer) = io::pipe()?;
    let destinations = Destinations { stdout: writer.into(), stderr: nowhere()?.stderr };
    let script = "trap 'echo heard; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let surroundings = Surroundings { destinations, terminal: None, hear: &[SIGTERM] };
    let mut running = gate_into(&shell(script), surroundings)?.go()?;
    await_word(&mut reader, "ready")?;
    signal_hook::low_level::raise(SIGTERM)?;
    assert_eq!(running.next_event()?, Event::Signal(SIGTERM));
    running.forward(SIGTERM)?;
    let (status, output) = watch(running)?;
    assert_eq!(status, Status::Code(5));
    assert!(String::from_utf8(output.tail)?.contains("heard\n"));
    Ok(())
}

#[test]
fn the_command_starts_with_the_signals_and_descriptors_of_any_other() -> Outcome {
    let script = "grep -E '^Sig(Blk|Cgt)' /proc/self/status; ls /proc/self/fd";
    let expected = std::process::Command::new("sh").args(["-c", script]).output()?;
    let (_, output) = run(&shell(script))?;
    assert_eq!(String::from_utf8(output.tail)?, String::from_utf8(expected.stdout)?);
    Ok(())
}
