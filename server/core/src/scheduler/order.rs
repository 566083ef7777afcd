//! Which tenant is next: of a priority, the family with the smallest share, in it the child with the smallest share, and
//! so on down to a tenant that has somebody to offer.
//!
//! A share belongs to a party: a tenant with all below it, or, beside its children, what a tenant runs itself. A party
//! stands in its family's list when anybody in it has something to offer. Lists are short or change little, and a sorted
//! list takes no memory for what comes and goes. A cell whose tenants have no parents has one list a priority.

use std::{cmp::Reverse, collections::BTreeMap};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::model::{Priority, Tenant, TenantId};

/// Who has a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Party {
    /// A tenant with all below it.
    Family(TenantId),
    /// What a tenant that has children runs itself.
    Own(TenantId),
}

/// Where a tenant stands. One that is not known stands at the top and has no children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) parent: Option<TenantId>,
    pub(super) has_children: bool,
}

/// The smallest share last.
type List = Vec<Reverse<(u64, Party)>>;

impl Place {
    pub(super) fn of(tenant: &Tenant) -> Self {
        Self { parent: tenant.parent, has_children: !tenant.children.is_empty() }
    }
}

#[derive(Clone, Debug)]
struct Level {
    priority: Priority,
    top: List,
    /// Lists of children by parent; none is empty.
    below: BTreeMap<TenantId, List>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The highest priority first.
    levels: Vec<Level>,
    shares: HashMap<Party, u64, FxBuildHasher>,
    places: HashMap<TenantId, Place, FxBuildHasher>,
}

impl Order {
    /// Whether several compete at the priority that is next: then their shares must be current.
    pub(super) fn is_contested(&self) -> bool {
        let next = self.levels.iter().find(|level| !level.top.is_empty());
        next.is_some_and(|level| {
            level.top.len() > 1 || level.below.values().any(|list| list.len() > 1)
        })
    }

    /// Who is next, and at which priority.
    pub(super) fn first(&mut self) -> Option<(TenantId, Priority)> {
        loop {
            let level = self.levels.first()?;
            let Some(Reverse((_, party))) = level.top.last().copied() else {
                // Kept for its memory as long as it was the only one.
                if self.levels.len() == 1 {
                    return None;
                }
                self.levels.remove(0);
                continue;
            };
            return Some((level.descend(party), level.priority));
        }
    }

    /// All tenants that stand in the order, with their priorities.
    pub(super) fn listed(&self) -> impl Iterator<Item = (TenantId, Priority)> {
        self.levels.iter().flat_map(|level| level.tenants().map(|tenant| (tenant, level.priority)))
    }

    /// Those of one priority.
    pub(super) fn listed_at(&self, priority: Priority) -> impl Iterator<Item = TenantId> {
        let level = self.levels.iter().find(|level| level.priority == priority);
        level.into_iter().flat_map(Level::tenants)
    }

    /// Puts a tenant into the order that does not stand there at this priority.
    pub(super) fn list(&mut self, tenant: TenantId, priority: Priority) {
        let at = self.levels.binary_search_by_key(&Reverse(priority), |l| Reverse(l.priority));
        let at = at.unwrap_or_else(|at| {
            let level = Level { priority, top: List::new(), below: BTreeMap::new() };
            self.levels.insert(at, level);
            at
        });
        let (mut party, mut family) = self.party(tenant);
        loop {
            let share = self.share(party);
            let list = self.levels[at].list(family);
            let was_empty = list.is_empty();
            insert(list, share, party);
            match family {
                Some(above) if was_empty => (party, family) = self.family(above),
                _ => return,
            }
        }
    }

    /// Takes a tenant out of the order.
    pub(super) fn unlist(&mut self, tenant: TenantId, priority: Priority) {
        let at = self.levels.binary_search_by_key(&Reverse(priority), |l| Reverse(l.priority));
        let at = at.expect("invariant: a listed tenant has a level");
        let (mut party, mut family) = self.party(tenant);
        loop {
            let share = self.share(party);
            let list = self.levels[at].list(family);
            remove(list, share, party);
            let Some(above) = family.filter(|_| list.is_empty()) else { break };
            self.levels[at].below.remove(&above);
            (party, family) = self.family(above);
        }
        if self.levels[at].top.is_empty() && self.levels.len() > 1 {
            self.levels.remove(at);
        }
    }

    pub(super) fn set_share(&mut self, party: Party, share: u64) {
        let old = self.shares.insert(party, share).unwrap_or(0);
        if old == share {
            return;
        }
        let family = match party {
            Party::Family(tenant) => self.place(tenant).parent,
            Party::Own(tenant) => Some(tenant),
        };
        for level in &mut self.levels {
            let list = match family {
                None => Some(&mut level.top),
                Some(family) => level.below.get_mut(&family),
            };
            if let Some(list) = list
                && remove(list, old, party)
            {
                insert(list, share, party);
            }
        }
    }

    /// Tells where a tenant stands. Nobody may be listed.
    pub(super) fn set_place(&mut self, tenant: TenantId, place: Place) {
        self.places.insert(tenant, place);
    }

    pub(super) fn place(&self, tenant: TenantId) -> Place {
        if self.places.is_empty() {
            return Place::default();
        }
        self.places.get(&tenant).copied().unwrap_or_default()
    }

    /// As what a tenant's own jobs are listed, and in whose list.
    fn party(&self, tenant: TenantId) -> (Party, Option<TenantId>) {
        if self.place(tenant).has_children {
            return (Party::Own(tenant), Some(tenant));
        }
        self.family(tenant)
    }

    fn family(&self, tenant: TenantId) -> (Party, Option<TenantId>) {
        (Party::Family(tenant), self.place(tenant).parent)
    }

    fn share(&self, party: Party) -> u64 {
        self.shares.get(&party).copied().unwrap_or(0)
    }
}

impl Level {
    fn list(&mut self, family: Option<TenantId>) -> &mut List {
        match family {
            None => &mut self.top,
            Some(family) => self.below.entry(family).or_default(),
        }
    }

    fn descend(&self, mut party: Party) -> TenantId {
        loop {
            let tenant = match party {
                Party::Own(tenant) => return tenant,
                Party::Family(tenant) => tenant,
            };
            match self.below.get(&tenant).and_then(|list| list.last()) {
                Some(Reverse((_, next))) => party = *next,
                None => return tenant,
            }
        }
    }

    fn tenants(&self) -> impl Iterator<Item = TenantId> {
        self.top.iter().chain(self.below.values().flatten()).filter_map(|Reverse((_, party))| {
            match party {
                Party::Own(tenant) => Some(*tenant),
                Party::Family(tenant) => (!self.below.contains_key(tenant)).then_some(*tenant),
            }
        })
    }
}

fn insert(list: &mut List, share: u64, party: Party) {
    let entry = Reverse((share, party));
    if let Err(at) = list.binary_search(&entry) {
        list.insert(at, entry);
    }
}

fn remove(list: &mut List, share: u64, party: Party) -> bool {
    let at = list.binary_search(&Reverse((share, party)));
    at.is_ok_and(|at| {
        list.remove(at);
        true
    })
}
