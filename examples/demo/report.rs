//! What a person sees.

use std::time::Duration;

use crate::{
    fleet::{Fleet, capacity},
    tally::{Counts, Tally},
};

const CORE_HOUR: u128 = 1000 * 3_600_000;
/// Of load and lent capacity between two steps, in milliseconds.
const STEP_MS: u128 = 300_000;

#[derive(Default)]
pub(crate) struct Report {
    before: Counts,
    /// Thousandths of a core times milliseconds.
    capacity: u128,
    owner_load: u128,
    /// Node steps in which an owner wanted more than was left, and by how much in all.
    shortfall_steps: u64,
    shortfall: u128,
    node_steps: u64,
}

impl Report {
    /// Tells of the step that ends now and counts what the owners' new load finds.
    pub(crate) fn step(
        &mut self,
        tally: &mut Tally,
        fleet: &Fleet,
        (step, minute): (usize, usize),
        forecast: u64,
    ) {
        let total = fleet.total_cpu_millis();
        let mut owners = 0;
        for (index, node) in fleet.nodes.iter().enumerate() {
            let load = fleet.load(index, step).cpu_millis;
            owners += load;
            let lent = tally.lent_cpu_millis[index];
            let over = (load + lent).saturating_sub(capacity(node).cpu_millis);
            self.shortfall_steps += u64::from(over > 0);
            self.shortfall += u128::from(over) * STEP_MS;
            self.node_steps += 1;
        }
        self.capacity += u128::from(total) * STEP_MS;
        self.owner_load += u128::from(owners) * STEP_MS;
        let lent: u64 = tally.lent_cpu_millis.iter().sum();
        let now = tally.counts;
        println!(
            "{:02}:{:02}  owners {:>4}  expected up to {:>4}  lent {:>4}  placed {:>5}  finished {:>5}  waiting {:>5}  notices {:>3}  evicted {:>3}",
            minute / 60,
            minute % 60,
            percent(u128::from(owners), u128::from(total)),
            percent(u128::from(forecast), u128::from(total)),
            percent(u128::from(lent), u128::from(total)),
            now.placements - self.before.placements,
            now.finished - self.before.finished,
            tally.waiting(),
            now.notices - self.before.notices,
            now.evictions - self.before.evictions,
        );
        for line in tally.take_lines() {
            println!("{line}");
        }
        self.before = now;
    }

    pub(crate) fn summary(&self, tally: &Tally, replayed: Duration, burst_rate: f64) {
        let idle = self.capacity - self.owner_load;
        let counts = tally.counts;
        let hours = |amount: u128| format!("{} core-hours", amount / CORE_HOUR);
        let rows = [
            ("capacity", hours(self.capacity)),
            ("owner load", of(hours(self.owner_load), self.owner_load, self.capacity, "capacity")),
            ("idle", of(hours(idle), idle, self.capacity, "capacity")),
            ("harvested", of(hours(tally.harvested), tally.harvested, idle, "what was idle")),
            ("tasks", format!("{} asked for, {} finished", counts.submitted, counts.finished)),
            ("placements", counts.placements.to_string()),
            ("evictions", counts.evictions.to_string()),
            ("notices kept", format!("{} of {}", counts.kept, counts.evictions)),
            (
                "owner shortfall",
                format!(
                    "{} of {} node samples, {}",
                    self.shortfall_steps,
                    self.node_steps,
                    hours(self.shortfall)
                ),
            ),
            ("placements/s", format!("{burst_rate:.0}, in the burst at the beginning")),
            ("replayed in", format!("{:.1} s", replayed.as_secs_f64())),
        ];
        println!("\nSix hours of a fleet sized for its peak");
        for (name, value) in rows {
            println!("  {name:<16} {value}");
        }
    }
}

fn of(text: String, part: u128, whole: u128, name: &str) -> String {
    format!("{text}, {} of {name}", percent(part, whole))
}

fn percent(part: u128, whole: u128) -> String {
    format!("{} %", part * 100 / whole.max(1))
}
