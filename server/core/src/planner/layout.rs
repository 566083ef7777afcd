//! Expected tasks on sites, and those that have found no room.

use super::{Problem, random::Random};
use crate::model::DeviceSet;

const WHOLE: u16 = 1000;

/// A task laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) demand: u32,
    devices: DeviceSet,
}

/// What changes of a site as slots come and go.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    free: Vec<i64>,
    left: Vec<u16>,
    touched: u16,
    lendable: u16,
    kind: u32,
    pub(super) slots: Vec<Slot>,
}

/// A demand as layouts ask for it.
#[derive(Clone, Debug)]
struct Item {
    amounts: Box<[i64]>,
    gpu_share: u16,
    gpu_devices: u16,
    worth: u64,
    /// What goes first when several are laid out.
    size: u64,
    allowed: Box<[bool]>,
}

#[derive(Clone, Debug)]
pub(super) struct Layout {
    items: Vec<Item>,
    pub(super) grounds: Vec<Ground>,
    /// Demands, one entry for each expected task without a slot.
    pub(super) pool: Vec<u32>,
}

/// How well a task would lie: least is best.
type Fit = (u16, u64);

impl Layout {
    /// Begins with what is promised and still wanted.
    pub(super) fn new(problem: &Problem) -> Self {
        let totals = totals(problem);
        let items = problem.demands.iter().map(|demand| Item {
            amounts: demand.amounts.clone(),
            gpu_share: demand.gpu_share,
            gpu_devices: demand.gpu_devices,
            worth: demand.worth,
            size: size(demand, &totals),
            allowed: demand.allowed.clone(),
        });
        let mut layout = Self { items: items.collect(), grounds: Vec::new(), pool: Vec::new() };
        let mut wanted: Vec<u32> = problem.demands.iter().map(|demand| demand.wanted).collect();
        for site in &problem.sites {
            let mut ground = Ground {
                free: site.free.to_vec(),
                left: site.devices.to_vec(),
                touched: count(site.devices.iter().filter(|left| **left < WHOLE).count()),
                lendable: site.lendable,
                kind: site.kind,
                slots: Vec::new(),
            };
            for (demand, devices) in &site.promised {
                let item = &layout.items[*demand as usize];
                if wanted[*demand as usize] > 0 && ground.has(item, *devices) {
                    wanted[*demand as usize] -= 1;
                    ground.put(item, Slot { demand: *demand, devices: *devices });
                }
            }
            layout.grounds.push(ground);
        }
        for (demand, wanted) in (0..).zip(wanted) {
            layout.pool.extend((0..wanted).map(|_| demand));
        }
        layout
    }

    /// What lies on a site.
    pub(super) fn slots(&self, site: usize) -> impl Iterator<Item = (u32, DeviceSet)> {
        self.grounds[site].slots.iter().map(|slot| (slot.demand, slot.devices))
    }

    pub(super) fn worth(&self, demand: u32) -> i64 {
        i64::try_from(self.items[demand as usize].worth).unwrap_or(i64::MAX)
    }

    pub(super) fn size(&self, demand: u32) -> u64 {
        self.items[demand as usize].size
    }

    /// GPU left on a site, in thousandths.
    pub(super) fn gpu_left(&self, site: usize) -> u32 {
        self.grounds[site].left.iter().map(|left| u32::from(*left)).sum()
    }

    /// Takes each slot of a site off with a chance of `quarters` in four.
    pub(super) fn ruin(
        &mut self,
        site: usize,
        quarters: usize,
        random: &mut Random,
        off: &mut Vec<u32>,
    ) {
        let ground = &mut self.grounds[site];
        let mut at = 0;
        while at < ground.slots.len() {
            if quarters < 4 && random.below(4) >= quarters {
                at += 1;
                continue;
            }
            let slot = ground.slots.swap_remove(at);
            ground.take_off(&self.items[slot.demand as usize], slot);
            off.push(slot.demand);
        }
    }

    /// Lays a task out on the best of the sites.
    pub(super) fn lay(&mut self, demand: u32, sites: &[usize]) -> bool {
        let item = &self.items[demand as usize];
        let mut best: Option<(Fit, usize, DeviceSet)> = None;
        for site in sites {
            let ground = &self.grounds[*site];
            if !item.allowed[ground.kind as usize] {
                continue;
            }
            if let Some((fit, devices)) = ground.fit(item)
                && best.is_none_or(|(least, ..)| fit < least)
            {
                best = Some((fit, *site, devices));
            }
        }
        let Some((_, site, devices)) = best else { return false };
        self.grounds[site].put(item, Slot { demand, devices });
        true
    }
}

