use std::num::{NonZeroU64, NonZeroU128};

use imbl::OrdMap;

use super::{Books, DAYS_KEPT, Factors, KeptBook, KeptFactor, ROWS_KEPT, Row, days_of};
use crate::{
    model::{
        Job, JobId, JobSpec, Name, Node, NodeId, NodeSpec, Rate, Resources, SiteId, TenantId, Time,
    },
    table::Table,
};

/// What the ledger holds. Only the fold of events changes it.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    books: Books,
    factors: Factors,
    sites: OrdMap<SiteId, (Site, Uses)>,
    site_ids: OrdMap<Site, SiteId>,
    next_site: SiteId,
    rows: OrdMap<RowKey, Row>,
    /// Tenants with rows: their names, which outlive them here, and how many rows.
    payers: OrdMap<TenantId, (Name, u64)>,
    /// Milliseconds that a job's tasks have held, where they held for any.
    jobs: Table<NonZeroU64>,
    /// What was charged for them, where anything was.
    charges: Table<NonZeroU128>,
    /// Since when nodes that have changed hands are where they are now.
    moved: OrdMap<NodeId, Time>,
}

/// What nodes have in common for whoever pays for them; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "as in NodeSpec")]
pub struct Site {
    pub owner: Name,
    pub region: Name,
    pub gpu_model: Name,
}

/// A site is kept as long as it has any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Uses {
    nodes: u64,
    rows: u64,
}

/// Which row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// Days since 1970, of UTC.
    pub day: u32,
    /// Who held it.
    pub tenant: TenantId,
    /// Where.
    pub site: SiteId,
}

/// An allocation, or the part of its time that it held something at one site.
pub(crate) struct Held<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) job: JobId,
    pub(crate) spec: &'a JobSpec,
    pub(crate) node: NodeId,
    pub(crate) site: SiteId,
    pub(crate) placed: Time,
}

/// The parts of accounts, as a checkpoint keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Accounts")]
pub struct RestoredAccounts {
    pub books: Vec<KeptBook>,
    pub factors: Vec<(Name, KeptFactor)>,
    pub sites: Vec<(SiteId, Site)>,
    pub payers: Vec<(TenantId, Name)>,
    pub rows: Vec<(RowKey, Row)>,
    pub jobs: Vec<(JobId, u64, u128)>,
    pub moved: Vec<(NodeId, Time)>,
}

impl<'a> Held<'a> {
    /// What a task of a job holds on a node.
    pub(crate) fn of(job: &'a Job, node: &Node, placed: Time) -> Self {
        let (tenant, spec) = (job.tenant, &*job.spec);
        Self { tenant, job: job.id, spec, node: node.id, site: node.site, placed }
    }
}

impl Site {
    fn of(spec: &NodeSpec) -> Self {
        Self {
            owner: spec.owner.clone(),
            region: spec.region.clone(),
            gpu_model: spec.gpu_model.clone(),
        }
    }

    /// Whether a node with this description is there.
    pub(crate) fn is_of(&self, spec: &NodeSpec) -> bool {
        self.owner == spec.owner && self.region == spec.region && self.gpu_model == spec.gpu_model
    }
}

impl Accounts {
    /// Counts one more node at its site.
    pub(crate) fn enter(&mut self, spec: &NodeSpec) -> SiteId {
        let site = Site::of(spec);
        let id = match self.site_ids.get(&site) {
            Some(id) => *id,
            None => {
                let id = self.next_site;
                self.next_site = id.next();
                self.site_ids.insert(site.clone(), id);
                self.sites.insert(id, (site, Uses::default()));
                id
            }
        };
        self.uses(id).nodes += 1;
        id
    }

    /// Counts one node less at its site.
    pub(crate) fn leave(&mut self, site: SiteId) {
        self.uses(site).nodes -= 1;
        self.forget_unused(site);
    }

    fn uses(&mut self, site: SiteId) -> &mut Uses {
        &mut self.sites.get_mut(&site).expect("invariant: a site in use is kept").1
    }

    fn forget_unused(&mut self, id: SiteId) {
        if *self.uses(id) == Uses::default()
            && let Some((site, _)) = self.sites.remove(&id)
        {
            self.site_ids.remove(&site);
        }
    }

    /// A site in use.
    pub(crate) fn site(&self, id: SiteId) -> &Site {
        &self.sites.get(&id).expect("invariant: a site in use is kept").0
    }

    /// From when on an allocation is not booked yet.
    pub(crate) fn open_since(&self, node: NodeId, placed: Time) -> Time {
        if self.moved.is_empty() {
            return placed;
        }
        self.moved.get(&node).map_or(placed, |moved| placed.max(*moved))
    }

    /// Says that everything on a node is booked until now.
    pub(crate) fn note_move(&mut self, node: NodeId, now: Time) {
        self.moved.insert(node, now);
    }

    /// When a node changed hands does not matter any more once all that runs there was placed since.
    pub(crate) fn forget_move(&mut self, node: NodeId, oldest_placed: Option<Time>) {
        let Some(moved) = self.moved.get(&node) else { return };
        if oldest_placed.is_none_or(|placed| placed >= *moved) {
            self.moved.remove(&node);
        }
    }

