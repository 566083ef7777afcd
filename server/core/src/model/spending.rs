use super::{Budget, BudgetLevel, Millis, Period, Rate, Time};

/// What a tenant with a budget spends: enough to know at once what it has spent, and to foretell when it reaches a
/// limit. Money is exact: rates times milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// When the period began that `spent` is of.
    pub period_start: Time,
    /// What the tenant's tasks cost an hour now.
    pub rate: u128,
    /// When the rate last changed.
    pub since: Time,
    /// What had been spent in the period then.
    pub spent: u128,
}

impl Spending {
    /// What has been spent in the period that holds `now`.
    #[must_use]
    pub fn spent_at(&self, period: Period, now: Time) -> u128 {
        let (start, _) = period.around(now);
        let (from, before) =
            if start > self.period_start { (start, 0) } else { (self.since, self.spent) };
        before.saturating_add(self.rate.saturating_mul(u128::from(now.since(from).0)))
    }

    /// The same in millionths of the currency's unit, rounded down.
    #[must_use]
    pub fn micros_at(&self, period: Period, now: Time) -> u64 {
        u64::try_from(self.spent_at(period, now) / Rate::MICRO).unwrap_or(u64::MAX)
    }

    /// Counts what was spent until now, in the period that holds now, and changes the rate.
    pub(crate) fn change(&mut self, period: Period, now: Time, rate: impl FnOnce(u128) -> u128) {
        self.spent = self.spent_at(period, now);
        self.period_start = period.around(now).0;
        self.since = now;
        self.rate = rate(self.rate);
    }

    /// How far the tenant has come.
    #[must_use]
    pub fn level_at(&self, budget: &Budget, now: Time) -> BudgetLevel {
        let micros = self.micros_at(budget.period, now);
        let reached = budget.limits().take_while(|(limit, _)| micros >= *limit);
        reached.last().map_or(BudgetLevel::Within, |(_, level)| level)
    }

    /// When the level of a tenant that is at `level` changes next, as things stand.
    #[must_use]
    pub fn next_turn(&self, budget: &Budget, level: BudgetLevel, now: Time) -> Option<Time> {
        let (_, period_end) = budget.period.around(now);
        let spent = self.spent_at(budget.period, now);
        let next = budget.limits().find(|(_, leads_to)| *leads_to > level);
        let reached = next.and_then(|(limit, _)| {
            let left = u128::from(limit).saturating_mul(Rate::MICRO).saturating_sub(spent);
            let ms =
                if left == 0 { 0 } else { left.checked_next_multiple_of(self.rate)? / self.rate };
            Some(now.after(Millis(u64::try_from(ms).unwrap_or(u64::MAX))))
        });
        let renewed = (level > BudgetLevel::Within || self.rate > 0).then_some(period_end);
        reached.into_iter().chain(renewed).min()
    }
}
