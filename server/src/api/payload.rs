//! What a task runs: its job's payload with the placeholders filled in.

use offpeak::v1;
use offpeak_core::{
    model::{Allocation, Payload},
    state::State,
};

use super::convert::payload_message;

/// What stands for the placeholders of a task.
struct Values<'a> {
    index: u64,
    count: u32,
    job: &'a str,
    tenant: &'a str,
    attempt: u32,
}

/// The payload of a live allocation's task and its index, if its job has a payload.
///
/// # Panics
/// When the allocation is not of this state.
pub(super) fn of_task(state: &State, allocation: &Allocation) -> Option<(v1::Payload, u64)> {
    let job = state.job(allocation.at.job).expect("invariant: a live allocation has a job");
    let tenant = state.tenant(job.tenant).expect("invariant: a job has a tenant");
    let payload = job.spec.payload()?;
    let values = Values {
        index: index(payload, allocation.at.task.0),
        count: job.spec.count,
        job: job.name.as_str(),
        tenant: tenant.spec.name.as_str(),
        attempt: state.attempt_of(allocation),
    };
    let filled = payload_message(payload, |text| values.fill(text));
    Some((v1::Payload { first_index: 0, index_step: 0, ..filled }, values.index))
}

fn index(payload: &Payload, task: u32) -> u64 {
    u64::from(payload.first_index) + u64::from(payload.index_step) * u64::from(task)
}

impl Values<'_> {
    /// The text with what its placeholders stand for. One in two pairs of braces stands for itself in one.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let name = |text: &str| text.split_once('}').map(|(name, _)| name.to_owned());
            let quoted = rest.strip_prefix("{{").and_then(name);
            let quoted = quoted.filter(|name| self.value(name).is_some());
            if let Some(name) = quoted.filter(|name| rest[name.len() + 2..].starts_with("}}")) {
                filled.push_str(&rest[1..name.len() + 3]);
                rest = &rest[name.len() + 4..];
                continue;
            }
            let plain = rest.strip_prefix('{').and_then(name);
            match plain.and_then(|name| Some((self.value(&name)?, name.len() + 2))) {
                Some((value, len)) => {
                    filled.push_str(&value);
                    rest = &rest[len..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "index" => self.index.to_string(),
            "count" => self.count.to_string(),
            "job" => self.job.to_owned(),
            "tenant" => self.tenant.to_owned(),
            "attempt" => self.attempt.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Values;

    fn filled(text: &str) -> String {
        let values = Values { index: 7, count: 100, job: "render", tenant: "acme", attempt: 2 };
        values.fill(text)
    }

    #[test]
    fn placeholders_are_filled_in_wherever_they_stand() {
        assert_eq!(filled("{index}/{count}"), "7/100");
        assert_eq!(filled("--out={tenant}-{job}.{attempt}.png"), "--out=acme-render.2.png");
        assert_eq!(filled(""), "");
    }

    #[test]
    fn other_braces_mean_nothing() {
        for text in ["{}", "{Index}", "${HOME}", r#"{"a": {"b": 1}}"#, "{index", "index}", "{{x}}"]
        {
            assert_eq!(filled(text), text);
        }
        assert_eq!(filled(r#"{"frame": {index}}"#), r#"{"frame": 7}"#);
        assert_eq!(filled("{{{index}"), "{{7");
    }

    #[test]
    fn doubled_braces_stand_for_the_placeholder_itself() {
        assert_eq!(filled("{{index}} is {index}"), "{index} is 7");
        assert_eq!(filled("{{index}"), "{7");
    }
}
