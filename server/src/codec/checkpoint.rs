//! A state as entries: a header, then the ledger, owners, nodes, tenants, jobs, allocations, planned starts, shares, what
//! tasks have been through, what is asked for, how long tasks ran, quotes and remembered answers, objects in the order of
//! their ids and as many an entry as make a good piece to write.

use offpeak_core::{
    forecaster::Forecaster,
    model::{Allocation, AllocationId, Constraints, Job, JobId, LoadHistory, Node, Owner, Tenant},
    state::{DemandKey, Remembered, State},
};
use prost::Message;

use super::{
    bounds::bounds_message,
    codes::{mode_code, reason_code, state_code},
    columns::{column, deltas, resource_columns},
    event::planned_to_message,
    extras::tries_message,
    format::{self, EntryKind},
    ledger, outcome,
    owner::scorecards,
    quotes::{quotes_of, ran_to_message},
    runs::tasks_to_runs,
    shares,
};

/// An entry is closed when its objects have this many bytes.
const ENTRY_BYTES: usize = 128 * 1024;

/// Live allocations in an entry; each is about ten bytes.
const ENTRY_ALLOCATIONS: usize = 8 * 1024;

/// Quotes in an entry; each is about twenty bytes.
const ENTRY_QUOTES: usize = 4 * 1024;

/// Gives the entries of a checkpoint of `state` to `put`, one after the other.
///
/// # Errors
/// Whatever `put` returns; nothing is put after that.
pub fn encode_checkpoint<E>(
    state: &State,
    mut put: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = Vec::new();
    let mut put = |kind: EntryKind| {
        buffer.clear();
        let entry = format::Entry { kind: Some(kind) };
        entry.encode(&mut buffer).expect("invariant: a vector has room");
        put(&buffer)
    };
    let ledger = ledger::head(state);
    put(EntryKind::Header(header(state, &ledger)))?;
    if ledger::size(&ledger) > 0 {
        put(EntryKind::Ledger(ledger))?;
    }
    in_pieces(ledger::rows(state.accounts()), |rows| {
        put(EntryKind::LedgerRows(format::LedgerRows { rows }))
    })?;
    ledger::job_totals(state).try_for_each(|totals| put(EntryKind::JobTotals(totals)))?;
    in_pieces(ledger::books(state.accounts()), |books| {
        put(EntryKind::PriceBooks(format::PriceBooks { books }))
    })?;
    in_pieces(ledger::factors(state.accounts()), |factors| {
        put(EntryKind::DemandFactors(format::DemandFactors { factors }))
    })?;
    in_pieces(described(state).map(owner), |owners| {
        put(EntryKind::Owners(format::Owners { owners }))
    })?;
    in_pieces(state.nodes().map(node), |nodes| put(EntryKind::Nodes(format::Nodes { nodes })))?;
    in_pieces(state.tenants().map(tenant), |tenants| {
        put(EntryKind::Tenants(format::Tenants { tenants }))
    })?;
    in_pieces(state.jobs_from(JobId(0)).map(job), |jobs| {
        put(EntryKind::Jobs(format::Jobs { jobs }))
    })?;
    let mut live = state.allocations_from(AllocationId(0)).peekable();
    while live.peek().is_some() {
        let piece: Vec<&Allocation> = live.by_ref().take(ENTRY_ALLOCATIONS).collect();
        put(EntryKind::Allocations(allocations(state, &piece)))?;
    }
    in_pieces(state.all_tries().map(tries_message), |tries| {
        put(EntryKind::Tries(format::AllTries { tries }))
    })?;
    in_pieces(state.tenants().map(shares::share), |shares| {
        put(EntryKind::Shares(format::Shares { shares }))
    })?;
    in_pieces(shares::preemptions(state), |preemptions| {
        put(EntryKind::Preemptions(format::Preemptions { preemptions }))
    })?;
    let starts = state.planned_starts().map(|(job, planned)| planned_to_message(job, planned));
    in_pieces(starts, |starts| put(EntryKind::PlannedStarts(format::PlannedStarts { starts })))?;
    in_pieces(state.profile().entries().map(task_kind), |kinds| {
        put(EntryKind::Demand(format::Demand { kinds }))
    })?;
    in_pieces(state.run_times().kinds().map(ran_to_message), |kinds| {
        put(EntryKind::RunTimes(format::RunTimes { kinds }))
    })?;
    for piece in quotes_of(state.quotes(), ENTRY_QUOTES) {
        put(EntryKind::Quotes(piece))?;
    }
    let requests = state.remembered_by_age().map(|(id, remembered)| request(id, remembered));
    in_pieces(requests, |requests| put(EntryKind::Requests(format::Requests { requests })))
}

/// Gives the entries with what a forecaster has learned to `put`, to follow those of a state.
///
/// # Errors
/// Whatever `put` returns; nothing is put after that.
pub fn encode_learned<E>(
    forecaster: &Forecaster,
    mut put: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    forecaster.save(|piece| {
        let entry = format::Entry { kind: Some(EntryKind::Learned(piece.to_vec())) };
        put(&entry.encode_to_vec())
    })
}

/// Collects objects until they have [`ENTRY_BYTES`], again and again.
fn in_pieces<M: Message, E>(
    objects: impl Iterator<Item = M>,
    mut put: impl FnMut(Vec<M>) -> Result<(), E>,
) -> Result<(), E> {
    let (mut piece, mut bytes) = (Vec::new(), 0);
    for object in objects {
        bytes += object.encoded_len();
        piece.push(object);
        if bytes >= ENTRY_BYTES {
            put(std::mem::take(&mut piece))?;
            bytes = 0;
        }
    }
    if piece.is_empty() { Ok(()) } else { put(piece) }
}

