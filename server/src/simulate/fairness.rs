use std::collections::BTreeMap;

use offpeak_core::{
    event::Event,
    fairness::{Demand, WHOLE, entitled},
    model::{
        Amounts, JobSpec, Millis, Resources, SHARED, Tenant, TenantId, TenantSpec, Time, shared,
    },
    state::State,
};
use serde::Serialize;

use super::{input::END_SLACK, timeline::Timeline};

/// How often what tenants are entitled to is reckoned.
const TICK: Millis = Millis(5 * Millis::MINUTE.0);
/// Windows begin so far apart, and are so long.
const STEP: Millis = Millis::HOUR;
const WINDOW: Millis = Millis(6 * Millis::HOUR.0);

const TICKS_PER_STEP: usize = (STEP.0 / TICK.0) as usize;
const TICKS_PER_WINDOW: usize = (WINDOW.0 / TICK.0) as usize;

/// How fairly top tenants, each with all below it, were served, window by window, while tasks arrived.
#[derive(Debug, Serialize)]
pub(super) struct FairnessReport {
    /// Windows of six hours, one beginning each hour, in which at least two tenants had demand all the time.
    pub(super) windows: u64,
    /// Such tenants, summed over these windows.
    pub(super) tenant_windows: u64,
    /// The least that any of them received of what it was entitled to in a window.
    pub(super) worst_ratio: f64,
    pub(super) worst: Worst,
    /// Of a hundred tenants in windows, and of twenty, one received less.
    pub(super) p1_ratio: f64,
    pub(super) p5_ratio: f64,
    pub(super) median_ratio: f64,
    /// Jain's index over what tenants received by what they were entitled to: of all windows the least, and the mean.
    pub(super) worst_jain: f64,
    pub(super) mean_jain: f64,
    pub(super) tenants: Vec<TenantFairness>,
}

/// Where the least ratio was.
#[derive(Debug, Default, Serialize)]
pub(super) struct Worst {
    pub(super) tenant: String,
    /// Seconds after the beginning of the simulation.
    pub(super) window_start_s: u64,
}

/// Of one tenant, over all windows that count.
#[derive(Debug, Serialize)]
pub(super) struct TenantFairness {
    pub(super) tenant: String,
    pub(super) windows: u64,
    pub(super) worst_ratio: f64,
    pub(super) mean_ratio: f64,
}

/// Follows what tenants want, hold and are entitled to.
pub(super) struct Fairness {
    origin: Time,
    /// Until when it is known.
    now: Time,
    /// Nothing arrives any more, and nobody looks.
    is_over: bool,
    whole: Amounts,
    tenants: Vec<Followed>,
    position: BTreeMap<TenantId, usize>,
    /// One a tick that is over.
    ticks: Vec<Vec<Tick>>,
    /// Where a window begins, the work that each tenant could get done in it.
    work: Vec<Vec<[f64; SHARED]>>,
}

struct Followed {
    name: String,
    weight: u32,
    /// In the tick under way, amounts times milliseconds.
    wanted: [u128; SHARED],
    held: [u128; SHARED],
    /// How long it wanted something.
    present: Millis,
}

/// What became of a tenant in a tick, as amounts times milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    entitled: [f64; SHARED],
    held: [f64; SHARED],
    was_present: bool,
}

impl Fairness {
    pub(super) fn new(origin: Time) -> Self {
        Self {
            origin,
            now: origin,
            is_over: false,
            whole: [0; SHARED],
            tenants: Vec::new(),
            position: BTreeMap::new(),
            ticks: Vec::new(),
            work: Vec::new(),
        }
    }

    /// Takes in that nothing changes until then.
    pub(super) fn pass(&mut self, until: Time, state: &State, timeline: &Timeline<'_>) {
        while self.now < until && !self.is_over {
            if self.now.since(self.origin).0.is_multiple_of(STEP.0) {
                self.begin_window(state, timeline);
            }
            let passed = self.now.since(self.origin).0 % TICK.0;
            let next = self.now.after(Millis(TICK.0 - passed)).min(until);
            self.count(next.since(self.now), state);
            self.now = next;
            if next.since(self.origin).0.is_multiple_of(TICK.0) {
                self.end_tick();
            }
        }
    }

    fn count(&mut self, span: Millis, state: &State) {
        self.whole = shared(state.fleet());
        for tenant in state.tenants().filter(|tenant| tenant.parent.is_none()) {
            let at = self.follow(tenant.id, &tenant.spec);
            let followed = &mut self.tenants[at];
            let requested = tenant.requested().0;
            add(&mut followed.wanted, &requested, span);
            add(&mut followed.held, &tenant.held(), span);
            followed.present.0 += if requested.is_zero() { 0 } else { span.0 };
        }
    }

