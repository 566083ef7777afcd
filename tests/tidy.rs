//! Keeps the house: what the compiler and clippy cannot see of the project's own rules. Everything here reads the
//! source as text, so a rule holds for code that is not built on this machine too.

mod tidy {
    pub(crate) mod paths;
    pub(crate) mod readme;
    pub(crate) mod tree;
}

use tidy::{
    paths::imported_paths,
    readme::stale_commands,
    tree::{File, files, production_files, root},
};

/// Lines of a production file, its tests not counted.
const MAX_PRODUCTION_LINES: usize = 450;

/// What the code under a folder must not name, and why.
struct Edge {
    folder: &'static str,
    forbidden: &'static [&'static str],
    why: &'static str,
}

const EDGES: [Edge; 12] = [
    Edge {
        folder: "server/core/src/",
        forbidden: &[
            "offpeak",
            "offpeak_client",
            "offpeak_server",
            "prost",
            "sled",
            "tokio",
            "tonic",
            "tracing",
        ],
        why: "the core decides and does nothing else",
    },
    Edge {
        folder: "server/core/src/forecast/",
        forbidden: &[
            "crate::command",
            "crate::engine",
            "crate::event",
            "crate::planner",
            "crate::scheduler",
            "crate::state",
        ],
        why: "a forecast knows loads and times, and nothing of what they are for",
    },
    Edge {
        folder: "server/src/store/",
        forbidden: &[
            "crate::api",
            "crate::driver",
            "crate::feed",
            "crate::view",
            "offpeak",
            "tonic",
        ],
        why: "the store keeps records, whoever asks",
    },
    Edge {
        folder: "server/src/api/",
        forbidden: &["crate::store", "sled"],
        why: "the API reaches the log through the driver only",
    },
    Edge {
        folder: "server/src/driver/",
        forbidden: &["crate::api", "offpeak", "sled", "tonic"],
        why: "the driver knows commands and events, not the wire",
    },
    Edge {
        folder: "server/src/feed/",
        forbidden: &["crate::api", "crate::driver", "sled", "tonic"],
        why: "the feed is told what is durable and hands it on",
    },
    Edge {
        folder: "server/src/view/",
        forbidden: &["crate::api", "crate::driver", "sled", "tonic"],
        why: "the view folds events and answers reads",
    },
    Edge {
        folder: "server/src/calendar/",
        forbidden: &[
            "crate::api",
            "crate::cell",
            "crate::driver",
            "offpeak",
            "sled",
            "tokio",
            "tonic",
        ],
        why: "a calendar becomes windows, whoever asks",
    },
    Edge {
        folder: "server/src/simulate/",
        forbidden: &[
            "crate::api",
            "crate::cell",
            "crate::driver",
            "crate::feed",
            "crate::server",
            "crate::store",
            "crate::view",
            "offpeak",
            "sled",
            "tokio",
            "tonic",
        ],
        why: "a simulation is files and the core, without a server around it",
    },
    Edge {
        folder: "server/src/backtest/",
        forbidden: &[
            "crate::api",
            "crate::cell",
            "crate::driver",
            "crate::server",
            "crate::simulate",
            "crate::store",
            "offpeak",
            "offpeak_core::engine",
            "offpeak_core::state",
            "sled",
            "tokio",
            "tonic",
        ],
        why: "a backtest is a history and the forecast, and nothing else",
    },
    Edge {
        folder: "client/src/",
        forbidden: &["offpeak_core", "offpeak_server", "sled"],
        why: "a client knows the API and nothing of the server",
    },
    Edge {
        folder: "proto/",
        forbidden: &["offpeak_client", "offpeak_core", "offpeak_server"],
        why: "everything stands on the API crate",
    },
];

#[test]
fn production_files_stay_short() {
    let mut too_long = Vec::new();
    for file in production_files() {
        let count = production_lines(&file.text);
        if count > MAX_PRODUCTION_LINES {
            too_long.push(format!("{}: {count} lines", file.path));
        }
    }
    assert_none(&too_long, "split by concept");
}

/// Lines before the tests that a file ends with.
fn production_lines(text: &str) -> usize {
    let production = text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(before, _)| before);
    production.lines().count()
}

#[test]
fn every_module_root_says_what_it_is() {
    let mut silent = Vec::new();
    for file in production_files() {
        let is_root = file.path.ends_with("/lib.rs") || file.path.ends_with("/mod.rs");
        if is_root && !file.text.starts_with("//!") {
            silent.push(file.path);
        }
    }
    assert_none(&silent, "open with //!");
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for file in production_files() {
        let paths = imported_paths(&file);
        for edge in EDGES.iter().filter(|edge| covers(edge, &file)) {
            for path in &paths {
                if edge.forbidden.iter().any(|forbidden| is_below(path, forbidden)) {
                    wrong.push(format!("{} names {path}: {}", file.path, edge.why));
                }
            }
        }
    }
    assert_none(&wrong, "imports point one way");
}

