//! A small language for cells: a scenario goes in line by line, what happens comes out as text.
//!
//! Each line is echoed after `>` and followed by the refusal or the events that it led to. After every step the
//! state's invariants hold and a fresh engine finds nothing to do in it; at the end a second state that folded the
//! batches is the same.

mod money;
pub(crate) mod parse;
mod print;

use offpeak_core::{
    command::{Command, Request, TaskOutcome, TaskReport},
    engine::{Ahead, Engine},
    model::{AllocationId, Job, Millis, TaskIndex, TaskPhase, Time},
    quote::quotes,
    scheduler::Reasons,
    state::State,
};
use print::Printer;

/// Every scenario begins at this full hour.
pub(crate) const START: Time = Time(480_000 * Millis::HOUR.0);

/// A cell that is played line by line.
pub(crate) struct World {
    engine: Engine,
    folded: State,
    reasons: Reasons,
    now: Time,
    text: String,
}

/// Plays the lines and gives back what happened.
pub(crate) fn play(scenario: &str) -> String {
    let mut world = World::new();
    for line in scenario.lines().map(str::trim).filter(|line| !line.is_empty()) {
        world.line(line);
    }
    world.finish()
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            engine: Engine::new(State::default(), START),
            folded: State::default(),
            reasons: Reasons::default(),
            now: START,
            text: String::new(),
        }
    }

    pub(crate) fn state(&self) -> &State {
        self.engine.state()
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text += &format!("> {line}\n");
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "at" => self.advance(START.after(parse::span(rest))),
            "restart" => self.engine = Engine::new(self.engine.state().clone(), self.now),
            "why" => {
                let state = self.engine.state();
                let reasons = self.reasons.explain(state, job(state, rest));
                let lines: Vec<String> = reasons.iter().map(print::reason).collect();
                lines.iter().for_each(|line| self.say(line));
            }
            "show" => {
                let node = self.engine.state().node_named(rest).expect("a node");
                let line = print::node(node);
                self.say(&line);
            }
            "bill" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let lines = money::bill(self.engine.state(), &words, self.now);
                lines.iter().for_each(|line| self.say(line));
            }
            "cost" => {
                let line =
                    money::cost(self.engine.state(), job(self.engine.state(), rest), self.now);
                self.say(&line);
            }
            "scorecard" => {
                let owner = self.engine.state().owner(&parse::name(rest)).expect("an owner");
                let lines = print::scorecards(owner, self.now);
                lines.iter().for_each(|line| self.say(line));
            }
            "quote" => {
                let fork = self.engine.fork(self.now);
                let jobs = rest.split_whitespace().map(|text| job(fork.state(), text).id);
                let found = quotes(&fork, &jobs.collect(), Ahead::default());
                let kept = found.iter().map(|(id, foreseen)| (*id, foreseen.quote)).collect();
                self.ask(Command::Quote(kept));
            }
            "record" => {
                let line = print::record(self.engine.state().quotes().record());
                self.say(&line);
            }
            "status" => {
                let state = self.engine.state();
                let job = job(state, rest);
                let mut line =
                    format!("{:?} {:?} evictions: {}", job.state(), job.counts, job.evictions);
                if let Some((by, _)) = state.preempted(job.id) {
                    line += &format!(", preempted for {}/{}", by.tenant, by.name);
                }
                self.say(&line);
            }
            "start" | "succeed" | "fail" | "release" => {
                let outcome = match verb {
                    "start" => TaskOutcome::Started,
                    "succeed" => TaskOutcome::Succeeded,
                    "release" => TaskOutcome::Released,
                    _ => TaskOutcome::Failed,
                };
                let report = |task: &str| TaskReport {
                    allocation: allocation(self.engine.state(), task),
                    outcome,
                    message: "".into(),
                };
                let reports = rest.split_whitespace().map(report).collect();
                self.ask(Command::ReportTasks(reports));
            }
            _ => {
                let policy = self.engine.state().policy().clone();
                self.step(Some(parse::request(line, START, self.now, &policy)));
            }
        }
    }

    fn ask(&mut self, command: Command) {
        self.step(Some(Request { command, request_id: None, validate_only: false }));
    }

    fn say(&mut self, line: &str) {
        self.text += &format!("  {line}\n");
    }

    /// Lets everything happen that is due until then, each at its time.
    fn advance(&mut self, until: Time) {
        assert!(until >= self.now, "time goes on");
        while let Some(due) = self.engine.next_wakeup().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.step(None);
        }
        self.now = until;
        self.step(None);
    }

    fn step(&mut self, request: Option<Request>) {
        let asks_for_replay = request.as_ref().is_some_and(|r| r.request_id.is_some());
        let advancing = request.is_none();
        let step = self.engine.step(self.now, request.into_iter().collect());
        for reply in &step.replies {
            match reply {
                Err(rejection) => self.say(&format!("refused: {rejection}")),
                Ok(outcome) => {
                    if asks_for_replay {
                        self.say(&format!("answer of revision {}", outcome.revision));
                    }
                    if let Some(line) = print::detail(&outcome.detail) {
                        self.say(&line);
                    }
                }
            }
        }
        let before = self.folded.clone();
        self.folded.fold(&step.batch);
        let printer = Printer { before: &before, after: &self.folded, start: START };
        let lines: Vec<String> =
            step.batch.events.iter().flat_map(|event| printer.event(event)).collect();
        let time = print::span(self.now.since(START));
        for line in lines {
            self.say(&if advancing { format!("{time} {line}") } else { line });
        }
        self.engine.check_invariants();
        self.check_settled();
    }

    /// Planning an unchanged state does nothing.
    fn check_settled(&self) {
        if self.engine.next_wakeup().is_some_and(|due| due <= self.now) {
            return;
        }
        let mut fresh = Engine::new(self.engine.state().clone(), self.now);
        let step = fresh.step(self.now, Vec::new());
        assert!(step.batch.events.is_empty(), "a fresh engine adds {:?}", step.batch.events);
    }

    fn finish(self) -> String {
        assert_eq!(
            format!("{:?}", self.folded),
            format!("{:?}", self.engine.state()),
            "what was folded is what was decided"
        );
        self.text
    }
}

fn job<'a>(state: &'a State, text: &str) -> &'a Job {
    let (tenant, job) = text.split_once('/').expect("tenant/job");
    let tenant = state.tenant_named(tenant).expect("a tenant");
    state.job_named(tenant.id, &parse::name(job)).expect("a job")
}

/// The allocation of `tenant/job/task`, or one that is not live if the task is not placed.
fn allocation(state: &State, text: &str) -> AllocationId {
    let (of, task) = text.rsplit_once('/').expect("tenant/job/task");
    match job(state, of).task(TaskIndex(task.parse().expect("a number"))).phase {
        TaskPhase::Placed(id) => id,
        _ => AllocationId(u64::MAX / 2),
    }
}
