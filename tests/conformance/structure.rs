//! What can be understood alone is small (architecture.md, what binds): files that import each other
//! are few, and so are the fields of a struct.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::purity::scan::{Token, paths, tokens, use_tree};
use super::purity::{File, files};

/// The files that may be in one circle.
const MAX_CIRCLE: usize = 4;

/// The fields that a struct may have.
const MAX_FIELDS: usize = 20;

/// Where structs may have more: those that list what the configuration or the status has.
const LISTS: &[&str] = &["src/config/model", "src/vrrp/settings.rs", "src/control/status.rs"];

/// A module path without `crate`.
type Module = Vec<String>;

/// What a file imports and names.
struct Source {
    /// Names of items that it defines.
    items: BTreeSet<String>,
    /// Paths that it imports, and whether it hands them on.
    imports: Vec<(Vec<String>, bool)>,
    /// Paths from `crate`, `super` or `self` that it names in its code.
    named: Vec<Vec<String>>,
    /// It is a `mod.rs`, or the root of the library.
    is_folder: bool,
}

impl Source {
    fn new(file: &File) -> Self {
        let tokens = tokens(&file.text);
        let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
        let mut items = BTreeSet::new();
        let mut imports = Vec::new();
        for at in 0..tokens.len() {
            match text(at) {
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" => {
                    items.insert(text(at + 1).to_owned());
                }
                "use" if text(at + 1) != "<" => {
                    let before = at.checked_sub(1).map_or("", text);
                    let hands_on = matches!(before, "pub" | ")");
                    let mut found = Vec::new();
                    use_tree(&tokens, at + 1, &[], &mut found);
                    imports.extend(found.into_iter().map(|path| (path.segments, hands_on)));
                }
                _ => {}
            }
        }
        let is_relative = |first: &str| matches!(first, "crate" | "super" | "self");
        let named = paths(&tokens).into_iter().filter(|path| {
            !path.imported && path.segments.len() > 1 && is_relative(&path.segments[0])
        });
        let is_folder = file.path.ends_with("/mod.rs") || file.path.ends_with("/lib.rs");
        Self { items, imports, named: named.map(|path| path.segments).collect(), is_folder }
    }
}

/// All files, by their modules.
struct Tree(BTreeMap<Module, Source>);

impl Tree {
    fn new(files: &[File]) -> Self {
        let files = files.iter().filter(|file| !file.is_test() && file.path != "src/main.rs");
        Self(files.map(|file| (file.module().split_off(1), Source::new(file))).collect())
    }

    /// The file that defines what a path of a module names; `None`: no file of the tree.
    fn target(&self, module: &Module, path: &[String], seen: &mut Vec<String>) -> Option<Module> {
        let mut base = module.clone();
        let mut rest = path;
        let mut is_relative = false;
        while let Some((first, tail)) = rest.split_first() {
            match first.as_str() {
                "crate" => base.clear(),
                "super" => {
                    base.pop();
                }
                "self" => {}
                _ => break,
            }
            is_relative = true;
            rest = tail;
        }
        while let Some((first, tail)) = rest.split_first() {
            base.push(first.clone());
            if !self.0.contains_key(&base) {
                base.pop();
                break;
            }
            is_relative = true;
            rest = tail;
        }
        if !is_relative {
            return None;
        }
        let source = self.0.get(&base)?;
        let Some(name) = rest.first().filter(|name| *name != "*") else { return Some(base) };
        let key = format!("{}::{name}", base.join("::"));
        if source.items.contains(name) || seen.contains(&key) {
            return Some(base);
        }
        seen.push(key);
        // The file hands it on: by its name, or with all of another file.
        for (import, _) in &source.imports {
            let Some((last, before)) = import.split_last() else { continue };
            if last == name {
                return self.target(&base, import, seen).or(Some(base));
            }
            if last == "*" {
                let path: Vec<String> = before.iter().chain([name]).cloned().collect();
                let found = self.target(&base, &path, seen);
                if let Some(found) = found.filter(|f| self.0[f].items.contains(name)) {
                    return Some(found);
                }
            }
        }
        Some(base)
    }

    /// The files that a file needs. What a folder only hands on, it does not need.
    fn needs(&self, module: &Module) -> BTreeSet<Module> {
        let source = &self.0[module];
        let imports = source.imports.iter().filter(|(_, on)| !(*on && source.is_folder));
        let all = imports.map(|(path, _)| path).chain(&source.named);
        let targets = all.filter_map(|path| self.target(module, path, &mut Vec::new()));
        targets.filter(|target| target != module).collect()
    }

    /// Files that need each other, the largest circle first.
    fn circles(&self) -> Vec<Vec<String>> {
        let needs: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.keys().map(|module| (module, self.needs(module))).collect();
        let reached = |from: &Module| {
            let mut reached = BTreeSet::new();
            let mut open: Vec<&Module> = needs[from].iter().collect();
            while let Some(next) = open.pop() {
                if reached.insert(next.clone()) {
                    open.extend(&needs[next]);
                }
            }
            reached
        };
        let reach: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.keys().map(|module| (module, reached(module))).collect();
        let mut circles: Vec<Vec<String>> = Vec::new();
        let mut done: BTreeSet<&Module> = BTreeSet::new();
        for module in self.0.keys() {
            let with =
                |other: &&Module| reach[module].contains(*other) && reach[*other].contains(module);
            let circle: Vec<&Module> = self.0.keys().filter(with).collect();
            if circle.len() > 1 && done.insert(module) {
                done.extend(&circle);
                circles.push(circle.iter().map(|file| file.join("/")).collect());
            }
        }
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }
}

