use std::{fs::File, io};

use offpeak_core::model::{DeviceSet, Time};

use super::{
    input::Inputs,
    ledger::{Standing, TaskRecord},
    report::eviction,
    run::{End, ORIGIN},
};
use crate::reason::sentence;

const HEADER: [&str; 6] = ["task", "node", "gpus", "time_s", "outcome", "reason"];

/// Writes a line for each task, in the order of the tasks file.
pub(super) fn write(out: File, inputs: &Inputs, end: &End) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(HEADER)?;
    for (row, (asked, record)) in inputs.tasks.iter().zip(&end.ledger.rows).enumerate() {
        for (index, task) in record.tasks.iter().enumerate() {
            let name = match record.tasks.len() {
                1 => asked.name.to_string(),
                _ => format!("{}/{index}", asked.name),
            };
            let node =
                task.place.map_or("", |place| inputs.nodes[place.node.0 as usize].name.as_str());
            let gpus = task.place.map(|place| devices(place.devices)).unwrap_or_default();
            let time = task.place.map(|place| seconds(place.time)).unwrap_or_default();
            let reason = reason(end, row, task);
            out.write_record([&name, node, &gpus, &time, outcome(task.standing), &reason])?;
        }
    }
    out.flush()
}

fn devices(devices: DeviceSet) -> String {
    let indices: Vec<String> = devices.iter().map(|index| index.to_string()).collect();
    indices.join("|")
}

/// Since the beginning, as decimal as it has to be.
fn seconds(time: Time) -> String {
    let millis = time.since(ORIGIN).0;
    match millis % 1000 {
        0 => (millis / 1000).to_string(),
        rest => format!("{}.{rest:03}", millis / 1000).trim_end_matches('0').to_owned(),
    }
}

fn outcome(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::Placed => "placed",
        Standing::Evicted(_) => "evicted",
        Standing::Succeeded => "succeeded",
        Standing::MissedDeadline => "missed_deadline",
        Standing::Refused => "refused",
    }
}

/// Why the task waits, if it does, or why it never ran.
fn reason(end: &End, row: usize, task: &TaskRecord) -> String {
    match task.standing {
        Standing::Placed | Standing::Succeeded => String::new(),
        Standing::Pending => waits_for(end, row),
        Standing::Evicted(reason) => format!("{}. {}", eviction(reason), waits_for(end, row)),
        Standing::MissedDeadline => "was not placed by its deadline".to_owned(),
        Standing::Refused => {
            end.ledger.rows[row].refusal.as_ref().map(ToString::to_string).unwrap_or_default()
        }
    }
}

fn waits_for(end: &End, row: usize) -> String {
    let reasons = &end.reasons[&end.mix.of_row[row]];
    let sentences: Vec<String> = reasons.iter().map(sentence).collect();
    sentences.join(". ")
}

#[cfg(test)]
mod tests {
    use offpeak_core::model::Millis;

    use super::{ORIGIN, seconds};

    #[test]
    fn seconds_have_the_decimals_that_they_need() {
        let written = [0, 1_000, 90_250, 5, 1_230_000].map(|ms| seconds(ORIGIN.after(Millis(ms))));
        assert_eq!(written, ["0", "1", "90.25", "0.005", "1230"]);
    }
}
