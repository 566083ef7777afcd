//! Claims about `offpeakd simulate`, over the built program and real files.

mod cell;
mod files;

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

/// A folder with the files of a simulation.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    /// With a fleet and tasks.
    fn with(nodes: &str, tasks: &str) -> Self {
        let folder = Self::new();
        folder.write("nodes.csv", nodes.as_bytes());
        folder.write("tasks.csv", tasks.as_bytes());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("written");
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offpeakd"));
        command.arg("simulate").args(arguments.split_whitespace()).current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().expect("started")
    }

    fn run_with_input(&self, arguments: &str, input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        // A program that refuses its arguments does not wait for the input.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        child.wait_with_output().expect("ended")
    }

    /// What became of every task of `nodes.csv` and `tasks.csv`, with further arguments.
    fn decisions(&self, more: &str) -> String {
        let output =
            self.run(&format!("--nodes nodes.csv --tasks tasks.csv --decisions out.csv {more}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(self.path("out.csv")).expect("there are decisions")
    }

    /// The JSON of `nodes.csv` and `tasks.csv`, with further arguments.
    fn json(&self, more: &str) -> serde_json::Value {
        let output = self.run(&format!("--nodes nodes.csv --tasks tasks.csv --json {more}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).expect("packed");
    packed.finish().expect("packed")
}

/// Some hundred tasks that meet, leave, wait, displace each other and are displaced by owners.
fn lively() -> Folder {
    let mut nodes = "name,cpu_millis,memory_bytes,gpus,gpu_model\n".to_owned();
    for node in 0..12 {
        nodes += &format!(
            "n{node},{},1000,{},{}\n",
            4000 + node * 500,
            node % 3,
            ["", "L4", "A10"][node % 3]
        );
    }
    let columns = "name,submit_s,cpu_millis,memory_bytes,gpus,gpu_millis,count,priority,max_runtime_s,deadline_s";
    let mut tasks = format!("{columns}\n");
    for task in 0..300_u64 {
        let (submit, cpu, priority) = (task / 2, 300 + task * 7919 % 2000, task % 4);
        let (gpus, share) = if task % 5 == 0 { ("1", "400") } else { ("", "") };
        let runtime = if task % 3 == 0 { "40.5" } else { "" };
        let deadline = if task % 7 == 0 { (submit + 60).to_string() } else { String::new() };
        let count = 1 + task % 3;
        tasks += &format!(
            "t{task},{submit},{cpu},10,{gpus},{share},{count},{priority},{runtime},{deadline}\n"
        );
    }
    let mut load = "time_s,n0,n3,n7\n".to_owned();
    for step in 0..20 {
        load += &format!("{},{},{},\n", step * 10, step * 47 % 1000, step * 91 % 1000);
    }
    let folder = Folder::with(&nodes, &tasks);
    folder.write("load.csv", load.as_bytes());
    folder
}
