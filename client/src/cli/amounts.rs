//! Flags for amounts of resources.

use clap::Args;
use offpeak::v1::Resources;

use super::human;

/// How much of each resource; what is not given is zero, or stays as it is in an update.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Amounts {
    /// Cores: 2, 0.5 or 500m
    #[arg(long, value_parser = human::parse_millis, value_name = "CORES")]
    cpu: Option<u64>,
    /// Memory: 4GiB, 512MiB
    #[arg(long, value_parser = human::parse_bytes, value_name = "BYTES")]
    memory: Option<u64>,
    /// Disk: 100GiB
    #[arg(long, value_parser = human::parse_bytes, value_name = "BYTES")]
    disk: Option<u64>,
    /// Network: 10Gbps, 500Mbps
    #[arg(long, value_parser = human::parse_rate, value_name = "RATE")]
    network: Option<u64>,
    /// GPUs: whole ones, or a part of one such as 0.5
    #[arg(long, value_parser = human::parse_millis, value_name = "GPUS")]
    gpus: Option<u64>,
    /// A named countable, such as licence=2; may be repeated
    #[arg(long = "countable", value_parser = human::parse_count, value_name = "NAME=N")]
    counts: Vec<(String, u64)>,
}

/// What a node's owner always holds back.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Reserved {
    /// Cores that the owner always holds back
    #[arg(long, value_parser = human::parse_millis, value_name = "CORES")]
    reserve_cpu: Option<u64>,
    /// Memory that the owner always holds back
    #[arg(long, value_parser = human::parse_bytes, value_name = "BYTES")]
    reserve_memory: Option<u64>,
    /// Disk that the owner always holds back
    #[arg(long, value_parser = human::parse_bytes, value_name = "BYTES")]
    reserve_disk: Option<u64>,
    /// Network that the owner always holds back
    #[arg(long, value_parser = human::parse_rate, value_name = "RATE")]
    reserve_network: Option<u64>,
    /// GPUs that the owner always holds back
    #[arg(long, value_parser = human::parse_millis, value_name = "GPUS")]
    reserve_gpus: Option<u64>,
    /// A named countable that the owner always holds back; may be repeated
    #[arg(long = "reserve-countable", value_parser = human::parse_count, value_name = "NAME=N")]
    reserve_counts: Vec<(String, u64)>,
}

impl Amounts {
    /// Puts what was given into `amount`.
    pub(crate) fn apply(&self, amount: &mut Resources) {
        set(&mut amount.cpu_millis, self.cpu);
        set(&mut amount.memory_bytes, self.memory);
        set(&mut amount.disk_bytes, self.disk);
        set(&mut amount.network_bps, self.network);
        set(&mut amount.gpu_millis, self.gpus);
        amount.counts.extend(self.counts.iter().cloned());
    }

    pub(crate) fn to_resources(&self) -> Resources {
        let mut amount = Resources::default();
        self.apply(&mut amount);
        amount
    }
}

impl Reserved {
    /// Puts what was given into `amount`.
    pub(crate) fn apply(&self, amount: &mut Resources) {
        let same = Amounts {
            cpu: self.reserve_cpu,
            memory: self.reserve_memory,
            disk: self.reserve_disk,
            network: self.reserve_network,
            gpus: self.reserve_gpus,
            counts: self.reserve_counts.clone(),
        };
        same.apply(amount);
    }
}

fn set(field: &mut u64, value: Option<u64>) {
    if let Some(value) = value {
        *field = value;
    }
}
