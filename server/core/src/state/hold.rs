//! How placing, ending and evicting change tasks, nodes and tenants. Each object that an event changes is looked up once.

use std::sync::Arc;

use super::{
    RunTimes, State, Waiting,
    apply::{job_mut, node_mut, tenant_mut},
    tenancy::{charge, charge_above, charge_one},
};
use crate::{
    billing::Held,
    event::Placement,
    model::{
        Allocation, AllocationId, AllocationRef, EvictionReason, Job, JobId, Notice, Preemptor,
        Resources, TaskCounts, TaskEnd, TaskIndex, TaskPhase, Tenant, Time, Usage,
    },
    table::Table,
};

impl State {
    pub(super) fn place(&mut self, id: JobId, placements: &[Placement]) {
        let clock = self.clock();
        let job = job_mut(&mut self.jobs, id);
        let total: u32 = placements.iter().map(|placement| placement.count).sum();
        leave_pending(job, total, &mut self.waiting);
        job.counts.placed += total;
        charge(&mut self.tenants, job.tenant, clock, |usage| {
            usage.held.add(&job.spec.request, u64::from(total));
            usage.held_tasks += u64::from(total);
        });
        let now = self.now;
        for placement in placements {
            let Placement { task: first_task, count, node, allocation: first, devices, .. } =
                *placement;
            job.tasks.place(first_task, count, first);
            let request = &job.spec.request;
            let holder = node_mut(&mut self.nodes, node);
            holder.lent.add(request, u64::from(count));
            holder.devices.hold(devices, request.gpu_millis);
            holder.add_allocations(first, count);
            self.allocations.insert_run(first.0, count, |allocation| {
                let offset = allocation - first.0;
                let task = u64::from(first_task.0) + offset;
                let task = TaskIndex(u32::try_from(task).expect("invariant: the job has it"));
                let at = AllocationRef { id: AllocationId(allocation), job: id, task, node };
                Allocation::new(at, devices, now)
            });
            let next = AllocationId(first.0 + u64::from(count));
            self.next_allocation = self.next_allocation.max(next);
        }
        if let (Some(first), Some(last)) = (placements.first(), placements.last())
            && first.task == job.first_pending
            && last.task.0 + last.count - first.task.0 == total
        {
            job.first_pending = TaskIndex(last.task.0 + last.count);
        }
    }

    /// For recovery: the allocation's node and task learn of it, its tenant does not.
    pub(super) fn insert_allocation(&mut self, allocation: Allocation) {
        let at = allocation.at;
        let job = job_mut(&mut self.jobs, at.job);
        job.tasks.set(at.task, TaskPhase::Placed(at.id));
        job.counts.placed += 1;
        job.counts.running += u32::from(allocation.started().is_some());
        let request = &job.spec.request;
        let node = node_mut(&mut self.nodes, at.node);
        node.lent.add(request, 1);
        node.noticed += u32::from(allocation.notice.is_some());
        node.devices.hold(allocation.devices, request.gpu_millis);
        node.add_allocations(at.id, 1);
        self.next_allocation = self.next_allocation.max(at.id.next());
        self.allocations.insert(at.id.0, allocation);
    }

    /// For recovery: those tasks of the job whose allocations were inserted do not wait.
    pub(super) fn settle_placed(&mut self, id: JobId) {
        let job = job_mut(&mut self.jobs, id);
        let placed = job.counts.placed;
        if placed == 0 {
            return;
        }
        if let [(first, _)] = job.tasks.pending_runs(TaskIndex(0), 1)[..] {
            job.first_pending = first;
        }
        leave_pending(job, placed, &mut self.waiting);
        charge(&mut self.tenants, job.tenant, None, |usage| {
            usage.held.add(&job.spec.request, u64::from(placed));
            usage.held_tasks += u64::from(placed);
        });
    }

    pub(super) fn start(&mut self, at: &AllocationRef) {
        let allocation = self.allocations.get_mut(at.id.0).expect("invariant: it is live");
        allocation.start(self.now);
        job_mut(&mut self.jobs, at.job).counts.running += 1;
    }

    pub(super) fn end_task(&mut self, at: &AllocationRef, end: TaskEnd) {
        self.forget_tries(at.job, at.task, 1);
        let Released { job, requested, ran, run_times, .. } = self.release(at, 1);
        run_times.observe(job, at.task, end, ran);
        job.tasks.set(at.task, TaskPhase::Ended(end));
        *counter(&mut job.counts, end) += 1;
        requested.remove(&job.spec.request, 1);
    }

    pub(super) fn evict(&mut self, at: &AllocationRef, reason: EvictionReason) {
        if reason == EvictionReason::Preempted
            && let Some(by) = self.preemptors.get(&at.id).cloned()
        {
            self.preempted.insert(at.job, (by, self.now));
        }
        let Released { job, waiting, .. } = self.release(at, 0);
        job.evictions = job.evictions.saturating_add(1);
        job.tasks.set(at.task, TaskPhase::Pending);
        become_pending(job, at.task, 1, waiting);
        if job.spec.retry().is_some() {
            self.count_eviction(at, reason);
        }
    }

