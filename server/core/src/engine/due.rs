//! What happens because its time has come.

use std::sync::Arc;

use super::{Engine, decide::task::failed, timers::Due};
use crate::{
    event::Event,
    model::{AllocationId, EvictionReason, JobId, Millis, NodeId, TaskEnd, TaskIndex},
};

/// Due entries that one step handles at most; the next step goes on.
const DUE_PER_STEP: usize = 50_000;

impl Engine {
    /// Handles everything that is due, as one commit.
    pub(super) fn run_due(&mut self) {
        self.turn_owners();
        for _ in 0..DUE_PER_STEP {
            let Some(due) = self.timers.pop(self.now) else { break };
            match due {
                Due::Eviction(allocation) => self.eviction_due(allocation),
                Due::Timeout(allocation) => self.timeout_due(allocation),
                Due::Retry(job, task) => self.retry_due(job, task),
                Due::Deadline(job) => self.touch_job(job),
                Due::Report(node) => self.report_due(node),
                Due::Forget(job) => self.forget_due(job),
                Due::ForgetRequests => self.forget_requests(),
                Due::Budget(tenant) => self.settle_budget(tenant),
                Due::Demand => self.look_at_demand(),
            }
        }
        self.unfinished |= self.timers.next().is_some_and(|time| time <= self.now);
        self.follow_up();
        self.commit();
    }

    fn eviction_due(&mut self, id: AllocationId) {
        let Some(allocation) = self.state.allocation(id) else { return };
        let Some(notice) = allocation.notice.filter(|notice| notice.deadline <= self.now) else {
            return;
        };
        self.emit(Event::taken_back(allocation, notice.reason, None));
    }

    fn timeout_due(&mut self, id: AllocationId) {
        let Some(allocation) = self.state.allocation(id) else { return };
        let at = allocation.at;
        let from = allocation.started().unwrap_or(allocation.placed);
        let limit = self.state.job(at.job).and_then(|job| job.spec.max_runtime);
        if limit.is_some_and(|limit| from.after(limit) <= self.now) {
            let end = TaskEnd::TimedOut;
            self.emit(failed(&self.state, self.now, allocation, end, Arc::default()));
        }
    }

    fn retry_due(&mut self, job: JobId, first: TaskIndex) {
        if self.state.tries(job, first).until.is_some_and(|until| until <= self.now) {
            self.emit(Event::TasksResumed { job, first, count: 1 });
        }
    }

    fn report_due(&mut self, id: NodeId) {
        let Some(node) = self.state.node(id) else { return };
        let Some(ttl) = node.spec.report_ttl.filter(|_| !node.lost) else { return };
        if node.last_report.max(self.since).after(ttl) > self.now {
            self.timers.expect_report(node, self.since);
            return;
        }
        self.emit(Event::NodeLost { id });
        self.evict_all(id, EvictionReason::NodeLost);
    }

    fn forget_due(&mut self, id: JobId) {
        let Some(job) = self.state.job(id) else { return };
        if self.timers.forget_later(&self.state, job, self.now) {
            return;
        }
        let tenant = self.state.tenant(job.tenant).map(|tenant| tenant.spec.name.clone());
        let tenant = tenant.expect("invariant: a kept job has a tenant");
        self.emit(Event::JobForgotten { id, tenant, name: job.name.clone() });
    }

    /// Forgets answers that are older than they need be, in steps of up to a minute so that this is rare.
    fn forget_requests(&mut self) {
        let policy = self.state.policy();
        let surplus = (self.state.remembered_count() as u64).saturating_sub(policy.request_limit);
        let retention = policy.request_retention.0;
        let horizon = Millis(retention - Millis::MINUTE.0.min(retention / 16));
        let mut through = None;
        let mut next = None;
        for (count, (_, remembered)) in (0..).zip(self.state.remembered_by_age()) {
            if count >= surplus && self.now.since(remembered.time) < horizon {
                next = Some(remembered.time.after(policy.request_retention));
                break;
            }
            through = Some(remembered.revision);
        }
        if let Some(through) = through {
            self.emit(Event::RequestsForgotten { through });
        }
        if let Some(next) = next {
            self.timers.forget_requests_at(next);
        }
    }
}
