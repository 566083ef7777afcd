//! Prices, budgets and the ledger.

use std::sync::Arc;

use offpeak_core::{
    billing::{Accounts, KeptBook, KeptFactor, RestoredAccounts, Row, RowKey, Site},
    model::{
        Budget, BudgetLevel, DemandCurve, DemandStep, Horizon, JobId, Name, NodeId, PriceBook,
        Prices, Revision, SiteId, Spending, TenantId, Time,
    },
    state::State,
};

use super::{
    CodecError,
    codes::{period, period_code},
    columns::{column, deltas, narrow, sums},
    format,
    model::{counts, counts_back, name},
};

/// Job totals in an entry; each is about ten bytes.
const ENTRY_TOTALS: usize = 8 * 1024;

/// The low half first.
fn halves(value: u128) -> [u64; 2] {
    let bytes = value.to_le_bytes();
    let half = |at: usize| {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("invariant: eight bytes"))
    };
    [half(0), half(8)]
}

fn whole(halves: &[u64]) -> Result<u128, CodecError> {
    let [low, high]: [u64; 2] = halves.try_into().map_err(|_| CodecError::Columns("sums"))?;
    Ok(u128::from(low) | u128::from(high) << 64)
}

impl From<&Budget> for format::Budget {
    fn from(budget: &Budget) -> Self {
        let Budget { period, warn, stop_new, stop_all } = *budget;
        Self { period: period_code(period), warn, stop_new, stop_all }
    }
}

/// Absent in what releases wrote that did not know of budgets.
pub(super) fn budget(message: Option<format::Budget>) -> Result<Budget, CodecError> {
    let Some(message) = message else { return Ok(Budget::default()) };
    let format::Budget { period: code, warn, stop_new, stop_all } = message;
    Ok(Budget { period: period(code)?, warn, stop_new, stop_all })
}

pub(super) fn budget_message(budget: &Budget) -> Option<format::Budget> {
    (*budget != Budget::default()).then(|| budget.into())
}

impl From<&Spending> for format::Spending {
    fn from(spending: &Spending) -> Self {
        Self {
            period_start: spending.period_start.0,
            rate: halves(spending.rate).to_vec(),
            since: spending.since.0,
            spent: halves(spending.spent).to_vec(),
        }
    }
}

impl TryFrom<format::Spending> for Spending {
    type Error = CodecError;

    fn try_from(message: format::Spending) -> Result<Self, CodecError> {
        Ok(Self {
            period_start: Time(message.period_start),
            rate: whole(&message.rate)?,
            since: Time(message.since),
            spent: whole(&message.spent)?,
        })
    }
}

pub(super) fn level_code(level: BudgetLevel) -> u32 {
    match level {
        BudgetLevel::Within => 0,
        BudgetLevel::Warned => 1,
        BudgetLevel::NewStopped => 2,
        BudgetLevel::AllStopped => 3,
    }
}

pub(super) fn level(code: u32) -> Result<BudgetLevel, CodecError> {
    match code {
        0 => Ok(BudgetLevel::Within),
        1 => Ok(BudgetLevel::Warned),
        2 => Ok(BudgetLevel::NewStopped),
        3 => Ok(BudgetLevel::AllStopped),
        value => Err(CodecError::Unknown { what: "level of a budget", value }),
    }
}

pub(super) fn book_message(since: Time, revision: Revision, book: &PriceBook) -> format::PriceBook {
    let region = |(region, prices): (&Name, &Prices)| format::RegionPrices {
        region: region.to_string(),
        prices: prices.into(),
    };
    let step = |step: &DemandStep| [step.lent_permille, step.factor_permille];
    format::PriceBook {
        since: since.0,
        currency: book.currency.to_string(),
        everywhere: (&book.everywhere).into(),
        regions: book.regions.iter().map(region).collect(),
        interruptible_permille: book.interruptible_permille,
        horizon_permille: book.horizon_permille.to_vec(),
        owner_permille: book.owner_permille,
        revision: revision.0,
        demand: book.demand.steps().iter().flat_map(step).collect(),
    }
}

pub(super) fn book(message: format::PriceBook) -> Result<KeptBook, CodecError> {
    let mut regions = std::collections::BTreeMap::new();
    for region in message.regions {
        regions.insert(name("region", &region.region)?, region.prices.try_into()?);
    }
    let horizons: Result<[u32; Horizon::COUNT], _> = message.horizon_permille.try_into();
    let book = PriceBook {
        currency: name("currency", &message.currency)?,
        everywhere: message.everywhere.try_into()?,
        regions,
        interruptible_permille: message.interruptible_permille,
        horizon_permille: horizons.map_err(|_| CodecError::Columns("a price book"))?,
        owner_permille: message.owner_permille,
        demand: curve(&message.demand)?,
    };
    let (since, revision) = (Time(message.since), Revision(message.revision));
    Ok(KeptBook { since, revision, book: Arc::new(book) })
}

