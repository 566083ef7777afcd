//! A document beside what the cell has of that name.

use offpeak::v1::{GetJobRequest, GetNodeRequest, GetOwnerRequest, GetTenantRequest, Owner};
use offpeak_client::{Client, Error};
use prost_reflect::DynamicMessage;
use serde::Serialize;
use tonic::Code;

use super::{
    diff::{
        changed_fixed_job_fields, changed_job_fields, changed_node_fields, changed_owner_fields,
        changed_tenant_fields,
    },
    document::Document,
};
use crate::cli::{failure::Failure, json};

/// What becomes of an object when a document is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// What differs between a document and what the cell has.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) outcome: Outcome,
    /// The paths, for an update mask, of the fields that differ and can be changed.
    pub(crate) paths: Vec<String>,
    /// The paths of those that differ and can never be changed.
    pub(crate) fixed: Vec<String>,
}

/// The object, or `None` when the cell does not have it.
pub(crate) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Document {
    /// What the cell has of this kind and name.
    pub(crate) async fn known(&self, client: &Client) -> Result<Option<Self>, Failure> {
        let known = match self {
            Self::Owner(Owner { name, .. }) => {
                let request = GetOwnerRequest { name: name.clone(), min_revision: 0 };
                let answer = found(client.call(request).await)?;
                answer.map(|answer| Self::Owner(answer.owner.unwrap_or_default()))
            }
            Self::Tenant(tenant) => {
                let request = GetTenantRequest { name: tenant.name.clone(), min_revision: 0 };
                let answer = found(client.call(request).await)?;
                answer.map(|answer| Self::Tenant(answer.tenant.unwrap_or_default()))
            }
            Self::Node(node) => {
                let request = GetNodeRequest { name: node.name.clone(), min_revision: 0 };
                let answer = found(client.call(request).await)?;
                answer.map(|answer| Self::Node(answer.node.unwrap_or_default()))
            }
            Self::Job(job) => {
                let (tenant, name) = (job.tenant.clone(), job.name.clone());
                let request = GetJobRequest { tenant, name, min_revision: 0 };
                let answer = found(client.call(request).await)?;
                answer.map(|answer| Self::Job(Box::new(answer.job.unwrap_or_default())))
            }
        };
        Ok(known)
    }

    /// What applying this would change of what the cell has.
    pub(crate) fn difference(&self, known: Option<&Self>) -> Difference {
        let (paths, fixed) = match (self, known) {
            (Self::Owner(new), Some(Self::Owner(old))) => {
                (changed_owner_fields(old, new), Vec::new())
            }
            // An owner that the cell does not know is one of whom nothing was asked yet.
            (Self::Owner(new), _) => (changed_owner_fields(&Owner::default(), new), Vec::new()),
            (Self::Tenant(new), Some(Self::Tenant(old))) => {
                (changed_tenant_fields(old, new), Vec::new())
            }
            (Self::Node(new), Some(Self::Node(old))) => (changed_node_fields(old, new), Vec::new()),
            (Self::Job(new), Some(Self::Job(old))) => {
                let old = old.spec.clone().unwrap_or_default();
                let new = new.spec.clone().unwrap_or_default();
                (changed_job_fields(&old, &new), changed_fixed_job_fields(&old, &new))
            }
            _ => (Vec::new(), Vec::new()),
        };
        let is_same = paths.is_empty() && fixed.is_empty();
        let outcome = match known {
            Some(_) if is_same => Outcome::Unchanged,
            Some(_) => Outcome::Updated,
            None if is_same && matches!(self, Self::Owner(_)) => Outcome::Unchanged,
            None => Outcome::Created,
        };
        Difference { outcome, paths, fixed }
    }

    /// In a form that serializes as proto3 JSON.
    pub(crate) fn dynamic(&self) -> DynamicMessage {
        match self {
            Self::Owner(owner) => json::dynamic(owner),
            Self::Tenant(tenant) => json::dynamic(tenant),
            Self::Node(node) => json::dynamic(node),
            Self::Job(job) => json::dynamic(&**job),
        }
    }

    /// At which revision the cell last changed it; 0 of a document from a file.
    pub(crate) fn revision(&self) -> u64 {
        match self {
            Self::Owner(owner) => owner.revision,
            Self::Tenant(tenant) => tenant.revision,
            Self::Node(node) => node.revision,
            Self::Job(job) => job.revision,
        }
    }
}
