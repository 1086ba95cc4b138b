//! The simple query protocol, and what comes unasked.

use daypass_wire::postgres::relay::{CloseReason, Output, Passed, Record, State};

use crate::*;

#[test]
fn a_statement_is_told_before_it_is_sent_and_its_outcome_before_it_is_shown() {
    // I1
    let mut driven = Driven::default();
    driven.client(&[query("SELECT 1")]);
    assert!(matches!(driven.log[..], [Output::Record(Record::Start(_)), Output::ToUpstream(_)]));
    driven.log.clear();
    driven.upstream(&[row(b"1"), complete("SELECT 1"), ready()]);
    assert!(matches!(driven.log[..], [Output::Record(Record::End(_)), Output::ToClient(_)]));
}

#[test]
fn a_long_statements_beginning_passes_but_its_end_waits_for_the_record() {
    // I1
    let mut driven = Driven::default();
    let whole = query(&"x".repeat(100));
    for piece in whole.chunks(30) {
        driven.client(&[piece.to_vec()]);
    }
    let kinds: String =
        driven.log.iter().map(|output| if matches!(output, Output::Record(_)) { 'R' } else { 'U' }).collect();
    assert_eq!(kinds, "UUURU");
    assert_eq!(driven.bytes().0, whole);
}

#[test]
fn what_comes_in_one_read_leaves_as_the_same_buffer() {
    let mut relay = Relay::new(RecordMode::Full);
    let chunk = Bytes::from([row(b"1"), row(b"2"), message(b'N', &[b"\0"]), row(b"3")].concat());
    let at = chunk.as_ptr();
    relay.from_upstream(chunk);
    let Some(Output::ToClient(out)) = relay.poll() else { panic!() };
    assert_eq!(out.as_ptr(), at);
    assert_eq!(relay.poll(), None);
}

#[test]
fn several_statements_in_one_text_have_an_outcome_each() {
    let mut driven = Driven::default();
    driven.client(&[query("INSERT INTO a VALUES (1); UPDATE a SET b = 2; SELECT 1/0")]);
    driven.upstream(&[complete("INSERT 0 1"), complete("UPDATE 7"), failure("division by zero"), ready()]);
    assert_eq!(
        driven.records(),
        [
            "1 simple INSERT INTO a VALUES (1); UPDATE a SET b = 2; SELECT 1/0",
            "1 completed INSERT 0 1",
            "1 completed UPDATE 7",
            "1 failed 42601 division by zero"
        ]
    );
}

#[test]
fn outcomes_carry_rows_and_bytes() {
    let mut driven = Driven::default();
    let (asked, answer) = (query("SELECT a"), [row(b"1"), row(b"22"), complete("SELECT 2")]);
    driven.client(std::slice::from_ref(&asked)).upstream(&[answer.concat(), ready()]);
    let ends: Vec<_> = driven
        .log
        .iter()
        .filter_map(|output| match output {
            Output::Record(Record::End(end)) => Some((end.rows, end.bytes_from_client, end.bytes_to_client)),
            Output::Record(_) | Output::ToClient(_) | Output::ToUpstream(_) | Output::Close(_) => None,
        })
        .collect();
    assert_eq!(ends, [(Some(2), asked.len() as u64, answer.concat().len() as u64)]);
    for (tag, rows) in [("INSERT 0 5", Some(5)), ("COPY 10", Some(10)), ("CREATE TABLE", None), ("", None)] {
        let mut driven = Driven::default();
        driven.client(&[query("x")]).upstream(&[complete(tag)]);
        assert!(driven.log.iter().any(|o| matches!(o, Output::Record(Record::End(end)) if end.rows == rows)), "{tag}");
    }
}

#[test]
fn pipelined_texts_get_their_own_outcomes() {
    let mut driven = Driven::default();
    driven.client(&[query("a"), query("b"), query(""), query("c")]);
    driven.upstream(&[complete("A 1"), ready(), failure("no b"), ready(), bare(b'I'), ready(), complete("C"), ready()]);
    assert_eq!(
        driven.records(),
        [
            "1 simple a",
            "2 simple b",
            "3 simple ",
            "4 simple c",
            "1 completed A 1",
            "2 failed 42601 no b",
            "3 empty",
            "4 completed C"
        ]
    );
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn a_function_call_is_told_with_its_arguments() {
    let mut driven = Driven::default();
    let arguments = [0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i', 0, 0];
    driven.client(&[message(b'F', &[&1598u32.to_be_bytes(), &arguments])]);
    driven.upstream(&[message(b'V', &[&(-1i32).to_be_bytes()]), ready()]);
    assert_eq!(driven.records(), ["1 call 1598", "1 completed "]);
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn what_comes_unasked_passes_and_changes_nothing() {
    let mut driven = Driven::default();
    driven.client(&[query("LISTEN a")]);
    let unasked =
        [message(b'N', &[b"SNOTICE\0\0"]), message(b'A', &[b"\0\0\0\x01a\0b\0"]), message(b'S', &[b"TimeZone\0UTC\0"])];
    driven.upstream(&unasked).upstream(&[complete("LISTEN"), ready()]).upstream(&unasked);
    assert_eq!(driven.relay.state(), State::Idle);
    let sent = [unasked.concat(), complete("LISTEN"), ready(), unasked.concat()].concat();
    assert_eq!(driven.bytes().1, sent);
    assert_eq!(driven.records(), ["1 simple LISTEN a", "1 completed LISTEN"]);
}

#[test]
fn the_state_is_what_the_upstream_said_last() {
    let mut driven = Driven::default();
    for (status, state) in [(b'T', State::InTransaction), (b'E', State::Failed), (b'I', State::Idle)] {
        driven.client(&[query("x")]);
        assert_eq!(driven.relay.state(), State::Busy);
        driven.upstream(&[complete("X")]);
        assert_eq!(driven.relay.state(), State::Busy);
        driven.upstream(&[message(b'Z', &[&[status]])]);
        assert_eq!(driven.relay.state(), state);
    }
    driven.client(&[query("half")[..7].to_vec()]);
    assert_eq!(driven.relay.state(), State::Busy);
}

#[test]
fn terminate_passes_and_closes() {
    let mut driven = Driven::default();
    driven.client(&[query("a"), bare(b'X'), query("never")]);
    let (up, _) = driven.bytes();
    assert_eq!(up, [query("a"), bare(b'X')].concat());
    assert_eq!(driven.log.last(), Some(&Output::Close(CloseReason::ClientLeft)));
    assert_eq!(driven.records(), ["1 simple a", "1 unknown"]);
    driven.client(&[query("b")]).upstream(&[ready()]);
    assert_eq!(driven.log, []);
    assert!(!driven.relay.wants_client());
}

#[test]
fn what_was_carried_is_counted() {
    let mut driven = Driven::default();
    driven.client(&[query("a")]).upstream(&[complete("A"), ready()]);
    let (up, down) = driven.bytes();
    let passed = Passed { statements: 1, from_client: up.len() as u64, to_client: down.len() as u64 };
    assert_eq!(driven.relay.passed(), passed);
}

#[test]
fn far_ahead_of_the_upstream_the_client_waits() {
    let mut driven = Driven::default();
    let many = vec![sync(); 65_537];
    driven.client(&many[..65_536]);
    assert!(driven.relay.wants_client());
    driven.client(&many[65_536..]);
    assert!(!driven.relay.wants_client());
    driven.upstream(&[ready()]);
    assert!(driven.relay.wants_client());
    assert_eq!(driven.closed(), None);
}
