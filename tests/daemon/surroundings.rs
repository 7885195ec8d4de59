//! State directories that are in use, read-only, full; missing rights.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use nix::sys::signal::Signal;
use steadfast::control::status::{State, WarningKind};

use crate::harness::config::Instance;
use crate::harness::process::Process;
use crate::harness::router::program;
use crate::scene::{Alone, Client, VIRTUAL, said, until_said};

#[test]
fn a_second_instance_is_told_about_the_first() {
    let mut alone = Alone::master();
    let state = alone.router.state();
    let pid = alone.router.daemon().id();
    let second = alone.run(&state, &[]);
    assert_eq!(second.status.code(), Some(1));
    let words = format!("{} is in use by process {pid} (\"", state.display());
    let told = said(&second);
    assert!(told.contains(&words) && told.contains(" run -c "), "{told}");
    assert!(told.contains("stop it or give --state-dir DIR"), "{told}");
    let third = alone.run(&state, &["--daemon"]);
    assert_eq!((third.status.code(), said(&third)), (Some(1), told));
    alone.router.status().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join("control.sock"))), (0o755, 0o660));
    let file = fs::read_to_string(state.join("steadfast.pid")).unwrap();
    assert_eq!(file, format!("{pid}\n"));
}

#[test]
fn what_a_killed_one_left_is_no_obstacle() {
    let mut alone = Alone::master();
    alone.router.kill();
    assert!(alone.router.state().join("control.sock").exists());
    alone.router.start();
    alone.router.until("it answers", |document| document.instances.is_some());
    alone.router.stop();
}

#[test]
fn a_read_only_directory_does_not_keep_it_from_its_work() {
    let alone = Alone::new();
    let mut daemon = alone.start_after("mount -t tmpfs -o ro none $STATE");
    until_said(&daemon, "lan: BACKUP to MASTER");
    let words = daemon.words();
    for loss in ["nothing prevents a second instance", "there is no control socket"] {
        assert!(words.contains(loss), "{words}");
    }
    assert!(words.contains("Read-only file system"), "{words}");
    daemon.signal(Signal::SIGUSR1);
    until_said(&daemon, "the status cannot be written");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    assert!(!alone.holds_address());
}

#[test]
fn a_full_disk_is_said_in_the_status() {
    let alone = Alone::new();
    let shell = "mount -t tmpfs -o size=4k none $STATE; head -c 4096 /dev/zero > $STATE/full";
    let mut daemon = alone.start_after(shell);
    until_said(&daemon, "lan: BACKUP to MASTER");
    assert!(daemon.words().contains("cannot write the process id"), "{}", daemon.words());
    // Its directory is seen by itself only.
    let socket =
        format!("/proc/{}/root{}/control.sock", daemon.id(), alone.router.state().display());
    let told = Client::connect(Path::new(&socket)).ask(r#"{"method":"status"}"#);
    let warnings = told["ok"]["warnings"].as_array().unwrap();
    let kind = serde_json::to_value(WarningKind::Storage).unwrap();
    let storage = warnings.iter().find(|warning| warning["kind"] == kind).expect("a warning");
    assert!(storage["text"].as_str().unwrap().contains("No space left"), "{storage}");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
}

#[test]
fn a_directory_that_cannot_be_made_for_now_does_not_keep_it_from_its_work() {
    for (option, words) in [("ro", "Read-only file system"), ("nr_inodes=1", "No space left")] {
        let alone = Alone::new();
        let shell = format!("mount -t tmpfs -o {option} none $STATE; STATE=$STATE/below");
        let mut daemon = alone.start_after(&shell);
        until_said(&daemon, "lan: BACKUP to MASTER");
        assert!(daemon.words().contains(words), "{}", daemon.words());
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.wait().success());
    }
}

#[test]
fn a_directory_that_can_never_work_is_refused() {
    let alone = Alone::new();
    let long = alone.scratch.path().join("x".repeat(100));
    let cases = [
        (Path::new("/dev/null"), "/dev/null is no directory"),
        (Path::new("/dev/null/x"), "/dev/null is no directory"),
        (Path::new("/proc/steadfast"), "the kernel takes no files of others there"),
        (&long, "the system allows 107 for a socket"),
    ];
    for (state, reason) in cases {
        for more in [&[][..], &["--daemon"]] {
            let ran = alone.run(state, more);
            let told = said(&ran);
            assert_eq!(ran.status.code(), Some(1), "{told}");
            let named = told.contains(&state.display().to_string());
            assert!(named && told.contains(reason), "{told}");
            assert!(told.contains("= help: give --state-dir DIR with"), "{told}");
        }
    }
    assert!(!long.exists() && !alone.holds_address());
}

