//! Starts that lie ahead, by the naive model: what is planned can come to pass, and what starts where the index would not
//! put it fits at every moment.

use offpeak_core::model::{
    DeviceSet, Dimension, Horizon, JobId, Millis, NodeId, NodeMode, PlannedStart, Resources,
    TaskEnd, TenantId, Time,
};

use super::naive::{Allocation, Naive, Task, allows, amount};

const DIMENSIONS: [Dimension; 3] = [Dimension::Cpu, Dimension::Memory, Dimension::Gpu];

impl Naive {
    pub(super) fn plan(&mut self, job: JobId, planned: &PlannedStart) {
        let known = &self.jobs[&job];
        let pending = known.tasks.iter().filter(|task| **task == Task::Pending).count();
        assert!((1..=pending).contains(&(planned.tasks() as usize)), "so many tasks of {job} wait");
        assert!(!known.spec.gang || planned.tasks() as usize == pending, "a gang starts whole");
        assert!(planned.start > self.now, "a planned start lies ahead");
        let run = known.spec.max_runtime.unwrap_or(known.spec.min_runtime);
        let in_time = |by: Time, run: Millis| planned.start.after(run) < by;
        assert!(known.spec.deadline.is_none_or(|by| in_time(by, Millis(0))), "before the deadline");
        assert!(known.spec.complete_by.is_none_or(|by| in_time(by, run)), "it is complete in time");
        let before = self.planned.insert(job, planned.clone());
        assert_ne!(before.as_ref(), Some(planned), "what is planned is news");
    }

    /// Whether a start is planned on the node.
    pub(super) fn is_planned_on(&self, node: NodeId) -> bool {
        self.planned.values().any(|planned| planned.nodes().any(|other| other == node))
    }

    /// Tasks of a job ended or its count shrank: no more are planned than wait.
    pub(super) fn trim_plan(&mut self, job: JobId) {
        let tasks = self.jobs[&job].tasks.iter().filter(|task| **task == Task::Pending).count();
        let tasks = u32::try_from(tasks).expect("few");
        if let Some(planned) = self.planned.get_mut(&job) {
            planned.truncate(tasks);
            if tasks == 0 {
                self.planned.remove(&job);
            }
        }
    }

    fn kind_of(&self, job: JobId) -> (TenantId, Resources, u32) {
        let job = &self.jobs[&job];
        let size = if job.spec.gang { job.spec.count.ilog2() + 1 } else { 0 };
        (job.tenant, job.spec.request.clone(), size)
    }

    /// Takes in how long a task ran that nobody limits. Of a gang the first one tells.
    pub(super) fn see(&mut self, allocation: &Allocation, end: TaskEnd) {
        let spec = &self.jobs[&allocation.at.job].spec;
        let tells = matches!(end, TaskEnd::Succeeded | TaskEnd::Failed | TaskEnd::TimedOut);
        if tells && spec.max_runtime.is_none() && !(spec.gang && allocation.at.task.0 > 0) {
            let (kind, ran) = (self.kind_of(allocation.at.job), self.now.since(allocation.placed));
            let all = self.ran.entry(kind).or_default();
            all.insert(all.partition_point(|other| *other < ran), ran);
        }
    }

    /// Before when nobody may expect an allocation to be gone of which nothing is known: nine in ten of its like, ten at
    /// least, were gone by then.
    fn expected(&self, allocation: &Allocation) -> Option<Time> {
        let run = self.expected_run(allocation.at.job)?;
        Some(allocation.placed.after(run).max(self.now.after(Millis(1))))
    }

    fn expected_run(&self, job: JobId) -> Option<Millis> {
        let all = self.ran.get(&self.kind_of(job)).filter(|all| all.len() >= 10)?;
        all.get((all.len() * 9 / 10).min(all.len() - 1)).copied()
    }

    /// When an allocation will be gone, as far as is known.
    fn gone(&self, allocation: &Allocation) -> Option<Time> {
        let max = self.jobs[&allocation.at.job].spec.max_runtime;
        let from = allocation.started.unwrap_or(allocation.placed);
        let bound = max.map(|max| from.after(max));
        let notice = allocation.notice.map(|notice| notice.deadline);
        bound.into_iter().chain(notice).min()
    }

    /// What is held at a later time of what is held now; of GPUs whole devices. Some of it may be `expected` to have gone.
    fn still_lent(&self, node: NodeId, at: Time, dimension: &Dimension, expected: bool) -> u64 {
        let gone = |allocation: &Allocation| {
            let expected = || self.expected(allocation).filter(|_| expected);
            self.gone(allocation).or_else(expected)
        };
        let there =
            self.on(node).filter(|allocation| gone(allocation).is_none_or(|gone| gone > at));
        if *dimension == Dimension::Gpu {
            let all = there.flat_map(|allocation| allocation.devices.iter());
            let all: std::collections::BTreeSet<u32> = all.collect();
            return all.len() as u64 * 1000;
        }
        there.map(|other| amount(&self.jobs[&other.at.job].spec.request, dimension)).sum()
    }

