//! A cell in this process, and short ways to say what is asked of it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use offpeak::v1::{
    Allocation, AllocationFilter, BudgetLevel, CancelJobRequest, CreateTenantRequest, Event,
    EvictionReason, GetJobRequest, GetNodeRequest, Job, JobSpec, JobState, ListAllocationsRequest,
    LoadSample, Node, NodeState, RegisterNodesRequest, ReportLoadRequest, ReportLoadResponse,
    ReportTasksRequest, ReportTasksResponse, Resources, SubmitJobRequest, SubmitJobResponse,
    TaskEnd, TaskOutcome, TaskReport, Tenant, WatchFilter, event::Kind,
};
use offpeak_client::{
    Client, ConnectOptions, Error, Watch, WatchMessage, WatchOptions, WatchStart,
};
use offpeak_core::model::{Millis, Time};
use offpeak_server::{
    clock::ManualClock,
    config::{Config, Optional, Span},
    driver::exit_on_fatal,
    server::{Environment, Running, Server},
};
use tempfile::TempDir;
use tokio::time::timeout;

/// When the clocks of these cells begin: 2026-01-01 00:00 UTC.
pub(crate) const BEGIN: Time = Time(1_767_225_600_000);

/// How long an event may take to come. Nothing waits this long unless the claim fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A cell with a clock that only the test moves, and a client of it.
pub(crate) struct House {
    pub(crate) server: Running,
    pub(crate) client: Client,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Config,
    pub(crate) folder: TempDir,
}

/// A watch that tells events as short lines.
pub(crate) struct Lines {
    watch: Watch,
    waiting: Vec<Event>,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A cell with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            metrics_listen: Optional(None),
            data_dir: folder.path().join("data"),
            notice: Span(Duration::from_secs(60)),
            // A quote comes when it comes, which would make events depend on how long a test takes.
            quotes_share_percent: 0,
            ..Config::default()
        };
        change(&mut config);
        let clock = Arc::new(ManualClock::new(BEGIN));
        let server = start(&config, &clock).await;
        let client = connect(server.address()).await;
        Self { server, client, clock, config, folder }
    }

    /// Stops the cell in order and starts it again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let Self { server, clock, mut config, folder, .. } = self;
        config.listen = server.address();
        server.shutdown().await;
        let server = start(&config, &clock).await;
        let client = connect(server.address()).await;
        Self { server, client, clock, config, folder }
    }

    pub(crate) async fn stop(self) {
        self.server.shutdown().await;
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Millis(seconds * 1_000));
    }

    pub(crate) async fn register(&self, nodes: Vec<Node>) -> u64 {
        let request = RegisterNodesRequest { nodes, ..RegisterNodesRequest::default() };
        self.client.call(request).await.expect("registered").revision
    }

    pub(crate) async fn create_tenant(&self, name: &str) -> u64 {
        self.create(Tenant { name: name.to_owned(), ..Tenant::default() }).await
    }

    pub(crate) async fn create(&self, tenant: Tenant) -> u64 {
        let request =
            CreateTenantRequest { tenant: Some(tenant), ..CreateTenantRequest::default() };
        self.client.call(request).await.expect("created").revision
    }

    pub(crate) async fn try_submit(&self, job: Job) -> Result<SubmitJobResponse, Error> {
        let request = SubmitJobRequest { job: Some(job), ..SubmitJobRequest::default() };
        self.client.call(request).await
    }

    pub(crate) async fn submit(&self, job: Job) -> u64 {
        self.try_submit(job).await.expect("submitted").revision
    }

    pub(crate) async fn cancel(&self, name: &str) -> u64 {
        let request = CancelJobRequest {
            tenant: "acme".to_owned(),
            name: name.to_owned(),
            ..CancelJobRequest::default()
        };
        self.client.call(request).await.expect("cancelled").revision
    }

    /// Reports that the owner of a node uses so many thousandths of a core now.
    pub(crate) async fn report_load(&self, node: &str, cpu_millis: u64) -> ReportLoadResponse {
        let sample = LoadSample { node: node.to_owned(), time: None, load: Some(cpu(cpu_millis)) };
        self.report_samples(vec![sample]).await
    }

    pub(crate) async fn report_samples(&self, samples: Vec<LoadSample>) -> ReportLoadResponse {
        let batches = tokio_stream_of(ReportLoadRequest { samples });
        let reported = self.client.nodes().report_load(batches).await;
        reported.expect("reported").into_inner()
    }

    pub(crate) async fn report(&self, reports: &[(u64, TaskOutcome)]) -> ReportTasksResponse {
        let reports = reports.iter().map(|(allocation_id, outcome)| TaskReport {
            allocation_id: *allocation_id,
            outcome: (*outcome).into(),
            message: String::new(),
        });
        let reports = reports.collect();
        let request = ReportTasksRequest { reports, ..ReportTasksRequest::default() };
        self.client.call(request).await.expect("reported")
    }

    /// A job of the tenant acme, as it is at `min_revision` or later.
    pub(crate) async fn job(&self, name: &str, min_revision: u64) -> Job {
        let (tenant, name) = ("acme".to_owned(), name.to_owned());
        let request = GetJobRequest { tenant, name, min_revision };
        self.client.call(request).await.expect("found").job.expect("a job")
    }

    pub(crate) async fn node(&self, name: &str, min_revision: u64) -> Node {
        let request = GetNodeRequest { name: name.to_owned(), min_revision };
        self.client.call(request).await.expect("found").node.expect("a node")
    }

    pub(crate) async fn allocations_on(&self, node: &str) -> Vec<Allocation> {
        let filter = AllocationFilter { node: node.to_owned(), ..AllocationFilter::default() };
        let request =
            ListAllocationsRequest { filter: Some(filter), ..ListAllocationsRequest::default() };
        self.client.call(request).await.expect("listed").allocations
    }

    /// Everything that happens after `revision`.
    pub(crate) fn lines_after(&self, revision: u64) -> Lines {
        let watch = self.client.watch(WatchOptions::new(WatchStart::After(revision)));
        Lines { watch, waiting: Vec::new() }
    }

    /// What of everything that happened passes a filter.
    pub(crate) fn lines_of(&self, filter: WatchFilter) -> Lines {
        let mut options = WatchOptions::new(WatchStart::After(0));
        options.filter = filter;
        Lines { watch: self.client.watch(options), waiting: Vec::new() }
    }
}

