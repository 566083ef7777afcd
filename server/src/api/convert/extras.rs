//! What few jobs ask for: retries, dependencies, a payload; and annotations, of whatever.

use std::{collections::BTreeMap, sync::Arc};

use offpeak::v1;
use offpeak_core::model::{
    Annotations, Dependency, DependencyCondition, JobExtras, JobId, Millis, Payload, RetryPolicy,
};

use super::{
    objects::span,
    scalars::{MAX_LABELS, MAX_LIST, at_most, duration, key, name, within},
    violations::{At, Violations},
};

/// The most retries for one reason.
const MAX_RETRIES: u32 = 1_000;
/// The longest back-off, and the longest grace.
pub(super) const MAX_WAIT: Millis = Millis::DAY;

/// What few jobs ask for, if this one does.
pub(super) fn extras(
    violations: &mut Violations,
    at: &At<'_>,
    message: &v1::JobSpec,
) -> Option<Arc<JobExtras>> {
    let extras = JobExtras {
        retry: message
            .retry
            .as_ref()
            .and_then(|asked| retry(violations, &at.field("retry"), asked)),
        dependencies: dependencies(violations, &at.field("dependencies"), &message.dependencies),
        payload: message
            .payload
            .as_ref()
            .and_then(|asked| payload(violations, &at.field("payload"), asked)),
        annotations: annotations(violations, &at.field("annotations"), &message.annotations),
    };
    (extras != JobExtras::default()).then(|| Arc::new(extras))
}

/// Free text by key.
pub(super) fn annotations(
    violations: &mut Violations,
    at: &At<'_>,
    map: &BTreeMap<String, String>,
) -> Annotations {
    if map.is_empty() || !at_most(violations, at, map.len(), MAX_LABELS) {
        return Annotations::default();
    }
    let bytes = map.iter().map(|(key, text)| key.len() + text.len()).sum();
    bounded(violations, at, bytes, Annotations::MAX_BYTES);
    map.iter()
        .map(|(text, value)| (key(violations, &at.key(text), text), value.as_str().into()))
        .collect()
}

fn bounded(violations: &mut Violations, at: &At<'_>, bytes: usize, limit: usize) {
    if bytes > limit {
        violations.refuse(at, format_args!("has {bytes} bytes, more than the {limit} allowed"));
    }
}

/// A policy that says what holds anyway is none.
fn retry(
    violations: &mut Violations,
    at: &At<'_>,
    message: &v1::RetryPolicy,
) -> Option<RetryPolicy> {
    let (failures, timeouts) = (message.max_failures, message.max_timeouts);
    within(violations, &at.field("max_failures"), failures, (0, MAX_RETRIES));
    within(violations, &at.field("max_timeouts"), timeouts, (0, MAX_RETRIES));
    let backoff_at = at.field("backoff");
    let backoff = message.backoff.map(|asked| wait(violations, &backoff_at, asked));
    let backoff = backoff.unwrap_or(RetryPolicy::BACKOFF);
    let longest_at = at.field("max_backoff");
    let longest = message.max_backoff.map(|asked| wait(violations, &longest_at, asked));
    if longest.is_some_and(|longest| longest < backoff) {
        violations.refuse(&longest_at, "must not be less than backoff");
    }
    let policy = RetryPolicy {
        failures,
        timeouts,
        evictions: message.max_evictions,
        node_losses: message.max_node_losses,
        backoff,
        max_backoff: longest.unwrap_or(RetryPolicy::MAX_BACKOFF.max(backoff)),
    };
    let limits = policy.evictions.is_some() || policy.node_losses.is_some();
    (failures > 0 || timeouts > 0 || limits).then_some(policy)
}

/// A length of time that is not too long to wait for.
pub(super) fn wait(
    violations: &mut Violations,
    at: &At<'_>,
    asked: prost_types::Duration,
) -> Millis {
    let wait = duration(violations, at, asked);
    if wait > MAX_WAIT {
        violations.refuse(at, "must be at most 24 hours");
    }
    wait
}

