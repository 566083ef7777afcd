use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use offpeak_core::{
    command::{Command, Request},
    engine::Engine,
    planner::{Problem, Promises},
};

use super::queue::{Queue, Refused};
use crate::{config::Config, telemetry::Metrics};

/// Tasks of all kinds that are planned for, on average, on a site. Smaller ones fill any gap without a plan.
const TASKS_PER_SITE: u64 = 64;

/// The planner's thread: it solves problems beside the engine. It has a share of one core, and what the engine does for
/// it counts: after each piece of work it rests.
pub(super) struct Planner {
    queue: Arc<Queue>,
    problems: Receiver<Stated>,
    idle: Arc<AtomicBool>,
    attempts_per_site: u32,
    budget: Duration,
    share_percent: u32,
    metrics: Metrics,
}

/// Where the engine lays problems down, one at a time.
pub(super) struct Desk {
    problems: SyncSender<Stated>,
    /// The planner waits for a problem.
    idle: Arc<AtomicBool>,
    metrics: Metrics,
}

/// A problem and how long the engine took to state it.
struct Stated {
    problem: Problem,
    took: Duration,
}

impl Desk {
    /// Hands the engine's problem to the planner if both have time for one.
    pub(super) fn offer(&self, engine: &mut Engine) {
        if !self.idle.load(Ordering::Acquire) {
            return;
        }
        let started = Instant::now();
        let Some(problem) = engine.problem() else { return };
        let took = started.elapsed();
        self.metrics.stated(took);
        self.lay(Stated { problem, took });
    }

    fn lay(&self, stated: Stated) {
        self.idle.store(false, Ordering::Release);
        // Who waits for a problem has room for it. A planner that is gone has been reported by its guard.
        let _ = self.problems.try_send(stated);
    }
}

impl Planner {
    /// A planner and its desk, unless it is switched off.
    pub(super) fn new(
        config: &Config,
        queue: &Arc<Queue>,
        metrics: &Metrics,
    ) -> Option<(Self, Desk)> {
        if config.planner_attempts == 0 {
            return None;
        }
        let (tx, rx) = sync_channel(1);
        let idle = Arc::new(AtomicBool::new(false));
        let planner = Self {
            queue: Arc::clone(queue),
            problems: rx,
            idle: Arc::clone(&idle),
            attempts_per_site: config.planner_attempts,
            budget: config.planner_budget.0,
            share_percent: config.planner_share_percent,
            metrics: metrics.clone(),
        };
        Some((planner, Desk { problems: tx, idle, metrics: metrics.clone() }))
    }

    /// Solves problems until the engine is gone or the queue is closed.
    pub(super) fn run(self) {
        loop {
            self.idle.store(true, Ordering::Release);
            // Enough may have changed meanwhile, and an engine that sleeps would not tell.
            self.queue.wake();
            let Ok(Stated { problem, took }) = self.problems.recv() else { return };
            if self.plan(problem, took).is_err() {
                return;
            }
        }
    }

    /// Solves a problem, which took the engine so long to state, and hands over the promises piece by piece, so that
    /// others come between.
    fn plan(&self, mut problem: Problem, stating: Duration) -> Result<(), Refused> {
        let started = Instant::now();
        leave_out_countless(&mut problem);
        let pieces = self.solve(&problem);
        drop(problem);
        let solving = started.elapsed();
        self.metrics.planned(solving);
        for promises in pieces {
            let started = Instant::now();
            let command = Command::Promise(promises);
            self.queue.push_aside(Request { command, request_id: None, validate_only: false })?;
            // An upper bound: the step may have had more to do.
            self.rest_after(started.elapsed())?;
        }
        self.rest_after(stating + solving)
    }

    /// Solves with as many attempts as can be afforded: what one takes depends on how many tasks a site holds.
    fn solve(&self, problem: &Problem) -> Vec<Promises> {
        let started = Instant::now();
        let first = problem.solve(1);
        let attempts = affordable(self.budget, started.elapsed()).min(self.attempts_per_site);
        if attempts > 1 { problem.solve(attempts) } else { first }
    }

    fn rest_after(&self, worked: Duration) -> Result<(), Refused> {
        // Nothing is stated meanwhile, but the engine may go.
        match self.problems.recv_timeout(rest(worked, self.share_percent)) {
            Err(RecvTimeoutError::Disconnected) => Err(Refused::Closed),
            _ => Ok(()),
        }
    }
}

/// Expects nothing of the kinds of tasks that would be most on a site, until the others are few enough.
fn leave_out_countless(problem: &mut Problem) {
    let mut room = TASKS_PER_SITE.saturating_mul(problem.sites.len() as u64);
    let mut order: Vec<usize> = (0..problem.demands.len()).collect();
    order.sort_unstable_by_key(|at| (problem.demands[*at].wanted, *at));
    for at in order {
        let wanted = &mut problem.demands[at].wanted;
        match room.checked_sub(u64::from(*wanted)) {
            Some(left) => room = left,
            None => *wanted = 0,
        }
    }
}

/// How often something that takes so long can be done.
fn affordable(budget: Duration, each: Duration) -> u32 {
    u32::try_from(budget.as_nanos() / each.as_nanos().max(1)).unwrap_or(u32::MAX)
}

