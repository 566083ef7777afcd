use std::{collections::BTreeMap, io::Read};

use offpeak_core::{forecast::Share, model::Millis};
use serde::Deserialize;

use super::{
    BacktestError,
    history::{History, LoadRow},
};

/// The label with the metric's name, which says nothing of the node.
const METRIC: &str = "__name__";

/// The answer to a range query: the API's envelope, its data, or the result alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Whole { data: Data },
    Data(Data),
    Result(Vec<Series>),
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// Seconds since the epoch, and a number as text.
    values: Vec<(f64, String)>,
}

/// Reads the load from the answer to a range query, a series a node.
pub(super) fn read(file: &str, text: impl Read, step: Millis) -> Result<History, BacktestError> {
    let refused = |what: String| BacktestError::Json { file: file.to_owned(), what };
    let answer = serde_json::from_reader(text).map_err(|error| refused(error.to_string()))?;
    let (Answer::Whole { data: Data { result } }
    | Answer::Data(Data { result })
    | Answer::Result(result)) = answer;
    let names: Vec<String> = result.iter().map(|series| name_of(&series.metric)).collect();
    if let Some(twice) = first_twice(&names) {
        return Err(refused(format!("two series are called {twice:?}")));
    }
    let mut rows: BTreeMap<u64, Vec<Option<Share>>> = BTreeMap::new();
    for (node, series) in result.iter().enumerate() {
        for (time, value) in &series.values {
            let wrong = |what| refused(format!("{} at {time}: {value:?} {what}", names[node]));
            let Some(load) = load_of(value).map_err(wrong)? else { continue };
            let row = rows.entry(step_of(*time, step).ok_or_else(|| wrong("has no time"))?);
            let cell = &mut row.or_insert_with(|| vec![None; names.len()])[node];
            *cell = (*cell).max(Some(load));
        }
    }
    if rows.is_empty() {
        return Err(refused("it has no samples".to_owned()));
    }
    let rows = rows.into_iter().map(|(step, loads)| LoadRow { step, loads }).collect();
    Ok(History { step, names, rows })
}

/// What tells a series apart: its labels but the metric's name.
fn name_of(metric: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = metric
        .iter()
        .filter(|(label, _)| *label != METRIC)
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    match (labels.as_slice(), metric.get(METRIC)) {
        ([], name) => name.map_or("node", String::as_str).to_owned(),
        _ => labels.join(","),
    }
}

fn first_twice(names: &[String]) -> Option<&String> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// The step whose beginning is nearest.
fn step_of(seconds: f64, step: Millis) -> Option<u64> {
    let millis = seconds * 1_000.0;
    if !(0.0..1e16).contains(&millis) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range")]
    let millis = millis as u64;
    Some((millis + step.0 / 2) / step.0)
}

/// A fraction of capacity, rounded up; what is no number is no sample.
fn load_of(text: &str) -> Result<Option<Share>, &'static str> {
    let fraction: f64 = text.parse().map_err(|_| "is not a number")?;
    if !fraction.is_finite() {
        return Ok(None);
    }
    if fraction < 0.0 {
        return Err("is less than nothing");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let permille = (fraction.min(1.0) * 1_000.0 - 1e-9).ceil() as u64;
    Ok(Some(Share::permille(permille)))
}
