//! The commands that README.md shows: what they name must still be there. They are not run here.

use super::tree::{File, files};

/// Subcommands of `offpeak` that have subcommands of their own.
const NOUNS: [&str; 6] = ["admin", "alloc", "cell", "job", "node", "tenant"];

/// What is wrong with the commands, each with its line. Panics when there are none to look at.
pub(crate) fn stale_commands() -> Vec<String> {
    let files = files();
    let readme = files.iter().find(|file| file.path == "README.md").expect("README.md is there");
    let commands = commands(&readme.text);
    assert!(!commands.is_empty(), "README.md shows commands in ```sh blocks");
    let mut stale = Vec::new();
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        for missing in missing(&words, &files) {
            stale.push(format!("`{command}`: {missing}"));
        }
    }
    stale
}

/// Lines of `sh` blocks without comments and prompts; a line that ends with a backslash goes on.
fn commands(readme: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut is_shell = false;
    let mut begun = String::new();
    for line in readme.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            is_shell = matches!(language, "sh" | "bash" | "shell");
            continue;
        }
        if !is_shell || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("$ ").unwrap_or(line);
        if let Some(part) = line.strip_suffix('\\') {
            begun.push_str(part);
            continue;
        }
        commands.push(format!("{}{line}", std::mem::take(&mut begun)));
    }
    commands
}

fn missing(words: &[&str], files: &[File]) -> Vec<String> {
    let mut missing = Vec::new();
    let exists = |path: &str| files.iter().any(|file| file.path == path);
    for pair in words.windows(2) {
        let [flag, name] = *pair else { continue };
        let is_there = match flag {
            "--example" => {
                exists(&format!("examples/{name}.rs"))
                    || exists(&format!("examples/{name}/main.rs"))
            }
            "--test" => exists(&format!("tests/{name}.rs")),
            "--bench" => files.iter().any(|f| f.path.ends_with(&format!("benches/{name}.rs"))),
            "--bin" | "-p" | "--package" => is_named_by_a_manifest(name, files),
            "bash" => exists(name),
            "--path" => exists(&format!("{name}/Cargo.toml")),
            _ => true,
        };
        if !is_there {
            missing.push(format!("{flag} {name} is not there"));
        }
    }
    for (program, source) in [("offpeak", "client/src/"), ("offpeakd", "server/src/")] {
        for subcommand in subcommands(words, program) {
            if !is_subcommand(subcommand, source, files) {
                missing.push(format!("{program} has no {subcommand}"));
            }
        }
    }
    missing
}

/// A package or a binary of the workspace.
fn is_named_by_a_manifest(name: &str, files: &[File]) -> bool {
    let line = format!("name = \"{name}\"");
    files
        .iter()
        .filter(|file| file.path.ends_with("Cargo.toml"))
        .any(|file| file.text.lines().any(|found| found.trim() == line))
}

/// The words that choose what the program does, however it is started: `offpeak node list`, `target/release/offpeak
/// node list` or `cargo run --bin offpeak -- node list`. A command that begins with a flag is not looked into.
fn subcommands<'a>(words: &[&'a str], program: &str) -> Vec<&'a str> {
    let is_program = |word: &str| word.rsplit('/').next() == Some(program);
    let Some(at) = words.iter().position(|word| is_program(word)) else {
        return Vec::new();
    };
    let after = &words[at + 1..];
    let after = if words.first() == Some(&"cargo") {
        let dashes = after.iter().position(|word| *word == "--");
        dashes.map_or(&[][..], |dashes| &after[dashes + 1..])
    } else {
        after
    };
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let wanted = if after.first().is_some_and(|word| NOUNS.contains(word)) { 2 } else { 1 };
    after
        .iter()
        .take(wanted)
        .copied()
        .take_while(|word| !word.starts_with('-') && is_plain(word))
        .collect()
}

/// Clap takes a subcommand's name from a variant, or from a name or alias given as a string.
fn is_subcommand(word: &str, source: &str, files: &[File]) -> bool {
    let quoted = format!("\"{word}\"");
    let variant: String = word.split('-').map(capitalised).collect();
    let is_variant = |line: &str| {
        line.trim_start().strip_prefix(variant.as_str()).is_some_and(|rest| {
            rest.starts_with(',') || rest.starts_with('(') || rest.starts_with(" {")
        })
    };
    files
        .iter()
        .filter(|file| file.path.starts_with(source))
        .any(|file| file.text.lines().any(|line| is_variant(line) || line.contains(&quoted)))
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[test]
fn a_command_that_is_gone_is_noticed() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("examples/demo.rs", ""),
        file("client/Cargo.toml", "[[bin]]\nname = \"offpeak\"\n"),
        file("client/src/main.rs", "enum Command {\n    Node(Node),\n    ListAll,\n}\n"),
    ];
    let readme =
        "```sh\n# a comment\ncargo run --release \\\n  --example demo\n```\n```text\nno\n```\n";
    assert_eq!(commands(readme), ["cargo run --release --example demo"]);
    let check = |command: &str| missing(&command.split(' ').collect::<Vec<_>>(), &files);
    assert!(check("cargo run --release --example demo").is_empty());
    assert!(check("cargo run --bin offpeak -- node list-all -o wide").is_empty());
    assert_eq!(check("cargo run --example other"), ["--example other is not there"]);
    assert_eq!(check("target/release/offpeak node vanish --all"), ["offpeak has no vanish"]);
}
