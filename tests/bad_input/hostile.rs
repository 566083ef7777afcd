//! Every method gets messages that mean harm: empty ones, random bytes, and well-formed ones in which every field
//! has an extreme value. Each is answered with a sane status, and the server lives.

use std::collections::BTreeMap;

use bytes::Bytes;
use offpeak::v1;
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{
    DescriptorProto, Duration, FileDescriptorSet, Timestamp,
    field_descriptor_proto::{Label, Type},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    house::{House, spec, submit},
    raw::{Raw, framed},
};

/// Random messages of each kind and method.
const ROUNDS: usize = 60;
/// How deep messages lie in each other.
const DEPTH: usize = 5;
/// The most of any dimension.
const MOST: u64 = 1 << 50;
/// The longest length of time.
const LONGEST: Duration = Duration { seconds: 315_576_000_000, nanos: 0 };

/// The API as its descriptors tell it.
struct Api {
    methods: Vec<Method>,
    messages: BTreeMap<String, DescriptorProto>,
}

struct Method {
    path: String,
    input: String,
}

/// Xorshift: the same hostility in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        let index = self.next() % values.len() as u64;
        values[usize::try_from(index).expect("small")]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() % 200;
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

impl Api {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(offpeak::FILE_DESCRIPTOR_SET).expect("descriptors");
        let (mut methods, mut messages) = (Vec::new(), BTreeMap::new());
        for file in &set.file {
            let package = file.package();
            for service in file.service.iter().filter(|_| package == "offpeak.v1") {
                for method in &service.method {
                    let path = format!("/{package}.{}/{}", service.name(), method.name());
                    methods.push(Method { path, input: method.input_type().into() });
                }
            }
            for message in &file.message_type {
                note(&format!(".{package}"), message, &mut messages);
            }
        }
        Self { methods, messages }
    }

    /// A message in which most fields are set, to values that nobody should send.
    fn hostile(&self, name: &str, random: &mut Random, depth: usize) -> Vec<u8> {
        let mut buffer = Vec::new();
        let Some(message) = self.messages.get(name).filter(|_| depth > 0) else {
            return buffer;
        };
        for field in &message.field {
            let most = if field.label() == Label::Repeated { 4 } else { 2 };
            for _ in 0..random.next() % most + u64::from(random.next().is_multiple_of(4)) {
                let number = u32::try_from(field.number()).expect("positive");
                match field.r#type() {
                    Type::Message => {
                        let inner = self.hostile(field.type_name(), random, depth - 1);
                        lengthy(&mut buffer, number, &inner);
                    }
                    Type::String => lengthy(&mut buffer, number, &text(random)),
                    _ => {
                        encode_key(number, WireType::Varint, &mut buffer);
                        encode_varint(extreme(random), &mut buffer);
                    }
                }
            }
        }
        buffer
    }
}

/// A message and those inside it, by full name.
fn note(parent: &str, message: &DescriptorProto, all: &mut BTreeMap<String, DescriptorProto>) {
    let name = format!("{parent}.{}", message.name());
    for inner in &message.nested_type {
        note(&name, inner, all);
    }
    all.insert(name, message.clone());
}

fn lengthy(buffer: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    encode_key(number, WireType::LengthDelimited, buffer);
    encode_varint(bytes.len() as u64, buffer);
    buffer.extend(bytes);
}

/// Names that exist, texts that hurt, and paths of masks.
fn text(random: &mut Random) -> Vec<u8> {
    let long = "x".repeat(5_000);
    let texts = [
        "a",
        "n",
        "j",
        "a",
        "n",
        "j",
        "",
        "a\u{202e}b",
        "\u{200b}",
        "\u{0}",
        "/",
        "../..",
        "capacity",
        "labels",
        "spec.count",
        "quota",
        "report_ttl",
        "reservation",
        "tasks_placed",
        "%s%n",
        &long,
    ];
    random.pick(&texts).as_bytes().to_vec()
}

fn extreme(random: &mut Random) -> u64 {
    let values = [
        0,
        1,
        1,
        2,
        3,
        7,
        99,
        999,
        1_000,
        999_999_999,
        315_576_000_000,
        253_402_300_799,
        1 << 50,
        i32::MAX as u64,
        u64::from(u32::MAX),
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
        u64::MAX - 1,
    ];
    random.pick(&values)
}

/// What a server may answer to anything. What its transport says has no ErrorInfo.
fn check_sane(path: &str, status: &Status) {
    let info = status.get_error_details();
    let reason = info.error_info().map(|info| info.reason.as_str()).unwrap_or_default();
    match status.code() {
        Code::Ok => {}
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Aborted
        | Code::FailedPrecondition
        | Code::ResourceExhausted => assert_ne!(reason, "", "{path}: {status:?}"),
        Code::OutOfRange => assert_eq!(reason, "FUTURE_REVISION", "{path}: {status:?}"),
        Code::Internal => {
            assert!(status.message().contains("failed to decode"), "{path}: {status:?}");
        }
        other => panic!("{path}: {other:?}: {status:?}"),
    }
}

/// Sends it. A watch that is served has no end; that is fine too.
async fn send(raw: &Raw, path: &str, message: &[u8]) {
    let headers: [(&str, &[u8]); 1] = [("grpc-timeout", b"250m")];
    let body: Bytes = framed(message);
    let sent = if path.ends_with("/Watch") {
        let call = raw.send(path, &headers, body, true);
        tokio::time::timeout(std::time::Duration::from_millis(400), call).await.ok().flatten()
    } else {
        Some(raw.send(path, &headers, body, true).await.unwrap_or_else(|| panic!("{path} hangs")))
    };
    if let Some(answer) = sent {
        check_sane(path, &answer.status);
    }
}

