//! Events, one message each.

use std::{iter, sync::Arc};

use offpeak_core::{
    billing::{KeptBook, KeptFactor},
    event::Event,
    model::{
        AllocationId, AllocationRef, Early, JobId, JobSpec, Name, NodeId, NodeMode, NodeSpec,
        Notice, OwnerSpec, PlannedStart, Revision, StartPlace, TaskIndex, TenantId, TenantSpec,
        Time,
    },
};

use super::{
    CodecError, bounds,
    codes::{end, end_code, mode, mode_code, reason, reason_code, state, state_code},
    columns::{samples_from_message, samples_to_message},
    format::{self, EventKind},
    ledger,
    model::name,
    names::{fill, omit},
    outcome,
    owner::{curb, windows},
    quotes::{quotes_from_message, quotes_to_message},
    runs::{placements_from_runs, placements_to_runs, reasons_to_runs, set_reasons},
};
use crate::record::Names;

/// The message of an event, without the names that `names` tells.
#[expect(clippy::too_many_lines, reason = "an arm an event, and nothing in any")]
pub(super) fn to_message(event: &Event, names: &Names) -> format::Event {
    let kind = match event {
        Event::PolicyChanged(policy) => EventKind::PolicyChanged(policy.into()),
        Event::NodeRegistered { id, spec } => EventKind::NodeRegistered(node(*id, spec)),
        Event::NodeUpdated { id, spec } => EventKind::NodeUpdated(node(*id, spec)),
        Event::NodeModeChanged { id, mode, lost } => {
            EventKind::NodeModeChanged(node_mode(*id, *mode, *lost))
        }
        Event::NodeLost { id } => EventKind::NodeLost(id.0),
        Event::NodeFound { id, mode } => EventKind::NodeFound(node_mode(*id, *mode, false)),
        Event::NodeRemoved { id, name, region } => {
            let known = names.node(*id);
            let name = omit(name, known.map(|node| &node.name));
            let region = omit(region, known.map(|node| &node.region));
            EventKind::NodeRemoved(format::Removed { id: id.0, name, region })
        }
        Event::LoadReported { samples } => EventKind::LoadReported(samples_to_message(samples)),
        Event::OwnerUpdated { spec, windows } => {
            let (spec, windows) = (spec.as_ref().into(), windows.as_ref().into());
            EventKind::OwnerUpdated(format::OwnerDescribed { spec, windows })
        }
        Event::WindowsRenewed { owner, windows } => {
            let (owner, windows) = (owner.to_string(), windows.as_ref().into());
            EventKind::WindowsRenewed(format::WindowsRenewed { owner, windows })
        }
        Event::OwnerTurned { owner } => EventKind::OwnerTurned(owner.to_string()),
        Event::RiskCurbed { owner, curb } => EventKind::RiskCurbed(format::RiskCurbed {
            owner: owner.to_string(),
            quarters: curb.quarters().into(),
        }),
        Event::JobsQuoted { quotes } => EventKind::JobsQuoted(quotes_to_message(quotes)),
        Event::ForecastMade { bounds } => {
            let bounds = bounds.iter().map(bounds::to_message).collect();
            EventKind::ForecastMade(format::ForecastMade { bounds })
        }
        Event::PriceBookChanged { since, book } => {
            EventKind::PriceBookChanged(ledger::book_message(*since, Revision(0), book))
        }
        Event::DemandPriced { since, region, factor_permille, lent_permille } => {
            let what = (*since, *factor_permille, *lent_permille);
            EventKind::DemandPriced(ledger::priced_message(region, what, Revision(0)))
        }
        Event::BudgetTurned { tenant, level, spent } => {
            let (tenant, level) = (tenant.0, ledger::level_code(*level));
            EventKind::BudgetTurned(format::BudgetTurned { tenant, level, spent: *spent })
        }
        Event::QuotaTurned { tenant, low, used_permille } => {
            let (tenant, low, used_permille) = (tenant.0, *low, *used_permille);
            EventKind::QuotaTurned(format::QuotaTurned { tenant, low, used_permille })
        }
        Event::TenantCreated { id, spec } => EventKind::TenantCreated(tenant(*id, spec)),
        Event::TenantUpdated { id, spec } => EventKind::TenantUpdated(tenant(*id, spec)),
        Event::TenantDeleted { id, name } => {
            let name = omit(name, names.tenant(*id));
            EventKind::TenantDeleted(format::Removed { id: id.0, name, region: None })
        }
        Event::JobSubmitted { id, tenant, name, spec } => {
            EventKind::JobSubmitted(submitted(*id, *tenant, name, spec, names))
        }
        Event::JobResized { id, count } => {
            EventKind::JobResized(format::JobResized { id: id.0, count: *count })
        }
        Event::JobUpdated { id, spec } => {
            let (id, spec) = (id.0, spec.as_ref().into());
            EventKind::JobUpdated(format::JobDescribed { id, spec })
        }
        Event::TasksDelayed { job, first, count } => {
            EventKind::TasksDelayed(tasks(*job, *first, *count))
        }
        Event::TasksResumed { job, first, count } => {
            EventKind::TasksResumed(tasks(*job, *first, *count))
        }
        Event::TaskDelayed { at, end, message, until } => {
            let (at, end, message) = (at.into(), end_code(*end), message.to_string());
            EventKind::TaskDelayed(format::TaskDelayed { at, end, message, until: until.0 })
        }
        Event::TasksPlaced { job, placements } => {
            let (runs, reasons) = (placements_to_runs(placements), reasons_to_runs(placements));
            EventKind::TasksPlaced(format::TasksPlaced { job: job.0, runs, reasons })
        }
        Event::TaskStarted { at } => EventKind::TaskStarted(at.into()),
        Event::TaskEnded { at, end, message } => {
            let (end, message) = (end_code(*end), message.to_string());
            EventKind::TaskEnded(format::TaskEnded { at: at.into(), end, message })
        }
        Event::TasksDropped { job, first, count, delayed, end } => {
            let (job, first, end) = (job.0, first.0, end_code(*end));
            let (count, delayed) = (*count, *delayed);
            EventKind::TasksDropped(format::TasksDropped { job, first, count, end, delayed })
        }
        Event::NoticeGiven { at, notice, by } => {
            let (reason, deadline) = (reason_code(notice.reason), notice.deadline.0);
            let by = by.as_deref().map(Into::into);
            EventKind::NoticeGiven(format::NoticeGiven { at: at.into(), reason, deadline, by })
        }
        Event::NoticeWithdrawn { at } => EventKind::NoticeWithdrawn(at.into()),
        Event::AdvisoryGiven { at, expected_by } => {
            let (at, expected_by) = (at.into(), expected_by.0);
            EventKind::AdvisoryGiven(format::AdvisoryGiven { at, expected_by })
        }
        Event::StartPlanned { job, planned } => {
            EventKind::StartPlanned(planned_to_message(*job, planned))
        }
        Event::StartUnplanned { job } => EventKind::StartUnplanned(job.0),
        Event::TaskEvicted { at, reason, early } => {
            let reason = reason_code(*reason);
            let (released, moved_to) = match early {
                None => (false, None),
                Some(Early::Released) => (true, None),
                Some(Early::Moved(node)) => (false, Some(node.0)),
            };
            let at = at.into();
            EventKind::TaskEvicted(format::TaskEvicted { at, reason, released, moved_to })
        }
        Event::JobEnded { id, state } => {
            EventKind::JobEnded(format::JobEnded { id: id.0, state: state_code(*state) })
        }
        Event::JobForgotten { id, tenant, name } => {
            EventKind::JobForgotten(forgotten(*id, tenant, name, names))
        }
        Event::RequestRemembered { id, fingerprint, outcome } => {
            let known = |id| job_name(names, id);
            let answer = outcome::to_message(id, *fingerprint, outcome, known);
            EventKind::RequestRemembered(answer)
        }
        Event::RequestsForgotten { through } => EventKind::RequestsForgotten(through.0),
    };
    format::Event { kind: Some(kind) }
}