fn dependencies(
    violations: &mut Violations,
    at: &At<'_>,
    messages: &[v1::Dependency],
) -> Vec<Dependency> {
    if messages.is_empty() || !at_most(violations, at, messages.len(), MAX_LIST) {
        return Vec::new();
    }
    let mut found: Vec<Dependency> = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let at = at.index(index);
        let job = name(violations, &at.field("job"), &message.job);
        if found.iter().any(|earlier| earlier.name == job) {
            violations.refuse(&at.field("job"), "is waited for twice");
        }
        let condition = condition(violations, &at.field("condition"), message.condition);
        found.push(Dependency { job: JobId(0), name: job, condition });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn condition(violations: &mut Violations, at: &At<'_>, number: i32) -> DependencyCondition {
    match v1::DependencyCondition::try_from(number) {
        Ok(v1::DependencyCondition::Unspecified | v1::DependencyCondition::Success) => {
            DependencyCondition::Success
        }
        Ok(v1::DependencyCondition::End) => DependencyCondition::End,
        Err(_) => {
            let allowed = [v1::DependencyCondition::Success, v1::DependencyCondition::End];
            let allowed = allowed.map(|value| value.as_str_name()).join(", ");
            violations.refuse(at, format_args!("has the value {number}; allowed are {allowed}"));
            DependencyCondition::Success
        }
    }
}

fn payload(violations: &mut Violations, at: &At<'_>, message: &v1::Payload) -> Option<Payload> {
    let lists = message.command.iter().chain(&message.arguments);
    let pairs = message.environment.iter().flat_map(|(name, value)| [name, value]);
    let texts = lists.chain(pairs).chain([&message.image]);
    // Each text counts for one byte more than it has, so that there are never too many empty ones.
    let bytes = texts.clone().map(|text| text.len() + 1).sum();
    bounded(violations, at, bytes, Payload::MAX_BYTES);
    if texts.clone().any(|text| text.contains('\0')) {
        violations.refuse(at, "has a text with a zero byte, which no program can be given");
    }
    for variable in message.environment.keys() {
        if variable.is_empty() || variable.contains('=') {
            let at = at.field("environment");
            violations.refuse(&at.key(variable), "is no name of a variable");
        }
    }
    let shared = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
    let environment = message.environment.iter();
    let payload = Payload {
        command: shared(&message.command),
        arguments: shared(&message.arguments),
        environment: environment
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        image: message.image.as_str().into(),
        first_index: message.first_index,
        index_step: message.index_step.max(1),
    };
    (payload != Payload { index_step: 1, ..Payload::default() }).then_some(payload)
}

/// Annotations as a message.
pub(super) fn annotation_map(annotations: &Annotations) -> BTreeMap<String, String> {
    annotations.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect()
}

/// A retry policy as a message, its defaults filled in.
pub(super) fn retry_policy(retry: &RetryPolicy) -> v1::RetryPolicy {
    v1::RetryPolicy {
        max_failures: retry.failures,
        max_timeouts: retry.timeouts,
        max_evictions: retry.evictions,
        max_node_losses: retry.node_losses,
        backoff: Some(span(retry.backoff)),
        max_backoff: Some(span(retry.max_backoff)),
    }
}

/// A dependency as a message.
pub(super) fn dependency(dependency: &Dependency) -> v1::Dependency {
    let condition = match dependency.condition {
        DependencyCondition::Success => v1::DependencyCondition::Success,
        DependencyCondition::End => v1::DependencyCondition::End,
    };
    v1::Dependency { job: dependency.name.to_string(), condition: condition.into() }
}

/// A payload as it was given, or with each text made another one.
pub(crate) fn payload_message(payload: &Payload, each: impl Fn(&str) -> String) -> v1::Payload {
    let texts = |texts: &[Arc<str>]| texts.iter().map(|text| each(text)).collect();
    let environment = payload.environment.iter();
    v1::Payload {
        command: texts(&payload.command),
        arguments: texts(&payload.arguments),
        environment: environment.map(|(name, value)| (name.to_string(), each(value))).collect(),
        image: each(&payload.image),
        first_index: payload.first_index,
        index_step: payload.index_step,
    }
}
