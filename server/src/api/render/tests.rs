use std::sync::Arc;

use offpeak::v1::{self, event::Kind};
use offpeak_core::{
    command::{Detail, Outcome},
    event::{Commit, Event, Placement, PlacementReason},
    model::{
        AllocationId, AllocationRef, DeviceSet, Early, EvictionReason, JobId, JobState, LoadSample,
        Name, NodeId, NodeMode, Notice, OwnerSpec, Policy, Resources, Revision, TaskEnd, TaskIndex,
        TenantId, Time,
    },
};

use super::{MAX_RUN, Renderer};
use crate::{
    api::{convert::Violations, filter::Filter},
    record::{JobName, Names, NodeName},
};

const COMMIT: Commit = Commit { revision: Revision(9), time: Time(1_500), end: 0 };

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Nodes n0 in region east and n1 in west, tenants t0 and t1 with a job each.
fn names() -> Names {
    let node = |text, region| NodeName { name: name(text), region: name(region) };
    let job = |tenant, text| JobName { tenant: name(tenant), name: name(text) };
    Names {
        nodes: vec![(NodeId(0), node("n0", "east")), (NodeId(1), node("n1", "west"))],
        tenants: vec![(TenantId(0), name("t0")), (TenantId(1), name("t1"))],
        jobs: vec![(JobId(0), job("t0", "j0")), (JobId(1), job("t1", "j1"))],
    }
}

fn rendered(filter: v1::WatchFilter, events: &[Event]) -> Vec<v1::Event> {
    let mut violations = Violations::default();
    let filter = Filter::parse(&mut violations, Some(&filter));
    violations.check(()).expect("a filter");
    let renderer = Renderer { names: &names(), filter: &filter, commit: &COMMIT };
    let mut rendered = Vec::new();
    events.iter().for_each(|event| renderer.render(event, &mut rendered));
    rendered
}

fn kinds(filter: v1::WatchFilter, events: &[Event]) -> Vec<Kind> {
    rendered(filter, events).into_iter().filter_map(|event| event.kind).collect()
}

fn at(job: u64, node: u32) -> AllocationRef {
    AllocationRef {
        id: AllocationId(job + 10),
        job: JobId(job),
        task: TaskIndex(3),
        node: NodeId(node),
    }
}

fn placement(task: u32, node: u32) -> Placement {
    Placement {
        task: TaskIndex(task),
        count: 1,
        node: NodeId(node),
        allocation: AllocationId(u64::from(task)),
        devices: DeviceSet::default(),
        reason: PlacementReason::Tightest,
    }
}

fn owner(text: &str) -> Arc<OwnerSpec> {
    Arc::new(OwnerSpec::of(name(text)))
}

/// One event of most kinds, about job 0 on node 0 or job 1 on node 1.
fn events() -> Vec<Event> {
    let notice = Notice { reason: EvictionReason::OwnerReturned, deadline: Time(2_000) };
    let sample = |node| LoadSample { node, time: Time(1_000), load: Resources::default() };
    vec![
        Event::NodeLost { id: NodeId(0) },
        Event::NodeRemoved { id: NodeId(1), name: name("n1"), region: name("west") },
        Event::LoadReported { samples: vec![sample(NodeId(0)), sample(NodeId(1))] },
        Event::TenantDeleted { id: TenantId(1), name: name("t1") },
        Event::OwnerUpdated { spec: owner("web"), windows: Default::default() },
        Event::OwnerTurned { owner: name("web") },
        Event::JobResized { id: JobId(0), count: 5 },
        Event::TasksPlaced { job: JobId(1), placements: vec![placement(0, 0), placement(1, 1)] },
        Event::TaskStarted { at: at(0, 0) },
        Event::TaskEnded { at: at(1, 1), end: TaskEnd::TimedOut, message: "late".into() },
        Event::TasksDropped {
            job: JobId(0),
            first: TaskIndex(4),
            count: 3,
            delayed: false,
            end: TaskEnd::Cancelled,
        },
        Event::NoticeGiven { at: at(0, 0), notice, by: None },
        Event::NoticeWithdrawn { at: at(1, 1) },
        Event::TaskEvicted { at: at(0, 1), reason: EvictionReason::Preempted, early: None },
        Event::JobEnded { id: JobId(0), state: JobState::Failed },
        Event::JobForgotten { id: JobId(1), tenant: name("t1"), name: name("j1") },
    ]
}

