use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use offpeak_core::{
    command::{Command, OwnerPatch, Request, Target},
    engine::{Engine, Step},
    forecaster::Forecaster,
    model::{
        CalendarEntry, Labels, Millis, Name, NodeBounds, Policy, Priority, Quota, Resources,
        TenantSpec, Time, WallTime, When, Window, Windows,
    },
    scheduler::{PendingReason, Reasons},
    state::State,
};

use super::{
    dimensions::Dimensions,
    fairness::{Fairness, FairnessReport},
    input::{FOR_GOOD, HISTORY, HeldWindows, Inputs, JobRow},
    ledger::{Held, Ledger},
    lending::{Lending, LendingReport},
    mix::Mix,
    quotes::{QuoteReport, Quotes},
    stopwatch::Stopwatch,
    timeline::{Timeline, ask},
};

/// When the first task can arrive: a midnight far enough from the epoch for any history.
pub(super) const ORIGIN: Time = Time(20_000 * DAY.0);

const DAY: Millis = Millis::DAY;

/// The last moment that is simulated, if there is still something to happen: just before the 10,000 years are over after
/// which the first task that must not be preempted could be.
const LAST: Time = Time(ORIGIN.0 + FOR_GOOD.0 - 1);

/// What a simulation came to.
pub(super) struct End {
    pub(super) ledger: Ledger,
    /// Absent where no two tenants competed.
    pub(super) fairness: Option<FairnessReport>,
    /// Absent when no owner's load is known.
    pub(super) lending: Option<LendingReport>,
    /// Absent when none were asked for.
    pub(super) quotes: Option<QuoteReport>,
    pub(super) mix: Mix,
    pub(super) dimensions: Dimensions,
    pub(super) arrived: Arrived,
    pub(super) planning: Planning,
    pub(super) stopwatch: Stopwatch,
    /// Why tasks of a shape wait, for each that has some waiting.
    pub(super) reasons: BTreeMap<usize, Vec<PendingReason>>,
}

/// How things stood when the last batch had been decided.
pub(super) struct Arrived {
    pub(super) held: Held,
    /// By dimension, the mean of what was held since the first batch.
    pub(super) mean: Vec<u64>,
    pub(super) fragmentation: Vec<Option<u64>>,
}

/// A simulation under way.
struct Run<'i> {
    inputs: &'i Inputs,
    engine: Engine,
    now: Time,
    timeline: Timeline<'i>,
    mix: Mix,
    ledger: Ledger,
    lending: Lending,
    fairness: Fairness,
    forecaster: Forecaster,
    /// Bounds that the engine does not know yet.
    found: Vec<NodeBounds>,
    quotes: Quotes,
    planning: Planning,
    stopwatch: Stopwatch,
    /// By dimension, what was held times how long.
    held_millis: Vec<u128>,
}

/// The planner and what it took.
#[derive(Debug)]
pub(super) struct Planning {
    /// For each node or group of alike nodes; 0: there is no planner.
    pub(super) attempts: u32,
    pub(super) runs: u64,
    pub(super) took: Duration,
}

/// What may be spent on packing well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// For each node or group of alike nodes; 0: there is no planner.
    pub(super) planner_attempts: u32,
    /// For tasks that arrive together; 0: they are placed one by one.
    pub(super) batch_budget: Millis,
}

/// Lets all tasks arrive and everything happen that follows.
pub(super) fn run(
    inputs: &Inputs,
    policy: Policy,
    effort: Effort,
    quote_every: Option<Millis>,
) -> End {
    let dimensions = Dimensions::of(inputs);
    let mut order: Vec<usize> = (0..inputs.tasks.len()).collect();
    // The sort is stable: rows of the same time keep the order of the file.
    order.sort_by_key(|row| inputs.tasks[*row].submit);

    let mut run = Run::new(inputs, &dimensions, policy.job_retention, effort);
    run.accept(vec![ask(Command::SetPolicy(policy))]);
    run.learn_history();
    run.quotes = Quotes::new(quote_every);
    // What is due at the beginning itself, such as a first load sample, needs the nodes to be there.
    run.advance(Time(ORIGIN.0 - 1));
    run.pass_time(ORIGIN);
    run.accept(tenants(inputs));
    run.accept(vec![ask(Command::RegisterNodes(inputs.nodes.clone()))]);
    run.accept(calendars(inputs));
    // What the history taught is enough for a first plan.
    run.plan();
    for batch in order.chunk_by(|a, b| inputs.tasks[*a].submit == inputs.tasks[*b].submit) {
        run.advance(ORIGIN.after(inputs.tasks[batch[0]].submit));
        run.submit(batch);
        run.plan();
    }
    let arrived = run.arrived(&dimensions);
    let fairness = run.fairness.finish();
    let lending = run.lend_until_the_last_sample();
    run.advance(LAST);
    let reasons = run.reasons();
    let Run { ledger, mix, planning, stopwatch, quotes, .. } = run;
    let quotes = quotes.report();
    End {
        ledger,
        fairness,
        lending,
        quotes,
        mix,
        dimensions,
        arrived,
        planning,
        stopwatch,
        reasons,
    }
}

