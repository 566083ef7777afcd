use std::fmt::Write as _;

use offpeak_core::{
    forecast::{DayAhead, Fleet, HOURS, Kin, NodeForecast, Part, Risks, TAILS_PERMILLE, Together},
    model::{Millis, Time},
};
use serde::Serialize;

use super::history::{History, LoadRow};

/// Hours that are told apart by how far ahead they are, the one under way being 0: from, and up to.
const AHEAD: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 3), (4, 6), (7, 12), (13, HOURS - 1)];

/// What a node has, so that thousandths of it and what is told of many nodes can be compared.
const CAPACITY: u64 = 1_000_000;

/// All of it, in thousandths.
const FULL: u64 = 1000;

/// How what was told of the coming hours came out.
#[derive(Debug, Serialize)]
pub(super) struct HoursReport {
    /// Of single nodes.
    nodes: Vec<Line>,
    /// Of what all nodes together leave idle.
    together: Vec<Line>,
}

/// Of the hours that lay so far ahead; per cent of the capacity, or of the hours.
#[derive(Debug, Serialize)]
struct Line {
    from_hour: usize,
    to_hour: usize,
    hours: u64,
    idle_percent: Option<f64>,
    told_p50_percent: Option<f64>,
    told_p95_percent: Option<f64>,
    told_p99_percent: Option<f64>,
    exceeded_p50_percent: Option<f64>,
    exceeded_p95_percent: Option<f64>,
    exceeded_p99_percent: Option<f64>,
}

/// Sums of thousandths of a node's capacity.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    hours: u64,
    idle: u64,
    told: [u64; TAILS_PERMILLE.len()],
    exceeded: [u64; TAILS_PERMILLE.len()],
}

impl Score {
    fn add(&mut self, peak: u64, held: [u64; TAILS_PERMILLE.len()]) {
        self.hours += 1;
        self.idle += FULL.saturating_sub(peak);
        for (at, held) in held.into_iter().enumerate() {
            self.told[at] += FULL.saturating_sub(held);
            self.exceeded[at] += u64::from(peak > held);
        }
    }

    fn line(&self, (from_hour, to_hour): (usize, usize)) -> Line {
        let percent =
            |of: u64, whole: u64| super::report::part(of, whole).map(super::report::percent);
        let told = self.told.map(|told| percent(told, self.hours * FULL));
        let exceeded = self.exceeded.map(|exceeded| percent(exceeded, self.hours));
        Line {
            from_hour,
            to_hour,
            hours: self.hours,
            idle_percent: percent(self.idle, self.hours * FULL),
            told_p50_percent: told[0],
            told_p95_percent: told[1],
            told_p99_percent: told[2],
            exceeded_p50_percent: exceeded[0],
            exceeded_p95_percent: exceeded[1],
            exceeded_p99_percent: exceeded[2],
        }
    }
}

/// Feeds a history to the forecast of one fleet, looks ahead as each hour of the clock begins, and holds what is told
/// against what came, after the days that do not count.
pub(super) fn look_back(history: &History, warm_up_days: u32) -> HoursReport {
    let peaks = peaks(history);
    let mut fleet = Fleet::new(Risks::default());
    let mut nodes = vec![NodeForecast::default(); history.names.len()];
    let mut scores = Scores::default();
    let first = history.rows.first().map_or(0, |row| time_of(history, row).0);
    let counts_from = first + u64::from(warm_up_days) * 24 * Millis::HOUR.0;
    let mut before = None;
    for row in &history.rows {
        let now = time_of(history, row);
        for (node, load) in nodes.iter_mut().zip(&row.loads) {
            if let Some(load) = load {
                fleet.observe(node, now, *load);
            }
        }
        let hour = hour_of(now);
        if before.replace(hour) != Some(hour) && now.0 >= counts_from {
            scores.look(&nodes, &fleet.kin(), now, peaks.get(hour..).unwrap_or_default());
        }
    }
    scores.report()
}

fn time_of(history: &History, row: &LoadRow) -> Time {
    Time(row.step * history.step.0)
}

fn hour_of(now: Time) -> usize {
    usize::try_from(now.0 / Millis::HOUR.0).expect("invariant: steps are few")
}

/// The greatest load of each hour, by node; nothing where less than half of it was seen.
fn peaks(history: &History) -> Vec<Vec<Option<u64>>> {
    let hours = history.rows.last().map_or(0, |row| hour_of(time_of(history, row)) + 1);
    let mut seen = vec![vec![(0, 0); history.names.len()]; hours];
    for row in &history.rows {
        let hour = &mut seen[hour_of(time_of(history, row))];
        for ((count, peak), load) in hour.iter_mut().zip(&row.loads) {
            if let Some(load) = load {
                *count += 1;
                *peak = u64::from(load.get()).max(*peak);
            }
        }
    }
    let least = history.steps_in(Millis::HOUR).div_ceil(2);
    let known = |(count, peak): (u64, u64)| (count >= least).then_some(peak);
    seen.into_iter().map(|hour| hour.into_iter().map(known).collect()).collect()
}

#[derive(Default)]
struct Scores {
    nodes: [Score; AHEAD.len()],
    together: [Score; AHEAD.len()],
}

