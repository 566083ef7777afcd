//! Prices that follow demand, and what changed them.

use offpeak::v1::{
    DemandStep, ListPriceChangesRequest, ListPriceChangesResponse, Node, PriceBook, PriceChange,
    Prices, SetPriceBookRequest, WatchFilter, price_change::Change,
};
use tonic::Code;

use crate::house::{House, job, node, refusal};

/// Sets what a core costs, in millionths, and what demand makes of it.
async fn set(house: &House, core: u64, demand: &[(u32, u32)]) {
    let step = |&(lent_permille, factor_permille)| DemandStep { lent_permille, factor_permille };
    let price_book = PriceBook {
        currency: "EUR".to_owned(),
        everywhere: Some(Prices { core: Some(core), ..Prices::default() }),
        demand: demand.iter().map(step).collect(),
        ..PriceBook::default()
    };
    let price_book = Some(price_book);
    let request = SetPriceBookRequest { price_book, ..SetPriceBookRequest::default() };
    house.client.call(request).await.expect("prices");
}

/// A region of which half is lent and one of which nothing is, under three price books.
async fn busy() -> House {
    let house = House::new().await;
    house.create_tenant("acme").await;
    let [east, west] = [("a", "east"), ("b", "west")]
        .map(|(name, region)| Node { region: region.to_owned(), ..node(name) });
    house.register(vec![east]).await;
    house.submit(job("train", 4, 1_000)).await;
    house.register(vec![west]).await;
    set(&house, 40_000, &[]).await;
    house.advance(1);
    set(&house, 40_000, &[(0, 800), (500, 1_200)]).await;
    house.advance(1);
    set(&house, 50_000, &[]).await;
    house
}

async fn page(house: &House, request: ListPriceChangesRequest) -> ListPriceChangesResponse {
    house.client.call(request).await.expect("a page")
}

fn told(changes: &[PriceChange]) -> Vec<String> {
    let told = changes.iter().map(|change| match change.change.as_ref().expect("a change") {
        Change::PriceBook(book) => {
            format!("core {}", book.everywhere.as_ref().and_then(|prices| prices.core).unwrap_or(0))
        }
        Change::DemandFactor(factor) => {
            format!("{} {} at {:?}", factor.region, factor.factor_permille, factor.lent_permille)
        }
    });
    told.collect()
}

#[tokio::test]
async fn changes_of_prices_are_listed_page_by_page_also_of_one_region() {
    let house = busy().await;
    let all = page(&house, ListPriceChangesRequest::default()).await.changes;
    let expected = [
        "east 1000 at None",
        "west 1000 at None",
        "core 50000",
        "east 1200 at Some(500)",
        "west 800 at Some(0)",
        "core 40000",
        "core 40000",
    ];
    assert_eq!(told(&all), expected);
    let mut paged = Vec::new();
    let mut request = ListPriceChangesRequest { page_size: 2, ..Default::default() };
    loop {
        let page = page(&house, request.clone()).await;
        assert!(page.changes.len() <= 2);
        paged.extend(page.changes);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(paged, all);

    let Some(Change::DemandFactor(first)) = &all[4].change else { panic!("a factor") };
    let of_east = ListPriceChangesRequest {
        region: Some("east".to_owned()),
        from: first.since,
        ..Default::default()
    };
    let east = page(&house, of_east.clone()).await.changes;
    let expected = ["east 1000 at None", "core 50000", "east 1200 at Some(500)", "core 40000"];
    assert_eq!(told(&east), expected);
    let mixed = ListPriceChangesRequest { page_token: request.page_token, ..of_east };
    assert_eq!(refusal(house.client.call(mixed).await).0, Code::InvalidArgument);
    house.stop().await;
}

#[tokio::test]
async fn whoever_follows_a_tenant_or_a_region_learns_of_its_prices() {
    let house = busy().await;
    let own = WatchFilter { tenant: "acme".to_owned(), ..WatchFilter::default() };
    house
        .lines_of(own.clone())
        .expect(&[
            "tenant acme",
            "submitted acme/train",
            "placed acme/train 0..4 on a",
            "prices",
            "prices",
            "demand [east] 1200",
            "demand [west] 800",
            "prices",
            "demand [east] 1000",
            "demand [west] 1000",
        ])
        .await;
    let west = WatchFilter { region: "west".to_owned(), ..WatchFilter::default() };
    house
        .lines_of(west)
        .expect(&[
            "registered b",
            "prices",
            "prices",
            "demand [west] 800",
            "prices",
            "demand [west] 1000",
        ])
        .await;
    let of_job = WatchFilter { job: "train".to_owned(), ..own };
    let mut of_job = house.lines_of(of_job);
    of_job.expect(&["submitted acme/train", "placed acme/train 0..4 on a"]).await;
    house.cancel("train").await;
    of_job.expect(&["cancelled acme/train 0 on a"]).await;
    house.stop().await;
}
