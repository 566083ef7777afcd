use std::fmt::Write as _;

use offpeak_core::{forecast::Risk, model::Horizon};
use serde::Serialize;

use super::score::{Class, Score, Scores};

/// The figures of a backtest.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    horizon: &'static str,
    risk_percent: f64,
    steady: bool,
    #[serde(flatten)]
    all: Figures,
    /// What was lent would have earned, at the price of a node's hour that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    earned: Option<f64>,
    /// The rate that nine of ten nodes stay within by themselves.
    p90_node_exceeded_percent: Option<f64>,
    classes: Vec<ClassFigures>,
}

#[derive(Debug, Serialize)]
struct ClassFigures {
    class: &'static str,
    #[serde(flatten)]
    figures: Figures,
}

/// Figures of some nodes; `None` where nothing can be told.
#[derive(Debug, Serialize)]
struct Figures {
    nodes: usize,
    bounds: u64,
    /// What was lent, in hours of whole nodes.
    lent_node_hours: Option<f64>,
    /// Of the capacity, what stayed idle over the horizon, on average.
    idle_percent: Option<f64>,
    /// Of what stayed idle, what was lent.
    harvest_percent: Option<f64>,
    /// Bounds that were exceeded, and by how many hundredths of the capacity on average.
    exceeded_percent: Option<f64>,
    severity_points: Option<f64>,
    /// Capacity taken back, by capacity lent for an hour.
    evicted_per_lent_hour: Option<f64>,
    /// Tasks of an hour that ended, by those of a clairvoyant.
    useful_1h_percent: Option<f64>,
}

/// A horizon as on the command line.
pub(super) fn name_of(horizon: Horizon) -> &'static str {
    match horizon {
        Horizon::FiveMinutes => "5m",
        Horizon::Hour => "1h",
        Horizon::SixHours => "6h",
        Horizon::Day => "24h",
    }
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Quiet => "quiet",
        Class::Even => "even",
        Class::Changing => "changing",
        Class::Busy => "busy",
    }
}

impl Report {
    pub(super) fn of(scores: &Scores, horizon: Horizon, risk: Risk, steady: bool) -> Self {
        let figures = |wanted: Option<Class>| {
            let of_class = |class: Class| wanted.is_none_or(|wanted| wanted == class);
            let nodes = scores.nodes.iter().filter(|(class, _)| of_class(*class));
            let mut sum = Score::default();
            let mut count = 0;
            for (_, score) in nodes {
                sum.add(score);
                count += 1;
            }
            Figures::of(count, &sum, scores.steps_an_hour)
        };
        let classes = Class::ALL
            .into_iter()
            .map(|class| ClassFigures { class: class_name(class), figures: figures(Some(class)) })
            .filter(|class| class.figures.nodes > 0)
            .collect();
        Self {
            horizon: name_of(horizon),
            risk_percent: f64::from(risk.get()) / 10_000.0,
            steady,
            all: figures(None),
            earned: None,
            p90_node_exceeded_percent: p90(scores),
            classes,
        }
    }

    /// Tells money too, if an hour of a whole node has a price.
    pub(super) fn with_price(mut self, node_price: Option<f64>) -> Self {
        let lent = self.all.lent_node_hours;
        self.earned = node_price.zip(lent).map(|(price, hours)| rounded(price * hours));
        self
    }

    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("invariant: plain figures are JSON");
        json + "\n"
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        let steady = if self.steady { ", steady" } else { "" };
        let mut line = |args: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{args}");
        };
        line(format_args!("horizon {}, risk {} %{steady}", self.horizon, self.risk_percent));
        line(format_args!(
            "{:<10}{:>7}{:>11}{:>9}{:>10}{:>10}{:>10}{:>15}{:>11}",
            "nodes",
            "",
            "bounds",
            "idle",
            "harvest",
            "exceeded",
            "severity",
            "evicted/lent h",
            "useful 1h"
        ));
        let rows = self.classes.iter().map(|class| (class.class, &class.figures));
        for (name, figures) in std::iter::once(("all", &self.all)).chain(rows) {
            line(format_args!(
                "{name:<10}{:>7}{:>11}{:>9}{:>10}{:>10}{:>10}{:>15}{:>11}",
                figures.nodes,
                figures.bounds,
                shown(figures.idle_percent, 1, " %"),
                shown(figures.harvest_percent, 2, " %"),
                shown(figures.exceeded_percent, 3, " %"),
                shown(figures.severity_points, 1, ""),
                shown(figures.evicted_per_lent_hour, 3, ""),
                shown(figures.useful_1h_percent, 1, " %"),
            ));
        }
        let p90 = shown(self.p90_node_exceeded_percent, 2, " %");
        line(format_args!("nine of ten nodes by themselves are exceeded {p90} or less"));
        let lent = shown(self.all.lent_node_hours, 1, "");
        match self.earned {
            Some(earned) => line(format_args!("{lent} node hours lent, earning {earned:.2}")),
            None => line(format_args!("{lent} node hours lent")),
        }
        text
    }
}

pub(super) fn shown(figure: Option<f64>, digits: usize, unit: &str) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}{unit}"))
}

impl Figures {
    fn of(nodes: usize, sum: &Score, steps_an_hour: u64) -> Self {
        let idle = part(sum.idle, sum.bounds * 1000).map(percent);
        Self {
            nodes,
            bounds: sum.bounds,
            lent_node_hours: part(sum.lent, 1000 * steps_an_hour).map(rounded),
            idle_percent: idle,
            harvest_percent: part(sum.harvested, sum.idle).map(percent),
            exceeded_percent: part(sum.exceeded, sum.bounds).map(percent),
            severity_points: part(sum.overshoot, sum.exceeded)
                .map(|permille| rounded(permille / 10.0)),
            evicted_per_lent_hour: part(sum.taken_back * steps_an_hour, sum.lent).map(rounded),
            useful_1h_percent: part(sum.useful, sum.clairvoyant).map(percent),
        }
    }
}

/// The greatest of the nodes' own rates when the worst tenth is left out.
fn p90(scores: &Scores) -> Option<f64> {
    let mut rates: Vec<f64> = scores
        .nodes
        .iter()
        .filter_map(|(_, score)| part(score.exceeded, score.bounds).map(percent))
        .collect();
    rates.sort_by(f64::total_cmp);
    let at = (rates.len() * 9).div_ceil(10).checked_sub(1)?;
    rates.get(at).copied()
}

#[allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
pub(super) fn part(of: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| of as f64 / whole as f64)
}

pub(super) fn percent(part: f64) -> f64 {
    rounded(part * 100.0)
}

/// To four digits after the point.
fn rounded(figure: f64) -> f64 {
    (figure * 10_000.0).round() / 10_000.0
}
