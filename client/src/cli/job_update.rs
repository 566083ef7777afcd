//! `offpeak job update`.

use std::time::Duration;

use clap::Args;
use offpeak::v1::{Job, JobSpec, UpdateJobRequest};
use offpeak_client::Client;
use prost_types::FieldMask;

use super::{
    failure::{Failure, exit},
    human, job,
    job_notice::OnNotice,
    output::Show as _,
    session::Session,
};

/// A change of a job.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak job update acme/train --count 16
  offpeak job update acme/train --priority 10 --max-runtime 6h
  offpeak job update acme/train --on-notice move
  offpeak job update acme/train --max-runtime none --annotation ticket=OPS-17 --expected-revision 42")]
pub(crate) struct Update {
    /// Its name
    name: String,
    /// How many tasks; fewer end those with the highest indices
    #[arg(long)]
    count: Option<u32>,
    /// Higher goes first: -1000 to 1000
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// A task that runs longer fails, counted from its start; none: no limit
    #[arg(long, value_parser = parse_limit, value_name = "DURATION")]
    max_runtime: Option<Limit>,
    /// What becomes of a task under notice
    #[arg(long, value_enum, value_name = "WHAT")]
    on_notice: Option<OnNotice>,
    /// A label to set; KEY= with nothing behind takes it away; may be repeated
    #[arg(long = "label", short = 'l', value_parser = human::parse_pair, value_name = "KEY=VALUE")]
    labels: Vec<(String, String)>,
    /// An annotation to set; KEY= with nothing behind takes it away; may be repeated
    #[arg(long = "annotation", value_parser = human::parse_pair, value_name = "KEY=TEXT")]
    annotations: Vec<(String, String)>,
    /// Only if the job is still at this revision
    #[arg(long, value_name = "REVISION")]
    expected_revision: Option<u64>,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// A longest run time, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit(Option<Duration>);

pub(crate) async fn run(
    update: &Update,
    client: &Client,
    session: &Session,
) -> Result<(), Failure> {
    let (tenant, name) = session.job(&update.name)?;
    let mut expected_revision = update.expected_revision.unwrap_or(0);
    let mut known = JobSpec::default();
    if !update.labels.is_empty() || !update.annotations.is_empty() {
        // Maps are changed as a whole: what is in them must not have changed in between.
        let found = job::get(client, &tenant, &name, 0).await?;
        if expected_revision == 0 {
            expected_revision = found.revision;
        }
        known = found.spec.unwrap_or_default();
    }
    let (spec, paths) = update.changed(known);
    if paths.is_empty() {
        return Err(Failure::new(exit::USAGE, "nothing to change was named".to_owned()).hint(
            "name one of --count, --priority, --max-runtime, --on-notice, --label, --annotation",
        ));
    }
    let job = Job { tenant, name, spec: Some(spec), ..Job::default() };
    let reference = job.reference();
    let request = UpdateJobRequest {
        job: Some(job),
        update_mask: Some(FieldMask { paths }),
        expected_revision,
        validate_only: update.dry_run,
        ..UpdateJobRequest::default()
    };
    let answer = client.call(request).await?;
    let what = if update.dry_run { "updated (dry run)" } else { "updated" };
    session.out.done(&reference, what, &answer)
}

impl Update {
    /// The description with what is to be changed, and the paths of that.
    fn changed(&self, known: JobSpec) -> (JobSpec, Vec<String>) {
        let mut spec =
            JobSpec { labels: known.labels, annotations: known.annotations, ..JobSpec::default() };
        let mut paths = Vec::new();
        let mut path = |given: bool, path: &str| paths.extend(given.then(|| path.to_owned()));
        path(self.count.is_some(), "spec.count");
        path(self.priority.is_some(), "spec.priority");
        path(self.max_runtime.is_some(), "spec.max_runtime");
        path(self.on_notice.is_some(), "spec.on_notice");
        path(!self.labels.is_empty(), "spec.labels");
        path(!self.annotations.is_empty(), "spec.annotations");
        spec.on_notice = self.on_notice.map_or(0, OnNotice::to_wire);
        spec.count = self.count.unwrap_or(0);
        spec.priority = self.priority.unwrap_or(0);
        spec.max_runtime = self.max_runtime.and_then(|limit| limit.0).map(human::to_wire);
        for (map, changes) in
            [(&mut spec.labels, &self.labels), (&mut spec.annotations, &self.annotations)]
        {
            for (key, value) in changes {
                if value.is_empty() {
                    map.remove(key);
                } else {
                    map.insert(key.clone(), value.clone());
                }
            }
        }
        (spec, paths)
    }
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    human::parse_duration(text).map(|limit| Limit(Some(limit)))
}
