//! Names, labels, repeated names, enums, and parts that are missing.

use std::collections::BTreeMap;

use offpeak::v1::{
    self, CancelJobRequest, CordonNodeRequest, CreateTenantRequest, DeleteTenantRequest,
    DrainNodeRequest, GetCapacityRequest, GetIdleProfileRequest, GetJobRequest, GetNodeRequest,
    GetTenantRequest, ListAllocationsRequest, ListJobsRequest, ListNodesRequest,
    RegisterNodesRequest, RemoveNodeRequest, ReportLoadRequest, ReportTasksRequest,
    SubmitJobRequest, UncordonNodeRequest, UpdateJobRequest, UpdateNodeRequest,
    UpdateTenantRequest, WatchRequest, watch_request::Start,
};
use tonic::Code;

use crate::{
    house::{House, cpu, create_tenant, mask, node, register, spec, submit},
    refusal::INVALID_FIELD,
};

/// What is no name, and what is said of it.
const NO_NAMES: [(&str, &str); 9] = [
    (
        "0123456789012345678901234567890123456789012345678901234567890123",
        "64 bytes, more than the 63",
    ),
    ("a\u{7}b", "letters, digits, '-', '_' and '.' are allowed"),
    ("a\nb", "letters, digits, '-', '_' and '.' are allowed"),
    ("a\u{202e}b", "letters, digits, '-', '_' and '.' are allowed"),
    ("a\u{200b}b", "letters, digits, '-', '_' and '.' are allowed"),
    ("a/b", "letters, digits, '-', '_' and '.' are allowed"),
    ("a b", "letters, digits, '-', '_' and '.' are allowed"),
    ("knoten-\u{e4}", "letters, digits, '-', '_' and '.' are allowed"),
    ("-a", "must begin and end with a letter or digit"),
];

const EMPTY: (&str, &str) = ("", "must not be empty");

/// As in a request.
fn text(name: &str) -> String {
    name.to_owned()
}

#[tokio::test]
async fn what_is_no_name_is_refused_wherever_a_node_is_named() {
    let house = House::furnished().await;
    let mut nodes = house.nodes.clone();
    for (name, says) in NO_NAMES.into_iter().chain([EMPTY]) {
        let wrong = [("name", says)];
        let get = GetNodeRequest { name: text(name), ..GetNodeRequest::default() };
        house.refuses_fields(nodes.get_node(get), &wrong).await;
        let cordon = CordonNodeRequest { name: text(name), ..CordonNodeRequest::default() };
        house.refuses_fields(nodes.cordon_node(cordon), &wrong).await;
        let uncordon = UncordonNodeRequest { name: text(name), ..UncordonNodeRequest::default() };
        house.refuses_fields(nodes.uncordon_node(uncordon), &wrong).await;
        let drain = DrainNodeRequest { name: text(name), ..DrainNodeRequest::default() };
        house.refuses_fields(nodes.drain_node(drain), &wrong).await;
        let remove = RemoveNodeRequest { name: text(name), ..RemoveNodeRequest::default() };
        house.refuses_fields(nodes.remove_node(remove), &wrong).await;
        let batch = register(vec![node("good"), node(name)]);
        house.refuses_fields(nodes.register_nodes(batch), &[("nodes[1].name", says)]).await;
        let update_mask = mask(&["zone"]);
        let update = UpdateNodeRequest {
            node: Some(node(name)),
            update_mask,
            ..UpdateNodeRequest::default()
        };
        house.refuses_fields(nodes.update_node(update), &[("node.name", says)]).await;
        let sample = v1::LoadSample { node: text(name), time: None, load: Some(cpu(1)) };
        let load = tokio_stream::once(ReportLoadRequest { samples: vec![sample] });
        house.refuses_fields(nodes.report_load(load), &[("samples[0].node", says)]).await;
    }
}

#[tokio::test]
async fn what_is_no_name_is_refused_in_every_part_of_a_node() {
    let house = House::start().await;
    let mut nodes = house.nodes.clone();
    for (name, says) in NO_NAMES {
        let wrong = v1::Node {
            owner: text(name),
            region: text(name),
            zone: text(name),
            gpu_model: text(name),
            capacity: Some(v1::Resources { gpu_millis: 1_000, ..cpu(1) }),
            ..node("n")
        };
        let fields = ["owner", "region", "zone", "gpu_model"];
        let fields = fields.map(|field| format!("nodes[0].{field}"));
        let wrong_fields: Vec<(&str, &str)> =
            fields.iter().map(|field| (field.as_str(), says)).collect();
        house.refuses_fields(nodes.register_nodes(register(vec![wrong])), &wrong_fields).await;
    }
}