fn header(state: &State, ledger: &format::LedgerHead) -> format::Header {
    let (next_node, next_tenant, next_job, next_allocation) = state.next_ids();
    format::Header {
        version: format::CHECKPOINT_VERSION,
        revision: state.revision().0,
        now: state.now().0,
        policy: state.policy().into(),
        next_node: next_node.0,
        next_tenant: next_tenant.0,
        next_job: next_job.0,
        next_allocation: next_allocation.0,
        nodes: state.node_count() as u64,
        tenants: state.tenant_count() as u64,
        jobs: state.job_count() as u64,
        allocations: state.allocation_count() as u64,
        requests: state.remembered_count() as u64,
        task_kinds: state.profile().entries().len() as u64,
        tasks_seen: state.profile().seen().tasks,
        asked_by_seen: state.profile().seen().asked.into(),
        owners: described(state).count() as u64,
        shares: state.tenant_count() as u64,
        preemptors: state.preemptors().len() as u64,
        preempted: state.preempted_jobs().len() as u64,
        run_times: state.run_times().kinds().len() as u64,
        quotes: state.quotes().record().made,
        tries: Some(state.all_tries().len() as u64),
        planned_starts: Some(state.planned_count() as u64),
        ledger: Some(ledger::size(ledger)),
    }
}

/// Owners that do not follow from the nodes that name them.
pub(super) fn described(state: &State) -> impl Iterator<Item = &Owner> {
    state.owners().filter(|owner| owner.revision.0 > 0 || !owner.record.scorecards.is_empty())
}

fn owner(owner: &Owner) -> format::Owner {
    format::Owner {
        spec: owner.spec.as_ref().into(),
        windows: owner.windows.as_ref().into(),
        turned: owner.turned.0,
        revision: owner.revision.0,
        curbed_quarters: owner.record.curb.quarters().into(),
        scorecards: scorecards(&owner.record),
    }
}

fn node(node: &Node) -> format::Node {
    let (mode, deadline) = mode_code(node.mode);
    format::Node {
        id: node.id.0,
        spec: node.spec.as_ref().into(),
        mode,
        deadline,
        lost: node.lost,
        last_report: node.last_report.0,
        history: (*node.history != LoadHistory::default()).then(|| loads(&node.history)),
        created: node.created.0,
        revision: node.revision.0,
        bounds: node.bounds.as_deref().map(bounds_message),
    }
}

fn loads(history: &LoadHistory) -> format::Loads {
    let newest = history.newest.iter().map(|(_, load)| load);
    format::Loads {
        newest: history.newest.as_ref().map(|(time, _)| time.0),
        hours: deltas(history.hours.iter().map(|(hour, _)| *hour)),
        loads: resource_columns(newest.chain(history.hours.iter().map(|(_, load)| load))),
    }
}

fn tenant(tenant: &Tenant) -> format::Tenant {
    format::Tenant {
        id: tenant.id.0,
        spec: tenant.spec.as_ref().into(),
        created: tenant.created.0,
        revision: tenant.revision.0,
        spending: tenant.spending.as_ref().map(format::Spending::from),
        budget_level: ledger::level_code(tenant.budget_level),
        quota_low: tenant.quota_low,
    }
}

fn job(job: &Job) -> format::Job {
    format::Job {
        id: job.id.0,
        tenant: job.tenant.0,
        name: job.name.to_string(),
        spec: job.spec.as_ref().into(),
        tasks: tasks_to_runs(job.tasks.iter()),
        evictions: job.evictions.into(),
        created: job.created.0,
        ended: job.ended.map(|(time, _)| time.0),
        state: job.ended.map_or(0, |(_, state)| state_code(state)),
        revision: job.revision.0,
    }
}

fn allocations(state: &State, rows: &[&Allocation]) -> format::Allocations {
    let started = || (0..).zip(rows).filter_map(|(row, a)| Some((row, a.started()?)));
    let notices = || (0..).zip(rows).filter_map(|(row, a)| Some((row, a.notice?)));
    format::Allocations {
        ids: deltas(rows.iter().map(|a| a.at.id.0)),
        jobs: column(deltas(rows.iter().map(|a| a.at.job.0))),
        tasks: column(deltas(rows.iter().map(|a| u64::from(a.at.task.0)))),
        nodes: column(deltas(rows.iter().map(|a| u64::from(a.at.node.0)))),
        attempts: rows.iter().map(|a| state.attempt_of(a)).collect(),
        devices: column(rows.iter().map(|a| a.devices.0)),
        placed: deltas(rows.iter().map(|a| a.placed.0)),
        started_rows: deltas(started().map(|(row, _)| row)),
        started: deltas(started().map(|(_, time)| time.0)),
        notice_rows: deltas(notices().map(|(row, _)| row)),
        notice_reasons: notices().map(|(_, notice)| reason_code(notice.reason)).collect(),
        notice_deadlines: deltas(notices().map(|(_, notice)| notice.deadline.0)),
    }
}

fn task_kind((key, weight): &(DemandKey, u64)) -> format::TaskKind {
    let DemandKey { request, horizon, constraints } = key;
    format::TaskKind {
        request: request.into(),
        constraints: (*constraints != Constraints::default()).then(|| constraints.into()),
        weight: *weight,
        horizon: u32::try_from(horizon.index()).expect("invariant: few"),
    }
}

fn request(id: &str, remembered: &Remembered) -> format::Remembered {
    let Remembered { fingerprint, outcome, time, revision } = remembered;
    format::Remembered {
        request: outcome::to_message(id, *fingerprint, outcome, |_| None),
        revision: revision.0,
        time: time.0,
    }
}
