//! The command line tool, run as a process against a real cell: what it prints and with which code it ends.

mod answers;
mod guide;
mod ledger;
mod moving;
mod owners;
mod story;
mod tool;

use std::{path::Path, sync::Arc};

use expect_test::expect;
use offpeak_core::model::{Millis, Time};
use offpeak_server::{
    clock::ManualClock,
    config::{Config, Optional},
    driver::exit_on_fatal,
    server::{Environment, Running, Server},
};
use tempfile::TempDir;

use tool::{Ran, Tool};

/// When the cell's clock begins: 2100-01-01. What lies ahead has no age, so that ages are the same on every day.
const BEGIN: Time = Time(4_102_444_800_000);

struct Cell {
    tool: Tool,
    server: Running,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

impl Cell {
    async fn new() -> Self {
        Self::at(Arc::new(ManualClock::new(BEGIN))).await
    }

    async fn at(clock: Arc<ManualClock>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let server = start(folder.path(), &clock).await;
        let tool = Tool::at(format!("http://{}", server.address()));
        Self { tool, server, clock, folder }
    }

    /// A cell with two nodes, a tenant and a job of which two tasks run and one waits.
    async fn with_a_job() -> Self {
        let cell = Self::new().await;
        cell.run("node register a --owner web --region eu --cpu 4 --memory 16GiB")
            .await
            .ends_with(0);
        cell.run("node register b --owner web --region us --cpu 4 --memory 16GiB -l disk=ssd")
            .await
            .ends_with(0);
        cell.run("tenant create acme --quota-cpu 100").await.ends_with(0);
        let submit = "submit -t acme --name train --count 3 --cpu 3 --memory 1GiB";
        cell.run(submit).await.ends_with(0);
        cell
    }

    async fn run(&self, arguments: &str) -> Ran {
        self.tool.run(arguments).await
    }

    /// Runs commands, one a line, each of which must succeed.
    async fn play(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.run(line).await.ends_with(0);
        }
    }

    fn advance(&self, ms: u64) {
        self.clock.advance(Millis(ms));
    }

    async fn stop(self) {
        self.server.shutdown().await;
        drop(self.folder);
    }
}

async fn start(folder: &Path, clock: &Arc<ManualClock>) -> Running {
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        metrics_listen: Optional(None),
        data_dir: folder.join("data"),
        // Its plans come when they are ready, and where tasks go depends on them.
        planner_attempts: 0,
        ..Config::default()
    };
    let clock = Arc::<ManualClock>::clone(clock);
    let environment = Environment { clock, on_fatal: exit_on_fatal() };
    Server::start_in(config, environment).await.expect("a server")
}

/// Takes out how far points in time are from now.
fn without_distances(mut ran: Ran) -> Ran {
    let lines = ran.stdout.lines().map(|line| match line.split_once(" (in ") {
        Some((time, _)) => format!("{time}\n"),
        None => format!("{line}\n"),
    });
    ran.stdout = lines.collect();
    ran
}

fn without_version(mut ran: Ran) -> Ran {
    ran.stdout = ran.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    ran
}

const FLEET: &str = "\
kind: Tenant
name: acme
quota: {cpuMillis: 200000}
---
kind: Node
name: a
region: eu
capacity: {cpuMillis: 64000, memoryBytes: 274877906944}
reservation: {cpuMillis: 4000}
---
kind: Job
tenant: acme
name: train
spec:
  count: 2
  request: {cpuMillis: 500}
