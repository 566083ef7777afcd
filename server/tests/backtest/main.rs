//! Claims about `offpeakd backtest`, over the built program and real files.

mod faults;
mod figures;

use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use tempfile::TempDir;

/// A folder with a history.
struct Folder(TempDir);

impl Folder {
    fn with(load: &str) -> Self {
        let folder = Self(TempDir::new().expect("a folder"));
        folder.write("load.csv", load.as_bytes());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("written");
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).expect("it is there");
        if !name.ends_with(".gz") {
            return String::from_utf8(bytes).expect("it is text");
        }
        let mut text = String::new();
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("it is gzip");
        text
    }

    fn run(&self, arguments: &str) -> Output {
        self.run_with_input(arguments, &[])
    }

    fn run_with_input(&self, arguments: &str, input: &[u8]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offpeakd"));
        command.arg("backtest").args(arguments.split_whitespace()).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        // A program that refuses its arguments does not wait for the input.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        child.wait_with_output().expect("ended")
    }

    fn succeed(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it is text")
    }

    fn fail(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).expect("it is text")
    }

    fn json(&self, arguments: &str) -> serde_json::Value {
        let text = self.succeed(&format!("--load load.csv --json {arguments}"));
        serde_json::from_str(&text).expect("it is JSON")
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).expect("packed");
    packed.finish().expect("packed")
}

/// Some days of three owners: one that hardly does anything, one busy by day, and one without a rhythm.
fn days(days: u64) -> String {
    let mut text = "step,still,office,wild\n".to_owned();
    for step in 0..days * 288 {
        let noise = (step.wrapping_mul(6_364_136_223_846_793_005) >> 33) % 1_000;
        let office = if (96..216).contains(&(step % 288)) { 420 } else { 60 };
        // An hour without samples every day.
        let still = if step % 288 < 12 { String::new() } else { (10 + noise % 5).to_string() };
        text += &format!("{step},{still},{},{noise}\n", office + noise % 40);
    }
    text
}