/// The kinds that pass, by the names of their fields.
fn passing(filter: v1::WatchFilter) -> Vec<String> {
    kinds(filter, &events())
        .iter()
        .map(|kind| {
            let text = format!("{kind:?}");
            text.split('(').next().unwrap_or_default().to_owned()
        })
        .collect()
}

#[test]
fn without_a_filter_every_event_is_seen_with_its_revision_and_time() {
    let seen = rendered(v1::WatchFilter::default(), &events());
    assert_eq!(seen.len(), events().len());
    for event in seen {
        assert_eq!(event.revision, 9);
        assert_eq!(event.time, Some(prost_types::Timestamp { seconds: 1, nanos: 500_000_000 }));
    }
}

#[test]
fn what_is_only_for_the_cell_is_not_seen() {
    let outcome = Outcome { revision: Revision(1), detail: Detail::Done };
    let internal = [
        Event::PolicyChanged(Policy::default()),
        Event::WindowsRenewed { owner: name("web"), windows: Default::default() },
        Event::RequestRemembered { id: "r".into(), fingerprint: 1, outcome },
        Event::RequestsForgotten { through: Revision(1) },
    ];
    assert_eq!(kinds(v1::WatchFilter::default(), &internal), []);
}

#[test]
fn a_tenant_sees_what_is_its_own() {
    let filter = v1::WatchFilter { tenant: "t0".into(), ..v1::WatchFilter::default() };
    let seen = ["JobUpdated", "TaskStarted", "TaskEnded", "NoticeGiven", "TaskEvicted", "JobEnded"];
    assert_eq!(passing(filter.clone()), seen);
    assert_eq!(passing(v1::WatchFilter { job: "j0".into(), ..filter.clone() }), seen);
    assert_eq!(passing(v1::WatchFilter { job: "j1".into(), ..filter }), Vec::<String>::new());
}

#[test]
fn a_region_sees_its_nodes_and_the_tasks_on_them() {
    let filter = v1::WatchFilter { region: "west".into(), ..v1::WatchFilter::default() };
    let seen = [
        "NodeRemoved",
        "LoadReported",
        "TasksPlaced",
        "TaskEnded",
        "NoticeWithdrawn",
        "TaskEvicted",
    ];
    assert_eq!(passing(filter), seen);
    let filter = v1::WatchFilter { node: "n1".into(), ..v1::WatchFilter::default() };
    assert_eq!(passing(filter), seen);
}

#[test]
fn runs_are_narrowed_to_the_nodes_that_pass() {
    let filter = v1::WatchFilter { node: "n1".into(), ..v1::WatchFilter::default() };
    let seen = kinds(filter, &events());
    let [_, Kind::LoadReported(load), Kind::TasksPlaced(placed), ..] = seen.as_slice() else {
        panic!("a load report and a placement: {seen:?}");
    };
    assert_eq!((load.samples.len(), load.samples[0].node.as_str()), (1, "n1"));
    assert_eq!((placed.placements.len(), placed.placements[0].task), (1, 1));
}

#[test]
fn an_eviction_tells_how_a_task_went_before_its_notice_ended() {
    let evicted = |early| {
        let event = Event::TaskEvicted { at: at(0, 1), reason: EvictionReason::Preempted, early };
        match kinds(v1::WatchFilter::default(), &[event]).pop() {
            Some(Kind::TaskEvicted(evicted)) => (evicted.released, evicted.moved_to),
            other => panic!("an eviction: {other:?}"),
        }
    };
    assert_eq!(evicted(None), (false, String::new()));
    assert_eq!(evicted(Some(Early::Released)), (true, String::new()));
    assert_eq!(evicted(Some(Early::Moved(NodeId(0)))), (false, "n0".to_owned()));
}

#[test]
fn kinds_pass_by_the_names_of_their_fields() {
    let kinds = vec!["task_ended".into(), "node_state_changed".into()];
    let filter = v1::WatchFilter { kinds, ..v1::WatchFilter::default() };
    assert_eq!(passing(filter), ["NodeStateChanged", "TaskEnded", "TaskEnded"]);
}

