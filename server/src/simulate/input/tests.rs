use std::io::{Cursor, Read, Write as _};

use expect_test::{Expect, expect};
use offpeak_core::model::Millis;

use super::{load, nodes, tasks, tenants, windows};
use crate::tables::{InputError, Table, unpacked};

fn table(name: &str, text: &[u8]) -> Table {
    Table::read(name.to_owned(), Box::new(Cursor::new(text.to_vec()))).expect("it can be read")
}

fn refused<T: std::fmt::Debug>(read: Result<T, InputError>, told: &Expect) {
    told.assert_eq(&read.expect_err("it is refused").to_string());
}

fn nodes_of(text: &str, told: &Expect) {
    refused(nodes::read(table("nodes.csv", text.as_bytes())), told);
}

fn tasks_of(text: &str, told: &Expect) {
    refused(tasks::read(table("tasks.csv", text.as_bytes())), told);
}

#[test]
fn a_misspelt_or_missing_column_is_named() {
    nodes_of(
        "name,cpu,memory_bytes,count.cpu_millis,count.a b\n",
        &expect![[r#"
            nodes.csv:1: unknown column "cpu"; known are name, cpu_millis, memory_bytes, disk_bytes, network_bps, gpus, gpu_model, region, zone, owner, labels and count.NAME
            nodes.csv:1: count.cpu_millis: "cpu_millis" is a resource of its own, not a countable
            nodes.csv:1: count.a b: the name of a countable has the character ' ' at byte 1; letters, digits, '-', '_' and '.' are allowed
            nodes.csv:1: column cpu_millis is missing"#]],
    );
    tasks_of(
        "name,name,cpu_millis\n",
        &expect![[r#"
            tasks.csv:1: column "name" is there twice
            tasks.csv:1: column submit_s is missing
            tasks.csv:1: column memory_bytes is missing"#]],
    );
    refused(
        tenants::read(table("tenants.csv", b"name,count.fpga,guarantee_cpu\nacme,1,1\n")),
        &expect![[r#"
            tenants.csv:1: unknown column "count.fpga"; known are name, parent, weight, priority_ceiling, guarantee_cpu_millis, guarantee_memory_bytes, guarantee_disk_bytes, guarantee_network_bps, guarantee_gpu_millis
            tenants.csv:1: unknown column "guarantee_cpu"; known are name, parent, weight, priority_ceiling, guarantee_cpu_millis, guarantee_memory_bytes, guarantee_disk_bytes, guarantee_network_bps, guarantee_gpu_millis"#]],
    );
}

#[test]
fn an_empty_file_and_one_without_rows_are_refused() {
    nodes_of("", &expect!["nodes.csv:1: is empty; a header is needed"]);
    tasks_of(
        "name,submit_s,count.slots\n",
        &expect!["tasks.csv:1: no row follows the header; at least one is needed"],
    );
}

#[test]
fn every_fault_of_a_node_is_told_with_its_line_and_value() {
    nodes_of(
        "name,cpu_millis,memory_bytes,gpus,gpu_model,labels\n\
         a,1000,-1,,,\n\
         a,2x,1,65,,\n\
         \n\
         c d,,1,0,L4,\n\
         d,1,1,1,,rack\n\
         e,1,1\n",
        &expect![[r#"
            nodes.csv:2: memory_bytes: "-1" is not a whole number from 0 to 1125899906842624
            nodes.csv:3: cpu_millis: "2x" is not a whole number from 0 to 1125899906842624
            nodes.csv:3: gpus: "65" is not a whole number from 0 to 64
            nodes.csv:3: name: "a" is the name of line 2 already; names are unique
            nodes.csv:5: cpu_millis: is empty; a value is needed
            nodes.csv:5: name: "c d" has the character ' ' at byte 1; letters, digits, '-', '_' and '.' are allowed
            nodes.csv:5: gpu_model: "L4" is the model of no device: gpus is 0 or empty
            nodes.csv:6: labels: "rack" has "rack" where key=value is needed
            nodes.csv:7: has 3 fields; the header has 6"#]],
    );
}

#[test]
fn every_fault_of_a_task_is_told_with_its_line_and_value() {
    tasks_of(
        "name,submit_s,cpu_millis,memory_bytes,gpus,gpu_millis,count,priority,gang\n\
         a,-1,1,1,,,,,\n\
         b,1e3,1,1,,500,,,\n\
         c,0,0,0,,,,,\n\
         d,0,1,1,2,500,,,\n\
         e,0,1,1,1,0,0,,\n\
         f,0,1,1,1,1001,,1001,maybe\n",
        &expect![[r#"
            tasks.csv:2: submit_s: "-1" is not a number of seconds from 0 to 1000000000, such as 90 or 0.25
            tasks.csv:3: gpu_millis: "500" is asked of no device: gpus is 0 or empty
            tasks.csv:3: submit_s: "1e3" is not a number of seconds from 0 to 1000000000, such as 90 or 0.25
            tasks.csv:4: asks for nothing; some amount must be more than 0
            tasks.csv:5: gpu_millis: "500" is not 1000; only one device can be shared, with gpus = 1
            tasks.csv:6: gpu_millis: "0" is no part of a device: from 1 to 1000 are
            tasks.csv:6: count: "0" is not a whole number from 1 to 1000000
            tasks.csv:7: gpu_millis: "1001" is not a whole number from 0 to 1000
            tasks.csv:7: priority: "1001" is not a whole number from -1000 to 1000
            tasks.csv:7: gang: "maybe" is neither true nor false"#]],
    );
    tasks_of(
        "name,submit_s,count.slots,tenant,min_runtime_s,max_runtime_s,deadline_s\n\
         a,5,1,history,2,1,5\n\
         b,5,1,x,,0,\n",
        &expect![[r#"
            tasks.csv:2: max_runtime_s: "1" is less than min_runtime_s
            tasks.csv:2: deadline_s: "5" is not later than submit_s
            tasks.csv:2: tenant: "history" is the tenant of the history; choose another name
            tasks.csv:3: max_runtime_s: "0" is not at least 0.001 seconds; leave it empty for no limit"#]],
    );
    tasks_of(
        "name,submit_s,count.slots,gang,on_notice\n\
         a,5,1,true,move\n\
         b,5,1,,go\n",
        &expect![[r#"
            tasks.csv:2: on_notice: "move" cannot be move for a gang, which goes as a whole
            tasks.csv:3: on_notice: "go" is neither stay nor move"#]],
    );
}

#[test]
fn the_first_ten_faults_are_told_and_the_others_counted() {
    let rows = "a,0,x\n".repeat(7);
    tasks_of(
        &format!("name,submit_s,count.slots\n{rows}"),
        &expect![[r#"
            tasks.csv:2: count.slots: "x" is not a whole number from 0 to 1125899906842624
            tasks.csv:3: count.slots: "x" is not a whole number from 0 to 1125899906842624
            tasks.csv:3: name: "a" is the name of line 2 already; names are unique
            tasks.csv:4: count.slots: "x" is not a whole number from 0 to 1125899906842624
            tasks.csv:4: name: "a" is the name of line 2 already; names are unique
            tasks.csv:5: count.slots: "x" is not a whole number from 0 to 1125899906842624
            tasks.csv:5: name: "a" is the name of line 2 already; names are unique
            tasks.csv:6: count.slots: "x" is not a whole number from 0 to 1125899906842624
            tasks.csv:6: name: "a" is the name of line 2 already; names are unique
            tasks.csv:7: count.slots: "x" is not a whole number from 0 to 1125899906842624
            and 3 more problems"#]],
    );
}

#[test]
fn a_row_that_is_not_utf8_is_named_and_the_rest_is_read() {
    let text = b"name,submit_s,count.slots\n\xff,0,1\nb,0,x\n";
    refused(
        tasks::read(table("tasks.csv", text)),
        &expect![[r#"
            tasks.csv:2: is not UTF-8
            tasks.csv:3: count.slots: "x" is not a whole number from 0 to 1125899906842624"#]],
    );
}

#[test]
fn load_needs_a_time_and_known_nodes() {
    let fleet = nodes::read(table("nodes.csv", b"name,count.slots\na,1\nb,1\n")).expect("sound");
    let read = |text: &str| load::read(table("load.csv", text.as_bytes()), &fleet, Millis(5_000));
    refused(
        read("a,c\n1,1\n"),
        &expect![[r#"
            load.csv:1: needs one of the columns step and time_s; give one
            load.csv:1: column "c" is the name of no node"#]],
    );
    refused(
        read("step,a,b\n0,1001,\n0,,1\n"),
        &expect![[r#"
            load.csv:2: a: "1001" is not a whole number from 0 to 1000
            load.csv:3: step: "0" is the time of line 2 already"#]],
    );
    let samples = read("step,b,a\n2,7,\n1,,300\n").expect("sound");
    let found: Vec<_> = samples.into_iter().map(|sample| (sample.at.0, sample.permille)).collect();
    assert_eq!(found, [(5_000, vec![(0, 300)]), (10_000, vec![(1, 7)])]);
}

#[test]
fn seconds_are_read_to_the_millisecond() {
    let text = "name,submit_s,count.slots\na,0.25,1\nb,12,1\nc,1.2349,1\nd,1.0,1\n";
    let rows = tasks::read(table("tasks.csv", text.as_bytes())).expect("sound");
    let found: Vec<u64> = rows.iter().map(|row| row.submit.0).collect();
    assert_eq!(found, [250, 12_000, 1_234, 1_000]);
}

#[test]
fn lines_are_counted_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let lines = ["name,submit_s,count.slots", "", "a,0,x", "\"b", "c\",0,1", "d,0,x"];
        let text = lines.join(end);
        let read = tasks::read(table("tasks.csv", text.as_bytes()));
        let told = read.expect_err("it is refused").to_string();
        let line = |fault: &str| fault.split(':').nth(1).map(str::to_owned);
        let lines: Vec<String> = told.lines().filter_map(line).collect();
        assert_eq!(lines, ["3", "4", "6"], "{told}");
    }
}

#[test]
fn spaces_windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    let text = "\u{feff}name, cpu_millis ,memory_bytes\r\n a , 1 ,2\r\n";
    let fleet = nodes::read(table("nodes.csv", text.as_bytes())).expect("sound");
    assert_eq!((fleet[0].name.as_str(), fleet[0].capacity.cpu_millis), ("a", 1));
}

#[test]
fn gzip_is_recognized_by_what_it_begins_with() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"name\n").expect("a vector takes it");
    let packed = packed.finish().expect("a vector takes it");
    for bytes in [packed, b"name\n".to_vec()] {
        let mut text = String::new();
        let mut reader = unpacked(Cursor::new(bytes)).expect("it can be read");
        reader.read_to_string(&mut text).expect("it is sound");
        assert_eq!(text, "name\n");
    }
}

#[test]
fn every_fault_of_a_window_is_told_with_its_line_and_value() {
    let fleet = table("nodes.csv", b"name,cpu_millis,memory_bytes,owner\na,1,1,shop\n");
    let fleet = nodes::read(fleet).expect("it is a fleet");
    let text = b"owner,start_s,end_s,every_s,permille\n\
        shop,10,10,,\n\
        mill,0,10,5,0\n\
        shop,0,1,1,1001\n\
        ,x,,0,\n";
    let read = windows::read(table("windows.csv", text), &fleet, Millis(20_000_000));
    refused(
        read,
        &expect![[r#"
        windows.csv:2: end_s: "10" is not after start_s
        windows.csv:3: owner: "mill" owns none of the nodes
        windows.csv:3: every_s: "5" is shorter than the window itself
        windows.csv:3: permille: "0" is not a whole number from 1 to 1000
        windows.csv:4: every_s: "1" comes to more than 10000 windows
        windows.csv:4: permille: "1001" is not a whole number from 1 to 1000
        windows.csv:5: owner: is empty; a value is needed
        windows.csv:5: start_s: "x" is not a number of seconds from 0 to 1000000000, such as 90 or 0.25
        windows.csv:5: end_s: is empty; a value is needed
        windows.csv:5: every_s: "0" is not at least 0.001 seconds; leave it empty for no limit"#]],
    );
}