#[tokio::test]
async fn what_is_no_name_is_refused_wherever_a_tenant_is_named() {
    let house = House::furnished().await;
    let mut tenants = house.tenants.clone();
    for (name, says) in NO_NAMES.into_iter().chain([EMPTY]) {
        let create = tenants.create_tenant(create_tenant(name));
        house.refuses_fields(create, &[("tenant.name", says)]).await;
        let get = GetTenantRequest { name: text(name), ..GetTenantRequest::default() };
        house.refuses_fields(tenants.get_tenant(get), &[("name", says)]).await;
        let delete = DeleteTenantRequest { name: text(name), ..DeleteTenantRequest::default() };
        house.refuses_fields(tenants.delete_tenant(delete), &[("name", says)]).await;
        let (tenant, update_mask) = (create_tenant(name).tenant, mask(&["weight"]));
        let update = UpdateTenantRequest { tenant, update_mask, ..UpdateTenantRequest::default() };
        house.refuses_fields(tenants.update_tenant(update), &[("tenant.name", says)]).await;
    }
}

#[tokio::test]
async fn what_is_no_name_is_refused_wherever_a_job_is_named() {
    let house = House::furnished().await;
    let mut jobs = house.jobs.clone();
    for (name, says) in NO_NAMES {
        let job = jobs.submit_job(submit(name, spec()));
        house.refuses_fields(job, &[("job.name", says)]).await;
        let filter = v1::JobFilter { tenant: text(name), ..v1::JobFilter::default() };
        let list = ListJobsRequest { filter: Some(filter), ..ListJobsRequest::default() };
        house.refuses_fields(jobs.list_jobs(list), &[("filter.tenant", says)]).await;
        let filter = v1::AllocationFilter { tenant: text("a"), job: text(name), node: text(name) };
        let filter = Some(filter);
        let list = ListAllocationsRequest { filter, ..ListAllocationsRequest::default() };
        let wrong = [("filter.job", says), ("filter.node", says)];
        house.refuses_fields(jobs.list_allocations(list), &wrong).await;
    }
    for (name, says) in NO_NAMES.into_iter().chain([EMPTY]) {
        let (tenant, name) = (text(name), text(name));
        let get = GetJobRequest { tenant: tenant.clone(), name: name.clone(), min_revision: 0 };
        house.refuses_fields(jobs.get_job(get), &[("tenant", says), ("name", says)]).await;
        let cancel = CancelJobRequest {
            tenant: tenant.clone(),
            name: name.clone(),
            ..CancelJobRequest::default()
        };
        house.refuses_fields(jobs.cancel_job(cancel), &[("tenant", says), ("name", says)]).await;
        let resized = v1::JobSpec { count: 1, ..spec() };
        let job = v1::Job { tenant, name, spec: Some(resized), ..v1::Job::default() };
        let (job, update_mask) = (Some(job), mask(&["spec.count"]));
        let update = UpdateJobRequest { job, update_mask, ..UpdateJobRequest::default() };
        let wrong = [("job.tenant", says), ("job.name", says)];
        house.refuses_fields(jobs.update_job(update), &wrong).await;
    }
}

#[tokio::test]
async fn more_than_64_labels_are_refused_wherever_there_are_labels() {
    let house = House::furnished().await;
    let labels: BTreeMap<String, String> =
        (0..65).map(|index| (format!("k{index}"), String::new())).collect();
    let says = "65 entries, more than the 64 allowed";
    let wide = v1::Node { labels: labels.clone(), ..node("m") };
    let call = house.nodes.clone().register_nodes(register(vec![wide])).await;
    house.refuses_fields(async { call }, &[("nodes[0].labels", says)]).await;
    let mut wide = create_tenant("b");
    wide.tenant.as_mut().expect("a tenant").labels = labels.clone();
    let call = house.tenants.clone().create_tenant(wide).await;
    house.refuses_fields(async { call }, &[("tenant.labels", says)]).await;
    let wide = v1::JobSpec { labels: labels.clone(), ..spec() };
    let call = house.jobs.clone().submit_job(submit("j", wide)).await;
    house.refuses_fields(async { call }, &[("job.spec.labels", says)]).await;

    let mut full = create_tenant("b");
    full.tenant.as_mut().expect("a tenant").labels = labels.into_iter().take(64).collect();
    house.tenants.clone().create_tenant(full).await.expect("64 are allowed");
}

