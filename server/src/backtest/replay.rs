use offpeak_core::{
    forecast::{Fleet, NodeForecast, Risk, Risks, Share, Steady},
    model::{Horizon, Time},
};

use super::history::History;

/// The bound in force after each row of a history, by node; `None` where nothing is lent.
pub(super) type Bounds = Vec<Vec<Option<Share>>>;

/// Feeds a history to the forecast of one fleet, row by row.
pub(super) fn replay(history: &History, horizon: Horizon, risk: Risk, steady: bool) -> Bounds {
    let mut fleet = Fleet::new(Risks::all(risk));
    let mut nodes: Vec<Node> = history.names.iter().map(|_| Node::default()).collect();
    let mut bounds = Vec::with_capacity(history.rows.len());
    for row in &history.rows {
        let now = Time(row.step * history.step.0);
        for (node, load) in nodes.iter_mut().zip(&row.loads) {
            if let Some(load) = load {
                fleet.observe(&mut node.forecast, now, *load);
            }
        }
        bounds.push(nodes.iter_mut().map(|node| node.bound(horizon, now, steady)).collect());
    }
    bounds
}

#[derive(Default)]
struct Node {
    forecast: NodeForecast,
    steady: Steady,
}

impl Node {
    fn bound(&mut self, horizon: Horizon, now: Time, steady: bool) -> Option<Share> {
        let bound = self.forecast.bound(horizon, now);
        let bound =
            if steady { Some(self.steady.follow(bound.unwrap_or(Share::FULL))) } else { bound };
        bound.filter(|bound| *bound < Share::FULL)
    }
}
