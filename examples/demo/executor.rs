//! Stands for the machines: starts tasks that were placed and ends them when their lifetime is over.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    error::Error,
};

use offpeak::v1::{ReportTasksRequest, TaskOutcome, TaskReport};
use offpeak_client::Client;

use crate::jobs::Arrivals;

/// Reports in one request.
const BATCH: usize = 5000;

#[derive(Default)]
pub(crate) struct Executor {
    /// By tenant and job.
    lifetimes_ms: BTreeMap<(String, String), Vec<u64>>,
    starting: Vec<u64>,
    /// When and which allocation ends.
    ending: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Executor {
    pub(crate) fn new(arrivals: &Arrivals) -> Self {
        let lifetimes_ms = arrivals.iter().map(|arrival| {
            let key = (arrival.tenant.to_owned(), arrival.name.clone());
            (key, arrival.lifetimes_ms.clone())
        });
        Self { lifetimes_ms: lifetimes_ms.collect(), ..Self::default() }
    }

    /// A task was placed; evicted before its end it starts over elsewhere.
    pub(crate) fn placed(&mut self, key: &(String, String), task: u32, id: u64, time_ms: u64) {
        self.starting.push(id);
        let lifetimes = self.lifetimes_ms.get(key);
        if let Some(lifetime) = lifetimes.and_then(|all| all.get(task as usize)) {
            self.ending.push(Reverse((time_ms + lifetime, id)));
        }
    }

    /// Tells the cell what started and what ended. Of allocations that were evicted meanwhile it wants to hear nothing.
    pub(crate) async fn report(
        &mut self,
        client: &Client,
        now_ms: u64,
    ) -> Result<(), Box<dyn Error>> {
        let report = |id: u64, outcome: TaskOutcome| TaskReport {
            allocation_id: id,
            outcome: outcome.into(),
            ..Default::default()
        };
        let starting = self.starting.drain(..);
        let mut reports: Vec<TaskReport> =
            starting.map(|id| report(id, TaskOutcome::Started)).collect();
        while let Some(Reverse((time_ms, id))) = self.ending.peek().copied() {
            if time_ms > now_ms {
                break;
            }
            self.ending.pop();
            reports.push(report(id, TaskOutcome::Succeeded));
        }
        for reports in reports.chunks(BATCH) {
            let reports = reports.to_vec();
            client.call(ReportTasksRequest { reports, ..Default::default() }).await?;
        }
        Ok(())
    }
}
