//! What goes in and out.

use std::fs;

use expect_test::expect;

use crate::{Folder, gzip, lively};

const NODES: &str = "name,cpu_millis,memory_bytes\na,4000,4096\nb,2000,4096\n";
const TASKS: &str =
    "name,submit_s,cpu_millis,memory_bytes,count\nx,0,2000,1,2\ny,1,2000,1,\nz,2,1000,1,\n";

#[test]
fn every_task_is_told_with_its_place_or_why_it_has_none() {
    let folder = Folder::with(NODES, TASKS);
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        x/0,b,,0,placed,
        x/1,a,,0,placed,
        y,a,,1,placed,
        z,,,,pending,2 nodes now without enough cpu_millis; at least 1000 more is needed
    "#]]
    .assert_eq(&folder.decisions(""));
}

#[test]
fn gzip_and_standard_input_are_as_good_as_a_plain_file() {
    let folder = Folder::with(NODES, TASKS);
    let plain = folder.decisions("");
    folder.write("tasks.csv.gz", &gzip(TASKS));
    folder.write("nodes.csv.gz", &gzip(NODES));
    let packed = folder.run("--nodes nodes.csv.gz --tasks tasks.csv.gz --decisions packed.csv");
    assert!(packed.status.success());
    for (name, input) in [("piped.csv", TASKS.as_bytes()), ("both.csv", &gzip(TASKS))] {
        let arguments = format!("--nodes nodes.csv --tasks - --decisions {name}");
        assert!(folder.run_with_input(&arguments, input).status.success());
    }
    for name in ["packed.csv", "piped.csv", "both.csv"] {
        assert_eq!(fs::read_to_string(folder.path(name)).expect("decided"), plain, "{name}");
    }
}

