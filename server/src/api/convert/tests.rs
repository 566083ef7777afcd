//! Every bad input that is decided without state, with the path of its field.

use std::collections::BTreeMap;

use offpeak::v1;
use offpeak_core::{
    command::{Command, Request},
    model::{Label, MAX_AMOUNT, Millis, Name, OnNotice, OwnerSpec, SelectorOperator},
};
use prost_types::{Duration, FieldMask, Timestamp};

use super::{At, Mutation, Violations, accept, calendar, owner_description, report_load};

/// The fields that are wrong, with what is wrong.
fn wrong<T: std::fmt::Debug>(result: Result<T, Violations>) -> Vec<(String, String)> {
    let violations = result.expect_err("refused");
    violations
        .iter()
        .map(|violation| (violation.field.clone(), violation.description.clone()))
        .collect()
}

#[track_caller]
fn refuses<M: Mutation>(message: M, field: &str, part: &str) {
    let found = wrong(accept(message));
    let [(at, description)] = found.as_slice() else {
        panic!("one violation expected: {found:?}");
    };
    assert_eq!(at, field);
    assert!(description.contains(part), "{description:?} says {part:?}");
}

fn cpu(cpu_millis: u64) -> Option<v1::Resources> {
    Some(v1::Resources { cpu_millis, ..v1::Resources::default() })
}

fn gpus(gpu_millis: u64) -> Option<v1::Resources> {
    Some(v1::Resources { gpu_millis, ..v1::Resources::default() })
}

fn job(change: impl FnOnce(&mut v1::Job, &mut v1::JobSpec)) -> v1::SubmitJobRequest {
    let mut spec = v1::JobSpec { request: cpu(1_000), ..v1::JobSpec::default() };
    let mut job = v1::Job { tenant: "a".into(), name: "j".into(), ..v1::Job::default() };
    change(&mut job, &mut spec);
    job.spec = Some(spec);
    v1::SubmitJobRequest { job: Some(job), ..v1::SubmitJobRequest::default() }
}

fn spec(change: impl FnOnce(&mut v1::JobSpec)) -> v1::SubmitJobRequest {
    job(|_, spec| change(spec))
}

fn constrained(change: impl FnOnce(&mut v1::Constraints)) -> v1::SubmitJobRequest {
    let mut constraints = v1::Constraints::default();
    change(&mut constraints);
    spec(|spec| spec.constraints = Some(constraints))
}

fn selector(operator: v1::SelectorOperator, values: &[&str]) -> v1::LabelSelector {
    v1::LabelSelector {
        key: "k".into(),
        operator: operator.into(),
        values: values.iter().map(ToString::to_string).collect(),
    }
}

fn node(change: impl FnOnce(&mut v1::Node)) -> v1::Node {
    let mut node = v1::Node { name: "n".into(), capacity: cpu(8_000), ..v1::Node::default() };
    change(&mut node);
    node
}

fn nodes(nodes: Vec<v1::Node>) -> v1::RegisterNodesRequest {
    v1::RegisterNodesRequest { nodes, ..v1::RegisterNodesRequest::default() }
}

fn tenant(change: impl FnOnce(&mut v1::Tenant)) -> v1::CreateTenantRequest {
    let mut tenant = v1::Tenant { name: "a".into(), ..v1::Tenant::default() };
    change(&mut tenant);
    v1::CreateTenantRequest { tenant: Some(tenant), ..v1::CreateTenantRequest::default() }
}

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn labels(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|index| (format!("k{index}"), String::new())).collect()
}