/// How long to rest after having worked, so that all the work is this share of the time.
pub(super) fn rest(worked: Duration, share_percent: u32) -> Duration {
    worked.saturating_mul(100_u32.saturating_sub(share_percent)) / share_percent.max(1)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        thread,
        time::Duration,
    };

    use offpeak_core::{
        command::{Command, Request},
        model::{NodeId, Revision},
        planner::{Demand, Problem, Site},
        scheduler::ShapeId,
    };

    use super::{Desk, Planner, Stated, affordable, leave_out_countless, rest};
    use crate::{
        config::Config,
        driver::{FatalError, OnFatal, fatal::Guard, queue::Queue},
        telemetry::Metrics,
        view::Progress,
    };

    /// A planner of a queue, and its desk once it waits there.
    fn started(queue: &Arc<Queue>, on_fatal: &OnFatal) -> (thread::JoinHandle<()>, Desk) {
        let config = Config { planner_attempts: 1, ..Config::default() };
        let made = Planner::new(&config, queue, &Metrics::new());
        let (planner, desk) = made.expect("it is on");
        let guard = Guard::new("planner", on_fatal, queue, &Progress::new(Revision(0)));
        let thread = thread::spawn(move || {
            let _guard = guard;
            planner.run();
        });
        assert!(queue.take(9, Duration::MAX).expect("open").requests.is_empty(), "a wake");
        (thread, desk)
    }

    fn stated(nodes: u32, kind: u32) -> Stated {
        let site = |node| Site {
            nodes: vec![NodeId(node)],
            kind,
            free: [1].into(),
            devices: [].into(),
            lendable: 0,
            promised: Vec::new(),
        };
        let sites = (0..nodes).map(site).collect();
        let problem = Problem { demands: Vec::new(), sites, dropped_shapes: 0, number: 1 };
        Stated { problem, took: Duration::ZERO }
    }

    fn nothing_fatal() -> OnFatal {
        Arc::new(|error| panic!("{error}"))
    }

    #[test]
    fn a_plan_goes_to_the_engine_in_pieces() {
        let queue = Arc::new(Queue::new(1));
        let (planner, desk) = started(&queue, &nothing_fatal());
        desk.lay(stated(1_000, 0));
        let mut pieces = 0;
        while let Some(taken) = queue.take(9, Duration::MAX).filter(|t| !t.requests.is_empty()) {
            assert!(matches!(taken.requests[..], [Request { command: Command::Promise(_), .. }]));
            pieces += 1;
        }
        assert!(pieces > 10, "{pieces}");
        drop(desk);
        planner.join().expect("no panic");
    }

    #[test]
    fn tasks_too_small_to_count_are_left_out() {
        let Stated { mut problem, .. } = stated(10, 0);
        let demand = |wanted| Demand {
            shape: ShapeId::default(),
            amounts: [1].into(),
            gpu_share: 0,
            gpu_devices: 0,
            wanted,
            worth: 1,
            allowed: [true].into(),
        };
        problem.demands = [300, 1_000_000, 200, 400].map(demand).into();
        leave_out_countless(&mut problem);
        let wanted: Vec<u32> = problem.demands.iter().map(|demand| demand.wanted).collect();
        assert_eq!(wanted, [300, 0, 200, 0]);
    }

    #[test]
    fn attempts_are_as_many_as_the_budget_affords() {
        assert_eq!(affordable(Duration::from_secs(1), Duration::from_millis(30)), 33);
        assert_eq!(affordable(Duration::from_millis(1), Duration::from_millis(30)), 0);
        assert_eq!(affordable(Duration::MAX, Duration::ZERO), u32::MAX);
    }

    #[test]
    fn a_planner_rests_as_its_share_demands() {
        let second = Duration::from_secs(1);
        assert_eq!(rest(second, 20), 4 * second);
        assert_eq!(rest(second, 100), Duration::ZERO);
        assert_eq!(rest(Duration::MAX, 1), Duration::MAX);
    }

    #[test]
    fn a_planner_that_rests_ends_with_the_engine() {
        let queue = Arc::new(Queue::new(1));
        let (planner, desk) = started(&queue, &nothing_fatal());
        desk.lay(Stated { took: Duration::from_secs(86_400), ..stated(1, 0) });
        assert_eq!(queue.take(9, Duration::MAX).expect("open").requests.len(), 1);
        assert!(queue.take(9, Duration::ZERO).expect("open").requests.is_empty());
        drop(desk);
        planner.join().expect("no panic");
    }

    #[test]
    fn a_planner_with_more_to_say_ends_with_the_queue() {
        let queue = Arc::new(Queue::new(1));
        let (planner, desk) = started(&queue, &nothing_fatal());
        desk.lay(stated(1_000, 0));
        assert_eq!(queue.take(9, Duration::MAX).expect("open").requests.len(), 1);
        queue.close();
        planner.join().expect("no panic");
        drop(desk);
    }

    #[test]
    fn a_planner_that_panics_stops_the_cell() {
        let queue = Arc::new(Queue::new(1));
        let reported = Arc::new(Mutex::new(Vec::new()));
        let reports = Arc::clone(&reported);
        let on_fatal: OnFatal = Arc::new(move |error: &FatalError| {
            reports.lock().expect("unharmed").push(error.to_string());
        });
        let (planner, desk) = started(&queue, &on_fatal);
        let mut broken = stated(1, 0);
        broken.problem.sites[0].promised.push((7, Default::default()));
        desk.lay(broken);
        assert!(planner.join().is_err());
        assert_eq!(*reported.lock().expect("unharmed"), ["the planner thread panicked"]);
        assert!(queue.take(9, Duration::MAX).is_none(), "closed");
    }
}
