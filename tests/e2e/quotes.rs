//! When jobs would start, and how that came out.

use offpeak::v1::{
    DemandStep, GetQuoteRecordRequest, GetQuoteRecordResponse, Job, JobName, JobSpec, PriceBook,
    Prices, Quote, QuoteJobRequest, QuoteJobResponse, SetPriceBookRequest,
    quote_job_request::Subject,
};
use offpeak_client::Error;
use prost_types::{Duration, Timestamp};
use tonic::Code;

use crate::house::{BEGIN, House, cpu, job_with, node, refusal};

const HOUR: i64 = 3_600;

async fn try_quote(house: &House, subject: Option<Subject>) -> Result<QuoteJobResponse, Error> {
    house.client.call(QuoteJobRequest { subject, ..QuoteJobRequest::default() }).await
}

async fn quote_of(house: &House, name: &str, min_revision: u64) -> QuoteJobResponse {
    let (tenant, name) = ("acme".to_owned(), name.to_owned());
    let subject = Some(Subject::Name(JobName { tenant, name }));
    let request = QuoteJobRequest { subject, min_revision, ..QuoteJobRequest::default() };
    house.client.call(request).await.expect("a quote")
}

async fn record(house: &House) -> GetQuoteRecordResponse {
    house.client.call(GetQuoteRecordRequest::default()).await.expect("a record")
}

/// A node of eight cores and a tenant.
async fn small(quotes_share_percent: u32) -> House {
    let house = House::with(|config| config.quotes_share_percent = quotes_share_percent).await;
    house.create_tenant("acme").await;
    house.register(vec![node("a")]).await;
    house
}

/// All of the node for an hour.
fn whole(name: &str) -> Job {
    let max_runtime = Some(Duration { seconds: HOUR, nanos: 0 });
    job_with(name, JobSpec { request: Some(cpu(8_000)), max_runtime, ..JobSpec::default() })
}

fn after_hours(hours: i64) -> Timestamp {
    let begin = i64::try_from(BEGIN.0 / 1_000).expect("a time");
    Timestamp { seconds: begin + hours * HOUR, nanos: 0 }
}

#[tokio::test]
async fn a_job_that_waits_is_quoted_and_the_quote_is_scored_when_it_starts() {
    let house = small(100).await;
    house.submit(whole("first")).await;
    let before = house.submit(whole("second")).await;
    let mut lines = house.lines_after(before);
    let quoted = lines.expect(&["quoted acme/second"]).await;
    let quote = house.job("second", quoted).await.quote.expect("a quote");
    let expected = Quote {
        quote_time: Some(after_hours(0)),
        p50_start_time: Some(after_hours(1)),
        p95_start_time: Some(after_hours(2)),
    };
    assert_eq!(quote, expected);
    assert_eq!(quote_of(&house, "second", quoted).await.kept, Some(expected));
    assert_eq!((record(&house).await.quotes, record(&house).await.open), (1, 1));

    let house = house.restart().await;
    assert_eq!(house.job("second", quoted).await.quote, Some(expected), "it is kept");
    let mut lines = house.lines_after(quoted);
    house.advance(3_600);
    let started =
        ["timed out acme/first 0 on a", "job acme/first failed", "placed acme/second 0 on a"];
    let placed = lines.expect(&started).await;
    assert_eq!(house.job("second", placed).await.quote, None, "it has come true");
    let house = house.restart().await;
    let found = record(&house).await;
    assert_eq!((found.quotes, found.open, found.started, found.unknown), (1, 0, 1, 0));
    assert_eq!((found.started_by_p50, found.started_by_p95), (1, 1));
    let exact = found.errors.first().map(|errors| (errors.up_to_permille, errors.quotes));
    assert_eq!(exact, Some((Some(100), 1)));
    house.stop().await;
}

#[tokio::test]
async fn a_job_is_quoted_before_it_is_submitted_and_nothing_changes() {
    let house = small(0).await;
    let free = try_quote(&house, Some(Subject::Job(whole("first")))).await.expect("a quote");
    let quote = free.quote.expect("a quote");
    assert_eq!(quote.p95_start_time, quote.quote_time, "at once");
    assert_eq!((free.name.as_str(), free.undisturbed_ppm), ("first", Some(1_000_000)));
    assert_eq!(free.cost_micros, None, "there are no prices");

    house.submit(whole("first")).await;
    house.submit(whole("second")).await;
    let third = try_quote(&house, Some(Subject::Job(whole("third")))).await.expect("a quote");
    let quote = third.quote.expect("a quote");
    assert_eq!(quote.p50_start_time, Some(after_hours(2)));
    assert!(house.job("second", third.revision).await.quote.is_none(), "nothing is kept");
    let first = quote_of(&house, "first", third.revision).await.quote.expect("a quote");
    assert_eq!(first.p95_start_time, Some(after_hours(0)), "it has started");
    house.stop().await;
}

#[tokio::test]
async fn a_quote_tells_what_the_job_would_cost() {
    let house = small(0).await;
    let prices = Prices { core: Some(50_000), ..Prices::default() };
    let mut price_book = PriceBook {
        currency: "EUR".to_owned(),
        everywhere: Some(prices),
        interruptible_permille: Some(500),
        ..PriceBook::default()
    };
    let request =
        SetPriceBookRequest { price_book: Some(price_book.clone()), ..Default::default() };
    house.client.call(request).await.expect("prices");
    let quoted = try_quote(&house, Some(Subject::Job(whole("first")))).await.expect("a quote");
    assert_eq!(quoted.cost_micros, Some(8 * 50_000 / 2), "eight cores for an hour at half price");
    assert_eq!(quoted.demand_permille, None);

    price_book.demand = vec![DemandStep { lent_permille: 0, factor_permille: 1_500 }];
    let request =
        SetPriceBookRequest { price_book: Some(price_book), ..SetPriceBookRequest::default() };
    house.client.call(request).await.expect("prices");
    let quoted = try_quote(&house, Some(Subject::Job(whole("first")))).await.expect("a quote");
    assert_eq!(quoted.cost_micros, Some(8 * 50_000 * 3 / 4), "and half as much again");
    assert_eq!(quoted.demand_permille, Some(1_500));
    house.stop().await;
}

#[tokio::test]
async fn a_quote_needs_a_job_that_can_be_submitted_or_was() {
    let house = small(0).await;
    assert_eq!(refusal(try_quote(&house, None).await).0, Code::InvalidArgument);
    let nobody = Job { tenant: "nobody".to_owned(), ..whole("first") };
    let refused = refusal(try_quote(&house, Some(Subject::Job(nobody.clone()))).await);
    assert_eq!(refused, refusal(house.try_submit(nobody).await));
    let unknown = JobName { tenant: "acme".to_owned(), name: "unknown".to_owned() };
    assert_eq!(refusal(try_quote(&house, Some(Subject::Name(unknown))).await).0, Code::NotFound);
    house.stop().await;
}
