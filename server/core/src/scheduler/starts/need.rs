//! What a task needs, and what nodes have, as starts are planned: amounts of everything, devices as whole ones.

use super::super::amounts::{Amounts, CountNames, Want};
use crate::model::{GPU_MILLIS_PER_DEVICE, Horizon, JobSpec, Millis, Resources, Window};

/// An amount of everything, devices as whole ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) amounts: Amounts,
    pub(super) devices: i64,
}

/// Of what has a column of its own, and of whole devices.
pub(super) type Row = [i64; 5];

/// What one task needs, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) want: Want,
    pub(super) devices: i64,
    /// What must be left: of what it does not need any amount.
    pub(super) least: Row,
    /// For how long the owner must leave it alone.
    pub(super) alone: Millis,
    /// When it is gone at the latest, from its start, or is expected to be; absent where nothing tells.
    pub(super) bound: Option<Millis>,
    /// From when on, after its start, it is in the way of no start that is planned.
    pub(super) cleared: Option<Millis>,
    /// It may start when it has room only if what is expected comes true.
    pub(super) trusts: bool,
}

impl Need {
    /// Of a job whose tasks are expected to run for so long, if that can be told.
    pub(super) fn of(spec: &JobSpec, expected: Option<Millis>, names: &mut CountNames) -> Self {
        // Work that must be complete by a time is worth nothing if it has to go before.
        let run = if spec.is_timed() { spec.runtime() } else { spec.min_runtime };
        let run = spec.max_runtime.map_or(run, |max| max.min(run));
        let want = names.want(&spec.request, spec.horizon());
        let devices = devices(spec.request.gpu_millis);
        // What windows take is cleared a minute before; and nothing starts so near to one that it gets notice.
        let alone = Millis((run.0.saturating_add(Window::CLEARED.0)).max(Window::LEAD.0));
        let bound = spec.max_runtime.or(expected);
        // Days of work that must be complete by a time come out better where it leaves a little time in between.
        let cleared = if spec.is_timed() { bound.map(|bound| bound.max(alone)) } else { bound };
        let least = row(&want, devices).map(|wanted| if wanted == 0 { i64::MIN } else { wanted });
        Self { want, devices, least, alone, bound, cleared, trusts: false }
    }

    pub(super) fn horizon(&self) -> Horizon {
        self.want.horizon
    }

    /// What so many such tasks need together.
    pub(super) fn times(&self, times: u32) -> Self {
        let times = i64::from(times);
        let many = |amount: i64| amount.saturating_mul(times);
        let Want { columns, counts, gpus, horizon } = &self.want;
        let counts = counts.iter().map(|(at, amount)| (*at, many(*amount))).collect();
        Self {
            want: Want { columns: columns.map(many), counts, gpus: *gpus, horizon: *horizon },
            devices: many(self.devices),
            least: self.least.map(many),
            ..*self
        }
    }
}

impl Part {
    pub(super) fn of(resources: &Resources, names: &mut CountNames) -> Self {
        Self { amounts: names.amounts(resources), devices: devices(resources.gpu_millis) }
    }

    /// Whether a task fits when of the capacity this is taken and the larger of two others is kept.
    pub(super) fn fits_beside(&self, capacity: &Self, kept: [&Self; 2], need: &Need) -> bool {
        let free = |all: i64, taken: i64, kept: [i64; 2]| all - taken - kept[0].max(kept[1]);
        let [a, b] = kept;
        need.want.columns.iter().enumerate().all(|(at, wanted)| {
            let column = |part: &Self| part.amounts.columns[at];
            *wanted == 0 || *wanted <= free(column(capacity), column(self), [column(a), column(b)])
        }) && (need.devices == 0
            || need.devices <= free(capacity.devices, self.devices, [a.devices, b.devices]))
            && need.want.counts.iter().all(|(at, wanted)| {
                let count = |part: &Self| part.amounts.count(*at);
                *wanted <= free(count(capacity), count(self), [count(a), count(b)])
            })
    }

    pub(super) fn row(&self) -> Row {
        let [cpu, memory, disk, network] = self.amounts.columns;
        [cpu, memory, disk, network, self.devices]
    }

    pub(super) fn add(&mut self, need: &Need, times: i64) {
        self.amounts.add(&need.want, times);
        self.devices += need.devices * times;
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.amounts.subtract(&other.amounts);
        self.devices -= other.devices;
    }
}

pub(super) fn row(want: &Want, devices: i64) -> Row {
    let [cpu, memory, disk, network] = want.columns;
    [cpu, memory, disk, network, devices]
}

/// Whole devices: a share may be of a device that nobody has touched.
pub(super) fn devices(gpu_millis: u64) -> i64 {
    i64::try_from(gpu_millis.div_ceil(GPU_MILLIS_PER_DEVICE)).unwrap_or(i64::MAX / 2)
}
