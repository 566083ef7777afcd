//! Templates of jobs: a job's description with `${name}` where a parameter stands, and the parameters.
//!
//! What is filled in is text inside one value and never becomes structure. Every value of the API's JSON may be given as
//! text, but for truth, which is taken from text here.

use std::collections::BTreeMap;

use offpeak::v1::Job;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::Track;

use super::{
    apply::document::misfit,
    failure::{Failure, exit},
    json,
};

/// A template as its document has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    /// Always JobTemplate.
    #[serde(rename = "kind")]
    _kind: String,
    /// By name.
    #[serde(default)]
    parameters: BTreeMap<String, Option<Parameter>>,
    /// As in a document of kind Job.
    job: Value,
}

/// What is to be given on submission.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    /// For people.
    #[serde(default)]
    description: String,
    /// What holds if nothing is given; without one something must be.
    default: Option<Value>,
}

impl Template {
    /// The job with these values for its parameters. `place` is where the template stands, for messages.
    pub(crate) fn fill(&self, place: &str, given: &[(String, String)]) -> Result<Job, Failure> {
        let values = self.values(place, given)?;
        let mut job = self.job.clone();
        replace(&mut job, &values).map_err(|problem| {
            refuse(format!("{place}: {problem}"))
                .hint("a ${...} that is no parameter is written $${...}")
        })?;
        let descriptor = json::descriptor::<Job>();
        take_truth(&mut job, &descriptor);
        let mut track = Track::new();
        let reader = serde_path_to_error::Deserializer::new(job, &mut track);
        match DynamicMessage::deserialize(descriptor.clone(), reader) {
            Ok(message) => Ok(json::typed(&message)),
            Err(error) => {
                let place = format!("{place}: job");
                Err(misfit(&place, &descriptor, &track.path(), &error.to_string()))
            }
        }
    }

    /// The value of every parameter.
    fn values(
        &self,
        place: &str,
        given: &[(String, String)],
    ) -> Result<BTreeMap<&str, String>, Failure> {
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        for (name, parameter) in &self.parameters {
            let default = parameter.as_ref().and_then(|parameter| parameter.default.as_ref());
            if let Some(default) = default {
                let text = scalar(default).ok_or_else(|| {
                    refuse(format!("{place}: the default of {name} is neither text nor a number"))
                })?;
                values.insert(name, text);
            }
        }
        for (name, value) in given {
            let Some((known, _)) = self.parameters.get_key_value(name) else {
                let failure = refuse(format!("{place}: the template has no parameter {name:?}"));
                return Err(failure.hint(self.usage()));
            };
            values.insert(known, value.clone());
        }
        let missing: Vec<&str> = self
            .parameters
            .keys()
            .map(String::as_str)
            .filter(|name| !values.contains_key(name))
            .collect();
        if missing.is_empty() {
            return Ok(values);
        }
        let missing = missing.join(", ");
        Err(refuse(format!("{place}: no value for {missing}")).hint(self.usage()))
    }