#[test]
fn the_json_has_the_figures_of_the_run() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes,gpus,gpu_model,count.slots\n\
         a,4000,4096,2,L4,3\n\
         b,2000,4096,,,3\n",
        "name,submit_s,cpu_millis,memory_bytes,gpus,gpu_millis,count.slots\n\
         x,0,1000,1,1,600,1\n\
         y,0,1000,1,1,600,1\n\
         z,5,1000,1,1,600,1\n",
    );
    let mut json = folder.json("");
    let timings = json.as_object_mut().and_then(|json| json.remove("timings")).expect("timings");
    assert_eq!(timings["batches"], 2);
    for figure in ["deciding_seconds", "decisions_per_second"] {
        assert!(timings[figure].as_f64().expect("a number") > 0.0, "{figure}");
    }
    let micros: Vec<f64> = ["p50", "p90", "p99", "p99.9", "max"]
        .map(|percentile| timings["batch_micros"][percentile].as_f64().expect("a number"))
        .into();
    assert!(micros.is_sorted(), "{micros:?}");
    expect![[r#"
        {
          "evictions": {},
          "moved": 0,
          "nodes": {
            "total": 2,
            "used": 1,
            "used_peak": 1
          },
          "pending_reasons": [
            {
              "blocker": "capacity",
              "dimension": "gpu_millis",
              "tasks": 1
            },
            {
              "blocker": "headroom",
              "dimension": "gpu_millis",
              "tasks": 1
            }
          ],
          "resources": {
            "count.slots": {
              "allocated": 2,
              "allocated_mean": 2,
              "allocated_peak": 2,
              "capacity": 6,
              "fragmentation": 1.0
            },
            "cpu_millis": {
              "allocated": 2000,
              "allocated_mean": 2000,
              "allocated_peak": 2000,
              "capacity": 6000,
              "fragmentation": 1.0
            },
            "disk_bytes": {
              "allocated": 0,
              "allocated_mean": 0,
              "allocated_peak": 0,
              "capacity": 0,
              "fragmentation": null
            },
            "gpu_millis": {
              "allocated": 1200,
              "allocated_mean": 1200,
              "allocated_peak": 1200,
              "capacity": 2000,
              "fragmentation": 1.0
            },
            "memory_bytes": {
              "allocated": 2,
              "allocated_mean": 2,
              "allocated_peak": 2,
              "capacity": 8192,
              "fragmentation": 1.0
            },
            "network_bps": {
              "allocated": 0,
              "allocated_mean": 0,
              "allocated_peak": 0,
              "capacity": 0,
              "fragmentation": null
            }
          },
          "tasks": {
            "evicted": 0,
            "missed_deadline": 0,
            "pending": 1,
            "placed": 2,
            "refused": 0,
            "submitted": 3,
            "succeeded": 0
          }
        }
    "#]]
    .assert_eq(&format!("{json:#}\n"));
}

#[test]
fn people_get_a_table() {
    let folder = Folder::with(NODES, TASKS);
    let output = folder.run("--nodes nodes.csv --tasks tasks.csv");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let (figures, timings) = text.split_once("decisions").expect("timings come last");
    assert!(timings.contains("a batch took  p50 "), "{timings}");
    assert!(timings.contains("planner       0 runs in "), "{timings}");
    expect![[r#"
        tasks                                4
          placed                             3
          pending                            1

        waiting for                      tasks
          headroom in cpu_millis             1

        resource                capacity           allocated    share     mean     peak   fragmented
        cpu_millis                  6000                6000 100.00 %  83.33 % 100.00 %            -
        memory_bytes                8192                   3   0.04 %   0.02 %   0.04 %     100.00 %

        nodes         2 of 2 used, 2 at most
    "#]]
    .assert_eq(figures);
}

#[test]
fn faulty_files_are_told_of_and_nothing_is_simulated() {
    let folder = Folder::with("name,cpu_millis,memory_bytes\na,4k,4096\na,,1\n", TASKS);
    let output = folder.run("--nodes nodes.csv --tasks tasks.csv --decisions out.csv");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(!folder.path("out.csv").exists());
    expect![[r#"
        error: nothing was simulated

        Caused by:
          nodes.csv:2: cpu_millis: "4k" is not a whole number from 0 to 1125899906842624
          nodes.csv:3: cpu_millis: is empty; a value is needed
          nodes.csv:3: name: "a" is the name of line 2 already; names are unique
    "#]]
    .assert_eq(&String::from_utf8(output.stderr).expect("it is text"));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::with(NODES, TASKS);
    folder.write("cut.gz", &gzip(TASKS)[..30]);
    for (arguments, told) in [
        ("--nodes none.csv --tasks tasks.csv", "could not open none.csv"),
        ("--nodes nodes.csv --tasks cut.gz", "could not read cut.gz"),
        ("--nodes - --tasks -", "only one of the files can be standard input"),
        ("--nodes nodes.csv --tasks tasks.csv --decisions -", "need a file of their own"),
        ("--nodes nodes.csv --tasks tasks.csv --decisions no/out.csv", "no/out.csv"),
    ] {
        let output = folder.run_with_input(arguments, b"");
        let text = String::from_utf8(output.stderr).expect("it is text");
        assert_eq!(output.status.code(), Some(1), "{arguments}: {text}");
        assert!(text.contains(told), "{arguments}: {text}");
    }
}

#[test]
fn two_runs_decide_the_same_byte_for_byte() {
    let folder = lively();
    let first = folder.decisions("--load load.csv --notice 5s");
    let second = folder.decisions("--load load.csv --notice 5s");
    assert_eq!(first, second);
    for outcome in ["placed", "pending", "succeeded", "missed_deadline"] {
        assert!(first.contains(&format!(",{outcome},")), "{outcome} is missing");
    }
    let figures = || {
        let mut json = folder.json("--load load.csv --notice 5s");
        json.as_object_mut().expect("an object").remove("timings");
        json.to_string()
    };
    assert_eq!(figures(), figures());
}
