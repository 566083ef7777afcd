//! What happens on the virtual clock.

use expect_test::expect;

use crate::Folder;

const NODE: &str = "name,cpu_millis,memory_bytes\na,1000,1000\n";

#[test]
fn a_task_runs_exactly_its_time_and_makes_room_for_the_next() {
    let folder = Folder::with(
        NODE,
        "name,submit_s,cpu_millis,memory_bytes,max_runtime_s\n\
         first,0,1000,1,90.5\n\
         second,10,1000,1,30\n\
         third,20,1000,1,\n",
    );
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        first,a,,0,succeeded,
        second,a,,90.501,succeeded,
        third,a,,120.502,placed,
    "#]]
    .assert_eq(&folder.decisions(""));
    let json = folder.json("");
    assert_eq!(json["tasks"]["succeeded"], 2);
    assert_eq!(json["nodes"]["used_peak"], 1);
}

#[test]
fn rows_arrive_by_their_time_and_are_told_in_the_order_of_the_file() {
    let folder = Folder::with(
        NODE,
        "name,submit_s,cpu_millis,memory_bytes\nlate,5,1000,1\nearly,0.5,1000,1\n",
    );
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        late,,,,pending,1 node now without enough cpu_millis; at least 1000 more is needed
        early,a,,0.5,placed,
    "#]]
    .assert_eq(&folder.decisions(""));
}

#[test]
fn higher_priority_displaces_only_what_may_be_displaced() {
    let tasks = |preemptible: &str| {
        format!(
            "name,submit_s,cpu_millis,memory_bytes,priority,preemptible\n\
             low,0,1000,1,0,{preemptible}\n\
             high,60,1000,1,5,\n"
        )
    };
    let displaced = Folder::with(NODE, &tasks("true")).decisions("--notice 30s");
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        low,a,,0,evicted,preempted. 1 node now without enough cpu_millis; at least 1000 more is needed
        high,a,,90,placed,
    "#]]
    .assert_eq(&displaced);
    let kept = Folder::with(NODE, &tasks("false")).decisions("--notice 30s");
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        low,a,,0,placed,
        high,,,,pending,1 node now without enough cpu_millis; at least 1000 more is needed
    "#]]
    .assert_eq(&kept);
}

#[test]
fn an_owner_that_returns_takes_its_node_back() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes\na,1000,1000\nb,2000,2000\n",
        "name,submit_s,cpu_millis,memory_bytes\nx,0,900,1\n",
    );
    folder.write("load.csv", b"step,a,b\n0,,900\n1,500,\n");
    let arguments = "--load load.csv --load-step 60 --notice 30s --forecast-margin-permille 0";
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        x,a,,0,evicted,owner_returned. 2 nodes now without enough cpu_millis; at least 400 more is needed
    "#]]
    .assert_eq(&folder.decisions(arguments));
    assert_eq!(folder.json(arguments)["evictions"]["owner_returned"], 1);
}

#[test]
fn what_moves_before_its_notice_ends_is_told() {
    let folder = |on_notice: &str| {
        Folder::with(
            "name,cpu_millis,memory_bytes,region\na,1000,1000,eu\nb,1000,1000,us\n",
            &format!(
                "name,submit_s,cpu_millis,memory_bytes,regions,priority,on_notice\n\
                 low,0,1000,1,,,{on_notice}\n\
                 high,60,1000,1,eu,5,\n"
            ),
        )
    };
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        low,b,,60,placed,
        high,a,,60,placed,
    "#]]
    .assert_eq(&folder("move").decisions("--notice 30s"));
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        low,b,,90,placed,
        high,a,,90,placed,
    "#]]
    .assert_eq(&folder("stay").decisions("--notice 30s"));
    let told = |json: serde_json::Value| (json["moved"].clone(), json["evictions"].clone());
    let preempted = serde_json::json!({ "preempted": 1 });
    assert_eq!(told(folder("move").json("")), (1.into(), preempted.clone()));
    assert_eq!(told(folder("").json("")), (0.into(), preempted));
}

#[test]
fn what_an_owner_says_beforehand_is_kept_free_in_time() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes,owner\na,1000,1000,shop\n",
        "name,submit_s,cpu_millis,memory_bytes,priority,max_runtime_s\n\
         stays,0,400,1,1,\n\
         goes,0,200,1,0,\n\
         fits,7300,100,1,0,60\n\
         waits,7300,400,1,0,60\n",
    );
    folder
        .write("windows.csv", b"owner,start_s,end_s,every_s,permille\nshop,7200,10800,86400,500\n");
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        stays,a,,0,placed,
        goes,a,,615600,placed,
        fits,a,,7301,succeeded,
        waits,a,,10800,succeeded,
    "#]]
    .assert_eq(&folder.decisions("--windows windows.csv"));
}

