//! Budgets: when a tenant reaches a limit, and what follows for its tasks.
//!
//! What tenants spend is known at any time from what their tasks cost an hour, so the time at which the next limit is
//! reached is known too: it stands among the timers, and nobody is looked at before.

use super::Engine;
use crate::{
    event::Event,
    model::{Allocation, BudgetLevel, EvictionReason, JobId, Notice, TenantId},
};

impl Engine {
    /// Remembers whose budget an event may concern.
    pub(super) fn touch_budget(&mut self, event: &Event) {
        match event {
            Event::TenantCreated { id, spec } if !spec.budget.is_empty() => {
                self.touched_tenants.insert(*id);
            }
            Event::TenantUpdated { id, spec } => {
                let old = self.state.tenant(*id).map(|tenant| tenant.spec.budget);
                if old != Some(spec.budget) {
                    self.touched_tenants.insert(*id);
                }
            }
            Event::NoticeWithdrawn { at } => {
                let job = self.state.job(at.job);
                let tenant = job.and_then(|job| self.state.tenant(job.tenant));
                if let Some(tenant) = tenant.filter(|tenant| tenant.budget_level.stops_all()) {
                    self.touched_tenants.insert(tenant.id);
                }
            }
            _ => {}
        }
    }

    /// Brings every tenant to its level whose budget may have another one.
    pub(super) fn settle_budgets(&mut self) {
        while let Some(tenant) = self.touched_tenants.pop_first() {
            self.settle_budget(tenant);
        }
    }

    /// Brings a tenant to the level that it has come to, and gives or takes back notices accordingly.
    pub(super) fn settle_budget(&mut self, id: TenantId) {
        let Some(tenant) = self.state.tenant(id) else { return };
        let (old, budget) = (tenant.budget_level, tenant.spec.budget);
        let mut level = BudgetLevel::Within;
        let mut spent = 0;
        if let Some(spending) = &tenant.spending {
            level = spending.level_at(&budget, self.now);
            spent = spending.micros_at(budget.period, self.now);
        }
        if level != old {
            self.emit(Event::BudgetTurned { tenant: id, level, spent });
        } else {
            self.timers.expect_turn_of_budget(&self.state, id, self.now);
        }
        if level.stops_all() {
            self.stop_all(id);
        } else if old.stops_all() {
            self.let_all_stay(id);
        }
    }

    /// Gives notice to all that runs.
    fn stop_all(&mut self, id: TenantId) {
        for allocation in self.running_of(id) {
            if allocation.notice.is_none_or(|notice| notice.reason != EvictionReason::OverBudget) {
                let job = self.state.job(allocation.at.job).expect("invariant: it is live");
                let notice = job.spec.notice.unwrap_or(self.state.policy().notice);
                let deadline = self.now.after(notice);
                let notice = Notice { reason: EvictionReason::OverBudget, deadline };
                self.give_notice(allocation.at.id, notice, None);
            }
        }
    }

    /// Takes the notices back that were given for the budget.
    fn let_all_stay(&mut self, id: TenantId) {
        for allocation in self.running_of(id) {
            if allocation.notice.is_some_and(|notice| notice.reason == EvictionReason::OverBudget) {
                self.emit(Event::NoticeWithdrawn { at: allocation.at });
            }
        }
    }

    fn running_of(&self, id: TenantId) -> Vec<Allocation> {
        let tenant = self.state.tenant(id).expect("invariant: it was just there");
        let jobs = self.state.jobs_of(tenant, JobId(0));
        jobs.flat_map(|job| self.state.allocations_of(job)).copied().collect()
    }
}
