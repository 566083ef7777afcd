//! Prices, statements and costs. A statement is worked out on a copy of the state, on a thread where nobody waits.

use std::{ops::Range, pin::Pin};

use offpeak::v1::{
    GetCostRequest, GetCostResponse, GetPriceBookRequest, GetPriceBookResponse,
    GetStatementRequest, GetStatementResponse, JobCost, ListPriceBooksRequest,
    ListPriceBooksResponse, ListPriceChangesRequest, ListPriceChangesResponse, PriceBook,
    SetPriceBookRequest, SetPriceBookResponse, StatementTotal,
    billing_service_server::BillingService, get_statement_request::Subject as Wanted,
};
use offpeak_core::{
    billing::{DAY_MS, KeptBook, Statement, Subject, job_cost, statement},
    model::{Millis, Name, Period, Time},
    rejection::Rejection,
    state::State,
};
use tokio_stream::{Stream, iter};
use tonic::{Request, Response, Status};

use super::{
    Api,
    convert::{self, At, Violations},
    job,
    paging::Page,
    price_changes::PriceChanges,
    status::ApiError,
};

/// Lines of one message.
const PART_LINES: usize = 1_000;

#[tonic::async_trait]
impl BillingService for Api {
    type GetStatementStream =
        Pin<Box<dyn Stream<Item = Result<GetStatementResponse, Status>> + Send>>;

    async fn get_price_book(
        &self,
        request: Request<GetPriceBookRequest>,
    ) -> Result<Response<GetPriceBookResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let mut violations = Violations::default();
        let time = message.time;
        let time = time.map(|time| convert::time(&mut violations, &At::Root.field("time"), time));
        let time = violations.check(time).map_err(ApiError::from)?;
        self.reach(message.min_revision, patience).await?;
        // What is placed now is placed after the newest book was set, even in its millisecond.
        let time = time.unwrap_or_else(|| self.cell.now().after(Millis(1)));
        Ok(Response::new(self.cell.read(|state| {
            let mut books = state.accounts().books().all().iter().rev();
            let book = books.find(|kept| kept.since <= time);
            let factors = state.accounts().factors().in_force(time);
            let factors = factors.map(|(region, kept)| convert::demand_factor(region, kept));
            let price_book = book.map(|kept| PriceBook {
                demand_factors: factors.collect(),
                ..convert::kept_book(kept)
            });
            GetPriceBookResponse { price_book, revision: state.revision().0 }
        })))
    }

    async fn set_price_book(
        &self,
        request: Request<SetPriceBookRequest>,
    ) -> Result<Response<SetPriceBookResponse>, Status> {
        let outcome = self.change(request.into_inner()).await?;
        Ok(Response::new(SetPriceBookResponse { revision: outcome.revision.0 }))
    }

    async fn list_price_books(
        &self,
        request: Request<ListPriceBooksRequest>,
    ) -> Result<Response<ListPriceBooksResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let mut violations = Violations::default();
        let place = (message.page_size, message.page_token.as_str());
        let page = Page::parse(&mut violations, "ListPriceBooks", None::<&()>, place);
        let before = page.first_id(&mut violations);
        let page = violations.check(page).map_err(ApiError::from)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(self.cell.read(|state| {
            let books = state.accounts().books().all().iter().rev();
            let rest = books.filter(|kept| before == 0 || kept.since.0 < before);
            let cursor = |kept: &KeptBook| kept.since.0.to_be_bytes().to_vec();
            let gathered = page.gather(rest, |_| true, cursor, convert::kept_book);
            ListPriceBooksResponse {
                price_books: gathered.objects,
                next_page_token: gathered.next_page_token,
                revision: state.revision().0,
            }
        })))
    }

    async fn list_price_changes(
        &self,
        request: Request<ListPriceChangesRequest>,
    ) -> Result<Response<ListPriceChangesResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = PriceChanges::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(list.page(&self.cell.snapshot())))
    }

    async fn get_statement(
        &self,
        request: Request<GetStatementRequest>,
    ) -> Result<Response<Self::GetStatementStream>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let now = self.cell.now();
        let (subject, days) = parse(&message, now)?;
        self.reach(message.min_revision, patience).await?;
        let state = self.cell.snapshot();
        let as_of = now.max(state.now());
        let work = move || {
            check_subject(&state, &subject)?;
            Ok::<_, ApiError>(responses(&state, statement(&state, &subject, days, as_of)))
        };
        let responses = tokio::task::spawn_blocking(work).await.map_err(ApiError::from)??;
        Ok(Response::new(Box::pin(iter(responses.into_iter().map(Ok)))))
    }

    async fn get_cost(
        &self,
        request: Request<GetCostRequest>,
    ) -> Result<Response<GetCostResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let (tenant, job) = job::named(("tenant", &message.tenant), ("job", &message.job))?;
        self.reach(message.min_revision, patience).await?;
        let now = self.cell.now();
        // A job may have a million tasks: they are looked at after the lock.
        Ok(Response::new(cost(&self.cell.snapshot(), &tenant, &job, now)?))
    }
}

