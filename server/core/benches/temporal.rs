//! How much of a day's idle capacity becomes complete work: `cargo bench -p offpeak-core --bench temporal -- FILE...` plays
//! instances of temporal packing against the engine, scores what came of it, and writes each solution beside its file name
//! in the current folder. With `--test` a small one, once.
//!
//! Each node has an owner of its own, whose calendar says by slot what is expected of it: that is all the engine knows of
//! the future. At the beginning of a slot it gets the owners' true load, the work that comes, and the rest of work that was
//! taken back and resumes. It is stepped at these times only, for in an instance nothing happens between them.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

mod days;

use std::{collections::BTreeMap, fs, sync::Arc};

use days::{Amounts, Day, Node, Solution, Work};
use offpeak_core::{
    command::{Command, LoadReport, OwnerPatch, Request, Target},
    engine::Engine,
    event::Event,
    model::{
        Bounds, CalendarEntry, Constraints, HeldShare, JobId, JobSpec, Labels, Millis, Name,
        NodeBounds, NodeSpec, Priority, Quota, Resources, TaskEnd, TenantSpec, Time, WallTime,
        When, Window, Windows,
    },
    state::State,
};

/// A midnight.
const BEGIN: Time = Time(20_000 * Millis::DAY.0);

/// What a run takes less than its slots: owners get their nodes a minute before a window, and decisions take a moment.
const LESS: Millis = Millis(90 * Millis::SECOND.0);

/// After what is known at the beginning of a slot is told, the engine is asked so often what more it decides.
const ROUNDS: [Millis; 3] =
    [Millis(10 * Millis::SECOND.0), Millis(20 * Millis::SECOND.0), Millis(28 * Millis::SECOND.0)];

/// A piece of work on its way.
#[derive(Default)]
struct Progress {
    /// Of the last submission.
    job: Option<JobId>,
    /// How often it was submitted.
    submissions: usize,
    /// Where it is now, since when.
    running: Option<(usize, usize)>,
    runs: Vec<(usize, usize, usize)>,
    done: usize,
    complete: bool,
}

struct Play<'d> {
    day: &'d Day,
    engine: Engine,
    progress: Vec<Progress>,
    by_job: BTreeMap<JobId, usize>,
    evictions: usize,
    slots_lost: usize,
    plans: usize,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn ask(command: Command) -> Request {
    Request { command, request_id: None, validate_only: false }
}

fn resources([cpu, memory, gpus]: Amounts) -> Resources {
    Resources {
        cpu_millis: cpu,
        memory_bytes: memory << 20,
        gpu_millis: gpus * 1000,
        ..Resources::default()
    }
}

fn node_spec(at: usize, node: &Node) -> NodeSpec {
    let has_gpus = node.capacity[2] > 0;
    NodeSpec {
        name: name(&format!("node-{at}")),
        owner: name(&format!("owner-{at}")),
        region: name("here"),
        zone: Name::default(),
        labels: Labels::new(),
        taints: Vec::new(),
        capacity: resources(node.capacity),
        gpu_model: if has_gpus { name("gpu") } else { Name::default() },
        reservation: Resources::default(),
        report_ttl: None,
        annotations: Default::default(),
    }
}

/// What is expected of an owner, a window a slot.
fn calendar(day: &Day, node: &Node) -> OwnerPatch {
    let (mut entries, mut list) = (Vec::new(), Vec::new());
    for (slot, left) in node.forecast.iter().enumerate() {
        let share = |at: usize, up: u64| {
            let (all, held) = (node.capacity[at], node.capacity[at] - left[at]);
            let permille = (held * 1000 + up * all.saturating_sub(1)).checked_div(all);
            u16::try_from(permille.unwrap_or(0)).expect("at most 1000")
        };
        // Devices are rounded up again when the share comes to a node.
        let (cpu, memory, gpu) = (share(0, 1), share(1, 1), share(2, 0));
        entries.push(CalendarEntry {
            name: name(&format!("slot-{slot}")),
            when: When::Once { start: WallTime(0), end: WallTime(1) },
            time_zone: "UTC".into(),
            share: HeldShare { cpu, memory, gpu, ..HeldShare::of_all(0) },
            regions: Vec::new(),
            labels: Labels::new(),
        });
        let (start, end) = (begins(day, slot), begins(day, slot + 1));
        list.push(Window { start, end, entry: u32::try_from(slot).expect("few") });
    }
    OwnerPatch {
        calendar: Some((entries, Windows { through: begins(day, day.slots), list })),
        ..OwnerPatch::default()
    }
}

