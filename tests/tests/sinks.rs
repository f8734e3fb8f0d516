//! Notices that are delivered without a consumer of one's own: to a command, and to a web address.

use bgledger_tests::json;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn deliver(ledger: &Path, arguments: &[&str]) -> Command {
    let mut command = pipe::command(ledger);
    command.args(["--json", "notices", "deliver"]).args(arguments).env("BGLEDGER_WEBHOOK_SECRET", SECRET);
    command
}

fn run(ledger: &Path, arguments: &[&str]) -> (i32, Vec<Value>, String) {
    told(&deliver(ledger, arguments).output().expect("it runs"))
}

fn told(output: &Output) -> (i32, Vec<Value>, String) {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = lines.lines().map(|line| json::parse(line).expect("JSON")).collect();
    (output.status.code().expect("a code"), lines, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Records so many tasks that are over, each of which owes its session a notice.
fn owe(ledger: &Path, many: usize) {
    let mut caller = pipe::Piped::on(ledger);
    for task in 0..many {
        caller.ok(&format!(
            r#"{{"create": {{"label": "task {task}", "runtime": "subagent", "session": "chat",
                "finish": {{"status": "succeeded", "summary": "said {task}"}}}}}}"#
        )
        .replace('\n', " "));
    }
    caller.end();
}

fn states(ledger: &Path) -> Vec<(String, u64, Value)> {
    let output = pipe::command(ledger).args(["--json", "notices", "list"]).output().expect("it runs");
    let page = json::parse(&String::from_utf8_lossy(&output.stdout)).expect("JSON");
    let of = |notice: &Value| {
        let attempts = notice["attempts"].as_u64().expect("a number");
        (notice["state"].as_str().expect("a state").to_owned(), attempts, notice["reason"].clone())
    };
    page["notices"].as_array().expect("notices").iter().rev().map(of).collect()
}

// ---- a command ----------------------------------------------------------------------------------------------

#[test]
fn a_command_is_given_each_notice_as_json_and_says_by_its_exit_code_whether_it_has_it() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 3);
    let got = path.with_file_name("got");
    // The second is refused once.
    let script = format!("cat > {0}.one; cat {0}.one >> {0}; ! grep -q 'task 1' {0}.one || exit 3", got.display());
    let (exit, lines, errors) = run(&path, &["--exec", &script]);
    assert_eq!(exit, 1, "one was refused: {errors}");
    let delivered: Vec<&Value> = lines.iter().map(|line| &line["delivered"]).collect();
    assert_eq!(delivered, [true, false, true]);
    assert_eq!(lines[1]["reason"], "exit code 3");
    let bodies: Vec<Value> =
        fs::read_to_string(&got).expect("bodies").lines().map(|line| json::parse(line).expect("JSON")).collect();
    assert_eq!(bodies.len(), 3);
    assert_eq!(bodies[0]["message"], "#1 task 0: succeeded (said 0)");
    assert_eq!((&bodies[0]["recipient"], &bodies[0]["task"]["number"]), (&"session:chat".into(), &1.into()));
    assert_eq!(bodies[0]["key"], lines[0]["key"]);
    let (states, reasons): (Vec<_>, Vec<_>) = states(&path).into_iter().map(|(state, _, why)| (state, why)).unzip();
    assert_eq!(states, ["delivered", "pending", "delivered"]);
    assert_eq!(reasons[1], "exit code 3");
    let (exit, lines, _) = run(&path, &["--exec", "true"]);
    assert_eq!((exit, lines.len()), (0, 0), "what was refused is not due yet");
}

#[test]
fn a_command_that_cannot_be_executed_stops_the_deliveries_and_loses_nothing() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 3);
    let (exit, lines, errors) = run(&path, &["--exec", "bgledger-test-no-such-command"]);
    assert_eq!((exit, lines.len()), (1, 1), "nothing else is tried");
    assert!(errors.contains("error: the command cannot be executed (exit code 127)"), "{errors}");
    let tried: Vec<u64> = states(&path).iter().map(|(_, attempts, _)| *attempts).collect();
    assert_eq!(tried, [1, 0, 0]);
}

