//! `GET /v1/events`: the ledger as it grows, as server-sent events (WHATWG HTML, 9.2): what concerns whoever listens.
//!
//! The ledger is the queue: an event's id is its entry's sequence number, and `Last-Event-ID` goes on after it, so nothing
//! is lost between two connections, and nothing is kept for anybody. Who listens is asked again every few seconds, so a
//! stream ends with the sign-in that opened it.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use daypass_api::{events::ENTRY, ledger::Entry};
use daypass_app::{follow::Follower, signin::Touch};
use daypass_ports::{record::Revision, rows::TokenScope};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{sync::watch, time::Instant};

use crate::{
    body::Raw,
    call::Call,
    dispatch::caller_of,
    fault::{Fault, Result},
    ledger,
    route::{
        Access::{self, Scope},
        Route,
    },
    serve::{Certificates, Stopping},
    state::Control,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How often a comment goes out when nothing happens, so that nobody in between closes the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is asked again who listens.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How many entries are read at once.
const AT_ONCE: u32 = 200;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/events",
            Scope(TokenScope::Read),
            "New headers that concern one, as server-sent events",
            listen,
        )
        .gives("text/event-stream"),
    ]
}

async fn listen(call: Call) -> Result<Raw> {
    let size = ledger::size(call.app()).await?;
    let events = follow(call, Scope(TokenScope::Read), size).await?.map(|entry| {
        // An entry is plain data, which always has a JSON form.
        event(&entry).json_data(&entry).unwrap_or_default()
    });
    Ok(answer(events))
}

/// An event with the entry's number, and nothing yet of what it says.
pub(crate) fn event(entry: &Entry) -> Event {
    Event::default().event(ENTRY).id(entry.seq.to_string())
}

/// The answer that says them as they come.
pub(crate) fn answer(events: impl Stream<Item = Event> + Send + 'static) -> Raw {
    let stream = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Raw(stream.into_response())
}

/// The entries that concern whoever calls, from `first` on where they don't say that they go on. `access` is how they
/// came in, and how it is asked again whether they still may.
pub(crate) async fn follow(call: Call, access: Access, first: u64) -> Result<impl Stream<Item = Entry> + Send> {
    let next = match call.headers.get(LAST_EVENT_ID) {
        None => first,
        Some(id) => {
            let last: Option<u64> = id.to_str().ok().and_then(|text| text.parse().ok());
            let bad =
                || Fault::invalid("Last-Event-ID", "the last event's id is a sequence number", "send it as it came");
            last.ok_or_else(bad)?.saturating_add(1)
        }
    };
    let listener = Listener {
        follower: call.app().follower(call.actor()?).await,
        revisions: call.app().store().watch(),
        control: Arc::clone(&call.control),
        access,
        headers: call.headers,
        certificates: call.certificates,
        stopping: call.stopping,
        asked: Instant::now(),
        ready: VecDeque::new(),
        next,
    };
    Ok(stream::unfold(listener, |mut listener| async move {
        let entry = listener.entry().await?;
        Some((entry, listener))
    }))
}

struct Listener {
    control: Arc<Control>,
    access: Access,
    headers: HeaderMap,
    certificates: Certificates,
    follower: Follower,
    revisions: watch::Receiver<Revision>,
    stopping: Stopping,
    asked: Instant,
    ready: VecDeque<Entry>,
    next: u64,
}

impl Listener {
    /// The next entry that concerns them; nothing when the stream is over.
    async fn entry(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(entry);
            }
            if self.asked.elapsed() >= ASK_AGAIN {
                self.ask_again().await?;
            }
            self.revisions.mark_unchanged();
            if self.look().await.ok()? > 0 {
                continue;
            }
            tokio::select! {
                moved = self.revisions.changed() => moved.ok()?,
                () = tokio::time::sleep(ASK_AGAIN) => {}
                () = self.stopping.stopped() => return None,
            }
        }
    }

    /// Reads what is new; answers how many entries that were.
    async fn look(&mut self) -> Result<usize> {
        let app = self.control.app();
        let leaves = app.store().leaves(self.next, AT_ONCE).await?;
        let new = leaves.len();
        for (seq, bytes) in leaves {
            let leaf = ledger::read(&bytes)?;
            let header = leaf.header();
            if app.concerns(&mut self.follower, header.event.as_str(), &header.ids).await {
                self.ready.push_back(ledger::entry(&leaf));
            }
            self.next = seq + 1;
        }
        Ok(new)
    }

    /// Whoever may not any more hears nothing any more.
    async fn ask_again(&mut self) -> Option<()> {
        self.asked = Instant::now();
        let (headers, certificates) = (&self.headers, &self.certificates);
        let asked = caller_of(&self.control, self.access, headers, certificates, Touch::Alone).await;
        let (caller, scope) = asked.ok()??;
        let actor = caller.acting(scope).ok()?;
        self.control.app().look_again(&mut self.follower, actor).await;
        Some(())
    }
}
