//! What all benchmarks of the core have in common: the time, sizes, and what a task asks for.

use offpeak_core::model::{Constraints, JobSpec, Labels, Millis, Name, Priority, Resources, Time};

pub(crate) const NOW: Time = Time(1_700_000_000_000);

/// Under `cargo test` and with `--test` every bench runs once, on a small cell.
fn small() -> bool {
    let given = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    given("--test") || !given("--bench")
}

/// The full size, or with `--test` a small one.
pub(crate) fn size(full: u32) -> u32 {
    if small() { full.div_ceil(100) } else { full }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse_optional(text).expect("a name")
}

pub(crate) fn request(cpu_millis: u64, memory_mib: u64, gpu_millis: u64) -> Resources {
    Resources { cpu_millis, memory_bytes: memory_mib << 20, gpu_millis, ..Resources::default() }
}

pub(crate) fn spec(request: &Resources, count: u32) -> JobSpec {
    JobSpec {
        count,
        request: request.clone(),
        constraints: Constraints::default(),
        priority: Priority(0),
        min_runtime: Millis(0),
        max_runtime: None,
        deadline: None,
        complete_by: None,
        gang: false,
        labels: Labels::new(),
        notice: None,
        on_notice: Default::default(),
        extras: None,
    }
}
