//! What is told of a history.

use crate::{Folder, days, gzip};

#[test]
fn bounds_are_made_only_from_what_was_seen() {
    let whole = days(10);
    let folder = Folder::with(&whole);
    folder.succeed("--load load.csv --dump whole.csv");
    let cut: String = whole.lines().take(8 * 288 + 1).map(|line| format!("{line}\n")).collect();
    folder.write("load.csv", cut.as_bytes());
    folder.succeed("--load load.csv --dump cut.csv");
    assert!(folder.read("whole.csv").starts_with(&folder.read("cut.csv")));
}

#[test]
fn bounds_have_the_shape_of_the_load_and_lend_nothing_on_what_was_not_seen() {
    let load = days(9);
    let folder = Folder::with(&load);
    folder.succeed("--load load.csv --dump bounds.csv.gz");
    let bounds = folder.read("bounds.csv.gz");
    assert_eq!(load.lines().count(), bounds.lines().count());
    assert_eq!(load.lines().next(), bounds.lines().next());
    let mut lent = 0;
    for (load, bound) in load.lines().zip(bounds.lines()).skip(1) {
        let (load, bound): (Vec<_>, Vec<_>) =
            (load.split(',').collect(), bound.split(',').collect());
        assert_eq!((load[0], load.len()), (bound[0], bound.len()));
        for (load, bound) in load.iter().zip(&bound).skip(1).filter(|(_, bound)| !bound.is_empty())
        {
            let parse = |text: &str| text.parse::<u32>().expect("a number");
            assert!(parse(load) <= parse(bound) && parse(bound) < 1000, "{load} {bound}");
            lent += 1;
        }
    }
    assert!(lent > 2 * 288, "{lent}");
}

#[test]
fn gzip_standard_input_and_prometheus_are_as_good_as_a_plain_file() {
    let load = days(9);
    let folder = Folder::with(&load);
    let plain = folder.succeed("--load load.csv --dump plain.csv");
    folder.write("load.gz", &gzip(&load));
    assert_eq!(folder.succeed("--load load.gz"), plain);
    let piped = folder.run_with_input("--load -", load.as_bytes());
    assert_eq!(String::from_utf8(piped.stdout).expect("it is text"), plain);

    let names = ["still", "office", "wild"];
    let rows: Vec<Vec<&str>> = load.lines().skip(1).map(|row| row.split(',').collect()).collect();
    let series = names.iter().enumerate().map(|(at, name)| {
        let samples = rows.iter().filter(|row| !row[at + 1].is_empty()).map(|row| {
            let permille: f64 = row[at + 1].parse().expect("a number");
            let step: f64 = row[0].parse().expect("a number");
            serde_json::json!([step * 300.0 + 7.5, (permille / 1000.0).to_string()])
        });
        serde_json::json!({
            "metric": {"__name__": "cpu", "instance": name},
            "values": samples.chain([serde_json::json!([0, "NaN"])]).collect::<Vec<_>>(),
        })
    });
    let answer = serde_json::json!({
        "status": "success",
        "data": {"resultType": "matrix", "result": series.collect::<Vec<_>>()},
    });
    folder.write("load.json", answer.to_string().as_bytes());
    assert_eq!(folder.succeed("--load load.json --dump json.csv"), plain);
    let json = folder.read("json.csv").replace("instance=", "");
    assert!(json == folder.read("plain.csv"), "the bounds differ");
}

#[test]
fn the_json_has_figures_of_all_nodes_and_of_each_class() {
    let folder = Folder::with(&days(16));
    let json = folder.json("--horizon 1h --risk 0.01");
    assert_eq!((&json["horizon"], &json["risk_percent"]), (&"1h".into(), &1.0.into()));
    assert_eq!(json["nodes"], 3);
    let classes: Vec<_> = json["classes"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = classes.iter().map(|class| class["class"].as_str()).collect();
    assert_eq!(names, [Some("quiet"), Some("changing"), Some("busy")]);
    let figure = |of: &serde_json::Value, name: &str| of[name].as_f64().expect("a number");
    assert!(figure(classes[0], "harvest_percent") > 90.0, "{json:#}");
    assert!(figure(classes[2], "harvest_percent") < figure(classes[0], "harvest_percent"));
    assert!(figure(&json, "exceeded_percent") <= 1.1, "{json:#}");
    let points: f64 = classes.iter().map(|class| figure(class, "bounds")).sum();
    assert!((points - figure(&json, "bounds")).abs() < 0.5);
}

#[test]
fn a_steady_owner_is_evicted_less_and_lends_less() {
    // Three in a hundred steps are busy ones, whenever they come.
    let mut load = "step,a,b,c,d\n".to_owned();
    let mut number = 1_u64;
    for step in 0..16 * 288 {
        load += &step.to_string();
        for _ in 0..4 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            load += if (number >> 33) % 100 < 3 { ",600" } else { ",100" };
        }
        load.push('\n');
    }
    let folder = Folder::with(&load);
    let [plain, steady] =
        ["", "--steady"].map(|more| folder.json(&format!("--horizon 5m --risk 0.05 {more}")));
    let figure = |of: &serde_json::Value, name: &str| of[name].as_f64().expect("a number");
    for name in ["evicted_per_lent_hour", "harvest_percent"] {
        assert!(figure(&steady, name) < figure(&plain, name), "{name}: {steady:#} {plain:#}");
    }
}

#[test]
fn a_history_that_ends_in_the_warm_up_has_no_figures() {
    let folder = Folder::with(&days(2));
    let json = folder.json("");
    assert_eq!((&json["bounds"], &json["harvest_percent"]), (&0.into(), &serde_json::Value::Null));
    assert!(folder.json("--warm-up-days 1")["bounds"].as_u64() > Some(0));
    assert!(folder.succeed("--load load.csv").contains("exceeded - or less"));
}

#[test]
fn a_week_is_drawn() {
    let folder = Folder::with(&days(9));
    folder.succeed("--load load.csv --plot week.svg");
    let svg = folder.read("week.svg");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("day 7") && svg.matches("<poly").count() == 4, "{svg}");
}

/// What is lent at each step is what the dumped bounds leave.
#[test]
fn what_was_lent_is_told_in_node_hours_and_money() {
    let folder = Folder::with(&days(9));
    let json = folder.json("--dump bounds.csv --node-price 2.5");
    let figure = |name: &str| json[name].as_f64().expect("a number");
    let bounds = folder.read("bounds.csv");
    let counted = bounds.lines().skip(1 + 7 * 288);
    let lent: u32 = counted
        .flat_map(|row| row.split(',').skip(1).filter_map(|bound| bound.parse::<u32>().ok()))
        .map(|bound| 1000 - bound)
        .sum();
    let hours = f64::from(lent) / 1000.0 / 12.0;
    let (told, earned) = (figure("lent_node_hours"), figure("earned"));
    assert!(told > 0.0 && (told - hours).abs() < hours / 100.0, "{told} of {hours}");
    assert!((earned - 2.5 * told).abs() < 0.001, "{earned}");
    assert!(
        folder.succeed("--load load.csv --node-price 2.5").contains("node hours lent, earning")
    );
    assert!(folder.json("").get("earned").is_none());
    assert!(folder.fail("--load load.csv --node-price free").contains("is no price such as 1.25"));
}
