//! Descriptions of nodes, tenants and jobs, and the cell's settings.

use std::sync::Arc;

use offpeak_core::model::{
    Constraints, Counts, JobSpec, Label, LabelSelector, Labels, Millis, Name, NodeSpec, OnNotice,
    Policy, Priority, Quota, Resources, SelectorOperator, Spread, Taint, TenantSpec, Time,
    Toleration,
};

use super::{
    CodecError,
    codes::{topology, topology_code},
    extras::{annotations, annotations_back},
    format,
    ledger::{budget, budget_message},
};

/// A name, which may be absent.
pub(super) fn name(what: &'static str, text: &str) -> Result<Name, CodecError> {
    Name::parse_optional(text).map_err(|source| CodecError::Text { what, source })
}

pub(super) fn label(text: &str) -> Result<Label, CodecError> {
    Label::parse(text).map_err(|source| CodecError::Text { what: "label", source })
}

pub(super) fn strings(names: &[Name]) -> Vec<String> {
    names.iter().map(Name::to_string).collect()
}

pub(super) fn names(what: &'static str, texts: &[String]) -> Result<Vec<Name>, CodecError> {
    texts.iter().map(|text| name(what, text)).collect()
}

pub(super) fn labels(labels: &Labels) -> Vec<format::Pair> {
    let pair = |(key, value): (&Label, &Label)| format::Pair {
        key: key.to_string(),
        value: value.to_string(),
    };
    labels.iter().map(pair).collect()
}

pub(super) fn labels_back(pairs: &[format::Pair]) -> Result<Labels, CodecError> {
    pairs.iter().map(|pair| Ok((label(&pair.key)?, label(&pair.value)?))).collect()
}

pub(super) fn counts<'a>(counts: impl Iterator<Item = (&'a Name, u64)>) -> Vec<format::Count> {
    counts.map(|(name, amount)| format::Count { name: name.to_string(), amount }).collect()
}

pub(super) fn counts_back<T: FromIterator<(Name, u64)>>(
    counts: &[format::Count],
) -> Result<T, CodecError> {
    counts.iter().map(|count| Ok((name("countable", &count.name)?, count.amount))).collect()
}

impl From<&Resources> for format::Resources {
    fn from(resources: &Resources) -> Self {
        Self {
            cpu_millis: resources.cpu_millis,
            memory_bytes: resources.memory_bytes,
            disk_bytes: resources.disk_bytes,
            network_bps: resources.network_bps,
            gpu_millis: resources.gpu_millis,
            counts: counts(resources.counts.iter()),
        }
    }
}

impl TryFrom<format::Resources> for Resources {
    type Error = CodecError;

    fn try_from(message: format::Resources) -> Result<Self, CodecError> {
        Ok(Self {
            cpu_millis: message.cpu_millis,
            memory_bytes: message.memory_bytes,
            disk_bytes: message.disk_bytes,
            network_bps: message.network_bps,
            gpu_millis: message.gpu_millis,
            counts: Counts::new(counts_back::<Vec<_>>(&message.counts)?),
        })
    }
}

impl From<&NodeSpec> for format::NodeSpec {
    fn from(spec: &NodeSpec) -> Self {
        let pair = |taint: &Taint| format::Pair {
            key: taint.key.to_string(),
            value: taint.value.to_string(),
        };
        Self {
            name: spec.name.to_string(),
            owner: spec.owner.to_string(),
            region: spec.region.to_string(),
            zone: spec.zone.to_string(),
            labels: labels(&spec.labels),
            taints: spec.taints.iter().map(pair).collect(),
            capacity: (&spec.capacity).into(),
            gpu_model: spec.gpu_model.to_string(),
            reservation: (&spec.reservation).into(),
            report_ttl_ms: spec.report_ttl.map(|ttl| ttl.0),
            annotations: annotations(&spec.annotations),
        }
    }
}

impl TryFrom<format::NodeSpec> for NodeSpec {
    type Error = CodecError;