/// With other state directories they would not know of each other, and fight.
#[test]
fn two_daemons_never_run_the_same_virtual_router() {
    let mut alone = Alone::master();
    let (first, other) = (alone.router.daemon().id(), alone.scratch.path().join("other"));
    let refused = |alone: &Alone| {
        let ran = alone.run_through(&["timeout", "10"], &other, &[]);
        let told = said(&ran);
        let what = format!("another steadfast, process {first} (\"");
        assert_eq!(ran.status.code(), Some(1), "{told}");
        assert!(told.contains(&what) && told.contains(&alone.router.state().display().to_string()));
        assert!(
            told.contains("runs virtual router 51 on eth0 in this network namespace"),
            "{told}"
        );
        assert!(told.contains("= help: stop it, or leave the instance out of one of"), "{told}");
        assert!(!other.join("steadfast.pid").exists());
    };
    refused(&alone);
    // The next program has what this one had.
    let next = alone.scratch.path().join("next");
    fs::copy(program(), &next).unwrap();
    alone.router.ask(&["upgrade", next.to_str().unwrap()]);
    refused(&alone);
    // Different ones can be beside each other, until a reload wants what the other one has.
    alone.configure(&Instance::lan(150, &["192.0.2.9/24"]).named("other", 52));
    let file = alone.scratch.path().join("other.toml");
    fs::copy(alone.router.file(), &file).unwrap();
    let words = ["run".as_ref(), "-c".as_ref(), file.as_os_str()].into_iter();
    let words = words.chain(["--state-dir".as_ref(), other.as_os_str()]);
    let net = &alone.router.host.net;
    let mut second = Process::start(net, "second", program(), words, alone.scratch.path());
    until_said(&second, "other: BACKUP to MASTER");
    let output = alone.router.command(&["reload"]);
    let what = format!("another steadfast, process {} (", second.id());
    assert!(!output.status.success() && said(&output).contains(&what), "{}", said(&output));
    alone.router.until("the refusal", |document| {
        document.verdict.text.contains("the last reload was refused: another steadfast")
    });
    assert!(alone.holds_address());
    second.signal(Signal::SIGTERM);
    second.wait();
    alone.router.ask(&["reload"]);
    alone.router.until_state("other", State::Master);
    // What the reload has taken out is free for another one.
    alone.configure(&Instance::lan(150, &[VIRTUAL]));
    let ran = alone.run_through(&["timeout", "1"], &other, &[]);
    assert!(said(&ran).contains("lan: INIT to BACKUP"), "{}", said(&ran));
}

