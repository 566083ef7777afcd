use std::time::Duration;

/// How long each batch took until it was decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopwatch {
    batches: Vec<Duration>,
}

impl Stopwatch {
    pub(super) fn record(&mut self, batch: Duration) {
        self.batches.push(batch);
    }

    pub(super) fn batches(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn total(&self) -> Duration {
        self.batches.iter().sum()
    }

    /// The times that this many thousandths of the batches stay within.
    pub(super) fn percentiles<const N: usize>(&self, permille: [usize; N]) -> [Duration; N] {
        let mut sorted = self.batches.clone();
        sorted.sort_unstable();
        permille.map(|permille| {
            let rank = (sorted.len() * permille).div_ceil(1000).max(1);
            sorted.get(rank - 1).copied().unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Stopwatch;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let mut watch = Stopwatch::default();
        (1..=200).rev().for_each(|micros| watch.record(Duration::from_micros(micros)));
        let found = watch.percentiles([500, 990, 1000]).map(|time| time.as_micros());
        assert_eq!(found, [100, 198, 200]);
        assert_eq!(Stopwatch::default().percentiles([500]), [Duration::ZERO]);
    }
}
