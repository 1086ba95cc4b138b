//! One statement, run once: each answer of a server, and what is then known.

use bytes::{BufMut, BytesMut};
use daypass_wire::postgres::{
    error::{PgError, Severity, Sqlstate},
    frame::back,
    message::{put, ready_for_query},
    once::{
        Broken, End, How, Kept, NOTICES_LEN_MAX, NOTICES_MAX, NotOne, Once, Output, Over, ROWS_LEN_MAX, ROWS_MAX,
        STATEMENT_LEN_MAX, admissible,
    },
};
use proptest::prelude::*;

fn tag(out: &mut BytesMut, text: &str) {
    put(out, back::COMMAND_COMPLETE, |out| {
        out.put_slice(text.as_bytes());
        out.put_u8(0);
    });
}

fn row(out: &mut BytesMut, value: Option<&[u8]>) {
    put(out, back::DATA_ROW, |out| {
        out.put_i16(1);
        match value {
            Some(value) => {
                out.put_i32(i32::try_from(value.len()).unwrap());
                out.put_slice(value);
            }
            None => out.put_i32(-1),
        }
    });
}

fn error(out: &mut BytesMut, severity: Severity, code: &[u8]) {
    let sqlstate = Sqlstate::new(code).unwrap();
    let error = PgError { severity, position: Some(8), ..PgError::fatal(sqlstate, "no") };
    error.encode(out);
}

/// What a server says, piece by piece, after which the machine is asked.
fn says(fill: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    fill(&mut out);
    out
}

fn begun() -> BytesMut {
    says(|out| {
        tag(out, "BEGIN");
        ready_for_query(out, b'T');
    })
}

fn done(text: &str, status: u8) -> BytesMut {
    says(|out| {
        tag(out, text);
        ready_for_query(out, status);
    })
}

/// What was sent, and how it ended.
fn run(how: How, answers: &[BytesMut]) -> (Vec<u8>, Option<Over>) {
    let mut once = Once::new("UPDATE t SET a = 1", how);
    let mut sent = Vec::new();
    let mut over = None;
    let mut take = |once: &mut Once| {
        while let Some(output) = once.poll() {
            match output {
                Output::ToServer(bytes) => sent.extend_from_slice(&bytes),
                Output::Over(end) => over = Some(*end),
            }
        }
    };
    take(&mut once);
    for answer in answers {
        // Byte by byte: where it is cut makes no difference.
        answer.iter().for_each(|byte| once.from_server(&[*byte]));
        take(&mut once);
    }
    once.closed();
    take(&mut once);
    (sent, over)
}

fn asked_to_commit(sent: &[u8]) -> bool {
    sent.windows(7).any(|part| part == b"COMMIT\0")
}

#[test]
fn what_the_server_commits_is_committed() {
    let (sent, over) = run(How::Run, &[begun(), done("UPDATE 3", b'T'), done("COMMIT", b'I')]);
    let over = over.unwrap();
    assert_eq!((over.end, over.given.rows_told(), over.given.tag.as_str()), (End::Committed, 3, "UPDATE 3"));
    assert!(asked_to_commit(&sent));
    assert!(sent.ends_with(b"X\0\0\0\x04"), "it says goodbye");
    assert_eq!(sent.windows(19).filter(|part| *part == b"UPDATE t SET a = 1\0").count(), 1);
}

#[test]
fn a_refused_statement_is_never_committed() {
    let refused = says(|out| {
        error(out, Severity::Error, b"42601");
        ready_for_query(out, b'E');
    });
    let (sent, over) = run(How::Run, &[begun(), refused]);
    let End::Refused(error) = over.unwrap().end else { panic!() };
    assert_eq!((error.sqlstate.as_str(), error.position), ("42601", Some(8)));
    assert!(!asked_to_commit(&sent));
}

#[test]
fn a_refused_commit_is_a_refusal() {
    let refused = says(|out| {
        error(out, Severity::Error, b"23503");
        ready_for_query(out, b'I');
    });
    let (_, over) = run(How::Run, &[begun(), done("UPDATE 3", b'T'), refused]);
    assert!(matches!(over.unwrap().end, End::Refused(error) if error.sqlstate.as_str() == "23503"));
}

