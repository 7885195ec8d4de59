//! The commands against daemons that are well, and against such as are not.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use steadfast::control::event::json::Event;
use steadfast::control::value::ToValue;
use steadfast::control::{answer, render};

use super::daemon::{StateDir, listen, shown, stale, well};
use super::documents::{files, named, read};

#[test]
fn status_shows_the_text_and_exits_by_the_verdict() {
    for file in files() {
        let directory = StateDir::new();
        let document = read(&file);
        let _daemon = well(&directory, &document, "");
        let (code, out, err) = shown(&directory.run(&["status"]));
        assert_eq!((out, err), (render::document(&document, false), String::new()));
        let word = document.verdict.text.split(':').next().unwrap();
        let expected = [("OK", 0), ("DEGRADED", 3), ("SPLIT", 4), ("DEAD", 5)];
        assert!(expected.contains(&(word, code)), "{word} {code}");
    }
}

#[test]
fn json_is_the_document_itself() {
    let directory = StateDir::new();
    let document = named("03");
    let _daemon = well(&directory, &document, "");
    let (code, out, _) = shown(&directory.run(&["status", "--json"]));
    assert_eq!(code, 4);
    assert_eq!(out.lines().count(), 1);
    let mut read: serde_json::Value = serde_json::from_str(&out).unwrap();
    for event in read["transitions"].as_array_mut().unwrap() {
        // The document of a case has none.
        assert_eq!(event.as_object_mut().unwrap().remove("details"), Some(serde_json::json!({})));
    }
    assert_eq!(read, serde_json::to_value(&document).unwrap());
}

#[test]
fn memory_is_asked_for() {
    let directory = StateDir::new();
    let document = named("01");
    let daemon = well(&directory, &document, "");
    let (code, out, _) = shown(&directory.run(&["status", "--memory"]));
    assert_eq!((code, out), (0, render::document(&document, false)));
    let asked = r#"{"method":"status","memory":true,"format":"text"}"#;
    assert_eq!(daemon.recv().unwrap(), asked);
}

#[test]
fn one_instance_has_its_own_verdict_and_an_unknown_one_a_suggestion() {
    let directory = StateDir::new();
    let _daemon = well(&directory, &named("03"), "");
    let (code, out, _) = shown(&directory.run(&["status", "wan"]));
    assert_eq!((code, out.lines().next().unwrap()), (0, "OK: MASTER of 1/1"));
    for command in ["status", "switchover", "release"] {
        let (code, out, err) = shown(&directory.run(&[command, "wann"]));
        assert_eq!((code, out.as_str()), (64, ""));
        assert!(err.contains("there is no instance wann (have: lan, wan)"), "{err}");
        assert!(err.contains("did you mean wan?"), "{err}");
    }
}

