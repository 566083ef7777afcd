//! `offpeak apply`: makes the cell have what files describe.
//!
//! All files are read before anything is sent. Owners and tenants go first, then nodes, then jobs. Each object is fetched and
//! compared: absent ones are created, differing ones updated by mask, equal ones left alone, so applying twice
//! changes nothing. A document is the whole description: what it leaves out is unset. Output-only fields in it are
//! ignored, so what `get -o yaml` prints can be edited and applied with a `kind` added.

mod diff;
pub(crate) mod document;

use clap::Args;
use offpeak::v1::{
    CreateTenantRequest, GetJobRequest, GetNodeRequest, GetOwnerRequest, GetTenantRequest, Job,
    JobSpec, Node, Owner, RegisterNodesRequest, SubmitJobRequest, Tenant, UpdateJobRequest,
    UpdateNodeRequest, UpdateOwnerRequest, UpdateTenantRequest,
};
use offpeak_client::{Client, Error};
use prost_types::FieldMask;
use serde::Serialize;
use tonic::Code;

pub(crate) use self::diff::{changed_node_fields, changed_owner_fields, changed_tenant_fields};
use self::{
    diff::{changed_fixed_job_fields, changed_job_fields},
    document::Document,
};
use super::{
    failure::{Failure, exit},
    input,
    output::{Format, Out, Show as _, complain},
    session::Session,
    table::{Tone, paint},
};

/// Make the cell have what files describe: owners, nodes, tenants and jobs.
///
/// A file holds YAML documents, or JSON: an object or an array. Each has a kind (Owner, Node, Tenant or Job) and the fields of
/// that message in proto3 JSON. Applying twice changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  offpeak apply -f fleet.yaml -f jobs.yaml
  offpeak apply --dry-run -f - <<'EOF'
  kind: Tenant
  name: acme
  weight: 2
  quota: {cpuMillis: 200000, tasks: 5000}
  ---
  kind: Job
  tenant: acme
  name: train
  spec:
    count: 8
    request: {cpuMillis: 4000, memoryBytes: 17179869184}
    minRuntime: 3600s
  EOF")]
pub(crate) struct Apply {
    /// A file; - is stdin; may be repeated
    #[arg(long = "file", short, required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Check only; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// A line of the result, for machines.
#[derive(Serialize)]
struct Applied<'a> {
    object: &'a str,
    outcome: Outcome,
    #[serde(rename = "dryRun")]
    dry_run: bool,
}

struct Applier {
    client: Client,
    dry_run: bool,
    /// Tenants that a dry run would have created; the server cannot check their jobs.
    imagined_tenants: Vec<String>,
}

pub(crate) async fn run(apply: &Apply, session: &Session) -> Result<(), Failure> {
    let mut documents = Vec::new();
    for file in &apply.files {
        documents.extend(document::parse(input::shown(file), &input::read(file).await?)?);
    }
    for document in &mut documents {
        document.complete(session)?;
    }
    // Jobs need their tenants. The sort is stable, so the order of the files decides the rest.
    documents.sort_by_key(Document::rank);
    let mut applier = Applier {
        client: session.connect().await?,
        dry_run: apply.dry_run,
        imagined_tenants: Vec::new(),
    };
    let mut code = 0;
    let mut failed = 0_usize;
    for document in &documents {
        let reference = document.reference();
        match applier.apply(document).await {
            Ok(outcome) => print(&reference, outcome, apply.dry_run, session.out)?,
            // Without a server there is no point in going on.
            Err(failure) if failure.code == exit::UNAVAILABLE => {
                return Err(failure.while_doing(&reference));
            }
            Err(failure) => {
                code = if code == 0 { failure.code } else { code };
                failed += 1;
                let failure = failure.while_doing(&reference);
                complain(&failure.render(session.out.color));
            }
        }
    }
    if failed > 0 {
        let total = documents.len();
        return Err(Failure::new(
            code,
            format!("{failed} of {total} objects could not be applied"),
        ));
    }
    Ok(())
}

fn print(reference: &str, outcome: Outcome, dry_run: bool, out: Out) -> Result<(), Failure> {
    match out.format {
        Format::Table | Format::Wide if out.quiet => Ok(()),
        Format::Table | Format::Wide => {
            let (word, tone) = match outcome {
                Outcome::Created => ("created", Tone::Good),
                Outcome::Updated => ("updated", Tone::Warning),
                Outcome::Unchanged => ("unchanged", Tone::Faint),
            };
            let remark = match (dry_run, outcome) {
                (true, Outcome::Created | Outcome::Updated) => " (dry run)",
                _ => "",
            };
            out.print(&format!("{reference} {}{remark}\n", paint(word, tone, out.color)))
        }
        Format::Name => out.print(&format!("{reference}\n")),
        _ => out.object(&Applied { object: reference, outcome, dry_run }),
    }
}

impl Document {
    fn rank(&self) -> u8 {
        match self {
            Self::Owner(_) | Self::Tenant(_) => 0,
            Self::Node(_) => 1,
            Self::Job(_) => 2,
        }
    }

    pub(crate) fn reference(&self) -> String {
        match self {
            Self::Owner(owner) => owner.reference(),
            Self::Tenant(tenant) => tenant.reference(),
            Self::Node(node) => node.reference(),
            Self::Job(job) => job.reference(),
        }
    }

