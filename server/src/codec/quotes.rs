//! Quotes and how long tasks ran.

use offpeak_core::{
    model::{JobId, Millis, Quote, Sketch, TenantId, Time},
    state::{Alike, Outturn, QuoteRecord, Quotes, Ran},
};

use super::{
    CodecError,
    columns::{deltas, sums},
    format,
};

pub(super) fn quotes_to_message(quotes: &[(JobId, Quote)]) -> format::Quotes {
    let rows = || quotes.iter().map(|(_, quote)| quote);
    let times = |quote: &Quote| quote.times;
    format::Quotes {
        jobs: deltas(quotes.iter().map(|(job, _)| job.0)),
        made: deltas(rows().map(|quote| quote.made.0)),
        middle: rows().map(|quote| quote.middle.0).collect(),
        longest: rows().map(|quote| quote.longest.0).collect(),
        p50: rows()
            .map(|quote| {
                times(quote).map_or(0, |(p50, _)| p50.since(quote.made).0.saturating_add(1))
            })
            .collect(),
        p95: rows().map(|quote| times(quote).map_or(0, |(p50, p95)| p95.since(p50).0)).collect(),
        record: None,
    }
}

pub(super) fn quotes_from_message(
    message: &format::Quotes,
) -> Result<Vec<(JobId, Quote)>, CodecError> {
    let len = message.jobs.len();
    let others = [&message.middle, &message.longest, &message.p50, &message.p95];
    if message.made.len() != len || others.iter().any(|column| column.len() != len) {
        return Err(CodecError::Columns("quotes"));
    }
    let quote = |(row, (job, made)): (usize, (u64, u64))| {
        let made = Time(made);
        let times = message.p50[row].checked_sub(1).map(|wait| {
            let p50 = made.after(Millis(wait));
            (p50, p50.after(Millis(message.p95[row])))
        });
        let (middle, longest) = (Millis(message.middle[row]), Millis(message.longest[row]));
        (JobId(job), Quote { made, middle, longest, times })
    };
    Ok(sums(&message.jobs).zip(sums(&message.made)).enumerate().map(quote).collect())
}

/// How quotes came out, if any were made, and those that are open, in pieces of so many.
pub(super) fn quotes_of(quotes: &Quotes, piece: usize) -> impl Iterator<Item = format::Quotes> {
    let record = Some(quotes.record()).filter(|record| record.made > 0).map(record_to_message);
    let record = record.map(|record| format::Quotes { record: Some(record), ..Default::default() });
    let open: Vec<(JobId, Quote)> = quotes.open().map(|(job, quote)| (job, *quote)).collect();
    let rest: Vec<format::Quotes> = open.chunks(piece).map(quotes_to_message).collect();
    record.into_iter().chain(rest)
}

fn record_to_message(record: &QuoteRecord) -> format::QuoteRecord {
    let class = |class: &Outturn| format::Outturn {
        middle: sketch_to_message(&class.middle),
        longest: sketch_to_message(&class.longest),
    };
    format::QuoteRecord {
        made: record.made,
        started: record.started,
        by_p95: record.by_p95,
        by_p50: record.by_p50,
        unknown: record.unknown,
        withdrawn: record.withdrawn,
        errors: record.errors.to_vec(),
        recent_errors: sketch_to_message(&record.recent_errors),
        classes: record.classes.iter().map(class).collect(),
    }
}

pub(super) fn record_from_message(message: format::QuoteRecord) -> Result<QuoteRecord, CodecError> {
    let class = |class: format::Outturn| {
        let (middle, longest) = (sketch(&class.middle)?, sketch(&class.longest)?);
        Ok::<_, CodecError>(Outturn { middle, longest })
    };
    let classes: Vec<Outturn> = message.classes.into_iter().map(class).collect::<Result<_, _>>()?;
    Ok(QuoteRecord {
        made: message.made,
        started: message.started,
        by_p95: message.by_p95,
        by_p50: message.by_p50,
        unknown: message.unknown,
        withdrawn: message.withdrawn,
        errors: message.errors.try_into().map_err(|_| CodecError::Columns("errors of quotes"))?,
        recent_errors: sketch(&message.recent_errors)?,
        classes: classes.try_into().map_err(|_| CodecError::Columns("classes of quotes"))?,
    })
}

pub(super) fn ran_to_message((kind, ran): (&Alike, &Ran)) -> format::Ran {
    format::Ran {
        tenant: kind.tenant.0,
        request: (&kind.request).into(),
        max_runtime_ms: kind.max_runtime.map(|limit| limit.0),
        gang_size: kind.gang_size,
        sketch: sketch_to_message(&ran.sketch),
        last: ran.last.0,
    }
}

pub(super) fn ran_from_message(message: format::Ran) -> Result<(Alike, Ran), CodecError> {
    let kind = Alike {
        tenant: TenantId(message.tenant),
        request: message.request.try_into()?,
        max_runtime: message.max_runtime_ms.map(Millis),
        gang_size: message.gang_size,
    };
    Ok((kind, Ran { sketch: sketch(&message.sketch)?, last: Time(message.last) }))
}

fn sketch_to_message(sketch: &Sketch) -> format::Sketch {
    format::Sketch {
        buckets: sketch.buckets().iter().map(|(bucket, _)| u32::from(*bucket)).collect(),
        weights: sketch.buckets().iter().map(|(_, weight)| *weight).collect(),
    }
}

fn sketch(message: &format::Sketch) -> Result<Sketch, CodecError> {
    let wrong = CodecError::Columns("a sketch");
    if message.buckets.len() != message.weights.len() {
        return Err(wrong);
    }
    let bucket = |bucket: &u32| u16::try_from(*bucket).ok();
    let rows = message.buckets.iter().zip(&message.weights);
    let rows = rows.map(|(number, weight)| Some((bucket(number)?, *weight)));
    rows.collect::<Option<Vec<_>>>().and_then(Sketch::restore).ok_or(wrong)
}
