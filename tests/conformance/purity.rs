//! Rules about the sources themselves: what the pure core may name, which module may use which,
//! and what the tree may hold (architecture.md, what binds).
#![cfg(test)]

#[path = "purity/scan.rs"]
pub mod scan;

use std::fs;
use std::path::{Path, PathBuf};

use scan::{all_tokens, paths, tokens};

/// Directories and files that hold protocol logic only: events and a clock value in, actions out.
const PURE: &[&str] = &[
    "src/wire",
    "src/net",
    "src/vrrp",
    "src/netlink",
    "src/bfd/session.rs",
    "src/control/event",
    "src/control/verdict.rs",
    "src/control/warnings.rs",
    "src/control/humanize.rs",
    "src/control/render.rs",
    "src/control/render",
];

/// The files within them that do the input and output.
const SHELLS: &[&str] = &[
    "src/netlink/socket.rs",
    "src/netlink/monitor.rs",
    "src/netlink/command.rs",
    "src/netlink/character.rs",
    "src/netlink/neighbor_filter.rs",
];

/// What a pure part may name all the same: where, the path, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("src/netlink", "crate::netlink", "it is the module itself"),
    ("src/control", "crate::control", "it is the module itself"),
    ("src/netlink", "neli", "it is a codec there"),
    ("src/netlink", "nix::errno::Errno", "its numbers differ from one CPU to the next"),
    ("src/control/event", "nix::errno::Errno", "it has the words for an error of the kernel"),
    ("src/netlink/codec.rs", "std::io::Cursor", "neli reads from and writes to one"),
];

/// What the pure core must not name, as a path or the start of one, and why.
const IMPURE: &[(&str, &str)] = &[
    ("std::net::TcpStream", SOCKETS),
    ("std::net::TcpListener", SOCKETS),
    ("std::net::UdpSocket", SOCKETS),
    ("std::net::ToSocketAddrs", "it resolves names"),
    ("std::os", "it reaches the operating system"),
    ("std::io", "it reaches files and sockets"),
    ("std::fs", "it reaches files"),
    ("std::process", "it starts or ends processes"),
    ("std::env", "its result depends on the environment"),
    ("std::thread", "one thread runs the core, and it never sleeps"),
    ("std::time::Instant", CLOCK),
    ("std::time::SystemTime", CLOCK),
    ("std::time::UNIX_EPOCH", CLOCK),
    ("std::task", TASKS),
    ("std::future", TASKS),
    ("std::sync", "the core shares no state"),
    ("std::collections::HashMap", ORDER),
    ("std::collections::HashSet", ORDER),
    ("std::collections::hash_map", ORDER),
    ("std::collections::hash_set", ORDER),
    ("std::hash::RandomState", ORDER),
    ("std::hash::DefaultHasher", ORDER),
    ("async_io", TASKS),
    ("smol", TASKS),
    ("nix", SYSTEM_CALLS),
    ("libc", SYSTEM_CALLS),
    ("socket2", SYSTEM_CALLS),
    ("neli", SYSTEM_CALLS),
    ("log", LOGGING),
    ("syslog", LOGGING),
    ("rand", RANDOM),
    ("getrandom", RANDOM),
    ("crate::cli", UPPER),
    ("crate::supervisor", UPPER),
    ("crate::runner", UPPER),
    ("crate::netlink", UPPER),
    ("crate::ipvs", UPPER),
    ("crate::control", UPPER),
    ("crate::system", UPPER),
];

/// Words that are wrong in the pure core wherever they stand: keywords, and names that reach the
/// same things by another way than the path above.
const IMPURE_WORDS: &[(&str, &str)] = &[
    ("async", TASKS),
    ("await", TASKS),
    ("TcpStream", SOCKETS),
    ("TcpListener", SOCKETS),
    ("UdpSocket", SOCKETS),
    ("SystemTime", CLOCK),
    ("HashMap", ORDER),
    ("HashSet", ORDER),
    ("RandomState", ORDER),
];

