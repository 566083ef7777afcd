use std::{fmt, sync::Arc};

use super::Name;

/// The greatest amount of one dimension that a node may have or a task may ask for. Sums over a whole fleet stay
/// far from overflow, and every product with a count is checked.
pub const MAX_AMOUNT: u64 = 1 << 50;

/// One GPU device.
pub const GPU_MILLIS_PER_DEVICE: u64 = 1000;

/// An amount of everything a node can have and a task can ask for.
///
/// The derived order has no meaning beyond being total: it lets requests be keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk.
    pub disk_bytes: u64,
    /// Bits per second.
    pub network_bps: u64,
    /// Thousandths of a GPU device.
    pub gpu_millis: u64,
    /// Named countables.
    pub counts: Counts,
}

/// Amounts by name, sorted by name and free of zeros, so that equal amounts are equal values. Most have none: that is
/// one word, and what is done with every placement asks for no more than that word.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counts(Option<Arc<Vec<(Name, u64)>>>);

/// One entry of the resource vector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// `cpu_millis`.
    Cpu,
    /// `memory_bytes`.
    Memory,
    /// `disk_bytes`.
    Disk,
    /// `network_bps`.
    Network,
    /// `gpu_millis`.
    Gpu,
    /// A named countable.
    Count(Name),
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu_millis",
            Self::Memory => "memory_bytes",
            Self::Disk => "disk_bytes",
            Self::Network => "network_bps",
            Self::Gpu => "gpu_millis",
            Self::Count(name) => name.as_str(),
        })
    }
}

impl Counts {
    /// Takes amounts in any order; zeros vanish and the last of a repeated name stays.
    #[must_use]
    pub fn new(amounts: impl IntoIterator<Item = (Name, u64)>) -> Self {
        let map: std::collections::BTreeMap<Name, u64> = amounts.into_iter().collect();
        Self::of_sorted(map.into_iter().filter(|(_, amount)| *amount > 0).collect())
    }

    fn of_sorted(amounts: Vec<(Name, u64)>) -> Self {
        Self((!amounts.is_empty()).then(|| Arc::new(amounts)))
    }

    fn amounts(&self) -> &[(Name, u64)] {
        self.0.as_ref().map_or(&[], |amounts| amounts)
    }

    /// The amount of `name`, zero if absent.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        let amounts = self.amounts();
        amounts.binary_search_by(|(n, _)| n.as_str().cmp(name)).map_or(0, |at| amounts[at].1)
    }

    /// All amounts in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.amounts().iter().map(|(name, amount)| (name, *amount))
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    fn merge(&self, other: &Self, join: impl Fn(u64, u64) -> Option<u64>) -> Option<Self> {
        if self.is_empty() && other.is_empty() {
            return Some(Self::default());
        }
        self.merge_all(other, join)
    }

    #[inline(never)]
    fn merge_all(&self, other: &Self, join: impl Fn(u64, u64) -> Option<u64>) -> Option<Self> {
        let mut names: Vec<&Name> = self.iter().chain(other.iter()).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let mut merged = Vec::with_capacity(names.len());
        for name in names {
            let amount = join(self.get(name.as_str()), other.get(name.as_str()))?;
            if amount > 0 {
                merged.push((name.clone(), amount));
            }
        }
        Some(Self::of_sorted(merged))
    }
}

impl Resources {
    /// Nothing of anything.
    pub const NOTHING: Self = Self {
        cpu_millis: 0,
        memory_bytes: 0,
        disk_bytes: 0,
        network_bps: 0,
        gpu_millis: 0,
        counts: Counts(None),
    };