fn curve(numbers: &[u32]) -> Result<DemandCurve, CodecError> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    let step = |&[lent_permille, factor_permille]: &[u32; 2]| DemandStep {
        lent_permille,
        factor_permille,
    };
    let curve = DemandCurve::new(pairs.iter().map(step).collect());
    curve.ok().filter(|_| rest.is_empty()).ok_or(CodecError::Columns("a price book"))
}

pub(super) fn priced_message(
    region: &Name,
    (since, factor_permille, lent_permille): (Time, u32, Option<u32>),
    revision: Revision,
) -> format::DemandPriced {
    let (since, region, revision) = (since.0, region.to_string(), revision.0);
    format::DemandPriced { since, region, factor_permille, lent_permille, revision }
}

pub(super) fn factor(message: &format::DemandPriced) -> Result<(Name, KeptFactor), CodecError> {
    let (since, revision) = (Time(message.since), Revision(message.revision));
    let &format::DemandPriced { factor_permille, lent_permille, .. } = message;
    let kept = KeptFactor { since, revision, factor_permille, lent_permille };
    Ok((name("region", &message.region)?, kept))
}

impl From<&Prices> for format::Prices {
    fn from(prices: &Prices) -> Self {
        Self {
            core: prices.core,
            memory_gib: prices.memory_gib,
            disk_gib: prices.disk_gib,
            network_gbps: prices.network_gbps,
            gpu: prices.gpu,
            gpu_models: counts(prices.gpu_models.iter().map(|(model, price)| (model, *price))),
            counts: counts(prices.counts.iter().map(|(name, price)| (name, *price))),
        }
    }
}

impl TryFrom<format::Prices> for Prices {
    type Error = CodecError;

    fn try_from(message: format::Prices) -> Result<Self, CodecError> {
        Ok(Self {
            core: message.core,
            memory_gib: message.memory_gib,
            disk_gib: message.disk_gib,
            network_gbps: message.network_gbps,
            gpu: message.gpu,
            gpu_models: counts_back(&message.gpu_models)?,
            counts: counts_back(&message.counts)?,
        })
    }
}

/// The first entry of the ledger.
pub(super) fn head(state: &State) -> format::LedgerHead {
    let accounts = state.accounts();
    let site = |(id, site): (SiteId, &Site)| format::Site {
        id: id.0,
        owner: site.owner.to_string(),
        region: site.region.to_string(),
        gpu_model: site.gpu_model.to_string(),
    };
    let payer =
        |(id, name): (TenantId, &Name)| format::Payer { tenant: id.0, name: name.to_string() };
    format::LedgerHead {
        sites: accounts.booked_sites().map(site).collect(),
        payers: accounts.payers().map(payer).collect(),
        moved_nodes: deltas(accounts.moved().map(|(node, _)| node.0.into())),
        moved: deltas(accounts.moved().map(|(_, time)| time.0)),
        rows: accounts.all_rows().count() as u64,
        jobs: totals(state).count() as u64,
        books: accounts.books().all().len() as u64,
        factors: accounts.factors().len() as u64,
    }
}

/// How much a ledger holds; nothing if it is empty.
pub(super) fn size(head: &format::LedgerHead) -> u64 {
    let listed = [head.sites.len(), head.payers.len(), head.moved.len()];
    let counted = [head.rows, head.jobs, head.books, head.factors].into_iter();
    counted.chain(listed.map(|count| count as u64)).fold(0, u64::saturating_add)
}

pub(super) fn rows(accounts: &Accounts) -> impl Iterator<Item = format::LedgerRow> {
    accounts.all_rows().map(|(key, row)| format::LedgerRow {
        day: key.day,
        tenant: key.tenant.0,
        site: key.site.0,
        task_ms: row.task_ms,
        sums: amounts(row).into_iter().flat_map(halves).collect(),
        counts: row
            .counts
            .iter()
            .map(|(name, sum)| format::CountSum {
                name: name.to_string(),
                sum: halves(*sum).to_vec(),
            })
            .collect(),
    })
}

fn amounts(row: &Row) -> [u128; 8] {
    let money = [row.list, row.charged, row.credited];
    [row.cpu, row.memory, row.disk, row.network, row.gpu, money[0], money[1], money[2]]
}

pub(super) fn books(accounts: &Accounts) -> impl Iterator<Item = format::PriceBook> {
    accounts.books().all().iter().map(|kept| book_message(kept.since, kept.revision, &kept.book))
}

pub(super) fn factors(accounts: &Accounts) -> impl Iterator<Item = format::DemandPriced> {
    let all = accounts.factors().all();
    all.map(|(region, kept)| {
        let what = (kept.since, kept.factor_permille, kept.lent_permille);
        priced_message(region, what, kept.revision)
    })
}

