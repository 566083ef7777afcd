//! What the cell charges, worked out anew from the events that were followed: after every kill both are the same.

use std::collections::BTreeMap;

use offpeak::v1::{
    DemandStep, Event, GetStatementRequest, JobSpec, PriceBook, Prices, SetPriceBookRequest,
    StatementTotal, event::Kind,
};
use offpeak_client::Client;
use prost_types::Timestamp;

const DAY: u64 = 86_400_000;
/// Of exact money, which is millionths of a micro an hour times milliseconds, in a micro.
const MICRO: u128 = 1_000_000 * 3_600_000;

/// What was held on one day, in thousandths of a core times milliseconds, and what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Row {
    task_ms: u64,
    cpu: u128,
    charged: u128,
    credited: u128,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    placed: u64,
    cpu_millis: u64,
}

/// Everything of one tenant on nodes that are all alike.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    folded: u64,
    requests: BTreeMap<String, u64>,
    live: BTreeMap<u64, Live>,
    books: Vec<(u64, PriceBook)>,
    pub(super) factors: Vec<(u64, u32)>,
    rows: BTreeMap<u64, Row>,
    /// By the last statement.
    pub(super) charged: u64,
}

impl Ledger {
    /// Sets prices that no two kills have in common.
    pub(super) async fn set_prices(client: &Client, kill: u64) {
        let everywhere = Prices { core: Some(40_000_000_000 + kill * 977), ..Prices::default() };
        let permille = u32::try_from(kill % 900).expect("small") + 1;
        let price_book = PriceBook {
            currency: "EUR".to_owned(),
            everywhere: Some(everywhere),
            interruptible_permille: Some(permille),
            owner_permille: Some(777),
            demand: vec![DemandStep { lent_permille: 0, factor_permille: 700 + permille }],
            ..PriceBook::default()
        };
        let price_book = Some(price_book);
        let request = SetPriceBookRequest { price_book, ..SetPriceBookRequest::default() };
        client.call(request).await.expect("set");
    }

    /// The statement of all days and the revision that it is of.
    pub(super) async fn statement(client: &Client) -> (StatementTotal, u64, u64) {
        let from = Some(Timestamp::default());
        let request = GetStatementRequest { from, ..GetStatementRequest::default() };
        let parts = client.billing().get_statement(request).await.expect("a statement");
        let last = parts.into_inner().message().await.expect("no error").expect("a message");
        let total = last.total.expect("a day and a tenant are one message");
        (total, last.revision, millis(last.as_of))
    }

    /// Takes the events in up to a revision, and compares.
    pub(super) fn check<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
        (total, revision, as_of): (StatementTotal, u64, u64),
        context: &str,
    ) {
        let new = (self.folded + 1)..=revision;
        events.filter(|event| new.contains(&event.revision)).for_each(|event| self.apply(event));
        self.folded = revision;
        let mut rows = self.rows.clone();
        for live in self.live.values() {
            self.book(&mut rows, live, as_of);
        }
        let mut expected = StatementTotal::default();
        let held = expected.held.get_or_insert_default();
        for row in rows.values() {
            let micros = |exact| u64::try_from(exact).expect("fits");
            let (charge, credit) = (row.charged / MICRO, row.credited / (1_000 * MICRO));
            held.task_ms += row.task_ms;
            held.cpu_milli_seconds += micros(row.cpu / 1_000);
            expected.charge_micros += micros(charge);
            expected.owner_micros += micros(credit);
            expected.margin_micros += micros(charge - credit);
            expected.lines += 1;
        }
        let found = StatementTotal { list_micros: 0, ..total };
        self.charged = expected.charge_micros;
        assert_eq!(found, expected, "{context}: what is charged, and what events come to");
    }

    fn apply(&mut self, event: &Event) {
        let now = millis(event.time);
        match event.kind.as_ref().expect("a kind") {
            Kind::PriceBookChanged(e) => {
                let book = e.price_book.clone().expect("a book");
                self.books.push((millis(book.since), book));
            }
            Kind::DemandPriced(e) => {
                let factor = e.factor.as_ref().expect("a factor");
                self.factors.push((millis(factor.since), factor.factor_permille));
            }
            Kind::JobSubmitted(e) => {
                let job = e.job.clone().expect("a job");
                let spec: JobSpec = job.spec.expect("a spec");
                assert_eq!(spec.min_runtime.unwrap_or_default(), Default::default());
                self.requests.insert(job.name, spec.request.expect("a request").cpu_millis);
            }
            Kind::TasksPlaced(e) => {
                let live = Live { placed: now, cpu_millis: self.requests[&e.job] };
                for placement in &e.placements {
                    let first = placement.allocation_id;
                    let ids = first..first + u64::from(placement.count);
                    self.live.extend(ids.map(|id| (id, live)));
                }
            }
            Kind::TaskEnded(e) if e.allocation_id > 0 => self.end(e.allocation_id, now),
            Kind::TaskEvicted(e) => self.end(e.allocation_id, now),
            _ => {}
        }
    }

    fn end(&mut self, allocation: u64, now: u64) {
        let live = self.live.remove(&allocation).expect("it was placed, and ends once");
        let mut rows = std::mem::take(&mut self.rows);
        self.book(&mut rows, &live, now);
        self.rows = rows;
    }

    fn book(&self, rows: &mut BTreeMap<u64, Row>, live: &Live, until: u64) {
        let book = self.books.iter().rfind(|(since, _)| *since <= live.placed);
        let (rate, share) = book.map_or((0, 0), |(_, book)| {
            let price = book.everywhere.as_ref().and_then(|prices| prices.core).unwrap_or(0);
            let list = u128::from(live.cpu_millis) * u128::from(price) * 1_000_000 / 1_000;
            let paid = list * u128::from(book.interruptible_permille()) / 1_000;
            let factor = self.factors.iter().rfind(|(since, _)| *since <= live.placed);
            let paid = paid * u128::from(factor.map_or(1_000, |(_, factor)| *factor)) / 1_000;
            (paid, u128::from(book.owner_permille()))
        });
        let mut start = live.placed;
        while start < until {
            let end = until.min(start - start % DAY + DAY);
            let row = rows.entry(start / DAY).or_default();
            row.task_ms += end - start;
            row.cpu += u128::from(live.cpu_millis) * u128::from(end - start);
            row.charged += rate * u128::from(end - start);
            row.credited += rate * u128::from(end - start) * share;
            start = end;
        }
    }
}

fn millis(time: Option<Timestamp>) -> u64 {
    let time = time.expect("a time");
    let seconds = u64::try_from(time.seconds).expect("after 1970");
    seconds * 1_000 + u64::from(time.nanos.unsigned_abs()) / 1_000_000
}