fn node_mode(id: NodeId, mode: NodeMode, lost: bool) -> format::NodeModeChanged {
    let (mode, deadline) = mode_code(mode);
    format::NodeModeChanged { id: id.0, mode, deadline, lost }
}

/// The event of a message, with the names that `names` tells.
#[expect(clippy::too_many_lines, reason = "an arm an event, and nothing in any")]
pub(super) fn from_message(message: format::Event, names: &Names) -> Result<Event, CodecError> {
    let kind = message.kind.ok_or(CodecError::Missing("kind of an event (or it is unknown)"))?;
    Ok(match kind {
        EventKind::PolicyChanged(policy) => Event::PolicyChanged(policy.into()),
        EventKind::NodeRegistered(node) => {
            Event::NodeRegistered { id: NodeId(node.id), spec: shared(node.spec)? }
        }
        EventKind::NodeUpdated(node) => {
            Event::NodeUpdated { id: NodeId(node.id), spec: shared(node.spec)? }
        }
        EventKind::NodeModeChanged(node) => {
            let mode = mode(node.mode, node.deadline)?;
            Event::NodeModeChanged { id: NodeId(node.id), mode, lost: node.lost }
        }
        EventKind::NodeLost(id) => Event::NodeLost { id: NodeId(id) },
        EventKind::NodeFound(node) => {
            let mode = mode(node.mode, node.deadline)?;
            Event::NodeFound { id: NodeId(node.id), mode }
        }
        EventKind::NodeRemoved(node) => node_removed(&node, names)?,
        EventKind::LoadReported(samples) => {
            Event::LoadReported { samples: samples_from_message(samples)? }
        }
        EventKind::OwnerUpdated(owner) => owner_updated(owner)?,
        EventKind::WindowsRenewed(renewed) => Event::WindowsRenewed {
            owner: name("owner", &renewed.owner)?,
            windows: Arc::new(windows(&renewed.windows, usize::MAX)?),
        },
        EventKind::OwnerTurned(owner) => Event::OwnerTurned { owner: name("owner", &owner)? },
        EventKind::PriceBookChanged(message) => {
            let KeptBook { since, book, .. } = ledger::book(message)?;
            Event::PriceBookChanged { since, book }
        }
        EventKind::DemandPriced(message) => {
            let (region, kept) = ledger::factor(&message)?;
            let KeptFactor { since, factor_permille, lent_permille, .. } = kept;
            Event::DemandPriced { since, region, factor_permille, lent_permille }
        }
        EventKind::BudgetTurned(turned) => Event::BudgetTurned {
            tenant: TenantId(turned.tenant),
            level: ledger::level(turned.level)?,
            spent: turned.spent,
        },
        EventKind::QuotaTurned(turned) => Event::QuotaTurned {
            tenant: TenantId(turned.tenant),
            low: turned.low,
            used_permille: turned.used_permille,
        },
        EventKind::RiskCurbed(curbed) => {
            Event::RiskCurbed { owner: name("owner", &curbed.owner)?, curb: curb(curbed.quarters)? }
        }
        EventKind::TenantCreated(tenant) => Event::TenantCreated {
            id: TenantId(tenant.id),
            spec: Arc::new(tenant.spec.try_into()?),
        },
        EventKind::TenantUpdated(tenant) => Event::TenantUpdated {
            id: TenantId(tenant.id),
            spec: Arc::new(tenant.spec.try_into()?),
        },
        EventKind::TenantDeleted(tenant) => tenant_deleted(&tenant, names)?,
        EventKind::JobSubmitted(job) => job_submitted(job, names)?,
        EventKind::JobResized(job) => Event::JobResized { id: JobId(job.id), count: job.count },
        EventKind::JobUpdated(job) => {
            Event::JobUpdated { id: JobId(job.id), spec: shared(job.spec)? }
        }
        EventKind::TasksDelayed(tasks) => {
            let (job, first, count) = tasks_back(&tasks);
            Event::TasksDelayed { job, first, count }
        }
        EventKind::TasksResumed(tasks) => {
            let (job, first, count) = tasks_back(&tasks);
            Event::TasksResumed { job, first, count }
        }
        EventKind::TaskDelayed(task) => {
            let (end, message) = (end(task.end)?, task.message.into());
            Event::TaskDelayed { at: task.at.into(), end, message, until: Time(task.until) }
        }
        EventKind::TasksPlaced(placed) => {
            let mut placements = placements_from_runs(&placed.runs)?;
            set_reasons(&mut placements, &placed.reasons)?;
            Event::TasksPlaced { job: JobId(placed.job), placements }
        }
        EventKind::TaskStarted(at) => Event::TaskStarted { at: at.into() },
        EventKind::TaskEnded(task) => {
            let (end, message) = (end(task.end)?, task.message.into());
            Event::TaskEnded { at: task.at.into(), end, message }
        }
        EventKind::TasksDropped(tasks) => {
            let (job, first, end) = (JobId(tasks.job), TaskIndex(tasks.first), end(tasks.end)?);
            let format::TasksDropped { count, delayed, .. } = tasks;
            Event::TasksDropped { job, first, count, delayed, end }
        }
        EventKind::JobsQuoted(quotes) => {
            Event::JobsQuoted { quotes: quotes_from_message(&quotes)? }
        }
        EventKind::ForecastMade(made) => {
            let bounds = made.bounds.into_iter().map(bounds::from_message);
            Event::ForecastMade { bounds: bounds.collect::<Result<_, _>>()? }
        }
        EventKind::NoticeGiven(given) => {
            let notice = Notice { reason: reason(given.reason)?, deadline: Time(given.deadline) };
            Event::NoticeGiven {
                at: given.at.into(),
                notice,
                by: given.by.map(shared).transpose()?,
            }
        }
        EventKind::NoticeWithdrawn(at) => Event::NoticeWithdrawn { at: at.into() },
        EventKind::AdvisoryGiven(given) => {
            Event::AdvisoryGiven { at: given.at.into(), expected_by: Time(given.expected_by) }
        }
        EventKind::StartPlanned(message) => {
            let (job, planned) = planned_from_message(&message);
            Event::StartPlanned { job, planned }
        }
        EventKind::StartUnplanned(job) => Event::StartUnplanned { job: JobId(job) },
        EventKind::TaskEvicted(task) => {
            let moved = task.moved_to.map(|node| Early::Moved(NodeId(node)));
            let early = moved.or(task.released.then_some(Early::Released));
            Event::TaskEvicted { at: task.at.into(), reason: reason(task.reason)?, early }
        }
        EventKind::JobEnded(job) => Event::JobEnded { id: JobId(job.id), state: state(job.state)? },
        EventKind::JobForgotten(job) => job_forgotten(&job, names)?,
        EventKind::RequestRemembered(request) => request_remembered(request, names)?,
        EventKind::RequestsForgotten(revision) => {
            Event::RequestsForgotten { through: Revision(revision) }
        }
    })
}