/// A module is a folder or, while it is small, one file of the same name.
fn covers(edge: &Edge, file: &File) -> bool {
    let as_file = format!("{}.rs", edge.folder.trim_end_matches('/'));
    file.path.starts_with(edge.folder) || file.path == as_file
}

fn is_below(path: &str, forbidden: &str) -> bool {
    path.strip_prefix(forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Where gRPC codes are chosen.
const CODES: &str = "server/src/api/status.rs";

#[test]
fn grpc_codes_are_chosen_in_one_file() {
    let mut chosen = Vec::new();
    for file in production_files() {
        if !file.path.starts_with("server/src/") || file.path == CODES {
            continue;
        }
        let lines = production_lines(&file.text);
        for (index, line) in file.text.lines().take(lines).enumerate() {
            if chooses_a_code(line) {
                chosen.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    assert_none(&chosen, &format!("make it an ApiError and have {CODES} choose"));
}

/// Whether a line names a code, or makes a status other than from an error that has one.
fn chooses_a_code(line: &str) -> bool {
    let names = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let rest = &line[at + word.len()..];
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                && !["from(", "from)"].iter().any(|from| rest.starts_with(from))
        })
    };
    let imports = line.contains("tonic::Code") || line.contains("tonic::{Code");
    imports || names("Code::") || names("Status::")
}

#[test]
fn a_code_is_recognized_however_it_is_written() {
    for line in ["Err(Status::internal(text))", "Status::new(code, text)", "if code == Code::Ok {"]
    {
        assert!(chooses_a_code(line), "{line}");
    }
    for line in ["StatusCode::NOT_FOUND", ".map_err(Status::from)?", "ExitCode::FAILURE", "Status>"]
    {
        assert!(!chooses_a_code(line), "{line}");
    }
}

#[test]
fn nothing_generated_is_kept() {
    let endings =
        [".bin", ".d", ".log", ".o", ".orig", ".profraw", ".pyc", ".rej", ".rlib", "_pb2.py"];
    let mut generated = Vec::new();
    for file in files() {
        let said = file.text.lines().take(3).any(|line| line.contains("@generated"));
        if said || endings.iter().any(|ending| file.path.ends_with(ending)) {
            generated.push(file.path);
        }
    }
    // Cargo.lock says so of itself and belongs to the project all the same.
    generated.retain(|path| path != "Cargo.lock");
    assert_none(&generated, "build.rs makes it again");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let homes = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("/wo", "rk/"),
    ];
    let mut found = Vec::new();
    for file in files() {
        for (index, line) in file.text.lines().enumerate() {
            if homes.iter().any(|home| begins_a_path(line, home)) {
                found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    assert_none(&found, "name it relative to the project");
}

/// Whether the folder stands in the line as the beginning of a path, not in the middle of one.
fn begins_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "/._-~}".contains(c))
    })
}

#[test]
fn the_whole_workspace_is_read() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is there");
    let all = files();
    for member in ["server", "server/core", "client"] {
        assert!(manifest.contains(&format!("\"{member}\"")), "{member} is a member");
        let prefix = format!("{member}/src/");
        assert!(all.iter().any(|file| file.path.starts_with(&prefix)), "{prefix} is read");
    }
}

#[test]
fn the_commands_of_the_readme_still_exist() {
    assert_none(&stale_commands(), "README.md shows what is gone");
}

#[test]
fn every_rejection_is_documented() {
    let files = files();
    let text_of = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str()).unwrap_or_else(|| panic!("{path} is there"))
    };
    let variants = variants_of(text_of("server/core/src/rejection.rs"), "Rejection");
    assert!(variants.len() > 10, "variants are found: {variants:?}");
    let documented = text_of("docs/ERRORS.md");
    let undocumented: Vec<String> = variants
        .iter()
        .map(|variant| reason_of(variant))
        .filter(|reason| !documented.contains(&format!("`{reason}`")))
        .collect();
    assert_none(&undocumented, "docs/ERRORS.md says of each what it means and what to do");
}

/// The variants of an enum that rustfmt laid out: lines four spaces in that begin with a capital.
fn variants_of(text: &str, name: &str) -> Vec<String> {
    let begin = format!("pub enum {name} {{");
    text.lines()
        .skip_while(|line| *line != begin)
        .skip(1)
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.chars().take_while(|c| c.is_alphanumeric()).collect())
        .collect()
}

/// The `ErrorInfo` reason of a variant: `NODE_NOT_FOUND` of `NodeNotFound`.
fn reason_of(variant: &str) -> String {
    let mut reason = String::new();
    for c in variant.chars() {
        if c.is_ascii_uppercase() && !reason.is_empty() {
            reason.push('_');
        }
        reason.push(c.to_ascii_uppercase());
    }
    reason
}

fn assert_none(found: &[String], advice: &str) {
    assert!(found.is_empty(), "{advice}:\n{}", found.join("\n"));
}
