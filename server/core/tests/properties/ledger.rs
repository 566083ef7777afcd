//! A second ledger, from nothing but events: it remembers every allocation and adds up stretch by stretch.

use std::{collections::BTreeMap, sync::Arc};

use offpeak_core::{
    billing::{DAY_MS, Statement, Subject, job_cost, statement},
    event::{Batch, Event},
    model::{
        AllocationId, AllocationRef, DemandCurve, DemandStep, JobId, JobSpec, Millis, Name, NodeId,
        NodeSpec, PriceBook, TenantId, Time,
    },
    state::State,
};

/// A day, a tenant, and the owner, region and GPU model of nodes.
type Key = (u64, Name, [Name; 3]);

/// Milliseconds of tasks, of a thousandth of a core, a byte and a thousandth of a GPU; exact list price, charge and
/// credit.
type Sums = [u128; 7];

#[derive(Default)]
pub(super) struct Ledger {
    tenants: BTreeMap<TenantId, Name>,
    nodes: BTreeMap<NodeId, Arc<NodeSpec>>,
    jobs: BTreeMap<JobId, (Name, Arc<JobSpec>)>,
    books: Vec<(Time, Arc<PriceBook>)>,
    factors: Vec<(Time, Name, u32)>,
    /// Since when it was placed, and since when its node is whose and where it is.
    live: BTreeMap<AllocationId, (AllocationRef, Time, Time)>,
    sums: BTreeMap<Key, Sums>,
    of_jobs: BTreeMap<JobId, (u128, u128)>,
}

impl Ledger {
    pub(super) fn fold(&mut self, batch: &Batch) {
        for (commit, events) in batch.iter() {
            events.iter().for_each(|event| self.event(event, commit.time));
        }
    }

    fn event(&mut self, event: &Event, now: Time) {
        match event {
            Event::TenantCreated { id, spec } => {
                self.tenants.insert(*id, spec.name.clone());
            }
            Event::NodeRegistered { id, spec } => {
                self.nodes.insert(*id, Arc::clone(spec));
            }
            Event::NodeUpdated { id, spec } => {
                let there: Vec<AllocationId> = self.on(*id);
                for allocation in there {
                    let (at, placed, _) = self.end(allocation, now);
                    self.live.insert(allocation, (at, placed, now));
                }
                self.nodes.insert(*id, Arc::clone(spec));
            }
            Event::PriceBookChanged { since, book } => self.books.push((*since, Arc::clone(book))),
            Event::DemandPriced { since, region, factor_permille, .. } => {
                self.factors.push((*since, region.clone(), *factor_permille));
            }
            Event::JobSubmitted { id, tenant, spec, .. } => {
                let tenant = self.tenants[tenant].clone();
                self.jobs.insert(*id, (tenant, Arc::clone(spec)));
            }
            Event::TasksPlaced { job, placements } => {
                for placement in placements {
                    for offset in 0..placement.count {
                        let id = AllocationId(placement.allocation.0 + u64::from(offset));
                        let (task, node) = (placement.task, placement.node);
                        let at = AllocationRef { id, job: *job, task, node };
                        self.live.insert(id, (at, now, now));
                    }
                }
            }
            Event::TaskEnded { at, .. }
            | Event::TaskDelayed { at, .. }
            | Event::TaskEvicted { at, .. } => {
                self.end(at.id, now);
            }
            _ => {}
        }
    }

    fn on(&self, node: NodeId) -> Vec<AllocationId> {
        self.live.iter().filter(|(_, (at, ..))| at.node == node).map(|(id, _)| *id).collect()
    }

    fn end(&mut self, id: AllocationId, now: Time) -> (AllocationRef, Time, Time) {
        let ended = self.live.remove(&id).expect("a live allocation");
        let mut sums = std::mem::take(&mut self.sums);
        let (ms, charged) = self.add(&mut sums, &ended, now);
        self.sums = sums;
        let of_job = self.of_jobs.entry(ended.0.job).or_default();
        (of_job.0, of_job.1) = (of_job.0 + ms, of_job.1 + charged);
        ended
    }

