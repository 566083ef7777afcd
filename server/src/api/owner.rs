use offpeak::v1::{
    GetOwnerRequest, GetOwnerResponse, ListOwnersRequest, ListOwnersResponse,
    ListScorecardsRequest, ListScorecardsResponse, PreviewCalendarRequest, PreviewCalendarResponse,
    UpdateOwnerRequest, UpdateOwnerResponse, owner_service_server::OwnerService,
};
use offpeak_core::{
    command::{Command, OwnerPatch},
    model::{CalendarEntry, Name, Owner, Time, Window},
    rejection::Rejection,
    state::State,
};
use tonic::{Request, Response, Status};

use super::{
    Api,
    convert::{self, At, Violations, accept},
    field,
    paging::Page,
    status::ApiError,
};
use crate::calendar;

/// Windows of a preview when the client does not say.
const DEFAULT_PREVIEW: usize = 10;
/// The most windows of a preview. Each costs a look at up to a month of days.
const MAX_PREVIEW: usize = 100;

#[tonic::async_trait]
impl OwnerService for Api {
    async fn get_owner(
        &self,
        request: Request<GetOwnerRequest>,
    ) -> Result<Response<GetOwnerResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let name = field("name", &message.name, convert::name)?;
        self.reach(message.min_revision, patience).await?;
        let now = self.cell.now();
        // Telling the time of many windows takes longer than others should wait: they are looked at after the lock.
        let (owner, revision) = self
            .cell
            .read(|state| Ok::<_, ApiError>((find(state, &name)?.clone(), state.revision())))?;
        let through = owner.windows.through;
        let to_come = owner.windows.list.iter().filter(|window| window.end > now);
        Ok(Response::new(GetOwnerResponse {
            owner: Some(convert::owner(&owner, now)),
            windows: windows(&owner.spec.calendar, to_come)?,
            windows_through: (through > Time(0)).then(|| convert::timestamp(through)),
            revision: revision.0,
        }))
    }

    async fn list_owners(
        &self,
        request: Request<ListOwnersRequest>,
    ) -> Result<Response<ListOwnersResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = OwnerList::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(list.read(&self.cell.snapshot(), self.cell.now())))
    }

    async fn list_scorecards(
        &self,
        request: Request<ListScorecardsRequest>,
    ) -> Result<Response<ListScorecardsResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let list = ScorecardList::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        Ok(Response::new(list.read(&self.cell.snapshot(), self.cell.now())))
    }

    async fn update_owner(
        &self,
        request: Request<UpdateOwnerRequest>,
    ) -> Result<Response<UpdateOwnerResponse>, Status> {
        let mut request = accept(request.into_inner()).map_err(ApiError::from)?;
        if let Command::UpdateOwner { patch, .. } = &mut request.command {
            work_out(patch, self.cell.now())?;
        }
        let outcome = self.cell.submit(request).await.map_err(ApiError::from)?;
        Ok(Response::new(UpdateOwnerResponse { revision: outcome.revision.0 }))
    }

    async fn preview_calendar(
        &self,
        request: Request<PreviewCalendarRequest>,
    ) -> Result<Response<PreviewCalendarResponse>, Status> {
        let patience = self.patience(&request);
        let message = request.into_inner();
        let preview = Preview::parse(&message)?;
        self.reach(message.min_revision, patience).await?;
        let after = preview.after.unwrap_or_else(|| self.cell.now());
        let (entries, revision) = self.cell.read(|state| preview.entries(state))?;
        let found = calendar::preview(&entries, after, preview.limit).map_err(ApiError::from)?;
        let windows = windows(&entries, found.iter())?;
        Ok(Response::new(PreviewCalendarResponse { windows, revision }))
    }
}

/// The windows of a new calendar, as time zones are now.
fn work_out(patch: &mut OwnerPatch, now: Time) -> Result<(), ApiError> {
    if let Some((entries, windows)) = &mut patch.calendar
        && !entries.is_empty()
    {
        *windows = calendar::windows(entries, now)?;
    }
    Ok(())
}

fn find<'a>(state: &'a State, name: &Name) -> Result<&'a Owner, ApiError> {
    let owner = state.owner(name);
    owner.ok_or_else(|| ApiError::from(Rejection::OwnerNotFound(name.to_string())))
}