";

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let cell = Cell::new().await;
    cell.tool
        .run_with_input("apply -f -", FLEET)
        .await
        .prints(&expect![[r#"
        tenant/acme created
        node/a created
        job/acme/train created
    "#]])
        .ends_with(0);
    cell.tool
        .run_with_input("apply -f -", FLEET)
        .await
        .prints(&expect![[r#"
        tenant/acme unchanged
        node/a unchanged
        job/acme/train unchanged
    "#]])
        .ends_with(0);
    let changed = FLEET.replace("count: 2", "count: 5").replace("region: eu", "region: us");
    cell.tool
        .run_with_input("apply -f -", &changed)
        .await
        .prints(&expect![[r#"
        tenant/acme unchanged
        node/a updated
        job/acme/train updated
    "#]])
        .ends_with(0);
    let path = cell.tool.file("fleet.yaml", &changed);
    let apply = format!("apply -f {} -o json", path.display());
    cell.run(&apply)
        .await
        .prints(&expect![[r#"
        {
          "object": "tenant/acme",
          "outcome": "unchanged",
          "dryRun": false
        }
        {
          "object": "node/a",
          "outcome": "unchanged",
          "dryRun": false
        }
        {
          "object": "job/acme/train",
          "outcome": "unchanged",
          "dryRun": false
        }
    "#]])
        .ends_with(0);
    cell.stop().await;
}

const FAMILY: &str = "\
kind: Job
tenant: child
name: first
spec: {request: {cpuMillis: 500}}
---
kind: Job
tenant: old
name: extract
spec: {request: {cpuMillis: 500}}
---
kind: Job
tenant: old
name: train
spec: {request: {cpuMillis: 500}, dependencies: [{job: extract}]}
---
kind: Tenant
name: child
parent: family
---
kind: Tenant
name: old
parent: family
---
kind: Tenant
name: family
";

#[tokio::test]
async fn a_dry_run_takes_for_there_what_the_same_files_create() {
    let cell = Cell::new().await;
    cell.play("tenant create old").await;
    cell.tool
        .run_with_input("apply --dry-run -f -", FAMILY)
        .await
        .prints(&expect![[r#"
            tenant/family created (dry run)
            tenant/child created (dry run)
            tenant/old updated (dry run)
            job/child/first created (dry run)
            job/old/extract created (dry run)
            job/old/train created (dry run)
        "#]])
        .ends_with(0);
    cell.tool.run_with_input("apply -f -", FAMILY).await.ends_with(0);
    let wrong = FAMILY.replace("name: child\nparent", "name: late\nweight: 4000000000\nparent");
    let wrong = wrong.replace("family", "clan");
    cell.tool
        .run_with_input("apply --dry-run -f -", &wrong)
        .await
        .complains(&expect![[r#"
            error: tenant/late: tenant.weight: is 4000000000; it must be from 0 to 1000000
            error: 1 of 6 objects could not be applied
        "#]])
        .ends_with(1);
    cell.stop().await;
}

#[tokio::test]
async fn a_diff_tells_what_applying_would_change() {
    let cell = Cell::new().await;
    cell.tool
        .run_with_input("diff -f -", FLEET)
        .await
        .prints(&expect![[r#"
            tenant/acme created
            node/a created
            job/acme/train created
        "#]])
        .complains(&expect![[""]])
        .ends_with(1);
    cell.tool.run_with_input("apply -f -", FLEET).await.ends_with(0);
    let revision = cell.run("admin status -o json").await.stdout;
    cell.tool
        .run_with_input("diff -f -", FLEET)
        .await
        .prints(&expect![[r#"
        tenant/acme unchanged
        node/a unchanged
        job/acme/train unchanged
    "#]])
        .ends_with(0);
    let changed = FLEET
        .replace("count: 2", "count: 5\n  priority: 3")
        .replace("region: eu", "region: us\nlabels: {disk: ssd}\ntaints: [{key: spot}]")
        .replace("capacity: {cpuMillis: 64000, ", "capacity: {gpuMillis: 2000, ")
        .replace("cpuMillis: 500", "cpuMillis: 600");
    let changed = format!("{changed}---\nkind: Owner\nname: web\nriskPpm: 5\n");
    cell.tool
        .run_with_input("diff -f -", &changed)
        .await
        .prints(&expect![[r#"
        owner/web created
        tenant/acme unchanged
        node/a changed
          region: eu -> us
          labels.disk: unset -> ssd
          taints: unset -> [{"key":"spot"}]
          capacity.cpuMillis: 64000 -> unset
          capacity.gpuMillis: unset -> 2000
        job/acme/train changed
          spec.count: 2 -> 5
          spec.priority: unset -> 3
          spec.request.cpuMillis: 500 -> 600 (cannot be changed)
    "#]])
        .ends_with(1);
    let path = cell.tool.file("fleet.yaml", &changed);
    let diff = format!("diff -f {}", path.display());
    cell.run(&format!("{diff} -o jsonl")).await.prints(&expect![[r#"
        {"object":"owner/web","outcome":"created","changes":[]}
        {"object":"tenant/acme","outcome":"unchanged","changes":[]}
        {"object":"node/a","outcome":"updated","changes":[{"path":"region","old":"eu","new":"us","isFixed":false},{"path":"labels.disk","old":null,"new":"ssd","isFixed":false},{"path":"taints","old":null,"new":[{"key":"spot"}],"isFixed":false},{"path":"capacity.cpuMillis","old":"64000","new":null,"isFixed":false},{"path":"capacity.gpuMillis","old":null,"new":"2000","isFixed":false}]}
        {"object":"job/acme/train","outcome":"updated","changes":[{"path":"spec.count","old":2,"new":5,"isFixed":false},{"path":"spec.priority","old":null,"new":3,"isFixed":false},{"path":"spec.request.cpuMillis","old":"500","new":"600","isFixed":true}]}
    "#]]).ends_with(1);
    cell.run(&format!("{diff} -o json -q")).await.ends_with(1);
    cell.run(&format!("{diff} -o name"))
        .await
        .prints(&expect![[r#"
        owner/web
        node/a
        job/acme/train
    "#]])
        .ends_with(1);
    assert_eq!(cell.run("admin status -o json").await.stdout, revision, "nothing was changed");
    cell.run("diff -f nowhere.yaml")
        .await
        .complains(&expect![[r#"
        error: cannot read nowhere.yaml: No such file or directory (os error 2)
    "#]])
        .ends_with(2);
    cell.tool
        .run_with_input("diff -f -", "kind: Nodes\n")
        .await
        .complains(&expect![[r#"
            error: stdin:1: unknown kind "Nodes"
            hint: kind is one of Owner, Tenant, Node, Job, JobTemplate
        "#]])
        .ends_with(2);
    cell.run("diff").await.ends_with(2);
    cell.stop().await;
}

#[tokio::test]
async fn nodes_are_listed_in_every_format() {
    let cell = Cell::with_a_job().await;
    cell.run("node list").await.prints(&expect![[r#"
        NAME   STATE   OWNER   REGION   ZONE   CPU   MEMORY   GPUS   FREE CPU   FREE MEMORY   TASKS   AGE
        a      ready   web     eu       -        4    16GiB      0          1         15GiB       1    0s
        b      ready   web     us       -        4    16GiB      0          1         15GiB       1    0s
    "#]]).ends_with(0);
    cell.run("node list -o wide").await.prints(&expect![[r#"
        NAME   STATE   OWNER   REGION   ZONE   CPU   MEMORY   GPUS   FREE CPU   FREE MEMORY   TASKS   AGE   OWNER CPU   LENT CPU   FREE GPUS   GPU MODEL   TAINTS   LABELS
        a      ready   web     eu       -        4    16GiB      0          1         15GiB       1    0s           0          3           0   -           -        -
        b      ready   web     us       -        4    16GiB      0          1         15GiB       1    0s           0          3           0   -           -        disk=ssd
    "#]]).ends_with(0);
    cell.run("node list -o name")
        .await
        .prints(&expect![[r#"
        node/a
        node/b
    "#]])
        .ends_with(0);
    cell.run("node list -o jsonl").await.prints(&expect![[r#"
        {"name":"a","owner":"web","region":"eu","capacity":{"cpuMillis":"4000","memoryBytes":"17179869184"},"reservation":{},"state":"NODE_STATE_READY","lent":{"cpuMillis":"3000","memoryBytes":"1073741824"},"headroom":{"cpuMillis":"1000","memoryBytes":"16106127360"},"allocationCount":1,"createTime":"2100-01-01T00:00:00Z","revision":"1"}
        {"name":"b","owner":"web","region":"us","labels":{"disk":"ssd"},"capacity":{"cpuMillis":"4000","memoryBytes":"17179869184"},"reservation":{},"state":"NODE_STATE_READY","lent":{"cpuMillis":"3000","memoryBytes":"1073741824"},"headroom":{"cpuMillis":"1000","memoryBytes":"16106127360"},"allocationCount":1,"createTime":"2100-01-01T00:00:00Z","revision":"2"}
    "#]]).ends_with(0);
    cell.run("node get b -o json")
        .await
        .prints(&expect![[r#"
        {
          "name": "b",
          "owner": "web",
          "region": "us",
          "labels": {
            "disk": "ssd"
          },
          "capacity": {
            "cpuMillis": "4000",
            "memoryBytes": "17179869184"
          },
          "reservation": {},
          "state": "NODE_STATE_READY",
          "lent": {
            "cpuMillis": "3000",
            "memoryBytes": "1073741824"
          },
          "headroom": {
            "cpuMillis": "1000",
            "memoryBytes": "16106127360"
          },
          "allocationCount": 1,
          "createTime": "2100-01-01T00:00:00Z",
          "revision": "2"
        }
    "#]])
        .ends_with(0);
    cell.run("node get a -o yaml")
        .await
        .prints(&expect![[r#"
        name: a
        owner: web
        region: eu
        capacity:
          cpuMillis: "4000"
          memoryBytes: "17179869184"
        reservation: {}
        state: NODE_STATE_READY
        lent:
          cpuMillis: "3000"
          memoryBytes: "1073741824"
        headroom:
          cpuMillis: "1000"
          memoryBytes: "16106127360"
        allocationCount: 1
        createTime: "2100-01-01T00:00:00Z"
        revision: "1"
    "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn a_job_is_shown_with_what_it_waits_for() {
    let cell = Cell::with_a_job().await;
    cell.run("job list -t acme").await.prints(&expect![[r#"
        TENANT   NAME    STATE     TASKS   PENDING   PLACED   DONE   PRIORITY   EACH TASK            AGE
        acme     train   running       3         1        2      0          0   cpu 3, memory 1GiB    0s
    "#]]).ends_with(0);
    without_distances(cell.run("job get acme/train").await)
        .prints(&expect![[r#"
            Name:         train
            Tenant:       acme
            Id:           1
            State:        running
            Tasks:        1 pending, 2 placed
            Evictions:    0
            Each task:    cpu 3, memory 1GiB
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
            Created:      2100-01-01T00:00:00Z
            Ended:        -
            Revision:     4
            Waits for:    2 nodes now without enough cpu_millis; at least 2000 more is needed
                          as of revision 5
        "#]])
        .ends_with(0);
    cell.run("job get acme/train -o json")
        .await
        .prints(&expect![[r#"
            {
              "tenant": "acme",
              "name": "train",
              "spec": {
                "count": 3,
                "request": {
                  "cpuMillis": "3000",
                  "memoryBytes": "1073741824"
                }
              },
              "id": "1",
              "state": "JOB_STATE_RUNNING",
              "tasks": {
                "pending": 1,
                "placed": 2
              },
              "createTime": "2100-01-01T00:00:00Z",
              "revision": "4",
              "pendingReasons": [
                {
                  "blocker": "BLOCKER_HEADROOM",
                  "dimension": "cpu_millis",
                  "nodes": 2,
                  "smallestShortfall": "2000",
                  "message": "2 nodes now without enough cpu_millis; at least 2000 more is needed"
                }
              ],
              "reasonsRevision": "5"
            }
        "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn allocations_are_listed_with_what_they_hold() {
    let cell = Cell::with_a_job().await;
    cell.run("ps")
        .await
        .prints(&expect![[r#"
        ID   TENANT   JOB     TASK   NODE   STATE    HOLDS                AGE
         1   acme     train      0   a      placed   cpu 3, memory 1GiB    0s
         2   acme     train      1   b      placed   cpu 3, memory 1GiB    0s
    "#]])
        .ends_with(0);
    cell.run("alloc list -o name")
        .await
        .prints(&expect![[r#"
        alloc/1
        alloc/2
    "#]])
        .ends_with(0);
    cell.run("alloc list --node b -o jsonl").await.prints(&expect![[r#"
        {"id":"2","tenant":"acme","job":"train","task":1,"attempt":1,"node":"b","resources":{"cpuMillis":"3000","memoryBytes":"1073741824"},"state":"ALLOCATION_STATE_PLACED","placeTime":"2100-01-01T00:00:00Z"}
    "#]]).ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn tenants_and_the_cell_are_summed_up() {
    let cell = Cell::with_a_job().await;
    cell.run("tenant list")
        .await
        .prints(&expect![[r#"
            NAME   WEIGHT   TASKS   PLACED     CPU   MEMORY   GPUS   FAIR   SHARE   AGE
            acme        1       3        2   9/100     3GiB      0   100%     75%    0s
        "#]])
        .ends_with(0);
    cell.run("tenant get acme -o yaml")
        .await
        .prints(&expect![[r#"
            name: acme
            quota:
              cpuMillis: "100000"
            weight: 1
            priorityCeiling: 1000
            usage:
              requested:
                cpuMillis: "9000"
                memoryBytes: "3221225472"
              requestedTasks: "3"
              held:
                cpuMillis: "6000"
                memoryBytes: "2147483648"
              heldTasks: "2"
            createTime: "2100-01-01T00:00:00Z"
            revision: "3"
            totalUsage:
              requested:
                cpuMillis: "9000"
                memoryBytes: "3221225472"
              requestedTasks: "3"
              held:
                cpuMillis: "6000"
                memoryBytes: "2147483648"
              heldTasks: "2"
            share:
              fairMillionths: 1000000
              heldMillionths: 750000
            borrowed:
              cpuMillis: "6000"
              memoryBytes: "2147483648"
            decayedUsage: {}
            effectivePriorityCeiling: 1000
        "#]])
        .ends_with(0);
    without_version(cell.run("cell").await).prints(&expect![[r#"
        REGION   NODES   READY   RESOURCE   CAPACITY   OWNERS USE   HELD BACK          LENT       HEADROOM
        eu           1       1   cpu               4     0   (0%)    0   (0%)      3  (75%)       1  (25%)
                                 memory        16GiB    0B   (0%)   0B   (0%)   1GiB   (6%)   15GiB  (93%)
        us           1       1   cpu               4     0   (0%)    0   (0%)      3  (75%)       1  (25%)
                                 memory        16GiB    0B   (0%)   0B   (0%)   1GiB   (6%)   15GiB  (93%)
        total        2       2   cpu               8     0   (0%)    0   (0%)      6  (75%)       2  (25%)
                                 memory        32GiB    0B   (0%)   0B   (0%)   2GiB   (6%)   30GiB  (93%)

        Cell:         default, offpeakd VERSION, up for 0s
        Allocations:  2
        Pending:      1 task of 1 job: cpu 3, memory 1GiB
        Revision:     5
    "#]]).ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn what_is_idle_is_told_with_how_long() {
    let cell = Cell::with_a_job().await;
    cell.run("node report-load b --cpu 0.5").await.ends_with(0);
    cell.run("forecast")
        .await
        .prints(&expect![[r#"
        FOR           CPU         MEMORY
        5m    1.45  (18%)   30GiB  (93%)
        1h    1.45  (18%)   30GiB  (93%)
        6h    1.45  (18%)   30GiB  (93%)
        24h   1.45  (18%)   30GiB  (93%)

        Regions:     eu, us
        Capacity:    cpu 8, memory 32GiB
        Owners use:  cpu 0.5
        Lent:        cpu 6, memory 2GiB
        Forecast:    0 of 2 nodes; not yet: 1 by the plain rule, 1 without load reports
        Revision:    6
    "#]])
        .ends_with(0);
    cell.run("forecast --node b")
        .await
        .prints(&expect![[r#"
        FOR           CPU         MEMORY
        5m    0.45  (11%)   15GiB  (93%)
        1h    0.45  (11%)   15GiB  (93%)
        6h    0.45  (11%)   15GiB  (93%)
        24h   0.45  (11%)   15GiB  (93%)

        Node:        b
        Capacity:    cpu 4, memory 16GiB
        Owners use:  cpu 0.5
        Lent:        cpu 3, memory 1GiB
        Forecast:    0 of 1 node; not yet: 1 by the plain rule
        Revision:    6
    "#]])
        .ends_with(0);
    cell.run("forecast --owner web -o name")
        .await
        .prints(&expect![[r#"
            region/eu
            region/us
        "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn what_is_idle_is_told_to_machines() {
    let cell = Cell::with_a_job().await;
    cell.run("node report-load b --cpu 0.5").await.ends_with(0);
    let mut told = cell.run("forecast us -o yaml").await;
    told.stdout = without_hours(&told.stdout);
    told.prints(&expect![[r#"
            total:
              nodes: "1"
              readyNodes: "1"
              plainRuleNodes: "1"
              capacity:
                cpuMillis: "4000"
                memoryBytes: "17179869184"
              ownerLoad:
                cpuMillis: "500"
              lent:
                cpuMillis: "3000"
                memoryBytes: "1073741824"
              horizons:
              - horizon: 300s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
              - horizon: 3600s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
              - horizon: 21600s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
              - horizon: 86400s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
            profiles:
            - region: us
              nodes: "1"
              readyNodes: "1"
              plainRuleNodes: "1"
              capacity:
                cpuMillis: "4000"
                memoryBytes: "17179869184"
              ownerLoad:
                cpuMillis: "500"
              lent:
                cpuMillis: "3000"
                memoryBytes: "1073741824"
              horizons:
              - horizon: 300s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
              - horizon: 3600s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
              - horizon: 21600s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
              - horizon: 86400s
                bound:
                  cpuMillis: "550"
                heldBack:
                  cpuMillis: "550"
                headroom:
                  cpuMillis: "450"
                  memoryBytes: "16106127360"
            revision: "6"
        "#]])
        .ends_with(0);
    cell.stop().await;
}

/// YAML without what stands under any `hours:`, for when they begin depends on when this runs. There are two.
fn without_hours(text: &str) -> String {
    assert_eq!(text.matches("start: ").count(), 2 * 24);
    assert_eq!(text.matches("idleP99:").count(), 2 * 24);
    let mut kept = String::new();
    let mut under = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let is_item = line.trim_start().starts_with("- ");
        if under.is_some_and(|under| indent > under || indent == under && is_item) {
            continue;
        }
        under = (line.trim() == "hours:").then_some(indent);
        if under.is_none() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[tokio::test]
async fn what_is_not_there_has_no_profile() {
    let cell = Cell::with_a_job().await;
    cell.run("forecast moon")
        .await
        .complains(&expect![[r#"
        error: region "moon" does not exist
        hint: there are nodes in eu, us
    "#]])
        .ends_with(3);
    cell.run("forecast --node stranger")
        .await
        .complains(&expect![[r#"
        error: node "stranger" does not exist
    "#]])
        .ends_with(3);
    cell.run("forecast a/b").await.complains(&expect![[r#"
        error: regions[0]: has the character '/' at byte 1; letters, digits, '-', '_' and '.' are allowed
    "#]]).ends_with(1);
    cell.stop().await;
}

#[tokio::test]
async fn events_tell_what_happened() {
    let cell = Cell::with_a_job().await;
    cell.run("node drain b --grace 1m").await.ends_with(0);
    cell.clock.advance(Millis::MINUTE);
    // Whatever is due comes before the next command.
    cell.run("job cancel acme/train").await.ends_with(0);
    cell.run("events").await.prints(&expect![[r#"
        1         2100-01-01T00:00:00Z  node_registered     a cpu 4, memory 16GiB
        2         2100-01-01T00:00:00Z  node_registered     b cpu 4, memory 16GiB
        3         2100-01-01T00:00:00Z  tenant_created      acme
        4         2100-01-01T00:00:00Z  job_submitted       acme/train 3 x cpu 3, memory 1GiB
        5         2100-01-01T00:00:00Z  tasks_placed        acme/train 2 tasks on a, b (tightest fit)
        6         2100-01-01T00:00:00Z  node_state_changed  b draining until 2100-01-01T00:01:00Z
        6         2100-01-01T00:00:00Z  notice_given        acme/train[1] on b node-drained, until 2100-01-01T00:01:00Z
        7         2100-01-01T00:01:00Z  task_evicted        acme/train[1] on b node-drained
        8         2100-01-01T00:01:00Z  task_ended          acme/train[0] on a cancelled
        8         2100-01-01T00:01:00Z  task_ended          acme/train[1] cancelled
        8         2100-01-01T00:01:00Z  job_ended           acme/train cancelled
    "#]]).ends_with(0);
    cell.run("events --kinds job_ended,task_evicted -o jsonl")
        .await
        .prints(&expect![[r#"
            {"revision":"7","time":"2100-01-01T00:01:00Z","taskEvicted":{"tenant":"acme","job":"train","task":1,"allocationId":"2","node":"b","reason":"EVICTION_REASON_NODE_DRAINED"}}
            {"revision":"8","time":"2100-01-01T00:01:00Z","jobEnded":{"tenant":"acme","job":"train","state":"JOB_STATE_CANCELLED"}}
        "#]])
        .ends_with(0);
    cell.stop().await;
}

#[tokio::test]
async fn every_failure_has_its_exit_code() {
    let cell = Cell::with_a_job().await;
    let run = |arguments: &'static str| cell.run(arguments);
    run("tenant create acme")
        .await
        .complains(&expect![[r#"
        error: tenant "acme" exists already
    "#]])
        .ends_with(5);
    run("node register bad/name --cpu 1").await.complains(&expect![[r#"
        error: nodes[0].name: has the character '/' at byte 3; letters, digits, '-', '_' and '.' are allowed
    "#]]).ends_with(1);
    run("node list --limit none").await.ends_with(2);
    run("job get acme/none")
        .await
        .complains(&expect![[r#"
        error: job "none" of tenant "acme" does not exist
    "#]])
        .ends_with(3);
    run("node remove a")
        .await
        .complains(&expect![[r#"
            error: node "a" has 1 allocations: drain it first, or force the removal
        "#]])
        .ends_with(5);
    let over = "submit -t acme --name more --count 50 --cpu 3";
    run(over)
        .await
        .complains(&expect![[r#"
            error: tenant "acme" would use 159000 of cpu_millis, more than its quota of 100000
        "#]])
        .ends_with(1);
    run("job wait acme/train --timeout 10ms -q")
        .await
        .complains(&expect![[r#"
        error: job/acme/train is not there yet: 1 pending, 2 placed
          2 nodes now without enough cpu_millis; at least 2000 more is needed
        hint: the job goes on; see `offpeak job get acme/train`
    "#]])
        .ends_with(6);
    run("job cancel acme/train -q").await.ends_with(0);
    run("job wait acme/train -q")
        .await
        .complains(&expect![[r#"
        error: job/acme/train cancelled: 3 cancelled
    "#]])
        .ends_with(8);
    run("events --since 999999")
        .await
        .complains(&expect![[r#"
        error: this revision has not been committed: the newest one is 6
    "#]])
        .ends_with(1);
    let Cell { tool, server, folder, .. } = cell;
    server.shutdown().await;
    drop(folder);
    let endpoint = tool.endpoint.clone();
    let ran = tool.run("node list").await;
    assert!(ran.stderr.contains(&endpoint), "{}", ran.stderr);
    ran.ends_with(7);
}

#[tokio::test]
async fn no_escape_sequence_reaches_a_file() {
    let cell = Cell::with_a_job().await;
    for arguments in ["node list", "cell", "node get none", "job get acme/train", "--help"] {
        for (variable, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color")] {
            let mut command = cell.tool.command(arguments);
            command.env(variable, value);
            let output = tokio::task::spawn_blocking(move || command.output());
            let output = output.await.expect("no panic").expect("it runs");
            assert!(
                !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
                "{arguments}"
            );
        }
    }
    cell.stop().await;
}

#[tokio::test]
async fn completions_know_the_commands() {
    let tool = Tool::at("http://127.0.0.1:1");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = tool.run(&format!("completion {shell}")).await;
        for command in ["submit", "tenant", "report-load"] {
            assert!(ran.stdout.contains(command), "{shell} does not know {command}");
        }
        ran.ends_with(0);
    }
}

#[tokio::test]
async fn top_prints_one_screen_without_keys_and_of_a_tenant_that_is_there() {
    let cell = Cell::with_a_job().await;
    cell.run("top --once")
        .await
        .prints(&expect![[r#"
        default  2 of 2 nodes ready  2 allocations  1 task waiting  revision 5
        cpu    [===============================...........] owners   0% + lent  75% of 8
        memory [==....................................] owners   0% + lent   6% of 32GiB

        JOB                               WAITING     PLACED  EACH TASK
        acme/train                              1          2  cpu 3, memory 1GiB
    "#]])
        .ends_with(0);
    cell.run("top --once -t nobody")
        .await
        .complains(&expect![[r#"
        error: tenant "nobody" does not exist
    "#]])
        .ends_with(3);
    cell.run("top --once -o json").await.complains(&expect![[r#"
        error: top draws a screen and knows no other format
        hint: offpeak cell, job list, tenant list and events print what it shows as data, such as with -o json
    "#]]).ends_with(2);
    cell.stop().await;
}

#[tokio::test]
async fn annotations_and_the_end_of_a_grace_are_shown() {
    let cell = Cell::with_a_job().await;
    let described = "\
kind: Tenant
name: acme
quota: {cpuMillis: 100000}
annotations: {contact: ops@acme}
---
kind: Owner
name: web
labels: {tier: gold}
annotations: {contact: ops@web, note: weekends}
---
kind: Node
name: a
owner: web
region: eu
capacity: {cpuMillis: 4000, memoryBytes: 17179869184}
annotations: {rack: \"7\"}
";
    cell.tool.run_with_input("apply -f -", described).await.ends_with(0);
    cell.run("job cancel acme/train --grace 2m").await.ends_with(0);
    let mut all = String::new();
    for (command, wanted) in [
        ("tenant get acme", &["Annotations:", "Requested:", "Held:"][..]),
        ("owner get web", &["Labels:", "Annotations:", " "]),
        ("node get a", &["Annotations:"]),
        ("job get acme/train", &["Tasks:", "Cancelled:"]),
    ] {
        all += &lines_of(cell.run(command).await, wanted);
    }
    expect![[r#"
        Requested:         2 tasks: cpu 6, memory 2GiB
        Held:              2 tasks: cpu 6, memory 2GiB
        Annotations:       contact: ops@acme
        Labels:       tier=gold
        Annotations:  contact: ops@web
                      note: weekends
        Annotations:  rack: 7
        Tasks:        2 placed, 1 cancelled
        Cancelled:    the last task ends at 2100-01-01T00:02:00Z
    "#]]
    .assert_eq(&all);
    cell.stop().await;
}

/// The lines of a page that begin so, without how far points in time are from now.
fn lines_of(shown: Ran, beginnings: &[&str]) -> String {
    let shown = without_distances(shown).stdout;
    let wanted = |line: &&str| beginnings.iter().any(|beginning| line.starts_with(beginning));
    shown.lines().filter(wanted).map(|line| format!("{line}\n")).collect()
}