fn one_label(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

#[test]
fn a_request_must_ask_for_something_and_not_too_much() {
    refuses(spec(|spec| spec.request = None), "job.spec.request", "required");
    refuses(spec(|spec| spec.request = cpu(0)), "job.spec.request", "something");
    let nothing = BTreeMap::from([("licence".to_owned(), 0)]);
    let zero = v1::Resources { counts: nothing, ..v1::Resources::default() };
    refuses(spec(|spec| spec.request = Some(zero)), "job.spec.request", "something");
    let above = MAX_AMOUNT + 1;
    refuses(spec(|spec| spec.request = cpu(above)), "job.spec.request.cpu_millis", "more than");
    let counts = BTreeMap::from([("licence".to_owned(), u64::MAX)]);
    let many = v1::Resources { cpu_millis: 1, counts, ..v1::Resources::default() };
    let field = "job.spec.request.counts[\"licence\"]";
    refuses(spec(|spec| spec.request = Some(many)), field, "more than");
}

#[test]
fn a_countable_has_a_name_of_its_own() {
    for (name, part) in [("cpu_millis", "dimension"), ("a b", "character")] {
        let counts = BTreeMap::from([(name.to_owned(), 1)]);
        let amount = v1::Resources { counts, ..v1::Resources::default() };
        let field = format!("job.spec.request.counts[{name:?}]");
        refuses(spec(|spec| spec.request = Some(amount)), &field, part);
    }
}

#[test]
fn counts_are_bounded_and_their_product_with_the_request_is_too() {
    refuses(spec(|spec| spec.count = 1_000_001), "job.spec.count", "1000000");
    let overflow = spec(|spec| {
        spec.count = 1_000_000;
        spec.request = cpu(MAX_AMOUNT);
    });
    refuses(overflow, "job.spec.request", "more than can be counted");
}

#[test]
fn tasks_ask_for_a_share_of_a_device_or_for_whole_devices() {
    let field = "job.spec.request.gpu_millis";
    refuses(spec(|spec| spec.request = gpus(1_500)), field, "whole devices");
    refuses(spec(|spec| spec.request = gpus(65_000)), field, "64 devices");
    for fine in [1, 999, 1_000, 64_000] {
        accept(spec(|spec| spec.request = gpus(fine))).expect("accepted");
    }
}

#[test]
fn names_are_short_and_plain() {
    let long = "x".repeat(64);
    let bad = ["a/b", "a\u{7}", "a\u{202e}b", "a\u{200b}b", "é", "-a", "a.", " ", long.as_str()];
    for name in bad {
        refuses(job(|job, _| job.name = name.to_owned()), "job.name", "");
        refuses(job(|job, _| job.tenant = name.to_owned()), "job.tenant", "");
        refuses(nodes(vec![node(|node| node.name = name.to_owned())]), "nodes[0].name", "");
        refuses(tenant(|tenant| tenant.name = name.to_owned()), "tenant.name", "");
    }
    refuses(job(|job, _| job.tenant.clear()), "job.tenant", "empty");
    refuses(nodes(vec![node(|node| node.name.clear())]), "nodes[0].name", "empty");
    accept(job(|job, _| job.name.clear())).expect("the cell chooses a name");
}

#[test]
fn labels_are_few_and_short() {
    refuses(spec(|spec| spec.labels = labels(65)), "job.spec.labels", "64");
    accept(spec(|spec| spec.labels = labels(64))).expect("64 are allowed");
    let long = "x".repeat(64);
    refuses(spec(|spec| spec.labels = one_label("k", &long)), "job.spec.labels[\"k\"]", "64 bytes");
    let field = format!("job.spec.labels[{long:?}]");
    refuses(spec(|spec| spec.labels = one_label(&long, "")), &field, "64 bytes");
    refuses(spec(|spec| spec.labels = one_label("", "v")), "job.spec.labels[\"\"]", "empty");
    let field = "job.spec.labels[\"a\\u{202e}\"]";
    refuses(spec(|spec| spec.labels = one_label("a\u{202e}", "v")), field, "\\u{202e}");
}

#[test]
fn priorities_times_and_notices_have_bounds() {
    refuses(spec(|spec| spec.priority = 1_001), "job.spec.priority", "1001");
    refuses(spec(|spec| spec.priority = i32::MIN), "job.spec.priority", "-1000");
    refuses(spec(|spec| spec.min_runtime = seconds(-1)), "job.spec.min_runtime", "negative");
    refuses(spec(|spec| spec.max_runtime = seconds(0)), "job.spec.max_runtime", "positive");
    refuses(spec(|spec| spec.notice = seconds(601)), "job.spec.notice", "10 minutes");
    refuses(spec(|spec| spec.notice = seconds(i64::MAX)), "job.spec.notice", "seconds");
    let odd = Some(Duration { seconds: 1, nanos: 1_000_000_000 });
    refuses(spec(|spec| spec.notice = odd), "job.spec.notice", "nanos");
    let before = Some(Timestamp { seconds: -1, nanos: 0 });
    refuses(spec(|spec| spec.deadline = before), "job.spec.deadline", "1970");
    let crossed = spec(|spec| {
        spec.min_runtime = seconds(10);
        spec.max_runtime = seconds(9);
    });
    refuses(crossed, "job.spec.max_runtime", "min_runtime");
}

#[test]
fn what_becomes_of_tasks_under_notice_goes_with_the_rest_of_the_job() {
    let moves = v1::OnNotice::Move.into();
    let taken = |message| match accept::<v1::SubmitJobRequest>(message).expect("accepted").command {
        Command::SubmitJob { spec, .. } => spec.on_notice,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(spec(|spec| spec.on_notice = moves)), OnNotice::Move);
    assert_eq!(taken(spec(|_| {})), OnNotice::Stay);
    refuses(
        spec(|spec| spec.on_notice = 7),
        "job.spec.on_notice",
        "ON_NOTICE_STAY, ON_NOTICE_MOVE",
    );
    let gang = spec(|spec| (spec.on_notice, spec.gang) = (moves, true));
    refuses(gang, "job.spec.on_notice", "gang");
    let timed = spec(|spec| {
        spec.on_notice = moves;
        spec.max_runtime = seconds(60);
        spec.complete_by = Some(Timestamp { seconds: 4_000_000_000, nanos: 0 });
    });
    refuses(timed, "job.spec.on_notice", "complete_by");
}

#[test]
fn unknown_enum_values_are_refused_with_the_allowed_ones() {
    let unknown = v1::LabelSelector { operator: 9, ..selector(v1::SelectorOperator::Exists, &[]) };
    refuses(
        constrained(|constraints| constraints.labels = vec![unknown]),
        "job.spec.constraints.labels[0].operator",
        "SELECTOR_OPERATOR_NOT_EXISTS",
    );
    let spread = v1::Spread { topology: 0, max_per_place: 1, max_skew: 0 };
    refuses(
        constrained(|constraints| constraints.spreads = vec![spread]),
        "job.spec.constraints.spreads[0].topology",
        "SPREAD_TOPOLOGY_NODE, SPREAD_TOPOLOGY_ZONE",
    );
    let report = v1::TaskReport { allocation_id: 1, outcome: 77, message: String::new() };
    let reports = vec![report];
    refuses(
        v1::ReportTasksRequest { reports, ..v1::ReportTasksRequest::default() },
        "reports[0].outcome",
        "TASK_OUTCOME_STARTED",
    );
}

#[test]
fn selectors_have_values_exactly_when_they_compare() {
    let field = "job.spec.constraints.labels[0].values";
    for bad in [
        selector(v1::SelectorOperator::In, &[]),
        selector(v1::SelectorOperator::NotIn, &[]),
        selector(v1::SelectorOperator::Exists, &["v"]),
    ] {
        refuses(constrained(|constraints| constraints.labels = vec![bad]), field, "IN and NOT_IN");
    }
}

#[test]
fn spreads_limit_something_that_fits_their_topology() {
    let spread = |topology: v1::SpreadTopology, max_per_place, max_skew| {
        let spread = v1::Spread { topology: topology.into(), max_per_place, max_skew };
        constrained(|constraints| constraints.spreads = vec![spread])
    };
    let field = "job.spec.constraints.spreads[0]";
    refuses(spread(v1::SpreadTopology::Zone, 0, 0), field, "max_per_place or max_skew");
    let field = "job.spec.constraints.spreads[0].max_skew";
    refuses(spread(v1::SpreadTopology::Node, 0, 1), field, "zones");
}

#[test]
fn constraints_are_sorted_and_free_of_repeats() {
    let request = constrained(|constraints| {
        constraints.regions = ["b", "a", "b"].map(str::to_owned).to_vec();
        constraints.labels = vec![selector(v1::SelectorOperator::In, &["y", "x", "y"])];
    });
    let Ok(Request { command: Command::SubmitJob { spec, .. }, .. }) = accept(request) else {
        panic!("accepted");
    };
    let name = |text| Name::parse(text).expect("a name");
    let label = |text| Label::parse(text).expect("a label");
    assert_eq!(spec.constraints.regions, [name("a"), name("b")]);
    let values = SelectorOperator::In(vec![label("x"), label("y")]);
    assert_eq!(spec.constraints.labels[0].operator, values);
    assert_eq!(spec.count, 1);
}

#[test]
fn required_messages_are_named() {
    let fields: Vec<String> =
        wrong(accept(v1::SubmitJobRequest::default())).into_iter().map(|(at, _)| at).collect();
    assert_eq!(fields, ["job", "job.spec", "job.tenant", "job.spec.request"]);
}

#[test]
fn weights_and_ceilings_have_bounds() {
    refuses(tenant(|tenant| tenant.weight = 1_000_001), "tenant.weight", "1000000");
    let ceiling = tenant(|tenant| tenant.priority_ceiling = Some(1_001));
    refuses(ceiling, "tenant.priority_ceiling", "1000");
}

#[test]
fn nodes_have_whole_devices_with_a_model_and_reserve_what_they_have() {
    let with_gpus = |gpu_millis, model: &str| {
        nodes(vec![node(|node| {
            node.capacity = gpus(gpu_millis);
            node.gpu_model = model.to_owned();
        })])
    };
    refuses(with_gpus(1_500, "h100"), "nodes[0].capacity.gpu_millis", "whole devices");
    refuses(with_gpus(65_000, "h100"), "nodes[0].capacity.gpu_millis", "64 devices");
    refuses(with_gpus(1_000, ""), "nodes[0].gpu_model", "exactly when");
    refuses(nodes(vec![node(|node| node.gpu_model = "h100".into())]), "nodes[0].gpu_model", "when");
    refuses(nodes(vec![node(|node| node.capacity = None)]), "nodes[0].capacity", "required");
    let reserved = nodes(vec![node(|node| node.reservation = cpu(8_001))]);
    refuses(reserved, "nodes[0].reservation", "cpu_millis");
    refuses(
        nodes(vec![node(|node| node.report_ttl = seconds(0))]),
        "nodes[0].report_ttl",
        "positive",
    );
}

#[test]
fn batches_have_bounds_and_no_repeats() {
    refuses(nodes(Vec::new()), "nodes", "empty");
    refuses(nodes(vec![node(|_| ()); 10_001]), "nodes", "10000");
    let twice = nodes(vec![node(|_| ()), node(|node| node.name = "m".into()), node(|_| ())]);
    refuses(twice, "nodes[2].name", "earlier node");
    let reports = vec![v1::TaskReport::default(); 10_001];
    refuses(
        v1::ReportTasksRequest { reports, ..v1::ReportTasksRequest::default() },
        "reports",
        "10000",
    );
    let samples = vec![v1::LoadSample::default(); 10_001];
    let found = wrong(report_load(&v1::ReportLoadRequest { samples }));
    assert_eq!(found[0].0, "samples");
}

#[test]
fn load_samples_are_whole_amounts_of_named_nodes() {
    let sample = |node: &str, load| v1::LoadSample { node: node.into(), time: None, load };
    let samples =
        vec![sample("n", cpu(1)), sample("", cpu(1)), sample("n", None), { sample("n", gpus(1)) }];
    let found = wrong(report_load(&v1::ReportLoadRequest { samples }));
    let fields: Vec<&str> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(fields, ["samples[1].node", "samples[2].load", "samples[3].load.gpu_millis"]);
}

#[test]
fn masks_name_known_paths() {
    let update = |paths: &[&str]| v1::UpdateNodeRequest {
        node: Some(node(|node| node.owner = "o".into())),
        update_mask: Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() }),
        ..v1::UpdateNodeRequest::default()
    };
    refuses(update(&[]), "update_mask", "report_ttl");
    refuses(update(&["owner", "state"]), "update_mask.paths[1]", "allowed are owner");
    let Ok(Request { command: Command::UpdateNode { patch, target }, .. }) =
        accept(update(&["owner"]))
    else {
        panic!("accepted");
    };
    assert_eq!(patch.owner.as_ref().map(Name::as_str), Some("o"));
    assert_eq!((patch.capacity, target.expected), (None, None));
}