    fn try_from(message: format::NodeSpec) -> Result<Self, CodecError> {
        let taint =
            |pair: &format::Pair| Ok(Taint { key: label(&pair.key)?, value: label(&pair.value)? });
        Ok(Self {
            name: name("node", &message.name)?,
            owner: name("owner", &message.owner)?,
            region: name("region", &message.region)?,
            zone: name("zone", &message.zone)?,
            labels: labels_back(&message.labels)?,
            taints: message.taints.iter().map(taint).collect::<Result<_, CodecError>>()?,
            capacity: message.capacity.try_into()?,
            gpu_model: name("GPU model", &message.gpu_model)?,
            reservation: message.reservation.try_into()?,
            report_ttl: message.report_ttl_ms.map(Millis),
            annotations: annotations_back(&message.annotations)?,
        })
    }
}

impl From<&TenantSpec> for format::TenantSpec {
    fn from(spec: &TenantSpec) -> Self {
        let quota = &spec.quota;
        Self {
            name: spec.name.to_string(),
            quota: format::Quota {
                cpu_millis: quota.cpu_millis,
                memory_bytes: quota.memory_bytes,
                disk_bytes: quota.disk_bytes,
                network_bps: quota.network_bps,
                gpu_millis: quota.gpu_millis,
                counts: counts(quota.counts.iter().map(|(name, limit)| (name, *limit))),
                tasks: quota.tasks,
            },
            weight: spec.weight,
            priority_ceiling: spec.priority_ceiling.0,
            labels: labels(&spec.labels),
            budget: budget_message(&spec.budget),
            annotations: annotations(&spec.annotations),
            parent: spec.parent.to_string(),
            guarantee: (!spec.guarantee.is_zero()).then(|| (&spec.guarantee).into()),
        }
    }
}

impl TryFrom<format::TenantSpec> for TenantSpec {
    type Error = CodecError;

    fn try_from(message: format::TenantSpec) -> Result<Self, CodecError> {
        let quota = message.quota;
        Ok(Self {
            name: name("tenant", &message.name)?,
            quota: Quota {
                cpu_millis: quota.cpu_millis,
                memory_bytes: quota.memory_bytes,
                disk_bytes: quota.disk_bytes,
                network_bps: quota.network_bps,
                gpu_millis: quota.gpu_millis,
                counts: counts_back(&quota.counts)?,
                tasks: quota.tasks,
            },
            weight: message.weight,
            priority_ceiling: Priority(message.priority_ceiling),
            labels: labels_back(&message.labels)?,
            budget: budget(message.budget)?,
            annotations: annotations_back(&message.annotations)?,
            parent: name("tenant", &message.parent)?,
            guarantee: message.guarantee.map(TryInto::try_into).transpose()?.unwrap_or_default(),
        })
    }
}

