//! The command line tool, run as a process against a fake cell.

mod fake;
mod tool;

use expect_test::expect;
use fake::{Fake, Script, with_reason};
use offpeak::v1::{
    Capacity, Event, EventBatch, GetCapacityResponse, GetIdleProfileResponse, IdleHorizon,
    IdleHour, IdleProfile, Job, JobEnded, JobSpec, JobState, NodeRemoved, PendingReason, Resources,
    TaskCounts, Tenant, WatchResponse, event::Kind, watch_response::Message,
};
use tonic::{Code, Status};

use tool::{Ran, Tool};

async fn tool_and_fake() -> (Tool, Fake) {
    let fake = Fake::default();
    (Tool::at(fake.serve().await), fake)
}

const FLEET: &str = "\
# A small fleet.
---
kind: Job
tenant: acme
name: train
spec:
  count: 2
  request: {cpuMillis: 500}
---
kind: Tenant
name: acme
quota:
  cpuMillis: \"200000\"
---
name: a
kind: Node
region: eu
capacity:
  cpu_millis: 64000
  memoryBytes: 274877906944
";

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let (tool, fake) = tool_and_fake().await;
    tool.run_with_input("apply -f -", FLEET)
        .await
        .prints(&expect![[r"
            tenant/acme created
            node/a created
            job/acme/train created
        "]])
        .ends_with(0);
    let revision = fake.state().revision;
    tool.run_with_input("apply -f -", FLEET)
        .await
        .prints(&expect![[r"
            tenant/acme unchanged
            node/a unchanged
            job/acme/train unchanged
        "]])
        .ends_with(0);
    assert_eq!(fake.state().revision, revision);
}

#[tokio::test]
async fn apply_updates_only_what_differs() {
    let (tool, fake) = tool_and_fake().await;
    tool.run_with_input("apply -f -", FLEET).await.ends_with(0);
    let changed =
        FLEET.replace("region: eu", "region: eu\nzone: eu-1").replace("count: 2", "count: 3");
    let path = tool.file("fleet.yaml", &changed);
    tool.run(&format!("apply -f {} -o jsonl", path.display()))
        .await
        .prints(&expect![[r#"
            {"object":"tenant/acme","outcome":"unchanged","dryRun":false}
            {"object":"node/a","outcome":"updated","dryRun":false}
            {"object":"job/acme/train","outcome":"updated","dryRun":false}
        "#]])
        .ends_with(0);
    assert_eq!(fake.state().nodes["a"].zone, "eu-1");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (tool, fake) = tool_and_fake().await;
    tool.run_with_input("apply --dry-run -f -", FLEET)
        .await
        .prints(&expect![[r"
            tenant/acme created (dry run)
            node/a created (dry run)
            job/acme/train created (dry run)
        "]])
        .ends_with(0);
    assert_eq!(fake.state().revision, 0);
}

#[tokio::test]
async fn what_cannot_be_changed_is_a_conflict() {
    let (tool, _fake) = tool_and_fake().await;
    tool.run_with_input("apply -f -", FLEET).await.ends_with(0);
    let changed = FLEET.replace("cpuMillis: 500", "cpuMillis: 600");
    tool.run_with_input("apply -f -", &changed)
        .await
        .prints(&expect![[r"
            tenant/acme unchanged
            node/a unchanged
        "]])
        .complains(&expect![[r"
            error: job/acme/train: a job's spec.request cannot be changed
            hint: cancel the job and submit it under another name
            error: 1 of 3 objects could not be applied
        "]])
        .ends_with(5);
}

#[tokio::test]
async fn a_job_is_named_with_its_tenant_or_by_an_option() {
    let (tool, fake) = tool_and_fake().await;
    tool.run_with_input("apply -f -", FLEET).await.ends_with(0);
    tool.run("submit acme/first --cpu 1 -- work {index}")
        .await
        .prints(&expect![[r"
            job/acme/first submitted
        "]])
        .ends_with(0);
    tool.run("submit -t acme second --cpu 1").await.ends_with(0);
    tool.run("submit -t acme --name third --cpu 1").await.ends_with(0);
    let names: Vec<String> = fake.state().jobs.values().map(|job| job.name.clone()).collect();
    assert_eq!(names, ["first", "second", "third", "train"]);
    tool.run("submit -t acme fourth --name third --cpu 1").await.ends_with(2);
}

#[tokio::test]
async fn a_job_of_no_tasks_is_refused() {
    let (tool, _fake) = tool_and_fake().await;
    tool.run("job submit --tenant a --cpu 1 --count 0")
        .await
        .complains(&expect![[r#"
            error: invalid value '0' for '--count <COUNT>': 0 is not in 1..=1000000

            For more information, try '--help'.
        "#]])
        .ends_with(2);
}

#[tokio::test]
async fn unknown_fields_are_refused_with_their_place() {
    let (tool, fake) = tool_and_fake().await;
    let wrong = FLEET.replace("memoryBytes", "memory");
    tool.run_with_input("apply -f -", &wrong)
        .await
        .complains(&expect![[r#"
            error: stdin:19: capacity: unrecognized field name 'memory'
            hint: its fields are cpuMillis, memoryBytes, diskBytes, networkBps, gpuMillis, counts
        "#]])
        .ends_with(1);
    let json = r#"[{"kind": "Tenant", "name": "a"}, {"kind": "Tenant", "name": "b", "wait": 2}]"#;
    tool.run_with_input("apply -f -", json)
        .await
        .complains(&expect![[r#"
            error: stdin: item 2: unrecognized field name 'wait' at line 1 column 38
            hint: its fields are name, quota, weight, priorityCeiling, labels, budget, parent, guarantee, annotations, usage, createTime, revision, spentMicros, budgetLevel, totalUsage, share, borrowed, decayedUsage, effectivePriorityCeiling, quotaLow
        "#]])
        .ends_with(1);
    tool.run_with_input("apply -f -", "name: a\n")
        .await
        .complains(&expect![[r#"
            error: stdin:1: the document has no kind
            hint: kind is one of Owner, Tenant, Node, Job, JobTemplate
        "#]])
        .ends_with(1);
    // Nothing was sent: all documents are read before the first is applied.
    assert!(fake.state().calls.is_empty());
}

#[tokio::test]
async fn lists_page_through_everything() {
    let (tool, fake) = tool_and_fake().await;
    for (index, cpu) in [64, 8, 128, 2, 96].into_iter().enumerate() {
        let register = format!(
            "node register node-{index} --owner web --region eu --zone eu-{} --cpu {cpu} --memory {cpu}GiB -l a=b",
            index % 2
        );
        tool.run(&register).await.ends_with(0);
    }
    tool.run("node cordon node-1").await.ends_with(0);
    tool.run("node list").await.prints(&expect![[r#"
        NAME     STATE      OWNER   REGION   ZONE   CPU   MEMORY   GPUS   FREE CPU   FREE MEMORY   TASKS   AGE
        node-0   ready      web     eu       eu-0    64    64GiB      0         64         64GiB       0     -
        node-1   cordoned   web     eu       eu-1     8     8GiB      0          8          8GiB       0     -
        node-2   ready      web     eu       eu-0   128   128GiB      0        128        128GiB       0     -
        node-3   ready      web     eu       eu-1     2     2GiB      0          2          2GiB       0     -
        node-4   ready      web     eu       eu-0    96    96GiB      0         96         96GiB       0     -
    "#]]).ends_with(0);
    let listed = fake.state().calls.iter().filter(|(call, _)| *call == "list_nodes").count();
    assert_eq!(listed, 3);
    tool.run("node list -o name --limit 3")
        .await
        .prints(&expect![[r#"
        node/node-0
        node/node-1
        node/node-2
    "#]])
        .ends_with(0);
    tool.run("node get node-1 -o json")
        .await
        .prints(&expect![[r#"
            {
              "name": "node-1",
              "owner": "web",
              "region": "eu",
              "zone": "eu-1",
              "labels": {
                "a": "b"
              },
              "capacity": {
                "cpuMillis": "8000",
                "memoryBytes": "8589934592"
              },
              "state": "NODE_STATE_CORDONED",
              "headroom": {
                "cpuMillis": "8000",
                "memoryBytes": "8589934592"
              },
              "revision": "2"
            }
        "#]])
        .ends_with(0);
    tool.run("node get node/node-1 -o yaml")
        .await
        .prints(&expect![[r#"
            name: node-1
            owner: web
            region: eu
            zone: eu-1
            labels:
              a: b
            capacity:
              cpuMillis: "8000"
              memoryBytes: "8589934592"
            state: NODE_STATE_CORDONED
            headroom:
              cpuMillis: "8000"
              memoryBytes: "8589934592"
            revision: "2"
        "#]])
        .ends_with(0);
    tool.run("node get node-1")
        .await
        .prints(&expect![[r#"
        Name:         node-1
        State:        cordoned
        Owner:        web
        Region:       eu
        Zone:         eu-1
        Labels:       a=b
        Taints:       -
        Capacity:     cpu 8, memory 8GiB
        Reservation:  -
        Owner load:   -
        Reported:     -
        Forecast:     -
        Lent:         -
        Headroom:     cpu 8, memory 8GiB
        Tasks:        0
        Report TTL:   -
        Created:      -
        Revision:     2
    "#]])
        .ends_with(0);
}

#[tokio::test]
async fn exit_codes_tell_what_went_wrong() {
    let (tool, fake) = tool_and_fake().await;
    tool.run("node get a")
        .await
        .complains(&expect![[r#"
            error: no node "a"
        "#]])
        .ends_with(3);
    tool.run("node get").await.ends_with(2);
    tool.run("job get train")
        .await
        .complains(&expect![[r"
            error: no tenant is named
            hint: pass --tenant, set OFFPEAK_TENANT, or keep one with `offpeak context set`
        "]])
        .ends_with(2);
    for (code, exit) in [
        (Code::PermissionDenied, 4),
        (Code::Unauthenticated, 4),
        (Code::AlreadyExists, 5),
        (Code::Aborted, 5),
        (Code::FailedPrecondition, 5),
        (Code::DeadlineExceeded, 7),
        (Code::Internal, 1),
    ] {
        fake.fail_next(with_reason(code, "no", "REASON", &[]));
        tool.run("node get a").await.ends_with(exit);
    }
    let nowhere = Tool::at("http://127.0.0.1:1");
    nowhere
        .run("node list")
        .await
        .complains(&expect![[r"
            error: cannot reach the server at http://127.0.0.1:1: Connection refused (os error 111)
            hint: start a server with `offpeakd serve`, or name another one with --endpoint or `offpeak context use`
        "]])
        .ends_with(7);
}

fn job(state: JobState, tasks: TaskCounts) -> Job {
    let spec = JobSpec {
        count: 3,
        request: Some(Resources { cpu_millis: 500, ..Resources::default() }),
        ..JobSpec::default()
    };
    Job {
        tenant: "acme".to_owned(),
        name: "train".to_owned(),
        spec: Some(spec),
        state: state.into(),
        tasks: Some(tasks),
        ..Job::default()
    }
}

fn happened(revisions: &[u64]) -> Script {
    let messages = revisions
        .iter()
        .map(|&revision| WatchResponse {
            message: Some(Message::Events(EventBatch {
                events: vec![Event {
                    revision,
                    time: Some(prost_types::Timestamp {
                        seconds: 1_700_000_000,
                        nanos: 123_456_789,
                    }),
                    kind: Some(if revision % 2 == 0 {
                        Kind::NodeRemoved(NodeRemoved { node: "a".to_owned() })
                    } else {
                        Kind::JobEnded(JobEnded {
                            tenant: "acme".to_owned(),
                            job: "train".to_owned(),
                            state: JobState::Succeeded.into(),
                        })
                    }),
                }],
                through_revision: revision,
            })),
        })
        .collect();
    Script { messages, end: None }
}

#[tokio::test]
async fn waiting_follows_a_job_to_its_end() {
    let waiting = TaskCounts { pending: 3, ..TaskCounts::default() };
    let some = TaskCounts { placed: 3, running: 1, ..TaskCounts::default() };
    let done = TaskCounts { succeeded: 3, ..TaskCounts::default() };
    let (tool, fake) = tool_and_fake().await;
    let pending = job(JobState::Pending, waiting);
    fake.state().job_steps.extend([
        pending.clone(),
        pending,
        job(JobState::Running, some),
        job(JobState::Succeeded, done),
    ]);
    fake.state().scripts.push_back(happened(&[1, 2]));
    tool.run("job wait acme/train")
        .await
        .prints(&expect![""])
        .complains(&expect![[r"
            job/acme/train pending: 3 pending
            job/acme/train running: 3 placed (1 running)
            job/acme/train succeeded: 3 succeeded
        "]])
        .ends_with(0);

    let failed = TaskCounts { succeeded: 2, failed: 1, ..TaskCounts::default() };
    fake.state().job_steps.push_back(job(JobState::Failed, failed));
    tool.run("job wait acme/train -q")
        .await
        .complains(&expect![[r"
            error: job/acme/train failed: 2 succeeded, 1 failed
        "]])
        .ends_with(8);

    let mut stuck = job(JobState::Pending, waiting);
    let mut reason = PendingReason {
        dimension: "cpu".to_owned(),
        nodes: 12,
        message: "the least short lacks 1.5 cores".to_owned(),
        ..PendingReason::default()
    };
    reason.set_blocker(offpeak::v1::Blocker::Headroom);
    stuck.pending_reasons.push(reason);
    fake.state().job_steps.push_back(stuck);
    tool.run("job wait acme/train -q --timeout 50ms")
        .await
        .complains(&expect![[r#"
            error: job/acme/train is not there yet: 3 pending
              the least short lacks 1.5 cores
            hint: the job goes on; see `offpeak job get acme/train`
        "#]])
        .ends_with(6);
}

#[tokio::test]
async fn events_without_follow_end_at_the_newest() {
    let (tool, fake) = tool_and_fake().await;
    fake.state().revision = 2;
    fake.state().scripts.push_back(happened(&[1, 2, 3]));
    tool.run("events --since 0")
        .await
        .prints(&expect![[r#"
            1         2023-11-14T22:13:20.123Z  job_ended           acme/train succeeded
            2         2023-11-14T22:13:20.123Z  node_removed        a
        "#]])
        .ends_with(0);
    fake.state().scripts.push_back(happened(&[1, 2, 3]));
    tool.run("events --since 0 -o jsonl").await.prints(&expect![[r#"
        {"revision":"1","time":"2023-11-14T22:13:20.123456789Z","jobEnded":{"tenant":"acme","job":"train","state":"JOB_STATE_SUCCEEDED"}}
        {"revision":"2","time":"2023-11-14T22:13:20.123456789Z","nodeRemoved":{"node":"a"}}
    "#]]).ends_with(0);
}

#[tokio::test]
async fn an_event_that_ends_a_watch_is_an_error() {
    let (tool, fake) = tool_and_fake().await;
    fake.state().scripts.push_back(Script { messages: Vec::new(), end: Some(fake::compacted()) });
    tool.run("events --since 3 --follow")
        .await
        .complains(&expect![[r"
            error: revision 3 is no longer in the log; the first one available is 40
            hint: begin at a later revision, or look at what exists with the list commands
        "]])
        .ends_with(1);
    fake.state().scripts.push_back(Script {
        messages: Vec::new(),
        end: Some(Status::invalid_argument("no such kind")),
    });
    tool.run("events --follow --kinds x").await.ends_with(1);
}

#[tokio::test]
async fn a_reader_who_leaves_is_not_an_error() {
    let (tool, fake) = tool_and_fake().await;
    fake.state().tenants.insert("a".to_owned(), Tenant::default());
    let mut command = tool.command("completion bash");
    let status = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn()?;
        drop(child.stdout.take());
        child.wait()
    });
    let status = status.await.expect("no panic").expect("it runs");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn contexts_keep_servers_at_hand() {
    let (tool, _fake) = tool_and_fake().await;
    let with_own_endpoint = |arguments: &str| {
        let mut command = tool.command(arguments);
        command.env_remove("OFFPEAK_ENDPOINT");
        Ran::from(command.output().expect("it runs"))
    };
    with_own_endpoint("--endpoint http://one:1 --tenant acme context set one").ends_with(0);
    with_own_endpoint("--endpoint http://two:2 context set two").ends_with(0);
    with_own_endpoint("context use two")
        .complains(&expect![[r"
            context/two is the current one
        "]])
        .ends_with(0);
    with_own_endpoint("context list")
        .prints(&expect![[r#"
            NAME   ENDPOINT       TENANT
            one    http://one:1   acme
        *   two    http://two:2   -
    "#]])
        .ends_with(0);
    with_own_endpoint("--context three node list").ends_with(3);
    with_own_endpoint("context remove two").ends_with(0);
    with_own_endpoint("context list -o json")
        .prints(&expect![[r#"
        [
          {
            "name": "one",
            "current": false,
            "endpoint": "http://one:1",
            "tenant": "acme"
          }
        ]
    "#]])
        .ends_with(0);
}

#[tokio::test]
async fn help_shows_the_way() {
    let tool = Tool::at("http://127.0.0.1:1");
    tool.run("--help").await.prints(&expect![[r#"
        Offpeak lends the idle part of a fleet to those whose jobs can wait

        Usage: offpeak [OPTIONS] <COMMAND>

        Commands:
          node        Machines that their owners lend to the cell [alias: nodes]
          owner       Whoever lends nodes: what risk they take, and their calendars [alias: owners]
          tenant      Customers whose jobs the cell runs [alias: tenants]
          job         What tenants want to have run [alias: jobs]
          alloc       Which task holds part of which node [alias: allocs]
          events      Print events: every committed fact, in order
          cell        Show what the fleet has, uses and lends [alias: status]
          top         Watch the cell live
          forecast    Show what is idle, and for how long
          cost        Show what jobs have cost
          statement   What tenants are charged and what owners get [alias: statements]
          price       What capacity costs [alias: prices]
          submit      Submit a job (short for `job submit`)
          plan        Say what submitting a job would come to
          eta         Say when a job would start
          why         Say why a job waits, and what would let it start
          ps          List allocations (short for `alloc list`)
          apply       Make the cell have what files describe
          diff        Say what applying files would change
          schema      Print the JSON schema of the files that `apply` and `submit -f` read
          admin       For whoever runs the cell
          bench       Measure how fast a cell takes and places jobs
          context     Keep several servers at hand [alias: contexts]
          completion  Print a completion script, such as `offpeak completion bash >> ~/.bashrc`
          help        Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Global options:
              --endpoint <URL>      The server, as http://HOST:PORT [default: that of the context, else http://127.0.0.1:7470] [env: OFFPEAK_ENDPOINT]
              --context <NAME>      Use this context instead of the current one [env: OFFPEAK_CONTEXT]
          -t, --tenant <NAME>       The tenant [default: that of the context] [env: OFFPEAK_TENANT]
          -o, --output <FORMAT>     How to print: table, wide, json, jsonl, yaml or name; statements and forecasts also csv [default: table]
              --timeout <DURATION>  How long to wait for an answer; for `job wait`, for the job [default: 30s; job wait: no limit]
              --no-color            No colours (also with NO_COLOR set)
          -q, --quiet               No messages besides errors

        Examples:
          offpeak node register a1 --owner web --region eu --cpu 64 --memory 256GiB
          offpeak tenant create acme --quota-cpu 500
          offpeak submit acme/train --count 8 --cpu 4 --memory 16GiB --min-runtime 1h
          offpeak job wait acme/train
          offpeak events --follow

        Exit codes:
          0 ok  1 failure  2 usage  3 not found  4 denied  5 conflict  6 pending at timeout
          7 server unavailable  8 job failed  130 interrupted

        Run `offpeak help COMMAND` for more about a command.
    "#]]).ends_with(0);
}

#[tokio::test]
async fn a_bench_measures_and_cleans_up() {
    let (tool, fake) = tool_and_fake().await;
    for mode in ["unary", "stream"] {
        let ran = tool
            .run(&format!(
                "bench --nodes 3 --jobs 25 --in-flight 4 --connections 2 --batch 10 --watchers 0 --mode {mode} -o json"
            ))
            .await;
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a report");
        assert_eq!(report["accepted"], 25, "{}", ran.stderr);
        assert_eq!(report["refused"], 0);
        ran.ends_with(0);
        let state = fake.state();
        assert!(state.nodes.is_empty());
        assert!(state.tenants.is_empty());
    }
}

#[tokio::test]
async fn load_is_read_from_lines() {
    let (tool, _fake) = tool_and_fake().await;
    let samples = "{\"node\": \"a\", \"load\": {\"cpuMillis\": \"5\"}}\n\n{\"node\": \"b\"}\n";
    tool.run_with_input("node report-load -f -", samples)
        .await
        .prints(&expect![[r"
            load: accepted 2, ignored 0
        "]])
        .ends_with(0);
    tool.run_with_input("node report-load -f -", "{\"node\": \"a\"}\n{\"nod\": 1}\n")
        .await
        .complains(&expect![[r#"
            error: stdin:2: unrecognized field name 'nod' at line 1 column 6
            hint: each line is a LoadSample as JSON
        "#]])
        .ends_with(1);
}

#[tokio::test]
async fn a_job_says_what_it_waits_for() {
    let (tool, fake) = tool_and_fake().await;
    let counts = TaskCounts { pending: 2, placed: 1, running: 1, ..TaskCounts::default() };
    let mut waiting = job(JobState::Running, counts);
    let mut reason = PendingReason {
        dimension: "gpus".to_owned(),
        nodes: 1234,
        smallest_shortfall: 500,
        ..PendingReason::default()
    };
    reason.set_blocker(offpeak::v1::Blocker::Capacity);
    waiting.pending_reasons.push(reason);
    reason = PendingReason { nodes: 1, ..PendingReason::default() };
    reason.set_blocker(offpeak::v1::Blocker::NodeState);
    waiting.pending_reasons.push(reason);
    fake.state().job_steps.push_back(waiting);
    tool.run("job get train -t acme")
        .await
        .prints(&expect![[r#"
            Name:         train
            Tenant:       acme
            Id:           0
            State:        running
            Tasks:        2 pending, 1 placed (1 running)
            Evictions:    0
            Each task:    cpu 0.5
            Where:        anywhere
            Priority:     0
            Gang:         no
            Min runtime:  -
            Max runtime:  -
            Notice:       -
            On notice:    stays
            Deadline:     -
            Complete by:  -
            Labels:       -
            Created:      -
            Ended:        -
            Revision:     0
            Waits for:    capacity (gpus): 1,234 nodes; the least short lacks 0.5
                          node-state: 1 node
        "#]])
        .ends_with(0);
}

#[tokio::test]
async fn the_cell_is_shown_per_region() {
    let (tool, fake) = tool_and_fake().await;
    let amount = |cpu_millis, gib: u64, gpu_millis| {
        Some(Resources { cpu_millis, memory_bytes: gib << 30, gpu_millis, ..Resources::default() })
    };
    let region = |name: &str, scale: u64| Capacity {
        region: name.to_owned(),
        nodes: 1200 * scale,
        ready_nodes: 1190 * scale,
        capacity: amount(76_800_000 * scale, 307_200 * scale, 0),
        owner_load: amount(30_720_500 * scale, 100_000 * scale, 0),
        held_back: amount(38_400_000 * scale, 150_000 * scale, 0),
        lent: amount(20_000_000 * scale, 80_000 * scale, 0),
        headroom: amount(18_400_000 * scale, 77_200 * scale, 0),
        allocations: 40_000 * scale,
        overcommitted_nodes: 3,
    };
    let mut total = region("", 2);
    for amount in [&mut total.capacity, &mut total.headroom].into_iter().flatten() {
        amount.gpu_millis = 64_000;
    }
    fake.state().capacity = GetCapacityResponse {
        total: Some(total),
        regions: vec![region("eu", 1), region("us", 1)],
        pending: amount(5_000, 20, 500),
        pending_tasks: 10,
        pending_jobs: 2,
        revision: 123_456,
    };
    tool.run("cell").await.prints(&expect![[r#"
        REGION   NODES   READY   RESOURCE   CAPACITY       OWNERS USE       HELD BACK             LENT         HEADROOM
        eu       1,200   1,190   cpu           76800   30720.5  (40%)    38400  (50%)     20000  (26%)     18400  (23%)
                                 memory       300TiB   97.6TiB  (32%)   146TiB  (48%)   78.1TiB  (26%)   75.3TiB  (25%)
        us       1,200   1,190   cpu           76800   30720.5  (40%)    38400  (50%)     20000  (26%)     18400  (23%)
                                 memory       300TiB   97.6TiB  (32%)   146TiB  (48%)   78.1TiB  (26%)   75.3TiB  (25%)
        total    2,400   2,380   cpu          153600     61441  (40%)    76800  (50%)     40000  (26%)     36800  (23%)
                                 memory       600TiB    195TiB  (32%)   292TiB  (48%)    156TiB  (26%)    150TiB  (25%)
                                 gpus             64         0   (0%)        0   (0%)         0   (0%)        64 (100%)

        Cell:           fake, offpeakd -, up for -
        Allocations:    80,000
        Overcommitted:  3 nodes
        Pending:        10 tasks of 2 jobs: cpu 5, memory 20GiB, gpus 0.5
        Revision:       123,456
    "#]]).ends_with(0);
}

/// A region of which less is idle the longer it is to be.
fn idle(region: &str, gpu_millis: u64) -> IdleProfile {
    let amount = |percent: u64| {
        let (cpu_millis, memory_bytes) = (76_800 * 10 * percent, (3_072_u64 << 30) / 100 * percent);
        let gpu_millis = gpu_millis / 100 * percent;
        Some(Resources { cpu_millis, memory_bytes, gpu_millis, ..Resources::default() })
    };
    let horizon = |(seconds, percent)| IdleHorizon {
        horizon: Some(prost_types::Duration { seconds, nanos: 0 }),
        headroom: amount(percent),
        ..IdleHorizon::default()
    };
    IdleProfile {
        region: region.to_owned(),
        nodes: 1_200,
        ready_nodes: 1_199,
        forecast_nodes: 1_000,
        plain_rule_nodes: 190,
        unreported_nodes: 10,
        capacity: amount(100),
        owner_load: amount(20),
        lent: amount(10),
        horizons: [(300, 60), (3_600, 55), (21_600, 30), (86_400, 5)].map(horizon).to_vec(),
        ..IdleProfile::default()
    }
}

#[tokio::test]
async fn what_is_idle_is_shown_with_how_long() {
    let (tool, fake) = tool_and_fake().await;
    fake.state().idle = GetIdleProfileResponse {
        total: Some(idle("", 64_000)),
        profiles: vec![idle("eu", 64_000), idle("us", 0)],
        revision: 123_456,
    };
    tool.run("forecast")
        .await
        .prints(&expect![[r#"
        FOR            CPU          MEMORY          GPUS
        5m    46080  (60%)   1.7TiB  (60%)   38.4  (60%)
        1h    42240  (55%)   1.6TiB  (55%)   35.2  (55%)
        6h    23040  (30%)   921GiB  (30%)   19.2  (30%)
        24h    3840   (5%)   153GiB   (5%)    3.2   (5%)

        Regions:     eu, us
        Capacity:    cpu 76800, memory 2.9TiB, gpus 64
        Owners use:  cpu 15360, memory 614GiB, gpus 12.8
        Lent:        cpu 7680, memory 307GiB, gpus 6.4
        Forecast:    1,000 of 1,200 nodes; not yet: 190 by the plain rule, 10 without load reports
        Not ready:   1 node, lending nothing now
        Revision:    123,456
    "#]])
        .ends_with(0);
    tool.run("forecast -o name")
        .await
        .prints(&expect![[r#"
        region/eu
        region/us
    "#]])
        .ends_with(0);
    let young = IdleProfile {
        ready_nodes: 1_200,
        forecast_nodes: 0,
        plain_rule_nodes: 1_200,
        unreported_nodes: 0,
        ..idle("", 0)
    };
    fake.state().idle.total = Some(young);
    tool.run("forecast us")
        .await
        .prints(&expect![[r#"
        FOR            CPU          MEMORY
        5m    46080  (60%)   1.7TiB  (60%)
        1h    42240  (55%)   1.6TiB  (55%)
        6h    23040  (30%)   921GiB  (30%)
        24h    3840   (5%)   153GiB   (5%)

        Region:      us
        Capacity:    cpu 76800, memory 2.9TiB
        Owners use:  cpu 15360, memory 614GiB
        Lent:        cpu 7680, memory 307GiB
        Forecast:    0 of 1,200 nodes; not yet: 1,200 by the plain rule
        Revision:    123,456
    "#]])
        .ends_with(0);
}

/// Hours from 23:00 of a Thursday in universal time, less and less idle.
fn hours(has: &Resources) -> Vec<IdleHour> {
    let part = |percent: u64| {
        let cpu_millis = has.cpu_millis / 100 * percent;
        let memory_bytes = has.memory_bytes / 100 * percent;
        Some(Resources { cpu_millis, memory_bytes, ..Resources::default() })
    };
    let hour = |(hour, percent): (i64, u64)| IdleHour {
        start: Some(prost_types::Timestamp { seconds: 1_795_734_000 + hour * 3_600, nanos: 0 }),
        forecast_nodes: 1_000,
        idle_p50: part(percent),
        idle_p95: part(percent - 10),
        idle_p99: part(percent - 15),
    };
    [(0, 80), (1, 60), (2, 40)].map(hour).to_vec()
}

#[tokio::test]
async fn the_coming_hours_are_shown_by_the_clocks_that_were_asked_for() {
    let (tool, fake) = tool_and_fake().await;
    let mut profile = idle("eu", 0);
    profile.hours = hours(profile.capacity.as_ref().expect("there is some"));
    let total = IdleProfile { region: String::new(), ..profile.clone() };
    fake.state().idle =
        GetIdleProfileResponse { total: Some(total), profiles: vec![profile], revision: 7 };
    tool.run("forecast eu --time-zone Asia/Kolkata")
        .await
        .prints(&expect![[r#"
        FOR            CPU          MEMORY
        5m    46080  (60%)   1.7TiB  (60%)
        1h    42240  (55%)   1.6TiB  (55%)
        6h    23040  (30%)   921GiB  (30%)
        24h    3840   (5%)   153GiB   (5%)

             HOUR   CPU P99     P95     P50
        Fri 04:30     49920   53760   61440
            05:30     34560   38400   46080
            06:30     19200   23040   30720

        Region:      eu
        Capacity:    cpu 76800, memory 2.9TiB
        Owners use:  cpu 15360, memory 614GiB
        Lent:        cpu 7680, memory 307GiB
        Forecast:    1,000 of 1,200 nodes; not yet: 190 by the plain rule, 10 without load reports
        Not ready:   1 node, lending nothing now
        Time zone:   Asia/Kolkata
        Revision:    7
    "#]])
        .ends_with(0);
    tool.run("forecast eu -o wide --time-zone UTC")
        .await
        .prints(&expect![[r#"
        FOR            CPU          MEMORY
        5m    46080  (60%)   1.7TiB  (60%)
        1h    42240  (55%)   1.6TiB  (55%)
        6h    23040  (30%)   921GiB  (30%)
        24h    3840   (5%)   153GiB   (5%)

             HOUR   CPU P99     P95     P50   MEMORY P99      P95      P50
        Thu 23:00     49920   53760   61440       1.9TiB     2TiB   2.3TiB
        Fri 00:00     34560   38400   46080       1.3TiB   1.4TiB   1.7TiB
            01:00     19200   23040   30720       767GiB   921GiB   1.1TiB

        Region:      eu
        Capacity:    cpu 76800, memory 2.9TiB
        Owners use:  cpu 15360, memory 614GiB
        Lent:        cpu 7680, memory 307GiB
        Forecast:    1,000 of 1,200 nodes; not yet: 190 by the plain rule, 10 without load reports
        Not ready:   1 node, lending nothing now
        Time zone:   UTC
        Revision:    7
    "#]])
        .ends_with(0);
    tool.run("forecast eu -o csv").await.prints(&expect![[r#"
        region,node,start,resource,capacity,idle_p50,idle_p95,idle_p99
        eu,,2026-11-26T23:00:00Z,cpu_millis,76800000,61440000,53760000,49920000
        eu,,2026-11-26T23:00:00Z,memory_bytes,3298534883300,2638827906640,2308974418310,2144047674145
        eu,,2026-11-27T00:00:00Z,cpu_millis,76800000,46080000,38400000,34560000
        eu,,2026-11-27T00:00:00Z,memory_bytes,3298534883300,1979120929980,1649267441650,1484340697485
        eu,,2026-11-27T01:00:00Z,cpu_millis,76800000,30720000,23040000,19200000
        eu,,2026-11-27T01:00:00Z,memory_bytes,3298534883300,1319413953320,989560464990,824633720825
    "#]]).ends_with(0);
    tool.run("forecast eu --time-zone Mars").await.complains(&expect![[r#"
        error: invalid value 'Mars' for '--time-zone <ZONE>': is no time zone such as Europe/Berlin or UTC

        For more information, try '--help'.
    "#]]).ends_with(2);
}

#[tokio::test]
async fn a_region_without_nodes_is_told_from_those_that_have_some() {
    let (tool, fake) = tool_and_fake().await;
    tool.run("forecast mars")
        .await
        .complains(&expect![[r#"
        error: region "mars" does not exist
        hint: no node names a region
    "#]])
        .ends_with(3);
    tool.run("forecast")
        .await
        .complains(&expect![[r#"
        nothing found
    "#]])
        .ends_with(0);
    let region = |name: &str| Capacity { region: name.to_owned(), ..Capacity::default() };
    fake.state().capacity.regions = vec![region(""), region("eu"), region("us")];
    tool.run("forecast mars")
        .await
        .complains(&expect![[r#"
        error: region "mars" does not exist
        hint: there are nodes in eu, us
    "#]])
        .ends_with(3);
    tool.run("forecast us --zone us-9")
        .await
        .complains(&expect![[r#"
        nothing found
    "#]])
        .ends_with(0);
    tool.run("forecast eu --node a").await.ends_with(2);
}