/// Macros, named by the word before the `!`.
const IMPURE_MACROS: &[(&str, &str)] = &[
    ("print", LOGGING),
    ("println", LOGGING),
    ("eprint", LOGGING),
    ("eprintln", LOGGING),
    ("dbg", LOGGING),
    ("env", "its result depends on the environment of the build"),
    ("option_env", "its result depends on the environment of the build"),
    ("thread_local", "the core shares no state"),
];

const SOCKETS: &str = "the core has no sockets: return an action";
const CLOCK: &str = "the core has no clock: take `now` as a units::Instant";
const TASKS: &str = "the core has no tasks: take an event and return actions";
const ORDER: &str = "its order of iteration is random: use a BTreeMap, a BTreeSet or a Vec";
const SYSTEM_CALLS: &str = "the core makes no system calls: return an action";
const LOGGING: &str = "the core neither logs nor prints: return an action";
const RANDOM: &str = "the core draws no random numbers: take them in an event";
const UPPER: &str = "the core does not know the shell";

/// The modules of the crate and their height. A module may use those below it, and itself.
const HEIGHTS: &[(&str, u8)] = &[
    ("cli", 8),
    ("supervisor", 7),
    ("vrrp_process", 6),
    ("checker_process", 6),
    ("bfd_process", 6),
    ("runner", 6),
    ("child", 5),
    ("netlink", 4),
    ("ipvs", 4),
    ("notify", 4),
    ("control", 4),
    ("vrrp", 3),
    ("checker", 3),
    ("bfd", 3),
    ("config", 2),
    ("net", 1),
    ("wire", 1),
    ("system", 1),
    ("sorted", 0),
    ("units", 0),
];

/// The longest file in src/, in lines.
const MAX_FILE_LINES: usize = 600;

/// What the top of the tree may hold beside files whose name starts with a dot.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "openwrt",
    "buildroot",
    "cross",
    "conf",
    "tests",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
];

/// A source file: its path from the top of the tree, and its text.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    /// The module path of the file, from `crate`.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        let mut module = vec!["crate".to_owned()];
        if !matches!(inner, "lib" | "main") {
            module.extend(inner.split('/').map(str::to_owned));
        }
        module
    }

    /// Whether the whole file is tests: `foo/tests.rs`, or below a directory `tests`.
    pub fn is_test(&self) -> bool {
        self.path.split(['/', '.']).any(|part| part == "tests")
    }

    fn is_below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            self.path.strip_prefix(place).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        })
    }

    fn is_pure(&self) -> bool {
        self.is_below(PURE) && !self.is_below(SHELLS) && !self.is_test()
    }

    /// The absolute form of a path that the file names: `core` and `alloc` are parts of `std`,
    /// and `super`, `self` are seen from the file (a nested module shifts them; we have none
    /// outside tests).
    fn absolute(&self, segments: &[String]) -> Vec<String> {
        let mut base = Vec::new();
        let mut rest = segments;
        while let Some((first, tail)) = rest.split_first() {
            match first.as_str() {
                "core" | "alloc" if base.is_empty() => base.push("std".to_owned()),
                "self" if base.is_empty() => base = self.module(),
                "super" => {
                    if base.is_empty() {
                        base = self.module();
                    }
                    base.pop();
                }
                _ => base.push(first.clone()),
            }
            rest = tail;
        }
        base
    }
}

/// Whether `path` is `start` or lies below it.
fn begins(path: &[impl AsRef<str>], start: &[&str]) -> bool {
    path.len() >= start.len() && path.iter().zip(start).all(|(a, b)| a.as_ref() == *b)
}

