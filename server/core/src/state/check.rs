//! What must hold of every state, for tests and for `fsck`.

use super::{State, hold::counter, owners::held_back};
use crate::model::{
    EvictionReason, GpuDevices, JobId, MAX_TENANT_DEPTH, Resources, TaskCounts, TaskIndex,
    TaskPhase, Tenant, Usage,
};

impl State {
    /// Compares everything that is kept with what follows from the rest.
    ///
    /// # Panics
    /// When two of them differ: the state was not built by its events.
    pub fn check_invariants(&self) {
        self.check_nodes();
        self.check_jobs();
        self.check_delays();
        self.check_tenants();
        self.check_owners();
        self.check_ledger();
        self.check_preemptions();
        self.check_planned_starts();
        self.check_quotes();
        assert!(self.requests.are_indexed(), "answers are found by their ids");
    }

    fn check_nodes(&self) {
        assert_eq!(self.nodes.len(), self.node_names.len(), "every node has one name");
        let capacities = self.nodes().map(|node| &node.spec.capacity);
        let fleet = capacities.fold(Resources::default(), |sum, more| sum.saturating_add(more));
        assert_eq!(fleet, self.fleet, "capacities are summed");
        let mut allocations = 0;
        for node in self.nodes() {
            assert_eq!(self.node_names.get(&node.spec.name), Some(&node.id), "names lead to nodes");
            let (mut lent, mut noticed) = (Resources::default(), 0);
            let mut devices = GpuDevices::default();
            assert!(node.allocations.is_sorted_by(|a, b| a < b), "a node's list is in order");
            for id in &node.allocations {
                let allocation = self.allocation(*id).expect("a node's allocation is live");
                assert_eq!(allocation.at.node, node.id, "it is there");
                let request = self.request_of(allocation);
                lent = lent.saturating_add(request);
                devices.hold(allocation.devices, request.gpu_millis);
                noticed += u32::from(allocation.notice.is_some());
                allocations += 1;
            }
            assert_eq!((&lent, noticed), (&node.lent, node.noticed), "{} lends it", node.id);
            let used = |devices: &GpuDevices| {
                devices.0.iter().copied().zip(0..).filter(|(used, _)| *used > 0).collect::<Vec<_>>()
            };
            assert_eq!(used(&devices), used(&node.devices), "devices of {} are lent", node.id);
            assert!(devices.0.iter().all(|used| *used <= 1000), "no device is lent twice");
        }
        assert_eq!(allocations, self.allocations.len(), "every allocation is on a node");
    }

    fn check_jobs(&self) {
        let named = self.jobs.iter().filter(|job| job.name.job_id() != Some(job.id)).count();
        assert_eq!(named, self.job_names.len(), "every name leads to a job");
        let mut waiting = (0, 0);
        for job in self.jobs.iter() {
            let found = self.job_named(job.tenant, &job.name).map(|found| found.id);
            assert_eq!(found, Some(job.id), "every job has one name");
            let mut counts = TaskCounts::default();
            for (index, task) in (0..).zip(&job.tasks) {
                match task.phase {
                    TaskPhase::Pending => {
                        assert!(
                            index >= job.first_pending.0,
                            "no task before the first is pending"
                        );
                        counts.pending += 1;
                    }
                    TaskPhase::Delayed => counts.delayed += 1,
                    TaskPhase::Placed(id) => {
                        let allocation = self.allocation(id).expect("a placed task is live");
                        assert_eq!((allocation.at.job, allocation.at.task.0), (job.id, index));
                        assert!(task.attempts > 0, "attempts are counted");
                        counts.placed += 1;
                        counts.running += u32::from(allocation.started().is_some());
                    }
                    TaskPhase::Ended(end) => *counter(&mut counts, end) += 1,
                }
            }
            assert_eq!(counts, job.counts, "tasks of job {} are counted", job.id);
            assert_eq!(job.final_state().is_some(), job.ended.is_some(), "job {} ends", job.id);
            waiting.0 += u64::from(counts.pending);
            waiting.1 += u64::from(counts.pending > 0);
        }
        assert_eq!(waiting, (self.waiting.tasks, self.waiting.jobs), "what waits is counted");
    }