async fn furnished() -> House {
    let house = House::furnished().await;
    house.jobs.clone().submit_job(submit("j", spec())).await.expect("accepted");
    house
}

/// The server takes commands, and what it was left with is no obstacle to the next one on its store.
async fn check_alive(house: House) {
    check_takes_commands(&house).await;
    let before = house.status().await;
    let house = house.restart().await;
    let after = house.status().await;
    assert!(after.revision >= before.revision);
    assert_eq!((after.tenants, after.jobs), (before.tenants, before.jobs));
    check_takes_commands(&house).await;
}

async fn check_takes_commands(house: &House) {
    let name = format!("alive-{}", house.status().await.revision);
    let create = crate::house::create_tenant(&name);
    house.tenants.clone().create_tenant(create).await.expect("the server takes commands");
}

#[tokio::test]
async fn an_empty_message_to_any_method_is_answered() {
    let (house, api) = (furnished().await, Api::read());
    assert!(api.methods.len() > 25, "every method is there");
    let raw = Raw::connect(house.server.address()).await;
    for method in &api.methods {
        send(&raw, &method.path, b"").await;
    }
    check_alive(house).await;
}

#[tokio::test]
async fn random_bytes_to_any_method_are_answered() {
    let (house, api) = (furnished().await, Api::read());
    let raw = Raw::connect(house.server.address()).await;
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for method in &api.methods {
        for _ in 0..ROUNDS {
            send(&raw, &method.path, &random.bytes()).await;
        }
    }
    check_alive(house).await;
}

#[tokio::test]
async fn extreme_values_in_every_field_of_any_method_are_answered() {
    let (house, api) = (furnished().await, Api::read());
    let raw = Raw::connect(house.server.address()).await;
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    for _ in 0..ROUNDS / 6 {
        let calls = api.methods.iter().flat_map(|method| std::iter::repeat_n(method, 6));
        let mut tasks = tokio::task::JoinSet::new();
        for method in calls {
            let message = api.hostile(&method.input, &mut random, DEPTH);
            let (raw, path) = (raw.clone(), method.path.clone());
            tasks.spawn(async move { send(&raw, &path, &message).await });
        }
        while let Some(sent) = tasks.join_next().await {
            sent.expect("a sane answer");
        }
    }
    check_alive(house).await;
}

/// As much of everything as is allowed.
fn most() -> v1::Resources {
    v1::Resources {
        cpu_millis: MOST,
        memory_bytes: MOST,
        disk_bytes: MOST,
        network_bps: MOST,
        gpu_millis: 0,
        counts: BTreeMap::from([("seats".into(), MOST)]),
    }
}

#[tokio::test]
async fn the_most_that_is_allowed_of_everything_is_taken() {
    let (house, api) = (House::start().await, Api::read());
    let (mut nodes, mut jobs) = (house.nodes.clone(), house.jobs.clone());
    let large = |name: &str| v1::Node {
        capacity: Some(most()),
        report_ttl: Some(LONGEST),
        ..crate::house::node(name)
    };
    let fleet = vec![large("n"), large("m"), large("o")];
    nodes.register_nodes(crate::house::register(fleet)).await.expect("registered");
    let reports =
        ["n", "m"].map(|node| v1::LoadSample { node: node.into(), time: None, load: Some(most()) });
    let load = tokio_stream::once(v1::ReportLoadRequest { samples: reports.to_vec() });
    nodes.report_load(load).await.expect("taken");
    for name in ["a", "b", "c"] {
        let mut tenant = crate::house::create_tenant(name);
        let wish = tenant.tenant.as_mut().expect("a tenant");
        wish.weight = 1_000_000;
        wish.quota = Some(v1::Quota { cpu_millis: Some(u64::MAX), ..v1::Quota::default() });
        house.tenants.clone().create_tenant(tenant).await.expect("created");
        for (count, request) in [(1, most()), (5_000, most()), (1_000_000, crate::house::cpu(1))] {
            let wide = v1::JobSpec {
                count,
                request: Some(request),
                priority: 1_000,
                min_runtime: Some(LONGEST),
                max_runtime: Some(LONGEST),
                deadline: Some(Timestamp { seconds: 253_402_300_799, nanos: 999_999_999 }),
                ..spec()
            };
            let mut request = submit("", wide);
            request.job.as_mut().expect("a job").tenant = name.into();
            jobs.submit_job(request).await.expect("accepted");
        }
    }
    let grace = Some(LONGEST);
    let drain = v1::DrainNodeRequest { name: "o".into(), grace, ..Default::default() };
    nodes.drain_node(drain).await.expect("draining");
    let raw = Raw::connect(house.server.address()).await;
    for method in api.methods.iter().filter(|method| method.path.contains("/List")) {
        let answer = raw.call(&method.path, &[], framed(b"")).await;
        assert_eq!(answer.status.code(), Code::Ok, "{}: {answer:?}", method.path);
    }
    let request = v1::GetCapacityRequest::default();
    let capacity = house.capacity.clone().get_capacity(request).await.expect("summed").into_inner();
    let pending = capacity.pending.expect("an amount").cpu_millis;
    assert!(pending >= 15_000 * most().cpu_millis, "{pending} is all that three tenants wait for");
    drop(raw);
    check_alive(house).await;
}
