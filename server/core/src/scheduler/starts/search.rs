//! Which order lays out the most of what must be complete by a time: a few rules, and then the best of them mended.
//!
//! The first of what the best layout leaves out go forward and everything is laid out again, a few times, whether that was
//! better or not: squeaky wheel optimization (Joslin and Clements 1999). The layout that is worth the most is kept.

use std::cmp::Reverse;

use super::{
    LOOKS, Layout, candidates::Candidate, first_opening, lay_out, order::Order, profile::Profile,
};
use crate::model::Time;

/// How often the best order is mended, and how much of what it leaves out goes forward each time.
const REPAIRS: usize = 16;
const FORWARD: usize = 8;

/// The part of all looks that may be spent on finding what fits nowhere.
const HOPELESS: u64 = 5;

/// Where work is laid out, and what was looked at so far.
pub(super) struct Search<'a> {
    pub(super) timed: Vec<Candidate<'a>>,
    pub(super) now: Time,
    /// With what waits in the queue laid out.
    pub(super) profiles: Vec<Profile>,
    pub(super) queued: Layout,
    pub(super) scale: [u64; 5],
    pub(super) looks: u64,
}

impl Search<'_> {
    /// The best layout that was found; what waits in the queue alone if nothing else waits.
    pub(super) fn run(&mut self) -> Layout {
        self.drop_hopeless();
        if self.timed.is_empty() {
            return self.queued.clone();
        }
        let each = LOOKS.saturating_sub(self.looks) / (Order::ALL.len() as u64 + 1);
        let tries: Vec<(Vec<usize>, Layout)> = Order::ALL
            .into_iter()
            .map(|rule| {
                let order = self.ordered(rule);
                let layout = self.lay_out(&order, self.looks + each);
                (order, layout)
            })
            .collect();
        // Of those that are worth as much the first.
        let best = tries.into_iter().rev().max_by_key(|(_, layout)| layout.worth);
        let (mut order, mut best) = best.expect("invariant: there are rules");
        let mut left_out = best.left_out.clone();
        let took = (self.looks / (Order::ALL.len() as u64)).min(each);
        for _ in 0..REPAIRS {
            if left_out.is_empty() || self.looks + took > LOOKS {
                break;
            }
            self.mend(&mut order, &left_out);
            let layout = self.lay_out(&order, LOOKS);
            left_out.clone_from(&layout.left_out);
            if layout.worth > best.worth {
                best = layout;
            }
        }
        best
    }

    /// Forgets what fits nowhere beside what waits in the queue: it fits in no order.
    fn drop_hopeless(&mut self) {
        let Self { timed, profiles, scale, looks, .. } = self;
        let limit = *looks + LOOKS.saturating_sub(*looks) / HOPELESS;
        timed.retain(|candidate| {
            *looks >= limit || first_opening(candidate, profiles, scale, looks).is_some()
        });
    }

    fn ordered(&self, rule: Order) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.timed.len()).collect();
        order.sort_by_cached_key(|at| {
            let Candidate { job, claim, .. } = &self.timed[*at];
            let urgency = claim.as_ref().map(|claim| rule.urgency(claim, self.now));
            (Reverse((job.spec.priority, urgency)), job.id)
        });
        order
    }

    fn lay_out(&mut self, order: &[usize], limit: u64) -> Layout {
        let (mut profiles, mut layout) = (self.profiles.clone(), self.queued.clone());
        layout.left_out.clear();
        let looks = (&mut self.looks, limit);
        lay_out(&self.timed, order, self.now, &mut profiles, &self.scale, looks, &mut layout);
        layout
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
