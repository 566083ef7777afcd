use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use offpeak_core::{
    command::{Command, LoadReport, Request, TaskOutcome, TaskReport},
    event::Event,
    model::{AllocationId, Millis, Name, NodeSpec, Resources, Time},
    state::State,
};

use super::input::{Inputs, JobRow, LoadSamples};

/// What becomes due outside the engine: tasks that have run their time, and owners' load.
pub(super) struct Timeline<'i> {
    origin: Time,
    nodes: &'i [NodeSpec],
    load: slice::Iter<'i, LoadSamples>,
    /// An entry whose allocation was taken back is found out when it is due.
    ends: BTreeSet<(Time, AllocationId)>,
    /// How long the tasks of each row run, by its name.
    runtimes: BTreeMap<Name, Millis>,
}

impl<'i> Timeline<'i> {
    pub(super) fn new(inputs: &'i Inputs, origin: Time) -> Self {
        let load = inputs.load.iter();
        let runs = |row: &JobRow| Some((row.name.clone(), row.runtime?));
        let runtimes = inputs.tasks.iter().filter_map(runs).collect();
        Self { origin, nodes: &inputs.nodes, load, ends: BTreeSet::new(), runtimes }
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Time> {
        let end = self.ends.first().map(|(time, _)| *time);
        let load = self.load.as_slice().first().map(|samples| self.origin.after(samples.at));
        [end, load].into_iter().flatten().min()
    }

    /// When placed tasks end; some were taken back since.
    pub(super) fn ends(&self) -> impl Iterator<Item = (Time, AllocationId)> {
        self.ends.iter().copied()
    }

    /// What is due: first the ends of tasks, then the load.
    pub(super) fn take_due(&mut self, now: Time, state: &State) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut reports = Vec::new();
        while let Some((_, id)) = self.ends.first().copied().filter(|(time, _)| *time <= now) {
            self.ends.pop_first();
            if state.allocation(id).is_some() {
                let outcome = TaskOutcome::Succeeded;
                reports.push(TaskReport { allocation: id, outcome, message: "".into() });
            }
        }
        if !reports.is_empty() {
            requests.push(ask(Command::ReportTasks(reports)));
        }
        while let Some(samples) = self.load.as_slice().first()
            && self.origin.after(samples.at) <= now
        {
            self.load.next();
            requests.push(ask(Command::ReportLoad(self.reports(samples))));
        }
        requests
    }

    fn reports(&self, samples: &LoadSamples) -> Vec<LoadReport> {
        let report = |(row, permille): &(usize, u64)| {
            let node = &self.nodes[*row];
            let used = Resources {
                cpu_millis: node.capacity.cpu_millis,
                memory_bytes: node.capacity.memory_bytes,
                ..Resources::default()
            };
            LoadReport { node: node.name.clone(), time: None, load: used.scale_permille(*permille) }
        };
        samples.permille.iter().map(report).collect()
    }

    /// Sets when placed tasks end.
    pub(super) fn follow(&mut self, event: &Event, now: Time, state: &State) {
        let Event::TasksPlaced { job, placements } = event else { return };
        // A job is kept long after its last task ended, so one that was just placed is there.
        let job = state.job(*job).expect("invariant: a placed job is kept");
        let Some(runtime) = self.runtimes.get(&job.name).copied() else { return };
        for placement in placements {
            let first = placement.allocation.0;
            let ids = first..first + u64::from(placement.count);
            self.ends.extend(ids.map(|id| (now.after(runtime), AllocationId(id))));
        }
    }
}

pub(super) fn ask(command: Command) -> Request {
    Request { command, request_id: None, validate_only: false }
}
