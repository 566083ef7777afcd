//! The ledger: what was held, by whom, where, for how long, and what it costs.
//!
//! An allocation is booked once, when it ends (or when its node changes hands): what it held, times the milliseconds,
//! in the row of each day of UTC, tenant and site. What still runs is in no row; it is accrued when somebody asks, as of
//! a time (`statement.rs`). So nothing counts twice, however often the cell restarts. Prices (`books.rs`), and
//! what demand makes of them (`factors.rs`), are those that held when the allocation was placed. Amounts of money are kept exactly, as rates times milliseconds, and rounded down
//! once, when a row is read; docs/BILLING.md tells the rules to whoever wants to recompute them.
//!
//! Deliberately absent: decisions. Whether a budget is used up is asked in the engine (`engine/budgets.rs`), of what
//! [`crate::model::Spending`] keeps for tenants that have one.

mod accounts;
mod books;
mod factors;
mod row;
mod statement;

pub(crate) use accounts::Held;
pub use accounts::{Accounts, RestoredAccounts, RowKey, Site};
pub use books::{BOOKS_KEPT, Books, KeptBook};
pub use factors::{FACTORS_KEPT, Factors, KeptFactor};
pub use row::{Row, days_of};
pub(crate) use statement::held;
pub use statement::{JobCost, Line, Statement, Subject, expected_cost, job_cost, statement};

use crate::model::Millis;

/// A day of UTC in milliseconds.
pub const DAY_MS: u64 = Millis::DAY.0;

/// Days that the ledger keeps, the current one included.
pub const DAYS_KEPT: u32 = 400;

/// Rows that the ledger keeps; when there are more, the oldest days go. Each takes about 300 bytes.
pub const ROWS_KEPT: usize = 1_000_000;
