//! Turns the words of a line into a command.

use std::sync::Arc;

use offpeak_core::{
    command::{
        Command, JobPatch, LoadReport, NodePatch, OwnerPatch, Request, RequestId, Target,
        TenantPatch,
    },
    model::{
        Annotations, CalendarEntry, Constraints, Counts, Dependency, DependencyCondition,
        HeldShare, JobExtras, JobId, JobSpec, Label, LabelSelector, Labels, Millis, Name, NodeSpec,
        OnNotice, Policy, Priority, Quota, Resources, RetryPolicy, Revision, Risk,
        SelectorOperator, Spread, Taint, TenantSpec, Time, Toleration, Topology, WallTime, When,
        Window, Windows,
    },
};

use super::money;

const GIB: u64 = 1 << 30;

pub(crate) fn name(text: &str) -> Name {
    Name::parse_optional(text).expect("a name")
}

pub(crate) fn label(text: &str) -> Label {
    Label::parse(text).expect("a label")
}

/// `90s`, `1m30s`, `2h`, with or without a `+`.
pub(crate) fn span(text: &str) -> Millis {
    let (mut total, mut digits) = (0, String::new());
    for c in text.trim_start_matches('+').chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => Millis::SECOND.0,
            'm' => Millis::MINUTE.0,
            'h' => Millis::HOUR.0,
            'd' => Millis::DAY.0,
            _ => panic!("no span: {text}"),
        };
        total += unit * digits.parse::<u64>().expect("a number");
        digits.clear();
    }
    assert!(digits.is_empty(), "a span needs a unit: {text}");
    Millis(total)
}

/// Thousandths, of a decimal number.
fn millis(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<3}");
    whole.parse::<u64>().expect("a number") * 1000 + part.parse::<u64>().expect("a number")
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

/// The part of a line after its names: `key=value` pairs and bare flags, split at `reserve` and `quota`.
#[derive(Default)]
struct Words<'a> {
    names: Vec<&'a str>,
    pairs: Vec<(&'a str, &'a str)>,
    /// Pairs after the word `reserve` or `quota`.
    inner: Vec<(&'a str, &'a str)>,
    has_inner: bool,
}

const FLAGS: [&str; 5] = ["gang", "force", "dry", "move", "stay"];

impl<'a> Words<'a> {
    fn of(words: impl Iterator<Item = &'a str>) -> Self {
        let mut result = Self::default();
        for word in words {
            let list = if result.has_inner { &mut result.inner } else { &mut result.pairs };
            match word.split_once('=') {
                Some((
                    key @ ("cpu" | "mem" | "disk" | "net" | "gpus" | "gpu" | "tasks"),
                    value,
                )) => {
                    list.push((key, value));
                }
                Some((key, value)) if key.starts_with("count.") => list.push((key, value)),
                Some(pair) => result.pairs.push(pair),
                None if word == "reserve" || word == "quota" => result.has_inner = true,
                None if FLAGS.contains(&word) => result.pairs.push((word, "")),
                None => result.names.push(word),
            }
        }
        result
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| *value)
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(k, _)| *k == key).map(|(_, value)| *value)
    }

    fn list(&self, key: &str) -> Vec<Name> {
        let mut names: Vec<Name> =
            self.get(key).iter().flat_map(|v| v.split(',')).map(name).collect();
        names.sort();
        names
    }

    fn target(&self, name_of: &str) -> Target {
        Target { name: name(name_of), expected: self.get("rev").map(|r| Revision(number(r))) }
    }
}

fn resources(pairs: &[(&str, &str)]) -> Resources {
    let mut resources = Resources::default();
    let mut counts = Vec::new();
    for (key, value) in pairs {
        match *key {
            "cpu" => resources.cpu_millis = millis(value),
            "mem" => resources.memory_bytes = number::<u64>(value) * GIB,
            "disk" => resources.disk_bytes = number::<u64>(value) * GIB,
            "net" => resources.network_bps = number::<u64>(value) * 1_000_000_000,
            "gpus" => {
                resources.gpu_millis =
                    millis(value.split_once(':').map_or(*value, |(count, _)| count));
            }
            "gpu" => resources.gpu_millis = millis(value),
            _ => {
                if let Some(key) = key.strip_prefix("count.") {
                    counts.push((name(key), number(value)));
                }
            }
        }
    }
    resources.counts = Counts::new(counts);
    resources
}

