//! What one durable append to the log takes, flush and fdatasync included, with some time between two as at half load:
//! the measure for how soon a placement can be on a watch.
//!
//! ```text
//! cargo bench --bench append                     2,000 appends a size
//! cargo bench --bench append -- --test           few, to see that it works
//! ```

use std::{
    env,
    error::Error,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use offpeak_server::store::{Log as _, SledLog, StoreOptions};

/// Bytes of one record: of a single job, of a full batch of jobs, and of many steps.
const SIZES: [usize; 3] = [300, 16 << 10, 64 << 10];
/// Between two appends.
const PAUSE: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn Error>> {
    let small = env::args().any(|argument| argument == "--test");
    let appends = if small { 20 } else { 2_000 };
    for size in SIZES {
        let folder = tempfile::tempdir()?;
        let log = SledLog::open(folder.path(), StoreOptions::default())?;
        let mut took = Vec::with_capacity(appends);
        for number in 0..appends {
            // Bytes that hardly repeat, as those of records.
            let payload: Vec<u8> =
                (0..size).map(|at| (at.wrapping_mul(at + number) >> 3).to_le_bytes()[0]).collect();
            let revision = log.bounds().newest.next();
            let begun = Instant::now();
            log.append(revision, revision, &payload)?;
            took.push(begun.elapsed());
            thread::sleep(PAUSE);
        }
        took.sort_unstable();
        let part = |permille: usize| took[(took.len() - 1) * permille / 1000].as_secs_f64() * 1e3;
        writeln!(
            std::io::stdout(),
            "{size} bytes: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
            part(500),
            part(990),
            part(999),
        )?;
    }
    Ok(())
}