impl From<&JobSpec> for format::JobSpec {
    fn from(spec: &JobSpec) -> Self {
        let constraints = &spec.constraints;
        Self {
            count: spec.count,
            request: (&spec.request).into(),
            constraints: (*constraints != Constraints::default()).then(|| constraints.into()),
            priority: spec.priority.0,
            min_runtime_ms: spec.min_runtime.0,
            max_runtime_ms: spec.max_runtime.map(|span| span.0),
            deadline: spec.deadline.map(|time| time.0),
            complete_by: spec.complete_by.map(|time| time.0),
            gang: spec.gang,
            labels: labels(&spec.labels),
            notice_ms: spec.notice.map(|span| span.0),
            moves: spec.on_notice == OnNotice::Move,
            extras: spec.extras.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<format::JobSpec> for JobSpec {
    type Error = CodecError;

    fn try_from(message: format::JobSpec) -> Result<Self, CodecError> {
        let constraints = message.constraints.map(TryInto::try_into).transpose()?;
        Ok(Self {
            count: message.count,
            request: message.request.try_into()?,
            constraints: constraints.unwrap_or_default(),
            priority: Priority(message.priority),
            min_runtime: Millis(message.min_runtime_ms),
            max_runtime: message.max_runtime_ms.map(Millis),
            deadline: message.deadline.map(Time),
            complete_by: message.complete_by.map(Time),
            gang: message.gang,
            labels: labels_back(&message.labels)?,
            notice: message.notice_ms.map(Millis),
            on_notice: if message.moves { OnNotice::Move } else { OnNotice::Stay },
            extras: message.extras.map(TryInto::try_into).transpose()?.map(Arc::new),
        })
    }
}

impl From<&Constraints> for format::Constraints {
    fn from(constraints: &Constraints) -> Self {
        let toleration = |toleration: &Toleration| format::Toleration {
            key: toleration.key.as_ref().map(Label::to_string),
            value: toleration.value.as_ref().map(Label::to_string),
        };
        let spread = |spread: &Spread| format::Spread {
            topology: topology_code(spread.topology),
            max_per_place: spread.max_per_place,
            max_skew: spread.max_skew,
        };
        Self {
            regions: strings(&constraints.regions),
            zones: strings(&constraints.zones),
            gpu_models: strings(&constraints.gpu_models),
            labels: constraints.labels.iter().map(format::Selector::from).collect(),
            tolerations: constraints.tolerations.iter().map(toleration).collect(),
            spreads: constraints.spreads.iter().map(spread).collect(),
        }
    }
}

impl TryFrom<format::Constraints> for Constraints {
    type Error = CodecError;

    fn try_from(message: format::Constraints) -> Result<Self, CodecError> {
        let mut tolerations = Vec::with_capacity(message.tolerations.len());
        for toleration in &message.tolerations {
            let key = toleration.key.as_deref().map(label).transpose()?;
            let value = toleration.value.as_deref().map(label).transpose()?;
            tolerations.push(Toleration { key, value });
        }
        let mut spreads = Vec::with_capacity(message.spreads.len());
        for spread in message.spreads {
            let format::Spread { topology: code, max_per_place, max_skew } = spread;
            spreads.push(Spread { topology: topology(code)?, max_per_place, max_skew });
        }
        Ok(Self {
            regions: names("region", &message.regions)?,
            zones: names("zone", &message.zones)?,
            gpu_models: names("GPU model", &message.gpu_models)?,
            labels: message.labels.iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            tolerations,
            spreads,
        })
    }
}

impl From<&LabelSelector> for format::Selector {
    fn from(selector: &LabelSelector) -> Self {
        let (operator, values) = match &selector.operator {
            SelectorOperator::In(values) => (1, values.as_slice()),
            SelectorOperator::NotIn(values) => (2, values.as_slice()),
            SelectorOperator::Exists => (3, [].as_slice()),
            SelectorOperator::NotExists => (4, [].as_slice()),
        };
        let values = values.iter().map(Label::to_string).collect();
        Self { key: selector.key.to_string(), operator, values }
    }
}

impl TryFrom<&format::Selector> for LabelSelector {
    type Error = CodecError;

    fn try_from(message: &format::Selector) -> Result<Self, CodecError> {
        let values = || message.values.iter().map(|value| label(value)).collect::<Result<_, _>>();
        let operator = match message.operator {
            1 => SelectorOperator::In(values()?),
            2 => SelectorOperator::NotIn(values()?),
            3 => SelectorOperator::Exists,
            4 => SelectorOperator::NotExists,
            value => return Err(CodecError::Unknown { what: "operator of a selector", value }),
        };
        Ok(Self { key: label(&message.key)?, operator })
    }
}

impl From<&Policy> for format::Policy {
    fn from(policy: &Policy) -> Self {
        Self {
            forecast_margin_permille: policy.forecast_margin_permille,
            notice_ms: policy.notice.0,
            job_retention_ms: policy.job_retention.0,
            request_retention_ms: policy.request_retention.0,
            request_limit: policy.request_limit,
            share_half_life_ms: Some(policy.share_half_life.0),
        }
    }
}

impl From<format::Policy> for Policy {
    fn from(message: format::Policy) -> Self {
        let standard = Self::default();
        Self {
            forecast_margin_permille: message.forecast_margin_permille,
            notice: Millis(message.notice_ms),
            job_retention: Millis(message.job_retention_ms),
            request_retention: Millis(message.request_retention_ms),
            request_limit: message.request_limit,
            share_half_life: message.share_half_life_ms.map_or(standard.share_half_life, Millis),
        }
    }
}
