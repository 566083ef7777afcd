//! What events demand: room for owners, the end of jobs, the fate of gangs.

use std::mem;

use super::Engine;
use crate::{
    event::Event,
    model::{
        Allocation, AllocationId, EvictionReason, JobId, NodeId, Notice, Owner, TaskEnd, TaskPhase,
        Time,
    },
};

impl Engine {
    /// Remembers what an event may have consequences for.
    pub(super) fn touch(&mut self, event: &Event) {
        match event {
            Event::PolicyChanged(_) => {
                let nodes = self.state.nodes().map(|node| (node.id, false));
                self.touched_nodes.extend(nodes);
            }
            Event::OwnerUpdated { .. }
            | Event::WindowsRenewed { .. }
            | Event::OwnerTurned { .. } => {
                let owner = event.owner().and_then(|name| self.state.owner(name));
                for node in owner.into_iter().flat_map(Owner::nodes) {
                    self.touched_nodes.entry(node).or_default();
                }
            }
            Event::NoticeWithdrawn { at } => {
                self.touched_nodes.entry(at.node).or_default();
            }
            Event::NodeUpdated { id, .. } => {
                self.touched_nodes.entry(*id).or_default();
            }
            Event::LoadReported { samples } => {
                self.touched_nodes.extend(samples.iter().map(|sample| (sample.node, true)));
            }
            Event::ForecastMade { bounds } => {
                for found in bounds {
                    self.touched_nodes.entry(found.node).or_default();
                }
            }
            Event::TaskEnded { at, .. } => {
                self.touch_job(at.job);
            }
            Event::TaskEvicted { at, reason } => {
                self.touch_job(at.job);
                self.evicted.insert(at.job, *reason);
            }
            Event::TasksDropped { job, .. } => {
                self.touch_job(*job);
            }
            Event::JobResized { id, .. } => {
                self.touch_job(*id);
            }
            _ => {}
        }
    }

    /// Draws the consequences of all events since the last call.
    pub(super) fn follow_up(&mut self) {
        for (node, reported) in mem::take(&mut self.touched_nodes) {
            self.reclaim(node, reported);
        }
        for (job, reason) in mem::take(&mut self.evicted) {
            self.notice_gang(job, reason, None);
        }
        while !self.touched_jobs.is_empty() {
            let mut jobs = mem::take(&mut self.touched_jobs);
            jobs.sort_unstable();
            jobs.dedup();
            jobs.drain(..).for_each(|job| self.settle_job(job));
            if self.touched_jobs.is_empty() {
                self.touched_jobs = jobs;
            }
        }
    }

    fn touch_job(&mut self, job: JobId) {
        if self.touched_jobs.last() != Some(&job) {
            self.touched_jobs.push(job);
        }
    }

    /// Drops pending tasks whose deadline has passed and ends the job if nothing of it is left.
    fn settle_job(&mut self, id: JobId) {
        let Some(job) = self.state.job(id).filter(|job| job.ended.is_none()) else { return };
        if job.counts.pending > 0 && job.spec.deadline.is_some_and(|deadline| deadline <= self.now)
        {
            self.drop_pending(id, TaskEnd::MissedDeadline);
        }
        let job = self.state.job(id).expect("invariant: it was just there");
        if let Some(state) = job.final_state() {
            self.emit(Event::JobEnded { id, state });
        }
    }

    /// Ends all pending tasks of a job.
    pub(super) fn drop_pending(&mut self, id: JobId, end: TaskEnd) {
        let Some(job) = self.state.job(id) else { return };
        for (first, count) in job.pending_runs(u32::MAX) {
            self.emit(Event::TasksDropped { job: id, first, count, end });
        }
    }

    /// Takes everything on a node back at once.
    pub(super) fn evict_all(&mut self, node: NodeId, reason: EvictionReason) {
        let node = self.state.node(node).expect("invariant: whoever evicts has seen the node");
        let mut ids = node.allocations.clone();
        ids.sort_unstable();
        for id in ids {
            let at = self.state.allocation(id).expect("invariant: it is live").at;
            self.emit(Event::TaskEvicted { at, reason });
        }
    }

    /// Announces the eviction of an allocation and, if it is of a gang, of the whole gang. Whoever is under notice
    /// already keeps the earlier deadline.
    pub(super) fn give_notice(&mut self, id: AllocationId, reason: EvictionReason, deadline: Time) {
        let Some(allocation) = self.state.allocation(id).copied() else { return };
        self.announce(&allocation, Notice { reason, deadline });
        self.notice_gang(allocation.at.job, reason, Some(deadline));
    }

    /// A gang goes as a whole: announces the eviction of what is left of it.
    fn notice_gang(&mut self, job: JobId, reason: EvictionReason, deadline: Option<Time>) {
        let Some(job) = self.state.job(job).filter(|job| job.spec.gang) else { return };
        let standard = self.now.after(job.spec.notice.unwrap_or(self.state.policy().notice));
        let notice = Notice { reason, deadline: deadline.unwrap_or(standard) };
        let placed: Vec<AllocationId> = job
            .tasks
            .iter()
            .filter_map(|task| match task.phase {
                TaskPhase::Placed(id) => Some(id),
                _ => None,
            })
            .collect();
        for id in placed {
            let allocation = *self.state.allocation(id).expect("invariant: a placed task is live");
            self.announce(&allocation, notice);
        }
    }

    fn announce(&mut self, allocation: &Allocation, notice: Notice) {
        if allocation.notice.is_none_or(|old| notice.deadline < old.deadline) {
            self.emit(Event::NoticeGiven { at: allocation.at, notice });
        }
    }
}
