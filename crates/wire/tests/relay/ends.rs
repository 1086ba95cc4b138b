//! How sessions end.

use daypass_wire::postgres::error::{PgError, Sqlstate};
use daypass_wire::postgres::frame::FrameError;
use daypass_wire::postgres::relay::{CloseReason, Output, ProtocolError};

use crate::*;

fn revoked() -> PgError {
    PgError::fatal(Sqlstate::ADMIN_SHUTDOWN, "your access was revoked")
}

fn is_error(output: Option<&Output>, code: &str) -> bool {
    matches!(output, Some(Output::ToClient(bytes)) if bytes[0] == b'E' && show(bytes).contains(code))
}

#[test]
fn what_was_not_given_out_never_is_and_the_client_hears_first() {
    // I3
    let mut driven = Driven::default();
    driven.client(&[query("a")]).upstream(&[row(b"1")]);
    driven.relay.from_client(Bytes::from(query("UPDATE later")));
    driven.relay.from_upstream(Bytes::from(row(b"2")));
    driven.log.clear();
    driven.relay.end(&revoked());
    driven.drain();
    assert!(is_error(driven.log.first(), "C57P01"));
    assert_eq!(driven.bytes().0, b"");
    assert!(!show(&driven.bytes().1).contains('2'));
    assert_eq!(driven.log.last(), Some(&Output::Close(CloseReason::Ended)));
    assert_eq!(driven.records(), ["2 simple UPDATE later", "1 unknown", "2 unknown"]);
    driven.relay.end(&revoked());
    driven.client(&[query("b")]).upstream(&[ready()]);
    assert_eq!(driven.log, []);
}

#[test]
fn nothing_is_put_into_the_middle_of_a_message() {
    let whole = row(&[b'x'; 100]);
    for cut in 1..whole.len() {
        let mut driven = Driven::default();
        driven.upstream(&[whole[..cut].to_vec()]);
        driven.relay.end(&revoked());
        driven.drain();
        assert_eq!(driven.bytes().1, whole[..cut]);
        assert_eq!(driven.closed(), Some(&CloseReason::Ended));
    }
}

#[test]
fn only_what_was_given_out_counts_for_where_a_message_ends() {
    let mut driven = Driven::default();
    driven.relay.from_upstream(Bytes::from(row(b"1")[..7].to_vec()));
    driven.relay.end(&revoked());
    driven.drain();
    assert!(is_error(driven.log.first(), "C57P01"));
}

#[test]
fn an_end_after_terminate_still_holds_back_what_was_not_given_out() {
    let mut driven = Driven::default();
    driven.relay.from_client(Bytes::from([query("DELETE"), bare(b'X')].concat()));
    driven.relay.end(&revoked());
    driven.drain();
    assert_eq!(driven.bytes().0, b"");
    assert_eq!(driven.records(), ["1 simple DELETE", "1 unknown"]);
}

#[test]
fn a_client_that_is_gone_gets_nothing_and_sends_nothing() {
    let mut driven = Driven::default();
    driven.relay.from_client(Bytes::from(query("DELETE")));
    driven.relay.client_closed();
    driven.drain();
    assert_eq!(driven.bytes(), (Vec::new(), Vec::new()));
    assert_eq!(driven.closed(), Some(&CloseReason::ClientGone));
}

#[test]
fn an_upstream_that_is_gone_is_explained_unless_it_did_so_itself() {
    let lost = PgError::fatal(Sqlstate::CONNECTION_FAILURE, "the target went away");
    let mut driven = Driven::default();
    driven.client(&[query("a")]);
    driven.relay.from_upstream(Bytes::from(row(b"1")));
    driven.relay.upstream_closed(&lost);
    driven.drain();
    assert!(is_error(driven.log.iter().rfind(|output| matches!(output, Output::ToClient(_))), "C08006"));
    assert_eq!(driven.closed(), Some(&CloseReason::UpstreamGone));
    assert_eq!(driven.records(), ["1 simple a", "1 unknown"]);

    let told = error("FATAL", "57P01", "shut down");
    for (sent, expected) in [(told.clone(), told), (row(b"half")[..6].to_vec(), row(b"half")[..6].to_vec())] {
        let mut driven = Driven::default();
        driven.relay.from_upstream(Bytes::from(sent));
        driven.relay.upstream_closed(&lost);
        driven.drain();
        assert_eq!(driven.bytes().1, expected);
    }
}

#[test]
fn what_is_not_the_protocol_ends_the_session_with_08p01() {
    let length = |tag: u8, length: i32| [&[tag][..], &length.to_be_bytes()].concat();
    let cases = [
        (length(b'Q', 3), ProtocolError::Client(FrameError::Length { tag: b'Q', length: 3 })),
        (length(b'd', -1), ProtocolError::Client(FrameError::Length { tag: b'd', length: -1 })),
        (
            length(b'd', i32::MAX),
            ProtocolError::Client(FrameError::TooLong { tag: b'd', len: i32::MAX as u32 - 4, max: 1 << 30 }),
        ),
        (length(b'p', 8), ProtocolError::ClientType(b'p')),
        (length(b'y', 8), ProtocolError::ClientType(b'y')),
        (length(0, 8), ProtocolError::ClientType(0)),
    ];
    for (bytes, reason) in cases {
        let mut driven = Driven::default();
        driven.client(&[sync(), bytes]);
        assert!(is_error(driven.log.first(), "C08P01"));
        assert_eq!(driven.closed(), Some(&CloseReason::ProtocolError(reason)));
    }
    let mut driven = Driven::default();
    driven.upstream(&[length(b'D', 2)]);
    let reason = ProtocolError::Upstream(FrameError::Length { tag: b'D', length: 2 });
    assert_eq!(driven.closed(), Some(&CloseReason::ProtocolError(reason)));
    let mut driven = Driven::default();
    driven.upstream(&[length(0x80, 8)]);
    assert_eq!(driven.closed(), Some(&CloseReason::ProtocolError(ProtocolError::UpstreamType(0x80))));
}

#[test]
fn what_newer_servers_tell_passes() {
    let mut driven = Driven::default();
    driven.upstream(&[message(b'y', &[b"new"])]);
    assert_eq!(driven.closed(), None);
    assert_eq!(driven.bytes().1, message(b'y', &[b"new"]));
}
