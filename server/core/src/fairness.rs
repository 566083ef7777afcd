//! Who has what share, and who may take back what from whom. Reads a state and decides nothing.
//!
//! A share is dominant (Ghodsi et al., Dominant Resource Fairness, NSDI 2011): the greatest part of the fleet that a tenant
//! has of any one resource, by its weight. What it has is the mean of what it holds and of what it held of late, which is
//! where its decayed mean will be in a half-life if nothing changes: so a burst is remembered and forgiven, and what is
//! placed counts at once. Shares are compared among siblings, each with all below it.

use crate::{
    model::{Amounts, Millis, Resources, SHARED, Tenant, TenantId, Time, Usage, shared},
    state::State,
};

/// A whole in the unit of shares.
pub const WHOLE: u64 = 1_000_000_000;

/// The share of a party, in billionths of the fleet and by its weight, as of `now`.
#[must_use]
pub fn share(state: &State, usages: &[&Usage], weight: u32, now: Time) -> u64 {
    let half_life = state.policy().share_half_life;
    let mut amounts = [0_u64; SHARED];
    for usage in usages {
        let of_late = usage.decayed.at(now.max(usage.decayed.as_of()), &usage.held, half_life);
        for ((sum, late), held) in amounts.iter_mut().zip(of_late).zip(shared(&usage.held)) {
            *sum = sum.saturating_add(late / 2).saturating_add(held.div_ceil(2));
        }
    }
    dominant(&amounts, &shared(state.fleet())) / u64::from(weight.max(1))
}

/// The greatest part of the whole that any of the amounts is, in billionths.
#[must_use]
pub fn dominant(amounts: &Amounts, whole: &Amounts) -> u64 {
    let parts = amounts.iter().zip(whole).map(|(amount, whole)| part(*amount, *whole));
    parts.max().unwrap_or(0)
}

/// Billionths of the whole.
pub(crate) fn part(amount: u64, whole: u64) -> u64 {
    if amount == 0 || whole == 0 {
        return 0;
    }
    let part = u128::from(amount) * u128::from(WHOLE) / u128::from(whole);
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// How much of its guarantee a tenant uses with all below it, in billionths, unless it has none or holds more than it of
/// anything, or all of it.
pub(crate) fn used_of_guarantee(tenant: &Tenant) -> Option<u64> {
    let mut used = 0;
    let (mut is_whole, mut any) = (true, false);
    for (dimension, guaranteed) in tenant.spec.guarantee.amounts() {
        let held = tenant.usage.held.amount(&dimension);
        let held = held.saturating_add(tenant.below.held.amount(&dimension));
        if held > guaranteed {
            return None;
        }
        used = used.max(part(held, guaranteed));
        is_whole &= held == guaranteed;
        any = true;
    }
    (any && !is_whole).then_some(used)
}

/// Whether so much more for the tenant would be within a guarantee of its own or of one above it.
pub(crate) fn claims(state: &State, tenant: TenantId, more: &Resources) -> bool {
    state.guaranteed_tenants() > 0
        && state.lineage(tenant).any(|above| above.is_guaranteed(more, &Resources::NOTHING))
}

/// Whether `taker` may take back what `holder` holds for a task: the taker's task would be within a guarantee that does not
/// also cover the holder, and no guarantee that does not also cover the taker covers the holder's. `coming` and `going`
/// are what tenants will hold more and less of, with all below them, by what is decided already.
pub(crate) fn may_take_back<'a>(
    state: &State,
    (taker, wanted): (TenantId, &Resources),
    (holder, held): (TenantId, &Resources),
    coming: impl Fn(TenantId) -> Option<&'a Resources>,
    going: impl Fn(TenantId) -> Option<&'a Resources>,
) -> bool {
    const NOTHING: Resources = Resources::NOTHING;
    let is_above = |of: TenantId, tenant: &Tenant| state.lineage(of).any(|t| t.id == tenant.id);
    let mut takers = state.lineage(taker).take_while(|tenant| !is_above(holder, tenant));
    let claims = takers.any(|tenant| {
        let coming = coming(tenant.id).unwrap_or(&NOTHING);
        tenant.is_guaranteed(wanted, coming)
    });
    let mut holders = state.lineage(holder).take_while(|tenant| !is_above(taker, tenant));
    claims && !holders.any(|tenant| tenant.covers(held, going(tenant.id).unwrap_or(&NOTHING)))
}

