//! The names beside a batch. What they tell is left out of the events.

use std::collections::HashMap;

use offpeak_core::model::{JobId, Name, NodeId, TenantId};

use super::{
    CodecError,
    columns::{deltas, narrow, sums},
    format,
    model::name,
};
use crate::record::{JobName, Names, NodeName};

pub(super) fn to_message(names: &Names) -> format::Names {
    let mut regions = Positions::default();
    let mut owners = Positions::default();
    let node_regions = names.nodes.iter().map(|(_, node)| regions.of(&node.region)).collect();
    let job_tenants = names.jobs.iter().map(|(_, job)| owners.of(&job.tenant)).collect();
    format::Names {
        node_ids: deltas(names.nodes.iter().map(|(id, _)| u64::from(id.0))),
        node_names: names.nodes.iter().map(|(_, node)| node.name.to_string()).collect(),
        node_regions,
        regions: regions.texts,
        tenant_ids: deltas(names.tenants.iter().map(|(id, _)| u64::from(id.0))),
        tenant_names: names.tenants.iter().map(|(_, name)| name.to_string()).collect(),
        job_ids: deltas(names.jobs.iter().map(|(id, _)| id.0)),
        job_names: names.jobs.iter().map(|(_, job)| job.name.to_string()).collect(),
        job_tenants,
        owners: owners.texts,
    }
}

pub(super) fn from_message(message: format::Names) -> Result<Names, CodecError> {
    let regions = texts("region", &message.regions)?;
    let owners = texts("tenant", &message.owners)?;
    let mut names = Names::default();
    same_length("nodes' names", &message.node_ids, &message.node_names)?;
    same_length("nodes' regions", &message.node_ids, &message.node_regions)?;
    for ((id, text), region) in
        sums(&message.node_ids).zip(&message.node_names).zip(&message.node_regions)
    {
        let node = NodeName { name: name("node", text)?, region: at(&regions, *region)? };
        names.nodes.push((NodeId(narrow("a node's id", id)?), node));
    }
    same_length("tenants' names", &message.tenant_ids, &message.tenant_names)?;
    for (id, text) in sums(&message.tenant_ids).zip(&message.tenant_names) {
        names.tenants.push((TenantId(narrow("a tenant's id", id)?), name("tenant", text)?));
    }
    same_length("jobs' names", &message.job_ids, &message.job_names)?;
    same_length("jobs' tenants", &message.job_ids, &message.job_tenants)?;
    for ((id, text), owner) in
        sums(&message.job_ids).zip(&message.job_names).zip(&message.job_tenants)
    {
        let job = JobName { tenant: at(&owners, *owner)?, name: name("job", text)? };
        names.jobs.push((JobId(id), job));
    }
    if !(ascend(&names.nodes) && ascend(&names.tenants) && ascend(&names.jobs)) {
        return Err(CodecError::Order("the ids of names"));
    }
    Ok(names)
}

/// A text that need not be stored because `known` is the same.
pub(super) fn omit(text: &Name, known: Option<&Name>) -> Option<String> {
    (known != Some(text)).then(|| text.to_string())
}

/// The text, or what is `known` where it was left out.
pub(super) fn fill(
    what: &'static str,
    text: Option<&str>,
    known: Option<&Name>,
) -> Result<Name, CodecError> {
    match text {
        Some(text) => name(what, text),
        None => known.cloned().ok_or(CodecError::Missing(what)),
    }
}

/// Numbers distinct texts in the order of their first use.
#[derive(Default)]
struct Positions<'a> {
    known: HashMap<&'a str, u32>,
    texts: Vec<String>,
}

impl<'a> Positions<'a> {
    fn of(&mut self, name: &'a Name) -> u32 {
        let next = u32::try_from(self.texts.len()).expect("invariant: fewer than 2^32 names");
        *self.known.entry(name.as_str()).or_insert_with(|| {
            self.texts.push(name.to_string());
            next
        })
    }
}

fn texts(what: &'static str, texts: &[String]) -> Result<Vec<Name>, CodecError> {
    texts.iter().map(|text| name(what, text)).collect()
}

fn at(names: &[Name], position: u32) -> Result<Name, CodecError> {
    let name = names.get(position as usize).cloned();
    name.ok_or(CodecError::Range { what: "a name's position", value: u64::from(position) })
}

fn same_length<A, B>(what: &'static str, a: &[A], b: &[B]) -> Result<(), CodecError> {
    if a.len() == b.len() { Ok(()) } else { Err(CodecError::Columns(what)) }
}

fn ascend<Id: Ord, T>(names: &[(Id, T)]) -> bool {
    names.is_sorted_by(|(a, _), (b, _)| a < b)
}