pub(super) fn planned_to_message(job: JobId, planned: &PlannedStart) -> format::PlannedStart {
    let mut places = planned.places.iter();
    let place = |place: &StartPlace| format::StartPlace { node: place.node.0, tasks: place.tasks };
    let format::StartPlace { node, tasks } = places.next().map(place).unwrap_or_default();
    let more = places.map(place).collect();
    format::PlannedStart { job: job.0, start: planned.start.0, node, tasks, more }
}

pub(super) fn planned_from_message(message: &format::PlannedStart) -> (JobId, PlannedStart) {
    let first = format::StartPlace { node: message.node, tasks: message.tasks };
    let places = iter::once(&first).chain(&message.more);
    let places = places.map(|place| StartPlace { node: NodeId(place.node), tasks: place.tasks });
    let planned = PlannedStart { start: Time(message.start), places: places.collect() };
    (JobId(message.job), planned)
}

impl From<&AllocationRef> for format::AllocationRef {
    fn from(at: &AllocationRef) -> Self {
        Self { id: at.id.0, job: at.job.0, task: at.task.0, node: at.node.0 }
    }
}

impl From<format::AllocationRef> for AllocationRef {
    fn from(message: format::AllocationRef) -> Self {
        Self {
            id: AllocationId(message.id),
            job: JobId(message.job),
            task: TaskIndex(message.task),
            node: NodeId(message.node),
        }
    }
}

