//! Retries, checks without effect, and the policy.

use expect_test::expect;

use crate::scenario::play;

#[test]
fn request_id_replays_the_first_answer() {
    expect![[r#"
        > node a cpu=4 id=one
          answer of revision 1
          registered a
          remembered one
        > node a cpu=4 id=one
          answer of revision 1
        > tenant acme
          created acme
        > job acme cpu=1 id=two
          answer of revision 3
          submitted acme/job-1
          remembered two
          placed acme/job-1/0 on a
        > job acme cpu=1 id=two
          answer of revision 3
        > restart
        > job acme cpu=1 id=two
          answer of revision 3
        > cordon a
          a is cordoned
        > cordon a id=three
          answer of revision 6
          remembered three
    "#]]
    .assert_eq(&play(
        "node a cpu=4 id=one
         node a cpu=4 id=one
         tenant acme
         job acme cpu=1 id=two
         job acme cpu=1 id=two
         restart
         job acme cpu=1 id=two
         cordon a
         cordon a id=three",
    ));
}

#[test]
fn request_id_with_other_body_is_refused() {
    expect![[r#"
        > node a cpu=4 id=one
          answer of revision 1
          registered a
          remembered one
        > node b cpu=4 id=one
          refused: request id "one" was used for another request
        > node b cpu=4 id=two
          answer of revision 2
          registered b
          remembered two
        > node b cpu=5 id=three
          refused: node "b" is registered already
        > node b cpu=5 id=three
          refused: node "b" is registered already
    "#]]
    .assert_eq(&play(
        "node a cpu=4 id=one
         node b cpu=4 id=one
         node b cpu=4 id=two
         node b cpu=5 id=three
         node b cpu=5 id=three",
    ));
}

#[test]
fn validate_only_changes_nothing() {
    expect![[r#"
        > node a cpu=4 dry
        > tenant acme
          created acme
        > job acme/train cpu=1 dry
        > node a cpu=4
          registered a
        > job acme/train cpu=1 dry id=one
          answer of revision 2
        > job acme/train cpu=1
          submitted acme/train
          placed acme/train/0 on a
        > job acme/train cpu=1 dry
          refused: tenant "acme" has a job "train" already
        > drain a dry
          1 notices
        > remove a force dry
    "#]]
    .assert_eq(&play(
        "node a cpu=4 dry
         tenant acme
         job acme/train cpu=1 dry
         node a cpu=4
         job acme/train cpu=1 dry id=one
         job acme/train cpu=1
         job acme/train cpu=1 dry
         drain a dry
         remove a force dry",
    ));
}

#[test]
fn answers_are_forgotten_beyond_the_limit() {
    expect![[r#"
        > policy limit=2
          policy changed
        > node a cpu=1 id=one
          answer of revision 2
          registered a
          remembered one
        > node b cpu=1 id=two
          answer of revision 3
          registered b
          remembered two
        > node c cpu=1 id=three
          answer of revision 4
          registered c
          remembered three
          forgot answers through 2
        > node a cpu=1 id=one
          refused: node "a" is registered already
        > node c cpu=1 id=three
          answer of revision 4
    "#]]
    .assert_eq(&play(
        "policy limit=2
         node a cpu=1 id=one
         node b cpu=1 id=two
         node c cpu=1 id=three
         node a cpu=1 id=one
         node c cpu=1 id=three",
    ));
}

#[test]
fn answers_are_forgotten_after_retention() {
    expect![[r#"
        > policy requests=1h
          policy changed
        > node a cpu=1 id=one
          answer of revision 2
          registered a
          remembered one
        > at +58m
        > node b cpu=1 id=two
          answer of revision 3
          registered b
          remembered two
        > at +1h
          +1h forgot answers through 2
        > node a cpu=1 id=one
          refused: node "a" is registered already
        > node b cpu=1 id=two
          answer of revision 3
        > at +2h
          +1h58m forgot answers through 3
        > tenant acme id=four
          answer of revision 6
          created acme
          remembered four
        > at +4h
          +3h forgot answers through 6
    "#]]
    .assert_eq(&play(
        "policy requests=1h
         node a cpu=1 id=one
         at +58m
         node b cpu=1 id=two
         at +1h
         node a cpu=1 id=one
         node b cpu=1 id=two
         at +2h
         tenant acme id=four
         at +4h",
    ));
}

#[test]
fn a_short_retention_keeps_new_answers() {
    expect![[r#"
        > policy requests=40s
          policy changed
        > node a cpu=1 id=one
          answer of revision 2
          registered a
          remembered one
        > at +39s
        > node b cpu=1 id=two
          answer of revision 3
          registered b
          remembered two
        > at +40s
          +40s forgot answers through 2
        > node b cpu=1 id=two
          answer of revision 3
        > at +2m
          +1m19s forgot answers through 3
    "#]]
    .assert_eq(&play(
        "policy requests=40s
         node a cpu=1 id=one
         at +39s
         node b cpu=1 id=two
         at +40s
         node b cpu=1 id=two
         at +2m",
    ));
}

#[test]
fn a_policy_that_is_the_same_changes_nothing() {
    expect![[r#"
        > policy margin=100
        > policy margin=100 notice=1m
          policy changed
        > policy notice=1m
    "#]]
    .assert_eq(&play(
        "policy margin=100
         policy margin=100 notice=1m
         policy notice=1m",
    ));
}