    /// Adds a stretch, and tells its length and what is charged for it.
    fn add(
        &self,
        sums: &mut BTreeMap<Key, Sums>,
        (at, placed, from): &(AllocationRef, Time, Time),
        now: Time,
    ) -> (u128, u128) {
        let ((tenant, spec), node) = (&self.jobs[&at.job], &self.nodes[&at.node]);
        let site = [node.owner.clone(), node.region.clone(), node.gpu_model.clone()];
        let (list, charged, share) = self.price(spec, node, *placed);
        let mut start = from.0;
        while start < now.0 {
            let end = now.0.min(start - start % DAY_MS + DAY_MS);
            let ms = u128::from(end - start);
            let sum = sums.entry((start / DAY_MS, tenant.clone(), site.clone())).or_default();
            let request = &spec.request;
            let held = [1, request.cpu_millis, request.memory_bytes, request.gpu_millis];
            for (sum, each) in sum.iter_mut().zip(held) {
                *sum += u128::from(each) * ms;
            }
            sum[4] += list * ms;
            sum[5] += charged * ms;
            sum[6] += charged * ms * share;
            start = end;
        }
        let ms = u128::from(now.0.saturating_sub(from.0));
        (ms, charged * ms)
    }

    /// By the list, as charged, and the owner's share in thousandths: as docs/BILLING.md says.
    fn price(&self, spec: &JobSpec, node: &NodeSpec, placed: Time) -> (u128, u128, u128) {
        let Some((_, book)) = self.books.iter().rfind(|(since, _)| *since <= placed) else {
            return (0, 0, 0);
        };
        let region = book.regions.get(&node.region);
        let prices = [region, Some(&book.everywhere)].into_iter().flatten();
        let mut found = [None; 3];
        for prices in prices {
            let gpu = prices.gpu_models.get(&node.gpu_model).copied().or(prices.gpu);
            for (found, price) in found.iter_mut().zip([prices.core, prices.memory_gib, gpu]) {
                *found = found.or(price);
            }
        }
        let [core, gib, gpu] = found.map(|price| u128::from(price.unwrap_or(0)) * 1_000_000);
        let request = &spec.request;
        let list = u128::from(request.cpu_millis) * core / 1000
            + u128::from(request.memory_bytes) * gib / (1 << 30)
            + u128::from(request.gpu_millis) * gpu / 1000;
        let [minutes, hour, hours, day] = book.horizon_permille;
        let longer = [(21_600_000, day), (3_600_000, hours), (300_000, hour), (0, minutes)];
        let promised = longer.into_iter().find(|(more, _)| spec.min_runtime.0 > *more);
        let permille = promised.map_or(book.interruptible_permille, |(_, permille)| permille);
        let charged = list * u128::from(permille) / 1000;
        let here =
            |(since, region, _): &&(Time, Name, u32)| *since <= placed && *region == node.region;
        let factor = self.factors.iter().rev().find(here).map_or(1000, |(.., factor)| *factor);
        (list, charged * u128::from(factor) / 1000, book.owner_permille.into())
    }