/// What one tenant, or one family of them, wants of the fleet.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Its part relative to the others; at least 1.
    pub weight: u32,
    /// All that it wants.
    pub wanted: Amounts,
}

/// What each is entitled to when so much is there, in billionths of its demand: weighted max-min over dominant shares,
/// by raising all shares together. Whoever wants a resource that is used up stops there; the others go on.
#[must_use]
pub fn entitled(demands: &[Demand], whole: &Amounts) -> Vec<u64> {
    let dominants: Vec<u64> = demands.iter().map(|d| dominant(&d.wanted, whole)).collect();
    let mut stopped: Vec<Option<u64>> = dominants.iter().map(|d| (*d == 0).then_some(0)).collect();
    // At this level everybody has all, by the greatest share and the least weight.
    let top = dominants.iter().zip(demands).map(|(d, of)| d.div_ceil(u64::from(of.weight.max(1))));
    let top = top.max().unwrap_or(0);
    let at = |level: u64, at: usize| {
        let reached = u128::from(level) * u128::from(demands[at].weight.max(1));
        let reached = reached * u128::from(WHOLE) / u128::from(dominants[at].max(1));
        u64::try_from(reached).unwrap_or(WHOLE).min(WHOLE)
    };
    let mut from = 0;
    while stopped.iter().any(Option::is_none) {
        let parts = |level: u64| -> Vec<u64> {
            (0..demands.len()).map(|i| stopped[i].unwrap_or_else(|| at(level, i))).collect()
        };
        let fits = |level: u64| used_up(demands, &parts(level), whole).is_none();
        let (mut low, mut high) = (from, top);
        if fits(high) {
            return parts(high);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            *(if fits(middle) { &mut low } else { &mut high }) = middle;
        }
        let scarce = used_up(demands, &parts(high), whole).expect("invariant: it does not fit");
        let reached = parts(low);
        for (at, stop) in stopped.iter_mut().enumerate() {
            if demands[at].wanted[scarce] > 0 && stop.is_none() {
                *stop = Some(reached[at]);
            }
        }
        from = low;
    }
    stopped.into_iter().flatten().collect()
}

/// A resource of which these parts of the demands are more than there is.
fn used_up(demands: &[Demand], parts: &[u64], whole: &Amounts) -> Option<usize> {
    (0..SHARED).find(|resource| {
        let used = demands.iter().zip(parts).map(|(demand, part)| {
            u128::from(demand.wanted[*resource]) * u128::from(*part) / u128::from(WHOLE)
        });
        used.sum::<u128>() > u128::from(whole[*resource])
    })
}

/// What a tenant gets and what it would get if all were shared fairly, in billionths of the fleet, by one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it is entitled to now: by its weight among its siblings, of what they all ask for.
    pub entitled: u64,
    /// What it holds.
    pub held: u64,
    /// What it held of late.
    pub of_late: u64,
}

/// How every tenant stands, each with all below it.
#[derive(Clone, Debug, Default)]
pub struct Standings(std::collections::BTreeMap<TenantId, Standing>);

impl Standings {
    /// As of `now`.
    #[must_use]
    pub fn of(state: &State, now: Time) -> Self {
        let mut standings = Self::default();
        let roots: Vec<&Tenant> =
            state.tenants().filter(|tenant| tenant.parent.is_none()).collect();
        standings.deal(state, &roots, None, &shared(state.fleet()), now);
        standings
    }

    /// How a tenant stands.
    #[must_use]
    pub fn get(&self, tenant: TenantId) -> Standing {
        self.0.get(&tenant).copied().unwrap_or_default()
    }