fn quota(words: &Words<'_>) -> Quota {
    let amounts = resources(&words.inner);
    let given =
        |key: &str, amount: u64| words.inner.iter().any(|(k, _)| *k == key).then_some(amount);
    Quota {
        cpu_millis: given("cpu", amounts.cpu_millis),
        memory_bytes: given("mem", amounts.memory_bytes),
        disk_bytes: given("disk", amounts.disk_bytes),
        network_bps: given("net", amounts.network_bps),
        gpu_millis: given("gpu", amounts.gpu_millis),
        counts: words
            .inner
            .iter()
            .filter_map(|(key, value)| Some((name(key.strip_prefix("count.")?), number(value))))
            .collect(),
        tasks: words.inner.iter().find(|(key, _)| *key == "tasks").map(|(_, value)| number(value)),
    }
}

/// `cpu:10,mem:4`.
fn guarantee(text: &str) -> Resources {
    let pairs = text.split(',').map(|pair| pair.split_once(':').expect("an amount"));
    resources(&pairs.collect::<Vec<_>>())
}

fn model(words: &Words<'_>) -> Option<Name> {
    let gpus = words.pairs.iter().find(|(key, _)| *key == "gpus")?.1;
    Some(gpus.split_once(':').map_or_else(Name::default, |(_, model)| name(model)))
}

fn taints(words: &Words<'_>) -> Vec<Taint> {
    let taints = words.all("taint").map(|taint| taint.split_once('=').unwrap_or((taint, "")));
    taints.map(|(key, value)| Taint { key: label(key), value: label(value) }).collect()
}

fn labels(words: &Words<'_>) -> Labels {
    let labels = words.all("label").map(|text| text.split_once('=').unwrap_or((text, "")));
    labels.map(|(key, value)| (label(key), label(value))).collect()
}

fn node(words: &Words<'_>, node: &str) -> NodeSpec {
    NodeSpec {
        name: name(node),
        owner: name(words.get("owner").unwrap_or("owner")),
        region: name(words.get("region").unwrap_or("")),
        zone: name(words.get("zone").unwrap_or("")),
        labels: labels(words),
        taints: taints(words),
        capacity: resources(&words.pairs),
        gpu_model: model(words).unwrap_or_default(),
        reservation: resources(&words.inner),
        report_ttl: words.get("ttl").map(span),
        annotations: Annotations::default(),
    }
}

fn patch(words: &Words<'_>) -> NodePatch {
    let capacity = resources(&words.pairs);
    NodePatch {
        owner: words.get("owner").map(name),
        region: words.get("region").map(name),
        zone: words.get("zone").map(name),
        labels: words.get("label").map(|_| labels(words)),
        taints: words
            .get("taint")
            .map(|taint| if taint == "none" { Vec::new() } else { taints(words) }),
        capacity: (!capacity.is_zero()).then_some(capacity),
        gpu_model: model(words),
        reservation: words.has_inner.then(|| resources(&words.inner)),
        report_ttl: words.get("ttl").map(|ttl| (ttl != "none").then(|| span(ttl))),
        ..NodePatch::default()
    }
}

fn selector(text: &str) -> LabelSelector {
    let values = |text: &str| text.split('|').map(label).collect();
    let (key, operator) = if let Some((key, value)) = text.split_once("!=") {
        (key, SelectorOperator::NotIn(values(value)))
    } else if let Some((key, value)) = text.split_once('=') {
        (key, SelectorOperator::In(values(value)))
    } else if let Some(key) = text.strip_prefix('!') {
        (key, SelectorOperator::NotExists)
    } else {
        (text, SelectorOperator::Exists)
    };
    LabelSelector { key: label(key), operator }
}

fn toleration(text: &str) -> Toleration {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
    Toleration { key: (key != "*").then(|| label(key)), value: value.map(label) }
}

fn spreads(words: &Words<'_>) -> Vec<Spread> {
    let mut spreads = Vec::new();
    if let Some(limit) = words.get("per-node") {
        let max_per_place = Some(number(limit));
        spreads.push(Spread { topology: Topology::Node, max_per_place, max_skew: None });
    }
    let (limit, skew) = (words.get("per-zone").map(number), words.get("skew").map(number));
    if limit.is_some() || skew.is_some() {
        spreads.push(Spread { topology: Topology::Zone, max_per_place: limit, max_skew: skew });
    }
    spreads
}

