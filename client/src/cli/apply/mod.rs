//! `offpeak apply`: makes the cell have what files describe.
//!
//! All files are read before anything is sent. Owners and tenants go first, then nodes, then jobs. Each object is fetched and
//! compared: absent ones are created, differing ones updated by mask, equal ones left alone, so applying twice
//! changes nothing. A document is the whole description: what it leaves out is unset. Output-only fields in it are
//! ignored, so what `get -o yaml` prints can be edited and applied with a `kind` added.

mod compare;
mod diff;
pub(crate) mod document;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use offpeak::v1::{
    CreateTenantRequest, Job, JobSpec, Node, RegisterNodesRequest, SubmitJobRequest, Tenant,
    UpdateJobRequest, UpdateNodeRequest, UpdateOwnerRequest, UpdateTenantRequest,
};
use offpeak_client::Client;
use prost_types::FieldMask;
use serde::Serialize;

use self::document::Document;
pub(crate) use self::{
    compare::{Difference, Outcome, found},
    diff::{changed_node_fields, changed_owner_fields, changed_tenant_fields},
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
    /// What a dry run would have created, and the server does not know: tenants, and jobs with their tenants.
    imagined_tenants: BTreeSet<String>,
    imagined_jobs: BTreeSet<(String, String)>,
}

