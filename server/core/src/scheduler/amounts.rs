//! What is free and what is asked for, in dense columns.

use super::gpus::GpuWant;
use crate::model::{Horizon, Name, Resources};

/// Amounts that have a column of their own in every room: CPU, memory, disk, network.
const COLUMNS: usize = 4;

/// Named countables as dense columns.
#[derive(Clone, Debug, Default)]
pub(super) struct CountNames(Vec<Name>);

/// GPUs aside. Below zero where more is lent than the owner leaves now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Amounts {
    pub(super) columns: [i64; COLUMNS],
    /// By position in [`CountNames`]; what is beyond the end is zero.
    pub(super) counts: Box<[i64]>,
}

/// What a task asks for, in the same columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) columns: [i64; COLUMNS],
    pub(super) counts: Vec<(usize, i64)>,
    pub(super) gpus: GpuWant,
    /// How far ahead the owner's load matters.
    pub(super) horizon: Horizon,
}

impl CountNames {
    pub(super) fn column(&mut self, name: &Name) -> usize {
        if let Some(at) = self.0.iter().position(|known| known == name) {
            return at;
        }
        self.0.push(name.clone());
        self.0.len() - 1
    }

    pub(super) fn want(&mut self, request: &Resources, horizon: Horizon) -> Want {
        let counts = request.counts.iter();
        let mut counts: Vec<(usize, i64)> =
            counts.map(|(name, amount)| (self.column(name), signed(amount))).collect();
        counts.sort_unstable();
        Want { columns: columns(request), counts, gpus: GpuWant::of(request.gpu_millis), horizon }
    }

    pub(super) fn amounts(&mut self, resources: &Resources) -> Amounts {
        let mut counts = vec![0; if resources.counts.is_empty() { 0 } else { self.0.len() }];
        for (name, amount) in resources.counts.iter() {
            let column = self.column(name);
            if counts.len() <= column {
                counts.resize(column + 1, 0);
            }
            counts[column] = signed(amount);
        }
        Amounts { columns: columns(resources), counts: counts.into() }
    }
}

fn columns(resources: &Resources) -> [i64; COLUMNS] {
    [
        signed(resources.cpu_millis),
        signed(resources.memory_bytes),
        signed(resources.disk_bytes),
        signed(resources.network_bps),
    ]
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX / 2)
}

impl Amounts {
    pub(super) fn count(&self, column: usize) -> i64 {
        self.counts.get(column).copied().unwrap_or(0)
    }

    pub(super) fn fits(&self, want: &Want) -> bool {
        self.columns.iter().zip(&want.columns).all(|(free, wanted)| wanted <= free || *wanted == 0)
            && want.counts.iter().all(|(column, wanted)| *wanted <= self.count(*column))
    }

    /// As [`Self::fits`] when so much of it is kept.
    pub(super) fn fits_beside(&self, want: &Want, kept: &Self) -> bool {
        let mut columns = self.columns.iter().zip(&kept.columns).zip(&want.columns);
        columns.all(|((free, kept), wanted)| *wanted <= free - kept || *wanted == 0)
            && want.counts.iter().all(|(at, wanted)| *wanted <= self.count(*at) - kept.count(*at))
    }

    /// What is left when so much of it is kept.
    pub(super) fn without(&self, kept: &Self) -> Self {
        let mut left = self.clone();
        left.subtract(kept);
        left
    }

    /// Of each the larger amount.
    pub(super) fn larger_of(&self, other: &Self) -> Self {
        let mut larger = self.clone();
        for (amount, theirs) in larger.columns.iter_mut().zip(&other.columns) {
            *amount = (*amount).max(*theirs);
        }
        let counts = self.counts.len().max(other.counts.len());
        larger.counts = (0..counts).map(|at| self.count(at).max(other.count(at))).collect();
        larger
    }

    /// How many tasks fit, `limit` at most.
    pub(super) fn fits_times(&self, want: &Want, limit: u32) -> u32 {
        let mut times = i64::from(limit);
        for (free, wanted) in self.columns.iter().zip(&want.columns) {
            if *wanted > 0 {
                times = times.min((*free).max(0) / wanted);
            }
        }
        for (column, wanted) in &want.counts {
            times = times.min(self.count(*column).max(0) / wanted);
        }
        u32::try_from(times).unwrap_or(0)
    }

    /// Adds `times` the amounts wanted; a negative number takes them.
    pub(super) fn add(&mut self, want: &Want, times: i64) {
        for (free, wanted) in self.columns.iter_mut().zip(&want.columns) {
            *free += wanted * times;
        }
        for (column, wanted) in &want.counts {
            if self.counts.len() <= *column {
                let mut longer = self.counts.to_vec();
                longer.resize(column + 1, 0);
                self.counts = longer.into();
            }
            self.counts[*column] += wanted * times;
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        for (free, less) in self.columns.iter_mut().zip(&other.columns) {
            *free -= less;
        }
        if self.counts.len() < other.counts.len() {
            let mut longer = self.counts.to_vec();
            longer.resize(other.counts.len(), 0);
            self.counts = longer.into();
        }
        for (free, less) in self.counts.iter_mut().zip(&other.counts) {
            *free -= less;
        }
    }

    /// Whether this has more of anything than `before`.
    pub(super) fn exceeds(&self, before: &Self) -> bool {
        self.columns.iter().zip(&before.columns).any(|(now, then)| now > then)
            || (0..).zip(&self.counts).any(|(column, now)| *now > before.count(column))
    }
}

impl Want {
    /// How much of a named countable.
    pub(super) fn count(&self, column: usize) -> i64 {
        let found = self.counts.iter().find(|(known, _)| *known == column);
        found.map_or(0, |(_, amount)| *amount)
    }

    /// Whether room for this is room for `other` too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.horizon >= other.horizon
            && self.columns.iter().zip(&other.columns).all(|(large, small)| small <= large)
            && other.counts.iter().all(|(column, small)| *small <= self.count(*column))
            && match (other.gpus, self.gpus) {
                (GpuWant::None, _) => true,
                (GpuWant::Share(small), GpuWant::Share(large)) => small <= large,
                (GpuWant::Share(_), GpuWant::Whole(count)) => count > 0,
                (GpuWant::Whole(small), GpuWant::Whole(large)) => small <= large,
                (GpuWant::Share(_), GpuWant::None) | (GpuWant::Whole(_), _) => false,
            }
    }
}
