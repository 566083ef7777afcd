//! Why tasks wait, in words for people.

use offpeak_core::scheduler::{Blocker, PendingReason};

/// One blocker as a sentence without a full stop.
pub(crate) fn sentence(reason: &PendingReason) -> String {
    let of_nodes = |what: &str| {
        let nodes = if reason.nodes == 1 { "node" } else { "nodes" };
        format!("{} {nodes} {what}", reason.nodes)
    };
    let lacking = |what: &str| {
        let by = reason.smallest_shortfall;
        let dimension = reason.dimension.as_ref().map(ToString::to_string).unwrap_or_default();
        of_nodes(&format!("{what} {dimension}; at least {by} more is needed"))
    };
    match reason.blocker {
        Blocker::NoNodes => "the cell has no nodes".to_owned(),
        Blocker::Budget => "the tenant's budget is used up".to_owned(),
        Blocker::Gang => "the tasks do not all fit at the same time".to_owned(),
        Blocker::Spread => "the job's spreads leave no place".to_owned(),
        Blocker::Dependency => "the job waits for others".to_owned(),
        Blocker::Backoff => "tasks that failed wait before they are tried again".to_owned(),
        Blocker::Preemption => "evictions that make room are under notice".to_owned(),
        Blocker::Queue => "other tasks are ahead in the queue".to_owned(),
        Blocker::NodeState => of_nodes("cordoned, draining or lost"),
        Blocker::Region => of_nodes("in another region"),
        Blocker::Zone => of_nodes("in another zone"),
        Blocker::Labels => of_nodes("without the labels asked for"),
        Blocker::Taints => of_nodes("with a taint that is not tolerated"),
        Blocker::GpuModel => of_nodes("with another GPU model or none"),
        Blocker::Capacity => lacking("too small in"),
        Blocker::Headroom => lacking("now without enough"),
    }
}

/// One blocker of a single node.
pub(crate) fn sentence_of_one(reason: &PendingReason) -> String {
    let by = reason.smallest_shortfall;
    let dimension = reason.dimension.as_ref().map(ToString::to_string).unwrap_or_default();
    match reason.blocker {
        Blocker::NodeState => "is cordoned, draining or lost".to_owned(),
        Blocker::Region => "is in another region".to_owned(),
        Blocker::Zone => "is in another zone".to_owned(),
        Blocker::Labels => "has not the labels asked for".to_owned(),
        Blocker::Taints => "has a taint that is not tolerated".to_owned(),
        Blocker::GpuModel => "has another GPU model or none".to_owned(),
        Blocker::Capacity => format!("is too small by {by} {dimension}"),
        Blocker::Headroom => format!("lacks {by} {dimension} now"),
        _ => sentence(reason),
    }
}

#[cfg(test)]
mod tests {
    use offpeak_core::{
        model::Dimension,
        scheduler::{Blocker, PendingReason},
    };

    use super::sentence;

    #[test]
    fn a_shortfall_is_told_with_its_dimension_and_size() {
        let mut reason = PendingReason {
            blocker: Blocker::Capacity,
            dimension: Some(Dimension::Cpu),
            nodes: 3,
            smallest_shortfall: 500,
        };
        let told = "3 nodes too small in cpu_millis; at least 500 more is needed";
        assert_eq!(sentence(&reason), told);
        reason = PendingReason { blocker: Blocker::Zone, dimension: None, nodes: 1, ..reason };
        assert_eq!(sentence(&reason), "1 node in another zone");
    }
}