fn tasks(job: JobId, first: TaskIndex, count: u32) -> format::Tasks {
    format::Tasks { job: job.0, first: first.0, count }
}

fn tasks_back(tasks: &format::Tasks) -> (JobId, TaskIndex, u32) {
    (JobId(tasks.job), TaskIndex(tasks.first), tasks.count)
}

fn node(id: NodeId, spec: &NodeSpec) -> format::NodeDescribed {
    format::NodeDescribed { id: id.0, spec: spec.into() }
}

fn owner_updated(message: format::OwnerDescribed) -> Result<Event, CodecError> {
    let spec: OwnerSpec = message.spec.try_into()?;
    let windows = Arc::new(windows(&message.windows, spec.calendar.len())?);
    Ok(Event::OwnerUpdated { spec: Arc::new(spec), windows })
}

fn tenant(id: TenantId, spec: &TenantSpec) -> format::TenantDescribed {
    format::TenantDescribed { id: id.0, spec: spec.into() }
}

fn submitted(
    id: JobId,
    tenant: TenantId,
    name: &Name,
    spec: &JobSpec,
    names: &Names,
) -> format::JobSubmitted {
    let name = omit(name, job_name(names, id));
    format::JobSubmitted { id: id.0, tenant: tenant.0, name, spec: spec.into() }
}

