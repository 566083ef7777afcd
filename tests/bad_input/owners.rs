//! Owners and calendars that cannot be.

use offpeak::v1::{
    self, CalendarEntry, HeldShare, Monthly, Once, PreviewCalendarRequest, UpdateOwnerRequest,
    Weekly, Yearly, calendar_entry::Days,
};
use prost_types::Duration;
use tonic::Code;

use crate::house::{House, mask};

/// Every Monday from 08:00 for ten hours, a third of everything.
fn mondays(name: &str) -> CalendarEntry {
    CalendarEntry {
        name: name.into(),
        days: Some(Days::Weekly(Weekly { weekdays: vec![1] })),
        start: "08:00".into(),
        length: Some(hours(10)),
        time_zone: "Europe/Berlin".into(),
        share: Some(share(333)),
        ..CalendarEntry::default()
    }
}

fn hours(hours: i64) -> Duration {
    Duration { seconds: hours * 3_600, nanos: 0 }
}

fn share(permille: u32) -> HeldShare {
    HeldShare { permille, ..HeldShare::default() }
}

fn once(start: &str, end: &str) -> CalendarEntry {
    let days = Some(Days::Once(Once { start: start.into(), end: end.into() }));
    CalendarEntry { days, start: String::new(), length: None, ..mondays("once") }
}

fn update(calendar: Vec<CalendarEntry>) -> UpdateOwnerRequest {
    let owner = v1::Owner { name: "shop".into(), calendar, ..v1::Owner::default() };
    let update_mask = mask(&["calendar"]);
    UpdateOwnerRequest { owner: Some(owner), update_mask, ..UpdateOwnerRequest::default() }
}

async fn refuses(house: &House, calendar: Vec<CalendarEntry>, wrong: &[(&str, &str)]) {
    house.refuses_fields(house.owners.clone().update_owner(update(calendar)), wrong).await;
}

#[tokio::test]
async fn days_that_cannot_be_are_refused_with_what_can() {
    let house = House::start().await;
    let month = |days: &[i32]| Some(Days::Monthly(Monthly { days: days.to_vec() }));
    let year = |month, day| Some(Days::Yearly(Yearly { month, day }));
    let week = Some(Days::Weekly(Weekly { weekdays: vec![1, 8] }));
    let cases = [
        (None, "", "one of weekly, monthly, yearly, once"),
        (week, ".weekly.weekdays[1]", "WEEKDAY_SUNDAY"),
        (
            month(&[25, 31]),
            ".monthly.days[1]",
            "is 31, which not every month has; it must be from 1 to 28, or -1",
        ),
        (month(&[]), ".monthly.days", "at least one day of the month"),
        (year(2, 29), ".yearly.day", "is 29; it must be from 1 to 28"),
        (year(13, 1), ".yearly.month", "is 13; it must be from 1 to 12"),
    ];
    for (days, field, says) in cases {
        let field = format!("owner.calendar[0]{field}");
        refuses(&house, vec![CalendarEntry { days, ..mondays("a") }], &[(&field, says)]).await;
    }
}

#[tokio::test]
async fn windows_that_cannot_be_are_refused_with_what_can() {
    let house = House::start().await;
    let zone = |zone: &str| CalendarEntry { time_zone: zone.into(), ..mondays("a") };
    let start = |start: &str| CalendarEntry { start: start.into(), ..mondays("a") };
    let lasts = |length| CalendarEntry { length, ..mondays("a") };
    let holds = |share| CalendarEntry { share, ..mondays("a") };
    let odd = Some(Duration { seconds: 90, nanos: 0 });
    let cases = [
        (
            zone("Europe/Atlantis"),
            "time_zone",
            "\"Europe/Atlantis\", which the time zone database lacks",
        ),
        (start("24:00"), "start", "\"24:00\"; it must be a time of day such as \"08:30\""),
        (lasts(Some(hours(169))), "length", "from one minute to 7 days"),
        (lasts(odd), "length", "whole minutes"),
        (lasts(None), "length", "is required"),
        (holds(Some(share(1_001))), "share.permille", "is 1001; it must be from 0 to 1000"),
        (holds(Some(share(0))), "share", "must hold something back"),
        (holds(None), "share", "is required"),
        (mondays(""), "name", "must not be empty"),
    ];
    for (entry, field, says) in cases {
        let field = format!("owner.calendar[0].{field}");
        refuses(&house, vec![entry], &[(&field, says)]).await;
    }
}