impl<'i> Run<'i> {
    /// A cell that is empty and begins whole days before the first task, so long that the history is over and forgotten.
    fn new(inputs: &'i Inputs, dimensions: &Dimensions, retention: Millis, effort: Effort) -> Self {
        let past = match inputs.history.last() {
            Some(last) => last.submit.0.saturating_add(retention.0).div_ceil(DAY.0) * DAY.0,
            None => 0,
        };
        let begin = Time(ORIGIN.0.saturating_sub(past));
        Self {
            inputs,
            engine: Engine::new(State::default(), begin).with_batch_budget(effort.batch_budget),
            now: begin,
            timeline: Timeline::new(inputs, ORIGIN),
            mix: Mix::of(&inputs.tasks, dimensions),
            ledger: Ledger::new(&inputs.tasks, dimensions.len(), inputs.nodes.len()),
            lending: Lending::new(inputs.nodes.len()),
            fairness: Fairness::new(ORIGIN),
            forecaster: Forecaster::default(),
            found: Vec::new(),
            quotes: Quotes::new(None),
            planning: Planning { attempts: effort.planner_attempts, runs: 0, took: Duration::ZERO },
            stopwatch: Stopwatch::default(),
            held_millis: vec![0; dimensions.len()],
        }
    }

    /// Submits what was asked for yesterday and cancels it at once, while there is no node: it is seen, and nothing
    /// of it stays.
    fn learn_history(&mut self) {
        if self.inputs.history.is_empty() {
            return;
        }
        let tenant = name(HISTORY);
        self.accept(vec![create(tenant.clone())]);
        let begin = self.now;
        for batch in self.inputs.history.chunk_by(|a, b| a.submit == b.submit) {
            self.advance(begin.after(batch[0].submit));
            // What is refused, such as more than can be counted, is not learned from.
            self.step(batch.iter().map(|row| submit(row, tenant.clone(), begin)).collect());
            let cancel = |row: &JobRow| {
                let target = Target { name: row.name.clone(), expected: None };
                ask(Command::CancelJob { tenant: tenant.clone(), target, grace: None })
            };
            self.step(batch.iter().map(cancel).collect());
        }
    }

    /// Submits rows that arrive together and steps until nothing is left to do now.
    fn submit(&mut self, batch: &[usize]) {
        let request = |row: &usize| {
            let row = &self.inputs.tasks[*row];
            submit(row, row.tenant.clone(), ORIGIN)
        };
        let requests = batch.iter().map(request).collect();
        let (mut step, mut taken) = self.timed_step(requests);
        for (row, reply) in batch.iter().zip(std::mem::take(&mut step.replies)) {
            self.ledger.answered(*row, reply);
        }
        self.follow(&step);
        while self.engine.next_wakeup().is_some_and(|due| due <= self.now) {
            let (step, more) = self.timed_step(Vec::new());
            taken += more;
            self.follow(&step);
        }
        self.stopwatch.record(taken);
    }

    /// Consults the planner if enough has changed. A server's planner works beside the engine and is seldom so prompt;
    /// here it takes no time of the simulated clock.
    fn plan(&mut self) {
        if self.planning.attempts == 0 {
            return;
        }
        let begun = Instant::now();
        let Some(problem) = self.engine.problem() else { return };
        for promises in problem.solve(self.planning.attempts) {
            self.accept(vec![ask(Command::Promise(promises))]);
        }
        self.planning.runs += 1;
        self.planning.took += begun.elapsed();
    }

    /// Lets everything happen that is due until then, each at its time.
    fn advance(&mut self, until: Time) {
        while let Some(next) = self.next_moment().filter(|next| *next <= until) {
            self.pass_time(next);
            let requests = self.timeline.take_due(self.now, self.engine.state());
            self.accept(requests);
            self.forecast();
            self.quote();
        }
        self.pass_time(until);
    }

    fn next_moment(&self) -> Option<Time> {
        let next = [self.engine.next_wakeup(), self.timeline.next(), self.quotes.next()];
        next.into_iter().flatten().min()
    }

    fn pass_time(&mut self, until: Time) {
        let until = until.max(self.now);
        self.fairness.pass(until, self.engine.state(), &self.timeline);
        let span = u128::from(until.since(self.now).0);
        for (sum, held) in self.held_millis.iter_mut().zip(&self.ledger.held.amounts) {
            *sum += u128::from(*held) * span;
        }
        self.now = until;
    }

    /// Steps with requests that cannot be refused, because the input was checked.
    fn accept(&mut self, requests: Vec<Request>) {
        for reply in self.step(requests).replies {
            reply.expect("invariant: checked input is accepted");
        }
    }

    fn step(&mut self, requests: Vec<Request>) -> Step {
        let step = self.engine.step(self.now, requests);
        self.follow(&step);
        step
    }

    fn timed_step(&mut self, requests: Vec<Request>) -> (Step, Duration) {
        let begun = Instant::now();
        let step = self.engine.step(self.now, requests);
        (step, begun.elapsed())
    }

