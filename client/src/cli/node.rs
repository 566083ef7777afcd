//! `offpeak node`: the machines that their owners lend.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use offpeak::v1::{
    CordonNodeRequest, DrainNodeRequest, GetNodeRequest, ListNodesRequest, Node, NodeFilter,
    NodeState, RegisterNodesRequest, RemoveNodeRequest, Resources, Taint, UncordonNodeRequest,
    UpdateNodeRequest,
};
use offpeak_client::Client;
use prost_types::FieldMask;

use super::{
    amounts::{Amounts, Reserved},
    failure::Failure,
    human,
    load::{self, ReportLoad},
    page::{self, Limit},
    session::Session,
};

/// Machines that their owners lend to the cell.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  offpeak node register a1 --owner web --region eu --zone eu-1 --cpu 64 --memory 256GiB
  offpeak node list --region eu --state ready -l disk=nvme
  offpeak node get a1 -o yaml
  offpeak node update a1 --zone eu-2 --remove-label disk
  offpeak node cordon a1 a2
  offpeak node uncordon a1 a2
  offpeak node drain a1 --grace 10m
  offpeak node remove a1")]
pub(crate) enum Command {
    /// List nodes
    #[command(visible_alias = "ls")]
    List(List),
    /// Show all that is known of nodes
    Get {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Lend a node, or several alike
    Register(Box<Register>),
    /// Change a node's description
    Update(Box<Update>),
    /// Let nodes take no new tasks; what runs stays
    Cordon(Many),
    /// End a cordon or a drain
    Uncordon(Many),
    /// Let nodes take no new tasks and give those they have notice
    Drain(Drain),
    /// Take nodes out of the cell
    #[command(visible_alias = "rm")]
    Remove(Remove),
    /// Report what the owner uses on a node now
    ReportLoad(ReportLoad),
}

/// Which nodes to list.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only of these regions
    #[arg(long, value_delimiter = ',')]
    region: Vec<String>,
    /// Only of these zones
    #[arg(long, value_delimiter = ',')]
    zone: Vec<String>,
    /// Only of these owners
    #[arg(long, value_delimiter = ',')]
    owner: Vec<String>,
    /// Only in these states
    #[arg(long, value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Only with this label; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    limit: Limit,
}

/// States to filter by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum State {
    Ready,
    Cordoned,
    Draining,
    Lost,
}

/// A description of nodes.
#[derive(Args, Debug)]
pub(crate) struct Register {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    description: Description,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// A change of one node; what is not given stays.
#[derive(Args, Debug)]
pub(crate) struct Update {
    /// Its name
    name: String,
    #[command(flatten)]
    description: Description,
    /// Take this label away; may be repeated
    #[arg(long, value_name = "KEY")]
    remove_label: Vec<String>,
    /// Take this taint away; may be repeated
    #[arg(long, value_name = "KEY")]
    remove_taint: Vec<String>,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Debug)]
struct Description {
    /// Who lends it
    #[arg(long)]
    owner: Option<String>,
    /// Where it is
    #[arg(long)]
    region: Option<String>,
    /// Where it is within the region
    #[arg(long)]
    zone: Option<String>,
    /// A label; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    /// Keeps off tasks that do not tolerate it; may be repeated
    #[arg(long = "taint", value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    taints: Vec<(String, String)>,
    #[command(flatten, next_help_heading = "Capacity")]
    capacity: Amounts,
    /// The model of its GPUs
    #[arg(long, value_name = "MODEL")]
    gpu_model: Option<String>,
    #[command(flatten, next_help_heading = "Reservation")]
    reserved: Reserved,
    /// Without a load report for this long the node counts as lost [default: never]
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    report_ttl: Option<Duration>,
}

/// One or more nodes.
#[derive(Args, Debug)]
pub(crate) struct Many {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
}

/// Which nodes to drain, and how gently.
#[derive(Args, Debug)]
pub(crate) struct Drain {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
    /// How long tasks may still run; 0 evicts at once [default: the cell's notice]
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    grace: Option<Duration>,
}

/// Which nodes to remove, and how.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
    /// Evict what still runs there, at once and without notice
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let out = session.out;
    match command {
        Command::List(list) => out.list(&page::fetch(&client, &list.request(), list.limit).await?),
        Command::Get { names } => {
            let mut nodes = Vec::new();
            for name in names {
                nodes.push(get(&client, name).await?);
            }
            out.some(&nodes)
        }
        Command::Register(register) => self::register(&register, &client, session).await,
        Command::Update(update) => self::update(&update, &client, session).await,
        Command::Cordon(many) => {
            for name in many.names {
                let request =
                    CordonNodeRequest { name: plain(&name), ..CordonNodeRequest::default() };
                let answer = client.call(request).await?;
                out.done(&format!("node/{}", plain(&name)), "cordoned", &answer)?;
            }
            Ok(())
        }
        Command::Uncordon(many) => {
            for name in many.names {
                let request =
                    UncordonNodeRequest { name: plain(&name), ..UncordonNodeRequest::default() };
                let answer = client.call(request).await?;
                out.done(&format!("node/{}", plain(&name)), "uncordoned", &answer)?;
            }
            Ok(())
        }
        Command::Drain(drain) => self::drain(drain, &client, session).await,
        Command::Remove(remove) => {
            for name in remove.names {
                let request = RemoveNodeRequest {
                    name: plain(&name),
                    force: remove.force,
                    ..RemoveNodeRequest::default()
                };
                let answer = client.call(request).await?;
                out.done(&format!("node/{}", plain(&name)), "removed", &answer)?;
            }
            Ok(())
        }
        Command::ReportLoad(report) => load::report(report, &client, session).await,
    }
}

