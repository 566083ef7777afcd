//! What events demand: room for owners, the end of jobs, the fate of gangs.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use super::Engine;
use crate::{
    event::Event,
    model::{
        Allocation, AllocationId, EvictionReason, Horizon, JobId, Name, NodeId, Notice, Owner,
        Preemptor, TaskEnd, Time,
    },
    state::State,
};

/// What may have changed of what an owner leaves on a node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Touched {
    /// Its load was just reported.
    pub(super) reported: bool,
    /// Before, all that is lent would have fitted for an hour.
    pub(super) had_room: bool,
}

/// Before the event that changes what the owner is expected to need is applied.
fn touch_owner(nodes: &mut BTreeMap<NodeId, Touched>, state: &State, id: NodeId, reported: bool) {
    let Some(node) = state.node(id) else { return };
    let touched = nodes.entry(id).or_insert_with(|| Touched {
        had_room: !node.exceeds(&node.lent, &node.devices, node.held_back.over(Horizon::Hour)),
        ..Touched::default()
    });
    touched.reported |= reported;
}

/// Remembers the owner of a node if it counts shortfalls.
fn touch_shortfall(touched: &mut BTreeSet<Name>, state: &State, node: NodeId) {
    let owner = state.node(node).and_then(|node| state.owner(&node.spec.owner));
    if let Some(owner) = owner.filter(|owner| owner.spec.shortfall_budget.is_some()) {
        touched.insert(owner.spec.name.clone());
    }
}

impl Engine {
    /// Remembers what an event may have consequences for.
    pub(super) fn touch(&mut self, event: &Event) {
        self.touch_budget(event);
        self.touch_quota(event);
        match event {
            Event::PolicyChanged(_) => {
                let nodes = self.state.nodes().map(|node| (node.id, Touched::default()));
                self.touched_nodes.extend(nodes);
            }
            Event::OwnerUpdated { .. }
            | Event::WindowsRenewed { .. }
            | Event::OwnerTurned { .. } => {
                let owner = event.owner().and_then(|name| self.state.owner(name));
                for node in owner.into_iter().flat_map(Owner::nodes) {
                    touch_owner(&mut self.touched_nodes, &self.state, node, false);
                }
                if let Event::OwnerUpdated { spec, .. } = event {
                    self.touched_owners.insert(spec.name.clone());
                }
            }
            Event::NoticeWithdrawn { at } => {
                self.touched_nodes.entry(at.node).or_default();
            }
            Event::NodeUpdated { id, .. } => {
                self.touched_nodes.entry(*id).or_default();
            }
            Event::LoadReported { samples } => {
                for sample in samples {
                    touch_shortfall(&mut self.touched_owners, &self.state, sample.node);
                    touch_owner(&mut self.touched_nodes, &self.state, sample.node, true);
                }
            }
            Event::ForecastMade { bounds } => {
                for found in bounds {
                    touch_owner(&mut self.touched_nodes, &self.state, found.node, false);
                }
            }
            Event::TaskEnded { at, .. } => {
                self.touch_job(at.job);
            }
            Event::TaskEvicted { at, reason, early, .. } => {
                self.touch_job(at.job);
                // Who goes before its notice ends shortens nobody else's: a gang is under notice as a whole.
                if early.is_none() {
                    self.evicted.insert(at.job, *reason);
                }
                self.note_tried(at);
            }
            Event::BudgetTurned { level, .. } if level.stops_new() => {
                self.scheduler.note_withdrawal();
            }
            Event::TasksDropped { job, .. } => {
                self.touch_job(*job);
                self.scheduler.note_withdrawal();
            }
            Event::JobUpdated { id, .. } => {
                self.scheduler.note_withdrawal();
                self.touch_job(*id);
            }
            Event::TasksResumed { job, .. } => {
                self.touch_job(*job);
            }
            Event::TasksDelayed { job, .. } => self.freed.push(*job),
            Event::JobEnded { id, .. } if self.state.has_dependents() => {
                self.freed.extend(self.state.dependents(*id));
            }
            Event::JobResized { id, .. } => {
                self.touch_job(*id);
            }
            _ => {}
        }
    }

    /// Draws the consequences of all events since the last call.
    pub(super) fn follow_up(&mut self) {
        loop {
            self.withdraw_preemptions();
            self.draw_consequences();
            if !self.scheduler.notes_withdrawal() {
                return;
            }
        }
    }

