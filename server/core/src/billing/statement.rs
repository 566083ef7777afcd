use std::{collections::BTreeMap, ops::Range};

use super::{DAY_MS, Row, Site, accounts::Held, days_of};
use crate::{
    model::{Allocation, AllocationId, Job, JobId, Millis, Name, NodeId, Rate, TenantId, Time},
    state::State,
};

/// Of whom a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Of all tenants and owners.
    Cell,
    /// Of what a tenant is charged.
    Tenant(Name),
    /// Of what an owner gets.
    Owner(Name),
}

/// What was held over some days and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// In the order of their keys.
    pub lines: Vec<Line>,
    /// Until when what runs was counted.
    pub as_of: Time,
}

/// What one tenant held at one site on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Days since 1970, of UTC.
    pub day: u32,
    /// Who held it. Tenants that had the same name after each other are one here.
    pub tenant: Name,
    /// Where.
    pub site: Site,
    /// How much.
    pub row: Row,
}

/// What a job's tasks held and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCost {
    /// Milliseconds of all tasks together.
    pub task_ms: u64,
    /// What was charged for them, exactly, as in [`Row`].
    pub charged: u128,
    /// What the tasks that run cost an hour, as in [`Rate`].
    pub rate: u128,
}

impl Line {
    /// What the tenant is charged, in millionths of the currency's unit. This is where money is rounded: down.
    #[must_use]
    pub fn charge(&self) -> u64 {
        micros(self.row.charged, 1)
    }

    /// What the owner gets of the charge, rounded down too: never more than the charge.
    #[must_use]
    pub fn credit(&self) -> u64 {
        micros(self.row.credited, 1000)
    }

    /// What is left of the charge.
    #[must_use]
    pub fn margin(&self) -> u64 {
        self.charge().saturating_sub(self.credit())
    }

    /// What it would have cost by the list, which is what capacity costs that is kept for a peak.
    #[must_use]
    pub fn list(&self) -> u64 {
        micros(self.row.list, 1)
    }
}

impl JobCost {
    /// What was charged, in millionths of the currency's unit, rounded down for the job as a whole.
    #[must_use]
    pub fn charge(&self) -> u64 {
        micros(self.charged, 1)
    }

    /// What the tasks that run cost an hour, in millionths of the currency's unit, rounded down.
    #[must_use]
    pub fn hourly(&self) -> u64 {
        micros(self.rate.saturating_mul(DAY_MS.into()), 24)
    }
}

fn micros(exact: u128, parts: u128) -> u64 {
    u64::try_from(exact / (Rate::MICRO * parts)).unwrap_or(u64::MAX)
}

/// What was held on some days, what still runs counted until `as_of`. A look at everything that runs, of a tenant or in
/// all: for a copy of the state, not under a lock.
#[must_use]
pub fn statement(state: &State, subject: &Subject, days: Range<u32>, as_of: Time) -> Statement {
    let mut lines = Lines { state, subject, days, found: BTreeMap::new() };
    lines.add_booked();
    match subject {
        Subject::Tenant(name) => {
            let jobs = state.tenant_named(name.as_str());
            let jobs = jobs.into_iter().flat_map(|tenant| state.jobs_of(tenant, JobId(0)));
            for allocation in jobs.flat_map(|job| state.allocations_of(job)) {
                lines.accrue(allocation, as_of);
            }
        }
        Subject::Cell | Subject::Owner(_) => {
            for allocation in state.allocations_from(AllocationId(0)) {
                lines.accrue(allocation, as_of);
            }
        }
    }
    let lines = lines.found.into_iter();
    let lines = lines.map(|((day, tenant, site), row)| Line { day, tenant, site, row });
    Statement { lines: lines.collect(), as_of }
}