/// Who may put a link there could have any file written over.
#[test]
fn a_state_directory_of_others_and_links_in_it_are_refused() {
    let alone = Alone::new();
    let precious = alone.scratch.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let refused = |state: &Path, reason: &str, help: &str| {
        // One that starts does not end by itself.
        let told = said(&alone.run_through(&["timeout", "10"], state, &[]));
        assert!(told.contains(reason) && told.contains(help), "{told}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    };
    let make = |name: &str, mode: u32, owner: u32| {
        let path = alone.scratch.path().join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), None).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let open = make("open", 0o777, 0);
    let reason = format!("others may write to {} (mode 0777)", open.display());
    refused(&open, &reason, &format!("= help: chmod go-w {}", open.display()));
    refused(&open.join("below"), &reason, "= help: chmod go-w ");
    let theirs = make("theirs", 0o755, 65_534);
    let reason = format!("{} belongs to user 65534", theirs.display());
    refused(&theirs.join("below"), &reason, &format!("= help: chown root: {}", theirs.display()));
    // A link of theirs where everybody may write, but nobody may remove what is another one's.
    let sticky = make("sticky", 0o1777, 0);
    let link = sticky.join("link");
    symlink(alone.scratch.path(), &link).unwrap();
    lchown(&link, Some(65_534), None).unwrap();
    refused(&link, &format!("{} belongs to user 65534", link.display()), "= help: chown root: ");
    let own = make("own", 0o755, 0);
    for name in ["steadfast.pid", "vrrp.lock"] {
        symlink(&precious, own.join(name)).unwrap();
        let reason = format!("{name} is a link to {}, which would", precious.display());
        refused(&own, &reason, &format!("= help: rm {}", own.join(name).display()));
        fs::remove_file(own.join(name)).unwrap();
    }
    assert!(!alone.holds_address());
    // Where everybody may write, what others have put there is not believed.
    let mut alone = alone;
    let state = alone.router.state();
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(state.join("installed"), "SFI\u{1}\u{0}").unwrap();
    chown(state.join("installed"), Some(65_534), None).unwrap();
    alone.router.start();
    until_said(alone.router.daemon(), "installed cannot be read: it is none of ours");
    alone.router.until_state("lan", State::Master);
    alone.router.stop();
    // What is written in one step takes the place of a link.
    for name in ["installed", "installed.new", "status.json", "status.json.new"] {
        symlink(&precious, state.join(name)).unwrap();
    }
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    alone.router.daemon().signal(Signal::SIGUSR1);
    until_said(alone.router.daemon(), "status written to ");
    assert!(!fs::symlink_metadata(state.join("status.json")).unwrap().is_symlink());
    assert!(!fs::symlink_metadata(state.join("installed")).unwrap().is_symlink());
    alone.router.stop();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn a_user_who_may_not_write_is_told_so() {
    let alone = Alone::new();
    let user = ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+net_admin,+net_raw"];
    let rights = ["--ambient-caps=+net_admin,+net_raw", "--"];
    let state = Path::new("/run/steadfast-of-nobody");
    let ran = alone.run_through(&[&user[..], &rights].concat(), state, &[]);
    let told = said(&ran);
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert!(told.contains("Permission denied") && told.contains("for user 65534"), "{told}");
    assert!(told.contains("run it as root, make a directory"), "{told}");
    assert!(!state.exists());
}

#[test]
fn missing_rights_are_named() {
    let alone = Alone::new();
    let state = alone.router.state();
    let drop = ["setpriv", "--bounding-set", "-net_raw", "--"];
    let ran = alone.run_through(&drop, &state, &[]);
    assert_eq!(ran.status.code(), Some(1));
    let told = said(&ran);
    assert!(told.contains("no right CAP_NET_RAW to send and receive adverts"), "{told}");
    assert!(told.contains("run it as root") && !told.contains("no right CAP_NET_ADMIN"), "{told}");
    assert!(!state.exists());
}

#[test]
fn the_socket_goes_to_the_group_of_the_configuration() {
    use std::os::unix::fs::MetadataExt;

    let mut alone = Alone::new();
    let instance = Instance::lan(150, &[VIRTUAL]);
    let with = |group: &str| {
        format!("control_socket_group = \"{group}\"\nhello_interval = \"100ms\"\n{instance}")
    };
    alone.router.configure(&with("daemon"));
    alone.router.start();
    alone.router.until("it answers", |document| document.instances.is_some());
    let group = nix::unistd::Group::from_name("daemon").unwrap().expect("a group").gid;
    let path = alone.router.state().join("control.sock");
    assert_eq!(fs::metadata(&path).unwrap().gid(), group.as_raw());
    alone.router.configure(&with("no-such-group"));
    alone.client().ask(r#"{"method":"reload"}"#);
    let document = alone.router.status().unwrap();
    let storage = document.warnings.iter().find(|w| w.kind == WarningKind::Storage);
    assert!(storage.expect("a warning").text.contains("there is no group \"no-such-group\""));
}

#[test]
fn too_few_descriptors_are_told() {
    let alone = Alone::new();
    let ran = alone.run_through(&["prlimit", "--nofile=8:8"], &alone.router.state(), &[]);
    let told = said(&ran);
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert!(told.contains("this process may open 8 files, and needs 64 at least"), "{told}");
    assert!(told.contains("= help: raise the hard limit"), "{told}");
}

/// The lock of the vrrp process, in the hands of somebody who is none.
#[test]
fn a_lock_that_another_program_has_is_told() {
    let mut alone = Alone::new();
    let state = alone.router.state();
    fs::create_dir(&state).unwrap();
    let path = state.join("vrrp.lock");
    let file = fs::File::create(&path).unwrap();
    file.lock().unwrap();
    alone.router.start();
    let path = path.display();
    let there = format!("there is another program that has locked {path}");
    until_said(alone.router.daemon(), &format!("{there}; its end is waited for 2 s"));
    let told = format!("{there}: end it, `fuser {path}` says which one it is");
    until_said(alone.router.daemon(), &told);
    let warns = |document: &steadfast::control::status::Document| {
        document.warnings.iter().any(|warning| warning.text.contains(&told))
    };
    alone.router.until("the status says it", warns);
    drop(file);
    alone.router.until_state("lan", State::Master);
}