/// What is booked of jobs, a piece after the other.
pub(super) fn job_totals(state: &State) -> impl Iterator<Item = format::JobTotals> {
    let mut all = totals(state).peekable();
    std::iter::from_fn(move || {
        all.peek()?;
        let piece: Vec<(JobId, u64, u128)> = all.by_ref().take(ENTRY_TOTALS).collect();
        Some(format::JobTotals {
            jobs: deltas(piece.iter().map(|(job, ..)| job.0)),
            task_ms: piece.iter().map(|(_, ms, _)| *ms).collect(),
            charged: column(piece.iter().flat_map(|(.., charged)| halves(*charged))),
        })
    })
}

fn totals(state: &State) -> impl Iterator<Item = (JobId, u64, u128)> {
    let booked = state.jobs_from(JobId(0)).map(|job| {
        let (ms, charged) = state.accounts().of_job(job.id);
        (job.id, ms, charged)
    });
    booked.filter(|(_, ms, _)| *ms > 0)
}

/// A ledger in the making.
#[derive(Debug)]
pub(super) struct LedgerReader {
    parts: RestoredAccounts,
    counts: [(&'static str, u64); 4],
}

impl LedgerReader {
    pub(super) fn new(head: format::LedgerHead) -> Result<Self, CodecError> {
        let mut parts = RestoredAccounts::default();
        for site in head.sites {
            let (owner, region) = (name("owner", &site.owner)?, name("region", &site.region)?);
            let gpu_model = name("GPU model", &site.gpu_model)?;
            parts.sites.push((SiteId(site.id), Site { owner, region, gpu_model }));
        }
        for payer in head.payers {
            parts.payers.push((TenantId(payer.tenant), name("tenant", &payer.name)?));
        }
        if head.moved.len() != head.moved_nodes.len() {
            return Err(CodecError::Columns("nodes that changed hands"));
        }
        for (node, time) in sums(&head.moved_nodes).zip(sums(&head.moved)) {
            parts.moved.push((NodeId(narrow("a node's id", node)?), Time(time)));
        }
        let counts = [
            ("rows of the ledger", head.rows),
            ("totals of jobs", head.jobs),
            ("price books", head.books),
            ("factors on prices", head.factors),
        ];
        Ok(Self { parts, counts })
    }

    pub(super) fn rows(&mut self, rows: Vec<format::LedgerRow>) -> Result<(), CodecError> {
        for row in rows {
            let (tenant, site) = (TenantId(row.tenant), SiteId(row.site));
            let key = RowKey { day: row.day, tenant, site };
            self.parts.rows.push((key, self::row(row)?));
        }
        Ok(())
    }

    pub(super) fn totals(&mut self, totals: &format::JobTotals) -> Result<(), CodecError> {
        let rows = totals.jobs.len();
        if totals.task_ms.len() != rows || ![0, 2 * rows].contains(&totals.charged.len()) {
            return Err(CodecError::Columns("totals of jobs"));
        }
        let mut charged = totals.charged.chunks(2);
        for (job, ms) in sums(&totals.jobs).zip(&totals.task_ms) {
            let charged = charged.next().map_or(Ok(0), whole)?;
            self.parts.jobs.push((JobId(job), *ms, charged));
        }
        Ok(())
    }

    pub(super) fn books(&mut self, books: Vec<format::PriceBook>) -> Result<(), CodecError> {
        for message in books {
            self.parts.books.push(book(message)?);
        }
        Ok(())
    }

    pub(super) fn factors(&mut self, factors: &[format::DemandPriced]) -> Result<(), CodecError> {
        for message in factors {
            self.parts.factors.push(factor(message)?);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<RestoredAccounts, CodecError> {
        let parts = &self.parts;
        let found = [parts.rows.len(), parts.jobs.len(), parts.books.len(), parts.factors.len()];
        for ((what, expected), found) in self.counts.into_iter().zip(found) {
            let found = found as u64;
            if expected != found {
                return Err(CodecError::Count { what, expected, found });
            }
        }
        Ok(self.parts)
    }
}

fn row(message: format::LedgerRow) -> Result<Row, CodecError> {
    let sums = message.sums.chunks(2).map(whole).collect::<Result<Vec<u128>, _>>()?;
    let sums: Result<[u128; 8], _> = sums.try_into();
    let [cpu, memory, disk, network, gpu, list, charged, credited] =
        sums.map_err(|_| CodecError::Columns("sums"))?;
    let mut counts = std::collections::BTreeMap::new();
    for count in message.counts {
        counts.insert(name("countable", &count.name)?, whole(&count.sum)?);
    }
    let task_ms = message.task_ms;
    Ok(Row { task_ms, cpu, memory, disk, network, gpu, counts, list, charged, credited })
}
