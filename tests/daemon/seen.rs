//! A process as `/proc` shows it.

use crate::harness::guard;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use nix::unistd::Pid;

/// The file of a process, as text.
#[track_caller]
pub fn read(pid: Pid, name: &str) -> String {
    let path = format!("/proc/{pid}/{name}");
    let octets = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&octets).into_owned()
}

/// A line of `status`.
#[track_caller]
pub fn status(pid: Pid, key: &str) -> String {
    let text = read(pid, "status");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{key} in {text}")).trim().to_owned()
}

/// A limit: "soft hard".
#[track_caller]
pub fn limit(pid: Pid, name: &str) -> String {
    let text = read(pid, "limits");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let words = line.unwrap_or_else(|| panic!("{name} in {text}")).split_whitespace();
    words.take(2).collect::<Vec<_>>().join(" ")
}

/// Its threads.
#[track_caller]
pub fn threads(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    let name = |entry: fs::DirEntry| entry.file_name().to_str().unwrap().parse().unwrap();
    tasks.map(|entry| Pid::from_raw(name(entry.unwrap()))).collect()
}

/// The class, the real-time priority and the nice value of each thread; those that are the same
/// once.
#[track_caller]
pub fn classes(pid: Pid) -> BTreeSet<String> {
    let class = |thread| {
        let chrt = guard::tool(Command::new("chrt").args(["-p", &Pid::to_string(&thread)]));
        let chrt = chrt.expect("chrt; apt-get install util-linux");
        let told = String::from_utf8_lossy(&chrt.stdout).into_owned();
        let words: Vec<&str> = told.lines().filter_map(|l| Some(l.rsplit_once(": ")?.1)).collect();
        let stat = read(thread, "stat");
        format!("{} nice {}", words.join(" "), field(&stat, 19))
    };
    threads(pid).into_iter().map(class).collect()
}

/// A field of `stat`, by its number in proc(5).
#[track_caller]
pub fn field(stat: &str, number: usize) -> &str {
    // The name may have any characters in it; what follows it begins with field 3.
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(number - 3).unwrap()
}

/// What its descriptors are, each kind once. Of a file the last part of its name; of a Unix socket
/// whether it listens. Without those that we were started with ourselves and that are no concern
/// of ours.
#[track_caller]
pub fn descriptors(pid: Pid) -> BTreeSet<String> {
    let inherited: BTreeSet<String> = links(Pid::this())
        .filter(|(number, link)| *number > 2 && link != "/dev/null")
        .filter(|(number, _)| {
            let path = format!("/proc/self/fdinfo/{number}");
            let flags = fs::read_to_string(path).unwrap_or_default();
            let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")?.trim().into());
            let flags = flags.and_then(|text: &str| u32::from_str_radix(text, 8).ok());
            flags.is_some_and(|flags| flags & 0o2_000_000 == 0)
        })
        .map(|(_, link)| link)
        .collect();
    links(pid).filter(|(_, link)| !inherited.contains(link)).map(|(_, l)| kind(pid, &l)).collect()
}

fn links(pid: Pid) -> impl Iterator<Item = (u32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number = path.file_name()?.to_str()?.parse().ok()?;
        Some((number, fs::read_link(path).ok()?.display().to_string()))
    })
}

fn kind(pid: Pid, link: &str) -> String {
    if let Some(inode) = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
        return socket(pid, inode);
    }
    let name = link.split(['/', '[', ']', ':']).rfind(|part| !part.is_empty()).unwrap_or(link);
    if link.starts_with("pipe:") { "pipe".to_owned() } else { name.to_owned() }
}

fn socket(pid: Pid, inode: &str) -> String {
    let kinds = ["unix", "netlink", "packet", "raw", "raw6", "tcp", "tcp6", "udp", "udp6", "icmp"];
    for kind in kinds {
        let table = read(pid, &format!("net/{kind}"));
        let found = table.lines().find(|line| line.split_whitespace().any(|word| word == inode));
        if let Some(line) = found {
            // __SO_ACCEPTCON
            let listens = kind == "unix" && line.split_whitespace().nth(3) == Some("00010000");
            return if listens { "listening unix".to_owned() } else { kind.to_owned() };
        }
    }
    "unknown socket".to_owned()
}
