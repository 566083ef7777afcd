//! Whether a node may take a task at all, whatever it has free.

use super::Blocker;
use crate::model::{Constraints, Label, LabelSelector, Node, NodeSpec, SelectorOperator, Taint};

/// Every rule that keeps tasks with these constraints off the node, its state included.
pub(super) fn blockers<'a>(
    node: &'a Node,
    constraints: &'a Constraints,
) -> impl Iterator<Item = Blocker> + 'a {
    let broken = RULES.iter().filter(|(_, allows)| !allows(&node.spec, constraints));
    let closed = (!node.is_open()).then_some(Blocker::NodeState);
    closed.into_iter().chain(broken.map(|(blocker, _)| *blocker))
}

/// Whether the node's description allows tasks with these constraints.
pub(super) fn allows(spec: &NodeSpec, constraints: &Constraints) -> bool {
    RULES.iter().all(|(_, allows)| allows(spec, constraints))
}

type Rule = fn(&NodeSpec, &Constraints) -> bool;

const RULES: [(Blocker, Rule); 5] = [
    (Blocker::Region, |node, wanted| among(&wanted.regions, &node.region)),
    (Blocker::Zone, |node, wanted| among(&wanted.zones, &node.zone)),
    (Blocker::GpuModel, |node, wanted| among(&wanted.gpu_models, &node.gpu_model)),
    (Blocker::Labels, |node, wanted| wanted.labels.iter().all(|selector| selects(selector, node))),
    (Blocker::Taints, |node, wanted| node.taints.iter().all(|taint| tolerates(wanted, taint))),
];

fn among<T: Ord>(allowed: &[T], value: &T) -> bool {
    allowed.is_empty() || allowed.binary_search(value).is_ok()
}

fn selects(selector: &LabelSelector, node: &NodeSpec) -> bool {
    let value: Option<&Label> = node.labels.get(&selector.key);
    match &selector.operator {
        SelectorOperator::In(values) => value.is_some_and(|value| values.contains(value)),
        SelectorOperator::NotIn(values) => !value.is_some_and(|value| values.contains(value)),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::NotExists => value.is_none(),
    }
}

fn tolerates(constraints: &Constraints, taint: &Taint) -> bool {
    constraints.tolerations.iter().any(|toleration| {
        toleration.key.as_ref().is_none_or(|key| *key == taint.key)
            && toleration.value.as_ref().is_none_or(|value| *value == taint.value)
    })
}