fn windows<'a>(
    calendar: &[CalendarEntry],
    windows: impl Iterator<Item = &'a Window>,
) -> Result<Vec<offpeak::v1::Window>, ApiError> {
    windows.map(|window| Ok(convert::window(calendar, window)?)).collect()
}

/// A checked request for the windows of a calendar.
struct Preview {
    /// Whose calendar; none: these entries.
    owner: Option<Name>,
    entries: Vec<CalendarEntry>,
    after: Option<Time>,
    limit: usize,
}

impl Preview {
    fn parse(message: &PreviewCalendarRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let at = At::Root;
        let owner = convert::given_name(&mut violations, &at.field("name"), &message.name);
        if owner.is_some() && !message.calendar.is_empty() {
            violations.refuse(&at.field("calendar"), "is only for requests without a name");
        }
        let entries = convert::calendar(&mut violations, &at.field("calendar"), &message.calendar);
        let after = message.after;
        let after = after.map(|after| convert::time(&mut violations, &at.field("after"), after));
        let limit = match usize::try_from(message.limit) {
            Ok(0) => DEFAULT_PREVIEW,
            Ok(limit) if limit <= MAX_PREVIEW => limit,
            _ => {
                let description = format_args!("must be from 0 to {MAX_PREVIEW}");
                violations.refuse(&at.field("limit"), description);
                0
            }
        };
        Ok(violations.check(Self { owner, entries, after, limit })?)
    }

    fn entries(&self, state: &State) -> Result<(Vec<CalendarEntry>, u64), ApiError> {
        let revision = state.revision().0;
        let Some(name) = &self.owner else { return Ok((self.entries.clone(), revision)) };
        Ok((find(state, name)?.spec.calendar.clone(), revision))
    }
}

/// A checked request for a page of owners.
struct OwnerList {
    page: Page,
    after: String,
}

impl OwnerList {
    fn parse(message: &ListOwnersRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let place = (message.page_size, message.page_token.as_str());
        let page = Page::parse(&mut violations, "ListOwners", None::<&()>, place);
        let after = page.after_name(&mut violations);
        Ok(violations.check(Self { page, after })?)
    }

    fn read(&self, state: &State, now: Time) -> ListOwnersResponse {
        let gathered = self.page.gather(
            state.owners_by_name(&self.after),
            |_| true,
            |owner: &Owner| owner.spec.name.as_str().as_bytes().to_vec(),
            |owner| convert::owner(owner, now),
        );
        ListOwnersResponse {
            owners: gathered.objects,
            next_page_token: gathered.next_page_token,
            revision: state.revision().0,
        }
    }
}

/// A checked request for the scorecards of a page of owners.
struct ScorecardList {
    page: Page,
    after: String,
    owner: Option<Name>,
    region: Option<Name>,
}

impl ScorecardList {
    fn parse(message: &ListScorecardsRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let at = At::Root;
        let place = (message.page_size, message.page_token.as_str());
        let asked = ListScorecardsRequest {
            owner: message.owner.clone(),
            region: message.region.clone(),
            ..ListScorecardsRequest::default()
        };
        let page = Page::parse(&mut violations, "ListScorecards", Some(&asked), place);
        let list = Self {
            after: page.after_name(&mut violations),
            page,
            owner: convert::given_name(&mut violations, &at.field("owner"), &message.owner),
            region: convert::given_name(&mut violations, &at.field("region"), &message.region),
        };
        Ok(violations.check(list)?)
    }

    fn read(&self, state: &State, now: Time) -> ListScorecardsResponse {
        let gathered = self.page.gather(
            state.owners_by_name(&self.after),
            |owner| self.owner.as_ref().is_none_or(|name| *name == owner.spec.name),
            |owner: &Owner| owner.spec.name.as_str().as_bytes().to_vec(),
            |owner| {
                let regions = owner.record.scorecards.keys();
                let asked = regions.filter(|r| self.region.as_ref().is_none_or(|name| name == *r));
                asked.map(|region| convert::scorecard(owner, region, now)).collect::<Vec<_>>()
            },
        );
        ListScorecardsResponse {
            scorecards: gathered.objects.into_iter().flatten().collect(),
            next_page_token: gathered.next_page_token,
            revision: state.revision().0,
        }
    }
}