    fn follow(&mut self, step: &Step) {
        for event in &step.batch.events {
            self.timeline.follow(event, self.now, self.engine.state());
        }
        self.ledger.follow(&step.batch.events, self.now, &self.mix);
        self.fairness.follow_events(&step.batch.events, self.now, self.engine.state());
        self.quotes.follow(&step.batch.events, self.now);
        self.lending.follow(&step.batch.events, self.now, self.engine.state());
        self.found.extend(self.forecaster.fold(&step.batch));
    }

    /// Tells the engine what the forecaster found. It takes no time of the simulated clock.
    fn forecast(&mut self) {
        if !self.found.is_empty() {
            let found = std::mem::take(&mut self.found);
            self.accept(vec![ask(Command::Forecast(found))]);
        }
    }

    /// Tells jobs that wait when they will start, if it is time. It takes no time of the simulated clock.
    fn quote(&mut self) {
        if self.quotes.next().is_some_and(|due| due <= self.now) {
            let command = self.quotes.quote(&self.engine, self.now);
            self.accept(vec![ask(command)]);
        }
    }

    /// What was lent while owners' load is known.
    fn lend_until_the_last_sample(&mut self) -> Option<LendingReport> {
        let last = ORIGIN.after(self.inputs.load.last()?.at);
        self.advance(last.max(self.now));
        self.lending.clone().report(self.now, self.engine.state())
    }

    fn arrived(&self, dimensions: &Dimensions) -> Arrived {
        let first = self.inputs.tasks.iter().map(|row| row.submit).min().unwrap_or_default();
        let span = u128::from(self.now.since(ORIGIN.after(first)).0);
        let held = self.ledger.held.clone();
        let mean = self.held_millis.iter().zip(&held.amounts).map(|(sum, held)| {
            // A single batch has no time to take a mean over.
            let mean = sum.checked_div(span).and_then(|mean| u64::try_from(mean).ok());
            mean.unwrap_or(*held)
        });
        let mean = mean.collect();
        let fragmentation = self.mix.fragmentation(self.engine.state(), dimensions);
        Arrived { held, mean, fragmentation }
    }

    /// Why tasks wait, asked once for each shape.
    fn reasons(&self) -> BTreeMap<usize, Vec<PendingReason>> {
        let state = self.engine.state();
        let (mut counted, mut reasons) = (Reasons::default(), BTreeMap::new());
        for (record, shape) in self.ledger.rows.iter().zip(&self.mix.of_row) {
            let Some(job) = record.job.filter(|_| record.waiting() > 0) else { continue };
            reasons.entry(*shape).or_insert_with(|| {
                let job = state.job(job).expect("invariant: a job with waiting tasks is kept");
                counted.explain(state, job)
            });
        }
        reasons
    }
}

/// Everyone who will ask for something: who the customers are is known beforehand, what they will ask for is not.
fn tenants(inputs: &Inputs) -> Vec<Request> {
    let known: BTreeSet<&Name> = inputs.tenants.iter().map(|spec| &spec.name).collect();
    let names: BTreeSet<&Name> = inputs.tasks.iter().map(|row| &row.tenant).collect();
    let described =
        inputs.tenants.iter().map(|spec| ask(Command::CreateTenant(Box::new(spec.clone()))));
    let others = names.difference(&known).map(|name| create((*name).clone()));
    described.chain(others).collect()
}

/// What owners say beforehand about when they want their nodes back.
fn calendars(inputs: &Inputs) -> Vec<Request> {
    let calendar = |(owner, held): (&Name, &Vec<HeldWindows>)| {
        let (mut entries, mut list) = (Vec::new(), Vec::new());
        for (entry, held) in (0..).zip(held) {
            // The engine goes by the windows; clocks and days are for people.
            entries.push(CalendarEntry {
                name: name(&format!("row-{entry}")),
                when: When::Once { start: WallTime::default(), end: WallTime::default() },
                time_zone: "UTC".into(),
                share: held.share,
                regions: held.regions.clone(),
                labels: Labels::new(),
            });
            let stretches = held.stretches.iter();
            list.extend(stretches.map(|(start, end)| Window {
                start: ORIGIN.after(*start),
                end: ORIGIN.after(*end),
                entry,
            }));
        }
        list.sort_unstable();
        let windows = Windows { through: LAST, list };
        let patch = OwnerPatch { calendar: Some((entries, windows)), ..OwnerPatch::default() };
        let target = Target { name: owner.clone(), expected: None };
        ask(Command::UpdateOwner { target, patch: Box::new(patch) })
    };
    inputs.windows.iter().map(calendar).collect()
}

fn create(name: Name) -> Request {
    ask(Command::CreateTenant(Box::new(TenantSpec {
        name,
        parent: Name::default(),
        quota: Quota::default(),
        guarantee: Resources::default(),
        weight: 1,
        priority_ceiling: Priority(i32::MAX),
        labels: Labels::new(),
        budget: Default::default(),
        annotations: Default::default(),
    })))
}

fn submit(row: &JobRow, tenant: Name, origin: Time) -> Request {
    ask(Command::SubmitJob { tenant, name: row.name.clone(), spec: row.job(origin) })
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("invariant: it is a name")
}
