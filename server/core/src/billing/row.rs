use std::collections::BTreeMap;

use super::DAY_MS;
use crate::model::{Name, Rate, Resources, Time};

/// What was held on one day: amounts in the units of requests times milliseconds, money as rates times milliseconds
/// ([`Rate::MICRO`] of them are a millionth of the currency's unit). Sums are held at their greatest value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Milliseconds of all tasks together.
    pub task_ms: u64,
    /// Thousandths of a core.
    pub cpu: u128,
    /// Bytes of memory.
    pub memory: u128,
    /// Bytes of disk.
    pub disk: u128,
    /// Bits per second.
    pub network: u128,
    /// Thousandths of a GPU device.
    pub gpu: u128,
    /// Named countables.
    pub counts: BTreeMap<Name, u128>,
    /// By the list.
    pub list: u128,
    /// What the tenant is charged.
    pub charged: u128,
    /// What the owner gets of that, in thousandths of this unit.
    pub credited: u128,
}

impl Row {
    /// Adds what a task held for so many milliseconds.
    pub fn add(&mut self, request: &Resources, ms: u64, rate: &Rate) {
        let span = u128::from(ms);
        let held = |sum: &mut u128, amount: u64| {
            *sum = sum.saturating_add(u128::from(amount).saturating_mul(span));
        };
        self.task_ms = self.task_ms.saturating_add(ms);
        held(&mut self.cpu, request.cpu_millis);
        held(&mut self.memory, request.memory_bytes);
        held(&mut self.disk, request.disk_bytes);
        held(&mut self.network, request.network_bps);
        held(&mut self.gpu, request.gpu_millis);
        for (name, amount) in request.counts.iter() {
            held(self.counts.entry(name.clone()).or_default(), amount);
        }
        if rate.list > 0 {
            let charged = rate.charged.saturating_mul(span);
            self.list = self.list.saturating_add(rate.list.saturating_mul(span));
            self.charged = self.charged.saturating_add(charged);
            let credited = charged.saturating_mul(u128::from(rate.owner_permille));
            self.credited = self.credited.saturating_add(credited);
        }
    }

    /// Adds another row.
    pub fn merge(&mut self, other: &Self) {
        self.task_ms = self.task_ms.saturating_add(other.task_ms);
        let sums = [
            (&mut self.cpu, other.cpu),
            (&mut self.memory, other.memory),
            (&mut self.disk, other.disk),
            (&mut self.network, other.network),
            (&mut self.gpu, other.gpu),
            (&mut self.list, other.list),
            (&mut self.charged, other.charged),
            (&mut self.credited, other.credited),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        for (name, more) in &other.counts {
            let sum = self.counts.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*more);
        }
    }
}

/// The days between two times, each with the milliseconds of it that lie between them.
pub fn days_of(from: Time, until: Time) -> impl Iterator<Item = (u32, u64)> {
    let mut at = from.0;
    std::iter::from_fn(move || {
        if at >= until.0 {
            return None;
        }
        let day = at / DAY_MS;
        let end = until.0.min((day + 1).saturating_mul(DAY_MS));
        let ms = end - at;
        at = end;
        Some((u32::try_from(day).unwrap_or(u32::MAX), ms))
    })
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, days_of};
    use crate::model::Time;

    #[test]
    fn a_stretch_of_time_is_split_at_midnight() {
        let split = |from, until| days_of(Time(from), Time(until)).collect::<Vec<_>>();
        assert_eq!(split(5, 5), []);
        assert_eq!(split(9, 5), []);
        assert_eq!(split(DAY_MS - 1, DAY_MS), [(0, 1)]);
        assert_eq!(split(DAY_MS - 1, 2 * DAY_MS + 7), [(0, 1), (1, DAY_MS), (2, 7)]);
    }
}
