//! Which paths a Rust file names, as far as text tells: groups of `use` are unfolded, `super` and `self` resolved. A
//! path inside a string counts too; a path that a macro puts together does not.

use super::tree::File;

/// Every path that the file names outside comments, such as `crate::store::Log` or `tokio::sync`.
pub(crate) fn imported_paths(file: &File) -> Vec<String> {
    let code = without_comments(&file.text);
    let mut paths = Vec::new();
    for statement in code.split(';') {
        if let Some(tree) = use_tree(statement) {
            unfold("", tree, &mut paths);
        }
    }
    let is_outside_path = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    paths.extend(code.split(is_outside_path).filter(|word| word.contains("::")).map(str::to_owned));
    let module = module_of(&file.path);
    let mut resolved: Vec<String> = paths.iter().map(|path| resolve(path, &module)).collect();
    resolved.sort();
    resolved.dedup();
    resolved
}

/// A `//` after a colon is part of an address.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
        code.push_str(comment.map_or(line, |(at, _)| &line[..at]));
        code.push('\n');
    }
    code
}

/// What follows `use` in the statement, which ends with it if it has one.
fn use_tree(statement: &str) -> Option<&str> {
    let (at, keyword) = statement.match_indices("use ").last()?;
    let begins_a_word =
        statement[..at].is_empty() || statement[..at].ends_with(char::is_whitespace);
    begins_a_word.then(|| &statement[at + keyword.len()..])
}

fn unfold(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split_whitespace().next().unwrap_or_default();
        paths.push(format!("{prefix}{path}"));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0_u32, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                unfold(&prefix, &group[start..at], paths);
                start = at + 1;
            }
            '}' if depth == 0 => {
                unfold(&prefix, &group[start..at], paths);
                return;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// The module that a file is, as segments from `crate` on.
fn module_of(path: &str) -> Vec<&str> {
    let mut module = vec!["crate"];
    if let Some((_, below)) = path.split_once("/src/") {
        module.extend(below.trim_end_matches(".rs").split('/'));
        if module.last().is_some_and(|last| matches!(*last, "lib" | "main" | "mod")) {
            module.pop();
        }
    }
    module
}

fn resolve(path: &str, module: &[&str]) -> String {
    let mut base = module.to_vec();
    let mut is_relative = false;
    let mut rest = path.trim_matches(':');
    while let Some((first, after)) = rest.split_once("::") {
        match first {
            "super" if base.len() > 1 => _ = base.pop(),
            "self" => {}
            _ => break,
        }
        is_relative = true;
        rest = after;
    }
    if is_relative {
        base.push(rest);
        base.join("::")
    } else {
        rest.to_owned()
    }
}

#[test]
fn groups_and_relative_paths_are_seen_through() {
    let file = File {
        path: "server/src/store/sled.rs".to_owned(),
        text: "//! See crate::never.\n\
               use std::fs;\n\
               pub(crate) use crate::{api::{self, convert}, codec as c};\n\
               use super::{Log, Record};\n\
               fn f() { let x = tonic::Status::ok(\"\"); self::g(); }\n"
            .to_owned(),
    };
    let paths = imported_paths(&file);
    for expected in [
        "crate::api::convert",
        "crate::api::self",
        "crate::codec",
        "crate::store::Log",
        "crate::store::sled::g",
        "std::fs",
        "tonic::Status::ok",
    ] {
        assert!(paths.iter().any(|path| path == expected), "{expected} in {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.contains("never")));
}