fn job(words: &Words<'_>, start: Time) -> JobSpec {
    JobSpec {
        count: words.get("count").map_or(1, number),
        request: resources(&words.pairs),
        constraints: Constraints {
            regions: words.list("region"),
            zones: words.list("zone"),
            gpu_models: words.list("model"),
            labels: words.all("select").map(selector).collect(),
            tolerations: words.all("tolerate").map(toleration).collect(),
            spreads: spreads(words),
        },
        priority: Priority(words.get("priority").map_or(0, number)),
        min_runtime: words.get("min").map_or(Millis(0), span),
        max_runtime: words.get("max").map(span),
        deadline: words.get("deadline").map(|text| start.after(span(text))),
        complete_by: words.get("complete").map(|text| start.after(span(text))),
        gang: words.get("gang").is_some(),
        labels: labels(words),
        notice: words.get("notice").map(span),
        on_notice: on_notice(words).unwrap_or_default(),
        extras: extras(words),
    }
}

fn on_notice(words: &Words<'_>) -> Option<OnNotice> {
    let moves = words.get("move").map(|_| OnNotice::Move);
    moves.or_else(|| words.get("stay").map(|_| OnNotice::Stay))
}

fn extras(words: &Words<'_>) -> Option<Arc<JobExtras>> {
    let limit = |key: &str| words.get(key).map(number);
    let wait = |key: &str, usual| words.get(key).map_or(usual, span);
    let retry = RetryPolicy {
        failures: limit("retries").unwrap_or(0),
        timeouts: limit("timeouts").unwrap_or(0),
        evictions: limit("evictions"),
        node_losses: limit("losses"),
        backoff: wait("backoff", RetryPolicy::BACKOFF),
        max_backoff: wait("longest", RetryPolicy::MAX_BACKOFF),
    };
    let given = ["retries", "timeouts", "evictions", "losses"].map(|key| words.get(key));
    let waits = |key, condition| {
        let dependency = move |text| Dependency { job: JobId(0), name: name(text), condition };
        words.all(key).map(dependency)
    };
    let on_success = waits("after", DependencyCondition::Success);
    let dependencies: Vec<Dependency> =
        on_success.chain(waits("ended", DependencyCondition::End)).collect();
    let retry = given.iter().any(Option::is_some).then_some(retry);
    let extras = JobExtras { retry, dependencies, ..JobExtras::default() };
    (extras != JobExtras::default()).then(|| Arc::new(extras))
}

fn policy(words: &Words<'_>, old: &Policy) -> Policy {
    let time = |key: &str, old: Millis| words.get(key).map_or(old, span);
    Policy {
        forecast_margin_permille: words.get("margin").map_or(old.forecast_margin_permille, number),
        notice: time("notice", old.notice),
        job_retention: time("jobs", old.job_retention),
        request_retention: time("requests", old.request_retention),
        request_limit: words.get("limit").map_or(old.request_limit, number),
        share_half_life: time("half", old.share_half_life),
    }
}

/// Windows as `2h-3h:500` or `2h-3h:500@region`, each an entry of its own in the calendar; what clocks show is of no
/// interest here.
fn calendar(texts: &[&str], start: Time) -> (Vec<CalendarEntry>, Windows) {
    let (mut entries, mut list) = (Vec::new(), Vec::new());
    for (index, text) in (0..).zip(texts) {
        let (stretch, share) = text.split_once(':').expect("start-end:share");
        let (share, region) = share.split_once('@').unwrap_or((share, ""));
        let (begin, end) = stretch.split_once('-').expect("start-end");
        let (begin, end) = (start.after(span(begin)), start.after(span(end)));
        list.push(Window { start: begin, end, entry: index });
        entries.push(CalendarEntry {
            name: name(&format!("entry-{index}")),
            when: When::Once { start: WallTime(0), end: WallTime(1) },
            time_zone: "UTC".into(),
            share: HeldShare::of_all(number(share)),
            regions: Some(name(region)).filter(|region| !region.is_empty()).into_iter().collect(),
            labels: Labels::new(),
        });
    }
    list.sort_unstable();
    (entries, Windows { through: start.after(Millis(100 * Millis::HOUR.0)), list })
}

