//! Commands about prices.

use std::sync::Arc;

use super::done;
use crate::{
    engine::Decision,
    event::Event,
    model::{Millis, PLAIN_PERMILLE, PriceBook, Revision, Time},
    rejection::Rejection,
    state::State,
};

/// A book holds from the next millisecond on: what is placed already, if only just, keeps its price. One whose prices do
/// not follow demand ends what demand made of prices before.
pub(super) fn set(
    state: &State,
    now: Time,
    book: PriceBook,
    expected: Option<Revision>,
) -> Result<Decision, Rejection> {
    let books = state.accounts().books();
    let newest = books.newest();
    let found = newest.map_or(Revision(0), |newest| newest.revision);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(Rejection::StaleRevision { object: "the price book".into(), expected, found });
    }
    if let Some(newest) = newest {
        if newest.book.currency != book.currency {
            let kept = newest.book.currency.clone();
            return Err(Rejection::CurrencyChanged { kept, wanted: book.currency });
        }
        if *newest.book == book {
            return Ok(done(Vec::new()));
        }
    }
    if !books.have_room(state.oldest_placed().min(now)) {
        return Err(Rejection::TooManyPriceBooks { kept: books.all().len() });
    }
    let since = now.after(Millis(1));
    let ends_demand = book.demand.is_empty();
    let mut events = vec![Event::PriceBookChanged { since, book: Arc::new(book) }];
    if ends_demand {
        let (factor_permille, lent_permille) = (PLAIN_PERMILLE, None);
        for (region, _) in state.accounts().factors().in_force(since) {
            let region = region.clone();
            events.push(Event::DemandPriced { since, region, factor_permille, lent_permille });
        }
    }
    Ok(done(events))
}
