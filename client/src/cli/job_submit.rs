//! `offpeak job submit`, also as `offpeak submit`.

use std::time::{Duration, SystemTime};

use clap::Args;
use offpeak::v1::{
    Constraints, Job, JobSpec, LabelSelector, Resources, SelectorOperator, Spread, SpreadTopology,
    SubmitJobRequest, Toleration,
};
use offpeak_client::Client;
use prost_types::Timestamp;

use super::{
    amounts::Amounts,
    apply::document::{Document, Parsed, parse_all},
    failure::{Failure, exit},
    human, input,
    job_extras::{Program, When},
    job_notice::OnNotice,
    job_wait::{self, Goal},
    session::Session,
};

/// Every option that describes a job, by argument or group: nothing else describes it then.
pub(crate) const DESCRIPTION: [&str; 7] =
    ["name", "count", "Amounts", "Place", "Manner", "When", "Program"];

/// A job's description, and what to do with it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak submit acme/render --count 100 --cpu 500m --memory 1GiB
  offpeak submit acme/train --gang --count 4 --gpus 8 --gpu-model H100 --min-runtime 6h --max-per-node 1
  offpeak submit --tenant acme --cpu 2 --region eu,us --node-label disk=nvme --tolerate spot --wait
  offpeak submit --tenant acme --cpu 1 --after extract --retries 3 --array 1-100 -- render --frame {index}
  offpeak job init > job.yaml && offpeak submit --tenant acme -f job.yaml --set scene=forest
  offpeak submit acme/report --cpu 4 --max-runtime 90m --complete-by 2026-01-31T06:00:00Z")]
pub(crate) struct Submit {
    /// Its name: NAME or TENANT/NAME, as by --name
    #[arg(value_name = "NAME", conflicts_with_all = ["name", "file", "values"])]
    job: Option<String>,
    #[command(flatten)]
    described: Described,
    /// Check only; submit nothing
    #[arg(long, help_heading = "Options")]
    dry_run: bool,
    /// Wait until the job has ended, as `offpeak job wait` does
    #[arg(long, conflicts_with = "dry_run", help_heading = "Options")]
    wait: bool,
}

/// A job, described by options or in a file.
#[derive(Args, Debug)]
pub(crate) struct Described {
    /// Its name, unique among the tenant's jobs [default: the cell chooses one]
    #[arg(long)]
    name: Option<String>,
    /// How many identical tasks
    #[arg(long, short = 'n', default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    #[command(flatten, next_help_heading = "What each task asks for")]
    request: Amounts,
    #[command(flatten, next_help_heading = "Where it may run")]
    place: Place,
    #[command(flatten, next_help_heading = "How it runs")]
    manner: Manner,
    #[command(flatten, next_help_heading = "When it runs, and again")]
    when: When,
    #[command(flatten, next_help_heading = "What its tasks run")]
    program: Program,
    #[command(flatten, next_help_heading = "From a file")]
    file: FromFile,
}

#[derive(Args, Debug)]
struct FromFile {
    /// The jobs of a file of kinds Job and JobTemplate instead; - is stdin
    #[arg(long = "file", short, value_name = "FILE", conflicts_with_all = DESCRIPTION)]
    file: Option<String>,
    /// The value of a template's parameter; may be repeated
    // What conflicts with the file must conflict here too: clap does not ask for the file beside it.
    #[arg(long = "set", value_parser = human::parse_pair, value_name = "NAME=VALUE", requires = "file",
        conflicts_with_all = DESCRIPTION)]
    values: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct Place {
    /// Any of these GPU models
    #[arg(long, value_delimiter = ',', value_name = "MODEL")]
    gpu_model: Vec<String>,
    /// Any of these regions
    #[arg(long, value_delimiter = ',')]
    region: Vec<String>,
    /// Any of these zones
    #[arg(long, value_delimiter = ',')]
    zone: Vec<String>,
    /// What a node's labels must be: KEY=VALUE[,VALUE], KEY!=VALUE[,VALUE], KEY or !KEY; may be repeated
    #[arg(long = "node-label", value_parser = parse_selector, value_name = "SELECTOR")]
    node_labels: Vec<LabelSelector>,
    /// A taint that its tasks tolerate: KEY or KEY=VALUE; may be repeated
    #[arg(long = "tolerate", value_name = "TAINT")]
    tolerations: Vec<String>,
    /// No more than this many of its tasks on a node
    #[arg(long, value_name = "N")]
    max_per_node: Option<u32>,
    /// No more than this many of its tasks in a zone
    #[arg(long, value_name = "N")]
    max_per_zone: Option<u32>,
    /// No zone gets this many tasks more than the emptiest one
    #[arg(long, value_name = "N")]
    zone_skew: Option<u32>,
}