/// What the pure core must not name.
fn impurities(file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let mut faults = Vec::new();
    let mut fault = |line: usize, name: &str, why: &str| {
        faults.push(format!("{}:{line}: {name}: {why}", file.path));
    };
    for path in paths(&tokens) {
        let absolute = file.absolute(&path.segments);
        let opens = path.imported && absolute.last().is_some_and(|last| last == "*");
        let module = if opens { absolute.split_last().map_or(&[][..], |s| s.1) } else { &absolute };
        for (banned, why) in IMPURE {
            let banned: Vec<&str> = banned.split("::").collect();
            let allowed = |(place, allowed, _): &(&str, &str, &str)| {
                let allowed: Vec<&str> = allowed.split("::").collect();
                file.is_below(&[place]) && begins(&allowed, &banned) && begins(&absolute, &allowed)
            };
            if ALLOWED.iter().any(allowed) {
                continue;
            }
            let alone = absolute.len() == 1 && !path.imported;
            if begins(&absolute, &banned) && !alone {
                fault(path.line, &path.text(), why);
            } else if path.imported && module.len() < banned.len() && begins_of(&banned, module) {
                let why = format!("it opens the way to {}; import single items", banned.join("::"));
                fault(path.line, &path.text(), &why);
                break;
            }
        }
        for shell in SHELLS {
            let shell = File { path: (*shell).to_owned(), text: String::new() };
            let module = shell.module();
            if begins(&absolute, &module.iter().map(String::as_str).collect::<Vec<_>>()) {
                fault(path.line, &path.text(), UPPER);
            }
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        let word = IMPURE_WORDS.iter().find(|(word, _)| *word == token.text);
        let bang = tokens.get(index + 1).is_some_and(|next| next.text == "!");
        let unequal = tokens.get(index + 2).is_some_and(|next| next.text == "=");
        let call = IMPURE_MACROS.iter().find(|(name, _)| *name == token.text);
        for (name, why) in word.into_iter().chain(call.filter(|_| bang && !unequal)) {
            fault(token.line, name, why);
        }
    }
    faults
}

/// Whether `module` is a start of `banned`, and so a way to it.
fn begins_of(banned: &[&str], module: &[String]) -> bool {
    module.iter().zip(banned).all(|(a, b)| a == b)
}

/// Uses of modules that are not below the one that names them.
fn upward(file: &File) -> Vec<String> {
    let module = file.module();
    let Some(own) = module.get(1) else { return Vec::new() };
    let height = |name: &str| HEIGHTS.iter().find(|(known, _)| *known == name).map(|h| h.1);
    let Some(here) = height(own) else {
        return vec![format!("{}: module {own} has no height in purity.rs", file.path)];
    };
    let mut faults = Vec::new();
    for path in paths(&tokens(&file.text)) {
        let absolute = file.absolute(&path.segments);
        let [root, used, ..] = absolute.as_slice() else { continue };
        if root != "crate" || used == own {
            continue;
        }
        match height(used) {
            Some(there) if there < here => {}
            Some(_) => faults.push(format!(
                "{}:{}: {}: {own} may only use modules below it",
                file.path,
                path.line,
                path.text(),
            )),
            None => faults.push(format!(
                "{}:{}: {}: module {used} has no height in purity.rs",
                file.path,
                path.line,
                path.text(),
            )),
        }
    }
    faults
}

/// What no source file may hold: unfinished work, tests that are switched off, and `unsafe`
/// outside src/system.
fn leftovers(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: &str, why: &str| {
        faults.push(format!("{}:{line}: {what}: {why}", file.path));
    };
    let marks = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];
    for (index, line) in file.text.lines().enumerate() {
        for word in line.split(|c: char| !c.is_alphanumeric()) {
            if marks.contains(&word) {
                fault(index + 1, word, "do it, or open an issue");
            }
        }
    }
    let tokens = all_tokens(&file.text);
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|i| tokens.get(i)).map(|t| t.text.as_str());
        let after = tokens.get(index + 1).map(|t| t.text.as_str());
        match (before, token.text.as_str(), after) {
            (_, "todo" | "unimplemented", Some("!")) => {
                fault(token.line, &token.text, "unfinished");
            }
            (Some("["), "ignore", Some("]" | "=")) => {
                fault(token.line, "ignore", "a test runs or does not exist");
            }
            // An allocator that counts cannot be written without it.
            (_, "unsafe", _) if !file.is_below(&["src/system", "tests/allocations"]) => {
                fault(token.line, "unsafe", "only src/system may need it");
            }
            _ => {}
        }
    }
    faults
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a directory of the tree, in order of their paths.
pub fn files(directory: &str) -> Vec<File> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(path).expect("a readable directory") {
            let path = entry.expect("a readable entry").path();
            // The fuzzers' own target directory has sources that build scripts made.
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(directory), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| File {
            path: path.strip_prefix(root()).expect("below the root").display().to_string(),
            text: fs::read_to_string(&path).expect("readable text"),
        })
        .collect()
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let pure: Vec<File> = files("src").into_iter().filter(File::is_pure).collect();
    assert!(pure.len() > 5, "the pure files were not found");
    none(&pure.iter().flat_map(impurities).collect::<Vec<_>>());
}

