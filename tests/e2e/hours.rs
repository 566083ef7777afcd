//! What the cell says of the coming hours, once owners have reported for some days.

use offpeak::v1::{
    CalendarEntry, CordonNodeRequest, GetCapacityRequest, GetIdleProfileRequest,
    GetIdleProfileResponse, HeldShare, IdleHour, IdleProfile, LoadSample, Node, Once, Owner,
    Resources, UpdateOwnerRequest, calendar_entry::Days,
};
use prost_types::{FieldMask, Timestamp};

use crate::house::{BEGIN, House, cpu, node};

const HOUR: i64 = 3_600;

/// Owners report every five minutes.
const STEP: i64 = 300;

fn begin() -> i64 {
    i64::try_from(BEGIN.0 / 1_000).expect("small")
}

/// A core always, six of eight from twelve to one, and one more core for the second node.
fn load(name: &str, second: i64) -> u64 {
    let busy = (12 * HOUR..13 * HOUR).contains(&(second % (24 * HOUR)));
    let more = if name == "b" { 1_000 } else { 0 };
    more + if busy { 6_000 } else { 1_000 }
}

impl House {
    /// Days of reports of both nodes, until they are forecast.
    async fn live_for_two_days(&self) {
        for day in 0..2 {
            self.advance(24 * 3_600);
            let seconds = (1..=24 * HOUR / STEP).map(|step| day * 24 * HOUR + step * STEP);
            let samples = seconds.flat_map(|second| {
                let time = Some(Timestamp { seconds: begin() + second, nanos: 0 });
                ["a", "b"].map(|name| {
                    let load = Some(cpu(load(name, second)));
                    LoadSample { node: name.to_owned(), time, load }
                })
            });
            let min_revision = self.report_samples(samples.collect()).await.revision + 1;
            if day > 0 {
                // Their owner has reported for a day: the forecast follows in the next revision.
                let request = GetCapacityRequest { min_revision, ..GetCapacityRequest::default() };
                self.client.call(request).await.expect("reached");
            }
        }
    }

    async fn hours(&self, request: GetIdleProfileRequest) -> GetIdleProfileResponse {
        let request = GetIdleProfileRequest { include_hours: true, ..request };
        self.client.call(request).await.expect("a profile")
    }
}

fn in_region(name: &str, region: &str) -> Node {
    let capacity = Some(Resources { memory_bytes: 1 << 30, ..cpu(8_000) });
    Node { region: region.to_owned(), owner: "shop".to_owned(), capacity, ..node(name) }
}

fn idle(hour: &IdleHour) -> [u64; 3] {
    let amounts = [&hour.idle_p50, &hour.idle_p95, &hour.idle_p99];
    amounts.map(|idle| idle.as_ref().map_or(0, |idle| idle.cpu_millis))
}

/// By how many full hours an hour begins after the clocks of the cell did.
fn hour_of(hour: &IdleHour) -> i64 {
    (hour.start.expect("a start").seconds - begin()) / HOUR
}

fn all(profile: &IdleProfile) -> Vec<[u64; 3]> {
    profile.hours.iter().map(idle).collect()
}