#[tokio::test]
async fn labels_with_bad_or_long_keys_and_values_are_refused_with_their_key() {
    let house = House::furnished().await;
    let mut tenants = house.tenants.clone();
    let long = "k".repeat(64);
    let shown = format!("tenant.labels[\"{long}\"]");
    let rows = [
        (long.as_str(), "v", shown.as_str(), "64 bytes, more than the 63 allowed"),
        ("k", long.as_str(), "tenant.labels[\"k\"]", "64 bytes, more than the 63 allowed"),
        ("", "v", "tenant.labels[\"\"]", "must not be empty"),
        ("k", "a\u{202e}b", "tenant.labels[\"k\"]", "'.' and '/' are allowed"),
        ("a\u{200b}b", "v", "tenant.labels[\"a\\u{200b}b\"]", "'.' and '/' are allowed"),
        ("a\u{7}b", "v", "tenant.labels[\"a\\u{7}b\"]", "'.' and '/' are allowed"),
    ];
    for (key, value, field, says) in rows {
        let mut request = create_tenant("b");
        let labels = BTreeMap::from([(text(key), text(value))]);
        request.tenant.as_mut().expect("a tenant").labels = labels;
        house.refuses_fields(tenants.create_tenant(request), &[(field, says)]).await;
    }
}

#[tokio::test]
async fn of_very_many_wrong_fields_the_first_ten_arrive_however_long_their_keys() {
    let house = House::start().await;
    let key = |index| format!("{index:02}{}", "\u{10ffff}".repeat(1_000));
    let labels: BTreeMap<String, String> = (0..64).map(|index| (key(index), key(index))).collect();
    let wrong =
        ["n", "m", "o", "p", "q"].map(|name| v1::Node { labels: labels.clone(), ..node(name) });
    let call = house.nodes.clone().register_nodes(register(wrong.to_vec())).await;
    let (details, message) =
        house.refuses(async { call }, Code::InvalidArgument, INVALID_FIELD).await;
    assert_eq!(details.bad_request().expect("a BadRequest").field_violations.len(), 10);
    assert!(message.ends_with("; and 637 more"), "{message}");
}

#[tokio::test]
async fn a_name_that_comes_twice_in_a_batch_is_refused_where_it_repeats() {
    let house = House::start().await;
    let mut nodes = house.nodes.clone();
    let batch = register(vec![node("n"), node("m"), node("n")]);
    let wrong = [("nodes[2].name", "is the name of an earlier node of this request")];
    house.refuses_fields(nodes.register_nodes(batch), &wrong).await;
    let empty = nodes.register_nodes(RegisterNodesRequest::default());
    house.refuses_fields(empty, &[("nodes", "must not be empty")]).await;
}

#[tokio::test]
async fn unknown_enum_numbers_are_refused_with_those_allowed() {
    let house = House::furnished().await;
    for number in [0, 99, -1, i32::MAX] {
        let states = vec![number];
        let filter = v1::NodeFilter { states: states.clone(), ..v1::NodeFilter::default() };
        let list = ListNodesRequest { filter: Some(filter), ..ListNodesRequest::default() };
        let says = format!("has the value {number}; allowed are NODE_STATE_READY");
        let call = house.nodes.clone().list_nodes(list).await;
        house.refuses_fields(async { call }, &[("filter.states[0]", &says)]).await;
        let mut jobs = house.jobs.clone();
        let filter = v1::JobFilter { states, ..v1::JobFilter::default() };
        let list = ListJobsRequest { filter: Some(filter), ..ListJobsRequest::default() };
        let says = format!("has the value {number}; allowed are JOB_STATE_PENDING");
        house.refuses_fields(jobs.list_jobs(list), &[("filter.states[0]", &says)]).await;
        let report = v1::TaskReport { allocation_id: 1, outcome: number, message: String::new() };
        let reports = ReportTasksRequest { reports: vec![report], ..ReportTasksRequest::default() };
        let says = format!("has the value {number}; allowed are TASK_OUTCOME_STARTED");
        house.refuses_fields(jobs.report_tasks(reports), &[("reports[0].outcome", &says)]).await;
        let selector = v1::LabelSelector { key: text("k"), operator: number, values: Vec::new() };
        let spread = v1::Spread { topology: number, max_per_place: 1, max_skew: 0 };
        let constraints = v1::Constraints {
            labels: vec![selector],
            spreads: vec![spread],
            ..v1::Constraints::default()
        };
        let wrong = v1::JobSpec { constraints: Some(constraints), ..spec() };
        let says = format!("has the value {number}; allowed are ");
        let fields = [
            ("job.spec.constraints.labels[0].operator", says.as_str()),
            ("job.spec.constraints.spreads[0].topology", says.as_str()),
        ];
        house.refuses_fields(jobs.submit_job(submit("j", wrong)), &fields).await;
    }
}

