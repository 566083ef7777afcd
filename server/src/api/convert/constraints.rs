//! Where the tasks of a job may go.

use offpeak::v1;
use offpeak_core::model::{
    Constraints, LabelSelector, SelectorOperator, Spread, Toleration, Topology,
};

use super::{
    scalars::{enumeration, key, label, list, names},
    violations::{At, Violations},
};

pub(super) fn constraints(
    violations: &mut Violations,
    at: &At<'_>,
    message: Option<&v1::Constraints>,
) -> Constraints {
    let Some(message) = message else {
        return Constraints::default();
    };
    Constraints {
        regions: names(violations, &at.field("regions"), &message.regions),
        zones: names(violations, &at.field("zones"), &message.zones),
        gpu_models: names(violations, &at.field("gpu_models"), &message.gpu_models),
        labels: list(violations, &at.field("labels"), &message.labels, selector),
        tolerations: list(violations, &at.field("tolerations"), &message.tolerations, toleration),
        spreads: list(violations, &at.field("spreads"), &message.spreads, spread),
    }
}

fn selector(
    violations: &mut Violations,
    at: &At<'_>,
    message: &v1::LabelSelector,
) -> LabelSelector {
    let values_at = at.field("values");
    let values = list(violations, &values_at, &message.values, |violations, at, value| {
        label(violations, at, value)
    });
    let operator = enumeration(violations, &at.field("operator"), message.operator);
    let lists = matches!(operator, Some(v1::SelectorOperator::In | v1::SelectorOperator::NotIn));
    if operator.is_some() && lists == message.values.is_empty() {
        violations.refuse(&values_at, "must be given for IN and NOT_IN, and only for them");
    }
    LabelSelector {
        key: key(violations, &at.field("key"), &message.key),
        operator: match operator {
            Some(v1::SelectorOperator::In) => SelectorOperator::In(values),
            Some(v1::SelectorOperator::NotIn) => SelectorOperator::NotIn(values),
            Some(v1::SelectorOperator::NotExists) => SelectorOperator::NotExists,
            Some(v1::SelectorOperator::Exists | v1::SelectorOperator::Unspecified) | None => {
                SelectorOperator::Exists
            }
        },
    }
}

fn toleration(violations: &mut Violations, at: &At<'_>, message: &v1::Toleration) -> Toleration {
    let key = label(violations, &at.field("key"), &message.key);
    let value = message.value.as_ref().map(|value| label(violations, &at.field("value"), value));
    Toleration { key: (!message.key.is_empty()).then_some(key), value }
}

fn spread(violations: &mut Violations, at: &At<'_>, message: &v1::Spread) -> Spread {
    let topology = match enumeration(violations, &at.field("topology"), message.topology) {
        Some(v1::SpreadTopology::Zone) => Topology::Zone,
        Some(v1::SpreadTopology::Node | v1::SpreadTopology::Unspecified) | None => Topology::Node,
    };
    let (max_per_place, max_skew) = (limit(message.max_per_place), limit(message.max_skew));
    if max_per_place.is_none() && max_skew.is_none() {
        violations.refuse(at, "must limit max_per_place or max_skew");
    }
    if max_skew.is_some() && message.topology == v1::SpreadTopology::Node as i32 {
        violations.refuse(&at.field("max_skew"), "is only for zones");
    }
    Spread { topology, max_per_place, max_skew }
}

fn limit(tasks: u32) -> Option<u32> {
    (tasks > 0).then_some(tasks)
}
