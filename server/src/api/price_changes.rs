//! What changed prices: books and what demand made of them, in one list.

use std::cmp::Reverse;

use offpeak::v1::{
    ListPriceChangesRequest, ListPriceChangesResponse, PriceChange, price_change::Change,
};
use offpeak_core::{
    billing::{KeptBook, KeptFactor},
    model::{Name, Time},
    state::State,
};

use super::{
    convert::{self, At, Violations},
    paging::Page,
    status::ApiError,
};

/// A checked request for a page.
#[derive(Debug)]
pub(super) struct PriceChanges {
    page: Page,
    region: Option<Name>,
    from: Time,
    after: Option<Place>,
}

/// Where a change stands in the list: the latest first, of one moment all regions before the book that they follow.
type Place = (Reverse<Time>, bool, Option<Name>);

#[derive(Clone, Copy)]
enum Kept<'s> {
    Book(&'s KeptBook),
    Factor(&'s Name, &'s KeptFactor),
}

impl PriceChanges {
    pub(super) fn parse(message: &ListPriceChangesRequest) -> Result<Self, ApiError> {
        let mut violations = Violations::default();
        let asked = ListPriceChangesRequest {
            region: message.region.clone(),
            from: message.from,
            ..ListPriceChangesRequest::default()
        };
        let place = (message.page_size, message.page_token.as_str());
        let page = Page::parse(&mut violations, "ListPriceChanges", Some(&asked), place);
        let cursor = page.after_name(&mut violations);
        let after = place_of(&mut violations, &cursor);
        let root = At::Root;
        let region = message.region.as_ref();
        let at = root.field("region");
        let region = region.map(|text| convert::optional_name(&mut violations, &at, text));
        let from =
            message.from.map(|time| convert::time(&mut violations, &root.field("from"), time));
        let from = from.unwrap_or_default();
        Ok(violations.check(Self { page, region, from, after })?)
    }

    /// Sorts all that is kept, which is little: for a copy of the state.
    pub(super) fn page(&self, state: &State) -> ListPriceChangesResponse {
        let accounts = state.accounts();
        let books = accounts.books().all().iter().map(Kept::Book);
        let factors = accounts.factors().all().map(|(region, kept)| Kept::Factor(region, kept));
        let mut found: Vec<(Place, Kept<'_>)> = books
            .chain(factors)
            .filter(|kept| kept.since() >= self.from && kept.concerns(self.region.as_ref()))
            .map(|kept| (kept.place(), kept))
            .filter(|(place, _)| self.after.as_ref().is_none_or(|after| place > after))
            .collect();
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let rest = found.iter().map(|(_, kept)| *kept);
        let gathered = self.page.gather(rest, |_| true, Kept::cursor, Kept::render);
        ListPriceChangesResponse {
            changes: gathered.objects,
            next_page_token: gathered.next_page_token,
            revision: state.revision().0,
        }
    }
}

impl Kept<'_> {
    fn since(&self) -> Time {
        match self {
            Self::Book(kept) => kept.since,
            Self::Factor(_, kept) => kept.since,
        }
    }

    fn region(&self) -> Option<&Name> {
        match self {
            Self::Book(_) => None,
            Self::Factor(region, _) => Some(region),
        }
    }

    fn concerns(&self, wanted: Option<&Name>) -> bool {
        wanted.is_none() || self.region().is_none_or(|region| wanted == Some(region))
    }

    fn place(&self) -> Place {
        place(self.since(), self.region().cloned())
    }

    /// The time, and after a slash the region if it is of one.
    fn cursor(self) -> Vec<u8> {
        let since = self.since().0;
        let text = self.region().map_or(since.to_string(), |region| format!("{since}/{region}"));
        text.into_bytes()
    }

    fn render(self) -> PriceChange {
        let change = match self {
            Self::Book(kept) => Change::PriceBook(convert::kept_book(kept)),
            Self::Factor(region, kept) => {
                Change::DemandFactor(convert::demand_factor(region, kept))
            }
        };
        PriceChange { change: Some(change) }
    }
}

fn place(since: Time, region: Option<Name>) -> Place {
    (Reverse(since), region.is_none(), region)
}

/// Back from a cursor; none on the first page.
fn place_of(violations: &mut Violations, cursor: &str) -> Option<Place> {
    if cursor.is_empty() {
        return None;
    }
    let (since, region) = match cursor.split_once('/') {
        Some((since, region)) => (since, Some(region)),
        None => (cursor, None),
    };
    let region = region.map(Name::parse_optional).transpose();
    match (since.parse(), region) {
        (Ok(since), Ok(region)) => Some(place(Time(since), region)),
        _ => {
            violations.refuse(&At::Root.field("page_token"), "was not given out for this list");
            None
        }
    }
}
