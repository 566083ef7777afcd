//! What becomes due when. Derived from the state; an entry that no longer holds is found out when it is due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    event::Event,
    model::{
        Allocation, AllocationId, Horizon, Job, JobId, Name, Node, NodeId, Owner, TaskIndex,
        TenantId, Time,
    },
    state::State,
};

/// Something that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A notice ends.
    Eviction(AllocationId),
    /// A task has run for its `max_runtime`.
    Timeout(AllocationId),
    /// A task has waited out its back-off.
    Retry(JobId, TaskIndex),
    /// Tasks of a job that have not been placed may not start any more.
    Deadline(JobId),
    /// A node should have reported.
    Report(NodeId),
    /// An ended job need not be kept.
    Forget(JobId),
    /// The oldest remembered answer need not be kept.
    ForgetRequests,
    /// A tenant may reach a limit of its budget, or a new period begins.
    Budget(TenantId),
    /// Prices follow demand: time to look how much is lent.
    Demand,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    entries: BTreeSet<(Time, Due)>,
    /// Ends of allocations. Apart, so that the first of them are found however much else is due before.
    ends: BTreeSet<(Time, Due)>,
    ended: Ended,
    /// When windows of owners begin or end to count. Apart, so that names do not make all other entries larger.
    turns: BTreeSet<(Time, Name)>,
    /// When budgets may turn; each stands among the entries at its time, and no later than it must.
    budgets: BTreeMap<TenantId, Time>,
}

/// When ended jobs need not be kept any more. All are kept equally long, so that they come in the order in which they
/// go, and cost less than in the set of all other entries.
#[derive(Clone, Debug, Default)]
struct Ended {
    /// Ascending by time, in any order at one time.
    later: VecDeque<(Time, JobId)>,
    /// Those of one time that has come, the first to go last.
    now: Vec<JobId>,
    time: Time,
}

impl Ended {
    /// Adds a job, unless it is out of order.
    fn add(&mut self, time: Time, job: JobId) -> bool {
        let in_order = self.later.back().is_none_or(|(last, _)| *last <= time);
        if in_order {
            self.later.push_back((time, job));
        }
        in_order
    }

    fn next(&self) -> Option<Time> {
        if self.now.is_empty() { Some(self.later.front()?.0) } else { Some(self.time) }
    }

    /// The next job whose time has come. It stays.
    fn first(&mut self, now: Time) -> Option<(Time, JobId)> {
        if self.now.is_empty() {
            self.time = self.later.front().map(|(time, _)| *time).filter(|time| *time <= now)?;
            while let Some((_, job)) = self.later.pop_front_if(|(time, _)| *time == self.time) {
                self.now.push(job);
            }
            self.now.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.now.last().map(|job| (self.time, *job))
    }
}

impl Timers {
    pub(super) fn new(state: &State, now: Time) -> Self {
        let mut timers = Self::default();
        for node in state.nodes() {
            timers.expect_report(node, now);
        }
        state.owners().for_each(|owner| timers.expect_turn(owner));
        state.tenants().for_each(|tenant| timers.expect_turn_of_budget(state, tenant.id, now));
        let mut jobs: Vec<&Job> = state.jobs_from(JobId(0)).collect();
        jobs.sort_by_key(|job| job.ended.map(|(time, _)| time));
        for job in jobs {
            timers.note_job(state, job);
        }
        for allocation in state.allocations_from(AllocationId(0)) {
            timers.ends.extend(timeout(state, allocation));
            timers.ends.extend(eviction(allocation));
        }
        for (job, task, tries) in state.all_tries() {
            timers.entries.extend(tries.until.map(|until| (until, Due::Retry(job, task))));
        }
        timers.look_at_demand(state, next_look(now));
        if let Some((_, oldest)) = state.remembered_by_age().next() {
            timers.forget_requests_at(oldest.time.after(state.policy().request_retention));
        }
        timers
    }

    /// Those of what can be foreseen: notices and deadlines that are set, windows and limits of budgets. Whether a node will report, nobody
    /// knows; and when a task ends is for whoever looks ahead to say.
    pub(super) fn foreseen(state: &State) -> Self {
        let mut timers = Self::default();
        state.owners().for_each(|owner| timers.expect_turn(owner));
        let now = state.now();
        state.tenants().for_each(|tenant| timers.expect_turn_of_budget(state, tenant.id, now));
        for job in state.jobs_from(JobId(0)).filter(|job| job.ended.is_none()) {
            timers.note_job(state, job);
        }
        for allocation in state.allocations_from(AllocationId(0)) {
            timers.ends.extend(eviction(allocation));
        }
        for (job, task, tries) in state.all_tries() {
            timers.entries.extend(tries.until.map(|until| (until, Due::Retry(job, task))));
        }
        timers
    }

    pub(super) fn next(&self) -> Option<Time> {
        let entry = self.first_entry().map(|(time, _)| time);
        let turn = self.turns.first().map(|(time, _)| *time);
        entry.into_iter().chain(self.ended.next()).chain(turn).min()
    }

