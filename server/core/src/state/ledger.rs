//! Booking: what an allocation held is counted when it ends or when its node changes hands, and what tenants with a
//! budget spend when that changes.

use std::sync::Arc;

use super::{State, apply::tenant_mut};
use crate::{
    billing::{Accounts, Held, KeptBook, KeptFactor, days_of, held},
    event::Placement,
    model::{
        Allocation, AllocationId, BudgetLevel, JobId, Name, NodeId, NodeSpec, PriceBook, Spending,
        TenantId, Time,
    },
};

impl State {
    /// The ledger.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// When the oldest live allocation was placed, or now.
    pub(crate) fn oldest_placed(&self) -> Time {
        let oldest = self.allocations_from(AllocationId(0)).next();
        oldest.map_or(self.now, |allocation| allocation.placed)
    }

    pub(super) fn change_prices(&mut self, since: Time, book: &Arc<PriceBook>) {
        let oldest = self.oldest_placed();
        let book = Arc::clone(book);
        self.accounts.add_book(KeptBook { since, revision: self.revision, book }, oldest);
    }

    pub(super) fn change_factor(
        &mut self,
        region: &Name,
        (since, factor_permille, lent_permille): (Time, u32, Option<u32>),
    ) {
        let oldest = self.oldest_placed();
        let revision = self.revision;
        let factor = KeptFactor { since, revision, factor_permille, lent_permille };
        self.accounts.add_factor(region, factor, oldest);
    }

    /// Adds to what a tenant with a budget spends what tasks cost that are placed now.
    pub(super) fn spend_more(&mut self, job: JobId, placements: &[Placement]) {
        let Some(job) = self.job(job) else { return };
        let tenant = job.tenant;
        if self.tenant(tenant).is_none_or(|tenant| tenant.spending.is_none()) {
            return;
        }
        let cost = |placement: &Placement| {
            let first = self.allocation(placement.allocation).expect("invariant: just placed");
            let rate = self.accounts.rate(&held(self, first)).charged;
            rate.saturating_mul(placement.count.into())
        };
        let more = placements.iter().map(cost).fold(0, u128::saturating_add);
        self.change_spending(tenant, |rate| rate.saturating_add(more));
    }

    fn change_spending(&mut self, tenant: TenantId, change: impl FnOnce(u128) -> u128) {
        let now = self.now;
        let tenant = tenant_mut(&mut self.tenants, tenant);
        if let Some(spending) = &mut tenant.spending {
            spending.change(tenant.spec.budget.period, now, change);
        }
    }

    /// Before a node's description changes: what runs there is booked as it is now, and costs what it costs there from
    /// now on.
    pub(super) fn change_site(&mut self, id: NodeId, spec: &NodeSpec) {
        let node = self.node(id).expect("invariant: the event's node exists");
        let old = node.site;
        if self.accounts.site(old).is_of(spec) {
            return;
        }
        let ids = node.allocations.clone();
        let new = self.accounts.enter(spec);
        for allocation in &ids {
            let allocation = *self.allocation(*allocation).expect("invariant: it is live");
            let mut held = held(self, &allocation);
            let tenant = held.tenant;
            let less = self.accounts.rate(&held).charged;
            held.site = new;
            let more = self.accounts.rate(&held).charged;
            self.book_until_now(&allocation);
            self.change_spending(tenant, |rate| rate.saturating_sub(less).saturating_add(more));
        }
        if self.oldest_on(id).is_some_and(|placed| placed < self.now) {
            self.accounts.note_move(id, self.now);
        }
        self.accounts.leave(old);
        let node = self.nodes.get_mut(u64::from(id.0)).expect("invariant: it is there");
        node.site = new;
    }

    fn book_until_now(&mut self, allocation: &Allocation) {
        let at = allocation.at;
        let job = self.jobs.get(at.job.0).expect("invariant: a live allocation has a job");
        let node = self.nodes.get(u64::from(at.node.0)).expect("invariant: it has a node");
        let tenant = self.tenants.get(u64::from(job.tenant.0)).expect("invariant: it has a tenant");
        let held = Held::of(job, node, allocation.placed);
        let rate = self.accounts.rate(&held);
        self.accounts.book(&held, &rate, &tenant.spec.name, self.now);
    }

    /// For recovery, when what runs where is known: what other releases kept for longer than it matters.
    pub(super) fn settle_moves(&mut self) {
        let moved: Vec<NodeId> = self.accounts.moved().map(|(node, _)| node).collect();
        for id in moved {
            self.accounts.forget_move(id, self.oldest_on(id));
        }
    }

    /// When the oldest allocation of a node was placed.
    pub(super) fn oldest_on(&self, node: NodeId) -> Option<Time> {
        let first = self.node(node)?.allocations.first()?;
        self.allocation(*first).map(|allocation| allocation.placed)
    }

    /// Counts what a tenant spends if its budget asks for that, from the beginning of the period on.
    pub(super) fn begin_spending(&mut self, id: TenantId) {
        let tenant = self.tenant(id).expect("invariant: the event's tenant exists");
        let budget = tenant.spec.budget;
        let spending = (!budget.is_empty()).then(|| self.recount(id));
        tenant_mut(&mut self.tenants, id).spending = spending;
    }

    /// What follows from the ledger of what a tenant with a budget spends.
    pub(super) fn recount(&self, id: TenantId) -> Spending {
        let tenant = self.tenant(id).expect("invariant: the tenant exists");
        let (start, _) = tenant.spec.budget.period.around(self.now);
        let mut spending = Spending { period_start: start, since: self.now, ..Spending::default() };
        for (day, _) in days_of(start, Time(self.now.0 + 1)) {
            let rows = self.accounts.rows_of(day, id);
            let booked = rows.map(|(_, row)| row.charged).fold(0, u128::saturating_add);
            spending.spent = spending.spent.saturating_add(booked);
        }
        for allocation in self.jobs_of(tenant, JobId(0)).flat_map(|job| self.allocations_of(job)) {
            let held = held(self, allocation);
            let rate = self.accounts.rate(&held).charged;
            let from = self.accounts.open_since(held.node, held.placed).max(start);
            let running = rate.saturating_mul(self.now.since(from).0.into());
            spending.rate = spending.rate.saturating_add(rate);
            spending.spent = spending.spent.saturating_add(running);
        }
        spending
    }

    pub(super) fn turn_budget(&mut self, id: TenantId, level: BudgetLevel) {
        tenant_mut(&mut self.tenants, id).budget_level = level;
    }
}
