//! Whole cells over real sockets and a real store: what a user is promised, claimed from the outside.
//!
//! `house` starts a cell in this process and talks to it; `fold` reads the lists of a cell and folds its watch, which
//! must come to the same. The claims are in the other modules, one a theme.

mod fold;
mod house;

mod answers;
mod capacity;
mod fairness;
mod grown;
mod hours;
mod jobs;
mod kill;
mod nodes;
mod owners;
mod prices;
mod quotes;
mod restarts;
mod starts;
mod watches;