/// Whose statement, and of which days.
fn parse(message: &GetStatementRequest, now: Time) -> Result<(Subject, Range<u32>), ApiError> {
    let mut violations = Violations::default();
    let root = At::Root;
    let subject = match &message.subject {
        None => Subject::Cell,
        Some(Wanted::Tenant(text)) => {
            Subject::Tenant(convert::name(&mut violations, &root.field("tenant"), text))
        }
        Some(Wanted::Owner(text)) => {
            Subject::Owner(convert::optional_name(&mut violations, &root.field("owner"), text))
        }
    };
    let mut day = |field, time: Option<_>, absent: Time| {
        let at = root.field(field);
        let time = time.map(|time| convert::time(&mut violations, &at, time));
        convert::midnight(&mut violations, &at, time.unwrap_or(absent))
    };
    let tomorrow = now.after(Millis(DAY_MS - 1 - now.0 % DAY_MS + 1));
    let from = day("from", message.from, Period::Month.around(now).0);
    let until = day("until", message.until, tomorrow);
    if until <= from {
        violations.refuse(&root.field("until"), "must lie after from");
    }
    Ok(violations.check((subject, from..until))?)
}

/// A tenant or owner of whom the cell knows nothing is no empty statement but a mistake.
fn check_subject(state: &State, subject: &Subject) -> Result<(), ApiError> {
    let accounts = state.accounts();
    match subject {
        Subject::Tenant(name)
            if state.tenant_named(name.as_str()).is_none()
                && !accounts.payers().any(|(_, payer)| payer == name) =>
        {
            Err(Rejection::TenantNotFound(name.to_string()).into())
        }
        Subject::Owner(name)
            if !name.is_empty()
                && state.owner(name).is_none()
                && !accounts.booked_sites().any(|(_, site)| site.owner == *name) =>
        {
            Err(Rejection::OwnerNotFound(name.to_string()).into())
        }
        _ => Ok(()),
    }
}

fn responses(state: &State, statement: Statement) -> Vec<GetStatementResponse> {
    let mut total = StatementTotal::default();
    let mut responses = Vec::new();
    for lines in statement.lines.chunks(PART_LINES) {
        let lines: Vec<_> = lines.iter().map(convert::statement_line).collect();
        lines.iter().for_each(|line| convert::add_line(&mut total, line));
        responses.push(GetStatementResponse { lines, ..GetStatementResponse::default() });
    }
    let mut last = responses.pop().unwrap_or_default();
    last.total = Some(total);
    last.currency = currency(state);
    last.as_of = Some(convert::timestamp(statement.as_of));
    last.revision = state.revision().0;
    responses.push(last);
    responses
}

/// The currency of the newest prices; empty without any.
pub(super) fn currency(state: &State) -> String {
    let newest = state.accounts().books().newest();
    newest.map(|kept| kept.book.currency.to_string()).unwrap_or_default()
}

fn cost(state: &State, tenant: &Name, job: &Name, now: Time) -> Result<GetCostResponse, ApiError> {
    let job = job::find(state, tenant, job)?;
    let as_of = now.max(state.now());
    let cost = job_cost(state, job, as_of);
    let cost = JobCost {
        tenant: tenant.to_string(),
        job: job.name.to_string(),
        held: Some(convert::held_by(&job.spec.request, cost.task_ms)),
        charge_micros: cost.charge(),
        hourly_micros: cost.hourly(),
        currency: currency(state),
        as_of: Some(convert::timestamp(as_of)),
    };
    Ok(GetCostResponse { cost: Some(cost), revision: state.revision().0 })
}