#[derive(Args, Debug)]
struct Manner {
    /// Higher goes first: -1000 to 1000
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// How long each task must be left alone once placed
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    min_runtime: Option<Duration>,
    /// A task that runs longer fails
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    max_runtime: Option<Duration>,
    /// Tasks not placed by then fail: a time such as 2026-01-31T18:00:00Z, or a duration from now
    #[arg(long, value_parser = parse_deadline, value_name = "TIME")]
    deadline: Option<Timestamp>,
    /// Work that is not complete by then is of no use: what could not be, by its max or min runtime, is not started
    #[arg(long, value_parser = parse_deadline, value_name = "TIME")]
    complete_by: Option<Timestamp>,
    /// Place all tasks together or none
    #[arg(long)]
    gang: bool,
    /// How long before an eviction the notice comes
    #[arg(long, value_parser = human::parse_duration, value_name = "DURATION")]
    notice: Option<Duration>,
    /// What becomes of a task under notice: it stays and saves its work, or moves as soon as another node has room
    #[arg(long, value_enum, default_value_t = OnNotice::Stay, value_name = "WHAT")]
    on_notice: OnNotice,
    /// A label of the job; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    /// Free text about the job; may be repeated
    #[arg(long = "annotation", value_parser = human::parse_pair, value_name = "KEY=TEXT")]
    annotations: Vec<(String, String)>,
}

pub(crate) async fn run(
    submit: &Submit,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let jobs = submit.described.jobs(submit.job.as_deref(), session).await?;
    let mut submitted = Vec::with_capacity(jobs.len());
    for job in jobs {
        let tenant = job.tenant.clone();
        let request = SubmitJobRequest {
            job: Some(job),
            validate_only: submit.dry_run,
            ..SubmitJobRequest::default()
        };
        let answer = client.call(request).await?;
        let reference = format!("job/{tenant}/{}", answer.name);
        let what = if submit.dry_run { "submitted (dry run)" } else { "submitted" };
        session.out.done(&reference, what, &answer)?;
        submitted.push((tenant, answer.name));
    }
    for (tenant, name) in submitted.iter().filter(|_| submit.wait) {
        job_wait::until(tenant, name, Goal::Ended, client, session).await?;
    }
    Ok(())
}

impl FromFile {
    async fn jobs(&self, file: &str, session: &Session) -> Result<Vec<Job>, Failure> {
        let text = input::read(file).await?;
        let mut jobs = Vec::new();
        for parsed in parse_all(input::shown(file), &text)? {
            let mut job = match parsed {
                Parsed::Template(place, template) => template.fill(&place, &self.values)?,
                Parsed::Document(document) => match *document {
                    Document::Job(job) => *job,
                    other => {
                        let (file, other) = (input::shown(file), other.reference());
                        return Err(Failure::new(
                            exit::USAGE,
                            format!("{file}: {other} is not a job"),
                        )
                        .hint("only kinds Job and JobTemplate can be submitted and planned"));
                    }
                },
            };
            if job.tenant.is_empty() {
                job.tenant = session.tenant()?.to_owned();
            }
            jobs.push(job);
        }
        if jobs.is_empty() {
            let message = format!("{} has no job", input::shown(file));
            return Err(Failure::new(exit::FAILURE, message));
        }
        Ok(jobs)
    }
}

impl Described {
    /// The same, for questions: a description of nothing is taken for a question about nothing.
    pub(crate) async fn asked(
        &self,
        or: &str,
        named: Option<&str>,
        session: &Session,
    ) -> Result<Vec<Job>, Failure> {
        if self.file.file.is_none() && self.request.to_resources() == Resources::default() {
            return Err(Failure::usage(format!("{or}describe one")).hint(
                "--cpu, --memory and the like say what each task asks for; -f names a file",
            ));
        }
        self.jobs(named, session).await
    }

    /// What is described: the jobs of a file, or the one that the options describe, named or not.
    async fn jobs(&self, named: Option<&str>, session: &Session) -> Result<Vec<Job>, Failure> {
        if let Some(file) = &self.file.file {
            return self.file.jobs(file, session).await;
        }
        let (tenant, name) = match named {
            Some(named) => session.job(named)?,
            None => (session.tenant()?.to_owned(), self.name.clone().unwrap_or_default()),
        };
        Ok(vec![self.job(tenant, name)])
    }