    fn draw_consequences(&mut self) {
        for owner in mem::take(&mut self.touched_owners) {
            self.curb_risk(owner);
        }
        self.settle_budgets();
        for (node, touched) in mem::take(&mut self.touched_nodes) {
            self.reclaim(node, touched);
        }
        self.settle_budgets();
        self.give_up();
        for (job, reason) in mem::take(&mut self.evicted) {
            self.notice_gang(job, reason, None, None);
        }
        while !self.touched_jobs.is_empty() || !self.freed.is_empty() {
            self.free_dependents();
            let mut jobs = mem::take(&mut self.touched_jobs);
            jobs.sort_unstable();
            jobs.dedup();
            jobs.drain(..).for_each(|job| self.settle_job(job));
            if self.touched_jobs.is_empty() {
                self.touched_jobs = jobs;
            }
        }
        self.settle_quotas();
    }

    /// Takes as much of an owner's risk as what is left of its shortfall budget allows.
    fn curb_risk(&mut self, name: Name) {
        let Some(owner) = self.state.owner(&name) else { return };
        let curb = owner.curb_due(self.now);
        if curb != owner.record.curb {
            self.emit(Event::RiskCurbed { owner: name, curb });
        }
    }

    pub(super) fn touch_job(&mut self, job: JobId) {
        if self.touched_jobs.last() != Some(&job) {
            self.touched_jobs.push(job);
        }
    }

    /// Drops pending tasks that may not start any more and ends the job if nothing of it is left.
    fn settle_job(&mut self, id: JobId) {
        let Some(job) = self.state.job(id).filter(|job| job.ended.is_none()) else { return };
        if job.waits() && job.spec.latest_start().is_some_and(|last| last <= self.now) {
            self.drop_waiting(id, TaskEnd::MissedDeadline);
        }
        let job = self.state.job(id).expect("invariant: it was just there");
        if let Some(state) = job.final_state() {
            self.emit(Event::JobEnded { id, state });
        }
    }

    /// Ends all pending and delayed tasks of a job.
    pub(super) fn drop_waiting(&mut self, id: JobId, end: TaskEnd) {
        let Some(job) = self.state.job(id) else { return };
        for (first, count, delayed) in job.tasks.waiting_runs() {
            self.emit(Event::TasksDropped { job: id, first, count, delayed, end });
        }
    }

    /// Takes everything on a node back at once.
    pub(super) fn evict_all(&mut self, node: NodeId, reason: EvictionReason) {
        let node = self.state.node(node).expect("invariant: whoever evicts has seen the node");
        let mut ids = node.allocations.clone();
        ids.sort_unstable();
        for id in ids {
            let allocation = self.state.allocation(id).expect("invariant: it is live");
            self.emit(Event::taken_back(allocation, reason, None));
        }
    }

    /// Announces the eviction of an allocation and, if it is of a gang, of the whole gang. Whoever is under notice
    /// already keeps the earlier deadline.
    pub(super) fn give_notice(
        &mut self,
        id: AllocationId,
        notice: Notice,
        by: Option<&Arc<Preemptor>>,
    ) {
        let Some(allocation) = self.state.allocation(id).copied() else { return };
        self.announce(&allocation, notice, by);
        self.notice_gang(allocation.at.job, notice.reason, Some(notice.deadline), by);
    }

    /// A gang goes as a whole: announces the eviction of what is left of it.
    fn notice_gang(
        &mut self,
        job: JobId,
        reason: EvictionReason,
        deadline: Option<Time>,
        by: Option<&Arc<Preemptor>>,
    ) {
        let Some(job) = self.state.job(job).filter(|job| job.spec.gang) else { return };
        let standard = self.now.after(job.spec.notice.unwrap_or(self.state.policy().notice));
        let notice = Notice { reason, deadline: deadline.unwrap_or(standard) };
        let placed: Vec<Allocation> = self.state.allocations_of(job).copied().collect();
        for allocation in placed {
            self.announce(&allocation, notice, by);
        }
    }

    fn announce(&mut self, allocation: &Allocation, notice: Notice, by: Option<&Arc<Preemptor>>) {
        let notice = notice.beside(allocation.notice);
        if allocation.notice != Some(notice) {
            self.emit(Event::NoticeGiven { at: allocation.at, notice, by: by.cloned() });
        }
    }
}