#[test]
fn a_command_that_hangs_is_killed_with_all_that_it_started() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 1);
    let pid = path.with_file_name("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
    let (exit, lines, _) = run(&path, &["--timeout", "500ms", "--exec", &script]);
    assert_eq!((exit, &lines[0]["delivered"]), (1, &false.into()), "{lines:?}");
    let sleeper = fs::read_to_string(&pid).expect("a pid");
    until("the grandchild is gone", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn followed_notices_are_delivered_as_they_come_until_it_is_told_to_end() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 1);
    let got = path.with_file_name("got");
    let script = format!("jq -r .message >> {0} 2>/dev/null || cat >> {0}", got.display());
    let mut following = deliver(&path, &["--follow", "--exec", &script]);
    let following = following.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let lines = || fs::read_to_string(&got).unwrap_or_default().lines().count();
    until("the first is delivered", || lines() == 1);
    owe(&path, 1);
    until("the second is delivered", || lines() == 2);
    let told_to_end = Command::new("kill").args(["-TERM", &following.id().to_string()]).status().expect("kill runs");
    assert!(told_to_end.success());
    let (exit, lines, _) = told(&following.wait_with_output().expect("it ends"));
    assert_eq!((exit, lines.len()), (0, 2));
}

#[test]
fn a_delivery_that_was_killed_is_tried_again_under_the_same_key() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 1);
    let got = path.with_file_name("got");
    let keep = format!("cat >> {}", got.display());
    // The effect is there, its acknowledgement is not.
    let mut killed = deliver(&path, &["--timeout", "1s", "--exec", &format!("{keep}; kill -KILL $PPID")])
        .spawn()
        .expect("it starts");
    killed.wait().expect("it was killed");
    until("its lease is over", || {
        let (exit, lines, _) = run(&path, &["--exec", &keep]);
        assert_eq!(exit, 0);
        std::thread::sleep(std::time::Duration::from_millis(300));
        lines.len() == 1
    });
    let keys: Vec<Value> = fs::read_to_string(&got)
        .expect("bodies")
        .lines()
        .map(|line| json::parse(line).expect("JSON")["key"].clone())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "whoever records the key has the effect once");
}

// ---- a web address ------------------------------------------------------------------------------------------

/// A request as it came: headers in lower case, and the body.
#[derive(Debug, Clone)]
struct Received {
    headers: Vec<String>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A server on loopback that answers each request with the next of its answers, the last for ever; an empty answer is
/// none at all.
fn server(answers: &'static [&'static str]) -> (SocketAddr, Arc<Mutex<Vec<Received>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        let mut unanswered = Vec::new();
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            kept.lock().expect("a list").push(request(&stream));
            let answer = answers.get(turn).or(answers.last()).expect("an answer");
            match answer.is_empty() {
                true => unanswered.push(stream),
                false => drop(write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")),
            }
        }
    });
    (address, received)
}

fn request(stream: &TcpStream) -> Received {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        match line.trim_end() {
            "" => break,
            line => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                headers.push(format!("{}: {}", name.to_lowercase(), value.trim()));
            }
        }
    }
    let received = Received { headers, body: String::new() };
    let length = received.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    Received { body: String::from_utf8(body).expect("text"), ..received }
}

/// The signature as another implementation computes it.
fn signature(id: &str, sent_at: &str, body: &str) -> String {
    let program = "import base64, hashlib, hmac, sys
secret, *parts = sys.argv[1:]
key = base64.b64decode(secret.removeprefix('whsec_'))
print('v1,' + base64.b64encode(hmac.new(key, '.'.join(parts).encode(), hashlib.sha256).digest()).decode())";
    let output = Command::new("python3").args(["-c", program, SECRET, id, sent_at, body]).output().expect("python3");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_web_address_is_sent_signed_messages() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 2);
    let (address, received) = server(&["204 No Content"]);
    let url = format!("http://{address}/hook?for=tests");
    let (exit, lines, errors) = run(&path, &["--allow-private", "--webhook", &url]);
    assert_eq!((exit, lines.len()), (0, 2), "{errors}");
    let received = received.lock().expect("a list").clone();
    assert_eq!(received.len(), 2);
    for (message, line) in received.iter().zip(&lines) {
        let (id, sent_at) = (message.header("webhook-id").expect("an id"), message.header("webhook-timestamp"));
        let sent_at = sent_at.expect("a time");
        assert_eq!(Some(id), line["key"].as_str());
        assert_eq!(message.header("webhook-signature"), Some(signature(id, sent_at, &message.body).as_str()));
        assert_eq!(message.header("content-type"), Some("application/json"));
        assert_eq!(json::parse(&message.body).expect("JSON")["key"], line["key"]);
    }
    assert!(states(&path).iter().all(|(state, attempts, _)| state == "delivered" && *attempts == 1));
}

