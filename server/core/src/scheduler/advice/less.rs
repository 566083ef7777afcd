//! Of each thing that tasks ask for, how much of it each could have if all else stayed as it is.

use super::{
    super::{index::Index, kind::Allowed, room::Room},
    Change,
};
use crate::model::{Dimension, GPU_MILLIS_PER_DEVICE, Horizon, JobSpec};

/// Less than this part of what was asked for is no answer.
const LEAST_PART: u64 = 10;

/// For each thing asked for, the most that each task could have of it, where that is less.
pub(super) fn amounts(index: &mut Index, spec: &JobSpec) -> Vec<Change> {
    let want = index.want_of(spec);
    let wanted: Vec<(Dimension, u64)> = spec.request.amounts().collect();
    let mut reach = Reach::new(index, &wanted, spec.count);
    let mut found = vec![Parts::default(); wanted.len()];
    let mut allowed = Allowed::default();
    for (brief, room) in index.briefs.iter().zip(index.rooms.iter()) {
        if brief.lacks_one_at_most(&want)
            && allowed.ask(&index.kinds, brief.kind(), &spec.constraints)
            && let Some(room) = room
        {
            reach.look(room, want.horizon);
            reach.collect(&mut found);
        }
    }
    let least = |((dimension, asked), parts): ((Dimension, u64), Parts)| {
        let amount = rounded(&dimension, parts.least_of(spec.count)?);
        let is_answer = amount < asked && amount >= asked.div_ceil(LEAST_PART);
        is_answer.then_some(Change::Amount(dimension, amount))
    };
    wanted.into_iter().zip(found).filter_map(least).collect()
}

/// What tasks could have of one thing, each at its place.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// How many could have all that was asked for.
    enough: u64,
    /// What others could have.
    less: Vec<u64>,
}

impl Parts {
    /// What the last of so many tasks could have, if those places are taken that offer most.
    fn least_of(mut self, count: u32) -> Option<u64> {
        let short = u64::from(count).checked_sub(self.enough).filter(|short| *short > 0)?;
        let last = usize::try_from(short - 1).ok().filter(|last| *last < self.less.len())?;
        let (_, amount, _) = self.less.select_nth_unstable_by(last, |a, b| b.cmp(a));
        Some(*amount)
    }

    /// Adds what up to `tasks` of them could have if they divide each of `sources` evenly: the first all of it, of two each
    /// a half, and so on. `unit` is what cannot be divided.
    fn add(&mut self, sources: &[u64], unit: u64, asked: u64, tasks: u64) {
        let (wanted, least) = (asked / unit, asked.div_ceil(LEAST_PART).div_ceil(unit));
        let of_all: u64 = sources.iter().map(|source| source / wanted).sum();
        self.enough += of_all.min(tasks);
        let rest = tasks.saturating_sub(of_all);
        if rest == 0 {
            return;
        }
        let begin = self.less.len();
        for source in sources {
            let (first, last) = (source / wanted + 1, source / least);
            for count in first..=last.min(first.saturating_add(rest - 1)) {
                self.less.push(source / count * unit);
            }
        }
        if self.less.len() - begin > narrow(rest) {
            self.less[begin..].sort_unstable_by(|a, b| b.cmp(a));
            self.less.truncate(begin + narrow(rest));
        }
    }
}

/// Where a room tells what it has of a thing.
#[derive(Clone, Copy, Debug)]
enum Source {
    Column(usize),
    Count(usize),
    /// On each device by itself.
    Share,
    Devices,
}

/// What tasks could have on a node.
struct Reach {
    /// Of each thing where it is told, and how much each task asks for.
    wanted: Vec<(Source, u64)>,
    /// What there is of each, shares aside; of devices how many.
    free: Vec<u64>,
    /// What is left on each device, if shares are asked for.
    devices: Vec<u64>,
    /// For how many tasks each thing is enough.
    times: Vec<u64>,
    /// Tasks that anybody could want there.
    most: u64,
}

