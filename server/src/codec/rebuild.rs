//! The entries of a checkpoint back to a state.

use std::sync::Arc;

use offpeak_core::{
    model::{
        AllocationId, AllocationRef, DeviceSet, Horizon, JobId, LoadHistory, NodeId, Notice,
        OwnerSpec, Quote, Revision, TaskIndex, TenantId, Time,
    },
    state::{
        Alike, DemandKey, Header, Profile, QuoteRecord, Quotes, Ran, Remembered, Restore,
        RestoredAllocation, RestoredJob, RestoredNode, RestoredOwner, RestoredTenant, RunTimes,
        Seen, State,
    },
};
use prost::Message;

use super::{
    CodecError,
    bounds::bounds,
    check_version,
    checkpoint::described,
    codes::{mode, reason, state},
    columns::{cell, narrow, resource_rows, sums},
    event::planned_from_message,
    extras::tries,
    format::{self, EntryKind},
    ledger::{self, LedgerReader},
    model::name,
    outcome,
    owner::{lending_record, windows},
    quotes::{quotes_from_message, ran_from_message, record_from_message},
    runs::tasks_from_runs,
    shares,
};

/// Takes the entries of a checkpoint in the order in which they were put.
#[derive(Debug, Default)]
pub struct CheckpointReader {
    begun: Option<(Restore, format::Header)>,
    ledger: Option<LedgerReader>,
    ledger_size: u64,
    task_kinds: Vec<(DemandKey, u64)>,
    shares: usize,
    run_times: Vec<(Alike, Ran)>,
    quotes: Vec<(JobId, Quote)>,
    quote_record: Option<QuoteRecord>,
    learned: Vec<Vec<u8>>,
}

impl CheckpointReader {
    /// Takes the next entry.
    ///
    /// # Errors
    /// When the bytes are not the entry that can come next. The reader is of no use then.
    pub fn entry(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let kind = format::Entry::decode(bytes)?.kind;
        let kind = kind.ok_or(CodecError::Missing("kind of an entry (or it is unknown)"))?;
        let Some((restore, _)) = &mut self.begun else {
            let EntryKind::Header(header) = kind else {
                return Err(CodecError::Missing("header of the checkpoint"));
            };
            check_version("the checkpoint", header.version, format::CHECKPOINT_VERSION)?;
            self.begun = Some((Restore::new(restored_header(&header)), header));
            return Ok(());
        };
        if let EntryKind::Ledger(head) = &kind {
            self.ledger_size = ledger::size(head);
        }
        let Some(kind) = ledger_entry(&mut self.ledger, kind)? else { return Ok(()) };
        finish_ledger(restore, &mut self.ledger)?;
        match kind {
            EntryKind::Ledger(_)
            | EntryKind::LedgerRows(_)
            | EntryKind::JobTotals(_)
            | EntryKind::PriceBooks(_)
            | EntryKind::DemandFactors(_) => unreachable!("invariant: taken above"),
            EntryKind::Header(_) => Err(CodecError::Order("the entries of the checkpoint")),
            EntryKind::Owners(message) => {
                message.owners.into_iter().try_for_each(|owner| add_owner(restore, owner))
            }
            EntryKind::Nodes(message) => {
                message.nodes.into_iter().try_for_each(|node| add_node(restore, node))
            }
            EntryKind::Tenants(message) => {
                message.tenants.into_iter().try_for_each(|tenant| add_tenant(restore, tenant))
            }
            EntryKind::Jobs(message) => {
                message.jobs.into_iter().try_for_each(|job| add_job(restore, job))
            }
            EntryKind::Allocations(message) => add_allocations(restore, &message),
            EntryKind::Tries(message) => message.tries.iter().map(tries).try_for_each(|told| {
                let (job, task, tries) = told;
                Ok(restore.tries(job, task, tries)?)
            }),
            EntryKind::Shares(message) => {
                self.shares += message.shares.len();
                message.shares.iter().try_for_each(|share| shares::add_share(restore, share))
            }
            EntryKind::Preemptions(message) => {
                let mut preemptions = message.preemptions.into_iter();
                preemptions.try_for_each(|found| shares::add_preemption(restore, found))
            }
            EntryKind::PlannedStarts(message) => {
                for message in &message.starts {
                    let (job, planned) = planned_from_message(message);
                    restore.planned(job, planned)?;
                }
                Ok(())
            }
            EntryKind::Demand(message) => {
                for kind in message.kinds {
                    self.task_kinds.push(task_kind(kind)?);
                }
                Ok(())
            }
            EntryKind::RunTimes(message) => {
                for kind in message.kinds {
                    self.run_times.push(ran_from_message(kind)?);
                }
                Ok(())
            }
            EntryKind::Quotes(message) => {
                self.quotes.extend(quotes_from_message(&message)?);
                let record = message.record.map(record_from_message).transpose()?;
                if record.is_some() && self.quote_record.is_some() {
                    return Err(CodecError::Order("the entries of the checkpoint"));
                }
                self.quote_record = self.quote_record.take().or(record);
                Ok(())
            }
            EntryKind::Learned(piece) => {
                self.learned.push(piece);
                Ok(())
            }
            EntryKind::Requests(message) => {
                message.requests.into_iter().try_for_each(|request| add_request(restore, request))
            }
        }
    }