    /// Compares everything with what the state says, as of a time that is not before its own.
    pub(super) fn check(&self, state: &State, now: Time) {
        let mut sums = self.sums.clone();
        for live in self.live.values() {
            self.add(&mut sums, live, now);
        }
        let all = statement(state, &Subject::Cell, 0..u32::MAX, now);
        let found = all.lines.iter().map(|line| {
            let site = line.site.clone();
            let row = &line.row;
            let task_ms = u128::from(row.task_ms);
            let money = [row.list, row.charged, row.credited];
            let sums = [task_ms, row.cpu, row.memory, row.gpu, money[0], money[1], money[2]];
            let key =
                (line.day.into(), line.tenant.clone(), [site.owner, site.region, site.gpu_model]);
            (key, sums)
        });
        assert_eq!(
            found.collect::<BTreeMap<Key, Sums>>(),
            sums,
            "the ledger is what events come to"
        );
        check_sums(state, &all, now);
        for job in state.jobs_from(JobId(0)) {
            let mut expected = self.of_jobs.get(&job.id).copied().unwrap_or_default();
            for live in self.live.values().filter(|(at, ..)| at.job == job.id) {
                let (ms, charged) = self.add(&mut BTreeMap::new(), live, now);
                expected = (expected.0 + ms, expected.1 + charged);
            }
            let cost = job_cost(state, job, now);
            assert_eq!((u128::from(cost.task_ms), cost.charged), expected, "job {}", job.id);
        }
    }
}

/// What tenants are charged is what owners get and the margin, to the last millionth.
fn check_sums(state: &State, all: &Statement, now: Time) {
    let sum = |statement: &Statement| {
        statement.lines.iter().fold([0_u128; 4], |sum, line| {
            assert!(line.credit() <= line.charge(), "nobody gets more than was paid");
            let parts = [line.charge(), line.credit(), line.margin(), line.list()];
            [0, 1, 2, 3].map(|at| sum[at] + u128::from(parts[at]))
        })
    };
    let mut tenants: Vec<Name> = all.lines.iter().map(|line| line.tenant.clone()).collect();
    let mut owners: Vec<Name> = all.lines.iter().map(|line| line.site.owner.clone()).collect();
    for names in [&mut tenants, &mut owners] {
        names.sort();
        names.dedup();
    }
    let add = |a: [u128; 4], b: [u128; 4]| [0, 1, 2, 3].map(|at| a[at] + b[at]);
    let of = |subject: Subject| sum(&statement(state, &subject, 0..u32::MAX, now));
    let by_tenant = tenants.into_iter().map(Subject::Tenant).map(of).fold([0; 4], add);
    let by_owner = owners.into_iter().map(Subject::Owner).map(of).fold([0; 4], add);
    assert_eq!(by_tenant, sum(all), "the statements of tenants are the whole");
    assert_eq!(by_owner, sum(all), "the statements of owners are the whole");
    let [charges, credits, margin, _] = by_tenant;
    assert_eq!(charges, credits + margin, "nothing is lost and nothing is made");
}

/// Prices that show every way in which one is found, from a number.
pub(super) fn book(seed: u8) -> PriceBook {
    let name = |text: &str| Name::parse(text).expect("a name");
    let seed = u32::from(seed);
    let price = |step: u32| Some(u64::from(seed * 7_919 + step) % 90_001);
    let prices = |step: u32| offpeak_core::model::Prices {
        core: price(step).filter(|_| step == 0 || seed % 2 == 0),
        memory_gib: price(step + 1).filter(|_| seed % 3 > 0),
        gpu: price(step + 2).filter(|_| seed % 5 > 0),
        gpu_models: [(name("model0"), u64::from(seed) * 1_001)].into(),
        ..Default::default()
    };
    PriceBook {
        currency: name("EUR"),
        everywhere: prices(0),
        regions: [(name("r0"), prices(10))].into(),
        interruptible_permille: seed * 13 % 1_001,
        horizon_permille: [1, 2, 3, 4].map(|at| seed * at % 1_301),
        owner_permille: seed * 17 % 1_001,
        demand: demand(seed),
    }
}

/// Most books let prices follow demand, and each in its own way.
fn demand(seed: u32) -> DemandCurve {
    let step = |at: u32| DemandStep {
        lent_permille: (at + seed % 2) * 200,
        factor_permille: 700 + (seed % 2) * 301 + at * (1 + seed),
    };
    DemandCurve::new((0..seed % 4).map(step).collect()).expect("it ascends")
}

/// A day and more, so that rows are split.
pub(super) const LONG: Millis = Millis(DAY_MS + 12_345);
