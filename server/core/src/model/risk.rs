//! How much risk an owner accepts, and how much of it is taken.

use super::Millis;

/// How often an owner's load may exceed what the cell bounded, in parts per million of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk(u32);

/// Quarters of an owner's risk that are not taken, because so much of its shortfall budget is spent; 4: as little is
/// risked as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Curb(u8);

impl Risk {
    /// The least that can be asked for.
    pub const LEAST: Self = Self(100);
    /// The most that can be asked for.
    pub const MOST: Self = Self(100_000);

    /// So many parts per million, if that is within bounds.
    #[must_use]
    pub fn new(parts_per_million: u32) -> Option<Self> {
        let risk = Self(parts_per_million);
        (Self::LEAST..=Self::MOST).contains(&risk).then_some(risk)
    }

    /// As parts per million.
    #[must_use]
    pub fn parts_per_million(self) -> u32 {
        self.0
    }

    /// What is left of it.
    #[must_use]
    pub fn curbed(self, curb: Curb) -> Self {
        let quarters = u32::from(4_u8.saturating_sub(curb.quarters()));
        Self(self.0 * quarters / 4).max(Self::LEAST)
    }
}

/// One in a hundred.
impl Default for Risk {
    fn default() -> Self {
        Self(10_000)
    }
}

impl Curb {
    /// None, if at least three quarters of the budget are left, and one for each further quarter that is begun.
    #[must_use]
    pub fn of(budget: Millis, spent: Millis) -> Self {
        let left = u128::from(budget.0.saturating_sub(spent.0)) * 4;
        Self(match () {
            () if left == 0 => 4,
            () if left < u128::from(budget.0) => 3,
            () if left < u128::from(budget.0) * 2 => 2,
            () if left < u128::from(budget.0) * 3 => 1,
            () => 0,
        })
    }

    /// From 0 to 4 quarters.
    #[must_use]
    pub fn quarters(self) -> u8 {
        self.0
    }

    /// So many quarters, if they are no more than 4.
    #[must_use]
    pub fn new(quarters: u8) -> Option<Self> {
        (quarters <= 4).then_some(Self(quarters))
    }
}

#[cfg(test)]
mod tests {
    use super::{Curb, Risk};
    use crate::model::Millis;

    #[test]
    fn risk_has_bounds() {
        assert_eq!(Risk::new(99), None);
        assert_eq!(Risk::new(1_000).map(Risk::parts_per_million), Some(1_000));
        assert_eq!(Risk::new(100_001), None);
    }

    #[test]
    fn less_is_risked_with_every_quarter_of_the_budget_that_is_spent() {
        let curbs = [0, 25, 26, 50, 51, 75, 76, 99, 100, 200]
            .map(|spent| Curb::of(Millis(100), Millis(spent)).quarters());
        assert_eq!(curbs, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(Curb::of(Millis(0), Millis(0)).quarters(), 4);
    }
}
