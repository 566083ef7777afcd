//! Turns events and reasons into text, one line each.

use std::fmt::Write as _;

use offpeak_core::{
    command::Detail,
    event::{Event, Placement},
    model::{
        AllocationRef, Early, Horizon, JobId, Millis, Name, Node, NodeId, NodeMode, Owner,
        PreemptedFor, Preemptor, Quote, Resources, Scorecard, StartPlace, TaskIndex, Time,
    },
    scheduler::PendingReason,
    state::{QuoteRecord, State},
};

pub(crate) fn record(record: &QuoteRecord) -> String {
    let QuoteRecord { made, started, by_p50, by_p95, unknown, withdrawn, errors, .. } = record;
    format!(
        "{made} quotes, {started} started, {by_p50} by p50, {by_p95} by p95, {unknown} unknown, \
         {withdrawn} withdrawn, errors {errors:?}"
    )
}

/// `1h2m3s`.
pub(crate) fn span(span: Millis) -> String {
    let seconds = span.0 / 1000;
    let mut text = String::from("+");
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        let count = if unit == "d" { seconds / length } else { seconds / length % (next(unit)) };
        if count > 0 {
            write!(text, "{count}{unit}").expect("a string");
        }
    }
    if text == "+" { "+0s".to_owned() } else { text }
}

fn next(unit: &str) -> u64 {
    if unit == "h" { 24 } else { 60 }
}

pub(crate) fn resources(resources: &Resources) -> String {
    let amounts = resources.amounts();
    let texts: Vec<String> = amounts.map(|(d, amount)| format!("{d}={amount}")).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(" ") }
}

pub(crate) fn node(node: &Node) -> String {
    format!(
        "{:?}{} held back {}{}; lent {}; headroom {}",
        node.mode,
        if node.lost { ", lost," } else { "" },
        resources(node.held_back.over(Horizon::FiveMinutes)),
        longer(node),
        resources(&node.lent),
        resources(&node.headroom(Horizon::FiveMinutes)),
    )
}

fn claimed(by: &Preemptor) -> String {
    match by.right {
        PreemptedFor::Priority => String::new(),
        PreemptedFor::Guarantee => format!(", guaranteed to {}/{}", by.tenant, by.name),
    }
}

fn longer(node: &Node) -> String {
    if node.held_back.is_level() {
        return String::new();
    }
    format!(", over a day {}", resources(node.held_back.over(Horizon::Day)))
}

/// What came of lending, in CPU hours where it is time.
pub(crate) fn scorecards(owner: &Owner, now: Time) -> Vec<String> {
    let card = |(region, card): (&Name, &Scorecard)| {
        let lent = card.up_to(now);
        let minutes = |core_time: u64| core_time / 60_000_000;
        format!(
            "in {region:?}: {} samples, {} exceeded, {} short for {} by {} ppm in all; of {} core minutes {} were lent",
            lent.samples,
            lent.exceeded,
            lent.short,
            span(lent.short_for),
            lent.missing_ppm,
            minutes(lent.idle),
            minutes(lent.harvested),
        )
    };
    owner.record.scorecards.iter().map(card).collect()
}

pub(crate) fn reason(reason: &PendingReason) -> String {
    let mut text = format!("{:?}", reason.blocker);
    if let Some(dimension) = &reason.dimension {
        write!(text, " {dimension} by {}", reason.smallest_shortfall).expect("a string");
    }
    if reason.nodes > 0 {
        write!(text, ": {} nodes", reason.nodes).expect("a string");
    }
    text
}

pub(crate) fn detail(detail: &Detail) -> Option<String> {
    match detail {
        Detail::Done | Detail::Job { .. } => None,
        Detail::Notices(0) | Detail::Load { ignored: 0, .. } => None,
        Detail::Notices(count) => Some(format!("{count} notices")),
        Detail::Load { accepted, ignored } => {
            Some(format!("accepted {accepted}, ignored {ignored}"))
        }
        Detail::Ignored(ids) if ids.is_empty() => None,
        Detail::Ignored(ids) => Some(format!("ignored {} reports", ids.len())),
    }
}