impl Lines {
    /// The next events, as many as are expected.
    pub(crate) async fn expect(&mut self, expected: &[&str]) -> u64 {
        let mut lines = Vec::new();
        let mut revision = 0;
        while lines.len() < expected.len() {
            let event = self.next().await;
            revision = event.revision;
            lines.push(line(&event));
        }
        assert_eq!(lines, expected);
        revision
    }

    async fn next(&mut self) -> Event {
        while self.waiting.is_empty() {
            let message = timeout(PATIENCE, self.watch.next()).await;
            match message.expect("an event comes").expect("the watch goes on") {
                WatchMessage::Events(batch) => {
                    self.waiting = batch.events;
                    self.waiting.reverse();
                }
                WatchMessage::Snapshot { .. } | WatchMessage::Progress(_) => {}
                WatchMessage::Interrupted(error) => panic!("the watch broke: {error}"),
            }
        }
        self.waiting.pop().expect("one is there")
    }
}

pub(crate) async fn start(config: &Config, clock: &Arc<ManualClock>) -> Running {
    let clock = Arc::<ManualClock>::clone(clock);
    let environment = Environment { clock, on_fatal: exit_on_fatal() };
    Server::start_in(config.clone(), environment).await.expect("a server")
}

pub(crate) async fn connect(address: SocketAddr) -> Client {
    Client::connect(ConnectOptions::to(format!("http://{address}"))).await.expect("connected")
}

/// A stream of one message.
pub(crate) fn tokio_stream_of<T>(message: T) -> impl tokio_stream::Stream<Item = T> {
    tokio_stream::once(message)
}

pub(crate) fn cpu(cpu_millis: u64) -> Resources {
    Resources { cpu_millis, ..Resources::default() }
}

/// A node of 8 cores.
pub(crate) fn node(name: &str) -> Node {
    Node { name: name.to_owned(), capacity: Some(cpu(8_000)), ..Node::default() }
}

/// A job of the tenant acme: so many tasks, each of so many thousandths of a core.
pub(crate) fn job(name: &str, count: u32, cpu_millis: u64) -> Job {
    job_with(name, JobSpec { count, request: Some(cpu(cpu_millis)), ..JobSpec::default() })
}

pub(crate) fn job_with(name: &str, spec: JobSpec) -> Job {
    let (tenant, name) = ("acme".to_owned(), name.to_owned());
    Job { tenant, name, spec: Some(spec), ..Job::default() }
}

/// The code and the reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> (tonic::Code, String) {
    let error = answer.expect_err("refused");
    (error.code(), error.reason().to_owned())
}