fn forgotten(id: JobId, tenant: &Name, name: &Name, names: &Names) -> format::JobForgotten {
    let tenant = omit(tenant, names.job(id).map(|job| &job.tenant));
    format::JobForgotten { id: id.0, tenant, name: omit(name, job_name(names, id)) }
}

fn shared<M, T>(message: M) -> Result<Arc<T>, CodecError>
where
    T: TryFrom<M, Error = CodecError>,
{
    Ok(Arc::new(message.try_into()?))
}

fn job_name(names: &Names, id: JobId) -> Option<&Name> {
    names.job(id).map(|job| &job.name)
}

fn node_removed(message: &format::Removed, names: &Names) -> Result<Event, CodecError> {
    let id = NodeId(message.id);
    let known = names.node(id);
    let name = fill("node's name", message.name.as_deref(), known.map(|node| &node.name))?;
    let region = known.map(|node| &node.region);
    let region = fill("node's region", message.region.as_deref(), region)?;
    Ok(Event::NodeRemoved { id, name, region })
}

fn tenant_deleted(message: &format::Removed, names: &Names) -> Result<Event, CodecError> {
    let id = TenantId(message.id);
    let name = fill("tenant's name", message.name.as_deref(), names.tenant(id))?;
    Ok(Event::TenantDeleted { id, name })
}

fn job_submitted(message: format::JobSubmitted, names: &Names) -> Result<Event, CodecError> {
    let id = JobId(message.id);
    let name = fill("job's name", message.name.as_deref(), job_name(names, id))?;
    let spec = shared(message.spec)?;
    Ok(Event::JobSubmitted { id, tenant: TenantId(message.tenant), name, spec })
}

fn job_forgotten(message: &format::JobForgotten, names: &Names) -> Result<Event, CodecError> {
    let id = JobId(message.id);
    let owner = names.job(id).map(|job| &job.tenant);
    let tenant = fill("tenant's name", message.tenant.as_deref(), owner)?;
    let name = fill("job's name", message.name.as_deref(), job_name(names, id))?;
    Ok(Event::JobForgotten { id, tenant, name })
}

fn request_remembered(
    message: format::RequestRemembered,
    names: &Names,
) -> Result<Event, CodecError> {
    let answer = outcome::from_message(message, |id| job_name(names, id))?;
    let outcome::Answer { id, fingerprint, outcome } = answer;
    Ok(Event::RequestRemembered { id, fingerprint, outcome })
}