    /// Whether any node has changed hands with something on it that was placed before.
    pub(crate) fn has_moves(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Counts one node less at its site, of a node that is gone.
    pub(crate) fn forget_node(&mut self, node: NodeId, site: SiteId) {
        self.moved.remove(&node);
        self.leave(site);
    }

    /// What the allocation costs.
    pub(crate) fn rate(&self, held: &Held<'_>) -> Rate {
        if self.books.is_empty() {
            return Rate::default();
        }
        let site = self.site(held.site);
        let wish = (&held.spec.request, held.spec.min_runtime);
        let rate = self.books.rate(held.placed, wish, &site.region, &site.gpu_model);
        rate.at_demand(self.factors.at(&site.region, held.placed))
    }

    /// Books what is not booked yet of an allocation that ends, or whose node changes hands, at what it costs.
    pub(crate) fn book(&mut self, held: &Held<'_>, rate: &Rate, tenant: &Name, now: Time) {
        let from = self.open_since(held.node, held.placed);
        if from >= now {
            return;
        }
        for (day, ms) in days_of(from, now) {
            let key = RowKey { day, tenant: held.tenant, site: held.site };
            match self.rows.get_mut(&key) {
                Some(row) => row.add(&held.spec.request, ms, rate),
                None => self.open_row(key, tenant, (&held.spec.request, ms), rate),
            }
        }
        self.add_to_job(held.job, now.since(from).0, rate);
    }

    fn open_row(
        &mut self,
        key: RowKey,
        tenant: &Name,
        (request, ms): (&Resources, u64),
        rate: &Rate,
    ) {
        let mut row = Row::default();
        row.add(request, ms, rate);
        self.insert_row(key, row, tenant);
        self.forget_days();
    }

    fn insert_row(&mut self, key: RowKey, row: Row, tenant: &Name) {
        self.rows.insert(key, row);
        self.uses(key.site).rows += 1;
        let payer = self.payers.entry(key.tenant);
        payer.or_insert_with(|| (tenant.clone(), 0)).1 += 1;
    }

    /// Drops the days that need not be kept any more.
    fn forget_days(&mut self) {
        let newest = self.rows.get_max().map_or(0, |(key, _)| key.day);
        loop {
            let Some(oldest) = self.rows.get_min().map(|(key, _)| key.day) else { return };
            let is_surplus = self.rows.len() > ROWS_KEPT && oldest < newest;
            if newest - oldest < DAYS_KEPT && !is_surplus {
                return;
            }
            while let Some((key, _)) = self.rows.get_min().cloned()
                && key.day == oldest
            {
                self.forget_row(key);
            }
        }
    }

    fn forget_row(&mut self, key: RowKey) {
        self.rows.remove(&key);
        self.uses(key.site).rows -= 1;
        self.forget_unused(key.site);
        let payer = self.payers.get_mut(&key.tenant).expect("invariant: it has a row");
        payer.1 -= 1;
        if payer.1 == 0 {
            self.payers.remove(&key.tenant);
        }
    }

    fn add_to_job(&mut self, job: JobId, ms: u64, rate: &Rate) {
        match self.jobs.get_mut(job.0) {
            Some(sum) => *sum = sum.saturating_add(ms),
            None => {
                let ms = NonZeroU64::new(ms).expect("invariant: it held for a while");
                self.jobs.insert(job.0, ms);
            }
        }
        let charged = NonZeroU128::new(rate.charged.saturating_mul(u128::from(ms)));
        match (charged, self.charges.get_mut(job.0)) {
            (None, _) => {}
            (Some(more), Some(sum)) => *sum = sum.saturating_add(more.get()),
            (Some(first), None) => self.charges.insert(job.0, first),
        }
    }

    pub(crate) fn forget_job(&mut self, job: JobId) {
        self.jobs.remove(job.0);
        self.charges.remove(job.0);
    }

    /// What is booked of a job: milliseconds of its tasks, and what was charged for them.
    #[must_use]
    pub fn of_job(&self, job: JobId) -> (u64, u128) {
        let ms = self.jobs.get(job.0).map_or(0, |ms| ms.get());
        (ms, self.charges.get(job.0).map_or(0, |charge| charge.get()))
    }

    /// Reads what the end of a task of the job changes; what comes out means nothing.
    pub(crate) fn read_ahead(&self, job: JobId) -> u64 {
        self.jobs.get(job.0).map_or(0, |ms| ms.get()) ^ self.jobs.sharers(job.0) as u64
    }

    /// How many pages of its tables are not those of an earlier copy.
    pub(crate) fn pages_changed(&self, earlier: &Self) -> usize {
        self.jobs.pages_changed(&earlier.jobs).count()
            + self.charges.pages_changed(&earlier.charges).count()
    }

    /// The booked rows of some days.
    pub(crate) fn rows(&self, days: std::ops::Range<u32>) -> impl Iterator<Item = (&RowKey, &Row)> {
        let first = |day| RowKey { day, tenant: TenantId(0), site: SiteId(0) };
        self.rows.range(first(days.start)..first(days.end))
    }

    /// A tenant's rows of one day.
    pub(crate) fn rows_of(
        &self,
        day: u32,
        tenant: TenantId,
    ) -> impl Iterator<Item = (&RowKey, &Row)> {
        let first = RowKey { day, tenant, site: SiteId(0) };
        self.rows.range(first..=RowKey { site: SiteId(u32::MAX), ..first })
    }

    /// The first day of which anything is kept.
    #[must_use]
    pub fn first_day(&self) -> Option<u32> {
        self.rows.get_min().map(|(key, _)| key.day)
    }

    /// The day after the last one of which anything is booked.
    pub(crate) fn end_day(&self) -> u32 {
        self.rows.get_max().map_or(0, |(key, _)| key.day.saturating_add(1))
    }

    /// Adds a price book.
    pub(crate) fn add_book(&mut self, new: KeptBook, oldest_placed: Time) {
        self.books.add(new, oldest_placed);
    }

    /// Adds what demand makes of the prices of a region.
    pub(crate) fn add_factor(&mut self, region: &Name, new: KeptFactor, oldest_placed: Time) {
        self.factors.add(region, new, oldest_placed);
    }

    /// Tenants with rows and their names.
    pub fn payers(&self) -> impl Iterator<Item = (TenantId, &Name)> {
        self.payers.iter().map(|(id, (name, _))| (*id, name))
    }

    /// A tenant with rows.
    pub(crate) fn payer(&self, id: TenantId) -> &Name {
        &self.payers.get(&id).expect("invariant: a tenant with rows is kept").0
    }

    /// The price books.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// What demand makes of prices.
    #[must_use]
    pub fn factors(&self) -> &Factors {
        &self.factors
    }

    /// Sites of which anything is booked. The others follow from nodes.
    pub fn booked_sites(&self) -> impl Iterator<Item = (SiteId, &Site)> {
        let booked = self.sites.iter().filter(|(_, (_, uses))| uses.rows > 0);
        booked.map(|(id, (site, _))| (*id, site))
    }

    /// All booked rows.
    pub fn all_rows(&self) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter()
    }

