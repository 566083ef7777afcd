//! What a bench sends, encoded before the clock starts.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use offpeak::v1::{
    Constraints, Job, JobSpec, Node, RegisterNodesRequest, Resources, SubmitJobRequest,
    SubmitJobsRequest, Taint, Toleration,
};

/// What one task asks for.
const TASK_CPU_MILLIS: u64 = 100;
const TASK_MEMORY_BYTES: u64 = 128 << 20;
/// A node is no smaller than this many tasks.
const LEAST_TASKS_A_NODE: u64 = 64;
/// Nodes in one registration; a request stays well under the usual 4 MiB.
const NODES_A_REQUEST: usize = 5000;
/// Keeps the work of others off the nodes of a bench.
const TAINT: &str = "offpeak-bench";

/// The size of a bench.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) jobs: usize,
    pub(super) tasks: u32,
}

/// Names of everything that one run makes, so that runs do not meet.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The run's tenant, and the region of its nodes.
    pub(super) run: String,
}

impl Names {
    pub(super) fn new() -> Self {
        let id = offpeak_client::new_request_id();
        Self { run: format!("bench-{}", &id[..8]) }
    }

    pub(super) fn job(index: usize) -> String {
        format!("job-{index}")
    }

    /// The index of a job that was named by [`Self::job`].
    pub(super) fn index_of(job: &str) -> Option<usize> {
        job.strip_prefix("job-")?.parse().ok()
    }

    pub(super) fn node(&self, index: usize) -> String {
        format!("{}-{index:06}", self.run)
    }
}

/// Nodes that hold all tasks with a fifth to spare, in the bench's own region and behind its taint.
pub(super) fn registrations(names: &Names, size: Size) -> Vec<RegisterNodesRequest> {
    let tasks = (size.jobs as u64).saturating_mul(u64::from(size.tasks));
    let with_spare = tasks.saturating_add(tasks / 5);
    let a_node = with_spare.div_ceil(size.nodes.max(1) as u64).max(LEAST_TASKS_A_NODE);
    let capacity = Resources {
        cpu_millis: a_node * TASK_CPU_MILLIS,
        memory_bytes: a_node * TASK_MEMORY_BYTES,
        ..Resources::default()
    };
    let indices: Vec<usize> = (0..size.nodes).collect();
    indices
        .chunks(NODES_A_REQUEST)
        .map(|indices| RegisterNodesRequest {
            nodes: indices
                .iter()
                .map(|&index| Node {
                    name: names.node(index),
                    owner: "bench".to_owned(),
                    region: names.run.clone(),
                    zone: format!("zone-{}", index % 3),
                    taints: vec![Taint { key: TAINT.to_owned(), value: String::new() }],
                    capacity: Some(capacity.clone()),
                    ..Node::default()
                })
                .collect(),
            ..RegisterNodesRequest::default()
        })
        .collect()
}

/// One encoded `SubmitJobRequest` a job.
pub(super) fn unary_requests(names: &Names, size: Size, request_ids: bool) -> Vec<Bytes> {
    encode_all(size.jobs, |index| request(names, size, request_ids, index))
}

/// Encoded `SubmitJobsRequest`s of `batch` jobs each, and which jobs.
pub(super) fn stream_requests(
    names: &Names,
    size: Size,
    request_ids: bool,
    batch: usize,
) -> Vec<(Bytes, Range<usize>)> {
    let batches = size.jobs.div_ceil(batch);
    let jobs_of = |index: usize| index * batch..size.jobs.min((index + 1) * batch);
    let encoded = encode_all(batches, |index| SubmitJobsRequest {
        jobs: jobs_of(index).map(|index| request(names, size, request_ids, index)).collect(),
    });
    encoded.into_iter().zip((0..batches).map(jobs_of)).collect()
}

/// Encodes into one buffer, which the requests then share.
fn encode_all<M: prost::Message>(count: usize, message: impl Fn(usize) -> M) -> Vec<Bytes> {
    let mut buffer = BytesMut::new();
    let mut ends = Vec::with_capacity(count);
    for index in 0..count {
        let message = message(index);
        buffer.reserve(message.encoded_len());
        // A BytesMut grows as needed, so that encoding into it cannot fail.
        let _ = message.encode(&mut buffer);
        ends.push(buffer.len());
    }
    let buffer = buffer.freeze();
    let begins = std::iter::once(0).chain(ends.iter().copied());
    begins.zip(&ends).map(|(begin, &end)| buffer.slice(begin..end)).collect()
}

fn request(names: &Names, size: Size, request_ids: bool, index: usize) -> SubmitJobRequest {
    let spec = JobSpec {
        count: size.tasks,
        request: Some(Resources {
            cpu_millis: TASK_CPU_MILLIS,
            memory_bytes: TASK_MEMORY_BYTES,
            ..Resources::default()
        }),
        constraints: Some(Constraints {
            regions: vec![names.run.clone()],
            tolerations: vec![Toleration { key: TAINT.to_owned(), value: None }],
            ..Constraints::default()
        }),
        ..JobSpec::default()
    };
    SubmitJobRequest {
        job: Some(Job {
            tenant: names.run.clone(),
            name: Names::job(index),
            spec: Some(spec),
            ..Job::default()
        }),
        request_id: if request_ids { offpeak_client::new_request_id() } else { String::new() },
        validate_only: false,
    }
}

#[cfg(test)]
mod tests {
    use offpeak::v1::SubmitJobsRequest;
    use prost::Message as _;

    use super::{Names, Size, registrations, stream_requests, unary_requests};

    const SIZE: Size = Size { nodes: 3, jobs: 250, tasks: 4 };

    #[test]
    fn every_job_is_sent_once_in_either_mode() {
        let names = Names::new();
        assert_eq!(unary_requests(&names, SIZE, true).len(), 250);
        let batches = stream_requests(&names, SIZE, true, 100);
        let lengths: Vec<usize> = batches.iter().map(|(_, jobs)| jobs.len()).collect();
        assert_eq!(lengths, [100, 100, 50]);
        let mut ids: Vec<String> = batches
            .iter()
            .flat_map(|(bytes, _)| {
                let batch = SubmitJobsRequest::decode(bytes.clone()).expect("what was encoded");
                batch.jobs.into_iter().map(|job| job.request_id)
            })
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 250);
    }

    #[test]
    fn the_nodes_hold_all_tasks() {
        let requests = registrations(&Names::new(), SIZE);
        let cpu: u64 = requests
            .iter()
            .flat_map(|request| &request.nodes)
            .filter_map(|node| node.capacity.as_ref())
            .map(|capacity| capacity.cpu_millis)
            .sum();
        assert!(cpu >= 250 * 4 * super::TASK_CPU_MILLIS);
    }
}