    /// Nothing at all.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The sum, unless one dimension overflows.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        self.merge(other, u64::checked_add)
    }

    /// The difference, unless one dimension would fall below zero.
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        self.merge(other, u64::checked_sub)
    }

    /// The sum, each dimension held at its greatest value.
    #[must_use]
    pub fn saturating_add(&self, other: &Self) -> Self {
        self.merge(other, |a, b| Some(a.saturating_add(b))).unwrap_or_default()
    }

    /// The difference, each dimension held at zero.
    #[must_use]
    pub fn saturating_sub(&self, other: &Self) -> Self {
        self.merge(other, |a, b| Some(a.saturating_sub(b))).unwrap_or_default()
    }

    /// The greater of each dimension.
    #[must_use]
    pub fn larger_of(&self, other: &Self) -> Self {
        self.merge(other, |a, b| Some(a.max(b))).unwrap_or_default()
    }

    /// The lesser of each dimension.
    #[must_use]
    pub fn smaller_of(&self, other: &Self) -> Self {
        self.merge(other, |a, b| Some(a.min(b))).unwrap_or_default()
    }

    /// This much `count` times over, unless one dimension overflows.
    #[must_use]
    pub fn checked_mul(&self, count: u64) -> Option<Self> {
        self.merge(&Self::default(), |a, _| a.checked_mul(count))
    }

    /// Each dimension's `permille` thousandths, rounded up, whole devices for GPUs, held at its greatest value.
    #[must_use]
    pub fn scale_permille(&self, permille: u64) -> Self {
        let scaled = |a: u64, _| Some(a.saturating_mul(permille).div_ceil(1000));
        let mut result = self.merge(&Self::default(), scaled).unwrap_or_default();
        result.gpu_millis = self.gpu_millis;
        result
    }

    /// Adds `count` times as much, each dimension held at its greatest value.
    ///
    /// # Panics
    /// When one dimension of the product overflows.
    pub fn add(&mut self, more: &Self, count: u64) {
        self.change(more, count, u64::saturating_add);
    }

    /// Takes `count` times as much away, each dimension held at zero.
    ///
    /// # Panics
    /// When one dimension of the product overflows.
    pub fn remove(&mut self, less: &Self, count: u64) {
        self.change(less, count, u64::saturating_sub);
    }

    #[inline]
    fn change(&mut self, by: &Self, count: u64, join: impl Fn(u64, u64) -> u64) {
        self.cpu_millis = join(self.cpu_millis, by.cpu_millis.strict_mul(count));
        self.memory_bytes = join(self.memory_bytes, by.memory_bytes.strict_mul(count));
        self.disk_bytes = join(self.disk_bytes, by.disk_bytes.strict_mul(count));
        self.network_bps = join(self.network_bps, by.network_bps.strict_mul(count));
        self.gpu_millis = join(self.gpu_millis, by.gpu_millis.strict_mul(count));
        if !by.counts.is_empty() {
            let merged = self.counts.merge(&by.counts, |a, b| Some(join(a, b.strict_mul(count))));
            self.counts = merged.unwrap_or_default();
        }
    }

    /// Whether every dimension is at most that of `other`.
    #[must_use]
    #[inline]
    pub fn fits_in(&self, other: &Self) -> bool {
        self.cpu_millis <= other.cpu_millis
            && self.memory_bytes <= other.memory_bytes
            && self.disk_bytes <= other.disk_bytes
            && self.network_bps <= other.network_bps
            && self.gpu_millis <= other.gpu_millis
            && self.counts.iter().all(|(name, amount)| amount <= other.counts.get(name.as_str()))
    }

    /// The dimensions in which this is more than `available`, and by how much.
    #[must_use]
    pub fn shortfalls(&self, available: &Self) -> Vec<(Dimension, u64)> {
        let lacking = self.saturating_sub(available);
        lacking.amounts().collect()
    }

    /// The amount of one dimension.
    #[must_use]
    pub fn amount(&self, dimension: &Dimension) -> u64 {
        match dimension {
            Dimension::Cpu => self.cpu_millis,
            Dimension::Memory => self.memory_bytes,
            Dimension::Disk => self.disk_bytes,
            Dimension::Network => self.network_bps,
            Dimension::Gpu => self.gpu_millis,
            Dimension::Count(name) => self.counts.get(name.as_str()),
        }
    }

    /// From one amount a dimension; what is not named is zero, and the last of a repeated dimension stays.
    #[must_use]
    pub fn of_amounts(amounts: impl IntoIterator<Item = (Dimension, u64)>) -> Self {
        let (mut all, mut counts) = (Self::default(), Vec::new());
        for (dimension, amount) in amounts {
            match dimension {
                Dimension::Cpu => all.cpu_millis = amount,
                Dimension::Memory => all.memory_bytes = amount,
                Dimension::Disk => all.disk_bytes = amount,
                Dimension::Network => all.network_bps = amount,
                Dimension::Gpu => all.gpu_millis = amount,
                Dimension::Count(name) => counts.push((name, amount)),
            }
        }
        all.counts = Counts::new(counts);
        all
    }

    /// 1 of each dimension that is not zero.
    #[must_use]
    pub fn kinds(&self) -> Self {
        let one = |amount: u64, _| Some(amount.min(1));
        self.merge(&Self::NOTHING, one).expect("invariant: it is always something")
    }

    /// Every dimension that is not zero.
    pub fn amounts(&self) -> impl Iterator<Item = (Dimension, u64)> {
        let fixed = [
            (Dimension::Cpu, self.cpu_millis),
            (Dimension::Memory, self.memory_bytes),
            (Dimension::Disk, self.disk_bytes),
            (Dimension::Network, self.network_bps),
            (Dimension::Gpu, self.gpu_millis),
        ];
        let counts =
            self.counts.iter().map(|(name, amount)| (Dimension::Count(name.clone()), amount));
        fixed.into_iter().chain(counts).filter(|(_, amount)| *amount > 0)
    }

    #[inline]
    fn merge(&self, other: &Self, join: impl Fn(u64, u64) -> Option<u64>) -> Option<Self> {
        Some(Self {
            cpu_millis: join(self.cpu_millis, other.cpu_millis)?,
            memory_bytes: join(self.memory_bytes, other.memory_bytes)?,
            disk_bytes: join(self.disk_bytes, other.disk_bytes)?,
            network_bps: join(self.network_bps, other.network_bps)?,
            gpu_millis: join(self.gpu_millis, other.gpu_millis)?,
            counts: self.counts.merge(&other.counts, join)?,
        })
    }
}