#[tokio::test]
async fn single_windows_that_cannot_be_are_refused_with_what_can() {
    let house = House::start().await;
    let same = once("2026-11-20T08:00", "2026-11-20T08:00");
    let end = "owner.calendar[0].once.end";
    refuses(&house, vec![same], &[(end, "later than the start, 2026-11-20T08:00")]).await;
    let far = once("2026-01-01T00:00", "2027-01-03T00:00");
    refuses(&house, vec![far], &[(end, "at most 366 days later")]).await;
    let odd = once("2026-11-20 08:00", "2026-02-30T00:00");
    let start = ("owner.calendar[0].once.start", "a time such as \"2026-11-20T08:00\"");
    refuses(&house, vec![odd], &[start, (end, "is \"2026-02-30T00:00\"")]).await;
    let recurring =
        CalendarEntry { days: once("2026-11-20T08:00", "2026-11-21T08:00").days, ..mondays("a") };
    let start = ("owner.calendar[0].start", "not for once");
    refuses(&house, vec![recurring], &[start, ("owner.calendar[0].length", "not for once")]).await;
}

#[tokio::test]
async fn a_calendar_has_a_bounded_number_of_entries_each_with_its_own_name() {
    let house = House::start().await;
    let many = (0..33).map(|index| mondays(&format!("e{index}"))).collect();
    refuses(&house, many, &[("owner.calendar", "has 33 entries, more than the 32 allowed")]).await;
    let twice = vec![mondays("a"), mondays("b"), mondays("a")];
    refuses(&house, twice, &[("owner.calendar[2].name", "is \"a\", as another entry is called")])
        .await;
}

#[tokio::test]
async fn owners_are_checked_like_everything_else() {
    let house = House::start().await;
    let mut owners = house.owners.clone();
    let risky = |risk_ppm| {
        let owner =
            v1::Owner { name: "shop".into(), risk_ppm: Some(risk_ppm), ..v1::Owner::default() };
        let update_mask = mask(&["risk_ppm"]);
        UpdateOwnerRequest { owner: Some(owner), update_mask, ..UpdateOwnerRequest::default() }
    };
    let call = owners.update_owner(risky(99));
    house
        .refuses_fields(
            call,
            &[("owner.risk_ppm", "is 99 parts per million; it must be from 100 to 100000")],
        )
        .await;
    let masked = UpdateOwnerRequest { update_mask: mask(&["nodes"]), ..risky(1_000) };
    let call = owners.update_owner(masked);
    house
        .refuses_fields(
            call,
            &[("update_mask.paths[0]", "allowed are risk_ppm, shortfall_budget, calendar")],
        )
        .await;
    let call = owners.update_owner(UpdateOwnerRequest::default());
    house
        .refuses_fields(
            call,
            &[
                ("update_mask", "is required"),
                ("owner", "is required"),
                ("owner.name", "must not be empty"),
            ],
        )
        .await;
    let dry = UpdateOwnerRequest { validate_only: true, ..risky(1_000) };
    owners.update_owner(dry).await.expect("checked");
    let get = || v1::GetOwnerRequest { name: "shop".into(), min_revision: 0 };
    house.refuses(owners.get_owner(get()), Code::NotFound, "OWNER_NOT_FOUND").await;
    owners.update_owner(risky(1_000)).await.expect("updated");
    let stale = UpdateOwnerRequest { expected_revision: 9, ..risky(2_000) };
    house.refuses(owners.update_owner(stale), Code::Aborted, "STALE_REVISION").await;
    let found = owners.get_owner(get()).await.expect("found").into_inner().owner.expect("an owner");
    assert_eq!((found.risk_ppm, found.revision), (Some(1_000), 1));
}

#[tokio::test]
async fn a_preview_is_of_an_owner_or_of_entries() {
    let house = House::start().await;
    let mut owners = house.owners.clone();
    let both = PreviewCalendarRequest {
        name: "shop".into(),
        calendar: vec![mondays("a")],
        limit: -1,
        ..PreviewCalendarRequest::default()
    };
    let call = owners.preview_calendar(both);
    house
        .refuses_fields(
            call,
            &[("calendar", "only for requests without a name"), ("limit", "from 0 to 100")],
        )
        .await;
    let unknown =
        PreviewCalendarRequest { name: "shop".into(), ..PreviewCalendarRequest::default() };
    house.refuses(owners.preview_calendar(unknown), Code::NotFound, "OWNER_NOT_FOUND").await;
}