#[test]
fn what_owners_left_idle_and_what_of_it_was_lent_is_told() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes\na,10000,1000\n",
        "name,submit_s,cpu_millis,memory_bytes,max_runtime_s\n\
         done,0,4000,1,3600\nkept,0,4000,1,36000\ncut,0,2000,1,36000\n",
    );
    folder.write("load.csv", b"time_s,a\n0,0\n7200,500\n14400,500\n");
    let lending = &folder.json("--load load.csv --forecast-margin-permille 0")["lending"];
    // Two hours with ten idle cores and two with five. The load of half the node comes without warning.
    expect![[r#"
        {
          "evictions_at_once": 1,
          "evictions_per_lent_core_hour": 0.041667,
          "evictions_with_notice": 0,
          "harvested_core_hours": 24.0,
          "harvested_share": 0.8,
          "idle_core_hours": 30.0,
          "lost_core_hours": 4.0,
          "samples": 3,
          "shortfall_severity": 0.1,
          "shortfall_share": 0.333333,
          "shortfalls": 1,
          "useful_core_hours": 20.0,
          "useful_share": 0.666667
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(lending).expect("JSON"));
}

#[test]
fn a_task_that_is_not_placed_by_its_deadline_is_given_up() {
    let folder = Folder::with(
        NODE,
        "name,submit_s,cpu_millis,memory_bytes,deadline_s\nx,0,1000,1,\ny,1,1000,1,30\n",
    );
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        x,a,,0,placed,
        y,,,,missed_deadline,was not placed by its deadline
    "#]]
    .assert_eq(&folder.decisions(""));
}

#[test]
fn a_gang_is_placed_whole_or_waits_whole() {
    let folder = Folder::with(
        "name,count.slots\na,2\nb,2\n",
        "name,submit_s,count.slots,count,gang\nfits,0,1,3,true\nwaits,1,1,2,true\n",
    );
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        fits/0,a,,0,placed,
        fits/1,a,,0,placed,
        fits/2,b,,0,placed,
        waits/0,,,,pending,the tasks do not all fit at the same time. 1 node now without enough slots; at least 1 more is needed
        waits/1,,,,pending,the tasks do not all fit at the same time. 1 node now without enough slots; at least 1 more is needed
    "#]]
    .assert_eq(&folder.decisions(""));
}

#[test]
fn gpus_are_shared_named_and_asked_for_by_model_and_region() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes,gpus,gpu_model,region,labels\n\
         a,9000,9000,2,L4,east,rack=1|tier=x\n\
         b,9000,9000,4,A10,west,\n\
         c,9000,9000,1,,west,\n",
        "name,submit_s,cpu_millis,memory_bytes,gpus,gpu_millis,gpu_models,regions\n\
         half,0,1,1,1,500,L4,\n\
         other_half,1,1,1,1,500,L4|T4,\n\
         whole,2,1,1,3,,,west\n\
         nowhere,3,1,1,1,1000,A10,east\n",
    );
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        half,a,0,0,placed,
        other_half,a,0,1,placed,
        whole,b,0|1|2,2,placed,
        nowhere,,,,pending,2 nodes in another region. 2 nodes with another GPU model or none
    "#]]
    .assert_eq(&folder.decisions(""));
}

#[test]
fn what_is_more_than_can_be_counted_is_refused_and_the_rest_goes_on() {
    let most = 1_u64 << 50;
    let folder = Folder::with(
        NODE,
        &format!("name,submit_s,cpu_millis,memory_bytes,count\nx,0,{most},1,20000\ny,0,1000,1,\n"),
    );
    let decisions = folder.decisions("");
    assert!(decisions.contains("x/19999,,,,refused,20000 tasks of this request overflow"));
    assert!(decisions.ends_with("y,a,,0,placed,\n"));
    assert_eq!(folder.json("")["tasks"]["refused"], 20_000);
}

#[test]
fn yesterday_leaves_nothing_behind() {
    let folder =
        Folder::with(NODE, "name,submit_s,cpu_millis,memory_bytes\njob-1,0,1000,1\nx,1,500,1\n");
    let without = folder.decisions("");
    folder.write(
        "history.csv",
        b"name,submit_s,cpu_millis,memory_bytes,count,gang,deadline_s,max_runtime_s\n\
          job-1,90000,500,1,40,true,,\n\
          x,0,1000,1,,,30,5\n",
    );
    assert_eq!(folder.decisions("--history history.csv"), without);
    assert_eq!(folder.json("--history history.csv")["tasks"]["submitted"], 2);
}

/// The larger task fits both nodes; only on the second it leaves nothing over that is of no use.
#[test]
fn a_plan_keeps_room_for_what_yesterday_asked_for() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes\na,1000,9000\nb,1100,9000\n",
        "name,submit_s,cpu_millis,memory_bytes,count\nlarge,0,600,1,\nsmall,1,500,1,3\n",
    );
    folder.write(
        "history.csv",
        b"name,submit_s,cpu_millis,memory_bytes,count\nlarge,0,600,1,8\nsmall,1,500,1,24\n",
    );
    let planned = folder.decisions("--history history.csv");
    expect![[r#"
        task,node,gpus,time_s,outcome,reason
        large,b,,0,placed,
        small/0,b,,1,placed,
        small/1,a,,1,placed,
        small/2,a,,1,placed,
    "#]]
    .assert_eq(&planned);
    let json = folder.json("--history history.csv");
    assert_eq!(json["timings"]["planner_runs"], 1);

    let json = folder.json("--history history.csv --planner-attempts 0");
    assert_eq!(
        (&json["tasks"]["placed"], &json["timings"]["planner_runs"]),
        (&3.into(), &0.into())
    );
}

/// Both devices end up with something left: 100 and 400. Neither of the two tasks that ask for 600 could use any of it,
/// the one that asks for 300 could use the 400.
#[test]
fn what_a_task_of_the_mix_could_not_use_counts_as_fragmented() {
    let folder = Folder::with(
        "name,cpu_millis,memory_bytes,gpus\na,9000,9000,2\n",
        "name,submit_s,cpu_millis,memory_bytes,gpus,gpu_millis,count\n\
         large,0,1,1,1,600,2\n\
         small,1,1,1,1,300,1\n",
    );
    let gpus = &folder.json("")["resources"]["gpu_millis"];
    assert_eq!(gpus["allocated"], 1500);
    assert_eq!(gpus["fragmentation"], 0.733_333);
}