    /// The next of what has no place of its own, and of the ends of allocations.
    fn first_entry(&self) -> Option<(Time, Due)> {
        let end = self.ends.first();
        self.entries.first().into_iter().chain(end).min().copied()
    }

    /// Whether any owner turns at a known time.
    pub(super) fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Owners in the order in which they turn.
    pub(super) fn owners_turning(&self, limit: usize) -> impl Iterator<Item = &Name> {
        self.turns.iter().take(limit).map(|(_, owner)| owner)
    }

    /// Allocations of which the end is known, the next first.
    pub(super) fn allocations_ending(&self, limit: usize) -> impl Iterator<Item = AllocationId> {
        self.ends.iter().take(limit).filter_map(|(_, due)| match due {
            Due::Eviction(id) | Due::Timeout(id) => Some(*id),
            _ => None,
        })
    }

    /// The next owner that may turn, taken out.
    pub(super) fn pop_turn(&mut self, now: Time) -> Option<Name> {
        self.turns.first().filter(|(time, _)| *time <= now)?;
        self.turns.pop_first().map(|(_, owner)| owner)
    }

    fn expect_turn(&mut self, owner: &Owner) {
        let turn = owner.next_turn().map(|time| (time, owner.spec.name.clone()));
        self.turns.extend(turn);
    }

    /// The next entry that is due, taken out.
    pub(super) fn pop(&mut self, now: Time) -> Option<Due> {
        let entry = self.first_entry().filter(|(time, _)| *time <= now);
        let ended = self.ended.first(now).map(|(time, job)| (time, Due::Forget(job)));
        if ended.is_some() && entry.is_none_or(|entry| ended < Some(entry)) {
            return self.ended.now.pop().map(Due::Forget);
        }
        let entry = entry?;
        if !self.ends.remove(&entry) {
            self.entries.remove(&entry);
        }
        if let (_, Due::Budget(tenant)) = entry {
            self.budgets.remove(&tenant);
        }
        Some(entry.1)
    }

    /// Sets when the budget of a tenant may turn next, unless it is looked at sooner.
    pub(super) fn expect_turn_of_budget(&mut self, state: &State, id: TenantId, now: Time) {
        let Some(tenant) = state.tenant(id) else { return };
        let Some(spending) = &tenant.spending else { return };
        let turn = spending.next_turn(&tenant.spec.budget, tenant.budget_level, now);
        let Some(turn) = turn else { return };
        let known = self.budgets.get(&id).copied();
        if known.is_some_and(|known| known <= turn) {
            return;
        }
        if let Some(known) = known {
            self.entries.remove(&(known, Due::Budget(id)));
        }
        self.budgets.insert(id, turn);
        self.entries.insert((turn, Due::Budget(id)));
    }

    /// What runs on a node may cost more than it did.
    fn reprice(&mut self, state: &State, node: &Node) {
        let running = node.allocations.iter().filter_map(|id| state.allocation(*id));
        let jobs = running.filter_map(|allocation| state.job(allocation.at.job));
        let tenants: BTreeSet<TenantId> = jobs.map(|job| job.tenant).collect();
        for tenant in tenants {
            self.expect_turn_of_budget(state, tenant, state.now());
        }
    }

    pub(super) fn expect_report(&mut self, node: &Node, since: Time) {
        if let Some(ttl) = node.spec.report_ttl.filter(|_| !node.lost) {
            self.entries.insert((node.last_report.max(since).after(ttl), Due::Report(node.id)));
        }
    }

    /// Sets when to look how much is lent, if prices follow that.
    pub(super) fn look_at_demand(&mut self, state: &State, time: Time) {
        let newest = state.accounts().books().newest();
        if newest.is_some_and(|newest| !newest.book.demand.is_empty()) {
            self.entries.insert((time, Due::Demand));
        }
    }

    pub(super) fn forget_requests_at(&mut self, time: Time) {
        self.entries.insert((time, Due::ForgetRequests));
    }

    /// Takes out what an allocation that is about to end was waiting for, and when an owner that is about to change would
    /// have turned.
    pub(super) fn before(&mut self, state: &State, event: &Event) {
        if let Some(owner) = event.owner().and_then(|name| state.owner(name))
            && let Some(turn) = owner.next_turn()
        {
            self.turns.remove(&(turn, owner.spec.name.clone()));
        }
        if let Event::JobUpdated { id, .. } = event {
            for entry in timeouts(state, *id) {
                self.ends.remove(&entry);
            }
        }
        let (Event::TaskEnded { at, .. }
        | Event::TaskEvicted { at, .. }
        | Event::TaskDelayed { at, .. }) = event
        else {
            return;
        };
        let allocation = state.allocation(at.id).expect("invariant: it is live");
        for end in [timeout(state, allocation), eviction(allocation)].into_iter().flatten() {
            self.ends.remove(&end);
        }
    }

