//! COPY both ways, whose Sync is sometimes read over.

use daypass_wire::postgres::relay::{CloseReason, Output, ProtocolError, Record, State};

use crate::*;

fn copied(driven: &Driven) -> Vec<u64> {
    driven
        .log
        .iter()
        .filter_map(|output| match output {
            Output::Record(Record::End(end)) => Some(end.bytes_from_client),
            Output::Record(_) | Output::ToClient(_) | Output::ToUpstream(_) | Output::Close(_) => None,
        })
        .collect()
}

#[test]
fn data_in_is_counted_with_its_statement() {
    let mut driven = Driven::default();
    driven.client(&[query("COPY a FROM STDIN")]).upstream(&[copy_in()]);
    assert_eq!(driven.relay.state(), State::Busy);
    driven.client(&[data(b"1\n2\n"), data(b"3\n"), bare(b'c')]).upstream(&[complete("COPY 3"), ready()]);
    let sent = query("COPY a FROM STDIN").len() + data(b"1\n2\n").len() + data(b"3\n").len();
    assert_eq!(copied(&driven), [sent as u64]);
    assert_eq!(driven.records(), ["1 simple COPY a FROM STDIN", "1 completed COPY 3"]);
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn data_out_passes() {
    let mut driven = Driven::default();
    driven.client(&[query("COPY a TO STDOUT")]);
    driven.upstream(&[
        message(b'H', &[&[0, 0, 0]]),
        data(b"1\n"),
        data(b"2\n"),
        bare(b'c'),
        complete("COPY 2"),
        ready(),
    ]);
    assert_eq!(driven.records(), ["1 simple COPY a TO STDOUT", "1 completed COPY 2"]);
}

#[test]
fn two_copies_in_one_text() {
    let mut driven = Driven::default();
    driven.client(&[query("COPY a FROM STDIN; COPY b FROM STDIN")]).upstream(&[copy_in()]);
    driven.client(&[data(b"1"), bare(b'c')]).upstream(&[complete("COPY 1"), copy_in()]);
    driven.client(&[bare(b'c')]).upstream(&[complete("COPY 0"), ready()]);
    driven.client(&[query("next")]).upstream(&[complete("NEXT"), ready()]);
    assert_eq!(
        driven.records(),
        [
            "1 simple COPY a FROM STDIN; COPY b FROM STDIN",
            "1 completed COPY 1",
            "1 completed COPY 0",
            "2 simple next",
            "2 completed NEXT"
        ]
    );
}

#[test]
fn the_client_gives_up() {
    let mut driven = Driven::default();
    driven.client(&[query("COPY a FROM STDIN")]).upstream(&[copy_in()]);
    driven.client(&[data(b"1"), message(b'f', &[b"enough\0"]), query("next")]);
    driven.upstream(&[error("ERROR", "57014", "enough"), ready(), complete("NEXT"), ready()]);
    assert_eq!(
        driven.records(),
        ["1 simple COPY a FROM STDIN", "2 simple next", "1 failed 57014 enough", "2 completed NEXT"]
    );
}

/// libpq sends Sync with Execute, and another after the data: the first is read over.
#[test]
fn a_sync_sent_before_the_data_is_read_over() {
    let mut driven = Driven::default();
    driven.client(&[parse("", "COPY a FROM STDIN"), bind("", "", &[]), execute("", 0), sync()]);
    driven.upstream(&[bare(b'1'), bare(b'2'), copy_in()]);
    driven.client(&[data(b"1"), bare(b'c'), sync(), query("next")]);
    driven.upstream(&[complete("COPY 1"), ready()]);
    assert_eq!(driven.relay.state(), State::Busy);
    driven.upstream(&[complete("NEXT"), ready()]);
    assert_eq!(driven.relay.state(), State::Idle);
    assert_eq!(
        driven.records()[2..],
        ["3 execute <> 0", "4 simple next", "3 completed COPY 1", "4 completed NEXT"].map(String::from)
    );
}

#[test]
fn data_sent_before_it_was_asked_for_is_matched() {
    let mut driven = Driven::default();
    driven.client(&[execute("", 0), data(b"1"), bare(b'c'), sync(), query("next")]);
    driven.upstream(&[copy_in(), complete("COPY 1"), ready(), complete("NEXT"), ready()]);
    assert_eq!(driven.records(), ["1 execute <> 0", "2 simple next", "1 completed COPY 1", "2 completed NEXT"]);
    assert_eq!(driven.relay.state(), State::Idle);
}

/// Whether the first Sync was read over can't be seen. Where there is one ReadyForQuery or two, nobody's outcome is another's.
#[test]
fn after_a_failed_copy_outcomes_find_their_statements() {
    for honoured in [true, false] {
        let mut driven = Driven::default();
        driven.client(&[execute("", 0), sync()]).upstream(&[copy_in(), failure("trigger says no")]);
        driven.client(&[data(b"1"), message(b'f', &[b"\0"]), sync(), query("next"), execute("", 0), sync()]);
        if honoured {
            driven.upstream(&[ready()]);
        }
        driven.upstream(&[ready(), complete("NEXT"), ready(), complete("LAST"), ready()]);
        assert_eq!(
            driven.records(),
            [
                "1 execute <> 0",
                "1 failed 42601 trigger says no",
                "2 simple next",
                "3 execute <> 0",
                "2 completed NEXT",
                "3 completed LAST"
            ]
        );
        assert_eq!(driven.relay.state(), State::Idle);
    }
}

#[test]
fn a_sync_that_counted_after_all_settles_it() {
    let mut driven = Driven::default();
    driven.client(&[execute("", 0), sync()]).upstream(&[copy_in(), failure("no"), ready()]);
    driven.client(&[query("next")]).upstream(&[complete("NEXT"), ready()]);
    assert_eq!(driven.records()[2..], ["2 simple next", "2 completed NEXT"].map(String::from));
    assert_eq!(driven.relay.state(), State::Idle);
}

/// What may run or may not isn't recorded wrongly: the session ends.
#[test]
fn statements_that_may_be_read_over_or_not_end_the_session() {
    let mut driven = Driven::default();
    driven.client(&[execute("", 0), sync()]).upstream(&[copy_in(), failure("no")]).client(&[execute("", 0)]);
    assert_eq!(driven.closed(), Some(&CloseReason::ProtocolError(ProtocolError::DuringCopy(b'E'))));

    for between in [vec![], vec![data(b"1"), bare(b'c')]] {
        let mut driven = Driven::default();
        driven.client(&[execute("", 0), sync(), between.concat(), execute("", 0), sync()]).upstream(&[copy_in()]);
        assert_eq!(driven.closed(), Some(&CloseReason::ProtocolError(ProtocolError::AfterCopy)));
        assert_eq!(driven.records(), ["1 execute <> 0", "2 execute <> 0", "1 unknown", "2 unknown"]);
    }
}

#[test]
fn data_after_an_error_is_read_over() {
    let mut driven = Driven::default();
    driven.client(&[query("COPY a FROM STDIN")]).upstream(&[copy_in(), failure("bad line")]);
    driven.client(&[data(b"2"), bare(b'c')]).upstream(&[ready()]);
    driven.client(&[query("next")]).upstream(&[complete("NEXT"), ready()]);
    assert_eq!(driven.records()[2..], ["2 simple next", "2 completed NEXT"].map(String::from));
    assert_eq!(driven.relay.state(), State::Idle);
}

#[test]
fn a_statement_while_copy_reads_ends_the_session() {
    let mut driven = Driven::default();
    driven.client(&[query("COPY a FROM STDIN")]).upstream(&[copy_in()]).client(&[data(b"1"), query("SELECT 1")]);
    let reason = CloseReason::ProtocolError(ProtocolError::DuringCopy(b'Q'));
    assert_eq!(driven.closed(), Some(&reason));
    assert_eq!(driven.records(), ["1 simple COPY a FROM STDIN", "1 unknown"]);
}

#[test]
fn replication_streams_both_ways() {
    let mut driven = Driven::default();
    driven.client(&[query("START_REPLICATION 0/0")]).upstream(&[message(b'W', &[&[0, 0, 0]]), data(b"wal")]);
    driven.client(&[data(b"r"), bare(b'c')]).upstream(&[bare(b'c'), complete("START_STREAMING"), ready()]);
    assert_eq!(driven.records(), ["1 simple START_REPLICATION 0/0", "1 completed START_STREAMING"]);
    assert_eq!(driven.relay.state(), State::Idle);
}