fn begins(day: &Day, slot: usize) -> Time {
    BEGIN.after(Millis(slot as u64 * day.slot_minutes * Millis::MINUTE.0))
}

impl<'d> Play<'d> {
    fn new(day: &'d Day) -> Self {
        let before = Time(BEGIN.0 - Millis::MINUTE.0);
        let mut engine = Engine::new(State::default(), before);
        let tenant = TenantSpec {
            name: name("tenant"),
            quota: Quota::default(),
            weight: 1,
            priority_ceiling: Priority(0),
            labels: Labels::new(),
            annotations: Default::default(),
            budget: Default::default(),
            guarantee: Resources::default(),
            parent: Name::default(),
        };
        let nodes = day.nodes.iter().enumerate();
        let specs = nodes.clone().map(|(at, node)| node_spec(at, node)).collect();
        let mut requests =
            vec![ask(Command::CreateTenant(Box::new(tenant))), ask(Command::RegisterNodes(specs))];
        requests.extend(nodes.map(|(at, node)| {
            let target = Target { name: name(&format!("owner-{at}")), expected: None };
            ask(Command::UpdateOwner { target, patch: Box::new(calendar(day, node)) })
        }));
        for reply in engine.step(before, requests).replies {
            reply.expect("it is accepted");
        }
        // What owners use at this moment says nothing of the slots to come: the calendars do.
        let unused = Arc::new(Bounds::default());
        let bounds = engine.state().nodes().map(|node| node.id);
        let bounds = bounds.map(|node| NodeBounds { node, bounds: Arc::clone(&unused) }).collect();
        engine.step(before, vec![ask(Command::Forecast(bounds))]);
        Self {
            day,
            engine,
            progress: day.work.iter().map(|_| Progress::default()).collect(),
            by_job: BTreeMap::new(),
            evictions: 0,
            slots_lost: 0,
            plans: 0,
        }
    }

    fn slot(&mut self, slot: usize) {
        let (day, now) = (self.day, begins(self.day, slot));
        let loads = day.nodes.iter().enumerate().map(|(at, node)| {
            let [cpu, memory, gpus] =
                std::array::from_fn(|r| node.capacity[r] - node.idle[slot][r]);
            let load = resources([cpu, memory, gpus]);
            LoadReport { node: name(&format!("node-{at}")), time: None, load }
        });
        // Of a slot that is here the load tells, and no expectation.
        let state = self.engine.state();
        let passed = state.owners().map(|owner| {
            let mut windows = owner.windows.as_ref().clone();
            windows.list.retain(|window| window.start > now);
            ask(Command::RenewWindows {
                owner: owner.spec.name.clone(),
                of: owner.revision,
                windows,
            })
        });
        let mut requests: Vec<Request> = passed.collect();
        requests.push(ask(Command::ReportLoad(loads.collect())));
        let arriving = (0..day.work.len()).filter(|at| day.work[*at].release == slot);
        let arriving: Vec<usize> = arriving.collect();
        requests.extend(arriving.into_iter().filter_map(|at| self.submit(at, now)));
        let mut resuming = self.step(slot, now, requests);
        for round in ROUNDS {
            let now = now.after(round);
            let again = resuming.into_iter().flat_map(|at| self.resubmit(at, now)).collect();
            resuming = self.step(slot, now, again);
        }
    }

    /// Lets the engine decide, and gives back what was taken back and resumes.
    fn step(&mut self, slot: usize, now: Time, requests: Vec<Request>) -> Vec<usize> {
        let step = self.engine.step(now, requests);
        for reply in step.replies {
            reply.expect("it is accepted");
        }
        let mut resuming = Vec::new();
        for event in &step.batch.events {
            match event {
                Event::JobSubmitted { id, name, .. } => {
                    let at = name.as_str().split('.').next().and_then(|at| at.parse().ok());
                    let at: usize = at.expect("named after its place");
                    self.by_job.insert(*id, at);
                    self.progress[at].job = Some(*id);
                }
                Event::TasksPlaced { job, placements } => {
                    let node = usize::try_from(placements[0].node.0).expect("small");
                    self.progress[self.by_job[job]].running = Some((node, slot));
                }
                Event::TaskEnded { at, end, .. } => self.ended(at.job, slot, *end),
                Event::TaskEvicted { at, .. } => {
                    let at = self.by_job[&at.job];
                    self.evicted(at, slot);
                    if self.day.work[at].resumes {
                        resuming.push(at);
                    }
                }
                Event::StartPlanned { .. } => self.plans += 1,
                _ => {}
            }
        }
        resuming
    }