    /// The parameters, for people.
    fn usage(&self) -> String {
        if self.parameters.is_empty() {
            return "it has no parameters".to_owned();
        }
        let each = self.parameters.iter().map(|(name, parameter)| {
            let nothing = Parameter::default();
            let parameter = parameter.as_ref().unwrap_or(&nothing);
            let told = match parameter.description.as_str() {
                "" => String::new(),
                description => format!(" ({description})"),
            };
            match parameter.default.as_ref().and_then(scalar) {
                Some(default) => format!("{name}={default}{told}"),
                None => format!("{name}{told}"),
            }
        });
        format!(
            "give it with --set NAME=VALUE; parameters: {}",
            each.collect::<Vec<_>>().join(", ")
        )
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Fills in every text, the keys of maps too.
fn replace(value: &mut Value, values: &BTreeMap<&str, String>) -> Result<(), String> {
    match value {
        Value::String(text) => *text = filled(text, values)?,
        Value::Array(items) => {
            for item in items {
                replace(item, values)?;
            }
        }
        Value::Object(map) => {
            for (key, mut item) in std::mem::take(map) {
                replace(&mut item, values)?;
                map.insert(filled(&key, values)?, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn filled(text: &str, values: &BTreeMap<&str, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, behind) = rest.split_at(at);
        let (name, after) = behind["${".len()..]
            .split_once('}')
            .ok_or_else(|| format!("{text:?} has a ${{ without its }}"))?;
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str(&behind[..behind.len() - after.len()]);
        } else {
            let value = values.get(name).ok_or_else(|| format!("{name:?} is no parameter"))?;
            filled.push_str(before);
            filled.push_str(value);
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Makes the texts true and false what they say where the API asks for truth.
fn take_truth(value: &mut Value, message: &MessageDescriptor) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        let Some(field) =
            message.get_field_by_json_name(key).or_else(|| message.get_field_by_name(key))
        else {
            continue;
        };
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| take_one(item, &field)),
            value => take_one(value, &field),
        }
    }
}

fn take_one(value: &mut Value, field: &FieldDescriptor) {
    match (field.kind(), &*value) {
        (Kind::Bool, Value::String(text)) => {
            if let Ok(truth) = text.parse() {
                *value = Value::Bool(truth);
            }
        }
        (Kind::Message(message), _) if !field.is_map() => take_truth(value, &message),
        _ => {}
    }
}

fn refuse(message: String) -> Failure {
    Failure::new(exit::FAILURE, message)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use offpeak::v1::Job;

    use crate::cli::{
        apply::document::{Parsed, parse_all},
        failure::Failure,
    };

    const TEMPLATE: &str = r#"
kind: JobTemplate
parameters:
  scene: {description: which scene to render}
  frames: {default: 100}
  together: {default: "false"}
job:
  tenant: acme
  name: render-${scene}
  spec:
    count: ${frames}
    gang: ${together}
    request: {cpuMillis: 1000}
    minRuntime: 60s
    payload:
      command: [sh, -c, "render $${HOME}/${scene} {index}"]
"#;

    fn fill(template: &str, given: &[(&str, &str)]) -> Result<Job, Failure> {
        let parsed = parse_all("test", template).expect("a template");
        let [Parsed::Template(place, template)] = parsed.as_slice() else { panic!("{parsed:?}") };
        let given: Vec<(String, String)> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        template.fill(place, &given)
    }

    #[test]
    fn parameters_are_filled_in_as_text_numbers_and_truth() {
        let job = fill(TEMPLATE, &[("scene", "forest"), ("together", "true")]).expect("a job");
        let spec = job.spec.expect("a spec");
        assert_eq!((job.name.as_str(), spec.count, spec.gang), ("render-forest", 100, true));
        assert_eq!(spec.payload.expect("a payload").command[2], "render ${HOME}/forest {index}");
    }

    #[test]
    fn a_value_never_becomes_structure() {
        let job =
            fill(TEMPLATE, &[("scene", "x\nspec: {count: 9}"), ("frames", "3")]).expect("a job");
        assert_eq!(job.name, "render-x\nspec: {count: 9}");
        assert_eq!(job.spec.expect("a spec").count, 3);
    }

    #[test]
    fn what_is_missing_or_unknown_is_told_with_what_would_do() {
        let refusals: String = [
            fill(TEMPLATE, &[]),
            fill(TEMPLATE, &[("scene", "a"), ("frame", "3")]),
            fill(TEMPLATE, &[("scene", "a"), ("frames", "many")]),
            fill("kind: JobTemplate\njob: {name: \"${home}\"}\n", &[]),
            fill("kind: JobTemplate\njob: {nam: a}\n", &[]),
        ]
        .into_iter()
        .map(|filled| filled.expect_err("not valid").render(false))
        .collect();
        expect![[r#"
            error: test:1: no value for scene
            hint: give it with --set NAME=VALUE; parameters: frames=100, scene (which scene to render), together=false
            error: test:1: the template has no parameter "frame"
            hint: give it with --set NAME=VALUE; parameters: frames=100, scene (which scene to render), together=false
            error: test:1: job: spec.count: invalid digit found in string
            error: test:1: "home" is no parameter
            hint: a ${...} that is no parameter is written $${...}
            error: test:1: job: unrecognized field name 'nam'
            hint: its fields are tenant, name, spec, id, state, tasks, evictions, createTime, endTime, revision, pendingReasons, reasonsRevision, plannedStart, lastPreemption, waitsFor, nextRetryTime, endReason, quote, cancelTime
        "#]].assert_eq(&refusals);
    }
}
