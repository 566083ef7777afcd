use super::{Config, ConfigError, Optional, Settings, Sources, refuse_unknown};

fn file(text: &str) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("offpeakd.toml");
    std::fs::write(&path, text).expect("a file");
    (folder, Sources { config: Some(path), settings: Settings::default() })
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_defaults() {
    let (_folder, mut sources) =
        file("cell = \"from-file\"\nnotice = \"5m\"\nmetrics_listen = \"off\"");
    sources.settings.cell = Some("from-flag".to_owned());
    let config = sources.load().expect("valid");
    assert_eq!(config.cell, "from-flag");
    assert_eq!((config.policy().notice.0, config.metrics_listen), (300_000, Optional(None)));
    assert_eq!(config.queue_limit_requests, Config::default().queue_limit_requests);
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let error = file("queue_limit = 5").1.load().expect_err("unknown");
    let ConfigError::Parse { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("unknown field `queue_limit`"), "{source}");
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let names = ["PATH", "OFFPEAKD_CELL", "OFFPEAKD_CONFIG"].map(str::to_owned);
    assert!(refuse_unknown(names.into_iter()).is_ok());
    let error = refuse_unknown(std::iter::once("OFFPEAKD_CEL".to_owned())).expect_err("unknown");
    assert_eq!(error.to_string(), "unknown environment variable OFFPEAKD_CEL");
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let error = file("steps_in_flight = 0").1.load().expect_err("zero");
    assert_eq!(error.to_string(), "steps_in_flight must be at least 1");
}

#[test]
fn a_planner_takes_at_most_one_core_or_is_off() {
    let error = file("planner_share_percent = 101").1.load().expect_err("too much");
    assert_eq!(error.to_string(), "planner_share_percent must be at most 100");
    let error = file("planner_share_percent = 0").1.load().expect_err("zero");
    assert_eq!(error.to_string(), "planner_share_percent must be at least 1");
    let off = file("planner_attempts = 0").1.load().expect("valid");
    assert_eq!(off.planner_attempts, 0);
}

#[test]
fn what_is_printed_can_be_read_again() {
    let config = Config { metrics_listen: Optional(None), ..Config::default() };
    let (_folder, sources) = file(&config.to_toml().expect("printable"));
    assert_eq!(sources.load().expect("valid"), config);
}