    /// A task runs for as long as it may, and is complete then.
    fn ended(&mut self, job: JobId, slot: usize, end: TaskEnd) {
        let progress = &mut self.progress[self.by_job[&job]];
        let running = progress.running.take();
        if let Some((node, first)) = running.filter(|_| end == TaskEnd::TimedOut) {
            progress.runs.push((node, first, slot - 1));
            progress.complete = true;
        }
    }

    fn evicted(&mut self, at: usize, slot: usize) {
        let progress = &mut self.progress[at];
        let (node, first) = progress.running.take().expect("it was running");
        self.evictions += 1;
        if !self.day.work[at].resumes {
            self.slots_lost += slot - first;
        } else if slot > first {
            progress.runs.push((node, first, slot - 1));
            progress.done += slot - first;
        }
    }

    /// The rest of the work as a job, unless it can no longer be complete.
    fn submit(&mut self, at: usize, now: Time) -> Option<Request> {
        let (work, progress): (&Work, &mut Progress) = (&self.day.work[at], &mut self.progress[at]);
        let rest = work.slots - progress.done + self.day.overhead * progress.runs.len();
        let run = Millis(rest as u64 * self.day.slot_minutes * Millis::MINUTE.0 - LESS.0);
        let complete_by = begins(self.day, work.deadline);
        if now.after(run) >= complete_by {
            return None;
        }
        let spec = JobSpec {
            count: 1,
            request: resources(work.demand),
            constraints: Constraints::default(),
            priority: Priority(0),
            min_runtime: if work.resumes { Millis(0) } else { run },
            max_runtime: Some(run),
            deadline: None,
            complete_by: Some(complete_by),
            gang: false,
            labels: Labels::new(),
            notice: None,
            on_notice: Default::default(),
            extras: Default::default(),
        };
        progress.submissions += 1;
        let name = name(&format!("{at}.{}", progress.submissions));
        Some(ask(Command::SubmitJob { tenant: self::name("tenant"), name, spec: Arc::new(spec) }))
    }

    fn resubmit(&mut self, at: usize, now: Time) -> Vec<Request> {
        let name = name(&format!("{at}.{}", self.progress[at].submissions));
        let job = self.progress[at].job.and_then(|id| self.engine.state().job(id));
        let cancel = job.filter(|job| job.ended.is_none()).map(|_| {
            let target = Target { name, expected: None };
            ask(Command::CancelJob { tenant: self::name("tenant"), target, grace: None })
        });
        cancel.into_iter().chain(self.submit(at, now)).collect()
    }

    fn solution(&self) -> Solution {
        let complete = self.progress.iter().enumerate().filter(|(_, progress)| progress.complete);
        complete.map(|(at, progress)| (at, progress.runs.clone())).collect()
    }
}

fn play<'d>(day: &'d Day, what: &str) -> Play<'d> {
    let mut play = Play::new(day);
    for slot in 0..day.slots {
        play.slot(slot);
    }
    // What ends with the day.
    play.step(day.slots, begins(day, day.slots), Vec::new());
    let solution = play.solution();
    let (value, work) = (day.score(&solution), day.work.len());
    let Play { evictions, slots_lost, plans, .. } = &play;
    println!(
        "{what}: value {value:.3}, complete {} of {work}, evictions {evictions}, slots lost {slots_lost}, \
         starts planned or moved {plans}",
        solution.len()
    );
    play
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if files.is_empty() {
        let day = Day::small();
        let complete = play(&day, "small").solution().len();
        assert!(complete > 10, "work is done in the valleys");
    }
    for file in files {
        let day = Day::read(&file);
        let solution = play(&day, &file).solution();
        let stem = file.rsplit('/').next().and_then(|name| name.split('.').next());
        let path = format!("{}.solution.json", stem.unwrap_or("day"));
        let text = serde_json::to_string(&solution).expect("numbers");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}
