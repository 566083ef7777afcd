//! The little of a room, or of several, that rules them out for most tasks at a glance.

use super::{
    amounts::{Amounts, Want},
    gpus::{GpuWant, WHOLE},
};

/// The most of each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) cpu_millis: i64,
    pub(super) memory_bytes: i64,
    /// On one device that may be shared.
    pub(super) share: u16,
    pub(super) whole: u16,
}

impl Most {
    /// Given the untouched devices, and the most that is left of one that is shared.
    #[inline]
    pub(super) fn of(amounts: &Amounts, whole: u16, shared: impl FnOnce() -> Option<u16>) -> Self {
        let share = if whole > 0 { WHOLE } else { shared().unwrap_or(0) };
        let [cpu_millis, memory_bytes, ..] = amounts.columns;
        Self { cpu_millis, memory_bytes, share, whole }
    }

    #[inline]
    pub(super) fn cover(&mut self, other: &Self) {
        self.cpu_millis = self.cpu_millis.max(other.cpu_millis);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.share = self.share.max(other.share);
        self.whole = self.whole.max(other.whole);
    }

    /// Asks first what rules out most.
    #[inline]
    pub(super) fn may_fit(&self, want: &Want) -> bool {
        !self.lacks_gpus(want) && !self.lacks_cpu(want) && !self.lacks_memory(want)
    }

    /// How many things it lacks.
    pub(super) fn lacks(&self, want: &Want) -> usize {
        let lacks = [self.lacks_gpus(want), self.lacks_cpu(want), self.lacks_memory(want)];
        lacks.into_iter().filter(|lacks| *lacks).count()
    }

    #[inline]
    fn lacks_gpus(&self, want: &Want) -> bool {
        match want.gpus {
            GpuWant::None => false,
            GpuWant::Share(millis) => self.share < millis,
            GpuWant::Whole(count) => self.whole < count,
        }
    }

    #[inline]
    fn lacks_cpu(&self, want: &Want) -> bool {
        want.columns[0] > self.cpu_millis && want.columns[0] > 0
    }

    #[inline]
    fn lacks_memory(&self, want: &Want) -> bool {
        want.columns[1] > self.memory_bytes && want.columns[1] > 0
    }
}