/// The request that a line asks for; reports on tasks aside, which need to know the allocations.
#[expect(clippy::too_many_lines, reason = "one arm a kind")]
pub(crate) fn request(line: &str, start: Time, now: Time, old: &Policy) -> Request {
    let mut all = line.split_whitespace();
    let verb = all.next().expect("a verb");
    let words = Words::of(all);
    let first = words.names.first().copied().unwrap_or("");
    let (tenant, job_name) = first.split_once('/').unwrap_or((first, ""));
    let tenant = || name(tenant);
    let command = match verb {
        "node" => Command::RegisterNodes(words.names.iter().map(|n| node(&words, n)).collect()),
        "update" => {
            Command::UpdateNode { target: words.target(first), patch: Box::new(patch(&words)) }
        }
        "cordon" => Command::CordonNode(words.target(first)),
        "uncordon" => Command::UncordonNode(words.target(first)),
        "drain" => {
            Command::DrainNode { target: words.target(first), grace: words.get("grace").map(span) }
        }
        "remove" => {
            Command::RemoveNode { target: words.target(first), force: words.get("force").is_some() }
        }
        "owner" => Command::UpdateOwner {
            target: words.target(first),
            patch: Box::new(OwnerPatch {
                risk: words.get("risk").map(|risk| Risk::new(number(risk)).expect("a risk")),
                shortfall_budget: words
                    .get("budget")
                    .map(|budget| (budget != "none").then(|| span(budget))),
                calendar: match words.names[1..] {
                    [] => None,
                    ["none"] => Some(Default::default()),
                    ref windows => Some(calendar(windows, start)),
                },
                ..OwnerPatch::default()
            }),
        },
        "renew" => Command::RenewWindows {
            owner: name(first),
            of: Revision(number(words.get("rev").expect("a revision"))),
            windows: calendar(&words.names[1..], start).1,
        },
        "load" => Command::ReportLoad(vec![LoadReport {
            node: name(first),
            time: words.get("when").map(|when| match when.strip_prefix('-') {
                Some(ago) => Time(now.0 - span(ago).0),
                None => now.after(span(when)),
            }),
            load: resources(&words.pairs),
        }]),
        "tenant" => Command::CreateTenant(Box::new(TenantSpec {
            name: name(first),
            parent: name(words.get("parent").unwrap_or("")),
            quota: quota(&words),
            guarantee: words.get("guarantee").map(guarantee).unwrap_or_default(),
            weight: words.get("weight").map_or(1, number),
            priority_ceiling: Priority(words.get("ceiling").map_or(100, number)),
            labels: labels(&words),
            budget: money::budget(|key| words.get(key)).unwrap_or_default(),
            annotations: Annotations::default(),
        })),
        "set" => Command::UpdateTenant {
            target: words.target(first),
            patch: Box::new(TenantPatch {
                parent: words.get("parent").map(|p| name(if p == "none" { "" } else { p })),
                guarantee: words.get("guarantee").map(guarantee),
                quota: words.has_inner.then(|| quota(&words)),
                weight: words.get("weight").map(number),
                priority_ceiling: words.get("ceiling").map(|text| Priority(number(text))),
                budget: money::budget(|key| words.get(key)),
                ..TenantPatch::default()
            }),
        },
        "price" => money::book(&line.split_whitespace().skip(1).collect::<Vec<_>>()),
        "delete" => Command::DeleteTenant(words.target(first)),
        "job" => Command::SubmitJob {
            tenant: tenant(),
            name: name(job_name),
            spec: Arc::new(job(&words, start)),
        },
        "resize" => Command::UpdateJob {
            tenant: tenant(),
            target: words.target(job_name),
            patch: Box::new(JobPatch {
                count: Some(number(words.names.get(1).expect("a count"))),
                ..JobPatch::default()
            }),
        },
        "change" => Command::UpdateJob {
            tenant: tenant(),
            target: words.target(job_name),
            patch: Box::new(JobPatch {
                count: words.get("count").map(number),
                priority: words.get("priority").map(|text| Priority(number(text))),
                max_runtime: words.get("max").map(|max| (max != "none").then(|| span(max))),
                on_notice: on_notice(&words),
                ..JobPatch::default()
            }),
        },
        "cancel" => Command::CancelJob {
            tenant: tenant(),
            target: words.target(job_name),
            grace: words.get("grace").map(span),
        },
        "policy" => Command::SetPolicy(policy(&words, old)),
        _ => panic!("no such verb: {verb}"),
    };
    wrap(command, line, &words)
}

fn wrap(command: Command, line: &str, words: &Words<'_>) -> Request {
    let fingerprint = line.bytes().fold(7, |sum: u128, b| sum.wrapping_mul(257) ^ u128::from(b));
    Request {
        command,
        request_id: words.get("id").map(|id| RequestId { id: id.into(), fingerprint }),
        validate_only: words.get("dry").is_some(),
    }
}