async fn register(register: &Register, client: &Client, session: &Session) -> Result<(), Failure> {
    let nodes = register
        .names
        .iter()
        .map(|name| {
            let mut node = Node { name: plain(name), ..Node::default() };
            register.description.apply(&mut node);
            node
        })
        .collect();
    let request = RegisterNodesRequest {
        nodes,
        validate_only: register.dry_run,
        ..RegisterNodesRequest::default()
    };
    let answer = client.call(request).await?;
    let what = if register.dry_run { "registered (dry run)" } else { "registered" };
    // One answer for all of them, but a line for each.
    if session.out.is_for_people() || session.out.format == super::output::Format::Name {
        for name in &register.names {
            let reference = format!("node/{}", plain(name));
            session.out.done(&reference, what, &answer)?;
        }
        return Ok(());
    }
    session.out.object(&super::json::dynamic(&answer))
}

async fn update(update: &Update, client: &Client, session: &Session) -> Result<(), Failure> {
    let old = get(client, update.name.clone()).await?;
    let mut node = old.clone();
    update.description.apply(&mut node);
    for key in &update.remove_label {
        node.labels.remove(key);
    }
    node.taints.retain(|taint| !update.remove_taint.contains(&taint.key));
    let paths = super::apply::changed_node_fields(&old, &node);
    if paths.is_empty() {
        session.out.remark(&format!("node/{} is already so", node.name));
        return Ok(());
    }
    let reference = format!("node/{}", node.name);
    let request = UpdateNodeRequest {
        expected_revision: old.revision,
        node: Some(node),
        update_mask: Some(FieldMask { paths }),
        validate_only: update.dry_run,
        ..UpdateNodeRequest::default()
    };
    let answer = client.call(request).await?;
    let what = if update.dry_run { "updated (dry run)" } else { "updated" };
    session.out.done(&reference, what, &answer)
}

async fn drain(drain: Drain, client: &Client, session: &Session) -> Result<(), Failure> {
    for name in drain.names {
        let request = DrainNodeRequest {
            name: plain(&name),
            grace: drain.grace.map(human::to_wire),
            ..DrainNodeRequest::default()
        };
        let answer = client.call(request).await?;
        let what = format!("draining ({} under notice)", answer.notices);
        session.out.done(&format!("node/{}", plain(&name)), &what, &answer)?;
    }
    Ok(())
}

pub(crate) async fn get(client: &Client, name: String) -> Result<Node, Failure> {
    let request = GetNodeRequest { name: plain(&name), min_revision: 0 };
    Ok(client.call(request).await?.node.unwrap_or_default())
}

/// A name as `-o name` prints it is good too.
pub(crate) fn plain(name: &str) -> String {
    name.strip_prefix("node/").unwrap_or(name).to_owned()
}

impl List {
    fn request(&self) -> ListNodesRequest {
        let filter = NodeFilter {
            regions: self.region.clone(),
            zones: self.zone.clone(),
            owners: self.owner.clone(),
            states: self.state.iter().map(|state| state.wire().into()).collect(),
            labels: self.labels.iter().cloned().collect::<BTreeMap<_, _>>(),
        };
        ListNodesRequest { filter: Some(filter), ..ListNodesRequest::default() }
    }
}

impl State {
    fn wire(self) -> NodeState {
        match self {
            Self::Ready => NodeState::Ready,
            Self::Cordoned => NodeState::Cordoned,
            Self::Draining => NodeState::Draining,
            Self::Lost => NodeState::Lost,
        }
    }
}

impl Description {
    fn apply(&self, node: &mut Node) {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut node.owner, &self.owner);
        set(&mut node.region, &self.region);
        set(&mut node.zone, &self.zone);
        set(&mut node.gpu_model, &self.gpu_model);
        node.labels.extend(self.labels.iter().cloned());
        for (key, value) in &self.taints {
            node.taints.retain(|taint| &taint.key != key);
            node.taints.push(Taint { key: key.clone(), value: value.clone() });
        }
        self.capacity.apply(node.capacity.get_or_insert_default());
        let mut reservation = node.reservation.clone().unwrap_or_default();
        self.reserved.apply(&mut reservation);
        if node.reservation.is_some() || reservation != Resources::default() {
            node.reservation = Some(reservation);
        }
        if let Some(ttl) = self.report_ttl {
            node.report_ttl = Some(human::to_wire(ttl));
        }
    }
}
