//! How placing, ending and evicting change tasks, nodes and tenants.

use std::sync::Arc;

use super::State;
use crate::{
    event::Placement,
    model::{
        Allocation, AllocationId, AllocationRef, JobId, Notice, Task, TaskCounts, TaskEnd,
        TaskIndex, TaskPhase,
    },
};

impl State {
    pub(super) fn place(&mut self, id: JobId, placements: &[Placement]) {
        let total: u32 = placements.iter().map(|placement| placement.count).sum();
        self.leave_pending(id, total);
        self.held(id, i64::from(total));
        for placement in placements {
            for offset in 0..placement.count {
                let at = AllocationRef {
                    id: AllocationId(placement.allocation.0 + u64::from(offset)),
                    job: id,
                    task: TaskIndex(placement.task.0 + offset),
                    node: placement.node,
                };
                let task = self.job_mut(id).task_mut(at.task);
                assert_eq!(task.phase, TaskPhase::Pending, "invariant: a placed task was pending");
                task.attempts += 1;
                let attempt = task.attempts;
                let placed = self.now;
                self.insert_allocation(Allocation {
                    at,
                    attempt,
                    devices: placement.devices,
                    placed,
                    started: None,
                    notice: None,
                    slot: 0,
                });
            }
        }
        let job = self.job_mut(id);
        if let (Some(first), Some(last)) = (placements.first(), placements.last())
            && first.task == job.first_pending
            && last.task.0 + last.count - first.task.0 == total
        {
            job.first_pending = TaskIndex(last.task.0 + last.count);
        }
    }

    /// Also for recovery: the allocation's node and task learn of it, its tenant does not.
    pub(super) fn insert_allocation(&mut self, mut allocation: Allocation) {
        let at = allocation.at;
        let job = self.job_mut(at.job);
        job.task_mut(at.task).phase = TaskPhase::Placed(at.id);
        job.counts.placed += 1;
        job.counts.running += u32::from(allocation.started.is_some());
        let spec = Arc::clone(&job.spec);
        let node = self.node_mut(at.node);
        node.lent = node.lent.saturating_add(&spec.request);
        if allocation.notice.is_some() {
            node.noticed = node.noticed.saturating_add(&spec.request);
        }
        node.devices.hold(allocation.devices, spec.request.gpu_millis);
        allocation.slot =
            u32::try_from(node.allocations.len()).expect("invariant: fewer than 2^32");
        node.allocations.push(at.id);
        self.next_allocation = self.next_allocation.max(at.id.next());
        self.allocations.insert(at.id.0, allocation);
    }

    /// For recovery: those tasks of the job whose allocations were inserted do not wait.
    pub(super) fn settle_placed(&mut self, id: JobId) {
        let job = self.job_mut(id);
        let placed = job.counts.placed;
        if placed == 0 {
            return;
        }
        let pending = |task: &Task| task.phase == TaskPhase::Pending;
        if let Some(first) = (0..).zip(&job.tasks).find(|(_, task)| pending(task)) {
            job.first_pending = TaskIndex(first.0);
        }
        self.leave_pending(id, placed);
        self.held(id, i64::from(placed));
    }

    pub(super) fn start(&mut self, id: AllocationId) {
        let now = self.now;
        let allocation = self.allocations.get_mut(id.0).expect("invariant: it is live");
        allocation.started = Some(now);
        let job = allocation.at.job;
        self.job_mut(job).counts.running += 1;
    }

    /// Ends an allocation; its task is left for the caller.
    pub(super) fn release(&mut self, at: &AllocationRef) {
        let allocation = self.allocations.remove(at.id.0).expect("invariant: it is live");
        let job = self.job_mut(at.job);
        job.counts.placed -= 1;
        job.counts.running -= u32::from(allocation.started.is_some());
        let spec = Arc::clone(&job.spec);
        let node = self.node_mut(at.node);
        node.lent = node.lent.saturating_sub(&spec.request);
        if allocation.notice.is_some() {
            node.noticed = node.noticed.saturating_sub(&spec.request);
        }
        node.devices.release(allocation.devices, spec.request.gpu_millis);
        node.allocations.swap_remove(allocation.slot as usize);
        if let Some(moved) = node.allocations.get(allocation.slot as usize).copied() {
            let moved = self.allocations.get_mut(moved.0).expect("invariant: it is live");
            moved.slot = allocation.slot;
        }
        self.held(at.job, -1);
    }

    pub(super) fn end_task(&mut self, id: JobId, task: TaskIndex, end: TaskEnd) {
        let job = self.job_mut(id);
        job.task_mut(task).phase = TaskPhase::Ended(end);
        *counter(&mut job.counts, end) += 1;
        self.want(id, -1);
    }

    pub(super) fn drop_tasks(&mut self, id: JobId, first: TaskIndex, count: u32, end: TaskEnd) {
        self.leave_pending(id, count);
        let job = self.job_mut(id);
        for index in first.0..first.0 + count {
            job.task_mut(TaskIndex(index)).phase = TaskPhase::Ended(end);
        }
        *counter(&mut job.counts, end) += count;
        if job.first_pending == first {
            job.first_pending = TaskIndex(first.0 + count);
        }
        self.want(id, -i64::from(count));
    }

    pub(super) fn give_notice(&mut self, at: &AllocationRef, notice: Option<Notice>) {
        let allocation = self.allocations.get_mut(at.id.0).expect("invariant: it is live");
        let had = allocation.notice.is_some();
        allocation.notice = notice;
        let request = self.job_mut(at.job).spec.request.clone();
        let node = self.node_mut(at.node);
        match (had, notice.is_some()) {
            (false, true) => node.noticed = node.noticed.saturating_add(&request),
            (true, false) => node.noticed = node.noticed.saturating_sub(&request),
            _ => {}
        }
    }

    pub(super) fn evict(&mut self, at: &AllocationRef) {
        self.release(at);
        let job = self.job_mut(at.job);
        job.evictions += 1;
        job.task_mut(at.task).phase = TaskPhase::Pending;
        self.become_pending(at.job, at.task, 1);
    }
}

pub(super) fn counter(counts: &mut TaskCounts, end: TaskEnd) -> &mut u32 {
    match end {
        TaskEnd::Succeeded => &mut counts.succeeded,
        TaskEnd::Failed | TaskEnd::TimedOut | TaskEnd::MissedDeadline => &mut counts.failed,
        TaskEnd::Cancelled => &mut counts.cancelled,
    }
}