    fn check_delays(&self) {
        let mut awaited = 0;
        for job in self.jobs.iter().filter(|job| job.counts.delayed > 0) {
            awaited += self.awaited(job).count();
            for (index, task) in (0..).map(TaskIndex).zip(&job.tasks) {
                if task.phase == TaskPhase::Delayed {
                    let backs_off = self.tries(job.id, index).until.is_some();
                    assert_ne!(backs_off, job.waits_for_jobs(), "a delay has one cause");
                    assert_eq!(backs_off, task.attempts > 0, "what was never placed never failed");
                }
            }
        }
        assert_eq!(awaited, self.dependents.len(), "every job knows who waits for it");
        for (job, index, tries) in self.all_tries() {
            let job = self.job(job).expect("what was tried is kept");
            assert!(job.spec.retry().is_some(), "only a policy counts tries");
            match job.task(index).phase {
                TaskPhase::Delayed => assert!(tries.until.is_some()),
                TaskPhase::Pending | TaskPhase::Placed(_) => assert!(tries.until.is_none()),
                TaskPhase::Ended(_) => panic!("tries of an ended task are forgotten"),
            }
        }
    }

    fn check_owners(&self) {
        let mut owned = 0;
        for owner in self.owners() {
            assert!(owner.is_true(), "windows of {} count as they are", owner.spec.name);
            assert!(!owner.is_idle(), "{} is kept for a reason", owner.spec.name);
            assert!(owner.nodes().is_sorted_by(|a, b| a < b), "an owner's list is in order");
            for id in owner.nodes() {
                let node = self.node(id).expect("an owner's node is there");
                assert_eq!(node.spec.owner, owner.spec.name, "it is this owner's");
                owned += 1;
            }
        }
        assert_eq!(owned, self.nodes().filter(|node| !node.spec.owner.is_empty()).count());
        for node in self.nodes() {
            let held = held_back(node, &self.policy, self.owner(&node.spec.owner));
            assert_eq!(held, node.held_back, "{} is held back as it must be", node.id);
        }
    }

    fn check_ledger(&self) {
        self.accounts.check(self.nodes().map(|node| node.site));
        for node in self.nodes() {
            assert!(self.accounts.site(node.site).is_of(&node.spec), "{} is where it is", node.id);
        }
        for (node, moved) in self.accounts.moved() {
            let oldest = self.oldest_on(node);
            assert!(oldest.is_some_and(|placed| placed < moved), "{node} changed hands under way");
        }
        for tenant in self.tenants() {
            let (name, budget) = (&tenant.spec.name, &tenant.spec.budget);
            assert_eq!(tenant.spending.is_some(), !budget.is_empty(), "{name} is counted if asked");
            let Some(spending) = &tenant.spending else { continue };
            let counted = self.recount(tenant.id);
            let spent = spending.spent_at(budget.period, self.now);
            assert_eq!(spending.rate, counted.rate, "what tasks of {name} cost is summed");
            // Of a cell that holds more rows than are kept, the period's first days may be gone.
            assert!(spent >= counted.spent, "what {name} spends is counted");
            if self.accounts.rows_kept() {
                assert_eq!(spent, counted.spent, "what {name} spends follows from the ledger");
            }
        }
    }

    fn check_quotes(&self) {
        for (id, _) in self.quotes().open() {
            let job = self.job(id).expect("a quoted job is kept");
            assert!(job.waits_for_its_first_place(), "job {id} waits for what it was quoted");
        }
        let record = self.quotes().record();
        let open = self.quotes().open().len() as u64;
        assert_eq!(record.made, record.started + record.withdrawn + open, "quotes are counted");
        let scored: u64 = record.errors.iter().sum();
        assert_eq!(record.started, record.unknown + scored, "every started job is scored");
        assert!(record.by_p50 <= record.by_p95 && record.by_p95 <= scored);
    }

