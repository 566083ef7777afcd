//! What few jobs ask for: to wait for others, to be tried again, and what their tasks run.

use std::time::Duration;

use clap::Args;
use offpeak::v1::{Dependency, DependencyCondition, Job, JobSpec, Payload, RetryPolicy};

use super::{
    human, output,
    table::{Cell, Tone},
};

/// When a job and its tasks run, and again.
#[derive(Args, Debug)]
pub(crate) struct When {
    /// Wait until this job has succeeded; may be repeated
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    after: Vec<String>,
    /// Wait until this job has ended, however; may be repeated
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    after_end: Vec<String>,
    /// How often a task that failed is tried again
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    retries: u32,
    /// How often a task that ran longer than --max-runtime is tried again
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    timeout_retries: u32,
    /// A task that is evicted more often fails [default: no limit]
    #[arg(long, value_name = "N")]
    max_evictions: Option<u32>,
    /// A task whose node is lost more often fails [default: no limit]
    #[arg(long, value_name = "N")]
    max_node_losses: Option<u32>,
    /// How long a task waits before the first retry; twice as long before each further one [default: 10s]
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    backoff: Option<Duration>,
    /// The longest such wait [default: 10m]
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    max_backoff: Option<Duration>,
}

/// What tasks run.
#[derive(Args, Debug)]
pub(crate) struct Program {
    /// As many tasks, and what {index} is for each: FIRST-LAST or FIRST-LAST:STEP
    #[arg(long, value_parser = parse_array, value_name = "RANGE", conflicts_with = "count")]
    array: Option<Array>,
    /// What the tasks run in, such as a container's image
    #[arg(long)]
    image: Option<String>,
    /// A variable for the tasks; may be repeated
    #[arg(long = "env", short = 'e', value_parser = human::parse_pair, value_name = "NAME=VALUE")]
    environment: Vec<(String, String)>,
    /// The program and its arguments, after --; {index}, {count}, {job}, {tenant} and {attempt} are filled in
    #[arg(last = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// Indices of tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Array {
    first: u32,
    step: u32,
    count: u32,
}

impl When {
    fn retry(&self) -> Option<RetryPolicy> {
        let policy = RetryPolicy {
            max_failures: self.retries,
            max_timeouts: self.timeout_retries,
            max_evictions: self.max_evictions,
            max_node_losses: self.max_node_losses,
            backoff: self.backoff.map(human::to_wire),
            max_backoff: self.max_backoff.map(human::to_wire),
        };
        (policy != RetryPolicy::default()).then_some(policy)
    }

    /// Adds what was asked for to a description.
    pub(crate) fn describe(&self, spec: &mut JobSpec) {
        let on = |condition: DependencyCondition| {
            move |job: &String| Dependency { job: job.clone(), condition: condition.into() }
        };
        let after = self.after.iter().map(on(DependencyCondition::Success));
        let after_end = self.after_end.iter().map(on(DependencyCondition::End));
        spec.dependencies = after.chain(after_end).collect();
        spec.retry = self.retry();
    }
}

impl Program {
    /// Adds what was asked for to a description.
    pub(crate) fn describe(&self, spec: &mut JobSpec) {
        let mut payload = Payload {
            command: self.command.clone(),
            environment: self.environment.iter().cloned().collect(),
            image: self.image.clone().unwrap_or_default(),
            ..Payload::default()
        };
        if let Some(array) = self.array {
            spec.count = array.count;
            (payload.first_index, payload.index_step) = (array.first, array.step);
        }
        spec.payload = (payload != Payload::default()).then_some(payload);
    }
}

fn parse_array(text: &str) -> Result<Array, String> {
    let wrong = || format!("{text:?} is no range; write it like 1-100 or 0-90:10");
    if text.contains([',', '%']) {
        return Err(format!("{}; lists and limits are not supported", wrong()));
    }
    let (range, step) = text.split_once(':').unwrap_or((text, "1"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let (first, last, step) = (number(first)?, number(last)?, number(step)?);
    if last < first || step == 0 {
        return Err(wrong());
    }
    let count = ((last - first) / step).checked_add(1).ok_or_else(wrong)?;
    Ok(Array { first, step, count })
}

/// What is shown of it, as far as it was asked for.
pub(crate) fn details(job: &Job) -> Vec<(&'static str, Cell)> {
    let spec = job.spec.clone().unwrap_or_default();
    let mut details: Vec<(&'static str, Cell)> = Vec::new();
    if !spec.dependencies.is_empty() {
        let after = spec.dependencies.iter().map(|dependency| match dependency.condition() {
            DependencyCondition::End => format!("{} (however it ends)", dependency.job),
            _ => dependency.job.clone(),
        });
        details.push(("After", after.collect::<Vec<_>>().join(", ").into()));
    }
    if let Some(retry) = &spec.retry {
        details.push(("Retries", retries(retry).into()));
    }
    if let Some(time) = &job.next_retry_time {
        details.push(("Next retry", human::time(Some(time)).into()));
    }
    if let Some(payload) = &spec.payload {
        details.extend(program(payload));
    }
    details.extend(output::annotations(&spec.annotations));
    if !job.end_reason.is_empty() {
        details.push(("Ended because", Cell::toned(job.end_reason.clone(), Tone::Bad)));
    }
    details
}

fn retries(retry: &RetryPolicy) -> String {
    let limit = |limit: Option<u32>| limit.map_or("any number of".to_owned(), |n| n.to_string());
    format!(
        "{} of failures, {} of timeouts, {} evictions, {} node losses; waits {} up to {}",
        retry.max_failures,
        retry.max_timeouts,
        limit(retry.max_evictions),
        limit(retry.max_node_losses),
        human::wire_span(retry.backoff.as_ref()),
        human::wire_span(retry.max_backoff.as_ref()),
    )
}

fn program(payload: &Payload) -> Vec<(&'static str, Cell)> {
    let mut details: Vec<(&'static str, Cell)> = Vec::new();
    let words: Vec<String> = payload
        .command
        .iter()
        .chain(&payload.arguments)
        .map(|word| word.escape_debug().to_string())
        .collect();
    if !words.is_empty() {
        details.push(("Command", words.join(" ").into()));
    }
    if !payload.image.is_empty() {
        details.push(("Image", payload.image.as_str().into()));
    }
    for (index, (name, value)) in payload.environment.iter().enumerate() {
        let row = if index == 0 { "Environment" } else { "" };
        details.push((row, format!("{name}={}", value.escape_debug()).into()));
    }
    if (payload.first_index, payload.index_step.max(1)) != (0, 1) {
        let (first, step) = (payload.first_index, payload.index_step.max(1));
        details.push(("Indices", format!("from {first} in steps of {step}").into()));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::{Array, parse_array};

    #[test]
    fn a_range_is_both_ends_and_a_step() {
        let array = |first, step, count| Ok(Array { first, step, count });
        assert_eq!(parse_array("1-100"), array(1, 1, 100));
        assert_eq!(parse_array("0-15:4"), array(0, 4, 4));
        assert_eq!(parse_array("7"), array(7, 1, 1));
        for wrong in ["", "5-1", "1-10:0", "1-10%2", "1,2", "a-b", "-1-3", "0-4294967295"] {
            assert!(parse_array(wrong).is_err(), "{wrong}");
        }
    }
}
