//! What few jobs ask for, and tasks that wait out a back-off or for other jobs.

use std::sync::Arc;

use offpeak_core::{
    event::Event,
    model::{
        Annotations, Dependency, DependencyCondition, JobExtras, JobId, Millis, Payload,
        RetryPolicy, TaskEnd, TaskIndex, Time,
    },
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

use super::{
    Cell,
    cell::*,
    checkpoint::{entries, rebuild},
    strategies::{label, name as any_name, number},
};

fn text() -> BoxedStrategy<Arc<str>> {
    "\\PC{0,6}".prop_map(Into::into).boxed()
}

pub(super) fn annotations() -> BoxedStrategy<Annotations> {
    btree_map(label(), text(), 0..3).prop_map(|texts| texts.into_iter().collect()).boxed()
}

pub(super) fn extras() -> BoxedStrategy<Option<Arc<JobExtras>>> {
    let limits = (any::<[u32; 2]>(), option::of(any::<u32>()), option::of(any::<u32>()));
    let retry = (limits, number(), number()).prop_map(|(limits, backoff, longest)| {
        let ([failures, timeouts], evictions, node_losses) = limits;
        let (backoff, max_backoff) = (Millis(backoff), Millis(longest));
        RetryPolicy { failures, timeouts, evictions, node_losses, backoff, max_backoff }
    });
    let condition = select(vec![DependencyCondition::Success, DependencyCondition::End]);
    let dependency = (number(), any_name(), condition)
        .prop_map(|(job, name, condition)| Dependency { job: JobId(job), name, condition });
    let texts = (vec(text(), 0..3), vec(text(), 0..3), text());
    let payload = (texts, btree_map(text(), text(), 0..3), any::<[u32; 2]>()).prop_map(
        |((command, arguments, image), environment, [first_index, index_step])| Payload {
            command,
            arguments,
            environment,
            image,
            first_index,
            index_step,
        },
    );
    let extras = (option::of(retry), vec(dependency, 0..3), option::of(payload), annotations())
        .prop_map(|(retry, dependencies, payload, annotations)| {
            Arc::new(JobExtras { retry, dependencies, payload, annotations })
        });
    option::of(extras).boxed()
}

fn retried(failures: u32) -> RetryPolicy {
    RetryPolicy {
        failures,
        timeouts: 1,
        evictions: Some(2),
        node_losses: None,
        backoff: Millis(10_000),
        max_backoff: Millis(60_000),
    }
}

/// A job one of whose tasks waits out its back-off and another one was evicted, and a job that waits for it.
pub(super) fn waiting() -> Cell {
    let mut cell = Cell::default();
    let tenant = Event::TenantCreated {
        id: offpeak_core::model::TenantId(0),
        spec: Arc::new(tenant_spec("physics")),
    };
    cell.commit(vec![registered(0), tenant]);
    let mut first = job_spec(4, cores(1_000));
    first.change_extras(|extras| extras.retry = Some(retried(3)));
    let mut second = job_spec(5, cores(500));
    let condition = DependencyCondition::Success;
    let dependency = Dependency { job: JobId(1), name: name("job-1"), condition };
    second.change_extras(|extras| extras.dependencies.push(dependency));
    let (job, count) = (JobId(2), 5);
    cell.commit(vec![
        submitted(1, 0, first),
        submitted(2, 0, second),
        Event::TasksDelayed { job, first: TaskIndex(0), count },
        Event::TasksPlaced { job: JobId(1), placements: vec![placement(0, 3, 0, 1)] },
    ]);
    let placed = |id, task| at(id, 1, task, 0);
    let reason = offpeak_core::model::EvictionReason::NodeChanged;
    let until = Time(1_700_000_200_000);
    cell.commit(vec![
        Event::TaskDelayed { at: placed(1, 0), end: TaskEnd::Failed, message: "".into(), until },
        Event::TaskEvicted { at: placed(2, 1), reason, early: None },
    ]);
    cell.state.check_invariants();
    cell
}

#[test]
fn what_waits_comes_back_with_all_that_it_has_been_through() {
    let before = waiting().state;
    let after = rebuild(&entries(&before)).expect("it was just written");
    after.check_invariants();
    assert_eq!(entries(&after), entries(&before));
    assert_eq!(after.all_tries().collect::<Vec<_>>(), before.all_tries().collect::<Vec<_>>());
    assert_eq!(after.all_tries().len(), 2);
    let job = after.job(JobId(2)).expect("it was submitted");
    assert!(job.waits_for_jobs());
    assert_eq!(after.awaited(job).map(|job| job.id).collect::<Vec<_>>(), [JobId(1)]);
}

#[test]
fn a_rebuilt_cell_lets_go_what_waits_as_the_one_before() {
    let mut cell = waiting();
    let state = rebuild(&entries(&cell.state)).expect("it was just written");
    let mut after = Cell { state, records: Vec::new() };
    let more = || {
        vec![
            Event::TasksResumed { job: JobId(1), first: TaskIndex(0), count: 1 },
            Event::TasksResumed { job: JobId(2), first: TaskIndex(0), count: 5 },
        ]
    };
    cell.commit(more());
    after.commit(more());
    after.state.check_invariants();
    assert_eq!(entries(&cell.state), entries(&after.state));
}