impl Reach {
    fn new(index: &mut Index, wanted: &[(Dimension, u64)], count: u32) -> Self {
        let source = |(dimension, amount): &(Dimension, u64)| match dimension {
            Dimension::Cpu => Source::Column(0),
            Dimension::Memory => Source::Column(1),
            Dimension::Disk => Source::Column(2),
            Dimension::Network => Source::Column(3),
            Dimension::Gpu if *amount < GPU_MILLIS_PER_DEVICE => Source::Share,
            Dimension::Gpu => Source::Devices,
            Dimension::Count(name) => Source::Count(index.names.column(name)),
        };
        Self {
            wanted: wanted
                .iter()
                .map(source)
                .zip(wanted.iter().map(|(_, amount)| *amount))
                .collect(),
            free: vec![0; wanted.len()],
            devices: Vec::new(),
            times: vec![0; wanted.len()],
            most: u64::from(count),
        }
    }

    /// Looks at what a node has free over the horizon.
    fn look(&mut self, room: &Room, horizon: Horizon) {
        let kept = room.besides(horizon);
        let kept_devices = kept.map_or(0, |kept| kept.devices);
        let left = |free: i64, kept: i64| u64::try_from(free - kept).unwrap_or(0);
        for (at, (source, asked)) in self.wanted.iter().enumerate() {
            self.free[at] = match source {
                Source::Column(column) => {
                    let kept = kept.map_or(0, |kept| kept.amounts.columns[*column]);
                    left(room.free.columns[*column], kept)
                }
                Source::Count(column) => {
                    let kept = kept.map_or(0, |kept| kept.amounts.count(*column));
                    left(room.free.count(*column), kept)
                }
                Source::Devices => {
                    self.free[at] = u64::from(room.gpus.whole(kept_devices));
                    self.times[at] = self.free[at] / (asked / GPU_MILLIS_PER_DEVICE);
                    continue;
                }
                Source::Share => {
                    self.devices.clear();
                    let whole = usize::from(room.gpus.whole(kept_devices));
                    self.devices.resize(whole, GPU_MILLIS_PER_DEVICE);
                    self.devices.extend(room.gpus.shares(kept_devices).map(u64::from));
                    self.times[at] = self.devices.iter().map(|left| left / asked).sum();
                    continue;
                }
            };
            self.times[at] = self.free[at] / asked;
        }
    }

    /// Adds what tasks here could have of each thing, if there were as many as what else they ask for allows.
    fn collect(&self, parts: &mut [Parts]) {
        for (at, ((source, asked), parts)) in self.wanted.iter().zip(parts).enumerate() {
            let others = self.times.iter().enumerate().filter(|(other, _)| *other != at);
            let tasks = others.map(|(_, times)| *times).fold(self.most, u64::min);
            match source {
                _ if tasks == 0 => {}
                Source::Share => parts.add(&self.devices, 1, *asked, tasks),
                Source::Devices => {
                    parts.add(&[self.free[at]], GPU_MILLIS_PER_DEVICE, *asked, tasks);
                }
                _ => parts.add(&[self.free[at]], 1, *asked, tasks),
            }
        }
    }
}

fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// As people say it: a large amount in whole cores and GiB, a small one in tenths and MiB.
fn rounded(dimension: &Dimension, amount: u64) -> u64 {
    let (large, small) = match dimension {
        Dimension::Cpu => (1000, 100),
        Dimension::Memory | Dimension::Disk => (1 << 30, 1 << 20),
        Dimension::Network => (1_000_000_000, 1_000_000),
        Dimension::Gpu => (GPU_MILLIS_PER_DEVICE, 10),
        Dimension::Count(_) => (1, 1),
    };
    let steps = [(16 * large, large), (small, small)];
    let step = steps.into_iter().find(|(least, _)| amount >= *least).map_or(1, |(_, step)| step);
    amount - amount % step
}