#[test]
fn request_ids_are_short_and_printable() {
    let with_id = |id: &str| v1::SubmitJobRequest { request_id: id.into(), ..spec(|_| ()) };
    refuses(with_id(&"x".repeat(129)), "request_id", "129 bytes");
    refuses(with_id("a\nb"), "request_id", "printable");
    refuses(with_id("é"), "request_id", "printable");
    accept(with_id(&"x".repeat(128))).expect("128 are allowed");
}

#[test]
fn a_fingerprint_tells_bodies_and_methods_apart_but_not_ids() {
    let print = |request: Request| request.request_id.expect("an id was given").fingerprint;
    let cordon = |name: &str, id: &str| v1::CordonNodeRequest {
        name: name.into(),
        request_id: id.into(),
        ..v1::CordonNodeRequest::default()
    };
    let first = print(accept(cordon("n", "1")).expect("accepted"));
    assert_eq!(first, print(accept(cordon("n", "2")).expect("accepted")));
    assert_ne!(first, print(accept(cordon("m", "1")).expect("accepted")));
    let uncordon = v1::UncordonNodeRequest {
        name: "n".into(),
        request_id: "1".into(),
        ..v1::UncordonNodeRequest::default()
    };
    assert_ne!(first, print(accept(uncordon).expect("accepted")));
    assert_eq!(accept(cordon("n", "")).expect("accepted").request_id, None);
}