#[test]
fn shells_exist() {
    for shell in SHELLS {
        assert!(root().join(shell).exists(), "{shell} is gone: take it off the list");
    }
}

#[test]
fn modules_point_downwards() {
    none(&files("src").iter().flat_map(upward).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_over() {
    let all = files("src").into_iter().chain(files("tests"));
    none(&all.flat_map(|file| leftovers(&file)).collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    let long = |file: File| {
        let lines = file.text.lines().count();
        (lines > MAX_FILE_LINES).then(|| format!("{}: {lines} lines, make it two files", file.path))
    };
    none(&files("src").into_iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn the_top_of_the_tree_is_known() {
    let ignored = fs::read_to_string(root().join(".gitignore")).expect("a .gitignore");
    let is_ignored = |name: &str| {
        ignored.lines().filter_map(|line| line.strip_prefix('/')).any(|pattern| {
            pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
        })
    };
    let names = fs::read_dir(root()).expect("a readable tree");
    let names = names.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned());
    let strange =
        names.filter(|n| !n.starts_with('.') && !TOP.contains(&n.as_str()) && !is_ignored(n));
    none(&strange.map(|name| format!("{name}: does not belong here")).collect::<Vec<_>>());
}

#[test]
fn cargo_is_not_configured_for_one_machine() {
    let config = fs::read_to_string(root().join(".cargo/config.toml")).unwrap_or_default();
    for key in ["target", "linker", "rustflags"] {
        assert!(!config.contains(key), ".cargo/config.toml sets {key}: it belongs into cross/");
    }
}

#[cfg(test)]
mod tests {
    use super::{File, impurities, leftovers, upward};

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn impure_code_is_found() {
        for source in [
            "use std::net::UdpSocket;",
            "use std::{fmt, net::{IpAddr, TcpStream}};",
            "use std::time::Instant;",
            "use core::time;",
            "use std::time::*;",
            "fn f() { std::fs::read(\"x\"); }",
            "fn f() { std::process::exit(1) }",
            "use std::thread;",
            "use std as s;",
            "async fn f() {}",
            "fn f() { g().await }",
            "use smol::Timer;",
            "use async_io::Async as Other;",
            "use nix;",
            "fn f() { socket2::Socket::new() }",
            "fn f() { log::info!(\"x\"); }",
            "use log::info;",
            "fn f() { println!(\"x\") }",
            "fn f() { let x = env!(\"X\"); }",
            "use std::collections::HashMap;",
            "use crate::netlink::Client;",
            "use super::super::system::clock;",
            "mod a { /* b */ } #[cfg(not(test))] use std::env;",
        ] {
            let faults = impurities(&file("src/vrrp/x.rs", &format!("\n{source}")));
            assert!(!faults.is_empty(), "not found: {source}");
            for fault in faults {
                assert!(fault.starts_with("src/vrrp/x.rs:2: "), "{fault}");
            }
        }
    }

    #[test]
    fn pure_code_passes() {
        for source in [
            "use std::net::{IpAddr, Ipv4Addr};",
            "use std::time::Duration;",
            "use core::fmt;",
            "use crate::units::Instant; fn f(now: Instant) {}",
            "// std::fs, async, println!\nfn f() {}",
            "/// smol::Timer\nfn f() {}",
            "/* nix /* libc */ HashMap */ fn f() {}",
            "const A: &str = \"std::fs::read println!\"; const B: &str = r#\"smol \"async\" \"#;",
            "fn f(log: u8, rand: u8) -> u8 { self.log + rand }",
            "fn f(env: bool) -> bool { env != true }",
            "#[cfg(test)] mod tests { use std::collections::HashMap; fn f() { println!() } }",
            "#[cfg(test)]\nmod tests;",
            "use super::event::Event; use crate::net::Address;",
        ] {
            assert_eq!(impurities(&file("src/vrrp/x.rs", source)), [""; 0], "{source}");
        }
    }

    #[test]
    fn an_exception_is_for_its_place_and_path_only() {
        for (path, source, wrong) in [
            ("src/netlink/a.rs", "use neli::types::Buffer; use super::b;", false),
            ("src/netlink/a.rs", "use nix::errno::Errno;", false),
            ("src/netlink/codec.rs", "use std::io::Cursor;", false),
            ("src/netlink/a.rs", "use std::io::Cursor;", true),
            ("src/netlink/codec.rs", "use std::io::Read;", true),
            ("src/netlink/a.rs", "use nix::sys::socket;", true),
            ("src/netlink/a.rs", "use super::socket::Socket;", true),
            ("src/wire/a.rs", "use neli::types::Buffer;", true),
        ] {
            let faults = impurities(&file(path, source));
            assert_eq!(!faults.is_empty(), wrong, "{path}: {source}: {faults:?}");
        }
    }

    #[test]
    fn only_the_core_has_to_be_pure() {
        for (path, pure) in [
            ("src/vrrp/engine.rs", true),
            ("src/wire/vrrp.rs", true),
            ("src/wire/vrrp/tests.rs", false),
            ("src/vrrpd/engine.rs", false),
            ("src/cli/mod.rs", false),
        ] {
            assert_eq!(file(path, "").is_pure(), pure, "{path}");
        }
    }

    #[test]
    fn upward_and_sideways_uses_are_found() {
        for (path, source, wrong) in [
            ("src/wire/vrrp.rs", "use crate::vrrp::Engine;", true),
            ("src/wire/vrrp.rs", "fn f() { crate::config::load() }", true),
            ("src/units.rs", "use crate::wire::checksum;", true),
            ("src/vrrp/mod.rs", "use super::cli;", true),
            ("src/vrrp/a/mod.rs", "use super::super::checker::x;", true),
            ("src/novel/mod.rs", "", true),
            ("src/vrrp/mod.rs", "use crate::{units, novel};", true),
            ("src/vrrp/a.rs", "use crate::{units, wire::vrrp, config::x}; use super::b;", false),
            ("src/vrrp/a.rs", "use crate::vrrp::b; use self::c::d;", false),
            ("src/wire/a.rs", "#[cfg(test)] mod tests { use crate::vrrp::Engine; }", false),
            ("src/lib.rs", "pub mod cli;", false),
        ] {
            assert_eq!(!upward(&file(path, source)).is_empty(), wrong, "{path}: {source}");
        }
    }

    #[test]
    fn leftovers_are_found() {
        for (path, source, wrong) in [
            ("src/a.rs", concat!("// FIX", "ME: later"), true),
            ("src/a.rs", concat!("/* TO", "DO */"), true),
            ("src/a.rs", "fn f() { todo!() }", true),
            ("src/a.rs", "#[test] #[ignore] fn f() {}", true),
            ("src/a.rs", "#[test] #[ignore = \"slow\"] fn f() {}", true),
            ("src/a.rs", "fn f() { unsafe { g() } }", true),
            ("src/system/a.rs", "fn f() { unsafe { g() } }", false),
            ("src/a.rs", "// unsafe\nfn ignore() { let todo = \"todo!\"; }", false),
        ] {
            assert_eq!(!leftovers(&file(path, source)).is_empty(), wrong, "{path}: {source}");
        }
    }
}
