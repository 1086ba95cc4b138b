//! Statements that the node runs by itself: control gives them, each with its permit, and hears what came of them.
//!
//! The node is the client then, on a stream in memory. Everything else is as in any session: the same login, relay,
//! recording (a statement is written down before the target sees it, I1), leash and end.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use daypass_domain::session::{Passed, SessionEnd};
use daypass_ports::{
    authority::{AuthorityError, Statement},
    record::Permit,
};
use daypass_wire::postgres::{
    error::PgError,
    once::{Broken, End, Given, Once, Output, Over},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Semaphore,
    time::sleep,
};

use crate::{
    leased::Leased,
    node::Node,
    pump::Sides,
    session,
    sessions::{Asking, Registered},
    upstream::Upstream,
    words,
};

/// How many statements a node runs at once.
const AT_ONCE: usize = 64;
/// How many it takes at once: until its login is made, a statement keeps whoever asks waiting.
pub(crate) const TAKERS: usize = 4;
/// How long after a failure to ask again.
const AGAIN: Duration = Duration::from_millis(250);
/// Bytes between the node as client and the relay.
const PIPE_LEN: usize = 64 << 10;

/// Room for the statements that a node runs.
pub(crate) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// Takes statements while there is room, for ever.
pub(crate) async fn follow(node: Arc<Node>, room: Arc<Semaphore>) {
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let asking = node.sessions.asking();
        match node.authority.next_statement(node.id).await {
            Ok(Some(statement)) => {
                let node = Arc::clone(&node);
                tokio::spawn(async move {
                    run(&node, asking, statement).await;
                    drop(place);
                });
            }
            Ok(None) => {}
            Err(why @ (AuthorityError::Unavailable { .. } | AuthorityError::Refused { .. })) => {
                tracing::warn!(%why, "control gives no statements; asking again");
                sleep(AGAIN).await;
            }
        }
    }
}

/// Runs it, and tells control what came of it, until control knows.
async fn run(node: &Arc<Node>, asking: Asking, statement: Statement) {
    let terms = statement.permit.terms();
    let session = terms.session;
    tracing::info!(%session, grant = %terms.grant, resource = %terms.resource_name, how = ?statement.how, "a statement runs");
    let (over, end, passed) = match node.sessions.register(asking, &statement.permit) {
        Ok(registered) => carry(node, &statement, registered).await,
        // Its grant ended while the answer was on its way.
        Err(stop) => {
            (without_effect(words::stopped(&stop, &terms.resource_name)), stop.session_end(), Passed::default())
        }
    };
    tracing::info!(%session, cause = %end, "a statement is over");
    let mut pause = AGAIN;
    while let Err(why) = node.authority.statement_over(session, over.clone()).await {
        tracing::warn!(%session, %why, "control doesn't know yet what came of a statement; trying again");
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
    node.report_closed(session, end, passed);
}

async fn carry(node: &Arc<Node>, statement: &Statement, registered: Registered) -> (Over, SessionEnd, Passed) {
    let terms = statement.permit.terms();
    let mut recorder = match node.recorder.open(terms) {
        Ok(recorder) => recorder,
        Err(error) => {
            let error = words::unrecorded(Some(&error));
            return (without_effect(error), SessionEnd::RecordingFailed, Passed::default());
        }
    };
    let leash = Arc::clone(registered.leash());
    let (over, end, passed) = match sides(node, &statement.permit, &registered).await {
        Err(failure) => (without_effect(failure.error), failure.end, Passed::default()),
        Ok((sides, client)) => {
            let once = Once::new(&statement.sql, statement.how);
            let relayed = session::relayed(node, sides, terms, &leash, &mut recorder);
            let (over, (end, passed)) = tokio::join!(ask(client, once), relayed);
            (over, end, passed)
        }
    };
    // Its sockets are closed: whoever waits for that goes on.
    drop(registered);
    session::closed(node, terms, recorder, end, passed);
    (over, end, passed)
}

/// A connection to the target, and the stream on which the node is its client.
async fn sides(
    node: &Node,
    permit: &Permit,
    registered: &Registered,
) -> Result<(Sides<DuplexStream>, DuplexStream), crate::upstream::Failure> {
    let leash = registered.leash();
    // What is shown is text, in the one encoding that people and JSON read.
    let parameters = vec![(Bytes::from_static(b"client_encoding"), Bytes::from_static(b"UTF8"))];
    let Upstream { leased, leftover, .. } = session::dialled(node, permit, leash, parameters).await?;
    let (ours, theirs) = tokio::io::duplex(PIPE_LEN);
    let client = Leased::new(theirs, Arc::clone(leash), Arc::clone(&node.clock));
    let sides = Sides { client, client_sent: BytesMut::new(), upstream: leased, upstream_sent: leftover };
    Ok((sides, ours))
}

/// Asks, as a client does, until it is over. A stream that ends is an answer too.
async fn ask(mut client: DuplexStream, mut once: Once) -> Over {
    let mut input = BytesMut::with_capacity(PIPE_LEN);
    loop {
        while let Some(output) = once.poll() {
            match output {
                Output::ToServer(bytes) => {
                    if client.write_all(&bytes).await.is_err() {
                        once.closed();
                    }
                }
                Output::Over(over) => return *over,
            }
        }
        input.clear();
        match client.read_buf(&mut input).await {
            Ok(read) if read > 0 => once.from_server(&input),
            Ok(_) | Err(_) => once.closed(),
        }
    }
}

fn without_effect(error: PgError) -> Over {
    Over { end: End::NoEffect(Broken::Told(error)), given: Given::default() }
}
