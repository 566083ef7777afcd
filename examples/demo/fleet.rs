//! The machines and what their owners use, replayed from `owner_load.csv`.

use std::{error::Error, fs, path::Path, time::Duration};

use offpeak::v1::{LoadSample, Node, RegisterNodesRequest, ReportLoadRequest, Resources};
use offpeak_client::Client;
use prost_types::Timestamp;
use tokio_stream::iter;

const MILLIS_PER_GPU: u64 = 1000;

/// The fleet of `fleet.csv`.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Node>,
    /// Permille of the capacity, by step and series.
    series: Vec<Vec<u64>>,
}

impl Fleet {
    pub(crate) fn read(data: &Path) -> Result<Self, Box<dyn Error>> {
        let fleet = fs::read_to_string(data.join("fleet.csv"))?;
        let nodes = fleet.lines().skip(1).map(node).collect::<Option<Vec<_>>>();
        let load = fs::read_to_string(data.join("owner_load.csv"))?;
        let row = |line: &str| line.split(',').skip(1).map(|cell| cell.parse().ok()).collect();
        let series = load.lines().skip(1).map(row).collect::<Option<Vec<Vec<u64>>>>();
        Ok(Self {
            nodes: nodes.ok_or("fleet.csv has a row that is no node")?,
            series: series.ok_or("owner_load.csv has a cell that is no number")?,
        })
    }

    pub(crate) fn describe(&self) -> String {
        let total = self.total_cpu_millis() / 1000;
        let gpus: u64 = self.nodes.iter().map(|node| capacity(node).gpu_millis).sum();
        let (nodes, gpus) = (self.nodes.len(), gpus / MILLIS_PER_GPU);
        format!("{nodes} nodes in 3 regions: {total} cores and {gpus} GPUs, each sized for a peak")
    }

    pub(crate) fn total_cpu_millis(&self) -> u64 {
        self.nodes.iter().map(|node| capacity(node).cpu_millis).sum()
    }

    pub(crate) async fn register(&self, client: &Client) -> Result<(), Box<dyn Error>> {
        let nodes = self.nodes.clone();
        client.call(RegisterNodesRequest { nodes, ..Default::default() }).await?;
        Ok(())
    }

    /// Reports the load of the steps before the replay, and answers the revision after it.
    pub(crate) async fn report_history(
        &self,
        client: &Client,
        steps: usize,
        step: Duration,
        now_ms: u64,
    ) -> Result<u64, Box<dyn Error>> {
        let step_ms = u64::try_from(step.as_millis())?;
        let ago = |at: usize| now_ms.saturating_sub((steps - at) as u64 * step_ms);
        let batches: Vec<_> = (0..steps).map(|at| self.sample(at, ago(at))).collect();
        Ok(client.nodes().report_load(iter(batches)).await?.into_inner().revision)
    }

    pub(crate) async fn report_load(
        &self,
        client: &Client,
        step: usize,
        now_ms: u64,
    ) -> Result<(), Box<dyn Error>> {
        client.nodes().report_load(iter([self.sample(step, now_ms)])).await?;
        Ok(())
    }

    fn sample(&self, step: usize, time_ms: u64) -> ReportLoadRequest {
        let sample = |(index, node): (usize, &Node)| LoadSample {
            node: node.name.clone(),
            time: Some(timestamp(time_ms)),
            load: Some(self.load(index, step)),
        };
        ReportLoadRequest { samples: self.nodes.iter().enumerate().map(sample).collect() }
    }

    /// What the owner of a node uses: the trace's part of every resource, whole devices of GPUs.
    pub(crate) fn load(&self, index: usize, step: usize) -> Resources {
        let columns = self.series[0].len();
        let row = (step + 6 * (index / columns)) % self.series.len();
        let permille = self.series[row][index % columns];
        let capacity = capacity(&self.nodes[index]);
        let part = |amount: u64| amount / 1000 * permille;
        Resources {
            cpu_millis: part(capacity.cpu_millis),
            memory_bytes: part(capacity.memory_bytes),
            gpu_millis: part(capacity.gpu_millis).next_multiple_of(MILLIS_PER_GPU),
            ..Default::default()
        }
    }
}

pub(crate) fn capacity(node: &Node) -> &Resources {
    node.capacity.as_ref().expect("every node of the demo has a capacity")
}

fn node(line: &str) -> Option<Node> {
    let cells: Vec<&str> = line.split(',').collect();
    let [name, cpu, memory, gpus, gpu_model, region, zone, owner] = cells[..] else { return None };
    Some(Node {
        name: name.to_owned(),
        owner: owner.to_owned(),
        region: region.to_owned(),
        zone: zone.to_owned(),
        gpu_model: gpu_model.to_owned(),
        capacity: Some(Resources {
            cpu_millis: cpu.parse().ok()?,
            memory_bytes: memory.parse().ok()?,
            gpu_millis: gpus.parse::<u64>().ok()? * MILLIS_PER_GPU,
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn timestamp(time_ms: u64) -> Timestamp {
    let seconds = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: i32::try_from(time_ms % 1000).unwrap_or(0) * 1_000_000 }
}