/// Names of things in a state before or after the event.
pub(crate) struct Printer<'a> {
    pub(crate) before: &'a State,
    pub(crate) after: &'a State,
    pub(crate) start: Time,
}

impl Printer<'_> {
    fn node(&self, id: NodeId) -> String {
        let node = self.after.node(id).or_else(|| self.before.node(id));
        node.map_or_else(|| format!("node {id}"), |node| node.spec.name.to_string())
    }

    /// Of several nodes each with its tasks.
    fn places(&self, places: &[StartPlace]) -> String {
        if let [place] = places {
            return self.node(place.node);
        }
        let texts =
            places.iter().map(|place| format!("{} ({})", self.node(place.node), place.tasks));
        texts.collect::<Vec<String>>().join(", ")
    }

    fn job(&self, id: JobId) -> String {
        for state in [self.after, self.before] {
            if let Some(job) = state.job(id)
                && let Some(tenant) = state.tenant(job.tenant)
            {
                return format!("{}/{}", tenant.spec.name, job.name);
            }
        }
        format!("job {id}")
    }

    fn task(&self, at: &AllocationRef) -> String {
        format!("{}/{}", self.job(at.job), at.task)
    }

    fn tasks(&self, job: JobId, first: TaskIndex, count: u32) -> String {
        let job = self.job(job);
        if count == 1 {
            return format!("{job}/{first}");
        }
        format!("{job}/{first}..{}", first.0 + count - 1)
    }

    fn time(&self, time: Time) -> String {
        span(time.since(self.start))
    }

    fn quote(&self, job: JobId, quote: &Quote) -> String {
        let times = quote.times.map_or("unknown".to_owned(), |(p50, p95)| {
            format!("{} to {}", self.time(p50), self.time(p95))
        });
        format!("quoted {} {times}", self.job(job))
    }

    fn placement(&self, job: JobId, placement: &Placement) -> String {
        let mut text = format!(
            "placed {} on {}",
            self.tasks(job, placement.task, placement.count),
            self.node(placement.node)
        );
        if !placement.devices.is_empty() {
            let indices: Vec<String> = placement.devices.iter().map(|d| d.to_string()).collect();
            write!(text, " gpu {}", indices.join(",")).expect("a string");
        }
        text
    }

    /// The event, as a line for each thing that it says.
    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    pub(crate) fn event(&self, event: &Event) -> Vec<String> {
        let line = match event {
            Event::PolicyChanged(_) => "policy changed".to_owned(),
            Event::ForecastMade { bounds } => {
                return bounds
                    .iter()
                    .map(|found| format!("bounded {}", self.node(found.node)))
                    .collect();
            }
            Event::NodeRegistered { id, .. } => format!("registered {}", self.node(*id)),
            Event::NodeUpdated { id, .. } => format!("updated {}", self.node(*id)),
            Event::NodeModeChanged { id, mode, .. } => match mode {
                NodeMode::Open => format!("{} is open", self.node(*id)),
                NodeMode::Cordoned => format!("{} is cordoned", self.node(*id)),
                NodeMode::Draining { deadline } => {
                    format!("{} drains until {}", self.node(*id), self.time(*deadline))
                }
            },
            Event::NodeLost { id } => format!("lost {}", self.node(*id)),
            Event::NodeFound { id, .. } => format!("found {}", self.node(*id)),
            Event::NodeRemoved { name, .. } => format!("removed {name}"),
            Event::LoadReported { samples } => {
                return samples
                    .iter()
                    .map(|s| format!("load {} {}", self.node(s.node), resources(&s.load)))
                    .collect();
            }
            Event::OwnerUpdated { spec, windows } => {
                format!("owner {} has {} windows", spec.name, windows.list.len())
            }
            Event::WindowsRenewed { owner, windows } => {
                format!("renewed {owner} to {} windows", windows.list.len())
            }
            Event::OwnerTurned { owner } => format!("turned {owner}"),
            Event::PriceBookChanged { since, .. } => {
                format!("prices from {} ms", since.0 - self.start.0)
            }
            Event::DemandPriced { since, region, factor_permille, lent_permille } => {
                let lent = lent_permille.map_or("an end".into(), |lent| lent.to_string());
                let since = since.0 - self.start.0;
                format!("demand [{region}] {factor_permille} at {lent}, from {since} ms")
            }
            Event::BudgetTurned { tenant, level, spent } => {
                let tenant = self.after.tenant(*tenant).expect("a tenant");
                format!("budget {} {level:?} at {spent}", tenant.spec.name)
            }
            Event::QuotaTurned { tenant, low, used_permille } => {
                let tenant = self.after.tenant(*tenant).expect("a tenant");
                let left = if *low { "little" } else { "enough" };
                format!("quota {} {left} left at {used_permille}", tenant.spec.name)
            }
            Event::RiskCurbed { owner, curb } => {
                format!("curbed {owner} by {} quarters", curb.quarters())
            }
            Event::TenantCreated { spec, .. } => format!("created {}", spec.name),
            Event::TenantUpdated { spec, .. } => format!("changed {}", spec.name),
            Event::TenantDeleted { name, .. } => format!("deleted {name}"),
            Event::JobSubmitted { id, .. } => format!("submitted {}", self.job(*id)),
            Event::JobResized { id, count } => format!("resized {} to {count}", self.job(*id)),
            Event::JobUpdated { id, spec } => {
                let max = spec.max_runtime.map_or("none".to_owned(), span);
                format!("changed {} priority {} max {max}", self.job(*id), spec.priority.0)
            }
            Event::TasksDelayed { job, first, count } => {
                format!("delayed {}", self.tasks(*job, *first, *count))
            }
            Event::TasksResumed { job, first, count } => {
                format!("resumed {}", self.tasks(*job, *first, *count))
            }
            Event::TaskDelayed { at, end, until, .. } => {
                format!("delayed {} {end:?} until {}", self.task(at), self.time(*until))
            }
            Event::TasksPlaced { job, placements } => {
                return placements.iter().map(|p| self.placement(*job, p)).collect();
            }
            Event::TaskStarted { at } => format!("started {}", self.task(at)),
            Event::TaskEnded { at, end, .. } => format!("ended {} {end:?}", self.task(at)),
            Event::TasksDropped { job, first, count, end, .. } => {
                format!("dropped {} {end:?}", self.tasks(*job, *first, *count))
            }
            Event::NoticeGiven { at, notice, by } => format!(
                "notice {} on {} at {} {:?}{}",
                self.task(at),
                self.node(at.node),
                self.time(notice.deadline),
                notice.reason,
                by.as_deref().map(claimed).unwrap_or_default(),
            ),
            Event::AdvisoryGiven { at, expected_by } => {
                format!(
                    "advised {} on {} by {}",
                    self.task(at),
                    self.node(at.node),
                    self.time(*expected_by)
                )
            }
            Event::NoticeWithdrawn { at } => format!("withdrawn {}", self.task(at)),
            Event::TaskEvicted { at, reason, early } => {
                let early = match early {
                    Some(Early::Released) => ", released".to_owned(),
                    Some(Early::Moved(node)) => format!(", moved to {}", self.node(*node)),
                    None => String::new(),
                };
                format!("evicted {} from {} {reason:?}{early}", self.task(at), self.node(at.node))
            }
            Event::StartPlanned { job, planned } => format!(
                "planned {} of {} on {} at {}",
                planned.tasks(),
                self.job(*job),
                self.places(&planned.places),
                self.time(planned.start)
            ),
            Event::StartUnplanned { job } => format!("unplanned {}", self.job(*job)),
            Event::JobsQuoted { quotes } => {
                return quotes.iter().map(|(id, quote)| self.quote(*id, quote)).collect();
            }
            Event::JobEnded { id, state } => format!("done {} {state:?}", self.job(*id)),
            Event::JobForgotten { tenant, name, .. } => format!("forgot {tenant}/{name}"),
            Event::RequestRemembered { id, .. } => format!("remembered {id}"),
            Event::RequestsForgotten { through } => format!("forgot answers through {through}"),
        };
        vec![line]
    }
}