    fn check_tenants(&self) {
        assert_eq!(self.tenants.len(), self.tenant_names.len(), "every tenant has one name");
        let (mut waiting, mut requested) = (Resources::default(), Resources::default());
        let mut listed = 0;
        for tenant in self.tenants() {
            let mut usage = Usage::default();
            let mut unfinished = 0;
            let ids = tenant.jobs.from(JobId(0));
            assert!(ids.is_sorted_by(|a, b| a < b), "a tenant's list is in order");
            for job in self.jobs_of(tenant, JobId(0)) {
                listed += 1;
                assert_eq!(job.tenant, tenant.id, "a job has one tenant");
                let (pending, placed) =
                    (u64::from(job.counts.pending), u64::from(job.counts.placed));
                let asked = pending + placed + u64::from(job.counts.delayed);
                let times = |tasks| job.spec.request.checked_mul(tasks).expect("checked on submit");
                usage.requested = usage.requested.saturating_add(&times(asked));
                usage.requested_tasks += asked;
                usage.held = usage.held.saturating_add(&times(placed));
                usage.held_tasks += placed;
                waiting = waiting.saturating_add(&times(pending));
                unfinished += u64::from(job.ended.is_none());
            }
            usage.decayed = tenant.usage.decayed;
            assert_eq!(usage, tenant.usage, "usage of {} is counted", tenant.spec.name);
            assert_eq!(unfinished, tenant.unfinished_jobs, "jobs of {}", tenant.spec.name);
            requested = requested.saturating_add(&usage.requested);
            let (wanted, tasks) = tenant.requested();
            assert!(tenant.spec.quota.excess(&wanted, tasks).is_none());
            self.check_family(tenant);
        }
        let guaranteed = self.tenants().filter(|tenant| !tenant.spec.guarantee.is_zero()).count();
        assert_eq!(guaranteed, self.guaranteed_tenants, "guarantees are counted");
        assert_eq!(listed, self.jobs.len(), "every job is its tenant's");
        assert_eq!(waiting, self.waiting.resources, "what waits is summed");
        assert_eq!(requested, self.requested, "what is asked for is summed");
    }

    fn check_family(&self, tenant: &Tenant) {
        let name = &tenant.spec.name;
        let parent = self.tenant_named(tenant.spec.parent.as_str()).map(|parent| parent.id);
        assert_eq!(parent, tenant.parent, "the parent of {name} is known");
        assert!(self.lineage(tenant.id).count() <= MAX_TENANT_DEPTH, "{name} has few above it");
        let (mut below, mut guaranteed) = (Usage::default(), Resources::default());
        for id in &tenant.children {
            let child = self.tenant(*id).expect("a child is there");
            assert_eq!(child.parent, Some(tenant.id), "a child knows its parent");
            guaranteed = guaranteed.saturating_add(&child.spec.guarantee);
            for usage in [&child.usage, &child.below] {
                below.join(usage);
            }
        }
        assert!(guaranteed.fits_in(&tenant.spec.guarantee), "{name} covers what it promises");
        below.decayed = tenant.below.decayed;
        assert_eq!(below, tenant.below, "what is below {name} is counted");
        let siblings = self.tenants().filter(|other| other.parent == Some(tenant.id)).count();
        assert_eq!(siblings, tenant.children.len(), "all children of {name} are listed");
    }

    fn check_preemptions(&self) {
        for (id, _) in &self.preemptors {
            let allocation = self.allocation(*id).expect("what is preempted is live");
            let reason = allocation.notice.map(|notice| notice.reason);
            assert_eq!(reason, Some(EvictionReason::Preempted), "{id} is under notice for it");
        }
        assert!(self.preempted.keys().all(|id| self.job(*id).is_some()), "preempted jobs are kept");
    }
}