/// An event in a line, such as `placed acme/train 0..4 on a`.
pub(crate) fn line(event: &Event) -> String {
    let kind = event.kind.as_ref().expect("a kind");
    match kind {
        Kind::NodeRegistered(e) => format!("registered {}", name_of(&e.node)),
        Kind::NodeUpdated(e) => format!("node updated {}", name_of(&e.node)),
        Kind::NodeStateChanged(e) => {
            let state = NodeState::try_from(e.state).expect("a state");
            format!("node {} {}", e.node, short(state.as_str_name(), "NODE_STATE_"))
        }
        Kind::NodeRemoved(e) => format!("removed {}", e.node),
        Kind::LoadReported(e) => {
            let samples = e.samples.iter().map(|sample| {
                format!(" {}={}", sample.node, sample.load.as_ref().map_or(0, |l| l.cpu_millis))
            });
            format!("load{}", samples.collect::<String>())
        }
        Kind::TenantCreated(e) => {
            format!("tenant {}", e.tenant.as_ref().map_or("", |tenant| tenant.name.as_str()))
        }
        Kind::TenantUpdated(e) => {
            format!("tenant updated {}", e.tenant.as_ref().map_or("", |t| t.name.as_str()))
        }
        Kind::TenantDeleted(e) => format!("tenant deleted {}", e.tenant),
        Kind::JobSubmitted(e) => {
            let job = e.job.as_ref().expect("a job");
            format!("submitted {}/{}", job.tenant, job.name)
        }
        Kind::JobUpdated(e) => match &e.spec {
            None => format!("resized {}/{} to {}", e.tenant, e.job, e.count),
            Some(spec) => format!("changed {}/{} priority {}", e.tenant, e.job, spec.priority),
        },
        Kind::TasksPlaced(e) => {
            let mut runs: BTreeMap<u32, String> = BTreeMap::new();
            for p in &e.placements {
                runs.insert(p.task, format!(" {} on {}", tasks(p.task, p.count), p.node));
            }
            format!("placed {}/{}{}", e.tenant, e.job, runs.into_values().collect::<String>())
        }
        Kind::JobEnded(e) => {
            let state = JobState::try_from(e.state).expect("a state");
            format!("job {}/{} {}", e.tenant, e.job, short(state.as_str_name(), "JOB_STATE_"))
        }
        Kind::OwnerUpdated(e) => {
            format!("owner {}", e.owner.as_ref().map_or("", |owner| owner.name.as_str()))
        }
        Kind::PriceBookChanged(_) => "prices".to_owned(),
        Kind::DemandPriced(e) => {
            let factor = e.factor.as_ref().expect("a factor");
            format!("demand [{}] {}", factor.region, factor.factor_permille)
        }
        Kind::BudgetTurned(e) => {
            let level = BudgetLevel::try_from(e.level).expect("a level");
            format!("budget {} {}", e.tenant, short(level.as_str_name(), "BUDGET_LEVEL_"))
        }
        Kind::QuotaTurned(e) => format!("quota {} {}", e.tenant, e.used_permille),
        Kind::OwnerTurned(e) => format!("turned {}", e.owner),
        Kind::StartPlanned(e) => {
            let planned = e.planned.as_ref().expect("a plan");
            format!("planned {} of {}/{} on {}", planned.tasks, e.tenant, e.job, planned.node)
        }
        Kind::StartUnplanned(e) => format!("unplanned {}/{}", e.tenant, e.job),
        Kind::RiskCurbed(e) => format!("curbed {} by {}", e.owner, e.curbed_quarters),
        Kind::JobQuoted(e) => format!("quoted {}/{}", e.tenant, e.job),
        Kind::JobForgotten(e) => format!("forgot {}/{}", e.tenant, e.job),
        kind => task_line(kind),
    }
}

fn task_line(kind: &Kind) -> String {
    match kind {
        Kind::TaskStarted(e) => format!("started {}/{} {} on {}", e.tenant, e.job, e.task, e.node),
        Kind::TaskEnded(e) => {
            let end = TaskEnd::try_from(e.end).expect("an end");
            let end = short(end.as_str_name(), "TASK_END_");
            let on = if e.node.is_empty() { String::new() } else { format!(" on {}", e.node) };
            format!("{end} {}/{} {}{on}", e.tenant, e.job, tasks(e.task, e.count))
        }
        Kind::NoticeGiven(e) => {
            let reason = eviction(e.notice.as_ref().expect("a notice").reason);
            format!("notice {}/{} {} on {}: {reason}", e.tenant, e.job, e.task, e.node)
        }
        Kind::AdvisoryGiven(e) => {
            format!("advised {}/{} {} on {}", e.tenant, e.job, e.task, e.node)
        }
        Kind::NoticeWithdrawn(e) => {
            format!("withdrawn {}/{} {} on {}", e.tenant, e.job, e.task, e.node)
        }
        Kind::TaskEvicted(e) => {
            let reason = eviction(e.reason);
            format!("evicted {}/{} {} from {}: {reason}", e.tenant, e.job, e.task, e.node)
        }
        Kind::TaskDelayed(e) => {
            let end = TaskEnd::try_from(e.end).expect("an end");
            let end = short(end.as_str_name(), "TASK_END_");
            format!("delayed {}/{} {} on {}: {end}", e.tenant, e.job, e.task, e.node)
        }
        Kind::TasksDelayed(e) => {
            format!("delayed {}/{} {}", e.tenant, e.job, tasks(e.task, e.count))
        }
        Kind::TasksResumed(e) => {
            format!("resumed {}/{} {}", e.tenant, e.job, tasks(e.task, e.count))
        }
        kind => panic!("not about a task: {kind:?}"),
    }
}

fn tasks(first: u32, count: u32) -> String {
    if count == 1 { first.to_string() } else { format!("{first}..{}", first + count) }
}

fn eviction(reason: i32) -> String {
    let reason = EvictionReason::try_from(reason).expect("a reason");
    short(reason.as_str_name(), "EVICTION_REASON_")
}

fn name_of(node: &Option<Node>) -> &str {
    node.as_ref().map_or("", |node| node.name.as_str())
}

fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}