    fn follow(&mut self, id: TenantId, spec: &TenantSpec) -> usize {
        let (tenants, weight) = (&mut self.tenants, spec.weight);
        let at = *self.position.entry(id).or_insert_with(|| {
            tenants.push(Followed {
                name: spec.name.to_string(),
                weight,
                wanted: [0; SHARED],
                held: [0; SHARED],
                present: Millis(0),
            });
            tenants.len() - 1
        });
        self.tenants[at].weight = weight;
        at
    }

    fn end_tick(&mut self) {
        let demands: Vec<Demand> = self
            .tenants
            .iter()
            .map(|tenant| {
                let mean = |sum: u128| u64::try_from(sum / u128::from(TICK.0)).unwrap_or(u64::MAX);
                Demand { weight: tenant.weight, wanted: tenant.wanted.map(mean) }
            })
            .collect();
        let parts = entitled(&demands, &self.whole);
        let tick = |(tenant, part): (&Followed, u64)| Tick {
            entitled: tenant.wanted.map(|wanted| wanted as f64 * (part as f64 / WHOLE as f64)),
            held: tenant.held.map(|held| held as f64),
            was_present: tenant.present == TICK,
        };
        self.ticks.push(self.tenants.iter().zip(parts).map(tick).collect());
        for tenant in &mut self.tenants {
            (tenant.wanted, tenant.held) = ([0; SHARED], [0; SHARED]);
            tenant.present = Millis(0);
        }
    }

    /// What is unfinished now is work for the window that begins now.
    fn begin_window(&mut self, state: &State, timeline: &Timeline<'_>) {
        let end = self.now.after(WINDOW);
        let mut work = vec![[0.0; SHARED]; self.tenants.len()];
        for job in state.jobs_from(offpeak_core::model::JobId(0)) {
            let Some(at) = self.top(state, job.tenant).filter(|_| job.counts.pending > 0) else {
                continue;
            };
            let span = runtime(&job.spec).min(WINDOW);
            grow(&mut work, at, &job.spec.request, span, u64::from(job.counts.pending));
        }
        for (due, id) in timeline.ends() {
            let Some(allocation) = state.allocation(id) else { continue };
            let job = state.job(allocation.at.job).expect("invariant: it is live");
            if let Some(at) = self.top(state, job.tenant) {
                grow(&mut work, at, &job.spec.request, due.min(end).since(self.now), 1);
            }
        }
        self.work.push(work);
    }

    /// Takes in what arrives: work for all windows that are under way.
    pub(super) fn follow_events(&mut self, events: &[Event], now: Time, state: &State) {
        if now < self.origin {
            return;
        }
        for event in events {
            let Event::JobSubmitted { tenant, spec, .. } = event else { continue };
            let Some(top) = state.lineage(*tenant).last().map(|top| (top.id, top.spec.clone()))
            else {
                continue;
            };
            let at = self.follow(top.0, &top.1);
            let newest = self.work.len();
            for index in newest.saturating_sub(TICKS_PER_WINDOW / TICKS_PER_STEP)..newest {
                let start = self.origin.after(Millis(STEP.0 * index as u64));
                let left = start.after(WINDOW).since(now);
                let span = runtime(spec).min(left);
                grow(&mut self.work[index], at, &spec.request, span, u64::from(spec.count));
            }
        }
    }

    fn top(&self, state: &State, tenant: TenantId) -> Option<usize> {
        let top: &Tenant = state.lineage(tenant).last()?;
        self.position.get(&top.id).copied()
    }

    /// What was found until now, after which nothing is followed. Absent where no window has two tenants that had demand
    /// all the time.
    pub(super) fn finish(&mut self) -> Option<FairnessReport> {
        self.is_over = true;
        let mut found = Found::default();
        let mut start = 0;
        while start + TICKS_PER_WINDOW <= self.ticks.len() {
            self.weigh(start, &mut found);
            start += TICKS_PER_STEP;
        }
        found.report(&self.tenants)
    }