    /// Sets what an applied event makes due later.
    pub(super) fn after(&mut self, state: &State, event: &Event) {
        match event {
            Event::NodeRegistered { id, .. }
            | Event::NodeUpdated { id, .. }
            | Event::NodeFound { id, .. } => {
                let node = state.node(*id).expect("invariant: the event's node exists");
                self.expect_report(node, Time(0));
                if matches!(event, Event::NodeUpdated { .. }) {
                    self.reprice(state, node);
                }
            }
            Event::OwnerUpdated { .. }
            | Event::WindowsRenewed { .. }
            | Event::OwnerTurned { .. }
            | Event::RiskCurbed { .. } => {
                let owner = event.owner().and_then(|name| state.owner(name));
                owner.into_iter().for_each(|owner| self.expect_turn(owner));
            }
            Event::JobSubmitted { id, .. } | Event::JobEnded { id, .. } => {
                self.note_job(state, state.job(*id).expect("invariant: the event's job exists"));
            }
            Event::TasksPlaced { job, placements } => {
                let job = state.job(*job).expect("invariant: the event's job exists");
                self.expect_turn_of_budget(state, job.tenant, state.now());
                if job.spec.max_runtime.is_none() {
                    return;
                }
                for placement in placements {
                    let first = placement.allocation.0;
                    for id in first..first + u64::from(placement.count) {
                        self.set_timeout(state, AllocationId(id));
                    }
                }
            }
            Event::TenantCreated { id, .. }
            | Event::TenantUpdated { id, .. }
            | Event::BudgetTurned { tenant: id, .. } => {
                self.expect_turn_of_budget(state, *id, state.now());
            }
            Event::JobUpdated { id, .. } => {
                self.ends.extend(timeouts(state, *id));
                self.note_job(state, state.job(*id).expect("invariant: the event's job exists"));
            }
            Event::TaskDelayed { at, until, .. } => {
                self.entries.insert((*until, Due::Retry(at.job, at.task)));
            }
            Event::TaskStarted { at } => self.set_timeout(state, at.id),
            Event::PriceBookChanged { .. } => self.look_at_demand(state, state.now()),
            Event::NoticeGiven { at, .. } => {
                let allocation = state.allocation(at.id).expect("invariant: it is live");
                self.ends.extend(eviction(allocation));
            }
            Event::RequestRemembered { .. } if state.remembered_count() == 1 => {
                self.forget_requests_at(state.now().after(state.policy().request_retention));
            }
            Event::RequestRemembered { .. } if too_many_requests(state) => {
                self.forget_requests_at(state.now());
            }
            _ => {}
        }
    }

    fn note_job(&mut self, state: &State, job: &Job) {
        match (job.ended, job.spec.latest_start()) {
            (Some((ended, _)), _) => {
                self.forget_at(ended.after(state.policy().job_retention), job.id);
            }
            (None, Some(deadline)) => {
                self.entries.insert((deadline, Due::Deadline(job.id)));
            }
            (None, None) => {}
        }
    }

    /// Whether an ended job is to be kept longer than was thought when it ended.
    pub(super) fn forget_later(&mut self, state: &State, job: &Job, now: Time) -> bool {
        let Some((ended, _)) = job.ended else { return true };
        let until = ended.after(state.policy().job_retention);
        if until > now {
            self.forget_at(until, job.id);
        }
        until > now
    }

    fn forget_at(&mut self, time: Time, job: JobId) {
        if !self.ended.add(time, job) {
            self.entries.insert((time, Due::Forget(job)));
        }
    }

    fn set_timeout(&mut self, state: &State, id: AllocationId) {
        self.ends.extend(timeout(state, state.allocation(id).expect("invariant: it is live")));
    }
}

/// Looks at demand begin at the same times whenever the process began, and at once when prices change.
pub(super) fn next_look(now: Time) -> Time {
    let every = Horizon::FiveMinutes.length().0;
    Time((now.0 / every).saturating_add(1).saturating_mul(every))
}

/// Some are let go at once when there are a sixteenth too many, so that it is not one for each that comes.
fn too_many_requests(state: &State) -> bool {
    let limit = state.policy().request_limit;
    state.remembered_count() as u64 > limit.saturating_add(limit / 16)
}

/// When the task has run for its `max_runtime`, counted from its start, or its placement until it starts.
fn timeout(state: &State, allocation: &Allocation) -> Option<(Time, Due)> {
    let job = state.job(allocation.at.job).expect("invariant: a live allocation has a job");
    let from = allocation.started().unwrap_or(allocation.placed);
    Some((from.after(job.spec.max_runtime?), Due::Timeout(allocation.at.id)))
}

/// Of all placed tasks of a job.
fn timeouts(state: &State, job: JobId) -> Vec<(Time, Due)> {
    let job = state.job(job).expect("invariant: the event's job exists");
    state.allocations_of(job).filter_map(|allocation| timeout(state, allocation)).collect()
}

fn eviction(allocation: &Allocation) -> Option<(Time, Due)> {
    Some((allocation.notice?.deadline, Due::Eviction(allocation.at.id)))
}
