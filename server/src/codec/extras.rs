//! What few jobs ask for, and what their tasks have been through.

use std::sync::Arc;

use offpeak_core::model::{
    Annotations, Dependency, JobExtras, JobId, Millis, Payload, RetryPolicy, TaskIndex, Time, Tries,
};

use super::{
    CodecError,
    codes::{condition, condition_code},
    format,
    model::{label, name},
};

pub(super) fn annotations(annotations: &Annotations) -> Vec<format::Pair> {
    let pairs = annotations.iter();
    pairs
        .map(|(key, text)| format::Pair { key: key.to_string(), value: text.to_string() })
        .collect()
}

pub(super) fn annotations_back(pairs: &[format::Pair]) -> Result<Annotations, CodecError> {
    pairs.iter().map(|pair| Ok((label(&pair.key)?, pair.value.as_str().into()))).collect()
}

impl From<&JobExtras> for format::Extras {
    fn from(extras: &JobExtras) -> Self {
        Self {
            retry: extras.retry.as_ref().map(Into::into),
            dependencies: extras.dependencies.iter().map(Into::into).collect(),
            payload: extras.payload.as_ref().map(Into::into),
            annotations: annotations(&extras.annotations),
        }
    }
}

impl TryFrom<format::Extras> for JobExtras {
    type Error = CodecError;

    fn try_from(message: format::Extras) -> Result<Self, CodecError> {
        let dependencies = message.dependencies.iter().map(TryInto::try_into);
        Ok(Self {
            retry: message.retry.map(Into::into),
            dependencies: dependencies.collect::<Result<_, _>>()?,
            payload: message.payload.map(Into::into),
            annotations: annotations_back(&message.annotations)?,
        })
    }
}

impl From<&RetryPolicy> for format::RetryPolicy {
    fn from(retry: &RetryPolicy) -> Self {
        Self {
            failures: retry.failures,
            timeouts: retry.timeouts,
            evictions: retry.evictions,
            node_losses: retry.node_losses,
            backoff_ms: retry.backoff.0,
            max_backoff_ms: retry.max_backoff.0,
        }
    }
}

impl From<format::RetryPolicy> for RetryPolicy {
    fn from(message: format::RetryPolicy) -> Self {
        Self {
            failures: message.failures,
            timeouts: message.timeouts,
            evictions: message.evictions,
            node_losses: message.node_losses,
            backoff: Millis(message.backoff_ms),
            max_backoff: Millis(message.max_backoff_ms),
        }
    }
}

impl From<&Dependency> for format::Dependency {
    fn from(dependency: &Dependency) -> Self {
        Self {
            job: dependency.job.0,
            name: dependency.name.to_string(),
            condition: condition_code(dependency.condition),
        }
    }
}

impl TryFrom<&format::Dependency> for Dependency {
    type Error = CodecError;

    fn try_from(message: &format::Dependency) -> Result<Self, CodecError> {
        Ok(Self {
            job: JobId(message.job),
            name: name("job", &message.name)?,
            condition: condition(message.condition)?,
        })
    }
}

impl From<&Payload> for format::Payload {
    fn from(payload: &Payload) -> Self {
        let texts = |texts: &[Arc<str>]| texts.iter().map(|text| text.to_string()).collect();
        let pair = |(key, value): (&Arc<str>, &Arc<str>)| format::Pair {
            key: key.to_string(),
            value: value.to_string(),
        };
        Self {
            command: texts(&payload.command),
            arguments: texts(&payload.arguments),
            environment: payload.environment.iter().map(pair).collect(),
            image: payload.image.to_string(),
            first_index: payload.first_index,
            index_step: payload.index_step,
        }
    }
}

impl From<format::Payload> for Payload {
    fn from(message: format::Payload) -> Self {
        let texts = |texts: Vec<String>| texts.into_iter().map(Into::into).collect();
        let environment = message.environment.into_iter();
        Self {
            command: texts(message.command),
            arguments: texts(message.arguments),
            environment: environment.map(|pair| (pair.key.into(), pair.value.into())).collect(),
            image: message.image.into(),
            first_index: message.first_index,
            index_step: message.index_step,
        }
    }
}

pub(super) fn tries_message((job, task, tries): (JobId, TaskIndex, Tries)) -> format::Tries {
    format::Tries {
        job: job.0,
        task: task.0,
        failures: tries.failures,
        timeouts: tries.timeouts,
        evictions: tries.evictions,
        node_losses: tries.node_losses,
        until: tries.until.map(|time| time.0),
    }
}

pub(super) fn tries(message: &format::Tries) -> (JobId, TaskIndex, Tries) {
    let tries = Tries {
        failures: message.failures,
        timeouts: message.timeouts,
        evictions: message.evictions,
        node_losses: message.node_losses,
        until: message.until.map(Time),
    };
    (JobId(message.job), TaskIndex(message.task), tries)
}