#[test]
fn a_node_that_is_found_is_in_the_state_it_was_left_in() {
    let deadline = Time(60_000);
    let draining = NodeMode::Draining { deadline };
    let changes = [
        Event::NodeModeChanged { id: NodeId(0), mode: draining, lost: false },
        Event::NodeLost { id: NodeId(0) },
        Event::NodeModeChanged { id: NodeId(0), mode: NodeMode::Cordoned, lost: true },
        Event::NodeFound { id: NodeId(0), mode: draining },
    ];
    let states: Vec<(v1::NodeState, bool)> = kinds(v1::WatchFilter::default(), &changes)
        .into_iter()
        .map(|kind| {
            let Kind::NodeStateChanged(change) = kind else { panic!("a change of state") };
            (change.state(), change.drain_deadline.is_some())
        })
        .collect();
    let (lost, draining) = ((v1::NodeState::Lost, false), (v1::NodeState::Draining, true));
    assert_eq!(states, [draining, lost, lost, draining]);
}

#[test]
fn a_run_of_dropped_tasks_is_one_event() {
    let filter = v1::WatchFilter { kinds: vec!["task_ended".into()], ..v1::WatchFilter::default() };
    let seen = kinds(filter, &events());
    let [Kind::TaskEnded(ended), Kind::TaskEnded(dropped)] = seen.as_slice() else {
        panic!("two ends: {seen:?}");
    };
    assert_eq!((ended.task, ended.count, ended.end()), (3, 1, v1::TaskEnd::TimedOut));
    assert_eq!((ended.message.as_str(), ended.node.as_str()), ("late", "n1"));
    assert_eq!((dropped.task, dropped.count, dropped.end()), (4, 3, v1::TaskEnd::Cancelled));
    assert_eq!((dropped.allocation_id, dropped.node.as_str()), (0, ""));
}

#[test]
fn very_many_placements_come_in_several_events() {
    let count = 2 * u32::try_from(MAX_RUN).expect("small") + 1;
    let placements = (0..count).map(|task| placement(task, 0)).collect();
    let placed = [Event::TasksPlaced { job: JobId(0), placements }];
    let parts: Vec<usize> = kinds(v1::WatchFilter::default(), &placed)
        .into_iter()
        .map(|kind| {
            let Kind::TasksPlaced(placed) = kind else { panic!("placements") };
            placed.placements.len()
        })
        .collect();
    assert_eq!(parts, [MAX_RUN, MAX_RUN, 1]);
}

#[test]
fn a_filter_says_what_is_wrong_with_it() {
    let filter = v1::WatchFilter {
        job: "j".into(),
        region: "a/b".into(),
        kinds: vec!["task_ended".into(), "tasks".into()],
        ..v1::WatchFilter::default()
    };
    let mut violations = Violations::default();
    drop(Filter::parse(&mut violations, Some(&filter)));
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["filter.tenant", "filter.region", "filter.kinds[1]"]);
}

#[test]
fn a_submitted_job_is_shown_as_it_begins() {
    let request = Resources { cpu_millis: 1, ..Resources::default() };
    let spec = offpeak_core::model::JobSpec {
        count: 4,
        request,
        constraints: offpeak_core::model::Constraints::default(),
        priority: offpeak_core::model::Priority(0),
        min_runtime: offpeak_core::model::Millis(0),
        max_runtime: None,
        deadline: None,
        complete_by: None,
        gang: false,
        labels: std::collections::BTreeMap::new(),
        notice: None,
        on_notice: Default::default(),
        extras: None,
    };
    let submitted = Event::JobSubmitted {
        id: JobId(0),
        tenant: TenantId(0),
        name: name("j0"),
        spec: Arc::new(spec),
    };
    let seen = kinds(v1::WatchFilter::default(), &[submitted]);
    let [Kind::JobSubmitted(v1::JobSubmitted { job: Some(job) })] = seen.as_slice() else {
        panic!("a job: {seen:?}");
    };
    assert_eq!((job.tenant.as_str(), job.name.as_str(), job.revision), ("t0", "j0", 9));
    assert_eq!(
        (job.state(), job.tasks.map(|tasks| tasks.pending)),
        (v1::JobState::Pending, Some(4))
    );
}
