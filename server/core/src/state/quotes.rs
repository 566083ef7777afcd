//! What was quoted to whom, and how quotes came out: folded from quotes, placements and ends of jobs.

use std::sync::Arc;

use imbl::OrdMap;

use crate::model::{JobId, Millis, Part, Quote, Sketch, Time, scale};

/// Quotes that wait for their jobs at most; no more are kept.
pub(crate) const OPEN: usize = 100_000;

/// The longest expected wait of each class of quotes but the last, in milliseconds.
const CLASSES: [u64; 5] = [60_000, 600_000, 3_600_000, 21_600_000, 86_400_000];

/// Quotes of a class that have to have come out before what came of them corrects the next ones; until then those of all
/// classes do. The first to come out are those that started early, so that a few tell of too short waits.
const ENOUGH: u64 = 50;

/// A wait as it was expected, in what the ratio of the true one to it is told.
const EVEN: u64 = 1 << 10;

/// Of those that start later than expected, how many more are allowed for before anything has come out.
const UNTRIED: u64 = 2 * EVEN;

/// The upper bounds of all but the last of [`QuoteRecord::errors`], in thousandths of the wait.
pub const ERROR_BOUNDS: [u64; 6] = [100, 250, 500, 1_000, 2_000, 4_000];

/// Quotes whose jobs have not started.
#[derive(Clone, Debug, Default)]
pub struct Quotes {
    open: OrdMap<JobId, Quote>,
    record: Arc<QuoteRecord>,
}

/// How quotes came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuoteRecord {
    /// Quotes made.
    pub made: u64,
    /// Of them, those whose jobs have started.
    pub started: u64,
    /// Of these, those that started by the time by which 95 of 100 were to.
    pub by_p95: u64,
    /// Those that started by the time by which half of them were to.
    pub by_p50: u64,
    /// Those that started without such times, because they were not known.
    pub unknown: u64,
    /// Quotes whose jobs ended before they started.
    pub withdrawn: u64,
    /// How far the first time was off, as a part of the wait; one a bound of [`ERROR_BOUNDS`] and one for the rest.
    pub errors: [u64; ERROR_BOUNDS.len() + 1],
    /// The same of late, in thousandths.
    pub recent_errors: Sketch,
    /// By class of what was foreseen.
    pub classes: [Outturn; CLASSES.len() + 1],
}

/// How waits came out that were foreseen to be about equally long, in 1,024ths of what was foreseen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outturn {
    /// Against the middle of what was foreseen.
    pub middle: Sketch,
    /// Against the longest.
    pub longest: Sketch,
}

impl Quotes {
    /// As kept in a checkpoint.
    #[must_use]
    pub fn restore(open: impl IntoIterator<Item = (JobId, Quote)>, record: QuoteRecord) -> Self {
        Self { open: open.into_iter().collect(), record: Arc::new(record) }
    }

    /// What was quoted to a job that has not started since.
    #[must_use]
    pub fn get(&self, job: JobId) -> Option<&Quote> {
        self.open.get(&job)
    }

    /// Quotes whose jobs have not started, by job.
    pub fn open(&self) -> impl ExactSizeIterator<Item = (JobId, &Quote)> {
        self.open.iter().map(|(job, quote)| (*job, quote))
    }

    /// How quotes came out.
    #[must_use]
    pub fn record(&self) -> &QuoteRecord {
        &self.record
    }

    pub(super) fn keep(&mut self, job: JobId, quote: &Quote) {
        self.open.insert(job, *quote);
        Arc::make_mut(&mut self.record).made += 1;
    }

    /// A task of the job was placed.
    pub(super) fn started(&mut self, job: JobId, now: Time) {
        if !self.open.is_empty()
            && let Some(quote) = self.open.remove(&job)
        {
            Arc::make_mut(&mut self.record).score(&quote, now);
        }
    }

