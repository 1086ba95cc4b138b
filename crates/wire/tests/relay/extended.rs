//! The extended query protocol: pipelines, and what an error skips.

use daypass_wire::postgres::relay::State;

use crate::*;

#[test]
fn parse_bind_and_execute_are_told_and_only_execute_has_an_outcome() {
    let mut driven = Driven::default();
    driven.client(&[
        parse("s", "SELECT $1"),
        bind("p", "s", &[Some(b"7"), None]),
        describe(),
        execute("p", 50),
        sync(),
    ]);
    driven.upstream(&[bare(b'1'), bare(b'2'), message(b'T', &[&[0, 0]]), row(b"7"), complete("SELECT 1"), ready()]);
    assert_eq!(
        driven.records(),
        ["1 parse <s> SELECT $1", "2 bind <p> <s>", "3 execute <p> 50", "3 completed SELECT 1"]
    );
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn a_portal_may_run_on() {
    let mut driven = Driven::default();
    driven.client(&[execute("", 1), execute("", 1), execute("", 0), sync()]);
    driven.upstream(&[bare(b's'), bare(b'I'), complete("SELECT 3"), ready()]);
    assert_eq!(
        driven.records(),
        ["1 execute <> 1", "2 execute <> 1", "3 execute <> 0", "1 suspended", "2 empty", "3 completed SELECT 3"]
    );
}

#[test]
fn an_error_skips_to_sync() {
    let mut driven = Driven::default();
    driven.client(&[parse("", "bad"), bind("", "", &[]), execute("", 0), sync(), query("next")]);
    driven.upstream(&[failure("no"), ready(), complete("NEXT"), ready()]);
    assert_eq!(
        driven.records(),
        [
            "1 parse <> bad",
            "2 bind <> <>",
            "3 execute <> 0",
            "4 simple next",
            "1 failed 42601 no",
            "2 skipped",
            "3 skipped",
            "4 completed NEXT"
        ]
    );
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn what_is_sent_after_an_error_is_skipped_too_until_sync() {
    let mut driven = Driven::default();
    driven.client(&[parse("", "bad")]).upstream(&[failure("no")]);
    driven.client(&[
        bind("", "", &[]),
        describe(),
        message(b'C', &[b"S\0"]),
        execute("", 0),
        query("also"),
        sync(),
        query("next"),
    ]);
    driven.upstream(&[ready(), complete("NEXT"), ready()]);
    assert_eq!(
        driven.records(),
        [
            "1 parse <> bad",
            "1 failed 42601 no",
            "2 bind <> <>",
            "2 skipped",
            "3 execute <> 0",
            "3 skipped",
            "4 simple also",
            "4 skipped",
            "5 simple next",
            "5 completed NEXT"
        ]
    );
}

#[test]
fn an_error_of_the_simple_protocol_skips_nothing() {
    let mut driven = Driven::default();
    driven.client(&[query("bad"), parse("", "good"), sync()]);
    driven.upstream(&[failure("no"), ready(), bare(b'1'), ready()]);
    assert_eq!(driven.records(), ["1 simple bad", "2 parse <> good", "1 failed 42601 no"]);
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn an_error_at_sync_is_the_last_statements() {
    let mut driven = Driven::default();
    driven.client(&[execute("", 0), sync(), query("next")]);
    driven.upstream(&[complete("INSERT 0 1"), error("ERROR", "23503", "deferred"), ready(), complete("NEXT"), ready()]);
    assert_eq!(
        driven.records(),
        ["1 execute <> 0", "2 simple next", "1 completed INSERT 0 1", "1 failed 23503 deferred", "2 completed NEXT"]
    );
}

#[test]
fn close_and_describe_are_awaited_but_not_told() {
    let mut driven = Driven::default();
    let close = || message(b'C', &[b"Sx\0"]);
    driven.client(&[close(), describe(), close(), bind("", "", &[]), sync()]);
    driven.upstream(&[bare(b'3'), message(b't', &[&[0, 0]]), bare(b'n'), bare(b'3'), failure("no x")]);
    assert_eq!(driven.records(), ["1 bind <> <>", "1 failed 42601 no x"]);
    driven.upstream(&[ready()]);
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn an_error_of_describe_is_nobodys_and_skips_as_well() {
    let mut driven = Driven::default();
    driven.client(&[describe(), execute("", 0), sync()]).upstream(&[failure("no portal"), ready()]);
    assert_eq!(driven.records(), ["1 execute <> 0", "stray failed 42601 no portal", "1 skipped"]);
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn an_outcome_that_nobody_asked_for_is_told_as_such() {
    let mut driven = Driven::default();
    driven.upstream(&[error("FATAL", "57P01", "shut down")]);
    assert_eq!(driven.records(), ["stray failed 57P01 shut down"]);
}