    /// The pieces of what a forecaster had learned.
    pub fn take_learned(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.learned)
    }

    /// The state, once all entries were taken.
    ///
    /// # Errors
    /// When entries are missing.
    pub fn finish(self) -> Result<State, CodecError> {
        let Some((mut restore, header)) = self.begun else {
            return Err(CodecError::Missing("header of the checkpoint"));
        };
        let mut ledger = self.ledger;
        finish_ledger(&mut restore, &mut ledger)?;
        let task_kinds = self.task_kinds.len();
        let asked = match header.asked_by_seen[..] {
            [] => [0; 3],
            [cpu, memory, gpus] => [cpu, memory, gpus],
            _ => return Err(CodecError::Missing("whole of what was asked for")),
        };
        let seen = Seen { tasks: header.tasks_seen, asked };
        restore.profile(Profile::restore(self.task_kinds, seen));
        let (run_times, open) = (self.run_times.len(), self.quotes.len());
        let record = self.quote_record.unwrap_or_default();
        let quotes = record.started.saturating_add(record.withdrawn).saturating_add(open as u64);
        let made = record.made;
        restore.quotes(RunTimes::restore(self.run_times), Quotes::restore(self.quotes, record));
        let state = restore.finish()?;
        let counts = [
            ("owners", header.owners, described(&state).count()),
            ("nodes", header.nodes, state.node_count()),
            ("tenants", header.tenants, state.tenant_count()),
            ("jobs", header.jobs, state.job_count()),
            ("allocations", header.allocations, state.allocation_count()),
            ("shares", header.shares, self.shares),
            ("preempted allocations", header.preemptors, state.preemptors().len()),
            ("preempted jobs", header.preempted, state.preempted_jobs().len()),
            ("kinds of tasks", header.task_kinds, task_kinds),
            ("remembered answers", header.requests, state.remembered_count()),
            ("run times", header.run_times, run_times),
        ];
        let counts = counts.map(|(what, expected, found)| (what, expected, found as u64));
        let quotes = [("quotes", header.quotes, made), ("quotes", header.quotes, quotes)];
        let later = [
            ("tried tasks", header.tries, state.all_tries().len() as u64),
            ("planned starts", header.planned_starts, state.planned_count() as u64),
            ("parts of the ledger", header.ledger, self.ledger_size),
        ];
        let later = later.map(|(what, expected, found)| (what, expected.unwrap_or(found), found));
        for (what, expected, found) in counts.into_iter().chain(quotes).chain(later) {
            if expected != found {
                return Err(CodecError::Count { what, expected, found });
            }
        }
        Ok(state)
    }
}