#[tokio::test]
async fn parts_that_are_missing_are_named() {
    let house = House::furnished().await;
    let (mut jobs, mut nodes) = (house.jobs.clone(), house.nodes.clone());
    let start = [("start", "is required: snapshot, after or now")];
    house.refuses_fields(house.watches.clone().watch(WatchRequest::default()), &start).await;
    let wrong = [
        ("job", "is required"),
        ("job.spec", "is required"),
        ("job.tenant", "must not be empty"),
        ("job.spec.request", "is required"),
    ];
    house.refuses_fields(jobs.submit_job(SubmitJobRequest::default()), &wrong).await;
    let wrong = [("tenant", "is required"), ("tenant.name", "must not be empty")];
    let create = house.tenants.clone().create_tenant(CreateTenantRequest::default()).await;
    house.refuses_fields(async { create }, &wrong).await;
    let bare = v1::Node { capacity: None, ..node("m") };
    let wrong = [("nodes[0].capacity", "is required")];
    house.refuses_fields(nodes.register_nodes(register(vec![bare])), &wrong).await;
    let sample = v1::LoadSample { node: text("n"), ..v1::LoadSample::default() };
    let load = tokio_stream::once(ReportLoadRequest { samples: vec![sample] });
    let wrong = [("samples[0].load", "is required")];
    house.refuses_fields(nodes.report_load(load), &wrong).await;
}

#[tokio::test]
async fn filters_of_a_watch_name_what_they_do_not_know() {
    let house = House::start().await;
    let filter = v1::WatchFilter {
        job: text("j"),
        kinds: vec![text("task_started"), text("tea_served")],
        ..v1::WatchFilter::default()
    };
    let request = WatchRequest {
        start: Some(Start::Now(v1::FromNow {})),
        filter: Some(filter),
        ..WatchRequest::default()
    };
    let wrong = [
        ("filter.tenant", "is required with a job"),
        ("filter.kinds[1]", "is no kind of event; allowed are node_registered"),
    ];
    house.refuses_fields(house.watches.clone().watch(request), &wrong).await;
    let regions = vec![text("a/b")];
    let request = GetCapacityRequest { regions, min_revision: 0 };
    let wrong = [("regions[0]", "letters, digits")];
    house.refuses_fields(house.capacity.clone().get_capacity(request), &wrong).await;
}

#[tokio::test]
async fn a_profile_of_what_is_no_name_is_refused() {
    let house = House::furnished().await;
    let mut capacity = house.capacity.clone();
    for (name, says) in NO_NAMES {
        let request = GetIdleProfileRequest {
            regions: vec![text("eu"), text(name)],
            zones: vec![text(name)],
            owners: vec![text(name)],
            node: text(name),
            ..GetIdleProfileRequest::default()
        };
        let fields = ["regions[1]", "zones[0]", "owners[0]", "node"];
        let wrong = fields.map(|field| (field, says));
        house.refuses_fields(capacity.get_idle_profile(request), &wrong).await;
    }
    let (field, says) = EMPTY;
    let zones = vec![text(field)];
    let request = GetIdleProfileRequest { zones, ..GetIdleProfileRequest::default() };
    house.refuses_fields(capacity.get_idle_profile(request), &[("zones[0]", says)]).await;
    let owners = vec![text("web"); 65];
    let request = GetIdleProfileRequest { owners, ..GetIdleProfileRequest::default() };
    let wrong = [("owners", "has 65 entries, more than the 64 allowed")];
    house.refuses_fields(capacity.get_idle_profile(request), &wrong).await;
}

#[tokio::test]
async fn masks_must_name_what_may_be_changed_and_not_too_much() {
    let house = House::furnished().await;
    let many = vec!["labels"; 65];
    let rows: [(&[&str], &str, &str); 4] = [
        (&[], "update_mask", "is required; allowed are owner, region"),
        (&["name"], "update_mask.paths[0]", "names \"name\"; allowed are owner, region"),
        (&["zone", "*"], "update_mask.paths[1]", "names \"*\"; allowed are owner, region"),
        (&many, "update_mask.paths", "has 65 entries, more than the 64 allowed"),
    ];
    for (paths, field, says) in rows {
        let update = UpdateNodeRequest {
            node: Some(node("n")),
            update_mask: mask(paths),
            ..UpdateNodeRequest::default()
        };
        let call = house.nodes.clone().update_node(update).await;
        house.refuses_fields(async { call }, &[(field, says)]).await;
    }
}