#[test]
fn an_error_is_a_refusal_only_where_the_transaction_is_known_to_have_failed() {
    let errs = |tags: &[&str], status: u8| {
        says(|out| {
            tags.iter().for_each(|text| tag(out, text));
            error(out, Severity::Error, b"XX000");
            ready_for_query(out, status);
        })
    };
    let ending = |answers: &[BytesMut]| run(How::Run, answers).1.unwrap().end;
    // It said that it committed, whatever it says after that.
    let late = ending(&[begun(), done("UPDATE 3", b'T'), errs(&["COMMIT"], b'I')]);
    assert!(matches!(late, End::Unknown(Broken::Told(_))), "{late:?}");
    // An error outside the transaction that was begun: what became of that, nobody knows.
    for status in *b"IT" {
        assert_eq!(ending(&[begun(), errs(&[], status)]), End::Unknown(Broken::OwnTransaction));
    }
    let commit_open = ending(&[begun(), done("UPDATE 3", b'T'), errs(&[], b'T')]);
    assert!(matches!(commit_open, End::Unknown(Broken::Told(_))), "{commit_open:?}");
}

#[test]
fn notices_are_kept_up_to_their_limits() {
    let notice = |out: &mut BytesMut, len: usize| PgError::notice("x".repeat(len)).encode(out);
    let given = |fill: &dyn Fn(&mut BytesMut)| {
        let said = says(|out| {
            fill(out);
            tag(out, "DO");
            ready_for_query(out, b'T');
        });
        let over = run(How::Run, &[begun(), said, done("COMMIT", b'I')]).1.unwrap();
        assert_eq!(over.end, End::Committed);
        over.given.notices
    };
    assert_eq!(given(&|out| (0..30).for_each(|_| notice(out, 9))).len(), NOTICES_MAX);
    let long = given(&|out| (0..10).for_each(|_| notice(out, 20 << 10)));
    assert!(
        long.iter().map(|n| n.message.len()).sum::<usize>() <= NOTICES_LEN_MAX && long.len() == 3,
        "{}",
        long.len()
    );
}

#[test]
fn lost_before_the_commit_is_without_effect_and_lost_after_it_is_unknown() {
    let cut = || says(|out| error(out, Severity::Fatal, b"57P01"));
    let ending = |answers: &[BytesMut]| run(How::Run, answers).1.unwrap().end;
    assert_eq!(ending(&[]), End::NoEffect(Broken::Gone));
    assert_eq!(ending(&[begun()]), End::NoEffect(Broken::Gone));
    assert!(matches!(ending(&[begun(), cut()]), End::NoEffect(Broken::Told(_))));
    let at_commit = [begun(), done("UPDATE 3", b'T')];
    assert_eq!(ending(&at_commit), End::Unknown(Broken::Gone));
    let [a, b] = at_commit;
    // Our own words at a cut, or the server's: whether it committed before, nobody knows.
    assert!(matches!(ending(&[a, b, cut()]), End::Unknown(Broken::Told(_))));
}

#[test]
fn a_statement_that_ends_its_transaction_or_copies_is_told_apart() {
    let ending = |answer: BytesMut| {
        let (sent, over) = run(How::Run, &[begun(), answer]);
        assert!(!asked_to_commit(&sent));
        over.unwrap().end
    };
    assert_eq!(ending(done("COMMIT", b'I')), End::Unknown(Broken::OwnTransaction));
    let copies = says(|out| put(out, back::COPY_IN_RESPONSE, |out| out.put_slice(&[0, 0, 0])));
    assert_eq!(ending(copies), End::NoEffect(Broken::Copy));
}

#[test]
fn a_look_is_never_committed_and_no_text_can_make_it_run() {
    let (sent, over) = run(How::Look, &[begun(), done("EXPLAIN", b'T')]);
    assert_eq!(over.unwrap().end, End::Looked);
    assert!(!asked_to_commit(&sent));
    let shown = String::from_utf8_lossy(&sent).into_owned();
    assert!(shown.contains("BEGIN READ ONLY; SET LOCAL statement_timeout"), "{shown}");
    assert!(shown.contains("EXPLAIN (COSTS) UPDATE t SET a = 1\0"), "{shown}");
}