/// Takes an entry that is of the ledger; others are given back.
fn ledger_entry(
    ledger: &mut Option<LedgerReader>,
    kind: EntryKind,
) -> Result<Option<EntryKind>, CodecError> {
    if let EntryKind::Ledger(head) = kind {
        if ledger.replace(LedgerReader::new(head)?).is_some() {
            return Err(CodecError::Order("the entries of the checkpoint"));
        }
        return Ok(None);
    }
    let begun = ledger.as_mut().ok_or(CodecError::Missing("head of the ledger"));
    match kind {
        EntryKind::LedgerRows(message) => begun?.rows(message.rows)?,
        EntryKind::JobTotals(message) => begun?.totals(&message)?,
        EntryKind::PriceBooks(message) => begun?.books(message.books)?,
        EntryKind::DemandFactors(message) => begun?.factors(&message.factors)?,
        other => return Ok(Some(other)),
    }
    Ok(None)
}

/// The ledger is whole when something else comes.
fn finish_ledger(
    restore: &mut Restore,
    ledger: &mut Option<LedgerReader>,
) -> Result<(), CodecError> {
    if let Some(ledger) = ledger.take() {
        restore.accounts(ledger.finish()?)?;
    }
    Ok(())
}

fn restored_header(header: &format::Header) -> Header {
    Header {
        revision: Revision(header.revision),
        now: Time(header.now),
        policy: header.policy.clone().into(),
        next_node: NodeId(header.next_node),
        next_tenant: TenantId(header.next_tenant),
        next_job: JobId(header.next_job),
        next_allocation: AllocationId(header.next_allocation),
    }
}

fn add_owner(restore: &mut Restore, owner: format::Owner) -> Result<(), CodecError> {
    let spec: OwnerSpec = owner.spec.try_into()?;
    let windows = Arc::new(windows(&owner.windows, spec.calendar.len())?);
    restore.owner(RestoredOwner {
        spec: Arc::new(spec),
        windows,
        record: lending_record(owner.curbed_quarters, &owner.scorecards)?,
        turned: Time(owner.turned),
        revision: Revision(owner.revision),
    })?;
    Ok(())
}

fn add_node(restore: &mut Restore, node: format::Node) -> Result<(), CodecError> {
    let history = node.history.map(history).transpose()?;
    restore.node(RestoredNode {
        id: NodeId(node.id),
        spec: Arc::new(node.spec.try_into()?),
        mode: mode(node.mode, node.deadline)?,
        lost: node.lost,
        last_report: Time(node.last_report),
        history: history.unwrap_or_default(),
        bounds: node.bounds.map(bounds).transpose()?,
        created: Time(node.created),
        revision: Revision(node.revision),
    })?;
    Ok(())
}

fn history(message: format::Loads) -> Result<LoadHistory, CodecError> {
    let rows = message.hours.len() + usize::from(message.newest.is_some());
    let mut loads = resource_rows(message.loads, rows)?.into_iter();
    let newest = message.newest.and_then(|time| Some((Time(time), loads.next()?)));
    Ok(LoadHistory { newest, hours: sums(&message.hours).zip(loads).collect() })
}

fn add_tenant(restore: &mut Restore, tenant: format::Tenant) -> Result<(), CodecError> {
    restore.tenant(RestoredTenant {
        id: TenantId(tenant.id),
        spec: tenant.spec.try_into()?,
        spending: tenant.spending.map(TryInto::try_into).transpose()?,
        budget_level: ledger::level(tenant.budget_level)?,
        quota_low: tenant.quota_low,
        created: Time(tenant.created),
        revision: Revision(tenant.revision),
    })?;
    Ok(())
}