    /// The job ended.
    pub(super) fn ended(&mut self, job: JobId) {
        if !self.open.is_empty() && self.open.remove(&job).is_some() {
            Arc::make_mut(&mut self.record).withdrawn += 1;
        }
    }
}

impl QuoteRecord {
    /// What to quote, where jobs foreseen to wait so long have started earlier or later than foreseen: the wait that half
    /// of them do not exceed, and the one that 95 of 100 do not.
    #[must_use]
    pub fn correct(&self, middle: Millis, longest: Millis) -> (Millis, Millis) {
        let class = class(middle);
        let half = self.quantile(class, |outturn| &outturn.middle, Part::HALF).unwrap_or(EVEN);
        let most = self.quantile(class, |outturn| &outturn.longest, Part::percent(95));
        let p50 = scale(middle.0, half, EVEN);
        let p95 = scale(longest.0, most.unwrap_or(UNTRIED), EVEN);
        (Millis(p50), Millis(p95.max(p50)))
    }

    /// What this part of the quotes of a class does not exceed, or of all quotes if too few of the class have come out. None
    /// if too few have at all.
    fn quantile(&self, class: usize, of: fn(&Outturn) -> &Sketch, part: Part) -> Option<u64> {
        let enough = |sketch: &Sketch| sketch.count() >= ENOUGH;
        let own = of(&self.classes[class]);
        if enough(own) {
            return own.quantile(part);
        }
        let mut all = Sketch::default();
        self.classes.iter().for_each(|outturn| all.merge(of(outturn)));
        enough(&all).then(|| all.quantile(part)).flatten()
    }

    fn score(&mut self, quote: &Quote, now: Time) {
        let wait = now.since(quote.made).0.max(1);
        self.started += 1;
        let Some((p50, p95)) = quote.times else {
            self.unknown += 1;
            return;
        };
        self.by_p50 += u64::from(now <= p50);
        self.by_p95 += u64::from(now <= p95);
        let error = scale(p50.0.abs_diff(now.0), 1_000, wait);
        let bound = ERROR_BOUNDS.partition_point(|bound| *bound < error);
        self.errors[bound] += 1;
        self.recent_errors.add(error);
        let outturn = &mut self.classes[class(quote.middle)];
        outturn.middle.add(scale(wait, EVEN, quote.middle.0));
        outturn.longest.add(scale(wait, EVEN, quote.longest.0));
    }
}

fn class(middle: Millis) -> usize {
    CLASSES.partition_point(|bound| *bound < middle.0)
}

#[cfg(test)]
mod tests {
    use super::{Quote, Quotes};
    use crate::model::{JobId, Millis, Time};

    const MINUTE: u64 = 60_000;

    /// So many quotes of so long a wait, all of which come out at so many times of it.
    fn come_out(quotes: &mut Quotes, count: u64, wait: u64, times: u64) {
        for job in (0..count).map(JobId) {
            let (made, middle) = (Time(0), Millis(wait));
            let longest = middle;
            quotes.keep(job, &Quote { made, middle, longest, times: Some((made, made)) });
            quotes.started(job, Time(times * wait));
        }
    }

    #[test]
    fn what_few_came_out_of_is_corrected_as_all_are() {
        let mut quotes = Quotes::default();
        let told = |quotes: &Quotes| quotes.record().correct(Millis(MINUTE), Millis(MINUTE)).0.0;
        come_out(&mut quotes, 40, 300 * MINUTE, 8);
        assert_eq!(told(&quotes), MINUTE, "too few in all");
        come_out(&mut quotes, 40, 300 * MINUTE, 8);
        assert!((7 * MINUTE..10 * MINUTE).contains(&told(&quotes)), "{}", told(&quotes));
        come_out(&mut quotes, 49, MINUTE, 2);
        assert!(told(&quotes) >= 7 * MINUTE, "too few of the class");
        come_out(&mut quotes, 1, MINUTE, 2);
        assert!((MINUTE..3 * MINUTE).contains(&told(&quotes)), "{}", told(&quotes));
    }
}
