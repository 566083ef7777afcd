//! `offpeak tenant`: the customers.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use offpeak::v1::{
    Budget, BudgetPeriod, CreateTenantRequest, DeleteTenantRequest, GetTenantRequest,
    ListTenantsRequest, Tenant, UpdateTenantRequest,
};
use offpeak_client::Client;
use prost_types::FieldMask;

use super::{
    apply,
    failure::Failure,
    human, money,
    output::Show,
    page::{self, Limit},
    session::Session,
};

/// Customers whose jobs the cell runs.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak tenant create acme --quota-cpu 2000 --quota-memory 8TiB --weight 2
  offpeak tenant create acme-ml --parent acme --guarantee-cpu 500
  offpeak tenant update acme --quota-tasks unlimited
  offpeak tenant update acme --budget-warn 800 --budget-stop-new 1000
  offpeak tenant get acme-ml
  offpeak tenant list -o wide
  offpeak tenant delete acme-ml")]
pub(crate) enum Command {
    /// List tenants, children below their parents, and what share each has; TASKS are all unfinished ones, PLACED those that
    /// hold room on a node
    #[command(visible_alias = "ls")]
    List(Limit),
    /// Show all that is known of tenants, and how fairly they are served
    Get {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Create a tenant
    Create(Box<Description>),
    /// Change a tenant; what is not given stays
    Update(Box<Description>),
    /// Delete tenants that have no unfinished jobs and no children
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
    /// The tenant above it; `none` for the top
    #[arg(long, value_name = "TENANT")]
    parent: Option<String>,
    /// Its part when capacity is short, relative to its siblings [default: 1]
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
    #[command(flatten)]
    guarantee: Guarantee,
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

/// What a tenant and those below it are sure to get; zero takes a guarantee back.
#[derive(Args, Clone, Debug, Default)]
struct Guarantee {
    /// Cores that it is sure to get
    #[arg(long, value_parser = human::parse_millis, value_name = "CORES")]
    guarantee_cpu: Option<u64>,
    /// Memory that it is sure to get
    #[arg(long, value_parser = human::parse_bytes, value_name = "BYTES")]
    guarantee_memory: Option<u64>,
    /// Disk that it is sure to get
    #[arg(long, value_parser = human::parse_bytes, value_name = "BYTES")]
    guarantee_disk: Option<u64>,
    /// Network that it is sure to get
    #[arg(long, value_parser = human::parse_rate, value_name = "RATE")]
    guarantee_network: Option<u64>,
    /// GPUs that it is sure to get
    #[arg(long, value_parser = human::parse_millis, value_name = "GPUS")]
    guarantee_gpus: Option<u64>,
    /// How much of a named countable it is sure to get; may be repeated
    #[arg(long = "guarantee-countable", value_parser = human::parse_count, value_name = "NAME=N")]
    guarantee_counts: Vec<(String, u64)>,
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
            let tenants = page::fetch(&client, &ListTenantsRequest::default(), limit).await?;
            out.list(&if out.is_for_people() { tree(tenants) } else { tenants })
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

/// Children below their parents, their names set in by how deep they stand.
fn tree(tenants: Vec<Tenant>) -> Vec<Tenant> {
    let known: Vec<String> = tenants.iter().map(|tenant| tenant.name.clone()).collect();
    let mut families: BTreeMap<String, Vec<Tenant>> = BTreeMap::new();
    for tenant in tenants {
        // A limit may have cut the parent off.
        let parent =
            if known.contains(&tenant.parent) { tenant.parent.clone() } else { String::new() };
        families.entry(parent).or_default().push(tenant);
    }
    let mut rows = Vec::with_capacity(known.len());
    let top = families.remove("").unwrap_or_default();
    let mut next: Vec<(usize, Tenant)> = top.into_iter().rev().map(|tenant| (0, tenant)).collect();
    while let Some((depth, mut tenant)) = next.pop() {
        let children = families.remove(&tenant.name).unwrap_or_default();
        next.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        tenant.name = format!("{}{}", "  ".repeat(depth), tenant.name);
        rows.push(tenant);
    }
    rows
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
        match self.parent.as_deref() {
            Some("none") => tenant.parent.clear(),
            Some(parent) => plain(parent).clone_into(&mut tenant.parent),
            None => {}
        }
        self.guarantee.apply(tenant);
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

impl Guarantee {
    fn apply(&self, tenant: &mut Tenant) {
        let guarantee = tenant.guarantee.get_or_insert_default();
        let set = |field: &mut u64, amount: Option<u64>| *field = amount.unwrap_or(*field);
        set(&mut guarantee.cpu_millis, self.guarantee_cpu);
        set(&mut guarantee.memory_bytes, self.guarantee_memory);
        set(&mut guarantee.disk_bytes, self.guarantee_disk);
        set(&mut guarantee.network_bps, self.guarantee_network);
        set(&mut guarantee.gpu_millis, self.guarantee_gpus);
        guarantee.counts.extend(self.guarantee_counts.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::{Tenant, tree};

    #[test]
    fn children_stand_below_their_parents() {
        let tenant = |name: &str, parent: &str| Tenant {
            name: name.to_owned(),
            parent: parent.to_owned(),
            ..Tenant::default()
        };
        let tenants =
            vec![tenant("a", "z"), tenant("b", "a"), tenant("c", "gone"), tenant("z", "")];
        let names: Vec<String> = tree(tenants).into_iter().map(|tenant| tenant.name).collect();
        assert_eq!(names, ["c", "z", "  a", "    b"]);
    }
}