#[test]
fn a_result_is_kept_from_its_beginning_up_to_its_limits() {
    let rows = |count: usize, value: &[u8]| {
        says(|out| {
            (0..count).for_each(|_| row(out, Some(value)));
            row(out, None);
            tag(out, "SELECT");
            ready_for_query(out, b'T');
        })
    };
    let given = |answer: BytesMut| {
        let (_, over) = run(How::Run, &[begun(), answer, done("COMMIT", b'I')]);
        let over = over.unwrap();
        assert_eq!(over.end, End::Committed, "a result that is cut doesn't keep the statement from running");
        over.given
    };
    let few = given(rows(2, b"x"));
    assert_eq!((few.rows.len(), few.counted, few.kept()), (3, 3, Kept::All));
    assert_eq!(few.rows[2], [None]);
    let many = given(rows(ROWS_MAX, b"x"));
    assert_eq!((many.rows.len(), many.kept()), (ROWS_MAX, Kept::First));
    assert_eq!(many.counted, u64::try_from(ROWS_MAX + 1).unwrap());
    // A row that is too long is dropped, and so is what follows, however short.
    let long = given(rows(1, &vec![b'x'; ROWS_LEN_MAX + 1]));
    assert_eq!((long.rows.len(), long.counted, long.kept()), (0, 2, Kept::First));
}

#[test]
fn what_can_be_no_statement_of_a_request_is_said_in_words() {
    for good in [
        "UPDATE accounts SET balance = 0 WHERE id = 7",
        "-- why\nSELECT 'COMMIT; COPY x FROM STDIN'",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT count(*) FROM gone",
        "PREPARE p AS SELECT 1",
        "COPY t TO '/tmp/x'",
        "CREATE TABLE begin_of_it ()",
    ] {
        assert_eq!(admissible(good), Ok(()), "{good}");
    }
    let control = |word: &str| NotOne::TransactionControl(word.to_owned());
    for (bad, why) in [
        ("", NotOne::Empty),
        ("  ; -- nothing\n /* at all */", NotOne::Empty),
        ("commit", control("COMMIT")),
        (";/* x */ Rollback to savepoint a", control("ROLLBACK")),
        ("start transaction", control("START")),
        ("prepare transaction 'x'", control("PREPARE TRANSACTION")),
        ("copy accounts from stdin", NotOne::Copy),
        ("COPY (SELECT 1) TO STDOUT", NotOne::Copy),
        ("SELECT 1\0; DROP TABLE t", NotOne::Zero),
    ] {
        assert_eq!(admissible(bad), Err(why), "{bad:?}");
    }
    let long = format!("SELECT '{}'", "x".repeat(STATEMENT_LEN_MAX));
    assert_eq!(admissible(&long), Err(NotOne::TooLong(long.len())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever a server sends, in whatever pieces: it ends once, says COMMIT at most once, and before that was given out
    /// it never says "unknown" for another reason than the statement's own end of its transaction.
    #[test]
    fn any_answers_end_it_once(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(begun()),
                Just(done("UPDATE 1", b'T')),
                Just(done("COMMIT", b'I')),
                Just(done("ROLLBACK", b'I')),
                Just(says(|out| ready_for_query(out, b'E'))),
                Just(says(|out| error(out, Severity::Error, b"22012"))),
                Just(says(|out| error(out, Severity::Fatal, b"57P01"))),
                Just(says(|out| row(out, Some(b"1")))),
                prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| BytesMut::from(&bytes[..])),
            ],
            0..12,
        ),
        look: bool,
    ) {
        let how = if look { How::Look } else { How::Run };
        let (sent, over) = run(how, &pieces);
        let over = over.expect("it ends");
        let asked = sent.windows(7).filter(|part| part == b"COMMIT\0").count();
        prop_assert!(asked <= 1 && !(look && asked > 0));
        match over.end {
            End::Committed => prop_assert_eq!(asked, 1),
            End::Unknown(Broken::OwnTransaction) | End::NoEffect(_) | End::Looked => prop_assert_eq!(asked, 0),
            End::Unknown(_) => prop_assert_eq!(asked, 1),
            End::Refused(_) => {}
        }
    }
}
