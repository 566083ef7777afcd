//! Lists, page after page.

use clap::Args;
use offpeak::v1 as api;
use offpeak_client::{Client, Unary};

use super::failure::Failure;

/// The most the server gives at once.
const PAGE_SIZE: i32 = 1000;

/// How much of a list to fetch.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Print no more than this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A request whose answer comes in pages.
pub(crate) trait List: Unary {
    type Item;

    fn turn(&mut self, page_size: i32, page_token: String);
    fn items(response: Self::Response) -> (Vec<Self::Item>, String);
}

macro_rules! list {
    ($($request:ident: $item:ident in $field:ident),* $(,)?) => {
        $(impl List for api::$request {
            type Item = api::$item;

            fn turn(&mut self, page_size: i32, page_token: String) {
                self.page_size = page_size;
                self.page_token = page_token;
            }

            fn items(response: Self::Response) -> (Vec<Self::Item>, String) {
                (response.$field, response.next_page_token)
            }
        })*
    };
}

list! {
    ListNodesRequest: Node in nodes,
    ListOwnersRequest: Owner in owners,
    ListPriceChangesRequest: PriceChange in changes,
    ListScorecardsRequest: Scorecard in scorecards,
    ListTenantsRequest: Tenant in tenants,
    ListJobsRequest: Job in jobs,
    ListAllocationsRequest: Allocation in allocations,
}

/// All items, or as many as the limit lets through.
pub(crate) async fn fetch<L: List>(
    client: &Client,
    request: &L,
    limit: Limit,
) -> Result<Vec<L::Item>, Failure> {
    let most = limit.limit.unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut token = String::new();
    while items.len() < most {
        let wanted = i32::try_from(most - items.len()).unwrap_or(PAGE_SIZE);
        let mut request = request.clone();
        request.turn(wanted.min(PAGE_SIZE), token);
        let (page, next) = L::items(client.call(request).await?);
        items.extend(page);
        token = next;
        if token.is_empty() {
            break;
        }
    }
    items.truncate(most);
    Ok(items)
}