fn add_job(restore: &mut Restore, job: format::Job) -> Result<(), CodecError> {
    let tasks = tasks_from_runs(&job.tasks, job.spec.count)?;
    let ended = match job.ended {
        Some(time) => Some((Time(time), state(job.state)?)),
        None => None,
    };
    restore.job(RestoredJob {
        id: JobId(job.id),
        tenant: TenantId(job.tenant),
        name: name("job", &job.name)?,
        spec: Arc::new(job.spec.try_into()?),
        tasks,
        evictions: u32::try_from(job.evictions).unwrap_or(u32::MAX),
        created: Time(job.created),
        ended,
        revision: Revision(job.revision),
    })?;
    Ok(())
}

fn add_allocations(restore: &mut Restore, columns: &format::Allocations) -> Result<(), CodecError> {
    let len = columns.ids.len();
    let ids = expand(&columns.ids, len)?;
    let jobs = expand(&columns.jobs, len)?;
    let tasks = expand(&columns.tasks, len)?;
    let nodes = expand(&columns.nodes, len)?;
    let placed = expand(&columns.placed, len)?;
    let started = sums(&columns.started).map(|time| Ok(Time(time)));
    let started = spread(&columns.started_rows, started, len)?;
    let deadlines = sums(&columns.notice_deadlines);
    let notices = deadlines
        .zip(&columns.notice_reasons)
        .map(|(deadline, code)| Ok(Notice { reason: reason(*code)?, deadline: Time(deadline) }));
    let notices = spread(&columns.notice_rows, notices, len)?;
    if columns.attempts.len() != len || ![0, len].contains(&columns.devices.len()) {
        return Err(CodecError::Columns("allocations"));
    }
    for row in 0..len {
        let at = AllocationRef {
            id: AllocationId(ids[row]),
            job: JobId(jobs[row]),
            task: TaskIndex(narrow("a task's index", tasks[row])?),
            node: NodeId(narrow("a node's id", nodes[row])?),
        };
        restore.allocation(RestoredAllocation {
            at,
            attempt: columns.attempts[row],
            devices: DeviceSet(cell(&columns.devices, row)),
            placed: Time(placed[row]),
            started: started[row],
            notice: notices[row],
        })?;
    }
    Ok(())
}

/// The `len` values behind differences that may be absent.
fn expand(deltas: &[i64], len: usize) -> Result<Vec<u64>, CodecError> {
    if deltas.is_empty() {
        return Ok(vec![0; len]);
    }
    if deltas.len() != len {
        return Err(CodecError::Columns("allocations"));
    }
    Ok(sums(deltas).collect())
}

/// Puts values into those of `len` rows that have one.
fn spread<T: Copy>(
    rows: &[i64],
    mut values: impl Iterator<Item = Result<T, CodecError>>,
    len: usize,
) -> Result<Vec<Option<T>>, CodecError> {
    let mut spread = vec![None; len];
    for row in sums(rows) {
        let value = values.next().ok_or(CodecError::Columns("allocations"))??;
        let row = usize::try_from(row).ok().and_then(|row| spread.get_mut(row));
        *row.ok_or(CodecError::Columns("allocations"))? = Some(value);
    }
    if values.next().is_some() { Err(CodecError::Columns("allocations")) } else { Ok(spread) }
}

fn task_kind(kind: format::TaskKind) -> Result<(DemandKey, u64), CodecError> {
    let constraints = kind.constraints.map(TryInto::try_into).transpose()?;
    let horizon = usize::try_from(kind.horizon).ok().and_then(|at| Horizon::ALL.get(at));
    let key = DemandKey {
        request: kind.request.try_into()?,
        horizon: *horizon.ok_or(CodecError::Unknown { what: "horizon", value: kind.horizon })?,
        constraints: constraints.unwrap_or_default(),
    };
    Ok((key, kind.weight))
}

fn add_request(restore: &mut Restore, message: format::Remembered) -> Result<(), CodecError> {
    let answer = outcome::from_message(message.request, |_| None)?;
    let outcome::Answer { id, fingerprint, outcome } = answer;
    let (time, revision) = (Time(message.time), Revision(message.revision));
    restore.request(&id, Remembered { fingerprint, outcome, time, revision });
    Ok(())
}