#[test]
fn commands_ask_what_they_should_and_show_the_answer() {
    for (args, question, answer, out) in [
        (vec!["reload"], r#"{"method":"reload"}"#, r#"{"ok":"lan: priority"}"#, "lan: priority\n"),
        (
            vec!["switchover", "lan", "--for", "10m", "--force"],
            r#"{"method":"switchover","instance":"lan","for":600.0,"force":true}"#,
            r#"{"ok":"192.168.1.3 took over"}"#,
            "192.168.1.3 took over\n",
        ),
        (
            vec!["switchover", "lan"],
            r#"{"method":"switchover","instance":"lan"}"#,
            r#"{"ok":"done"}"#,
            "done\n",
        ),
        (
            vec!["release", "lan"],
            r#"{"method":"release","instance":"lan"}"#,
            r#"{"ok":"done"}"#,
            "done\n",
        ),
        (vec!["log-level"], r#"{"method":"log_level"}"#, r#"{"ok":"notice"}"#, "notice\n"),
        (
            vec!["log-level", "debug"],
            r#"{"method":"log_level","level":"debug"}"#,
            r#"{"ok":"debug"}"#,
            "debug\n",
        ),
    ] {
        let directory = StateDir::new();
        let daemon = well(&directory, &named("01"), answer);
        let (code, shown, err) = shown(&directory.run(&args));
        assert_eq!((code, shown.as_str(), err.as_str()), (0, out, ""), "{args:?}");
        let is_alive = |asked: &&String| *asked == r#"{"method":"log_level"}"#;
        let asked: Vec<String> = daemon.try_iter().collect();
        let of_interest = asked.iter().find(|asked| !is_alive(asked)).or(asked.first());
        assert_eq!(of_interest.unwrap(), question);
    }
}

#[test]
fn a_no_is_shown_with_its_exit_code() {
    let kind = |kind: &str| format!(r#"{{"error":"a.toml:1:1: error: no\nmore"{kind}}}"#);
    let configuration = kind(r#","kind":"configuration""#);
    for (answer, args, code) in [
        (kind(""), vec!["switchover", "lan"], 1),
        (kind(""), vec!["release", "lan"], 1),
        (kind(""), vec!["reload"], 1),
        (configuration, vec!["reload"], 2),
    ] {
        let directory = StateDir::new();
        let _daemon = well(&directory, &named("01"), &answer);
        let (found, out, err) = shown(&directory.run(&args));
        assert_eq!((found, out.as_str()), (code, ""), "{args:?}");
        assert!(err.contains("a.toml:1:1: error: no\nmore\n"), "{err}");
        assert_eq!(err.contains("the former one stays in effect"), code == 2, "{err}");
    }
}

#[test]
fn without_an_answer_of_the_vrrp_process_nothing_is_switched() {
    let directory = StateDir::new();
    let answer = r#"{"error":"the vrrp process does not answer","kind":"dead"}"#;
    let _daemon = well(&directory, &named("01"), answer);
    let (code, _, err) = shown(&directory.run(&["switchover", "lan"]));
    assert_eq!((code, err.as_str()), (5, "steadfast: the vrrp process does not answer\n"));
}

/// Runs every command; all have to end with this code and words, and none may show a state.
#[track_caller]
fn all_say(directory: &StateDir, code: i32, words: &str) {
    for args in [
        vec!["status"],
        vec!["status", "--json"],
        vec!["status", "lan"],
        vec!["events"],
        vec!["reload"],
        vec!["switchover", "lan"],
        vec!["release", "lan"],
        vec!["log-level"],
    ] {
        let (found, out, err) = shown(&directory.run(&args));
        let all = format!("{out}{err}");
        assert_eq!(found, code, "{args:?}: {all}");
        assert!(all.contains(words), "{args:?}: {all}");
        assert!(all.contains("= help: "), "{args:?}: {all}");
        assert!(!all.contains("MASTER") && !all.contains("BACKUP"), "{args:?}: {all}");
        assert!(!args.contains(&"--json") || out.is_empty(), "{out}");
    }
}

#[test]
fn no_daemon_is_dead() {
    let directory = StateDir::new();
    all_say(&directory, 5, "no daemon runs: there is no ");
    let (_, out, _) = shown(&directory.run(&["status"]));
    assert!(out.starts_with("DEAD: no daemon runs"), "{out}");
}

#[test]
fn a_socket_that_was_left_behind_is_dead() {
    let directory = StateDir::new();
    stale(&directory.socket());
    all_say(&directory, 5, "no daemon runs: nobody listens on ");
}

#[test]
fn a_daemon_that_hangs_up_is_dead() {
    let directory = StateDir::new();
    let _daemon = listen(&directory, |_, _| ());
    all_say(&directory, 5, "hung up");
    let directory = StateDir::new();
    let _daemon = listen(&directory, |_, mut stream| {
        let _ = stream.write_all(br#"{"ok":{"schema":2,"#);
    });
    all_say(&directory, 5, "hung up");
}

#[test]
fn garbage_is_no_answer() {
    for garbage in
        ["SSH-2.0-OpenSSH_9.6\n", "{}\n", "\n", "{\"ok\":\n", "{\"maybe\":1}\n", "\u{0}\u{1}\n"]
    {
        let directory = StateDir::new();
        let _daemon = listen(&directory, move |_, mut stream| {
            let _ = stream.write_all(garbage.as_bytes());
        });
        all_say(&directory, 1, "is not an answer of a daemon");
    }
}

#[test]
fn a_daemon_of_another_version_is_named() {
    let directory = StateDir::new();
    let _daemon = listen(&directory, |_, mut stream| {
        let _ = stream.write_all(b"{\"ok\":{\"schema\":99,\"new\":1}}\n");
    });
    let (code, out, err) = shown(&directory.run(&["status"]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("this program does not understand its answer"), "{err}");
    let (code, _, err) = shown(&directory.run(&["log-level"]));
    assert_eq!(code, 1);
    assert!(err.contains("this program does not understand its answer"), "{err}");
}

#[test]
fn an_endless_line_takes_no_endless_memory() {
    let directory = StateDir::new();
    let _daemon = listen(&directory, |_, mut stream| {
        let much = vec![b'x'; 1 << 20];
        while stream.write_all(&much).is_ok() {}
    });
    let (code, _, err) = shown(&directory.run(&["log-level"]));
    assert_eq!(code, 1);
    assert!(err.contains("has no end"), "{err}");
}

#[test]
fn a_daemon_that_does_not_answer_is_dead() {
    let directory = StateDir::new();
    // Octets that trickle do not prolong the limit.
    let _daemon = listen(&directory, |_, mut stream| {
        stream.set_nonblocking(true).unwrap();
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let (code, out, err) = shown(&directory.run(&["status"]));
    assert_eq!(code, 5);
    assert!(out.starts_with("DEAD: the daemon does not answer within 5.0 s"), "{out}");
    assert!(err.contains("= help: "), "{err}");
}

#[test]
fn a_missing_permission_is_named() {
    let directory = StateDir::new();
    let _daemon = well(&directory, &named("01"), "");
    std::fs::set_permissions(&directory.0, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(directory.socket(), PermissionsExt::from_mode(0o000)).unwrap();
    // The binary may stand where another user may not look.
    let copy = directory.0.join("steadfast");
    std::fs::copy(env!("CARGO_BIN_EXE_steadfast"), &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(&copy);
    command.args(["status", "--state-dir"]).arg(&directory.0);
    // Permissions do not stop root.
    if std::fs::metadata(&directory.0).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = loop {
        match command.output() {
            // Another test just forked while the copy was open for writing.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
            output => break output.unwrap(),
        }
    };
    let (code, out, err) = shown(&output);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("no permission to use "), "{err}");
    assert!(err.contains("control_socket_group"), "{err}");
}

const EVENT: &str = r#"{"time":1772334432.0,"level":"notice","kind":"transition","instance":"lan","from":"BACKUP","to":"MASTER","cause":"no advert","text":"lan: BACKUP to MASTER: no advert","left_out":2}"#;

#[test]
fn events_are_shown_as_they_come_until_the_daemon_ends() {
    let directory = StateDir::new();
    let _daemon = listen(&directory, |question, mut stream| {
        let one = match question {
            r#"{"method":"events"}"# => format!("{{\"ok\":{EVENT}}}\n"),
            r#"{"method":"events","format":"text"}"# => {
                let event: Event = serde_json::from_str(EVENT).unwrap();
                answer::line(Ok(render::event(&event, false).to_value())) + "\n"
            }
            other => panic!("{other}"),
        };
        let two = one.repeat(2);
        let (first, second) = two.split_at(100);
        stream.write_all(first.as_bytes()).unwrap();
        stream.write_all(second.as_bytes()).unwrap();
    });
    let (code, out, err) = shown(&directory.run(&["events"]));
    let line = "2026-03-01 03:07:12Z notice  lan: BACKUP to MASTER: no advert \
                (2 more like this were left out before)\n";
    assert_eq!((code, out), (5, line.repeat(2)));
    assert!(err.contains("the daemon hung up"), "{err}");
    let (code, out, _) = shown(&directory.run(&["events", "--json"]));
    assert_eq!((code, out), (5, format!("{EVENT}\n").repeat(2)));
}

#[test]
fn events_end_quietly_when_nobody_reads_them() {
    let directory = StateDir::new();
    let _daemon =
        listen(
            &directory,
            |_, mut stream| {
                while stream.write_all(b"{\"ok\":\"an event\\n\"}\n").is_ok() {}
            },
        );
    let mut command = directory.command(&["events"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn watch_shows_it_again_and_says_when_the_daemon_ended() {
    let directory = StateDir::new();
    let daemon = well(&directory, &named("01"), "");
    let mut command = directory.command(&["status", "--watch", "100ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..2 {
        assert_eq!(daemon.recv().unwrap(), r#"{"method":"status","format":"text"}"#);
        lines.find(|line| line == "OK: MASTER of 2/2").unwrap();
    }
    std::fs::remove_file(directory.socket()).unwrap();
    let dead = lines.find(|line| line.starts_with("DEAD: ")).unwrap();
    assert!(dead.contains("no daemon runs"), "{dead}");
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn wrong_arguments_get_a_remedy() {
    let directory = StateDir::new();
    for (args, words) in [
        (vec!["switchover"], "switchover of which instance?"),
        (vec!["switchover", "lan", "--for", "soon"], "\"soon\" is not a length of time"),
        (vec!["switchover", "lan", "--for", "0s"], "--for 10m"),
        (vec!["switchover", "lan", "--forse"], "did you mean --force?"),
        (vec!["switchover", "lan", "wan"], "takes no argument wan"),
        (vec!["status", "--watch=1ms"], "100ms or more"),
        (vec!["status", "--jsno"], "did you mean --json?"),
        (vec!["log-level", "notcie"], "did you mean notice?"),
        (vec!["log-level", "loud"], "error, warning, notice, info, debug"),
        (vec!["reload", "--state-dir="], "--state-dir DIR"),
    ] {
        let (code, out, err) = shown(&directory.run(&args));
        assert_eq!((code, out.as_str()), (64, ""), "{args:?}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
}

#[test]
fn every_command_has_help_with_examples_and_exit_codes() {
    let steadfast = |args: &[&str]| {
        let mut ours = std::process::Command::new(env!("CARGO_BIN_EXE_steadfast"));
        shown(&ours.args(args).output().unwrap())
    };
    let (_, all, _) = steadfast(&["--help"]);
    assert!(all.lines().all(|line| line.len() <= 80), "{all}");
    for command in [
        "run",
        "status",
        "events",
        "reload",
        "switchover",
        "release",
        "stop",
        "upgrade",
        "log-level",
        "check",
    ] {
        assert!(all.contains(&format!("\n  {command}  ")), "{command} is not in: {all}");
        let (code, out, _) = steadfast(&[command, "--help"]);
        assert_eq!(code, 0);
        for part in ["Usage: steadfast ", "Examples:\n  steadfast", "Exit codes"] {
            assert!(out.contains(part), "{command}: {part}");
        }
        assert!(out.lines().all(|line| line.len() <= 80), "{command}");
    }
}
