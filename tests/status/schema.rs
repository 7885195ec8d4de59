//! `conf/status.schema.json` is made from the types and their documentation in `src/control`, and
//! holds for what the daemon writes. `UPDATE_SNAPSHOTS=1 cargo test --test status` writes it again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use steadfast::control::event::{Kind, Level};
use steadfast::control::status::{Hold, SCHEMA, State, VerdictLevel, WarningKind};
use steadfast::control::value::ToValue;

use super::documents::{files, named, read};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/status.schema.json")
}

/// The schema from the sources.
fn made() -> Value {
    let mut types = Map::new();
    // A state is a unit that the engine has too.
    let units = include_str!("../../src/units.rs");
    let (state, _) = units.split_once("impl State").unwrap();
    let (_, state) = state.rsplit_once("\n\n/// The state").unwrap();
    let state = format!("/// The state{state}");
    for source in [
        &state,
        include_str!("../../src/control/status.rs"),
        include_str!("../../src/control/event/kind.rs"),
        include_str!("../../src/control/event/json.rs"),
    ] {
        definitions(source, &mut types);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "steadfast status --json",
        "description": format!(
            "Version {SCHEMA} of the status document. Within one version keys and words are only \
             added. Times are seconds: ..._age ago, ..._in from now. Unknown or not applicable \
             is null. Each line of steadfast events --json is an Event."
        ),
        "$ref": "#/$defs/Document",
        "$defs": types,
    })
}

/// The structures and enumerations of a source file.
fn definitions(source: &str, types: &mut Map<String, Value>) {
    let (mut doc, mut rename) = (String::new(), "");
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("/// ") {
            doc = format!("{doc} {text}");
        } else if let Some(rule) = line.strip_prefix("#[serde(rename_all = \"") {
            rename = rule.trim_end_matches("\")]");
        } else if let Some(name) = line.strip_prefix("pub struct ") {
            let name = name.trim_end_matches(" {").to_owned();
            types.insert(name, structure(&plain(&doc), &mut lines));
        } else if let Some(name) = line.strip_prefix("pub enum ") {
            let name = name.trim_end_matches(" {").to_owned();
            types.insert(name, enumeration(&plain(&doc), rename, &mut lines));
        } else if !line.starts_with('#') {
            (doc, rename) = (String::new(), "");
        }
    }
}

fn structure<'a>(doc: &str, lines: &mut impl Iterator<Item = &'a str>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut doc_of_field = String::new();
    for line in lines.map(str::trim).take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("/// ") {
            doc_of_field = format!("{doc_of_field} {text}");
        } else if let Some((name, of)) =
            line.strip_prefix("pub ").and_then(|field| field.split_once(": "))
        {
            let mut value = json!({ "description": plain(&std::mem::take(&mut doc_of_field)) });
            value.as_object_mut().unwrap().append(&mut typed(of.trim_end_matches(',')));
            properties.insert(name.to_owned(), value);
            required.push(name.to_owned());
        }
    }
    json!({
        "description": doc, "type": "object", "properties": properties, "required": required,
    })
}

fn enumeration<'a>(doc: &str, rename: &str, lines: &mut impl Iterator<Item = &'a str>) -> Value {
    let mut values = Vec::new();
    let (mut doc_of_value, mut own_name) = (String::new(), None);
    for line in lines.map(str::trim).take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("/// ") {
            doc_of_value = format!("{doc_of_value} {text}");
        } else if let Some(name) = line.strip_prefix("#[serde(rename = \"") {
            own_name = Some(name.trim_end_matches("\")]").to_owned());
        } else if let Some(name) = line.strip_suffix(',') {
            let written = own_name.take().unwrap_or_else(|| match rename {
                "UPPERCASE" => name.to_uppercase(),
                "snake_case" => snake(name),
                other => panic!("{name}: what is {other:?}?"),
            });
            let doc = plain(&std::mem::take(&mut doc_of_value));
            values.push(json!({ "const": written, "description": doc }));
        }
    }
    json!({ "description": doc, "oneOf": values })
}

fn snake(name: &str) -> String {
    let parts = name.chars().map(|c| match c.is_uppercase() {
        true => format!("_{}", c.to_lowercase()),
        false => c.to_string(),
    });
    parts.collect::<String>().trim_start_matches('_').to_owned()
}

/// Documentation without the marks of rustdoc.
fn plain(doc: &str) -> String {
    doc.trim().replace("[`", "").replace("`]", "").replace('`', "")
}

/// What a Rust type is in the schema.
fn typed(name: &str) -> Map<String, Value> {
    let inside = |outer: &str| name.strip_prefix(outer).and_then(|rest| rest.strip_suffix('>'));
    let value = if let Some(inner) = inside("Option<") {
        json!({ "anyOf": [typed(inner), { "type": "null" }] })
    } else if let Some(inner) = inside("Vec<") {
        json!({ "type": "array", "items": typed(inner) })
    } else if let Some(inner) = inside("BTreeMap<String, ") {
        json!({ "type": "object", "additionalProperties": typed(inner) })
    } else {
        match name {
            "String" | "IpAddr" => json!({ "type": "string" }),
            "bool" => json!({ "type": "boolean" }),
            "u8" | "u16" | "u32" | "u64" => json!({ "type": "integer", "minimum": 0 }),
            "i16" => json!({ "type": "integer" }),
            "f64" | "Seconds" => json!({ "type": "number" }),
            "Value" => json!({ "type": "object", "additionalProperties": true }),
            other => json!({ "$ref": format!("#/$defs/{other}") }),
        }
    };
    value.as_object().unwrap().clone()
}

