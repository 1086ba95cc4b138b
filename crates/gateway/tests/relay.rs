//! What passes, passes as it is.

mod common;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use common::{
    House,
    client::{message, query, tags},
    stderr, stdout,
};
use daypass_testkit::Pg;
use daypass_wire::postgres::{error::PgError, message::cancel_request};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_postgres::{AsyncMessage, SimpleQueryMessage};

#[tokio::test(flavor = "multi_thread")]
async fn simple_and_extended_queries_answer() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let client = house.client().await;
    let rows = client.simple_query("SELECT 1 AS a; SELECT 2 AS b, 3").await.unwrap();
    let values: Vec<_> = rows
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(values, ["1", "2"]);
    let row = client.query_one("SELECT holder, balance FROM accounts WHERE id = $1", &[&7_i32]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("holder 7", 100));
    let error = client.query("SELECT $1::int / 0", &[&1_i32]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22012");
    // Many at once on one connection: tokio-postgres sends them without waiting.
    let numbers: Vec<i32> = (0..200).collect();
    let client = &client;
    let asked = numbers.iter().map(|n| async move { client.query_one("SELECT $1::int * 2", &[n]).await });
    let answers = futures_util::future::try_join_all(asked).await.unwrap();
    assert!(answers.iter().zip(&numbers).all(|(row, n)| row.get::<_, i32>(0) == n * 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_messages_is_answered_in_order() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    let mut pipeline = BytesMut::new();
    for _ in 0..3 {
        pipeline.extend_from_slice(&message(b'P', b"\0SELECT 1\0\0\0"));
        pipeline.extend_from_slice(&message(b'B', b"\0\0\0\0\0\0\0\0"));
        pipeline.extend_from_slice(&message(b'E', b"\0\0\0\0\0"));
    }
    // An error in the middle: what follows up to Sync is read over.
    pipeline.extend_from_slice(&message(b'P', b"\0SELEC\0\0\0"));
    pipeline.extend_from_slice(&message(b'E', b"\0\0\0\0\0"));
    pipeline.extend_from_slice(&message(b'S', b""));
    // One byte a write: how it is cut doesn't matter.
    for byte in pipeline.iter() {
        raw.send(&[*byte]).await;
    }
    assert_eq!(tags(&raw.until_ready().await), "12DC12DC12DCEZ");
    raw.send(&message(b'S', b"")).await;
    assert_eq!(tags(&raw.until_ready().await), "Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_larger_than_all_buffers_does_not_lock_up() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let client = Arc::new(house.client().await);
    let long = "x".repeat(200_000);
    let asked = (0..60).map(|_| {
        let (client, long) = (Arc::clone(&client), long.clone());
        async move { client.query_one("SELECT $1::text || $1::text", &[&long]).await.unwrap().get::<_, String>(0).len() }
    });
    let lengths = futures_util::future::join_all(asked).await;
    assert!(lengths.iter().all(|length| *length == 400_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_passes_both_ways_byte_for_byte() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let client = house.client().await;
    client.batch_execute("CREATE TABLE public.blobs (line text)").await.unwrap();
    let line: String = (0..999).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let mut data = BytesMut::new();
    while data.len() < 50_000_000 {
        data.extend_from_slice(format!("{}{line}\n", data.len()).as_bytes());
    }
    let data = data.freeze();
    let sink = client.copy_in("COPY public.blobs FROM STDIN").await.unwrap();
    tokio::pin!(sink);
    for start in (0..data.len()).step_by(70_001) {
        sink.send(data.slice(start..(start + 70_001).min(data.len()))).await.unwrap();
    }
    let rows = sink.finish().await.unwrap();
    assert_eq!(rows as usize, data.iter().filter(|byte| **byte == b'\n').count());
    let out: Vec<Bytes> = client.copy_out("COPY public.blobs TO STDOUT").await.unwrap().try_collect().await.unwrap();
    assert!(out.concat() == data, "what comes back is what went in");
    assert!(client.query_one("SELECT 1", &[]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_that_the_client_gives_up_fails_and_the_session_goes_on() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    raw.send(&query("CREATE TABLE public.given_up (line text); COPY public.given_up FROM STDIN")).await;
    assert_eq!([raw.next().await.unwrap().tag, raw.next().await.unwrap().tag], *b"CG");
    raw.send(&message(b'd', b"one\n")).await;
    raw.send(&message(b'f', b"changed my mind\0")).await;
    let answer = raw.until_ready().await;
    assert_eq!(tags(&answer), "EZ");
    assert!(PgError::parse(&answer[0].body).unwrap().message.contains("changed my mind"));
    raw.send(&query("SELECT count(*) FROM public.given_up")).await;
    assert_eq!(tags(&raw.until_ready().await), "EZ", "the whole text was one transaction");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_call_answers() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    // int4abs, oid 1397: one binary argument, a binary result.
    let call = [0, 0, 5, 0x75, 0, 1, 0, 1, 0, 1, 0, 0, 0, 4, 255, 255, 255, 249, 0, 1];
    raw.send(&message(b'F', &call)).await;
    let answer = raw.until_ready().await;
    assert_eq!((tags(&answer).as_str(), &answer[0].body[..]), ("VZ", &[0, 0, 0, 4, 0, 0, 0, 7][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_come_unasked_and_notices_as_the_server_sent_them() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let (client, mut connection) = house.connect().await.unwrap();
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let _ = sender.send(match message {
                AsyncMessage::Notice(notice) => format!("{}: {}", notice.code().code(), notice.message()),
                AsyncMessage::Notification(told) => format!("{} {}", told.channel(), told.payload()),
                _ => "other".into(),
            });
        }
    });
    client.batch_execute("LISTEN news").await.unwrap();
    client.batch_execute("DO $$ BEGIN RAISE WARNING 'mind the gap'; END $$").await.unwrap();
    pg.superuser().await.batch_execute("NOTIFY news, 'hello'").await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = told.recv().await.unwrap();
        // The gateway's own notice came with the login.
        if !message.contains("recorded") {
            seen.push(message);
        }
    }
    assert_eq!(seen, ["01000: mind the gap", "news hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_all_its_fields() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let sql = "DO $$ BEGIN RAISE EXCEPTION 'what' USING DETAIL = 'why', HINT = 'how', ERRCODE = 'DP001', \
               TABLE = 'accounts', CONSTRAINT = 'c'; END $$";
    let through = house.psql(&["-v", "VERBOSITY=verbose", "-c", sql]).await;
    for part in ["ERROR:  DP001: what", "DETAIL:  why", "HINT:  how", "TABLE NAME:  accounts", "LOCATION:"] {
        assert!(stderr(&through).contains(part), "{part}: {}", stderr(&through));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_ones_own_statement_is_cancelled() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    let other = house.client().await;
    raw.send(&query("SELECT pg_sleep(60)")).await;
    wait_for_sleep(&pg).await;
    // Another's number with a wrong secret does nothing.
    let mut guess = raw.secret.clone();
    guess[0] ^= 1;
    cancel(&house, raw.process, &guess).await;
    assert_eq!(pg.superuser().await.query(SLEEPING, &[&pg.database]).await.unwrap().len(), 1);
    cancel(&house, raw.process, &raw.secret.clone()).await;
    let answer = raw.until_ready().await;
    assert_eq!(tags(&answer), "TEZ");
    assert_eq!(PgError::parse(&answer[1].body).unwrap().sqlstate.as_str(), "57014");
    // Over TLS, as newer clients do it.
    let token = other.cancel_token();
    let sleeping = tokio::spawn(async move { other.batch_execute("SELECT pg_sleep(60)").await });
    wait_for_sleep(&pg).await;
    token.cancel_query(house.connector()).await.unwrap();
    assert_eq!(sleeping.await.unwrap().unwrap_err().code().unwrap().code(), "57014");
}

const SLEEPING: &str = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = $1";

async fn wait_for_sleep(pg: &Pg) {
    let superuser = pg.superuser().await;
    while superuser.query(SLEEPING, &[&pg.database]).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A cancel request in clear; returns when the gateway closed.
async fn cancel(house: &House, process: i32, secret: &[u8]) {
    let mut tcp = TcpStream::connect(house.address()).await.unwrap();
    let mut packet = BytesMut::new();
    cancel_request(&mut packet, process, secret);
    tcp.write_all(&packet).await.unwrap();
    assert_eq!(tcp.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_encoding_passes_byte_for_byte() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    for (encoding, bytes) in
        [("LATIN1", &b"caf\xe9"[..]), ("SJIS", b"\x83\x65\x83\x58\x83\x67"), ("SQL_ASCII", b"\xff\xfe")]
    {
        let parameters = vec![(Bytes::from_static(b"client_encoding"), Bytes::copy_from_slice(encoding.as_bytes()))];
        let mut raw = house.raw_with(parameters).await.unwrap();
        let body = [b"SELECT convert_to('", bytes, b"', 'UTF8')::text, '", bytes, b"'\0"].concat();
        raw.send(&message(b'Q', &body)).await;
        let answer = raw.until_ready().await;
        if encoding == "SQL_ASCII" {
            // Not valid UTF-8 there: the server's own error comes through.
            assert_eq!(tags(&answer), "EZ");
            continue;
        }
        assert_eq!(tags(&answer), "TDCZ");
        assert!(answer[1].body.ends_with(bytes), "{encoding}: {:?}", answer[1].body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_client_reach_the_target_and_ours_stay_ours() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let out = house.psql(&["-c", "SHOW search_path", "-c", "SHOW application_name"]).await;
    assert!(stdout(&out).contains("daypass:session_"), "{}", stderr(&out));
    let parameters = vec![
        (Bytes::from_static(b"options"), Bytes::from_static(b"-c geqo=off")),
        (Bytes::from_static(b"search_path"), Bytes::from_static(b"pg_catalog")),
    ];
    let mut raw = house.raw_with(parameters).await.unwrap();
    raw.send(&query("SELECT current_setting('geqo') || current_setting('search_path')")).await;
    let answer = raw.until_ready().await;
    assert!(answer[1].body.ends_with(b"offpg_catalog"), "{:?}", answer[1].body);
}