/// The structs of a source, with the number of their fields.
fn structs(source: &str) -> Vec<(String, usize)> {
    let tokens = tokens(source);
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| text(*at) == "struct") {
        let mut at = at + 1;
        let name = text(at).to_owned();
        while !matches!(text(at), "{" | ";" | "(" | "") {
            at += 1;
        }
        if text(at) != "{" {
            continue;
        }
        let (mut depth, mut fields) = (1, 0);
        while depth > 0 && at + 1 < tokens.len() {
            at += 1;
            match text(at) {
                ">" if text(at - 1) == "-" => {}
                "{" | "(" | "[" | "<" => depth += 1,
                "}" | ")" | "]" | ">" => depth -= 1,
                ":" if depth == 1 => fields += 1,
                _ => {}
            }
        }
        found.push((name, fields));
    }
    found
}

#[test]
fn structs_are_small() {
    for file in files("src").iter().filter(|file| !LISTS.iter().any(|p| file.path.starts_with(p))) {
        for (name, fields) in structs(&file.text) {
            assert!(fields <= MAX_FIELDS, "{}: {name} has {fields} fields", file.path);
        }
    }
}

#[test]
fn circles_of_imports_are_small() {
    for circle in Tree::new(&files("src")).circles() {
        let files = circle.len();
        assert!(files <= MAX_CIRCLE, "{files} files import each other: {circle:?}");
    }
}

/// The supervisor works from the table of roles: outside that table and the folder of the role, it
/// names no role in its code. One line makes the folder a module.
#[test]
fn the_supervisor_does_not_know_its_roles() {
    const OWN: [&str; 2] = ["src/supervisor/vrrp/", "src/supervisor/role/"];
    let mut named = Vec::new();
    for file in files("src/supervisor") {
        if OWN.iter().any(|own| file.path.starts_with(own)) {
            continue;
        }
        for line in file.text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let code = line.split(" // ").next().unwrap_or_default();
            if code.to_lowercase().contains("vrrp") && code != "pub mod vrrp;" {
                named.push(format!("{}: {code}", file.path));
            }
        }
    }
    assert!(named.is_empty(), "{named:#?}");
}

/// The map of the code names files and folders that exist.
#[test]
fn the_map_of_the_code_is_true() {
    let map = include_str!("../../src/architecture.md");
    let (_, table) = map.split_once("## Where a behaviour lives").unwrap();
    let (table, _) = table.split_once("## What binds").unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let places = table.split('`').skip(1).step_by(2);
    let missing: Vec<&str> = places.filter(|place| !source.join(place).exists()).collect();
    assert!(missing.is_empty(), "not below src: {missing:?}");
}

#[cfg(test)]
mod tests {
    use super::{File, Tree, structs};

    fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Tree::new(&files.iter().map(file).collect::<Vec<_>>()).circles()
    }

    #[test]
    fn a_circle_is_found_however_it_is_written() {
        for uses in [
            "use crate::v::b::B;",
            "use super::b::{self, B};",
            "use super::{C, b::B};",
            "use super::B;",
            "use super::*; fn f() -> super::B {}",
            "fn f() { crate::v::b::g() }",
            "pub use super::b::B;",
        ] {
            let found = circles(&[
                ("src/v/mod.rs", "mod a; mod b; pub use a::*; pub use b::B;"),
                ("src/v/a.rs", &format!("{uses} pub struct A;")),
                ("src/v/b.rs", "use super::A; pub struct B; pub fn g() {}"),
            ]);
            assert_eq!(found, [["v/a", "v/b"]], "{uses}");
        }
    }

    #[test]
    fn fields_are_counted() {
        let source = "struct A; struct B(u8, u8); pub struct C<T: Copy> where T: X {\n/// a: b\n\
                      #[serde(default)] pub a: std::net::IpAddr, b: fn(c: u8) -> Vec<u8>,\n\
                      pub(super) d: T }\nfn f() { let x: u8 = 1; } struct D { a: u8 }";
        assert_eq!(structs(source), [("C".to_owned(), 3), ("D".to_owned(), 1)]);
    }

    #[test]
    fn what_is_no_circle_is_not_found() {
        for (a, b) in [
            ("use super::b::B;", "use crate::units::X; use std::fmt;"),
            ("use super::b::B;", "#[cfg(test)] mod tests { use super::super::a::A; }"),
            ("use super::b::B;", "/// [`A`](super::a::A)\npub struct B;"),
            ("use super::b::B;", "use other::v::a::A;"),
        ] {
            let found = circles(&[
                ("src/lib.rs", "pub mod v; pub mod units;"),
                ("src/units.rs", "pub struct X;"),
                ("src/v/mod.rs", "mod a; mod b; pub use a::A;"),
                ("src/v/a.rs", a),
                ("src/v/b.rs", b),
            ]);
            assert_eq!(found, [[""; 0]; 0], "{a} {b}");
        }
    }

    #[test]
    fn a_folder_that_uses_what_uses_it_is_in_the_circle() {
        let found = circles(&[
            ("src/v/mod.rs", "mod a; use a::A; pub struct M(A);"),
            ("src/v/a.rs", "use super::M; pub struct A;"),
        ]);
        assert_eq!(found, [["v", "v/a"]]);
    }
}
