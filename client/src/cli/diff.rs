//! `offpeak diff`: what applying files would change.
//!
//! The comparison is that of `apply`; here the fields behind its paths are told, as the JSON of the messages has them.
//! Nothing is sent but reads: what only the server can refuse, `offpeak apply --dry-run` tells.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    apply::{self, Difference, Outcome, document::Document},
    failure::{Failure, exit},
    output::{Format, Out},
    session::Session,
    table::{Tone, paint},
};

/// Say what applying files would change of what runs.
///
/// Every object is told with what would become of it: created, changed (each field with what it is and what it would be)
/// or unchanged. Ends with 0 when nothing differs, with 1 when something does, and with another code when that could not
/// be found out.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak diff -f fleet.yaml
  offpeak diff -f fleet.yaml -o json
  offpeak diff -f fleet.yaml || offpeak apply -f fleet.yaml")]
pub(crate) struct Diff {
    /// A file as `apply` takes it; - is stdin; may be repeated
    #[arg(long = "file", short, required = true, value_name = "FILE")]
    files: Vec<String>,
}

/// An object of a file, and what would become of it.
#[derive(Serialize)]
struct Told {
    object: String,
    outcome: Outcome,
    changes: Vec<Change>,
}

/// A field that differs.
#[derive(Debug, PartialEq, Serialize)]
struct Change {
    path: String,
    /// Null where it is unset.
    old: Value,
    new: Value,
    /// Applying would be refused: this never changes.
    #[serde(rename = "isFixed")]
    is_fixed: bool,
}

pub(crate) async fn run(diff: &Diff, session: &Session) -> Result<(), Failure> {
    let told = compare(diff, session).await.map_err(|mut failure| {
        // To find nothing out is not to find a difference.
        if failure.code == exit::FAILURE {
            failure.code = exit::USAGE;
        }
        failure
    })?;
    print(&told, session.out)?;
    if told.iter().all(|told| told.outcome == Outcome::Unchanged) {
        return Ok(());
    }
    Err(Failure::differs())
}

async fn compare(diff: &Diff, session: &Session) -> Result<Vec<Told>, Failure> {
    let documents = apply::read(&diff.files, session).await?;
    let client = session.connect().await?;
    let mut all = Vec::with_capacity(documents.len());
    for document in &documents {
        let object = document.reference();
        let known = document.known(&client).await;
        let known = known.map_err(|failure| failure.while_doing(&object))?;
        let Difference { outcome, paths, fixed } = document.difference(known.as_ref());
        let mut changes = Vec::new();
        if let Some(known) = &known {
            let (old, new) = (fields(known)?, fields(document)?);
            for (paths, is_fixed) in [(&paths, false), (&fixed, true)] {
                for path in paths.iter().map(|path| json_path(path)) {
                    add(&mut changes, &path, at(&old, &path), at(&new, &path), is_fixed);
                }
            }
        }
        all.push(Told { object, outcome, changes });
    }
    Ok(all)
}

fn fields(document: &Document) -> Result<Value, Failure> {
    serde_json::to_value(document.dynamic())
        .map_err(|error| Failure::new(exit::FAILURE, format!("cannot compare: {error}")))
}

/// A path of an update mask, as JSON names its fields: `spec.min_runtime` is `spec.minRuntime` there.
fn json_path(path: &str) -> String {
    let mut json = String::with_capacity(path.len());
    let mut is_next_large = false;
    for letter in path.chars() {
        if letter == '_' {
            is_next_large = true;
        } else if std::mem::take(&mut is_next_large) {
            json.extend(letter.to_uppercase());
        } else {
            json.push(letter);
        }
    }
    json
}

fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// Tells what differs, field by field where there are fields.
fn add(changes: &mut Vec<Change>, path: &str, old: &Value, new: &Value, is_fixed: bool) {
    let none = Map::new();
    let (old_fields, new_fields) = match (old, new) {
        (Value::Object(old), Value::Object(new)) => (old, new),
        (Value::Object(old), Value::Null) => (old, &none),
        (Value::Null, Value::Object(new)) => (&none, new),
        _ if old == new => return,
        _ => {
            let (path, old, new) = (path.to_owned(), old.clone(), new.clone());
            return changes.push(Change { path, old, new, is_fixed });
        }
    };
    let names: BTreeSet<&String> = old_fields.keys().chain(new_fields.keys()).collect();
    for name in names {
        let value = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
        let path = format!("{path}.{name}");
        add(changes, &path, &value(old_fields), &value(new_fields), is_fixed);
    }
}

fn print(told: &[Told], out: Out) -> Result<(), Failure> {
    match out.format {
        Format::Table | Format::Wide => {
            out.print(&told.iter().map(|t| text(t, out)).collect::<String>())
        }
        Format::Name => {
            let differs = told.iter().filter(|told| told.outcome != Outcome::Unchanged);
            out.print(&differs.map(|told| format!("{}\n", told.object)).collect::<String>())
        }
        Format::Jsonl => told.iter().try_for_each(|told| out.object(told)),
        _ => out.object(&told),
    }
}

fn text(told: &Told, out: Out) -> String {
    let (word, tone) = match told.outcome {
        Outcome::Created => ("created", Tone::Good),
        Outcome::Updated => ("changed", Tone::Warning),
        Outcome::Unchanged if out.quiet => return String::new(),
        Outcome::Unchanged => ("unchanged", Tone::Faint),
    };
    let mut text = format!("{} {}\n", told.object, paint(word, tone, out.color));
    for Change { path, old, new, is_fixed } in &told.changes {
        let remark = if *is_fixed { " (cannot be changed)" } else { "" };
        text += &format!("  {path}: {} -> {}{remark}\n", shown(old), shown(new));
    }
    text
}

/// A value for people: text without quotes, and what is unset said so.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "unset".to_owned(),
        Value::String(text) => text.escape_debug().to_string(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{add, json_path, shown};

    #[test]
    fn paths_are_those_of_files() {
        assert_eq!(json_path("spec.min_runtime"), "spec.minRuntime");
        assert_eq!(json_path("report_ttl"), "reportTtl");
        assert_eq!(json_path("zone"), "zone");
    }

    #[test]
    fn a_difference_is_told_field_by_field() {
        let old = json!({"cpu": "1", "counts": {"fpga": "4"}, "tags": ["a"], "same": true});
        let new = json!({"cpu": "2", "disk": "3", "tags": ["a", "b"], "same": true});
        let mut changes = Vec::new();
        add(&mut changes, "capacity", &old, &new, false);
        let told = changes.iter().map(|change| {
            format!("{}: {} -> {}", change.path, shown(&change.old), shown(&change.new))
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "capacity.counts.fpga: 4 -> unset",
                "capacity.cpu: 1 -> 2",
                "capacity.disk: unset -> 3",
                r#"capacity.tags: ["a"] -> ["a","b"]"#,
            ]
        );
    }
}
