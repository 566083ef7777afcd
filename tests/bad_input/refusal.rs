//! What every refusal has in common.

use std::sync::LazyLock;

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, ErrorDetails, StatusExt as _};

pub(crate) const INVALID_FIELD: &str = "INVALID_FIELD";

static DOCUMENTED: LazyLock<String> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ERRORS.md");
    std::fs::read_to_string(path).expect("docs/ERRORS.md is there")
});

/// Checks a refusal for all that does not depend on what was refused; what does is in the details.
pub(crate) fn check(status: &Status, code: Code, reason: &str) -> ErrorDetails {
    assert_eq!(status.code(), code, "{reason}: {}", status.message());
    let mut infos = Vec::new();
    for detail in status.get_error_details_vec() {
        if let ErrorDetail::ErrorInfo(info) = detail {
            infos.push(info);
        }
    }
    let [info] = infos.as_slice() else { panic!("one ErrorInfo, not {infos:?}") };
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "offpeak.dev"), "{status:?}");
    check_message(status.message());
    check_documented(code, reason);
    let details = status.get_error_details();
    let wrong_field = details.bad_request().is_some_and(|wrong| {
        wrong.field_violations.iter().all(|wrong| !wrong.field.is_empty())
            && !wrong.field_violations.is_empty()
    });
    assert_eq!(wrong_field, code == Code::InvalidArgument && reason != "MALFORMED_TIMEOUT");
    assert_eq!(details.precondition_failure().is_some(), code == Code::FailedPrecondition);
    assert_eq!(details.quota_failure().is_some(), reason == "QUOTA_EXCEEDED");
    assert_eq!(details.retry_info().is_some(), reason == "OVERLOADED");
    details
}

/// Says something, and quotes nothing that a terminal would obey.
fn check_message(message: &str) {
    assert!(message.len() > 10 && message.len() < 2_048, "{message:?}");
    let printable = |c: char| c.is_alphanumeric() || (' '..='~').contains(&c);
    assert!(message.chars().all(printable), "{message:?}");
}

/// The section of the reason, or the chapter that it stands in, names the code.
fn check_documented(code: Code, reason: &str) {
    let heading = format!("\n### `{reason}`\n");
    let at = DOCUMENTED.find(&heading).unwrap_or_else(|| panic!("{reason} is documented"));
    let (before, section) = (&DOCUMENTED[..at], &DOCUMENTED[at + heading.len()..]);
    let section = section.split("\n#").next().unwrap_or_default();
    let chapter = before.rsplit("\n## ").next().unwrap_or_default();
    let chapter = chapter.split("\n### ").next().unwrap_or_default();
    let name = format!("`{}`", upper_snake(&format!("{code:?}")));
    assert!(section.contains(&name) || chapter.contains(&name), "{reason} is documented as {name}");
}

fn upper_snake(camel: &str) -> String {
    let mut name = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