#[test]
fn an_address_that_fails_redirects_or_hangs_refuses_each_in_its_own_words() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 3);
    let (address, received) = server(&["500 Oops", "302 Found\r\nlocation: http://127.0.0.1:1/", ""]);
    let url = format!("http://{address}/");
    let (exit, lines, _) = run(&path, &["--allow-private", "--timeout", "1s", "--webhook", &url]);
    let reasons: Vec<&str> = lines.iter().filter_map(|line| line["reason"].as_str()).collect();
    assert_eq!(reasons[..2], ["it answered 500", "it answered 302, and redirects are not followed"], "{lines:?}");
    assert_eq!((exit, reasons[2]), (1, "no answer within 1 s"));
    assert_eq!(received.lock().expect("a list").len(), 3, "no redirect was followed");
    assert!(states(&path).iter().all(|(state, attempts, _)| state == "pending" && *attempts == 1));
}

#[test]
fn an_address_that_wants_no_more_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 3);
    let (address, received) = server(&["410 Gone"]);
    let (exit, _, errors) = run(&path, &["--allow-private", "--webhook", &format!("http://{address}/")]);
    assert_eq!((exit, received.lock().expect("a list").len()), (1, 1), "{errors}");
    assert!(errors.contains("it wants no more messages"), "{errors}");
}

/// The name is looked up anew for each message, so that it cannot lead elsewhere than it did when it was looked at.
#[test]
fn private_addresses_are_refused_unless_they_are_allowed() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 1);
    let (address, received) = server(&["204 No Content"]);
    let (exit, _, errors) = run(&path, &["--webhook", &format!("http://{address}/")]);
    assert_eq!(exit, 2, "{errors}");
    assert!(errors.contains("is an address of this machine or its network"), "{errors}");
    assert_eq!(states(&path)[0].1, 0, "nothing was claimed");
    let by_name = format!("http://localhost:{}/", address.port());
    let (exit, _, errors) = run(&path, &["--webhook", &by_name]);
    assert_eq!(exit, 1, "{errors}");
    assert!(errors.contains("is an address of this machine or its network"), "{errors}");
    assert_eq!(received.lock().expect("a list").len(), 0, "nothing was sent");
}

#[test]
fn a_sink_that_cannot_be_is_refused_before_anything_is_claimed() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    owe(&path, 1);
    let unsigned = deliver(&path, &["--webhook", "https://hooks.example.com/"])
        .env_remove("BGLEDGER_WEBHOOK_SECRET")
        .output()
        .expect("it runs");
    let (exit, _, errors) = told(&unsigned);
    assert_eq!(exit, 2, "{errors}");
    for arguments in [
        &["--webhook", "ftp://hooks.example.com/"][..],
        &["--webhook", "not a url"],
        &[],
        &["--exec", "true", "--webhook", "https://hooks.example.com/"],
        &["--secret-file", "nowhere", "--exec", "true"],
    ] {
        let (exit, _, errors) = run(&path, arguments);
        assert_eq!(exit, 2, "{arguments:?}: {errors}");
    }
    let (exit, _, errors) = run(&path, &["--webhook", "https://hooks.example.com/", "--secret-file", "nowhere"]);
    assert_eq!(exit, 1, "{errors}");
    let short = path.with_file_name("secret");
    fs::write(&short, "whsec_c2hvcnQ=").expect("a file");
    let (exit, _, errors) =
        run(&path, &["--webhook", "https://hooks.example.com/", "--secret-file", &short.display().to_string()]);
    assert_eq!(exit, 2, "{errors}");
    assert!(!errors.contains("c2hvcnQ"), "a secret is shown to nobody: {errors}");
    assert_eq!(states(&path)[0].1, 0, "nothing was claimed");
}