    /// Ends an allocation, after which its tenant asks for so many tasks less. What becomes of its task is left for the
    /// caller.
    pub(super) fn release(&mut self, at: &AllocationRef, ends: u64) -> Released<'_> {
        let clock = self.clock();
        if !self.preemptors.is_empty() {
            self.preemptors.remove(&at.id);
        }
        let allocation = self.allocations.remove(at.id.0).expect("invariant: it is live");
        let job = job_mut(&mut self.jobs, at.job);
        job.counts.placed -= 1;
        job.counts.running -= u32::from(allocation.started().is_some());
        let request = &job.spec.request;
        let node = node_mut(&mut self.nodes, at.node);
        node.lent.remove(request, 1);
        node.noticed -= u32::from(allocation.notice.is_some());
        node.devices.release(allocation.devices, request.gpu_millis);
        node.remove_allocation(at.id);
        let tenant = tenant_mut(&mut self.tenants, job.tenant);
        let held = Held::of(job, node, allocation.placed);
        let rate = self.accounts.rate(&held);
        self.accounts.book(&held, &rate, &tenant.spec.name, self.now);
        if self.accounts.has_moves() {
            let oldest = node.allocations.first().and_then(|id| self.allocations.get(id.0));
            self.accounts.forget_move(node.id, oldest.map(|oldest| oldest.placed));
        }
        if let Some(spending) = &mut tenant.spending {
            let less = |now: u128| now.saturating_sub(rate.charged);
            spending.change(tenant.spec.budget.period, self.now, less);
        }
        let change = |usage: &mut Usage| {
            usage.held.remove(request, 1);
            usage.held_tasks -= 1;
            usage.requested.remove(request, ends);
            usage.requested_tasks -= ends;
        };
        let above = charge_one(tenant, clock, change);
        charge_above(&mut self.tenants, above, clock, change);
        Released {
            job,
            waiting: &mut self.waiting,
            requested: &mut self.requested,
            ran: (allocation.placed, self.now),
            run_times: &mut self.run_times,
        }
    }

    pub(super) fn drop_tasks(
        &mut self,
        id: JobId,
        (first, count): (TaskIndex, u32),
        delayed: bool,
        end: TaskEnd,
    ) {
        self.forget_tries(id, first, count);
        let job = job_mut(&mut self.jobs, id);
        let from = if delayed { TaskPhase::Delayed } else { TaskPhase::Pending };
        job.tasks.shift((first, count), from, TaskPhase::Ended(end));
        if delayed {
            job.counts.delayed -= count;
        } else {
            leave_pending(job, count, &mut self.waiting);
        }
        *counter(&mut job.counts, end) += count;
        if job.first_pending == first && !delayed {
            job.first_pending = TaskIndex(first.0 + count);
        }
        let (request, tasks) = (&job.spec.request, u64::from(count));
        self.requested.remove(request, tasks);
        charge(&mut self.tenants, job.tenant, None, |usage| {
            usage.requested.remove(request, tasks);
            usage.requested_tasks -= tasks;
        });
    }

    pub(super) fn give_notice(
        &mut self,
        at: &AllocationRef,
        notice: Option<Notice>,
        by: Option<&Arc<Preemptor>>,
    ) {
        if let Some(by) = by {
            self.preemptors.insert(at.id, Arc::clone(by));
        } else if !self.preemptors.is_empty() {
            self.preemptors.remove(&at.id);
        }
        let allocation = self.allocations.get_mut(at.id.0).expect("invariant: it is live");
        let had = allocation.notice.is_some();
        allocation.notice = notice;
        let node = node_mut(&mut self.nodes, at.node);
        node.noticed = node.noticed + u32::from(notice.is_some()) - u32::from(had);
    }
}

/// Whom else the end of an allocation concerns.
pub(super) struct Released<'a> {
    pub(super) job: &'a mut Job,
    waiting: &'a mut Waiting,
    requested: &'a mut Resources,
    /// From when until when it was held.
    ran: (Time, Time),
    run_times: &'a mut RunTimes,
}

impl Waiting {
    pub(super) fn add(&mut self, request: &Resources, tasks: u64) {
        self.resources.add(request, tasks);
        self.tasks += tasks;
    }

    fn remove(&mut self, request: &Resources, tasks: u64) {
        self.resources.remove(request, tasks);
        self.tasks -= tasks;
    }
}

/// Counts tasks as pending that were something else or nothing.
pub(super) fn become_pending(job: &mut Job, first: TaskIndex, count: u32, waiting: &mut Waiting) {
    let had_none = job.counts.pending == 0;
    job.first_pending = if had_none { first } else { job.first_pending.min(first) };
    job.counts.pending += count;
    waiting.jobs += u64::from(had_none);
    waiting.add(&job.spec.request, u64::from(count));
}

/// Counts tasks as not pending that were.
pub(super) fn leave_pending(job: &mut Job, count: u32, waiting: &mut Waiting) {
    job.counts.pending -= count;
    waiting.jobs -= u64::from(job.counts.pending == 0);
    waiting.remove(&job.spec.request, u64::from(count));
}

/// Counts pending tasks of the job as asked for by its tenant.
pub(super) fn ask(tenants: &mut Table<Tenant>, job: &Job, tasks: u64) {
    charge(tenants, job.tenant, None, |usage| {
        usage.requested.add(&job.spec.request, tasks);
        usage.requested_tasks += tasks;
    });
}

pub(super) fn counter(counts: &mut TaskCounts, end: TaskEnd) -> &mut u32 {
    match end {
        TaskEnd::Succeeded => &mut counts.succeeded,
        TaskEnd::Failed | TaskEnd::TimedOut | TaskEnd::MissedDeadline | TaskEnd::Evicted => {
            &mut counts.failed
        }
        TaskEnd::Cancelled | TaskEnd::DependencyFailed => &mut counts.cancelled,
    }
}