    /// Jobs without a tenant are the session's. Without a name a job could not be applied twice.
    fn complete(&mut self, session: &Session) -> Result<(), Failure> {
        let name = match self {
            Self::Owner(owner) => &owner.name,
            Self::Tenant(tenant) => &tenant.name,
            Self::Node(node) => &node.name,
            Self::Job(job) => {
                if job.tenant.is_empty() {
                    session.tenant()?.clone_into(&mut job.tenant);
                }
                &job.name
            }
        };
        if name.is_empty() {
            let message = format!("{} without a name", self.reference());
            return Err(Failure::new(exit::FAILURE, message));
        }
        Ok(())
    }
}

/// The object, or `None` when the cell does not have it.
pub(crate) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Applier {
    async fn apply(&mut self, document: &Document) -> Result<Outcome, Failure> {
        match document {
            Document::Owner(owner) => self.owner(owner).await,
            Document::Tenant(tenant) => self.tenant(tenant).await,
            Document::Node(node) => self.node(node).await,
            Document::Job(job) => self.job(job).await,
        }
    }

    /// An owner that the cell does not know is one of whom nothing was asked yet.
    async fn owner(&self, owner: &Owner) -> Result<Outcome, Failure> {
        let request = GetOwnerRequest { name: owner.name.clone(), min_revision: 0 };
        let answer = found(self.client.call(request).await)?;
        let is_new = answer.is_none();
        let old = answer.and_then(|answer| answer.owner).unwrap_or_default();
        let paths = changed_owner_fields(&old, owner);
        if paths.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let request = UpdateOwnerRequest {
            owner: Some(owner.clone()),
            update_mask: Some(FieldMask { paths }),
            expected_revision: old.revision,
            validate_only: self.dry_run,
            ..UpdateOwnerRequest::default()
        };
        self.client.call(request).await?;
        Ok(if is_new { Outcome::Created } else { Outcome::Updated })
    }

    async fn tenant(&mut self, tenant: &Tenant) -> Result<Outcome, Failure> {
        let request = GetTenantRequest { name: tenant.name.clone(), min_revision: 0 };
        let Some(answer) = found(self.client.call(request).await)? else {
            let request = CreateTenantRequest {
                tenant: Some(tenant.clone()),
                validate_only: self.dry_run,
                ..CreateTenantRequest::default()
            };
            self.client.call(request).await?;
            if self.dry_run {
                self.imagined_tenants.push(tenant.name.clone());
            }
            return Ok(Outcome::Created);
        };
        let old = answer.tenant.unwrap_or_default();
        let paths = changed_tenant_fields(&old, tenant);
        if paths.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let request = UpdateTenantRequest {
            tenant: Some(tenant.clone()),
            update_mask: Some(FieldMask { paths }),
            expected_revision: old.revision,
            validate_only: self.dry_run,
            ..UpdateTenantRequest::default()
        };
        self.client.call(request).await?;
        Ok(Outcome::Updated)
    }

    async fn node(&self, node: &Node) -> Result<Outcome, Failure> {
        let request = GetNodeRequest { name: node.name.clone(), min_revision: 0 };
        let Some(answer) = found(self.client.call(request).await)? else {
            let request = RegisterNodesRequest {
                nodes: vec![node.clone()],
                validate_only: self.dry_run,
                ..RegisterNodesRequest::default()
            };
            self.client.call(request).await?;
            return Ok(Outcome::Created);
        };
        let old = answer.node.unwrap_or_default();
        let paths = changed_node_fields(&old, node);
        if paths.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let request = UpdateNodeRequest {
            node: Some(node.clone()),
            update_mask: Some(FieldMask { paths }),
            expected_revision: old.revision,
            validate_only: self.dry_run,
            ..UpdateNodeRequest::default()
        };
        self.client.call(request).await?;
        Ok(Outcome::Updated)
    }

    async fn job(&self, job: &Job) -> Result<Outcome, Failure> {
        let request =
            GetJobRequest { tenant: job.tenant.clone(), name: job.name.clone(), min_revision: 0 };
        let Some(answer) = found(self.client.call(request).await)? else {
            if self.imagined_tenants.contains(&job.tenant) {
                return Ok(Outcome::Created);
            }
            let request = SubmitJobRequest {
                job: Some(job.clone()),
                validate_only: self.dry_run,
                ..SubmitJobRequest::default()
            };
            self.client.call(request).await?;
            return Ok(Outcome::Created);
        };
        let old = answer.job.unwrap_or_default();
        let old_spec = old.spec.unwrap_or_default();
        let new_spec = job.spec.clone().unwrap_or_default();
        let fixed = changed_fixed_job_fields(&old_spec, &new_spec);
        if !fixed.is_empty() {
            let message = format!("a job's {} cannot be changed", fixed.join(", "));
            return Err(Failure::new(exit::CONFLICT, message)
                .hint("cancel the job and submit it under another name"));
        }
        let paths = changed_job_fields(&old_spec, &new_spec);
        if paths.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let request = UpdateJobRequest {
            job: Some(Job {
                tenant: job.tenant.clone(),
                name: job.name.clone(),
                spec: Some(JobSpec { count: new_spec.count.max(1), ..new_spec }),
                ..Job::default()
            }),
            update_mask: Some(FieldMask { paths }),
            expected_revision: old.revision,
            validate_only: self.dry_run,
            ..UpdateJobRequest::default()
        };
        self.client.call(request).await?;
        Ok(Outcome::Updated)
    }
}