#[tokio::test]
async fn the_coming_hours_follow_the_time_of_day() {
    let house = House::new().await;
    house.register(vec![in_region("a", "eu"), in_region("b", "us")]).await;
    house.live_for_two_days().await;
    house.advance(20 * 60);
    let answer = house.hours(GetIdleProfileRequest::default()).await;
    let [eu, us] = answer.profiles.as_slice() else { panic!("{answer:?}") };
    let total = answer.total.as_ref().expect("a total");
    assert_eq!(eu.hours.iter().map(hour_of).collect::<Vec<_>>(), (48..72).collect::<Vec<_>>());
    for (profile, nodes) in [(eu, 1), (us, 1), (total, 2)] {
        let told: Vec<u64> = profile.hours.iter().map(|hour| hour.forecast_nodes).collect();
        assert_eq!(told, [nodes; 24]);
    }
    for profile in [eu, us, total] {
        for [p50, p95, p99] in all(profile) {
            assert!(p50 >= p95 && p95 >= p99, "{p50} {p95} {p99}");
        }
    }
    // At noon hardly anything is left, and as often as not all but one core at any other time.
    for (hour, [p50, _, p99]) in all(eu).into_iter().enumerate() {
        if hour == 12 {
            assert!(p99 <= 2_000 && p50 <= 2_100, "{hour}: {p50} {p99}");
        } else {
            assert!((6_700..=7_000).contains(&p50), "{hour}: {p50} {p99}");
        }
    }
    // What is expected of both together is not surer than what is expected of each is likely.
    for (total, (eu, us)) in all(total).into_iter().zip(all(eu).into_iter().zip(all(us))) {
        assert!(total[2] >= eu[2] + us[2] || total[2] + 100 >= eu[2] + us[2], "{total:?}");
        assert!(total[0] <= eu[0] + us[0] + 100, "{total:?}");
    }
    // Of what owners never used all is idle.
    let memory = total.hours[12].idle_p99.as_ref().map(|idle| idle.memory_bytes);
    assert_eq!(memory, Some(2 << 30));
    let plain = house.client.call(GetIdleProfileRequest::default()).await.expect("a profile");
    assert!(plain.profiles.iter().all(|profile| profile.hours.is_empty()));
    house.stop().await;
}

#[tokio::test]
async fn an_hour_keeps_what_calendars_and_reservations_hold_back_and_only_ready_nodes_count() {
    let house = House::new().await;
    let reserved =
        Node { owner: "other".to_owned(), reservation: Some(cpu(3_000)), ..node("silent") };
    house.register(vec![in_region("a", "eu"), in_region("b", "eu"), reserved]).await;
    house.live_for_two_days().await;
    let entry = CalendarEntry {
        name: "sale".to_owned(),
        days: Some(Days::Once(Once {
            start: "2026-01-03T05:30".to_owned(),
            end: "2026-01-03T07:00".to_owned(),
        })),
        time_zone: "UTC".to_owned(),
        share: Some(HeldShare { permille: 1_000, ..HeldShare::default() }),
        ..CalendarEntry::default()
    };
    let owner = Owner { name: "shop".to_owned(), calendar: vec![entry], ..Owner::default() };
    let update = UpdateOwnerRequest {
        owner: Some(owner),
        update_mask: Some(FieldMask { paths: vec!["calendar".to_owned()] }),
        ..UpdateOwnerRequest::default()
    };
    house.client.call(update).await.expect("updated");
    let of_node = |name: &str| {
        let node = name.to_owned();
        house.hours(GetIdleProfileRequest { node, ..GetIdleProfileRequest::default() })
    };
    let of_a = all(&of_node("a").await.profiles[0]);
    for (hour, [p50, ..]) in of_a.iter().enumerate() {
        let held = hour == 5 || hour == 6;
        assert_eq!(*p50 == 0, held, "{hour}: {p50}");
    }
    // Nobody ever reported of this one: all but the reservation is idle, and nothing was learned.
    let silent = &of_node("silent").await.profiles[0];
    assert_eq!(all(silent), vec![[5_000; 3]; 24]);
    assert!(silent.hours.iter().all(|hour| hour.forecast_nodes == 0));

    let cordon = CordonNodeRequest { name: "a".to_owned(), ..CordonNodeRequest::default() };
    house.client.call(cordon).await.expect("cordoned");
    assert_eq!(all(&of_node("a").await.profiles[0]), vec![[0; 3]; 24]);
    let owners = vec!["shop".to_owned()];
    let both = house.hours(GetIdleProfileRequest { owners, ..GetIdleProfileRequest::default() });
    let both = both.await;
    assert_eq!(all(&both.profiles[0]), all(&of_node("b").await.profiles[0]));
    house.stop().await;
}