    fn weigh(&self, start: usize, found: &mut Found) {
        let ticks = &self.ticks[start..start + TICKS_PER_WINDOW];
        let work = &self.work[start / TICKS_PER_STEP];
        let mut ratios = Vec::new();
        for at in 0..self.tenants.len() {
            let of_tenant = || ticks.iter().map(|tick| tick.get(at).copied().unwrap_or_default());
            if !of_tenant().all(|tick| tick.was_present) {
                continue;
            }
            let sum = |amounts: fn(&Tick) -> [f64; SHARED]| {
                of_tenant().fold([0.0; SHARED], |mut sum, tick| {
                    sum.iter_mut().zip(amounts(&tick)).for_each(|(sum, more)| *sum += more);
                    sum
                })
            };
            let (entitled, held) = (sum(|tick| tick.entitled), sum(|tick| tick.held));
            let entitled: [f64; SHARED] = std::array::from_fn(|resource| {
                entitled[resource].min(work.get(at).map_or(0.0, |work| work[resource]))
            });
            let due = self.dominant(&entitled);
            if due > 0.0 {
                ratios.push((at, self.dominant(&held) / due));
            }
        }
        if ratios.len() > 1 {
            let start = Millis(TICK.0 * start as u64);
            found.window(start, &ratios);
        }
    }

    /// The greatest part of the fleet over a window that the amounts are.
    fn dominant(&self, amounts: &[f64; SHARED]) -> f64 {
        let whole = self.whole.iter().map(|whole| *whole as f64 * WINDOW.0 as f64);
        let parts = amounts.iter().zip(whole).filter(|(_, whole)| *whole > 0.0);
        parts.map(|(amount, whole)| amount / whole).fold(0.0, f64::max)
    }
}

/// Ratios of what was received to what was due.
#[derive(Default)]
struct Found {
    /// Of each window that counts.
    jain: Vec<f64>,
    /// By tenant.
    ratios: BTreeMap<usize, Vec<f64>>,
    /// The least: ratio, tenant, start of the window.
    worst: Option<(f64, usize, Millis)>,
}

impl Found {
    fn window(&mut self, start: Millis, ratios: &[(usize, f64)]) {
        let sum: f64 = ratios.iter().map(|(_, ratio)| ratio).sum();
        let squares: f64 = ratios.iter().map(|(_, ratio)| ratio * ratio).sum();
        let jain = if squares > 0.0 { sum * sum / (ratios.len() as f64 * squares) } else { 0.0 };
        self.jain.push(jain);
        for (at, ratio) in ratios {
            self.ratios.entry(*at).or_default().push(*ratio);
            if self.worst.is_none_or(|(least, ..)| *ratio < least) {
                self.worst = Some((*ratio, *at, start));
            }
        }
    }

    fn report(self, tenants: &[Followed]) -> Option<FairnessReport> {
        let (worst_ratio, at, start) = self.worst?;
        let mut all: Vec<f64> = self.ratios.values().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let percentile = |percent: usize| all[(all.len() - 1) * percent / 100];
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
        let least = |list: &[f64]| list.iter().copied().fold(f64::INFINITY, f64::min);
        let tenant = |(at, ratios): (&usize, &Vec<f64>)| TenantFairness {
            tenant: tenants[*at].name.clone(),
            windows: ratios.len() as u64,
            worst_ratio: round(least(ratios)),
            mean_ratio: round(mean(ratios)),
        };
        Some(FairnessReport {
            windows: self.jain.len() as u64,
            tenant_windows: all.len() as u64,
            worst_ratio: round(worst_ratio),
            worst: Worst {
                tenant: tenants[at].name.clone(),
                window_start_s: start.0 / Millis::SECOND.0,
            },
            p1_ratio: round(percentile(1)),
            p5_ratio: round(percentile(5)),
            median_ratio: round(percentile(50)),
            worst_jain: round(least(&self.jain)),
            mean_jain: round(mean(&self.jain)),
            tenants: self.ratios.iter().map(tenant).collect(),
        })
    }
}

/// To four digits.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn add(sums: &mut [u128; SHARED], amount: &Resources, span: Millis) {
    for (sum, amount) in sums.iter_mut().zip(shared(amount)) {
        *sum += u128::from(amount) * u128::from(span.0);
    }
}

fn grow(work: &mut Vec<[f64; SHARED]>, at: usize, request: &Resources, span: Millis, tasks: u64) {
    if work.len() <= at {
        work.resize(at + 1, [0.0; SHARED]);
    }
    for (sum, amount) in work[at].iter_mut().zip(shared(request)) {
        *sum += amount as f64 * span.0 as f64 * tasks as f64;
    }
}

/// How long each task runs; for good counts as a window.
fn runtime(spec: &JobSpec) -> Millis {
    spec.max_runtime.map_or(WINDOW, |max| Millis(max.0 - END_SLACK.0))
}
