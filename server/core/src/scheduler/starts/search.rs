//! Which order lays out the most of what must be complete by a time: a few rules, and then the best of them mended.
//!
//! The first of what the best layout leaves out go forward and everything is laid out again, a few times, whether that was
//! better or not: squeaky wheel optimization (Joslin and Clements 1999). The layout that is worth the most is kept.

use std::cmp::Reverse;

use super::{
    candidates::Candidate,
    layout::{End, Floors, Laying, Layout},
    order::Order,
    waiting::TASKS,
};

/// How often the best order is mended, and how much of what it leaves out goes forward each time.
const REPAIRS: usize = 16;
const FORWARD: usize = 8;

/// The part of all looks that may be spent on finding what fits nowhere.
const HOPELESS: u64 = 5;

pub(super) struct Search<'a> {
    pub(super) timed: Vec<Candidate<'a>>,
    /// With what waits in the queue laid out. What is looked at is counted here.
    pub(super) base: Laying,
}

/// What an order comes to.
struct Try {
    layout: Layout,
    /// Of which some task found no room.
    left_out: Vec<usize>,
}

impl Search<'_> {
    /// The best layout that was found; what waits in the queue alone if nothing else waits.
    pub(super) fn run(&mut self) -> Layout {
        self.drop_hopeless();
        if self.timed.is_empty() {
            return self.base.layout.clone();
        }
        let most = self.base.effort.looks;
        let each = most.saturating_sub(self.base.looks) / (Order::ALL.len() as u64 + 1);
        let tries: Vec<(Vec<usize>, Try)> = Order::ALL
            .into_iter()
            .map(|rule| {
                let order = self.ordered(rule);
                let tried = self.lay_out(&order, self.base.looks + each);
                (order, tried)
            })
            .collect();
        // Of those that are worth as much the first.
        let best = tries.into_iter().rev().max_by_key(|(_, tried)| tried.layout.worth);
        let (mut order, Try { layout: mut best, mut left_out }) =
            best.expect("invariant: there are rules");
        let took = (self.base.looks / (Order::ALL.len() as u64)).min(each);
        for _ in 0..REPAIRS {
            if left_out.is_empty() || self.base.looks + took > most {
                break;
            }
            self.mend(&mut order, &left_out);
            let tried = self.lay_out(&order, most);
            left_out = tried.left_out;
            if tried.layout.worth > best.worth {
                best = tried.layout;
            }
        }
        best
    }

    /// Forgets what fits nowhere beside what waits in the queue: it fits in no order.
    fn drop_hopeless(&mut self) {
        let Self { timed, base } = self;
        let limit = base.looks + base.effort.looks.saturating_sub(base.looks) / HOPELESS;
        let mut none = Floors::default();
        timed.retain(|candidate| {
            base.looks >= limit || base.first_opening(candidate, &mut none).is_some()
        });
    }

    fn ordered(&self, rule: Order) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.timed.len()).collect();
        order.sort_by_cached_key(|at| {
            let Candidate { job, claim, .. } = &self.timed[*at];
            let urgency = claim.as_ref().map(|claim| rule.urgency(claim, self.base.now));
            (Reverse((job.spec.priority, urgency)), job.id)
        });
        order
    }

    fn lay_out(&mut self, order: &[usize], limit: u64) -> Try {
        let mut laying = Laying { limit, ..self.base.clone() };
        let mut left_out = Vec::new();
        for at in order {
            if laying.is_spent() {
                break;
            }
            let candidate = &mut self.timed[*at];
            let tasks = candidate.job.counts.pending.min(TASKS);
            let laid = laying.lay(candidate, tasks, &mut Floors::default());
            if laid.end == End::NoRoom {
                left_out.push(*at);
            }
        }
        self.base.looks = laying.looks;
        Try { layout: laying.layout, left_out }
    }

    /// Moves what was left out forward among work of its priority.
    fn mend(&self, order: &mut Vec<usize>, left_out: &[usize]) {
        let mut is_left = vec![false; self.timed.len()];
        left_out.iter().take(FORWARD).for_each(|at| is_left[*at] = true);
        let mut places: Vec<(Reverse<_>, usize, bool, usize)> = (0..)
            .zip(order.iter())
            .map(|(place, at): (usize, &usize)| {
                let priority = Reverse(self.timed[*at].job.spec.priority);
                (priority, if is_left[*at] { place / 2 } else { place }, !is_left[*at], *at)
            })
            .collect();
        places.sort_unstable_by_key(|(priority, place, after, _)| (*priority, *place, *after));
        *order = places.into_iter().map(|(.., at)| at).collect();
    }
}
