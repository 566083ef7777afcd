//! What a command ends with when it does not succeed: a message, its causes, a hint and an exit code.

use std::{fmt::Write as _, io};

use offpeak_client::{Error, Violation};
use tonic::Code;

use super::table::{Tone, paint};

/// Exit codes; scripts may rely on them.
pub(crate) mod exit {
    pub(crate) const FAILURE: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const NOT_FOUND: u8 = 3;
    pub(crate) const DENIED: u8 = 4;
    pub(crate) const CONFLICT: u8 = 5;
    pub(crate) const PENDING: u8 = 6;
    pub(crate) const UNAVAILABLE: u8 = 7;
    pub(crate) const JOB_FAILED: u8 = 8;
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// Why a command failed, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    message: String,
    notes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), notes: Vec::new(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, message)
    }

    /// Ends the program at once and without a word, as when the reader of a pipe has left.
    fn silent() -> Self {
        Self::new(0, "")
    }

    /// Ends the program after Ctrl-C. Who pressed it knows why.
    pub(crate) fn interrupted() -> Self {
        Self::new(exit::INTERRUPTED, "")
    }

    /// Ends the program after differences were told, which is what was asked for.
    pub(crate) fn differs() -> Self {
        Self::new(exit::FAILURE, "")
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// A line below the message, unless it only says the same.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        let note = note.into();
        if note != self.message {
            self.notes.push(note);
        }
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says in front of the message what was being done.
    pub(crate) fn while_doing(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// As it is printed, with `error:` in front.
    pub(crate) fn render(&self, color: bool) -> String {
        let mut text = String::new();
        if self.message.is_empty() {
            return text;
        }
        let head = paint("error:", Tone::Bad, color);
        let _ = writeln!(text, "{head} {}", self.message);
        for note in &self.notes {
            let _ = writeln!(text, "  {note}");
        }
        if let Some(hint) = &self.hint {
            let head = paint("hint:", Tone::Good, color);
            let _ = writeln!(text, "{head} {hint}");
        }
        text
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent();
        }
        Self::new(exit::FAILURE, format!("cannot write the output: {error}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(exit_code(&error), error.to_string());
        if let Error::Refused(refusal) = &error {
            for violation in &refusal.fields {
                failure = failure.note(format!("{}: {}", violation.field, violation.description));
            }
            let told = |violation: &&Violation| violation.description == refusal.message;
            for violation in refusal.violations.iter().filter(|violation| !told(violation)) {
                failure = failure.note(format!("{}: {}", violation.subject, violation.description));
            }
        }
        match hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn exit_code(error: &Error) -> u8 {
    match (error, error.code()) {
        (Error::InvalidEndpoint { .. }, _) => exit::USAGE,
        (_, Code::NotFound) => exit::NOT_FOUND,
        (_, Code::PermissionDenied | Code::Unauthenticated) => exit::DENIED,
        (_, Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition) => exit::CONFLICT,
        (_, Code::Unavailable | Code::DeadlineExceeded) => exit::UNAVAILABLE,
        _ => exit::FAILURE,
    }
}

fn hint(error: &Error) -> Option<&'static str> {
    match (error, error.code()) {
        (Error::Unreachable { .. }, _) => Some(
            "start a server with `offpeakd serve`, or name another one with --endpoint or `offpeak context use`",
        ),
        (Error::Timeout { .. }, _) => Some("give it longer with --timeout"),
        (Error::Compacted { .. }, _) => {
            Some("begin at a later revision, or look at what exists with the list commands")
        }
        (_, Code::Aborted) => Some("it was changed meanwhile; run the command again"),
        (_, Code::Unimplemented) => {
            Some("the server does not know this call; it may be older than this tool")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use offpeak_client::Error;

    use super::{Failure, exit};

    #[test]
    fn an_unreachable_server_comes_with_a_way_out() {
        let failure = Failure::from(Error::Unreachable {
            endpoint: "http://127.0.0.1:7470".to_owned(),
            why: "Connection refused (os error 111)".to_owned(),
        });
        assert_eq!(failure.code, exit::UNAVAILABLE);
        expect![[r"
            error: cannot reach the server at http://127.0.0.1:7470: Connection refused (os error 111)
            hint: start a server with `offpeakd serve`, or name another one with --endpoint or `offpeak context use`
        "]]
        .assert_eq(&failure.render(false));
    }
}
