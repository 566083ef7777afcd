//! Arbitrary records: every kind of event with every kind of value, whether or not it makes sense.

use std::sync::Arc;

use offpeak_core::{
    command::{Detail, Outcome},
    event::{Batch, Commit, Event, Placement, PlacementReason},
    model::{
        AllocationId, AllocationRef, Bounds, Constraints, Counts, DeviceSet, Dimension, Early,
        EvictionReason, Horizon, JobId, JobSpec, JobState, Label, LabelSelector, Labels,
        LoadSample, Millis, Name, NodeBounds, NodeId, NodeMode, NodeSpec, Notice, OnNotice,
        PlannedStart, Policy, PreemptedFor, Preemptor, Priority, Quota, Resources, Revision,
        SelectorOperator, Spread, StartPlace, Taint, TaskEnd, TaskIndex, TenantId, TenantSpec,
        Time, Toleration, Topology,
    },
    state::{DemandKey, Profile, Seen},
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

use super::{extras, ledger, owners, quotes};
use crate::record::{JobName, Names, NodeName, Record};

pub(super) fn record() -> BoxedStrategy<Record> {
    let commits = vec((number(), vec(event(), 0..6)), 0..5);
    (0..=u64::MAX / 2, commits, names())
        .prop_map(|(first, groups, names)| {
            let mut batch = Batch::default();
            for (revision, (time, events)) in (first..).zip(groups) {
                batch.events.extend(events);
                let end = batch.events.len();
                batch.commits.push(Commit { revision: Revision(revision), time: Time(time), end });
            }
            Record { batch, names }
        })
        .boxed()
}

pub(super) fn profile() -> BoxedStrategy<Profile> {
    let key = (resources(), select(Horizon::ALL.to_vec()), constraints())
        .prop_map(|(request, horizon, constraints)| DemandKey { request, horizon, constraints });
    let seen = (number(), [number(), number(), number()]);
    (vec((key, number()), 0..8), seen)
        .prop_map(|(entries, (tasks, asked))| Profile::restore(entries, Seen { tasks, asked }))
        .boxed()
}

/// Small ids are frequent, so that names are often those of the events.
fn names() -> BoxedStrategy<Names> {
    let nodes = btree_map(small_id(), (name(), name()), 0..5);
    let tenants = btree_map(small_id(), name(), 0..5);
    let jobs = btree_map(job_id(), (name(), name()), 0..5);
    (nodes, tenants, jobs)
        .prop_map(|(nodes, tenants, jobs)| Names {
            nodes: nodes
                .into_iter()
                .map(|(id, (name, region))| (NodeId(id), NodeName { name, region }))
                .collect(),
            tenants: tenants.into_iter().map(|(id, name)| (TenantId(id), name)).collect(),
            jobs: jobs
                .into_iter()
                .map(|(id, (tenant, name))| (id, JobName { tenant, name }))
                .collect(),
        })
        .boxed()
}

fn event() -> BoxedStrategy<Event> {
    prop_oneof![
        cell_event(),
        node_event(),
        owners::event(),
        ledger::event(),
        quotes::event(),
        tenant_event(),
        job_event(),
        task_event()
    ]
    .boxed()
}

fn cell_event() -> BoxedStrategy<Event> {
    let policy = (any::<u32>(), proptest::array::uniform5(number())).prop_map(
        |(forecast_margin_permille, numbers)| {
            let [notice, job_retention, request_retention, request_limit, half_life] = numbers;
            Event::PolicyChanged(Policy {
                forecast_margin_permille,
                notice: Millis(notice),
                job_retention: Millis(job_retention),
                request_retention: Millis(request_retention),
                request_limit,
                share_half_life: Millis(half_life),
            })
        },
    );
    let remembered =
        ("\\PC{0,12}", any::<u128>(), outcome()).prop_map(|(id, fingerprint, outcome)| {
            Event::RequestRemembered { id: id.into(), fingerprint, outcome }
        });
    let forgotten =
        number().prop_map(|through| Event::RequestsForgotten { through: Revision(through) });
    prop_oneof![policy, remembered, forgotten].boxed()
}

fn node_bounds() -> BoxedStrategy<NodeBounds> {
    let dimension = prop_oneof![
        select(vec![
            Dimension::Cpu,
            Dimension::Memory,
            Dimension::Disk,
            Dimension::Network,
            Dimension::Gpu
        ]),
        name().prop_map(Dimension::Count),
    ];
    let bounds = vec((dimension, any::<[u16; Horizon::COUNT]>()), 0..4);
    (small_id(), bounds)
        .prop_map(|(node, bounds)| NodeBounds {
            node: NodeId(node),
            bounds: Arc::new(Bounds(bounds)),
        })
        .boxed()
}

fn outcome() -> BoxedStrategy<Outcome> {
    let detail = prop_oneof![
        Just(Detail::Done),
        (job_id(), name()).prop_map(|(id, name)| Detail::Job { id, name }),
        any::<u32>().prop_map(Detail::Notices),
        (number(), number()).prop_map(|(accepted, ignored)| Detail::Load { accepted, ignored }),
        vec(number().prop_map(AllocationId), 0..4).prop_map(Detail::Ignored),
    ];
    (number(), detail)
        .prop_map(|(revision, detail)| Outcome { revision: Revision(revision), detail })
        .boxed()
}

fn node_event() -> BoxedStrategy<Event> {
    let node = || small_id().prop_map(NodeId);
    let spec = || node_spec().prop_map(Arc::new);
    let mode = || {
        prop_oneof![
            Just(NodeMode::Open),
            Just(NodeMode::Cordoned),
            number().prop_map(|deadline| NodeMode::Draining { deadline: Time(deadline) }),
        ]
    };
    let sample = (small_id(), number(), resources()).prop_map(|(node, time, load)| LoadSample {
        node: NodeId(node),
        time: Time(time),
        load,
    });
    prop_oneof![
        (node(), spec()).prop_map(|(id, spec)| Event::NodeRegistered { id, spec }),
        (node(), spec()).prop_map(|(id, spec)| Event::NodeUpdated { id, spec }),
        (node(), mode(), any::<bool>()).prop_map(|(id, mode, lost)| Event::NodeModeChanged {
            id,
            mode,
            lost
        }),
        node().prop_map(|id| Event::NodeLost { id }),
        (node(), mode()).prop_map(|(id, mode)| Event::NodeFound { id, mode }),
        (node(), name(), name()).prop_map(|(id, name, region)| Event::NodeRemoved {
            id,
            name,
            region
        }),
        vec(sample, 0..6).prop_map(|samples| Event::LoadReported { samples }),
        vec(node_bounds(), 0..4).prop_map(|bounds| Event::ForecastMade { bounds }),
    ]
    .boxed()
}

fn tenant_event() -> BoxedStrategy<Event> {
    let tenant = || small_id().prop_map(TenantId);
    prop_oneof![
        (tenant(), tenant_spec())
            .prop_map(|(id, spec)| Event::TenantCreated { id, spec: Arc::new(spec) }),
        (tenant(), tenant_spec())
            .prop_map(|(id, spec)| Event::TenantUpdated { id, spec: Arc::new(spec) }),
        (tenant(), name()).prop_map(|(id, name)| Event::TenantDeleted { id, name }),
    ]
    .boxed()
}

fn job_event() -> BoxedStrategy<Event> {
    let submitted =
        (job_id(), small_id(), name(), job_spec()).prop_map(|(id, tenant, name, spec)| {
            Event::JobSubmitted { id, tenant: TenantId(tenant), name, spec: Arc::new(spec) }
        });
    let dropped = (job_id(), any::<[u32; 2]>(), any::<bool>(), end()).prop_map(
        |(job, tasks, delayed, end)| {
            let [first, count] = tasks;
            Event::TasksDropped { job, first: TaskIndex(first), count, delayed, end }
        },
    );
    let states = select(vec![
        JobState::Pending,
        JobState::Running,
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
    ]);
    prop_oneof![
        submitted,
        dropped,
        (job_id(), any::<u32>()).prop_map(|(id, count)| Event::JobResized { id, count }),
        (job_id(), job_spec().prop_map(Arc::new))
            .prop_map(|(id, spec)| Event::JobUpdated { id, spec }),
        (job_id(), any::<[u32; 2]>()).prop_map(|(job, [first, count])| Event::TasksDelayed {
            job,
            first: TaskIndex(first),
            count
        }),
        (job_id(), any::<[u32; 2]>()).prop_map(|(job, [first, count])| Event::TasksResumed {
            job,
            first: TaskIndex(first),
            count
        }),
        (job_id(), states).prop_map(|(id, state)| Event::JobEnded { id, state }),
        (job_id(), name(), name()).prop_map(|(id, tenant, name)| Event::JobForgotten {
            id,
            tenant,
            name
        }),
    ]
    .boxed()
}

fn task_event() -> BoxedStrategy<Event> {
    let ended = (at(), end(), "\\PC{0,12}").prop_map(|(at, end, message)| Event::TaskEnded {
        at,
        end,
        message: message.into(),
    });
    let delayed = (at(), end(), "\\PC{0,12}", number()).prop_map(|(at, end, message, until)| {
        Event::TaskDelayed { at, end, message: message.into(), until: Time(until) }
    });
    let right = prop_oneof![Just(PreemptedFor::Priority), Just(PreemptedFor::Guarantee)];
    let by = (job_id(), name(), name(), right)
        .prop_map(|(job, tenant, name, right)| Arc::new(Preemptor { job, tenant, name, right }));
    let given =
        (at(), reason(), number(), option::of(by)).prop_map(|(at, reason, deadline, by)| {
            Event::NoticeGiven { at, notice: Notice { reason, deadline: Time(deadline) }, by }
        });
    prop_oneof![
        ended,
        delayed,
        given,
        (job_id(), vec(placement(), 0..6))
            .prop_map(|(job, placements)| Event::TasksPlaced { job, placements }),
        at().prop_map(|at| Event::TaskStarted { at }),
        at().prop_map(|at| Event::NoticeWithdrawn { at }),
        (at(), number())
            .prop_map(|(at, time)| Event::AdvisoryGiven { at, expected_by: Time(time) }),
        (at(), reason(), early()).prop_map(|(at, reason, early)| Event::TaskEvicted {
            at,
            reason,
            early
        }),
        (job_id(), number(), vec(place(), 1..4)).prop_map(|(job, start, places)| {
            Event::StartPlanned { job, planned: PlannedStart { start: Time(start), places } }
        }),
        job_id().prop_map(|job| Event::StartUnplanned { job }),
    ]
    .boxed()
}

fn early() -> BoxedStrategy<Option<Early>> {
    let moved = small_id().prop_map(|node| Early::Moved(NodeId(node)));
    option::of(prop_oneof![Just(Early::Released), moved]).boxed()
}

fn place() -> BoxedStrategy<StartPlace> {
    (small_id(), any::<u32>())
        .prop_map(|(node, tasks)| StartPlace { node: NodeId(node), tasks })
        .boxed()
}

fn placement() -> BoxedStrategy<Placement> {
    let devices = prop_oneof![Just(0), any::<u64>()];
    (any::<u32>(), any::<u32>(), small_id(), number(), devices, placement_reason())
        .prop_map(|(task, count, node, allocation, devices, reason)| Placement {
            task: TaskIndex(task),
            count,
            node: NodeId(node),
            allocation: AllocationId(allocation),
            devices: DeviceSet(devices),
            reason,
        })
        .boxed()
}

fn placement_reason() -> BoxedStrategy<PlacementReason> {
    prop_oneof![
        Just(PlacementReason::Unknown),
        Just(PlacementReason::Kept),
        Just(PlacementReason::Tightest),
        Just(PlacementReason::LastRoom),
        Just(PlacementReason::Spread),
        Just(PlacementReason::Batch),
        Just(PlacementReason::Planned),
    ]
    .boxed()
}

fn at() -> BoxedStrategy<AllocationRef> {
    (number(), job_id(), any::<u32>(), small_id())
        .prop_map(|(id, job, task, node)| AllocationRef {
            id: AllocationId(id),
            job,
            task: TaskIndex(task),
            node: NodeId(node),
        })
        .boxed()
}

fn end() -> BoxedStrategy<TaskEnd> {
    select(vec![
        TaskEnd::Succeeded,
        TaskEnd::Failed,
        TaskEnd::Cancelled,
        TaskEnd::TimedOut,
        TaskEnd::MissedDeadline,
        TaskEnd::Evicted,
        TaskEnd::DependencyFailed,
    ])
    .boxed()
}

fn reason() -> BoxedStrategy<EvictionReason> {
    select(vec![
        EvictionReason::OwnerReturned,
        EvictionReason::OwnerExpected,
        EvictionReason::Preempted,
        EvictionReason::NodeDrained,
        EvictionReason::NodeLost,
        EvictionReason::NodeRemoved,
        EvictionReason::NodeChanged,
        EvictionReason::Cancelled,
    ])
    .boxed()
}

fn node_spec() -> BoxedStrategy<NodeSpec> {
    let texts = (name(), name(), name(), name(), name());
    let taints = vec((label(), label()).prop_map(|(key, value)| Taint { key, value }), 0..3);
    let amounts = (resources(), resources(), option::of(number()));
    (texts, labels(), taints, amounts, extras::annotations())
        .prop_map(|(texts, labels, taints, amounts, annotations)| {
            let (name, owner, region, zone, gpu_model) = texts;
            let (capacity, reservation, ttl) = amounts;
            let report_ttl = ttl.map(Millis);
            NodeSpec {
                name,
                owner,
                region,
                zone,
                labels,
                taints,
                capacity,
                gpu_model,
                reservation,
                report_ttl,
                annotations,
            }
        })
        .boxed()
}

fn tenant_spec() -> BoxedStrategy<TenantSpec> {
    let limits = proptest::array::uniform6(option::of(number()));
    let quota = (limits, btree_map(name(), number(), 0..3)).prop_map(|(limits, counts)| {
        let [cpu_millis, memory_bytes, disk_bytes, network_bps, gpu_millis, tasks] = limits;
        Quota { cpu_millis, memory_bytes, disk_bytes, network_bps, gpu_millis, counts, tasks }
    });
    let more = (ledger::budget(), extras::annotations(), name(), resources());
    (name(), quota, any::<u32>(), any::<i32>(), labels(), more)
        .prop_map(
            |(name, quota, weight, ceiling, labels, (budget, annotations, parent, guarantee))| {
                TenantSpec {
                    name,
                    parent,
                    quota,
                    guarantee,
                    weight,
                    priority_ceiling: Priority(ceiling),
                    labels,
                    budget,
                    annotations,
                }
            },
        )
        .boxed()
}

fn job_spec() -> BoxedStrategy<JobSpec> {
    let numbers = (any::<u32>(), any::<i32>(), number(), any::<bool>());
    let optional = proptest::array::uniform4(option::of(number()));
    let on_notice = select(vec![OnNotice::Stay, OnNotice::Move]);
    (numbers, optional, resources(), constraints(), (labels(), extras::extras(), on_notice))
        .prop_map(|((count, priority, min_runtime, gang), optional, request, constraints, more)| {
            let (labels, extras, on_notice) = more;
            let [max_runtime, deadline, notice, complete_by] = optional;
            JobSpec {
                count,
                request,
                constraints,
                priority: Priority(priority),
                min_runtime: Millis(min_runtime),
                max_runtime: max_runtime.map(Millis),
                deadline: deadline.map(Time),
                complete_by: complete_by.map(Time),
                gang,
                labels,
                notice: notice.map(Millis),
                on_notice,
                extras,
            }
        })
        .boxed()
}

fn constraints() -> BoxedStrategy<Constraints> {
    let operator = prop_oneof![
        vec(label(), 0..3).prop_map(SelectorOperator::In),
        vec(label(), 0..3).prop_map(SelectorOperator::NotIn),
        Just(SelectorOperator::Exists),
        Just(SelectorOperator::NotExists),
    ];
    let selector = (label(), operator).prop_map(|(key, operator)| LabelSelector { key, operator });
    let toleration = (option::of(label()), option::of(label()))
        .prop_map(|(key, value)| Toleration { key, value });
    let topology = select(vec![Topology::Node, Topology::Zone]);
    let spread = (topology, option::of(any::<u32>()), option::of(any::<u32>())).prop_map(
        |(topology, max_per_place, max_skew)| Spread { topology, max_per_place, max_skew },
    );
    let names = || vec(name(), 0..3);
    let lists = (vec(selector, 0..3), vec(toleration, 0..3), vec(spread, 0..3));
    (names(), names(), names(), lists)
        .prop_map(|(regions, zones, gpu_models, lists)| {
            let (labels, tolerations, spreads) = lists;
            Constraints { regions, zones, gpu_models, labels, tolerations, spreads }
        })
        .boxed()
}

fn resources() -> BoxedStrategy<Resources> {
    let counts = vec((name(), number()), 0..3).prop_map(Counts::new);
    (proptest::array::uniform5(number()), counts)
        .prop_map(|(amounts, counts)| {
            let [cpu_millis, memory_bytes, disk_bytes, network_bps, gpu_millis] = amounts;
            Resources { cpu_millis, memory_bytes, disk_bytes, network_bps, gpu_millis, counts }
        })
        .boxed()
}

pub(super) fn labels() -> BoxedStrategy<Labels> {
    btree_map(label(), label(), 0..3).boxed()
}

pub(super) fn label() -> BoxedStrategy<Label> {
    "([a-z]([a-z./]{0,3}[a-z])?)?".prop_map(|text| Label::parse(&text).expect("a label")).boxed()
}

pub(super) fn name() -> BoxedStrategy<Name> {
    "([ab]|[a-z][a-z.-]{0,4}[a-z])?"
        .prop_map(|text| Name::parse_optional(&text).expect("a name"))
        .boxed()
}

fn job_id() -> BoxedStrategy<JobId> {
    number().prop_map(JobId).boxed()
}

pub(super) fn small_id() -> BoxedStrategy<u32> {
    prop_oneof![0..4_u32, any::<u32>()].boxed()
}

/// Of every size, the smallest and the greatest included.
pub(super) fn number() -> BoxedStrategy<u64> {
    prop_oneof![0..4_u64, any::<u32>().prop_map(u64::from), any::<u64>(), Just(u64::MAX)].boxed()
}