/// What a job's tasks held and cost until now, those that run included.
#[must_use]
pub fn job_cost(state: &State, job: &Job, as_of: Time) -> JobCost {
    let accounts = state.accounts();
    let (task_ms, charged) = accounts.of_job(job.id);
    let mut cost = JobCost { task_ms, charged, rate: 0 };
    for allocation in state.allocations_of(job) {
        let held = held(state, allocation);
        let ms = as_of.since(accounts.open_since(held.node, held.placed)).0;
        let rate = accounts.rate(&held).charged;
        cost.task_ms = cost.task_ms.saturating_add(ms);
        cost.charged = cost.charged.saturating_add(rate.saturating_mul(ms.into()));
        cost.rate = cost.rate.saturating_add(rate);
    }
    cost
}

/// What a job costs in micros if each of its tasks is placed on the node from now on and runs for so long. `None` without
/// prices.
#[must_use]
pub fn expected_cost(state: &State, job: &Job, node: NodeId, run: Millis) -> Option<u64> {
    let node = state.node(node)?;
    let accounts = state.accounts();
    accounts.books().newest()?;
    // A book holds from the next millisecond on.
    let held = Held::of(job, node, state.now().after(Millis(1)));
    let tasks = u128::from(job.spec.count);
    let exact = accounts.rate(&held).charged.saturating_mul(run.0.into()).saturating_mul(tasks);
    Some(micros(exact, 1))
}

/// What a live allocation is to the ledger.
pub(crate) fn held<'a>(state: &'a State, allocation: &Allocation) -> Held<'a> {
    let at = allocation.at;
    let job = state.job(at.job).expect("invariant: a live allocation has a job");
    let node = state.node(at.node).expect("invariant: a live allocation has a node");
    Held::of(job, node, allocation.placed)
}

struct Lines<'a> {
    state: &'a State,
    subject: &'a Subject,
    days: Range<u32>,
    found: BTreeMap<(u32, Name, Site), Row>,
}

impl Lines<'_> {
    fn add_booked(&mut self) {
        let accounts = self.state.accounts();
        let payers: Vec<TenantId> = match self.subject {
            Subject::Tenant(name) => {
                accounts.payers().filter(|(_, known)| *known == name).map(|(id, _)| id).collect()
            }
            _ => Vec::new(),
        };
        if let Subject::Tenant(name) = self.subject {
            let first = accounts.first_day().unwrap_or(u32::MAX).max(self.days.start);
            for day in first..self.days.end.min(accounts.end_day()) {
                for (key, row) in payers.iter().flat_map(|payer| accounts.rows_of(day, *payer)) {
                    let site = accounts.site(key.site).clone();
                    self.found.entry((day, name.clone(), site)).or_default().merge(row);
                }
            }
            return;
        }
        for (key, row) in accounts.rows(self.days.clone()) {
            let site = accounts.site(key.site);
            if self.concerns(site) {
                let key = (key.day, accounts.payer(key.tenant).clone(), site.clone());
                self.found.entry(key).or_default().merge(row);
            }
        }
    }

    fn concerns(&self, site: &Site) -> bool {
        match self.subject {
            Subject::Owner(owner) => site.owner == *owner,
            Subject::Cell | Subject::Tenant(_) => true,
        }
    }

    fn accrue(&mut self, allocation: &Allocation, as_of: Time) {
        let held = held(self.state, allocation);
        let accounts = self.state.accounts();
        let site = accounts.site(held.site);
        if !self.concerns(site) {
            return;
        }
        let start = Time(u64::from(self.days.start) * DAY_MS);
        let end = Time(u64::from(self.days.end) * DAY_MS);
        let from = accounts.open_since(held.node, held.placed).max(start);
        let rate = accounts.rate(&held);
        let tenant = self.state.tenant(held.tenant).expect("invariant: a job has a tenant");
        for (day, ms) in days_of(from, as_of.min(end)) {
            let key = (day, tenant.spec.name.clone(), site.clone());
            self.found.entry(key).or_default().add(&held.spec.request, ms, &rate);
        }
    }
}