    /// What windows hold back at a time, whatever lies ahead of it.
    fn in_windows_at(&self, node: NodeId, at: Time, dimension: &Dimension) -> u64 {
        let node = &self.nodes[&node];
        let Some((spec, windows)) = self.owners.get(&node.spec.owner) else { return 0 };
        let count = windows.list.iter().filter(|w| w.start <= at && at < w.end);
        let entries = count.map(|window| &spec.calendar[window.entry as usize]);
        let held = entries.filter(|entry| {
            (entry.regions.is_empty() || entry.regions.contains(&node.spec.region))
                && entry.labels.iter().all(|label| node.spec.labels.iter().any(|has| has == label))
        });
        let shares = held.map(|entry| match dimension {
            Dimension::Cpu => entry.share.cpu,
            Dimension::Memory => entry.share.memory,
            _ => entry.share.gpu,
        });
        let share = u64::from(shares.max().unwrap_or(0));
        let held = (amount(&node.spec.capacity, dimension) * share).div_ceil(1000);
        if *dimension == Dimension::Gpu { held.div_ceil(1000) * 1000 } else { held }
    }

    /// What the owner keeps from tasks that start later, its load of this moment aside if bounds are known.
    fn kept_later(&self, node: NodeId, horizon: Horizon, dimension: &Dimension) -> u64 {
        let node = &self.nodes[&node];
        let Some(bounds) = node.bounds.as_ref().filter(|_| !node.samples.is_empty()) else {
            return self.kept(node, horizon, dimension);
        };
        let shorter = Horizon::ALL.into_iter().filter(|other| *other <= horizon);
        let bound = |horizon| amount(&bounds.over(horizon, &node.spec.capacity), dimension);
        shorter.map(bound).max().unwrap_or(0).max(amount(&node.spec.reservation, dimension))
    }

    /// Whether a task may start now for as long as it must be left alone, by what is there at every moment of it.
    pub(super) fn may_over_time(&self, id: JobId, node: NodeId, devices: DeviceSet) -> bool {
        let (spec, known) = (&self.jobs[&id].spec, &self.nodes[&node]);
        let open = known.mode == NodeMode::Open && !known.lost && allows(&known.spec, spec);
        // A zone whose room is kept for others is none with room, so how evenly tasks lie is not asked here.
        let apart = spec.constraints.spreads.iter().all(|spread| self.within(id, node, spread));
        if !open || !apart || self.is_preempting(node) {
            return false;
        }
        let used = self.used(node);
        let free = |device: u32| used[device as usize] + spec.request.gpu_millis.min(1000) <= 1000;
        if !devices.iter().all(free) {
            return false;
        }
        let together = spec.gang || !spec.constraints.spreads.is_empty();
        let timed = spec.complete_by.is_some() && !together;
        let run =
            if timed { spec.max_runtime.unwrap_or(spec.min_runtime) } else { spec.min_runtime };
        let run = spec.max_runtime.map_or(run, |max| max.min(run));
        let until = self.now.after(Millis((run.0 + 60_000).max(720_000)));
        let soon = self.now.after(Millis(300_000));
        let begins = self.owners.get(&known.spec.owner).into_iter().flat_map(|(_, w)| &w.list);
        let begins = begins.map(|window| window.start).filter(|start| *start > self.now);
        let mut times = [self.now, soon].into_iter().chain(begins).filter(|at| *at < until);
        times.all(|at| {
            DIMENSIONS.iter().all(|dimension| {
                let wanted = amount(&spec.request, dimension);
                let wanted = match dimension {
                    Dimension::Gpu => wanted.div_ceil(1000) * 1000,
                    _ => wanted,
                };
                let kept = if at < soon {
                    self.kept(known, Horizon::FiveMinutes, dimension)
                } else {
                    self.kept_later(node, spec.horizon(), dimension)
                };
                let kept = kept.max(self.in_windows_at(node, at, dimension));
                let lent = self.still_lent(node, at, dimension, false);
                wanted == 0 || lent + wanted + kept <= amount(&known.spec.capacity, dimension)
            })
        })
    }

    /// What is planned has room when it starts, beside what is there then and what else is planned there.
    pub(super) fn check_planned_starts(&self) {
        for (id, planned) in &self.planned {
            for place in &planned.places {
                self.check_planned_on(*id, planned, place.node);
            }
        }
    }

    fn check_planned_on(&self, id: JobId, planned: &PlannedStart, on: NodeId) {
        let (spec, node) = (&self.jobs[&id].spec, &self.nodes[&on]);
        assert!(allows(&node.spec, spec), "the start of {id} is planned where it may go");
        for dimension in [Dimension::Cpu, Dimension::Memory] {
            let then = self.planned.iter().filter(|(other, there)| {
                let max = self.jobs[*other].spec.max_runtime;
                let run = max.or_else(|| self.expected_run(**other));
                let until = run.map_or(Time(u64::MAX), |run| there.start.after(run));
                there.start <= planned.start && planned.start < until
            });
            let wanted = then.map(|(other, there)| {
                let each = amount(&self.jobs[other].spec.request, &dimension);
                let there = there.places.iter().filter(|place| place.node == on);
                each * there.map(|place| u64::from(place.tasks)).sum::<u64>()
            });
            let taken = wanted.sum::<u64>()
                + self.still_lent(on, planned.start, &dimension, true)
                + self.in_windows_at(on, planned.start, &dimension);
            let asked = amount(&spec.request, &dimension);
            assert!(
                asked == 0 || taken <= amount(&node.spec.capacity, &dimension),
                "there is {dimension} for the start of {id} at {planned:?}"
            );
        }
    }
}
