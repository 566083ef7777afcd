use super::{Dimension, GPU_MILLIS_PER_DEVICE, Horizon, Resources};

/// What an owner's load will not exceed but for the promised risk: by resource, over each horizon, in thousandths of the
/// node's capacity. What is not named is not used by the owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds(pub Vec<(Dimension, [u16; Horizon::COUNT])>);

impl Bounds {
    /// All of a capacity, in thousandths.
    pub const FULL: u64 = 1000;

    /// As amounts of a node with this capacity.
    #[must_use]
    pub fn over(&self, horizon: Horizon, capacity: &Resources) -> Resources {
        Resources::of_amounts(self.0.iter().map(|(dimension, permille)| {
            let permille = permille[horizon.index()].into();
            (dimension.clone(), Self::amount(dimension, permille, capacity.amount(dimension)))
        }))
    }

    /// What so many thousandths of a node's capacity come to: whole GPU devices, and everything else rounded up too.
    #[must_use]
    pub fn amount(dimension: &Dimension, permille: u64, capacity: u64) -> u64 {
        let permille = permille.min(Self::FULL);
        match dimension {
            Dimension::Gpu => devices(permille, capacity / GPU_MILLIS_PER_DEVICE),
            _ => part(permille, capacity),
        }
    }

    /// A load as a part of the capacity, rounded up.
    #[must_use]
    pub fn permille(load: u64, capacity: u64) -> u64 {
        let permille = u128::from(load) * u128::from(Self::FULL);
        let permille = permille.div_ceil(u128::from(capacity.max(1)));
        u64::try_from(permille).map_or(Self::FULL, |permille| permille.min(Self::FULL))
    }
}

fn part(permille: u64, all: u64) -> u64 {
    let part = u128::from(all) * u128::from(permille);
    u64::try_from(part.div_ceil(u128::from(Bounds::FULL))).unwrap_or(all)
}

/// Whole devices. What was rounded up to thousandths comes back as what it was: three of seven are 429, not a fourth one.
fn devices(permille: u64, present: u64) -> u64 {
    let rounding = present.saturating_sub(1);
    let devices = (permille * present).saturating_sub(rounding).div_ceil(Bounds::FULL);
    devices * GPU_MILLIS_PER_DEVICE
}

#[cfg(test)]
mod tests {
    use super::{Bounds, devices, part};

    #[test]
    fn devices_come_back_as_they_went() {
        for present in 1..=64 {
            for used in 0..=present {
                let permille = Bounds::permille(used, present);
                assert_eq!(devices(permille, present), used * 1000, "{used} of {present}");
            }
        }
    }

    #[test]
    fn a_part_is_never_less_than_the_load() {
        for load in [0, 1, 7, 333, 999, 1_000] {
            assert!(part(Bounds::permille(load, 1_000), 1_000) >= load);
            assert!(part(Bounds::permille(load, 7_919), 7_919) >= load);
        }
    }
}