    /// Deals what a family is entitled to among its members and what the parent runs itself.
    fn deal(
        &mut self,
        state: &State,
        family: &[&Tenant],
        parent: Option<&Tenant>,
        whole: &Amounts,
        now: Time,
    ) {
        let demand = |tenant: &&Tenant| Demand {
            weight: tenant.spec.weight,
            wanted: shared(&tenant.requested().0),
        };
        let own =
            parent.map(|tenant| Demand { weight: 1, wanted: shared(&tenant.usage.requested) });
        let demands: Vec<Demand> = family.iter().map(demand).chain(own).collect();
        let parts = entitled(&demands, whole);
        let fleet = shared(state.fleet());
        for ((tenant, demand), part) in family.iter().zip(&demands).zip(parts) {
            let due = demand.wanted.map(|wanted| {
                let due = u128::from(wanted) * u128::from(part) / u128::from(WHOLE);
                u64::try_from(due).unwrap_or(u64::MAX)
            });
            let half_life = state.policy().share_half_life;
            let of_late = late(&tenant.usage, now, half_life);
            let below = late(&tenant.below, now, half_life);
            let of_late: Amounts = std::array::from_fn(|at| of_late[at].saturating_add(below[at]));
            let standing = Standing {
                entitled: dominant(&due, &fleet),
                held: dominant(&shared(&tenant.held()), &fleet),
                of_late: dominant(&of_late, &fleet),
            };
            self.0.insert(tenant.id, standing);
            let children = tenant.children.iter().filter_map(|id| state.tenant(*id));
            let children: Vec<&Tenant> = children.collect();
            if !children.is_empty() {
                self.deal(state, &children, Some(tenant), &due, now);
            }
        }
    }
}

fn late(usage: &Usage, now: Time, half_life: Millis) -> Amounts {
    usage.decayed.at(now, &usage.held, half_life)
}

#[cfg(test)]
mod tests {
    use super::{Demand, WHOLE, entitled};

    fn demand(weight: u32, cpu: u64, memory: u64) -> Demand {
        Demand { weight, wanted: [cpu, memory, 0, 0, 0] }
    }

    fn hundredths(part: u64) -> u64 {
        (part + WHOLE / 200) / (WHOLE / 100)
    }

    /// The example of the DRF paper: 9 cores and 18 GB; tasks of 1 core and 4 GB against tasks of 3 cores and 1 GB come to
    /// three against two.
    #[test]
    fn dominant_shares_rise_together() {
        let whole = [9_000, 18_000, 0, 0, 0];
        let parts = entitled(&[demand(1, 100_000, 400_000), demand(1, 300_000, 100_000)], &whole);
        let tasks = [parts[0] * 100, parts[1] * 100].map(|tasks| (tasks + WHOLE / 100) / WHOLE);
        assert_eq!(tasks, [3, 2]);
    }

    #[test]
    fn what_one_does_not_want_is_for_the_others_by_weight() {
        let whole = [1_000, 0, 0, 0, 0];
        let demands = [demand(1, 100, 0), demand(2, 1_000, 0), demand(1, 1_000, 0)];
        let parts = entitled(&demands, &whole);
        assert_eq!(parts[0], WHOLE);
        assert_eq!(hundredths(parts[1]), 60);
        assert_eq!(hundredths(parts[2]), 30);
    }

    #[test]
    fn who_wants_what_is_left_goes_on() {
        let whole = [1_000, 1_000, 0, 0, 0];
        let demands = [demand(1, 1_000, 0), demand(1, 1_000, 0), demand(1, 0, 800)];
        let parts = entitled(&demands, &whole);
        assert_eq!(hundredths(parts[0]), 50);
        assert_eq!(parts[2], WHOLE);
    }

    #[test]
    fn nobody_is_entitled_to_what_nobody_has() {
        assert_eq!(entitled(&[], &[0; 5]), Vec::<u64>::new());
        assert_eq!(entitled(&[demand(1, 0, 0), demand(1, 5, 0)], &[0; 5])[0], 0);
    }
}