pub(crate) async fn run(apply: &Apply, session: &Session) -> Result<(), Failure> {
    let documents = read(&apply.files, session).await?;
    let mut applier = Applier {
        client: session.connect().await?,
        dry_run: apply.dry_run,
        imagined_tenants: BTreeSet::new(),
        imagined_jobs: BTreeSet::new(),
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

/// The documents of files, in an order in which they can be applied.
pub(crate) async fn read(files: &[String], session: &Session) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for file in files {
        documents.extend(document::parse(input::shown(file), &input::read(file).await?)?);
    }
    for document in &mut documents {
        document.complete(session)?;
    }
    // Jobs need their tenants, and tenants their parents. The sort is stable, so the order of the files decides the rest.
    let depths = tenant_depths(&documents);
    documents.sort_by_key(|document| (document.rank(), document.depth(&depths)));
    Ok(documents)
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

/// How many of the tenants that are to be applied stand above each of them. One that is above itself is for the server to
/// refuse.
fn tenant_depths(documents: &[Document]) -> BTreeMap<String, usize> {
    let parents: BTreeMap<&str, &str> = documents
        .iter()
        .filter_map(|document| match document {
            Document::Tenant(tenant) => Some((tenant.name.as_str(), tenant.parent.as_str())),
            _ => None,
        })
        .collect();
    let depth = |name: &str| {
        let above = std::iter::successors(parents.get(name), |above| parents.get(**above));
        above.take(parents.len()).count()
    };
    parents.keys().map(|name| ((*name).to_owned(), depth(name))).collect()
}

impl Document {
    fn rank(&self) -> u8 {
        match self {
            Self::Owner(_) | Self::Tenant(_) => 0,
            Self::Node(_) => 1,
            Self::Job(_) => 2,
        }
    }

    fn depth(&self, of_tenants: &BTreeMap<String, usize>) -> usize {
        match self {
            Self::Tenant(tenant) => of_tenants.get(&tenant.name).copied().unwrap_or(0),
            _ => 0,
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

impl Applier {
    async fn apply(&mut self, document: &Document) -> Result<Outcome, Failure> {
        let known = document.known(&self.client).await?;
        let Difference { outcome, paths, fixed } = document.difference(known.as_ref());
        if !fixed.is_empty() {
            let message = format!("a job's {} cannot be changed", fixed.join(", "));
            return Err(Failure::new(exit::CONFLICT, message)
                .hint("cancel the job and submit it under another name"));
        }
        match (outcome, document) {
            (Outcome::Unchanged, _) => {}
            (Outcome::Created, Document::Tenant(tenant)) => self.create(tenant).await?,
            (Outcome::Created, Document::Node(node)) => self.register(node).await?,
            (Outcome::Created, Document::Job(job)) => self.submit(job).await?,
            (Outcome::Created, Document::Owner(_)) | (Outcome::Updated, _) => {
                let revision = known.map_or(0, |known| known.revision());
                self.update(document, paths, revision).await?;
            }
        }
        Ok(outcome)
    }

    /// In a dry run a tenant's parent may be one that is only imagined: what else there is of it is checked.
    async fn create(&mut self, tenant: &Tenant) -> Result<(), Failure> {
        let mut tenant = tenant.clone();
        if self.imagined_tenants.contains(&tenant.parent) {
            tenant.parent.clear();
        }
        let name = tenant.name.clone();
        let request = CreateTenantRequest {
            tenant: Some(tenant),
            validate_only: self.dry_run,
            ..CreateTenantRequest::default()
        };
        self.client.call(request).await?;
        if self.dry_run {
            self.imagined_tenants.insert(name);
        }
        Ok(())
    }

    async fn register(&self, node: &Node) -> Result<(), Failure> {
        let request = RegisterNodesRequest {
            nodes: vec![node.clone()],
            validate_only: self.dry_run,
            ..RegisterNodesRequest::default()
        };
        self.client.call(request).await?;
        Ok(())
    }

    /// In a dry run the tenant of a job, or jobs that it waits for, may only be imagined. Without its tenant nothing of a
    /// job can be checked.
    async fn submit(&mut self, job: &Job) -> Result<(), Failure> {
        let reference = (job.tenant.clone(), job.name.clone());
        if !self.imagined_tenants.contains(&job.tenant) {
            let mut job = job.clone();
            if let Some(spec) = &mut job.spec {
                let imagined = |of: &String| (job.tenant.clone(), of.clone());
                spec.dependencies.retain(|wait| !self.imagined_jobs.contains(&imagined(&wait.job)));
            }
            let request = SubmitJobRequest {
                job: Some(job),
                validate_only: self.dry_run,
                ..SubmitJobRequest::default()
            };
            self.client.call(request).await?;
        }
        if self.dry_run {
            self.imagined_jobs.insert(reference);
        }
        Ok(())
    }

    async fn update(
        &self,
        document: &Document,
        mut paths: Vec<String>,
        expected_revision: u64,
    ) -> Result<(), Failure> {
        let validate_only = self.dry_run;
        if let Document::Tenant(tenant) = document
            && self.imagined_tenants.contains(&tenant.parent)
        {
            paths.retain(|path| path != "parent");
            if paths.is_empty() {
                return Ok(());
            }
        }
        let update_mask = Some(FieldMask { paths });
        match document {
            Document::Owner(owner) => {
                let request = UpdateOwnerRequest {
                    owner: Some(owner.clone()),
                    update_mask,
                    expected_revision,
                    validate_only,
                    ..UpdateOwnerRequest::default()
                };
                self.client.call(request).await?;
            }
            Document::Tenant(tenant) => {
                let request = UpdateTenantRequest {
                    tenant: Some(tenant.clone()),
                    update_mask,
                    expected_revision,
                    validate_only,
                    ..UpdateTenantRequest::default()
                };
                self.client.call(request).await?;
            }
            Document::Node(node) => {
                let request = UpdateNodeRequest {
                    node: Some(node.clone()),
                    update_mask,
                    expected_revision,
                    validate_only,
                    ..UpdateNodeRequest::default()
                };
                self.client.call(request).await?;
            }
            Document::Job(job) => {
                let spec = job.spec.clone().unwrap_or_default();
                let spec = JobSpec { count: spec.count.max(1), ..spec };
                let (tenant, name) = (job.tenant.clone(), job.name.clone());
                let request = UpdateJobRequest {
                    job: Some(Job { tenant, name, spec: Some(spec), ..Job::default() }),
                    update_mask,
                    expected_revision,
                    validate_only,
                    ..UpdateJobRequest::default()
                };
                self.client.call(request).await?;
            }
        }
        Ok(())
    }
}