#[test]
fn all_that_is_wrong_is_told_up_to_a_limit() {
    let many = nodes((0..100).map(|_| v1::Node::default()).collect());
    let violations = accept(many).expect_err("refused");
    assert_eq!(violations.iter().count(), Violations::MAX);
    assert!(violations.to_string().ends_with("more"), "{violations}");
}

#[test]
fn durations_round_up_to_milliseconds() {
    let span = Some(Duration { seconds: 1, nanos: 1 });
    let Ok(Request { command: Command::SubmitJob { spec, .. }, .. }) =
        accept(spec(|spec| spec.min_runtime = span))
    else {
        panic!("accepted");
    };
    assert_eq!(spec.min_runtime, Millis(1_001));
}

/// What was asked for comes back with defaults spelled out, and asks for the same again.
#[test]
fn a_calendar_is_told_as_it_was_given() {
    use v1::calendar_entry::Days;
    let entry = |name: &str, days| v1::CalendarEntry {
        name: name.into(),
        days: Some(days),
        start: "08:30".into(),
        length: Some(Duration { seconds: 5_400, nanos: 0 }),
        time_zone: "Europe/Berlin".into(),
        share: Some(v1::HeldShare {
            permille: 250,
            gpu_permille: Some(1_000),
            ..Default::default()
        }),
        regions: vec!["eu".into()],
        labels: BTreeMap::from([("disk".into(), "ssd".into())]),
    };
    let (start, end) = ("2026-11-20T08:00".into(), "2026-11-21T08:00".into());
    let once = entry("d", Days::Once(v1::Once { start, end }));
    let given = [
        entry("a", Days::Weekly(v1::Weekly { weekdays: vec![1, 7] })),
        entry("b", Days::Monthly(v1::Monthly { days: vec![1, 28, -1] })),
        entry("c", Days::Yearly(v1::Yearly { month: 12, day: 31 })),
        v1::CalendarEntry { start: String::new(), length: None, ..once },
    ];
    let mut violations = Violations::default();
    let taken = calendar(&mut violations, &At::Root, &given);
    let taken = violations.check(taken).expect("nothing is wrong");
    let told = owner_description(&OwnerSpec { calendar: taken, ..OwnerSpec::of(Name::default()) });
    assert_eq!(told.calendar, given);
    assert_eq!(told.risk_ppm, Some(10_000));
}
