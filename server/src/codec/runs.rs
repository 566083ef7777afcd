//! Runs: placements of one job, and like tasks of one job, as flat lists of small numbers.
//!
//! A placement is four numbers, five with devices:
//! 1. how far its first task is from the task after the placement before (zigzag),
//! 2. twice its count, and one more if devices follow,
//! 3. how far its node is from the node before (zigzag),
//! 4. how far its first allocation is from the one after the placement before (zigzag),
//! 5. its devices.
//!
//! So what is placed in order takes a byte each for the first two and the last, and one to three for the node.

use offpeak_core::{
    event::{Placement, PlacementReason},
    model::{AllocationId, DeviceSet, NodeId, Task, TaskIndex, TaskPhase},
};

use super::{
    CodecError,
    codes::{end, end_code, placement_reason, placement_reason_code},
    columns::narrow,
};

/// Where a placement is expected.
#[derive(Default)]
struct Expected {
    task: u64,
    node: u64,
    allocation: u64,
}

impl Expected {
    fn after(placement: &Placement) -> Self {
        Self {
            task: u64::from(placement.task.0) + u64::from(placement.count),
            node: u64::from(placement.node.0),
            allocation: placement.allocation.0.wrapping_add(u64::from(placement.count)),
        }
    }
}

pub(super) fn placements_to_runs(placements: &[Placement]) -> Vec<u64> {
    let mut runs = Vec::with_capacity(4 * placements.len());
    let mut expected = Expected::default();
    for placement in placements {
        let devices = !placement.devices.is_empty();
        runs.push(zigzag(u64::from(placement.task.0), expected.task));
        runs.push(u64::from(placement.count) << 1 | u64::from(devices));
        runs.push(zigzag(u64::from(placement.node.0), expected.node));
        runs.push(zigzag(placement.allocation.0, expected.allocation));
        if devices {
            runs.push(placement.devices.0);
        }
        expected = Expected::after(placement);
    }
    runs
}

pub(super) fn placements_from_runs(runs: &[u64]) -> Result<Vec<Placement>, CodecError> {
    let mut placements = Vec::with_capacity(runs.len() / 4);
    let mut expected = Expected::default();
    let mut rest = runs;
    while let [task, count, node, allocation, tail @ ..] = rest {
        let devices = if count & 1 == 1 { tail.first().copied() } else { Some(0) };
        let placement = Placement {
            task: TaskIndex(narrow("a task's index", unzigzag(*task, expected.task))?),
            count: narrow("a number of tasks", count >> 1)?,
            node: NodeId(narrow("a node's id", unzigzag(*node, expected.node))?),
            allocation: AllocationId(unzigzag(*allocation, expected.allocation)),
            devices: DeviceSet(devices.ok_or(CodecError::Columns("placements"))?),
            reason: PlacementReason::Unknown,
        };
        rest = if count & 1 == 1 { &tail[1..] } else { tail };
        expected = Expected::after(&placement);
        placements.push(placement);
    }
    if !rest.is_empty() {
        return Err(CodecError::Columns("placements"));
    }
    Ok(placements)
}

/// Why placements are where they are, as pairs: a reason, and how many in a row have it.
pub(super) fn reasons_to_runs(placements: &[Placement]) -> Vec<u32> {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for placement in placements {
        let code = placement_reason_code(placement.reason);
        match runs.last_mut() {
            Some([last, len]) if *last == code => *len += 1,
            _ => runs.push([code, 1]),
        }
    }
    if let [[0, _]] = runs.as_slice() { Vec::new() } else { runs.into_flattened() }
}

/// Says why the placements are where they are, if that is on record.
pub(super) fn set_reasons(placements: &mut [Placement], runs: &[u32]) -> Result<(), CodecError> {
    let (runs, rest) = runs.as_chunks::<2>();
    let total: u64 = runs.iter().map(|[_, len]| u64::from(*len)).sum();
    if !rest.is_empty() || !runs.is_empty() && total != placements.len() as u64 {
        return Err(CodecError::Columns("reasons"));
    }
    let mut placements = placements.iter_mut();
    for [code, len] in runs {
        let reason = placement_reason(*code)?;
        let alike = placements.by_ref().take(*len as usize);
        alike.for_each(|placement| placement.reason = reason);
    }
    Ok(())
}

/// How a task stands that is delayed; no end of a task has this number.
const DELAYED: u32 = 100;

/// Tasks as triples: how many, how often placed, how ended (0: not, 100: not and delayed). Placed tasks count as pending.
pub(super) fn tasks_to_runs(tasks: impl IntoIterator<Item = Task>) -> Vec<u32> {
    let mut runs: Vec<[u32; 3]> = Vec::new();
    for task in tasks {
        let code = match task.phase {
            TaskPhase::Pending | TaskPhase::Placed(_) => 0,
            TaskPhase::Delayed => DELAYED,
            TaskPhase::Ended(end) => end_code(end),
        };
        match runs.last_mut() {
            Some([len, attempts, last]) if (*attempts, *last) == (task.attempts, code) => *len += 1,
            _ => runs.push([1, task.attempts, code]),
        }
    }
    runs.into_flattened()
}

/// The `count` tasks of a job.
pub(super) fn tasks_from_runs(runs: &[u32], count: u32) -> Result<Vec<Task>, CodecError> {
    let (runs, rest) = runs.as_chunks::<3>();
    let total: u64 = runs.iter().map(|[len, ..]| u64::from(*len)).sum();
    if !rest.is_empty() || total != u64::from(count) {
        return Err(CodecError::Columns("tasks"));
    }
    let mut tasks = Vec::with_capacity(count as usize);
    for [len, attempts, code] in runs {
        let phase = match *code {
            0 => TaskPhase::Pending,
            DELAYED => TaskPhase::Delayed,
            code => TaskPhase::Ended(end(code)?),
        };
        tasks.resize(tasks.len() + *len as usize, Task { phase, attempts: *attempts });
    }
    Ok(tasks)
}

/// The difference as a small number whichever its sign.
fn zigzag(value: u64, before: u64) -> u64 {
    let difference = value.wrapping_sub(before).cast_signed();
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

fn unzigzag(number: u64, before: u64) -> u64 {
    let difference = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
    before.wrapping_add_signed(difference)
}
