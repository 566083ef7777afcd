use std::collections::BTreeMap;

use super::{
    DemandCurve, Dimension, GPU_MILLIS_PER_DEVICE, Horizon, Millis, Name, PLAIN_PERMILLE, Resources,
};

/// The greatest price of one unit for one hour: a million units of the currency.
pub const MAX_PRICE: u64 = 1_000_000_000_000;

/// The greatest factor on a list price, in thousandths.
pub const MAX_PRICE_PERMILLE: u32 = 100_000;

/// How many parts a millionth of the currency's unit is counted in while a task runs: a task of a thousandth of a core
/// costs more than nothing in every millisecond.
const PARTS: u128 = 1_000_000;

/// What capacity costs, in millionths of the currency's unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    /// Such as `EUR`.
    pub currency: Name,
    /// Where a region says nothing else.
    pub everywhere: Prices,
    /// By region.
    pub regions: BTreeMap<Name, Prices>,
    /// What work that may be interrupted at any time pays of the list price, in thousandths.
    pub interruptible_permille: u32,
    /// What other work pays, by the horizon that covers its `min_runtime`.
    pub horizon_permille: [u32; Horizon::COUNT],
    /// What owners get of a charge, in thousandths of it; at most 1000.
    pub owner_permille: u32,
    /// How what tenants are charged follows demand.
    pub demand: DemandCurve,
}

/// List prices for an hour, in millionths of the currency's unit. `None`: as everywhere, and there: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of a core.
    pub core: Option<u64>,
    /// Of a GiB of memory.
    pub memory_gib: Option<u64>,
    /// Of a GiB of disk.
    pub disk_gib: Option<u64>,
    /// Of 1,000,000,000 bits per second.
    pub network_gbps: Option<u64>,
    /// Of a GPU device of a model that is not named below.
    pub gpu: Option<u64>,
    /// Of a GPU device, by model.
    pub gpu_models: BTreeMap<Name, u64>,
    /// Of one piece of a named countable.
    pub counts: BTreeMap<Name, u64>,
}

/// What an allocation costs an hour, in millionths of a millionth of the currency's unit: whole numbers, and so a sum
/// over any stretch of time is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// By the list.
    pub list: u128,
    /// What the tenant is charged.
    pub charged: u128,
    /// What the owner gets of that, in thousandths of it.
    pub owner_permille: u32,
}

impl PriceBook {
    /// What a task costs an hour on a node in this region with GPUs of this model. Rounded down once for each resource,
    /// and once for the factor.
    #[must_use]
    pub fn rate(
        &self,
        request: &Resources,
        min_runtime: Millis,
        region: &Name,
        gpu_model: &Name,
    ) -> Rate {
        let here = self.regions.get(region).unwrap_or(&self.everywhere);
        let mut list = 0_u128;
        for (dimension, amount) in request.amounts() {
            let own = here.of(&dimension, gpu_model);
            let price = own.or_else(|| self.everywhere.of(&dimension, gpu_model)).unwrap_or(0);
            let parts = u128::from(amount) * u128::from(price) * PARTS;
            list = list.saturating_add(parts / units(&dimension));
        }
        let factor = u128::from(self.permille(min_runtime));
        let charged = list.saturating_mul(factor) / 1000;
        Rate { list, charged, owner_permille: self.owner_permille }
    }

    /// What work with this promise pays of the list price, in thousandths.
    #[must_use]
    pub fn permille(&self, min_runtime: Millis) -> u32 {
        if min_runtime == Millis(0) {
            return self.interruptible_permille;
        }
        self.horizon_permille[Horizon::covering(min_runtime).index()]
    }
}

impl Prices {
    fn of(&self, dimension: &Dimension, gpu_model: &Name) -> Option<u64> {
        match dimension {
            Dimension::Cpu => self.core,
            Dimension::Memory => self.memory_gib,
            Dimension::Disk => self.disk_gib,
            Dimension::Network => self.network_gbps,
            Dimension::Gpu => self.gpu_models.get(gpu_model).copied().or(self.gpu),
            Dimension::Count(name) => self.counts.get(name).copied(),
        }
    }
}

/// How much of a resource its price is for, in the unit of requests.
fn units(dimension: &Dimension) -> u128 {
    match dimension {
        Dimension::Cpu => 1000,
        Dimension::Memory | Dimension::Disk => 1 << 30,
        Dimension::Network => 1_000_000_000,
        Dimension::Gpu => u128::from(GPU_MILLIS_PER_DEVICE),
        Dimension::Count(_) => 1,
    }
}

impl Rate {
    /// Exact amounts of money are sums of rates times milliseconds: this many of them are a millionth of the
    /// currency's unit.
    pub const MICRO: u128 = PARTS * Millis::HOUR.0 as u128;

    /// What is charged where demand makes it dearer or cheaper, in thousandths; rounded down once more.
    #[must_use]
    pub fn at_demand(self, permille: u32) -> Self {
        if permille == PLAIN_PERMILLE {
            return self;
        }
        Self { charged: self.charged.saturating_mul(permille.into()) / 1000, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::{PriceBook, Prices, Rate};
    use crate::model::{DemandCurve, Millis, Name, Resources};

    fn name(text: &str) -> Name {
        Name::parse_optional(text).expect("a name")
    }

    fn book() -> PriceBook {
        let everywhere = Prices {
            core: Some(40_000),
            memory_gib: Some(5_000),
            gpu: Some(2_000_000),
            gpu_models: [(name("h100"), 3_000_000)].into(),
            ..Prices::default()
        };
        let dear = Prices { core: Some(50_000), ..Prices::default() };
        PriceBook {
            currency: name("EUR"),
            everywhere,
            regions: [(name("eu"), dear)].into(),
            interruptible_permille: 300,
            horizon_permille: [500, 700, 900, 1000],
            owner_permille: 800,
            demand: DemandCurve::default(),
        }
    }

    #[test]
    fn a_region_says_what_differs_and_a_promise_what_is_paid() {
        let request =
            Resources { cpu_millis: 2_000, memory_bytes: 4 << 30, ..Resources::default() };
        let rate = |min, region: &str| book().rate(&request, Millis(min), &name(region), &name(""));
        let parts = 1_000_000;
        let of_list = |list: u128, charged: u128| Rate {
            list: list * parts,
            charged: charged * parts,
            owner_permille: 800,
        };
        assert_eq!(rate(0, "us"), of_list(100_000, 30_000));
        assert_eq!(rate(1, "us"), of_list(100_000, 50_000));
        assert_eq!(rate(3_600_001, "us"), of_list(100_000, 90_000));
        assert_eq!(rate(90_000_000, "eu"), of_list(120_000, 120_000));
    }

    #[test]
    fn gpus_are_priced_by_their_model_where_it_is_named() {
        let request = Resources { gpu_millis: 500, ..Resources::default() };
        let list = |model: &str| book().rate(&request, Millis(0), &name("eu"), &name(model)).list;
        assert_eq!(list("h100"), 1_500_000_000_000);
        assert_eq!(list("t4"), 1_000_000_000_000);
    }

    #[test]
    fn the_smallest_task_costs_something_and_what_has_no_price_nothing() {
        let rate = |request: Resources| book().rate(&request, Millis(0), &name(""), &name("")).list;
        assert_eq!(rate(Resources { cpu_millis: 1, ..Resources::default() }), 40_000_000);
        assert_eq!(rate(Resources { memory_bytes: 1, ..Resources::default() }), 4);
        assert_eq!(rate(Resources { disk_bytes: 1 << 40, ..Resources::default() }), 0);
    }
}