fn totals(problem: &Problem) -> Vec<u64> {
    let dimensions = problem.sites.first().map_or(0, |site| site.free.len());
    let sum = |dimension: usize| {
        let free = problem.sites.iter().map(|site| site.free[dimension].max(0).unsigned_abs());
        free.sum::<u64>().max(1)
    };
    let gpus =
        problem.sites.iter().flat_map(|site| site.devices.iter()).map(|left| u64::from(*left));
    (0..dimensions).map(sum).chain([gpus.sum::<u64>().max(1)]).collect()
}

/// Hard to place first: the greatest part of the fleet that it takes, GPUs before all.
fn size(demand: &super::Demand, totals: &[u64]) -> u64 {
    let part = |amount: u64, total: u64| {
        let part = u128::from(amount) * (1 << 40) / u128::from(total);
        u64::try_from(part).unwrap_or(u64::MAX).min(1 << 50)
    };
    let gpus = u64::from(demand.gpu_share) + u64::from(demand.gpu_devices) * u64::from(WHOLE);
    let gpus = part(gpus, totals[totals.len() - 1]);
    let others = demand.amounts.iter().zip(totals);
    let others = others.map(|(amount, total)| part(amount.unsigned_abs(), *total)).sum::<u64>();
    gpus.saturating_mul(4).saturating_add(others)
}

fn count(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl Ground {
    fn fits(&self, item: &Item) -> bool {
        self.free.iter().zip(&item.amounts).all(|(free, wanted)| wanted <= free || *wanted == 0)
    }

    fn whole(&self) -> u16 {
        self.lendable.saturating_sub(self.touched)
    }

    /// How well the task lies here and on which devices.
    fn fit(&self, item: &Item) -> Option<(Fit, DeviceSet)> {
        if !self.fits(item) {
            return None;
        }
        let room: u64 = self
            .free
            .iter()
            .zip(&item.amounts)
            .map(|(free, wanted)| u64::try_from(*free - *wanted).unwrap_or(0) >> 10)
            .sum();
        if item.gpu_share > 0 {
            let (left, device) = self.tightest(item.gpu_share)?;
            return Some(((left - item.gpu_share, room), DeviceSet::default().with(device)));
        }
        if item.gpu_devices > 0 {
            if item.gpu_devices > self.whole() {
                return None;
            }
            let free = (0..).zip(&self.left).filter(|(_, left)| **left == WHOLE);
            let devices = free.map(|(device, _)| device).take(usize::from(item.gpu_devices));
            let devices = devices.fold(DeviceSet::default(), DeviceSet::with);
            return Some(((self.whole() - item.gpu_devices, room), devices));
        }
        let gpus: u16 = self.left.iter().map(|left| left / 100).sum();
        Some(((gpus, room), DeviceSet::default()))
    }

    fn tightest(&self, share: u16) -> Option<(u16, u32)> {
        let open = self.touched <= self.lendable;
        let whole = self.whole() > 0;
        let mut best: Option<(u16, u32)> = None;
        for (device, left) in (0..).zip(&self.left) {
            let usable = if *left == WHOLE { whole } else { open };
            if usable && *left >= share && best.is_none_or(|(least, _)| *left < least) {
                best = Some((*left, device));
            }
        }
        best
    }

    /// Whether the task can have exactly these devices.
    fn has(&self, item: &Item, devices: DeviceSet) -> bool {
        let each = item.each();
        let enough = devices
            .iter()
            .all(|device| self.left.get(device as usize).is_some_and(|left| *left >= each));
        if !enough || !self.fits(item) {
            return false;
        }
        let touches = devices.iter().filter(|device| self.left[*device as usize] == WHOLE).count();
        devices.is_empty() || self.touched + count(touches) <= self.lendable
    }

    fn put(&mut self, item: &Item, slot: Slot) {
        for (free, wanted) in self.free.iter_mut().zip(&item.amounts) {
            *free -= wanted;
        }
        for device in slot.devices.iter() {
            let left = &mut self.left[device as usize];
            self.touched += u16::from(*left == WHOLE);
            *left -= item.each();
        }
        self.slots.push(slot);
    }

    fn take_off(&mut self, item: &Item, slot: Slot) {
        for (free, wanted) in self.free.iter_mut().zip(&item.amounts) {
            *free += wanted;
        }
        for device in slot.devices.iter() {
            let left = &mut self.left[device as usize];
            *left += item.each();
            self.touched -= u16::from(*left == WHOLE);
        }
    }

    /// Makes this what `other` is, without new memory where there is enough.
    pub(super) fn copy(&mut self, other: &Self) {
        self.free.clone_from(&other.free);
        self.left.clone_from(&other.left);
        self.slots.clone_from(&other.slots);
        (self.touched, self.lendable, self.kind) = (other.touched, other.lendable, other.kind);
    }
}

impl Item {
    /// What it takes of each of its devices.
    fn each(&self) -> u16 {
        if self.gpu_devices > 0 { WHOLE } else { self.gpu_share }
    }
}
