use std::sync::Arc;

use super::JobId;

/// Ids in a full part.
const PART: usize = 512;

/// Ids of jobs in ascending order, to which the newest is added. What goes stays until half of them are gone, so that
/// neither end of a job's life costs a search; whoever reads the list skips what is not there any more. A copy shares
/// all but the last part.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobIds {
    full: Vec<Arc<[JobId]>>,
    last: Vec<JobId>,
    /// How many of those listed are gone.
    gone: usize,
}

impl JobIds {
    /// Adds an id. It is the greatest unless a state is being built anew.
    pub(crate) fn add(&mut self, id: JobId) {
        let newest = self.last.last().or_else(|| self.full.last()?.last());
        if newest.is_some_and(|newest| id < *newest) {
            let mut all: Vec<JobId> = self.from(JobId(0)).collect();
            all.insert(all.partition_point(|other| *other < id), id);
            self.fill(all.into_iter());
            return;
        }
        if self.last.len() == PART {
            self.full.push(Arc::from(&*self.last));
            self.last.clear();
        }
        self.last.push(id);
    }

    /// Learns that one of them is gone; `is_kept` tells of all.
    pub(crate) fn drop_one(&mut self, is_kept: impl Fn(JobId) -> bool) {
        self.gone += 1;
        let listed = PART * self.full.len() + self.last.len();
        if self.gone > PART / 8 && self.gone > listed / 2 {
            let kept: Vec<JobId> = self.from(JobId(0)).filter(|id| is_kept(*id)).collect();
            self.fill(kept.into_iter());
            self.gone = 0;
        }
    }

    /// Those from `first` on, some that are gone among them.
    pub(crate) fn from(&self, first: JobId) -> impl Iterator<Item = JobId> {
        let skipped = self.full.partition_point(|part| part.last().is_some_and(|id| *id < first));
        let parts = self.full[skipped..].iter().map(|part| &**part);
        let ids = parts.chain([&*self.last]).flatten().copied();
        ids.skip_while(move |id| *id < first)
    }

    fn fill(&mut self, ids: impl Iterator<Item = JobId>) {
        (self.full, self.last) = Default::default();
        ids.for_each(|id| self.add(id));
    }
}

#[cfg(test)]
mod tests {
    use super::{JobId, JobIds, PART};

    fn listed(ids: &JobIds, first: u64) -> Vec<u64> {
        ids.from(JobId(first)).map(|id| id.0).collect()
    }

    #[test]
    fn ids_are_listed_in_order_from_any_of_them_on() {
        let mut ids = JobIds::default();
        let end = 3 * PART as u64 + 7;
        (0..end).filter(|id| *id != 5).for_each(|id| ids.add(JobId(id)));
        ids.add(JobId(5));
        for first in [0, 5, PART as u64 - 1, PART as u64, end - 1, end] {
            assert_eq!(listed(&ids, first), (first..end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_gone_is_swept_out() {
        let mut ids = JobIds::default();
        let count = 4 * PART as u64;
        (0..count).for_each(|id| ids.add(JobId(id)));
        for gone in 1..count {
            ids.drop_one(|id| id.0 >= gone);
            let listed = listed(&ids, 0);
            assert!(listed.iter().filter(|id| **id >= gone).eq(&(gone..count).collect::<Vec<_>>()));
            assert!(listed.len() as u64 <= 2 * (count - gone) + PART as u64);
        }
    }
}
