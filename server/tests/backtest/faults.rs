//! What is refused, and how it is told.

use expect_test::expect;

use crate::Folder;

#[test]
fn every_fault_of_a_history_is_told_with_its_line_and_value() {
    let folder = Folder::with("step,a,b\n0,1,2\n0,3,4\n5,1001,x\n6,1\nx,,\n");
    expect![[r#"
        error: there is nothing to look back on

        Caused by:
          load.csv:3: step: "0" does not come after that of the row before
          load.csv:4: a: "1001" is not a whole number from 0 to 1000
          load.csv:4: b: "x" is not a whole number from 0 to 1000
          load.csv:5: has 2 fields; the header has 3
          load.csv:6: step: "x" is not a whole number from 0 to 1000000000
          load.csv:6: step: "x" does not come after that of the row before
    "#]]
    .assert_eq(&folder.fail("--load load.csv"));
}

#[test]
fn a_history_without_steps_nodes_or_rows_is_refused() {
    for (text, told) in [
        ("", "load.csv:1: is empty; a header is needed"),
        ("a,b\n1,2\n", "load.csv:1: column step is missing"),
        ("step\n1\n", "load.csv:1: has no column but step; one a node is needed"),
        ("step,a\n", "load.csv:1: no row follows the header; at least one is needed"),
        ("step,a,a\n1,2,3\n", "load.csv:1: column \"a\" is there twice"),
    ] {
        let error = Folder::with(text).fail("--load load.csv");
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn json_that_is_no_answer_to_a_range_query_is_refused() {
    for (text, told) in [
        ("{\"status\":\"error\"}", "load.csv is no use as the answer to a range query: "),
        ("[]", "it has no samples"),
        (
            "{\"result\":[{\"metric\":{\"a\":\"b\"},\"values\":[[0,\"x\"]]}]}",
            "a=b at 0: \"x\" is not a number",
        ),
        (
            "{\"result\":[{\"metric\":{},\"values\":[[0,\"-1\"]]}]}",
            "node at 0: \"-1\" is less than nothing",
        ),
        (
            "[{\"metric\":{},\"values\":[[0,\"0\"]]},{\"metric\":{},\"values\":[]}]",
            "two series are called \"node\"",
        ),
    ] {
        let error = Folder::with(text).fail("--load load.csv");
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let folder = Folder::with("step,a\n0,1\n");
    for (arguments, told) in [
        ("--load none.csv", "could not open none.csv"),
        ("--load load.csv --horizon 2h", "is none of 5m, 1h, 6h and 24h"),
        ("--load load.csv --risk 1", "is no number from 0.00001 to 0.5"),
        ("--load load.csv --risk NaN", "is no number from 0.00001 to 0.5"),
        ("--load load.csv --step 0", "0 is not in 1..=86400"),
        ("--load load.csv --dump -", "--dump needs a file of its own"),
        ("--load load.csv --plot -", "--plot needs a file of its own"),
        ("--load load.csv --dump no/bounds.csv", "could not write to no/bounds.csv"),
    ] {
        let error = folder.fail(arguments);
        assert!(error.contains(told), "{error}");
    }
}
