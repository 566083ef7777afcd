//! Prices that follow demand: now and then all nodes are looked at, how much of what each region could lend is lent.
//!
//! No sums are kept for this: they would have to change with every placement, every report and every forecast, and a
//! price may be a few minutes late. A look goes over the nodes a part at a time, between other work, and counts each as
//! it is then.

use std::collections::BTreeMap;

use super::{Engine, timers::next_look};
use crate::{
    event::Event,
    model::{Horizon, Millis, Name, Node, NodeId, Resources},
};

/// Nodes that are looked at in one step.
const NODES_PER_STEP: usize = 4_096;

/// Between two parts of a look.
const PAUSE: Millis = Millis(10);

/// A look at the nodes, as far as it has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    next: NodeId,
    regions: BTreeMap<Name, Sums>,
}

/// What is lent of a region's open nodes and what may be lent besides. Named countables are left out: one of which there
/// are two, both lent, would say that a region is full.
#[derive(Clone, Debug, Default)]
struct Sums {
    lent: [u64; 5],
    free: [u64; 5],
}

impl Sums {
    fn add(&mut self, node: &Node) {
        let free = node.headroom(Horizon::FiveMinutes);
        for (sums, more) in [(&mut self.lent, &node.lent), (&mut self.free, &free)] {
            for (sum, more) in sums.iter_mut().zip(amounts(more)) {
                *sum = sum.saturating_add(more);
            }
        }
    }

    /// The greatest share of any resource that is lent, in thousandths, rounded down. None where nothing can be lent.
    fn lent_permille(&self) -> Option<u32> {
        let shares = self.lent.iter().zip(self.free).filter_map(|(lent, free)| {
            let all = u128::from(*lent) + u128::from(free);
            (u128::from(*lent) * 1_000).checked_div(all)
        });
        shares.max().map(|share| u32::try_from(share).expect("invariant: a part of a whole"))
    }
}

fn amounts(resources: &Resources) -> [u64; 5] {
    let Resources { cpu_millis, memory_bytes, disk_bytes, network_bps, gpu_millis, counts: _ } =
        resources;
    [*cpu_millis, *memory_bytes, *disk_bytes, *network_bps, *gpu_millis]
}

impl Engine {
    /// Looks at the next nodes, and at prices after the last one.
    pub(super) fn look_at_demand(&mut self) {
        if !self.follows_demand() {
            self.demand = Tally::default();
            return;
        }
        let mut nodes = self.state.nodes_from(self.demand.next);
        for node in nodes.by_ref().take(NODES_PER_STEP).filter(|node| node.is_open()) {
            let region = &node.spec.region;
            match self.demand.regions.get_mut(region) {
                Some(sums) => sums.add(node),
                None => self.demand.regions.entry(region.clone()).or_default().add(node),
            }
        }
        let next = nodes.next().map(|node| node.id);
        drop(nodes);
        if let Some(next) = next {
            self.demand.next = next;
            self.timers.look_at_demand(&self.state, self.now.after(PAUSE));
            return;
        }
        let Tally { regions, .. } = std::mem::take(&mut self.demand);
        regions.into_iter().for_each(|(region, sums)| self.price_demand(region, &sums));
        self.timers.look_at_demand(&self.state, next_look(self.now));
    }

    fn follows_demand(&self) -> bool {
        let newest = self.state.accounts().books().newest();
        newest.is_some_and(|newest| !newest.book.demand.is_empty())
    }

    fn price_demand(&mut self, region: Name, sums: &Sums) {
        let accounts = self.state.accounts();
        let Some(book) = accounts.books().newest().map(|newest| &newest.book) else { return };
        let lent_permille = sums.lent_permille();
        let Some(lent) = lent_permille else { return };
        let old = accounts.factors().newest(&region);
        let factor_permille = book.demand.follow(old, lent);
        // Where something runs from before thousands of changes, prices stay until it has ended.
        if factor_permille == old || !accounts.factors().have_room(self.state.oldest_placed()) {
            return;
        }
        let since = self.now.after(Millis(1));
        self.emit(Event::DemandPriced { since, region, factor_permille, lent_permille });
    }
}

#[cfg(test)]
mod tests {
    use super::{NODES_PER_STEP, PAUSE};
    use crate::{
        command::{Command, Request},
        engine::Engine,
        event::Event,
        model::{DemandCurve, DemandStep, Name, NodeSpec, PriceBook, Prices, Resources, Time},
        state::State,
    };

    fn name(text: &str) -> Name {
        Name::parse_optional(text).expect("a name")
    }

    fn node(at: usize) -> NodeSpec {
        NodeSpec {
            name: name(&format!("n{at}")),
            owner: Name::default(),
            region: name(if at < NODES_PER_STEP { "first" } else { "last" }),
            zone: Name::default(),
            labels: Default::default(),
            taints: Vec::new(),
            capacity: Resources { cpu_millis: 1_000, ..Resources::default() },
            gpu_model: Name::default(),
            reservation: Resources::default(),
            report_ttl: None,
            annotations: Default::default(),
        }
    }

    fn book(factor_permille: u32) -> PriceBook {
        let demand = DemandCurve::new(vec![DemandStep { lent_permille: 0, factor_permille }]);
        PriceBook {
            currency: name("EUR"),
            everywhere: Prices::default(),
            regions: Default::default(),
            interruptible_permille: 1_000,
            horizon_permille: [1_000; 4],
            owner_permille: 1_000,
            demand: demand.expect("a curve"),
        }
    }

    fn priced(engine: &mut Engine, now: Time, command: Option<Command>) -> Vec<String> {
        let request = |command| Request { command, request_id: None, validate_only: false };
        let step = engine.step(now, command.into_iter().map(request).collect());
        let told = step.batch.events.iter().filter_map(|event| match event {
            Event::DemandPriced { region, factor_permille, .. } => {
                Some(format!("{region} {factor_permille}"))
            }
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn a_large_cell_is_looked_at_a_part_at_a_time_and_priced_at_the_end() {
        let mut engine = Engine::new(State::default(), Time(7));
        let nodes = (0..=NODES_PER_STEP).map(node).collect();
        priced(&mut engine, Time(7), Some(Command::RegisterNodes(nodes)));
        let set =
            |factor| Some(Command::SetPriceBook { book: Box::new(book(factor)), expected: None });
        let nothing: [&str; 0] = [];
        assert_eq!(priced(&mut engine, Time(7), set(800)), nothing, "one node is left");
        assert_eq!(engine.next_wakeup(), Some(Time(7).after(PAUSE)));
        assert_eq!(priced(&mut engine, Time(17), None), ["first 800", "last 800"]);
        assert_eq!(engine.next_wakeup(), Some(Time(300_000)));

        assert_eq!(priced(&mut engine, Time(300_000), None), nothing);
        let plain = PriceBook { demand: DemandCurve::default(), ..book(1) };
        let plain = Some(Command::SetPriceBook { book: Box::new(plain), expected: None });
        let ended = ["first 1000", "last 1000"];
        assert_eq!(priced(&mut engine, Time(300_001), plain), ended, "in the middle of a look");
        assert_eq!(priced(&mut engine, Time(300_010), None), nothing);
        assert_eq!(engine.next_wakeup(), None);
        assert_eq!(priced(&mut engine, Time(300_011), set(900)), nothing, "it begins anew");
        assert_eq!(priced(&mut engine, Time(300_021), None), ["first 900", "last 900"]);
        engine.check_invariants();
    }
}
