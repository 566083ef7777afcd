//! What a job could ask for instead, in words for people.

use offpeak_core::{
    model::{Dimension, JobSpec, LabelSelector, SelectorOperator},
    scheduler::Change,
};

/// A change of a job's description: what would start now with it.
pub(crate) fn words(change: &Change, spec: &JobSpec) -> String {
    match change {
        Change::Amount(dimension, amount) => {
            let asked = quantity(dimension, spec.request.amount(dimension));
            format!("{} a task instead of {asked}", quantity(dimension, *amount))
        }
        Change::Count(1) => format!("1 task instead of {}", spec.count),
        Change::Count(count) => format!("{count} tasks instead of {}", spec.count),
        Change::Region(region) => format!("in the region {region}"),
        Change::Zone(zone) => format!("in the zone {zone}"),
        Change::GpuModel(model) => format!("on the GPU model {model}"),
        Change::WithoutLabel(selector) => format!("without the demand {}", demand(selector)),
        Change::Tolerate(taint) => {
            format!("with the taint {}={} tolerated", taint.key, taint.value)
        }
        Change::WithoutSpread => "without the spread over nodes or zones".to_owned(),
        Change::MinRuntime(span) => {
            let (now, asked) = (span.0 / 60_000, spec.min_runtime.0 / 60_000);
            format!("with a min_runtime of {} instead of {}", minutes(now), minutes(asked))
        }
    }
}

/// The fields of a description that a change is about.
pub(crate) fn path(change: &Change) -> String {
    match change {
        Change::Amount(Dimension::Count(name), _) => format!("request.counts.{name}"),
        Change::Amount(dimension, _) => format!("request.{dimension}"),
        Change::Count(_) => "count".to_owned(),
        Change::Region(_) => "constraints.regions".to_owned(),
        Change::Zone(_) => "constraints.zones".to_owned(),
        Change::GpuModel(_) => "constraints.gpu_models".to_owned(),
        Change::WithoutLabel(_) => "constraints.labels".to_owned(),
        Change::Tolerate(_) => "constraints.tolerations".to_owned(),
        Change::WithoutSpread => "constraints.spreads".to_owned(),
        Change::MinRuntime(_) => "min_runtime".to_owned(),
    }
}

/// An amount in the unit that people use for it.
pub(crate) fn quantity(dimension: &Dimension, amount: u64) -> String {
    match dimension {
        Dimension::Cpu if amount == 1000 => "1 core".to_owned(),
        Dimension::Cpu => format!("{} cores", thousandths(amount)),
        Dimension::Memory | Dimension::Disk => {
            let of = if *dimension == Dimension::Memory { "memory" } else { "disk" };
            let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("bytes", 1)];
            let fits = |(_, size): &(&str, u64)| amount >= *size && amount.is_multiple_of(*size);
            let (unit, size) = units.into_iter().find(fits).unwrap_or(("bytes", 1));
            format!("{} {unit} of {of}", amount / size)
        }
        Dimension::Network => format!("{} Mbit/s", thousandths(amount / 1000)),
        Dimension::Gpu if amount < 1000 => format!("{} of a GPU", thousandths(amount)),
        Dimension::Gpu if amount == 1000 => "1 GPU".to_owned(),
        Dimension::Gpu => format!("{} GPUs", thousandths(amount)),
        Dimension::Count(name) => format!("{amount} {name}"),
    }
}

fn thousandths(amount: u64) -> String {
    let text = format!("{}.{:03}", amount / 1000, amount % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn minutes(count: u64) -> String {
    match (count / 60, count % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn demand(selector: &LabelSelector) -> String {
    let key = &selector.key;
    let list = |values: &[offpeak_core::model::Label]| {
        values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    match &selector.operator {
        SelectorOperator::In(values) => format!("{key}={}", list(values)),
        SelectorOperator::NotIn(values) => format!("{key}!={}", list(values)),
        SelectorOperator::Exists => key.to_string(),
        SelectorOperator::NotExists => format!("!{key}"),
    }
}

#[cfg(test)]
mod tests {
    use offpeak_core::model::Dimension;

    use super::quantity;

    #[test]
    fn amounts_are_told_in_the_units_of_people() {
        for (dimension, amount, told) in [
            (Dimension::Cpu, 6000, "6 cores"),
            (Dimension::Cpu, 1500, "1.5 cores"),
            (Dimension::Memory, 3 << 30, "3 GiB of memory"),
            (Dimension::Disk, 5 << 20, "5 MiB of disk"),
            (Dimension::Memory, 1000, "1000 bytes of memory"),
            (Dimension::Gpu, 250, "0.25 of a GPU"),
            (Dimension::Gpu, 2000, "2 GPUs"),
            (Dimension::Network, 2_500_000_000, "2500 Mbit/s"),
        ] {
            assert_eq!(quantity(&dimension, amount), told);
        }
    }
}