    fn job(&self, tenant: String, name: String) -> Job {
        let manner = &self.manner;
        let mut spec = JobSpec {
            count: self.count,
            request: Some(self.request.to_resources()),
            constraints: Some(self.place.constraints()),
            priority: manner.priority,
            min_runtime: manner.min_runtime.map(human::to_wire),
            max_runtime: manner.max_runtime.map(human::to_wire),
            deadline: manner.deadline,
            complete_by: manner.complete_by,
            gang: manner.gang,
            labels: manner.labels.iter().cloned().collect(),
            notice: manner.notice.map(human::to_wire),
            on_notice: manner.on_notice.to_wire(),
            annotations: manner.annotations.iter().cloned().collect(),
            ..JobSpec::default()
        };
        self.when.describe(&mut spec);
        self.program.describe(&mut spec);
        Job { tenant, name, spec: Some(spec), ..Job::default() }
    }
}

impl Place {
    fn constraints(&self) -> Constraints {
        let mut spreads = Vec::new();
        if let Some(max_per_place) = self.max_per_node {
            spreads.push(Spread {
                topology: SpreadTopology::Node.into(),
                max_per_place,
                max_skew: 0,
            });
        }
        if self.max_per_zone.is_some() || self.zone_skew.is_some() {
            spreads.push(Spread {
                topology: SpreadTopology::Zone.into(),
                max_per_place: self.max_per_zone.unwrap_or(0),
                max_skew: self.zone_skew.unwrap_or(0),
            });
        }
        let toleration = |text: &String| match text.split_once('=') {
            Some((key, value)) => Toleration { key: key.to_owned(), value: Some(value.to_owned()) },
            None => Toleration { key: text.clone(), value: None },
        };
        Constraints {
            regions: self.region.clone(),
            zones: self.zone.clone(),
            gpu_models: self.gpu_model.clone(),
            labels: self.node_labels.clone(),
            tolerations: self.tolerations.iter().map(toleration).collect(),
            spreads,
        }
    }
}

fn parse_selector(text: &str) -> Result<LabelSelector, String> {
    let values = |text: &str| text.split(',').map(str::to_owned).collect();
    let (key, operator, values) = if let Some((key, list)) = text.split_once("!=") {
        (key, SelectorOperator::NotIn, values(list))
    } else if let Some((key, list)) = text.split_once('=') {
        (key, SelectorOperator::In, values(list))
    } else if let Some(key) = text.strip_prefix('!') {
        (key, SelectorOperator::NotExists, Vec::new())
    } else {
        (text, SelectorOperator::Exists, Vec::new())
    };
    if key.is_empty() {
        return Err("expected KEY=VALUE, KEY!=VALUE, KEY or !KEY".to_owned());
    }
    Ok(LabelSelector { key: key.to_owned(), operator: operator.into(), values })
}

fn parse_deadline(text: &str) -> Result<Timestamp, String> {
    if let Ok(ahead) = human::parse_duration(text) {
        return SystemTime::now()
            .checked_add(ahead)
            .map(Timestamp::from)
            .ok_or_else(|| format!("{text:?} is too far ahead"));
    }
    text.parse().map_err(|_| {
        format!("{text:?} is neither a time such as 2026-01-31T18:00:00Z nor a duration such as 2h")
    })
}

#[cfg(test)]
mod tests {
    use offpeak::v1::SelectorOperator;

    use super::{parse_deadline, parse_selector};

    #[test]
    fn selectors_have_four_forms() {
        for (text, key, operator, values) in [
            ("disk=nvme,ssd", "disk", SelectorOperator::In, &["nvme", "ssd"][..]),
            ("disk!=hdd", "disk", SelectorOperator::NotIn, &["hdd"]),
            ("disk", "disk", SelectorOperator::Exists, &[]),
            ("!disk", "disk", SelectorOperator::NotExists, &[]),
        ] {
            let selector = parse_selector(text).expect(text);
            assert_eq!(selector.key, key);
            assert_eq!(selector.operator(), operator);
            assert_eq!(selector.values, values);
        }
        assert!(parse_selector("=x").is_err());
        assert!(parse_selector("!").is_err());
    }

    #[test]
    fn a_deadline_is_a_time_or_a_duration() {
        let at = parse_deadline("2026-01-31T18:00:00Z").expect("a time");
        assert_eq!(at.seconds, 1_769_882_400);
        assert!(parse_deadline("2h").is_ok());
        assert!(parse_deadline("soon").is_err());
    }
}