impl Scores {
    /// `coming` are the peaks of the hours from the one under way on.
    fn look(&mut self, nodes: &[NodeForecast], kin: &Kin, now: Time, coming: &[Vec<Option<u64>>]) {
        let mut together = Together::default();
        let (mut parts, mut sums) = (0, [0; HOURS]);
        for (node, forecast) in nodes.iter().enumerate() {
            let Some(day) = forecast.day_ahead(kin, now) else { continue };
            let peaks: Vec<Option<u64>> =
                coming.iter().take(HOURS).map(|hour| hour[node]).collect();
            self.look_at(&day, &peaks);
            // Of all nodes together it can be told where all of them are seen.
            let known: Option<Vec<u64>> = peaks.into_iter().collect();
            let Some(peaks) = known.filter(|peaks| peaks.len() == HOURS) else { continue };
            if (0..HOURS).any(|hour| day.hour(hour).is_none()) {
                continue;
            }
            let part = Part {
                day: Some(&day),
                capacity: CAPACITY,
                floors: [0; HOURS],
                otherwise: CAPACITY,
                divisible: true,
            };
            together.add(&part, |share| u64::from(share) * CAPACITY / FULL);
            parts += 1;
            for (sum, peak) in sums.iter_mut().zip(peaks) {
                *sum += peak;
            }
        }
        if parts == 0 {
            return;
        }
        for (hour, (sum, held)) in sums.into_iter().zip(together.held_back()).enumerate() {
            // The mean of the nodes, up, so that nothing is taken for kept that was not.
            let held = held.map(|held| held / (CAPACITY / FULL) / parts);
            self.together[class(hour)].add(u64::div_ceil(sum, parts), held);
        }
    }

    fn look_at(&mut self, day: &DayAhead, peaks: &[Option<u64>]) {
        for (hour, peak) in peaks.iter().enumerate() {
            if let (Some(load), Some(peak)) = (day.hour(hour), *peak) {
                self.nodes[class(hour)].add(peak, load.quantiles().map(u64::from));
            }
        }
    }

    fn report(&self) -> HoursReport {
        let lines = |scores: &[Score; AHEAD.len()]| {
            scores.iter().zip(AHEAD).map(|(score, ahead)| score.line(ahead)).collect()
        };
        HoursReport { nodes: lines(&self.nodes), together: lines(&self.together) }
    }
}

fn class(hour: usize) -> usize {
    AHEAD.iter().position(|(_, to)| hour <= *to).expect("invariant: the last one has the rest")
}

impl HoursReport {
    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("invariant: plain figures are JSON");
        json + "\n"
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for (what, lines) in [("each node", &self.nodes), ("all together", &self.together)] {
            let _ = writeln!(
                text,
                "{what:<14}{:>9}{:>9}{:>10}{:>9}{:>9}{:>15}{:>9}{:>9}",
                "hours", "idle", "told p50", "p95", "p99", "exceeded p50", "p95", "p99"
            );
            for line in lines {
                let _ = writeln!(
                    text,
                    "{:<14}{:>9}{:>9}{:>10}{:>9}{:>9}{:>15}{:>9}{:>9}",
                    line.name(),
                    line.hours,
                    shown(line.idle_percent, 1),
                    shown(line.told_p50_percent, 1),
                    shown(line.told_p95_percent, 1),
                    shown(line.told_p99_percent, 1),
                    shown(line.exceeded_p50_percent, 1),
                    shown(line.exceeded_p95_percent, 2),
                    shown(line.exceeded_p99_percent, 2),
                );
            }
        }
        text
    }
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    super::report::shown(figure, digits, " %")
}

impl Line {
    fn name(&self) -> String {
        match (self.from_hour, self.to_hour) {
            (0, _) => "under way".to_owned(),
            (from, to) if from == to => format!("{from} h ahead"),
            (from, to) => format!("{from} to {to} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use offpeak_core::{forecast::Share, model::Millis};

    use super::{History, LoadRow, look_back};

    /// Three nodes for so many days, restless, and busy from noon to one.
    fn history(days: u64) -> History {
        let row = |step: u64| {
            let load = |node: u64| {
                let noise = (node * 7_919 + step).wrapping_mul(6_364_136_223_846_793_005) >> 40;
                let busy = if step % 288 / 12 == 12 { 500 } else { 0 };
                Some(Share::permille(100 + noise % 60 + busy))
            };
            LoadRow { step, loads: (0..3).map(load).collect() }
        };
        History {
            step: Millis(300_000),
            names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            rows: (0..days * 288).map(row).collect(),
        }
    }

    #[test]
    fn what_was_told_is_held_against_what_came() {
        let report = look_back(&history(16), 8);
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("it is JSON");
        for kind in ["nodes", "together"] {
            let lines = json[kind].as_array().expect("lines");
            assert_eq!(lines.len(), 6);
            for line in lines {
                let figure = |name: &str| line[name].as_f64().expect("a figure");
                assert!(figure("hours") >= 100.0, "{line}");
                // 84 % are idle, or 34 % from noon to one.
                assert!((80.0..=84.0).contains(&figure("idle_percent")), "{line}");
                assert!(figure("told_p99_percent") > 70.0, "{line}");
                assert!(figure("told_p50_percent") <= figure("idle_percent") + 1.0, "{line}");
                assert!(figure("exceeded_p99_percent") <= 3.0, "{line}");
            }
        }
        // A look each hour of eight days, at three nodes; what has not come yet does not count.
        assert_eq!(json["nodes"][0]["hours"], 8 * 24 * 3);
        assert_eq!(json["nodes"][1]["hours"], (8 * 24 - 1) * 3);
        assert!(report.to_text().starts_with("each node"), "{}", report.to_text());
    }

    #[test]
    fn of_a_history_that_is_too_short_nothing_is_told() {
        let report = look_back(&history(2), 7);
        assert!(report.to_text().contains("under way"), "{}", report.to_text());
        assert!(report.nodes.iter().all(|line| line.hours == 0 && line.idle_percent.is_none()));
    }
}
