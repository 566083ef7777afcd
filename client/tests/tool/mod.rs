//! The command line tool as a process of its own.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use expect_test::Expect;
use tempfile::TempDir;

/// A tool with a home of its own.
pub(crate) struct Tool {
    pub(crate) endpoint: String,
    home: TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Tool {
    pub(crate) fn at(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), home: TempDir::new().expect("a folder") }
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offpeak"));
        command
            .env_clear()
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("OFFPEAK_ENDPOINT", &self.endpoint)
            .args(arguments.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it off this runtime's thread, on which the fake answers.
    pub(crate) async fn run(&self, arguments: &str) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output());
        output.await.expect("no panic").expect("it runs").into()
    }

    pub(crate) async fn run_with_input(&self, arguments: &str, input: &str) -> Ran {
        let mut command = self.command(arguments);
        let input = input.to_owned();
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.stdin(Stdio::piped()).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(input.as_bytes())?;
            }
            child.wait_with_output()
        });
        output.await.expect("no panic").expect("it runs").into()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    pub(crate) fn prints(&self, expected: &Expect) -> &Self {
        expected.assert_eq(&self.stdout);
        self
    }

    pub(crate) fn complains(&self, expected: &Expect) -> &Self {
        expected.assert_eq(&self.stderr);
        self
    }

    pub(crate) fn ends_with(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
    }
}
