//! Random commands against a small cell. After every step the naive model must agree, the invariants hold, nothing
//! that could be placed waits, the ledger is what a second one says, why tasks wait is what a scan of all nodes says, a
//! fresh engine has nothing to add, and what a fork foretells comes true.

mod fairness;
mod ledger;
mod naive;
mod ops;
mod reasons;
mod starts;
mod what_if;

use ledger::Ledger;
use naive::Naive;
use offpeak_core::{
    command::{Command, Outcome, Request},
    engine::{Ahead, Engine},
    event::Batch,
    model::{Millis, Time},
    quote::quotes,
    rejection::Rejection,
    scheduler::Reasons,
    state::State,
};
use ops::{Op, of_known_kinds, ops};
use proptest::prelude::{ProptestConfig, any, proptest};

/// Steps that may follow each other at one time.
const STEPS_AT_ONE_TIME: usize = 20;

struct Run {
    engine: Engine,
    folded: State,
    reasons: Reasons,
    naive: Naive,
    ledger: Ledger,
    now: Time,
    batches: Vec<Batch>,
}

impl Run {
    fn new() -> Self {
        let now = Time(480_000 * Millis::HOUR.0);
        Self {
            engine: Engine::new(State::default(), now),
            folded: State::default(),
            reasons: Reasons::default(),
            naive: Naive::default(),
            ledger: Ledger::default(),
            now,
            batches: Vec::new(),
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Restart => self.engine = Engine::new(self.engine.state().clone(), self.now),
            Op::Plan => {
                let promises = self.engine.problem().map(|problem| problem.solve(20));
                let command = Command::Promise;
                let ask = |command| Request { command, request_id: None, validate_only: false };
                self.foretold_step(promises.into_iter().flatten().map(command).map(ask).collect());
            }
            Op::Quote => {
                let fork = self.engine.fork(self.now);
                let wanted = self.naive.waiting().collect();
                let found = quotes(&fork, &wanted, Ahead { steps: 30, ..Ahead::default() });
                assert_eq!(found, quotes(&fork, &wanted, Ahead { steps: 30, ..Ahead::default() }));
                let kept = found.iter().map(|(id, foreseen)| (*id, foreseen.quote)).collect();
                let command = Command::Quote(kept);
                self.foretold_step(vec![Request {
                    command,
                    request_id: None,
                    validate_only: false,
                }]);
            }
            Op::Wait(seconds) => self.advance(self.now.after(Millis(u64::from(*seconds) * 1000))),
            op => {
                let requests = op.requests(&self.folded, &self.naive, self.now);
                self.foretold_step(requests);
            }
        }
        self.settle();
        self.ledger.check(&self.folded, self.now);
        self.check_advice();
    }

    fn advance(&mut self, until: Time) {
        while let Some(due) = self.engine.next_wakeup().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = until;
    }

    fn step(&mut self, requests: Vec<Request>) -> Vec<Result<Outcome, Rejection>> {
        let step = self.engine.step(self.now, requests);
        self.naive.fold(&step.batch);
        self.ledger.fold(&step.batch);
        self.folded.fold(&step.batch);
        self.engine.check_invariants();
        self.folded.check_invariants();
        self.naive.check_limits();
        self.check_reasons();
        self.batches.push(step.batch);
        step.replies
    }

    /// Steps until nothing is left to do now.
    fn settle(&mut self) {
        for _ in 0..STEPS_AT_ONE_TIME {
            self.step(Vec::new());
            if self.engine.next_wakeup().is_none_or(|due| due > self.now) {
                self.naive.check_work_is_conserved();
                // Movers are looked at again within a second of whatever happens.
                let soon = self.now.after(Millis::SECOND);
                if self.engine.next_wakeup().is_none_or(|due| due > soon) {
                    self.naive.check_movers_have_moved();
                }
                self.check_fresh_engine();
                return;
            }
        }
        panic!("the engine never comes to rest");
    }

    /// What is kept of earlier questions is as good as a scan.
    fn check_reasons(&mut self) {
        for id in self.naive.waiting() {
            let job = self.folded.job(id).expect("a job");
            assert_eq!(self.reasons.explain(&self.folded, job), self.naive.reasons(id), "{job:?}");
        }
    }

    /// Another engine may choose other nodes for a gang to count on; in all else it has nothing to add.
    fn check_fresh_engine(&self) {
        if self.naive.waiting_gang().is_some() {
            return;
        }
        let mut fresh = Engine::new(self.engine.state().clone(), self.now);
        let events = fresh.step(self.now, Vec::new()).batch.events;
        assert!(events.is_empty(), "a fresh engine adds {events:?}");
    }

    fn finish(self) -> Vec<Batch> {
        self.ledger.check(&self.folded, self.now.after(ledger::LONG));
        assert_eq!(format!("{:?}", self.folded), format!("{:?}", self.engine.state()));
        self.batches
    }
}

fn run(ops: &[Op]) -> Vec<Batch> {
    let mut run = Run::new();
    ops.iter().for_each(|op| run.op(op));
    run.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_allowed_and_no_work_waits_that_fits(ops in ops(true)) {
        run(&ops);
    }

    #[test]
    fn the_same_commands_give_the_same_batches(ops in ops(false)) {
        assert_eq!(run(&ops), run(&ops));
    }
}

/// Fewer, because what is rare elsewhere is in each of them.
const DEMAND_CASES: u32 = 32;
const KNOWN_CASES: u32 = 64;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(DEMAND_CASES)
    })]

    #[test]
    fn what_demand_makes_of_prices_is_charged(ops in ops(true), seed in any::<u8>()) {
        run(&following_demand(&ops, seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(KNOWN_CASES)
    })]

    #[test]
    fn what_is_only_expected_to_end_is_planned_by_and_never_relied_upon(ops in ops(true)) {
        run(&of_known_kinds(&ops));
    }
}

/// With prices that follow demand from the start, and time enough for them to do so.
fn following_demand(ops: &[Op], seed: u8) -> Vec<Op> {
    let mut all = vec![Op::Prices(seed | 3)];
    for some in ops.chunks(4) {
        all.extend_from_slice(some);
        all.push(Op::Wait(301));
    }
    all
}