    /// Since when nodes that have changed hands are where they are now.
    pub fn moved(&self) -> impl Iterator<Item = (NodeId, Time)> {
        self.moved.iter().map(|(node, since)| (*node, *since))
    }

    /// Back from a checkpoint, before there are nodes. `None` when the parts do not fit together.
    pub(crate) fn restore(parts: RestoredAccounts) -> Option<Self> {
        let mut accounts = Self::default();
        if !parts.books.is_sorted_by(|a, b| a.since < b.since) {
            return None;
        }
        for book in parts.books {
            accounts.books.add(book, Time(0));
        }
        for (region, kept) in &parts.factors {
            accounts.factors.restore(region, *kept)?;
        }
        for (id, site) in parts.sites {
            accounts.next_site = accounts.next_site.max(SiteId(id.0.checked_add(1)?));
            let is_new = accounts.site_ids.insert(site.clone(), id).is_none();
            if !is_new || accounts.sites.insert(id, (site, Uses::default())).is_some() {
                return None;
            }
        }
        let names: OrdMap<TenantId, Name> = parts.payers.into_iter().collect();
        for (key, row) in parts.rows {
            let fits = accounts.sites.contains_key(&key.site) && !accounts.rows.contains_key(&key);
            let tenant = names.get(&key.tenant).filter(|_| fits)?;
            accounts.insert_row(key, row, tenant);
        }
        for (job, ms, charged) in parts.jobs {
            if accounts.jobs.get(job.0).is_some() {
                return None;
            }
            accounts.jobs.insert(job.0, NonZeroU64::new(ms)?);
            if let Some(charged) = NonZeroU128::new(charged) {
                accounts.charges.insert(job.0, charged);
            }
        }
        accounts.moved = parts.moved.into_iter().collect();
        Some(accounts)
    }

    /// Whether no row had to go before its time.
    pub(crate) fn rows_kept(&self) -> bool {
        self.rows.len() < ROWS_KEPT
    }

    /// Compares what is counted with what there is.
    ///
    /// # Panics
    /// When they differ.
    pub(crate) fn check(&self, nodes: impl Iterator<Item = SiteId>) {
        let mut uses: std::collections::BTreeMap<SiteId, Uses> = Default::default();
        nodes.for_each(|site| uses.entry(site).or_default().nodes += 1);
        let mut payers: std::collections::BTreeMap<TenantId, u64> = Default::default();
        for key in self.rows.keys() {
            uses.entry(key.site).or_default().rows += 1;
            *payers.entry(key.tenant).or_default() += 1;
        }
        let kept = self.sites.iter().map(|(id, (_, uses))| (*id, *uses));
        assert!(kept.eq(uses), "sites are kept as long as they are used");
        let kept = self.payers.iter().map(|(id, (_, rows))| (*id, *rows));
        assert!(kept.eq(payers), "names are kept as long as there are rows");
        assert_eq!(self.sites.len(), self.site_ids.len(), "every site has one number");
        let newest = self.books.newest();
        self.factors.check(newest.is_some_and(|newest| !newest.book.demand.is_empty()));
    }
}