/// The same for a value of one of the types.
pub fn faults_of(name: &str, value: &Value) -> Vec<String> {
    let schema = made();
    faults(&schema, &schema["$defs"][name], value, "")
}

/// What a value has that the schema does not allow: enough of JSON Schema for ours. Keys that the
/// schema does not know are wrong here: a client would not find them in it.
fn faults(schema: &Value, of: &Value, value: &Value, at: &str) -> Vec<String> {
    if *of == json!(true) {
        return Vec::new();
    }
    if let Some(name) = of.get("$ref").and_then(Value::as_str) {
        let name = name.strip_prefix("#/$defs/").unwrap();
        return faults(schema, &schema["$defs"][name], value, at);
    }
    if let Some(options) = of.get("anyOf").and_then(Value::as_array) {
        let mut wrong: Vec<_> = options.iter().map(|o| faults(schema, o, value, at)).collect();
        let none_fits = wrong.iter().all(|faults| !faults.is_empty());
        return if none_fits { wrong.remove(0) } else { Vec::new() };
    }
    if let Some(words) = of.get("oneOf").and_then(Value::as_array) {
        let fits = words.iter().any(|word| word["const"] == *value);
        return if fits { Vec::new() } else { vec![format!("{at}: {value} is no word of it")] };
    }
    let fits = match of["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    if !fits {
        return vec![format!("{at}: {value} is no {}", of["type"])];
    }
    let mut found = Vec::new();
    for item in value.as_array().into_iter().flatten() {
        found.extend(faults(schema, &of["items"], item, &format!("{at}[]")));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{at}.{key}");
        match of["properties"].get(key).or(of.get("additionalProperties")) {
            Some(of) => found.extend(faults(schema, of, inner, &place)),
            None => found.push(format!("{place}: not in the schema")),
        }
    }
    for key in of.get("required").and_then(Value::as_array).into_iter().flatten() {
        if value.get(key.as_str().unwrap()).is_none() {
            found.push(format!("{at}: no {key}"));
        }
    }
    found
}

#[test]
fn the_schema_is_made_from_the_types() {
    let text = serde_json::to_string_pretty(&made()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path(), &text).unwrap();
    }
    assert_eq!(fs::read_to_string(path()).unwrap(), text, "run it with UPDATE_SNAPSHOTS=1");
}

#[test]
fn what_is_written_is_what_the_schema_says() {
    let schema = made();
    let mut seen = String::new();
    for file in files() {
        let mut document = read(&file);
        for instance in document.instances.iter_mut().flatten() {
            instance.hold.get_or_insert(Hold { ends_in: None });
        }
        let written = document.to_value().to_json();
        let written: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(faults(&schema, &schema, &written, ""), [""; 0], "{}", file.display());
        seen += &written.to_string();
    }
    // Every key stands in some case, so that none was compared with nothing.
    for definition in schema["$defs"].as_object().unwrap().values() {
        for key in definition["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(seen.contains(&format!("\"{key}\":")), "{key} is in no case");
        }
    }
}

#[test]
fn the_words_are_those_that_are_written() {
    let schema = made();
    let words = |name: &str| {
        let all = schema["$defs"][name]["oneOf"].as_array().unwrap();
        all.iter().map(|word| word["const"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // serde names all words that it knows when it meets another one.
    let known = |error: serde_json::Error| {
        let text = error.to_string();
        text.split('`').skip(3).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let wrong = "\"\"";
    for (name, error) in [
        ("WarningKind", serde_json::from_str::<WarningKind>(wrong).unwrap_err()),
        ("VerdictLevel", serde_json::from_str::<VerdictLevel>(wrong).unwrap_err()),
        ("State", serde_json::from_str::<State>(wrong).unwrap_err()),
        ("Level", serde_json::from_str::<Level>(wrong).unwrap_err()),
        ("Kind", serde_json::from_str::<Kind>(wrong).unwrap_err()),
    ] {
        assert_eq!(words(name), known(error), "{name}");
    }
}

#[test]
fn differences_are_found() {
    let schema = made();
    let good: Value = serde_json::from_str(&named("03").to_value().to_json()).unwrap();
    assert_eq!(faults(&schema, &schema, &good, ""), [""; 0]);
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        faults(&schema, &schema, &value, "").join(", ")
    };
    assert_eq!(wrong(&|d| d["more"] = json!(1)), ".more: not in the schema");
    assert_eq!(wrong(&|d| d["schema"] = json!("1")), ".schema: \"1\" is no \"integer\"");
    assert!(
        wrong(&|d| drop(d["daemon"].as_object_mut().unwrap().remove("pid"))).contains("no \"pid\"")
    );
    let state = wrong(&|d| d["instances"][0]["state"] = json!("master"));
    assert_eq!(state, ".instances[].state: \"master\" is no word of it");
}
