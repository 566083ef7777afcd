//! The project's files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Hidden folders that are the project's own.
const HIDDEN: [&str; 1] = [".ci"];

pub(crate) struct File {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    /// What is not UTF-8 is replaced.
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything that .gitignore does not name, in the order of the paths.
pub(crate) fn files() -> Vec<File> {
    let ignored = fs::read_to_string(root().join(".gitignore")).expect(".gitignore is there");
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut found = Vec::new();
    walk(root(), &ignored, &mut found);
    found.sort();
    found.iter().map(|path| read(path)).collect()
}

/// Rust that ships: neither tests nor benchmarks.
pub(crate) fn production_files() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs") && !is_test(&file.path)).collect()
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"))
}

fn walk(folder: &Path, ignored: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("a folder's entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == ".git" || ignored.contains(&name.as_str()) {
            continue;
        }
        if !path.is_dir() {
            found.push(path);
        } else if !name.starts_with('.') || HIDDEN.contains(&name.as_str()) {
            walk(&path, ignored, found);
        }
    }
}

fn read(path: &Path) -> File {
    let relative = path.strip_prefix(root()).expect("a file lies below the root");
    let bytes = fs::read(path).expect("a file can be read");
    File {
        path: relative.to_string_lossy().replace('\\', "/"),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}
