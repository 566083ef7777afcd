//! `offpeak tenant`: the customers.

use clap::{Args, Subcommand, ValueEnum};
use offpeak::v1::{
    Budget, BudgetPeriod, CreateTenantRequest, DeleteTenantRequest, GetTenantRequest,
    ListTenantsRequest, Quota, Tenant, UpdateTenantRequest,
};
use offpeak_client::Client;
use prost_types::FieldMask;

use super::{
    apply,
    failure::Failure,
    human::{self, dash},
    money,
    output::Show,
    page::{self, Limit},
    session::Session,
    table::{Cell, Column, left, right},
};

/// Customers whose jobs the cell runs.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak tenant create acme --quota-cpu 2000 --quota-memory 8TiB --weight 2
  offpeak tenant update acme --quota-tasks unlimited
  offpeak tenant update acme --budget-warn 800 --budget-stop-new 1000
  offpeak tenant list -o wide")]
pub(crate) enum Command {
    /// List tenants
    #[command(visible_alias = "ls")]
    List(Limit),
    /// Show all that is known of tenants
    Get {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Create a tenant
    Create(Description),
    /// Change a tenant; what is not given stays
    Update(Description),
    /// Delete tenants that have no unfinished jobs
    #[command(visible_alias = "rm")]
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// A tenant's description.
#[derive(Args, Debug)]
pub(crate) struct Description {
    /// Its name
    name: String,
    /// Its part when capacity is short, relative to others [default: 1]
    #[arg(long)]
    weight: Option<u32>,
    /// No job may have a higher priority [default: 1000]
    #[arg(long, allow_negative_numbers = true, value_name = "PRIORITY")]
    priority_ceiling: Option<i32>,
    /// A label; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    /// Most cores in all; `unlimited` lifts a limit, here and below
    #[arg(long, value_parser = |t: &str| Limited::parse(t, human::parse_millis), value_name = "CORES")]
    quota_cpu: Option<Limited>,
    /// Most memory in all
    #[arg(long, value_parser = |t: &str| Limited::parse(t, human::parse_bytes), value_name = "BYTES")]
    quota_memory: Option<Limited>,
    /// Most disk in all
    #[arg(long, value_parser = |t: &str| Limited::parse(t, human::parse_bytes), value_name = "BYTES")]
    quota_disk: Option<Limited>,
    /// Most network in all
    #[arg(long, value_parser = |t: &str| Limited::parse(t, human::parse_rate), value_name = "RATE")]
    quota_network: Option<Limited>,
    /// Most GPUs in all
    #[arg(long, value_parser = |t: &str| Limited::parse(t, human::parse_millis), value_name = "GPUS")]
    quota_gpus: Option<Limited>,
    /// Most unfinished tasks
    #[arg(long, value_parser = |t: &str| Limited::parse(t, parse_whole), value_name = "N")]
    quota_tasks: Option<Limited>,
    /// Most of a named countable; may be repeated
    #[arg(long = "quota-countable", value_parser = human::parse_count, value_name = "NAME=N")]
    quota_counts: Vec<(String, u64)>,
    /// After which its budget begins anew, at midnight UTC [default: month]
    #[arg(long, value_enum, value_name = "PERIOD")]
    budget_period: Option<Period>,
    /// Warn when it has spent so much; `unlimited` lifts a limit, here and below
    #[arg(long, value_parser = |t: &str| Limited::parse(t, money::parse), value_name = "MONEY")]
    budget_warn: Option<Limited>,
    /// Take no new work when it has spent so much
    #[arg(long, value_parser = |t: &str| Limited::parse(t, money::parse), value_name = "MONEY")]
    budget_stop_new: Option<Limited>,
    /// Give notice to what runs when it has spent so much
    #[arg(long, value_parser = |t: &str| Limited::parse(t, money::parse), value_name = "MONEY")]
    budget_stop_all: Option<Limited>,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Period {
    Day,
    Month,
}

/// A limit, or none.
#[derive(Clone, Copy, Debug)]
struct Limited(Option<u64>);

impl Limited {
    fn parse(text: &str, amount: fn(&str) -> Result<u64, String>) -> Result<Self, String> {
        match text {
            "unlimited" => Ok(Self(None)),
            _ => amount(text).map(|amount| Self(Some(amount))),
        }
    }
}

fn parse_whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a whole number"))
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let out = session.out;
    match command {
        Command::List(limit) => {
            out.list(&page::fetch(&client, &ListTenantsRequest::default(), limit).await?)
        }
        Command::Get { names } => {
            let mut tenants = Vec::new();
            for name in names {
                tenants.push(get(&client, &name).await?);
            }
            out.some(&tenants)
        }
        Command::Create(description) => {
            let mut tenant =
                Tenant { name: plain(&description.name).to_owned(), ..Tenant::default() };
            description.apply(&mut tenant);
            let reference = tenant.reference();
            let request = CreateTenantRequest {
                tenant: Some(tenant),
                validate_only: description.dry_run,
                ..CreateTenantRequest::default()
            };
            let answer = client.call(request).await?;
            out.done(&reference, description.word("created"), &answer)
        }
        Command::Update(description) => update(&description, &client, session).await,
        Command::Delete { names } => {
            for name in names {
                let request = DeleteTenantRequest {
                    name: plain(&name).to_owned(),
                    ..DeleteTenantRequest::default()
                };
                let answer = client.call(request).await?;
                out.done(&format!("tenant/{}", plain(&name)), "deleted", &answer)?;
            }
            Ok(())
        }
    }
}

async fn update(
    description: &Description,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let old = get(client, &description.name).await?;
    let mut tenant = old.clone();
    description.apply(&mut tenant);
    let reference = tenant.reference();
    let paths = apply::changed_tenant_fields(&old, &tenant);
    if paths.is_empty() {
        session.out.remark(&format!("{reference} is already so"));
        return Ok(());
    }
    let request = UpdateTenantRequest {
        expected_revision: old.revision,
        tenant: Some(tenant),
        update_mask: Some(FieldMask { paths }),
        validate_only: description.dry_run,
        ..UpdateTenantRequest::default()
    };
    let answer = client.call(request).await?;
    session.out.done(&reference, description.word("updated"), &answer)
}

pub(crate) async fn get(client: &Client, name: &str) -> Result<Tenant, Failure> {
    let request = GetTenantRequest { name: plain(name).to_owned(), min_revision: 0 };
    Ok(client.call(request).await?.tenant.unwrap_or_default())
}

fn plain(name: &str) -> &str {
    name.strip_prefix("tenant/").unwrap_or(name)
}

impl Description {
    fn word(&self, done: &'static str) -> &'static str {
        match (self.dry_run, done) {
            (true, "created") => "created (dry run)",
            (true, _) => "updated (dry run)",
            (false, done) => done,
        }
    }

    fn apply(&self, tenant: &mut Tenant) {
        if let Some(weight) = self.weight {
            tenant.weight = weight;
        }
        if let Some(ceiling) = self.priority_ceiling {
            tenant.priority_ceiling = Some(ceiling);
        }
        tenant.labels.extend(self.labels.iter().cloned());
        let quota = tenant.quota.get_or_insert_default();
        let set = |field: &mut Option<u64>, limited: Option<Limited>| {
            if let Some(Limited(limit)) = limited {
                *field = limit;
            }
        };
        set(&mut quota.cpu_millis, self.quota_cpu);
        set(&mut quota.memory_bytes, self.quota_memory);
        set(&mut quota.disk_bytes, self.quota_disk);
        set(&mut quota.network_bps, self.quota_network);
        set(&mut quota.gpu_millis, self.quota_gpus);
        set(&mut quota.tasks, self.quota_tasks);
        quota.counts.extend(self.quota_counts.iter().cloned());
        let mut budget = tenant.budget.unwrap_or_default();
        match self.budget_period {
            Some(Period::Day) => budget.set_period(BudgetPeriod::Day),
            Some(Period::Month) => budget.set_period(BudgetPeriod::Month),
            None => {}
        }
        set(&mut budget.warn_micros, self.budget_warn);
        set(&mut budget.stop_new_micros, self.budget_stop_new);
        set(&mut budget.stop_all_micros, self.budget_stop_all);
        tenant.budget = (budget != Budget::default()).then_some(budget);
    }
}

impl Show for Tenant {
    fn reference(&self) -> String {
        format!("tenant/{}", self.name)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![
            left("NAME"),
            right("WEIGHT"),
            right("TASKS"),
            right("PLACED"),
            right("CPU"),
            right("MEMORY"),
            right("GPUS"),
            right("AGE"),
        ];
        if wide {
            columns.extend([right("CEILING"), left("HELD"), left("LABELS")]);
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let usage = self.usage.clone().unwrap_or_default();
        let quota = self.quota.clone().unwrap_or_default();
        let asked = usage.requested.clone().unwrap_or_default();
        let mut row: Vec<Cell> = vec![
            self.name.as_str().into(),
            self.weight.max(1).to_string().into(),
            of(usage.requested_tasks, quota.tasks, human::count).into(),
            human::count(usage.held_tasks).into(),
            of(asked.cpu_millis, quota.cpu_millis, human::millis).into(),
            of(asked.memory_bytes, quota.memory_bytes, human::bytes).into(),
            of(asked.gpu_millis, quota.gpu_millis, human::millis).into(),
            human::age(self.create_time.as_ref()).into(),
        ];
        if wide {
            row.extend([
                self.priority_ceiling.unwrap_or(1000).to_string().into(),
                human::resources(usage.held.as_ref()).into(),
                human::labels(&self.labels).into(),
            ]);
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let usage = self.usage.clone().unwrap_or_default();
        let requested = human::resources(usage.requested.as_ref());
        let held = human::resources(usage.held.as_ref());
        vec![
            ("Name", self.name.as_str().into()),
            ("Labels", human::labels(&self.labels).into()),
            ("Weight", self.weight.max(1).to_string().into()),
            ("Priority ceiling", self.priority_ceiling.unwrap_or(1000).to_string().into()),
            ("Quota", quota_text(self.quota.as_ref()).into()),
            (
                "Requested",
                format!("{} tasks: {requested}", human::count(usage.requested_tasks)).into(),
            ),
            ("Held", format!("{} tasks: {held}", human::count(usage.held_tasks)).into()),
            ("Budget", budget_text(self).into()),
            ("Created", human::time(self.create_time.as_ref()).into()),
            ("Revision", self.revision.to_string().into()),
        ]
    }
}

/// `used/limit`, or only what is used where there is no limit.
fn of(used: u64, limit: Option<u64>, text: fn(u64) -> String) -> String {
    match limit {
        Some(limit) => format!("{}/{}", text(used), text(limit)),
        None => text(used),
    }
}

fn budget_text(tenant: &Tenant) -> String {
    let Some(budget) = &tenant.budget else { return "unlimited".to_owned() };
    let limits = [
        ("warn at", budget.warn_micros),
        ("no new work at", budget.stop_new_micros),
        ("no work at", budget.stop_all_micros),
    ];
    let limits = limits.into_iter().filter_map(|(what, limit)| Some((what, limit?)));
    let limits: Vec<String> =
        limits.map(|(what, limit)| format!("{what} {}", money::text(limit))).collect();
    if limits.is_empty() {
        return "unlimited".to_owned();
    }
    let period = if budget.period() == BudgetPeriod::Day { "day" } else { "month" };
    let level = human::enum_word(tenant.budget_level().as_str_name(), "BUDGET_LEVEL_");
    let spent = money::text(tenant.spent_micros);
    format!("{} a {period}; spent {spent}: {level}", limits.join(", "))
}

fn quota_text(quota: Option<&Quota>) -> String {
    let Some(quota) = quota else {
        return "unlimited".to_owned();
    };
    let mut parts = Vec::new();
    let mut limit = |name: &str, value: Option<u64>, text: fn(u64) -> String| {
        if let Some(value) = value {
            parts.push(format!("{name} {}", text(value)));
        }
    };
    limit("cpu", quota.cpu_millis, human::millis);
    limit("memory", quota.memory_bytes, human::bytes);
    limit("disk", quota.disk_bytes, human::bytes);
    limit("network (bps)", quota.network_bps, human::count);
    limit("gpus", quota.gpu_millis, human::millis);
    limit("tasks", quota.tasks, human::count);
    for (name, count) in &quota.counts {
        parts.push(format!("{name} {count}"));
    }
    let text = dash(parts.join(", "));
    if text == "-" { "unlimited".to_owned() } else { text }
}
